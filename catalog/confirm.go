package catalog

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/mozillazg/go-pinyin"

	"elicense"
	"elicense/access"
	"elicense/jobs"
	"elicense/notice"
	"elicense/store"
)

// confirmMonths are the months after which a unit is reminded that it has not said
// an entry is still right (实时更新, Art. 6).
var confirmMonths = []int{6, 12}

// The kind of the daily jobs that remind.
const remindJob = "type-remind"

// Stale tells whether nobody has confirmed a published version for so long that
// its unit is reminded.
func (t *Type) Stale(now time.Time) bool { return t.State == Published && t.owed(now) > 0 }

// owed is the last of the months for which a reminder is due.
func (t *Type) owed(now time.Time) (months int) {
	for _, m := range confirmMonths {
		if !t.Confirmed.IsZero() && !now.Before(t.Confirmed.AddDate(0, m, 0)) {
			months = m
		}
	}
	return months
}

// Confirm notes that an entry in force is still right.
//
// Errors: Forbidden; NotFound; Conflict if it is not published.
func (c *Catalog) Confirm(ctx context.Context, actor *elicense.Actor, code elicense.TypeCode) error {
	build := func(tx *store.Tx) (access.Request, error) {
		unit := elicense.UnitCode("")
		t, err := Current(tx, code)
		if err == nil {
			unit = t.Unit
		} else if !elicense.IsKind(err, elicense.NotFound) {
			return access.Request{}, err
		}
		return access.Request{
			Actor: actor, Act: access.TypePropose,
			On:   access.Thing{Kind: "Type", ID: string(code), Attr: access.Attr{"unit": string(unit)}},
			Note: access.Note{LicenseType: noted(code), Detail: map[string]string{"confirm": "true"}},
		}, nil
	}
	return c.guard.Write(ctx, build, func(tx *store.Tx, p *access.Permit) error {
		t, err := Current(tx, code)
		if err != nil {
			return err
		}
		if t.State != Published {
			return elicense.E(elicense.Conflict, "这个类别已经停用，不用确认").Under("第六条")
		}
		p.Note.Detail = map[string]string{"confirm": "true", "version": fmt.Sprint(t.Version)}
		_, err = tx.Exec(`UPDATE license_type SET confirmed = $1, reminded = 0 WHERE code = $2 AND version = $3`, tx.Now(), t.Code, t.Version)
		return err
	})
}

// Resume begins the daily reminders; called when the platform starts.
func (c *Catalog) Resume(ctx context.Context) error {
	return c.db.Update(ctx, func(tx *store.Tx) error { return jobs.Enqueue(tx, remindOn(elicense.DateOf(tx.Now()), tx.Now())) })
}

// remindOn is the job of a day. Each day has a job of its own: the one that runs
// can put in the next.
func remindOn(day elicense.Date, at time.Time) jobs.Job {
	return jobs.Job{Kind: remindJob, Key: string(day), RunAt: at}
}

// remind tells the registrars of units which entries nobody has confirmed for six
// and for twelve months, each once.
func (c *Catalog) remind(ctx context.Context, _ []byte) error {
	return c.db.Update(ctx, func(tx *store.Tx) error {
		list, err := types(tx, `WHERE state = $1 ORDER BY code`, Published)
		if err != nil {
			return err
		}
		for _, t := range list {
			months := t.owed(tx.Now())
			if months <= t.reminded {
				continue
			}
			if _, err := tx.Exec(`UPDATE license_type SET reminded = $1 WHERE code = $2 AND version = $3`, months, t.Code, t.Version); err != nil {
				return err
			}
			err := tellUnit(tx, t.Unit, elicense.DutyRegister, notice.Notice{
				Kind: "type-confirm", Text: "证照类别%s已有%s个月没有确认，请核对后确认或登记新版本", Args: []string{t.Name, fmt.Sprint(months)}, Link: "/issue/types",
			})
			if err != nil {
				return err
			}
		}
		tomorrow := tx.Now().Add(24 * time.Hour)
		if err := jobs.Enqueue(tx, remindOn(elicense.DateOf(tomorrow), tomorrow)); err != nil {
			return err
		}
		return jobs.Done(tx, jobs.Current(ctx))
	})
}

// Unconfirmed lists the published entries nobody has confirmed for six months, the
// longest first.
func (c *Catalog) Unconfirmed(ctx context.Context) (list []*Type, err error) {
	err = c.db.View(ctx, func(tx *store.Tx) error {
		list, err = types(tx, `WHERE state = $1 AND confirmed <= $2 ORDER BY confirmed, code`, Published, tx.Now().AddDate(0, -confirmMonths[0], 0))
		return err
	})
	return list, err
}

// Search lists the types in force that are meant by what was typed: a part of the
// name, in Chinese or English, or of the code, the initials of the name's pinyin,
// or another name of the same license. Nothing typed means all.
func (c *Catalog) Search(ctx context.Context, typed string) ([]*Type, error) {
	all, err := c.All(ctx)
	typed = fold(typed)
	if err != nil || typed == "" {
		return all, err
	}
	var list []*Type
	for _, t := range all {
		if strings.Contains(fold(t.Name), typed) || strings.Contains(strings.ToLower(string(t.Code)), typed) ||
			strings.Contains(fold(t.English), typed) || strings.Contains(Initials(t.Name), typed) || Alike(t.Name, typed).Likely() {
			list = append(list, t)
		}
	}
	return list, nil
}

// Initials are the first letters of the pinyin of a name: 烟草 is yc.
func Initials(name string) string {
	a := pinyin.NewArgs()
	a.Style = pinyin.FirstLetter
	var b strings.Builder
	for _, p := range pinyin.Pinyin(name, a) {
		if len(p) > 0 {
			b.WriteString(p[0])
		}
	}
	return b.String()
}
