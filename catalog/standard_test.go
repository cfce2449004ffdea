package catalog_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"elicense"
	"elicense/catalog"
	"elicense/e2e/world"
	"elicense/store"
)

const (
	provincial elicense.TypeCode = "11350000FJDEM0072Q901"
	local      elicense.TypeCode = "11350102FJDEM0275F011"
)

func typeOf(code elicense.TypeCode, name string, edit func(*catalog.Type)) *catalog.Type {
	t := world.FoodType()
	t.Code, t.Name = code, name
	t.Fields = slices.Clone(t.Fields)
	if edit != nil {
		edit(t)
	}
	t.Face = catalog.DefaultFace(t.Name, t.Fields)
	return t
}

// TestALocalTypeIsAnInstanceOfTheProvinces (Art. 6): what a city calls otherwise is
// registered as the province's type if its fields bear the same keys.
func TestALocalTypeIsAnInstanceOfTheProvinces(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		must(t, w.Catalog.Propose(ctx, w.Drafter, typeOf(provincial, "食品经营许可证（全省）", nil)))
		must(t, w.Catalog.Decide(ctx, w.Admin, provincial, 1, true, ""))
		for says, edit := range map[string]func(*catalog.Type){
			"没有这个省级标准类别": func(x *catalog.Type) { x.Standard = "11350000FJDEM0072Q999" },
			"不是省级类别":     func(x *catalog.Type) { x.Standard = world.Type },
			"发给法人":       func(x *catalog.Type) { x.Holders = catalog.AnyHolder },
			"本地实例没有": func(x *catalog.Type) {
				x.Fields = slices.DeleteFunc(x.Fields, func(f catalog.Field) bool { return f.Key == "items" })
			},
			"类型或必填和标准类别不一样": func(x *catalog.Type) { x.Fields[3].Type = "text" },
		} {
			x := typeOf(local, "鼓楼区餐饮备案证", func(x *catalog.Type) {
				x.Standard = provincial
				edit(x)
			})
			var e *elicense.Error
			if err := w.Catalog.Propose(ctx, w.Drafter, x); !errors.As(err, &e) || e.Field != "standard" || !strings.Contains(e.Message(), says) {
				t.Errorf("%s: %v", says, err)
			}
		}
		must(t, w.Catalog.Propose(ctx, w.Drafter, typeOf(local, "鼓楼区餐饮备案证", func(x *catalog.Type) {
			x.Standard = provincial
			x.Fields[3].Label = "备案项目" // as it is called here
		})))
		instances := func() (codes []elicense.TypeCode) {
			t.Helper()
			must(t, w.DB.View(ctx, func(tx *store.Tx) error {
				list, err := catalog.InstancesOf(tx, provincial)
				for _, x := range list {
					codes = append(codes, x.Code)
				}
				return err
			}))
			return codes
		}
		if got := instances(); len(got) != 0 {
			t.Errorf("%v stand for the standard before they are published", got)
		}
		must(t, w.Catalog.Decide(ctx, w.Admin, local, 1, true, ""))
		if got := instances(); !slices.Equal(got, []elicense.TypeCode{local}) {
			t.Errorf("instances %v", got)
		}
		// An instance is no standard, and a standard with instances no instance.
		err := w.Catalog.Propose(ctx, w.Drafter, typeOf("11350102FJDEM0275F013", "又一种备案证", func(x *catalog.Type) { x.Standard = local }))
		if !elicense.IsKind(err, elicense.Invalid) {
			t.Errorf("an instance of an instance: %v", err)
		}
		w.Fsck(t)
	})
}
