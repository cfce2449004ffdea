package store

import (
	"sync/atomic"
	"time"
)

// commitBounds are the upper bounds in seconds of the commit time histogram.
var commitBounds = [...]float64{.0002, .0005, .001, .002, .005, .01, .02, .05, .1, .2, .5, 1, 5}

type counters struct {
	updates, commits, failed, retries atomic.Uint64
	records, recordCommits, signed    atomic.Uint64
	nanos, waits, waited              atomic.Uint64
	buckets                           [len(commitBounds) + 1]atomic.Uint64
}

func (c *counters) commit(took time.Duration, records int) {
	c.commits.Add(1)
	c.nanos.Add(uint64(took))
	if records > 0 {
		c.records.Add(uint64(records))
		c.recordCommits.Add(1)
	}
	i := 0
	for i < len(commitBounds) && took.Seconds() > commitBounds[i] {
		i++
	}
	c.buckets[i].Add(1)
}

// Stats are counts since the store was opened.
type Stats struct {
	Updates       uint64        // closures asked for
	Commits       uint64        // transactions committed
	Failed        uint64        // commits that failed
	Retries       uint64        // transactions run again (PostgreSQL)
	Records       uint64        // records stored
	RecordCommits uint64        // commits that stored records
	CommitTime    time.Duration // sum, from begin to durable
	CommitBounds  []float64     // upper bounds of CommitCounts in seconds; the last count has none
	CommitCounts  []uint64      // commits that took no longer than the bound and longer than the one before
	Queue         int           // requests waiting for the writer
	Waits         uint64        // calls of Record
	Waited        time.Duration // sum, from the call of Record to durable
	LogSize       uint64        // records in this process's log
	Signed        uint64        // of them under the last checkpoint; 0 before the first look
}

// RecordsPerCommit returns how many records shared one commit, on average.
func (s Stats) RecordsPerCommit() float64 {
	if s.RecordCommits == 0 {
		return 0
	}
	return float64(s.Records) / float64(s.RecordCommits)
}

// Stats returns the counts now.
func (db *DB) Stats() Stats {
	c := &db.stats
	s := Stats{
		Updates: c.updates.Load(), Commits: c.commits.Load(), Failed: c.failed.Load(), Retries: c.retries.Load(),
		Records: c.records.Load(), RecordCommits: c.recordCommits.Load(), CommitTime: time.Duration(c.nanos.Load()),
		CommitBounds: commitBounds[:], CommitCounts: make([]uint64, len(c.buckets)), Queue: len(db.writer.queue),
		Waits: c.waits.Load(), Waited: time.Duration(c.waited.Load()), LogSize: db.chain.size(), Signed: c.signed.Load(),
	}
	for i := range c.buckets {
		s.CommitCounts[i] = c.buckets[i].Load()
	}
	return s
}

func (c *chain) size() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known[len(c.known)-1].Size()
}
