package e2e

import (
	"archive/zip"
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"elicense/document"
	"elicense/gm"
)

// samples are files another program made.
const samples = "../document/testdata/ofd"

// wire stands between the browser and the platform: it keeps what was asked and
// can be cut.
type wire struct {
	mu   sync.Mutex
	log  []string
	body int64 // bytes of request bodies
	cut  bool
}

func (w *wire) ServeHTTP(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		b, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(b))
		w.mu.Lock()
		w.log = append(w.log, r.Method+" "+r.URL.RequestURI())
		w.body += int64(len(b))
		cut := w.cut
		w.mu.Unlock()
		if cut {
			panic(http.ErrAbortHandler)
		}
		next.ServeHTTP(rw, r)
	})
}

// asked is what was asked since it was last called, and how many bytes bodies had.
func (w *wire) asked() ([]string, int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	log, body := w.log, w.body
	w.log, w.body = nil, 0
	return log, body
}

func (w *wire) set(cut bool) {
	w.mu.Lock()
	w.cut = cut
	w.mu.Unlock()
}

// checkPage is the public check page in a browser behind a wire.
type checkPage struct {
	*browser
	wire *wire
	mu   sync.Mutex
	sent []string // what the browser says it sent
}

// TestBrowserCheck drops files on the public check page: each is judged and drawn
// in the browser, no request carries it, and a network is not needed.
func TestBrowserCheck(t *testing.T) {
	if _, err := os.Stat("../web/assets/built/checker.wasm.gz"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("the checker is not built: scripts/checker.sh")
		}
		t.Skip("the checker is not built: scripts/checker.sh")
	}
	c := &checkPage{browser: browse(t, "ELICENSE_PUBLIC_URL="+goldenURL), wire: &wire{}}
	target, err := url.Parse(c.url)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(c.wire.ServeHTTP(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
	}}))
	t.Cleanup(proxy.Close)
	c.url = proxy.URL
	listen := func(ev any) {
		if e, ok := ev.(*network.EventRequestWillBeSent); ok {
			c.mu.Lock()
			c.sent = append(c.sent, fmt.Sprint(e.Request.Method, " ", e.Request.URL, " ", e.Request.HasPostData))
			c.mu.Unlock()
		}
	}
	if err := chromedp.Listen(c.ctx, listen); err != nil {
		t.Fatal(err)
	}
	own := c.ownFile()
	for _, step := range []struct {
		name string
		do   func(*checkPage, string)
	}{
		{"stays in the browser", fileStays}, {"without a network", withoutNetwork}, {"time limit", timeLimit}, {"print", printForm}, {"looks", looksRight},
	} {
		if !t.Run(step.name, func(t *testing.T) { c.t = t; step.do(c, own) }) {
			t.FailNow()
		}
	}
	c.t = t
}

// ownFile is a license of the demo, as its holder loads it.
func (c *checkPage) ownFile() string {
	c.t.Helper()
	c.as("store")
	for _, l := range c.cards() {
		c.open(l)
		if strings.Contains(c.text(), "营业执照") {
			break
		}
	}
	file, err := chromedp.Run(c.ctx, chromedp.Evaluate[string](`fetch(location.pathname + "/file").then(r => r.arrayBuffer()).then(b => btoa(String.fromCharCode(...new Uint8Array(b))))`,
		chromedp.EvalAwaitPromise))
	if err != nil {
		c.t.Fatal(err)
	}
	raw, err := base64.StdEncoding.DecodeString(file)
	if err != nil {
		c.t.Fatal(err)
	}
	c.click(`.who form button, form[action="/signout"] button`)
	return c.write("营业执照.ofd", raw)
}

func (c *checkPage) write(name string, b []byte) string {
	c.t.Helper()
	path := filepath.Join(c.dir, name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		c.t.Fatal(err)
	}
	return path
}

// load opens the page and waits until it has all it needs.
func (c *checkPage) load() {
	c.t.Helper()
	c.open("/check")
	c.holds(`document.querySelector("main").dataset.ready === "yes"`)
}

// choose gives the page a file and waits for its verdict.
func (c *checkPage) choose(path string) {
	c.t.Helper()
	c.must(chromedp.Evaluate[chromedp.Void](`document.querySelector("[data-again]").click()`))
	abs, err := filepath.Abs(path)
	if err != nil {
		c.t.Fatal(err)
	}
	c.must(chromedp.SetUploadFiles(chromedp.CSS(`[data-part="choose"]`), []string{abs}))
	c.holds(`document.querySelector("main").dataset.shows === "found"`)
	c.holds(`!document.body.innerText.includes("正在查询…")`)
}

func (c *checkPage) verdict() string {
	c.t.Helper()
	v, err := chromedp.Run(c.ctx, chromedp.Evaluate[string](`document.querySelector('[data-part="verdict"]').className.split(" ").pop() + " " + document.querySelector('[data-part="head"] .answer').innerText`))
	if err != nil {
		c.t.Fatal(err)
	}
	return v
}

// drawn counts the pages that are drawn.
func (c *checkPage) drawn() int {
	c.t.Helper()
	n, err := chromedp.Run(c.ctx, chromedp.Evaluate[int](
		`Promise.all([...document.querySelectorAll('[data-part="pages"] img')].map((i) => i.decode().then(() => i.naturalWidth > 100 ? 1 : 0))).then((l) => l.reduce((a, b) => a + b, 0))`, chromedp.EvalAwaitPromise))
	if err != nil {
		c.t.Fatal(err)
	}
	return n
}

func (c *checkPage) want(verdict string, pages int) {
	c.t.Helper()
	if got := c.verdict(); got != verdict {
		c.t.Errorf("verdict %q, want %q\n%s", got, verdict, c.text())
	}
	if got := c.drawn(); got < pages || pages == 0 && got > 0 {
		c.t.Errorf("%d pages drawn, want %d", got, pages)
	}
}

func fileStays(c *checkPage, own string) {
	c.heard()
	c.load()
	c.sees("文件在您的设备上查验，不会发送出去", "查验程序已就绪")
	c.wire.asked()
	c.mu.Lock()
	c.sent = nil
	c.mu.Unlock()
	c.choose(own)
	c.want("ok 真实，现行有效", 1)
	c.sees("通过", "签名1", "元数据、照面文字与结构化数据一致。", "证照标识", "查验地址", "按签章时判断", "按现在判断", "状态截至", "查验已记录，编号")
	log, body := c.wire.asked()
	if body != 0 {
		c.t.Errorf("%d bytes were sent", body)
	}
	status := regexp.MustCompile(`^GET /check/[0-9A-Za-z]{26}$`)
	glue := regexp.MustCompile(`^GET /assets/`)
	asked := 0
	for _, l := range log {
		switch {
		case status.MatchString(l):
			asked++
		case !glue.MatchString(l):
			c.t.Errorf("asked: %s", l)
		}
	}
	if asked != 1 {
		c.t.Errorf("the status was asked %d times: %q", asked, log)
	}
	c.mu.Lock()
	for _, s := range c.sent {
		if !strings.HasPrefix(s, "GET ") || !strings.HasSuffix(s, " false") {
			c.t.Errorf("the browser sent %s", s)
		}
	}
	c.mu.Unlock()
	if wrong := c.heard(); len(wrong) > 0 {
		c.t.Errorf("console: %q", wrong)
	}
}

// offline cuts the network, in the browser and before it.
func (c *checkPage) offline(off bool) {
	c.t.Helper()
	c.wire.set(off)
	on := []*network.Conditions{{Offline: off, DownloadThroughput: -1, UploadThroughput: -1}}
	if _, err := chromedp.Call(c.ctx, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{MatchedNetworkConditions: on}); err != nil {
		c.t.Fatal(err)
	}
	if _, err := chromedp.Call(c.ctx, network.OverrideNetworkState, network.OverrideNetworkStateParams{Offline: off, DownloadThroughput: -1, UploadThroughput: -1}); err != nil {
		c.t.Fatal(err)
	}
}

func withoutNetwork(c *checkPage, own string) {
	c.load()
	c.offline(true)
	defer c.offline(false)
	c.choose(own)
	c.want("ok 真实", 1)
	c.sees("没有连上平台", "再查一次状态")
	c.choose(filepath.Join(samples, "sesv4.ofd"))
	c.want("care 签章完好，但签章人不受信任", 1)
	c.choose(filepath.Join(samples, "sesv4-two-seals.ofd"))
	c.sees("签名1", "签名2")
	c.choose(filepath.Join(samples, "bad-sesv1-page-flip.ofd"))
	c.want("stop 被改动过", 1)
	c.sees("被改动的文件", "Doc_0/Pages/Page_0/Content.xml")
	altered := filepath.Join(c.dir, "altered.ofd")
	alter(c.t, own, altered, "Page_0/Content.xml")
	c.choose(altered)
	c.sees("被改动过", "Page_0/Content.xml", "不成立的签章没有画出")
	c.choose(filepath.Join(samples, "raw-sm2.ofd"))
	c.want("stop 没有签章", 1)
	for name, b := range hostile(c.t) {
		began := time.Now()
		c.choose(c.write(name, b))
		c.want("rest 无法读取", 0)
		c.t.Logf("%s of %d KB: refused in %v", name, len(b)>>10, time.Since(began).Round(time.Millisecond))
	}
	c.choose(own)
	c.want("ok 真实", 1)
}

// hostile are files that ask their reader for more than he has.
func hostile(t *testing.T) map[string][]byte {
	pack := func(entries func(w *zip.Writer)) []byte {
		var b bytes.Buffer
		w := zip.NewWriter(&b)
		entries(w)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	add := func(w *zip.Writer, name string, parts ...[]byte) {
		out, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range parts {
			if _, err := out.Write(p); err != nil {
				t.Fatal(err)
			}
		}
	}
	zeros := make([]byte, 64<<20)
	var small bytes.Buffer
	deflate, err := flate.NewWriter(&small, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := deflate.Write(zeros); err != nil {
		t.Fatal(err)
	}
	if err := deflate.Close(); err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{
		"bomb.ofd": pack(func(w *zip.Writer) {
			add(w, "OFD.xml", []byte("<OFD/>"))
			for i := range 150 { // 10 MB of zip, 10 GB of zeros
				out, err := w.CreateRaw(&zip.FileHeader{
					Name: fmt.Sprintf("Doc_0/%d.xml", i), Method: zip.Deflate, CRC32: crc32.ChecksumIEEE(zeros),
					CompressedSize64: uint64(small.Len()), UncompressedSize64: uint64(len(zeros)),
				})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := out.Write(small.Bytes()); err != nil {
					t.Fatal(err)
				}
			}
		}),
		"deep.ofd": pack(func(w *zip.Writer) { add(w, "OFD.xml", bytes.Repeat([]byte("<ofd:OFD>"), 2<<20)) }),
		"many.ofd": pack(func(w *zip.Writer) {
			for i := range 100_000 {
				add(w, fmt.Sprintf("%d", i))
			}
		}),
		"noise.ofd": append([]byte("PK\x03\x04"), bytes.Repeat([]byte("PK\x01\x02PK\x05\x06"), 1<<20)...),
	}
}

// timeLimit: a file that takes too long is given up, and the next one is judged,
// also without a network.
func timeLimit(c *checkPage, own string) {
	c.load()
	c.offline(true)
	defer c.offline(false)
	c.must(chromedp.Evaluate[chromedp.Void](`document.querySelector("main").dataset.limit = "1"`))
	c.choose(filepath.Join(c.dir, "deep.ofd")) // takes so long that even a page that has to wait gives it up first
	c.want("rest 无法读取", 0)
	c.sees("读取超过20秒，已经停止")
	c.must(chromedp.Evaluate[chromedp.Void](`delete document.querySelector("main").dataset.limit`))
	c.choose(own)
	c.want("ok 真实", 1)
}

// printed is the text of a print's QR code, signed with the platform's own key.
func (c *checkPage) printed() string {
	c.t.Helper()
	secret, err := os.ReadFile(filepath.Join(c.data, "keys", "keystore.secret"))
	if err != nil {
		c.t.Fatal(err)
	}
	store, err := gm.OpenKeyStore(filepath.Join(c.data, "keys"), secret)
	if err != nil {
		c.t.Fatal(err)
	}
	key, err := store.Open("print-signer")
	if err != nil {
		c.t.Fatal(err)
	}
	answer, err := http.Get(c.url + "/check/trust.json")
	if err != nil {
		c.t.Fatal(err)
	}
	defer answer.Body.Close()
	var trust struct{ Printers []string }
	if err := json.NewDecoder(answer.Body).Decode(&trust); err != nil || len(trust.Printers) != 1 {
		c.t.Fatalf("%d printers, %v", len(trust.Printers), err)
	}
	cert, err := gm.ParsePEM([]byte(trust.Printers[0]))
	if err != nil {
		c.t.Fatal(err)
	}
	s := document.NewStatement("1.2.156.3005.2.11350000FJDEM0072Q001.11350102FJDEM0275F.2024031500871.002.U", "有效", time.Date(2026, 11, 24, 1, 30, 0, 0, time.UTC),
		[]string{"鼓楼区示例便利店", "陈示例", "2026年11月24日"}, cert[0])
	signed, err := s.Sign(key)
	if err != nil {
		c.t.Fatal(err)
	}
	return document.StatementURL(c.url+"/check", signed)
}

func (c *checkPage) compare(value, want string) {
	c.t.Helper()
	c.must(chromedp.SetValue(chromedp.CSS(`[data-part="value"]`), value), chromedp.Click(chromedp.CSS(`[data-part="valueform"] button`)))
	c.holds(fmt.Sprintf(`document.querySelector('[data-part="values"] li')?.innerText.includes(%q)`, value))
	c.holds(fmt.Sprintf(`document.querySelector('[data-part="values"] li').innerText.trim().startsWith(%q)`, want))
}

func printForm(c *checkPage, _ string) {
	text := c.printed()
	c.load()
	c.wire.asked()
	c.must(chromedp.Navigate("about:blank"), chromedp.Navigate(text))
	c.holds(`document.querySelector("main").dataset.shows === "printed"`)
	c.sees("打印件的二维码真实", "2024031500871", "打印时的状态", "有效", "2026-11-24 09:30:00", "3项")
	c.compare("鼓楼区示例便利店", "相符")
	c.compare("鼓楼区示例超市", "不相符")
	log, body := c.wire.asked()
	_, secret, _ := strings.Cut(text, "#p=")
	for _, l := range log {
		if strings.Contains(l, secret[:20]) || !strings.HasPrefix(l, "GET ") || body != 0 {
			c.t.Errorf("asked: %s", l)
		}
	}
	c.offline(true)
	defer c.offline(false)
	c.must(chromedp.Evaluate[chromedp.Void](`document.querySelector('[data-part="printed"] [data-again]').click()`))
	c.must(chromedp.SetValue(chromedp.CSS(`[data-part="printtext"]`), text), chromedp.Click(chromedp.CSS(`[data-part="printform"] button`)))
	c.holds(`document.querySelector("main").dataset.shows === "printed"`)
	c.compare("陈 示例", "相符")
	c.compare("陈示列", "不相符")
	c.must(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`location.hash = %q`, "p="+secret[:len(secret)-4]+"AAAA")))
	c.holds(`document.querySelector('[data-part="printverdict"]').classList.contains("stop")`)
	c.misses("打印件的二维码真实")
	if asked, _ := c.wire.asked(); len(asked) > 0 {
		c.t.Errorf("asked without a network: %q", asked)
	}
}

// looksRight looks at each state of the page on both screens in both languages,
// and prints the report on one sheet.
func looksRight(c *checkPage, own string) {
	text := c.printed()
	altered := filepath.Join(c.dir, "altered.ofd")
	for _, v := range views {
		c.must(chromedp.EmulateViewport(v.width, v.height))
		c.prefer("lang", v.lang)
		c.prefer("elder", v.elder)
		c.load()
		c.heard()
		states := []struct {
			name string
			get  func()
		}{
			{"start", func() {}}, {"genuine", func() { c.choose(own) }}, {"other", func() { c.choose(filepath.Join(samples, "sesv4-two-seals.ofd")) }},
			{"altered", func() { c.choose(altered) }}, {"unreadable", func() { c.choose("check_test.go") }},
			{"print", func() {
				_, hash, _ := strings.Cut(text, "#")
				c.must(chromedp.Evaluate[chromedp.Void](fmt.Sprintf(`location.hash = %q`, hash)))
				c.holds(`document.querySelector("main").dataset.shows === "printed"`)
				for _, value := range []string{"陈示例", "陈示列"} {
					c.must(chromedp.SetValue(chromedp.CSS(`[data-part="value"]`), value), chromedp.Click(chromedp.CSS(`[data-part="valueform"] button`)))
					c.holds(fmt.Sprintf(`document.querySelector('[data-part="values"] li')?.innerText.includes(%q)`, value))
				}
			}},
		}
		for _, s := range states {
			s.get()
			if s.name != "start" && s.name != "print" {
				c.holds(`[...document.images].every((i) => i.complete)`)
			}
			got, err := chromedp.Run(c.ctx, chromedp.Evaluate[looked](look))
			if err != nil {
				c.t.Fatal(err)
			}
			if len(got.Wide) > 0 || got.H1 != 1 || len(got.Broken) > 0 || got.Inline > 0 {
				c.t.Errorf("%s, %s: %+v", s.name, v.name, got)
			}
			c.picture(c.t, "check-"+s.name, v.name)
			if s.name == "genuine" || s.name == "other" {
				c.onOneSheet(s.name + "." + v.name)
			}
		}
		if wrong := c.heard(); len(wrong) > 0 {
			c.t.Errorf("%s: console: %q", v.name, wrong)
		}
	}
	c.prefer("lang", "zh-CN")
	c.prefer("elder", "off")
	c.must(chromedp.EmulateViewport(1366, 768))
}

func (c *checkPage) onOneSheet(name string) {
	c.t.Helper()
	yes := true
	pdf, err := chromedp.Call(c.ctx, page.PrintToPDF, page.PrintToPDFParams{PreferCSSPageSize: &yes, PrintBackground: &yes})
	if err != nil {
		c.t.Fatal(err)
	}
	if n := len(regexp.MustCompile(`/Type\s*/Page\b`).FindAll(pdf.Data, -1)); n != 1 {
		c.t.Errorf("%s: the report takes %d sheets", name, n)
	}
	if dir := os.Getenv("ELICENSE_SCREENSHOTS"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, "check-report."+name+".pdf"), pdf.Data, 0o600); err != nil {
			c.t.Fatal(err)
		}
	}
}
