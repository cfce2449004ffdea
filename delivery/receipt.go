package delivery

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"elicense"
	"elicense/access"
	"elicense/cases"
	"elicense/org"
	"elicense/store"
)

// ReceiptKind is how a holder came to have what was delivered.
type ReceiptKind string

// The kinds of receipts.
const (
	Opened ReceiptKind = "opened" // he opened it in his folder
	Handed ReceiptKind = "handed" // it was printed and given to a person
)

// Chinese returns the words shown to people.
func (k ReceiptKind) Chinese() string {
	if k == Handed {
		return "打印交付"
	}
	return "本人打开"
}

// Receipt says when a holder received a version of a license.
type Receipt struct {
	License elicense.LicenseID
	Version int
	Unit    elicense.UnitCode
	Holder  elicense.HolderKey
	Kind    ReceiptKind
	At      time.Time
	Proof   cases.Proof // of who received it on paper
	Handing
	Clerk string // name of who handed it over

	account elicense.AccountID
	person  elicense.PersonID
}

// Handing is who received it on paper.
type Handing struct {
	Receiver string `json:"receiver,omitempty"`
	Remark   string `json:"remark,omitempty"` // such as how he is related to the holder
	Window   string `json:"window,omitempty"` // name of the unit at whose window it was; empty for the issuing unit's desk
}

// check tidies the texts and refuses what is missing.
func (h *Handing) check(proof cases.Proof) error {
	h.Receiver, h.Remark = strings.TrimSpace(h.Receiver), strings.TrimSpace(h.Remark)
	if !slices.Contains(cases.Proofs(), proof) {
		return elicense.E(elicense.Invalid, "要写明怎么核实领取人的身份").At("proof").Under("第十七条第三款")
	}
	if n := utf8.RuneCountInString(h.Receiver); n == 0 || n > maxHanding || strings.ContainsFunc(h.Receiver, unicode.IsControl) {
		return elicense.E(elicense.Invalid, "要写领取人的姓名，最多%d个字", maxHanding).At("receiver")
	}
	if utf8.RuneCountInString(h.Remark) > maxHanding || strings.ContainsFunc(h.Remark, unicode.IsControl) {
		return elicense.E(elicense.Invalid, "说明最多%d个字", maxHanding).At("remark")
	}
	return nil
}

// maxHanding bounds each text of a handing, in characters.
const maxHanding = 60

func (r *Receipt) id() string {
	return packageID(r.License, r.Version) + "/" + string(r.Holder) + "/" + string(r.Kind)
}

func (r *Receipt) parts() [][]byte {
	return [][]byte{[]byte(r.Unit), micros(r.At), []byte(r.account), []byte(r.person), []byte(r.Proof)}
}

// keep writes a receipt; the first of its kind stays.
func (r *Receipt) keep(tx *store.Tx) (first bool, err error) {
	b, err := json.Marshal(r.Handing)
	if err != nil {
		return false, fmt.Errorf("receipt: %w", err)
	}
	n, err := tx.Exec(`INSERT INTO delivery_receipt (id, license, version, unit, holder, kind, at, account, person, proof, content_enc, mac)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (id) DO NOTHING`,
		r.id(), r.License, r.Version, r.Unit, r.Holder, string(r.Kind), r.At, r.account, r.person, string(r.Proof),
		tx.Encrypt("delivery_receipt", r.id(), "content_enc", b), tx.MAC("delivery_receipt", r.id(), r.parts()...))
	return n > 0, err
}

func receipts(tx *store.Tx, where string, args ...any) ([]*Receipt, error) {
	return store.All(tx, func(row *store.Rows) (*Receipt, error) {
		var r Receipt
		var b, mac []byte
		err := row.Scan(&r.License, &r.Version, &r.Unit, &r.Holder, (*string)(&r.Kind), &r.At, &r.account, &r.person, (*string)(&r.Proof), &b, &mac)
		if err != nil {
			return nil, err
		}
		if err := tx.CheckMAC(mac, "delivery_receipt", r.id(), r.parts()...); err != nil {
			return nil, err
		}
		if b, err = tx.Decrypt("delivery_receipt", r.id(), "content_enc", b); err != nil {
			return nil, err
		}
		return &r, json.Unmarshal(b, &r.Handing)
	}, `SELECT license, version, unit, holder, kind, at, account, person, proof, content_enc, mac FROM delivery_receipt `+where, args...)
}

// EachReceipt reads every receipt; f gets the error of one that is not as it was
// left.
func EachReceipt(tx *store.Tx, f func(id string, err error) error) error {
	return store.EachID(tx, "delivery_receipt", func(id string) error {
		_, err := receipts(tx, `WHERE id = $1`, id)
		return f(id, err)
	})
}

// Opened notes that the signed-in holder opened his license; only the first time
// counts, of each version. Errors: Forbidden.
func (d *Desk) Opened(ctx context.Context, actor *elicense.Actor, id elicense.LicenseID) error {
	known := false
	err := d.DB.View(ctx, func(tx *store.Tx) error {
		lic, err := tx.LicenseOrNone(id)
		if err != nil || lic.ID == "" {
			return err
		}
		r := &Receipt{License: id, Version: lic.Standing.Version, Holder: actor.Holder, Kind: Opened}
		var n int
		err = tx.Row(`SELECT COUNT(*) FROM delivery_receipt WHERE id = $1`, r.id()).Scan(&n)
		known = n > 0
		return err
	})
	if err != nil || known {
		return err
	}
	return d.Guard.Write(ctx, request(actor, id, false), func(tx *store.Tx, p *access.Permit) error {
		p.Note.Detail = map[string]string{"act": "received"}
		lic, err := tx.License(id)
		if err != nil || lic.Reference {
			return err
		}
		r := &Receipt{License: id, Version: lic.Standing.Version, Unit: lic.Issuer, Holder: actor.Holder, Kind: Opened, At: tx.Now(), account: actor.Account, person: actor.Person}
		_, err = r.keep(tx)
		return err
	})
}

// Hand records that an officer of the issuing unit gave the printed license to a
// person, for the holder at the place among the license's holders, and how that
// person's identity was proven.
//
// Errors: Invalid naming the field; Forbidden; Conflict if it was handed over before.
func (d *Desk) Hand(ctx context.Context, actor *elicense.Actor, id elicense.LicenseID, holder int, proof cases.Proof, h Handing) error {
	if err := h.check(proof); err != nil {
		return err
	}
	return d.Guard.Write(ctx, handle(actor, id), func(tx *store.Tx, p *access.Permit) error {
		p.Note.Detail["act"] = "handed"
		return d.hand(tx, actor, id, Collecting{Holder: holder, Proof: proof, Handing: h})
	})
}

// hand keeps the receipt of a license handed over.
func (d *Desk) hand(tx *store.Tx, actor *elicense.Actor, id elicense.LicenseID, c Collecting) error {
	lic, err := tx.License(id)
	if err != nil {
		return err
	}
	if lic.Reference {
		return errReference()
	}
	if c.Holder < 0 || c.Holder >= len(lic.Holders) {
		return elicense.E(elicense.Invalid, "要选择是哪一位持证人的").At("holder")
	}
	r := &Receipt{
		License: id, Version: lic.Standing.Version, Unit: lic.Issuer, Holder: lic.Holders[c.Holder], Kind: Handed, At: tx.Now(), account: actor.Account, person: actor.Person,
		Proof: c.Proof, Handing: c.Handing,
	}
	first, err := r.keep(tx)
	if err == nil && !first {
		err = elicense.E(elicense.Conflict, "已经登记过打印交付").Then("请刷新后核对")
	}
	return err
}

// handle asks the law whether the actor delivers the license.
func handle(actor *elicense.Actor, id elicense.LicenseID) func(*store.Tx) (access.Request, error) {
	return func(tx *store.Tx) (access.Request, error) {
		lic, err := tx.LicenseOrNone(id)
		if err != nil {
			return access.Request{}, err
		}
		return access.Request{
			Actor: actor, Act: access.DeliveryHandle, On: access.Thing{Kind: "License", ID: string(id), Attr: access.Attr{"issuer": string(lic.Issuer)}},
			Note: access.Note{License: id, LicenseType: lic.Type, Holder: lic.Owner, Basis: "签发单位", Detail: map[string]string{}},
		}, nil
	}
}

// Sent is a message as it is shown.
type Sent struct {
	ID      string
	Holder  elicense.HolderKey
	Channel Channel
	To      string // masked
	State   State
	Tries   int
	Answer  string
	Created time.Time
	Changed time.Time
}

// Status is how the delivery of a license's current version stands.
type Status struct {
	*elicense.License
	Version  *elicense.Version
	Package  *Package // nil while there is none
	Sent     []Sent
	Receipts []*Receipt
}

// Published is when the version stood in the folder.
func (s *Status) Published() time.Time { return s.Version.Made.Published }

// Received tells whether every holder has it.
func (s *Status) Received() bool {
	return !slices.ContainsFunc(s.Holders, func(h elicense.HolderKey) bool { return s.ReceivedBy(h).IsZero() })
}

// ReceivedBy is when a holder first had it; zero if there is no receipt of his.
func (s *Status) ReceivedBy(h elicense.HolderKey) (first time.Time) {
	for _, r := range s.Receipts {
		if r.Holder == h && (first.IsZero() || r.At.Before(first)) {
			first = r.At
		}
	}
	return first
}

// Failed tells whether a message was given up and a holder has not received it.
func (s *Status) Failed() bool {
	return slices.ContainsFunc(s.Sent, func(m Sent) bool { return m.State == Failed && s.ReceivedBy(m.Holder).IsZero() })
}

// Name returns the name of a holder.
func (s *Status) Name(h elicense.HolderKey) string {
	if i := slices.Index(s.Holders, h); i >= 0 && i < len(s.Version.Holders) {
		return s.Version.Holders[i].Name
	}
	return ""
}

// Of tells how the delivery of a license stands: to a holder what is his, to the
// issuing unit, issued being set, all of it.
//
// Errors: Forbidden, also if there is no such license.
func (d *Desk) Of(ctx context.Context, actor *elicense.Actor, id elicense.LicenseID, issued bool) (*Status, error) {
	s, _, err := access.Get(ctx, d.Guard, request(actor, id, issued), func(tx *store.Tx, p *access.Permit) (*Status, error) {
		p.Note.Detail = map[string]string{"act": "delivery"}
		lic, err := tx.License(id)
		if err != nil {
			return nil, err
		}
		return statusOf(tx, lic)
	})
	if err != nil || issued {
		return s, err
	}
	s.Sent = slices.DeleteFunc(s.Sent, func(m Sent) bool { return m.Holder != actor.Holder })
	s.Receipts = slices.DeleteFunc(s.Receipts, func(r *Receipt) bool { return r.Holder != actor.Holder })
	return s, nil
}

func statusOf(tx *store.Tx, lic *elicense.License) (s *Status, err error) {
	s = &Status{License: lic}
	version := lic.Standing.Version
	if s.Version, err = tx.Version(lic, 0); err != nil {
		return nil, err
	}
	if s.Package, err = packageOf(tx, packageID(lic.ID, version)); err != nil {
		return nil, err
	}
	list, err := messages(tx, `WHERE license = $1 AND version = $2 ORDER BY id`, lic.ID, version)
	if err != nil {
		return nil, err
	}
	for _, m := range list {
		s.Sent = append(s.Sent, Sent{m.ID, m.Holder, m.Channel, mask(m.Channel, m.Address), m.State, m.Tries, m.Answer, m.Created, m.Changed})
	}
	if s.Receipts, err = receipts(tx, `WHERE license = $1 AND version = $2 ORDER BY at, id`, lic.ID, version); err != nil {
		return nil, err
	}
	for _, r := range s.Receipts {
		if r.Kind == Handed {
			if r.Clerk, err = org.PersonName(tx, r.person); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

// Which is a list of deliveries.
type Which string

// The lists of a unit.
const (
	Undeliverable Which = "failed" // a message was given up, and the holder has not received it
	Unreceived    Which = "open"   // no receipt of any holder
	All           Which = "all"
)

// Page is a place in a list, which goes by the time of publishing.
type Page struct {
	Published time.Time
	ID        elicense.LicenseID
}

// List returns deliveries of the actor's unit, the newest first, and the place of the
// next page, empty at the end.
//
// Errors: Forbidden.
func (d *Desk) List(ctx context.Context, actor *elicense.Actor, which Which, after Page, limit int) (list []*Status, next Page, err error) {
	condition := ""
	switch which {
	case Undeliverable:
		condition = ` AND EXISTS (SELECT 1 FROM delivery_message m WHERE m.license = l.id AND m.version = l.version AND m.state = 'failed'
			AND NOT EXISTS (SELECT 1 FROM delivery_receipt r WHERE r.license = m.license AND r.version = m.version AND r.holder = m.holder))`
	case Unreceived:
		condition = ` AND NOT EXISTS (SELECT 1 FROM delivery_receipt r WHERE r.license = l.id AND r.version = l.version)`
	}
	if after.Published.IsZero() {
		after.Published = d.Now().AddDate(100, 0, 0)
	}
	_, err = d.Guard.Read(ctx, unitRequest(actor, string(which)), func(tx *store.Tx, _ *access.Permit) error {
		list, next = nil, Page{}
		ids, err := store.All(tx, func(r *store.Rows) (p Page, err error) { return p, r.Scan(&p.ID, &p.Published) },
			`SELECT l.id, l.published FROM license l WHERE l.issuer = $1 AND (l.published < $2 OR l.published = $3 AND l.id < $4) AND NOT l.reference`+condition+
				` ORDER BY l.published DESC, l.id DESC LIMIT $5`, actor.Unit, after.Published, after.Published, after.ID, limit+1)
		if err != nil {
			return err
		}
		if len(ids) > limit {
			ids, next = ids[:limit], ids[limit-1]
		}
		for _, p := range ids {
			lic, err := tx.License(p.ID)
			if elicense.IsKind(err, elicense.NotFound) {
				continue // withdrawn
			}
			if err != nil {
				return err
			}
			s, err := statusOf(tx, lic)
			if err != nil {
				return err
			}
			list = append(list, s)
		}
		return nil
	})
	if err != nil {
		return nil, Page{}, err
	}
	return list, next, nil
}

func unitRequest(actor *elicense.Actor, list string) func(*store.Tx) (access.Request, error) {
	return func(*store.Tx) (access.Request, error) {
		return access.Request{
			Actor: actor, Act: access.LicenseIssued, On: access.Thing{Kind: "License", ID: "list", Attr: access.Attr{"issuer": string(actor.Unit)}},
			Note: access.Note{Basis: "签发单位", Detail: map[string]string{"act": "deliveries", "list": list}},
		}, nil
	}
}

// Counts says how the deliveries of a unit stand, of what was published from a
// moment on: licenses, those with a receipt of a holder, those handed over on paper,
// and those that could not be told.
type Counts struct {
	Published, Told, Opened, Handed, Undeliverable int
}

// Counts counts the deliveries of the actor's unit of what was published since.
// Errors: Forbidden.
func (d *Desk) Counts(ctx context.Context, actor *elicense.Actor, since time.Time) (c Counts, err error) {
	c, _, err = access.Get(ctx, d.Guard, unitRequest(actor, "counts"), func(tx *store.Tx, _ *access.Permit) (c Counts, err error) {
		for _, q := range []struct {
			n    *int
			text string
		}{
			{&c.Published, `1 = 1`},
			{&c.Told, `EXISTS (SELECT 1 FROM delivery_message m WHERE m.license = l.id AND m.version = l.version AND m.state = 'told')`},
			{&c.Opened, `EXISTS (SELECT 1 FROM delivery_receipt r WHERE r.license = l.id AND r.version = l.version AND r.kind = 'opened')`},
			{&c.Handed, `EXISTS (SELECT 1 FROM delivery_receipt r WHERE r.license = l.id AND r.version = l.version AND r.kind = 'handed')`},
			{&c.Undeliverable, `EXISTS (SELECT 1 FROM delivery_message m WHERE m.license = l.id AND m.version = l.version AND m.state = 'failed'
				AND NOT EXISTS (SELECT 1 FROM delivery_receipt r WHERE r.license = m.license AND r.version = m.version AND r.holder = m.holder))`},
		} {
			if err := tx.Row(`SELECT COUNT(*) FROM license l WHERE l.issuer = $1 AND l.published >= $2 AND NOT l.reference AND `+q.text, actor.Unit, since).Scan(q.n); err != nil {
				return c, err
			}
		}
		return c, nil
	})
	return c, err
}

// Resend has a message that was given up sent again, to the address the holder has
// now.
//
// Errors: Forbidden, also if there is no such message; Conflict if it was handed over,
// or the holder has no address any more.
func (d *Desk) Resend(ctx context.Context, actor *elicense.Actor, id string) error {
	build := func(tx *store.Tx) (access.Request, error) {
		m, err := messageOf(tx, id)
		if elicense.IsKind(err, elicense.NotFound) || err == nil && m.Kind != ofIssue {
			m = &message{}
		} else if err != nil {
			return access.Request{}, err
		}
		return handle(actor, m.License)(tx)
	}
	return d.Guard.Write(ctx, build, func(tx *store.Tx, p *access.Permit) error {
		p.Note.Detail["act"], p.Note.Detail["message"] = "resend", id
		m, err := messageOf(tx, id)
		if err != nil {
			return err
		}
		if m.State == Waiting {
			return nil // on its way already
		}
		if m.State != Failed {
			return elicense.E(elicense.Conflict, "这条消息没有停发，不用重发")
		}
		c, err := contactOf(tx, m.Holder, m.Channel)
		if err != nil {
			return err
		}
		if c.address == "" || c.Confirmed.IsZero() {
			return elicense.E(elicense.Conflict, "持证人没有登记%s的联系方式", m.Channel.Chinese()).Then("请打印后交付，或请他在卡包里登记")
		}
		m.Address, m.State, m.Tries, m.Answer = c.address, Waiting, 0, ""
		if err := m.update(tx); err != nil {
			return err
		}
		return m.enqueue(tx, time.Time{})
	})
}
