package web

import (
	"slices"
	"strings"
	"time"

	"elicense"
	"elicense/access"
	"elicense/catalog"
	"elicense/sharing"
)

// disclosureRow is an act of statutory disclosure (依法调取) as its officers see it.
type disclosureRow struct {
	*sharing.Disclosure
	TypeName string
	Holder   elicense.HolderRef // masked where the act is not being judged or read
	Mine     bool               // the visitor put it forward
	OneOfTwo bool
	Open     bool // what is disclosed can be read now
}

// Sign is the state as the visitor sees it: what he has still to do, or what became
// of it.
func (r *disclosureRow) Sign() due {
	switch {
	case r.State == "proposed" && r.Mine:
		return due{"note", "review", "等另一位人员同意"}
	case r.State == "proposed":
		return due{"care", "warn", "请核对后决定"}
	case r.State == "refused":
		return due{"stop", "refuse", "不同意"}
	case r.Open:
		return due{"ok", "ok", "可以查看"}
	}
	return due{"rest", "expired", "查看时间已过"}
}

func (v *visit) disclosureRow(d *sharing.Disclosure, typeName string) *disclosureRow {
	r := &disclosureRow{
		Disclosure: d, TypeName: typeName, Mine: d.First == v.who.Person, Open: v.Now().Before(d.ReadUntil()), Holder: access.MaskHolder(d.Holder),
	}
	r.OneOfTwo = r.Mine || d.Second != "" && d.Second == v.who.Person
	return r
}

type disclosuresPage struct{ Open, Done []*disclosureRow }

func (s *server) disclosures(v *visit) error {
	list, err := s.Sharing.Disclosures(v.r.Context(), v.who, queueLimit)
	if err != nil {
		return err
	}
	types, err := s.Catalog.All(v.r.Context())
	if err != nil {
		return err
	}
	names := map[elicense.TypeCode]string{}
	for _, t := range types {
		names[t.Code] = t.Name
	}
	var d disclosuresPage
	for _, x := range list {
		if r := v.disclosureRow(x, names[x.Type]); x.State == "proposed" || r.Open {
			d.Open = append(d.Open, r)
		} else {
			d.Done = append(d.Done, r)
		}
	}
	return v.render("disclosures", v.t("调取事项"), d)
}

type discloseFormPage struct {
	Types  []*catalog.Type
	Type   *catalog.Type // nil: it is to be chosen
	Chosen map[string]bool
	In     typed
	Form   string
	Today  elicense.Date
}

func (s *server) discloseForm(v *visit) error {
	d := discloseFormPage{Chosen: map[string]bool{}, Today: elicense.DateOf(v.Now())}
	var err error
	if d.Types, err = s.Catalog.All(v.r.Context()); err != nil {
		return err
	}
	code := elicense.TypeCode(v.r.FormValue("type"))
	if i := slices.IndexFunc(d.Types, func(t *catalog.Type) bool { return t.Code == code }); i >= 0 {
		d.Type = d.Types[i]
		d.Form = short("disclose/" + string(code))
		if d.In, err = v.typedInto(d.Form); err != nil {
			return err
		}
		for _, k := range d.In.Values["fields"] {
			d.Chosen[k] = true
		}
	}
	return v.render("discloseform", v.t("提出调取"), d)
}

func (s *server) disclosePropose(v *visit) error {
	form := v.r.PostForm
	typ := elicense.TypeCode(form.Get("type"))
	id, err := s.Sharing.ProposeDisclosure(v.r.Context(), v.who, sharing.Disclosure{
		Type: typ, Holder: elicense.HolderRef{CodeType: elicense.HolderCodeType(form.Get("codeType")), Code: form.Get("code"), Name: form.Get("name")},
		DocNo: form.Get("docNo"), Basis: form.Get("basis"), Reason: form.Get("reason"), Fields: form["fields"],
		Number: form.Get("number"), All: form.Get("which") == "all",
		TellFrom: elicense.Date(strings.TrimSpace(form.Get("tellFrom"))), TellBasis: form.Get("tellBasis"),
	})
	name := short("disclose/" + string(typ))
	if err != nil {
		return v.refusedForm(err, name, func() error { return s.discloseForm(v) })
	}
	if err := s.Typed.Clear(v.r.Context(), v.who, name); err != nil {
		return err
	}
	return v.goTo("/disclose/" + id)
}

type disclosurePage struct {
	*disclosureRow
	Asked   []catalog.Field   // in the order of the face
	Content []*sharing.Result // once it is read
	At      time.Time
}

func (s *server) disclosure(v *visit) error { return s.showDisclosure(v, nil) }

func (s *server) showDisclosure(v *visit, read []*sharing.Result) error {
	x, err := s.Sharing.Disclosure(v.r.Context(), v.who, v.r.PathValue("id"))
	if err != nil {
		return err
	}
	versions, err := s.Catalog.Versions(v.r.Context(), x.Type)
	if err != nil {
		return err
	}
	d := disclosurePage{disclosureRow: v.disclosureRow(x, ""), Content: read, At: v.Now()}
	for _, t := range versions {
		if t.State != catalog.Published {
			continue
		}
		d.TypeName = t.Name
		for _, f := range t.Fields {
			if slices.Contains(x.Fields, f.Key) {
				d.Asked = append(d.Asked, f)
			}
		}
		break
	}
	if x.State == "proposed" || d.Open { // judged against the document
		d.Holder = x.Holder
	}
	return v.render("disclosure", v.t("调取：%s", x.DocNo), d)
}

func (s *server) discloseDecide(v *visit) error {
	do := v.r.PostFormValue("do")
	if do != "approve" && do != "refuse" {
		return v.again(elicense.E(elicense.Invalid, "要选择同意或不同意"), func() error { return s.disclosure(v) })
	}
	id := v.r.PathValue("id")
	if err := s.Sharing.DecideDisclosure(v.r.Context(), v.who, id, do == "approve"); err != nil {
		return v.again(err, func() error { return s.disclosure(v) })
	}
	return v.goTo("/disclose/" + id)
}

// discloseRead shows what is disclosed, in the answer to the button: each look is
// asked for and recorded, and no address leads to it.
func (s *server) discloseRead(v *visit) error {
	res, err := s.Sharing.ReadDisclosure(v.r.Context(), v.who, v.r.PathValue("id"))
	if err != nil {
		return v.again(err, func() error { return s.disclosure(v) })
	}
	return s.showDisclosure(v, res)
}
