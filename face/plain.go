package face

import (
	"unicode/utf8"

	"elicense/sheet"
)

var (
	bronze = sheet.Color{R: 0x9a, G: 0x7b, B: 0x4a}
	faint  = sheet.Color{R: 0xcf, G: 0xc3, B: 0xae}
	soft   = sheet.Color{R: 0x5c, G: 0x58, B: 0x50}
)

// landscapeFields is how many fields fit the wide page without crowding it.
const landscapeFields = 6

// Plain is the design for any license that has none of its own: a double
// border, the title, the fields in rows, the QR code with the identifier at the
// lower left, the issuing unit with date and seal at the lower right. It is an
// A4 page, lying on its side when there are few fields.
func Plain(title string, fields []Field) *Template {
	w, h := 210.0, 297.0
	wide := len(fields) <= landscapeFields
	for _, f := range fields {
		if f.Wide && f.Join == Lines {
			wide = false
		}
	}
	if wide {
		w, h = h, w
	}
	t := &Template{Title: title, W: w, H: h}
	const outer, inner = 9.0, 11.4
	t.Frames = []Frame{
		{outer, outer, w - 2*outer, h - 2*outer, 0.8, bronze},
		{inner, inner, w - 2*inner, h - 2*inner, 0.2, bronze},
	}
	t.corners(14)

	size, spacing := titleSize(title, wide)
	titleY, gridY := 27.0, 62.0
	if wide {
		titleY, gridY = 22, 54
	}
	t.Labels = append(t.Labels, Label{title, Area{
		X: 24, Y: titleY, W: w - 48, H: 18, Font: sheet.Song, Size: size, Min: 14, Align: Center, Spacing: spacing, Color: sheet.Ink,
	}})
	t.Rules = append(t.Rules,
		Rule{w/2 - 26, titleY + 22, w/2 - 2.2, titleY + 22, 0.25, bronze},
		Rule{w/2 + 2.2, titleY + 22, w/2 + 26, titleY + 22, 0.25, bronze})
	t.diamond(w/2, titleY+22, 1.1)

	const margin = 24
	t.Grid = &Grid{
		X: margin, Y: gridY, W: w - 2*margin, H: h - 70 - gridY, LabelW: 31, Gap: 6,
		Size: 12.5, Min: 7, Ink: sheet.Ink, Soft: soft, Line: faint, Fields: fields,
	}
	if wide {
		t.Grid.H = h - 68 - gridY
	}
	t.foot(margin)
	return t
}

// titleSize gives short titles large, wide set type.
func titleSize(title string, wide bool) (size, spacing float64) {
	switch n := utf8.RuneCountInString(title); {
	case n <= 6:
		return 36, 0.3
	case n <= 9:
		return 32, 0.16
	case n <= 13 || wide && n <= 18:
		return 28, 0.06
	default:
		return 22, 0.02
	}
}

// corners draws a small angle into each corner of the inner border.
func (t *Template) corners(at float64) {
	const arm = 7
	for _, c := range [][4]float64{{at, at, 1, 1}, {t.W - at, at, -1, 1}, {at, t.H - at, 1, -1}, {t.W - at, t.H - at, -1, -1}} {
		t.Rules = append(t.Rules,
			Rule{c[0], c[1], c[0] + arm*c[2], c[1], 0.2, bronze},
			Rule{c[0], c[1], c[0], c[1] + arm*c[3], 0.2, bronze})
	}
}

// diamond draws a small square standing on its corner.
func (t *Template) diamond(x, y, r float64) {
	t.Rules = append(t.Rules,
		Rule{x - r, y, x, y - r, 0.25, bronze}, Rule{x, y - r, x + r, y, 0.25, bronze},
		Rule{x + r, y, x, y + r, 0.25, bronze}, Rule{x, y + r, x - r, y, 0.25, bronze})
}

// foot places the QR code and the identifier at the left, the issuing unit, the
// date and the seal at the right.
func (t *Template) foot(margin float64) {
	const side, seal = 23, 42
	qrY := t.H - 58.0
	t.QR = &Square{X: margin, Y: qrY, Side: side}
	noteX := margin + side + 4
	for i, text := range []string{"扫描二维码", "核验本证照的", "真伪和当前状态"} {
		t.Labels = append(t.Labels, Label{text, Area{
			X: noteX, Y: qrY + 0.4 + 4.2*float64(i), W: 28, H: 4, Font: sheet.Hei, Size: 8, Align: Left, Color: soft,
		}})
	}
	t.Labels = append(t.Labels, Label{"证照标识", Area{
		X: margin, Y: qrY + side + 4, W: 14, H: 3.6, Font: sheet.Hei, Size: 7, Align: Left, Color: soft,
	}})
	t.Boxes = append(t.Boxes, Box{Key: KeyIdentifier, Label: "证照标识", Area: Area{
		X: margin, Y: qrY + side + 8.2, W: 88, H: 8, Font: sheet.Song, Size: 8, Min: 5.5, Align: Left, Wrap: true, Spacing: 0.06, Color: sheet.Ink,
	}})

	centre := t.W - margin - 40
	unitY := t.H - 46.0
	t.Boxes = append(t.Boxes,
		Box{Key: KeyIssuer, Label: "签发单位", Required: true, Area: Area{
			X: centre - 42, Y: unitY - 2.6, W: 84, H: 8, Font: sheet.Song, Size: 13, Min: 8, Align: Center, Color: sheet.Ink,
		}},
		Box{Key: KeyDate, Label: "签发日期", Required: true, Area: Area{
			X: centre - 42, Y: unitY + 6.4, W: 84, H: 8, Font: sheet.Song, Size: 13, Min: 8, Align: Center, Color: sheet.Ink,
		}})
	t.Seal = Place{X: centre, Y: unitY + 6, D: seal}
}
