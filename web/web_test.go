package web

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"mime/multipart"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"elicense"
	"elicense/access"
	"elicense/calendar"
	"elicense/cases"
	"elicense/catalog"
	"elicense/delivery"
	"elicense/e2e/world"
	"elicense/issuance"
	"elicense/notice"
	"elicense/org"
	"elicense/sharing"
	"elicense/sheet/sheettest"
	"elicense/store/storetest"
)

// site is the pages over a small platform on real parts.
type site struct {
	*world.World
	url string
}

func open(t *testing.T) *site {
	t.Helper()
	clock := storetest.NewClock()
	cfg := storetest.Config(t)
	cfg.Now = clock.Now
	w := world.New(t, cfg, clock)
	w.Org.Offer("draft", "window", "review")
	law, err := access.TheLaw()
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	err = Mount(mux, Config{
		Org: w.Org, Posts: w.Posts, Seals: w.Seals, Sessions: org.NewSessions(w.DB), Typed: org.NewTyped(w.DB), Guard: w.Guard, Law: law, Rules: &access.Rules{DB: w.DB, Guard: w.Guard}, Catalog: w.Catalog,
		Cases: w.Cases, Letters: w.Letters, Issuer: w.Issuer, Lifecycle: w.Lifecycle, Sharing: w.Sharing, Stock: w.Stock, Receipts: w.Receipts, Verifier: w.Verifier, Oversight: w.Oversight, Measures: w.Measures, Kits: w.Kits, OnTime: w.OnTime, Delivery: w.Delivery, Outbox: &delivery.Outbox{Now: w.Clock.Now}, References: w.References,
		Notices: notice.NewBox(w.DB), Calendar: &calendar.Keeper{DB: w.DB, Guard: w.Guard}, Now: clock.Now, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		PublicURL: "http://localhost", Drawer: catalog.NewDrawer(sheettest.Fonts(t)),
		Demo: []DemoAccount{{"签发", "draft", "林样本", "区局", "制证"}, {"窗口", "window", "郑窗口", "烟草局", "收件"}, {"签发", "review", "黄演示", "区局", "审核"}}, DemoPassword: world.Password,
		Practice: func(context.Context) (*Practice, elicense.AccountID, error) { return nil, "", ErrPreparing },
	})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return &site{w, s.URL}
}

// person is a browser without script.
type person struct {
	t      *testing.T
	site   *site
	client *http.Client
	last   *http.Response
}

func (s *site) visitor(t *testing.T) *person {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &person{t: t, site: s, client: &http.Client{Jar: jar}}
}

// as signs in.
func (s *site) as(t *testing.T, login string) *person {
	t.Helper()
	p := s.visitor(t)
	page := p.post("/signin", "login", login, "password", world.Password)
	if p.last.StatusCode != http.StatusOK {
		t.Fatalf("%s can't sign in: %s", login, page)
	}
	return p
}

func (p *person) do(r *http.Request) string {
	p.t.Helper()
	resp, err := p.client.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	p.last = resp
	return string(b)
}

func (p *person) get(path string) string {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.site.url+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	return p.do(r)
}

func (p *person) post(path string, kv ...string) string {
	p.t.Helper()
	form := url.Values{}
	for i := 0; i < len(kv); i += 2 {
		form.Add(kv[i], kv[i+1])
	}
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.site.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return p.do(r)
}

// at is the path of the page that came in the end.
func (p *person) at() string { return p.last.Request.URL.Path }

func (p *person) want(page string, status int, texts ...string) {
	p.t.Helper()
	if p.last.StatusCode != status {
		p.t.Fatalf("%s: status %d, want %d:\n%s", p.at(), p.last.StatusCode, status, page)
	}
	for _, x := range texts {
		if !strings.Contains(page, x) {
			p.t.Errorf("%s does not say %q:\n%s", p.at(), x, page)
		}
	}
}

func (s *site) openCase(t *testing.T) *cases.Case {
	t.Helper()
	k, err := s.Cases.Start(t.Context(), s.Window, cases.NewCase{Matter: world.Matter, Parties: []cases.Party{{Role: "申请人", Ref: world.Firm, Proof: cases.ProofCard}}})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

var inline = regexp.MustCompile(`(?i)\sstyle=|<style|\son[a-z]+=|<script(?:\s+type="module")?>|javascript:`)

func TestEveryPageStandsUnderThePolicy(t *testing.T) {
	s := open(t)
	d := s.Publish(t, s.Completion("1"))
	k := s.openCase(t)
	pages := map[string][]string{
		"": {"/", "/check", "/check/" + string(d.Code), "/types", "/types/" + string(world.Type), "/matters", "/matters/M04", "/tour", "/help", "/signin", "/nowhere"},
		"draft": {
			"/issue", "/issue/new", "/issue/new?type=" + string(world.Type), "/issue/drafts/" + string(d.ID), "/issue/drafts/" + string(d.ID) + "/edit",
			"/issue/licenses", "/issue/licenses/" + string(d.License), "/issue/types", "/issue/types/new", "/issue/types/new?from=" + string(world.Type),
			facePath, facePath + "?from=" + string(world.Type), "/issue/seals", "/issue/seals/" + string(s.Seal),
		},
		"review": {"/issue", "/issue/changes"},
		"window": {
			"/window", "/window/day", "/window/notices", "/window/new", "/window/new?find=yc", "/window/new?matter=M04", "/window/cases/" + string(k.ID),
			"/window/cases/" + string(k.ID) + "?place=0", "/window/cases/" + string(k.ID) + "?do=correct", "/window/cases/" + string(k.ID) + "?do=decide",
			"/window/cases/" + string(k.ID) + "?do=join", "/window/cases/" + string(k.ID) + "?do=hand", "/window/cases/" + string(k.ID) + "/paper/received",
		},
		"holder": {"/holder", "/holder/notices", "/holder/cases", "/holder/agreements", "/holder/rights", "/holder/rights?license=" + string(d.License), "/holder/apply/M04", "/holder/licenses/" + string(d.License), "/holder/licenses/" + string(d.License) + "/uses"},
		"admin":  {"/admin", "/admin/types", "/admin/types/" + string(world.Type) + "/1", "/admin/matters", "/admin/bases", "/admin/use", "/admin/use?from=2026-01-01", "/admin/registries", "/admin/registries?from=2026-01-01", "/admin/notices", "/admin/rules", "/admin/units", "/admin/seals", "/admin/seals/trust", "/admin/seals/" + string(s.Seal)},
		"audit":  {"/admin/withdrawn", "/admin/records", "/admin/records?by=case&key=" + string(k.ID)},
	}
	for login, paths := range pages {
		p := s.visitor(t)
		if login != "" {
			p = s.as(t, login)
		}
		for _, lang := range []string{"zh-CN", "en"} {
			p.get("/set/lang/" + lang + "?back=/help")
			for _, path := range paths {
				page := p.get(path)
				if want := map[bool]int{true: 404, false: 200}[path == "/nowhere"]; p.last.StatusCode != want {
					t.Errorf("%s: status %d:\n%s", path, p.last.StatusCode, page)
				}
				law := policy
				if path == "/check" && checkerBuilt {
					law = checkPolicy
				}
				if got := p.last.Header.Get("Content-Security-Policy"); got != law || !strings.Contains(got, "default-src 'none'") {
					t.Errorf("%s: policy %q", path, got)
				}
				if p.last.Header.Get("X-Content-Type-Options") != "nosniff" || p.last.Header.Get("Cache-Control") != "no-store" {
					t.Errorf("%s: headers %v", path, p.last.Header)
				}
				if m := inline.FindString(page); m != "" {
					t.Errorf("%s holds %q", path, m)
				}
				if n := strings.Count(page, "<h1"); n != 1 || !strings.Contains(page, `id="main"`) || !strings.Contains(page, `<html lang="`+lang+`"`) {
					t.Errorf("%s in %s: %d h1, or no main", path, lang, n)
				}
			}
		}
	}
}

func TestWhatPeopleTypeIsText(t *testing.T) {
	s := open(t)
	const evil = `<script>alert(1)</script>`
	c := s.Completion("1")
	c.Case, c.Fields["legal_rep"] = evil, `"><img src=x onerror=alert(1)>`
	d, err := s.Issuer.Complete(t.Context(), s.Drafter, c)
	if err != nil {
		t.Fatal(err)
	}
	k, err := s.Cases.Start(t.Context(), s.Window, cases.NewCase{
		Matter: world.Matter, Purpose: evil, Parties: []cases.Party{{Role: "<script>alert", Ref: elicense.HolderRef{CodeType: "111", Code: world.Person.Code, Name: evil}, Proof: cases.ProofCard}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for login, paths := range map[string][]string{
		"draft":  {"/issue", "/issue/drafts/" + string(d.ID), "/issue/drafts/" + string(d.ID) + "/edit"},
		"window": {"/window", "/window/cases/" + string(k.ID), "/window/new?find=" + url.QueryEscape(evil)},
		"audit":  {"/admin/withdrawn", "/admin/records", "/admin/records?by=case&key=" + url.QueryEscape(evil)},
	} {
		p := s.as(t, login)
		for _, path := range paths {
			if page := p.get(path); strings.Contains(page, "<script>alert") || strings.Contains(page, "<img src=x") {
				t.Errorf("%s lets markup through:\n%s", path, page)
			}
		}
	}
	p := s.visitor(t)
	if page := p.post("/signin", "login", evil, "password", "x", "next", `javascript:alert(1)`); strings.Contains(page, evil) || strings.Contains(page, "javascript:") {
		t.Errorf("sign-in lets markup through:\n%s", page)
	}
}

func TestARefusalSaysWhyAndWhatNextAndBetraysNothing(t *testing.T) {
	s := open(t)
	k := s.openCase(t)
	p := s.as(t, "window2")
	numbers := regexp.MustCompile(`[0-9a-hjkmnp-tv-z]{26,}|\d{4}-\d\d-\d\d[ T0-9:.]*|assets/[^"]*`)
	theirs := p.get("/window/cases/" + string(k.ID))
	p.want(theirs, http.StatusForbidden, "不能查看：这不是您经办的办件", "下一步", "第十三条第二款", "本次拒绝已记录")
	none := p.get("/window/cases/00000000000000000000000000")
	if numbers.ReplaceAllString(theirs, "") != numbers.ReplaceAllString(none, "") {
		t.Errorf("another's case and none differ:\n%s\n%s", theirs, none)
	}
	if strings.Contains(theirs, world.Firm.Name) {
		t.Error("the refusal names the party")
	}
	w := s.as(t, "window")
	page := w.post("/window/cases/"+string(k.ID), "material", "结婚证", "act", "query")
	w.want(page, http.StatusForbidden, "不能查看：这类证照不在本事项的材料清单内", `role="alert"`, "下一步", "材料2份")
	page = w.get("/admin")
	w.want(page, http.StatusForbidden, "这个工作台不在您的岗位职责内")
}

func TestSignIn(t *testing.T) {
	s := open(t)
	p := s.visitor(t)
	wrong := p.post("/signin", "login", "draft", "password", "guess")
	p.want(wrong, http.StatusUnauthorized, "登录名或密码不对", `value="draft"`)
	unknown := p.post("/signin", "login", "nobody", "password", "guess")
	p.want(unknown, http.StatusUnauthorized, "登录名或密码不对")
	page := p.get("/issue")
	p.want(page, http.StatusOK, `name="next" value="/issue"`)
	page = p.post("/signin", "demo", "draft", "next", "/issue/types")
	p.want(page, http.StatusOK, "类别登记", "退出")
	if p.at() != "/issue/types" {
		t.Errorf("went to %s", p.at())
	}
	p.post("/signout")
	if page := p.get("/issue"); !strings.Contains(page, `name="password"`) {
		t.Errorf("still signed in after sign-out:\n%s", page)
	}
	for range 10 {
		p.post("/signin", "login", "review", "password", "guess")
	}
	page = p.post("/signin", "login", "review", "password", world.Password)
	p.want(page, http.StatusTooManyRequests, "登录失败次数过多")
}

func TestASessionIsNewAtSignIn(t *testing.T) {
	s := open(t)
	p := s.as(t, "draft")
	u, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	cookie := func() *http.Cookie {
		for _, c := range p.client.Jar.Cookies(u) {
			if c.Name == "elicense" {
				return c
			}
		}
		t.Fatal("no session cookie")
		return nil
	}
	first := cookie()
	p.post("/signin", "login", "review", "password", world.Password)
	if second := cookie(); second.Value == first.Value {
		t.Error("the session's token outlived a sign-in")
	}
	thief := s.visitor(t)
	for _, token := range []string{first.Value, "a token of the attacker's choice"} {
		thief.client.Jar.SetCookies(u, []*http.Cookie{{Name: "elicense", Value: token}})
		if page := thief.get("/issue"); !strings.Contains(page, `name="password"`) {
			t.Errorf("token %q is signed in", token)
		}
	}
	r := httptest.NewRequest(http.MethodPost, "/signin", strings.NewReader("login=draft&password="+url.QueryEscape(world.Password)))
	r.RequestURI, r.URL.Scheme, r.URL.Host = "", "http", u.Host
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if c := resp.Header.Get("Set-Cookie"); !strings.Contains(c, "HttpOnly") || !strings.Contains(c, "SameSite=Lax") {
		t.Errorf("session cookie: %s", c)
	}
}

func TestForeignPostsAreRefused(t *testing.T) {
	s := open(t)
	p := s.as(t, "window")
	k := s.openCase(t)
	for name, header := range map[string][2]string{"site": {"Sec-Fetch-Site", "cross-site"}, "origin": {"Origin", "https://elsewhere.example"}} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/window/cases/"+string(k.ID)+"/do/close", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set(header[0], header[1])
		page := p.do(r)
		if p.last.StatusCode != http.StatusForbidden || !strings.Contains(page, "不是从本平台的页面发出的") {
			t.Errorf("%s: %d\n%s", name, p.last.StatusCode, page)
		}
	}
	if again, _, err := s.Cases.Get(t.Context(), s.Window, k.ID); err != nil || !again.Open() {
		t.Errorf("a foreign post closed the case: %v", err)
	}
}

func TestTypedTextIsKept(t *testing.T) {
	s := open(t)
	p := s.as(t, "draft")
	form := "/issue/new?type=" + string(world.Type)
	fields := []string{
		"form", "completion/" + string(world.Type) + "/", "type", string(world.Type), "kind", "publish", "case", "", "closed", "2026-03-10T09:00",
		"h0.type", "001", "h0.code", world.Firm.Code, "h0.name", world.Firm.Name, "f.legal_rep", "写到一半的人",
	}
	page := p.post("/issue/new", fields...)
	p.want(page, http.StatusBadRequest, "要填写办件编号", `href="#f-case"`, `aria-describedby="e-case"`, `aria-invalid="true"`, "写到一半的人", world.Firm.Code)
	p.post("/signout")
	// Sent without a session, the text goes through the sign-in page.
	page = p.post("/issue/new", append(fields, "docNo", "后来写的文号")...)
	p.want(page, http.StatusUnauthorized, "登录已失效", "后来写的文号")
	hidden := regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`).FindAllStringSubmatch(page, -1)
	again := []string{"login", "draft", "password", world.Password}
	seen := map[string]bool{}
	for _, h := range hidden {
		if !seen[h[1]] {
			again = append(again, h[1], h[2])
		}
		seen[h[1]] = true
	}
	p.post("/signin", again...)
	page = p.get(form)
	p.want(page, http.StatusOK, "上次没有提交的内容还在", "写到一半的人", "后来写的文号")
	// Nobody else sees it, and it is gone once it was sent.
	if page := s.as(t, "both").get(form); strings.Contains(page, "写到一半的人") {
		t.Error("typed text of another account is shown")
	}
	c := s.Completion("1")
	done := []string{"type", string(world.Type), "kind", "publish", "case", "许可1", "closed", "2026-03-10T09:00", "h0.type", "001", "h0.code", world.Firm.Code, "h0.name", world.Firm.Name}
	for k, x := range c.Fields {
		done = append(done, "f."+k, x)
	}
	page = p.post("/issue/new", done...)
	p.want(page, http.StatusOK, "待审核")
	if page := p.get(form); strings.Contains(page, "写到一半的人") {
		t.Error("sent text is still kept")
	}
}

func TestReviewThroughThePages(t *testing.T) {
	s := open(t)
	d, err := s.Issuer.Complete(t.Context(), s.Drafter, s.Completion("1"))
	if err != nil {
		t.Fatal(err)
	}
	path := "/issue/drafts/" + string(d.ID)
	both := s.as(t, "both")
	page := both.post(path+"/review", "seq", fmt.Sprint(d.Seq), "do", "approve")
	both.want(page, http.StatusForbidden, "制证和审核不能是同一个人", "第七条第一款", "热食类食品制售")
	p := s.as(t, "review")
	page = p.post(path+"/review", "seq", fmt.Sprint(d.Seq), "do", "return", "remark", "")
	p.want(page, http.StatusBadRequest, "退回要写明原因")
	face := p.get(path + "/face/1")
	if p.last.Header.Get("Content-Type") != "image/svg+xml" || !strings.HasPrefix(face, "<svg") {
		t.Errorf("face: %s %.80s", p.last.Header.Get("Content-Type"), face)
	}
	if p.get(path + "/face/9"); p.last.StatusCode != http.StatusNotFound {
		t.Errorf("a face's ninth page: %d", p.last.StatusCode)
	}
	page = p.post(path+"/review", "seq", fmt.Sprint(d.Seq), "do", "approve", "digest", strings.Repeat("0", 64))
	p.want(page, http.StatusConflict, "照面和您看过的不同了")
	_, digest, _ := strings.Cut(page, `name="digest" value="`)
	p.post(path+"/review", "seq", fmt.Sprint(d.Seq), "do", "approve", "digest", digest[:min(64, len(digest))])
	if got := s.Published(t, d.ID); got.State != issuance.Published {
		t.Errorf("state %s", got.State)
	}
	page = p.post(path+"/review", "seq", fmt.Sprint(d.Seq), "do", "approve")
	p.want(page, http.StatusConflict, "这份草稿已发布，不能再办")
}

func TestUseInACaseShowsTheProjection(t *testing.T) {
	s := open(t)
	s.Publish(t, s.Completion("1"))
	k := s.openCase(t)
	p := s.as(t, "window")
	page := p.post("/window/cases/"+string(k.ID), "material", "食品经营许可证", "place", "0", "act", "query")
	p.want(page, http.StatusOK, "JY1", "用证凭据", `class="f-water"`, "郑窗口")
	if strings.Contains(page, "热食类") {
		t.Error("a field the matter does not need is shown")
	}
	link := regexp.MustCompile(`/window/cases/[^"]*/receipt`).FindString(page)
	file := p.get(link)
	if r, err := sharing.ParseReceipt([]byte(file)); err != nil || r.Checked.Case != k.ID || r.Checked.Act != sharing.Query {
		t.Errorf("receipt at %q: %v: %s", link, err, file)
	}
	other := s.as(t, "window2")
	other.want(other.get(link), http.StatusForbidden, "这不是您的用证")
	page = p.post("/window/cases/"+string(k.ID), "material", "食品经营许可证", "type", string(world.Type), "act", "compare", "f.license_no", "JY2")
	p.want(page, http.StatusOK, "1项不一致", "JY<mark>2</mark>")
	page = p.post("/window/cases/" + string(k.ID) + "/do/close")
	p.want(page, http.StatusOK, "这个办件已经办结")
}

// TestPaperFromTheDesks takes both kinds of copies where a license stands on a page.
func TestPaperFromTheDesks(t *testing.T) {
	s := open(t)
	d := s.Publish(t, s.Completion("1"))
	for login, base := range map[string]string{"holder": "/holder/licenses/", "draft": "/issue/licenses/"} {
		path := base + string(d.License)
		p := s.as(t, login)
		p.want(p.get(path), http.StatusOK, path+"/file", path+"/pdf", path+"/print")
		for name, ask := range map[string]func() string{
			".pdf":       func() string { return p.get(path + "/pdf") },
			"-print.pdf": func() string { return p.post(path+"/print", "purpose", "入学报名") },
		} {
			b := ask()
			if got := p.last.Header.Get("Content-Disposition"); p.last.StatusCode != http.StatusOK || !strings.HasPrefix(b, "%PDF-") || !strings.HasSuffix(got, name+`"`) {
				t.Errorf("%s: status %d, %q, %.20q", path+name, p.last.StatusCode, got, b)
			}
		}
		long := strings.Repeat("长", 61)
		p.want(p.post(path+"/print", "purpose", long), http.StatusBadRequest, "用途最多60个字", "第十五条", long)
	}
	stranger := s.as(t, "window")
	if stranger.post("/holder/licenses/" + string(d.License) + "/print"); stranger.last.StatusCode == http.StatusOK {
		t.Error("another person's license was printed")
	}
}

func TestPublicCheck(t *testing.T) {
	s := open(t)
	d := s.Publish(t, s.Completion("1"))
	p := s.visitor(t)
	page := p.post("/check", "code", " http://localhost/check/"+string(d.Code)+" ")
	p.want(page, http.StatusOK, "真实，现行有效", "状态截至", "福州市鼓楼区市场监督管理局")
	for _, secret := range []string{world.Firm.Name, world.Firm.Code, "陈示例", string(d.Identifier)} {
		if strings.Contains(page, secret) {
			t.Errorf("the public check tells %q", secret)
		}
	}
	page = p.post("/check", "code", string(d.Identifier))
	p.want(page, http.StatusNotFound, "查不到")
	page = p.post("/check", "code", "  ")
	p.want(page, http.StatusBadRequest, "要填写查验码")
	file, _, err := s.Sharing.File(t.Context(), s.Holder, d.License, false)
	if err != nil {
		t.Fatal(err)
	}
	p.want(p.upload(file), http.StatusOK, "真实，现行有效", "和签发时的文件逐字节相同")
	p.want(p.upload([]byte("不是证照")), http.StatusOK, "读不了这个文件")
	p.want(p.upload(make([]byte, maxFile+1)), http.StatusRequestEntityTooLarge, "没有收下")
}

func (p *person) upload(file []byte) string {
	p.t.Helper()
	var b bytes.Buffer
	m := multipart.NewWriter(&b)
	f, err := m.CreateFormFile("file", "a.ofd")
	if err != nil {
		p.t.Fatal(err)
	}
	f.Write(file)
	m.Close()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, p.site.url+"/check", &b)
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Content-Type", m.FormDataContentType())
	return p.do(r)
}

func TestTooLongAForm(t *testing.T) {
	s := open(t)
	p := s.as(t, "draft")
	page := p.post("/issue/new", "case", strings.Repeat("长", maxForm))
	p.want(page, http.StatusRequestEntityTooLarge, "没有收下：发来的内容超过256 KB")
}

func TestOnlyLocalAddressesAreGoneTo(t *testing.T) {
	for next, want := range map[string]string{
		"/issue?x=1": "/issue?x=1", "": "/", "https://elsewhere.example/": "/", "//elsewhere.example": "/", `/\elsewhere.example`: "/", "issue": "/",
	} {
		if got := local(next); got != want {
			t.Errorf("local(%q) = %q", next, got)
		}
	}
}

func TestMattersAreFoundByInitials(t *testing.T) {
	m := &cases.Matter{Code: "M04", Name: "烟草专卖零售许可(新办)"}
	for typed, want := range map[string]bool{"": true, "yczm": true, "YC": true, "零售": true, "m04": true, "xyz": false} {
		if found(m, typed) != want {
			t.Errorf("found by %q: %v", typed, !want)
		}
	}
}

// TestTheTreePictureAddsUp folds the picture's path, side by side, up to the root.
func TestTheTreePictureAddsUp(t *testing.T) {
	for size := uint64(1); size < 40; size++ {
		root := mth(0, size)
		for i := range size {
			path := pathOf(i, 0, size)
			got := leaf(i)
			for _, st := range treeOf(i, size, path, "", "").Steps {
				h := path[st.N-1]
				if st.Left {
					got = node(h, got)
				} else {
					got = node(got, h)
				}
			}
			if got != root {
				t.Fatalf("leaf %d of %d: %s, want %s", i, size, got, root)
			}
		}
	}
}

func leaf(i uint64) string    { return fmt.Sprint(i) }
func node(a, b string) string { return "(" + a + " " + b + ")" }
func split(n uint64) (k uint64) {
	for k = 1; k*2 < n; k *= 2 {
	}
	return k
}

func mth(from, to uint64) string {
	if to-from == 1 {
		return leaf(from)
	}
	k := split(to - from)
	return node(mth(from, from+k), mth(from+k, to))
}

func pathOf(i, from, to uint64) []string {
	if to-from == 1 {
		return nil
	}
	k := from + split(to-from)
	if i < k {
		return append(pathOf(i, from, k), mth(k, to))
	}
	return append(pathOf(i, k, to), mth(from, k))
}
