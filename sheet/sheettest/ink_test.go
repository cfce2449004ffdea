package sheettest

import (
	"slices"
	"strings"
	"testing"

	"elicense/sheet"
)

func run(f *sheet.Font, s string, x, y, size float64) *sheet.Text {
	t := &sheet.Text{Font: f, Text: s, Size: size, X: x, Y: y, Color: sheet.Ink}
	for _, r := range s {
		g := f.Glyph(r)
		t.Glyphs = append(t.Glyphs, g)
		t.Advances = append(t.Advances, size*f.Advance(g)*1.03)
	}
	return t
}

// inkPage has one of everything that is drawn, some of it overlapping.
func inkPage(t testing.TB) sheet.Sheet {
	set := Fonts(t)
	qr, err := sheet.QR("https://example.invalid/c/0123456789abcdef", 60, 60, 20)
	if err != nil {
		t.Fatal(err)
	}
	title := run(set.Song, "食品经营许可证", 20, 20, 9)
	title.Bold = 0.5
	turned := run(set.Hei, "样张", 0, 0, 25)
	turned.Matrix, turned.Opacity = &sheet.Matrix{0.866, -0.5, 0.5, 0.866, 20, 80}, 0.2
	narrow := run(set.Kai, "手写楷体", 0, 0, 5)
	narrow.Matrix, narrow.Bold = &sheet.Matrix{0.6, 0, 0, 1, 10, 90}, 0.2
	return sheet.Sheet{W: 100, H: 100, Items: []sheet.Item{
		&sheet.Path{Segments: sheet.Rect(5, 5, 90, 90), Stroke: true, Width: 0.7, Color: sheet.Red},
		turned, title, narrow,
		run(set.Song, "福州市鼓楼区东街街道示例路12号 JY23501020000001", 10, 30, 3.5),
		run(set.Kai, "兹证明", 10, 40, 6),
		run(set.Rare, "𬱖𠅤", 60, 40, 5),
		run(set.Song, "  ", 80, 40, 5), // has no ink
		&sheet.Path{Segments: sheet.Rule(10, 45, 90, 45), Stroke: true, Width: 0.05, Color: sheet.Ink},
		&sheet.Path{Segments: sheet.Circle(30, 70, 15), Stroke: true, Width: 1.2, Color: sheet.Red, Opacity: 0.8},
		&sheet.Path{Segments: append(sheet.Circle(30, 70, 5), sheet.Rect(28, 68, 4, 4)...), Fill: true, EvenOdd: true, Color: sheet.Red},
		&sheet.Path{Segments: []sheet.Segment{{Op: sheet.Move}, {Op: sheet.Quad, P: [3]sheet.Point{{X: 5, Y: 10}, {X: 10}}}},
			Stroke: true, Width: 0.3, Matrix: &sheet.Matrix{1.5, 0, 0, 0.5, 60, 85}},
		qr,
		&sheet.Image{Data: blackSquare, MIME: "image/png", Matrix: sheet.Matrix{8, 3, -3, 8, 85, 50}},
	}}
}

func TestSameInk(t *testing.T) {
	card := sheet.Sheet{W: 85.6, H: 54, Items: []sheet.Item{run(Fonts(t).Hei, "第二页", 70, 50, 4)}}
	SameInk(t, []sheet.Sheet{inkPage(t), card})
}

func TestMovedInkIsFound(t *testing.T) {
	page := inkPage(t)
	moved := sheet.Sheet{W: page.W, H: page.H}
	page.Items[0].(*sheet.Path).Matrix = nil
	k := OpenInk(t)
	var inked []int
	for i, it := range page.Items {
		var to sheet.Sheet
		m := sheet.Matrix{1, 0, 0, 1, 0.3, 0}
		if i%2 == 1 {
			m = sheet.Matrix{1, 0, 0, 1, 0, -0.3}
		}
		(&sheet.Sheet{Items: []sheet.Item{it}}).Place(&to, m, 0)
		moved.Items = append(moved.Items, to.Items...)
		if !hull(it).empty() {
			inked = append(inked, i)
		}
	}
	diffs := k.diff(t, []sheet.Sheet{page}, []sheet.Sheet{moved})
	for _, i := range inked {
		if !slices.ContainsFunc(diffs, func(s string) bool { return strings.HasPrefix(s, "page 1: "+describe(i, page.Items[i])+":") }) {
			t.Errorf("%s was moved by 0.3 mm and nothing said so", describe(i, page.Items[i]))
		}
	}
	t.Run("one that is far away or missing too", func(t *testing.T) {
		page, far := inkPage(t), inkPage(t)
		far.Items[5].(*sheet.Text).Y = 55
		far.Items[6].(*sheet.Text).Glyphs = []sheet.GlyphID{0, 0}
		far.Items[6].(*sheet.Text).Size = 0.001
		diffs := k.diff(t, []sheet.Sheet{page}, []sheet.Sheet{far})
		if all := strings.Join(diffs, "\n"); !strings.Contains(all, "object 5,") || !strings.Contains(all, "object 6,") || !strings.Contains(all, "of the SVG are near no object") {
			t.Errorf("differences found:\n%s", all)
		}
	})
}
