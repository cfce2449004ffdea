package store_test

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"elicense/store"
	"elicense/store/storetest"
)

// aRecord draws a record of a few things, at a time that may be before the last's.
func aRecord(draw *rand.Rand, n int) store.Record {
	r := store.Record{
		ID: fmt.Sprintf("id%06d", n), Time: storetest.Start.Add(time.Duration(n/7-draw.IntN(3)) * time.Second), Act: "read", Outcome: store.Done,
		Actor: fmt.Sprint("actor", draw.IntN(3)), Unit: "unit", License: fmt.Sprint("license", draw.IntN(40)),
	}
	if draw.IntN(2) == 0 {
		r.Case, r.Holder = fmt.Sprint("case", n/5), fmt.Sprint("holder", draw.IntN(20))
	}
	return r
}

// TestRecordsAreFoundInRuns stores records in commits of many sizes and looks each key
// up in pages: the answer is that of going through all records.
func TestRecordsAreFoundInRuns(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		db := storetest.Open(t, cfg)
		draw := rand.New(rand.NewPCG(1, 2))
		var all []store.Record
		at := map[string]int{} // by ID
		store1 := func(n int) {
			list := make([]store.Record, n)
			for i := range list {
				list[i] = aRecord(draw, len(all)+i)
			}
			got, err := db.Record(ctx, list...)
			if err != nil {
				t.Fatal(err)
			}
			for i := range list {
				if got[i].Index != uint64(len(all)+i) {
					t.Fatalf("record %d stands at %d", len(all)+i, got[i].Index)
				}
				at[list[i].ID] = len(all) + i
			}
			all = append(all, list...)
		}
		for range 60 {
			store1(1)
		}
		for range 40 {
			store1(1 + draw.IntN(30))
		}
		store1(700) // one key fills several rows
		for range 10 {
			store1(1)
		}
		lookUp := func(kind store.KeyKind, key string, of func(store.Record) string) {
			t.Helper()
			var want, got []string
			for i, r := range all {
				if of(r) == key {
					want = append(want, fmt.Sprintf("%d %d", r.Time.UnixMicro(), i))
				}
			}
			slices.SortFunc(want, func(a, b string) int {
				var at, ai, bt, bi int64
				fmt.Sscan(a, &at, &ai)
				fmt.Sscan(b, &bt, &bi)
				return cmp.Or(cmp.Compare(bt, at), cmp.Compare(bi, ai))
			})
			page, size := store.Page{}, 1+draw.IntN(100)
			for {
				var list []store.Record
				err := db.View(ctx, func(tx *store.Tx) (err error) {
					list, page, err = tx.Records(kind, key, page, size)
					return err
				})
				if err != nil {
					t.Fatal(err)
				}
				for _, r := range list {
					got = append(got, fmt.Sprintf("%d %d", r.Time.UnixMicro(), at[r.ID]))
				}
				if len(list) < size {
					break
				}
			}
			if !slices.Equal(got, want) {
				t.Errorf("%s %s: %d records, want %d:\n%v\n%v", kind, key, len(got), len(want), got, want)
			}
		}
		check := func(keys int) {
			t.Helper()
			lookUp(store.ByUnit, "unit", func(r store.Record) string { return r.Unit })
			lookUp(store.ByUnit, "none", func(r store.Record) string { return r.Unit })
			lookUp(store.ByActor, "actor1", func(r store.Record) string { return r.Actor })
			for i := range keys {
				lookUp(store.ByLicense, fmt.Sprint("license", i), func(r store.Record) string { return r.License })
				lookUp(store.ByHolder, fmt.Sprint("holder", i), func(r store.Record) string { return r.Holder })
				lookUp(store.ByCase, fmt.Sprint("case", i*11), func(r store.Record) string { return r.Case })
			}
			noFindings(t, db)
		}
		check(40)
		if n := count(t, db, "SELECT COUNT(*) FROM record_run"); n > 30 {
			t.Errorf("%d runs of %d records", n, len(all))
		}

		// A database of before there were runs has none: they are made when it is opened.
		for _, inspect := range []bool{true, false} {
			update(t, db, run("DELETE FROM record_part"))
			update(t, db, run("DELETE FROM record_run"))
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			cfg.Inspect = inspect
			db = storetest.Open(t, cfg)
			check(5)
			if inspect {
				if err := db.Close(); err != nil {
					t.Fatal(err)
				}
				cfg.Inspect = false
				db = storetest.Open(t, cfg)
			}
		}
		store1(3)
		check(5)
	})
}

// TestWorkOfARecord asserts the work of storing one: few statements, and few bytes
// for what it is found by.
func TestWorkOfARecord(t *testing.T) {
	failing := &storetest.Failing{}
	cfg := storetest.Config(t)
	cfg.Fault = failing.Fault
	db := storetest.Open(t, cfg)
	draw := rand.New(rand.NewPCG(3, 4))
	failing.Arm(store.StepStatement, 0, store.FaultNone)
	const commits, each = 64, 32
	for c := range commits {
		list := make([]store.Record, each)
		for i := range list {
			list[i] = aRecord(draw, c*each+i)
		}
		if _, err := db.Record(ctx, list...); err != nil {
			t.Fatal(err)
		}
	}
	if n := failing.Count(store.StepStatement); n > 12*commits {
		t.Errorf("%d statements for %d commits", n, commits)
	}
	if n := count(t, db, "SELECT SUM(LENGTH(keys) + LENGTH(low)) FROM record_part"); n > 150*commits*each {
		t.Errorf("%d bytes of keys for %d records", n, commits*each)
	}
	noFindings(t, db)
}

// Whoever hides a use by changing what it is found by is found out.
func TestTamperingWithAKey(t *testing.T) {
	const width = 28
	for name, change := range map[string]func(key []byte) []byte{
		"it is taken out":               func([]byte) []byte { return nil },
		"it stands under another thing": func(k []byte) []byte { k[0] ^= 1; return k },
		"its time is another":           func(k []byte) []byte { k[15]++; return k },
		"it leads to another record":    func(k []byte) []byte { k[27] = 31; return k },
	} {
		t.Run(name, func(t *testing.T) {
			db := storetest.New(t)
			fill(t, db, 40)
			update(t, db, func(tx *store.Tx) error {
				var low, keys []byte
				if err := tx.Row("SELECT low, keys FROM record_part WHERE first = 0 ORDER BY low LIMIT 1").Scan(&low, &keys); err != nil {
					return err
				}
				var out []byte
				for k := range slices.Chunk(keys, width) {
					if binary.BigEndian.Uint64(k[20:]) == 30 && len(out) > 0 {
						k = change(bytes.Clone(k))
					}
					out = append(out, k...)
				}
				_, err := tx.Exec("UPDATE record_part SET keys = $1 WHERE low = $2", out, low)
				return err
			})
			got := findings(t, db)
			if !slices.ContainsFunc(got, func(f store.Finding) bool { return f.Kind == store.IndexWrong && f.Index == 30 }) {
				t.Errorf("findings %v", got)
			}
		})
	}
}
