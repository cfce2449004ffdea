package sheet

import (
	"fmt"

	"rsc.io/qr"
)

// QR returns a QR code (GB/T 18284, error correction level M) as one path whose
// dark modules fill a square of the given side in mm with its upper left corner
// at (x, y). The quiet zone around it is the caller's.
func QR(text string, x, y, side float64) (*Path, error) {
	code, err := qr.Encode(text, qr.M)
	if err != nil {
		return nil, fmt.Errorf("QR code: %w", err)
	}
	module := side / float64(code.Size)
	type block struct{ x, y, w, h int }
	blocks := make([]block, 0, 256)
	done := make([]bool, code.Size*code.Size)
	dark := func(col, row int) bool {
		return col < code.Size && row < code.Size && code.Black(col, row) && !done[row*code.Size+col]
	}
	for row := range code.Size {
		for col := range code.Size {
			if !dark(col, row) {
				continue
			}
			w, h := 1, 1
			for dark(col+w, row) {
				w++
			}
			for darkRow(dark, col, w, row+h) {
				h++
			}
			for i := range w * h {
				done[(row+i/w)*code.Size+col+i%w] = true
			}
			blocks = append(blocks, block{col, row, w, h})
		}
	}
	// In whole modules, which are short to write.
	p := &Path{Fill: true, Color: Black, Matrix: &Matrix{module, 0, 0, module, x, y}, Segments: make([]Segment, 0, 5*len(blocks))}
	for _, b := range blocks {
		p.Segments = appendRect(p.Segments, float64(b.x), float64(b.y), float64(b.w), float64(b.h))
	}
	return p, nil
}

func darkRow(dark func(col, row int) bool, col, w, row int) bool {
	for i := range w {
		if !dark(col+i, row) {
			return false
		}
	}
	return true
}
