package registry

import (
	"context"
	"time"

	"elicense"
	"elicense/access"
	"elicense/store"
)

// Measures tell how well the registries do their part: each is counted from the
// comparisons that are kept.
type Measures struct {
	db    *store.DB
	guard *access.Guard
}

// NewMeasures returns the measures of the comparisons kept in db.
func NewMeasures(db *store.DB, guard *access.Guard) *Measures { return &Measures{db, guard} }

// Measure is how one registry did in a time.
type Measure struct {
	Registry
	Asked    int
	Answered int
	Half     time.Duration // half of the answers came within (p50)
	Most     time.Duration // 95 of a hundred did (p95)
	Differ   int           // answers in that time that it is not so, or not there
	Open     int           // of all time, still not dealt with
	Last     time.Time     // it answered last, ever; zero if never
}

// Available is the share of questions that were answered, in percent; -1 where
// there were none.
func (m Measure) Available() int {
	if m.Asked == 0 {
		return -1
	}
	return m.Answered * 100 / m.Asked // never a hundred unless all were
}

// Of measures the registries from one day to another, both counting.
//
// Errors: Invalid for days that are none; Forbidden.
func (m *Measures) Of(ctx context.Context, actor *elicense.Actor, from, to elicense.Date) ([]Measure, error) {
	for field, day := range map[string]elicense.Date{"from": from, "to": to} {
		if _, err := elicense.ParseDate(string(day)); err != nil {
			return nil, elicense.E(elicense.Invalid, "日期要写成2026-11-23的样子").At(field).Because(err)
		}
	}
	build := func(*store.Tx) (access.Request, error) {
		return access.Request{
			Actor: actor, Act: access.RegistriesRead, On: access.Thing{Kind: "Figures", ID: "registries"},
			Note: access.Note{Detail: map[string]string{"from": string(from), "to": string(to)}},
		}, nil
	}
	list, _, err := access.Get(ctx, m.guard, build, func(tx *store.Tx, _ *access.Permit) (list []Measure, err error) {
		for _, r := range All {
			one, err := measure(tx, r, from.Start(), to.End())
			if err != nil {
				return nil, err
			}
			list = append(list, one)
		}
		return list, nil
	})
	return list, err
}

func measure(tx *store.Tx, r Registry, from, to time.Time) (Measure, error) {
	m := Measure{Registry: r}
	err := tx.Row(`SELECT COUNT(*), COALESCE(SUM(CASE WHEN outcome <> 'unavailable' THEN 1 ELSE 0 END), 0),
		COALESCE(SUM(CASE WHEN outcome IN ('mismatch', 'not-found') THEN 1 ELSE 0 END), 0)
		FROM comparison WHERE registry = $1 AND at >= $2 AND at < $3`, r.ID, from, to).Scan(&m.Asked, &m.Answered, &m.Differ)
	if err != nil {
		return m, err
	}
	if err := tx.Row(`SELECT COUNT(*) FROM comparison WHERE registry = $1 AND stands AND outcome IN ('mismatch', 'not-found')`, r.ID).Scan(&m.Open); err != nil {
		return m, err
	}
	err = tx.Row(`SELECT at FROM comparison WHERE registry = $1 AND outcome <> 'unavailable' ORDER BY at DESC LIMIT 1`, r.ID).Scan(&m.Last)
	if elicense.IsKind(err, elicense.NotFound) {
		return m, nil
	}
	if err != nil || m.Answered == 0 {
		return m, err
	}
	for _, p := range []struct {
		percent int
		to      *time.Duration
	}{{50, &m.Half}, {95, &m.Most}} {
		var took int64
		// The smallest time within which so many came.
		nth := (m.Answered*p.percent+99)/100 - 1
		err := tx.Row(`SELECT took FROM comparison WHERE registry = $1 AND at >= $2 AND at < $3 AND outcome <> 'unavailable' ORDER BY took LIMIT 1 OFFSET $4`,
			r.ID, from, to, nth).Scan(&took)
		if err != nil {
			return m, err
		}
		*p.to = time.Duration(took) * time.Millisecond
	}
	return m, nil
}
