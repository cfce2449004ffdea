package sheet

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zlib"
)

// picture is an image with a gradient, half transparent at the right if clear.
func picture(t testing.TB, kind string, clear bool) *Image {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, 40, 30))
	for y := range 30 {
		for x := range 40 {
			c := color.NRGBA{uint8(6 * x), uint8(8 * y), 90, 255}
			if clear && x >= 20 {
				c.A = 128
			}
			img.SetNRGBA(x, y, c)
		}
	}
	var buf bytes.Buffer
	err := png.Encode(&buf, img)
	if kind == "jpeg" {
		buf.Reset()
		err = jpeg.Encode(&buf, img, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return &Image{Data: buf.Bytes(), MIME: "image/" + kind, Matrix: Matrix{24, 0, 0, 18, 20, 200}}
}

// licensePage is a page of the size and the kinds of things a license has.
func licensePage(t testing.TB) Sheet {
	set := fonts(t)
	qr, err := QR("https://example.invalid/c/0123456789abcdef", 160, 240, 22)
	if err != nil {
		t.Fatal(err)
	}
	s := Sheet{W: 210, H: 297, Title: "食品经营许可证"}
	add := func(f *Font, text string, x, y, size float64, label bool) *Text {
		r := textOf(t, f, text)
		r.X, r.Y, r.Size, r.Label = x, y, size, label
		for i := range r.Advances {
			r.Advances[i] = size*f.Advance(r.Glyphs[i]) + 0.02
		}
		s.Items = append(s.Items, r)
		return r
	}
	s.Items = append(s.Items, &Path{Segments: Rect(8, 8, 194, 281), Stroke: true, Width: 0.6, Color: Red}, qr,
		&Path{Segments: Circle(60, 250, 21), Stroke: true, Width: 1.2, Color: Red, Opacity: 0.8},
		&Path{Segments: append(Circle(150, 210, 10), Rect(145, 205, 10, 10)...), Fill: true, EvenOdd: true, Color: Ink},
		&Path{Segments: []Segment{{Op: Move, P: [3]Point{{0, 0}}}, {Op: Quad, P: [3]Point{{5, 10}, {10, 0}}}}, Stroke: true, Width: 0.1,
			Matrix: &Matrix{2, 0, 0, 2, 120, 220}, Color: Color{0, 0, 200}})
	title := add(set.Song, "食品经营许可证", 60, 40, 13, true)
	title.Bold = 0.5
	for i, row := range [][2]string{
		{"经营者名称", "福州市鼓楼区榕荫里小吃店"}, {"统一社会信用代码", "92350102MA00000001"}, {"法定代表人(负责人)", "林示例𬱖𠅤"},
		{"住所", "福建省福州市鼓楼区东街街道示例路12号"}, {"经营场所", "福建省福州市鼓楼区东街街道示例路12号一层"},
		{"主体业态", "餐饮服务经营者"}, {"经营项目", "热食类食品制售、冷食类食品制售、自制饮品制售"}, {"许可证编号", "JY23501020000001"},
		{"有效期至", "2031年01月13日"}, {"发证机关", "福州市鼓楼区市场监督管理局"},
	} {
		y := 70 + 12*float64(i)
		add(set.Hei, row[0], 20, y, 4.6, true)
		x := 75.0
		for _, r := range row[1] {
			f, _, err := set.Pick(Song, r)
			if err != nil {
				t.Fatal(err)
			}
			x += add(f, string(r), x, y, 4.6, false).Advances[0]
		}
	}
	turned := add(set.Kai, "样张", 0, 0, 30, true)
	turned.Matrix, turned.Opacity = &Matrix{0.866, -0.5, 0.5, 0.866, 80, 170}, 0.2
	return s
}

var pdfInfo = PDFInfo{
	Title: "食品经营许可证", Creator: "elicense", Created: time.Date(2026, 3, 2, 4, 0, 0, 0, time.UTC),
	Custom: [][2]string{{"ZZMC", "食品经营许可证"}, {"CZZT", "甲 & <乙>"}, {"CZZT", "丙"}},
}

func makePDF(t testing.TB, pages []Sheet, info PDFInfo) []byte {
	t.Helper()
	data, err := PDF(pages, info)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// poppler runs one of its programs on a file; a machine without it skips the
// test, CI fails it.
func poppler(t testing.TB, data []byte, program string, args ...string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(program + " is missing: apt-get install poppler-utils")
		}
		t.Skip(program + " is missing")
	}
	file := filepath.Join(t.TempDir(), "a.pdf")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	for i, a := range args {
		if a == "FILE" {
			args[i] = file
		}
	}
	var stderr bytes.Buffer
	cmd := exec.Command(path, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil || stderr.Len() > 0 {
		t.Fatalf("%s: %v\n%s", program, err, stderr.String())
	}
	return string(out)
}

func TestPDF(t *testing.T) {
	page := licensePage(t)
	page.Items = append(page.Items, picture(t, "png", true), picture(t, "png", true), picture(t, "jpeg", false))
	card := Sheet{W: 85.6, H: 54, Items: []Item{textOf(t, fonts(t).Song, "第二页")}}
	data := makePDF(t, []Sheet{page, card}, pdfInfo)
	if keep := os.Getenv("ELICENSE_PDF"); keep != "" { // to be looked at
		if err := os.WriteFile(keep, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("text can be copied, also beyond the basic plane", func(t *testing.T) {
		text := poppler(t, data, "pdftotext", "-raw", "FILE", "-")
		for _, want := range []string{"食品经营许可证", "统一社会信用代码", "林示例𬱖𠅤", "福建省福州市鼓楼区东街街道示例路12号一层", "第二页"} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is not in the text:\n%s", want, text)
			}
		}
	})
	t.Run("fonts are embedded, cut and mapped", func(t *testing.T) {
		rows := strings.Split(strings.TrimSpace(poppler(t, data, "pdffonts", "FILE")), "\n")[2:]
		if len(rows) != 4 {
			t.Errorf("%d fonts: %q", len(rows), rows)
		}
		for _, row := range rows {
			if !regexp.MustCompile(`^[A-Z]{6}\+ELicenseText +CID TrueType +Identity-H +yes yes yes `).MatchString(row) {
				t.Errorf("font %q", row)
			}
		}
	})
	t.Run("pages have their sizes", func(t *testing.T) {
		info := poppler(t, data, "pdfinfo", "-l", "2", "FILE")
		for _, want := range []string{"Title:           食品经营许可证", "Page    1 size:  595.276 x 841.89 pts", "Page    2 size:  242.646 x 153.071 pts"} {
			if !strings.Contains(info, want) {
				t.Errorf("%q is not in\n%s", want, info)
			}
		}
	})
	t.Run("an image of several places is in it once", func(t *testing.T) {
		if n := bytes.Count(data, []byte("/Subtype/Image")); n != 3 { // PNG, its mask, JPEG
			t.Errorf("%d images", n)
		}
	})
	t.Run("metadata are XMP", func(t *testing.T) {
		meta := poppler(t, data, "pdfinfo", "-meta", "FILE")
		d := xml.NewDecoder(strings.NewReader(meta))
		got := map[string]string{}
		for {
			tok, err := d.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			e, ok := tok.(xml.StartElement)
			if !ok {
				continue
			}
			var text struct {
				S string   `xml:",chardata"`
				L []string `xml:"Seq>li"`
				A string   `xml:"Alt>li"`
			}
			if e.Name.Space == PDFNamespace || e.Name.Local == "title" || e.Name.Local == "CreateDate" {
				if err := d.DecodeElement(&text, &e); err != nil {
					t.Fatal(err)
				}
				got[e.Name.Local] = strings.TrimSpace(text.S + text.A + strings.Join(text.L, "|"))
			}
		}
		want := map[string]string{"title": "食品经营许可证", "CreateDate": "2026-03-02T04:00:00Z", "ZZMC": "食品经营许可证", "CZZT": "甲 & <乙>|丙"}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("metadata = %v, want %v", got, want)
		}
	})
	t.Run("the same pages give the same bytes", func(t *testing.T) {
		if !bytes.Equal(data, makePDF(t, []Sheet{page, card}, pdfInfo)) {
			t.Error("bytes differ")
		}
	})
	t.Run("the table of objects leads to them", func(t *testing.T) {
		at := bytes.LastIndex(data, []byte("startxref\n"))
		start, _ := strconv.Atoi(strings.Fields(string(data[at:]))[1])
		rows := strings.Split(string(data[start:]), "\n")[3:]
		for i, row := range rows {
			if !strings.HasSuffix(row, " n ") {
				break
			}
			at, _ := strconv.Atoi(row[:10])
			if want := fmt.Sprintf("%d 0 obj\n", i+1); !bytes.HasPrefix(data[at:], []byte(want)) {
				t.Errorf("object %d is at %q", i+1, data[at:at+10])
			}
		}
	})
}

func TestPDFDrawsInk(t *testing.T) {
	data := makePDF(t, []Sheet{{W: 50.8, H: 50.8, Items: []Item{
		&Path{Segments: Rect(10, 10, 10, 10), Fill: true, Color: Red},
		&Path{Segments: Rect(30, 10, 10, 10), Fill: true, Color: Black, Opacity: 0.5},
		&Image{Data: picture(t, "png", true).Data, MIME: "image/png", Matrix: Matrix{20, 0, 0, 15, 10, 30}},
		&Path{Segments: Rect(40, 30, 10, 10), Fill: true, Color: Red, Clip: Rect(0, 0, 45, 50)},
	}}}, PDFInfo{})
	raw := poppler(t, data, "pdftoppm", "-r", "50", "-png", "FILE")
	img, err := png.Decode(strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		x, y float64
		want color.RGBA
	}{
		{15, 15, color.RGBA{0xe6, 0, 0x12, 255}}, {35, 15, color.RGBA{127, 127, 127, 255}}, {5, 5, color.RGBA{255, 255, 255, 255}},
		{43, 35, color.RGBA{0xe6, 0, 0x12, 255}}, {47, 35, color.RGBA{255, 255, 255, 255}},
		{12, 31, color.RGBA{24, 16, 90, 255}}, {29, 44, color.RGBA{241, 239, 172, 255}},
	} {
		c := color.RGBAModel.Convert(img.At(int(tc.x/25.4*50), int(tc.y/25.4*50))).(color.RGBA)
		for _, d := range []int{int(c.R) - int(tc.want.R), int(c.G) - int(tc.want.G), int(c.B) - int(tc.want.B)} {
			if d < -14 || d > 14 {
				t.Errorf("at %g, %g mm %v, want %v", tc.x, tc.y, c, tc.want)
				break
			}
		}
	}
}

func TestPDFSharesLabels(t *testing.T) {
	set := fonts(t)
	label := textOf(t, set.Song, "名称年月")
	label.Label = true
	value := textOf(t, set.Song, "二年丙月")
	var asked string
	info := PDFInfo{Labels: func(f *Font, runes []rune) (*Subset, error) {
		asked = string(runes)
		return f.Subset(runes, "Labels")
	}}
	data := makePDF(t, []Sheet{{W: 100, H: 100, Items: []Item{label, value}}}, info)
	if asked != "名年月称" {
		t.Errorf("labels asked for: %q", asked)
	}
	if text := poppler(t, data, "pdftotext", "-raw", "FILE", "-"); strings.TrimSpace(text) != "名称年月二年丙月" && !strings.Contains(text, "二年丙月") {
		t.Errorf("text %q", text)
	}
	// What the label's font holds is not cut again: the other has two characters.
	for _, s := range streams(t, data) {
		if f, err := ParseFont(s); err == nil && f.Family() == "ELicenseText" && f.numGlyphs != 3 {
			t.Errorf("the values' font has %d glyphs", f.numGlyphs)
		}
	}
}

// streams unpacks the streams of a PDF.
func streams(t testing.TB, data []byte) [][]byte {
	t.Helper()
	var list [][]byte
	for _, m := range regexp.MustCompile(`/Filter/FlateDecode[^>]*/Length (\d+)>>stream\n`).FindAllSubmatchIndex(data, -1) {
		n, _ := strconv.Atoi(string(data[m[2]:m[3]]))
		r, err := zlib.NewReader(bytes.NewReader(data[m[1] : m[1]+n]))
		if err != nil {
			t.Fatal(err)
		}
		s, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, s)
	}
	return list
}

func TestPDFOfForeignGlyphs(t *testing.T) {
	set := fonts(t)
	x := textOf(t, set.Song, "照")
	x.Glyphs[0] = set.Song.Glyph('永') // a file may show another glyph than its text says
	data := makePDF(t, []Sheet{{W: 20, H: 20, Items: []Item{x}}}, PDFInfo{})
	if text := poppler(t, data, "pdftotext", "FILE", "-"); strings.Contains(text, "照") {
		t.Errorf("text %q", text)
	}
	if curves := bytes.Count(bytes.Join(streams(t, data), nil), []byte(" c\n")); curves < 5 {
		t.Errorf("%d curves", curves)
	}
}

func TestPDFRefuses(t *testing.T) {
	huge := picture(t, "png", false).Data
	copy(huge[16:24], []byte{0, 0, 0x70, 0, 0, 0, 0x70, 0}) // 28,672 pixels each way
	wide := picture(t, "jpeg", false).Data
	i := bytes.Index(wide, []byte{0xff, 0xc0})
	wide[i+5], wide[i+7] = 0xff, 0xff
	for _, tc := range []struct {
		name string
		item Item
		want error
	}{
		{"text without a font", &Text{Text: "x", Family: "SimSun"}, ErrPDFText},
		{"a BMP", &Image{MIME: "image/bmp", Data: []byte("BM")}, ErrPDFImage},
		{"a PNG of too many pixels", &Image{MIME: "image/png", Data: huge}, ErrPDFImage},
		{"a cut PNG", &Image{MIME: "image/png", Data: huge[:60]}, ErrPDFImage},
		{"a JPEG of too many pixels", &Image{MIME: "image/jpeg", Data: wide}, ErrPDFImage},
		{"no JPEG", &Image{MIME: "image/jpeg", Data: []byte("\xff\xd8\xff")}, ErrPDFImage},
	} {
		if _, err := PDF([]Sheet{{W: 10, H: 10, Items: []Item{tc.item}}}, PDFInfo{}); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
	}
	missing := textOf(t, fonts(t).Song, "x")
	missing.Text, missing.Glyphs = "\U000f0000", nil
	var glyph *MissingGlyphError
	if _, err := PDF([]Sheet{{Items: []Item{missing}}}, PDFInfo{}); !errors.As(err, &glyph) {
		t.Errorf("a character of no font: %v", err)
	}
	if _, err := PDF(nil, PDFInfo{}); err == nil {
		t.Error("no pages made a PDF")
	}
	if _, err := PDF([]Sheet{{}}, PDFInfo{Custom: [][2]string{{"a b", "x"}}}); err == nil {
		t.Error("a name with a blank was written")
	}
}

// preparedLabels keeps label fonts the way a maker of documents does.
func preparedLabels(f map[*Font]*Subset) func(*Font, []rune) (*Subset, error) {
	return func(font *Font, runes []rune) (*Subset, error) {
		if f[font] == nil {
			s, err := font.Subset(runes, "Labels")
			if err != nil {
				return nil, err
			}
			f[font] = s
		}
		return f[font], nil
	}
}

func TestPDFIsFrugal(t *testing.T) {
	pages, info := []Sheet{licensePage(t)}, pdfInfo
	info.Labels = preparedLabels(map[*Font]*Subset{})
	var data []byte
	allocs := testing.AllocsPerRun(20, func() { data = makePDF(t, pages, info) })
	if allocs > 400 || len(data) > 50<<10 {
		t.Errorf("%g allocations for %d bytes", allocs, len(data))
	}
	t.Logf("%d bytes, %g allocations", len(data), allocs)
}

func BenchmarkPDF(b *testing.B) {
	pages, info := []Sheet{licensePage(b)}, pdfInfo
	info.Labels = preparedLabels(map[*Font]*Subset{})
	b.ReportAllocs()
	for b.Loop() {
		data := makePDF(b, pages, info)
		b.ReportMetric(float64(len(data)), "bytes")
	}
}

func BenchmarkSVG(b *testing.B) {
	page := licensePage(b)
	b.ReportAllocs()
	for b.Loop() {
		b.ReportMetric(float64(len(page.SVG())), "bytes")
	}
}
