package jobs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"elicense/store"
)

// Handler does the work of a job. nil completes it, if Done has not; an error
// has it tried again later. It should return soon after ctx ends.
type Handler func(ctx context.Context, payload []byte) error

// Permanent marks a failure that no other attempt can mend: the job is dead at
// once.
func Permanent(err error) error { return permanent{err} }

type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// Queue works through the jobs of one store. Set the fields, call Handle for
// each kind, then Run.
type Queue struct {
	DB      *store.DB
	Log     *slog.Logger            // nil discards
	Workers int                     // jobs at a time; 0 means 4
	Lease   time.Duration           // a worker that is silent for so long has died; 0 means a minute
	Poll    time.Duration           // longest sleep between two looks at the database; 0 means 10 seconds
	Backoff func(int) time.Duration // wait after the n-th failed attempt; nil means DefaultBackoff

	kinds map[string]Handler
	names []any // of the kinds, sorted
	free  int   // workers; used by Run's goroutine alone
	ended chan struct{}
}

// Handle names the handler of a kind. Call it before Run.
func (q *Queue) Handle(kind string, h Handler) {
	if q.kinds == nil {
		q.kinds = map[string]Handler{}
	}
	q.kinds[kind] = h
}

// DefaultBackoff doubles from 2 seconds to 30 minutes; each wait is between half
// of that and all of it, so that what failed together does not come back
// together.
func DefaultBackoff(attempt int) time.Duration {
	d := min(time.Second<<min(attempt, 20), 30*time.Minute)
	return d/2 + rand.N(d/2)
}

// Run works until ctx ends, then lets the jobs in hand finish, for as long as a
// lease lasts, and returns nil. It returns an error only when the store can not
// be trusted any more.
func (q *Queue) Run(ctx context.Context) error {
	q.prepare()
	woken, end := q.DB.Wakeups(topic)
	defer end()
	var working sync.WaitGroup
	defer working.Wait()
	for ctx.Err() == nil {
		claimed, err := q.claim(ctx)
		if fatal := q.DB.Fatal(); fatal != nil {
			return fatal
		}
		if err != nil && ctx.Err() == nil {
			q.Log.Warn("jobs can not be claimed", "err", err)
		}
		for _, c := range claimed {
			q.free--
			working.Go(func() {
				q.work(ctx, c)
				q.ended <- struct{}{}
			})
		}
		if len(claimed) == 0 || q.free == 0 {
			q.sleep(ctx, woken)
		}
	}
	return nil
}

func (q *Queue) prepare() {
	if q.Log == nil {
		q.Log = slog.New(slog.DiscardHandler)
	}
	if q.Workers == 0 {
		q.Workers = 4
	}
	if q.Lease == 0 {
		q.Lease = time.Minute
	}
	if q.Poll == 0 {
		q.Poll = 10 * time.Second
	}
	if q.Backoff == nil {
		q.Backoff = DefaultBackoff
	}
	q.names = nil
	for k := range q.kinds {
		q.names = append(q.names, k)
	}
	slices.SortFunc(q.names, func(a, b any) int { return strings.Compare(a.(string), b.(string)) })
	q.free, q.ended = q.Workers, make(chan struct{}, q.Workers)
}

// sleep waits until a job is enqueued, a worker is free again, the next job is
// due, or Poll has passed.
func (q *Queue) sleep(ctx context.Context, woken <-chan struct{}) {
	wait := q.Poll
	if q.free > 0 {
		wait = q.untilDue(ctx)
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-q.ended:
		q.free++
	case <-woken:
	case <-t.C:
	case <-ctx.Done():
	}
}

// untilDue returns the time until the next job of our kinds is due, Poll at most.
func (q *Queue) untilDue(ctx context.Context) time.Duration {
	wait := q.Poll
	err := q.DB.View(ctx, func(tx *store.Tx) error {
		var due time.Time
		err := tx.Row("SELECT due FROM job WHERE due IS NOT NULL AND "+q.ours(1)+" ORDER BY due LIMIT 1", q.names...).Scan(&due)
		if err != nil {
			return err
		}
		// Not zero: a due job that was not claimed is held by another worker.
		wait = min(q.Poll, max(due.Sub(tx.Now()), 5*time.Millisecond))
		return nil
	})
	if err != nil {
		return q.Poll // nothing waits, or it can not be known now
	}
	return wait
}

// ours returns the condition that a job is of a kind we handle, with placeholders
// from $first on. The expression keeps both engines from going through all jobs
// of the kinds instead of the few that are due.
func (q *Queue) ours(first int) string {
	places := make([]string, len(q.names))
	for i := range places {
		places[i] = fmt.Sprintf("$%d", first+i)
	}
	if len(places) == 0 {
		return "FALSE"
	}
	return "kind || '' IN (" + strings.Join(places, ", ") + ")"
}

// claimed is a job in hand.
type claimed struct {
	Claim
	most    int
	payload []byte // sealed
}

// claim takes due jobs, at most one for each free worker. A running job is due
// when its lease has run out: its worker has died.
func (q *Queue) claim(ctx context.Context) ([]claimed, error) {
	if q.free == 0 {
		return nil, nil
	}
	var out []claimed
	err := q.DB.View(ctx, func(tx *store.Tx) (err error) {
		out, err = q.due(tx)
		return err
	})
	if err != nil || len(out) == 0 {
		return nil, err // a look costs less than an empty transaction
	}
	err = q.DB.Update(ctx, func(tx *store.Tx) error {
		out = nil
		due, err := q.due(tx)
		if err != nil {
			return err
		}
		for _, c := range due {
			if c.Attempt >= c.most {
				if err := bury(tx, c.Claim, "the worker ended without a word at every attempt"); err != nil {
					return err
				}
				continue
			}
			c.Attempt++
			c.number++
			if err := hold(tx, c.Claim, q.Lease); err != nil {
				return err
			}
			out = append(out, c)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("claim jobs: %w", err)
	}
	return out, nil
}

func (q *Queue) due(tx *store.Tx) ([]claimed, error) {
	rows, err := tx.Query("SELECT kind, key, attempts, claims, most, payload FROM job WHERE due <= $1 AND "+q.ours(2)+
		fmt.Sprintf(" ORDER BY due LIMIT %d", q.free)+tx.SkipLocked(), append([]any{tx.Now()}, q.names...)...)
	if err != nil {
		return nil, err
	}
	var out []claimed
	for rows.Next() {
		var c claimed
		if err := rows.Scan(&c.Kind, &c.Key, &c.Attempt, &c.number, &c.most, &c.payload); err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

func hold(tx *store.Tx, c Claim, lease time.Duration) error {
	_, err := tx.Exec("UPDATE job SET state = 'running', due = $1, attempts = $2, claims = $3 WHERE kind = $4 AND key = $5",
		tx.Now().Add(lease), c.Attempt, c.number, c.Kind, c.Key)
	return err
}

// bury makes a job dead, unless it was enqueued again while it ran.
func bury(tx *store.Tx, c Claim, reason string) error {
	_, err := tx.Exec(`UPDATE job SET
			state    = CASE WHEN again THEN 'waiting' ELSE 'dead' END,
			due      = CASE WHEN again THEN CASE WHEN next > $1 THEN next ELSE CAST($1 AS BIGINT) END END,
			next     = NULL,
			attempts = CASE WHEN again THEN 0 ELSE attempts END,
			again    = FALSE,
			reason   = $2
		WHERE kind = $3 AND key = $4 AND claims = $5`, tx.Now(), cut(reason), c.Kind, c.Key, c.number)
	if err == nil {
		tx.Wake(topic)
	}
	return err
}

// maxReason bounds the text of a failure that is kept, in bytes.
const maxReason = 500

// cut makes a failure's text fit its column, which holds no NUL.
func cut(reason string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(reason[:min(len(reason), maxReason)], ""), "\x00", "")
}

// work runs one job and stores its outcome.
func (q *Queue) work(ctx context.Context, c claimed) {
	// The end of Run must not cut a job in the middle: it gets a lease's time.
	inner, cancel := context.WithCancel(context.WithValue(context.WithoutCancel(ctx), claimKey{}, c.Claim))
	defer cancel()
	var renewing sync.WaitGroup
	over := make(chan struct{})
	renewing.Go(func() { q.renew(ctx, c.Claim, over, cancel) })
	err := q.handle(inner, c)
	close(over)
	renewing.Wait()
	err = q.DB.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		if err == nil {
			_, err := finish(tx, c.Claim)
			return err
		}
		return q.failed(tx, c, err)
	})
	if err != nil { // the lease runs out and the job is run again
		q.Log.Warn("outcome of a job is not stored", "kind", c.Kind, "key", c.Key, "err", err)
	}
}

func (q *Queue) handle(ctx context.Context, c claimed) (err error) {
	payload, err := q.DB.Decrypt("job", rowKey(c.Kind, c.Key), "payload", c.payload)
	if err != nil {
		return Permanent(err)
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("handler panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return q.kinds[c.Kind](ctx, payload)
}

// failed has the job tried again later, or makes it dead.
func (q *Queue) failed(tx *store.Tx, c claimed, cause error) error {
	q.Log.Warn("job failed", "kind", c.Kind, "key", c.Key, "attempt", c.Attempt, "err", cause)
	var p permanent
	if c.Attempt >= c.most || errors.As(cause, &p) {
		return bury(tx, c.Claim, cause.Error())
	}
	_, err := tx.Exec(`UPDATE job SET state = 'waiting', due = $1, reason = $2, again = FALSE
		WHERE kind = $3 AND key = $4 AND state = 'running' AND claims = $5`,
		tx.Now().Add(q.Backoff(c.Attempt)), cut(cause.Error()), c.Kind, c.Key, c.number)
	return err
}

// renew keeps the lease until the job is over. It cancels the job when the claim
// is void, and a lease's time after Run was told to end.
func (q *Queue) renew(ctx context.Context, c Claim, over <-chan struct{}, cancel func()) {
	tick := time.NewTicker(q.Lease / 3)
	defer tick.Stop()
	end := ctx.Done()
	var last <-chan time.Time
	for {
		select {
		case <-over:
			return
		case <-end:
			end = nil
			t := time.NewTimer(q.Lease)
			defer t.Stop()
			last = t.C
		case <-last:
			cancel()
			last = nil
		case <-tick.C:
			if !q.extend(ctx, c) {
				cancel()
			}
		}
	}
}

// extend moves the end of the lease and tells whether the claim still holds. A
// database that does not answer does not void a claim.
func (q *Queue) extend(ctx context.Context, c Claim) bool {
	held := true
	err := q.DB.Update(context.WithoutCancel(ctx), func(tx *store.Tx) error {
		n, err := tx.Exec("UPDATE job SET due = $1 WHERE kind = $2 AND key = $3 AND state = 'running' AND claims = $4",
			tx.Now().Add(q.Lease), c.Kind, c.Key, c.number)
		held = n > 0
		return err
	})
	return err != nil || held
}

// Reclaim takes the jobs of a worker that died back at once, without waiting for
// its lease to run out. Call it before Run, and only where no other process works
// on the store (store.DB.Alone): a living worker would lose its claims.
func (q *Queue) Reclaim(ctx context.Context) error {
	return q.DB.Update(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(`UPDATE job SET state = 'waiting', due = $1 WHERE state = 'running'`, tx.Now())
		return err
	})
}
