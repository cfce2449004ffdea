package cases_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"elicense"
	"elicense/cases"
	"elicense/e2e/world"
	"elicense/notice"
	"elicense/store"

	"pgregory.net/rapid"
)

// refusal wants a refusal that says so.
func refusal(t *testing.T, err error, k elicense.Kind, says string) *elicense.Error {
	t.Helper()
	var e *elicense.Error
	if !errors.As(err, &e) || e.Kind != k || !strings.Contains(e.Message(), says) {
		t.Fatalf("%v, want %s with %q", err, k, says)
	}
	return e
}

var allMoves = []cases.Move{
	cases.Begin, cases.Open, cases.Send, cases.Take, cases.Hand, cases.Correct, cases.Supply, cases.Accept, cases.Deem, cases.Refuse, cases.Pause,
	cases.Resume, cases.Decide, cases.Finish, cases.Withdraw, cases.Join, cases.Clarify,
}

// TestTheTableOfACase: nothing follows an end, licenses are open from 收件 to 办结
// only, and every stage but the ends can be left.
func TestTheTableOfACase(t *testing.T) {
	stages := []cases.Stage{
		"", cases.Filling, cases.Received, cases.Correcting, cases.Accepted, cases.Paused, cases.Decided, cases.Closed, cases.Refused, cases.Withdrawn,
	}
	for _, s := range stages {
		leaves := 0
		for _, m := range allMoves {
			to, err := s.After(m)
			if err != nil {
				if to != s {
					t.Errorf("%s: a refused %s leads to %s", s, m, to)
				}
				continue
			}
			if s.Ended() {
				t.Errorf("%s after %s", m, s)
			}
			if to != s {
				leaves++
			}
			if to.Open() && s == "" && m != cases.Open || s == cases.Filling && to.Open() && m != cases.Send {
				t.Errorf("%s opens licenses from %q", m, s)
			}
		}
		if !s.Ended() && leaves == 0 {
			t.Errorf("%q can't be left", s)
		}
		if s.Open() && s.Ended() || s != "" && s.Chinese() == "" {
			t.Errorf("%q: open %t, ended %t, %q", s, s.Open(), s.Ended(), s.Chinese())
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		var s cases.Stage
		accepted := false
		for _, m := range rapid.SliceOf(rapid.SampledFrom(allMoves)).Draw(t, "moves") {
			to, err := s.After(m)
			if err != nil {
				continue
			}
			s = to
			accepted = accepted || s == cases.Accepted
			if (s == cases.Paused || s == cases.Decided) && !accepted {
				t.Fatalf("%s without 受理", s)
			}
		}
	})
}

func do(t *testing.T, w *world.World, k *cases.Case, m cases.Move, d cases.Doing) *cases.Case {
	t.Helper()
	got, err := w.Cases.Do(t.Context(), w.Window, k.ID, m, d)
	if err != nil {
		t.Fatalf("%s: %v", m, err)
	}
	return got
}

// TestCorrectionIsToldOnceAndWhole (行政许可法 32): once, with everything.
func TestCorrectionIsToldOnceAndWhole(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		k := w.OpenCase(t)
		_, err := w.Cases.Do(t.Context(), w.Window, k.ID, cases.Correct, cases.Doing{Items: []string{"  "}})
		refusal(t, err, elicense.Invalid, "要一次写全需要补正的内容")
		k = do(t, w, k, cases.Correct, cases.Doing{Items: []string{"补充布局图", "法定代表人签名"}})
		if k.Stage != cases.Correcting || !k.Due.IsZero() || !k.Open() {
			t.Errorf("after 补正告知: %s, due %s", k.Stage, k.Due)
		}
		_, err = w.Cases.Do(t.Context(), w.Window, k.ID, cases.Accept, cases.Doing{})
		refusal(t, err, elicense.Conflict, "办件现在是“待补正”，不能办理“受理”")
		must(t, w.DB.Update(t.Context(), func(tx *store.Tx) error {
			k, err := cases.Of(tx, k.ID)
			if err == nil {
				err = w.Cases.ApplyMove(tx, w.Window, k, cases.Supply, cases.Doing{})
			}
			return err
		}))
		_, err = w.Cases.Do(t.Context(), w.Window, k.ID, cases.Correct, cases.Doing{Items: []string{"还有一项"}})
		refusal(t, err, elicense.Conflict, "补正只能一次告知")
		course, err := w.Cases.Course(t.Context(), w.Window, k.ID)
		must(t, err)
		if len(course) != 3 || course[1].Kind != cases.Correct || len(course[1].Items) != 2 || course[1].Name != "郑窗口" {
			t.Errorf("course %+v", course)
		}
		w.Fsck(t)
	})
}

// TestSilenceAccepts (行政许可法 32(1)(4)): who is not told within five working
// days is accepted from the day his application came in.
func TestSilenceAccepts(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		k := w.OpenCase(t) // Tuesday 2026-03-10
		if got := k.Due.In(elicense.Shanghai).Format("2006-01-02 15:04"); got != "2026-03-18 00:00" {
			t.Fatalf("complete by %s", got)
		}
		w.Clock.Set(k.Due.Add(time.Second))
		for range 3000 {
			got, _, err := w.Cases.Get(t.Context(), w.Window, k.ID)
			must(t, err)
			if got.Stage == cases.Accepted {
				// Ten working days from 2026-03-10.
				if day := got.Due.In(elicense.Shanghai).Format("2006-01-02"); day != "2026-03-25" {
					t.Errorf("promised until %s", day)
				}
				list, err := notice.Inbox(t.Context(), w.DB, notice.HolderInbox(k.Parties[0].Holder), 10)
				if err != nil || len(list) == 0 || !strings.Contains(list[0].Message(), "视为受理") {
					t.Errorf("notices %v, %v", list, err)
				}
				w.Fsck(t)
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		t.Error("it was not accepted")
	})
}

// TestTheClockStops: a hearing stops the promised term, and what was left of it
// is left after it.
func TestTheClockStops(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		k := w.OpenCase(t)
		k = do(t, w, k, cases.Accept, cases.Doing{})
		if day := k.Due.In(elicense.Shanghai).Format("2006-01-02"); day != "2026-03-25" {
			t.Fatalf("promised until %s", day)
		}
		w.Clock.Move(2 * 24 * time.Hour)
		_, err := w.Cases.Do(t.Context(), w.Window, k.ID, cases.Pause, cases.Doing{})
		refusal(t, err, elicense.Invalid, "停表要写明事由")
		do(t, w, k, cases.Pause, cases.Doing{Reason: "听证"})
		w.Clock.Move(14 * 24 * time.Hour)
		k = do(t, w, k, cases.Resume, cases.Doing{})
		// Eight working days were left on 2026-03-12; they run from 2026-03-26.
		if day := k.Due.Add(-time.Second).In(elicense.Shanghai).Format("2006-01-02"); day != "2026-04-08" {
			t.Errorf("after the hearing until %s", day)
		}
		_, err = w.Cases.Do(t.Context(), w.Window, k.ID, cases.Decide, cases.Doing{})
		refusal(t, err, elicense.Invalid, "不予许可要写明理由")
		do(t, w, k, cases.Decide, cases.Doing{Granted: true, DocNo: "鼓烟〔2026〕1号"})
		if k = do(t, w, k, cases.Finish, cases.Doing{}); k.Stage != cases.Closed || k.Open() || !k.Closed.Equal(w.Clock.Now()) {
			t.Errorf("%+v", k)
		}
		_, err = w.Cases.Do(t.Context(), w.Window, k.ID, cases.Withdraw, cases.Doing{})
		refusal(t, err, elicense.Conflict, "办件现在是“办结”")
	})
}

// TestNobodyHandlesHisOwnCase: neither opening, nor taking, nor being handed one,
// nor becoming a party of it.
func TestNobodyHandlesHisOwnCase(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		clerk := elicense.HolderRef{CodeType: elicense.CodeCitizen, Code: "35010019930830004X", Name: "郑窗口"}
		colleague := elicense.HolderRef{CodeType: elicense.CodeCitizen, Code: "350100194802010213", Name: "吴老样"}
		start := func(who *elicense.Actor, ref elicense.HolderRef) (*cases.Case, error) {
			return w.Cases.Start(t.Context(), who, cases.NewCase{Matter: world.Matter, Parties: []cases.Party{{Role: "申请人", Ref: ref, Proof: cases.ProofCard}}})
		}
		own, err := start(w.Colleague, clerk)
		must(t, err)
		_, err = start(w.Window, clerk)
		refusal(t, err, elicense.Forbidden, "您自己是当事人")
		_, err = w.Cases.Do(t.Context(), w.Colleague, own.ID, cases.Hand, cases.Doing{To: w.Window.Account})
		refusal(t, err, elicense.Invalid, "他自己是当事人")
		k := w.OpenCase(t)
		_, err = w.Cases.Join(t.Context(), w.Window, k.ID, cases.Party{Role: "经办人", Ref: clerk, Proof: cases.ProofCard})
		refusal(t, err, elicense.Forbidden, "您自己不能是所办办件的当事人")
		_, err = w.Cases.Join(t.Context(), w.Window, k.ID, cases.Party{Role: "经办人", Ref: colleague})
		refusal(t, err, elicense.Forbidden, "身份没有核实")
		k, err = w.Cases.Join(t.Context(), w.Window, k.ID, cases.Party{Role: "经办人", Ref: colleague, Proof: cases.ProofCard})
		must(t, err)
		_, err = w.Cases.Do(t.Context(), w.Window, k.ID, cases.Hand, cases.Doing{To: w.Colleague.Account})
		refusal(t, err, elicense.Invalid, "他自己是当事人")
		w.Fsck(t)
	})
}

// TestAHallAcceptsForADepartment by a filed entrustment, and not without.
func TestAHallAcceptsForADepartment(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		hall := *w.Drafter // a clerk of another unit
		hall.Duties = []elicense.Duty{elicense.DutyWindow}
		start := func() error {
			k, err := w.Cases.Start(t.Context(), &hall, cases.NewCase{Matter: world.Matter, Parties: []cases.Party{{Ref: world.Firm, Proof: cases.ProofCard}}})
			if err == nil && (k.Unit != hall.Unit || k.Implementer != world.Office) {
				t.Errorf("accepted by %s for %s", k.Unit, k.Implementer)
			}
			return err
		}
		refusal(t, start(), elicense.Forbidden, "这个事项不由您的单位办理")
		refusal(t, w.Cases.Entrust(t.Context(), w.Window, cases.Entrustment{Acceptor: hall.Unit, DocNo: "1", From: "2026-01-01"}), elicense.Forbidden, "事项管理")
		refusal(t, w.Cases.Entrust(t.Context(), w.Matters, cases.Entrustment{Acceptor: hall.Unit, From: "2026-01-01"}), elicense.Invalid, "文号")
		e := cases.Entrustment{Acceptor: hall.Unit, DocNo: "鼓烟委〔2026〕1号", From: "2026-01-01", To: "2026-03-10"}
		must(t, w.Cases.Entrust(t.Context(), w.Matters, e))
		must(t, start())
		list, err := w.Cases.Matters(t.Context(), hall.Unit)
		if err != nil || len(list) != 1 || list[0].Code != world.Matter {
			t.Errorf("the hall's matters: %v, %v", list, err)
		}
		w.Clock.Move(24 * time.Hour)
		refusal(t, start(), elicense.Forbidden, "这个事项不由您的单位办理")
	})
}

func matter(change func(*cases.Matter)) *cases.Matter {
	m := &cases.Matter{Code: "M99", Name: "试办事项", Days: 5, Online: true, Materials: []cases.Material{
		{Name: "食品经营许可证", Way: cases.Shared, Types: []elicense.TypeCode{world.Type}, Fields: map[elicense.TypeCode][]string{world.Type: {"license_no"}}},
		{Name: "租赁合同", Way: cases.Upload, When: []string{"rented"}},
	}}
	change(m)
	return m
}

// TestPaperNeedsALaw (Art. 11(1)): a normative document is no basis, a repealed
// law is none any more, and its repeal opens a task on what cites it.
func TestPaperNeedsALaw(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		b := &cases.Basis{Rank: cases.Normative, Title: "某通知", Article: "三", Quote: "提交原件", InForce: "2020-01-01"}
		refusal(t, w.Cases.AddBasis(ctx, w.Admin, b), elicense.Invalid, "规范性文件不能作为")
		b = &cases.Basis{Rank: cases.Regulation, Title: "某条例", Article: "第十条", Quote: "应当核对原件。", InForce: "2020-01-01"}
		refusal(t, w.Cases.AddBasis(ctx, w.Matters, b), elicense.Forbidden, "电子政务管理部门")
		must(t, w.Cases.AddBasis(ctx, w.Admin, b))

		original := func(basis cases.BasisID) *cases.Matter {
			return matter(func(m *cases.Matter) {
				m.Materials = append(m.Materials, cases.Material{Name: "合同原件", Way: cases.Original, Basis: basis})
			})
		}
		e := refusal(t, w.Cases.Propose(ctx, w.Matters, original("")), elicense.Invalid, "要核对原件，就要写明")
		if e.Field != "materials.3.basis" {
			t.Errorf("at %s", e.Field)
		}
		refusal(t, w.Cases.Propose(ctx, w.Matters, original("nothing")), elicense.Invalid, "依据没有登记")
		m := original(b.ID)
		must(t, w.Cases.Propose(ctx, w.Matters, m))
		refusal(t, w.Cases.Decide(ctx, w.Matters, "M99", 1, true, ""), elicense.Forbidden, "电子政务管理部门")
		must(t, w.Cases.Decide(ctx, w.Admin, "M99", 1, true, ""))

		must(t, w.Cases.RepealBasis(ctx, w.Admin, b.ID, "2026-03-10"))
		tasks, err := w.Cases.Tasks(ctx, world.Office)
		if err != nil || len(tasks) != 1 || tasks[0].Matter != "M99" {
			t.Fatalf("tasks %v, %v", tasks, err)
		}
		told, err := notice.NewBox(w.DB).List(ctx, w.Matters, 10)
		if err != nil || len(told) != 1 || !strings.Contains(told[0].Message(), "试办事项引用的某条例第十条已失效") {
			t.Errorf("told %v, %v", told, err)
		}
		refusal(t, w.Cases.Propose(ctx, w.Matters, original(b.ID)), elicense.Invalid, "不在施行中")
		must(t, w.Cases.Propose(ctx, w.Matters, matter(func(*cases.Matter) {})))
		must(t, w.Cases.Decide(ctx, w.Admin, "M99", 2, true, ""))
		if tasks, err = w.Cases.Tasks(ctx, world.Office); err != nil || len(tasks) != 0 {
			t.Errorf("tasks after the new version: %v, %v", tasks, err)
		}
		w.Fsck(t)
	})
}

func TestAMatterIsCheckedInForm(t *testing.T) {
	one(t, func(t *testing.T, w *world.World) {
		for _, tc := range []struct {
			says   string
			change func(*cases.Matter)
		}{
			{"就要开通网上申请", func(m *cases.Matter) { m.Online = false }},
			{"材料清单是空的", func(m *cases.Matter) { m.Materials = nil }},
			{"列了两次", func(m *cases.Matter) { m.Materials[1].Name = m.Materials[0].Name }},
			{"没有登记发布", func(m *cases.Matter) { m.Materials[0].Types[0] = "11350102FJDEM0275F999" }},
			{"有的不是食品经营许可证的字段", func(m *cases.Matter) { m.Materials[0].Fields[world.Type] = []string{"photo"} }},
			{"要写明需要", func(m *cases.Matter) { m.Materials[0].Fields = nil }},
			{"有的情形不在清单里", func(m *cases.Matter) { m.Materials[1].When = []string{"!rich"} }},
			{"要写明由哪类证照满足", func(m *cases.Matter) { m.Materials[0].Types, m.Materials[0].Fields = nil, nil }},
			{"事项编码应为12位", func(m *cases.Matter) { m.Item = "123" }},
			{"证照受限时的处理", func(m *cases.Matter) { m.Effects = map[string]cases.Effect{"pledge": "maybe"} }},
			{"事项代码只用", func(m *cases.Matter) { m.Code = "m 99" }},
		} {
			refusal(t, w.Cases.Propose(t.Context(), w.Matters, matter(tc.change)), elicense.Invalid, tc.says)
		}
		for code, ok := range map[string]bool{
			"370117002011": true, "11370800MB285591843370117002011": true, "1131000068735121X0231010032700001": true,
			"11350128345071904JXK000018": true, "11350102FJDEM0275F4350131001000": true, "11350102FJDEM0275F435013100100001": true,
			"11350102FJDEM0275FXK000018": true, "11350102FJDEM0275G4350131001000": false, "12345678901": false,
		} {
			if err := cases.CheckItem(code); (err == nil) != ok {
				t.Errorf("%s: %v", code, err)
			}
		}
	})
}

// TestACaseKeepsTheListItWasOpenedUnder: a new version of the list changes no
// open case.
func TestACaseKeepsTheListItWasOpenedUnder(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		k := w.OpenCase(t)
		m := matter(func(m *cases.Matter) {
			m.Code, m.Name, m.Materials = world.Matter, "烟草专卖零售许可（新）", m.Materials[1:]
		})
		must(t, w.Cases.Propose(ctx, w.Matters, m))
		refusal(t, w.Cases.Propose(ctx, w.Matters, m), elicense.Conflict, "已有一个版本在待审")
		must(t, w.Cases.Decide(ctx, w.Admin, world.Matter, 2, true, ""))
		_, old, err := w.Cases.Get(ctx, w.Window, k.ID)
		must(t, err)
		now, err := w.Cases.Matter(ctx, world.Matter)
		must(t, err)
		if old.Version != 1 || len(old.Types()) != 1 || now.Version != 2 || len(now.Types()) != 0 {
			t.Errorf("the case's list %d %v, in force %d %v", old.Version, old.Types(), now.Version, now.Types())
		}
		list, err := w.Cases.MatterVersions(ctx, world.Matter)
		if err != nil || len(list) != 2 || list[0].State != cases.Published || list[1].State != cases.Replaced {
			t.Errorf("versions %v, %v", list, err)
		}
		w.Fsck(t)
	})
}

func TestFactsDecideWhatIsAsked(t *testing.T) {
	for _, tc := range []struct {
		when  []string
		facts []cases.Condition
		asked bool
	}{
		{nil, nil, true},
		{[]string{"married"}, nil, false},
		{[]string{"married"}, []cases.Condition{cases.Married}, true},
		{[]string{"married", "minor"}, []cases.Condition{cases.Married}, false},
		{[]string{"!rented"}, nil, true},
		{[]string{"!rented"}, []cases.Condition{cases.Rented}, false},
	} {
		m := cases.Material{When: tc.when}
		if got := m.Asked(tc.facts); got != tc.asked {
			t.Errorf("%v with %v: %t", tc.when, tc.facts, got)
		}
	}
	for _, c := range cases.Conditions() {
		if c.Chinese() == "" {
			t.Errorf("%s has no word", c)
		}
	}
}

// TestOverlaysStopWhatTheyAreFor: a court's seal stops a transfer and not an
// enrolment at school.
func TestOverlaysStopWhatTheyAreFor(t *testing.T) {
	transfer := &cases.Matter{Effects: map[string]cases.Effect{"seal-up": cases.Block}}
	school := &cases.Matter{Effects: map[string]cases.Effect{"seal-up": cases.Ignore, "pledge": cases.Ignore}}
	for _, tc := range []struct {
		m    *cases.Matter
		o    elicense.Overlays
		want cases.Effect
		word string
	}{
		{transfer, 0, cases.Ignore, ""},
		{transfer, elicense.Pledged, cases.Warn, "已质押"},
		{transfer, elicense.SealedUp | elicense.Pledged, cases.Block, "已查封"},
		{school, elicense.SealedUp | elicense.Pledged, cases.Ignore, ""},
		{school, elicense.SealedUp | elicense.Disputed, cases.Warn, "有异议"},
	} {
		if e, word := tc.m.EffectOf(tc.o); e != tc.want || word != tc.word {
			t.Errorf("%v: %s %q, want %s %q", tc.o, e, word, tc.want, tc.word)
		}
	}
}

func TestTheWordsOfCases(t *testing.T) {
	for _, m := range allMoves {
		if m.Chinese() == "" {
			t.Errorf("%s has no word", m)
		}
	}
	if !slices.Contains(cases.PaperReasons(), cases.PaperWish) || len(cases.PaperReasons()) != 5 {
		t.Error("the reasons for paper are five")
	}
}
