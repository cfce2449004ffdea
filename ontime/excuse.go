package ontime

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"elicense"
	"elicense/access"
	"elicense/issuance"
	"elicense/store"
)

// ExcuseGround is why a late license is excused.
type ExcuseGround string

// The closed set of grounds.
const (
	Outage       ExcuseGround = "outage"        // 系统故障, with the number of its proof
	ForceMajeure ExcuseGround = "force-majeure" // 不可抗力
	OtherExcuse  ExcuseGround = "other"         // by a document
)

var excuseWords = map[ExcuseGround]string{Outage: "系统故障", ForceMajeure: "不可抗力", OtherExcuse: "其他（凭文件）"}

// Chinese returns the words shown to people.
func (g ExcuseGround) Chinese() string { return excuseWords[g] }

// ExcuseGrounds lists the set in the order it is offered.
func ExcuseGrounds() []ExcuseGround { return []ExcuseGround{Outage, ForceMajeure, OtherExcuse} }

// SubjectKind is what is late.
type SubjectKind string

// The kinds of what can be late and excused.
const (
	OfDraft  SubjectKind = "draft"  // a license that was drafted, published or not
	OfResult SubjectKind = "result" // one nobody made
	OfLot    SubjectKind = "lot"    // all rows of a lot
)

// Excuse is what supervision noted of something late (记录豁免). What is late stays
// late on record; the figures are told with it and without.
type Excuse struct {
	ID         string
	Kind       SubjectKind
	Subject    string
	Unit       elicense.UnitCode // that was late
	Ground     ExcuseGround
	Doc        string // number of the proof of the outage, or of the document
	Reason     string
	ByUnit     elicense.UnitCode
	Account    elicense.AccountID
	Person     elicense.PersonID
	Name       string
	At         time.Time
	Lifted     time.Time // zero while it stands
	Lifter     string
	LiftReason string
}

func (e *Excuse) parts() [][]byte {
	return [][]byte{
		[]byte(e.Kind), []byte(e.Subject), []byte(e.Unit), []byte(e.Ground), []byte(e.Doc), []byte(e.Reason), []byte(e.ByUnit), []byte(e.Account),
		[]byte(e.Person), []byte(e.Name), micros(e.At), micros(e.Lifted), []byte(e.Lifter), []byte(e.LiftReason),
	}
}

func excuses(tx *store.Tx, where string, args ...any) ([]*Excuse, error) {
	return store.All(tx, func(r *store.Rows) (*Excuse, error) {
		var e Excuse
		var mac []byte
		err := r.Scan(&e.ID, &e.Kind, &e.Subject, &e.Unit, &e.Ground, &e.Doc, &e.Reason, &e.ByUnit, &e.Account, &e.Person, &e.Name, &e.At, &e.Lifted,
			&e.Lifter, &e.LiftReason, &mac)
		if err != nil {
			return nil, err
		}
		return &e, tx.CheckMAC(mac, "excuse", e.ID, e.parts()...)
	}, `SELECT id, kind, subject, unit, ground, doc, reason, by_unit, account, person, name, at, lifted, lifter, lift_reason, mac FROM excuse `+where, args...)
}

// subject is something that may be excused.
type subject struct {
	kind SubjectKind
	id   string
	unit elicense.UnitCode
	late bool
}

// find reads the subject of an excuse; one that is not there has no unit.
func find(tx *store.Tx, kind SubjectKind, id string) (s subject, err error) {
	s.kind, s.id = kind, id
	switch kind {
	case OfDraft:
		d, err := issuance.Of(tx, elicense.DraftID(id))
		if elicense.IsKind(err, elicense.NotFound) {
			return s, nil
		}
		if err != nil {
			return s, err
		}
		s.unit, s.late = d.Unit, draftLate(d, tx.Now())
	case OfResult:
		r, err := resultOf(tx, id)
		if elicense.IsKind(err, elicense.NotFound) {
			return s, nil
		}
		if err != nil {
			return s, err
		}
		s.unit, s.late = r.Unit, r.Late(tx.Now())
	case OfLot:
		var due time.Time
		err := tx.Row(`SELECT unit, due FROM lot WHERE id = $1 AND state <> $2`, id, issuance.LotVoid).Scan(&s.unit, &due)
		if elicense.IsKind(err, elicense.NotFound) {
			return s, nil
		}
		if err != nil {
			return s, err
		}
		var n int
		err = tx.Row(`SELECT COUNT(*) FROM draft WHERE lot = $1 AND state <> 'void' AND COALESCE(published, $2) > due`, id, tx.Now()).Scan(&n)
		if err != nil {
			return s, err
		}
		s.late = n > 0
	}
	return s, nil
}

// draftLate tells whether a draft was published late, or is past its term by now.
func draftLate(d *issuance.Draft, now time.Time) bool {
	switch {
	case d.State == issuance.Void || d.Origin == issuance.Stock:
		return false
	case d.Origin == issuance.Late:
		return true
	case d.Due.IsZero():
		return false
	case d.Published.IsZero():
		return now.After(d.Due)
	}
	return d.Published.After(d.Due)
}

// Excusing is what is said when something late is excused.
type Excusing struct {
	Kind    SubjectKind
	Subject string
	Ground  ExcuseGround
	Doc     string
	Reason  string
}

const maxDoc = 100 // characters

// Excuse notes why something late is excused; the act of supervision, never of the
// unit that was late.
//
// Errors: Invalid naming the field; Forbidden; NotFound; Conflict if it is not late,
// or is excused.
func (l *Ledger) Excuse(ctx context.Context, actor *elicense.Actor, x Excusing) (*Excuse, error) {
	x.Doc, x.Reason = strings.TrimSpace(x.Doc), strings.TrimSpace(x.Reason)
	within := func(s string, most int) bool { return s != "" && utf8.RuneCountInString(s) <= most }
	switch {
	case x.Kind != OfDraft && x.Kind != OfResult && x.Kind != OfLot:
		return nil, elicense.E(elicense.Invalid, "要说明豁免的是证照、办结还是批次").At("kind")
	case !slices.Contains(ExcuseGrounds(), x.Ground):
		return nil, elicense.E(elicense.Invalid, "要选择豁免的理由").At("ground").Under("第十九条")
	case !within(x.Doc, maxDoc) && x.Ground == Outage:
		return nil, elicense.E(elicense.Invalid, "系统故障要写证明的编号：故障记录、工单或公告，最多%d个字", maxDoc).At("doc").Under("第七条")
	case !within(x.Doc, maxDoc):
		return nil, elicense.E(elicense.Invalid, "要写文件的文号，最多%d个字", maxDoc).At("doc").Under("第七条")
	case !within(x.Reason, maxRemark):
		return nil, elicense.E(elicense.Invalid, "要写明情况，最多%d个字", maxRemark).At("reason")
	}
	var made *Excuse
	build := func(tx *store.Tx) (access.Request, error) {
		s, err := find(tx, x.Kind, x.Subject)
		if err != nil {
			return access.Request{}, err
		}
		return request(actor, access.OnTimeExcuse, s.unit, map[string]string{"act": "excuse", "kind": string(x.Kind), "ground": string(x.Ground)})(tx)
	}
	err := l.Guard.Write(ctx, build, func(tx *store.Tx, p *access.Permit) error {
		s, err := find(tx, x.Kind, x.Subject)
		switch {
		case err != nil:
			return err
		case s.unit == "":
			return elicense.E(elicense.NotFound, "没有这份证照、办结或批次").At("subject")
		case !s.late:
			return elicense.E(elicense.Conflict, "没有迟，不用豁免")
		}
		e := &Excuse{
			ID: elicense.NewID[string](tx.Now()), Kind: x.Kind, Subject: x.Subject, Unit: s.unit, Ground: x.Ground, Doc: x.Doc, Reason: x.Reason,
			ByUnit: actor.Unit, Account: actor.Account, Person: actor.Person, Name: actor.Name, At: tx.Now(),
		}
		p.Note.Detail["excuse"], p.Note.Detail["subject"] = e.ID, e.Subject
		_, err = tx.Exec(`INSERT INTO excuse (id, kind, subject, unit, ground, doc, reason, by_unit, account, person, name, at, lifted, lifter, lift_reason, mac)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, NULL, '', '', $13)`,
			e.ID, e.Kind, e.Subject, e.Unit, e.Ground, e.Doc, e.Reason, e.ByUnit, e.Account, e.Person, e.Name, e.At, tx.MAC("excuse", e.ID, e.parts()...))
		if elicense.IsKind(err, elicense.Conflict) {
			return elicense.E(elicense.Conflict, "已经记录过豁免").Because(err)
		}
		made = e
		return err
	})
	return made, err
}

// Lift ends an excuse that was wrong; it stays to be seen.
//
// Errors: Invalid without a reason; Forbidden; NotFound; Conflict if it has ended.
func (l *Ledger) Lift(ctx context.Context, actor *elicense.Actor, id, reason string) error {
	if reason = strings.TrimSpace(reason); reason == "" || utf8.RuneCountInString(reason) > maxRemark {
		return elicense.E(elicense.Invalid, "要写撤销豁免的理由，最多%d个字", maxRemark).At("reason")
	}
	one := func(tx *store.Tx) (*Excuse, error) {
		list, err := excuses(tx, `WHERE id = $1`, id)
		if err != nil || len(list) == 0 {
			return nil, err
		}
		return list[0], nil
	}
	build := func(tx *store.Tx) (access.Request, error) {
		e, err := one(tx)
		if err != nil {
			return access.Request{}, err
		}
		unit := elicense.UnitCode("")
		if e != nil {
			unit = e.Unit
		}
		return request(actor, access.OnTimeExcuse, unit, map[string]string{"act": "lift", "excuse": id})(tx)
	}
	return l.Guard.Write(ctx, build, func(tx *store.Tx, _ *access.Permit) error {
		e, err := one(tx)
		switch {
		case err != nil:
			return err
		case e == nil:
			return elicense.E(elicense.NotFound, "没有这条豁免")
		case !e.Lifted.IsZero():
			return elicense.E(elicense.Conflict, "这条豁免已经撤销")
		}
		e.Lifted, e.Lifter, e.LiftReason = tx.Now(), actor.Name, reason
		n, err := tx.Exec(`UPDATE excuse SET lifted = $1, lifter = $2, lift_reason = $3, mac = $4 WHERE id = $5 AND lifted IS NULL`,
			e.Lifted, e.Lifter, e.LiftReason, tx.MAC("excuse", e.ID, e.parts()...), e.ID)
		if err == nil && n == 0 {
			return elicense.E(elicense.Conflict, "这条豁免已经撤销")
		}
		return err
	})
}

// EachExcuse reads every excuse; f gets the error of one that is not as it was left.
func EachExcuse(tx *store.Tx, f func(id string, err error) error) error {
	return store.EachID(tx, "excuse", func(id string) error {
		_, err := excuses(tx, `WHERE id = $1`, id)
		return f(id, err)
	})
}
