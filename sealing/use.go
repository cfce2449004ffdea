package sealing

import (
	"time"

	"elicense"
	"elicense/store"
)

// Use is one intended use of a sealing key, an entry of the sealing log. It is
// written before the key is used and ends Stored or Abandoned: no document is
// sealed without one.
type Use struct {
	ID         string
	Subject    string // what is sealed: the ID of a draft, or a prefix and the name of a letter or of a list of what was delivered
	Seal       elicense.SealID
	Digest     []byte // SM3 of what is to be sealed
	State      UseState
	File       string // name in the file store
	FileDigest []byte // of the sealed file, once it is stored
	Started    time.Time
}

// LetterPrefix begins the subjects that are notices of cases.
const LetterPrefix = "letter/"

// DeliveryPrefix begins the subjects that are lists of what was delivered.
const DeliveryPrefix = "delivery/"

// UseState is how a use of a key stands.
type UseState string

// The states of a use.
const (
	Started   UseState = "started"
	Stored    UseState = "stored"
	Abandoned UseState = "abandoned"
)

func (u *Use) mac(tx *store.Tx) *store.Code { return tx.MAC("key_use", u.ID, u.parts()...) }

func (u *Use) parts() [][]byte {
	return [][]byte{[]byte(u.Subject), []byte(u.Seal), u.Digest, []byte(u.State), []byte(u.File), u.FileDigest}
}

// Intend writes the use before the key is used, and names it.
func (u *Use) Intend(tx *store.Tx) error {
	u.ID, u.State, u.FileDigest, u.Started = elicense.NewID[string](tx.Now()), Started, []byte{}, tx.Now()
	_, err := tx.Exec(`INSERT INTO key_use (id, subject, seal, digest, state, file, file_digest, started, ended, mac)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, NULL, $9)`, u.ID, u.Subject, u.Seal, u.Digest, u.State, u.File, u.FileDigest, u.Started, u.mac(tx))
	return err
}

// End notes how the use ended.
func (u *Use) End(tx *store.Tx, state UseState) error {
	u.State = state
	_, err := tx.Exec(`UPDATE key_use SET state = $1, file_digest = $2, ended = $3, mac = $4 WHERE id = $5`, u.State, u.FileDigest, tx.Now(), u.mac(tx), u.ID)
	return err
}

// UseOf returns the use of a key for the subject that was not abandoned, nil if
// there is none.
func UseOf(tx *store.Tx, subject string) (*Use, error) {
	list, err := uses(tx, `WHERE subject = $1 AND state <> $2`, subject, Abandoned)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return list[0], nil
}

// EachUse calls f with every use, or with the error of one that is not as it was
// left.
func EachUse(tx *store.Tx, f func(*Use, error) error) error {
	return store.EachID(tx, "key_use", func(id string) error {
		list, err := uses(tx, `WHERE id = $1`, id)
		if err != nil {
			return f(&Use{ID: id}, err)
		}
		return f(list[0], nil)
	})
}

func uses(tx *store.Tx, where string, args ...any) ([]*Use, error) {
	return store.All(tx, func(r *store.Rows) (*Use, error) {
		var u Use
		var mac []byte
		if err := r.Scan(&u.ID, &u.Subject, &u.Seal, &u.Digest, &u.State, &u.File, &u.FileDigest, &u.Started, &mac); err != nil {
			return nil, err
		}
		return &u, tx.CheckMAC(mac, "key_use", u.ID, u.parts()...)
	}, `SELECT id, subject, seal, digest, state, file, file_digest, started, mac FROM key_use `+where, args...)
}
