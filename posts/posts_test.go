package posts_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"elicense"
	"elicense/e2e/world"
	"elicense/notice"
	"elicense/org"
	"elicense/posts"
)

const (
	province elicense.UnitCode = "11350000FJDEM0021G"
	city     elicense.UnitCode = "11350100FJDEM01874"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func refused(t *testing.T, err error, kind elicense.Kind, says string) {
	t.Helper()
	var e *elicense.Error
	if !errors.As(err, &e) || e.Kind != kind || !strings.Contains(e.Message(), says) {
		t.Errorf("got %v, want %v with %q", err, kind, says)
	}
}

// people are who keeps accounts in these tests.
type people struct {
	*world.World
	Province, City, Own *elicense.Actor // of the administrations of Fujian and Fuzhou, and of the issuing unit
}

func each(t *testing.T, f func(t *testing.T, p people)) {
	world.Each(t, func(t *testing.T, w *world.World) { f(t, peopleOf(t, w)) })
}

func peopleOf(t *testing.T, w *world.World) people {
	t.Helper()
	ctx := t.Context()
	must(t, w.Org.Install(ctx, []org.Unit{{Code: city, Short: "dsj-fz", Name: "福州市大数据发展管理委员会", Region: "350100", RegionName: "福州市", Parent: province, Kind: "egov", Roles: []string{"egov"}}}))
	p := people{World: w}
	for _, x := range []struct {
		who    **elicense.Actor
		login  string
		unit   elicense.UnitCode
		number string
	}{
		{&p.Province, "keeper", province, "350100198506120117"}, {&p.City, "keeper-fz", city, "110105194912310011"}, {&p.Own, "keeper-gl", world.Issuer, "350104198812120043"},
	} {
		who := elicense.HolderRef{CodeType: elicense.CodeCitizen, Code: x.number, Name: "管" + x.login}
		must(t, w.Org.Enroll(ctx, []org.Staff{{Login: x.login, Secret: world.Password, Kind: elicense.Staff, Unit: x.unit, Name: who.Name, Person: who, Duties: []elicense.Duty{elicense.DutyAccounts}}}))
		*x.who = p.now(t, x.login)
	}
	return p
}

// now is who acts through an account as it stands.
func (p people) now(t *testing.T, login string) *elicense.Actor {
	t.Helper()
	a, err := p.Org.ActorByLogin(t.Context(), login, "test")
	must(t, err)
	return a
}

func (p people) told(t *testing.T, login string) string {
	t.Helper()
	list, err := notice.Inbox(t.Context(), p.DB, notice.AccountInbox(p.now(t, login).Account), 10)
	must(t, err)
	var s strings.Builder
	for _, n := range list {
		s.WriteString(n.Message() + "\n")
	}
	return s.String()
}

func newcomer(change func(*posts.Opening)) posts.Opening {
	o := posts.Opening{
		Unit: world.Issuer, Kind: elicense.Staff, Login: "newcomer", Name: "蔡新手", Person: "350102199001010075", Duties: []elicense.Duty{elicense.DutyWindow, elicense.DutyDraft},
	}
	if change != nil {
		change(&o)
	}
	return o
}

// account returns an account as the register of its unit shows it.
func (p people) account(t *testing.T, login string) *org.Account {
	t.Helper()
	units, _, err := p.Posts.Units(t.Context(), p.Province, login, "", posts.MaxFound)
	must(t, err)
	for _, u := range units {
		for _, a := range u.Accounts {
			if a.Login == login {
				return a
			}
		}
	}
	t.Fatalf("no account %s", login)
	return nil
}

// TestAnAccountIsOpenedAndUsed (Art. 20): a unit names who is in charge; he signs in
// with what he was handed, has no duty until he has chosen a password of his own, and
// nothing of the first one is good after that.
func TestAnAccountIsOpenedAndUsed(t *testing.T) {
	each(t, func(t *testing.T, p people) {
		ctx := t.Context()
		first, err := p.Posts.Open(ctx, p.Own, newcomer(nil))
		must(t, err)
		a, err := p.Org.SignIn(ctx, "newcomer", first, "test", "r")
		must(t, err)
		if !a.Initial || len(a.Duties) != 0 || a.Unit != world.Issuer {
			t.Errorf("signed in with the initial password as %+v", a)
		}
		if _, _, err := p.Org.Token(ctx, a); !elicense.IsKind(err, elicense.Unauthorized) {
			t.Errorf("a token for it: %v", err)
		}
		refused(t, p.Org.ChangePassword(ctx, a, first+"x", "一个很长的新密码好吗"), elicense.Forbidden, "原密码不对")
		refused(t, p.Org.ChangePassword(ctx, a, first, "short"), elicense.Invalid, "密码要有")
		refused(t, p.Org.ChangePassword(ctx, a, first, first), elicense.Invalid, "不同")
		must(t, p.Org.ChangePassword(ctx, a, first, "一个很长的新密码好吗"))
		if _, err := p.Org.SignIn(ctx, "newcomer", first, "test", "r"); !elicense.IsKind(err, elicense.Unauthorized) {
			t.Errorf("the initial password is still good: %v", err)
		}
		b, err := p.Org.SignIn(ctx, "newcomer", "一个很长的新密码好吗", "test", "r")
		must(t, err)
		if b.Initial || !b.Has(elicense.DutyWindow) || !b.Has(elicense.DutyDraft) || b.Secret == a.Secret {
			t.Errorf("with a password of his own he is %+v", b)
		}
		if s := p.told(t, "newcomer"); !strings.Contains(s, "为您开通了") || !strings.Contains(s, "窗口收件") {
			t.Errorf("he was told %q", s)
		}
	})
}

// TestAnInitialPasswordRunsOut after seven days; another can be given.
func TestAnInitialPasswordRunsOut(t *testing.T) {
	p := peopleOf(t, world.OnSQLite(t))
	ctx := t.Context()
	first, err := p.Posts.Open(ctx, p.Own, newcomer(nil))
	must(t, err)
	p.Clock.Move(org.InitialLife - time.Minute)
	_, err = p.Org.SignIn(ctx, "newcomer", first, "test", "r")
	must(t, err)
	p.Clock.Move(2 * time.Minute)
	_, err = p.Org.SignIn(ctx, "newcomer", first, "test", "r")
	refused(t, err, elicense.Unauthorized, "已过期")
	second, err := p.Posts.Reset(ctx, p.Own, "newcomer")
	must(t, err)
	if _, err := p.Org.SignIn(ctx, "newcomer", first, "test", "r"); !elicense.IsKind(err, elicense.Unauthorized) {
		t.Errorf("the first: %v", err)
	}
	if _, err := p.Org.SignIn(ctx, "newcomer", second, "test", "r"); err != nil {
		t.Errorf("the second: %v", err)
	}
	if s := p.told(t, "newcomer"); !strings.Contains(s, "重新设置过") {
		t.Errorf("he was told %q", s)
	}
}

// TestWhoKeepsWhichAccounts: a unit its own, the administration of a region all of the
// region; duties that decide over others come from the administration alone, and
// nobody keeps his own account.
func TestWhoKeepsWhichAccounts(t *testing.T) {
	each(t, func(t *testing.T, p people) {
		high := func(o *posts.Opening) { o.Duties = []elicense.Duty{elicense.DutyDisclose} }
		elsewhere := func(o *posts.Opening) { o.Unit, o.Login = world.Office, "newcomer-yc" }
		above := func(o *posts.Opening) { o.Unit = province }
		for _, c := range []struct {
			name string
			who  *elicense.Actor
			o    posts.Opening
			says string
		}{
			{"a clerk", p.Drafter, newcomer(nil), "人员管理岗位"},
			{"a unit in another", p.Own, newcomer(elsewhere), "人员管理岗位"},
			{"a unit a duty of the administration", p.Own, newcomer(high), "由电子政务管理部门设置"},
			{"a city in the province's own", p.City, newcomer(above), "人员管理岗位"},
			{"a city what reaches the whole province", p.City, newcomer(high), "由电子政务管理部门设置"},
			{"himself", p.Province, newcomer(func(o *posts.Opening) { o.Name, o.Person = "管keeper", "350100198506120117" }), "自己的账号"},
		} {
			_, err := p.Posts.Open(t.Context(), c.who, c.o)
			var e *elicense.Error
			if !errors.As(err, &e) || e.Kind != elicense.Forbidden || !strings.Contains(e.Message(), c.says) {
				t.Errorf("%s: %v", c.name, err)
			}
		}
		_, err := p.Posts.Open(t.Context(), p.City, newcomer(func(o *posts.Opening) {
			o.Unit, o.Login, o.Person, o.Name, o.Duties = world.Office, "keeper-yc", "350100194802010213", "吴老样", []elicense.Duty{elicense.DutyAccounts}
		}))
		must(t, err)
		_, err = p.Posts.Open(t.Context(), p.Province, newcomer(high))
		must(t, err)
		if s := p.told(t, "audit"); !strings.Contains(s, "蔡新手") || !strings.Contains(s, "依法调取") {
			t.Errorf("the auditor was told %q", s)
		}
		// Who can let himself into such an account has its duty.
		_, err = p.Posts.Reset(t.Context(), p.Own, "newcomer")
		refused(t, err, elicense.Forbidden, "由电子政务管理部门设置")
		// To close one is for the unit too: the post ends there.
		must(t, p.Posts.Close(t.Context(), p.Own, "newcomer"))
		_, err = p.Posts.Reopen(t.Context(), p.Own, "newcomer")
		refused(t, err, elicense.Forbidden, "由电子政务管理部门设置")
		for _, a := range []*elicense.Actor{p.Own, p.Province} {
			refused(t, p.Posts.Close(t.Context(), a, map[bool]string{true: "keeper-gl", false: "keeper"}[a == p.Own]), elicense.Forbidden, "自己的账号")
		}
		for _, login := range []string{"holder", "nobody-at-all"} {
			if err := p.Posts.Close(t.Context(), p.Own, login); !elicense.IsKind(err, elicense.Forbidden) {
				t.Errorf("an account that is not his, %s: %v", login, err)
			}
			if err := p.Posts.Close(t.Context(), p.Province, login); !elicense.IsKind(err, elicense.Forbidden) && !elicense.IsKind(err, elicense.NotFound) {
				t.Errorf("of no unit, %s: %v", login, err)
			}
		}
		list, _, err := p.Posts.Units(t.Context(), p.Own, "", "", posts.MaxFound)
		must(t, err)
		if len(list) != 1 || list[0].Code != world.Issuer || !list[0].Keeps || list[0].All {
			t.Errorf("the unit's officer sees %+v", list)
		}
		list, _, err = p.Posts.Units(t.Context(), p.City, "", "", posts.MaxFound)
		must(t, err)
		for _, u := range list {
			if u.All != (u.Code != province) || u.Top || u.Gives(elicense.DutyAccounts) != u.All || u.Gives(elicense.DutyAudit) {
				t.Errorf("the city keeps %s: %+v", u.Name, u)
			}
		}
	})
}

// TestWrongOpenings names the field of what is wrong.
func TestWrongOpenings(t *testing.T) {
	p := peopleOf(t, world.OnSQLite(t))
	for _, c := range []struct {
		field  string
		change func(*posts.Opening)
	}{
		{"login", func(o *posts.Opening) { o.Login = "Newcomer" }},
		{"login", func(o *posts.Opening) { o.Login = "draft" }}, // taken
		{"name", func(o *posts.Opening) { o.Name = " " }},
		{"name", func(o *posts.Opening) { o.Person = "350100199003070028" }}, // somebody else's
		{"person", func(o *posts.Opening) { o.Person = "350102199001010072" }},
		{"kind", func(o *posts.Opening) { o.Kind = elicense.Holder }},
		{"duties", func(o *posts.Opening) { o.Duties = nil }},
		{"duties", func(o *posts.Opening) { o.Duties = []elicense.Duty{"everything"} }},
		{"duties", func(o *posts.Opening) { o.Duties = []elicense.Duty{elicense.DutySubmit} }}, // a system's
		{"duties", func(o *posts.Opening) { o.Kind = elicense.System }},                        // of a person
		{"duties", func(o *posts.Opening) { o.Duties = []elicense.Duty{elicense.DutyAudit, elicense.DutyDraft} }},
		{"unit", func(o *posts.Opening) { o.Unit = world.NewUnit }},
	} {
		_, err := p.Posts.Open(t.Context(), p.Province, newcomer(c.change))
		var e *elicense.Error
		if !errors.As(err, &e) || e.Field != c.field && c.field != "unit" {
			t.Errorf("%s: %v", c.field, err)
		}
	}
	if _, err := p.Org.ActorByLogin(t.Context(), "newcomer", "r"); !elicense.IsKind(err, elicense.NotFound) {
		t.Errorf("a wrong opening opened something: %v", err)
	}
}

// TestDutiesChangeAtOnce: what was decided under the former duties is decided anew,
// who looked at older ones is told, and an audit is not given to who is audited.
func TestDutiesChangeAtOnce(t *testing.T) {
	each(t, func(t *testing.T, p people) {
		ctx := t.Context()
		seen := p.account(t, "draft").Stamp
		must(t, p.Posts.SetDuties(ctx, p.Own, "draft", []elicense.Duty{elicense.DutyDraft, elicense.DutyWindow}, seen))
		if d := p.now(t, "draft").Duties; !slices.Equal(d, []elicense.Duty{elicense.DutyDraft, elicense.DutyWindow}) {
			t.Errorf("duties %v", d)
		}
		_, err := p.Issuer.Complete(ctx, p.Drafter, p.Completion("1")) // as he was before
		if !elicense.IsKind(err, elicense.Conflict) {
			t.Errorf("under former duties: %v", err)
		}
		refused(t, p.Posts.SetDuties(ctx, p.Own, "draft", []elicense.Duty{elicense.DutyReview}, seen), elicense.Conflict, "刚刚有人改过")
		now := p.account(t, "draft").Stamp
		refused(t, p.Posts.SetDuties(ctx, p.Own, "draft", []elicense.Duty{elicense.DutyReview, elicense.DutySeals}, now), elicense.Forbidden, "由电子政务管理部门设置")
		// 林样本 drafts in another account of his.
		refused(t, p.Posts.SetDuties(ctx, p.Province, "draft", []elicense.Duty{elicense.DutyAudit}, now), elicense.Invalid, "安全审计")
		must(t, p.Posts.Close(ctx, p.Province, "both"))
		must(t, p.Posts.SetDuties(ctx, p.Province, "draft", []elicense.Duty{elicense.DutyAudit}, now))
		_, err = p.Posts.Reopen(ctx, p.Province, "both")
		refused(t, err, elicense.Invalid, "安全审计")
		if s := p.told(t, "draft"); !strings.Contains(s, "您的岗位职责改为：制证、窗口收件") && !strings.Contains(s, "您的岗位职责改为：窗口收件、制证") {
			t.Errorf("he was told %q", s)
		}
	})
}

// TestAClosedAccountOpensNothing, neither what it is signed in to nor a token, and
// opened again it has another secret (Art. 20).
func TestAClosedAccountOpensNothing(t *testing.T) {
	each(t, func(t *testing.T, p people) {
		ctx := t.Context()
		a := p.now(t, "window")
		token, _, err := p.Org.Token(ctx, a)
		must(t, err)
		must(t, p.Posts.Close(ctx, p.Province, "window"))
		for name, do := range map[string]func() error{
			"signing in": func() error {
				_, err := p.Org.SignIn(ctx, "window", world.Password, "test", "r")
				return err
			},
			"a session": func() error { _, err := p.Org.Actor(ctx, a.Account, "r"); return err },
			"a token":   func() error { _, err := p.Org.ActorOfToken(ctx, token, "r"); return err },
		} {
			if err := do(); !elicense.IsKind(err, elicense.Unauthorized) {
				t.Errorf("%s: %v", name, err)
			}
		}
		refused(t, p.Posts.Close(ctx, p.Province, "window"), elicense.Conflict, "已经停用")
		_, err = p.Posts.Reset(ctx, p.Province, "window")
		refused(t, err, elicense.Conflict, "已经停用")
		secret, err := p.Posts.Reopen(ctx, p.Province, "window")
		must(t, err)
		if _, err := p.Org.SignIn(ctx, "window", world.Password, "test", "r"); !elicense.IsKind(err, elicense.Unauthorized) {
			t.Errorf("the old password: %v", err)
		}
		b, err := p.Org.SignIn(ctx, "window", secret, "test", "r")
		must(t, err)
		if !b.Initial || b.Account != a.Account {
			t.Errorf("opened again: %+v", b)
		}
		if _, err := p.Org.ActorOfToken(ctx, token, "r"); !elicense.IsKind(err, elicense.Unauthorized) {
			t.Errorf("the token of before: %v", err)
		}
	})
}

// TestASystemHasASecretOfItsOwn, which stands until another is made.
func TestASystemHasASecretOfItsOwn(t *testing.T) {
	p := peopleOf(t, world.OnSQLite(t))
	ctx := t.Context()
	o := posts.Opening{Unit: world.Issuer, Kind: elicense.System, Login: "approvals", Name: "审批系统", Duties: []elicense.Duty{elicense.DutySubmit}}
	first, err := p.Posts.Open(ctx, p.Own, o)
	must(t, err)
	p.Clock.Move(2 * org.InitialLife)
	a, err := p.Org.SignIn(ctx, "approvals", first, "test", "r")
	must(t, err)
	if a.Initial || !a.Has(elicense.DutySubmit) || a.Kind != elicense.System {
		t.Errorf("%+v", a)
	}
	token, _, err := p.Org.Token(ctx, a)
	must(t, err)
	second, err := p.Posts.Reset(ctx, p.Own, "approvals")
	must(t, err)
	if _, err := p.Org.ActorOfToken(ctx, token, "r"); !elicense.IsKind(err, elicense.Unauthorized) {
		t.Errorf("a token of the former secret: %v", err)
	}
	if _, err := p.Org.SignIn(ctx, "approvals", first, "test", "r"); !elicense.IsKind(err, elicense.Unauthorized) {
		t.Errorf("the former secret: %v", err)
	}
	_, err = p.Org.SignIn(ctx, "approvals", second, "test", "r")
	must(t, err)
}

// TestUnitsAreRegistered (Art. 5) by the administration of their region, in a line of
// units above that ends.
func TestUnitsAreRegistered(t *testing.T) {
	each(t, func(t *testing.T, p people) {
		ctx := t.Context()
		unit := org.Unit{Code: world.NewUnit, Name: " 福州市市场监督管理局 ", Kind: "dept", Region: "350100", RegionName: "福州市", Parent: province}
		refused(t, p.Posts.PutUnit(ctx, p.Own, unit, true), elicense.Forbidden, "由电子政务管理部门")
		outside := unit
		outside.Region = "350200"
		refused(t, p.Posts.PutUnit(ctx, p.City, outside, true), elicense.Forbidden, "这个地区")
		for field, change := range map[string]func(*org.Unit){
			"code":   func(u *org.Unit) { u.Code = "11350100FJDEM0208X" },
			"name":   func(u *org.Unit) { u.Name = " " },
			"kind":   func(u *org.Unit) { u.Kind = "" },
			"parent": func(u *org.Unit) { u.Parent = "11350000FJDEM0072Q" },
		} {
			wrong := unit
			change(&wrong)
			var e *elicense.Error
			if err := p.Posts.PutUnit(ctx, p.City, wrong, true); !errors.As(err, &e) || e.Kind != elicense.Invalid || e.Field != field {
				t.Errorf("%s: %v", field, err)
			}
		}
		must(t, p.Posts.PutUnit(ctx, p.City, unit, true))
		refused(t, p.Posts.PutUnit(ctx, p.City, unit, true), elicense.Conflict, "已经登记")
		unit.Name, unit.Parent = "福州市市场监督管理局（知识产权局）", city
		must(t, p.Posts.PutUnit(ctx, p.City, unit, false))
		got, err := p.Posts.Unit(ctx, p.City, unit.Code)
		must(t, err)
		if got.Name != unit.Name || got.Parent != city || !got.All {
			t.Errorf("%+v", got.Unit)
		}
		// The city can not put itself under one below it, nor move a unit out of its region.
		self := org.Unit{Code: city, Name: "福州市大数据发展管理委员会", Kind: "egov", Region: "350100", RegionName: "福州市", Parent: unit.Code}
		refused(t, p.Posts.PutUnit(ctx, p.City, self, false), elicense.Invalid, "上级单位")
		unit.Region = "350200"
		refused(t, p.Posts.PutUnit(ctx, p.City, unit, false), elicense.Forbidden, "这个地区")
		unit.Code, unit.Region = "11350000FJDEM0072Q", "350100"
		if err := p.Posts.PutUnit(ctx, p.City, unit, false); !elicense.IsKind(err, elicense.NotFound) {
			t.Errorf("a unit that is not registered: %v", err)
		}
	})
}

// TestUnitsAreFound by parts of their name and region, the beginning of their code and
// who has an account there; of many the first are given, and the number of the others.
func TestUnitsAreFound(t *testing.T) {
	each(t, func(t *testing.T, p people) {
		for _, c := range []struct {
			find string
			want []elicense.UnitCode
		}{
			{" 烟草 ", []elicense.UnitCode{world.Office}},
			{"鼓楼区", []elicense.UnitCode{world.Issuer, world.Office}},
			{"11350102fjdem032", []elicense.UnitCode{world.Office}},
			{"郑窗口", []elicense.UnitCode{world.Office}},
			{"keeper-GL", []elicense.UnitCode{world.Issuer}},
			{"holder", nil}, // no unit's
			{"%", nil},
		} {
			list, more, err := p.Posts.Units(t.Context(), p.Province, c.find, "", posts.MaxFound)
			must(t, err)
			var got []elicense.UnitCode
			for _, u := range list {
				got = append(got, u.Code)
			}
			if !slices.Equal(got, c.want) || more != 0 {
				t.Errorf("%q finds %v and %d more", c.find, got, more)
			}
		}
		if list, _, err := p.Posts.Units(t.Context(), p.Own, "烟草", "", posts.MaxFound); err != nil || len(list) != 0 {
			t.Errorf("a unit finds another: %v, %v", list, err)
		}
		var many []org.Unit
		for i := range 210 {
			code := elicense.UnitCode(fmt.Sprintf("1135%02d00FJDEM%03d", i%10, i))
			many = append(many, org.Unit{Code: complete(code), Short: fmt.Sprint(i), Name: "测试单位", Region: "350100", RegionName: "福州市", Kind: "dept"})
		}
		must(t, p.Org.Install(t.Context(), many))
		list, more, err := p.Posts.Units(t.Context(), p.Province, "测试单位", "", posts.MaxFound)
		must(t, err)
		if len(list) != 200 || more != 10 {
			t.Errorf("%d units and %d more", len(list), more)
		}
		rest, more, err := p.Posts.Units(t.Context(), p.Province, "测试单位", list[len(list)-1].Code, 100)
		must(t, err)
		if len(rest) != 10 || more != 0 || slices.ContainsFunc(list, func(u posts.Unit) bool { return u.Code == rest[0].Code }) {
			t.Errorf("then %d units and %d more", len(rest), more)
		}
	})
}

// complete finds the two check characters of a unit's code.
func complete(start elicense.UnitCode) elicense.UnitCode {
	const letters = "0123456789ABCDEFGHJKLMNPQRTUWXY"
	for _, a := range letters {
		for _, b := range letters {
			if code := start + elicense.UnitCode([]rune{a, b}); code.Check() == elicense.CodeGood {
				return code
			}
		}
	}
	return start
}

// TestOneAdministratorMakesAnother, who keeps the first one's account, once he has a
// password of his own.
func TestOneAdministratorMakesAnother(t *testing.T) {
	p := peopleOf(t, world.OnSQLite(t))
	secret, err := p.Posts.Open(t.Context(), p.Province, newcomer(func(o *posts.Opening) { o.Unit, o.Duties = province, []elicense.Duty{elicense.DutyAccounts} }))
	must(t, err)
	a, err := p.Org.SignIn(t.Context(), "newcomer", secret, "test", "r")
	must(t, err)
	_, err = p.Posts.Reset(t.Context(), a, "keeper")
	refused(t, err, elicense.Forbidden, "人员管理岗位") // not before he has chosen a password
	must(t, p.Org.ChangePassword(t.Context(), a, secret, "我自己选的密码够长了"))
	_, err = p.Posts.Reset(t.Context(), p.now(t, "newcomer"), "keeper")
	must(t, err)
}
