package seal

import (
	"fmt"
	"math"
	"time"
	"unicode/utf8"

	"elicense/ofd"
	"elicense/sheet"
)

// Drawing is what a seal shows.
type Drawing struct {
	Name     string  // along the edge, from left to right
	Line     string  // under the star or, of an oval seal, across it, such as 电子证照专用章; may be empty
	Diameter float64 // mm; of an oval seal its width
	Height   float64 // mm; of an oval seal, 0 for a round one
}

const (
	ring      = 1.2  // width of the edge, mm
	starSize  = 14.0 // point to point, of a seal of 42 mm
	unit      = 0.08 // mm; outlines stand on whole multiples of it
	tolerance = 0.06 // mm an outline may differ from the font's
	boldness  = 0.1  // mm added to strokes, which are thin for a seal
	maxArc    = 252  // degrees the name may take
	lineArc   = 226  // degrees it may take over a line
)

// Draw draws a red seal, round with a five-pointed star or oval, as an OFD package
// of one page, as a seal's picture has to be. The characters are polygons that
// differ from the font's outlines by less than printers print, which keeps a seal
// small: it goes into every document.
func Draw(d Drawing, fonts *sheet.FontSet) ([]byte, error) {
	n := utf8.RuneCountInString(d.Name)
	oval := d.Height != 0
	if !oval {
		d.Height = d.Diameter
	}
	if n == 0 || n > 30 || d.Diameter < 20 || d.Diameter > 100 || d.Height < 15 || d.Height > d.Diameter {
		return nil, fmt.Errorf("draw seal %q: a name of 1 to 30 characters, 20 to 100 mm wide and no higher, are possible", d.Name)
	}
	cx, cy := d.Diameter/2, d.Height/2
	text := &sheet.Path{
		Fill: true, Stroke: true, Width: boldness / unit, Color: sheet.Red, Matrix: &sheet.Matrix{unit, 0, 0, unit, 0, 0},
	}
	// The more characters, the narrower they are; all keep their height.
	arc := float64(maxArc)
	if d.Line != "" && !oval {
		arc = lineArc
	}
	step := math.Min(22, arc/float64(max(n-1, 1)))
	height := 0.142 * d.Height
	if oval {
		step, height = math.Min(17, 188/float64(max(n-1, 1))), 0.15*d.Height
	}
	edge := ellipse{cx, cy, cx - ring - 0.035*d.Height - height/2, cy - ring - 0.035*d.Height - height/2}
	places := edge.places(n, step*math.Pi/180)
	width := math.Min(0.95*height, places.apart*(1-height/(4*edge.ry))*0.92)
	for i, r := range []rune(d.Name) {
		if err := addGlyph(text, fonts, r, width, height, places.at[i]); err != nil {
			return nil, fmt.Errorf("draw seal %q: %w", d.Name, err)
		}
	}
	if n := utf8.RuneCountInString(d.Line); n > 0 {
		height, y := math.Min(0.085*d.Diameter, 0.58*d.Diameter/float64(n)), cy+0.285*d.Diameter
		if oval {
			height, y = math.Min(0.14*d.Height, 0.56*d.Diameter/float64(n)), cy+0.2*d.Height
		}
		x := cx - height*1.04*float64(n-1)/2
		for _, r := range d.Line {
			if err := addGlyph(text, fonts, r, height, height, sheet.Matrix{1, 0, 0, 1, x, y}); err != nil {
				return nil, fmt.Errorf("draw seal %q: %w", d.Name, err)
			}
			x += height * 1.04
		}
	}
	items := []sheet.Item{edgeOf(cx, cy)}
	if !oval {
		items = append(items, &sheet.Path{Segments: star(cx, cy, starSize/42*cx), Fill: true, Color: sheet.Red})
	}
	return pack(d, append(items, text))
}

// edgeOf is the ring of a seal.
func edgeOf(cx, cy float64) *sheet.Path {
	rx, ry := cx-ring/2, cy-ring/2
	path := sheet.Circle(0, 0, 1)
	for i := range path {
		for k := range path[i].P {
			p := &path[i].P[k]
			p.X, p.Y = cx+rx*p.X, cy+ry*p.Y
		}
	}
	return &sheet.Path{Segments: path, Stroke: true, Width: ring, Color: sheet.Red}
}

// ellipse is the line the characters of a name stand on.
type ellipse struct{ cx, cy, rx, ry float64 }

// placesOn are the places of characters along an ellipse, and how far they are
// apart in mm.
type placesOn struct {
	at    []sheet.Matrix
	apart float64
}

// places puts n characters on the upper side, as far apart as step radians are on
// the shorter half axis, all at the same distance along the line.
func (e ellipse) places(n int, step float64) placesOn {
	const parts = 720
	half := math.Min(step*float64(n-1)/2, math.Pi*0.95)
	var lengths [parts + 1]float64
	at := func(i int) float64 { return -half + 2*half*float64(i)/parts }
	for i := 1; i <= parts; i++ {
		s0, c0 := math.Sincos(at(i - 1))
		s1, c1 := math.Sincos(at(i))
		lengths[i] = lengths[i-1] + math.Hypot(e.rx*(s1-s0), e.ry*(c1-c0))
	}
	out := placesOn{at: make([]sheet.Matrix, n), apart: step * e.ry}
	if n > 1 {
		out.apart = lengths[parts] / float64(n-1)
	}
	k := 0
	for i := range n {
		angle := 0.0
		if n > 1 {
			want := out.apart * float64(i)
			for k < parts && lengths[k+1] < want {
				k++
			}
			angle = at(min(k+1, parts))
			if k < parts {
				if d := lengths[k+1] - lengths[k]; d > 0 {
					angle = at(k) + (at(k+1)-at(k))*(want-lengths[k])/d
				}
			}
		}
		sin, cos := math.Sincos(angle)
		tx, ty := e.rx*cos, e.ry*sin // along the line
		l := math.Hypot(tx, ty)
		tx, ty = tx/l, ty/l
		out.at[i] = sheet.Matrix{tx, ty, -ty, tx, e.cx + e.rx*sin, e.cy - e.ry*cos}
	}
	return out
}

func pack(d Drawing, items []sheet.Item) ([]byte, error) {
	pkg, err := ofd.Write(&ofd.Document{Date: time.Unix(0, 0).UTC(), Pages: []sheet.Sheet{{W: d.Diameter, H: d.Height, Items: items}}})
	if err != nil {
		return nil, fmt.Errorf("draw seal %q: %w", d.Name, err)
	}
	for _, e := range pkg.Entries {
		e.Small = true
	}
	return pkg.Bytes(), nil
}

// addGlyph adds the outline of one character with its middle at the origin of m.
func addGlyph(p *sheet.Path, fonts *sheet.FontSet, r rune, width, height float64, m sheet.Matrix) error {
	font, g, err := fonts.Pick(sheet.Song, r)
	if err != nil {
		return err
	}
	// From font units, y up, to sizes around the middle of the ideographic box,
	// to mm on the seal.
	em := font.UnitsPerEm()
	m = sheet.Matrix{1 / em, 0, 0, -1 / em, -font.Advance(g) / 2, 0.38}.Then(sheet.Matrix{width, 0, 0, height, 0, 0}).Then(m)
	var contour []sheet.Point
	for _, s := range font.Outline(g) {
		switch s.Op {
		case sheet.Move, sheet.Line:
			contour = append(contour, m.Apply(s.P[0]))
		case sheet.Quad:
			from, control, to := contour[len(contour)-1], m.Apply(s.P[0]), m.Apply(s.P[1])
			const steps = 6
			for i := 1; i <= steps; i++ {
				t := float64(i) / steps
				a, b, c := (1-t)*(1-t), 2*t*(1-t), t*t
				contour = append(contour, sheet.Point{X: a*from.X + b*control.X + c*to.X, Y: a*from.Y + b*control.Y + c*to.Y})
			}
		case sheet.Close:
			p.Segments = appendPolygon(p.Segments, simplify(contour, tolerance))
			contour = contour[:0]
		}
	}
	return nil
}

// appendPolygon adds a closed contour in whole units.
func appendPolygon(list []sheet.Segment, points []sheet.Point) []sheet.Segment {
	var last sheet.Point
	n := 0
	for i, p := range points {
		p = sheet.Point{X: math.Round(p.X / unit), Y: math.Round(p.Y / unit)}
		if i > 0 && p == last {
			continue
		}
		op := sheet.Line
		if i == 0 {
			op = sheet.Move
		}
		list = append(list, sheet.Segment{Op: op, P: [3]sheet.Point{p}})
		last = p
		n++
	}
	if n < 3 { // too small to be seen
		return list[:len(list)-n]
	}
	return append(list, sheet.Segment{Op: sheet.Close})
}

// simplify drops the points of a line that lie within tol of what is left
// (Ramer, Douglas and Peucker).
func simplify(points []sheet.Point, tol float64) []sheet.Point {
	if len(points) < 3 {
		return points
	}
	first, last := points[0], points[len(points)-1]
	far, at := 0.0, 0
	for i, p := range points[1 : len(points)-1] {
		if d := distance(p, first, last); d > far {
			far, at = d, i+1
		}
	}
	if far <= tol {
		return []sheet.Point{first, last}
	}
	head := simplify(points[:at+1], tol)
	return append(head[:len(head)-1:len(head)-1], simplify(points[at:], tol)...)
}

// distance returns how far p is from the line segment between a and b.
func distance(p, a, b sheet.Point) float64 {
	dx, dy := b.X-a.X, b.Y-a.Y
	l := dx*dx + dy*dy
	if l == 0 {
		return math.Hypot(p.X-a.X, p.Y-a.Y)
	}
	t := min(max(((p.X-a.X)*dx+(p.Y-a.Y)*dy)/l, 0), 1)
	return math.Hypot(p.X-a.X-t*dx, p.Y-a.Y-t*dy)
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
