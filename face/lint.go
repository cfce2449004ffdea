package face

import (
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"

	"elicense/sheet"
)

// Fault is what is unwise about a template, or wrong with it for some data.
type Fault string

// The faults.
const (
	Broken      Fault = "broken"       // it can't be laid out at all
	Overflows   Fault = "overflow"     // a value does not fit its place
	NoGlyph     Fault = "glyph"        // no font draws a character
	Overlaps    Fault = "overlap"      // two things stand on one place
	Missing     Fault = "missing"      // a required field has no place
	UnknownKey  Fault = "unknown"      // the place of a field the type does not have
	UnderSeal   Fault = "under-seal"   // the seal will hide it
	TooSmall    Fault = "small"        // type below 7 pt
	LowContrast Fault = "contrast"     // hard to read on its ground
	CodeSmall   Fault = "code-small"   // a QR code below 16 mm
	CodeCrowded Fault = "code-crowded" // something stands in a QR code's quiet zone
	NoSeal      Fault = "no-seal"      // no page has a place for a seal
)

var faultWords = map[Fault]string{
	Broken: "照面画不出来", Overflows: "内容放不下", NoGlyph: "有字体里没有的字", Overlaps: "和别的内容重叠", Missing: "必填字段没有位置",
	UnknownKey: "证照没有这个字段", UnderSeal: "会被印章盖住", TooSmall: "字号小于7磅", LowContrast: "颜色和底色太接近",
	CodeSmall: "二维码小于16毫米", CodeCrowded: "二维码四周留白不够", NoSeal: "没有盖章的位置",
}

// Chinese returns the words shown to people.
func (f Fault) Chinese() string { return faultWords[f] }

// Faults lists all of them.
func Faults() []Fault {
	return []Fault{Broken, Overflows, NoGlyph, Overlaps, Missing, UnknownKey, UnderSeal, TooSmall, LowContrast, CodeSmall, CodeCrowded, NoSeal}
}

// Problem is one finding of Lint.
type Problem struct {
	Page  int    `json:"page"`          // from 1; 0 for the whole face
	ID    string `json:"id"`            // of the object, or the key of the field
	Ref   string `json:"ref,omitempty"` // of the object on its page: its list and its place there, from 0, as in texts/3
	Name  string `json:"name"`          // of it, for people
	Fault Fault  `json:"fault"`
	With  string `json:"with,omitempty"` // the other object, for overlaps
	Data  string `json:"data,omitempty"` // the sample it was found with
	Text  string `json:"text"`           // the fault in words
}

// Fact is what a lint must know of a field of the type.
type Fact struct {
	Key, Label string
	Required   bool
}

// Trial is data a template is tried with.
type Trial struct {
	Name string
	Data Data
}

const (
	smallest    = 7.0  // pt
	leastQR     = 16.0 // mm
	leastRatio  = 4.5  // of contrast, WCAG 2.1 1.4.3
	quietShare  = 4.0 / 33
	sealOverlap = 0.5 // mm a box may reach into the seal's circle
)

// Lint finds what is unwise about a template: rules about the template itself,
// and what happens when it is laid out with the trials' data.
func Lint(t *Template, facts []Fact, fonts *sheet.FontSet, trials ...Trial) []Problem {
	l := &linter{template: t}
	design := l.compile(fonts)
	if design == nil {
		return l.found
	}
	l.keys(facts)
	sealed := false
	for i := range t.Pages {
		l.page(i + 1)
		sealed = sealed || t.Pages[i].Seal != nil
	}
	if !sealed {
		l.add(0, "", "", NoSeal)
	}
	forms := t.Forms()
	if len(forms) == 0 {
		forms = []string{""}
	}
	for _, trial := range trials {
		for _, trial.Data.Form = range forms {
			l.try(design, trial)
		}
	}
	return l.found
}

type linter struct {
	template *Template
	found    []Problem
	tries    int // layouts done
}

// Bounds of a lint: a template that came from outside may be wrong everywhere.
const (
	maxFound = 200
	maxTries = 80
)

// compile makes the template ready. Labels that do not fit are told and left
// out, so that the rest can be looked at; nil if it can't be laid out at all.
func (l *linter) compile(fonts *sheet.FontSet) *Design {
	design, defects, err := Lenient(l.template, fonts)
	for _, d := range defects {
		l.found = append(l.found, d.Problem())
	}
	var d *Defect
	if errors.As(err, &d) {
		l.found = append(l.found, d.Problem())
	}
	return design
}

// Lenient makes a template ready whose labels may not fit: those are told and
// left out. Errors are *Defect.
func Lenient(t *Template, fonts *sheet.FontSet) (*Design, []*Defect, error) {
	var defects []*Defect
	for {
		design, err := Compile(t, fonts)
		var d *Defect
		if err == nil || !errors.As(err, &d) || d.Flaw != BadFit && d.Flaw != BadGlyph || len(defects) >= maxTries {
			return design, defects, err
		}
		muted, ok := t.mute(d.Page, d.Ref)
		if !ok {
			return nil, defects, err
		}
		t, defects = muted, append(defects, d)
	}
}

// Problem is the defect as a finding of Lint.
func (e *Defect) Problem() Problem {
	f := Broken
	switch e.Flaw {
	case BadFit:
		f = Overflows
	case BadGlyph:
		f = NoGlyph
	}
	p := Problem{Page: e.Page, Ref: e.Ref, Name: e.Name, Fault: f, Text: f.Chinese()}
	if f == Broken {
		p.Text = e.Flaw.Chinese()
	}
	return p
}

var flawWords = map[Flaw]string{
	BadPages: "照面要有1到12页", BadSize: "页面的宽和高要在20到600毫米之间", BadCount: "一页里的内容太多",
	BadKey: "字段的键不能用，要用小写字母、数字和下划线，以字母开头", BadPlace: "在页面外，或没有宽、高、线宽", BadKind: "没有这一种",
	BadType: "字号不对：要大于0，最小字号不大于字号", BadFont: "没有这种字体", BadAlign: "没有这种对齐方式", BadLength: "文字太长，或字距、行距不对",
	BadBraces: "花括号不成对，或里面不是字段的键和日期格式", BadColumns: "表格要有1到12栏", BadTwice: "字段重复", BadBasis: "导入的图片没有写明使用依据",
	BadImage: "图片不是能用的PNG或JPEG", BadImports: "导入的图片合起来太大", BadForm: "没有一页属于要签章的正本或副本",
	BadFit: "内容放不下", BadGlyph: "有字体里没有的字",
}

// Chinese returns the words shown to people.
func (f Flaw) Chinese() string { return flawWords[f] }

var listWords = map[string]string{
	InTexts: "文字", InBorders: "边框", InRules: "线", InTables: "表格", InPictures: "图片", InCodes: "码", TheGrid: "字段表", TheSeal: "盖章位置",
}

// Thing names the kind of object in words; empty for a page or the whole face.
func (e *Defect) Thing() string {
	list, _, _ := strings.Cut(e.Ref, "/")
	return listWords[list]
}

// Number is which of its kind on the page the object is, from 1; 0 if there can
// be only one.
func (e *Defect) Number() int {
	_, index, found := strings.Cut(e.Ref, "/")
	if !found {
		return 0
	}
	n, err := strconv.Atoi(index)
	if err != nil {
		return 0
	}
	return n + 1
}

func (l *linter) add(page int, id, name string, f Fault) *Problem {
	if len(l.found) >= maxFound {
		return new(Problem) // nobody reads as many
	}
	l.found = append(l.found, Problem{Page: page, ID: id, Name: name, Fault: f, Text: f.Chinese()})
	return &l.found[len(l.found)-1]
}

func (l *linter) keys(facts []Fact) {
	shown := l.template.Keys()
	for _, f := range facts {
		if f.Required && !slices.Contains(shown, f.Key) {
			l.add(0, f.Key, f.Label, Missing)
		}
	}
	for _, k := range shown {
		if !slices.ContainsFunc(facts, func(f Fact) bool { return f.Key == k }) {
			l.add(0, k, k, UnknownKey)
		}
	}
}

// box is an object of a page as the linter sees it.
type box struct {
	id, name string
	ref      string
	at       Rect
	with     string
	sealed   bool // it belongs under the seal: the unit's name and the date
	value    bool
	code     bool
}

func (l *linter) page(n int) {
	p := &l.template.Pages[n-1]
	ground := p.Ground
	if ground == (sheet.Color{}) {
		ground = sheet.Color{R: 0xff, G: 0xff, B: 0xff}
	}
	boxes := p.boxes()
	for i := range p.Texts {
		t := &p.Texts[i]
		id, name := boxes[i].id, boxes[i].name
		if size := t.Size; size < smallest || t.Min > 0 && t.Min < smallest {
			l.add(n, id, name, TooSmall).Ref = boxes[i].ref
		}
		if contrast(t.Color, ground) < leastRatio {
			l.add(n, id, name, LowContrast).Ref = boxes[i].ref
		}
	}
	for i, a := range boxes {
		for _, b := range boxes[i+1:] {
			if a.at.overlaps(b.at) && (a.with == "" || a.with != b.with || !a.value && !b.value) && !(a.sealed && b.sealed) {
				p := l.add(n, a.id, a.name, Overlaps)
				p.With, p.Ref = b.name, a.ref
			}
		}
		if a.code {
			l.code(n, a, boxes)
		}
		if s := p.Seal; s != nil && !a.sealed && (a.value || a.code) && a.at.reaches(s) {
			l.add(n, a.id, a.name, UnderSeal).Ref = a.ref
		}
	}
}

func (l *linter) code(n int, c box, boxes []box) {
	if c.at[2] < leastQR {
		l.add(n, c.id, c.name, CodeSmall).Ref = c.ref
	}
	quiet := quietShare * c.at[2]
	zone := Rect{c.at[0] - quiet, c.at[1] - quiet, c.at[2] + 2*quiet, c.at[3] + 2*quiet}
	for _, b := range boxes {
		if b.id != c.id && !b.at.overlaps(c.at) && b.at.overlaps(zone) && !b.loose(zone) {
			p := l.add(n, c.id, c.name, CodeCrowded)
			p.With, p.Ref = b.name, c.ref
			return
		}
	}
}

// loose tells whether only the empty edge of a box is likely to reach into a
// zone: boxes are larger than the text that stands in them.
func (b box) loose(zone Rect) bool {
	const slack = 1.6
	in := Rect{b.at[0] + slack, b.at[1] + slack, max(b.at[2]-2*slack, 0), max(b.at[3]-2*slack, 0)}
	return !in.overlaps(zone)
}

// reaches tells whether a rectangle reaches into a seal's circle.
func (r Rect) reaches(s *Seal) bool {
	dx := max(r[0]-s.X, 0, s.X-(r[0]+r[2]))
	dy := max(r[1]-s.Y, 0, s.Y-(r[1]+r[3]))
	return math.Hypot(dx, dy) < s.D/2-sealOverlap
}

// boxes lists what stands on a page, its texts first and in their order.
func (p *Page) boxes() []box {
	var list []box
	for i := range p.Texts {
		t := &p.Texts[i]
		b := box{id: t.ID, ref: ref(InTexts, i), name: t.Text, at: t.At, with: t.With}
		parts, _ := parts(t.Text)
		for _, one := range parts {
			if one.key == "" {
				continue
			}
			b.value = true
			if one.key == KeyIssuer || one.key == KeyDate || one.format != "" || one.key == "authority" {
				b.sealed = true
			}
		}
		b.at = t.inked()
		list = append(list, b)
	}
	for i, c := range p.Codes {
		list = append(list, box{id: c.ID, ref: ref(InCodes, i), name: map[string]string{QRCode: "二维码", Bars: "条码"}[c.Kind], at: c.At, code: c.Kind == QRCode, value: true})
	}
	for i, c := range p.Pictures {
		if c.Kind != Image { // a printed ground lies under everything
			list = append(list, box{id: c.ID, ref: ref(InPictures, i), name: map[string]string{Photo: "照片", Emblem: "国徽位", Mark: "标志位"}[c.Kind], at: c.At, value: true})
		}
	}
	for i, t := range p.Tables {
		list = append(list, box{id: t.ID, ref: ref(InTables, i), name: t.Key, at: t.At, value: true})
	}
	if p.Grid != nil {
		list = append(list, box{id: "grid", ref: TheGrid, name: "字段表", at: p.Grid.At})
	}
	return list
}

// inked is the part of a text's box that is sure to be used: for a text on one
// line, the height of the line.
func (t *Text) inked() Rect {
	r := t.At
	if !t.Wrap {
		h := min(t.Size*pt, r[3])
		if !t.Top {
			r[1] += (r[3] - h) / 2
		}
		r[3] = h
	}
	return r
}

// try lays a design out with a trial's data.
func (l *linter) try(d *Design, trial Trial) {
	data := trial.Data
	for ; l.tries < maxTries; l.tries++ { // one fault at a time: the value is taken away and the rest tried again
		_, err := d.Layout(data)
		if err == nil {
			return
		}
		var fe *FieldError
		if !errors.As(err, &fe) {
			l.add(0, "", err.Error(), Broken).Data = trial.Name
			return
		}
		p := FieldProblem(fe, trial.Name)
		l.add(0, p.ID, p.Name, p.Fault).Data = trial.Name
		if data.Withheld[fe.Key] || strings.Contains(fe.Key, "@") {
			return
		}
		data = without(data, fe.Key)
	}
}

// FieldProblem is what keeps a field from being laid out, as a finding of a lint
// with the trial's data.
func FieldProblem(fe *FieldError, trial string) Problem {
	f := Overflows
	var missing *sheet.MissingGlyphError
	switch {
	case errors.As(fe, &missing):
		f = NoGlyph
	case errors.Is(fe, ErrEmpty):
		f = Missing
	case errors.Is(fe, ErrPicture):
		f = Broken
	}
	return Problem{ID: fe.Key, Name: fe.Label, Fault: f, Data: trial, Text: f.Chinese()}
}

// without is the data with one field withheld.
func without(d Data, key string) Data {
	held := map[string]bool{key: true}
	for k := range d.Withheld {
		held[k] = true
	}
	d.Withheld = held
	return d
}

// contrast is the ratio of two colours' luminances (WCAG 2.1).
func contrast(a, b sheet.Color) float64 {
	la, lb := luminance(a), luminance(b)
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

func luminance(c sheet.Color) float64 {
	linear := func(v uint8) float64 {
		f := float64(v) / 255
		if f <= 0.03928 {
			return f / 12.92
		}
		return math.Pow((f+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B)
}
