package store

import (
	"sync/atomic"
	"time"
)

// timeBounds are the upper bounds in seconds of the time histograms.
var timeBounds = [...]float64{.0001, .0002, .0003, .0004, .0005, .0006, .0008, .001, .0015, .002, .003, .005, .01, .02, .05, .1, .2, .5, 1, 5}

// times is a histogram of durations.
type times struct {
	nanos   atomic.Uint64
	buckets [len(timeBounds) + 1]atomic.Uint64
}

func (t *times) add(took time.Duration) {
	t.nanos.Add(uint64(took))
	i := 0
	for i < len(timeBounds) && took.Seconds() > timeBounds[i] {
		i++
	}
	t.buckets[i].Add(1)
}

func (t *times) read() Times {
	r := Times{Sum: time.Duration(t.nanos.Load()), Bounds: timeBounds[:], Counts: make([]uint64, len(t.buckets))}
	for i := range t.buckets {
		r.Counts[i] = t.buckets[i].Load()
	}
	return r
}

// Times says how long something took.
type Times struct {
	Sum    time.Duration
	Bounds []float64 // upper bounds of Counts in seconds; the last count has none
	Counts []uint64  // of those that took no longer than the bound and longer than the one before
}

// Count returns how many there were.
func (t Times) Count() (n uint64) {
	for _, c := range t.Counts {
		n += c
	}
	return n
}

type counters struct {
	updates, commits, failed, retries atomic.Uint64
	records, recordCommits, signed    atomic.Uint64
	crowds                            atomic.Uint64
	commitTime, recordWait            times
}

func (c *counters) commit(took time.Duration, records int) {
	c.commits.Add(1)
	c.commitTime.add(took)
	if records > 0 {
		c.records.Add(uint64(records))
		c.recordCommits.Add(1)
	}
}

// Stats are counts since the store was opened.
type Stats struct {
	Updates       uint64 // closures asked for
	Commits       uint64 // transactions committed
	Failed        uint64 // commits that failed
	Retries       uint64 // transactions run again (PostgreSQL)
	Records       uint64 // records stored
	RecordCommits uint64 // commits that stored records
	CommitTime    Times  // from begin to durable
	Queue         int    // requests waiting for the writer
	RecordWait    Times  // from the call of Record to durable
	Crowds        uint64 // groups that waited for callers who had announced themselves
	LogSize       uint64 // records in this process's log
	Signed        uint64 // of them under the last checkpoint; 0 before the first look
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
		Records: c.records.Load(), RecordCommits: c.recordCommits.Load(), CommitTime: c.commitTime.read(),
		Queue:      len(db.writer.queue),
		RecordWait: c.recordWait.read(), Crowds: c.crowds.Load(), LogSize: db.chain.size(), Signed: c.signed.Load(),
	}
	return s
}

func (c *chain) size() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.known[len(c.known)-1].Size()
}
