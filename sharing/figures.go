package sharing

import (
	"context"
	"time"

	"elicense"
	"elicense/access"
	"elicense/cases"
	"elicense/store"
)

// Figures say how far use without paper has come in a time (Art. 4, 12, 19). Each
// can be counted again from the rows it is made of.
type Figures struct {
	From, To elicense.Date // both days count
	Units    []UnitFigures // the busiest first
	Matters  []PaperLine   // paper anyway by unit, matter, clerk and reason, the most first
	Refusals []RefusalLine // by unit and rule, the most first
	All      UnitFigures
}

// UnitFigures are the figures of one unit.
type UnitFigures struct {
	Unit    elicense.UnitCode
	Name    string
	Cases   int
	Online  int // applied for online
	Could   int // materials a license of the platform could meet
	Met     int // of those, met by one
	Paper   int // paper anyway
	Reasons map[cases.PaperReason]int
	Looks   int // license types opened in cases
	Refused int
	Tickets int // reported missing or wrong
}

// Free is the share of materials that were met by a license of those that could
// (免提交率), in percent; -1 where there was none.
func (f UnitFigures) Free() int { return percent(f.Met, f.Could) }

// OnlineShare is the share of cases applied for online, in percent; -1 where there
// was none.
func (f UnitFigures) OnlineShare() int { return percent(f.Online, f.Cases) }

func percent(n, of int) int {
	if of == 0 {
		return -1
	}
	return (n*100 + of/2) / of
}

// PaperLine counts paper that was asked for although a license could have met it.
type PaperLine struct {
	Unit     elicense.UnitCode
	UnitName string
	Matter   elicense.MatterCode
	Clerk    string
	Reason   cases.PaperReason
	N        int
}

// RefusalLine counts refusals.
type RefusalLine struct {
	Unit     elicense.UnitCode
	UnitName string
	Rule     string
	N        int
}

// Figures counts the days from and to, of one unit or of all if unit is empty.
//
// Errors: Invalid for days that are none; Forbidden to who may see them for his
// own unit only.
func (s *Sharing) Figures(ctx context.Context, actor *elicense.Actor, unit elicense.UnitCode, from, to elicense.Date) (*Figures, error) {
	for field, day := range map[string]elicense.Date{"from": from, "to": to} {
		if _, err := elicense.ParseDate(string(day)); err != nil {
			return nil, elicense.E(elicense.Invalid, "日期要写成2026-11-23的样子").At(field).Because(err)
		}
	}
	build := func(*store.Tx) (access.Request, error) {
		return access.Request{
			Actor: actor, Act: access.FiguresRead, On: access.Thing{Kind: "Figures", ID: "use", Attr: access.Attr{"unit": string(unit)}},
			Note: access.Note{Detail: map[string]string{"from": string(from), "to": string(to)}},
		}, nil
	}
	f, _, err := access.Get(ctx, s.guard, build, func(tx *store.Tx, _ *access.Permit) (*Figures, error) {
		c := counting{tx: tx, unit: unit, from: from.Start(), to: to.End(), by: map[elicense.UnitCode]*UnitFigures{}}
		f := &Figures{From: from, To: to}
		for _, count := range []func() error{c.cases, c.materials, c.looks, c.tickets} {
			if err := count(); err != nil {
				return nil, err
			}
		}
		var err error
		if f.Refusals, err = c.refusals(from, to); err != nil {
			return nil, err
		}
		if f.Matters, err = c.paper(); err != nil {
			return nil, err
		}
		for i := range f.Refusals {
			f.Refusals[i].UnitName = s.unitName(tx, f.Refusals[i].Unit)
		}
		for i := range f.Matters {
			f.Matters[i].UnitName = s.unitName(tx, f.Matters[i].Unit)
		}
		f.Units, f.All = c.sum(func(u elicense.UnitCode) string { return s.unitName(tx, u) })
		return f, nil
	})
	return f, err
}

// Day is what a clerk did and was refused on one day, for himself.
type Day struct {
	Opened   int
	Uses     int
	Missing  int // licenses he reported missing
	Refusals []Refused
}

// Refused is one refusal of the day.
type Refused struct {
	At   time.Time
	Act  string
	Rule string // of the law text, or domain
	Case elicense.CaseID
	ID   elicense.RecordID
}

// maxDay bounds the records a day is made of.
const maxDay = 2000

// Day returns the actor's own day.
//
// Errors: Forbidden to who is no member of a unit's staff.
func (s *Sharing) Day(ctx context.Context, actor *elicense.Actor, day elicense.Date) (*Day, error) {
	build := func(*store.Tx) (access.Request, error) {
		return access.Request{
			Actor: actor, Act: access.FiguresRead, On: access.Thing{Kind: "Figures", ID: "day", Attr: access.Attr{"unit": string(actor.Unit)}},
			Note: access.Note{Detail: map[string]string{"day": string(day)}},
		}, nil
	}
	d, _, err := access.Get(ctx, s.guard, build, func(tx *store.Tx, _ *access.Permit) (*Day, error) {
		d := &Day{}
		list, _, err := tx.Records(store.ByActor, string(actor.Account), store.Page{}, maxDay)
		if err != nil {
			return nil, err
		}
		for _, r := range list {
			if elicense.DateOf(r.Time) != day {
				continue
			}
			switch {
			case r.Outcome == store.Refused:
				d.Refusals = append(d.Refusals, Refused{r.Time, r.Act, r.Rule, elicense.CaseID(r.Case), elicense.RecordID(r.ID)})
			case r.Act == string(access.CaseUse):
				d.Uses++
			case r.Act == string(access.CaseOpen):
				d.Opened++
			case r.Detail["act"] == "report" && r.Detail["kind"] == string(LicenseMissing):
				d.Missing++
			}
		}
		return d, nil
	})
	return d, err
}
