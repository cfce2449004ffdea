package httpapi

import (
	"bytes"
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

// withPictures takes a table and the pictures of its papers, encoded.
func withPictures(o *huma.Operation) {
	o.MaxBodyBytes, o.BodyReadTimeout = issuance.MaxPhotos*4/3+maxBody, 10*time.Minute
}

type stockTableOut struct {
	ID      string            `json:"id"`
	Type    elicense.TypeCode `json:"licenseTypeCode"`
	Name    string            `json:"name,omitempty" doc:"文件名"`
	Again   bool              `json:"again" doc:"是第二张表"`
	At      *time.Time        `json:"at"`
	Entered int               `json:"entered" doc:"已录入；第二张表：两次一致，已转草稿"`
	Differ  int               `json:"differ" doc:"两次不一致，要逐份选定"`
	Bad     int               `json:"badRows"`
	Broken  bool              `json:"broken,omitempty" doc:"没有读到最后：没有录入的行在退回的行里"`
	Rows    []stockBadRow     `json:"rows,omitempty" doc:"退回的行"`
}

type stockBadRow struct {
	Line string `json:"line"`
	Text string `json:"text"`
}

func stockTableOf(p *stock.Papers, rows bool) stockTableOut {
	o := stockTableOut{p.ID, p.Type, p.Name, p.Again, shanghai(p.At), p.Entered, p.Differ, p.Bad, p.Reading, nil}
	for _, row := range p.Rows {
		if rows {
			o.Rows = append(o.Rows, stockBadRow{row[len(row)-2], row[len(row)-1]})
		}
	}
	return o
}

func (s *server) readStockTable(ctx context.Context, who *elicense.Actor, in *struct {
	Body struct {
		Type     elicense.TypeCode `json:"licenseTypeCode" maxLength:"21"`
		Again    bool              `json:"again,omitempty" doc:"第二个人的表，不附扫描件"`
		Name     string            `json:"name,omitempty" maxLength:"200" doc:"文件名"`
		Table    []byte            `json:"table" doc:"CSV或XLSX，base64"`
		Pictures []byte            `json:"pictures,omitempty" doc:"第一张表的扫描件：ZIP，文件名和证照编号一样，base64"`
	}
},
) (*body[stockTableOut], error) {
	b := in.Body
	p, err := s.Stock.ReadPapers(ctx, who, stock.PapersFile{Type: b.Type, Again: b.Again, Name: b.Name, Content: bytes.NewReader(b.Table), Pictures: b.Pictures})
	if err != nil {
		return nil, err
	}
	return &body[stockTableOut]{stockTableOf(p, true)}, nil
}

func (s *server) stockTables(ctx context.Context, who *elicense.Actor, _ *noInput) (*body[[]stockTableOut], error) {
	list, err := s.Stock.Tables(ctx, who, 100)
	out := &body[[]stockTableOut]{Body: []stockTableOut{}}
	for _, p := range list {
		out.Body = append(out.Body, stockTableOf(p, false))
	}
	return out, err
}

type stockTableID struct {
	ID string `path:"table" maxLength:"26"`
}

func (s *server) stockTable(ctx context.Context, who *elicense.Actor, in *stockTableID) (*body[stockTableOut], error) {
	p, err := s.Stock.PapersOf(ctx, who, in.ID)
	if err != nil {
		return nil, err
	}
	return &body[stockTableOut]{stockTableOf(p, true)}, nil
}

func (s *server) stockTableBad(ctx context.Context, who *elicense.Actor, in *stockTableID) (*raw, error) {
	var b bytes.Buffer
	if err := s.Stock.BadPapers(ctx, who, in.ID, &b); err != nil {
		return nil, err
	}
	return &raw{xlsx, `attachment; filename="bad-rows.xlsx"`, b.Bytes()}, nil
}

func (s *server) stockTemplate(ctx context.Context, _ *elicense.Actor, in *struct {
	Code elicense.TypeCode `path:"code" maxLength:"21"`
},
) (*raw, error) {
	var b bytes.Buffer
	if err := s.Stock.PapersForm(ctx, in.Code, &b); err != nil {
		return nil, err
	}
	return &raw{xlsx, `attachment; filename="` + string(in.Code) + `-paper.xlsx"`, b.Bytes()}, nil
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
