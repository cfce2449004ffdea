package issuance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"elicense"
	"elicense/catalog"
	"elicense/document"
	"elicense/gm"
	"elicense/jobs"
	"elicense/notice"
	"elicense/org"
	"elicense/sealing"
	"elicense/store"
)

// sealJob is the kind of the job that seals and publishes an approved draft.
const sealJob = "seal"

// seal brings an approved draft to publication. It may be stopped at any line and
// run again: what is already stored is found and gone on with.
func (i *Issuer) seal(ctx context.Context, payload []byte) error {
	id := elicense.DraftID(payload)
	d, t, used, err := i.load(ctx, id)
	if err != nil {
		return err
	}
	if d.State != Sealing {
		return nil // published by an earlier run, or voided
	}
	if used == nil || !i.stored(ctx, used) {
		if d.stale(elicense.DateOf(i.DB.Now())) {
			return i.reviewAgain(ctx, id)
		}
		if used, err = i.make(ctx, d, t, used); err != nil {
			i.wait(ctx, d, err)
			return err
		}
	}
	store.CrashPoint("issuance.stored")
	if err := i.publish(ctx, d, t, used); err != nil {
		i.wait(ctx, d, err)
		return err
	}
	return nil
}

func (i *Issuer) load(ctx context.Context, id elicense.DraftID) (d *Draft, t *catalog.Type, used *sealing.Use, err error) {
	err = i.DB.View(ctx, func(tx *store.Tx) error {
		if d, err = Of(tx, id); err != nil {
			return err
		}
		if t, err = catalog.VersionOf(tx, d.Type, d.TypeVersion); err != nil {
			return err
		}
		used, err = sealing.UseOf(tx, string(id))
		return err
	})
	return d, t, used, err
}

// nothing is the digest of an empty file: the part of a pack whose seal failed.
var nothing = gm.Sum(nil)

// stored tells whether the file of an earlier run reached the file store, and
// reads its digest.
func (i *Issuer) stored(ctx context.Context, u *sealing.Use) bool {
	_, digest, err := i.DB.Files().Find(ctx, u.File)
	if err != nil || bytes.Equal(digest, nothing[:]) {
		return false
	}
	u.FileDigest = digest
	return true
}

// make renders and seals the draft and stores the file: intent first, then the
// key, then the file.
func (i *Issuer) make(ctx context.Context, d *Draft, t *catalog.Type, before *sealing.Use) (*sealing.Use, error) {
	p, err := i.prepare(ctx, d, t)
	if err != nil {
		return nil, err
	}
	if got := p.Digest(); !bytes.Equal(got[:], d.Digest) {
		return nil, fmt.Errorf("draft %s: the face is not what was approved", d.ID)
	}
	stamp, err := i.Seals.InHand(ctx, d.Unit, sealing.ForLicenses)
	if err != nil {
		return nil, err
	}
	stamper, err := i.Seals.TimeStamper(ctx)
	if err != nil {
		return nil, err
	}
	u := &sealing.Use{Subject: string(d.ID), Seal: stamp.ID, Digest: d.Digest, File: fmt.Sprintf("%s-%03d.ofd", d.License, d.Version)}
	err = i.DB.Update(ctx, func(tx *store.Tx) error {
		// The qualification must hold on the day of sealing.
		if err := qualified(tx, d.Unit, t); err != nil {
			return err
		}
		if before != nil {
			if err := before.End(tx, sealing.Abandoned); err != nil {
				return err
			}
		}
		return u.Intend(tx)
	})
	if err != nil {
		return nil, err
	}
	store.CrashPoint("issuance.intent")
	file, err := p.Seal(document.Stamp{Seal: stamp.Seal, Signer: stamp.Signer, Cert: stamp.Cert, Time: d.Reviewed, Stamper: stamper})
	if err != nil {
		return nil, fmt.Errorf("seal draft %s: %w", d.ID, err)
	}
	store.CrashPoint("issuance.sealed")
	if u.FileDigest, err = i.DB.Files().Put(ctx, u.File, file); err != nil {
		return nil, err
	}
	return u, nil
}

// publish makes the license exist: the use ends stored, the event happens, the
// holder is told, the job is done, all in one transaction.
func (i *Issuer) publish(ctx context.Context, d *Draft, t *catalog.Type, u *sealing.Use) error {
	err := i.DB.Update(ctx, func(tx *store.Tx) error {
		fresh, err := Of(tx, d.ID)
		if err != nil {
			return err
		}
		if fresh.State != Sealing {
			return nil
		}
		if err := i.publishIn(tx, fresh, t, u, i.unitName(tx, fresh.Unit)); err != nil {
			return err
		}
		if err := deliver(tx, fresh.ID); err != nil {
			return err
		}
		return jobs.Done(tx, jobs.Current(ctx))
	})
	if err == nil {
		store.CrashPoint("issuance.published")
	}
	return err
}

// DeliverJob is the kind of the jobs that deliver what was just published (Art.
// 14(1)); the payload is read by Delivered.
const DeliverJob = "deliver"

// deliver lets the licenses of published drafts be delivered: one job for what one
// transaction publishes.
func deliver(tx *store.Tx, drafts ...elicense.DraftID) error {
	if len(drafts) == 0 {
		return nil
	}
	names := make([]string, len(drafts))
	for n, id := range drafts {
		names[n] = string(id)
	}
	return jobs.Enqueue(tx, jobs.Job{Kind: DeliverJob, Key: names[0], Payload: []byte(strings.Join(names, "\n"))})
}

// Delivered reads the payload of such a job: the drafts that were published.
func Delivered(payload []byte) (drafts []elicense.DraftID) {
	for name := range strings.SplitSeq(string(payload), "\n") {
		drafts = append(drafts, elicense.DraftID(name))
	}
	return drafts
}

// publishIn makes the license exist in the transaction: the use ends stored, the
// event happens, the holder is told in the issuer's name, all of it on record.
func (i *Issuer) publishIn(tx *store.Tx, d *Draft, t *catalog.Type, u *sealing.Use, issuer string) error {
	if err := u.End(tx, sealing.Stored); err != nil {
		return err
	}
	ev := event(d, t, u)
	if ev.First != nil {
		for n, h := range d.Holders {
			key := d.Owner // the first holder's, found when the draft was made
			if n > 0 {
				var err error
				if key, err = tx.Holder(h, true); err != nil {
					return err
				}
			}
			if !slices.Contains(ev.First.Holders, key) {
				ev.First.Holders = append(ev.First.Holders, key)
			}
		}
	}
	lic, err := tx.Apply(ev)
	if err != nil {
		return err
	}
	d.State, d.Published, d.Trouble = Published, tx.Now(), ""
	if err := update(tx, d); err != nil {
		return err
	}
	for _, h := range lic.Holders {
		err := notice.Send(tx, notice.HolderInbox(h), notice.Notice{
			Kind: "issued", Text: "您的%s已由%s签发", Args: []string{t.Name, issuer}, Link: "/holder/licenses/" + string(lic.ID),
		})
		if err != nil {
			return err
		}
	}
	if d.Lot == "" && d.Elsewhere == nil {
		if err := tellDrafter(tx, d, "published", "%s已发布", t.Name); err != nil {
			return err
		}
	}
	clause := "第七条第一款"
	if d.Elsewhere != nil {
		clause = "第七条第二款"
	}
	tx.Record(store.Record{
		Actor: "platform", ActorName: "证照平台", Unit: string(d.Unit), Act: "license." + string(d.Kind), Outcome: "done",
		Rule: "publish-approved", Clause: clause, License: string(lic.ID), LicenseType: string(t.Code), Holder: string(lic.Owner),
		Detail: map[string]string{"draft": string(d.ID), "use": u.ID, "event": string(ev.ID), "version": fmt.Sprint(lic.Standing.Version)},
	})
	return nil
}

func (i *Issuer) unitName(tx *store.Tx, code elicense.UnitCode) string {
	u, err := org.UnitOf(tx, code)
	if err != nil {
		return string(code)
	}
	return u.Name
}

// mode is how the license is made; drafts from before it was kept follow their
// type.
func (d *Draft) mode(t *catalog.Type) catalog.Mode {
	if d.Mode == "" {
		return t.Mode
	}
	return d.Mode
}

func event(d *Draft, t *catalog.Type, u *sealing.Use) *elicense.Event {
	ev := &elicense.Event{
		License: d.License, Kind: d.Kind, Effective: d.Closed, DocNo: d.DocNo, Unit: d.Unit, Actor: d.Drafter, Reviewer: d.Reviewer,
		New: &elicense.Version{
			Identifier: d.Identifier, Code: d.Code, Holders: d.Holders, Fields: d.Fields, ValidFrom: d.ValidFrom, ValidTo: d.ValidTo,
			IssuedOn: d.IssuedOn, Serial: d.Serial, FaceNumber: d.Fields[t.Roles.Number], File: u.File, Digest: u.FileDigest,
			Made: elicense.Making{
				Mode: d.way(t), Case: d.Case, Closed: d.Closed, Generated: d.Generated, Reviewed: d.Reviewed,
				Drafter: d.Drafter, Reviewer: d.Reviewer,
			},
		},
	}
	if d.Kind == elicense.EventPublish {
		ev.First = &elicense.License{
			Type: d.Type, TypeName: d.TypeName, TypeVersion: d.TypeVersion, Issuer: d.Unit,
		}
	}
	return ev
}

// Resume puts the drafts that were approved and not published back into the
// queue: those whose job died, or was lost before jobs were kept. New lots whose
// reading a stop broke off are ended, for their tables were not read whole.
func (i *Issuer) Resume(ctx context.Context) error {
	return i.DB.Update(ctx, func(tx *store.Tx) error {
		waiting, err := drafts(tx, queued+` AND state = $1`, Sealing)
		if err != nil {
			return err
		}
		underway, err := bareLots(tx, `WHERE state = $1`, LotSealing)
		if err != nil {
			return err
		}
		if i.DB.Alone() { // nobody else can be reading one
			if err := brokenOff(tx); err != nil {
				return err
			}
		}
		for _, l := range underway {
			if err := enqueueLot(tx, l.ID, tx.Now()); err != nil {
				return err
			}
		}
		for _, d := range waiting {
			if err := jobs.Enqueue(tx, jobs.Job{Kind: sealJob, Key: string(d.ID), Payload: []byte(d.ID)}); err != nil {
				return err
			}
		}
		return nil
	})
}

// wait writes why a draft is not published yet, for the people who wait for it.
func (i *Issuer) wait(ctx context.Context, d *Draft, cause error) {
	err := i.DB.Update(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(`UPDATE draft SET trouble = $1 WHERE id = $2`, inWords(cause), d.ID)
		return err
	})
	if err != nil {
		i.Log.ErrorContext(ctx, "note why a draft waits", "draft", d.ID, "err", err)
	}
}

// inWords says for people why sealing failed; what is for the log alone stays
// there.
func inWords(cause error) string {
	var e *elicense.Error
	if errors.As(cause, &e) && slices.Contains([]elicense.Kind{elicense.Unavailable, elicense.Invalid, elicense.Conflict, elicense.NotFound, elicense.Forbidden}, e.Kind) {
		return e.Message()
	}
	return "平台内部出错，签章没有办成"
}
