package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"elicense"
	"elicense/gm"
	"elicense/store"
	"elicense/store/storetest"
	"elicense/tlog"
)

func record(t testing.TB, db *store.DB, records ...store.Record) []store.Receipt {
	t.Helper()
	receipts, err := db.Record(ctx, records...)
	if err != nil {
		t.Fatalf("Record: %v", err)
	}
	return receipts
}

// fill adds n records and returns their ids.
func fill(t testing.TB, db *store.DB, n int) []string {
	t.Helper()
	records := make([]store.Record, n)
	for i := range records {
		records[i] = store.Record{Act: "view", Outcome: store.Permitted, License: fmt.Sprintf("L%d", i%7), Holder: "h",
			Actor: "a", Unit: "u", Case: "c", Fields: []string{"name"}, Detail: map[string]string{"b": "2", "a": "1"}}
	}
	ids := make([]string, 0, n)
	for _, r := range record(t, db, records...) {
		ids = append(ids, r.ID)
	}
	return ids
}

func findings(t testing.TB, db *store.DB) (out []store.Finding) {
	t.Helper()
	if err := db.CheckLog(ctx, nil, func(f store.Finding) { out = append(out, f) }); err != nil {
		t.Fatalf("CheckLog: %v", err)
	}
	return out
}

func noFindings(t testing.TB, db *store.DB) {
	t.Helper()
	for _, f := range findings(t, db) {
		t.Errorf("finding: %s", f)
	}
}

func TestRecordIsPartOfItsTransaction(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		db := withTable(t, cfg)
		var receipt *store.Receipt
		update(t, db, func(tx *store.Tx) error {
			receipt = tx.Record(store.Record{Act: "issue", Outcome: store.Done, License: "L"})
			_, err := tx.Exec("INSERT INTO thing (id, n) VALUES ('a', 1)")
			return err
		})
		if receipt.ID == "" || receipt.Index != 0 {
			t.Errorf("receipt = %+v", receipt)
		}
		update(t, db, func(tx *store.Tx) error {
			receipt = tx.Record(store.Record{Act: "issue", Outcome: store.Done})
			return nil
		})
		if receipt.Index != 1 {
			t.Errorf("second receipt = %+v", receipt)
		}
		err := db.Update(ctx, func(tx *store.Tx) error {
			tx.Record(store.Record{Act: strings.Repeat("x", store.MaxRecord), Outcome: store.Done})
			return nil
		})
		wantKind(t, "too large a record", err, elicense.TooLarge)
		noFindings(t, db)
	})
}

func TestRecordsAreFound(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		clock := storetest.NewClock()
		cfg.Now = clock.Now
		db := storetest.Open(t, cfg)
		full := store.Record{ID: "full", Time: storetest.Start.Add(-time.Hour), Request: "q", Actor: "a", ActorName: "林小姐 <&>", Unit: "u", Act: "view",
			Outcome: store.Refused, Rule: "r", Clause: "第十三条第二款", Case: "c", License: "L", LicenseType: "T", Holder: "h",
			Basis: "b", Purpose: "p", Fields: []string{"x", "y"}, Detail: map[string]string{"k": "v"}}
		record(t, db, full)
		for i := range 25 {
			clock.Move(time.Second)
			record(t, db, store.Record{ID: fmt.Sprint(i), Act: "view", Outcome: store.Permitted, License: "L"})
			record(t, db, store.Record{Act: "view", Outcome: store.Permitted, License: "other"})
		}
		var ids []string
		view(t, db, func(tx *store.Tx) error {
			var page store.Page
			for {
				records, last, err := tx.Records(store.ByLicense, "L", page, 10)
				if err != nil {
					return err
				}
				for _, r := range records {
					ids = append(ids, r.ID)
				}
				if len(records) < 10 {
					break
				}
				page = last
			}
			got, _, err := tx.Records(store.ByHolder, "h", store.Page{}, 10)
			if err == nil && !reflect.DeepEqual(got, []store.Record{full}) {
				t.Errorf("record = %+v, want %+v", got, full)
			}
			return err
		})
		if len(ids) != 26 || ids[0] != "24" || ids[25] != "full" || ids[13] != "11" {
			t.Errorf("newest first: %v", ids)
		}
	})
}

func TestProve(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		db := storetest.Open(t, cfg)
		ids := fill(t, db, 300)
		early, err := db.Checkpoint(ctx)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, fill(t, db, 400)...)
		key := cfg.LogSigner.Public()
		for _, i := range []int{0, 1, 255, 256, 299, 300, 511, 512, 699} {
			p, err := db.Prove(ctx, ids[i])
			if err != nil {
				t.Fatalf("Prove record %d: %v", i, err)
			}
			if err := p.Check(key); err != nil {
				t.Errorf("proof of record %d: %v", i, err)
			}
			if !bytes.Contains(p.Record, []byte(ids[i])) || p.Index != uint64(i) {
				t.Errorf("proof is of record %d", p.Index)
			}
			p.Record = append([]byte(nil), p.Record...)
			p.Record[len(p.Record)-3] ^= 1
			if p.Check(key) == nil {
				t.Errorf("a changed record %d is proven", i)
			}
		}
		again, err := db.Checkpoint(ctx)
		if err != nil || again.Size != 700 || early.Size != 300 {
			t.Errorf("checkpoints at %d and %d, %v", early.Size, again.Size, err)
		}
		if st := db.Stats(); st.LogSize != 700 || st.Signed != 700 {
			t.Errorf("%d records, %d signed", st.LogSize, st.Signed)
		}
		if top, err := db.Top(ctx); err != nil || top.Size != 1 || top.Origin != tlog.TopOrigin || top.Verify(key) != nil {
			t.Errorf("Top = %+v, %v", top, err)
		}
		view(t, db, func(tx *store.Tx) error {
			r, at, err := tx.RecordByID(ids[500])
			if err == nil && (at.Index != 500 || r.ID != ids[500]) {
				t.Errorf("RecordByID = %+v at %+v", r, at)
			}
			return err
		})
		if same, err := db.Checkpoint(ctx); err != nil || !bytes.Equal(same.Note, again.Note) {
			t.Errorf("a log that has not grown got another checkpoint: %v", err)
		}
		if !strings.HasPrefix(string(again.Note), "elicense/shard-0\n700\n") {
			t.Errorf("note = %q", again.Note)
		}
		other, err := gm.GenerateKey()
		if err != nil {
			t.Fatal(err)
		}
		if again.Verify(key) != nil || again.Verify(other.Public()) == nil {
			t.Error("the checkpoint verifies under the wrong key, or not under the right one")
		}
		_, err = db.Prove(ctx, "none")
		wantKind(t, "no such record", err, elicense.NotFound)
		noFindings(t, db)
	})
}

// Tiles above level 1 begin at 65,536 records.
func TestDeepLog(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 66,000 records")
	}
	t.Parallel()
	cfg := storetest.Config(t)
	db := storetest.Open(t, cfg)
	var last string
	for range 11 {
		records := make([]store.Record, 6000)
		for i := range records {
			records[i] = store.Record{Act: "x", Outcome: store.Done}
		}
		last = record(t, db, records...)[42].ID
	}
	p, err := db.Prove(ctx, last)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Check(cfg.LogSigner.Public()); err != nil {
		t.Error(err)
	}
	noFindings(t, db)
	update(t, db, run("UPDATE log_tile SET hashes = $1 WHERE level = 2 AND tile = 0", make([]byte, 32)))
	if got := findings(t, db); len(got) != 1 || got[0].Kind != store.TileWrong {
		t.Errorf("changed tile of level 2: %v", got)
	}
}

func TestMonthsDoNotGoBack(t *testing.T) {
	clock := storetest.NewClock()
	db := storetest.NewAt(t, clock)
	clock.Set(time.Date(2026, 3, 31, 23, 59, 59, 0, time.UTC))
	fill(t, db, 100)
	clock.Move(2 * time.Second)
	fill(t, db, 300)
	clock.Move(-time.Hour) // a clock set back must not put later records before earlier ones
	fill(t, db, 300)
	if n := count(t, db, "SELECT COUNT(DISTINCT month) FROM record"); n != 2 {
		t.Errorf("%d months", n)
	}
	noFindings(t, db)
}

// Whatever is done to the record behind the program's back is named.
func TestTampering(t *testing.T) {
	const records = 600 // two full tiles and a part of one; checkpoints at 300 and 600
	swap := func(a, b int) []string {
		return []string{
			fmt.Sprintf("UPDATE record SET idx = 100000 WHERE idx = %d", a),
			fmt.Sprintf("UPDATE record SET idx = %d WHERE idx = %d", a, b),
			fmt.Sprintf("UPDATE record SET idx = %d WHERE idx = 100000", b),
		}
	}
	for _, tc := range []struct {
		name  string
		stmts []string
		kind  store.FindingKind
		at    []uint64 // each must be named
	}{
		{"a record in a full tile is changed", []string{"UPDATE record SET bytes = $1 WHERE idx = 17"}, store.RecordChanged, []uint64{17}},
		{"a record at the edge is changed", []string{"UPDATE record SET bytes = $1 WHERE idx = 590"}, store.RecordChanged, []uint64{590}},
		{"its time is changed", []string{"UPDATE record SET time = time + 1 WHERE idx = 5"}, store.RecordChanged, []uint64{5}},
		{"its id is changed", []string{"UPDATE record SET id = 'x' WHERE idx = 5"}, store.RecordChanged, []uint64{5}},
		{"its salt is cut", []string{"UPDATE record SET salt = leaf WHERE idx = 5"}, store.RecordChanged, []uint64{5}},
		{"its leaf is changed", []string{"UPDATE record SET leaf = salt WHERE idx = 5"}, store.RecordChanged, []uint64{5}},
		{"a record in a full tile is deleted", []string{"DELETE FROM record WHERE idx = 300"}, store.RecordMissing, []uint64{300}},
		{"a record at the edge is deleted", []string{"DELETE FROM record WHERE idx = 550"}, store.RecordMissing, []uint64{550}},
		{"the last records are deleted", []string{"DELETE FROM record WHERE idx >= 598"}, store.RecordMissing, []uint64{598, 599}},
		{"two records trade places", swap(20, 21), store.RecordChanged, []uint64{20, 21}},
		{"two records at the edge trade places", swap(580, 595), store.RecordChanged, []uint64{580, 595}},
		{"a record is added at the end", []string{"INSERT INTO record (shard, month, idx, id, time, bytes, salt, leaf) " +
			"SELECT shard, month, 600, 'new', time, bytes, salt, leaf FROM record WHERE idx = 1"}, store.RecordExtra, []uint64{600}},
		{"a record is added between", []string{"INSERT INTO record (shard, month, idx, id, time, bytes, salt, leaf) " +
			"SELECT shard, month + 1, 7, 'new', time, bytes, salt, leaf FROM record WHERE idx = 1"}, store.RecordExtra, []uint64{7}},
		{"a record is not found by its id", []string{"DELETE FROM record_id WHERE idx = 30"}, store.IndexWrong, []uint64{30}},
		{"an id leads to another record", []string{"UPDATE record_id SET idx = 31 WHERE idx = 30"}, store.IndexWrong, []uint64{30, 31}},
		{"a run is gone", []string{"DELETE FROM record_run WHERE first = (SELECT MAX(first) FROM record_run)"}, store.IndexWrong, nil},
		{"keys are gone", []string{"DELETE FROM record_part WHERE low = (SELECT MAX(low) FROM record_part)"}, store.IndexWrong, nil},
		{"keys are changed", []string{"UPDATE record_part SET keys = $1 WHERE low = (SELECT MIN(low) FROM record_part)"}, store.IndexWrong, nil},
		{"keys stand elsewhere", []string{"UPDATE record_part SET low = $1 WHERE low = (SELECT MIN(low) FROM record_part)"}, store.IndexWrong, nil},
		{"a tile is changed", []string{"UPDATE log_tile SET hashes = $1 WHERE level = 0 AND tile = 1"}, store.TileWrong, []uint64{256}},
		{"a tile is gone", []string{"DELETE FROM log_tile WHERE level = 0 AND tile = 1"}, store.TileWrong, []uint64{256}},
		{"a tile of level 1 is changed", []string{"UPDATE log_tile SET hashes = $1 WHERE level = 1"}, store.TileWrong, []uint64{0}},
		{"a tile is added", []string{"INSERT INTO log_tile (shard, level, tile, hashes) VALUES (0, 0, 2, $1)"}, store.TileWrong, []uint64{512}},
		{"the head is changed", []string{"UPDATE log_head SET size = 599"}, store.HeadWrong, []uint64{0}},
		{"the head's code is changed", []string{"UPDATE log_head SET mac = $1"}, store.HeadWrong, []uint64{0}},
		{"the head is gone", []string{"DELETE FROM log_head"}, store.HeadWrong, []uint64{0}},
		{"a checkpoint's text is changed", []string{"UPDATE checkpoint SET note = $1 WHERE size = 300"}, store.CheckpointWrong, []uint64{300}},
		{"a checkpoint's signature is changed", []string{"UPDATE checkpoint SET signature = $1 WHERE size = 300"}, store.CheckpointWrong, []uint64{300}},
		{"a checkpoint is moved", []string{"UPDATE checkpoint SET size = 301 WHERE size = 300"}, store.CheckpointWrong, []uint64{301}},
		{"a root over the shards is changed", []string{"UPDATE log_top SET note = $1"}, store.CheckpointWrong, nil},
		{"a root over the shards names another checkpoint", []string{"UPDATE log_top SET members = $1"}, store.CheckpointWrong, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			db := storetest.New(t)
			fill(t, db, 300)
			checkpoint(t, db)
			fill(t, db, records-300)
			checkpoint(t, db)
			noFindings(t, db)
			for _, q := range tc.stmts {
				var args []any
				if strings.Contains(q, "$1") {
					args = append(args, []byte("0 300\n"))
				}
				update(t, db, run(q, args...))
			}
			got := findings(t, db)
			if len(got) == 0 {
				t.Fatal("nothing is found")
			}
			for _, at := range tc.at {
				if !slices.ContainsFunc(got, func(f store.Finding) bool { return f.Kind == tc.kind && f.Index == at }) {
					t.Errorf("no finding %s at %d among %v", tc.kind, at, got)
				}
			}
			if !slices.ContainsFunc(got, func(f store.Finding) bool { return f.Kind == tc.kind }) {
				t.Errorf("no finding %s among %v", tc.kind, got)
			}
			if len(got) > 8 {
				t.Errorf("%d findings for one change: %v …", len(got), got[:8])
			}
		})
	}
}

func checkpoint(t testing.TB, db *store.DB) {
	t.Helper()
	if _, err := db.Checkpoint(ctx); err != nil {
		t.Fatalf("Checkpoint: %v", err)
	}
}

// One who has the database's keys too, and rewrites record, tiles and head, is
// caught by the signed checkpoint.
func TestRewrittenLog(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		db := storetest.Open(t, cfg)
		fill(t, db, 40)
		checkpoint(t, db)
		var rows [][]byte
		view(t, db, func(tx *store.Tx) (err error) {
			rows, err = store.All(tx, func(r *store.Rows) (b []byte, err error) { err = r.Scan(&b); return b, err },
				"SELECT bytes FROM record ORDER BY idx")
			return err
		})
		rows[3] = bytes.Replace(rows[3], []byte("permitted"), []byte("refused"), 1)
		salt := make([]byte, tlog.SaltSize)
		leaves := make([]tlog.Hash, len(rows))
		for i, b := range rows {
			leaves[i] = tlog.RecordLeaf(salt, 0, uint64(i), b)
			update(t, db, run("UPDATE record SET bytes = $1, salt = $2, leaf = $3 WHERE idx = $4", b, salt, leaves[i][:], i))
		}
		tree, err := tlog.Tree{}.Append(leaves, nil)
		if err != nil {
			t.Fatal(err)
		}
		var month int64
		view(t, db, func(tx *store.Tx) error { return tx.Row("SELECT month FROM log_head").Scan(&month) })
		fixed := []byte{0, 0, 0, 0, 0, 0, 0, 40, 0, 0, 0, 0, byte(month >> 24), byte(month >> 16), byte(month >> 8), byte(month)}
		update(t, db, run("UPDATE log_head SET hashes = $1, mac = $2", tree.Hashes(), db.MAC("log_head", "0", fixed, tree.Hashes())))
		got := findings(t, db)
		if len(got) != 1 || got[0].Kind != store.CheckpointWrong || got[0].Index != 40 {
			t.Errorf("findings = %v", got)
		}
		_, err = db.Checkpoint(ctx)
		if cfg.URL == "" && !errors.Is(err, tlog.ErrFatal) && err != nil {
			t.Errorf("Checkpoint: %v", err)
		}
	})
}

// A stored head that this process did not write stops the store.
func TestForeignHeadIsFatal(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		db := storetest.Open(t, cfg)
		fill(t, db, 10)
		var size, month int64
		var hashes, mac []byte
		view(t, db, func(tx *store.Tx) error {
			return tx.Row("SELECT size, month, hashes, mac FROM log_head").Scan(&size, &month, &hashes, &mac)
		})
		fill(t, db, 10)
		// An old backup is put over the head, with its code and all.
		update(t, db, run("UPDATE log_head SET size = $1, month = $2, hashes = $3, mac = $4", size, month, hashes, mac))
		_, err := db.Record(ctx, store.Record{Act: "x", Outcome: store.Done})
		if !errors.Is(err, tlog.ErrFatal) {
			t.Fatalf("Record on a foreign head: %v", err)
		}
		err = db.Update(ctx, func(*store.Tx) error { return nil })
		wantKind(t, "Update after", err, elicense.Unavailable)
		if !errors.Is(err, tlog.ErrFatal) || !errors.Is(db.Fatal(), tlog.ErrFatal) {
			t.Errorf("Update after: %v", err)
		}
	})
}

// A log that can not be trusted is not opened, but to inspect it.
func TestInspect(t *testing.T) {
	cfg := storetest.Config(t)
	db, err := store.Open(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	fill(t, db, 10)
	update(t, db, run("UPDATE log_head SET size = 9"))
	update(t, db, run("UPDATE record SET time = 0 WHERE idx = 4"))
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := store.Open(ctx, cfg); !errors.Is(err, tlog.ErrFatal) {
		t.Errorf("Open: %v", err)
	}
	cfg.Inspect = true
	db = storetest.Open(t, cfg)
	got := findings(t, db)
	for _, kind := range []store.FindingKind{store.HeadWrong, store.RecordChanged} {
		if !slices.ContainsFunc(got, func(f store.Finding) bool { return f.Kind == kind }) {
			t.Errorf("no finding %s among %v", kind, got)
		}
	}
	if err := db.Update(ctx, func(*store.Tx) error { return nil }); err == nil {
		t.Error("Update of a store opened to inspect")
	}
	if _, err := db.Record(ctx, store.Record{Act: "x", Outcome: store.Done}); err == nil {
		t.Error("Record in a store opened to inspect")
	}
}

func TestShards(t *testing.T) {
	storetest.OnPostgres(t, func(t *testing.T, cfg store.Config) {
		second := cfg
		second.Dir, second.Shard = t.TempDir(), 1
		a, b := storetest.Open(t, cfg), storetest.Open(t, second)
		var wg sync.WaitGroup
		for _, db := range []*store.DB{a, b} {
			wg.Go(func() {
				for range 20 {
					fill(t, db, 20)
				}
			})
		}
		wg.Wait()
		checkpoint(t, a)
		checkpoint(t, b)
		noFindings(t, a)
		if n := count(t, a, "SELECT COUNT(DISTINCT shard) FROM record"); n != 2 {
			t.Errorf("%d shards", n)
		}
		// What one process sealed the other opens, with keys made after it started.
		if err := a.RotateKeys(ctx); err != nil {
			t.Fatal(err)
		}
		if got, err := b.Decrypt("t", "r", "c", a.Encrypt("t", "r", "c", []byte("x"))); err != nil || string(got) != "x" {
			t.Errorf("Decrypt = %q, %v", got, err)
		}
	})
}

// Records of 64 callers share commits. This is counted work, not time: while one
// group is committed the next one gathers.
func TestRecordsPerCommit(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		db := storetest.Open(t, cfg)
		var wg sync.WaitGroup
		for range 64 {
			wg.Go(func() {
				for range 50 {
					record(t, db, store.Record{Act: "view", Outcome: store.Permitted, License: "L", Case: "c"})
				}
			})
		}
		wg.Wait()
		if got := db.Stats().RecordsPerCommit(); got < 25 {
			t.Errorf("%.1f records per commit at 64 callers, want 25", got)
		} else {
			t.Logf("%.1f records per commit", got)
		}
	})
}

func TestRunCheckpoints(t *testing.T) {
	db := storetest.New(t)
	fill(t, db, 3)
	running, stop := newContext()
	done := make(chan error)
	go func() { done <- db.RunCheckpoints(running) }()
	for count(t, db, "SELECT COUNT(*) FROM checkpoint") == 0 {
		time.Sleep(time.Millisecond)
	}
	fill(t, db, 3)
	stop()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if n := count(t, db, "SELECT MAX(size) FROM checkpoint"); n != 6 {
		t.Errorf("last checkpoint at %d, want one at the end", n)
	}
}

// A salt of another length can't be hashed at all: the proof is refused, and the
// check of the log names the record.
func TestASaltOfAnotherLengthIsNamed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		db := storetest.Open(t, cfg)
		r, err := db.Record(ctx, store.Record{Act: "read", Outcome: store.Done})
		if err != nil {
			t.Fatal(err)
		}
		update(t, db, func(tx *store.Tx) error {
			_, err := tx.Exec(`UPDATE record SET salt = $1 WHERE id = $2`, []byte("short"), r[0].ID)
			return err
		})
		if _, err := db.Prove(ctx, r[0].ID); !errors.Is(err, store.ErrTampered) {
			t.Errorf("got %v, want the tampering named", err)
		}
		named := false
		err = db.CheckLog(ctx, nil, func(f store.Finding) { named = named || f.ID == r[0].ID })
		if err != nil || !named {
			t.Errorf("the check of the log: named %v, %v", named, err)
		}
	})
}
