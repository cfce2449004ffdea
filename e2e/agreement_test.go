package e2e

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// TestBrowserAgreement: a sensitive license is not even looked for before its
// holder agrees, and not any more once he takes it back.
func TestBrowserAgreement(t *testing.T) {
	b := browse(t)
	b.login("window-civil")
	b.open("/window/new?matter=M15")
	b.fill("code0", "350100199003070028", "name0", "林样本", "proof0", "card")
	b.click(`form[data-keep] .btn.go`)
	b.sees("残疾人证", "要持证人同意", "请他同意")
	work := b.at()
	b.click(`button[value="ask"]`)
	b.sees("已请持证人同意", "等他答复")
	b.moment("agreement-asked")
	b.login("lin")
	b.must(chromedp.EmulateViewport(390, 844))
	b.open("/holder/agreements")
	b.sees("等您决定", "残疾人证", "福州市鼓楼区民政局", "会看到")
	t.Run("asked", func(t *testing.T) { b.inspect(t, "/holder/agreements") })
	b.click(`button[value="yes"]`)
	b.sees("已同意", "收回同意")
	b.must(chromedp.EmulateViewport(1366, 768))
	b.login("window-civil")
	b.open("/window/notices")
	b.sees("持证人同意使用有关证照")
	b.open(work)
	b.misses("请他同意")
	b.click(`#m0 button[value="query"]`)
	// What is sensitive is shown in full only by another click, which is recorded.
	b.sees("用证凭据", "敏感的")
	b.misses("听力")
	b.click(`button[data-key="KeyV"]`)
	b.sees("听力")
	t.Run("case", func(t *testing.T) { b.inspect(t, work) })
	b.login("lin")
	b.open("/holder/agreements")
	b.click(`button[value="no"]`)
	b.sees("已收回同意")
	b.login("window-civil")
	b.open(work)
	b.sees("持证人同意")
	b.misses("听力")
	b.open("/window/day")
	b.sees("今天收件", "林*本")
	// What was refused stands on the clerk's own day with its reason.
	b.open(work)
	b.must(chromedp.Click(chromedp.CSS(`details.sheet:has(button[value="query"]) > summary`)))
	b.must(chromedp.SetValue(chromedp.CSS(`details:has(button[value="query"]) input[name="material"]`), "结婚证"))
	b.click(`details.sheet button[value="query"]`)
	b.sees("不能查看")
	b.open("/window/day")
	b.sees("今天被拒绝的", "这类证照不在本事项的材料清单内")
	t.Run("day", func(t *testing.T) { b.inspect(t, "/window/day") })
	b.as("inspect")
	b.open("/admin/use")
	b.sees("免提交率", "为什么还收纸质", "哪些规则在拒绝")
	t.Run("use", func(t *testing.T) { b.inspect(t, "/admin/use") })
}
