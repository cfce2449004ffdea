package web

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"elicense"
	"elicense/cases"
	"elicense/e2e/world"
	"elicense/lifecycle"
	"elicense/org"
	"elicense/oversight"
	"elicense/sharing"
)

var update = flag.Bool("update", false, "write docs/ROUTES.md anew")

// walker is somebody who tries every page. Those who own nothing of what the pages
// are about come first, the owners last, so that what an owner changes is seen by
// nobody after him.
type walker struct {
	login, says string
	sees        *person
	account     elicense.AccountID
	actor       *elicense.Actor
}

var walkers = []walker{
	{login: "", says: "nobody"},
	{login: "holder2", says: "another holder"},
	{login: "xwindow", says: "window, other unit"},
	{login: "xissue", says: "issuing, other unit"},
	{login: "xmatters", says: "matters, other unit"},
	{login: "audit", says: "audit"},
	{login: "supervise", says: "supervision"},
	{login: "window2", says: "window, colleague"},
	{login: "matters", says: "matters"},
	{login: "review", says: "review"},
	{login: "draft", says: "draft, change, register"},
	{login: "window", says: "window, own case"},
	{login: "holder", says: "holder"},
	{login: "admin", says: "administration"},
}

// bodies are forms that would be taken from who may send them.
var bodies = map[string][]string{
	"POST /typed":                               {"form", "x", "a", "b"},
	"POST /check":                               {"code", "00000000000000000000000000"},
	"POST /holder/apply/{code}":                 {"type0", string(world.Firm.CodeType), "code0", world.Firm.Code, "name0", world.Firm.Name},
	"POST /holder/cases/{id}/do/{move}":         {"reason", "不办了"},
	"POST /holder/cases/{id}/agree":             {"type", string(world.Type), "act", "yes"},
	"POST /holder/cases/{id}/materials/{place}": {"act", "license"},
	"POST /holder/agreements/{id}":              {"answer", "yes"},
	"POST /holder/licenses/{id}/print":          {"purpose", "办事"},
	"POST /issue/licenses/{id}/print":           {"purpose", "办事"},
	"POST /issue/licenses/{id}/change":          {"kind", "suspend", "docNo", "鼓市监〔2026〕3号", "reason", "依法办理"},
	"POST /issue/changes/{id}":                  {"do", "refuse", "remark", "请核对"},
	"POST /issue/matters/new":                   {"code", "M98", "name", "试办事项", "days", "5", "online", "on", "n", "1", "m0.name", "申请书", "m0.way", "form"},
	"POST /window/new":                          {"matter", string(world.Matter), "type0", string(world.Firm.CodeType), "code0", world.Firm.Code, "name0", world.Firm.Name, "proof0", "card"},
	"POST /window/cases/{id}":                   {"material", "食品经营许可证", "act", "query"},
	"POST /window/cases/{id}/do/{move}":         {"facts", "rented"},
	"POST /window/cases/{id}/materials/{place}": {"act", "license"},
	"POST /admin/bases":                         {"rank", "law", "title", "某法", "article", "第一条", "quote", "条文", "inForce", "2020-01-01"},
	"POST /admin/bases/{id}/repeal":             {"repealed", "2026-03-10"},
	"POST /admin/types/{code}/{version}":        {"do", "publish"},
	"POST /admin/matters/{code}/{version}":      {"do", "publish"},
	"POST /admin/seals/{id}":                    {"to", "disabled", "remark", "依法停用"},
	"POST /issue/seals/{id}":                    {"to", "disabled", "remark", "依法停用"},
	"POST /issue/seals":                         {"name", "证照专用章", "line", "证照专用章"},
}

var pathValue = regexp.MustCompile(`\{[a-z]+\}`)

// TestEveryRouteWithEveryRole walks the table of pages with everybody, owner and
// not, and compares what each gets with docs/ROUTES.md. A page or a person that is
// added changes that file, where it is read.
func TestEveryRouteWithEveryRole(t *testing.T) {
	if testing.Short() {
		t.Skip("the walk takes its time; make test makes it")
	}
	s := open(t)
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	citizen := func(code, name string) elicense.HolderRef {
		return elicense.HolderRef{CodeType: elicense.CodeCitizen, Code: code, Name: name}
	}
	must(s.Org.Enroll(ctx, []org.Staff{
		{Login: "holder2", Secret: world.Password, Kind: elicense.Holder, Person: citizen("110105194912310011", "冯旁人"), Name: "冯旁人"},
		{Login: "xwindow", Secret: world.Password, Kind: elicense.Staff, Unit: world.Issuer, Person: citizen("350100198506120117", "陈示例"), Name: "陈示例", Duties: []elicense.Duty{elicense.DutyWindow}},
		{Login: "xissue", Secret: world.Password, Kind: elicense.Staff, Unit: world.Office, Person: citizen("350100198506120117", "陈示例"), Name: "陈示例", Duties: []elicense.Duty{elicense.DutyDraft, elicense.DutyReview, elicense.DutyChange, elicense.DutyRegister}},
		{Login: "xmatters", Secret: world.Password, Kind: elicense.Staff, Unit: world.Issuer, Person: citizen("350100198506120117", "陈示例"), Name: "陈示例", Duties: []elicense.Duty{elicense.DutyMatters}},
		{Login: "supervise", Secret: world.Password, Kind: elicense.Staff, Unit: "11350000FJDEM0021G", Person: citizen("350100198506120117", "陈示例"), Name: "陈示例", Duties: []elicense.Duty{elicense.DutySupervise}},
	}))
	made := s.Publish(t, s.Completion("1"))
	draft, err := s.Issuer.Complete(ctx, s.Drafter, s.Completion("2"))
	must(err)
	seq := strconv.FormatInt(draft.Seq, 10)
	firm := []string{"h0.type", string(world.Firm.CodeType), "h0.code", world.Firm.Code, "h0.name", world.Firm.Name}
	for key, value := range s.Completion("2").Fields {
		firm = append(firm, "f."+key, value)
	}
	sent := maps.Clone(bodies)
	sent["POST /issue/drafts/{id}/edit"] = append([]string{"seq", seq}, firm...)
	sent["POST /issue/drafts/{id}/review"] = []string{"seq", seq, "do", "return", "remark", "请核对"}
	sent["POST /issue/new"] = append([]string{
		"type", string(world.Type), "case", "许可9", "kind", "publish", "closed", s.Clock.Now().In(elicense.Shanghai).Format(localTime), "docNo", "鼓市监准〔2026〕9号",
	}, firm...)
	change, err := s.Lifecycle.Propose(ctx, s.Drafter, lifecycle.Change{License: made.License, Kind: elicense.EventSuspend, DocNo: "鼓市监〔2026〕1号", Reason: "依法办理"})
	must(err)
	office := s.openCase(t)
	used, err := s.Sharing.Use(ctx, s.Window, office.ID, sharing.Use{Material: "食品经营许可证", Party: -1, Act: sharing.Query})
	must(err)
	own, err := s.Cases.Apply(ctx, s.Holder, cases.NewCase{Matter: world.Matter, Parties: []cases.Party{{Role: "申请人", Ref: world.Firm}}})
	must(err)
	basis := &cases.Basis{Rank: cases.Law, Title: "某法", Article: "第一条", Quote: "条文", InForce: "2020-01-01"}
	must(s.Cases.AddBasis(ctx, s.Admin, basis))
	list, err := s.Oversight.Records(ctx, s.Auditor, oversight.By{}, 1)
	must(err)
	at := func(pattern string) string {
		return pathValue.ReplaceAllStringFunc(pattern, func(p string) string {
			switch {
			case p == "{version}" || p == "{page}":
				return "1"
			case p == "{place}":
				return "0"
			case p == "{kind}":
				return "received"
			case p == "{record}":
				return string(used.Receipt.Record)
			case p == "{list}":
				return "units.csv"
			case p == "{what}":
				return "lang"
			case p == "{value}":
				return "zh-CN"
			case p == "{system}":
				return "nosystem"
			case p == "{case}":
				return string(office.ID)
			case p == "{move}" && strings.HasPrefix(pattern, "/holder"):
				return "withdraw"
			case p == "{move}":
				return "clarify"
			case strings.HasPrefix(pattern, "/check"):
				return string(made.Code)
			case strings.Contains(pattern, "/matters/") || strings.Contains(pattern, "/apply/"):
				return string(world.Matter)
			case strings.Contains(pattern, "/types/"):
				return string(world.Type)
			case strings.Contains(pattern, "/drafts/"):
				return string(draft.ID)
			case strings.Contains(pattern, "/changes/"):
				return change.ID
			case strings.Contains(pattern, "/seals/"):
				return string(s.Seal)
			case strings.Contains(pattern, "/bases/"):
				return string(basis.ID)
			case strings.Contains(pattern, "/records/"):
				return list[0].ID
			case strings.HasPrefix(pattern, "/holder/cases/"):
				return string(own.ID)
			case strings.Contains(pattern, "/cases/"), strings.Contains(pattern, "/queue/"):
				return string(office.ID)
			case strings.Contains(pattern, "/agreements/"):
				return "00000000000000000000000000"
			}
			return string(made.License)
		})
	}
	people := append([]walker(nil), walkers...)
	for i := range people {
		w := &people[i]
		w.sees = s.visitor(t)
		if w.login != "" {
			w.sees = s.as(t, w.login)
			who, err := s.Org.ActorByLogin(ctx, w.login, "test")
			must(err)
			w.account, w.actor = who.Account, who
		}
		w.sees.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	// refused finds the newest refusal on record of somebody after those he had.
	refused := func(w walker) (id, rule string) {
		list, err := s.Oversight.Records(ctx, s.Auditor, oversight.By{Actor: w.account}, 8)
		must(err)
		for _, e := range list {
			if e.Outcome == "refused" {
				return e.ID, e.Rule
			}
		}
		return "", ""
	}
	var doc bytes.Buffer
	doc.WriteString("# Every page with everybody\n\nWritten by `go test ./web -run EveryRoute -update`; the test compares it. **ok**: done or shown. **sign in**: asked to sign in. A name is the rule of [the law text](../access/law.cedar) that refused, on record. **input**, **none**, **state**, **closed**: he got so far that what he sent, what\nhe named or its state was refused (400, 404, 409, 503); a page that must not betray what exists answers so to everybody. What the API lets whom do is walked\nby `httpapi` TestNobodyReachesWhatIsNotHis over its own description.\n\n| route |")
	for _, w := range people {
		fmt.Fprintf(&doc, " %s |", w.says)
	}
	doc.WriteString("\n|---|" + strings.Repeat("---|", len(people)) + "\n")
	routes := &server{Config: Config{Seals: s.Seals}, mux: http.NewServeMux()}
	routes.routes()
	for _, r := range routes.table {
		method, pattern, ok := strings.Cut(r.pattern, " ")
		if !ok || r.pattern == "POST /signout" || r.pattern == "POST /signin" { // what is no page; what would end the walk
			continue
		}
		path := strings.TrimSuffix(at(pattern), "{$}")
		fmt.Fprintf(&doc, "| %s |", r.pattern)
		for _, w := range people {
			before := ""
			if w.login != "" {
				before, _ = refused(w)
			}
			if method == http.MethodPost {
				w.sees.post(path, sent[r.pattern]...)
			} else {
				w.sees.get(path)
			}
			got := ""
			switch code := w.sees.last.StatusCode; {
			case code == http.StatusSeeOther && strings.HasPrefix(w.sees.last.Header.Get("Location"), "/signin"), code == http.StatusUnauthorized:
				got = "sign in"
			case code < 400:
				got = "ok"
			case code == http.StatusForbidden:
				got = "refused"
				if w.login == "" { // from where no record says who
					break
				}
				if id, rule := refused(w); id != before {
					got = rule
				}
			case code == http.StatusBadRequest:
				got = "input"
			case code == http.StatusNotFound:
				got = "none"
			case code == http.StatusConflict:
				got = "state"
			case code == http.StatusServiceUnavailable && strings.HasSuffix(pattern, "/practice"):
				got = "closed"
			default:
				t.Errorf("%s as %s: status %d", r.pattern, w.says, code)
			}
			if r.desk.path != "" && (w.login == "" && got != "sign in" || w.login != "" && strings.HasPrefix(w.login, "holder") != (r.desk == holder) && got != "desk-duty") {
				t.Errorf("%s as %s: %s", r.pattern, w.says, got)
			}
			if got == "refused" {
				t.Errorf("%s as %s: refused without a record", r.pattern, w.says)
			}
			fmt.Fprintf(&doc, " %s |", got)
		}
		doc.WriteString("\n")
	}
	file := filepath.Join("..", "docs", "ROUTES.md")
	if *update {
		must(os.WriteFile(file, doc.Bytes(), 0o644))
	}
	want, err := os.ReadFile(file)
	must(err)
	if !bytes.Equal(want, doc.Bytes()) {
		was, is := strings.Split(string(want), "\n"), strings.Split(doc.String(), "\n")
		for i := range is {
			if i >= len(was) || was[i] != is[i] {
				t.Errorf("docs/ROUTES.md says otherwise:\n%s", is[i])
			}
		}
	}
}
