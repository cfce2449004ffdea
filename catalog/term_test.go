package catalog_test

import (
	"testing"
	"time"

	"elicense"
	"elicense/calendar"
	"elicense/catalog"
	"elicense/e2e/world"
	"elicense/notice"
	"elicense/workday"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// state waits until a version is in a state, or the time is up.
func state(t *testing.T, w *world.World, code elicense.TypeCode, version int, want catalog.State) *catalog.Type {
	t.Helper()
	var got *catalog.Type
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		var err error
		got, err = w.Catalog.Version(t.Context(), code, version)
		must(t, err)
		if got.State == want {
			return got
		}
	}
	t.Fatalf("%s/%d is %s, want %s", code, version, got.State, want)
	return nil
}

func named(code elicense.TypeCode, name string) *catalog.Type {
	t := world.FoodType()
	t.Code, t.Name = code, name
	return t
}

// What the administration has not decided within a working day publishes itself,
// and the delay is the administration's; a duplicate never does.
func TestWhatIsNotCheckedPublishesItself(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		left := named("11350102FJDEM0275F002", "小餐饮登记证")
		same := named("11350102FJDEM0275F003", "食品经营（许可证）")
		decided := named("11350102FJDEM0275F004", "食品摊贩登记卡")
		for _, x := range []*catalog.Type{left, same, decided} {
			must(t, w.Catalog.Propose(ctx, w.Drafter, x))
		}
		must(t, w.Catalog.Decide(ctx, w.Admin, decided.Code, 1, false, "照面不全"))
		due := time.Date(2026, 3, 12, 0, 0, 0, 0, workday.Zone) // proposed on Tuesday, the 10th
		terms, err := w.Catalog.Terms(ctx)
		must(t, err)
		if len(terms) != 2 || !terms[left.Code].Equal(due) {
			t.Fatalf("terms %v, want %s", terms, due)
		}
		w.Clock.Set(due.Add(-time.Second))
		time.Sleep(500 * time.Millisecond) // of the queue, which looks every 200 ms
		state(t, w, left.Code, 1, catalog.Proposed)

		w.Clock.Set(due)
		got := state(t, w, left.Code, 1, catalog.Published)
		if got.Decider != "" {
			t.Errorf("decided by %q, want nobody", got.Decider)
		}
		for _, who := range []*elicense.Actor{w.Drafter, w.Admin} {
			w.Told(t, who, "type-lapsed")
		}
		w.Told(t, w.Admin, "type-overdue")
		state(t, w, same.Code, 1, catalog.Proposed)
		state(t, w, decided.Code, 1, catalog.Returned)
		figures, err := w.Catalog.CheckFigures(ctx)
		must(t, err)
		// The world's own type and the returned one were decided in time.
		if want := (catalog.CheckMonth{Month: "2026-03", InTime: 2, Lapsed: 1, Open: 1}); len(figures) != 1 || figures[0] != want {
			t.Errorf("figures %+v, want %+v", figures, want)
		}
		must(t, w.Catalog.Decide(ctx, w.Admin, same.Code, 1, false, "与已有类别同名"))
		figures, err = w.Catalog.CheckFigures(ctx)
		must(t, err)
		if want := (catalog.CheckMonth{Month: "2026-03", InTime: 2, Lapsed: 1, Late: 1}); figures[0] != want {
			t.Errorf("figures %+v, want %+v", figures[0], want)
		}
		w.Fsck(t)
	})
}

// A new version that publishes itself replaces the one before, and a day on which
// nobody works moves the end of the term.
func TestATyphoonMovesTheTermOfACheck(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		must(t, w.Catalog.Propose(ctx, w.Drafter, world.FoodType()))
		keeper := &calendar.Keeper{DB: w.DB, Guard: w.Guard}
		must(t, keeper.Declare(ctx, w.Admin, workday.Special{Day: "2026-03-11", Free: true, Name: "防御台风停工停业", Doc: "榕防指〔2026〕7号"}))
		due := time.Date(2026, 3, 13, 0, 0, 0, 0, workday.Zone)
		for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
			terms, err := w.Catalog.Terms(ctx)
			must(t, err)
			if terms[world.Type].Equal(due) {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("terms %v, want %s", terms, due)
			}
		}
		w.Clock.Set(due.Add(-24 * time.Hour))
		time.Sleep(500 * time.Millisecond)
		state(t, w, world.Type, 2, catalog.Proposed)
		w.Clock.Set(due)
		state(t, w, world.Type, 2, catalog.Published)
		state(t, w, world.Type, 1, catalog.Replaced)
		w.Fsck(t)
	})
}

// A unit is reminded of an entry nobody has confirmed, after six and after twelve
// months, once each; one click confirms it.
func TestUnitsAreRemindedToConfirm(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		must(t, w.Catalog.Resume(ctx))
		told := func(want int) {
			t.Helper()
			n := 0
			for end := time.Now().Add(time.Minute); time.Now().Before(end) && n < want; time.Sleep(10 * time.Millisecond) {
				list, err := notice.NewBox(w.DB).List(ctx, w.Drafter, 100)
				must(t, err)
				n = 0
				for _, x := range list {
					if x.Kind == "type-confirm" {
						n++
					}
				}
			}
			if n != want {
				t.Errorf("reminded %d times, want %d", n, want)
			}
		}
		days := func(n int) {
			for range n {
				w.Clock.Move(24 * time.Hour)
			}
		}
		days(190)
		told(1)
		old, err := w.Catalog.Unconfirmed(ctx)
		must(t, err)
		if len(old) != 1 || old[0].Code != world.Type {
			t.Errorf("unconfirmed %v", old)
		}
		days(1)
		time.Sleep(500 * time.Millisecond)
		told(1)
		days(180)
		told(2)
		for _, who := range []*elicense.Actor{w.Admin, w.Matters, w.Holder} {
			if err := w.Catalog.Confirm(ctx, who, world.Type); !elicense.IsKind(err, elicense.Forbidden) {
				t.Errorf("%s confirms: %v", who.Name, err)
			}
		}
		must(t, w.Catalog.Confirm(ctx, w.Drafter, world.Type))
		if old, err = w.Catalog.Unconfirmed(ctx); err != nil || len(old) != 0 {
			t.Errorf("unconfirmed after it was confirmed: %v, %v", old, err)
		}
		days(190)
		told(3)
		w.Fsck(t)
	})
}

func TestTypesAreFoundAsPeopleAskForThem(t *testing.T) {
	w := world.OnSQLite(t)
	for typed, want := range map[string]int{"": 1, "食品经营": 1, "spjy": 1, "SPJY": 1, "0275f001": 1, "食品流通许可证": 1, "餐饮服务许可证（副本）": 1, "食品生产许可证": 0, "xyz": 0} {
		list, err := w.Catalog.Search(t.Context(), typed)
		must(t, err)
		if len(list) != want {
			t.Errorf("%q finds %d, want %d", typed, len(list), want)
		}
	}
}
