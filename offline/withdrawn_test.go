package offline_test

import (
	"testing"

	"elicense"
	"elicense/e2e/world"
	"elicense/lifecycle"
	"elicense/verification"
)

// TestAWithdrawnLicenseOfAKitIsUnknown (Art. 2, decision 0007): one made offline waits
// until it is taken in, is a license then, and once it is withdrawn its code, the file
// that was given away and the one that is kept answer as those of a license that never
// was, also when its package comes again.
func TestAWithdrawnLicenseOfAKitIsUnknown(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		l, k := newKit(t, w)
		d := open(t, w, k, t.TempDir())
		d.make(t, w, "1", "2")
		rows, err := d.drafter.Rows()
		must(t, err)
		code := rows[0].Draft.Code
		original, err := d.drafter.File(1)
		must(t, err)
		says := func(when string, code elicense.CheckCode, known bool, pending verification.PendingState, files ...[]byte) {
			t.Helper()
			a, err := w.Verifier.ByCode(ctx, elicense.Anyone("r"), when, code)
			switch {
			case !known && pending == "":
				if !elicense.IsKind(err, elicense.NotFound) {
					t.Errorf("%s its code answers %+v, %v", when, a, err)
				}
			case err != nil:
				t.Errorf("%s its code: %v", when, err)
			case a.Known != known || (a.Pending != nil) != (pending != "") || pending != "" && a.Pending.State != pending:
				t.Errorf("%s its code answers %+v", when, a)
			}
			for n, file := range files {
				a, err := w.Verifier.ByFile(ctx, elicense.Anyone("r"), when, file)
				must(t, err)
				if a.Known != known || a.SameFile != known || (a.Pending != nil) != (pending != "") || !known && a.Status != "" {
					t.Errorf("%s file %d answers %+v", when, n, a)
				}
			}
		}
		says("before it is taken in", code, false, verification.Awaited, original)
		pack := d.export(t)
		p := imported(t, w, l.ID, pack)
		kept, _, err := w.Sharing.File(ctx, w.Drafter, p.Rows[0].License, true)
		must(t, err)
		says("after it", code, true, "", original, kept)

		c, err := w.Lifecycle.Withdraw(ctx, w.Drafter, p.Rows[0].License, lifecycle.WorkSecret, "鼓市监密审〔2026〕3号")
		must(t, err)
		must(t, w.Lifecycle.Decide(ctx, w.Reviewer, c.ID, true, ""))
		says("withdrawn", code, false, "", original, kept)
		says("beside it", rows[1].Draft.Code, true, "")

		again := imported(t, w, l.ID, pack)
		if again.Fresh != 0 || again.Refused != 0 {
			t.Errorf("taken in again after it was withdrawn: %+v", again)
		}
		says("taken in again", code, false, "", original, kept)
		d.make(t, w, "3")
		longer := imported(t, w, l.ID, d.export(t))
		if longer.Fresh != 1 || longer.Refused != 0 {
			t.Errorf("the longer package: %+v", longer)
		}
		says("in a longer package", code, false, "", original, kept)
		must(t, w.Kits.Cancel(ctx, w.Reviewer, l.ID, false, "网络已恢复"))
		says("when its kit is cancelled", code, false, "", original, kept)
		w.Fsck(t)
	})
}
