package face

import (
	"fmt"
	"math"
	"strings"

	"elicense/sheet"
)

// none stands where an optional field has no value.
const none = "—"

// Layout sets data onto the pages of a face. What a face has no place for is
// left out. Errors are *FieldError, or say what is wrong with the template.
func Layout(t *Template, d Data, fonts *sheet.FontSet) ([]sheet.Sheet, error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	page := sheet.Sheet{W: t.W, H: t.H, Title: t.Title, Items: make([]sheet.Item, 0, 64)}
	s := &setter{fonts: fonts, out: &page}
	if d.Sample {
		if err := s.sample(t); err != nil {
			return nil, err
		}
	}
	for _, f := range t.Frames {
		page.Items = append(page.Items, &sheet.Path{Segments: sheet.Rect(f.X, f.Y, f.W, f.H), Stroke: true, Width: f.Width, Color: f.Color})
	}
	for _, r := range t.Rules {
		s.rule(r.X1, r.Y1, r.X2, r.Y2, r.Width, r.Color)
	}
	for i := range t.Labels {
		l := &t.Labels[i]
		if err := s.setArea(l.Text, &l.Area, style{label: true}); err != nil {
			return nil, fmt.Errorf("face %q: text %q: %w", t.Title, l.Text, err)
		}
	}
	for i := range t.Boxes {
		if err := s.box(&t.Boxes[i], &d); err != nil {
			return nil, err
		}
	}
	if t.Grid != nil {
		if err := s.grid(t.Grid, &d); err != nil {
			return nil, err
		}
	}
	if t.QR != nil && d.QR != "" {
		p, err := sheet.QR(d.QR, t.QR.X, t.QR.Y, t.QR.Side)
		if err != nil {
			return nil, fmt.Errorf("face %q: %w", t.Title, err)
		}
		page.Items = append(page.Items, p)
	}
	return []sheet.Sheet{page}, nil
}

// rule draws a line, together with the one before if it looks the same.
func (s *setter) rule(x1, y1, x2, y2, width float64, c sheet.Color) {
	if n := len(s.out.Items); n > 0 {
		if p, ok := s.out.Items[n-1].(*sheet.Path); ok && p.Stroke && !p.Fill && p.Width == width && p.Color == c {
			p.Segments = append(p.Segments, sheet.Rule(x1, y1, x2, y2)...)
			return
		}
	}
	s.out.Items = append(s.out.Items, &sheet.Path{Segments: sheet.Rule(x1, y1, x2, y2), Stroke: true, Width: width, Color: c})
}

// sample writes 样张 across the page, under everything else.
func (s *setter) sample(t *Template) error {
	chars, err := s.measure("样张", sheet.Hei, 0.3)
	if err != nil {
		return err
	}
	l := newLine(chars)
	size := min(t.W, t.H) * 0.32
	first := len(s.out.Items)
	s.setLine(l, -(l.width-0.3)*size/2, (ascent-0.5)*size, size, 0, style{color: sheet.Color{R: 0xea, G: 0xea, B: 0xe8}})
	sin, cos := math.Sincos(-math.Pi / 6)
	for _, it := range s.out.Items[first:] {
		it.(*sheet.Text).Matrix = &sheet.Matrix{cos, sin, -sin, cos, t.W / 2, t.H / 2}
	}
	return nil
}

func (s *setter) box(b *Box, d *Data) error {
	text := joined(d.value(b.Key), b.Join)
	if text == "" {
		if b.Required {
			return &FieldError{b.Key, b.Label, ErrEmpty}
		}
		return nil
	}
	if err := s.setArea(text, &b.Area, style{tag: b.Key}); err != nil {
		return &FieldError{b.Key, b.Label, err}
	}
	return nil
}

// joined makes one text of a field's values; blank ones don't count.
func joined(values []string, join string) string {
	if len(values) == 1 {
		return strings.TrimSpace(values[0])
	}
	var parts []string
	for _, v := range values {
		if v = strings.TrimSpace(v); v != "" {
			parts = append(parts, v)
		}
	}
	if join == "" {
		join = Comma
	}
	return strings.Join(parts, join)
}

// cell is a field of a grid with its text measured and, in the end, set.
type cell struct {
	field  *Field
	label  []char
	value  []char
	empty  bool
	x, w   float64 // of the whole cell
	size   float64 // of the value, mm
	lines  []line
	labels []line
	small  bool // the label is set in the smaller size
}

const (
	labelSize    = 10.5 * pt
	smallLabel   = 9 * pt // for labels that are too long for it
	labelGap     = 3.0    // between label and value, mm
	rowPad       = 2.1    // above and below the text of a row, mm
	rowMax       = 18.0   // the height a row of one line may grow to, mm
	hairline     = 0.15   // mm
	longLines    = 2      // a value of more lines than this is long
	plainMinSize = 9.0    // pt other values may shrink to
	oneLineSize  = 0.8    // of its size a value may shrink to rather than take two lines
)

// grid sets the rows of a grid: everything in the size wished for, then long
// values smaller and smaller, then all others too, until the rows fit.
func (s *setter) grid(g *Grid, d *Data) error {
	rows, err := s.gridRows(g, d)
	if err != nil {
		return err
	}
	for long := g.Size; long >= g.Min-1e-9; long -= 0.5 {
		plain := max(min(g.Size, long+2.5), min(plainMinSize, g.Size))
		heights, total := s.rowHeights(g, rows, plain*pt, long*pt)
		if total <= g.H {
			s.drawGrid(g, rows, heights, g.H-total)
			return nil
		}
	}
	longest := &rows[0][0]
	for _, row := range rows {
		for i := range row {
			if len(row[i].lines) > len(longest.lines) {
				longest = &row[i]
			}
		}
	}
	return &FieldError{longest.field.Key, longest.field.Label, ErrOverflow}
}

// gridRows measures the cells and puts them into rows: wide ones alone, others
// in pairs. One that would need more than two lines of its half gets a row.
func (s *setter) gridRows(g *Grid, d *Data) ([][]cell, error) {
	cells := make([]cell, 0, len(g.Fields))
	half := (g.W - g.Gap) / 2
	for i := range g.Fields {
		f := &g.Fields[i]
		c := cell{field: f}
		text := joined(d.value(f.Key), f.Join)
		if text == "" {
			if f.Required {
				return nil, &FieldError{f.Key, f.Label, ErrEmpty}
			}
			text, c.empty = none, true
		}
		var err error
		if c.value, err = s.measure(text, sheet.Song, 0); err != nil {
			return nil, &FieldError{f.Key, f.Label, err}
		}
		if c.label, err = s.measure(f.Label, sheet.Hei, 0); err != nil {
			return nil, &FieldError{f.Key, f.Label, err}
		}
		c.w = half
		if f.Wide || len(breakLines(c.value, (half-g.LabelW)/(g.Size*pt))) > longLines {
			c.w = g.W
		}
		cells = append(cells, c)
	}
	rows := make([][]cell, 0, len(cells))
	for i := 0; i < len(cells); i++ {
		cells[i].x = g.X
		if cells[i].w < g.W && i+1 < len(cells) && cells[i+1].w < g.W {
			cells[i+1].x = g.X + half + g.Gap
			rows = append(rows, cells[i:i+2])
			i++
			continue
		}
		cells[i].w = g.W // alone in its row
		rows = append(rows, cells[i:i+1])
	}
	return rows, nil
}

func (s *setter) rowHeights(g *Grid, rows [][]cell, plain, long float64) (heights []float64, total float64) {
	heights = make([]float64, len(rows))
	for r, row := range rows {
		for i := range row {
			c := &row[i]
			c.setValue(c.w-g.LabelW, plain, long)
			c.setLabel(g.LabelW - labelGap)
			h := c.size * (1 + leading*float64(len(c.lines)-1))
			if n := len(c.labels); n > 1 {
				h = max(h, smallLabel*(1+1.25*float64(n-1)))
			}
			heights[r] = max(heights[r], h+2*rowPad)
		}
		total += heights[r]
	}
	return heights, total
}

// setValue breaks the value into lines of the given width.
func (c *cell) setValue(width, plain, long float64) {
	c.size = plain
	c.lines = breakLines(c.value, width/c.size)
	switch n := len(c.lines); {
	case n == 2:
		if one := newLine(c.value); one.width*plain*oneLineSize <= width && len(one.chars) == len(c.lines[0].chars)+len(c.lines[1].chars) {
			c.size = min(plain, width/one.width)
			c.lines = []line{one}
		}
	case n > longLines && long < plain:
		c.size = long
		c.lines = breakLines(c.value, width/c.size)
	}
}

// setLabel breaks the label, before its bracket if it has one.
func (c *cell) setLabel(width float64) {
	c.labels, c.small = breakLines(c.label, width/labelSize), false
	if len(c.labels) == 1 {
		return
	}
	c.small = true
	if c.labels = breakLines(c.label, width/smallLabel); len(c.labels) == 1 {
		return
	}
	for i, ch := range c.label {
		if (ch.r == '(' || ch.r == '（') && i > 0 {
			c.labels = append(breakLines(c.label[:i], width/smallLabel), breakLines(c.label[i:], width/smallLabel)...)
			return
		}
	}
}

// drawGrid draws the rows, one after another, with the spare height shared out
// among them.
func (s *setter) drawGrid(g *Grid, rows [][]cell, heights []float64, spare float64) {
	grow := 0.0
	if len(rows) > 0 {
		grow = max(0, min(spare/float64(len(rows)), rowMax-(g.Size*pt+2*rowPad)))
	}
	y := g.Y
	s.rule(g.X, y, g.X+g.W, y, hairline, g.Line)
	for _, h := range heights {
		y += h + grow
		s.rule(g.X, y, g.X+g.W, y, hairline, g.Line)
	}
	y = g.Y
	for r, row := range rows {
		for i := range row {
			s.drawCell(g, &row[i], y+rowPad+grow/2)
		}
		y += heights[r] + grow
	}
}

// drawCell draws a label and its value, the first lines on one baseline.
func (s *setter) drawCell(g *Grid, c *cell, top float64) {
	base := top + ascent*c.size
	labels := Area{X: c.x, W: g.LabelW - labelGap, Align: Left}
	size := labelSize
	if c.small {
		size = smallLabel
		base = max(base, top+ascent*size)
	} else if n := len(c.labels[0].chars); n > 1 && n <= 6 {
		// A short label is spread to the width of four characters, so that the
		// labels of a face end at one edge.
		labels.Align, labels.W = Spread, max(4*size, c.labels[0].width*size)
	}
	for i, l := range c.labels {
		s.align(l, &labels, base+float64(i)*1.25*size, size, style{color: g.Soft, label: true})
	}
	st := style{color: g.Ink, tag: c.field.Key}
	if c.empty {
		st = style{color: g.Soft, label: true}
	}
	value := Area{X: c.x + g.LabelW, W: c.w - g.LabelW, Align: Left}
	for i, l := range c.lines {
		s.align(l, &value, top+ascent*c.size+float64(i)*leading*c.size, c.size, st)
	}
}
