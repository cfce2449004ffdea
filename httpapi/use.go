package httpapi

import (
	"context"
	"time"

	"elicense"
	"elicense/access"
	"elicense/cases"
	"elicense/oversight"
	"elicense/sharing"
	"elicense/verification"
)

type statusOut struct {
	Status     elicense.Status `json:"status"`
	StatusText string          `json:"statusText"`
	Overlays   []string        `json:"overlays"`
	AsOf       time.Time       `json:"asOf"`
	Source     string          `json:"source"`
	Contact    *time.Time      `json:"lastContact"`
	Stale      bool            `json:"stale"`
}

func statusFrom(f *sharing.Found) statusOut {
	return statusOut{f.Status, f.Status.Chinese(), nonNil(f.Overlays), f.AsOf.In(elicense.Shanghai), f.Source, shanghai(f.Contact), f.Stale}
}

func nonNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}

type eventOut struct {
	Seq       int                `json:"seq"`
	Kind      elicense.EventKind `json:"kind"`
	Effective *time.Time         `json:"effectiveAt"`
	Learned   *time.Time         `json:"learnedAt"`
	DocNo     string             `json:"documentNumber,omitempty"`
	Reason    string             `json:"reason,omitempty"`
}

type licenseOut struct {
	statusOut
	ID         elicense.LicenseID   `json:"id"`
	Identifier elicense.Identifier  `json:"licenseIdentifier,omitempty"`
	Type       elicense.TypeCode    `json:"licenseTypeCode"`
	TypeName   string               `json:"licenseType"`
	Issuer     string               `json:"issuer"`
	Version    int                  `json:"version"`
	Holders    []elicense.HolderRef `json:"holders,omitempty"`
	Fields     map[string]string    `json:"fields,omitempty"`
	ValidFrom  elicense.Date        `json:"validFrom,omitempty"`
	ValidTo    elicense.Date        `json:"validTo,omitempty"`
	Code       elicense.CheckCode   `json:"checkCode,omitempty"`
	Events     []eventOut           `json:"events,omitempty"`
}

func licenseOf(o *sharing.Opened) licenseOut {
	out := licenseOut{
		statusOut: statusFrom(&o.Found), ID: o.ID, Identifier: o.Identifier, Type: o.License.Type, TypeName: o.License.TypeName,
		Issuer: o.Found.Issuer, Version: o.Standing.Version, Holders: o.Version.Holders, Fields: o.Version.Fields,
		ValidFrom: o.ValidFrom, ValidTo: o.License.ValidTo,
	}
	for _, e := range o.Events {
		out.Events = append(out.Events, eventOut{e.Seq, e.Kind, shanghai(e.Effective), shanghai(e.Learned), e.DocNo, e.Reason})
	}
	return out
}

type matterOut struct {
	Code      elicense.MatterCode     `json:"matterCode"`
	Name      string                  `json:"name"`
	Unit      elicense.UnitCode       `json:"unitCode"`
	Days      int                     `json:"promiseWorkdays"`
	Materials []cases.Material        `json:"materials"`
	Item      string                  `json:"itemCode,omitempty"`
	Version   int                     `json:"version"`
	Online    bool                    `json:"online" doc:"可以网上申请"`
	Presence  cases.BasisID           `json:"presence,omitempty"`
	Effects   map[string]cases.Effect `json:"effects,omitempty"`
}

func matterFrom(m *cases.Matter) matterOut {
	return matterOut{m.Code, m.Name, m.Unit, m.Days, m.Materials, m.Item, m.Version, m.Online, m.Presence, m.Effects}
}

func (s *server) listMatters(ctx context.Context, _ *elicense.Actor, in *struct {
	Unit elicense.UnitCode `query:"unitCode" maxLength:"18"`
},
) (*body[[]matterOut], error) {
	list, err := s.Cases.Matters(ctx, in.Unit)
	out := &body[[]matterOut]{Body: []matterOut{}}
	for _, m := range list {
		out.Body = append(out.Body, matterFrom(m))
	}
	return out, err
}

func (s *server) getMatter(ctx context.Context, _ *elicense.Actor, in *struct {
	Code elicense.MatterCode `path:"code" maxLength:"40"`
},
) (*body[matterOut], error) {
	m, err := s.Cases.Matter(ctx, in.Code)
	if err != nil {
		return nil, err
	}
	return &body[matterOut]{matterFrom(m)}, nil
}

type partyIn struct {
	Role   string             `json:"role,omitempty" doc:"申请人、经办人…"`
	Holder elicense.HolderRef `json:"holder"`
	Proof  cases.Proof        `json:"proof" doc:"身份核实方式：card、network-id、face、certificate、e-license、original"`
}

type caseIn struct {
	Ticket  string              `json:"ticket,omitempty" doc:"业务系统签名的办件票据，有它就不用填别的"`
	Number  string              `json:"number,omitempty" doc:"本单位办件编号，不填由平台编"`
	Matter  elicense.MatterCode `json:"matterCode,omitempty"`
	Purpose string              `json:"purpose,omitempty"`
	Kind    cases.Kind          `json:"kind,omitempty" doc:"apply依申请（默认） enforce执法检查"`
	Facts   []cases.Condition   `json:"facts,omitempty" maxItems:"20" doc:"办件的情形：married已婚 divorced离异 by-agent委托 rented租赁 co-owned共有 minor未成年人 mortgaged已抵押 central-air集中空调 newcomer非本地户籍"`
	Parties []partyIn           `json:"parties,omitempty"`
}

type partyOut struct {
	Place  int        `json:"place"`
	Role   string     `json:"role"`
	Name   string     `json:"name"`
	Code   string     `json:"code" doc:"掩码"`
	Proof  string     `json:"proof"`
	Proven *time.Time `json:"provenAt"`
}

type caseOut struct {
	ID      elicense.CaseID     `json:"id"`
	Number  string              `json:"number"`
	Matter  elicense.MatterCode `json:"matterCode"`
	Name    string              `json:"matter"`
	State   string              `json:"state" doc:"open或closed：能否查询证照"`
	Stage   cases.Stage         `json:"stage" doc:"received收件 correcting待补正 accepted受理 paused停表 decided已决定 closed办结 refused不予受理 withdrawn已撤回"`
	Due     *time.Time          `json:"dueAt,omitempty" doc:"当前期限"`
	Opened  *time.Time          `json:"openedAt"`
	Closed  *time.Time          `json:"closedAt,omitempty"`
	Parties []partyOut          `json:"parties"`
}

func caseOf(c *cases.Case) caseOut {
	out := caseOut{ID: c.ID, Number: c.Number, Matter: c.Matter, Name: c.MatterName, State: c.State(), Stage: c.Stage, Due: shanghai(c.Due), Opened: shanghai(c.Opened), Closed: shanghai(c.Closed)}
	for _, p := range c.Parties {
		out.Parties = append(out.Parties, partyOut{p.Place, p.Role, p.Ref.Name, access.MaskCode(p.Ref.Code, 6, 4), p.Proof.Chinese(), shanghai(p.Proven)})
	}
	return out
}

func (s *server) openCase(ctx context.Context, who *elicense.Actor, in *body[caseIn]) (*body[caseOut], error) {
	if in.Body.Ticket != "" {
		return caseBody(s.Cases.StartByTicket(ctx, who, in.Body.Ticket))
	}
	if in.Body.Matter == "" {
		return nil, elicense.E(elicense.Invalid, "请求里缺少必填的内容").At("matterCode").Then("请写明事项，或提交办件票据")
	}
	n := cases.NewCase{Number: in.Body.Number, Matter: in.Body.Matter, Purpose: in.Body.Purpose, Kind: in.Body.Kind, Facts: in.Body.Facts}
	for _, p := range in.Body.Parties {
		n.Parties = append(n.Parties, partyFrom(p))
	}
	c, err := s.Cases.Start(ctx, who, n)
	if err != nil {
		return nil, err
	}
	return &body[caseOut]{caseOf(c)}, nil
}

type caseID struct {
	ID elicense.CaseID `path:"id" maxLength:"26"`
}

func (s *server) getCase(ctx context.Context, who *elicense.Actor, in *caseID) (*body[caseOut], error) {
	c, _, err := s.Cases.Get(ctx, who, in.ID)
	if err != nil {
		return nil, err
	}
	return &body[caseOut]{caseOf(c)}, nil
}

func (s *server) closeCase(ctx context.Context, who *elicense.Actor, in *caseID) (*body[done], error) {
	return yes, s.Cases.Close(ctx, who, in.ID)
}

type foundOut struct {
	statusOut
	License  elicense.LicenseID `json:"license"`
	Type     elicense.TypeCode  `json:"licenseTypeCode"`
	TypeName string             `json:"licenseType"`
	Issuer   string             `json:"issuer"`
	Party    int                `json:"party"`
	ValidTo  elicense.Date      `json:"validTo,omitempty"`
}

func foundOf(f *sharing.Found) foundOut {
	return foundOut{statusFrom(f), f.Key, f.Type, f.TypeName, f.Issuer, f.Party, f.ValidTo}
}

type materialOut struct {
	Material  string         `json:"material"`
	Place     int            `json:"place"`
	Way       string         `json:"way"`
	State     sharing.Need   `json:"state" doc:"have已取得 look可用需留意 present持证人可出示 missing未找到或不能用 to-give由申请人提供"`
	Why       string         `json:"why"`
	Mend      string         `json:"mend,omitempty" doc:"谁能解决"`
	Agreement string         `json:"agreement,omitempty" doc:"asked已请求 declined未同意"`
	Given     cases.GivenWay `json:"given,omitempty" doc:"已经怎么解决"`
	Licenses  []foundOut     `json:"licenses"`
}

func (s *server) materials(ctx context.Context, who *elicense.Actor, in *caseID) (*body[[]materialOut], error) {
	list, _, err := s.Sharing.Materials(ctx, who, in.ID)
	if err != nil {
		return nil, err
	}
	return &body[[]materialOut]{materialsOf(list)}, nil
}

func materialsOf(list []sharing.MaterialState) []materialOut {
	out := []materialOut{}
	for _, m := range list {
		o := materialOut{Material: m.Material.Name, Place: m.Place, Way: m.Material.Way.Chinese(), State: m.Need, Why: m.Why, Mend: m.Mend.Chinese(), Agreement: m.Asked, Licenses: []foundOut{}}
		if m.Given != nil {
			o.Given = m.Given.Way
		}
		for _, f := range m.Licenses {
			o.Licenses = append(o.Licenses, foundOf(&f))
		}
		out = append(out, o)
	}
	return out
}

type useIn struct {
	Material string              `json:"material" doc:"材料清单里的名称"`
	Type     elicense.TypeCode   `json:"licenseTypeCode,omitempty"`
	Party    *int                `json:"party,omitempty" doc:"当事人的序号，从0起"`
	Holder   *elicense.HolderRef `json:"holder,omitempty" doc:"代替party：按证件指明当事人"`
	Act      string              `json:"act" enum:"query,verify,compare,view" doc:"view看整份文件：材料清单写明的才可以"`
	Fields   []string            `json:"fields,omitempty"`
	Values   map[string]string   `json:"values,omitempty" doc:"要比对的值"`
	Reveal   []string            `json:"reveal,omitempty" maxItems:"60" doc:"要看原值的敏感字段；查看原值另有记录"`
}

type receiptOut struct {
	Record elicense.RecordID `json:"record"`
	Shard  int               `json:"shard"`
	Index  uint64            `json:"index"`
}

type useOut struct {
	foundOut
	Fields    map[string]string           `json:"fields,omitempty"`
	Matches   map[string]sharing.Likeness `json:"matches,omitempty" doc:"same一致 variant异体字，请留意 differs不一致"`
	Masked    []string                    `json:"masked,omitempty" doc:"没有显示原值的字段，用reveal查看"`
	Code      *int                        `json:"resultCode,omitempty" doc:"信息查验结果：0正确且有效 1未激活 2暂时失效 3已失效 4信息不全 6不一致"`
	Pages     []string                    `json:"pages,omitempty" doc:"view的每一页，SVG，已打上水印"`
	Watermark string                      `json:"watermark"`
	Receipt   receiptOut                  `json:"receipt"`
}

func (s *server) use(ctx context.Context, who *elicense.Actor, in *struct {
	ID   elicense.CaseID `path:"id" maxLength:"26"`
	Body useIn
},
) (*body[useOut], error) {
	b := in.Body
	u := sharing.Use{Material: b.Material, Type: b.Type, Party: -1, Act: b.Act, Fields: b.Fields, Values: b.Values, Reveal: b.Reveal}
	if b.Party != nil {
		u.Party = *b.Party
	}
	if b.Holder != nil {
		u.Holder = *b.Holder
	}
	r, err := s.Sharing.Use(ctx, who, in.ID, u)
	if err != nil {
		return nil, err
	}
	pages := make([]string, len(r.Pages))
	for i, p := range r.Pages {
		pages[i] = string(p)
	}
	out := useOut{
		foundOut: foundOf(&r.Found), Fields: r.Fields, Matches: r.Matches, Masked: r.Masked, Pages: pages, Watermark: r.Watermark,
		Receipt: receiptOut{r.Receipt.Record, r.Receipt.Shard, r.Receipt.Index},
	}
	if u.Act == sharing.Verify || u.Act == sharing.Compare {
		out.Code = &r.Code
	}
	return &body[useOut]{out}, nil
}

func (s *server) receipt(ctx context.Context, who *elicense.Actor, in *struct {
	ID     elicense.CaseID   `path:"id" maxLength:"26"`
	Record elicense.RecordID `path:"record" maxLength:"26"`
},
) (*raw, error) {
	r, err := s.Receipts.Get(ctx, who, in.ID, in.Record)
	if err != nil {
		return nil, err
	}
	b, err := r.Bytes()
	return &raw{"application/json", `attachment; filename="` + r.Name() + `"`, b}, err
}

func (s *server) folder(ctx context.Context, who *elicense.Actor, _ *noInput) (*body[[]licenseOut], error) {
	list, err := s.Sharing.Folder(ctx, who)
	if err != nil {
		return nil, err
	}
	out := &body[[]licenseOut]{Body: []licenseOut{}}
	for _, o := range list {
		out.Body = append(out.Body, licenseOut{
			statusOut: statusFrom(&o.Found), ID: o.ID, Identifier: o.Identifier, Type: o.License.Type, TypeName: o.License.TypeName,
			Issuer: o.Found.Issuer, Version: o.Standing.Version, ValidFrom: o.ValidFrom, ValidTo: o.License.ValidTo,
		})
	}
	return out, nil
}

func (s *server) ownLicense(ctx context.Context, who *elicense.Actor, in *licenseID) (*body[licenseOut], error) {
	o, err := s.Sharing.Own(ctx, who, in.ID)
	if err == nil {
		err = s.Delivery.Opened(ctx, who, in.ID)
	}
	if err != nil {
		return nil, err
	}
	out := licenseOf(o)
	out.Code = o.Version.Code
	return &body[licenseOut]{out}, nil
}

type usageOut struct {
	Record  elicense.RecordID `json:"record"`
	At      *time.Time        `json:"at"`
	Act     string            `json:"act"`
	Unit    string            `json:"unit,omitempty"`
	Clerk   string            `json:"clerk,omitempty"`
	Case    string            `json:"case,omitempty"`
	Purpose string            `json:"purpose,omitempty"`
	Fields  []string          `json:"fields"`
}

func (s *server) ownUses(ctx context.Context, who *elicense.Actor, in *licenseID) (*body[[]usageOut], error) {
	list, err := s.Sharing.Uses(ctx, who, in.ID, 200)
	if err != nil {
		return nil, err
	}
	out := &body[[]usageOut]{Body: []usageOut{}}
	for _, u := range list {
		out.Body = append(out.Body, usageOut{u.Record, shanghai(u.At), u.Act, u.Unit, u.Clerk, u.Number, u.Purpose, nonNil(u.Fields)})
	}
	return out, nil
}

type checkOut struct {
	Verdict   string               `json:"verdict,omitempty" doc:"对文件：genuine、genuine-untrusted、altered、not-signed、unreadable"`
	Known     bool                 `json:"known" doc:"是不是本平台的证照"`
	SameFile  bool                 `json:"sameFile,omitempty"`
	TypeName  string               `json:"licenseType,omitempty"`
	Issuer    string               `json:"issuer,omitempty"`
	Current   bool                 `json:"current"`
	Status    elicense.Status      `json:"status,omitempty"`
	Text      string               `json:"statusText,omitempty"`
	Overlays  []string             `json:"overlays"`
	ValidFrom elicense.Date        `json:"validFrom,omitempty"`
	ValidTo   elicense.Date        `json:"validTo,omitempty"`
	AsOf      *time.Time           `json:"asOf,omitempty"`
	Source    string               `json:"source,omitempty"`
	Contact   *time.Time           `json:"lastContact,omitempty"`
	Stale     bool                 `json:"stale"`
	Record    string               `json:"record"`
	Pending   *pendingOut          `json:"offline,omitempty" doc:"离线生成、还不在平台上的证照：不要当作有效，也不是查不到"`
	Report    *verification.Report `json:"report,omitempty"`
}

// pendingOut is what is known of a license that was made offline.
type pendingOut struct {
	State  verification.PendingState `json:"state" enum:"awaited,overdue,cancelled,not-taken"`
	Text   string                    `json:"text"`
	Issuer string                    `json:"issuer"`
	Types  []string                  `json:"licenseTypes"`
	From   *time.Time                `json:"kitFrom"`
	Until  *time.Time                `json:"kitUntil"`
}

func checkOf(a *verification.Answer) *body[checkOut] {
	out := checkOut{
		Verdict: a.Verdict, Known: a.Known, SameFile: a.SameFile, TypeName: a.TypeName, Issuer: a.Issuer, Current: a.Current, Status: a.Status,
		Overlays: nonNil(a.Overlays), ValidFrom: a.ValidFrom, ValidTo: a.ValidTo, AsOf: shanghai(a.AsOf), Source: a.Source,
		Contact: shanghai(a.Contact), Stale: a.Stale, Record: a.ReceiptOf, Report: a.Report,
	}
	if p := a.Pending; p != nil {
		out.Pending = &pendingOut{p.State, p.State.Chinese(), p.Issuer, p.Types, shanghai(p.From), shanghai(p.Until)}
	}
	if a.Status != "" {
		out.Text = a.Status.Chinese()
	}
	return &body[checkOut]{out}
}

type checkIn struct {
	Code elicense.CheckCode `json:"code" maxLength:"200" doc:"二维码里的查验码"`
}

func (s *server) check(ctx context.Context, who *elicense.Actor, in *body[checkIn]) (*body[checkOut], error) {
	a, err := s.Verifier.ByCode(ctx, who, fromOf(ctx), in.Body.Code)
	if err != nil {
		return nil, err
	}
	return checkOf(a), nil
}

func (s *server) checkFile(ctx context.Context, who *elicense.Actor, in *struct {
	RawBody []byte `contentType:"application/octet-stream"`
},
) (*body[checkOut], error) {
	a, err := s.Verifier.ByFile(ctx, who, fromOf(ctx), in.RawBody)
	if err != nil {
		return nil, err
	}
	return checkOf(a), nil
}

func (s *server) records(ctx context.Context, who *elicense.Actor, in *struct {
	License elicense.LicenseID `query:"license" maxLength:"26"`
	Case    elicense.CaseID    `query:"case" maxLength:"26"`
	Actor   elicense.AccountID `query:"account" maxLength:"26"`
	Unit    elicense.UnitCode  `query:"unitCode" maxLength:"18"`
	Limit   int                `query:"limit" minimum:"1" maximum:"200" default:"100"`
},
) (*body[[]oversight.Entry], error) {
	list, err := s.Oversight.Records(ctx, who, oversight.By{License: in.License, Case: in.Case, Actor: in.Actor, Unit: in.Unit}, in.Limit)
	if list == nil {
		list = []oversight.Entry{}
	}
	return &body[[]oversight.Entry]{list}, err
}

func (s *server) proof(ctx context.Context, who *elicense.Actor, in *struct {
	ID elicense.RecordID `path:"id" maxLength:"64"`
},
) (*body[oversight.Proof], error) {
	p, err := s.Oversight.Prove(ctx, who, in.ID)
	if err != nil {
		return nil, err
	}
	return &body[oversight.Proof]{*p}, nil
}

type checkpointOut struct {
	Checkpoint string `json:"checkpoint"`
	Signature  string `json:"signature" doc:"SM2，DER，base64"`
}

func (s *server) checkpoint(ctx context.Context, _ *elicense.Actor, _ *noInput) (*body[checkpointOut], error) {
	text, signature, err := s.Oversight.Checkpoint(ctx)
	return &body[checkpointOut]{checkpointOut{text, signature}}, err
}

func (s *server) logKey(context.Context, *elicense.Actor, *noInput) (*raw, error) {
	b, err := s.Oversight.LogKey()
	return &raw{"application/x-pem-file", `attachment; filename="log-key.pem"`, b}, err
}
