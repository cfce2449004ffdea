package catalog_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"elicense"
	"elicense/catalog"
	"elicense/e2e/world"
	"elicense/org"
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

// TestAUnitProposesItsOwnMode (Art. 7(1)): the mode belongs to type and unit. A unit
// that does not register the type proposes, the administration decides with reasons, and
// takes back; then the type decides again, and what was made keeps saying how.
func TestAUnitProposesItsOwnMode(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		shared := world.FoodType()
		shared.Issuers = append(shared.Issuers, world.Office)
		shared.Mode, shared.Reason = catalog.National, "按照国家规范制作"
		must(t, w.Catalog.Propose(ctx, w.Drafter, shared))
		must(t, w.Catalog.Decide(ctx, w.Admin, shared.Code, 2, true, ""))
		must(t, w.Org.Enroll(ctx, []org.Staff{{
			Login: "officer", Secret: world.Password, Kind: elicense.Staff, Unit: world.Office, Name: "周演示", Duties: []elicense.Duty{elicense.DutyRegister},
			Person: elicense.HolderRef{CodeType: elicense.CodeCitizen, Code: "350100198506120117", Name: "周演示"},
		}}))
		officer, err := w.Org.ActorByLogin(ctx, "officer", "test")
		must(t, err)
		line := func(unit elicense.UnitCode) (got catalog.ModeLine) {
			t.Helper()
			list, err := w.Catalog.Modes(ctx)
			must(t, err)
			for _, l := range list {
				if l.Code == world.Type && l.Unit == unit {
					got = l
				}
			}
			return got
		}
		wants := func(kind elicense.Kind, what string, err error) {
			t.Helper()
			if !elicense.IsKind(err, kind) {
				t.Errorf("%s: %v, want %v", what, err, kind)
			}
		}
		ask := catalog.UnitMode{Code: world.Type, Unit: world.Office, Origin: catalog.MadeLocally, Reason: "国家系统没有覆盖本市", Basis: "榕政办〔2026〕1号"}
		propose := func(who *elicense.Actor, m catalog.UnitMode) (string, error) {
			return w.Catalog.ProposeMode(ctx, who, m)
		}

		_, err = propose(w.Drafter, ask)
		wants(elicense.Forbidden, "another unit proposes", err)
		_, err = propose(w.Matters, ask)
		wants(elicense.Forbidden, "who has not the duty proposes", err)
		own := ask
		own.Unit = world.Issuer
		_, err = propose(w.Drafter, own)
		wants(elicense.Conflict, "the unit that registers the type proposes", err)
		wordless := ask
		wordless.Basis = " "
		_, err = propose(officer, wordless)
		wants(elicense.Invalid, "without its basis", err)
		first, err := propose(officer, ask)
		must(t, err)
		_, err = propose(officer, ask)
		wants(elicense.Conflict, "twice", err)
		if l := line(world.Office); l.Mode != catalog.National || l.Set != nil {
			t.Errorf("it holds before it was confirmed: %+v", l)
		}
		wants(elicense.Forbidden, "the unit confirms it itself", w.Catalog.DecideMode(ctx, officer, first, true, ""))
		wants(elicense.Invalid, "refused without a reason", w.Catalog.DecideMode(ctx, w.Admin, first, false, ""))
		must(t, w.Catalog.DecideMode(ctx, w.Admin, first, false, "国家系统还没有接通"))
		wants(elicense.Conflict, "decided twice", w.Catalog.DecideMode(ctx, w.Admin, first, true, ""))
		wants(elicense.NotFound, "one there is not", w.Catalog.DecideMode(ctx, w.Admin, "06edaqby7cspaww3ffcvtd8dem", true, ""))
		w.Told(t, officer, "mode-decided")

		second, err := propose(officer, ask)
		must(t, err)
		must(t, w.Catalog.DecideMode(ctx, w.Admin, second, true, ""))
		if l := line(world.Office); l.Mode != catalog.Online || l.Set == nil || l.Set.Reason != ask.Reason || !l.Set.Changed.Equal(w.Clock.Now()) {
			t.Errorf("confirmed, it does not hold: %+v", l)
		}
		if l := line(world.Issuer); l.Mode != catalog.National || l.Set != nil {
			t.Errorf("it holds at another unit: %+v", l)
		}
		list, err := w.Catalog.ModeProposals(ctx, officer, 10)
		must(t, err)
		_, err = w.Catalog.ModeProposals(ctx, w.Window, 10)
		wants(elicense.Forbidden, "a clerk of the unit lists them", err)
		if waiting, err := w.Catalog.ModeProposals(ctx, w.Admin, 10); err != nil || len(waiting) != 0 || len(list) != 2 {
			t.Errorf("%d of the unit, %d wait, %v", len(list), len(waiting), err)
		}

		// What the unit made under a mode of its own says so after it was taken back.
		must(t, w.Catalog.SetMode(ctx, w.Drafter, catalog.UnitMode{Code: world.Type, Unit: world.Issuer, Origin: catalog.ByMinistry, Reason: "部委有标准", Basis: "C0293-2024"}))
		made := w.Publish(t, w.Completion("1"))
		w.Clock.Move(time.Hour)
		for _, unit := range []elicense.UnitCode{world.Office, world.Issuer} {
			wants(elicense.Forbidden, "the unit takes it back", w.Catalog.TakeBackMode(ctx, officer, world.Type, unit, "改回"))
			wants(elicense.Invalid, "without a reason", w.Catalog.TakeBackMode(ctx, w.Admin, world.Type, unit, ""))
			must(t, w.Catalog.TakeBackMode(ctx, w.Admin, world.Type, unit, "按类别登记办理"))
			wants(elicense.NotFound, "taken back twice", w.Catalog.TakeBackMode(ctx, w.Admin, world.Type, unit, "改回"))
			l := line(unit)
			if l.Mode != catalog.National || l.Type != l.Mode || l.Set == nil || l.Set.Origin != catalog.AsRegistered || !l.Set.Changed.Equal(w.Clock.Now()) || l.Set.Reason != "按类别登记办理" {
				t.Errorf("taken back: %+v, %+v", l, l.Set)
			}
		}
		w.Told(t, w.Drafter, "mode-back")
		must(t, w.DB.View(ctx, func(tx *store.Tx) error {
			lic, err := tx.License(made.License)
			if err != nil {
				return err
			}
			v, err := tx.Version(lic, 1)
			if err == nil && v.Made.Mode != string(catalog.Online) {
				t.Errorf("the license says it was made %s", v.Made.Mode)
			}
			return err
		}))
		w.Fsck(t)
		must(t, w.DB.Update(ctx, func(tx *store.Tx) error {
			_, err := tx.Exec(`UPDATE mode_proposal SET state = 'confirmed' WHERE id = $1`, first)
			return err
		}))
		if found := w.Findings(t); len(found) != 1 || found[0].Where != first {
			t.Errorf("fsck says %v", found)
		}
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
