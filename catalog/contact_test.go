package catalog_test

import (
	"testing"

	"elicense"
	"elicense/catalog"
	"elicense/e2e/world"
)

// TestContactsTakeEffectAtOnce (Art. 6, 实时更新): an issuing unit says whom to ask,
// without a check, and anybody sees it.
func TestContactsTakeEffectAtOnce(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		x := catalog.Contact{Code: world.Type, Office: "行政审批科", Phone: "0591-12345678转101", Address: "东街8号3楼", Hours: "工作日9:00至17:00"}
		for field, edit := range map[string]func(*catalog.Contact){
			"office": func(x *catalog.Contact) { x.Office = " " }, "phone": func(x *catalog.Contact) { x.Phone = "请来窗口" },
		} {
			y := x
			edit(&y)
			if err := w.Catalog.SetContact(ctx, w.Drafter, y); !elicense.IsKind(err, elicense.Invalid) {
				t.Errorf("%s: %v", field, err)
			}
		}
		for _, who := range []*elicense.Actor{w.Window, w.Matters, w.Admin, w.Holder} {
			if err := w.Catalog.SetContact(ctx, who, x); !elicense.IsKind(err, elicense.Forbidden) {
				t.Errorf("%s: %v", who.Name, err)
			}
		}
		must(t, w.Catalog.SetContact(ctx, w.Drafter, x))
		x.Phone = "0591-87654321"
		must(t, w.Catalog.SetContact(ctx, w.Drafter, x))
		list, err := w.Catalog.Contacts(ctx, world.Type)
		must(t, err)
		if len(list) != 1 || list[0].Unit != world.Issuer || list[0].Phone != "0591-87654321" || list[0].Office != "行政审批科" {
			t.Errorf("contacts %+v", list)
		}
		w.Fsck(t)
	})
}
