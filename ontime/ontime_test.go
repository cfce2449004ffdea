package ontime_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"elicense"
	"elicense/calendar"
	"elicense/cases"
	"elicense/catalog"
	"elicense/e2e/world"
	"elicense/issuance"
	"elicense/notice"
	"elicense/ontime"
	"elicense/store"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantKind(t *testing.T, err error, kind elicense.Kind, text string) {
	t.Helper()
	var e *elicense.Error
	if !errors.As(err, &e) || e.Kind != kind || !strings.Contains(e.Message(), text) {
		t.Errorf("got %v, want %s with %q", err, kind, text)
	}
}

// supervisor is an officer of the administration, who may excuse.
func supervisor(w *world.World) *elicense.Actor { return w.Admin }

func today(w *world.World) elicense.Date { return elicense.DateOf(w.Clock.Now()) }

func closed(w *world.World, numbers ...string) (list []ontime.Report) {
	for _, n := range numbers {
		list = append(list, ontime.Report{Case: "许可" + n, Type: world.Type, Closed: w.Clock.Now()})
	}
	return list
}

func report(t testing.TB, w *world.World, list []ontime.Report) *ontime.Receipt {
	t.Helper()
	r, err := w.OnTime.Report(t.Context(), w.Drafter, list)
	must(t, err)
	return r
}

func missing(t testing.TB, w *world.World) (numbers []string) {
	t.Helper()
	list, _, err := w.OnTime.Missing(t.Context(), w.Drafter, world.Issuer, ontime.Page{}, 100)
	must(t, err)
	for _, r := range list {
		numbers = append(numbers, r.Case)
	}
	slices.Sort(numbers) // those closed at one moment come in any order
	return numbers
}

func figures(t testing.TB, w *world.World) *ontime.Figures {
	t.Helper()
	f, err := w.OnTime.Figures(t.Context(), supervisor(w), "", "2017-07-08", today(w))
	must(t, err)
	return f
}

// TestTenCasesAndEightLicensesNameTheTwo (Art. 7): what was closed and has no license
// is named, with its owner, its age and its term, and closes itself.
func TestTenCasesAndEightLicensesNameTheTwo(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		var numbers []string
		for i := range 10 {
			numbers = append(numbers, fmt.Sprint(i))
		}
		if r := report(t, w, closed(w, numbers...)); r.Taken != 10 || len(r.Bad) > 0 {
			t.Fatalf("%+v", r)
		}
		for _, n := range []string{"0", "1", "2", "4", "5", "6", "8", "9"} {
			w.Publish(t, w.Completion(n))
		}
		if got := missing(t, w); !slices.Equal(got, []string{"许可3", "许可7"}) {
			t.Fatalf("missing: %v", got)
		}
		list, _, err := w.OnTime.Missing(t.Context(), w.Reviewer, world.Issuer, ontime.Page{}, 100)
		must(t, err)
		for _, r := range list {
			if r.State() != ontime.Missing || r.OwnerName == "" || !r.Due.Equal(today(w).End()) || r.Late(w.Clock.Now()) {
				t.Errorf("%+v", r)
			}
		}
		if f := figures(t, w); f.All.OnTime != 8 || f.All.Running != 2 || f.All.Late != 0 || f.All.Rate() != 100 {
			t.Errorf("before the end of the day: %+v", f.All)
		}
		w.Clock.Move(24 * time.Hour)
		if f := figures(t, w); f.All.OnTime != 8 || f.All.Late != 2 || f.All.Missing != 2 || f.All.Rate() != 80 {
			t.Errorf("a day later: %+v", f.All)
		}
		// Made late, they close themselves and stay late.
		three := w.Completion("3")
		three.Closed = list[0].Closed
		w.Publish(t, three)
		if got := missing(t, w); !slices.Equal(got, []string{"许可7"}) {
			t.Errorf("missing: %v", got)
		}
		if f := figures(t, w); f.All.Late != 2 || f.All.Missing != 1 {
			t.Errorf("one made late: %+v", f.All)
		}
		late, _, err := w.OnTime.LateList(t.Context(), supervisor(w), ontime.Which{From: "2017-07-08", To: today(w)}, ontime.Page{}, 10)
		must(t, err)
		slices.SortFunc(late, func(a, b *ontime.Overdue) int { return strings.Compare(a.Case, b.Case) })
		if len(late) != 2 || late[0].Case != "许可3" || late[0].Published.IsZero() || late[1].Case != "许可7" || late[1].Kind != ontime.OfResult {
			t.Errorf("late: %+v", late)
		}
		w.Fsck(t)
	})
}

func TestAResultReportedAgainIsWhatItWas(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		list := closed(w, "1", "2")
		report(t, w, list)
		if r := report(t, w, list); r.Taken != 0 || r.Repeated != 2 {
			t.Errorf("%+v", r)
		}
		list[0].Closed = list[0].Closed.Add(-time.Hour)
		if r := report(t, w, list); len(r.Bad) != 1 || r.Bad[0].Field != "case" || r.Bad[0].Line != 1 || r.Repeated != 1 {
			t.Errorf("another time of closing: %+v", r)
		}
		// Also after the keys of the index have changed, and a license made under the
		// new key meets what was reported under the old.
		must(t, w.DB.RotateKeys(t.Context()))
		if r := report(t, w, list[1:]); r.Repeated != 1 {
			t.Errorf("after the keys changed: %+v", r)
		}
		w.Publish(t, w.Completion("2"))
		if got := missing(t, w); !slices.Equal(got, []string{"许可1"}) {
			t.Errorf("missing: %v", got)
		}
		w.Fsck(t)
	})
}

func TestBadReportsAreNamedAndGoodOnesStand(t *testing.T) {
	w := world.OnSQLite(t)
	good := closed(w, "1")[0]
	for field, change := range map[string]func(*ontime.Report){
		"case":   func(r *ontime.Report) { r.Case = " " },
		"type":   func(r *ontime.Report) { r.Type = "11350102FJDEM0275F999" },
		"closed": func(r *ontime.Report) { r.Closed = w.Clock.Now().Add(time.Hour) },
		"mode":   func(r *ontime.Report) { r.Mode = catalog.Bulk },
		"holder": func(r *ontime.Report) { r.Holder = world.Firm; r.Holder.Code = "91350102FJDEM90181" },
		"owner":  func(r *ontime.Report) { r.Owner = "review" },
		"item":   func(r *ontime.Report) { r.Item = strings.Repeat("1", 101) },
		"docNo":  func(r *ontime.Report) { r.DocNo = "a\nb" },
	} {
		bad := good
		bad.Case = "坏" + field
		change(&bad)
		r := report(t, w, []ontime.Report{bad, {Case: "好" + field, Type: "食品经营许可证", Closed: good.Closed}})
		if r.Taken != 1 || len(r.Bad) != 1 || r.Bad[0].Field != field || r.Bad[0].Line != 1 {
			t.Errorf("%s: %+v", field, r)
		}
	}
	old := good
	old.Closed = time.Date(2017, 7, 7, 9, 0, 0, 0, elicense.Shanghai)
	if r := report(t, w, []ontime.Report{old}); len(r.Bad) != 1 || !strings.Contains(r.Bad[0].Text, "存量") {
		t.Errorf("closed before the Measures: %+v", r)
	}
	office := *w.Drafter
	office.Unit = world.Office
	if r, err := w.OnTime.Report(t.Context(), &office, []ontime.Report{good}); err != nil || len(r.Bad) != 1 {
		t.Errorf("a unit that issues nothing: %+v, %v", r, err)
	}
	_, err := w.OnTime.Report(t.Context(), w.Window, []ontime.Report{good})
	wantKind(t, err, elicense.Forbidden, "办结的办件由本单位制证岗位的人员或业务系统报送")
}

// TestALotHasItsFiveDays: as many as make a lot have the term of lots, and a calendar
// that learns of a year counts anew.
func TestALotHasItsFiveDays(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		w.Clock.Move(time.Date(2026, 12, 30, 10, 0, 0, 0, elicense.Shanghai).Sub(w.Clock.Now()))
		var list []ontime.Report
		for i := range issuance.MinLot {
			r := closed(w, fmt.Sprint(i))[0]
			r.Mode = catalog.Bulk
			list = append(list, r)
		}
		if r := report(t, w, list); r.Taken != issuance.MinLot {
			t.Fatalf("%+v", r)
		}
		first := func() *ontime.Result {
			l, _, err := w.OnTime.Missing(t.Context(), w.Drafter, world.Issuer, ontime.Page{}, 1)
			must(t, err)
			return l[0]
		}
		if r := first(); !r.Due.IsZero() {
			t.Errorf("due %v without the notice of 2027", r.Due)
		}
		if f := figures(t, w); f.All.Unknown != issuance.MinLot || f.All.Counted() != 0 || f.All.Rate() != -1 {
			t.Errorf("%+v", f.All)
		}
		keeper := &calendar.Keeper{DB: w.DB, Guard: w.Guard}
		must(t, keeper.Announce(t.Context(), w.Admin, calendar.Text{Year: "2027", Doc: "国办发明电〔2026〕9号", Holidays: "元旦 2027-01-01 2027-01-03"}))
		want := time.Date(2027, 1, 8, 0, 0, 0, 0, elicense.Shanghai)
		for until := time.Now().Add(time.Minute); !first().Due.Equal(want); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(until) {
				t.Fatalf("due %v, want %v", first().Due, want)
			}
		}
		w.Fsck(t)
	})
}

func TestPagesOfWhatIsMissing(t *testing.T) {
	w := world.OnSQLite(t)
	// Those of cases met wholly by e-licenses come first (Art. 4), on whatever page.
	results := closed(w, "1", "2", "3", "4", "5")
	for n := range results {
		results[n].Closed = results[n].Closed.Add(-time.Duration(10-n) * time.Minute)
		results[n].Wholly = n == 2 || n == 4
	}
	report(t, w, results)
	var all []string
	at := ontime.Page{}
	for range 3 {
		list, next, err := w.OnTime.Missing(t.Context(), w.Drafter, world.Issuer, at, 2)
		must(t, err)
		for _, r := range list {
			all = append(all, r.Case)
		}
		if at = ontime.ParsePage(next.String()); at.ID == "" {
			break
		}
	}
	if !slices.Equal(all, []string{"许可3", "许可5", "许可1", "许可2", "许可4"}) {
		t.Errorf("%v", all)
	}
}

// TestOneHandsOnAndTwoSayThatNoLicenseComes (Art. 2, 7).
func TestOneHandsOnAndTwoSayThatNoLicenseComes(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		secret := closed(w, "1")[0]
		secret.Holder = world.Firm
		report(t, w, []ontime.Report{secret, closed(w, "2")[0]})
		list, _, err := w.OnTime.Missing(ctx, w.Drafter, world.Issuer, ontime.Page{}, 10)
		must(t, err)
		id := list[0].ID
		if list[0].Case != "许可1" {
			id = list[1].ID
		}
		must(t, w.OnTime.Hand(ctx, w.Reviewer, id, w.Both.Account))
		if r, err := w.OnTime.Get(ctx, w.Reviewer, id); err != nil || r.Owner != w.Both.Account {
			t.Errorf("%+v, %v", r, err)
		}
		if told, err := notice.NewBox(w.DB).List(ctx, w.Both, 10); err != nil || len(told) == 0 || told[0].Kind != "license-due" {
			t.Errorf("told: %v, %v", told, err)
		}
		wantKind(t, w.OnTime.Hand(ctx, w.Reviewer, id, w.Window.Account), elicense.Invalid, "只能转给本单位制证岗位的人员")
		wantKind(t, w.OnTime.Refuse(ctx, w.Drafter, id, "because", "x"), elicense.Invalid, "要选择不生成的理由")
		wantKind(t, w.OnTime.Refuse(ctx, w.Drafter, id, ontime.StateSecret, " "), elicense.Invalid, "要写明依据")
		wantKind(t, w.OnTime.Confirm(ctx, w.Reviewer, id, true), elicense.Conflict, "没有人提出")
		must(t, w.OnTime.Refuse(ctx, w.Drafter, id, ontime.StateSecret, "闽密定〔2026〕1号"))
		// One person's word is not enough, whatever account he uses; until then it counts.
		wantKind(t, w.OnTime.Confirm(ctx, w.Both, id, true), elicense.Forbidden, "提出不生成和确认不能是同一个人")
		w.Clock.Move(24 * time.Hour)
		if f := figures(t, w); f.All.Late != 2 || len(f.Apart.None) != 0 {
			t.Errorf("before it is confirmed: %+v, %v", f.All, f.Apart)
		}
		must(t, w.OnTime.Confirm(ctx, w.Reviewer, id, true))
		r, err := w.OnTime.Get(ctx, w.Reviewer, id)
		must(t, err)
		if r.State() != ontime.None || r.Holder != (elicense.HolderRef{}) || r.Remark == "" {
			t.Errorf("of what is secret nothing of the holder is kept: %+v", r)
		}
		if f := figures(t, w); f.All.Late != 1 || f.Apart.None[ontime.StateSecret] != 1 {
			t.Errorf("after: %+v, %v", f.All, f.Apart)
		}
		if got := missing(t, w); !slices.Equal(got, []string{"许可2"}) {
			t.Errorf("missing: %v", got)
		}
		wantKind(t, w.OnTime.Hand(ctx, w.Reviewer, id, w.Both.Account), elicense.Conflict, "已经确认")
		w.Fsck(t)
	})
}

// TestACaseOfThePlatformIsDueUnreported: a case closed at a window is known without
// anybody reporting it, and the unit's own system may report it again.
func TestACaseOfThePlatformIsDueUnreported(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		must(t, w.Cases.Install(ctx, []*cases.Matter{{
			Code: "M06", Name: "食品经营许可", Unit: world.Issuer, Days: 10, Online: true, Result: world.Type,
			Materials: []cases.Material{{Name: "申请书", Way: cases.Form}},
		}}))
		clerk := *w.Window
		clerk.Unit = world.Issuer
		start := func(number string) *cases.Case {
			k, err := w.Cases.Start(ctx, &clerk, cases.NewCase{Number: number, Matter: "M06", Parties: []cases.Party{{Role: "申请人", Ref: world.Firm, Proof: cases.ProofLicense}}})
			must(t, err)
			return k
		}
		granted, refused := start("许可1"), start("许可2")
		for k, yes := range map[*cases.Case]bool{granted: true, refused: false} {
			_, err := w.Cases.Do(ctx, &clerk, k.ID, cases.Accept, cases.Doing{})
			must(t, err)
			_, err = w.Cases.Do(ctx, &clerk, k.ID, cases.Decide, cases.Doing{Granted: yes, DocNo: "鼓市监准〔2026〕1号", Reason: "依法"})
			must(t, err)
			must(t, w.Cases.Close(ctx, &clerk, k.ID))
		}
		for until := time.Now().Add(time.Minute); len(missing(t, w)) == 0 && time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		}
		list, _, err := w.OnTime.Missing(ctx, w.Drafter, world.Issuer, ontime.Page{}, 10)
		must(t, err)
		if len(list) != 1 || list[0].Case != "许可1" || list[0].Office != granted.ID || list[0].Holder.Code != world.Firm.Code || list[0].DocNo == "" || list[0].Source != ontime.ByOffice {
			t.Fatalf("%+v", list)
		}
		if r := report(t, w, closed(w, "1")); r.Repeated != 1 {
			t.Errorf("%+v", r)
		}
		w.Publish(t, w.Completion("1"))
		if got := missing(t, w); len(got) != 0 {
			t.Errorf("missing: %v", got)
		}
		w.Fsck(t)
	})
}

// TestWhatIsExcusedStaysLate (Art. 19).
func TestWhatIsExcusedStaysLate(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		report(t, w, closed(w, "1", "2"))
		at := w.Clock.Now()
		on := w.Publish(t, w.Completion("2"))
		w.Clock.Move(48 * time.Hour)
		late := w.Completion("3")
		late.Closed = at
		d := w.Publish(t, late)
		list, _, err := w.OnTime.Missing(ctx, w.Drafter, world.Issuer, ontime.Page{}, 10)
		must(t, err)
		x := ontime.Excusing{Kind: ontime.OfDraft, Subject: string(d.ID), Ground: ontime.Outage, Reason: "审批系统停机"}
		_, err = w.OnTime.Excuse(ctx, supervisor(w), x)
		wantKind(t, err, elicense.Invalid, "系统故障要写证明的编号")
		x.Doc = "工单20260310-7"
		_, err = w.OnTime.Excuse(ctx, w.Reviewer, x)
		wantKind(t, err, elicense.Forbidden, "豁免由电子政务管理部门或监督机构的人员记录")
		own := *supervisor(w)
		own.Unit = world.Issuer
		_, err = w.OnTime.Excuse(ctx, &own, x)
		wantKind(t, err, elicense.Forbidden, "签发单位不能豁免自己")
		_, err = w.OnTime.Excuse(ctx, supervisor(w), ontime.Excusing{Kind: ontime.OfDraft, Subject: string(on.ID), Ground: ontime.OtherExcuse, Doc: "1", Reason: "x"})
		wantKind(t, err, elicense.Conflict, "没有迟")
		_, err = w.OnTime.Excuse(ctx, supervisor(w), ontime.Excusing{Kind: ontime.OfDraft, Subject: "0", Ground: ontime.OtherExcuse, Doc: "1", Reason: "x"})
		wantKind(t, err, elicense.NotFound, "没有这份")
		e, err := w.OnTime.Excuse(ctx, supervisor(w), x)
		must(t, err)
		_, err = w.OnTime.Excuse(ctx, supervisor(w), x)
		wantKind(t, err, elicense.Conflict, "已经记录过")
		if f := figures(t, w); f.All.OnTime != 1 || f.All.Late != 2 || f.All.Excused != 1 || f.All.Rate() != 33 || f.All.RateExcused() != 66 {
			t.Errorf("%+v", f.All)
		}
		// Excused while nobody had made it, it is excused when it is made.
		_, err = w.OnTime.Excuse(ctx, supervisor(w), ontime.Excusing{Kind: ontime.OfResult, Subject: list[0].ID, Ground: ontime.ForceMajeure, Doc: "榕防指〔2026〕7号", Reason: "台风"})
		must(t, err)
		if f := figures(t, w); f.All.Missing != 1 || f.All.Excused != 2 {
			t.Errorf("%+v", f.All)
		}
		first := w.Completion("1")
		first.Closed = at
		w.Publish(t, first)
		if f := figures(t, w); f.All.Missing != 0 || f.All.Late != 2 || f.All.Excused != 2 {
			t.Errorf("%+v", f.All)
		}
		wantKind(t, w.OnTime.Lift(ctx, supervisor(w), e.ID, ""), elicense.Invalid, "要写撤销豁免的理由")
		must(t, w.OnTime.Lift(ctx, supervisor(w), e.ID, "证明是别的系统的"))
		wantKind(t, w.OnTime.Lift(ctx, supervisor(w), e.ID, "再来"), elicense.Conflict, "已经撤销")
		if f := figures(t, w); f.All.Excused != 1 {
			t.Errorf("%+v", f.All)
		}
		o, err := w.OnTime.Overdue(ctx, w.Reviewer, ontime.OfDraft, string(d.ID))
		must(t, err)
		if len(o.Excuses) != 1 || o.Excused() != nil || o.By(w.Clock.Now()) < 24*time.Hour || o.By(w.Clock.Now()) > 48*time.Hour {
			t.Errorf("%+v", o)
		}
		w.Fsck(t)
	})
}

// TestFiguresGoByWayUnitAndType: late ones made good later are late whatever their
// term, stock has none, and a lot is excused as one.
func TestFiguresGoByWayUnitAndType(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		at := w.Clock.Now()
		w.Publish(t, w.Completion("1"))
		l := w.ReadLot(t, "F", issuance.MinLot)
		// The lot's term passes while it waits.
		w.Clock.Move(14 * 24 * time.Hour)
		late := w.Completion("2")
		late.Closed = at
		w.Publish(t, late)
		// The late list of what is made late for paper has it on the day it was entered.
		onPaper(t, w, issuance.Stock, "JY旧1", "2017-06-01")
		catchUp := onPaper(t, w, issuance.Late, "JY旧2", "2020-03-02")
		f := figures(t, w)
		want := map[string]ontime.Count{
			"online": {OnTime: 1, Late: 1, Prompt: 1, PromptOf: 2}, "bulk": {Late: issuance.MinLot}, "late": {Late: 1},
		}
		for _, g := range f.Ways {
			if g.Count != want[g.Key] {
				t.Errorf("%s: %+v, want %+v", g.Key, g.Count, want[g.Key])
			}
			delete(want, g.Key)
		}
		if len(want) > 0 || f.Apart.Stock != 1 || len(f.Units) != 1 || len(f.Types) != 1 || f.Units[0].Count != f.All || f.Types[0].Count != f.All {
			t.Errorf("missing %v, %+v", want, f)
		}
		for way, n := range map[ontime.Way]int{ontime.Online: 1, ontime.Bulk: issuance.MinLot, ontime.Late: 1, ontime.Offline: 0, "": issuance.MinLot + 2} {
			list, _, err := w.OnTime.LateList(ctx, supervisor(w), ontime.Which{Unit: world.Issuer, Type: world.Type, Way: way, From: "2026-01-01", To: today(w)}, ontime.Page{}, 100)
			must(t, err)
			if len(list) != n {
				t.Errorf("%q: %d late, want %d", way, len(list), n)
			}
			if way == ontime.Late && list[0].ID != string(catchUp) {
				t.Errorf("made late: %+v", list[0])
			}
		}
		_, err := w.OnTime.Excuse(ctx, supervisor(w), ontime.Excusing{Kind: ontime.OfLot, Subject: l.ID, Ground: ontime.Outage, Doc: "公告1", Reason: "签章服务停机"})
		must(t, err)
		if f := figures(t, w); f.All.Excused != issuance.MinLot {
			t.Errorf("%+v", f.All)
		}
		if f, err := w.OnTime.Figures(ctx, w.Reviewer, world.Issuer, "2026-01-01", today(w)); err != nil || f.All.Late != issuance.MinLot+2 {
			t.Errorf("%+v, %v", f, err)
		}
		_, err = w.OnTime.Figures(ctx, w.Reviewer, "", "2026-01-01", today(w))
		wantKind(t, err, elicense.Forbidden, "只能查看本单位")
		_, err = w.OnTime.Figures(ctx, w.Reviewer, world.Issuer, "2026-02-01", "2026-01-01")
		wantKind(t, err, elicense.Invalid, "结束的日期早于开始的日期")
	})
}

// onPaper makes a license that is on paper: entered twice, reviewed, published.
func onPaper(t *testing.T, w *world.World, origin issuance.Origin, number string, issued elicense.Date) elicense.DraftID {
	t.Helper()
	ctx := t.Context()
	typed := world.OldPaper(number)
	typed.IssuedOn = issued
	if origin == issuance.Late {
		typed.Closed = issued
	}
	e, err := w.Stock.Enter(ctx, w.Drafter, world.Type, origin, typed, "旧证.png", world.Paper)
	must(t, err)
	second := *w.Colleague
	second.Unit, second.Duties = world.Issuer, []elicense.Duty{elicense.DutyDraft}
	e, err = w.Stock.Again(ctx, &second, e.ID, typed)
	must(t, err)
	r, err := w.Issuer.Get(ctx, w.Reviewer, e.Draft)
	must(t, err)
	must(t, w.Issuer.Approve(ctx, w.Reviewer, e.Draft, r.Seq, ""))
	return w.Published(t, e.Draft).ID
}

// TestAUnitSaysHowSoonItMakesLicenses (Art. 7(1), 同步生成).
func TestAUnitSaysHowSoonItMakesLicenses(t *testing.T) {
	w := world.OnSQLite(t)
	ctx := t.Context()
	c := w.Completion("1")
	c.Closed = w.Clock.Now().Add(-8 * time.Minute)
	w.Publish(t, c)
	if f := figures(t, w); f.All.Prompt != 0 || f.All.PromptOf != 1 {
		t.Errorf("%+v", f.All)
	}
	wantKind(t, w.OnTime.Set(ctx, w.Reviewer, 0), elicense.Invalid, "1到60分钟")
	wantKind(t, w.OnTime.Set(ctx, w.Drafter, 10), elicense.Forbidden, "审核岗位的人员设置")
	must(t, w.OnTime.Set(ctx, w.Reviewer, 10))
	s, err := w.OnTime.Setting(ctx, world.Issuer)
	must(t, err)
	if f := figures(t, w); f.All.Prompt != 1 || s.Minutes != 10 || s.Name != w.Reviewer.Name {
		t.Errorf("%+v, %+v", f.All, s)
	}
	w.Fsck(t)
}

// TestMadeAndNotReportedIsTold: the other way about.
func TestMadeAndNotReportedIsTold(t *testing.T) {
	w := world.OnSQLite(t)
	report(t, w, closed(w, "1"))
	w.Publish(t, w.Completion("1"))
	w.Publish(t, w.Completion("2"))
	list, reported, err := w.OnTime.Unreported(t.Context(), w.Reviewer, world.Issuer, today(w), today(w), 10)
	must(t, err)
	if reported != 1 || len(list) != 1 || list[0].Case != "许可2" {
		t.Errorf("%d, %+v", reported, list)
	}
}

func TestATableOfClosedCases(t *testing.T) {
	w := world.OnSQLite(t)
	ctx := t.Context()
	day := today(w)
	text := "办件编号,证照类别,办结时间,持证主体证件类型,持证主体证件号码,持证主体名称,全部用电子证照办成\r\n" +
		"许可1,食品经营许可证," + string(day) + " 09:10,统一社会信用代码," + world.Firm.Code + "," + world.Firm.Name + ",是\r\n" +
		"许可2,没有的证," + string(day) + ",,,,\r\n" +
		"许可3,食品经营许可证,昨天,,,,也许\r\n" +
		"=1+1,食品经营许可证," + string(day) + ",,,,\r\n" +
		"许可5," + string(world.Type) + "," + string(day) + ",,,,\r\n"
	u, err := w.OnTime.ReadFile(ctx, w.Drafter, "今天.csv", strings.NewReader(text))
	must(t, err)
	if u.Good != 2 || u.Bad != 3 {
		t.Fatalf("%+v", u)
	}
	for i, want := range []string{"证照类别：本单位没有登记签发这类证照", "办结时间：不是时间", "办件编号：是公式"} {
		var got []string
		for _, f := range u.Rows[i].Faults {
			got = append(got, f.String())
		}
		if u.Rows[i].Line != i+3 || !strings.HasPrefix(got[0], want) {
			t.Errorf("line %d: %v, want %q", u.Rows[i].Line, got, want)
		}
	}
	var bad bytes.Buffer
	must(t, w.OnTime.BadRows(ctx, w.Drafter, u.ID, true, &bad))
	lines := strings.Split(strings.TrimSpace(bad.String()), "\r\n")
	if len(lines) != 4 || !strings.HasSuffix(lines[0], "原行号,错误") || !strings.HasPrefix(lines[3], "'=1+1") {
		t.Errorf("%q", lines)
	}
	// Mended, they are read as they came back, the columns of faults left in.
	again := strings.NewReplacer("没有的证", "食品经营许可证", "昨天", string(day), "也许", "否", "'=1+1", "许可4").Replace(bad.String())
	u, err = w.OnTime.ReadFile(ctx, w.Drafter, "更正.csv", strings.NewReader(again))
	must(t, err)
	if u.Good != 3 || u.Bad != 0 {
		t.Errorf("%+v", u)
	}
	// The workbook of the same rows, and the template.
	var book bytes.Buffer
	must(t, w.OnTime.Template(ctx, w.Drafter, &book))
	_, err = w.OnTime.ReadFile(ctx, w.Drafter, "空.xlsx", bytes.NewReader(book.Bytes()))
	wantKind(t, err, elicense.Invalid, "表里没有办结的行")
	_, err = w.OnTime.ReadFile(ctx, w.Drafter, "别的.csv", strings.NewReader("姓名,电话\r\n甲,1\r\n"))
	wantKind(t, err, elicense.Invalid, "第1列“姓名”不是模板里的列")
	_, err = w.OnTime.ReadFile(ctx, w.Drafter, "半张.csv", strings.NewReader("办件编号,证照类别\r\n甲,乙\r\n"))
	wantKind(t, err, elicense.Invalid, "缺少“办结时间”这一列")
	_, err = w.OnTime.ReadFile(ctx, w.Window, "今天.csv", strings.NewReader(text))
	wantKind(t, err, elicense.Forbidden, "不能报送")
	list, err := w.OnTime.Uploads(ctx, w.Reviewer, 10)
	must(t, err)
	if len(list) != 2 || list[0].Name != "更正.csv" {
		t.Errorf("%+v", list)
	}
	r, _, err := w.OnTime.Missing(ctx, w.Reviewer, world.Issuer, ontime.Page{}, 10)
	must(t, err)
	for _, x := range r {
		if x.Owner != w.Drafter.Account || x.Case == "许可1" && (!x.Wholly || x.Holder != world.Firm) {
			t.Errorf("%+v", x)
		}
	}
	w.Fsck(t)
}

// TestWorkIsOrderedByTermAndECasesFirst (Art. 4, 7).
func TestWorkIsOrderedByTermAndECasesFirst(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		draft := func(number string, at time.Time) *issuance.Draft {
			c := w.Completion(number)
			c.Closed = at
			d, err := w.Issuer.Complete(ctx, w.Drafter, c)
			must(t, err)
			return d
		}
		yesterday := w.Clock.Now()
		draft("1", yesterday)
		w.Clock.Move(24 * time.Hour)
		now := w.Clock.Now()
		draft("2", now)
		draft("3", now)
		wholly := closed(w, "3", "4")
		wholly[0].Wholly = true
		report(t, w, wholly)
		back := draft("5", now)
		must(t, w.Issuer.Return(ctx, w.Reviewer, back.ID, back.Seq, "请核对"))
		broken := w.Completion("6")
		broken.Fields["license_no"] = ""
		_, err := w.Issuer.Complete(ctx, w.Drafter, broken)
		must(t, err)
		w.ReadLot(t, "W", 1)
		w.Registry.Answer(issuance.Unavailable)
		draft("7", now)
		w.Registry.Answer(issuance.Match)

		work, err := w.OnTime.Work(ctx, w.Reviewer, 50)
		must(t, err)
		var order []string
		for _, x := range work.Review.Shown {
			order = append(order, x.Case)
		}
		slices.Sort(order[2:]) // due alike
		if !slices.Equal(order, []string{"许可1", "许可3", "许可2", "许可7"}) || work.Review.Shown[0].Color != ontime.Red || !work.Review.Shown[1].Wholly {
			t.Errorf("to review: %v", order)
		}
		if work.Returned.N != 1 || work.Mend.N != 1 || work.Mend.Shown[0].Case != "许可6" || len(work.Lots) != 1 || work.MissingN != 1 || work.Missing[0].Case != "许可4" {
			t.Errorf("%+v", work)
		}
		if len(work.Comparing) != 1 || work.Comparing[0].Case != "许可7" {
			t.Errorf("waiting for comparison: %+v", work.Comparing)
		}
		if work.Colors[ontime.Red] != 1 || work.Colors[ontime.Amber] != 6 || work.Colors[ontime.Green] != 1 {
			t.Errorf("%v", work.Colors)
		}
		_, err = w.OnTime.Work(ctx, w.Window, 50)
		wantKind(t, err, elicense.Forbidden, "只供办结单位")
	})
}

// TestOfWhatIsMadeTheSweepLooksNoMore: what is awaited is found without looking at
// what was made long ago, and a result nobody awaits is missed by fsck.
func TestOfWhatIsMadeTheSweepLooksNoMore(t *testing.T) {
	w := world.OnSQLite(t)
	report(t, w, closed(w, "1", "2"))
	w.Publish(t, w.Completion("1"))
	awaited := func() (n int) {
		must(t, w.DB.View(t.Context(), func(tx *store.Tx) error { return tx.Row(`SELECT COUNT(*) FROM case_result WHERE awaited`).Scan(&n) }))
		return n
	}
	for until := time.Now().Add(time.Minute); awaited() != 1; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("%d awaited", awaited())
		}
		w.Clock.Move(10 * time.Minute)
	}
	w.Fsck(t)
	must(t, w.DB.Update(t.Context(), func(tx *store.Tx) error {
		_, err := tx.Exec(`UPDATE case_result SET awaited = FALSE`)
		return err
	}))
	if len(w.Findings(t)) == 0 {
		t.Error("a result was hidden behind the platform's back, and fsck is silent")
	}
}
