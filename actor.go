package elicense

import "slices"

// Duty is what a post lets a person do (Art. 5, 20). Roles alone open no
// license: access also asks for the open case and its parties (Art. 13(2)).
type Duty string

// The duties.
const (
	DutyRegister  Duty = "register"  // 类别登记: propose and confirm license types of the unit
	DutyDraft     Duty = "draft"     // 制证: enter completed cases, make drafts
	DutyReview    Duty = "review"    // 审核签章: approve drafts and changes of another person
	DutyChange    Duty = "change"    // 状态变更: enter the events of Art. 10
	DutyWindow    Duty = "window"    // 窗口: open cases and use licenses in them
	DutyTypes     Duty = "types"     // 电子政务管理: check and publish license types
	DutySeals     Duty = "seals"     // 印章管理: make, file, enable electronic seals
	DutyAccounts  Duty = "accounts"  // 人员与岗位
	DutySupervise Duty = "supervise" // 监督检查
	DutyDisclose  Duty = "disclose"  // 依法调取: propose and approve statutory disclosures
	DutyMatters   Duty = "matters"   // 事项管理: propose matters and their material lists
	DutyAudit     Duty = "audit"     // 安全审计: the record and its proofs
	DutySubmit    Duty = "submit"    // a business system: post completed cases
)

var dutyWords = map[Duty]string{
	DutyRegister: "类别登记", DutyDraft: "制证", DutyReview: "审核签章", DutyChange: "状态变更",
	DutyWindow: "窗口收件", DutyTypes: "类别审核", DutySeals: "印章管理", DutyAccounts: "人员管理",
	DutySupervise: "监督检查", DutyAudit: "安全审计", DutySubmit: "业务系统接入", DutyMatters: "事项管理", DutyDisclose: "依法调取",
}

// Chinese returns the word shown to people.
func (d Duty) Chinese() string { return dutyWords[d] }

// ActorKind says what sort of actor acts.
type ActorKind string

// The kinds of actor.
const (
	Staff  ActorKind = "staff"  // a person of a unit
	System ActorKind = "system" // a business system of a unit
	Holder ActorKind = "holder" // a holder, or who acts for one
	Public ActorKind = "public" // anyone
	Job    ActorKind = "job"    // the platform itself, going on with what a person started
)

// Actor is who acts: every act and every reading names one.
type Actor struct {
	Kind     ActorKind
	Account  AccountID
	Person   PersonID // the real person behind it; empty for systems and the public
	Name     string
	Unit     UnitCode
	UnitName string
	UnitKind string // of org: dept, hall, third_party, …
	// Level is how strongly the sign-in proves who it is (Art. 17(3)): 1 by
	// password, 2 by a second factor or real-name proof, 3 by certificate.
	Level   int
	Holder  HolderKey // of a holder: whose licenses are his own
	Duties  []Duty
	Request string // the request this is done in
	// Secret tells the password he signed in with from the next: what was opened
	// with it ends with it. Initial says that it is the one he was given; until he
	// has chosen his own he has no duties.
	Secret  string
	Initial bool
	// Stamp grows when the account's duties change; a decision made under an
	// older one is made again.
	Stamp int64
}

// Has tells whether the actor has the duty.
func (a *Actor) Has(d Duty) bool { return slices.Contains(a.Duties, d) }

// Anyone is the actor of public requests.
func Anyone(request string) *Actor {
	return &Actor{Kind: Public, Name: "公众", Request: request}
}
