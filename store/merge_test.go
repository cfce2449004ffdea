package store_test

import (
	"fmt"
	"testing"
	"time"

	"elicense/store"
	"elicense/store/storetest"
)

// foundByAll looks each license of the records up and counts what is found.
func foundByAll(t *testing.T, db *store.DB, licenses int) (n int) {
	t.Helper()
	view(t, db, func(tx *store.Tx) error {
		for i := range licenses {
			list, _, err := tx.Records(store.ByLicense, fmt.Sprint("license", i), store.Page{}, 10_000)
			if err != nil {
				return err
			}
			n += len(list)
		}
		return nil
	})
	return n
}

// Long runs are merged while others go on storing records; wherever a merge breaks
// off, everything is found before, after and once it is done again, and nothing is
// left that no run leads to.
func TestLongRunsAreMergedAside(t *testing.T) {
	const licenses, commits, each = 7, 4, 256
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		var failing storetest.Failing
		cfg.Fault = failing.Fault
		stored := 0
		var db *store.DB
		open := func() {
			t.Helper()
			if db != nil {
				if err := db.Close(); err != nil {
					t.Fatal(err)
				}
			}
			db = storetest.Open(t, cfg)
			db.StopMerger()
		}
		add := func(n int) {
			t.Helper()
			list := make([]store.Record, n)
			for i := range list {
				list[i] = store.Record{Act: "read", Outcome: store.Done, License: fmt.Sprint("license", (stored+i)%licenses), Actor: "a", Unit: "u"}
			}
			record(t, db, list...)
			stored += n
		}
		open()
		steps := map[store.StepKind]int{}
		for _, kind := range []store.StepKind{store.StepStatement, store.StepCommit} {
			for n, before := 1, 1; ; n, before = n+before, n {
				for range commits {
					add(each)
				}
				failing.Arm(kind, n, []store.Fault{store.FaultBefore, store.FaultAfter}[n%2])
				merged, err := db.MergeAside(ctx)
				failing.Arm(kind, 0, store.FaultNone)
				if err == nil {
					if !merged {
						t.Fatal("nothing was due")
					}
					steps[kind] = before
					break
				}
				if n%3 == 2 {
					open()
				}
				add(3)
				if n := foundByAll(t, db, licenses); n != stored {
					t.Errorf("step %d of kind %d failed: %d records of %d are found", n, kind, n, stored)
				}
				for merged := true; merged; {
					if merged, err = db.MergeAside(ctx); err != nil {
						t.Fatalf("after step %d of kind %d: %v", n, kind, err)
					}
				}
				if n := count(t, db, "SELECT COUNT(*) FROM record_sweep") + count(t, db, `SELECT COUNT(*) FROM record_part p
					WHERE NOT EXISTS (SELECT parts FROM record_run r WHERE r.shard = p.shard AND r.parts = p.first)`); n != 0 {
					t.Errorf("%d rows are left that no run leads to", n)
				}
			}
		}
		if n := foundByAll(t, db, licenses); n != stored {
			t.Errorf("%d records of %d are found", n, stored)
		}
		noFindings(t, db)
		if steps[store.StepStatement] < 8 || steps[store.StepCommit] < 4 {
			t.Errorf("steps that failed: %v", steps)
		}
		if n := count(t, db, "SELECT COUNT(*) FROM record_run"); n > 24 {
			t.Errorf("%d runs of %d records", n, stored)
		}
	})
}

// The merger does so by itself.
func TestTheMergerIsWoken(t *testing.T) {
	db := storetest.New(t)
	for range 4 {
		fill(t, db, 300)
	}
	for began := time.Now(); count(t, db, "SELECT COUNT(*) FROM record_run WHERE size = 1200") != 1; time.Sleep(5 * time.Millisecond) {
		if time.Since(began) > time.Minute {
			t.Fatal("nobody merges")
		}
	}
	noFindings(t, db)
}
