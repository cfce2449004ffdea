package offline

import (
	"context"
	"time"

	"elicense"
	"elicense/access"
	"elicense/org"
	"elicense/store"
)

// Overseen is a kit as supervision sees it (Art. 19): on which ground it was taken,
// how much of it was used, and whether it came back.
type Overseen struct {
	*Listed
	UnitName string
	Standing State
	Used     int       // numbers that lead to a license
	Refused  int       // numbers under which something came back that was not taken in
	Packages int       // that were taken in
	Back     time.Time // when the first of them was received; zero if none came
	Overdue  bool      // its term is over, and nothing came back
}

// Province is what the kits of all units come to.
type Province struct {
	Total   int // kits that were ordered
	Out     int // that can be used now
	Outage  int // that were taken because the system had failed
	Overdue int

	List []*Overseen // the newest first
	Next string      // the kit to go on before; empty at the end
}

// overseenPage is how many kits are listed at once.
const overseenPage = 100

// Whoever cancels a kit gives a reason for it, on record: it is awaited no more.
const overdueKits = `state = 'ready' AND ends < $1 AND NOT EXISTS (SELECT 1 FROM kit_package WHERE kit_package.kit = kit.id AND kit_package.state = 'done')`

// Oversee lists the kits of every unit, or those that are overdue, ordered before the
// kit named, if one is.
//
// Errors: Forbidden but for the administration and supervision.
func (k *Kits) Oversee(ctx context.Context, actor *elicense.Actor, late bool, before string) (*Province, error) {
	p, _, err := access.Get(ctx, k.Guard, overseeing(actor, "kits"), func(tx *store.Tx, _ *access.Permit) (*Province, error) {
		now := tx.Now()
		p := &Province{}
		err := tx.Row(`SELECT COUNT(*), COALESCE(SUM(CASE WHEN state = 'ready' AND ends >= $1 THEN 1 ELSE 0 END), 0), COALESCE(SUM(CASE WHEN ground = 'outage' THEN 1 ELSE 0 END), 0) FROM kit`, now).
			Scan(&p.Total, &p.Out, &p.Outage)
		if err != nil {
			return nil, err
		}
		if err := tx.Row(`SELECT COUNT(*) FROM kit WHERE `+overdueKits, now).Scan(&p.Overdue); err != nil {
			return nil, err
		}
		where, args := `WHERE ($1 = '' OR id < $2) ORDER BY id DESC LIMIT $3`, []any{before, before, overseenPage + 1}
		if late {
			where, args = `WHERE `+overdueKits+` AND ($2 = '' OR id < $3) ORDER BY id DESC LIMIT $4`, append([]any{now}, args...)
		}
		list, err := kits(tx, where, args...)
		if err != nil {
			return nil, err
		}
		if len(list) > overseenPage {
			list = list[:overseenPage]
			p.Next = list[overseenPage-1].ID
		}
		names := map[elicense.UnitCode]string{}
		for _, l := range list {
			o, err := l.overseen(tx, names)
			if err != nil {
				return nil, err
			}
			p.List = append(p.List, o)
		}
		return p, nil
	})
	return p, err
}

// overseeing asks the law about a kit as supervision sees it, or all of them.
func overseeing(actor *elicense.Actor, id string) func(*store.Tx) (access.Request, error) {
	return func(*store.Tx) (access.Request, error) {
		return access.Request{Actor: actor, Act: access.KitsRead, On: access.Thing{Kind: "Draft", ID: id}, Note: access.Note{Detail: map[string]string{"kit": id}}}, nil
	}
}

func (l *Listed) overseen(tx *store.Tx, names map[elicense.UnitCode]string) (*Overseen, error) {
	o := &Overseen{Listed: l, Standing: l.Standing(tx.Now())}
	if _, known := names[l.Unit]; !known {
		u, err := org.UnitOf(tx, l.Unit)
		if err != nil {
			return nil, err
		}
		names[l.Unit] = u.Name
	}
	o.UnitName = names[l.Unit]
	err := tx.Row(`SELECT COALESCE(SUM(CASE WHEN state = $1 THEN 1 ELSE 0 END), 0), COALESCE(SUM(CASE WHEN state = $2 THEN 1 ELSE 0 END), 0) FROM kit_number WHERE kit = $3`,
		numberTaken, numberRefused, l.ID).Scan(&o.Used, &o.Refused)
	if err != nil {
		return nil, err
	}
	list, err := packages(tx, `WHERE kit = $1 AND state = $2 ORDER BY received`, l.ID, PackDone)
	if err != nil {
		return nil, err
	}
	if o.Packages = len(list); o.Packages > 0 {
		o.Back = list[0].Received
	}
	o.Overdue = o.Standing == Expired && o.Packages == 0
	return o, nil
}
