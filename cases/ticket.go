package cases

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"elicense"
	"elicense/access"
	"elicense/gm"
	"elicense/org"
	"elicense/store"
)

// Ticket is what a business system says of one of its cases, signed with SM2, so
// that the case can be opened here without typing it again (Art. 13(1)). It is
// written as three parts of base64url joined by dots: a head that names the key,
// the ticket as JSON, and the 64 bytes of the signature over the first two parts
// with their dot.
//
// It is good for minutes, for one platform and once.
type Ticket struct {
	Number   string              `json:"jti"` // drawn by the system, used once
	Audience string              `json:"aud"` // the platform's address
	Issued   int64               `json:"iat"` // seconds since 1970
	Expires  int64               `json:"exp"`
	Unit     elicense.UnitCode   `json:"unitCode"`
	Matter   elicense.MatterCode `json:"matterCode"`
	Case     string              `json:"caseNumber"`
	Purpose  string              `json:"purpose,omitempty"`
	Facts    []Condition         `json:"facts,omitempty"`
	Officer  string              `json:"officer"` // the clerk who handles it, by name
	Parties  []TicketParty       `json:"parties"`
}

// TicketParty is a party as the system has proven him.
type TicketParty struct {
	Role   string             `json:"role,omitempty"`
	Holder elicense.HolderRef `json:"holder"`
	Proof  Proof              `json:"proof"`
}

// ticketHead is the only head there is: another algorithm is not negotiated.
type ticketHead struct {
	Alg string `json:"alg"`
	Typ string `json:"typ"`
	Kid string `json:"kid"`
}

const (
	ticketAlg = "SM2-SM3"
	ticketTyp = "elicense-case"
	// ticketLife bounds how long a ticket may be good for, and clockSlack how far
	// the system's clock may be ahead.
	ticketLife = 10 * time.Minute
	clockSlack = time.Minute
	maxTicket  = 32 << 10
)

var ticketNumber = regexp.MustCompile(`^[0-9A-Za-z_-]{16,64}$`)

// Sign writes the ticket as a business system sends it.
func (t *Ticket) Sign(key gm.Signer, keyID string) (string, error) {
	head, err := json.Marshal(ticketHead{ticketAlg, ticketTyp, keyID})
	if err != nil {
		return "", fmt.Errorf("ticket: %w", err)
	}
	body, err := json.Marshal(t)
	if err != nil {
		return "", fmt.Errorf("ticket: %w", err)
	}
	text := base64.RawURLEncoding.EncodeToString(head) + "." + base64.RawURLEncoding.EncodeToString(body)
	der, err := key.SignSM2([]byte(text))
	if err != nil {
		return "", fmt.Errorf("ticket: %w", err)
	}
	raw, err := gm.RawSignature(der)
	if err != nil {
		return "", fmt.Errorf("ticket: %w", err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(raw), nil
}

func badTicket(text string, args ...any) *elicense.Error {
	return elicense.E(elicense.Forbidden, text, args...).Under("第十三条第二款").Then("请在业务系统里重新打开这个办件")
}

// readTicket takes a ticket apart without believing it: the key it names, the
// ticket, what was signed and the signature.
func readTicket(text string) (kid string, t *Ticket, signed, signature []byte, err error) {
	malformed := badTicket("办件票据的格式不对")
	parts := strings.Split(text, ".")
	if len(text) > maxTicket || len(parts) != 3 {
		return "", nil, nil, nil, malformed
	}
	var raw [3][]byte
	for i, p := range parts {
		if raw[i], err = base64.RawURLEncoding.Strict().DecodeString(p); err != nil {
			return "", nil, nil, nil, malformed
		}
	}
	var h ticketHead
	t = &Ticket{}
	if strictJSON(raw[0], &h) != nil || strictJSON(raw[1], t) != nil {
		return "", nil, nil, nil, malformed
	}
	if h.Alg != ticketAlg || h.Typ != ticketTyp {
		return "", nil, nil, nil, badTicket("办件票据只接受SM2签名")
	}
	return h.Kid, t, []byte(parts[0] + "." + parts[1]), raw[2], nil
}

// strictJSON refuses members it does not know and anything after the value: a
// ticket means one thing to everybody who reads it.
func strictJSON(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return fmt.Errorf("more than one value")
	}
	return nil
}

// judge checks what the ticket says of itself, at the moment now.
func (t *Ticket) judge(audience string, unit elicense.UnitCode, now time.Time) error {
	issued, expires := time.Unix(t.Issued, 0), time.Unix(t.Expires, 0)
	switch {
	case t.Audience != audience:
		return badTicket("办件票据不是给本平台的")
	case t.Unit != unit:
		return badTicket("办件票据是别的单位的")
	case !ticketNumber.MatchString(t.Number):
		return badTicket("办件票据的编号不对")
	case issued.After(now.Add(clockSlack)):
		return badTicket("办件票据的时间在以后，请核对业务系统的时钟")
	case !expires.After(now):
		return badTicket("办件票据已过期")
	case expires.Sub(issued) > ticketLife:
		return badTicket("办件票据的有效期最长10分钟")
	case strings.TrimSpace(t.Case) == "" || strings.TrimSpace(t.Officer) == "" || !fits(t.Officer, maxRole):
		return badTicket("办件票据没有写明办件编号或经办人")
	}
	return nil
}

// StartByTicket opens the case a business system's ticket describes. The record
// of it names the system; the officer stands in the first step of its course.
//
// Errors: Forbidden for a ticket that is malformed, forged, not ours, too old or
// used before, each on record; and those of Start.
func (c *Cases) StartByTicket(ctx context.Context, actor *elicense.Actor, text string) (*Case, error) {
	_, t, err := c.proven(ctx, actor, text)
	if elicense.IsKind(err, elicense.Forbidden) {
		err = c.refuseTicket(ctx, actor, err)
	}
	if err != nil {
		return nil, err
	}
	return c.start(ctx, actor, t.newCase(), BySystem, func(tx *store.Tx, k *Case) error { return t.spend(tx, actor.Account, k.ID) })
}

// proven believes a ticket of the system, signed with a key of its own, for this
// platform, now; it returns the key's name too. Errors: Forbidden, which is not
// on record yet.
func (c *Cases) proven(ctx context.Context, system *elicense.Actor, text string) (string, *Ticket, error) {
	kid, t, signed, signature, err := readTicket(text)
	if err != nil {
		return "", nil, err
	}
	key, now, err := c.systemKey(ctx, system.Account, kid)
	if elicense.IsKind(err, elicense.NotFound) {
		return "", nil, badTicket("办件票据的签名密钥没有登记，或已停用").Then("请系统管理员登记业务系统的公钥")
	}
	if err != nil {
		return "", nil, err
	}
	if !gm.VerifyRaw(key, signed, signature) {
		return "", nil, badTicket("办件票据的签名不对")
	}
	return kid, t, t.judge(c.Audience, system.Unit, now)
}

// newCase is the case the ticket describes.
func (t *Ticket) newCase() NewCase {
	n := NewCase{Number: t.Case, Matter: t.Matter, Purpose: t.Purpose, Facts: t.Facts, officer: t.Officer}
	for _, p := range t.Parties {
		n.Parties = append(n.Parties, Party{Role: p.Role, Ref: p.Holder, Proof: p.Proof})
	}
	return n
}

// spend uses the ticket's number up.
func (t *Ticket) spend(tx *store.Tx, system elicense.AccountID, id elicense.CaseID) error {
	if _, err := tx.Exec(`DELETE FROM case_ticket WHERE expires < $1`, tx.Now().Add(-clockSlack)); err != nil {
		return err
	}
	used, err := tx.Exec(`INSERT INTO case_ticket (issuer, number, case_id, expires) VALUES ($1, $2, $3, $4) ON CONFLICT (issuer, number) DO NOTHING`,
		system, t.Number, id, time.Unix(t.Expires, 0))
	if err == nil && used == 0 {
		return badTicket("办件票据已经用过")
	}
	return err
}

// refuseTicket puts the refusal of a ticket on record.
func (c *Cases) refuseTicket(ctx context.Context, actor *elicense.Actor, bad error) error {
	build := func(*store.Tx) (access.Request, error) {
		return access.Request{
			Actor: actor, Act: access.CaseOpen,
			On: access.Thing{Kind: "Case", ID: "ticket", Attr: access.Attr{"units": []string{string(actor.Unit)}, "parties": 1, "unproven": 0, "self": false}},
			// The law is asked as for a good ticket, so that who may open no case at
			// all learns nothing of tickets.
			Circumstances: access.Attr{"ticket": true},
			Note:          access.Note{Detail: map[string]string{"act": "ticket"}},
		}, nil
	}
	return c.guard.Write(ctx, build, func(*store.Tx, *access.Permit) error { return bad })
}

// SystemKey is a public key a business system signs its tickets with.
type SystemKey struct {
	Account elicense.AccountID
	ID      string // as the system names it
	PEM     []byte
	Since   time.Time
	Ended   time.Time
}

var keyID = regexp.MustCompile(`^[0-9A-Za-z._-]{1,40}$`)

// PutSystemKey registers the public key of a business system, or ends one.
//
// Errors: Invalid; Forbidden; NotFound for an account that is no system.
func (c *Cases) PutSystemKey(ctx context.Context, actor *elicense.Actor, login, id string, pem []byte, end bool) error {
	return c.keepSystem(ctx, actor, login, "system-key", end, func(tx *store.Tx, system *org.Account) error {
		if !keyID.MatchString(id) {
			return elicense.E(elicense.Invalid, "密钥的名称只用字母、数字、点、横线，最多40位").At("keyId")
		}
		k := SystemKey{Account: system.ID, ID: id, PEM: pem, Since: tx.Now()}
		if end {
			old, err := systemKey(tx, system.ID, id)
			if err != nil {
				return err
			}
			k = *old
			k.Ended = tx.Now()
		} else if _, err := gm.ParsePublicKey(pem); err != nil {
			return elicense.E(elicense.Invalid, "读不出SM2公钥，要PEM格式").At("key").Because(err)
		}
		_, err := tx.Exec(`INSERT INTO system_key (account, key_id, key, since, ended, mac) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (account, key_id) DO UPDATE SET key = excluded.key, since = excluded.since, ended = excluded.ended, mac = excluded.mac`,
			k.Account, k.ID, k.PEM, k.Since, optional(k.Ended), tx.MAC("system_key", k.row(), k.parts()...))
		return err
	})
}

// keepSystem changes what is registered of a business system.
func (c *Cases) keepSystem(ctx context.Context, actor *elicense.Actor, login, what string, end bool, change func(*store.Tx, *org.Account) error) error {
	build := func(*store.Tx) (access.Request, error) {
		return access.Request{
			Actor: actor, Act: access.SystemKeep, On: access.Thing{Kind: "System", ID: "key"},
			Note: access.Note{Detail: map[string]string{"act": what}},
		}, nil
	}
	return c.guard.Write(ctx, build, func(tx *store.Tx, p *access.Permit) error {
		system, err := org.AccountByLogin(tx, login)
		if err != nil {
			return err
		}
		if system.Kind != elicense.System {
			return elicense.E(elicense.NotFound, "没有这个业务系统").At("system")
		}
		p.Note.Detail = map[string]string{"act": what, "system": string(system.ID), "end": fmt.Sprint(end)}
		return change(tx, system)
	})
}

func (k *SystemKey) row() string { return string(k.Account) + "/" + k.ID }

func (k *SystemKey) parts() [][]byte { return [][]byte{k.PEM, []byte(fmt.Sprint(k.Ended.IsZero()))} }

func systemKey(tx *store.Tx, account elicense.AccountID, id string) (*SystemKey, error) {
	k := SystemKey{Account: account, ID: id}
	var mac []byte
	err := tx.Row(`SELECT key, since, ended, mac FROM system_key WHERE account = $1 AND key_id = $2`, account, id).Scan(&k.PEM, &k.Since, &k.Ended, &mac)
	if err != nil {
		return nil, err
	}
	return &k, tx.CheckMAC(mac, "system_key", k.row(), k.parts()...)
}

func (c *Cases) systemKey(ctx context.Context, account elicense.AccountID, id string) (key *ecdsa.PublicKey, now time.Time, err error) {
	err = c.db.View(ctx, func(tx *store.Tx) error {
		now = tx.Now()
		k, err := systemKey(tx, account, id)
		if err != nil {
			return err
		}
		if !k.Ended.IsZero() {
			return store.ErrNoRow
		}
		key, err = gm.ParsePublicKey(k.PEM)
		return err
	})
	return key, now, err
}

// EachSystemKey reads every registered key; f gets the error of one that is not as
// it was left.
func EachSystemKey(tx *store.Tx, f func(id string, err error) error) error {
	rows, err := tx.Query(`SELECT account, key_id FROM system_key ORDER BY account, key_id`)
	if err != nil {
		return err
	}
	for rows.Next() {
		var k SystemKey
		if err := rows.Scan(&k.Account, &k.ID); err != nil {
			return err
		}
		_, err := systemKey(tx, k.Account, k.ID)
		if err := f(k.row(), err); err != nil {
			return err
		}
	}
	return nil
}
