package face

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Flaw is what makes an object of a template impossible to lay out.
type Flaw string

// The flaws.
const (
	BadPages   Flaw = "pages"   // no page, or too many
	BadSize    Flaw = "size"    // a page too small or too large
	BadCount   Flaw = "count"   // too many objects on a page
	BadKey     Flaw = "key"     // a key that can't name an element
	BadPlace   Flaw = "place"   // outside the page, or without extent
	BadKind    Flaw = "kind"    // of an unknown kind
	BadType    Flaw = "type"    // no size of type, or a smallest size above it
	BadFont    Flaw = "font"    // an unknown font
	BadAlign   Flaw = "align"   // an unknown alignment
	BadLength  Flaw = "length"  // a text too long or set too far apart
	BadBraces  Flaw = "braces"  // braces without their pair, or an unknown format
	BadColumns Flaw = "columns" // a table without columns, or with too many
	BadTwice   Flaw = "twice"   // a key that occurs twice in a grid
	BadBasis   Flaw = "basis"   // an import without the legal basis of its use
	BadImage   Flaw = "image"   // a picture of no form that can be drawn
	BadImports Flaw = "imports" // imported pictures too large together
	BadForm    Flaw = "form"    // no page is of the form that is sealed
	BadFit     Flaw = "fit"     // a label does not fit its box
	BadGlyph   Flaw = "glyph"   // a label has a character no font draws
)

// Defect tells which object of a template can't be laid out, and why.
type Defect struct {
	Page int    // from 1; 0 for the whole face
	Ref  string // of the object, as in Problem; empty for the page itself
	Name string // of the object: its ID, or the beginning of its text
	Flaw Flaw
	Err  error // the cause, if there is one
}

func (e *Defect) Error() string {
	s := fmt.Sprintf("page %d %s %.40q: %s", e.Page, e.Ref, e.Name, e.Flaw)
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Defect) Unwrap() error { return e.Err }

// The lists of a page, as they name its objects in references.
const (
	InTexts    = "texts"
	InBorders  = "borders"
	InRules    = "rules"
	InTables   = "tables"
	InPictures = "pictures"
	InCodes    = "codes"
	TheGrid    = "grid"
	TheSeal    = "seal"
)

// ref names an object of a page: texts/3.
func ref(list string, i int) string { return list + "/" + strconv.Itoa(i) }

// flawed is a defect of an object; Check adds the page.
func flawed(where, name string, f Flaw, cause error) error {
	if r := []rune(name); len(r) > 24 {
		name = string(r[:24]) + "…"
	}
	return &Defect{Ref: where, Name: name, Flaw: f, Err: cause}
}

// onPage adds the page to a defect.
func onPage(err error, page int) error {
	var d *Defect
	if errors.As(err, &d) {
		d.Page = page
	}
	return err
}

// Shown lists which pages of a template are laid out for the data, as indexes,
// in their order: the first sheets of a layout are of them, those after are
// added pages.
func (t *Template) Shown(data *Data) []int {
	form := data.Form
	if form == "" {
		form = t.Form
	}
	var list []int
	for i := range t.Pages {
		p := &t.Pages[i]
		if (p.With == "" || data.has(p.With)) && (p.Form == "" || p.Form == form) {
			list = append(list, i)
		}
	}
	return list
}

// mute is a copy of a template in which one text is empty, so that the rest can
// be looked at.
func (t *Template) mute(page int, where string) (*Template, bool) {
	index, ok := strings.CutPrefix(where, InTexts+"/")
	i, err := strconv.Atoi(index)
	if !ok || err != nil || page < 1 || page > len(t.Pages) || i >= len(t.Pages[page-1].Texts) || t.Pages[page-1].Texts[i].Text == "" {
		return nil, false
	}
	c := *t
	c.Pages = append([]Page(nil), t.Pages...)
	p := &c.Pages[page-1]
	p.Texts = append([]Text(nil), p.Texts...)
	p.Texts[i].Text = ""
	return &c, true
}
