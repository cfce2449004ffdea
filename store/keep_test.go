package store_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"elicense/store"
	"elicense/store/storetest"
)

// putCount writes a row that holds a number.
func putCount(tx *store.Tx, name string, n int) error {
	_, err := tx.Exec(`INSERT INTO job (kind, key, state, due, claims, attempts, most, again, payload, reason, created)
		VALUES ($1, 'k', 'dead', NULL, $2, 0, 1, FALSE, $3, '', 0) ON CONFLICT (kind, key) DO UPDATE SET claims = excluded.claims`, name, n, []byte{})
	return err
}

// readCount reads it, 0 if there is none.
func readCount(tx *store.Tx, name string) (n int, err error) {
	err = tx.Row("SELECT claims FROM job WHERE kind = $1", name).Scan(&n)
	if errors.Is(err, store.ErrNoRow) {
		return 0, nil
	}
	return n, err
}

func keptCount(tx *store.Tx, name string) (int, error) {
	return store.Keep(tx, "count "+name, func() (int, error) { return readCount(tx, name) })
}

// TestWhatIsKeptEndsWhenARowOfItChanges reads a number through Keep: records and
// changes of other rows leave it, a change of its own row ends it, and an Update
// reads for itself.
func TestWhatIsKeptEndsWhenARowOfItChanges(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		db := storetest.Open(t, cfg)
		ctx := t.Context()
		reads := 0
		look := func(want, wantReads int) {
			t.Helper()
			err := db.ViewAgain(ctx, func(tx *store.Tx) error {
				n, err := store.Keep(tx, "a", func() (int, error) { reads++; return readCount(tx, "a") })
				if err != nil || n != want {
					t.Errorf("%d, want %d: %v", n, want, err)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			if db.Alone() && reads != wantReads {
				t.Errorf("%d reads, want %d", reads, wantReads)
			}
		}
		set := func(name string, n int) func(*store.Tx) error {
			return func(tx *store.Tx) error { return putCount(tx, name, n) }
		}
		do := func(fn func(*store.Tx) error) {
			t.Helper()
			if err := db.Update(ctx, fn); err != nil {
				t.Fatal(err)
			}
		}
		look(0, 1)
		look(0, 1)
		if _, err := db.Record(ctx, store.Record{Act: "check", Outcome: store.Done}); err != nil {
			t.Fatal(err)
		}
		do(set("b", 7))
		look(0, 1)
		do(func(tx *store.Tx) error {
			if err := putCount(tx, "a", 1); err != nil {
				return err
			}
			if n, err := keptCount(tx, "a"); err != nil || n != 1 {
				t.Errorf("inside the change: %d: %v", n, err)
			}
			return nil
		})
		look(1, 2)
		do(set("a", 2))
		look(2, 3)
		do(func(tx *store.Tx) error { _, err := tx.Exec("DELETE FROM job"); return err })
		look(0, 4)
		do(set("a", 3))
		look(3, 5)
		do(func(tx *store.Tx) error { _, err := tx.Exec("UPDATE job SET kind = 'c' WHERE kind = 'a'"); return err })
		look(0, 6)
	})
}

// TestWhatRestsOnTheRecordIsNotKept counts records, whose rows nobody watches.
func TestWhatRestsOnTheRecordIsNotKept(t *testing.T) {
	db := storetest.Open(t, storetest.Config(t))
	for want := range uint64(3) {
		err := db.ViewAgain(t.Context(), func(tx *store.Tx) error {
			n, err := store.Keep(tx, "outer", func() (uint64, error) { return store.Keep(tx, "inner", tx.CountRecords) })
			if err != nil || n != want {
				t.Errorf("%d records, want %d: %v", n, want, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Record(t.Context(), store.Record{Act: "check", Outcome: store.Done}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestNothingIsKeptToInspect: fsck reads what is stored, each time.
func TestNothingIsKeptToInspect(t *testing.T) {
	cfg := storetest.Config(t)
	if err := storetest.Open(t, cfg).Close(); err != nil {
		t.Fatal(err)
	}
	cfg.Inspect = true
	db := storetest.Open(t, cfg)
	reads := 0
	for range 2 {
		err := db.ViewAgain(t.Context(), func(tx *store.Tx) error {
			_, err := store.Keep(tx, "a", func() (int, error) { reads++; return readCount(tx, "a") })
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if reads != 2 {
		t.Errorf("%d reads of 2", reads)
	}
}

// TestKeptTakesNoStatement asserts the work: what is kept is answered without the
// database.
func TestKeptTakesNoStatement(t *testing.T) {
	failing := &storetest.Failing{}
	cfg := storetest.Config(t)
	cfg.Fault = failing.Fault
	db := storetest.Open(t, cfg)
	for _, want := range []int{3, 0, 0} {
		failing.Arm(store.StepStatement, 0, store.FaultNone)
		err := db.ViewAgain(t.Context(), func(tx *store.Tx) error {
			for i := range 3 {
				if _, err := keptCount(tx, fmt.Sprint(i)); err != nil {
					return err
				}
			}
			return nil
		})
		if n := failing.Count(store.StepStatement); err != nil || n != want {
			t.Errorf("%d statements, want %d: %v", n, want, err)
		}
	}
}

// TestKeptAfterAFailedChange has a change fail in every way there is: what is read
// through Keep is what the database holds.
func TestKeptAfterAFailedChange(t *testing.T) {
	failing := &storetest.Failing{}
	cfg := storetest.Config(t)
	cfg.Fault = failing.Fault
	db := storetest.Open(t, cfg)
	ctx, n := t.Context(), 0
	check := func(how string) {
		t.Helper()
		var now, keeps int
		err := db.View(ctx, func(tx *store.Tx) (err error) { now, err = readCount(tx, "a"); return err })
		if err == nil {
			err = db.ViewAgain(ctx, func(tx *store.Tx) (err error) { keeps, err = keptCount(tx, "a"); return err })
		}
		if err != nil || now != keeps {
			t.Errorf("after %s: %d is kept, %d is stored: %v", how, keeps, now, err)
		}
	}
	set := func(tx *store.Tx) error { n++; return putCount(tx, "a", n) }
	check("nothing")
	for range 3 {
		if err := db.Update(ctx, set); err != nil {
			t.Fatal(err)
		}
		check("a change")
		db.Update(ctx, func(tx *store.Tx) error { return errors.Join(set(tx), errors.New("no")) })
		check("an error of the closure")
		err := db.Update(ctx, func(tx *store.Tx) error {
			tx.Savepoint(func() error { return errors.Join(set(tx), errors.New("no")) })
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		check("an undone step")
		for _, how := range []store.Fault{store.FaultBefore, store.FaultAfter} {
			for _, kind := range []store.StepKind{store.StepStatement, store.StepCommit} {
				failing.Arm(kind, 1, how)
				if err := db.Update(ctx, set); err == nil {
					t.Error("the change did not fail")
				}
				failing.Arm(kind, 0, how)
				check(fmt.Sprintf("fault %d of step %d", how, kind))
			}
		}
	}
}

// TestKeptIsOfTheSnapshot has writers move amounts between rows, whose sum never
// changes, and readers add them up: kept, from the database, and both in turn. In
// one transaction the two must be the same, the sum whole, and nobody sees less
// than what was done before he began.
func TestKeptIsOfTheSnapshot(t *testing.T) {
	db := storetest.Open(t, storetest.Config(t))
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	const rows, each, rounds = 6, 1000, 400
	name := func(i int) string { return fmt.Sprint("row ", i) }
	err := db.Update(ctx, func(tx *store.Tx) error {
		for i := range rows {
			if err := putCount(tx, name(i), each); err != nil {
				return err
			}
		}
		return putCount(tx, "turn", 0)
	})
	if err != nil {
		t.Fatal(err)
	}
	var done atomic.Int64 // turns that have been answered
	var writers, readers sync.WaitGroup
	for w := range 2 {
		writers.Go(func() {
			draw := rand.New(rand.NewPCG(uint64(w), 7))
			for range rounds {
				a, b := draw.IntN(rows), draw.IntN(rows)
				fails := draw.IntN(4) == 0
				var turn int
				err := db.Update(ctx, func(tx *store.Tx) error {
					var err error
					if turn, err = readCount(tx, "turn"); err != nil {
						return err
					}
					turn++
					for _, m := range []struct{ row, by int }{{a, -1}, {b, 1}} {
						n, err := readCount(tx, name(m.row))
						if err == nil {
							err = putCount(tx, name(m.row), n+m.by)
						}
						if err != nil {
							return err
						}
					}
					if fails {
						return errors.New("undone")
					}
					return putCount(tx, "turn", turn)
				})
				if err == nil {
					for {
						if n := done.Load(); n >= int64(turn) || done.CompareAndSwap(n, int64(turn)) {
							break
						}
					}
				}
			}
		})
	}
	for r := range 4 {
		readers.Go(func() {
			draw := rand.New(rand.NewPCG(uint64(r), 8))
			view := []func(context.Context, func(*store.Tx) error) error{db.View, db.ViewAgain}[r%2]
			for ctx.Err() == nil {
				order, first := draw.Perm(rows), draw.IntN(rows+1)
				before := done.Load()
				err := view(ctx, func(tx *store.Tx) error {
					turn, err := keptCount(tx, "turn")
					if err != nil {
						return err
					}
					if int64(turn) < before {
						t.Errorf("turn %d is seen after %d was answered", turn, before)
					}
					sum := 0
					var got [rows]int
					for at, i := range order {
						get := keptCount
						if at > first && draw.IntN(2) == 0 {
							get = readCount
						}
						if got[i], err = get(tx, name(i)); err != nil {
							return err
						}
						sum += got[i]
					}
					if sum != rows*each {
						return fmt.Errorf("the sum is %d", sum)
					}
					if draw.IntN(2) == 0 {
						return nil // all of it may have been kept
					}
					for i, want := range got {
						if n, err := readCount(tx, name(i)); err != nil || n != want {
							return fmt.Errorf("row %d is %d, %d was kept: %w", i, n, want, err)
						}
					}
					if n, err := readCount(tx, "turn"); err != nil || n != turn {
						return fmt.Errorf("turn is %d, %d was kept: %w", n, turn, err)
					}
					return nil
				})
				if err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	stop()
	readers.Wait()
}
