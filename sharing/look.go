package sharing

import (
	"context"
	"strconv"
	"time"

	"elicense"
	"elicense/access"
	"elicense/cases"
	"elicense/notice"
	"elicense/org"
	"elicense/store"
)

// look is what the platform keeps of a case having opened a party's licenses of
// a type: when first, how often a comparison came out different, and whether the
// holder said that it was not he who applied.
type look struct {
	first    time.Time
	tries    int
	objected time.Time
}

func lookRow(id elicense.CaseID, h elicense.HolderKey, t elicense.TypeCode) string {
	return string(id) + "/" + string(h) + "/" + string(t)
}

func (l look) parts() [][]byte {
	return [][]byte{[]byte(strconv.FormatInt(l.first.UnixMicro(), 10)), []byte(strconv.Itoa(l.tries)), []byte(strconv.FormatBool(l.objected.IsZero()))}
}

// lookOf returns the look, the zero look if there was none.
func lookOf(tx *store.Tx, id elicense.CaseID, h elicense.HolderKey, t elicense.TypeCode) (look, error) {
	return store.Keep(tx, "look "+lookRow(id, h, t), func() (look, error) { return readLook(tx, id, h, t) })
}

func readLook(tx *store.Tx, id elicense.CaseID, h elicense.HolderKey, t elicense.TypeCode) (l look, err error) {
	var mac []byte
	err = tx.Row(`SELECT first, tries, objected, mac FROM case_look WHERE case_id = $1 AND holder_key = $2 AND type = $3`, id, h, t).Scan(&l.first, &l.tries, &l.objected, &mac)
	if elicense.IsKind(err, elicense.NotFound) {
		return look{}, nil
	}
	if err != nil {
		return look{}, err
	}
	return l, tx.CheckMAC(mac, "case_look", lookRow(id, h, t), l.parts()...)
}

func putLook(tx *store.Tx, id elicense.CaseID, h elicense.HolderKey, t elicense.TypeCode, l look) error {
	var objected any
	if !l.objected.IsZero() {
		objected = l.objected
	}
	_, err := tx.Exec(`INSERT INTO case_look (case_id, holder_key, type, first, tries, objected, mac) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (case_id, holder_key, type) DO UPDATE SET tries = excluded.tries, objected = excluded.objected, mac = excluded.mac`,
		id, h, t, l.first, l.tries, objected, tx.MAC("case_look", lookRow(id, h, t), l.parts()...))
	return err
}

// saw notes a look that is the first or a comparison that came out different, and
// tells the holder of the first one. Every other look leaves its record only, and
// writes nothing here. It is done before the answer leaves.
func (s *Sharing) saw(ctx context.Context, actor *elicense.Actor, k *cases.Case, typ elicense.TypeCode, typeName string, h elicense.HolderKey, differs bool) error {
	return s.db.Update(ctx, func(tx *store.Tx) error {
		l, err := lookOf(tx, k.ID, h, typ)
		if err != nil {
			return err
		}
		first := l.first.IsZero()
		if first {
			l.first = tx.Now()
		}
		if differs {
			l.tries++
		}
		if err := putLook(tx, k.ID, h, typ, l); err != nil || !first {
			return err
		}
		return notice.Send(tx, notice.HolderInbox(h), notice.Notice{
			Kind: "looked", Text: "%s办理“%s”（%s）时查看了您的%s。不是您办的，请点开告诉我们", Args: []string{actor.UnitName, k.MatterName, k.Number, typeName},
			Link: "/holder/cases/" + string(k.ID),
		})
	})
}

// Object notes that a holder says the case is not his: "this was not me". The
// clerk's supervisors and the auditors are told at once.
//
// Errors: Forbidden to who is no party; NotFound if nobody looked.
func (s *Sharing) Object(ctx context.Context, actor *elicense.Actor, id elicense.CaseID) error {
	return s.guard.Write(ctx, s.caseRequest(actor, access.CaseOwn, id, map[string]string{"act": "object"}), func(tx *store.Tx, p *access.Permit) error {
		p.Note.Holder, p.Note.Basis = actor.Holder, "持证人本人"
		k, err := cases.Of(tx, id)
		if err != nil {
			return err
		}
		types, err := store.All(tx, func(r *store.Rows) (t elicense.TypeCode, err error) {
			err = r.Scan(&t)
			return t, err
		}, `SELECT type FROM case_look WHERE case_id = $1 AND holder_key = $2`, id, actor.Holder)
		if err != nil {
			return err
		}
		if len(types) == 0 {
			return elicense.E(elicense.NotFound, "这个办件没有查看过您的证照")
		}
		for _, t := range types {
			l, err := lookOf(tx, id, actor.Holder, t)
			if err != nil {
				return err
			}
			if !l.objected.IsZero() {
				return nil // it was said before
			}
			l.objected = tx.Now()
			if err := putLook(tx, id, actor.Holder, t, l); err != nil {
				return err
			}
		}
		return org.Tell(tx, "", []elicense.Duty{elicense.DutyAudit, elicense.DutySupervise}, func(to elicense.AccountID) error {
			return notice.Send(tx, notice.AccountInbox(to), notice.Notice{
				Kind: "objection", Text: "持证人说办件%s不是他办的，经办单位%s", Args: []string{k.Number, s.unitName(tx, k.Unit)}, Link: "/admin/records?by=case&key=" + string(k.ID),
			})
		})
	})
}

// Alarm tells the auditors that an account was refused as often on a day as nobody
// is who does his work. It is the Guard's Alarm.
func Alarm(tx *store.Tx, account elicense.AccountID, unit elicense.UnitCode, day elicense.Date, refusals int) error {
	a, err := org.AccountOf(tx, account)
	if err != nil {
		return err
	}
	name := ""
	if u, err := org.UnitOf(tx, unit); err == nil {
		name = u.Name
	}
	return org.Tell(tx, "", []elicense.Duty{elicense.DutyAudit}, func(to elicense.AccountID) error {
		return notice.Send(tx, notice.AccountInbox(to), notice.Notice{
			Kind: "alarm", Text: "%s%s在%s被拒绝%s次，请核查", Args: []string{name, a.Name, string(day), strconv.Itoa(refusals)}, Link: "/admin/records?by=actor&key=" + string(account),
		})
	})
}

// EachUse reads every look, agreement and quality ticket; f gets the error of what
// is not as it was left.
func EachUse(tx *store.Tx, f func(id string, err error) error) error {
	rows, err := tx.Query(`SELECT case_id, holder_key, type FROM case_look ORDER BY case_id, holder_key, type`)
	if err != nil {
		return err
	}
	for rows.Next() {
		var id elicense.CaseID
		var h elicense.HolderKey
		var t elicense.TypeCode
		if err := rows.Scan(&id, &h, &t); err != nil {
			return err
		}
		_, err := lookOf(tx, id, h, t)
		if err := f(lookRow(id, h, t), err); err != nil {
			return err
		}
	}
	_, err = agreements(tx, `ORDER BY id`)
	if err := f("agreements", err); err != nil {
		return err
	}
	_, err = tickets(tx, `ORDER BY id`)
	return f("tickets", err)
}
