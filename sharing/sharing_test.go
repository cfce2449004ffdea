package sharing_test

import (
	"errors"
	"strings"
	"testing"

	"elicense"
	"elicense/cases"
	"elicense/e2e/world"
	"elicense/oversight"
	"elicense/sharing"
)

var query = sharing.Use{Material: "食品经营许可证", Party: -1, Act: sharing.Query}

func refusal(t *testing.T, err error) *elicense.Error {
	t.Helper()
	var e *elicense.Error
	if !errors.As(err, &e) || e.Kind != elicense.Forbidden {
		t.Fatalf("got %v, want a refusal", err)
	}
	return e
}

func TestAClerkSeesWhatTheMatterNeeds(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		w.Publish(t, w.Completion("1"))
		k := w.OpenCase(t)
		r, err := w.Sharing.Use(t.Context(), w.Window, k.ID, query)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Fields) != 2 || r.Fields["license_no"] != "JY1" || r.Fields["legal_rep"] != "" {
			t.Errorf("fields %v", r.Fields)
		}
		for _, part := range []string{"鼓楼区烟草专卖局", "郑窗口", k.Number, "2026-03-10"} {
			if !strings.Contains(r.Watermark, part) {
				t.Errorf("watermark %q lacks %s", r.Watermark, part)
			}
		}
		p, err := w.Oversight.Prove(t.Context(), w.Auditor, r.Receipt.Record)
		if err != nil {
			t.Fatal(err)
		}
		if p.Entry.Act != "case.use" || p.Entry.Case != string(k.ID) || len(p.Entry.Fields) != 2 || strings.Contains(p.Bytes, "JY1") {
			t.Errorf("the record of the use: %+v", p.Entry)
		}
	})
}

// TestARefusalDoesNotBetray asks once before and once after the license exists:
// the refusal must be the same, word for word.
func TestARefusalDoesNotBetray(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		k := w.OpenCase(t)
		closed := w.OpenCase(t)
		if err := w.Cases.Close(t.Context(), w.Window, closed.ID); err != nil {
			t.Fatal(err)
		}
		asks := map[string]func() error{
			"another type": func() error {
				u := query
				u.Material = "离婚证"
				_, err := w.Sharing.Use(t.Context(), w.Window, k.ID, u)
				return err
			},
			"another holder": func() error {
				u := query
				u.Holder = world.Other
				_, err := w.Sharing.Use(t.Context(), w.Window, k.ID, u)
				return err
			},
			"another clerk's case": func() error { _, err := w.Sharing.Use(t.Context(), w.Colleague, k.ID, query); return err },
			"a closed case":        func() error { _, err := w.Sharing.Use(t.Context(), w.Window, closed.ID, query); return err },
			"a case that is none": func() error {
				_, err := w.Sharing.Use(t.Context(), w.Window, "00000000000000000000000000", query)
				return err
			},
			"a field not needed": func() error {
				u := query
				u.Fields = []string{"legal_rep"}
				_, err := w.Sharing.Use(t.Context(), w.Window, k.ID, u)
				return err
			},
		}
		before := map[string]string{}
		for name, ask := range asks {
			e := refusal(t, ask())
			before[name] = e.Message() + e.Clause + e.Next
			if e.Record == "" {
				t.Errorf("%s: the refusal has no record", name)
			}
		}
		other := w.Completion("2")
		other.Holders = []elicense.HolderRef{world.Other}
		other.Fields["holder_name"], other.Fields["uscc"] = world.Other.Name, world.Other.Code
		w.Publish(t, other)
		w.Publish(t, w.Completion("1"))
		for name, ask := range asks {
			e := refusal(t, ask())
			if got := e.Message() + e.Clause + e.Next; got != before[name] {
				t.Errorf("%s: %q before, %q after", name, before[name], got)
			}
			list, err := w.Oversight.Records(t.Context(), w.Auditor, oversight.By{Unit: world.Office}, 1)
			if err != nil || list[0].ID != e.Record || list[0].Outcome != "refused" {
				t.Errorf("%s: not on the record: %v, %v", name, list, err)
			}
		}
	})
}

func TestTheMaterialCheckFollowsTheLicense(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		k := w.OpenCase(t)
		check := func(want sharing.Need, why string) {
			t.Helper()
			list, _, err := w.Sharing.Materials(t.Context(), w.Window, k.ID)
			if err != nil {
				t.Fatal(err)
			}
			if list[0].Need != want || !strings.Contains(list[0].Why, why) || list[1].Need != sharing.ToGive {
				t.Errorf("%s %q, want %s %q", list[0].Need, list[0].Why, want, why)
			}
		}
		check(sharing.Missing, "没有找到")
		d := w.Publish(t, w.Completion("1"))
		check(sharing.Have, "已取得")
		w.Change(t, d.License, elicense.EventPledge)
		check(sharing.Look, "已质押")
		w.Change(t, d.License, elicense.EventRelease)
		w.Change(t, d.License, elicense.EventSuspend)
		check(sharing.Missing, "暂停使用")
		r, err := w.Sharing.Use(t.Context(), w.Window, k.ID, query)
		if err != nil || r.Status != elicense.StatusSuspended || len(r.Fields) != 0 {
			t.Errorf("a suspended license shows %v, %v", r, err)
		}
		w.Change(t, d.License, elicense.EventResume)
		check(sharing.Have, "已取得")
		w.Clock.Set(elicense.Date("2031-01-09").Start())
		check(sharing.Look, "有效期到2031-03-09")
		w.Clock.Set(elicense.Date("2031-03-10").Start())
		check(sharing.Missing, "已过期")
	})
}

func TestComparingShowsNoValue(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		w.Publish(t, w.Completion("1"))
		k := w.OpenCase(t)
		r, err := w.Sharing.Use(t.Context(), w.Window, k.ID, sharing.Use{
			Material: query.Material, Party: -1, Act: sharing.Compare, Values: map[string]string{"license_no": "JY1", "holder_name": "别的名称"},
		})
		if err != nil || r.Matches["license_no"] != sharing.Same || r.Matches["holder_name"] != sharing.Differs || r.Fields != nil {
			t.Errorf("compare: %+v, %v", r, err)
		}
		v, err := w.Sharing.Use(t.Context(), w.Window, k.ID, sharing.Use{Material: query.Material, Party: -1, Act: sharing.Verify})
		if err != nil || v.Status != elicense.StatusValid || v.Fields != nil {
			t.Errorf("verify: %+v, %v", v, err)
		}
	})
}

func TestTheHolderSeesEveryUse(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		d := w.Publish(t, w.Completion("1"))
		k := w.OpenCase(t)
		if _, err := w.Sharing.Use(t.Context(), w.Window, k.ID, query); err != nil {
			t.Fatal(err)
		}
		uses, err := w.Sharing.Uses(t.Context(), w.Holder, d.License, 10)
		if err != nil {
			t.Fatal(err)
		}
		if len(uses) != 1 || uses[0].Unit != "福州市鼓楼区烟草专卖局" || uses[0].Number != k.Number || uses[0].Purpose != "烟草专卖零售许可" ||
			strings.Join(uses[0].Fields, ",") != "名称,许可证编号" {
			t.Errorf("uses %+v", uses)
		}
		_, err = w.Sharing.Uses(t.Context(), w.Window, d.License, 10)
		refusal(t, err)
		file, name, err := w.Sharing.File(t.Context(), w.Holder, d.License, false)
		if err != nil || len(file) == 0 || name != string(d.Identifier)+".ofd" {
			t.Errorf("file %s of %d bytes, %v", name, len(file), err)
		}
	})
}

func TestACaseNeedsProvenParties(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		start := func(parties ...cases.Party) error {
			_, err := w.Cases.Start(t.Context(), w.Window, cases.NewCase{Matter: world.Matter, Parties: parties})
			return err
		}
		if e := refusal(t, start()); !strings.Contains(e.Message(), "至少一位当事人") {
			t.Errorf("no parties: %v", e)
		}
		if e := refusal(t, start(cases.Party{Ref: world.Firm})); !strings.Contains(e.Message(), "身份没有核实") {
			t.Errorf("no proof: %v", e)
		}
		if e := refusal(t, start(cases.Party{Ref: world.Firm, Proof: "hearsay"})); !strings.Contains(e.Message(), "身份没有核实") {
			t.Errorf("an unknown proof: %v", e)
		}
		bad := world.Firm
		bad.Code = "91350102FJDEM90181"
		var e *elicense.Error
		if err := start(cases.Party{Ref: bad, Proof: cases.ProofCard}); !errors.As(err, &e) || e.Field != "parties.1.code" {
			t.Errorf("a wrong code: %v", err)
		}
		n := cases.NewCase{Number: "收2026-1", Matter: world.Matter, Parties: []cases.Party{{Ref: world.Firm, Proof: cases.ProofCard}}}
		if _, err := w.Cases.Start(t.Context(), w.Window, n); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Cases.Start(t.Context(), w.Window, n); !elicense.IsKind(err, elicense.Conflict) {
			t.Errorf("the same number twice: %v", err)
		}
	})
}
