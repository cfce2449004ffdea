package registry

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"time"

	"elicense"
	"elicense/store"
)

// Subject is what was compared for: a draft of a unit.
type Subject struct {
	ID    string
	Unit  elicense.UnitCode
	First bool // nothing is kept for it yet
}

// row is a comparison as it is kept.
type row struct {
	Comparison
	Subject
	id      string
	attempt int
	stands  bool
}

func (r *row) fields() (string, error) {
	if len(r.Fields) == 0 {
		return "[]", nil
	}
	b, err := json.Marshal(r.Fields)
	return string(b), err
}

func (r *row) mac(tx *store.Tx, fields string) *store.Code {
	return tx.MAC("comparison", r.id, r.parts(fields)...)
}

func (r *row) parts(fields string) [][]byte {
	return [][]byte{
		[]byte(r.Asked), []byte(r.Subject.ID), []byte(r.Unit), []byte(strconv.Itoa(r.attempt)), []byte(r.Outcome), []byte(fields), []byte(r.Request),
		[]byte(strconv.FormatInt(r.Took.Milliseconds(), 10)), []byte(strconv.FormatInt(r.At.UnixMicro(), 10)), []byte(strconv.FormatBool(r.stands)),
	}
}

// Keep writes down what came of comparing for a subject, one comparison a holder,
// in the transaction of what rests on it. Those before stand no longer.
func Keep(tx *store.Tx, s Subject, list []Comparison) error {
	attempt := 0
	if !s.First {
		if err := tx.Row(`SELECT COALESCE(MAX(attempt), 0) FROM comparison WHERE subject = $1`, s.ID).Scan(&attempt); err != nil {
			return err
		}
		if err := Settle(tx, s.ID); err != nil {
			return err
		}
	}
	for _, c := range list {
		r := row{Comparison: c, Subject: s, id: c.ID, attempt: attempt + 1, stands: true}
		fields, err := r.fields()
		if err != nil {
			return fmt.Errorf("comparison: %w", err)
		}
		_, err = tx.Exec(`INSERT INTO comparison (id, registry, subject, unit, attempt, outcome, fields, request, took, at, stands, mac)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, TRUE, $11)`,
			r.id, r.Asked, s.ID, s.Unit, r.attempt, r.Outcome, fields, r.Request, r.Took.Milliseconds(), r.At, r.mac(tx, fields))
		if err != nil {
			return err
		}
	}
	return nil
}

// Settle has no comparison of the subject stand: what it found is dealt with, or
// the subject is gone.
func Settle(tx *store.Tx, subject string) error {
	list, err := rows(tx, `WHERE subject = $1 AND stands`, subject)
	if err != nil {
		return err
	}
	for _, r := range list {
		r.stands = false
		fields, err := r.fields()
		if err != nil {
			return fmt.Errorf("comparison: %w", err)
		}
		if _, err := tx.Exec(`UPDATE comparison SET stands = FALSE, mac = $1 WHERE id = $2`, r.mac(tx, fields), r.id); err != nil {
			return err
		}
	}
	return nil
}

// OpenOf lists the subjects of a unit whose holders a registry says are not as
// they say, the longest open first, at most limit.
func OpenOf(tx *store.Tx, unit elicense.UnitCode, limit int) ([]string, error) {
	return subjects(tx, `WHERE unit = $1 AND stands AND outcome IN ('mismatch', 'not-found') ORDER BY at, id LIMIT $2`, unit, limit)
}

// WaitingOf lists the subjects of a unit no registry has answered about, the longest
// waiting first, at most limit.
func WaitingOf(tx *store.Tx, unit elicense.UnitCode, limit int) ([]string, error) {
	return subjects(tx, `WHERE unit = $1 AND stands AND outcome = 'unavailable' ORDER BY at, id LIMIT $2`, unit, limit)
}

func subjects(tx *store.Tx, where string, args ...any) (list []string, err error) {
	found, err := rows(tx, where, args...)
	for _, r := range found {
		if !slices.Contains(list, r.Subject.ID) {
			list = append(list, r.Subject.ID)
		}
	}
	return list, err
}

// Kept tells whether a comparison is kept as its subject says it came out.
func Kept(tx *store.Tx, subject string, c Comparison) (bool, error) {
	list, err := rows(tx, `WHERE id = $1`, c.ID)
	if err != nil || len(list) == 0 {
		return false, err
	}
	return list[0].Subject.ID == subject && list[0].Outcome == c.Outcome, nil
}

// Each reads every comparison; f gets the error of one that is not as it was left.
func Each(tx *store.Tx, f func(id string, err error) error) error {
	return store.EachID(tx, "comparison", func(id string) error {
		_, err := rows(tx, `WHERE id = $1`, id)
		return f(id, err)
	})
}

func rows(tx *store.Tx, where string, args ...any) (list []*row, err error) {
	found, err := tx.Query(`SELECT id, registry, subject, unit, attempt, outcome, fields, request, took, at, stands, mac FROM comparison `+where, args...)
	if err != nil {
		return nil, err
	}
	for found.Next() {
		var r row
		var fields string
		var took int64
		var mac []byte
		err := found.Scan(&r.id, &r.Asked, &r.Subject.ID, &r.Unit, &r.attempt, &r.Outcome, &fields, &r.Request, &took, &r.At, &r.stands, &mac)
		if err != nil {
			return nil, err
		}
		r.Took = time.Duration(took) * time.Millisecond
		if err := tx.CheckMAC(mac, "comparison", r.id, r.parts(fields)...); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(fields), &r.Fields); err != nil {
			return nil, fmt.Errorf("comparison %s: %w", r.id, err)
		}
		list = append(list, &r)
	}
	return list, nil
}
