package web

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mozillazg/go-pinyin"

	"elicense"
	"elicense/cases"
	"elicense/sharing"
)

// The lists of the window: cases shown, and matters put first because the clerk
// had them last.
const (
	caseLimit   = 100
	recentLimit = 10
)

func (s *server) myCases(v *visit) error {
	list, err := s.Cases.Mine(v.r.Context(), v.who, caseLimit)
	if err != nil {
		return err
	}
	return v.render("mycases", v.t("我的办件"), list)
}

type partyRow struct {
	N                                 string
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
}

// formParties is how many parties the form has rows for.
const formParties = 4

func (s *server) caseForm(v *visit) error {
	d := casePage{Find: strings.TrimSpace(v.r.FormValue("find")), Proofs: cases.Proofs()}
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
		n := strconv.Itoa(i)
		d.Rows = append(d.Rows, partyRow{
			n, d.In.Or("role"+n, roles[i]), d.In.Or("type"+n, string(elicense.CodeCitizen)), d.In.Get("code" + n), d.In.Get("name" + n), d.In.Get("proof" + n),
		})
	}
	return v.render("newcase", v.t("新办件：%s", d.Matter.Name), d)
}

// found tells whether a matter is meant by what was typed: its code, a part of
// its name, or the initials of its pinyin.
func found(m *cases.Matter, typed string) bool {
	if typed == "" {
		return true
	}
	typed = strings.ToLower(typed)
	return strings.Contains(strings.ToLower(string(m.Code)), typed) || strings.Contains(m.Name, typed) || strings.Contains(initials(m.Name), typed)
}

// initials are the first letters of the pinyin of a name: 烟草 is yc.
func initials(name string) string {
	a := pinyin.NewArgs()
	a.Style = pinyin.FirstLetter
	var b strings.Builder
	for _, p := range pinyin.Pinyin(name, a) {
		if len(p) > 0 {
			b.WriteString(p[0])
		}
	}
	return b.String()
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
	}
	for i := range formParties {
		k := strconv.Itoa(i)
		if strings.TrimSpace(f.Get("code"+k)) == "" && strings.TrimSpace(f.Get("name"+k)) == "" {
			continue
		}
		n.Parties = append(n.Parties, cases.Party{
			Role: strings.TrimSpace(f.Get("role" + k)), Proof: cases.Proof(f.Get("proof" + k)),
			Ref: elicense.HolderRef{CodeType: elicense.HolderCodeType(f.Get("type" + k)), Code: f.Get("code" + k), Name: strings.TrimSpace(f.Get("name" + k))},
		})
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

type caseView struct {
	*cases.Case
	Matter    *cases.Matter
	Materials []materialRow
	Counts    map[sharing.Need]int
	Free      int
	Checked   time.Time
	Used      *useView // what was just opened
}

type materialRow struct {
	sharing.MaterialState
	First, Current bool
	PartyName      string
}

// useView is the license that was just opened, beside the material list.
type useView struct {
	*sharing.Result
	Material string
	Place    int
	Act      string
	Typed    map[string]string // what was typed to be compared
	Party    string
	Differs  int
}

func (s *server) caseOne(v *visit) error { return s.showCase(v, nil) }

func (s *server) showCase(v *visit, used *useView) error {
	id := elicense.CaseID(v.r.PathValue("id"))
	k, m, err := s.Cases.Get(v.r.Context(), v.who, id)
	if err != nil {
		return err
	}
	d := caseView{Case: k, Matter: m, Counts: map[sharing.Need]int{}, Used: used, Checked: v.Now()}
	if k.Open() {
		list, _, err := s.Sharing.Materials(v.r.Context(), v.who, id)
		if err != nil {
			return err
		}
		s.fill(&d, list)
	}
	return v.render("case", v.t("核对材料：%s", k.MatterName), d)
}

func (s *server) fill(d *caseView, list []sharing.MaterialState) {
	names := map[int]string{}
	for _, p := range d.Parties {
		names[p.Place] = p.Ref.Name
	}
	first := false
	for _, st := range list {
		row := materialRow{MaterialState: st, Current: d.Used != nil && d.Used.Place == st.Place}
		if len(st.Licenses) > 0 {
			row.PartyName = names[st.Licenses[0].Party]
		}
		if !first && d.Used == nil && (st.Need == sharing.Missing || st.Need == sharing.Look) {
			row.First, first = true, true
		}
		d.Counts[st.Need]++
		if st.Need == sharing.Have || st.Need == sharing.Look {
			d.Free++
		}
		d.Materials = append(d.Materials, row)
	}
	if d.Used != nil {
		d.Used.Party = names[d.Used.Result.Found.Party]
	}
}

// caseUse opens, verifies or compares a license in the case, and shows it beside
// the material list.
func (s *server) caseUse(v *visit) error {
	f := v.r.PostForm
	u := sharing.Use{Material: f.Get("material"), Type: elicense.TypeCode(f.Get("type")), Party: -1, Act: f.Get("act")}
	if n, err := strconv.Atoi(f.Get("party")); err == nil {
		u.Party = n
	}
	if code := f.Get("code"); code != "" {
		u.Holder = elicense.HolderRef{CodeType: elicense.HolderCodeType(f.Get("codeType")), Code: code}
	}
	if u.Act == sharing.Compare {
		u.Values = map[string]string{}
		for k, x := range fieldsFrom(v.r) {
			u.Values[k] = x
		}
	}
	res, err := s.Sharing.Use(v.r.Context(), v.who, elicense.CaseID(v.r.PathValue("id")), u)
	if err != nil {
		return v.again(err, func() error { return s.showCase(v, nil) })
	}
	used := &useView{Result: res, Material: u.Material, Act: u.Act, Typed: u.Values, Place: -1}
	if n, err := strconv.Atoi(f.Get("place")); err == nil {
		used.Place = n
	}
	for _, l := range res.Matches {
		if l == sharing.Differs {
			used.Differs++
		}
	}
	if u.Act == sharing.Compare {
		if err := s.labels(v, used); err != nil {
			return err
		}
	}
	return s.showCase(v, used)
}

// labels names the fields of a comparison, in the order of the face.
func (s *server) labels(v *visit, used *useView) error {
	versions, err := s.Catalog.Versions(v.r.Context(), used.Result.Found.Type)
	if err != nil {
		return err
	}
	for _, t := range versions {
		for _, f := range t.Fields {
			if _, asked := used.Matches[f.Key]; asked && len(used.Labels) < len(used.Matches) {
				used.Labels = append(used.Labels, f)
			}
		}
	}
	return nil
}

func (s *server) caseClose(v *visit) error {
	id := elicense.CaseID(v.r.PathValue("id"))
	if err := s.Cases.Close(v.r.Context(), v.who, id); err != nil {
		return v.again(err, func() error { return s.showCase(v, nil) })
	}
	return v.goTo("/window/cases/" + string(id))
}
