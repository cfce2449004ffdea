package catalog

import (
	"errors"

	"elicense"
	"elicense/face"
	"elicense/sheet"
)

// Sample names a kind of invented data a face is looked at with.
type Sample string

// The kinds of invented data.
const (
	Usual   Sample = "usual"
	Extreme Sample = "extreme" // names of 60 characters, a scope of 1,600, rare characters, empty optional fields
	Rare    Sample = "rare"    // rare characters in names and places
	Bare    Sample = "bare"    // empty optional fields
)

var sampleWords = map[Sample]string{Usual: "常用数据", Extreme: "极端数据", Rare: "生僻字", Bare: "选填项全空"}

// Samples lists them.
func Samples() []Sample { return []Sample{Usual, Extreme, Rare, Bare} }

// Chinese returns the words shown to people.
func (s Sample) Chinese() string { return sampleWords[s] }

func (t *Type) sample(s Sample, today elicense.Date) map[string]string {
	switch s {
	case Extreme:
		return t.Extreme(today)
	case Rare:
		return t.Rare(today)
	case Bare:
		return t.Bare(today)
	}
	return t.Sample(today)
}

// Drawer draws faces with invented data: for the editor, and for whoever is to
// judge what a type looks like. It is safe for concurrent use; a nil Drawer has
// no fonts and draws nothing.
type Drawer struct {
	fonts *sheet.FontSet
	busy  chan struct{} // bounds how much is drawn at a time
}

// atATime is how many faces are drawn at a time: a template from a browser may be
// made to be slow.
const atATime = 2

// NewDrawer returns a drawer with the fonts; nil without any.
func NewDrawer(fonts *sheet.FontSet) *Drawer {
	if fonts == nil {
		return nil
	}
	return &Drawer{fonts, make(chan struct{}, atATime)}
}

// Problem is a finding about a face.
type Problem = face.Problem

// Proof is a face drawn with invented data.
type Proof struct {
	Pages    []ProofPage
	Problems []Problem // what kept a text from being drawn
}

// ProofPage is one drawn page.
type ProofPage struct {
	SVG   []byte
	W, H  float64 // mm
	Index int     // of the page of the template; -1 for an added page
}

// maxProofFaults bounds how many values that can't be set are left out in turn.
const maxProofFaults = 60

func errNoFonts() error {
	return elicense.E(elicense.Unavailable, "字体缺失：这台机器没有中文字体，画不出照面").Then("请管理员安装字体后重启")
}

// Draw draws the type's face in one form, of which the empty one is the face's
// own. What does not fit is told and left out, so that the rest can be seen. It
// bears 样本, and the empty places of reserved pictures and of the seal are
// marked.
//
// Errors: Invalid, naming the object, for a face that can't be laid out at all;
// Unavailable without fonts.
func (d *Drawer) Draw(t *Type, with Sample, form string, today elicense.Date) (*Proof, error) {
	if d == nil {
		return nil, errNoFonts()
	}
	if t.Face == nil {
		return &Proof{}, nil
	}
	d.busy <- struct{}{}
	defer func() { <-d.busy }()
	design, defects, err := face.Lenient(t.Face, d.fonts)
	if err != nil {
		return nil, faceError(err)
	}
	proof := &Proof{}
	for _, x := range defects {
		proof.Problems = append(proof.Problems, x.Problem())
	}
	data := t.SampleData(t.sample(with, today), today)
	data.Form, data.Proof, data.Withheld = form, true, map[string]bool{}
	for range maxProofFaults {
		pages, err := design.Layout(data)
		if err == nil {
			proof.draw(design.Template, pages, &data)
			return proof, nil
		}
		var fe *face.FieldError
		if !errors.As(err, &fe) || data.Withheld[fe.Key] {
			_, text, _ := FieldProblem(err)
			proof.Problems = append(proof.Problems, Problem{Fault: face.Broken, Text: text})
			return proof, nil
		}
		proof.Problems = append(proof.Problems, face.FieldProblem(fe, with.Chinese()))
		data.Withheld[fe.Key] = true
	}
	return proof, nil
}

// draw turns sheets into pictures, with the places of seals marked.
func (p *Proof) draw(t *Face, pages face.Pages, data *face.Data) {
	for _, s := range pages.Seals {
		mark := &sheet.Path{Stroke: true, Width: 0.3, Color: sheet.Red, Segments: sheet.Circle(s.X, s.Y, sealRadius)}
		if i := s.Page; i < len(pages.Sheets) {
			pages.Sheets[i].Items = append(pages.Sheets[i].Items, mark)
		}
	}
	shown := t.Shown(data)
	for i := range pages.Sheets {
		index := -1
		if i < len(shown) {
			index = shown[i]
		}
		s := &pages.Sheets[i]
		p.Pages = append(p.Pages, ProofPage{SVG: s.SVG(), W: s.W, H: s.H, Index: index})
	}
}

// sealRadius is that of a unit's round seal in mm, as it is marked on proofs.
const sealRadius = 21

// All draws the type's face in all its forms, one after the other.
//
// Errors: as of Draw.
func (d *Drawer) All(t *Type, today elicense.Date) ([]ProofPage, error) {
	if d == nil {
		return nil, errNoFonts()
	}
	forms := []string{""}
	if t.Face != nil && len(t.Face.Forms()) > 0 {
		forms = t.Face.Forms()
	}
	var list []ProofPage
	for _, form := range forms {
		proof, err := d.Draw(t, Usual, form, today)
		if err != nil {
			return nil, err
		}
		list = append(list, proof.Pages...)
	}
	return list, nil
}

// Lint finds what is unwise about the type's face.
//
// Errors: Unavailable without fonts.
func (d *Drawer) Lint(t *Type, today elicense.Date) ([]Problem, error) {
	if d == nil {
		return nil, errNoFonts()
	}
	if t.Face == nil {
		return nil, nil
	}
	d.busy <- struct{}{}
	defer func() { <-d.busy }()
	return t.Lint(d.fonts, today), nil
}
