package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestBrowserQueue (Art. 4, 7): the morning list says what is late and due today; a
// reviewer looks at several faces on one page and approves those he ticks, each on
// its own; a closed case nobody made a license for is made with one click.
func TestBrowserQueue(t *testing.T) {
	b := browse(t)
	b.as("review-gl")
	b.open("/issue")
	b.sees("已逾期", "今天到期", "应生成未生成", "待审核", "全部用电子证照办成", "一起审核勾选的")
	for _, p := range []string{"/issue", "/issue/results", "/issue/ontime"} {
		t.Run(p, func(t *testing.T) { b.inspect(t, p) })
	}
	b.open("/issue")
	// ↓ goes through the rows, X ticks the one with the focus, F9 opens them together.
	const pace = 60 * time.Millisecond // keys that come faster are a scanner's
	for range 3 {
		b.must(chromedp.Sleep(pace), chromedp.KeyEvent(kb.ArrowDown), chromedp.Sleep(pace), chromedp.KeyEvent("x"))
	}
	b.key(kb.F9)
	b.sees("批量审核", "3份，每份看过照面再勾选")
	page := strings.TrimPrefix(b.at(), b.url)
	t.Run("batch", func(t *testing.T) { b.inspect(t, page) })
	b.open(page)
	b.moment("batch-review")
	// Meanwhile another corrects the third: what was shown is not approved.
	ids := b.links("/issue/drafts/.*")
	for i, id := range ids[:3] {
		if i != 1 {
			b.must(chromedp.Click(chromedp.CSS(`[name="ok.` + strings.TrimPrefix(id, "/issue/drafts/") + `"]`)))
		}
	}
	third := strings.TrimPrefix(ids[2], "/issue/drafts/")
	b.must(chromedp.Evaluate[chromedp.Void](`document.querySelector('[name="digest.` + third + `"]').value = "` + strings.Repeat("00", 32) + `"`))
	b.key(kb.F9)
	b.sees("通过1份，其余没有通过", "已通过，正在签章发布", "照面和您看过的不同了", "请重新打开照面，核对后再通过")
	b.moment("batch-answer")

	// What nobody has begun is made with what is known filled in.
	b.as("draft-gl")
	b.open("/issue/results")
	b.click(`a[href^="/issue/new?result="]`)
	b.sees("食品经营许可证", "办结的事项")
	for _, name := range []string{"case", "closed", "h0.code", "f.uscc"} {
		v, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.querySelector('[name="`+name+`"]').value`))
		if err != nil || v == "" {
			t.Errorf("%s is empty: %v", name, err)
		}
	}
	// The day's table: a bad row comes back named, the good one stands.
	table := filepath.Join(b.dir, "今天办结.csv")
	text := "办件编号,证照类别,办结时间\n鼓市监许〔2026〕9001,食品经营许可证,2026-11-20 09:00\n鼓市监许〔2026〕9002,没有的证,2026-11-20\n"
	if err := os.WriteFile(table, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	b.open("/issue/results")
	b.must(chromedp.SetUploadFiles(chromedp.CSS(`input[name="file"]`), []string{table}))
	b.click(`form[action="/issue/results"] .btn.go`)
	b.sees("已上传并检查", "收下1行", "错误1行", "第3行", "本单位没有登记签发这类证照", "鼓市监许〔2026〕9001")
	b.moment("results")
	b.open(b.link("/issue/results/[0-9a-z]{26}"))
	b.sees("办结的办件", "不生成", "转办")
	one := b.at()
	t.Run("result", func(t *testing.T) { b.inspect(t, strings.TrimPrefix(one, b.url)) })
}

// TestBrowserOnTime (Art. 7, 19): supervision sees what was late behind each figure,
// and excuses it with a reason; it stays late.
func TestBrowserOnTime(t *testing.T) {
	b := browse(t)
	b.as("inspect")
	b.open("/admin/ontime")
	b.sees("按时率", "豁免后", "同步生成率", "按生成方式", "在线生成", "离线生成", "批量生成", "补生成", "按单位", "按证照类别", "不生成（涉及工作秘密）1件")
	t.Run("ontime", func(t *testing.T) { b.inspect(t, "/admin/ontime") })
	b.open("/admin/ontime")
	b.paper("ontime")
	b.click(`a[href*="way=bulk"]`)
	b.sees("迟的证照", "批量生成", "道路运输证")
	t.Run("late", func(t *testing.T) { b.inspect(t, "/admin/ontime/late") })
	b.open("/admin/ontime/late")
	b.sees("未生成，已逾期", "系统故障")
	b.click(`a[href^="/admin/ontime/late/draft/"]`)
	at := b.at()
	t.Run("late-one", func(t *testing.T) { b.inspect(t, strings.TrimPrefix(at, b.url)) })
	b.open(strings.TrimPrefix(at, b.url))
	b.fill("ground", "force-majeure", "doc", "榕防指〔2026〕7号", "reason", "防御台风停工")
	b.click(`button[value="excuse"]`)
	b.sees("已记录豁免，证照仍记为迟", "不可抗力", "榕防指〔2026〕7号")
}

// paper keeps the page as it is printed, with ELICENSE_SCREENSHOTS.
func (b *browser) paper(name string) {
	b.t.Helper()
	dir := os.Getenv("ELICENSE_SCREENSHOTS")
	if dir == "" {
		return
	}
	pdf, err := chromedp.Run(b.ctx, chromedp.PrintToPDF(chromedp.PDFPaper(chromedp.PaperA4), chromedp.PDFLandscape()))
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".pdf"), pdf, 0o600); err != nil {
		b.t.Fatal(err)
	}
}
