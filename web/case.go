package web

import (
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"elicense"
	"elicense/cases"
	"elicense/catalog"
	"elicense/delivery"
	"elicense/letters"
	"elicense/org"
	"elicense/sharing"
)

var kindWords = map[cases.Kind]string{cases.Application: "依申请办理", cases.Enforcement: "执法检查"}

// saidWords are what a page says after something was done.
var saidWords = map[string]string{
	"open": "已收件", "take": "已接办", "accept": "已受理", "correct": "补正告知已发出，等申请人补正", "refuse": "已决定不予受理",
	"pause": "已停表", "resume": "已恢复计时", "decide": "决定已登记", "close": "已办结", "withdraw": "已撤回", "hand": "已转给另一位窗口人员",
	"join": "已增加当事人，材料重新核对过", "clarify": "办件情形已更正，材料重新核对过", "license": "已选用这份证照", "upload": "文件已收下", "form": "已记下：申请表已填",
	"paper": "已记下：收取纸质和理由", "later": "已记下：容缺受理", "promise": "已记下：告知承诺", "ask": "已请持证人同意，他会收到消息",
	"missing": "缺证已登记，签发单位会收到", "wrong": "错证已登记，签发单位会收到", "send": "申请已提交", "supply": "补正已提交",
	"propose": "已提交，等电子政务管理部门核对发布", "publish": "已发布", "return": "已退回", "basis": "依据已登记", "rule-proposed": "规则已提交，等另一位管理人员核对", "rule-decided": "核对已登记", "rule-end": "停用已提出，核对以前规则仍在执行", "system": "已登记，马上生效", "unit": "单位已登记", "account": "已办理，马上生效", "mode": "已写明，马上生效", "mode-asked": "已提交，等电子政务管理部门核对", "mode-decided": "核对已登记", "mode-back": "已改回按类别登记的方式，马上生效", "stock-once": "第一次录入已收下，等另一个人对着扫描件再录一遍", "lot": "已上传并检查", "lot-rows": "更正的行已检查", "lot-photos": "照片已收下，等照片的行已检查", "lot-photos-left": "照片已收下；有的照片没有哪一行要，请核对文件名", "kit": "已申请，等另一位审核签章人员确认", "kit-confirmed": "已确认，可以下载工具包", "kit-cancelled": "工具包已注销", "kit-package": "离线包已收下，正在逐份核对登记", "kit-again": "这个离线包以前导入过：已登记的不变，没有登记的再核对一次", "calendar": "日历已登记，还没到期的期限会重新计算", "calendar-end": "已停用，还没到期的期限会重新计算", "repeal": "已登记失效；引用它的事项都有了待办",
	"results": "已上传并检查", "r-hand": "已转给他，他会收到消息", "r-refuse": "已提出不生成，等另一位审核人员确认", "r-confirm": "已确认不生成", "r-disagree": "不同意，仍要生成",
	"package": "正在给送达清单盖章，过一会儿刷新就能下载", "handed": "已登记打印交付", "resend": "已重新发送", "document": "文书已收下，发布时一起送达", "document-out": "文书已撤下，不会送达",
	"code": "验证码已发出，10分钟内有效", "contact": "联系方式已登记", "contact-end": "已删除，不再往那里发",
	"excuse": "已记录豁免，证照仍记为迟", "lift": "已撤销豁免", "minutes": "已设置", "asked": "正在查收，稍后刷新", "verified": "已核验，结果记在引用上",
	"object": "已经告诉监督部门，会有人核实", "yes": "已同意", "no": "已按您的意思办，不再使用",
}

// Said is what was just done, as the page before noted it in the address.
func (v *visit) Said() string {
	if v.r.Method != http.MethodGet || v.refusal != nil {
		return ""
	}
	return saidWords[v.r.FormValue("said")]
}

type caseView struct {
	*cases.Case
	Matter    *cases.Matter
	Unit      string // 受理单位
	Decider   string // 实施单位, if it is another
	Left      due
	Materials []materialRow
	Course    []cases.Step // the newest first
	Counts    map[sharing.Need]int
	Free      int
	Checked   time.Time
	Used      *useView // what was just opened
	Moves     map[cases.Move]bool
	Blocked   []string // materials that stand against acceptance
	Papers    []letters.Kind
	Contacts  map[int][]*delivery.Contact // of the parties, by place
	Channels  []delivery.Channel
	Reached   int // the step of the case the page is at, from 1

	// What is being filled in: a move, or the options of a material.
	Do      cases.Move
	Place   int // of the material, -1 for none
	In      typed
	Form    string
	Facts   []fact
	Proofs  []cases.Proof
	Row     partyRow
	Clerks  []*org.Account
	Reasons []cases.PaperReason
	Prefill string
}

type materialRow struct {
	sharing.MaterialState
	N              int // from 1, among those asked for
	First, Current bool
	PartyName      string
	Party          int    // who most likely holds what is missing
	Consent        bool   // one of its types needs the holder's agreement
	Blocks         bool   // stands against acceptance
	GivenBy        string // how it was met, in one line
	Used           elicense.LicenseID
}

// useView is the license that was just opened, beside the material list.
type useView struct {
	*sharing.Result
	Material string
	Place    int
	Act      string
	Lines    []compared     // of a comparison
	Drawn    []template.URL // pages of the document, each with who looks in it
	CodeWord string
	Party    string
	Differs  int
}

// compared is one line of a comparison: what the license says beside what was
// typed, of which only the differing part is marked.
type compared struct {
	catalog.Field
	sharing.Likeness
	Stands         string
	Pre, Mid, Post string
}

func (s *server) caseOne(v *visit) error { return s.showCase(v, nil) }

func (s *server) showCase(v *visit, used *useView) error {
	ctx, id := v.r.Context(), elicense.CaseID(v.r.PathValue("id"))
	k, m, err := s.Cases.Get(ctx, v.who, id)
	if err != nil {
		return err
	}
	names, _, err := s.unitNames(v)
	if err != nil {
		return err
	}
	d := caseView{
		Case: k, Matter: m, Unit: names[k.Unit], Left: v.caseDue(k), Counts: map[sharing.Need]int{}, Used: used, Checked: v.Now(),
		Moves: map[cases.Move]bool{}, Place: -1, Reached: reached(k.Stage),
	}
	if k.Implementer != k.Unit {
		d.Decider = names[k.Implementer]
	}
	course, err := s.Cases.Course(ctx, v.who, id)
	if err != nil {
		return err
	}
	told := false
	for _, st := range course {
		d.Course = append([]cases.Step{st}, d.Course...)
		told = told || st.Kind == cases.Correct
	}
	for _, mv := range []cases.Move{
		cases.Correct, cases.Accept, cases.Refuse, cases.Pause, cases.Resume, cases.Decide, cases.Finish, cases.Withdraw, cases.Hand, cases.Join, cases.Clarify,
	} {
		_, err := k.Stage.After(mv)
		d.Moves[mv] = err == nil && (mv != cases.Correct || !told)
	}
	d.Papers = letters.Due(k, course)
	if d.Channels = s.Delivery.Offered(); len(d.Channels) > 0 {
		if d.Contacts, err = s.Delivery.Reached(ctx, v.who, id); err != nil {
			return err
		}
	}
	list, _, err := s.Sharing.Materials(ctx, v.who, id)
	if err != nil {
		return err
	}
	if err := s.fill(v, &d, list); err != nil {
		return err
	}
	if err := s.fillIn(v, &d); err != nil {
		return err
	}
	return v.render("case", v.t("办件：%s", k.MatterName), d)
}

// reached is the step of a case, of the five on its page.
func reached(s cases.Stage) int {
	switch s {
	case cases.Received, cases.Correcting:
		return 3
	case cases.Accepted, cases.Paused, cases.Decided:
		return 4
	}
	return 5
}

// fill puts the material check on the page.
func (s *server) fill(v *visit, d *caseView, list []sharing.MaterialState) error {
	types, err := s.Catalog.All(v.r.Context())
	if err != nil {
		return err
	}
	entry := map[elicense.TypeCode]*catalog.Type{}
	for _, t := range types {
		entry[t.Code] = t
	}
	names := map[int]string{}
	for _, p := range d.Parties {
		names[p.Place] = p.Ref.Name
	}
	first := false
	for i, st := range list {
		row := materialRow{MaterialState: st, N: i + 1, Current: d.Used != nil && d.Used.Place == st.Place, Blocks: blocks(&st)}
		if len(st.Licenses) > 0 {
			row.PartyName = names[st.Licenses[0].Party]
		}
		for _, t := range st.Material.Types {
			if entry[t] != nil {
				row.Consent = row.Consent || entry[t].Consent
				row.Party = likely(d.Parties, entry[t].Holders)
			}
		}
		if st.Given != nil {
			row.GivenBy, row.Used = v.given(st.Given), st.Given.License
		}
		if row.Blocks {
			d.Blocked = append(d.Blocked, st.Material.Name)
		}
		if !first && d.Used == nil && st.Given == nil && (row.Blocks || st.Need == sharing.Look) {
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
	return nil
}

// blocks tells whether a material stands against acceptance.
func blocks(st *sharing.MaterialState) bool {
	return !st.Met() && (len(st.Material.Types) > 0 || st.Material.Way == cases.Upload || st.Material.Way == cases.Original)
}

// likely is the place of the first party of the kind that holds such licenses.
func likely(parties []cases.Party, kind catalog.Holders) int {
	for _, p := range parties {
		if kind == catalog.AnyHolder || p.Ref.CodeType.Organization() == (kind == catalog.Organizations) {
			return p.Place
		}
	}
	return 0
}

// given says in one line how a material was met.
func (v *visit) given(g *cases.Given) string {
	parts := []string{v.t(g.Way.Chinese())}
	switch {
	case g.Way == cases.ByPaper:
		parts[0] = v.t("收取纸质：%s", g.Reason.Chinese())
	case g.Way == cases.LaterWay && !g.Due.IsZero():
		parts[0] = v.t("容缺受理，%s前补齐", stamp(g.Due, time.DateOnly))
	case g.Name != "":
		parts = append(parts, g.Name)
	}
	if g.Note != "" {
		parts = append(parts, g.Note)
	}
	return strings.Join(append(parts, stamp(g.Happened, "01-02 15:04")), " · ")
}

// fillIn prepares the form that is open on the page: of a move, or of a material.
func (s *server) fillIn(v *visit, d *caseView) (err error) {
	if mv := cases.Move(v.asked("do", "move")); d.Moves[mv] {
		d.Do, d.Form = mv, short("move/"+string(d.ID)+"/"+string(mv))
	}
	if n, err := strconv.Atoi(v.asked("place", "place")); err == nil && d.Used == nil && !d.Stage.Ended() {
		d.Place, d.Form = n, short("material/"+string(d.ID)+"/"+strconv.Itoa(n))
	}
	if d.Form == "" {
		return nil
	}
	if d.In, err = v.typedInto(d.Form); err != nil {
		return err
	}
	d.Reasons = cases.PaperReasons()
	switch d.Do {
	case cases.Correct:
		var items []string
		for _, row := range d.Materials {
			if row.Blocks {
				items = append(items, fmt.Sprintf("请提供“%s”", row.Material.Name))
			}
		}
		d.Prefill = strings.Join(items, "\n")
	case cases.Clarify:
		d.Facts = factsOf(d.Matter, func(c cases.Condition) bool {
			if v.r.Method == http.MethodPost {
				return slices.Contains(d.In.Values["facts"], string(c))
			}
			return slices.Contains(d.Case.Facts, c)
		})
	case cases.Join:
		d.Proofs = cases.Proofs()
		d.Row = d.In.party(0, "")
	case cases.Hand:
		staff, err := s.Org.Staff(v.r.Context(), v.who.Unit)
		if err != nil {
			return err
		}
		for _, a := range staff {
			if a.ID != v.who.Account && !a.Disabled && slices.Contains(a.Duties, elicense.DutyWindow) {
				d.Clerks = append(d.Clerks, a)
			}
		}
	}
	return nil
}

// asked is what a page is asked to open: by its query, or by the address that was
// posted to and refused.
func (v *visit) asked(query, path string) string {
	if v.r.Method == http.MethodGet {
		return v.r.FormValue(query)
	}
	return v.r.PathValue(path)
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
	u.Reveal = f["reveal"]
	if u.Act == sharing.Compare {
		u.Values = map[string]string{}
		for k, x := range fieldsFrom(v.r) {
			u.Values[k] = x
		}
	}
	id := elicense.CaseID(v.r.PathValue("id"))
	res, err := s.Sharing.Use(v.r.Context(), v.who, id, u)
	if err != nil {
		return v.again(err, func() error { return s.showCase(v, nil) })
	}
	used := &useView{Result: res, Material: u.Material, Act: u.Act, Place: -1, CodeWord: sharing.CodeWord(res.Code)}
	for _, svg := range res.Pages {
		used.Drawn = append(used.Drawn, template.URL("data:image/svg+xml;base64,"+base64.StdEncoding.EncodeToString(svg))) // drawn by the platform
	}
	if n, err := strconv.Atoi(f.Get("place")); err == nil {
		used.Place = n
	}
	if u.Act == sharing.Compare && res.Matches != nil {
		if err := s.beside(v, id, u, used); err != nil {
			return v.again(err, func() error { return s.showCase(v, nil) })
		}
	}
	return s.showCase(v, used)
}

// beside opens the compared fields of the license, so that the clerk sees what it
// says beside what was typed; it is a use of its own and has its own record.
func (s *server) beside(v *visit, id elicense.CaseID, u sharing.Use, used *useView) error {
	opened := u
	opened.Act, opened.Values, opened.Fields = sharing.Query, nil, nil
	for key := range u.Values {
		opened.Fields = append(opened.Fields, key)
	}
	slices.Sort(opened.Fields)
	shown, err := s.Sharing.Use(v.r.Context(), v.who, id, opened)
	if err != nil {
		return err
	}
	for _, f := range shown.Labels {
		line := compared{Field: f, Likeness: used.Matches[f.Key], Stands: shown.Fields[f.Key]}
		line.Pre, line.Mid, line.Post = apart(u.Values[f.Key], line.Stands)
		switch {
		case line.Likeness == sharing.Same:
			line.Pre, line.Mid, line.Post = u.Values[f.Key], "", ""
		case slices.Contains(shown.Masked, f.Key): // what differs can't be seen
			line.Pre, line.Mid, line.Post = "", u.Values[f.Key], ""
		}
		if line.Likeness == sharing.Differs {
			used.Differs++
		}
		used.Lines = append(used.Lines, line)
	}
	return nil
}

// apart splits what was typed into what it has in common with the license at the
// beginning and at the end, and what differs between.
func apart(typed, stands string) (pre, mid, post string) {
	a, b := []rune(typed), []rune(stands)
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	j := 0
	for j < len(a)-i && j < len(b)-i && a[len(a)-1-j] == b[len(b)-1-j] {
		j++
	}
	return string(a[:i]), string(a[i : len(a)-j]), string(a[len(a)-j:])
}

func (s *server) caseTake(v *visit) error {
	k, err := s.Cases.Do(v.r.Context(), v.who, elicense.CaseID(v.r.PathValue("id")), cases.Take, cases.Doing{})
	if err != nil {
		return v.again(err, func() error { return s.myCases(v) })
	}
	return v.goTo("/window/cases/" + string(k.ID) + "?said=take")
}

// caseMove makes a move in a case.
func (s *server) caseMove(v *visit) error {
	f, ctx := v.r.PostForm, v.r.Context()
	id, mv := elicense.CaseID(v.r.PathValue("id")), cases.Move(v.r.PathValue("move"))
	d := cases.Doing{Reason: f.Get("reason"), DocNo: f.Get("docNo"), Granted: f.Get("granted") == "yes", To: elicense.AccountID(f.Get("to"))}
	var err error
	switch mv {
	case cases.Accept:
		_, err = s.Sharing.Accept(ctx, s.Cases, v.who, id)
	case cases.Join:
		_, err = s.Cases.Join(ctx, v.who, id, partyFrom(f, "0"))
	default:
		d.Items = strings.FieldsFunc(f.Get("items"), func(r rune) bool { return r == '\n' || r == '\r' })
		if mv == cases.Clarify {
			d.Facts = factsFrom(f)
		}
		_, err = s.Cases.Do(ctx, v.who, id, mv, d)
	}
	form := short("move/" + string(id) + "/" + string(mv))
	if err != nil {
		return v.refusedForm(err, form, func() error { return s.showCase(v, nil) })
	}
	if err := s.Typed.Clear(ctx, v.who, form); err != nil {
		return err
	}
	if mv == cases.Hand {
		return v.goTo("/window?said=hand")
	}
	return v.goTo("/window/cases/" + string(id) + "?said=" + string(mv))
}

// caseMaterial settles a material of a case, or asks for what it lacks.
func (s *server) caseMaterial(v *visit) error {
	id := elicense.CaseID(v.r.PathValue("id"))
	form := short("material/" + string(id) + "/" + v.r.PathValue("place"))
	act, err := s.settle(v, id)
	if err != nil {
		s.tried(v, err)
		return v.refusedForm(err, form, func() error { return s.showCase(v, nil) })
	}
	if err := s.Typed.Clear(v.r.Context(), v.who, form); err != nil {
		return err
	}
	next := "/window/cases/" + string(id) + "?said=" + act
	if act == "missing" || act == "wrong" { // what to do without it comes next
		next += "&place=" + v.r.PathValue("place")
	}
	return v.goTo(next)
}

// settle does with a material what the form asks, for clerk and applicant alike.
func (s *server) settle(v *visit, id elicense.CaseID) (act string, err error) {
	f, ctx := v.r.PostForm, v.r.Context()
	place, err := strconv.Atoi(v.r.PathValue("place"))
	if err != nil {
		return "", errNoPage()
	}
	act = f.Get("act")
	party, err := strconv.Atoi(f.Get("party"))
	if err != nil {
		party = 0
	}
	give := func(g sharing.Giving) error { return s.Sharing.Give(ctx, v.who, id, place, g) }
	switch act {
	case "upload":
		err = s.attach(v, id, place, true)
	case "license":
		err = give(sharing.Giving{Way: cases.ByLicense, License: elicense.LicenseID(f.Get("license"))})
	case "form":
		err = give(sharing.Giving{Way: cases.ByForm, Note: f.Get("note")})
	case "later":
		err = give(sharing.Giving{Way: cases.LaterWay})
	case "promise":
		err = give(sharing.Giving{Way: cases.ByPromise, Note: f.Get("note")})
	case "paper":
		if err = s.attach(v, id, place, false); err == nil { // the applicant's signature
			err = give(sharing.Giving{Way: cases.ByPaper, Reason: cases.PaperReason(f.Get("reason")), Note: f.Get("note")})
		}
	case "ask":
		err = s.askAgreement(v, id, place, party)
	case "missing", "wrong":
		_, err = s.Sharing.Report(ctx, v.who, id, sharing.Report{Kind: sharing.TicketKind(act), Place: place, Party: party, Note: f.Get("note")})
	default:
		err = elicense.E(elicense.Invalid, "没有这种提供方式").At("way")
	}
	return act, err
}

// attach keeps the file that came with a form; without must it may be missing.
func (s *server) attach(v *visit, id elicense.CaseID, place int, must bool) error {
	file, head, err := v.r.FormFile("file")
	if err != nil {
		if !must {
			return nil
		}
		return elicense.E(elicense.Invalid, "没有选择文件").At("file").Then("请选择文件再上传")
	}
	defer file.Close()
	b, err := io.ReadAll(file)
	if err != nil {
		return err
	}
	return s.Cases.Attach(v.r.Context(), v.who, id, place, head.Filename, b)
}

// askAgreement asks a party to agree for the types of a material that need it.
func (s *server) askAgreement(v *visit, id elicense.CaseID, place, party int) error {
	_, m, err := s.Cases.Get(v.r.Context(), v.who, id)
	if err != nil {
		return err
	}
	if place < 0 || place >= len(m.Materials) {
		return elicense.E(elicense.NotFound, "材料清单里没有这一项").At("place")
	}
	types, err := s.Catalog.All(v.r.Context())
	if err != nil {
		return err
	}
	for _, t := range types {
		if !t.Consent || !slices.Contains(m.Materials[place].Types, t.Code) {
			continue
		}
		if err := s.Sharing.AskAgreement(v.r.Context(), v.who, id, t.Code, party); err != nil {
			return err
		}
	}
	return nil
}

// attached answers with the file of a material. Pictures are shown, within the
// strictest policy; all else is for keeping.
func (s *server) attached(v *visit) error {
	place, err := strconv.Atoi(v.r.PathValue("place"))
	if err != nil {
		return errNoPage()
	}
	b, g, err := s.Cases.Attached(v.r.Context(), v.who, elicense.CaseID(v.r.PathValue("id")), place)
	if err != nil {
		return err
	}
	if !strings.HasPrefix(g.Kind, "image/") {
		return v.file(fmt.Sprintf("material-%d.pdf", place+1), g.Kind, b)
	}
	v.w.Header().Set("Content-Type", g.Kind)
	v.w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
	v.w.Write(b) // the visitor is gone if this fails
	return nil
}
