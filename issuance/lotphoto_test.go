package issuance_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"elicense"
	"elicense/access"
	"elicense/catalog"
	"elicense/e2e/world"
	"elicense/issuance"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// photograph is a noisy picture, which does not get small by itself.
func photograph(t testing.TB, w, h int, kind string) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, w, h))
	noise := rand.New(rand.NewPCG(1, 2))
	for i := 0; i < len(img.Pix); i += 4 {
		v := uint8(noise.IntN(256))
		img.Pix[i], img.Pix[i+1], img.Pix[i+2], img.Pix[i+3] = v, v, v/2, 255
	}
	img.Set(0, 0, color.White)
	var b bytes.Buffer
	if kind == "png" {
		must(t, png.Encode(&b, img))
	} else {
		must(t, jpeg.Encode(&b, img, nil))
	}
	return b.Bytes()
}

func archive(t testing.TB, files ...any) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(files); i += 2 {
		name := files[i].(string)
		h := &zip.FileHeader{Name: name, Method: zip.Deflate}
		if s, err := simplifiedchinese.GB18030.NewEncoder().String(name); err == nil && s != name {
			h.Name, h.NonUTF8 = s, true // as Windows packs it
		}
		w, err := z.CreateHeader(h)
		must(t, err)
		_, err = w.Write(files[i+1].([]byte))
		must(t, err)
	}
	must(t, z.Close())
	return b.Bytes()
}

const badge elicense.TypeCode = "11350102FJDEM0275F012"

// teachers is a table of n badges with photographs named after the row.
func teachers(n int, edit func(row int, cells []string)) string {
	var b strings.Builder
	b.WriteString("办件编号,名称,统一社会信用代码,证号,照片\r\n")
	for i := 1; i <= n; i++ {
		cells := []string{fmt.Sprintf("证%04d", i), world.Firm.Name, world.Firm.Code, fmt.Sprintf("B%04d", i), fmt.Sprintf("照片/%04d.JPG", i)}
		if edit != nil {
			edit(i, cells)
		}
		b.WriteString(strings.Join(cells, ",") + "\r\n")
	}
	return b.String()
}

// TestPhotographsComeByZip (Art. 7(3)): rows name their photographs, which come in
// archives afterwards; a row whose photograph is there stands, the others wait or
// are told.
func TestPhotographsComeByZip(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		c := world.FoodType()
		c.Code, c.Name = badge, "从业证"
		c.Fields = []catalog.Field{
			{Key: "holder_name", Label: "名称", Type: "string", Required: true, Class: access.Open},
			{Key: "uscc", Label: "统一社会信用代码", Type: "uscc", Required: true, Class: access.Open},
			{Key: "no", Label: "证号", Type: "string", Required: true, Class: access.Open},
			{Key: "photo", Label: "照片", Type: "image", Required: true, Class: access.Personal},
		}
		c.Roles = catalog.Roles{HolderName: "holder_name", HolderCode: "uscc", Number: "no"}
		c.Face, c.Validity = catalog.DefaultFace(c.Name, c.Fields), catalog.Validity{Kind: "none", Text: "长期"}
		must(t, w.Catalog.Propose(ctx, w.Drafter, c))
		must(t, w.Catalog.Decide(ctx, w.Admin, badge, 1, true, ""))

		l, err := w.Issuer.ReadLot(ctx, w.Drafter, issuance.LotFile{
			Type: badge, Closed: elicense.DateOf(w.Clock.Now()), Name: "从业证.csv", Content: strings.NewReader(teachers(6, func(i int, cells []string) {
				switch i {
				case 5:
					cells[4] = ""
				case 6:
					cells[2] = "123"
				}
			})),
		})
		must(t, err)
		if l.Rows != 0 || l.Bad != 6 {
			t.Fatalf("%d good rows and %d bad ones before a photograph came", l.Rows, l.Bad)
		}
		if l.Photos != 4 {
			t.Errorf("%d rows wait for photographs only", l.Photos)
		}
		l, unused, err := w.Issuer.LotPhotos(ctx, w.Drafter, l.ID, archive(t,
			"第一批/0001.jpg", photograph(t, 120, 160, "jpeg"), "第一批/0002.jpg", photograph(t, 900, 1200, "png"), "第一批/0003.jpg", []byte("no picture"),
			"第一批/9999.jpg", photograph(t, 30, 40, "png"), "__MACOSX/._0001.jpg", []byte("x")))
		must(t, err)
		if l.Rows != 2 || l.Bad != 4 || !slices.Equal(unused, []string{"9999.jpg"}) {
			t.Errorf("%d good rows, %d bad ones, %v not asked for", l.Rows, l.Bad, unused)
		}
		var bad bytes.Buffer
		must(t, w.Issuer.BadRows(ctx, w.Drafter, l.ID, true, &bad))
		for _, want := range []string{"0003.JPG”不是能用的JPG或PNG图片", "照片“照片/0004.JPG”还没有上传", "照片：要填照片的文件名", "统一社会信用代码"} {
			if !strings.Contains(bad.String(), want) {
				t.Errorf("the bad rows do not say %q:\n%s", want, bad.String())
			}
		}
		if l, _, err = w.Issuer.LotPhotos(ctx, w.Drafter, l.ID, archive(t, "0004.jpg", photograph(t, 60, 80, "png"))); err != nil || l.Rows != 3 {
			t.Errorf("after the second archive: %v, %v", l, err)
		}
		must(t, w.Issuer.SubmitLot(ctx, w.Drafter, l.ID, "新发"))
		approve(t, w, l.ID)
		l = settled(t, w, l.ID, issuance.LotDone)
		if l.Made != 3 || l.Stopped != 0 {
			t.Errorf("%d made, %d stopped", l.Made, l.Stopped)
		}
		w.Fsck(t)
	})
}

// TestHostileArchives: what is no archive, lies about its sizes or holds a name
// twice is refused in one sentence.
func TestHostileArchives(t *testing.T) {
	w := world.OnSQLite(t)
	l, err := readLot(t, w, vehicles(20, nil), "")
	must(t, err)
	small := photograph(t, 30, 40, "png")
	bomb := archive(t, "a.png", bytes.Repeat([]byte{0}, 9<<20))
	for name, data := range map[string][]byte{
		"text": []byte("no archive"), "two of a name": archive(t, "a/1.png", small, "b/1.png", small), "cut short": archive(t, "1.png", small)[:60],
	} {
		if _, _, err := w.Issuer.LotPhotos(t.Context(), w.Drafter, l.ID, data); !elicense.IsKind(err, elicense.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := w.Issuer.LotPhotos(t.Context(), w.Drafter, l.ID, bomb); err != nil {
		t.Errorf("what no row asks for is not unpacked: %v", err)
	}
	if _, _, err := w.Issuer.LotPhotos(t.Context(), w.Drafter, l.ID, make([]byte, issuance.MaxPhotos+1)); !elicense.IsKind(err, elicense.TooLarge) {
		t.Errorf("too large: %v", err)
	}
}
