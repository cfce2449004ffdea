// Package access holds the Guard, which every reading and every change of
// license content passes: who acts, may they (the law text), what they may see of
// it, and the record of it. Art. 13(2), 17, 18.
//
// No record, no act. The record of a change is written in the change's own
// transaction; the record of a reading or a refusal is durable before its answer
// leaves. A refusal shows the reason of the rule that refused, and rules are
// asked before anything looks whether the license exists.
package access

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"elicense"
	"elicense/store"
)

// Guard decides and records. It is safe for concurrent use.
type Guard struct {
	// Alarm is called, in a transaction of its own, when an account has been
	// refused AlarmAt times on a day; nil tells nobody.
	Alarm func(tx *store.Tx, account elicense.AccountID, unit elicense.UnitCode, day elicense.Date, refusals int) error

	db  *store.DB
	law *Law

	local atomic.Pointer[local] // the newest local rules that were made ready

	decisions, deciding atomic.Int64 // how many, and the ns they took

	mu       sync.Mutex
	refusals map[string]uint64 // by rule, since the start
}

// decide asks the law text, and of what it permits the local rules, which can only
// refuse.
func (g *Guard) decide(rules *local, actor *elicense.Actor, act Act, on Thing, circumstances Attr) verdict {
	began := time.Now()
	defer func() {
		g.decisions.Add(1)
		g.deciding.Add(int64(time.Since(began)))
	}()
	v := g.law.decide(actor, act, on, circumstances)
	if v.permitted {
		if no, refused := rules.refuses(g.law, actor, act, on, circumstances); refused {
			return no
		}
	}
	return v
}

// Decided returns how many decisions the law was asked for since the start, and
// how long they took.
func (g *Guard) Decided() (n int64, took time.Duration) {
	return g.decisions.Load(), time.Duration(g.deciding.Load())
}

// NewGuard returns a guard that decides by law and keeps its records in db.
func NewGuard(db *store.DB, law *Law) *Guard {
	return &Guard{db: db, law: law, refusals: map[string]uint64{}}
}

// Rests is a row a decision rests on: a query for one number and the number it
// gave when the decision was made. A writer asks again, and the decision is made
// anew if it has changed.
type Rests struct {
	Query string
	Args  []any
	Want  int64
}

// Request is what the law is asked.
type Request struct {
	Actor         *elicense.Actor
	Act           Act
	On            Thing
	Circumstances Attr
	Rests         []Rests
	Note          Note
}

// Note is what the record says beside the decision. It holds no contents of
// licenses and no names or codes of holders.
type Note struct {
	Case        elicense.CaseID
	License     elicense.LicenseID
	LicenseType elicense.TypeCode
	Holder      elicense.HolderKey
	Basis       string // 法定职责, 持证人授权, 亮证
	Purpose     string
	Fields      []string // keys of the fields shown, never their values
	Detail      map[string]string
}

// Permit is a decision in favor, and the note of the record that will be made
// of it; what is learned while acting is added to the note.
type Permit struct {
	Rule Rule
	Note Note
}

// Answer is what a permitted reading returns beside its result: the receipt of
// its record.
type Answer struct {
	Record elicense.RecordID
	Shard  int
	Index  uint64
}

// Read decides on a reading, does it, and returns when the record of it is
// durable. build and do run in one snapshot of the database. An error of do that
// is a refusal or a miss is recorded too. Both may be run twice, if what they
// read is changed under them.
func (g *Guard) Read(ctx context.Context, build func(*store.Tx) (Request, error), do func(*store.Tx, *Permit) error) (Answer, error) {
	var (
		req    Request
		permit *Permit
		failed error
	)
	arrived := g.db.Announce()
	defer arrived()
	err := g.db.ViewAgain(ctx, func(tx *store.Tx) error {
		permit, failed = nil, nil
		var err error
		if req, err = build(tx); err != nil {
			return err
		}
		rules, err := g.inForce(tx)
		if err != nil {
			return err
		}
		v := g.decide(rules, req.Actor, req.Act, req.On, req.Circumstances)
		if !v.permitted {
			failed = refusal(v.rule)
			return nil
		}
		permit = &Permit{Rule: *v.rule, Note: req.Note}
		failed = do(tx, permit)
		return nil
	})
	if err != nil {
		return Answer{}, err
	}
	rec := newRecord(&req, permit, failed)
	if failed != nil && elicense.KindOf(failed) == elicense.Internal {
		return Answer{}, failed
	}
	arrived()
	receipts, err := g.db.Record(ctx, rec)
	if err != nil {
		return Answer{}, fmt.Errorf("record of %s: %w", req.Act, err)
	}
	if err := g.count(ctx, rec, failed); err != nil {
		return Answer{}, err
	}
	a := Answer{Record: elicense.RecordID(receipts[0].ID), Shard: receipts[0].Shard, Index: receipts[0].Index}
	return a, withRecord(failed, a.Record)
}

// Get is Read for a reading with a result, which is given only with its record:
// beside an error the result is empty.
func Get[T any](ctx context.Context, g *Guard, build func(*store.Tx) (Request, error), do func(*store.Tx, *Permit) (T, error)) (T, Answer, error) {
	var got, none T
	answer, err := g.Read(ctx, build, func(tx *store.Tx, p *Permit) (err error) {
		got, err = do(tx, p)
		return err
	})
	if err != nil {
		return none, Answer{}, err
	}
	return got, answer, nil
}

// maxDecisions is how often a change whose grounds move under it is decided
// anew before the caller is told to try again.
const maxDecisions = 4

// Write decides on a change and makes it, with its record, in one transaction.
// build runs outside the writer; the rows the decision rests on are asked again
// inside it. do may run more than once and must do nothing but change the
// database.
func (g *Guard) Write(ctx context.Context, build func(*store.Tx) (Request, error), do func(*store.Tx, *Permit) error) error {
	for range maxDecisions {
		err := g.writeOnce(ctx, build, do)
		if !errors.Is(err, errGroundsMoved) {
			return err
		}
	}
	return elicense.E(elicense.Conflict, "没有办成：办理期间内容一直在变动").Then("请刷新页面，核对后再办")
}

var errGroundsMoved = errors.New("the decision's grounds have changed")

func (g *Guard) writeOnce(ctx context.Context, build func(*store.Tx) (Request, error), do func(*store.Tx, *Permit) error) error {
	var req Request
	var rules *local
	err := g.db.View(ctx, func(tx *store.Tx) (err error) {
		if req, err = build(tx); err == nil {
			rules, err = g.inForce(tx)
		}
		return err
	})
	if err != nil {
		return err
	}
	v := g.decide(rules, req.Actor, req.Act, req.On, req.Circumstances)
	if !v.permitted {
		return g.refuse(ctx, &req, refusal(v.rule))
	}
	req.Rests = append(req.Rests, stands(req.Actor, rules))
	err = g.db.Update(ctx, func(tx *store.Tx) error {
		for _, r := range req.Rests {
			var now int64
			if err := tx.Row(r.Query+tx.ForUpdate(), r.Args...).Scan(&now); err != nil {
				return fmt.Errorf("grounds of %s: %w", req.Act, err)
			}
			if now != r.Want {
				return errGroundsMoved
			}
		}
		permit := &Permit{Rule: *v.rule, Note: req.Note}
		if err := once(ctx, tx, func() error { return do(tx, permit) }); err != nil {
			return err
		}
		tx.Record(newRecord(&req, permit, nil))
		return nil
	})
	if err == nil {
		took(ctx)
	}
	if k := elicense.KindOf(err); err != nil && (k == elicense.Forbidden || k == elicense.NotInForce) {
		return g.refuse(ctx, &req, err)
	}
	return err
}

// stands are the grounds of every decision: the account with its duties, and the
// local rules. Both stamps only rise, so their sum is the same only if both are.
func stands(a *elicense.Actor, rules *local) Rests {
	r := Rests{Query: "SELECT (SELECT COALESCE(MAX(stamp), 0) FROM local_rule)"}
	if rules != nil {
		r.Want = rules.stamp
	}
	if a.Account != "" {
		r.Query = "SELECT stamp + (SELECT COALESCE(MAX(stamp), 0) FROM local_rule) FROM account WHERE id = $1"
		r.Args, r.Want = []any{string(a.Account)}, r.Want+a.Stamp
	}
	return r
}

// Ask decides without acting, for lists that show what may be opened: nil if the
// law permits, else the refusal. It is called inside the reading that is
// recorded, and records nothing itself.
func (g *Guard) Ask(actor *elicense.Actor, act Act, on Thing, circumstances Attr) error {
	if v := g.decide(g.local.Load(), actor, act, on, circumstances); !v.permitted {
		return refusal(v.rule)
	}
	return nil
}

func (g *Guard) refuse(ctx context.Context, req *Request, cause error) error {
	rec := newRecord(req, nil, cause)
	receipts, err := g.db.Record(ctx, rec)
	if err != nil {
		return fmt.Errorf("record of a refusal: %w", err)
	}
	if err := g.count(ctx, rec, cause); err != nil {
		return err
	}
	return withRecord(cause, elicense.RecordID(receipts[0].ID))
}

// Refusals returns how many requests each rule has refused since the start.
func (g *Guard) Refusals() map[string]uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	m := make(map[string]uint64, len(g.refusals))
	for k, v := range g.refusals {
		m[k] = v
	}
	return m
}

// AlarmAt is how many refusals of an account on a day are told to the auditors.
const AlarmAt = 20

// count counts a refusal by rule, and by account and day. The count is beside the
// record, which it can be made from again.
func (g *Guard) count(ctx context.Context, rec store.Record, failed error) error {
	if failed == nil {
		return nil
	}
	g.mu.Lock()
	g.refusals[rec.Rule]++
	g.mu.Unlock()
	k := elicense.KindOf(failed)
	if rec.Actor == "" || k != elicense.Forbidden && k != elicense.NotInForce {
		return nil
	}
	return g.db.Update(ctx, func(tx *store.Tx) error {
		day := elicense.DateOf(tx.Now())
		_, err := tx.Exec(`INSERT INTO refusal_count (day, account, rule, unit, n) VALUES ($1, $2, $3, $4, 1)
			ON CONFLICT (day, account, rule) DO UPDATE SET n = refusal_count.n + 1`, day, rec.Actor, rec.Rule, rec.Unit)
		if err != nil || g.Alarm == nil {
			return err
		}
		var n int
		if err := tx.Row(`SELECT CAST(SUM(n) AS BIGINT) FROM refusal_count WHERE day = $1 AND account = $2`, day, rec.Actor).Scan(&n); err != nil {
			return err
		}
		if n != AlarmAt {
			return nil
		}
		return g.Alarm(tx, elicense.AccountID(rec.Actor), elicense.UnitCode(rec.Unit), day, n)
	})
}

// refused carries the rule beside the error, for the record.
type refused struct {
	err  *elicense.Error
	rule string
}

func (r *refused) Error() string { return r.err.Error() }
func (r *refused) Unwrap() error { return r.err }

func refusal(r *Rule) error {
	return &refused{elicense.E(elicense.Forbidden, "%s", r.Reason).Under(r.Article).Then(r.Next), r.ID}
}

// withRecord puts the record's number into a copy of the refusal.
func withRecord(err error, id elicense.RecordID) error {
	var e *elicense.Error
	if !errors.As(err, &e) {
		return err
	}
	c := *e
	c.Record = string(id)
	return &c
}

// maxFields bounds the field keys of a record.
const maxFields = 100

// kept returns the note without what has not the form of an identifier or of a
// field's key: it was typed, and what people type may be a name or a number of
// someone.
func (n Note) kept() Note {
	if !elicense.ValidID(n.Case) {
		n.Case = ""
	}
	if !elicense.ValidID(n.License) {
		n.License = ""
	}
	var fields []string
	for _, f := range n.Fields {
		if fieldKey.MatchString(f) && len(fields) < maxFields {
			fields = append(fields, f)
		}
	}
	n.Fields = fields
	return n
}

var fieldKey = regexp.MustCompile(`^[a-z][a-z0-9_]{0,39}$`)

func newRecord(req *Request, permit *Permit, failed error) store.Record {
	n, rule := req.Note, Rule{}
	outcome := "done"
	if permit != nil {
		n, rule = permit.Note, permit.Rule
	}
	n = n.kept()
	detail := n.Detail
	if failed != nil {
		outcome = "refused"
		detail = map[string]string{"kind": elicense.KindOf(failed).String()}
		for k, v := range n.Detail {
			detail[k] = v
		}
		var r *refused
		var e *elicense.Error
		switch {
		case errors.As(failed, &r):
			rule = Rule{ID: r.rule, Article: r.err.Clause}
		case errors.As(failed, &e):
			rule = Rule{ID: "domain", Article: e.Clause}
		}
	}
	name := req.Actor.Name
	if req.Actor.Kind == elicense.Holder {
		name = "" // it is a holder's name, in a log that is never cleared
	}
	return store.Record{
		Request: req.Actor.Request, Actor: string(req.Actor.Account), ActorName: name, Unit: string(req.Actor.Unit),
		Act: string(req.Act), Outcome: outcome, Rule: rule.ID, Clause: rule.Article,
		Case: string(n.Case), License: string(n.License), LicenseType: string(n.LicenseType), Holder: string(n.Holder),
		Basis: n.Basis, Purpose: n.Purpose, Fields: n.Fields, Detail: detail,
	}
}
