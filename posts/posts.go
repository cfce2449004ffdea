// Package posts is the register of units, of who may sign in for them, and of the
// duties of their posts. Art. 5, 20: each unit names the persons who manage and use
// electronic licenses; an account closes with its post.
//
// The e-government administration of a region keeps its units and all their
// accounts; an officer with the accounts duty in another unit keeps that unit's. What
// decides over others only the administration gives, and what reaches all of the
// province (checking types, seals, supervision, audit, disclosure) only that of the
// province. Nobody keeps an account of his own, and who audits
// holds no duty he would audit. Each change is on record; who it is about is told,
// and auditors are told of what decides over others.
//
// A new account is handed over with an initial password: it is shown once, good for
// seven days, and opens nothing but the page on which its owner chooses his own.
package posts

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"elicense"
	"elicense/access"
	"elicense/notice"
	"elicense/org"
	"elicense/store"
)

// Posts keeps units, accounts and duties.
type Posts struct {
	db    *store.DB
	guard *access.Guard
}

// New returns the register kept in db.
func New(db *store.DB, guard *access.Guard) *Posts { return &Posts{db, guard} }

// Kind is a kind of unit.
type Kind struct{ Code, Chinese string }

// Kinds are the kinds of units there are (Art. 5, 19), in the order of the form.
var Kinds = []Kind{
	{"dept", "政务部门"}, {"dept_vertical", "垂直管理部门"}, {"hall", "行政服务中心"}, {org.ThirdParty, "取得法定资质的第三方机构"},
	{Administration, "电子政务管理部门"}, {"efficiency", "机关效能建设工作机构"}, {"office", "政府办公厅（室）"}, {"archive", "档案馆"}, {"support", "技术支撑单位"},
}

// Administration is the kind of units that keep all others of their region.
const Administration = "egov"

// KindChinese names a kind of unit.
func KindChinese(code string) string {
	i := slices.IndexFunc(Kinds, func(k Kind) bool { return k.Code == code })
	if i < 0 {
		return code
	}
	return Kinds[i].Chinese
}

// High are the duties that decide over others: the administration alone gives them.
var High = []elicense.Duty{elicense.DutyTypes, elicense.DutySeals, elicense.DutyAccounts, elicense.DutySupervise, elicense.DutyAudit, elicense.DutyDisclose}

// local is the one of them that reaches no further than a unit or a region.
const local = elicense.DutyAccounts

// DutiesOf are the duties an account of the kind can have, in the order of the form.
func DutiesOf(kind elicense.ActorKind) []elicense.Duty {
	if kind == elicense.System {
		return []elicense.Duty{elicense.DutySubmit, elicense.DutyWindow}
	}
	return append([]elicense.Duty{
		elicense.DutyWindow, elicense.DutyDraft, elicense.DutyReview, elicense.DutyChange, elicense.DutyRegister, elicense.DutyMatters,
	}, High...)
}

// Unit is a unit with its accounts.
type Unit struct {
	*org.Unit
	Accounts []*org.Account
	// Keeps tells whether who looks may change accounts here, All whether as the
	// administration of the region, and so what is known of the unit itself, and Top
	// whether as that of the province.
	Keeps, All, Top bool
}

// Gives tells whether who looks may give the duty here.
func (u *Unit) Gives(d elicense.Duty) bool {
	return u.Keeps && (!slices.Contains(High, d) || u.Top || u.All && d == local)
}

// covers tells whether a region holds another: 350000 all of Fujian, 350100 the
// counties of Fuzhou (GB/T 2260).
func covers(region, other elicense.RegionCode) bool {
	r := string(region)
	for strings.HasSuffix(r, "00") {
		r = r[:len(r)-2]
	}
	return r != "" && strings.HasPrefix(string(other), r)
}

// within tells whether a unit is of the region of who acts, and whether that region is
// a province.
func within(tx *store.Tx, actor *elicense.Actor, region elicense.RegionCode) (in, top bool, err error) {
	if actor.Unit == "" {
		return false, false, nil
	}
	own, err := org.UnitOf(tx, actor.Unit)
	if err != nil {
		return false, false, err
	}
	in = covers(own.Region, region)
	return in, in && strings.HasSuffix(string(own.Region), "0000"), nil
}

// MaxFound is how many units are given at once at most.
const MaxFound = 200

// Units lists the units the actor may see with their accounts, by region and code:
// all, or for who keeps the accounts of one unit that one. Of those it gives what is
// found: by a part of their name or region, the beginning of their code, or the name or
// login of somebody who has an account there; at most limit of them, those that come
// behind after, and in more how many are left.
//
// Errors: Forbidden to who neither keeps accounts nor administers nor supervises.
func (p *Posts) Units(ctx context.Context, actor *elicense.Actor, find string, after elicense.UnitCode, limit int) (list []Unit, more int, err error) {
	one := elicense.UnitCode("")
	if !slices.ContainsFunc(readers, actor.Has) && actor.UnitKind != Administration {
		one = actor.Unit
	}
	return p.units(ctx, actor, one, strings.TrimSpace(find), after, min(limit, MaxFound))
}

// readers are the duties that see the accounts of all units.
var readers = []elicense.Duty{elicense.DutyTypes, elicense.DutySeals, elicense.DutySupervise, elicense.DutyAudit}

// Unit returns one unit with its accounts. Errors: Forbidden; NotFound.
func (p *Posts) Unit(ctx context.Context, actor *elicense.Actor, code elicense.UnitCode) (*Unit, error) {
	if code == "" {
		return nil, noUnit()
	}
	list, _, err := p.units(ctx, actor, code, "", "", 1)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, noUnit()
	}
	return &list[0], nil
}

func noUnit() error {
	return elicense.E(elicense.NotFound, "没有这个单位").At("unit").Then("请从单位列表里打开")
}

func (p *Posts) units(ctx context.Context, actor *elicense.Actor, only elicense.UnitCode, find string, after elicense.UnitCode, limit int) (list []Unit, more int, err error) {
	build := func(*store.Tx) (access.Request, error) {
		return access.Request{
			Actor: actor, Act: access.AccountRead, On: access.Thing{Kind: "Unit", ID: string(only), Attr: access.Attr{"unit": string(only)}},
			Note: access.Note{Detail: map[string]string{"unit": string(only)}},
		}, nil
	}
	list, _, err = access.Get(ctx, p.guard, build, func(tx *store.Tx, _ *access.Permit) (list []Unit, err error) {
		more = 0
		units, err := org.Units(tx)
		if err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(units, func(u *org.Unit) bool { return u.Code == after }); i >= 0 {
			units = units[i+1:]
		}
		with, err := org.UnitsWith(tx, find)
		if err != nil {
			return nil, err
		}
		for _, u := range units {
			if only != "" && u.Code != only || find != "" && !slices.Contains(with, u.Code) && !matches(u, find) {
				continue
			}
			if len(list) == limit {
				more++
				continue
			}
			one, err := unitFor(tx, actor, u)
			if err != nil {
				return nil, err
			}
			list = append(list, *one)
		}
		return list, nil
	})
	return list, more, err
}

func matches(u *org.Unit, find string) bool {
	return strings.Contains(u.Name, find) || strings.Contains(u.RegionName, find) || strings.HasPrefix(string(u.Code), elicense.NormalizeCode(find))
}

// unitFor is a unit with its accounts, and what the actor may do there.
func unitFor(tx *store.Tx, actor *elicense.Actor, u *org.Unit) (*Unit, error) {
	one := &Unit{Unit: u}
	var err error
	if one.Accounts, err = org.Accounts(tx, u.Code); err != nil || !actor.Has(elicense.DutyAccounts) {
		return one, err
	}
	in, top, err := within(tx, actor, u.Region)
	one.All, one.Top = in && actor.UnitKind == Administration, top && actor.UnitKind == Administration
	one.Keeps = one.All || u.Code == actor.Unit
	return one, err
}

var regionForm = regexp.MustCompile(`^[0-9]{6}$`)

const maxName = 100 // characters of a name, of a unit or a person

// PutUnit registers a unit, or changes what is known of one that is registered; its
// code stays.
//
// Errors: Invalid naming the field; Forbidden to who does not keep the units of the
// region; Conflict for a new one that is registered, NotFound for a change of none.
func (p *Posts) PutUnit(ctx context.Context, actor *elicense.Actor, u org.Unit, fresh bool) error {
	u.Code = elicense.UnitCode(elicense.NormalizeCode(string(u.Code)))
	u.Name, u.RegionName, u.Short = strings.TrimSpace(u.Name), strings.TrimSpace(u.RegionName), strings.ToLower(string(u.Code))
	u.Region, u.Parent = elicense.RegionCode(elicense.NormalizeCode(string(u.Region))), elicense.UnitCode(elicense.NormalizeCode(string(u.Parent)))
	act := map[bool]string{true: "register", false: "change"}[fresh]
	build := func(tx *store.Tx) (access.Request, error) {
		in, _, err := within(tx, actor, u.Region)
		if old, oerr := org.UnitOf(tx, u.Code); err == nil && in && oerr == nil {
			in, _, err = within(tx, actor, old.Region)
		}
		return access.Request{
			Actor: actor, Act: access.UnitKeep, On: access.Thing{Kind: "Unit", ID: string(u.Code), Attr: access.Attr{"within": in}},
			Note: access.Note{Detail: map[string]string{"act": act, "unit": string(u.Code), "name": u.Name, "region": string(u.Region), "kind": u.Kind, "parent": string(u.Parent)}},
		}, err
	}
	return p.guard.Write(ctx, build, func(tx *store.Tx, _ *access.Permit) error {
		if err := checkUnit(tx, u); err != nil {
			return err
		}
		_, err := org.UnitOf(tx, u.Code)
		switch known := err == nil; {
		case err != nil && !elicense.IsKind(err, elicense.NotFound):
			return err
		case known && fresh:
			return elicense.E(elicense.Conflict, "这个单位已经登记").At("code").Then("请从单位列表里打开它修改")
		case fresh:
			return org.AddUnit(tx, u)
		case !known:
			return noUnit()
		}
		return org.ChangeUnit(tx, u)
	})
}

func checkUnit(tx *store.Tx, u org.Unit) error {
	bad := func(field, text string, args ...any) error {
		return elicense.E(elicense.Invalid, text, args...).At(field)
	}
	switch {
	case u.Code.Check() > elicense.CodeDoubtful:
		return bad("code", "单位的统一社会信用代码不对").(*elicense.Error).Under("GB 32100-2015")
	case u.Name == "" || utf8.RuneCountInString(u.Name) > maxName:
		return bad("name", "要写明单位名称，最多%d个字", maxName)
	case !regionForm.MatchString(string(u.Region)):
		return bad("region", "行政区划代码是6位数字").(*elicense.Error).Under("GB/T 2260")
	case u.RegionName == "" || utf8.RuneCountInString(u.RegionName) > maxName:
		return bad("regionName", "要写明地区名称")
	case !slices.ContainsFunc(Kinds, func(k Kind) bool { return k.Code == u.Kind }):
		return bad("kind", "请从列表里选单位性质")
	case u.Parent == "":
		return nil
	}
	// A line of parents ends at a unit without one.
	seen := map[elicense.UnitCode]bool{u.Code: true}
	for up := u.Parent; up != ""; {
		if seen[up] {
			return bad("parent", "上级单位不能是它自己或它的下级")
		}
		seen[up] = true
		parent, err := org.UnitOf(tx, up)
		if elicense.IsKind(err, elicense.NotFound) {
			return bad("parent", "上级单位还没有登记")
		}
		if err != nil {
			return err
		}
		up = parent.Parent
	}
	return nil
}

// Opening is an account to be opened: of a person (Staff) or of a business system.
type Opening struct {
	Unit   elicense.UnitCode
	Kind   elicense.ActorKind
	Login  string
	Name   string // the person's, or what the system is called
	Person string // the person's citizen identity number; empty for a system
	Duties []elicense.Duty
}

// Open opens an account and returns its secret, which is not kept and can't be shown
// again: a person's initial password, or the client secret of a system.
//
// Errors: Invalid naming the field; Forbidden; Conflict for a login that is taken;
// NotFound for a unit that is not registered.
func (p *Posts) Open(ctx context.Context, actor *elicense.Actor, o Opening) (secret string, err error) {
	o.Login, o.Name = strings.TrimSpace(o.Login), strings.TrimSpace(o.Name)
	ref := elicense.HolderRef{CodeType: elicense.CodeCitizen, Code: o.Person, Name: o.Name}.Normalize()
	duties, derr := cleaned(o.Kind, o.Duties)
	secret = org.Draw()
	digest := org.DigestSecret(secret)
	build := func(tx *store.Tx) (access.Request, error) {
		a := org.Account{Unit: o.Unit, Kind: o.Kind}
		if o.Kind == elicense.Staff {
			var err error
			if a.Person, err = org.PersonOf(tx, ref); err != nil && !elicense.IsKind(err, elicense.NotFound) {
				return access.Request{}, err
			}
		}
		return keeping(tx, actor, &a, "open", duties)
	}
	err = p.guard.Write(ctx, build, func(tx *store.Tx, permit *access.Permit) error {
		if err := checkOpening(tx, o, ref, derr); err != nil {
			return err
		}
		a := org.Account{Login: o.Login, Kind: o.Kind, Unit: o.Unit, Name: o.Name, Duties: duties}
		kept := digest
		if o.Kind == elicense.Staff {
			var err error
			if a.Person, err = org.AddPerson(tx, ref); err != nil {
				return err
			}
			if name, err := org.PersonName(tx, a.Person); err != nil || name != ref.Name {
				return cmp.Or(err, error(elicense.E(elicense.Conflict, "这个号码用别的姓名登记过").At("name").Then("请核对姓名和号码；改过名的请联系电子政务管理部门")))
			}
			if err := apart(tx, a.Person, "", duties); err != nil {
				return err
			}
			kept = org.Initial(digest, tx.Now().Add(org.InitialLife))
		}
		if a.ID, err = org.AddAccount(tx, a, kept); err != nil {
			return err
		}
		permit.Note.Detail["account"], permit.Note.Detail["login"] = string(a.ID), a.Login
		if o.Kind == elicense.Staff {
			if err := tell(tx, a.ID, "为您开通了%s的账号，岗位职责：%s（办理人：%s）", unitName(tx, a.Unit), words(duties), actor.Name); err != nil {
				return err
			}
		}
		return tellAuditors(tx, actor, &a, nil, duties)
	})
	if err != nil {
		return "", err
	}
	return secret, nil
}

func checkOpening(tx *store.Tx, o Opening, ref elicense.HolderRef, duties error) error {
	if _, err := org.UnitOf(tx, o.Unit); elicense.IsKind(err, elicense.NotFound) {
		return noUnit()
	} else if err != nil {
		return err
	}
	if o.Kind != elicense.Staff && o.Kind != elicense.System {
		return elicense.E(elicense.Invalid, "账号给人员或业务系统使用").At("kind")
	}
	if err := org.CheckLogin(o.Login); err != nil {
		return err
	}
	if n := utf8.RuneCountInString(o.Name); n == 0 || n > maxName {
		return elicense.E(elicense.Invalid, "要写明姓名或系统名称，最多%d个字", maxName).At("name")
	}
	if duties != nil {
		return duties
	}
	if o.Kind == elicense.System {
		return nil
	}
	if elicense.IDNumber(ref.Code).Check(elicense.DateOf(tx.Now())) > elicense.CodeDoubtful {
		return elicense.E(elicense.Invalid, "公民身份号码不对").At("person").Under("GB 11643-1999")
	}
	return nil
}

// cleaned sorts duties and refuses those an account of the kind can't have.
func cleaned(kind elicense.ActorKind, duties []elicense.Duty) ([]elicense.Duty, error) {
	list := slices.Clone(duties)
	slices.Sort(list)
	list = slices.Compact(list)
	for _, d := range list {
		if !slices.Contains(DutiesOf(kind), d) {
			return nil, elicense.E(elicense.Invalid, "这类账号不能有这项岗位职责").At("duties")
		}
	}
	if len(list) == 0 {
		return nil, elicense.E(elicense.Invalid, "至少选一项岗位职责").At("duties").Then("不再用的账号请停用")
	}
	return list, nil
}

// apart refuses to put the audit into the hands of who does what is audited.
func apart(tx *store.Tx, person elicense.PersonID, but elicense.AccountID, duties []elicense.Duty) error {
	all := slices.Clone(duties)
	list, err := org.AccountsOf(tx, person)
	if err != nil {
		return err
	}
	for _, a := range list {
		if a.ID != but && !a.Disabled && a.Kind == elicense.Staff {
			all = append(all, a.Duties...)
		}
	}
	if slices.Contains(all, elicense.DutyAudit) && slices.ContainsFunc(all, func(d elicense.Duty) bool { return d != elicense.DutyAudit }) {
		return elicense.E(elicense.Invalid, "安全审计不能和其他岗位由同一个人担任").At("duties").Under("第二十条").Then("请先收回他的其他岗位，或另选审计人员")
	}
	return nil
}

// keeping is what the law is asked of a change of an account whose duties become
// those given; nil for a change that leaves them.
func keeping(tx *store.Tx, actor *elicense.Actor, a *org.Account, act string, duties []elicense.Duty) (access.Request, error) {
	reaches := touched(a.Duties, act, duties)
	in := false
	u, err := org.UnitOf(tx, a.Unit)
	if err == nil {
		var top bool
		in, top, err = within(tx, actor, u.Region)
		if slices.ContainsFunc(reaches, func(d elicense.Duty) bool { return d != local }) {
			in = top
		}
	} else if elicense.IsKind(err, elicense.NotFound) {
		err = nil
	}
	return access.Request{
		Actor: actor, Act: access.AccountKeep,
		On: access.Thing{Kind: "Account", ID: string(a.ID), Attr: access.Attr{
			"unit": string(a.Unit), "within": in, "person": string(a.Person), "high": len(reaches) > 0,
		}},
		Note: access.Note{Detail: map[string]string{"act": act, "account": string(a.ID), "login": a.Login, "unit": string(a.Unit), "duties": names(duties)}},
	}, err
}

// touched are the duties that decide over others a change reaches: it gives or takes
// them, or lets somebody into an account that has them. To close one it is enough to
// keep the accounts of the unit.
func touched(has []elicense.Duty, act string, duties []elicense.Duty) []elicense.Duty {
	all := has
	switch act {
	case "close":
		return nil
	case "open", "duties":
		all = slices.Concat(without(has, duties), without(duties, has))
	}
	return high(all)
}

// high are those of the duties that decide over others.
func high(duties []elicense.Duty) []elicense.Duty {
	return slices.DeleteFunc(slices.Clone(duties), func(d elicense.Duty) bool { return !slices.Contains(High, d) })
}

func without(list, others []elicense.Duty) []elicense.Duty {
	return slices.DeleteFunc(slices.Clone(list), func(d elicense.Duty) bool { return slices.Contains(others, d) })
}

// change changes the account of a login: f does it, after the law was asked.
func (p *Posts) change(ctx context.Context, actor *elicense.Actor, login, act string, duties []elicense.Duty, f func(*store.Tx, *org.Account) error) error {
	build := func(tx *store.Tx) (access.Request, error) {
		a, err := staffed(tx, login)
		if elicense.IsKind(err, elicense.NotFound) {
			a, err = &org.Account{}, nil // what is not there is refused like what is not his
		}
		if err != nil {
			return access.Request{}, err
		}
		req, err := keeping(tx, actor, a, act, duties)
		if a.ID != "" {
			req.Rests = []access.Rests{{Query: `SELECT stamp FROM account WHERE id = $1`, Args: []any{a.ID}, Want: a.Stamp}}
		}
		return req, err
	}
	return p.guard.Write(ctx, build, func(tx *store.Tx, _ *access.Permit) error {
		a, err := staffed(tx, login)
		if err != nil {
			return err
		}
		return f(tx, a)
	})
}

// staffed returns the account of a member of staff or a system. Errors: NotFound,
// also for an account of a holder, which no unit keeps.
func staffed(tx *store.Tx, login string) (*org.Account, error) {
	a, err := org.AccountByLogin(tx, login)
	if err == nil && a.Kind == elicense.Holder {
		return nil, elicense.E(elicense.NotFound, "没有这个账号").At("login")
	}
	return a, err
}

// SetDuties gives an account the duties named and takes all others. seen is the
// account's stamp when its duties were looked at.
//
// Errors: Invalid; Forbidden; NotFound; Conflict if the account was changed since.
func (p *Posts) SetDuties(ctx context.Context, actor *elicense.Actor, login string, duties []elicense.Duty, seen int64) error {
	return p.change(ctx, actor, login, "duties", duties, func(tx *store.Tx, a *org.Account) error {
		if a.Stamp != seen {
			return elicense.E(elicense.Conflict, "刚刚有人改过这个账号").Then("请核对现在的岗位职责后再改")
		}
		duties, err := cleaned(a.Kind, duties)
		if err != nil {
			return err
		}
		if a.Kind == elicense.Staff {
			if err := apart(tx, a.Person, a.ID, duties); err != nil {
				return err
			}
		}
		gone, given := without(a.Duties, duties), without(duties, a.Duties)
		if len(gone)+len(given) == 0 {
			return nil
		}
		for _, d := range gone {
			if err := org.Withdraw(tx, a.ID, d); err != nil {
				return err
			}
		}
		for _, d := range given {
			if err := org.Grant(tx, a.ID, d); err != nil {
				return err
			}
		}
		if a.Kind == elicense.Staff {
			if err := tell(tx, a.ID, "您的岗位职责改为：%s（办理人：%s）", words(duties), actor.Name); err != nil {
				return err
			}
		}
		return tellAuditors(tx, actor, a, gone, given)
	})
}

// Close closes an account with its post: it opens nothing from then on, also not what
// it is signed in to. Art. 20.
//
// Errors: Forbidden; NotFound; Conflict if it is closed.
func (p *Posts) Close(ctx context.Context, actor *elicense.Actor, login string) error {
	return p.change(ctx, actor, login, "close", nil, func(tx *store.Tx, a *org.Account) error {
		if a.Disabled {
			return elicense.E(elicense.Conflict, "这个账号已经停用")
		}
		return org.Disable(tx, a.ID)
	})
}

// Reopen opens a closed account again, with the duties it had and a new secret, which
// is returned as by Open.
//
// Errors: Forbidden; NotFound; Conflict if it is open.
func (p *Posts) Reopen(ctx context.Context, actor *elicense.Actor, login string) (secret string, err error) {
	return p.renew(ctx, actor, login, "reopen", func(tx *store.Tx, a *org.Account) error {
		if !a.Disabled {
			return elicense.E(elicense.Conflict, "这个账号没有停用")
		}
		if a.Kind == elicense.Staff {
			if err := apart(tx, a.Person, a.ID, a.Duties); err != nil {
				return err
			}
		}
		return org.Enable(tx, a.ID)
	})
}

// Reset gives an account a new secret, which is returned as by Open. What was signed in
// with the old one ends.
//
// Errors: Forbidden; NotFound; Conflict if the account is closed.
func (p *Posts) Reset(ctx context.Context, actor *elicense.Actor, login string) (secret string, err error) {
	return p.renew(ctx, actor, login, "reset", func(_ *store.Tx, a *org.Account) error {
		if a.Disabled {
			return elicense.E(elicense.Conflict, "这个账号已经停用").Then("要再用请先启用")
		}
		return nil
	})
}

func (p *Posts) renew(ctx context.Context, actor *elicense.Actor, login, act string, f func(*store.Tx, *org.Account) error) (secret string, err error) {
	secret = org.Draw()
	digest := org.DigestSecret(secret)
	err = p.change(ctx, actor, login, act, nil, func(tx *store.Tx, a *org.Account) error {
		if err := f(tx, a); err != nil {
			return err
		}
		if a.Kind == elicense.System {
			return org.SetSecret(tx, a.ID, digest)
		}
		if err := tell(tx, a.ID, "您的账号的密码由%s重新设置过；不是您要求的，请马上告诉安全审计人员", actor.Name); err != nil {
			return err
		}
		return org.SetSecret(tx, a.ID, org.Initial(digest, tx.Now().Add(org.InitialLife)))
	})
	if err != nil {
		return "", err
	}
	return secret, nil
}

// tell tells somebody of his account, whose page is the link.
func tell(tx *store.Tx, to elicense.AccountID, text string, args ...string) error {
	return notice.Send(tx, notice.AccountInbox(to), notice.Notice{Kind: "account", Text: text, Args: args, Link: "/password"})
}

// tellAuditors tells who audits of duties that decide over others.
func tellAuditors(tx *store.Tx, actor *elicense.Actor, a *org.Account, gone, given []elicense.Duty) error {
	say := func(to elicense.AccountID, text string, duties []elicense.Duty) error {
		return notice.Send(tx, notice.AccountInbox(to), notice.Notice{
			Kind: "duties", Text: text, Args: []string{actor.Name, a.Name, words(duties)}, Link: "/admin/units/" + string(a.Unit),
		})
	}
	gone, given = high(gone), high(given)
	return org.Tell(tx, "", []elicense.Duty{elicense.DutyAudit}, func(to elicense.AccountID) error {
		if len(given) > 0 {
			if err := say(to, "%s给%s设置了岗位：%s", given); err != nil {
				return err
			}
		}
		if len(gone) > 0 {
			return say(to, "%s收回了%s的岗位：%s", gone)
		}
		return nil
	})
}

func unitName(tx *store.Tx, code elicense.UnitCode) string {
	u, err := org.UnitOf(tx, code)
	if err != nil {
		return string(code)
	}
	return u.Name
}

func words(duties []elicense.Duty) string {
	var list []string
	for _, d := range duties {
		list = append(list, d.Chinese())
	}
	return strings.Join(list, "、")
}

func names(duties []elicense.Duty) string { return strings.Trim(fmt.Sprint(duties), "[]") }

// Expires is until when an initial password handed over at the moment is good.
func Expires(at time.Time) time.Time { return at.Add(org.InitialLife) }
