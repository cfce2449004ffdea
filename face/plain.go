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
	p := Page{W: w, H: h, Borders: []Border{{Rect{9, 9, w - 18, h - 18}, Double, 0.8, bronze}}}
	p.corners(14)

	size, spacing := titleSize(title, wide)
	titleY, gridY := 27.0, 62.0
	if wide {
		titleY, gridY = 22, 54
	}
	p.Texts = append(p.Texts, Text{
		ID: "title", Text: title, At: Rect{24, titleY, w - 48, 18}, Font: sheet.Song, Size: size, Min: 14, Align: Center, Spacing: spacing, Color: sheet.Ink,
	})
	p.Rules = append(p.Rules,
		Rule{[2]float64{w/2 - 26, titleY + 22}, [2]float64{w/2 - 2.2, titleY + 22}, 0.25, bronze},
		Rule{[2]float64{w/2 + 2.2, titleY + 22}, [2]float64{w/2 + 26, titleY + 22}, 0.25, bronze})
	p.diamond(w/2, titleY+22, 1.1)

	const margin = 24
	p.Grid = &Grid{
		At: Rect{margin, gridY, w - 2*margin, h - 70 - gridY}, LabelW: 31, Gap: 6,
		Size: 12.5, Min: 7, Ink: sheet.Ink, Soft: soft, Line: faint, Fields: fields,
	}
	if wide {
		p.Grid.At[3] = h - 68 - gridY
	}
	p.foot(margin)
	return &Template{Title: title, Pages: []Page{p}}
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
func (p *Page) corners(at float64) {
	const arm = 7
	for _, c := range [][4]float64{{at, at, 1, 1}, {p.W - at, at, -1, 1}, {at, p.H - at, 1, -1}, {p.W - at, p.H - at, -1, -1}} {
		p.Rules = append(p.Rules,
			Rule{[2]float64{c[0], c[1]}, [2]float64{c[0] + arm*c[2], c[1]}, 0.2, bronze},
			Rule{[2]float64{c[0], c[1]}, [2]float64{c[0], c[1] + arm*c[3]}, 0.2, bronze})
	}
}

// diamond draws a small square standing on its corner.
func (p *Page) diamond(x, y, r float64) {
	points := [5][2]float64{{x - r, y}, {x, y - r}, {x + r, y}, {x, y + r}, {x - r, y}}
	for i := range 4 {
		p.Rules = append(p.Rules, Rule{points[i], points[i+1], 0.25, bronze})
	}
}

// foot places the QR code and the identifier at the left, the issuing unit, the
// date and the seal at the right.
func (p *Page) foot(margin float64) {
	const side, seal = 23, 42
	qrY := p.H - 58.0
	p.Codes = append(p.Codes, Code{ID: "qr", At: Rect{margin, qrY, side, side}, Kind: QRCode})
	noteX := margin + side + 4
	for i, text := range []string{"扫描二维码", "核验本证照的", "真伪和当前状态"} {
		p.Texts = append(p.Texts, Text{
			Text: text, At: Rect{noteX, qrY + 0.4 + 4.2*float64(i), 28, 4}, Font: sheet.Hei, Size: 8, Color: soft,
		})
	}
	centre, unitY := p.W-margin-40, p.H-46.0
	p.Texts = append(p.Texts,
		Text{Text: "证照标识", At: Rect{margin, qrY + side + 4, 14, 3.6}, Font: sheet.Hei, Size: 7, Color: soft},
		Text{
			ID: "identifier", Text: "{@id}", At: Rect{margin, qrY + side + 8.2, 88, 8}, Font: sheet.Song, Size: 8, Min: 5.5, Wrap: true, Top: true, Spacing: 0.06, Color: sheet.Ink,
		},
		Text{ID: "org", Text: "{@org}", Required: true, At: Rect{centre - 42, unitY - 2.6, 84, 8}, Font: sheet.Song, Size: 13, Min: 8, Align: Center, Color: sheet.Ink},
		Text{ID: "date", Text: "{@date:D0}", Required: true, At: Rect{centre - 42, unitY + 6.4, 84, 8}, Font: sheet.Song, Size: 13, Min: 8, Align: Center, Color: sheet.Ink})
	p.Seal = &Seal{X: centre, Y: unitY + 6, D: seal}
}
