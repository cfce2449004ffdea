package e2e

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// TestBrowserDisclose (Art. 18(1)) takes a statutory disclosure from the document to
// the reading: what is missing is said beside its field and what was typed stays; the
// one who proposed can't approve; the second officer sees all of it side by side;
// what is read carries who reads, and stays nowhere. Supervision sees a count.
func TestBrowserDisclose(t *testing.T) {
	b := browse(t)
	b.as("disclose-1")
	b.sees("榕公调〔2026〕15号", "查看时间已过", "榕公调〔2026〕16号", "等另一位人员同意")
	b.open("/disclose/new")
	chosen := b.link(`/disclose/new\?type=.*009`) // 不动产权证书
	b.open(chosen)
	b.fill("docNo", "榕公调〔2026〕17号", "basis", "刑事诉讼法第五十四条", "code", "350100198506120117", "name", "陈示例")
	b.click(`form[data-keep] .btn.go`)
	b.sees("要写明调取哪一份", "第十八条第一款")
	b.must(chromedp.Click(chromedp.CSS(`[name="which"][value="all"]`)))
	b.click(`form[data-keep] .btn.go`)
	b.sees("要逐项写明调取的内容", "第十八条第一款")
	b.must(chromedp.Click(chromedp.CSS(`[name="fields"][value="cert_no"]`)), chromedp.Click(chromedp.CSS(`[name="fields"][value="owners"]`)))
	b.click(`form[data-keep] .btn.go`)
	b.sees("榕公调〔2026〕17号", "要由本机关依法调取岗位的另一位人员核对", "350100198506120117")
	act := b.at()
	b.as("disclose-2")
	b.open(act)
	b.sees("请核对后决定", "对照文书原件", "刑事诉讼法第五十四条", "余调取", "权利人", "他的全部这类证照")
	b.moment("disclose-decision")
	b.click(`button[value="approve"]`)
	b.sees("可以查看", "潘复核")
	b.misses("福州市不动产权第")
	b.click(`form[action$="/content"] .btn`)
	b.sees("福州市不动产权第", "本次查看已记录")
	b.moment("disclose-content")
	b.open(act)
	b.misses("福州市不动产权第")
	for _, p := range []string{"/disclose", chosen, act} {
		t.Run(p, func(t *testing.T) { b.inspect(t, p) })
	}
	b.as("inspect")
	b.open("/admin/use")
	// Proposed, waiting for the second officer, agreed, refused, the holder not told yet.
	b.sees("依法调取的次数", "福州市公安局\t3次\t1次\t2次\t0次\t1次")
	b.misses("榕公调")
}
