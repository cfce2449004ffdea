package store

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sort"
	"time"

	"elicense/gm"
)

// Records are found by what they are about through runs: the keys of the records
// of a stretch of the log, sorted. A commit adds one run, in a row or two; a row
// for each key would dirty a page for each. When runs become many they are merged
// into longer ones, so that looking up a key asks few: short ones by the commit
// that makes them many, long ones aside (merger), since every commit would wait
// for it.

// runKey is one key of one record in a run, so written that keys sort by what
// they are of, then by the time of the record:
//
//	hash[8] || time[8] || month[4] || idx[8]
type runKey [28]byte

// hashOf is what a key is sorted by. That two keys share it is possible: who
// looks one up asks the record.
func hashOf(k recordKey) [8]byte {
	d := gm.Sum([]byte(string(k.kind) + "\x00" + k.key))
	return [8]byte(d[:8])
}

func newRunKey(hash [8]byte, at time.Time, month int64, idx uint64) (k runKey) {
	copy(k[:8], hash[:])
	binary.BigEndian.PutUint64(k[8:], uint64(at.UnixMicro())^1<<63) // times before 1970 sort first
	binary.BigEndian.PutUint32(k[16:], uint32(month))
	binary.BigEndian.PutUint64(k[20:], idx)
	return k
}

func (k runKey) time() time.Time {
	return time.UnixMicro(int64(binary.BigEndian.Uint64(k[8:]) ^ 1<<63)).UTC()
}
func (k runKey) month() int64 { return int64(binary.BigEndian.Uint32(k[16:])) }
func (k runKey) idx() uint64  { return binary.BigEndian.Uint64(k[20:]) }

func compareKeys(a, b runKey) int { return bytes.Compare(a[:], b[:]) }

// runKeys appends the keys of a record.
func (r *Record) runKeys(list []runKey, month int64, idx uint64) []runKey {
	for _, k := range r.keys() {
		list = append(list, newRunKey(hashOf(k), r.Time, month, idx))
	}
	return list
}

const (
	partKeys   = 256   // keys to a row
	runFan     = 4     // runs of one level become one of the next
	runLongest = 16384 // records from which on a run is left as it is
	runAside   = 4     // level from which on runs are merged aside
)

// run is a row of record_run. Its rows of record_part stand under parts, which is
// first until it was merged aside.
type run struct{ first, size, parts uint64 }

// level is how often the run may have been merged.
func (r run) level() (n int) {
	for s := r.size; s >= runFan; s /= runFan {
		n++
	}
	return n
}

func putRun(tx *Tx, shard int, r run, keys []runKey) error {
	if err := putRunRow(tx, shard, r); err != nil {
		return err
	}
	return putParts(tx, shard, r.parts, keys)
}

func putRunRow(tx *Tx, shard int, r run) error {
	_, err := tx.Exec("INSERT INTO record_run (shard, first, size, parts) VALUES ($1, $2, $3, $4)", shard, r.first, r.size, r.parts)
	return err
}

// putParts inserts keys, which are whole rows but for the last.
func putParts(tx *Tx, shard int, parts uint64, keys []runKey) error {
	var rows [][]any
	for part := range slices.Chunk(keys, partKeys) {
		b := make([]byte, 0, len(part)*len(runKey{}))
		for i := range part {
			b = append(b, part[i][:]...)
		}
		rows = append(rows, []any{shard, parts, part[0][:], b})
	}
	return tx.insertMany("INSERT INTO record_part (shard, first, low, keys) VALUES ($1, $2, $3, $4)", rows)
}

// splitKeys returns the keys of a row of record_part.
func splitKeys(b []byte) ([]runKey, error) {
	if len(b) == 0 || len(b)%len(runKey{}) != 0 {
		return nil, tampered("keys of records", fmt.Errorf("%d bytes", len(b)))
	}
	keys := make([]runKey, 0, len(b)/len(runKey{}))
	for k := range slices.Chunk(b, len(runKey{})) {
		keys = append(keys, runKey(k))
	}
	return keys, nil
}

var errLow = tampered("keys of records", errors.New("they do not begin with the first"))

// readRun returns the keys of a run. It reads a few rows at a time, so that others
// have their turn.
func readRun(tx *Tx, shard int, r run) (keys []runKey, err error) {
	after := []byte{}
	for {
		rows, err := tx.Query("SELECT low, keys FROM record_part WHERE shard = $1 AND first = $2 AND low > $3 ORDER BY low LIMIT 16", shard, r.parts, after)
		if err != nil || rows.Len() == 0 {
			return keys, err
		}
		for rows.Next() {
			var b []byte
			if err := rows.Scan(&after, &b); err != nil {
				return nil, err
			}
			part, err := splitKeys(b)
			if err == nil && !bytes.Equal(after, part[0][:]) {
				err = errLow
			}
			if err != nil {
				return nil, err
			}
			keys = append(keys, part...)
		}
		runtime.Gosched()
	}
}

func runs(tx *Tx, shard int, order string) ([]run, error) {
	return All(tx, func(r *Rows) (one run, err error) {
		err = r.Scan(&one.first, &one.size, &one.parts)
		return one, err
	}, "SELECT first, size, parts FROM record_run WHERE shard = $1 ORDER BY first "+order, shard)
}

// addRun enters the keys of the newest records, and merges short runs that have
// become too many. Of long ones the merger is told.
func (c *chain) addRun(tx *Tx, r run, keys []runKey) error {
	slices.SortFunc(keys, compareKeys)
	if err := putRun(tx, c.shard, r, keys); err != nil {
		return err
	}
	newest, err := runs(tx, c.shard, "DESC LIMIT 64")
	if err != nil {
		return err
	}
	for level := range runAside {
		n, same := upTo(newest, level)
		if same >= runFan {
			merged, err := c.merge(tx, newest[:n])
			if err != nil {
				return err
			}
			newest = append([]run{merged}, newest[n:]...)
		} else if n == len(newest) {
			return nil
		}
	}
	if len(dueAside(newest)) > 0 {
		c.merger.many.Store(true)
	}
	return nil
}

// upTo counts the newest runs that are of a level or below, and those of the
// level among them.
func upTo(newest []run, level int) (n, same int) {
	for n < len(newest) && newest[n].level() <= level && newest[n].size < runLongest {
		if newest[n].level() == level {
			same++
		}
		n++
	}
	return n, same
}

// merge makes one run of neighbors, the newest of which is the first, none of
// them merged aside.
func (c *chain) merge(tx *Tx, list []run) (run, error) {
	one := run{first: list[len(list)-1].first}
	one.parts = one.first
	var all [][]runKey
	for _, r := range list {
		keys, err := readRun(tx, c.shard, r)
		if err != nil {
			return run{}, err
		}
		one.size += r.size
		all = append(all, keys)
	}
	last := list[0].first
	for _, table := range []string{"record_run", "record_part"} {
		if _, err := tx.Exec("DELETE FROM "+table+" WHERE shard = $1 AND first >= $2 AND first <= $3", c.shard, one.first, last); err != nil {
			return run{}, err
		}
	}
	return one, putRun(tx, c.shard, one, mergeAll(all))
}

// mergeAll moves each key once a round.
func mergeAll(all [][]runKey) []runKey {
	for len(all) > 1 {
		var half [][]runKey
		for i := 0; i+1 < len(all); i += 2 {
			half = append(half, mergeKeys(all[i], all[i+1]))
		}
		if len(all)%2 == 1 {
			half = append(half, all[len(all)-1])
		}
		all = half
	}
	return all[0]
}

func mergeKeys(a, b []runKey) []runKey {
	out := make([]runKey, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if len(out)%1024 == 1023 {
			runtime.Gosched() // long runs are merged beside those who wait for an answer
		}
		if compareKeys(a[0], b[0]) <= 0 {
			out, a = append(out, a[0]), a[1:]
		} else {
			out, b = append(out, b[0]), b[1:]
		}
	}
	return append(append(out, a...), b...)
}

// catchUp makes the runs of the records that are in none: those of a program
// before there were runs.
func (c *chain) catchUp(ctx context.Context) error {
	for {
		done := false
		err := c.db.Update(ctx, func(tx *Tx) error {
			h, err := c.read(tx)
			if err != nil {
				return err
			}
			var r run
			newest, err := runs(tx, c.shard, "DESC LIMIT 1")
			if err != nil {
				return err
			}
			if len(newest) > 0 {
				r.first = newest[0].first + newest[0].size
			}
			if done = r.first >= h.tree.Size(); done {
				return nil
			}
			r.size, r.parts = min(runLongest, h.tree.Size()-r.first), r.first
			var keys []runKey
			err = eachRecord(tx, c.shard, r.first, r.first+r.size, func(rec *Record, month int64, idx uint64) { keys = rec.runKeys(keys, month, idx) })
			if err != nil {
				return err
			}
			slices.SortFunc(keys, compareKeys)
			return putRun(tx, c.shard, r, keys)
		})
		if err != nil || done {
			return err
		}
	}
}

// eachRecord calls f with the records [from, to) that can be read, by month.
func eachRecord(tx *Tx, shard int, from, to uint64, f func(r *Record, month int64, idx uint64)) error {
	for month := int64(-1); ; {
		err := tx.Row("SELECT month FROM record WHERE shard = $1 AND month > $2 ORDER BY month LIMIT 1", shard, month).Scan(&month)
		if errors.Is(err, ErrNoRow) {
			return nil
		}
		for at := from; err == nil; {
			var rows *Rows
			rows, err = tx.Query(`SELECT idx, bytes FROM record WHERE shard = $1 AND month = $2 AND idx >= $3 AND idx < $4
				ORDER BY idx LIMIT 1000`, shard, month, at, to)
			if err != nil || rows.Len() == 0 {
				break
			}
			for rows.Next() {
				var data []byte
				if err := rows.Scan(&at, &data); err != nil {
					return err
				}
				if r, err := decodeRecord(data); err == nil {
					f(&r, month, at)
				}
				at++
			}
		}
		if err != nil {
			return err
		}
	}
}

// cursor walks back through the keys of a run that have one hash.
type cursor struct {
	shard int
	parts uint64
	hash  [8]byte
	keys  []byte // what is left of the part at hand, in order; the last is next
	low   runKey // of the part
}

// next returns the newest key that is left.
func (c *cursor) next() (runKey, bool) {
	if len(c.keys) == 0 {
		return runKey{}, false
	}
	return runKey(c.keys[len(c.keys)-len(runKey{}):]), true
}

// fill takes a part up, up to a bound.
func (c *cursor) fill(low, part []byte, bound runKey) error {
	const width = len(runKey{})
	if len(part) == 0 || len(part)%width != 0 {
		return tampered("keys of records", fmt.Errorf("%d bytes", len(part)))
	}
	if !bytes.Equal(low, part[:width]) {
		return errLow
	}
	c.low = runKey(low)
	var lowest runKey
	copy(lowest[:], c.hash[:])
	key := func(n int) []byte { return part[n*width : (n+1)*width] }
	n := len(part) / width
	from := sort.Search(n, func(i int) bool { return bytes.Compare(key(i), lowest[:]) >= 0 })
	to := sort.Search(n, func(i int) bool { return bytes.Compare(key(i), bound[:]) > 0 })
	c.keys = part[min(from, to)*width : to*width]
	return nil
}

// step drops the newest key and takes up the part before when it was the last.
func (c *cursor) step(tx *Tx) error {
	c.keys = c.keys[:len(c.keys)-len(runKey{})]
	if len(c.keys) > 0 || [8]byte(c.low[:8]) != c.hash {
		return nil // what stands before is of other keys
	}
	var low, part []byte
	err := tx.Row("SELECT low, keys FROM record_part WHERE shard = $1 AND first = $2 AND low < $3 ORDER BY low DESC LIMIT 1",
		c.shard, c.parts, c.low[:]).Scan(&low, &part)
	if errors.Is(err, ErrNoRow) {
		return nil
	}
	if err != nil {
		return err
	}
	return c.fill(low, part, c.low)
}

// cursors returns one for each run that may have the key, at the newest record
// that is not after a time.
func cursors(tx *Tx, key recordKey, until time.Time) ([]*cursor, error) {
	bound := newRunKey(hashOf(key), until, 0, 0)
	for i := 16; i < len(bound); i++ {
		bound[i] = 0xff
	}
	rows, err := tx.Query(`SELECT p.shard, p.first, p.low, p.keys FROM record_run r JOIN record_part p ON p.shard = r.shard AND p.first = r.parts
		AND p.low = (SELECT q.low FROM record_part q WHERE q.shard = r.shard AND q.first = r.parts AND q.low <= $1 ORDER BY q.low DESC LIMIT 1)`, bound[:])
	if err != nil {
		return nil, err
	}
	var list []*cursor
	for rows.Next() {
		c := &cursor{hash: [8]byte(bound[:8])}
		var low, part []byte
		if err := rows.Scan(&c.shard, &c.parts, &low, &part); err != nil {
			return nil, err
		}
		if err := c.fill(low, part, bound); err != nil {
			return nil, err
		}
		if len(c.keys) > 0 {
			list = append(list, c)
		}
	}
	return list, nil
}

// newestOf returns the cursor whose next record is the newest, nil when all are
// at their end.
func newestOf(list []*cursor) (at *cursor, page Page, key runKey) {
	for _, c := range list {
		k, ok := c.next()
		if !ok {
			continue
		}
		if p := (Page{k.time(), c.shard, k.idx()}); at == nil || p.after(page) {
			at, page, key = c, p, k
		}
	}
	return at, page, key
}

func (p Page) after(q Page) bool {
	switch c := p.Time.Compare(q.Time); {
	case c != 0:
		return c > 0
	case p.Shard != q.Shard:
		return p.Shard > q.Shard
	}
	return p.Index > q.Index
}
