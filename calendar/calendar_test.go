package calendar_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"elicense"
	"elicense/calendar"
	"elicense/e2e/world"
	"elicense/store"
	"elicense/workday"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// year2027 is an invented notice of the form the State Council's have.
var year2027 = calendar.Text{
	Year: "2027", Doc: "国办发明电〔2026〕99号",
	Holidays: "元旦 2027-01-01 2027-01-03\n春节 2027-02-05 2027-02-12\n清明节 2027-04-05\n劳动节 2027-05-01 2027-05-05\n端午节 2027-06-09\n中秋节 2027-09-15\n国庆节 2027-10-01 2027-10-07",
	Working:  "2027-01-30 2027-02-20",
}

func within(t *testing.T, w *world.World, from time.Time, days int) (due time.Time, err error) {
	t.Helper()
	verr := w.DB.View(t.Context(), func(tx *store.Tx) error {
		due, err = calendar.Within(tx, from, days)
		return nil
	})
	must(t, verr)
	return due, err
}

// TestAYearWithoutANoticeHasNoTerms: a term that runs into it is an error that says
// so, until the notice is entered; the first day without one is the first of
// January.
func TestAYearWithoutANoticeHasNoTerms(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		keeper := &calendar.Keeper{DB: w.DB, Guard: w.Guard}
		from := time.Date(2026, 12, 29, 10, 0, 0, 0, workday.Zone)
		_, err := within(t, w, from, 5)
		var e *elicense.Error
		if !errors.As(err, &e) || e.Kind != elicense.Unavailable || !strings.Contains(e.Message(), "还没有导入") || !errors.Is(err, workday.ErrUnknownYear) {
			t.Fatalf("%v", err)
		}
		must(t, keeper.Announce(t.Context(), w.Admin, year2027))
		due, err := within(t, w, from, 5)
		must(t, err)
		// 12-30, 12-31, 01-04, 01-05, 01-06: the New Year's days are free.
		if want := time.Date(2027, 1, 7, 0, 0, 0, 0, workday.Zone); !due.Equal(want) {
			t.Errorf("due %s, want the end of 2027-01-06", due.In(workday.Zone))
		}
		if err := keeper.Announce(t.Context(), w.Admin, year2027); !elicense.IsKind(err, elicense.Conflict) {
			t.Errorf("entered twice: %v", err)
		}
		w.Fsck(t)
	})
}

// TestATyphoonMovesTerms: a special day needs its document and changes what it
// says; terms of cases opened after it are counted with it; ended, it counts no
// more.
func TestATyphoonMovesTerms(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		keeper := &calendar.Keeper{DB: w.DB, Guard: w.Guard}
		now := w.Clock.Now() // 2026-03-10, a Tuesday
		before, err := within(t, w, now, 5)
		must(t, err)
		stop := workday.Special{Day: "2026-03-12", Free: true, Name: "防御台风停工停业", Doc: "榕防指〔2026〕7号"}
		must(t, keeper.Declare(t.Context(), w.Admin, stop))
		after, err := within(t, w, now, 5)
		must(t, err)
		if after.Sub(before) != 24*time.Hour {
			t.Errorf("due %s before, %s after", before, after)
		}
		if k := w.OpenCase(t); !k.Due.Equal(after) {
			t.Errorf("a case opened now is due %s, want %s", k.Due, after)
		}
		list, err := keeper.List(t.Context())
		must(t, err)
		if len(list) != 1 || list[0].Name != w.Admin.Name || list[0].Special.Doc != stop.Doc {
			t.Fatalf("%+v", list)
		}
		if err := keeper.End(t.Context(), w.Admin, list[0].ID, ""); !elicense.IsKind(err, elicense.Invalid) {
			t.Errorf("ended without a reason: %v", err)
		}
		must(t, keeper.End(t.Context(), w.Admin, list[0].ID, "台风没有来"))
		again, err := within(t, w, now, 5)
		must(t, err)
		if !again.Equal(before) {
			t.Errorf("due %s after it was ended, want %s", again, before)
		}
		w.Fsck(t)
	})
}

// TestWhatIsEnteredIsChecked: nothing that does not add up, and nobody but the
// administration.
func TestWhatIsEnteredIsChecked(t *testing.T) {
	w := world.OnSQLite(t)
	keeper := &calendar.Keeper{DB: w.DB, Guard: w.Guard}
	with := func(edit func(*calendar.Text)) error {
		n := year2027
		edit(&n)
		return keeper.Announce(t.Context(), w.Admin, n)
	}
	day := func(s workday.Special) error { return keeper.Declare(t.Context(), w.Admin, s) }
	typhoon := workday.Special{Day: "2026-03-12", Free: true, Name: "停工", Doc: "1号"}
	edited := func(edit func(*workday.Special)) workday.Special {
		s := typhoon
		edit(&s)
		return s
	}
	for name, c := range map[string]struct {
		err   error
		field string
	}{
		"no document":                   {with(func(n *calendar.Text) { n.Doc = " " }), "doc"},
		"no year":                       {with(func(n *calendar.Text) { n.Year = "明年" }), "year"},
		"a line that can't be read":     {with(func(n *calendar.Text) { n.Holidays += "\n中秋" }), "holidays"},
		"a holiday of another year":     {with(func(n *calendar.Text) { n.Holidays += "\n元旦 2028-01-01" }), "holidays"},
		"a day twice":                   {with(func(n *calendar.Text) { n.Holidays += "\n春节 2027-02-12" }), "holidays"},
		"a worked day of the week":      {with(func(n *calendar.Text) { n.Working = "2027-03-01" }), "holidays"},
		"no holidays":                   {with(func(n *calendar.Text) { n.Holidays = "" }), "holidays"},
		"a year that has a notice":      {with(func(n *calendar.Text) { n.Year = "2026" }), "year"},
		"a special day without a paper": {day(edited(func(s *workday.Special) { s.Doc = "" })), "docNo"},
		"without a reason":              {day(edited(func(s *workday.Special) { s.Name = "" })), "name"},
		"that changes nothing":          {day(edited(func(s *workday.Special) { s.Day = "2026-03-14" })), "day"},
		"in a year without a notice":    {day(edited(func(s *workday.Special) { s.Day = "2031-03-12" })), "day"},
	} {
		var e *elicense.Error
		if !errors.As(c.err, &e) || e.Field != c.field {
			t.Errorf("%s: %v, want one about %s", name, c.err, c.field)
		}
	}
	for _, who := range []*elicense.Actor{w.Drafter, w.Window, w.Auditor, w.Holder} {
		if err := keeper.Declare(t.Context(), who, typhoon); !elicense.IsKind(err, elicense.Forbidden) {
			t.Errorf("%s declares a day: %v", who.Name, err)
		}
	}
	list, err := keeper.List(t.Context())
	must(t, err)
	if len(list) != 0 {
		t.Errorf("%d entries stand", len(list))
	}
}
