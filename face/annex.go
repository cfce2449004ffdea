package face

import (
	"strconv"
	"strings"

	"elicense/sheet"
)

// annexMargin is kept free around an added page, in parts of its shorter side.
const annexMargin = 0.08

// annex makes one added page (附页): the title, the number and the page's own
// number, as much of the values that go on as fits, the unit, the date and the
// seal. It is of the size of the page the first of them stood on.
func (l *layout) annex() error {
	if len(l.out.Sheets) >= maxSheets {
		return &FieldError{l.rests[0].key, l.rests[0].label, ErrOverflow}
	}
	p := l.rests[0].page
	t := l.design.Template
	l.begin(p.W, p.H, t.Title+" 附页", nil, 0)
	margin := annexMargin * min(p.W, p.H)
	width := p.W - 2*margin
	if p.Ground != (sheet.Color{}) {
		l.s.out.Items = append(l.s.out.Items, &sheet.Path{Segments: sheet.Rect(0, 0, p.W, p.H), Fill: true, Color: p.Ground})
	}
	l.s.out.Items = append(l.s.out.Items, &sheet.Path{
		Segments: sheet.Rect(margin/2, margin/2, p.W-margin, p.H-margin), Stroke: true, Width: 0.4, Color: bronze,
	})
	scale := min(1, min(p.W, p.H)/210)
	head := []Text{{At: Rect{margin, margin, width, 14 * scale}, Font: sheet.Title, Size: max(11, 22*scale), Min: 7, Align: Center, Text: t.Title + "（附页）"}}
	y := margin + 16*scale
	if t.Number != "" && l.data.has(t.Number) {
		head = append(head, Text{At: Rect{margin, y, width, 6}, Font: sheet.Song, Size: 10, Min: 6, Align: Left, Text: t.Label(t.Number) + "：{" + t.Number + "}"})
	}
	head = append(head, Text{At: Rect{margin, y, width, 6}, Font: sheet.Song, Size: 10, Min: 6, Align: Right, Text: "第{@page}页/共{@pages}页"})
	// The seal stands over the unit and the date, at the lower right.
	const seal = 42.0
	room := min(seal, p.W-2*margin, p.H/2)
	x := p.W - margin - room/2 - 4*scale
	foot := p.H - margin - room*0.75
	half := min(x-margin, p.W-margin/2-x)
	head = append(head,
		Text{At: Rect{x - half, foot + room*0.16, 2 * half, 7}, Font: sheet.Song, Size: 11, Min: 6, Align: Center, Text: "{@org}"},
		Text{At: Rect{x - half, foot + room*0.42, 2 * half, 7}, Font: sheet.Song, Size: 11, Min: 6, Align: Center, Text: "{@date}"})
	for i := range head {
		list, err := parts(head[i].Text)
		if err != nil {
			return err
		}
		if err := l.text(ready{&head[i], list}, p); err != nil {
			return err
		}
	}
	l.out.Seals = append(l.out.Seals, Place{len(l.out.Sheets) - 1, x, p.H - margin - room*0.5})
	return l.fillAnnex(margin, y+8, width, foot-2-(y+8))
}

// fillAnnex puts what goes on into the room of an added page.
func (l *layout) fillAnnex(x, y, width, height float64) error {
	end := y + height
	for len(l.rests) > 0 && y < end-8 {
		r := &l.rests[0]
		title := Text{At: Rect{x, y, width, 6}, Font: sheet.Hei, Size: 10.5, Min: 7}
		chars, err := l.s.append(nil, r.label+"（续）", title.Font, 0, "", true)
		if err == nil {
			err = l.s.setText(chars, &title, nil)
		}
		if err != nil {
			return &FieldError{r.key, r.label, err}
		}
		y += 7.5
		if r.table != nil {
			var used float64
			if used, err = l.rows(r.table, &r.rows, Rect{x, y, width, end - y}); err != nil {
				return err
			}
			if len(r.rows) > 0 {
				return nil // the page is full
			}
			y += used + 4
			l.rests = l.rests[1:]
			continue
		}
		size := r.size * pt
		lines := breakLines(r.chars, width/size)
		fit := min(int((end-y-size)/(leading*size))+1, len(lines))
		if fit < 1 {
			return nil
		}
		box := Text{At: Rect{x, y, width, end - y}, Align: Left, Top: true}
		st := style{color: r.color}
		used := 0
		for _, line := range lines[:fit] {
			used += line.taken
		}
		l.s.setLines(lines[:fit], &box, size, leading, st)
		if fit < len(lines) {
			r.chars = r.chars[used:]
			return nil
		}
		y += float64(fit)*leading*size + 5
		l.rests = l.rests[1:]
	}
	return nil
}

// table sets a list as rows; those that don't fit go on on an added page.
func (l *layout) table(t *Table, p *Page) error {
	if l.data.Withheld[t.Key] {
		chars, err := l.s.append(nil, withheld, sheet.Song, 0, "", true)
		if err != nil {
			return err
		}
		return l.s.setText(chars, &Text{At: t.At, Size: t.Size, Top: true, Color: t.Color}, nil)
	}
	var rows []string
	for i, v := range l.data.value(t.Key) {
		if v = strings.TrimSpace(v); v != "" {
			rows = append(rows, strconv.Itoa(i+1)+"|"+v)
		}
	}
	if len(rows) == 0 {
		return nil
	}
	if _, err := l.rows(t, &rows, t.At); err != nil {
		return err
	}
	if len(rows) > 0 {
		l.rests = append(l.rests, rest{key: t.Key, label: l.label(t.Key), rows: rows, table: t, page: p})
	}
	return nil
}

// rows draws the head of a table and as many rows as fit, takes them from the
// list and tells how high they are.
func (l *layout) rows(t *Table, rows *[]string, at Rect) (used float64, err error) {
	widths := t.widths(at[2])
	size := t.Size * pt
	const pad = 1.2
	y := at[1]
	edges := []float64{y}
	draw := func(cells []string, font sheet.Style, tag string) (bool, error) {
		height := 0.0
		set := make([][]line, len(cells))
		for i, c := range cells {
			chars, err := l.s.append(nil, c, font, 0, tag, tag == "")
			if err != nil {
				return false, &FieldError{t.Key, l.label(t.Key), err}
			}
			set[i] = breakLines(chars, (widths[i]-2*pad)/size)
			height = max(height, float64(len(set[i])-1)*leading*size+size)
		}
		height += 2 * pad
		if y+height > at[1]+at[3]+1e-6 {
			return false, nil
		}
		x := at[0]
		for i := range cells {
			box := Text{At: Rect{x + pad, y, widths[i] - 2*pad, height}, Align: Left}
			l.s.setLines(set[i], &box, size, leading, style{color: t.Color})
			x += widths[i]
		}
		y += height
		edges = append(edges, y)
		return true, nil
	}
	heads := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		heads[i] = c.Title
	}
	if _, err := draw(heads, sheet.Hei, ""); err != nil {
		return 0, err
	}
	tag := ""
	for len(*rows) > 0 {
		if tag == "" {
			tag = l.s.place(t.Key)
		}
		fits, err := draw(t.cells((*rows)[0]), sheet.Song, tag)
		if err != nil {
			return 0, err
		}
		if !fits {
			break
		}
		*rows = (*rows)[1:]
	}
	if len(edges) < 3 && len(*rows) > 0 {
		return 0, &FieldError{t.Key, l.label(t.Key), ErrOverflow} // one row is higher than a page
	}
	for _, e := range edges {
		l.s.rule(at[0], e, at[0]+at[2], e, 0.2, t.Color)
	}
	x := at[0]
	l.s.rule(x, at[1], x, y, 0.2, t.Color)
	for _, w := range widths {
		x += w
		l.s.rule(x, at[1], x, y, 0.2, t.Color)
	}
	return y - at[1], nil
}

// cells parts a row; its number stands first, for a column that counts.
func (t *Table) cells(row string) []string {
	all := strings.Split(row, "|")
	number, all := all[0], all[1:]
	cells := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		switch {
		case c.Title == "序号":
			cells[i] = number
		case i == len(t.Columns)-1:
			cells[i] = strings.TrimSpace(strings.Join(all, "|"))
		case len(all) > 0:
			cells[i], all = strings.TrimSpace(all[0]), all[1:]
		}
	}
	return cells
}

func (t *Table) widths(total float64) []float64 {
	list := make([]float64, len(t.Columns))
	free, left := 0, total
	for i, c := range t.Columns {
		if list[i] = c.W; c.W <= 0 {
			free++
		}
		left -= c.W
	}
	for i := range list {
		if list[i] <= 0 {
			list[i] = max(left/float64(free), 5)
		}
	}
	return list
}
