package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"elicense"
	"elicense/cases"
	"elicense/demo"
	"elicense/gm"
)

// portal is a page of a business system, of an origin and a site of its own.
func portal(t *testing.T, page *string) (origin string) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, "<!doctype html><title>业务系统</title><h1>业务系统的办件</h1>"+*page)
	}))
	t.Cleanup(s.Close)
	_, port, err := net.SplitHostPort(s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return "http://localhost:" + port
}

// tokenFor signs in to the API.
func (b *browser) tokenFor(login string) string {
	b.t.Helper()
	resp, err := http.PostForm(b.url+"/oauth/token", url.Values{"grant_type": {"password"}, "username": {login}, "password": {demo.Password}})
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	var out struct {
		Token string `json:"access_token"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil || out.Token == "" {
		b.t.Fatalf("%s: %v", login, err)
	}
	return out.Token
}

func (b *browser) register(token, what string, v any) {
	b.t.Helper()
	body, err := json.Marshal(v)
	if err != nil {
		b.t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, b.url+"/api/v1/systems/"+demo.OfficeSystem+"/"+what, bytes.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		b.t.Fatalf("%s: %s", what, resp.Status)
	}
}

// inside is the browser's look at a document that nobody looked at before, with an
// address that holds part: the frame of another site, or another window. The frame
// of the page before is still listed for a moment.
func (b *browser) inside(kind, part string) *browser {
	b.t.Helper()
	for began := time.Now(); time.Since(began) < waitTime; time.Sleep(50 * time.Millisecond) {
		list, err := chromedp.Targets(b.ctx)
		if err != nil {
			b.t.Fatal(err)
		}
		for _, x := range list {
			if string(x.Type) == kind && strings.Contains(x.URL, part) && !slices.Contains(b.looked, string(x.TargetID)) {
				b.looked = append(b.looked, string(x.TargetID))
				ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithTargetID(x.TargetID))
				b.t.Cleanup(cancel)
				// What is done first decides how long the document can be looked at: not a step.
				if _, err := chromedp.Run(ctx, chromedp.Location()); err != nil {
					b.t.Fatal(err)
				}
				return &browser{t: b.t, ctx: ctx, url: b.url, dir: b.dir, data: b.data}
			}
		}
	}
	b.t.Fatalf("no new %s with %q", kind, part)
	return nil
}

// turn clicks what brings another document into this frame, and waits for it: much of
// what it says the one before says too.
func (b *browser) turn(selector string) {
	b.t.Helper()
	b.must(chromedp.Evaluate[chromedp.Void](`globalThis.before = true; undefined`), chromedp.Click(chromedp.CSS(selector)))
	b.holds(`!globalThis.before && document.readyState === "complete"`)
}

// TestBrowserFrame: the check of a case inside the pages of two origins of a
// business system, in a browser that keeps no cookies of third parties; a third
// origin gets nothing.
func TestBrowserFrame(t *testing.T) {
	b := browse(t)
	key, err := gm.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	pem, err := gm.MarshalPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	var page string
	posting, linking, stranger := portal(t, &page), portal(t, &page), portal(t, &page)
	admin := b.tokenFor("admin")
	b.register(admin, "keys", map[string]string{"keyId": "k1", "key": string(pem)})
	b.register(admin, "origins", map[string]string{"origin": posting})
	b.register(admin, "origins", map[string]string{"origin": linking})
	n := 0
	ticket := func() string {
		n++
		now := time.Now()
		text, err := (&cases.Ticket{
			Number: "frame-test-number-" + strconv.Itoa(n), Audience: strings.Replace(b.url, "127.0.0.1", "localhost", 1), Issued: now.Unix(), Expires: now.Add(time.Minute).Unix(),
			Unit: "11350102FJDEM0320G", Matter: "M04", Case: "烟嵌入1", Officer: "王经办",
			Parties: []cases.TicketParty{{Role: "申请人", Holder: elicense.HolderRef{CodeType: elicense.CodeUSCC, Code: "92350102FJDEM9042D", Name: "鼓楼区示例便利店"}, Proof: cases.ProofCertificate}},
		}).Sign(key, "k1")
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	address := b.url + "/frame/" + demo.OfficeSystem
	frame := `<iframe name="check" width="900" height="420" src="` + address + `"></iframe>`
	posts := func() string {
		return frame + `<form method="post" target="check" action="` + address + `"><input type="hidden" name="ticket" value="` + ticket() + `"></form><script>onload = () => document.forms[0].submit()</script>`
	}

	// It posts the ticket into the frame.
	page = posts()
	b.must(chromedp.Navigate(posting))
	f := b.inside("iframe", "/frame/")
	f.comes("核对材料")
	f.comes("烟草专卖零售许可")
	f.sees("烟嵌入1", "王经办", "营业执照", "不用交")
	f.misses("鼓楼区示例便利店", "92350102FJDEM9042D") // nothing of what licenses say
	b.moment("frame-posted")
	if got := f.says(`document.cookie`); got != "" {
		t.Errorf("script reads the cookie: %q", got)
	}
	// What the license says opens in a window of its own.
	f.must(chromedp.Click(chromedp.CSS(`form[target="_blank"] button`)))
	top := b.inside("page", "/look")
	top.comes("用证凭据")
	top.sees("鼓楼区示例便利店", "王经办")
	top.moment("frame-look")
	// The same address refuses to be a frame's.
	got := f.says(`(() => { const g = document.querySelector('form[target="_blank"]'); g.removeAttribute("target"); setTimeout(() => g.submit(), 0); return g.action; })()`)
	if !strings.HasSuffix(got, "/look") {
		t.Fatal(got)
	}
	time.Sleep(500 * time.Millisecond)
	if text := f.text(); strings.Contains(text, "用证凭据") || strings.Contains(text, "92350102FJDEM9042D") {
		t.Errorf("shown inside the frame:\n%s", text)
	}

	// The other can do no more than link.
	page = `<iframe width="900" height="420" src="` + address + `#ticket=` + ticket() + `"></iframe>`
	b.must(chromedp.Navigate(linking))
	f = b.inside("iframe", "/frame/")
	f.comes("烟嵌入1")
	if at := f.says(`location.href`); strings.Contains(at, "#") || !strings.Contains(at, "/frame/"+demo.OfficeSystem+"/") {
		t.Errorf("the ticket stays in the address: %s", at)
	}
	f.turn(`footer button`)
	f.sees("截至", "营业执照")
	if f.count(`document.querySelectorAll('button[value="missing"]').length`) > 0 {
		f.turn(`button[value="missing"]`)
		f.sees("核对材料")
	}
	// A ticket that was used opens nothing, and says so in the frame.
	page = posts()
	b.must(chromedp.Navigate(posting))
	b.inside("iframe", "/frame/").comes("烟嵌入1")
	b.must(chromedp.Navigate(posting))
	b.inside("iframe", "/frame/").comes("办件票据已经用过")

	// An origin nobody registered can't frame it, whatever its ticket.
	page = posts()
	b.must(chromedp.Navigate(stranger))
	time.Sleep(time.Second)
	list, err := chromedp.Targets(b.ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range list {
		if string(x.Type) == "iframe" && strings.Contains(x.URL, "/frame/") && !slices.Contains(b.looked, string(x.TargetID)) {
			b.inside("iframe", "/frame/").misses("烟嵌入1", "营业执照")
		}
	}
	b.heard() // the browser says that it was refused
	b.as("audit")
	b.open("/admin/records")
	b.sees("开办件")
}

// TestFramesAreWrittenForOldBrowsers: what came after Chromium 80 is not in the
// files of the frame.
func TestFramesAreWrittenForOldBrowsers(t *testing.T) {
	later := map[string][]string{
		"frame.css": {"\n  gap:", " gap:", ";gap:", ":is(", ":where(", ":has(", "inset:", "aspect-ratio", "@layer", "@container", "color-mix", "light-dark", ":focus-visible", "&", "oklch", "dvh"},
		"frame.js":  {"??=", "||=", "&&=", "replaceAll", ".at(", "structuredClone", "Promise.any", "import ", "await ", "hasOwn", "crypto.randomUUID", "#private"},
	}
	for name, list := range later {
		b, err := os.ReadFile(filepath.Join("..", "web", "assets", name))
		if err != nil {
			t.Fatal(err)
		}
		text := string(b)
		if _, after, ok := strings.Cut(text, "*/"); ok { // the comment names what it avoids
			text = after
		}
		for _, s := range list {
			if strings.Contains(text, s) {
				t.Errorf("%s uses %q", name, s)
			}
		}
	}
}
