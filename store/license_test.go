package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"elicense"
	"elicense/store"
	"elicense/store/storetest"
)

const (
	issuer   elicense.UnitCode = "11350102FJDEM0275F"
	foodType elicense.TypeCode = "11350102FJDEM0275F001"
)

var firm = elicense.HolderRef{CodeType: elicense.CodeUSCC, Code: "91350102FJDEM90180", Name: "福州示例餐饮有限公司"}

// version makes a version with the face number.
func version(t testing.TB, serial string, n int, number string) *elicense.Version {
	t.Helper()
	id, err := elicense.NewIdentifier(foodType, issuer, serial, n)
	if err != nil {
		t.Fatal(err)
	}
	return &elicense.Version{
		Identifier: id, Code: elicense.NewCheckCode(), Holders: []elicense.HolderRef{firm},
		Fields:    map[string]string{"holder_name": firm.Name, "items": "热食类食品制售\n冷食类食品制售", "empty": ""},
		ValidFrom: "2026-03-10", ValidTo: "2031-03-09", IssuedOn: "2026-03-10", Serial: serial, FaceNumber: number,
		File: string(id) + ".ofd", Digest: []byte("digest of " + number), TypeName: "食品经营许可证",
		Made: elicense.Making{
			Mode: "online", Case: "许可1", Closed: storetest.Start, Generated: storetest.Start, Reviewed: storetest.Start, Drafter: "p1", Reviewer: "p2",
		},
	}
}

// publishing is the event that makes a license of the firm.
func publishing(t testing.TB, tx *store.Tx, number string) *elicense.Event {
	t.Helper()
	owner, err := tx.Holder(firm, true)
	if err != nil {
		t.Fatal(err)
	}
	return &elicense.Event{
		License: elicense.NewID[elicense.LicenseID](tx.Now()), Kind: elicense.EventPublish, DocNo: "鼓市监准〔2026〕1号", Reason: "依法办理",
		Unit: issuer, Actor: "p1", Reviewer: "p2", New: version(t, elicense.NewSerial(), 1, number),
		First: &elicense.License{Type: foodType, TypeName: "食品经营许可证", TypeVersion: 1, Issuer: issuer, Holders: []elicense.HolderKey{owner}},
	}
}

func publish(t testing.TB, db *store.DB, number string) (lic *elicense.License) {
	t.Helper()
	update(t, db, func(tx *store.Tx) (err error) {
		lic, err = tx.Apply(publishing(t, tx, number))
		return err
	})
	return lic
}

// next is an event of the kind that happens to the license.
func next(t testing.TB, lic *elicense.License, kind elicense.EventKind) *elicense.Event {
	ev := &elicense.Event{License: lic.ID, Kind: kind, DocNo: "鼓市监〔2026〕2号", Reason: string(kind), Unit: issuer, Actor: "p3", Reviewer: "p4"}
	if kind.MakesVersion() {
		ev.New = version(t, elicense.NewSerial(), 2, "JY-"+elicense.NewSerial())
	}
	return ev
}

func stored(t testing.TB, db *store.DB, id elicense.LicenseID) (lic *elicense.License, events []*elicense.Event) {
	t.Helper()
	view(t, db, func(tx *store.Tx) (err error) {
		tx.SeeWithdrawn()
		if lic, err = tx.License(id); err != nil {
			return err
		}
		events, err = tx.Events(lic)
		return err
	})
	return lic, events
}

func TestAPublishedLicenseIsReadAsItWasWritten(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		db := storetest.Open(t, cfg)
		var ev *elicense.Event
		var made *elicense.License
		update(t, db, func(tx *store.Tx) (err error) {
			ev = publishing(t, tx, "JY1")
			made, err = tx.Apply(ev)
			return err
		})
		lic, events := stored(t, db, made.ID)
		lic.Contact, made.Contact = time.Time{}, time.Time{} // of our own licenses, the moment of reading
		if !reflect.DeepEqual(lic, made) {
			t.Errorf("read %+v, wrote %+v", lic, made)
		}
		var got *elicense.Version
		view(t, db, func(tx *store.Tx) (err error) {
			got, err = tx.Version(lic, 0)
			return err
		})
		if !reflect.DeepEqual(got, ev.New) {
			t.Errorf("read %+v, wrote %+v", got, ev.New)
		}
		ev.New, ev.First = nil, nil
		if len(events) != 1 || !reflect.DeepEqual(events[0], ev) {
			t.Errorf("read %+v, wrote %+v", events[0], ev)
		}
		for _, table := range []string{"license_version", "license_event"} { // contents are cipher text
			view(t, db, func(tx *store.Tx) error {
				var b []byte
				err := tx.Row(`SELECT content_enc FROM ` + table).Scan(&b)
				if len(b) == 0 || bytes.Contains(b, []byte(firm.Name)) || bytes.Contains(b, []byte("依法办理")) {
					t.Errorf("%s is in the clear", table)
				}
				return err
			})
		}
		err := db.Update(ctx, func(tx *store.Tx) error {
			again := publishing(t, tx, "JY2")
			again.License = lic.ID
			_, err := tx.Apply(again)
			return err
		})
		if !elicense.IsKind(err, elicense.Conflict) {
			t.Errorf("published twice: %v", err)
		}
		err = db.Update(ctx, func(tx *store.Tx) error {
			_, err := tx.Apply(&elicense.Event{License: "00000000000000000000000000", Kind: elicense.EventRevoke})
			return err
		})
		if !elicense.IsKind(err, elicense.NotFound) {
			t.Errorf("an event of no license: %v", err)
		}
	})
}

var laterKinds = []elicense.EventKind{
	elicense.EventChange, elicense.EventRenew, elicense.EventRevoke, elicense.EventCancel, elicense.EventAbolish, elicense.EventSuspend,
	elicense.EventResume, elicense.EventPledge, elicense.EventRelease, elicense.EventSealUp, elicense.EventUnseal, elicense.EventDispute,
	elicense.EventSettle, elicense.EventRestore, elicense.EventWithdraw, "unheard-of",
}

// TestTheRowIsWhatItsEventsLeadTo lets random events happen: the row is always
// what the state table derives, and a refused event leaves no trace.
func TestTheRowIsWhatItsEventsLeadTo(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		db := storetest.Open(t, cfg)
		rapid.Check(t, func(r *rapid.T) {
			kinds := rapid.SliceOfN(rapid.SampledFrom(laterKinds), 1, 12).Draw(r, "kinds")
			lic := publish(t, db, "JY-"+elicense.NewSerial())
			want, happened := lic.Standing, []elicense.EventKind{elicense.EventPublish}
			update(t, db, func(tx *store.Tx) error {
				for _, k := range kinds {
					after, refused := want.After(k)
					got, err := tx.Apply(next(t, lic, k))
					switch {
					case (err != nil) != (refused != nil):
						r.Fatalf("%s after %v: %v, the table says %v", k, happened, err, refused)
					case err != nil && elicense.KindOf(err) != elicense.KindOf(refused):
						r.Fatalf("%s after %v: %v", k, happened, err)
					case err == nil:
						want, happened = after, append(happened, k)
						if got.Standing != want {
							r.Fatalf("%s after %v: %+v, want %+v", k, happened, got.Standing, want)
						}
					}
				}
				return nil
			})
			row, events := stored(t, db, lic.ID)
			if row.Standing != want || row.Seq != len(happened) || len(events) != len(happened) {
				r.Fatalf("row %+v with %d events, want %+v after %v", row.Standing, len(events), want, happened)
			}
			for i, ev := range events {
				if ev.Kind != happened[i] || ev.Seq != i+1 || ev.Owner != lic.Owner || ev.Learned.IsZero() || ev.Effective.IsZero() {
					r.Fatalf("event %d: %+v", i, ev)
				}
			}
			view(t, db, func(tx *store.Tx) error {
				v, err := tx.Version(row, 0)
				if err == nil && (v.Number != want.Version || v.Identifier != row.Identifier) {
					r.Fatalf("version %+v of %+v", v, row)
				}
				if _, err := tx.Version(row, want.Version+1); !elicense.IsKind(err, elicense.NotFound) {
					r.Fatalf("a version too many: %v", err)
				}
				return err
			})
		})
	})
}

func TestOfTwoEqualEventsOneHappens(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		db := storetest.Open(t, cfg)
		lic := publish(t, db, "JY1")
		for _, kind := range []elicense.EventKind{elicense.EventPledge, elicense.EventSuspend, elicense.EventRevoke} {
			var wg sync.WaitGroup
			failures := make([]error, 4)
			for i := range failures {
				wg.Go(func() {
					failures[i] = db.Update(ctx, func(tx *store.Tx) error {
						_, err := tx.Apply(next(t, lic, kind))
						return err
					})
				})
			}
			wg.Wait()
			happened := 0
			for _, err := range failures {
				if err == nil {
					happened++
				} else if !elicense.IsKind(err, elicense.Conflict) {
					t.Errorf("%s: %v", kind, err)
				}
			}
			if happened != 1 {
				t.Errorf("%s happened %d times", kind, happened)
			}
		}
		if row, events := stored(t, db, lic.ID); row.Seq != 4 || len(events) != 4 || row.Standing.State != elicense.Revoked {
			t.Errorf("%d events lead to %+v", len(events), row)
		}
	})
}

func holderKey(t testing.TB, db *store.DB, ref elicense.HolderRef) (key elicense.HolderKey) {
	t.Helper()
	update(t, db, func(tx *store.Tx) (err error) {
		key, err = tx.Holder(ref, true)
		return err
	})
	return key
}

func TestAHolderHasOneKey(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		db := storetest.Open(t, cfg)
		codes := []elicense.HolderRef{
			{CodeType: elicense.CodeCitizen, Code: "350100198506120117"}, {CodeType: elicense.CodeUSCC, Code: "350100198506120117"},
			{CodeType: elicense.CodeOther, Code: "350100198506120117"}, {CodeType: elicense.CodeOther, Code: "E12345678"}, firm,
		}
		seen := map[elicense.HolderKey]bool{}
		for _, ref := range codes {
			view(t, db, func(tx *store.Tx) error {
				if _, err := tx.Holder(ref, false); !elicense.IsKind(err, elicense.NotFound) {
					t.Errorf("%s is known: %v", ref.Code, err)
				}
				return nil
			})
			keys := make([]elicense.HolderKey, 8)
			var wg sync.WaitGroup
			for i := range keys {
				wg.Go(func() { keys[i] = holderKey(t, db, ref) })
			}
			wg.Wait()
			for _, k := range keys {
				if k != keys[0] || !elicense.ValidID(k) {
					t.Errorf("%s %s has keys %v", ref.CodeType, ref.Code, keys)
				}
			}
			if seen[keys[0]] {
				t.Errorf("%s %s has another's key", ref.CodeType, ref.Code)
			}
			seen[keys[0]] = true
			if err := db.RotateKeys(ctx); err != nil {
				t.Fatal(err)
			}
			if again := holderKey(t, db, ref); again != keys[0] {
				t.Errorf("after a new index key %s has key %s, had %s", ref.Code, again, keys[0])
			}
		}
	})
}

func TestNamesFindTheirLicenseAfterNewKeys(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		db := storetest.Open(t, cfg)
		lic := publish(t, db, "JY1")
		found := func() {
			t.Helper()
			view(t, db, func(tx *store.Tx) error {
				v, err := tx.Version(lic, 0)
				if err != nil {
					return err
				}
				if l, n, err := tx.ByCode(v.Code); err != nil || l.ID != lic.ID || n != 1 {
					t.Errorf("by code: %v, %d, %v", l, n, err)
				}
				if l, n, err := tx.ByIdentifier(v.Identifier); err != nil || l.ID != lic.ID || n != 1 {
					t.Errorf("by identifier: %v, %d, %v", l, n, err)
				}
				if l, err := tx.LicensesOf(lic.Owner, foodType); err != nil || len(l) != 1 || l[0].ID != lic.ID {
					t.Errorf("by holder: %v, %v", l, err)
				}
				if l, err := tx.LicensesOf(lic.Owner, "11350102FJDEM0275F002"); err != nil || len(l) != 0 {
					t.Errorf("by holder and another type: %v, %v", l, err)
				}
				if _, _, err := tx.ByCode(elicense.NewCheckCode()); !elicense.IsKind(err, elicense.NotFound) {
					t.Errorf("by a code of none: %v", err)
				}
				return nil
			})
		}
		take := func(number string) error {
			return db.Update(ctx, func(tx *store.Tx) error {
				_, err := tx.Apply(publishing(t, tx, number))
				return err
			})
		}
		for range 3 {
			found()
			var e *elicense.Error
			if err := take("JY1"); !errors.As(err, &e) || e.Kind != elicense.Conflict || e.Clause != "第九条第一款" {
				t.Errorf("a number another license has: %v", err)
			}
			update(t, db, func(tx *store.Tx) error { return tx.TakeNumber(lic, "JY1") }) // one's own again
			if err := db.RotateKeys(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if err := take("JY2"); err != nil {
			t.Errorf("a new number: %v", err)
		}
		if err := take("JY2"); !elicense.IsKind(err, elicense.Conflict) {
			t.Errorf("a number taken under the newest key: %v", err)
		}
		if n := count(t, db, `SELECT COUNT(*) FROM license`); n != 2 {
			t.Errorf("%d licenses: a refused one left a row", n)
		}
	})
}

// TestPagesOfIssuedLicenses pages through licenses some of which were published
// in one moment: each is on one page.
func TestPagesOfIssuedLicenses(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		clock := storetest.NewClock()
		cfg.Now = clock.Now
		db := storetest.Open(t, cfg)
		want := map[elicense.LicenseID]bool{}
		for i, moments := range []int{1, 4, 1, 1, 2} {
			for n := range moments {
				want[publish(t, db, fmt.Sprintf("JY%d-%d", i, n)).ID] = true
			}
			clock.Move(time.Microsecond)
		}
		for limit := 1; limit <= 10; limit++ {
			seen, before := map[elicense.LicenseID]bool{}, clock.Now()
			for {
				var page []*elicense.License
				view(t, db, func(tx *store.Tx) (err error) {
					page, err = tx.LicensesIssued(issuer, before, limit)
					return err
				})
				if len(page) == 0 {
					break
				}
				for i, l := range page {
					if seen[l.ID] || i > 0 && l.Published.After(page[i-1].Published) {
						t.Fatalf("limit %d: %s is out of place", limit, l.ID)
					}
					seen[l.ID] = true
				}
				before = page[len(page)-1].Published
			}
			if !reflect.DeepEqual(seen, want) {
				t.Errorf("limit %d: %d of %d licenses", limit, len(seen), len(want))
			}
		}
	})
}

// TestChangedRowsAreNotBelieved changes each column that decides, behind the
// platform's back, and reads.
func TestChangedRowsAreNotBelieved(t *testing.T) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		db := storetest.Open(t, cfg)
		reference := func(number string) (lic *elicense.License) {
			update(t, db, func(tx *store.Tx) (err error) {
				ev := publishing(t, tx, number)
				ev.First.Reference, ev.First.Source, ev.First.Contact = true, "国家系统", storetest.Start
				lic, err = tx.Apply(ev)
				return err
			})
			return lic
		}
		lic, other := reference("JY1"), publish(t, db, "JY2")
		reads := map[string]func(*store.Tx) error{
			"license": func(tx *store.Tx) error { _, err := tx.License(lic.ID); return err },
			"license_version": func(tx *store.Tx) error {
				_, err := tx.Version(lic, 1)
				return err
			},
			"license_event": func(tx *store.Tx) error { _, err := tx.Events(lic); return err },
		}
		key := map[string]string{"license": "id", "license_version": "license", "license_event": "license"}
		for table, columns := range map[string]map[string]any{
			"license": {
				"type": "x", "type_name": "营业执照", "type_version": 2, "issuer": "x", "state": "revoked", "overlays": 1, "version": 2, "seq": 2,
				"identifier": "x", "valid_from": "", "valid_to": "2099-01-01", "published": 1, "changed": 1, "reference": false, "source": "别处", "contact": 1,
			},
			"license_version": {
				"identifier": "x", "serial": "x", "code_enc": []byte{1}, "content_enc": []byte{1}, "valid_from": "", "valid_to": "2099-01-01",
				"file": "x", "file_digest": []byte{1}, "closed": nil, "generated": 1, "reviewed": 1, "published": 1,
			},
			"license_event": {
				"id": "x", "kind": "renew", "form": 2, "effective": 1, "learned": 1, "content_enc": []byte{1}, "unit": "x", "actor": "x", "reviewer": "x",
			},
		} {
			for column, value := range columns {
				change := func(to any) {
					t.Helper()
					update(t, db, run(fmt.Sprintf(`UPDATE %s SET %s = $1 WHERE %s = $2`, table, column, key[table]), to, lic.ID))
				}
				var was any
				view(t, db, func(tx *store.Tx) error {
					return tx.Row(fmt.Sprintf(`SELECT %s FROM %s WHERE %s = $1`, column, table, key[table]), lic.ID).Scan(&was)
				})
				if _, is := value.(bool); is {
					was = true // SQLite gives a number
				}
				change(value)
				wantTampered(t, table+"."+column, db.View(ctx, reads[table]), table, string(lic.ID))
				change(was)
				view(t, db, reads[table])
			}
		}
		swap := func(table, column string) {
			t.Helper()
			var a, b []byte
			get := fmt.Sprintf(`SELECT %s FROM %s WHERE license = $1`, column, table)
			view(t, db, func(tx *store.Tx) error {
				return errors.Join(tx.Row(get, lic.ID).Scan(&a), tx.Row(get, other.ID).Scan(&b))
			})
			set := fmt.Sprintf(`UPDATE %s SET %s = $1 WHERE license = $2`, table, column)
			update(t, db, run(set, b, lic.ID))
			update(t, db, run(set, a, other.ID))
			wantTampered(t, table+"."+column+" of two rows swapped", db.View(ctx, reads[table]), table, string(lic.ID))
			update(t, db, run(set, a, lic.ID))
			update(t, db, run(set, b, other.ID))
			view(t, db, reads[table])
		}
		swap("license_version", "content_enc")
		swap("license_version", "code_enc")
		swap("license_version", "mac")
		swap("license_event", "content_enc")
		swap("license_event", "mac")

		// An index that leads to another license is not followed.
		update(t, db, run(`UPDATE license_code SET license = $1, owner = $2`, other.ID, other.Owner))
		update(t, db, run(`UPDATE license_identifier SET license = $1, owner = $2`, other.ID, other.Owner))
		view(t, db, func(tx *store.Tx) error {
			v, err := tx.Version(lic, 1)
			if err != nil {
				return err
			}
			_, _, err = tx.ByCode(v.Code)
			wantTampered(t, "a code led elsewhere", err)
			_, _, err = tx.ByIdentifier(v.Identifier)
			wantTampered(t, "an identifier led elsewhere", err)
			return nil
		})
	})
}
