// Package lifecycle makes the events of Art. 10 happen to published licenses:
// 吊销, 注销, 废止, 挂起, 质押 and what lifts them. One person of the issuing unit
// proposes a change with the number of its decision, another reviews it; in the
// transaction of the review the license is changed, and open cases, the holder
// and the public check see it at once. 变更 and 延续, which make a new version, go
// through issuance.
//
// A license that turns out to hold a state or work secret is withdrawn (撤下) by two
// persons in the same way. That is none of the acts of Art. 10: Art. 2 leaves secrets
// out of the Measures, so from then on nothing of the license is shown to anybody, and
// it is not said whether it is in force. Nothing lifts it; see withdraw.go.
package lifecycle

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"elicense"
	"elicense/access"
	"elicense/cases"
	"elicense/notice"
	"elicense/org"
	"elicense/store"
)

// State is where a proposed change stands.
type State string

// The states of a change.
const (
	Proposed State = "proposed" // 待复核
	Done     State = "done"     // 已生效
	Refused  State = "refused"  // 复核未通过
)

var stateWords = map[State]string{Proposed: "待复核", Done: "已生效", Refused: "复核未通过"}

// Chinese returns the word shown to people.
func (s State) Chinese() string { return stateWords[s] }

// Change is a change of a license's state, awaiting or past its second person.
type Change struct {
	ID        string
	Unit      elicense.UnitCode
	License   elicense.LicenseID
	Owner     elicense.HolderKey
	Kind      elicense.EventKind
	State     State
	Effective time.Time // when it takes effect in law; may lie before now
	DocNo     string    // number of the decision
	Reason    string
	Remark    string // of the reviewer who refused
	Proposer  elicense.PersonID
	Reviewer  elicense.PersonID
	Proposed  time.Time
	Decided   time.Time
	seq       int64
}

type content struct {
	DocNo  string `json:"docNo"`
	Reason string `json:"reason"`
	Remark string `json:"remark"`
}

// Lifecycle changes licenses in the store.
type Lifecycle struct {
	db    *store.DB
	guard *access.Guard
	heard Answering
}

// Answering names the system of the nation that says how a reference stands, empty if
// none does now: it is not heard of, paused, or returns no such licenses.
type Answering func(*store.Tx, *elicense.License) (source string, err error)

// New returns the lifecycle of the licenses kept in db; heard tells which references
// have a source that answers.
func New(db *store.DB, guard *access.Guard, heard Answering) *Lifecycle {
	return &Lifecycle{db, guard, heard}
}

// Kinds lists the changes that are proposed here, in the order of the form.
func Kinds() []elicense.EventKind {
	return []elicense.EventKind{
		elicense.EventSuspend, elicense.EventResume, elicense.EventPledge, elicense.EventRelease, elicense.EventSealUp, elicense.EventUnseal,
		elicense.EventRevoke, elicense.EventCancel, elicense.EventAbolish, elicense.EventRestore,
	}
}

const maxReason = 500

// Propose enters a change.
//
// Errors: Invalid naming the field; Forbidden, also for a license that does not
// exist; Conflict if the state table refuses it, a change is waiting, or the license is
// a reference whose source answers: its word stands.
func (l *Lifecycle) Propose(ctx context.Context, actor *elicense.Actor, c Change) (*Change, error) {
	c.DocNo, c.Reason = strings.TrimSpace(c.DocNo), strings.TrimSpace(c.Reason)
	switch {
	case !slices.Contains(Kinds(), c.Kind):
		return nil, elicense.E(elicense.Invalid, "要选择要办的状态变更").At("kind").Under("第十条")
	case c.DocNo == "" || utf8.RuneCountInString(c.DocNo) > 100:
		return nil, elicense.E(elicense.Invalid, "要填写决定文书的文号，如鼓市监罚〔2026〕77号").At("docNo").Under("第十条")
	case c.Reason == "" || utf8.RuneCountInString(c.Reason) > maxReason:
		return nil, elicense.E(elicense.Invalid, "要写明原因，%d字以内", maxReason).At("reason").Under("第十条")
	}
	return l.propose(ctx, actor, access.ChangePropose, c, `kind <> ''`)
}

// propose enters a change unless one is waiting that meets the condition.
func (l *Lifecycle) propose(ctx context.Context, actor *elicense.Actor, act access.Act, c Change, unless string) (*Change, error) {
	build := func(tx *store.Tx) (access.Request, error) {
		return l.request(tx, actor, act, c.License, "")
	}
	err := l.guard.Write(ctx, build, func(tx *store.Tx, p *access.Permit) error {
		lic, err := tx.License(c.License)
		if err != nil {
			return err
		}
		if _, err := lic.Standing.After(c.Kind); err != nil {
			return err
		}
		if c.Kind == elicense.EventWithdraw && lic.Reference {
			return elicense.E(elicense.Conflict, "这个证照由国家系统回传，不能在这里撤下").Under("第二条").Then("请来源单位停止回传，并告诉电子政务管理部门")
		}
		if lic.Reference {
			source, err := l.heard(tx, lic)
			if err != nil {
				return err
			}
			if source != "" {
				return elicense.E(elicense.Conflict, "这个证照的状态以来源系统“%s”回传的为准，不能在这里变更", source).Under("第七条第一款").Then("请在来源系统办理，回传后这里会一起变")
			}
		}
		var waiting int
		err = tx.Row(`SELECT COUNT(*) FROM change_request WHERE license = $1 AND state = $2 AND `+unless, lic.ID, Proposed).Scan(&waiting)
		if err != nil {
			return err
		}
		if waiting > 0 {
			return elicense.E(elicense.Conflict, "这个证照已有一项变更在等复核").Under("第十条").Then("请先办完那一项")
		}
		c.ID, c.Unit, c.Owner, c.State = elicense.NewID[string](tx.Now()), lic.Issuer, lic.Owner, Proposed
		c.Proposer, c.Proposed, c.seq = actor.Person, tx.Now(), 1
		if c.Effective.IsZero() {
			c.Effective = tx.Now()
		}
		c.Effective = c.Effective.UTC().Truncate(time.Microsecond)
		p.Note.Detail = map[string]string{"change": c.ID, "kind": string(c.Kind)}
		return insert(tx, &c)
	})
	if err != nil {
		return nil, err
	}
	return &c, nil
}

// request asks the law about a license of the actor's unit. One that does not
// exist is described as nobody's.
func (l *Lifecycle) request(tx *store.Tx, actor *elicense.Actor, act access.Act, id elicense.LicenseID, proposer elicense.PersonID) (access.Request, error) {
	lic, err := tx.LicenseOrNone(id)
	if err != nil {
		return access.Request{}, err
	}
	return access.Request{
		Actor: actor, Act: act,
		On: access.Thing{Kind: "License", ID: string(id), Attr: access.Attr{
			"unit": string(lic.Issuer), "issuer": string(lic.Issuer), "proposer": string(proposer),
		}},
		Note: access.Note{License: id, LicenseType: lic.Type, Holder: lic.Owner},
	}, nil
}

// Decide is the second person's act: approve makes the event happen at once,
// else the change is refused with a remark.
//
// Errors: Forbidden, also for one's own proposal; Conflict if it is decided
// already or the state table now refuses it.
func (l *Lifecycle) Decide(ctx context.Context, actor *elicense.Actor, id string, approve bool, remark string) error {
	remark = strings.TrimSpace(remark)
	if !approve && remark == "" {
		return elicense.E(elicense.Invalid, "不通过要写明原因").At("remark")
	}
	build := func(tx *store.Tx) (access.Request, error) {
		c, err := of(tx, id)
		if elicense.IsKind(err, elicense.NotFound) {
			c = &Change{}
		} else if err != nil {
			return access.Request{}, err
		}
		act := access.ChangeReview
		if c.Kind == elicense.EventWithdraw {
			act = access.WithdrawReview
		}
		req, err := l.request(tx, actor, act, c.License, c.Proposer)
		req.Note.Detail = map[string]string{"change": id, "kind": string(c.Kind), "approve": strconv.FormatBool(approve)}
		return req, err
	}
	return l.guard.Write(ctx, build, func(tx *store.Tx, p *access.Permit) error {
		c, err := of(tx, id)
		if err != nil {
			return err
		}
		if c.State != Proposed {
			return elicense.E(elicense.Conflict, "这项变更%s", c.State.Chinese()).Under("第十条")
		}
		c.State, c.Reviewer, c.Decided, c.Remark = Refused, actor.Person, tx.Now(), remark
		if approve {
			c.State = Done
			ev, err := happen(tx, c)
			if err != nil {
				return err
			}
			p.Note.Detail["event"] = string(ev.ID)
		}
		return update(tx, c)
	})
}

// happen applies the event and tells the holders and the clerks of their open
// cases.
func happen(tx *store.Tx, c *Change) (*elicense.Event, error) {
	if c.Kind == elicense.EventWithdraw {
		if err := beforeWithdrawing(tx, c); err != nil {
			return nil, err
		}
	}
	ev := &elicense.Event{
		License: c.License, Kind: c.Kind, Effective: c.Effective, DocNo: c.DocNo, Reason: c.Reason, Unit: c.Unit,
		Actor: c.Proposer, Reviewer: c.Reviewer,
	}
	lic, err := tx.Apply(ev)
	if err != nil {
		return nil, err
	}
	return ev, tell(tx, lic, c)
}

// tell sends the notices of a change.
func tell(tx *store.Tx, lic *elicense.License, c *Change) error {
	unit, err := org.UnitOf(tx, c.Unit)
	if err != nil {
		return err
	}
	for _, h := range lic.Holders {
		if c.Kind == elicense.EventWithdraw {
			if err := tellWithdrawn(tx, h, unit.Name, lic.Type); err != nil {
				return err
			}
			continue
		}
		err := notice.Send(tx, notice.HolderInbox(h), notice.Notice{
			Kind: "changed", Text: "您的%s已由%s办理%s，文号%s", Args: []string{lic.TypeName, unit.Name, c.Kind.Chinese(), c.DocNo},
			Link: "/holder/licenses/" + string(lic.ID),
		})
		if err != nil {
			return err
		}
		open, err := cases.OpenOf(tx, h)
		if err != nil {
			return err
		}
		for _, k := range open {
			err := tellClerk(tx, k, lic.Type, "办件%s的当事人的%s已办理%s", k.Number, lic.TypeName, c.Kind.Chinese())
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// tellClerk tells the clerk of an open case, if the matter asks for the type.
func tellClerk(tx *store.Tx, k *cases.Case, t elicense.TypeCode, text string, args ...string) error {
	m, err := cases.MatterOf(tx, k.Matter)
	if err != nil || !slices.Contains(m.Types(), t) {
		return err
	}
	return notice.Send(tx, notice.AccountInbox(k.Clerk), notice.Notice{Kind: "changed", Text: text, Args: args, Link: "/window/cases/" + string(k.ID)})
}

// Entry is a change in a list, with its license.
type Entry struct {
	*Change
	TypeName   string // empty if the license was withdrawn
	Identifier elicense.Identifier
	ProposedBy string
}

// Queue lists the changes of the actor's unit in a state, the oldest first.
func (l *Lifecycle) Queue(ctx context.Context, actor *elicense.Actor, state State, limit int) (list []Entry, err error) {
	build := func(*store.Tx) (access.Request, error) {
		return access.Request{
			Actor: actor, Act: access.LicenseIssued,
			On: access.Thing{Kind: "License", ID: "changes", Attr: access.Attr{"issuer": string(actor.Unit)}},
		}, nil
	}
	list, _, err = access.Get(ctx, l.guard, build, func(tx *store.Tx, _ *access.Permit) (list []Entry, err error) {
		cs, err := changes(tx, `WHERE unit = $1 AND state = $2 ORDER BY proposed LIMIT $3`, actor.Unit, state, limit)
		if err != nil {
			return nil, err
		}
		for _, c := range cs {
			e, err := entry(tx, c)
			if err != nil {
				return nil, err
			}
			list = append(list, *e)
		}
		return list, nil
	})
	return list, err
}

func entry(tx *store.Tx, c *Change) (*Entry, error) {
	lic, err := tx.LicenseOrNone(c.License)
	if err != nil {
		return nil, err
	}
	e := &Entry{Change: c, TypeName: lic.TypeName, Identifier: lic.Identifier}
	if c.Proposer != "" {
		e.ProposedBy, err = org.PersonName(tx, c.Proposer)
	}
	return e, err
}

func insert(tx *store.Tx, c *Change) error {
	b, err := c.sealed(tx)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`INSERT INTO change_request (id, unit, owner, license, kind, state, effective, content_enc, proposer, reviewer, proposed, decided, seq, mac)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
		c.ID, c.Unit, c.Owner, c.License, c.Kind, c.State, c.Effective, b, c.Proposer, c.Reviewer, c.Proposed, c.Decided, c.seq,
		tx.MAC("change_request", c.ID, c.parts()...))
	return err
}

func update(tx *store.Tx, c *Change) error {
	c.seq++
	b, err := c.sealed(tx)
	if err != nil {
		return err
	}
	n, err := tx.Exec(`UPDATE change_request SET state = $1, content_enc = $2, reviewer = $3, decided = $4, seq = $5, mac = $6 WHERE id = $7 AND seq = $8`,
		c.State, b, c.Reviewer, c.Decided, c.seq, tx.MAC("change_request", c.ID, c.parts()...), c.ID, c.seq-1)
	if err == nil && n == 0 {
		return elicense.E(elicense.Conflict, "这项变更刚刚有人办过").Then("请刷新后核对")
	}
	return err
}

func (c *Change) sealed(tx *store.Tx) ([]byte, error) {
	b, err := json.Marshal(content{c.DocNo, c.Reason, c.Remark})
	if err != nil {
		return nil, fmt.Errorf("change %s: %w", c.ID, err)
	}
	return tx.Encrypt("change_request", c.ID, "content_enc", b), nil
}

func (c *Change) parts() [][]byte {
	return [][]byte{
		[]byte(c.Unit), []byte(c.Owner), []byte(c.License), []byte(c.Kind), []byte(c.State), []byte(c.Proposer), []byte(c.Reviewer),
		[]byte(strconv.FormatInt(c.Effective.UnixMicro(), 10)), []byte(strconv.FormatInt(c.seq, 10)),
	}
}

func of(tx *store.Tx, id string) (*Change, error) {
	list, err := changes(tx, `WHERE id = $1`, id)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, store.ErrNoRow
	}
	return list[0], nil
}

func changes(tx *store.Tx, where string, args ...any) ([]*Change, error) {
	rows, err := tx.Query(`SELECT id, unit, owner, license, kind, state, effective, content_enc, proposer, reviewer, proposed, decided, seq, mac
		FROM change_request `+where, args...)
	if err != nil {
		return nil, err
	}
	var list []*Change
	for rows.Next() {
		var c Change
		var b, mac []byte
		err := rows.Scan(&c.ID, &c.Unit, &c.Owner, &c.License, &c.Kind, &c.State, &c.Effective, &b, &c.Proposer, &c.Reviewer,
			&c.Proposed, &c.Decided, &c.seq, &mac)
		if err != nil {
			return nil, err
		}
		if err := tx.CheckMAC(mac, "change_request", c.ID, c.parts()...); err != nil {
			return nil, err
		}
		if b, err = tx.Decrypt("change_request", c.ID, "content_enc", b); err != nil {
			return nil, err
		}
		var k content
		if err := json.Unmarshal(b, &k); err != nil {
			return nil, fmt.Errorf("change %s: %w", c.ID, err)
		}
		c.DocNo, c.Reason, c.Remark = k.DocNo, k.Reason, k.Remark
		list = append(list, &c)
	}
	return list, nil
}

// EachChange reads every change; f gets the error of one that is not as it was
// left.
func EachChange(tx *store.Tx, f func(id string, err error) error) error {
	return store.EachID(tx, "change_request", func(id string) error {
		_, err := of(tx, id)
		return f(id, err)
	})
}
