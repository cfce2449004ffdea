package sharing

import (
	"context"
	"time"

	"elicense"
	"elicense/access"
	"elicense/catalog"
	"elicense/document"
	"elicense/org"
	"elicense/store"
)

// Owned is a license in its holder's folder.
type Owned struct {
	*elicense.License
	Found
}

// OwnRequest asks the law whether the actor holds the license. One that does not
// exist has no holders.
func OwnRequest(actor *elicense.Actor, id elicense.LicenseID) func(*store.Tx) (access.Request, error) {
	return func(tx *store.Tx) (access.Request, error) {
		lic, err := tx.LicenseOrNone(id)
		if err != nil {
			return access.Request{}, err
		}
		var holders []string
		for _, h := range lic.Holders {
			holders = append(holders, string(h))
		}
		return access.Request{
			Actor: actor, Act: access.LicenseOwn, On: access.Thing{Kind: "License", ID: string(id), Attr: access.Attr{"holders": holders}},
			Note: access.Note{License: id, LicenseType: lic.Type, Holder: lic.Owner, Basis: "持证人本人"},
		}, nil
	}
}

// Folder lists the licenses of the signed-in holder (卡包), the newest first.
//
// Errors: Forbidden to who is no holder.
func (s *Sharing) Folder(ctx context.Context, actor *elicense.Actor) (list []Owned, err error) {
	build := func(*store.Tx) (access.Request, error) {
		return access.Request{
			Actor: actor, Act: access.LicenseOwn,
			On:   access.Thing{Kind: "License", ID: "folder", Attr: access.Attr{"holders": []string{string(actor.Holder)}}},
			Note: access.Note{Holder: actor.Holder, Basis: "持证人本人", Detail: map[string]string{"act": "folder"}},
		}, nil
	}
	list, _, err = access.Get(ctx, s.guard, build, func(tx *store.Tx, _ *access.Permit) (list []Owned, err error) {
		lics, err := tx.LicensesOf(actor.Holder, "")
		if err != nil {
			return nil, unreadable(err)
		}
		for _, l := range lics {
			f, err := s.found(tx, l)
			if err != nil {
				return nil, err
			}
			list = append(list, Owned{l, *f})
		}
		return list, nil
	})
	return list, err
}

// Opened is a license opened by its holder or its issuing unit.
type Opened struct {
	Owned
	Version *elicense.Version
	Type    *catalog.Type
	Events  []*elicense.Event
}

// Own opens a license to its holder: all of it, with its life.
//
// Errors: Forbidden, also if there is no such license.
func (s *Sharing) Own(ctx context.Context, actor *elicense.Actor, id elicense.LicenseID) (*Opened, error) {
	return s.open(ctx, OwnRequest(actor, id), id)
}

// Issued opens a license to its issuing unit.
//
// Errors: Forbidden, also if there is no such license.
func (s *Sharing) Issued(ctx context.Context, actor *elicense.Actor, id elicense.LicenseID) (*Opened, error) {
	return s.open(ctx, IssuedRequest(actor, id), id)
}

// IssuedRequest asks the law whether the actor's unit issued the license. One that
// does not exist is nobody's.
func IssuedRequest(actor *elicense.Actor, id elicense.LicenseID) func(*store.Tx) (access.Request, error) {
	return func(tx *store.Tx) (access.Request, error) {
		lic, err := tx.LicenseOrNone(id)
		if err != nil {
			return access.Request{}, err
		}
		return access.Request{
			Actor: actor, Act: access.LicenseIssued, On: access.Thing{Kind: "License", ID: string(id), Attr: access.Attr{"issuer": string(lic.Issuer)}},
			Note: access.Note{License: id, LicenseType: lic.Type, Holder: lic.Owner, Basis: "签发单位"},
		}, nil
	}
}

func (s *Sharing) open(ctx context.Context, build func(*store.Tx) (access.Request, error), id elicense.LicenseID) (*Opened, error) {
	o, _, err := access.Get(ctx, s.guard, build, func(tx *store.Tx, _ *access.Permit) (*Opened, error) {
		lic, err := tx.License(id)
		if err != nil {
			return nil, err
		}
		o, err := s.opened(tx, lic)
		if err != nil {
			return nil, err
		}
		if o.Type, err = catalog.VersionOf(tx, lic.Type, lic.TypeVersion); err != nil {
			return nil, err
		}
		o.Events, err = tx.Events(lic)
		return o, err
	})
	return o, err
}

// opened reads a license with its current version.
func (s *Sharing) opened(tx *store.Tx, lic *elicense.License) (*Opened, error) {
	f, err := s.found(tx, lic)
	if err != nil {
		return nil, err
	}
	o := &Opened{Owned: Owned{lic, *f}}
	if o.Version, err = tx.Version(lic, 0); err != nil {
		return nil, unreadable(err)
	}
	return o, nil
}

// IssuedBy lists the licenses the actor's unit issued, published before the
// given moment, the newest first.
func (s *Sharing) IssuedBy(ctx context.Context, actor *elicense.Actor, before time.Time, limit int) (list []Opened, err error) {
	build := func(*store.Tx) (access.Request, error) {
		return access.Request{
			Actor: actor, Act: access.LicenseIssued,
			On:   access.Thing{Kind: "License", ID: "list", Attr: access.Attr{"issuer": string(actor.Unit)}},
			Note: access.Note{Basis: "签发单位", Detail: map[string]string{"act": "list"}},
		}, nil
	}
	list, _, err = access.Get(ctx, s.guard, build, func(tx *store.Tx, _ *access.Permit) (list []Opened, err error) {
		lics, err := tx.LicensesIssued(actor.Unit, before, limit)
		if err != nil {
			return nil, unreadable(err)
		}
		for _, l := range lics {
			o, err := s.opened(tx, l)
			if err != nil {
				return nil, err
			}
			list = append(list, *o)
		}
		return list, nil
	})
	return list, err
}

// File returns the sealed file of a license's current version to its holder or,
// issued being set, to its issuing unit.
//
// Errors: Forbidden; NotFound for references, which have no file here;
// Unavailable if the file is not what was sealed.
func (s *Sharing) File(ctx context.Context, actor *elicense.Actor, id elicense.LicenseID, issued bool) ([]byte, string, error) {
	build := OwnRequest(actor, id)
	if issued {
		build = IssuedRequest(actor, id)
	}
	return s.fileUnder(ctx, id, build)
}

// fileUnder is File for whom the law permits what build asks.
func (s *Sharing) fileUnder(ctx context.Context, id elicense.LicenseID, build func(*store.Tx) (access.Request, error)) ([]byte, string, error) {
	v, _, err := access.Get(ctx, s.guard, build, func(tx *store.Tx, p *access.Permit) (*elicense.Version, error) {
		p.Note.Detail = map[string]string{"act": "file"}
		lic, err := tx.License(id)
		if err != nil {
			return nil, err
		}
		return tx.Version(lic, 0)
	})
	if err != nil {
		return nil, "", err
	}
	if v.File == "" {
		return nil, "", elicense.E(elicense.NotFound, "这个证照由国家系统制作，这里没有文件").Under("第七条第一款")
	}
	b, err := s.db.Files().Get(ctx, v.File, v.Digest)
	return b, string(v.Identifier) + ".ofd", err
}

// Picture draws the sealed file of a license, one SVG a page.
func (s *Sharing) Picture(ctx context.Context, actor *elicense.Actor, id elicense.LicenseID, issued bool) ([][]byte, error) {
	b, _, err := s.File(ctx, actor, id, issued)
	if err != nil {
		return nil, err
	}
	return document.Picture(b)
}

// Usage is one use of a license, as its holder sees it.
type Usage struct {
	Record  elicense.RecordID
	At      time.Time
	Act     string
	Unit    string // name of the unit
	Clerk   string
	Case    elicense.CaseID
	Number  string // of the case
	Purpose string
	Fields  []string // labels of the fields shown
	Refused bool
}

// Uses lists who used a license of the holder's, when and for which case
// (谁用过), the newest first. The holder's own readings are left out.
func (s *Sharing) Uses(ctx context.Context, actor *elicense.Actor, id elicense.LicenseID, limit int) (list []Usage, err error) {
	list, _, err = access.Get(ctx, s.guard, OwnRequest(actor, id), func(tx *store.Tx, p *access.Permit) ([]Usage, error) {
		p.Note.Detail = map[string]string{"act": "uses"}
		return uses(tx, id, limit)
	})
	return list, err
}

func uses(tx *store.Tx, id elicense.LicenseID, limit int) ([]Usage, error) {
	records, _, err := tx.Records(store.ByLicense, string(id), store.Page{}, limit)
	if err != nil {
		return nil, err
	}
	lic, err := tx.License(id)
	if err != nil {
		return nil, err
	}
	t, err := catalog.VersionOf(tx, lic.Type, lic.TypeVersion)
	if err != nil {
		return nil, err
	}
	var list []Usage
	for _, r := range records {
		switch access.Act(r.Act) {
		case access.CaseUse, access.Check:
		case access.DiscloseRead: // shown once the law lets the holder be told
			if told, err := toldOf(tx, r.Detail["id"]); err != nil {
				return nil, err
			} else if !told {
				continue
			}
		default:
			continue
		}
		u := Usage{
			Record: elicense.RecordID(r.ID), At: r.Time, Act: r.Detail["act"], Clerk: r.ActorName, Case: elicense.CaseID(r.Case),
			Purpose: r.Purpose, Refused: r.Outcome == "refused",
		}
		if r.Act == string(access.Check) {
			u.Act = "check"
		}
		for _, key := range r.Fields {
			if f := t.Field(key); f != nil {
				u.Fields = append(u.Fields, f.Label)
			}
		}
		if r.Unit != "" {
			unit, err := org.UnitOf(tx, elicense.UnitCode(r.Unit))
			if err != nil {
				return nil, err
			}
			u.Unit = unit.Name
		}
		if r.Case != "" {
			err := tx.Row(`SELECT number FROM office_case WHERE id = $1`, r.Case).Scan(&u.Number)
			if err != nil && !elicense.IsKind(err, elicense.NotFound) {
				return nil, err
			}
		}
		list = append(list, u)
	}
	return list, nil
}
