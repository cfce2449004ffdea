package ofd

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"elicense/sheet"
	"elicense/sheet/sheettest"

	"github.com/google/go-cmp/cmp"
)

func run(f *sheet.Font, s, tag string, x, y float64) *sheet.Text {
	t := &sheet.Text{Font: f, Text: s, Size: 5, X: x, Y: y, Color: sheet.Ink, Tag: tag, Label: tag == ""}
	for _, r := range s {
		g := f.Glyph(r)
		t.Glyphs = append(t.Glyphs, g)
		t.Advances = append(t.Advances, 5*f.Advance(g))
	}
	return t
}

func testDocument(t testing.TB) *Document {
	set := sheettest.Fonts(t)
	turned := run(set.Hei, "样张", "", 0, 0)
	turned.Matrix = &sheet.Matrix{0.866, -0.5, 0.5, 0.866, 105, 148}
	title := run(set.Song, "营业执照", "", 80, 25)
	title.Bold, title.Opacity = 0.4, 0.8
	return &Document{
		ID: [16]byte{1, 2, 3}, Title: `营业执照 <&">`, Date: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC), Creator: "elicense",
		Custom: []Pair{{"ZZMC", "营业执照"}, {"CZZT", `甲 & 乙 <有限公司>`}, {"ZZMC", "again"}},
		Pages: []sheet.Sheet{{W: 210, H: 297, Items: []sheet.Item{
			turned, title,
			run(set.Hei, "名称", "", 20, 40),
			run(set.Song, "福州市鼓楼区甲 & 乙<店>", "holder_name", 50, 40),
			run(set.Rare, "𰻝𰻝面", "holder_name", 110, 40),
			run(set.Song, "2026年01月14日", "issue_date", 50, 60),
			&sheet.Path{Segments: sheet.Rect(10, 10, 190, 277), Stroke: true, Width: 0.5, Color: sheet.Red},
			&sheet.Path{Segments: sheet.Circle(100, 200, 20), Fill: true, EvenOdd: true, Color: sheet.Black},
			&sheet.Image{Data: []byte("\x89PNG\r\n\x1a\nnot really"), MIME: "image/png", Matrix: sheet.Matrix{30, 0, 0, 30, 150, 30}},
		}}, {W: 297, H: 210, Items: []sheet.Item{run(set.Song, "第二页", "page", 20, 20)}}},
		Attachments: []Attachment{{Name: "data", Format: "xml", Data: []byte("<data/>")}},
	}
}

func TestWriteAndReadBack(t *testing.T) {
	d := testDocument(t)
	pkg, err := Write(d)
	if err != nil {
		t.Fatal(err)
	}
	data := pkg.Bytes()
	f, err := Open(data)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("any ZIP reader opens it", func(t *testing.T) {
		z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		for i, e := range z.File {
			r, err := e.Open()
			if err != nil {
				t.Fatal(err)
			}
			content, err := io.ReadAll(r)
			if err != nil || !bytes.Equal(content, pkg.Entries[i].Data) {
				t.Errorf("%s differs: %v", e.Name, err)
			}
		}
	})
	t.Run("metadata keep their order", func(t *testing.T) {
		b := f.Bodies[0]
		if b.ID != "01020300000000000000000000000000" || b.Title != d.Title || b.Date != "2026-03-02" || !reflect.DeepEqual(b.Custom, d.Custom) {
			t.Errorf("body = %+v", b)
		}
	})
	t.Run("tags lead to the values", func(t *testing.T) {
		tags, err := f.Tags()
		want := []Pair{{"holder_name", "福州市鼓楼区甲 & 乙<店>𰻝𰻝面"}, {"issue_date", "2026年01月14日"}, {"page", "第二页"}}
		if err != nil || !reflect.DeepEqual(tags, want) {
			t.Errorf("Tags = %v, %v, want %v", tags, err, want)
		}
	})
	t.Run("pages read back draw the same", func(t *testing.T) {
		pages, err := f.Pages()
		if err != nil || len(pages) != 2 {
			t.Fatalf("%d pages, %v", len(pages), err)
		}
		for i, p := range pages {
			if diff := cmp.Diff(drawn(&d.Pages[i]), drawn(p.Sheet)); diff != "" {
				t.Errorf("page %d (-written +read):\n%s", i, diff)
			}
		}
	})
	t.Run("labels and values are in fonts of their own", func(t *testing.T) {
		var n int
		for _, e := range f.Entries {
			if strings.HasSuffix(e.Name, ".ttf") {
				n++
			}
		}
		if n != 4 { // Hei labels, Song labels, Song values, rare values
			t.Errorf("%d fonts", n)
		}
	})
	t.Run("the same document gives the same bytes", func(t *testing.T) {
		again, err := Write(testDocument(t))
		if err != nil || !bytes.Equal(again.Bytes(), data) {
			t.Errorf("bytes differ, %v", err)
		}
	})
}

// drawn lists what a page shows, to a thousandth of a millimetre.
func drawn(s *sheet.Sheet) []string {
	list := []string{fmt.Sprintf("page %.3f %.3f", s.W, s.H)}
	for _, it := range s.Items {
		switch it := it.(type) {
		case *sheet.Text:
			outline := 0
			for _, g := range it.Glyphs {
				for _, seg := range it.Font.Outline(g) { // files have fewer points, not fewer contours
					if seg.Op == sheet.Move {
						outline++
					}
				}
			}
			adv := it.Advances[:min(len(it.Advances), len(it.Glyphs)-1)] // the last one is not written
			list = append(list, fmt.Sprintf("text %q %d contours at %.3f %.3f size %.3f %v bold %.3f opacity %.1f %.2f %v", it.Text, outline, it.X, it.Y, it.Size, it.Color, it.Bold, it.Opacity, adv, it.Matrix))
		case *sheet.Path:
			list = append(list, fmt.Sprintf("path %s %v %v %v %.3f %v", appendSegments(nil, it.Segments), it.Fill, it.EvenOdd, it.Stroke, it.Width*b2f(it.Stroke), it.Color))
		case *sheet.Image:
			list = append(list, fmt.Sprintf("image %v %q %s", it.Matrix, it.Data, it.MIME))
		}
	}
	return list
}

func b2f(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func TestPreparedLabelsAreShared(t *testing.T) {
	set := sheettest.Fonts(t)
	label, err := PrepareFont(set.Hei, []rune("名样称张"), "Labels")
	if err != nil {
		t.Fatal(err)
	}
	d := testDocument(t)
	d.Pages[0].Items[1].(*sheet.Text).Label = false
	d.Labels = func(f *sheet.Font, runes []rune) (*PreparedFont, error) {
		if f != set.Hei || string(runes) != "名张样称" {
			t.Errorf("labels asked for: %q", string(runes))
		}
		return label, nil
	}
	pkg, err := Write(d)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range pkg.Entries {
		if e.Blob == label.Blob {
			return
		}
	}
	t.Error("the prepared font is not in the package")
}

func TestWriteRefuses(t *testing.T) {
	for name, edit := range map[string]func(*Document){
		"no pages":               func(d *Document) { d.Pages = nil },
		"a tag that is no name":  func(d *Document) { d.Pages[0].Items[3].(*sheet.Text).Tag = "a b" },
		"a clipped object":       func(d *Document) { d.Pages[0].Items[3].(*sheet.Text).Clip = sheet.Rect(0, 0, 1, 1) },
		"a text without a font":  func(d *Document) { d.Pages[0].Items[3].(*sheet.Text).Font = nil },
		"a character of no font": func(d *Document) { d.Pages[0].Items[3].(*sheet.Text).Text = "\U000f1234" },
	} {
		d := testDocument(t)
		edit(d)
		if _, err := Write(d); err == nil {
			t.Errorf("%s was written", name)
		}
	}
}

const minimalOFD = `<ofd:OFD xmlns:ofd="http://www.ofdspec.org/2016"><ofd:DocBody><ofd:DocRoot>D.xml</ofd:DocRoot></ofd:DocBody></ofd:OFD>`

// zipOf makes a package with a standard ZIP writer, name after content.
func zipOf(t testing.TB, files ...string) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for i := 0; i < len(files); i += 2 {
		e, err := w.Create(files[i])
		if err == nil {
			_, err = io.WriteString(e, files[i+1])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestOpenRefuses(t *testing.T) {
	good := zipOf(t, "OFD.xml", minimalOFD, "D.xml", "<D/>")
	if _, err := Open(good); err != nil {
		t.Fatal(err)
	}
	patched := func(data []byte, at int, v byte) []byte {
		data = bytes.Clone(data)
		data[at] = v
		return data
	}
	central := bytes.Index(good, []byte("PK\x01\x02"))
	manyFiles := []string{"OFD.xml", minimalOFD}
	for i := range MaxEntries {
		manyFiles = append(manyFiles, fmt.Sprintf("f%d", i), "")
	}
	bomb := make([]byte, MaxInflated/2+1)
	for _, tc := range []struct {
		name string
		data []byte
		want error
	}{
		{"nothing", nil, ErrNotPackage},
		{"text", []byte(strings.Repeat("not a ZIP file ", 10)), ErrNotPackage},
		{"cut at the end", good[:len(good)-1], ErrNotPackage},
		{"bytes before", append([]byte("%PDF-1.7\n"), good...), ErrSurplus},
		{"bytes after", append(bytes.Clone(good), "junk"...), ErrNotPackage},
		{"no OFD.xml", zipOf(t, "D.xml", "<D/>"), ErrNotPackage},
		{"another root element", zipOf(t, "OFD.xml", "<html/>"), ErrNotPackage},
		{"no DocRoot", zipOf(t, "OFD.xml", "<OFD><DocBody/></OFD>"), ErrName},
		{"DocRoot outside", zipOf(t, "OFD.xml", "<OFD><DocBody><DocRoot>../../etc/passwd</DocRoot></DocBody></OFD>"), ErrName},
		{"parent folder", zipOf(t, "OFD.xml", minimalOFD, "../x", "x"), ErrName},
		{"parent folder inside", zipOf(t, "OFD.xml", minimalOFD, "a/../x", "x"), ErrName},
		{"absolute name", zipOf(t, "OFD.xml", minimalOFD, "/x", "x"), ErrName},
		{"drive", zipOf(t, "OFD.xml", minimalOFD, "c:/x", "x"), ErrName},
		{"backslash", zipOf(t, "OFD.xml", minimalOFD, `a\x`, "x"), ErrName},
		{"control character", zipOf(t, "OFD.xml", minimalOFD, "a\nx", "x"), ErrName},
		{"one name twice", zipOf(t, "OFD.xml", minimalOFD, "a", "1", "a", "2"), ErrDuplicate},
		{"one name in two cases", zipOf(t, "OFD.xml", minimalOFD, "ofd.XML", "2"), ErrDuplicate},
		{"too many entries", zipOf(t, manyFiles...), ErrTooLarge},
		{"a bomb", zipOf(t, "OFD.xml", minimalOFD, "a", string(bomb), "b", string(bomb)), ErrTooLarge},
		{"a large XML file", zipOf(t, "OFD.xml", minimalOFD+strings.Repeat(" ", MaxXML)), ErrTooLarge},
		{"deep XML", zipOf(t, "OFD.xml", strings.Repeat("<OFD>", MaxDepth+1)+strings.Repeat("</OFD>", MaxDepth+1)), ErrTooLarge},
		{"very many elements", zipOf(t, "OFD.xml", "<OFD>"+strings.Repeat("<a/>", maxNodes)+"</OFD>"), ErrTooLarge},
		{"broken XML", zipOf(t, "OFD.xml", "<OFD><DocBody></OFD>"), ErrXML},
		{"a document type", zipOf(t, "OFD.xml", `<!DOCTYPE OFD [<!ENTITY a "b">]>`+minimalOFD), ErrXML},
		{"an entity", zipOf(t, "OFD.xml", strings.Replace(minimalOFD, "D.xml", "&xxe;", 1)), ErrXML},
		{"an attribute twice", zipOf(t, "OFD.xml", `<OFD a="1" a="2"/>`), ErrXML},
		{"not UTF-8", zipOf(t, "OFD.xml", "<OFD>\xff</OFD>"), ErrXML},
		{"headers that disagree on the name", patched(good, 30, 'X'), ErrDamaged},
		{"headers that disagree on the method", patched(good, central+10, 0), ErrDamaged},
		{"wrong checksum", patched(good, central+16, good[central+16]^1), ErrDamaged},
		{"a lie about the size", patched(good, central+26, 0xff), ErrDamaged},
		{"encrypted", patched(good, central+8, good[central+8]|1), ErrDamaged},
		{"unknown method", patched(patched(good, central+10, 99), 8, 99), ErrDamaged},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := Open(tc.data); !errors.Is(err, tc.want) {
				t.Errorf("Open = %v, want %v", err, tc.want)
			}
		})
	}
	t.Run("every cut and every flipped bit, without a crash", func(t *testing.T) {
		for i := range good {
			Open(good[:i])
			Open(patched(good, i, good[i]^0x10))
		}
	})
	t.Run("entries that share their bytes", func(t *testing.T) {
		data := bytes.Clone(good)
		second := central + bytes.Index(data[central+4:], []byte("PK\x01\x02")) + 4
		binary.LittleEndian.PutUint32(data[second+42:], 0)
		if _, err := Open(data); err == nil {
			t.Error("two entries at one place were accepted")
		}
	})
}

func TestResolve(t *testing.T) {
	for _, tc := range []struct{ from, loc, want string }{
		{"OFD.xml", "Doc_0/Document.xml", "Doc_0/Document.xml"},
		{"Doc_0/Document.xml", "Pages/Page_0/Content.xml", "Doc_0/Pages/Page_0/Content.xml"},
		{"Doc_0/Signs/Sign_0/Signature.xml", "../../Document.xml", "Doc_0/Document.xml"},
		{"Doc_0/Document.xml", "/Doc_0/x", "Doc_0/x"},
		{"Doc_0/Document.xml", "./x", "Doc_0/x"},
		{"Doc_0/Document.xml", "../../x", ""},
		{"OFD.xml", "..", ""},
		{"OFD.xml", "/", ""},
		{"OFD.xml", "", ""},
		{"OFD.xml", `a\b`, ""},
	} {
		got, err := Resolve(tc.from, tc.loc)
		if got != tc.want || (err == nil) != (tc.want != "") {
			t.Errorf("Resolve(%q, %q) = %q, %v, want %q", tc.from, tc.loc, got, err, tc.want)
		}
	}
}

func TestParseXML(t *testing.T) {
	e, err := ParseXML([]byte("\ufeff<?xml version='1.0'?><!-- c --><o:a xmlns:o='u' k = \"1 &lt; &#x4E2D;\"><b>x<![CDATA[<y>]]>&amp;z</b>\n<:b xmlns:=\"\"/></o:a>\n"))
	if err != nil {
		t.Fatal(err)
	}
	if e.Name != "a" || e.Attr("k") != "1 < 中" || e.Child("b").Text != "x<y>&z" || len(e.All("b")) != 2 || len(e.Attrs) != 1 {
		t.Errorf("element = %+v", e)
	}
	var none *Element
	if none.Child("x").Attr("y") != "" || none.All("x") != nil || none.Value() != "" {
		t.Error("a missing element has something")
	}
}

// pageOf is a package with one page of the given objects.
func pageOf(t testing.TB, objects string) []byte {
	return zipOf(t, "OFD.xml", minimalOFD,
		"D.xml", `<Document><CommonData><PublicRes>R.xml</PublicRes></CommonData><Pages><Page ID="1" BaseLoc="P.xml"/></Pages></Document>`,
		"R.xml", `<Res BaseLoc="Res"><Fonts><Font ID="2" FontName="SimSun"/></Fonts></Res>`,
		"P.xml", `<Page><Content><Layer ID="3">`+objects+`</Layer></Content></Page>`)
}

func TestHostilePages(t *testing.T) {
	text := `<TextObject ID="4" Boundary="0 0 9 9" Font="2" Size="4">%s<TextCode X="0" Y="4" DeltaX="%s">一二三</TextCode></TextObject>`
	for _, tc := range []struct{ name, objects string }{
		{"a huge count of codes", fmt.Sprintf(text, `<CGTransform CodePosition="0" CodeCount="2000000000" GlyphCount="2000000000"><Glyphs>1 2</Glyphs></CGTransform>`, "4 4")},
		{"a position beyond the text", fmt.Sprintf(text, `<CGTransform CodePosition="99"><Glyphs>1 2</Glyphs></CGTransform>`, "4 4")},
		{"a huge run of advances", fmt.Sprintf(text, "", "g 2000000000 4")},
		{"a negative run", fmt.Sprintf(text, "", "g -5 4")},
		{"advances that are no numbers", fmt.Sprintf(text, "", "g g NaN 1e999 x")},
		{"a path of no sense", `<PathObject ID="4" Boundary="x"><AbbreviatedData>M 1 Q A 1 2 3 B L C C 1 Z</AbbreviatedData></PathObject>`},
		{"arcs without extent", `<PathObject ID="4" Boundary="0 0 9 9"><AbbreviatedData>M 0 0 A 0 0 0 0 0 1 1 A 1 1 0 1 1 0 0 A 1e300 1 0 1 1 1 1</AbbreviatedData></PathObject>`},
		{"an image of nothing", `<ImageObject ID="4" Boundary="0 0 1 1" ResourceID="77"/>`},
		{"an unknown font", `<TextObject ID="4" Boundary="0 0 9 9" Font="88" Size="4"><TextCode>一</TextCode></TextObject>`},
		{"a huge size", `<TextObject ID="4" Boundary="0 0 9 9" Font="2" Size="1e9"><TextCode>一</TextCode></TextObject>`},
		{"blocks in blocks", strings.Repeat("<PageBlock>", 50) + strings.Repeat("</PageBlock>", 50)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f, err := Open(pageOf(t, tc.objects))
			if err != nil {
				t.Fatal(err)
			}
			pages, err := f.Pages()
			if err != nil {
				t.Fatal(err)
			}
			if svg := pages[0].Sheet.SVG(); len(svg) > 4096 || bytes.Contains(svg, []byte("NaN")) {
				t.Errorf("%d bytes: %.200s", len(svg), svg)
			}
		})
	}
}

func TestPagesOutOfProportion(t *testing.T) {
	page := func(n int) string { return strings.Repeat(`<Page ID="1" BaseLoc="P.xml"/>`, n) }
	picture := "\x89PNG\r\n\x1a\n" + strings.Repeat("x", 1<<20)
	for _, tc := range []struct{ name, pages, objects string }{
		{"very many pages", page(maxPages + 1), ""},
		{"one large page many times", page(400), `<PathObject Boundary="0 0 9 9"><AbbreviatedData>` + strings.Repeat("L 1 1 ", 1000) + `</AbbreviatedData></PathObject>`},
		{"one large image many times", page(40), `<ImageObject Boundary="0 0 9 9" ResourceID="5"/>`},
		{"one long text many times", page(40), `<TextObject Boundary="0 0 9 9" Font="2" Size="4"><TextCode>` + strings.Repeat("一", 10_000) + `</TextCode></TextObject>`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f, err := Open(zipOf(t, "OFD.xml", minimalOFD, "Res/i.png", picture,
				"D.xml", `<Document><CommonData><PublicRes>R.xml</PublicRes></CommonData><Pages>`+tc.pages+`</Pages></Document>`,
				"R.xml", `<Res BaseLoc="Res"><MultiMedias><MultiMedia ID="5" Type="Image"><MediaFile>i.png</MediaFile></MultiMedia></MultiMedias></Res>`,
				"P.xml", `<Page><Content><Layer ID="3">`+tc.objects+`</Layer></Content></Page>`))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.Pages(); !errors.Is(err, ErrTooLarge) {
				t.Errorf("Pages = %v, want %v", err, ErrTooLarge)
			}
		})
	}
}

func TestRunLengthAdvances(t *testing.T) {
	for s, want := range map[string][]float64{
		"g 5 2":         {2, 2, 2, 2, 2},
		"3.1 g 2 1.5 4": {3.1, 1.5, 1.5, 4},
		"1 2 3":         {1, 2, 3},
		"1 2 3 4 5 6 7": {1, 2, 3, 4, 5},
	} {
		if got := deltas(s, 5); !reflect.DeepEqual(got, want) {
			t.Errorf("deltas(%q) = %v, want %v", s, got, want)
		}
	}
	if got := string(appendDeltas(nil, []float64{3.1, 1.5, 1.5, 1.5, 4, 4})); got != "3.1 g 3 1.5 4 4" {
		t.Errorf("appendDeltas = %q", got)
	}
}

func TestArc(t *testing.T) {
	// Half a circle of radius 10 around (10, 0), the upper one on the page.
	segs := segments("M 0 0 A 10 10 0 0 1 20 0", 0, 0)
	if len(segs) != 3 {
		t.Fatalf("%d segments, want a move and two quarter turns", len(segs))
	}
	if top := segs[1].P[2]; cmp.Diff(fmt.Sprintf("%.3f %.3f", top.X, top.Y), "10.000 -10.000") != "" {
		t.Errorf("the arc passes %v", top)
	}
	if end := segs[2].P[2]; fmt.Sprintf("%.3f %.3f", end.X, end.Y) != "20.000 0.000" && fmt.Sprintf("%.3f %.3f", end.X, end.Y) != "20.000 -0.000" {
		t.Errorf("the arc ends at %v", end)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(pageOf(f, `<TextObject ID="4" Boundary="0 0 9 9" CTM="1 0 0 1 0 0" Font="2" Size="4"><CGTransform CodePosition="0"><Glyphs>1</Glyphs></CGTransform><TextCode X="0" Y="4" DeltaX="g 2 4" DeltaY="1 2">一二三</TextCode></TextObject>`))
	f.Add(pageOf(f, `<PathObject ID="4" Boundary="0 0 9 9"><StrokeColor Value="#ff 0 0"/><AbbreviatedData>M 0 0 A 1 1 0 1 1 2 2 B 1 1 1 1 1 1 Q 1 1 1 1 C</AbbreviatedData></PathObject>`))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Open(data)
		if err != nil {
			return
		}
		if pages, err := file.Pages(); err == nil {
			for _, p := range pages {
				p.Sheet.SVG()
			}
		}
		file.Tags()
		file.PageBoxes()
		file.Attachments()
	})
}

// FuzzPage spares the fuzzer finding its way through the compression.
func FuzzPage(f *testing.F) {
	f.Add(`<TextObject ID="4" Boundary="0 0 9 9" Font="2" Size="4"><TextCode X="0" Y="4" DeltaX="g 2 4">一二三</TextCode></TextObject>`)
	f.Add(`<PathObject Boundary="0 0 9 9"><AbbreviatedData>M 0 0 A 1 1 0 1 1 2 2 C</AbbreviatedData></PathObject>`)
	f.Fuzz(func(t *testing.T, objects string) {
		file, err := Open(pageOf(t, objects))
		if err != nil {
			t.Fatal(err)
		}
		pages, err := file.Pages()
		if err != nil {
			return
		}
		for _, p := range pages {
			sheet.PDF([]sheet.Sheet{*p.Sheet}, sheet.PDFInfo{})
			if _, err := ParseXML(p.Sheet.SVG()); err != nil {
				t.Errorf("the picture is %v", err)
			}
		}
	})
}

func TestForeignFilesAreRead(t *testing.T) {
	names, _ := filepath.Glob("../document/testdata/ofd/*.ofd")
	if len(names) == 0 {
		t.Fatal("no samples")
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := Open(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		pages, err := f.Pages()
		if err != nil || len(pages) != 1 || !bytes.Contains(pages[0].Sheet.SVG(), []byte("兹证明编号100001的款项")) {
			t.Errorf("%s: %d pages, %v", name, len(pages), err)
		}
	}
}

func TestPacking(t *testing.T) {
	noise := make([]byte, 4<<10)
	rand.NewChaCha8([32]byte{1}).Read(noise)
	text := bytes.Repeat([]byte("<ofd:TextCode>营业执照 0123</ofd:TextCode>"), 100)
	packed := NewBlob([]byte("the font as it is"))
	packed.Deflated = func() []byte { return []byte{1, 2, 3} }
	for name, tc := range map[string]struct {
		blob *Blob
		want uint16
	}{
		"text":                        {NewBlob(text), deflated},
		"little text":                 {NewBlob(text[:100]), stored},
		"what is random":              {NewBlob(noise), stored},
		"mostly random, as seals are": {NewBlob(append(bytes.Clone(text[:300]), noise...)), stored},
		"half of it random":           {NewBlob(append(bytes.Clone(text), noise...)), deflated},
		"what is said to be packed":   {&Blob{Data: text, Dense: true}, stored},
		"what comes packed":           {packed, deflated},
	} {
		tc.blob.compress()
		if tc.blob.method != tc.want {
			t.Errorf("%s: method %d, want %d", name, tc.blob.method, tc.want)
		}
	}
	if string(packed.packed) != "\x01\x02\x03" {
		t.Error("what came packed was packed again")
	}
}

// A document of a design that was met before.
func BenchmarkWriteDesigned(b *testing.B) {
	var d Design
	doc := designed(b, &d, "福州市鼓楼区榕荫里小吃店", 0)
	b.ReportAllocs()
	for b.Loop() {
		p, err := Write(doc)
		if err != nil {
			b.Fatal(err)
		}
		p.Bytes()
	}
}

func BenchmarkWrite(b *testing.B) {
	d := testDocument(b)
	for b.Loop() {
		p, err := Write(d)
		if err != nil {
			b.Fatal(err)
		}
		p.Bytes()
	}
}
