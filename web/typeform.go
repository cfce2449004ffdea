package web

import (
	"io"
	"net/url"
	"sort"
	"strconv"
	"strings"

	"elicense"
	"elicense/access"
	"elicense/catalog"
)

type ownTypesPage struct {
	List     []ownType
	Imported []importedRow // of a file just sent
	Took     int           // entries of it that were proposed
	Same     int           // that are in force as they are
}

type importedRow struct {
	catalog.Imported
	Wrong *refusal
}

func (s *server) ownTypes(v *visit) error { return s.showOwnTypes(v, ownTypesPage{}) }

func (s *server) showOwnTypes(v *visit, d ownTypesPage) error {
	list, err := s.Catalog.OfUnit(v.r.Context(), v.who.Unit)
	if err != nil {
		return err
	}
	for _, t := range list {
		d.List = append(d.List, ownType{t, t.Stale(v.Now())})
	}
	return v.render("owntypes", v.t("类别登记"), d)
}

// typesImport proposes the entries of a file and says what came of each.
func (s *server) typesImport(v *visit) error {
	f, _, err := v.r.FormFile("file")
	if err != nil {
		return v.again(elicense.E(elicense.Invalid, "要选择文件").At("file"), func() error { return s.ownTypes(v) })
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	list, err := s.Catalog.Import(v.r.Context(), v.who, b)
	var d ownTypesPage
	for _, x := range list {
		switch {
		case x.Err != nil:
			d.Imported = append(d.Imported, importedRow{x, v.explain(x.Err)})
		case x.Same:
			d.Same++
		default:
			d.Took++
		}
	}
	if err != nil {
		return v.again(err, func() error { return s.showOwnTypes(v, d) })
	}
	return s.showOwnTypes(v, d)
}

type ownType struct {
	*catalog.Type
	Old bool // to be confirmed
}

// typeConfirm notes that an entry is still right.
func (s *server) typeConfirm(v *visit) error {
	if err := s.Catalog.Confirm(v.r.Context(), v.who, elicense.TypeCode(v.r.PathValue("code"))); err != nil {
		return v.again(err, func() error { return s.ownTypes(v) })
	}
	return v.goTo("/issue/types")
}

type typeFormPage struct {
	In        typed
	Form      string
	Rows      []typeFieldRow
	Types     []pair // the types of fields
	Modes     []catalog.Mode
	HolderSet []catalog.Holders
	Sharings  []string
	Roles     []pair
	From      string // the type a new version is made of
	Pages     int    // of the face; 0 if it is to be made of the fields
	Problems  []problemRow
	FaceWrong *refusal        // why the face can't be looked at
	Standards []*catalog.Type // a local type can be an instance of
	Licenses  []*catalog.Type // a third party's right to issue can rest on
	Levels    []pair
}

type typeFieldRow struct {
	N                             string
	Key, Label, Type, Class, Role string
	Options                       string
	Required                      bool
}

// The roles a field can have, by the key of the form.
var fieldRoles = []pair{
	{"holderName", "持证主体名称"}, {"holderCode", "持证主体代码"}, {"number", "证照编号"},
	{"issueDate", "发证日期"}, {"validFrom", "有效期起"}, {"validTo", "有效期止"},
}

// signInLevels are how strongly one must have signed in to use a license (Art. 17(3)).
var signInLevels = []pair{{"1", "一级：密码"}, {"2", "二级：实名核验"}, {"3", "三级：数字证书"}}

// minFieldRows is how many rows the form has for a new type; a form with fewer
// than spareFieldRows empty ones gets more.
const (
	minFieldRows   = 8
	spareFieldRows = 3
	maxFieldRows   = 60
)

func (s *server) typeForm(v *visit) error {
	d := typeFormPage{From: v.r.FormValue("from"), Roles: fieldRoles,
		Modes:     []catalog.Mode{catalog.Online, catalog.Offline, catalog.Bulk, catalog.National},
		HolderSet: []catalog.Holders{catalog.Persons, catalog.Organizations, catalog.AnyHolder},
		Sharings:  []string{"无条件共享", "有条件共享", "不予共享"}, Levels: signInLevels,
	}
	all, err := s.Catalog.All(v.r.Context())
	if err != nil {
		return err
	}
	for _, t := range all {
		if t.Standard == "" && t.State == catalog.Published && strings.HasSuffix(string(t.Code[2:8]), "0000") {
			d.Standards = append(d.Standards, t)
		}
		if t.Holders != catalog.Persons && t.State == catalog.Published {
			d.Licenses = append(d.Licenses, t)
		}
	}
	for k, w := range catalog.FieldTypes() {
		d.Types = append(d.Types, pair{k, w})
	}
	sort.Slice(d.Types, func(i, j int) bool { return d.Types[i].Name < d.Types[j].Name })
	d.Form = typeKey(d.From)
	if d.In, err = s.typeText(v, d.From); err != nil {
		return err
	}
	d.Rows = typeRows(d.In)
	s.lookAtFace(v, &d)
	return v.render("typeform", v.t("登记证照类别"), d)
}

// typeKey names the text of the form for a new type, or a new version of one.
func typeKey(from string) string { return short("type/" + from) }

// typeText is the text of the type form: what was just sent or kept, else what a
// new form starts with.
func (s *server) typeText(v *visit, from string) (typed, error) {
	in, err := v.typedInto(typeKey(from))
	if err == nil && len(in.Values) == 0 {
		err = s.startType(v, in, from)
	}
	return in, err
}

// lookAtFace says on the form how the face stands to the fields as they are now.
func (s *server) lookAtFace(v *visit, d *typeFormPage) {
	if strings.TrimSpace(d.In.Get("face")) == "" {
		return
	}
	t, err := typeFrom(v.who.Unit, d.In)
	var found []catalog.Problem
	if err == nil {
		d.Pages = len(t.Face.Pages)
		found, err = s.Drawer.Lint(t, elicense.DateOf(v.Now()))
	}
	if err != nil {
		d.FaceWrong = v.explain(err)
		return
	}
	d.Problems = v.problemRows(found)
}

// startType fills a new form: empty, or from the version that is to be replaced.
func (s *server) startType(v *visit, in typed, from string) error {
	in.Set("issuers", string(v.who.Unit))
	in.Set("code", string(v.who.Unit))
	in.Set("validity", "years")
	in.Set("mode", string(catalog.Online))
	in.Set("holders", string(catalog.AnyHolder))
	in.Set("sharing", "有条件共享")
	in.Set("level", "1")
	if from == "" {
		return nil
	}
	versions, err := s.Catalog.Versions(v.r.Context(), elicense.TypeCode(from))
	if err != nil {
		return err
	}
	if len(versions) == 0 {
		return elicense.E(elicense.NotFound, "没有这个证照类别").Then("请从证照目录里选择")
	}
	fillType(in, versions[0])
	return nil
}

// fillType is the text of the form for a new version of t; typeFrom reads it back.
// That the licenses hold no secret is confirmed anew.
func fillType(in typed, t *catalog.Type) {
	var issuers []string
	for _, u := range t.Issuers {
		issuers = append(issuers, string(u))
	}
	for k, x := range map[string]string{
		"code": string(t.Code), "name": t.Name, "english": t.English, "issuers": strings.Join(issuers, "\n"), "category": t.Category,
		"validity": t.Validity.Kind, "years": strconv.Itoa(t.Validity.Years), "validityText": t.Validity.Text, "holders": string(t.Holders),
		"mode": string(t.Mode), "reason": t.Reason, "basis": t.Basis, "annual": t.Annual, "sharing": t.Sharing, "standard": string(t.Standard),
		"level": strconv.Itoa(max(1, t.Level)), "qualification": string(t.Qualification),
	} {
		in.Set(k, x)
	}
	if t.Consent {
		in.Set("consent", "on")
	}
	if t.Face != nil {
		in.Set("face", faceText(t.Face))
	}
	roles := map[string]string{
		t.Roles.HolderName: "holderName", t.Roles.HolderCode: "holderCode", t.Roles.Number: "number",
		t.Roles.IssueDate: "issueDate", t.Roles.ValidFrom: "validFrom", t.Roles.ValidTo: "validTo",
	}
	for i, f := range t.Fields {
		n := strconv.Itoa(i)
		in.Set("key"+n, f.Key)
		in.Set("label"+n, f.Label)
		in.Set("type"+n, f.Type)
		in.Set("class"+n, string(f.Class))
		in.Set("options"+n, catalog.OptionsLine(f.Options))
		in.Set("role"+n, roles[f.Key])
		if f.Required {
			in.Set("required"+n, "on")
		}
	}
}

func typeRows(in typed) (rows []typeFieldRow) {
	filled := 0
	for i := range maxFieldRows {
		n := strconv.Itoa(i)
		r := typeFieldRow{
			N: n, Key: in.Get("key" + n), Label: in.Get("label" + n), Type: in.Or("type"+n, "string"), Class: in.Or("class"+n, string(access.Open)),
			Role: in.Get("role" + n), Required: in.Has("required" + n), Options: in.Get("options" + n),
		}
		if r.Key != "" || r.Label != "" {
			filled = i + 1
		}
		rows = append(rows, r)
	}
	return rows[:min(maxFieldRows, max(minFieldRows, filled+spareFieldRows))]
}

func (s *server) typePropose(v *visit) error {
	from := v.r.PostFormValue("from")
	form := typeKey(from)
	if v.r.PostFormValue("do") == "face" {
		if err := s.Typed.Save(v.r.Context(), v.who, form, v.r.PostForm); err != nil {
			return err
		}
		return v.goTo(facePath + "?from=" + url.QueryEscape(from))
	}
	in := typed{Values: v.r.PostForm}
	t := typeBare(v.who.Unit, in)
	var err error
	if face := strings.TrimSpace(in.Get("face")); face != "" {
		err = s.Catalog.ProposeText(v.r.Context(), v.who, t, []byte(face))
	} else {
		err = s.Catalog.Propose(v.r.Context(), v.who, t)
	}
	if err != nil {
		return v.refusedForm(err, form, func() error { return s.typeForm(v) })
	}
	for _, key := range []string{form, faceKey(from)} {
		if err := s.Typed.Clear(v.r.Context(), v.who, key); err != nil {
			return err
		}
	}
	return v.goTo("/issue/types")
}

// typeFrom reads an entry with its face from the text of the form.
//
// Errors: Invalid or TooLarge for a face that can't be used.
func typeFrom(unit elicense.UnitCode, f typed) (t *catalog.Type, err error) {
	t = typeBare(unit, f)
	if text := strings.TrimSpace(f.Get("face")); text != "" {
		t.Face, err = catalog.ParseFace([]byte(text))
	}
	return t, err
}

// typeBare reads an entry from the text of the form, with the default face of
// its fields. Rows without key and label are skipped.
func typeBare(unit elicense.UnitCode, f typed) *catalog.Type {
	years, err := strconv.Atoi(f.Get("years"))
	if err != nil {
		years = 0 // refused by the catalog where it is needed
	}
	level, err := strconv.Atoi(f.Or("level", "1"))
	if err != nil {
		level = -1 // refused by the catalog
	}
	if level == 1 {
		level = 0 // as an entry that says nothing of it
	}
	t := &catalog.Type{
		Code: elicense.TypeCode(f.Get("code")), Name: f.Get("name"), English: strings.TrimSpace(f.Get("english")), Unit: unit, Category: f.Get("category"),
		Validity: catalog.Validity{Kind: f.Get("validity"), Text: validityText(f.Get("validity"), f.Get("validityText"), years)},
		Holders:  catalog.Holders(f.Get("holders")), Mode: catalog.Mode(f.Get("mode")), Reason: strings.TrimSpace(f.Get("reason")),
		Basis: f.Get("basis"), Annual: strings.TrimSpace(f.Get("annual")), Sharing: f.Get("sharing"), Standard: elicense.TypeCode(f.Get("standard")), Open: f.Has("open"),
		Consent: f.Has("consent"), Level: level, Qualification: elicense.TypeCode(f.Get("qualification")),
	}
	if t.Validity.Kind == "years" {
		t.Validity.Years = years
	}
	for _, u := range strings.Fields(f.Get("issuers")) {
		t.Issuers = append(t.Issuers, elicense.UnitCode(u))
	}
	roles := map[string]*string{
		"holderName": &t.Roles.HolderName, "holderCode": &t.Roles.HolderCode, "number": &t.Roles.Number,
		"issueDate": &t.Roles.IssueDate, "validFrom": &t.Roles.ValidFrom, "validTo": &t.Roles.ValidTo,
	}
	for _, r := range typeRows(f) {
		if r.Key == "" && r.Label == "" {
			continue
		}
		t.Fields = append(t.Fields, catalog.Field{Key: r.Key, Label: r.Label, Type: r.Type, Required: r.Required, Class: access.Class(r.Class)})
		if r.Type == "enum" { // another's are left from before
			t.Fields[len(t.Fields)-1].Options = catalog.OptionsOf(r.Options)
		}
		if role := roles[r.Role]; role != nil {
			*role = r.Key
		}
	}
	if len(t.Fields) > 0 {
		t.Face = catalog.DefaultFace(t.Name, t.Fields)
	}
	return t
}

// validityText is the rule in words, as the form gives it or as it follows.
func validityText(kind, text string, years int) string {
	switch text = strings.TrimSpace(text); {
	case text != "":
		return text
	case kind == "none":
		return "长期"
	case kind == "years":
		return strconv.Itoa(years) + "年"
	}
	return "按照面记载"
}
