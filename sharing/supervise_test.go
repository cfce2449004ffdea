package sharing_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"elicense"
	"elicense/access"
	"elicense/cases"
	"elicense/e2e/world"
	"elicense/notice"
	"elicense/org"
	"elicense/sharing"
	"elicense/store"
)

// officers are two persons of one body who may ask by law.
func officers(t *testing.T, w *world.World) (first, second *elicense.Actor) {
	t.Helper()
	ctx := t.Context()
	id := func(code, name string) elicense.HolderRef {
		return elicense.HolderRef{CodeType: elicense.CodeCitizen, Code: code, Name: name}
	}
	must(t, w.Org.Enroll(ctx, []org.Staff{
		{Login: "o1", Secret: world.Password, Kind: elicense.Staff, Unit: world.Issuer, Name: "高调取", Person: id("110105194912310011", "高调取"), Duties: []elicense.Duty{elicense.DutyDisclose}},
		{Login: "o2", Secret: world.Password, Kind: elicense.Staff, Unit: world.Issuer, Name: "魏复核", Person: id("350100199209110021", "魏复核"), Duties: []elicense.Duty{elicense.DutyDisclose}},
	}))
	var err error
	first, err = w.Org.ActorByLogin(ctx, "o1", "test")
	must(t, err)
	second, err = w.Org.ActorByLogin(ctx, "o2", "test")
	must(t, err)
	return first, second
}

// TestDisclosureByTwoOfficers (Art. 18(1)): a document, an article, two persons,
// exactly the fields, for a day, and the holder is told, at once or when the law
// lets him be.
func TestDisclosureByTwoOfficers(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		lic := w.Publish(t, w.Completion("1"))
		one, two := officers(t, w)
		ask := sharing.Disclosure{Type: world.Type, Holder: world.Firm, DocNo: "鼓公调〔2026〕1号", Basis: "刑事诉讼法第五十四条", Fields: []string{"license_no", "legal_rep"}, Number: "JY1"}
		bad := func(field, text string, change func(*sharing.Disclosure)) {
			t.Helper()
			d := ask
			change(&d)
			_, err := w.Sharing.ProposeDisclosure(ctx, one, d)
			if e := says(t, err, elicense.Invalid, text); e.Field != field {
				t.Errorf("%s: at %s", text, e.Field)
			}
		}
		bad("docNo", "文号", func(d *sharing.Disclosure) { d.DocNo = " " })
		bad("basis", "条款", func(d *sharing.Disclosure) { d.Basis = "" })
		bad("number", "哪一份", func(d *sharing.Disclosure) { d.Number = "" })
		bad("number", "不是全部", func(d *sharing.Disclosure) { d.All = true })
		bad("fields", "逐项", func(d *sharing.Disclosure) { d.Fields = nil })
		bad("fields", "有的不是", func(d *sharing.Disclosure) { d.Fields = []string{"photo"} })
		bad("tellBasis", "要写明法律依据", func(d *sharing.Disclosure) { d.TellFrom = "2026-05-01" })
		bad("tellFrom", "从哪天起告知", func(d *sharing.Disclosure) { d.TellBasis = "某法" })
		bad("tellFrom", "一年以内", func(d *sharing.Disclosure) { d.TellFrom, d.TellBasis = "2028-05-01", "某法" })
		_, err := w.Sharing.ProposeDisclosure(ctx, w.Window, ask)
		says(t, err, elicense.Forbidden, "由有关机关指定的两名人员")

		id, err := w.Sharing.ProposeDisclosure(ctx, one, ask)
		must(t, err)
		_, err = w.Sharing.ReadDisclosure(ctx, one, id)
		says(t, err, elicense.Forbidden, "没有经第二人同意")
		says(t, w.Sharing.DecideDisclosure(ctx, one, id, true), elicense.Forbidden, "另一个人")
		must(t, w.Sharing.DecideDisclosure(ctx, two, id, true))
		says(t, w.Sharing.DecideDisclosure(ctx, two, id, true), elicense.Conflict, "已经办过")
		list, err := w.Sharing.ReadDisclosure(ctx, one, id)
		must(t, err)
		if r := list[0]; len(list) != 1 || len(r.Fields) != 2 || r.Fields["legal_rep"] != "陈示例" || !strings.Contains(r.Watermark, "鼓公调〔2026〕1号") {
			t.Errorf("%+v", list)
		}
		_, err = w.Sharing.ReadDisclosure(ctx, w.Drafter, id)
		says(t, err, elicense.Forbidden, "只有办理这次调取的两名人员")
		told := func() (n int) {
			list, err := notice.NewBox(w.DB).List(ctx, w.Holder, 50)
			must(t, err)
			for _, x := range list {
				if x.Kind == "disclosed" {
					n++
				}
			}
			return n
		}
		until(t, func() bool { return told() == 1 })
		w.Clock.Move(25 * time.Hour)
		_, err = w.Sharing.ReadDisclosure(ctx, one, id)
		says(t, err, elicense.Forbidden, "满24小时")

		// Not before the law lets him be told.
		later := ask
		later.TellFrom, later.TellBasis = "2026-03-20", "反电信网络诈骗法"
		id, err = w.Sharing.ProposeDisclosure(ctx, one, later)
		must(t, err)
		must(t, w.Sharing.DecideDisclosure(ctx, two, id, true))
		if told() != 1 {
			t.Error("told too early")
		}
		_, err = w.Sharing.ReadDisclosure(ctx, one, id)
		must(t, err)
		shown := func() (n int) {
			list, err := w.Sharing.Uses(ctx, w.Holder, lic.License, 10)
			must(t, err)
			for _, u := range list {
				if !u.Refused {
					n++
				}
			}
			return n
		}
		if n := shown(); n != 1 {
			t.Errorf("%d uses are shown before he is told of the second", n)
		}
		w.Clock.Set(elicense.Date("2026-03-20").Start())
		until(t, func() bool { return told() == 2 })
		if n := shown(); n != 2 {
			t.Errorf("%d uses are shown when he was told", n)
		}

		// Of someone who has none the answer is known only to the two.
		nobody := ask
		nobody.Holder = world.Person
		id, err = w.Sharing.ProposeDisclosure(ctx, one, nobody)
		must(t, err)
		must(t, w.Sharing.DecideDisclosure(ctx, two, id, true))
		_, err = w.Sharing.ReadDisclosure(ctx, two, id)
		says(t, err, elicense.NotFound, "没有查到")
		// Its unit sees the act, supervision that there were some, and others neither.
		d, err := w.Sharing.Disclosure(ctx, two, id)
		must(t, err)
		if d.State != "approved" || d.Officers != [2]string{"高调取", "魏复核"} || d.Holder != nobody.Holder || !d.Told.IsZero() || d.ReadUntil().IsZero() {
			t.Errorf("%+v", d)
		}
		_, err = w.Sharing.Disclosure(ctx, w.Window, id)
		says(t, err, elicense.Forbidden, "不是本机关办理的调取")
		figures, err := w.Sharing.DisclosureFigures(ctx, w.Auditor, "2026-03-01", "2026-12-31")
		must(t, err)
		want := sharing.DisclosureFigures{Unit: world.Issuer, UnitName: figures[0].UnitName, Proposed: 3, Approved: 3}
		if len(figures) != 1 || figures[0] != want {
			t.Errorf("%+v, want %+v", figures, want)
		}
		_, err = w.Sharing.DisclosureFigures(ctx, w.Window, "2026-03-01", "2026-12-31")
		says(t, err, elicense.Forbidden, "本单位的用证统计")
		w.Fsck(t)
	})
}

func until(t *testing.T, is func() bool) {
	t.Helper()
	for range 6000 {
		if is() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("it did not come")
}

// TestManyRefusalsAreAnAlarm, once a day and account; they are counted by rule.
func TestManyRefusalsAreAnAlarm(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		k := w.OpenCase(t)
		for range access.AlarmAt + 3 {
			_, err := w.Sharing.Use(ctx, w.Colleague, k.ID, query)
			says(t, err, elicense.Forbidden, "这不是您经办的办件")
		}
		list, err := notice.NewBox(w.DB).List(ctx, w.Auditor, 10)
		if err != nil || len(list) != 1 || !strings.Contains(list[0].Message(), "吴老样在2026-03-10被拒绝20次") {
			t.Errorf("the auditor is told %v, %v", list, err)
		}
		f, err := w.Sharing.Figures(ctx, w.Auditor, "", "2026-03-10", "2026-03-10")
		must(t, err)
		if len(f.Refusals) != 1 || f.Refusals[0].Rule != "use-own-case" || f.Refusals[0].N != access.AlarmAt+3 || f.All.Refused != access.AlarmAt+3 {
			t.Errorf("refusals %+v", f.Refusals)
		}
		day, err := w.Sharing.Day(ctx, w.Colleague, "2026-03-10")
		if err != nil || len(day.Refusals) != access.AlarmAt+3 || day.Refusals[0].Rule != "use-own-case" {
			t.Errorf("his day: %+v, %v", day, err)
		}
	})
}

// TestFiguresAreWhatHappened counts a small day by hand.
func TestFiguresAreWhatHappened(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		serve(t, w, func(m *cases.Matter) { m.Materials = m.Materials[:1] })
		w.Publish(t, w.Completion("1"))
		first, second := open(t, w), open(t, w)
		_, err := w.Sharing.Accept(ctx, w.Cases, w.Window, first.k.ID)
		must(t, err)
		_, err = w.Sharing.Use(ctx, w.Window, second.k.ID, query)
		must(t, err)
		_, err = w.Sharing.Report(ctx, w.Window, second.k.ID, sharing.Report{Kind: sharing.LicenseWrong, Note: "名称不对"})
		must(t, err)
		must(t, w.Sharing.Give(ctx, w.Window, second.k.ID, 0, sharing.Giving{Way: cases.ByPaper, Reason: cases.PaperWrong}))
		online, err := w.Cases.Apply(ctx, w.Holder, cases.NewCase{Matter: service, Parties: []cases.Party{{Ref: world.Firm}}})
		must(t, err)
		must(t, w.Sharing.Give(ctx, w.Holder, online.ID, 0, sharing.Giving{Way: cases.ByLicense}))
		_, err = w.Cases.OwnMove(ctx, w.Holder, online.ID, cases.Send, cases.Doing{})
		must(t, err)
		f, err := w.Sharing.Figures(ctx, w.Auditor, "", "2026-03-01", "2026-03-31")
		must(t, err)
		if len(f.Units) != 1 || f.Units[0].Name != "福州市鼓楼区烟草专卖局" {
			t.Fatalf("%+v", f.Units)
		}
		u := f.Units[0]
		if u.Cases != 3 || u.Online != 1 || u.Could != 3 || u.Met != 2 || u.Paper != 1 || u.Reasons[cases.PaperWrong] != 1 || u.Looks != 1 || u.Tickets != 1 {
			t.Errorf("%+v", u)
		}
		if u.Free() != 67 || u.OnlineShare() != 33 {
			t.Errorf("免提交率 %d, online %d", u.Free(), u.OnlineShare())
		}
		if len(f.Matters) != 1 || f.Matters[0].Clerk != "郑窗口" || f.Matters[0].Matter != service || f.Matters[0].N != 1 {
			t.Errorf("%+v", f.Matters)
		}
		if f, err = w.Sharing.Figures(ctx, w.Auditor, "", "2026-04-01", "2026-04-30"); err != nil || len(f.Units) != 0 || f.All.Free() != -1 {
			t.Errorf("a month without cases: %+v, %v", f, err)
		}
		if _, err := w.Sharing.Figures(ctx, w.Window, world.Office, "2026-03-01", "2026-03-31"); err != nil {
			t.Errorf("a clerk his own unit's: %v", err)
		}
		_, err = w.Sharing.Figures(ctx, w.Window, world.Issuer, "2026-03-01", "2026-03-31")
		says(t, err, elicense.Forbidden, "只能查看本单位")
		_, err = w.Sharing.Figures(ctx, w.Window, "", "2026-03-01", "2026-03-31")
		says(t, err, elicense.Forbidden, "只能查看本单位")
	})
}

// TestADisclosureSaysWhichOfSeveral: of several licenses of a type the document's
// number chooses one, or all are shown, each look on record with its license; from
// when the day of reading is counted is under the row's code, and rows from before it
// was hold.
func TestADisclosureSaysWhichOfSeveral(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		for _, n := range []string{"1", "2", "3"} {
			w.Publish(t, w.Completion(n))
		}
		one, two := officers(t, w)
		ask := sharing.Disclosure{Type: world.Type, Holder: world.Firm, DocNo: "鼓公调〔2026〕2号", Basis: "刑事诉讼法第五十四条", Fields: []string{"license_no"}}
		read := func(number string) (id string, got []string, err error) {
			d := ask
			d.Number, d.All = number, number == ""
			id, err = w.Sharing.ProposeDisclosure(ctx, one, d)
			must(t, err)
			must(t, w.Sharing.DecideDisclosure(ctx, two, id, true))
			list, err := w.Sharing.ReadDisclosure(ctx, one, id)
			seen := map[elicense.RecordID]bool{}
			for _, r := range list {
				got = append(got, r.Fields["license_no"])
				seen[r.Receipt.Record] = true
			}
			if len(seen) != len(list) {
				t.Errorf("%d looks are %d records", len(list), len(seen))
			}
			slices.Sort(got)
			return id, got, err
		}
		if _, got, err := read("JY2"); err != nil || !slices.Equal(got, []string{"JY2"}) {
			t.Errorf("by its number: %v, %v", got, err)
		}
		if _, _, err := read("JY9"); !elicense.IsKind(err, elicense.NotFound) {
			t.Errorf("by a number he has not: %v", err)
		}
		id, got, err := read("")
		if err != nil || !slices.Equal(got, []string{"JY1", "JY2", "JY3"}) {
			t.Errorf("all of them: %v, %v", got, err)
		}
		change := func(query string, args ...any) {
			t.Helper()
			must(t, w.DB.Update(ctx, func(tx *store.Tx) error { _, err := tx.Exec(query, append(args, id)...); return err }))
		}
		change(`UPDATE disclosure SET decided = decided + 86400000000 WHERE id = $1`)
		if _, err := w.Sharing.ReadDisclosure(ctx, one, id); !elicense.IsKind(err, elicense.Unavailable) {
			t.Errorf("its day was made longer: %v", err)
		}
		if f := w.Findings(t); len(f) != 1 {
			t.Errorf("fsck finds %v of 1 changed row", f)
		}
		change(`UPDATE disclosure SET mac_form = 1 WHERE id = $1`)
		if _, err := w.Sharing.ReadDisclosure(ctx, one, id); !elicense.IsKind(err, elicense.Unavailable) {
			t.Errorf("its code is said to be an old one: %v", err)
		}
		change(`UPDATE disclosure SET decided = decided - 86400000000 WHERE id = $1`)
		must(t, w.DB.Update(ctx, func(tx *store.Tx) error { // as it was written before
			var c [8]string
			var b []byte
			err := tx.Row(`SELECT unit, holder_key, license, type, state, first, second, tell_from, content_enc FROM disclosure WHERE id = $1`, id).
				Scan(&c[0], &c[1], &c[2], &c[3], &c[4], &c[5], &c[6], &c[7], &b)
			if err != nil {
				return err
			}
			if b, err = tx.Decrypt("disclosure", id, "content_enc", b); err != nil {
				return err
			}
			parts := make([][]byte, 0, 10)
			for _, x := range c {
				parts = append(parts, []byte(x))
			}
			_, err = tx.Exec(`UPDATE disclosure SET mac = $1 WHERE id = $2`, tx.MAC("disclosure", id, append(parts, []byte("2"), b)...), id)
			return err
		}))
		if list, err := w.Sharing.ReadDisclosure(ctx, one, id); err != nil || len(list) != 3 {
			t.Errorf("a row from before the moments were covered: %d, %v", len(list), err)
		}
	})
}
