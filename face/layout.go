package face

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode"

	"elicense/sheet"
)

// withheld stands where a copy for one use leaves a field out.
const withheld = "（本件未提供）"

// Design is a template made ready for one set of fonts: what is the same on
// every license of it is laid out once. Safe for concurrent use.
type Design struct {
	Template *Template

	fonts *sheet.FontSet
	fixed [][]sheet.Item // of each page
	texts [][]ready      // of each page, those that hold values or depend on one
}

// ready is a text of a template taken apart.
type ready struct {
	text  *Text
	parts []part
}

// Compile makes a template ready. Errors are *Defect.
func Compile(t *Template, fonts *sheet.FontSet) (*Design, error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	d := &Design{Template: t, fonts: fonts, fixed: make([][]sheet.Item, len(t.Pages)), texts: make([][]ready, len(t.Pages))}
	for i := range t.Pages {
		if err := d.compilePage(i); err != nil {
			return nil, onPage(err, i+1)
		}
	}
	return d, nil
}

func (d *Design) compilePage(i int) error {
	p := &d.Template.Pages[i]
	out := &sheet.Sheet{}
	s := &setter{fonts: d.fonts, out: out}
	if p.Ground != (sheet.Color{}) {
		out.Items = append(out.Items, &sheet.Path{Segments: sheet.Rect(0, 0, p.W, p.H), Fill: true, Color: p.Ground})
	}
	for _, c := range p.Pictures {
		if c.Kind != Photo && len(c.Data) > 0 {
			out.Items = append(out.Items, picture(c.At, c.MIME, c.Data))
		}
	}
	for _, b := range p.Borders {
		out.Items = append(out.Items, borderItems(b)...)
	}
	for _, r := range p.Rules {
		s.rule(r.From[0], r.From[1], r.To[0], r.To[1], r.Width, r.Color)
	}
	for j := range p.Texts {
		t := &p.Texts[j]
		list, err := parts(t.Text)
		if err != nil {
			return err
		}
		if t.With != "" || len(list) != 1 || list[0].key != "" {
			if len(list) > 0 {
				d.texts[i] = append(d.texts[i], ready{t, list})
			}
			continue
		}
		chars, err := s.append(nil, list[0].text, t.Font, t.Spacing, "", true)
		if err == nil {
			err = s.setText(chars, t, nil)
		}
		if err != nil {
			flaw := BadFit
			if missing := (*sheet.MissingGlyphError)(nil); errors.As(err, &missing) {
				flaw = BadGlyph
			}
			return flawed(ref(InTexts, j), t.Text, flaw, err)
		}
	}
	d.fixed[i] = out.Items
	return nil
}

// picture stretches an image over a rectangle, keeping its proportions is the
// importer's business.
func picture(at Rect, mime string, data []byte) *sheet.Image {
	return &sheet.Image{Data: data, MIME: mime, Matrix: sheet.Matrix{at[2], 0, 0, at[3], at[0], at[1]}}
}

// Pages are the pages of a license with the places of its seals.
type Pages struct {
	Sheets []sheet.Sheet
	Seals  []Place
}

// Layout sets data onto the pages of a face, and what does not fit there onto
// added pages. What a face has no place for is left out. Errors are *FieldError.
func (d *Design) Layout(data Data) (Pages, error) {
	l := &layout{design: d, data: &data}
	form := data.Form
	if form == "" {
		form = d.Template.Form
	}
	for i := range d.Template.Pages {
		p := &d.Template.Pages[i]
		if p.With != "" && !data.has(p.With) || p.Form != "" && p.Form != form {
			continue
		}
		if err := l.page(i); err != nil {
			return Pages{}, err
		}
	}
	if len(l.out.Sheets) == 0 {
		return Pages{}, &FieldError{d.Template.Pages[0].With, d.Template.Title, ErrEmpty}
	}
	for len(l.rests) > 0 {
		if err := l.annex(); err != nil {
			return Pages{}, err
		}
	}
	if err := l.finish(); err != nil {
		return Pages{}, err
	}
	return l.out, nil
}

// Layout compiles a template and sets one license's data.
func Layout(t *Template, data Data, fonts *sheet.FontSet) (Pages, error) {
	d, err := Compile(t, fonts)
	if err != nil {
		return Pages{}, err
	}
	return d.Layout(data)
}

// layout is one license being laid out.
type layout struct {
	design *Design
	data   *Data
	out    Pages
	s      setter
	rests  []rest
	later  []later
}

// rest is what of a value goes on on an added page.
type rest struct {
	key, label string
	chars      []char
	rows       []string // of a table
	table      *Table
	page       *Page // it stood on
	size       float64
	font       sheet.Style
	color      sheet.Color
}

// later is a text that holds the number of pages, set when it is known.
type later struct {
	page int
	ready
}

func (l *layout) page(i int) error {
	p := &l.design.Template.Pages[i]
	fixed := l.design.fixed[i]
	title := l.design.Template.Title
	for _, name := range []string{p.Form, p.Name} {
		if name != "" {
			title += " " + name
		}
	}
	l.begin(p.W, p.H, title, append(make([]sheet.Item, 0, len(fixed)+len(p.Texts)+8), fixed...), len(fixed))
	for j := range p.Pictures {
		if err := l.picture(&p.Pictures[j]); err != nil {
			return err
		}
	}
	for _, r := range l.design.texts[i] {
		if err := l.text(r, p); err != nil {
			return err
		}
	}
	for j := range p.Tables {
		if err := l.table(&p.Tables[j], p); err != nil {
			return err
		}
	}
	if p.Grid != nil {
		if err := l.s.grid(p.Grid, l.data); err != nil {
			return err
		}
	}
	for _, c := range p.Codes {
		if err := l.code(&c); err != nil {
			return err
		}
	}
	if p.Seal != nil {
		l.out.Seals = append(l.out.Seals, Place{len(l.out.Sheets) - 1, p.Seal.X, p.Seal.Y})
	}
	return nil
}

func (l *layout) begin(w, h float64, title string, items []sheet.Item, fixed int) {
	l.out.Sheets = append(l.out.Sheets, sheet.Sheet{W: w, H: h, Title: title, Items: items, Fixed: fixed})
	l.s.fonts, l.s.out = l.design.fonts, &l.out.Sheets[len(l.out.Sheets)-1]
}

// text sets a text that holds values.
func (l *layout) text(r ready, p *Page) error {
	if r.text.With != "" && !l.data.has(r.text.With) {
		return nil
	}
	for _, one := range r.parts {
		if one.key == "@page" || one.key == "@pages" {
			l.later = append(l.later, later{len(l.out.Sheets) - 1, r})
			return nil
		}
	}
	chars, key, err := l.chars(r, 0, 0)
	if err != nil || chars == nil {
		return err
	}
	var left *[]char
	if r.text.Flow {
		left = new([]char)
	}
	if err := l.s.setText(chars, r.text, left); err != nil {
		return &FieldError{key, l.label(key), err}
	}
	if left != nil && len(*left) > 0 {
		l.rests = append(l.rests, rest{key: key, label: l.label(key), chars: *left, page: p, size: max(r.text.Min, 9), font: r.text.Font, color: r.text.Color})
	}
	return nil
}

// chars measures a text with its values. A text of which no value is there is
// not set at all, unless it stands also without.
func (l *layout) chars(r ready, page, pages int) (chars []char, key string, err error) {
	t := r.text
	empty := true
	room := 8
	for _, one := range r.parts {
		room += len(one.text)
		for _, v := range l.data.value(one.key) {
			room += len(v)
		}
	}
	chars = make([]char, 0, room/3+8)
	for _, one := range r.parts {
		value, tag, label := one.text, "", true
		switch one.key {
		case "":
		case "@page":
			value, empty = fmt.Sprint(page), false
		case "@pages":
			value, empty = fmt.Sprint(pages), false
		default:
			if key == "" {
				key = one.key
			}
			value = l.data.text(one.key, one.format, t.Join)
			switch {
			case l.data.Withheld[one.key]:
				value, empty = withheld, false
			case value != "":
				tag, label, empty = l.s.place(one.key), false, false
			case t.Required:
				return nil, key, &FieldError{one.key, l.label(one.key), ErrEmpty}
			}
		}
		if chars, err = l.s.append(chars, value, t.Font, t.Spacing, tag, label); err != nil {
			return nil, key, &FieldError{key, l.label(key), err}
		}
	}
	if empty && key != "" || len(chars) == 0 {
		return nil, key, nil
	}
	return chars, key, nil
}

// text is a field as it is printed.
func (d *Data) text(key, form, join string) string {
	values := d.value(key)
	if len(values) == 1 {
		return format(trim(values[0]), form)
	}
	printed := make([]string, len(values))
	for i, v := range values {
		printed[i] = format(trim(v), form)
	}
	return joined(printed, join)
}

// label names a field by the text that stands before its place, for errors.
func (l *layout) label(key string) string {
	return l.design.Template.Label(key)
}

// Label names a field by the fixed text its place follows on the face.
func (t *Template) Label(key string) string {
	switch key {
	case KeyIssuer:
		return "签发单位"
	case KeyDate:
		return "签发日期"
	case KeyIdentifier:
		return "证照标识"
	}
	for i := range t.Pages {
		p := &t.Pages[i]
		if p.Grid != nil {
			for _, f := range p.Grid.Fields {
				if f.Key == key {
					return f.Label
				}
			}
		}
		for j := range p.Texts {
			list, _ := parts(p.Texts[j].Text)
			for k, one := range list {
				if one.key != key {
					continue
				}
				if k > 0 && list[k-1].key == "" {
					return trimLabel(list[k-1].text)
				}
				if j > 0 && !strings.ContainsAny(p.Texts[j-1].Text, "{}") {
					return trimLabel(p.Texts[j-1].Text)
				}
			}
		}
	}
	return key
}

func trimLabel(s string) string { return strings.Trim(s, " ：:　") }

func (l *layout) picture(c *Picture) error {
	if c.Kind == Photo {
		photo := l.data.Photos[c.Key]
		if len(photo.Data) > 0 && !l.data.Withheld[c.Key] {
			if err := checkImage(photo.MIME, photo.Data); err != nil {
				return &FieldError{c.Key, "照片", err}
			}
			l.s.out.Items = append(l.s.out.Items, picture(c.At, photo.MIME, photo.Data))
			return nil
		}
	}
	if !l.data.Proof || len(c.Data) > 0 {
		return nil
	}
	name := map[string]string{Photo: "照片", Emblem: "国徽位", Mark: "标志位", Image: "图片"}[c.Kind]
	l.s.out.Items = append(l.s.out.Items, &sheet.Path{
		Segments: dashes(c.At), Stroke: true, Width: 0.2, Color: proofColor,
	})
	chars, err := l.s.append(nil, name, sheet.Hei, 0, "", true)
	if err != nil {
		return err
	}
	_ = l.s.setText(chars, &Text{At: c.At, Size: 9, Min: 3, Align: Center, Color: proofColor}, nil) // the place may be too small for its name
	return nil
}

var proofColor = sheet.Color{R: 0x2f, G: 0x6f, B: 0x9f}

// dashes is a rectangle of short strokes.
func dashes(r Rect) []sheet.Segment {
	var list []sheet.Segment
	corners := [5]sheet.Point{{X: r[0], Y: r[1]}, {X: r[0] + r[2], Y: r[1]}, {X: r[0] + r[2], Y: r[1] + r[3]}, {X: r[0], Y: r[1] + r[3]}, {X: r[0], Y: r[1]}}
	for i := range 4 {
		a, b := corners[i], corners[i+1]
		n := max(2, int(math.Hypot(b.X-a.X, b.Y-a.Y)/2.4))
		for k := range n {
			f, g := float64(k)/float64(n), (float64(k)+0.6)/float64(n)
			list = append(list, sheet.Rule(a.X+(b.X-a.X)*f, a.Y+(b.Y-a.Y)*f, a.X+(b.X-a.X)*g, a.Y+(b.Y-a.Y)*g)...)
		}
	}
	return list
}

func (l *layout) code(c *Code) error {
	switch {
	case c.Kind == QRCode && l.data.QR != "":
		p, err := sheet.QR(l.data.QR, c.At[0], c.At[1], c.At[2])
		if err != nil {
			return fmt.Errorf("face %q: %w", l.design.Template.Title, err)
		}
		l.s.out.Items = append(l.s.out.Items, p)
	case c.Kind == Bars && !l.data.Withheld[c.Key]:
		text := l.data.text(c.Key, "", "")
		if text == "" {
			return nil
		}
		p, err := barcode(text, c.At)
		if err != nil {
			return &FieldError{c.Key, l.label(c.Key), fmt.Errorf("%w: %w", ErrPicture, err)}
		}
		l.s.out.Items = append(l.s.out.Items, p)
	}
	return nil
}

// rule draws a line, together with the one before if it looks the same.
func (s *setter) rule(x1, y1, x2, y2, width float64, c sheet.Color) {
	if n := len(s.out.Items); n > s.out.Fixed {
		if p, ok := s.out.Items[n-1].(*sheet.Path); ok && p.Stroke && !p.Fill && p.Width == width && p.Color == c && p.Matrix == nil {
			p.Segments = append(p.Segments, sheet.Rule(x1, y1, x2, y2)...)
			return
		}
	}
	s.out.Items = append(s.out.Items, &sheet.Path{Segments: sheet.Rule(x1, y1, x2, y2), Stroke: true, Width: width, Color: c})
}

// maxSheets bounds the pages of one license.
const maxSheets = 40

// finish sets what needs the number of pages, and what stands across all pages.
func (l *layout) finish() error {
	n := len(l.out.Sheets)
	if n > maxSheets {
		return &FieldError{l.rests0(), l.label(l.rests0()), ErrOverflow}
	}
	for _, t := range l.later {
		l.s.out = &l.out.Sheets[t.page]
		chars, key, err := l.chars(t.ready, t.page+1, n)
		if err == nil && chars != nil {
			err = l.s.setText(chars, t.text, nil)
		}
		if err != nil {
			return &FieldError{key, l.label(key), err}
		}
	}
	for i := range l.out.Sheets {
		l.s.out = &l.out.Sheets[i]
		if l.data.Sample {
			if err := l.s.sample(); err != nil {
				return err
			}
		}
		if l.data.Note != "" {
			if err := l.s.note(l.data.Note); err != nil {
				return err
			}
		}
		if l.data.Watermark != "" {
			if err := l.s.watermark(l.data.Watermark); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *layout) rests0() string {
	if len(l.rests) > 0 {
		return l.rests[0].key
	}
	return ""
}

// sample writes 样本 across the page and 演示数据 into its corner.
func (s *setter) sample() error {
	w, h := s.out.W, s.out.H
	size := min(72*pt, 0.32*min(w, h))
	if err := s.across("样本", sheet.Hei, size, w/2, h/2, -30, sheet.Color{R: 0x88, G: 0x88, B: 0x88}, 0.16); err != nil {
		return err
	}
	chars, err := s.append(nil, "演示数据", sheet.Hei, 0, "", true)
	if err != nil {
		return err
	}
	return s.setText(chars, &Text{At: Rect{w - 33, 0.8, 30, 3.8}, Size: min(9, max(5, w/26)), Min: 4, Align: Right, Color: sheet.Red}, nil)
}

// note writes a line into the upper margin that no face uses, between what copies
// (on the left) and samples (on the right) write there.
func (s *setter) note(text string) error {
	left := 5 + 12*min(7, s.out.W/18)*pt // twelve characters of a copy's mark
	return Note(s.out, s.fonts, text, Text{At: Rect{left, 0.8, s.out.W - left - 12, 3.8}, Size: max(5, min(7, s.out.W/18)), Min: 4, Color: sheet.Ink, Font: sheet.Hei})
}

// watermark repeats a line across the page.
func (s *setter) watermark(text string) error {
	w, h := s.out.W, s.out.H
	size := min(max(min(w, h)/26, 2.6), 7)
	step := max(h/4, 26)
	for y := step / 2; y < h; y += step {
		if err := s.across(text, sheet.Hei, size, w/2, y, -18, sheet.Color{R: 0x60, G: 0x60, B: 0x70}, 0.2); err != nil {
			return err
		}
	}
	return nil
}

// across writes one line around a point, turned by degrees, so faint that what
// is under it can be read; it is made smaller where it would leave the page.
func (s *setter) across(text string, font sheet.Style, size, x, y, degrees float64, c sheet.Color, opacity float64) error {
	chars, err := s.append(nil, text, font, 0.1, "", false)
	if err != nil {
		return err
	}
	l := newLine(chars)
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	if room := 0.96 * s.out.W / math.Abs(cos); l.width*size > room {
		size = room / l.width
	}
	first := len(s.out.Items)
	s.setLine(l, -l.width*size/2, (ascent-0.5)*size, size, 0, style{color: c})
	for _, it := range s.out.Items[first:] {
		t := it.(*sheet.Text)
		t.Opacity = opacity
		t.Matrix = &sheet.Matrix{cos, sin, -sin, cos, x, y}
	}
	return nil
}

// trim takes spaces off a value, but not the wide ones a paragraph begins with
// (GB/T 9704-2012 7.3.3: 左空二字).
func trim(v string) string {
	return strings.TrimRightFunc(strings.TrimLeft(v, " \t\r\n"), unicode.IsSpace)
}

// joined makes one text of a field's values; blank ones don't count.
func joined(values []string, join string) string {
	if len(values) == 1 {
		return trim(values[0])
	}
	var parts []string
	for _, v := range values {
		if v = trim(v); v != "" {
			parts = append(parts, v)
		}
	}
	if join == "" {
		join = Comma
	}
	return strings.Join(parts, join)
}

// Watermark repeats a line across a page that is laid out already, so faint that
// what is under it can be read. Errors are those of Note.
func Watermark(page *sheet.Sheet, fonts *sheet.FontSet, text string) error {
	return (&setter{fonts: fonts, out: page}).watermark(text)
}

// Note sets one text that is no part of a face onto a page, as a label: what is
// written on copies and prints. Errors are ErrOverflow or
// *sheet.MissingGlyphError.
func Note(page *sheet.Sheet, fonts *sheet.FontSet, text string, t Text) error {
	s := &setter{fonts: fonts, out: page}
	chars, err := s.append(nil, text, t.Font, t.Spacing, "", true)
	if err != nil {
		return err
	}
	return s.setText(chars, &t, nil)
}
