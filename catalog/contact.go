package catalog

import (
	"context"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"elicense"
	"elicense/access"
	"elicense/store"
)

// Contact is whom people ask about a type's licenses at an issuing unit: an office,
// not a person. It is public and takes effect at once (实时更新, Art. 6).
type Contact struct {
	Code    elicense.TypeCode
	Unit    elicense.UnitCode
	Office  string // a section or window
	Phone   string
	Address string
	Hours   string
	Changed time.Time
}

func (c *Contact) row() string { return string(c.Code) + "/" + string(c.Unit) }

func (c *Contact) parts() [][]byte {
	return [][]byte{[]byte(c.Office), []byte(c.Phone), []byte(c.Address), []byte(c.Hours), strconv.AppendInt(nil, c.Changed.UnixMicro(), 10)}
}

const maxContact = 60 // characters of each part

var phoneForm = regexp.MustCompile(`^[0-9][0-9 ()（）-]{3,28}(转[0-9]{1,6})?$`)

// SetContact says whom to ask at the actor's unit about the licenses of a type it
// issues.
//
// Errors: Invalid naming the field; Forbidden to who does not register types for a
// unit that issues it; NotFound.
func (c *Catalog) SetContact(ctx context.Context, actor *elicense.Actor, x Contact) error {
	x.Unit = actor.Unit
	x.Office, x.Phone, x.Address, x.Hours = strings.TrimSpace(x.Office), strings.TrimSpace(x.Phone), strings.TrimSpace(x.Address), strings.TrimSpace(x.Hours)
	build := func(tx *store.Tx) (access.Request, error) {
		unit := ""
		t, err := Current(tx, x.Code)
		if err == nil && t.Issued(actor.Unit) {
			unit = string(actor.Unit)
		} else if err != nil && !elicense.IsKind(err, elicense.NotFound) {
			return access.Request{}, err
		}
		return access.Request{
			Actor: actor, Act: access.TypePropose, On: access.Thing{Kind: "Type", ID: string(x.Code), Attr: access.Attr{"unit": unit}},
			Note: access.Note{LicenseType: noted(x.Code), Detail: map[string]string{"contact": "true"}},
		}, nil
	}
	return c.guard.Write(ctx, build, func(tx *store.Tx, _ *access.Permit) error {
		bad := func(field, text string, args ...any) error {
			return elicense.E(elicense.Invalid, text, args...).At(field).Under("第六条")
		}
		fits := func(s string) bool { return utf8.RuneCountInString(s) <= maxContact }
		switch {
		case x.Office == "" || !fits(x.Office):
			return bad("office", "要写联系的科室或窗口，最多%d个字", maxContact)
		case !phoneForm.MatchString(x.Phone):
			return bad("phone", "要写办公电话，例如0591-12345678转101")
		case !fits(x.Address):
			return bad("address", "地址最多%d个字", maxContact)
		case !fits(x.Hours):
			return bad("hours", "时间最多%d个字", maxContact)
		}
		x.Changed = tx.Now()
		_, err := tx.Exec(`INSERT INTO type_contact (code, unit, office, phone, address, hours, changed, mac) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (code, unit) DO UPDATE SET office = excluded.office, phone = excluded.phone, address = excluded.address, hours = excluded.hours,
			changed = excluded.changed, mac = excluded.mac`,
			x.Code, x.Unit, x.Office, x.Phone, x.Address, x.Hours, x.Changed, tx.MAC("type_contact", x.row(), x.parts()...))
		return err
	})
}

// Contacts lists whom to ask about a type's licenses, by unit.
func (c *Catalog) Contacts(ctx context.Context, code elicense.TypeCode) (list []Contact, err error) {
	err = c.db.View(ctx, func(tx *store.Tx) error {
		list, err = contacts(tx, `WHERE code = $1 ORDER BY unit`, code)
		return err
	})
	return list, err
}

func contacts(tx *store.Tx, where string, args ...any) ([]Contact, error) {
	return store.All(tx, func(r *store.Rows) (Contact, error) {
		var x Contact
		var mac []byte
		if err := r.Scan(&x.Code, &x.Unit, &x.Office, &x.Phone, &x.Address, &x.Hours, &x.Changed, &mac); err != nil {
			return x, err
		}
		return x, tx.CheckMAC(mac, "type_contact", x.row(), x.parts()...)
	}, `SELECT code, unit, office, phone, address, hours, changed, mac FROM type_contact `+where, args...)
}

// EachContact reads every contact; f gets the error of one that is not as it was
// left.
func EachContact(tx *store.Tx, f func(id string, err error) error) error {
	type key struct{ code, unit string }
	all, err := store.All(tx, func(r *store.Rows) (k key, err error) { return k, r.Scan(&k.code, &k.unit) }, `SELECT code, unit FROM type_contact ORDER BY code, unit`)
	if err != nil {
		return err
	}
	for _, k := range all {
		_, err := contacts(tx, `WHERE code = $1 AND unit = $2`, k.code, k.unit)
		if err := f(k.code+"/"+k.unit, err); err != nil {
			return err
		}
	}
	return nil
}
