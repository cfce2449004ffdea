package lifecycle

import (
	"context"
	"strings"
	"unicode/utf8"

	"elicense"
	"elicense/access"
	"elicense/cases"
	"elicense/issuance"
	"elicense/notice"
	"elicense/store"
)

// Ground is why a published license is withdrawn.
type Ground string

// The grounds.
const (
	StateSecret Ground = "state-secret" // 涉及国家秘密
	WorkSecret  Ground = "work-secret"  // 涉及工作秘密
)

var groundWords = map[Ground]string{StateSecret: "涉及国家秘密", WorkSecret: "涉及工作秘密"}

// Chinese returns the words shown to people, "" for an unknown ground.
func (g Ground) Chinese() string { return groundWords[g] }

// Grounds lists the grounds in the order of the form.
func Grounds() []Ground { return []Ground{StateSecret, WorkSecret} }

const maxDocNo = 100 // characters

// Withdraw proposes that nothing of a license is shown any more, because it holds a
// secret: with the number of the decision that found so, and no word of what the
// secret is. Another person reviews it with Decide; it takes effect in that
// transaction and is never undone. What else waits for review then is refused.
//
// Errors: Invalid naming the field; Forbidden, also for a license that does not
// exist; Conflict if it is withdrawn or proposed to be, or is a reference.
func (l *Lifecycle) Withdraw(ctx context.Context, actor *elicense.Actor, id elicense.LicenseID, ground Ground, docNo string) (*Change, error) {
	docNo = strings.TrimSpace(docNo)
	switch {
	case ground.Chinese() == "":
		return nil, elicense.E(elicense.Invalid, "要选择涉及国家秘密还是工作秘密").At("ground").Under("第二条")
	case docNo == "" || utf8.RuneCountInString(docNo) > maxDocNo:
		return nil, elicense.E(elicense.Invalid, "要填写定密或审查文书的文号").At("docNo").Under("第二条").Then("不要写涉密的内容")
	}
	c := Change{License: id, Kind: elicense.EventWithdraw, DocNo: docNo, Reason: ground.Chinese()}
	return l.propose(ctx, actor, access.WithdrawPropose, c, `kind = 'withdraw'`)
}

// beforeWithdrawing empties the drafts of the license and refuses what else waits for
// a reviewer: after the event none of it is found.
func beforeWithdrawing(tx *store.Tx, c *Change) error {
	lic, err := tx.License(c.License)
	if err != nil {
		return err
	}
	if err := issuance.Withdraw(tx, lic); err != nil {
		return err
	}
	for _, h := range lic.Holders {
		if err := notice.Cancel(tx, notice.HolderInbox(h), "/holder/licenses/"+string(lic.ID), issuance.WithdrawnNotice); err != nil {
			return err
		}
	}
	others, err := changes(tx, `WHERE license = $1 AND state = $2 AND id <> $3`, c.License, Proposed, c.ID)
	for _, o := range others {
		if err == nil {
			o.State, o.Reviewer, o.Decided, o.Remark = Refused, c.Reviewer, c.Decided, "证照已经撤下"
			err = update(tx, o)
		}
	}
	return err
}

// tellWithdrawn tells a holder to come to the unit, and the clerks of his open cases to
// look again. Not even the name of the license is in it.
func tellWithdrawn(tx *store.Tx, h elicense.HolderKey, unit string, t elicense.TypeCode) error {
	err := notice.Send(tx, notice.HolderInbox(h), notice.Notice{
		Kind: "withdrawn", Text: "您的一份电子证照已由%s停止提供，请带身份证件到这个单位了解和办理", Args: []string{unit}, Link: "/holder",
	})
	if err != nil {
		return err
	}
	open, err := cases.OpenOf(tx, h)
	for _, k := range open {
		if err == nil {
			err = tellClerk(tx, k, t, "办件%s里有一份证照不再提供，请重新核对材料", k.Number)
		}
	}
	return err
}
