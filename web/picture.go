package web

import (
	"fmt"
	"html/template"
	"strings"

	"rsc.io/qr"
)

// qrPicture draws a QR code as one SVG path, with a quiet zone of two modules.
func qrPicture(text, label string) (template.HTML, error) {
	c, err := qr.Encode(text, qr.M)
	if err != nil {
		return "", fmt.Errorf("QR code: %w", err)
	}
	const quiet = 2
	var d strings.Builder
	for y := range c.Size {
		for x := 0; x < c.Size; x++ {
			n := 0
			for x+n < c.Size && c.Black(x+n, y) {
				n++
			}
			if n > 0 {
				fmt.Fprintf(&d, "M%d %dh%dv1h-%dz", x+quiet, y+quiet, n, n)
				x += n
			}
		}
	}
	side := c.Size + 2*quiet
	return template.HTML(fmt.Sprintf(`<svg viewBox="0 0 %d %d" role="img" aria-label="%s" shape-rendering="crispEdges"><path class="f-ink" d="%s"/></svg>`,
		side, side, template.HTMLEscapeString(label), d.String())), nil
}

// treeStep is one neighbor on the way from a record to the root of its log.
type treeStep struct {
	N    int
	Left bool // the neighbor stands on the left
	Hash string
	Y    int
	X    int // of the neighbor's box
	From int // where its line ends
}

// tree lays out the path of a proof, the record at the bottom and the root on
// top, with each neighbor on its side (RFC 6962).
type tree struct {
	Steps      []treeStep
	Root, Leaf string
	Height     int
	LeafY      int
}

const (
	treeRow    = 28
	treeTop    = 58
	treeMiddle = 280
)

func treeOf(index, size uint64, path []string, leaf, root string) tree {
	t := tree{Root: cut(root), Leaf: cut(leaf)}
	fn, sn := index, size-1
	for i, h := range path {
		left := fn&1 == 1 || fn == sn
		if left {
			for fn&1 == 0 && fn != 0 {
				fn, sn = fn>>1, sn>>1
			}
		}
		fn, sn = fn>>1, sn>>1
		st := treeStep{N: i + 1, Left: left, Hash: cut(h), Y: treeTop + (len(path)-1-i)*treeRow, X: 346, From: 346}
		if left {
			st.X, st.From = 66, 214
		}
		t.Steps = append(t.Steps, st)
	}
	t.LeafY = treeTop + len(path)*treeRow + 8
	t.Height = t.LeafY + 40
	return t
}

func cut(h string) string {
	if len(h) > 16 {
		return h[:16] + "…"
	}
	return h
}
