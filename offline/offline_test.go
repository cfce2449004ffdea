package offline_test

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"elicense"
	"elicense/catalog"
	"elicense/document"
	"elicense/e2e/world"
	"elicense/issuance"
	"elicense/ofd"
	"elicense/offline"
	"elicense/registry"
	"elicense/store"
	"elicense/store/storetest"
	"elicense/verification"
)

const (
	drafterPIN  = world.KitPIN
	reviewerPIN = "gulangyu-52"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func order() offline.Order {
	o := world.KitOrder()
	o.Size = 12
	return o
}

// newKit orders and confirms a kit and opens its file.
func newKit(t testing.TB, w *world.World) (*offline.Listed, *offline.KitFile) {
	t.Helper()
	l, err := w.Kits.Order(t.Context(), w.Drafter, order())
	must(t, err)
	l, err = w.Kits.Confirm(t.Context(), w.Reviewer, l.ID, reviewerPIN)
	must(t, err)
	var b bytes.Buffer
	must(t, w.Kits.File(t.Context(), w.Drafter, l.ID, false, &b))
	k, err := offline.OpenKit(b.Bytes(), nil, offline.FindFont)
	must(t, err)
	return l, k
}

// desk is a station with both officers at it.
type desk struct {
	*offline.Station
	drafter, reviewer *offline.Officer
}

func (d *desk) hands() map[offline.Role]*offline.Officer {
	return map[offline.Role]*offline.Officer{offline.Drafts: d.drafter, offline.Reviews: d.reviewer}
}

func open(t testing.TB, w *world.World, k *offline.KitFile, dir string) *desk {
	t.Helper()
	s, err := offline.OpenStation(k, dir, w.Clock.Now)
	must(t, err)
	t.Cleanup(func() { s.Close() })
	d := &desk{Station: s}
	d.drafter, err = s.Open(offline.Drafts, drafterPIN)
	must(t, err)
	d.reviewer, err = s.Open(offline.Reviews, reviewerPIN)
	must(t, err)
	return d
}

// make enters and seals rows by their tags, a minute each.
func (d *desk) make(t testing.TB, w *world.World, tags ...string) {
	t.Helper()
	for _, tag := range tags {
		m, err := d.drafter.Enter(w.Completion(tag))
		must(t, err)
		w.Clock.Move(time.Minute)
		must(t, d.reviewer.Seal(m.Number))
		w.Clock.Move(time.Minute)
	}
}

func (d *desk) export(t testing.TB) []byte {
	t.Helper()
	b, err := d.drafter.Export()
	must(t, err)
	return b
}

// imported takes a package in and waits until it is judged.
func imported(t testing.TB, w *world.World, kit string, pack []byte) *offline.Package {
	t.Helper()
	p, err := w.Kits.Import(t.Context(), w.Drafter, pack, "")
	must(t, err)
	return done(t, w, kit, p.ID)
}

func done(t testing.TB, w *world.World, kit, id string) *offline.Package {
	t.Helper()
	for until := time.Now().Add(time.Minute); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		d, err := w.Kits.Get(t.Context(), w.Drafter, kit)
		must(t, err)
		for _, p := range d.Packages {
			if p.ID == id && p.State == offline.PackDone {
				return p
			}
		}
	}
	t.Fatalf("package %s was not taken in", id)
	return nil
}

// TestMadeOfflineAndTakenIn (Art. 7(2)): a kit makes licenses without the platform;
// until they are taken in a check says that they wait; then they are licenses like
// any other, published the day their case was closed; a second import changes
// nothing.
func TestMadeOfflineAndTakenIn(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		l, k := newKit(t, w)
		d := open(t, w, k, t.TempDir())
		d.make(t, w, "1", "2")
		if _, err := d.drafter.Enter(w.Completion("1")); elicense.KindOf(err) != elicense.Conflict {
			t.Errorf("the same case again: %v", err)
		}
		void, err := d.drafter.Enter(w.Completion("3"))
		must(t, err)
		must(t, d.drafter.Void(void.Number, "录错了"))
		rows, err := d.drafter.Rows()
		must(t, err)
		code, at := rows[0].Draft.Code, rows[0].Sealed
		original, err := d.drafter.File(1)
		must(t, err)
		if pdf, err := d.drafter.Print(1); err != nil || !bytes.HasPrefix(pdf, []byte("%PDF")) {
			t.Errorf("print: %v", err)
		}

		a, err := w.Verifier.ByCode(ctx, w.Holder, "test", code)
		must(t, err)
		if a.Known || a.Pending == nil || a.Pending.State != verification.Awaited {
			t.Fatalf("before it is taken in its code answers %+v", a)
		}
		a, err = w.Verifier.ByFile(ctx, w.Holder, "test", original)
		must(t, err)
		if a.Verdict != document.Genuine || a.Known || a.Pending == nil || a.Pending.State != verification.Awaited {
			t.Fatalf("before it is taken in its file answers %+v", a)
		}

		pack := d.export(t)
		w.Clock.Move(time.Hour)
		p := imported(t, w, l.ID, pack)
		if p.Fresh != 2 || p.Refused != 0 || p.Unsealed != 1 || len(p.Rows) != 3 {
			t.Fatalf("%d taken in, %d refused, %d not sealed: %+v", p.Fresh, p.Refused, p.Unsealed, p.Rows)
		}
		must(t, w.DB.View(ctx, func(tx *store.Tx) error {
			lic, err := tx.License(p.Rows[0].License)
			if err != nil {
				return err
			}
			v, err := tx.Version(lic, 0)
			if err != nil {
				return err
			}
			if v.Made.Mode != string(catalog.Offline) || !v.Made.Reviewed.Equal(at) || v.Made.Drafter != w.Drafter.Person || v.Made.Reviewer != w.Reviewer.Person {
				t.Errorf("made %+v", v.Made)
			}
			if !v.Made.Published.Equal(w.Clock.Now()) {
				t.Errorf("published %s, want the platform's time %s", v.Made.Published, w.Clock.Now())
			}
			return nil
		}))
		a, err = w.Verifier.ByCode(ctx, w.Holder, "test", code)
		must(t, err)
		if !a.Known || a.Pending != nil || !a.Status.Usable() {
			t.Errorf("after it its code answers %+v", a)
		}
		a, err = w.Verifier.ByFile(ctx, w.Holder, "test", original)
		must(t, err)
		if !a.Known || !a.SameFile {
			t.Errorf("the file that was given away is not known: %+v", a)
		}
		kept, _, err := w.Sharing.File(ctx, w.Drafter, p.Rows[0].License, true)
		must(t, err)
		if a, err = w.Verifier.ByFile(ctx, w.Holder, "test", kept); err != nil || !a.SameFile || !a.Report.Signatures[0].Stamped.Equal(w.Clock.Now().Truncate(time.Second)) {
			t.Errorf("the file that is kept: %v, %+v", err, a.Report)
		}

		list, err := w.Issuer.Queue(ctx, w.Drafter, 10, issuance.Published)
		must(t, err)
		for _, x := range list {
			if x.Mode != catalog.Offline || x.Elsewhere == nil || x.Elsewhere.Ground != string(offline.Outage) || !x.Due.Equal(elicense.DateOf(x.Closed).End()) {
				t.Errorf("draft %s: %s, %+v, due %s", x.ID, x.Mode, x.Elsewhere, x.Due)
			}
			if late, _ := x.Delay(); late {
				t.Error("late on the day of closing")
			}
		}
		again := imported(t, w, l.ID, pack)
		if again.ID != p.ID || again.Again != 1 || again.Fresh != 0 || again.Known != 2 || again.Refused != 0 {
			t.Errorf("imported again: %+v", again)
		}
		if list2, err := w.Issuer.Queue(ctx, w.Drafter, 10, issuance.Published); err != nil || len(list2) != len(list) {
			t.Errorf("imported again it made %d licenses of %d: %v", len(list2), len(list), err)
		}

		// A machine that goes on exports the longer journal.
		d.make(t, w, "4")
		if p = imported(t, w, l.ID, d.export(t)); p.Fresh != 1 || p.Known != 2 {
			t.Errorf("the longer package: %+v", p)
		}
		w.Fsck(t)
	})
}

// altered is a license file in which a page says something else.
func altered(t testing.TB, file []byte) []byte {
	t.Helper()
	f, err := ofd.Open(file)
	must(t, err)
	p := &ofd.Package{}
	for _, e := range f.Entries {
		if strings.HasSuffix(e.Name, "Page_0/Content.xml") {
			e.Blob = ofd.NewBlob(append(bytes.Clone(e.Data), ' '))
		}
		p.Entries = append(p.Entries, e)
	}
	return p.Bytes()
}

// TestEachRowIsJudgedByItself: in a package by whose officers everything was tried,
// each row that is wrong is named with what is wrong with it, and the good ones are
// taken in.
func TestEachRowIsJudgedByItself(t *testing.T) {
	w := world.OnSQLite(t)
	l, k := newKit(t, w)
	d := open(t, w, k, t.TempDir())
	for n := range 9 {
		d.make(t, w, fmt.Sprint(n+1))
	}
	wrong := w.Completion("10")
	wrong.Fields["uscc"] = world.Other.Code // which is not the holder's
	must(t, d.drafter.Force(wrong))
	must(t, d.reviewer.Seal(10))
	w.Clock.Move(time.Minute)
	d.make(t, w, "11", "13")
	pack := d.export(t)
	// A genuine license, sealed with the unit's own seal.
	online := w.Publish(t, w.Completion("12"))
	sealed, _, err := w.Sharing.File(t.Context(), w.Drafter, online.License, true)
	must(t, err)
	file := func(n int) []byte {
		b, err := d.drafter.File(n)
		must(t, err)
		return b
	}
	rows, err := d.drafter.Rows()
	must(t, err)
	other := rows[3].Row
	other.Completion.Fields["legal_rep"] = "黄演示"
	text, err := json.Marshal(other)
	must(t, err)
	changed, foreign := altered(t, file(3)), file(1)
	forged := offline.Rewrite(t, pack, d.hands(), func(e *offline.Entry) {
		switch {
		case e.Number == 1:
			e.At = e.At.Add(-24 * time.Hour)
		case e.Number == 3 && e.Act == offline.ActSeal:
			e.Digest = offline.Digest(changed)
		case e.Number == 4 && e.Act == offline.ActEnter:
			e.Digest = offline.Digest(text)
		case e.Number == 5:
			e.At = e.At.Add(-5 * time.Minute)
		case e.Number == 6 && e.Act != offline.ActEnter:
			e.At = e.At.Add(30 * time.Second)
		case e.Number == 7 && e.Act == offline.ActEnter:
			e.Act = ""
		case e.Number == 8:
			e.Number = 14
		case e.Number == 11 && e.Act == offline.ActEnter: // by who seals it
			e.By = offline.Reviews
		case e.Number == 9 && e.Act == offline.ActSeal:
			e.Digest = offline.Digest(foreign)
		case e.Number == 2 && e.Act == offline.ActSeal:
			e.Digest = offline.Digest(sealed)
		}
	}, map[string][]byte{
		"files/0002": d.drafter.Enclose("files/0002", sealed),
		"files/0003": d.drafter.Enclose("files/0003", changed),
		"rows/0004":  d.drafter.Enclose("rows/0004", text),
		"files/0009": d.drafter.Enclose("files/0009", foreign),
	})
	p := imported(t, w, l.ID, forged)
	want := map[int]string{
		1: "不在工具包的有效期内", 2: "不是用这个工具包的印章签的", 3: "签章核验没有通过", 4: "证照文件的内容和录入的不一致", 5: "时钟被拨回",
		6: "签章时间和日志不一致", 7: "没有先录入、再审核签章的完整记录", 9: "签章时间和日志不一致", 10: "统一社会信用代码：和持证主体的代码不一致", 11: "没有先录入、再审核签章的完整记录", 14: "编号14不在工具包的号段里",
	}
	for _, o := range p.Rows {
		if say := want[o.Number]; say != "" && (o.State != offline.RowRefused || !strings.Contains(o.Reason(), say)) || say == "" && o.State != offline.RowTaken {
			t.Errorf("number %d: %s %q, want %q", o.Number, o.State, o.Reason(), say)
		}
		delete(want, o.Number)
	}
	if len(want) > 0 || p.Fresh != 1 {
		t.Errorf("not named: %v; %d taken in", want, p.Fresh)
	}
	a, err := w.Verifier.ByCode(t.Context(), w.Holder, "test", rows[3].Draft.Code)
	must(t, err)
	if a.Known || a.Pending == nil || a.Pending.State != verification.NotTaken {
		t.Errorf("a number that was refused answers %+v", a)
	}

	// The true package: what was only altered on the way is taken in; its journal
	// is not the one that came first.
	p = imported(t, w, l.ID, pack)
	if p.Known != 1 || p.Refused != 11 || !strings.Contains(p.Rows[0].Reason(), "不相接") {
		t.Errorf("after another journal: %+v, %q", p, p.Rows[0].Reason())
	}
	w.Fsck(t)
}

// TestPackagesThatAreNotWhole: a package with a byte changed is refused, or costs
// the row it is in; a journal with an entry taken out, moved or signed by another is
// refused whole.
func TestPackagesThatAreNotWhole(t *testing.T) {
	w := world.OnSQLite(t)
	ctx := t.Context()
	l, k := newKit(t, w)
	d := open(t, w, k, t.TempDir())
	d.make(t, w, "1", "2")
	pack := d.export(t)
	linesOf := func(pack []byte) []string {
		z, err := zip.NewReader(bytes.NewReader(pack), int64(len(pack)))
		must(t, err)
		f, err := z.Open("journal")
		must(t, err)
		b, err := io.ReadAll(f)
		must(t, err)
		return strings.Split(strings.TrimSpace(string(b)), "\n")
	}
	// What the officer could have signed instead.
	instead := linesOf(offline.Rewrite(t, pack, d.hands(), func(e *offline.Entry) { e.Note = "x" }, nil))
	journal := func(edit func(lines []string) []string) []byte {
		lines := edit(linesOf(pack))
		return offline.Rewrite(t, pack, d.hands(), nil, map[string][]byte{"journal": []byte(strings.Join(lines, "\n") + "\n")})
	}
	for name, b := range map[string][]byte{
		"nothing":        {},
		"no archive":     []byte("离线包"),
		"an entry out":   journal(func(l []string) []string { return append(l[:1:1], l[2:]...) }),
		"two exchanged":  journal(func(l []string) []string { l[1], l[2] = l[2], l[1]; return l }),
		"a word changed": journal(func(l []string) []string { l[0] = strings.Replace(l[0], "enter", "Enter", 1); return l }),
		"another signed": journal(func(l []string) []string { l[0] = instead[0]; return l }),
		"the last word":  journal(func(l []string) []string { l[len(l)-1] = strings.Replace(l[len(l)-1], "export", "Export", 1); return l }),
		"cut":            journal(func(l []string) []string { l[len(l)-1] = l[len(l)-1][:20]; return l }),
	} {
		if _, err := w.Kits.Import(ctx, w.Drafter, b, ""); elicense.KindOf(err) != elicense.Invalid && elicense.KindOf(err) != elicense.Forbidden {
			t.Errorf("%s: %v", name, err)
		}
	}
	at := bytes.Index(pack, []byte("files/0002")) + 100
	hurt := bytes.Clone(pack)
	hurt[at] ^= 1
	if p := imported(t, w, l.ID, hurt); p.Fresh != 1 || p.Refused != 1 || !strings.Contains(p.Rows[1].Reason(), "证照文件缺失、损坏或被改动过") {
		t.Errorf("a byte changed in a file: %+v", p)
	}
	if p := imported(t, w, l.ID, pack); p.Fresh != 1 || p.Known != 1 {
		t.Errorf("the whole package afterwards: %+v", p)
	}
	w.Fsck(t)
}

// TestAKitThatIsEnded: what was made before a kit was cancelled is taken in, what was
// made after it is named; of a lost one nothing is. What comes after the kit's day is
// late, and its file keeps its own word for its time.
func TestAKitThatIsEnded(t *testing.T) {
	w := world.OnSQLite(t)
	ctx := t.Context()
	l, k := newKit(t, w)
	d := open(t, w, k, t.TempDir())
	d.make(t, w, "1")
	must(t, w.Kits.Cancel(ctx, w.Reviewer, l.ID, false, "网络已恢复"))
	d.make(t, w, "2")
	rows, err := d.drafter.Rows()
	must(t, err)
	if a, err := w.Verifier.ByCode(ctx, w.Holder, "test", rows[1].Draft.Code); err != nil || a.Pending == nil || a.Pending.State != verification.KitCancelled {
		t.Errorf("a code of a cancelled kit: %v, %+v", err, a)
	}
	p := imported(t, w, l.ID, d.export(t))
	if p.Fresh != 1 || p.Rows[0].State != offline.RowTaken || !strings.Contains(p.Rows[1].Reason(), "晚于工具包的注销时间") {
		t.Errorf("%+v: %q", p, p.Rows[1].Reason())
	}
	if kept, _, err := w.Sharing.File(ctx, w.Drafter, p.Rows[0].License, true); err != nil {
		t.Error(err)
	} else if a, err := w.Verifier.ByFile(ctx, w.Holder, "test", kept); err != nil || a.Verdict != document.Genuine || !a.SameFile {
		t.Errorf("a license of a cancelled kit: %v, %+v", err, a)
	}
	if err := w.Kits.File(ctx, w.Drafter, l.ID, false, io.Discard); elicense.KindOf(err) != elicense.Conflict {
		t.Errorf("the file of a cancelled kit: %v", err)
	}

	l, k = newKit(t, w)
	d = open(t, w, k, t.TempDir())
	d.make(t, w, "3")
	pack := d.export(t)
	must(t, w.Kits.Cancel(ctx, w.Reviewer, l.ID, true, "电脑被盗"))
	if p = imported(t, w, l.ID, pack); p.Fresh != 0 || !strings.Contains(p.Rows[0].Reason(), "报失注销") {
		t.Errorf("a lost kit: %+v", p.Rows[0])
	}
	file, err := d.drafter.File(1)
	must(t, err)
	if a, err := w.Verifier.ByFile(ctx, w.Holder, "test", file); err != nil || a.Verdict != document.GenuineUntrusted {
		t.Errorf("a file of a lost kit: %v, %s", err, a.Verdict)
	}

	must(t, w.Catalog.Propose(ctx, w.Drafter, world.FoodType())) // a type may change while a kit of it is out
	l, k = newKit(t, w)
	d = open(t, w, k, t.TempDir())
	d.make(t, w, "4")
	must(t, w.Catalog.Decide(ctx, w.Admin, world.Type, 2, true, ""))
	w.Clock.Move(26 * time.Hour)
	if _, err := d.drafter.Enter(w.Completion("5")); elicense.KindOf(err) != elicense.Expired {
		t.Errorf("a kit after its day makes: %v", err)
	}
	rows, err = d.drafter.Rows()
	must(t, err)
	if a, err := w.Verifier.ByCode(ctx, w.Holder, "test", rows[0].Draft.Code); err != nil || a.Pending == nil || a.Pending.State != verification.Overdue {
		t.Errorf("a code of a kit that has run out: %v, %+v", err, a)
	}
	if p = imported(t, w, l.ID, d.export(t)); p.Fresh != 1 || !p.Rows[0].Late {
		t.Errorf("a day late: %+v", p.Rows[0])
	}

	l, k = newKit(t, w)
	d = open(t, w, k, t.TempDir())
	must(t, w.Catalog.Retire(ctx, w.Admin, world.Type, "不再实施"))
	w.Clock.Move(time.Minute)
	d.make(t, w, "6")
	if p = imported(t, w, l.ID, d.export(t)); p.Fresh != 0 || !strings.Contains(p.Rows[0].Reason(), "在制证前已经停用") {
		t.Errorf("of a type that was retired: %+v", p.Rows[0])
	}
	w.Fsck(t)
}

// TestWhoTakesAKit: two officers, two PINs, a ground and its proof.
func TestWhoTakesAKit(t *testing.T) {
	w := world.OnSQLite(t)
	ctx := t.Context()
	for name, c := range map[string]struct {
		edit func(*offline.Order)
		kind elicense.Kind
	}{
		"made online, with no ground but the place": {func(o *offline.Order) { o.Ground, o.ProofFile = offline.NoOnline, nil }, elicense.Conflict},
		"made online, called unsuited":              {func(o *offline.Order) { o.Ground, o.ProofFile = offline.Unsuited, nil }, elicense.Conflict},
		"a failure without proof":                   {func(o *offline.Order) { o.Proof, o.ProofFile = " ", nil }, elicense.Invalid},
		"a proof that is no picture":                {func(o *offline.Order) { o.ProofFile = []byte("<html>") }, elicense.Invalid},
		"a proof that is too large": {func(o *offline.Order) {
			o.ProofFile = append(bytes.Clone(world.Paper), make([]byte, elicense.MaxUpload)...)
		}, elicense.TooLarge},
		"a proof of what is no failure": {func(o *offline.Order) { o.Ground = offline.NoOnline }, elicense.Invalid},
		"no reason":                     {func(o *offline.Order) { o.Reason = "" }, elicense.Invalid},
		"no ground":                     {func(o *offline.Order) { o.Ground = "weather" }, elicense.Invalid},
		"more than a day":               {func(o *offline.Order) { o.Hours = 25 }, elicense.Invalid},
		"a PIN people try first":        {func(o *offline.Order) { o.PIN = "12345678" }, elicense.Invalid},
		"another unit's type":           {func(o *offline.Order) { o.Types = []elicense.TypeCode{"11350102FJDEM0320G001"} }, elicense.Forbidden},
	} {
		o := order()
		c.edit(&o)
		if _, err := w.Kits.Order(ctx, w.Drafter, o); elicense.KindOf(err) != c.kind {
			t.Errorf("%s: %v", name, err)
		}
	}
	field := world.FoodType()
	field.Code, field.Name, field.Mode, field.Reason = "11350102FJDEM0275F050", "集市食品摊点证", catalog.Offline, "集市上没有网络"
	must(t, w.Catalog.Propose(ctx, w.Drafter, field))
	must(t, w.Catalog.Decide(ctx, w.Admin, field.Code, 1, true, ""))
	for _, g := range []offline.Ground{offline.NoOnline, offline.Unsuited} {
		o := order()
		o.Types, o.Ground, o.Proof, o.ProofFile = []elicense.TypeCode{field.Code}, g, "", nil
		if _, err := w.Kits.Order(ctx, w.Drafter, o); err != nil {
			t.Errorf("a type made offline, %s: %v", g, err)
		}
	}
	if _, err := w.Kits.Order(ctx, w.Window, order()); elicense.KindOf(err) != elicense.Forbidden {
		t.Errorf("a window orders a kit: %v", err)
	}
	l, err := w.Kits.Order(ctx, w.Drafter, order())
	must(t, err)
	if _, err := w.Kits.Confirm(ctx, w.Both, l.ID, reviewerPIN); elicense.KindOf(err) != elicense.Forbidden {
		t.Errorf("who ordered it confirms it under another account: %v", err)
	}
	if _, err := w.Kits.Confirm(ctx, w.Reviewer, l.ID, drafterPIN); elicense.KindOf(err) != elicense.Invalid {
		t.Errorf("one PIN for two: %v", err)
	}
	if err := w.Kits.File(ctx, w.Drafter, l.ID, false, io.Discard); elicense.KindOf(err) != elicense.Conflict {
		t.Errorf("the file before it is confirmed: %v", err)
	}
	if _, err := w.Kits.Confirm(ctx, w.Reviewer, l.ID, reviewerPIN); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Kits.Confirm(ctx, w.Reviewer, l.ID, reviewerPIN); elicense.KindOf(err) != elicense.Conflict {
		t.Errorf("confirmed again: %v", err)
	}
	if _, err := w.Kits.Get(ctx, w.Window, l.ID); elicense.KindOf(err) != elicense.Forbidden {
		t.Errorf("another unit reads it: %v", err)
	}
	if err := w.Kits.Cancel(ctx, w.Window, l.ID, true, "x"); elicense.KindOf(err) != elicense.Forbidden {
		t.Errorf("another unit cancels it: %v", err)
	}

	var b bytes.Buffer
	must(t, w.Kits.File(ctx, w.Drafter, l.ID, false, &b))
	for at := b.Len() / 3; at < b.Len(); at += b.Len() / 7 {
		hurt := bytes.Clone(b.Bytes())
		hurt[at] ^= 0x10
		if _, err := offline.OpenKit(hurt, nil, offline.FindFont); elicense.KindOf(err) != elicense.Invalid {
			t.Errorf("byte %d of a kit changed: %v", at, err)
		}
	}
	for name, edit := range map[string]func(*offline.Kit){
		"another unit":     func(k *offline.Kit) { k.UnitName = "别的单位" },
		"a longer term":    func(k *offline.Kit) { k.To = k.To.Add(24 * time.Hour) },
		"one number twice": func(k *offline.Kit) { k.Numbers[1] = k.Numbers[0] },
	} {
		if _, err := offline.OpenKit(offline.Forge(t, b.Bytes(), edit), nil, offline.FindFont); elicense.KindOf(err) != elicense.Invalid {
			t.Errorf("a kit with %s: %v", name, err)
		}
	}
	if _, err := offline.OpenKit(b.Bytes(), nil, nil); elicense.KindOf(err) != elicense.Unavailable {
		t.Errorf("a kit without fonts on a machine without them: %v", err)
	}
	k, err := offline.OpenKit(b.Bytes(), nil, offline.FindFont)
	must(t, err)
	dir := t.TempDir()
	s, err := offline.OpenStation(k, dir, w.Clock.Now)
	must(t, err)
	defer s.Close()
	if _, err := offline.OpenStation(k, dir, w.Clock.Now); elicense.KindOf(err) != elicense.Conflict {
		t.Errorf("two programs in one folder: %v", err)
	}
	for range 10 {
		if _, err := s.Open(offline.Drafts, reviewerPIN); elicense.KindOf(err) != elicense.Forbidden {
			t.Errorf("a wrong PIN: %v", err)
		}
	}
	if _, err := s.Open(offline.Drafts, drafterPIN); elicense.KindOf(err) != elicense.Forbidden {
		t.Errorf("the right PIN after ten wrong ones: %v", err)
	}
	r, err := s.Open(offline.Reviews, reviewerPIN)
	must(t, err)
	if _, err := r.Enter(w.Completion("1")); elicense.KindOf(err) != elicense.Forbidden {
		t.Errorf("the reviewer enters: %v", err)
	}
}

// TestAClockSetBack: a station does not go on until an officer says why, and what is
// made then is named when it comes.
func TestAClockSetBack(t *testing.T) {
	w := world.OnSQLite(t)
	l, k := newKit(t, w)
	w.Clock.Move(time.Hour)
	d := open(t, w, k, t.TempDir())
	d.make(t, w, "1")
	w.Clock.Move(-30 * time.Minute)
	if _, err := d.drafter.Enter(w.Completion("2")); elicense.KindOf(err) != elicense.Conflict || !strings.Contains(err.Error(), "时钟被拨回") {
		t.Errorf("with the clock set back: %v", err)
	}
	must(t, d.drafter.SetRight("之前走快了半小时"))
	d.make(t, w, "2")
	w.Clock.Move(time.Hour)
	d.make(t, w, "3")
	pack := d.export(t)
	w.Clock.Move(-30 * time.Minute) // the platform's: the machine's is fast again
	p := imported(t, w, l.ID, pack)
	if p.Fresh != 1 || p.Refused != 2 || !strings.Contains(p.Rows[2].Reason(), "机器的时钟走快了") {
		t.Errorf("%+v: %q", p, p.Rows[2].Reason())
	}
	w.Clock.Move(time.Hour)
	p = imported(t, w, l.ID, pack)
	if p.Fresh+p.Known != 2 || p.Refused != 1 || !strings.Contains(p.Rows[1].Reason(), "时钟被拨回了") {
		t.Errorf("%+v: %q", p, p.Rows[1].Reason())
	}
	w.Fsck(t)

	// One that is set back so little that it is still later than the entry before
	// is told by the clock nobody can set.
	at := func(minute, up int) offline.Entry {
		return offline.Entry{Session: 1, At: time.Date(2026, 3, 10, 9, minute, 0, 0, time.UTC), Up: int64(up) * 60_000}
	}
	if got := offline.SetBack([]offline.Entry{at(0, 0), at(10, 10), at(11, 31)}); fmt.Sprint(got) != "[0s 0s 20m0s]" {
		t.Errorf("set back by %v", got)
	}
}

// TestAStationStoppedAnywhere: what was said to be done is there after a stop, what
// was not is made good, and no number is used twice.
func TestAStationStoppedAnywhere(t *testing.T) {
	w := world.OnSQLite(t)
	l, k := newKit(t, w)
	dir := t.TempDir()
	d := open(t, w, k, dir)
	d.make(t, w, "1")
	_, err := d.drafter.Enter(w.Completion("2"))
	must(t, err)
	must(t, d.Close())
	path := filepath.Join(dir, "journal")
	whole, err := os.ReadFile(path)
	must(t, err)
	lines := bytes.SplitAfter(whole, []byte("\n"))
	// At every byte of the last two lines: the entry of number 2, and of the file of
	// number 1.
	for _, cut := range []int{len(whole) - 1, len(whole) - 40, len(whole) - len(lines[3]), len(whole) - len(lines[3]) - 40, len(whole) - len(lines[3]) - len(lines[2])} {
		must(t, os.WriteFile(path, whole[:cut], 0o600))
		d = open(t, w, k, dir)
		rows, err := d.drafter.Rows()
		must(t, err)
		if len(rows) == 0 || rows[0].State == offline.RowEntered {
			must(t, d.reviewer.Seal(1))
		}
		if len(rows) < 2 {
			m, err := d.drafter.Enter(w.Completion("2"))
			must(t, err)
			if m.Number != 2 {
				t.Errorf("cut at %d the row has number %d", cut, m.Number)
			}
		}
		if _, err := d.drafter.File(1); err != nil {
			t.Errorf("cut at %d: %v", cut, err)
		}
		must(t, d.Close())
	}
	must(t, os.WriteFile(path, append(bytes.Clone(lines[0]), lines[2]...), 0o600))
	if _, err := offline.OpenStation(k, dir, w.Clock.Now); elicense.KindOf(err) != elicense.Unavailable {
		t.Errorf("a journal with a line out: %v", err)
	}
	must(t, os.WriteFile(path, whole, 0o600))
	d = open(t, w, k, dir)
	must(t, d.reviewer.Seal(2))
	// The file of number 1 was sealed anew by the loop above: the journal that says
	// so was put back, so that it is not the one it names.
	if _, err := d.drafter.File(1); elicense.KindOf(err) != elicense.Unavailable {
		t.Errorf("a file that is not the journal's: %v", err)
	}
	p := imported(t, w, l.ID, d.export(t))
	if p.Fresh != 1 || p.Refused != 1 {
		t.Errorf("%+v", p)
	}
	w.Fsck(t)
}

// TestFsckMissesTheLicense: a number that led to a license whose draft is gone is
// named.
func TestFsckMissesTheLicense(t *testing.T) {
	w := world.OnSQLite(t)
	l, k := newKit(t, w)
	d := open(t, w, k, t.TempDir())
	d.make(t, w, "1")
	imported(t, w, l.ID, d.export(t))
	must(t, w.DB.Update(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(`DELETE FROM draft`)
		return err
	}))
	for _, f := range w.Findings(t) {
		if f.Kind == "kit" && f.Where == l.ID {
			return
		}
	}
	t.Error("the check does not name the kit")
}

// TestWhatTheUnitMadeMeanwhile: a case or a number that has its license at the platform
// already gets no second one, and nothing is left of the attempt.
func TestWhatTheUnitMadeMeanwhile(t *testing.T) {
	w := world.OnSQLite(t)
	l, k := newKit(t, w)
	d := open(t, w, k, t.TempDir())
	d.make(t, w, "1", "2")
	w.Publish(t, w.Completion("1"))
	case2 := w.Completion("2")
	case2.Fields["license_no"] = "JY-other"
	w.Publish(t, case2)
	p := imported(t, w, l.ID, d.export(t))
	if p.Refused != 2 || !strings.Contains(p.Rows[0].Reason(), "证照编号已经用在") || !strings.Contains(p.Rows[1].Reason(), "已经在平台上制过证") {
		t.Errorf("%q, %q", p.Rows[0].Reason(), p.Rows[1].Reason())
	}
	w.Fsck(t)
}

// TestRegistriesAreAskedWhenItComes (Art. 9(2)): a mismatch stops its row, silence
// wants a reason.
func TestRegistriesAreAskedWhenItComes(t *testing.T) {
	w := world.OnSQLite(t)
	l, k := newKit(t, w)
	d := open(t, w, k, t.TempDir())
	d.make(t, w, "1")
	pack := d.export(t)
	w.Registry.Answer(registry.Mismatch)
	if p := imported(t, w, l.ID, pack); p.Refused != 1 || !strings.Contains(p.Rows[0].Reason(), "不一致") {
		t.Errorf("a mismatch: %+v", p.Rows[0])
	}
	w.Registry.Answer(registry.Unavailable)
	if p := imported(t, w, l.ID, pack); p.Refused != 1 || !strings.Contains(p.Rows[0].Reason(), "比对服务不可用") {
		t.Errorf("silence: %+v", p.Rows[0])
	}
	p, err := w.Kits.Import(t.Context(), w.Drafter, pack, "已电话核对")
	must(t, err)
	if p = done(t, w, l.ID, p.ID); p.Fresh != 1 {
		t.Errorf("silence, with a reason: %+v", p.Rows[0])
	}
	w.Fsck(t)
}

// TestSupervisionSeesEveryKit (Art. 19): whoever oversees the units sees the kits of
// all, how much of each was used, and those whose term is over with nothing taken in.
func TestSupervisionSeesEveryKit(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		l, k := newKit(t, w)
		d := open(t, w, k, t.TempDir())
		d.make(t, w, "1", "2")
		gone, _ := newKit(t, w) // minutes after the first: made rows take time
		w.Clock.Move(time.Minute)
		given, _ := newKit(t, w)
		must(t, w.Kits.Cancel(ctx, w.Reviewer, given.ID, false, "没有用上"))
		asked, err := w.Kits.Order(ctx, w.Drafter, order())
		must(t, err)

		p, err := w.Kits.Oversee(ctx, w.Auditor, false, "")
		must(t, err)
		if p.Total != 4 || p.Out != 2 || p.Outage != 4 || p.Overdue != 0 || len(p.List) != 4 || p.Next != "" {
			t.Fatalf("while they are out: %+v", p)
		}
		imported(t, w, l.ID, d.export(t))
		w.Clock.Move(13 * time.Hour)
		p, err = w.Kits.Oversee(ctx, w.Admin, false, "")
		must(t, err)
		of := map[string]*offline.Overseen{}
		for _, o := range p.List {
			of[o.ID] = o
		}
		switch back := of[l.ID]; {
		case p.Out != 0 || p.Overdue != 1:
			t.Errorf("when their term is over: %+v", p)
		case back.UnitName == "" || back.Unit != world.Issuer || back.Size != 12 || back.Used != 2 || back.Packages != 1 || back.Back.IsZero() || back.Overdue:
			t.Errorf("the one that came back: %+v", back)
		case !of[gone.ID].Overdue || of[gone.ID].Standing != offline.Expired || of[gone.ID].Used != 0:
			t.Errorf("the one that did not: %+v", of[gone.ID])
		case of[given.ID].Overdue || of[given.ID].Standing != offline.Cancelled || of[asked.ID].Overdue:
			t.Errorf("one that was given up, one that was not confirmed: %+v %+v", of[given.ID], of[asked.ID])
		}
		p, err = w.Kits.Oversee(ctx, w.Auditor, true, "")
		must(t, err)
		if len(p.List) != 1 || p.List[0].ID != gone.ID {
			t.Errorf("overdue: %+v", p.List)
		}
		p, err = w.Kits.Oversee(ctx, w.Auditor, false, gone.ID)
		must(t, err)
		if len(p.List) != 1 || p.List[0].ID != l.ID {
			t.Errorf("before the second: %+v", p.List)
		}
		for _, who := range []*elicense.Actor{w.Drafter, w.Reviewer, w.Window, w.Holder} {
			if _, err := w.Kits.Oversee(ctx, who, false, ""); elicense.KindOf(err) != elicense.Forbidden {
				t.Errorf("%s: %v", who.Name, err)
			}
		}
	})
}

// TestTheProofOfAFailure (Art. 7(2)): a file proves a failure of the system, in the
// place of words; the officer who confirms the kit and supervision see it, nobody
// else; it is kept as cipher text, and the check misses it.
func TestTheProofOfAFailure(t *testing.T) {
	cfg, clock := storetest.Config(t), storetest.NewClock()
	cfg.Now = clock.Now
	w := world.New(t, cfg, clock)
	ctx := t.Context()
	o := order()
	o.Proof = ""
	o.ProofFile = append(bytes.Clone(world.Paper), "outage of the morning"...)
	l, err := w.Kits.Order(ctx, w.Drafter, o)
	must(t, err)
	if l.Attached == nil || l.Attached.Kind != "image/png" || l.Attached.Name != "故障通知.png" {
		t.Fatalf("attached: %+v", l.Attached)
	}
	for _, who := range []struct {
		actor    *elicense.Actor
		oversee  bool
		want     elicense.Kind
		whatever string
	}{
		{w.Reviewer, false, 0, "the second officer"},
		{w.Auditor, true, 0, "supervision"},
		{w.Reviewer, true, elicense.Forbidden, "a unit at the desk of supervision"},
		{w.Auditor, false, elicense.Forbidden, "supervision at the desk of the unit"},
		{w.Holder, false, elicense.Forbidden, "a holder"},
	} {
		kind, file, err := w.Kits.Proof(ctx, who.actor, l.ID, who.oversee)
		switch {
		case who.want != 0 && (elicense.KindOf(err) != who.want || file != nil):
			t.Errorf("%s: %v", who.whatever, err)
		case who.want == 0 && (err != nil || kind != "image/png" || !bytes.Equal(file, o.ProofFile)):
			t.Errorf("%s: %s, %d bytes, %v", who.whatever, kind, len(file), err)
		}
	}
	p, err := w.Kits.Oversee(ctx, w.Auditor, false, "")
	must(t, err)
	if len(p.List) != 1 || p.List[0].Attached == nil {
		t.Errorf("supervision sees no proof: %+v", p.List)
	}
	w.Fsck(t)
	stored := ""
	must(t, filepath.WalkDir(cfg.Dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		if strings.Contains(e.Name(), "offline-proof") {
			stored = path
		}
		b, err := os.ReadFile(path)
		if bytes.Contains(b, []byte("outage of the morning")) {
			t.Errorf("%s holds the proof in the clear", path)
		}
		return err
	}))

	o.ProofFile, o.Proof = nil, "故障单1，09:05起外网不通"
	bare, err := w.Kits.Order(ctx, w.Drafter, o)
	must(t, err)
	if _, _, err := w.Kits.Proof(ctx, w.Reviewer, bare.ID, false); elicense.KindOf(err) != elicense.NotFound {
		t.Errorf("of a kit with words alone: %v", err)
	}
	must(t, os.Remove(stored))
	for _, f := range w.Findings(t) {
		if f.Kind == "file" && f.Where == l.Attached.File {
			return
		}
	}
	t.Error("the check does not miss the proof")
}
