package catalog_test

import (
	"errors"
	"strings"
	"testing"

	"elicense"
	"elicense/access"
	"elicense/catalog"
	"elicense/e2e/world"
)

func TestAnEntryIsCheckedInForm(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		for _, tc := range []struct {
			field  string
			change func(*catalog.Type)
		}{
			{"name", func(c *catalog.Type) { c.Name = "证" }},
			{"name", func(c *catalog.Type) { c.Name = strings.Repeat("长", 61) }},
			{"code", func(c *catalog.Type) { c.Code = "11350102FJDEM0275F01" }},
			{"code", func(c *catalog.Type) { c.Code = "11350102FJDEM0275X001" }},
			{"issuers", func(c *catalog.Type) { c.Issuers = nil }},
			{"issuers", func(c *catalog.Type) { c.Issuers = []elicense.UnitCode{"no unit"} }},
			{"issuers", func(c *catalog.Type) { c.Code, c.Issuers = "11350102FJDEM0320G001", []elicense.UnitCode{world.Office} }},
			{"level", func(c *catalog.Type) { c.Level = 4 }},
			{"qualification", func(c *catalog.Type) { c.Qualification = "no type" }},
			{"qualification", func(c *catalog.Type) { c.Qualification = c.Code }},
			{"qualification", func(c *catalog.Type) { c.Qualification = "11350102FJDEM0275F777" }},
			{"category", func(c *catalog.Type) { c.Category = " " }},
			{"mode", func(c *catalog.Type) { c.Mode = "by hand" }},
			{"reason", func(c *catalog.Type) { c.Mode = catalog.Offline }},
			{"holders", func(c *catalog.Type) { c.Holders = "" }},
			{"basis", func(c *catalog.Type) { c.Basis = "" }},
			{"open", func(c *catalog.Type) { c.Open = false }},
			{"face", func(c *catalog.Type) { c.Face = nil }},
			{"validity", func(c *catalog.Type) { c.Validity = catalog.Validity{Kind: "years"} }},
			{"validity", func(c *catalog.Type) { c.Roles.ValidTo = "" }},
			{"fields", func(c *catalog.Type) { c.Fields = nil }},
			{"fields.1", func(c *catalog.Type) { c.Fields[0].Key = "Name" }},
			{"fields.2", func(c *catalog.Type) { c.Fields[1].Key = c.Fields[0].Key }},
			{"fields.3", func(c *catalog.Type) { c.Fields[2].Label = "" }},
			{"fields.4", func(c *catalog.Type) { c.Fields[3].Type = "poem" }},
			{"fields.5", func(c *catalog.Type) { c.Fields[4].Class = "" }},
			{"fields.1", func(c *catalog.Type) { c.Fields[0].Options = []string{"甲"} }},
			{"fields.1", func(c *catalog.Type) { c.Fields[0].Type, c.Fields[0].Options = "enum", []string{"甲", "甲"} }},
			{"fields.1", func(c *catalog.Type) { c.Fields[0].Type, c.Fields[0].Options = "enum", []string{"甲/乙"} }},
			{"roles", func(c *catalog.Type) { c.Roles.Number = "nowhere" }},
			{"roles", func(c *catalog.Type) { c.Roles.HolderName = "" }},
		} {
			c := world.FoodType()
			tc.change(c)
			err := w.Catalog.Propose(t.Context(), w.Drafter, c)
			var e *elicense.Error
			if !errors.As(err, &e) || e.Kind != elicense.Invalid || e.Field != tc.field || e.Clause == "" {
				t.Errorf("got %v, want a fault of %s", err, tc.field)
			}
		}
	})
}

func TestAPublishedEntryIsNeverEdited(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		changed := world.FoodType()
		changed.Validity.Text = "3年"
		if err := w.Catalog.Propose(t.Context(), w.Drafter, changed); err != nil {
			t.Fatal(err)
		}
		if err := w.Catalog.Propose(t.Context(), w.Drafter, world.FoodType()); !elicense.IsKind(err, elicense.Conflict) {
			t.Errorf("two proposals at a time: %v", err)
		}
		if err := w.Catalog.Decide(t.Context(), w.Admin, world.Type, 2, false, " "); !elicense.IsKind(err, elicense.Invalid) {
			t.Errorf("returned without a reason: %v", err)
		}
		if err := w.Catalog.Decide(t.Context(), w.Admin, world.Type, 2, true, ""); err != nil {
			t.Fatal(err)
		}
		if err := w.Catalog.Decide(t.Context(), w.Admin, world.Type, 2, true, ""); !elicense.IsKind(err, elicense.Conflict) {
			t.Errorf("decided twice: %v", err)
		}
		versions, err := w.Catalog.Versions(t.Context(), world.Type)
		if err != nil || len(versions) != 2 {
			t.Fatalf("versions %v, %v", versions, err)
		}
		if versions[0].State != catalog.Published || versions[1].State != catalog.Replaced || versions[1].Validity.Text != "5年" {
			t.Errorf("%s %s; %s %s", versions[0].State, versions[0].Validity.Text, versions[1].State, versions[1].Validity.Text)
		}
	})
}

func TestDuplicateNamesAreFound(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		same, like := world.FoodType(), world.FoodType()
		same.Code, same.Name = "11350102FJDEM0275F002", "食品经营（许可证）"
		like.Code, like.Name = "11350102FJDEM0275F003", "小型食品经营许可证"
		for _, x := range []*catalog.Type{same, like} {
			if err := w.Catalog.Propose(t.Context(), w.Drafter, x); err != nil {
				t.Fatal(err)
			}
			found, err := w.Catalog.Duplicates(t.Context(), x)
			if err != nil || len(found) != 1 || found[0].Code != world.Type || found[0].Exact != (x == same) {
				t.Errorf("%s: %v, %v", x.Name, found, err)
			}
		}
		if err := w.Catalog.Decide(t.Context(), w.Admin, same.Code, 1, true, ""); !elicense.IsKind(err, elicense.Conflict) {
			t.Errorf("the same name under another code: %v", err)
		}
		if err := w.Catalog.Decide(t.Context(), w.Admin, like.Code, 1, true, ""); err != nil {
			t.Errorf("a name that is only like another: %v", err)
		}
	})
}

func TestARetiredTypeMakesNoMoreLicenses(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		d := w.Publish(t, w.Completion("1"))
		if err := w.Catalog.Retire(t.Context(), w.Admin, world.Type, "类别废止"); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Issuer.Complete(t.Context(), w.Drafter, w.Completion("2")); !elicense.IsKind(err, elicense.Conflict) {
			t.Errorf("making a license of a retired type: %v", err)
		}
		if _, err := w.Sharing.Own(t.Context(), w.Holder, d.License); err != nil {
			t.Errorf("its licenses stay readable: %v", err)
		}
	})
}

func TestValuesAreCheckedByTheirType(t *testing.T) {
	typ := &catalog.Type{Fields: []catalog.Field{
		{Key: "a", Label: "值", Type: "", Required: false, Class: access.Open},
	}}
	for _, tc := range []struct {
		kind string
		good []string
		bad  []string
	}{
		{"date", []string{"2026-11-23"}, []string{"2026-11-31", "2026/11/23", "昨天"}},
		{"datetime", []string{"2026-11-23 08:20", "2026-11-23"}, []string{"2026-11-23 24:20", "08:20"}},
		{"money", []string{"100万元", "1,000.50元", "30"}, []string{"一百万", "-5元"}},
		{"number", []string{"89.5", "-1", "120㎡"}, []string{"12a", "1.2.3"}},
		{"int", []string{"40"}, []string{"4.5", "四十"}},
		{"idno", []string{"11010519491231002x"}, []string{"110105194912310021", "1101"}},
		{"uscc", []string{"11350128345071904J"}, []string{"11350128345071904K"}},
		{"string", []string{"闽A·D12345", "𰻝𰻝面"}, []string{"行\x07", strings.Repeat("字", 201), "\xff"}},
		{"text", []string{strings.Repeat("字", 1600)}, []string{strings.Repeat("字", 4001)}},
		{"enum", []string{"男"}, []string{"男性", "女/男"}},
	} {
		typ.Fields[0].Type, typ.Fields[0].Options = tc.kind, nil
		if tc.kind == "enum" {
			typ.Fields[0].Options = []string{"男", "女"}
		}
		for _, v := range tc.good {
			if f := typ.CheckFields(map[string]string{"a": v}, "2026-11-23"); len(f) != 0 {
				t.Errorf("%s %.20q: %v", tc.kind, v, f)
			}
		}
		for _, v := range tc.bad {
			if f := typ.CheckFields(map[string]string{"a": v}, "2026-11-23"); len(f) != 1 || f[0].Warning {
				t.Errorf("%s %.20q: %v", tc.kind, v, f)
			}
		}
	}
}
