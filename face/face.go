// Package face lays the data of a license out onto the pages of its face (照面).
// A face is data, a Template, kept with the version of the license type it
// belongs to: grounds and borders, fixed texts, places of fields, pictures, the
// QR code and the seal. Laying out wraps, shrinks, joins and continues on added
// pages, and refuses what does not fit or can't be drawn rather than cut it.
//
// The work that is the same for all licenses of one design is done once, in
// Compile; Design.Layout sets one license's data.
package face

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"elicense/sheet"
)

// Template is the design of a face (Art. 6(4)). Lengths are mm from the upper
// left corner, sizes of type are points of 0.3528 mm.
type Template struct {
	Title  string `json:"title"`            // what the license is called; also names the picture
	Number string `json:"number,omitempty"` // key of the field with the number, repeated on added pages
	Notice string `json:"notice,omitempty"` // the notice or rule the wording and layout follow
	// Form is the form a license is sealed in where there are several: the
	// original (正本) or a duplicate (副本). Both are of equal effect and of one
	// status; the others can be drawn of the same data at any time.
	Form  string `json:"form,omitempty"`
	Pages []Page `json:"pages"`
}

// Page is one page of a face.
type Page struct {
	Form     string      `json:"form,omitempty"` // the form it belongs to; of every form if empty
	Name     string      `json:"name,omitempty"` // 第2页, 附表 …
	W        float64     `json:"w"`
	H        float64     `json:"h"`
	With     string      `json:"with,omitempty"`  // key: the page is there only if this field has a value
	Ground   sheet.Color `json:"ground,omitzero"` // flat tint of the paper; black, the zero colour, is none
	Borders  []Border    `json:"borders,omitempty"`
	Rules    []Rule      `json:"rules,omitempty"`
	Texts    []Text      `json:"texts,omitempty"`
	Tables   []Table     `json:"tables,omitempty"`
	Pictures []Picture   `json:"pictures,omitempty"`
	Codes    []Code      `json:"codes,omitempty"`
	Grid     *Grid       `json:"grid,omitempty"`
	Seal     *Seal       `json:"seal,omitempty"`
}

// Rect is a rectangle: x, y, width, height.
type Rect [4]float64

func (r Rect) overlaps(o Rect) bool {
	const hair = 0.05
	return r[0]+hair < o[0]+o[2] && o[0]+hair < r[0]+r[2] && r[1]+hair < o[1]+o[3] && o[1]+hair < r[1]+r[3]
}

// BorderKind is how a border is drawn.
type BorderKind string

// The kinds of borders.
const (
	Single    BorderKind = "single"
	Double    BorderKind = "double"    // a thick and a thin line
	Guilloche BorderKind = "guilloche" // interlaced waves between two lines
)

// Border is a frame around a part of the page.
type Border struct {
	At    Rect        `json:"at"`
	Kind  BorderKind  `json:"kind"`
	Width float64     `json:"width"` // of the line; of the whole band for a guilloche
	Color sheet.Color `json:"color"`
}

// Rule is a straight line.
type Rule struct {
	From  [2]float64  `json:"from"`
	To    [2]float64  `json:"to"`
	Width float64     `json:"width"`
	Color sheet.Color `json:"color,omitzero"`
}

// Seal is where the seal goes: its centre. D is the room left for it; a seal is
// always stamped in its own real size.
type Seal struct {
	X float64 `json:"x"`
	Y float64 `json:"y"`
	D float64 `json:"d"`
}

// Place is where a seal is stamped on a document that was laid out.
type Place struct {
	Page int // from 0
	X, Y float64
}

// Align is how a line stands in its box.
type Align string

// The alignments. Spread (分散对齐) lets the characters of a label reach from
// edge to edge.
const (
	Left   Align = "left"
	Center Align = "center"
	Right  Align = "right"
	Spread Align = "spread"
)

// Text is a text with its box and how it is set in it. Places in braces stand
// for values: {key} for a field, {key:D0} for one in a format, {@org}, {@date},
// {@id}, {@page} and {@pages} for what every license has. A text without any is
// a label.
//
// The formats of dates are D0 2026年01月05日, D1 2026年1月5日 (which is also how
// a date without a format is set) and D2 二〇二六年一月五日.
type Text struct {
	ID       string      `json:"id,omitempty"` // names the text in the editor
	At       Rect        `json:"at"`
	Font     sheet.Style `json:"font"`
	Size     float64     `json:"pt"`
	Min      float64     `json:"min,omitempty"`     // pt it may shrink to; 0 is Size
	Align    Align       `json:"align,omitempty"`   // Left if empty
	Wrap     bool        `json:"wrap,omitempty"`    // on several lines
	Top      bool        `json:"top,omitempty"`     // begins at the top of the box; otherwise it stands in the middle
	Lead     float64     `json:"lead,omitempty"`    // mm left free above the first line of a text that begins at the top
	Pitch    float64     `json:"pitch,omitempty"`   // of lines, in sizes; 0 is 1.35
	Spacing  float64     `json:"spacing,omitempty"` // between characters, in sizes
	Color    sheet.Color `json:"color,omitzero"`
	Text     string      `json:"text"`
	With     string      `json:"with,omitempty"` // key: the text is there only if this field has a value
	Required bool        `json:"required,omitempty"`
	Join     string      `json:"join,omitempty"` // between the parts of a list, Comma if empty
	Flow     bool        `json:"flow,omitempty"` // what does not fit goes on on an added page (附页)
}

// How the parts of a list are joined.
const (
	Comma = "、"
	Lines = "\n" // each part on a line of its own
)

// Table is a ruled list: each part of the field's value is a row, its cells
// parted by vertical bars. It goes on on added pages.
type Table struct {
	ID      string      `json:"id,omitempty"`
	At      Rect        `json:"at"`
	Key     string      `json:"key"`
	Size    float64     `json:"pt"`
	Color   sheet.Color `json:"color,omitzero"`
	Columns []Column    `json:"columns"`
}

// Column is a column of a table. A width of 0 shares what room is left; the
// column titled 序号 counts the rows.
type Column struct {
	Title string  `json:"title"`
	W     float64 `json:"w,omitempty"`
}

// The kinds of pictures.
const (
	Photo  = "photo"  // of the holder, a field of the license
	Emblem = "emblem" // the national emblem: a place kept empty for the unit's own import
	Mark   = "mark"   // another reserved mark, such as CMA
	Image  = "image"  // any other picture, such as a printed ground
)

// Picture is the place of a picture. The national emblem and reserved marks are
// never drawn by the platform: the unit imports the standard file with the legal
// basis of its use (国徽法 art. 6, 13), and until then the place stays empty.
type Picture struct {
	ID    string `json:"id,omitempty"`
	At    Rect   `json:"at"`
	Kind  string `json:"kind"`
	Key   string `json:"key,omitempty"`   // of the field, for a photo
	MIME  string `json:"mime,omitempty"`  // image/png or image/jpeg
	Data  []byte `json:"data,omitempty"`  // imported
	Basis string `json:"basis,omitempty"` // legal basis of an import
}

// The kinds of codes.
const (
	QRCode = "qr"
	Bars   = "code128"
)

// Code is the place of a machine-readable code: the QR code with the address of
// the license's check page, or the bars of a number.
type Code struct {
	ID   string `json:"id,omitempty"`
	At   Rect   `json:"at"`
	Kind string `json:"kind"`
	Key  string `json:"key,omitempty"` // of the field, for bars
}

// Field is a field of a grid.
type Field struct {
	Key      string `json:"key"`
	Label    string `json:"label"`
	Wide     bool   `json:"wide,omitempty"` // takes the whole row
	Required bool   `json:"required,omitempty"`
	Join     string `json:"join,omitempty"`
}

// Grid is a table of labels and values in two columns. Its rows are as high as
// their values need and share what room is left; long values shrink first.
type Grid struct {
	At     Rect        `json:"at"`
	LabelW float64     `json:"labelW"`
	Gap    float64     `json:"gap"` // between the columns
	Size   float64     `json:"pt"`  // of values
	Min    float64     `json:"min"` // pt long values may shrink to
	Ink    sheet.Color `json:"ink"`
	Soft   sheet.Color `json:"soft"` // of labels
	Line   sheet.Color `json:"line"` // of hairlines
	Fields []Field     `json:"fields"`
}

// Data is what a license says.
type Data struct {
	// Values are the fields by key as they are kept: a date is 2026-01-05.
	// Several values are a list.
	Values     map[string][]string
	Photos     map[string]Photograph // by key
	Issuer     string                // name of the issuing unit
	Date       string                // of issue, 2026-01-05
	Identifier string                // 证照标识
	QR         string                // text of the QR code; empty for none
	Sample     bool                  // print 样本 across the pages
	Form       string                // the form asked for; the face's own if empty

	// Withheld are fields a copy for one use leaves out: their places say so, and
	// required ones may be among them.
	Withheld map[string]bool
	// Watermark is printed across every page, as of a copy for one use.
	Watermark string
	// Note stands small in the upper margin of every page: how a license came
	// to be that was not made with its case (Art. 8).
	Note string
	// Proof marks reserved places that are empty, for the editor. A proof can't
	// be sealed.
	Proof bool
}

// Photograph is a picture of a holder.
type Photograph struct {
	MIME string
	Data []byte
}

// The keys of what every license has, as tags in the file: names of GB/T 36903.
const (
	KeyIssuer     = "certificateIssuingAuthorityName"
	KeyDate       = "certificateIssuedDate"
	KeyIdentifier = "certificateIdentifier"
)

// builtin are the names in templates of what every license has.
var builtin = map[string]string{"@org": KeyIssuer, "@date": KeyDate, "@id": KeyIdentifier}

func (d *Data) value(key string) []string {
	one := ""
	switch key {
	case KeyIssuer:
		one = d.Issuer
	case KeyDate:
		one = d.Date
	case KeyIdentifier:
		one = d.Identifier
	default:
		return d.Values[key]
	}
	if one == "" {
		return nil
	}
	return []string{one}
}

// has tells whether a field has a value to be shown.
func (d *Data) has(key string) bool {
	for _, v := range d.value(key) {
		if strings.TrimSpace(v) != "" {
			return true
		}
	}
	return d.Withheld[key] || len(d.Photos[key].Data) > 0
}

// Reasons why a face can't be laid out.
var (
	// ErrOverflow says that a text does not fit its place even in the smallest
	// type allowed.
	ErrOverflow = errors.New("the text is too long for its place on the face")
	// ErrEmpty says that a required field has no value.
	ErrEmpty = errors.New("a required field is empty")
	// ErrPicture says that a picture is of no form that can be drawn.
	ErrPicture = errors.New("the picture can't be drawn")
)

// FieldError tells which field can't be laid out. Err is or wraps ErrOverflow,
// ErrEmpty, ErrPicture or *sheet.MissingGlyphError.
type FieldError struct {
	Key, Label string
	Err        error
}

func (e *FieldError) Error() string {
	return fmt.Sprintf("field %s (%s): %v", e.Key, e.Label, e.Err)
}

func (e *FieldError) Unwrap() error { return e.Err }

// keyForm is what a key must look like to name an XML element. Full stops are
// kept for telling apart the places one field is shown at.
var keyForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]{0,63}$`)

// part is a piece of a template's text: fixed, or the place of a value.
type part struct {
	text   string
	key    string // of a value, as in tags; @page and @pages as they are
	format string
}

// parts takes a text apart at its braces. Two braces stand for one.
func parts(text string) ([]part, error) {
	var list []part
	fixed := strings.Builder{}
	for text != "" {
		at := strings.IndexAny(text, "{}")
		if at < 0 {
			fixed.WriteString(text)
			break
		}
		fixed.WriteString(text[:at])
		brace := text[at : at+1]
		text = text[at+1:]
		if strings.HasPrefix(text, brace) {
			fixed.WriteString(brace)
			text = text[1:]
			continue
		}
		end := strings.IndexByte(text, '}')
		if brace == "}" || end < 0 {
			return nil, errors.New("a brace without its pair")
		}
		key, format, _ := strings.Cut(text[:end], ":")
		text = text[end+1:]
		if k, ok := builtin[key]; ok {
			key = k
		} else if key != "@page" && key != "@pages" && !keyForm.MatchString(key) {
			return nil, fmt.Errorf("key %q can't name an element", key)
		}
		if format != "" && format != "D0" && format != "D1" && format != "D2" {
			return nil, fmt.Errorf("unknown format %q", format)
		}
		if fixed.Len() > 0 {
			list = append(list, part{text: fixed.String()})
			fixed.Reset()
		}
		list = append(list, part{key: key, format: format})
	}
	if fixed.Len() > 0 {
		list = append(list, part{text: fixed.String()})
	}
	return list, nil
}

// Bounds of a template.
const (
	maxPages    = 12
	maxObjects  = 400     // on a page
	maxTemplate = 3 << 20 // bytes of imported pictures together
	minPage     = 20.0    // mm
	maxPage     = 600.0   // mm
	maxText     = 2000    // bytes of one text
	maxWaves    = 8       // guilloche borders on a page
	minWave     = 1.0     // mm, width of a guilloche
)

// Check finds what makes a template impossible to lay out. What is possible and
// unwise is Lint's business. Errors are *Defect.
func (t *Template) Check() error {
	if len(t.Pages) == 0 || len(t.Pages) > maxPages {
		return flawed("", "", BadPages, nil)
	}
	imported := 0
	for i := range t.Pages {
		p := &t.Pages[i]
		if err := p.check(); err != nil {
			return onPage(err, i+1)
		}
		for _, pic := range p.Pictures {
			imported += len(pic.Data)
		}
	}
	if imported > maxTemplate {
		return flawed("", "", BadImports, nil)
	}
	if forms := t.Forms(); len(forms) > 0 && !slices.Contains(forms, t.Form) {
		return flawed("", t.Form, BadForm, nil)
	}
	if t.Number != "" && !keyForm.MatchString(t.Number) {
		return flawed("", t.Number, BadKey, nil)
	}
	return nil
}

func (p *Page) check() error {
	switch {
	case !(p.W >= minPage && p.W <= maxPage && p.H >= minPage && p.H <= maxPage):
		return flawed("", "", BadSize, nil)
	case len(p.Texts)+len(p.Rules)+len(p.Borders)+len(p.Tables)+len(p.Pictures)+len(p.Codes) > maxObjects:
		return flawed("", "", BadCount, nil)
	case p.With != "" && !keyForm.MatchString(p.With):
		return flawed("", p.With, BadKey, nil)
	}
	for i := range p.Texts {
		if err := p.checkText(&p.Texts[i], ref(InTexts, i)); err != nil {
			return err
		}
	}
	waves := 0
	for i, b := range p.Borders {
		if b.Kind == Guilloche {
			waves++
		}
		switch at := ref(InBorders, i); {
		case waves > maxWaves:
			return flawed(at, "", BadCount, nil)
		case !p.inside(b.At) || !(b.Width > 0 && b.Width <= 20) || b.Kind == Guilloche && (b.Width < minWave || b.At[2] <= 4 || b.At[3] <= 4):
			return flawed(at, "", BadPlace, nil)
		case b.Kind != Single && b.Kind != Double && b.Kind != Guilloche:
			return flawed(at, "", BadKind, nil)
		}
	}
	for i, r := range p.Rules {
		if !p.inside(Rect{min(r.From[0], r.To[0]), min(r.From[1], r.To[1]), 0, 0}) || !p.inside(Rect{max(r.From[0], r.To[0]), max(r.From[1], r.To[1]), 0, 0}) || !(r.Width > 0 && r.Width <= 10) {
			return flawed(ref(InRules, i), "", BadPlace, nil)
		}
	}
	for i, c := range p.Codes {
		switch at := ref(InCodes, i); {
		case !p.inside(c.At) || c.At[2] <= 0 || c.At[3] <= 0:
			return flawed(at, c.ID, BadPlace, nil)
		case c.Kind != QRCode && c.Kind != Bars:
			return flawed(at, c.ID, BadKind, nil)
		case c.Kind == Bars && !keyForm.MatchString(c.Key):
			return flawed(at, c.ID, BadKey, nil)
		}
	}
	for i := range p.Pictures {
		if err := p.checkPicture(&p.Pictures[i], ref(InPictures, i)); err != nil {
			return err
		}
	}
	for i, t := range p.Tables {
		switch at := ref(InTables, i); {
		case !p.inside(t.At) || t.At[2] <= 0:
			return flawed(at, t.ID, BadPlace, nil)
		case !keyForm.MatchString(t.Key):
			return flawed(at, t.ID, BadKey, nil)
		case len(t.Columns) == 0 || len(t.Columns) > 12:
			return flawed(at, t.ID, BadColumns, nil)
		case !(t.Size > 0 && t.Size < 100):
			return flawed(at, t.ID, BadType, nil)
		}
	}
	return p.checkRest()
}

func (p *Page) checkRest() error {
	if g := p.Grid; g != nil {
		switch {
		case !p.inside(g.At) || !(g.At[2]/2 > g.LabelW+g.Gap) || g.LabelW < 0 || g.Gap < 0:
			return flawed(TheGrid, "", BadPlace, nil)
		case !(g.Size > 0 && g.Size < 100) || !(g.Min > 0 && g.Min <= g.Size):
			return flawed(TheGrid, "", BadType, nil)
		case len(g.Fields) > maxObjects:
			return flawed(TheGrid, "", BadCount, nil)
		}
		seen := map[string]bool{}
		for _, f := range g.Fields {
			switch {
			case !keyForm.MatchString(f.Key):
				return flawed(TheGrid, f.Key, BadKey, nil)
			case seen[f.Key]:
				return flawed(TheGrid, f.Key, BadTwice, nil)
			}
			seen[f.Key] = true
		}
	}
	if s := p.Seal; s != nil && (!(s.D > 0) || !p.inside(Rect{s.X - s.D/2, s.Y - s.D/2, s.D, s.D})) {
		return flawed(TheSeal, "", BadPlace, nil)
	}
	return nil
}

func (p *Page) inside(r Rect) bool {
	const hair = 1e-6
	return r[0] >= 0 && r[1] >= 0 && r[2] >= 0 && r[3] >= 0 && r[0]+r[2] <= p.W+hair && r[1]+r[3] <= p.H+hair
}

func (p *Page) checkText(t *Text, at string) error {
	name := t.ID
	if name == "" {
		name = t.Text
	}
	switch {
	case !p.inside(t.At) || t.At[2] <= 0 || t.At[3] <= 0:
		return flawed(at, name, BadPlace, nil)
	case !(t.Size > 0 && t.Size < 200) || t.Min < 0 || t.Min > t.Size:
		return flawed(at, name, BadType, nil)
	case !t.Font.Known():
		return flawed(at, name, BadFont, nil)
	case t.Align != "" && t.Align != Left && t.Align != Center && t.Align != Right && t.Align != Spread:
		return flawed(at, name, BadAlign, nil)
	case len(t.Text) > maxText || t.Pitch < 0 || t.Pitch > 10 || t.Spacing < 0 || t.Spacing > 10 || t.Lead < 0 || t.Lead > t.At[3]:
		return flawed(at, name, BadLength, nil)
	case t.With != "" && !keyForm.MatchString(t.With):
		return flawed(at, name, BadKey, nil)
	}
	if _, err := parts(t.Text); err != nil {
		return flawed(at, name, BadBraces, err)
	}
	return nil
}

func (p *Page) checkPicture(c *Picture, at string) error {
	switch {
	case !p.inside(c.At) || c.At[2] <= 0 || c.At[3] <= 0:
		return flawed(at, c.ID, BadPlace, nil)
	case c.Kind == Photo && !keyForm.MatchString(c.Key):
		return flawed(at, c.ID, BadKey, nil)
	case c.Kind != Photo && c.Kind != Emblem && c.Kind != Mark && c.Kind != Image:
		return flawed(at, c.ID, BadKind, nil)
	case len(c.Data) == 0:
		return nil
	case strings.TrimSpace(c.Basis) == "":
		return flawed(at, c.ID, BadBasis, nil)
	}
	if err := checkImage(c.MIME, c.Data); err != nil {
		return flawed(at, c.ID, BadImage, err)
	}
	return nil
}

// Forms lists the forms a face has, in the order of its pages; none if it has
// only one.
func (t *Template) Forms() []string {
	var list []string
	for i := range t.Pages {
		if f := t.Pages[i].Form; f != "" && !slices.Contains(list, f) {
			list = append(list, f)
		}
	}
	return list
}

// Keys lists the fields a template shows, in the order they are met.
func (t *Template) Keys() []string {
	var list []string
	seen := map[string]bool{KeyIssuer: true, KeyDate: true, KeyIdentifier: true, "@page": true, "@pages": true, "": true}
	add := func(key string) {
		if !seen[key] {
			seen[key] = true
			list = append(list, key)
		}
	}
	for i := range t.Pages {
		p := &t.Pages[i]
		for _, x := range p.Texts {
			list, _ := parts(x.Text) // Check has seen them
			for _, one := range list {
				add(one.key)
			}
		}
		for _, x := range p.Tables {
			add(x.Key)
		}
		for _, x := range p.Pictures {
			add(x.Key)
		}
		if p.Grid != nil {
			for _, f := range p.Grid.Fields {
				add(f.Key)
			}
		}
	}
	return list
}
