package httpapi

import (
	"context"
	"errors"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"elicense"
	"elicense/org"
	"elicense/posts"
)

// Units, accounts and duties (Art. 5, 20).

// posting puts what is about units, accounts and passwords together: their addresses
// begin with different words.
func posting(o *huma.Operation) { o.Tags = []string{"单位与人员"} }

const (
	shownOnce = "答复里的secret只给这一次，平台不留原文，不能再查：人员的是初始密码，七天内有效，要先在网页登录改成自己的，才能取得访问令牌；业务系统的是client_secret。" +
		"带Idempotency-Key的请求再发一次，答复和第一次一样，但没有secret；没有收到的，重新设置（reset）。"
	endsToken = "改好以后，这个账号的访问令牌（包括这一次用的）和别处的登录都失效，请用新密码重新取得令牌。" +
		"所以同一个请求再发一次得到401，不是第一次的答复。原密码15分钟内输错十次，要等15分钟。初始密码要在网页改。业务系统没有自己改的密码，由人员管理岗位重新设置。"
)

func unitKinds() string {
	var list []string
	for _, k := range posts.Kinds {
		list = append(list, k.Code+" "+k.Chinese)
	}
	return "单位性质kind：" + strings.Join(list, "、") + "。"
}

func accountDuties() string {
	of := func(kind elicense.ActorKind) string {
		var list []string
		for _, d := range posts.DutiesOf(kind) {
			list = append(list, string(d)+" "+d.Chinese())
		}
		return strings.Join(list, "、")
	}
	return "岗位职责duties：人员（staff）的 " + of(elicense.Staff) + "；业务系统（system）的 " + of(elicense.System) + "。"
}

type unitOut struct {
	Code       elicense.UnitCode   `json:"code"`
	Name       string              `json:"name"`
	Kind       string              `json:"kind"`
	Region     elicense.RegionCode `json:"region"`
	RegionName string              `json:"regionName"`
	Parent     elicense.UnitCode   `json:"parent,omitempty" doc:"上级单位"`
	Accounts   []accountOut        `json:"accounts"`
}

type accountOut struct {
	Login    string             `json:"login"`
	Name     string             `json:"name"`
	Kind     elicense.ActorKind `json:"kind" doc:"staff人员 system业务系统"`
	Duties   []elicense.Duty    `json:"duties"`
	Disabled bool               `json:"disabled" doc:"已停用"`
	Initial  bool               `json:"initial" doc:"还没有改初始密码"`
	Stamp    int64              `json:"stamp" doc:"每改一次就不同；改岗位职责时写看到的"`
}

func unitOf(u posts.Unit) unitOut {
	o := unitOut{u.Code, u.Name, u.Kind, u.Region, u.RegionName, u.Parent, []accountOut{}}
	for _, a := range u.Accounts {
		o.Accounts = append(o.Accounts, accountOut{a.Login, a.Name, a.Kind, append([]elicense.Duty{}, a.Duties...), a.Disabled, a.Initial(), a.Stamp})
	}
	return o
}

type unitsOut struct {
	Units []unitOut         `json:"units"`
	Next  elicense.UnitCode `json:"next,omitempty" doc:"接着读下一页时作为after"`
}

func (s *server) units(ctx context.Context, who *elicense.Actor, in *struct {
	After elicense.UnitCode `query:"after" maxLength:"18"`
	Limit int               `query:"limit" minimum:"1" maximum:"200" default:"100"`
},
) (*body[unitsOut], error) {
	list, more, err := s.Posts.Units(ctx, who, "", in.After, in.Limit)
	out := &body[unitsOut]{unitsOut{Units: []unitOut{}}}
	for _, u := range list {
		out.Body.Units = append(out.Body.Units, unitOf(u))
	}
	if more > 0 {
		out.Body.Next = list[len(list)-1].Code
	}
	return out, err
}

func (s *server) unit(ctx context.Context, who *elicense.Actor, in *struct {
	Unit elicense.UnitCode `path:"unit" maxLength:"18"`
},
) (*body[unitOut], error) {
	u, err := s.Posts.Unit(ctx, who, in.Unit)
	if err != nil {
		return nil, err
	}
	return &body[unitOut]{unitOf(*u)}, nil
}

// UnitFields is what is known of a unit beside its code; exported, or huma does not see
// it where it is embedded.
type UnitFields struct {
	Name       string              `json:"name"`
	Kind       string              `json:"kind"`
	Region     elicense.RegionCode `json:"region" doc:"行政区划代码，6位（GB/T 2260）"`
	RegionName string              `json:"regionName"`
	Parent     elicense.UnitCode   `json:"parent,omitempty" doc:"上级单位；不写就是没有"`
}

func (u UnitFields) unit(code elicense.UnitCode) org.Unit {
	return org.Unit{Code: code, Name: u.Name, Kind: u.Kind, Region: u.Region, RegionName: u.RegionName, Parent: u.Parent, Roles: []string{}}
}

type unitName struct {
	Code elicense.UnitCode `json:"code"`
}

func (s *server) registerUnit(ctx context.Context, who *elicense.Actor, in *struct {
	Body struct {
		Code elicense.UnitCode `json:"code" doc:"统一社会信用代码（GB 32100）"`
		UnitFields
	}
},
) (*body[unitName], error) {
	code := elicense.UnitCode(elicense.NormalizeCode(string(in.Body.Code)))
	if err := s.Posts.PutUnit(ctx, who, in.Body.unit(code), true); err != nil {
		return nil, err
	}
	return &body[unitName]{unitName{code}}, nil
}

func (s *server) changeUnit(ctx context.Context, who *elicense.Actor, in *struct {
	Unit elicense.UnitCode `path:"unit" maxLength:"18"`
	Body UnitFields
},
) (*body[done], error) {
	return yes, s.Posts.PutUnit(ctx, who, in.Body.unit(in.Unit), false)
}

// handedOut hands a secret over. The answer that is kept for a repeated request goes
// without it; see withoutSecret.
type handedOut struct {
	Login  string `json:"login"`
	Secret string `json:"secret,omitempty" doc:"只给这一次"`
}

func (s *server) openAccount(ctx context.Context, who *elicense.Actor, in *struct {
	Unit elicense.UnitCode `path:"unit" maxLength:"18"`
	Body struct {
		Kind   elicense.ActorKind `json:"kind" enum:"staff,system" doc:"staff人员 system业务系统"`
		Login  string             `json:"login" doc:"小写字母、数字和连字符，字母开头，2到40位"`
		Name   string             `json:"name" doc:"姓名，或业务系统的名称"`
		Person string             `json:"person,omitempty" doc:"人员的公民身份号码"`
		Duties []elicense.Duty    `json:"duties" maxItems:"30"`
	}
},
) (*body[handedOut], error) {
	b := in.Body
	login := strings.TrimSpace(b.Login)
	secret, err := s.Posts.Open(ctx, who, posts.Opening{Unit: in.Unit, Kind: b.Kind, Login: login, Name: b.Name, Person: b.Person, Duties: b.Duties})
	if err != nil {
		return nil, err
	}
	return &body[handedOut]{handedOut{login, secret}}, nil
}

func (s *server) moveAccount(ctx context.Context, who *elicense.Actor, in *struct {
	Login string `path:"login" maxLength:"64"`
	Body  struct {
		Move   string          `json:"move" enum:"duties,close,reopen,reset" doc:"duties改岗位职责 close停用 reopen启用，岗位职责和停用时一样，给新的secret reset重新设置密码，给新的secret"`
		Duties []elicense.Duty `json:"duties,omitempty" maxItems:"30" doc:"改岗位职责：改后全部的岗位职责"`
		Stamp  int64           `json:"stamp,omitempty" doc:"改岗位职责：看到的账号的stamp"`
	}
},
) (*body[handedOut], error) {
	out, b, err := &body[handedOut]{handedOut{Login: in.Login}}, in.Body, error(nil)
	switch {
	case b.Move == "duties" && b.Stamp == 0:
		err = elicense.E(elicense.Invalid, "改岗位职责要写明看到的stamp").At("stamp").Then("请先查询账号")
	case b.Move == "duties":
		err = s.Posts.SetDuties(ctx, who, in.Login, b.Duties, b.Stamp)
	case b.Move == "close":
		err = s.Posts.Close(ctx, who, in.Login)
	case b.Move == "reopen":
		out.Body.Secret, err = s.Posts.Reopen(ctx, who, in.Login)
	case b.Move == "reset":
		out.Body.Secret, err = s.Posts.Reset(ctx, who, in.Login)
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (s *server) changePassword(ctx context.Context, who *elicense.Actor, in *struct {
	Body struct {
		Old string `json:"old" doc:"现在的密码"`
		New string `json:"new" doc:"10到128个字符，不含登录名"`
	}
},
) (*body[done], error) {
	err := s.Org.ChangePassword(ctx, who, in.Body.Old, in.Body.New)
	var e *elicense.Error
	if errors.As(err, &e) && e.Field == "password" {
		e.Field = "new"
	}
	return yes, err
}
