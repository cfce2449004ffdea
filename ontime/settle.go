package ontime

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"elicense"
	"elicense/access"
	"elicense/notice"
	"elicense/org"
	"elicense/store"
)

// maxRemark bounds what is said about a result, in characters.
const maxRemark = 200

// change makes a change of a result that nothing was published for.
func (l *Ledger) change(ctx context.Context, actor *elicense.Actor, act access.Act, id string, f func(tx *store.Tx, r *Result, p *access.Permit) error) error {
	return l.Guard.Write(ctx, aboutResult(actor, act, id), func(tx *store.Tx, p *access.Permit) error {
		r, err := resultOf(tx, id)
		if err != nil {
			return err
		}
		switch r.State() {
		case Made:
			return elicense.E(elicense.Conflict, "这件办结的证照已经发布，不用再办")
		case None:
			return elicense.E(elicense.Conflict, "已经确认这件办结不生成证照")
		}
		if err := f(tx, r, p); err != nil {
			return err
		}
		return r.update(tx)
	})
}

// Hand gives a result to another officer of its unit (转办), who is told.
//
// Errors: Invalid if he can't answer for it; Forbidden; Conflict if it is done with.
func (l *Ledger) Hand(ctx context.Context, actor *elicense.Actor, id string, to elicense.AccountID) error {
	return l.change(ctx, actor, access.OnTimeHandle, id, func(tx *store.Tx, r *Result, p *access.Permit) error {
		o, err := ownersOf(tx, r.Unit)
		if err != nil {
			return err
		}
		if !o.has(to) {
			return elicense.E(elicense.Invalid, "只能转给本单位制证岗位的人员").At("to")
		}
		r.Owner = to
		p.Note.Detail["act"], p.Note.Detail["to"] = "hand", string(to)
		return tell(tx, r, "办件%s转给您，要生成%s", r.Case, r.TypeName)
	})
}

// Refuse says that no license comes of a result, on a ground of the closed set; it
// counts as missing until another officer has confirmed it. Of what is secret,
// nothing about the holder is kept, and the remark must not say it.
//
// Errors: Invalid naming the field; Forbidden; Conflict if a draft is on its way.
func (l *Ledger) Refuse(ctx context.Context, actor *elicense.Actor, id string, g Ground, remark string) error {
	remark = strings.TrimSpace(remark)
	switch {
	case !slices.Contains(Grounds(), g):
		return elicense.E(elicense.Invalid, "要选择不生成的理由").At("ground").Under("第二条")
	case remark == "" || utf8.RuneCountInString(remark) > maxRemark:
		return elicense.E(elicense.Invalid, "要写明依据的文书或情况，最多%d个字", maxRemark).At("remark").Then("涉密的只写定密文书的编号，不写内容")
	}
	return l.change(ctx, actor, access.OnTimeHandle, id, func(tx *store.Tx, r *Result, p *access.Permit) error {
		if r.Draft != "" {
			return elicense.E(elicense.Conflict, "这件办结有草稿在制").Then("确不生成的，请先作废草稿")
		}
		if r.standing == claimed {
			return elicense.E(elicense.Conflict, "已经提出不生成，等另一位审核人员确认")
		}
		r.standing, r.Ground, r.Remark, r.Claimer, r.Claimed = claimed, g, remark, actor.Person, tx.Now()
		if g.Secret() {
			r.Holder, r.DocNo = elicense.HolderRef{}, ""
		}
		p.Note.Detail["act"], p.Note.Detail["ground"] = "refuse", string(g)
		return org.Tell(tx, r.Unit, []elicense.Duty{elicense.DutyReview}, func(to elicense.AccountID) error {
			return notice.Send(tx, notice.AccountInbox(to), notice.Notice{
				Kind: "license-due", Text: "办件%s提出不生成%s，请确认", Args: []string{r.Case, r.TypeName}, Link: "/issue/results/" + r.ID,
			})
		})
	})
}

// Confirm is another officer's word on a claim that no license comes of a result:
// it is so, and the result is counted apart; or it is not, and the license is due as
// before.
//
// Errors: Forbidden, also to who said it; Conflict if nobody did.
func (l *Ledger) Confirm(ctx context.Context, actor *elicense.Actor, id string, agreed bool) error {
	return l.change(ctx, actor, access.OnTimeConfirm, id, func(tx *store.Tx, r *Result, p *access.Permit) error {
		if r.standing != claimed {
			return elicense.E(elicense.Conflict, "没有人提出这件办结不生成证照")
		}
		p.Note.Detail["act"], p.Note.Detail["ground"] = "confirm", string(r.Ground)
		if agreed {
			if r.Draft != "" {
				return elicense.E(elicense.Conflict, "这件办结有草稿在制").Then("确不生成的，请先作废草稿")
			}
			r.standing, r.Confirmer, r.Confirmed, r.awaited = none, actor.Person, tx.Now(), false
			return nil
		}
		p.Note.Detail["act"] = "disagree"
		r.standing, r.Ground, r.Remark, r.Claimer, r.Claimed = due, "", "", "", time.Time{}
		return tell(tx, r, "办件%s不同意不生成，仍要生成%s", r.Case, r.TypeName)
	})
}
