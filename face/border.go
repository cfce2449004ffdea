package face

import (
	"math"

	"elicense/sheet"
)

// borderItems draws a border.
func borderItems(b Border) []sheet.Item {
	x, y, w, h := b.At[0], b.At[1], b.At[2], b.At[3]
	frame := func(in, width float64) sheet.Item {
		return &sheet.Path{Segments: sheet.Rect(x+in, y+in, w-2*in, h-2*in), Stroke: true, Width: width, Color: b.Color}
	}
	switch b.Kind {
	case Double:
		return []sheet.Item{frame(0, b.Width), frame(b.Width+0.6, max(0.2, b.Width/4))}
	case Guilloche:
		band := min(b.Width, w/4, h/4)
		return []sheet.Item{
			frame(0, 0.5), frame(band, 0.25),
			&sheet.Path{Segments: guilloche(x, y, w, h, band), Stroke: true, Width: 0.22, Color: b.Color},
		}
	}
	return []sheet.Item{frame(0, b.Width)}
}

// guilloche draws interlaced waves along the four sides of a band, with a ring in
// each corner. Every side holds a whole number of waves.
func guilloche(x, y, w, h, band float64) []sheet.Segment {
	var path []sheet.Segment
	mid := band / 2
	for _, c := range [4]sheet.Point{{X: x + mid, Y: y + mid}, {X: x + w - mid, Y: y + mid}, {X: x + w - mid, Y: y + h - mid}, {X: x + mid, Y: y + h - mid}} {
		path = append(path, sheet.Circle(c.X, c.Y, 0.38*band)...)
		path = append(path, sheet.Circle(c.X, c.Y, 0.2*band)...)
	}
	for _, side := range [4][4]float64{
		{x + band, y + mid, x + w - band, y + mid}, {x + w - mid, y + band, x + w - mid, y + h - band},
		{x + w - band, y + h - mid, x + band, y + h - mid}, {x + mid, y + h - band, x + mid, y + band},
	} {
		for _, amplitude := range []float64{0.4 * band, -0.4 * band} {
			path = appendWave(path, side, amplitude, 1.3*band)
		}
	}
	return path
}

// appendWave draws a sine wave along a line, each half of it a cubic curve.
func appendWave(path []sheet.Segment, line [4]float64, amplitude, half float64) []sheet.Segment {
	length := math.Hypot(line[2]-line[0], line[3]-line[1])
	n := max(2, 2*int(math.Round(length/half/2)))
	step := length / float64(n)
	ux, uy := (line[2]-line[0])/length, (line[3]-line[1])/length
	// The controls of the best cubic for half a sine lie 4/3 of it away. Tenths of a
	// millimetre are short to write and finer than the line is wide.
	at := func(along, across float64) sheet.Point {
		return sheet.Point{X: tenths(line[0] + ux*along - uy*across), Y: tenths(line[1] + uy*along + ux*across)}
	}
	path = append(path, sheet.Segment{Op: sheet.Move, P: [3]sheet.Point{at(0, 0)}})
	for i := range n {
		from := float64(i) * step
		path = append(path, sheet.Segment{Op: sheet.Cubic, P: [3]sheet.Point{
			at(from+0.364*step, amplitude*4/3), at(from+0.636*step, amplitude*4/3), at(from+step, 0),
		}})
		amplitude = -amplitude
	}
	return path
}

func tenths(v float64) float64 { return math.Round(10*v) / 10 }
