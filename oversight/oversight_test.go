package oversight_test

import (
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"elicense"
	"elicense/e2e/world"
	"elicense/gm"
	"elicense/oversight"
	"elicense/sharing"
	"elicense/store"
	"elicense/store/storetest"
	"elicense/tlog"
)

// told is a world in which a license was made and used in a case.
type told struct {
	*world.World
	cfg     store.Config
	failing *storetest.Failing
	license elicense.LicenseID
	office  elicense.CaseID
	receipt elicense.RecordID
	file    string
}

func each(t *testing.T, f func(t *testing.T, w *told)) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		clock := storetest.NewClock()
		w := &told{cfg: cfg, failing: &storetest.Failing{}}
		cfg.Now, cfg.Fault = clock.Now, w.failing.Fault
		w.World = world.New(t, cfg, clock)
		d := w.Publish(t, w.Completion("1"))
		w.license, w.office = d.License, w.OpenCase(t).ID
		r, err := w.Sharing.Use(t.Context(), w.Window, w.office, sharing.Use{Material: "食品经营许可证", Party: -1, Act: sharing.Query})
		must(t, err)
		w.receipt = r.Receipt.Record
		f(t, w)
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheRecordIsFoundByEachKey(t *testing.T) {
	each(t, func(t *testing.T, w *told) {
		for name, by := range map[string]oversight.By{
			"license": {License: w.license}, "case": {Case: w.office}, "account": {Actor: w.Window.Account}, "unit": {Unit: world.Office}, "all": {},
		} {
			list, err := w.Oversight.Records(t.Context(), w.Auditor, by, 200)
			must(t, err)
			found := false
			for i, e := range list {
				found = found || e.ID == string(w.receipt) && e.Act == "case.use" && e.Case == string(w.office)
				if i > 0 && e.Time.After(list[i-1].Time) {
					t.Errorf("by %s: entry %d is newer than the one before", name, i)
				}
				if by.Case != "" && e.Case != string(by.Case) || by.Unit != "" && e.Unit != string(by.Unit) {
					t.Errorf("by %s: %+v", name, e)
				}
			}
			if !found {
				t.Errorf("by %s: the use is not among %d entries", name, len(list))
			}
		}
		list, err := w.Oversight.Records(t.Context(), w.Auditor, oversight.By{Actor: w.Auditor.Account}, 1)
		must(t, err)
		if e := list[0]; e.Act != "record.read" || e.Detail["by"] == "" {
			t.Errorf("reading the record is not on the record: %+v", e)
		}
		if list, err := w.Oversight.Records(t.Context(), w.Auditor, oversight.By{}, 3); err != nil || len(list) != 3 {
			t.Errorf("%d entries of 3, %v", len(list), err)
		}
		for _, by := range []oversight.By{{License: "350100198506120117"}, {Case: "x"}, {Actor: "350100198506120117"}, {Unit: "350100198506120117"}} {
			if _, err := w.Oversight.Records(t.Context(), w.Auditor, by, 1); !elicense.IsKind(err, elicense.Invalid) {
				t.Errorf("%+v: %v", by, err)
			}
		}
	})
}

func TestOnlySupervisionReadsTheRecord(t *testing.T) {
	each(t, func(t *testing.T, w *told) {
		for name, who := range map[string]*elicense.Actor{"a clerk": w.Window, "a reviewer": w.Reviewer, "a holder": w.Holder, "the administration": w.Admin} {
			list, err := w.Oversight.Records(t.Context(), who, oversight.By{License: w.license}, 10)
			if !elicense.IsKind(err, elicense.Forbidden) || list != nil {
				t.Errorf("%s reads %d entries, %v", name, len(list), err)
			}
			p, err := w.Oversight.Prove(t.Context(), who, w.receipt)
			if !elicense.IsKind(err, elicense.Forbidden) || p != nil {
				t.Errorf("%s has a proof, %v", name, err)
			}
			refused, err := w.Oversight.Records(t.Context(), w.Auditor, oversight.By{Actor: who.Account}, 2)
			must(t, err)
			for _, e := range refused {
				if e.Act != "record.read" || e.Outcome != store.Refused || e.Rule != "record-post" || e.Clause != "第十七条第一款" {
					t.Errorf("%s: %+v", name, e)
				}
			}
		}
		w.failing.Arm(store.StepCommit, 1, store.FaultBefore)
		list, err := w.Oversight.Records(t.Context(), w.Auditor, oversight.By{License: w.license}, 10)
		if !elicense.IsKind(err, elicense.Unavailable) || list != nil {
			t.Errorf("%d entries without a record, %v", len(list), err)
		}
	})
}

// hash reads a hash as a proof writes it.
func hash(t *testing.T, s string) (h tlog.Hash) {
	t.Helper()
	if n, err := hex.Decode(h[:], []byte(s)); err != nil || n != len(h) {
		t.Fatalf("hash %q: %v", s, err)
	}
	return h
}

// TestAProofIsCheckedWithoutThePlatform takes what an auditor is given and checks
// it with the log's public key alone.
func TestAProofIsCheckedWithoutThePlatform(t *testing.T) {
	each(t, func(t *testing.T, w *told) {
		given, err := w.Oversight.Prove(t.Context(), w.Auditor, w.receipt)
		must(t, err)
		if given.Entry.ID != string(w.receipt) || given.Entry.Act != "case.use" {
			t.Errorf("entry %+v", given.Entry)
		}
		decode := base64.StdEncoding.DecodeString
		p := store.Proof{Shard: given.Shard, Index: given.Index}
		p.Record, err = decode(given.Bytes)
		must(t, err)
		p.Salt, err = hex.DecodeString(given.Salt)
		must(t, err)
		for _, h := range given.Path {
			p.Path = append(p.Path, hash(t, h))
		}
		p.Checkpoint.Note = []byte(given.Checkpoint)
		p.Checkpoint.Signature, err = decode(given.Signature)
		must(t, err)
		p.Checkpoint.Checkpoint, err = tlog.ParseCheckpoint(p.Checkpoint.Note)
		must(t, err)
		key := w.cfg.LogSigner.Public()
		if err := p.Check(key); err != nil {
			t.Errorf("an honest proof: %v", err)
		}
		if p.Leaf() != hash(t, given.Leaf) || p.Checkpoint.Root != hash(t, given.Root) || p.Checkpoint.Size != given.Size {
			t.Errorf("leaf, root or size are not those of the proof: %+v", given)
		}
		bad := p
		bad.Record = []byte(strings.Replace(string(p.Record), "done", "fine", 1))
		if bad.Check(key) == nil {
			t.Error("another record is proven")
		}
		other, err := gm.GenerateKey()
		must(t, err)
		if p.Check(other.Public()) == nil {
			t.Error("the proof holds under another key")
		}
		for _, id := range []elicense.RecordID{"00000000000000000000000000", "350100198506120117"} {
			if p, err := w.Oversight.Prove(t.Context(), w.Auditor, id); !elicense.IsKind(err, elicense.NotFound) || p != nil {
				t.Errorf("a record that is none: %v", err)
			}
		}
	})
}

// TestFsckNamesWhatIsLost takes one thing at a time away behind the platform's
// back, or adds one, and puts it back.
// TestFsckNamesALicenseWithoutAFile: rows of lots whose seal failed were once published
// with an empty file.
func TestFsckNamesALicenseWithoutAFile(t *testing.T) {
	w := world.OnSQLite(t)
	var lic *elicense.License
	empty, err := w.DB.Files().Put(t.Context(), "empty.ofd", nil)
	must(t, err)
	must(t, w.DB.Update(t.Context(), func(tx *store.Tx) error {
		owner, err := tx.Holder(world.Firm, true)
		if err != nil {
			return err
		}
		serial := elicense.NewSerial()
		id, err := elicense.NewIdentifier(world.Type, world.Issuer, serial, 1)
		if err != nil {
			return err
		}
		lic, err = tx.Apply(&elicense.Event{
			License: elicense.NewID[elicense.LicenseID](tx.Now()), Kind: elicense.EventPublish, DocNo: "鼓市监准〔2026〕1号", Unit: world.Issuer, Actor: "p1", Reviewer: "p2",
			New: &elicense.Version{
				Identifier: id, Code: elicense.NewCheckCode(), Holders: []elicense.HolderRef{world.Firm}, Fields: w.Completion("1").Fields,
				ValidFrom: "2026-03-10", ValidTo: "2031-03-09", IssuedOn: "2026-03-10", Serial: serial, FaceNumber: "JY1", File: "empty.ofd", Digest: empty,
				TypeName: "食品经营许可证", Made: elicense.Making{Mode: "bulk", Case: "批1", Closed: tx.Now(), Generated: tx.Now(), Reviewed: tx.Now()},
			},
			First: &elicense.License{Type: world.Type, TypeName: "食品经营许可证", TypeVersion: 1, Issuer: world.Issuer, Holders: []elicense.HolderKey{owner}},
		})
		return err
	}))
	var said []string
	for _, f := range w.Findings(t) {
		if f.Where == string(lic.ID) && f.Kind == "license" {
			said = append(said, f.What)
		}
		if f.Kind == "file" {
			t.Errorf("and %s", f)
		}
	}
	if !slices.Contains(said, "第1版的文件是空的：签章没有办成却已发布，要重新制作") {
		t.Errorf("fsck says %q", said)
	}
}

func TestFsckNamesWhatIsLost(t *testing.T) {
	each(t, func(t *testing.T, w *told) {
		var draft, use string
		must(t, w.DB.View(t.Context(), func(tx *store.Tx) error {
			if err := tx.Row(`SELECT id FROM draft`).Scan(&draft); err != nil {
				return err
			}
			return tx.Row(`SELECT id, file FROM key_use`).Scan(&use, &w.file)
		}))
		undo := func(change ...string) func(*store.Tx) error {
			return func(tx *store.Tx) error {
				for _, q := range change {
					if n, err := tx.Exec(q); err != nil || n != 1 {
						t.Errorf("%s: %d rows, %v", q, n, err)
					}
				}
				return nil
			}
		}
		rows := []struct{ name, change, undo, kind, where string }{
			{"a completion is lost", `UPDATE completion SET item = 'x'`, `UPDATE completion SET item = '1'`, "draft", draft},
			{"a completion leads to another draft", `UPDATE completion SET draft = 'x'`, `UPDATE completion SET draft = '` + draft + `'`, "draft", draft},
			{"a use of the key is lost", `UPDATE key_use SET subject = 'x'`, `UPDATE key_use SET subject = '` + draft + `'`, "use", string(w.license)},
			{"a license is taken out of its holder's folder", `UPDATE license_holder SET license = 'x'`, `UPDATE license_holder SET license = '` + string(w.license) + `'`, "license", string(w.license)},
			{"a license is put into another's folder", `INSERT INTO license_holder (holder_key, license, owner, type, place) SELECT 'x', license, owner, type, 1 FROM license_holder`, `DELETE FROM license_holder WHERE holder_key = 'x'`, "license", string(w.license)},
			{"a license is hidden from queries of its type", `UPDATE license_holder SET type = 'x'`, `UPDATE license_holder SET type = '` + string(world.Type) + `'`, "license", string(w.license)},
			{"an account is given a duty", `INSERT INTO duty (account, duty, since) SELECT id, 'audit', 1 FROM account WHERE login = 'window'`, `DELETE FROM duty WHERE since = 1`, "account", string(w.Window.Account)},
		}
		for _, r := range rows {
			must(t, w.DB.Update(t.Context(), undo(r.change)))
			w.finds(t, r.name, r.kind, r.where)
			must(t, w.DB.Update(t.Context(), undo(r.undo)))
		}
		_, err := w.DB.Files().Put(t.Context(), "stray.ofd", []byte("of nobody"))
		must(t, err)
		w.finds(t, "a file of nobody", "file", "stray.ofd")
		stray, err := filepath.Glob(filepath.Join(w.cfg.Dir, "files", "*", "stray.ofd.bin"))
		must(t, err)
		must(t, os.Remove(stray[0]))
		w.Fsck(t)
	})
}

func (w *told) finds(t *testing.T, name, kind, where string) {
	t.Helper()
	found := w.Findings(t)
	for _, f := range found {
		if f.Kind == kind && strings.Contains(f.Where, where) {
			return
		}
	}
	t.Errorf("%s: found %q, want %s %s", name, found, kind, where)
}
