package ontime

import (
	"context"
	"strconv"
	"time"

	"elicense"
	"elicense/access"
	"elicense/store"
)

// Art. 7(1) asks for licenses as the case closes (同步生成) and names no minutes. Each
// unit says within how many it makes them, and the share that was is told beside the
// share on time.
const (
	// DefaultMinutes holds for a unit that says nothing.
	DefaultMinutes = 5
	// MaxMinutes bounds what a unit may say.
	MaxMinutes = 60
)

// Setting is within how many minutes of closing a unit says it makes licenses online.
// They are published the same day, as Art. 7 asks anyway.
type Setting struct {
	Unit    elicense.UnitCode
	Minutes int
	Name    string    // of who set it; empty for the default
	Changed time.Time // zero for the default
}

func (s *Setting) parts() [][]byte {
	return [][]byte{[]byte(strconv.Itoa(s.Minutes)), []byte(s.Name), micros(s.Changed)}
}

func settings(tx *store.Tx, where string, args ...any) ([]*Setting, error) {
	return store.All(tx, func(r *store.Rows) (*Setting, error) {
		var s Setting
		var mac []byte
		if err := r.Scan(&s.Unit, &s.Minutes, &s.Name, &s.Changed, &mac); err != nil {
			return nil, err
		}
		return &s, tx.CheckMAC(mac, "sync_setting", string(s.Unit), s.parts()...)
	}, `SELECT unit, minutes, name, changed, mac FROM sync_setting `+where, args...)
}

func settingOf(tx *store.Tx, unit elicense.UnitCode) (*Setting, error) {
	list, err := settings(tx, `WHERE unit = $1`, unit)
	if err != nil || len(list) == 0 {
		return &Setting{Unit: unit, Minutes: DefaultMinutes}, err
	}
	return list[0], nil
}

func minutesOf(tx *store.Tx, unit elicense.UnitCode) (int, error) {
	s, err := settingOf(tx, unit)
	return s.Minutes, err
}

// Setting returns what a unit says. Anyone may know it.
func (l *Ledger) Setting(ctx context.Context, unit elicense.UnitCode) (s *Setting, err error) {
	err = l.DB.View(ctx, func(tx *store.Tx) error {
		s, err = settingOf(tx, unit)
		return err
	})
	return s, err
}

// Set says within how many minutes the actor's unit makes licenses.
//
// Errors: Invalid for a number out of bounds; Forbidden.
func (l *Ledger) Set(ctx context.Context, actor *elicense.Actor, minutes int) error {
	if minutes < 1 || minutes > MaxMinutes {
		return elicense.E(elicense.Invalid, "要在1到%d分钟之间", MaxMinutes).At("minutes").Under("第七条第一款")
	}
	return l.Guard.Write(ctx, request(actor, access.OnTimeSet, actor.Unit, map[string]string{"minutes": strconv.Itoa(minutes)}), func(tx *store.Tx, _ *access.Permit) error {
		s := &Setting{Unit: actor.Unit, Minutes: minutes, Name: actor.Name, Changed: tx.Now()}
		_, err := tx.Exec(`INSERT INTO sync_setting (unit, minutes, name, changed, mac) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (unit) DO UPDATE SET minutes = excluded.minutes, name = excluded.name, changed = excluded.changed, mac = excluded.mac`,
			s.Unit, s.Minutes, s.Name, s.Changed, tx.MAC("sync_setting", string(s.Unit), s.parts()...))
		return err
	})
}

// EachSetting reads every setting; f gets the error of one that is not as it was left.
func EachSetting(tx *store.Tx, f func(id string, err error) error) error {
	units, err := store.All(tx, func(r *store.Rows) (unit string, err error) {
		err = r.Scan(&unit)
		return unit, err
	}, `SELECT unit FROM sync_setting ORDER BY unit`)
	if err != nil {
		return err
	}
	for _, u := range units {
		_, err := settings(tx, `WHERE unit = $1`, u)
		if err := f(u, err); err != nil {
			return err
		}
	}
	return nil
}
