package issuance

import (
	"bytes"
	"context"
	"errors"

	"elicense"
	"elicense/access"
	"elicense/registry"
	"elicense/sealing"
	"elicense/store"
)

// PublishedBy tells whether the draft a sealing key was used for has been
// published. One made offline is there only from then on.
func PublishedBy(tx *store.Tx, u *sealing.Use) (bool, error) {
	d, err := Of(tx, elicense.DraftID(u.Subject))
	if elicense.IsKind(err, elicense.NotFound) {
		return false, nil
	}
	return err == nil && d.State == Published, err
}

// Unsealed tells whether a version leads to an empty file: a row of a lot whose seal
// failed was once published with the empty part of its pack.
func Unsealed(v *elicense.Version) bool { return bytes.Equal(v.Digest, nothing[:]) }

// EachDraft reads every draft; f gets the error of one that is not as it was
// left, whose documents are not, or whose case is not known as completed: it could
// be made again.
func EachDraft(tx *store.Tx, f func(id string, err error) error) error {
	return store.EachID(tx, "draft", func(id string) error {
		d, err := Of(tx, elicense.DraftID(id))
		if err == nil && d.State != Void {
			err = d.posted(tx)
		}
		if err == nil {
			err = d.keptComparison(tx)
		}
		if err == nil {
			err = d.keptDocuments(tx)
		}
		return f(id, err)
	})
}

var errNotPosted = errors.New("its case is not kept as completed")

// posted checks that the case of the draft is kept as completed by it.
func (d *Draft) posted(tx *store.Tx) error {
	for _, index := range tx.Indexes(completionIndex, d.Case) {
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

var errNotCompared = errors.New("its comparison is not kept as it came out")

// keptComparison checks that the comparison the draft rests on is kept. Those of
// before comparisons were kept have no identifier.
func (d *Draft) keptComparison(tx *store.Tx) error {
	if d.Comparison.ID == "" {
		return nil
	}
	kept, err := registry.Kept(tx, string(d.ID), d.Comparison)
	if err == nil && !kept {
		err = errNotCompared
	}
	return err
}

// Uncompared lists the drafts of a unit that wait for a base registry to answer, the
// longest waiting first; published ones too, which are compared again by themselves.
func Uncompared(tx *store.Tx, unit elicense.UnitCode, limit int) (list []*Draft, err error) {
	ids, err := registry.WaitingOf(tx, unit, limit)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		d, err := Of(tx, elicense.DraftID(id))
		if err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	return list, nil
}

// MadeFor lists the drafts made for a case of a unit, by its number.
func MadeFor(tx *store.Tx, unit elicense.UnitCode, number string) (list []*Draft, err error) {
	for _, index := range tx.Indexes(completionIndex, number) {
		ids, err := store.All(tx, func(r *store.Rows) (id elicense.DraftID, err error) { return id, r.Scan(&id) },
			`SELECT draft FROM completion WHERE unit = $1 AND case_index = $2 ORDER BY item`, unit, index)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			d, err := Of(tx, id)
			if err != nil {
				return nil, err
			}
			list = append(list, d)
		}
	}
	return list, nil
}

// Waiting returns how many approved drafts are not published yet.
func (i *Issuer) Waiting(ctx context.Context) (n int, err error) {
	err = i.DB.View(ctx, func(tx *store.Tx) error {
		return tx.Row(`SELECT COUNT(*) FROM draft `+queued+` AND state = $1`, Sealing).Scan(&n)
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
	list, _, err = access.Get(ctx, i.Guard, build, func(tx *store.Tx, _ *access.Permit) ([]*elicense.License, error) {
		return tx.LicensesIssuedOf(actor.Unit, t)
	})
	return list, err
}
