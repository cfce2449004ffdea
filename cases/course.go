package cases

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"elicense"
	"elicense/access"
	"elicense/calendar"
	"elicense/jobs"
	"elicense/notice"
	"elicense/org"
	"elicense/store"
	"elicense/workday"
)

// Stage is where a case stands (办件). Licenses can be queried from 收件 to 办结
// and at no other time.
type Stage string

// The stages.
const (
	Filling    Stage = "filling"    // 填报中: an applicant fills it in online; nobody else sees it
	Received   Stage = "received"   // 收件
	Correcting Stage = "correcting" // 待补正
	Accepted   Stage = "accepted"   // 受理，审查中
	Paused     Stage = "paused"     // 停表: 听证、检验、检测、专家评审 (行政许可法 45)
	Decided    Stage = "decided"    // 已决定
	Closed     Stage = "closed"     // 办结
	Refused    Stage = "refused"    // 不予受理
	Withdrawn  Stage = "withdrawn"  // 撤回
)

var stageWords = map[Stage]string{
	Filling: "填报中", Received: "收件", Correcting: "待补正", Accepted: "受理审查", Paused: "停表",
	Decided: "已决定", Closed: "办结", Refused: "不予受理", Withdrawn: "已撤回",
}

// Chinese returns the word shown to people.
func (s Stage) Chinese() string { return stageWords[s] }

// Open tells whether licenses can be queried at the stage (Art. 13(2)).
func (s Stage) Open() bool {
	return s == Received || s == Correcting || s == Accepted || s == Paused || s == Decided
}

// Ended tells whether nothing follows the stage.
func (s Stage) Ended() bool { return s == Closed || s == Refused || s == Withdrawn }

// Move is what happens to a case.
type Move string

// The moves.
const (
	Begin    Move = "begin"    // an applicant begins online
	Open     Move = "open"     // 收件
	Send     Move = "send"     // the applicant sends what he filled in
	Take     Move = "take"     // a clerk takes it from the queue
	Hand     Move = "hand"     // 转办
	Correct  Move = "correct"  // 补正告知, once and with everything (行政许可法 32(1)(4))
	Supply   Move = "supply"   // 补正
	Accept   Move = "accept"   // 受理
	Deem     Move = "deem"     // 逾期不告知，自收到申请之日起即为受理
	Refuse   Move = "refuse"   // 不予受理
	Pause    Move = "pause"    // 停表
	Resume   Move = "resume"   // 恢复计时
	Decide   Move = "decide"   // 决定
	Finish   Move = "close"    // 办结
	Withdraw Move = "withdraw" // 撤回
	Join     Move = "join"     // a party is added
	Clarify  Move = "clarify"  // the facts of the case change
)

var moveWords = map[Move]string{
	Begin: "开始填报", Open: "收件", Send: "提交申请", Take: "接办", Hand: "转办", Correct: "补正告知", Supply: "补正", Accept: "受理",
	Deem: "逾期未告知，视为受理", Refuse: "不予受理", Pause: "停表", Resume: "恢复计时", Decide: "决定", Finish: "办结", Withdraw: "撤回",
	Join: "增加当事人", Clarify: "更正办件情形",
}

// Chinese returns the word shown to people.
func (m Move) Chinese() string { return moveWords[m] }

// After is the state table of a case: the stage that follows.
//
// Errors: Conflict, saying where the case stands.
func (s Stage) After(m Move) (Stage, error) {
	switch {
	case s == "" && m == Begin:
		return Filling, nil
	case s == "" && m == Open, s == Filling && m == Send, s == Correcting && m == Supply:
		return Received, nil
	case s == Received && m == Correct:
		return Correcting, nil
	case s == Received && (m == Accept || m == Deem), s == Paused && m == Resume:
		return Accepted, nil
	case (s == Received || s == Correcting) && m == Refuse:
		return Refused, nil
	case s == Accepted && m == Pause:
		return Paused, nil
	case s == Accepted && m == Decide:
		return Decided, nil
	// What is decided on the spot is received, accepted and closed at once.
	case (s == Received || s == Accepted || s == Decided) && m == Finish:
		return Closed, nil
	case (s == Filling || s.Open() && s != Decided) && m == Withdraw:
		return Withdrawn, nil
	case s.Open() && (m == Take || m == Hand), (s == Filling || s.Open() && s != Decided) && (m == Join || m == Clarify):
		return s, nil
	}
	if s == Closed && m == Finish {
		return s, elicense.E(elicense.Conflict, "这个办件已经办结")
	}
	return s, elicense.E(elicense.Conflict, "办件现在是“%s”，不能办理“%s”", s.Chinese(), m.Chinese()).Then("请刷新后核对办件的进度")
}

// Step is one entry of a case's course.
type Step struct {
	Seq      int64
	Kind     Move
	Happened time.Time
	Person   elicense.PersonID
	Account  elicense.AccountID
	Name     string // of who did it, as the applicant is shown
	Doing
}

// Doing is what is said with a move.
type Doing struct {
	Reason  string             `json:"reason,omitempty"`
	Items   []string           `json:"items,omitempty"`   // 补正: what is to be supplied, all of it at once
	DocNo   string             `json:"docNo,omitempty"`   // of the decision
	Granted bool               `json:"granted,omitempty"` // of a decision
	To      elicense.AccountID `json:"to,omitempty"`      // 转办
	Facts   []Condition        `json:"facts,omitempty"`
	Party   int                `json:"party,omitempty"`
	Officer string             `json:"officer,omitempty"` // of a business system's case
}

// The limits of what is said; of texts, in characters.
const (
	maxReason = 500
	maxItems  = 40
	// completeDays are the working days in which an application is told to be
	// complete or not (行政许可法 32(1)(4)).
	completeDays = 5
)

func (d *Doing) check(m Move) error {
	bad := func(field, text string, args ...any) *elicense.Error {
		return elicense.E(elicense.Invalid, text, args...).At(field)
	}
	d.Reason, d.DocNo = strings.TrimSpace(d.Reason), strings.TrimSpace(d.DocNo)
	d.Items = slices.DeleteFunc(d.Items, func(s string) bool { return strings.TrimSpace(s) == "" })
	switch {
	case len([]rune(d.Reason)) > maxReason:
		return bad("reason", "说明最多%d个字", maxReason)
	case !fits(d.DocNo, maxNumber):
		return bad("docNo", "文号最多%d个字", maxNumber)
	case m == Correct && len(d.Items) == 0:
		return bad("items", "要一次写全需要补正的内容").Under("行政许可法第三十二条")
	case len(d.Items) > maxItems || slices.ContainsFunc(d.Items, func(s string) bool { return !fits(s, maxPurpose) }):
		return bad("items", "补正的内容最多%d条，每条最多%d个字", maxItems, maxPurpose)
	case m == Refuse && d.Reason == "":
		return bad("reason", "不予受理要写明理由").Under("行政许可法第三十二条")
	case m == Pause && d.Reason == "":
		return bad("reason", "停表要写明事由：听证、检验、检测、鉴定、专家评审").Under("行政许可法第四十五条")
	case m == Decide && !d.Granted && d.Reason == "":
		return bad("reason", "不予许可要写明理由").Under("行政许可法第三十八条")
	}
	return nil
}

func stepRow(id elicense.CaseID, seq int64) string {
	return string(id) + "#" + strconv.FormatInt(seq, 10)
}

func (s *Step) parts(content []byte) [][]byte {
	return [][]byte{[]byte(s.Kind), []byte(strconv.FormatInt(s.Happened.UnixMicro(), 10)), []byte(s.Person), []byte(s.Account), content}
}

// step writes an entry of the course and brings the row of the case to it. The
// case is at the sequence number before.
func (c *Case) step(tx *store.Tx, actor *elicense.Actor, m Move, d Doing) error {
	stage, err := c.Stage.After(m)
	if err != nil {
		return err
	}
	c.Seq++
	c.Stage = stage
	if stage.Ended() {
		c.Closed, c.Due = tx.Now(), time.Time{}
	}
	s := Step{Seq: c.Seq, Kind: m, Happened: tx.Now(), Person: actor.Person, Account: actor.Account, Name: actor.Name, Doing: d}
	if err := insertStep(tx, c.ID, &s); err != nil {
		return err
	}
	if c.Kind != Enforcement && slices.Contains(noticed, m) {
		if err := jobs.Enqueue(tx, LetterOf(c.ID, c.Seq)); err != nil {
			return err
		}
	}
	if c.Seq == 1 {
		return nil // the row is inserted with it
	}
	n, err := tx.Exec(`UPDATE office_case SET clerk = $1, state = $2, closed = $3, seq = $4, implementer = $5, kind = $6, channel = $7, stage = $8,
		applicant = $9, facts_enc = $10, due = $11, unit = $12, mac = $13 WHERE id = $14 AND seq = $15`,
		c.Clerk, c.State(), optional(c.Closed), c.Seq, c.Implementer, c.Kind, c.Channel, c.Stage, c.Applicant, c.factsEnc(tx), optional(c.Due), c.Unit,
		c.mac(tx), c.ID, c.Seq-1)
	if err == nil && n == 0 {
		return elicense.E(elicense.Conflict, "这个办件刚刚有人办过").Then("请刷新后核对")
	}
	return err
}

func insertStep(tx *store.Tx, id elicense.CaseID, s *Step) error {
	content, err := json.Marshal(s.Doing)
	if err != nil {
		return fmt.Errorf("step of case %s: %w", id, err)
	}
	_, err = tx.Exec(`INSERT INTO case_event (case_id, seq, kind, happened, person, account, name, content_enc, mac) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		id, s.Seq, s.Kind, s.Happened, s.Person, s.Account, s.Name, tx.Encrypt("case_event", stepRow(id, s.Seq), "content_enc", content),
		tx.MAC("case_event", stepRow(id, s.Seq), s.parts(content)...))
	return err
}

// CourseOf returns the steps of a case, the first first.
func CourseOf(tx *store.Tx, id elicense.CaseID) ([]Step, error) {
	return store.All(tx, func(r *store.Rows) (s Step, err error) {
		var b, mac []byte
		if err := r.Scan(&s.Seq, &s.Kind, &s.Happened, &s.Person, &s.Account, &s.Name, &b, &mac); err != nil {
			return s, err
		}
		if b, err = tx.Decrypt("case_event", stepRow(id, s.Seq), "content_enc", b); err != nil {
			return s, err
		}
		if err := json.Unmarshal(b, &s.Doing); err != nil {
			return s, fmt.Errorf("step of case %s: %w", id, err)
		}
		return s, tx.CheckMAC(mac, "case_event", stepRow(id, s.Seq), s.parts(b)...)
	}, `SELECT seq, kind, happened, person, account, name, content_enc, mac FROM case_event WHERE case_id = $1 ORDER BY seq`, id)
}

// within returns the end of so many working days after t, zero if the calendar of
// the year is not loaded: the page then says that the term can't be told.
func (c *Cases) within(tx *store.Tx, t time.Time, days int) (time.Time, error) {
	cal, err := calendar.Of(tx)
	if err != nil {
		return time.Time{}, err
	}
	due, err := cal.Within(t, days)
	if errors.Is(err, workday.ErrUnknownYear) {
		return time.Time{}, nil
	}
	return due, err
}

// Do makes a move in a case: its clerk decides, hands over, stops the clock and
// closes it.
//
// Errors: Invalid naming the field; Forbidden; Conflict if the case does not
// stand so, or for a second 补正告知.
func (c *Cases) Do(ctx context.Context, actor *elicense.Actor, id elicense.CaseID, m Move, d Doing) (*Case, error) {
	act := access.CaseMove
	switch m {
	case Finish:
		act = access.CaseClose
	case Take:
		act = access.CaseTake
	case Hand, Correct, Accept, Refuse, Pause, Resume, Decide, Withdraw, Clarify:
	default:
		return nil, elicense.E(elicense.Invalid, "没有这个办理步骤").At("kind")
	}
	if err := d.check(m); err != nil {
		return nil, err
	}
	var k *Case
	build := c.request(actor, act, id)
	if m == Take {
		build = c.takeRequest(actor, id)
	}
	err := c.guard.Write(ctx, build, func(tx *store.Tx, p *access.Permit) (err error) {
		p.Note.Detail = map[string]string{"move": string(m)}
		if k, err = Of(tx, id); err != nil {
			return err
		}
		return c.ApplyMove(tx, actor, k, m, d)
	})
	return k, err
}

func (c *Cases) takeRequest(actor *elicense.Actor, id elicense.CaseID) func(*store.Tx) (access.Request, error) {
	return func(tx *store.Tx) (access.Request, error) {
		req, err := c.request(actor, access.CaseTake, id)(tx)
		if err != nil {
			return req, err
		}
		k, _, err := Find(tx, id)
		if err != nil {
			return req, err
		}
		self := false
		if k != nil {
			if self, err = isParty(tx, actor, k.Parties); err != nil {
				return req, err
			}
		}
		req.Circumstances = access.Attr{"self": self}
		return req, nil
	}
}

// ApplyMove makes a move in the caller's transaction, which has asked the law: for
// rooms whose own act brings a case on.
func (c *Cases) ApplyMove(tx *store.Tx, actor *elicense.Actor, k *Case, m Move, d Doing) error {
	course, err := CourseOf(tx, k.ID)
	if err != nil {
		return err
	}
	switch m {
	case Take:
		if k.Clerk != "" && k.Clerk != actor.Account {
			return elicense.E(elicense.Conflict, "这个办件已有人接办").Then("请刷新待办")
		}
		k.Clerk = actor.Account
		if k.Unit != actor.Unit {
			k.Unit = actor.Unit
		}
	case Hand:
		to, err := org.AccountOf(tx, d.To)
		if err != nil || to.Unit != k.Unit || to.Disabled || !slices.Contains(to.Duties, elicense.DutyWindow) {
			return elicense.E(elicense.Invalid, "只能转给本单位窗口岗位的人员").At("to").Because(err)
		}
		self, err := isParty(tx, &elicense.Actor{Person: to.Person}, k.Parties)
		if err != nil {
			return err
		}
		if self {
			return elicense.E(elicense.Invalid, "他自己是当事人，不能转给他").At("to").Under("第十三条第二款")
		}
		k.Clerk = to.ID
		if err := notice.Send(tx, notice.AccountInbox(to.ID), notice.Notice{Kind: "case-handed", Text: "办件%s转给您办理", Args: []string{k.Number}, Link: "/window/cases/" + string(k.ID)}); err != nil {
			return err
		}
	case Correct:
		if slices.ContainsFunc(course, func(s Step) bool { return s.Kind == Correct }) {
			return elicense.E(elicense.Conflict, "补正只能一次告知，这个办件已经告知过").Under("行政许可法第三十二条").Then("材料已齐就受理；仍不齐的，写明理由不予受理")
		}
		k.Due = time.Time{}
	case Supply:
		if k.Due, err = c.within(tx, tx.Now(), completeDays); err != nil {
			return err
		}
	case Accept:
		if err := c.promise(tx, k, tx.Now()); err != nil {
			return err
		}
	case Deem:
		// The term runs from the day the application came in.
		if err := c.promise(tx, k, received(course)); err != nil {
			return err
		}
	case Resume:
		if err := c.resume(tx, k, course, tx.Now()); err != nil {
			return err
		}
	case Clarify:
		if err := checkFacts(d.Facts); err != nil {
			return err
		}
		k.Facts = d.Facts
	case Decide:
		k.Due = time.Time{}
	}
	if err := k.step(tx, actor, m, d); err != nil {
		return err
	}
	if m == Supply {
		if err := deemLater(tx, k); err != nil {
			return err
		}
	}
	if m == Finish {
		if err := awaitLicense(tx, k); err != nil {
			return err
		}
	}
	return k.tellParties(tx, m)
}

// ResultJob is the kind of the jobs that tell of a closed case a license is due
// for (Art. 7(1)); the payload is its identifier.
const ResultJob = "case-result"

// awaitLicense lets it be known that the case has come to its end, if its matter
// ends with a license.
func awaitLicense(tx *store.Tx, k *Case) error {
	if k.Kind == Enforcement {
		return nil
	}
	m, err := matterAt(tx, k.Matter, k.MatterVersion)
	if err != nil || m.Result == "" {
		return err
	}
	return jobs.Enqueue(tx, jobs.Job{Kind: ResultJob, Key: string(k.ID), Payload: []byte(k.ID)})
}

// Outcome is what came of a closed case: the license it ends with, for whom, and
// whether it was granted.
type Outcome struct {
	*Case
	Type    elicense.TypeCode // empty if none comes of the matter
	Granted bool
	DocNo   string // of the decision
	// Wholly tells that its materials were met by licenses of the platform and
	// forms alone (Art. 4: such cases come first).
	Wholly bool
}

// OutcomeOf returns what came of a case. A case closed without a decision of its
// own was decided on the spot, in favor. Errors: NotFound.
func OutcomeOf(tx *store.Tx, id elicense.CaseID) (*Outcome, error) {
	k, err := Of(tx, id)
	if err != nil {
		return nil, err
	}
	m, err := matterAt(tx, k.Matter, k.MatterVersion)
	if err != nil {
		return nil, err
	}
	o := &Outcome{Case: k, Granted: k.Stage == Closed && k.Kind != Enforcement}
	if o.Granted {
		o.Type = m.Result
	}
	course, err := CourseOf(tx, id)
	if err != nil {
		return nil, err
	}
	for _, s := range course {
		if s.Kind == Decide {
			o.Granted, o.DocNo = o.Granted && s.Granted, s.DocNo
		}
	}
	given, err := GivenOf(tx, id)
	if err != nil {
		return nil, err
	}
	other := 0
	for _, g := range given {
		switch g.Way {
		case ByLicense:
			o.Wholly = true
		case ByForm:
		default:
			other++
		}
	}
	o.Wholly = o.Wholly && other == 0
	return o, nil
}

// promise sets the end of the promised term, counted from the day of acceptance.
func (c *Cases) promise(tx *store.Tx, k *Case, from time.Time) error {
	m, err := matterAt(tx, k.Matter, k.MatterVersion)
	if err != nil {
		return err
	}
	k.Due = time.Time{}
	if m.Days > 0 {
		k.Due, err = c.within(tx, from, m.Days)
	}
	return err
}

// received is when the application came in, or what was missing of it.
func received(course []Step) time.Time {
	var at time.Time
	for _, s := range course {
		if s.Kind == Open || s.Kind == Send || s.Kind == Supply {
			at = s.Happened
		}
	}
	return at
}

// resume gives a case the working days it had left when its clock was stopped.
func (c *Cases) resume(tx *store.Tx, k *Case, course []Step, now time.Time) error {
	if k.Due.IsZero() {
		return nil
	}
	stopped := course[len(course)-1].Happened
	for _, s := range course {
		if s.Kind == Pause {
			stopped = s.Happened
		}
	}
	cal, err := calendar.Of(tx)
	if err != nil {
		return err
	}
	left, err := cal.Between(workday.DateOf(stopped), workday.DateOf(k.Due.Add(-time.Microsecond)))
	if errors.Is(err, workday.ErrUnknownYear) {
		k.Due = time.Time{}
		return nil
	}
	if err != nil {
		return err
	}
	k.Due, err = c.within(tx, now, left)
	return err
}

// The notices to a party, by move.
var partyTexts = map[Move]string{
	Accept: "您的办件%s（%s）已受理", Deem: "您的办件%s（%s）逾期未告知补正，已视为受理", Correct: "您的办件%s（%s）需要补正，请查看补正内容",
	Refuse: "您的办件%s（%s）不予受理，请查看理由和救济途径", Decide: "您的办件%s（%s）已作出决定", Finish: "您的办件%s（%s）已办结",
	Pause: "您的办件%s（%s）暂停计时", Resume: "您的办件%s（%s）恢复计时", Withdraw: "您的办件%s（%s）已撤回",
}

// tellParties tells the parties of each step they can see (行政许可法 32).
func (c *Case) tellParties(tx *store.Tx, m Move) error {
	text := partyTexts[m]
	if text == "" {
		return nil
	}
	told := map[elicense.HolderKey]bool{}
	for _, p := range c.Parties {
		if told[p.Holder] {
			continue
		}
		told[p.Holder] = true
		n := notice.Notice{Kind: "case-" + string(m), Text: text, Args: []string{c.Number, c.MatterName}, Link: "/holder/cases/" + string(c.ID)}
		if err := notice.Send(tx, notice.HolderInbox(p.Holder), n); err != nil {
			return err
		}
	}
	return nil
}

// DeemJob is the kind of the jobs that accept a case nobody said anything about
// in five working days.
const DeemJob = "case-deem"

func deemLater(tx *store.Tx, k *Case) error {
	if k.Due.IsZero() {
		return nil
	}
	return jobs.Enqueue(tx, jobs.Job{Kind: DeemJob, Key: string(k.ID), RunAt: k.Due, Payload: []byte(k.ID)})
}

// Deem accepts a case whose applicant was not told in time that something is
// missing (行政许可法 32(1)(4)). It is the handler of DeemJob.
func (c *Cases) Deem(ctx context.Context, payload []byte) error {
	id := elicense.CaseID(payload)
	return c.db.Update(ctx, func(tx *store.Tx) error {
		k, err := Of(tx, id)
		if err != nil {
			return err
		}
		switch {
		case k.Stage != Received || k.Due.IsZero():
		case tx.Now().Before(k.Due): // it was corrected meanwhile and waits anew
			if err := deemLater(tx, k); err != nil {
				return err
			}
		default:
			who := &elicense.Actor{Kind: elicense.Job, Name: "平台"}
			if err := c.ApplyMove(tx, who, k, Deem, Doing{}); err != nil {
				return err
			}
			tx.Record(store.Record{Act: string(access.CaseMove), Outcome: store.Done, Rule: "deemed", Clause: "行政许可法第三十二条", Case: string(k.ID), Detail: map[string]string{"move": string(Deem)}})
		}
		return jobs.Done(tx, jobs.Current(ctx))
	})
}

func optional(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}

// LetterJob is the kind of the jobs that seal the notice a step leads to
// (行政许可法 32(2)).
const LetterJob = "case-letter"

// noticed are the steps whose notice is sealed without being asked for. The
// receipt of what is handed over at a window is made when the window has it.
var noticed = []Move{Send, Supply, Accept, Deem, Correct, Refuse}

// LetterOf is the job that seals the notice of a step.
func LetterOf(id elicense.CaseID, step int64) jobs.Job {
	name := stepRow(id, step)
	return jobs.Job{Kind: LetterJob, Key: name, Payload: []byte(name)}
}

// LetterStep reads the payload of such a job.
func LetterStep(payload []byte) (id elicense.CaseID, step int64, err error) {
	name, seq, _ := strings.Cut(string(payload), "#")
	step, err = strconv.ParseInt(seq, 10, 64)
	return elicense.CaseID(name), step, err
}
