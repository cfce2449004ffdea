package store

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"elicense/gm"
	"elicense/tlog"
)

// FindingKind says what is wrong with the log.
type FindingKind string

// The kinds of findings.
const (
	RecordChanged   FindingKind = "record-changed"   // its bytes, id, time or place are not what was logged
	RecordMissing   FindingKind = "record-missing"   // logged and gone
	RecordExtra     FindingKind = "record-extra"     // stored and never logged
	IndexWrong      FindingKind = "index-wrong"      // it is not found, or wrongly, by id, license, case, holder, actor or unit
	TileWrong       FindingKind = "tile-wrong"       // a tile does not follow from the records
	HeadWrong       FindingKind = "head-wrong"       // the head does not follow from the records
	CheckpointWrong FindingKind = "checkpoint-wrong" // a signed state is not the log's, or its signature does not hold
)

// Finding is one thing wrong with the log.
type Finding struct {
	Kind   FindingKind
	Shard  int
	Index  uint64 // of the record, or the size of the checkpoint
	ID     string // of the record, where it is known
	Detail string
}

// String returns the finding as one line.
func (f Finding) String() string {
	return fmt.Sprintf("%s: shard %d, index %d, id %q: %s", f.Kind, f.Shard, f.Index, f.ID, f.Detail)
}

// CheckLog reads every record of every shard, recomputes leaves, tiles, heads and
// roots, checks the signatures of all checkpoints and that each continues the
// one before, and reports all that is wrong. visit, unless it is nil, is given each
// record that is as it was logged. The error is for what could not be read. All of
// it is one consistent state; on a large log it takes about a minute a million
// records.
func (db *DB) CheckLog(ctx context.Context, visit func(*Record), report func(Finding)) error {
	report = withoutEchoes(report)
	return db.View(ctx, func(tx *Tx) error {
		shards, err := All(tx, func(r *Rows) (int, error) {
			var s int
			err := r.Scan(&s)
			return s, err
		}, "SELECT shard FROM log_head UNION SELECT shard FROM record UNION SELECT shard FROM checkpoint ORDER BY 1")
		if err != nil {
			return err
		}
		for _, s := range shards {
			c := &checker{db: db, tx: tx, shard: s, visit: visit, report: report, levels: map[uint][]byte{}}
			err := c.check()
			if err == nil {
				err = checkKeys(tx, s, c.size, report)
			}
			if err != nil {
				return fmt.Errorf("check shard %d: %w", s, err)
			}
		}
		if err := checkIDs(tx, report); err != nil {
			return err
		}
		return checkTops(db, tx, report)
	})
}

// withoutEchoes keeps back what is wrong with the index of a record that was
// reported itself: a changed record is rightly found nowhere.
func withoutEchoes(report func(Finding)) func(Finding) {
	type place struct {
		shard int
		index uint64
	}
	seen := map[place]bool{}
	return func(f Finding) {
		at := place{f.Shard, f.Index}
		switch f.Kind {
		case RecordChanged, RecordMissing, RecordExtra:
			seen[at] = true
		case IndexWrong:
			if seen[at] {
				return
			}
		}
		report(f)
	}
}

// checker walks one shard's records in the order of the log.
type checker struct {
	db      *DB
	tx      *Tx
	shard   int
	visit   func(*Record) // may be nil
	report  func(Finding)
	size    uint64 // by the head
	tree    tlog.Tree
	unknown bool            // a leaf could not be had: roots from here on can not be judged
	tile    []byte          // the stored level 0 tile at hand, nil when there is none
	levels  map[uint][]byte // nodes of tile levels from 1 on
	points  []tlog.Signed   // checkpoints not reached yet, by size
	good    uint64          // size of the last checkpoint that held
}

func (c *checker) found(kind FindingKind, index uint64, id, format string, args ...any) {
	c.report(Finding{kind, c.shard, index, id, fmt.Sprintf(format, args...)})
}

func (c *checker) check() error {
	chain := &chain{db: c.db, shard: c.shard}
	h, err := chain.read(c.tx)
	switch {
	case errors.Is(err, ErrNoRow) || errors.Is(err, tlog.ErrFatal):
		c.found(HeadWrong, 0, "", "%v", err)
		if err := c.tx.Row("SELECT COALESCE(MAX(idx) + 1, 0) FROM record WHERE shard = $1", c.shard).Scan(&c.size); err != nil {
			return err
		}
	case err != nil:
		return err
	default:
		c.size = h.tree.Size()
	}
	if err := c.readCheckpoints(); err != nil {
		return err
	}
	if err := c.walk(); err != nil {
		return err
	}
	if !c.unknown && h.tree.Size() > 0 && !c.tree.Equal(h.tree) {
		c.found(HeadWrong, c.size, "", "its root does not follow from the records after %d", c.good)
	}
	for _, p := range c.points {
		c.found(CheckpointWrong, p.Size, "", "the log has %d records only", c.size)
	}
	return c.checkTiles()
}

func (c *checker) readCheckpoints() error {
	rows, err := c.tx.Query("SELECT size, note, signature FROM checkpoint WHERE shard = $1 ORDER BY size", c.shard)
	if err != nil {
		return err
	}
	for rows.Next() {
		var size uint64
		var s tlog.Signed
		if err := rows.Scan(&size, &s.Note, &s.Signature); err != nil {
			return err
		}
		if s.Checkpoint, err = tlog.ParseCheckpoint(s.Note); err != nil {
			c.found(CheckpointWrong, size, "", "%v", err)
			continue
		}
		if s.Origin != tlog.ShardOrigin(c.shard) || s.Size != size {
			c.found(CheckpointWrong, size, "", "it is the checkpoint of %s at %d", s.Origin, s.Size)
			continue
		}
		if key := c.db.logKey(); key != nil {
			if err := s.Verify(key); err != nil {
				c.found(CheckpointWrong, size, "", "%v", err)
			}
		}
		c.points = append(c.points, s)
	}
	return nil
}

// storedRecord is a row of record.
type storedRecord struct {
	month, idx        uint64
	id                string
	time              int64
	bytes, salt, leaf []byte
}

const checkPage = 1000

func (c *checker) walk() error {
	var month, idx int64 = -1, -1
	for {
		page, err := All(c.tx, func(r *Rows) (s storedRecord, err error) {
			err = r.Scan(&s.month, &s.idx, &s.id, &s.time, &s.bytes, &s.salt, &s.leaf)
			return s, err
		}, `SELECT month, idx, id, time, bytes, salt, leaf FROM record WHERE shard = $1 AND (month, idx) > ($2, $3)
			ORDER BY month, idx LIMIT 1000`, c.shard, month, idx)
		if err != nil {
			return err
		}
		for _, s := range page {
			if err := c.record(s); err != nil {
				return err
			}
		}
		if len(page) < checkPage {
			return c.missingTo(c.size)
		}
		month, idx = int64(page[len(page)-1].month), int64(page[len(page)-1].idx)
		if err := c.tx.ctx.Err(); err != nil {
			return unavailable(err)
		}
	}
}

// record checks one stored record against the place it stands at.
func (c *checker) record(s storedRecord) error {
	if s.idx < c.tree.Size() || s.idx >= c.size {
		c.found(RecordExtra, s.idx, s.id, "the log has %d records and this is none of them", c.size)
		return nil
	}
	if err := c.missingTo(s.idx); err != nil {
		return err
	}
	logged, known, err := c.logged(s.idx)
	if err != nil {
		return err
	}
	r, leaf, wrong := c.leafOf(s)
	if wrong == "" && known && leaf != logged {
		wrong = "its leaf is not the one in the tile"
	}
	if wrong != "" {
		c.found(RecordChanged, s.idx, s.id, "%s", wrong)
	} else if c.visit != nil {
		c.visit(&r)
	}
	if !known {
		if len(s.leaf) == gm.DigestSize {
			logged = tlog.Hash(s.leaf)
		} else {
			logged = leaf
		}
	}
	return c.add(logged)
}

// leafOf recomputes a record's leaf and says what about the row is wrong.
func (c *checker) leafOf(s storedRecord) (r Record, leaf tlog.Hash, wrong string) {
	if len(s.salt) != tlog.SaltSize {
		return r, leaf, "its salt is not a salt"
	}
	leaf = tlog.RecordLeaf(s.salt, c.shard, s.idx, s.bytes)
	if !bytes.Equal(leaf[:], s.leaf) {
		return r, leaf, "its bytes, salt or place are not those of its leaf"
	}
	r, err := decodeRecord(s.bytes)
	if err != nil {
		return r, leaf, err.Error()
	}
	if r.ID != s.id || r.Time.UnixMicro() != s.time {
		return r, leaf, "its id or time is not that of its bytes"
	}
	return r, leaf, ""
}

// logged returns the leaf that the tile at the place holds.
func (c *checker) logged(index uint64) (leaf tlog.Hash, known bool, err error) {
	at := index % tlog.TileWidth
	if at == 0 || c.tile == nil {
		c.tile = nil
		n := index / tlog.TileWidth
		if (n+1)*tlog.TileWidth > c.size {
			return leaf, false, nil
		}
		c.tile, err = readTile(c.tx, c.shard, 0, n)
		if err == nil && len(c.tile) != tlog.TileWidth*gm.DigestSize {
			err = ErrNoRow
		}
		if errors.Is(err, ErrNoRow) {
			if at == 0 {
				c.found(TileWrong, index, "", "tile %d of level 0 is missing or cut", n)
			}
			c.tile = nil
			return leaf, false, nil
		}
		if err != nil {
			return leaf, false, err
		}
	}
	return tlog.Hash(c.tile[at*gm.DigestSize : (at+1)*gm.DigestSize]), true, nil
}

// missingTo reports the records from where the walk stands up to index as
// missing, and goes on with their leaves where a tile still has them.
func (c *checker) missingTo(index uint64) error {
	for i := c.tree.Size(); i < index; i++ {
		id := ""
		err := c.tx.Row("SELECT id FROM record_id WHERE shard = $1 AND idx = $2", c.shard, i).Scan(&id)
		if err != nil && !errors.Is(err, ErrNoRow) {
			return err
		}
		c.found(RecordMissing, i, id, "it is in the log and not in the record")
		leaf, known, err := c.logged(i)
		if err != nil {
			return err
		}
		c.unknown = c.unknown || !known
		if err := c.add(leaf); err != nil {
			return err
		}
	}
	return nil
}

// add appends a leaf to the recomputed tree and judges a checkpoint at its size.
func (c *checker) add(leaf tlog.Hash) (err error) {
	c.tree, err = c.tree.Append([]tlog.Hash{leaf}, func(level uint, _ uint64, h tlog.Hash) {
		if level > 0 && level%8 == 0 {
			c.levels[level/8] = append(c.levels[level/8], h[:]...)
		}
	})
	if err != nil {
		return err
	}
	for len(c.points) > 0 && c.points[0].Size <= c.tree.Size() {
		p := c.points[0]
		c.points = c.points[1:]
		switch {
		case c.unknown || p.Size == 0:
		case c.tree.Root() != p.Root:
			c.found(CheckpointWrong, p.Size, "", "its root is not that of the records; they differ after the first %d", c.good)
		default:
			c.good = p.Size
		}
	}
	return nil
}

// checkTiles compares the tiles above level 0 with the recomputed nodes, and
// finds those that should not be.
func (c *checker) checkTiles() error {
	for level := range c.levels {
		n := uint64(0)
		for want := range slices.Chunk(c.levels[level], tlog.TileWidth*gm.DigestSize) {
			got, err := readTile(c.tx, c.shard, level, n)
			if err != nil && !errors.Is(err, ErrNoRow) {
				return err
			}
			if !c.unknown && !bytes.Equal(got, want) {
				c.found(TileWrong, n*tlog.TileWidth<<(8*level), "", "tile %d of level %d does not follow from the records", n, level)
			}
			n++
		}
	}
	return c.extraTiles()
}

func (c *checker) extraTiles() error {
	rows, err := c.tx.Query("SELECT level, MAX(tile), COUNT(*) FROM log_tile WHERE shard = $1 GROUP BY level", c.shard)
	if err != nil {
		return err
	}
	for rows.Next() {
		var level uint
		var last, count uint64
		if err := rows.Scan(&level, &last, &count); err != nil {
			return err
		}
		want := c.size / tlog.TileWidth
		if level > 0 {
			want = (c.size>>(8*level) + tlog.TileWidth - 1) / tlog.TileWidth
		}
		if last >= want {
			c.found(TileWrong, last*tlog.TileWidth<<(8*level), "", "tile %d of level %d: there should be %d, there are %d", last, level, want, count)
		}
	}
	return nil
}

// checkIDs finds records that are not found by their id, and ids of no record.
func checkIDs(tx *Tx, report func(Finding)) error {
	for detail, q := range map[string]string{
		"it is not found by its id": `SELECT r.shard, r.idx, r.id FROM record r
			LEFT JOIN record_id i ON i.id = r.id AND i.shard = r.shard AND i.month = r.month AND i.idx = r.idx
			WHERE i.id IS NULL ORDER BY r.shard, r.idx`,
		"its id leads to no record or to another one": `SELECT i.shard, i.idx, i.id FROM record_id i
			LEFT JOIN record r ON r.shard = i.shard AND r.month = i.month AND r.idx = i.idx AND r.id = i.id
			WHERE r.id IS NULL ORDER BY i.shard, i.idx`,
	} {
		if err := reportRows(tx, report, detail, q); err != nil {
			return err
		}
	}
	return nil
}

func reportRows(tx *Tx, report func(Finding), detail, q string) error {
	rows, err := tx.Query(q)
	if err != nil {
		return err
	}
	for rows.Next() {
		f := Finding{Kind: IndexWrong, Detail: detail}
		if err := rows.Scan(&f.Shard, &f.Index, &f.ID); err != nil {
			return err
		}
		report(f)
	}
	return nil
}

// checkKeys compares the runs with the keys the records should be found by.
func checkKeys(tx *Tx, shard int, size uint64, report func(Finding)) error {
	list, err := runs(tx, shard, "ASC")
	if err != nil {
		return err
	}
	end := uint64(0)
	for _, r := range append(list, run{first: size}) {
		if r.first > end {
			report(Finding{IndexWrong, shard, end, "", fmt.Sprintf("it and the next, up to %d, are found by nothing they are about", r.first)})
		}
		if r.size == 0 {
			continue
		}
		end = max(end, r.first+r.size)
		keys, err := readRun(tx, shard, r)
		if errors.Is(err, ErrTampered) {
			report(Finding{IndexWrong, shard, r.first, "", fmt.Sprintf("the keys of the %d records from it on can not be read: %v", r.size, err)})
			continue
		}
		if err == nil {
			err = compareRun(tx, shard, r, keys, report)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// manyKeys is from how many keys on a run's are reported as one finding.
const manyKeys = 6

// compareRun compares the keys of a run with those of its records. Keys out of
// order are not found either.
func compareRun(tx *Tx, shard int, r run, stored []runKey, report func(Finding)) error {
	ids, wanted := map[uint64]string{}, map[runKey]recordKey{}
	err := eachRecord(tx, shard, r.first, r.first+r.size, func(rec *Record, month int64, idx uint64) {
		ids[idx] = rec.ID
		for _, k := range rec.keys() {
			wanted[newRunKey(hashOf(k), rec.Time, month, idx)] = k
		}
	})
	if err != nil {
		return err
	}
	var before runKey
	var wrong []runKey
	for _, k := range stored {
		if _, ok := wanted[k]; !ok || compareKeys(k, before) <= 0 {
			wrong = append(wrong, k)
			continue
		}
		delete(wanted, k)
		before = k
	}
	some := func(list []runKey, detail func(runKey) string) {
		slices.SortFunc(list, func(a, b runKey) int { return cmp.Compare(a.idx(), b.idx()) })
		for i, k := range list {
			f := Finding{IndexWrong, shard, k.idx(), ids[k.idx()], detail(k)}
			if i == manyKeys {
				f.Detail += fmt.Sprintf(", and so with %d more keys up to record %d", len(list)-i-1, list[len(list)-1].idx())
			}
			report(f)
			if i == manyKeys {
				return
			}
		}
	}
	some(wrong, func(runKey) string { return "a key leads to it wrongly" })
	some(slices.Collect(maps.Keys(wanted)), func(k runKey) string { return fmt.Sprintf("it is not found by %s %s", wanted[k].kind, wanted[k].key) })
	return nil
}

// checkTops checks the roots over the shards against the checkpoints they name.
func checkTops(db *DB, tx *Tx, report func(Finding)) error {
	rows, err := tx.Query("SELECT time, note, members, signature FROM log_top ORDER BY time")
	if err != nil {
		return err
	}
	for rows.Next() {
		var at int64
		var s tlog.Signed
		var members []byte
		if err := rows.Scan(&at, &s.Note, &members, &s.Signature); err != nil {
			return err
		}
		wrong, err := checkTop(db, tx, s, at, members)
		if err != nil {
			return err
		}
		if wrong != nil {
			report(Finding{CheckpointWrong, -1, s.Size, "", fmt.Sprintf("root over the shards of %d: %v", at, wrong)})
		}
	}
	return nil
}

func checkTop(db *DB, tx *Tx, s tlog.Signed, at int64, members []byte) (wrong, err error) {
	if s.Checkpoint, wrong = tlog.ParseCheckpoint(s.Note); wrong != nil {
		return wrong, nil
	}
	if s.Origin != tlog.TopOrigin || s.Time.UnixMicro() != at {
		return errors.New("it is of another origin or time"), nil
	}
	if key := db.logKey(); key != nil {
		if wrong := s.Verify(key); wrong != nil {
			return wrong, nil
		}
	}
	var leaves []tlog.Hash
	for line := range bytes.Lines(members) {
		var shard, size int64
		if _, wrong := fmt.Sscanf(string(line), "%d %d\n", &shard, &size); wrong != nil {
			return wrong, nil
		}
		var note []byte
		err := tx.Row("SELECT note FROM checkpoint WHERE shard = $1 AND size = $2", shard, size).Scan(&note)
		if errors.Is(err, ErrNoRow) {
			return fmt.Errorf("the checkpoint of shard %d at %d is gone", shard, size), nil
		}
		if err != nil {
			return nil, err
		}
		leaves = append(leaves, tlog.LeafHash(note))
	}
	tree, err := tlog.Tree{}.Append(leaves, nil)
	if err == nil && (tree.Size() != s.Size || tree.Root() != s.Root) {
		wrong = errors.New("it does not follow from the checkpoints")
	}
	return wrong, err
}
