package face

import (
	"fmt"

	"elicense/sheet"
)

// code128 are the widths of bars and spaces of each symbol of Code 128 (GB/T
// 18347), beginning with a bar; the last is the stop symbol.
var code128 = [107]string{
	"212222", "222122", "222221", "121223", "121322", "131222", "122213", "122312", "132212", "221213", "221312", "231212",
	"112232", "122132", "122231", "113222", "123122", "123221", "223211", "221132", "221231", "213212", "223112", "312131",
	"311222", "321122", "321221", "312212", "322112", "322211", "212123", "212321", "232121", "111323", "131123", "131321",
	"112313", "132113", "132311", "211313", "231113", "231311", "112133", "112331", "132131", "113123", "113321", "133121",
	"313121", "211331", "231131", "213113", "213311", "213131", "311123", "311321", "331121", "312113", "312311", "332111",
	"314111", "221411", "431111", "111224", "111422", "121124", "121421", "141122", "141221", "112214", "112412", "122114",
	"122411", "142112", "142211", "241211", "221114", "413111", "241112", "134111", "111242", "121142", "121241", "114212",
	"124112", "124211", "411212", "421112", "421211", "212141", "214121", "412121", "111143", "111341", "131141", "114113",
	"114311", "411113", "411311", "113141", "114131", "311141", "411131", "211412", "211214", "211232", "2331112",
}

const (
	startB = 104
	stop   = 106
)

// barcode draws text as Code 128, set B, which holds printable ASCII.
func barcode(text string, at Rect) (sheet.Item, error) {
	if text == "" || len(text) > 40 {
		return nil, fmt.Errorf("bar code of %d characters", len(text))
	}
	symbols := []int{startB}
	sum := startB
	for i := range len(text) {
		c := text[i]
		if c < 0x20 || c > 0x7e {
			return nil, fmt.Errorf("bar code: character %q", c)
		}
		symbols = append(symbols, int(c)-0x20)
		sum += (i + 1) * (int(c) - 0x20)
	}
	symbols = append(symbols, sum%103, stop)
	modules := 11*len(symbols) + 2
	p := &sheet.Path{Fill: true, Color: sheet.Black, Matrix: &sheet.Matrix{at[2] / float64(modules), 0, 0, at[3], at[0], at[1]}}
	x := 0.0
	for _, s := range symbols {
		for i, w := range code128[s] {
			width := float64(w - '0')
			if i%2 == 0 {
				p.Segments = append(p.Segments, sheet.Rect(x, 0, width, 1)...)
			}
			x += width
		}
	}
	return p, nil
}
