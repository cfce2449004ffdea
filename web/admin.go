package web

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"elicense"
	"elicense/access"
	"elicense/catalog"
	"elicense/issuance"
	"elicense/oversight"
)

type overviewPage struct {
	Waiting    int // licenses approved and not published
	Halted     []issuance.Halted
	Types      int
	Registered int
	Units      int
	Refusals   []refusalRow
	Most       uint64
	Total      uint64
	Checkpoint []string
	SealEnd    time.Time
	At         time.Time
}

type refusalRow struct {
	access.Rule
	N     uint64
	Width int // of 100
}

func (s *server) overview(v *visit) (err error) {
	ctx := v.r.Context()
	d := overviewPage{At: v.Now()}
	if d.Waiting, err = s.Issuer.Waiting(ctx); err != nil {
		return err
	}
	// Who keeps seals or accounts looks at this page too, and is not asked for it.
	if d.Halted, err = s.Issuer.HaltedNow(ctx, v.who, "", queueLimit); err != nil && !elicense.IsKind(err, elicense.Forbidden) {
		return err
	}
	waiting, err := s.Catalog.Waiting(ctx)
	if err != nil {
		return err
	}
	all, err := s.Catalog.All(ctx)
	if err != nil {
		return err
	}
	units, err := s.Org.AllUnits(ctx)
	if err != nil {
		return err
	}
	// A log that is not signed yet is told as such.
	text, _, err := s.Oversight.Checkpoint(ctx)
	if k := elicense.KindOf(err); err != nil && k != elicense.Unavailable && k != elicense.NotFound {
		return err
	}
	if d.SealEnd, err = s.Seals.SoonestEnd(ctx); err != nil {
		return err
	}
	d.Types, d.Registered, d.Units, d.Checkpoint = len(waiting), len(all), len(units), strings.FieldsFunc(text, func(r rune) bool { return r == '\n' })
	counted := s.Guard.Refusals()
	for id, n := range counted {
		r, err := s.rule(v, id)
		if err != nil {
			return err
		}
		if r != nil {
			d.Refusals = append(d.Refusals, refusalRow{Rule: *r, N: n})
			d.Total += n
			d.Most = max(d.Most, n)
		}
	}
	slices.SortFunc(d.Refusals, func(a, b refusalRow) int { return cmp.Or(cmp.Compare(b.N, a.N), cmp.Compare(a.Rule.ID, b.Rule.ID)) })
	for i := range d.Refusals {
		d.Refusals[i].Width = int(100 * d.Refusals[i].N / d.Most)
	}
	return v.render("overview", v.t("总览"), d)
}

func (s *server) waitingTypes(v *visit) error {
	list, err := s.Catalog.Waiting(v.r.Context())
	if err != nil {
		return err
	}
	names, _, err := s.unitNames(v)
	if err != nil {
		return err
	}
	terms, err := s.Catalog.Terms(v.r.Context())
	if err != nil {
		return err
	}
	var d waitingTypesPage
	for _, t := range list {
		due := terms[t.Code]
		d.List = append(d.List, waitingRow{typeRow{t, names[t.Unit]}, due, !due.IsZero() && !v.Now().Before(due)})
	}
	if d.Months, err = s.Catalog.CheckFigures(v.r.Context()); err != nil {
		return err
	}
	d.Months = d.Months[:min(len(d.Months), 12)]
	old, err := s.Catalog.Unconfirmed(v.r.Context())
	if err != nil {
		return err
	}
	for _, t := range old {
		d.Unconfirmed = append(d.Unconfirmed, typeRow{t, names[t.Unit]})
	}
	return v.render("waitingtypes", v.t("证照类别"), d)
}

type waitingTypesPage struct {
	List   []waitingRow
	Months []catalog.CheckMonth
	// Unconfirmed are entries in force nobody has confirmed for long.
	Unconfirmed []typeRow
}

type waitingRow struct {
	typeRow
	Due  time.Time // zero while the calendar does not know
	Late bool
}

type waitingPage struct {
	*typePage
	Duplicates []catalog.Duplicate
	Waiting    bool
	Due        time.Time // of a waiting version, zero while the calendar does not know
	InForce    *typePage // the version before, to be looked at beside
	Problems   []problemRow
}

// waitingFace is a page of a version's face, as it is proposed.
func (s *server) waitingFace(v *visit) error {
	t, err := s.typeVersion(v)
	if err != nil {
		return err
	}
	return s.facePage(v, t)
}

func (s *server) waitingType(v *visit) error {
	t, err := s.typeVersion(v)
	if err != nil {
		return err
	}
	view, err := s.typeView(v, t)
	if err != nil {
		return err
	}
	d := waitingPage{typePage: view, Waiting: t.State == catalog.Proposed}
	if d.Duplicates, err = s.Catalog.Duplicates(v.r.Context(), t); err != nil {
		return err
	}
	if d.Waiting {
		terms, err := s.Catalog.Terms(v.r.Context())
		if err != nil {
			return err
		}
		d.Due = terms[t.Code]
	}
	if err := s.besideInForce(v, &d); err != nil {
		return err
	}
	return v.render("waitingtype", v.t("核对：%s", t.Name), d)
}

// besideInForce adds what the administration compares a version with: the
// version in force, and what is unwise about the face.
func (s *server) besideInForce(v *visit, d *waitingPage) error {
	versions, err := s.Catalog.Versions(v.r.Context(), d.Code)
	if err != nil {
		return err
	}
	for _, t := range versions {
		if t.State == catalog.Published && t.Version != d.Version && d.Waiting {
			if d.InForce, err = s.typeView(v, t); err != nil {
				return err
			}
			if err := s.besideOld(v, d.typePage, t); err != nil {
				return err
			}
			break
		}
	}
	if d.FaceWrong != nil {
		return nil
	}
	found, err := s.Drawer.Lint(d.Type, elicense.DateOf(v.Now()))
	if err != nil && !elicense.IsKind(err, elicense.Unavailable) {
		return err
	}
	d.Problems = v.problemRows(found)
	return nil
}

func (s *server) typeDecide(v *visit) error {
	version, err := strconv.Atoi(v.r.PathValue("version"))
	if err != nil {
		return errNoPage()
	}
	publish := v.r.PostFormValue("do") == "publish"
	err = s.Catalog.Decide(v.r.Context(), v.who, elicense.TypeCode(v.r.PathValue("code")), version, publish, strings.TrimSpace(v.r.PostFormValue("remark")))
	if err != nil {
		return v.again(err, func() error { return s.waitingType(v) })
	}
	return v.goTo("/admin/types")
}

type recordsPage struct {
	List []recordRow
	By   string
	Key  string
}

type recordRow struct {
	oversight.Entry
	UnitName string
	Word     string
}

// actWords are the acts of the law text in the words shown to people.
var actWords = map[string]string{
	"case.open": "开办件", "case.read": "查看办件", "case.close": "办结", "case.use": "使用证照", "license.own": "持证人查看证照",
	"license.issued": "签发单位查看证照", "draft.make": "制证", "draft.read": "查看草稿", "draft.review": "审核草稿",
	"change.propose": "提出状态变更", "change.review": "复核状态变更", "delivery.find": "窗口查找待领证照", "delivery.window": "窗口打印交付", "withdraw.propose": "提出撤下证照", "withdraw.review": "复核撤下证照", "type.propose": "登记类别", "type.publish": "核对类别",
	"case.move": "办理办件", "case.join": "增加当事人", "case.take": "接办", "case.apply": "网上申请", "case.own": "当事人查看办件",
	"case.own-move": "申请人办理", "matter.propose": "登记事项", "matter.publish": "核对事项", "basis.keep": "登记依据", "calendar.keep": "登记工作日历", "system.keep": "登记业务系统密钥", "unit.keep": "登记单位", "account.keep": "办理账号和岗位", "account.read": "查看人员和岗位", "password": "更改密码",
	"seal.apply": "申请印章", "seal.manage": "管理印章", "seal.stop": "停用印章", "seal.read": "查看印章", "disclose.propose": "提出依法调取",
	"disclose.approve": "同意依法调取", "disclose.read": "依法调取", "disclose.look": "查看调取事项", "figures.read": "查看用证统计", "registries.read": "查看基础库比对", "receipt.read": "下载用证凭据",
	"draft.enter": "第二次录入存量", "kits.read": "查看各单位的离线工具包", "ontime.report": "报送办结", "ontime.own": "查看本单位应生成", "ontime.read": "查看按时生成", "ontime.handle": "办理应生成",
	"ontime.confirm": "确认不生成", "ontime.set": "设定生成时间", "ontime.excuse": "豁免迟的证照", "contact.own": "本人的联系方式", "contact.take": "登记当事人联系方式", "delivery.handle": "打印交付或重发消息",
	"source.keep": "登记回传来源", "reference.return": "回传证照", "reference.read": "查看回传来源", "reference.rows": "查看回传的行", "reference.check": "向来源核验", "awaited.keep": "跟进等待回传", "awaited.read": "查看等待回传",
	"record.read": "查看访问记录", "rule.propose": "提出访问规则", "rule.approve": "核对访问规则", "check": "公众查验", "sign-in": "登录", "begin": "建立平台", "desk.enter": "打开工作台",
}

func actWord(act string) string {
	if w := actWords[act]; w != "" {
		return w
	}
	if kind, ok := strings.CutPrefix(act, "license."); ok && elicense.EventKind(kind).Known() {
		return elicense.EventKind(kind).Chinese()
	}
	return act
}

// The ways records are listed by.
const (
	byLicense = "license"
	byCase    = "case"
	byActor   = "actor"
)

func (s *server) records(v *visit) error {
	d := recordsPage{By: v.r.FormValue("by"), Key: short(strings.TrimSpace(v.r.FormValue("key")))}
	var by oversight.By
	switch {
	case d.Key == "":
	case d.By == byLicense:
		by.License = elicense.LicenseID(d.Key)
	case d.By == byCase:
		by.Case = elicense.CaseID(d.Key)
	case d.By == byActor:
		by.Actor = elicense.AccountID(d.Key)
	default:
		return v.goTo("/admin/records/" + codeOf(d.Key))
	}
	list, err := s.Oversight.Records(v.r.Context(), v.who, by, queueLimit)
	if err != nil {
		return err
	}
	names, _, err := s.unitNames(v)
	if err != nil {
		return err
	}
	for _, e := range list {
		d.List = append(d.List, recordRow{e, names[elicense.UnitCode(e.Unit)], actWord(e.Act)})
	}
	return v.render("records", v.t("访问记录"), d)
}

type recordPage struct {
	*oversight.Proof
	UnitName, TypeName, Word string
	Fields                   []string
	Rule                     *access.Rule
	Tree                     tree
	Place                    uint64 // in the log, from 1
	Signed                   []string
}

func (s *server) record(v *visit) error {
	p, err := s.Oversight.Prove(v.r.Context(), v.who, elicense.RecordID(v.r.PathValue("id")))
	if err != nil {
		return err
	}
	names, _, err := s.unitNames(v)
	if err != nil {
		return err
	}
	d := recordPage{
		Proof: p, UnitName: names[elicense.UnitCode(p.Entry.Unit)], Word: actWord(p.Entry.Act), Fields: p.Entry.Fields, Place: p.Index + 1,
		Tree: treeOf(p.Index, p.Size, p.Path, p.Leaf, p.Root), Signed: strings.Split(strings.TrimSpace(p.Checkpoint), "\n"),
	}
	if d.Rule, err = s.rule(v, p.Entry.Rule); err != nil {
		return err
	}
	if err := s.nameType(v, &d); err != nil {
		return err
	}
	return v.render("record", v.t("访问记录：%s", v.t(d.Word)), d)
}

// nameType names the type and the fields of a record, which holds their keys.
func (s *server) nameType(v *visit, d *recordPage) error {
	if d.Entry.LicenseType == "" {
		return nil
	}
	versions, err := s.Catalog.Versions(v.r.Context(), elicense.TypeCode(d.Entry.LicenseType))
	if err != nil || len(versions) == 0 {
		return err
	}
	t := versions[0]
	d.TypeName, d.Fields = t.Name, nil
	for _, k := range d.Entry.Fields {
		if f := t.Field(k); f != nil {
			k = f.Label
		}
		d.Fields = append(d.Fields, k)
	}
	return nil
}

func (s *server) recordProof(v *visit) error {
	p, err := s.Oversight.Prove(v.r.Context(), v.who, elicense.RecordID(v.r.PathValue("id")))
	if err != nil {
		return err
	}
	b, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	return v.file(codeOf(p.Entry.ID)+".proof.json", "application/json", b)
}

// recordReceipt gives an auditor the receipt of a use, whose record he reads.
func (s *server) recordReceipt(v *visit) error {
	id := elicense.RecordID(v.r.PathValue("id"))
	p, err := s.Oversight.Prove(v.r.Context(), v.who, id)
	if err != nil {
		return err
	}
	return s.giveReceipt(v, elicense.CaseID(p.Entry.Case), id)
}
