package sheet

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"rsc.io/qr/coding"
)

// QR returns a QR code (GB/T 18284, error correction level M) as one path whose
// dark modules fill a square of the given side in mm with its upper left corner
// at (x, y). The quiet zone around it is the caller's.
func QR(text string, x, y, side float64) (*Path, error) {
	code, err := encodeQR(text)
	if err != nil {
		return nil, fmt.Errorf("QR code: %w", err)
	}
	half := side / float64(code.Size) / 2
	// In halves of modules, of which all numbers are whole and short to write.
	return &Path{Stroke: true, Width: 2 * (1 + overlap), Color: Black, Matrix: &Matrix{half, 0, 0, half, x, y}, Strokes: rows(code.Size, code.Black)}, nil
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

// overlap is how much thicker than a module a row of a code is drawn, so that no
// light shines through between two rows.
const overlap = 0.03

// rows draws the dark modules of a square of n by n as strokes along each row, in
// halves of modules: half as long to write as the outlines of what they form.
func rows(n int, black func(x, y int) bool) []Stroke {
	var room [1024]Stroke // a code of a license has some 300
	list := room[:0]
	for y := range n {
		dark := false
		for x := range n {
			if black(x, y) == dark {
				continue
			}
			if dark = !dark; dark {
				list = append(list, Stroke{From: int16(2 * x), To: int16(2 * n), Y: int16(2*y + 1)})
			} else {
				list[len(list)-1].To = int16(2 * x)
			}
		}
	}
	return slices.Clone(list)
}
