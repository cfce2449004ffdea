package delivery

import (
	"context"
	"slices"
	"strings"
	"time"

	"elicense"
	"elicense/access"
	"elicense/cases"
	"elicense/issuance"
	"elicense/ontime"
	"elicense/org"
	"elicense/store"
)

// A holder without a phone comes to a window (Art. 14(1)): to one of the issuing unit,
// or to one that accepts or decides the case the license came of. Its clerk finds
// what waits for him by a number on what he brings, never by his name; proves who he
// is against the license; prints, and hands over.

// Collectable is a license that can be handed over at the actor's window, as it is
// shown before anybody has proven who he is.
type Collectable struct {
	License   elicense.LicenseID
	TypeName  string
	Issuer    string
	Holders   []string // their names, masked
	Published time.Time
	Handed    time.Time // when it was last handed over; zero if it was not
	Opened    bool      // a holder has opened it
}

// maxAsked bounds what a clerk types or scans.
const maxAsked = 200

// Collectables finds what can be handed over at the actor's window by the number of a
// case, the text of the QR code of a case's notice, or the identifier of a license.
//
// Errors: Invalid for nothing; Forbidden, the same whether there is no such thing or
// it is another window's.
func (d *Desk) Collectables(ctx context.Context, actor *elicense.Actor, asked string) ([]Collectable, error) {
	asked = strings.TrimSpace(asked)
	if asked == "" || len(asked) > maxAsked {
		return nil, elicense.E(elicense.Invalid, "要填写办件编号、回执上的二维码内容或证照标识").At("q").Under("第十四条第一款").Then("这里不按姓名查找")
	}
	var found []*elicense.License
	build := func(tx *store.Tx) (_ access.Request, err error) {
		if found, err = d.collectable(tx, actor, asked); err != nil {
			return access.Request{}, err
		}
		units := []string{}
		if len(found) > 0 {
			units = []string{string(actor.Unit)}
		}
		return access.Request{
			Actor: actor, Act: access.DeliveryFind, On: access.Thing{Kind: "License", ID: "collectable", Attr: access.Attr{"units": units}},
			Note: access.Note{Basis: "窗口发放"},
		}, nil
	}
	list, _, err := access.Get(ctx, d.Guard, build, func(tx *store.Tx, _ *access.Permit) (list []Collectable, err error) {
		for _, lic := range found {
			c, err := collectableOf(tx, lic)
			if err != nil {
				return nil, err
			}
			list = append(list, *c)
		}
		return list, nil
	})
	return list, err
}

// collectable finds the licenses of what was asked that the actor's window hands over.
func (d *Desk) collectable(tx *store.Tx, actor *elicense.Actor, asked string) ([]*elicense.License, error) {
	ids, err := d.asked(tx, actor.Unit, asked)
	if err != nil {
		return nil, err
	}
	var list []*elicense.License
	for _, id := range ids {
		lic, err := tx.License(id)
		if elicense.IsKind(err, elicense.NotFound) {
			continue // not published yet, or withdrawn
		}
		if err != nil {
			return nil, err
		}
		units, err := windowsOf(tx, lic)
		if err != nil {
			return nil, err
		}
		if !lic.Reference && slices.Contains(units, string(actor.Unit)) {
			list = append(list, lic)
		}
	}
	return list, nil
}

// asked finds licenses by what was typed or scanned.
func (d *Desk) asked(tx *store.Tx, unit elicense.UnitCode, asked string) (list []elicense.LicenseID, err error) {
	lic, _, err := tx.ByIdentifier(elicense.Identifier(asked))
	if err == nil {
		return []elicense.LicenseID{lic.ID}, nil
	}
	if !elicense.IsKind(err, elicense.NotFound) {
		return nil, err
	}
	// The unit's own number of its case, or that of a case a window of the unit took in.
	drafts, err := issuance.MadeFor(tx, unit, asked)
	if err != nil {
		return nil, err
	}
	office := elicense.CaseID("")
	if at := strings.LastIndex(asked, noticePath); at >= 0 {
		office = elicense.CaseID(asked[at+len(noticePath):])
	} else if err := tx.Row(`SELECT id FROM office_case WHERE unit = $1 AND number = $2`, unit, asked).Scan(&office); err != nil && !elicense.IsKind(err, elicense.NotFound) {
		return nil, err
	}
	if elicense.ValidID(office) {
		k, _, err := cases.Find(tx, office)
		if err != nil {
			return nil, err
		}
		if k != nil {
			more, err := issuance.MadeFor(tx, k.Implementer, k.Number)
			if err != nil {
				return nil, err
			}
			drafts = append(drafts, more...)
		}
	}
	for _, dr := range drafts {
		if dr.State == issuance.Published && !slices.Contains(list, dr.License) {
			list = append(list, dr.License)
		}
	}
	return list, nil
}

// noticePath stands before the name of a case in the QR codes of its notices.
const noticePath = "/holder/cases/"

// windowsOf returns the units whose windows hand a license over: its issuer, and those
// who accepted and decided the platform's case it came of. Nobody's has none.
func windowsOf(tx *store.Tx, lic *elicense.License) ([]string, error) {
	if lic.ID == "" {
		return []string{}, nil
	}
	units := []string{string(lic.Issuer)}
	drafts, err := store.All(tx, func(r *store.Rows) (id elicense.DraftID, err error) { return id, r.Scan(&id) },
		`SELECT id FROM draft WHERE license = $1 AND version = $2 AND NOT voided`, lic.ID, lic.Standing.Version)
	if err != nil {
		return nil, err
	}
	office, err := ontime.OfficeCases(tx, drafts)
	if err != nil {
		return nil, err
	}
	for _, id := range office {
		k, _, err := cases.Find(tx, id)
		if err != nil {
			return nil, err
		}
		if k != nil {
			units = append(units, string(k.Unit), string(k.Implementer))
		}
	}
	return units, nil
}

func collectableOf(tx *store.Tx, lic *elicense.License) (*Collectable, error) {
	s, err := statusOf(tx, lic)
	if err != nil {
		return nil, err
	}
	u, err := org.UnitOf(tx, lic.Issuer)
	if err != nil {
		return nil, err
	}
	c := &Collectable{License: lic.ID, TypeName: lic.TypeName, Issuer: u.Name, Published: s.Published()}
	for _, h := range s.Version.Holders {
		c.Holders = append(c.Holders, access.MaskName(h.Name))
	}
	for _, r := range s.Receipts {
		switch r.Kind {
		case Opened:
			c.Opened = true
		case Handed:
			c.Handed = r.At
		}
	}
	return c, nil
}

// Collecting is a holder at a window, or who comes for him.
type Collecting struct {
	Holder int    // place among the license's holders
	Code   string // the holder's number as the clerk read it off what proves him
	Proof  cases.Proof
	Handing
}

// Collect shows a license to the clerk who is about to hand it over, without what it
// says. Errors: Forbidden, also if there is no such license.
func (d *Desk) Collect(ctx context.Context, actor *elicense.Actor, id elicense.LicenseID) (*Collectable, error) {
	build := func(tx *store.Tx) (access.Request, error) {
		lic, err := tx.LicenseOrNone(id)
		if err != nil {
			return access.Request{}, err
		}
		units, err := windowsOf(tx, lic)
		return access.Request{
			Actor: actor, Act: access.DeliveryFind, On: access.Thing{Kind: "License", ID: string(id), Attr: access.Attr{"units": units}},
			Note: access.Note{License: id, LicenseType: lic.Type, Holder: lic.Owner, Basis: "窗口发放"},
		}, err
	}
	c, _, err := access.Get(ctx, d.Guard, build, func(tx *store.Tx, _ *access.Permit) (*Collectable, error) {
		lic, err := tx.License(id)
		if err == nil && lic.Reference {
			err = errReference()
		}
		if err != nil {
			return nil, err
		}
		return collectableOf(tx, lic)
	})
	return c, err
}

// PrintCollected prints a license for a holder who has proven who he is at the window.
//
// Errors: Invalid naming the field; Forbidden, also if the number is not the holder's.
func (d *Desk) PrintCollected(ctx context.Context, actor *elicense.Actor, id elicense.LicenseID, c Collecting) ([]byte, string, error) {
	if err := c.check(c.Proof); err != nil {
		return nil, "", err
	}
	return d.Sharing.PrintUnder(ctx, actor, id, collecting(actor, id, c), "窗口打印交付持证人")
}

// HandCollected records that the printed license was handed over at the window.
//
// Errors: those of PrintCollected; Conflict if it was handed over before.
func (d *Desk) HandCollected(ctx context.Context, actor *elicense.Actor, id elicense.LicenseID, c Collecting) error {
	if err := c.check(c.Proof); err != nil {
		return err
	}
	c.Window = actor.UnitName
	return d.Guard.Write(ctx, collecting(actor, id, c), func(tx *store.Tx, p *access.Permit) error {
		p.Note.Detail["act"] = "handed"
		return d.hand(tx, actor, id, c)
	})
}

// collecting asks the law whether the actor may give the license to who collects it:
// his window hands it over, and the number is the holder's.
func collecting(actor *elicense.Actor, id elicense.LicenseID, c Collecting) func(*store.Tx) (access.Request, error) {
	return func(tx *store.Tx) (access.Request, error) {
		lic, err := tx.LicenseOrNone(id)
		if err != nil {
			return access.Request{}, err
		}
		units, err := windowsOf(tx, lic)
		if err != nil {
			return access.Request{}, err
		}
		holder, proven, self := lic.Owner, false, false
		if lic.ID != "" {
			v, err := tx.Version(lic, 0)
			if err != nil {
				return access.Request{}, err
			}
			if self, err = cases.IsHimself(tx, actor, lic.Holders); err != nil {
				return access.Request{}, err
			}
			if c.Holder >= 0 && c.Holder < len(v.Holders) {
				proven = plainCode(v.Holders[c.Holder]) == plainCode(elicense.HolderRef{CodeType: v.Holders[c.Holder].CodeType, Code: c.Code})
			}
			if c.Holder >= 0 && c.Holder < len(lic.Holders) {
				holder = lic.Holders[c.Holder]
			}
		}
		return access.Request{
			Actor: actor, Act: access.DeliveryWindow, On: access.Thing{Kind: "License", ID: string(id), Attr: access.Attr{"units": units}},
			Circumstances: access.Attr{"proven": proven, "self": self},
			Note: access.Note{
				License: id, LicenseType: lic.Type, Holder: holder, Basis: "窗口发放", Purpose: "打印交付持证人", Detail: map[string]string{"proof": string(c.Proof)},
			},
		}, nil
	}
}

// plainCode is a holder's number in the form two of them are compared in.
func plainCode(h elicense.HolderRef) string {
	h = h.Normalize()
	if long, ok := elicense.Upgrade15(h.Code); ok && h.CodeType == elicense.CodeCitizen {
		return string(long)
	}
	return h.Code
}
