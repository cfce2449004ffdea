package catalog_test

import (
	"bytes"
	"strings"
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
		made := func() int {
			t.Helper()
			list, err := w.Catalog.MadeBy(ctx, world.Issuer)
			must(t, err)
			return len(list)
		}
		if got := mode(); got != catalog.Online || made() != 1 {
			t.Errorf("mode %s before anything was set, of %d made", got, made())
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
		if got := mode(); got != catalog.National || made() != 0 {
			t.Errorf("mode %s, want national; %d made", got, made())
		}
		set.Origin, set.Basis = catalog.ByMinistry, "C0293-2024"
		must(t, w.Catalog.SetMode(ctx, w.Drafter, set))
		if got := mode(); got != catalog.Online {
			t.Errorf("mode %s by a ministry's standard, want online", got)
		}
		w.Fsck(t)
	})
}

// TestModesComeBackAsTheyWentOut: what is exported is the same when it is imported, each
// row stands by itself, and only the unit that registers the type sets it.
func TestModesComeBackAsTheyWentOut(t *testing.T) {
	w := world.OnSQLite(t)
	ctx := t.Context()
	must(t, w.Catalog.SetMode(ctx, w.Drafter, catalog.UnitMode{
		Code: world.Type, Unit: world.Issuer, Origin: catalog.ByMinistry, Reason: "部委有标准", Basis: "C0293-2024",
	}))
	export := func() string {
		t.Helper()
		list, err := w.Catalog.Modes(ctx)
		must(t, err)
		var b bytes.Buffer
		must(t, catalog.ExportModes(&b, list, map[elicense.UnitCode]string{world.Issuer: "鼓楼区市场监管局"}))
		return b.String()
	}
	file := export()
	done, err := w.Catalog.ImportModes(ctx, w.Drafter, []byte(file))
	must(t, err)
	if len(done) != 1 || !done[0].Same {
		t.Errorf("imported as it is: %+v", done)
	}
	changed := strings.Replace(file, "按部委标准制作", "国家制作", 1) + string(world.Type) + ",," + string(world.Office) + ",,,国家制作,理由,依据\r\n"
	if _, err := w.Catalog.ImportModes(ctx, w.Matters, []byte(changed)); !elicense.IsKind(err, elicense.Forbidden) {
		t.Errorf("another unit imports: %v", err)
	}
	done, err = w.Catalog.ImportModes(ctx, w.Drafter, []byte(changed))
	must(t, err)
	if len(done) != 2 || done[0].Same || done[0].Err != nil || !elicense.IsKind(done[1].Err, elicense.Invalid) {
		t.Errorf("changed: %+v", done)
	}
	if got := export(); !strings.Contains(got, "按照国家规范制作,国家制作,部委有标准,C0293-2024") {
		t.Errorf("exported: %s", got)
	}
	if _, err := w.Catalog.ImportModes(ctx, w.Drafter, []byte("证照类型代码,签发单位代码\r\n")); !elicense.IsKind(err, elicense.Invalid) {
		t.Errorf("a table without its columns: %v", err)
	}
	w.Fsck(t)
}
