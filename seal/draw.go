package seal

import (
	"fmt"
	"math"
	"time"
	"unicode/utf8"

	"elicense/ofd"
	"elicense/sheet"
)

// Drawing is what a round seal shows.
type Drawing struct {
	Name     string  // around the star, from left to right
	Line     string  // under the star, such as 电子证照专用章; may be empty
	Diameter float64 // mm
}

const (
	ring     = 1.2  // width of the edge, mm
	starSize = 14.0 // point to point, of a seal of 42 mm
	grid     = 96   // units to the size a character's outline is rounded to
	maxArc   = 252  // degrees the name may take
	boldness = 2.6  // of strokes, in units of the grid
)

// Draw draws a round red seal with a five-pointed star as an OFD package of one
// page, as a seal's picture has to be. Characters are outlines in whole units of
// a coarse grid, finer than printers print, which keeps a seal small: it goes
// into every document twice.
func Draw(d Drawing, fonts *sheet.FontSet) ([]byte, error) {
	n := utf8.RuneCountInString(d.Name)
	if n == 0 || n > 30 || d.Diameter < 20 || d.Diameter > 100 {
		return nil, fmt.Errorf("draw seal %q: a name of 1 to 30 characters and 20 to 100 mm are possible", d.Name)
	}
	c := d.Diameter / 2
	s := sheet.Sheet{W: d.Diameter, H: d.Diameter}
	s.Items = append(s.Items,
		&sheet.Path{Segments: sheet.Circle(c, c, c-ring/2), Stroke: true, Width: ring, Color: sheet.Red},
		&sheet.Path{Segments: star(c, c, starSize/42*c), Fill: true, Color: sheet.Red})

	// The more characters, the narrower they are; all keep their height.
	step := math.Min(22, maxArc/float64(max(n-1, 1)))
	height := 0.142 * d.Diameter
	radius := c - ring - 0.035*d.Diameter - height/2
	width := math.Min(0.95*height, step*math.Pi/180*(radius-height/4)*0.92)
	angle := -step * float64(n-1) / 2
	for _, r := range d.Name {
		sin, cos := math.Sincos(angle * math.Pi / 180)
		m := sheet.Matrix{cos, sin, -sin, cos, c + radius*sin, c - radius*cos}
		if err := addGlyph(&s, fonts, r, width, height, m); err != nil {
			return nil, fmt.Errorf("draw seal %q: %w", d.Name, err)
		}
		angle += step
	}
	if n := utf8.RuneCountInString(d.Line); n > 0 {
		height := math.Min(0.095*d.Diameter, 0.6*d.Diameter/float64(n))
		x := c - height*1.04*float64(n-1)/2
		for _, r := range d.Line {
			if err := addGlyph(&s, fonts, r, height, height, sheet.Matrix{1, 0, 0, 1, x, c + 0.29*d.Diameter}); err != nil {
				return nil, fmt.Errorf("draw seal %q: %w", d.Name, err)
			}
			x += height * 1.04
		}
	}
	pkg, err := ofd.Write(&ofd.Document{Date: time.Unix(0, 0).UTC(), Pages: []sheet.Sheet{s}})
	if err != nil {
		return nil, fmt.Errorf("draw seal %q: %w", d.Name, err)
	}
	return pkg.Bytes(), nil
}

// addGlyph draws one character with its middle at the origin of m.
func addGlyph(s *sheet.Sheet, fonts *sheet.FontSet, r rune, width, height float64, m sheet.Matrix) error {
	font, g, err := fonts.Pick(sheet.Song, r)
	if err != nil {
		return err
	}
	advance := font.Advance(g)
	outline := font.Outline(g)
	scale := grid / font.UnitsPerEm()
	for i := range outline {
		for k := range outline[i].P {
			p := &outline[i].P[k]
			// Up becomes down; the middle of the ideographic box becomes the origin.
			p.X = math.Round(p.X*scale - advance*grid/2)
			p.Y = math.Round(0.38*grid - p.Y*scale)
		}
	}
	local := sheet.Matrix{width / grid, 0, 0, height / grid, 0, 0}.Then(m)
	s.Items = append(s.Items, &sheet.Path{
		Segments: compact(outline), Fill: true, Stroke: true, Width: boldness, Color: sheet.Red, Matrix: &local,
	})
	return nil
}

// compact drops steps that rounding made empty.
func compact(outline []sheet.Segment) []sheet.Segment {
	kept := outline[:0]
	var at sheet.Point
	for _, s := range outline {
		switch s.Op {
		case sheet.Line:
			if s.P[0] == at {
				continue
			}
			at = s.P[0]
		case sheet.Quad:
			if s.P[1] == at && s.P[0] == at {
				continue
			}
			if s.P[0] == at || s.P[0] == s.P[1] {
				s = sheet.Segment{Op: sheet.Line, P: [3]sheet.Point{s.P[1]}}
				at = s.P[0]
			} else {
				at = s.P[1]
			}
		case sheet.Move:
			at = s.P[0]
		}
		kept = append(kept, s)
	}
	return kept
}

// star returns a five-pointed star standing on two points.
func star(cx, cy, r float64) []sheet.Segment {
	inner := r * math.Sin(math.Pi/10) / math.Sin(3*math.Pi/10)
	var list []sheet.Segment
	for i := range 10 {
		radius := r
		if i%2 == 1 {
			radius = inner
		}
		sin, cos := math.Sincos(float64(i) * math.Pi / 5)
		op := sheet.Line
		if i == 0 {
			op = sheet.Move
		}
		list = append(list, sheet.Segment{Op: op, P: [3]sheet.Point{{X: cx + radius*sin, Y: cy - radius*cos}}})
	}
	return append(list, sheet.Segment{Op: sheet.Close})
}
