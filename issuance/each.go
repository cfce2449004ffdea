package issuance

import (
	"context"
	"errors"

	"elicense"
	"elicense/access"
	"elicense/store"
)

// KeyUse is one intended use of a sealing key.
type KeyUse struct {
	ID        string
	File      string
	Ended     bool
	Stored    bool
	Published bool // the license version of its draft exists
}

// EachUse calls f with every use of a sealing key.
func EachUse(tx *store.Tx, f func(KeyUse) error) error {
	after := ""
	for {
		rows, err := tx.Query(`SELECT u.id, u.file, u.state, d.state FROM key_use u JOIN draft d ON d.id = u.draft
			WHERE u.id > $1 ORDER BY u.id LIMIT 500`, after)
		if err != nil || rows.Len() == 0 {
			return err
		}
		for rows.Next() {
			var u KeyUse
			var state string
			var draft State
			if err := rows.Scan(&u.ID, &u.File, &state, &draft); err != nil {
				return err
			}
			after = u.ID
			u.Ended, u.Stored, u.Published = state != useStarted, state == useStored, draft == Published
			if err := f(u); err != nil {
				return err
			}
		}
	}
}

// EachDraft reads every draft; f gets the error of one that is not as it was
// left, or whose case is not known as completed: it could be made again.
func EachDraft(tx *store.Tx, f func(id string, err error) error) error {
	return store.EachID(tx, "draft", func(id string) error {
		d, err := Of(tx, elicense.DraftID(id))
		if err == nil && d.State != Void {
			err = d.posted(tx)
		}
		return f(id, err)
	})
}

var errNotPosted = errors.New("its case is not kept as completed")

// posted checks that the case of the draft is kept as completed by it.
func (d *Draft) posted(tx *store.Tx) error {
	for _, index := range tx.Indexes("completion", d.Case) {
		var by elicense.DraftID
		err := tx.Row(`SELECT draft FROM completion WHERE unit = $1 AND case_index = $2 AND item = $3`, d.Unit, index, d.Item).Scan(&by)
		switch {
		case err == nil && by == d.ID:
			return nil
		case err != nil && !elicense.IsKind(err, elicense.NotFound):
			return err
		}
	}
	return errNotPosted
}

// Waiting returns how many approved drafts are not published yet.
func (i *Issuer) Waiting(ctx context.Context) (n int, err error) {
	err = i.DB.View(ctx, func(tx *store.Tx) error {
		return tx.Row(`SELECT COUNT(*) FROM draft WHERE state = $1`, Sealing).Scan(&n)
	})
	return n, err
}

// IssuedOf lists the licenses of one type the actor's unit issued, the newest
// first, without their contents.
func (i *Issuer) IssuedOf(ctx context.Context, actor *elicense.Actor, t elicense.TypeCode) (list []*elicense.License, err error) {
	build := func(*store.Tx) (access.Request, error) {
		return access.Request{
			Actor: actor, Act: access.LicenseIssued,
			On:   access.Thing{Kind: "License", ID: "list", Attr: access.Attr{"issuer": string(actor.Unit)}},
			Note: access.Note{LicenseType: t, Basis: "签发单位"},
		}, nil
	}
	_, err = i.Guard.Read(ctx, build, func(tx *store.Tx, _ *access.Permit) error {
		list, err = tx.LicensesIssuedOf(actor.Unit, t)
		return err
	})
	return list, err
}
