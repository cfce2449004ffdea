package web

import (
	"bytes"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"elicense"
	"elicense/issuance"
	"elicense/offline"
	"elicense/posts"
	"elicense/workday"
)

// visit is one request of a person, and the page that answers it.
type visit struct {
	*server
	w       http.ResponseWriter
	r       *http.Request
	desk    *desk
	who     *elicense.Actor
	request string
	lang    string
	elder   bool
	days    *workday.Calendar // once the page has asked
	refusal *refusal          // shown on top of the page; its kind is the status
}

// refusal is an error as a page shows it.
type refusal struct {
	Kind              elicense.Kind
	Text, Next        string
	Clause, Record    string
	Field, RequestNum string
}

// The cookies of preferences.
const (
	cookieLang  = "lang"
	cookieElder = "elder"
)

func (s *server) newVisit(w http.ResponseWriter, r *http.Request, d *desk) *visit {
	v := &visit{server: s, w: w, r: r, desk: d, request: elicense.NewID[string](s.Now()), lang: chinese}
	v.who = elicense.Anyone(v.request)
	if c, err := r.Cookie(cookieLang); err == nil && s.pages[c.Value] != nil {
		v.lang = c.Value
	}
	if c, err := r.Cookie(cookieElder); err == nil && c.Value == "on" {
		v.elder = true
	}
	w.Header().Set("X-Request-Id", v.request)
	return v
}

// wideForms are the addresses that take a face with its pictures: the forms that
// hold one, and those a form is kept by or goes through when a session ran out.
var wideForms = map[string]bool{
	"/issue/types/new": true, facePath: true, facePath + "/preview": true, "/typed": true, "/signin": true,
}

// maxWideForm bounds such a form in bytes: a face, encoded.
const maxWideForm = 8 << 20

// readForm reads the body within its limit.
func (v *visit) readForm() error {
	if streamed[v.r.Pattern] {
		return nil
	}
	limit := int64(maxForm)
	if wideForms[v.r.URL.Path] {
		limit = maxWideForm
	}
	multi := strings.HasPrefix(v.r.Header.Get("Content-Type"), "multipart/form-data")
	if multi {
		limit = maxFile
		switch v.r.Pattern {
		case packagePattern:
			limit = offline.MaxPackage + maxForm
		case photosPattern:
			limit = issuance.MaxPhotos + maxForm
		case papersPattern:
			limit = issuance.MaxPhotos + maxPapers + maxForm
		}
	}
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, limit)
	var err error
	if multi {
		err = v.r.ParseMultipartForm(limit) // all of it in memory: nothing is laid down in the clear
	} else {
		err = v.r.ParseForm()
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return elicense.E(elicense.TooLarge, "没有收下：发来的内容超过%d KB", limit>>10).Then("请换一个小一些的文件，或分开填写").Because(err)
	case err != nil:
		return incomplete(err)
	}
	return nil
}

// t translates a sentence into the visitor's language.
func (v *visit) t(text string, args ...any) string { return translate(v.lang, text, args...) }

// refuse has the page say on top why something was not done.
func (v *visit) refuse(err error) {
	var e *elicense.Error
	kind := elicense.KindOf(err)
	if kind == elicense.Internal || !errors.As(err, &e) {
		v.Log.ErrorContext(v.r.Context(), "page failed", "request", v.request, "path", v.r.URL.Path, "err", err)
		v.refusal = &refusal{
			Kind: elicense.Internal, Text: v.t("平台内部出错，没有办成"), Next: v.t("请过几分钟再试；仍不行请把请求编号告诉平台管理员"), RequestNum: v.request,
		}
		return
	}
	if kind == elicense.Unavailable {
		v.Log.WarnContext(v.r.Context(), "unavailable", "request", v.request, "path", v.r.URL.Path, "err", err)
	}
	v.refusal = &refusal{
		Kind: kind, Text: v.sentence(e), Next: v.t(e.Next), Clause: clause(v.lang, e.Clause), Record: e.Record, Field: e.Field,
	}
}

// sentence is what an error says, translated. A rule's reason comes as the
// argument of a bare verb.
func (v *visit) sentence(e *elicense.Error) string {
	if e.Text == "%s" && len(e.Args) == 1 {
		if s, ok := e.Args[0].(string); ok {
			return v.t(s)
		}
	}
	return v.t(e.Text, e.Args...)
}

// again shows a page once more with the refusal on top.
func (v *visit) again(err error, page func() error) error {
	v.refuse(err)
	if perr := page(); perr != nil {
		return err
	}
	return nil
}

// fail is the one place where an error becomes a page.
func (v *visit) fail(err error) {
	v.refuse(err)
	d := v.desk
	if d == framed { // which has no place for the head of a desk
		if err := v.render("frame", v.t(titleOf[v.refusal.Kind]), framePage{System: v.r.PathValue("system")}); err != nil {
			v.Log.ErrorContext(v.r.Context(), "error page failed", "request", v.request, "err", err)
			http.Error(v.w, v.refusal.Text, statusOf[v.refusal.Kind])
		}
		return
	}
	if !d.admits(v.who) || v.who.Kind == elicense.Public {
		v.desk = public
	}
	if err := v.render("refused", v.t(titleOf[v.refusal.Kind]), nil); err != nil {
		v.Log.ErrorContext(v.r.Context(), "error page failed", "request", v.request, "err", err)
		http.Error(v.w, v.refusal.Text, statusOf[v.refusal.Kind])
	}
}

// statusOf is the one table of errors and statuses.
var statusOf = map[elicense.Kind]int{
	elicense.Invalid: http.StatusBadRequest, elicense.NotFound: http.StatusNotFound, elicense.Conflict: http.StatusConflict,
	elicense.Forbidden: http.StatusForbidden, elicense.Unauthorized: http.StatusUnauthorized, elicense.NotInForce: http.StatusConflict,
	elicense.Expired: http.StatusGone, elicense.TooLarge: http.StatusRequestEntityTooLarge, elicense.TooMany: http.StatusTooManyRequests,
	elicense.Unavailable: http.StatusServiceUnavailable, elicense.Internal: http.StatusInternalServerError,
}

var titleOf = map[elicense.Kind]string{
	elicense.Invalid: "填写有误", elicense.NotFound: "没有找到", elicense.Conflict: "没有办成", elicense.Forbidden: "不能办理",
	elicense.Unauthorized: "要先登录", elicense.NotInForce: "不能使用", elicense.Expired: "已经过期", elicense.TooLarge: "内容太大",
	elicense.TooMany: "次数太多", elicense.Unavailable: "暂时办不了", elicense.Internal: "平台内部出错",
}

// page is what a template gets.
type page struct {
	*visit
	Title string
	D     any // of the page's own
}

// render writes a page. It is put together before anything is sent, so that a
// template that fails never leaves half a page.
func (v *visit) render(name, title string, d any) error {
	var b bytes.Buffer
	if err := v.pages[v.lang].execute(&b, name, &page{v, title, d}); err != nil {
		return err
	}
	status := http.StatusOK
	if v.refusal != nil {
		status = statusOf[v.refusal.Kind]
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.Header().Set("Content-Language", v.lang)
	v.w.WriteHeader(status)
	v.w.Write(whole(b.Bytes())) // the visitor is gone if this fails
	return nil
}

// Query returns a value of the page's address.
func (v *visit) Query(name string) string { return v.r.URL.Query().Get(name) }

// Posted returns what was typed into a form that is shown again.
func (v *visit) Posted(name string) string { return v.r.PostFormValue(name) }

func (v *visit) goTo(path string) error {
	http.Redirect(v.w, v.r, path, http.StatusSeeOther)
	return nil
}

// svg answers with a picture.
func (v *visit) svg(b []byte) error {
	v.w.Header().Set("Content-Type", "image/svg+xml")
	v.w.Header().Set("Content-Security-Policy", "default-src 'none'; img-src data:; sandbox")
	v.w.Write(b) // the visitor is gone if this fails
	return nil
}

// file answers with a file to keep.
func (v *visit) file(name, kind string, b []byte) error {
	v.w.Header().Set("Content-Type", kind)
	v.w.Header().Set("Content-Disposition", `attachment; filename="`+name+`"`)
	v.w.Write(b) // the visitor is gone if this fails
	return nil
}

// upload answers with a file somebody uploaded: a picture to look at within the
// strictest policy, anything else to be saved under the name.
func (v *visit) upload(name, kind string, b []byte) error {
	if !strings.HasPrefix(kind, "image/") {
		return v.file(name, kind, b)
	}
	v.w.Header().Set("Content-Type", kind)
	v.w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
	v.w.Write(b) // the visitor is gone if this fails
	return nil
}

// setting keeps a preference in a cookie and goes back.
func (s *server) setting(v *visit) error {
	name, value := v.r.PathValue("what"), v.r.PathValue("value")
	ok := name == cookieLang && s.pages[value] != nil || name == cookieElder && (value == "on" || value == "off")
	if !ok {
		return errNoPage()
	}
	http.SetCookie(v.w, &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: int((365 * 24 * time.Hour).Seconds()), SameSite: http.SameSiteLaxMode, HttpOnly: true,
		Secure: s.sessions.Cookie.Secure,
	})
	return v.goTo(local(v.r.FormValue("back")))
}

// The methods of templates.

// Who is the visitor.
func (v *visit) Who() *elicense.Actor { return v.who }

// SignedIn tells whether the visitor has signed in.
func (v *visit) SignedIn() bool { return v.who.Kind != elicense.Public }

// Home is the first page of the visitor's own desk.
func (v *visit) Home() string { return homeOf(v.who) }

// Desk is the name of the layout.
func (v *visit) Desk() string { return v.desk.name }

// DeskTitle is the name of the desk.
func (v *visit) DeskTitle() string { return v.desk.title }

// Lang is the language of the page.
func (v *visit) Lang() string { return v.lang }

// Elder tells whether the page is in large type.
func (v *visit) Elder() bool { return v.elder }

// Back is this page's address, for the links that set a preference.
func (v *visit) Back() string {
	if v.r.Method != http.MethodGet {
		return v.r.URL.Path
	}
	return v.r.URL.RequestURI()
}

// Refusal is what was not done, and why.
func (v *visit) Refusal() *refusal { return v.refusal }

// Wrong tells whether the refusal is about the field.
func (v *visit) Wrong(field string) bool { return v.refusal != nil && v.refusal.Field == field }

// Staff tells whether the visitor has the duty.
func (v *visit) Staff(d string) bool { return v.who.Has(elicense.Duty(d)) }

// Clock is the time of the page, for what is shown as of now.
func (v *visit) Clock() time.Time { return v.Now() }

// Nav is the desk's navigation, with the current entry marked.
func (v *visit) Nav() []navEntry {
	best, at := "", v.r.URL.Path
	for page, entry := range navUnder {
		if at == page || strings.HasPrefix(at, page+"/") {
			at = entry
		}
	}
	for _, l := range v.desk.nav {
		if p := at; (p == l.Path || strings.HasPrefix(p, l.Path+"/")) && len(l.Path) > len(best) {
			best = l.Path
		}
	}
	var list []navEntry
	group := ""
	for _, l := range v.desk.nav {
		if l.Path == "/tour" && len(v.Demo) == 0 || l.Path == "/admin/systems" && v.who.UnitKind != posts.Administration {
			continue
		}
		if duties := navFor[l.Path]; duties != nil && !slices.ContainsFunc(duties, v.who.Has) {
			continue
		}
		e := navEntry{link: l, Current: l.Path == best}
		if l.Group != group {
			e.Head, group = l.Group, l.Group
		}
		list = append(list, e)
	}
	return list
}

type navEntry struct {
	link
	Head    string // set on the first of a group
	Current bool
}
