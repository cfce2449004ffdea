package issuance

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"elicense"
	"elicense/access"
	"elicense/jobs"
	"elicense/notice"
	"elicense/registry"
	"elicense/store"
)

// compareJob is the kind of the job that compares again what was approved while a
// registry could not be reached (Art. 9(2)).
const compareJob = "compare"

const (
	compareAfter = time.Minute
	compareTries = 1_000_000 // one at least every half hour, for many years
)

var errNoAnswer = errors.New("a base registry does not answer yet")

// Handling is what a unit did about a mismatch found after publishing (比对不一致的处理).
type Handling struct {
	By   elicense.PersonID `json:"by"`
	At   time.Time         `json:"at"`
	Text string            `json:"text"`
}

// waits tells whether a registry that keeps one of the holders did not answer.
func waits(list []Comparison) bool {
	return slices.ContainsFunc(list, func(c Comparison) bool { return c.Outcome == Unavailable && c.Asked != "" })
}

func keepComparisons(tx *store.Tx, d *Draft, list []Comparison) error {
	return registry.Keep(tx, registry.Subject{ID: string(d.ID), Unit: d.Unit}, list)
}

// recompare asks the registries again until they answer. What they say changes no
// license: its unit is told, and decides.
func (i *Issuer) recompare(ctx context.Context, payload []byte) error {
	id := elicense.DraftID(payload)
	var d *Draft
	err := i.DB.View(ctx, func(tx *store.Tx) (err error) {
		d, err = Of(tx, id)
		if err != nil || d.State != Published {
			return err
		}
		lic, err := tx.License(d.License)
		if elicense.IsKind(err, elicense.NotFound) { // withdrawn
			d = nil
			return nil
		}
		if err == nil && (lic.Standing.Version != d.Version || lic.Standing.State != elicense.Published) {
			d = nil // what it said is no longer what is in force
		}
		return err
	})
	if err != nil || d == nil || !d.approved() || d.Handled != nil {
		return err
	}
	worst, all := i.compare(ctx, d.Holders, d.Fields)
	err = i.DB.Update(ctx, func(tx *store.Tx) error {
		fresh, err := Of(tx, id)
		if err != nil {
			return err
		}
		if err := i.compared(tx, fresh, worst, all); err != nil || waits(all) {
			return err
		}
		return jobs.Done(tx, jobs.Current(ctx))
	})
	if err == nil && waits(all) {
		return errNoAnswer
	}
	return err
}

// compared notes a comparison of a draft that was approved, and tells the reviewer
// when it shows something new to do.
func (i *Issuer) compared(tx *store.Tx, d *Draft, worst Comparison, all []Comparison) error {
	if err := keepComparisons(tx, d, all); err != nil {
		return err
	}
	news := worst.Outcome.Stops() && !d.Comparison.Outcome.Stops()
	d.Comparison = worst
	if news && d.ReviewerAcc != "" {
		err := notice.Send(tx, notice.AccountInbox(d.ReviewerAcc), notice.Notice{
			Kind: "mismatch", Text: "%s发布后和%s比对不一致，请核实处理", Args: []string{d.TypeName, worst.Registry}, Link: "/issue/drafts/" + string(d.ID),
		})
		if err != nil {
			return err
		}
	}
	return update(tx, d)
}

// Mismatches lists what the actor's unit published and a registry said later is
// not so, the longest open first (比对不一致待处理).
func (i *Issuer) Mismatches(ctx context.Context, actor *elicense.Actor, limit int) (list []Summary, err error) {
	build := func(*store.Tx) (access.Request, error) {
		return access.Request{
			Actor: actor, Act: access.DraftRead,
			On: access.Thing{Kind: "Draft", ID: "queue", Attr: access.Attr{"unit": string(actor.Unit)}},
		}, nil
	}
	list, _, err = access.Get(ctx, i.Guard, build, func(tx *store.Tx, _ *access.Permit) (list []Summary, err error) {
		open, err := registry.OpenOf(tx, actor.Unit, limit)
		if err != nil {
			return nil, err
		}
		for _, id := range open {
			d, err := Of(tx, elicense.DraftID(id))
			if err != nil {
				return nil, err
			}
			if d.approved() {
				if err := NotePaper(tx, d); err != nil {
					return nil, err
				}
				list = append(list, Summary{d, access.MaskHolder(d.Holders[0]).Name})
			}
		}
		return list, nil
	})
	return list, err
}

func (d *Draft) approved() bool { return d.State == Sealing || d.State == Published }

// ToCompare tells whether the draft was approved and no registry has said yet that
// it is so.
func (d *Draft) ToCompare() bool {
	return d.approved() && d.Handled == nil && d.Comparison.Outcome != Match
}

// ToHandle tells whether a registry said after approval that the draft is not so,
// and nobody has dealt with it yet.
func (d *Draft) ToHandle() bool {
	return d.approved() && d.Comparison.Outcome.Stops() && d.Handled == nil
}

// CompareAgain asks the registries again about an approved draft of which no match
// is known, without waiting for the job: what was put right is settled by that.
//
// Errors: Forbidden; Conflict if there is nothing open.
func (i *Issuer) CompareAgain(ctx context.Context, actor *elicense.Actor, id elicense.DraftID) error {
	r, err := i.Get(ctx, actor, id)
	if err != nil {
		return err
	}
	build := i.request(actor, access.DraftReview, id)
	if !i.may(ctx, build) {
		return i.Guard.Write(ctx, build, func(*store.Tx, *access.Permit) error { return nothingOpen() })
	}
	worst, all := i.compare(ctx, r.Holders, r.Fields)
	return i.Guard.Write(ctx, build, func(tx *store.Tx, permit *access.Permit) error {
		d, err := Of(tx, id)
		if err != nil {
			return err
		}
		if !d.ToCompare() {
			return nothingOpen()
		}
		permit.Note.Detail["comparison"] = string(worst.Outcome)
		if waits(all) { // the mismatch stays open: unknown is not fine
			return elicense.E(elicense.Unavailable, "基础信息比对服务不可用，没有新的结果").Under("第九条第二款").Then("请稍后再比对")
		}
		return i.compared(tx, d, worst, all)
	})
}

// HandleMismatch notes what the unit did about an open mismatch. The license is
// changed, if at all, by its own acts.
//
// Errors: Forbidden; Invalid without a word; Conflict if there is nothing open.
func (i *Issuer) HandleMismatch(ctx context.Context, actor *elicense.Actor, id elicense.DraftID, text string) error {
	text = strings.TrimSpace(text)
	if text == "" {
		return elicense.E(elicense.Invalid, "要写明核实的情况和怎么处理的").At("remark").Under("第九条第二款")
	}
	return i.Guard.Write(ctx, i.request(actor, access.DraftReview, id), func(tx *store.Tx, permit *access.Permit) error {
		d, err := Of(tx, id)
		if err != nil {
			return err
		}
		if !d.ToHandle() {
			return nothingOpen()
		}
		permit.Note.Detail["comparison"] = "handled"
		d.Handled = &Handling{By: actor.Person, At: tx.Now(), Text: text}
		if err := registry.Settle(tx, string(id)); err != nil {
			return err
		}
		return update(tx, d)
	})
}

func nothingOpen() error {
	return elicense.E(elicense.Conflict, "这份证照没有待处理的比对不一致").Then("请刷新，从待办里打开")
}
