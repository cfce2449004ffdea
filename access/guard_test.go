package access_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"elicense"
	"elicense/access"
	"elicense/cases"
	"elicense/org"
	"elicense/store"
	"elicense/store/storetest"
)

const (
	office elicense.UnitCode   = "11350102FJDEM0320G"
	typ    elicense.TypeCode   = "11350102FJDEM0275F001"
	matter elicense.MatterCode = "M04"
	number                     = "350100198506120117" // an identity number that must be found nowhere
)

var firm = elicense.HolderRef{CodeType: elicense.CodeUSCC, Code: "91350102FJDEM90180", Name: "福州示例餐饮有限公司"}

// desk is a window with a case on it, and a table the tests' changes are made in.
type desk struct {
	t       *testing.T
	db      *store.DB
	org     *org.Org
	guard   *access.Guard
	cases   *cases.Cases
	failing storetest.Failing
	clerk   *elicense.Actor
	other   *elicense.Actor
	citizen *elicense.Actor
	open    *cases.Case
	clock   *storetest.Clock
}

func each(t *testing.T, f func(d *desk)) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		d := &desk{t: t, clock: storetest.NewClock()}
		cfg.Now, cfg.Fault = d.clock.Now, d.failing.Fault
		d.db = storetest.Open(t, cfg)
		law, err := access.TheLaw()
		d.must(err)
		d.guard, d.org = access.NewGuard(d.db, law), org.New(d.db, d.clock.Now)
		d.cases = cases.New(d.db, d.guard)
		d.must(d.org.Install(t.Context(), []org.Unit{{Code: office, Short: "yc-gl", Name: "区烟草专卖局", Region: "350102", Kind: "dept"}}))
		window := []elicense.Duty{elicense.DutyWindow}
		d.must(d.org.Enroll(t.Context(), []org.Staff{
			{Login: "clerk", Unit: office, Kind: elicense.Staff, Name: "郑窗口", Duties: window},
			{Login: "other", Unit: office, Kind: elicense.Staff, Name: "吴老样", Duties: window},
			{Login: "citizen", Kind: elicense.Holder, Name: firm.Name, Holder: firm},
		}))
		for login, actor := range map[string]**elicense.Actor{"clerk": &d.clerk, "other": &d.other, "citizen": &d.citizen} {
			*actor, err = d.org.ActorByLogin(t.Context(), login, "request-1")
			d.must(err)
		}
		d.must(d.cases.Install(t.Context(), []*cases.Matter{{Code: matter, Name: "烟草专卖零售许可", Unit: office, Materials: []cases.Material{
			{Name: "食品经营许可证", Way: cases.Shared, Types: []elicense.TypeCode{typ}, Fields: map[elicense.TypeCode][]string{typ: {"license_no"}}},
		}}}))
		d.open = d.newCase()
		f(d)
	})
}

func (d *desk) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) newCase() *cases.Case {
	d.t.Helper()
	k, err := d.cases.Start(d.t.Context(), d.clerk, cases.NewCase{
		Matter: matter, Parties: []cases.Party{{Role: "申请人", Ref: firm, Proof: cases.ProofCard}},
	})
	d.must(err)
	return k
}

// asks describes a use of the case's license by the actor; moved runs once,
// between the decision and what comes after it.
func (d *desk) asks(actor *elicense.Actor, moved func()) (build func(*store.Tx) (access.Request, error), asked *int) {
	asked = new(int)
	return func(tx *store.Tx) (access.Request, error) {
		k, m, err := cases.Find(tx, d.open.ID)
		if err != nil {
			return access.Request{}, err
		}
		*asked++
		if *asked == 1 && moved != nil {
			moved()
		}
		return access.Request{
			Actor: actor, Act: access.CaseUse, On: cases.Thing(k, m), Rests: k.Rests(),
			Circumstances: access.Attr{
				"type": string(typ), "holder": string(k.Parties[0].Holder), "purpose": k.Purpose, "fields": []string{cases.FieldName(typ, "license_no")},
				"level": 1, "withheld": false, "unagreed": false, "tries": 0, "file": false,
			},
			Note: access.Note{Case: k.ID, LicenseType: typ, Purpose: k.Purpose, Fields: []string{"license_no"}},
		}, nil
	}, asked
}

// change is what the tests write: a text of an account, told by its key.
func change(key string) func(*store.Tx, *access.Permit) error {
	return func(tx *store.Tx, _ *access.Permit) error {
		_, err := tx.Exec(`INSERT INTO typed_text (account, form, content_enc, saved) VALUES ($1, $2, $3, $4)`, key, "form", []byte{1}, tx.Now())
		return err
	}
}

// changes counts what was written under the keys that begin so.
func (d *desk) changes(prefix string) (n int) {
	d.t.Helper()
	d.must(d.db.View(d.t.Context(), func(tx *store.Tx) error {
		return tx.Row(`SELECT COUNT(*) FROM typed_text WHERE account LIKE $1`, prefix+"%").Scan(&n)
	}))
	return n
}

// records returns all records, the newest first.
func (d *desk) records() (list []store.Record) {
	d.t.Helper()
	d.must(d.db.View(d.t.Context(), func(tx *store.Tx) (err error) {
		list, err = tx.NewestRecords(10_000)
		return err
	}))
	return list
}

func (d *desk) uses(outcome string) int {
	d.t.Helper()
	return len(slices.DeleteFunc(d.records(), func(r store.Record) bool { return r.Act != string(access.CaseUse) || r.Outcome != outcome }))
}

func message(err error) string {
	var e *elicense.Error
	if errors.As(err, &e) {
		return e.Message()
	}
	return fmt.Sprint(err)
}

func TestAReadingWithoutARecordGivesNothing(t *testing.T) {
	each(t, func(d *desk) {
		before := len(d.records())
		for _, kind := range []store.StepKind{store.StepStatement, store.StepCommit} {
			read := func() (*cases.Case, *cases.Matter, error) { return d.cases.Get(t.Context(), d.clerk, d.open.ID) }
			d.failing.Arm(kind, 0, store.FaultNone)
			if _, _, err := read(); err != nil {
				d.t.Fatal(err)
			}
			steps := d.failing.Count(kind)
			if steps == 0 {
				d.t.Fatal("nothing was counted")
			}
			for n := 1; n <= steps; n++ {
				d.forget()
				d.failing.Arm(kind, n, store.FaultBefore)
				k, m, err := read()
				if !elicense.IsKind(err, elicense.Unavailable) || k != nil || m != nil {
					d.t.Errorf("step %d of kind %d: %v, %v, %v", n, kind, k, m, err)
				}
			}
			d.failing.Arm(kind, 0, store.FaultNone)
		}
		if n := len(d.records()) - before; n != 2 {
			d.t.Errorf("%d records of 2 readings", n)
		}
	})
}

// forget makes the store read anew what it keeps until its rows change, so that
// each run has the same statements.
func (d *desk) forget() {
	d.t.Helper()
	d.must(d.db.Update(d.t.Context(), func(tx *store.Tx) error {
		for table, column := range map[string]string{"unit": "short", "matter": "name", "matter_version": "name", "office_case": "seq", "case_party": "role"} {
			if _, err := tx.Exec(`UPDATE ` + table + ` SET ` + column + ` = ` + column); err != nil {
				return err
			}
		}
		return nil
	}))
}

func TestARefusalWithoutARecordIsUnavailable(t *testing.T) {
	each(t, func(d *desk) {
		d.failing.Arm(store.StepCommit, 1, store.FaultBefore)
		_, _, err := d.cases.Get(t.Context(), d.other, d.open.ID)
		if !elicense.IsKind(err, elicense.Unavailable) {
			d.t.Errorf("got %v", err)
		}
	})
}

// TestAChangeAndItsRecordAreOne has every statement and the commit of a change
// fail in both ways: there is a record exactly when there is the change.
func TestAChangeAndItsRecordAreOne(t *testing.T) {
	each(t, func(d *desk) {
		for _, kind := range []store.StepKind{store.StepStatement, store.StepCommit} {
			build, _ := d.asks(d.clerk, nil)
			d.forget()
			d.failing.Arm(kind, 0, store.FaultNone)
			d.must(d.guard.Write(t.Context(), build, change(fmt.Sprint("count", kind))))
			steps := d.failing.Count(kind)
			d.failing.Arm(kind, 0, store.FaultNone)
			for n := 1; n <= steps; n++ {
				for _, how := range []store.Fault{store.FaultBefore, store.FaultAfter} {
					key := fmt.Sprintf("step/%d/%d/%d", kind, n, how)
					records := d.uses(store.Done)
					d.forget()
					d.failing.Arm(kind, n, how)
					err := d.guard.Write(t.Context(), build, change(key))
					d.failing.Arm(kind, 0, store.FaultNone)
					if !elicense.IsKind(err, elicense.Unavailable) {
						d.t.Errorf("%s: %v", key, err)
					}
					changed, recorded := d.changes(key), d.uses(store.Done)-records
					if changed != recorded {
						d.t.Errorf("%s: %d changes and %d records", key, changed, recorded)
					}
					if want := kind == store.StepCommit && how == store.FaultAfter; (changed == 1) != want {
						d.t.Errorf("%s: changed %d, want %v", key, changed, want)
					}
				}
			}
		}
	})
}

func TestADecisionWhoseGroundsMoved(t *testing.T) {
	each(t, func(d *desk) {
		ctx := t.Context()
		t := d.t
		t.Run("nothing moved: decided once", func(t *testing.T) {
			build, asked := d.asks(d.clerk, nil)
			if err := d.guard.Write(ctx, build, change("still")); err != nil || *asked != 1 || d.changes("still") != 1 {
				t.Errorf("%v after %d decisions, %d changes", err, *asked, d.changes("still"))
			}
		})
		t.Run("the case was closed: decided anew and refused", func(t *testing.T) {
			build, asked := d.asks(d.clerk, func() { d.must(d.cases.Close(ctx, d.clerk, d.open.ID)) })
			refused := d.uses(store.Refused)
			err := d.guard.Write(ctx, build, change("closed"))
			if !elicense.IsKind(err, elicense.Forbidden) || !strings.Contains(message(err), "已经办结") || *asked != 2 {
				t.Errorf("%v after %d decisions", err, *asked)
			}
			if d.changes("closed") != 0 || d.uses(store.Refused) != refused+1 {
				t.Errorf("%d changes, %d refusals", d.changes("closed"), d.uses(store.Refused)-refused)
			}
		})
		for name, move := range map[string]func(*store.Tx, elicense.AccountID) error{
			"the duty was withdrawn":   func(tx *store.Tx, id elicense.AccountID) error { return org.Withdraw(tx, id, elicense.DutyWindow) },
			"the account was disabled": org.Disable,
		} {
			t.Run(name+": nothing is done", func(t *testing.T) {
				d.open = d.newCase()
				build, _ := d.asks(d.clerk, func() {
					d.must(d.db.Update(ctx, func(tx *store.Tx) error { return move(tx, d.clerk.Account) }))
				})
				if err := d.guard.Write(ctx, build, change("moved")); !elicense.IsKind(err, elicense.Conflict) {
					t.Errorf("got %v", err)
				}
				if n := d.changes("moved"); n != 0 {
					t.Errorf("%d changes by who may not act", n)
				}
				d.must(d.db.Update(ctx, func(tx *store.Tx) error { // the clerk of the next part
					_, err := tx.Exec(`DELETE FROM account WHERE login = $1`, "clerk")
					return err
				}))
				d.must(d.org.Enroll(ctx, []org.Staff{{Login: "clerk", Unit: office, Kind: elicense.Staff, Name: "郑窗口", Duties: []elicense.Duty{elicense.DutyWindow}}}))
				var err error
				d.clerk, err = d.org.ActorByLogin(ctx, "clerk", "request-2")
				d.must(err)
			})
		}
		t.Run("a rule of the change itself refuses: recorded", func(t *testing.T) {
			d.open = d.newCase()
			build, _ := d.asks(d.clerk, nil)
			err := d.guard.Write(ctx, build, func(tx *store.Tx, p *access.Permit) error {
				if err := change("undone")(tx, p); err != nil {
					return err
				}
				return elicense.E(elicense.NotInForce, "证照已挂起").Under("第十条")
			})
			last := d.records()[0]
			if !elicense.IsKind(err, elicense.NotInForce) || d.changes("undone") != 0 || last.Outcome != store.Refused || last.Clause != "第十条" {
				t.Errorf("%v, record %+v", err, last)
			}
		})
	})
}

func TestRefusalsAreRecordedWithoutContents(t *testing.T) {
	each(t, func(d *desk) {
		build := func(*store.Tx) (access.Request, error) {
			return access.Request{
				Actor: d.citizen, Act: access.CaseUse, On: access.Thing{Kind: "Case", ID: number, Attr: access.Attr{
					"units": []string{}, "clerk": "", "state": "", "parties": []string{}, "proven": []string{}, "types": []string{}, "fields": []string{},
				}},
				Circumstances: access.Attr{"type": "", "holder": "", "purpose": "", "fields": []string{}, "level": 1, "withheld": false, "unagreed": false, "tries": 0, "file": false},
				Note: access.Note{
					Case: number, License: number, Fields: []string{"license_no", number, "陈示例", strings.Repeat("f", 41)},
					Detail: map[string]string{"act": "query"},
				},
			}, nil
		}
		_, err := d.guard.Read(d.t.Context(), build, func(*store.Tx, *access.Permit) error { d.t.Error("read after a refusal"); return nil })
		var e *elicense.Error
		if !errors.As(err, &e) || e.Kind != elicense.Forbidden || e.Clause == "" || e.Next == "" {
			d.t.Fatalf("got %v", err)
		}
		r := d.records()[0]
		if r.ID != e.Record || r.Outcome != store.Refused || r.Rule != "use-post" || r.Clause != e.Clause || r.Detail["kind"] != "forbidden" ||
			r.Actor != string(d.citizen.Account) || r.Request != "request-1" {
			d.t.Errorf("record %+v of %+v", r, e)
		}
		if !slices.Equal(r.Fields, []string{"license_no"}) {
			d.t.Errorf("fields %q", r.Fields)
		}
		if text := fmt.Sprintf("%+v", r); strings.Contains(text, number) || strings.Contains(text, "陈示例") || strings.Contains(text, firm.Name) {
			d.t.Errorf("the record says what was typed or who the holder is: %s", text)
		}
		if n := d.guard.Refusals()["use-post"]; n != 1 {
			d.t.Errorf("counted %d", n)
		}
	})
}

// key is an idempotency key of the clerk's.
func key(scope, k, body string) *access.Once {
	return &access.Once{Scope: scope, Key: k, Digest: []byte(body)}
}

// post asks for a change under an idempotency key, as the API does.
func (d *desk) post(ctx context.Context, o *access.Once, id string) (string, error) {
	reply, known, err := d.guard.Replay(ctx, o)
	if err != nil || known {
		return string(reply), err
	}
	build, _ := d.asks(d.clerk, nil)
	if err := d.guard.Write(access.WithOnce(ctx, o), build, change(id)); err != nil {
		return "", err
	}
	return "answer " + id, d.guard.KeepReply(ctx, o, []byte("answer "+id))
}

func TestOnce(t *testing.T) {
	each(t, func(d *desk) {
		ctx := t.Context()
		t := d.t
		t.Run("the same key gives the first answer", func(t *testing.T) {
			for i := range 3 {
				got, err := d.post(ctx, key("a /x", "1", "body"), fmt.Sprint("first", i))
				if err != nil || got != "answer first0" {
					t.Errorf("%q, %v", got, err)
				}
			}
			if n := d.changes("first"); n != 1 {
				t.Errorf("%d changes", n)
			}
		})
		t.Run("another body is refused", func(t *testing.T) {
			_, err := d.post(ctx, key("a /x", "1", "another body"), "second")
			if !elicense.IsKind(err, elicense.Conflict) || d.changes("second") != 0 {
				t.Errorf("%v, %d changes", err, d.changes("second"))
			}
		})
		t.Run("keys of different accounts do not meet", func(t *testing.T) {
			for i, scope := range []string{"b /x", "a /y", "a"} {
				got, err := d.post(ctx, key(scope, "1", "body"), fmt.Sprint("scope", i))
				if err != nil || got != fmt.Sprint("answer scope", i) {
					t.Errorf("%s: %q, %v", scope, got, err)
				}
			}
			// Neither do a scope and a key that read alike when put together.
			if got, err := d.post(ctx, key("a /x1", "", "body"), "joined"); err != nil || got != "answer joined" {
				t.Errorf("%q, %v", got, err)
			}
		})
		t.Run("a change that failed leaves the key free", func(t *testing.T) {
			if _, err := d.post(ctx, key("a", "2", "body"), "first0"); !elicense.IsKind(err, elicense.Conflict) {
				t.Fatalf("a change that exists already: %v", err)
			}
			if got, err := d.post(ctx, key("a", "2", "body"), "again"); err != nil || got != "answer again" {
				t.Errorf("%q, %v", got, err)
			}
		})
		t.Run("an answer lost after the change says so", func(t *testing.T) {
			o := key("a", "3", "body")
			build, _ := d.asks(d.clerk, nil)
			d.must(d.guard.Write(access.WithOnce(ctx, o), build, change("lost")))
			_, err := d.post(ctx, key("a", "3", "body"), "lost2")
			if !elicense.IsKind(err, elicense.Conflict) || !strings.Contains(message(err), "已经办成") || d.changes("lost") != 1 {
				t.Errorf("%v, %d changes", err, d.changes("lost"))
			}
		})
		t.Run("a commit reported as failed is not made twice", func(t *testing.T) {
			d.failing.Arm(store.StepCommit, 2, store.FaultAfter) // the first is the look at the key
			_, err := d.post(ctx, key("a", "4", "body"), "commit")
			d.failing.Arm(store.StepCommit, 0, store.FaultNone)
			if !elicense.IsKind(err, elicense.Unavailable) || d.changes("commit") > 1 {
				t.Fatalf("%v, %d changes", err, d.changes("commit"))
			}
			_, _ = d.post(ctx, key("a", "4", "body"), "commit-again")
			if n := d.changes("commit"); n != 1 {
				t.Errorf("%d changes", n)
			}
		})
		t.Run("a reading keeps no answer", func(t *testing.T) {
			o := key("a", "5", "body")
			d.must(d.guard.KeepReply(access.WithOnce(ctx, o), o, []byte("what was read")))
			if reply, known, err := d.guard.Replay(ctx, o); known || err != nil {
				t.Errorf("%q, %v, %v", reply, known, err)
			}
		})
		t.Run("what is kept can not be read", func(t *testing.T) {
			d.must(d.db.View(ctx, func(tx *store.Tx) error {
				rows, err := tx.Query(`SELECT digest, reply FROM once`)
				if err != nil {
					return err
				}
				for rows.Next() {
					var digest, reply []byte
					if err := rows.Scan(&digest, &reply); err != nil {
						return err
					}
					if strings.Contains(string(digest)+string(reply), "answer") || strings.Contains(string(digest), "body") {
						t.Error("a key's row holds its body or answer in the clear")
					}
				}
				return nil
			}))
		})
		t.Run("after 7 days the key is free", func(t *testing.T) {
			d.clock.Move(store.OnceKept - time.Microsecond)
			if got, err := d.post(ctx, key("a /x", "1", "body"), "late"); err != nil || got != "answer first0" {
				t.Errorf("a moment before: %q, %v", got, err)
			}
			d.clock.Move(time.Microsecond)
			if got, err := d.post(ctx, key("a /x", "1", "a new body"), "late"); err != nil || got != "answer late" {
				t.Errorf("%q, %v", got, err)
			}
		})
	})
}

func TestConcurrentRequestsOfOneKeyChangeOnce(t *testing.T) {
	each(t, func(d *desk) {
		var (
			wg       sync.WaitGroup
			answers  [8]string
			failures [8]error
		)
		for i := range 8 {
			wg.Go(func() { answers[i], failures[i] = d.post(t.Context(), key("a", "k", "body"), fmt.Sprint("one", i)) })
		}
		wg.Wait()
		if n := d.changes("one"); n != 1 {
			d.t.Errorf("%d changes", n)
		}
		first := ""
		for i := range 8 {
			switch {
			case failures[i] == nil && (first == "" || first == answers[i]):
				first = answers[i]
			case failures[i] == nil:
				d.t.Errorf("two answers: %q and %q", first, answers[i])
			case !elicense.IsKind(failures[i], elicense.Conflict):
				d.t.Errorf("request %d: %v", i, failures[i])
			}
		}
		if first == "" {
			d.t.Error("no request had an answer")
		}
	})
}
