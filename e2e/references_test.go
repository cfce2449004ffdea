package e2e

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// TestBrowserReferences (Art. 7(1), 14(2)): a national system's file and statement came
// in; the unit sees what stood, what did not and what differs, and what it asked of
// other ministries; supervision sees the board of the province. Another system was asked
// over HTTP and handed over what changed, which the holder sees.
func TestBrowserReferences(t *testing.T) {
	b := browse(t)
	b.login("make-yc-gl")
	b.open("/issue/references")
	b.sees("国家烟草专卖局证件系统", "共3行：新增2", "1行", "平台缺少", "最久没有确认的引用")
	t.Run("/issue/references", func(t *testing.T) { b.inspect(t, "/issue/references") })
	b.login("make-ga-fz")
	b.open("/issue/references")
	b.sees("全国驾驶证回传系统（示例）", "接口", "共2行：新增0，变更1，状态1", "核验一致1份", "最久的确认于")
	b.open("/issue/awaited")
	b.sees("全国人口信息系统", "专题会议纪要第4期", "逾期", "已接入")
	t.Run("/issue/awaited", func(t *testing.T) { b.inspect(t, "/issue/awaited") })
	b.login("admin")
	b.open("/admin/awaited")
	b.sees("公安部", "人力资源和社会保障部", "暂缓", "还没有登记系统")
	t.Run("/admin/awaited", func(t *testing.T) { b.inspect(t, "/admin/awaited") })
	b.open("/admin/sources")
	b.sees("国家烟草专卖局证件系统", "运行中", "2份", "1处")
	b.sees("全国驾驶证回传系统（示例）", "核验一致1份")
	t.Run("/admin/sources", func(t *testing.T) { b.inspect(t, "/admin/sources") })
	b.login("chen")
	b.open("/holder")
	href, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`[...document.querySelectorAll('a[href^="/holder/licenses/"]')].find(a => a.textContent.includes("机动车驾驶证")).getAttribute("href")`))
	if err != nil {
		t.Fatal(err)
	}
	b.open(href)
	b.sees("全国驾驶证回传系统（示例）", "最近确认", "一致", "示例换")
}
