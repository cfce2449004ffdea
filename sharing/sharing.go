// Package sharing lets application units use licenses inside their cases: the
// check of a matter's materials, query, verify and compare (Art. 12, 13), and lets
// holders see their own licenses and who used them (Art. 17(1), 18).
//
// What is shown is a projection: the fields the matter's material list names,
// and no more. Every use passes the Guard and returns the receipt of its record.
package sharing

import (
	"time"

	"elicense"
	"elicense/access"
	"elicense/cases"
	"elicense/catalog"
	"elicense/org"
	"elicense/store"
	"elicense/verification"
)

// Sharing answers from the licenses in the store.
type Sharing struct {
	// Printing makes copies on paper; nil where there are no fonts.
	Printing *Printing

	db    *store.DB
	guard *access.Guard
	now   func() time.Time
}

// New returns the sharing of the licenses kept in db.
func New(db *store.DB, guard *access.Guard, now func() time.Time) *Sharing {
	return &Sharing{db: db, guard: guard, now: now}
}

// Found is a license that meets or could meet a material.
type Found struct {
	Type     elicense.TypeCode
	TypeName string
	Party    int // place of the party who holds it
	Issuer   string
	Status   elicense.Status
	Overlays []string
	ValidTo  elicense.Date
	AsOf     time.Time
	Source   string
	Contact  time.Time
	Stale    bool
	Key      elicense.LicenseID
	seq      int
	version  int
	overlays elicense.Overlays
}

// circumstances are what the law asks about the use of a type in a case beside
// the case itself: how strongly one must have signed in, whether the type is
// shared at all, whether its holder has to agree and has not, and how often a
// comparison failed.
type circumstances struct {
	tx    *store.Tx
	k     *cases.Case
	own   elicense.HolderKey // of the applicant who looks himself; empty for clerks
	types map[elicense.TypeCode]*catalog.Type
}

func (s *Sharing) circumstances(tx *store.Tx, k *cases.Case) *circumstances {
	return &circumstances{tx: tx, k: k, types: map[elicense.TypeCode]*catalog.Type{}}
}

// typeOf returns the entry of a type in force, nil if there is none.
func (c *circumstances) typeOf(code elicense.TypeCode) (*catalog.Type, error) {
	if t, known := c.types[code]; known {
		return t, nil
	}
	t, err := catalog.Current(c.tx, code)
	if err != nil && !elicense.IsKind(err, elicense.NotFound) {
		return nil, err
	}
	c.types[code] = t
	return t, nil
}

// of returns the circumstances of a use.
func (c *circumstances) of(code elicense.TypeCode, h elicense.HolderKey, fields []string, compares bool) (access.Attr, error) {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = cases.FieldName(code, f)
	}
	purpose := ""
	if c.k != nil {
		purpose = c.k.Purpose
	}
	a := access.Attr{
		"type": string(code), "holder": string(h), "purpose": purpose, "fields": names,
		"level": 1, "withheld": false, "unagreed": false, "tries": 0, "file": false,
	}
	t, err := c.typeOf(code)
	if err != nil || t == nil || c.k == nil {
		return a, err
	}
	a["level"], a["withheld"] = max(t.Level, 1), t.Sharing == catalog.NotShared
	if t.Consent {
		agreed, err := agreedTo(c.tx, c.k.ID, h, code)
		if err != nil {
			return nil, err
		}
		a["unagreed"] = !agreed
	}
	if compares {
		l, err := lookOf(c.tx, c.k.ID, h, code)
		if err != nil {
			return nil, err
		}
		a["tries"] = l.tries
	}
	return a, nil
}

// find lists the licenses of a type a party holds. What a party holds is read
// once for all the materials of a check.
func (s *Sharing) find(tx *store.Tx, held map[elicense.HolderKey][]*elicense.License, t elicense.TypeCode, party cases.Party) ([]Found, error) {
	lics, read := held[party.Holder]
	if !read {
		var err error
		if lics, err = tx.LicensesOf(party.Holder, ""); err != nil {
			return nil, unreadable(err)
		}
		held[party.Holder] = lics
	}
	var list []Found
	for _, l := range lics {
		if l.Type != t {
			continue
		}
		f, err := s.found(tx, l)
		if err != nil {
			return nil, err
		}
		f.Party = party.Place
		list = append(list, *f)
	}
	return list, nil
}

func (s *Sharing) found(tx *store.Tx, l *elicense.License) (*Found, error) {
	unit, err := org.UnitOf(tx, l.Issuer)
	if err != nil {
		return nil, unreadable(err)
	}
	var a verification.Answer
	a.State(l, s.now())
	return &Found{
		Type: l.Type, TypeName: l.TypeName, Issuer: unit.Name, Status: a.Status, Overlays: a.Overlays, ValidTo: l.ValidTo,
		AsOf: a.AsOf, Source: a.Source, Contact: a.Contact, Stale: a.Stale, Key: l.ID, seq: l.Seq, version: l.Standing.Version, overlays: l.Standing.Overlays,
	}, nil
}

// unitName returns the name of a unit, its code if it can't be read: for lists and
// notices.
func (s *Sharing) unitName(tx *store.Tx, code elicense.UnitCode) string {
	u, err := org.UnitOf(tx, code)
	if err != nil {
		return string(code)
	}
	return u.Name
}

func unreadable(cause error) error {
	return elicense.E(elicense.Unavailable, "现在读不到证照状态").Then("可先收件，恢复后再核对；不要因此要求群众交复印件").Because(cause)
}
