package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"elicense"
	"elicense/store"
	"elicense/store/storetest"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(childVariable); dir != "" {
		writeUntilKilled(dir)
	}
	goleak.VerifyTestMain(m)
}

var ctx = context.Background()

// update runs fn and fails the test when it fails.
func update(t testing.TB, db *store.DB, fn func(*store.Tx) error) {
	t.Helper()
	if err := db.Update(ctx, fn); err != nil {
		t.Fatalf("Update: %v", err)
	}
}

func view(t testing.TB, db *store.DB, fn func(*store.Tx) error) {
	t.Helper()
	if err := db.View(ctx, fn); err != nil {
		t.Fatalf("View: %v", err)
	}
}

func run(q string, args ...any) func(*store.Tx) error {
	return func(tx *store.Tx) error {
		_, err := tx.Exec(q, args...)
		return err
	}
}

// count returns the number a query returns.
func count(t testing.TB, db *store.DB, q string, args ...any) (n int) {
	t.Helper()
	view(t, db, func(tx *store.Tx) error { return tx.Row(q, args...).Scan(&n) })
	return n
}

func wantKind(t testing.TB, what string, err error, kind elicense.Kind) {
	t.Helper()
	if !elicense.IsKind(err, kind) {
		t.Errorf("%s: %v, want %v", what, err, kind)
	}
}

// withTable opens the store and makes a table for the test.
func withTable(t *testing.T, cfg store.Config) *store.DB {
	t.Helper()
	db := storetest.Open(t, cfg)
	update(t, db, run("CREATE TABLE thing (id TEXT NOT NULL PRIMARY KEY, n BIGINT NOT NULL, sort BIGINT UNIQUE)"))
	return db
}

type unitCode string

type grade int8

func TestRoundTrip(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		db := storetest.Open(t, cfg)
		update(t, db, run(`CREATE TABLE sample (id BIGINT NOT NULL PRIMARY KEY, s TEXT, n BIGINT, b BOOLEAN, d BYTEA, at BIGINT)`))
		const columns = "SELECT s, n, b, d, at FROM sample WHERE id = $1"
		insert := func(id int, args ...any) {
			update(t, db, run("INSERT INTO sample (id, s, n, b, d, at) VALUES ($1, $2, $3, $4, $5, $6)", append([]any{id}, args...)...))
		}

		t.Run("values and named types", func(t *testing.T) {
			at := time.Date(2026, 3, 10, 9, 30, 0, 123456789, time.FixedZone("", 8*3600))
			insert(1, unitCode("福州市"), grade(-3), true, []byte{0, 1, 255}, at)
			view(t, db, func(tx *store.Tx) error {
				var s unitCode
				var n grade
				var b bool
				var d []byte
				var got time.Time
				if err := tx.Row(columns, 1).Scan(&s, &n, &b, &d, &got); err != nil {
					return err
				}
				if s != "福州市" || n != -3 || !b || !bytes.Equal(d, []byte{0, 1, 255}) {
					t.Errorf("got %q %d %v %v", s, n, b, d)
				}
				if want := at.UTC().Truncate(time.Microsecond); !got.Equal(want) || got.Location() != time.UTC {
					t.Errorf("time = %v, want %v", got, want)
				}
				return nil
			})
		})
		t.Run("null is not empty", func(t *testing.T) {
			insert(2, nil, nil, nil, []byte(nil), time.Time{})
			insert(3, "", 0, false, []byte{}, time.UnixMicro(0))
			view(t, db, func(tx *store.Tx) error {
				for id, null := range map[int]bool{2: true, 3: false} {
					s, n, b := new(unitCode), new(int), new(bool)
					var d []byte
					at := new(time.Time)
					if err := tx.Row(columns, id).Scan(&s, &n, &b, &d, &at); err != nil {
						return err
					}
					for name, is := range map[string]bool{"text": s == nil, "number": n == nil, "bool": b == nil, "bytes": d == nil, "time": at == nil} {
						if is != null {
							t.Errorf("row %d: %s is NULL: %v, want %v", id, name, is, null)
						}
					}
				}
				var s string
				if err := tx.Row("SELECT s FROM sample WHERE id = $1", 2).Scan(&s); err == nil {
					t.Error("NULL goes into a string")
				}
				return nil
			})
		})
		t.Run("pointers are what they point to", func(t *testing.T) {
			s, n := unitCode("x"), 7
			insert(4, &s, &n, (*bool)(nil), [2]byte{1, 2}, (*time.Time)(nil))
			view(t, db, func(tx *store.Tx) error {
				var ps *unitCode
				var pb *bool
				var a [2]byte
				if err := tx.Row("SELECT s, b, d FROM sample WHERE id = $1", 4).Scan(&ps, &pb, &a); err != nil {
					return err
				}
				if *ps != s || pb != nil || a != [2]byte{1, 2} {
					t.Errorf("got %v %v %v", *ps, pb, a)
				}
				return nil
			})
		})
		t.Run("sums are whole numbers", func(t *testing.T) {
			if n := count(t, db, "SELECT SUM(n) FROM sample"); n != 4 {
				t.Errorf("sum = %d", n)
			}
		})
		t.Run("what can not be stored or read is refused", func(t *testing.T) {
			if err := db.Update(ctx, run("INSERT INTO sample (id) VALUES ($1)", struct{}{})); err == nil {
				t.Error("a struct is stored")
			}
			var small int8
			err := db.View(ctx, func(tx *store.Tx) error { return tx.Row("SELECT 300").Scan(&small) })
			if err == nil {
				t.Error("300 goes into an int8")
			}
		})
	})
}

func TestErrors(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		db := withTable(t, cfg)
		update(t, db, run("INSERT INTO thing (id, n) VALUES ('a', 1)"))
		update(t, db, run("CREATE TABLE part (id TEXT NOT NULL PRIMARY KEY, thing TEXT NOT NULL REFERENCES thing (id))"))

		err := db.View(ctx, func(tx *store.Tx) error { var n int; return tx.Row("SELECT n FROM thing WHERE id = 'b'").Scan(&n) })
		wantKind(t, "no row", err, elicense.NotFound)
		if !errors.Is(err, store.ErrNoRow) {
			t.Errorf("no row: %v", err)
		}
		wantKind(t, "duplicate", db.Update(ctx, run("INSERT INTO thing (id, n) VALUES ('a', 1)")), elicense.Conflict)
		wantKind(t, "no such thing", db.Update(ctx, run("INSERT INTO part (id, thing) VALUES ('p', 'x')")), elicense.Conflict)
		wantKind(t, "NULL", db.Update(ctx, run("INSERT INTO thing (id, n) VALUES ('c', NULL)")), elicense.Internal)
		wantKind(t, "bad SQL", db.Update(ctx, run("INSERT INTO nowhere (id) VALUES (1)")), elicense.Internal)
		wantKind(t, "placeholders out of order", db.Update(ctx, run("INSERT INTO thing (n, id) VALUES ($2, $1)", "x", 1)), elicense.Internal)
		wantKind(t, "a View that writes", db.View(ctx, run("DELETE FROM thing")), elicense.Internal)
		wantKind(t, "a View that writes under cover",
			db.View(ctx, run("WITH x AS (SELECT 1) INSERT INTO thing (id, n) SELECT 'w', 1")), elicense.Internal)

		gone, cancel := context.WithCancel(ctx)
		cancel()
		wantKind(t, "canceled", db.Update(gone, run("DELETE FROM thing")), elicense.Unavailable)
		if n := count(t, db, "SELECT COUNT(*) FROM thing"); n != 1 {
			t.Errorf("%d rows, want 1", n)
		}
	})
}

// The transaction is lost with the first failed statement on both engines.
func TestFailedStatementLosesTransaction(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		db := withTable(t, cfg)
		update(t, db, run("INSERT INTO thing (id, n) VALUES ('a', 1)"))
		err := db.Update(ctx, func(tx *store.Tx) error {
			tx.Exec("INSERT INTO thing (id, n) VALUES ('b', 1)")
			tx.Exec("INSERT INTO thing (id, n) VALUES ('a', 1)") // fails, and nobody looks
			return nil
		})
		wantKind(t, "swallowed error", err, elicense.Conflict)
		if n := count(t, db, "SELECT COUNT(*) FROM thing"); n != 1 {
			t.Errorf("%d rows, want 1", n)
		}
	})
}

func TestSavepoint(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		db := withTable(t, cfg)
		sentinel := errors.New("no")
		update(t, db, func(tx *store.Tx) error {
			if _, err := tx.Exec("INSERT INTO thing (id, n) VALUES ('a', 1)"); err != nil {
				return err
			}
			tx.Record(store.Record{Act: "first", Outcome: store.Done})
			err := tx.Savepoint(func() error {
				tx.Record(store.Record{Act: "dropped", Outcome: store.Done})
				_, err := tx.Exec("INSERT INTO thing (id, n) VALUES ('a', 1)")
				return err
			})
			wantKind(t, "step", err, elicense.Conflict)
			err = tx.Savepoint(func() error {
				if _, err := tx.Exec("INSERT INTO thing (id, n) VALUES ('c', 1)"); err != nil {
					return err
				}
				return tx.Savepoint(func() error { return sentinel })
			})
			if !errors.Is(err, sentinel) {
				t.Errorf("nested step: %v", err)
			}
			return tx.Savepoint(func() error {
				_, err := tx.Exec("INSERT INTO thing (id, n) VALUES ('b', 1)")
				return err
			})
		})
		if n := count(t, db, "SELECT COUNT(*) FROM thing WHERE id IN ('a', 'b')"); n != 2 {
			t.Errorf("%d rows, want 2", n)
		}
		if n := count(t, db, "SELECT COUNT(*) FROM thing WHERE id = 'c'"); n != 0 {
			t.Error("the failed step left a row")
		}
		if n := count(t, db, "SELECT COUNT(*) FROM record"); n != 1 {
			t.Errorf("%d records, want 1", n)
		}
	})
}

func TestRollbackLeavesNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		db := withTable(t, cfg)
		before, sentinel := db.Epoch(), errors.New("no")
		err := db.Update(ctx, func(tx *store.Tx) error {
			if _, err := tx.Exec("INSERT INTO thing (id, n) VALUES ('a', 1)"); err != nil {
				return err
			}
			tx.Record(store.Record{Act: "x", Outcome: store.Done})
			return sentinel
		})
		if !errors.Is(err, sentinel) {
			t.Errorf("Update: %v", err)
		}
		if n := count(t, db, "SELECT (SELECT COUNT(*) FROM thing) + (SELECT COUNT(*) FROM record)"); n != 0 {
			t.Errorf("%d rows are left", n)
		}
		if cfg.URL == "" && db.Epoch() != before {
			t.Error("the epoch grew")
		}
	})
}

func TestEpoch(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		db := withTable(t, cfg)
		before := db.Epoch()
		update(t, db, run("INSERT INTO thing (id, n) VALUES ('a', 1)"))
		after := db.Epoch()
		if after <= before {
			t.Errorf("epoch %d after %d", after, before)
		}
		if cfg.URL != "" {
			return // another process may have written: no epoch is ever the same
		}
		if _, err := db.Record(ctx, store.Record{Act: "x", Outcome: store.Done}); err != nil {
			t.Fatal(err)
		}
		update(t, db, func(tx *store.Tx) error { tx.Record(store.Record{Act: "x", Outcome: store.Done}); return nil })
		if db.Epoch() != after {
			t.Error("a record made the epoch grow")
		}
	})
}

func TestConcurrentUpdates(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		db := withTable(t, cfg)
		update(t, db, run("INSERT INTO thing (id, n) VALUES ('a', 0)"))
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 10 {
					err := db.Update(ctx, func(tx *store.Tx) error {
						var n int
						if err := tx.Row("SELECT n FROM thing WHERE id = 'a'" + tx.ForUpdate()).Scan(&n); err != nil {
							return err
						}
						_, err := tx.Exec("UPDATE thing SET n = $1 WHERE id = 'a'", n+1)
						return err
					})
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if n := count(t, db, "SELECT n FROM thing WHERE id = 'a'"); n != 80 {
			t.Errorf("n = %d, want 80", n)
		}
	})
}

func TestGroupOfWhichOneFails(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		db := withTable(t, cfg)
		var wg sync.WaitGroup
		errs := make([]error, 64)
		for i := range errs {
			wg.Go(func() {
				errs[i] = db.Update(ctx, func(tx *store.Tx) error {
					tx.Record(store.Record{Act: fmt.Sprint(i), Outcome: store.Done})
					if _, err := tx.Exec("INSERT INTO thing (id, n) VALUES ($1, $2)", fmt.Sprint(i), i); err != nil {
						return err
					}
					switch i {
					case 7:
						return elicense.E(elicense.Forbidden, "不行")
					case 8:
						panic("a broken closure")
					case 9:
						_, err := tx.Exec("INSERT INTO thing (id, n) VALUES ($1, $2)", fmt.Sprint(i), i)
						return err
					}
					return nil
				})
			})
		}
		wg.Wait()
		wantKind(t, "7", errs[7], elicense.Forbidden)
		wantKind(t, "8", errs[8], elicense.Internal)
		wantKind(t, "9", errs[9], elicense.Conflict)
		if errs[8] == nil || !strings.Contains(errs[8].Error(), "a broken closure") {
			t.Errorf("panic: %v", errs[8])
		}
		for i, err := range errs {
			if err != nil && (i < 7 || i > 9) {
				t.Errorf("closure %d: %v", i, err)
			}
		}
		if n := count(t, db, "SELECT COUNT(*) FROM thing"); n != 61 {
			t.Errorf("%d rows, want 61", n)
		}
		if n := count(t, db, "SELECT COUNT(*) FROM record"); n != 61 {
			t.Errorf("%d records, want 61", n)
		}
	})
}

// A record that can not be inserted shows only when the group is to commit.
func TestGroupWithDuplicateRecord(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		db := storetest.Open(t, cfg)
		if _, err := db.Record(ctx, store.Record{ID: "r", Act: "x", Outcome: store.Done}); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		errs := make([]error, 32)
		for i := range errs {
			wg.Go(func() {
				id := fmt.Sprint(i)
				if i == 5 {
					id = "r"
				}
				_, errs[i] = db.Record(ctx, store.Record{ID: id, Act: "x", Outcome: store.Done})
			})
		}
		wg.Wait()
		for i, err := range errs {
			if i == 5 {
				wantKind(t, "duplicate", err, elicense.Conflict)
			} else if err != nil {
				t.Errorf("record %d: %v", i, err)
			}
		}
		if n := count(t, db, "SELECT COUNT(*) FROM record"); n != 32 {
			t.Errorf("%d records, want 32", n)
		}
		noFindings(t, db)
	})
}

func TestGoexitInClosure(t *testing.T) {
	db := withTable(t, storetest.Config(t))
	err := db.Update(ctx, func(tx *store.Tx) error {
		tx.Exec("INSERT INTO thing (id, n) VALUES ('a', 1)")
		runtime.Goexit() // as t.Fatal in a closure does
		return nil
	})
	wantKind(t, "Goexit", err, elicense.Unavailable)
	update(t, db, run("INSERT INTO thing (id, n) VALUES ('b', 1)"))
	if n := count(t, db, "SELECT COUNT(*) FROM thing"); n != 1 {
		t.Errorf("%d rows, want 1", n)
	}
}

func TestNested(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		db := withTable(t, cfg)
		nothing := func(*store.Tx) error { return nil }
		for name, inner := range map[string]func(tx *store.Tx) error{
			"Update with the transaction's context": func(tx *store.Tx) error { return db.Update(tx.Context(), nothing) },
			"Update with an outer context":          func(*store.Tx) error { return db.Update(ctx, nothing) },
			"Record": func(*store.Tx) error {
				_, err := db.Record(ctx, store.Record{Act: "x", Outcome: store.Done})
				return err
			},
		} {
			if err := db.Update(ctx, inner); err == nil || elicense.KindOf(err) != elicense.Internal {
				t.Errorf("%s: %v, want an internal error", name, err)
			}
		}
		update(t, db, func(tx *store.Tx) error {
			if _, err := tx.Exec("INSERT INTO thing (id, n) VALUES ('a', 1)"); err != nil {
				return err
			}
			return db.View(tx.Context(), func(inner *store.Tx) error {
				var n int
				return inner.Row("SELECT n FROM thing WHERE id = 'a'").Scan(&n) // sees its own change
			})
		})
	})
}

func TestTxEndsWithItsClosure(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		db := withTable(t, cfg)
		var kept [2]*store.Tx
		update(t, db, func(tx *store.Tx) error { kept[0] = tx; return nil })
		view(t, db, func(tx *store.Tx) error { kept[1] = tx; return nil })
		for _, tx := range kept {
			if _, err := tx.Query("SELECT 1"); err == nil {
				t.Error("a Tx is used after its closure")
			}
		}
	})
}

func TestViewIsOneState(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		db := withTable(t, cfg)
		view(t, db, func(tx *store.Tx) error {
			var before, after int
			if err := tx.Row("SELECT COUNT(*) FROM thing").Scan(&before); err != nil {
				return err
			}
			update(t, db, run("INSERT INTO thing (id, n) VALUES ('a', 1)"))
			if err := tx.Row("SELECT COUNT(*) FROM thing").Scan(&after); err != nil {
				return err
			}
			if before != 0 || after != 0 {
				t.Errorf("%d, then %d rows in one View", before, after)
			}
			return nil
		})
	})
}

func TestChineseTextSortsByExplicitKey(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		db := withTable(t, cfg)
		for i, name := range []string{"福州", "厦门", "阿里", "漳州", "a", "Z", "𰻝"} {
			update(t, db, run("INSERT INTO thing (id, n, sort) VALUES ($1, $2, $3)", name, i, 100-i))
		}
		read := func(order string) (out []string) {
			view(t, db, func(tx *store.Tx) (err error) {
				out, err = store.All(tx, func(r *store.Rows) (s string, err error) { err = r.Scan(&s); return s, err },
					"SELECT id FROM thing ORDER BY "+order)
				return err
			})
			return out
		}
		if got, want := read("id"), []string{"Z", "a", "厦门", "漳州", "福州", "阿里", "𰻝"}; !reflect.DeepEqual(got, want) {
			t.Errorf("by code point: %v, want %v", got, want)
		}
		if got, want := read("sort"), []string{"𰻝", "Z", "a", "漳州", "阿里", "厦门", "福州"}; !reflect.DeepEqual(got, want) {
			t.Errorf("by key: %v, want %v", got, want)
		}
	})
}

func TestCanceledWhileWaiting(t *testing.T) {
	db := withTable(t, storetest.Config(t))
	hold, held := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		update(t, db, func(*store.Tx) error { close(held); <-hold; return nil })
	})
	<-held
	short, cancel := context.WithCancel(ctx)
	wg.Go(func() {
		wantKind(t, "given up", db.Update(short, run("INSERT INTO thing (id, n) VALUES ('a', 1)")), elicense.Unavailable)
		close(hold)
	})
	for db.Stats().Queue == 0 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	wg.Wait()
	if n := count(t, db, "SELECT COUNT(*) FROM thing"); n != 0 {
		t.Error("what was given up was done")
	}
}

func TestClosed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		db := storetest.Open(t, cfg)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		wantKind(t, "Update", db.Update(ctx, func(*store.Tx) error { return nil }), elicense.Unavailable)
		wantKind(t, "View", db.View(ctx, func(*store.Tx) error { return nil }), elicense.Unavailable)
		_, err := db.Record(ctx, store.Record{Act: "x", Outcome: store.Done})
		wantKind(t, "Record", err, elicense.Unavailable)
	})
}

func TestWakeups(t *testing.T) {
	db := withTable(t, storetest.Config(t))
	woken, end := db.Wakeups("a")
	update(t, db, func(tx *store.Tx) error { tx.Wake("a"); tx.Wake("a"); tx.Wake("b"); return nil })
	<-woken
	db.Update(ctx, func(tx *store.Tx) error { tx.Wake("a"); return errors.New("no") })
	select {
	case <-woken:
		t.Error("woken twice, or by what failed")
	default:
	}
	end()
	update(t, db, func(tx *store.Tx) error { tx.Wake("a"); return nil })
	if len(woken) != 0 {
		t.Error("woken after the end")
	}
}

func TestSecondProcessIsRefused(t *testing.T) {
	cfg := storetest.Config(t)
	storetest.Open(t, cfg)
	_, err := store.Open(ctx, cfg)
	wantKind(t, "second Open", err, elicense.Conflict)
	if err == nil || !strings.Contains(err.Error(), "数据目录已被另一个进程使用") {
		t.Errorf("second Open: %v", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	cfg := storetest.Config(t)
	bad := cfg
	bad.Secret = []byte("short")
	if _, err := store.Open(ctx, bad); err == nil {
		t.Error("a short secret is accepted")
	}
	bad = cfg
	bad.URL = "postgres://nobody@127.0.0.1:1/none?connect_timeout=1"
	_, err := store.Open(ctx, bad)
	wantKind(t, "no server", err, elicense.Unavailable)

	db, err := store.Open(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	bad = cfg
	bad.Secret = bytes.Repeat([]byte{1}, store.SecretSize)
	_, err = store.Open(ctx, bad)
	wantKind(t, "another secret", err, elicense.Unavailable)

	storetest.Open(t, cfg) // and it still opens with the right one
}

func TestNewerSchemaIsRefused(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		db, err := store.Open(ctx, cfg)
		if err != nil {
			t.Fatal(err)
		}
		update(t, db, run("INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, TRUE)"))
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		_, err = store.Open(ctx, cfg)
		wantKind(t, "newer schema", err, elicense.Conflict)
	})
}
