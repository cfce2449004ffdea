// Package httpapi is the JSON API for the systems of issuing and application
// units, halls and supervisors: everything a person can do at a desk, under the
// same access law. OpenAPI 3.1 is made from the code.
//
// It decides nothing: it says who asks, calls a domain function, and turns its
// answer or refusal into HTTP.
package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"path"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"elicense"
	"elicense/access"
	"elicense/cases"
	"elicense/catalog"
	"elicense/delivery"
	"elicense/issuance"
	"elicense/letters"
	"elicense/lifecycle"
	"elicense/offline"
	"elicense/ontime"
	"elicense/org"
	"elicense/oversight"
	"elicense/posts"
	"elicense/references"
	"elicense/registry"
	"elicense/sharing"
	"elicense/stock"
	"elicense/verification"
)

// Config is what the API answers from; all of it is required.
type Config struct {
	Org        *org.Org
	Posts      *posts.Posts
	Guard      *access.Guard
	Rules      *access.Rules
	Catalog    *catalog.Catalog
	Cases      *cases.Cases
	Letters    *letters.Letters
	Issuer     *issuance.Issuer
	Lifecycle  *lifecycle.Lifecycle
	Sharing    *sharing.Sharing
	Stock      *stock.Stock
	Receipts   *sharing.Receipts
	Verifier   *verification.Verifier
	Oversight  *oversight.Oversight
	Measures   *registry.Measures
	Kits       *offline.Kits
	OnTime     *ontime.Ledger
	Delivery   *delivery.Desk
	References *references.References
	Now        func() time.Time
	Log        *slog.Logger
	Version    string
}

// The limits of requests, in bytes.
const (
	maxBody = 1 << 20
	maxFile = 20 << 20
)

type server struct {
	Config
	api   huma.API
	names map[string]bool // of fields and parameters, as the description writes them
}

// Mount adds the API to mux: /api/v1/…, /log/key.pem, /oauth/token, /openapi.json
// and the readable page /api. It returns the description.
func Mount(mux *http.ServeMux, c Config) *huma.OpenAPI {
	s := &server{Config: c}
	huma.NewError = func(status int, _ string, errs ...error) huma.StatusError { return s.problem("", status, errs) }
	huma.NewErrorWithContext = func(c huma.Context, status int, _ string, errs ...error) huma.StatusError {
		return s.problem(actorOf(c.Context()).Request, status, errs)
	}
	own := http.NewServeMux()
	config := huma.DefaultConfig("电子证照共享服务平台接口", c.Version)
	config.DocsPath, config.SchemasPath, config.CreateHooks = "", "", nil
	config.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	config.Info.Description = "供签发单位、应用单位、服务大厅和监督机构的业务系统使用。和各工作台同一套访问规则；每次访问都有记录。"
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"oauth2": {Type: "oauth2", Flows: &huma.OAuthFlows{
			ClientCredentials: &huma.OAuthFlow{TokenURL: "/oauth/token", Scopes: map[string]string{}},
			Password:          &huma.OAuthFlow{TokenURL: "/oauth/token", Scopes: map[string]string{}},
		}},
	}
	s.api = humago.New(own, config)
	s.routes()
	s.names = namesIn(s.api.OpenAPI())
	mux.Handle("/api/v1/", s.entry(s.known(own)))
	mux.Handle("/openapi.json", own)
	mux.Handle("GET /log/key.pem", s.entry(own))
	mux.HandleFunc("POST /oauth/token", s.token)
	mux.HandleFunc("GET /api", s.page)
	return s.api.OpenAPI()
}

// schemaName names a type in the description; types of other rooms carry the
// room's name, since several have a Field.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	room := path.Base(t.PkgPath())
	if room == "httpapi" || room == "." || t.Name() == "" {
		return name
	}
	return strings.ToUpper(room[:1]) + room[1:] + name
}

// routes is the whole API on one screen.
func (s *server) routes() {
	get, post := http.MethodGet, http.MethodPost

	op(s, get, "/license-types", "license-types", "证照类别目录", s.listTypes, public)
	op(s, get, "/license-types/{code}", "license-type", "一个证照类别", s.getType, public)
	op(s, post, "/license-types", "propose-type", "登记证照类别（新类别或新版本）", s.proposeType, created)
	op(s, post, "/license-types/{code}/versions/{version}/decision", "decide-type", "核对并发布或退回", s.decideType)
	op(s, post, "/license-types/{code}/confirmation", "confirm-type", "确认现行的证照类别仍然正确", s.confirmType)
	op(s, get, "/license-types/{code}/contacts", "contacts", "各签发单位的联系方式", s.contacts, public)
	op(s, post, "/license-types/{code}/contacts", "set-contact", "本单位的联系方式，马上生效", s.setContact)
	op(s, get, "/license-types/{code}/modes", "modes", "各签发单位怎样生成这类证照", s.modes, public)
	op(s, post, "/license-types/{code}/modes", "set-mode", "一个签发单位怎样生成这类证照", s.setMode)
	op(s, post, "/license-types/{code}/modes/removal", "take-back-mode", "一个签发单位改回按类别登记的方式，马上生效", s.takeBackMode)
	op(s, post, "/license-types/{code}/mode-proposals", "propose-mode", "申请本单位怎样生成这类证照（类别由别的单位登记）", s.proposeMode, created)
	op(s, get, "/mode-proposals", "mode-proposals", "生成方式的申请：本单位的，或等管理部门核对的", s.modeProposals)
	op(s, post, "/mode-proposals/{id}/decision", "decide-mode", "同意或不同意一个单位的申请", s.decideMode)

	op(s, post, "/completions", "complete", "业务办结，应制证照（按办件和结果序号幂等）", s.complete, created)
	op(s, get, "/drafts", "drafts", "本单位的草稿", s.listDrafts)
	op(s, get, "/drafts/{id}", "draft", "一份草稿：检查、比对、内容", s.getDraft)
	op(s, get, "/drafts/{id}/face", "draft-face", "将要签章的照面，SVG", s.draftFace)
	op(s, get, "/drafts/{id}/documents", "closing-documents", "和证照一起送达的文书", s.documents)
	op(s, get, "/drafts/{id}/documents/{document}/file", "closing-document", "一份文书的文件", s.documentFile)
	op(s, post, "/drafts/{id}/documents/{document}/removal", "take-out-document", "审核以前撤下一份文书", s.takeOutDocument)
	op(s, post, "/drafts/{id}/documents", "add-document", "加一份一起送达的文书，请求体就是盖了章的OFD或PDF", s.addDocument, created, closingFile)
	op(s, post, "/drafts/{id}/review", "review-draft", "审核通过或退回", s.reviewDraft)
	op(s, post, "/drafts/{id}/retry", "retry-draft", "签章停下了的再试", s.retryDraft)
	op(s, get, "/halted", "halted", "签章每次都没有办成、停下了的证照和批次", s.halted)
	op(s, post, "/drafts/reviews", "review-drafts", "一起审核几份：每份按看过的照面各自通过，没有通过的写明原因", s.reviewDrafts)
	op(s, get, "/work", "work", "本单位的待办：已逾期、今天到期、退回、等待比对、批次、应生成未生成", s.work)
	op(s, get, "/results", "results", "本单位办结了、证照还没有发布的", s.listResults)
	op(s, post, "/results", "report-results", "报送办结的办件（按办件和结果序号幂等），好的收下，错的逐件说明", s.reportResults)
	op(s, post, "/results/file", "report-file", "上传当日办结的表格，请求体就是文件（CSV或XLSX）", s.reportFile, created, resultFile)
	op(s, get, "/results/template", "results-template", "当日办结的表格，XLSX", s.resultsTemplate)
	op(s, get, "/results/files/{id}/bad-rows", "results-bad-rows", "没有收下的行和原因，CSV", s.resultsBad)
	op(s, get, "/results/unreported", "unreported", "制了证、没有报送办结的", s.unreported)
	op(s, get, "/results/{id}", "result", "一件办结和它的证照", s.getResult)
	op(s, post, "/results/{id}/moves", "move-result", "转办、提出不生成、另一人确认", s.moveResult)
	figuresOp(s, "/on-time", "on-time", "按时率：按方式、单位、类别，豁免前后；JSON或CSV", s.onTime, onTimeOut.rows)
	figuresOp(s, "/on-time/late", "late", "迟的和应生成未生成的；JSON或CSV", s.late, lateOut.rows)
	op(s, get, "/on-time/late/{kind}/{id}", "late-one", "一件迟的和记录的豁免", s.lateOne)
	op(s, post, "/on-time/excuses", "excuse", "记录豁免；证照仍记为迟", s.excuse, created)
	op(s, post, "/on-time/excuses/{id}/lifting", "lift-excuse", "撤销豁免", s.liftExcuse)
	op(s, get, "/on-time/setting", "on-time-setting", "一个单位说办结后多少分钟内生成", s.syncSetting, public)
	op(s, post, "/on-time/setting", "set-on-time", "设置本单位办结后多少分钟内生成", s.setSync)
	op(s, get, "/license-types/{code}/lot-template", "lot-template", "批量制证的表格，XLSX", s.lotTemplate, public)
	op(s, get, "/lots", "lots", "本单位的批次", s.listLots)
	op(s, post, "/lots", "new-lot", "上传一批办结的表格，请求体就是文件（CSV或XLSX）", s.newLot, created, lotTable)
	op(s, get, "/lots/{id}", "lot", "一个批次和进度", s.getLot)
	op(s, post, "/lots/{id}/rows", "add-rows", "上传更正后的行", s.addRows, lotTable)
	op(s, post, "/lots/{id}/photos", "lot-photos", "上传照片的ZIP压缩包，请求体就是文件；等照片的行随后检查", s.lotPhotos, lotTable)
	op(s, get, "/lots/{id}/bad-rows", "bad-rows", "没有通过检查的行和原因，CSV", s.badRows)
	op(s, post, "/lots/{id}/moves", "move-lot", "提交、通过、退回、暂停、继续、作废", s.moveLot)
	op(s, get, "/lots/{id}/sample", "lot-sample", "抽中要核对的行", s.lotSample)
	op(s, post, "/lots/{id}/sample/{draft}", "judge-row", "抽中的行核对无误，或有错", s.judgeRow)
	op(s, get, "/kits", "kits", "本单位的离线工具包", s.listKits)
	op(s, post, "/kits", "order-kit", "申请离线工具包，制证人员设自己的口令", s.orderKit, created, withProof)
	op(s, get, "/kits/overseen", "overseen-kits", "各单位的离线工具包：情形、号段用了多少、导入了没有、逾期没有导入的", s.overseenKits)
	op(s, get, "/kits/{id}", "kit", "一个离线工具包和导入的离线包", s.getKit)
	op(s, post, "/kits/{id}/confirm", "confirm-kit", "另一人确认，设审核签章的口令", s.confirmKit)
	op(s, post, "/kits/{id}/cancel", "cancel-kit", "注销离线工具包", s.cancelKit)
	op(s, get, "/kits/{id}/file", "kit-file", "离线工具包的文件", s.kitFile)
	op(s, get, "/kits/{id}/proof", "kit-proof", "系统故障的证明文件", s.proofAs(false))
	op(s, get, "/kits/overseen/{id}/proof", "overseen-kit-proof", "监督时看系统故障的证明文件", s.proofAs(true))
	op(s, post, "/kits/packages", "import-package", "导入离线包，请求体就是文件", s.importPackage, kitPackage)

	op(s, get, "/stock/programmes", "programmes", "存量补录的计划和进度", s.programmes)
	op(s, post, "/stock/programmes/{code}", "plan", "登记一类证照的存量计划", s.plan)
	op(s, get, "/stock/entries", "entries", "本单位的补录", s.entries)
	op(s, post, "/stock/entries", "enter-paper", "第一次录入一份纸质证照，附扫描件", s.enterPaper, created, withScan)
	op(s, get, "/stock/entries/{id}", "entry", "一份补录", s.paperEntry)
	op(s, get, "/stock/entries/{id}/scan", "entry-scan", "扫描件", s.entryScan)
	op(s, post, "/stock/entries/{id}/moves", "move-entry", "第二次录入、选定、不予补录", s.moveEntry)
	op(s, post, "/stock/tables", "read-stock-table", "上传一张存量表：第一个人的附扫描件，第二个人的不附", s.readStockTable, created, withPictures)
	op(s, get, "/stock/tables", "stock-tables", "自己上传的存量表", s.stockTables)
	op(s, get, "/stock/tables/{table}", "stock-table", "一张存量表的结果，程序中断过的也在", s.stockTable)
	op(s, get, "/stock/tables/{table}/bad-rows", "stock-table-bad-rows", "退回的行和原因，按表的格式，XLSX", s.stockTableBad)
	op(s, get, "/stock/templates/{code}", "stock-template", "存量表的模板", s.stockTemplate)
	op(s, get, "/stock/samples/{code}", "stock-sample", "抽中要对照扫描件的证照", s.stockSample)
	op(s, post, "/stock/samples/{code}", "draw-stock", "抽取已发布的存量证照", s.drawStock)
	op(s, post, "/stock/judgements/{draft}", "judge-stock", "抽中的证照无误，或有错", s.judgeStock)
	op(s, post, "/references", "refer", "登记国家系统回传的证照", s.refer, created)
	op(s, post, "/references/{id}/check", "verify-reference", "向来源系统核对一个引用", s.verifyReference)
	op(s, get, "/sources", "sources", "国家来源系统和它们的情况", s.sources)
	op(s, post, "/sources/{source}", "keep-source", "登记或修改来源系统", s.keepSource)
	op(s, post, "/sources/{source}/asking", "ask-source", "现在就问来源系统，或看它的文件", s.askSource)
	op(s, get, "/returns", "returns", "来源系统回传的批次", s.returned)
	op(s, get, "/returns/{delivery}", "return", "一个回传的批次", s.returnedOne)
	op(s, get, "/returns/{delivery}/bad-rows", "return-bad-rows", "没有收下的行和原因，按来时的格式", s.returnedBad)
	op(s, get, "/differences", "differences", "对账发现、还没有消除的不一致", s.differences)
	op(s, get, "/awaited", "awaited", "等待部委回传的系统和商请的经过", s.awaited)
	op(s, post, "/awaited", "await", "登记一个等待回传的系统", s.await, created)
	op(s, post, "/awaited/{awaited}/steps", "awaited-step", "记一次商请或答复", s.awaitedStep)

	op(s, get, "/licenses/{id}", "license", "本单位签发的一个证照", s.getLicense)
	op(s, get, "/licenses/{id}/file", "license-file", "签章文件，OFD", s.licenseFile)
	op(s, get, "/licenses/{id}/pdf", "license-pdf", "非签章的PDF", s.licensePDF)
	op(s, get, "/licenses/{id}/print", "license-print", "打印件，PDF", s.licensePrint)
	op(s, get, "/licenses/{id}/delivery", "delivery", "发放情况：消息、签收、送达的文件", s.deliveryAs(true))
	op(s, post, "/licenses/{id}/package", "prepare-package", "请求制作送达清单", s.prepareAs(true))
	op(s, get, "/licenses/{id}/package", "package", "送达包，ZIP", s.packageAs(true))
	op(s, post, "/licenses/{id}/handing", "hand-over", "登记打印交付", s.handOver)
	op(s, get, "/deliveries", "deliveries", "本单位的发放：没有送到、还没有签收、全部", s.listDeliveries)
	op(s, get, "/deliveries/cancelled", "cancelled-messages", "证照撤下后取消的消息和原因", s.cancelledMessages)
	op(s, get, "/collectables", "collectables", "窗口领证：按办件编号、回执二维码或证照标识找", s.collectables)
	op(s, get, "/collectables/{id}", "collectable", "窗口领证：一份证照，不含内容", s.collectable)
	op(s, post, "/collectables/{id}/print", "collect-print", "窗口领证：核实持证人以后打印，PDF", s.collectPrint)
	op(s, post, "/collectables/{id}/handing", "collect-hand", "窗口领证：登记当面交付", s.collectHand)
	op(s, post, "/deliveries/messages/{message}/resending", "resend", "重新发送没有送到的消息", s.resend)
	op(s, post, "/licenses/{id}/events", "propose-event", "提出状态变更（待第二人复核）", s.proposeEvent, created)
	op(s, post, "/license-changes/{id}/review", "review-event", "复核状态变更", s.reviewEvent)

	op(s, get, "/matters", "matters", "事项", s.listMatters, public)
	op(s, get, "/matters/{code}", "matter", "一个事项的材料清单", s.getMatter, public)
	op(s, post, "/matters", "propose-matter", "登记事项和材料清单（新事项或新版本）", s.proposeMatter, created)
	op(s, post, "/matters/{code}/versions/{version}/decision", "decide-matter", "核对并发布或退回", s.decideMatter)
	op(s, get, "/matter-tasks", "matter-tasks", "依据失效后要修改的事项", s.matterTasks)
	op(s, get, "/bases", "bases", "要求纸质或到场的法定依据", s.bases, public)
	op(s, post, "/bases", "add-basis", "登记依据", s.addBasis, created)
	op(s, post, "/bases/{id}/repeal", "repeal-basis", "登记依据失效，引用它的事项都生成任务", s.repealBasis)
	op(s, post, "/systems/{login}/keys", "system-key", "登记或停用业务系统签办件票据的公钥", s.systemKey, created)
	op(s, post, "/systems/{login}/origins", "system-origin", "登记或停用可以嵌入办件页面的网页来源", s.systemOrigin, created)
	op(s, post, "/cases", "open-case", "开办件（收件）", s.openCase, created)
	op(s, get, "/cases/{id}", "case", "一个办件", s.getCase)
	op(s, get, "/cases/{id}/materials", "materials", "核对材料", s.materials)
	op(s, post, "/cases/{id}/uses", "use", "查询、验证、比对证照", s.use)
	op(s, get, "/cases/{id}/uses/{record}/receipt", "use-receipt", "用证凭据，可用elicense verify --receipt离线核验", s.receipt)
	op(s, get, "/queue", "queue", "本单位待接办的网上申请", s.queue)
	op(s, get, "/cases/{id}/course", "course", "办件的经过", s.course)
	op(s, get, "/cases/{id}/letters", "letters", "办件的文书：材料接收凭证、受理、补正、不予受理", s.letters)
	op(s, get, "/cases/{id}/letters/{kind}", "letter-file", "盖了章的文书，OFD", s.letterFile)
	op(s, post, "/cases/{id}/letters/{kind}", "ask-letter", "请求盖章：窗口的材料接收凭证，或没有盖成的文书", s.askLetter)
	op(s, post, "/cases/{id}/moves", "move-case", "办理：接办、补正告知、受理、停表、决定、撤回、转办", s.moveCase)
	op(s, post, "/cases/{id}/contacts", "take-contact", "登记当事人的联系方式", s.takeContact)
	op(s, post, "/cases/{id}/parties", "join-case", "增加当事人", s.joinCase, created)
	op(s, post, "/cases/{id}/materials/{place}", "give", "解决一项材料：用证照、容缺、承诺、写明理由收取纸质", s.give)
	op(s, post, "/cases/{id}/materials/{place}/file", "attach", "收一项材料的文件，请求体就是文件", s.attach, upload)
	op(s, post, "/cases/{id}/agreements", "ask-agreement", "请持证人同意使用", s.askAgreement, created)
	op(s, post, "/cases/{id}/tickets", "report-license", "登记缺证、错证", s.report, created)
	op(s, get, "/tickets", "tickets", "登记到本单位的缺证、错证", s.tickets)
	op(s, post, "/cases/{id}/closing", "close-case", "办结", s.closeCase)

	op(s, get, "/units", "units", "单位和它们的账号：可以看的", s.units, posting)
	op(s, get, "/units/{unit}", "unit", "一个单位和它的账号", s.unit, posting)
	op(s, post, "/units", "register-unit", "登记单位", s.registerUnit, created, posting, told(unitKinds()))
	op(s, post, "/units/{unit}", "change-unit", "修改单位的名称、地区、上级和性质", s.changeUnit, posting, told(unitKinds()))
	op(s, post, "/units/{unit}/accounts", "open-account", "给人员或业务系统开通账号；密码只在这个答复里", s.openAccount, created, posting, told(shownOnce, accountDuties()))
	op(s, post, "/accounts/{login}/moves", "move-account", "改岗位职责、停用、启用、重新设置密码", s.moveAccount, posting, told(shownOnce, accountDuties()))
	op(s, post, "/password", "change-password", "改自己的密码", s.changePassword, posting, told(endsToken))

	op(s, get, "/folder", "folder", "持证人的卡包", s.folder)
	op(s, post, "/applications", "apply", "网上申请：开始填报", s.apply, created)
	op(s, get, "/applications", "own-cases", "持证人的办件", s.ownCases)
	op(s, get, "/applications/{id}", "own-case", "持证人的一个办件和经过", s.ownCase)
	op(s, get, "/applications/{id}/materials", "own-materials", "要提供什么，哪些平台已有", s.ownMaterials)
	op(s, post, "/applications/{id}/materials/{place}", "own-give", "同意使用平台上的证照，或填表", s.give)
	op(s, post, "/applications/{id}/materials/{place}/file", "own-attach", "上传一项材料，请求体就是文件", s.attach, upload)
	op(s, post, "/applications/{id}/moves", "own-move", "提交、补正、撤回", s.ownMove)
	op(s, get, "/applications/{id}/letters", "own-letters", "办件的文书", s.ownLetters)
	op(s, get, "/applications/{id}/letters/{kind}", "own-letter-file", "盖了章的文书，OFD", s.ownLetterFile)
	op(s, post, "/applications/{id}/objection", "object", "这不是我办的", s.object)
	op(s, get, "/agreements", "agreements", "请我同意的和我同意过的", s.agreements)
	op(s, post, "/agreements/{id}", "answer", "同意、不同意、撤回同意", s.answer)
	op(s, get, "/folder/{id}", "own-license", "持证人的一个证照", s.ownLicense)
	op(s, get, "/folder/{id}/file", "own-file", "签章文件，OFD", s.ownFile)
	op(s, get, "/folder/{id}/pdf", "own-pdf", "非签章的PDF", s.ownPDF)
	op(s, get, "/folder/{id}/print", "own-print", "打印件，PDF", s.ownPrint)
	op(s, get, "/folder/{id}/delivery", "own-delivery", "送达：文件、消息、时间", s.deliveryAs(false))
	op(s, post, "/folder/{id}/package", "prepare-own-package", "请求制作送达清单", s.prepareAs(false))
	op(s, get, "/folder/{id}/package", "own-package", "送达包，ZIP", s.packageAs(false))
	op(s, get, "/contacts", "own-contacts", "持证人的接收方式", s.ownContacts)
	op(s, post, "/contacts/{channel}", "ask-contact", "设一个接收方式，往那里发验证码", s.askContact)
	op(s, post, "/contacts/{channel}/confirmation", "confirm-contact", "用验证码确认", s.confirmContact)
	op(s, post, "/contacts/{channel}/removal", "forget-contact", "删除接收方式", s.forgetContact)
	op(s, get, "/folder/{id}/uses", "own-uses", "谁用过这个证照", s.ownUses)

	op(s, post, "/checks", "check", "按二维码里的查验码查验", s.check, public)
	op(s, post, "/checks/file", "check-file", "按文件查验，请求体就是文件", s.checkFile, public, large)

	op(s, post, "/disclosures", "disclose", "依法调取：提出", s.disclose, created)
	op(s, get, "/disclosures", "disclosures", "本单位的依法调取", s.disclosures)
	op(s, post, "/disclosures/{id}/decision", "decide-disclosure", "依法调取：第二人同意或不同意", s.decideDisclosure)
	op(s, get, "/disclosures/{id}/content", "read-disclosure", "依法调取的内容", s.readDisclosure)
	figuresOp(s, "/figures/use", "figures", "用证统计：免提交率、收取纸质、网上申请、拒绝；JSON或CSV", s.figures, figuresOut.rows)
	op(s, get, "/rules", "rules", "地方规则的全部版本", s.listRules, public)
	op(s, post, "/rules", "propose-rule", "提出一条地方规则，或它的新版本", s.proposeRule, created)
	op(s, post, "/rules/{rule}/versions/{version}/decision", "decide-rule", "第二人同意或不同意：执行，或停用", s.decideRule)
	op(s, post, "/rules/{rule}/versions/{version}/end", "end-rule", "提出停用，另一人同意后停用", s.endRule)
	op(s, get, "/registries", "registries", "基础库比对：可用率、答复时间、待处理的不一致", s.registries)

	op(s, get, "/records", "records", "访问记录", s.records)
	op(s, get, "/records/{id}/proof", "record-proof", "一条访问记录的证明", s.proof)
	op(s, get, "/log/checkpoint", "checkpoint", "日志的签名校验点", s.checkpoint, public)
	op(s, get, "/log/key.pem", "log-key", "日志的公钥，核验凭据和校验点用", s.logKey, public, atRoot)
}

// The marks of operations.
func told(text ...string) func(*huma.Operation) {
	return func(o *huma.Operation) { o.Description = strings.Join(text, "\n\n") }
}
func public(o *huma.Operation)  { o.Security = nil }
func created(o *huma.Operation) { o.DefaultStatus = http.StatusCreated }
func upload(o *huma.Operation) {
	o.MaxBodyBytes = elicense.MaxUpload + 1
	o.BodyReadTimeout = time.Minute
}
func large(o *huma.Operation)  { o.MaxBodyBytes = maxFile; o.BodyReadTimeout = time.Minute }
func atRoot(o *huma.Operation) { o.Path = strings.TrimPrefix(o.Path, apiRoot) }

// apiRoot is where operations are, but for the few whose address stands on paper.
const apiRoot = "/api/v1"

// op registers an operation. Its handler gets who asks; unless the operation is
// public, nobody is refused before it runs.
func op[I, O any](s *server, method, at, id, summary string, handle func(context.Context, *elicense.Actor, *I) (*O, error), marks ...func(*huma.Operation)) {
	o := huma.Operation{
		OperationID: id, Method: method, Path: apiRoot + at, Summary: summary, MaxBodyBytes: maxBody,
		Security: []map[string][]string{{"oauth2": {}}}, Tags: []string{strings.Split(at, "/")[1]},
	}
	for _, m := range marks {
		m(&o)
	}
	open := o.Security == nil
	huma.Register(s.api, o, func(ctx context.Context, in *I) (*O, error) {
		who := actorOf(ctx)
		if who.Kind == elicense.Public && !open {
			return nil, s.fail(ctx, elicense.E(elicense.Unauthorized, "要先登录").Then("请在/oauth/token取得访问令牌，放在Authorization头里"))
		}
		out, err := handle(ctx, who, in)
		if err != nil {
			return nil, s.fail(ctx, err)
		}
		return out, nil
	})
}

// The desks of lists that are nobody else's. Others would get an empty list, which
// tells them nothing of why.
var (
	holderDesk = oversight.Desk{Name: "holder", Kind: elicense.Holder}
	windowDesk = oversight.Desk{Name: "window", Kind: elicense.Staff, Duties: []elicense.Duty{elicense.DutyWindow}}
	matterDesk = oversight.Desk{Name: "issue", Kind: elicense.Staff, Duties: []elicense.Duty{elicense.DutyMatters}}
)

// enter lets who has a duty at the desk to its list.
func (s *server) enter(ctx context.Context, who *elicense.Actor, d oversight.Desk, list string) error {
	return s.Oversight.Enter(ctx, who, d, http.MethodGet+" "+apiRoot+list, s.Now())
}

type actorKey struct{}

func actorOf(ctx context.Context) *elicense.Actor {
	if a, ok := ctx.Value(actorKey{}).(*elicense.Actor); ok {
		return a
	}
	return elicense.Anyone("")
}

// NewRequestID draws the number of a request.
func NewRequestID(now time.Time) string { return elicense.NewID[string](now) }

// from is where a request comes from, for limits.
func from(r *http.Request) string {
	host, _, found := strings.Cut(r.RemoteAddr, "]")
	if found {
		return strings.TrimPrefix(host, "[")
	}
	host, _, _ = strings.Cut(r.RemoteAddr, ":")
	return host
}

type fromKey struct{}

func fromOf(ctx context.Context) string {
	s, _ := ctx.Value(fromKey{}).(string)
	return s
}

// known answers what no operation is for with a problem; the mux's own answer is
// plain text.
func (s *server) known(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, pattern := mux.Handler(r); pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		rec := &recorder{header: http.Header{}, status: http.StatusOK}
		mux.ServeHTTP(rec, r)
		p := problemOf(elicense.E(elicense.NotFound, "没有这个接口").Then("请对照/openapi.json核对地址"), actorOf(r.Context()).Request)
		if rec.status == http.StatusMethodNotAllowed {
			w.Header().Set("Allow", rec.header.Get("Allow"))
			p.Type, p.Status, p.Title = "urn:elicense:invalid", rec.status, "这个接口不接受这种方法"
		}
		writeProblem(w, p)
	})
}

// entry finds out who asks and lets a repeated POST have its first answer.
func (s *server) entry(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request := NewRequestID(s.Now())
		w.Header().Set("X-Request-Id", request)
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		who := elicense.Anyone(request)
		ctx := context.WithValue(context.WithValue(r.Context(), actorKey{}, who), fromKey{}, from(r))
		if r.Header.Get("X-Actor") != "" {
			s.refuse(ctx, w, elicense.E(elicense.Invalid, "不接受X-Actor头").Then("代人办理请用本人的访问令牌"))
			return
		}
		if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
			a, err := s.Org.ActorOfToken(ctx, bearer, request)
			if err != nil {
				s.refuse(ctx, w, err)
				return
			}
			who, ctx = a, context.WithValue(ctx, actorKey{}, a)
		}
		key := r.Header.Get("Idempotency-Key")
		if r.Method != http.MethodPost || key == "" || who.Account == "" {
			next.ServeHTTP(w, r.WithContext(ctx))
			return
		}
		s.once(w, r.WithContext(ctx), next, who, key)
	})
}

// maxKey bounds an idempotency key.
const maxKey = 128

// validKey tells whether an idempotency key is printable and not too long.
func validKey(key string) bool {
	return len(key) <= maxKey && !strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r > '~' })
}

// once answers a POST with an idempotency key: as the first time, if it was
// answered before.
func (s *server) once(w http.ResponseWriter, r *http.Request, next http.Handler, who *elicense.Actor, key string) {
	if !validKey(key) {
		s.refuse(r.Context(), w, elicense.E(elicense.Invalid, "幂等键要用%d个以内的可见字符", maxKey).At("Idempotency-Key"))
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxFile))
	if err != nil {
		s.refuse(r.Context(), w, unread(err))
		return
	}
	o := &access.Once{Scope: string(who.Account) + " " + r.URL.Path, Key: key, Digest: body}
	reply, known, err := s.Guard.Replay(r.Context(), o)
	if err != nil {
		s.refuse(r.Context(), w, err)
		return
	}
	if known {
		replay(w, reply)
		return
	}
	r = r.WithContext(access.WithOnce(r.Context(), o))
	r.Body = io.NopCloser(bytes.NewReader(body))
	rec := &recorder{header: http.Header{}, status: http.StatusOK}
	next.ServeHTTP(rec, r)
	if rec.status < 300 {
		if err := s.Guard.KeepReply(r.Context(), o, rec.kept()); err != nil {
			s.refuse(r.Context(), w, err)
			return
		}
	}
	for k, v := range rec.header {
		w.Header()[k] = v
	}
	w.WriteHeader(rec.status)
	w.Write(rec.body) // the caller is gone if this fails
}

// unread is the refusal of a body that could not be read to its end.
func unread(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return elicense.E(elicense.TooLarge, "请求的内容太大").Then("请分开发送，或压缩后再发").Because(err)
	}
	return elicense.E(elicense.Invalid, "请求的内容没有收完整").Then("请再发一次").Because(err)
}

// recorder holds an answer back until it is kept.
type recorder struct {
	header http.Header
	status int
	body   []byte
}

func (r *recorder) Header() http.Header  { return r.header }
func (r *recorder) WriteHeader(code int) { r.status = code }
func (r *recorder) Write(b []byte) (int, error) {
	r.body = append(r.body, b...)
	return len(b), nil
}

// kept is the form an answer is kept in: its status and type, then its body, but for
// a secret.
func (r *recorder) kept() []byte {
	return append([]byte(strconv.Itoa(r.status)+" "+r.header.Get("Content-Type")+"\n"), withoutSecret(r.body)...)
}

// withoutSecret takes the secret out of an answer that hands one over. Answers are kept
// encrypted, but what is shown once must not be had again for seven days with the key
// of its request.
func withoutSecret(body []byte) []byte {
	var fields map[string]json.RawMessage
	if json.Unmarshal(body, &fields) != nil || fields["secret"] == nil {
		return body
	}
	delete(fields, "secret")
	rest, err := json.Marshal(fields)
	if err != nil {
		return nil
	}
	return rest
}

func replay(w http.ResponseWriter, kept []byte) {
	head, body, _ := strings.Cut(string(kept), "\n")
	status, kind, _ := strings.Cut(head, " ")
	code, err := strconv.Atoi(status)
	if err != nil {
		code = http.StatusOK
	}
	if kind != "" {
		w.Header().Set("Content-Type", kind)
	}
	w.Header().Set("Idempotent-Replay", "true")
	w.WriteHeader(code)
	io.WriteString(w, body)
}
