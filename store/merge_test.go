package store_test

import (
	"fmt"
	"testing"
	"time"

	"elicense/store"
	"elicense/store/storetest"
)

// found counts the records that are found by a license.
func found(t *testing.T, db *store.DB, license int) (n int) {
	t.Helper()
	view(t, db, func(tx *store.Tx) error {
		list, _, err := tx.Records(store.ByLicense, fmt.Sprint("license", license), store.Page{}, 10_000)
		n = len(list)
		return err
	})
	return n
}

// Long runs are merged while others go on storing records; wherever a merge breaks
// off, everything is found before, after and once it is done again, and nothing is
// left that no run leads to.
func TestLongRunsAreMergedAside(t *testing.T) {
	const licenses, commits, each = 64, 4, 256
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		var failing storetest.Failing
		cfg.Fault = failing.Fault
		stored := 0
		var db *store.DB
		check := func(where string, license int) {
			t.Helper()
			// The records go round the licenses.
			if n, want := found(t, db, license), (stored-license+licenses-1)/licenses; n != want {
				t.Errorf("%s: %d records of license %d are found, want %d", where, n, license, want)
			}
		}
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
		// The new rows are announced and written, the run is exchanged by the fourth
		// commit, and the old rows are swept.
		for kind, steps := range map[store.StepKind][]int{store.StepStatement: {3, 6, 12, 20}, store.StepCommit: {2, 4, 6}} {
			for _, n := range steps {
				for range commits {
					add(each)
				}
				failing.Arm(kind, n, []store.Fault{store.FaultBefore, store.FaultAfter}[n/2%2])
				_, err := db.MergeAside(ctx)
				failing.Arm(kind, 0, store.FaultNone)
				if err == nil {
					t.Fatalf("a merge has no step %d of kind %d", n, kind)
				}
				if n%3 == 0 {
					open()
				}
				add(3)
				check(fmt.Sprintf("step %d of kind %d failed", n, kind), n)
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
		check("merged", 0)
		check("merged", licenses-1)
		noFindings(t, db)
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
