package catalog

import (
	"context"
	"slices"

	"elicense"
	"elicense/store"
)

// One license goes by many names, and cities have types of their own for what the
// province knows as one. A local type may be registered as an instance of the
// provincial standard type (省级标准类别): its fields bear the standard's keys,
// whatever they are called on its face, and its licenses stand wherever a matter
// asks for the standard (Art. 4, 6).

// checkStandard tells whether a type can be an instance of the standard it names.
func checkStandard(tx *store.Tx, t *Type) error {
	if t.Standard == "" {
		return nil
	}
	bad := func(text string, args ...any) *elicense.Error {
		return elicense.E(elicense.Invalid, text, args...).At("standard").Under("第六条")
	}
	std, err := Current(tx, t.Standard)
	switch {
	case elicense.IsKind(err, elicense.NotFound):
		return bad("没有这个省级标准类别").Then("请从证照目录里选，或请省级主管部门先登记")
	case err != nil:
		return err
	case std.State != Published:
		return bad("省级标准类别%s已经停用", std.Name)
	case std.Code == t.Code || std.Standard != "":
		return bad("%s自己是本地实例，不能作为标准类别", std.Name)
	case level(std.definer()) != levelProvince && level(std.definer()) != levelNation:
		return bad("%s不是省级类别", std.Name)
	case std.Holders != AnyHolder && t.Holders != std.Holders:
		return bad("标准类别%s发给%s，本地实例也要一样", std.Name, std.Holders.Chinese())
	case std.Consent && !t.Consent || std.Level > t.Level:
		return bad("标准类别%s使用时要持证人同意或更强的登录，本地实例不能更松", std.Name)
	}
	for _, f := range std.Fields {
		mine := t.Field(f.Key)
		switch {
		case mine == nil && f.Required:
			return bad("标准类别的必填字段“%s”（%s），本地实例没有", f.Label, f.Key).Then("请加上这个键的字段，名称可以不同")
		case mine == nil:
		case mine.Type != f.Type || f.Required && !mine.Required:
			return bad("字段“%s”（%s）的类型或必填和标准类别不一样", mine.Label, f.Key)
		}
	}
	others, err := InstancesOf(tx, t.Code)
	if err != nil {
		return err
	}
	if len(others) > 0 {
		return bad("%s已经是%s的标准类别，不能再作为别的类别的本地实例", t.Name, others[0].Name)
	}
	return nil
}

// InstancesOf lists the published local instances of a standard type, by code.
func InstancesOf(tx *store.Tx, code elicense.TypeCode) ([]*Type, error) {
	return store.Keep(tx, "instances of "+string(code), func() ([]*Type, error) {
		list, err := types(tx, `WHERE standard = $1 AND state = $2 ORDER BY code`, code, Published)
		return slices.DeleteFunc(list, func(t *Type) bool { return t.Standard != code }), err
	})
}

// Instances is InstancesOf for pages.
func (c *Catalog) Instances(ctx context.Context, code elicense.TypeCode) (list []*Type, err error) {
	err = c.db.View(ctx, func(tx *store.Tx) error {
		list, err = InstancesOf(tx, code)
		return err
	})
	return list, err
}
