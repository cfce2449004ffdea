package sheet

import (
	"encoding/binary"
	"math"
	"slices"
	"sync"
)

// Fonts for screens are drawn on a grid finer than any printer's dot: at 12 pt a
// unit of 1/1024 em is 4 µm. In files they stand on a grid of half that, without
// the points that move no line by as much as half a unit of it. That takes a
// third off their size, and with it off the time of digesting and packing them.

// thinGrid is how many units an em of a subset has, where the source has a
// multiple of it.
const thinGrid = 256

// thinner keeps the thinned descriptions of a font's glyphs.
type thinner struct {
	mu     sync.RWMutex
	glyphs map[GlyphID][]byte
}

// coarser is by how much the grid of subsets is coarser than the font's.
func (f *Font) coarser() int {
	if f.unitsPerEm > thinGrid && f.unitsPerEm%thinGrid == 0 {
		return f.unitsPerEm / thinGrid
	}
	return 1
}

// thinData is glyphData on the grid of subsets, without instructions. Damaged
// glyphs are empty.
func (f *Font) thinData(g GlyphID) []byte {
	f.thin.mu.RLock()
	data, known := f.thin.glyphs[g]
	f.thin.mu.RUnlock()
	if known {
		return data
	}
	data = thinGlyph(f.glyphData(g), f.coarser())
	f.thin.mu.Lock()
	defer f.thin.mu.Unlock()
	if f.thin.glyphs == nil {
		f.thin.glyphs = map[GlyphID][]byte{}
	}
	f.thin.glyphs[g] = data
	return data
}

// thinMetrics is metrics on the grid of subsets. The bearing keeps its distance
// from the left edge of the outline, which readers move the glyph by.
func (f *Font) thinMetrics(g GlyphID) (advance uint16, bearing int16) {
	advance, bearing = f.metrics(g)
	k := f.coarser()
	if k == 1 {
		return advance, bearing
	}
	shift := 0
	if data := f.glyphData(g); data != nil {
		shift = int(i16(data, 2)) - int(bearing)
	}
	if thin := f.thinData(g); thin != nil {
		bearing = i16(thin, 2) - int16(rounded(shift, k))
	} else {
		bearing = int16(rounded(int(bearing), k))
	}
	return uint16(rounded(int(advance), k)), bearing
}

func rounded(v, k int) int { return int(math.Round(float64(v) / float64(k))) }

func thinGlyph(data []byte, k int) []byte {
	switch {
	case data == nil:
		return nil
	case i16(data, 0) < 0:
		return thinComposite(data, k)
	}
	n := int(i16(data, 0))
	if k == 1 { // nothing but the instructions goes
		code := 10 + 2*n
		rest := code + 2 + int(u16(data, code))
		if rest > len(data) {
			return nil
		}
		return slices.Concat(data[:code], []byte{0, 0}, data[rest:])
	}
	points := simplePoints(data, n)
	if points == nil {
		return nil
	}
	var contours [][]glyphPoint
	first := 0
	for c := range n {
		last := int(u16(data, 10+2*c))
		if last < first || last >= len(points) {
			return nil
		}
		if contour := thinContour(points[first:last+1], k); len(contour) > 2 {
			contours = append(contours, contour)
		}
		first = last + 1
	}
	return encodeGlyph(contours)
}

// arc is a piece of a contour: a line, or a curve with one control.
type arc struct {
	from, control, to Point
	curved            bool
}

func (a *arc) at(t float64) Point {
	if !a.curved {
		return Point{a.from.X + t*(a.to.X-a.from.X), a.from.Y + t*(a.to.Y-a.from.Y)}
	}
	u := 1 - t
	return Point{
		u*u*a.from.X + 2*u*t*a.control.X + t*t*a.to.X,
		u*u*a.from.Y + 2*u*t*a.control.Y + t*t*a.to.Y,
	}
}

// leaves and arrives are the directions at the ends.
func (a *arc) leaves() Point {
	if a.curved && a.control != a.from {
		return minus(a.control, a.from)
	}
	return minus(a.to, a.from)
}

func (a *arc) arrives() Point {
	if a.curved && a.control != a.to {
		return minus(a.to, a.control)
	}
	return minus(a.to, a.from)
}

func minus(a, b Point) Point { return Point{a.X - b.X, a.Y - b.Y} }

const (
	// thinError is how far a thinned outline may be from the font's, in units of
	// the grid: 6 µm in type of 12 pt, 20 µm in a title of 42 pt, a quarter of a
	// printer's dot.
	thinError = 0.7
	// sharp is the cosine of the angle from which a corner stays a corner.
	sharp = 0.94
	// noise is the length below which a piece's direction says nothing.
	noise   = 1.5
	maxRun  = 24 // pieces one may stand for
	samples = 5  // of a piece, to measure an error at
)

// thinContour moves a contour to the coarser grid and makes one piece of several
// where that changes nothing that can be seen.
func thinContour(points []glyphPoint, k int) []glyphPoint {
	arcs := arcsOf(points, k)
	if len(arcs) == 0 {
		return nil
	}
	arcs = fromCorner(arcs)
	var out []glyphPoint
	put := func(p Point, on bool) {
		q := glyphPoint{int(math.Round(p.X)), int(math.Round(p.Y)), on}
		if n := len(out); n > 0 && out[n-1] == q {
			return
		}
		out = append(out, q)
	}
	for i := 0; i < len(arcs); {
		n, one := 1, arcs[i]
		for m := 2; m <= maxRun && i+m <= len(arcs) && !corner(&arcs[i+m-2], &arcs[i+m-1]); m++ {
			a, ok := joined(arcs[i : i+m])
			if !ok {
				break
			}
			n, one = m, a
		}
		put(one.from, true)
		if one.curved && !flat(&one) {
			put(one.control, false)
		}
		i += n
	}
	if n := len(out); n > 1 && out[0] == out[n-1] {
		out = out[:n-1]
	}
	return withoutImplied(out)
}

// arcsOf takes a contour apart, with the points that are only implied.
func arcsOf(points []glyphPoint, k int) []arc {
	n := len(points)
	if n < 2 {
		return nil
	}
	at := func(i int) Point {
		return Point{float64(points[i%n].x) / float64(k), float64(points[i%n].y) / float64(k)}
	}
	mid := func(a, b Point) Point { return Point{(a.X + b.X) / 2, (a.Y + b.Y) / 2} }
	first := 0
	for first < n && !points[first].on {
		first++
	}
	var from Point
	if first == n { // only controls
		first = 0
		from = mid(at(n-1), at(0))
		first--
	} else {
		from = at(first)
	}
	var list []arc
	for i := first + 1; i <= first+n; i++ {
		p := at(i + n)
		if points[(i+n)%n].on {
			if p != from {
				list = append(list, arc{from: from, to: p})
			}
			from = p
			continue
		}
		to := at(i + 1 + n)
		if points[(i+1+n)%n].on {
			i++
		} else {
			to = mid(p, to)
		}
		if to != from || p != from {
			list = append(list, arc{from, p, to, true})
		}
		from = to
	}
	return list
}

// fromCorner turns a contour so that it begins at a corner, if it has one.
func fromCorner(arcs []arc) []arc {
	n := len(arcs)
	for i := range arcs {
		if corner(&arcs[(i+n-1)%n], &arcs[i]) {
			return append(append(make([]arc, 0, n), arcs[i:]...), arcs[:i]...)
		}
	}
	return arcs
}

// corner tells whether a contour turns sharply between two pieces.
func corner(a, b *arc) bool {
	d, e := a.arrives(), b.leaves()
	ld, le := math.Hypot(d.X, d.Y), math.Hypot(e.X, e.Y)
	return ld > noise && le > noise && d.X*e.X+d.Y*e.Y < sharp*ld*le
}

// joined is one piece in the place of several, if it lies where they do.
func joined(arcs []arc) (arc, bool) {
	first, last := &arcs[0], &arcs[len(arcs)-1]
	one := arc{from: first.from, to: last.to}
	if one.from == one.to {
		return one, false
	}
	if follows(&one, arcs) {
		return one, true
	}
	d, e := first.leaves(), last.arrives()
	cross := d.X*e.Y - d.Y*e.X
	if math.Abs(cross) < 1e-6 {
		return one, false
	}
	chord := minus(one.to, one.from)
	t := (chord.X*e.Y - chord.Y*e.X) / cross
	if t <= 0 {
		return one, false
	}
	one.curved = true
	one.control = Point{one.from.X + t*d.X, one.from.Y + t*d.Y}
	back := minus(one.to, one.control)
	if back.X*e.X+back.Y*e.Y <= 0 { // the control lies behind the end
		return one, false
	}
	return one, follows(&one, arcs)
}

// follows tells whether a piece lies where others do, each along all of its
// length.
func follows(one *arc, arcs []arc) bool {
	const steps = 16
	var line [steps + 1]Point
	for i := range line {
		line[i] = one.at(float64(i) / steps)
	}
	var others [samples*maxRun + 1]Point
	n := 1
	others[0] = arcs[0].from
	for i := range arcs {
		for k := 1; k <= samples; k++ {
			others[n] = arcs[i].at(float64(k) / samples)
			n++
		}
	}
	return along(others[:n], line[:]) && along(line[:], others[:n])
}

// along tells whether the points of one line are met in order along another.
func along(points, line []Point) bool {
	seek := 0
	for _, p := range points {
		best := math.Inf(1)
		for j := seek; j+1 < len(line); j++ {
			if d := fromLine(p, line[j], line[j+1]); d < best {
				best, seek = d, j
			}
		}
		if best > thinError*thinError {
			return false
		}
	}
	return true
}

// fromLine is the square of the distance of p from a line between two points.
func fromLine(p, a, b Point) float64 {
	d, e := minus(b, a), minus(p, a)
	l := d.X*d.X + d.Y*d.Y
	t := 0.0
	if l > 0 {
		t = min(max((e.X*d.X+e.Y*d.Y)/l, 0), 1)
	}
	x, y := e.X-t*d.X, e.Y-t*d.Y
	return x*x + y*y
}

// flat tells whether a curve is a line.
func flat(a *arc) bool {
	d, e := minus(a.to, a.from), minus(a.control, a.from)
	l := d.X*d.X + d.Y*d.Y
	along, cross := e.X*d.X+e.Y*d.Y, e.X*d.Y-e.Y*d.X
	return l > 0 && along > 0 && along < l && cross*cross <= thinError*thinError*l
}

// withoutImplied drops the points on the curve that lie in the middle of two
// controls: readers put them back.
func withoutImplied(points []glyphPoint) []glyphPoint {
	n := len(points)
	out := points[:0:0]
	for i, p := range points {
		a, c := points[(i+n-1)%n], points[(i+1)%n]
		dx, dy := 2*p.x-a.x-c.x, 2*p.y-a.y-c.y
		if n > 3 && p.on && !a.on && !c.on && dx >= -1 && dx <= 1 && dy >= -1 && dy <= 1 {
			continue
		}
		out = append(out, p)
	}
	return out
}

// encodeGlyph writes a simple glyph (ISO/IEC 14496-22 5.3.3) without
// instructions.
func encodeGlyph(contours [][]glyphPoint) []byte {
	if len(contours) == 0 {
		return nil
	}
	be := binary.BigEndian
	x0, y0, x1, y1 := math.MaxInt, math.MaxInt, math.MinInt, math.MinInt
	n := 0
	for _, c := range contours {
		for _, p := range c {
			x0, y0, x1, y1 = min(x0, p.x), min(y0, p.y), max(x1, p.x), max(y1, p.y)
		}
		n += len(c)
	}
	out := make([]byte, 0, 16+2*len(contours)+4*n)
	out = be.AppendUint16(out, uint16(len(contours)))
	for _, v := range []int{x0, y0, x1, y1} {
		out = be.AppendUint16(out, uint16(int16(v)))
	}
	end := -1
	for _, c := range contours {
		end += len(c)
		out = be.AppendUint16(out, uint16(end))
	}
	out = be.AppendUint16(out, 0)
	var flags, xs, ys []byte
	last := glyphPoint{}
	for _, c := range contours {
		for _, p := range c {
			var fl byte
			if p.on {
				fl = 1
			}
			xs, fl = appendStep(xs, fl, p.x-last.x, 2, 16)
			ys, fl = appendStep(ys, fl, p.y-last.y, 4, 32)
			flags = append(flags, fl)
			last = p
		}
	}
	for i := 0; i < len(flags); {
		run := 1
		for i+run < len(flags) && run < 256 && flags[i+run] == flags[i] {
			run++
		}
		if run > 2 {
			out = append(out, flags[i]|8, byte(run-1))
		} else {
			run = 1
			out = append(out, flags[i])
		}
		i += run
	}
	out = append(out, xs...)
	return append(out, ys...)
}

// appendStep writes one axis of a step: nothing for none, a byte for a short one.
func appendStep(b []byte, fl byte, d int, short, same byte) ([]byte, byte) {
	switch {
	case d == 0:
		return b, fl | same
	case d > 0 && d < 256:
		return append(b, byte(d)), fl | short | same
	case d < 0 && d > -256:
		return append(b, byte(-d)), fl | short
	}
	return binary.BigEndian.AppendUint16(b, uint16(int16(d))), fl
}

// thinComposite scales the offsets of a composite glyph's parts.
func thinComposite(data []byte, k int) []byte {
	parts := components(data)
	if len(parts) == 0 || parts[len(parts)-1].endsAt > len(data) {
		return nil
	}
	out := append([]byte{}, data[:parts[len(parts)-1].endsAt]...)
	be := binary.BigEndian
	for at := 2; at < 10; at += 2 {
		be.PutUint16(out[at:], uint16(int16(rounded(int(i16(out, at)), k))))
	}
	for _, p := range parts {
		flags := u16(out, p.idAt)
		switch {
		case flags&argsAreXY == 0:
		case flags&argsAreWords != 0:
			for at := p.idAt + 4; at < p.idAt+8; at += 2 {
				be.PutUint16(out[at:], uint16(int16(rounded(int(i16(out, at)), k))))
			}
		default:
			for at := p.idAt + 4; at < p.idAt+6; at++ {
				out[at] = byte(int8(rounded(int(int8(out[at])), k)))
			}
		}
	}
	return out
}

// thinTable divides the measures at these places of a table.
func (f *Font) thinTable(table []byte, places ...int) {
	k := f.coarser()
	if k == 1 {
		return
	}
	for _, at := range places {
		if at+2 <= len(table) {
			binary.BigEndian.PutUint16(table[at:], uint16(int16(rounded(int(i16(table, at)), k))))
		}
	}
}
