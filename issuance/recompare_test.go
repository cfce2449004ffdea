package issuance_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"elicense"
	"elicense/e2e/world"
	"elicense/issuance"
	"elicense/notice"
	"elicense/registry"
	"elicense/store"
)

// comparisons reads what is kept, a line each.
func comparisons(t *testing.T, w *world.World) (list []string) {
	t.Helper()
	err := w.DB.View(t.Context(), func(tx *store.Tx) error {
		list = nil
		rows, err := tx.Query(`SELECT registry, unit, attempt, outcome, fields, request, took, stands FROM comparison ORDER BY attempt, id`)
		if err != nil {
			return err
		}
		for rows.Next() {
			var reg, unit, outcome, fields, request string
			var attempt, took int64
			var stands bool
			if err := rows.Scan(&reg, &unit, &attempt, &outcome, &fields, &request, &took, &stands); err != nil {
				return err
			}
			list = append(list, fmt.Sprint(attempt, " ", reg, " ", outcome, " ", fields, " ", took, " ", stands))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// outage publishes a license while the registry is silent.
func outage(t *testing.T, w *world.World) *issuance.Draft {
	t.Helper()
	return w.Published(t, w.PublishUncompared(t, w.Completion("1")))
}

// until moves the clock by minutes until a draft is as wanted.
func until(t *testing.T, w *world.World, id elicense.DraftID, is func(*issuance.Draft) bool) *issuance.Draft {
	t.Helper()
	for range 6000 {
		r, err := w.Issuer.Get(t.Context(), w.Reviewer, id)
		if err != nil {
			t.Fatal(err)
		}
		if is(r.Draft) {
			return r.Draft
		}
		w.Clock.Move(time.Minute)
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("draft %s never came to be so: %v", id, comparisons(t, w))
	return nil
}

func answered(d *issuance.Draft) bool { return d.Comparison.Outcome != issuance.Unavailable }

func TestAnOutageIsComparedAgainByItself(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		d := outage(t, w)
		before := len(comparisons(t, w))
		for range 6000 { // while the registry is silent it is asked again and again
			if len(comparisons(t, w)) > before {
				break
			}
			w.Clock.Move(time.Minute)
			time.Sleep(10 * time.Millisecond)
		}
		w.Registry.Answer(issuance.Match)
		if d = until(t, w, d.ID, answered); d.Comparison.Outcome != issuance.Match || d.Reason == "" {
			t.Errorf("%+v", d.Comparison)
		}
		list := comparisons(t, w)
		if last := list[len(list)-1]; !strings.HasSuffix(last, "market match [] 40 true") || len(list) <= before+1 {
			t.Errorf("kept: %q", list)
		}
		for _, l := range list[:len(list)-1] {
			if !strings.HasSuffix(l, "market unavailable [] 0 false") {
				t.Errorf("kept: %q", l)
			}
		}
		if open, err := w.Issuer.Mismatches(t.Context(), w.Reviewer, 10); err != nil || len(open) != 0 {
			t.Errorf("open: %v, %v", open, err)
		}
		w.Fsck(t)
	})
}

func TestALateMismatchIsATaskAndChangesNothing(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		d := outage(t, w)
		license := func() (l *elicense.License, v *elicense.Version) {
			err := w.DB.View(t.Context(), func(tx *store.Tx) (err error) {
				if l, err = tx.License(d.License); err == nil {
					v, err = tx.Version(l, 0)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return l, v
		}
		was, said := license()
		w.Registry.Answer(issuance.Mismatch)
		d = until(t, w, d.ID, answered)
		if !d.ToHandle() || !slices.Equal(d.Comparison.Fields, []string{"法定代表人"}) {
			t.Errorf("%+v", d.Comparison)
		}
		now, says := license()
		if now.Standing != was.Standing || now.Seq != was.Seq || says.File != said.File {
			t.Errorf("the license was changed: %+v", now)
		}
		box, err := notice.NewBox(w.DB).List(t.Context(), w.Reviewer, 10)
		if err != nil || !slices.ContainsFunc(box, func(n *notice.Notice) bool {
			return n.Kind == "mismatch" && n.Message() == "食品经营许可证发布后和法人库比对不一致，请核实处理"
		}) {
			t.Errorf("the reviewer was not told: %v, %v", box, err)
		}
		open, err := w.Issuer.Mismatches(t.Context(), w.Reviewer, 10)
		if err != nil || len(open) != 1 || open[0].ID != d.ID {
			t.Fatalf("open: %v, %v", open, err)
		}
		day := elicense.DateOf(w.Clock.Now())
		measures, err := w.Measures.Of(t.Context(), w.Admin, elicense.DateOf(d.Generated), day)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range measures {
			if m.ID != registry.Market {
				if m.Asked != 0 || m.Available() != -1 || !m.Last.IsZero() {
					t.Errorf("%+v", m)
				}
				continue
			}
			if m.Asked < 3 || m.Answered != 1 || m.Available() != 100/m.Asked || m.Differ != 1 || m.Open != 1 ||
				m.Half != 40*time.Millisecond || m.Most != 40*time.Millisecond || m.Last.IsZero() {
				t.Errorf("%+v", m)
			}
		}

		// It stays open while the registry is silent, or says the same.
		w.Registry.Answer(issuance.Unavailable)
		wantKind(t, w.Issuer.CompareAgain(t.Context(), w.Reviewer, d.ID), elicense.Unavailable, "没有新的结果")
		w.Registry.Answer(issuance.Mismatch)
		if err := w.Issuer.CompareAgain(t.Context(), w.Reviewer, d.ID); err != nil {
			t.Error(err)
		}
		wantKind(t, w.Issuer.CompareAgain(t.Context(), w.Drafter, d.ID), elicense.Forbidden, "不能审核")
		wantKind(t, w.Issuer.HandleMismatch(t.Context(), w.Reviewer, d.ID, " "), elicense.Invalid, "要写明")
		wantKind(t, w.Issuer.HandleMismatch(t.Context(), w.Both, d.ID, "已核实"), elicense.Forbidden, "不能是同一个人")
		if err := w.Issuer.HandleMismatch(t.Context(), w.Reviewer, d.ID, "登记机关变更未同步，已请其更正"); err != nil {
			t.Fatal(err)
		}
		wantKind(t, w.Issuer.HandleMismatch(t.Context(), w.Reviewer, d.ID, "再办"), elicense.Conflict, "没有待处理")
		if open, err := w.Issuer.Mismatches(t.Context(), w.Reviewer, 10); err != nil || len(open) != 0 {
			t.Errorf("open: %v, %v", open, err)
		}
		w.Fsck(t)
	})
}

func TestARegistryPutRightSettlesTheTask(t *testing.T) {
	w := world.OnSQLite(t)
	d := outage(t, w)
	w.Registry.Answer(issuance.NoSuch)
	until(t, w, d.ID, answered)
	w.Registry.Answer(issuance.Match)
	if err := w.Issuer.CompareAgain(t.Context(), w.Reviewer, d.ID); err != nil {
		t.Fatal(err)
	}
	if open, err := w.Issuer.Mismatches(t.Context(), w.Reviewer, 10); err != nil || len(open) != 0 {
		t.Errorf("open: %v, %v", open, err)
	}
	w.Fsck(t)
}

// What is kept of a comparison, in its rows and in the record, is how it came out.
func TestOnlyTheOutcomeIsKept(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		d := outage(t, w)
		w.Registry.Answer(issuance.Mismatch)
		if err := w.Issuer.CompareAgain(t.Context(), w.Reviewer, d.ID); err != nil {
			t.Fatal(err)
		}
		var records []store.Record
		err := w.DB.View(t.Context(), func(tx *store.Tx) (err error) {
			records, err = tx.NewestRecords(100)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		kept := fmt.Sprint(comparisons(t, w)) + fmt.Sprintf("%+v", records)
		if !strings.Contains(kept, "法定代表人") || !strings.Contains(kept, "mismatch") {
			t.Errorf("the outcome is not kept: %s", kept)
		}
		for _, value := range []string{world.Firm.Code, world.Firm.Name, "陈示例"} {
			if strings.Contains(kept, value) {
				t.Errorf("%q is kept", value)
			}
		}
	})
}

// A draft that is dropped leaves no mismatch open.
func TestADroppedDraftHasNothingOpen(t *testing.T) {
	w := world.OnSQLite(t)
	w.Registry.Answer(issuance.Mismatch)
	d, err := w.Issuer.Complete(t.Context(), w.Drafter, w.Completion("1"))
	if err != nil {
		t.Fatal(err)
	}
	open := func() (n int) {
		list, err := w.Measures.Of(t.Context(), w.Auditor, "2026-03-01", "2026-03-31")
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range list {
			n += m.Open
		}
		return n
	}
	if n := open(); n != 1 {
		t.Errorf("%d open", n)
	}
	if err := w.Issuer.Discard(t.Context(), w.Drafter, d.ID, d.Seq); err != nil {
		t.Fatal(err)
	}
	if n := open(); n != 0 {
		t.Errorf("%d open after it was dropped", n)
	}
	_, err = w.Measures.Of(t.Context(), w.Window, "2026-03-01", "2026-03-31")
	wantKind(t, err, elicense.Forbidden, "不能查看")
}

// Who may not complete a case has nobody asked about.
func TestTheLawComesBeforeTheRegistry(t *testing.T) {
	w := world.OnSQLite(t)
	if _, err := w.Issuer.Complete(t.Context(), w.Window, w.Completion("1")); !elicense.IsKind(err, elicense.Forbidden) {
		t.Fatal(err)
	}
	if n := w.Registry.Asked(); n != 0 {
		t.Errorf("asked %d times", n)
	}
}

// A comparison that was altered, or taken away, is found.
func TestFsckSeesComparisons(t *testing.T) {
	for name, q := range map[string]string{
		"made a match":    `UPDATE comparison SET outcome = 'match', fields = '[]'`,
		"made faster":     `UPDATE comparison SET took = 1`,
		"said dealt with": `UPDATE comparison SET stands = FALSE`,
		"taken away":      `DELETE FROM comparison`,
	} {
		t.Run(name, func(t *testing.T) {
			w := world.OnSQLite(t)
			w.Registry.Answer(issuance.Mismatch)
			if _, err := w.Issuer.Complete(t.Context(), w.Drafter, w.Completion("1")); err != nil {
				t.Fatal(err)
			}
			w.Fsck(t)
			err := w.DB.Update(t.Context(), func(tx *store.Tx) error { _, err := tx.Exec(q); return err })
			if err != nil {
				t.Fatal(err)
			}
			if len(w.Findings(t)) == 0 {
				t.Error("fsck finds nothing")
			}
		})
	}
}
