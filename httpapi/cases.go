package httpapi

import (
	"context"
	"time"

	"elicense"
	"elicense/cases"
	"elicense/sharing"
)

func partyFrom(p partyIn) cases.Party {
	return cases.Party{Role: p.Role, Ref: p.Holder, Proof: p.Proof}
}

func (s *server) joinCase(ctx context.Context, who *elicense.Actor, in *struct {
	ID   elicense.CaseID `path:"id" maxLength:"26"`
	Body partyIn
},
) (*body[caseOut], error) {
	return caseBody(s.Cases.Join(ctx, who, in.ID, partyFrom(in.Body)))
}

func caseBody(c *cases.Case, err error) (*body[caseOut], error) {
	if err != nil {
		return nil, err
	}
	return &body[caseOut]{caseOf(c)}, nil
}

type moveIn struct {
	Kind    cases.Move         `json:"kind" doc:"窗口：take接办 hand转办 correct补正告知 accept受理 refuse不予受理 pause停表 resume恢复计时 decide决定 close办结 withdraw撤回 clarify更正情形；申请人：send提交 supply补正 withdraw撤回"`
	Reason  string             `json:"reason,omitempty"`
	Items   []string           `json:"items,omitempty" maxItems:"40" doc:"补正的内容，一次写全"`
	DocNo   string             `json:"documentNumber,omitempty"`
	Granted bool               `json:"granted,omitempty"`
	To      elicense.AccountID `json:"to,omitempty"`
	Facts   []cases.Condition  `json:"facts,omitempty" maxItems:"20"`
}

func (m *moveIn) doing() cases.Doing {
	return cases.Doing{Reason: m.Reason, Items: m.Items, DocNo: m.DocNo, Granted: m.Granted, To: m.To, Facts: m.Facts}
}

func (s *server) moveCase(ctx context.Context, who *elicense.Actor, in *struct {
	ID   elicense.CaseID `path:"id" maxLength:"26"`
	Body moveIn
},
) (*body[caseOut], error) {
	if in.Body.Kind == cases.Accept {
		return caseBody(s.Sharing.Accept(ctx, s.Cases, who, in.ID))
	}
	return caseBody(s.Cases.Do(ctx, who, in.ID, in.Body.Kind, in.Body.doing()))
}

type stepOut struct {
	Kind     cases.Move        `json:"kind"`
	Word     string            `json:"word"`
	Happened *time.Time        `json:"happenedAt"`
	Name     string            `json:"name"`
	Reason   string            `json:"reason,omitempty"`
	Items    []string          `json:"items,omitempty"`
	DocNo    string            `json:"documentNumber,omitempty"`
	Granted  bool              `json:"granted,omitempty"`
	Facts    []cases.Condition `json:"facts,omitempty"`
}

func stepsOf(course []cases.Step) []stepOut {
	out := make([]stepOut, len(course))
	for i, x := range course {
		out[i] = stepOut{x.Kind, x.Kind.Chinese(), shanghai(x.Happened), x.Name, x.Reason, x.Items, x.DocNo, x.Granted, x.Facts}
	}
	return out
}

func (s *server) course(ctx context.Context, who *elicense.Actor, in *caseID) (*body[[]stepOut], error) {
	course, err := s.Cases.Course(ctx, who, in.ID)
	return &body[[]stepOut]{stepsOf(course)}, err
}

type queueOut struct {
	ID     elicense.CaseID     `json:"id"`
	Number string              `json:"number"`
	Matter elicense.MatterCode `json:"matterCode"`
	Name   string              `json:"matter"`
	Opened *time.Time          `json:"openedAt"`
	Due    *time.Time          `json:"dueAt,omitempty"`
}

func (s *server) queue(ctx context.Context, who *elicense.Actor, _ *noInput) (*body[[]queueOut], error) {
	if err := s.enter(ctx, who, windowDesk, "/queue"); err != nil {
		return nil, err
	}
	list, err := s.Cases.Queue(ctx, who, 100)
	out := &body[[]queueOut]{Body: []queueOut{}}
	for _, k := range list {
		out.Body = append(out.Body, queueOut{k.ID, k.Number, k.Matter, k.MatterName, shanghai(k.Opened), shanghai(k.Due)})
	}
	return out, err
}

type givingIn struct {
	Way     cases.GivenWay     `json:"way" doc:"license用证照 paper收取纸质 later容缺 promise告知承诺 form填表；上传用files"`
	Reason  cases.PaperReason  `json:"reason,omitempty" doc:"收取纸质的理由：missing缺证 wrong错证 failure系统故障 legal法定原件 wish申请人自愿"`
	Note    string             `json:"note,omitempty"`
	License elicense.LicenseID `json:"license,omitempty" doc:"有几份时用哪一份"`
}

type givingAt struct {
	ID    elicense.CaseID `path:"id" maxLength:"26"`
	Place int             `path:"place" minimum:"0" maximum:"59" doc:"材料清单里的序号，从0起"`
	Body  givingIn
}

func (s *server) give(ctx context.Context, who *elicense.Actor, in *givingAt) (*body[done], error) {
	b := in.Body
	return yes, s.Sharing.Give(ctx, who, in.ID, in.Place, sharing.Giving{Way: b.Way, Reason: b.Reason, Note: b.Note, License: b.License})
}

type fileAt struct {
	ID      elicense.CaseID `path:"id" maxLength:"26"`
	Place   int             `path:"place" minimum:"0" maximum:"59"`
	Name    string          `query:"name" maxLength:"200" doc:"文件名"`
	RawBody []byte          `contentType:"application/octet-stream"`
}

func (s *server) attach(ctx context.Context, who *elicense.Actor, in *fileAt) (*body[done], error) {
	return yes, s.Cases.Attach(ctx, who, in.ID, in.Place, in.Name, in.RawBody)
}

type agreementIn struct {
	Type  elicense.TypeCode `json:"licenseTypeCode"`
	Party int               `json:"party" minimum:"0"`
}

func (s *server) askAgreement(ctx context.Context, who *elicense.Actor, in *struct {
	ID   elicense.CaseID `path:"id" maxLength:"26"`
	Body agreementIn
},
) (*body[done], error) {
	return yes, s.Sharing.AskAgreement(ctx, who, in.ID, in.Body.Type, in.Body.Party)
}

type reportIn struct {
	Kind  sharing.TicketKind `json:"kind" doc:"missing缺证 wrong错证"`
	Place int                `json:"place" minimum:"0"`
	Party int                `json:"party" minimum:"0"`
	Type  elicense.TypeCode  `json:"licenseTypeCode,omitempty"`
	Note  string             `json:"note,omitempty"`
}

type ticketOut struct {
	ID       string             `json:"id"`
	Kind     sharing.TicketKind `json:"kind,omitempty"`
	State    string             `json:"state,omitempty"`
	Unit     string             `json:"unit,omitempty"`
	Type     elicense.TypeCode  `json:"licenseTypeCode,omitempty"`
	Opened   *time.Time         `json:"openedAt,omitempty"`
	Material string             `json:"material,omitempty"`
	Note     string             `json:"note,omitempty"`
}

func (s *server) report(ctx context.Context, who *elicense.Actor, in *struct {
	ID   elicense.CaseID `path:"id" maxLength:"26"`
	Body reportIn
},
) (*body[ticketOut], error) {
	b := in.Body
	id, err := s.Sharing.Report(ctx, who, in.ID, sharing.Report{Kind: b.Kind, Place: b.Place, Party: b.Party, Type: b.Type, Note: b.Note})
	if err != nil {
		return nil, err
	}
	return &body[ticketOut]{ticketOut{ID: id}}, nil
}

func (s *server) tickets(ctx context.Context, who *elicense.Actor, _ *noInput) (*body[[]ticketOut], error) {
	list, err := s.Sharing.Tickets(ctx, who, 200)
	out := &body[[]ticketOut]{Body: []ticketOut{}}
	for _, t := range list {
		out.Body = append(out.Body, ticketOut{t.ID, t.Kind, t.State, t.UnitName, t.Type, shanghai(t.Opened), t.Material, t.Note})
	}
	return out, err
}

// The applicant's side.

type applyIn struct {
	Matter elicense.MatterCode `json:"matterCode"`
	Facts  []cases.Condition   `json:"facts,omitempty" maxItems:"20"`
	Holder elicense.HolderRef  `json:"holder" doc:"申请人：本人或本企业"`
}

func (s *server) apply(ctx context.Context, who *elicense.Actor, in *body[applyIn]) (*body[caseOut], error) {
	n := cases.NewCase{Matter: in.Body.Matter, Facts: in.Body.Facts, Parties: []cases.Party{{Role: "申请人", Ref: in.Body.Holder}}}
	return caseBody(s.Cases.Apply(ctx, who, n))
}

func (s *server) ownCases(ctx context.Context, who *elicense.Actor, _ *noInput) (*body[[]queueOut], error) {
	if err := s.enter(ctx, who, holderDesk, "/applications"); err != nil {
		return nil, err
	}
	list, err := s.Cases.OwnCases(ctx, who, 100)
	out := &body[[]queueOut]{Body: []queueOut{}}
	for _, k := range list {
		out.Body = append(out.Body, queueOut{k.ID, k.Number, k.Matter, k.MatterName, shanghai(k.Opened), shanghai(k.Due)})
	}
	return out, err
}

type ownCaseOut struct {
	caseOut
	Course []stepOut `json:"course"`
}

func (s *server) ownCase(ctx context.Context, who *elicense.Actor, in *caseID) (*body[ownCaseOut], error) {
	k, _, course, err := s.Cases.Own(ctx, who, in.ID)
	if err != nil {
		return nil, err
	}
	return &body[ownCaseOut]{ownCaseOut{caseOf(k), stepsOf(course)}}, nil
}

func (s *server) ownMaterials(ctx context.Context, who *elicense.Actor, in *caseID) (*body[[]materialOut], error) {
	list, err := s.Sharing.OwnMaterials(ctx, who, in.ID)
	return &body[[]materialOut]{materialsOf(list)}, err
}

func (s *server) ownMove(ctx context.Context, who *elicense.Actor, in *struct {
	ID   elicense.CaseID `path:"id" maxLength:"26"`
	Body moveIn
},
) (*body[caseOut], error) {
	return caseBody(s.Cases.OwnMove(ctx, who, in.ID, in.Body.Kind, in.Body.doing()))
}

func (s *server) object(ctx context.Context, who *elicense.Actor, in *caseID) (*body[done], error) {
	return yes, s.Sharing.Object(ctx, who, in.ID)
}

type agreementOut struct {
	ID     string     `json:"id"`
	State  string     `json:"state" doc:"asked待答复 agreed已同意 declined未同意 withdrawn已撤回 ended办件已结束"`
	Type   string     `json:"licenseType"`
	Matter string     `json:"matter"`
	Unit   string     `json:"unit"`
	Fields []string   `json:"fields" doc:"会看到的内容"`
	Asked  *time.Time `json:"askedAt"`
}

func (s *server) agreements(ctx context.Context, who *elicense.Actor, _ *noInput) (*body[[]agreementOut], error) {
	list, err := s.Sharing.Agreements(ctx, who, 100)
	out := &body[[]agreementOut]{Body: []agreementOut{}}
	for _, a := range list {
		out.Body = append(out.Body, agreementOut{a.ID, a.State, a.TypeName, a.Matter, a.UnitName, nonNil(a.Fields), shanghai(a.Asked)})
	}
	return out, err
}

func (s *server) answer(ctx context.Context, who *elicense.Actor, in *struct {
	ID   string `path:"id" maxLength:"26"`
	Body struct {
		Agree bool `json:"agree"`
	}
},
) (*body[done], error) {
	return yes, s.Sharing.Answer(ctx, who, in.ID, in.Body.Agree)
}

// Matters and bases.

type matterIn struct {
	Code      elicense.MatterCode     `json:"matterCode"`
	Item      string                  `json:"itemCode,omitempty" doc:"12、31、33位，或福建原有的26位"`
	Name      string                  `json:"name"`
	Days      int                     `json:"promiseWorkdays"`
	Result    elicense.TypeCode       `json:"resultTypeCode,omitempty"`
	Online    bool                    `json:"online" doc:"可以网上申请；不可以的要有presence"`
	Presence  cases.BasisID           `json:"presence,omitempty" doc:"要求到场的法律、法规、规章"`
	Effects   map[string]cases.Effect `json:"effects,omitempty" doc:"证照受限时怎么办：pledge、seal-up、dispute → block、warn、none"`
	Materials []cases.Material        `json:"materials"`
}

func (s *server) proposeMatter(ctx context.Context, who *elicense.Actor, in *body[matterIn]) (*body[matterOut], error) {
	b := in.Body
	m := &cases.Matter{
		Code: b.Code, Item: b.Item, Name: b.Name, Days: b.Days, Result: b.Result, Online: b.Online, Presence: b.Presence, Effects: b.Effects, Materials: b.Materials,
	}
	if err := s.Cases.Propose(ctx, who, m); err != nil {
		return nil, err
	}
	return &body[matterOut]{matterFrom(m)}, nil
}

func (s *server) decideMatter(ctx context.Context, who *elicense.Actor, in *struct {
	Code    elicense.MatterCode `path:"code" maxLength:"40"`
	Version int                 `path:"version"`
	Body    decision
},
) (*body[done], error) {
	return yes, s.Cases.Decide(ctx, who, in.Code, in.Version, in.Body.Approve, in.Body.Remark)
}

func (s *server) bases(ctx context.Context, _ *elicense.Actor, _ *noInput) (*body[[]*cases.Basis], error) {
	list, err := s.Cases.Bases(ctx)
	if list == nil {
		list = []*cases.Basis{}
	}
	return &body[[]*cases.Basis]{list}, err
}

type basisIn struct {
	Rank    cases.Rank    `json:"rank" doc:"law法律 regulation法规 rule规章；规范性文件不收"`
	Title   string        `json:"title"`
	Article string        `json:"article"`
	Quote   string        `json:"quote" doc:"条文"`
	InForce elicense.Date `json:"inForce"`
}

func (s *server) addBasis(ctx context.Context, who *elicense.Actor, in *body[basisIn]) (*body[*cases.Basis], error) {
	b := &cases.Basis{Rank: in.Body.Rank, Title: in.Body.Title, Article: in.Body.Article, Quote: in.Body.Quote, InForce: in.Body.InForce}
	if err := s.Cases.AddBasis(ctx, who, b); err != nil {
		return nil, err
	}
	return &body[*cases.Basis]{b}, nil
}

func (s *server) repealBasis(ctx context.Context, who *elicense.Actor, in *struct {
	ID   cases.BasisID `path:"id" maxLength:"40"`
	Body struct {
		From elicense.Date `json:"from" doc:"失效的第一天"`
	}
},
) (*body[done], error) {
	return yes, s.Cases.RepealBasis(ctx, who, in.ID, in.Body.From)
}

type taskOut struct {
	Matter elicense.MatterCode `json:"matterCode"`
	Basis  cases.BasisID       `json:"basis"`
	Opened *time.Time          `json:"openedAt"`
}

func (s *server) matterTasks(ctx context.Context, who *elicense.Actor, _ *noInput) (*body[[]taskOut], error) {
	if err := s.enter(ctx, who, matterDesk, "/matter-tasks"); err != nil {
		return nil, err
	}
	list, err := s.Cases.Tasks(ctx, who.Unit)
	out := &body[[]taskOut]{Body: []taskOut{}}
	for _, t := range list {
		out.Body = append(out.Body, taskOut{t.Matter, t.Basis, shanghai(t.Opened)})
	}
	return out, err
}

func (s *server) systemKey(ctx context.Context, who *elicense.Actor, in *struct {
	Login string `path:"login" maxLength:"64"`
	Body  struct {
		ID  string `json:"keyId"`
		Key string `json:"key,omitempty" doc:"SM2公钥，PEM"`
		End bool   `json:"end,omitempty" doc:"停用这个密钥"`
	}
},
) (*body[done], error) {
	return yes, s.Cases.PutSystemKey(ctx, who, in.Login, in.Body.ID, []byte(in.Body.Key), in.Body.End)
}

func (s *server) systemOrigin(ctx context.Context, who *elicense.Actor, in *struct {
	Login string `path:"login" maxLength:"64"`
	Body  struct {
		Origin string `json:"origin" doc:"协议、主机和端口，如https://oa.example.gov.cn"`
		End    bool   `json:"end,omitempty" doc:"停用这个来源"`
	}
},
) (*body[done], error) {
	return yes, s.Cases.PutSystemOrigin(ctx, who, in.Login, in.Body.Origin, in.Body.End)
}

// Statutory disclosure.

type disclosureIn struct {
	Type      elicense.TypeCode  `json:"licenseTypeCode"`
	Holder    elicense.HolderRef `json:"holder"`
	DocNo     string             `json:"documentNumber"`
	Basis     string             `json:"basis" doc:"法律名称和条款"`
	Fields    []string           `json:"fields" maxItems:"30" doc:"逐项写明调取的内容"`
	Number    string             `json:"licenseNumber,omitempty" doc:"文书写明的证照编号；没有写明编号的用all"`
	All       bool               `json:"all,omitempty" doc:"他的全部这类证照"`
	Reason    string             `json:"reason,omitempty"`
	TellFrom  elicense.Date      `json:"tellFrom,omitempty" doc:"从哪天起告知持证人，不填就是马上"`
	TellBasis string             `json:"tellBasis,omitempty" doc:"暂不告知的法律依据"`
}

type disclosureOut struct {
	ID       string            `json:"id"`
	State    string            `json:"state,omitempty" doc:"proposed待第二人同意 approved已同意 refused不同意"`
	Type     elicense.TypeCode `json:"licenseTypeCode,omitempty"`
	DocNo    string            `json:"documentNumber,omitempty"`
	Number   string            `json:"licenseNumber,omitempty"`
	All      bool              `json:"all,omitempty"`
	Proposed *time.Time        `json:"proposedAt,omitempty"`
}

func (s *server) disclose(ctx context.Context, who *elicense.Actor, in *body[disclosureIn]) (*body[disclosureOut], error) {
	b := in.Body
	id, err := s.Sharing.ProposeDisclosure(ctx, who, sharing.Disclosure{
		Type: b.Type, Holder: b.Holder, DocNo: b.DocNo, Basis: b.Basis, Fields: b.Fields, Reason: b.Reason, TellFrom: b.TellFrom, TellBasis: b.TellBasis,
		Number: b.Number, All: b.All,
	})
	if err != nil {
		return nil, err
	}
	return &body[disclosureOut]{disclosureOut{ID: id}}, nil
}

func (s *server) disclosures(ctx context.Context, who *elicense.Actor, _ *noInput) (*body[[]disclosureOut], error) {
	list, err := s.Sharing.Disclosures(ctx, who, 100)
	out := &body[[]disclosureOut]{Body: []disclosureOut{}}
	for _, d := range list {
		out.Body = append(out.Body, disclosureOut{d.ID, d.State, d.Type, d.DocNo, d.Number, d.All, shanghai(d.Proposed)})
	}
	return out, err
}

type disclosureID struct {
	ID string `path:"id" maxLength:"26"`
}

func (s *server) decideDisclosure(ctx context.Context, who *elicense.Actor, in *struct {
	ID   string `path:"id" maxLength:"26"`
	Body struct {
		Approve bool `json:"approve"`
	}
},
) (*body[done], error) {
	return yes, s.Sharing.DecideDisclosure(ctx, who, in.ID, in.Body.Approve)
}

func (s *server) readDisclosure(ctx context.Context, who *elicense.Actor, in *disclosureID) (*body[[]useOut], error) {
	list, err := s.Sharing.ReadDisclosure(ctx, who, in.ID)
	if err != nil {
		return nil, err
	}
	out := &body[[]useOut]{}
	for _, r := range list {
		out.Body = append(out.Body, useOut{
			foundOut: foundOf(&r.Found), Fields: r.Fields, Watermark: r.Watermark, Receipt: receiptOut{r.Receipt.Record, r.Receipt.Shard, r.Receipt.Index},
		})
	}
	return out, nil
}

type unitFiguresOut struct {
	Unit    string                    `json:"unit"`
	Cases   int                       `json:"cases"`
	Online  int                       `json:"online"`
	Could   int                       `json:"couldBeMet"`
	Met     int                       `json:"metByLicense"`
	Free    int                       `json:"noSubmissionPercent" doc:"免提交率，-1为没有"`
	Paper   int                       `json:"paperAnyway"`
	Reasons map[cases.PaperReason]int `json:"paperReasons"`
	Looks   int                       `json:"licensesOpened"`
	Refused int                       `json:"refusals"`
	Tickets int                       `json:"tickets"`
}

func figuresOf(f sharing.UnitFigures) unitFiguresOut {
	return unitFiguresOut{f.Name, f.Cases, f.Online, f.Could, f.Met, f.Free(), f.Paper, f.Reasons, f.Looks, f.Refused, f.Tickets}
}

type figuresOut struct {
	All   unitFiguresOut   `json:"all"`
	Units []unitFiguresOut `json:"units"`
}

// rows is the answer as a table: a row for each unit.
func (o figuresOut) rows(write func([]string) error) error {
	err := write([]string{"单位", "办件", "网上申请", "可免提交", "已免提交", "免提交率（%）", "收取纸质", "用证", "被拒绝", "缺证错证"})
	for _, u := range o.Units {
		row := []string{u.Unit}
		for _, n := range []int{u.Cases, u.Online, u.Could, u.Met, u.Free, u.Paper, u.Looks, u.Refused, u.Tickets} {
			row = append(row, share(n))
		}
		if err == nil {
			err = write(row)
		}
	}
	return err
}

type figuresIn struct {
	Tabular
	Unit elicense.UnitCode `query:"unitCode" maxLength:"18" doc:"不填是全部单位"`
	From elicense.Date     `query:"from" required:"true"`
	To   elicense.Date     `query:"to" required:"true"`
}

func (s *server) figures(ctx context.Context, who *elicense.Actor, in *figuresIn) (*body[figuresOut], error) {
	f, err := s.Sharing.Figures(ctx, who, in.Unit, in.From, in.To)
	if err != nil {
		return nil, err
	}
	out := figuresOut{All: figuresOf(f.All), Units: []unitFiguresOut{}}
	for _, u := range f.Units {
		out.Units = append(out.Units, figuresOf(u))
	}
	return &body[figuresOut]{out}, nil
}
