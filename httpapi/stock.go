package httpapi

import (
	"context"
	"time"

	"elicense"
	"elicense/issuance"
	"elicense/stock"

	"github.com/danielgtaylor/huma/v2"
)

// withScan takes the picture of a paper, encoded.
func withScan(o *huma.Operation) { o.MaxBodyBytes = stock.MaxScan*4/3 + maxBody }

type programmeOut struct {
	Unit      elicense.UnitCode `json:"unitCode"`
	UnitName  string            `json:"unit"`
	Type      elicense.TypeCode `json:"licenseTypeCode"`
	TypeName  string            `json:"licenseType"`
	Estimated int               `json:"estimated"`
	Until     elicense.Date     `json:"until"`
	Basis     string            `json:"basis"`
	Done      int               `json:"done" doc:"已补录发布"`
	Underway  int               `json:"underway"`
	Refused   int               `json:"refused" doc:"不予补录"`
	Rest      int               `json:"rest"`
	Late      int               `json:"late" doc:"另有补生成，一律计为逾期"`
	Asked     int               `json:"asked" doc:"在办的里窗口报缺的"`
	Months    []monthOut        `json:"months"`
	Drawn     int               `json:"sampleDrawn"`
	Seen      int               `json:"sampleSeen"`
	Wrong     int               `json:"sampleWrong"`
}

type monthOut struct {
	Month string `json:"month"`
	Done  int    `json:"done"`
	Total int    `json:"total"`
}

func programmesOf(list []*stock.Programme) *body[[]programmeOut] {
	out := &body[[]programmeOut]{Body: []programmeOut{}}
	for _, p := range list {
		o := programmeOut{
			p.Unit, p.UnitName, p.Type, p.TypeName, p.Estimated, p.Until, p.Basis, p.Done, p.Underway, p.Refused, p.Rest(), p.Late, p.Asked, []monthOut{},
			p.Drawn, p.Seen, p.Wrong,
		}
		for _, m := range p.Months {
			o.Months = append(o.Months, monthOut{m.Month, m.N, m.All})
		}
		out.Body = append(out.Body, o)
	}
	return out
}

func (s *server) programmes(ctx context.Context, who *elicense.Actor, in *struct {
	All bool `query:"all" doc:"true是全部单位，监督用"`
},
) (*body[[]programmeOut], error) {
	list, err := []*stock.Programme(nil), error(nil)
	if in.All {
		list, err = s.Stock.All(ctx, who)
	} else {
		list, err = s.Stock.Programmes(ctx, who)
	}
	return programmesOf(list), err
}

func (s *server) plan(ctx context.Context, who *elicense.Actor, in *struct {
	Type elicense.TypeCode `path:"code" maxLength:"21"`
	Body struct {
		Estimated int           `json:"estimated"`
		Until     elicense.Date `json:"until"`
		Basis     string        `json:"basis" maxLength:"200"`
	}
},
) (*body[done], error) {
	return yes, s.Stock.Plan(ctx, who, in.Type, in.Body.Estimated, in.Body.Until, in.Body.Basis)
}

type entryOut struct {
	ID       string            `json:"id"`
	State    stock.State       `json:"state" doc:"once待二录 differs两次录入不一致 made已转草稿 refused不予补录"`
	Origin   issuance.Origin   `json:"origin"`
	Type     elicense.TypeCode `json:"licenseTypeCode"`
	TypeName string            `json:"licenseType"`
	Asked    int               `json:"asked" doc:"窗口报缺的次数"`
	Differ   []string          `json:"differ" doc:"两次录入不一致的内容：f.字段、holders、issuedOn、closed、docNo"`
	Draft    elicense.DraftID  `json:"draft,omitempty"`
	Refusal  string            `json:"refusal,omitempty"`
	Created  *time.Time        `json:"createdAt"`
}

func entryFrom(e *stock.Entry) entryOut {
	o := entryOut{e.ID, e.State, e.Origin, e.Type, e.TypeName, e.Asked, e.Differ, e.Draft, e.Refusal, shanghai(e.Created)}
	if o.Differ == nil {
		o.Differ = []string{}
	}
	return o
}

func (s *server) entries(ctx context.Context, who *elicense.Actor, in *struct {
	State stock.State `query:"state" enum:"once,differs,made,refused" default:"once"`
},
) (*body[[]entryOut], error) {
	list, err := s.Stock.List(ctx, who, in.State, 200)
	out := &body[[]entryOut]{Body: []entryOut{}}
	for _, e := range list {
		out.Body = append(out.Body, entryFrom(e))
	}
	return out, err
}

// paperIn is what a license on paper says.
type paperIn struct {
	Holders  []elicense.HolderRef `json:"holders"`
	Fields   map[string]string    `json:"fields"`
	IssuedOn elicense.Date        `json:"issuedOn" doc:"纸质证照上的发证日期"`
	Closed   elicense.Date        `json:"closed,omitempty" doc:"补生成：当时的办结日期"`
	DocNo    string               `json:"documentNumber,omitempty"`
}

func (p *paperIn) typed() stock.Typed {
	return stock.Typed{Holders: p.Holders, Fields: p.Fields, IssuedOn: p.IssuedOn, Closed: p.Closed, DocNo: p.DocNo}
}

func (s *server) enterPaper(ctx context.Context, who *elicense.Actor, in *struct {
	Body struct {
		Type   elicense.TypeCode `json:"licenseTypeCode" maxLength:"21"`
		Origin issuance.Origin   `json:"origin" enum:"stock,late" doc:"stock存量，late补生成"`
		Paper  paperIn           `json:"paper"`
		Scan   []byte            `json:"scan" doc:"扫描件：PDF、JPG或PNG，最大10MB，base64"`
		Name   string            `json:"scanName,omitempty" maxLength:"200"`
	}
},
) (*body[entryOut], error) {
	e, err := s.Stock.Enter(ctx, who, in.Body.Type, in.Body.Origin, in.Body.Paper.typed(), in.Body.Name, in.Body.Scan)
	if err != nil {
		return nil, err
	}
	return &body[entryOut]{entryFrom(e)}, nil
}

type entryID struct {
	ID string `path:"id" maxLength:"26"`
}

func (s *server) paperEntry(ctx context.Context, who *elicense.Actor, in *entryID) (*body[entryOut], error) {
	e, err := s.Stock.Get(ctx, who, in.ID)
	if err != nil {
		return nil, err
	}
	return &body[entryOut]{entryFrom(e)}, nil
}

func (s *server) entryScan(ctx context.Context, who *elicense.Actor, in *entryID) (*raw, error) {
	kind, data, err := s.Stock.Picture(ctx, who, in.ID)
	if err != nil {
		return nil, err
	}
	return &raw{kind, `attachment; filename="scan"`, data}, nil
}

func (s *server) moveEntry(ctx context.Context, who *elicense.Actor, in *struct {
	ID   string `path:"id" maxLength:"26"`
	Body struct {
		Move   string   `json:"move" enum:"again,settle,refuse" doc:"again第二次录入，settle在两次录入里选定，refuse不予补录"`
		Paper  *paperIn `json:"paper,omitempty" doc:"again：第二个人看着扫描件录的"`
		Second []string `json:"second,omitempty" doc:"settle：第二次录入对的内容，其余以第一次为准"`
		Reason string   `json:"reason,omitempty" maxLength:"200"`
	}
},
) (*body[entryOut], error) {
	var e *stock.Entry
	var err error
	switch in.Body.Move {
	case "again":
		p := in.Body.Paper
		if p == nil {
			p = &paperIn{}
		}
		e, err = s.Stock.Again(ctx, who, in.ID, p.typed())
	case "settle":
		second := map[string]bool{}
		for _, k := range in.Body.Second {
			second[k] = true
		}
		e, err = s.Stock.Settle(ctx, who, in.ID, second)
	case "refuse":
		e, err = s.Stock.Refuse(ctx, who, in.ID, in.Body.Reason)
	}
	if err != nil {
		return nil, err
	}
	return &body[entryOut]{entryFrom(e)}, nil
}

type stockSampled struct {
	Draft   elicense.DraftID   `json:"draft"`
	License elicense.LicenseID `json:"license"`
	Entry   string             `json:"entry"`
	Seen    *time.Time         `json:"seenAt,omitempty"`
	Good    bool               `json:"good"`
	Remark  string             `json:"remark,omitempty"`
}

func (s *server) stockSample(ctx context.Context, who *elicense.Actor, in *struct {
	Type elicense.TypeCode `path:"code" maxLength:"21"`
},
) (*body[[]stockSampled], error) {
	list, err := s.Stock.Sample(ctx, who, in.Type)
	out := &body[[]stockSampled]{Body: []stockSampled{}}
	for _, x := range list {
		out.Body = append(out.Body, stockSampled{x.Draft, x.License, x.Entry, shanghai(x.Seen), x.Good, x.Remark})
	}
	return out, err
}

func (s *server) drawStock(ctx context.Context, who *elicense.Actor, in *struct {
	Type elicense.TypeCode `path:"code" maxLength:"21"`
},
) (*body[drawnOut], error) {
	n, err := s.Stock.Draw(ctx, who, in.Type)
	return &body[drawnOut]{drawnOut{n}}, err
}

type drawnOut struct {
	Drawn int `json:"drawn"`
}

func (s *server) judgeStock(ctx context.Context, who *elicense.Actor, in *struct {
	Draft elicense.DraftID `path:"draft" maxLength:"26"`
	Body  struct {
		Good   bool   `json:"good"`
		Remark string `json:"remark,omitempty" maxLength:"200"`
	}
},
) (*body[done], error) {
	return yes, s.Stock.Judge(ctx, who, in.Draft, in.Body.Good, in.Body.Remark)
}
