package web

import (
	"encoding/hex"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"elicense"
	"elicense/catalog"
	"elicense/delivery"
	"elicense/issuance"
	"elicense/ontime"
	"elicense/workday"
)

// queueLimit is how many rows a list shows at most.
const queueLimit = 200

// due is how a draft stands against Art. 7.
type due struct {
	Class, Shape, Text string
}

// dueOf says in working days how long there is to publish a draft.
func (v *visit) dueOf(d *issuance.Draft) due {
	now := v.Now()
	switch {
	case d.Origin == issuance.Stock:
		return due{"rest", "clock", v.t("存量，按计划补录")}
	case d.Due.IsZero():
		return due{"rest", "clock", v.t("没有期限")}
	case d.State == issuance.Published:
		if late, by := d.Delay(); late {
			return due{"stop", "due", v.t("晚了%d天", int(by.Hours()/24)+1)}
		}
		return due{"rest", "ok", v.t("按时完成")}
	case now.After(d.Due):
		return due{"stop solid", "due", v.t("已逾期%d天", int(now.Sub(d.Due).Hours()/24)+1)}
	}
	return v.left(d.Due)
}

// workdays is the calendar, as it was when the page first asked.
func (v *visit) workdays() (*workday.Calendar, error) {
	if v.days != nil {
		return v.days, nil
	}
	var err error
	v.days, err = v.Calendar.Now(v.r.Context())
	return v.days, err
}

// left says in working days how long there is to a moment that is still to come.
func (v *visit) left(end time.Time) due {
	today, last := workday.DateOf(v.Now()), workday.DateOf(end.Add(-time.Nanosecond))
	if today == last {
		clock := stamp(end, "15:04")
		if clock == "00:00" {
			clock = "24:00"
		}
		return due{"care", "due", v.t("今天%s前", clock)}
	}
	days, err := v.workdays()
	n := 0
	if err == nil {
		n, err = days.Between(today, last)
	}
	if err != nil {
		return due{"rest", "clock", v.t("期限%s", last.String())}
	}
	return due{"ok", "clock", v.t("还有%d个工作日", n)}
}

// toHandle stands, among the groups of the queue, for what was published and a base
// registry said later is not so.
const toHandle issuance.State = "to-handle"

type queueRow struct {
	issuance.Summary
	Due    due
	Wholly bool // its case was met by e-licenses alone
	Tick   bool // can be taken into a batch by who looks
}

type queueGroup struct {
	ID, Title, Empty, Next string
	Rows                   []queueRow
	N                      int
}

type queuePage struct {
	*ontime.Work
	Groups []queueGroup
	Lots   []lotRowOf
	Tick   bool // some row can be taken into a batch
	Most   int  // in a batch
}

type lotRowOf struct {
	*issuance.Lot
	DueOf due
}

// issueQueue is the morning list of clerk and reviewer (Art. 7): what is late, due
// today and later, cases met by e-licenses first (Art. 4).
func (s *server) issueQueue(v *visit) error {
	w, err := s.OnTime.Work(v.r.Context(), v.who, queueLimit)
	if elicense.IsKind(err, elicense.Forbidden) {
		return v.goTo(s.issueStart(v))
	}
	if err != nil {
		return err
	}
	d := queuePage{Work: w, Most: maxBatch}
	group := func(id, title, empty, next string, n int, tasks []ontime.Task) *queueGroup {
		g := queueGroup{ID: id, Title: title, Empty: empty, Next: next, N: n}
		for _, t := range tasks {
			g.Rows = append(g.Rows, queueRow{issuance.Summary{Draft: t.Draft, Holder: t.Holder}, v.dueOf(t.Draft), t.Wholly, false})
		}
		d.Groups = append(d.Groups, g)
		return &d.Groups[len(d.Groups)-1]
	}
	review := group("review", "待审核", "待审核的都办完了", "新的办结会自动排到这里，先急后缓；全部用电子证照办成的排在前面。", w.Review.N, w.Review.Shown)
	for i := range review.Rows {
		r := &review.Rows[i]
		r.Tick = v.who.Has(elicense.DutyReview) && !slices.Contains(r.Drafters, v.who.Person)
		d.Tick = d.Tick || r.Tick
	}
	group("returned", "退回更正", "", "", w.Returned.N, w.Returned.Shown) // shown only if there are any
	group("mend", "草稿", "", "", w.Mend.N, w.Mend.Shown)               // likewise, and those that follow
	group("sealing", "签章发布中", "", "", w.Sealing.N, w.Sealing.Shown)
	group("comparing", "等待比对", "", "", len(w.Comparing), w.Comparing)
	list, err := s.Issuer.Mismatches(v.r.Context(), v.who, queueLimit)
	if err != nil {
		return err
	}
	differ := queueGroup{ID: string(toHandle), Title: "比对不一致待处理", N: len(list)}
	for _, x := range list {
		differ.Rows = append(differ.Rows, queueRow{Summary: x, Due: due{"stop", "warn", v.t(x.Comparison.Outcome.Chinese())}})
	}
	if list, err = s.Issuer.Queue(v.r.Context(), v.who, 10, issuance.Published); err != nil {
		return err
	}
	last := queueGroup{ID: "published", Title: "最近发布", Empty: "还没有发布过证照", Next: "发布后进入持证人的卡包。", N: len(list)}
	for _, x := range list {
		last.Rows = append(last.Rows, queueRow{Summary: x, Due: v.dueOf(x.Draft)})
	}
	d.Groups = append(d.Groups, differ, last)
	for _, l := range w.Lots {
		d.Lots = append(d.Lots, lotRowOf{l, v.lotDue(l)})
	}
	return v.render("queue", v.t("待办"), d)
}

// maxBatch bounds the faces that are judged on one page.
const maxBatch = 20

// batchCard is one draft of a batch, with what came of its approval.
type batchCard struct {
	draftPage
	Ticked bool
	Reason string
	Done   bool
	Failed *refusal
}

type batchPage struct {
	Cards    []*batchCard
	Done     int
	Answered bool
}

// batch shows several drafts to a reviewer, each with its face and what is new in
// it; each is approved on its own.
func (s *server) batch(v *visit) error {
	ids := v.r.Form["d"]
	if len(ids) == 0 {
		return v.goTo("/issue")
	}
	d := batchPage{}
	for _, id := range ids[:min(len(ids), maxBatch)] {
		c, err := s.batchCard(v, elicense.DraftID(id))
		if err != nil {
			return err
		}
		d.Cards = append(d.Cards, c)
	}
	return v.render("batch", v.t("批量审核"), d)
}

func (s *server) batchCard(v *visit, id elicense.DraftID) (*batchCard, error) {
	shown, err := s.Issuer.Show(v.r.Context(), v.who, id)
	if err != nil {
		return nil, err
	}
	c := &batchCard{draftPage: *v.draftPage(shown.Review)}
	c.Digest = hex.EncodeToString(shown.Digest)
	if shown.Trouble != nil {
		c.Trouble = v.explain(shown.Trouble)
	} else if svgs, err := s.Issuer.Preview(v.r.Context(), v.who, id); err != nil {
		c.Trouble = v.explain(err)
	} else {
		c.Pages = len(svgs)
	}
	return c, s.withDocuments(v, &c.draftPage)
}

// batchApprove approves the drafts that were ticked, each on its own and each by the
// digest of the face that was shown, and tells which were not and why.
func (s *server) batchApprove(v *visit) error {
	d := batchPage{Answered: true}
	ids := v.r.PostForm["d"]
	for _, text := range ids[:min(len(ids), maxBatch)] {
		id := elicense.DraftID(text)
		var failed error
		ticked := v.Posted("ok."+text) != ""
		if ticked {
			seq, err := strconv.ParseInt(v.Posted("seq."+text), 10, 64)
			if err != nil {
				failed = incomplete(err)
			} else {
				failed = s.approveShown(v, id, seq, v.Posted("digest."+text), v.Posted("reason."+text))
			}
		}
		c, err := s.batchCard(v, id)
		if err != nil {
			return err
		}
		// What is another by now is looked at anew before it is ticked.
		c.Ticked, c.Reason = ticked && !elicense.IsKind(failed, elicense.Conflict), v.Posted("reason."+text)
		switch {
		case failed != nil:
			c.Failed = v.explain(failed)
		case ticked:
			c.Done = true
			d.Done++
		}
		d.Cards = append(d.Cards, c)
	}
	return v.render("batch", v.t("批量审核"), d)
}

// approveShown approves a draft by its number and by the digest of the face that was
// shown, as the page says them.
func (s *server) approveShown(v *visit, id elicense.DraftID, seq int64, digest, reason string) error {
	shown, err := hex.DecodeString(digest)
	if err != nil {
		return incomplete(err)
	}
	return s.Issuer.ApproveShown(v.r.Context(), v.who, id, seq, shown, strings.TrimSpace(reason))
}

// issueStart is where a member of the issuing desk begins who makes no licenses.
func (s *server) issueStart(v *visit) string {
	if v.who.Has(elicense.DutyRegister) {
		return "/issue/types"
	}
	if v.who.Has(elicense.DutyMatters) {
		return "/issue/matters"
	}
	return "/issue/changes"
}

type holderRow struct{ CodeType, Code, Name string }

type completionPage struct {
	Types   []*catalog.Type
	Type    *catalog.Type // nil: to be chosen
	In      typed
	Form    string
	License string
	Result  string // the closed case that was reported, for which it is made
	Holders []holderRow
	Kinds   []elicense.EventKind
	Kind    string
	Now     string
	Draft   *issuance.Review // set when a draft is edited
}

// formHolders is how many holders a form has rows for.
const formHolders = 3

const localTime = "2006-01-02T15:04"

func (s *server) completionForm(v *visit) error {
	d := completionPage{Now: v.Now().In(elicense.Shanghai).Format(localTime), License: v.r.FormValue("license"), Kind: v.r.FormValue("kind"), Result: v.r.FormValue("result")}
	var owed *ontime.Result
	var err error
	if d.Result != "" {
		if owed, err = s.OnTime.Get(v.r.Context(), v.who, d.Result); err != nil {
			return err
		}
	}
	if d.Types, err = s.Catalog.MadeBy(v.r.Context(), v.who.Unit); err != nil {
		return err
	}
	for _, t := range d.Types {
		if string(t.Code) == v.r.FormValue("type") || owed != nil && t.Code == owed.Type {
			d.Type = t
		}
	}
	if d.Type == nil {
		return v.render("completion", v.t("制证"), d)
	}
	d.Kinds = []elicense.EventKind{elicense.EventPublish, elicense.EventChange, elicense.EventRenew}
	if d.Kind == "" {
		d.Kind = string(elicense.EventPublish)
	}
	d.Form = completionName(string(d.Type.Code), d.License, d.Result)
	if d.In, err = v.typedInto(d.Form); err != nil {
		return err
	}
	if d.License != "" && len(d.In.Values) == 0 {
		if err := s.startFrom(v, &d); err != nil {
			return err
		}
	}
	if owed != nil && len(d.In.Values) == 0 {
		startFromResult(&d, owed)
	}
	d.Holders = holderRows(d.In)
	return v.render("completion", v.t("制证：%s", d.Type.Name), d)
}

// completionName is what the typed text of a form is kept under.
func completionName(typ, license, result string) string {
	name := "completion/" + typ + "/" + license
	if result != "" {
		name += "/" + result
	}
	return short(name)
}

// startFromResult fills the form with what was reported of the closed case.
func startFromResult(d *completionPage, r *ontime.Result) {
	d.In.Set("case", r.Case)
	d.In.Set("item", r.Item)
	d.In.Set("docNo", r.DocNo)
	d.In.Set("closed", r.Closed.In(elicense.Shanghai).Format(localTime))
	if r.Holder.Code == "" {
		return
	}
	d.In.Set("h0.type", string(r.Holder.CodeType))
	d.In.Set("h0.code", r.Holder.Code)
	d.In.Set("h0.name", r.Holder.Name)
	for key, value := range map[string]string{d.Type.Roles.HolderName: r.Holder.Name, d.Type.Roles.HolderCode: r.Holder.Code} {
		if f := d.Type.Field(key); f != nil && f.Type != "list" {
			d.In.Set("f."+key, value)
		}
	}
}

// startFrom fills the form with the license that is to be changed or renewed.
func (s *server) startFrom(v *visit, d *completionPage) error {
	o, err := s.Sharing.Issued(v.r.Context(), v.who, elicense.LicenseID(d.License))
	if err != nil {
		return err
	}
	for i, h := range o.Version.Holders {
		n := strconv.Itoa(i)
		d.In.Set("h"+n+".type", string(h.CodeType))
		d.In.Set("h"+n+".code", h.Code)
		d.In.Set("h"+n+".name", h.Name)
	}
	for k, x := range o.Version.Fields {
		d.In.Set("f."+k, x)
	}
	return nil
}

func holderRows(in typed) []holderRow {
	rows := make([]holderRow, formHolders)
	for i := range rows {
		n := strconv.Itoa(i)
		rows[i] = holderRow{in.Get("h" + n + ".type"), in.Get("h" + n + ".code"), in.Get("h" + n + ".name")}
	}
	return rows
}

// holdersFrom reads the holders of a form; rows left empty are skipped.
func holdersFrom(r *http.Request) (list []elicense.HolderRef) {
	for i := range formHolders {
		n := "h" + strconv.Itoa(i)
		h := elicense.HolderRef{
			CodeType: elicense.HolderCodeType(r.PostFormValue(n + ".type")), Code: r.PostFormValue(n + ".code"), Name: strings.TrimSpace(r.PostFormValue(n + ".name")),
		}
		if h.Code != "" || h.Name != "" {
			list = append(list, h)
		}
	}
	return list
}

// fieldsFrom reads the values of a form's fields; fields left empty are absent.
func fieldsFrom(r *http.Request) map[string]string {
	m := map[string]string{}
	for k, vs := range r.PostForm {
		if key, ok := strings.CutPrefix(k, "f."); ok && len(vs) > 0 {
			if x := strings.TrimSpace(strings.ReplaceAll(vs[0], "\r\n", "\n")); x != "" {
				m[key] = x
			}
		}
	}
	return m
}

func (s *server) complete(v *visit) error {
	form := completionName(v.r.PostFormValue("type"), v.r.PostFormValue("license"), v.r.PostFormValue("result"))
	again := func(err error) error {
		return v.refusedForm(err, form, func() error { return s.completionForm(v) })
	}
	closed, err := time.ParseInLocation(localTime, v.r.PostFormValue("closed"), elicense.Shanghai)
	if err != nil {
		return again(elicense.E(elicense.Invalid, "要填写办结时间").At("closed").Under("第七条第一款").Because(err))
	}
	d, err := s.Issuer.Complete(v.r.Context(), v.who, issuance.Completion{
		Case: strings.TrimSpace(v.r.PostFormValue("case")), Item: v.r.PostFormValue("item"), Type: elicense.TypeCode(v.r.PostFormValue("type")),
		Closed: closed, Kind: elicense.EventKind(v.r.PostFormValue("kind")), License: elicense.LicenseID(v.r.PostFormValue("license")),
		DocNo: strings.TrimSpace(v.r.PostFormValue("docNo")), Holders: holdersFrom(v.r), Fields: fieldsFrom(v.r),
		IssuedOn: elicense.Date(v.r.PostFormValue("issuedOn")), ValidFrom: elicense.Date(v.r.PostFormValue("validFrom")),
	})
	if err != nil {
		return again(err)
	}
	if err := s.Typed.Clear(v.r.Context(), v.who, form); err != nil {
		return err
	}
	return v.goTo("/issue/drafts/" + string(d.ID))
}

type draftPage struct {
	*issuance.Review
	Due      due
	Rows     []fieldRow
	Pages    int
	Digest   string   // of the face that is shown, to be given back with the approval
	Trouble  *refusal // why the face can't be shown
	Findings []catalog.Finding
	Changed  int
	Wrong    int
	Uploads  []draftDocument
}

// draftDocument is a document that goes with the license; what can be drawn of it is
// shown beside the face.
type draftDocument struct {
	*delivery.Upload
	Pages int
}

// fieldRow is one field in the review: what will be sealed, what the version
// before said, and what the checks found.
type fieldRow struct {
	catalog.Field
	Value, Before   string
	Changed         bool
	Problem         string
	Warning         bool
	Registry        bool // the base registry confirmed it
	RegistryDiffers bool
}

func (s *server) draft(v *visit) error {
	shown, err := s.Issuer.Show(v.r.Context(), v.who, elicense.DraftID(v.r.PathValue("id")))
	if err != nil {
		return err
	}
	r := shown.Review
	d := v.draftPage(r)
	d.Digest = hex.EncodeToString(shown.Digest)
	if r.State != issuance.Void && r.State != issuance.Published {
		svgs, err := s.Issuer.Preview(v.r.Context(), v.who, r.ID)
		if err != nil {
			d.Trouble = v.explain(err)
		}
		d.Pages = len(svgs)
	}
	if err := s.withDocuments(v, d); err != nil {
		return err
	}
	return v.render("draft", v.t("审核：%s", r.TypeName), d)
}

// withDocuments adds the documents of a draft to its page.
func (s *server) withDocuments(v *visit, d *draftPage) error {
	list, err := s.Delivery.Uploads(v.r.Context(), v.who, d.ID)
	if err != nil {
		return err
	}
	for _, u := range list {
		pages, err := s.documentPages(v, d.ID, u.ID)
		if err != nil {
			return err
		}
		d.Uploads = append(d.Uploads, draftDocument{u, len(pages)})
	}
	return nil
}

// draftPage is what a draft says, field by field, beside the version before it.
func (v *visit) draftPage(r *issuance.Review) *draftPage {
	d := &draftPage{Review: r, Due: v.dueOf(r.Draft)}
	found := map[string]catalog.Finding{}
	for _, f := range r.Draft.Findings {
		if r.TypeEntry.Field(f.Field) == nil {
			d.Findings = append(d.Findings, f)
			continue
		}
		if old, dup := found[f.Field]; !dup || old.Warning {
			found[f.Field] = f
		}
	}
	for _, f := range r.TypeEntry.Fields {
		row := fieldRow{Field: f, Value: r.Fields[f.Key]}
		if r.Before != nil {
			row.Before = r.Before.Fields[f.Key]
			row.Changed = row.Before != row.Value
		}
		if x, ok := found[f.Key]; ok {
			row.Problem, row.Warning = x.Text, x.Warning
		}
		for _, label := range r.Comparison.Fields {
			row.RegistryDiffers = row.RegistryDiffers || label == f.Label
		}
		if row.Changed {
			d.Changed++
		}
		if row.RegistryDiffers || row.Problem != "" && !row.Warning {
			d.Wrong++
		}
		d.Rows = append(d.Rows, row)
	}
	return d
}

// explain says what an error says, beside what else the page shows.
func (v *visit) explain(err error) *refusal {
	before := v.refusal
	v.refuse(err)
	r := v.refusal
	v.refusal = before
	return r
}

// pageOf picks the page of a face that an image asks for.
func pageOf(v *visit, svgs [][]byte, err error) error {
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(v.r.PathValue("page"))
	if err != nil || n < 1 || n > len(svgs) {
		return errNoPage()
	}
	return v.svg(svgs[n-1])
}

func (s *server) draftFace(v *visit) error {
	svgs, err := s.Issuer.Preview(v.r.Context(), v.who, elicense.DraftID(v.r.PathValue("id")))
	return pageOf(v, svgs, err)
}

// seq is the state of a draft that a form was made from.
func (v *visit) seq() (int64, error) {
	seq, err := strconv.ParseInt(v.r.PostFormValue("seq"), 10, 64)
	if err != nil {
		return 0, incomplete(err)
	}
	return seq, nil
}

// incomplete says that a form came without what the page had put into it.
func incomplete(cause error) error {
	return elicense.E(elicense.Invalid, "没有收下：发来的内容不完整").Then("请返回上一页重新填写").Because(cause)
}

// draftReview is the reviewer's decision, or the drafter's to drop a draft or to have
// its sealing tried again.
func (s *server) draftReview(v *visit) error {
	id := elicense.DraftID(v.r.PathValue("id"))
	if v.Posted("do") == "retry" {
		if err := s.Issuer.Retry(v.r.Context(), v.who, id); err != nil {
			return v.again(err, func() error { return s.draft(v) })
		}
		return v.goTo("/issue/drafts/" + string(id))
	}
	seq, err := v.seq()
	if err != nil {
		return err
	}
	next := "/issue"
	switch v.r.PostFormValue("do") {
	case "approve":
		err = s.approveShown(v, id, seq, v.Posted("digest"), v.Posted("reason"))
		next = "/issue/drafts/" + string(id)
	case "return":
		err = s.Issuer.Return(v.r.Context(), v.who, id, seq, strings.TrimSpace(v.r.PostFormValue("remark")))
	case "discard":
		err = s.Issuer.Discard(v.r.Context(), v.who, id, seq)
	default:
		return errNoPage()
	}
	if err != nil {
		return v.again(err, func() error { return s.draft(v) })
	}
	return v.goTo(next)
}

func (s *server) draftEdit(v *visit) error {
	r, err := s.Issuer.Get(v.r.Context(), v.who, elicense.DraftID(v.r.PathValue("id")))
	if err != nil {
		return err
	}
	d := completionPage{Type: r.TypeEntry, Draft: r, Form: short("draft/" + string(r.ID))}
	if d.In, err = v.typedInto(d.Form); err != nil {
		return err
	}
	if len(d.In.Values) == 0 {
		for i, h := range r.Holders {
			n := "h" + strconv.Itoa(i)
			d.In.Set(n+".type", string(h.CodeType))
			d.In.Set(n+".code", h.Code)
			d.In.Set(n+".name", h.Name)
		}
		for k, x := range r.Fields {
			d.In.Set("f."+k, x)
		}
	}
	d.Holders = holderRows(d.In)
	return v.render("edit", v.t("更正：%s", r.TypeName), d)
}

func (s *server) draftSave(v *visit) error {
	id := elicense.DraftID(v.r.PathValue("id"))
	form := short("draft/" + string(id))
	seq, err := v.seq()
	if err == nil {
		_, err = s.Issuer.Edit(v.r.Context(), v.who, id, seq, holdersFrom(v.r), fieldsFrom(v.r))
	}
	if err != nil {
		return v.refusedForm(err, form, func() error { return s.draftEdit(v) })
	}
	if err := s.Typed.Clear(v.r.Context(), v.who, form); err != nil {
		return err
	}
	return v.goTo("/issue/drafts/" + string(id))
}
