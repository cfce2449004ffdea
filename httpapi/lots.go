package httpapi

import (
	"bytes"
	"context"
	"time"

	"elicense"
	"elicense/issuance"

	"github.com/danielgtaylor/huma/v2"
)

// lotTable takes a table of many rows.
func lotTable(o *huma.Operation) { o.MaxBodyBytes, o.BodyReadTimeout = 64<<20, 10*time.Minute }

type lotOut struct {
	ID       string            `json:"id"`
	State    issuance.LotState `json:"state" doc:"reading读取中 open待提交 in-review待审核 sealing签章中 paused已暂停 done已完成 void已作废"`
	Type     elicense.TypeCode `json:"licenseTypeCode"`
	TypeName string            `json:"licenseType"`
	Name     string            `json:"name"`
	Closed   *time.Time        `json:"closedAt"`
	Due      *time.Time        `json:"dueAt,omitempty"`
	Rows     int               `json:"rows" doc:"通过检查的行"`
	Bad      int               `json:"badRows" doc:"没有通过检查、还没有更正的行"`
	Made     int               `json:"made"`
	Stopped  int               `json:"stopped"`
	Waiting  int               `json:"waiting"`
	Remark   string            `json:"remark,omitempty" doc:"退回的理由，或签章为什么等着"`
	Halted   bool              `json:"halted,omitempty" doc:"签章每次都没有办成，不再自动试，要继续（resume）"`
}

func lotFrom(l *issuance.Lot) lotOut {
	return lotOut{l.ID, l.State, l.Type, l.TypeName, l.Name, shanghai(l.Closed), shanghai(l.Due), l.Rows, l.Bad, l.Made, l.Stopped, l.Waiting, l.Remark, l.Halted}
}

func (s *server) listLots(ctx context.Context, who *elicense.Actor, _ *noInput) (*body[[]lotOut], error) {
	list, err := s.Issuer.Lots(ctx, who, 100)
	out := &body[[]lotOut]{Body: []lotOut{}}
	for _, l := range list {
		out.Body = append(out.Body, lotFrom(l))
	}
	return out, err
}

type lotID struct {
	ID string `path:"id" maxLength:"26"`
}

func (s *server) getLot(ctx context.Context, who *elicense.Actor, in *lotID) (*body[lotOut], error) {
	l, err := s.Issuer.Lot(ctx, who, in.ID)
	if err != nil {
		return nil, err
	}
	return &body[lotOut]{Body: lotFrom(l)}, nil
}

func (s *server) newLot(ctx context.Context, who *elicense.Actor, in *struct {
	Type    elicense.TypeCode `query:"licenseTypeCode" required:"true" maxLength:"21"`
	Closed  elicense.Date     `query:"closed" required:"true" doc:"整批的办结日期"`
	Name    string            `query:"name" maxLength:"100" doc:"文件名"`
	RawBody []byte            `contentType:"application/octet-stream"`
},
) (*body[lotOut], error) {
	return s.readLot(ctx, who, issuance.LotFile{Type: in.Type, Closed: in.Closed, Name: in.Name, Content: bytes.NewReader(in.RawBody)})
}

func (s *server) addRows(ctx context.Context, who *elicense.Actor, in *struct {
	ID      string `path:"id" maxLength:"26"`
	RawBody []byte `contentType:"application/octet-stream"`
},
) (*body[lotOut], error) {
	return s.readLot(ctx, who, issuance.LotFile{Lot: in.ID, Content: bytes.NewReader(in.RawBody)})
}

func (s *server) lotPhotos(ctx context.Context, who *elicense.Actor, in *struct {
	ID      string `path:"id" maxLength:"26"`
	RawBody []byte `contentType:"application/octet-stream"`
},
) (*body[photosOut], error) {
	l, unused, err := s.Issuer.LotPhotos(ctx, who, in.ID, in.RawBody)
	if err != nil {
		return nil, err
	}
	if unused == nil {
		unused = []string{}
	}
	return &body[photosOut]{photosOut{lotFrom(l), unused}}, nil
}

type photosOut struct {
	Lot    lotOut   `json:"lot"`
	Unused []string `json:"unused" doc:"没有哪一行要的照片"`
}

func (s *server) readLot(ctx context.Context, who *elicense.Actor, f issuance.LotFile) (*body[lotOut], error) {
	l, err := s.Issuer.ReadLot(ctx, who, f)
	if err != nil {
		return nil, err
	}
	return &body[lotOut]{Body: lotFrom(l)}, nil
}

func (s *server) badRows(ctx context.Context, who *elicense.Actor, in *lotID) (*raw, error) {
	var b bytes.Buffer
	if err := s.Issuer.BadRows(ctx, who, in.ID, true, &b); err != nil {
		return nil, err
	}
	return &raw{"text/csv; charset=utf-8", `attachment; filename="bad-rows.csv"`, b.Bytes()}, nil
}

func (s *server) lotTemplate(ctx context.Context, who *elicense.Actor, in *struct {
	Code elicense.TypeCode `path:"code" maxLength:"21"`
},
) (*raw, error) {
	var b bytes.Buffer
	if err := s.Issuer.LotTemplate(ctx, in.Code, who.Unit, &b); err != nil {
		return nil, err
	}
	return &raw{xlsx, `attachment; filename="` + string(in.Code) + `.xlsx"`, b.Bytes()}, nil
}

const xlsx = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

func (s *server) moveLot(ctx context.Context, who *elicense.Actor, in *struct {
	ID   string `path:"id" maxLength:"26"`
	Body struct {
		Move   string `json:"move" enum:"submit,approve,return,pause,resume,void"`
		Reason string `json:"reason,omitempty" doc:"退回的理由，或为什么小批也按批量办理"`
	}
},
) (*body[lotOut], error) {
	var err error
	switch in.Body.Move {
	case "submit":
		err = s.Issuer.SubmitLot(ctx, who, in.ID, in.Body.Reason)
	case "approve":
		err = s.Issuer.ApproveLot(ctx, who, in.ID)
	case "return":
		err = s.Issuer.ReturnLot(ctx, who, in.ID, in.Body.Reason)
	case "pause":
		err = s.Issuer.PauseLot(ctx, who, in.ID)
	case "resume":
		err = s.Issuer.ResumeLot(ctx, who, in.ID)
	case "void":
		err = s.Issuer.VoidLot(ctx, who, in.ID)
	}
	if err != nil {
		return nil, err
	}
	return s.getLot(ctx, who, &lotID{in.ID})
}

type sampledOut struct {
	Draft  elicense.DraftID `json:"draft"`
	Place  int              `json:"place"`
	Seen   *time.Time       `json:"seenAt,omitempty"`
	Good   bool             `json:"good"`
	Remark string           `json:"remark,omitempty"`
}

func (s *server) lotSample(ctx context.Context, who *elicense.Actor, in *lotID) (*body[[]sampledOut], error) {
	list, err := s.Issuer.LotSample(ctx, who, in.ID)
	out := &body[[]sampledOut]{Body: []sampledOut{}}
	for _, x := range list {
		out.Body = append(out.Body, sampledOut{x.Draft, x.Place, shanghai(x.Seen), x.Good, x.Remark})
	}
	return out, err
}

func (s *server) judgeRow(ctx context.Context, who *elicense.Actor, in *struct {
	ID    string           `path:"id" maxLength:"26"`
	Draft elicense.DraftID `path:"draft" maxLength:"26"`
	Body  struct {
		Good   bool   `json:"good"`
		Remark string `json:"remark,omitempty"`
	}
},
) (*struct{}, error) {
	return nil, s.Issuer.JudgeRow(ctx, who, in.ID, in.Draft, in.Body.Good, in.Body.Remark)
}
