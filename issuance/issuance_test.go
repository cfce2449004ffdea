package issuance_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"elicense"
	"elicense/calendar"
	"elicense/catalog"
	"elicense/document"
	"elicense/e2e/world"
	"elicense/issuance"
	"elicense/store"
)

func wantKind(t *testing.T, err error, kind elicense.Kind, text string) {
	t.Helper()
	var e *elicense.Error
	if !errors.As(err, &e) || e.Kind != kind || !strings.Contains(e.Message(), text) {
		t.Errorf("got %v, want %s with %q", err, kind, text)
	}
}

func TestALicenseIsMadeOfACompletedCase(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		d := w.Publish(t, w.Completion("1"))
		typ, unit, _, version, ok := d.Identifier.Parts()
		if !ok || typ != world.Type || unit != world.Issuer || version != 1 || !d.Identifier.CheckCharacterHolds() {
			t.Errorf("identifier %s", d.Identifier)
		}
		o, err := w.Sharing.Own(t.Context(), w.Holder, d.License)
		if err != nil {
			t.Fatal(err)
		}
		m := o.Version.Made
		if m.Closed.IsZero() || m.Generated.Before(m.Closed) || m.Reviewed.Before(m.Generated) || m.Published.Before(m.Reviewed) {
			t.Errorf("the times of Art. 7 are not kept in order: %+v", m)
		}
		if m.Drafter == m.Reviewer || m.Drafter != w.Drafter.Person {
			t.Errorf("made by %s, reviewed by %s", m.Drafter, m.Reviewer)
		}
		if late, _ := d.Delay(); late {
			t.Error("published on the day of closing and late")
		}
		w.Fsck(t)
	})
}

func TestTheSameCaseIsOneDraft(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		var wg sync.WaitGroup
		ids := make([]elicense.DraftID, 8)
		for i := range ids {
			wg.Go(func() {
				d, err := w.Issuer.Complete(t.Context(), w.Drafter, w.Completion("1"))
				if err != nil {
					t.Error(err)
					return
				}
				ids[i] = d.ID
			})
		}
		wg.Wait()
		for _, id := range ids {
			if id != ids[0] {
				t.Fatalf("drafts %v", ids)
			}
		}
		other := w.Completion("1")
		other.Fields["license_no"] = "JY2"
		_, err := w.Issuer.Complete(t.Context(), w.Drafter, other)
		wantKind(t, err, elicense.Conflict, "内容不同")
	})
}

func TestFieldsAreCheckedBeforeReview(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		for i, tc := range []struct {
			name, field, value, text string
			warning                  bool
		}{
			{"a required field is empty", "license_no", " ", "必填", false},
			{"a date that does not exist", "valid_to", "2031-02-30", "确有这一天", false},
			{"a date in another form", "valid_to", "20310228", "确有这一天", false},
			{"an end before the issue date", "valid_to", "2020-01-01", "", true}, // the type has no issue date field: nothing to compare with
			{"a wrong check character", "uscc", "91350102FJDEM90181", "校验位不对", false},
			{"another code than the holder's", "uscc", "91350200FJDEM90263", "代码不一致", false},
			{"another name than the holder's", "holder_name", "别的名称", "名称不一致", false},
			{"a field the type does not know", "photo", "x", "没有的字段", false},
			{"control characters", "legal_rep", "陈\x00示例", "不能使用的字符", false},
			{"a value far too long", "legal_rep", strings.Repeat("长", 201), "太长", false},
		} {
			t.Run(tc.name, func(t *testing.T) {
				c := w.Completion(strings.Repeat("9", i+1))
				c.Fields[tc.field] = tc.value
				d, err := w.Issuer.Complete(t.Context(), w.Drafter, c)
				if err != nil {
					t.Fatal(err)
				}
				if tc.text == "" {
					return
				}
				found := ""
				for _, f := range d.Findings {
					found += f.Text + ";"
					if strings.Contains(f.Text, strings.TrimSpace(tc.value)) && strings.TrimSpace(tc.value) != "" {
						t.Errorf("a finding repeats the value: %s", f.Text)
					}
				}
				if d.State != issuance.Open || !strings.Contains(found, tc.text) {
					t.Errorf("state %s, findings %q, want %q", d.State, found, tc.text)
				}
				err = w.Issuer.Approve(t.Context(), w.Reviewer, d.ID, d.Seq, "")
				if elicense.KindOf(err) == elicense.Internal || err == nil {
					t.Errorf("a draft with findings is approved: %v", err)
				}
			})
		}
	})
}

func TestAnEarlyFujianCodeIsAWarning(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		c := w.Completion("1")
		c.Holders = []elicense.HolderRef{{CodeType: elicense.CodeUSCC, Code: "91350100M0001TGQXM", Name: "福州试点有限公司"}}
		c.Fields["uscc"], c.Fields["holder_name"] = "91350100M0001TGQXM", "福州试点有限公司"
		d, err := w.Issuer.Complete(t.Context(), w.Drafter, c)
		if err != nil {
			t.Fatal(err)
		}
		if d.State != issuance.InReview || len(d.Findings) != 1 || !d.Findings[0].Warning {
			t.Errorf("state %s, findings %v", d.State, d.Findings)
		}
	})
}

func TestTheBaseRegistryIsAsked(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		for _, o := range []issuance.Outcome{issuance.Mismatch, issuance.NoSuch} {
			w.Registry.Answer(o)
			d, err := w.Issuer.Complete(t.Context(), w.Drafter, w.Completion(string(o)))
			if err != nil {
				t.Fatal(err)
			}
			if d.State != issuance.Open {
				t.Errorf("%s: draft is %s", o, d.State)
			}
		}
		// Unavailable: a named officer may go on with a reason; the platform asks again.
		w.Registry.Answer(issuance.Unavailable)
		d, err := w.Issuer.Complete(t.Context(), w.Drafter, w.Completion("1"))
		if err != nil || d.State != issuance.InReview {
			t.Fatalf("draft %v, %v", d, err)
		}
		err = w.Issuer.Approve(t.Context(), w.Reviewer, d.ID, d.Seq, " ")
		wantKind(t, err, elicense.Invalid, "要写明为什么仍然通过")
		w.Registry.Answer(issuance.Mismatch)
		err = w.Issuer.Approve(t.Context(), w.Reviewer, d.ID, d.Seq, "证照急用，已电话核对")
		wantKind(t, err, elicense.Invalid, "还有检查没有过")
		w.Registry.Answer(issuance.Unavailable)
		if err := w.Issuer.Approve(t.Context(), w.Reviewer, d.ID, d.Seq, "证照急用，已电话核对"); err != nil {
			t.Fatal(err)
		}
		if got := w.Published(t, d.ID); got.Reason == "" {
			t.Error("the reason is not kept")
		}
	})
}

func TestWhatWasReviewedIsWhatIsSealed(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		d, err := w.Issuer.Complete(t.Context(), w.Drafter, w.Completion("1"))
		if err != nil {
			t.Fatal(err)
		}
		fields := w.Completion("1").Fields
		fields["legal_rep"] = "林样本"
		edited, err := w.Issuer.Edit(t.Context(), w.Drafter, d.ID, d.Seq, d.Holders, fields)
		if err != nil {
			t.Fatal(err)
		}
		err = w.Issuer.Approve(t.Context(), w.Reviewer, d.ID, d.Seq, "")
		wantKind(t, err, elicense.Conflict, "刚刚有人改过")
		if err := w.Issuer.Approve(t.Context(), w.Reviewer, d.ID, edited.Seq, ""); err != nil {
			t.Fatal(err)
		}
		w.Published(t, d.ID)
		err = w.Issuer.Approve(t.Context(), w.Reviewer, d.ID, edited.Seq, "")
		wantKind(t, err, elicense.Conflict, "不能再办")
	})
}

func TestNobodyReviewsWhatHeWroteOn(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		d, err := w.Issuer.Complete(t.Context(), w.Drafter, w.Completion("1"))
		if err != nil {
			t.Fatal(err)
		}
		err = w.Issuer.Approve(t.Context(), w.Both, d.ID, d.Seq, "")
		wantKind(t, err, elicense.Forbidden, "不能是同一个人")
		if err := w.Issuer.Return(t.Context(), w.Reviewer, d.ID, d.Seq, "经营项目请分项写"); err != nil {
			t.Fatal(err)
		}
		r, err := w.Issuer.Get(t.Context(), w.Drafter, d.ID)
		if err != nil || r.State != issuance.Open || r.Remark == "" || r.DrafterBy != "林样本" {
			t.Errorf("returned draft: %+v, %v", r, err)
		}
	})
}

func TestAChangeMakesANewVersion(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		first := w.Publish(t, w.Completion("1"))
		c := w.Completion("1")
		c.Case, c.Kind, c.License = "变更1", elicense.EventChange, first.License
		c.Fields["items"] = "热食类食品制售"
		second := w.Publish(t, c)
		_, _, serial1, _, _ := first.Identifier.Parts()
		_, _, serial2, version, _ := second.Identifier.Parts()
		if serial1 != serial2 || version != 2 || second.License != first.License {
			t.Errorf("from %s to %s", first.Identifier, second.Identifier)
		}
		old, err := w.Verifier.ByCode(t.Context(), elicense.Anyone("r"), "here", first.Code)
		if err != nil || old.Status != elicense.StatusReplaced || old.Current {
			t.Errorf("the old version's code says %+v, %v", old, err)
		}
		now, err := w.Verifier.ByCode(t.Context(), elicense.Anyone("r"), "here", second.Code)
		if err != nil || now.Status != elicense.StatusValid {
			t.Errorf("the new version's code says %+v, %v", now, err)
		}
		w.Fsck(t)
	})
}

func TestAChangeKeepsTheHolder(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		first := w.Publish(t, w.Completion("1"))
		c := w.Completion("1")
		c.Case, c.Kind, c.License = "变更1", elicense.EventChange, first.License
		c.Holders = []elicense.HolderRef{world.Other}
		_, err := w.Issuer.Complete(t.Context(), w.Drafter, c)
		wantKind(t, err, elicense.Invalid, "不能换持证主体")
	})
}

func TestACaseIsKnownAfterTheKeysChanged(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		d := w.Publish(t, w.Completion("1"))
		if err := w.DB.RotateKeys(t.Context()); err != nil {
			t.Fatal(err)
		}
		again, err := w.Issuer.Complete(t.Context(), w.Drafter, w.Completion("1"))
		if err != nil || again.ID != d.ID {
			t.Errorf("the case became another draft: %v, %v", again, err)
		}
		w.Fsck(t)
	})
}

func TestANumberIsIssuedOnce(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		w.Publish(t, w.Completion("1"))
		c := w.Completion("1")
		c.Case = "另一办件"
		d, err := w.Issuer.Complete(t.Context(), w.Drafter, c)
		if err != nil {
			t.Fatal(err)
		}
		err = w.Issuer.Approve(t.Context(), w.Reviewer, d.ID, d.Seq, "")
		wantKind(t, err, elicense.Conflict, "同类同号")
	})
}

func TestDeadlinesOfArticle7(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		c := w.Completion("1") // closed on Tuesday 2026-03-10 in Fuzhou
		d, err := w.Issuer.Complete(t.Context(), w.Drafter, c)
		if err != nil {
			t.Fatal(err)
		}
		if want := elicense.Date("2026-03-10").End(); !d.Due.Equal(want) {
			t.Errorf("online: due %s, want %s", d.Due, want)
		}
		w.Clock.Move(36 * time.Hour)
		if err := w.Issuer.Approve(t.Context(), w.Reviewer, d.ID, d.Seq, ""); err != nil {
			t.Fatal(err)
		}
		if late, by := w.Published(t, d.ID).Delay(); !late || by < 12*time.Hour {
			t.Errorf("late %v by %s", late, by)
		}
		// A year without a notice of holidays gives no deadline, and says so.
		bulk := world.FoodType()
		bulk.Mode, bulk.Reason = catalog.Bulk, "批量发放"
		if err := w.Catalog.Propose(t.Context(), w.Drafter, bulk); err != nil {
			t.Fatal(err)
		}
		if err := w.Catalog.Decide(t.Context(), w.Admin, world.Type, 2, true, ""); err != nil {
			t.Fatal(err)
		}
		d, err = w.Issuer.Complete(t.Context(), w.Drafter, w.Completion("2"))
		if err != nil {
			t.Fatal(err)
		}
		if want := elicense.Date("2026-03-18").End(); !d.Due.Equal(want) {
			t.Errorf("bulk, closed on Wednesday 2026-03-11: due %s, want %s", d.Due, want)
		}
		w.Clock.Set(time.Date(2027, 6, 1, 2, 0, 0, 0, time.UTC))
		d, err = w.Issuer.Complete(t.Context(), w.Drafter, w.Completion("3"))
		if err != nil {
			t.Fatal(err)
		}
		if !d.Due.IsZero() || d.State != issuance.InReview || len(d.Findings) != 1 {
			t.Errorf("without a calendar: due %s, findings %v", d.Due, d.Findings)
		}
		// The notice is entered: what waits has a deadline.
		keeper := &calendar.Keeper{DB: w.DB, Guard: w.Guard}
		if err := keeper.Announce(t.Context(), w.Admin, calendar.Text{Year: "2027", Doc: "国办发明电〔2026〕99号", Holidays: "端午节 2027-06-09"}); err != nil {
			t.Fatal(err)
		}
		want := elicense.Date("2027-06-08").End()
		for until := time.Now().Add(time.Minute); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
			r, err := w.Issuer.Get(t.Context(), w.Drafter, d.ID)
			if err != nil {
				t.Fatal(err)
			}
			if d = r.Draft; d.Due.Equal(want) {
				return
			}
		}
		t.Errorf("after the notice was entered: due %s, want %s", d.Due, want)
	})
}

func TestAbsurdCompletionsAreRefusedByField(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		for name, tc := range map[string]struct {
			change func(*issuance.Completion)
			field  string
		}{
			"no case number":      {func(c *issuance.Completion) { c.Case = " " }, "case"},
			"an endless number":   {func(c *issuance.Completion) { c.Case = strings.Repeat("长", 60) }, "case"},
			"no closing time":     {func(c *issuance.Completion) { c.Closed = time.Time{} }, "closed"},
			"closed tomorrow":     {func(c *issuance.Completion) { c.Closed = c.Closed.Add(24 * time.Hour) }, "closed"},
			"no holder":           {func(c *issuance.Completion) { c.Holders = nil }, "holders"},
			"a crowd of holders":  {func(c *issuance.Completion) { c.Holders = make([]elicense.HolderRef, 51) }, "holders"},
			"a suspension":        {func(c *issuance.Completion) { c.Kind = elicense.EventSuspend }, "kind"},
			"a change of nothing": {func(c *issuance.Completion) { c.Kind = elicense.EventChange }, "license"},
			"a change of unknown": {func(c *issuance.Completion) {
				c.Kind, c.License = elicense.EventChange, elicense.NewID[elicense.LicenseID](time.Now())
			}, "license"},
			"an impossible issue": {func(c *issuance.Completion) { c.IssuedOn = "2026-02-30" }, "issuedOn"},
		} {
			c := w.Completion("x" + name)
			tc.change(&c)
			_, err := w.Issuer.Complete(t.Context(), w.Drafter, c)
			var e *elicense.Error
			if !errors.As(err, &e) || e.Field != tc.field {
				t.Errorf("%s: got %v, want field %s", name, err, tc.field)
			}
		}
	})
}

// TestAFileNamesTheAddressOfItsStatus: who holds a file alone can ask for its
// status with what the QR code on its face says.
func TestAFileNamesTheAddressOfItsStatus(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		d := w.Publish(t, w.Completion("1"))
		file, _, err := w.Sharing.File(t.Context(), w.Holder, d.License, false)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, p := range document.Judge(file, document.Options{}).Metadata {
			if p.Name == issuance.CheckAddress {
				got = append(got, p.Value)
			}
		}
		if len(got) != 1 || got[0] != "http://localhost/check/"+string(d.Code) {
			t.Errorf("addresses in the file: %q", got)
		}
	})
}

// TestADiscardedDraftMakesRoom: a license has one change under way; a draft that was
// discarded is none.
func TestADiscardedDraftMakesRoom(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		change := w.Completion("变更1")
		change.Kind, change.License = elicense.EventChange, w.Publish(t, w.Completion("1")).License
		d, err := w.Issuer.Complete(ctx, w.Drafter, change)
		must(t, err)
		change.Case = "变更2"
		_, err = w.Issuer.Complete(ctx, w.Drafter, change)
		wantKind(t, err, elicense.Conflict, "已有一份变更在办")
		must(t, w.Issuer.Discard(ctx, w.Drafter, d.ID, d.Seq))
		second, err := w.Issuer.Complete(ctx, w.Drafter, change)
		must(t, err)
		w.Fsck(t)
		set := func(id elicense.DraftID, voided bool) {
			must(t, w.DB.Update(ctx, func(tx *store.Tx) error {
				_, err := tx.Exec(`UPDATE draft SET voided = $1 WHERE id = $2`, voided, id)
				return err
			}))
		}
		set(second.ID, true)
		if len(w.Findings(t)) == 0 {
			t.Error("a draft was made void in the index alone, and fsck is silent")
		}
		set(second.ID, false)
		w.Fsck(t)
	})
}
