package httpapi_test

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/danielgtaylor/huma/v2"

	"elicense"
	"elicense/access"
	"elicense/e2e/world"
	"elicense/httpapi"
	"elicense/issuance"
	"elicense/lifecycle"
	"elicense/org"
	"elicense/oversight"
	"elicense/store"
	"elicense/store/storetest"
)

// number is an identity number with right check characters that no answer may
// repeat.
const number = "350100198506120117"

// hall is the API over a world with one license, one case and one draft.
type hall struct {
	*world.World
	t       testing.TB
	handler http.Handler
	api     *huma.OpenAPI
	tokens  map[*elicense.Actor]string

	system, citizen, stranger *elicense.Actor // of the issuer; another holder; another unit's jack of all trades
	license, draft            *issuance.Draft // published; waiting for its review
	office                    elicense.CaseID
	change                    string // waits for its review
}

// emptyHall is the API over a world without anything in it yet.
func emptyHall(t testing.TB, cfg store.Config) *hall {
	clock := storetest.NewClock()
	cfg.Now = clock.Now
	h := &hall{World: world.New(t, cfg, clock), t: t, tokens: map[*elicense.Actor]string{}, license: &issuance.Draft{}, draft: &issuance.Draft{}}
	h.Org.Offer("draft", "window", "review")
	mux := http.NewServeMux()
	h.api = httpapi.Mount(mux, httpapi.Config{
		Rules: &access.Rules{DB: h.DB, Guard: h.Guard},
		Org:   h.Org, Posts: h.Posts, Guard: h.Guard, Catalog: h.Catalog, Cases: h.Cases, Letters: h.Letters, Issuer: h.Issuer, Lifecycle: h.Lifecycle, Sharing: h.Sharing, Stock: h.Stock, Receipts: h.Receipts, Measures: h.Measures, Kits: h.Kits, OnTime: h.OnTime, References: h.References, Delivery: h.Delivery,
		Verifier: h.Verifier, Oversight: h.Oversight, Now: clock.Now, Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError})), Version: "test",
	})
	h.handler = mux
	return h
}

func newHall(t testing.TB, cfg store.Config) *hall {
	h := emptyHall(t, cfg)
	all := []elicense.Duty{
		elicense.DutyRegister, elicense.DutyDraft, elicense.DutyReview, elicense.DutyChange, elicense.DutyWindow, elicense.DutySubmit,
	}
	person := elicense.HolderRef{CodeType: elicense.CodeCitizen, Code: "110101198001010010", Name: "外样"}
	h.must(h.Org.Enroll(t.Context(), []org.Staff{
		{Login: "sys", Kind: elicense.System, Unit: world.Issuer, Name: "业务系统", Secret: "client secret", Duties: []elicense.Duty{elicense.DutySubmit}},
		{Login: "holder2", Kind: elicense.Holder, Person: world.Person, Holder: world.Other, Name: world.Other.Name},
		{Login: "stranger", Kind: elicense.Staff, Unit: "11350000FJDEM0021G", Person: person, Name: person.Name, Duties: all},
	}))
	for login, actor := range map[string]**elicense.Actor{"sys": &h.system, "holder2": &h.citizen, "stranger": &h.stranger} {
		var err error
		*actor, err = h.Org.ActorByLogin(t.Context(), login, "test")
		h.must(err)
	}
	h.license = h.Publish(t, h.Completion("1"))
	h.office = h.OpenCase(t).ID
	var err error
	h.draft, err = h.Issuer.Complete(t.Context(), h.Drafter, h.Completion("2"))
	h.must(err)
	c, err := h.Lifecycle.Propose(t.Context(), h.Drafter, lifecycle.Change{
		License: h.license.License, Kind: elicense.EventPledge, DocNo: "鼓市监〔2026〕1号", Reason: "依法办理",
	})
	h.must(err)
	h.change = c.ID
	return h
}

// each runs a test on every engine, one on SQLite alone where no database
// decides.
func each(t *testing.T, f func(h *hall)) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) { f(newHall(t, cfg)) })
}

func one(t *testing.T, f func(h *hall)) { f(newHall(t, storetest.Config(t))) }

func (h *hall) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// token returns a bearer token of the actor, "" for anyone.
func (h *hall) token(who *elicense.Actor) string {
	if who == nil {
		return ""
	}
	if h.tokens[who] == "" {
		token, _, err := h.Org.Token(h.t.Context(), who)
		h.must(err)
		h.tokens[who] = token
	}
	return h.tokens[who]
}

// request makes a request of the actor; headers are names and values in turn.
func (h *hall) request(who *elicense.Actor, method, path, body string, headers ...string) *http.Request {
	r := httptest.NewRequestWithContext(h.t.Context(), method, "http://localhost/", strings.NewReader(body))
	at, query, _ := strings.Cut(path, "?")
	decoded, err := url.PathUnescape(at)
	h.must(err)
	r.URL.Path, r.URL.RawPath, r.URL.RawQuery = decoded, at, query
	r.RequestURI = path
	r.Header.Set("Content-Type", "application/json")
	if token := h.token(who); token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return r
}

func (h *hall) send(who *elicense.Actor, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	h.t.Helper()
	w := httptest.NewRecorder()
	h.handler.ServeHTTP(w, h.request(who, method, path, body, headers...))
	return w
}

// problem checks that an answer is a problem as RFC 9457 writes it: in Chinese,
// and without what was sent. It returns the problem.
func (h *hall) problem(what string, w *httptest.ResponseRecorder, sent ...string) httpapi.Problem {
	h.t.Helper()
	var p httpapi.Problem
	body := w.Body.String()
	if got := w.Header().Get("Content-Type"); got != "application/problem+json" {
		h.t.Errorf("%s: %d %s: %s", what, w.Code, got, body)
		return p
	}
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		h.t.Errorf("%s: %v: %s", what, err, body)
	}
	if p.Status != w.Code || !strings.HasPrefix(p.Type, "urn:elicense:") || p.Request == "" || p.Request != w.Header().Get("X-Request-Id") && w.Header().Get("X-Request-Id") != "" {
		h.t.Errorf("%s: %d: %+v", what, w.Code, p)
	}
	if !strings.ContainsFunc(p.Title, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
		h.t.Errorf("%s: title %q", what, p.Title)
	}
	if w.Code >= http.StatusInternalServerError {
		h.t.Errorf("%s: %d: %s", what, w.Code, body)
	}
	for _, s := range sent {
		if strings.Contains(body, s) {
			h.t.Errorf("%s: the answer repeats what was sent: %s", what, body)
		}
	}
	return p
}

func (h *hall) want(what string, w *httptest.ResponseRecorder, status int, sent ...string) httpapi.Problem {
	h.t.Helper()
	if w.Code != status {
		h.t.Errorf("%s: %d, want %d: %s", what, w.Code, status, w.Body)
	}
	return h.problem(what, w, sent...)
}

func (h *hall) form(values url.Values, headers ...string) *httptest.ResponseRecorder {
	return h.send(nil, "POST", "/oauth/token", values.Encode(), append([]string{"Content-Type", "application/x-www-form-urlencoded"}, headers...)...)
}

func TestTokens(t *testing.T) {
	each(t, func(h *hall) {
		good := func(w *httptest.ResponseRecorder) string {
			h.t.Helper()
			var answer struct {
				Token string `json:"access_token"`
				Type  string `json:"token_type"`
				Life  int    `json:"expires_in"`
			}
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || w.Code != 200 || answer.Type != "Bearer" || answer.Life != 600 {
				h.t.Fatalf("%d %s", w.Code, w.Body)
			}
			if w.Header().Get("Cache-Control") != "no-store" {
				h.t.Error("a token may be stored on its way")
			}
			return answer.Token
		}
		client := url.Values{"grant_type": {"client_credentials"}, "client_id": {"sys"}, "client_secret": {"client secret"}}
		token := good(h.form(client))
		basic := h.request(nil, "POST", "/oauth/token", "grant_type=client_credentials", "Content-Type", "application/x-www-form-urlencoded")
		basic.SetBasicAuth("sys", "client secret")
		w := httptest.NewRecorder()
		h.handler.ServeHTTP(w, basic)
		good(w)
		person := good(h.form(url.Values{"grant_type": {"password"}, "username": {"draft"}, "password": {world.Password}}))
		for _, tok := range []string{token, person} {
			if w := h.send(nil, "GET", "/api/v1/drafts", "", "Authorization", "Bearer "+tok); w.Code != 200 {
				h.t.Errorf("%d %s", w.Code, w.Body)
			}
		}

		records := h.recorded("sign-in")
		w = h.form(url.Values{"grant_type": {"client_credentials"}, "client_id": {number}, "client_secret": {"a wrong secret"}})
		p := h.want("wrong secret", w, 401, number, "a wrong secret")
		if p.Title != "登录名或密码不对" || w.Header().Get("WWW-Authenticate") == "" {
			h.t.Errorf("%+v", p)
		}
		if n := h.recorded("sign-in") - records; n != 1 {
			h.t.Errorf("%d records of a failed sign-in", n)
		}
		for what, values := range map[string]url.Values{
			"no grant":        {"client_id": {number}},
			"another grant":   {"grant_type": {number}, "username": {"draft"}, "password": {world.Password}},
			"the code's flow": {"grant_type": {"authorization_code"}, "code": {number}},
		} {
			if p := h.want(what, h.form(values), 400, number); p.Field != "grant_type" {
				h.t.Errorf("%s: field %q", what, p.Field)
			}
		}
		h.want("a system by password", h.form(url.Values{"grant_type": {"password"}, "username": {"sys"}, "password": {"client secret"}}), 401)
		h.want("a person by client secret", h.form(url.Values{"grant_type": {"client_credentials"}, "client_id": {"draft"}, "client_secret": {world.Password}}), 401)
		h.want("a login no database takes", h.form(url.Values{"grant_type": {"password"}, "username": {"dr\x00aft\xff"}, "password": {"x"}}), 400)
		h.want("a body too large", h.form(url.Values{"grant_type": {strings.Repeat("g", 20<<10)}}), 413)
		h.want("no form", h.send(nil, "POST", "/oauth/token", `{"grant_type":"password"}`), 400)
		h.want("a broken form", h.send(nil, "POST", "/oauth/token", "grant_type=%zz", "Content-Type", "application/x-www-form-urlencoded"), 400)
		for range 11 {
			w = h.form(url.Values{"grant_type": {"password"}, "username": {"guess"}, "password": {"x"}})
		}
		h.want("guessing", w, 429)
		if w.Header().Get("Retry-After") == "" {
			h.t.Error("429 without Retry-After")
		}
	})
}

// recorded counts the records of an act, of the last thousand.
func (h *hall) recorded(act string) (n int) {
	h.t.Helper()
	list, err := h.Oversight.Records(h.t.Context(), h.Auditor, oversight.By{}, 1000)
	h.must(err)
	for _, e := range list {
		if e.Act == act {
			n++
		}
	}
	return n
}

func TestBearers(t *testing.T) {
	one(t, func(h *hall) {
		for what, header := range map[string]string{
			"none": "", "unknown": "Bearer " + number, "empty": "Bearer ", "no bearer": "Basic " + number, "bytes": "Bearer \xff\xfe",
		} {
			h.want(what, h.send(nil, "GET", "/api/v1/drafts", "", "Authorization", header), 401, number)
		}
		if w := h.send(h.Drafter, "GET", "/api/v1/drafts", ""); w.Code != 200 {
			h.t.Errorf("%d %s", w.Code, w.Body)
		}
		h.want("X-Actor", h.send(h.Drafter, "GET", "/api/v1/drafts", "", "X-Actor", number), 400, number)
		if w := h.send(h.Drafter, "GET", "/api/v1/drafts", ""); w.Code != 200 {
			h.t.Errorf("%d %s", w.Code, w.Body)
		}
		h.Clock.Move(org.TokenLife)
		w := h.send(h.Drafter, "GET", "/api/v1/drafts", "")
		h.want("expired", w, 401)
		if w.Header().Get("WWW-Authenticate") != "Bearer" {
			h.t.Error("401 without WWW-Authenticate")
		}
		delete(h.tokens, h.Drafter)
		h.token(h.Drafter)
		h.must(h.DB.Update(h.t.Context(), func(tx *store.Tx) error { return org.Disable(tx, h.Drafter.Account) }))
		h.want("disabled", h.send(h.Drafter, "GET", "/api/v1/drafts", ""), 401)
	})
}

// TestTheEdge looks at what the API is before anything is asked of the platform.
func TestTheEdge(t *testing.T) {
	h := newHall(t, storetest.Config(t))
	for _, part := range []struct {
		name string
		run  func(*hall)
	}{
		{"what is no operation is a problem too", noOperation}, {"malformed bodies are refused by field", malformedBodies},
		{"the description is valid and whole", description}, {"files are read as files", files}, {"the readable page escapes", pageEscapes},
	} {
		t.Run(part.name, func(t *testing.T) {
			h.t = t
			part.run(h)
		})
	}
}

func noOperation(h *hall) {
	for _, tc := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/api/v1/", 404}, {"GET", "/api/v1/" + number, 404}, {"POST", "/api/v1/licenses/" + number + "/secrets", 404},
		{"DELETE", "/api/v1/cases/" + number, 405}, {"PUT", "/api/v1/completions", 405}, {"PATCH", "/api/v1/folder", 405},
		{"GET", "/api/v1/completions", 405},
	} {
		for _, who := range []*elicense.Actor{nil, h.Drafter} {
			w := h.send(who, tc.method, tc.path, "")
			h.want(tc.method+" "+tc.path, w, tc.status, number)
			if tc.status == 405 && w.Header().Get("Allow") == "" {
				h.t.Errorf("%s %s: 405 without Allow", tc.method, tc.path)
			}
		}
	}
}

func TestKindsAndStatuses(t *testing.T) {
	one(t, func(h *hall) {
		use := "/api/v1/cases/" + string(h.office) + "/uses"
		h.want("Unauthorized", h.send(nil, "GET", "/api/v1/folder", ""), 401)
		h.want("Forbidden", h.send(h.Colleague, "POST", use, `{"material":"食品经营许可证","act":"query"}`), 403)
		h.want("Invalid", h.send(h.Drafter, "POST", "/api/v1/completions", `{"case":"","licenseTypeCode":"`+string(world.Type)+`","closedAt":"2026-03-10T09:00:00+08:00","holders":[],"fields":{}}`), 400)
		h.want("NotFound", h.send(nil, "POST", "/api/v1/checks", `{"code":"00000000000000000000000000"}`), 404)
		closing := "/api/v1/cases/" + string(h.office) + "/closing"
		if w := h.send(h.Window, "POST", closing, ""); w.Code != 200 {
			h.t.Errorf("%d %s", w.Code, w.Body)
		}
		h.want("Conflict", h.send(h.Window, "POST", closing, ""), 409)
		h.want("TooLarge", h.send(h.Drafter, "POST", "/api/v1/completions", `{"case":"`+strings.Repeat("a", 2<<20)+`"}`), 413)
		var w *httptest.ResponseRecorder
		for range 61 {
			w = h.send(nil, "POST", "/api/v1/checks", `{"code":"00000000000000000000000000"}`)
		}
		h.want("TooMany", w, 429)
		if w.Header().Get("Retry-After") == "" {
			h.t.Error("429 without Retry-After")
		}
		h.DB.Close()
		w = h.send(nil, "GET", "/api/v1/matters", "")
		if w.Code != 503 || !strings.Contains(w.Body.String(), "urn:elicense:unavailable") {
			h.t.Errorf("Unavailable: %d %s", w.Code, w.Body)
		}
	})
}

func malformedBodies(h *hall) {
	deep := strings.Repeat(`{"fields":`, 20_000) + strings.Repeat("}", 20_000)
	for what, body := range map[string]string{
		"empty": "", "blank": "  ", "null": "null", "an array": `["` + number + `"]`, "a string": `"` + number + `"`, "a number": number,
		"cut off": `{"case":"` + number, "two values": `{} {"case":"` + number + `"}`, "not JSON": number + "<x/>", "deep": deep,
		"bad UTF-8": "{\"case\":\"\xff\xfe\"}", "an unknown field": `{"` + number + `":"` + number + `"}`, "a byte order mark": "\ufeff{}",
	} {
		w := h.send(h.Drafter, "POST", "/api/v1/completions", body)
		if w.Code != 400 && w.Code != 413 {
			h.t.Errorf("%s: %d", what, w.Code)
		}
		h.problem(what, w, number)
	}
	p := h.want("a missing field", h.send(h.Window, "POST", "/api/v1/cases", `{"parties":[]}`), 400)
	if p.Field != "matterCode" || p.Title != "请求里缺少必填的内容" {
		h.t.Errorf("%+v", p)
	}
	p = h.want("a wrong type within", h.send(h.Window, "POST", "/api/v1/cases", `{"matterCode":"M04","parties":[{"holder":{"code":1,"codeType":"","name":""},"proof":""}]}`), 400)
	if p.Field != "parties[0].holder.code" || p.Title != "内容的类型不符合接口说明" {
		h.t.Errorf("%+v", p)
	}
	h.want("another media type", h.send(h.Window, "POST", "/api/v1/cases", `<a/>`, "Content-Type", "text/xml"), 415)
	p = h.want("a parameter of another type", h.send(h.Drafter, "GET", "/api/v1/drafts?limit="+number+"x", ""), 400, number)
	if p.Field != "limit" {
		h.t.Errorf("%+v", p)
	}
	p = h.want("a parameter not offered", h.send(h.Drafter, "GET", "/api/v1/drafts?state="+number, ""), 400, number)
	if p.Field != "state" {
		h.t.Errorf("%+v", p)
	}
}

// operations lists the API's operations with their paths filled in.
func (h *hall) operations() (list []operation) {
	typed := h.typed()
	for path, item := range h.api.Paths {
		for method, o := range map[string]*huma.Operation{"GET": item.Get, "POST": item.Post} {
			if o == nil {
				continue
			}
			at := parameter.ReplaceAllStringFunc(path, func(p string) string { return typed(path, p) })
			list = append(list, operation{o, method, path, at, h.body(o)})
		}
	}
	slices.SortFunc(list, func(a, b operation) int { return strings.Compare(a.path+a.method, b.path+b.method) })
	return list
}

var parameter = regexp.MustCompile(`\{[a-z]+\}`)

type operation struct {
	*huma.Operation
	method, path, at string
	body             map[string]any // a valid one, for a POST
}

func (h *hall) typed() func(path, parameter string) string {
	list, err := h.Oversight.Records(h.t.Context(), h.Auditor, oversight.By{}, 1)
	h.must(err)
	return func(path, parameter string) string {
		switch {
		case parameter == "{version}":
			return "1"
		case strings.Contains(path, "/units/"):
			return string(world.Issuer)
		case strings.Contains(path, "/accounts/"):
			return "stranger"
		case strings.Contains(path, "/license-types/"):
			return string(world.Type)
		case strings.Contains(path, "/matters/"):
			return string(world.Matter)
		case strings.Contains(path, "/drafts/"):
			return string(h.draft.ID)
		case parameter == "{place}":
			return "0"
		case strings.Contains(path, "/cases/"), strings.Contains(path, "/applications/"):
			return string(h.office)
		case strings.Contains(path, "/license-changes/"):
			return h.change
		case strings.Contains(path, "/records/"):
			return list[0].ID
		}
		return string(h.license.License)
	}
}

// body is a valid body of an operation.
func (h *hall) body(o *huma.Operation) map[string]any {
	holder := map[string]any{"codeType": string(world.Firm.CodeType), "code": world.Firm.Code, "name": world.Firm.Name}
	fields := map[string]any{}
	for k, v := range h.Completion("3").Fields {
		fields[k] = v
	}
	switch o.OperationID {
	case "complete":
		return map[string]any{
			"case": "许可3", "item": "1", "licenseTypeCode": string(world.Type), "closedAt": h.Clock.Now().Format(time.RFC3339), "kind": "publish",
			"documentNumber": "鼓市监准〔2026〕3号", "holders": []any{holder}, "fields": fields, "issuedOn": "2026-03-10", "validFrom": "2026-03-10",
		}
	case "refer":
		return map[string]any{
			"licenseTypeCode": string(world.Type), "holders": []any{holder}, "fields": fields, "issuedOn": "2026-03-10", "validFrom": "2026-03-10",
			"validTo": "2031-03-10", "source": "国家系统",
		}
	case "open-case":
		return map[string]any{
			"matterCode": string(world.Matter), "number": "收1", "purpose": "烟草专卖零售许可",
			"parties": []any{map[string]any{"role": "申请人", "holder": holder, "proof": "card"}},
		}
	case "use":
		return map[string]any{
			"material": "食品经营许可证", "act": "query", "fields": []any{"license_no"}, "licenseTypeCode": string(world.Type), "holder": holder, "party": 0,
			"values": map[string]any{"license_no": "JY1"},
		}
	case "join-case":
		return map[string]any{"role": "经办人", "holder": map[string]any{"codeType": "111", "code": world.Person.Code, "name": world.Person.Name}, "proof": "card"}
	case "move-case", "own-move":
		return map[string]any{"kind": "clarify", "reason": "更正", "items": []any{"一项"}, "documentNumber": "1", "granted": true, "to": "", "facts": []any{"rented"}}
	case "give", "own-give":
		return map[string]any{"way": "paper", "reason": "wish", "note": "自愿", "license": ""}
	case "ask-agreement":
		return map[string]any{"licenseTypeCode": string(world.Type), "party": 0}
	case "report-license":
		return map[string]any{"kind": "missing", "place": 0, "party": 0, "licenseTypeCode": string(world.Type), "note": ""}
	case "apply":
		return map[string]any{"matterCode": string(world.Matter), "facts": []any{"rented"}, "holder": holder}
	case "answer":
		return map[string]any{"agree": true}
	case "propose-matter":
		return map[string]any{
			"matterCode": "M98", "itemCode": "", "name": "试办事项", "promiseWorkdays": 5, "resultTypeCode": "", "online": true, "presence": "", "effects": map[string]any{},
			"materials": []any{map[string]any{"name": "申请书", "way": "form"}},
		}
	case "disclose":
		return map[string]any{
			"licenseTypeCode": string(world.Type), "holder": holder, "documentNumber": "调1", "basis": "某法第一条", "fields": []any{"license_no"}, "reason": "", "tellFrom": "", "tellBasis": "", "licenseNumber": "", "all": true,
		}
	case "decide-disclosure":
		return map[string]any{"approve": true}
	case "system-key":
		return map[string]any{"keyId": "k1", "key": "x", "end": false}
	case "system-origin":
		return map[string]any{"origin": "https://oa.example.gov.cn"}
	case "register-unit", "change-unit":
		return map[string]any{
			"code": string(world.NewUnit), "name": "福州市市场监督管理局", "kind": "dept", "region": "350100", "regionName": "福州市", "parent": "",
		}
	case "open-account":
		return map[string]any{"kind": "staff", "login": "newcomer", "name": "郑窗口", "person": "35010019930830004X", "duties": []any{"draft"}}
	case "move-account":
		return map[string]any{"move": "duties", "duties": []any{"draft"}, "stamp": 1}
	case "change-password":
		return map[string]any{"old": "not this one", "new": "我自己的密码写得很长"}
	case "add-basis":
		return map[string]any{"rank": "law", "title": "某法", "article": "第一条", "quote": "条文", "inForce": "2020-01-01"}
	case "repeal-basis":
		return map[string]any{"from": "2026-03-10"}
	case "propose-event":
		return map[string]any{"kind": "suspend", "documentNumber": "鼓市监〔2026〕2号", "reason": "依法办理", "effectiveAt": h.Clock.Now().Format(time.RFC3339)}
	case "review-draft", "review-event", "decide-type", "decide-matter":
		return map[string]any{"approve": false, "remark": "请改", "reason": "比对不可用", "seq": 1}
	case "move-lot":
		return map[string]any{"move": "submit"}
	case "order-kit":
		return map[string]any{
			"licenseTypeCodes": []any{string(world.Type)}, "ground": "outage", "reason": "网络中断", "proof": "故障单1", "hours": 8, "size": 5, "pin": world.KitPIN,
			"start": h.Clock.Now().Format(time.RFC3339),
		}
	case "confirm-kit":
		return map[string]any{"pin": world.KitPIN + "2"}
	case "cancel-kit":
		return map[string]any{"lost": false, "reason": "网络已恢复"}
	case "judge-row":
		return map[string]any{"good": true}
	case "check":
		return map[string]any{"code": "00000000000000000000000000"}
	case "propose-type":
		b, err := json.Marshal(world.FoodType())
		h.must(err)
		var t map[string]any
		h.must(json.Unmarshal(b, &t))
		delete(t, "face")
		return t
	}
	return map[string]any{}
}

func encode(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// TestNobodyReachesWhatIsNotHis asks every operation as everybody who has no
// business with it: nothing but a refusal, and never an error of ours.
func TestNobodyReachesWhatIsNotHis(t *testing.T) {
	each(t, func(h *hall) {
		open := map[string][]string{ // what the others may do all the same
			"another unit":        {"drafts", "lots", "kits", "queue", "tickets", "results", "results-template", "work", "programmes", "entries", "stock-tables", "stock-sample", "deliveries", "cancelled-messages", "sources", "returns", "differences", "awaited", "mode-proposals"},
			"another clerk":       {"queue"},
			"another holder":      {"folder", "own-cases", "agreements", "own-contacts"},
			"anyone":              nil,
			"a system of another": nil,
		}
		who := map[string]*elicense.Actor{
			"anyone": nil, "another holder": h.citizen, "another clerk": h.Colleague, "another unit": h.stranger,
		}
		refused := []int{400, 401, 403, 404, 409}
		for _, o := range h.operations() {
			for name, actor := range who {
				if o.Security == nil || slices.Contains(open[name], o.OperationID) || name == "another clerk" && o.OperationID == "open-case" {
					continue // public, or his own
				}
				body := ""
				if o.method == "POST" {
					body = encode(o.body)
				}
				w := h.send(actor, o.method, o.at, body)
				what := name + ": " + o.method + " " + o.at
				if !slices.Contains(refused, w.Code) {
					h.t.Errorf("%s: %d %s", what, w.Code, w.Body)
					continue
				}
				h.problem(what, w, world.Firm.Name, world.Firm.Code, "陈示例", "JY1")
			}
		}
		r, err := h.Issuer.Get(h.t.Context(), h.Reviewer, h.draft.ID)
		if err != nil || r.State != issuance.InReview {
			h.t.Errorf("the draft is %s, %v", r.State, err)
		}
		if k, _, err := h.Cases.Get(h.t.Context(), h.Window, h.office); err != nil || !k.Open() {
			h.t.Errorf("the case: %v, %v", k, err)
		}
		if own, err := h.Sharing.Own(h.t.Context(), h.Holder, h.license.License); err != nil || own.Status != elicense.StatusValid {
			h.t.Errorf("the license: %v, %v", own, err)
		}
		h.Fsck(h.t)
	})
}

// hostile are values that no field is meant for. Each holds the number, or is
// something a database does not take.
var hostile = map[string]any{
	"the number": number, "a NUL": "x\x00" + number, "very long": strings.Repeat(number, 2000), "markup": "<script>" + number + "</script>",
	"a format verb": "%s%d" + number, "a path": "../../" + number, "an integer": 350100198506120117, "below zero": -1, "an object": map[string]any{number: number},
	"an array": []any{number}, "null": nil, "empty": "", "true": true, "right to left": "\u202e" + number,
}

// TestHostileValues puts every hostile value into every field of every POST, as
// someone who may do it: what is refused is refused with one sentence that does
// not repeat the value, and nothing breaks.
func TestHostileValues(t *testing.T) {
	if testing.Short() {
		t.Skip("thousands of requests, one after the other: without -short")
	}
	each(t, func(h *hall) {
		keeper := h.keeper()
		who := map[string]*elicense.Actor{
			"register-unit": keeper, "change-unit": keeper, "open-account": keeper, "move-account": keeper, "change-password": keeper,
			"complete": h.Drafter, "refer": h.Drafter, "propose-type": h.Drafter, "propose-event": h.Drafter, "review-draft": h.Reviewer,
			"review-event": h.Reviewer, "decide-type": h.Admin, "open-case": h.Window, "use": h.Window, "close-case": h.Colleague,
			"join-case": h.Window, "move-case": h.Window, "give": h.Window, "ask-agreement": h.Window, "report-license": h.Window, "apply": h.Holder,
			"own-give": h.Holder, "own-move": h.Holder, "object": h.Holder, "answer": h.Holder, "propose-matter": h.Matters, "decide-matter": h.Admin,
			"add-basis": h.Admin, "repeal-basis": h.Admin,
		}
		for _, o := range h.operations() {
			if o.method != "POST" || slices.Contains([]string{"check-file", "attach", "own-attach"}, o.OperationID) {
				continue
			}
			for _, at := range places(o.body, nil) {
				for name, value := range hostile {
					w := h.send(who[o.OperationID], "POST", o.at, encode(with(o.body, at, value)))
					if w.Code >= 400 && w.Code != http.StatusTooManyRequests {
						h.problem(o.OperationID+" "+strings.Join(at, ".")+": "+name, w, number)
					}
				}
			}
		}
		for _, o := range h.operations() { // and into the addresses
			for _, value := range []string{number, "%00", "%FF" + number, "..%2F" + number, strings.Repeat(number, 100)} {
				at := parameter.ReplaceAllString(o.path, value)
				if at == o.path {
					at += "?limit=" + value + "&license=" + value + "&account=" + value + "&unitCode=" + value + "&state=" + value
				}
				w := h.send(h.Auditor, o.method, at, encode(o.body))
				if w.Code >= 400 && w.Code != http.StatusTooManyRequests {
					h.problem(o.method+" "+at, w, number)
				}
			}
		}
		h.Fsck(h.t)
	})
}

// places lists the ways to every value within v.
func places(v any, at []string) (list [][]string) {
	switch v := v.(type) {
	case map[string]any:
		for k, inner := range v {
			list = append(list, append(slices.Clone(at), k))
			list = append(list, places(inner, append(slices.Clone(at), k))...)
		}
	case []any:
		if len(v) > 0 {
			list = append(list, places(v[0], append(slices.Clone(at), "0"))...)
		}
	}
	return list
}

// with returns v with another value at a place.
func with(v any, at []string, value any) any {
	if len(at) == 0 {
		return value
	}
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for k, inner := range v {
			out[k] = inner
		}
		out[at[0]] = with(v[at[0]], at[1:], value)
		return out
	case []any:
		out := slices.Clone(v)
		out[0] = with(v[0], at[1:], value)
		return out
	}
	return value
}

func TestIdempotencyKeys(t *testing.T) {
	each(t, func(h *hall) {
		body := encode(h.body(&huma.Operation{OperationID: "open-case"}))
		first := h.send(h.Window, "POST", "/api/v1/cases", body, "Idempotency-Key", "key-1")
		if first.Code != 201 {
			h.t.Fatalf("%d %s", first.Code, first.Body)
		}
		again := h.send(h.Window, "POST", "/api/v1/cases", body, "Idempotency-Key", "key-1")
		if again.Code != 201 || again.Body.String() != first.Body.String() || again.Header().Get("Idempotent-Replay") != "true" ||
			again.Header().Get("Content-Type") != first.Header().Get("Content-Type") || first.Header().Get("Idempotent-Replay") != "" {
			h.t.Errorf("%d %v %s", again.Code, again.Header(), again.Body)
		}
		other := strings.Replace(body, "收1", "收2", 1)
		h.want("another body", h.send(h.Window, "POST", "/api/v1/cases", other, "Idempotency-Key", "key-1"), 409)
		h.want("the number is taken, whatever the key", h.send(h.Window, "POST", "/api/v1/cases", body, "Idempotency-Key", "key-2"), 409)
		if w := h.send(h.Colleague, "POST", "/api/v1/cases", other, "Idempotency-Key", "key-1"); w.Code != 201 {
			h.t.Errorf("another's key: %d %s", w.Code, w.Body)
		}
		for _, key := range []string{strings.Repeat("k", 129), "k\x00", "k\xff", "钥匙", number + "\n"} {
			if p := h.want("a bad key", h.send(h.Window, "POST", "/api/v1/cases", body, "Idempotency-Key", key), 400, number); p.Field != "Idempotency-Key" {
				h.t.Errorf("%+v", p)
			}
		}
		h.want("a refusal keeps no key", h.send(h.Window, "POST", "/api/v1/cases", "{}", "Idempotency-Key", "key-3"), 400)
		if w := h.send(h.Window, "POST", "/api/v1/cases", strings.Replace(body, "收1", "收3", 1), "Idempotency-Key", "key-3"); w.Code != 201 {
			h.t.Errorf("after a refusal: %d %s", w.Code, w.Body)
		}

		// A use shows what is on the license: repeated, it is decided and recorded anew.
		use := "/api/v1/cases/" + string(h.office) + "/uses"
		ask := `{"material":"食品经营许可证","act":"query"}`
		records := h.recorded("case.use")
		for range 2 {
			if w := h.send(h.Window, "POST", use, ask, "Idempotency-Key", "use-1"); w.Code != 200 || !strings.Contains(w.Body.String(), "JY1") {
				h.t.Errorf("%d %s", w.Code, w.Body)
			}
		}
		if n := h.recorded("case.use") - records; n != 2 {
			h.t.Errorf("%d records of 2 uses", n)
		}
		h.must(h.Cases.Close(h.t.Context(), h.Window, h.office))
		h.want("after the case was closed", h.send(h.Window, "POST", use, ask, "Idempotency-Key", "use-1"), 403, "JY1")
	})
}

func description(h *hall) {
	w := h.send(nil, "GET", "/openapi.json", "")
	var d struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			OperationID string
			Summary     string
			Responses   map[string]json.RawMessage
		}
		Components struct{ Schemas map[string]json.RawMessage }
	}
	if err := json.Unmarshal(w.Body.Bytes(), &d); err != nil || w.Code != 200 || !strings.HasPrefix(d.OpenAPI, "3.1") {
		h.t.Fatalf("%d %v", w.Code, err)
	}
	ids := map[string]bool{}
	for path, methods := range d.Paths {
		for method, o := range methods {
			if o.OperationID == "" || o.Summary == "" || len(o.Responses) == 0 || ids[o.OperationID] {
				h.t.Errorf("%s %s: %+v", method, path, o)
			}
			ids[o.OperationID] = true
		}
	}
	if len(ids) != 182 {
		h.t.Errorf("%d operations are described", len(ids))
	}
	for name := range d.Components.Schemas {
		if !regexp.MustCompile(`^[a-zA-Z0-9._-]+$`).MatchString(name) {
			h.t.Errorf("%q is no name of a schema", name)
		}
	}
	for _, m := range regexp.MustCompile(`"#/components/schemas/([^"]+)"`).FindAllStringSubmatch(w.Body.String(), -1) {
		if d.Components.Schemas[m[1]] == nil {
			h.t.Errorf("%s is referred to and not described", m[1])
		}
	}
	for _, o := range h.operations() { // what is described is there
		if w := h.send(nil, o.method, o.at, ""); w.Code == 404 && strings.Contains(w.Body.String(), "没有这个接口") || w.Code == 405 {
			h.t.Errorf("%s %s: %d", o.method, o.at, w.Code)
		}
	}
	page := h.send(nil, "GET", "/api", "").Body.String()
	for id := range ids {
		o := h.operation(id)
		if !strings.Contains(page, "<code>"+o.path+"</code>") {
			h.t.Errorf("%s is not on the page", o.path)
		}
	}
}

func (h *hall) operation(id string) operation {
	for path, item := range h.api.Paths {
		for _, o := range []*huma.Operation{item.Get, item.Post} {
			if o != nil && o.OperationID == id {
				return operation{Operation: o, path: path}
			}
		}
	}
	h.t.Fatalf("no operation %s", id)
	return operation{}
}

func pageEscapes(h *hall) {
	h.api.Info.Title = `<script>alert("` + number + `")</script>`
	h.api.Paths["/api/v1/folder"].Get.Summary = `<img src=x onerror=alert(1)>`
	page := h.send(nil, "GET", "/api", "").Body.String()
	if strings.Contains(page, "<script") || strings.Contains(page, "<img") || !strings.Contains(page, "&lt;img") {
		h.t.Error("the page holds what it should escape")
	}
}

func files(h *hall) {
	octets := []string{"Content-Type", "application/octet-stream"}
	for what, body := range map[string]string{"no zip": number, "half a zip": "PK\x03\x04" + number} {
		w := h.send(nil, "POST", "/api/v1/checks/file", body, octets...)
		if w.Code != 200 || !strings.Contains(w.Body.String(), `"verdict":"unreadable"`) || strings.Contains(w.Body.String(), number) {
			h.t.Errorf("%s: %d %s", what, w.Code, w.Body)
		}
	}
	h.want("too large", h.send(nil, "POST", "/api/v1/checks/file", strings.Repeat("x", 21<<20), octets...), 413)
	w := h.send(h.Holder, "GET", "/api/v1/folder/"+string(h.license.License)+"/file", "")
	if w.Code != 200 || w.Header().Get("Content-Type") != "application/ofd" || !strings.HasPrefix(w.Header().Get("Content-Disposition"), "attachment") ||
		w.Header().Get("X-Content-Type-Options") != "nosniff" || w.Header().Get("Cache-Control") != "no-store" {
		h.t.Errorf("%d %v", w.Code, w.Header())
	}
	file, err := io.ReadAll(w.Body)
	h.must(err)
	if w := h.send(nil, "POST", "/api/v1/checks/file", string(file), octets...); w.Code != 200 || !strings.Contains(w.Body.String(), `"sameFile":true`) {
		h.t.Errorf("%d %s", w.Code, w.Body)
	}
}

func FuzzCompletion(f *testing.F) {
	h := newHall(f, storetest.Config(f))
	f.Add(encode(h.body(&huma.Operation{OperationID: "complete"})))
	f.Add(`{"case":1}`)
	f.Add(`{"case":"a","fields":{"":""}}`)
	f.Fuzz(func(t *testing.T, body string) {
		h.t = t
		w := h.send(h.Drafter, "POST", "/api/v1/completions", body)
		if w.Code != 201 {
			h.problem("completion", w)
		}
	})
}

// TestNoticesByTheAPI: a system lists the notices of its clerk's case, asks for
// the receipt, and fetches the sealed file; the applicant gets the same.
func TestNoticesByTheAPI(t *testing.T) {
	one(t, func(h *hall) {
		h.SealOffice(h.t)
		base := "/api/v1/cases/" + string(h.office) + "/letters"
		var list []struct {
			Kind, Number, SealedAt string
			Text                   []string
		}
		w := h.send(h.Window, "GET", base, "")
		if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || len(list) != 1 || list[0].Kind != "received" || list[0].SealedAt != "" || len(list[0].Text) == 0 {
			h.t.Fatalf("%v: %s", err, w.Body)
		}
		h.want("before it is sealed", h.send(h.Window, "GET", base+"/received", ""), 404)
		h.want("another's case", h.send(h.Colleague, "POST", base+"/received", ""), 403)
		if w := h.send(h.Window, "POST", base+"/received", ""); w.Code != 204 {
			h.t.Fatalf("%d %s", w.Code, w.Body)
		}
		var ofd *httptest.ResponseRecorder
		for until := time.Now().Add(time.Minute); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
			if ofd = h.send(h.Window, "GET", base+"/received", ""); ofd.Code == 200 {
				break
			}
		}
		own := h.send(h.Holder, "GET", "/api/v1/applications/"+string(h.office)+"/letters/received", "")
		if !bytes.HasPrefix(ofd.Body.Bytes(), []byte("PK")) || !bytes.Equal(ofd.Body.Bytes(), own.Body.Bytes()) {
			h.t.Error("the file is no OFD, or the applicant's is another")
		}
	})
}
