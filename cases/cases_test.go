package cases_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"elicense"
	"elicense/cases"
	"elicense/e2e/world"
	"elicense/store"
	"elicense/store/storetest"
)

func each(t *testing.T, f func(t *testing.T, w *world.World, failing *storetest.Failing)) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		clock, failing := storetest.NewClock(), &storetest.Failing{}
		cfg.Now, cfg.Fault = clock.Now, failing.Fault
		f(t, world.New(t, cfg, clock), failing)
	})
}

// one runs a test on SQLite alone: no database decides.
func one(t *testing.T, f func(t *testing.T, w *world.World)) {
	cfg, clock := storetest.Config(t), storetest.NewClock()
	cfg.Now = clock.Now
	f(t, world.New(t, cfg, clock))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func entered(change func(*cases.NewCase)) cases.NewCase {
	n := cases.NewCase{Number: " 收1 ", Matter: world.Matter, Parties: []cases.Party{
		{Role: "申请人", Ref: world.Firm, Proof: cases.ProofLicense}, {Role: "经办人", Ref: world.Person, Proof: cases.ProofCard},
	}}
	change(&n)
	return n
}

func TestACaseKeepsWhoProvedWhom(t *testing.T) {
	each(t, func(t *testing.T, w *world.World, _ *storetest.Failing) {
		made, err := w.Cases.Start(t.Context(), w.Window, entered(func(n *cases.NewCase) { n.Parties[1].Ref.Code = " 350100198506120117 " }))
		must(t, err)
		k, m, err := w.Cases.Get(t.Context(), w.Window, made.ID)
		must(t, err)
		if k.Number != "收1" || k.Purpose != m.Name || k.MatterVersion != m.Version || !k.Open() || !k.Opened.Equal(w.Clock.Now()) || !k.Closed.IsZero() {
			t.Errorf("%+v", k)
		}
		for i, p := range k.Parties {
			if p.Place != i || p.ProvenBy != w.Window.Person || !p.Proven.Equal(w.Clock.Now()) || !elicense.ValidID(p.Holder) {
				t.Errorf("party %d: %+v", i, p)
			}
		}
		if k.Parties[0].Proof != cases.ProofLicense || k.Parties[1].Ref.Code != world.Person.Code {
			t.Errorf("%+v", k.Parties)
		}
		w.Clock.Move(time.Hour)
		must(t, w.Cases.Close(t.Context(), w.Window, k.ID))
		k, _, err = w.Cases.Get(t.Context(), w.Window, k.ID)
		must(t, err)
		if k.Open() || !k.Closed.Equal(w.Clock.Now()) || k.Seq != 2 {
			t.Errorf("%+v", k)
		}
		w.Fsck(t)
	})
}

func TestWhatIsEnteredIsCheckedByItsField(t *testing.T) {
	one(t, func(t *testing.T, w *world.World) {
		many := make([]cases.Party, 21)
		for i := range many {
			many[i] = cases.Party{Ref: world.Firm, Proof: cases.ProofCard}
		}
		for _, tc := range []struct {
			name, field string
			kind        elicense.Kind
			change      func(*cases.NewCase)
		}{
			{"no such matter", "matterCode", elicense.NotFound, func(n *cases.NewCase) { n.Matter = "M99" }},
			{"a number too long", "number", elicense.Invalid, func(n *cases.NewCase) { n.Number = strings.Repeat("收", 65) }},
			{"a number of two lines", "number", elicense.Invalid, func(n *cases.NewCase) { n.Number = "收\n1" }},
			{"a number with a NUL", "number", elicense.Invalid, func(n *cases.NewCase) { n.Number = "收\x001" }},
			{"a purpose too long", "purpose", elicense.Invalid, func(n *cases.NewCase) { n.Purpose = strings.Repeat("办", 201) }},
			{"a role too long", "parties.2.role", elicense.Invalid, func(n *cases.NewCase) { n.Parties[1].Role = strings.Repeat("人", 21) }},
			{"a wrong check character", "parties.2.code", elicense.Invalid, func(n *cases.NewCase) { n.Parties[1].Ref.Code = "350100198506120118" }},
			{"no name", "parties.1.name", elicense.Invalid, func(n *cases.NewCase) { n.Parties[0].Ref.Name = " " }},
			{"too many parties", "parties", elicense.TooLarge, func(n *cases.NewCase) { n.Parties = many }},
		} {
			k, err := w.Cases.Start(t.Context(), w.Window, entered(tc.change))
			var e *elicense.Error
			if !errors.As(err, &e) || e.Kind != tc.kind || e.Field != tc.field || k != nil {
				t.Errorf("%s: %v at %+v", tc.name, err, e)
			}
		}
		if mine, err := w.Cases.Mine(t.Context(), w.Window, 10); err != nil || len(mine) != 0 {
			t.Errorf("%d cases of wrong entries, %v", len(mine), err)
		}
	})
}

// TestACaseIsOpenedWholeOrNotAtAll has every statement and the commit of an
// opening fail in both ways.
func TestACaseIsOpenedWholeOrNotAtAll(t *testing.T) {
	each(t, func(t *testing.T, w *world.World, failing *storetest.Failing) {
		open := func(number string) error {
			_, err := w.Cases.Start(t.Context(), w.Window, entered(func(n *cases.NewCase) { n.Number = number }))
			return err
		}
		must(t, open("first")) // the parties are known from here on
		counts := func() (cases, parties, records int) {
			must(t, w.DB.View(t.Context(), func(tx *store.Tx) error {
				if err := tx.Row(`SELECT COUNT(*) FROM office_case`).Scan(&cases); err != nil {
					return err
				}
				if err := tx.Row(`SELECT COUNT(*) FROM case_party`).Scan(&parties); err != nil {
					return err
				}
				list, err := tx.NewestRecords(100_000)
				for _, r := range list {
					if r.Case != "" {
						records++
					}
				}
				return err
			}))
			return cases, parties, records
		}
		for _, kind := range []store.StepKind{store.StepStatement, store.StepCommit} {
			failing.Arm(kind, 0, store.FaultNone)
			must(t, open(fmt.Sprint("count", kind)))
			steps := failing.Count(kind)
			for n := 1; n <= steps; n++ {
				for _, how := range []store.Fault{store.FaultBefore, store.FaultAfter} {
					failing.Arm(kind, n, how)
					// nil when the step that failed was one of the job queue's.
					if err := open(fmt.Sprint(kind, n, how)); err != nil && !elicense.IsKind(err, elicense.Unavailable) {
						t.Errorf("step %d of kind %d, fault %d: %v", n, kind, how, err)
					}
					failing.Arm(kind, 0, store.FaultNone)
					if c, p, r := counts(); p != 2*c || r != c {
						t.Errorf("step %d of kind %d, fault %d: %d cases, %d parties, %d records", n, kind, how, c, p, r)
					}
				}
			}
		}
		w.Fsck(t)
	})
}

func TestACaseIsClosedOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world.World, _ *storetest.Failing) {
		k := w.OpenCase(t)
		for name, who := range map[string]*elicense.Actor{"a colleague": w.Colleague, "the issuer": w.Drafter, "a holder": w.Holder, "anyone": elicense.Anyone("r")} {
			if err := w.Cases.Close(t.Context(), who, k.ID); !elicense.IsKind(err, elicense.Forbidden) {
				t.Errorf("%s closes the case: %v", name, err)
			}
		}
		failures := make([]error, 6)
		var wg sync.WaitGroup
		for i := range failures {
			wg.Go(func() { failures[i] = w.Cases.Close(t.Context(), w.Window, k.ID) })
		}
		wg.Wait()
		closed := 0
		for _, err := range failures {
			if err == nil {
				closed++
			} else if !elicense.IsKind(err, elicense.Conflict) {
				t.Error(err)
			}
		}
		if closed != 1 {
			t.Errorf("closed %d times", closed)
		}
		must(t, w.DB.View(t.Context(), func(tx *store.Tx) error {
			open, err := cases.OpenOf(tx, k.Parties[0].Holder)
			if len(open) != 0 {
				t.Errorf("%d open cases of the holder", len(open))
			}
			return err
		}))
	})
}

// TestACaseThatWasChangedIsNotBelieved changes what decides who may see what.
func TestACaseThatWasChangedIsNotBelieved(t *testing.T) {
	each(t, func(t *testing.T, w *world.World, _ *storetest.Failing) {
		k := w.OpenCase(t)
		other, err := w.Cases.Start(t.Context(), w.Window, entered(func(*cases.NewCase) {}))
		must(t, err)
		for _, tc := range []struct{ what, change, undo string }{
			{"its clerk", `UPDATE office_case SET clerk = '` + string(w.Colleague.Account) + `' WHERE id = $1`, `UPDATE office_case SET clerk = '` + string(w.Window.Account) + `' WHERE id = $1`},
			{"its state", `UPDATE office_case SET state = 'closed' WHERE id = $1`, `UPDATE office_case SET state = 'open' WHERE id = $1`},
			{"its purpose", `UPDATE office_case SET purpose = 'x' WHERE id = $1`, `UPDATE office_case SET purpose = '烟草专卖零售许可' WHERE id = $1`},
			{"a party's proof", `UPDATE case_party SET proof = 'card' WHERE case_id = $1`, `UPDATE case_party SET proof = 'e-license' WHERE case_id = $1`},
			{"a party", `UPDATE case_party SET holder_key = '` + string(other.Parties[1].Holder) + `' WHERE case_id = $1`, `UPDATE case_party SET holder_key = '` + string(k.Parties[0].Holder) + `' WHERE case_id = $1`},
		} {
			change := func(q string) {
				must(t, w.DB.Update(t.Context(), func(tx *store.Tx) error {
					n, err := tx.Exec(q, k.ID)
					if n != 1 {
						t.Errorf("%s: %d rows", tc.what, n)
					}
					return err
				}))
			}
			change(tc.change)
			for name, who := range map[string]*elicense.Actor{"its clerk": w.Window, "a colleague": w.Colleague} {
				if got, _, err := w.Cases.Get(t.Context(), who, k.ID); !errors.Is(err, store.ErrTampered) || got != nil {
					t.Errorf("%s was changed, %s reads: %v", tc.what, name, err)
				}
			}
			if f := w.Findings(t); len(f) != 1 || f[0].Kind != "case" || f[0].Where != string(k.ID) {
				t.Errorf("%s was changed: fsck finds %v", tc.what, f)
			}
			change(tc.undo)
		}
		w.Fsck(t)
	})
}

// TestNumbersOfTheDay: a case without a number gets one nobody has, also when the
// first that comes is taken, and as many as a day can bring are all different.
func TestNumbersOfTheDay(t *testing.T) {
	late := time.Date(2026, 11, 23, 16, 30, 0, 0, time.UTC) // the next day in Shanghai
	id := elicense.NewID[elicense.CaseID](late)
	free := func(string) (bool, error) { return false, nil }
	first, err := cases.FreeNumber(late, id, free)
	if err != nil || !regexp.MustCompile(`^20261124-[0-9A-Z]{8}$`).MatchString(first) {
		t.Fatalf("%s, %v", first, err)
	}
	asked := 0
	next, err := cases.FreeNumber(late, id, func(number string) (bool, error) { asked++; return number == first, nil })
	if err != nil || next == first || asked != 2 {
		t.Errorf("%s behind %s, asked %d times, %v", next, first, asked, err)
	}
	wrong := errors.New("broken")
	if _, err := cases.FreeNumber(late, id, func(string) (bool, error) { return false, wrong }); !errors.Is(err, wrong) {
		t.Errorf("%v", err)
	}
	// Of 28 random bits, as there once were, some six of 60,000 numbers are taken; of 40
	// one, on one such day in six hundred.
	seen, met := map[string]bool{}, 0
	for range 60_000 {
		number, err := cases.FreeNumber(late, elicense.NewID[elicense.CaseID](late), func(number string) (bool, error) {
			if seen[number] {
				met++
			}
			return seen[number], nil
		})
		if err != nil || seen[number] {
			t.Fatalf("%s came twice, %v", number, err)
		}
		seen[number] = true
	}
	if met > 3 {
		t.Errorf("%d of 60,000 numbers were taken", met)
	}
}
