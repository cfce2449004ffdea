package store_test

import (
	"sync"
	"testing"
	"time"

	"elicense/store"
	"elicense/store/storetest"
)

// reading announces a record, reads, and stores the record, as the Guard does.
func reading(t testing.TB, db *store.DB) {
	arrived := db.Announce()
	defer arrived()
	var n int
	if err := db.View(ctx, func(tx *store.Tx) error { return tx.Row(`SELECT COUNT(*) FROM data_key`).Scan(&n) }); err != nil {
		t.Errorf("View: %v", err)
	}
	arrived()
	if _, err := db.Record(ctx, store.Record{Act: "read", Outcome: store.Done}); err != nil {
		t.Errorf("Record: %v", err)
	}
}

// crowded has 64 callers read at once and returns how many records shared a
// commit.
func crowded(t testing.TB, db *store.DB) uint64 {
	const callers, rounds = 64, 15
	before := db.Stats()
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for range rounds {
				reading(t, db)
			}
		})
	}
	wg.Wait()
	s := db.Stats()
	if n := s.Records - before.Records; n != callers*rounds {
		t.Errorf("%d records", n)
	}
	return (s.Records - before.Records) / (s.RecordCommits - before.RecordCommits)
}

// TestACrowdSharesCommits asks for it once in five: on a machine that is busy
// with other things a crowd falls apart.
func TestACrowdSharesCommits(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		db := storetest.Open(t, cfg)
		best := uint64(0)
		for range 5 {
			if best = max(best, crowded(t, db)); best >= 25 {
				break
			}
		}
		if best < 25 {
			t.Errorf("%d records to a commit", best)
		}
		reading(t, db) // the first may wait for those just answered
		for range 3 {  // the crowd is gone: nobody is waited for
			crowds := db.Stats().Crowds
			reading(t, db)
			if n := db.Stats().Crowds - crowds; n != 0 {
				t.Error("a lone caller waited for a crowd")
			}
		}
	})
}

func TestFewerThanACrowdAreNotWaitedFor(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		db := storetest.Open(t, cfg)
		crowds := db.Stats().Crowds
		for range 3 {
			defer db.Announce()()
			reading(t, db)
		}
		if n := db.Stats().Crowds - crowds; n != 0 {
			t.Errorf("%d groups waited for those few", n)
		}
	})
}

// TestWhoNeverArrivesHoldsUpLittle announces a crowd that does not come: every
// record waits for it, for a moment, and none for ever. Arriving twice counts once.
func TestWhoNeverArrivesHoldsUpLittle(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		db := storetest.Open(t, cfg)
		var arrived []func()
		for range 16 {
			arrived = append(arrived, db.Announce())
		}
		crowds, began := db.Stats().Crowds, time.Now()
		for range 5 {
			reading(t, db)
		}
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("5 records took %v", took)
		}
		if n := db.Stats().Crowds - crowds; n != 5 {
			t.Errorf("%d groups waited", n)
		}
		for _, a := range arrived {
			a()
			a()
		}
		crowds = db.Stats().Crowds
		reading(t, db)
		if n := db.Stats().Crowds - crowds; n != 0 {
			t.Error("those who arrived are still waited for")
		}
	})
}
