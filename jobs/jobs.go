// Package jobs is the queue of work to be done later: rendering, sealing,
// delivery, notices. A job is enqueued in the transaction of the change that
// makes it necessary, so there is no job without its change and no change
// without its job.
//
// A job runs at least once. A worker claims it under a lease that it renews; when
// the worker's process ends, the lease runs out and another claims the job. A
// handler that writes to the database calls Done in the transaction of its
// writes: then what it writes is written exactly once, because Done refuses a
// claim that another worker has taken over. What a handler does outside the
// database can happen twice.
package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"elicense"
	"elicense/store"
)

// Job is work to be enqueued.
type Job struct {
	Kind    string    // names its handler
	Key     string    // one job of a kind and key at a time; made when empty
	RunAt   time.Time // not before; the zero time means at once
	Payload []byte    // encrypted at rest; small: identifiers of what to work on
	Most    int       // attempts before it is dead; 0 means 10
}

const (
	defaultMost = 10
	topic       = "jobs" // woken by Enqueue
)

// Enqueue adds a job in the transaction. When one of the same kind and key waits
// already, there is still one, with the new payload, due at the earlier time;
// when one is running, it will run once more, at that time; a dead one lives
// again.
func Enqueue(tx *store.Tx, j Job) error {
	if j.Kind == "" {
		return errors.New("job without a kind")
	}
	if j.Key == "" {
		j.Key = elicense.NewID[string](tx.Now())
	}
	if j.RunAt.IsZero() {
		j.RunAt = tx.Now()
	}
	if j.Most == 0 {
		j.Most = defaultMost
	}
	_, err := tx.Exec(`INSERT INTO job (kind, key, state, due, claims, attempts, most, again, payload, reason, created)
		VALUES ($1, $2, 'waiting', $3, 0, 0, $4, FALSE, $5, '', $6)
		ON CONFLICT (kind, key) DO UPDATE SET
			state    = CASE job.state WHEN 'dead' THEN 'waiting' ELSE job.state END,
			due      = CASE WHEN job.state = 'running' OR job.due < excluded.due THEN job.due ELSE excluded.due END,
			attempts = CASE job.state WHEN 'dead' THEN 0 ELSE job.attempts END,
			again    = (job.state = 'running'),
			next     = CASE WHEN job.state <> 'running' THEN NULL WHEN job.next < excluded.due THEN job.next ELSE excluded.due END,
			payload  = excluded.payload`,
		j.Kind, j.Key, j.RunAt, j.Most, tx.Encrypt("job", rowKey(j.Kind, j.Key), "payload", j.Payload), tx.Now())
	if err != nil {
		return fmt.Errorf("enqueue %s %s: %w", j.Kind, j.Key, err)
	}
	tx.Wake(topic)
	return nil
}

func rowKey(kind, key string) string { return kind + "/" + key }

// Claim is a worker's hold on a job. It is void once another has claimed it.
type Claim struct {
	Kind    string
	Key     string
	Attempt int // from 1
	number  int64
}

type claimKey struct{}

// Current returns the claim of the job a handler was called for.
func Current(ctx context.Context) Claim {
	c, _ := ctx.Value(claimKey{}).(Claim)
	return c
}

// Done completes the job in the transaction of the handler's writes. When the
// claim is void it returns Conflict, and the writes must not be kept.
func Done(tx *store.Tx, c Claim) error {
	n, err := finish(tx, c)
	if err != nil {
		return fmt.Errorf("complete %s %s: %w", c.Kind, c.Key, err)
	}
	if n == 0 {
		return elicense.E(elicense.Conflict, "该后台任务已由其他进程接手").
			Because(fmt.Errorf("claim %d of %s %s is void", c.number, c.Kind, c.Key))
	}
	return nil
}

// finish deletes a job, or lets it run again when it was enqueued meanwhile.
func finish(tx *store.Tx, c Claim) (int64, error) {
	n, err := tx.Exec(`UPDATE job SET state = 'waiting', due = CASE WHEN next > $1 THEN next ELSE CAST($1 AS BIGINT) END, next = NULL, attempts = 0, again = FALSE, reason = ''
		WHERE kind = $2 AND key = $3 AND state = 'running' AND claims = $4 AND again`, tx.Now(), c.Kind, c.Key, c.number)
	if err != nil {
		return 0, err
	}
	if n > 0 {
		tx.Wake(topic)
		return n, nil
	}
	return tx.Exec("DELETE FROM job WHERE kind = $1 AND key = $2 AND state = 'running' AND claims = $3", c.Kind, c.Key, c.number)
}

// Count says how many jobs of a kind are in a state, and when the first is or
// was due.
type Count struct {
	Kind  string
	State string // waiting, running or dead
	Jobs  int
	First time.Time // due time; zero for dead ones
}

// Counts returns the counts of all kinds and states there are jobs of.
func Counts(tx *store.Tx) ([]Count, error) {
	return store.All(tx, func(r *store.Rows) (c Count, err error) {
		err = r.Scan(&c.Kind, &c.State, &c.Jobs, &c.First)
		return c, err
	}, "SELECT kind, state, COUNT(*), MIN(due) FROM job GROUP BY kind, state ORDER BY kind, state")
}

// DeadJob is a job that is tried no more.
type DeadJob struct {
	Kind, Key string
	Attempts  int
	Reason    string // of the last failure
	Created   time.Time
}

// Dead returns up to limit dead jobs, oldest first.
func Dead(tx *store.Tx, limit int) ([]DeadJob, error) {
	return store.All(tx, func(r *store.Rows) (d DeadJob, err error) {
		err = r.Scan(&d.Kind, &d.Key, &d.Attempts, &d.Reason, &d.Created)
		return d, err
	}, "SELECT kind, key, attempts, reason, created FROM job WHERE state = 'dead' ORDER BY created, kind, key LIMIT $1", limit)
}

// IsDead tells whether the job of a kind and key is tried no more. One that never
// was, or is done, is not dead.
func IsDead(tx *store.Tx, kind, key string) (dead bool, err error) {
	var n int
	err = tx.Row("SELECT COUNT(*) FROM job WHERE kind = $1 AND key = $2 AND state = 'dead'", kind, key).Scan(&n)
	return n > 0, err
}

// Revive lets a dead job run again, at once and with all its attempts.
func Revive(tx *store.Tx, kind, key string) error {
	n, err := tx.Exec(`UPDATE job SET state = 'waiting', due = $1, attempts = 0
		WHERE kind = $2 AND key = $3 AND state = 'dead'`, tx.Now(), kind, key)
	if err != nil {
		return fmt.Errorf("revive %s %s: %w", kind, key, err)
	}
	if n == 0 {
		return store.ErrNoRow
	}
	tx.Wake(topic)
	return nil
}
