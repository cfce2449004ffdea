package references_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"elicense"
	"elicense/catalog"
	"elicense/e2e/world"
	"elicense/gm"
	"elicense/issuance"
	"elicense/lifecycle"
	"elicense/references"
	"elicense/registry"
	"elicense/store"
)

const national elicense.TypeCode = "11350102FJDEM0275F010"

// site is a world with a source that returns a national type to its issuing unit.
type site struct {
	*world.World
	key    *gm.SoftKey
	source references.Source
	dir    string
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, w *world.World, change ...func(*references.Source)) *site {
	t.Helper()
	n := world.FoodType()
	n.Code, n.Name, n.Mode, n.Reason, n.Face = national, "国家许可证", catalog.National, "按照国家规范制作", nil
	must(t, w.Catalog.Propose(t.Context(), w.Drafter, n))
	must(t, w.Catalog.Decide(t.Context(), w.Admin, national, 1, true, ""))
	key, err := gm.GenerateKey()
	must(t, err)
	s := &site{World: w, key: key, dir: filepath.Join(w.References.Dir, "gov-files")}
	s.source = references.Source{
		ID: "gov-files", Name: "国家许可系统", Ministry: "某部", Unit: world.Issuer, Kind: references.File, Key: pemOf(t, key), State: references.Live,
		Types: []references.Returns{{Type: national, Hours: 24}},
	}
	for _, f := range change {
		f(&s.source)
	}
	s.register(t)
	return s
}

func pemOf(t testing.TB, key gm.Signer) string {
	t.Helper()
	pem, err := gm.MarshalPublicKey(key.Public())
	must(t, err)
	return string(pem)
}

// register registers the source as it is now.
func (s *site) register(t testing.TB) {
	t.Helper()
	if list, err := s.References.Sources(t.Context(), s.Admin, true); err == nil && len(list) > 0 {
		s.source.Changed = list[0].Changed
	}
	must(t, s.References.Register(t.Context(), s.Admin, s.source))
}

// row is what the source says of its n-th license.
func row(n int) references.Row {
	return references.Row{
		Type: national, Holders: []elicense.HolderRef{world.Firm}, IssuedOn: "2026-03-01",
		Fields: map[string]string{
			"holder_name": world.Firm.Name, "uscc": world.Firm.Code, "legal_rep": "陈示例", "items": "烟草零售", "license_no": fmt.Sprintf("GJ%06d", n), "valid_to": "2031-02-28",
		},
	}
}

func lines(rows ...references.Row) []byte {
	var b bytes.Buffer
	for _, r := range rows {
		text, _ := json.Marshal(r)
		b.Write(append(text, '\n'))
	}
	return b.Bytes()
}

// drop writes a file as the source does, and its manifest, signed by key.
func (s *site) drop(t testing.TB, name string, data []byte, key gm.Signer) {
	t.Helper()
	s.Clock.Move(time.Second) // so that deliveries have an order
	must(t, os.MkdirAll(s.dir, 0o700))
	must(t, os.WriteFile(filepath.Join(s.dir, name), data, 0o600))
	m, err := references.SignFile(key, s.source.ID, name, data)
	must(t, err)
	// Whole at once: it may be looked for at this moment.
	must(t, os.WriteFile(filepath.Join(s.dir, name+".sign.part"), m, 0o600))
	must(t, os.Rename(filepath.Join(s.dir, name+".sign.part"), filepath.Join(s.dir, name+".sign")))
	must(t, s.References.Ask(t.Context(), s.Drafter, s.source.ID))
}

// delivered waits until n deliveries have ended and returns them, the newest first.
func (s *site) delivered(t testing.TB, n int) []*references.Delivery {
	t.Helper()
	var list []*references.Delivery
	for until := time.Now().Add(time.Minute); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		var err error
		list, err = s.References.Deliveries(t.Context(), s.Drafter, 50)
		must(t, err)
		if len(list) >= n && !slices.ContainsFunc(list, func(d *references.Delivery) bool { return d.State == references.Taking }) {
			return list
		}
	}
	t.Fatalf("%d deliveries, want %d", len(list), n)
	return nil
}

// gone waits until the file was put away.
func (s *site) gone(t testing.TB, name string) {
	t.Helper()
	for until := time.Now().Add(time.Minute); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(s.dir, name+".sign")); os.IsNotExist(err) {
			return
		}
	}
	t.Fatalf("%s was not put away", name)
}

// license is the reference with the n-th number.
func (s *site) license(t testing.TB, n int) (lic *elicense.License, events []*elicense.Event) {
	t.Helper()
	must(t, s.DB.View(t.Context(), func(tx *store.Tx) (err error) {
		if lic, err = tx.ByNumber(national, world.Issuer, fmt.Sprintf("GJ%06d", n)); err != nil {
			return err
		}
		events, err = tx.Events(lic)
		return err
	}))
	return lic, events
}

func wantCounts(t testing.TB, d *references.Delivery, fresh, changed, moved, same, bad int) {
	t.Helper()
	got := [5]int{d.New, d.Changed, d.Moved, d.Same, d.Bad}
	if want := [5]int{fresh, changed, moved, same, bad}; got != want {
		t.Errorf("new, changed, moved, same, bad are %v, want %v", got, want)
	}
}

// TestOnePerModeNational is the story of the national mode of Art. 7(1): the license is
// never made here. Its system returns it, changes it, stops it and ends it, and each
// time the reference says so with the source and the moment it was heard of.
func TestOnePerModeNational(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		s := open(t, w)
		ctx := t.Context()
		if _, err := w.Issuer.Complete(ctx, w.Drafter, func() (c issuance.Completion) {
			c = w.Completion("1")
			c.Type = national
			return c
		}()); !elicense.IsKind(err, elicense.Conflict) {
			t.Errorf("a national license was made here: %v", err)
		}
		s.drop(t, "a.jsonl", lines(row(1)), s.key)
		wantCounts(t, s.delivered(t, 1)[0], 1, 0, 0, 0, 0)
		lic, events := s.license(t, 1)
		if !lic.Reference || lic.Source != "国家许可系统" || !lic.Contact.Equal(w.Clock.Now().Truncate(time.Microsecond)) || len(events) != 1 || events[0].Actor != "" || !strings.Contains(events[0].DocNo, "回传文件") {
			t.Errorf("the reference is %+v, its first event %+v", lic, events[0])
		}

		// How it stands its source says, not the unit, as long as it is heard of.
		suspend := lifecycle.Change{License: lic.ID, Kind: elicense.EventSuspend, DocNo: "国许停〔2026〕9号", Reason: "依法办理"}
		_, err := w.Lifecycle.Propose(ctx, w.Drafter, suspend)
		var e *elicense.Error
		if !errors.As(err, &e) || e.Kind != elicense.Conflict || e.Message() != "这个证照的状态以来源系统“国家许可系统”回传的为准，不能在这里变更" {
			t.Errorf("the unit changes what its source says: %v", err)
		}
		w.Clock.Move(24 * time.Hour)
		if _, err := w.Lifecycle.Propose(ctx, w.Drafter, suspend); err != nil {
			t.Errorf("the source is silent: %v", err)
		}

		step := func(n int, name string, change func(*references.Row)) *references.Delivery {
			t.Helper()
			w.Clock.Move(time.Hour)
			r := row(1)
			change(&r)
			s.drop(t, name, lines(r), s.key)
			return s.delivered(t, n)[0]
		}
		// The same again, in another file: confirmed, without a version.
		wantCounts(t, step(2, "b.jsonl", func(*references.Row) {}), 0, 0, 0, 1, 0)
		lic, events = s.license(t, 1)
		if len(events) != 1 || !lic.Contact.Equal(w.Clock.Now().Truncate(time.Microsecond)) {
			t.Errorf("confirmed it has %d events and was heard of %s", len(events), lic.Contact)
		}
		// Longer valid: renewed. Otherwise: changed.
		wantCounts(t, step(3, "c.jsonl", func(r *references.Row) { r.Fields["valid_to"] = "2033-02-28" }), 0, 1, 0, 0, 0)
		wantCounts(t, step(4, "d.jsonl", func(r *references.Row) {
			r.Fields["valid_to"], r.Fields["legal_rep"], r.DocNo = "2033-02-28", "林样本", "国许变〔2026〕1号"
		}), 0, 1, 0, 0, 0)
		after := func(r *references.Row) { r.Fields["valid_to"], r.Fields["legal_rep"] = "2033-02-28", "林样本" }
		wantCounts(t, step(5, "e.jsonl", func(r *references.Row) {
			after(r)
			r.State, r.Effective, r.DocNo = references.Suspended, "2026-03-09", "国许停〔2026〕1号"
		}), 0, 0, 1, 0, 0)
		lic, events = s.license(t, 1)
		kinds := func() (k []elicense.EventKind) {
			for _, e := range events {
				k = append(k, e.Kind)
			}
			return k
		}
		if got := kinds(); !slices.Equal(got, []elicense.EventKind{elicense.EventPublish, elicense.EventRenew, elicense.EventChange, elicense.EventSuspend}) {
			t.Errorf("its events are %v", got)
		}
		if e := events[3]; elicense.DateOf(e.Effective) != "2026-03-09" || e.DocNo != "国许停〔2026〕1号" || lic.StatusAt(w.Clock.Now()) != elicense.StatusSuspended {
			t.Errorf("the suspension is %+v, the license %s", e, lic.StatusAt(w.Clock.Now()))
		}
		// Lifted with a new fact, then ended; an ended one does not come back.
		wantCounts(t, step(6, "f.jsonl", func(r *references.Row) { after(r); r.Fields["items"] = "烟草批发" }), 0, 1, 0, 0, 0)
		end := func(r *references.Row) { after(r); r.Fields["items"] = "烟草批发" }
		wantCounts(t, step(7, "g.jsonl", func(r *references.Row) { end(r); r.State = references.Revoked }), 0, 0, 1, 0, 0)
		wantCounts(t, step(8, "h.jsonl", func(r *references.Row) { end(r) }), 0, 0, 1, 0, 0)
		wantCounts(t, step(9, "i.jsonl", func(r *references.Row) { end(r); r.State = references.Cancelled }), 0, 0, 1, 0, 0)
		wantCounts(t, step(10, "j.jsonl", func(r *references.Row) { end(r) }), 0, 0, 0, 0, 1)
		_, events = s.license(t, 1)
		if got := kinds()[4:]; !slices.Equal(got, []elicense.EventKind{elicense.EventResume, elicense.EventChange, elicense.EventRevoke, elicense.EventRestore, elicense.EventCancel}) {
			t.Errorf("then its events are %v", got)
		}
		w.Fsck(t)
	})
}

// Good rows stand beside bad ones, which come back with column and reason in the form
// they came in; a file is taken once.
func TestAFileOfGoodAndBadRows(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		s := open(t, w)
		head := "证照类别,状态,名称,统一社会信用代码,法定代表人,经营项目,许可证编号,有效期至,发证时间\n"
		good := func(n int) string {
			return fmt.Sprintf("国家许可证,有效,%s,%s,陈示例,零售,GJ%06d,2031-02-28,2026-03-01\n", world.Firm.Name, world.Firm.Code, n)
		}
		bad := "别的证,有效," + world.Firm.Name + "," + world.Firm.Code + ",陈示例,零售,GJ900001,2031-02-28,2026-03-01\n" +
			"国家许可证,有效," + world.Firm.Name + ",91350102FJDEM90181,陈示例,零售,GJ900002,2031-02-28,2026-03-01\n" +
			"国家许可证,=1+1," + world.Firm.Name + "," + world.Firm.Code + ",陈示例,零售,GJ900003,2031-02-28,2026-03-01\n" +
			"国家许可证,有效," + world.Firm.Name + "," + world.Firm.Code + ",陈示例,零售,GJ900004,2031-02-28,2026-04-01\n"
		var b strings.Builder
		b.WriteString(head)
		for n := range 130 { // more than are taken at once
			b.WriteString(good(n))
		}
		b.WriteString(bad)
		s.drop(t, "三月.csv", []byte(b.String()), s.key)
		d := s.delivered(t, 1)[0]
		wantCounts(t, d, 130, 0, 0, 0, 4)
		s.gone(t, "三月.csv")
		back, err := os.ReadFile(filepath.Join(s.dir, "三月.errors.csv"))
		must(t, err)
		for _, want := range []string{"GJ900001", "证照类别：不是这个来源系统回传的类别", "统一社会信用代码：", "状态：是公式", "发证时间：发证日期在今天以后", ",132,", "原行号"} {
			if !strings.Contains(string(back), want) {
				t.Errorf("what was written back lacks %q:\n%s", want, back)
			}
		}
		var again bytes.Buffer
		form, err := w.References.BadRows(t.Context(), w.Reviewer, d.ID, &again)
		if err != nil || form != "csv" || again.String() != string(back) {
			t.Errorf("the unit gets %s, %v:\n%s", form, err, again.String())
		}
		s.drop(t, "三月.csv", []byte(b.String()), s.key)
		s.gone(t, "三月.csv")
		if n := len(s.delivered(t, 1)); n != 1 {
			t.Errorf("the same file was taken %d times", n)
		}
		// Mended, the rows that came back are read again.
		mended := strings.NewReplacer("别的证", "国家许可证", "91350102FJDEM90181", world.Firm.Code, "'=1+1", "有效", "2026-04-01", "2026-03-02").Replace(string(back))
		s.drop(t, "mended.csv", []byte(mended), s.key)
		wantCounts(t, s.delivered(t, 2)[0], 4, 0, 0, 0, 0)
		w.Fsck(t)
	})
}

func TestOnlyWhatTheSourceSignedIsTaken(t *testing.T) {
	w := world.OnSQLite(t)
	s := open(t, w)
	other, err := gm.GenerateKey()
	must(t, err)
	s.drop(t, "forged.jsonl", lines(row(1)), other)
	d := s.delivered(t, 1)[0]
	s.gone(t, "forged.jsonl")
	if d.State != references.Refused || d.Rows != 0 {
		t.Errorf("a forged file is %s with %d rows", d.State, d.Rows)
	}
	// The true file with the same bytes still counts.
	s.drop(t, "true.jsonl", lines(row(1)), s.key)
	wantCounts(t, s.delivered(t, 2)[0], 1, 0, 0, 0, 0)
	// What is not whole is not touched.
	must(t, os.WriteFile(filepath.Join(s.dir, "half.jsonl"), lines(row(2)), 0o600))
	must(t, os.Symlink("/etc/hostname", filepath.Join(s.dir, "link.jsonl")))
	m, err := references.SignFile(s.key, s.source.ID, "link.jsonl", nil)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(s.dir, "link.jsonl.sign"), m, 0o600))
	s.drop(t, "nothing.jsonl", []byte("\n"), s.key)
	s.gone(t, "nothing.jsonl")
	list := s.delivered(t, 3)
	if list[0].State != references.Refused || list[0].Reason != "文件里没有证照的行" {
		t.Errorf("an empty file is %s: %s", list[0].State, list[0].Reason)
	}
	if _, err := os.Stat(filepath.Join(s.dir, "half.jsonl")); err != nil {
		t.Error("a file without a manifest was touched")
	}
	w.Fsck(t)
}

// TestAManifestSeenHalfWrittenIsLookedAtAgain: what may still be written is left where it
// is; written to its end it is taken, and what stays wrong is refused, once.
func TestAManifestSeenHalfWrittenIsLookedAtAgain(t *testing.T) {
	w := world.OnSQLite(t)
	s := open(t, w)
	must(t, os.MkdirAll(s.dir, 0o700))
	write := func(name string, data []byte) {
		t.Helper()
		must(t, os.WriteFile(filepath.Join(s.dir, name), data, 0o600))
	}
	// look has the files looked at once more, after others were: a file that is whole
	// shows that the look has ended.
	looks := 0
	look := func() []*references.Delivery {
		t.Helper()
		looks++
		name := fmt.Sprintf("z%d.jsonl", looks)
		s.drop(t, name, lines(row(100+looks)), s.key)
		s.gone(t, name)
		return s.delivered(t, looks)
	}
	left := func(name string) {
		t.Helper()
		if _, err := os.Stat(filepath.Join(s.dir, name+".sign")); err != nil {
			t.Fatalf("%s was put away: %v", name, err)
		}
	}
	data := lines(row(1))
	m, err := references.SignFile(s.key, s.source.ID, "a.jsonl", data)
	must(t, err)
	write("a.jsonl", data)
	for _, part := range [][]byte{nil, m[:1], m[:len(m)-1]} {
		write("a.jsonl.sign", part)
		if list := look(); len(list) != looks {
			t.Fatalf("half a manifest was judged: %s", list[0].Reason)
		}
		left("a.jsonl")
		s.Clock.Move(time.Minute) // it is written anew before it is looked at again
	}
	// The file may be what is still written.
	write("a.jsonl", data[:len(data)/2])
	write("a.jsonl.sign", m)
	look()
	left("a.jsonl")
	write("a.jsonl", data)
	s.drop(t, "z.jsonl", lines(row(2)), s.key)
	s.gone(t, "z.jsonl")
	list := s.delivered(t, looks+2)
	if list[0].State != references.Taken || list[1].State != references.Taken || list[0].Name+list[1].Name != "z.jsonla.jsonl" && list[0].Name+list[1].Name != "a.jsonlz.jsonl" {
		t.Errorf("the file that is whole now: %+v, %+v", list[0], list[1])
	}
	// What stays wrong is not being written any more.
	write("b.jsonl", lines(row(9)))
	write("b.jsonl.sign", m) // of other bytes
	s.drop(t, "y.jsonl", lines(row(3)), s.key)
	s.gone(t, "y.jsonl")
	left("b.jsonl")
	s.Clock.Move(10 * time.Second)
	must(t, s.References.Ask(t.Context(), s.Drafter, s.source.ID))
	s.gone(t, "b.jsonl")
	write("c.jsonl", data)
	write("c.jsonl.sign", m[:9])
	s.drop(t, "x.jsonl", lines(row(4)), s.key)
	s.gone(t, "x.jsonl")
	left("c.jsonl")
	s.Clock.Move(10 * time.Second)
	must(t, s.References.Ask(t.Context(), s.Drafter, s.source.ID))
	s.gone(t, "c.jsonl")
	refused := 0
	for _, d := range s.delivered(t, looks+6) {
		if d.State == references.Refused {
			refused++
			if d.Reason != "签名文件不是规定的格式，或和文件不是一份" {
				t.Errorf("%s was refused: %s", d.Name, d.Reason)
			}
		}
	}
	if refused != 2 {
		t.Errorf("%d files were refused, want 2", refused)
	}
	if why, err := os.ReadFile(filepath.Join(s.dir, "c.jsonl.errors.txt")); err != nil || string(why) != "签名文件不是规定的格式，或和文件不是一份\n" {
		t.Errorf("it was not said why: %q, %v", why, err)
	}
	w.Fsck(t)
}

func TestWhatARowMayNotSay(t *testing.T) {
	w := world.OnSQLite(t)
	s := open(t, w)
	for name, tc := range map[string]struct {
		change func(*references.Row)
		want   string
	}{
		"a type made here":         {func(r *references.Row) { r.Type = world.Type }, "不是这个来源系统回传的类别"},
		"no holder":                {func(r *references.Row) { r.Holders = nil }, "持证主体"},
		"a wrong code":             {func(r *references.Row) { r.Holders[0].Code = "91350102FJDEM90181" }, "统一社会信用代码"},
		"no number":                {func(r *references.Row) { delete(r.Fields, "license_no") }, "没有证照编号"},
		"an unknown field":         {func(r *references.Row) { r.Fields["secret"] = "x" }, "没有的字段"},
		"an unknown state":         {func(r *references.Row) { r.State = "gone" }, "状态只能是"},
		"a state of the day after": {func(r *references.Row) { r.State, r.Effective = references.Suspended, "2026-03-11" }, "在今天以后"},
	} {
		t.Run(name, func(t *testing.T) {
			r := row(1)
			r.Holders = slices.Clone(r.Holders)
			tc.change(&r)
			got := s.push(t, references.Batch{Batch: name, Rows: []references.Row{r, row(2)}})
			if len(got.Bad) != 1 || got.Bad[0].Place != 1 || !strings.Contains(got.Bad[0].Faults[0].String(), tc.want) || got.New+got.Same != 1 {
				t.Errorf("%+v", got)
			}
		})
	}
	t.Run("another holder", func(t *testing.T) {
		r := row(2)
		r.Holders = []elicense.HolderRef{world.Other}
		r.Fields["holder_name"], r.Fields["uscc"] = world.Other.Name, world.Other.Code
		if got := s.push(t, references.Batch{Batch: "other", Rows: []references.Row{r}}); len(got.Bad) != 1 || !strings.Contains(got.Bad[0].Faults[0].Text, "不是同一个") {
			t.Errorf("%+v", got)
		}
	})
	t.Run("a number another source answers for", func(t *testing.T) {
		key, err := gm.GenerateKey()
		must(t, err)
		must(t, w.References.Register(t.Context(), w.Admin, references.Source{
			ID: "second", Name: "另一系统", Ministry: "某部", Unit: world.Issuer, Kind: references.File, Key: pemOf(t, key), State: references.Live, Types: s.source.Types,
		}))
		two := *s
		two.key = key
		got := two.push(t, references.Batch{Batch: "x", Rows: []references.Row{row(2)}})
		if len(got.Bad) != 1 || !strings.Contains(got.Bad[0].Faults[0].Text, "另一个来源") {
			t.Errorf("%+v", got)
		}
	})
	t.Run("a type that is made here since", func(t *testing.T) {
		fields := world.FoodType().Fields
		n := world.FoodType()
		n.Code, n.Name, n.Face = national, "国家许可证", catalog.DefaultFace("国家许可证", fields)
		must(t, w.Catalog.Propose(t.Context(), w.Drafter, n))
		must(t, w.Catalog.Decide(t.Context(), w.Admin, national, 2, true, ""))
		got := s.push(t, references.Batch{Batch: "made", Rows: []references.Row{row(9)}})
		if len(got.Bad) != 1 || !strings.Contains(got.Bad[0].Faults[0].Text, "由本平台制证") {
			t.Errorf("%+v", got)
		}
	})
	w.Fsck(t)
}

// push posts a batch over a socket as the source does.
func (s *site) push(t testing.TB, b references.Batch) *references.Receipt {
	t.Helper()
	r, err := s.tryPush(t, b)
	must(t, err)
	return r
}

func (s *site) tryPush(t testing.TB, b references.Batch) (*references.Receipt, error) {
	t.Helper()
	s.Clock.Move(time.Second)
	mux := http.NewServeMux()
	mux.Handle("POST "+references.Pushing.Path, s.References.Handler())
	server := httptest.NewServer(mux)
	defer server.Close()
	x, err := registry.NewExchange(registry.Remote{URL: server.URL, Key: s.References.Key.Public()}, references.Pushing, registry.Config{Key: s.key, Now: s.Clock.Now})
	must(t, err)
	defer x.Close()
	body, err := json.Marshal(b)
	must(t, err)
	answer, err := x.Ask(t.Context(), body)
	if err != nil {
		return nil, err
	}
	var r references.Receipt
	must(t, json.Unmarshal(answer, &r))
	return &r, nil
}

func TestABatchIsTakenOnce(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		s := open(t, w)
		var rows []references.Row
		for n := range 230 {
			rows = append(rows, row(n))
		}
		first := s.push(t, references.Batch{Batch: "2026-03-10/1", Rows: rows})
		if first.New != 230 || first.Rows != 230 {
			t.Fatalf("%+v", first)
		}
		again := s.push(t, references.Batch{Batch: "2026-03-10/1", Rows: rows})
		if again.Delivery != first.Delivery || again.New != 230 {
			t.Errorf("repeated it is %+v", again)
		}
		if _, err := s.tryPush(t, references.Batch{Batch: "2026-03-10/1", Rows: rows[:1]}); err == nil || !strings.Contains(err.Error(), "409") {
			t.Errorf("other content under the number: %v", err)
		}
		s.source.State = references.Paused
		s.register(t)
		if _, err := s.tryPush(t, references.Batch{Batch: "2026-03-10/2", Rows: rows[:1]}); err == nil || !strings.Contains(err.Error(), "403") {
			t.Errorf("a paused source: %v", err)
		}
		stranger, err := gm.GenerateKey()
		must(t, err)
		mine := s.key
		s.key = stranger
		if _, err := s.tryPush(t, references.Batch{Batch: "3"}); err == nil || !strings.Contains(err.Error(), "401") {
			t.Errorf("a stranger: %v", err)
		}
		s.key = mine
		w.Fsck(t)
	})
}

// ministry is a system that is asked: it has rows in the order they changed.
type ministry struct {
	mu      sync.Mutex
	changed []references.Row
	down    bool
	asked   int                 // about single licenses
	verdict *references.Verdict // instead of what it finds
}

func (m *ministry) answer(_ context.Context, about string, body []byte) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if about == references.Checking.Name {
		m.asked++ // pulls are asked at any time
	}
	if m.down {
		return nil, fmt.Errorf("down")
	}
	if about == references.Changing.Name {
		var q references.Since
		if err := json.Unmarshal(body, &q); err != nil {
			return nil, err
		}
		from := 0
		_, _ = fmt.Sscan(q.Cursor, &from)
		to := min(from+q.Most, len(m.changed))
		return json.Marshal(references.Changes{Next: fmt.Sprint(to), More: to < len(m.changed), Rows: m.changed[from:to]})
	}
	var q references.Row
	if err := json.Unmarshal(body, &q); err != nil {
		return nil, err
	}
	v := references.Verdict{Outcome: references.Unknown}
	for _, r := range m.changed {
		if r.Fields["license_no"] != q.Fields["license_no"] {
			continue
		}
		v = references.Verdict{Outcome: references.Agrees}
		for k := range r.Fields {
			if r.Fields[k] != q.Fields[k] {
				v.Outcome, v.Fields = references.Differs, append(v.Fields, k)
			}
		}
	}
	if m.verdict != nil {
		v = *m.verdict
	}
	return json.Marshal(v)
}

func (m *ministry) serve(t testing.TB, w *world.World, key gm.Signer) string {
	t.Helper()
	mux := http.NewServeMux()
	for _, about := range []registry.Protocol{references.Changing, references.Checking} {
		mux.Handle("POST "+about.Path, registry.Answering(registry.Endpoint{
			About: about, Key: key, Now: w.Clock.Now,
			Client: func(context.Context, string) (*ecdsa.PublicKey, error) { return w.References.Key.Public(), nil },
			Answer: func(ctx context.Context, _ string, body []byte) ([]byte, error) {
				return m.answer(ctx, about.Name, body)
			},
		}))
	}
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

func (m *ministry) set(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

// A source is asked what changed since the cursor it gave, page by page; when it fails
// that is told, nothing is lost, and it is asked again.
func TestASourceIsAskedWhatChanged(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		m := &ministry{}
		for n := range 250 {
			m.changed = append(m.changed, row(n))
		}
		s := open(t, w, func(src *references.Source) {
			src.Kind, src.URL, src.State = references.HTTP, "https://placeholder.example", references.Paused
		})
		s.source.URL, s.source.State = m.serve(t, w, s.key), references.Live
		s.register(t)
		list := s.delivered(t, 3)
		total := 0
		for _, d := range list {
			total += d.New
		}
		if len(list) != 3 || total != 250 {
			t.Errorf("%d deliveries brought %d", len(list), total)
		}
		w.Clock.Move(time.Minute)
		m.set(func() { m.down = true })
		ask := func(done func(*references.Health) bool) *references.Health {
			t.Helper()
			must(t, w.References.Ask(t.Context(), w.Drafter, s.source.ID))
			for until := time.Now().Add(time.Minute); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
				h, err := w.References.Sources(t.Context(), w.Drafter, false)
				must(t, err)
				if done(h[0]) {
					return h[0]
				}
			}
			t.Fatal("nothing came of asking")
			return nil
		}
		ask(func(h *references.Health) bool { return h.Trouble != "" })
		m.set(func() {
			m.down = false
			r := row(3)
			r.State = references.Suspended
			m.changed = append(m.changed, r)
		})
		h := ask(func(h *references.Health) bool { return h.Trouble == "" && h.Last.Moved == 1 })
		if h.Kept != 250 || h.Stale != 0 {
			t.Errorf("it keeps %d, stale %d", h.Kept, h.Stale)
		}
		w.Clock.Move(25 * time.Hour)
		h = ask(func(h *references.Health) bool { return h.Heard.Equal(w.Clock.Now().Truncate(time.Microsecond)) })
		if h.Stale != 250 {
			t.Errorf("after a day %d of 250 are stale", h.Stale)
		}
		w.Fsck(t)
	})
}

// A reference is checked on demand: what comes back is an outcome and the names of what
// differs, and one that agrees counts as heard of.
func TestAReferenceIsChecked(t *testing.T) {
	w := world.OnSQLite(t)
	m := &ministry{changed: []references.Row{row(1)}}
	s := open(t, w, func(src *references.Source) {
		src.Kind, src.URL, src.State = references.HTTP, "https://placeholder.example", references.Paused
	})
	s.source.URL, s.source.State = m.serve(t, w, s.key), references.Live
	s.register(t)
	s.delivered(t, 1)
	lic, _ := s.license(t, 1)
	w.Clock.Move(48 * time.Hour)
	check := func(want references.Outcome, fields ...string) {
		t.Helper()
		c, err := w.References.Verify(t.Context(), w.Drafter, lic.ID)
		must(t, err)
		if c.Outcome != want || !slices.Equal(c.Fields, fields) {
			t.Errorf("%+v, want %s %v", c, want, fields)
		}
		list, err := w.References.Oldest(t.Context(), w.Drafter, 10)
		must(t, err)
		if list[0].Check.Outcome != want || !list[0].Check.At.Equal(c.At) || list[0].Stale == (want == references.Agrees) {
			t.Errorf("it is kept as %+v, stale %v", list[0].Check, list[0].Stale)
		}
		h, err := w.References.Sources(t.Context(), w.Drafter, false)
		must(t, err)
		if days := map[bool]int{true: 0, false: 2}[want == references.Agrees]; list[0].Days != days {
			t.Errorf("after %s it was confirmed %d days ago, want %d", want, list[0].Days, days)
		}
		counts := map[bool][2]int{true: {1, 0}, false: {0, 1}}[want == references.Agrees]
		if [2]int{h[0].Agreed, h[0].Doubtful} != counts {
			t.Errorf("after %s %d agreed and %d are doubtful", want, h[0].Agreed, h[0].Doubtful)
		}
		one, err := w.References.Get(t.Context(), w.Drafter, lic.ID)
		must(t, err)
		if own, err := w.References.Own(t.Context(), w.Holder, lic.ID); err != nil || own == nil || own.Check.Outcome != want || own.Source != one.Source || own.Stale != one.Stale {
			t.Errorf("its holder sees %+v, %v", own, err)
		}
		if one == nil || one.Source != s.source.Name || !one.Asked || one.Check.Outcome != want || one.Stale != list[0].Stale {
			t.Errorf("by itself it is %+v", one)
		}
	}
	m.set(func() { m.changed[0].Fields["legal_rep"] = "黄演示" })
	check(references.Differs, "法定代表人")
	m.set(func() { m.verdict = &references.Verdict{Outcome: references.Differs, Fields: []string{"陈示例"}} })
	check(references.Unavailable) // a value passed off as the name of a field
	m.set(func() { m.verdict = &references.Verdict{Outcome: references.Unknown} })
	check(references.Unknown)
	m.set(func() { m.down = true })
	check(references.Unavailable)
	m.set(func() { m.down, m.verdict = false, &references.Verdict{Outcome: references.Agrees} })
	check(references.Agrees)
	asked := m.asked
	for _, who := range []*elicense.Actor{w.Window, w.Admin, w.Holder} {
		if _, err := w.References.Verify(t.Context(), who, lic.ID); !elicense.IsKind(err, elicense.Forbidden) {
			t.Errorf("%s had it checked: %v", who.Name, err)
		}
	}
	for _, who := range []*elicense.Actor{w.Window, w.Admin, w.Holder} {
		if _, err := w.References.Get(t.Context(), who, lic.ID); !elicense.IsKind(err, elicense.Forbidden) {
			t.Errorf("%s looks at it: %v", who.Name, err)
		}
	}
	for _, who := range []*elicense.Actor{w.Window, w.Admin, w.Drafter} {
		if _, err := w.References.Own(t.Context(), who, lic.ID); !elicense.IsKind(err, elicense.Forbidden) {
			t.Errorf("%s looks at it as its holder: %v", who.Name, err)
		}
	}
	if m.asked != asked {
		t.Error("a question left the platform before the law was asked")
	}
	w.Fsck(t)
}

// What a source says it has is compared with what is here; what differs is named, stays
// open with its age, and closes itself.
func TestStatementsAreReconciled(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		s := open(t, w)
		s.push(t, references.Batch{Batch: "1", Rows: []references.Row{row(1), row(2), row(3)}})
		said := func(rows ...references.Row) *references.Statement {
			st := &references.Statement{Type: national, Count: len(rows)}
			var prints []string
			for _, r := range rows {
				r.ValidTo = elicense.Date(r.Fields["valid_to"])
				st.List = append(st.List, references.Listed{Number: r.Fields["license_no"], Fingerprint: r.Fingerprint()})
				prints = append(prints, r.Fingerprint())
			}
			st.Digest = references.Total(prints)
			return st
		}
		differences := func() map[string]*references.Difference {
			t.Helper()
			list, err := w.References.Differences(t.Context(), w.Drafter, 10)
			must(t, err)
			by := map[string]*references.Difference{}
			for _, d := range list {
				by[string(d.Kind)+" "+d.Number] = d
			}
			return by
		}
		other := row(2)
		other.Fields["legal_rep"] = "黄演示"
		st := said(row(1), other, row(4))
		s.push(t, references.Batch{Batch: "2", Statement: st})
		first := differences()
		if len(first) != 3 || first["missing GJ000004"] == nil || first["differing GJ000002"] == nil || first["extra GJ000003"] == nil {
			t.Fatalf("differences are %v", first)
		}
		w.Clock.Move(24 * time.Hour)
		s.push(t, references.Batch{Batch: "3", Rows: []references.Row{row(4)}, Statement: st})
		second := differences()
		if len(second) != 2 || !second["extra GJ000003"].Found.Equal(first["extra GJ000003"].Found) || !second["extra GJ000003"].Seen.After(second["extra GJ000003"].Found) {
			t.Errorf("then they are %v", second)
		}
		short := said(row(1))
		short.List = nil
		s.push(t, references.Batch{Batch: "4", Statement: short})
		if d := differences()["totals "]; d == nil || d.Theirs != 1 || d.Ours != 4 {
			t.Errorf("without a list: %+v", d)
		}
		s.push(t, references.Batch{Batch: "5", Statement: said(row(1), row(2), row(3), row(4))})
		if left := differences(); len(left) != 0 {
			t.Errorf("all agreed, and %v is open", left)
		}
		// By file as well.
		b, err := json.Marshal(st)
		must(t, err)
		s.drop(t, "三月.statement.json", b, s.key)
		s.gone(t, "三月.statement.json")
		if n := len(differences()); n != 2 {
			t.Errorf("by file there are %d", n)
		}
		w.Fsck(t)
	})
}

// What is awaited of ministries stands on the board by itself, with what was asked and
// how old it is, until it comes back.
func TestTheBoardOfWhatIsAwaited(t *testing.T) {
	w := world.OnSQLite(t)
	ctx := t.Context()
	open(t, w, func(src *references.Source) { src.State = references.Paused })
	board := func(who *elicense.Actor, all bool) []*references.Awaited {
		t.Helper()
		list, err := w.References.Board(ctx, who, all)
		must(t, err)
		return list
	}
	list := board(w.Drafter, false)
	if len(list) != 1 || list[0].ID != "" || list[0].State != references.ToAsk || list[0].TypeNames[0] != "国家许可证" {
		t.Fatalf("by itself the board is %+v", list)
	}
	a, err := w.References.Await(ctx, w.Drafter, references.Awaited{System: "国家许可系统", Ministry: "某部", Types: []elicense.TypeCode{national}, Begun: "2026-03-02"})
	must(t, err)
	if _, err := w.References.Await(ctx, w.Drafter, references.Awaited{System: "x", Ministry: "某部", Types: []elicense.TypeCode{national}}); !elicense.IsKind(err, elicense.Conflict) {
		t.Errorf("awaited twice: %v", err)
	}
	if _, err := w.References.Await(ctx, w.Drafter, references.Awaited{System: "x", Ministry: "某部", Types: []elicense.TypeCode{world.Type}}); !elicense.IsKind(err, elicense.Invalid) {
		t.Errorf("a type that is made here: %v", err)
	}
	step := references.Step{Kind: references.ByLetter, On: "2026-03-05", Doc: "闽数函〔2026〕12号", To: "某部信息中心", Text: "商请回传"}
	must(t, w.References.Did(ctx, w.Drafter, a.ID, 1, step, references.Requested, "2026-03-12"))
	if err := w.References.Did(ctx, w.Drafter, a.ID, 1, step, references.Requested, ""); !elicense.IsKind(err, elicense.Conflict) {
		t.Errorf("over what changed meanwhile: %v", err)
	}
	if err := w.References.Did(ctx, w.Window, a.ID, 2, step, references.Requested, ""); !elicense.IsKind(err, elicense.Forbidden) {
		t.Errorf("another unit: %v", err)
	}
	one := board(w.Admin, true)
	if len(one) != 1 || one[0].Days != 6 || one[0].Quiet != 3 || one[0].Overdue || one[0].Asked().Doc != "闽数函〔2026〕12号" {
		t.Errorf("the board is %+v", one[0])
	}
	w.Clock.Set(time.Date(2026, 3, 13, 2, 0, 0, 0, time.UTC))
	if one = board(w.Admin, true); !one[0].Overdue {
		t.Error("a next date that is past is not told")
	}
	must(t, w.References.Did(ctx, w.Drafter, a.ID, 2, references.Step{Kind: references.Answer, On: "2026-03-13", Text: "同意接入"}, references.Connected, ""))
	if one = board(w.Admin, true); one[0].Overdue || one[0].Reply().Text != "同意接入" {
		t.Errorf("settled it is %+v", one[0])
	}
	w.Fsck(t)
}

// What was changed behind the platform's back is found.
func TestFsckFindsWhatWasTamperedWith(t *testing.T) {
	w := world.OnSQLite(t)
	s := open(t, w)
	s.push(t, references.Batch{Batch: "1", Rows: []references.Row{row(1)}, Statement: &references.Statement{Type: national, Count: 9, Digest: strings.Repeat("0", 64)}})
	_, err := w.References.Await(t.Context(), w.Drafter, references.Awaited{System: "国家许可系统", Ministry: "某部", Types: []elicense.TypeCode{national}})
	must(t, err)
	for _, q := range []string{
		`UPDATE ref_source SET next_from = 'x'`, `UPDATE ref_delivery SET n_new = 7`, `UPDATE ref_kept SET outcome = 'agrees'`, `UPDATE ref_difference SET closed = 1`, `UPDATE ref_awaited SET state = 'connected'`,
		`UPDATE license SET contact = contact + 1`,
	} {
		before := len(w.Findings(t))
		must(t, w.DB.Update(t.Context(), func(tx *store.Tx) error { _, err := tx.Exec(q); return err }))
		if after := len(w.Findings(t)); after <= before {
			t.Errorf("%s: not found", q)
		}
	}
}

// FuzzFile sees that no file a source could drop breaks the reader.
func FuzzFile(f *testing.F) {
	f.Add("a.jsonl", lines(row(1)))
	f.Add("a.csv", []byte("证照类别,名称\n国家许可证,某\n"))
	f.Add("a.xlsx", []byte("PK\x03\x04"))
	types := []*catalog.Type{world.FoodType()}
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		references.ReadForTest(name, data, types)
	})
}
