package notice

import (
	"context"

	"elicense"
	"elicense/store"
)

// Box opens inboxes to those they belong to.
type Box struct{ db *store.DB }

// NewBox returns the inboxes kept in db.
func NewBox(db *store.DB) *Box { return &Box{db} }

func boxOf(actor *elicense.Actor) string {
	if actor.Kind == elicense.Holder {
		return HolderInbox(actor.Holder)
	}
	return AccountInbox(actor.Account)
}

// List returns the newest notices of the actor, at most limit.
func (b *Box) List(ctx context.Context, actor *elicense.Actor, limit int) ([]*Notice, error) {
	return Inbox(ctx, b.db, boxOf(actor), limit)
}

// Seen notes that the actor saw his notices.
func (b *Box) Seen(ctx context.Context, actor *elicense.Actor) error {
	return MarkSeen(ctx, b.db, boxOf(actor))
}

// Unseen returns how many notices the actor has not seen.
func (b *Box) Unseen(ctx context.Context, actor *elicense.Actor) (n int, err error) {
	err = b.db.View(ctx, func(tx *store.Tx) error {
		return tx.Row(`SELECT COUNT(*) FROM notice WHERE inbox = $1 AND seen IS NULL`, boxOf(actor)).Scan(&n)
	})
	return n, err
}
