package delivery

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"math/big"
	"net/mail"
	"regexp"
	"strings"
	"time"

	"elicense"
	"elicense/access"
	"elicense/cases"
	"elicense/store"
)

// Source is who entered an address.
type Source string

// The sources.
const (
	ByHolder Source = "holder" // typed in the folder, confirmed by a code
	ByWindow Source = "window" // told to a clerk in a case, with the identity proven
)

// Chinese returns the words shown to people.
func (s Source) Chinese() string {
	if s == ByWindow {
		return "窗口登记"
	}
	return "本人确认"
}

// Contact is an address of a holder.
type Contact struct {
	Holder    elicense.HolderKey
	Channel   Channel
	Source    Source
	Confirmed time.Time // zero: nothing is sent there
	Pending   bool      // a new address waits for its code
	Expires   time.Time // of the code
	Masked    string    // of the address that is used; empty if there is none
	Waiting   string    // of the one that waits, masked

	unit    elicense.UnitCode
	account elicense.AccountID
	address string
	pending string
	code    []byte // keyed digest of the code
	tries   int64
	asked   time.Time // the last code
	codes   int64     // of the day of asked
}

// The limits of codes.
const (
	codeLife   = 10 * time.Minute
	codePause  = time.Minute
	codesADay  = 5
	codeTries  = 5
	maxAddress = 254 // bytes; RFC 5321
)

func contactID(h elicense.HolderKey, ch Channel) string { return string(h) + "/" + string(ch) }

func (c *Contact) id() string { return contactID(c.Holder, c.Channel) }

func (c *Contact) parts() [][]byte {
	return [][]byte{
		[]byte(c.address), []byte(c.Source), []byte(c.unit), []byte(c.account), micros(c.Confirmed), []byte(c.pending), c.code, micros(c.Expires),
		number(c.tries), micros(c.asked), number(c.codes),
	}
}

// put writes the contact, new or changed.
func (c *Contact) put(tx *store.Tx) error {
	_, err := tx.Exec(`INSERT INTO contact (id, holder, channel, address_enc, source, unit, account, confirmed, pending_enc, code, expires, tries, asked, codes, mac)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
		ON CONFLICT (id) DO UPDATE SET address_enc = excluded.address_enc, source = excluded.source, unit = excluded.unit, account = excluded.account,
			confirmed = excluded.confirmed, pending_enc = excluded.pending_enc, code = excluded.code, expires = excluded.expires, tries = excluded.tries,
			asked = excluded.asked, codes = excluded.codes, mac = excluded.mac`,
		c.id(), c.Holder, string(c.Channel), tx.Encrypt("contact", c.id(), "address_enc", []byte(c.address)), string(c.Source), c.unit, c.account, c.Confirmed,
		tx.Encrypt("contact", c.id(), "pending_enc", []byte(c.pending)), orEmpty(c.code), c.Expires, c.tries, c.asked, c.codes, tx.MAC("contact", c.id(), c.parts()...))
	return err
}

func orEmpty(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

func contacts(tx *store.Tx, where string, args ...any) ([]*Contact, error) {
	return store.All(tx, func(r *store.Rows) (*Contact, error) {
		var c Contact
		var address, pending, mac []byte
		err := r.Scan(&c.Holder, (*string)(&c.Channel), &address, (*string)(&c.Source), &c.unit, &c.account, &c.Confirmed, &pending, &c.code, &c.Expires, &c.tries, &c.asked, &c.codes, &mac)
		if err != nil {
			return nil, err
		}
		if address, err = tx.Decrypt("contact", c.id(), "address_enc", address); err != nil {
			return nil, err
		}
		if pending, err = tx.Decrypt("contact", c.id(), "pending_enc", pending); err != nil {
			return nil, err
		}
		c.address, c.pending = string(address), string(pending)
		if err := tx.CheckMAC(mac, "contact", c.id(), c.parts()...); err != nil {
			return nil, err
		}
		c.Pending, c.Masked, c.Waiting = c.pending != "", mask(c.Channel, c.address), mask(c.Channel, c.pending)
		return &c, nil
	}, `SELECT holder, channel, address_enc, source, unit, account, confirmed, pending_enc, code, expires, tries, asked, codes, mac FROM contact `+where, args...)
}

// contactOf returns a holder's contact; an empty one if he has none.
func contactOf(tx *store.Tx, h elicense.HolderKey, ch Channel) (*Contact, error) {
	list, err := contacts(tx, `WHERE id = $1`+tx.ForUpdate(), contactID(h, ch))
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return &Contact{Holder: h, Channel: ch}, nil
	}
	return list[0], nil
}

// EachContact reads every address; f gets the error of one that is not as it was
// left.
func EachContact(tx *store.Tx, f func(id string, err error) error) error {
	return store.EachID(tx, "contact", func(id string) error {
		_, err := contacts(tx, `WHERE id = $1`, id)
		return f(id, err)
	})
}

// mask hides most of an address: of a number the middle, of a mailbox all but its
// first character and the domain.
func mask(ch Channel, address string) string {
	if address == "" {
		return ""
	}
	if ch == SMS {
		return access.MaskCode(address, 3, 4)
	}
	at := strings.LastIndexByte(address, '@')
	if at < 1 {
		return "***"
	}
	return address[:1] + "***" + address[at:]
}

var mobile = regexp.MustCompile(`^1[3-9][0-9]{9}$`)

// normalize judges an address by its form and returns it as it is kept.
func normalize(ch Channel, address string) (string, error) {
	address = strings.TrimSpace(address)
	switch ch {
	case SMS:
		address = strings.TrimPrefix(strings.NewReplacer(" ", "", "-", "").Replace(address), "+86")
		if mobile.MatchString(address) {
			return address, nil
		}
		return "", elicense.E(elicense.Invalid, "手机号码要是11位的中国内地手机号").At("address")
	case Mail:
		a, err := mail.ParseAddress(address)
		if err == nil && a.Address == address && a.Name == "" && len(address) <= maxAddress && !strings.ContainsAny(address, "\r\n\"") && ascii(address) {
			return address, nil
		}
		return "", elicense.E(elicense.Invalid, "电子邮件地址写得不对").At("address")
	}
	return "", elicense.E(elicense.Invalid, "只能用短信或电子邮件").At("channel")
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

func ownContact(actor *elicense.Actor, detail map[string]string) func(*store.Tx) (access.Request, error) {
	return func(*store.Tx) (access.Request, error) {
		return access.Request{
			Actor: actor, Act: access.ContactOwn, On: access.Thing{Kind: "Contact", ID: "own", Attr: access.Attr{"holder": string(actor.Holder)}},
			Note: access.Note{Holder: actor.Holder, Basis: "持证人本人", Detail: detail},
		}, nil
	}
}

// Contacts returns the addresses of the signed-in holder, one for each channel that
// has a sender or an address, masked.
//
// Errors: Forbidden to who is no holder.
func (d *Desk) Contacts(ctx context.Context, actor *elicense.Actor) (list []*Contact, err error) {
	list, _, err = access.Get(ctx, d.Guard, ownContact(actor, map[string]string{"act": "list"}), func(tx *store.Tx, _ *access.Permit) (list []*Contact, err error) {
		for _, ch := range Channels() {
			c, err := contactOf(tx, actor.Holder, ch)
			if err != nil {
				return nil, err
			}
			if c.address != "" || c.pending != "" || d.lines[ch].sender() != nil {
				list = append(list, c)
			}
		}
		return list, nil
	})
	return list, err
}

// Ask enters an address of the signed-in holder, to which a code of six digits is
// sent; nothing else goes there before Confirm.
//
// Errors: Invalid for an address that is none; Forbidden; TooMany; Unavailable if the
// channel has no sender.
func (d *Desk) Ask(ctx context.Context, actor *elicense.Actor, ch Channel, address string) error {
	address, err := normalize(ch, address)
	if err != nil {
		return err
	}
	if d.lines[ch].sender() == nil {
		return elicense.E(elicense.Unavailable, "平台没有开通%s", ch.Chinese()).Then("请换一种方式，或在卡包的消息里查看")
	}
	return d.Guard.Write(ctx, ownContact(actor, map[string]string{"act": "ask", "channel": string(ch)}), func(tx *store.Tx, p *access.Permit) error {
		c, err := contactOf(tx, actor.Holder, ch)
		if err != nil {
			return err
		}
		if elicense.DateOf(c.asked) != elicense.DateOf(tx.Now()) {
			c.codes = 0
		}
		if c.codes >= codesADay || tx.Now().Sub(c.asked) < codePause {
			return elicense.E(elicense.TooMany, "验证码要得太频繁").Then("请等1分钟再要；一天最多5次")
		}
		code, err := rand.Int(rand.Reader, big.NewInt(1_000_000))
		if err != nil {
			return fmt.Errorf("code: %w", err)
		}
		digits := fmt.Sprintf("%06d", code)
		c.pending, c.code, c.Expires, c.tries, c.asked, c.codes = address, tx.Index("contact-code", c.id()+"/"+digits), tx.Now().Add(codeLife), 0, tx.Now(), c.codes+1
		if err := c.put(tx); err != nil {
			return err
		}
		m := &message{Holder: actor.Holder, Channel: ch, Kind: ofCode, content: content{
			Address: address, Subject: "验证码", Text: fmt.Sprintf("您的验证码是%s，10分钟内有效。不是您本人操作的，请不要理会。【%s】", digits, d.Platform),
		}}
		return m.post(tx)
	})
}

// Confirm takes the address into use if the code is the one that was sent there.
//
// Errors: Invalid for a wrong code; Conflict if there is none any more; Forbidden.
func (d *Desk) Confirm(ctx context.Context, actor *elicense.Actor, ch Channel, code string) error {
	code = strings.TrimSpace(code)
	var said error
	err := d.Guard.Write(ctx, ownContact(actor, map[string]string{"act": "confirm", "channel": string(ch)}), func(tx *store.Tx, p *access.Permit) error {
		said = nil
		c, err := contactOf(tx, actor.Holder, ch)
		if err != nil {
			return err
		}
		if c.pending == "" || tx.Now().After(c.Expires) || c.tries >= codeTries {
			return elicense.E(elicense.Conflict, "验证码已经失效").At("code").Then("请重新获取验证码")
		}
		if !c.sent(tx, code) {
			// The try is kept: an error here would take it back.
			c.tries++
			p.Note.Detail["came"] = "wrong"
			said = elicense.E(elicense.Invalid, "验证码不对").At("code").Then("请核对后再填；错5次要重新获取")
			return c.put(tx)
		}
		c.address, c.Source, c.unit, c.account, c.Confirmed = c.pending, ByHolder, "", actor.Account, tx.Now()
		c.pending, c.code, c.Expires, c.tries = "", nil, time.Time{}, 0
		return c.put(tx)
	})
	if err == nil {
		err = said
	}
	return err
}

// sent tells whether it is the code that was sent.
func (c *Contact) sent(tx *store.Tx, code string) bool {
	for _, index := range tx.Indexes("contact-code", c.id()+"/"+code) {
		if hmac.Equal(index, c.code) {
			return true
		}
	}
	return false
}

// Forget removes an address of the signed-in holder, and one that waits for its code.
// How many codes were asked for is kept. Errors: Forbidden.
func (d *Desk) Forget(ctx context.Context, actor *elicense.Actor, ch Channel) error {
	return d.Guard.Write(ctx, ownContact(actor, map[string]string{"act": "forget", "channel": string(ch)}), func(tx *store.Tx, _ *access.Permit) error {
		c, err := contactOf(tx, actor.Holder, ch)
		if err != nil || c.address == "" && c.pending == "" {
			return err
		}
		return (&Contact{Holder: c.Holder, Channel: c.Channel, asked: c.asked, codes: c.codes}).put(tx)
	})
}

// Take enters an address a party of a case tells the clerk, whose identity is proven.
// One the holder has confirmed himself is not replaced.
//
// Errors: Invalid; Forbidden; Conflict if the holder has confirmed one himself;
// NotFound if the case has no such party.
func (d *Desk) Take(ctx context.Context, actor *elicense.Actor, id elicense.CaseID, party int, ch Channel, address string) error {
	address, err := normalize(ch, address)
	if err != nil {
		return err
	}
	var holder elicense.HolderKey
	build := func(tx *store.Tx) (access.Request, error) {
		k, m, err := cases.Find(tx, id)
		if err != nil {
			return access.Request{}, err
		}
		holder = ""
		if k != nil && party >= 0 && party < len(k.Parties) {
			holder = k.Parties[party].Holder
		}
		return access.Request{
			Actor: actor, Act: access.ContactTake, On: cases.Thing(k, m), Rests: k.Rests(), Circumstances: access.Attr{"holder": string(holder)},
			Note: access.Note{Case: id, Holder: holder, Basis: "法定职责", Detail: map[string]string{"channel": string(ch)}},
		}, nil
	}
	return d.Guard.Write(ctx, build, func(tx *store.Tx, _ *access.Permit) error {
		c, err := contactOf(tx, holder, ch)
		if err != nil {
			return err
		}
		if c.address != "" && c.Source == ByHolder {
			return elicense.E(elicense.Conflict, "持证人自己确认过%s的联系方式", ch.Chinese()).Then("请他本人在卡包的设置里更改")
		}
		c.address, c.Source, c.unit, c.account, c.Confirmed = address, ByWindow, actor.Unit, actor.Account, tx.Now()
		return c.put(tx)
	})
}

// Reached lists the addresses of the parties of a clerk's case by their places,
// masked. Errors: Forbidden.
func (d *Desk) Reached(ctx context.Context, actor *elicense.Actor, id elicense.CaseID) (by map[int][]*Contact, err error) {
	build := func(tx *store.Tx) (access.Request, error) {
		k, m, err := cases.Find(tx, id)
		if err != nil {
			return access.Request{}, err
		}
		return access.Request{Actor: actor, Act: access.CaseRead, On: cases.Thing(k, m), Note: access.Note{Case: id, Detail: map[string]string{"act": "contacts"}}}, nil
	}
	by, _, err = access.Get(ctx, d.Guard, build, func(tx *store.Tx, _ *access.Permit) (map[int][]*Contact, error) {
		k, err := cases.Of(tx, id)
		if err != nil {
			return nil, err
		}
		by := map[int][]*Contact{}
		for place, p := range k.Parties {
			if by[place], err = contacts(tx, `WHERE holder = $1 AND confirmed IS NOT NULL ORDER BY channel DESC`, p.Holder); err != nil {
				return nil, err
			}
		}
		return by, nil
	})
	return by, err
}

// content is the part of a message that is kept as cipher text.
type content struct {
	Address string `json:"address"`
	Subject string `json:"subject,omitempty"`
	Text    string `json:"text,omitempty"` // gone once a code was handed over
}

func (c content) marshal() []byte {
	b, err := json.Marshal(c)
	if err != nil {
		panic(err) // strings alone
	}
	return b
}
