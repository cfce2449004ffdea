package sealing

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"elicense"
	"elicense/access"
	"elicense/gm"
	"elicense/org"
	"elicense/seal"
	"elicense/store"
)

// The names of the demo authority's keys and certificates.
const (
	rootName  = "root"
	makerName = "seal-maker"
	timeName  = "time-authority"
	printName = "print-signer"
)

// timePolicy is the policy the demo's time stamps are made under.
const timePolicy = "1.2.156.10197.6.1.4.2.9.1"

// The terms of the demo authority's certificates and seals, in years, and of its
// revocation lists.
const (
	rootYears = 20
	makeYears = 15
	unitYears = 5
	listTerm  = 7 * 24 * time.Hour
)

// Establish makes what the platform's own demo authority lacks: a root, and
// certificates for the seal maker, the time authority and the signer of prints.
func (r *Register) Establish(ctx context.Context) error {
	have := map[string]*gm.Certificate{}
	err := r.DB.View(ctx, func(tx *store.Tx) error {
		for _, name := range []string{rootName, makerName, timeName, printName} {
			c, err := certificate(tx, name)
			if elicense.IsKind(err, elicense.NotFound) {
				continue
			}
			if err != nil {
				return err
			}
			have[name] = c
		}
		return nil
	})
	if err != nil || len(have) == 4 {
		return err
	}
	from := r.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	rootKey, err := r.key(rootName)
	if err != nil {
		return err
	}
	made := map[string]*gm.Certificate{}
	root := have[rootName]
	if root == nil {
		root, err = gm.NewRoot(rootKey, gm.Name{Unit: "演示电子印章认证机构", CommonName: "演示根证书"}, from, from.AddDate(rootYears, 0, 0))
		if err != nil {
			return fmt.Errorf("root certificate: %w", err)
		}
		made[rootName] = root
	}
	authority := &gm.Authority{Root: root, Key: rootKey}
	for _, c := range []struct {
		name  string
		issue func(gm.Signer) (*gm.Certificate, error)
	}{
		{makerName, func(k gm.Signer) (*gm.Certificate, error) {
			return authority.Issue(k.Public(), gm.Name{Unit: "演示电子印章制作中心", CommonName: "演示制章人"}, from, from.AddDate(makeYears, 0, 0))
		}},
		{timeName, func(k gm.Signer) (*gm.Certificate, error) {
			return authority.IssueTimeAuthority(k.Public(), gm.Name{Unit: "演示时间戳服务中心", CommonName: "演示时间戳"}, from, from.AddDate(makeYears, 0, 0))
		}},
		{printName, func(k gm.Signer) (*gm.Certificate, error) {
			return authority.Issue(k.Public(), gm.Name{Unit: "演示证照平台", CommonName: "演示打印件签名"}, from, from.AddDate(makeYears, 0, 0))
		}},
	} {
		if have[c.name] != nil {
			continue
		}
		key, err := r.key(c.name)
		if err != nil {
			return err
		}
		if made[c.name], err = c.issue(key); err != nil {
			return fmt.Errorf("certificate of %s: %w", c.name, err)
		}
	}
	return r.DB.Update(ctx, func(tx *store.Tx) error {
		for name, c := range made {
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
func (r *Register) key(name string) (gm.Signer, error) {
	k, err := r.Keys.Open(name)
	if errors.Is(err, gm.ErrNoKey) {
		return r.Keys.Create(name)
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

// own opens one of the authority's own keys with its certificate.
func (r *Register) own(ctx context.Context, name string) (key gm.Signer, cert *gm.Certificate, err error) {
	err = r.DB.View(ctx, func(tx *store.Tx) error {
		cert, err = certificate(tx, name)
		return err
	})
	if err == nil {
		key, err = r.Keys.Open(name)
	}
	return key, cert, err
}

// make fills in a seal's key, certificate and content.
func (r *Register) make(ctx context.Context, e *Seal, u *org.Unit) error {
	rootKey, root, err := r.own(ctx, rootName)
	if err != nil {
		return err
	}
	makerKey, maker, err := r.own(ctx, makerName)
	if err != nil {
		return err
	}
	e.Key = "seal-" + string(e.ID)
	key, err := r.key(e.Key)
	if err != nil {
		return err
	}
	from := r.Now().Add(-time.Minute).UTC().Truncate(time.Second)
	to := from.AddDate(unitYears, 0, 0)
	authority := gm.Authority{Root: root, Key: rootKey}
	cert, err := authority.Issue(key.Public(), gm.Name{Unit: u.Name, CommonName: u.Name}, from, to)
	if err != nil {
		return err
	}
	picture, w, h, err := r.Draw(e.Name, e.Line)
	if err != nil {
		return err
	}
	made, err := seal.Make(seal.Spec{
		ID: sealNumber(u.Code, e.ID), Vendor: "elicense", Type: 1, Name: e.Name, Signers: []*gm.Certificate{cert},
		Created: from, From: from, To: to, Picture: picture, W: w, H: h,
	}, makerKey, maker)
	if err != nil {
		return err
	}
	e.Cert, e.Content, e.ValidTo = cert.DER, made.DER, to
	return nil
}

// sealNumber is the number a seal carries: its unit's code and what tells it
// from the unit's other seals.
func sealNumber(u elicense.UnitCode, id elicense.SealID) string {
	return string(u) + "-" + strings.ToUpper(string(id)[max(0, len(id)-8):])
}

// The kinds of what is imported for trust.
const (
	TrustRoot         = "root"         // a root certificate
	TrustIntermediate = "intermediate" // an authority's certificate below a root
	TrustList         = "list"         // a revocation list
)

// Item is a certificate or list that was imported.
type Item struct {
	ID      string
	Kind    string
	Name    string
	Content []byte // DER
	Added   time.Time
}

func (i *Item) parts() [][]byte { return [][]byte{[]byte(i.Kind), []byte(i.Name), i.Content} }

// MaxImport bounds an imported seal, certificate or list in bytes.
const MaxImport = 4 << 20

// ImportTrust takes in a root or intermediate certificate, or a revocation list,
// DER or PEM. A newer list of an authority stands beside the older ones.
//
// Errors: Invalid, TooLarge, Forbidden.
func (r *Register) ImportTrust(ctx context.Context, actor *elicense.Actor, kind string, data []byte) (*Item, error) {
	item, wrong := r.item(kind, data)
	build := func(*store.Tx) (access.Request, error) {
		return access.Request{
			Actor: actor, Act: access.SealManage, On: access.Thing{Kind: "Trust", Attr: access.Attr{"unit": "", "applicant": ""}},
			Note: access.Note{Detail: map[string]string{"trust": item.Kind, "name": item.Name}},
		}, nil
	}
	err := r.Guard.Write(ctx, build, func(tx *store.Tx, _ *access.Permit) error {
		if wrong != nil { // told to nobody the law refuses
			return wrong
		}
		item.ID, item.Added = elicense.NewID[string](tx.Now()), tx.Now()
		_, err := tx.Exec(`INSERT INTO trust_item (id, kind, name, content, added, mac) VALUES ($1, $2, $3, $4, $5, $6)`,
			item.ID, item.Kind, item.Name, item.Content, item.Added, tx.MAC("trust_item", item.ID, item.parts()...))
		return err
	})
	if err != nil {
		return nil, err
	}
	return item, nil
}

// item reads what is to be imported. Beside an error the item names nothing of
// what was sent.
func (r *Register) item(kind string, data []byte) (*Item, error) {
	none := &Item{}
	bad := func(cause error, text string) (*Item, error) {
		return none, elicense.E(elicense.Invalid, "%s", text).At("file").Because(cause)
	}
	if err := sized(data); err != nil {
		return none, err
	}
	item := &Item{Kind: kind}
	switch {
	case kind == TrustList:
		l, err := gm.ParseRevocationList(data)
		if err != nil {
			return bad(err, "不是用 SM2 签名的证书吊销列表")
		}
		item.Content, item.Name = l.DER, l.From.In(elicense.Shanghai).Format("2006-01-02")
	case kind == TrustRoot || kind == TrustIntermediate:
		list, err := gm.ParsePEM(data)
		if err != nil {
			c, parseErr := gm.ParseCertificate(data)
			list, err = []*gm.Certificate{c}, parseErr
		}
		if err != nil || len(list) != 1 || list[0].Malformed != nil {
			return bad(err, "不是一张合规的 SM2 证书")
		}
		if err := list[0].CheckUse(r.Now(), gm.UsageCertify); err != nil {
			return bad(err, "这张证书现在不能用来签发证书")
		}
		item.Content, item.Name = list[0].DER, list[0].Subject()
	default:
		return none, elicense.E(elicense.Invalid, "要选择导入的种类").At("kind")
	}
	return item, nil
}

func items(tx *store.Tx, where string, args ...any) ([]*Item, error) {
	rows, err := tx.Query(`SELECT id, kind, name, content, added, mac FROM trust_item `+where, args...)
	if err != nil {
		return nil, err
	}
	var list []*Item
	for rows.Next() {
		var i Item
		var mac []byte
		if err := rows.Scan(&i.ID, &i.Kind, &i.Name, &i.Content, &i.Added, &mac); err != nil {
			return nil, err
		}
		if err := tx.CheckMAC(mac, "trust_item", i.ID, i.parts()...); err != nil {
			return nil, err
		}
		list = append(list, &i)
	}
	return list, nil
}

// Items lists what was imported for trust.
func (r *Register) Items(ctx context.Context) (list []*Item, err error) {
	err = r.DB.View(ctx, func(tx *store.Tx) error {
		list, err = items(tx, `ORDER BY added`)
		return err
	})
	return list, err
}

// Trust returns what seals, signers and time stamps are judged by: the roots of
// the platform's own authority and those imported, with the revocation lists.
func (r *Register) Trust(ctx context.Context) (*gm.Trust, error) {
	t := &gm.Trust{Cache: gm.NewCache()}
	if err := r.DB.View(ctx, func(tx *store.Tx) error { return trusted(tx, t) }); err != nil {
		return nil, err
	}
	own, err := r.List(ctx)
	switch {
	case err == nil:
		t.Lists = append(t.Lists, own)
	case !elicense.IsKind(err, elicense.NotFound):
		return nil, err
	}
	return t, nil
}

// trusted reads the platform's own root and what was imported into t.
func trusted(tx *store.Tx, t *gm.Trust) error {
	root, err := certificate(tx, rootName)
	switch {
	case err == nil:
		t.Roots = append(t.Roots, root)
	case !elicense.IsKind(err, elicense.NotFound):
		return err
	}
	list, err := items(tx, `ORDER BY added`)
	if err != nil {
		return err
	}
	for _, i := range list {
		if err := i.into(t); err != nil {
			return fmt.Errorf("trust item %s: %w", i.ID, err)
		}
	}
	return nil
}

func (i *Item) into(t *gm.Trust) error {
	if i.Kind == TrustList {
		l, err := gm.ParseRevocationList(i.Content)
		if err == nil {
			t.Lists = append(t.Lists, l)
		}
		return err
	}
	c, err := gm.ParseCertificate(i.Content)
	if err != nil {
		return err
	}
	if i.Kind == TrustRoot {
		t.Roots = append(t.Roots, c)
	} else {
		t.Intermediates = append(t.Intermediates, c)
	}
	return nil
}

// List signs the revocation list of the platform's own authority as it is now.
//
// Errors: NotFound without an authority of its own.
func (r *Register) List(ctx context.Context) (*gm.RevocationList, error) {
	key, root, err := r.own(ctx, rootName)
	if err != nil {
		return nil, err
	}
	var revoked []gm.Revoked
	err = r.DB.View(ctx, func(tx *store.Tx) error {
		revoked, err = revokedNow(tx)
		return err
	})
	if err != nil {
		return nil, err
	}
	now := r.Now().UTC().Truncate(time.Second)
	a := gm.Authority{Root: root, Key: key}
	l, err := a.RevocationList(revoked, now.Unix(), now, now.Add(listTerm))
	if err != nil {
		return nil, fmt.Errorf("revocation list: %w", err)
	}
	return l, nil
}

// notRevoked sees that a signer's certificate is in no revocation list.
func (r *Register) notRevoked(ctx context.Context, c *gm.Certificate) error {
	gone := elicense.E(elicense.Unavailable, "本单位的签章证书已被吊销，不能签章").Then("请联系管理部门换发")
	trust := &gm.Trust{}
	err := r.DB.View(ctx, func(tx *store.Tx) error {
		var n int
		if err := tx.Row(`SELECT COUNT(*) FROM revoked WHERE certificate = $1`, c.DER).Scan(&n); err != nil {
			return err
		}
		if n > 0 {
			return gone
		}
		return trusted(tx, trust)
	})
	if err != nil || len(trust.Lists) == 0 {
		return err
	}
	if _, err := trust.Check(c, r.Now(), gm.UsageSign); errors.Is(err, gm.ErrRevoked) {
		return gone.Because(err)
	}
	return nil
}

// Request makes the request for a certificate of a seal's key, to be taken to an
// outside authority, as PEM.
//
// Errors: Forbidden, NotFound, Conflict.
func (r *Register) Request(ctx context.Context, actor *elicense.Actor, id elicense.SealID) ([]byte, error) {
	if _, err := r.Details(ctx, actor, id); err != nil {
		return nil, err
	}
	e, u, err := r.read(ctx, id)
	if err != nil {
		return nil, err
	}
	if e.State != Applied {
		return nil, errState(e.State)
	}
	key, err := r.key("seal-" + string(e.ID))
	if err != nil {
		return nil, err
	}
	der, err := gm.NewRequest(key, gm.Name{Unit: u.Name, CommonName: u.Name})
	if err != nil {
		return nil, fmt.Errorf("certificate request: %w", err)
	}
	req, err := gm.ParseRequest(der)
	if err != nil {
		return nil, fmt.Errorf("certificate request: %w", err)
	}
	return req.PEM(), nil
}

// KeyName is the name with the keeper of the key Request makes for a seal: an
// imported seal whose certificate was issued for it names it.
func KeyName(id elicense.SealID) string { return "seal-" + string(id) }

// TimeStamper returns the time authority seals are stamped by; nil if the
// platform has neither an outside one nor its own.
func (r *Register) TimeStamper(ctx context.Context) (gm.TimeStamper, error) {
	if r.Outside != nil {
		return r.Outside, nil
	}
	a, err := r.TimeAuthority(ctx)
	if elicense.IsKind(err, elicense.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return a, nil
}

// TimeAuthority returns the platform's own time authority.
//
// Errors: NotFound without one.
func (r *Register) TimeAuthority(ctx context.Context) (*gm.TimeAuthority, error) {
	if a := r.authority.Load(); a != nil {
		return a, nil
	}
	key, cert, err := r.own(ctx, timeName)
	if err != nil {
		return nil, err
	}
	a, err := gm.NewTimeAuthority(key, cert, timePolicy, r.Now)
	if err == nil {
		r.authority.Store(a)
	}
	return a, err
}

// Printer returns the key prints are signed with and its certificate.
//
// Errors: NotFound without an authority of its own.
func (r *Register) Printer(ctx context.Context) (gm.Signer, *gm.Certificate, error) {
	return r.own(ctx, printName)
}
