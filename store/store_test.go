package store_test

import (
	"context"
	"sync"
	"testing"

	"elicense/store"
	"elicense/store/storetest"
)

func TestSmoke(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		db := storetest.Open(t, cfg)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 100 {
					if _, err := db.Record(context.Background(), store.Record{Act: "x", Outcome: "done", License: "L1", Case: "c"}); err != nil {
						t.Error(err)
					}
					var rc *store.Receipt
					if err := db.Update(context.Background(), func(tx *store.Tx) error {
						rc = tx.Record(store.Record{Act: "y", Outcome: "done", License: "L1"})
						return nil
					}); err != nil {
						t.Error(err, rc)
					}
				}
			})
		}
		wg.Wait()
		t.Logf("%+v", db.Stats())
	})
}
