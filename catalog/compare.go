package catalog

import (
	"reflect"
	"slices"
	"strings"

	"elicense"
	"elicense/access"
)

// Change is what one version of an entry says otherwise than another: side by side
// they are read where an entry is checked, and by anyone in the catalog (Art. 6, 实时更新).
type Change struct {
	Item          string // of the entry, as the table of the catalog calls it
	Field         string // label of the face's field, where it is of one
	Before, After string // empty where there is none
}

// Changes lists what after says otherwise than before, in the order of the catalog's
// table, then the fields of the face by key, then the face. names are those of units.
func Changes(before, after *Type, names map[elicense.UnitCode]string) (list []Change) {
	was, is := before.Entry(names, nil), after.Entry(names, nil)
	for _, k := range columns {
		if k.field == "fields" {
			continue
		}
		a, b := k.get(before, was), k.get(after, is)
		if k.field == "issuers" || k.field == "unit" {
			a, b = unitLines(a, names), unitLines(b, names)
		}
		if a != b {
			list = append(list, Change{Item: k.title, Before: a, After: b})
		}
	}
	said := func(t *Type, key string) (label, text string) {
		f := t.Field(key)
		if f == nil {
			return "", ""
		}
		parts := []string{f.Label, fieldTypes[f.Type]}
		if f.Required {
			parts = append(parts, "必填")
		}
		parts = append(parts, classWords[f.Class])
		if len(f.Options) > 0 {
			parts = append(parts, OptionsLine(f.Options))
		}
		for name, key := range t.Roles.named() {
			if *key == f.Key {
				parts = append(parts, roleWords[name])
			}
		}
		return f.Label, strings.Join(parts, "，")
	}
	var keys []string
	for _, f := range slices.Concat(after.Fields, before.Fields) {
		if !slices.Contains(keys, f.Key) {
			keys = append(keys, f.Key)
		}
	}
	for _, key := range keys {
		old, a := said(before, key)
		label, b := said(after, key)
		if a == b {
			continue
		}
		if label == "" {
			label = old
		}
		list = append(list, Change{Item: "照面项目", Field: label, Before: a, After: b})
	}
	if !reflect.DeepEqual(before.Face, after.Face) {
		list = append(list, Change{Item: "照面"})
	}
	return list
}

var classWords = map[access.Class]string{access.Open: "公开", access.Business: "商业秘密", access.Personal: "个人信息", access.Sensitive: "敏感个人信息"}

// roleWords are what a field is to the platform, by the names of the roles.
var roleWords = map[string]string{
	"holderName": "持证主体名称", "holderCode": "持证主体代码", "number": "证照编号", "issueDate": "发证日期", "validFrom": "有效期起", "validTo": "有效期止",
}

// unitLines are units by their names, where these are known.
func unitLines(codes string, names map[elicense.UnitCode]string) string {
	lines := strings.Split(codes, listed)
	for i, c := range lines {
		if n := names[elicense.UnitCode(c)]; n != "" {
			lines[i] = n
		}
	}
	return strings.Join(lines, listed)
}
