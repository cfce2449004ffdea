package e2e

import (
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestBrowserMatters lets a unit change its material list: paper needs a basis of
// rank, the administration publishes, and a repealed basis comes back as a task.
func TestBrowserMatters(t *testing.T) {
	b := browse(t)
	b.as("admin")
	b.open("/admin/bases")
	b.sees("民法典", "已失效")
	// A normative document is none, and what was typed stays.
	b.fill("rank", "normative", "title", "关于零售点布局的示例通知", "article", "第三条", "quote", "申请人应当提交经营场所照片原件。", "inForce", "2026-01-01")
	b.click(`form[action="/admin/bases"] .btn.go`)
	b.sees("规范性文件不能作为要求纸质材料或到场的依据", "下一步", "第十一条第一款")
	b.fill("rank", "rule", "title", "零售许可管理示例办法", "article", "第十三条")
	b.click(`form[action="/admin/bases"] .btn.go`)
	b.sees("依据已登记", "零售许可管理示例办法")

	b.as("matters-yc")
	b.sees("烟草专卖零售许可")
	b.click(`a[href="/issue/matters/M04"]`)
	b.click(`a[href="/issue/matters/new?from=M04"]`)
	// A new row: an original without a basis is refused at its own field.
	b.fill("m3.name", "经营场所照片原件", "m3.way", "original")
	b.key(kb.F9)
	b.sees("要核对原件，就要写明法律、法规、规章的依据")
	b.must(chromedp.Evaluate[chromedp.Void](`(() => { const s = document.querySelector('[name="m3.basis"]'); s.value = [...s.options].find(o => o.text.includes("零售许可管理示例办法")).value; })()`))
	b.moment("matter-form")
	b.key(kb.F9)
	b.sees("已提交，等电子政务管理部门核对发布", "待审", "经营场所照片原件", "新增")

	b.as("admin")
	b.open("/admin/matters")
	b.click(`a[href^="/admin/matters/M04/"]`)
	b.sees("经营场所照片原件", "新增", "零售许可管理示例办法")
	waiting := b.at()
	b.moment("matter-waiting")
	b.click(`button[value="publish"]`)
	b.sees("已发布")
	b.open("/matters/M04")
	b.sees("带原件核对", "零售许可管理示例办法第十三条")
	// The basis ends: the unit has something to do.
	b.open("/admin/bases")
	b.must(chromedp.Evaluate[chromedp.Void](`[...document.querySelectorAll("tr")].find(r => r.innerText.includes("零售许可管理示例办法")).querySelector("a").setAttribute("id", "end")`))
	b.click("#end")
	b.fill("repealed", "2026-11-24")
	b.click(`form[action$="/repeal"] .btn.end`)
	b.sees("已登记失效")
	for _, p := range []string{"/admin/bases", "/admin/matters", waiting, "/admin/notices"} {
		t.Run(p, func(t *testing.T) { b.inspect(t, p) })
	}
	b.as("matters-yc")
	b.open("/issue/matters")
	b.sees("依据失效1条")
	for _, p := range []string{"/issue/matters", "/issue/matters/M04", "/issue/matters/new?from=M04", "/issue/matters/new", "/issue/notices"} {
		t.Run(p, func(t *testing.T) { b.inspect(t, p) })
	}
	// The list goes out and comes in as JSON.
	b.open("/issue/matters/new?from=M04")
	b.must(chromedp.Evaluate[chromedp.Void](`(() => { const j = document.querySelector("#f-json"); const m = JSON.parse(j.value); m.materials = m.materials.filter(x => x.way != "original"); m.days = 8; j.value = JSON.stringify(m); j.closest("details").open = true; })()`))
	b.click(`button[value="read"]`)
	b.misses("经营场所照片原件")
	b.key(kb.F9)
	b.sees("已提交", "8个工作日", "不再要的材料")
	b.as("draft-gl")
	t.Run("/issue/tickets", func(t *testing.T) { b.inspect(t, "/issue/tickets") })
}
