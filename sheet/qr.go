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
	p := &Path{Fill: true, Color: Black}
	for row := range code.Size {
		for col := 0; col < code.Size; col++ {
			first := col
			for col < code.Size && code.Black(col, row) {
				col++
			}
			if col > first {
				p.Segments = append(p.Segments, Rect(x+float64(first)*module, y+float64(row)*module,
					float64(col-first)*module, module)...)
			}
		}
	}
	return p, nil
}
