package world

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"elicense"
	"elicense/access"
	"elicense/calendar"
	"elicense/cases"
	"elicense/catalog"
	"elicense/delivery"
	"elicense/gm"
	"elicense/letters"
	"elicense/lifecycle"
	"elicense/offline"
	"elicense/ontime"
	"elicense/org"
	"elicense/oversight"
	"elicense/references"
	"elicense/registry"
	"elicense/sealing"
	"elicense/sharing"
	"elicense/stock"
	"elicense/store"
	"elicense/workday"
)

// Walker is somebody who tries every page or operation.
type Walker struct {
	Login string // empty for nobody
	Says  string
	Actor *elicense.Actor // nil for nobody
}

// Walk is the world with somebody of every post, of the unit and of another, and
// with a thing of its own for every page and operation, so that somebody gets
// everywhere.
type Walk struct {
	*World
	// Those who own nothing of what is walked come first, the owners last, so that
	// what an owner changes is seen by nobody after him.
	Walkers []Walker
	Systems []Walker

	License, Other elicense.LicenseID // one to look at, one to propose a change of
	Code           elicense.CheckCode
	Edited, Judged WalkedDraft      // wait for their review
	Differs        elicense.DraftID // published; a registry says that it is not so
	Halted         elicense.DraftID // its sealing is tried no more
	Change         string           // waits for its review
	Office         elicense.CaseID
	Used           elicense.RecordID
	Own, Filled    elicense.CaseID // applications being filled in
	Sensitive      elicense.CaseID // of a matter that needs an agreement
	Agreement      string
	Queued         elicense.CaseID // waits to be taken
	Basis          cases.BasisID
	Record         string
	Lot, Mended    string              // lots that wait to be submitted
	Drawn          string              // one that waits for review
	Row            elicense.DraftID    // of the latter, drawn
	Day            string              // an entry of the calendar
	Papers         string              // a table of licenses on paper, of the drafter
	Entered        string              // a license on paper that waits for its second entry
	Sampled        elicense.DraftID    // of the stock, published and drawn
	Owed, Refusing string              // results: one that is missing; one no license is said to come of
	Source         string              // that returns NationalType
	Returned       string              // a delivery of it with a bad row
	NewKey         string              // of a source to be registered, PEM
	Awaited        string              // what is awaited of a ministry, seq 1
	Confirmed      elicense.LicenseID  // a reference
	Bad            string              // a table of results with a bad row
	Late, Excused  string              // licenses published late; the latter excused
	Excuse         string              // of the latter
	Type           elicense.TypeCode   // a version 1 that waits
	Matter         elicense.MatterCode // a version 1 that waits
	Applied        elicense.SealID     // waits to be made
	Seal2          elicense.SealID     // a second one in use
	Framed         elicense.CaseID     // of the business system
	Frame          string              // the token of its frame
	Disclosed      [2]string           // proposed; approved
	Rule           string              // a local rule that waits for a second administrator
	Kit, KitOut    string              // one that waits to be confirmed; one that is out
	KitEnd         string              // one to cancel
	Told           elicense.LicenseID  // one whose holder could not be told
	Message        string              // that was given up
	Sealed         []byte              // a document under a seal
	Beside         elicense.DraftID    // waits for its review
	AskedMode      string              // how Office proposes to make AskedType
	Document       string              // it was added to Beside
	Typed          string              // the code that was sent to the holder's mailbox
	Package        []byte              // of KitOut: it was opened, and nothing was made
	key            gm.Signer
	tickets        int
}

// WalkedDraft is a draft as its reviewer saw it.
type WalkedDraft struct {
	ID  elicense.DraftID
	Seq int64
}

// Portal is the origin whose pages frame those of the platform; System is the
// business system it belongs to.
const (
	Portal = "https://oa.example.gov.cn"
	System = "biz"
)

// LocalRule is a local rule about nobody.
const LocalRule = `@article("第十八条第一款") @reason("不能查看：暂停") forbid (principal, action == Action::"case.use", resource) when { context.type == "nobody" };`

// SensitiveType is a type whose licenses are used only with the holder's agreement,
// SensitiveMatter asks for one; NationalType is made by a system of the nation.
const (
	NationalType    elicense.TypeCode   = "11350102FJDEM0275F004"
	SharedType      elicense.TypeCode   = "11350102FJDEM0275F005" // issued by Office too
	AskedType       elicense.TypeCode   = "11350102FJDEM0275F006" // the same, and Office proposed how it makes it
	SensitiveType   elicense.TypeCode   = "11350102FJDEM0275F002"
	SensitiveMatter elicense.MatterCode = "M05"
)

// Kept is an account that nobody uses, to be kept by who keeps accounts; NewUnit is
// a unit that is not registered.
const (
	Kept                      = "kept"
	NewUnit elicense.UnitCode = "11350100FJDEM0208L"
)

// NewWalk makes a walk of a world.
func NewWalk(t testing.TB, w *World) *Walk {
	t.Helper()
	ctx := t.Context()
	w.Cases.Audience = "http://localhost"
	k := &Walk{World: w}
	const province elicense.UnitCode = "11350000FJDEM0021G"
	citizen := func(code, name string) elicense.HolderRef {
		return elicense.HolderRef{CodeType: elicense.CodeCitizen, Code: code, Name: name}
	}
	stranger, second := citizen("350100198506120117", "陈示例"), citizen("110105194912310011", "冯旁人")
	staff := func(login string, unit elicense.UnitCode, who elicense.HolderRef, duties ...elicense.Duty) org.Staff {
		return org.Staff{Login: login, Secret: Password, Kind: elicense.Staff, Unit: unit, Person: who, Name: who.Name, Duties: duties}
	}
	system := func(login string, unit elicense.UnitCode, duty elicense.Duty) org.Staff {
		return org.Staff{Login: login, Secret: Password, Kind: elicense.System, Unit: unit, Name: "业务系统", Duties: []elicense.Duty{duty}}
	}
	must(t, w.Org.Enroll(ctx, []org.Staff{
		{Login: "holder2", Secret: Password, Kind: elicense.Holder, Person: second, Name: second.Name},
		staff("xwindow", Issuer, stranger, elicense.DutyWindow),
		staff("xissue", Office, stranger, elicense.DutyDraft, elicense.DutyReview, elicense.DutyChange, elicense.DutyRegister),
		staff("xmatters", Issuer, stranger, elicense.DutyMatters),
		staff("supervise", province, stranger, elicense.DutySupervise),
		staff("draftonly", Issuer, stranger, elicense.DutyDraft),
		staff("accounts", province, second, elicense.DutyAccounts),
		staff(Kept, Issuer, stranger, elicense.DutyDraft),
		staff("xdisclose", Office, stranger, elicense.DutyDisclose),
		staff("disclose1", province, stranger, elicense.DutyDisclose),
		staff("disclose2", province, second, elicense.DutyDisclose),
		system(System, Office, elicense.DutyWindow), system("xbiz", Issuer, elicense.DutyWindow),
		system("sys", Issuer, elicense.DutySubmit), system("xsys", Office, elicense.DutySubmit),
	}))
	of := func(login, says string) Walker {
		if login == "" {
			return Walker{Says: says}
		}
		who, err := w.Org.ActorByLogin(ctx, login, "test")
		must(t, err)
		return Walker{login, says, who}
	}
	k.Walkers = []Walker{
		of("", "nobody"), of("holder2", "another holder"), of("xwindow", "window, other unit"), of("xissue", "issuing, other unit"),
		of("xmatters", "matters, other unit"), of("xdisclose", "disclosure, other unit"), of("accounts", "accounts"), of("audit", "audit"),
		of("supervise", "supervision"), of("window2", "window, colleague"), of("matters", "matters"), of("draftonly", "draft only"), of("review", "review"),
		of("draft", "draft, change, register"), of("window", "window, own case"), of("holder", "holder"), of("admin", "types, seals"),
		of("disclose1", "disclosure, first"), of("disclose2", "disclosure, second"),
	}
	k.Systems = []Walker{of("xbiz", "use system, other unit"), of("xsys", "issuing system, other unit"), of(System, "use system"), of("sys", "issuing system")}
	k.things(t, func(login string) *elicense.Actor { return of(login, "").Actor })
	return k
}

// things makes what is walked to.
func (k *Walk) things(t testing.TB, who func(string) *elicense.Actor) {
	t.Helper()
	ctx := t.Context()
	w := k.World
	made := w.Publish(t, w.Completion("1"))
	k.License, k.Code = made.License, made.Code
	k.Other = w.Publish(t, w.Completion("7")).License
	waiting := func(number string) WalkedDraft {
		d, err := w.Issuer.Complete(ctx, w.Drafter, w.Completion(number))
		must(t, err)
		return WalkedDraft{d.ID, d.Seq}
	}
	k.Edited, k.Judged, k.Beside = waiting("2"), waiting("8"), waiting("81").ID
	k.Halted = w.Halt(t, w.Completion("79"))
	k.Differs = w.PublishUncompared(t, w.Completion("6"))
	w.Registry.Answer(registry.Mismatch)
	must(t, w.Issuer.CompareAgain(ctx, w.Reviewer, k.Differs))
	w.Registry.Answer(registry.Match)
	change, err := w.Lifecycle.Propose(ctx, w.Drafter, lifecycle.Change{License: k.License, Kind: elicense.EventSuspend, DocNo: "鼓市监〔2026〕1号", Reason: "依法办理"})
	must(t, err)
	k.Change = change.ID

	sensitive := FoodType()
	sensitive.Code, sensitive.Name, sensitive.Consent = SensitiveType, "信用报告", true
	must(t, w.Catalog.Propose(ctx, w.Drafter, sensitive))
	must(t, w.Catalog.Decide(ctx, w.Admin, SensitiveType, 1, true, ""))
	national := FoodType()
	national.Code, national.Name, national.Mode, national.Reason, national.Face = NationalType, "国家许可证", catalog.National, "按照国家规范制作", nil
	must(t, w.Catalog.Propose(ctx, w.Drafter, national))
	must(t, w.Catalog.Decide(ctx, w.Admin, NationalType, 1, true, ""))
	// Two types other units issue too: of one a mode waits, of the other none.
	for _, code := range []elicense.TypeCode{SharedType, AskedType} {
		shared := FoodType()
		shared.Code, shared.Name, shared.Issuers = code, "联合签发的证"+string(code[18:]), []elicense.UnitCode{Issuer, Office}
		must(t, w.Catalog.Propose(ctx, w.Drafter, shared))
		must(t, w.Catalog.Decide(ctx, w.Admin, code, 1, true, ""))
	}
	mode := catalog.UnitMode{Code: AskedType, Unit: Issuer, Origin: catalog.ByMinistry, Reason: "部委有标准", Basis: "C0293-2024"}
	must(t, w.Catalog.SetMode(ctx, w.Drafter, mode))
	mode.Unit = Office
	k.AskedMode, err = w.Catalog.ProposeMode(ctx, who("xissue"), mode)
	must(t, err)
	proposed := FoodType()
	proposed.Code, proposed.Name = "11350102FJDEM0275F003", "小餐饮登记证"
	must(t, w.Catalog.Propose(ctx, w.Drafter, proposed))
	k.Type = proposed.Code
	must(t, w.Cases.Install(ctx, []*cases.Matter{{
		Code: SensitiveMatter, Name: "信用查询", Unit: Office, Days: 5, Materials: []cases.Material{
			{Name: "信用报告", Way: cases.Shared, Types: []elicense.TypeCode{SensitiveType}, Fields: map[elicense.TypeCode][]string{SensitiveType: {"license_no"}}},
		},
	}}))
	k.Matter = "M97"
	must(t, w.Cases.Propose(ctx, w.Matters, &cases.Matter{Code: k.Matter, Name: "待核事项", Days: 5, Online: true, Materials: []cases.Material{{Name: "申请书", Way: cases.Form}}}))
	basis := &cases.Basis{Rank: cases.Law, Title: "某法", Article: "第一条", Quote: "条文", InForce: "2020-01-01"}
	must(t, w.Cases.AddBasis(ctx, w.Admin, basis))
	k.Basis = basis.ID

	k.Lot = w.ReadLot(t, "L", 20).ID
	k.Mended = w.ReadLot(t, "M", 20).ID
	k.Drawn = w.ReadLot(t, "D", 20).ID
	must(t, w.Issuer.SubmitLot(ctx, w.Drafter, k.Drawn, ""))
	drawn, err := w.Issuer.LotSample(ctx, w.Reviewer, k.Drawn)
	must(t, err)
	k.Row = drawn[0].Draft

	papers, err := w.Stock.ReadPapers(ctx, w.Drafter, stock.PapersFile{
		Type: Type, Again: true, Content: strings.NewReader("名称,统一社会信用代码,法定代表人,经营项目,许可证编号,有效期至,发证日期\r\n" + Firm.Name + "," + Firm.Code + ",陈示例,热食类食品制售,JY77,2027-05-31,2017-06-01\r\n"),
	})
	must(t, err)
	k.Papers = papers.ID
	k.Entered = w.Enter(t, "JY23501020000091").ID
	again := w.Enter(t, "JY23501020000092")
	again, err = w.Stock.Again(ctx, w.Reviewer, again.ID, OldPaper("JY23501020000092"))
	must(t, err)
	r, err := w.Issuer.Get(ctx, w.Reviewer, again.Draft)
	must(t, err)
	must(t, w.Issuer.Approve(ctx, w.Reviewer, r.ID, r.Seq, ""))
	k.Sampled = w.Published(t, again.Draft).ID
	_, err = w.Stock.Draw(ctx, w.Reviewer, Type)
	must(t, err)

	k.refer(t)

	keeper := &calendar.Keeper{DB: w.DB, Guard: w.Guard}
	must(t, keeper.Declare(ctx, w.Admin, workday.Special{Day: "2026-11-05", Free: true, Name: "防御台风停工停业", Doc: "榕防指〔2026〕7号"}))
	days, err := keeper.List(ctx)
	must(t, err)
	k.Day = days[0].ID

	k.owe(t)
	k.Office = w.OpenCase(t).ID
	w.SealOffice(t)
	must(t, w.Letters.Ask(ctx, w.Window, k.Office, letters.Received))
	used, err := w.Sharing.Use(ctx, w.Window, k.Office, sharing.Use{Material: "食品经营许可证", Party: -1, Act: sharing.Query})
	must(t, err)
	k.Used = used.Receipt.Record
	must(t, w.Cases.Attach(ctx, w.Window, k.Office, 1, "申请书.pdf", []byte("%PDF-1.4\n")))
	apply := func() elicense.CaseID {
		c, err := w.Cases.Apply(ctx, w.Holder, cases.NewCase{Matter: Matter, Parties: []cases.Party{{Role: "申请人", Ref: Firm}}})
		must(t, err)
		return c.ID
	}
	k.Own, k.Filled, k.Queued = apply(), apply(), apply()
	must(t, w.Cases.Attach(ctx, w.Holder, k.Filled, 1, "申请书.pdf", []byte("%PDF-1.4\n")))
	must(t, w.Cases.Attach(ctx, w.Holder, k.Queued, 1, "申请书.pdf", []byte("%PDF-1.4\n")))
	must(t, w.Sharing.Give(ctx, w.Holder, k.Queued, 0, sharing.Giving{Way: cases.ByLicense}))
	_, err = w.Cases.OwnMove(ctx, w.Holder, k.Queued, cases.Send, cases.Doing{})
	must(t, err)
	for until := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		_, file, err := w.Letters.Get(ctx, w.Window, k.Office, letters.Received, false)
		must(t, err)
		if file != nil {
			break
		}
		if time.Now().After(until) {
			t.Fatal("the receipt of materials is not sealed")
		}
	}
	asking, err := w.Cases.Start(ctx, w.Window, cases.NewCase{Matter: SensitiveMatter, Parties: []cases.Party{{Role: "申请人", Ref: Firm, Proof: cases.ProofCard}}})
	must(t, err)
	k.Sensitive = asking.ID
	must(t, w.Sharing.AskAgreement(ctx, w.Window, k.Sensitive, SensitiveType, 0))
	asked, err := w.Sharing.Agreements(ctx, w.Holder, 1)
	must(t, err)
	k.Agreement = asked[0].ID

	k.delivered(t)
	applied, err := w.Seals.Apply(ctx, w.Reviewer, sealing.Application{Line: "待制章"})
	must(t, err)
	k.Applied, k.Seal2 = applied.ID, w.MakeSeal(t, "备用章")

	k.key, err = gm.GenerateKey()
	must(t, err)
	public, err := gm.MarshalPublicKey(k.key.Public())
	must(t, err)
	must(t, w.Cases.PutSystemKey(ctx, who("accounts"), System, "k1", public, false))
	must(t, w.Cases.PutSystemOrigin(ctx, who("accounts"), System, Portal, false))
	token, framed, err := w.Cases.OpenFrame(ctx, who(System), Portal, k.Ticket(t))
	must(t, err)
	k.Frame, k.Framed = token, framed.ID

	k.Rule, _, err = (&access.Rules{DB: w.DB, Guard: w.Guard}).Propose(ctx, w.Admin, "", "试行", "闽数〔2026〕8号", LocalRule)
	must(t, err)
	for i := range k.Disclosed {
		k.Disclosed[i], err = w.Sharing.ProposeDisclosure(ctx, who("disclose1"), sharing.Disclosure{
			Type: Type, Holder: Firm, DocNo: fmt.Sprint("调", i), Basis: "某法第一条", Fields: []string{"license_no"}, All: true,
		})
		must(t, err)
	}
	must(t, w.Sharing.DecideDisclosure(ctx, who("disclose2"), k.Disclosed[1], true))
	for i, id := range []*string{&k.Kit, &k.KitOut, &k.KitEnd} {
		kit, err := w.Kits.Order(ctx, w.Drafter, KitOrder())
		must(t, err)
		if *id = kit.ID; i == 1 {
			_, err = w.Kits.Confirm(ctx, w.Reviewer, kit.ID, KitPIN+"2")
			must(t, err)
		}
	}
	k.Package = emptyPackage(t, k.KitOut)
	list, err := w.Oversight.Records(ctx, w.Auditor, oversight.By{}, 1)
	must(t, err)
	k.Record = list[0].ID
}

// delivered makes what the pages of delivery show: a package, a message that was given
// up, and an address that waits for its code. The SMS gateway refuses all numbers.
func (k *Walk) delivered(t testing.TB) {
	t.Helper()
	ctx, w := t.Context(), k.World
	codes := make(chan string, 10)
	w.Delivery.Connect(delivery.SMS, sender(func(delivery.Text) error { return &delivery.Refused{Answer: "空号"} }))
	w.Delivery.Connect(delivery.Mail, sender(func(x delivery.Text) error {
		if _, code, found := strings.Cut(x.Body, "验证码是"); found {
			codes <- code[:6]
		}
		return nil
	}))
	must(t, w.Delivery.Take(ctx, w.Window, k.Office, 0, delivery.SMS, "13800138000"))
	k.Told = w.Publish(t, w.Completion("41")).License
	must(t, w.Delivery.Prepare(ctx, w.Holder, k.License, false))
	must(t, w.Delivery.Ask(ctx, w.Holder, delivery.Mail, "shop@example.com"))
	k.Typed = <-codes
	for until := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		told, err := w.Delivery.Of(ctx, w.Drafter, k.Told, true)
		must(t, err)
		made, err := w.Delivery.Of(ctx, w.Drafter, k.License, true)
		must(t, err)
		if told.Failed() && made.Package != nil && !made.Package.Sealed.IsZero() {
			k.Message = told.Sent[0].ID
			break
		}
		if time.Now().After(until) {
			t.Fatal("nothing is delivered")
		}
	}
	var err error
	k.Sealed, _, err = w.Sharing.File(ctx, w.Drafter, k.License, true)
	must(t, err)
	u, err := w.Delivery.Upload(ctx, w.Drafter, k.Beside, "准予许可决定书", k.Sealed)
	must(t, err)
	k.Document = u.ID
}

// sender is a channel that does as the test says.
type sender func(delivery.Text) error

func (s sender) Send(_ context.Context, x delivery.Text) (string, error) { return "250", s(x) }

// KitPIN is the PIN of who orders KitOrder.
const KitPIN = "wuyishan-37"

// KitOrder is the order of a kit for the world's type while the network is down.
func KitOrder() offline.Order {
	return offline.Order{
		Types: []elicense.TypeCode{Type}, Ground: offline.Outage, Reason: "窗口网络中断", Proof: "故障单FZ-0310，09:05起政务外网不通", Hours: 12, Size: 10, PIN: KitPIN,
		ProofName: "故障通知.png", ProofFile: Paper,
	}
}

// emptyPackage is the package of a kit that was not used.
func emptyPackage(t testing.TB, kit string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, content := range map[string]string{"kit": kit, "journal": ""} {
		f, err := z.Create(name)
		must(t, err)
		_, err = f.Write([]byte(content))
		must(t, err)
	}
	must(t, z.Close())
	return b.Bytes()
}

// owe makes what the unit owes, and what it made late.
func (k *Walk) owe(t testing.TB) {
	t.Helper()
	ctx, w := t.Context(), k.World
	day := string(elicense.DateOf(w.Clock.Now()))
	u, err := w.OnTime.ReadFile(ctx, w.Drafter, "办结.csv", strings.NewReader("办件编号,证照类别,办结时间\r\n欠1,食品经营许可证,"+day+"\r\n欠2,食品经营许可证,"+day+"\r\n欠3,没有的证,"+day+"\r\n"))
	must(t, err)
	k.Bad = u.ID
	list, _, err := w.OnTime.Missing(ctx, w.Drafter, Issuer, ontime.Page{}, 2)
	must(t, err)
	k.Owed, k.Refusing = list[0].ID, list[1].ID
	must(t, w.OnTime.Refuse(ctx, w.Drafter, k.Refusing, ontime.NotGranted, "不予许可决定书1号"))
	late := func(number string) string {
		c := w.Completion(number)
		c.Closed = c.Closed.Add(-48 * time.Hour)
		return string(w.Publish(t, c).ID)
	}
	k.Late, k.Excused = late("31"), late("32")
	e, err := w.OnTime.Excuse(ctx, w.Admin, ontime.Excusing{Kind: ontime.OfDraft, Subject: k.Excused, Ground: ontime.Outage, Doc: "工单1", Reason: "停机"})
	must(t, err)
	k.Excuse = e.ID
}

// Ticket signs a ticket of the business system for a case of its own, good once.
func (k *Walk) Ticket(t testing.TB) string {
	t.Helper()
	k.tickets++
	now := k.Clock.Now()
	ticket := &cases.Ticket{
		Number: fmt.Sprintf("%017d", k.tickets), Audience: "http://localhost", Issued: now.Unix(), Expires: now.Add(5 * time.Minute).Unix(), Unit: Office,
		Matter: Matter, Case: fmt.Sprint("烟", k.tickets), Officer: "王某", Parties: []cases.TicketParty{{Role: "申请人", Holder: Firm, Proof: cases.ProofCertificate}},
	}
	text, err := ticket.Sign(k.key, "k1")
	must(t, err)
	return text
}

// Refused returns the newest refusal on record of somebody. Unlike a reading at the
// audit's desk it is not itself recorded: it is done before and after each step.
func (k *Walk) Refused(t testing.TB, who *elicense.Actor) (id, rule string) {
	t.Helper()
	must(t, k.DB.View(t.Context(), func(tx *store.Tx) error {
		list, _, err := tx.Records(store.ByActor, string(who.Account), store.Page{}, 8)
		for _, r := range list {
			if r.Outcome == "refused" {
				id, rule = string(r.ID), r.Rule
				break
			}
		}
		return err
	}))
	return id, rule
}

// routesFile is the table of what everybody gets, from the rooms whose tests walk.
const routesFile = "../docs/ROUTES.md"

// Listed compares a part of docs/ROUTES.md, which begins with its heading, with what
// a walk has found, or writes it.
func Listed(t testing.TB, part string, write bool) {
	t.Helper()
	b, err := os.ReadFile(routesFile)
	must(t, err)
	heading, _, _ := strings.Cut(part, "\n")
	before, after, found := strings.Cut("\n"+string(b), "\n"+heading+"\n")
	kept, rest := after, ""
	if i := strings.Index(after, "\n# "); i >= 0 {
		kept, rest = after[:i+1], after[i+1:]
	}
	kept = strings.TrimRight(heading+"\n"+kept, "\n") + "\n"
	if !found {
		kept, rest = "", ""
	}
	if kept == part {
		return
	}
	if write {
		text := strings.Trim(before, "\n") + "\n\n" + part
		if rest != "" {
			text += "\n" + rest
		}
		must(t, os.WriteFile(routesFile, []byte(strings.TrimLeft(text, "\n")), 0o644))
		return
	}
	was := map[string]bool{}
	for _, line := range strings.Split(kept, "\n") {
		was[line] = true
	}
	for _, line := range strings.Split(part, "\n") {
		if !was[line] {
			t.Errorf("docs/ROUTES.md says otherwise:\n%s", line)
		}
	}
	if !t.Failed() {
		t.Error("docs/ROUTES.md has lines that are gone, or another order")
	}
}

// Listing reads a part of docs/ROUTES.md: what each walker gets, by route.
func Listing(t testing.TB, heading string) map[string]map[string]string {
	t.Helper()
	b, err := os.ReadFile(routesFile)
	must(t, err)
	_, part, _ := strings.Cut("\n"+string(b), "\n"+heading+"\n")
	part, _, _ = strings.Cut(part, "\n# ")
	table := map[string]map[string]string{}
	var says []string
	for _, line := range strings.Split(part, "\n") {
		cells := strings.Split(strings.Trim(line, "| "), " | ")
		switch {
		case !strings.HasPrefix(line, "| "):
		case says == nil:
			says = cells
		default:
			row := map[string]string{}
			for i, c := range cells {
				row[says[i]] = c
			}
			table[cells[0]] = row
		}
	}
	return table
}

// refer has a source return a reference and a row that does not stand, and awaits
// another.
func (k *Walk) refer(t testing.TB) {
	t.Helper()
	ctx, w := t.Context(), k.World
	key, err := gm.GenerateKey()
	must(t, err)
	pem, err := gm.MarshalPublicKey(key.Public())
	must(t, err)
	other, err := gm.GenerateKey()
	must(t, err)
	otherPEM, err := gm.MarshalPublicKey(other.Public())
	must(t, err)
	k.Source, k.NewKey = "gov-files", string(otherPEM)
	awaited := FoodType()
	awaited.Code, awaited.Name, awaited.Mode, awaited.Reason, awaited.Face = "11350102FJDEM0275F010", "国家备案证", catalog.National, "按照国家规范制作", nil
	must(t, w.Catalog.Propose(ctx, w.Drafter, awaited))
	must(t, w.Catalog.Decide(ctx, w.Admin, awaited.Code, 1, true, ""))
	source := references.Source{
		ID: k.Source, Name: "国家许可系统", Ministry: "某部", Unit: Issuer, Kind: references.File, Key: string(pem), State: references.Live,
		Types: []references.Returns{{Type: NationalType, Hours: 24}},
	}
	must(t, w.References.Register(ctx, w.Admin, source))
	fields := w.Completion("55").Fields
	good := references.Row{Type: NationalType, Holders: []elicense.HolderRef{Firm}, IssuedOn: "2026-03-01", Fields: fields}
	bad := good
	bad.IssuedOn = "2027-01-01"
	var b bytes.Buffer
	for _, r := range []references.Row{good, bad} {
		line, err := json.Marshal(r)
		must(t, err)
		b.Write(append(line, '\n'))
	}
	dir := filepath.Join(w.References.Dir, k.Source)
	must(t, os.MkdirAll(dir, 0o700))
	manifest, err := references.SignFile(key, k.Source, "a.jsonl", b.Bytes())
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "a.jsonl"), b.Bytes(), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "a.jsonl.sign"), manifest, 0o600))
	must(t, w.References.Ask(ctx, w.Drafter, k.Source))
	for until := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		list, err := w.References.Deliveries(ctx, w.Drafter, 1)
		must(t, err)
		if len(list) == 1 && list[0].State == references.Taken {
			k.Returned = list[0].ID
			break
		}
		if time.Now().After(until) {
			t.Fatal("the source's file was not taken")
		}
	}
	// From here on it is asked, and does not answer.
	known, err := w.References.Sources(ctx, w.Admin, true)
	must(t, err)
	source.Kind, source.URL, source.Changed = references.HTTP, "http://127.0.0.1:1", known[0].Changed
	must(t, w.References.Register(ctx, w.Admin, source))
	list, err := w.References.Oldest(ctx, w.Drafter, 1)
	must(t, err)
	k.Confirmed = list[0].License.ID
	a, err := w.References.Await(ctx, w.Drafter, references.Awaited{System: "国家备案系统", Ministry: "某部", Types: []elicense.TypeCode{awaited.Code}})
	must(t, err)
	k.Awaited = a.ID
}
