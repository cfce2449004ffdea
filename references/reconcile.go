package references

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"regexp"
	"sort"
	"strings"
	"time"

	"elicense"
	"elicense/access"
	"elicense/catalog"
	"elicense/gm"
	"elicense/store"
)

// Statement is what a source says it has of one type: how many, and a digest over
// them; of one day of issue, or of all days. With a list, what differs is named.
type Statement struct {
	Type   elicense.TypeCode `json:"type"`
	Day    elicense.Date     `json:"day,omitempty"` // of issue; empty is all
	Count  int               `json:"count"`
	Digest string            `json:"digest"` // see Total
	List   []Listed          `json:"list,omitempty"`
}

// Listed is a license in a statement.
type Listed struct {
	Number      string `json:"number"`      // of its face; of a type whose face has none, the code of its first holder
	Fingerprint string `json:"fingerprint"` // of its Row
}

// Total is the digest of licenses with these fingerprints: SM3, in hexadecimal, of the
// fingerprints, sorted, each followed by a line end.
func Total(fingerprints []string) string {
	sorted := append([]string(nil), fingerprints...)
	sort.Strings(sorted)
	h := gm.NewHash()
	for _, f := range sorted {
		h.Write([]byte(f + "\n"))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// DifferenceKind is how what a source has and what is here are not the same.
type DifferenceKind string

// The kinds of difference.
const (
	Missing   DifferenceKind = "missing"   // 平台缺少
	Extra     DifferenceKind = "extra"     // 平台多出
	Differing DifferenceKind = "differing" // 内容不同
	Totals    DifferenceKind = "totals"    // 数量或摘要不同: the source gave no list
)

var differenceWords = map[DifferenceKind]string{Missing: "平台缺少", Extra: "平台多出", Differing: "内容不同", Totals: "总数或摘要不同"}

// Chinese returns the word shown to people.
func (k DifferenceKind) Chinese() string { return differenceWords[k] }

// Difference is one that a statement showed. It closes itself when a later statement
// shows it no more.
type Difference struct {
	ID         string
	Source     string
	SourceName string
	Unit       elicense.UnitCode
	Type       elicense.TypeCode
	TypeName   string
	Day        elicense.Date // of issue the statement was for; empty for all
	Kind       DifferenceKind
	License    elicense.LicenseID // that is here; empty of Missing and Totals
	Number     string
	Theirs     int // of Totals: how many
	Ours       int
	Found      time.Time
	Seen       time.Time // in the last statement that showed it
	Closed     time.Time // zero while it is open
}

func (d *Difference) parts() [][]byte {
	p := parts(d.Source, string(d.Unit), string(d.Type), string(d.Day), string(d.Kind), string(d.License), d.Number, fmt.Sprint(d.Theirs, d.Ours))
	return append(p, micros(d.Found), micros(d.Seen), micros(d.Closed))
}

func differences(tx *store.Tx, where string, args ...any) ([]*Difference, error) {
	return store.All(tx, func(r *store.Rows) (*Difference, error) {
		var d Difference
		var number, mac []byte
		err := r.Scan(&d.ID, &d.Source, &d.Unit, &d.Type, &d.Day, &d.Kind, &d.License, &number, &d.Theirs, &d.Ours, &d.Found, &d.Seen, &d.Closed, &mac)
		if err != nil {
			return nil, err
		}
		if number, err = tx.Decrypt("ref_difference", d.ID, "number_enc", number); err != nil {
			return nil, err
		}
		d.Number = string(number)
		return &d, tx.CheckMAC(mac, "ref_difference", d.ID, d.parts()...)
	}, `SELECT id, source, unit, type, day, kind, license, number_enc, theirs, ours, found, seen, closed, mac FROM ref_difference `+where, args...)
}

func (d *Difference) put(tx *store.Tx) error {
	_, err := tx.Exec(`INSERT INTO ref_difference (id, source, unit, type, day, kind, license, number_enc, theirs, ours, found, seen, closed, mac)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
		ON CONFLICT (id) DO UPDATE SET theirs = excluded.theirs, ours = excluded.ours, seen = excluded.seen, closed = excluded.closed, mac = excluded.mac`,
		d.ID, d.Source, d.Unit, d.Type, d.Day, d.Kind, d.License, tx.Encrypt("ref_difference", d.ID, "number_enc", []byte(d.Number)), d.Theirs, d.Ours, d.Found, d.Seen, d.Closed,
		tx.MAC("ref_difference", d.ID, d.parts()...))
	return err
}

func (d *Difference) same(o *Difference) bool {
	return d.Kind == o.Kind && d.License == o.License && d.Number == o.Number
}

var fingerprintForm = regexp.MustCompile(`^[0-9a-f]{64}$`)

// here is a reference of the source as reconciliation compares it.
type here struct {
	id          elicense.LicenseID
	fingerprint string
}

// reconcile compares a statement with what is here, opens what differs and closes what
// no longer does.
func (s *Source) reconcile(tx *store.Tx, st *Statement) error {
	bad := func(text string) error {
		return elicense.E(elicense.Invalid, "%s", text).At("statement").Under("第十四条")
	}
	switch {
	case !s.returns(st.Type):
		return bad("对账的类别不是这个来源系统回传的")
	case !fingerprintForm.MatchString(st.Digest) || st.Count < 0 || len(st.List) > MaxRows || st.List != nil && len(st.List) != st.Count:
		return bad("对账单的格式不对")
	}
	if st.Day != "" {
		if _, err := elicense.ParseDate(string(st.Day)); err != nil {
			return bad("对账的日期不对")
		}
	}
	t, err := catalog.Current(tx, st.Type)
	if err != nil {
		return err
	}
	ours, err := s.ours(tx, t, st.Day)
	if err != nil {
		return err
	}
	found, err := st.compare(tx, s, t, ours)
	if err != nil {
		return err
	}
	open, err := differences(tx, `WHERE source = $1 AND type = $2 AND day = $3 AND closed IS NULL`, s.ID, st.Type, st.Day)
	if err != nil {
		return err
	}
	now, still := tx.Now(), map[string]bool{}
	for _, d := range found {
		known := false
		for _, o := range open {
			if o.same(d) {
				o.Theirs, o.Ours, o.Seen, known, still[o.ID] = d.Theirs, d.Ours, now, true, true
			}
		}
		if !known {
			d.ID, d.Source, d.Unit, d.Type, d.Day, d.Found, d.Seen = elicense.NewID[string](now), s.ID, s.Unit, st.Type, st.Day, now, now
			still[d.ID] = true
			open = append(open, d)
		}
	}
	for _, o := range open {
		if !still[o.ID] {
			o.Closed = now
		}
		if err := o.put(tx); err != nil {
			return err
		}
	}
	return nil
}

// ours are the references the source answers for, by their number.
func (s *Source) ours(tx *store.Tx, t *catalog.Type, day elicense.Date) (map[string]here, error) {
	list, err := keptRows(tx, `WHERE source = $1 AND type = $2 ORDER BY license`, s.ID, t.Code)
	if err != nil {
		return nil, err
	}
	ours := map[string]here{}
	for _, k := range list {
		lic, err := tx.License(k.license)
		if err != nil {
			return nil, err
		}
		w, err := rowOf(tx, lic)
		if err != nil {
			return nil, err
		}
		if day == "" || w.IssuedOn == day {
			ours[w.number(t)] = here{lic.ID, w.Fingerprint()} // of one holder's, the last
		}
	}
	return ours, nil
}

func (st *Statement) compare(tx *store.Tx, s *Source, t *catalog.Type, ours map[string]here) ([]*Difference, error) {
	prints := make([]string, 0, len(ours))
	for _, h := range ours {
		prints = append(prints, h.fingerprint)
	}
	if st.Count == len(ours) && st.Digest == Total(prints) {
		return nil, nil
	}
	if st.List == nil {
		return []*Difference{{Kind: Totals, Theirs: st.Count, Ours: len(ours)}}, nil
	}
	var found []*Difference
	seen := map[string]bool{}
	theirs := make([]string, 0, len(st.List))
	for _, l := range st.List {
		l.Number = strings.TrimSpace(l.Number)
		if l.Number == "" || !fingerprintForm.MatchString(l.Fingerprint) || seen[l.Number] {
			return nil, elicense.E(elicense.Invalid, "对账清单里有空的、重复的编号，或摘要不对").At("statement").Under("第十四条")
		}
		seen[l.Number] = true
		theirs = append(theirs, l.Fingerprint)
		h, ok := ours[l.Number]
		switch {
		case !ok:
			found = append(found, &Difference{Kind: Missing, Number: l.Number})
		case h.fingerprint != l.Fingerprint:
			found = append(found, &Difference{Kind: Differing, Number: l.Number, License: h.id})
		}
	}
	if Total(theirs) != st.Digest {
		return nil, elicense.E(elicense.Invalid, "对账清单和它的摘要不合").At("statement").Under("第十四条")
	}
	for number, h := range ours {
		if !seen[number] {
			found = append(found, &Difference{Kind: Extra, Number: number, License: h.id})
		}
	}
	sort.Slice(found, func(i, j int) bool { return found[i].Number < found[j].Number })
	return found, nil
}

// Differences lists the open differences of the actor's unit, the oldest first.
//
// Errors: Forbidden.
func (r *References) Differences(ctx context.Context, actor *elicense.Actor, limit int) ([]*Difference, error) {
	list, _, err := access.Get(ctx, r.Guard, request(actor, access.ReferenceRows, actor.Unit, map[string]string{"list": "differences"}), func(tx *store.Tx, _ *access.Permit) ([]*Difference, error) {
		list, err := differences(tx, `WHERE unit = $1 AND closed IS NULL ORDER BY found, id LIMIT $2`, actor.Unit, limit)
		for _, d := range list {
			s, err := sourceOf(tx, d.Source)
			if err != nil {
				return nil, err
			}
			t, err := catalog.Current(tx, d.Type)
			if err != nil {
				return nil, err
			}
			d.SourceName, d.TypeName = s.Name, t.Name
		}
		return list, err
	})
	return list, err
}

// Each… read every row of a kind; f gets the error of one that is not as it was left.

// EachSource reads the sources.
func EachSource(tx *store.Tx, f func(id string, err error) error) error {
	return store.EachID(tx, "ref_source", func(id string) error {
		_, err := sources(tx, `WHERE id = $1`, id)
		return f(id, err)
	})
}

// EachDelivery reads the deliveries: one that is ended has all its rows accounted for.
func EachDelivery(tx *store.Tx, f func(id string, err error) error) error {
	return store.EachID(tx, "ref_delivery", func(id string) error {
		list, err := deliveries(tx, `WHERE id = $1`, id)
		if err == nil && len(list) > 0 {
			d := list[0]
			if d.State != Refused && d.Taken != d.New+d.Changed+d.Moved+d.Same+d.Bad || d.State == Taken && d.Taken != d.Rows || len(d.BadRows) != d.Bad {
				err = errors.New("its rows are not accounted for")
			}
		}
		return f(id, err)
	})
}

// EachKept reads what sources answer for.
func EachKept(tx *store.Tx, f func(id string, err error) error) error {
	ids, err := store.All(tx, func(r *store.Rows) (id string, err error) {
		err = r.Scan(&id)
		return id, err
	}, `SELECT license FROM ref_kept ORDER BY license`)
	if err != nil {
		return err
	}
	for _, id := range ids {
		k, err := keptRows(tx, `WHERE license = $1`, id)
		if err == nil {
			var lic *elicense.License
			lic, err = tx.License(elicense.LicenseID(id))
			if err == nil && (!lic.Reference || lic.Owner != k[0].owner || lic.Issuer != k[0].unit || lic.Type != k[0].typ) {
				err = errors.New("it is not the reference it says")
			}
		}
		if err := f(id, err); err != nil {
			return err
		}
	}
	return nil
}

// EachDifference reads the differences.
func EachDifference(tx *store.Tx, f func(id string, err error) error) error {
	return store.EachID(tx, "ref_difference", func(id string) error {
		_, err := differences(tx, `WHERE id = $1`, id)
		return f(id, err)
	})
}

// EachAwaited reads what is awaited.
func EachAwaited(tx *store.Tx, f func(id string, err error) error) error {
	return store.EachID(tx, "ref_awaited", func(id string) error {
		_, err := awaits(tx, `WHERE id = $1`, id)
		return f(id, err)
	})
}
