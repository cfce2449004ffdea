package httpapi

import (
	"context"
	"strings"
	"time"

	"elicense"
	"elicense/cases"
	"elicense/delivery"

	"github.com/danielgtaylor/huma/v2"
)

// closingFile takes a closing document of a draft.
func closingFile(o *huma.Operation) {
	o.MaxBodyBytes, o.BodyReadTimeout = delivery.MaxUpload+1, time.Minute
}

type sentOut struct {
	ID      string           `json:"id"`
	Channel delivery.Channel `json:"channel"`
	To      string           `json:"to" doc:"打码"`
	State   delivery.State   `json:"state"`
	Tries   int              `json:"tries"`
	Answer  string           `json:"answer,omitempty"`
	At      time.Time        `json:"at" doc:"送出的，是对方收下的时间"`
}

type receivedOut struct {
	Kind     delivery.ReceiptKind `json:"kind" doc:"opened本人打开 handed打印交付"`
	At       time.Time            `json:"at"`
	Receiver string               `json:"receiver,omitempty"`
	Proof    cases.Proof          `json:"proof,omitempty"`
	Clerk    string               `json:"clerk,omitempty"`
}

type deliveryOut struct {
	License   elicense.LicenseID `json:"license"`
	Type      string             `json:"licenseType"`
	Published time.Time          `json:"publishedAt"`
	Sealed    *time.Time         `json:"listSealedAt,omitempty" doc:"送达清单盖章的时间；没有的，可以请求制作"`
	Trouble   string             `json:"trouble,omitempty"`
	Files     []string           `json:"files"`
	Messages  []sentOut          `json:"messages"`
	Receipts  []receivedOut      `json:"receipts"`
}

func deliveryOf(s *delivery.Status) deliveryOut {
	out := deliveryOut{License: s.ID, Type: s.TypeName, Published: s.Published(), Files: []string{}, Messages: []sentOut{}, Receipts: []receivedOut{}}
	if p := s.Package; p != nil {
		if out.Trouble = p.Trouble; !p.Sealed.IsZero() {
			out.Sealed = &p.Sealed
		}
		for _, d := range p.Documents {
			out.Files = append(out.Files, d.Name)
		}
	}
	for _, m := range s.Sent {
		out.Messages = append(out.Messages, sentOut{m.ID, m.Channel, m.To, m.State, m.Tries, m.Answer, m.Changed})
	}
	for _, r := range s.Receipts {
		out.Receipts = append(out.Receipts, receivedOut{r.Kind, r.At, r.Receiver, r.Proof, r.Clerk})
	}
	return out
}

// The operations on one delivery, to the holder and to the issuing unit.

func (s *server) deliveryAs(issued bool) func(context.Context, *elicense.Actor, *licenseID) (*body[deliveryOut], error) {
	return func(ctx context.Context, who *elicense.Actor, in *licenseID) (*body[deliveryOut], error) {
		st, err := s.Delivery.Of(ctx, who, in.ID, issued)
		if err != nil {
			return nil, err
		}
		return &body[deliveryOut]{deliveryOf(st)}, nil
	}
}

func (s *server) prepareAs(issued bool) func(context.Context, *elicense.Actor, *licenseID) (*body[done], error) {
	return func(ctx context.Context, who *elicense.Actor, in *licenseID) (*body[done], error) {
		return yes, s.Delivery.Prepare(ctx, who, in.ID, issued)
	}
}

func (s *server) packageAs(issued bool) func(context.Context, *elicense.Actor, *licenseID) (*raw, error) {
	return func(ctx context.Context, who *elicense.Actor, in *licenseID) (*raw, error) {
		b, name, err := s.Delivery.ZIP(ctx, who, in.ID, issued)
		if err != nil {
			return nil, err
		}
		return &raw{"application/zip", `attachment; filename="` + strings.ReplaceAll(name, `"`, "") + `"`, b}, nil
	}
}

func (s *server) handOver(ctx context.Context, who *elicense.Actor, in *struct {
	ID   elicense.LicenseID `path:"id" maxLength:"26"`
	Body struct {
		Holder   int         `json:"holder,omitempty" minimum:"0" doc:"第几位持证人，从0起"`
		Receiver string      `json:"receiver" doc:"领取人姓名"`
		Proof    cases.Proof `json:"proof" doc:"怎么核实的身份，同办件当事人"`
		Remark   string      `json:"remark,omitempty"`
	}
},
) (*body[done], error) {
	return yes, s.Delivery.Hand(ctx, who, in.ID, in.Body.Holder, in.Body.Proof, delivery.Handing{Receiver: in.Body.Receiver, Remark: in.Body.Remark})
}

func (s *server) listDeliveries(ctx context.Context, who *elicense.Actor, in *struct {
	List  delivery.Which     `query:"list" enum:"failed,open,all" default:"failed" doc:"failed没有送到 open还没有签收 all全部"`
	At    time.Time          `query:"publishedBefore" doc:"下一页：上一页最后一件的发布时间"`
	ID    elicense.LicenseID `query:"license" maxLength:"26" doc:"下一页：上一页最后一件"`
	Limit int                `query:"limit" minimum:"1" maximum:"200" default:"100"`
},
) (*body[[]deliveryOut], error) {
	list, _, err := s.Delivery.List(ctx, who, in.List, delivery.Page{Published: in.At, ID: in.ID}, in.Limit)
	if err != nil {
		return nil, err
	}
	out := []deliveryOut{}
	for _, st := range list {
		out = append(out, deliveryOf(st))
	}
	return &body[[]deliveryOut]{out}, nil
}

type collectableOut struct {
	License   elicense.LicenseID `json:"license"`
	TypeName  string             `json:"licenseType"`
	Issuer    string             `json:"issuer"`
	Holders   []string           `json:"holders" doc:"打码"`
	Published *time.Time         `json:"publishedAt"`
	Opened    bool               `json:"opened" doc:"持证人自己打开过"`
	Handed    *time.Time         `json:"handedAt,omitempty"`
}

func collectableFrom(c *delivery.Collectable) collectableOut {
	return collectableOut{c.License, c.TypeName, c.Issuer, c.Holders, shanghai(c.Published), c.Opened, shanghai(c.Handed)}
}

func (s *server) collectables(ctx context.Context, who *elicense.Actor, in *struct {
	Asked string `query:"q" required:"true" maxLength:"200" doc:"办件编号、回执二维码的内容或证照标识；不按姓名查找"`
},
) (*body[[]collectableOut], error) {
	list, err := s.Delivery.Collectables(ctx, who, in.Asked)
	out := &body[[]collectableOut]{Body: []collectableOut{}}
	for n := range list {
		out.Body = append(out.Body, collectableFrom(&list[n]))
	}
	return out, err
}

func (s *server) collectable(ctx context.Context, who *elicense.Actor, in *licenseID) (*body[collectableOut], error) {
	c, err := s.Delivery.Collect(ctx, who, in.ID)
	if err != nil {
		return nil, err
	}
	return &body[collectableOut]{collectableFrom(c)}, nil
}

type collectIn struct {
	ID   elicense.LicenseID `path:"id" maxLength:"26"`
	Body struct {
		Holder   int         `json:"holder,omitempty" minimum:"0" doc:"第几位持证人，从0起"`
		Code     string      `json:"code" doc:"从证件上读到的持证人号码"`
		Proof    cases.Proof `json:"proof" doc:"怎么核实的身份，同办件当事人"`
		Receiver string      `json:"receiver" doc:"领取人姓名"`
		Remark   string      `json:"remark,omitempty"`
	}
}

func (in *collectIn) collecting() delivery.Collecting {
	b := in.Body
	return delivery.Collecting{Holder: b.Holder, Code: b.Code, Proof: b.Proof, Handing: delivery.Handing{Receiver: b.Receiver, Remark: b.Remark}}
}

func (s *server) collectPrint(ctx context.Context, who *elicense.Actor, in *collectIn) (*raw, error) {
	return pdf(s.Delivery.PrintCollected(ctx, who, in.ID, in.collecting()))
}

func (s *server) collectHand(ctx context.Context, who *elicense.Actor, in *collectIn) (*body[done], error) {
	return yes, s.Delivery.HandCollected(ctx, who, in.ID, in.collecting())
}

type cancelledOut struct {
	ID      string           `json:"id"`
	Channel delivery.Channel `json:"channel"`
	Written *time.Time       `json:"writtenAt"`
	At      *time.Time       `json:"cancelledAt"`
	Why     string           `json:"why"`
}

func (s *server) cancelledMessages(ctx context.Context, who *elicense.Actor, _ *noInput) (*body[[]cancelledOut], error) {
	list, err := s.Delivery.Cancelled(ctx, who, 200)
	out := &body[[]cancelledOut]{Body: []cancelledOut{}}
	for _, m := range list {
		out.Body = append(out.Body, cancelledOut{m.ID, m.Channel, shanghai(m.Written), shanghai(m.At), m.Why})
	}
	return out, err
}

func (s *server) resend(ctx context.Context, who *elicense.Actor, in *struct {
	ID string `path:"message" maxLength:"26"`
},
) (*body[done], error) {
	return yes, s.Delivery.Resend(ctx, who, in.ID)
}

type ownContactOut struct {
	Channel   delivery.Channel `json:"channel"`
	Address   string           `json:"address,omitempty" doc:"打码；没有的还没有设"`
	Source    delivery.Source  `json:"source,omitempty" doc:"holder本人确认 window窗口登记"`
	Confirmed *time.Time       `json:"confirmedAt,omitempty"`
	Waiting   string           `json:"waiting,omitempty" doc:"等验证码的地址，打码"`
}

func ownContactsOf(list []*delivery.Contact) []ownContactOut {
	out := []ownContactOut{}
	for _, c := range list {
		o := ownContactOut{Channel: c.Channel, Address: c.Masked, Source: c.Source, Waiting: c.Waiting}
		if !c.Confirmed.IsZero() {
			o.Confirmed = &c.Confirmed
		}
		out = append(out, o)
	}
	return out
}

func (s *server) ownContacts(ctx context.Context, who *elicense.Actor, _ *struct{}) (*body[[]ownContactOut], error) {
	list, err := s.Delivery.Contacts(ctx, who)
	if err != nil {
		return nil, err
	}
	return &body[[]ownContactOut]{ownContactsOf(list)}, nil
}

func (s *server) askContact(ctx context.Context, who *elicense.Actor, in *struct {
	Channel delivery.Channel `path:"channel" enum:"sms,mail"`
	Body    struct {
		Address string `json:"address" doc:"手机号码或邮件地址"`
	}
},
) (*body[done], error) {
	return yes, s.Delivery.Ask(ctx, who, in.Channel, in.Body.Address)
}

func (s *server) confirmContact(ctx context.Context, who *elicense.Actor, in *struct {
	Channel delivery.Channel `path:"channel" enum:"sms,mail"`
	Body    struct {
		Code string `json:"code" doc:"6位验证码"`
	}
},
) (*body[done], error) {
	return yes, s.Delivery.Confirm(ctx, who, in.Channel, in.Body.Code)
}

func (s *server) forgetContact(ctx context.Context, who *elicense.Actor, in *struct {
	Channel delivery.Channel `path:"channel" enum:"sms,mail"`
},
) (*body[done], error) {
	return yes, s.Delivery.Forget(ctx, who, in.Channel)
}

func (s *server) takeContact(ctx context.Context, who *elicense.Actor, in *struct {
	ID   elicense.CaseID `path:"id" maxLength:"26"`
	Body struct {
		Party   int              `json:"party" minimum:"0" doc:"第几位当事人，从0起"`
		Channel delivery.Channel `json:"channel" enum:"sms,mail"`
		Address string           `json:"address"`
	}
},
) (*body[done], error) {
	return yes, s.Delivery.Take(ctx, who, in.ID, in.Body.Party, in.Body.Channel, in.Body.Address)
}

type uploadedOut struct {
	ID    string    `json:"id"`
	Title string    `json:"title"`
	Size  int       `json:"size" doc:"字节"`
	Note  string    `json:"note,omitempty" doc:"平台对签章知道什么"`
	At    time.Time `json:"at"`
}

func (s *server) addDocument(ctx context.Context, who *elicense.Actor, in *struct {
	ID      elicense.DraftID `path:"id" maxLength:"26"`
	Title   string           `query:"title" required:"true" maxLength:"200" doc:"文书名称"`
	RawBody []byte           `contentType:"application/octet-stream"`
},
) (*body[uploadedOut], error) {
	u, err := s.Delivery.Upload(ctx, who, in.ID, in.Title, in.RawBody)
	if err != nil {
		return nil, err
	}
	return &body[uploadedOut]{uploadedOut{u.ID, u.Title, u.Size, u.Note, u.At}}, nil
}

func (s *server) documents(ctx context.Context, who *elicense.Actor, in *struct {
	ID elicense.DraftID `path:"id" maxLength:"26"`
},
) (*body[[]uploadedOut], error) {
	list, err := s.Delivery.Uploads(ctx, who, in.ID)
	if err != nil {
		return nil, err
	}
	out := []uploadedOut{}
	for _, u := range list {
		out = append(out, uploadedOut{u.ID, u.Title, u.Size, u.Note, u.At})
	}
	return &body[[]uploadedOut]{out}, nil
}

type documentID struct {
	ID       elicense.DraftID `path:"id" maxLength:"26"`
	Document string           `path:"document" maxLength:"26"`
}

func (s *server) documentFile(ctx context.Context, who *elicense.Actor, in *documentID) (*raw, error) {
	u, b, err := s.Delivery.Document(ctx, who, in.ID, in.Document)
	if err != nil {
		return nil, err
	}
	kind := "application/ofd"
	if u.Ext() == ".pdf" {
		kind = "application/pdf"
	}
	return &raw{kind, `attachment; filename="` + u.ID + u.Ext() + `"`, b}, nil
}

func (s *server) takeOutDocument(ctx context.Context, who *elicense.Actor, in *documentID) (*body[done], error) {
	return yes, s.Delivery.TakeOut(ctx, who, in.ID, in.Document)
}
