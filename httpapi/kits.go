package httpapi

import (
	"bytes"
	"context"
	"time"

	"elicense"
	"elicense/offline"

	"github.com/danielgtaylor/huma/v2"
)

// kitPackage takes the package of a kit.
func kitPackage(o *huma.Operation) {
	o.MaxBodyBytes, o.BodyReadTimeout = offline.MaxPackage+1, 10*time.Minute
}

// withProof takes the proof of a failure, encoded.
func withProof(o *huma.Operation) { o.MaxBodyBytes = elicense.MaxUpload*4/3 + maxBody }

type kitOut struct {
	ID        string              `json:"id"`
	State     offline.State       `json:"state" doc:"ordered待确认 ready已导出 in-use使用中 expired已到期 cancelled已注销"`
	Ground    offline.Ground      `json:"ground" doc:"no-online没有在线条件 outage系统故障 unsuited不宜网上办理"`
	Reason    string              `json:"reason"`
	Proof     string              `json:"proof,omitempty"`
	Attached  bool                `json:"proofFile" doc:"附了证明文件"`
	Types     []elicense.TypeCode `json:"licenseTypeCodes"`
	Size      int                 `json:"size" doc:"号段里有多少个编号"`
	From      *time.Time          `json:"validFrom,omitempty"`
	To        *time.Time          `json:"validTo,omitempty"`
	Drafter   string              `json:"drafter"`
	Reviewer  string              `json:"reviewer,omitempty"`
	Cancelled *time.Time          `json:"cancelledAt,omitempty"`
	Lost      bool                `json:"lost"`
	Used      int                 `json:"used" doc:"已登记发布的编号"`
	Packages  []kitPackageOut     `json:"packages"`
}

type kitPackageOut struct {
	ID       string            `json:"id"`
	State    offline.PackState `json:"state" doc:"receiving接收中 waiting导入中 done已导入"`
	Received *time.Time        `json:"receivedAt"`
	Again    int               `json:"again" doc:"又导入过几次"`
	Fresh    int               `json:"registered" doc:"最近一次导入新登记发布的"`
	Known    int               `json:"registeredBefore"`
	Refused  int               `json:"refused"`
	Unsealed int               `json:"notSealed"`
	Rows     []kitRowOut       `json:"rows"`
}

type kitRowOut struct {
	Number  int                `json:"number"`
	State   string             `json:"state" enum:"taken,refused,open,given" doc:"taken已登记发布 refused没有登记 open没有签章 given已作废"`
	License elicense.LicenseID `json:"license,omitempty"`
	Made    *time.Time         `json:"madeAt,omitempty" doc:"离线机器的时间"`
	Reason  string             `json:"reason,omitempty"`
	Next    string             `json:"next,omitempty"`
	Late    bool               `json:"late"`
}

func kitFrom(l *offline.Listed, state offline.State) kitOut {
	out := kitOut{
		ID: l.ID, State: state, Ground: l.Ground, Reason: l.Reason, Proof: l.Proof, Attached: l.Attached != nil, Types: []elicense.TypeCode{}, Size: l.Size, From: shanghai(l.From), To: shanghai(l.To),
		Drafter: l.DrafterName, Reviewer: l.ReviewerName, Cancelled: shanghai(l.Cancelled), Lost: l.Lost, Packages: []kitPackageOut{},
	}
	for _, t := range l.Types {
		out.Types = append(out.Types, t.Code)
	}
	return out
}

func kitPackageFrom(p *offline.Package) kitPackageOut {
	out := kitPackageOut{
		ID: p.ID, State: p.State, Received: shanghai(p.Received), Again: p.Again, Fresh: p.Fresh, Known: p.Known, Refused: p.Refused, Unsealed: p.Unsealed, Rows: []kitRowOut{},
	}
	for _, r := range p.Rows {
		out.Rows = append(out.Rows, kitRowOut{r.Number, r.State, r.License, shanghai(r.Made), r.Reason(), r.Next, r.Late})
	}
	return out
}

func (s *server) listKits(ctx context.Context, who *elicense.Actor, _ *noInput) (*body[[]kitOut], error) {
	list, err := s.Kits.All(ctx, who, 100)
	out := &body[[]kitOut]{Body: []kitOut{}}
	for _, l := range list {
		out.Body = append(out.Body, kitFrom(l, l.Standing(s.Now())))
	}
	return out, err
}

type kitOverseenOut struct {
	ID        string              `json:"id"`
	Unit      elicense.UnitCode   `json:"unitCode"`
	UnitName  string              `json:"unit"`
	State     offline.State       `json:"state"`
	Ground    offline.Ground      `json:"ground"`
	Reason    string              `json:"reason"`
	Proof     string              `json:"proof,omitempty"`
	Attached  bool                `json:"proofFile" doc:"附了证明文件"`
	Types     []elicense.TypeCode `json:"licenseTypeCodes"`
	From      *time.Time          `json:"validFrom,omitempty"`
	To        *time.Time          `json:"validTo,omitempty"`
	Size      int                 `json:"size" doc:"号段里有多少个编号"`
	Used      int                 `json:"used" doc:"已登记发布的编号"`
	Refused   int                 `json:"refused" doc:"导入了、没有登记的编号"`
	Packages  int                 `json:"packages" doc:"导入过几个离线包"`
	Back      *time.Time          `json:"backAt,omitempty" doc:"第一个离线包什么时候导入"`
	Overdue   bool                `json:"overdue" doc:"到期了，什么也没有导入"`
	Cancelled *time.Time          `json:"cancelledAt,omitempty"`
	Cancel    string              `json:"cancelReason,omitempty"`
	Lost      bool                `json:"lost"`
}

type kitsOverseenOut struct {
	Total   int              `json:"total"`
	Out     int              `json:"out" doc:"现在能用的"`
	Outage  int              `json:"outage" doc:"因系统故障申请的"`
	Overdue int              `json:"overdue" doc:"到期了，什么也没有导入"`
	List    []kitOverseenOut `json:"kits"`
	Next    string           `json:"next,omitempty" doc:"接着读下一页时作为before"`
}

func (s *server) overseenKits(ctx context.Context, who *elicense.Actor, in *struct {
	Overdue bool   `query:"overdue" doc:"只要逾期没有导入的"`
	Before  string `query:"before" maxLength:"26" doc:"上一页的next"`
},
) (*body[kitsOverseenOut], error) {
	p, err := s.Kits.Oversee(ctx, who, in.Overdue, in.Before)
	if err != nil {
		return nil, err
	}
	out := kitsOverseenOut{p.Total, p.Out, p.Outage, p.Overdue, []kitOverseenOut{}, p.Next}
	for _, o := range p.List {
		l := kitFrom(o.Listed, o.Standing)
		out.List = append(out.List, kitOverseenOut{
			l.ID, o.Unit, o.UnitName, l.State, l.Ground, l.Reason, l.Proof, l.Attached, l.Types, l.From, l.To, l.Size, o.Used, o.Refused, o.Packages, shanghai(o.Back), o.Overdue,
			l.Cancelled, o.CancelReason, l.Lost,
		})
	}
	return &body[kitsOverseenOut]{Body: out}, nil
}

type kitID struct {
	ID string `path:"id" maxLength:"26"`
}

func (s *server) getKit(ctx context.Context, who *elicense.Actor, in *kitID) (*body[kitOut], error) {
	d, err := s.Kits.Get(ctx, who, in.ID)
	if err != nil {
		return nil, err
	}
	out := kitFrom(d.Listed, d.Standing)
	out.Used = d.Used
	for _, p := range d.Packages {
		out.Packages = append(out.Packages, kitPackageFrom(p))
	}
	return &body[kitOut]{Body: out}, nil
}

func (s *server) orderKit(ctx context.Context, who *elicense.Actor, in *struct {
	Body struct {
		Types  []elicense.TypeCode `json:"licenseTypeCodes"`
		Ground offline.Ground      `json:"ground" enum:"no-online,outage,unsuited"`
		Reason string              `json:"reason"`
		Proof  string              `json:"proof,omitempty" doc:"系统故障的单号、时间和现象"`
		File   []byte              `json:"proofFile,omitempty" doc:"系统故障的证明文件：PDF、JPG或PNG，最大10MB，base64"`
		Name   string              `json:"proofName,omitempty" maxLength:"200"`
		Start  time.Time           `json:"start,omitzero" doc:"启用时间，默认从确认起"`
		Hours  int                 `json:"hours" doc:"1到24"`
		Size   int                 `json:"size" doc:"1到200"`
		PIN    string              `json:"pin" doc:"制证人员自己的口令"`
	}
},
) (*body[kitOut], error) {
	b := in.Body
	l, err := s.Kits.Order(ctx, who, offline.Order{
		Types: b.Types, Ground: b.Ground, Reason: b.Reason, Proof: b.Proof, Start: b.Start, Hours: b.Hours, Size: b.Size, PIN: b.PIN,
		ProofFile: b.File, ProofName: b.Name,
	})
	if err != nil {
		return nil, err
	}
	return &body[kitOut]{Body: kitFrom(l, l.State)}, nil
}

func (s *server) confirmKit(ctx context.Context, who *elicense.Actor, in *struct {
	ID   string `path:"id" maxLength:"26"`
	Body struct {
		PIN string `json:"pin" doc:"审核签章人员自己的口令"`
	}
},
) (*body[kitOut], error) {
	l, err := s.Kits.Confirm(ctx, who, in.ID, in.Body.PIN)
	if err != nil {
		return nil, err
	}
	return &body[kitOut]{Body: kitFrom(l, l.State)}, nil
}

func (s *server) cancelKit(ctx context.Context, who *elicense.Actor, in *struct {
	ID   string `path:"id" maxLength:"26"`
	Body struct {
		Lost   bool   `json:"lost,omitempty" doc:"工具包可能到了别人手里：没有导入的不再登记"`
		Reason string `json:"reason"`
	}
},
) (*body[done], error) {
	return yes, s.Kits.Cancel(ctx, who, in.ID, in.Body.Lost, in.Body.Reason)
}

func (s *server) kitFile(ctx context.Context, who *elicense.Actor, in *struct {
	ID    string `path:"id" maxLength:"26"`
	Fonts bool   `query:"fonts" doc:"带上字体，约90 MB；不带时机器上要装有同一版本的字体"`
},
) (*raw, error) {
	var b bytes.Buffer
	if err := s.Kits.File(ctx, who, in.ID, in.Fonts, &b); err != nil {
		return nil, err
	}
	return &raw{"application/zip", `attachment; filename="kit-` + in.ID + `.zip"`, b.Bytes()}, nil
}

// proofAs returns the proof of the failure a kit was taken for, to its unit or to
// supervision.
func (s *server) proofAs(oversee bool) func(context.Context, *elicense.Actor, *kitID) (*raw, error) {
	return func(ctx context.Context, who *elicense.Actor, in *kitID) (*raw, error) {
		kind, data, err := s.Kits.Proof(ctx, who, in.ID, oversee)
		if err != nil {
			return nil, err
		}
		return &raw{kind, `attachment; filename="proof"`, data}, nil
	}
}

func (s *server) importPackage(ctx context.Context, who *elicense.Actor, in *struct {
	Reason  string `query:"reason" maxLength:"600" doc:"基础信息库不可用时仍要登记的理由"`
	RawBody []byte `contentType:"application/octet-stream"`
},
) (*body[kitPackageOut], error) {
	p, err := s.Kits.Import(ctx, who, in.RawBody, in.Reason)
	if err != nil {
		return nil, err
	}
	return &body[kitPackageOut]{Body: kitPackageFrom(p)}, nil
}
