package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"elicense/e2e/world"
	"elicense/oversight"
)

// TestSignInAndOut walks what opens and ends a session: the right and the wrong
// secret, the limit of guesses, forms from elsewhere, and what is left afterwards.
func TestSignInAndOut(t *testing.T) {
	s := open(t)
	signIns := func() (done, refused int) {
		t.Helper()
		list, err := s.Oversight.Records(t.Context(), s.Auditor, oversight.By{}, 200)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			switch {
			case e.Act != "sign-in":
			case e.Outcome == "done":
				done++
			default:
				refused++
				if e.Rule != "sign-in" || e.Clause == "" || strings.Contains(strings.Join([]string{e.Actor, e.Detail["login"]}, " "), "window") {
					t.Errorf("recorded as %+v", e)
				}
			}
		}
		return done, refused
	}
	token := func(p *person) string {
		at, err := url.Parse(s.url)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range p.client.Jar.Cookies(at) {
			if c.Name == "elicense" {
				return c.Value
			}
		}
		return ""
	}
	from := func(p *person, path, origin string, kv ...string) string {
		form := url.Values{}
		for i := 0; i < len(kv); i += 2 {
			form.Add(kv[i], kv[i+1])
		}
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+path, strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", origin)
		return p.do(r)
	}

	t.Run("a form from elsewhere signs nobody in or out", func(t *testing.T) {
		p := s.visitor(t)
		page := from(p, "/signin", "https://elsewhere.example", "login", "window", "password", world.Password)
		p.want(page, http.StatusForbidden, "请求不是从本平台的页面发出的")
		p.want(p.get("/window"), http.StatusOK, "登录名")
		in := s.as(t, "window")
		page = from(in, "/signout", "https://elsewhere.example")
		in.want(page, http.StatusForbidden, "请求不是从本平台的页面发出的")
		in.want(in.get("/window"), http.StatusOK, "我的办件")
	})
	t.Run("a session begins with a new token and ends with it", func(t *testing.T) {
		p := s.visitor(t)
		p.get("/signin")
		before := token(p)
		p.post("/signin", "login", "window", "password", world.Password)
		during := token(p)
		if during == "" || during == before {
			t.Errorf("token %q before, %q after", before, during)
		}
		p.want(p.post("/signout"), http.StatusOK, "登录名")
		p.want(p.get("/window"), http.StatusOK, "登录名")
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/window", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.AddCookie(&http.Cookie{Name: "elicense", Value: during})
		stolen := s.visitor(t)
		stolen.want(stolen.do(r), http.StatusOK, "登录名")
		nobody := s.visitor(t)
		nobody.want(nobody.post("/signout"), http.StatusOK, "登录名")
	})
	t.Run("signing in leads nowhere else", func(t *testing.T) {
		for _, next := range []string{"https://elsewhere.example/", "//elsewhere.example", `/\elsewhere.example`, "javascript:alert(1)"} {
			p := s.visitor(t)
			p.post("/signin", "login", "window", "password", world.Password, "next", next)
			if p.last.Request.URL.Path != "/window" || !strings.HasPrefix(p.last.Request.URL.String(), s.url) {
				t.Errorf("%s led to %s", next, p.last.Request.URL)
			}
		}
	})
	t.Run("guesses are recorded and end", func(t *testing.T) {
		done, refused := signIns()
		p := s.visitor(t)
		for _, login := range []string{"window", "nobody-of-that-name"} {
			page := p.post("/signin", "login", login, "password", "wrong")
			p.want(page, http.StatusUnauthorized, "登录名或密码不对", "下一步")
			if strings.Contains(page, "wrong") {
				t.Error("the page repeats the password")
			}
		}
		for range 9 {
			p.post("/signin", "login", "window", "password", "wrong")
		}
		page := p.post("/signin", "login", "window", "password", world.Password)
		p.want(page, http.StatusTooManyRequests, "登录失败次数过多")
		d, r := signIns()
		if d != done || r-refused != 12 {
			t.Errorf("%d sign-ins and %d refusals more", d-done, r-refused)
		}
		s.Clock.Move(16 * time.Minute)
		p.want(p.post("/signin", "login", "window", "password", world.Password), http.StatusOK, "我的办件")
	})
}

// TestEachDeskIsListedOnce: the accounts of a desk stand together, in whatever
// order they come.
func TestEachDeskIsListedOnce(t *testing.T) {
	page := open(t).visitor(t).get("/signin")
	if n := strings.Count(page, "<h2>签发</h2>"); n != 1 {
		t.Errorf("the issuing desk is listed %d times", n)
	}
	for _, login := range []string{"draft", "window", "review"} {
		if !strings.Contains(page, `name="demo" value="`+login+`"`) {
			t.Errorf("%s is not listed", login)
		}
	}
}
