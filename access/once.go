package access

import (
	"bytes"
	"context"
	"errors"

	"elicense"
	"elicense/store"
)

// Once is the idempotency key of a request that changes something: the change is
// made at most once under it, and the first answer is given again for seven
// days.
type Once struct {
	Scope  string // who asks and what for
	Key    string
	Digest []byte // of the request's body
	taken  bool
}

type onceKey struct{}

// WithOnce lets the first Write under ctx take the key in its own transaction.
func WithOnce(ctx context.Context, o *Once) context.Context {
	return context.WithValue(ctx, onceKey{}, o)
}

// acted stands in the place of an answer from the change's commit until the
// answer is kept.
var acted = []byte("acted")

var errFirst = errors.New("the key is new")

// Replay returns the answer kept under the key; ok is false for a new key.
//
// Errors: Conflict if the key was used for another body, or if the change was
// made and its answer is lost.
func (g *Guard) Replay(ctx context.Context, o *Once) (reply []byte, ok bool, err error) {
	err = g.db.Update(ctx, func(tx *store.Tx) error {
		r, err := tx.Once(o.Scope, o.Key, o.Digest)
		if err != nil {
			return err
		}
		if r == nil {
			return errFirst // nothing is kept of having looked
		}
		reply = r.Body
		return nil
	})
	switch {
	case errors.Is(err, errFirst):
		return nil, false, nil
	case err != nil:
		return nil, false, err
	case bytes.Equal(reply, acted):
		return nil, false, answerLost()
	}
	return reply, true, nil
}

func answerLost() error {
	return elicense.E(elicense.Conflict, "这个请求已经办成，答复没有留住").Then("请查询办理结果，不用重办").At("Idempotency-Key")
}

// KeepReply keeps the answer of the request that took the key. A request that
// changed nothing took none: repeated, it is asked, decided and recorded anew,
// since what it read may have changed and the right to read it may be gone.
func (g *Guard) KeepReply(ctx context.Context, o *Once, reply []byte) error {
	if !o.taken {
		return nil
	}
	return g.db.Update(ctx, func(tx *store.Tx) error { return tx.Keep(o.Scope, o.Key, o.Digest, reply) })
}

// once runs do under the context's key, if it has one that is not taken yet.
func once(ctx context.Context, tx *store.Tx, do func() error) error {
	o, _ := ctx.Value(onceKey{}).(*Once)
	if o == nil || o.taken {
		return do()
	}
	r, err := tx.Once(o.Scope, o.Key, o.Digest)
	if err != nil {
		return err
	}
	if r != nil {
		return answerLost()
	}
	if err := do(); err != nil {
		return err
	}
	return tx.Keep(o.Scope, o.Key, o.Digest, acted)
}

// took notes that the change under the context's key is durable.
func took(ctx context.Context) {
	if o, _ := ctx.Value(onceKey{}).(*Once); o != nil {
		o.taken = true
	}
}
