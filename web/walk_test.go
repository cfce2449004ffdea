package web

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"elicense"
	"elicense/e2e/world"
	"elicense/sealing"
)

var update = flag.Bool("update", false, "write docs/ROUTES.md anew")

// bodies are forms that would be taken from who may send them; those made of the
// walk's things are added by walk.
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
	"POST /issue/drafts/{id}/comparison":        {"do", "handle", "remark", "已请登记机关更正"},
	"POST /issue/licenses/{id}/change":          {"kind", "suspend", "docNo", "鼓市监〔2026〕3号", "reason", "依法办理"},
	"POST /window/collect/{id}":                 {"holder", "0", "code", world.Firm.Code, "receiver", "陈示例", "proof", "card"},
	"POST /window/collect/{id}/print":           {"holder", "0", "code", world.Firm.Code, "receiver", "陈示例", "proof", "card"},
	"POST /issue/licenses/{id}/withdraw":        {"ground", "work-secret", "secretDoc", "鼓市监密〔2026〕1号"},
	"POST /issue/changes/{id}":                  {"do", "refuse", "remark", "请核对"},
	"POST /issue/matters/new":                   {"name", "试办事项", "days", "5", "online", "on", "n", "1", "m0.name", "申请书", "m0.way", "form"},
	"POST /issue/types/face/preview":            {},
	"POST /window/new":                          {"matter", string(world.Matter), "type0", string(world.Firm.CodeType), "code0", world.Firm.Code, "name0", world.Firm.Name, "proof0", "card"},
	"POST /window/cases/{id}":                   {"material", "食品经营许可证", "act", "query"},
	"POST /window/cases/{id}/do/{move}":         {"facts", "rented"},
	"POST /window/cases/{id}/materials/{place}": {"act", "license"},
	"POST /issue/lots/{id}":                     {"do", "submit"},
	"POST /issue/lots/{id}/rows/{draft}":        {"do", "good"},
	"POST /issue/kits":                          {"types", string(world.Type), "ground", "outage", "reason", "网络中断", "proof", "故障单1", "hours", "8", "size", "5", "pin", world.KitPIN, "pin2", world.KitPIN},
	"POST /issue/kits/{id}/confirm":             {"pin", world.KitPIN + "2", "pin2", world.KitPIN + "2"},
	"POST /issue/kits/{id}/cancel":              {"reason", "网络已恢复"},
	"POST /issue/contacts/{code}":               {"office", "行政审批科", "phone", "0591-12345678"},
	"POST /admin/systems/{login}":               {"do", "origin", "origin", "https://oa2.example.gov.cn"},
	"POST /issue/stock":                         {"type", string(world.Type), "estimated", "120", "until", "2026-12-31", "basis", "发证台账"},
	"POST /issue/stock/{id}":                    {"do", "refuse", "reason", "已经注销"},
	"POST /issue/samples/{type}":                {"do", "draw"},
	"POST /disclose/new":                        {"type", string(world.Type), "codeType", string(world.Firm.CodeType), "code", world.Firm.Code, "name", world.Firm.Name, "docNo", "调9", "basis", "某法第一条", "fields", "license_no", "which", "all"},
	"POST /disclose/{id}":                       {"do", "approve"},
	"POST /admin/rules":                         {"title", "试行", "docNo", "闽数〔2026〕9号", "text", world.LocalRule},
	"POST /admin/rules/{id}/{version}":          {"do", "approve"},
	"POST /admin/calendar/notice":               {"year", "2027", "doc", "国办发明电〔2026〕99号", "holidays", "元旦 2027-01-01 2027-01-03"},
	"POST /holder/contacts/{channel}":           {"address", "13800138001"},
	"POST /issue/deliveries/{id}/handed":        {"holder", "0", "receiver", "陈示例", "proof", "card"},
	"POST /window/cases/{id}/contacts":          {"party", "0", "channel", "sms", "address", "13800138000"},
	"POST /admin/calendar/day":                  {"day", "2026-11-06", "free", "yes", "name", "防御台风", "docNo", "榕防指〔2026〕8号"},
	"POST /admin/calendar/{id}/end":             {"reason", "台风没有来"},
	"POST /issue/results/{id}":                  {"do", "disagree"},
	"POST /issue/ontime":                        {"minutes", "10"},
	"POST /issue/awaited":                       {"system", "国家系统", "ministry", "某部", "types", string(world.NationalType)},
	"POST /issue/awaited/{id}":                  {"seq", "1", "kind", "call", "on", "2026-03-10", "text", "商请回传", "state", "requested"},
	"POST /admin/ontime/late/{kind}/{id}":       {"do", "excuse", "ground", "outage", "doc", "工单2", "reason", "停机"},
	"POST /password":                            {"old", world.Password, "password", world.Password + "!", "password2", world.Password + "!"},
	"POST /admin/units/new":                     {"code", string(world.NewUnit), "name", "福州市市场监督管理局", "kind", "dept", "region", "350100", "regionName", "福州市"},
	"POST /admin/units/{code}":                  {"name", "鼓楼区市场监督管理局", "kind", "dept", "region", "350102", "regionName", "鼓楼区"},
	"POST /admin/units/{code}/accounts":         {"kind", "staff", "login", "newcomer", "name", "郑窗口", "person", "35010019930830004X", "duties", "draft"},
	"POST /admin/units/{code}/accounts/{login}": {"do", "reset"},
	"POST /admin/bases":                         {"rank", "law", "title", "某法", "article", "第一条", "quote", "条文", "inForce", "2020-01-01"},
	"POST /admin/bases/{id}/repeal":             {"repealed", "2026-03-10"},
	"POST /admin/types/{code}/{version}":        {"do", "publish"},
	"POST /admin/matters/{code}/{version}":      {"do", "publish"},
	"POST /admin/seals/{id}":                    {"to", "disabled", "remark", "依法停用"},
	"POST /issue/seals/{id}":                    {"to", "disabled", "remark", "依法停用"},
	"POST /issue/seals":                         {"name", "证照专用章", "line", "证照专用章"},
}

var pathValue = regexp.MustCompile(`\{[a-z]+\}`)

// walked is the pages with a thing for each.
type walked struct {
	*world.Walk
	site   *site
	bodies map[string][]string
	files  map[string][]byte // that are sent with a form
}

func walk(t *testing.T) *walked {
	t.Helper()
	s := open(t)
	k := &walked{Walk: world.NewWalk(t, s.World), site: s, bodies: maps.Clone(bodies), files: map[string][]byte{}}
	firm := []string{"h0.type", string(world.Firm.CodeType), "h0.code", world.Firm.Code, "h0.name", world.Firm.Name}
	for key, value := range k.Completion("2").Fields {
		firm = append(firm, "f."+key, value)
	}
	seq := func(d world.WalkedDraft) string { return strconv.FormatInt(d.Seq, 10) }
	k.bodies["POST /issue/drafts/{id}/edit"] = append([]string{"seq", seq(k.Edited)}, firm...)
	k.bodies["POST /issue/drafts/{id}/review"] = []string{"seq", seq(k.Judged), "do", "return", "remark", "请核对"}
	k.bodies["POST /holder/contacts/{channel}/confirm"] = []string{"code", k.Typed}
	k.files["POST /issue/drafts/{id}/documents"] = k.Sealed
	k.bodies["POST /issue/drafts/{id}/documents"] = []string{"title", "决定书"}
	k.bodies["POST /issue/new"] = append([]string{
		"type", string(world.Type), "case", "许可9", "kind", "publish", "closed", k.Clock.Now().In(elicense.Shanghai).Format(localTime), "docNo", "鼓市监准〔2026〕9号",
	}, firm...)
	f := world.FoodType()
	entry := []string{
		"name", "食品摊贩备案卡", "issuers", string(world.Issuer), "category", f.Category, "validity", "field", "holders", string(f.Holders),
		"mode", string(f.Mode), "basis", f.Basis, "sharing", "有条件共享", "open", "on",
	}
	roles := map[string]string{"holder_name": "holderName", "uscc": "holderCode", "license_no": "number", "valid_to": "validTo"}
	for i, x := range f.Fields {
		n := strconv.Itoa(i)
		entry = append(entry, "key"+n, x.Key, "label"+n, x.Label, "type"+n, x.Type, "class"+n, string(x.Class), "role"+n, roles[x.Key], "required"+n, "on")
	}
	k.bodies["POST /issue/types/new"] = entry
	k.bodies["POST /issue/types/face"] = []string{"do", "download", "face", faceText(f.Face)}
	seal, err := k.Seals.Details(t.Context(), k.Auditor, k.Seal)
	if err != nil {
		t.Fatal(err)
	}
	k.files["POST /admin/seals"] = seal.Content
	k.bodies["POST /admin/seals"] = []string{"unit", string(world.Issuer), "key", seal.Key}
	root, err := k.Seals.Root(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	k.files["POST /admin/seals/trust"] = root
	k.bodies["POST /issue/stock/new"] = append([]string{"type", string(world.Type), "origin", "stock", "issuedOn", "2017-06-01"}, firm...)
	k.bodies["POST /issue/modes"] = []string{"at", string(world.Type) + "/" + string(world.Issuer), "origin", "local", "reason", "本地制作", "basis", "闽政办〔2026〕1号"}
	k.bodies["POST /issue/modes/own"] = []string{"own", string(world.SharedType) + "/" + string(world.Office), "origin", "local", "reason", "本地制作", "basis", "闽政办〔2026〕1号"}
	k.bodies["POST /admin/modes"] = []string{"at", string(world.AskedType) + "/" + string(world.Issuer), "reason", "按类别登记办理"}
	k.bodies["POST /admin/modes/{id}"] = []string{"do", "confirm"}
	k.files["POST /issue/modes/import"] = []byte("证照类型代码,签发单位代码,来源,理由,依据\r\n" + string(world.Type) + "," + string(world.Issuer) + ",本地制作,本地,文件1\r\n")
	k.files[papersPattern] = []byte("名称,统一社会信用代码,法定代表人,经营项目,许可证编号,有效期至,发证日期\r\n")
	k.bodies[papersPattern] = []string{"type", string(world.Type), "again", "2"}
	k.files["POST /issue/results"] = []byte("办件编号,证照类别,办结时间\r\n欠9,食品经营许可证,2026-03-10\r\n")
	shown, err := k.Issuer.Show(t.Context(), k.Reviewer, k.Edited.ID)
	if err != nil {
		t.Fatal(err)
	}
	edited := string(k.Edited.ID)
	k.bodies["POST /issue/review"] = []string{"d", edited, "seq." + edited, seq(k.Edited), "digest." + edited, hex.EncodeToString(shown.Digest)}
	k.files["POST /issue/types/import"] = []byte("证照类型名称,证照类型代码\r\n小餐饮登记证,11350102FJDEM0275F099\r\n")
	k.bodies["POST /admin/sources"] = []string{
		"id", "other", "name", "另一系统", "ministry", "某部", "unit", string(world.Issuer), "kind", "file", "state", "paused", "hours", "24", "key", k.NewKey, "types", string(world.NationalType),
	}
	k.bodies["POST /admin/seals/trust"] = []string{"kind", sealing.TrustRoot}
	return k
}

// path fills in the address of a page.
func (k *walked) path(method, pattern string) string {
	at := pathValue.ReplaceAllStringFunc(pattern, func(p string) string {
		switch {
		case p == "{version}" || p == "{page}":
			return "1"
		case strings.HasPrefix(pattern, "/admin/rules/"):
			return k.Rule
		case pattern == "/admin/modes/{id}":
			return k.AskedMode
		case pattern == "/types/export/{form}":
			return "json"
		case p == "{form}":
			return "csv"
		case pattern == "/disclose/{id}":
			return k.Disclosed[0]
		case strings.HasPrefix(pattern, "/disclose/"):
			return k.Disclosed[1]
		case strings.HasPrefix(pattern, "/issue/references/{id}/"):
			return k.Returned
		case strings.HasPrefix(pattern, "/issue/references/"):
			return k.Source
		case strings.HasPrefix(pattern, "/issue/awaited/"):
			return k.Awaited
		case strings.HasSuffix(pattern, "/verify"):
			return string(k.Confirmed)
		case strings.HasPrefix(pattern, "/issue/results/files/"):
			return k.Bad
		case strings.HasPrefix(pattern, "/issue/results/"):
			if method == http.MethodPost {
				return k.Refusing
			}
			return k.Owed
		case p == "{list}" && strings.Contains(pattern, "/ontime/"):
			return "late.csv"
		case p == "{kind}" && strings.Contains(pattern, "/ontime/"):
			return "draft"
		case strings.Contains(pattern, "/ontime/late/"):
			return k.Late
		case p == "{draft}":
			return string(k.Row)
		case strings.HasPrefix(pattern, "/issue/contacts/"):
			return string(world.Type)
		case p == "{login}" && strings.HasPrefix(pattern, "/admin/units/"):
			return world.Kept
		case strings.HasPrefix(pattern, "/admin/units/"):
			return string(world.Issuer)
		case p == "{login}":
			return world.System
		case strings.HasPrefix(pattern, "/issue/stock/{id}"):
			return k.Entered
		case strings.HasPrefix(pattern, "/issue/papers/{id}"):
			return k.Papers
		case strings.HasPrefix(pattern, "/issue/samples/"), strings.HasPrefix(pattern, "/issue/papers/"):
			return string(world.Type)
		case strings.HasPrefix(pattern, "/issue/lots/{id}/rows/{draft}"):
			return k.Drawn
		case pattern == "/issue/lots/{id}/rows", pattern == "/issue/lots/{id}/photos":
			return k.Mended
		case strings.HasPrefix(pattern, "/issue/lots/{id}"):
			return k.Lot
		case pattern == "/issue/kits/{id}/confirm":
			return k.Kit
		case pattern == "/issue/kits/{id}/cancel":
			return k.KitEnd
		case strings.HasPrefix(pattern, "/issue/kits/{id}"), strings.HasPrefix(pattern, "/admin/kits/{id}"):
			return k.KitOut
		case strings.HasPrefix(pattern, "/issue/lots/template/"):
			return string(world.Type)
		case p == "{place}" && strings.HasSuffix(pattern, "/file"):
			return "1"
		case p == "{place}":
			return "0"
		case p == "{kind}":
			return "received"
		case p == "{record}":
			return string(k.Used)
		case p == "{list}":
			return "units.csv"
		case p == "{what}":
			return "lang"
		case p == "{value}":
			return "zh-CN"
		case p == "{system}":
			return world.System
		case p == "{case}":
			return string(k.Framed)
		case p == "{move}" && strings.HasPrefix(pattern, "/holder"):
			return "withdraw"
		case p == "{move}":
			return "clarify"
		case p == "{doc}":
			return k.Document
		case p == "{message}":
			return k.Message
		case p == "{channel}" && strings.Count(pattern, "/") > 3:
			return "mail"
		case p == "{channel}":
			return "sms"
		case strings.HasSuffix(pattern, "/handed"), strings.Contains(pattern, "/messages/"):
			return string(k.Told)
		case strings.HasPrefix(pattern, "/check"):
			return string(k.Code)
		case strings.HasPrefix(pattern, "/admin/matters/"):
			return string(k.Matter)
		case strings.Contains(pattern, "/matters/") || strings.Contains(pattern, "/apply/"):
			return string(world.Matter)
		case strings.HasPrefix(pattern, "/admin/types/"):
			return string(k.Type)
		case strings.Contains(pattern, "/types/"):
			return string(world.Type)
		case strings.HasSuffix(pattern, "/comparison"):
			return string(k.Differs)
		case strings.HasSuffix(pattern, "/review"):
			return string(k.Judged.ID)
		case strings.Contains(pattern, "/documents"):
			return string(k.Beside)
		case strings.Contains(pattern, "/drafts/"):
			return string(k.Edited.ID)
		case strings.Contains(pattern, "/changes/"):
			return k.Change
		case strings.HasSuffix(pattern, "/request"):
			return string(k.Applied)
		case strings.HasPrefix(pattern, "/admin/seals/") && method == http.MethodPost:
			return string(k.Seal2)
		case strings.Contains(pattern, "/seals/"):
			return string(k.Seal)
		case strings.Contains(pattern, "/calendar/"):
			return k.Day
		case strings.Contains(pattern, "/bases/"):
			return string(k.Basis)
		case strings.HasSuffix(pattern, "/receipt") && strings.Contains(pattern, "/records/"):
			return string(k.Used)
		case strings.Contains(pattern, "/records/"):
			return k.Record
		case strings.HasPrefix(pattern, "/holder/cases/") && strings.Contains(pattern, "/materials/"):
			return string(k.Filled)
		case strings.HasPrefix(pattern, "/holder/cases/{id}/paper/"):
			return string(k.Office)
		case strings.HasPrefix(pattern, "/holder/cases/"):
			return string(k.Own)
		case strings.Contains(pattern, "/queue/"):
			return string(k.Queued)
		case strings.Contains(pattern, "/cases/"):
			return string(k.Office)
		case strings.Contains(pattern, "/agreements/"):
			return k.Agreement
		case strings.HasSuffix(pattern, "/change"), strings.HasSuffix(pattern, "/withdraw"):
			return string(k.Other)
		}
		return string(k.License)
	})
	if at == "/issue/review" && method == http.MethodGet {
		at += "?d=" + string(k.Edited.ID)
	}
	return strings.TrimSuffix(at, "{$}")
}

// ask asks for a page as the n-th walker and returns the status. Frames are opened
// by tickets, of which nobody, the first, has none; what is new has a code for each.
func (k *walked) ask(t *testing.T, p *person, pattern string, n int) int {
	t.Helper()
	nobody := n == 0
	method, at, _ := strings.Cut(pattern, " ")
	path, form := k.path(method, at), k.bodies[pattern]
	frame := strings.HasPrefix(at, "/frame/") && !nobody
	switch {
	case strings.HasSuffix(pattern, "/issue/lots"), strings.HasSuffix(pattern, "/issue/lots/{id}/rows"):
		if method == http.MethodPost {
			p.send(path, "file", []byte(world.LotTable(fmt.Sprintf("W%d-%d", len(path), n), 20)), "type", string(world.Type), "closed", "2026-03-10")
			return p.last.StatusCode
		}
	case pattern == packagePattern:
		p.send(path, "package", k.Package)
		return p.last.StatusCode
	case pattern == photosPattern:
		p.send(path, "photos", world.NoPhotos)
		return p.last.StatusCode
	case pattern == "POST /issue/stock/new":
		p.send(path, "scan", world.Paper, form...)
		return p.last.StatusCode
	case k.files[pattern] != nil:
		p.send(path, "file", k.files[pattern], form...)
		return p.last.StatusCode
	case frame && at == "/frame/{system}":
		form = []string{"ticket", k.Ticket(t)}
	case frame:
		form = []string{"token", k.Frame, "material", "食品经营许可证"}
	}
	values := url.Values{}
	for i := 0; i < len(form); i += 2 {
		values.Add(form[i], form[i+1])
	}
	switch pattern {
	case "POST /issue/types/new":
		values.Set("code", fmt.Sprintf("11350102FJDEM0275F%03d", 100+n))
	case "POST /issue/matters/new":
		values.Set("code", fmt.Sprintf("M%d", 100+n))
	}
	body, kind := values.Encode(), "application/x-www-form-urlencoded"
	if strings.HasSuffix(at, "/preview") {
		body, kind = "{}", "application/json"
	}
	if method == http.MethodGet {
		body = ""
	}
	r, err := http.NewRequestWithContext(t.Context(), method, k.site.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	switch {
	case frame && pattern == "POST /frame/{system}":
		r.Header.Set("Origin", world.Portal)
	case frame && method == http.MethodGet: // a browser keeps it for https alone
		r.AddCookie(&http.Cookie{Name: frameCookie, Value: k.Frame})
	}
	p.do(r)
	return p.last.StatusCode
}

// TestEveryRouteWithEveryRole walks the table of pages with everybody, owner and
// not, and compares what each gets with docs/ROUTES.md. A page or a person that is
// added changes that file, where it is read.
func TestEveryRouteWithEveryRole(t *testing.T) {
	if testing.Short() {
		t.Skip("the walk takes its time; make test makes it")
	}
	k := walk(t)
	sees := make([]*person, len(k.Walkers))
	for i, w := range k.Walkers {
		sees[i] = k.site.visitor(t)
		if w.Login != "" {
			sees[i] = k.site.as(t, w.Login)
		}
		sees[i].client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	}
	var doc bytes.Buffer
	doc.WriteString(`# Every page with everybody

Written by ` + "`go test ./web -run EveryRoute -update`" + `; the test compares it. **ok**: done or shown. **sign in**: asked to sign in. A name is the rule of
[the law text](../access/law.cedar) that refused, on record; **desk-duty** is the one for who has no duty at a desk. **input**, **none**, **state**: he got so far
that what he sent, what he named or its state was refused (400, 404, 409); a page that must not betray what exists answers so to everybody. Frames are opened
by the signed ticket of a business system, whoever sits before them: nobody has none here, all others have one. Signing in and out is walked by TestSignInAndOut.

| route |`)
	for _, w := range k.Walkers {
		fmt.Fprintf(&doc, " %s |", w.Says)
	}
	doc.WriteString("\n|---|" + strings.Repeat("---|", len(k.Walkers)) + "\n")
	routes := &server{Config: Config{Seals: k.Seals}, mux: http.NewServeMux()}
	routes.routes()
	for _, r := range routes.table {
		_, pattern, ok := strings.Cut(r.pattern, " ")
		if !ok || r.pattern == "POST /signout" || r.pattern == "POST /signin" { // what is no page; what would end the walk
			continue
		}
		fmt.Fprintf(&doc, "| %s |", r.pattern)
		somebody := false
		for i, w := range k.Walkers {
			before := ""
			if w.Login != "" {
				before, _ = k.Refused(t, w.Actor)
			}
			got := ""
			switch code := k.ask(t, sees[i], r.pattern, i); {
			case code == http.StatusSeeOther && strings.HasPrefix(sees[i].last.Header.Get("Location"), "/signin"):
				got = "sign in"
			case code == http.StatusUnauthorized && strings.HasPrefix(pattern, "/frame/"):
				got = "no frame"
			case code == http.StatusUnauthorized:
				got = "sign in"
			case code < 400:
				got, somebody = "ok", true
			case code == http.StatusForbidden && strings.HasPrefix(pattern, "/frame/"):
				got = "no ticket"
			case code == http.StatusForbidden:
				got = "refused"
				if w.Login == "" { // from where no record says who
					break
				}
				if id, rule := k.Refused(t, w.Actor); id != before {
					got = rule
				}
			case code == http.StatusBadRequest:
				got = "input"
			case code == http.StatusNotFound:
				got = "none"
			case code == http.StatusConflict:
				got = "state"
			default:
				t.Errorf("%s as %s: status %d", r.pattern, w.Says, code)
			}
			if r.desk.path != "" && (w.Login == "" && got != "sign in" || w.Login != "" && strings.HasPrefix(w.Login, "holder") != (r.desk == holder) && got != "desk-duty") {
				t.Errorf("%s as %s: %s", r.pattern, w.Says, got)
			}
			if got == "refused" {
				t.Errorf("%s as %s: refused without a record", r.pattern, w.Says)
			}
			fmt.Fprintf(&doc, " %s |", got)
		}
		if !somebody {
			t.Errorf("%s: nobody gets there", r.pattern)
		}
		doc.WriteString("\n")
	}
	world.Listed(t, doc.String(), *update)
}
