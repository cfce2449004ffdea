package catalog_test

import (
	"testing"

	"elicense"
	"elicense/catalog"
	"elicense/e2e/world"
	"elicense/store"
)

// One type is made by one unit and comes back from a national system at another;
// where nothing is set, it is as the type says.
func TestAUnitMakesATypeInItsOwnWay(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		mode := func() (m catalog.Mode) {
			t.Helper()
			must(t, w.DB.View(ctx, func(tx *store.Tx) error {
				typ, err := catalog.Current(tx, world.Type)
				if err != nil {
					return err
				}
				m, err = catalog.ModeFor(tx, typ, world.Issuer)
				return err
			}))
			return m
		}
		if got := mode(); got != catalog.Online {
			t.Errorf("mode %s before anything was set", got)
		}
		set := catalog.UnitMode{Code: world.Type, Unit: world.Issuer, Origin: catalog.FromNation, Reason: "国家系统统一制作", Basis: "市监总局公告2026年第1号"}
		for field, edit := range map[string]func(*catalog.UnitMode){
			"unitCode": func(m *catalog.UnitMode) { m.Unit = world.Office },
			"origin":   func(m *catalog.UnitMode) { m.Origin = "handmade" },
			"reason":   func(m *catalog.UnitMode) { m.Reason = " " },
			"basis":    func(m *catalog.UnitMode) { m.Basis = "" },
		} {
			m := set
			edit(&m)
			if err := w.Catalog.SetMode(ctx, w.Drafter, m); !elicense.IsKind(err, elicense.Invalid) {
				t.Errorf("%s: %v", field, err)
			}
		}
		for _, who := range []*elicense.Actor{w.Admin, w.Matters, w.Holder} {
			if err := w.Catalog.SetMode(ctx, who, set); !elicense.IsKind(err, elicense.Forbidden) {
				t.Errorf("%s sets a mode: %v", who.Name, err)
			}
		}
		must(t, w.Catalog.SetMode(ctx, w.Drafter, set))
		if got := mode(); got != catalog.National {
			t.Errorf("mode %s, want national", got)
		}
		set.Origin, set.Basis = catalog.ByMinistry, "C0293-2024"
		must(t, w.Catalog.SetMode(ctx, w.Drafter, set))
		if got := mode(); got != catalog.Online {
			t.Errorf("mode %s by a ministry's standard, want online", got)
		}
		w.Fsck(t)
	})
}
