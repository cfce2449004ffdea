package catalog

import (
	"context"
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

// checkDays are the working days the administration has to check an entry; what it
// has not decided by then publishes itself.
const checkDays = 1

// The kind of the jobs that publish entries nobody decided in time.
const lapseJob = "type-lapse"

// Handle tells the queue what this room does later.
func (c *Catalog) Handle(q *jobs.Queue) {
	q.Handle(lapseJob, c.lapse)
	q.Handle(remindJob, c.remind)
	q.Handle(calendar.TypesJob, c.recount)
}

// How a check ended, if it did.
const (
	checkOpen    = "open"
	checkDecided = "decided"
	checkLapsed  = "lapsed" // the entry published itself
)

// Check is the administration's check of a version, and its term.
type Check struct {
	Code    elicense.TypeCode
	Version int
	Due     time.Time // zero while the calendar does not know the year
	Done    time.Time // zero while it is open
	how     string
}

func (k *Check) row() string { return fmt.Sprintf("%s/%d", k.Code, k.Version) }

func (k *Check) parts() [][]byte {
	micro := func(t time.Time) []byte {
		if t.IsZero() {
			return nil
		}
		return []byte(strconv.FormatInt(t.UnixMicro(), 10))
	}
	return [][]byte{micro(k.Due), micro(k.Done), []byte(k.how)}
}

func checks(tx *store.Tx, where string, args ...any) ([]*Check, error) {
	return store.All(tx, func(r *store.Rows) (*Check, error) {
		var k Check
		var mac []byte
		if err := r.Scan(&k.Code, &k.Version, &k.Due, &k.Done, &k.how, &mac); err != nil {
			return nil, err
		}
		return &k, tx.CheckMAC(mac, "type_check", k.row(), k.parts()...)
	}, `SELECT code, version, due, done, how, mac FROM type_check `+where, args...)
}

func checkOf(tx *store.Tx, code elicense.TypeCode, version int) (*Check, error) {
	list, err := checks(tx, `WHERE code = $1 AND version = $2`, code, version)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, elicense.E(elicense.NotFound, "这个版本没有核对期限").Because(store.ErrNoRow)
	}
	return list[0], nil
}

func optional(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t
}

func (k *Check) put(tx *store.Tx) error {
	_, err := tx.Exec(`INSERT INTO type_check (code, version, due, done, how, mac) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (code, version) DO UPDATE SET due = excluded.due, done = excluded.done, how = excluded.how, mac = excluded.mac`,
		k.Code, k.Version, optional(k.Due), optional(k.Done), k.how, tx.MAC("type_check", k.row(), k.parts()...))
	return err
}

// checkTerm is the end of the administration's time for what was proposed then,
// the zero time while the calendar does not know the year.
func checkTerm(tx *store.Tx, proposed time.Time) (time.Time, error) {
	due, err := calendar.Within(tx, proposed, checkDays)
	if errors.Is(err, workday.ErrUnknownYear) {
		return time.Time{}, nil
	}
	return due, err
}

// beginCheck starts the term of a version proposed in the transaction.
func beginCheck(tx *store.Tx, t *Type) error {
	due, err := checkTerm(tx, t.Proposed)
	if err != nil {
		return err
	}
	k := &Check{Code: t.Code, Version: t.Version, Due: due, how: checkOpen}
	if err := k.put(tx); err != nil {
		return err
	}
	return k.lapseLater(tx)
}

// lapseLater has the job look at the end of the term. Each term has a job of its
// own, so that one that moved does not run in circles until then.
func (k *Check) lapseLater(tx *store.Tx) error {
	if k.Due.IsZero() {
		return nil
	}
	return jobs.Enqueue(tx, jobs.Job{Kind: lapseJob, Key: k.row() + "@" + strconv.FormatInt(k.Due.Unix(), 10), RunAt: k.Due, Payload: []byte(k.row())})
}

// endCheck notes how the check of a version ended. Versions proposed before checks
// had terms have none.
func endCheck(tx *store.Tx, t *Type, how string) error {
	k, err := checkOf(tx, t.Code, t.Version)
	if elicense.IsKind(err, elicense.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	k.Done, k.how = tx.Now(), how
	return k.put(tx)
}

// lapse publishes an entry the administration did not decide within its term,
// unless a published type of another code has the very name: then it stays, overdue.
func (c *Catalog) lapse(ctx context.Context, payload []byte) error {
	code, v, _ := strings.Cut(string(payload), "/")
	version, err := strconv.Atoi(v)
	if err != nil {
		return fmt.Errorf("lapse of %q: %w", payload, err)
	}
	return c.db.Update(ctx, func(tx *store.Tx) error {
		if err := lapsed(tx, elicense.TypeCode(code), version); err != nil {
			return err
		}
		return jobs.Done(tx, jobs.Current(ctx))
	})
}

func lapsed(tx *store.Tx, code elicense.TypeCode, version int) error {
	k, err := checkOf(tx, code, version)
	if err != nil {
		return err
	}
	if k.how != checkOpen || k.Due.IsZero() || tx.Now().Before(k.Due) {
		return nil // another job looks at the end of a term that moved
	}
	t, err := VersionOf(tx, code, version)
	if err != nil {
		return err
	}
	if t.State != Proposed {
		return nil
	}
	detail := map[string]string{"version": strconv.Itoa(version), "due": k.Due.Format(time.RFC3339)}
	if err := canPublish(tx, t); err != nil {
		detail["publish"] = "false"
		tx.Record(store.Record{Act: string(access.TypePublish), Outcome: store.Done, Rule: "type-overdue", Clause: "第六条", LicenseType: string(code), Detail: detail})
		return tellUnit(tx, "", elicense.DutyTypes, notice.Notice{
			Kind: "type-overdue", Text: "证照类别%s已过核对期限，因有重复或不完整没有自动发布，请尽快办理", Args: []string{t.Name}, Link: fmt.Sprintf("/admin/types/%s/%d", code, version),
		})
	}
	if err := replaceOlder(tx, t); err != nil {
		return err
	}
	if err := setState(tx, t, Published, "", ""); err != nil {
		return err
	}
	if err := endCheck(tx, t, checkLapsed); err != nil {
		return err
	}
	detail["publish"] = "true"
	tx.Record(store.Record{Act: string(access.TypePublish), Outcome: store.Done, Rule: "type-lapsed", Clause: "第六条", LicenseType: string(code), Detail: detail})
	n := notice.Notice{Kind: "type-lapsed", Text: "证照类别%s到期没有核对，已自动发布，延误计入管理部门", Args: []string{t.Name}, Link: "/types/" + string(code)}
	if err := tellUnit(tx, "", elicense.DutyTypes, n); err != nil {
		return err
	}
	return tellUnit(tx, t.Unit, elicense.DutyRegister, n)
}

// tellUnit sends a notice to all with a duty, of one unit if it is named.
func tellUnit(tx *store.Tx, unit elicense.UnitCode, d elicense.Duty, n notice.Notice) error {
	return org.Tell(tx, unit, []elicense.Duty{d}, func(to elicense.AccountID) error { return notice.Send(tx, notice.AccountInbox(to), n) })
}

// canPublish tells why a proposed version can't be published: it is not complete,
// or a published type of another code has its name.
func canPublish(tx *store.Tx, t *Type) error {
	if err := t.check(); err != nil {
		return err
	}
	same, err := duplicates(tx, t)
	if err != nil {
		return err
	}
	for _, d := range same {
		if d.Exact {
			return elicense.E(elicense.Conflict, "已有同名的证照类别%s", d.Name).At("name").Under("第六条").
				Then("请退回，让登记单位加入已有的类别，或改用能区别的名称")
		}
	}
	return nil
}

// recount counts the open terms anew after the calendar has changed.
func (c *Catalog) recount(ctx context.Context, _ []byte) error {
	return c.db.Update(ctx, func(tx *store.Tx) error {
		open, err := checks(tx, `WHERE how = $1`, checkOpen)
		if err != nil {
			return err
		}
		for _, k := range open {
			t, err := VersionOf(tx, k.Code, k.Version)
			if err != nil {
				return err
			}
			due, err := checkTerm(tx, t.Proposed)
			if err != nil {
				return err
			}
			if due.Equal(k.Due) {
				continue
			}
			k.Due = due
			if err := k.put(tx); err != nil {
				return err
			}
			if err := k.lapseLater(tx); err != nil {
				return err
			}
		}
		return jobs.Done(tx, jobs.Current(ctx))
	})
}

// Terms returns the ends of the terms of the versions that wait, by code: of a
// code one version waits at a time.
func (c *Catalog) Terms(ctx context.Context) (due map[elicense.TypeCode]time.Time, err error) {
	err = c.db.View(ctx, func(tx *store.Tx) error {
		open, err := checks(tx, `WHERE how = $1`, checkOpen)
		due = map[elicense.TypeCode]time.Time{}
		for _, k := range open {
			due[k.Code] = k.Due
		}
		return err
	})
	return due, err
}

// CheckMonth counts the checks whose term ended in a month (Art. 6, 19).
type CheckMonth struct {
	Month  string // such as 2026-03
	InTime int    // decided within the term
	Late   int    // decided after it
	Lapsed int    // published themselves
	Open   int    // past the term and still not decided
}

// CheckFigures returns how the administration kept its term, the newest month
// first.
func (c *Catalog) CheckFigures(ctx context.Context) (list []CheckMonth, err error) {
	err = c.db.View(ctx, func(tx *store.Tx) error {
		all, err := checks(tx, `WHERE due IS NOT NULL ORDER BY due DESC`)
		if err != nil {
			return err
		}
		list = nil
		for _, k := range all {
			// The term ends with its day: the first moment of the next is not its month.
			month := k.Due.Add(-time.Second).In(workday.Zone).Format("2006-01")
			i := slices.IndexFunc(list, func(m CheckMonth) bool { return m.Month == month })
			if i < 0 {
				list, i = append(list, CheckMonth{Month: month}), len(list)
			}
			switch m := &list[i]; {
			case k.how == checkLapsed:
				m.Lapsed++
			case k.how == checkDecided && !k.Done.Before(k.Due):
				m.Late++
			case k.how == checkDecided:
				m.InTime++
			case !tx.Now().Before(k.Due):
				m.Open++
			}
		}
		return nil
	})
	return list, err
}

// EachCheck reads every check; f gets the error of one that is not as it was left.
func EachCheck(tx *store.Tx, f func(id string, err error) error) error {
	type key struct {
		code    elicense.TypeCode
		version int
	}
	all, err := store.All(tx, func(r *store.Rows) (k key, err error) {
		err = r.Scan(&k.code, &k.version)
		return k, err
	}, `SELECT code, version FROM type_check ORDER BY code, version`)
	if err != nil {
		return err
	}
	for _, k := range all {
		_, err := checkOf(tx, k.code, k.version)
		if err := f(fmt.Sprintf("%s/%d", k.code, k.version), err); err != nil {
			return err
		}
	}
	return nil
}
