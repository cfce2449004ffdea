package sharing_test

import (
	"testing"

	"elicense"
	"elicense/cases"
	"elicense/catalog"
	"elicense/e2e/world"
	"elicense/sharing"
)

// TestALocalInstanceMeetsTheStandard (Art. 4, 12): a matter that asks for the
// province's type is met by a license of a local one, of which the clerk sees what
// he would see of the province's and no more.
func TestALocalInstanceMeetsTheStandard(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		const provincial, local, matter = elicense.TypeCode("11350000FJDEM0072Q901"), elicense.TypeCode("11350102FJDEM0275F011"), elicense.MatterCode("M77")
		standard := world.FoodType()
		standard.Code, standard.Name = provincial, "食品经营许可证（全省）"
		must(t, w.Catalog.Propose(ctx, w.Drafter, standard))
		must(t, w.Catalog.Decide(ctx, w.Admin, provincial, 1, true, ""))
		x := world.FoodType()
		x.Code, x.Name, x.Standard, x.Face = local, "鼓楼区餐饮备案证", provincial, catalog.DefaultFace("鼓楼区餐饮备案证", x.Fields)
		must(t, w.Catalog.Propose(ctx, w.Drafter, x))
		must(t, w.Cases.Install(ctx, []*cases.Matter{{
			Code: matter, Name: "餐饮补贴", Unit: world.Office, Days: 5, Materials: []cases.Material{
				{Name: "食品经营许可证", Way: cases.Shared, Types: []elicense.TypeCode{provincial}, Fields: map[elicense.TypeCode][]string{provincial: {"license_no"}}},
			},
		}}))
		open := func() *cases.Case {
			t.Helper()
			k, err := w.Cases.Start(ctx, w.Window, cases.NewCase{Matter: matter, Parties: []cases.Party{{Role: "申请人", Ref: world.Firm, Proof: cases.ProofLicense}}})
			must(t, err)
			return k
		}
		need := func(k *cases.Case) sharing.Need {
			t.Helper()
			list, _, err := w.Sharing.Materials(ctx, w.Window, k.ID)
			must(t, err)
			return list[0].Need
		}
		k := open()
		if got := need(k); got != sharing.Missing {
			t.Errorf("before there is one: %s", got)
		}
		must(t, w.Catalog.Decide(ctx, w.Admin, local, 1, true, ""))
		c := w.Completion("41")
		c.Type = local
		w.Publish(t, c)
		if got := need(k); got != sharing.Have {
			t.Errorf("with a local one: %s", got)
		}
		r, err := w.Sharing.Use(ctx, w.Window, k.ID, query)
		must(t, err)
		if len(r.Fields) != 1 || r.Fields["license_no"] != "JY41" {
			t.Errorf("fields %v", r.Fields)
		}
		// It stands for the standard, and for nothing else.
		list, _, err := w.Sharing.Materials(ctx, w.Window, w.OpenCase(t).ID)
		must(t, err)
		if list[0].Need != sharing.Missing {
			t.Errorf("in a case of a matter that asks for another type: %s", list[0].Need)
		}
	})
}
