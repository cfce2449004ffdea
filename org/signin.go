package org

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"sync"
	"time"

	"elicense"
	"elicense/gm"
	"elicense/store"
)

// absentDigest is compared when there is no account, so that the time of an
// answer does not tell.
var absentDigest = sync.OnceValue(func() string { return DigestSecret("absent") })

// SignIn finds the account by its login and secret. from is where the request
// comes from, for the limit of failures. Each failure is recorded; ten of one
// login or one place within 15 minutes close the door for that time. The refusal
// does not tell whether the login exists.
//
// Errors: Unauthorized; TooMany when there were too many failures.
func (o *Org) SignIn(ctx context.Context, login, secret, from, request string) (*elicense.Actor, error) {
	if o.failures.Over("login "+login) || o.failures.Over("from "+from) {
		return nil, o.refuseSignIn(ctx, login, request,
			elicense.E(elicense.TooMany, "登录失败次数过多").Then("请15分钟后再试，或联系本单位管理员"))
	}
	var (
		account *Account
		actor   *elicense.Actor
	)
	err := o.db.View(ctx, func(tx *store.Tx) error {
		list, err := accounts(tx, `WHERE login = $1`, login)
		if err != nil || len(list) == 0 {
			return err
		}
		account = list[0]
		if actor, err = account.actor(tx, request); elicense.IsKind(err, elicense.Unauthorized) {
			account = nil
			return nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	digest, initial, until := absentDigest(), false, time.Time{}
	if account != nil {
		digest, initial, until = kept(account.secret)
	}
	if !secretHolds(digest, secret) || account == nil {
		o.failures.Count("login " + login)
		o.failures.Count("from " + from)
		return nil, o.refuseSignIn(ctx, login, request,
			elicense.E(elicense.Unauthorized, "登录名或密码不对").Then("请核对后再输；忘记密码请联系本单位管理员"))
	}
	if initial && !o.now().Before(until) {
		return nil, o.refuseSignIn(ctx, login, request,
			elicense.E(elicense.Unauthorized, "初始密码已过期").Under("第二十条").Then("请联系本单位管理员重新设置"))
	}
	name := actor.Name
	if actor.Kind == elicense.Holder {
		name = "" // the record holds no names of holders
	}
	_, err = o.db.Record(ctx, store.Record{
		Request: request, Actor: string(actor.Account), ActorName: name, Unit: string(actor.Unit), Act: "sign-in", Outcome: "done",
	})
	if err != nil {
		return nil, err
	}
	return actor, nil
}

// refuseSignIn records a failed sign-in; of the login only a keyed digest is
// kept, since people type passwords there.
func (o *Org) refuseSignIn(ctx context.Context, login, request string, refusal error) error {
	o.refused.Add(1)
	key := base64.RawURLEncoding.EncodeToString(o.db.Index("login", login)[:12])
	_, err := o.db.Record(ctx, store.Record{
		Request: request, Act: "sign-in", Outcome: "refused", Rule: "sign-in", Clause: "第十七条第三款",
		Detail: map[string]string{"login": key, "kind": elicense.KindOf(refusal).String()},
	})
	if err != nil {
		return err
	}
	return refusal
}

// Refused returns how many sign-ins were refused since the start.
func (o *Org) Refused() uint64 { return o.refused.Load() }

// Actor returns who acts through an account, as it stands now. Errors:
// Unauthorized if the account is gone or disabled.
func (o *Org) Actor(ctx context.Context, id elicense.AccountID, request string) (actor *elicense.Actor, err error) {
	err = o.db.View(ctx, func(tx *store.Tx) error {
		a, err := AccountOf(tx, id)
		if err != nil {
			return err
		}
		actor, err = a.actor(tx, request)
		return err
	})
	if elicense.IsKind(err, elicense.NotFound) {
		return nil, signInAgain()
	}
	return actor, err
}

func signInAgain() error {
	return elicense.E(elicense.Unauthorized, "登录已失效").Then("请重新登录")
}

// TokenLife is how long a bearer token of the API lasts.
const TokenLife = 10 * time.Minute

// Token makes a bearer token for the actor; only its digest is kept.
//
// Errors: Unauthorized to who still has the password he was given.
func (o *Org) Token(ctx context.Context, actor *elicense.Actor) (token string, expires time.Time, err error) {
	if actor.Initial {
		return "", expires, elicense.E(elicense.Unauthorized, "还没有更改初始密码").Under("第二十条").Then("请先在网页登录，更改密码")
	}
	var b [32]byte
	rand.Read(b[:])
	token = base64.RawURLEncoding.EncodeToString(b[:])
	digest := gm.Sum([]byte(token))
	o.known.Range(func(k, v any) bool {
		if v.(knownActor).expires.Before(o.now()) {
			o.known.Delete(k)
		}
		return true
	})
	err = o.db.Update(ctx, func(tx *store.Tx) error {
		expires = tx.Now().Add(TokenLife)
		if _, err := tx.Exec(`DELETE FROM token WHERE expires < $1`, tx.Now()); err != nil {
			return err
		}
		_, err := tx.Exec(`INSERT INTO token (digest, account, expires) VALUES ($1, $2, $3)`, digest[:], actor.Account, expires)
		return err
	})
	return token, expires, err
}

// ActorOfToken returns who holds the token. Errors: Unauthorized.
//
// Who an account is, is read anew whenever anything but the record has changed
// since it was read.
func (o *Org) ActorOfToken(ctx context.Context, token, request string) (actor *elicense.Actor, err error) {
	digest, epoch := gm.Sum([]byte(token)), o.db.Epoch()
	if kept, ok := o.known.Load(digest); ok {
		if k := kept.(knownActor); k.epoch == epoch && o.now().Before(k.expires) {
			a := k.actor
			a.Request = request
			return &a, nil
		}
		o.known.Delete(digest)
	}
	var expires time.Time
	err = o.db.View(ctx, func(tx *store.Tx) error {
		var id elicense.AccountID
		err := tx.Row(`SELECT account, expires FROM token WHERE digest = $1 AND expires > $2`, digest[:], tx.Now()).Scan(&id, &expires)
		if err != nil {
			return err
		}
		a, err := AccountOf(tx, id)
		if err != nil {
			return err
		}
		actor, err = a.actor(tx, request)
		return err
	})
	if elicense.IsKind(err, elicense.NotFound) {
		return nil, elicense.E(elicense.Unauthorized, "访问令牌无效或已过期").Then("请重新取得访问令牌")
	}
	if err == nil {
		o.known.Store(digest, knownActor{*actor, epoch, expires})
	}
	return actor, err
}

// knownActor is who a token's account was at an epoch of the store.
type knownActor struct {
	actor   elicense.Actor
	epoch   uint64
	expires time.Time
}

// Sessions keeps web sessions, encrypted, under the digest of their token. It
// is the store of github.com/alexedwards/scs.
type Sessions struct{ db *store.DB }

// NewSessions returns the sessions kept in db.
func NewSessions(db *store.DB) *Sessions { return &Sessions{db} }

// FindCtx returns the content of a session that has not run out.
func (s *Sessions) FindCtx(ctx context.Context, token string) (content []byte, found bool, err error) {
	digest, row := sessionKey(token)
	err = s.db.View(ctx, func(tx *store.Tx) error {
		err := tx.Row(`SELECT content_enc FROM web_session WHERE digest = $1 AND expires > $2`, digest, tx.Now()).Scan(&content)
		if err != nil {
			return err
		}
		content, err = tx.Decrypt("web_session", row, "content_enc", content)
		return err
	})
	if elicense.IsKind(err, elicense.NotFound) {
		return nil, false, nil
	}
	return content, err == nil, err
}

// CommitCtx keeps a session's content until expires.
func (s *Sessions) CommitCtx(ctx context.Context, token string, content []byte, expires time.Time) error {
	digest, row := sessionKey(token)
	return s.db.Update(ctx, func(tx *store.Tx) error {
		if _, err := tx.Exec(`DELETE FROM web_session WHERE expires < $1`, tx.Now()); err != nil {
			return err
		}
		_, err := tx.Exec(`INSERT INTO web_session (digest, content_enc, expires) VALUES ($1, $2, $3)
			ON CONFLICT (digest) DO UPDATE SET content_enc = excluded.content_enc, expires = excluded.expires`,
			digest, tx.Encrypt("web_session", row, "content_enc", content), expires)
		return err
	})
}

// DeleteCtx ends a session.
func (s *Sessions) DeleteCtx(ctx context.Context, token string) error {
	digest, _ := sessionKey(token)
	return s.db.Update(ctx, func(tx *store.Tx) error {
		_, err := tx.Exec(`DELETE FROM web_session WHERE digest = $1`, digest)
		return err
	})
}

// Find is FindCtx without a context.
func (s *Sessions) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), token)
}

// Commit is CommitCtx without a context.
func (s *Sessions) Commit(token string, content []byte, expires time.Time) error {
	return s.CommitCtx(context.Background(), token, content, expires)
}

// Delete is DeleteCtx without a context.
func (s *Sessions) Delete(token string) error { return s.DeleteCtx(context.Background(), token) }

func sessionKey(token string) (digest []byte, row string) {
	d := gm.Sum([]byte(token))
	return d[:], base64.RawURLEncoding.EncodeToString(d[:])
}

// Limiter counts by key within a sliding window, in memory.
type Limiter struct {
	now    func() time.Time
	limit  int
	window time.Duration

	mu   sync.Mutex
	seen map[string][]time.Time
}

// maxLimiterKeys bounds the limiter's memory; beyond it old keys are dropped.
const maxLimiterKeys = 100_000

// NewLimiter allows limit counts of a key within window.
func NewLimiter(now func() time.Time, limit int, window time.Duration) *Limiter {
	return &Limiter{now: now, limit: limit, window: window, seen: map[string][]time.Time{}}
}

// Over tells whether the key has used up its limit.
func (l *Limiter) Over(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.recent(key)) >= l.limit
}

// Count adds one to the key and tells whether it was within the limit.
func (l *Limiter) Count(key string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.seen) >= maxLimiterKeys {
		for k := range l.seen {
			if len(l.recent(k)) == 0 || len(l.seen) >= maxLimiterKeys {
				delete(l.seen, k)
			}
		}
	}
	times := l.recent(key)
	if len(times) >= l.limit {
		return false
	}
	l.seen[key] = append(times, l.now())
	return true
}

func (l *Limiter) recent(key string) []time.Time {
	times, from := l.seen[key], l.now().Add(-l.window)
	i := 0
	for i < len(times) && times[i].Before(from) {
		i++
	}
	times = times[i:]
	if len(times) == 0 {
		delete(l.seen, key)
		return nil
	}
	l.seen[key] = times
	return times
}
