package web

import (
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"elicense"
	"elicense/catalog"
	"elicense/issuance"
	"elicense/offline"
)

// station is the desk of a machine without network: its pages look like the
// platform's, and are served to this machine alone.
var stationDesk = &desk{name: "station", title: "离线制证"}

// stationIdle is how long an officer may leave the page before he gives his PIN
// again.
const stationIdle = 15 * time.Minute

const cookieStation = "station"

// stationServer serves the pages of a station.
type stationServer struct {
	*server
	station *offline.Station

	mu   sync.Mutex
	open map[string]*atStation
}

// atStation is an officer at the page.
type atStation struct {
	officer *offline.Officer
	seen    time.Time
}

// Station returns the pages two officers make licenses at, on a machine without
// network. They are for that machine: a request under another name than its own is
// refused.
func Station(st *offline.Station, now func() time.Time) (http.Handler, error) {
	s := &stationServer{
		server:  &server{Config: Config{Now: now, Log: slog.Default()}, pages: map[string]*templates{}, mux: http.NewServeMux()},
		station: st, open: map[string]*atStation{},
	}
	for _, lang := range []string{chinese, english} {
		t, err := parsed[lang]()
		if err != nil {
			return nil, err
		}
		s.pages[lang] = t
	}
	at := func(pattern string, h func(*visit, *offline.Officer) error) { s.mux.Handle(pattern, s.handle(h)) }
	at("GET /{$}", s.home)
	at("POST /open", s.begin)
	at("POST /close", s.end)
	at("GET /set/{what}/{value}", s.prefer)
	at("GET /new", s.form)
	at("POST /new", s.enter)
	at("GET /rows/{n}", s.row)
	at("POST /rows/{n}", s.decide)
	at("GET /rows/{n}/face/{page}", s.face)
	at("GET /rows/{n}/pdf", s.paper)
	at("GET /rows/{n}/ofd", s.sealed)
	at("POST /clock", s.setRight)
	at("POST /export", s.export)
	at("/", func(*visit, *offline.Officer) error { return errNoPage() })
	mux := http.NewServeMux()
	mux.Handle("GET /assets/", secured(assetHandler()))
	mux.Handle("/", secured(http.NewCrossOriginProtection().Handler(s.mux)))
	return onThisMachine(mux), nil
}

// onThisMachine refuses requests under a name that is not this machine's: a page
// from elsewhere must not reach a station through a name of its own.
func onThisMachine(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		if ip := net.ParseIP(strings.Trim(host, "[]")); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			http.Error(w, "此页面只在本机打开", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

func (s *stationServer) handle(h func(*visit, *offline.Officer) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := s.newVisit(w, r, stationDesk)
		err := v.readForm()
		if err == nil {
			err = h(v, s.officer(r))
		}
		if err != nil {
			v.refuse(err)
			if err := v.render("refused", v.t(titleOf[v.refusal.Kind]), nil); err != nil {
				http.Error(w, v.refusal.Text, statusOf[v.refusal.Kind])
			}
		}
	})
}

// officer is who is at the page, nil for nobody.
func (s *stationServer) officer(r *http.Request) *offline.Officer {
	c, err := r.Cookie(cookieStation)
	if err != nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.open[c.Value]
	if a == nil {
		return nil
	}
	if s.Now().Sub(a.seen) > stationIdle {
		delete(s.open, c.Value)
		return nil
	}
	a.seen = s.Now()
	return a.officer
}

func errNotOpen() error {
	return elicense.E(elicense.Unauthorized, "要先输入口令").Then("请从首页选择自己并输入口令")
}

type stationPage struct {
	Kit     *offline.Kit
	Officer *offline.Officer
	Rows    []*offline.Made
	Left    int
	Waiting int
	Sealed  int
	Clock   bool // the clock is to be put right
	Over    bool // the kit has run out
	Role    string
}

func (s *stationServer) home(v *visit, o *offline.Officer) error {
	d := stationPage{Kit: s.station.Kit(), Officer: o, Left: s.station.Left(), Role: v.Posted("role")}
	d.Over = v.Now().After(d.Kit.To)
	if o != nil {
		list, err := o.Rows()
		if err != nil {
			return err
		}
		for i := len(list) - 1; i >= 0; i-- {
			d.Rows = append(d.Rows, list[i])
			switch list[i].State {
			case offline.RowEntered:
				d.Waiting++
			case offline.RowSealed:
				d.Sealed++
			}
		}
		d.Clock = v.refusal != nil && v.refusal.Field == "clock"
	}
	return v.render("station", v.t("离线制证"), d)
}

func (s *stationServer) begin(v *visit, _ *offline.Officer) error {
	o, err := s.station.Open(offline.Role(v.Posted("role")), v.Posted("pin"))
	if err != nil {
		return v.again(err, func() error { return s.home(v, nil) })
	}
	id := elicense.RandomID[string]()
	s.mu.Lock()
	s.open[id] = &atStation{o, s.Now()}
	s.mu.Unlock()
	http.SetCookie(v.w, &http.Cookie{Name: cookieStation, Value: id, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode})
	if err := o.Begin(); err != nil {
		return v.again(err, func() error { return s.home(v, o) })
	}
	return v.goTo("/")
}

func (s *stationServer) end(v *visit, _ *offline.Officer) error {
	if c, err := v.r.Cookie(cookieStation); err == nil {
		s.mu.Lock()
		delete(s.open, c.Value)
		s.mu.Unlock()
	}
	return v.goTo("/")
}

func (s *stationServer) prefer(v *visit, _ *offline.Officer) error {
	name, value := v.r.PathValue("what"), v.r.PathValue("value")
	if !(name == cookieLang && s.pages[value] != nil || name == cookieElder && (value == "on" || value == "off")) {
		return errNoPage()
	}
	http.SetCookie(v.w, &http.Cookie{Name: name, Value: value, Path: "/", SameSite: http.SameSiteLaxMode, HttpOnly: true})
	return v.goTo(local(v.r.FormValue("back")))
}

// stationForm is the form of a completed case.
type stationForm struct {
	Kit     *offline.Kit
	Type    *catalog.Type
	In      typed
	Now     string
	Holders []holderRow
}

func (s *stationServer) form(v *visit, o *offline.Officer) error {
	if o == nil {
		return errNotOpen()
	}
	d := stationForm{Kit: s.station.Kit(), Now: v.Now().In(elicense.Shanghai).Format(localTime), In: typed{Values: v.r.PostForm}}
	d.Type = d.Kit.Type(elicense.TypeCode(v.r.FormValue("type")))
	if d.Type == nil && len(d.Kit.Types) == 1 {
		d.Type = d.Kit.Types[0]
	}
	if d.Type == nil {
		return errNoPage()
	}
	if d.In.Values == nil {
		d.In.Values = map[string][]string{}
	}
	d.Holders = holderRows(d.In)
	return v.render("stationnew", v.t("制证：%s", d.Type.Name), d)
}

func (s *stationServer) enter(v *visit, o *offline.Officer) error {
	if o == nil {
		return errNotOpen()
	}
	again := func(err error) error { return v.again(err, func() error { return s.form(v, o) }) }
	closed, err := time.ParseInLocation(localTime, v.Posted("closed"), elicense.Shanghai)
	if err != nil {
		return again(elicense.E(elicense.Invalid, "要填写办结时间").At("closed").Under("第七条第二款").Because(err))
	}
	m, err := o.Enter(issuance.Completion{
		Case: v.Posted("case"), Item: v.Posted("item"), Type: elicense.TypeCode(v.Posted("type")), Closed: closed, DocNo: strings.TrimSpace(v.Posted("docNo")),
		Holders: holdersFrom(v.r), Fields: fieldsFrom(v.r), IssuedOn: elicense.Date(v.Posted("issuedOn")), ValidFrom: elicense.Date(v.Posted("validFrom")),
	})
	if err != nil {
		return again(err)
	}
	return v.goTo("/rows/" + strconv.Itoa(m.Number))
}

type stationRow struct {
	*offline.Made
	Officer *offline.Officer
	Pages   int
	Trouble string
}

func (s *stationServer) number(v *visit) int {
	n, err := strconv.Atoi(v.r.PathValue("n"))
	if err != nil {
		return 0
	}
	return n
}

func (s *stationServer) row(v *visit, o *offline.Officer) error {
	if o == nil {
		return errNotOpen()
	}
	list, err := o.Rows()
	if err != nil {
		return err
	}
	for _, m := range list {
		if m.Number != s.number(v) {
			continue
		}
		d := stationRow{Made: m, Officer: o}
		if m.State != offline.RowVoid {
			pages, err := o.Preview(m.Number)
			if err != nil {
				return err
			}
			d.Pages = len(pages)
		}
		return v.render("stationrow", v.t("第%d份", m.Number), d)
	}
	return errNoPage()
}

func (s *stationServer) decide(v *visit, o *offline.Officer) error {
	if o == nil {
		return errNotOpen()
	}
	var err error
	switch v.Posted("do") {
	case "seal":
		err = o.Seal(s.number(v))
	case "void":
		err = o.Void(s.number(v), v.Posted("reason"))
	default:
		err = errNoPage()
	}
	if err != nil {
		return v.again(err, func() error { return s.row(v, o) })
	}
	if v.Posted("do") == "void" {
		return v.goTo("/")
	}
	return v.goTo("/rows/" + strconv.Itoa(s.number(v)))
}

func (s *stationServer) face(v *visit, o *offline.Officer) error {
	if o == nil {
		return errNotOpen()
	}
	pages, err := o.Preview(s.number(v))
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(v.r.PathValue("page"))
	if err != nil || n < 1 || n > len(pages) {
		return errNoPage()
	}
	return v.svg(pages[n-1])
}

func (s *stationServer) paper(v *visit, o *offline.Officer) error {
	if o == nil {
		return errNotOpen()
	}
	b, err := o.Print(s.number(v))
	if err != nil {
		return err
	}
	return v.file("license-"+strconv.Itoa(s.number(v))+".pdf", "application/pdf", b)
}

func (s *stationServer) sealed(v *visit, o *offline.Officer) error {
	if o == nil {
		return errNotOpen()
	}
	b, err := o.File(s.number(v))
	if err != nil {
		return err
	}
	return v.file("license-"+strconv.Itoa(s.number(v))+".ofd", "application/ofd", b)
}

func (s *stationServer) setRight(v *visit, o *offline.Officer) error {
	if o == nil {
		return errNotOpen()
	}
	if err := o.SetRight(v.Posted("reason")); err != nil {
		return v.again(err, func() error { return s.home(v, o) })
	}
	return v.goTo("/")
}

func (s *stationServer) export(v *visit, o *offline.Officer) error {
	if o == nil {
		return errNotOpen()
	}
	b, err := o.Export()
	if err != nil {
		return v.again(err, func() error { return s.home(v, o) })
	}
	return v.file("offline-"+strings.ToLower(s.station.Kit().ID)+"-"+v.Now().In(elicense.Shanghai).Format("20060102-1504")+".zip", "application/zip", b)
}
