package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/alexedwards/scs/v2"

	"elicense"
)

// What a session remembers of who signed in: his account, and with which password.
const (
	sessionAccount = "account"
	sessionSecret  = "secret"
)

func (s *server) newSessions() *scs.SessionManager {
	m := scs.New()
	m.Store = s.Sessions
	m.Lifetime, m.IdleTimeout = sessionLife, sessionIdle
	m.Cookie.Name = "elicense"
	if s.training {
		m.Cookie.Name = practiceCookie
	}
	m.Cookie.HttpOnly, m.Cookie.SameSite = true, http.SameSiteLaxMode
	m.Cookie.Secure = strings.HasPrefix(s.PublicURL, "https:")
	m.ErrorFunc = func(w http.ResponseWriter, r *http.Request, err error) {
		s.handle(public, func(*visit) error { return err }).ServeHTTP(w, r)
	}
	return m
}

// policy allows the pages their own files and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// secured sets the headers every answer carries.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

func errCrossOrigin() error {
	return elicense.E(elicense.Forbidden, "没有办理：请求不是从本平台的页面发出的").Then("请从本平台的页面重新办理")
}

// signedIn makes the session the actor's.
func (s *server) signedIn(r *http.Request, a *elicense.Actor) error {
	if err := s.sessions.RenewToken(r.Context()); err != nil {
		return err
	}
	s.sessions.Put(r.Context(), sessionAccount, string(a.Account))
	s.sessions.Put(r.Context(), sessionSecret, a.Secret)
	return nil
}

// actor finds out who visits. A session whose account is gone ends, and one whose
// password is no longer the account's; who practises has none.
func (s *server) actor(r *http.Request, request string) (*elicense.Actor, error) {
	id := s.sessions.GetString(r.Context(), sessionAccount)
	if id == "" {
		return elicense.Anyone(request), nil
	}
	a, err := s.Org.Actor(r.Context(), elicense.AccountID(id), request)
	if elicense.IsKind(err, elicense.Unauthorized) || err == nil && !s.training && a.Secret != s.sessions.GetString(r.Context(), sessionSecret) {
		return elicense.Anyone(request), s.sessions.Destroy(r.Context())
	}
	return a, err
}

// The names of what the sign-in form carries along: the address to go on to, and
// the text typed into a form whose session ran out.
const (
	carryNext = "next"
	carryForm = "typed"
	carryText = "typed."
)

type signInPage struct {
	Login string
	Next  string
	Carry []pair // hidden inputs
	Desks []demoDesk
}

type pair struct{ Name, Value string }

type demoDesk struct {
	Name     string
	Accounts []DemoAccount
}

func (s *server) signInForm(v *visit) error {
	return s.showSignIn(v, v.r.FormValue(carryNext), nil)
}

func (s *server) showSignIn(v *visit, next string, carry []pair) error {
	d := signInPage{Login: v.r.PostFormValue("login"), Next: local(next), Carry: carry}
	for _, a := range s.Demo {
		i := slices.IndexFunc(d.Desks, func(x demoDesk) bool { return x.Name == a.Desk })
		if i < 0 {
			i = len(d.Desks)
			d.Desks = append(d.Desks, demoDesk{Name: a.Desk})
		}
		d.Desks[i].Accounts = append(d.Desks[i].Accounts, a)
	}
	return v.render("signin", v.t("登录"), d)
}

// signInAgain asks who visits. What was typed into the form travels through the
// sign-in page, so that a session that ran out costs nobody his text.
func (s *server) signInAgain(v *visit) error {
	if v.r.Method != http.MethodPost {
		http.Redirect(v.w, v.r, "/signin?"+carryNext+"="+url.QueryEscape(v.r.URL.RequestURI()), http.StatusSeeOther)
		return nil
	}
	v.refuse(elicense.E(elicense.Unauthorized, "登录已失效，没有办理").Then("请重新登录；长表单里填写的内容都还在"))
	var carry []pair
	if form := v.r.PostFormValue(keptForm); form != "" {
		carry = append(carry, pair{carryForm, form})
		for k, vs := range v.r.PostForm {
			for _, x := range vs {
				carry = append(carry, pair{carryText + k, x})
			}
		}
	}
	return s.showSignIn(v, v.r.URL.RequestURI(), carry)
}

func (s *server) signIn(v *visit) error {
	login, secret := v.r.PostFormValue("login"), v.r.PostFormValue("password")
	if demo := v.r.PostFormValue("demo"); demo != "" && len(s.Demo) > 0 {
		login, secret = demo, s.DemoPassword
	}
	a, err := s.Org.SignIn(v.r.Context(), login, secret, from(v.r), v.who.Request)
	if err != nil {
		return v.again(err, func() error { return s.showSignIn(v, v.r.PostFormValue(carryNext), carried(v.r.PostForm)) })
	}
	if err := s.signedIn(v.r, a); err != nil {
		return err
	}
	if form := v.r.PostFormValue(carryForm); form != "" {
		if err := s.Typed.Save(v.r.Context(), a, short(form), uncarried(v.r.PostForm)); err != nil {
			return err
		}
	}
	next := local(v.r.PostFormValue(carryNext))
	if a.Initial {
		next = "/password"
	}
	if next == "/" {
		next = homeOf(a)
	}
	return v.goTo(next)
}

// carried repeats the hidden inputs of a sign-in that failed.
func carried(form url.Values) (list []pair) {
	for k, vs := range form {
		if k == carryForm || strings.HasPrefix(k, carryText) {
			for _, x := range vs {
				list = append(list, pair{k, x})
			}
		}
	}
	return list
}

func uncarried(form url.Values) map[string][]string {
	out := map[string][]string{}
	for k, vs := range form {
		if name, ok := strings.CutPrefix(k, carryText); ok {
			out[name] = vs
		}
	}
	return out
}

func (s *server) signOut(v *visit) error {
	if err := s.sessions.Destroy(v.r.Context()); err != nil {
		return err
	}
	return v.goTo("/signin")
}

// homeOf is the first page of an actor's desk.
func homeOf(a *elicense.Actor) string {
	for _, d := range desks {
		if d.path != "" && d.admits(a) {
			return d.path
		}
	}
	return "/"
}

// local lets only addresses of this platform through.
func local(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") || strings.Contains(next, `\`) {
		return "/"
	}
	return next
}

// from is where a request comes from, for limits.
func from(r *http.Request) string {
	host := r.RemoteAddr
	if i := strings.LastIndexByte(host, ':'); i >= 0 {
		host = host[:i]
	}
	return strings.Trim(host, "[]")
}

// short bounds a key taken from a request.
func short(s string) string {
	if len(s) > 120 {
		return s[:120]
	}
	return s
}
