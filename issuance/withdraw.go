package issuance

import (
	"elicense"
	"elicense/jobs"
	"elicense/notice"
	"elicense/registry"
	"elicense/sealing"
	"elicense/store"
)

// WithdrawnJob is the kind of the jobs that follow a withdrawal; the payload is the
// license. Delivery cancels what waits to be sent of it.
const WithdrawnJob = "withdrawn"

// Withdraw takes what a license says out of the drafts it was made of, and ends those
// it was to be changed by: it held a secret (Art. 2). The license itself keeps its
// versions, for those whom other law lets read them. When a draft was made, reviewed
// and published stays, so that no figure changes. It is part of the transaction of
// elicense.EventWithdraw, and before it.
func Withdraw(tx *store.Tx, lic *elicense.License) error {
	if err := jobs.Enqueue(tx, jobs.Job{Kind: WithdrawnJob, Key: string(lic.ID), Payload: []byte(lic.ID)}); err != nil {
		return err
	}
	var serial string
	for n := 1; n <= lic.Standing.Version; n++ {
		v, err := tx.Version(lic, n)
		if err != nil {
			return err
		}
		serial = v.Serial
		if err := withdraw(tx, v.Identifier); err != nil {
			return err
		}
	}
	next, err := elicense.NewIdentifier(lic.Type, lic.Issuer, serial, lic.Standing.Version+1)
	if err != nil {
		return err
	}
	return withdraw(tx, next)
}

// WithdrawnNotice stands in place of the notices about a license that was withdrawn.
const WithdrawnNotice = "这条消息已取消：它说的证照已经撤下"

// withdraw empties the draft of an identifier, if there is one.
func withdraw(tx *store.Tx, identifier elicense.Identifier) error {
	list, err := drafts(tx, `WHERE identifier = $1 AND state <> $2`, identifier, Void)
	if err != nil || len(list) == 0 {
		return err
	}
	d := list[0]
	if d.State != Published {
		d.State = Void // a sealing job that is under way publishes nothing of it
		if err := d.forget(tx); err != nil {
			return err
		}
		used, err := sealing.UseOf(tx, string(d.ID))
		if err == nil && used != nil {
			err = used.End(tx, sealing.Abandoned)
		}
		if err != nil {
			return err
		}
	}
	if err := registry.Settle(tx, string(d.ID)); err != nil {
		return err
	}
	for _, account := range []elicense.AccountID{d.DrafterAcc, d.ReviewerAcc} {
		if err := notice.Cancel(tx, notice.AccountInbox(account), "/issue/drafts/"+string(d.ID), WithdrawnNotice); err != nil {
			return err
		}
	}
	d.Content = Content{
		Case: d.Case, Item: d.Item, Holders: []elicense.HolderRef{{}}, Comparison: d.Comparison, Digest: d.Digest, Drafters: d.Drafters,
		DrafterAcc: d.DrafterAcc, ReviewerAcc: d.ReviewerAcc, Elsewhere: d.Elsewhere, Withdrawn: true,
	}
	return update(tx, d)
}

// ErrWithdrawn says that what a license was made of is not shown any more.
func ErrWithdrawn() error {
	return elicense.E(elicense.NotFound, "这份证照已经撤下，它的内容不再显示").Under("第二条")
}
