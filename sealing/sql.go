package sealing

import (
	"strconv"
	"time"

	"elicense"
	"elicense/gm"
	"elicense/store"
)

const columns = `SELECT id, unit, name, line, key_name, certificate, content, state, source, valid_to, applicant, remark, created, seq, mac FROM seal `

func seals(tx *store.Tx, where string, args ...any) ([]*Seal, error) {
	rows, err := tx.Query(columns+where, args...)
	if err != nil {
		return nil, err
	}
	var list []*Seal
	for rows.Next() {
		var e Seal
		var mac []byte
		err := rows.Scan(&e.ID, &e.Unit, &e.Name, &e.Line, &e.Key, &e.Cert, &e.Content, &e.State, &e.Source, &e.ValidTo, &e.Applicant,
			&e.Remark, &e.Created, &e.seq, &mac)
		if err != nil {
			return nil, err
		}
		if err := tx.CheckMAC(mac, "seal", string(e.ID), e.parts()...); err != nil {
			return nil, err
		}
		list = append(list, &e)
	}
	return list, nil
}

func of(tx *store.Tx, id elicense.SealID) (*Seal, error) {
	list, err := seals(tx, `WHERE id = $1`, id)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, elicense.E(elicense.NotFound, "没有这个印章").Then("请从印章登记里打开").Because(store.ErrNoRow)
	}
	return list[0], nil
}

func insert(tx *store.Tx, e *Seal) error {
	e.seq = 1
	if e.Cert == nil {
		e.Cert, e.Content = []byte{}, []byte{}
	}
	_, err := tx.Exec(`INSERT INTO seal (id, unit, name, line, key_name, certificate, content, state, source, valid_to, applicant, remark, created, seq, mac)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)`,
		e.ID, e.Unit, e.Name, e.Line, e.Key, e.Cert, e.Content, e.State, e.Source, e.ValidTo, e.Applicant, e.Remark, e.Created, e.seq,
		tx.MAC("seal", string(e.ID), e.parts()...))
	return err
}

func update(tx *store.Tx, e *Seal) error {
	e.seq++
	n, err := tx.Exec(`UPDATE seal SET key_name = $1, certificate = $2, content = $3, state = $4, valid_to = $5, remark = $6, seq = $7, mac = $8
		WHERE id = $9 AND seq = $10`,
		e.Key, e.Cert, e.Content, e.State, e.ValidTo, e.Remark, e.seq, tx.MAC("seal", string(e.ID), e.parts()...), e.ID, e.seq-1)
	if err == nil && n == 0 {
		return elicense.E(elicense.Conflict, "这枚印章刚刚有人办过").Then("请刷新后核对")
	}
	return err
}

// happen writes a step of a seal's course.
func happen(tx *store.Tx, actor *elicense.Actor, e *Seal) error {
	at := tx.Now()
	_, err := tx.Exec(`INSERT INTO seal_event (seal, seq, state, account, name, remark, happened, mac) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		e.ID, e.seq, e.State, actor.Account, actor.Name, e.Remark, at,
		tx.MAC("seal_event", eventRow(e.ID, e.seq), eventParts(e.State, actor.Account, actor.Name, e.Remark, at)...))
	return err
}

func eventRow(id elicense.SealID, seq int64) string {
	return string(id) + "/" + strconv.FormatInt(seq, 10)
}

func eventParts(s State, account elicense.AccountID, name, remark string, at time.Time) [][]byte {
	return [][]byte{[]byte(s), []byte(account), []byte(name), []byte(remark), []byte(strconv.FormatInt(at.UnixMicro(), 10))}
}

func events(tx *store.Tx, id elicense.SealID) (list []Event, err error) {
	rows, err := tx.Query(`SELECT seq, state, account, name, remark, happened, mac FROM seal_event WHERE seal = $1 ORDER BY seq`, id)
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		var (
			e       Event
			seq     int64
			account elicense.AccountID
			mac     []byte
		)
		if err := rows.Scan(&seq, &e.State, &account, &e.Name, &e.Remark, &e.Happened, &mac); err != nil {
			return nil, err
		}
		if err := tx.CheckMAC(mac, "seal_event", eventRow(id, seq), eventParts(e.State, account, e.Name, e.Remark, e.Happened)...); err != nil {
			return nil, err
		}
		list = append(list, e)
	}
	return list, nil
}

// EachSeal reads every seal with its course; f gets the error of one that is not
// as it was left.
func EachSeal(tx *store.Tx, f func(id string, err error) error) error {
	return store.EachID(tx, "seal", func(id string) error {
		_, err := seals(tx, `WHERE id = $1`, id)
		if err == nil {
			_, err = events(tx, elicense.SealID(id))
		}
		return f(id, err)
	})
}

// EachTrust reads every certificate and list that was imported; f gets the error
// of one that is not as it was left.
func EachTrust(tx *store.Tx, f func(id string, err error) error) error {
	return store.EachID(tx, "trust_item", func(id string) error {
		_, err := items(tx, `WHERE id = $1`, id)
		return f(id, err)
	})
}

// revoke notes that a certificate of the platform's own authority is not to be
// relied on any more.
func revoke(tx *store.Tx, der []byte, why gm.Reason) error {
	at := tx.Now()
	_, err := tx.Exec(`INSERT INTO revoked (certificate, reason, happened, mac) VALUES ($1, $2, $3, $4) ON CONFLICT (certificate) DO NOTHING`,
		der, int64(why), at, tx.MAC("revoked", string(der), revokedParts(why, at)...))
	return err
}

func revokedParts(why gm.Reason, at time.Time) [][]byte {
	return [][]byte{[]byte(strconv.Itoa(int(why))), []byte(strconv.FormatInt(at.UnixMicro(), 10))}
}

// revokedNow lists what the platform's own authority has revoked.
func revokedNow(tx *store.Tx) ([]gm.Revoked, error) {
	rows, err := tx.Query(`SELECT certificate, reason, happened, mac FROM revoked ORDER BY happened`)
	if err != nil {
		return nil, err
	}
	var list []gm.Revoked
	for rows.Next() {
		var (
			der, mac []byte
			why      int64
			at       time.Time
		)
		if err := rows.Scan(&der, &why, &at, &mac); err != nil {
			return nil, err
		}
		if err := tx.CheckMAC(mac, "revoked", string(der), revokedParts(gm.Reason(why), at)...); err != nil {
			return nil, err
		}
		c, err := gm.ParseCertificate(der)
		if err != nil {
			return nil, err
		}
		one, err := c.Revoke(at, gm.Reason(why))
		if err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	return list, nil
}
