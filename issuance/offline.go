package issuance

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"elicense"
	"elicense/catalog"
	"elicense/jobs"
	"elicense/sealing"
	"elicense/store"
	"elicense/workday"
)

// Elsewhere says how a license was made where the platform could not be reached
// (离线生成, Art. 7(2)).
type Elsewhere struct {
	Kit    string `json:"kit"`
	Number int    `json:"number"` // of the kit's block
	Ground string `json:"ground"` // which of the Measures' grounds
	Reason string `json:"reason"` // for going on although a base registry could not be reached
}

// Place is what is fixed of a license before anything else is known of it.
type Place struct {
	License elicense.LicenseID `json:"license"`
	Serial  string             `json:"serial"`
	Code    elicense.CheckCode `json:"code"`
	DocID   [16]byte           `json:"docId"` // of the file
}

// NewPlace fixes the place of a license that is yet to be made.
func NewPlace(now time.Time) Place {
	d := Content{}
	fillDocID(&d)
	return Place{elicense.NewID[elicense.LicenseID](now), elicense.NewSerial(), elicense.NewCheckCode(), d.DocID}
}

// OfflineDraft is the draft of a license as it is made without the platform: of a
// completed case, at a place fixed before, at a time the machine tells. What stops
// it is in its findings; it has neither an owner nor a number of its own yet.
//
// Errors: Invalid naming the field.
func OfflineDraft(t *catalog.Type, unit elicense.UnitCode, p Place, checkURL string, c Completion, at time.Time) (*Draft, Completion, error) {
	if err := c.normalize(); err != nil {
		return nil, c, err
	}
	if c.Kind != elicense.EventPublish {
		return nil, c, elicense.E(elicense.Invalid, "离线只能生成新的证照").At("kind").Under("第七条第二款").Then("变更和延续请联网后办理")
	}
	if c.Closed.After(at.Add(clockTolerance)) {
		return nil, c, elicense.E(elicense.Invalid, "办结时间晚于现在").At("closed")
	}
	fields := map[string]string{}
	for k, v := range c.Fields {
		fields[k] = v
	}
	d := &Draft{
		Unit: unit, Type: t.Code, TypeVersion: t.Version, TypeName: t.Name, Kind: c.Kind, License: p.License, Version: 1,
		Closed: c.Closed.UTC().Truncate(time.Microsecond), Generated: at, Mode: catalog.Offline, Due: workday.SameDay(c.Closed), Seq: 1,
		Content: Content{
			Case: c.Case, Item: c.Item, DocNo: c.DocNo, Holders: slices.Clone(c.Holders), Fields: fields, IssuedOn: c.IssuedOn, ValidFrom: c.ValidFrom,
			Serial: p.Serial, Code: p.Code, DocID: p.DocID, CheckURL: checkURL + string(p.Code),
		},
	}
	var err error
	if d.Identifier, err = elicense.NewIdentifier(d.Type, d.Unit, d.Serial, d.Version); err != nil {
		return nil, c, err
	}
	judge(t, d, Comparison{}, elicense.DateOf(at))
	return d, c, nil
}

// clockTolerance is how far clocks may be apart.
const clockTolerance = 5 * time.Minute

// Adopt publishes a license that was made and sealed offline: its holders are
// compared with the base registries now, its number and its case are taken, its
// file is kept. The draft has its ID, persons and times; running Adopt again with
// the same goes on where it stopped. before is the seal its seal was made from.
// kept is called in the transaction that publishes.
//
// Errors: Invalid or Conflict for what stops this license; Unavailable if a
// registry is silent and d.Elsewhere gives no reason to go on.
func (i *Issuer) Adopt(ctx context.Context, d *Draft, c Completion, t *catalog.Type, before elicense.SealID, file []byte, kept func(*store.Tx) error) error {
	comparison, all := i.compare(ctx, d.Holders, d.Fields)
	switch {
	case comparison.Outcome.Stops():
		return elicense.E(elicense.Invalid, "基础信息比对：%s", comparison.Outcome.Chinese()).Under("第九条第二款").Then("请核对持证主体；确有错误的，收回已交付的证照，联网重新办理")
	case comparison.Outcome == Unavailable && d.Elsewhere.Reason == "":
		return elicense.E(elicense.Unavailable, "基础信息比对服务不可用").Under("第九条第二款").Then("请稍后再导入一次，或写明为什么仍然登记")
	}
	d.Comparison, d.Reason = comparison, d.Elsewhere.Reason
	body, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("completion: %w", err)
	}
	u := &sealing.Use{Subject: string(d.ID), Seal: before, Digest: d.Digest, File: fmt.Sprintf("%s-%03d.ofd", d.ID, d.Version)}
	done := false
	err = i.DB.Update(ctx, func(tx *store.Tx) error {
		switch _, err := Of(tx, d.ID); {
		case err == nil:
			done = true
			return nil
		case !elicense.IsKind(err, elicense.NotFound):
			return err
		}
		if err := qualified(tx, d.Unit, t); err != nil {
			return err
		}
		if number := d.Fields[t.Roles.Number]; number != "" {
			taken, err := tx.NumberTaken(d.Type, d.Unit, number)
			if err != nil {
				return err
			}
			if taken {
				return elicense.E(elicense.Conflict, "证照编号已经用在本单位的另一份证照上").At(t.Roles.Number).Under("第九条第一款")
			}
		}
		known, err := sealing.UseOf(tx, u.Subject)
		if err != nil {
			return err
		}
		if known != nil { // an earlier run was stopped
			u = known
			return nil
		}
		return u.Intend(tx)
	})
	if err != nil || done {
		return err
	}
	store.CrashPoint("offline.intent")
	if u.FileDigest, err = i.DB.Files().Put(ctx, u.File, file); err != nil {
		return err
	}
	store.CrashPoint("offline.stored")
	err = i.DB.Update(ctx, func(tx *store.Tx) error {
		known, err := completed(tx, d.Unit, c, body, d.ID)
		if elicense.IsKind(err, elicense.Conflict) || err == nil && known != d.ID {
			return elicense.E(elicense.Conflict, "这个办件的同一结果已经在平台上制过证").At("case").Under("第七条第一款")
		}
		if err != nil {
			return err
		}
		fresh := *d
		if fresh.Owner, err = tx.Holder(d.Holders[0], true); err != nil {
			return err
		}
		fresh.State = Sealing
		if err := insertDraft(tx, &fresh); err != nil {
			return err
		}
		if err := keepComparisons(tx, &fresh, all); err != nil {
			return err
		}
		if waits(all) {
			again := jobs.Job{Kind: compareJob, Key: string(d.ID), Payload: []byte(d.ID), RunAt: tx.Now().Add(compareAfter), Most: compareTries}
			if err := jobs.Enqueue(tx, again); err != nil {
				return err
			}
		}
		if err := i.publishIn(tx, &fresh, t, u, i.unitName(tx, fresh.Unit)); err != nil {
			return err
		}
		if err := deliver(tx, fresh.ID); err != nil {
			return err
		}
		return kept(tx)
	})
	if elicense.IsKind(err, elicense.Conflict) || elicense.IsKind(err, elicense.Invalid) {
		return i.forsake(ctx, u, err)
	}
	return err
}

// forsake ends a use of a key that led to no license, because of cause.
func (i *Issuer) forsake(ctx context.Context, u *sealing.Use, cause error) error {
	err := i.DB.Update(ctx, func(tx *store.Tx) error { return u.End(tx, sealing.Abandoned) })
	if err != nil {
		return err
	}
	return cause
}
