package e2e

import (
	"context"
	"encoding/base64"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// browser is a real browser with one tab, in front of a platform of its own.
type browser struct {
	t    *testing.T
	ctx  context.Context
	url  string
	dir  string // for files of the test
	data string // of the platform

	looked []string // documents in frames and other windows, by target

	mu    sync.Mutex
	wrong []string    // what the console said was wrong since it was last asked
	marks int         // how often it was asked
	hears chan string // what the test itself said there
}

// browse starts a platform with the demo, and a browser before it. The test runs
// beside others: it and its platform wait for each other most of the time.
func browse(t *testing.T, env ...string) *browser {
	t.Helper()
	t.Parallel()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("the browser tests need chromium: apt-get install chromium")
	}
	data := filepath.Join(t.TempDir(), "platform")
	if err := os.CopyFS(data, os.DirFS(golden)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(data, 0o700); err != nil {
		t.Fatal(err)
	}
	p, err := start(binary, data, env...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.stop(); err != nil {
			t.Error(err)
		}
	})
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("test-third-party-cookie-phaseout", true), // as browsers do that keep no cookies of third parties
	)
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 10*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	// By its number: a browser asks for localhost at two addresses.
	b := &browser{t: t, ctx: ctx, dir: t.TempDir(), data: data, url: strings.Replace(p.url, "localhost", "127.0.0.1", 1), hears: make(chan string, 1)}
	console := chromedp.Console(ctx)
	b.must(chromedp.EmulateViewport(1366, 768))
	go func() {
		for m, err := range console {
			if err != nil {
				return
			}
			switch {
			case m.Type == "error" || m.IsException():
				b.mu.Lock()
				b.wrong = append(b.wrong, m.Text)
				b.mu.Unlock()
			case strings.HasPrefix(m.Text, upToHere):
				b.hears <- m.Text
			}
		}
	}()
	return b
}

// stepTime is how long a step may take, with other tests beside it.
const stepTime = time.Minute

func (b *browser) must(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepTime)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("%v\non %s\n%s", err, b.at(), b.text())
	}
}

// open goes to a page of the platform.
func (b *browser) open(path string) {
	b.t.Helper()
	b.must(chromedp.Navigate(b.url + path))
}

// press does something that brings up another page, and waits for it.
func (b *browser) press(step chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, stepTime)
	defer cancel()
	if _, err := chromedp.RunResponse(ctx, step); err != nil {
		b.t.Fatalf("%v\non %s\n%s", err, b.at(), b.text())
	}
}

// click clicks a link or button that brings up another page.
func (b *browser) click(selector string) {
	b.t.Helper()
	b.press(chromedp.Click(chromedp.CSS(selector)))
}

// key presses a key that brings up another page.
func (b *browser) key(k string) {
	b.t.Helper()
	b.press(chromedp.KeyEvent(k))
}

// fill types into the fields of the page, by name.
func (b *browser) fill(values ...string) {
	b.t.Helper()
	for i := 0; i < len(values); i += 2 {
		b.must(chromedp.SetValue(chromedp.CSS(`[name="`+values[i]+`"]`), values[i+1]))
	}
}

// as signs in with one click on the demo's list.
func (b *browser) as(login string) {
	b.t.Helper()
	b.open("/signin")
	b.click(`button[name="demo"][value="` + login + `"]`)
}

func (b *browser) at() string {
	at, err := chromedp.Run(b.ctx, chromedp.Location())
	if err != nil {
		return err.Error()
	}
	return strings.TrimPrefix(at, b.url)
}

// text is what the page says when all of it has arrived: a page that changes by itself
// may be on its way.
func (b *browser) text() string {
	ctx, cancel := context.WithTimeout(b.ctx, stepTime)
	defer cancel()
	for {
		s, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.readyState + " " + document.body.innerText`))
		if whole, ok := strings.CutPrefix(s, "complete "); ok && err == nil {
			return whole
		}
		select {
		case <-ctx.Done():
			return fmt.Sprint(s, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// comes waits until the page says the text by itself.
func (b *browser) comes(text string) {
	b.t.Helper()
	for began := time.Now(); time.Since(began) < waitTime; time.Sleep(50 * time.Millisecond) {
		if strings.Contains(b.text(), text) {
			return
		}
	}
	b.sees(text)
}

// holds waits until the condition holds on the page.
func (b *browser) holds(condition string) {
	b.t.Helper()
	for began := time.Now(); ; time.Sleep(20 * time.Millisecond) {
		ok, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](condition))
		if err == nil && ok {
			return
		}
		if time.Since(began) > waitTime {
			b.t.Fatalf("never: %s, %v\n%s\nconsole: %q", condition, err, b.text(), b.heard())
		}
	}
}

// sees fails unless the page says all of it.
func (b *browser) sees(texts ...string) {
	b.t.Helper()
	page := b.text()
	for _, s := range texts {
		if !strings.Contains(page, s) {
			b.t.Fatalf("%s does not say %q:\n%s", b.at(), s, page)
		}
	}
}

// misses fails if the page says any of it.
func (b *browser) misses(texts ...string) {
	b.t.Helper()
	page := b.text()
	for _, s := range texts {
		if strings.Contains(page, s) {
			b.t.Fatalf("%s says %q:\n%s", b.at(), s, page)
		}
	}
}

// links lists the addresses the page links to that match.
func (b *browser) links(pattern string) (list []string) {
	b.t.Helper()
	all, err := chromedp.Run(b.ctx, chromedp.Evaluate[[]string](`[...document.querySelectorAll("a[href]")].map(a => a.getAttribute("href"))`))
	if err != nil {
		b.t.Fatal(err)
	}
	re := regexp.MustCompile("^" + pattern + "$")
	for _, l := range all {
		if re.MatchString(l) {
			list = append(list, l)
		}
	}
	return list
}

// link is the first address the page links to that matches.
func (b *browser) link(pattern string) string {
	b.t.Helper()
	list := b.links(pattern)
	if len(list) == 0 {
		b.t.Fatalf("%s has no link %s\n%s", b.at(), pattern, b.text())
	}
	return list[0]
}

// until reloads the page until it says so.
func (b *browser) until(text string) {
	b.t.Helper()
	for began := time.Now(); time.Since(began) < waitTime; {
		if strings.Contains(b.text(), text) {
			return
		}
		time.Sleep(50 * time.Millisecond)
		b.must(chromedp.Reload())
	}
	b.sees(text)
}

const newType = "11350102FJDEM0275F001"

// TestBrowser walks one license's whole life by clicking, then opens every page on
// both screens.
func TestBrowser(t *testing.T) {
	b := browse(t)
	var seen pages
	for _, step := range []struct {
		name string
		do   func(*browser, *pages)
	}{
		{"registration", registerType}, {"issue", issueLicense}, {"use", useInCase}, {"holder", holderLooks},
		{"change", changeState}, {"check", checkPublicly}, {"proof", proveRecord}, {"typed", keepTyped}, {"pages", everyPage},
	} {
		if !t.Run(step.name, func(t *testing.T) { b.t = t; step.do(b, &seen) }) {
			t.FailNow()
		}
	}
	b.t = t
}

// pages are what the story comes upon, for the look at every page.
type pages struct {
	draft, license, code, caseID, own, file, record string
}

func registerType(b *browser, _ *pages) {
	b.as("draft-gl")
	b.open("/issue/types/new")
	b.fill("name", "小餐饮登记证", "code", newType, "category", "行政许可", "basis", "福建省食品安全条例", "years", "3")
	for i, f := range [][4]string{
		{"名称", "holder_name", "string", "holderName"}, {"统一社会信用代码", "uscc", "uscc", "holderCode"}, {"负责人", "legal_rep", "string", ""},
		{"经营场所", "premises", "string", ""}, {"登记证编号", "license_no", "string", "number"}, {"发证日期", "issue_date", "date", "issueDate"},
	} {
		n := fmt.Sprint(i)
		b.fill("label"+n, f[0], "key"+n, f[1], "type"+n, f[2], "role"+n, f[3])
		b.must(chromedp.Click(chromedp.CSS(`[name="required` + n + `"]`)))
	}
	// Without the confirmation of Art. 2 it is refused, and the text stays.
	b.click(`form[data-keep] .btn.go`)
	b.sees("要确认这类证照不涉密", "第二条")
	b.must(chromedp.Click(chromedp.CSS(`#f-open`)))
	b.click(`form[data-keep] .btn.go`)
	b.sees("小餐饮登记证", "待审")
	b.as("admin")
	b.open("/admin/types")
	b.click(`a[href="/admin/types/` + newType + `/1"]`)
	b.sees("没有重复的类别")
	b.click(`button[value="publish"]`)
	b.open("/types/" + newType)
	b.sees("小餐饮登记证", "已发布")
}

func issueLicense(b *browser, seen *pages) {
	b.as("draft-gl")
	b.open("/issue/new")
	b.click(`a[href="/issue/new?type=` + newType + `"]`)
	fillCompletion(b, "鼓市监许〔2026〕0001")
	b.key(kb.F9) // F9
	b.sees("福州示例餐饮有限公司", "无误", "待审核", "一致")
	draft := b.at()
	// The same person under another account is refused.
	b.as("both-gl")
	b.open("/issue/new?type=" + newType)
	fillCompletion(b, "鼓市监许〔2026〕0002")
	b.click(`form[data-keep] .btn.go`)
	seen.draft = b.at()
	b.click(`button[value="approve"]`)
	b.sees("制证和审核不能是同一个人", "下一步", "第七条第一款", "编号")
	b.as("review-gl")
	b.open(draft)
	b.sees("照面预览")
	b.moment("issuing-review")
	b.click(`button[value="approve"]`)
	b.until("已签章发布")
	seen.license = b.link("/issue/licenses/.*")
}

func fillCompletion(b *browser, number string) {
	b.t.Helper()
	b.fill("case", number, "closed", "2026-11-23T10:00", "docNo", "鼓市监准〔2026〕1号",
		"h0.type", "001", "h0.code", "91350102FJDEM90180", "h0.name", "福州示例餐饮有限公司",
		"f.holder_name", "福州示例餐饮有限公司", "f.uscc", "91350102FJDEM90180", "f.legal_rep", "陈示例",
		"f.premises", "福州市鼓楼区东街8号一层", "f.license_no", "XCY"+number[len(number)-4:])
}

func useInCase(b *browser, seen *pages) {
	b.as("window-gl")
	b.sees("新办件")
	b.key(kb.F2) // F2
	b.fill("find", "ycz")
	b.click(`form[action="/window/new"] .btn`)
	b.click(`a[href="/window/new?matter=M04"]`)
	b.fill("role0", "申请人", "type0", "001", "code0", "92350102FJDEM9042D", "name0", "鼓楼区示例便利店",
		"role1", "负责人", "type1", "111", "code1", "350100194802010213", "name1", "吴老样", "proof1", "card")
	b.key(kb.F9) // F9
	b.sees("身份没有核实", "第十七条第三款")
	b.fill("proof0", "e-license")
	b.key(kb.F9)
	b.sees("已取得，免提交", "请留意", "不能免提交")
	seen.caseID = b.at()
	b.click(`li.mat.ok button[value="query"]`)
	b.sees("鼓楼区示例便利店", "用证凭据", "只显示本事项需要的")
	b.moment("window-case")
	b.must(chromedp.Click(chromedp.CSS(`.wm + div summary`)))
	b.fill("f.holder_name", "鼓楼区示例便利店(个体工商户)", "f.legal_rep", "陈示例")
	b.click(`button[value="compare"]`)
	b.sees("1项不一致")
	// What is not in the list, and who is no party, is refused.
	b.must(chromedp.Click(chromedp.CSS(`details.sheet:has(button[value="query"]) > summary`)))
	b.must(chromedp.SetValue(chromedp.CSS(`details:has(button[value="query"]) input[name="material"]`), "结婚证"))
	b.click(`details.sheet button[value="query"]`)
	b.sees("不能查看：这类证照不在本事项的材料清单内", "下一步", "第十三条第二款", "本次拒绝已记录")
	// A colleague is refused like anyone who asks for a case that is not there.
	b.as("window2-gl")
	b.open(seen.caseID)
	b.sees("不能查看：这不是您经办的办件")
	b.misses("鼓楼区示例便利店", "烟草专卖零售")
}

func holderLooks(b *browser, seen *pages) {
	b.as("store")
	b.sees("我的卡包", "营业执照")
	b.click(`a.card`)
	for _, l := range append([]string{b.at()}, b.cards()...) {
		b.open(l)
		if strings.Contains(b.text(), "营业执照") {
			seen.own = l
			break
		}
	}
	b.sees("营业执照", "有效", "谁用过这份证照")
	b.must(chromedp.EmulateViewport(390, 844))
	b.moment("holder-license")
	b.must(chromedp.EmulateViewport(1366, 768))
	b.click(`a[href$="/uses"]`)
	b.sees("福州市鼓楼区烟草专卖局", "郑窗口", "查看内容")
}

// cards are the addresses of the folder's licenses.
func (b *browser) cards() []string {
	b.t.Helper()
	b.open("/holder")
	return b.links("/holder/licenses/[0-9A-Za-z]+")
}

// changeState suspends the new license: two persons, and everyone sees it.
func changeState(b *browser, seen *pages) {
	b.as("canteen")
	for _, l := range b.cards() {
		b.open(l)
		if strings.Contains(b.text(), "小餐饮登记证") {
			break
		}
	}
	seen.code = b.link("/check/.*")
	file, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`fetch(location.pathname + "/file").then(r => r.arrayBuffer()).then(b => btoa(String.fromCharCode(...new Uint8Array(b))))`,
		chromedp.EvalAwaitPromise))
	if err != nil {
		b.t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(file)
	if err != nil {
		b.t.Fatal(err)
	}
	dir := os.TempDir()
	f, err := os.CreateTemp(dir, "license-*.ofd")
	if err != nil {
		b.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(raw); err != nil {
		b.t.Fatal(err)
	}
	seen.file = f.Name()
	b.open(seen.code)
	b.sees("真实，现行有效")
	b.moment("public-check")
	b.as("draft-gl")
	b.open(seen.license)
	b.must(chromedp.Click(chromedp.CSS(`input[name="kind"][value="suspend"]`)))
	b.fill("docNo", "鼓市监停〔2026〕88号", "reason", "责令停业整顿")
	b.click(`.btn.end`)
	b.sees("待复核", "等第二个人复核")
	b.as("review-gl")
	b.open("/issue/changes")
	b.click(`button[value="approve"]`)
	b.sees("已生效")
	b.open(seen.code)
	b.sees("真实，暂停使用", "状态截至")
	b.misses("福州示例餐饮有限公司", "91350102FJDEM90180")
}

func checkPublicly(b *browser, seen *pages) {
	defer os.Remove(seen.file)
	b.click(`.who form button`) // sign out
	b.open("/check")
	b.upload(seen.file)
	b.sees("真实，暂停使用", "和签发时的文件逐字节相同", "福州市鼓楼区市场监督管理局")
	b.misses("福州示例餐饮有限公司")
	other := filepath.Join(b.t.TempDir(), "no.ofd")
	if err := os.WriteFile(other, []byte("这不是证照"), 0o600); err != nil {
		b.t.Fatal(err)
	}
	b.open("/check")
	b.upload(other)
	b.sees("读不了这个文件")
	b.open("/check/00000000000000000000000000")
	b.misses("真实")
}

// upload sends a file as a browser without script does: with the checker the
// form that sends is out of sight.
func (b *browser) upload(file string) {
	b.t.Helper()
	b.must(chromedp.SetUploadFiles(chromedp.CSS(`form[enctype] input[type="file"]`), []string{file}))
	b.press(chromedp.Evaluate[chromedp.Void](`document.querySelector("form[enctype]").requestSubmit()`))
}

func proveRecord(b *browser, seen *pages) {
	b.as("audit")
	b.open("/admin/records")
	b.click(`td a[href^="/admin/records/"]`)
	b.sees("这条记录没有被改过", "日志根", "谁，为什么，看了什么")
	b.open("/admin/records")
	refused, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](
		`[...document.querySelectorAll("tbody tr")].find(r => r.innerText.includes("拒绝") && r.innerText.includes("使用证照")).querySelector("a").getAttribute("href")`))
	if err != nil {
		b.t.Fatal(err)
	}
	seen.record = refused
	b.open(refused)
	b.sees("为什么拒绝", "use-material-list")
	b.moment("admin-record")
}

// keepTyped: text typed into a long form outlives the session.
func keepTyped(b *browser, _ *pages) {
	b.as("draft-gl")
	b.open("/issue/new?type=" + newType)
	b.must(chromedp.Evaluate[chromedp.Void](`document.addEventListener("input", () => { globalThis.typed = performance.now(); }); undefined`))
	b.must(chromedp.SendKeys(chromedp.CSS(`#f-premises`), "福州市鼓楼区还没写完"))
	// It is kept a moment after the last key; what was half typed may have been before.
	b.holds(`performance.getEntriesByType("resource").some(e => e.name.endsWith("/typed") && e.startTime >= globalThis.typed)`)
	b.click(`.who form button`)
	b.as("draft-gl")
	b.open("/issue/new?type=" + newType)
	b.sees("上次没有提交的内容还在")
	got, err := chromedp.Run(b.ctx, chromedp.Value(chromedp.CSS(`#f-premises`)))
	if err != nil || got != "福州市鼓楼区还没写完" {
		b.t.Fatalf("kept %q, %v", got, err)
	}
	// A session that ended elsewhere: the text goes through the sign-in page.
	b.must(chromedp.SetValue(chromedp.CSS(`#f-case`), "鼓市监许〔2026〕0009"))
	b.must(chromedp.Evaluate[chromedp.Void](`fetch("/signout", {method: "POST"}).then(() => 0)`, chromedp.EvalAwaitPromise))
	b.click(`form[data-keep] .btn.go`)
	b.sees("登录已失效")
	b.click(`button[name="demo"][value="draft-gl"]`)
	b.open("/issue/new?type=" + newType)
	if got, err := chromedp.Run(b.ctx, chromedp.Value(chromedp.CSS(`#f-case`))); err != nil || got != "鼓市监许〔2026〕0009" {
		b.t.Fatalf("kept %q, %v", got, err)
	}
}

// look is what is wrong with how a page stands on a screen.
const look = `(() => {
  const e = document.documentElement;
  const wide = [...document.querySelectorAll("body *")].filter(x => x.getBoundingClientRect().right > e.clientWidth + 1 && !x.closest(".scroll, .bar nav, .nav, .steps, svg")).slice(0, 3).map(x => x.outerHTML.slice(0, 120));
  return {
    wide: e.scrollWidth > e.clientWidth ? wide.concat(["" + e.scrollWidth]) : [],
    h1: document.querySelectorAll("h1").length,
    unseen: [...document.images].filter(i => i.complete && i.naturalWidth === 0).map(i => i.getAttribute("src")),
    inline: document.querySelectorAll("[style], style, script:not([src])").length,
    covered: covered(),
    broken: broken(),
    ids: texts().flatMap(n => n.parentElement.closest("tr, li") && !n.parentElement.closest(".code") ? n.data.match(/[0-9a-z]{26}/g) ?? [] : []),
    unsaid: [...document.querySelectorAll(".table.cards tbody td:not([data-th])")].filter(x => x.cellIndex > 0 && x.innerText.trim() && !x.querySelector(".st, .song, .btn, a, input")).map(x => x.innerText),
    lower: document.documentElement.lang == "en" ? lower() : [],
  };
  // texts are the words of the page that are seen.
  function texts() {
    const list = [], walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
      const n = walk.currentNode, p = n.parentElement;
      if (n.data.trim() && !p.closest("svg, select, textarea, script, .sr") && p.checkVisibility()) list.push(n);
    }
    return list;
  }
  // broken finds dates that stand on two lines.
  function broken() {
    return texts().flatMap(n => [...n.data.matchAll(/\d{4}-\d{2}-\d{2}/g)].filter(m => {
      const range = document.createRange();
      range.setStart(n, m.index);
      range.setEnd(n, m.index + m[0].length);
      return new Set([...range.getClientRects()].map(r => Math.round(r.top))).size > 1;
    }).map(m => m[0]));
  }
  // lower finds headings, heads and buttons that begin with a small letter.
  function lower() {
    return [...document.querySelectorAll("h1, h2, h3, th, button, .btn, legend, summary, dt, .field > span:first-child, nav a, .tabs a, .kpi > span:first-child, .st.tag")]
      .filter(x => /^\s*[a-z]/.test(x.textContent) && x.checkVisibility() && !x.closest("[lang=zh-CN], .code") && !x.querySelector("[lang=zh-CN], .code, kbd")).map(x => x.textContent.trim().slice(0, 40));
  }
  // covered finds words that lie over other words or over a picture.
  function covered() {
    const words = [], walk = document.createTreeWalker(document.querySelector("main") ?? document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
      const n = walk.currentNode, p = n.parentElement;
      if (!n.data.trim() || p.closest("svg, select, textarea, .sr, [hidden], .bar, .dock, .actbar, .wm, [aria-hidden]") || !p.checkVisibility({opacityProperty: true, visibilityProperty: true}) || moves(p)) continue;
      const range = document.createRange();
      range.selectNodeContents(n);
      for (const r of range.getClientRects()) if (r.width > 4 && r.height > 4) words.push({n, r, say: n.data.trim().slice(0, 30)});
    }
    const things = words.concat([...document.querySelectorAll("main .qr > svg, main .faceimg")].filter(n => !moves(n.parentElement)).map(n => ({n, r: n.getBoundingClientRect(), say: n.tagName})));
    const found = [];
    words.forEach((a, i) => things.slice(i + 1).forEach(b => {
      const w = Math.min(a.r.right, b.r.right) - Math.max(a.r.left, b.r.left), h = Math.min(a.r.bottom, b.r.bottom) - Math.max(a.r.top, b.r.top);
      if (a.n != b.n && w > 3 && h > Math.min(a.r.height, b.r.height) / 2) found.push(a.say + " / " + b.say);
    }));
    return found.slice(0, 3);
  }
  // moves tells whether an element scrolls on its own or stands over the page on purpose.
  function moves(x) {
    for (; x && x != document.body; x = x.parentElement) {
      const s = getComputedStyle(x);
      if (s.position == "fixed" || s.position == "sticky" || s.overflowY != "visible") return true;
    }
    return false;
  }
})()`

type looked struct {
	Wide   []string `json:"wide"`
	H1     int      `json:"h1"`
	Unseen []string `json:"unseen"` // pictures
	Inline int      `json:"inline"`
	// Covered are words that lie over others.
	Covered []string `json:"covered"`
	Broken  []string `json:"broken"` // dates
	IDs     []string `json:"ids"`    // of the platform's own, where people read a list
	Unsaid  []string `json:"unsaid"` // values of a card that do not say what they are
	Lower   []string `json:"lower"`  // headings and buttons of the English pages in small letters
}

func (l looked) fine() bool {
	wrong := slices.Concat(l.Wide, l.Unseen, l.Covered, l.Broken, l.IDs, l.Unsaid, l.Lower)
	return len(wrong) == 0 && l.H1 == 1 && l.Inline == 0
}

// everyPage opens every page on a desk's screen and on a phone.
func everyPage(b *browser, seen *pages) {
	b.must(chromedp.Navigate(b.url + "/signin"))
	b.as("draft-gl")
	b.open("/issue/licenses")
	license := b.link("/issue/licenses/[0-9A-Za-z]+")
	b.open("/issue/types/new?from=" + newType)
	b.must(chromedp.Click(chromedp.CSS(`#f-open`)))
	b.click(`form[data-keep] .btn.go`)
	desks := []struct {
		login string
		paths []string
	}{
		{"", []string{"/", "/check", seen.code, "/types", "/types/" + newType, "/matters", "/matters/M04", "/tour", "/help", "/signin"}},
		{"store", []string{"/holder", seen.own, seen.own + "/uses", "/holder/notices"}},
		{"review-gl", []string{"/issue", seen.draft, "/issue/changes", license}},
		{"draft-gl", []string{"/issue/new", "/issue/new?type=" + newType, seen.draft + "/edit", "/issue/licenses", seen.license, "/issue/types", "/issue/types/new"}},
		{"window-gl", []string{"/window", "/window/new", "/window/new?matter=M04", seen.caseID}},
		{"admin", []string{"/admin", "/admin/types", "/admin/types/" + newType + "/2", "/admin/rules", "/admin/units", "/admin/systems", "/admin/seals"}},
		{"audit", []string{"/admin/records", seen.record, "/admin/registries"}},
	}
	for _, d := range desks {
		if d.login == "" {
			b.click(`.who form button`)
		} else {
			b.as(d.login)
		}
		for _, p := range d.paths {
			b.t.Run(strings.ReplaceAll(strings.Trim(p, "/"), "/", "_"), func(t *testing.T) { b.inspect(t, p) })
		}
	}
}

// views are the ways each page is looked at.
var views = []struct {
	name          string
	width, height int64
	lang, elder   string
}{
	{"desk", 1366, 768, "zh-CN", "off"}, {"phone", 390, 844, "zh-CN", "off"},
	{"english", 1366, 768, "en", "off"}, {"elder", 390, 844, "en", "on"},
}

func (b *browser) inspect(t *testing.T, path string) {
	before := b.t
	b.t = t
	defer func() { b.t = before }()
	for _, v := range views {
		b.must(chromedp.EmulateViewport(v.width, v.height))
		b.prefer("lang", v.lang)
		b.prefer("elder", v.elder)
		b.heard()
		b.open(path)
		got, err := chromedp.Run(b.ctx, chromedp.Evaluate[looked](look))
		if err != nil {
			t.Fatal(err)
		}
		if !got.fine() {
			t.Errorf("%s: %+v", v.name, got)
		}
		if wrong := b.heard(); len(wrong) > 0 {
			t.Errorf("%s: console: %q", v.name, wrong)
		}
		b.picture(t, path, v.name)
	}
	b.prefer("lang", "zh-CN")
	b.prefer("elder", "off")
	b.must(chromedp.EmulateViewport(1366, 768))
}

func (b *browser) prefer(name, value string) {
	b.t.Helper()
	b.must(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`fetch("/set/%s/%s?back=/assets/mark.svg").then(() => 0)`, name, value), chromedp.EvalAwaitPromise))
}

// upToHere begins what a test says on the console to know what was said before.
const upToHere = "up to here "

// heard is what the console said was wrong since it was last asked.
func (b *browser) heard() []string {
	b.t.Helper()
	b.marks++
	mark := upToHere + fmt.Sprint(b.marks)
	if _, err := chromedp.Run(b.ctx, chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`console.debug(%q)`, mark))); err != nil {
		b.t.Errorf("the console: %v", err)
		return nil
	}
	for late := time.After(stepTime); ; {
		select {
		case m := <-b.hears:
			if m != mark {
				continue // of a time that had run out
			}
		case <-late:
			b.t.Error("the console says nothing any more")
		}
		break
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	wrong := b.wrong
	b.wrong = nil
	return wrong
}

// moment keeps what stands on the screen now, as picture does.
func (b *browser) moment(name string) {
	b.t.Helper()
	dir := os.Getenv("ELICENSE_SCREENSHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600); err != nil {
		b.t.Fatal(err)
	}
}

// picture keeps a picture of the page in the directory ELICENSE_SCREENSHOTS.
func (b *browser) picture(t *testing.T, path, view string) {
	dir := os.Getenv("ELICENSE_SCREENSHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatal(err)
	}
	if path == "/" {
		path = "home"
	}
	name := strings.Map(func(r rune) rune {
		if strings.ContainsRune("/?=&.", r) {
			return '_'
		}
		return r
	}, strings.Trim(path, "/"))
	name = regexp.MustCompile(`_[0-9a-z]{26}`).ReplaceAllString(name, "_one")
	if err := os.WriteFile(filepath.Join(dir, name+"."+view+".png"), png, 0o600); err != nil {
		t.Fatal(err)
	}
}
