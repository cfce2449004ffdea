package catalog_test

import (
	"bytes"
	"strings"
	"testing"

	"elicense"
	"elicense/catalog"
	"elicense/e2e/world"
)

// What is exported and imported again is the same, in either form; nothing is
// proposed then.
func TestWhatIsExportedIsTheSameWhenImported(t *testing.T) {
	w := world.OnSQLite(t)
	ctx := t.Context()
	strict := world.FoodType()
	strict.Consent, strict.Level, strict.Annual, strict.English = true, 2, "每年", "food business license"
	must(t, w.Catalog.Propose(ctx, w.Drafter, strict))
	must(t, w.Catalog.Decide(ctx, w.Admin, world.Type, 2, true, ""))
	for name, export := range map[string]func(*bytes.Buffer) error{
		"json": func(b *bytes.Buffer) error { return w.Catalog.ExportJSON(ctx, b) },
		"xlsx": func(b *bytes.Buffer) error {
			return w.Catalog.ExportTable(ctx, b, map[elicense.UnitCode]string{world.Issuer: "鼓楼区市场监督管理局"})
		},
	} {
		var b bytes.Buffer
		must(t, export(&b))
		list, err := w.Catalog.Import(ctx, w.Drafter, b.Bytes())
		must(t, err)
		if len(list) != 1 || list[0].Err != nil || !list[0].Same || list[0].Code != world.Type {
			t.Errorf("%s: %+v", name, list)
		}
	}
	// A table that says something else of it is heard.
	list, err := w.Catalog.Import(ctx, w.Drafter, []byte("证照类型代码,使用要持证人同意,使用时登录强度,年检要求,确认不涉密\r\n"+string(world.Type)+",否,3,无,是\r\n"))
	must(t, err)
	if len(list) != 1 || list[0].Err != nil || list[0].Same {
		t.Fatalf("%+v", list)
	}
	got, err := w.Catalog.Version(ctx, world.Type, 3)
	must(t, err)
	if got.Consent || got.Level != 3 || got.Annual != "无" || got.English != strict.English {
		t.Errorf("%+v", got)
	}
}

// Bad rows are named by row and column, and the good ones stand; a unit brings in
// its own types only.
func TestBadRowsAreNamedAndGoodOnesStand(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		fields := `"holder_name|名称|string|是|N|holderName` + "\n" + `license_no|证号|string|是|N|number"`
		row := func(name, code, unit, mode string) string {
			return strings.Join([]string{name, code, unit, string(world.Issuer), "行政许可", mode, "食品安全法", "法人和其他组织", "3年", "是", fields}, ",") + "\r\n"
		}
		file := "证照类型名称,证照类型代码,登记单位代码,签发单位代码,事项类别,生成方式,法律依据,持证主体类别,有效期限范围,确认不涉密,照面项目\r\n" +
			row("小餐饮登记证", "11350102FJDEM0275F002", "", "在线生成") +
			row("食品摊贩登记卡", "11350102FJDEM0275F003", "", "手写") +
			row("烟草零售许可证", "11350102FJDEM0320G001", string(world.Office), "在线生成")
		list, err := w.Catalog.Import(ctx, w.Drafter, []byte(file))
		must(t, err)
		if len(list) != 3 || list[0].Err != nil || list[1].Line < 3 || list[1].Column != "生成方式" || !elicense.IsKind(list[1].Err, elicense.Invalid) ||
			!elicense.IsKind(list[2].Err, elicense.Forbidden) {
			t.Fatalf("%+v", list)
		}
		got, err := w.Catalog.Version(ctx, "11350102FJDEM0275F002", 1)
		must(t, err)
		if got.State != catalog.Proposed || got.Validity.Years != 3 || len(got.Fields) != 2 || got.Roles.Number != "license_no" || got.Face == nil {
			t.Errorf("%+v", got)
		}
		for _, bad := range []string{"", "{", `{"types": []}`, "名称\r\n证\r\n"} {
			if _, err := w.Catalog.Import(ctx, w.Drafter, []byte(bad)); !elicense.IsKind(err, elicense.Invalid) {
				t.Errorf("%q: %v", bad, err)
			}
		}
		w.Fsck(t)
	})
}
