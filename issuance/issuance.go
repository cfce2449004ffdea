// Package issuance makes licenses: a completed case becomes a draft, its fields
// are checked and compared with the base registries, another person reviews the
// face exactly as it will be, and the platform numbers, renders, seals,
// publishes and delivers it. Art. 7, 9, 14.
//
// The order protects the seal. What a license will say and its identifier are
// fixed in the database before anyone reviews it; the intent to use the key is
// stored before the key is used; the sealed file is stored before the license is
// published. At most one sealed file per version is ever kept or leaves, and a
// stop at any line is made good when the program starts again.
package issuance

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"time"

	"elicense"
	"elicense/access"
	"elicense/calendar"
	"elicense/catalog"
	"elicense/document"
	"elicense/jobs"
	"elicense/registry"
	"elicense/sealing"
	"elicense/store"
	"elicense/workday"
)

// State is where a draft stands.
type State string

// The states of a draft.
const (
	Open      State = "draft"     // 草稿: something is to be mended, or it was returned
	InReview  State = "in-review" // 待审核
	Sealing   State = "sealing"   // 已审核，签章发布中
	Published State = "published" // 已发布
	Void      State = "void"      // 作废
)

var stateWords = map[State]string{
	Open: "草稿", InReview: "待审核", Sealing: "签章发布中", Published: "已发布", Void: "已作废",
}

// Chinese returns the word shown to people.
func (s State) Chinese() string { return stateWords[s] }

// Origin tells a license that is due with its case from those that catch up.
type Origin string

// The origins of licenses. Lateness is counted of Fresh and Late, by the day the
// case was closed; Stock has a programme of its own.
const (
	Fresh Origin = ""      // 新办: due as Art. 7 says
	Stock Origin = "stock" // 存量: issued before 2017-07-08 and still valid, Art. 8
	Late  Origin = "late"  // 补生成: of later date and on paper only; always late
)

var originWords = map[Origin]string{Fresh: "新办", Stock: "存量", Late: "补生成"}

// Chinese returns the word shown to people.
func (o Origin) Chinese() string { return originWords[o] }

// Completion says that a case was closed and a license is due (业务办结, Art. 7).
type Completion struct {
	Case      string // number of the case at the issuing unit
	Item      string // which result of the case this is, "1" if there is one
	Type      elicense.TypeCode
	Closed    time.Time
	Kind      elicense.EventKind // publish, change or renew; empty is publish
	License   elicense.LicenseID // the license changed or renewed
	DocNo     string             // number of the decision
	Holders   []elicense.HolderRef
	Fields    map[string]string
	IssuedOn  elicense.Date // 发证日期; empty is the day of closing
	ValidFrom elicense.Date // empty is the issue date
	Origin    Origin        `json:",omitempty"`
	Scan      string        `json:",omitempty"` // name of the stored picture of the paper, of Stock and Late
}

// Draft is a license in the making.
type Draft struct {
	ID          elicense.DraftID
	Unit        elicense.UnitCode
	Type        elicense.TypeCode
	TypeVersion int
	TypeName    string
	Kind        elicense.EventKind
	State       State
	License     elicense.LicenseID
	Owner       elicense.HolderKey
	Version     int // the version it will be
	Identifier  elicense.Identifier
	Drafter     elicense.PersonID // empty: posted by a business system
	Reviewer    elicense.PersonID
	Closed      time.Time
	Generated   time.Time
	Submitted   time.Time
	Reviewed    time.Time
	Published   time.Time
	Due         time.Time // when Art. 7 asks it to be published; zero if the calendar does not say
	Trouble     string    // why sealing waits, a sentence for people
	Halted      bool      // sealing is tried no more until somebody asks; read with lists and reviews
	Mode        catalog.Mode
	Origin      Origin
	Paper       string // number of the license on the paper it catches up with; read with lists and reviews
	Lot         string // the lot it is a row of; empty for one of its own
	Place       int    // in the lot, from 1
	Seq         int64
	form        int // of its code: see parts
	Content
}

// Content is the part of a draft that is kept as cipher text.
type Content struct {
	Case       string               `json:"case"`
	Item       string               `json:"item"`
	DocNo      string               `json:"docNo"`
	Holders    []elicense.HolderRef `json:"holders"`
	Fields     map[string]string    `json:"fields"`
	IssuedOn   elicense.Date        `json:"issuedOn"`
	ValidFrom  elicense.Date        `json:"validFrom"`
	ValidTo    elicense.Date        `json:"validTo"`
	Serial     string               `json:"serial"`
	Code       elicense.CheckCode   `json:"code"`
	DocID      [16]byte             `json:"docId"`    // of the file
	CheckURL   string               `json:"checkUrl"` // in the QR code: fixed with the rest, whatever the platform's address becomes
	Findings   []catalog.Finding    `json:"findings"`
	Comparison Comparison           `json:"comparison"`
	Remark     string               `json:"remark"`   // why it was returned
	Reason     string               `json:"reason"`   // why it was approved without a comparison
	Digest     []byte               `json:"digest"`   // SM3 of the approved face and metadata
	Drafters   []elicense.PersonID  `json:"drafters"` // all who wrote on it: none of them may review it
	DrafterAcc elicense.AccountID   `json:"drafterAccount"`
	Beside     []Beside             `json:"beside,omitempty"` // the documents that go with it, and those that went out

	ReviewerAcc elicense.AccountID `json:"reviewerAccount,omitempty"`
	Handled     *Handling          `json:"handled,omitempty"`   // of a mismatch found after approval
	Elsewhere   *Elsewhere         `json:"elsewhere,omitempty"` // how it was made where the platform could not be reached

	Scan     string        `json:"scan,omitempty"`     // of the paper a license catches up with
	SealedOn elicense.Date `json:"sealedOn,omitempty"` // the day its face says it is sealed on

	Withdrawn bool `json:"withdrawn,omitempty"` // the license held a secret: what it said is not here any more
}

// Number is what people know the draft by: the number of its case, or of the paper
// it catches up with, whose case nobody has at hand.
func (d *Draft) Number() string {
	if d.Origin == Fresh {
		return d.Case
	}
	return d.Paper
}

// NotePaper reads the number on the paper that the draft catches up with.
func NotePaper(tx *store.Tx, d *Draft) error {
	if d.Origin == Fresh {
		return nil
	}
	t, err := catalog.VersionOf(tx, d.Type, d.TypeVersion)
	if err != nil {
		return err
	}
	d.Paper = d.Fields[t.Roles.Number]
	return nil
}

// Blocked tells whether a finding or the comparison stops the draft.
func (d *Draft) Blocked() bool {
	return slices.ContainsFunc(d.Findings, func(f catalog.Finding) bool { return !f.Warning }) || d.Comparison.Outcome.Stops()
}

// A draft speaks of comparisons in the words of the base registries.
type (
	Outcome    = registry.Outcome
	Comparison = registry.Comparison
)

// The outcomes of a comparison.
const (
	Match       = registry.Match
	Mismatch    = registry.Mismatch
	NoSuch      = registry.NoSuch
	Unavailable = registry.Unavailable
)

// Comparer asks the population and legal-entity registries whether a holder is
// as the draft says. An error means Unavailable.
type Comparer interface {
	Compare(ctx context.Context, holder elicense.HolderRef, fields map[string]string) (Comparison, error)
}

// Config is what an Issuer needs; all of it is required but Log.
type Config struct {
	DB       *store.DB
	Guard    *access.Guard
	Catalog  *catalog.Catalog
	Seals    *sealing.Register
	Maker    *document.Maker // nil without fonts: drafts wait
	Jobs     *jobs.Queue
	Compare  Comparer
	CheckURL string // start of the address in the QR code, to which the code is added
	// Sample prints 样本 across every license: these are invented, for training.
	Sample bool
	Log    *slog.Logger
}

// Issuer makes licenses.
type Issuer struct {
	Config
}

// New returns an issuer and lets it work the queue's sealing jobs.
func New(c Config) *Issuer {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	i := &Issuer{c}
	c.Jobs.Handle(sealJob, i.seal)
	c.Jobs.Handle(lotJob, i.sealLot)
	c.Jobs.Handle(compareJob, i.recompare)
	c.Jobs.Handle(calendar.DraftsJob, i.Recount)
	return i
}

const (
	maxHolders = 50
	maxCaseNo  = 100
)

// Complete makes the draft of a completed case. It is idempotent by unit, case
// and result item: posted again it returns the draft there is.
//
// Errors: Invalid naming the field; Forbidden; Conflict if the same case and
// item was posted with other contents; NotFound if the license to change is not
// the unit's.
func (i *Issuer) Complete(ctx context.Context, actor *elicense.Actor, c Completion) (*Draft, error) {
	if c.Origin != Fresh {
		return nil, elicense.E(elicense.Invalid, "已有纸质证照的要按存量补录或补生成办理").At("origin").Under("第八条")
	}
	if err := c.normalize(); err != nil {
		return nil, err
	}
	body, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("completion: %w", err)
	}
	var draft *Draft
	build := func(tx *store.Tx) (access.Request, error) {
		t, err := catalog.Current(tx, c.Type)
		if err != nil {
			return access.Request{}, err
		}
		return access.Request{
			Actor: actor, Act: access.DraftMake,
			On:   access.Thing{Kind: "Draft", ID: "new", Attr: access.Attr{"unit": string(actor.Unit), "issuers": unitStrings(t.Issuers)}},
			Note: access.Note{LicenseType: c.Type, License: c.License},
		}, nil
	}
	var compared Compared
	if i.may(ctx, build) {
		compared = i.Compared(ctx, c.Holders, c.Fields)
	}
	err = i.Guard.Write(ctx, build, func(tx *store.Tx, p *access.Permit) error {
		draft, err = i.draft(tx, p, actor, c, body, compared)
		return err
	})
	if err == nil {
		store.CrashPoint("issuance.drafted")
	}
	return draft, err
}

// draft is Complete in a transaction the law has permitted.
func (i *Issuer) draft(tx *store.Tx, p *access.Permit, actor *elicense.Actor, c Completion, body []byte, compared Compared) (*Draft, error) {
	id := elicense.NewID[elicense.DraftID](tx.Now())
	known, err := completed(tx, actor.Unit, c, body, id)
	if err != nil {
		return nil, err
	}
	if known != id {
		p.Note.Detail = map[string]string{"draft": string(known), "repeated": "true"}
		return Of(tx, known)
	}
	p.Note.Detail = map[string]string{"draft": string(id)}
	d, err := i.newDraft(tx, actor, id, c, compared.worst)
	if err != nil {
		return nil, err
	}
	return d, keepComparisons(tx, d, compared.all)
}

func (c *Completion) normalize() error {
	c.Case, c.Item, c.DocNo = strings.TrimSpace(c.Case), strings.TrimSpace(c.Item), strings.TrimSpace(c.DocNo)
	if c.Item == "" {
		c.Item = "1"
	}
	if c.Kind == "" {
		c.Kind = elicense.EventPublish
	}
	for i := range c.Holders {
		c.Holders[i] = c.Holders[i].Normalize()
	}
	switch {
	case c.Case == "" || len(c.Case) > maxCaseNo:
		return elicense.E(elicense.Invalid, "要填写办件编号").At("case").Under("第七条第一款")
	case len(c.Item) > maxCaseNo:
		return elicense.E(elicense.Invalid, "办理结果的序号太长").At("item")
	case c.Closed.IsZero():
		return elicense.E(elicense.Invalid, "要填写办结时间").At("closed").Under("第七条第一款")
	case !c.Kind.MakesVersion():
		return elicense.E(elicense.Invalid, "办结事项只能生成、变更或延续证照").At("kind").Then("挂起、吊销等请在状态变更里办理")
	case c.Kind != elicense.EventPublish && !elicense.ValidID(c.License):
		return elicense.E(elicense.Invalid, "变更或延续要指明原证照").At("license")
	case len(c.Holders) == 0 || len(c.Holders) > maxHolders:
		return elicense.E(elicense.Invalid, "要有1到%d个持证主体", maxHolders).At("holders")
	}
	if c.IssuedOn == "" {
		c.IssuedOn = elicense.DateOf(c.Closed)
	}
	if c.ValidFrom == "" {
		c.ValidFrom = c.IssuedOn
	}
	for _, d := range []struct {
		field string
		date  elicense.Date
	}{{"issuedOn", c.IssuedOn}, {"validFrom", c.ValidFrom}} {
		if _, err := elicense.ParseDate(string(d.date)); err != nil {
			return err.(*elicense.Error).At(d.field)
		}
	}
	return nil
}

// completed takes the place of the case's result for the draft id, or returns
// the draft that has it.
func completed(tx *store.Tx, unit elicense.UnitCode, c Completion, body []byte, id elicense.DraftID) (elicense.DraftID, error) {
	if len(tx.Indexes(completionIndex, c.Case)) > 1 { // it may be kept under an older key of the index
		known, err := postedAs(tx, unit, c, body)
		if err == nil || !elicense.IsKind(err, elicense.NotFound) {
			return known, err
		}
	}
	index, err := CaseIndex(tx, unit, c.Case)
	if err != nil {
		return "", err
	}
	n, err := tx.Exec(`INSERT INTO completion (unit, case_index, item, draft, mac) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (unit, case_index, item) DO NOTHING`, unit, index, c.Item, id, completionMAC(tx, unit, c, id, body))
	if err != nil || n == 1 {
		return id, err
	}
	return postedAs(tx, unit, c, body)
}

// completionIndex is the kind of the indexes of cases.
const completionIndex = "completion"

// CaseIndex is what a unit's case is known by in indexes. A case that was written
// of under an older key of the index keeps its code, so that what is reported of it
// and what is made of it meet.
func CaseIndex(tx *store.Tx, unit elicense.UnitCode, number string) ([]byte, error) {
	all := tx.Indexes(completionIndex, number)
	for _, old := range all[1:] {
		for _, table := range []string{"completion", "case_result"} {
			var n int
			if err := tx.Row(`SELECT COUNT(*) FROM `+table+` WHERE unit = $1 AND case_index = $2`, unit, old).Scan(&n); err != nil {
				return nil, err
			}
			if n > 0 {
				return old, nil
			}
		}
	}
	return all[0], nil
}

// postedAs returns the draft of a case's result that was posted before with the
// same body.
func postedAs(tx *store.Tx, unit elicense.UnitCode, c Completion, body []byte) (id elicense.DraftID, err error) {
	var mac []byte
	for _, index := range tx.Indexes(completionIndex, c.Case) {
		err = tx.Row(`SELECT draft, mac FROM completion WHERE unit = $1 AND case_index = $2 AND item = $3`, unit, index, c.Item).Scan(&id, &mac)
		if !elicense.IsKind(err, elicense.NotFound) {
			break
		}
	}
	if err != nil {
		return "", err
	}
	if tx.CheckMAC(mac, "completion", completionRow(unit, c), []byte(id), body) != nil {
		return "", elicense.E(elicense.Conflict, "这个办件的同一办理结果已经推送过，内容不同").At("case").Under("第七条第一款").
			Then("要更正请在草稿里修改，或换一个结果序号")
	}
	return id, nil
}

func completionRow(unit elicense.UnitCode, c Completion) string {
	return string(unit) + "/" + c.Item + "/" + c.Case
}

func completionMAC(tx *store.Tx, unit elicense.UnitCode, c Completion, id elicense.DraftID, body []byte) *store.Code {
	return tx.MAC("completion", completionRow(unit, c), []byte(id), body)
}

// newDraft checks the completion's contents and fixes what the license will be:
// holders, serial, identifier, check code.
func (i *Issuer) newDraft(tx *store.Tx, actor *elicense.Actor, id elicense.DraftID, c Completion, comparison Comparison) (*Draft, error) {
	t, err := catalog.Current(tx, c.Type)
	if err != nil {
		return nil, err
	}
	if t.State == catalog.Retired {
		return nil, elicense.E(elicense.Conflict, "%s这一类别已经停用，不再制证", t.Name).At("type").Under("第十条")
	}
	mode, err := catalog.ModeFor(tx, t, actor.Unit)
	if err != nil {
		return nil, err
	}
	if !mode.Made() {
		return nil, elicense.E(elicense.Conflict, "%s按照国家规范制作，不在本平台制证", t.Name).At("type").Under("第七条第一款").
			Then("请等国家系统回传后登记引用")
	}
	d := i.blank(tx, actor, id, t, c)
	d.Mode, d.Origin, d.Scan = mode, c.Origin, c.Scan
	if d.Closed.After(d.Generated.Add(clockTolerance)) {
		return nil, elicense.E(elicense.Invalid, "办结时间晚于现在").At("closed")
	}
	if err := i.place(tx, d, c); err != nil {
		return nil, err
	}
	if d.Due, err = d.due(tx); err != nil {
		return nil, err
	}
	judge(t, d, comparison, elicense.DateOf(tx.Now()))
	return d, insertDraft(tx, d)
}

// blank is a draft that says what the completion does, without a place among the
// licenses.
func (i *Issuer) blank(tx *store.Tx, actor *elicense.Actor, id elicense.DraftID, t *catalog.Type, c Completion) *Draft {
	d := &Draft{
		ID: id, Unit: actor.Unit, Type: t.Code, TypeVersion: t.Version, TypeName: t.Name,
		Kind: c.Kind, Drafter: actor.Person, Closed: c.Closed.UTC().Truncate(time.Microsecond), Generated: tx.Now(), Seq: 1,
		Content: Content{
			Case: c.Case, Item: c.Item, DocNo: c.DocNo, Holders: c.Holders, Fields: c.Fields, IssuedOn: c.IssuedOn, ValidFrom: c.ValidFrom,
			Code: elicense.NewCheckCode(), Drafters: []elicense.PersonID{actor.Person}, DrafterAcc: actor.Account,
		},
	}
	fillDocID(&d.Content)
	d.CheckURL = i.CheckURL + string(d.Code)
	return d
}

func fillDocID(c *Content) { rand.Read(c.DocID[:]) }

// place gives the draft its license, version and identifier.
func (i *Issuer) place(tx *store.Tx, d *Draft, c Completion) (err error) {
	if c.Kind == elicense.EventPublish {
		d.License, d.Version, d.Serial = elicense.NewID[elicense.LicenseID](tx.Now()), 1, elicense.NewSerial()
		if d.Owner, err = tx.Holder(c.Holders[0], true); err != nil {
			return err
		}
	} else {
		lic, err := tx.License(c.License)
		if err != nil || lic.Issuer != d.Unit || lic.Type != d.Type || lic.Reference {
			return elicense.E(elicense.NotFound, "本单位没有签发过这个证照").At("license").Under("第十条").Because(err)
		}
		if _, err := lic.Standing.After(c.Kind); err != nil {
			return err
		}
		old, err := tx.Version(lic, 0)
		if err != nil {
			return err
		}
		if err := sameHolders(old.Holders, c.Holders); err != nil {
			return err
		}
		d.License, d.Owner, d.Version, d.Serial = lic.ID, lic.Owner, lic.Standing.Version+1, old.Serial
	}
	d.Identifier, err = elicense.NewIdentifier(d.Type, d.Unit, d.Serial, d.Version)
	return err
}

// sameHolders refuses a change that would give the license to others: their
// folders, and what hangs on the old holder, would not follow.
func sameHolders(before, after []elicense.HolderRef) error {
	codes := func(list []elicense.HolderRef) (s []string) {
		for _, h := range list {
			s = append(s, string(h.CodeType)+h.Code)
		}
		slices.Sort(s)
		return s
	}
	if slices.Equal(codes(before), codes(after)) {
		return nil
	}
	return elicense.E(elicense.Invalid, "变更和延续不能换持证主体").At("holders").Under("第十条").Then("请注销原证，按新的持证主体生成")
}

// judge sets findings, comparison, validity and the state they lead to.
func judge(t *catalog.Type, d *Draft, comparison Comparison, today elicense.Date) {
	for k, v := range d.Fields {
		d.Fields[k] = strings.TrimSpace(v)
		if f := t.Field(k); f != nil && (f.Type == "idno" || f.Type == "uscc") {
			d.Fields[k] = elicense.NormalizeCode(v)
		}
	}
	d.ValidTo = t.ValidTo(d.IssuedOn, d.Fields)
	if k := t.Roles.IssueDate; k != "" && d.Fields[k] == "" {
		d.Fields[k] = string(d.IssuedOn)
	}
	if k := t.Roles.ValidTo; k != "" && d.Fields[k] == "" && d.ValidTo != "" {
		d.Fields[k] = string(d.ValidTo)
	}
	d.Findings = append(d.paperForms(t, t.CheckFields(d.Fields, today)), checkHolders(t, d, today)...)
	d.Comparison = comparison
	if d.Due.IsZero() && d.Origin != Stock {
		d.Findings = append(d.Findings, catalog.Finding{Warning: true, Label: "期限", Text: "工作日历没有办结日所在的年份，不能算发布期限"})
	}
	d.State = InReview
	if d.Blocked() {
		d.State = Open
	} else {
		d.Submitted = d.Generated
	}
}

// checkHolders compares the holders with the type and with the face's fields.
func checkHolders(t *catalog.Type, d *Draft, today elicense.Date) []catalog.Finding {
	var found []catalog.Finding
	add := func(text string) { found = append(found, catalog.Finding{Label: "持证主体", Text: text}) }
	for n, h := range d.Holders {
		if err := h.Check(today); err != nil {
			add(fmt.Sprintf("第%d位：%s", n+1, err.(*elicense.Error).Message()))
			continue
		}
		if t.Holders == catalog.Persons && h.CodeType.Organization() || t.Holders == catalog.Organizations && !h.CodeType.Organization() {
			add(fmt.Sprintf("第%d位：这类证照发给%s", n+1, t.Holders.Chinese()))
		}
	}
	first := d.Holders[0]
	if v := d.Fields[t.Roles.HolderName]; v != "" && t.Field(t.Roles.HolderName).Type == "string" && v != first.Name {
		found = append(found, catalog.Finding{Field: t.Roles.HolderName, Label: t.Field(t.Roles.HolderName).Label, Text: "和持证主体的名称不一致"})
	}
	if k := t.Roles.HolderCode; k != "" && d.Fields[k] != "" && t.Field(k).Type != "list" && d.Fields[k] != first.Code && !d.shortForm(d.Fields[k], first.Code) {
		found = append(found, catalog.Finding{Field: k, Label: t.Field(k).Label, Text: "和持证主体的代码不一致"})
	}
	return found
}

// may tells whether the law lets the actor do what he asks for. It is asked before
// anything about a holder goes to a registry; the decision, and the record of it,
// is made again where the act is.
func (i *Issuer) may(ctx context.Context, build func(*store.Tx) (access.Request, error)) bool {
	err := i.DB.View(ctx, func(tx *store.Tx) error {
		req, err := build(tx)
		if err != nil {
			return err
		}
		return i.Guard.Ask(req.Actor, req.Act, req.On, req.Circumstances)
	})
	return err == nil
}

// compare asks the registries about every holder; the worst answer counts.
func (i *Issuer) compare(ctx context.Context, holders []elicense.HolderRef, fields map[string]string) (worst Comparison, all []Comparison) {
	rank := map[Outcome]int{Match: 0, Unavailable: 1, NoSuch: 2, Mismatch: 3}
	for n, h := range holders {
		c, err := i.Compare.Compare(ctx, h, fields)
		if err != nil {
			i.Log.WarnContext(ctx, "base registry", "err", err)
			c.Outcome, c.Fields = Unavailable, nil
		}
		c.ID = elicense.NewID[string](c.At)
		all = append(all, c)
		if n == 0 || rank[c.Outcome] > rank[worst.Outcome] {
			worst = c
		}
	}
	return worst, all
}

// Compared is what the registries said of a license's holders.
type Compared struct {
	worst Comparison
	all   []Comparison
}

// Compared asks the registries about every holder. It is asked when the law would
// let the actor make the license, and before the transaction in which he does.
func (i *Issuer) Compared(ctx context.Context, holders []elicense.HolderRef, fields map[string]string) Compared {
	worst, all := i.compare(ctx, holders, fields)
	return Compared{worst, all}
}

// Due is when Art. 7 asks a license to be published: made online or offline, on
// the day of closing; in bulk, within five working days, the day of closing not
// counted. The zero time while the calendar does not know: the work lists say so,
// and it is counted when the notice of the year is entered.
func Due(tx *store.Tx, m catalog.Mode, closed time.Time) (time.Time, error) {
	if m != catalog.Bulk {
		return workday.SameDay(closed), nil
	}
	at, err := calendar.Within(tx, closed, 5)
	if errors.Is(err, workday.ErrUnknownYear) {
		return time.Time{}, nil
	}
	return at, err
}

// Recount counts the terms of the drafts that are not published anew after the
// calendar has changed; the handler of calendar.DraftsJob. Lots, which may be long,
// are counted some hundred rows at a time; a stop begins again, and changes nothing
// that was counted.
func (i *Issuer) Recount(ctx context.Context, _ []byte) error {
	var underway []*Lot
	err := i.DB.Update(ctx, func(tx *store.Tx) (err error) {
		open, err := drafts(tx, queued+` AND state IN ($1, $2, $3)`, Open, InReview, Sealing)
		if err != nil {
			return err
		}
		if err := recount(tx, open); err != nil {
			return err
		}
		if underway, err = bareLots(tx, `WHERE state NOT IN ($1, $2)`, LotDone, LotVoid); err != nil {
			return err
		}
		for _, l := range underway {
			due, err := Due(tx, catalog.Bulk, l.Closed)
			if err != nil {
				return err
			}
			if l.Due.Equal(due) {
				continue
			}
			l.Due = due
			if err := l.update(tx); err != nil {
				return err
			}
		}
		return nil
	})
	for _, l := range underway {
		for place, more := 0, true; more && err == nil; {
			err = i.DB.Update(ctx, func(tx *store.Tx) error {
				rows, err := drafts(tx, `WHERE lot = $1 AND state = $2 AND place > $3 ORDER BY place LIMIT $4`, l.ID, InReview, place, batch)
				if more = len(rows) > 0; err != nil || !more {
					return err
				}
				if err := recount(tx, rows); err != nil {
					return err
				}
				place = rows[len(rows)-1].Place
				return nil
			})
		}
	}
	if err != nil {
		return err
	}
	return i.DB.Update(ctx, func(tx *store.Tx) error { return jobs.Done(tx, jobs.Current(ctx)) })
}

// queued is the condition of drafts that are handled one by one: a lot's rows are
// handled with it, but for those that were stopped.
const queued = `WHERE unit IN (SELECT code FROM unit) AND (lot = '' OR state = 'draft')`

// recount counts the terms of drafts.
func recount(tx *store.Tx, list []*Draft) error {
	for _, d := range list {
		kept := d.Mode // of drafts from before it was kept, which follow their type
		if d.Mode == "" {
			t, err := catalog.VersionOf(tx, d.Type, d.TypeVersion)
			if err != nil {
				return err
			}
			d.Mode = t.Mode
		}
		at, err := d.due(tx)
		if err != nil {
			return err
		}
		d.Mode = kept
		if at.Equal(d.Due) {
			continue
		}
		// What a reviewer has before him stays as it is: no new number.
		d.Due, d.form = at, macTimes
		n, err := tx.Exec(`UPDATE draft SET due = $1, mac_form = $2, mac = $3 WHERE id = $4 AND seq = $5`,
			d.Due, d.form, tx.MAC("draft", string(d.ID), d.parts()...), d.ID, d.Seq)
		if err == nil && n == 0 {
			err = changedMeanwhile() // the job runs again
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func unitStrings(units []elicense.UnitCode) []string {
	s := make([]string, len(units))
	for i, u := range units {
		s[i] = string(u)
	}
	return s
}

// Of returns a draft. Errors: NotFound; Unavailable if the row is not as the
// platform wrote it.
func Of(tx *store.Tx, id elicense.DraftID) (*Draft, error) {
	list, err := drafts(tx, `WHERE id = $1`, id)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, store.ErrNoRow
	}
	return list[0], nil
}

func drafts(tx *store.Tx, where string, args ...any) ([]*Draft, error) {
	rows, err := tx.Query(`SELECT id, unit, type, type_version, type_name, kind, state, content_enc, license, owner, version, identifier,
		drafter, reviewer, closed, generated, submitted, reviewed, published, due, trouble, mode, origin, lot, place, seq, mac_form, mac, voided FROM draft `+where, args...)
	if err != nil {
		return nil, err
	}
	var list []*Draft
	for rows.Next() {
		var d Draft
		var b, mac []byte
		var voided bool
		err := rows.Scan(&d.ID, &d.Unit, &d.Type, &d.TypeVersion, &d.TypeName, &d.Kind, &d.State, &b, &d.License, &d.Owner, &d.Version,
			&d.Identifier, &d.Drafter, &d.Reviewer, &d.Closed, &d.Generated, &d.Submitted, &d.Reviewed, &d.Published, &d.Due, &d.Trouble,
			&d.Mode, &d.Origin, &d.Lot, &d.Place, &d.Seq, &d.form, &mac, &voided)
		if err != nil {
			return nil, err
		}
		if voided != (d.State == Void) {
			mac = nil // not as the platform wrote it, though the code does not cover it
		}
		if err := tx.CheckMAC(mac, "draft", string(d.ID), d.parts()...); err != nil {
			return nil, err
		}
		if b, err = tx.Decrypt("draft", string(d.ID), "content_enc", b); err != nil {
			return nil, err
		}
		if err := store.DecodeContent(b, &d.Content); err != nil {
			return nil, fmt.Errorf("draft %s: %w", d.ID, err)
		}
		list = append(list, &d)
	}
	return list, nil
}

// macTimes is the form of a draft's code that holds its times, which decide whether
// a license was late; those of before hold form 1 until they are written again.
const macTimes = 2

func (d *Draft) parts() [][]byte {
	parts := append(make([]string, 0, 24), string(d.Unit), string(d.Type), strconv.Itoa(d.TypeVersion), string(d.Kind), string(d.State),
		string(d.License), string(d.Owner), strconv.Itoa(d.Version), string(d.Identifier), string(d.Drafter), string(d.Reviewer),
		strconv.FormatInt(d.Seq, 10))
	if d.Mode != "" || d.Lot != "" { // rows from before there were lots have neither
		parts = append(parts, string(d.Mode), d.Lot)
	}
	if d.Origin != Fresh {
		parts = append(parts, string(d.Origin))
	}
	if d.form == macTimes {
		parts = append(parts, "times")
		for _, t := range []time.Time{d.Closed, d.Generated, d.Reviewed, d.Published, d.Due} {
			micros := int64(0)
			if !t.IsZero() {
				micros = t.UnixMicro()
			}
			parts = append(parts, strconv.FormatInt(micros, 10))
		}
	}
	return store.Parts(parts...)
}

func (d *Draft) sealed(tx *store.Tx) ([]byte, error) {
	b, err := store.EncodeContent(d.Content)
	if err != nil {
		return nil, fmt.Errorf("draft %s: %w", d.ID, err)
	}
	return tx.Encrypt("draft", string(d.ID), "content_enc", b), nil
}

func insertDraft(tx *store.Tx, d *Draft) error {
	content, err := d.sealed(tx)
	if err != nil {
		return err
	}
	d.form = macTimes
	_, err = tx.Exec(`INSERT INTO draft (id, unit, type, type_version, type_name, kind, state, content_enc, license, owner, version, identifier,
		drafter, reviewer, closed, generated, submitted, reviewed, published, due, trouble, mode, origin, lot, place, seq, mac_form, mac)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28)`,
		d.ID, d.Unit, d.Type, d.TypeVersion, d.TypeName, d.Kind, d.State, content, d.License, d.Owner, d.Version, d.Identifier,
		d.Drafter, d.Reviewer, d.Closed, d.Generated, d.Submitted, d.Reviewed, d.Published, d.Due, d.Trouble, d.Mode, d.Origin, d.Lot, d.Place, d.Seq,
		d.form, tx.MAC("draft", string(d.ID), d.parts()...))
	if elicense.IsKind(err, elicense.Conflict) {
		return elicense.E(elicense.Conflict, "这个证照已有一份变更在办").At("license").Under("第十条").Then("请先办完或作废在办的草稿").Because(err)
	}
	return err
}

// updates are the statements of update, by whether the draft becomes void. The
// column that says so is written by that one alone: it is the condition of an index
// which others need not touch.
var updates = map[bool]string{false: updateDraft(""), true: updateDraft(", voided = TRUE")}

func updateDraft(more string) string {
	return `UPDATE draft SET state = $1, content_enc = $2, owner = $3, drafter = $4, reviewer = $5, submitted = $6, reviewed = $7,
		published = $8, trouble = $9, lot = $10, seq = $11, mac_form = $12, mac = $13` + more + ` WHERE id = $14 AND seq = $15 AND due IS NOT DISTINCT FROM $16`
}

// update writes a changed draft; one that changed meanwhile is a Conflict.
func update(tx *store.Tx, d *Draft) error {
	d.Seq++
	content, err := d.sealed(tx)
	if err != nil {
		return err
	}
	d.form = macTimes
	n, err := tx.Exec(updates[d.State == Void],
		d.State, content, d.Owner, d.Drafter, d.Reviewer, d.Submitted, d.Reviewed, d.Published, d.Trouble, d.Lot, d.Seq, d.form,
		tx.MAC("draft", string(d.ID), d.parts()...), d.ID, d.Seq-1, d.Due)
	if err == nil && n == 0 {
		return changedMeanwhile()
	}
	return err
}

func changedMeanwhile() error {
	return elicense.E(elicense.Conflict, "这份草稿刚刚有人改过").Then("请刷新，核对后再办")
}
