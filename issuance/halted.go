package issuance

import (
	"context"
	"time"

	"elicense"
	"elicense/access"
	"elicense/jobs"
	"elicense/store"
)

// Halted is an approved draft or lot whose sealing is tried no more: every attempt
// failed. It waits for somebody to have it tried again; the start of the program
// does so too.
type Halted struct {
	Draft    elicense.DraftID // empty for a lot
	Lot      string           // empty for a draft
	Unit     elicense.UnitCode
	UnitName string
	Type     elicense.TypeCode
	TypeName string
	Due      time.Time // zero if the calendar does not say
	Why      string    // a sentence for people
}

// whyHalted is said of what left no word of its own.
const whyHalted = "每次办到一半就中断，没有留下原因"

// NoteHalted notes whether the seal job of an approved draft is tried no more.
func NoteHalted(tx *store.Tx, d *Draft) (err error) {
	if d.State != Sealing {
		return nil
	}
	if d.Halted, err = jobs.IsDead(tx, sealJob, string(d.ID)); d.Halted && d.Trouble == "" {
		d.Trouble = whyHalted
	}
	return err
}

// haltedLot notes the same of a lot.
func haltedLot(tx *store.Tx, l *Lot) (err error) {
	if l.State != LotSealing {
		return nil
	}
	if l.Halted, err = jobs.IsDead(tx, lotJob, l.ID); l.Halted && l.Remark == "" {
		l.Remark = whyHalted
	}
	return err
}

// HaltedNow lists what is tried no more, of one unit or, for those who supervise,
// of all; the earliest due first.
//
// Errors: Forbidden.
func (i *Issuer) HaltedNow(ctx context.Context, actor *elicense.Actor, unit elicense.UnitCode, limit int) ([]Halted, error) {
	build := func(*store.Tx) (access.Request, error) {
		return access.Request{
			Actor: actor, Act: access.OnTimeRead, On: access.Thing{Kind: "OnTime", ID: string(unit), Attr: access.Attr{"unit": string(unit)}},
			Note: access.Note{Detail: map[string]string{"list": "halted"}},
		}, nil
	}
	list, _, err := access.Get(ctx, i.Guard, build, func(tx *store.Tx, _ *access.Permit) ([]Halted, error) {
		list, err := store.All(tx, func(r *store.Rows) (h Halted, err error) {
			err = r.Scan(&h.Draft, &h.Lot, &h.Unit, &h.Type, &h.TypeName, &h.Due, &h.Why)
			return h, err
		}, `SELECT d.id, '', d.unit, d.type, d.type_name, d.due, d.trouble FROM job j JOIN draft d ON d.id = j.key
			WHERE j.kind = $1 AND j.state = 'dead' AND d.state = $2 AND ($3 = '' OR d.unit = $4)
			UNION ALL SELECT '', l.id, l.unit, l.type, l.type_name, l.due, l.remark FROM job j JOIN lot l ON l.id = j.key
			WHERE j.kind = $5 AND j.state = 'dead' AND l.state = $6 AND ($7 = '' OR l.unit = $8)
			ORDER BY 6, 1, 2 LIMIT $9`, sealJob, Sealing, unit, unit, lotJob, LotSealing, unit, unit, limit)
		if err != nil {
			return nil, err
		}
		for n := range list {
			if list[n].UnitName = i.unitName(tx, list[n].Unit); list[n].Why == "" {
				list[n].Why = whyHalted
			}
		}
		return list, nil
	})
	return list, err
}

// Retry has the sealing of an approved draft tried again whose attempts all
// failed. What was approved is sealed, or the draft goes back to review if the day
// on its face has passed.
//
// Errors: Forbidden; Conflict if it is under way.
func (i *Issuer) Retry(ctx context.Context, actor *elicense.Actor, id elicense.DraftID) error {
	return i.Guard.Write(ctx, i.request(actor, access.DraftMake, id), func(tx *store.Tx, p *access.Permit) error {
		d, err := Of(tx, id)
		if err != nil {
			return err
		}
		if err := NoteHalted(tx, d); err != nil {
			return err
		}
		if !d.Halted {
			return elicense.E(elicense.Conflict, "这份证照的签章没有停下，不用重试").Then("请刷新，看它办到哪里")
		}
		p.Note.Detail["retry"] = "seal"
		if _, err := tx.Exec(`UPDATE draft SET trouble = '' WHERE id = $1`, id); err != nil {
			return err
		}
		return jobs.Revive(tx, sealJob, string(id))
	})
}
