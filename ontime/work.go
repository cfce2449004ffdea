package ontime

import (
	"context"
	"time"

	"elicense"
	"elicense/access"
	"elicense/issuance"
	"elicense/store"
)

// Color says how a term stands.
type Color string

// The colors.
const (
	Red   Color = "red"   // past its term
	Amber Color = "amber" // due today
	Green Color = "green" // due later
	Grey  Color = "grey"  // the calendar does not know
)

// ColorOf is the color of a term as of now.
func ColorOf(due, now time.Time) Color {
	switch {
	case due.IsZero():
		return Grey
	case now.After(due):
		return Red
	case !due.After(elicense.DateOf(now).End()):
		return Amber
	}
	return Green
}

// Task is a draft on a work list.
type Task struct {
	*issuance.Draft
	Holder string // name of the first holder, masked
	Color  Color
	Wholly bool // its case was met by e-licenses alone: it comes first (Art. 4)
}

// Tasks is a list of drafts, of which the first are shown.
type Tasks struct {
	Shown []Task
	N     int
}

// Work is what a unit has to do (Art. 7), as its clerk and its reviewer see it.
type Work struct {
	At        time.Time
	Colors    map[Color]int // of drafts, lots under way, and results without a draft
	Review    Tasks         // 待审核
	Returned  Tasks         // 退回更正
	Mend      Tasks         // 草稿: something is to be mended
	Sealing   Tasks         // 签章发布中
	Comparing []Task        // 等待比对: no registry has answered
	Lots      []*issuance.Lot
	Missing   []*Result // 应生成未生成 without a draft, the first of them
	MissingN  int
	Claimed   []*Result // 不生成待确认
}

// Halted is how many of what is shown nothing more is tried for, until somebody
// asks.
func (w *Work) Halted() (n int) {
	for _, t := range w.Sealing.Shown {
		if t.Halted {
			n++
		}
	}
	for _, l := range w.Lots {
		if l.Halted {
			n++
		}
	}
	return n
}

// Of is how many have a color.
func (w *Work) Of(c Color) int { return w.Colors[c] }

// Work returns the work list of the actor's unit: in each list what is late comes
// before what is due today, and that before the rest; among these, cases met by
// e-licenses alone come first. Each list shows at most limit.
//
// Errors: Forbidden.
func (l *Ledger) Work(ctx context.Context, actor *elicense.Actor, limit int) (*Work, error) {
	w, _, err := access.Get(ctx, l.Guard, request(actor, access.OnTimeOwn, actor.Unit, map[string]string{"list": "work"}), func(tx *store.Tx, _ *access.Permit) (*Work, error) {
		b := &bench{tx: tx, unit: actor.Unit, limit: limit, w: &Work{At: tx.Now(), Colors: map[Color]int{}}}
		for _, step := range []func() error{b.drafts, b.comparing, b.lots, b.results} {
			if err := step(); err != nil {
				return nil, err
			}
		}
		return b.w, nil
	})
	return w, err
}

// bench makes a work list in one snapshot.
type bench struct {
	tx    *store.Tx
	unit  elicense.UnitCode
	limit int
	w     *Work
}

// drafts lists the drafts in each state. The rows of a lot are handled with it, but
// for those that were stopped.
func (b *bench) drafts() error {
	for _, s := range []issuance.State{issuance.InReview, issuance.Open, issuance.Sealing} {
		tasks, err := b.state(s)
		if err != nil {
			return err
		}
		switch s {
		case issuance.InReview:
			b.w.Review = tasks
		case issuance.Sealing:
			b.w.Sealing = tasks
		case issuance.Open:
			for _, t := range tasks.Shown {
				if t.Remark != "" {
					b.w.Returned.Shown = append(b.w.Returned.Shown, t)
				} else {
					b.w.Mend.Shown = append(b.w.Mend.Shown, t)
				}
			}
			b.w.Returned.N = len(b.w.Returned.Shown)
			b.w.Mend.N = tasks.N - b.w.Returned.N
		}
	}
	return nil
}

func (b *bench) state(s issuance.State) (list Tasks, err error) {
	today := elicense.DateOf(b.w.At).End()
	rows, err := b.tx.Query(`SELECT CASE WHEN due IS NULL THEN 'grey' WHEN due < $1 THEN 'red' WHEN due <= $2 THEN 'amber' ELSE 'green' END, COUNT(*)
		FROM draft WHERE unit = $3 AND state = $4 AND (lot = '' OR state = 'draft') GROUP BY 1`, b.w.At, today, b.unit, s)
	if err != nil {
		return list, err
	}
	for rows.Next() {
		var c Color
		var n int
		if err := rows.Scan(&c, &n); err != nil {
			return list, err
		}
		b.w.Colors[c] += n
		list.N += n
	}
	type one struct {
		id     elicense.DraftID
		wholly bool
	}
	ids, err := store.All(b.tx, func(r *store.Rows) (x one, err error) {
		var wholly int
		err = r.Scan(&x.id, &wholly)
		x.wholly = wholly > 0
		return x, err
	}, `SELECT d.id, CASE WHEN r.wholly THEN 1 ELSE 0 END AS wholly FROM draft d LEFT JOIN completion c ON c.draft = d.id
		LEFT JOIN case_result r ON r.unit = c.unit AND r.case_index = c.case_index AND r.item = c.item
		WHERE d.unit = $1 AND d.state = $2 AND (d.lot = '' OR d.state = 'draft')
		ORDER BY CASE WHEN d.due < $3 THEN 0 WHEN d.due <= $4 THEN 1 ELSE 2 END, wholly DESC, d.due, d.id LIMIT $5`, b.unit, s, b.w.At, today, b.limit)
	if err != nil {
		return list, err
	}
	for _, x := range ids {
		d, err := issuance.Of(b.tx, x.id)
		if err != nil {
			return list, err
		}
		if err := issuance.NoteHalted(b.tx, d); err != nil {
			return list, err
		}
		t, err := b.task(d, x.wholly)
		if err != nil {
			return list, err
		}
		list.Shown = append(list.Shown, t)
	}
	return list, nil
}

func (b *bench) task(d *issuance.Draft, wholly bool) (Task, error) {
	t := Task{Draft: d, Holder: access.MaskHolder(d.Holders[0]).Name, Color: ColorOf(d.Due, b.w.At), Wholly: wholly}
	return t, issuance.NotePaper(b.tx, d)
}

func (b *bench) comparing() error {
	list, err := issuance.Uncompared(b.tx, b.unit, b.limit)
	if err != nil {
		return err
	}
	for _, d := range list {
		t, err := b.task(d, false)
		if err != nil {
			return err
		}
		b.w.Comparing = append(b.w.Comparing, t)
	}
	return nil
}

func (b *bench) lots() (err error) {
	b.w.Lots, err = issuance.LotsUnderway(b.tx, b.unit, b.limit)
	for _, l := range b.w.Lots {
		b.w.Colors[ColorOf(l.Due, b.w.At)]++
	}
	return err
}

func (b *bench) results() error {
	today := elicense.DateOf(b.w.At).End()
	rows, err := b.tx.Query(`SELECT CASE WHEN r.due IS NULL THEN 'grey' WHEN r.due < $1 THEN 'red' WHEN r.due <= $2 THEN 'amber' ELSE 'green' END, COUNT(*)`+matched+
		`WHERE r.unit = $3 AND r.awaited AND d.id IS NULL GROUP BY 1`, b.w.At, today, b.unit)
	if err != nil {
		return err
	}
	for rows.Next() {
		var c Color
		var n int
		if err := rows.Scan(&c, &n); err != nil {
			return err
		}
		b.w.Colors[c] += n
		b.w.MissingN += n
	}
	if b.w.Missing, err = results(b.tx, `WHERE r.unit = $1 AND r.awaited AND d.id IS NULL AND r.standing = $2
		ORDER BY CASE WHEN r.due < $3 THEN 0 WHEN r.due <= $4 THEN 1 ELSE 2 END, CASE WHEN r.wholly THEN 0 ELSE 1 END, r.due, r.id LIMIT $5`,
		b.unit, string(due), b.w.At, today, b.limit); err != nil {
		return err
	}
	if b.w.Claimed, err = results(b.tx, `WHERE r.unit = $1 AND r.awaited AND d.id IS NULL AND r.standing = $2 ORDER BY r.claimed, r.id LIMIT $3`,
		b.unit, string(claimed), b.limit); err != nil {
		return err
	}
	b.w.MissingN -= len(b.w.Claimed)
	if err := named(b.tx, b.w.Missing); err != nil {
		return err
	}
	return named(b.tx, b.w.Claimed)
}
