package httpapi

import (
	"bytes"
	"context"
	"time"

	"elicense"
	"elicense/references"
)

// What national systems return and what is awaited of them (Art. 7(1), 14(2)), as the
// pages show it.

type returnsIO struct {
	Type  elicense.TypeCode `json:"licenseTypeCode" maxLength:"21"`
	Hours int               `json:"hours" minimum:"1" doc:"更新周期，小时；超过没有听到就算陈旧"`
}

type sourceOut struct {
	ID       string                 `json:"id"`
	Name     string                 `json:"name"`
	Ministry string                 `json:"ministry"`
	Unit     elicense.UnitCode      `json:"unitCode"`
	UnitName string                 `json:"unit"`
	Kind     references.Kind        `json:"kind" doc:"file文件交换 http接口"`
	URL      string                 `json:"url,omitempty"`
	Types    []returnsIO            `json:"types"`
	State    references.SourceState `json:"state" doc:"live运行中 paused已暂停"`
	Trouble  string                 `json:"trouble,omitempty"`
	Heard    *time.Time             `json:"heardAt,omitempty"`
	Changed  *time.Time             `json:"changedAt"`
	Kept     int                    `json:"references" doc:"它回传的引用"`
	Stale    int                    `json:"stale" doc:"其中超过更新周期没有听到的"`
	Oldest   *time.Time             `json:"oldestConfirmedAt,omitempty"`
	Agreed   int                    `json:"checksAgreed" doc:"最近一次核验一致的引用"`
	Doubtful int                    `json:"checksDoubtful" doc:"最近一次核验不一致、查无或没有答复的引用"`
	Open     int                    `json:"openDifferences"`
	OpenFrom *time.Time             `json:"openSince,omitempty"`
	Bad      int                    `json:"badRows" doc:"近十次没有收下的行"`
}

func (s *server) sources(ctx context.Context, who *elicense.Actor, in *struct {
	All bool `query:"all" doc:"全省的；电子政务管理部门和监督机构可以看"`
},
) (*body[[]sourceOut], error) {
	list, err := s.References.Sources(ctx, who, in.All)
	out := &body[[]sourceOut]{Body: []sourceOut{}}
	for _, h := range list {
		o := sourceOut{
			h.ID, h.Name, h.Ministry, h.Unit, h.UnitName, h.Kind, h.URL, []returnsIO{}, h.State, h.Trouble, shanghai(h.Heard), shanghai(h.Changed),
			h.Kept, h.Stale, shanghai(h.Oldest), h.Agreed, h.Doubtful, h.Open, shanghai(h.OpenFrom), h.Bad,
		}
		for _, t := range h.Types {
			o.Types = append(o.Types, returnsIO(t))
		}
		out.Body = append(out.Body, o)
	}
	return out, err
}

func (s *server) keepSource(ctx context.Context, who *elicense.Actor, in *struct {
	ID   string `path:"source" maxLength:"40" doc:"代号"`
	Body struct {
		Name     string                 `json:"name"`
		Ministry string                 `json:"ministry"`
		Unit     elicense.UnitCode      `json:"unitCode" maxLength:"18"`
		Kind     references.Kind        `json:"kind" enum:"file,http"`
		URL      string                 `json:"url,omitempty" maxLength:"300"`
		Key      string                 `json:"key" doc:"SM2公钥，PEM"`
		Types    []returnsIO            `json:"types"`
		State    references.SourceState `json:"state" enum:"live,paused"`
		Changed  time.Time              `json:"changedAt,omitempty" doc:"看到的是什么时候的；新登记的不填"`
	}
},
) (*body[done], error) {
	b := in.Body
	x := references.Source{ID: in.ID, Name: b.Name, Ministry: b.Ministry, Unit: b.Unit, Kind: b.Kind, URL: b.URL, Key: b.Key, State: b.State, Changed: b.Changed}
	for _, t := range b.Types {
		x.Types = append(x.Types, references.Returns(t))
	}
	return yes, s.References.Register(ctx, who, x)
}

func (s *server) askSource(ctx context.Context, who *elicense.Actor, in *struct {
	ID string `path:"source" maxLength:"40"`
},
) (*body[done], error) {
	return yes, s.References.Ask(ctx, who, in.ID)
}

type returnedOut struct {
	ID      string                   `json:"id"`
	Source  string                   `json:"source"`
	Way     references.Way           `json:"way"`
	Batch   string                   `json:"batch"`
	Name    string                   `json:"name,omitempty" doc:"文件名"`
	State   references.DeliveryState `json:"state"`
	At      *time.Time               `json:"at"`
	Rows    int                      `json:"rows"`
	New     int                      `json:"new" doc:"新登记的引用"`
	Changed int                      `json:"changed" doc:"有了新版本的"`
	Moved   int                      `json:"moved" doc:"状态变了的"`
	Same    int                      `json:"same" doc:"和原来一样的"`
	Bad     int                      `json:"bad" doc:"没有收下的行"`
	Reason  string                   `json:"reason,omitempty" doc:"整批不收的原因"`
}

func returnedOf(d *references.Delivery) returnedOut {
	return returnedOut{d.ID, d.Source, d.Way, d.Batch, d.Name, d.State, shanghai(d.At), d.Rows, d.New, d.Changed, d.Moved, d.Same, d.Bad, d.Reason}
}

func (s *server) returned(ctx context.Context, who *elicense.Actor, in *struct {
	Limit int `query:"limit" minimum:"1" maximum:"200" default:"50"`
},
) (*body[[]returnedOut], error) {
	list, err := s.References.Deliveries(ctx, who, in.Limit)
	out := &body[[]returnedOut]{Body: []returnedOut{}}
	for _, d := range list {
		out.Body = append(out.Body, returnedOf(d))
	}
	return out, err
}

type returnedID struct {
	ID string `path:"delivery" maxLength:"26"`
}

func (s *server) returnedOne(ctx context.Context, who *elicense.Actor, in *returnedID) (*body[returnedOut], error) {
	d, err := s.References.Delivery(ctx, who, in.ID, 0)
	if err != nil {
		return nil, err
	}
	return &body[returnedOut]{returnedOf(d)}, nil
}

func (s *server) returnedBad(ctx context.Context, who *elicense.Actor, in *returnedID) (*raw, error) {
	var b bytes.Buffer
	form, err := s.References.BadRows(ctx, who, in.ID, &b)
	if err != nil {
		return nil, err
	}
	kind := map[string]string{"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl", "xlsx": xlsx}[form]
	return &raw{kind, `attachment; filename="errors.` + form + `"`, b.Bytes()}, nil
}

type differenceOut struct {
	ID       string                    `json:"id"`
	Source   string                    `json:"source"`
	Type     elicense.TypeCode         `json:"licenseTypeCode"`
	TypeName string                    `json:"licenseType"`
	Day      elicense.Date             `json:"issuedOn,omitempty" doc:"对账单是哪一天签发的；没有的是全部"`
	Kind     references.DifferenceKind `json:"kind"`
	License  elicense.LicenseID        `json:"license,omitempty"`
	Number   string                    `json:"number,omitempty"`
	Theirs   int                       `json:"theirs"`
	Ours     int                       `json:"ours"`
	Found    *time.Time                `json:"foundAt"`
	Seen     *time.Time                `json:"seenAt" doc:"最近一次对账还有它"`
}

func (s *server) differences(ctx context.Context, who *elicense.Actor, in *struct {
	Limit int `query:"limit" minimum:"1" maximum:"200" default:"100"`
},
) (*body[[]differenceOut], error) {
	list, err := s.References.Differences(ctx, who, in.Limit)
	out := &body[[]differenceOut]{Body: []differenceOut{}}
	for _, d := range list {
		out.Body = append(out.Body, differenceOut{d.ID, d.Source, d.Type, d.TypeName, d.Day, d.Kind, d.License, d.Number, d.Theirs, d.Ours, shanghai(d.Found), shanghai(d.Seen)})
	}
	return out, err
}

type sourceCheckOut struct {
	Outcome references.Outcome `json:"outcome"`
	Fields  []string           `json:"fields,omitempty" doc:"不一致的项目名称，不含内容"`
	At      *time.Time         `json:"at"`
}

func (s *server) verifyReference(ctx context.Context, who *elicense.Actor, in *licenseID) (*body[sourceCheckOut], error) {
	c, err := s.References.Verify(ctx, who, in.ID)
	if err != nil {
		return nil, err
	}
	return &body[sourceCheckOut]{sourceCheckOut{c.Outcome, c.Fields, shanghai(c.At)}}, nil
}

type awaitedOut struct {
	ID       string                  `json:"id,omitempty" doc:"没有的还没有人登记"`
	Seq      int64                   `json:"seq"`
	Unit     elicense.UnitCode       `json:"unitCode"`
	UnitName string                  `json:"unit"`
	System   string                  `json:"system,omitempty"`
	Ministry string                  `json:"ministry,omitempty"`
	Types    []elicense.TypeCode     `json:"licenseTypeCodes"`
	Names    []string                `json:"licenseTypes"`
	State    references.AwaitedState `json:"state"`
	Begun    elicense.Date           `json:"begun"`
	Days     int                     `json:"workingDays" doc:"已等的工作日；-1是日历不知道"`
	Next     elicense.Date           `json:"next,omitempty"`
	Overdue  bool                    `json:"overdue"`
	Steps    []references.Step       `json:"steps"`
}

func (s *server) awaited(ctx context.Context, who *elicense.Actor, in *struct {
	All bool `query:"all" doc:"全省的"`
},
) (*body[[]awaitedOut], error) {
	list, err := s.References.Board(ctx, who, in.All)
	out := &body[[]awaitedOut]{Body: []awaitedOut{}}
	for _, a := range list {
		o := awaitedOut{a.ID, a.Seq, a.Unit, a.UnitName, a.System, a.Ministry, a.Types, a.TypeNames, a.State, a.Begun, a.Days, a.Next, a.Overdue, a.Steps}
		if o.Steps == nil {
			o.Steps = []references.Step{}
		}
		out.Body = append(out.Body, o)
	}
	return out, err
}

type awaitIn struct {
	System   string              `json:"system"`
	Ministry string              `json:"ministry"`
	Types    []elicense.TypeCode `json:"licenseTypeCodes"`
	Begun    elicense.Date       `json:"begun,omitempty"`
	Next     elicense.Date       `json:"next,omitempty"`
}

func (s *server) await(ctx context.Context, who *elicense.Actor, in *body[awaitIn]) (*body[idOut], error) {
	b := in.Body
	a, err := s.References.Await(ctx, who, references.Awaited{System: b.System, Ministry: b.Ministry, Types: b.Types, Begun: b.Begun, Next: b.Next})
	if err != nil {
		return nil, err
	}
	return &body[idOut]{idOut{a.ID}}, nil
}

func (s *server) awaitedStep(ctx context.Context, who *elicense.Actor, in *struct {
	ID   string `path:"awaited" maxLength:"26"`
	Body struct {
		Seq   int64                   `json:"seq" doc:"看到的版本号"`
		Kind  references.StepKind     `json:"kind" doc:"方式"`
		On    elicense.Date           `json:"on"`
		Doc   string                  `json:"document,omitempty"`
		To    string                  `json:"to,omitempty"`
		Text  string                  `json:"text"`
		State references.AwaitedState `json:"state" doc:"办后状态"`
		Next  elicense.Date           `json:"next,omitempty"`
	}
},
) (*body[done], error) {
	b := in.Body
	return yes, s.References.Did(ctx, who, in.ID, b.Seq, references.Step{Kind: b.Kind, On: b.On, Doc: b.Doc, To: b.To, Text: b.Text}, b.State, b.Next)
}
