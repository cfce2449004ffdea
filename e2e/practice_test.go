package e2e

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// TestBrowserPractice: a clerk practises on invented people; nothing of it is done
// at the real desk.
func TestBrowserPractice(t *testing.T) {
	b := browse(t)
	b.as("window-gl")
	b.open("/window/practice")
	b.sees("人、单位和证照都是虚构的")
	b.press(chromedp.Click(chromedp.CSS(`form[action="/window/practice"] .btn.go`)))
	b.sees("练习：人和证照都是虚构的，不作数", "做了0项，共5项", "练习员")
	b.moment("practice")
	b.open("/window/new?matter=M04")
	b.sees("练习：人和证照都是虚构的，不作数")
	b.fill("code0", "92350102FJDEM9042D", "name0", "鼓楼区示例便利店", "proof0", "certificate")
	b.click(`form[data-keep] .btn.go`)
	b.sees("营业执照", "不用交")
	work := b.at()
	b.click(`#m0 button[value="query"]`)
	b.sees("用证凭据", "吴老样")
	b.moment("practice-case")
	b.press(chromedp.Evaluate[chromedp.Void](`(() => { const f = document.querySelector('details.sheet form'); f.elements.material.value = "结婚证"; f.requestSubmit(f.querySelector('button[value="query"]')); })()`))
	b.sees("不能查看")
	b.open("/window/practice")
	b.sees("做了3项，共5项")
	t.Run("practice", func(t *testing.T) { b.inspect(t, "/window/practice") })
	b.click(`form[action="/window/practice/end"] button`)
	b.misses("不作数")
	// The real desk knows nothing of it.
	b.open("/window/day")
	b.sees("今天还没有收件", "今天没有被拒绝")
	b.open(work)
	b.sees("不能查看")
	b.as("audit")
	b.open("/admin/records")
	b.misses("练习员")
}
