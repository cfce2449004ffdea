package web

import (
	"fmt"
	"html/template"
	"slices"
	"time"

	"elicense"
	"elicense/cases"
	"elicense/sharing"
)

// paperKind is a notice of a case that can be printed (行政许可法 32).
type paperKind string

// The notices.
const (
	paperReceived paperKind = "received" // 材料接收凭证
	paperAccepted paperKind = "accepted" // 受理通知书
	paperCorrect  paperKind = "correct"  // 补正告知书
	paperRefused  paperKind = "refused"  // 不予受理通知书
)

var paperTitles = map[paperKind]string{
	paperReceived: "材料接收凭证", paperAccepted: "受理通知书", paperCorrect: "补正告知书", paperRefused: "不予受理通知书",
}

// paperNumbers make the numbers of notices from the year and the case's number.
var paperNumbers = map[paperKind]string{
	paperReceived: "接收字〔%s〕%s号", paperAccepted: "受理字〔%s〕%s号", paperCorrect: "补正字〔%s〕%s号", paperRefused: "不受字〔%s〕%s号",
}

// Chinese returns the title.
func (p paperKind) Chinese() string { return paperTitles[p] }

// papersOf lists the notices a case has come to.
func papersOf(k *cases.Case, course []cases.Step) []paperKind {
	var list []paperKind
	if k.Stage != cases.Filling {
		list = append(list, paperReceived)
	}
	for _, p := range []paperKind{paperCorrect, paperAccepted, paperRefused} {
		if stepOf(p, course) != nil {
			list = append(list, p)
		}
	}
	return list
}

// stepOf is the step of the course a notice tells about, nil if it was not made.
func stepOf(p paperKind, course []cases.Step) *cases.Step {
	about := map[paperKind][]cases.Move{
		paperReceived: {cases.Open, cases.Send, cases.Supply}, paperAccepted: {cases.Accept, cases.Deem}, paperCorrect: {cases.Correct}, paperRefused: {cases.Refuse},
	}
	for i := len(course) - 1; i >= 0; i-- {
		if slices.Contains(about[p], course[i].Kind) {
			return &course[i]
		}
	}
	return nil
}

type letterPage struct {
	*cases.Case
	Matter    *cases.Matter
	Kind      paperKind
	Number    string // of the notice
	Unit      string
	At        time.Time
	Step      *cases.Step
	Deemed    bool
	Materials []letterRow
	QR        template.HTML
	Back      string
	Online    string // address of the matter, if it can be applied for online
}

type letterRow struct {
	Name, How string
	Here      bool
}

func (s *server) windowPaper(v *visit) error {
	ctx, id := v.r.Context(), elicense.CaseID(v.r.PathValue("id"))
	k, m, err := s.Cases.Get(ctx, v.who, id)
	if err != nil {
		return err
	}
	course, err := s.Cases.Course(ctx, v.who, id)
	if err != nil {
		return err
	}
	return s.letter(v, &letterPage{Case: k, Matter: m, Back: "/window/cases/" + string(id)}, course, func() ([]sharing.MaterialState, error) {
		list, _, err := s.Sharing.Materials(ctx, v.who, id)
		return list, err
	})
}

func (s *server) ownPaper(v *visit) error {
	ctx, id := v.r.Context(), elicense.CaseID(v.r.PathValue("id"))
	k, m, course, err := s.Cases.Own(ctx, v.who, id)
	if err != nil {
		return err
	}
	return s.letter(v, &letterPage{Case: k, Matter: m, Back: "/holder/cases/" + string(id)}, course, func() ([]sharing.MaterialState, error) {
		return s.Sharing.OwnMaterials(ctx, v.who, id)
	})
}

// letterDesk is the layout of a notice: the sheet itself, with nothing about it
// but the way back and the printing.
var letterDesk = &desk{name: "letter"}

// letter shows a notice as it is printed.
func (s *server) letter(v *visit, d *letterPage, course []cases.Step, materials func() ([]sharing.MaterialState, error)) error {
	d.Kind = paperKind(v.r.PathValue("kind"))
	if !slices.Contains(papersOf(d.Case, course), d.Kind) {
		return elicense.E(elicense.NotFound, "这个办件没有这份文书").Then("请从办件页面里打开已有的文书")
	}
	d.Step = stepOf(d.Kind, course)
	d.At, d.Deemed = d.Opened, d.Step != nil && d.Step.Kind == cases.Deem
	if d.Step != nil {
		d.At = d.Step.Happened
	}
	names, _, err := s.unitNames(v)
	if err != nil {
		return err
	}
	d.Unit = names[d.Case.Unit]
	d.Number = fmt.Sprintf(paperNumbers[d.Kind], stamp(d.At, "2006"), d.Case.Number)
	if d.QR, err = qrPicture(s.PublicURL+"/holder/cases/"+string(d.ID), v.t("办件进度二维码")); err != nil {
		return err
	}
	if d.Matter.Online && d.Channel != cases.OnTheWeb {
		d.Online = s.PublicURL + "/matters/" + string(d.Case.Matter)
	}
	if d.Kind == paperReceived {
		list, err := materials()
		if err != nil {
			return err
		}
		for _, st := range list {
			row := letterRow{Name: st.Material.Name, Here: true}
			switch {
			case st.Given != nil:
				row.How = v.given(st.Given)
			case st.Need == sharing.Have || st.Need == sharing.Look:
				row.How = v.t("平台共享，免提交")
			default:
				row.How, row.Here = v.t("还没有提供"), false
			}
			d.Materials = append(d.Materials, row)
		}
	}
	v.desk = letterDesk
	return v.render("letter", v.t(d.Kind.Chinese()), d)
}
