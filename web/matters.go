package web

import (
	"bytes"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"elicense"
	"elicense/cases"
	"elicense/catalog"
	"elicense/sharing"
)

type unitMattersPage struct {
	List    []unitMatter
	Waiting []*cases.Matter // versions that wait to be published
}

type unitMatter struct {
	matterLine
	Tasks  int
	Last   *cases.Matter // the newest version, if it is not the one in force
	Papers int           // materials for which originals are asked
}

func (s *server) unitMatters(v *visit) error {
	ctx := v.r.Context()
	all, err := s.Cases.Matters(ctx, v.who.Unit)
	if err != nil {
		return err
	}
	tasks, err := s.Cases.Tasks(ctx, v.who.Unit)
	if err != nil {
		return err
	}
	waiting, err := s.Cases.WaitingMatters(ctx)
	if err != nil {
		return err
	}
	var d unitMattersPage
	for _, m := range all {
		if m.Unit != v.who.Unit {
			continue
		}
		row := unitMatter{matterLine: matterOf(m, nil)}
		for _, t := range tasks {
			if t.Matter == m.Code {
				row.Tasks++
			}
		}
		for _, mat := range m.Materials {
			if mat.Way == cases.Original {
				row.Papers++
			}
		}
		versions, err := s.Cases.MatterVersions(ctx, m.Code)
		if err != nil {
			return err
		}
		if len(versions) > 0 && versions[0].Version != m.Version {
			row.Last = versions[0]
		}
		d.List = append(d.List, row)
	}
	for _, m := range waiting {
		if m.Unit == v.who.Unit {
			d.Waiting = append(d.Waiting, m)
		}
	}
	return v.render("unitmatters", v.t("事项与材料"), d)
}

type matterView struct {
	*cases.Matter
	UnitName string
	Lines    []matterChange
	Gone     []string // materials of the version in force that are asked for no more
	Versions []*cases.Matter
	Tasks    []matterTask
	Bases    map[cases.BasisID]*cases.Basis
	Names    map[elicense.TypeCode]string
	InForce  *cases.Matter
	Waiting  bool
}

type matterTask struct {
	*cases.Task
	Basis *cases.Basis
}

// matterChange is a material of a version beside what stands in force.
type matterChange struct {
	cases.Material
	When    string
	Fields  []string // in words, by type
	New     bool
	Changed bool
}

// matterVersion shows a version of a matter with what it changes.
func (s *server) matterVersion(v *visit, m, inForce *cases.Matter) (*matterView, error) {
	d := &matterView{Matter: m, InForce: inForce, Names: map[elicense.TypeCode]string{}, Waiting: m.State == cases.Proposed}
	names, _, err := s.unitNames(v)
	if err != nil {
		return nil, err
	}
	d.UnitName = names[m.Unit]
	if d.Bases, err = s.basesByID(v); err != nil {
		return nil, err
	}
	types, err := s.Catalog.All(v.r.Context())
	if err != nil {
		return nil, err
	}
	entry := map[elicense.TypeCode]*catalog.Type{}
	for _, t := range types {
		entry[t.Code], d.Names[t.Code] = t, t.Name
	}
	before := map[string]cases.Material{}
	compares := inForce != nil && inForce.Version != m.Version
	if compares {
		for _, mat := range inForce.Materials {
			before[mat.Name] = mat
		}
	}
	for _, mat := range m.Materials {
		line := matterChange{Material: mat, When: v.whenWords(&mat)}
		for _, t := range mat.Types {
			var labels []string
			for _, key := range mat.Fields[t] {
				label := key
				if e := entry[t]; e != nil && e.Field(key) != nil {
					label = e.Field(key).Label
				}
				labels = append(labels, label)
			}
			name := d.Names[t]
			if name == "" {
				name = string(t)
			}
			line.Fields = append(line.Fields, name+"："+strings.Join(labels, "、"))
		}
		if compares {
			old, was := before[mat.Name]
			line.New = !was
			line.Changed = was && !sameMaterial(old, mat)
			delete(before, mat.Name)
		}
		d.Lines = append(d.Lines, line)
	}
	for name := range before {
		d.Gone = append(d.Gone, name)
	}
	slices.Sort(d.Gone)
	return d, nil
}

func sameMaterial(a, b cases.Material) bool {
	x, errA := json.Marshal(a)
	y, errB := json.Marshal(b)
	return errA == nil && errB == nil && bytes.Equal(x, y)
}

func (s *server) unitMatter(v *visit) error {
	ctx, code := v.r.Context(), elicense.MatterCode(v.r.PathValue("code"))
	versions, err := s.Cases.MatterVersions(ctx, code)
	if err != nil {
		return err
	}
	if len(versions) == 0 || versions[0].Unit != v.who.Unit {
		return elicense.E(elicense.NotFound, "没有这个事项").Then("请从事项清单里选择")
	}
	inForce := published(versions)
	d, err := s.matterVersion(v, versions[0], inForce)
	if err != nil {
		return err
	}
	d.Versions = versions
	tasks, err := s.Cases.Tasks(ctx, v.who.Unit)
	if err != nil {
		return err
	}
	for _, t := range tasks {
		if t.Matter == code {
			d.Tasks = append(d.Tasks, matterTask{t, d.Bases[t.Basis]})
		}
	}
	return v.render("unitmatter", d.Name, d)
}

func published(versions []*cases.Matter) *cases.Matter {
	for _, m := range versions {
		if m.State == cases.Published {
			return m
		}
	}
	return nil
}

// matterFile is a matter as it is exported and imported.
type matterFile struct {
	Code      elicense.MatterCode     `json:"code"`
	Item      string                  `json:"item,omitempty"`
	Name      string                  `json:"name"`
	Days      int                     `json:"days"`
	Result    elicense.TypeCode       `json:"result,omitempty"`
	Online    bool                    `json:"online"`
	Presence  cases.BasisID           `json:"presence,omitempty"`
	Effects   map[string]cases.Effect `json:"effects,omitempty"`
	Materials []cases.Material        `json:"materials"`
}

func fileOf(m *cases.Matter) ([]byte, error) {
	return json.MarshalIndent(matterFile{m.Code, m.Item, m.Name, m.Days, m.Result, m.Online, m.Presence, m.Effects, m.Materials}, "", "  ")
}

func parseMatter(text string) (*cases.Matter, error) {
	var f matterFile
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&f); err != nil {
		return nil, elicense.E(elicense.Invalid, "读不出这份材料清单").At("json").Then("请核对JSON的格式，或从现行事项导出一份改").Because(err)
	}
	return &cases.Matter{Code: f.Code, Item: f.Item, Name: f.Name, Days: f.Days, Result: f.Result, Online: f.Online, Presence: f.Presence, Effects: f.Effects, Materials: f.Materials}, nil
}

// Of the form: how many empty materials it offers.
const emptyMaterials = 3

// valuesOf writes a matter into the fields of the form.
func valuesOf(m *cases.Matter) url.Values {
	f := url.Values{}
	set := func(k, x string) {
		if x != "" && x != "0" && x != "false" {
			f.Set(k, x)
		}
	}
	set("code", string(m.Code))
	set("item", m.Item)
	set("name", m.Name)
	set("days", strconv.Itoa(m.Days))
	set("result", string(m.Result))
	set("online", strconv.FormatBool(m.Online))
	set("presence", string(m.Presence))
	for name, e := range m.Effects {
		set("effect."+name, string(e))
	}
	for i, mat := range m.Materials {
		at := "m" + strconv.Itoa(i) + "."
		set(at+"name", mat.Name)
		set(at+"way", string(mat.Way))
		set(at+"basis", string(mat.Basis))
		set(at+"later", strconv.Itoa(mat.Later))
		set(at+"optional", strconv.FormatBool(mat.Optional))
		set(at+"orUpload", strconv.FormatBool(mat.OrUpload))
		set(at+"promise", strconv.FormatBool(mat.Promise))
		set(at+"file", strconv.FormatBool(mat.File))
		f[at+"when"] = mat.When
		for _, t := range mat.Types {
			f.Add(at+"types", string(t))
			for _, k := range mat.Fields[t] {
				f.Add(at+"fields", string(t)+"/"+k)
			}
		}
		for _, t := range mat.Elsewhere {
			f.Add(at+"elsewhere", string(t))
		}
	}
	f.Set("n", strconv.Itoa(len(m.Materials)+emptyMaterials))
	return f
}

// matterFrom reads a matter out of the form. Rows without a name are none.
func matterFrom(f url.Values) *cases.Matter {
	number := func(k string) int {
		n, err := strconv.Atoi(strings.TrimSpace(f.Get(k)))
		if err != nil && strings.TrimSpace(f.Get(k)) != "" {
			return -1 // which the domain refuses, naming the field
		}
		return n
	}
	m := &cases.Matter{
		Code: elicense.MatterCode(strings.TrimSpace(f.Get("code"))), Item: strings.TrimSpace(f.Get("item")), Name: strings.TrimSpace(f.Get("name")),
		Days: number("days"), Result: elicense.TypeCode(f.Get("result")), Online: f.Get("online") != "", Presence: cases.BasisID(f.Get("presence")),
		Effects: map[string]cases.Effect{},
	}
	for _, o := range overlayNames {
		if e := f.Get("effect." + o.Name); e != "" {
			m.Effects[o.Name] = cases.Effect(e)
		}
	}
	for i := range rowsIn(f) {
		at := "m" + strconv.Itoa(i) + "."
		if strings.TrimSpace(f.Get(at+"name")) == "" {
			continue
		}
		mat := cases.Material{
			Name: strings.TrimSpace(f.Get(at + "name")), Way: cases.Way(f.Get(at + "way")), When: slices.DeleteFunc(slices.Clone(f[at+"when"]), func(w string) bool { return w == "" }),
			Optional: f.Get(at+"optional") != "", OrUpload: f.Get(at+"orUpload") != "", Later: number(at + "later"), Promise: f.Get(at+"promise") != "",
			File: f.Get(at+"file") != "", Basis: cases.BasisID(f.Get(at + "basis")), Fields: map[elicense.TypeCode][]string{},
		}
		for _, t := range f[at+"types"] {
			mat.Types = append(mat.Types, elicense.TypeCode(t))
		}
		for _, t := range f[at+"elsewhere"] {
			mat.Elsewhere = append(mat.Elsewhere, elicense.TypeCode(t))
		}
		for _, x := range f[at+"fields"] {
			t, key, ok := strings.Cut(x, "/")
			if ok && slices.Contains(mat.Types, elicense.TypeCode(t)) { // those of a type taken out go with it
				mat.Fields[elicense.TypeCode(t)] = append(mat.Fields[elicense.TypeCode(t)], key)
			}
		}
		m.Materials = append(m.Materials, mat)
	}
	return m
}

// rowsIn is how many rows of materials a form has, within reason.
func rowsIn(f url.Values) int {
	n, err := strconv.Atoi(f.Get("n"))
	if err != nil {
		return emptyMaterials
	}
	return min(max(n, 0), 80)
}

// overlayNames are the restrictions of licenses a matter can speak of.
var overlayNames = []pair{{cases.OverlaySealUp, "查封"}, {cases.OverlayPledge, "质押"}, {cases.OverlayDispute, "有异议"}}

type matterFormPage struct {
	From     elicense.MatterCode
	Form     string
	In       typed
	Rows     []materialInput
	Types    []*catalog.Type
	Bases    []*cases.Basis // those in force
	Ways     []cases.Way
	Overlays []pair
	Effects  []pair
	JSON     string
}

// materialInput is a row of the form.
type materialInput struct {
	Place  int    // from 1, as errors count: rows without a name do not
	At     string // start of the names of its inputs
	Values url.Values
	Types  []*catalog.Type // chosen
	Facts  []asking
}

// asking is a fact that a material is asked for with, without, or regardless of.
type asking struct {
	cases.Condition
	State string // "", the condition, or it with a "!"
}

// Get returns a value of the row.
func (r materialInput) Get(name string) string { return r.Values.Get(r.At + name) }

// Has tells whether a value of the row is chosen.
func (r materialInput) Has(name, value string) bool {
	return slices.Contains(r.Values[r.At+name], value)
}

func matterKey(from string) string { return short("matter/" + from) }

func (s *server) matterForm(v *visit) error {
	from := v.r.FormValue("from")
	in, err := v.typedInto(matterKey(from))
	if err != nil {
		return err
	}
	if len(in.Values) == 0 {
		m := &cases.Matter{Online: true, Days: 5}
		if from != "" {
			versions, err := s.Cases.MatterVersions(v.r.Context(), elicense.MatterCode(from))
			if err != nil {
				return err
			}
			if len(versions) == 0 || versions[0].Unit != v.who.Unit {
				return elicense.E(elicense.NotFound, "没有这个事项").Then("请从事项清单里选择")
			}
			m = versions[0]
		}
		in.Values = valuesOf(m)
	}
	return s.showMatterForm(v, from, in)
}

func (s *server) showMatterForm(v *visit, from string, in typed) error {
	d := matterFormPage{
		From: elicense.MatterCode(from), Form: matterKey(from), In: in, Overlays: overlayNames,
		Ways:    []cases.Way{cases.Shared, cases.Verify, cases.Upload, cases.Form, cases.Remote, cases.Original},
		Effects: []pair{{"", "提示"}, {string(cases.Block), "不能办理"}, {string(cases.Ignore), "不影响"}},
	}
	var err error
	if d.Types, err = s.Catalog.All(v.r.Context()); err != nil {
		return err
	}
	bases, err := s.Cases.Bases(v.r.Context())
	if err != nil {
		return err
	}
	for _, b := range bases {
		if b.Holds(elicense.DateOf(v.Now())) || cited(in, b.ID) {
			d.Bases = append(d.Bases, b)
		}
	}
	place := 0
	for i := range rowsIn(in.Values) {
		row := materialInput{At: "m" + strconv.Itoa(i) + ".", Values: in.Values}
		if row.Get("name") != "" {
			place++
			row.Place = place
		}
		for _, t := range d.Types {
			if row.Has("types", string(t.Code)) {
				row.Types = append(row.Types, t)
			}
		}
		for _, c := range cases.Conditions() {
			f := asking{Condition: c}
			for _, w := range []string{string(c), "!" + string(c)} {
				if row.Has("when", w) {
					f.State = w
				}
			}
			row.Facts = append(row.Facts, f)
		}
		d.Rows = append(d.Rows, row)
	}
	b, err := fileOf(matterFrom(in.Values))
	if err != nil {
		return err
	}
	d.JSON = string(b)
	if v.Wrong("json") {
		d.JSON = in.Get("json")
	}
	return v.render("matterform", v.t("登记事项"), d)
}

// cited tells whether the form cites a basis, which is then shown even if it was
// repealed: so that it is seen what has to be replaced.
func cited(in typed, id cases.BasisID) bool {
	for k, vs := range in.Values {
		if (k == "presence" || strings.HasSuffix(k, ".basis")) && slices.Contains(vs, string(id)) {
			return true
		}
	}
	return false
}

func (s *server) matterPropose(v *visit) error {
	f, from := v.r.PostForm, v.r.PostFormValue("from")
	switch f.Get("do") {
	case "read":
		m, err := parseMatter(f.Get("json"))
		if err != nil {
			return v.again(err, func() error { return s.showMatterForm(v, from, typed{Values: f}) })
		}
		return s.showMatterForm(v, from, typed{Values: valuesOf(m)})
	case "more":
		f.Set("n", strconv.Itoa(rowsIn(f)+emptyMaterials))
		return s.showMatterForm(v, from, typed{Values: f})
	case "look":
		return s.showMatterForm(v, from, typed{Values: f})
	}
	m := matterFrom(f)
	if err := s.Cases.Propose(v.r.Context(), v.who, m); err != nil {
		return v.refusedForm(err, matterKey(from), func() error { return s.showMatterForm(v, from, typed{Values: f}) })
	}
	if err := s.Typed.Clear(v.r.Context(), v.who, matterKey(from)); err != nil {
		return err
	}
	return v.goTo("/issue/matters/" + string(m.Code) + "?said=propose")
}

// matterExport answers with the version in force as a file.
func (s *server) matterExport(v *visit) error {
	m, err := s.Cases.Matter(v.r.Context(), elicense.MatterCode(v.r.PathValue("code")))
	if err != nil {
		return err
	}
	b, err := fileOf(m)
	if err != nil {
		return err
	}
	return v.file("matter-"+string(m.Code)+".json", "application/json", b)
}

type waitingMatter struct {
	*cases.Matter
	UnitName string
}

func (s *server) waitingMatters(v *visit) error {
	list, err := s.Cases.WaitingMatters(v.r.Context())
	if err != nil {
		return err
	}
	names, _, err := s.unitNames(v)
	if err != nil {
		return err
	}
	rows := make([]waitingMatter, len(list))
	for i, m := range list {
		rows[i] = waitingMatter{m, names[m.Unit]}
	}
	return v.render("waitingmatters", v.t("待核对的事项"), rows)
}

func (s *server) waitingMatter(v *visit) error {
	version, err := strconv.Atoi(v.r.PathValue("version"))
	if err != nil {
		return errNoPage()
	}
	versions, err := s.Cases.MatterVersions(v.r.Context(), elicense.MatterCode(v.r.PathValue("code")))
	if err != nil {
		return err
	}
	for _, m := range versions {
		if m.Version != version {
			continue
		}
		d, err := s.matterVersion(v, m, published(versions))
		if err != nil {
			return err
		}
		d.Versions = versions
		return v.render("waitingmatter", d.Name, d)
	}
	return errNoPage()
}

func (s *server) matterDecide(v *visit) error {
	version, err := strconv.Atoi(v.r.PathValue("version"))
	if err != nil {
		return errNoPage()
	}
	publish := v.r.PostFormValue("do") == "publish"
	if err := s.Cases.Decide(v.r.Context(), v.who, elicense.MatterCode(v.r.PathValue("code")), version, publish, v.r.PostFormValue("remark")); err != nil {
		return v.again(err, func() error { return s.waitingMatter(v) })
	}
	return v.goTo("/admin/matters?said=" + v.r.PostFormValue("do"))
}

type basesPage struct {
	List  []*cases.Basis
	Today elicense.Date
	Ranks []cases.Rank
	In    typed
	Form  string
	Open  cases.BasisID // whose end is being entered
}

func (s *server) bases(v *visit) error {
	d := basesPage{Today: elicense.DateOf(v.Now()), Ranks: []cases.Rank{cases.Law, cases.Regulation, cases.Rule, cases.Normative}, Form: short("basis"), Open: cases.BasisID(v.asked("repeal", "id"))}
	var err error
	if d.List, err = s.Cases.Bases(v.r.Context()); err != nil {
		return err
	}
	if d.In, err = v.typedInto(d.Form); err != nil {
		return err
	}
	return v.render("bases", v.t("法律依据"), d)
}

func (s *server) basisAdd(v *visit) error {
	f := v.r.PostForm
	b := &cases.Basis{
		Rank: cases.Rank(f.Get("rank")), Title: f.Get("title"), Article: f.Get("article"), Quote: f.Get("quote"), InForce: elicense.Date(f.Get("inForce")),
	}
	if err := s.Cases.AddBasis(v.r.Context(), v.who, b); err != nil {
		return v.refusedForm(err, short("basis"), func() error { return s.bases(v) })
	}
	if err := s.Typed.Clear(v.r.Context(), v.who, short("basis")); err != nil {
		return err
	}
	return v.goTo("/admin/bases?said=basis")
}

func (s *server) basisRepeal(v *visit) error {
	err := s.Cases.RepealBasis(v.r.Context(), v.who, cases.BasisID(v.r.PathValue("id")), elicense.Date(v.r.PostFormValue("repealed")))
	if err != nil {
		return v.again(err, func() error { return s.bases(v) })
	}
	return v.goTo("/admin/bases?said=repeal")
}

type withdrawnRow struct {
	cases.AfterLook
	UnitName string
}

type withdrawnPage struct {
	List []withdrawnRow
	At   time.Time
}

func (s *server) withdrawn(v *visit) error {
	list, err := s.Cases.WithdrawnAfterLook(v.r.Context(), v.who, queueLimit)
	if err != nil {
		return err
	}
	names, _, err := s.unitNames(v)
	if err != nil {
		return err
	}
	d := withdrawnPage{At: v.Now()}
	for _, a := range list {
		d.List = append(d.List, withdrawnRow{a, names[a.Unit]})
	}
	return v.render("withdrawn", v.t("撤回和异议"), d)
}

type ticketRow struct {
	sharing.Ticket
	TypeName string
}

// tickets lists what windows reported missing or wrong about the unit's licenses.
func (s *server) tickets(v *visit) error {
	list, err := s.Sharing.Tickets(v.r.Context(), v.who, queueLimit)
	if err != nil {
		return err
	}
	types, err := s.Catalog.All(v.r.Context())
	if err != nil {
		return err
	}
	rows := make([]ticketRow, len(list))
	for i, t := range list {
		rows[i] = ticketRow{Ticket: t, TypeName: string(t.Type)}
		for _, e := range types {
			if e.Code == t.Type {
				rows[i].TypeName = e.Name
			}
		}
	}
	return v.render("tickets", v.t("缺证错证"), rows)
}
