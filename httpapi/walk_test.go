package httpapi_test

import (
	"bytes"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"elicense"
	"elicense/e2e/world"
	"elicense/gm"
	"elicense/store/storetest"
)

var update = flag.Bool("update", false, "write docs/ROUTES.md anew")

// atDesks says at which page people do what an operation does.
var atDesks = map[string]string{
	"propose-mode": "POST /issue/modes/own", "decide-mode": "POST /admin/modes/{id}", "take-back-mode": "POST /admin/modes",
	"propose-type": "POST /issue/types/new", "decide-type": "POST /admin/types/{code}/{version}", "confirm-type": "POST /issue/types/{code}/confirm", "set-contact": "POST /issue/contacts/{code}", "complete": "POST /issue/new", "drafts": "GET /issue",
	"draft": "GET /issue/drafts/{id}", "draft-face": "GET /issue/drafts/{id}/face/{page}", "review-draft": "POST /issue/drafts/{id}/review",
	"license": "GET /issue/licenses/{id}", "license-file": "GET /issue/licenses/{id}/file", "license-pdf": "GET /issue/licenses/{id}/pdf",
	"license-print": "POST /issue/licenses/{id}/print", "propose-event": "POST /issue/licenses/{id}/change", "review-event": "POST /issue/changes/{id}",
	"lots": "GET /issue/lots", "new-lot": "POST /issue/lots", "lot": "GET /issue/lots/{id}", "add-rows": "POST /issue/lots/{id}/rows", "lot-photos": "POST /issue/lots/{id}/photos",
	"bad-rows": "GET /issue/lots/{id}/bad/{form}", "move-lot": "POST /issue/lots/{id}", "lot-sample": "GET /issue/lots/{id}", "judge-row": "POST /issue/lots/{id}/rows/{draft}",
	"programmes": "GET /issue/stock", "plan": "POST /issue/stock", "entries": "GET /issue/stock", "enter-paper": "POST /issue/stock/new", "entry": "GET /issue/stock/{id}",
	"entry-scan": "GET /issue/stock/{id}/scan", "move-entry": "POST /issue/stock/{id}", "read-stock-table": "POST /issue/papers", "stock-table": "GET /issue/papers/{id}", "stock-table-bad-rows": "GET /issue/papers/{id}/bad", "stock-tables": "GET /issue/stock", "stock-sample": "GET /issue/samples/{type}", "draw-stock": "POST /issue/samples/{type}", "judge-stock": "POST /issue/samples/{type}",
	"review-drafts": "POST /issue/review", "work": "GET /issue", "results": "GET /issue/results", "report-results": "POST /issue/results", "report-file": "POST /issue/results", "results-template": "GET /issue/results/template",
	"results-bad-rows": "GET /issue/results/files/{id}/{form}", "unreported": "GET /issue/results", "result": "GET /issue/results/{id}", "move-result": "POST /issue/results/{id}",
	"excuse": "POST /admin/ontime/late/{kind}/{id}", "lift-excuse": "POST /admin/ontime/late/{kind}/{id}", "set-on-time": "POST /issue/ontime",
	"propose-matter": "POST /issue/matters/new", "decide-matter": "POST /admin/matters/{code}/{version}", "add-basis": "POST /admin/bases",
	"repeal-basis": "POST /admin/bases/{id}/repeal", "open-case": "POST /window/new", "case": "GET /window/cases/{id}", "materials": "GET /window/cases/{id}",
	"use": "POST /window/cases/{id}", "use-receipt": "GET /window/cases/{id}/uses/{record}/receipt", "course": "GET /window/cases/{id}",
	"letters": "GET /window/cases/{id}", "letter-file": "GET /window/cases/{id}/paper/{kind}/file", "ask-letter": "POST /window/cases/{id}/paper/{kind}",
	"own-letters": "GET /holder/cases/{id}/paper/{kind}", "own-letter-file": "GET /holder/cases/{id}/paper/{kind}/file",
	"move-case": "POST /window/cases/{id}/do/{move}", "join-case": "POST /window/cases/{id}/do/{move}", "close-case": "POST /window/cases/{id}/do/{move}",
	"give": "POST /window/cases/{id}/materials/{place}", "attach": "POST /window/cases/{id}/materials/{place}",
	"ask-agreement": "POST /window/cases/{id}/materials/{place}", "report-license": "POST /window/cases/{id}/materials/{place}", "tickets": "GET /issue/tickets",
	"folder": "GET /holder", "apply": "POST /holder/apply/{code}", "own-cases": "GET /holder/cases", "own-case": "GET /holder/cases/{id}",
	"own-materials": "GET /holder/cases/{id}", "own-give": "POST /holder/cases/{id}/materials/{place}", "own-attach": "POST /holder/cases/{id}/materials/{place}",
	"own-move": "POST /holder/cases/{id}/do/{move}", "object": "GET /holder/cases/{id}", "agreements": "GET /holder/agreements", "answer": "POST /holder/agreements/{id}",
	"own-license": "GET /holder/licenses/{id}", "own-file": "GET /holder/licenses/{id}/file", "own-pdf": "GET /holder/licenses/{id}/pdf",
	"own-print": "POST /holder/licenses/{id}/print", "own-uses": "GET /holder/licenses/{id}/uses", "figures": "GET /admin/use", "registries": "GET /admin/registries", "records": "GET /admin/records",
	"closing-documents": "GET /issue/drafts/{id}", "add-document": "POST /issue/drafts/{id}/documents", "closing-document": "GET /issue/drafts/{id}/documents/{doc}", "take-out-document": "POST /issue/drafts/{id}/documents/{doc}", "delivery": "GET /issue/deliveries/{id}", "prepare-package": "POST /issue/deliveries/{id}/package",
	"package": "GET /issue/deliveries/{id}/package", "hand-over": "POST /issue/deliveries/{id}/handed", "deliveries": "GET /issue/deliveries", "cancelled-messages": "GET /issue/deliveries", "resend": "POST /issue/deliveries/{id}/messages/{message}",
	"take-contact": "POST /window/cases/{id}/contacts", "own-delivery": "GET /holder/licenses/{id}/delivery", "prepare-own-package": "POST /holder/licenses/{id}/delivery/package",
	"own-package": "GET /holder/licenses/{id}/delivery/package", "own-contacts": "GET /holder/contacts", "ask-contact": "POST /holder/contacts/{channel}",
	"confirm-contact": "POST /holder/contacts/{channel}/confirm", "forget-contact": "POST /holder/contacts/{channel}/forget",
	"ask-source": "POST /issue/references/{id}", "return-bad-rows": "GET /issue/references/{id}/bad", "differences": "GET /issue/references", "await": "POST /issue/awaited", "awaited-step": "POST /issue/awaited/{id}", "keep-source": "POST /admin/sources",
	"overseen-kits": "GET /admin/kits", "overseen-kit-proof": "GET /admin/kits/{id}/proof", "record-proof": "GET /admin/records/{id}/proof", "matter-tasks": "GET /issue/matters", "propose-rule": "POST /admin/rules", "decide-rule": "POST /admin/rules/{id}/{version}", "end-rule": "POST /admin/rules/{id}/{version}", "collectables": "GET /window/collect", "collectable": "GET /window/collect/{id}", "collect-print": "POST /window/collect/{id}/print", "collect-hand": "POST /window/collect/{id}", "queue": "GET /window",
	"units": "GET /admin/units", "unit": "GET /admin/units/{code}", "register-unit": "POST /admin/units/new", "change-unit": "POST /admin/units/{code}", "open-account": "POST /admin/units/{code}/accounts", "move-account": "POST /admin/units/{code}/accounts/{login}", "change-password": "POST /password",
}

// walked is the API with a thing for each operation.
type walked struct {
	*hall
	*world.Walk
	key string // of a system, PEM
}

// path fills in the address of an operation.
func (k *walked) path(o operation) string {
	at := parameter.ReplaceAllStringFunc(o.path, func(p string) string {
		switch {
		case p == "{version}":
			return "1"
		case p == "{place}" && strings.HasSuffix(o.path, "/file"):
			return "1"
		case p == "{place}":
			return "0"
		case o.OperationID == "move-account":
			return world.Kept
		case p == "{unit}":
			return string(world.Issuer)
		case p == "{login}":
			return "xbiz"
		case o.OperationID == "judge-stock":
			return string(k.Sampled)
		case p == "{draft}":
			return string(k.Row)
		case p == "{kind}" && o.OperationID == "late-one":
			return "draft"
		case p == "{kind}":
			return "received"
		case p == "{record}":
			return string(k.Used)
		case o.OperationID == "keep-source":
			return "other"
		case p == "{source}":
			return k.Source
		case p == "{delivery}":
			return k.Returned
		case p == "{awaited}":
			return k.Awaited
		case p == "{rule}":
			return k.Rule
		case p == "{table}":
			return k.Papers
		case o.OperationID == "stock-template":
			return string(world.Type)
		case p == "{document}":
			return k.Document
		case p == "{message}":
			return k.Message
		case p == "{channel}" && o.OperationID != "ask-contact":
			return "mail"
		case p == "{channel}":
			return "sms"
		}
		switch o.OperationID {
		case "verify-reference":
			return string(k.Confirmed)
		case "hand-over":
			return string(k.Told)
		case "closing-documents", "add-document", "closing-document", "take-out-document":
			return string(k.Beside)
		case "result":
			return k.Owed
		case "move-result":
			return k.Refusing
		case "results-bad-rows":
			return k.Bad
		case "late-one":
			return k.Late
		case "lift-excuse":
			return k.Excuse
		case "lot-sample", "judge-row":
			return k.Drawn
		case "add-rows", "lot-photos":
			return k.Mended
		case "confirm-kit":
			return k.Kit
		case "cancel-kit":
			return k.KitEnd
		case "kit", "kit-file", "kit-proof", "overseen-kit-proof":
			return k.KitOut
		case "lot", "bad-rows", "move-lot":
			return k.Lot
		case "entry", "entry-scan", "move-entry":
			return k.Entered
		case "plan", "stock-sample", "draw-stock":
			return string(world.Type)
		case "lot-template":
			return string(world.Type)
		case "decide-type":
			return string(k.Type)
		case "license-type", "confirm-type", "set-mode", "modes", "contacts", "set-contact":
			return string(world.Type)
		case "propose-mode":
			return string(world.SharedType)
		case "take-back-mode":
			return string(world.AskedType)
		case "decide-mode":
			return k.AskedMode
		case "decide-matter":
			return string(k.Matter)
		case "matter":
			return string(world.Matter)
		case "review-draft":
			return string(k.Judged.ID)
		case "retry-draft":
			return string(k.Halted)
		case "draft", "draft-face":
			return string(k.Edited.ID)
		case "propose-event":
			return string(k.Other)
		case "review-event":
			return k.Change
		case "repeal-basis":
			return string(k.Basis)
		case "close-case", "ask-agreement":
			return string(k.Sensitive)
		case "own-move":
			return string(k.Own)
		case "own-give", "own-attach", "own-case", "own-materials":
			return string(k.Filled)
		case "answer":
			return k.Agreement
		case "decide-disclosure":
			return k.Disclosed[0]
		case "read-disclosure":
			return k.Disclosed[1]
		case "record-proof":
			return k.Record
		}
		if strings.Contains(o.path, "/cases/") || strings.Contains(o.path, "/letters") || o.OperationID == "object" {
			return string(k.Office)
		}
		return string(k.License)
	})
	switch o.OperationID {
	case "new-lot":
		at += "?licenseTypeCode=" + string(world.Type) + "&closed=2026-03-10&name=a.csv"
	case "collectables":
		at += "?q=" + url.QueryEscape("许可1")
	case "add-document":
		at += "?title=" + url.QueryEscape("决定书")
	case "license-print", "own-print":
		at += "?purpose=x"
	case "on-time-setting":
		at += "?unitCode=" + string(world.Issuer)
	case "figures", "registries", "on-time", "late", "unreported":
		at += "?from=2026-03-01&to=2026-03-10"
	}
	return at
}

// ask asks for an operation as the n-th walker; what is new has a code for each.
func (k *walked) ask(o operation, w world.Walker, n int) *httptest.ResponseRecorder {
	b, number := k.body(o.Operation), fmt.Sprint(100+n)
	switch o.OperationID {
	case "keep-source":
		b = map[string]any{"name": "国家许可系统" + number, "ministry": "某部", "unitCode": string(world.Issuer), "kind": "file", "key": k.NewKey, "state": "live", "types": []any{map[string]any{"licenseTypeCode": string(world.NationalType), "hours": 24}}}
	case "await":
		b = map[string]any{"system": "系统" + number, "ministry": "某部", "licenseTypeCodes": []any{string(world.NationalType)}}
	case "awaited-step":
		b = map[string]any{"seq": 1, "kind": "call", "on": "2026-03-10", "text": "商请", "state": "requested"}
	case "add-document":
		return k.send(w.Actor, o.method, k.path(o), string(k.Sealed), "Content-Type", "application/octet-stream")
	case "hand-over":
		b = map[string]any{"receiver": "陈示例", "proof": "card"}
	case "ask-contact":
		b = map[string]any{"address": "13800138001"}
	case "confirm-contact":
		b = map[string]any{"code": k.Typed}
	case "take-contact":
		b = map[string]any{"party": 0, "channel": "sms", "address": "13800138000"}
	case "lot-photos":
		return k.send(w.Actor, o.method, k.path(o), string(world.NoPhotos), "Content-Type", "application/octet-stream")
	case "new-lot", "add-rows":
		return k.send(w.Actor, o.method, k.path(o), world.LotTable("A"+o.OperationID[:1]+number, 20), "Content-Type", "application/octet-stream")
	case "import-package":
		return k.send(w.Actor, o.method, k.path(o), string(k.Package), "Content-Type", "application/octet-stream")
	case "report-file":
		return k.send(w.Actor, o.method, k.path(o), "办件编号,证照类别,办结时间\r\n欠"+number+",食品经营许可证,2026-03-10\r\n", "Content-Type", "application/octet-stream")
	case "report-results":
		b = map[string]any{"results": []map[string]any{{"case": "报" + number, "licenseTypeCode": string(world.Type), "closedAt": "2026-03-10T09:00:00+08:00"}}}
	case "review-drafts":
		b = map[string]any{"drafts": []map[string]any{{"id": string(k.Edited.ID), "seq": k.Edited.Seq, "digest": "00"}}}
	case "move-result":
		b = map[string]any{"move": "disagree"}
	case "excuse":
		b = map[string]any{"kind": "draft", "subject": k.Late, "ground": "outage", "document": "工单2", "reason": "停机"}
	case "lift-excuse":
		b = map[string]any{"reason": "证明不对"}
	case "set-on-time":
		b = map[string]any{"minutes": 10}
	case "attach", "own-attach", "check-file":
		return k.send(w.Actor, o.method, k.path(o), "%PDF-1.4\n", "Content-Type", "application/octet-stream")
	case "check":
		b["code"] = string(k.Code)
	case "complete":
		b["case"] = "许可" + number
	case "refer":
		b["licenseTypeCode"] = string(world.NationalType)
	case "review-draft":
		b["seq"] = k.Judged.Seq
	case "open-case":
		b["number"] = number
		if w.Actor != nil && w.Actor.Kind == elicense.System {
			b = map[string]any{"ticket": k.Ticket(k.t)}
		}
	case "ask-agreement":
		b["licenseTypeCode"] = string(world.SensitiveType)
	case "own-give":
		b = map[string]any{"way": "license"}
	case "give":
		b = map[string]any{"way": "license"}
	case "own-move":
		b = map[string]any{"kind": "withdraw", "reason": "不办了"}
	case "propose-mode":
		b = map[string]any{"origin": "local", "reason": "本地制作", "basis": "闽政办〔2026〕1号"}
	case "take-back-mode":
		b = map[string]any{"unitCode": string(world.Issuer), "reason": "按类别登记办理"}
	case "decide-mode":
		b = map[string]any{"approve": true}
	case "set-mode":
		b = map[string]any{"unitCode": string(world.Issuer), "origin": "local", "reason": "本地制作", "basis": "闽政办〔2026〕1号"}
	case "propose-type":
		b["code"] = "11350102FJDEM0275F" + number
		b["unit"] = string(world.Issuer)
	case "propose-matter":
		b["matterCode"] = "M" + number
	case "decide-type", "decide-matter":
		b = map[string]any{"approve": true}
	case "set-contact":
		b = map[string]any{"office": "行政审批科", "phone": "0591-12345678"}
	case "plan":
		b = map[string]any{"estimated": 120, "until": "2026-12-31", "basis": "发证台账"}
	case "enter-paper":
		p := world.OldPaper("JY2350102" + number)
		b = map[string]any{"licenseTypeCode": string(world.Type), "origin": "stock", "scan": world.Paper, "paper": map[string]any{
			"holders": p.Holders, "fields": p.Fields, "issuedOn": p.IssuedOn,
		}}
	case "read-stock-table":
		b = map[string]any{"licenseTypeCode": string(world.Type), "again": true, "table": []byte("名称,统一社会信用代码,法定代表人,经营项目,许可证编号,有效期至,发证日期\r\n")}
	case "propose-rule":
		b = map[string]any{"title": "试行", "documentNumber": "闽数〔2026〕" + number + "号", "text": world.LocalRule}
	case "end-rule":
		b = map[string]any{"reason": "核查结束"}
	case "decide-rule":
		b = map[string]any{"approve": true}
	case "collect-print", "collect-hand":
		b = map[string]any{"code": world.Firm.Code, "receiver": "陈示例", "proof": "card"}
	case "move-entry":
		b = map[string]any{"move": "refuse", "reason": "已经注销"}
	case "judge-stock":
		b = map[string]any{"good": true}
	case "change-unit":
		delete(b, "code")
	case "move-account":
		b = map[string]any{"move": "reset"}
	case "change-password":
		b["old"] = world.Password
		defer delete(k.tokens, w.Actor) // it ends with the password
	case "system-key":
		b["key"], b["keyId"] = k.key, "k"+number
	}
	body := ""
	if o.method == http.MethodPost && o.RequestBody != nil {
		body = encode(b)
	}
	return k.send(w.Actor, o.method, k.path(o), body)
}

// TestEveryOperationWithEveryRole walks the API as the pages are walked, and lists
// it beside them. Nobody does by the API what the law refuses him at a desk.
func TestEveryOperationWithEveryRole(t *testing.T) {
	if testing.Short() {
		t.Skip("the walk takes its time; make test makes it")
	}
	h := emptyHall(t, storetest.Config(t))
	k := &walked{hall: h, Walk: world.NewWalk(t, h.World)}
	key, err := gm.GenerateKey()
	h.must(err)
	pem, err := gm.MarshalPublicKey(key.Public())
	h.must(err)
	k.key = string(pem)
	everybody := append(append([]world.Walker(nil), k.Walkers...), k.Systems...)
	pages := world.Listing(t, "# Every page with everybody")
	var doc bytes.Buffer
	doc.WriteString(`# Every operation with everybody

Written by ` + "`go test ./httpapi -run EveryOperation -update`" + `; the test compares it, and fails where somebody does by the API what the law refuses him at the
desk for it. The words are those above; **token**: asked for a token.

| operation |`)
	for _, w := range everybody {
		fmt.Fprintf(&doc, " %s |", w.Says)
	}
	doc.WriteString("\n|---|" + strings.Repeat("---|", len(everybody)) + "\n")
	for _, o := range h.operations() {
		fmt.Fprintf(&doc, "| %s %s |", o.method, o.path)
		somebody := false
		for n, w := range everybody {
			before := ""
			if w.Login != "" {
				before, _ = k.Refused(t, w.Actor)
			}
			what := w.Says + ": " + o.method + " " + o.path
			answer := k.ask(o, w, n)
			got := ""
			switch answer.Code {
			case http.StatusOK, http.StatusCreated, http.StatusNoContent:
				got, somebody = "ok", true
			case http.StatusUnauthorized:
				got = "token"
			case http.StatusBadRequest:
				got = "input"
			case http.StatusNotFound:
				got = "none"
			case http.StatusConflict:
				got = "state"
			case http.StatusForbidden:
				got = "refused"
				if w.Login != "" {
					id, rule := k.Refused(t, w.Actor)
					if p := h.problem(what, answer); id == before || p.Record != id || p.Next == "" {
						t.Errorf("%s: refused as %+v, recorded %s", what, p, id)
					}
					got = rule
				}
			default:
				t.Errorf("%s: %d %s", what, answer.Code, answer.Body)
			}
			if o.Security != nil && (w.Login == "") != (got == "token") {
				t.Errorf("%s: %s", what, got)
			}
			// The law gives auditors receipts, and no desk of theirs has a page for it.
			given := o.OperationID == "use-receipt" && w.Login == "audit"
			if at := pages[atDesks[o.OperationID]][w.Says]; got == "ok" && at != "ok" && at != "" && !given {
				t.Errorf("%s: ok; at the desk %s", what, at)
			}
			fmt.Fprintf(&doc, " %s |", got)
		}
		if !somebody {
			t.Errorf("%s %s: nobody gets there: %s", o.method, o.path, o.OperationID)
		}
		doc.WriteString("\n")
	}
	h.Fsck(t)
	world.Listed(t, doc.String(), *update)
}
