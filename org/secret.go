package org

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"elicense"
	"elicense/gm"
	"elicense/store"
)

// minPassword is how many characters a password has at least, and maxPassword how
// many are digested at most.
const minPassword, maxPassword = 10, 128

// CheckPassword tells what is wrong with a password somebody chooses for an account.
// Errors: Invalid.
func CheckPassword(login, password string) error {
	n := utf8.RuneCountInString(password)
	if n < minPassword || n > maxPassword || strings.Contains(password, login) {
		return elicense.E(elicense.Invalid, "密码要有%d到%d个字符，并且不含登录名", minPassword, maxPassword).At("password")
	}
	return nil
}

// CheckLogin tells whether the text can be a login. Errors: Invalid.
func CheckLogin(login string) error {
	if !loginForm.MatchString(login) {
		return elicense.E(elicense.Invalid, "登录名要用小写字母、数字和连字符，字母开头，2到40位").At("login")
	}
	return nil
}

// InitialLife is how long the password an administrator hands over is good for.
const InitialLife = 7 * 24 * time.Hour

// Draw draws a secret to be handed over: 75 bits in letters and digits that are not
// taken for one another.
func Draw() string {
	const letters = "abcdefghijkmnpqrstuvwxyz23456789" // no l, o, 0 and 1
	var b [15]byte
	rand.Read(b[:])
	var s strings.Builder
	for i, x := range b {
		if i > 0 && i%5 == 0 {
			s.WriteByte('-')
		}
		s.WriteByte(letters[x%32])
	}
	return s.String()
}

// An initial secret is kept as its digest behind the moment, in seconds since 1970,
// until which it is good.
const initialSecret = "initial:"

// Initial returns what is kept of a secret somebody was given, so that he can sign in
// and choose his own until then.
func Initial(digest string, until time.Time) string {
	return initialSecret + strconv.FormatInt(until.Unix(), 10) + ":" + digest
}

// kept takes what is kept of a secret apart.
func kept(secret string) (digest string, initial bool, until time.Time) {
	rest, initial := strings.CutPrefix(secret, initialSecret)
	if !initial {
		return secret, false, until
	}
	at, digest, _ := strings.Cut(rest, ":")
	if n, err := strconv.ParseInt(at, 10, 64); err == nil {
		until = time.Unix(n, 0)
	}
	return digest, true, until
}

// mark tells one secret of an account from the next, for sessions that end with it.
func (a *Account) mark() string {
	d := gm.Sum([]byte(a.secret))
	return base64.RawURLEncoding.EncodeToString(d[:12])
}

// Initial tells whether the account still has the password it was given; without one
// of his own nobody has a duty.
func (a *Account) Initial() bool {
	_, initial, _ := kept(a.secret)
	return initial
}

// SetSecret gives an account another secret: a digest of DigestSecret, or what Initial
// made of one. Its sessions and tokens end.
func SetSecret(tx *store.Tx, id elicense.AccountID, secret string) error {
	err := touch(tx, id, func(a *Account) error {
		a.secret = secret
		return nil
	})
	if err != nil {
		return err
	}
	_, err = tx.Exec(`DELETE FROM token WHERE account = $1`, id)
	return err
}

// Holds tells whether the secret is the account's.
func (a *Account) Holds(secret string) bool {
	digest, _, _ := kept(a.secret)
	return secretHolds(digest, secret)
}

// Offer names accounts whose password the demo tells everybody: nobody changes it, or
// the next visitor is locked out. For the start, before anybody signs in.
func (o *Org) Offer(logins ...string) { o.offered = append(o.offered, logins...) }

// ChangePassword gives the account of who acts the password he chose; old is the one
// he has now, so that nobody takes over what he left open. His other sessions and his
// tokens end. On record, refusals too.
//
// Errors: Invalid naming the field; Forbidden for a wrong old password, and to systems;
// TooMany after ten wrong ones within 15 minutes; Conflict for one the demo offers.
func (o *Org) ChangePassword(ctx context.Context, actor *elicense.Actor, old, chosen string) error {
	key := "own " + string(actor.Account)
	err := o.changePassword(ctx, actor, key, old, chosen)
	if k := elicense.KindOf(err); k == elicense.Forbidden || k == elicense.TooMany {
		kept, rerr := o.db.Record(ctx, passwordRecord(actor, store.Refused, map[string]string{"kind": k.String()}))
		if rerr != nil {
			return rerr
		}
		var refusal *elicense.Error
		if errors.As(err, &refusal) {
			refusal.Record = string(kept[0].ID)
		}
	}
	return err
}

func (o *Org) changePassword(ctx context.Context, actor *elicense.Actor, key, old, chosen string) error {
	if actor.Account == "" {
		return signInAgain()
	}
	if actor.Kind == elicense.System {
		return elicense.E(elicense.Forbidden, "业务系统没有可以自己更改的密码").Under("第二十条").Then("密钥请人员管理岗位重新设置")
	}
	if o.failures.Over(key) {
		return elicense.E(elicense.TooMany, "原密码输错的次数过多").Then("请15分钟后再试，或请人员管理岗位重新设置")
	}
	var account *Account
	err := o.db.View(ctx, func(tx *store.Tx) (err error) {
		account, err = AccountOf(tx, actor.Account)
		return err
	})
	if err != nil {
		return err
	}
	switch {
	case slices.Contains(o.offered, account.Login):
		return elicense.E(elicense.Conflict, "演示账号的密码不能改").Then("自己开通的账号可以改")
	case !account.Holds(old):
		o.failures.Count(key)
		return elicense.E(elicense.Forbidden, "原密码不对").At("old").Under("第十七条第三款").Then("请重新输入；忘记了请人员管理岗位重新设置")
	case old == chosen:
		return elicense.E(elicense.Invalid, "新密码要和原密码不同").At("password")
	}
	if err := CheckPassword(account.Login, chosen); err != nil {
		return err
	}
	digest, was := DigestSecret(chosen), account.secret
	return o.db.Update(ctx, func(tx *store.Tx) error {
		now, err := AccountOf(tx, actor.Account)
		if err != nil {
			return err
		}
		if now.secret != was || now.Disabled {
			return elicense.E(elicense.Conflict, "密码刚刚被重新设置过").Then("请用新的密码登录")
		}
		tx.Record(passwordRecord(actor, store.Done, nil))
		return SetSecret(tx, actor.Account, digest)
	})
}

func passwordRecord(actor *elicense.Actor, outcome string, detail map[string]string) store.Record {
	name := actor.Name
	if actor.Kind == elicense.Holder {
		name = "" // the record holds no names of holders
	}
	return store.Record{
		Request: actor.Request, Actor: string(actor.Account), ActorName: name, Unit: string(actor.Unit),
		Act: "password", Outcome: outcome, Rule: "password", Clause: "第十七条第三款", Detail: detail,
	}
}
