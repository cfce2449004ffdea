package catalog

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"elicense"
	"elicense/access"
	"elicense/store"
)

// Origin is where the licenses of a type come from at one unit: the same type can
// come back from a national system here and be made by the unit there.
type Origin string

// The origins.
const (
	FromNation  Origin = "national" // made by a national system, kept as references (Art. 7(1))
	ByMinistry  Origin = "ministry" // made here by a ministry's standard
	MadeLocally Origin = "local"    // made here by the type's own face

	// AsRegistered is of a unit whose own origin was taken back: the type decides.
	AsRegistered Origin = ""
)

var originWords = map[Origin]string{FromNation: "国家制作", ByMinistry: "按部委标准制作", MadeLocally: "本地制作"}

// Chinese returns the word shown to people, "" for an unknown origin.
func (o Origin) Chinese() string { return originWords[o] }

// Origins lists the origins in the order of the form.
func Origins() []Origin { return []Origin{FromNation, ByMinistry, MadeLocally} }

// UnitMode is how a unit's licenses of a type are made, where the type leaves it to
// the unit.
type UnitMode struct {
	Code    elicense.TypeCode
	Unit    elicense.UnitCode
	Origin  Origin
	Reason  string
	Basis   string // the national rule, the ministry's standard, or the local document
	Changed time.Time
}

func (m *UnitMode) row() string { return string(m.Code) + "/" + string(m.Unit) }

func (m *UnitMode) parts() [][]byte {
	return [][]byte{[]byte(m.Origin), []byte(m.Reason), []byte(m.Basis), []byte(strconv.FormatInt(m.Changed.UnixMicro(), 10))}
}

func unitModes(tx *store.Tx, where string, args ...any) ([]*UnitMode, error) {
	return store.All(tx, func(r *store.Rows) (*UnitMode, error) {
		var m UnitMode
		var mac []byte
		if err := r.Scan(&m.Code, &m.Unit, &m.Origin, &m.Reason, &m.Basis, &m.Changed, &mac); err != nil {
			return nil, err
		}
		return &m, tx.CheckMAC(mac, "type_mode", m.row(), m.parts()...)
	}, `SELECT code, unit, origin, reason, basis, changed, mac FROM type_mode `+where, args...)
}

// ModeFor returns how licenses of the type are made at the unit: as set for it, or as
// the type says where nothing is set or it was taken back.
func ModeFor(tx *store.Tx, t *Type, unit elicense.UnitCode) (Mode, error) {
	list, err := unitModes(tx, `WHERE code = $1 AND unit = $2`, t.Code, unit)
	switch {
	case err != nil || len(list) == 0 || list[0].Origin == AsRegistered:
		return t.Mode, err
	case list[0].Origin == FromNation:
		return National, nil
	case t.Mode.Made():
		return t.Mode, nil
	}
	return Online, nil
}

// MadeBy lists the types in force whose licenses a unit makes here. Their Mode is that
// of the unit, which may be another than the type's: they are copies, to be shown.
func MadeBy(tx *store.Tx, unit elicense.UnitCode) (list []*Type, err error) {
	all, err := Issuing(tx, unit)
	for _, t := range all {
		one := *t
		if one.Mode, err = ModeFor(tx, t, unit); err != nil {
			return nil, err
		}
		if one.Mode.Made() && one.Face != nil {
			list = append(list, &one)
		}
	}
	return list, err
}

// MadeBy is the function of that name for pages.
func (c *Catalog) MadeBy(ctx context.Context, unit elicense.UnitCode) (list []*Type, err error) {
	err = c.db.View(ctx, func(tx *store.Tx) error {
		list, err = MadeBy(tx, unit)
		return err
	})
	return list, err
}

// maxReason bounds a reason and a basis in characters.
const maxReason = 200

// SetMode sets how an issuing unit's licenses of a type are made from now on. It is
// the act of the unit that registers the type.
//
// Errors: Invalid naming the field; Forbidden; NotFound; Conflict for a type without
// a face that is to be made here.
func (c *Catalog) SetMode(ctx context.Context, actor *elicense.Actor, m UnitMode) error {
	m.trim()
	build := func(tx *store.Tx) (access.Request, error) {
		unit := elicense.UnitCode("")
		t, err := Current(tx, m.Code)
		if err == nil {
			unit = t.Unit
		} else if !elicense.IsKind(err, elicense.NotFound) {
			return access.Request{}, err
		}
		return access.Request{
			Actor: actor, Act: access.TypePropose,
			On:   access.Thing{Kind: "Type", ID: string(m.Code), Attr: access.Attr{"unit": string(unit)}},
			Note: access.Note{LicenseType: noted(m.Code), Detail: map[string]string{"mode": "true"}},
		}, nil
	}
	return c.guard.Write(ctx, build, func(tx *store.Tx, p *access.Permit) error {
		t, err := Current(tx, m.Code)
		if err != nil {
			return err
		}
		if err := m.check(t); err != nil {
			return err
		}
		p.Note.Detail = map[string]string{"mode": string(m.Origin), "unit": string(m.Unit)}
		return m.put(tx)
	})
}

func (m *UnitMode) trim() {
	m.Reason, m.Basis = strings.TrimSpace(m.Reason), strings.TrimSpace(m.Basis)
}

// check tells what keeps the licenses of the type from being made so at the unit.
func (m *UnitMode) check(t *Type) error {
	bad := func(field, text string, args ...any) error {
		return elicense.E(elicense.Invalid, text, args...).At(field).Under("第七条第一款")
	}
	fits := func(s string) bool { return s != "" && utf8.RuneCountInString(s) <= maxReason }
	switch {
	case !t.Issued(m.Unit):
		return bad("unitCode", "这个单位不是这类证照的签发单位")
	case m.Origin != FromNation && m.Origin != ByMinistry && m.Origin != MadeLocally:
		return bad("origin", "要选择国家制作、按部委标准制作或本地制作")
	case !fits(m.Reason):
		return bad("reason", "要写理由，最多%d个字", maxReason)
	case !fits(m.Basis):
		return bad("basis", "要写国家规范、部委标准或本地文件，最多%d个字", maxReason)
	case m.Origin != FromNation && t.Face == nil:
		return elicense.E(elicense.Conflict, "这类证照没有照面模板，不能在本平台制作").Under("第六条第四项").Then("请先登记有照面的新版本")
	}
	return nil
}

// put writes how the unit makes the type, from now on.
func (m *UnitMode) put(tx *store.Tx) error {
	m.Changed = tx.Now()
	_, err := tx.Exec(`INSERT INTO type_mode (code, unit, origin, reason, basis, changed, mac) VALUES ($1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (code, unit) DO UPDATE SET origin = excluded.origin, reason = excluded.reason, basis = excluded.basis, changed = excluded.changed, mac = excluded.mac`,
		m.Code, m.Unit, string(m.Origin), m.Reason, m.Basis, m.Changed, tx.MAC("type_mode", m.row(), m.parts()...))
	return err
}

// EachMode reads every mode of a unit; f gets the error of one that is not as it
// was left.
func EachMode(tx *store.Tx, f func(id string, err error) error) error {
	type key struct {
		code elicense.TypeCode
		unit elicense.UnitCode
	}
	all, err := store.All(tx, func(r *store.Rows) (k key, err error) {
		err = r.Scan(&k.code, &k.unit)
		return k, err
	}, `SELECT code, unit FROM type_mode ORDER BY code, unit`)
	if err != nil {
		return err
	}
	for _, k := range all {
		_, err := unitModes(tx, `WHERE code = $1 AND unit = $2`, k.code, k.unit)
		if err := f(fmt.Sprintf("%s/%s", k.code, k.unit), err); err != nil {
			return err
		}
	}
	return nil
}
