package store

import "sync"

// keeper keeps what was read, by the epoch it was read at.
type keeper struct {
	mu    sync.RWMutex
	epoch uint64
	of    map[string]any
}

// maxKept bounds what is kept; more is forgotten whole.
const maxKept = 4096

// Keep returns what read makes of the database, or what it made since the last
// change of anything but the record: for the few rows that every request asks
// for, such as units and license types. key tells one thing from all others of
// the store. What is kept is shared and must not be changed. In an Update, and
// where other processes write to the database (PostgreSQL), it only reads.
func Keep[T any](tx *Tx, key string, read func() (T, error)) (T, error) {
	if !tx.keeps {
		return read()
	}
	k := &tx.db.kept
	k.mu.RLock()
	v, ok := k.of[key].(T)
	ok = ok && k.epoch == tx.epoch
	k.mu.RUnlock()
	if ok {
		return v, nil
	}
	v, err := read()
	if err != nil {
		return v, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.of == nil || k.epoch < tx.epoch || len(k.of) >= maxKept {
		k.epoch, k.of = tx.epoch, map[string]any{}
	}
	if k.epoch == tx.epoch { // not one that has ended meanwhile
		k.of[key] = v
	}
	return v, nil
}
