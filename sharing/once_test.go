package sharing_test

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"elicense"
	"elicense/access"
	"elicense/cases"
	"elicense/catalog"
	"elicense/e2e/world"
	"elicense/notice"
	"elicense/oversight"
	"elicense/sharing"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// says wants an error of the kind that says so.
func says(t *testing.T, err error, k elicense.Kind, text string) *elicense.Error {
	t.Helper()
	var e *elicense.Error
	if !errors.As(err, &e) || e.Kind != k || !strings.Contains(e.Message(), text) {
		t.Fatalf("%v, want %s with %q", err, k, text)
	}
	return e
}

// Sensitive is a type a case uses only with its holder's agreement.
const Sensitive = elicense.TypeCode("11350102FJDEM0275F777")

// The matter of these tests, of the world's office.
const service = elicense.MatterCode("M77")

// serve registers the sensitive type and publishes the matter.
func serve(t *testing.T, w *world.World, change func(*cases.Matter)) {
	t.Helper()
	ctx := t.Context()
	typ := world.FoodType()
	typ.Code, typ.Name, typ.Consent = Sensitive, "残疾人证", true
	typ.Fields[2].Class = access.Sensitive // legal_rep
	typ.Face = catalog.DefaultFace(typ.Name, typ.Fields)
	must(t, w.Catalog.Propose(ctx, w.Drafter, typ))
	must(t, w.Catalog.Decide(ctx, w.Admin, Sensitive, 1, true, ""))
	m := &cases.Matter{Code: service, Name: "补贴申请", Days: 5, Online: true, Materials: []cases.Material{
		{Name: "食品经营许可证", Way: cases.Shared, Types: []elicense.TypeCode{world.Type}, Fields: map[elicense.TypeCode][]string{world.Type: {"holder_name", "license_no", "valid_to"}}},
		{Name: "残疾人证", Way: cases.Shared, Types: []elicense.TypeCode{Sensitive}, Fields: map[elicense.TypeCode][]string{Sensitive: {"license_no", "legal_rep"}}},
		{Name: "租赁合同", Way: cases.Upload, When: []string{"rented"}},
		{Name: "制度", Way: cases.Upload, Later: 5, Promise: true},
	}}
	if change != nil {
		change(m)
	}
	must(t, w.Cases.Propose(ctx, w.Matters, m))
	must(t, w.Cases.Decide(ctx, w.Admin, service, 1, true, ""))
}

func (s *hall) state(name string) sharing.MaterialState {
	s.t.Helper()
	list, _, err := s.Sharing.Materials(s.t.Context(), s.Window, s.k.ID)
	must(s.t, err)
	for _, st := range list {
		if st.Material.Name == name {
			return st
		}
	}
	s.t.Fatalf("no material %s", name)
	return sharing.MaterialState{}
}

// hall is a case of the matter at a window.
type hall struct {
	*world.World
	t *testing.T
	k *cases.Case
}

func open(t *testing.T, w *world.World, facts ...cases.Condition) *hall {
	t.Helper()
	k, err := w.Cases.Start(t.Context(), w.Window, cases.NewCase{Matter: service, Facts: facts, Parties: []cases.Party{{Role: "申请人", Ref: world.Firm, Proof: cases.ProofCard}}})
	must(t, err)
	return &hall{w, t, k}
}

// TestASensitiveTypeWaitsForItsHolder: until he agrees the answer is the same
// whether there is a license, a look is refused, and his no and his withdrawal
// count at once (Art. 18, 个人信息保护法 29).
func TestASensitiveTypeWaitsForItsHolder(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		serve(t, w, nil)
		s := open(t, w)
		before := s.state("残疾人证")
		c := w.Completion("9")
		c.Type = Sensitive
		w.Publish(t, c)
		after := s.state("残疾人证")
		if before.Need != sharing.Present || before.Why != after.Why || before.Need != after.Need || before.Mend != after.Mend || after.Licenses != nil {
			t.Errorf("before %+v, after %+v", before, after)
		}
		use := sharing.Use{Material: "残疾人证", Party: -1, Act: sharing.Query}
		_, err := w.Sharing.Use(ctx, w.Window, s.k.ID, use)
		says(t, err, elicense.Forbidden, "这类证照要持证人同意")

		says(t, w.Sharing.AskAgreement(ctx, w.Colleague, s.k.ID, Sensitive, 0), elicense.Forbidden, "这不是您经办的办件")
		says(t, w.Sharing.AskAgreement(ctx, w.Window, s.k.ID, world.Type, 0), elicense.Conflict, "不需要另行同意")
		says(t, w.Sharing.AskAgreement(ctx, w.Window, s.k.ID, Sensitive, 3), elicense.NotFound, "不需要他的这类证照")
		must(t, w.Sharing.AskAgreement(ctx, w.Window, s.k.ID, Sensitive, 0))
		list, err := w.Sharing.Agreements(ctx, w.Holder, 10)
		if err != nil || len(list) != 1 || list[0].State != "asked" || list[0].TypeName != "残疾人证" || len(list[0].Fields) != 2 {
			t.Fatalf("asked %+v, %v", list, err)
		}
		answer := func(yes bool) { must(t, w.Sharing.Answer(ctx, w.Holder, list[0].ID, yes)) }
		answer(false)
		if st := s.state("残疾人证"); st.Need != sharing.Present || !strings.Contains(st.Why, "没有同意") {
			t.Errorf("declined: %+v", st)
		}
		answer(true)
		if st := s.state("残疾人证"); st.Need != sharing.Have || len(st.Licenses) != 1 {
			t.Errorf("agreed: %+v", st)
		}
		r, err := w.Sharing.Use(ctx, w.Window, s.k.ID, use)
		if err != nil || r.Fields["license_no"] != "JY9" {
			t.Errorf("used: %+v, %v", r, err)
		}
		answer(false)
		_, err = w.Sharing.Use(ctx, w.Window, s.k.ID, use)
		says(t, err, elicense.Forbidden, "这类证照要持证人同意")
		if list, err = w.Sharing.Agreements(ctx, w.Holder, 10); err != nil || list[0].State != "withdrawn" {
			t.Errorf("withdrawn: %+v, %v", list, err)
		}
		w.Fsck(t)
	})
}

// TestOverlaysBlockByMatter: 查封 stops the matter that says so, and only that.
func TestOverlaysBlockByMatter(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		serve(t, w, func(m *cases.Matter) {
			m.Effects = map[string]cases.Effect{"seal-up": cases.Block, "pledge": cases.Ignore}
		})
		d := w.Publish(t, w.Completion("1"))
		s := open(t, w)
		w.Change(t, d.License, elicense.EventPledge)
		if st := s.state("食品经营许可证"); st.Need != sharing.Have {
			t.Errorf("pledged: %+v", st)
		}
		w.Change(t, d.License, elicense.EventSealUp)
		if st := s.state("食品经营许可证"); st.Need != sharing.Missing || !strings.Contains(st.Why, "已查封，本事项不能办理") || st.Mend != sharing.ByIssuer {
			t.Errorf("sealed up: %+v", st)
		}
		_, err := w.Sharing.Use(t.Context(), w.Window, s.k.ID, query)
		says(t, err, elicense.NotInForce, "已查封")
		other := w.OpenCase(t)
		if _, err := w.Sharing.Use(t.Context(), w.Window, other.ID, query); err != nil {
			t.Errorf("a matter that says nothing of it: %v", err)
		}
	})
}

// TestTheHolderHearsOfTheFirstLook, once a case and type, and can say that it was
// not he; the auditors hear that.
func TestTheHolderHearsOfTheFirstLook(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		w.Publish(t, w.Completion("1"))
		k := w.OpenCase(t)
		says(t, w.Sharing.Object(ctx, w.Holder, k.ID), elicense.NotFound, "没有查看过您的证照")
		for range 3 {
			_, err := w.Sharing.Use(ctx, w.Window, k.ID, query)
			must(t, err)
		}
		looked := 0
		list, err := notice.NewBox(w.DB).List(ctx, w.Holder, 50)
		must(t, err)
		for _, n := range list {
			if n.Kind == "looked" {
				looked++
				if !strings.Contains(n.Message(), "福州市鼓楼区烟草专卖局办理“烟草专卖零售许可”") || n.Link != "/holder/cases/"+string(k.ID) {
					t.Errorf("told %q, %s", n.Message(), n.Link)
				}
			}
		}
		if looked != 1 {
			t.Errorf("told %d times of three looks", looked)
		}
		says(t, w.Sharing.Object(ctx, w.Window, k.ID), elicense.Forbidden, "不是这个办件的当事人")
		must(t, w.Sharing.Object(ctx, w.Holder, k.ID))
		must(t, w.Sharing.Object(ctx, w.Holder, k.ID)) // said twice, it is one
		told, err := notice.NewBox(w.DB).List(ctx, w.Auditor, 10)
		if err != nil || len(told) != 1 || !strings.Contains(told[0].Message(), "不是他办的") {
			t.Errorf("the auditor: %v, %v", told, err)
		}
		odd, err := w.Cases.WithdrawnAfterLook(ctx, w.Auditor, 10)
		if err != nil || len(odd) != 1 || odd[0].ID != k.ID || odd[0].Objects != 1 {
			t.Errorf("odd cases %+v, %v", odd, err)
		}
		other, err := w.Cases.Start(ctx, w.Window, cases.NewCase{Matter: world.Matter, Parties: []cases.Party{{Ref: world.Firm, Proof: cases.ProofCard}}})
		must(t, err)
		_, err = w.Sharing.Use(ctx, w.Window, other.ID, query)
		must(t, err)
		_, err = w.Cases.Do(ctx, w.Window, other.ID, cases.Withdraw, cases.Doing{Reason: "申请人不办了"})
		must(t, err)
		if odd, err = w.Cases.WithdrawnAfterLook(ctx, w.Auditor, 10); err != nil || len(odd) != 2 {
			t.Errorf("odd cases %+v, %v", odd, err)
		}
		_, err = w.Cases.WithdrawnAfterLook(ctx, w.Window, 10)
		says(t, err, elicense.Forbidden, "只有安全审计和监督检查岗位")
		w.Fsck(t)
	})
}

// TestGuessingByComparisonEnds after five that came out different.
func TestGuessingByComparisonEnds(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		w.Publish(t, w.Completion("1"))
		k := w.OpenCase(t)
		compare := func(v string) (*sharing.Result, error) {
			return w.Sharing.Use(ctx, w.Window, k.ID, sharing.Use{Material: "食品经营许可证", Party: -1, Act: sharing.Compare, Values: map[string]string{"license_no": v}})
		}
		for _, v := range []string{"ＪＹ１", " jy 1", "JY1"} {
			if r, err := compare(v); err != nil || r.Matches["license_no"] != sharing.Same {
				t.Errorf("%q: %v, %v", v, r, err)
			}
		}
		for i := range 5 {
			if r, err := compare("JY" + string(rune('2'+i))); err != nil || r.Matches["license_no"] != sharing.Differs {
				t.Fatalf("guess %d: %v, %v", i, r, err)
			}
		}
		_, err := compare("JY1")
		says(t, err, elicense.Forbidden, "比对不一致已满5次")
		if _, err := w.Sharing.Use(ctx, w.Window, k.ID, query); err != nil {
			t.Errorf("a query all the same: %v", err)
		}
		w.Fsck(t)
	})
}

// TestPaperAnywayNeedsItsReason (Art. 12): each of the five is checked.
func TestPaperAnywayNeedsItsReason(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		serve(t, w, nil)
		s := open(t, w)
		give := func(place int, g sharing.Giving) error { return w.Sharing.Give(ctx, w.Window, s.k.ID, place, g) }
		paper := func(r cases.PaperReason) error { return give(0, sharing.Giving{Way: cases.ByPaper, Reason: r}) }

		says(t, paper(""), elicense.Invalid, "收取纸质要选一个理由")
		says(t, paper(cases.PaperMissing), elicense.Conflict, "还没有登记缺证")
		says(t, paper(cases.PaperFailure), elicense.Conflict, "没有遇到系统故障")
		says(t, paper(cases.PaperLegal), elicense.Conflict, "没有写明要求原件的法定依据")
		says(t, paper(cases.PaperWish), elicense.Conflict, "要有他的签名")

		says(t, onlyErr(w.Sharing.Report(ctx, w.Colleague, s.k.ID, sharing.Report{Kind: sharing.LicenseMissing})), elicense.Forbidden, "这不是您经办的办件")
		says(t, onlyErr(w.Sharing.Report(ctx, w.Window, s.k.ID, sharing.Report{Kind: sharing.LicenseWrong})), elicense.Invalid, "要写明证照哪里不对")
		ticket, err := w.Sharing.Report(ctx, w.Window, s.k.ID, sharing.Report{Kind: sharing.LicenseMissing})
		must(t, err)
		list, err := w.Sharing.Tickets(ctx, w.Drafter, 10)
		if err != nil || len(list) != 1 || list[0].ID != ticket || list[0].Material != "食品经营许可证" || list[0].UnitName != "福州市鼓楼区烟草专卖局" {
			t.Errorf("tickets %+v, %v", list, err)
		}
		must(t, paper(cases.PaperMissing))
		if st := s.state("食品经营许可证"); st.Given == nil || st.Given.Way != cases.ByPaper || !st.Given.Could || !st.Met() {
			t.Errorf("%+v", st.Given)
		}
		png := []byte("\x89PNG\r\n\x1a\n0000")
		says(t, w.Cases.Attach(ctx, w.Window, s.k.ID, 0, "x.exe", []byte("MZ")), elicense.Invalid, "只收PDF、JPG、PNG")
		must(t, w.Cases.Attach(ctx, w.Window, s.k.ID, 0, "签名.png", png))
		must(t, paper(cases.PaperWish))
		b, g, err := w.Cases.Attached(ctx, w.Window, s.k.ID, 0)
		if err != nil || string(b) != string(png) || g.Reason != cases.PaperWish {
			t.Errorf("the signature: %q, %+v, %v", b, g, err)
		}

		says(t, give(0, sharing.Giving{Way: cases.LaterWay}), elicense.Conflict, "不能容缺")
		says(t, give(0, sharing.Giving{Way: cases.ByPromise, Note: "x"}), elicense.Conflict, "不能用告知承诺")
		says(t, give(3, sharing.Giving{Way: cases.ByPromise}), elicense.Invalid, "要写明承诺的内容")
		must(t, give(3, sharing.Giving{Way: cases.LaterWay}))
		if st := s.state("制度"); st.Given == nil || st.Given.Due.In(elicense.Shanghai).Format("2006-01-02") != "2026-03-18" {
			t.Errorf("to be given by %+v", st.Given)
		}
		says(t, give(2, sharing.Giving{Way: cases.ByForm}), elicense.NotFound, "没有这一项") // it is not rented
		w.Fsck(t)
	})
}

func onlyErr(_ string, err error) error { return err }

// TestALegalOriginalNamesItsLaw, which must still hold.
func TestALegalOriginalNamesItsLaw(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		b := &cases.Basis{Rank: cases.Law, Title: "某法", Article: "第十条", Quote: "应当交验原件。", InForce: "2020-01-01"}
		must(t, w.Cases.AddBasis(ctx, w.Admin, b))
		serve(t, w, func(m *cases.Matter) { m.Materials[0].Basis = b.ID })
		s := open(t, w)
		legal := sharing.Giving{Way: cases.ByPaper, Reason: cases.PaperLegal}
		must(t, w.Sharing.Give(ctx, w.Window, s.k.ID, 0, legal))
		if g := s.state("食品经营许可证").Given; g.Basis != b.ID {
			t.Errorf("%+v", g)
		}
		must(t, w.Cases.RepealBasis(ctx, w.Admin, b.ID, "2026-03-10"))
		says(t, w.Sharing.Give(ctx, w.Window, s.k.ID, 0, legal), elicense.Conflict, "某法第十条已失效")
	})
}

// TestAcceptanceWritesDownWhatWasReliedOn, and waits for what is open.
func TestAcceptanceWritesDownWhatWasReliedOn(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		serve(t, w, func(m *cases.Matter) { m.Materials = m.Materials[:1] })
		s := open(t, w)
		_, err := w.Sharing.Accept(ctx, w.Cases, w.Window, s.k.ID)
		says(t, err, elicense.Conflict, "“食品经营许可证”还没有解决：没有找到")
		d := w.Publish(t, w.Completion("1"))
		k, err := w.Sharing.Accept(ctx, w.Cases, w.Window, s.k.ID)
		must(t, err)
		g := s.state("食品经营许可证").Given
		if k.Stage != cases.Accepted || g == nil || g.Way != cases.ByLicense || g.License != d.License || g.Version != 1 {
			t.Errorf("%s, %+v", k.Stage, g)
		}
		if _, err := w.Sharing.Accept(ctx, w.Cases, w.Colleague, s.k.ID); !elicense.IsKind(err, elicense.Forbidden) {
			t.Errorf("a colleague accepts: %v", err)
		}
		w.Fsck(t)
	})
}

// TestApplyingOnline (Art. 11): from the phone to the result, with the licenses
// the platform has and nothing asked twice.
func TestApplyingOnline(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		serve(t, w, nil)
		w.Publish(t, w.Completion("1"))
		c := w.Completion("9")
		c.Type = Sensitive
		w.Publish(t, c)
		apply := func(who *elicense.Actor, ref elicense.HolderRef) (*cases.Case, error) {
			return w.Cases.Apply(ctx, who, cases.NewCase{Matter: service, Facts: []cases.Condition{cases.Rented}, Parties: []cases.Party{{Role: "申请人", Ref: ref}}})
		}
		_, err := apply(w.Holder, world.Person)
		says(t, err, elicense.Forbidden, "只能为您自己或您代表的企业申请")
		_, err = apply(w.Window, world.Firm)
		says(t, err, elicense.Forbidden, "只能为您自己")
		k, err := apply(w.Holder, world.Firm)
		must(t, err)
		if _, _, err := w.Cases.Get(ctx, w.Window, k.ID); !elicense.IsKind(err, elicense.Forbidden) {
			t.Errorf("a clerk sees what is being filled in: %v", err)
		}
		if list, err := w.Cases.Queue(ctx, w.Window, 10); err != nil || len(list) != 0 {
			t.Errorf("the queue: %v, %v", list, err)
		}
		list, err := w.Sharing.OwnMaterials(ctx, w.Holder, k.ID)
		if err != nil || len(list) != 4 || list[0].Need != sharing.Have || list[1].Need != sharing.Have || list[2].Need != sharing.ToGive {
			t.Fatalf("what the applicant has: %+v, %v", list, err)
		}
		own := func(m cases.Move) error { _, err := w.Cases.OwnMove(ctx, w.Holder, k.ID, m, cases.Doing{}); return err }
		says(t, own(cases.Send), elicense.Conflict, "“食品经营许可证”还没有提供")
		must(t, w.Sharing.Give(ctx, w.Holder, k.ID, 0, sharing.Giving{Way: cases.ByLicense}))
		must(t, w.Sharing.Give(ctx, w.Holder, k.ID, 1, sharing.Giving{Way: cases.ByLicense}))
		says(t, own(cases.Send), elicense.Conflict, "“租赁合同”还没有提供")
		must(t, w.Cases.Attach(ctx, w.Holder, k.ID, 2, "合同.pdf", []byte("%PDF-1.7\n")))
		must(t, own(cases.Send))
		says(t, w.Sharing.Give(ctx, w.Holder, k.ID, 0, sharing.Giving{Way: cases.ByLicense}), elicense.Conflict, "申请已经提交")

		queue, err := w.Cases.Queue(ctx, w.Window, 10)
		if err != nil || len(queue) != 1 || queue[0].ID != k.ID || queue[0].Parties != nil {
			t.Fatalf("the queue: %+v, %v", queue, err)
		}
		_, err = w.Cases.Do(ctx, w.Drafter, k.ID, cases.Take, cases.Doing{})
		says(t, err, elicense.Forbidden, "不能接办")
		_, err = w.Cases.Do(ctx, w.Window, k.ID, cases.Take, cases.Doing{})
		must(t, err)
		_, err = w.Cases.Do(ctx, w.Colleague, k.ID, cases.Take, cases.Doing{})
		says(t, err, elicense.Conflict, "已有人接办")
		// What he agreed to with his application the clerk can use.
		if _, err := w.Sharing.Use(ctx, w.Window, k.ID, sharing.Use{Material: "残疾人证", Party: -1, Act: sharing.Query}); err != nil {
			t.Errorf("use: %v", err)
		}
		_, err = w.Cases.Do(ctx, w.Window, k.ID, cases.Correct, cases.Doing{Items: []string{"合同缺签名页"}})
		must(t, err)
		must(t, w.Cases.Attach(ctx, w.Holder, k.ID, 2, "合同.pdf", []byte("%PDF-1.7\n2")))
		must(t, own(cases.Supply))
		_, err = w.Sharing.Accept(ctx, w.Cases, w.Window, k.ID)
		says(t, err, elicense.Conflict, "“制度”还没有解决")
		must(t, w.Sharing.Give(ctx, w.Window, k.ID, 3, sharing.Giving{Way: cases.ByPromise, Note: "五日内提交"}))
		_, err = w.Sharing.Accept(ctx, w.Cases, w.Window, k.ID)
		must(t, err)
		_, err = w.Cases.Do(ctx, w.Window, k.ID, cases.Decide, cases.Doing{Granted: true, DocNo: "鼓烟〔2026〕1号"})
		must(t, err)
		must(t, w.Cases.Close(ctx, w.Window, k.ID))

		got, _, course, err := w.Cases.Own(ctx, w.Holder, k.ID)
		must(t, err)
		var moves []string
		for _, x := range course {
			moves = append(moves, string(x.Kind))
		}
		if want := "begin send take correct supply accept decide close"; strings.Join(moves, " ") != want || got.Channel != cases.OnTheWeb {
			t.Errorf("course %v", moves)
		}
		mine, err := w.Cases.OwnCases(ctx, w.Holder, 10)
		if err != nil || len(mine) != 1 {
			t.Errorf("his cases: %v, %v", mine, err)
		}
		w.Fsck(t)
	})
}

// TestRecordsOfACaseHoldNoNames: what a clerk writes in a ticket stays out of the
// log that is never cleared.
func TestRecordsOfACaseHoldNoNames(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		serve(t, w, nil)
		s := open(t, w)
		_, err := w.Sharing.Report(t.Context(), w.Window, s.k.ID, sharing.Report{Kind: sharing.LicenseWrong, Note: "陈示例的名字写错了"})
		must(t, err)
		list, err := w.Oversight.Records(t.Context(), w.Auditor, oversight.By{Case: s.k.ID}, 50)
		must(t, err)
		for _, e := range list {
			p, err := w.Oversight.Prove(t.Context(), w.Auditor, elicense.RecordID(e.ID))
			must(t, err)
			b, err := base64.StdEncoding.DecodeString(p.Bytes)
			must(t, err)
			if b := string(b); strings.Contains(b, "示例") || strings.Contains(b, world.Firm.Code) {
				t.Errorf("%s: %s", e.Act, b)
			}
		}
		if len(list) == 0 {
			t.Error("no records of the case")
		}
	})
}

// TestTheDocumentItselfCarriesWhoLooks (Art. 18): pages leave the server with the
// watermark drawn in, and only where the matter says that fields are not enough.
func TestTheDocumentItselfCarriesWhoLooks(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		w.Publish(t, w.Completion("1"))
		plain := w.OpenCase(t)
		view := sharing.Use{Material: "食品经营许可证", Party: -1, Act: sharing.View}
		_, err := w.Sharing.Use(ctx, w.Window, plain.ID, view)
		says(t, err, elicense.Forbidden, "不需要看整份文件")
		serve(t, w, func(m *cases.Matter) { m.Materials[0].File = true })
		s := open(t, w)
		r, err := w.Sharing.Use(ctx, w.Window, s.k.ID, view)
		must(t, err)
		marked := 0
		for _, p := range r.Pages {
			if strings.Count(string(p), "opacity=\"0.2\"") > 3 {
				marked++
			}
		}
		if len(r.Pages) == 0 || marked != len(r.Pages) || r.Fields != nil || !strings.Contains(r.Watermark, s.k.Number) {
			t.Errorf("%d pages, %d marked, fields %v, %q", len(r.Pages), marked, r.Fields, r.Watermark)
		}
		w.Sharing.Printing = nil
		_, err = w.Sharing.Use(ctx, w.Window, s.k.ID, view)
		says(t, err, elicense.Unavailable, "字体缺失")
		w.Fsck(t)
	})
}

// TestSensitiveFieldsAreMaskedUntilAskedFor, and asking is on record.
func TestSensitiveFieldsAreMaskedUntilAskedFor(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		serve(t, w, nil)
		c := w.Completion("9")
		c.Type = Sensitive
		w.Publish(t, c)
		s := open(t, w)
		must(t, w.Sharing.AskAgreement(ctx, w.Window, s.k.ID, Sensitive, 0))
		list, err := w.Sharing.Agreements(ctx, w.Holder, 1)
		must(t, err)
		must(t, w.Sharing.Answer(ctx, w.Holder, list[0].ID, true))
		use := sharing.Use{Material: "残疾人证", Party: -1, Act: sharing.Query}
		r, err := w.Sharing.Use(ctx, w.Window, s.k.ID, use)
		must(t, err)
		if r.Fields["legal_rep"] != "陈*例" || len(r.Masked) != 1 || r.Fields["license_no"] != "JY9" {
			t.Errorf("masked: %v, %v", r.Fields, r.Masked)
		}
		use.Reveal = []string{"legal_rep", "uscc"} // the second is not of the list
		if r, err = w.Sharing.Use(ctx, w.Window, s.k.ID, use); err != nil || r.Fields["legal_rep"] != "陈示例" || r.Masked != nil || r.Fields["uscc"] != "" {
			t.Errorf("in full: %+v, %v", r, err)
		}
		p, err := w.Oversight.Prove(ctx, w.Auditor, r.Receipt.Record)
		if err != nil || p.Entry.Detail["reveal"] != "legal_rep" {
			t.Errorf("the record: %+v, %v", p.Entry, err)
		}
	})
}

// TestCodesOfAnInformationCheck (GB/T 36906): what a caller of another maker's
// interface expects.
func TestCodesOfAnInformationCheck(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		d := w.Publish(t, w.Completion("1"))
		k := w.OpenCase(t)
		code := func(values map[string]string) int {
			t.Helper()
			r, err := w.Sharing.Use(ctx, w.Window, k.ID, sharing.Use{Material: "食品经营许可证", Party: -1, Act: sharing.Compare, Values: values})
			must(t, err)
			if sharing.CodeWord(r.Code) == "" {
				t.Errorf("%d has no word", r.Code)
			}
			return r.Code
		}
		right, wrong := map[string]string{"license_no": "JY1"}, map[string]string{"license_no": "JY2"}
		if got := []int{code(right), code(wrong), code(nil)}; got[0] != 0 || got[1] != 6 || got[2] != 4 {
			t.Errorf("in force: %v", got)
		}
		w.Change(t, d.License, elicense.EventSuspend)
		if got := []int{code(right), code(wrong)}; got[0] != 2 || got[1] != 6 {
			t.Errorf("suspended: %v", got)
		}
		w.Change(t, d.License, elicense.EventResume)
		w.Change(t, d.License, elicense.EventRevoke)
		if got := code(right); got != 3 {
			t.Errorf("revoked: %d", got)
		}
	})
}
