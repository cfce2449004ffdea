package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"elicense"
)

// OnceKept is how long the answer to a request is kept and given again.
const OnceKept = 7 * 24 * time.Hour

// Reply is a stored answer.
type Reply struct {
	Body []byte
}

// Once tells whether the request of this key was answered already. scope is who
// asks (a client, an account) and what for; digest is of the request's body.
//
// It returns nil for a first request, which is taken by this transaction: do
// the work, then Keep the answer before the closure ends. It returns the first
// answer for a repeated one, and Conflict for another body under the same key.
// On PostgreSQL a second request waits for the first one's transaction.
func (tx *Tx) Once(scope, key string, digest []byte) (*Reply, error) {
	if _, err := tx.Exec("DELETE FROM once WHERE scope = $1 AND key = $2 AND expires <= $3", scope, key, tx.now); err != nil {
		return nil, fmt.Errorf("repeated request: %w", err)
	}
	n, err := tx.Exec(`INSERT INTO once (scope, key, digest, expires) VALUES ($1, $2, $3, $4)
		ON CONFLICT (scope, key) DO NOTHING`, scope, key, tx.MAC("once", onceRow(scope, key), digest), tx.now.Add(OnceKept))
	if err != nil {
		return nil, fmt.Errorf("repeated request: %w", err)
	}
	if n == 1 {
		return nil, nil
	}
	var code, reply []byte
	if err := tx.Row("SELECT digest, reply FROM once WHERE scope = $1 AND key = $2", scope, key).Scan(&code, &reply); err != nil {
		return nil, fmt.Errorf("repeated request: %w", err)
	}
	switch err := tx.CheckMAC(code, "once", onceRow(scope, key), digest); {
	case errors.Is(err, ErrTampered): // in all likelihood another body, not a changed row
		return nil, elicense.E(elicense.Conflict, "该幂等键已用于另一个内容不同的请求").
			Then("请为新的请求换用新的幂等键").At("Idempotency-Key")
	case err != nil:
		return nil, err
	case reply == nil:
		return nil, nil // the first one ended without an answer to keep
	}
	body, err := tx.Decrypt("once", onceRow(scope, key), "reply", reply)
	if err != nil {
		return nil, err
	}
	return &Reply{Body: body}, nil
}

// Keep stores the answer to a request that Once found to be the first,
// encrypted, for OnceKept.
func (tx *Tx) Keep(scope, key string, digest, reply []byte) error {
	row := onceRow(scope, key)
	_, err := tx.Exec(`INSERT INTO once (scope, key, digest, reply, expires) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (scope, key) DO UPDATE SET digest = excluded.digest, reply = excluded.reply, expires = excluded.expires`,
		scope, key, tx.MAC("once", row, digest), tx.Encrypt("once", row, "reply", reply), tx.now.Add(OnceKept))
	if err != nil {
		return fmt.Errorf("keep the answer: %w", err)
	}
	return nil
}

func onceRow(scope, key string) string { return fmt.Sprintf("%d:%s%s", len(scope), scope, key) }

// Sweep deletes the answers that are kept no longer and returns how many.
func (db *DB) Sweep(ctx context.Context) (int64, error) {
	var n int64
	err := db.Update(ctx, func(tx *Tx) error {
		var err error
		n, err = tx.Exec("DELETE FROM once WHERE expires <= $1", tx.now)
		return err
	})
	return n, err
}
