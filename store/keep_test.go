package store_test

import (
	"testing"

	"elicense/store"
	"elicense/store/storetest"
)

// TestWhatIsKeptEndsWithTheNextChange reads a value through Keep: records leave
// it, any other change ends it, and an Update reads for itself.
func TestWhatIsKeptEndsWithTheNextChange(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		db := storetest.Open(t, cfg)
		ctx := t.Context()
		reads := 0
		get := func(tx *store.Tx) (n int, err error) {
			return store.Keep(tx, "jobs", func() (int, error) {
				reads++
				err := tx.Row("SELECT COUNT(*) FROM job").Scan(&n)
				return n, err
			})
		}
		look := func(want int) {
			t.Helper()
			err := db.View(ctx, func(tx *store.Tx) error {
				if n, err := get(tx); err != nil || n != want {
					t.Errorf("%d jobs, want %d: %v", n, want, err)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		add := func(key string) func(*store.Tx) error {
			return func(tx *store.Tx) error {
				_, err := tx.Exec(`INSERT INTO job (kind, key, state, due, claims, attempts, most, again, payload, reason, created)
					VALUES ('k', $1, 'dead', NULL, 0, 0, 1, FALSE, $2, '', 0)`, key, []byte{})
				return err
			}
		}
		look(0)
		look(0)
		if _, err := db.Record(ctx, store.Record{Act: "check", Outcome: store.Done}); err != nil {
			t.Fatal(err)
		}
		look(0)
		if want := 1; db.Alone() && reads != want {
			t.Errorf("%d reads, want %d", reads, want)
		}
		err := db.Update(ctx, func(tx *store.Tx) error {
			if err := add("a")(tx); err != nil {
				return err
			}
			if n, err := get(tx); err != nil || n != 1 {
				t.Errorf("inside the change: %d jobs: %v", n, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		look(1)
		if err := db.Update(ctx, add("b")); err != nil {
			t.Fatal(err)
		}
		look(2)
	})
}
