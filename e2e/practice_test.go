package e2e

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// TestBrowserPractice: a clerk practises on invented people; nothing of it is done
// at the real desk.
func TestBrowserPractice(t *testing.T) {
	b := browse(t)
	b.as("window-gl")
	b.open("/window/practice")
	b.sees("人、单位和证照都是虚构的")
	b.click(`form[action="/window/practice"] .btn.go`)
	b.sees("正在准备练习")
	b.moment("practice-waiting")
	b.comes("做了0项") // the page opens by itself; making a practice takes the processors seconds
	b.sees("练习：人和证照都是虚构的，不作数", "做了0项，共7项", "练习员")
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
	b.open(work + "?place=0")
	b.must(chromedp.Click(chromedp.CSS(`#m0 input[name="reason"][value="missing"]`)))
	b.click(`#m0 button[value="paper"]`)
	b.sees("还没有登记缺证，不能以此收取纸质")
	b.open(work)
	b.click(`#m2 button[value="missing"]`)
	b.open("/window/practice")
	b.sees("做了5项，共7项")
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

// TestPracticeIsForgottenAfterAPowerFailure: what a killed platform left of its
// practice is gone before the next one serves, and practising begins anew.
func TestPracticeIsForgottenAfterAPowerFailure(t *testing.T) {
	t.Parallel()
	data := filepath.Join(t.TempDir(), "platform")
	if err := os.CopyFS(data, os.DirFS(golden)); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(data, 0o700); err != nil {
		t.Fatal(err)
	}
	practised := func() *proc {
		p, err := start(binary, data)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(data, "practice")); !os.IsNotExist(err) {
			t.Errorf("a practice before anybody asked for one: %v", err)
		}
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		clerk := http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		for _, form := range []struct{ path, field, value string }{{"/signin", "demo", "window-gl"}, {"/window/practice", "", ""}} {
			r, err := clerk.PostForm(p.url+form.path, url.Values{form.field: {form.value}})
			if err != nil {
				t.Fatal(err)
			}
			r.Body.Close()
			if r.StatusCode >= 400 {
				t.Fatalf("%s: %s", form.path, r.Status)
			}
		}
		return p
	}
	p := practised()
	database := filepath.Join(data, "practice", "elicense.db")
	for began := time.Now(); time.Since(began) < waitTime; time.Sleep(100 * time.Millisecond) { // half made is left behind as well
		if _, err := os.Stat(database); err == nil {
			break
		}
	}
	p.kill()
	if _, err := os.Stat(database); err != nil {
		t.Fatalf("the killed platform left nothing: %v", err)
	}
	p = practised()
	if err := p.stop(); err != nil { // while it is being made
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(data, "practice")); !os.IsNotExist(err) {
		t.Errorf("the practice is still there after the end: %v", err)
	}
}
