package face

import "elicense/sheet"

// none stands where an optional field of a grid has no value.
const none = "—"

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
		if total <= g.At[3] {
			s.drawGrid(g, rows, heights, g.At[3]-total)
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
	half := (g.At[2] - g.Gap) / 2
	for i := range g.Fields {
		f := &g.Fields[i]
		c := cell{field: f}
		text := d.text(f.Key, "", f.Join)
		switch {
		case d.Withheld[f.Key]:
			text, c.empty = withheld, true
		case text == "":
			if f.Required {
				return nil, &FieldError{f.Key, f.Label, ErrEmpty}
			}
			text, c.empty = none, true
		}
		var err error
		tag := ""
		if !c.empty {
			tag = s.place(f.Key)
		}
		if c.value, err = s.append(nil, text, sheet.Song, 0, tag, c.empty); err != nil {
			return nil, &FieldError{f.Key, f.Label, err}
		}
		if c.label, err = s.append(nil, f.Label, sheet.Hei, 0, "", true); err != nil {
			return nil, &FieldError{f.Key, f.Label, err}
		}
		c.w = half
		if f.Wide || len(breakLines(c.value, (half-g.LabelW)/(g.Size*pt))) > longLines {
			c.w = g.At[2]
		}
		cells = append(cells, c)
	}
	rows := make([][]cell, 0, len(cells))
	for i := 0; i < len(cells); i++ {
		cells[i].x = g.At[0]
		if cells[i].w < g.At[2] && i+1 < len(cells) && cells[i+1].w < g.At[2] {
			cells[i+1].x = g.At[0] + half + g.Gap
			rows = append(rows, cells[i:i+2])
			i++
			continue
		}
		cells[i].w = g.At[2] // alone in its row
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
	y := g.At[1]
	s.rule(g.At[0], y, g.At[0]+g.At[2], y, hairline, g.Line)
	for _, h := range heights {
		y += h + grow
		s.rule(g.At[0], y, g.At[0]+g.At[2], y, hairline, g.Line)
	}
	y = g.At[1]
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
	labels := Text{At: Rect{c.x, 0, g.LabelW - labelGap}, Align: Left}
	size := labelSize
	if c.small {
		size = smallLabel
		base = max(base, top+ascent*size)
	} else if n := len(c.labels[0].chars); n > 1 && n <= 6 {
		// A short label is spread to the width of four characters, so that the
		// labels of a face end at one edge.
		labels.Align, labels.At[2] = Spread, max(4*size, c.labels[0].width*size)
	}
	for i, l := range c.labels {
		s.align(l, &labels, base+float64(i)*1.25*size, size, style{color: g.Soft})
	}
	st := style{color: g.Ink}
	if c.empty {
		st.color = g.Soft
	}
	value := Text{At: Rect{c.x + g.LabelW, 0, c.w - g.LabelW}, Align: Left}
	for i, l := range c.lines {
		s.align(l, &value, top+ascent*c.size+float64(i)*leading*c.size, c.size, st)
	}
}
