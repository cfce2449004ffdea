package org_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"elicense"
	"elicense/org"
	"elicense/store"
	"elicense/store/storetest"
)

const unit elicense.UnitCode = "11350102FJDEM0320G"

// place is a store with one unit and a clerk whose password is "secret".
type place struct {
	db    *store.DB
	clock *storetest.Clock
	org   *org.Org
}

func each(t *testing.T, f func(t *testing.T, p place)) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		clock := storetest.NewClock()
		cfg.Now = clock.Now
		p := place{storetest.Open(t, cfg), clock, nil}
		p.org = org.New(p.db, clock.Now)
		must(t, p.org.Install(t.Context(), []org.Unit{{Code: unit, Short: "yc-gl", Name: "烟草专卖局", Roles: []string{"apply"}}}))
		must(t, p.org.Enroll(t.Context(), []org.Staff{
			clerk("window", elicense.DutyWindow), clerk("second", elicense.DutyReview),
		}))
		f(t, p)
	})
}

func clerk(login string, d elicense.Duty) org.Staff {
	return org.Staff{
		Login: login, Secret: "secret", Kind: elicense.Staff, Unit: unit, Name: "郑窗口", Duties: []elicense.Duty{d},
		Person: elicense.HolderRef{CodeType: elicense.CodeCitizen, Code: "35010019930830004X", Name: "郑窗口"},
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestSignIn(t *testing.T) {
	each(t, func(t *testing.T, p place) {
		a, err := p.org.SignIn(t.Context(), "window", "secret", "here", "r1")
		must(t, err)
		if !a.Has(elicense.DutyWindow) || a.Unit != unit || a.UnitName != "烟草专卖局" || a.Request != "r1" {
			t.Errorf("actor %+v", a)
		}
		second, err := p.org.SignIn(t.Context(), "second", "secret", "here", "r2")
		must(t, err)
		if second.Person != a.Person || second.Account == a.Account {
			t.Error("one real person is two persons under two accounts")
		}
		_, wrong := p.org.SignIn(t.Context(), "window", "Secret", "here", "r3")
		_, nobody := p.org.SignIn(t.Context(), "nobody", "secret", "here", "r4")
		if !elicense.IsKind(wrong, elicense.Unauthorized) || wrong.Error() != nobody.Error() {
			t.Errorf("a wrong password says %v, an unknown login %v", wrong, nobody)
		}
		must(t, p.db.Update(t.Context(), func(tx *store.Tx) error { return org.Disable(tx, a.Account) }))
		if _, err := p.org.SignIn(t.Context(), "window", "secret", "here", "r5"); !elicense.IsKind(err, elicense.Unauthorized) {
			t.Errorf("a closed account: %v", err)
		}
	})
}

func TestTenFailuresCloseTheDoorForAQuarter(t *testing.T) {
	each(t, func(t *testing.T, p place) {
		for range 10 {
			if _, err := p.org.SignIn(t.Context(), "window", "guess", "there", "r"); !elicense.IsKind(err, elicense.Unauthorized) {
				t.Fatal(err)
			}
		}
		if _, err := p.org.SignIn(t.Context(), "window", "secret", "elsewhere", "r"); !elicense.IsKind(err, elicense.TooMany) {
			t.Errorf("the right password after ten wrong ones: %v", err)
		}
		if _, err := p.org.SignIn(t.Context(), "second", "secret", "there", "r"); !elicense.IsKind(err, elicense.TooMany) {
			t.Errorf("another login from the same place: %v", err)
		}
		p.clock.Move(16 * time.Minute)
		_, err := p.org.SignIn(t.Context(), "window", "secret", "there", "r")
		must(t, err)
	})
}

func TestATokenEndsWithItsTimeAndItsDuties(t *testing.T) {
	each(t, func(t *testing.T, p place) {
		a, err := p.org.SignIn(t.Context(), "window", "secret", "here", "r")
		must(t, err)
		token, _, err := p.org.Token(t.Context(), a)
		must(t, err)
		who := func() (*elicense.Actor, error) { return p.org.ActorOfToken(t.Context(), token, "r") }
		for range 2 { // the second is answered from what is known
			got, err := who()
			must(t, err)
			if got.Account != a.Account {
				t.Errorf("the token is %s's", got.Account)
			}
		}
		must(t, p.db.Update(t.Context(), func(tx *store.Tx) error { return org.Withdraw(tx, a.Account, elicense.DutyWindow) }))
		got, err := who()
		must(t, err)
		if got.Has(elicense.DutyWindow) || got.Stamp <= a.Stamp {
			t.Error("a withdrawn duty still counts")
		}
		if _, err := p.org.ActorOfToken(t.Context(), token+"x", "r"); !elicense.IsKind(err, elicense.Unauthorized) {
			t.Errorf("another token: %v", err)
		}
		p.clock.Move(org.TokenLife + time.Second)
		if _, err := who(); !elicense.IsKind(err, elicense.Unauthorized) {
			t.Errorf("a token after its time: %v", err)
		}
	})
}

func TestAStolenDutyIsNoticed(t *testing.T) {
	each(t, func(t *testing.T, p place) {
		a, err := p.org.ActorByLogin(t.Context(), "window", "r")
		must(t, err)
		must(t, p.db.Update(t.Context(), func(tx *store.Tx) error {
			_, err := tx.Exec(`UPDATE duty SET duty = 'audit' WHERE account = $1`, a.Account)
			return err
		}))
		if _, err := p.org.Actor(t.Context(), a.Account, "r"); !errors.Is(err, store.ErrTampered) {
			t.Errorf("got %v, want the tampering named", err)
		}
	})
}

func TestAWithdrawnDutyCanNotBePutBack(t *testing.T) {
	each(t, func(t *testing.T, p place) {
		a, err := p.org.ActorByLogin(t.Context(), "window", "r")
		must(t, err)
		must(t, p.db.Update(t.Context(), func(tx *store.Tx) error { return org.Withdraw(tx, a.Account, elicense.DutyWindow) }))
		must(t, p.db.Update(t.Context(), func(tx *store.Tx) error {
			_, err := tx.Exec(`INSERT INTO duty (account, duty, since) VALUES ($1, $2, 1)`, a.Account, elicense.DutyWindow)
			return err
		}))
		if _, err := p.org.Actor(t.Context(), a.Account, "r"); !errors.Is(err, store.ErrTampered) {
			t.Errorf("got %v, want the tampering named", err)
		}
	})
}

func TestAPersonIsOneAfterTheKeysChanged(t *testing.T) {
	each(t, func(t *testing.T, p place) {
		before, err := p.org.ActorByLogin(t.Context(), "window", "r")
		must(t, err)
		must(t, p.db.RotateKeys(t.Context()))
		must(t, p.org.Enroll(t.Context(), []org.Staff{clerk("third", elicense.DutyReview)}))
		after, err := p.org.ActorByLogin(t.Context(), "third", "r")
		must(t, err)
		if before.Person != after.Person {
			t.Error("one real person became two")
		}
	})
}

func TestSessionsAreKeptUnderADigest(t *testing.T) {
	each(t, func(t *testing.T, p place) {
		s := org.NewSessions(p.db)
		must(t, s.CommitCtx(t.Context(), "token", []byte("内容"), p.clock.Now().Add(time.Hour)))
		got, found, err := s.FindCtx(t.Context(), "token")
		if err != nil || !found || string(got) != "内容" {
			t.Fatalf("found %v %q, %v", found, got, err)
		}
		must(t, p.db.View(t.Context(), func(tx *store.Tx) error {
			var digest, content []byte
			if err := tx.Row(`SELECT digest, content_enc FROM web_session`).Scan(&digest, &content); err != nil {
				return err
			}
			if strings.Contains(string(digest), "token") || strings.Contains(string(content), "内容") {
				t.Error("a session stands readable in the database")
			}
			return nil
		}))
		p.clock.Move(2 * time.Hour)
		if _, found, err := s.FindCtx(t.Context(), "token"); found || err != nil {
			t.Errorf("after its time: %v, %v", found, err)
		}
		must(t, s.DeleteCtx(t.Context(), "token"))
	})
}

func TestLimiter(t *testing.T) {
	clock := storetest.NewClock()
	l := org.NewLimiter(clock.Now, 2, time.Minute)
	for i, want := range []bool{true, true, false} {
		if got := l.Count("a"); got != want {
			t.Errorf("count %d: %v", i+1, got)
		}
		clock.Move(20 * time.Second)
	}
	if l.Over("b") || !l.Count("b") {
		t.Error("another key is limited")
	}
	clock.Move(21 * time.Second) // the first count is a minute old
	if !l.Count("a") {
		t.Error("the window does not slide")
	}
}
