// Package face lays the data of a license out onto the pages of its face (照面).
// A face is data, a Template, kept with the version of the license type it
// belongs to: fixed texts, rules, places of fields, of the seal and of the QR
// code. Layout wraps, shrinks and joins, and refuses what does not fit or can't
// be drawn rather than cut it.
package face

import (
	"errors"
	"fmt"
	"regexp"

	"elicense/sheet"
)

// Template is the design of a face. Lengths are mm from the upper left corner,
// sizes of type are points of 0.3528 mm.
type Template struct {
	Title  string  `json:"title"` // what the license is called; also names the picture
	W      float64 `json:"w"`
	H      float64 `json:"h"`
	Frames []Frame `json:"frames,omitempty"`
	Rules  []Rule  `json:"rules,omitempty"`
	Labels []Label `json:"labels,omitempty"` // fixed texts
	Boxes  []Box   `json:"boxes,omitempty"`  // fields at fixed places
	Grid   *Grid   `json:"grid,omitempty"`   // fields in rows as high as they need
	QR     *Square `json:"qr,omitempty"`
	Seal   Place   `json:"seal"`
}

// Frame is a rectangle that is drawn, not filled.
type Frame struct {
	X     float64     `json:"x"`
	Y     float64     `json:"y"`
	W     float64     `json:"w"`
	H     float64     `json:"h"`
	Width float64     `json:"width"` // of the line
	Color sheet.Color `json:"color"`
}

// Rule is a straight line.
type Rule struct {
	X1    float64     `json:"x1"`
	Y1    float64     `json:"y1"`
	X2    float64     `json:"x2"`
	Y2    float64     `json:"y2"`
	Width float64     `json:"width"`
	Color sheet.Color `json:"color"`
}

// Square is the place of a QR code, by its upper left corner.
type Square struct {
	X    float64 `json:"x"`
	Y    float64 `json:"y"`
	Side float64 `json:"side"`
}

// Place is where the seal goes: its centre. D is the room left for it; a seal is
// always stamped in its own real size.
type Place struct {
	Page int     `json:"page"` // from 0
	X    float64 `json:"x"`
	Y    float64 `json:"y"`
	D    float64 `json:"d"`
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

// Area is a box of text and how it is set. The text begins at the top of a
// wrapping box and stands in the middle of another.
type Area struct {
	X       float64     `json:"x"`
	Y       float64     `json:"y"`
	W       float64     `json:"w"`
	H       float64     `json:"h"`
	Font    sheet.Style `json:"font"`
	Size    float64     `json:"size"`          // pt
	Min     float64     `json:"min,omitempty"` // pt it may shrink to; 0 is Size
	Align   Align       `json:"align,omitempty"`
	Wrap    bool        `json:"wrap,omitempty"`
	Spacing float64     `json:"spacing,omitempty"` // between characters, parts of the size
	Color   sheet.Color `json:"color"`
}

// Label is a fixed text.
type Label struct {
	Text string `json:"text"`
	Area
}

// Box is the place of a field.
type Box struct {
	Key      string `json:"key"`
	Label    string `json:"label"` // names the field in errors
	Required bool   `json:"required,omitempty"`
	Join     string `json:"join,omitempty"` // between the parts of a list, Comma if empty
	Area
}

// How the parts of a list are joined.
const (
	Comma = "、"
	Lines = "\n" // each part on a line of its own
)

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
	X      float64     `json:"x"`
	Y      float64     `json:"y"`
	W      float64     `json:"w"`
	H      float64     `json:"h"`
	LabelW float64     `json:"labelW"`
	Gap    float64     `json:"gap"`  // between the columns
	Size   float64     `json:"size"` // pt of values
	Min    float64     `json:"min"`  // pt long values may shrink to
	Ink    sheet.Color `json:"ink"`
	Soft   sheet.Color `json:"soft"` // of labels
	Line   sheet.Color `json:"line"` // of hairlines
	Fields []Field     `json:"fields"`
}

// Data is what a license says.
type Data struct {
	Values     map[string][]string // by key of the field; several values are a list
	Issuer     string              // name of the issuing unit
	Date       string              // of issue, as it is to be printed
	Identifier string              // 证照标识
	QR         string              // text of the QR code; empty for none
	Sample     bool                // print 样张 across the page
}

// The keys of what every license has, for boxes and as tags in the file: names
// of GB/T 36903.
const (
	KeyIssuer     = "certificateIssuingAuthorityName"
	KeyDate       = "certificateIssuedDate"
	KeyIdentifier = "certificateIdentifier"
)

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

// Reasons why a face can't be laid out.
var (
	// ErrOverflow says that a text does not fit its place even in the smallest
	// type allowed.
	ErrOverflow = errors.New("the text is too long for its place on the face")
	// ErrEmpty says that a required field has no value.
	ErrEmpty = errors.New("a required field is empty")
)

// FieldError tells which field can't be laid out. Err is or wraps ErrOverflow,
// ErrEmpty or *sheet.MissingGlyphError.
type FieldError struct {
	Key, Label string
	Err        error
}

func (e *FieldError) Error() string {
	return fmt.Sprintf("field %s (%s): %v", e.Key, e.Label, e.Err)
}

func (e *FieldError) Unwrap() error { return e.Err }

// keyForm is what a key must look like to name an XML element.
var keyForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]{0,63}$`)

// Check finds what is wrong with a template before any data is laid out on it.
func (t *Template) Check() error {
	if !(t.W >= 20 && t.W <= 600 && t.H >= 20 && t.H <= 600) {
		return fmt.Errorf("face %q: page of %g × %g mm", t.Title, t.W, t.H)
	}
	seen := map[string]bool{}
	key := func(k string) error {
		if !keyForm.MatchString(k) {
			return fmt.Errorf("face %q: key %q can't name an element", t.Title, k)
		}
		if seen[k] {
			return fmt.Errorf("face %q: key %q occurs twice", t.Title, k)
		}
		seen[k] = true
		return nil
	}
	for i := range t.Boxes {
		b := &t.Boxes[i]
		if err := key(b.Key); err != nil {
			return err
		}
		if err := t.checkArea(&b.Area, b.Key); err != nil {
			return err
		}
	}
	for i := range t.Labels {
		if err := t.checkArea(&t.Labels[i].Area, t.Labels[i].Text); err != nil {
			return err
		}
	}
	if g := t.Grid; g != nil {
		if !t.inside(g.X, g.Y, g.W, g.H) || g.Size <= 0 || g.Min <= 0 || g.W/2 <= g.LabelW+g.Gap {
			return fmt.Errorf("face %q: the grid lies outside the page or has no room", t.Title)
		}
		for _, f := range g.Fields {
			if err := key(f.Key); err != nil {
				return err
			}
		}
	}
	if q := t.QR; q != nil && !t.inside(q.X, q.Y, q.Side, q.Side) {
		return fmt.Errorf("face %q: the QR code lies outside the page", t.Title)
	}
	if s := t.Seal; s.Page != 0 || !t.inside(s.X-s.D/2, s.Y-s.D/2, s.D, s.D) {
		return fmt.Errorf("face %q: the seal lies outside the page", t.Title)
	}
	return nil
}

func (t *Template) inside(x, y, w, h float64) bool {
	return x >= 0 && y >= 0 && w > 0 && h > 0 && x+w <= t.W && y+h <= t.H
}

func (t *Template) checkArea(a *Area, what string) error {
	if !t.inside(a.X, a.Y, a.W, a.H) || !(a.Size > 0 && a.Size < 200) {
		return fmt.Errorf("face %q: %q lies outside the page or has no size", t.Title, what)
	}
	if a.Font != sheet.Song && a.Font != sheet.Hei {
		return fmt.Errorf("face %q: %q is set in an unknown font %q", t.Title, what, a.Font)
	}
	return nil
}
