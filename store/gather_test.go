package store_test

import (
	"errors"
	"fmt"
	"testing"

	"elicense"
	"elicense/store"
	"elicense/store/storetest"
)

// TestGatheredRows are there for every statement that names their table, and take
// few statements.
func TestGatheredRows(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		failing := &storetest.Failing{}
		cfg.Fault = failing.Fault
		db := withTable(t, cfg)
		update(t, db, run("CREATE TABLE other (id TEXT NOT NULL PRIMARY KEY, note TEXT, seen BOOLEAN)"))
		insert := func(tx *store.Tx, from, to int) error {
			for n := from; n < to; n++ {
				if _, err := tx.Exec("INSERT INTO thing (id, n, sort) VALUES ($1, $2, NULL)", fmt.Sprint(n), n); err != nil {
					return err
				}
				if _, err := tx.Exec("INSERT INTO other (id, note, seen) VALUES ($1, NULL, TRUE)", fmt.Sprint(n)); err != nil {
					return err
				}
			}
			return nil
		}
		// The column of one table may have the name of another.
		update(t, db, run("CREATE TABLE other_thing (thing TEXT NOT NULL PRIMARY KEY)"))
		stands := func(tx *store.Tx, table string, want int) {
			t.Helper()
			var n int
			if err := tx.Row("SELECT COUNT(*) FROM " + table).Scan(&n); err != nil || n != want {
				t.Errorf("%d rows of %s, want %d: %v", n, table, want, err)
			}
		}

		failing.Arm(store.StepStatement, 0, store.FaultNone)
		update(t, db, func(tx *store.Tx) error {
			tx.Gather()
			if err := insert(tx, 0, 300); err != nil {
				return err
			}
			if n := failing.Count(store.StepStatement); n != 0 {
				t.Errorf("%d statements before anybody asks", n)
			}
			var none string
			if err := tx.Row("SELECT thing FROM other_thing WHERE thing = $1", "1").Scan(&none); !errors.Is(err, store.ErrNoRow) {
				return err
			}
			if n := failing.Count(store.StepStatement); n != 1 {
				t.Errorf("%d statements for another table", n)
			}
			stands(tx, "thing", 300) // 128, 128, 32, 8 and four of one
			if n, err := tx.Exec("UPDATE thing SET n = n + 1 WHERE id = $1", "299"); err != nil || n != 1 {
				t.Errorf("%d rows changed: %v", n, err)
			}
			if n := failing.Count(store.StepStatement); n != 11 {
				t.Errorf("%d statements, want 11", n)
			}
			return nil
		})
		view(t, db, func(tx *store.Tx) error {
			stands(tx, "other", 300)
			var note *string
			var seen bool
			err := tx.Row("SELECT note, seen FROM other WHERE id = $1", "7").Scan(&note, &seen)
			if err == nil && (note != nil || !seen) {
				t.Errorf("constants are lost: %v %v", note, seen)
			}
			return err
		})

		// One that can not stand fails the whole, wherever it was given.
		err := db.Update(ctx, func(tx *store.Tx) error {
			tx.Gather()
			return insert(tx, 299, 310)
		})
		wantKind(t, "a row twice", err, elicense.Conflict)

		// A step that fails takes its rows with it, and no others.
		update(t, db, func(tx *store.Tx) error {
			tx.Gather()
			if err := insert(tx, 400, 402); err != nil {
				return err
			}
			for what, fn := range map[string]func() error{
				"its own error":   func() error { return errors.Join(insert(tx, 500, 502), errors.New("no")) },
				"a row of before": func() error { return insert(tx, 401, 403) },
			} {
				if err := tx.Savepoint(fn); err == nil {
					t.Errorf("%s: the step stands", what)
				}
			}
			return tx.Savepoint(func() error { return insert(tx, 402, 403) })
		})
		// The records of such transactions are found like all others.
		const many = 9 // their runs are merged twice
		for range many {
			update(t, db, func(tx *store.Tx) error {
				tx.Gather()
				tx.Record(store.Record{Act: "gathered", Outcome: store.Done, Unit: "U"})
				return nil
			})
		}
		view(t, db, func(tx *store.Tx) error {
			if list, _, err := tx.Records(store.ByUnit, "U", store.Page{}, 20); err != nil || len(list) != many {
				t.Errorf("%d records of %d are found: %v", len(list), many, err)
			}
			stands(tx, "thing", 303)
			stands(tx, "other", 303)
			return nil
		})
	})
}

// TestPlainInserts are all that is gathered: what looks at what there is, or gives
// something back, is run where it stands.
func TestPlainInserts(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		db := withTable(t, cfg)
		update(t, db, func(tx *store.Tx) error {
			tx.Gather()
			for _, q := range []string{
				"INSERT INTO thing (id, n) VALUES ($1, 1) ON CONFLICT (id) DO NOTHING",
				"INSERT INTO thing (id, n) SELECT CAST($1 AS TEXT), 1 WHERE NOT EXISTS (SELECT 1 FROM thing)",
				"INSERT INTO thing (id, n) VALUES ('b', 1), ('c', LENGTH($1))",
			} {
				if _, err := tx.Exec(q, "a"); err != nil {
					return err
				}
			}
			if n, err := tx.Exec("INSERT INTO thing (id, n) VALUES ($1, 1) ON CONFLICT (id) DO NOTHING", "a"); err != nil || n != 0 {
				t.Errorf("%d rows of one that is there: %v", n, err)
			}
			return nil
		})
		if n := count(t, db, "SELECT COUNT(*) FROM thing"); n != 3 {
			t.Errorf("%d rows, want 3", n)
		}
	})
}
