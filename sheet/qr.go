package sheet

import (
	"errors"
	"fmt"
	"sync"

	"rsc.io/qr/coding"
)

// QR returns a QR code (GB/T 18284, error correction level M) as one path whose
// dark modules fill a square of the given side in mm with its upper left corner
// at (x, y). Modules that touch are one shape, so that no light shines through
// between them. The quiet zone around it is the caller's.
func QR(text string, x, y, side float64) (*Path, error) {
	code, err := encodeQR(text)
	if err != nil {
		return nil, fmt.Errorf("QR code: %w", err)
	}
	module := side / float64(code.Size)
	// In whole modules, which are short to write.
	return &Path{Fill: true, Color: Black, Matrix: &Matrix{module, 0, 0, module, x, y}, Segments: outlineModules(code.Size, code.Black)}, nil
}

// qrPlans are where each version of the code has its parts, by its number; made
// once, for that takes longer than to fill one in.
var qrPlans [coding.MaxVersion + 1]struct {
	once sync.Once
	plan *coding.Plan
	err  error
}

// encodeQR makes the smallest code that holds the text.
func encodeQR(text string) (*coding.Code, error) {
	var e coding.Encoding = coding.String(text)
	if coding.Num(text).Check() == nil {
		e = coding.Num(text)
	} else if coding.Alpha(text).Check() == nil {
		e = coding.Alpha(text)
	}
	for v := coding.Version(coding.MinVersion); v <= coding.MaxVersion; v++ {
		if e.Bits(v) > v.DataBytes(coding.M)*8 {
			continue
		}
		p := &qrPlans[v]
		p.once.Do(func() { p.plan, p.err = coding.NewPlan(v, coding.M, 0) })
		if p.err != nil {
			return nil, p.err
		}
		return p.plan.Encode(e)
	}
	return nil, errors.New("text too long")
}

// cornersOf is how many steps the outlines take at most: one for each place where
// four modules don't meet in a straight edge, and two for each shape.
func cornersOf(dark []bool, w int) int {
	n := 16
	for i := w + 1; i < len(dark)-w-1; i++ {
		a, b, c, d := dark[i-1-w], dark[i-w], dark[i-1], dark[i]
		switch {
		case a == b && c == d || a == c && b == d: // nothing or an edge
		case a == d && b == c: // two corners touch
			n += 2
		default:
			n++
		}
		if d && !b && !c {
			n += 2 // perhaps the first corner of a shape
		}
	}
	return n
}

// outlineModules walks around the dark modules of a square of n by n, those on
// its right, the light ones on its left.
func outlineModules(n int, black func(x, y int) bool) []Segment {
	// With a border of light ones; a corner has the number of the module right
	// below it.
	w := n + 2
	dark, passed := make([]bool, w*(w+1)), make([]bool, w*w) // passed are upper sides
	for y := range n {
		for x := range n {
			dark[(y+1)*w+x+1] = black(x, y)
		}
	}
	// Steps to the right, down, left and up, and the modules ahead of the corner
	// on both sides of them.
	steps := [4]struct{ move, right, left int }{{1, 0, -w}, {w, -1, 0}, {-1, -w - 1, -1}, {-w, -w, -w - 1}}
	place := func(corner int) [3]Point {
		return [3]Point{{float64(corner%w - 1), float64(corner/w - 1)}}
	}
	list := make([]Segment, 0, cornersOf(dark, w))
	for first, d := range dark {
		if !d || dark[first-w] || passed[first] {
			continue
		}
		list = append(list, Segment{Op: Move, P: place(first)})
		for at, d := first, 0; ; {
			if d == 0 {
				passed[at] = true
			}
			s := &steps[d]
			at += s.move
			switch {
			case !dark[at+s.right]:
				d = (d + 1) % 4
			case dark[at+s.left]:
				d = (d + 3) % 4
			default:
				continue
			}
			if at == first && d == 0 { // a walk may touch its first corner on the way
				break
			}
			list = append(list, Segment{Op: Line, P: place(at)})
		}
		list = append(list, Segment{Op: Close})
	}
	return list
}
