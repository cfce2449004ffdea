package httpapi

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"strconv"
	"time"

	"elicense"
	"elicense/access"
	"elicense/catalog"
	"elicense/issuance"
	"elicense/ontime"

	"github.com/danielgtaylor/huma/v2"
)

// resultFile takes a table of the day's closed cases.
func resultFile(o *huma.Operation) { o.MaxBodyBytes, o.BodyReadTimeout = ontime.MaxFile, time.Minute }

type resultIn struct {
	Case   string              `json:"case" doc:"办件编号"`
	Item   string              `json:"item,omitempty" doc:"办理结果的序号，默认1"`
	Type   elicense.TypeCode   `json:"licenseTypeCode" doc:"证照类别代码，或本单位签发的类别的名称"`
	Closed time.Time           `json:"closedAt" doc:"办结时间"`
	Mode   catalog.Mode        `json:"mode,omitempty" enum:"online,offline,bulk" doc:"按哪种方式算期限，默认按本单位这类证照的生成方式"`
	DocNo  string              `json:"documentNumber,omitempty"`
	Holder *elicense.HolderRef `json:"holder,omitempty"`
	Wholly bool                `json:"metByLicenses,omitempty" doc:"材料全部由电子证照满足"`
	Owner  string              `json:"owner,omitempty" doc:"负责人的登录名，默认由本单位制证岗位的人员轮流负责"`
}

type badOut struct {
	Row   int    `json:"row" doc:"第几件，从1起"`
	Field string `json:"field"`
	Title string `json:"title"`
}

type reportedOut struct {
	Taken    int      `json:"taken"`
	Repeated int      `json:"repeated" doc:"以前报送过，内容相同"`
	Bad      []badOut `json:"bad"`
}

func (s *server) reportResults(ctx context.Context, who *elicense.Actor, in *struct {
	Body struct {
		Results []resultIn `json:"results" minItems:"1" maxItems:"1000"`
	}
},
) (*body[reportedOut], error) {
	var list []ontime.Report
	for _, r := range in.Body.Results {
		one := ontime.Report{Case: r.Case, Item: r.Item, Type: r.Type, Closed: r.Closed, Mode: r.Mode, DocNo: r.DocNo, Wholly: r.Wholly, Owner: r.Owner}
		if r.Holder != nil {
			one.Holder = *r.Holder
		}
		list = append(list, one)
	}
	got, err := s.OnTime.Report(ctx, who, list)
	if err != nil {
		return nil, err
	}
	out := reportedOut{Taken: got.Taken, Repeated: got.Repeated, Bad: []badOut{}}
	for _, b := range got.Bad {
		out.Bad = append(out.Bad, badOut{b.Line, b.Field, b.Sentence()})
	}
	return &body[reportedOut]{out}, nil
}

type uploadOut struct {
	ID       string   `json:"id"`
	Taken    int      `json:"taken"`
	Repeated int      `json:"repeated"`
	Bad      []badOut `json:"bad" doc:"没有收下的行；/results/files/{id}/bad-rows是同样格式的文件"`
}

func (s *server) reportFile(ctx context.Context, who *elicense.Actor, in *struct {
	Name    string `query:"name" maxLength:"100" doc:"文件名"`
	RawBody []byte `contentType:"application/octet-stream"`
},
) (*body[uploadOut], error) {
	u, err := s.OnTime.ReadFile(ctx, who, in.Name, bytes.NewReader(in.RawBody))
	if err != nil {
		return nil, err
	}
	out := uploadOut{ID: u.ID, Taken: u.Good, Repeated: u.Repeated, Bad: []badOut{}}
	for _, r := range u.Rows {
		for _, f := range r.Faults {
			out.Bad = append(out.Bad, badOut{r.Line, f.Column, f.Text})
		}
	}
	return &body[uploadOut]{out}, nil
}

func (s *server) resultsBad(ctx context.Context, who *elicense.Actor, in *struct {
	ID string `path:"id" maxLength:"26"`
},
) (*raw, error) {
	var b bytes.Buffer
	if err := s.OnTime.BadRows(ctx, who, in.ID, true, &b); err != nil {
		return nil, err
	}
	return &raw{"text/csv; charset=utf-8", `attachment; filename="bad-rows.csv"`, b.Bytes()}, nil
}

func (s *server) resultsTemplate(ctx context.Context, who *elicense.Actor, _ *noInput) (*raw, error) {
	var b bytes.Buffer
	if err := s.OnTime.Template(ctx, who, &b); err != nil {
		return nil, err
	}
	return &raw{xlsx, `attachment; filename="results.xlsx"`, b.Bytes()}, nil
}

type resultOut struct {
	ID        string              `json:"id"`
	State     ontime.State        `json:"state" doc:"missing应生成未生成 making在制 made已生成 claimed不生成待确认 none不生成"`
	Case      string              `json:"case"`
	Item      string              `json:"item"`
	Type      elicense.TypeCode   `json:"licenseTypeCode"`
	TypeName  string              `json:"licenseType"`
	Mode      catalog.Mode        `json:"mode"`
	Closed    *time.Time          `json:"closedAt"`
	Due       *time.Time          `json:"dueAt,omitempty"`
	Late      bool                `json:"late"`
	Source    ontime.Source       `json:"source"`
	Owner     string              `json:"owner,omitempty"`
	OwnerID   elicense.AccountID  `json:"ownerAccount,omitempty"`
	Wholly    bool                `json:"metByLicenses"`
	Holder    *elicense.HolderRef `json:"holder,omitempty"`
	Ground    ontime.Ground       `json:"ground,omitempty"`
	Draft     elicense.DraftID    `json:"draft,omitempty"`
	Published *time.Time          `json:"publishedAt,omitempty"`
}

func (s *server) resultOf(r *ontime.Result) resultOut {
	out := resultOut{
		r.ID, r.State(), r.Case, r.Item, r.Type, r.TypeName, r.Mode, shanghai(r.Closed), shanghai(r.Due), r.Late(s.Now()), r.Source, r.OwnerName, r.Owner, r.Wholly,
		nil, r.Ground, r.Draft, shanghai(r.Published),
	}
	if r.Holder.Code != "" {
		out.Holder = &r.Holder
	}
	return out
}

// resultLine is a result in a list, whose holder is masked.
func (s *server) resultLine(r *ontime.Result) resultOut {
	out := s.resultOf(r)
	if out.Holder != nil {
		masked := access.MaskHolder(r.Holder)
		out.Holder = &masked
	}
	return out
}

type resultsOut struct {
	Results []resultOut `json:"results"`
	Next    string      `json:"next,omitempty"`
}

func (s *server) listResults(ctx context.Context, who *elicense.Actor, in *struct {
	After string `query:"after" maxLength:"60"`
	Limit int    `query:"limit" minimum:"1" maximum:"200" default:"100"`
},
) (*body[resultsOut], error) {
	list, next, err := s.OnTime.Missing(ctx, who, who.Unit, ontime.ParsePage(in.After), in.Limit)
	out := &body[resultsOut]{resultsOut{Results: []resultOut{}, Next: next.String()}}
	for _, r := range list {
		out.Body.Results = append(out.Body.Results, s.resultLine(r))
	}
	return out, err
}

type resultID struct {
	ID string `path:"id" maxLength:"26"`
}

func (s *server) getResult(ctx context.Context, who *elicense.Actor, in *resultID) (*body[resultOut], error) {
	r, err := s.OnTime.Get(ctx, who, in.ID)
	if err != nil {
		return nil, err
	}
	return &body[resultOut]{s.resultOf(r)}, nil
}

func (s *server) moveResult(ctx context.Context, who *elicense.Actor, in *struct {
	ID   string `path:"id" maxLength:"26"`
	Body struct {
		Move   string             `json:"move" enum:"hand,refuse,confirm,disagree" doc:"转办、提出不生成、确认不生成、不同意"`
		To     elicense.AccountID `json:"to,omitempty" maxLength:"26" doc:"转给谁，账号"`
		Ground ontime.Ground      `json:"ground,omitempty" enum:"not-granted,withdrawn,state-secret,work-secret,no-license"`
		Remark string             `json:"remark,omitempty" doc:"依据的文书或情况；涉密的不写内容"`
	}
},
) (*body[resultOut], error) {
	var err error
	switch b := in.Body; b.Move {
	case "hand":
		err = s.OnTime.Hand(ctx, who, in.ID, b.To)
	case "refuse":
		err = s.OnTime.Refuse(ctx, who, in.ID, b.Ground, b.Remark)
	default:
		err = s.OnTime.Confirm(ctx, who, in.ID, b.Move == "confirm")
	}
	if err != nil {
		return nil, err
	}
	return s.getResult(ctx, who, &resultID{in.ID})
}

type days struct {
	From elicense.Date `query:"from" required:"true" doc:"办结日期从"`
	To   elicense.Date `query:"to" required:"true" doc:"办结日期到，含当天"`
}

type unreportedOut struct {
	Reported int         `json:"reported" doc:"这段时间报送的办结"`
	Drafts   []draftLine `json:"drafts" doc:"制了证、没有报送办结的"`
}

func (s *server) unreported(ctx context.Context, who *elicense.Actor, in *days) (*body[unreportedOut], error) {
	list, reported, err := s.OnTime.Unreported(ctx, who, who.Unit, in.From, in.To, 200)
	out := &body[unreportedOut]{unreportedOut{Reported: reported, Drafts: []draftLine{}}}
	for _, d := range list {
		out.Body.Drafts = append(out.Body.Drafts, lineOf(d))
	}
	return out, err
}

func lineOf(d *issuance.Draft) draftLine {
	return draftLine{d.ID, d.Seq, d.State, d.TypeName, access.MaskHolder(d.Holders[0]).Name, shanghai(d.Due), d.Trouble, d.Halted}
}

type workOut struct {
	AsOf      *time.Time           `json:"asOf"`
	Colors    map[ontime.Color]int `json:"colors" doc:"red已逾期 amber今天到期 green还有时间 grey期限算不出"`
	Review    []workTask           `json:"toReview"`
	Returned  []workTask           `json:"returned"`
	Mend      []workTask           `json:"toMend"`
	Comparing []workTask           `json:"waitingForComparison"`
	Lots      []lotOut             `json:"lots"`
	Missing   []resultOut          `json:"missing"`
	Claimed   []resultOut          `json:"toConfirm"`
}

type workTask struct {
	draftLine
	Color  ontime.Color `json:"color"`
	Wholly bool         `json:"metByLicenses"`
}

func (s *server) work(ctx context.Context, who *elicense.Actor, _ *noInput) (*body[workOut], error) {
	w, err := s.OnTime.Work(ctx, who, 100)
	if err != nil {
		return nil, err
	}
	tasks := func(list []ontime.Task) []workTask {
		out := []workTask{}
		for _, t := range list {
			out = append(out, workTask{lineOf(t.Draft), t.Color, t.Wholly})
		}
		return out
	}
	owed := func(list []*ontime.Result) []resultOut {
		out := []resultOut{}
		for _, r := range list {
			out = append(out, s.resultLine(r))
		}
		return out
	}
	out := workOut{
		shanghai(w.At), w.Colors, tasks(w.Review.Shown), tasks(w.Returned.Shown), tasks(w.Mend.Shown), tasks(w.Comparing), []lotOut{}, owed(w.Missing), owed(w.Claimed),
	}
	for _, l := range w.Lots {
		out.Lots = append(out.Lots, lotFrom(l))
	}
	return &body[workOut]{out}, nil
}

type approvalIn struct {
	ID     elicense.DraftID `json:"id" maxLength:"26"`
	Seq    int64            `json:"seq" doc:"看到的版本号"`
	Digest string           `json:"digest" maxLength:"64" doc:"看过的照面的摘要，见草稿的faceDigest"`
	Reason string           `json:"reason,omitempty" doc:"比对服务不可用时仍然通过的理由"`
}

type approvalOut struct {
	ID       elicense.DraftID `json:"id"`
	Approved bool             `json:"approved"`
	Title    string           `json:"title,omitempty" doc:"为什么没有通过"`
	Clause   string           `json:"clause,omitempty"`
	Next     string           `json:"next,omitempty"`
}

// reviewDrafts approves drafts one by one: each stands or falls alone. Who may
// approve none of them is refused as a whole.
func (s *server) reviewDrafts(ctx context.Context, who *elicense.Actor, in *struct {
	Body struct {
		Drafts []approvalIn `json:"drafts" minItems:"1" maxItems:"50"`
	}
},
) (*body[[]approvalOut], error) {
	out := &body[[]approvalOut]{Body: []approvalOut{}}
	forbidden := 0
	var refused error
	for _, a := range in.Body.Drafts {
		digest, err := hex.DecodeString(a.Digest)
		if err != nil {
			digest = nil // which is no face that was shown
		}
		err = s.Issuer.ApproveShown(ctx, who, a.ID, a.Seq, digest, a.Reason)
		one := approvalOut{ID: a.ID, Approved: err == nil}
		var e *elicense.Error
		switch {
		case errors.As(err, &e) && e.Kind != elicense.Internal:
			if e.Kind == elicense.Forbidden {
				forbidden, refused = forbidden+1, err
			}
			one.Title, one.Clause, one.Next = e.Message(), e.Clause, e.Next
		case err != nil:
			return nil, err
		}
		out.Body = append(out.Body, one)
	}
	if forbidden == len(in.Body.Drafts) {
		return nil, refused
	}
	return out, nil
}

type groupOut struct {
	Key  string `json:"key"`
	Name string `json:"name"`
	ontime.Count
	Rate        int `json:"rate" doc:"按时率，%；-1没有计入的"`
	RateExcused int `json:"rateWithExcuses"`
}

type lineOut struct {
	Unit     elicense.UnitCode `json:"unitCode"`
	UnitName string            `json:"unit"`
	Type     elicense.TypeCode `json:"licenseTypeCode"`
	TypeName string            `json:"licenseType"`
	Way      ontime.Way        `json:"way" doc:"online在线 offline离线 bulk批量 late补生成"`
	ontime.Count
}

type onTimeOut struct {
	From     elicense.Date         `json:"from"`
	To       elicense.Date         `json:"to"`
	AsOf     *time.Time            `json:"asOf"`
	All      groupOut              `json:"all"`
	Prompt   int                   `json:"ratePrompt" doc:"同步生成率，%"`
	Ways     []groupOut            `json:"ways"`
	Units    []groupOut            `json:"units"`
	Types    []groupOut            `json:"types"`
	Lines    []lineOut             `json:"lines"`
	Stock    int                   `json:"stock" doc:"存量，不计入"`
	National int                   `json:"national" doc:"按照国家规范制作，不计入"`
	None     map[ontime.Ground]int `json:"noLicense" doc:"依法不生成，不计入"`
}

type onTimeIn struct {
	Tabular
	From elicense.Date     `query:"from" required:"true" doc:"办结日期从"`
	To   elicense.Date     `query:"to" required:"true" doc:"办结日期到，含当天"`
	Unit elicense.UnitCode `query:"unitCode" maxLength:"18" doc:"只看一个单位；监督机构可以不填"`
}

func (s *server) onTime(ctx context.Context, who *elicense.Actor, in *onTimeIn) (*body[onTimeOut], error) {
	f, err := s.OnTime.Figures(ctx, who, in.Unit, in.From, in.To)
	if err != nil {
		return nil, err
	}
	group := func(g ontime.Group) groupOut { return groupOut{g.Key, g.Name, g.Count, g.Rate(), g.RateExcused()} }
	groups := func(list []ontime.Group) []groupOut {
		out := []groupOut{}
		for _, g := range list {
			out = append(out, group(g))
		}
		return out
	}
	out := onTimeOut{
		f.From, f.To, shanghai(f.At), group(ontime.Group{Count: f.All}), f.All.RatePrompt(), groups(f.Ways), groups(f.Units), groups(f.Types), []lineOut{},
		f.Apart.Stock, f.Apart.National, f.Apart.None,
	}
	for _, l := range f.Lines {
		out.Lines = append(out.Lines, lineOut{l.Unit, l.UnitName, l.Type, l.TypeName, l.Way, l.Count})
	}
	return &body[onTimeOut]{out}, nil
}

// rows is the answer as a table: a row for each unit, type and way.
func (o onTimeOut) rows(write func([]string) error) error {
	err := write([]string{"单位代码", "单位", "证照类别代码", "证照类别", "方式", "按时", "迟", "应生成未生成", "已豁免", "按时率（%）", "豁免后（%）", "未到期在办", "期限不明"})
	for _, l := range o.Lines {
		if err == nil {
			err = write([]string{
				string(l.Unit), l.UnitName, string(l.Type), l.TypeName, l.Way.Chinese(), strconv.Itoa(l.OnTime), strconv.Itoa(l.Late), strconv.Itoa(l.Missing), strconv.Itoa(l.Excused),
				share(l.Rate()), share(l.RateExcused()), strconv.Itoa(l.Running), strconv.Itoa(l.Unknown),
			})
		}
	}
	return err
}

// share writes a percentage; -1, of nothing, is empty.
func share(percent int) string {
	if percent < 0 {
		return ""
	}
	return strconv.Itoa(percent)
}

type excuseOut struct {
	ID     string              `json:"id"`
	Kind   ontime.SubjectKind  `json:"kind"`
	Ground ontime.ExcuseGround `json:"ground"`
	Doc    string              `json:"document"`
	Reason string              `json:"reason"`
	By     string              `json:"by"`
	At     *time.Time          `json:"at"`
	Lifted *time.Time          `json:"liftedAt,omitempty"`
}

type overdueOut struct {
	Kind      ontime.SubjectKind `json:"kind" doc:"draft制了的 result没有生成的"`
	ID        string             `json:"id"`
	Unit      elicense.UnitCode  `json:"unitCode"`
	UnitName  string             `json:"unit"`
	Type      elicense.TypeCode  `json:"licenseTypeCode"`
	TypeName  string             `json:"licenseType"`
	Way       ontime.Way         `json:"way"`
	Case      string             `json:"case"`
	Closed    *time.Time         `json:"closedAt"`
	Due       *time.Time         `json:"dueAt,omitempty"`
	Published *time.Time         `json:"publishedAt,omitempty"`
	Lot       string             `json:"lot,omitempty"`
	Excuses   []excuseOut        `json:"excuses"`
}

func overdueFrom(o *ontime.Overdue) overdueOut {
	out := overdueOut{
		o.Kind, o.ID, o.Unit, o.UnitName, o.Type, o.TypeName, o.Way, o.Case, shanghai(o.Closed), shanghai(o.Due), shanghai(o.Published), o.Lot, []excuseOut{},
	}
	for _, e := range o.Excuses {
		out.Excuses = append(out.Excuses, excuseOut{e.ID, e.Kind, e.Ground, e.Doc, e.Reason, e.Name, shanghai(e.At), shanghai(e.Lifted)})
	}
	return out
}

type lateOut struct {
	Late []overdueOut `json:"late"`
	Next string       `json:"next,omitempty"`
}

// rows is the page as a table.
func (o lateOut) rows(write func([]string) error) error {
	at := func(t *time.Time) string {
		if t == nil {
			return ""
		}
		return t.Format(time.RFC3339)
	}
	err := write([]string{"单位代码", "单位", "证照类别代码", "证照类别", "方式", "办件编号", "办结时间", "期限", "发布时间", "豁免", "文号或证明"})
	for _, l := range o.Late {
		row := []string{string(l.Unit), l.UnitName, string(l.Type), l.TypeName, l.Way.Chinese(), l.Case, at(l.Closed), at(l.Due), at(l.Published), "", ""}
		for _, e := range l.Excuses {
			if e.Lifted == nil {
				row[9], row[10] = e.Ground.Chinese(), e.Doc
			}
		}
		if err == nil {
			err = write(row)
		}
	}
	return err
}

type lateIn struct {
	Tabular
	From  elicense.Date     `query:"from" required:"true" doc:"办结日期从"`
	To    elicense.Date     `query:"to" required:"true" doc:"办结日期到，含当天"`
	Unit  elicense.UnitCode `query:"unitCode" maxLength:"18"`
	Type  elicense.TypeCode `query:"licenseTypeCode" maxLength:"21"`
	Way   ontime.Way        `query:"way" enum:"online,offline,bulk,late"`
	After string            `query:"after" maxLength:"60"`
	Limit int               `query:"limit" minimum:"1" maximum:"200" default:"100"`
}

func (s *server) late(ctx context.Context, who *elicense.Actor, in *lateIn) (*body[lateOut], error) {
	list, next, err := s.OnTime.LateList(ctx, who, ontime.Which{Unit: in.Unit, Type: in.Type, Way: in.Way, From: in.From, To: in.To}, ontime.ParsePage(in.After), in.Limit)
	out := &body[lateOut]{lateOut{Late: []overdueOut{}, Next: next.String()}}
	for _, o := range list {
		out.Body.Late = append(out.Body.Late, overdueFrom(o))
	}
	return out, err
}

func (s *server) lateOne(ctx context.Context, who *elicense.Actor, in *struct {
	Kind ontime.SubjectKind `path:"kind" enum:"draft,result"`
	ID   string             `path:"id" maxLength:"26"`
},
) (*body[overdueOut], error) {
	o, err := s.OnTime.Overdue(ctx, who, in.Kind, in.ID)
	if err != nil {
		return nil, err
	}
	return &body[overdueOut]{overdueFrom(o)}, nil
}

func (s *server) excuse(ctx context.Context, who *elicense.Actor, in *struct {
	Body struct {
		Kind    ontime.SubjectKind  `json:"kind" enum:"draft,result,lot"`
		Subject string              `json:"subject" maxLength:"26" doc:"草稿、办结或批次的标识"`
		Ground  ontime.ExcuseGround `json:"ground" enum:"outage,force-majeure,other"`
		Doc     string              `json:"document" doc:"证明或文件的编号"`
		Reason  string              `json:"reason"`
	}
},
) (*body[idOut], error) {
	b := in.Body
	e, err := s.OnTime.Excuse(ctx, who, ontime.Excusing{Kind: b.Kind, Subject: b.Subject, Ground: b.Ground, Doc: b.Doc, Reason: b.Reason})
	if err != nil {
		return nil, err
	}
	return &body[idOut]{idOut{e.ID}}, nil
}

func (s *server) liftExcuse(ctx context.Context, who *elicense.Actor, in *struct {
	ID   string `path:"id" maxLength:"26"`
	Body struct {
		Reason string `json:"reason"`
	}
},
) (*body[done], error) {
	return yes, s.OnTime.Lift(ctx, who, in.ID, in.Body.Reason)
}

type settingOut struct {
	Minutes int        `json:"minutes" doc:"办结后多少分钟内生成；当天发布"`
	By      string     `json:"by,omitempty"`
	Changed *time.Time `json:"changedAt,omitempty"`
}

func (s *server) syncSetting(ctx context.Context, _ *elicense.Actor, in *struct {
	Unit elicense.UnitCode `query:"unitCode" required:"true" maxLength:"18"`
},
) (*body[settingOut], error) {
	got, err := s.OnTime.Setting(ctx, in.Unit)
	if err != nil {
		return nil, err
	}
	return &body[settingOut]{settingOut{got.Minutes, got.Name, shanghai(got.Changed)}}, nil
}

func (s *server) setSync(ctx context.Context, who *elicense.Actor, in *struct {
	Body struct {
		Minutes int `json:"minutes" minimum:"1" maximum:"60"`
	}
},
) (*body[done], error) {
	return yes, s.OnTime.Set(ctx, who, in.Body.Minutes)
}
