package store

import (
	"errors"
	"hash/maphash"
	"math"
	"strconv"
	"sync"
	"sync/atomic"
)

// keeper keeps what was read until a row it rests on changes.
//
// Commits that change rows are numbered. Before a commit becomes visible the
// writer notes its number at the mark of every row it changed; once it is visible
// the number is the newest. A thing was read in a snapshot no older than some
// number, and so is the snapshot it is wanted in; while its marks are no newer
// than both, none of its rows differ between the two. Rows whose marks fall
// together only make things be read again.
type keeper struct {
	newest atomic.Uint64   // number of the newest commit that is visible for certain
	turns  atomic.Uint64   // turns of the writer begun and ended: odd while it changes rows
	marks  []atomic.Uint64 // manyMarks, where anything is kept

	mu         sync.RWMutex
	now, older map[string]*kept // two generations: what is not asked for through one of them is forgotten
}

// kept is a thing as it was read in a snapshot no older than a commit.
type kept struct {
	value any
	from  uint64
	rests []uint32 // the marks of its rows
}

// manyMarks is so many that busy writing does not soon raise them all: some
// thousand changed rows a second leave a thing to itself for minutes.
const manyMarks = 1 << 20

// maxKept bounds a generation, with about a kilobyte to a thing.
const maxKept = 1 << 16

var markSeed = maphash.MakeSeed()

// markOf returns the mark of the rows of a table that have a value in a column,
// of all its rows without a column.
func markOf(table, column, value string) uint32 {
	var h maphash.Hash
	h.SetSeed(markSeed)
	for _, s := range [...]string{table, column, value} {
		h.WriteString(s)
		h.WriteByte(0)
	}
	return uint32(h.Sum64() & (manyMarks - 1))
}

// still tells whether none of the marks is newer than a commit.
func (k *keeper) still(rests []uint32, commit uint64) bool {
	for _, m := range rests {
		if k.marks[m].Load() > commit {
			return false
		}
	}
	return true
}

func (k *keeper) find(key string) *kept {
	k.mu.RLock()
	e, old := k.now[key], k.older[key]
	k.mu.RUnlock()
	if e == nil && old != nil {
		k.put(key, old)
		e = old
	}
	return e
}

func (k *keeper) put(key string, e *kept) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.now == nil || len(k.now) >= maxKept {
		k.now, k.older = map[string]*kept{}, k.now
	}
	k.now[key] = e
}

// change notes the rows a commit changes, before it can be seen; visible must be
// called after it, whether it failed or not.
func (k *keeper) change(marks []uint32) (visible func()) {
	if len(marks) == 0 {
		return func() {}
	}
	next := k.newest.Load() + 1
	for _, m := range marks {
		k.marks[m].Store(next)
	}
	return func() { k.newest.Store(next) }
}

// Keep returns what read makes of the database, or what it made of it before if
// none of the rows its statements asked for has changed since: what is returned
// is always that of the transaction's snapshot. For the rows requests ask for
// again and again, decrypted and decoded. key tells one thing from all others of
// the store. What is kept is shared and must not be changed. read must not depend
// on the time. In an Update, in a store opened to inspect, and where other
// processes write to the database (PostgreSQL), Keep only reads.
func Keep[T any](tx *Tx, key string, read func() (T, error)) (T, error) {
	if !tx.keeps {
		return read()
	}
	k := &tx.db.kept
	if e := k.find(key); e != nil {
		// The snapshot is fixed before the marks are looked at, or looks again once
		// it is (settle).
		if err := tx.fix(); err != nil {
			var none T
			return none, err
		}
		if v, ok := e.value.(T); ok && k.still(e.rests, min(e.from, tx.since)) {
			tx.rest(e.rests)
			return v, nil
		}
	}
	outer := tx.resting
	tx.resting = &resting{}
	v, err := read()
	mine := tx.resting
	tx.resting = outer
	if outer != nil {
		outer.rests = append(outer.rests, mine.rests...)
		outer.never = outer.never || mine.never
	}
	if err == nil && !mine.never && tx.broken == nil {
		k.put(key, &kept{v, tx.since, mine.rests})
	}
	return v, err
}

// resting gathers what the statements of a read rest on.
type resting struct {
	rests []uint32
	never bool // it can not be told
}

// rest notes marks the transaction has relied on.
func (tx *Tx) rest(marks []uint32) {
	if tx.resting != nil {
		tx.resting.rests = append(tx.resting.rests, marks...)
	}
	if tx.lazy && !tx.settled {
		tx.relied = append(tx.relied, marks...)
	}
}

// errMoved says that what was kept has changed before the snapshot was taken.
var errMoved = errors.New("store: a kept row changed before the snapshot")

// fix takes the snapshot of a transaction that can not be run again.
func (tx *Tx) fix() error {
	if tx.lazy || tx.settled {
		return nil
	}
	_, err := tx.Query("SELECT id FROM data_key LIMIT 1")
	return err
}

// settle is called when the first statement has fixed the snapshot: what was
// taken from what is kept before must be true in it.
func (tx *Tx) settle() error {
	if tx.settled {
		return nil
	}
	tx.settled = true
	if !tx.db.kept.still(tx.relied, tx.since) {
		return errMoved
	}
	tx.relied = nil
	return nil
}

// schema is what the keeper knows of the tables.
type schema map[string]*table

type table struct {
	name    string
	columns []*column
	record  bool // of the record and its log: changes by the commit, and is never kept
}

type column struct {
	name    string
	kind    string        // as declared
	watched bool          // the first of an index: statements look rows up by it
	asked   atomic.Uint64 // since which turn something kept rests on its values, plus one; 0: nothing does
}

// ask has the writer mark the values of the column that change from now on, and
// tells whether it did so in every turn that ended after another. Most columns are
// never asked for, and reading a row's values for their marks takes as long as
// changing some.
func (c *column) ask(k *keeper, since uint64) bool {
	if c.asked.CompareAndSwap(0, math.MaxUint64) {
		// A turn under way may not have seen it.
		c.asked.Store((k.turns.Load()+1)/2*2 + 1)
	}
	return since+1 >= c.asked.Load()
}

// recordTables are written with every record; what rests on them is not kept, and
// their rows are not looked at when they change.
var recordTables = map[string]bool{"record": true, "record_id": true, "record_run": true, "record_part": true, "record_sweep": true, "log_head": true, "log_tile": true}

// asked is how many columns there are up to the last that is asked for.
func (t *table) asked() (n int) {
	for i, c := range t.columns {
		if c.asked.Load() > 0 {
			n = i + 1
		}
	}
	return n
}

// markKey is how a value of a column stands in a mark.
func markKey(v any) (string, bool) {
	switch v := v.(type) {
	case string:
		return v, true
	case []byte:
		return string(v), true
	case int64:
		return strconv.FormatInt(v, 10), true
	}
	return "", false
}

// changed returns the marks of a row that was and of one that is.
func (t *table) changed(marks []uint32, row []any) []uint32 {
	for i := range row {
		c := t.columns[i]
		if c.asked.Load() == 0 {
			continue
		}
		if v, ok := markKey(row[i]); ok {
			marks = append(marks, markOf(t.name, c.name, v))
		}
	}
	return marks
}
