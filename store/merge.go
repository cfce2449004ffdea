package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// merger has long runs merged aside. The keys are read and merged on a snapshot
// and written in pieces, between which commits go on; a last small transaction
// lets record_run lead to the new rows. record_sweep names the rows no run leads
// to, before they are written and after they are left: a stop anywhere leaves
// nothing else behind, and the next merge sweeps them.
type merger struct {
	many   atomic.Bool // runs have become too many; the merger is woken when it can be seen
	woken  chan struct{}
	ctx    context.Context
	cancel context.CancelFunc
	ended  chan struct{} // closed when mergeRuns has ended; nil unless it was begun
}

func newMerger() *merger {
	m := &merger{woken: make(chan struct{}, 1)}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	return m
}

// committed is called after each commit of records.
func (m *merger) committed() {
	if !m.many.Swap(false) {
		return
	}
	select {
	case m.woken <- struct{}{}:
	default:
	}
}

func (m *merger) stop() {
	m.cancel()
	if m.ended != nil {
		<-m.ended
	}
}

// mergePause is how long the merger waits after a failure, such as a full disk.
const mergePause = time.Minute

func (c *chain) mergeRuns() {
	m := c.merger
	defer close(m.ended)
	for {
		select {
		case <-m.woken:
		case <-m.ctx.Done():
			return
		}
		merged, err := true, error(nil)
		for merged && err == nil {
			merged, err = c.mergeAside(m.ctx)
		}
		if err == nil || m.ctx.Err() != nil {
			continue
		}
		c.db.log.Warn("keys of records are not merged", "err", err)
		select {
		case <-time.After(mergePause):
		case <-m.ctx.Done():
		}
	}
}

// dueAside returns the neighbors that are due to be merged aside, the newest
// first. The short runs before them are the writer's.
func dueAside(newest []run) []run {
	for len(newest) > 0 && newest[0].level() < runAside {
		newest = newest[1:]
	}
	for level := runAside; ; level++ {
		n, same := upTo(newest, level)
		if same >= runFan {
			return newest[:n]
		}
		if n == len(newest) || newest[n].size >= runLongest {
			return nil
		}
	}
}

// pieceParts is how many rows of keys one transaction of the merger writes.
const pieceParts = 16

// errRuns is returned when the runs a merge rests on are no longer there.
var errRuns = errors.New("store: the runs have changed")

// mergeAside merges the runs that are due and tells whether there were any.
func (c *chain) mergeAside(ctx context.Context) (bool, error) {
	if err := c.sweep(ctx); err != nil {
		return false, err
	}
	var list []run
	var all [][]runKey
	err := c.db.View(ctx, func(tx *Tx) error {
		newest, err := runs(tx, c.shard, "DESC LIMIT 256")
		if err != nil {
			return err
		}
		list = dueAside(newest)
		for _, r := range list {
			keys, err := readRun(tx, c.shard, r)
			if err != nil {
				return err
			}
			all = append(all, keys)
		}
		return nil
	})
	if err != nil || len(list) == 0 {
		return false, err
	}
	one := run{first: list[len(list)-1].first}
	for _, r := range list {
		one.size += r.size
	}
	// Its level is above that of each it is made of, so that no two runs that begin
	// with the same record have the same number.
	one.parts = uint64(one.level())<<48 | one.first
	if err := c.update(ctx, func(tx *Tx) error { return c.toSweep(tx, one) }); err != nil {
		return false, err
	}
	for piece := range slices.Chunk(mergeAll(all), pieceParts*partKeys) {
		if err := c.update(ctx, func(tx *Tx) error { return putParts(tx, c.shard, one.parts, piece) }); err != nil {
			return false, err
		}
	}
	err = c.update(ctx, func(tx *Tx) error {
		for _, r := range list {
			n, err := tx.Exec("DELETE FROM record_run WHERE shard = $1 AND first = $2 AND size = $3 AND parts = $4", c.shard, r.first, r.size, r.parts)
			if err == nil && n != 1 {
				err = errRuns
			}
			if err == nil {
				err = c.toSweep(tx, r)
			}
			if err != nil {
				return err
			}
		}
		if err := putRunRow(tx, c.shard, one); err != nil {
			return err
		}
		_, err := tx.Exec("DELETE FROM record_sweep WHERE shard = $1 AND parts = $2", c.shard, one.parts)
		return err
	})
	if err != nil {
		return false, err
	}
	return true, c.sweep(ctx)
}

func (c *chain) toSweep(tx *Tx, r run) error {
	_, err := tx.Exec("INSERT INTO record_sweep (shard, parts) VALUES ($1, $2)", c.shard, r.parts)
	return err
}

// sweep deletes the rows no run leads to.
func (c *chain) sweep(ctx context.Context) error {
	var left []uint64
	err := c.db.View(ctx, func(tx *Tx) (err error) {
		left, err = All(tx, func(r *Rows) (parts uint64, err error) {
			err = r.Scan(&parts)
			return parts, err
		}, "SELECT parts FROM record_sweep WHERE shard = $1", c.shard)
		return err
	})
	if err != nil {
		return err
	}
	for _, parts := range left {
		err := c.update(ctx, func(tx *Tx) error {
			var used int
			if err := tx.Row("SELECT COUNT(*) FROM record_run WHERE shard = $1 AND parts = $2", c.shard, parts).Scan(&used); err != nil {
				return err
			}
			if used > 0 {
				return fmt.Errorf("%w: %d is of a run and to be swept", errRuns, parts)
			}
			for _, table := range []string{"record_part WHERE shard = $1 AND first = $2", "record_sweep WHERE shard = $1 AND parts = $2"} {
				if _, err := tx.Exec("DELETE FROM "+table, c.shard, parts); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// update is an Update that changes nothing a value could be computed from.
func (c *chain) update(ctx context.Context, fn func(*Tx) error) error {
	return c.db.Update(ctx, func(tx *Tx) error {
		defer func() { tx.wrote = false }()
		return fn(tx)
	})
}
