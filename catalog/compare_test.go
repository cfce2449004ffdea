package catalog_test

import (
	"reflect"
	"testing"

	"elicense"
	"elicense/catalog"
	"elicense/e2e/world"
)

// TestVersionsSideBySide: what is new in a version is told item by item and field by
// field, and nothing else.
func TestVersionsSideBySide(t *testing.T) {
	names := map[elicense.UnitCode]string{world.Issuer: "鼓楼区市场监督管理局", world.Office: "鼓楼区烟草专卖局"}
	before, after := world.FoodType(), world.FoodType()
	if list := catalog.Changes(before, after, names); len(list) != 0 {
		t.Errorf("of the same: %+v", list)
	}
	after.Issuers = append(after.Issuers, world.Office)
	after.Consent, after.Basis = true, "食品安全法第三十五条"
	after.Fields = append(after.Fields[1:len(after.Fields):len(after.Fields)], catalog.Field{Key: "hotline", Label: "投诉电话", Type: "string", Class: "N"})
	after.Fields[0].Required = !after.Fields[0].Required
	after.Face = catalog.DefaultFace("另一个照面", after.Fields)
	var got []string
	for _, c := range catalog.Changes(before, after, names) {
		got = append(got, c.Item+"|"+c.Field+"|"+c.Before+"|"+c.After)
	}
	gone, changed := before.Fields[0], after.Fields[0]
	want := []string{
		"签发单位代码||鼓楼区市场监督管理局|鼓楼区市场监督管理局\n鼓楼区烟草专卖局", "法律依据||" + before.Basis + "|食品安全法第三十五条", "使用要持证人同意||否|是",
		"照面项目|" + changed.Label + "|统一社会信用代码，统一社会信用代码，必填，公开，持证主体代码|统一社会信用代码，统一社会信用代码，公开，持证主体代码",
		"照面项目|投诉电话||投诉电话，文字，公开", "照面项目|" + gone.Label + "|名称，文字，必填，公开，持证主体名称|", "照面|||",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}
