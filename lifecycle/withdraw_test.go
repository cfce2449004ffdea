package lifecycle_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"elicense"
	"elicense/delivery"
	"elicense/e2e/world"
	"elicense/issuance"
	"elicense/lifecycle"
	"elicense/sharing"
)

const secretDoc = "鼓市监密审〔2026〕3号"

func withdraw(t *testing.T, w *world.World, id elicense.LicenseID) {
	t.Helper()
	c, err := w.Lifecycle.Withdraw(t.Context(), w.Drafter, id, lifecycle.WorkSecret, secretDoc)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Lifecycle.Decide(t.Context(), w.Reviewer, c.ID, true, ""); err != nil {
		t.Fatal(err)
	}
}

// TestNothingOfAWithdrawnLicenseIsShown asks everything that shows something of a
// license before and after: after, each answers as it does of a license that never
// was, the record stays, and nothing is amiss (Art. 2).
func TestNothingOfAWithdrawnLicenseIsShown(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		d := w.Publish(t, w.Completion("1"))
		k := w.OpenCase(t)
		change := w.Completion("1")
		change.Case, change.Kind, change.License = "变更1", elicense.EventChange, d.License
		open, err := w.Issuer.Complete(t.Context(), w.Drafter, change)
		if err != nil {
			t.Fatal(err)
		}
		file, _, err := w.Sharing.File(t.Context(), w.Holder, d.License, false)
		if err != nil {
			t.Fatal(err)
		}
		waiting, err := w.Lifecycle.Propose(t.Context(), w.Drafter, suspend(d.License))
		if err != nil {
			t.Fatal(err)
		}
		const nobody = elicense.LicenseID("00000000000000000000000000")
		ctx := t.Context()
		asks := map[string]func(id elicense.LicenseID) error{
			"the holder opens it": func(id elicense.LicenseID) error { _, err := w.Sharing.Own(ctx, w.Holder, id); return err },
			"the unit opens it":   func(id elicense.LicenseID) error { _, err := w.Sharing.Issued(ctx, w.Drafter, id); return err },
			"the holder's file":   func(id elicense.LicenseID) error { _, _, err := w.Sharing.File(ctx, w.Holder, id, false); return err },
			"the unit's file":     func(id elicense.LicenseID) error { _, _, err := w.Sharing.File(ctx, w.Drafter, id, true); return err },
			"the unit's face":     func(id elicense.LicenseID) error { _, err := w.Sharing.Picture(ctx, w.Drafter, id, true); return err },
			"the PDF":             func(id elicense.LicenseID) error { _, _, err := w.Sharing.PDF(ctx, w.Holder, id, false); return err },
			"the print": func(id elicense.LicenseID) error {
				_, _, err := w.Sharing.Print(ctx, w.Drafter, id, true, "存档")
				return err
			},
			"who used it":          func(id elicense.LicenseID) error { _, err := w.Sharing.Uses(ctx, w.Holder, id, 10); return err },
			"its delivery":         func(id elicense.LicenseID) error { _, err := w.Delivery.Of(ctx, w.Drafter, id, true); return err },
			"the holder's package": func(id elicense.LicenseID) error { return w.Delivery.Prepare(ctx, w.Holder, id, false) },
			"another withdrawal": func(id elicense.LicenseID) error {
				_, err := w.Lifecycle.Withdraw(ctx, w.Drafter, id, lifecycle.StateSecret, secretDoc)
				return err
			},
		}
		for name, ask := range asks {
			if name == "another withdrawal" {
				continue
			}
			if err := ask(d.License); err != nil {
				t.Errorf("before, %s: %v", name, err)
			}
		}
		withdraw(t, w, d.License)
		for name, ask := range asks {
			got, want := ask(d.License), ask(nobody)
			if got == nil || plain(got) != plain(want) {
				t.Errorf("%s: %v, of no license %v", name, got, want)
			}
		}

		unknown := elicense.NewCheckCode()
		_, want := w.Verifier.ByCode(ctx, elicense.Anyone("r"), "here", unknown)
		if _, got := w.Verifier.ByCode(ctx, elicense.Anyone("r"), "here", d.Code); got == nil || plain(got) != plain(want) {
			t.Errorf("the public check says %v, of an unknown code %v", got, want)
		}
		a, err := w.Verifier.ByFile(ctx, elicense.Anyone("r"), "here", file)
		if err != nil || a.Known || a.SameFile || a.Status != "" || a.Pending != nil {
			t.Errorf("the check of the file: %+v, %v", a, err)
		}
		if _, err := w.Sharing.Use(ctx, w.Window, k.ID, sharing.Use{Material: "食品经营许可证", Party: -1, Act: sharing.Query}); !elicense.IsKind(err, elicense.NotFound) {
			t.Errorf("a query in a case: %v", err)
		}
		folder, err := w.Sharing.Folder(ctx, w.Holder)
		if err != nil || len(folder) != 0 {
			t.Errorf("the folder: %v, %v", folder, err)
		}
		issued, err := w.Sharing.IssuedBy(ctx, w.Drafter, w.Clock.Now().Add(time.Hour), 10)
		if err != nil || len(issued) != 0 {
			t.Errorf("the unit's list: %v, %v", issued, err)
		}
		deliveries, _, err := w.Delivery.List(ctx, w.Drafter, delivery.All, delivery.Page{}, 10)
		if err != nil || len(deliveries) != 0 {
			t.Errorf("the deliveries: %v, %v", deliveries, err)
		}
		for _, id := range []elicense.DraftID{d.ID, open.ID} {
			if _, err := w.Issuer.Get(ctx, w.Drafter, id); !elicense.IsKind(err, elicense.NotFound) {
				t.Errorf("the draft: %v", err)
			}
			if _, err := w.Issuer.Preview(ctx, w.Reviewer, id); !elicense.IsKind(err, elicense.NotFound) {
				t.Errorf("the face of the draft: %v", err)
			}
		}
		queue, err := w.Issuer.Queue(ctx, w.Drafter, 10, issuance.Published, issuance.InReview, issuance.Open)
		if err != nil || len(queue) != 0 {
			t.Errorf("the queue of drafts: %+v, %v", queue, err)
		}
		for state, want := range map[lifecycle.State]string{lifecycle.Done: secretDoc, lifecycle.Refused: waiting.DocNo} {
			list, err := w.Lifecycle.Queue(ctx, w.Drafter, state, 10)
			if err != nil || len(list) != 1 || list[0].DocNo != want || list[0].TypeName != "" || list[0].Identifier != "" {
				t.Errorf("changes that are %s: %+v, %v", state, list, err)
			}
		}
		w.Told(t, w.Holder, "withdrawn")
		w.Told(t, w.Window, "changed")
		w.Fsck(t)
	})
}

// TestWithdrawingNeedsTwoPersonsAndAGround: and only a new license can follow, which
// may have the number of the paper.
func TestWithdrawingNeedsTwoPersonsAndAGround(t *testing.T) {
	w := world.OnSQLite(t)
	ctx := t.Context()
	d := w.Publish(t, w.Completion("1"))
	for field, ask := range map[string]func() (*lifecycle.Change, error){
		"ground": func() (*lifecycle.Change, error) {
			return w.Lifecycle.Withdraw(ctx, w.Drafter, d.License, "", secretDoc)
		},
		"docNo": func() (*lifecycle.Change, error) {
			return w.Lifecycle.Withdraw(ctx, w.Drafter, d.License, lifecycle.WorkSecret, " ")
		},
		"kind": func() (*lifecycle.Change, error) {
			return w.Lifecycle.Propose(ctx, w.Drafter, lifecycle.Change{License: d.License, Kind: elicense.EventWithdraw, DocNo: secretDoc, Reason: "含有秘密"})
		},
	} {
		_, err := ask()
		var e *elicense.Error
		if !errors.As(err, &e) || e.Kind != elicense.Invalid || e.Field != field {
			t.Errorf("without %s: %v", field, err)
		}
	}
	c, err := w.Lifecycle.Withdraw(ctx, w.Drafter, d.License, lifecycle.StateSecret, secretDoc)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Lifecycle.Decide(ctx, w.Both, c.ID, true, ""); !elicense.IsKind(err, elicense.Forbidden) {
		t.Errorf("the proposer's own person reviews: %v", err)
	}
	if _, err := w.Sharing.Own(ctx, w.Holder, d.License); err != nil {
		t.Errorf("proposed only, it is there: %v", err)
	}
	if err := w.Lifecycle.Decide(ctx, w.Reviewer, c.ID, true, ""); err != nil {
		t.Fatal(err)
	}
	again := w.Completion("1")
	again.Item = "2"
	fresh := w.Publish(t, again)
	if fresh.Fields["license_no"] != d.Fields["license_no"] {
		t.Errorf("the new license has number %q", fresh.Fields["license_no"])
	}
	if a, err := w.Verifier.ByCode(ctx, elicense.Anyone("r"), "here", fresh.Code); err != nil || a.Status != elicense.StatusValid {
		t.Errorf("the new one: %+v, %v", a, err)
	}
	w.Fsck(t)
}

// plain is a refusal without the number of its record.
func plain(err error) string {
	var e *elicense.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	return strings.Join([]string{e.Kind.String(), e.Message(), e.Field, e.Clause, e.Next}, "|")
}
