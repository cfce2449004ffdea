package cases

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"

	"elicense"
	"elicense/access"
	"elicense/gm"
	"elicense/org"
	"elicense/store"
)

// Frame is a case shown inside a page of the business system that opened it with
// a ticket: for systems that can do no more than link (Art. 13(1)). Whoever holds
// its token acts as the system, in this one case, until it runs out, the case
// ends, or the key that signed the ticket is withdrawn.
type Frame struct {
	System  elicense.AccountID
	Case    elicense.CaseID
	Officer string // whom the ticket names
	Expires time.Time
}

// frameLife is how long a frame lives; a new ticket opens a new one.
const frameLife = time.Hour

// FrameOrigins lists the origins whose pages may frame cases of the system.
func (c *Cases) FrameOrigins(ctx context.Context, system elicense.AccountID) (list []string, err error) {
	err = c.db.View(ctx, func(tx *store.Tx) error {
		list, err = origins(tx, system)
		return err
	})
	return list, err
}

func origins(tx *store.Tx, system elicense.AccountID) (list []string, err error) {
	rows, err := tx.Query(`SELECT origin, mac FROM system_origin WHERE account = $1 ORDER BY origin`, system)
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		var origin string
		var mac []byte
		if err := rows.Scan(&origin, &mac); err != nil {
			return nil, err
		}
		if err := tx.CheckMAC(mac, "system_origin", string(system)+" "+origin); err != nil {
			return nil, err
		}
		list = append(list, origin)
	}
	return list, nil
}

// PutSystemOrigin registers an origin (scheme, host and port) whose pages may frame
// cases of the business system, or ends one.
//
// Errors: Invalid; Forbidden; NotFound for an account that is no system.
func (c *Cases) PutSystemOrigin(ctx context.Context, actor *elicense.Actor, login, origin string, end bool) error {
	return c.keepSystem(ctx, actor, login, "system-origin", end, func(tx *store.Tx, system *org.Account) error {
		origin, err := parseOrigin(origin)
		if err != nil {
			return err
		}
		if end {
			_, err := tx.Exec(`DELETE FROM system_origin WHERE account = $1 AND origin = $2`, system.ID, origin)
			return err
		}
		_, err = tx.Exec(`INSERT INTO system_origin (account, origin, since, mac) VALUES ($1, $2, $3, $4) ON CONFLICT (account, origin) DO NOTHING`,
			system.ID, origin, tx.Now(), tx.MAC("system_origin", string(system.ID)+" "+origin))
		return err
	})
}

// parseOrigin checks an origin and writes it as browsers do. Plain http is for this
// machine only.
func parseOrigin(text string) (string, error) {
	bad := elicense.E(elicense.Invalid, "网页来源要写成https://主机名的样子，不带路径").At("origin")
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil {
		return "", bad.Because(err)
	}
	ip := net.ParseIP(u.Hostname())
	local := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	if u.Host == "" || u.User != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" || len(u.Host) > 253 ||
		u.Scheme != "https" && (u.Scheme != "http" || !local) || strings.ContainsFunc(u.Host, func(r rune) bool {
		return r > '~' || !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789.-:[]", lower(r))
	}) {
		return "", bad
	}
	host := strings.ToLower(u.Host)
	if u.Scheme == "https" {
		host = strings.TrimSuffix(host, ":443")
	} else {
		host = strings.TrimSuffix(host, ":80")
	}
	return u.Scheme + "://" + host, nil
}

func lower(r rune) rune {
	if 'A' <= r && r <= 'Z' {
		return r + 'a' - 'A'
	}
	return r
}

// OpenFrame opens the case a ticket describes, or comes back to it with a new
// ticket, and returns the token of its frame. Origin is where the ticket was
// posted from; it must be registered, or empty if it was the platform's own page.
//
// Errors: Forbidden for an origin or a ticket that is refused, on record as of
// nobody, since anybody can send one; Conflict if the parties are not those of the
// case any more; and those of Start.
func (c *Cases) OpenFrame(ctx context.Context, system *elicense.Actor, origin, ticket string) (token string, k *Case, err error) {
	known, err := c.FrameOrigins(ctx, system.Account)
	if err != nil {
		return "", nil, err
	}
	var (
		kid string
		t   *Ticket
	)
	if origin != "" && !slices.Contains(known, origin) {
		err = elicense.E(elicense.Forbidden, "没有打开：这个网页来源没有登记").Under("第十三条第二款").Then("请系统管理员登记业务系统的网页来源")
	} else {
		kid, t, err = c.proven(ctx, system, ticket)
	}
	if elicense.IsKind(err, elicense.Forbidden) {
		if rerr := c.refuseTicket(ctx, elicense.Anyone(system.Request), err); !elicense.IsKind(rerr, elicense.Forbidden) {
			return "", nil, rerr
		}
	}
	if err != nil {
		return "", nil, err
	}
	token = rand.Text()
	open := func(tx *store.Tx, k *Case) error {
		if err := t.spend(tx, system.Account, k.ID); err != nil {
			return err
		}
		f := frameRow{digest(token), system.Account, kid, k.ID, t.Officer, tx.Now().Add(frameLife)}
		return f.insert(tx)
	}
	before, err := c.openAlready(ctx, system, t.Case)
	if err != nil {
		return "", nil, err
	}
	if before == "" {
		k, err = c.start(ctx, system, t.newCase(), BySystem, open)
		return token, k, err
	}
	build := func(tx *store.Tx) (access.Request, error) {
		req, err := c.request(system, access.CaseRead, before)(tx)
		req.Note.Detail = map[string]string{"act": "frame"}
		return req, err
	}
	err = c.guard.Write(ctx, build, func(tx *store.Tx, p *access.Permit) (err error) {
		if k, _, err = Find(tx, before); err != nil {
			return err
		}
		p.Note.Purpose = k.Purpose
		if !t.describes(k) {
			return elicense.E(elicense.Conflict, "没有打开：票据里的事项或当事人与这个办件的不同").Under("第十三条第二款").
				Then("办件开办以后，当事人要在办件里增加；别的事项请另开办件")
		}
		return open(tx, k)
	})
	return token, k, err
}

// openAlready is the case of the system with the number, empty if there is none
// that is its own and open.
func (c *Cases) openAlready(ctx context.Context, system *elicense.Actor, number string) (id elicense.CaseID, err error) {
	err = c.db.View(ctx, func(tx *store.Tx) error {
		found, err := list(tx, `WHERE unit = $1 AND number = $2`, system.Unit, strings.TrimSpace(number))
		for _, k := range found {
			if k.Clerk == system.Account && k.Open() {
				id = k.ID
			}
		}
		return err
	})
	return id, err
}

// describes tells whether the ticket is of the case as it stands: the same matter
// and nobody who is no party.
func (t *Ticket) describes(k *Case) bool {
	for _, p := range t.Parties {
		ref := p.Holder.Normalize()
		if !slices.ContainsFunc(k.Parties, func(of Party) bool { return of.Ref.CodeType == ref.CodeType && of.Ref.Code == ref.Code }) {
			return false
		}
	}
	return t.Matter == k.Matter && len(t.Parties) > 0
}

// Framed returns the frame of a token. Errors: Unauthorized if it ran out or its
// key was withdrawn.
func (c *Cases) Framed(ctx context.Context, token string) (*Frame, error) {
	f := frameRow{digest: digest(token)}
	over := elicense.E(elicense.Unauthorized, "这个页面已经失效").Then("请在业务系统里重新打开这个办件")
	err := c.db.View(ctx, func(tx *store.Tx) error {
		if err := f.read(tx); err != nil {
			return err
		}
		key, err := systemKey(tx, f.system, f.key)
		if err == nil && (!key.Ended.IsZero() || !f.expires.After(tx.Now())) {
			err = store.ErrNoRow
		}
		return err
	})
	if elicense.IsKind(err, elicense.NotFound) {
		return nil, over.Because(err)
	}
	if err != nil {
		return nil, err
	}
	return &Frame{f.system, f.id, f.officer, f.expires}, nil
}

// frameRow is a frame as it is kept: under the digest of its token.
type frameRow struct {
	digest  string
	system  elicense.AccountID
	key     string
	id      elicense.CaseID
	officer string
	expires time.Time
}

func digest(token string) string {
	d := gm.Sum([]byte(token))
	return base64.RawURLEncoding.EncodeToString(d[:])
}

func (f *frameRow) parts() [][]byte {
	return [][]byte{[]byte(f.system), []byte(f.key), []byte(f.id), []byte(f.officer), []byte(f.expires.UTC().Format(time.RFC3339))}
}

func (f *frameRow) insert(tx *store.Tx) error {
	f.expires = f.expires.Truncate(time.Second)
	if _, err := tx.Exec(`DELETE FROM case_frame WHERE expires < $1`, tx.Now()); err != nil {
		return err
	}
	_, err := tx.Exec(`INSERT INTO case_frame (digest, account, key_id, case_id, officer_enc, expires, mac) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		f.digest, f.system, f.key, f.id, tx.Encrypt("case_frame", f.digest, "officer_enc", []byte(f.officer)), f.expires, tx.MAC("case_frame", f.digest, f.parts()...))
	return err
}

func (f *frameRow) read(tx *store.Tx) error {
	var officer, mac []byte
	err := tx.Row(`SELECT account, key_id, case_id, officer_enc, expires, mac FROM case_frame WHERE digest = $1`, f.digest).
		Scan(&f.system, &f.key, &f.id, &officer, &f.expires, &mac)
	if err != nil {
		return err
	}
	if officer, err = tx.Decrypt("case_frame", f.digest, "officer_enc", officer); err != nil {
		return err
	}
	f.officer = string(officer)
	return tx.CheckMAC(mac, "case_frame", f.digest, f.parts()...)
}

// EachFrame reads every frame and every registered origin; f gets the error of one
// that is not as it was left.
func EachFrame(tx *store.Tx, f func(id string, err error) error) error {
	rows, err := tx.Query(`SELECT digest FROM case_frame ORDER BY digest`)
	if err != nil {
		return err
	}
	for rows.Next() {
		var row frameRow
		if err := rows.Scan(&row.digest); err != nil {
			return err
		}
		if err := f(row.digest, row.read(tx)); err != nil {
			return err
		}
	}
	rows, err = tx.Query(`SELECT DISTINCT account FROM system_origin ORDER BY account`)
	if err != nil {
		return err
	}
	for rows.Next() {
		var system elicense.AccountID
		if err := rows.Scan(&system); err != nil {
			return err
		}
		_, err := origins(tx, system)
		if err := f(string(system), err); err != nil {
			return err
		}
	}
	return nil
}
