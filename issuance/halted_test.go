package issuance_test

import (
	"strings"
	"testing"
	"time"

	"elicense"
	"elicense/e2e/world"
	"elicense/issuance"
)

func halted(t *testing.T, w *world.World, is func([]issuance.Halted) bool) []issuance.Halted {
	t.Helper()
	for until := time.Now().Add(time.Minute); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		w.Clock.Move(20 * time.Millisecond)
		list, err := w.Issuer.HaltedNow(t.Context(), w.Admin, "", 10)
		must(t, err)
		if is(list) {
			return list
		}
	}
	t.Fatal("what is halted did not come to be as expected")
	return nil
}

// TestWhatIsTriedNoMoreSaysSo: a draft and a lot whose sealing failed at every
// attempt are named to their unit and to supervision with the reason, and go on when
// somebody asks.
func TestWhatIsTriedNoMoreSaysSo(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		d, err := w.Issuer.Get(ctx, w.Drafter, w.Halt(t, w.Completion("停一")))
		must(t, err)
		w.Stamps.Off.Store(true)
		l := w.ReadLot(t, "停", 2)
		must(t, w.Issuer.SubmitLot(ctx, w.Drafter, l.ID, "试验"))
		approve(t, w, l.ID)

		list := halted(t, w, func(list []issuance.Halted) bool { return len(list) == 2 })
		for _, h := range list {
			if h.Why != "平台内部出错，签章没有办成" || h.UnitName == "" || h.TypeName == "" || (h.Draft == d.ID) == (h.Lot == l.ID) {
				t.Errorf("supervision reads %+v", h)
			}
		}
		if _, err := w.Issuer.HaltedNow(ctx, w.Window, "", 10); !elicense.IsKind(err, elicense.Forbidden) {
			t.Errorf("a window clerk looks at what is halted in the province: %v", err)
		}
		work, err := w.OnTime.Work(ctx, w.Drafter, 10)
		must(t, err)
		if work.Halted() != 2 {
			t.Errorf("the queue of the unit says %d of 2", work.Halted())
		}
		lot, err := w.Issuer.Lot(ctx, w.Drafter, l.ID)
		must(t, err)
		r, err := w.Issuer.Get(ctx, w.Drafter, d.ID)
		must(t, err)
		if !lot.Halted || !r.Halted || strings.Contains(lot.Remark+r.Draft.Trouble, "answer") {
			t.Errorf("the lot says %v %q, the draft %v %q", lot.Halted, lot.Remark, r.Halted, r.Draft.Trouble)
		}

		w.Stamps.Off.Store(false)
		if err := w.Issuer.Retry(ctx, w.Window, d.ID); !elicense.IsKind(err, elicense.Forbidden) {
			t.Errorf("a window clerk has it tried again: %v", err)
		}
		must(t, w.Issuer.Retry(ctx, w.Drafter, d.ID))
		must(t, w.Issuer.ResumeLot(ctx, w.Drafter, l.ID))
		w.Published(t, d.ID)
		if done := settled(t, w, l.ID, issuance.LotDone); done.Made != 2 || done.Remark != "" {
			t.Errorf("%d made, with %q", done.Made, done.Remark)
		}
		halted(t, w, func(list []issuance.Halted) bool { return len(list) == 0 })
		if err := w.Issuer.Retry(ctx, w.Drafter, d.ID); !elicense.IsKind(err, elicense.Conflict) {
			t.Errorf("one that is published is tried again: %v", err)
		}
		w.Fsck(t)
	})
}
