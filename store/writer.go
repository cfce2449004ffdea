package store

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"elicense"
)

// maxGroup bounds the requests of one commit.
const maxGroup = 512

// A crowd is when so many callers have announced a record, or have just been
// answered and are likely to come back, that a commit at once would only be
// followed by the next: the group then waits for them, for crowdWait at most.
// Alone or among few nobody waits for anybody.
const (
	crowd     = 16
	crowdWait = 30 * time.Millisecond
	crowdGap  = 500 * time.Microsecond
)

// writer takes requests one by one and commits them in groups. While one group
// commits, the next one gathers in the queue; in a crowd it waits for those who
// have announced themselves.
type writer struct {
	coming   atomic.Int64 // callers who have announced a record
	answered int          // with the last group or the one before, the smaller; of those who had only records to store
	expected int          // who was answered with the last group, and who had come meanwhile
	db       *DB
	queue    chan *request
	mu       sync.RWMutex // held for reading while a request is put into the queue
	stopped  bool
	finished chan struct{}
}

// request is a closure to run, or records to insert.
type request struct {
	ctx     context.Context
	fn      func(*Tx) error
	records []*pending
	taken   atomic.Bool // by the writer, or by the caller who gave up
	err     error       // of this request alone
	done    chan error
}

func startWriter(db *DB) *writer {
	w := &writer{db: db, queue: make(chan *request, 4*maxGroup), finished: make(chan struct{})}
	go w.run()
	return w
}

// do has r run and returns when it is durable or has failed. A caller who gives
// up before the writer took the request gets Unavailable and nothing is done;
// after that it waits, so that the outcome is always known.
func (w *writer) do(ctx context.Context, r *request) error {
	r.ctx, r.done = ctx, make(chan error, 1)
	if err := w.put(ctx, r); err != nil {
		return err
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		if r.taken.CompareAndSwap(false, true) {
			return unavailable(ctx.Err())
		}
		return <-r.done
	}
}

func (w *writer) put(ctx context.Context, r *request) error {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.stopped {
		return w.db.closedError()
	}
	select {
	case w.queue <- r:
		return nil
	case <-ctx.Done():
		return unavailable(ctx.Err())
	}
}

// stop refuses new requests, finishes those in the queue and returns.
func (w *writer) stop() {
	w.mu.Lock()
	w.stopped = true
	close(w.queue)
	w.mu.Unlock()
	<-w.finished
}

var errGoexit = errors.New("a closure of the group ended the writer's goroutine")

func (w *writer) run() {
	me := goroutine()
	w.db.inside.Store(me, struct{}{})
	var group []*request
	ended := false
	defer func() {
		w.db.inside.Delete(me)
		if ended {
			close(w.finished)
			return
		}
		// A closure called runtime.Goexit, as testing.T.FailNow does. The store
		// lives on; the group's callers are told.
		for _, r := range group {
			r.finish(unavailable(errGoexit))
		}
		go w.run()
	}()
	last := 0
	for first := range w.queue {
		if len(group) >= crowd {
			w.letCallersRun()
		}
		group = w.gather(group[:0], first)
		if w.coming.Load() >= crowd || w.answered >= crowd && len(group) < w.expected {
			w.db.stats.crowds.Add(1)
			group = w.awaitCrowd(group)
		}
		if len(group) > 0 {
			w.commit(group)
		}
		n := readings(group)
		if n == 0 {
			continue // changes, such as the merger's, tell nothing of a crowd that reads
		}
		// A group may have been cut short by a stall: what was expected fades.
		w.answered, w.expected, last = min(n, last), max(n+len(w.queue), w.expected-w.expected/4), n
	}
	ended = true
}

// letCallersRun gives way while the queue grows by it: of many callers just
// answered some often come back at once. It is no waiting: with nobody to run it
// returns. Among few it would let others' work go before the commit.
func (w *writer) letCallersRun() {
	for before := -1; len(w.queue) > before && len(w.queue) < maxGroup; {
		before = len(w.queue)
		runtime.Gosched()
	}
}

// Announce says that the caller is about to store a record or a change; arrived
// must be called when it does so, or gives up, and may be called again. The
// writer uses it to let a crowd share a commit.
func (db *DB) Announce() (arrived func()) {
	db.writer.coming.Add(1)
	return sync.OnceFunc(func() { db.writer.coming.Add(-1) })
}

// readings counts the requests that only store records.
func readings(group []*request) (n int) {
	for _, r := range group {
		if r.fn == nil {
			n++
		}
	}
	return n
}

// awaitCrowd adds to the group those who arrive while there is a crowd. Who is on
// the way is known only once a processor has taken up his request, so the crowd
// is over when nobody has come for crowdGap and nobody is known to be on the way,
// or when all have come who are expected.
func (w *writer) awaitCrowd(group []*request) []*request {
	most := maxGroup
	if w.coming.Load() < crowd {
		most = min(most, w.expected)
	}
	over := time.NewTimer(crowdWait)
	defer over.Stop()
	gap := time.NewTimer(crowdGap)
	defer gap.Stop()
	for len(group) < most {
		select {
		case next, ok := <-w.queue:
			if !ok {
				return group
			}
			if next.taken.CompareAndSwap(false, true) {
				group = append(group, next)
			}
			gap.Reset(crowdGap)
		case <-gap.C:
			runtime.Gosched() // the gap may have been this process's, not the callers'
			if len(w.queue) == 0 && w.coming.Load() == 0 {
				return group
			}
			gap.Reset(crowdGap)
		case <-over.C:
			return group
		}
	}
	return group
}

// gather takes what is in the queue.
func (w *writer) gather(group []*request, next *request) []*request {
	for {
		if next.taken.CompareAndSwap(false, true) {
			group = append(group, next)
		}
		if len(group) == maxGroup {
			return group
		}
		var ok bool
		select {
		case next, ok = <-w.queue:
			if !ok {
				return group
			}
		default:
			return group
		}
	}
}

func (w *writer) commit(group []*request) {
	if err := w.db.Fatal(); err != nil {
		for _, r := range group {
			r.finish(elicense.E(elicense.Unavailable, textFatal).Because(err))
		}
		return
	}
	w.db.engine.commitGroup(w.db, group)
}

func (r *request) finish(err error) {
	select {
	case r.done <- err:
	default: // answered already
	}
}

// guarded runs a closure and makes an error of its panic; one broken closure
// must not take the others' commits with it.
func guarded(tx *Tx, fn func(*Tx) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("store: closure panicked: %v\n%s", p, debug.Stack())
		}
	}()
	if err := fn(tx); err != nil {
		return err
	}
	if tx.broken != nil {
		return tx.broken
	}
	tx.gathering = false // the record that follows waits for nobody
	return tx.insertGathered(everyTable)
}

// commit makes a transaction durable, or fails in one of the two ways a test
// asks for.
func commit(db *DB, do func() error) error {
	fault := db.fault(Step{Kind: StepCommit})
	if fault == FaultBefore {
		return errFault
	}
	if err := do(); err != nil {
		return err
	}
	if fault == FaultAfter {
		return errFault
	}
	return nil
}

func isConflict(err error) bool { return elicense.IsKind(translate(err), elicense.Conflict) }
