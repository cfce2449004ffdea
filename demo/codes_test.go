package demo

import (
	"bytes"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/oned"
	"github.com/makiuchi-d/gozxing/qrcode"

	"elicense/document"
	"elicense/face"
	"elicense/gm"
	"elicense/sheet"
	"elicense/sheet/sheettest"
)

// picture draws the first page of a PDF at 200 dpi, which a telephone's camera
// does better than.
func picture(t *testing.T, pdf []byte) image.Image {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "a.pdf")
	if err := os.WriteFile(file, pdf, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("pdftoppm", "-r", "200", "-png", "-singlefile", file, filepath.Join(dir, "p")).CombinedOutput(); err != nil {
		t.Fatalf("pdftoppm (package poppler-utils): %v\n%s", err, out)
	}
	data, err := os.ReadFile(filepath.Join(dir, "p.png"))
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// part cuts out a rectangle of mm with a margin, as someone would hold a camera
// over it.
func part(t *testing.T, img image.Image, r face.Rect) *gozxing.BinaryBitmap {
	t.Helper()
	const px, margin = 200 / 25.4, 3
	cut := img.(interface {
		SubImage(image.Rectangle) image.Image
	}).SubImage(image.Rect(int((r[0]-margin)*px), int((r[1]-margin)*px), int((r[0]+r[2]+margin)*px), int((r[1]+r[3]+margin)*px)))
	b, err := gozxing.NewBinaryBitmapFromImage(cut)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The codes on every printed face can be read by another program.
func TestCodesOnFacesCanBeRead(t *testing.T) {
	if testing.Short() {
		t.Skip("draws every face on paper")
	}
	fonts := sheettest.Fonts(t)
	bars := 0
	for _, x := range made(t) {
		t.Run(x.Name, func(t *testing.T) {
			data := trial(x, x.Sample(today))
			pages, err := face.Layout(x.Face, data, fonts)
			if err != nil {
				t.Fatal(err)
			}
			for i := range x.Face.Pages {
				p := &x.Face.Pages[i]
				if p.Form != "" && p.Form != x.Face.Form || len(p.Codes) == 0 || i >= len(pages.Sheets) {
					continue
				}
				pdf, err := sheet.PDF(pages.Sheets[i:i+1], sheet.PDFInfo{})
				if err != nil {
					t.Fatal(err)
				}
				img := picture(t, pdf)
				for _, c := range p.Codes {
					reader, want := qrcode.NewQRCodeReader(), data.QR
					if c.Kind == face.Bars {
						reader, want = oned.NewCode128Reader(), data.Values[c.Key][0]
						bars++
					}
					got, err := reader.Decode(part(t, img, c.At), nil)
					if err != nil || got.GetText() != want {
						t.Errorf("page %d %s: read as %v, %v; want %s", i+1, c.Kind, got, err, want)
					}
				}
			}
		})
	}
	if bars == 0 {
		t.Error("no face has a bar code")
	}
}

// The statement on a print of a license of many fields is read off the paper and
// tells what the license said.
func TestStatementIsReadOffThePrint(t *testing.T) {
	key, err := gm.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	begin := today.Start()
	cert, err := gm.NewRoot(key, gm.Name{CommonName: "打印件签名"}, begin, begin.AddDate(5, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	for _, x := range made(t) {
		if x.Name == "出生医学证明" {
			for _, v := range trial(x, x.Sample(today)).Values {
				values = append(values, v...)
			}
		}
	}
	signed, err := document.NewStatement("1.2.156.3005.2.11350000FJDEM0021G008.12350102FJDEM03475.0F83KD92M1X0.001.K", "有效", begin, values, cert).Sign(key)
	if err != nil {
		t.Fatal(err)
	}
	url := document.StatementURL("https://zz.fujian.example/check", signed)
	code, err := sheet.QR(url, 20, 20, document.PrintCode)
	if err != nil {
		t.Fatal(err)
	}
	pdf, err := sheet.PDF([]sheet.Sheet{{W: 210, H: 100, Items: []sheet.Item{code}}}, sheet.PDFInfo{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := qrcode.NewQRCodeReader().Decode(part(t, picture(t, pdf), face.Rect{20, 20, document.PrintCode, document.PrintCode}), nil)
	if err != nil || got.GetText() != url {
		t.Fatalf("read as %v, %v", got, err)
	}
	data, err := document.FromStatementURL(got.GetText())
	if err != nil {
		t.Fatal(err)
	}
	s, err := document.ParseStatement(data, []*gm.Certificate{cert})
	if err != nil {
		t.Fatal(err)
	}
	if !s.Holds("陈小样") || s.Holds("陈大样") {
		t.Error("the statement does not tell what the license said")
	}
}
