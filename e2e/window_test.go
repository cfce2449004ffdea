package e2e

import (
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// hands count the keys a clerk presses and the pages he sees.
type hands struct {
	*browser
	keys  int
	pages map[string]bool // by path
}

// types writes into the field that has the focus, and goes to the next one.
func (h *hands) types(text string) {
	h.t.Helper()
	h.keys += len([]rune(text)) + 1
	h.must(chromedp.KeyEvent(text), chromedp.KeyEvent(kb.Tab))
}

// tap presses a key that stays on the page.
func (h *hands) tap(k string) {
	h.t.Helper()
	h.keys++
	h.must(chromedp.KeyEvent(k))
}

// choose goes down so many entries of the list that has the focus.
func (h *hands) choose(n int) {
	h.t.Helper()
	for range n {
		h.tap(kb.ArrowDown)
	}
	h.tap(kb.Tab)
}

// hit presses a key that sends something or goes on.
func (h *hands) hit(k string) {
	h.t.Helper()
	h.keys++
	h.key(k)
	h.came()
}

// came notes the page that stands on the screen.
func (h *hands) came() {
	h.t.Helper()
	u, err := url.Parse(h.at())
	if err != nil {
		h.t.Fatal(err)
	}
	h.pages[u.Path] = true
}

// focus fails unless the field has the focus.
func (h *hands) focus(name string) {
	h.t.Helper()
	got, err := chromedp.Run(h.ctx, chromedp.Evaluate[string](`document.activeElement.getAttribute("name") ?? document.activeElement.tagName`))
	if err != nil || got != name {
		h.t.Fatalf("the focus is on %q, want %q (%v)", got, name, err)
	}
}

// TestBrowserWindowByKeyboard takes a case from identification to completion
// without the mouse, and counts the keys and pages up to acceptance.
func TestBrowserWindowByKeyboard(t *testing.T) {
	b := browse(t)
	b.as("window-gl")
	h := &hands{browser: b, pages: map[string]bool{}}
	h.hit(kb.F2)
	h.focus("find")
	h.keys += len("ycz")
	b.must(chromedp.KeyEvent("ycz"))
	h.hit(kb.Enter)
	b.sees("烟草专卖零售许可")
	b.must(chromedp.Evaluate[chromedp.Void](`document.querySelector("li[data-row] a").focus()`))
	h.hit("1")
	// From here the person stands at the window.
	h.keys, h.pages = 0, map[string]bool{}
	h.came()
	h.focus("code0")
	b.must(chromedp.KeyEvent("92350102FJDEM9042D"))
	h.tap(kb.Tab)
	h.types("鼓楼区示例便利店")
	h.focus("proof0")
	h.choose(6)   // 电子营业执照
	h.tap(kb.Tab) // 身份 stands there: 负责人
	h.tap(kb.Tab)
	h.types("350100194802010213")
	h.types("吴老样")
	h.choose(1) // 身份证读卡核验
	h.keys += len("92350102FJDEM9042D")
	h.hit(kb.F9)
	b.moment("window-after-f9")
	b.sees("材料3份", "还差1份")
	b.moment("window-check")
	// One license is not there: it is reported in one key, and the lease is scanned.
	h.hit("q")
	b.sees("缺证已登记", "收取纸质，要选一个理由")
	b.moment("window-options")
	h.focus("file")
	lease := filepath.Join(t.TempDir(), "lease.pdf")
	if err := os.WriteFile(lease, []byte("%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\n%%EOF\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.must(chromedp.SetUploadFiles(chromedp.CSS(`.matopts input[type="file"]`), []string{lease}))
	h.tap(kb.Tab)
	h.hit(kb.Enter)
	b.sees("文件已收下", "材料齐了，可以受理")
	h.hit(kb.F8)
	b.sees("已受理", "受理审查", "受理通知书")
	b.moment("window-accepted")
	t.Logf("from identification to acceptance: %d keys, 47 of them the codes and names of two parties; %d pages", h.keys, len(h.pages))
	if len(h.pages) > 3 {
		t.Errorf("%d pages from identification to acceptance, want at most 3: %v", len(h.pages), h.pages)
	}
	// The rest of the course, by keys too.
	caseID := b.at()[:len("/window/cases/")+26]
	h.hit("p")
	b.sees("受理通知书", "本单位决定受理", "鼓楼区示例便利店")
	h.hit(kb.Escape)
	h.hit("d")
	b.sees("决定文书文号")
	b.fill("docNo", "鼓烟准〔2026〕1号")
	h.hit(kb.F8)
	b.sees("决定已登记", "已决定")
	h.hit(kb.F9)
	b.sees("这个办件已经办结")
	h.tap(kb.F1)
	b.sees("电子证照与纸质证照具有同等效力")
	b.open("/window/day")
	b.sees("今天收件", "鼓楼区示例便利店")
	for _, p := range []string{"/window", "/window/day", "/window/notices", caseID, caseID + "/paper/received", caseID + "/paper/accepted"} {
		t.Run(p, func(t *testing.T) { b.inspect(t, p) })
	}
}
