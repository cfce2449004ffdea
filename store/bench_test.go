package store_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"elicense/store"
	"elicense/store/storetest"
)

// callers runs b.N calls of do from n goroutines.
func callers(b *testing.B, n int, do func(i int64)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	b.ResetTimer()
	for range n {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(b.N); i = next.Add(1) {
				do(i)
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
}

var counts = []int{1, 16, 64, 256}

func BenchmarkUpdate(b *testing.B) {
	for _, n := range counts {
		b.Run(fmt.Sprintf("callers=%d", n), func(b *testing.B) {
			db := storetest.New(b)
			update(b, db, run("CREATE TABLE thing (id BIGINT NOT NULL PRIMARY KEY, d BYTEA NOT NULL)"))
			body := make([]byte, 900)
			callers(b, n, func(i int64) {
				update(b, db, run("INSERT INTO thing (id, d) VALUES ($1, $2)", i, body))
			})
			b.ReportMetric(float64(b.N)/float64(db.Stats().Commits), "closures/commit")
		})
	}
}

// BenchmarkOneTransactionEach is BenchmarkUpdate without sharing commits.
func BenchmarkOneTransactionEach(b *testing.B) {
	db := storetest.New(b)
	update(b, db, run("CREATE TABLE thing (id BIGINT NOT NULL PRIMARY KEY, d BYTEA NOT NULL)"))
	body := make([]byte, 900)
	var one sync.Mutex
	callers(b, 64, func(i int64) {
		one.Lock()
		defer one.Unlock()
		update(b, db, run("INSERT INTO thing (id, d) VALUES ($1, $2)", i, body))
	})
}

func BenchmarkRecord(b *testing.B) {
	for _, n := range counts {
		b.Run(fmt.Sprintf("callers=%d", n), func(b *testing.B) {
			db := storetest.New(b)
			callers(b, n, func(i int64) {
				record(b, db, store.Record{Act: "license.view", Outcome: store.Permitted, Rule: "use-in-case", Actor: "u1",
					License: fmt.Sprint("L", i%1000), Case: fmt.Sprint("c", i%500), Holder: fmt.Sprint("h", i%300), Purpose: "办理烟草专卖零售许可证"})
			})
			b.ReportMetric(db.Stats().RecordsPerCommit(), "records/commit")
		})
	}
}

func BenchmarkRecordLots(b *testing.B) {
	db := storetest.New(b)
	lot := make([]store.Record, 512)
	for i := range lot {
		lot[i] = store.Record{Act: "license.view", Outcome: store.Permitted, License: fmt.Sprint("L", i), Case: "c"}
	}
	for b.Loop() {
		record(b, db, lot...)
	}
	b.ReportMetric(float64(b.N*len(lot))/b.Elapsed().Seconds(), "records/s")
}

func BenchmarkView(b *testing.B) {
	db := storetest.New(b)
	update(b, db, run("CREATE TABLE thing (id TEXT NOT NULL PRIMARY KEY, d BYTEA NOT NULL)"))
	update(b, db, run("INSERT INTO thing (id, d) VALUES ('a', $1)", make([]byte, 900)))
	for b.Loop() {
		view(b, db, func(tx *store.Tx) error {
			var d []byte
			return tx.Row("SELECT d FROM thing WHERE id = $1", "a").Scan(&d)
		})
	}
}
