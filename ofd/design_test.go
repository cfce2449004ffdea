package ofd

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"

	"elicense/sheet"
	"elicense/sheet/sheettest"

	"github.com/google/go-cmp/cmp"
)

// border is a wreath of n curves, as on the paper of licenses.
func border(n int) *sheet.Path {
	p := &sheet.Path{Stroke: true, Width: 0.1, Color: sheet.Red}
	at := func(i int, r float64) sheet.Point {
		sin, cos := math.Sincos(2 * math.Pi * float64(i) / float64(3*n))
		return sheet.Point{X: 105 + r*cos, Y: 148 + r*sin}
	}
	p.Segments = append(p.Segments, sheet.Segment{Op: sheet.Move, P: [3]sheet.Point{at(0, 90)}})
	for i := range n {
		p.Segments = append(p.Segments, sheet.Segment{Op: sheet.Cubic, P: [3]sheet.Point{at(3*i+1, 95), at(3*i+2, 85), at(3*i+3, 90)}})
	}
	return p
}

const emblem = "\x89PNG\r\n\x1a\nan emblem"

// designed is a document of a design with a page and as many continuation pages
// as told, made anew with every call.
func designed(t testing.TB, d *Design, holder string, more int) *Document {
	set := sheettest.Fonts(t)
	image := func(x float64) *sheet.Image {
		return &sheet.Image{Data: []byte(emblem), MIME: "image/png", Matrix: sheet.Matrix{20, 0, 0, 20, x, 10}}
	}
	first := sheet.Sheet{W: 210, H: 297, Fixed: 5, Items: []sheet.Item{
		border(300), image(10), run(set.Song, "食品经营许可证", "", 60, 30), run(set.Hei, "名称", "", 20, 50), image(40),
		run(set.Song, holder, "holder_name", 50, 50), image(80), run(set.Song, "许可证", "type", 50, 60),
	}}
	doc := &Document{Title: "t", Creator: "elicense", Pages: []sheet.Sheet{first}, Design: d}
	for range more {
		doc.Pages = append(doc.Pages, sheet.Sheet{W: 297, H: 210, Fixed: 2, Items: []sheet.Item{
			run(set.Hei, "续页", "", 20, 20), image(10), run(set.Song, holder, "more", 20, 40),
		}})
	}
	return doc
}

func write(t testing.TB, d *Document) *Package {
	t.Helper()
	p, err := Write(d)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func entry(p *Package, name string) *Blob {
	for _, e := range p.Entries {
		if e.Name == name {
			return e.Blob
		}
	}
	return nil
}

func TestDesign(t *testing.T) {
	var d Design
	one, two := write(t, designed(t, &d, "榕荫里小吃店", 0)), write(t, designed(t, &d, "东街口面馆", 0))
	t.Run("documents share what is fixed", func(t *testing.T) {
		shared := 0
		for _, e := range one.Entries {
			if strings.HasPrefix(e.Name, "Doc_0/Tpls/") || strings.HasPrefix(e.Name, "Doc_0/Res/") {
				if entry(two, e.Name) == e.Blob {
					shared++
				}
			}
		}
		if shared != 4 { // the template page, two label fonts, the emblem
			t.Errorf("%d files are shared", shared)
		}
		if page := entry(two, "Doc_0/Pages/Page_0/Content.xml").Data; len(page) > 1500 || bytes.Contains(page, []byte("名称")) {
			t.Errorf("the page has %d bytes: %s", len(page), page)
		}
	})
	t.Run("an image is one file, wherever it stands", func(t *testing.T) {
		n := 0
		for _, e := range write(t, designed(t, &d, "店", 2)).Entries {
			if bytes.Equal(e.Data, []byte(emblem)) {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d files", n)
		}
	})
	t.Run("read back, pages draw the same", func(t *testing.T) {
		doc := designed(t, &d, "榕荫里小吃店", 1)
		f, err := Open(write(t, doc).Bytes())
		if err != nil {
			t.Fatal(err)
		}
		pages, err := f.Pages()
		if err != nil || len(pages) != 2 {
			t.Fatalf("%d pages, %v", len(pages), err)
		}
		for i, p := range pages {
			if diff := cmp.Diff(drawn(&doc.Pages[i]), drawn(p.Sheet)); diff != "" {
				t.Errorf("page %d (-written +read):\n%s", i, diff)
			}
		}
		tags, err := f.Tags()
		if want := "[{holder_name 榕荫里小吃店} {type 许可证} {more 榕荫里小吃店}]"; err != nil || fmt.Sprint(tags) != want {
			t.Errorf("Tags = %v, %v, want %s", tags, err, want)
		}
	})
	t.Run("values the labels' font holds are set in it", func(t *testing.T) {
		page := string(entry(write(t, designed(t, &d, "食品证", 0)), "Doc_0/Pages/Page_0/Content.xml").Data)
		if strings.Count(page, `Font="1"`) != 2 {
			t.Errorf("page = %s", page)
		}
	})
	t.Run("labels that move are cut once too", func(t *testing.T) {
		moving := func(holder string) *Document {
			doc := designed(t, &d, holder, 0)
			l := run(sheettest.Fonts(t).Kai, "备注", "", 20, 70+float64(len(holder)))
			l.Label = true
			doc.Pages[0].Items = append(doc.Pages[0].Items, l)
			return doc
		}
		a, b := write(t, moving("甲")), write(t, moving("乙丙丁"))
		if f := entry(a, "Doc_0/Res/font_3.ttf"); f == nil || f != entry(b, "Doc_0/Res/font_3.ttf") {
			t.Error("the font of labels outside of the template is not shared")
		}
	})
	t.Run("what came before makes no difference", func(t *testing.T) {
		for more := range 3 {
			var fresh Design
			a, b := write(t, designed(t, &fresh, "东街口面馆", more)).Bytes(), write(t, designed(t, &d, "东街口面馆", more)).Bytes()
			if !bytes.Equal(a, b) {
				t.Errorf("%d continuation pages: bytes differ", more)
			}
		}
	})
	t.Run("another ground is another template", func(t *testing.T) {
		for name, edit := range map[string]func(*sheet.Sheet){
			"text":     func(s *sheet.Sheet) { s.Items[3] = run(sheettest.Fonts(t).Hei, "姓名", "", 20, 50) },
			"place":    func(s *sheet.Sheet) { s.Items[3].(*sheet.Text).X++ },
			"curve":    func(s *sheet.Sheet) { s.Items[0].(*sheet.Path).Segments[9].P[1].X++ },
			"image":    func(s *sheet.Sheet) { s.Items[1].(*sheet.Image).Data = []byte(emblem + ".") },
			"size":     func(s *sheet.Sheet) { s.W++ },
			"fewer":    func(s *sheet.Sheet) { s.Fixed-- },
			"boldness": func(s *sheet.Sheet) { s.Items[2].(*sheet.Text).Bold = 1 },
		} {
			doc := designed(t, &d, "榕荫里小吃店", 0)
			edit(&doc.Pages[0])
			if entry(write(t, doc), "Doc_0/Tpls/Tpl_0/Content.xml") == entry(one, "Doc_0/Tpls/Tpl_0/Content.xml") {
				t.Errorf("%s: the template is that of another ground", name)
			}
		}
	})
	t.Run("IDs are unique and below the highest", func(t *testing.T) {
		pkg := write(t, designed(t, &d, "榕荫里小吃店", 2))
		seen, highest := map[string]bool{}, ""
		for _, e := range pkg.Entries {
			if !strings.HasSuffix(e.Name, ".xml") || strings.Contains(e.Name, "Tags") {
				continue
			}
			tree, err := ParseXML(e.Data)
			if err != nil {
				t.Fatal(err)
			}
			var walk func(*Element)
			walk = func(x *Element) {
				// A template page and a page are named by the document and nowhere else.
				if id := x.Attr("ID"); id != "" {
					if seen[id] {
						t.Errorf("%s: ID %s again", e.Name, id)
					}
					seen[id] = true
				}
				if x.Name == "MaxUnitID" {
					highest = x.Value()
				}
				for _, c := range x.Children {
					walk(c)
				}
			}
			walk(tree)
		}
		if highest != fmt.Sprint(len(seen)) {
			t.Errorf("%d IDs, the highest is %s", len(seen), highest)
		}
	})
	t.Run("a fixed value is refused", func(t *testing.T) {
		doc := designed(t, &d, "榕荫里小吃店", 0)
		doc.Pages[0].Items[3].(*sheet.Text).Tag = "holder_name"
		if _, err := Write(doc); err == nil {
			t.Error("it was written")
		}
		doc = designed(t, &d, "榕荫里小吃店", 0)
		doc.Pages[0].Fixed = 99
		if _, err := Write(doc); err == nil {
			t.Error("more fixed items than items were written")
		}
	})
	t.Run("many at once", func(t *testing.T) {
		var fresh Design
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				if _, err := Write(designed(t, &fresh, "榕荫里小吃店", i%3)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
}

// A border of many curves is compared by its address and costs nothing more.
func TestFixedItemsCostNothing(t *testing.T) {
	var d Design
	plain, rich := designed(t, &d, "榕荫里小吃店", 0), designed(t, new(Design), "榕荫里小吃店", 0)
	plain.Pages[0].Items[0] = border(1)
	rich.Pages[0].Items[0] = border(5000)
	digest := func(b []byte) (sum [32]byte) { return sha256.Sum256(b) }
	cost := func(doc *Document) float64 {
		return testing.AllocsPerRun(20, func() {
			p := write(t, doc)
			for _, e := range p.Entries {
				e.Digest(digest)
			}
			p.Bytes()
		})
	}
	if a, b := cost(plain), cost(rich); b > a+2 || a > 90 {
		t.Errorf("%g allocations with a plain border, %g with a rich one", a, b)
	}
	digested := 0
	for _, e := range write(t, rich).Entries {
		e.Digest(func(b []byte) [32]byte { digested += len(b); return digest(b) })
	}
	if digested > 12_000 {
		t.Errorf("%d bytes are digested for one document", digested)
	}
}
