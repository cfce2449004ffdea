package sharing_test

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"elicense"
	"elicense/cases"
	"elicense/e2e/world"
	"elicense/gm"
	"elicense/sharing"
)

// received makes a use and returns its case and receipt, with the log's key.
func received(t *testing.T, w *world.World, u sharing.Use) (*cases.Case, *sharing.Receipt, *ecdsa.PublicKey) {
	t.Helper()
	w.Publish(t, w.Completion("1"))
	k := w.OpenCase(t)
	res, err := w.Sharing.Use(t.Context(), w.Window, k.ID, u)
	if err != nil {
		t.Fatal(err)
	}
	r, err := w.Receipts.Get(t.Context(), w.Window, k.ID, res.Receipt.Record)
	if err != nil {
		t.Fatal(err)
	}
	return k, r, logKey(t, w)
}

func logKey(t *testing.T, w *world.World) *ecdsa.PublicKey {
	t.Helper()
	pem, err := w.Oversight.LogKey()
	if err != nil {
		t.Fatal(err)
	}
	key, err := gm.ParsePublicKey(pem)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func aQuery() sharing.Use {
	return sharing.Use{Material: "食品经营许可证", Party: -1, Act: sharing.Query}
}

func bytesOf(t *testing.T, r *sharing.Receipt) []byte {
	t.Helper()
	b, err := r.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAReceiptProvesWhatWasChecked(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		k, r, key := received(t, w, aQuery())
		got, err := sharing.ParseReceipt(bytesOf(t, r))
		if err != nil {
			t.Fatal(err)
		}
		if err := got.Check(key); err != nil {
			t.Fatal(err)
		}
		c := got.Checked
		if c.Act != sharing.Query || c.Outcome != "done" || c.Case != k.ID || c.Purpose != "烟草专卖零售许可" || c.Officer != "郑窗口" ||
			c.Unit != world.Office || c.LicenseType != world.Type || c.License == "" || c.Version != "1" || c.Status != elicense.StatusValid ||
			c.AsOf == "" || c.Rule != "case-use" || c.Clause != "第十三条第二款" || !slices.Equal(c.Fields, []string{"holder_name", "license_no"}) {
			t.Errorf("checked %+v", c)
		}
		if strings.Contains(string(bytesOf(t, r)), world.Firm.Name) {
			t.Error("the receipt holds contents of the license")
		}
		// It stays proven when the license is gone and the log has grown.
		w.Change(t, c.License, elicense.EventRevoke)
		later, err := w.Receipts.Get(t.Context(), w.Window, k.ID, c.Record)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(got.Check(key), later.Check(key)); err != nil || later.Checked.Status != elicense.StatusValid {
			t.Errorf("later: %v, status %s", err, later.Checked.Status)
		}
	})
}

func TestEveryUseHasItsReceipt(t *testing.T) {
	w := world.OnSQLite(t)
	k, r, key := received(t, w, sharing.Use{Material: "食品经营许可证", Party: -1, Act: sharing.Verify})
	if r.Checked.Act != sharing.Verify || r.Checked.Fields != nil {
		t.Errorf("a verification: %+v", r.Checked)
	}
	u := aQuery()
	u.Act, u.Values = sharing.Compare, map[string]string{"holder_name": world.Firm.Name}
	res, err := w.Sharing.Use(t.Context(), w.Window, k.ID, u)
	if err != nil {
		t.Fatal(err)
	}
	u = aQuery()
	u.Material = "没有的材料"
	_, refusal := w.Sharing.Use(t.Context(), w.Window, k.ID, u)
	var e *elicense.Error
	if !errors.As(refusal, &e) || e.Record == "" {
		t.Fatalf("refusal %v", refusal)
	}
	for id, want := range map[elicense.RecordID]string{res.Receipt.Record: "compare done ", elicense.RecordID(e.Record): "query refused forbidden"} {
		r, err := w.Receipts.Get(t.Context(), w.Window, k.ID, id)
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Checked.Act + " " + r.Checked.Outcome + " " + r.Checked.Refusal; got != want || r.Check(key) != nil {
			t.Errorf("receipt of %q, want %q: %v", got, want, r.Check(key))
		}
	}
}

func TestOnlyTheOfficerAndTheAuditorGetAReceipt(t *testing.T) {
	w := world.OnSQLite(t)
	k, r, _ := received(t, w, aQuery())
	other := w.OpenCase(t)
	for _, c := range []struct {
		name   string
		who    *elicense.Actor
		kase   elicense.CaseID
		record elicense.RecordID
		want   elicense.Kind
	}{
		{"a colleague", w.Colleague, k.ID, r.Checked.Record, elicense.Forbidden},
		{"the issuing unit", w.Drafter, k.ID, r.Checked.Record, elicense.Forbidden},
		{"the holder", w.Holder, k.ID, r.Checked.Record, elicense.Forbidden},
		{"nobody", elicense.Anyone("r"), k.ID, r.Checked.Record, elicense.Forbidden},
		{"the officer, by another case", w.Window, other.ID, r.Checked.Record, elicense.Forbidden},
		{"the officer, of no record", w.Window, k.ID, elicense.NewID[elicense.RecordID](w.Clock.Now()), elicense.Forbidden},
		{"the officer, of what is no number", w.Window, k.ID, "陈示例", elicense.Forbidden},
		{"the auditor, of no record", w.Auditor, k.ID, elicense.NewID[elicense.RecordID](w.Clock.Now()), elicense.NotFound},
	} {
		if _, err := w.Receipts.Get(t.Context(), c.who, c.kase, c.record); elicense.KindOf(err) != c.want || err == nil {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
	if _, err := w.Receipts.Get(t.Context(), w.Auditor, k.ID, r.Checked.Record); err != nil {
		t.Errorf("the auditor: %v", err)
	}
}

// alterations returns the file with each of its values changed in turn, by name.
func alterations(t *testing.T, file []byte) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	var root map[string]any
	d := json.NewDecoder(bytes.NewReader(file))
	d.UseNumber()
	if err := d.Decode(&root); err != nil {
		t.Fatal(err)
	}
	keep := func(name string) {
		b, err := json.Marshal(root)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = b
	}
	var walk func(name string, v any, set func(any))
	walk = func(name string, v any, set func(any)) {
		switch v := v.(type) {
		case map[string]any:
			for k, x := range v {
				walk(name+"."+k, x, func(y any) { v[k] = y })
				delete(v, k)
				keep(name + "." + k + " left out")
				v[k] = x
			}
		case []any:
			for i, x := range v {
				walk(fmt.Sprint(name, ".", i), x, func(y any) { v[i] = y })
			}
			if len(v) > 0 {
				set(v[1:])
				keep(name + " shortened")
				set(append(slices.Clone(v), v[0]))
				keep(name + " lengthened")
				set(v)
			}
		case string:
			for _, at := range []int{0, len(v) / 2, len(v) - 1} {
				if len(v) == 0 {
					break
				}
				b := []byte(v)
				if b[at]++; b[at] == '8'+1 || b[at] >= 0x80 {
					b[at] = '0'
				}
				set(string(b))
				keep(fmt.Sprint(name, " at ", at))
			}
			set(v + " ")
			keep(name + " with a blank")
			set(v)
		case json.Number:
			n, err := v.Int64()
			if err != nil {
				t.Fatal(err)
			}
			set(n + 1)
			keep(name)
			set(v)
		}
	}
	walk("", root, nil)
	return out
}

func TestEveryAlterationOfAReceiptIsRefused(t *testing.T) {
	w := world.OnSQLite(t)
	_, r, key := received(t, w, aQuery())
	file := bytesOf(t, r)
	want := map[string]string{
		".platform": sharing.PartPlatform, ".platformSignature": sharing.PartPlatform, ".record": sharing.PartRecord, ".salt": sharing.PartRecord,
		".shard": sharing.PartRecord, ".index": sharing.PartRecord, ".path": sharing.PartRecord, ".checkpoint": sharing.PartCheckpoint,
		".signature": sharing.PartCheckpoint, ".checked": sharing.PartChecked, ".format": sharing.PartForm, ".version": sharing.PartForm,
	}
	altered := alterations(t, file)
	if len(altered) < 100 {
		t.Fatalf("only %d alterations", len(altered))
	}
	for name, b := range altered {
		if bytes.Equal(b, file) {
			t.Fatalf("%s is no alteration", name)
		}
		got, err := sharing.ParseReceipt(b)
		if err == nil {
			err = got.Check(key)
		}
		var e *elicense.Error
		if !errors.As(err, &e) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		top := "." + strings.FieldsFunc(name, func(r rune) bool { return r == '.' || r == ' ' })[0]
		if e.Field != want[top] && e.Field != sharing.PartForm {
			t.Errorf("%s: %s is wrong, want %s", name, e.Field, want[top])
		}
	}
}

func TestAReceiptOfAnotherPlatformIsRefused(t *testing.T) {
	w := world.OnSQLite(t)
	_, r, _ := received(t, w, aQuery())
	other, err := gm.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	var e *elicense.Error
	if err := r.Check(other.Public()); !errors.As(err, &e) || e.Field != sharing.PartCheckpoint {
		t.Errorf("another platform's key: %v", err)
	}
}

func TestAReceiptSaysEachThingOnce(t *testing.T) {
	w := world.OnSQLite(t)
	_, r, _ := received(t, w, aQuery())
	file := string(bytesOf(t, r))
	for name, b := range map[string]string{
		"a member twice":              strings.Replace(file, `"checked": {`, `"checked": {"status": "revoked", `, 1),
		"a member twice, in capitals": strings.Replace(file, `"checked": {`, `"checked": {"STATUS": "revoked", `, 1),
		"an unknown member":           strings.Replace(file, `"checked": {`, `"checked": {"verdict": "fine", `, 1),
		"more after it":               file + "{}",
		"a half":                      file[:len(file)/2],
		"nothing":                     "",
		"an array":                    "[]",
		"deep nesting":                strings.Repeat("[", 1000) + strings.Repeat("]", 1000),
		"too large":                   file + strings.Repeat(" ", sharing.MaxReceipt),
	} {
		var e *elicense.Error
		if _, err := sharing.ParseReceipt([]byte(b)); !errors.As(err, &e) || e.Field != sharing.PartForm {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// kept is a receipt of version 1 as it was handed out, and the key of its log.
func kept(t testing.TB) ([]byte, *ecdsa.PublicKey) {
	t.Helper()
	file, err := os.ReadFile("testdata/receipt-1.json")
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile("testdata/receipt-1.pem")
	if err != nil {
		t.Fatal(err)
	}
	key, err := gm.ParsePublicKey(pem)
	if err != nil {
		t.Fatal(err)
	}
	return file, key
}

// TestReceiptsHandedOutStayProven holds version 1 to what was handed out under
// it.
func TestReceiptsHandedOutStayProven(t *testing.T) {
	file, key := kept(t)
	r, err := sharing.ParseReceipt(file)
	if err == nil {
		err = r.Check(key)
	}
	if err != nil {
		t.Error(err)
	}
}

// FuzzReceipt reads receipts from anyone: nothing crashes, and what is taken as
// proven under a key nobody signed with is nothing.
func FuzzReceipt(f *testing.F) {
	nobody, err := gm.GenerateKey()
	if err != nil {
		f.Fatal(err)
	}
	file, _ := kept(f)
	f.Add(file)
	f.Add(file[:len(file)/2])
	f.Add([]byte(`{"format":"elicense/receipt","version":1,"path":[]}`))
	f.Add([]byte(`{"format":"elicense/receipt","version":2}`))
	f.Add([]byte(`[{"a":[{"b":{}}]}]`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := sharing.ParseReceipt(b)
		if err != nil {
			return
		}
		if err := r.Check(nobody.Public()); err == nil {
			t.Fatal("proven under a key nobody signed with")
		}
		again, err := r.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if len(again) > sharing.MaxReceipt {
			return // indented it may be longer than what was read
		}
		if _, err := sharing.ParseReceipt(again); err != nil {
			t.Fatalf("what was read can't be written and read: %v", err)
		}
	})
}
