// Package sheet is a page as a display list: texts with their font, glyphs and
// advances, paths, images, all measured in millimetres from the upper left
// corner, x to the right, y down. A sheet says exactly what is on the page and
// nothing about why. It can be drawn as SVG and PDF; package ofd writes it into files
// and reads it back. Fonts are TrueType, parsed, measured and cut down to the
// characters used by this package.
package sheet

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
)

// Sheet is one page.
type Sheet struct {
	W, H  float64 // mm
	Title string  // what the page is, for those who can't see it
	Items []Item  // in the order of drawing

	// Fixed is how many of the first items are the same on every page of one
	// design: its ground, frames and labels. Package ofd puts them on a template
	// page, which is made once for all documents of the design.
	Fixed int
}

// Item is something on a page: *Text, *Path or *Image.
type Item interface{ item() }

// Color is a colour of the screen.
type Color struct{ R, G, B uint8 }

// MarshalText writes a colour as #rrggbb.
func (c Color) MarshalText() ([]byte, error) { return appendColor(nil, c), nil }

// UnmarshalText reads #rrggbb.
func (c *Color) UnmarshalText(b []byte) error {
	var v [3]byte
	if len(b) != 7 || b[0] != '#' {
		return fmt.Errorf("colour %q is not of the form #rrggbb", b)
	}
	if _, err := hex.Decode(v[:], b[1:]); err != nil {
		return fmt.Errorf("colour %q: %w", b, err)
	}
	*c = Color{v[0], v[1], v[2]}
	return nil
}

// The colours the platform draws with.
var (
	Black = Color{0, 0, 0}
	Ink   = Color{0x18, 0x22, 0x22}
	Red   = Color{0xe6, 0x00, 0x12} // of seals
)

// Point is a place on a page in mm.
type Point struct{ X, Y float64 }

// Matrix maps (x, y) to (M[0]x + M[2]y + M[4], M[1]x + M[3]y + M[5]).
type Matrix [6]float64

// Identity leaves every point where it is.
var Identity = Matrix{1, 0, 0, 1, 0, 0}

// Apply maps a point.
func (m Matrix) Apply(p Point) Point {
	return Point{m[0]*p.X + m[2]*p.Y + m[4], m[1]*p.X + m[3]*p.Y + m[5]}
}

// Then returns the matrix that maps by m first and by n after it.
func (m Matrix) Then(n Matrix) Matrix {
	return Matrix{
		n[0]*m[0] + n[2]*m[1], n[1]*m[0] + n[3]*m[1],
		n[0]*m[2] + n[2]*m[3], n[1]*m[2] + n[3]*m[3],
		n[0]*m[4] + n[2]*m[5] + n[4], n[1]*m[4] + n[3]*m[5] + n[5],
	}
}

// Text is a run of characters of one font, size and colour on one baseline.
type Text struct {
	// Font holds the outlines. Without it the run is drawn with whatever font of
	// the name Family the reader has: only foreign files need that.
	Font   *Font
	Family string

	Text     string
	Glyphs   []GlyphID // one for each character of Text; may be nil without Font
	Advances []float64 // mm from each character's origin to the next one's
	Size     float64   // mm
	X, Y     float64   // origin of the first character on the baseline
	Color    Color
	Bold     float64 // mm the strokes of the characters are made wider by, in Color, with round joins
	Opacity  float64 // 0 means 1
	Matrix   *Matrix // applied to the run as a whole; nil is Identity
	Clip     Clip

	// Tag is the key of the field whose value (or a part of it) this is; "" for
	// text that is no field's value.
	Tag string
	// Label marks text that is the same in every document of one design, so that
	// its characters are in a font prepared once.
	Label bool
}

// Op is what a segment of a path does.
type Op uint8

// The operations, with the number of points each takes.
const (
	Move  Op = iota // 1
	Line            // 1
	Quad            // 2: control, end
	Cubic           // 3: two controls, end
	Close           // 0
)

// Segment is one step of a path.
type Segment struct {
	Op Op
	P  [3]Point
}

// Stroke is a level line from (From, Y) to (To, Y): a tenth as large as the segments
// of it, for drawings of hundreds.
type Stroke struct{ From, To, Y int16 }

// Path is a drawing of lines and curves.
type Path struct {
	Segments []Segment
	Strokes  []Stroke // level lines behind the segments
	Fill     bool
	EvenOdd  bool // how the inside is told; otherwise by non-zero winding
	Stroke   bool
	Width    float64 // of the stroke, mm
	Color    Color
	Opacity  float64 // 0 means 1
	Matrix   *Matrix // nil is Identity
	Clip     Clip
}

// Image is a picture in one of the formats browsers draw.
type Image struct {
	Data    []byte
	MIME    string  // image/png, image/jpeg, image/bmp
	Matrix  Matrix  // of the unit square to the page
	Opacity float64 // 0 means 1
	Clip    Clip
}

// Clip is an outline on the page: what of an object lies outside of it is not
// drawn. nil draws everything. Only files of other makers have such.
type Clip []Segment

// through maps a clip.
func (c Clip) through(m Matrix) Clip {
	if c == nil {
		return nil
	}
	out := make(Clip, len(c))
	for i, s := range c {
		out[i].Op = s.Op
		for k, p := range s.P {
			out[i].P[k] = m.Apply(p)
		}
	}
	return out
}

// ClipOf returns the clip of an item.
func ClipOf(it Item) Clip {
	switch it := it.(type) {
	case *Text:
		return it.Clip
	case *Path:
		return it.Clip
	case *Image:
		return it.Clip
	}
	return nil
}

func (*Text) item()  {}
func (*Path) item()  {}
func (*Image) item() {}

// Rect returns the outline of a rectangle.
func Rect(x, y, w, h float64) []Segment {
	return []Segment{
		{Op: Move, P: [3]Point{{x, y}}},
		{Op: Line, P: [3]Point{{x + w, y}}},
		{Op: Line, P: [3]Point{{x + w, y + h}}},
		{Op: Line, P: [3]Point{{x, y + h}}},
		{Op: Close},
	}
}

// Rule returns a straight line.
func Rule(x1, y1, x2, y2 float64) []Segment {
	return []Segment{{Op: Move, P: [3]Point{{x1, y1}}}, {Op: Line, P: [3]Point{{x2, y2}}}}
}

// Circle returns a circle as four cubic curves.
func Circle(cx, cy, r float64) []Segment {
	const k = 0.5522847498307936 // 4/3 (√2 - 1)
	q := k * r
	return []Segment{
		{Op: Move, P: [3]Point{{cx + r, cy}}},
		{Op: Cubic, P: [3]Point{{cx + r, cy + q}, {cx + q, cy + r}, {cx, cy + r}}},
		{Op: Cubic, P: [3]Point{{cx - q, cy + r}, {cx - r, cy + q}, {cx - r, cy}}},
		{Op: Cubic, P: [3]Point{{cx - r, cy - q}, {cx - q, cy - r}, {cx, cy - r}}},
		{Op: Cubic, P: [3]Point{{cx + q, cy - r}, {cx + r, cy - q}, {cx + r, cy}}},
		{Op: Close},
	}
}

// Place puts all items of s, mapped by m and as opaque as given (0 means 1),
// into dst: the way a seal's picture gets onto a page.
func (s *Sheet) Place(dst *Sheet, m Matrix, opacity float64) {
	for _, it := range s.Items {
		switch it := it.(type) {
		case *Text:
			c := *it
			c.Matrix, c.Opacity = then(it.Matrix, m), both(it.Opacity, opacity)
			c.Clip = it.Clip.through(m)
			dst.Items = append(dst.Items, &c)
		case *Path:
			c := *it
			c.Matrix, c.Opacity = then(it.Matrix, m), both(it.Opacity, opacity)
			c.Clip = it.Clip.through(m)
			dst.Items = append(dst.Items, &c)
		case *Image:
			c := *it
			c.Matrix, c.Opacity = it.Matrix.Then(m), both(it.Opacity, opacity)
			c.Clip = it.Clip.through(m)
			dst.Items = append(dst.Items, &c)
		}
	}
}

// both multiplies two opacities, of which 0 means 1.
func both(a, b float64) float64 {
	if a == 0 {
		return b
	} else if b == 0 {
		return a
	}
	return a * b
}

func then(first *Matrix, next Matrix) *Matrix {
	if first != nil {
		next = first.Then(next)
	}
	return &next
}

// AppendNumber writes v with at most three decimals, which is a thousandth of a
// millimetre, in the shortest form; what is no number is 0.
func AppendNumber(dst []byte, v float64) []byte {
	if i := int(v); float64(i) == v && i > -1e6 && i < 1e6 { // most are whole
		return appendInt(dst, i)
	}
	if math.IsNaN(v) || math.Abs(v) > 1e9 {
		return append(dst, '0')
	}
	n := int64(math.Round(v * 1000))
	if n < 0 {
		dst, n = append(dst, '-'), -n
	}
	dst = strconv.AppendInt(dst, n/1000, 10)
	if f := n % 1000; f != 0 {
		dst = append(dst, '.', byte('0'+f/100))
		if f %= 100; f != 0 {
			dst = append(dst, byte('0'+f/10))
			if f %= 10; f != 0 {
				dst = append(dst, byte('0'+f))
			}
		}
	}
	return dst
}

// appendInt writes small numbers, of which drawings consist, faster than strconv.
func appendInt(dst []byte, i int) []byte {
	if i < 0 {
		dst, i = append(dst, '-'), -i
	}
	switch {
	case i < 10:
		return append(dst, byte('0'+i))
	case i < 100:
		return append(dst, byte('0'+i/10), byte('0'+i%10))
	case i < 1000:
		return append(dst, byte('0'+i/100), byte('0'+i/10%10), byte('0'+i%10))
	}
	return strconv.AppendInt(dst, int64(i), 10)
}
