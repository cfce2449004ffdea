package store

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"elicense"
)

// eventForm is the version number of the form events are kept in.
const eventForm = 1

// versionContent is the part of a version kept as cipher text.
type versionContent struct {
	Holders    []elicense.HolderRef `json:"holders"`
	Fields     map[string]string    `json:"fields"`
	IssuedOn   elicense.Date        `json:"issuedOn"`
	FaceNumber string               `json:"faceNumber"`
	Mode       string               `json:"mode"`
	Case       string               `json:"case"`
	Drafter    elicense.PersonID    `json:"drafter"`
	Reviewer   elicense.PersonID    `json:"reviewer"`
}

// eventContent is the part of an event kept as cipher text.
type eventContent struct {
	DocNo  string `json:"docNo"`
	Reason string `json:"reason"`
}

// Apply makes an event happen to its license: the only way a license is changed
// (Art. 10). It refuses what the state table refuses, writes the event and the
// row it leads to, and for a new version its contents and narrow indexes. The
// event's Seq, Form and Learned are set here. It returns the license as it then
// is.
//
// Errors: Conflict with the state table's sentence; NotFound if the license does
// not exist; Conflict if identifier, code or face number exist already.
func (tx *Tx) Apply(ev *elicense.Event) (*elicense.License, error) {
	ev.Learned, ev.Form = tx.Now(), eventForm
	if ev.ID == "" {
		ev.ID = elicense.NewID[elicense.EventID](ev.Learned)
	}
	if ev.Effective.IsZero() {
		ev.Effective = ev.Learned
	}
	var (
		lic *elicense.License
		err error
	)
	if ev.Kind == elicense.EventPublish {
		lic, err = tx.firstLicense(ev)
	} else {
		lic, err = tx.anyLicense(ev.License)
	}
	if err != nil {
		return nil, fmt.Errorf("apply %s to %s: %w", ev.Kind, ev.License, err)
	}
	standing, err := lic.Standing.After(ev.Kind)
	if err != nil {
		return nil, err
	}
	lic.Standing, lic.Seq, lic.Changed = standing, lic.Seq+1, ev.Learned
	ev.Seq, ev.Owner = lic.Seq, lic.Owner
	if ev.Kind.MakesVersion() {
		if ev.New == nil {
			return nil, fmt.Errorf("apply %s to %s: no version given", ev.Kind, ev.License)
		}
		if err := tx.addVersion(lic, ev); err != nil {
			return nil, err
		}
	}
	if err := tx.addEvent(ev); err != nil {
		return nil, err
	}
	if ev.Kind == elicense.EventWithdraw { // one made in its place has the number of the paper
		if err := tx.freeNumbers(lic); err != nil {
			return nil, err
		}
	}
	return lic, tx.putLicense(lic, ev.Kind == elicense.EventPublish)
}

// firstLicense starts the row of a license that is being published.
func (tx *Tx) firstLicense(ev *elicense.Event) (*elicense.License, error) {
	if ev.First == nil || len(ev.First.Holders) == 0 {
		return nil, fmt.Errorf("a license needs its first row and a holder")
	}
	lic := *ev.First
	lic.ID, lic.Owner, lic.Published, lic.Seq = ev.License, lic.Holders[0], ev.Learned, 0
	lic.Standing = elicense.Standing{}
	if lic.Contact.IsZero() {
		lic.Contact = ev.Learned
	}
	if _, err := tx.Exec(`INSERT INTO license_id (id, owner) VALUES ($1, $2)`, lic.ID, lic.Owner); err != nil {
		return nil, err
	}
	for i, h := range lic.Holders {
		_, err := tx.Exec(`INSERT INTO license_holder (holder_key, license, owner, type, place) VALUES ($1, $2, $3, $4, $5)`,
			h, lic.ID, lic.Owner, lic.Type, i)
		if err != nil {
			return nil, err
		}
	}
	return &lic, nil
}

// addVersion writes the version ev brings and makes it the license's current one.
func (tx *Tx) addVersion(lic *elicense.License, ev *elicense.Event) error {
	v := ev.New
	v.License, v.Owner, v.Number = lic.ID, lic.Owner, lic.Standing.Version
	v.Made.Published = ev.Learned
	row := versionRow(lic.ID, v.Number)
	content, err := EncodeContent(versionContent{
		v.Holders, v.Fields, v.IssuedOn, v.FaceNumber, v.Made.Mode, v.Made.Case, v.Made.Drafter, v.Made.Reviewer,
	})
	if err != nil {
		return fmt.Errorf("version of %s: %w", lic.ID, err)
	}
	_, err = tx.Exec(`INSERT INTO license_version (owner, license, version, identifier, serial, code_enc, content_enc,
		valid_from, valid_to, file, file_digest, closed, generated, reviewed, published, mac)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)`,
		v.Owner, v.License, v.Number, v.Identifier, v.Serial,
		tx.Encrypt("license_version", row, "code_enc", []byte(v.Code)), tx.Encrypt("license_version", row, "content_enc", content),
		v.ValidFrom, v.ValidTo, v.File, orEmpty(v.Digest), v.Made.Closed, v.Made.Generated, v.Made.Reviewed,
		v.Made.Published, tx.versionMAC(v))
	if err != nil {
		return err
	}
	if err := tx.indexVersion(lic, v); err != nil {
		return err
	}
	lic.Identifier, lic.ValidFrom, lic.ValidTo = v.Identifier, v.ValidFrom, v.ValidTo
	return nil
}

// indexVersion enters the version's other names in their narrow tables.
func (tx *Tx) indexVersion(lic *elicense.License, v *elicense.Version) error {
	if v.Identifier != "" {
		_, err := tx.Exec(`INSERT INTO license_identifier (identifier, license, owner, version) VALUES ($1, $2, $3, $4)`,
			v.Identifier, v.License, v.Owner, v.Number)
		if err != nil {
			return err
		}
	}
	if v.Code != "" {
		_, err := tx.Exec(`INSERT INTO license_code (code_index, license, owner, version) VALUES ($1, $2, $3, $4)`,
			tx.Index("check-code", string(v.Code)), v.License, v.Owner, v.Number)
		if err != nil {
			return err
		}
	}
	if v.FaceNumber == "" {
		return nil
	}
	return tx.TakeNumber(lic, v.FaceNumber)
}

// TakeNumber keeps a face number for a license: of one type and issuer no other
// license has it. Taking one's own number again is fine.
//
// Errors: Conflict.
func (tx *Tx) TakeNumber(lic *elicense.License, number string) error {
	name := numberName(lic.Type, lic.Issuer, number)
	var other elicense.LicenseID
	err := tx.ByIndex("face-number", name, licenseByNumber, &other)
	switch {
	case err == nil && other == lic.ID:
		return nil
	case err == nil:
		return elicense.E(elicense.Conflict, "本单位已有同类同号的证照").Under("第九条第一款").Then("请核对证照编号；原证要换新的，请办变更")
	case !elicense.IsKind(err, elicense.NotFound):
		return err
	}
	index := tx.Index("face-number", name)
	_, err = tx.Exec(`INSERT INTO license_number (number_index, license, owner) VALUES ($1, $2, $3)`, index, lic.ID, lic.Owner)
	if err == nil {
		tx.foreseen.add(licenseByNumber, index, string(lic.ID))
	}
	return err
}

func numberName(t elicense.TypeCode, issuer elicense.UnitCode, number string) string {
	return string(t) + "|" + string(issuer) + "|" + number
}

// freeNumbers gives up the face numbers of a license.
func (tx *Tx) freeNumbers(lic *elicense.License) error {
	delete(tx.foreseen, licenseByNumber)
	for n := 1; n <= lic.Standing.Version; n++ {
		v, err := tx.Version(lic, n)
		if err != nil {
			return err
		}
		for _, index := range tx.Indexes("face-number", numberName(lic.Type, lic.Issuer, v.FaceNumber)) {
			if _, err := tx.Exec(`DELETE FROM license_number WHERE number_index = $1 AND license = $2`, index, lic.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// NumberTaken tells whether a license of the type and issuer has the number.
func (tx *Tx) NumberTaken(t elicense.TypeCode, issuer elicense.UnitCode, number string) (bool, error) {
	var other elicense.LicenseID
	err := tx.ByIndex("face-number", numberName(t, issuer, number), licenseByNumber, &other)
	if elicense.IsKind(err, elicense.NotFound) {
		return false, nil
	}
	return err == nil, err
}

// ByNumber finds the license of a type and issuer that has a face number.
// Errors: NotFound.
func (tx *Tx) ByNumber(t elicense.TypeCode, issuer elicense.UnitCode, number string) (*elicense.License, error) {
	var id elicense.LicenseID
	err := tx.ByIndex("face-number", numberName(t, issuer, number), licenseByNumber, &id)
	if err != nil {
		return nil, err
	}
	return tx.License(id)
}

// Confirm notes that the source of a reference said at a moment that it is as we
// have it. That is no event and makes no version: it decides only from when on the
// reference counts as not heard of. A moment before the last one changes nothing.
func (tx *Tx) Confirm(l *elicense.License, at time.Time) error {
	if !l.Reference {
		return fmt.Errorf("license %s is no reference", l.ID)
	}
	if !at.After(l.Contact) {
		return nil
	}
	l.Contact = at
	n, err := tx.Exec(`UPDATE license SET contact = $1, mac = $2 WHERE owner = $3 AND id = $4 AND seq = $5`, l.Contact, tx.licenseMAC(l), l.Owner, l.ID, l.Seq)
	if err == nil && n == 0 {
		return elicense.E(elicense.Conflict, "证照刚刚有了别的变更").Under("第十条").Then("请刷新后核对再办")
	}
	return err
}

func (tx *Tx) addEvent(ev *elicense.Event) error {
	content, err := EncodeContent(eventContent{ev.DocNo, ev.Reason})
	if err != nil {
		return fmt.Errorf("event of %s: %w", ev.License, err)
	}
	row := eventRow(ev.License, ev.Seq)
	_, err = tx.Exec(`INSERT INTO license_event (owner, license, seq, id, kind, form, effective, learned, content_enc, unit, actor, reviewer, mac)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)`,
		ev.Owner, ev.License, ev.Seq, ev.ID, ev.Kind, ev.Form, ev.Effective, ev.Learned,
		tx.Encrypt("license_event", row, "content_enc", content), ev.Unit, ev.Actor, ev.Reviewer, tx.eventMAC(ev))
	return err
}

func (tx *Tx) putLicense(l *elicense.License, first bool) error {
	mac := tx.licenseMAC(l)
	if first {
		_, err := tx.Exec(`INSERT INTO license (owner, id, type, type_name, type_version, issuer, state, overlays, version, seq, identifier,
			valid_from, valid_to, published, changed, reference, source, contact, mac)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)`,
			l.Owner, l.ID, l.Type, l.TypeName, l.TypeVersion, l.Issuer, l.Standing.State, int(l.Standing.Overlays), l.Standing.Version, l.Seq,
			l.Identifier, l.ValidFrom, l.ValidTo, l.Published, l.Changed, l.Reference, l.Source, l.Contact, mac)
		return err
	}
	n, err := tx.Exec(`UPDATE license SET state = $1, overlays = $2, version = $3, seq = $4, identifier = $5, valid_from = $6, valid_to = $7,
		changed = $8, mac = $9 WHERE owner = $10 AND id = $11 AND seq = $12`,
		l.Standing.State, int(l.Standing.Overlays), l.Standing.Version, l.Seq, l.Identifier, l.ValidFrom, l.ValidTo, l.Changed, mac,
		l.Owner, l.ID, l.Seq-1)
	if err == nil && n == 0 {
		return elicense.E(elicense.Conflict, "证照刚刚有了别的变更").Under("第十条").Then("请刷新后核对再办")
	}
	return err
}

const licenseColumns = `owner, id, type, type_name, type_version, issuer, state, overlays, version, seq, identifier,
	valid_from, valid_to, published, changed, reference, source, contact, mac`

// SeeWithdrawn lets the rest of the transaction read licenses that were withdrawn
// because of a secret. It is for the check of everything that is stored; all others
// read as if there were no such license, which is how nothing of one can be shown.
func (tx *Tx) SeeWithdrawn() { tx.withdrawn = true }

// shown is the condition of SQL for licenses that were not withdrawn; fmt puts the
// number of the overlay.
var shown = fmt.Sprintf("(overlays & %d) = 0", elicense.Withdrawn)

// hidden tells whether the transaction reads as if there were no such license.
func (tx *Tx) hidden(l *elicense.License) bool {
	return !tx.withdrawn && l.Standing.Overlays.Has(elicense.Withdrawn)
}

// License returns a license by its id; in an Update its row is locked until the
// end. Errors: NotFound, also for one that was withdrawn; Unavailable if the row
// is not what the platform wrote.
func (tx *Tx) License(id elicense.LicenseID) (*elicense.License, error) {
	l, err := tx.anyLicense(id)
	if err == nil && tx.hidden(l) {
		return nil, ErrNoRow
	}
	return l, err
}

// anyLicense is License of withdrawn ones too.
func (tx *Tx) anyLicense(id elicense.LicenseID) (*elicense.License, error) {
	var owner elicense.HolderKey
	if err := tx.Row(`SELECT owner FROM license_id WHERE id = $1`, id).Scan(&owner); err != nil {
		return nil, err
	}
	rows, err := tx.licenses(`WHERE owner = $1 AND id = $2`+tx.ForUpdate(), owner, id)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 {
		return nil, ErrNoRow
	}
	return rows[0], tx.fillHolders(rows[0])
}

// LicenseOrNone is License for a decision that must not tell whether the license
// exists: one that does not is nobody's, without holders and issuer.
func (tx *Tx) LicenseOrNone(id elicense.LicenseID) (*elicense.License, error) {
	l, err := tx.License(id)
	if elicense.IsKind(err, elicense.NotFound) {
		return &elicense.License{}, nil
	}
	return l, err
}

// LicensesOf lists the licenses of a holder, of one type if typ is given, the
// newest first.
func (tx *Tx) LicensesOf(holder elicense.HolderKey, typ elicense.TypeCode) ([]*elicense.License, error) {
	if tx.keeps {
		return tx.keptLicensesOf(holder, typ)
	}
	list, err := tx.licenses(`JOIN (SELECT owner AS o, license AS l FROM license_holder
		WHERE holder_key = $1 AND ($2 = '' OR type = $3)) AS held ON owner = o AND id = l ORDER BY id DESC`, holder, typ, typ)
	if err != nil {
		return nil, err
	}
	list = slices.DeleteFunc(list, tx.hidden)
	for _, l := range list {
		if err := tx.fillHolders(l); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// heldLicense is a row of license_holder.
type heldLicense struct {
	owner elicense.HolderKey
	id    elicense.LicenseID
	typ   elicense.TypeCode
}

// keptLicensesOf is LicensesOf a row at a time, so that a change of a license
// leaves what is kept of all others.
func (tx *Tx) keptLicensesOf(holder elicense.HolderKey, typ elicense.TypeCode) ([]*elicense.License, error) {
	held, err := Keep(tx, "held "+string(holder), func() ([]heldLicense, error) {
		return All(tx, func(r *Rows) (h heldLicense, err error) {
			err = r.Scan(&h.owner, &h.id, &h.typ)
			return h, err
		}, `SELECT owner, license, type FROM license_holder WHERE holder_key = $1 ORDER BY license DESC`, holder)
	})
	if err != nil {
		return nil, err
	}
	var list []*elicense.License
	for _, h := range held {
		if typ != "" && h.typ != typ {
			continue
		}
		l, err := Keep(tx, "license "+string(h.id), func() (*elicense.License, error) {
			rows, err := tx.licenses(`WHERE owner = $1 AND id = $2`, h.owner, h.id)
			if err != nil || len(rows) == 0 {
				return nil, err
			}
			return rows[0], tx.fillHolders(rows[0])
		})
		if err != nil {
			return nil, err
		}
		if l == nil || tx.hidden(l) {
			continue
		}
		one := *l
		if !one.Reference {
			one.Contact = tx.Now()
		}
		list = append(list, &one)
	}
	return list, nil
}

// LicensesIssued pages through the licenses a unit issued, the newest first:
// those published before the given moment, limit of them and whatever else was
// published in the moment of the last, so that a page can begin before it.
func (tx *Tx) LicensesIssued(unit elicense.UnitCode, before time.Time, limit int) ([]*elicense.License, error) {
	return tx.licenses(`WHERE issuer = $1 AND `+shown+` AND published < $2 AND published >= (SELECT MIN(published) FROM
		(SELECT published FROM license WHERE issuer = $3 AND `+shown+` AND published < $4 ORDER BY published DESC LIMIT $5) AS page)
		ORDER BY published DESC, id DESC`, unit, before, unit, before, limit)
}

// LicensesIssuedOf lists the licenses of one type a unit issued, the newest
// first.
func (tx *Tx) LicensesIssuedOf(unit elicense.UnitCode, t elicense.TypeCode) ([]*elicense.License, error) {
	return tx.licenses(`WHERE issuer = $1 AND type = $2 AND `+shown+` ORDER BY published DESC, id`, unit, t)
}

// EachLicense calls f with every license there is, in the order of the primary
// key, a page of rows at a time, for fsck and reconciliation. A row whose HMAC
// does not hold is given with its error.
func (tx *Tx) EachLicense(f func(*elicense.License, error) error) error {
	owner, id := "", ""
	for {
		page, err := tx.licenseRows(`WHERE (owner, id) > ($1, $2) ORDER BY owner, id LIMIT 500`, owner, id)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, r := range page {
			owner, id = string(r.lic.Owner), string(r.lic.ID)
			err := r.bad
			if err == nil {
				err = tx.fillHolders(r.lic)
			}
			if err := f(r.lic, err); err != nil {
				return err
			}
		}
	}
}

type licenseRow struct {
	lic *elicense.License
	bad error
}

func (tx *Tx) licenses(where string, args ...any) ([]*elicense.License, error) {
	rows, err := tx.licenseRows(where, args...)
	if err != nil {
		return nil, err
	}
	list := make([]*elicense.License, 0, len(rows))
	for _, r := range rows {
		if r.bad != nil {
			return nil, r.bad
		}
		list = append(list, r.lic)
	}
	return list, nil
}

func (tx *Tx) licenseRows(where string, args ...any) ([]licenseRow, error) {
	rows, err := tx.Query(`SELECT `+licenseColumns+` FROM license `+where, args...)
	if err != nil {
		return nil, err
	}
	var list []licenseRow
	for rows.Next() {
		var (
			l        elicense.License
			overlays int
			mac      []byte
		)
		err := rows.Scan(&l.Owner, &l.ID, &l.Type, &l.TypeName, &l.TypeVersion, &l.Issuer, &l.Standing.State, &overlays, &l.Standing.Version,
			&l.Seq, &l.Identifier, &l.ValidFrom, &l.ValidTo, &l.Published, &l.Changed, &l.Reference, &l.Source, &l.Contact, &mac)
		if err != nil {
			return nil, err
		}
		l.Standing.Overlays = elicense.Overlays(overlays)
		if !l.Reference {
			l.Contact = tx.Now()
		}
		list = append(list, licenseRow{&l, tx.CheckMAC(mac, "license", string(l.ID), licenseParts(&l)...)})
	}
	return list, nil
}

func (tx *Tx) fillHolders(l *elicense.License) error {
	rows, err := tx.Query(`SELECT holder_key FROM license_holder WHERE license = $1 ORDER BY place`, l.ID)
	if err != nil {
		return err
	}
	l.Holders = nil
	for rows.Next() {
		var h elicense.HolderKey
		if err := rows.Scan(&h); err != nil {
			return err
		}
		l.Holders = append(l.Holders, h)
	}
	return nil
}

// Version returns version n of a license with its contents; n = 0 is the current
// one.
func (tx *Tx) Version(l *elicense.License, n int) (*elicense.Version, error) {
	if n == 0 {
		n = l.Standing.Version
	}
	v, err := Keep(tx, "version "+string(l.Owner)+" "+versionRow(l.ID, n), func() (*elicense.Version, error) { return tx.readVersion(l, n) })
	if err != nil {
		return nil, err
	}
	one := *v
	one.TypeName = l.TypeName
	return &one, nil
}

func (tx *Tx) readVersion(l *elicense.License, n int) (*elicense.Version, error) {
	v := &elicense.Version{License: l.ID, Owner: l.Owner, Number: n}
	var code, content, mac []byte
	err := tx.Row(`SELECT identifier, serial, code_enc, content_enc, valid_from, valid_to, file, file_digest, closed, generated, reviewed, published, mac
		FROM license_version WHERE owner = $1 AND license = $2 AND version = $3`, l.Owner, l.ID, n).Scan(
		&v.Identifier, &v.Serial, &code, &content, &v.ValidFrom, &v.ValidTo, &v.File, &v.Digest,
		&v.Made.Closed, &v.Made.Generated, &v.Made.Reviewed, &v.Made.Published, &mac)
	if err != nil {
		return nil, err
	}
	row := versionRow(l.ID, n)
	if code, err = tx.Decrypt("license_version", row, "code_enc", code); err != nil {
		return nil, err
	}
	if content, err = tx.Decrypt("license_version", row, "content_enc", content); err != nil {
		return nil, err
	}
	var c versionContent
	if err := DecodeContent(content, &c); err != nil {
		return nil, fmt.Errorf("contents of %s: %w", row, err)
	}
	v.Code, v.Holders, v.Fields, v.IssuedOn, v.FaceNumber = elicense.CheckCode(code), c.Holders, c.Fields, c.IssuedOn, c.FaceNumber
	v.Made.Mode, v.Made.Case, v.Made.Drafter, v.Made.Reviewer = c.Mode, c.Case, c.Drafter, c.Reviewer
	return v, tx.CheckMAC(mac, "license_version", row, versionParts(v)...)
}

// ByCode finds the license version whose QR carries the code. Errors: NotFound.
func (tx *Tx) ByCode(code elicense.CheckCode) (*elicense.License, int, error) {
	var (
		id elicense.LicenseID
		n  int
	)
	err := tx.ByIndex("check-code", string(code), `SELECT license, version FROM license_code WHERE code_index = $1`, &id, &n)
	if err != nil {
		return nil, 0, err
	}
	return tx.named(id, n, func(v *elicense.Version) bool { return v.Code == code })
}

// named returns the license an index led to, if its version is what was looked
// for: an index row that was changed must not lead to another license.
func (tx *Tx) named(id elicense.LicenseID, n int, holds func(*elicense.Version) bool) (*elicense.License, int, error) {
	l, err := tx.License(id)
	if err != nil {
		return nil, 0, err
	}
	v, err := tx.Version(l, n)
	if err != nil {
		return nil, 0, err
	}
	if !holds(v) {
		return nil, 0, tampered("index of "+versionRow(id, n), errors.New("it leads to another license"))
	}
	return l, n, nil
}

// ByIdentifier finds the license version of an identifier. Errors: NotFound.
func (tx *Tx) ByIdentifier(identifier elicense.Identifier) (*elicense.License, int, error) {
	var (
		id elicense.LicenseID
		n  int
	)
	err := tx.Row(`SELECT license, version FROM license_identifier WHERE identifier = $1`, identifier).Scan(&id, &n)
	if err != nil {
		return nil, 0, err
	}
	return tx.named(id, n, func(v *elicense.Version) bool { return v.Identifier == identifier })
}

// Events lists the events of a license in their order.
func (tx *Tx) Events(l *elicense.License) ([]*elicense.Event, error) {
	rows, err := tx.Query(`SELECT seq, id, kind, form, effective, learned, content_enc, unit, actor, reviewer, mac
		FROM license_event WHERE owner = $1 AND license = $2 ORDER BY seq`, l.Owner, l.ID)
	if err != nil {
		return nil, err
	}
	var list []*elicense.Event
	for rows.Next() {
		ev := &elicense.Event{License: l.ID, Owner: l.Owner}
		var content, mac []byte
		err := rows.Scan(&ev.Seq, &ev.ID, &ev.Kind, &ev.Form, &ev.Effective, &ev.Learned, &content, &ev.Unit, &ev.Actor, &ev.Reviewer, &mac)
		if err != nil {
			return nil, err
		}
		row := eventRow(l.ID, ev.Seq)
		if content, err = tx.Decrypt("license_event", row, "content_enc", content); err != nil {
			return nil, err
		}
		var c eventContent
		if err := DecodeContent(content, &c); err != nil {
			return nil, fmt.Errorf("contents of %s: %w", row, err)
		}
		ev.DocNo, ev.Reason = c.DocNo, c.Reason
		if err := tx.CheckMAC(mac, "license_event", row, eventParts(ev)...); err != nil {
			return nil, err
		}
		list = append(list, ev)
	}
	return list, nil
}

// Holder returns the key of the holder who has the code, making one if create
// is set and none is known. Errors: NotFound.
func (tx *Tx) Holder(ref elicense.HolderRef, create bool) (elicense.HolderKey, error) {
	name := holderName(ref)
	key, err := tx.holderOf(name)
	if err == nil || !create || !elicense.IsKind(err, elicense.NotFound) {
		return key, err
	}
	key = elicense.FamilyID[elicense.HolderKey](&tx.holders)
	index := tx.Index("holder-code", name)
	mac := tx.db.MAC("holder_code", name, []byte(key)) // asked for again, perhaps, before it is written
	insert := `INSERT INTO holder_code (code_index, holder_key, code_type, created, mac) VALUES ($1, $2, $3, $4, $5)`
	if tx.db.engine.shared() {
		insert += ` ON CONFLICT (code_index) DO NOTHING`
	}
	n, err := tx.Exec(insert, index, key, ref.CodeType, tx.Now(), mac)
	if err == nil && n == 1 {
		tx.foreseen.add(holderByCode, index, string(key), mac)
	}
	if err == nil && n == 0 { // another transaction was first
		return tx.holderOf(name)
	}
	return key, err
}

func holderName(ref elicense.HolderRef) string { return string(ref.CodeType) + "|" + ref.Code }

// holderOf finds the holder of a code. A row that leads to another holder than
// the platform wrote is ErrTampered.
func (tx *Tx) holderOf(name string) (key elicense.HolderKey, err error) {
	var mac []byte
	if err := tx.ByIndex("holder-code", name, holderByCode, &key, &mac); err != nil {
		return "", err
	}
	return key, tx.CheckMAC(mac, "holder_code", name, []byte(key))
}

// ByIndex runs a query by a keyed index under each version of the index key.
func (tx *Tx) ByIndex(kind, value, query string, dest ...any) (err error) {
	for _, index := range tx.Indexes(kind, value) {
		row := &Row{}
		if cells, known := tx.foreseen[query][string(index)]; !known {
			row = tx.Row(query, index)
		} else if row.rows = (&Rows{}); cells != nil {
			row.rows.cells = [][]any{cells}
		}
		if err = row.Scan(dest...); !elicense.IsKind(err, elicense.NotFound) {
			return err
		}
	}
	return err
}

func versionRow(id elicense.LicenseID, n int) string { return string(id) + "/" + strconv.Itoa(n) }
func eventRow(id elicense.LicenseID, seq int) string { return string(id) + "#" + strconv.Itoa(seq) }

func (tx *Tx) licenseMAC(l *elicense.License) *Code {
	return tx.MAC("license", string(l.ID), licenseParts(l)...)
}

func (tx *Tx) versionMAC(v *elicense.Version) *Code {
	return tx.MAC("license_version", versionRow(v.License, v.Number), versionParts(v)...)
}

func (tx *Tx) eventMAC(ev *elicense.Event) *Code {
	return tx.MAC("license_event", eventRow(ev.License, ev.Seq), eventParts(ev)...)
}

// The columns that decide what a license is, in a fixed order, for its HMAC.
func licenseParts(l *elicense.License) [][]byte {
	return Parts(string(l.Owner), string(l.Type), strconv.Itoa(l.TypeVersion), string(l.Issuer), string(l.Standing.State),
		strconv.Itoa(int(l.Standing.Overlays)), strconv.Itoa(l.Standing.Version), strconv.Itoa(l.Seq), string(l.Identifier),
		string(l.ValidFrom), string(l.ValidTo), strconv.FormatBool(l.Reference), l.TypeName, stamp(l.Published), stamp(l.Changed), l.Source,
		confirmed(l))
}

// confirmed is when the source of a reference last confirmed it; for our own
// licenses it is the moment of reading and decides nothing.
func confirmed(l *elicense.License) string {
	if !l.Reference {
		return ""
	}
	return stamp(l.Contact)
}

func versionParts(v *elicense.Version) [][]byte {
	return append(Parts(string(v.Owner), string(v.Identifier), v.Serial, string(v.ValidFrom), string(v.ValidTo), v.File,
		stamp(v.Made.Closed), stamp(v.Made.Generated), stamp(v.Made.Reviewed), stamp(v.Made.Published)), orEmpty(v.Digest))
}

func eventParts(ev *elicense.Event) [][]byte {
	return Parts(string(ev.Owner), string(ev.ID), string(ev.Kind), strconv.Itoa(ev.Form), stamp(ev.Effective), stamp(ev.Learned),
		string(ev.Unit), string(ev.Actor), string(ev.Reviewer), ev.DocNo, ev.Reason)
}

// Parts are texts that a MAC goes over.
func Parts(texts ...string) [][]byte {
	size := 0
	for _, s := range texts {
		size += len(s)
	}
	parts, room := make([][]byte, len(texts)), make([]byte, 0, size)
	for i, s := range texts {
		begin := len(room)
		room = append(room, s...)
		parts[i] = room[begin:len(room):len(room)]
	}
	return parts
}

// stamp writes a moment for an HMAC; a missing one is empty.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return strconv.FormatInt(t.UnixMicro(), 10)
}

func orEmpty(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
