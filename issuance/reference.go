package issuance

import (
	"context"
	"maps"
	"slices"
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
	Source    string    // name of the system that returned it
	Contact   time.Time // when that system last confirmed it; zero is now
}

// Refer enters a reference. Its fields are checked like a draft's.
//
// Errors: Invalid naming the field; Forbidden; Conflict for a type the platform
// makes, or for a number it knows.
func (i *Issuer) Refer(ctx context.Context, actor *elicense.Actor, r Reference) (id elicense.LicenseID, err error) {
	r.Source = strings.TrimSpace(r.Source)
	if r.Source == "" {
		return "", elicense.E(elicense.Invalid, "要写明来源系统").At("source").Under("第十四条")
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
		return referred(tx, lic)
	})
	return id, err
}

// returned is why what a source says happens to a reference; the source stands on it.
const returned = "来源系统回传"

// Known returns the reference of a type and unit that has the face number, or, of a
// type whose face has none, the one its first holder has.
//
// Errors: NotFound; Conflict if what has the number was made here.
func Known(tx *store.Tx, t *catalog.Type, unit elicense.UnitCode, r *Reference) (*elicense.License, error) {
	var lic *elicense.License
	if t.Roles.Number != "" {
		known, err := tx.ByNumber(t.Code, unit, r.Fields[t.Roles.Number])
		if err != nil {
			return nil, err
		}
		lic = known
	} else {
		if len(r.Holders) == 0 {
			return nil, store.ErrNoRow
		}
		holder, err := tx.Holder(r.Holders[0].Normalize(), false)
		if err != nil {
			return nil, err
		}
		list, err := tx.LicensesOf(holder, t.Code)
		if err != nil {
			return nil, err
		}
		for _, l := range list {
			if l.Issuer == unit && (lic == nil || lic.Standing.State.Ended()) {
				lic = l
			}
		}
		if lic == nil {
			return nil, store.ErrNoRow
		}
	}
	if !lic.Reference {
		return nil, elicense.E(elicense.Conflict, "这一编号的证照是本平台制作的").At(t.Roles.Number).Under("第七条第一款")
	}
	return lic, nil
}

// Enter enters a reference a source of the unit returned, in a transaction the law
// has permitted. by is the source: it has a unit and no person; doc is the number of
// its batch or document.
//
// Errors: as those of Refer.
func Enter(tx *store.Tx, by *elicense.Actor, r Reference, doc string) (*elicense.License, error) {
	ev, err := refer(tx, by, r)
	if err != nil {
		return nil, err
	}
	ev.DocNo, ev.Reason = doc, returned
	lic, err := tx.Apply(ev)
	if err != nil {
		return nil, err
	}
	return lic, referred(tx, lic)
}

// Correct makes the reference say what its source says now: a new version, by
// renewal if nothing but its term is another. It tells whether anything was.
//
// Errors: as those of Refer; Conflict for another holder, or as the state table says.
func Correct(tx *store.Tx, by *elicense.Actor, lic *elicense.License, r Reference, doc string) (*elicense.License, bool, error) {
	ev, err := refer(tx, by, r)
	if err != nil {
		return lic, false, err
	}
	if !slices.Equal(ev.First.Holders, lic.Holders) {
		return lic, false, elicense.E(elicense.Conflict, "持证主体和平台上的引用不是同一个").At("holders").Under("第十条").Then("请来源系统核对；换了持证主体的，要先注销原证")
	}
	old, err := tx.Version(lic, 0)
	if err != nil {
		return lic, false, err
	}
	t, err := catalog.Current(tx, r.Type)
	if err != nil {
		return lic, false, err
	}
	term, rest := old.ValidFrom != r.ValidFrom || old.ValidTo != r.ValidTo, !r.says(old, t.Roles.ValidFrom, t.Roles.ValidTo)
	if !term && !rest {
		return lic, false, nil
	}
	ev.Kind, ev.License, ev.First = elicense.EventChange, lic.ID, nil
	if !rest {
		ev.Kind = elicense.EventRenew
	}
	ev.New.FaceNumber = old.FaceNumber
	ev.DocNo, ev.Reason = doc, returned
	ev.Effective = tx.Now()
	fresh, err := tx.Apply(ev)
	if err != nil {
		return lic, false, err
	}
	return fresh, true, nil
}

// says tells whether the version says all the reference does, its term and the
// fields of it aside.
func (r *Reference) says(v *elicense.Version, term ...string) bool {
	filled := func(m map[string]string) map[string]string {
		out := map[string]string{}
		for k, s := range m {
			if s != "" && !slices.Contains(term, k) {
				out[k] = s
			}
		}
		return out
	}
	return v.IssuedOn == r.IssuedOn && slices.Equal(v.Holders, r.Holders) && maps.Equal(filled(v.Fields), filled(r.Fields))
}

// referred tells the holders that a reference has come.
func referred(tx *store.Tx, lic *elicense.License) error {
	for _, h := range lic.Holders {
		err := notice.Send(tx, notice.HolderInbox(h), notice.Notice{
			Kind: "referred", Text: "您的%s已由%s回传到平台", Args: []string{lic.TypeName, lic.Source}, Link: "/holder/licenses/" + string(lic.ID),
		})
		if err != nil {
			return err
		}
	}
	return nil
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
	if len(r.Holders) == 0 || len(r.Holders) > maxHolders {
		return nil, elicense.E(elicense.Invalid, "要有1到%d个持证主体", maxHolders).At("holders")
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
