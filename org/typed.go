package org

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"elicense"
	"elicense/store"
)

// Typed keeps what people have typed into long forms and not sent yet, so that a
// session that ran out, or a refusal, costs nobody his text. It is cipher text
// at rest.
type Typed struct{ db *store.DB }

// NewTyped returns the typed text kept in db.
func NewTyped(db *store.DB) *Typed { return &Typed{db} }

// typedLife is how long typed text waits for its person.
const typedLife = 30 * 24 * time.Hour

// Save keeps the values of a form for the account, in place of earlier ones.
func (t *Typed) Save(ctx context.Context, actor *elicense.Actor, form string, values map[string][]string) error {
	b, err := json.Marshal(values)
	if err != nil {
		return fmt.Errorf("typed text: %w", err)
	}
	return t.db.Update(ctx, func(tx *store.Tx) error {
		if _, err := tx.Exec(`DELETE FROM typed_text WHERE saved < $1`, tx.Now().Add(-typedLife)); err != nil {
			return err
		}
		_, err := tx.Exec(`INSERT INTO typed_text (account, form, content_enc, saved) VALUES ($1, $2, $3, $4)
			ON CONFLICT (account, form) DO UPDATE SET content_enc = excluded.content_enc, saved = excluded.saved`,
			actor.Account, form, tx.Encrypt("typed_text", typedRow(actor, form), "content_enc", b), tx.Now())
		return err
	})
}

// Kept returns the values kept for a form, nil if there are none, and when they
// were kept.
func (t *Typed) Kept(ctx context.Context, actor *elicense.Actor, form string) (values map[string][]string, at time.Time, err error) {
	err = t.db.View(ctx, func(tx *store.Tx) error {
		var b []byte
		err := tx.Row(`SELECT content_enc, saved FROM typed_text WHERE account = $1 AND form = $2`, actor.Account, form).Scan(&b, &at)
		if err != nil {
			return err
		}
		if b, err = tx.Decrypt("typed_text", typedRow(actor, form), "content_enc", b); err != nil {
			return err
		}
		return json.Unmarshal(b, &values)
	})
	if elicense.IsKind(err, elicense.NotFound) {
		return nil, time.Time{}, nil
	}
	return values, at, err
}

// Clear drops what was kept for a form.
func (t *Typed) Clear(ctx context.Context, actor *elicense.Actor, form string) error {
	return t.db.Update(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(`DELETE FROM typed_text WHERE account = $1 AND form = $2`, actor.Account, form)
		return err
	})
}

func typedRow(actor *elicense.Actor, form string) string { return string(actor.Account) + "/" + form }
