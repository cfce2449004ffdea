package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"elicense"
	"elicense/store"
	"elicense/store/storetest"
)

func newContext() (context.Context, context.CancelFunc) {
	return context.WithCancel(context.Background())
}

// childVariable has the test binary write to the store in that directory until
// it is killed.
const childVariable = "ELICENSE_STORE_TEST_CHILD"

func writeUntilKilled(dir string) {
	db, err := store.Open(ctx, store.Config{Dir: dir, Now: time.Now, Secret: storetest.Secret})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	for i := range 8 {
		go func() {
			for n := 0; ; n++ {
				id := fmt.Sprintf("%d-%d-%d", os.Getpid(), i, n)
				err := db.Update(ctx, func(tx *store.Tx) error {
					tx.Record(store.Record{ID: id, Act: "x", Outcome: store.Done, License: id})
					_, err := tx.Exec("INSERT INTO thing (id, n) VALUES ($1, 1)", id)
					return err
				})
				if err != nil {
					os.Exit(1)
				}
				fmt.Println(id) // acknowledged: it must be there after the kill
			}
		}()
	}
	time.Sleep(time.Minute)
	os.Exit(1)
}

func TestKilledInTheMiddle(t *testing.T) {
	t.Parallel()
	cfg := storetest.Config(t)
	db, err := store.Open(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	update(t, db, func(tx *store.Tx) error {
		_, err := tx.Exec("CREATE TABLE thing (id TEXT NOT NULL PRIMARY KEY, n BIGINT NOT NULL)")
		return err
	})
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), childVariable+"="+cfg.Dir)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		var acknowledged []string
		for {
			var id string
			if _, err := fmt.Fscanln(out, &id); err != nil {
				break
			}
			if acknowledged = append(acknowledged, id); len(acknowledged) == 1 {
				time.AfterFunc(50*time.Millisecond+rand.N(100*time.Millisecond), func() { child.Process.Kill() })
			}
		}
		child.Wait()
		if len(acknowledged) == 0 {
			t.Fatal("the child wrote nothing")
		}
		db, err := store.Open(ctx, cfg)
		if err != nil {
			t.Fatalf("open after the kill: %v", err)
		}
		view(t, db, func(tx *store.Tx) error {
			for _, id := range acknowledged[:len(acknowledged)-1] { // the last line may be cut
				var n int
				if err := tx.Row("SELECT n FROM thing WHERE id = $1", id).Scan(&n); err != nil {
					return fmt.Errorf("%s was acknowledged: %w", id, err)
				}
			}
			return nil
		})
		if things, records := count(t, db, "SELECT COUNT(*) FROM thing"), count(t, db, "SELECT COUNT(*) FROM record"); things != records {
			t.Errorf("%d changes, %d records", things, records)
		}
		noFindings(t, db)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestDiskFull(t *testing.T) {
	db := withTable(t, storetest.Config(t))
	update(t, db, func(tx *store.Tx) error {
		if _, err := tx.Exec("CREATE TABLE big (d BYTEA NOT NULL)"); err != nil {
			return err
		}
		var pages int
		if err := tx.Row("PRAGMA page_count").Scan(&pages); err != nil {
			return err
		}
		return tx.Row(fmt.Sprintf("PRAGMA max_page_count = %d", pages+40)).Scan(&pages)
	})
	before := count(t, db, "SELECT COUNT(*) FROM record")
	var wg sync.WaitGroup
	errs := make([]error, 16)
	for i := range errs {
		wg.Go(func() {
			errs[i] = db.Update(ctx, func(tx *store.Tx) error {
				tx.Record(store.Record{Act: "x", Outcome: store.Done})
				size := 100
				if i == 5 {
					size = 1 << 20
				}
				_, err := tx.Exec("INSERT INTO big (d) VALUES ($1)", make([]byte, size))
				return err
			})
		})
	}
	wg.Wait()
	wantKind(t, "the one that filled the disk", errs[5], elicense.Unavailable)
	stored := 0
	for _, err := range errs {
		if err == nil {
			stored++
		} else {
			wantKind(t, "another of the group", err, elicense.Unavailable)
		}
	}
	if n := count(t, db, "SELECT COUNT(*) FROM big"); n != stored {
		t.Errorf("%d rows, %d were acknowledged", n, stored)
	}
	if n := count(t, db, "SELECT COUNT(*) FROM record") - before; n != stored {
		t.Errorf("%d records, %d were acknowledged", n, stored)
	}
	update(t, db, func(tx *store.Tx) error { // room again: it goes on
		var pages int
		if err := tx.Row("PRAGMA max_page_count = 1000000").Scan(&pages); err != nil {
			return err
		}
		tx.Record(store.Record{Act: "x", Outcome: store.Done})
		_, err := tx.Exec("INSERT INTO big (d) VALUES ($1)", make([]byte, 1<<20))
		return err
	})
	noFindings(t, db)
}

// Each statement and the commit fail once, in both ways: nothing is half done,
// and what was reported as failed may at most be wholly done.
func TestEachStepFails(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		var failing storetest.Failing
		cfg.Fault = failing.Fault
		db := withTable(t, cfg)
		serial := 0
		change := func() error {
			serial++
			return db.Update(ctx, func(tx *store.Tx) error {
				tx.Record(store.Record{Act: "x", Outcome: store.Done, License: "L"})
				if _, err := tx.Exec("INSERT INTO thing (id, n) VALUES ($1, 1)", fmt.Sprintf("a%d", serial)); err != nil {
					return err
				}
				_, err := tx.Exec("INSERT INTO thing (id, n) VALUES ($1, 1)", fmt.Sprintf("b%d", serial))
				return err
			})
		}
		for _, kind := range []store.StepKind{store.StepStatement, store.StepCommit} {
			failing.Arm(kind, 0, store.FaultNone)
			if err := change(); err != nil {
				t.Fatal(err)
			}
			steps := failing.Count(kind)
			if steps == 0 {
				t.Fatalf("no steps of kind %d", kind)
			}
			for n := 1; n <= steps; n++ {
				for _, how := range []store.Fault{store.FaultBefore, store.FaultAfter} {
					things, records := count(t, db, "SELECT COUNT(*) FROM thing"), count(t, db, "SELECT COUNT(*) FROM record")
					failing.Arm(kind, n, how)
					err := change()
					failing.Arm(kind, 0, store.FaultNone)
					wantKind(t, fmt.Sprintf("step %d of kind %d, fault %d", n, kind, how), err, elicense.Unavailable)
					things = count(t, db, "SELECT COUNT(*) FROM thing") - things
					records = count(t, db, "SELECT COUNT(*) FROM record") - records
					done := kind == store.StepCommit && how == store.FaultAfter
					if !done && (things != 0 || records != 0) || done && (things != 2 || records != 1) {
						t.Errorf("step %d of kind %d, fault %d: %d rows, %d records", n, kind, how, things, records)
					}
					if err := change(); err != nil {
						t.Fatalf("the change after step %d of kind %d, fault %d: %v", n, kind, how, err)
					}
				}
			}
		}
		noFindings(t, db)
	})
}

// PostgreSQL undoes one of two transactions that wait for each other; it is run
// again.
func TestDeadlockIsRetried(t *testing.T) {
	storetest.OnPostgres(t, func(t *testing.T, cfg store.Config) {
		db := withTable(t, cfg)
		update(t, db, func(tx *store.Tx) error {
			_, err := tx.Exec("INSERT INTO thing (id, n) VALUES ('a', 0), ('b', 0)")
			return err
		})
		var first sync.WaitGroup
		first.Add(2)
		var wg sync.WaitGroup
		for _, order := range [][2]string{{"a", "b"}, {"b", "a"}} {
			var once sync.Once
			wg.Go(func() {
				err := db.Update(ctx, func(tx *store.Tx) error {
					if _, err := tx.Exec("UPDATE thing SET n = n + 1 WHERE id = $1", order[0]); err != nil {
						return err
					}
					once.Do(func() { first.Done(); first.Wait() })
					_, err := tx.Exec("UPDATE thing SET n = n + 1 WHERE id = $1", order[1])
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := count(t, db, "SELECT SUM(n) FROM thing"); n != 4 {
			t.Errorf("sum = %d, want 4", n)
		}
		if db.Stats().Retries == 0 {
			t.Error("no retry is counted")
		}
	})
}

// A connection that is lost is Unavailable, and the next one is used.
func TestLostConnection(t *testing.T) {
	storetest.OnPostgres(t, func(t *testing.T, cfg store.Config) {
		db := withTable(t, cfg)
		err := db.Update(ctx, func(tx *store.Tx) error {
			if _, err := tx.Exec("INSERT INTO thing (id, n) VALUES ('a', 1)"); err != nil {
				return err
			}
			_, err := tx.Query("SELECT pg_terminate_backend(pg_backend_pid())")
			return err
		})
		wantKind(t, "lost connection", err, elicense.Unavailable)
		update(t, db, func(tx *store.Tx) error {
			_, err := tx.Exec("INSERT INTO thing (id, n) VALUES ('a', 1)")
			return err
		})
	})
}
