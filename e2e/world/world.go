// Package world makes a small platform on real parts for the tests of domain
// rooms: two units, the people of their posts, one license type, one matter,
// real seals and real fonts, on the database the test gives.
package world

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"elicense"
	"elicense/access"
	"elicense/cases"
	"elicense/catalog"
	"elicense/delivery"
	"elicense/document"
	"elicense/gm"
	"elicense/issuance"
	"elicense/jobs"
	"elicense/letters"
	"elicense/lifecycle"
	"elicense/notice"
	"elicense/offline"
	"elicense/ontime"
	"elicense/org"
	"elicense/oversight"
	"elicense/posts"
	"elicense/references"
	"elicense/registry"
	"elicense/seal"
	"elicense/sealing"
	"elicense/sharing"
	"elicense/sheet/sheettest"
	"elicense/stock"
	"elicense/store"
	"elicense/store/storetest"
	"elicense/verification"
)

// The units and codes of the world.
const (
	Issuer elicense.UnitCode   = "11350102FJDEM0275F" // 区市场监督管理局
	Office elicense.UnitCode   = "11350102FJDEM0320G" // 区烟草专卖局
	Type   elicense.TypeCode   = "11350102FJDEM0275F001"
	Matter elicense.MatterCode = "M04"
)

// The holders of the world.
var (
	Firm   = elicense.HolderRef{CodeType: elicense.CodeUSCC, Code: "91350102FJDEM90180", Name: "福州示例餐饮有限公司"}
	Other  = elicense.HolderRef{CodeType: elicense.CodeUSCC, Code: "91350200FJDEM90263", Name: "厦门示例物流有限公司"}
	Person = elicense.HolderRef{CodeType: elicense.CodeCitizen, Code: "350100198506120117", Name: "陈示例"}
)

// World is the platform.
type World struct {
	DB        *store.DB
	Clock     *storetest.Clock
	Org       *org.Org
	Seals     *sealing.Register
	Seal      elicense.SealID // of the issuing unit, enabled
	Guard     *access.Guard
	Catalog   *catalog.Catalog
	Cases     *cases.Cases
	Posts     *posts.Posts
	Letters   *letters.Letters
	Kits      *offline.Kits
	Issuer    *issuance.Issuer
	Lifecycle *lifecycle.Lifecycle
	Sharing   *sharing.Sharing
	Receipts  *sharing.Receipts
	Verifier  *verification.Verifier
	Oversight *oversight.Oversight
	Measures  *registry.Measures
	Stock     *stock.Stock
	OnTime    *ontime.Ledger
	Delivery  *delivery.Desk
	Registry  *Registry
	Stamps    *Stamps

	References *references.References

	// Drafter, Reviewer and Window have accounts of their own; Both is Drafter's
	// person under a second account that may review.
	Drafter, Reviewer, Both, Window, Colleague, Matters, Admin, Auditor, Holder *elicense.Actor

	trust document.Options
}

// Stamps is the platform's own time authority, which a test can cut off.
type Stamps struct {
	gm.TimeStamper
	Off atomic.Bool
}

// Stamp fails while the authority is cut off.
func (s *Stamps) Stamp(signature []byte) ([]byte, error) {
	if s.Off.Load() {
		return nil, errSilent
	}
	return s.TimeStamper.Stamp(signature)
}

// Registry is the base registry: it answers what the test sets.
type Registry struct {
	now func() time.Time
	mu  sync.Mutex
	out issuance.Outcome
	n   int

	silent    func() bool
	Meanwhile func() // what happens while it is asked
}

// Asked is how often the registry was asked.
func (r *Registry) Asked() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.n
}

// Answer sets what the registry says from here on.
func (r *Registry) Answer(o issuance.Outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.out = o
}

// Silence has the registry be away whenever f says so; nil ends it.
func (r *Registry) Silence(f func() bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.silent = f
}

var errSilent = errors.New("the registry does not answer")

// Compare answers as set.
func (r *Registry) Compare(context.Context, elicense.HolderRef, map[string]string) (issuance.Comparison, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.n++
	if r.Meanwhile != nil {
		r.Meanwhile()
	}
	if r.out == issuance.Unavailable || r.silent != nil && r.silent() {
		return issuance.Comparison{Registry: "法人库", Asked: registry.Market, At: r.now()}, errSilent
	}
	c := issuance.Comparison{Outcome: r.out, Registry: "法人库", Asked: registry.Market, Request: "1", Took: 40 * time.Millisecond, At: r.now()}
	if r.out == issuance.Mismatch {
		c.Fields = []string{"法定代表人"}
	}
	return c, nil
}

// Each runs a test in a new world on every engine; the clock stands at 09:30 of a
// working day.
func Each(t *testing.T, f func(t *testing.T, w *World)) {
	storetest.Each(t, func(t *testing.T, cfg store.Config) {
		clock := storetest.NewClock()
		cfg.Now = clock.Now
		f(t, New(t, cfg, clock))
	})
}

// OnSQLite makes a new world for a test that asks nothing of the engine.
func OnSQLite(t *testing.T) *World {
	t.Helper()
	cfg, clock := storetest.Config(t), storetest.NewClock()
	cfg.Now = clock.Now
	return New(t, cfg, clock)
}

// New makes a world on the database of cfg.
func New(t testing.TB, cfg store.Config, clock *storetest.Clock) *World {
	t.Helper()
	ctx := t.Context()
	set := sheettest.Fonts(t)
	w := &World{DB: storetest.Open(t, cfg), Clock: clock, Registry: &Registry{now: clock.Now, out: issuance.Match}}
	keys, err := gm.MakeKeyStore(t.TempDir(), []byte("test"), Quick())
	must(t, err)
	law, err := access.TheLaw()
	must(t, err)
	w.Guard = access.NewGuard(w.DB, law)
	w.Org = org.New(w.DB, clock.Now)
	w.Seals = &sealing.Register{DB: w.DB, Guard: w.Guard, Keys: keys, Now: clock.Now, Draw: func(unit, line string) ([]byte, int, int, error) {
		b, err := seal.Draw(seal.Drawing{Name: unit, Line: line, Diameter: 42}, set)
		return b, 42, 42, err
	}}
	w.Catalog = catalog.New(w.DB, w.Guard)
	w.Cases, w.Posts = cases.New(w.DB, w.Guard), posts.New(w.DB, w.Guard)
	w.Lifecycle = lifecycle.New(w.DB, w.Guard, references.Answering)
	w.Sharing = sharing.New(w.DB, w.Guard, clock.Now)
	w.Sharing.Printing = &sharing.Printing{Maker: document.NewMaker(set), Printer: w.Seals.Printer, CheckPage: "http://localhost/check"}
	w.Receipts = sharing.NewReceipts(w.DB, w.Guard, "演示平台 http://localhost")
	w.Oversight = oversight.New(w.DB, w.Guard)
	w.Measures = registry.NewMeasures(w.DB, w.Guard)
	queue := &jobs.Queue{DB: w.DB, Poll: 200 * time.Millisecond, Backoff: func(int) time.Duration { return 10 * time.Millisecond }}
	w.Issuer = issuance.New(issuance.Config{
		DB: w.DB, Guard: w.Guard, Catalog: w.Catalog, Seals: w.Seals, Maker: document.NewMaker(set), Jobs: queue, Compare: w.Registry,
		CheckURL: "http://localhost/check/",
	})
	w.Stock = stock.New(stock.Config{DB: w.DB, Guard: w.Guard, Issuer: w.Issuer, Missing: sharing.ReportedMissing})
	w.OnTime = ontime.New(w.DB, w.Guard, queue, nil)
	key, err := gm.GenerateKey()
	must(t, err)
	w.References = references.New(references.Config{DB: w.DB, Guard: w.Guard, Jobs: queue, Dir: t.TempDir(), Key: key, Now: clock.Now, Wait: time.Second})
	t.Cleanup(w.References.Close)
	queue.Handle(cases.DeemJob, w.Cases.Deem)
	w.Catalog.Handle(queue)
	w.Letters = &letters.Letters{DB: w.DB, Cases: w.Cases, Seals: w.Seals, Maker: document.NewMaker(set), Log: slog.New(slog.DiscardHandler), PublicURL: "http://localhost"}
	queue.Handle(cases.LetterJob, w.Letters.Seal)
	queue.Handle(sharing.DiscloseJob, w.Sharing.TellDisclosure)
	w.Delivery = delivery.New(delivery.Config{
		DB: w.DB, Guard: w.Guard, Seals: w.Seals, Maker: document.NewMaker(set), Jobs: queue, Trust: w.Trust, Now: clock.Now, Sharing: w.Sharing, PublicURL: "http://localhost", Platform: "演示平台",
	})
	w.Guard.Alarm = sharing.Alarm
	w.people(t)
	must(t, w.Seals.Establish(ctx))
	w.Seal = w.MakeSeal(t, "")
	authority, err := w.Seals.TimeAuthority(ctx)
	must(t, err)
	w.Stamps = &Stamps{TimeStamper: authority}
	w.Seals.Outside = w.Stamps
	trust, err := w.Seals.Trust(ctx)
	must(t, err)
	w.trust.Trust = *trust
	w.Verifier = verification.New(w.DB, w.Guard, w.Trust, clock.Now)
	w.Kits = offline.New(offline.Config{
		DB: w.DB, Guard: w.Guard, Seals: w.Seals, Issuer: w.Issuer, Jobs: queue, Fonts: offline.SystemFonts, Trust: w.Trust, Now: clock.Now, Platform: "演示平台",
		Stretch: Quick,
	})
	w.Verifier.Offline = w.Kits
	must(t, w.Catalog.Propose(ctx, w.Drafter, FoodType()))
	must(t, w.Catalog.Decide(ctx, w.Admin, Type, 1, true, ""))
	must(t, w.Cases.Install(ctx, []*cases.Matter{{
		Code: Matter, Name: "烟草专卖零售许可", Unit: Office, Days: 10, Online: true, Materials: []cases.Material{
			{Name: "食品经营许可证", Way: cases.Shared, Types: []elicense.TypeCode{Type},
				Fields: map[elicense.TypeCode][]string{Type: {"holder_name", "license_no"}}},
			{Name: "申请书", Way: cases.Form},
		},
	}}))
	run(t, queue)
	return w
}

// Quick is a stretching for what nobody guesses at: the least there is. A world is
// made for every test, and the usual one costs more than all the rest of it.
func Quick() gm.Stretch {
	s := gm.NewStretch()
	s.Time, s.Memory, s.Threads = 1, 8<<10, 1
	return s
}

func run(t testing.TB, queue *jobs.Queue) {
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- queue.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// FoodType is the world's license type as its unit enters it.
func FoodType() *catalog.Type {
	fields := []catalog.Field{
		{Key: "holder_name", Label: "名称", Type: "string", Required: true, Class: access.Open},
		{Key: "uscc", Label: "统一社会信用代码", Type: "uscc", Required: true, Class: access.Open},
		{Key: "legal_rep", Label: "法定代表人", Type: "string", Required: true, Class: access.Personal},
		{Key: "items", Label: "经营项目", Type: "list", Required: true, Class: access.Open},
		{Key: "license_no", Label: "许可证编号", Type: "string", Required: true, Class: access.Open},
		{Key: "valid_to", Label: "有效期至", Type: "date", Required: true, Class: access.Open},
	}
	return &catalog.Type{
		Code: Type, Name: "食品经营许可证", Unit: Issuer, Issuers: []elicense.UnitCode{Issuer}, Category: "行政许可", Basis: "食品安全法",
		Mode: catalog.Online, Holders: catalog.Organizations, Open: true, Fields: fields, Face: catalog.DefaultFace("食品经营许可证", fields),
		Validity: catalog.Validity{Kind: "field", Text: "5年"},
		Roles:    catalog.Roles{HolderName: "holder_name", HolderCode: "uscc", Number: "license_no", ValidTo: "valid_to"},
	}
}

func (w *World) people(t testing.TB) {
	t.Helper()
	ctx := t.Context()
	must(t, w.Org.Install(ctx, []org.Unit{
		{Code: Issuer, Short: "scjg-gl", Name: "福州市鼓楼区市场监督管理局", Region: "350102", RegionName: "鼓楼区", Kind: "dept", Roles: []string{"issue", "apply"}},
		{Code: Office, Short: "yc-gl", Name: "福州市鼓楼区烟草专卖局", Region: "350102", RegionName: "鼓楼区", Kind: "dept", Roles: []string{"issue", "apply"}},
		{Code: "11350000FJDEM0021G", Short: "dsj-fj", Name: "福建省数据管理局", Region: "350000", RegionName: "福建省", Kind: "egov", Roles: []string{"egov"}},
	}))
	id := func(code, name string) elicense.HolderRef {
		return elicense.HolderRef{CodeType: elicense.CodeCitizen, Code: code, Name: name}
	}
	lin := id("350100199003070028", "林样本")
	staff := []struct {
		who *(*elicense.Actor)
		s   org.Staff
	}{
		{&w.Drafter, org.Staff{Login: "draft", Unit: Issuer, Person: lin, Duties: []elicense.Duty{elicense.DutyDraft, elicense.DutyChange, elicense.DutyRegister}}},
		{&w.Both, org.Staff{Login: "both", Unit: Issuer, Person: lin, Duties: []elicense.Duty{elicense.DutyReview, elicense.DutyDraft}}},
		{&w.Reviewer, org.Staff{Login: "review", Unit: Issuer, Person: id("350200197809250155", "黄演示"), Duties: []elicense.Duty{elicense.DutyReview}}},
		{&w.Window, org.Staff{Login: "window", Unit: Office, Person: id("35010019930830004X", "郑窗口"), Duties: []elicense.Duty{elicense.DutyWindow}}},
		{&w.Colleague, org.Staff{Login: "window2", Unit: Office, Person: id("350100194802010213", "吴老样"), Duties: []elicense.Duty{elicense.DutyWindow}}},
		{&w.Matters, org.Staff{Login: "matters", Unit: Office, Person: id("350100199209110021", "曾事项"), Duties: []elicense.Duty{elicense.DutyMatters}}},
		{&w.Admin, org.Staff{Login: "admin", Unit: "11350000FJDEM0021G", Person: id("11010519491231002X", "方管理"), Duties: []elicense.Duty{elicense.DutyTypes, elicense.DutySeals}}},
		{&w.Auditor, org.Staff{Login: "audit", Unit: "11350000FJDEM0021G", Person: id("35010020240518003X", "吴审计"), Duties: []elicense.Duty{elicense.DutyAudit}}},
		{&w.Holder, org.Staff{Login: "holder", Kind: elicense.Holder, Person: Person, Holder: Firm, Name: Firm.Name}},
	}
	var list []org.Staff
	for _, x := range staff {
		if x.s.Kind == "" {
			x.s.Kind, x.s.Name = elicense.Staff, x.s.Person.Name
		}
		x.s.Secret = Password
		list = append(list, x.s)
	}
	must(t, w.Org.Enroll(ctx, list))
	for i, x := range staff {
		who, err := w.Org.ActorByLogin(ctx, list[i].Login, "test")
		must(t, err)
		*x.who = who
	}
}

// MakeSeal brings a seal of the issuing unit to its use, as the desks do.
func (w *World) MakeSeal(t testing.TB, line string) elicense.SealID {
	t.Helper()
	return w.sealOf(t, w.Reviewer, line)
}

// SealOffice gives the office a seal for the notices of its cases.
func (w *World) SealOffice(t testing.TB) elicense.SealID {
	t.Helper()
	who := *w.Reviewer
	who.Unit = Office
	return w.sealOf(t, &who, "")
}

func (w *World) sealOf(t testing.TB, who *elicense.Actor, line string) elicense.SealID {
	t.Helper()
	ctx := t.Context()
	s, err := w.Seals.Apply(ctx, who, sealing.Application{Line: line})
	must(t, err)
	must(t, w.Seals.Make(ctx, w.Admin, s.ID))
	must(t, w.Seals.Move(ctx, w.Admin, s.ID, sealing.Filed, ""))
	must(t, w.Seals.Move(ctx, w.Admin, s.ID, sealing.Enabled, ""))
	return s.ID
}

// Trust is what seals are judged by.
func (w *World) Trust(ctx context.Context) (document.Options, error) {
	t, err := w.Seals.Trust(ctx)
	if err != nil {
		return document.Options{}, err
	}
	return document.Options{Trust: *t}, nil
}

// Password is the password of every account of the world.
const Password = "correct horse"

// Completion is the completed case of a food license; number tells cases and
// licenses apart.
func (w *World) Completion(number string) issuance.Completion {
	return issuance.Completion{
		Case: "许可" + number, Type: Type, Closed: w.Clock.Now(), Holders: []elicense.HolderRef{Firm}, DocNo: "鼓市监准〔2026〕" + number + "号",
		Fields: map[string]string{
			"holder_name": Firm.Name, "uscc": Firm.Code, "legal_rep": "陈示例", "items": "热食类食品制售\n冷食类食品制售", "license_no": "JY" + number,
			"valid_to": "2031-03-09",
		},
	}
}

// Publish makes a license and waits until it is published.
func (w *World) Publish(t testing.TB, c issuance.Completion) *issuance.Draft {
	t.Helper()
	d, err := w.Issuer.Complete(t.Context(), w.Drafter, c)
	must(t, err)
	if d.State != issuance.InReview {
		t.Fatalf("draft is %s: %v", d.State, d.Findings)
	}
	must(t, w.Issuer.Approve(t.Context(), w.Reviewer, d.ID, d.Seq, ""))
	return w.Published(t, d.ID)
}

// PublishUncompared makes a license while the registry is silent, by the reviewer's
// reason, and waits until it is published.
func (w *World) PublishUncompared(t testing.TB, c issuance.Completion) elicense.DraftID {
	t.Helper()
	w.Registry.Answer(registry.Unavailable)
	d, err := w.Issuer.Complete(t.Context(), w.Drafter, c)
	must(t, err)
	must(t, w.Issuer.Approve(t.Context(), w.Reviewer, d.ID, d.Seq, "证照急用，已电话核对"))
	return w.Published(t, d.ID).ID
}

// Published waits until a draft is published.
func (w *World) Published(t testing.TB, id elicense.DraftID) *issuance.Draft {
	t.Helper()
	for until := time.Now().Add(time.Minute); time.Now().Before(until); {
		r, err := w.Issuer.Get(t.Context(), w.Reviewer, id)
		must(t, err)
		if r.State == issuance.Published {
			return r.Draft
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("draft %s was not published", id)
	return nil
}

// Halt approves a draft while no time stamp is to be had, and waits until its
// sealing is tried no more.
func (w *World) Halt(t testing.TB, c issuance.Completion) elicense.DraftID {
	t.Helper()
	d, err := w.Issuer.Complete(t.Context(), w.Drafter, c)
	must(t, err)
	w.Stamps.Off.Store(true)
	defer w.Stamps.Off.Store(false)
	must(t, w.Issuer.Approve(t.Context(), w.Reviewer, d.ID, d.Seq, ""))
	for until := time.Now().Add(time.Minute); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		w.Clock.Move(20 * time.Millisecond) // what waits for its next attempt is due
		r, err := w.Issuer.Get(t.Context(), w.Drafter, d.ID)
		must(t, err)
		if r.Halted {
			return d.ID
		}
	}
	t.Fatal("the sealing is still tried")
	return ""
}

// Change lets an event happen to a license: proposed by one person, reviewed by
// another.
func (w *World) Change(t testing.TB, id elicense.LicenseID, kind elicense.EventKind) {
	t.Helper()
	c, err := w.Lifecycle.Propose(t.Context(), w.Drafter, lifecycle.Change{License: id, Kind: kind, DocNo: "鼓市监〔2026〕1号", Reason: "依法办理"})
	must(t, err)
	must(t, w.Lifecycle.Decide(t.Context(), w.Reviewer, c.ID, true, ""))
}

// OpenCase opens a case of the world's matter for the firm.
func (w *World) OpenCase(t testing.TB) *cases.Case {
	t.Helper()
	c, err := w.Cases.Start(t.Context(), w.Window, cases.NewCase{
		Matter: Matter, Parties: []cases.Party{{Role: "申请人", Ref: Firm, Proof: cases.ProofLicense}},
	})
	must(t, err)
	return c
}

// Findings checks everything stored and returns what is not as it was left.
func (w *World) Findings(t testing.TB) (list []oversight.Finding) {
	t.Helper()
	_, err := oversight.Check(t.Context(), w.DB, verification.NewFiles(w.trust, w.Clock.Now), func(f oversight.Finding) { list = append(list, f) })
	must(t, err)
	return list
}

// Fsck checks everything stored and fails the test for each finding. A job at work
// may have stored a file it has not written of yet: what is found is looked at again
// when none is.
func (w *World) Fsck(t testing.TB) {
	t.Helper()
	list := w.Findings(t)
	if len(list) > 0 {
		w.rest(t)
		list = w.Findings(t)
	}
	for _, f := range list {
		t.Errorf("fsck: %s", f)
	}
}

// rest waits until no job is at work, for a minute at most.
func (w *World) rest(t testing.TB) {
	t.Helper()
	for until := time.Now().Add(time.Minute); time.Now().Before(until); time.Sleep(20 * time.Millisecond) {
		working := 0
		must(t, w.DB.View(t.Context(), func(tx *store.Tx) error {
			return tx.Row(`SELECT COUNT(*) FROM job WHERE state = 'running'`).Scan(&working)
		}))
		if working == 0 {
			return
		}
	}
}

// LotTable is a table of n completed cases of a food license; tag tells the cases
// and numbers of one table from another's.
func LotTable(tag string, n int) string {
	var b strings.Builder
	b.WriteString("办件编号,名称,统一社会信用代码,法定代表人,经营项目,许可证编号,有效期至\r\n")
	for i := range n {
		fmt.Fprintf(&b, "批%s-%d,%s,%s,陈示例,热食类食品制售,JY%s%d,2031-03-09\r\n", tag, i, Firm.Name, Firm.Code, tag, i)
	}
	return b.String()
}

// ReadLot reads such a table as the drafter.
func (w *World) ReadLot(t testing.TB, tag string, n int) *issuance.Lot {
	t.Helper()
	l, err := w.Issuer.ReadLot(t.Context(), w.Drafter, issuance.LotFile{
		Type: Type, Closed: elicense.DateOf(w.Clock.Now()), Name: tag + ".csv", Content: strings.NewReader(LotTable(tag, n)),
	})
	must(t, err)
	return l
}

// Told waits until a notice of the kind reached the actor.
func (w *World) Told(t testing.TB, who *elicense.Actor, kind string) {
	t.Helper()
	for until := time.Now().Add(time.Minute); time.Now().Before(until); {
		list, err := notice.NewBox(w.DB).List(t.Context(), who, 100)
		must(t, err)
		if slices.ContainsFunc(list, func(n *notice.Notice) bool { return n.Kind == kind }) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%s was not told %s", who.Name, kind)
}

// Paper is a picture of a paper.
var Paper = []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")

// NoPhotos is an archive without a file.
var NoPhotos = append([]byte("PK\x05\x06"), make([]byte, 18)...)

// OldPaper is what a food license of 2017 with that number says.
func OldPaper(number string) stock.Typed {
	return stock.Typed{
		Holders: []elicense.HolderRef{Firm}, IssuedOn: "2017-06-01",
		Fields: map[string]string{
			"holder_name": Firm.Name, "uscc": Firm.Code, "legal_rep": "陈示例", "items": "热食类食品制售", "license_no": number, "valid_to": "2027-05-31",
		},
	}
}

// Enter makes the first entry of a license on paper.
func (w *World) Enter(t testing.TB, number string) *stock.Entry {
	t.Helper()
	e, err := w.Stock.Enter(t.Context(), w.Drafter, Type, issuance.Stock, OldPaper(number), "旧证.png", Paper)
	must(t, err)
	return e
}
