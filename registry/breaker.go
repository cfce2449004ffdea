package registry

import (
	"context"
	"errors"
	"sync"
	"time"
)

// When a registry has failed so many times running it is left alone for a while,
// so that who waits for it does not wait for nothing; then one question tries it.
const (
	openAfter = 5
	openFor   = 30 * time.Second
)

// ErrOpen says that a registry that failed again and again is not asked now.
var ErrOpen = errors.New("not asked: it failed again and again")

// breaker is the circuit breaker of one registry.
type breaker struct {
	now func() time.Time

	mu      sync.Mutex
	failed  int       // running
	since   time.Time // it was opened
	probing bool      // one question is trying it
}

// Breaker is a circuit breaker for a system that others of the platform ask: who fails
// again and again is left alone for a while, then one question tries it.
type Breaker struct{ b breaker }

// NewBreaker returns a breaker of which nothing has failed.
func NewBreaker(now func() time.Time) *Breaker { return &Breaker{breaker{now: now}} }

// Do runs f unless the system is left alone now.
//
// Errors: ErrOpen, wrapped by nobody; those of f.
func (x *Breaker) Do(ctx context.Context, f func() error) error {
	if !x.b.let() {
		return ErrOpen
	}
	err := f()
	x.b.note(err == nil, err != nil && ctx.Err() != nil)
	return err
}

// let tells whether a question may go out. Who was let must note.
func (b *breaker) let() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failed < openAfter {
		return true
	}
	if b.probing || b.now().Sub(b.since) < openFor {
		return false
	}
	b.probing = true
	return true
}

// note says how a question ended; gone is one whose asker went away. It tells
// whether that opened the circuit.
func (b *breaker) note(answered, gone bool) (opened bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probing = false
	switch {
	case answered:
		b.failed = 0
	case !gone:
		b.failed++
		if b.failed >= openAfter {
			b.since = b.now()
			return true
		}
	}
	return false
}
