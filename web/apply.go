package web

import (
	"html/template"
	"slices"
	"strings"

	"elicense"
	"elicense/cases"
	"elicense/letters"
	"elicense/sharing"
)

type applyPage struct {
	Matter   *cases.Matter
	UnitName string
	In       typed
	Form     string
	Facts    []fact
	Row      partyRow
}

// applyForm begins an application online (Art. 11(1)).
func (s *server) applyForm(v *visit) error {
	m, err := s.Cases.Matter(v.r.Context(), elicense.MatterCode(v.r.PathValue("code")))
	if err != nil {
		return err
	}
	names, _, err := s.unitNames(v)
	if err != nil {
		return err
	}
	d := applyPage{Matter: m, UnitName: names[m.Unit], Form: short("apply/" + string(m.Code))}
	if d.In, err = v.typedInto(d.Form); err != nil {
		return err
	}
	d.Facts = factsOf(m, func(c cases.Condition) bool { return slices.Contains(d.In.Values["facts"], string(c)) })
	d.Row = d.In.party(0, "申请人")
	if !d.In.Has("name0") {
		d.Row.Name = v.who.Name
	}
	return v.render("apply", v.t("网上申请：%s", m.Name), d)
}

func (s *server) apply(v *visit) error {
	code := elicense.MatterCode(v.r.PathValue("code"))
	form := short("apply/" + string(code))
	p := partyFrom(v.r.PostForm, "0")
	p.Role = "申请人"
	k, err := s.Cases.Apply(v.r.Context(), v.who, cases.NewCase{Matter: code, Facts: factsFrom(v.r.PostForm), Parties: []cases.Party{p}})
	if err != nil {
		return v.refusedForm(err, form, func() error { return s.applyForm(v) })
	}
	if err := s.Typed.Clear(v.r.Context(), v.who, form); err != nil {
		return err
	}
	return v.goTo("/holder/cases/" + string(k.ID))
}

func (s *server) ownCases(v *visit) error {
	list, err := s.Cases.OwnCases(v.r.Context(), v.who, caseLimit)
	if err != nil {
		return err
	}
	return v.render("owncases", v.t("我的办件"), v.caseRows(list))
}

type ownCasePage struct {
	*cases.Case
	Matter    *cases.Matter
	Unit      string
	Left      due
	Mine      bool // he applied for it himself and can act in it
	Fill      bool // materials can be given now
	Materials []ownMaterial
	Todo      int // materials still to be given before it can be sent
	Agree     int // of his licenses that only wait for his agreement
	Correct   *cases.Step
	Decision  *cases.Step
	Refusal   *cases.Step
	Course    []cases.Step // the newest first
	Papers    []letters.Kind
	Uses      []ownUse
	In        typed
	Form      string
	CanDrop   bool
	CanObject bool
	Bases     map[cases.BasisID]*cases.Basis
}

type ownMaterial struct {
	sharing.MaterialState
	GivenBy string
	Needed  bool // before the application can be sent
}

// ownUse is a look at one of the holder's licenses in the case.
type ownUse struct {
	sharing.Usage
	License elicense.LicenseID
	Name    string
}

func (s *server) ownCase(v *visit) error {
	ctx, id := v.r.Context(), elicense.CaseID(v.r.PathValue("id"))
	k, m, course, err := s.Cases.Own(ctx, v.who, id)
	if err != nil {
		return err
	}
	names, _, err := s.unitNames(v)
	if err != nil {
		return err
	}
	d := ownCasePage{
		Case: k, Matter: m, Unit: names[k.Unit], Left: v.caseDue(k), Mine: k.Applicant == v.who.Account, Papers: letters.Due(k, course),
		Form: short("own/" + string(id)),
	}
	for i := range course {
		st := &course[i]
		d.Course = append([]cases.Step{*st}, d.Course...)
		switch st.Kind {
		case cases.Correct:
			d.Correct = st
		case cases.Decide:
			d.Decision = st
		case cases.Refuse:
			d.Refusal = st
		}
	}
	d.Fill = d.Mine && (k.Stage == cases.Filling || k.Stage == cases.Correcting)
	_, cant := k.Stage.After(cases.Withdraw)
	d.CanDrop = d.Mine && cant == nil
	if d.Fill {
		if err := s.ownMaterials(v, &d); err != nil {
			return err
		}
	}
	if k.Stage != cases.Filling {
		if d.Uses, err = s.usesIn(v, k, m); err != nil {
			return err
		}
		d.CanObject = slices.ContainsFunc(d.Uses, func(u ownUse) bool { return !u.Refused })
	}
	if d.In, err = v.typedInto(d.Form); err != nil {
		return err
	}
	return v.render("owncase", v.t("办件：%s", k.MatterName), d)
}

// ownMaterials puts on the page what the applicant has and what he has to give.
func (s *server) ownMaterials(v *visit, d *ownCasePage) error {
	list, err := s.Sharing.OwnMaterials(v.r.Context(), v.who, d.ID)
	if err != nil {
		return err
	}
	if d.Bases, err = s.basesByID(v); err != nil {
		return err
	}
	for _, st := range list {
		row := ownMaterial{MaterialState: st}
		mat := &st.Material
		if st.Given != nil {
			row.GivenBy = v.given(st.Given)
		} else {
			row.Needed = !mat.Optional && mat.Way != cases.Remote && mat.Way != cases.Original && mat.Later == 0
		}
		if row.Needed {
			d.Todo++
		}
		if st.Given == nil && (st.Need == sharing.Have || st.Need == sharing.Look) {
			d.Agree++
		}
		d.Materials = append(d.Materials, row)
	}
	return nil
}

func (s *server) basesByID(v *visit) (map[cases.BasisID]*cases.Basis, error) {
	list, err := s.Cases.Bases(v.r.Context())
	m := make(map[cases.BasisID]*cases.Basis, len(list))
	for _, b := range list {
		m[b.ID] = b
	}
	return m, err
}

// usesIn lists who looked at the holder's licenses in the case, the newest first.
func (s *server) usesIn(v *visit, k *cases.Case, m *cases.Matter) (list []ownUse, err error) {
	own, err := s.Sharing.Folder(v.r.Context(), v.who)
	if err != nil {
		return nil, err
	}
	for _, o := range own {
		if !slices.Contains(m.Types(), o.License.Type) {
			continue
		}
		uses, err := s.Sharing.Uses(v.r.Context(), v.who, o.ID, usesLimit)
		if err != nil {
			return nil, err
		}
		for _, u := range uses {
			if u.Case == k.ID {
				list = append(list, ownUse{u, o.ID, o.License.TypeName})
			}
		}
	}
	slices.SortStableFunc(list, func(a, b ownUse) int { return b.At.Compare(a.At) })
	return list, nil
}

// ownMove is a step of the applicant, or what a party says about the case.
func (s *server) ownMove(v *visit) error {
	ctx, id, mv := v.r.Context(), elicense.CaseID(v.r.PathValue("id")), v.r.PathValue("move")
	form := short("own/" + string(id))
	var err error
	if mv == "object" {
		err = s.Sharing.Object(ctx, v.who, id)
	} else {
		_, err = s.Cases.OwnMove(ctx, v.who, id, cases.Move(mv), cases.Doing{Reason: v.r.PostFormValue("reason")})
	}
	if err != nil {
		return v.refusedForm(err, form, func() error { return s.ownCase(v) })
	}
	if err := s.Typed.Clear(ctx, v.who, form); err != nil {
		return err
	}
	return v.goTo("/holder/cases/" + string(id) + "?said=" + mv)
}

// ownMaterial gives a material of the applicant's case.
func (s *server) ownMaterial(v *visit) error {
	id := elicense.CaseID(v.r.PathValue("id"))
	act, err := s.settle(v, id)
	if err != nil {
		return v.refusedForm(err, short("own/"+string(id)), func() error { return s.ownCase(v) })
	}
	return v.goTo("/holder/cases/" + string(id) + "?said=" + act + "#m" + v.r.PathValue("place"))
}

// ownAgree agrees at one tap to the use of every license that meets a material.
func (s *server) ownAgree(v *visit) error {
	ctx, id := v.r.Context(), elicense.CaseID(v.r.PathValue("id"))
	list, err := s.Sharing.OwnMaterials(ctx, v.who, id)
	for i := 0; err == nil && i < len(list); i++ {
		st := &list[i]
		if st.Given == nil && (st.Need == sharing.Have || st.Need == sharing.Look) {
			err = s.Sharing.Give(ctx, v.who, id, st.Place, sharing.Giving{Way: cases.ByLicense, License: st.Licenses[0].Key})
		}
	}
	if err != nil {
		return v.again(err, func() error { return s.ownCase(v) })
	}
	return v.goTo("/holder/cases/" + string(id) + "?said=license")
}

type agreementsPage struct{ Asked, Past []*sharing.Agreement }

var agreementWords = map[string]string{"asked": "等您决定", "agreed": "已同意", "declined": "没有同意", "withdrawn": "已收回同意", "ended": "办件已结束，没有答复"}

func (s *server) agreements(v *visit) error {
	list, err := s.Sharing.Agreements(v.r.Context(), v.who, caseLimit)
	if err != nil {
		return err
	}
	var d agreementsPage
	for _, a := range list {
		if a.State == "asked" {
			d.Asked = append(d.Asked, a)
		} else {
			d.Past = append(d.Past, a)
		}
	}
	return v.render("agreements", v.t("授权"), d)
}

func (s *server) agreementAnswer(v *visit) error {
	yes := v.r.PostFormValue("answer") == "yes"
	if err := s.Sharing.Answer(v.r.Context(), v.who, v.r.PathValue("id"), yes); err != nil {
		return v.again(err, func() error { return s.agreements(v) })
	}
	return v.goTo("/holder/agreements?said=" + map[bool]string{true: "yes", false: "no"}[yes])
}

// rightsPage is the card of rights: what the law says, and that a license is to be
// had at this minute.
type rightsPage struct {
	Licenses []sharing.Owned // those in force
	Named    *sharing.Opened
	QR       template.HTML
}

func (s *server) rights(v *visit) error {
	var d rightsPage
	list, err := s.Sharing.Folder(v.r.Context(), v.who)
	if err != nil {
		return err
	}
	for _, o := range list {
		if o.Status.Usable() {
			d.Licenses = append(d.Licenses, o)
		}
	}
	if id := elicense.LicenseID(v.r.FormValue("license")); id != "" {
		if d.Named, err = s.Sharing.Own(v.r.Context(), v.who, id); err != nil {
			return err
		}
		if d.QR, err = qrPicture(s.PublicURL+"/check/"+string(d.Named.Version.Code), v.t("查验二维码")); err != nil {
			return err
		}
	}
	return v.render("rights", v.t("我的权利"), d)
}

// bring is what one holder has to bring for a matter himself.
type bring struct {
	Name  string
	Have  bool   // he has a license that meets it
	Typed bool   // a license could meet it
	When  string // the facts under which it is asked for
}

// bringOnly tells a signed-in holder what is left for him to bring.
func (s *server) bringOnly(v *visit, m *cases.Matter) (list []bring, err error) {
	if v.who.Kind != elicense.Holder {
		return nil, nil
	}
	own, err := s.Sharing.Folder(v.r.Context(), v.who)
	if err != nil {
		return nil, err
	}
	for _, mat := range m.Materials {
		b := bring{Name: mat.Name, Typed: len(mat.Types) > 0, When: v.whenWords(&mat)}
		b.Have = mat.Way == cases.Remote || mat.Way != cases.Original && slices.ContainsFunc(own, func(o sharing.Owned) bool {
			return o.Status.Usable() && slices.Contains(mat.Types, o.License.Type)
		})
		list = append(list, b)
	}
	return list, nil
}

// whenWords says when a material is asked for, in the visitor's language.
func (v *visit) whenWords(m *cases.Material) string {
	words := make([]string, len(m.When))
	for i, w := range m.When {
		name, not := strings.CutPrefix(w, "!")
		words[i] = v.t(cases.Condition(name).Chinese())
		if not {
			words[i] = v.t("不是“%s”", words[i])
		}
	}
	return strings.Join(words, v.t("、"))
}
