package issuance_test

import (
	"strconv"
	"testing"

	"elicense"
	"elicense/e2e/world"
	"elicense/store"
)

// TestTheTimesOfADraftAreUnderItsCode: whether a license was late follows from them.
func TestTheTimesOfADraftAreUnderItsCode(t *testing.T) {
	w := world.OnSQLite(t)
	w.Publish(t, w.Completion("1"))
	set := func(q string, args ...any) {
		t.Helper()
		must(t, w.DB.Update(t.Context(), func(tx *store.Tx) error {
			_, err := tx.Exec(q, args...)
			return err
		}))
	}
	for _, column := range []string{"closed", "generated", "reviewed", "published", "due"} {
		set(`UPDATE draft SET ` + column + ` = ` + column + ` - 3600000000`)
		if len(w.Findings(t)) == 0 {
			t.Errorf("%s was set back, and fsck is silent", column)
		}
		// Nor does it help to say that the row is of before.
		set(`UPDATE draft SET mac_form = 1`)
		if len(w.Findings(t)) == 0 {
			t.Errorf("%s was set back under the older form, and fsck is silent", column)
		}
		set(`UPDATE draft SET mac_form = 2, ` + column + ` = ` + column + ` + 3600000000`)
		w.Fsck(t)
	}
	// A draft written before its times were under the code is read, and gets them with
	// the next writing.
	waits, err := w.Issuer.Complete(t.Context(), w.Drafter, w.Completion("2"))
	must(t, err)
	parts := [][]byte{
		[]byte(waits.Unit), []byte(waits.Type), []byte(strconv.Itoa(waits.TypeVersion)), []byte(waits.Kind), []byte(waits.State), []byte(waits.License),
		[]byte(waits.Owner), []byte(strconv.Itoa(waits.Version)), []byte(waits.Identifier), []byte(waits.Drafter), []byte(waits.Reviewer),
		[]byte(strconv.FormatInt(waits.Seq, 10)), []byte(waits.Mode), []byte(waits.Lot),
	}
	set(`UPDATE draft SET mac_form = 1, mac = $1 WHERE id = $2`, w.DB.MAC("draft", string(waits.ID), parts...), waits.ID)
	w.Fsck(t)
	must(t, w.Issuer.Approve(t.Context(), w.Reviewer, waits.ID, waits.Seq, ""))
	w.Published(t, waits.ID)
	set(`UPDATE draft SET closed = closed - 1 WHERE id = $1`, waits.ID)
	if len(w.Findings(t)) == 0 {
		t.Error("its time was set back, and fsck is silent")
	}
}

// TestWhatIsApprovedIsTheFaceThatWasShown (Art. 7(1)).
func TestWhatIsApprovedIsTheFaceThatWasShown(t *testing.T) {
	w := world.OnSQLite(t)
	ctx := t.Context()
	one, err := w.Issuer.Complete(ctx, w.Drafter, w.Completion("1"))
	must(t, err)
	two, err := w.Issuer.Complete(ctx, w.Drafter, w.Completion("2"))
	must(t, err)
	first, err := w.Issuer.Show(ctx, w.Reviewer, one.ID)
	must(t, err)
	second, err := w.Issuer.Show(ctx, w.Reviewer, two.ID)
	must(t, err)
	wantKind(t, w.Issuer.ApproveShown(ctx, w.Reviewer, one.ID, one.Seq, nil, ""), elicense.Invalid, "没有说明看的是哪一份照面")
	wantKind(t, w.Issuer.ApproveShown(ctx, w.Reviewer, one.ID, one.Seq, second.Digest, ""), elicense.Conflict, "照面和您看过的不同了")
	must(t, w.Issuer.ApproveShown(ctx, w.Reviewer, one.ID, one.Seq, first.Digest, ""))
	w.Published(t, one.ID)
}
