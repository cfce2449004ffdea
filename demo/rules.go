package demo

import (
	"context"
	"fmt"
)

// rules are the local rules of the demo: one that was in force and has been ended by
// two administrators, one that waits for the second. None of them binds, so that the
// demo shows what the law text says.
func (d *Data) rules(ctx context.Context, p Platform, a *actors) error {
	one, err := a.get(ctx, "admin")
	if err != nil {
		return err
	}
	two, err := a.get(ctx, "admin-2")
	if err != nil {
		return err
	}
	id, version, err := p.Rules.Propose(ctx, one, "", "业务系统暂不查询离婚证", "闽数据〔2026〕31号", fmt.Sprintf(`@article("第十八条第一款")
@reason("不能查看：接口整改期间，业务系统暂不查询离婚证")
@next("请由窗口人员在办件里查询")
forbid (principal, action == Action::"case.use", resource)
when { principal.kind == "system" && context.type == "%s" };`, d.TypeCode("T07")))
	if err != nil {
		return err
	}
	if err := p.Rules.Decide(ctx, two, id, version, true); err != nil {
		return err
	}
	if err := p.Rules.ProposeEnd(ctx, one, id, version, "整改已完成"); err != nil {
		return err
	}
	if err := p.Rules.Decide(ctx, two, id, version, true); err != nil {
		return err
	}
	_, _, err = p.Rules.Propose(ctx, one, "", "不动产权证书凭动态口令查询", "闽数据〔2026〕40号", fmt.Sprintf(`@article("第十七条第三款")
@reason("不能查看：不动产权证书要用动态口令或数字证书登录后查询")
@next("请换用动态口令或数字证书登录")
forbid (principal, action == Action::"case.use", resource)
when { principal.level < 2 && context.type == "%s" };`, d.TypeCode("T09")))
	return err
}
