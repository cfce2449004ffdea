package lifecycle_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"elicense"
	"elicense/e2e/world"
	"elicense/lifecycle"
	"elicense/notice"
)

func suspend(id elicense.LicenseID) lifecycle.Change {
	return lifecycle.Change{License: id, Kind: elicense.EventSuspend, DocNo: "鼓市监停〔2026〕12号", Reason: "责令停业整顿"}
}

func TestAChangeNeedsTwoPersonsAndADocument(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		d := w.Publish(t, w.Completion("1"))
		for _, tc := range []struct {
			name, field string
			change      func(*lifecycle.Change)
		}{
			{"no document number", "docNo", func(c *lifecycle.Change) { c.DocNo = "" }},
			{"no reason", "reason", func(c *lifecycle.Change) { c.Reason = " " }},
			{"no such act", "kind", func(c *lifecycle.Change) { c.Kind = "vanish" }},
			{"a renewal, which is made anew", "kind", func(c *lifecycle.Change) { c.Kind = elicense.EventRenew }},
		} {
			c := suspend(d.License)
			tc.change(&c)
			_, err := w.Lifecycle.Propose(t.Context(), w.Drafter, c)
			var e *elicense.Error
			if !errors.As(err, &e) || e.Kind != elicense.Invalid || e.Field != tc.field {
				t.Errorf("%s: %v", tc.name, err)
			}
		}
		c, err := w.Lifecycle.Propose(t.Context(), w.Drafter, suspend(d.License))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Lifecycle.Propose(t.Context(), w.Drafter, suspend(d.License)); !elicense.IsKind(err, elicense.Conflict) {
			t.Errorf("a second change while one waits: %v", err)
		}
		if err := w.Lifecycle.Decide(t.Context(), w.Both, c.ID, true, ""); !elicense.IsKind(err, elicense.Forbidden) {
			t.Errorf("the proposer's own person reviews: %v", err)
		}
		if err := w.Lifecycle.Decide(t.Context(), w.Reviewer, c.ID, false, ""); !elicense.IsKind(err, elicense.Invalid) {
			t.Errorf("refused without a remark: %v", err)
		}
		if err := w.Lifecycle.Decide(t.Context(), w.Reviewer, c.ID, true, ""); err != nil {
			t.Fatal(err)
		}
		if err := w.Lifecycle.Decide(t.Context(), w.Reviewer, c.ID, true, ""); !elicense.IsKind(err, elicense.Conflict) {
			t.Errorf("reviewed twice: %v", err)
		}
		w.Fsck(t)
	})
}

// TestEverybodySeesAChangeAtOnce: Art. 10 asks for real time.
func TestEverybodySeesAChangeAtOnce(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		d := w.Publish(t, w.Completion("1"))
		k := w.OpenCase(t)
		c := suspend(d.License)
		c.Effective = w.Clock.Now().Add(-3 * time.Hour)
		made, err := w.Lifecycle.Propose(t.Context(), w.Drafter, c)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Lifecycle.Decide(t.Context(), w.Reviewer, made.ID, true, ""); err != nil {
			t.Fatal(err)
		}
		check, err := w.Verifier.ByCode(t.Context(), elicense.Anyone("r"), "here", d.Code)
		if err != nil || check.Status != elicense.StatusSuspended || check.EndedBy != c.DocNo || check.AsOf.IsZero() {
			t.Errorf("the public check: %+v, %v", check, err)
		}
		o, err := w.Sharing.Own(t.Context(), w.Holder, d.License)
		if err != nil || o.Found.Status != elicense.StatusSuspended {
			t.Errorf("the holder: %v, %v", o, err)
		}
		last := o.Events[len(o.Events)-1]
		if last.Learned.Sub(last.Effective) < 3*time.Hour-time.Second {
			t.Errorf("both times are kept: effective %s, learned %s", last.Effective, last.Learned)
		}
		told := func(inbox, text string) {
			t.Helper()
			list, err := notice.Inbox(t.Context(), w.DB, inbox, 10)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range list {
				if strings.Contains(n.Message(), text) {
					return
				}
			}
			t.Errorf("%s was not told of %s", inbox, text)
		}
		told(notice.HolderInbox(w.Holder.Holder), "挂起")
		told(notice.AccountInbox(w.Window.Account), k.Number)
	})
}

func TestTheStateTableHoldsAtTheReview(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		d := w.Publish(t, w.Completion("1"))
		w.Change(t, d.License, elicense.EventRevoke)
		_, err := w.Lifecycle.Propose(t.Context(), w.Drafter, suspend(d.License))
		if !elicense.IsKind(err, elicense.Conflict) || !strings.Contains(err.Error(), "已吊销") {
			t.Errorf("suspending a revoked license: %v", err)
		}
		c := w.Completion("1")
		c.Case, c.Kind, c.License = "延续1", elicense.EventRenew, d.License
		if _, err := w.Issuer.Complete(t.Context(), w.Drafter, c); !elicense.IsKind(err, elicense.Conflict) {
			t.Errorf("renewing a revoked license: %v", err)
		}
		w.Change(t, d.License, elicense.EventRestore)
		check, err := w.Verifier.ByCode(t.Context(), elicense.Anyone("r"), "here", d.Code)
		if err != nil || check.Status != elicense.StatusValid {
			t.Errorf("restored by a court: %+v, %v", check, err)
		}
		w.Fsck(t)
	})
}
