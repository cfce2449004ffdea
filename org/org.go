// Package org knows who there is: units and regions, people, the accounts they
// sign in with, the duties of their posts, and the register of electronic seals.
// Art. 5, 17(3), 20.
//
// One real person is one person here, whatever units and posts he has; the rule
// that a reviewer is another person than the drafter looks at the person, not at
// the account.
package org

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/argon2"

	"elicense"
	"elicense/store"
)

// Unit is a body of the province (Art. 5).
type Unit struct {
	Code       elicense.UnitCode
	Short      string // the unit's short name in the demo and in URLs
	Name       string
	Region     elicense.RegionCode
	RegionName string
	Parent     elicense.UnitCode
	Kind       string   // dept, hall, egov, efficiency, archive, …
	Roles      []string // issue, apply, egov, supervise, …
}

// ThirdParty is the kind of units that issue by a legal qualification (取得法定
// 资质的第三方机构, Art. 2).
const ThirdParty = "third_party"

// Account is a way to sign in for one unit, or as a holder.
type Account struct {
	ID       elicense.AccountID
	Login    string
	Kind     elicense.ActorKind
	Person   elicense.PersonID
	Holder   elicense.HolderKey
	Unit     elicense.UnitCode
	Name     string
	Disabled bool
	Stamp    int64
	Duties   []elicense.Duty
	secret   string
}

// Org keeps units, people, accounts and seals in the store.
type Org struct {
	db       *store.DB
	now      func() time.Time
	failures *Limiter
	refused  atomic.Uint64
	offered  []string // logins
	known    sync.Map // digest of a token → knownActor
}

// New returns the organization kept in db.
func New(db *store.DB, now func() time.Time) *Org {
	return &Org{db: db, now: now, failures: NewLimiter(now, 10, 15*time.Minute)}
}

// AddUnit enters a unit. Its code must be a correct GB 32100 code.
func AddUnit(tx *store.Tx, u Unit) error {
	if u.Code.Check() > elicense.CodeDoubtful {
		return elicense.E(elicense.Invalid, "单位的统一社会信用代码不对").At("code").Under("GB 32100-2015")
	}
	_, err := tx.Exec(`INSERT INTO unit (code, short, name, region, region_name, parent, kind, roles, created)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		u.Code, u.Short, u.Name, u.Region, u.RegionName, u.Parent, u.Kind, strings.Join(u.Roles, ","), tx.Now())
	return err
}

// ChangeUnit writes what is known of a unit anew; its code stays. Errors: NotFound.
func ChangeUnit(tx *store.Tx, u Unit) error {
	n, err := tx.Exec(`UPDATE unit SET name = $1, region = $2, region_name = $3, parent = $4, kind = $5 WHERE code = $6`,
		u.Name, u.Region, u.RegionName, u.Parent, u.Kind, u.Code)
	if err == nil && n == 0 {
		return store.ErrNoRow
	}
	return err
}

const unitColumns = `code, short, name, region, region_name, parent, kind, roles`

// UnitOf returns a unit by its code. Errors: NotFound.
func UnitOf(tx *store.Tx, code elicense.UnitCode) (*Unit, error) {
	u, err := store.Keep(tx, "unit "+string(code), func() (Unit, error) {
		list, err := units(tx, `WHERE code = $1`, code)
		if err != nil {
			return Unit{}, err
		}
		if len(list) == 0 {
			return Unit{}, store.ErrNoRow
		}
		return *list[0], nil
	})
	if err != nil {
		return nil, err
	}
	return &u, nil
}

// Units lists all units in the order of region and code.
func Units(tx *store.Tx) ([]*Unit, error) { return units(tx, `ORDER BY region, code`) }

func units(tx *store.Tx, where string, args ...any) ([]*Unit, error) {
	rows, err := tx.Query(`SELECT `+unitColumns+` FROM unit `+where, args...)
	if err != nil {
		return nil, err
	}
	var list []*Unit
	for rows.Next() {
		var u Unit
		var roles string
		if err := rows.Scan(&u.Code, &u.Short, &u.Name, &u.Region, &u.RegionName, &u.Parent, &u.Kind, &roles); err != nil {
			return nil, err
		}
		u.Roles = strings.Split(roles, ",")
		list = append(list, &u)
	}
	return list, nil
}

// PersonOf returns the person who has the code. Errors: NotFound.
func PersonOf(tx *store.Tx, ref elicense.HolderRef) (id elicense.PersonID, err error) {
	err = tx.ByIndex("person-code", string(ref.CodeType)+"|"+ref.Code, `SELECT id FROM person WHERE code_index = $1`, &id)
	return id, err
}

// AddPerson returns the person who has the code, entering him if he is new.
func AddPerson(tx *store.Tx, ref elicense.HolderRef) (elicense.PersonID, error) {
	code := string(ref.CodeType) + "|" + ref.Code
	id, err := PersonOf(tx, ref)
	if err == nil || !elicense.IsKind(err, elicense.NotFound) {
		return id, err
	}
	id = elicense.NewID[elicense.PersonID](tx.Now())
	n, err := tx.Exec(`INSERT INTO person (id, name_enc, code_type, code_enc, code_index, created) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (code_index) DO NOTHING`,
		id, tx.Encrypt("person", string(id), "name_enc", []byte(ref.Name)), ref.CodeType,
		tx.Encrypt("person", string(id), "code_enc", []byte(ref.Code)), tx.Index("person-code", code), tx.Now())
	if err == nil && n == 0 { // another transaction was first
		err = tx.ByIndex("person-code", code, `SELECT id FROM person WHERE code_index = $1`, &id)
	}
	return id, err
}

// PersonRef returns the name and code of a person. Errors: NotFound.
func PersonRef(tx *store.Tx, id elicense.PersonID) (ref elicense.HolderRef, err error) {
	var name, code []byte
	if err := tx.Row(`SELECT name_enc, code_type, code_enc FROM person WHERE id = $1`, id).Scan(&name, &ref.CodeType, &code); err != nil {
		return ref, err
	}
	if name, err = tx.Decrypt("person", string(id), "name_enc", name); err != nil {
		return ref, err
	}
	code, err = tx.Decrypt("person", string(id), "code_enc", code)
	ref.Name, ref.Code = string(name), string(code)
	return ref, err
}

// HolderOf returns the key of the licenses a person holds himself. Errors:
// NotFound for someone who has none and is no party of any case.
func HolderOf(tx *store.Tx, id elicense.PersonID) (elicense.HolderKey, error) {
	ref, err := PersonRef(tx, id)
	if err != nil {
		return "", err
	}
	return tx.Holder(ref, false)
}

// PersonName returns the name of a person, for those whose act is shown beside
// his own. Errors: NotFound.
func PersonName(tx *store.Tx, id elicense.PersonID) (string, error) {
	var name []byte
	if err := tx.Row(`SELECT name_enc FROM person WHERE id = $1`, id).Scan(&name); err != nil {
		return "", err
	}
	name, err := tx.Decrypt("person", string(id), "name_enc", name)
	return string(name), err
}

// AddAccount enters an account with its secret, a password or a system's client
// secret, of which only an argon2id digest is kept.
func AddAccount(tx *store.Tx, a Account, secretDigest string) (elicense.AccountID, error) {
	a.ID, a.secret, a.Stamp = elicense.NewID[elicense.AccountID](tx.Now()), secretDigest, 1
	_, err := tx.Exec(`INSERT INTO account (id, login, kind, person, holder_key, unit, name, secret, disabled, stamp, created, mac)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		a.ID, a.Login, a.Kind, a.Person, a.Holder, a.Unit, a.Name, a.secret, a.Disabled, a.Stamp, tx.Now(), a.mac(tx))
	if elicense.IsKind(err, elicense.Conflict) {
		return "", elicense.E(elicense.Conflict, "这个登录名已有人使用").At("login").Because(err)
	}
	if err != nil {
		return "", err
	}
	for _, d := range a.Duties {
		if err := putDuty(tx, a.ID, d); err != nil {
			return "", err
		}
	}
	return a.ID, nil
}

func putDuty(tx *store.Tx, id elicense.AccountID, d elicense.Duty) error {
	if d.Chinese() == "" {
		return elicense.E(elicense.Invalid, "没有这种岗位职责").At("duty")
	}
	_, err := tx.Exec(`INSERT INTO duty (account, duty, since) VALUES ($1, $2, $3)`, id, d, tx.Now())
	return err
}

// Grant gives an account a duty. Decisions made under its former duties are made
// anew.
func Grant(tx *store.Tx, id elicense.AccountID, d elicense.Duty) error {
	return touch(tx, id, func(a *Account) error {
		if slices.Contains(a.Duties, d) {
			return nil
		}
		a.Duties = append(a.Duties, d)
		return putDuty(tx, id, d)
	})
}

// Withdraw takes a duty from an account.
func Withdraw(tx *store.Tx, id elicense.AccountID, d elicense.Duty) error {
	return touch(tx, id, func(a *Account) error {
		a.Duties = slices.DeleteFunc(a.Duties, func(x elicense.Duty) bool { return x == d })
		_, err := tx.Exec(`DELETE FROM duty WHERE account = $1 AND duty = $2`, id, d)
		return err
	})
}

// Disable closes an account with its post (Art. 20).
func Disable(tx *store.Tx, id elicense.AccountID) error { return setDisabled(tx, id, true) }

// Enable opens a closed account again.
func Enable(tx *store.Tx, id elicense.AccountID) error { return setDisabled(tx, id, false) }

func setDisabled(tx *store.Tx, id elicense.AccountID, disabled bool) error {
	return touch(tx, id, func(a *Account) error {
		a.Disabled = disabled
		return nil
	})
}

// touch changes an account; the code over it holds its duties and its stamp, so
// that a duty withdrawn once can't be put back behind the platform's back.
func touch(tx *store.Tx, id elicense.AccountID, change func(*Account) error) error {
	a, err := AccountOf(tx, id)
	if err != nil {
		return err
	}
	if err := change(a); err != nil {
		return err
	}
	a.Stamp++
	_, err = tx.Exec(`UPDATE account SET secret = $1, disabled = $2, stamp = $3, mac = $4 WHERE id = $5`, a.secret, a.Disabled, a.Stamp, a.mac(tx), a.ID)
	return err
}

// AccountOf returns an account with its duties. Errors: NotFound; Unavailable if
// account or duties are not as the platform wrote them.
func AccountOf(tx *store.Tx, id elicense.AccountID) (*Account, error) {
	list, err := accounts(tx, `WHERE id = $1`, id)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, store.ErrNoRow
	}
	return list[0], nil
}

// UnitsWith lists the units in which an account, of a person or a system, has the name
// or the login.
func UnitsWith(tx *store.Tx, who string) ([]elicense.UnitCode, error) {
	return store.All(tx, func(r *store.Rows) (u elicense.UnitCode, err error) { return u, r.Scan(&u) },
		`SELECT DISTINCT unit FROM account WHERE kind <> $1 AND (name = $2 OR login = $3)`, elicense.Holder, who, strings.ToLower(who))
}

// AccountsOf lists the accounts of one person.
func AccountsOf(tx *store.Tx, person elicense.PersonID) ([]*Account, error) {
	return accounts(tx, `WHERE person = $1 ORDER BY login`, person)
}

// AccountByLogin returns the account people sign in to by the name. Errors:
// NotFound.
func AccountByLogin(tx *store.Tx, login string) (*Account, error) {
	list, err := accounts(tx, `WHERE login = $1`, login)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, elicense.E(elicense.NotFound, "没有这个账号").At("login")
	}
	return list[0], nil
}

// Accounts lists the accounts of a unit, of all units if unit is empty.
func Accounts(tx *store.Tx, unit elicense.UnitCode) ([]*Account, error) {
	return accounts(tx, `WHERE ($1 = '' OR unit = $2) ORDER BY unit, login`, unit, unit)
}

func accounts(tx *store.Tx, where string, args ...any) ([]*Account, error) {
	rows, err := tx.Query(`SELECT id, login, kind, person, holder_key, unit, name, secret, disabled, stamp, mac FROM account `+where, args...)
	if err != nil {
		return nil, err
	}
	var list []*Account
	for rows.Next() {
		var a Account
		var mac []byte
		err := rows.Scan(&a.ID, &a.Login, &a.Kind, &a.Person, &a.Holder, &a.Unit, &a.Name, &a.secret, &a.Disabled, &a.Stamp, &mac)
		if err != nil {
			return nil, err
		}
		if a.Duties, err = duties(tx, a.ID); err != nil {
			return nil, err
		}
		if err := tx.CheckMAC(mac, "account", string(a.ID), a.parts()...); err != nil {
			return nil, err
		}
		list = append(list, &a)
	}
	return list, nil
}

func duties(tx *store.Tx, id elicense.AccountID) ([]elicense.Duty, error) {
	rows, err := tx.Query(`SELECT duty FROM duty WHERE account = $1`, id)
	if err != nil {
		return nil, err
	}
	var list []elicense.Duty
	for rows.Next() {
		var d elicense.Duty
		if err := rows.Scan(&d); err != nil {
			return nil, err
		}
		list = append(list, d)
	}
	slices.Sort(list)
	return list, nil
}

func (a *Account) mac(tx *store.Tx) *store.Code { return tx.MAC("account", string(a.ID), a.parts()...) }

func (a *Account) parts() [][]byte {
	parts := [][]byte{
		[]byte(a.Login), []byte(a.Kind), []byte(a.Person), []byte(a.Holder), []byte(a.Unit), []byte(a.secret),
		[]byte(strconv.FormatBool(a.Disabled)), []byte(strconv.FormatInt(a.Stamp, 10)),
	}
	for _, d := range slices.Sorted(slices.Values(a.Duties)) {
		parts = append(parts, []byte(d))
	}
	return parts
}

// actor returns the account as who acts.
func (a *Account) actor(tx *store.Tx, request string) (*elicense.Actor, error) {
	if a.Disabled {
		return nil, elicense.E(elicense.Unauthorized, "账号已停用").Under("第二十条").Then("请联系本单位管理员")
	}
	act := &elicense.Actor{
		Kind: a.Kind, Account: a.ID, Person: a.Person, Name: a.Name, Unit: a.Unit, Holder: a.Holder,
		Duties: a.Duties, Request: request, Stamp: a.Stamp, Level: 1, Secret: a.mark(),
	}
	if a.Initial() {
		act.Initial, act.Duties = true, nil
	}
	if a.Unit != "" {
		u, err := UnitOf(tx, a.Unit)
		if err != nil {
			return nil, fmt.Errorf("unit of account %s: %w", a.ID, err)
		}
		act.UnitName, act.UnitKind = u.Name, u.Kind
	}
	return act, nil
}

// The cost of argon2id: 19 MiB, 2 passes, one lane.
const argonMemory, argonTime = 19 * 1024, 2

// DigestSecret returns the argon2id digest of a password or client secret with
// its own salt.
func DigestSecret(secret string) string {
	salt := make([]byte, 16)
	rand.Read(salt)
	return digestSecret(secret, salt)
}

func digestSecret(secret string, salt []byte) string {
	d := argon2.IDKey([]byte(secret), salt, argonTime, argonMemory, 1, 32)
	b := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=1$%s$%s", argonMemory, argonTime, b.EncodeToString(salt), b.EncodeToString(d))
}

// secretHolds compares in constant time; a digest it can't read does not hold.
func secretHolds(digest, secret string) bool {
	p := strings.Split(digest, "$")
	if len(p) != 6 {
		return false
	}
	salt, err := base64.RawStdEncoding.DecodeString(p[4])
	return err == nil && subtle.ConstantTimeCompare([]byte(digestSecret(secret, salt)), []byte(digest)) == 1
}

// Tell calls f for every account that has one of the duties, of one unit if it is
// named.
func Tell(tx *store.Tx, unit elicense.UnitCode, duties []elicense.Duty, f func(elicense.AccountID) error) error {
	list, err := accounts(tx, `WHERE NOT disabled AND ($1 = '' OR unit = $2) ORDER BY id`, unit, unit)
	if err != nil {
		return err
	}
	for _, a := range list {
		if slices.ContainsFunc(duties, func(d elicense.Duty) bool { return slices.Contains(a.Duties, d) }) {
			if err := f(a.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// EachAccount reads every account with its duties; f gets the error of one that
// is not as it was left.
func EachAccount(tx *store.Tx, f func(id string, err error) error) error {
	return store.EachID(tx, "account", func(id string) error {
		_, err := AccountOf(tx, elicense.AccountID(id))
		return f(id, err)
	})
}

// The set-up of a platform: what a newly installed one is given before anybody
// can sign in. Later changes pass the administration's desk.

// Install enters units with their staff, in the order given.
func (o *Org) Install(ctx context.Context, units []Unit) error {
	return o.db.Update(ctx, func(tx *store.Tx) error {
		for _, u := range units {
			if err := AddUnit(tx, u); err != nil {
				return fmt.Errorf("unit %s: %w", u.Short, err)
			}
		}
		return nil
	})
}

// Staff is a person to be given an account: of a unit with duties, or, with
// neither, as a holder.
type Staff struct {
	Login  string
	Secret string
	Kind   elicense.ActorKind
	Unit   elicense.UnitCode
	Name   string             // shown; for staff the person's name
	Person elicense.HolderRef // empty for systems
	Holder elicense.HolderRef // for holders: whose licenses are opened; empty is the person's own
	Duties []elicense.Duty
}

// Enroll enters accounts and the persons behind them. Those given one secret share
// its digest: who knows it of one knows it of all.
func (o *Org) Enroll(ctx context.Context, staff []Staff) error {
	digests := map[string]string{}
	for _, s := range staff {
		if digests[s.Secret] == "" {
			digests[s.Secret] = DigestSecret(s.Secret)
		}
	}
	return o.db.Update(ctx, func(tx *store.Tx) error {
		for _, s := range staff {
			if err := enroll(tx, s, digests[s.Secret]); err != nil {
				return fmt.Errorf("account %s: %w", s.Login, err)
			}
		}
		return nil
	})
}

func enroll(tx *store.Tx, s Staff, digest string) (err error) {
	a := Account{Login: s.Login, Kind: s.Kind, Unit: s.Unit, Name: s.Name, Duties: s.Duties}
	if s.Person.Code != "" {
		if a.Person, err = AddPerson(tx, s.Person); err != nil {
			return err
		}
	}
	if s.Kind == elicense.Holder {
		ref := s.Holder
		if ref.Code == "" {
			ref = s.Person
		}
		if a.Holder, err = tx.Holder(ref, true); err != nil {
			return err
		}
	}
	_, err = AddAccount(tx, a, digest)
	return err
}

// ActorByLogin returns who acts through an account, for the platform's own
// programs on this machine, which need no secret. Errors: NotFound.
func (o *Org) ActorByLogin(ctx context.Context, login, request string) (actor *elicense.Actor, err error) {
	err = o.db.View(ctx, func(tx *store.Tx) error {
		list, err := accounts(tx, `WHERE login = $1`, login)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return store.ErrNoRow
		}
		actor, err = list[0].actor(tx, request)
		return err
	})
	return actor, err
}

// AllUnits lists all units in the order of region and code.
func (o *Org) AllUnits(ctx context.Context) (list []*Unit, err error) {
	err = o.db.View(ctx, func(tx *store.Tx) error {
		list, err = Units(tx)
		return err
	})
	return list, err
}

// Staff lists the accounts of a unit, of all units if unit is empty.
func (o *Org) Staff(ctx context.Context, unit elicense.UnitCode) (list []*Account, err error) {
	err = o.db.View(ctx, func(tx *store.Tx) error {
		list, err = Accounts(tx, unit)
		return err
	})
	return list, err
}
