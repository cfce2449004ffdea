package offline

import (
	"bytes"
	"slices"

	"elicense"
	"elicense/gm"
	"elicense/org"
	"elicense/store"
	"elicense/verification"
)

// PendingCode tells what is known of the code of a license that was, or may be, made
// offline and is not on the platform; nil if it is of no kit.
func (k *Kits) PendingCode(tx *store.Tx, code elicense.CheckCode) (*verification.Pending, error) {
	var kit string
	var n int
	err := tx.ByIndex("check-code", string(code), `SELECT kit, n FROM kit_number WHERE code_index = $1`, &kit, &n)
	if elicense.IsKind(err, elicense.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	t, err := numberOf(tx, kit, n)
	if err != nil {
		return nil, err
	}
	if t.Code != code {
		return nil, store.ErrTampered
	}
	return k.pending(tx, t)
}

// PendingIdentifier is PendingCode for who holds the file of such a license.
func (k *Kits) PendingIdentifier(tx *store.Tx, id elicense.Identifier) (*verification.Pending, error) {
	typ, issuer, serial, version, ok := id.Parts()
	if !ok || version != 1 {
		return nil, nil
	}
	list, err := numbers(tx, `WHERE serial = $1`, serial)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	l, err := listed(tx, list[0].Kit)
	if err != nil {
		return nil, err
	}
	if l.Unit != issuer || !slices.ContainsFunc(l.Types, func(t KitType) bool { return t.Code == typ }) {
		return nil, nil
	}
	return k.pending(tx, list[0])
}

func (k *Kits) pending(tx *store.Tx, t *taken) (*verification.Pending, error) {
	l, err := listed(tx, t.Kit)
	if err != nil {
		return nil, err
	}
	u, err := org.UnitOf(tx, l.Unit)
	if err != nil {
		return nil, err
	}
	p := &verification.Pending{Issuer: u.Name, From: l.From, Until: l.To, State: verification.Awaited}
	for _, x := range l.Types {
		p.Types = append(p.Types, x.Name)
	}
	switch {
	case t.State == numberTaken: // its license was withdrawn: nothing is known of it
		return nil, nil
	case t.State == numberRefused:
		p.State = verification.NotTaken
	case l.State == Cancelled:
		p.State, p.Cancelled = verification.KitCancelled, l.Cancelled
	case k.Now().After(l.To):
		p.State = verification.Overdue
	}
	return p, nil
}

// Original tells whether a file is a license of the platform as it was made offline,
// before its time was confirmed.
func (k *Kits) Original(tx *store.Tx, license elicense.LicenseID, file []byte) (bool, error) {
	list, err := numbers(tx, `WHERE license = $1 AND state = $2`, license, numberTaken)
	if err != nil || len(list) == 0 {
		return false, err
	}
	sum := gm.Sum(file)
	return bytes.Equal(list[0].Digest, sum[:]), nil
}
