package web

import (
	"net/http"
	"slices"

	"elicense"
	"elicense/oversight"
	"elicense/sealing"
)

// desk is one of the places people work at.
type desk struct {
	name   string // of its layout
	title  string
	path   string // its first page; empty for the public pages
	kind   elicense.ActorKind
	duties []elicense.Duty
	nav    []link
}

type link struct{ Path, Text, Group string }

var (
	public = &desk{name: "public", nav: []link{
		{"/check", "查验证照", ""}, {"/types", "证照目录", ""}, {"/matters", "办事免带指南", ""}, {"/tour", "演示导览", ""}, {"/help", "帮助", ""},
	}}
	holder = &desk{name: "holder", title: "卡包", path: "/holder", kind: elicense.Holder}
	issue  = &desk{
		name: "issue", title: "签发台", path: "/issue", kind: elicense.Staff,
		duties: []elicense.Duty{elicense.DutyDraft, elicense.DutyReview, elicense.DutyChange, elicense.DutyRegister, elicense.DutyMatters},
		nav: []link{
			{"/issue", "待办", ""}, {"/issue/new", "制证", ""}, {"/issue/lots", "批量制证", ""}, {"/issue/kits", "离线制证", ""}, {"/issue/stock", "存量补录", ""}, {"/issue/references", "回传", ""}, {"/issue/licenses", "本单位证照", ""}, {"/issue/deliveries", "发放", ""},
			{"/issue/changes", "状态变更", ""}, {"/issue/types", "类别登记", ""}, {"/issue/seals", "本单位印章", ""}, {"/issue/matters", "事项与材料", ""},
		},
	}
	window = &desk{
		name: "window", title: "窗口", path: "/window", kind: elicense.Staff, duties: []elicense.Duty{elicense.DutyWindow},
		nav: []link{{"/window/new", "新办件", ""}, {"/window", "我的办件", ""}, {"/window/collect", "窗口领证", ""}, {"/window/day", "我的一天", ""}, {"/window/notices", "消息", ""}, {"/window/practice", "练习", ""}},
	}
	admin = &desk{
		name: "admin", title: "管理台", path: "/admin", kind: elicense.Staff,
		duties: []elicense.Duty{elicense.DutyTypes, elicense.DutySeals, elicense.DutyAccounts, elicense.DutyAudit, elicense.DutySupervise},
		nav: []link{
			{"/admin", "总览", "监督"}, {"/admin/ontime", "按时生成", "监督"}, {"/admin/use", "用证统计", "监督"}, {"/admin/stock", "存量补录进度", "监督"}, {"/admin/registries", "基础库比对", "监督"}, {"/admin/awaited", "等待部委回传", "监督"}, {"/admin/kits", "各单位的离线工具包", "监督"}, {"/admin/records", "访问记录", "监督"}, {"/admin/rules", "访问规则", "监督"},
			{"/admin/withdrawn", "撤回和异议", "监督"}, {"/admin/notices", "消息", "监督"},
			{"/admin/types", "证照类别", "登记"}, {"/admin/modes", "生成方式", "登记"}, {"/admin/matters", "事项与材料", "登记"}, {"/admin/bases", "法律依据", "登记"}, {"/admin/calendar", "工作日历", "登记"}, {"/admin/units", "单位与人员", "登记"}, {"/admin/systems", "业务系统", "登记"}, {"/admin/sources", "回传来源", "登记"}, {"/admin/seals", "电子印章", "登记"},
		},
	}
	disclose = &desk{
		name: "disclose", title: "调取台", path: "/disclose", kind: elicense.Staff, duties: []elicense.Duty{elicense.DutyDisclose},
		nav: []link{{"/disclose", "调取事项", ""}, {"/disclose/new", "提出调取", ""}},
	}
	desks = []*desk{holder, issue, window, admin, disclose, public}
)

// navFor are the duties an entry of a navigation is for; it is left out for
// others. Entries not named here are for everyone at the desk.
var navFor = map[string][]elicense.Duty{
	"/issue": {elicense.DutyDraft, elicense.DutyReview}, "/issue/new": {elicense.DutyDraft}, "/issue/lots": {elicense.DutyDraft, elicense.DutyReview},
	"/issue/kits":  {elicense.DutyDraft, elicense.DutyReview},
	"/issue/stock": {elicense.DutyDraft, elicense.DutyReview}, "/admin/stock": {elicense.DutyAudit, elicense.DutySupervise, elicense.DutyTypes},
	"/admin/systems":    {elicense.DutyAccounts},
	"/issue/references": {elicense.DutyDraft, elicense.DutyReview}, "/admin/awaited": {elicense.DutyAudit, elicense.DutySupervise, elicense.DutyTypes},
	"/admin/kits":       {elicense.DutyAudit, elicense.DutySupervise, elicense.DutyTypes},
	"/admin/sources":    {elicense.DutyAudit, elicense.DutySupervise, elicense.DutyTypes},
	"/admin/ontime":     {elicense.DutyAudit, elicense.DutySupervise, elicense.DutyTypes},
	"/issue/deliveries": {elicense.DutyDraft, elicense.DutyReview, elicense.DutyChange},
	"/issue/licenses":   {elicense.DutyDraft, elicense.DutyReview, elicense.DutyChange}, "/issue/changes": {elicense.DutyChange, elicense.DutyReview},
	"/issue/types": {elicense.DutyRegister}, "/issue/seals": {elicense.DutyDraft, elicense.DutyReview, elicense.DutyRegister},
	"/issue/matters": {elicense.DutyMatters}, "/admin/use": {elicense.DutyAudit, elicense.DutySupervise, elicense.DutyTypes},
	"/admin/withdrawn": {elicense.DutyAudit, elicense.DutySupervise}, "/admin/registries": {elicense.DutyAudit, elicense.DutySupervise, elicense.DutyTypes},
}

// navUnder says under which entry of a navigation a page stands whose address does not.
var navUnder = map[string]string{
	"/issue/papers": "/issue/stock", "/issue/samples": "/issue/stock", "/issue/modes": "/issue/types", "/issue/contacts": "/issue/types", "/issue/awaited": "/issue/references",
}

// admits tells whether the desk is for the actor. It only says which pages to
// show; what may be read and done there is decided by the access law, and so is
// the refusal of who is not admitted.
func (d *desk) admits(a *elicense.Actor) bool {
	if d.path == "" {
		return true
	}
	return a.Kind == d.kind && (len(d.duties) == 0 || slices.ContainsFunc(d.duties, a.Has))
}

// route is a line of the table of pages.
type route struct {
	desk    *desk
	pattern string
}

// routes is every page on one screen.
func (s *server) routes() {
	at := func(d *desk, pattern string, h func(*visit) error) {
		s.mux.Handle(pattern, s.handle(d, h))
		s.table = append(s.table, route{d, pattern})
	}

	at(public, "GET /{$}", s.home)
	at(public, "GET /check", s.checkForm)
	at(public, "POST /check", s.checkPost)
	at(public, "GET /check/trust.json", s.checkTrust)
	at(public, "GET /check/{code}", s.checkCode)
	at(public, "GET /types", s.types)
	at(public, "GET /types/{code}", s.typeOne)
	at(public, "GET /types/export/{form}", s.typesExport)
	at(public, "GET /types/{code}/{version}/face/{page}", s.typeFace)
	at(public, "GET /matters", s.matters)
	at(public, "GET /matters/{code}", s.matterOne)
	at(public, "GET /tour", s.tour)
	at(public, "GET /help", s.help)
	at(public, "GET /outbox", s.outbox)
	at(public, "GET /signin", s.signInForm)
	at(public, "POST /signin", s.signIn)
	at(public, "POST /signout", s.signOut)
	at(public, "GET /password", s.passwordForm)
	at(public, "POST /password", s.passwordChange)
	at(public, "GET /set/{what}/{value}", s.setting)
	at(public, "POST /typed", s.keepTyped)
	s.mux.Handle("GET /ca/root.pem", s.handle(public, s.authorityRoot))
	s.mux.Handle("GET /ca/list.crl", s.limited(s.handle(public, s.authorityList)))
	s.mux.Handle("POST /tsa", s.limited(sealing.TimeHandler(s.Seals.TimeAuthority)))
	at(public, "GET /frame/{system}", s.frameOpening)
	at(public, "GET /frame/{system}/{case}", s.frameAgain)
	at(public, "POST /frame/{system}", s.frameOpen)
	at(public, "POST /frame/{system}/{case}", s.frameDo)
	at(public, "POST /frame/{system}/{case}/look", s.frameLook)
	at(public, "/", func(*visit) error { return errNoPage() })

	at(holder, "GET /holder", s.folder)
	at(holder, "GET /holder/notices", s.notices)
	at(holder, "GET /holder/licenses/{id}", s.ownLicense)
	at(holder, "GET /holder/licenses/{id}/face/{page}", s.ownFace)
	at(holder, "GET /holder/licenses/{id}/file", s.file(false))
	at(holder, "GET /holder/licenses/{id}/pdf", s.pdf(false))
	at(holder, "POST /holder/licenses/{id}/print", s.print(false))
	at(holder, "GET /holder/licenses/{id}/uses", s.ownUses)
	at(holder, "GET /holder/licenses/{id}/delivery", s.deliveryOne(false))
	at(holder, "POST /holder/licenses/{id}/delivery/package", s.packagePrepare(false))
	at(holder, "GET /holder/licenses/{id}/delivery/package", s.packageFile(false))
	at(holder, "GET /holder/contacts", s.toldBy)
	at(holder, "POST /holder/contacts/{channel}", s.contactDo(s.contactAsk, "code"))
	at(holder, "POST /holder/contacts/{channel}/confirm", s.contactDo(s.contactConfirm, "contact"))
	at(holder, "POST /holder/contacts/{channel}/forget", s.contactDo(s.contactForget, "contact-end"))
	at(holder, "GET /holder/apply/{code}", s.applyForm)
	at(holder, "POST /holder/apply/{code}", s.apply)
	at(holder, "GET /holder/cases", s.ownCases)
	at(holder, "GET /holder/cases/{id}", s.ownCase)
	at(holder, "POST /holder/cases/{id}/do/{move}", s.ownMove)
	at(holder, "POST /holder/cases/{id}/agree", s.ownAgree)
	at(holder, "POST /holder/cases/{id}/materials/{place}", s.ownMaterial)
	at(holder, "GET /holder/cases/{id}/materials/{place}/file", s.attached)
	at(holder, "GET /holder/cases/{id}/paper/{kind}", s.ownPaper)
	at(holder, "GET /holder/cases/{id}/paper/{kind}/file", s.ownPaperFile)
	at(holder, "GET /holder/cases/{id}/paper/{kind}/sheet/{page}", s.ownPaperSheet)
	at(holder, "GET /holder/agreements", s.agreements)
	at(holder, "POST /holder/agreements/{id}", s.agreementAnswer)
	at(holder, "GET /holder/rights", s.rights)

	at(issue, "GET /issue", s.issueQueue)
	at(issue, "GET /issue/new", s.completionForm)
	at(issue, "POST /issue/new", s.complete)
	at(issue, "GET /issue/drafts/{id}", s.draft)
	at(issue, "GET /issue/drafts/{id}/face/{page}", s.draftFace)
	at(issue, "GET /issue/drafts/{id}/edit", s.draftEdit)
	at(issue, "POST /issue/drafts/{id}/edit", s.draftSave)
	at(issue, "POST /issue/drafts/{id}/review", s.draftReview)
	at(issue, "POST /issue/drafts/{id}/comparison", s.comparisonDo)
	at(issue, "POST /issue/drafts/{id}/documents", s.draftDocument)
	at(issue, "GET /issue/drafts/{id}/documents/{doc}", s.draftDocumentFile)
	at(issue, "GET /issue/drafts/{id}/documents/{doc}/{page}", s.draftDocumentPage)
	at(issue, "POST /issue/drafts/{id}/documents/{doc}", s.draftDocumentOut)
	at(issue, "GET /issue/deliveries", s.deliveries)
	at(issue, "GET /issue/deliveries/{id}", s.deliveryOne(true))
	at(issue, "POST /issue/deliveries/{id}/package", s.packagePrepare(true))
	at(issue, "GET /issue/deliveries/{id}/package", s.packageFile(true))
	at(issue, "POST /issue/deliveries/{id}/handed", s.handOver)
	at(issue, "POST /issue/deliveries/{id}/messages/{message}", s.resend)
	at(issue, "GET /issue/review", s.batch)
	at(issue, "POST /issue/review", s.batchApprove)
	at(issue, "GET /issue/results", s.results)
	at(issue, "POST /issue/results", s.resultsUpload)
	at(issue, "GET /issue/results/template", s.resultsTemplate)
	at(issue, "GET /issue/results/files/{id}/{form}", s.resultsBad)
	at(issue, "GET /issue/results/{id}", s.result)
	at(issue, "POST /issue/results/{id}", s.resultDo)
	at(issue, "GET /issue/ontime", s.onTime)
	at(issue, "POST /issue/ontime", s.onTimeSet)
	at(issue, "GET /issue/ontime/{list}", s.onTimeCSV)
	at(issue, "GET /issue/ontime/late", s.lateList)
	at(issue, "GET /issue/ontime/late/{kind}/{id}", s.lateOne)
	at(issue, "GET /issue/licenses", s.issuedList)
	at(issue, "GET /issue/licenses/{id}", s.issued)
	at(issue, "GET /issue/licenses/{id}/face/{page}", s.issuedFace)
	at(issue, "GET /issue/licenses/{id}/file", s.file(true))
	at(issue, "GET /issue/licenses/{id}/pdf", s.pdf(true))
	at(issue, "POST /issue/licenses/{id}/print", s.print(true))
	at(issue, "POST /issue/licenses/{id}/change", s.changePropose)
	at(issue, "POST /issue/licenses/{id}/withdraw", s.withdrawPropose)
	at(issue, "GET /issue/changes", s.changes)
	at(issue, "POST /issue/changes/{id}", s.changeDecide)
	at(issue, "GET /issue/modes", s.modes)
	at(issue, "POST /issue/modes", s.modeSet)
	at(issue, "POST /issue/modes/own", s.modeAsk)
	at(issue, "POST /issue/modes/import", s.modesImport)
	at(issue, "GET /issue/modes.csv", s.modesExport)
	at(issue, "GET /issue/types", s.ownTypes)
	at(issue, "GET /issue/contacts", s.contacts)
	at(issue, "POST /issue/contacts/{code}", s.contactSet)
	at(issue, "GET /issue/types/new", s.typeForm)
	at(issue, "POST /issue/types/new", s.typePropose)
	at(issue, "POST /issue/types/{code}/confirm", s.typeConfirm)
	at(issue, "POST /issue/types/import", s.typesImport)
	at(issue, "GET "+facePath, s.faceForm)
	at(issue, "POST "+facePath, s.facePost)
	at(issue, "POST "+facePath+"/preview", s.facePreviewJSON)

	at(issue, "GET /issue/lots", s.lots)
	at(issue, "POST /issue/lots", s.lotNew)
	at(issue, "GET /issue/lots/template/{code}", s.lotTemplate)
	at(issue, "GET /issue/lots/{id}", s.lot)
	at(issue, "POST /issue/lots/{id}", s.lotMove)
	at(issue, "POST /issue/lots/{id}/rows", s.lotRows)
	at(issue, photosPattern, s.lotPhotos)
	at(issue, "GET /issue/lots/{id}/bad/{form}", s.lotBad)
	at(issue, "GET /issue/lots/{id}/rows/{draft}", s.lotRow)
	at(issue, "POST /issue/lots/{id}/rows/{draft}", s.lotJudge)

	at(issue, "GET /issue/kits", s.kits)
	at(issue, "POST /issue/kits", s.kitOrder)
	at(issue, packagePattern, s.kitImport)
	at(issue, "GET /issue/kits/{id}", s.kit)
	at(issue, "POST /issue/kits/{id}/confirm", s.kitConfirm)
	at(issue, "POST /issue/kits/{id}/cancel", s.kitCancel)
	at(issue, "GET /issue/kits/{id}/file", s.kitFile)
	at(issue, "GET /issue/kits/{id}/proof", s.kitProof)

	at(issue, "GET /issue/stock", s.stock)
	at(issue, "POST /issue/stock", s.stockPlan)
	at(issue, "GET /issue/stock/new", s.stockForm)
	at(issue, "POST /issue/stock/new", s.stockEnter)
	at(issue, "GET /issue/stock/{id}", s.stockEntry)
	at(issue, "POST /issue/stock/{id}", s.stockMove)
	at(issue, "GET /issue/stock/{id}/scan", s.stockScan)
	at(issue, papersPattern, s.papersRead)
	at(issue, "GET /issue/papers/{code}/template", s.papersForm)
	at(issue, "GET /issue/papers/{id}", s.papersOne)
	at(issue, "GET /issue/papers/{id}/bad", s.papersBad)
	at(issue, "GET /issue/samples/{type}", s.stockSample)
	at(issue, "POST /issue/samples/{type}", s.stockSampleDo)

	at(issue, "GET /issue/matters", s.unitMatters)
	at(issue, "GET /issue/matters/new", s.matterForm)
	at(issue, "POST /issue/matters/new", s.matterPropose)
	at(issue, "GET /issue/matters/{code}", s.unitMatter)
	at(issue, "GET /issue/matters/{code}/export", s.matterExport)
	at(issue, "GET /issue/tickets", s.tickets)
	at(issue, "GET /issue/notices", s.notices)

	at(issue, "GET /issue/seals", s.ownSeals)
	at(issue, "POST /issue/seals", s.sealApply)
	at(issue, "GET /issue/seals/{id}", s.sealOne)
	at(issue, "POST /issue/seals/{id}", s.sealMove)
	at(issue, "GET /issue/seals/{id}/picture", s.sealPicture)
	at(issue, "GET /issue/seals/{id}/request", s.sealRequest)

	at(issue, "GET /issue/references", s.references)
	at(issue, "POST /issue/references/{id}", s.sourceAsk)
	at(issue, "GET /issue/references/{id}/bad", s.deliveryBad)
	at(issue, "POST /issue/licenses/{id}/verify", s.referenceVerify)
	at(issue, "GET /issue/awaited", s.awaited)
	at(issue, "POST /issue/awaited", s.awaitedNew)
	at(issue, "POST /issue/awaited/{id}", s.awaitedStep)

	at(window, "GET /window", s.myCases)
	at(window, "GET /window/new", s.caseForm)
	at(window, "POST /window/new", s.caseStart)
	at(window, "GET /window/cases/{id}", s.caseOne)
	at(window, "POST /window/cases/{id}", s.caseUse)
	at(window, "POST /window/cases/{id}/contacts", s.contactTake)
	at(window, "POST /window/queue/{id}", s.caseTake)
	at(window, "POST /window/cases/{id}/do/{move}", s.caseMove)
	at(window, "POST /window/cases/{id}/materials/{place}", s.caseMaterial)
	at(window, "GET /window/cases/{id}/materials/{place}/file", s.attached)
	at(window, "GET /window/cases/{id}/paper/{kind}", s.windowPaper)
	at(window, "POST /window/cases/{id}/paper/{kind}", s.askLetter)
	at(window, "GET /window/cases/{id}/paper/{kind}/file", s.windowPaperFile)
	at(window, "GET /window/cases/{id}/paper/{kind}/sheet/{page}", s.windowPaperSheet)
	at(window, "GET /window/collect", s.collect)
	at(window, "GET /window/collect/{id}", s.collectOne)
	at(window, "POST /window/collect/{id}", s.collectHand)
	at(window, "POST /window/collect/{id}/print", s.collectPrint)
	at(window, "GET /window/day", s.myDay)
	at(window, "GET /window/practice", s.practice)
	at(window, "POST /window/practice", s.practiceBegin)
	at(window, "POST /window/practice/end", s.practiceEnd)
	at(window, "GET /window/notices", s.notices)
	at(window, "GET /window/cases/{id}/uses/{record}/receipt", s.receipt)

	at(disclose, "GET /disclose", s.disclosures)
	at(disclose, "GET /disclose/new", s.discloseForm)
	at(disclose, "POST /disclose/new", s.disclosePropose)
	at(disclose, "GET /disclose/{id}", s.disclosure)
	at(disclose, "POST /disclose/{id}", s.discloseDecide)
	at(disclose, "POST /disclose/{id}/content", s.discloseRead)

	at(admin, "GET /admin", s.overview)
	at(admin, "GET /admin/types", s.waitingTypes)
	at(admin, "GET /admin/types/{code}/{version}", s.waitingType)
	at(admin, "POST /admin/types/{code}/{version}", s.typeDecide)
	at(admin, "GET /admin/types/{code}/{version}/face/{page}", s.waitingFace)
	at(admin, "GET /admin/matters", s.waitingMatters)
	at(admin, "GET /admin/matters/{code}/{version}", s.waitingMatter)
	at(admin, "POST /admin/matters/{code}/{version}", s.matterDecide)
	at(admin, "GET /admin/bases", s.bases)
	at(admin, "POST /admin/bases", s.basisAdd)
	at(admin, "POST /admin/bases/{id}/repeal", s.basisRepeal)
	at(admin, "GET /admin/calendar", s.calendar)
	at(admin, "POST /admin/calendar/notice", s.calendarNotice)
	at(admin, "POST /admin/calendar/day", s.calendarDay)
	at(admin, "POST /admin/calendar/{id}/end", s.calendarEnd)
	at(admin, "GET /admin/withdrawn", s.withdrawn)
	at(admin, "GET /admin/ontime", s.onTime)
	at(admin, "GET /admin/ontime/{list}", s.onTimeCSV)
	at(admin, "GET /admin/ontime/late", s.lateList)
	at(admin, "GET /admin/ontime/late/{kind}/{id}", s.lateOne)
	at(admin, "POST /admin/ontime/late/{kind}/{id}", s.lateDo)
	at(admin, "GET /admin/use", s.useFigures)
	at(admin, "GET /admin/stock", s.stockAll)
	at(admin, "GET /admin/use/{list}", s.useCSV)
	at(admin, "GET /admin/registries", s.registries)
	at(admin, "GET /admin/registries.csv", s.registriesCSV)
	at(admin, "GET /admin/awaited", s.awaited)
	at(admin, "GET /admin/awaited.csv", s.awaitedCSV)
	at(admin, "GET /admin/kits", s.kitsOverseen)
	at(admin, "GET /admin/kits/{id}/proof", s.kitProof)
	at(admin, "GET /admin/modes", s.modes)
	at(admin, "POST /admin/modes", s.modeBack)
	at(admin, "POST /admin/modes/{id}", s.modeDecide)
	at(admin, "GET /admin/modes.csv", s.modesExport)
	at(admin, "GET /admin/sources", s.sources)
	at(admin, "POST /admin/sources", s.sourceKeep)
	at(admin, "GET /admin/notices", s.notices)
	at(admin, "GET /admin/records", s.records)
	at(admin, "GET /admin/records/{id}", s.record)
	at(admin, "GET /admin/records/{id}/proof", s.recordProof)
	at(admin, "GET /admin/records/{id}/receipt", s.recordReceipt)
	at(admin, "GET /admin/rules", s.rules)
	at(admin, "POST /admin/rules", s.rulePropose)
	at(admin, "POST /admin/rules/{id}/{version}", s.ruleDo)
	at(admin, "GET /admin/units", s.units)
	at(admin, "GET /admin/units/new", s.unitNew)
	at(admin, "POST /admin/units/new", s.unitRegister)
	at(admin, "GET /admin/units/{code}", s.unit)
	at(admin, "POST /admin/units/{code}", s.unitChange)
	at(admin, "POST /admin/units/{code}/accounts", s.accountOpen)
	at(admin, "POST /admin/units/{code}/accounts/{login}", s.accountDo)
	at(admin, "GET /admin/systems", s.systems)
	at(admin, "POST /admin/systems/{login}", s.systemKeep)
	at(admin, "GET /admin/seals", s.seals)
	at(admin, "POST /admin/seals", s.sealImport)
	at(admin, "GET /admin/seals/trust", s.trust)
	at(admin, "POST /admin/seals/trust", s.trustImport)
	at(admin, "GET /admin/seals/{id}", s.sealOne)
	at(admin, "POST /admin/seals/{id}", s.sealMove)
	at(admin, "GET /admin/seals/{id}/picture", s.sealPicture)
}

func errNoPage() error {
	return elicense.E(elicense.NotFound, "没有这个页面").Then("请核对网址，或从首页重新进入")
}

// The limits of what a visitor can send, in bytes.
const (
	maxForm = 256 << 10
	maxFile = 20 << 20
)

// handle turns a page into a handler: who visits, may he be at this desk, and
// what becomes of the page's error.
func (s *server) handle(d *desk, h func(*visit) error) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := s.newVisit(w, r, d)
		if err := s.serve(v, h); err != nil {
			v.fail(err)
		}
	})
}

func (s *server) serve(v *visit, h func(*visit) error) error {
	var err error
	if v.who, err = s.actor(v.r, v.request); err != nil {
		v.who = elicense.Anyone(v.request)
		return err
	}
	if err := v.readForm(); err != nil {
		return err
	}
	if v.who.Kind == elicense.Public && v.desk.path != "" {
		return s.signInAgain(v)
	}
	if v.who.Initial && v.desk.path != "" {
		return v.goTo("/password")
	}
	if !v.desk.admits(v.who) {
		desk := oversight.Desk{Name: v.desk.name, Kind: v.desk.kind, Duties: v.desk.duties}
		if err := s.Oversight.Enter(v.r.Context(), v.who, desk, v.r.Pattern, s.Now()); err != nil {
			return err
		}
	}
	return h(v)
}
