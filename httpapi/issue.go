package httpapi

import (
	"context"
	"encoding/hex"
	"net/url"
	"strings"
	"time"

	"elicense"
	"elicense/catalog"
	"elicense/issuance"
	"elicense/lifecycle"
)

type noInput struct{}

// body wraps a JSON answer.
type body[T any] struct{ Body T }

// raw is an answer that is no JSON.
type raw struct {
	ContentType        string `header:"Content-Type"`
	ContentDisposition string `header:"Content-Disposition"`
	Body               []byte
}

func shanghai(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.In(elicense.Shanghai)
	return &t
}

type typeOut struct {
	catalog.Type
	State     catalog.State `json:"state"`
	Remark    string        `json:"remark,omitempty"`
	Published *time.Time    `json:"publishedAt,omitempty"`
	Confirmed *time.Time    `json:"confirmedAt,omitempty" doc:"登记单位最近一次确认仍然正确"`
}

func typeOf(t *catalog.Type) typeOut {
	return typeOut{Type: *t, State: t.State, Remark: t.Remark, Published: shanghai(t.Decided), Confirmed: shanghai(t.Confirmed)}
}

type typeSummary struct {
	Code     elicense.TypeCode   `json:"code"`
	Version  int                 `json:"version"`
	Name     string              `json:"name"`
	State    catalog.State       `json:"state"`
	Mode     catalog.Mode        `json:"mode"`
	Holders  catalog.Holders     `json:"holders"`
	Unit     elicense.UnitCode   `json:"unitCode"`
	Issuers  []elicense.UnitCode `json:"issuers"`
	Validity string              `json:"validity"`
}

func (s *server) listTypes(ctx context.Context, _ *elicense.Actor, in *struct {
	Q string `query:"q" maxLength:"60" doc:"名称、英文名称、拼音首字母或代码的一部分，或同一种证照的别的名称"`
},
) (*body[[]typeSummary], error) {
	types, err := s.Catalog.Search(ctx, in.Q)
	out := &body[[]typeSummary]{Body: []typeSummary{}}
	for _, t := range types {
		out.Body = append(out.Body, typeSummary{t.Code, t.Version, t.Name, t.State, t.Mode, t.Holders, t.Unit, t.Issuers, t.Validity.Text})
	}
	return out, err
}

func (s *server) getType(ctx context.Context, _ *elicense.Actor, in *struct {
	Code elicense.TypeCode `path:"code" maxLength:"21"`
},
) (*body[[]typeOut], error) {
	versions, err := s.Catalog.Versions(ctx, in.Code)
	if err != nil {
		return nil, err
	}
	out := &body[[]typeOut]{}
	for _, t := range versions {
		if t.State != catalog.Proposed && t.State != catalog.Returned {
			out.Body = append(out.Body, typeOf(t))
		}
	}
	if len(out.Body) == 0 {
		return nil, elicense.E(elicense.NotFound, "没有这个证照类别").At("code")
	}
	return out, nil
}

func (s *server) proposeType(ctx context.Context, who *elicense.Actor, in *body[catalog.Type]) (*body[typeOut], error) {
	t := in.Body
	t.Unit = who.Unit
	if t.Face == nil && t.Mode.Made() {
		t.Face = catalog.DefaultFace(t.Name, t.Fields)
	}
	if err := s.Catalog.Propose(ctx, who, &t); err != nil {
		return nil, err
	}
	return &body[typeOut]{typeOf(&t)}, nil
}

func (s *server) confirmType(ctx context.Context, who *elicense.Actor, in *struct {
	Code elicense.TypeCode `path:"code" maxLength:"21"`
},
) (*body[done], error) {
	return yes, s.Catalog.Confirm(ctx, who, in.Code)
}

func (s *server) setMode(ctx context.Context, who *elicense.Actor, in *struct {
	Code elicense.TypeCode `path:"code" maxLength:"21"`
	Body struct {
		Unit   elicense.UnitCode `json:"unitCode" maxLength:"18"`
		Origin catalog.Origin    `json:"origin" doc:"national国家系统制作，ministry按部委标准在本平台制作，local本地制作"`
		Reason string            `json:"reason" maxLength:"200"`
		Basis  string            `json:"basis" maxLength:"200"`
	}
},
) (*body[done], error) {
	b := in.Body
	return yes, s.Catalog.SetMode(ctx, who, catalog.UnitMode{Code: in.Code, Unit: b.Unit, Origin: b.Origin, Reason: b.Reason, Basis: b.Basis})
}

type modeOut struct {
	Unit    elicense.UnitCode `json:"unitCode"`
	Mode    catalog.Mode      `json:"mode" doc:"现在怎样生成"`
	Type    catalog.Mode      `json:"registeredMode" doc:"类别登记的方式"`
	Origin  catalog.Origin    `json:"origin,omitempty" doc:"另行写明的；没有的按类别登记"`
	Reason  string            `json:"reason,omitempty" doc:"为什么另行写明，或为什么改回"`
	Basis   string            `json:"basis,omitempty"`
	Changed *time.Time        `json:"since,omitempty" doc:"从什么时候起这样，或改回按类别登记；从来按类别登记的没有"`
}

func (s *server) modes(ctx context.Context, _ *elicense.Actor, in *struct {
	Code elicense.TypeCode `path:"code" maxLength:"21"`
},
) (*body[[]modeOut], error) {
	list, err := s.Catalog.Modes(ctx)
	out := &body[[]modeOut]{Body: []modeOut{}}
	for _, l := range list {
		if l.Code != in.Code {
			continue
		}
		one := modeOut{Unit: l.Unit, Mode: l.Mode, Type: l.Type}
		if m := l.Set; m != nil {
			one.Origin, one.Reason, one.Basis, one.Changed = m.Origin, m.Reason, m.Basis, shanghai(m.Changed)
		}
		out.Body = append(out.Body, one)
	}
	return out, err
}

func (s *server) takeBackMode(ctx context.Context, who *elicense.Actor, in *struct {
	Code elicense.TypeCode `path:"code" maxLength:"21"`
	Body struct {
		Unit   elicense.UnitCode `json:"unitCode" maxLength:"18"`
		Reason string            `json:"reason" maxLength:"200"`
	}
},
) (*body[done], error) {
	return yes, s.Catalog.TakeBackMode(ctx, who, in.Code, in.Body.Unit, in.Body.Reason)
}

type modeAskedOut struct {
	ID string `json:"id"`
}

func (s *server) proposeMode(ctx context.Context, who *elicense.Actor, in *struct {
	Code elicense.TypeCode `path:"code" maxLength:"21"`
	Body struct {
		Origin catalog.Origin `json:"origin" doc:"national国家系统制作，ministry按部委标准在本平台制作，local本地制作"`
		Reason string         `json:"reason" maxLength:"200"`
		Basis  string         `json:"basis" maxLength:"200"`
	}
},
) (*body[modeAskedOut], error) {
	b := in.Body
	id, err := s.Catalog.ProposeMode(ctx, who, catalog.UnitMode{Code: in.Code, Unit: who.Unit, Origin: b.Origin, Reason: b.Reason, Basis: b.Basis})
	return &body[modeAskedOut]{modeAskedOut{id}}, err
}

type modeProposalOut struct {
	ID       string            `json:"id"`
	Type     elicense.TypeCode `json:"licenseTypeCode"`
	Unit     elicense.UnitCode `json:"unitCode"`
	Origin   catalog.Origin    `json:"origin"`
	Reason   string            `json:"reason"`
	Basis    string            `json:"basis"`
	State    catalog.ModeState `json:"state" doc:"open等核对 confirmed已同意 refused没有同意"`
	Proposed *time.Time        `json:"proposedAt"`
	Decided  *time.Time        `json:"decidedAt,omitempty"`
	Remark   string            `json:"remark,omitempty"`
}

func (s *server) modeProposals(ctx context.Context, who *elicense.Actor, in *struct {
	Limit int `query:"limit" minimum:"1" maximum:"200" default:"100"`
},
) (*body[[]modeProposalOut], error) {
	out := &body[[]modeProposalOut]{Body: []modeProposalOut{}}
	list, err := s.Catalog.ModeProposals(ctx, who, in.Limit)
	for _, m := range list {
		out.Body = append(out.Body, modeProposalOut{m.ID, m.Code, m.Unit, m.Origin, m.Reason, m.Basis, m.State, shanghai(m.Proposed), shanghai(m.Decided), m.Remark})
	}
	return out, err
}

func (s *server) decideMode(ctx context.Context, who *elicense.Actor, in *struct {
	ID   string `path:"id" maxLength:"26"`
	Body struct {
		Approve bool   `json:"approve" doc:"true同意，false不同意"`
		Remark  string `json:"remark,omitempty" doc:"不同意的理由"`
	}
},
) (*body[done], error) {
	return yes, s.Catalog.DecideMode(ctx, who, in.ID, in.Body.Approve, in.Body.Remark)
}

func (s *server) contacts(ctx context.Context, _ *elicense.Actor, in *struct {
	Code elicense.TypeCode `path:"code" maxLength:"21"`
},
) (*body[[]contactOut], error) {
	list, err := s.Catalog.Contacts(ctx, in.Code)
	out := &body[[]contactOut]{Body: []contactOut{}}
	for _, x := range list {
		out.Body = append(out.Body, contactOut{x.Unit, x.Office, x.Phone, x.Address, x.Hours, shanghai(x.Changed)})
	}
	return out, err
}

type contactOut struct {
	Unit    elicense.UnitCode `json:"unitCode"`
	Office  string            `json:"office"`
	Phone   string            `json:"phone"`
	Address string            `json:"address,omitempty"`
	Hours   string            `json:"hours,omitempty"`
	Changed *time.Time        `json:"changedAt"`
}

func (s *server) setContact(ctx context.Context, who *elicense.Actor, in *struct {
	Code elicense.TypeCode `path:"code" maxLength:"21"`
	Body struct {
		Office  string `json:"office" maxLength:"60" doc:"科室或窗口，不写个人"`
		Phone   string `json:"phone" maxLength:"40"`
		Address string `json:"address,omitempty" maxLength:"60"`
		Hours   string `json:"hours,omitempty" maxLength:"60"`
	}
},
) (*body[done], error) {
	b := in.Body
	return yes, s.Catalog.SetContact(ctx, who, catalog.Contact{Code: in.Code, Office: b.Office, Phone: b.Phone, Address: b.Address, Hours: b.Hours})
}

type decision struct {
	Approve bool   `json:"approve" doc:"true通过，false退回"`
	Remark  string `json:"remark,omitempty" doc:"退回或不通过的原因"`
	Reason  string `json:"reason,omitempty" doc:"比对服务不可用时仍然通过的理由"`
	Seq     int64  `json:"seq,omitempty" doc:"看到的版本号"`
}

type done struct {
	Done bool `json:"done"`
}

var yes = &body[done]{done{true}}

func (s *server) decideType(ctx context.Context, who *elicense.Actor, in *struct {
	Code    elicense.TypeCode `path:"code" maxLength:"21"`
	Version int               `path:"version"`
	Body    decision
},
) (*body[done], error) {
	return yes, s.Catalog.Decide(ctx, who, in.Code, in.Version, in.Body.Approve, in.Body.Remark)
}

type completionIn struct {
	Case      string               `json:"case" doc:"办件编号"`
	Item      string               `json:"item,omitempty" doc:"办理结果的序号，默认1"`
	Type      elicense.TypeCode    `json:"licenseTypeCode"`
	Closed    time.Time            `json:"closedAt" doc:"办结时间"`
	Kind      elicense.EventKind   `json:"kind,omitempty" enum:"publish,change,renew" doc:"默认publish"`
	License   elicense.LicenseID   `json:"license,omitempty" doc:"变更、延续的原证照"`
	DocNo     string               `json:"documentNumber,omitempty"`
	Holders   []elicense.HolderRef `json:"holders"`
	Fields    map[string]string    `json:"fields"`
	IssuedOn  elicense.Date        `json:"issuedOn,omitempty"`
	ValidFrom elicense.Date        `json:"validFrom,omitempty"`
}

type draftOut struct {
	ID         elicense.DraftID     `json:"id"`
	Seq        int64                `json:"seq" doc:"内容或一起送达的文书变了，就是另一个"`
	State      issuance.State       `json:"state"`
	Type       elicense.TypeCode    `json:"licenseTypeCode"`
	TypeName   string               `json:"licenseType"`
	Kind       elicense.EventKind   `json:"kind"`
	License    elicense.LicenseID   `json:"license"`
	Version    int                  `json:"version"`
	Identifier elicense.Identifier  `json:"licenseIdentifier"`
	Case       string               `json:"case"`
	Holders    []elicense.HolderRef `json:"holders"`
	Fields     map[string]string    `json:"fields"`
	Findings   []catalog.Finding    `json:"findings"`
	Comparison issuance.Comparison  `json:"comparison"`
	Remark     string               `json:"remark,omitempty"`
	Trouble    string               `json:"trouble,omitempty" doc:"签章为什么等着"`
	Halted     bool                 `json:"halted,omitempty" doc:"签章每次都没有办成，不再自动试，要重试"`
	Closed     *time.Time           `json:"closedAt"`
	Generated  *time.Time           `json:"generatedAt"`
	Reviewed   *time.Time           `json:"reviewedAt,omitempty"`
	Published  *time.Time           `json:"publishedAt,omitempty"`
	Due        *time.Time           `json:"dueAt,omitempty"`
	Documents  []besideOut          `json:"documents" doc:"一起送达的文书，审核的是照面和这些文书"`
	Digest     string               `json:"faceDigest,omitempty" doc:"待审核的照面的摘要；一起审核几份时要带回"`
}

type besideOut struct {
	ID     string `json:"id"`
	Title  string `json:"title"`
	Digest string `json:"digest" doc:"SM3"`
}

func draftOf(d *issuance.Draft) draftOut {
	out := draftOut{
		d.ID, d.Seq, d.State, d.Type, d.TypeName, d.Kind, d.License, d.Version, d.Identifier, d.Case, d.Holders, d.Fields, d.Findings, d.Comparison,
		d.Remark, d.Trouble, d.Halted, shanghai(d.Closed), shanghai(d.Generated), shanghai(d.Reviewed), shanghai(d.Published), shanghai(d.Due), []besideOut{}, "",
	}
	for _, b := range d.Documents() {
		out.Documents = append(out.Documents, besideOut{b.ID, b.Title, hex.EncodeToString(b.Digest)})
	}
	if out.Findings == nil {
		out.Findings = []catalog.Finding{}
	}
	return out
}

func (s *server) complete(ctx context.Context, who *elicense.Actor, in *body[completionIn]) (*body[draftOut], error) {
	b := in.Body
	d, err := s.Issuer.Complete(ctx, who, issuance.Completion{
		Case: b.Case, Item: b.Item, Type: b.Type, Closed: b.Closed, Kind: b.Kind, License: b.License, DocNo: b.DocNo, Holders: b.Holders,
		Fields: b.Fields, IssuedOn: b.IssuedOn, ValidFrom: b.ValidFrom,
	})
	if err != nil {
		return nil, err
	}
	return &body[draftOut]{draftOf(d)}, nil
}

type draftLine struct {
	ID       elicense.DraftID `json:"id"`
	Seq      int64            `json:"seq"`
	State    issuance.State   `json:"state"`
	TypeName string           `json:"licenseType"`
	Holder   string           `json:"holder"`
	Due      *time.Time       `json:"dueAt,omitempty"`
	Trouble  string           `json:"trouble,omitempty"`
	Halted   bool             `json:"halted,omitempty" doc:"签章每次都没有办成，不再自动试，要重试"`
}

func (s *server) listDrafts(ctx context.Context, who *elicense.Actor, in *struct {
	State issuance.State `query:"state" enum:"draft,in-review,sealing,published,void" default:"in-review"`
	Limit int            `query:"limit" minimum:"1" maximum:"200" default:"100"`
},
) (*body[[]draftLine], error) {
	list, err := s.Issuer.Queue(ctx, who, in.Limit, in.State)
	out := &body[[]draftLine]{Body: []draftLine{}}
	for _, d := range list {
		out.Body = append(out.Body, lineOf(d.Draft))
	}
	return out, err
}

type draftID struct {
	ID elicense.DraftID `path:"id" maxLength:"26"`
}

func (s *server) getDraft(ctx context.Context, who *elicense.Actor, in *draftID) (*body[draftOut], error) {
	r, err := s.Issuer.Show(ctx, who, in.ID)
	if err != nil {
		return nil, err
	}
	out := draftOf(r.Draft)
	if r.State == issuance.InReview {
		out.Digest = hex.EncodeToString(r.Digest)
	}
	return &body[draftOut]{out}, nil
}

func (s *server) draftFace(ctx context.Context, who *elicense.Actor, in *struct {
	ID   elicense.DraftID `path:"id" maxLength:"26"`
	Page int              `query:"page" minimum:"1" default:"1"`
},
) (*raw, error) {
	pages, err := s.Issuer.Preview(ctx, who, in.ID)
	if err != nil {
		return nil, err
	}
	if in.Page > len(pages) {
		return nil, elicense.E(elicense.NotFound, "照面没有这一页").At("page")
	}
	return &raw{ContentType: "image/svg+xml", Body: pages[in.Page-1]}, nil
}

func (s *server) reviewDraft(ctx context.Context, who *elicense.Actor, in *struct {
	ID   elicense.DraftID `path:"id" maxLength:"26"`
	Body struct {
		Approve bool   `json:"approve" doc:"true通过，false退回"`
		Remark  string `json:"remark,omitempty" doc:"退回的原因"`
		Reason  string `json:"reason,omitempty" doc:"比对服务不可用时仍然通过的理由"`
		Seq     int64  `json:"seq,omitempty" doc:"看到的版本号"`
		Digest  string `json:"digest,omitempty" maxLength:"64" doc:"看过的照面的摘要，见草稿的faceDigest；填了，照面变了就不通过"`
	}
},
) (*body[done], error) {
	if in.Body.Approve && in.Body.Digest != "" {
		digest, err := hex.DecodeString(in.Body.Digest)
		if err != nil {
			digest = nil // which is no face that was shown
		}
		return yes, s.Issuer.ApproveShown(ctx, who, in.ID, in.Body.Seq, digest, in.Body.Reason)
	}
	if in.Body.Approve {
		return yes, s.Issuer.Approve(ctx, who, in.ID, in.Body.Seq, in.Body.Reason)
	}
	return yes, s.Issuer.Return(ctx, who, in.ID, in.Body.Seq, in.Body.Remark)
}

func (s *server) retryDraft(ctx context.Context, who *elicense.Actor, in *draftID) (*body[done], error) {
	return yes, s.Issuer.Retry(ctx, who, in.ID)
}

type haltedOut struct {
	Draft    elicense.DraftID  `json:"draft,omitempty"`
	Lot      string            `json:"lot,omitempty"`
	Unit     elicense.UnitCode `json:"unitCode"`
	UnitName string            `json:"unit"`
	Type     elicense.TypeCode `json:"licenseTypeCode"`
	TypeName string            `json:"licenseType"`
	Due      *time.Time        `json:"dueAt,omitempty"`
	Why      string            `json:"why"`
}

func (s *server) halted(ctx context.Context, who *elicense.Actor, in *struct {
	Unit elicense.UnitCode `query:"unitCode" maxLength:"18" doc:"监督的不填，看全省"`
},
) (*body[[]haltedOut], error) {
	list, err := s.Issuer.HaltedNow(ctx, who, in.Unit, 200)
	out := &body[[]haltedOut]{Body: []haltedOut{}}
	for _, h := range list {
		out.Body = append(out.Body, haltedOut{h.Draft, h.Lot, h.Unit, h.UnitName, h.Type, h.TypeName, shanghai(h.Due), h.Why})
	}
	return out, err
}

type referenceIn struct {
	Type      elicense.TypeCode    `json:"licenseTypeCode"`
	Holders   []elicense.HolderRef `json:"holders"`
	Fields    map[string]string    `json:"fields"`
	IssuedOn  elicense.Date        `json:"issuedOn"`
	ValidFrom elicense.Date        `json:"validFrom,omitempty"`
	ValidTo   elicense.Date        `json:"validTo,omitempty"`
	Source    string               `json:"source" doc:"来源系统"`
}

type idOut struct {
	ID string `json:"id"`
}

func (s *server) refer(ctx context.Context, who *elicense.Actor, in *body[referenceIn]) (*body[idOut], error) {
	b := in.Body
	id, err := s.Issuer.Refer(ctx, who, issuance.Reference{
		Type: b.Type, Holders: b.Holders, Fields: b.Fields, IssuedOn: b.IssuedOn, ValidFrom: b.ValidFrom, ValidTo: b.ValidTo, Source: b.Source,
	})
	return &body[idOut]{idOut{string(id)}}, err
}

type licenseID struct {
	ID elicense.LicenseID `path:"id" maxLength:"26"`
}

func (s *server) getLicense(ctx context.Context, who *elicense.Actor, in *licenseID) (*body[licenseOut], error) {
	o, err := s.Sharing.Issued(ctx, who, in.ID)
	if err != nil {
		return nil, err
	}
	return &body[licenseOut]{licenseOf(o)}, nil
}

func (s *server) licenseFile(ctx context.Context, who *elicense.Actor, in *licenseID) (*raw, error) {
	return s.file(ctx, who, in.ID, true)
}

func (s *server) ownFile(ctx context.Context, who *elicense.Actor, in *licenseID) (*raw, error) {
	return s.file(ctx, who, in.ID, false)
}

func (s *server) file(ctx context.Context, who *elicense.Actor, id elicense.LicenseID, issued bool) (*raw, error) {
	b, name, err := s.Sharing.File(ctx, who, id, issued)
	if err == nil && !issued {
		err = s.Delivery.Opened(ctx, who, id)
	}
	if err != nil {
		return nil, err
	}
	return &raw{"application/ofd", `attachment; filename="` + strings.ReplaceAll(name, `"`, "") + `"`, b}, nil
}

type printIn struct {
	ID      elicense.LicenseID `path:"id" maxLength:"26"` // embedded, it would stay empty
	Purpose string             `query:"purpose" maxLength:"200" doc:"打印的用途"`
}

func (s *server) licensePDF(ctx context.Context, who *elicense.Actor, in *licenseID) (*raw, error) {
	return pdf(s.Sharing.PDF(ctx, who, in.ID, true))
}

func (s *server) ownPDF(ctx context.Context, who *elicense.Actor, in *licenseID) (*raw, error) {
	return pdf(s.Sharing.PDF(ctx, who, in.ID, false))
}

func (s *server) licensePrint(ctx context.Context, who *elicense.Actor, in *printIn) (*raw, error) {
	return pdf(s.Sharing.Print(ctx, who, in.ID, true, in.Purpose))
}

func (s *server) ownPrint(ctx context.Context, who *elicense.Actor, in *printIn) (*raw, error) {
	return pdf(s.Sharing.Print(ctx, who, in.ID, false, in.Purpose))
}

func pdf(b []byte, name string, err error) (*raw, error) {
	if err != nil {
		return nil, err
	}
	return &raw{"application/pdf", `attachment; filename*=UTF-8''` + url.PathEscape(name), b}, nil
}

type eventIn struct {
	Kind      elicense.EventKind `json:"kind" doc:"suspend挂起 resume解除挂起 pledge质押 release解除质押 seal-up查封 unseal解除查封 revoke吊销 cancel注销 abolish废止 restore恢复 withdraw撤下（涉密）"`
	DocNo     string             `json:"documentNumber"`
	Reason    string             `json:"reason,omitempty" doc:"撤下的不填，其他的要填"`
	Effective time.Time          `json:"effectiveAt,omitempty"`
	Ground    lifecycle.Ground   `json:"ground,omitempty" doc:"撤下的：state-secret国家秘密 work-secret工作秘密；不写原因"`
}

func (s *server) proposeEvent(ctx context.Context, who *elicense.Actor, in *struct {
	ID   elicense.LicenseID `path:"id" maxLength:"26"`
	Body eventIn
},
) (*body[idOut], error) {
	if in.Body.Kind == elicense.EventWithdraw {
		c, err := s.Lifecycle.Withdraw(ctx, who, in.ID, in.Body.Ground, in.Body.DocNo)
		if err != nil {
			return nil, err
		}
		return &body[idOut]{idOut{c.ID}}, nil
	}
	c, err := s.Lifecycle.Propose(ctx, who, lifecycle.Change{
		License: in.ID, Kind: in.Body.Kind, DocNo: in.Body.DocNo, Reason: in.Body.Reason, Effective: in.Body.Effective,
	})
	if err != nil {
		return nil, err
	}
	return &body[idOut]{idOut{c.ID}}, nil
}

func (s *server) reviewEvent(ctx context.Context, who *elicense.Actor, in *struct {
	ID   string `path:"id" maxLength:"26"`
	Body decision
},
) (*body[done], error) {
	return yes, s.Lifecycle.Decide(ctx, who, in.ID, in.Body.Approve, in.Body.Remark)
}
