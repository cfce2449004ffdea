package sheet

import (
	"bytes"
	"compress/flate"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"
	"rsc.io/qr"
)

var loadFonts = sync.OnceValues(SystemFonts)

func fonts(t testing.TB) *FontSet {
	t.Helper()
	s, err := loadFonts()
	if err != nil {
		t.Fatalf("%v: apt-get install fonts-arphic-uming fonts-wqy-zenhei fonts-arphic-gkai00mp fonts-babelstone-han", err)
	}
	return s
}

// outlined lists characters a font draws, to choose from in property tests.
func outlined(f *Font, from, to rune) []rune {
	var list []rune
	for r := from; r <= to; r++ {
		if g := f.Glyph(r); g != 0 && f.HasOutline(g) {
			list = append(list, r)
		}
	}
	return list
}

func TestSubsetKeepsOutlines(t *testing.T) {
	set := fonts(t)
	for _, tc := range []struct {
		name string
		font *Font
		from []rune
	}{
		{"Song", set.Song, append(outlined(set.Song, ' ', 0x17f), outlined(set.Song, 0x4e00, 0x9fa5)...)},
		{"Hei", set.Hei, append(outlined(set.Hei, ' ', 0x17f), outlined(set.Hei, 0x4e00, 0x9fa5)...)},
		{"rare, beyond the basic plane", set.Rare, append(outlined(set.Rare, 0x4e00, 0x4eff), outlined(set.Rare, 0x20000, 0x20fff)...)},
	} {
		t.Run(tc.name, rapid.MakeCheck(func(t *rapid.T) {
			runes := rapid.SliceOfNDistinct(rapid.SampledFrom(tc.from), 1, 12, rapid.ID[rune]).Draw(t, "runes")
			slices.Sort(runes)
			sub, err := tc.font.Subset(runes, "ELicense-Test")
			if err != nil {
				t.Fatal(err)
			}
			f, err := ParseFont(sub.Data)
			if err != nil {
				t.Fatalf("the subset can't be parsed: %v", err)
			}
			if f.Family() != "ELicense-Test" || tableSum(sub.Data) != 0xb1b0afba {
				t.Errorf("family %q, sum %#x", f.Family(), tableSum(sub.Data))
			}
			for _, r := range runes {
				old, g := tc.font.Glyph(r), f.Glyph(r)
				if g == 0 || g != sub.Glyph(r) {
					t.Fatalf("%q is glyph %d by the map and %d by the subset", r, g, sub.Glyph(r))
				}
				a, b := traced(f, g), traced(tc.font, old)
				if d := max(apart(a, tc.font.lines(old)), apart(b, f.lines(g))); d > 1.6/thinGrid {
					t.Fatalf("the outline of %q lies %.2f units from the font's", r, d*thinGrid)
				}
				if math.Abs(f.Advance(g)-tc.font.Advance(old)) > 0.51/thinGrid {
					t.Fatalf("the width of %q changed", r)
				}
			}
			if f.Glyph('\u2603') != 0 {
				t.Error("the subset maps a character it was not asked for")
			}
		}))
	}
}

// lines is an outline as short lines, in ems.
func (f *Font) lines(g GlyphID) [][2]Point { return slices.Concat(contours(f, g, 0)...) }

// traced is lines without contours that enclose less than a printer prints: a
// pixel of 600 dpi in type of 12 pt.
func traced(f *Font, g GlyphID) [][2]Point { return slices.Concat(contours(f, g, 1e-4)...) }

func contours(f *Font, g GlyphID, least float64) (list [][][2]Point) {
	em := f.UnitsPerEm()
	var at, start Point
	var contour [][2]Point
	area := 0.0
	line := func(to Point) {
		contour = append(contour, [2]Point{at, to})
		area += at.X*to.Y - at.Y*to.X
		at = to
	}
	scaled := func(p Point) Point { return Point{p.X / em, p.Y / em} }
	for _, s := range f.Outline(g) {
		switch s.Op {
		case Move:
			at = scaled(s.P[0])
			start = at
		case Line:
			line(scaled(s.P[0]))
		case Quad:
			a := arc{from: at, control: scaled(s.P[0]), to: scaled(s.P[1]), curved: true}
			for i := 1; i <= 12; i++ {
				line(a.at(float64(i) / 12))
			}
		case Close:
			line(start)
			if math.Abs(area)/2 >= least {
				list = append(list, contour)
			}
			contour, area = nil, 0
		}
	}
	return list
}

// apart is how far the ends of lines of a are from the lines of b at most.
func apart(a, b [][2]Point) (far float64) {
	for _, l := range a {
		best := math.Inf(1)
		for _, m := range b {
			best = min(best, fromLine(l[0], m[0], m[1]))
		}
		far = max(far, math.Sqrt(best))
	}
	return far
}

func TestSubsetIsSmall(t *testing.T) {
	set := fonts(t)
	sub, err := set.Song.Subset([]rune("一丁七万丈三上下不与"), "T")
	if err != nil {
		t.Fatal(err)
	}
	if len(sub.Data) > 10*120+1100 {
		t.Errorf("ten plain characters take %d bytes", len(sub.Data))
	}
}

func TestPick(t *testing.T) {
	set := fonts(t)
	for _, tc := range []struct {
		r    rune
		want *Font
	}{
		{'证', set.Song}, {'A', set.Song}, {' ', set.Song}, {'\u3000', set.Song},
		{'𰻝', set.Rare}, // U+30EDD, in names of noodle shops
	} {
		if f, _, err := set.Pick(Song, tc.r); err != nil || f != tc.want {
			t.Errorf("Pick(%q) = %v, %v", tc.r, f.Family(), err)
		}
	}
	if f, _, err := set.Pick(Hei, '证'); err != nil || f != set.Hei {
		t.Errorf("Pick(hei) = %v, %v", f, err)
	}
	t.Run("a character no font draws is named", func(t *testing.T) {
		_, _, err := set.Pick(Song, '\U000f0000')
		var missing *MissingGlyphError
		if !errors.As(err, &missing) || missing.Rune != '\U000f0000' {
			t.Errorf("Pick = %v", err)
		}
	})
	t.Run("control characters are not drawn", func(t *testing.T) {
		for _, r := range "\x00\t\n\u200b" {
			if _, _, err := set.Pick(Song, r); err == nil {
				t.Errorf("Pick(%q) found an outline", r)
			}
		}
	})
}

func textOf(t testing.TB, f *Font, s string) *Text {
	x := &Text{Font: f, Text: s, Size: 5, X: 10, Y: 20, Color: Ink}
	for _, r := range s {
		g := f.Glyph(r)
		x.Glyphs = append(x.Glyphs, g)
		x.Advances = append(x.Advances, 5*f.Advance(g))
	}
	return x
}

func TestSVG(t *testing.T) {
	set := fonts(t)
	qr, err := QR("https://example.invalid/c/0123456789abcdef", 10, 30, 22)
	if err != nil {
		t.Fatal(err)
	}
	s := &Sheet{W: 210, H: 297, Title: `照面 <&">`, Items: []Item{
		textOf(t, set.Song, "营业执照 执照"),
		&Text{Family: `a"b`, Text: "<外来>", Size: 3, Advances: []float64{3, 3}},
		&Path{Segments: Circle(50, 50, 20), Stroke: true, Width: 1.2, Color: Red},
		qr,
	}}
	svg := string(s.SVG())
	t.Run("well-formed, named, without styles or scripts", func(t *testing.T) {
		d := xml.NewDecoder(strings.NewReader(svg))
		title, paths, uses := "", 0, 0
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
			switch e.Name.Local {
			case "title":
				if err := d.DecodeElement(&title, &e); err != nil {
					t.Fatal(err)
				}
			case "path":
				paths++
			case "use":
				uses++
			case "script", "style", "foreignObject":
				t.Errorf("there is a %s element", e.Name.Local)
			}
			for _, a := range e.Attr {
				if a.Name.Local == "style" || strings.HasPrefix(a.Name.Local, "on") {
					t.Errorf("there is a %s attribute", a.Name.Local)
				}
			}
		}
		if title != s.Title {
			t.Errorf("title = %q, want %q", title, s.Title)
		}
		// Four different outlines, the circle and the QR code; six drawn characters.
		if paths != 6 || uses != 6 {
			t.Errorf("%d paths and %d uses, want 6 and 6", paths, uses)
		}
	})
	if !strings.HasPrefix(svg, `<svg xmlns="http://www.w3.org/2000/svg" role="img" width="210mm"`) {
		t.Errorf("svg begins %q", svg[:60])
	}
}

func TestBoldText(t *testing.T) {
	set := fonts(t)
	x := textOf(t, set.Song, "照")
	x.Size, x.Bold, x.Color = float64(set.Song.unitsPerEm)/1000, 0.25, Red
	s := &Sheet{W: 20, H: 20, Items: []Item{x}}
	if svg := string(s.SVG()); !strings.Contains(svg, `<g fill="#e60012" stroke="#e60012" stroke-linejoin="round" stroke-width="250" transform="`) {
		t.Errorf("svg = %s", svg)
	}
}

func TestClip(t *testing.T) {
	from := &Sheet{Items: []Item{&Path{Segments: Rect(0, 0, 9, 9), Fill: true, Clip: Rect(1, 1, 2, 2)}}}
	to := Sheet{W: 10, H: 10}
	from.Place(&to, Matrix{2, 0, 0, 2, 1, 0}, 0)
	want := `"><path d="M3 2L7 2L7 6L3 6Z"/></clipPath><g clip-path="url(#c`
	if svg := string(to.SVG()); !strings.Contains(svg, want) || !strings.Contains(svg, `"/></g></svg>`) {
		t.Errorf("svg = %s", svg)
	}
}

func TestPlaceMultipliesOpacity(t *testing.T) {
	from := &Sheet{Items: []Item{&Path{Opacity: 0.5}, &Text{}, &Image{Opacity: 0.25}}}
	var to Sheet
	from.Place(&to, Identity, 0.5)
	from.Place(&to, Identity, 0)
	var got []float64
	for _, it := range to.Items {
		switch it := it.(type) {
		case *Path:
			got = append(got, it.Opacity)
		case *Text:
			got = append(got, it.Opacity)
		case *Image:
			got = append(got, it.Opacity)
		}
	}
	if !slices.Equal(got, []float64{0.25, 0.5, 0.125, 0.5, 0, 0.25}) {
		t.Errorf("opacities = %v", got)
	}
}

func TestQRIsTheLibrarys(t *testing.T) {
	for _, text := range []string{"", "0123456789", "HTTP://A.B", "https://example.invalid/c/0123456789abcdef", strings.Repeat("证", 300)} {
		want, err := qr.Encode(text, qr.M)
		if err != nil {
			t.Fatal(err)
		}
		got, err := encodeQR(text)
		if err != nil || got.Size != want.Size || !bytes.Equal(got.Bitmap, want.Bitmap) {
			t.Errorf("the code of %.20q differs, %v", text, err)
		}
	}
}

func TestModulesAreDrawnByRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "n")
		dark := rapid.SliceOfN(rapid.Bool(), n*n, n*n).Draw(t, "dark")
		got := make([]bool, n*n)
		list := rows(n, func(x, y int) bool { return dark[y*n+x] })
		for i, s := range list {
			if s.From >= s.To || i > 0 && s.Y == list[i-1].Y && s.From <= list[i-1].To {
				t.Fatalf("stroke %d is %v, after %v", i, s, list[:i])
			}
			for x := s.From / 2; x < s.To/2; x++ { // in halves of modules
				got[int(s.Y)/2*n+int(x)] = true
			}
		}
		if !slices.Equal(got, dark) {
			t.Fatalf("drawn %v, want %v", got, dark)
		}
	})
}

func TestQRTooLong(t *testing.T) {
	if _, err := QR(strings.Repeat("x", 4000), 0, 0, 20); err == nil {
		t.Error("4,000 characters made a QR code")
	}
}

func TestAppendNumber(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 1: "1", -0.5: "-0.5", 12.3456: "12.346", 0.0004: "0", 100.05: "100.05",
		math.NaN(): "0", math.Inf(1): "0", 1e300: "0",
	} {
		if got := string(AppendNumber(nil, v)); got != want {
			t.Errorf("AppendNumber(%v) = %q, want %q", v, got, want)
		}
	}
}

func TestMatrixThen(t *testing.T) {
	m := Matrix{2, 0, 0, 2, 1, 1}.Then(Matrix{0, 1, -1, 0, 0, 5})
	if got := m.Apply(Point{1, 0}); got != (Point{-1, 8}) {
		t.Errorf("scaled, moved, then turned = %v", got)
	}
}

func FuzzParseFont(f *testing.F) {
	set := fonts(f)
	for _, s := range []string{"A", "证𰻝"} {
		font := set.Song
		if len(s) > 1 {
			font = set.Rare
		}
		runes := []rune(s)
		slices.Sort(runes)
		sub, err := font.Subset(runes, "T")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(sub.Data)
	}
	f.Add([]byte("ttcf\x00\x01\x00\x00\x00\x00\x00\x01\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		font, err := ParseFont(data)
		if err != nil {
			return
		}
		var runes []rune
		for _, r := range "A证𰻝 " {
			if g := font.Glyph(r); g != 0 {
				font.Outline(g)
				font.Advance(g)
				runes = append(runes, r)
			}
		}
		slices.Sort(runes)
		if sub, err := font.Subset(runes, "T"); err == nil {
			if _, err := ParseFont(sub.Data); err != nil {
				t.Errorf("a subset can't be parsed: %v", err)
			}
			if got, err := io.ReadAll(flate.NewReader(bytes.NewReader(sub.Deflated()))); err != nil || !bytes.Equal(got, sub.Data) {
				t.Errorf("a subset is packed wrong: %v", err)
			}
		}
		x := textOf(t, font, string(runes))
		x.Bold = 0.1
		foreign := textOf(t, font, "A证")
		foreign.Glyphs = []GlyphID{1, 2}
		s := Sheet{W: 100, H: 100, Items: []Item{x, foreign}}
		s.SVG()
		if _, err := PDF([]Sheet{s}, PDFInfo{}); err != nil && !errors.Is(err, ErrPDFLarge) && len(runes) > 0 {
			var missing *MissingGlyphError
			if !errors.As(err, &missing) {
				t.Logf("PDF: %v", err)
			}
		}
	})
}

func BenchmarkSubset(b *testing.B) {
	set := fonts(b)
	runes := []rune("福州市鼓楼区东街口小吃店食品经营许可证编号个体工商户主体业态餐饮服务热类制售冷自饮品有效期至年月日二三四五六七八九十")
	slices.Sort(runes)
	runes = slices.Compact(runes)
	b.ReportMetric(float64(len(runes)), "runes")
	for b.Loop() {
		if _, err := set.Song.Subset(runes, "T"); err != nil {
			b.Fatal(err)
		}
	}
}
