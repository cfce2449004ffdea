// Package notice keeps what reached whom: the inbox of holders and of staff.
// A notice is sent in the transaction of what it tells about, so that neither is
// ever without the other.
package notice

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"elicense"
	"elicense/store"
)

// Notice is one message in an inbox.
type Notice struct {
	ID   string
	Kind string // issued, changed, review, returned, …
	Text string // a sentence of the text catalog with verbs for Args
	Args []string
	Link string // path of the page that shows what it is about
	Sent time.Time
	Seen time.Time
}

// Message returns the notice as a Chinese sentence.
func (n *Notice) Message() string {
	args := make([]any, len(n.Args))
	for i, a := range n.Args {
		args[i] = a
	}
	return fmt.Sprintf(n.Text, args...)
}

// HolderInbox is the inbox of a holder.
func HolderInbox(h elicense.HolderKey) string { return "h/" + string(h) }

// AccountInbox is the inbox of a member of staff.
func AccountInbox(a elicense.AccountID) string { return "a/" + string(a) }

type content struct {
	Text string   `json:"text"`
	Args []string `json:"args"`
}

// Send puts a notice into an inbox.
func Send(tx *store.Tx, inbox string, n Notice) error {
	n.ID = elicense.NewID[string](tx.Now())
	b, err := json.Marshal(content{n.Text, n.Args})
	if err != nil {
		return fmt.Errorf("notice: %w", err)
	}
	_, err = tx.Exec(`INSERT INTO notice (inbox, id, kind, content_enc, link, sent, seen) VALUES ($1, $2, $3, $4, $5, $6, NULL)`,
		inbox, n.ID, n.Kind, tx.Encrypt("notice", inbox+"/"+n.ID, "content_enc", b), n.Link, tx.Now())
	return err
}

// Cancel puts a sentence in place of the notices of an inbox that link to a page or
// to one below it: nothing is to be told of what they were about. They lead nowhere.
func Cancel(tx *store.Tx, inbox, page, text string) error {
	ids, err := store.All(tx, func(r *store.Rows) (id string, err error) { return id, r.Scan(&id) },
		`SELECT id FROM notice WHERE inbox = $1 AND (link = $2 OR substr(link, 1, $3) = $4)`, inbox, page, len(page)+1, page+"/")
	if err != nil || len(ids) == 0 {
		return err
	}
	b, err := json.Marshal(content{Text: text})
	if err != nil {
		return fmt.Errorf("notice: %w", err)
	}
	for _, id := range ids {
		if _, err := tx.Exec(`UPDATE notice SET content_enc = $1, link = '' WHERE inbox = $2 AND id = $3`, tx.Encrypt("notice", inbox+"/"+id, "content_enc", b), inbox, id); err != nil {
			return err
		}
	}
	return nil
}

// Inbox lists the newest notices of an inbox, at most limit.
func Inbox(ctx context.Context, db *store.DB, inbox string, limit int) (list []*Notice, err error) {
	err = db.View(ctx, func(tx *store.Tx) error {
		list = nil
		rows, err := tx.Query(`SELECT id, kind, content_enc, link, sent, seen FROM notice WHERE inbox = $1 ORDER BY id DESC LIMIT $2`, inbox, limit)
		if err != nil {
			return err
		}
		for rows.Next() {
			var n Notice
			var b []byte
			if err := rows.Scan(&n.ID, &n.Kind, &b, &n.Link, &n.Sent, &n.Seen); err != nil {
				return err
			}
			if b, err = tx.Decrypt("notice", inbox+"/"+n.ID, "content_enc", b); err != nil {
				return err
			}
			var c content
			if err := json.Unmarshal(b, &c); err != nil {
				return fmt.Errorf("notice %s: %w", n.ID, err)
			}
			n.Text, n.Args = c.Text, c.Args
			list = append(list, &n)
		}
		return nil
	})
	return list, err
}

// MarkSeen notes that the notices of an inbox were seen.
func MarkSeen(ctx context.Context, db *store.DB, inbox string) error {
	return db.Update(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(`UPDATE notice SET seen = $1 WHERE inbox = $2 AND seen IS NULL`, tx.Now(), inbox)
		return err
	})
}
