package web

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"elicense"
	"elicense/org"
	"elicense/posts"
)

// units lists the units the visitor may see, with their accounts.
func (s *server) units(v *visit) error {
	find := v.Query("q")
	list, more, err := s.Posts.Units(v.r.Context(), v.who, find, elicense.UnitCode(v.Query("after")), posts.MaxFound)
	if err != nil {
		return err
	}
	next := elicense.UnitCode("")
	if more > 0 {
		next = list[len(list)-1].Code
	}
	return v.render("units", v.t("单位与人员"), struct {
		List  []posts.Unit
		Next  elicense.UnitCode
		More  int
		Find  string
		Keeps bool // the visitor registers units
	}{list, next, more, find, v.who.Has(elicense.DutyAccounts) && v.who.UnitKind == posts.Administration})
}

// unitForm is what was typed of a unit, or what is known of it.
type unitForm struct {
	Unit  org.Unit
	Kinds []posts.Kind
}

func (v *visit) postedUnit(code string) org.Unit {
	return org.Unit{
		Code: elicense.UnitCode(code), Name: v.Posted("name"), Region: elicense.RegionCode(v.Posted("region")), RegionName: v.Posted("regionName"),
		Parent: elicense.UnitCode(v.Posted("parent")), Kind: v.Posted("kind"), Roles: []string{},
	}
}

func (s *server) unitNew(v *visit) error {
	u := v.postedUnit(v.Posted("code"))
	if v.refusal == nil {
		u.Parent = v.who.Unit
	}
	return v.render("unitnew", v.t("登记单位"), unitForm{u, posts.Kinds})
}

func (s *server) unitRegister(v *visit) error {
	u := v.postedUnit(v.Posted("code"))
	if err := s.Posts.PutUnit(v.r.Context(), v.who, u, true); err != nil {
		return v.again(err, func() error { return s.unitNew(v) })
	}
	return v.goTo("/admin/units/" + elicense.NormalizeCode(string(u.Code)) + "?said=unit")
}

// postsPage is one unit with its accounts and the forms over them.
type postsPage struct {
	*posts.Unit
	Form   unitForm
	Staff  []dutyChoice // of persons
	System []dutyChoice
	Opened string          // the form that was just sent: unit, staff, system, or a login
	Posted []elicense.Duty // with it
	None   []elicense.Duty
	Parent string // the name of the unit above
}

// dutyChoice is a duty in a form.
type dutyChoice struct {
	Duty elicense.Duty
	Can  bool
	High bool // the first of those that decide over others
}

func choices(kind elicense.ActorKind, u *posts.Unit) (list []dutyChoice) {
	below := true
	for _, d := range posts.DutiesOf(kind) {
		c := dutyChoice{Duty: d, Can: u.Gives(d)}
		c.High = below && c.Can && slices.Contains(posts.High, d)
		below = below && !c.High
		list = append(list, c)
	}
	return list
}

func (s *server) unit(v *visit) error { return s.unitPage(v, "") }

func (s *server) unitPage(v *visit, opened string) error {
	u, err := s.Posts.Unit(v.r.Context(), v.who, elicense.UnitCode(v.r.PathValue("code")))
	if err != nil {
		return err
	}
	d := postsPage{
		Unit: u, Form: unitForm{*u.Unit, posts.Kinds}, Staff: choices(elicense.Staff, u), System: choices(elicense.System, u),
		Opened: opened, Posted: v.postedDuties(),
	}
	if opened == "unit" {
		d.Form.Unit = v.postedUnit(string(u.Code))
	}
	if u.Parent != "" {
		names, _, err := s.unitNames(v)
		if err != nil {
			return err
		}
		d.Parent = names[u.Parent]
	}
	return v.render("unit", u.Name, d)
}

func (s *server) unitChange(v *visit) error {
	u := v.postedUnit(v.r.PathValue("code"))
	if err := s.Posts.PutUnit(v.r.Context(), v.who, u, false); err != nil {
		return v.again(err, func() error { return s.unitPage(v, "unit") })
	}
	return v.goTo("/admin/units/" + string(u.Code) + "?said=unit")
}

// handedPage shows a secret, once: it is kept nowhere.
type handedPage struct {
	Unit          elicense.UnitCode
	Login, Secret string
	System        bool
	Until         time.Time
}

func (s *server) handed(v *visit, unit, login, secret string, system bool) error {
	return v.render("handed", v.t("交给使用人"), handedPage{elicense.UnitCode(unit), login, secret, system, posts.Expires(v.Now())})
}

func (v *visit) postedDuties() (list []elicense.Duty) {
	for _, d := range v.r.PostForm["duties"] {
		list = append(list, elicense.Duty(d))
	}
	return list
}

func (s *server) accountOpen(v *visit) error {
	code := v.r.PathValue("code")
	o := posts.Opening{
		Unit: elicense.UnitCode(code), Kind: elicense.ActorKind(v.Posted("kind")), Login: strings.TrimSpace(v.Posted("login")),
		Name: v.Posted("name"), Person: v.Posted("person"), Duties: v.postedDuties(),
	}
	secret, err := s.Posts.Open(v.r.Context(), v.who, o)
	if err != nil {
		return v.again(err, func() error { return s.unitPage(v, string(o.Kind)) })
	}
	return s.handed(v, code, o.Login, secret, o.Kind == elicense.System)
}

// accountDo changes an account of the unit.
func (s *server) accountDo(v *visit) error {
	ctx, code, login := v.r.Context(), v.r.PathValue("code"), v.r.PathValue("login")
	var err error
	var secret string
	switch v.Posted("do") {
	case "duties":
		seen, perr := strconv.ParseInt(v.Posted("stamp"), 10, 64)
		if perr != nil {
			return errNoPage()
		}
		err = s.Posts.SetDuties(ctx, v.who, login, v.postedDuties(), seen)
	case "close":
		err = s.Posts.Close(ctx, v.who, login)
	case "reopen":
		secret, err = s.Posts.Reopen(ctx, v.who, login)
	case "reset":
		secret, err = s.Posts.Reset(ctx, v.who, login)
	default:
		return errNoPage()
	}
	if err != nil {
		return v.again(err, func() error { return s.unitPage(v, login) })
	}
	if secret != "" {
		return s.handed(v, code, login, secret, v.Posted("kind") == string(elicense.System))
	}
	return v.goTo("/admin/units/" + code + "?said=account")
}

func (s *server) passwordForm(v *visit) error {
	if !v.SignedIn() {
		return s.signInAgain(v)
	}
	return v.render("password", v.t("我的账号"), nil)
}

// passwordChange gives the visitor's account the password he chose.
func (s *server) passwordChange(v *visit) error {
	if !v.SignedIn() {
		return s.signInAgain(v)
	}
	err := error(nil)
	if v.Posted("password") == v.Posted("password2") {
		err = s.Org.ChangePassword(v.r.Context(), v.who, v.Posted("old"), v.Posted("password"))
	} else {
		err = elicense.E(elicense.Invalid, "两次输入的密码不一样").At("password2")
	}
	if err != nil {
		return v.again(err, func() error { return s.passwordForm(v) })
	}
	a, err := s.Org.Actor(v.r.Context(), v.who.Account, v.request)
	if err != nil {
		return err
	}
	if err := s.signedIn(v.r, a); err != nil {
		return err
	}
	return v.goTo(homeOf(a))
}
