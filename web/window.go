package web

import (
	"net/url"
	"slices"
	"strconv"
	"strings"

	"elicense"
	"elicense/cases"
	"elicense/catalog"
	"elicense/sharing"
)

// The lists of the window: cases shown, and matters put first because the clerk
// had them last.
const (
	caseLimit   = 100
	recentLimit = 10
)

type caseRow struct {
	*cases.Case
	Left due
}

type myCasesPage struct {
	Queue, Mine []caseRow
	Unseen      int
}

func (s *server) myCases(v *visit) error {
	mine, err := s.Cases.Mine(v.r.Context(), v.who, caseLimit)
	if err != nil {
		return err
	}
	queue, err := s.Cases.Queue(v.r.Context(), v.who, caseLimit)
	if err != nil {
		return err
	}
	d := myCasesPage{Mine: v.caseRows(mine), Queue: v.caseRows(queue)}
	if d.Unseen, err = s.Notices.Unseen(v.r.Context(), v.who); err != nil {
		return err
	}
	return v.render("mycases", v.t("我的办件"), d)
}

func (v *visit) caseRows(list []*cases.Case) []caseRow {
	rows := make([]caseRow, len(list))
	for i, k := range list {
		rows[i] = caseRow{k, v.caseDue(k)}
	}
	return rows
}

// caseDue says how long there is for the next step of a case.
func (v *visit) caseDue(k *cases.Case) due {
	switch {
	case k.Stage == cases.Paused:
		return due{"rest", "pause", v.t("已停表")}
	case k.Stage == cases.Correcting:
		return due{"rest", "clock", v.t("等申请人补正")}
	case k.Stage.Ended():
		return due{"rest", "ok", v.t("已结束")}
	case k.Due.IsZero():
		return due{"rest", "clock", v.t("没有期限")}
	case v.Now().After(k.Due):
		return due{"stop solid", "due", v.t("已逾期%d天", int(v.Now().Sub(k.Due).Hours()/24)+1)}
	}
	return v.left(k.Due)
}

type partyRow struct {
	N, At                             string // of the inputs; of the fields errors name
	Role, CodeType, Code, Name, Proof string
}

type casePage struct {
	Find    string
	Matters []*cases.Matter
	Matter  *cases.Matter // nil: to be chosen
	In      typed
	Form    string
	Rows    []partyRow
	Proofs  []cases.Proof
	Facts   []fact
	Kinds   []cases.Kind
}

// fact is a fact of a case that its matter's materials ask about.
type fact struct {
	cases.Condition
	On bool
}

// factsOf lists the facts that decide which materials a matter asks for, with
// those that hold marked.
func factsOf(m *cases.Matter, holds func(cases.Condition) bool) (list []fact) {
	for _, c := range cases.Conditions() {
		if slices.ContainsFunc(m.Materials, func(mat cases.Material) bool {
			return slices.ContainsFunc(mat.When, func(w string) bool { return strings.TrimPrefix(w, "!") == string(c) })
		}) {
			list = append(list, fact{c, holds(c)})
		}
	}
	return list
}

// factsFrom reads the facts ticked in a form.
func factsFrom(form url.Values) (list []cases.Condition) {
	for _, f := range form["facts"] {
		list = append(list, cases.Condition(f))
	}
	return list
}

// formParties is how many parties the form has rows for.
const formParties = 4

func (s *server) caseForm(v *visit) error {
	d := casePage{Find: strings.TrimSpace(v.r.FormValue("find")), Proofs: cases.Proofs(), Kinds: []cases.Kind{cases.Application, cases.Enforcement}}
	all, err := s.Cases.Matters(v.r.Context(), v.who.Unit)
	if err != nil {
		return err
	}
	for _, m := range all {
		if string(m.Code) == v.r.FormValue("matter") {
			d.Matter = m
		}
		if found(m, d.Find) {
			d.Matters = append(d.Matters, m)
		}
	}
	if d.Matter == nil {
		if err := s.recentFirst(v, d.Matters); err != nil {
			return err
		}
		return v.render("newcase", v.t("新办件"), d)
	}
	d.Form = short("case/" + string(d.Matter.Code))
	if d.In, err = v.typedInto(d.Form); err != nil {
		return err
	}
	roles := []string{"申请人", "负责人", "经办人", ""}
	for i := range formParties {
		d.Rows = append(d.Rows, d.In.party(i, roles[i]))
	}
	d.Facts = factsOf(d.Matter, func(c cases.Condition) bool { return slices.Contains(d.In.Values["facts"], string(c)) })
	return v.render("newcase", v.t("新办件：%s", d.Matter.Name), d)
}

// found tells whether a matter is meant by what was typed: its code, a part of
// its name, or the initials of its pinyin.
func found(m *cases.Matter, typed string) bool {
	if typed == "" {
		return true
	}
	typed = strings.ToLower(typed)
	return strings.Contains(strings.ToLower(string(m.Code)), typed) || strings.Contains(m.Name, typed) || strings.Contains(catalog.Initials(m.Name), typed)
}

// recentFirst puts the matters the clerk had last first.
func (s *server) recentFirst(v *visit, list []*cases.Matter) error {
	mine, err := s.Cases.Mine(v.r.Context(), v.who, recentLimit)
	if err != nil {
		return err
	}
	slices.SortFunc(mine, func(a, b *cases.Case) int { return b.Opened.Compare(a.Opened) })
	rank := map[elicense.MatterCode]int{}
	for i, k := range mine {
		if _, seen := rank[k.Matter]; !seen {
			rank[k.Matter] = i - recentLimit
		}
	}
	slices.SortStableFunc(list, func(a, b *cases.Matter) int { return rank[a.Code] - rank[b.Code] })
	return nil
}

func (s *server) caseStart(v *visit) error {
	f := v.r.PostForm
	n := cases.NewCase{
		Number: strings.TrimSpace(f.Get("number")), Matter: elicense.MatterCode(f.Get("matter")), Purpose: strings.TrimSpace(f.Get("purpose")),
		Kind: cases.Kind(f.Get("kind")), Facts: factsFrom(f),
	}
	for i := range formParties {
		k := strconv.Itoa(i)
		if strings.TrimSpace(f.Get("code"+k)) == "" && strings.TrimSpace(f.Get("name"+k)) == "" {
			continue
		}
		n.Parties = append(n.Parties, partyFrom(f, k))
	}
	form := short("case/" + string(n.Matter))
	k, err := s.Cases.Start(v.r.Context(), v.who, n)
	if err != nil {
		return v.refusedForm(err, form, func() error { return s.caseForm(v) })
	}
	if err := s.Typed.Clear(v.r.Context(), v.who, form); err != nil {
		return err
	}
	return v.goTo("/window/cases/" + string(k.ID))
}

// party is the i-th row of parties as it was typed.
func (t typed) party(i int, role string) partyRow {
	n := strconv.Itoa(i)
	return partyRow{
		n, "parties." + strconv.Itoa(i+1), t.Or("role"+n, role), codeType(t.Or("type"+n, string(elicense.CodeCitizen)), t.Get("code"+n)),
		t.Get("code" + n), t.Get("name" + n), t.Get("proof" + n),
	}
}

// codeType is the type of a code: a scanned code of a company is one, although
// the form stands at persons.
func codeType(chosen, code string) string {
	code = strings.TrimSpace(code)
	if chosen == string(elicense.CodeCitizen) && len(code) == 18 && strings.ContainsFunc(code[:17], func(r rune) bool { return r < '0' || r > '9' }) {
		return string(elicense.CodeUSCC)
	}
	return chosen
}

// partyFrom reads the n-th row of parties of a form.
func partyFrom(f url.Values, n string) cases.Party {
	return cases.Party{
		Role: strings.TrimSpace(f.Get("role" + n)), Proof: cases.Proof(f.Get("proof" + n)),
		Ref: elicense.HolderRef{CodeType: elicense.HolderCodeType(codeType(f.Get("type"+n), f.Get("code"+n))), Code: f.Get("code" + n), Name: strings.TrimSpace(f.Get("name" + n))},
	}
}

// myDayPage is what a clerk did today.
type myDayPage struct {
	Came, Went []caseRow // received today; brought to an end today
	Open, Late int
	Stages     []stageCount
	Uses       int
	Refusals   []dayRefusal
}

// dayRefusal is one refusal of the clerk's day, with the reason of its rule.
type dayRefusal struct {
	sharing.Refused
	Word, Reason, Next, Article string
}

type stageCount struct {
	cases.Stage
	N int
}

func (s *server) myDay(v *visit) error {
	mine, err := s.Cases.Mine(v.r.Context(), v.who, caseLimit)
	if err != nil {
		return err
	}
	var d myDayPage
	today := elicense.DateOf(v.Now())
	count := map[cases.Stage]int{}
	for _, row := range v.caseRows(mine) {
		if elicense.DateOf(row.Opened) == today {
			d.Came = append(d.Came, row)
		}
		if !row.Closed.IsZero() && elicense.DateOf(row.Closed) == today {
			d.Went = append(d.Went, row)
		}
		if row.Stage.Ended() {
			continue
		}
		d.Open++
		count[row.Stage]++
		if !row.Due.IsZero() && v.Now().After(row.Due) {
			d.Late++
		}
	}
	for _, st := range []cases.Stage{cases.Received, cases.Correcting, cases.Accepted, cases.Paused, cases.Decided} {
		d.Stages = append(d.Stages, stageCount{st, count[st]})
	}
	day, err := s.Sharing.Day(v.r.Context(), v.who, today)
	if err != nil {
		return err
	}
	d.Uses = day.Uses
	for _, r := range day.Refusals {
		line := dayRefusal{Refused: r, Word: actWord(r.Act), Reason: "办理的内容不符合要求"}
		rule, err := s.rule(v, r.Rule)
		if err != nil {
			return err
		}
		if rule != nil {
			line.Reason, line.Next, line.Article = rule.Reason, rule.Next, rule.Article
		}
		d.Refusals = append(d.Refusals, line)
	}
	return v.render("myday", v.t("我的一天"), d)
}
