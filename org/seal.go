package org

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"elicense"
	"elicense/gm"
	"elicense/seal"
	"elicense/store"
)

// Seals is the register of electronic seals with their keys. The keys stand in
// an encrypted key store that this process holds: fit for a demo on one machine,
// not for service.
type Seals struct {
	DB   *store.DB
	Keys *gm.KeyStore
	Now  func() time.Time
	// Draw makes the picture of a unit's seal, an OFD package of one page, and
	// tells its diameter in mm. Nil where there are no fonts.
	Draw func(unit string) ([]byte, int, error)
}

// The names of the demo authority's keys and certificates.
const (
	rootName  = "root"
	makerName = "seal-maker"
)

// The terms of the demo authority's certificates and seals, in years.
const (
	rootYears = 20
	makeYears = 15
	unitYears = 5
)

// SealState is where a seal stands in the register.
type SealState string

// The states of a seal.
const (
	SealEnabled  SealState = "enabled"  // 启用
	SealDisabled SealState = "disabled" // 停用
)

// Seal is an entry of the register.
type Seal struct {
	ID      elicense.SealID
	Unit    elicense.UnitCode
	Name    string
	Key     string
	Cert    []byte // DER
	Content []byte // GB/T 38540 SESeal, DER
	State   SealState
	ValidTo time.Time
}

func (s *Seal) parts() [][]byte {
	return [][]byte{
		[]byte(s.Unit), []byte(s.Name), []byte(s.Key), s.Cert, s.Content, []byte(s.State), []byte(strconv.FormatInt(s.ValidTo.UnixMicro(), 10)),
	}
}

// InHand is a seal ready for use.
type InHand struct {
	ID     elicense.SealID
	Seal   *seal.Seal
	Signer gm.Signer
	Cert   *gm.Certificate
}

// Establish makes the demo's own authority if there is none: a root and a seal
// maker's certificate.
func (s *Seals) Establish(ctx context.Context) error {
	var there bool
	err := s.DB.View(ctx, func(tx *store.Tx) error {
		_, err := certificate(tx, makerName)
		there = err == nil
		if elicense.IsKind(err, elicense.NotFound) {
			return nil
		}
		return err
	})
	if err != nil || there {
		return err
	}
	from := s.Now().Add(-time.Hour)
	rootKey, err := s.key(rootName)
	if err != nil {
		return err
	}
	root, err := gm.NewRoot(rootKey, gm.Name{Unit: "演示电子印章认证机构", CommonName: "演示根证书"}, from, from.AddDate(rootYears, 0, 0))
	if err != nil {
		return fmt.Errorf("root certificate: %w", err)
	}
	makerKey, err := s.key(makerName)
	if err != nil {
		return err
	}
	authority := gm.Authority{Root: root, Key: rootKey}
	maker, err := authority.Issue(makerKey.Public(), gm.Name{Unit: "演示电子印章制作中心", CommonName: "演示制章人"}, from, from.AddDate(makeYears, 0, 0))
	if err != nil {
		return fmt.Errorf("seal maker's certificate: %w", err)
	}
	return s.DB.Update(ctx, func(tx *store.Tx) error {
		for name, c := range map[string]*gm.Certificate{rootName: root, makerName: maker} {
			_, err := tx.Exec(`INSERT INTO authority (name, certificate, mac) VALUES ($1, $2, $3)`, name, c.DER, tx.MAC("authority", name, c.DER))
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// key opens a key, making it if it is not there: a stop between making a key and
// noting its certificate leaves the key to be used the next time.
func (s *Seals) key(name string) (gm.Signer, error) {
	k, err := s.Keys.Open(name)
	if errors.Is(err, gm.ErrNoKey) {
		return s.Keys.Create(name)
	}
	return k, err
}

func certificate(tx *store.Tx, name string) (*gm.Certificate, error) {
	var der, mac []byte
	if err := tx.Row(`SELECT certificate, mac FROM authority WHERE name = $1`, name).Scan(&der, &mac); err != nil {
		return nil, err
	}
	if err := tx.CheckMAC(mac, "authority", name, der); err != nil {
		return nil, err
	}
	return gm.ParseCertificate(der)
}

// Roots returns the root certificates seals and signers must chain to.
func (s *Seals) Roots(ctx context.Context) (roots []*gm.Certificate, err error) {
	err = s.DB.View(ctx, func(tx *store.Tx) error {
		c, err := certificate(tx, rootName)
		if elicense.IsKind(err, elicense.NotFound) {
			return nil
		}
		roots = []*gm.Certificate{c}
		return err
	})
	return roots, err
}

// Make makes a unit's key, certificate and seal and enables it, unless it has
// an enabled one.
//
// Errors: Unavailable without fonts.
func (s *Seals) Make(ctx context.Context, unit elicense.UnitCode) error {
	if _, err := s.InHand(ctx, unit); err == nil || !elicense.IsKind(err, elicense.NotFound) {
		return err
	}
	if s.Draw == nil {
		return elicense.E(elicense.Unavailable, "字体缺失：这台机器没有中文字体，不能制作印章").Then("请管理员安装字体后重启")
	}
	var (
		u           *Unit
		root, maker *gm.Certificate
	)
	err := s.DB.View(ctx, func(tx *store.Tx) (err error) {
		if u, err = UnitOf(tx, unit); err != nil {
			return err
		}
		if root, err = certificate(tx, rootName); err != nil {
			return err
		}
		maker, err = certificate(tx, makerName)
		return err
	})
	if err != nil {
		return fmt.Errorf("seal of %s: %w", unit, err)
	}
	entry, err := s.make(u, root, maker)
	if err != nil {
		return fmt.Errorf("seal of %s: %w", unit, err)
	}
	return s.DB.Update(ctx, func(tx *store.Tx) error {
		entry.ID = elicense.NewID[elicense.SealID](tx.Now())
		_, err := tx.Exec(`INSERT INTO seal (id, unit, name, key_name, certificate, content, state, valid_to, created, mac)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
			entry.ID, entry.Unit, entry.Name, entry.Key, entry.Cert, entry.Content, entry.State, entry.ValidTo, tx.Now(),
			tx.MAC("seal", string(entry.ID), entry.parts()...))
		return err
	})
}

func (s *Seals) make(u *Unit, root, maker *gm.Certificate) (*Seal, error) {
	rootKey, err := s.Keys.Open(rootName)
	if err != nil {
		return nil, err
	}
	makerKey, err := s.Keys.Open(makerName)
	if err != nil {
		return nil, err
	}
	name := "unit-" + string(u.Code)
	key, err := s.key(name)
	if err != nil {
		return nil, err
	}
	from := s.Now().Add(-time.Minute).UTC().Truncate(time.Second)
	to := from.AddDate(unitYears, 0, 0)
	authority := gm.Authority{Root: root, Key: rootKey}
	cert, err := authority.Issue(key.Public(), gm.Name{Unit: u.Name, CommonName: u.Name}, from, to)
	if err != nil {
		return nil, err
	}
	picture, diameter, err := s.Draw(u.Name)
	if err != nil {
		return nil, err
	}
	made, err := seal.Make(seal.Spec{
		ID: string(u.Code) + "01", Vendor: "elicense", Type: 1, Name: u.Name, Signers: []*gm.Certificate{cert},
		Created: from, From: from, To: to, Picture: picture, W: diameter, H: diameter,
	}, makerKey, maker)
	if err != nil {
		return nil, err
	}
	return &Seal{
		Unit: u.Code, Name: u.Name + "电子印章", Key: name, Cert: cert.DER, Content: made.DER, State: SealEnabled, ValidTo: to,
	}, nil
}

// InHand returns the enabled seal of a unit, ready for use.
//
// Errors: NotFound if it has none; Unavailable if the register was changed or
// the seal or its certificate has run out.
func (s *Seals) InHand(ctx context.Context, unit elicense.UnitCode) (*InHand, error) {
	var entry *Seal
	err := s.DB.View(ctx, func(tx *store.Tx) error {
		list, err := seals(tx, `WHERE unit = $1 AND state = $2 ORDER BY created DESC LIMIT 1`, unit, SealEnabled)
		if err == nil && len(list) == 0 {
			return elicense.E(elicense.NotFound, "本单位没有启用的电子印章，不能签章").Then("请联系管理部门制发电子印章")
		}
		if err == nil {
			entry = list[0]
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if s.Now().After(entry.ValidTo) {
		return nil, elicense.E(elicense.Unavailable, "本单位的电子印章已经过期，不能签章").Then("请联系管理部门换发")
	}
	h := &InHand{ID: entry.ID}
	if h.Seal, err = seal.Parse(entry.Content); err != nil {
		return nil, fmt.Errorf("seal %s: %w", entry.ID, err)
	}
	if h.Cert, err = gm.ParseCertificate(entry.Cert); err != nil {
		return nil, fmt.Errorf("seal %s: %w", entry.ID, err)
	}
	if h.Signer, err = s.Keys.Open(entry.Key); err != nil {
		return nil, fmt.Errorf("seal %s: %w", entry.ID, err)
	}
	return h, nil
}

// All lists the register, of one unit if unit is given.
func (s *Seals) All(ctx context.Context, unit elicense.UnitCode) (list []*Seal, err error) {
	err = s.DB.View(ctx, func(tx *store.Tx) error {
		list, err = seals(tx, `WHERE ($1 = '' OR unit = $2) ORDER BY unit, created`, unit, unit)
		return err
	})
	return list, err
}

// SoonestEnd returns when the first enabled seal runs out; zero if there is none.
func (s *Seals) SoonestEnd(ctx context.Context) (end time.Time, err error) {
	err = s.DB.View(ctx, func(tx *store.Tx) error {
		return tx.Row(`SELECT MIN(valid_to) FROM seal WHERE state = $1`, SealEnabled).Scan(&end)
	})
	return end, err
}

func seals(tx *store.Tx, where string, args ...any) ([]*Seal, error) {
	rows, err := tx.Query(`SELECT id, unit, name, key_name, certificate, content, state, valid_to, mac FROM seal `+where, args...)
	if err != nil {
		return nil, err
	}
	var list []*Seal
	for rows.Next() {
		var e Seal
		var mac []byte
		if err := rows.Scan(&e.ID, &e.Unit, &e.Name, &e.Key, &e.Cert, &e.Content, &e.State, &e.ValidTo, &mac); err != nil {
			return nil, err
		}
		if err := tx.CheckMAC(mac, "seal", string(e.ID), e.parts()...); err != nil {
			return nil, err
		}
		list = append(list, &e)
	}
	return list, nil
}

// EachSeal reads every seal; f gets the error of one that is not as it was left.
func EachSeal(tx *store.Tx, f func(id string, err error) error) error {
	return store.EachID(tx, "seal", func(id string) error {
		_, err := seals(tx, `WHERE id = $1`, id)
		return f(id, err)
	})
}
