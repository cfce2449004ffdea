package issuance

import (
	"context"
	"strings"
	"time"

	"elicense"
	"elicense/access"
	"elicense/catalog"
	"elicense/notice"
	"elicense/store"
)

// Reference is a license made elsewhere by the nation's rules, or before the
// platform and no longer made: the platform knows it without making it anew
// (Art. 7(1) last sentence, 14(2)).
type Reference struct {
	Type      elicense.TypeCode
	Holders   []elicense.HolderRef
	Fields    map[string]string
	IssuedOn  elicense.Date
	ValidFrom elicense.Date
	ValidTo   elicense.Date
	Source    string    // the system that returned it
	Contact   time.Time // when that system last confirmed it; zero is now
}

// Refer enters a reference. Its fields are checked like a draft's.
//
// Errors: Invalid naming the field; Forbidden; Conflict for a type the platform
// makes, or for a number it knows.
func (i *Issuer) Refer(ctx context.Context, actor *elicense.Actor, r Reference) (id elicense.LicenseID, err error) {
	r.Source = strings.TrimSpace(r.Source)
	switch {
	case r.Source == "":
		return "", elicense.E(elicense.Invalid, "要写明来源系统").At("source").Under("第十四条")
	case len(r.Holders) == 0 || len(r.Holders) > maxHolders:
		return "", elicense.E(elicense.Invalid, "要有1到%d个持证主体", maxHolders).At("holders")
	}
	build := func(tx *store.Tx) (access.Request, error) {
		t, err := catalog.Current(tx, r.Type)
		if err != nil {
			return access.Request{}, err
		}
		return access.Request{
			Actor: actor, Act: access.DraftMake,
			On:   access.Thing{Kind: "Draft", ID: "reference", Attr: access.Attr{"unit": string(actor.Unit), "issuers": unitStrings(t.Issuers)}},
			Note: access.Note{LicenseType: r.Type, Detail: map[string]string{"reference": "true"}},
		}, nil
	}
	err = i.Guard.Write(ctx, build, func(tx *store.Tx, p *access.Permit) error {
		ev, err := refer(tx, actor, r)
		if err != nil {
			return err
		}
		lic, err := tx.Apply(ev)
		if err != nil {
			return err
		}
		id = lic.ID
		p.Note.License, p.Note.Holder, p.Note.Detail["event"] = lic.ID, lic.Owner, string(ev.ID)
		for _, h := range lic.Holders {
			err := notice.Send(tx, notice.HolderInbox(h), notice.Notice{
				Kind: "referred", Text: "您的%s已由%s回传到平台", Args: []string{lic.TypeName, r.Source}, Link: "/holder/licenses/" + string(lic.ID),
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return id, err
}

func refer(tx *store.Tx, actor *elicense.Actor, r Reference) (*elicense.Event, error) {
	t, err := catalog.Current(tx, r.Type)
	if err != nil {
		return nil, err
	}
	mode, err := catalog.ModeFor(tx, t, actor.Unit)
	if err != nil {
		return nil, err
	}
	if mode.Made() {
		return nil, elicense.E(elicense.Conflict, "%s由本平台制证，不能登记引用", t.Name).At("type").Under("第七条第一款")
	}
	today := elicense.DateOf(tx.Now())
	for _, f := range t.CheckFields(r.Fields, today) {
		if !f.Warning {
			return nil, elicense.E(elicense.Invalid, "%s：%s", f.Label, f.Text).At(f.Field).Under("第九条第一款")
		}
	}
	lic := &elicense.License{
		Type: t.Code, TypeName: t.Name, TypeVersion: t.Version, Issuer: actor.Unit, Reference: true, Source: r.Source, Contact: r.Contact,
	}
	for n := range r.Holders {
		r.Holders[n] = r.Holders[n].Normalize()
		if err := r.Holders[n].Check(today); err != nil {
			return nil, err
		}
		h, err := tx.Holder(r.Holders[n], true)
		if err != nil {
			return nil, err
		}
		lic.Holders = append(lic.Holders, h)
	}
	return &elicense.Event{
		License: elicense.NewID[elicense.LicenseID](tx.Now()), Kind: elicense.EventPublish, Unit: actor.Unit, Actor: actor.Person,
		Effective: r.IssuedOn.Start(), First: lic,
		New: &elicense.Version{
			Holders: r.Holders, Fields: r.Fields, IssuedOn: r.IssuedOn, ValidFrom: r.ValidFrom, ValidTo: r.ValidTo,
			FaceNumber: r.Fields[t.Roles.Number], Made: elicense.Making{Mode: string(mode), Drafter: actor.Person},
		},
	}, nil
}
