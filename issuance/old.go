package issuance

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"elicense"
	"elicense/access"
	"elicense/catalog"
	"elicense/jobs"
	"elicense/store"
)

// InForce is the day the Measures came into force (Art. 22). What was issued
// before it and is still valid is stock (Art. 8).
const InForce elicense.Date = "2017-07-08"

// CompleteOld makes, in a transaction the law has permitted, the draft of a
// license that is on paper: of the stock, or made late. compared is what the
// registries said of its holders; writers are all who entered it, none of whom may
// review it.
//
// Errors: Invalid naming the field, also for a license that is not of that origin
// or no longer valid; Conflict if it was entered before.
func (i *Issuer) CompleteOld(tx *store.Tx, p *access.Permit, actor *elicense.Actor, c Completion, compared Compared, writers []elicense.PersonID) (*Draft, error) {
	if err := c.normalize(); err != nil {
		return nil, err
	}
	if err := c.CheckOld(elicense.DateOf(tx.Now())); err != nil {
		return nil, err
	}
	body, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("completion: %w", err)
	}
	d, err := i.draft(tx, p, actor, c, body, compared)
	if err != nil {
		return nil, err
	}
	d.Drafters = writers
	return d, update(tx, d)
}

// CheckOld tells whether a license on paper is of the origin it is entered as.
//
// Errors: Invalid naming the field.
func (c *Completion) CheckOld(today elicense.Date) error {
	switch {
	case c.Origin != Stock && c.Origin != Late:
		return elicense.E(elicense.Invalid, "要说明是存量证照还是补生成").At("origin").Under("第八条")
	case c.Scan == "":
		return elicense.E(elicense.Invalid, "要附上纸质证照的扫描件").At("scan").Under("第八条")
	case c.Kind != elicense.EventPublish:
		return elicense.E(elicense.Invalid, "纸质证照补录的是一份新的电子证照").At("kind")
	case c.IssuedOn == "" || c.IssuedOn > today:
		return elicense.E(elicense.Invalid, "要填写纸质证照上的发证日期").At("issuedOn").Under("第八条")
	case c.Origin == Stock && c.IssuedOn >= InForce:
		return elicense.E(elicense.Invalid, "发证日期在2017年7月8日以后，不是存量证照").At("issuedOn").Under("第八条").Then("请按补生成办理")
	case c.Origin == Late && c.IssuedOn < InForce:
		return elicense.E(elicense.Invalid, "发证日期在2017年7月8日以前，是存量证照").At("issuedOn").Under("第八条").Then("请按存量证照补录")
	case c.Origin == Late && elicense.DateOf(c.Closed) >= today:
		return elicense.E(elicense.Invalid, "今天办结的不是补生成").At("closed").Under("第七条第一款").Then("请按办结制证")
	}
	return nil
}

// note is what the face says of how the license came to be.
func (d *Draft) note() string {
	switch d.Origin {
	case Stock:
		return "存量证照补录，" + d.SealedOn.Chinese() + "签章"
	case Late:
		return "补生成，" + d.SealedOn.Chinese() + "签章"
	}
	return ""
}

// way is how the license was made, as its version keeps it.
func (d *Draft) way(t *catalog.Type) string {
	if d.Origin != Fresh {
		return string(d.Origin)
	}
	return string(d.mode(t))
}

// due is when Art. 7 asks the draft to be published; never, of the stock, which
// has a programme instead of a term.
func (d *Draft) due(tx *store.Tx) (time.Time, error) {
	if d.Origin == Stock {
		return time.Time{}, nil
	}
	return Due(tx, d.Mode, d.Closed)
}

// stale tells whether the face names another day than the one it would be sealed
// on.
func (d *Draft) stale(today elicense.Date) bool { return d.SealedOn != "" && d.SealedOn != today }

// reviewAgain gives an approved draft back to review: the day on its face has
// passed before it could be sealed.
func (i *Issuer) reviewAgain(ctx context.Context, id elicense.DraftID) error {
	return i.DB.Update(ctx, func(tx *store.Tx) error {
		d, err := Of(tx, id)
		if err != nil {
			return err
		}
		if d.State == Sealing {
			d.State, d.SealedOn, d.Digest = InReview, "", nil
			d.Trouble = "照面上写的签章日期已经过了，请重新审核"
			if err := update(tx, d); err != nil {
				return err
			}
		}
		return jobs.Done(tx, jobs.Current(ctx))
	})
}

// paperForms takes back what the checks of fields found and paper may have: short
// identity numbers, and numbers of an older form, of which it warns.
func (d *Draft) paperForms(t *catalog.Type, found []catalog.Finding) []catalog.Finding {
	if d.Origin == Fresh {
		return found
	}
	kept := found[:0]
	for _, f := range found {
		field := t.Field(f.Field)
		if field != nil && field.Type == "idno" {
			if _, ok := elicense.Upgrade15(d.Fields[f.Field]); ok {
				continue
			}
		}
		if f.Field != "" && f.Field == t.Roles.Number && strings.TrimSpace(d.Fields[f.Field]) != "" {
			f.Warning = true
		}
		kept = append(kept, f)
	}
	return kept
}

// shortForm tells whether a face shows the 15-digit number of the person whose
// number is code.
func (d *Draft) shortForm(shown, code string) bool {
	if d.Origin == Fresh {
		return false
	}
	long, ok := elicense.Upgrade15(shown)
	return ok && string(long) == code
}
