package web

import (
	"bytes"
	"io"
	"slices"
	"strconv"
	"strings"

	"elicense"
	"elicense/cases"
	"elicense/catalog"
	"elicense/org"
	"elicense/verification"
)

func (s *server) home(v *visit) error {
	return v.render("home", v.t("电子证照共享服务平台"), nil)
}

func (s *server) help(v *visit) error { return v.render("help", v.t("帮助"), nil) }

func (s *server) tour(v *visit) error { return v.render("tour", v.t("演示导览"), nil) }

// checkPost takes the code or the file of the check form.
func (s *server) checkPost(v *visit) error {
	f, _, err := v.r.FormFile("file")
	if err != nil {
		code := codeOf(v.r.FormValue("code"))
		if code == "" {
			return v.again(elicense.E(elicense.Invalid, "要填写查验码，或选择证照文件").At("code"), func() error { return s.checkForm(v) })
		}
		return v.goTo("/check/" + code)
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		return err
	}
	a, err := s.Verifier.ByFile(v.r.Context(), v.who, from(v.r), b)
	if err != nil {
		return v.again(err, func() error { return s.checkForm(v) })
	}
	return s.showCheck(v, a)
}

// codeOf takes the code out of what a visitor pasted or scanned: the code itself
// or the whole address of the QR.
func codeOf(typed string) string {
	typed = strings.TrimSpace(typed)
	if i := strings.LastIndex(typed, "/check/"); i >= 0 {
		typed = typed[i+len("/check/"):]
	}
	keep := func(r rune) rune {
		if r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r == '-' || r == '_' {
			return r
		}
		return -1
	}
	return short(strings.Map(keep, typed))
}

func (s *server) checkCode(v *visit) error {
	a, err := s.Verifier.ByCode(v.r.Context(), v.who, from(v.r), elicense.CheckCode(codeOf(v.r.PathValue("code"))))
	switch {
	case err != nil && v.wantsJSON():
		return v.failJSON(err)
	case err != nil:
		return v.again(err, func() error { return s.checkForm(v) })
	case v.wantsJSON():
		return v.statusJSON(a)
	}
	v.w.Header().Add("Vary", "Accept")
	return s.showCheck(v, a)
}

// checkResult is the verdict of a check: the answer is the title.
type checkResult struct {
	*verification.Answer
	Class            string // ok, care, stop, rest
	Shape            string
	Title            string
	Why              string
	SealBy, SealUnit string
	SealTime         string
}

func (s *server) showCheck(v *visit, a *verification.Answer) error {
	d := checkResult{Answer: a}
	d.Class, d.Shape, d.Title, d.Why = verdict(a)
	if a.Report != nil && len(a.Report.Signatures) > 0 {
		sig := a.Report.Signatures[0]
		d.SealBy, d.SealUnit, d.SealTime = sig.SealName, sig.Unit, stamp(sig.Time, "2006-01-02 15:04:05")
	}
	return v.render("checked", v.t(d.Title), d)
}

// verdict puts the answer of a check into one sentence and one more. What is not
// known is never "in force".
func verdict(a *verification.Answer) (class, shape, title, why string) {
	switch {
	case a.Verdict == "altered":
		return "stop", "warn", "已被改动，不能采信", "文件内容和签章时不一致。请向持证人或签发单位索取原件。"
	case a.Verdict == "not-signed":
		return "stop", "warn", "没有签章，不是证照文件", "这个文件上没有电子签章，不能证明由谁签发。"
	case a.Verdict == "unreadable":
		return "stop", "warn", "读不了这个文件", "文件不是完整的OFD证照文件。"
	case a.Verdict == "genuine-untrusted":
		return "care", "warn", "签章完好，但签章人不受信任", "文件没有改动，但签章人的证书不在本平台信任的范围内，不能当作有权单位签发。"
	case a.Pending != nil:
		why = map[verification.PendingState]string{
			verification.Awaited:      "由签发单位依法离线生成，当日登记到平台。登记以前不能确认有效，请以登记后的查验结果为准。",
			verification.Overdue:      "离线生成的期限已过，签发单位没有登记。不要当作有效，请向签发单位核实。",
			verification.KitCancelled: "签发单位已经注销这个离线工具包。登记以前不要当作有效，请向签发单位核实。",
			verification.NotTaken:     "签发单位导入时没有通过检查。不要当作有效，请向签发单位核实。",
		}[a.Pending.State]
		if a.Pending.State == verification.Awaited {
			return "care", "soon", a.Pending.State.Chinese(), why
		}
		return "stop", "warn", a.Pending.State.Chinese(), why
	case !a.Known && a.Verdict != "":
		return "care", "future", "签章真实，状态无法确认", "文件没有改动，但不是本平台签发的，现在是否有效请向签发单位查询。"
	case !a.Known:
		return "rest", "future", "无法确认", "现在查不到这个证照的状态。"
	case a.Stale:
		return "rest", "future", "无法确认", "来源系统很久没有更新，不能说明现在是否有效。"
	case !a.Current:
		return "rest", "old", "真实，但已有更新的版本", "这是历史版本，请出示现行版本。"
	}
	l := statusLook[a.Status]
	switch a.Status {
	case elicense.StatusValid:
		return "ok", l.shape, "真实，现行有效", "由有权单位签发，目前可以使用。"
	case elicense.StatusExpiring:
		return "ok", "ok", "真实，现行有效", "由有权单位签发，目前可以使用，即将到期。"
	case elicense.StatusSuspended:
		return "care", l.shape, "真实，暂停使用", "签发单位已经挂起，解除以前不能使用。"
	case elicense.StatusRevoked:
		return "stop", l.shape, "真实，已吊销", "签发单位已经吊销，不能再使用。"
	case elicense.StatusNotYet:
		return "rest", l.shape, "真实，还没有生效", "有效期从以后的日期开始，现在不能使用。"
	case elicense.StatusExpired:
		return "rest", l.shape, "真实，已过期", "有效期已满，不能再使用。"
	case elicense.StatusCancelled:
		return "rest", l.shape, "真实，已注销", "已经注销，不能再使用。"
	case elicense.StatusAbolished:
		return "rest", l.shape, "真实，已废止", "已经废止，不能再使用。"
	}
	return "rest", "future", "无法确认", "现在查不到这个证照的状态。"
}

func (s *server) unitNames(v *visit) (map[elicense.UnitCode]string, []*org.Unit, error) {
	units, err := s.Org.AllUnits(v.r.Context())
	m := make(map[elicense.UnitCode]string, len(units))
	for _, u := range units {
		m[u.Code] = u.Name
	}
	return m, units, err
}

type typeRow struct {
	*catalog.Type
	UnitName string
}

type typesPage struct {
	List []typeRow
	Q    string // what was searched for
	All  int    // types in force
}

func (s *server) types(v *visit) error {
	d := typesPage{Q: short(strings.TrimSpace(v.r.FormValue("q")))}
	all, err := s.Catalog.All(v.r.Context())
	if err != nil {
		return err
	}
	d.All = len(all)
	list, err := s.Catalog.Search(v.r.Context(), d.Q)
	if err != nil {
		return err
	}
	names, _, err := s.unitNames(v)
	if err != nil {
		return err
	}
	for _, t := range list {
		d.List = append(d.List, typeRow{t, names[t.Unit]})
	}
	return v.render("types", v.t("证照目录"), d)
}

// typesExport answers with the catalog as a file.
func (s *server) typesExport(v *visit) error {
	var b bytes.Buffer
	switch v.r.PathValue("form") {
	case "json":
		if err := s.Catalog.ExportJSON(v.r.Context(), &b); err != nil {
			return err
		}
		return v.file("catalog.json", "application/json", b.Bytes())
	case "xlsx":
		names, _, err := s.unitNames(v)
		if err != nil {
			return err
		}
		if err := s.Catalog.ExportTable(v.r.Context(), &b, names); err != nil {
			return err
		}
		return v.file("catalog.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", b.Bytes())
	}
	return errNoPage()
}

type typePage struct {
	*catalog.Type
	Contacts          []contactLine
	StandardName      string          // of the type this is a local instance of
	Local             []*catalog.Type // its local instances
	QualificationName string          // of the license a third party must hold to issue it
	Modes             []modeRow       // of units that make it otherwise than the type says

	UnitName   string
	Issuers    []string
	Versions   []*catalog.Type
	FieldTypes map[string]string
	Pages      int      // of the face, in all its forms
	FaceWrong  *refusal // why the face can't be looked at
	Entry      catalog.Entry

	Old     *catalog.Type    // the version this one is put beside, on the public page
	OldPage int              // pages of its face
	Changes []catalog.Change // what this one says otherwise
}

// contactLine is whom to ask at an issuing unit.
type contactLine struct {
	catalog.Contact
	UnitName string
}

// entryOf describes the type by GB/T 36902, with the matters it results from.
func (s *server) entryOf(v *visit, d *typePage) error {
	names, _, err := s.unitNames(v)
	if err != nil {
		return err
	}
	matters, err := s.Cases.Matters(v.r.Context(), "")
	if err != nil {
		return err
	}
	var items []catalog.Item
	for _, m := range matters {
		if m.Result == d.Code {
			items = append(items, catalog.Item{Name: m.Name, Code: m.Code})
		}
	}
	d.Entry = d.Type.Entry(names, items)
	if d.Entry.Definer == "" {
		d.Entry.Definer = string(d.Entry.DefinerCode)
	}
	return nil
}

func (s *server) typeOne(v *visit) error {
	versions, err := s.Catalog.Versions(v.r.Context(), elicense.TypeCode(v.r.PathValue("code")))
	if err != nil {
		return err
	}
	shown := slices.DeleteFunc(slices.Clone(versions), func(t *catalog.Type) bool {
		return t.State == catalog.Proposed || t.State == catalog.Returned
	})
	if len(shown) == 0 {
		return elicense.E(elicense.NotFound, "没有这个证照类别").Then("请从证照目录里选择")
	}
	d, err := s.typeView(v, shown[0])
	if err != nil {
		return err
	}
	d.Versions = shown
	if err := s.entryOf(v, d); err != nil {
		return err
	}
	for _, t := range shown[1:] {
		if strconv.Itoa(t.Version) == v.Query("old") {
			if err := s.besideOld(v, d, t); err != nil {
				return err
			}
		}
	}
	return v.render("type", d.Name, d)
}

// besideOld puts an older version beside the one that is shown.
func (s *server) besideOld(v *visit, d *typePage, old *catalog.Type) error {
	names, _, err := s.unitNames(v)
	if err != nil {
		return err
	}
	d.Old, d.Changes = old, catalog.Changes(old, d.Type, names)
	if old.Face == nil {
		return nil
	}
	pages, err := s.Drawer.All(old, elicense.DateOf(v.Now()))
	if err != nil && !elicense.IsKind(err, elicense.Unavailable) {
		return err
	}
	d.OldPage = len(pages)
	return nil
}

func (s *server) typeView(v *visit, t *catalog.Type) (*typePage, error) {
	names, _, err := s.unitNames(v)
	if err != nil {
		return nil, err
	}
	d := &typePage{Type: t, UnitName: names[t.Unit], FieldTypes: catalog.FieldTypes()}
	asked, err := s.Catalog.Contacts(v.r.Context(), t.Code)
	if err != nil {
		return nil, err
	}
	for _, x := range asked {
		d.Contacts = append(d.Contacts, contactLine{x, names[x.Unit]})
	}
	if d.Local, err = s.Catalog.Instances(v.r.Context(), t.Code); err != nil {
		return nil, err
	}
	if t.Standard != "" {
		std, err := s.Catalog.Current(v.r.Context(), t.Standard)
		if err != nil {
			return nil, err
		}
		d.StandardName = std.Name
	}
	modes, err := s.Catalog.Modes(v.r.Context())
	if err != nil {
		return nil, err
	}
	for _, l := range modes {
		if l.Code == t.Code && l.Set != nil { // and that it was taken back
			d.Modes = append(d.Modes, modeRow{ModeLine: l, UnitName: names[l.Unit]})
		}
	}
	if t.Qualification != "" {
		q, err := s.Catalog.Current(v.r.Context(), t.Qualification)
		if err != nil && !elicense.IsKind(err, elicense.NotFound) {
			return nil, err
		}
		d.QualificationName = string(t.Qualification)
		if err == nil {
			d.QualificationName = q.Name
		}
	}
	if t.Face != nil {
		pages, err := s.Drawer.All(t, elicense.DateOf(v.Now()))
		if err != nil {
			d.FaceWrong = v.explain(err)
		}
		d.Pages = len(pages)
	}
	for _, u := range t.Issuers {
		if n := names[u]; n != "" {
			d.Issuers = append(d.Issuers, n)
		} else {
			d.Issuers = append(d.Issuers, string(u))
		}
	}
	return d, nil
}

// typeFace is a page of a published version's face, with invented data.
func (s *server) typeFace(v *visit) error {
	t, err := s.typeVersion(v)
	if err != nil {
		return err
	}
	if t.State == catalog.Proposed || t.State == catalog.Returned {
		return errNoPage()
	}
	return s.facePage(v, t)
}

// typeVersion is the version of a type the address names.
func (s *server) typeVersion(v *visit) (*catalog.Type, error) {
	version, err := strconv.Atoi(v.r.PathValue("version"))
	if err != nil {
		return nil, errNoPage()
	}
	return s.Catalog.Version(v.r.Context(), elicense.TypeCode(v.r.PathValue("code")), version)
}

func (s *server) facePage(v *visit, t *catalog.Type) error {
	pages, err := s.Drawer.All(t, elicense.DateOf(v.Now()))
	var svgs [][]byte
	for _, p := range pages {
		svgs = append(svgs, p.SVG)
	}
	return pageOf(v, svgs, err)
}

type matterLine struct {
	*cases.Matter
	UnitName string
	Free     int // materials the platform gives
}

func matterOf(m *cases.Matter, names map[elicense.UnitCode]string) matterLine {
	r := matterLine{Matter: m, UnitName: names[m.Unit]}
	for _, x := range m.Materials {
		if x.Way == cases.Shared || x.Way == cases.Verify {
			r.Free++
		}
	}
	return r
}

func (s *server) matters(v *visit) error {
	list, err := s.Cases.Matters(v.r.Context(), "")
	if err != nil {
		return err
	}
	names, _, err := s.unitNames(v)
	if err != nil {
		return err
	}
	var rows []matterLine
	for _, m := range list {
		rows = append(rows, matterOf(m, names))
	}
	return v.render("matters", v.t("办事免带指南"), rows)
}

type matterPage struct {
	matterLine
	Lines []matterMaterial
	Bring []bring // of a signed-in holder
	Left  int     // that he has to give himself
	Basis *cases.Basis
}

// matterMaterial is a material with the basis by which paper may be asked for.
type matterMaterial struct {
	cases.Material
	When  string
	Basis *cases.Basis
}

func (s *server) matterOne(v *visit) error {
	m, err := s.Cases.Matter(v.r.Context(), elicense.MatterCode(v.r.PathValue("code")))
	if err != nil {
		return err
	}
	names, _, err := s.unitNames(v)
	if err != nil {
		return err
	}
	bases, err := s.basesByID(v)
	if err != nil {
		return err
	}
	d := matterPage{matterLine: matterOf(m, names), Basis: bases[m.Presence]}
	for _, mat := range m.Materials {
		d.Lines = append(d.Lines, matterMaterial{mat, v.whenWords(&mat), bases[mat.Basis]})
	}
	if d.Bring, err = s.bringOnly(v, m); err != nil {
		return err
	}
	for _, b := range d.Bring {
		if !b.Have {
			d.Left++
		}
	}
	return v.render("matter", m.Name, d)
}
