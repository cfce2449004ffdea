package access

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"elicense"
)

// The people of the table.
var (
	clerk = &elicense.Actor{Level: 1, Kind: elicense.Staff, Account: "a1", Person: "p1", Unit: "u1", Duties: []elicense.Duty{
		elicense.DutyWindow, elicense.DutyDraft, elicense.DutyChange, elicense.DutyRegister,
	}}
	reviewer = &elicense.Actor{Level: 1, Kind: elicense.Staff, Account: "a2", Person: "p2", Unit: "u1", Duties: []elicense.Duty{elicense.DutyReview}}
	both     = &elicense.Actor{Level: 1, Kind: elicense.Staff, Account: "a3", Person: "p1", Unit: "u1", Duties: []elicense.Duty{elicense.DutyReview, elicense.DutyTypes}}
	admin    = &elicense.Actor{Level: 1, Kind: elicense.Staff, Account: "a4", Person: "p4", Unit: "u9", UnitKind: "egov", Duties: []elicense.Duty{elicense.DutyTypes, elicense.DutyAudit, elicense.DutyAccounts}}
	idle     = &elicense.Actor{Level: 1, Kind: elicense.Staff, Account: "a5", Person: "p5", Unit: "u1"}
	stranger = &elicense.Actor{Level: 1, Kind: elicense.Staff, Account: "a6", Person: "p6", Unit: "u2", Duties: []elicense.Duty{
		elicense.DutyWindow, elicense.DutyDraft, elicense.DutyReview, elicense.DutyChange, elicense.DutyRegister,
	}}
	neighbor = &elicense.Actor{Level: 1, Kind: elicense.Staff, Account: "a7", Person: "p7", Unit: "u1", Duties: []elicense.Duty{elicense.DutyWindow}}
	machine  = &elicense.Actor{Level: 1, Kind: elicense.System, Account: "s1", Unit: "u1", Duties: []elicense.Duty{elicense.DutySubmit}}
	keeper   = &elicense.Actor{Level: 1, Kind: elicense.Staff, Account: "a10", Person: "p10", Unit: "u9", Duties: []elicense.Duty{elicense.DutySeals}}
	holder   = &elicense.Actor{Level: 1, Kind: elicense.Holder, Account: "h1", Person: "p8", Holder: "k1"}
	outsider = &elicense.Actor{Level: 1, Kind: elicense.Staff, Account: "a1", Person: "p1", Unit: "u1", UnitKind: "third_party", Duties: []elicense.Duty{elicense.DutyWindow}}
	matters  = &elicense.Actor{Level: 1, Kind: elicense.Staff, Account: "a11", Person: "p11", Unit: "u1", Duties: []elicense.Duty{elicense.DutyMatters}}
	officer  = &elicense.Actor{Level: 1, Kind: elicense.Staff, Account: "a12", Person: "p12", Unit: "u5", Duties: []elicense.Duty{elicense.DutyDisclose}}
	anyone   = elicense.Anyone("r1")

	// posts keeps the accounts of unit u1, region those of a region.
	posts  = &elicense.Actor{Level: 1, Kind: elicense.Staff, Account: "a13", Person: "p13", Unit: "u1", UnitKind: "dept", Duties: []elicense.Duty{elicense.DutyAccounts}}
	region = &elicense.Actor{Level: 1, Kind: elicense.Staff, Account: "a14", Person: "p14", Unit: "u8", UnitKind: "egov", Duties: []elicense.Duty{elicense.DutyAccounts}}

	returning = &elicense.Actor{Level: 1, Kind: elicense.System, Unit: "u1"} // a source of references
)

// openCase is a case of clerk, in which k1 is a proven party and k2 is not
// proven, whose matter lists type t1 with the fields name and scope.
func openCase(change ...any) Attr {
	a := Attr{
		"units": []string{"u1", "u7"}, "clerk": "a1", "state": "open", "parties": []string{"k1", "k2"}, "proven": []string{"k1"},
		"types": []string{"t1"}, "fields": []string{"t1/name", "t1/scope"},
	}
	for i := 0; i+1 < len(change); i += 2 {
		a[change[i].(string)] = change[i+1]
	}
	return a
}

// account is a clerk's of unit u1, which is not of the actor's region.
func account(change ...any) Attr {
	a := Attr{"unit": "u1", "within": false, "person": "p1", "high": false}
	for i := 0; i+1 < len(change); i += 2 {
		a[change[i].(string)] = change[i+1]
	}
	return a
}

// opening is a case about to be opened of a matter of unit u1.
func opening(change ...any) Attr {
	a := Attr{"units": []string{"u1"}, "parties": 1, "unproven": 0, "self": false}
	for i := 0; i+1 < len(change); i += 2 {
		a[change[i].(string)] = change[i+1]
	}
	return a
}

func use(change ...any) Attr {
	a := Attr{"type": "t1", "holder": "k1", "purpose": "烟草专卖零售许可", "fields": []string{"t1/name"},
		"level": 1, "withheld": false, "unagreed": false, "tries": 0, "file": false}
	for i := 0; i+1 < len(change); i += 2 {
		a[change[i].(string)] = change[i+1]
	}
	return a
}

type lawCase struct {
	name  string
	actor *elicense.Actor
	act   Act
	on    Attr
	when  Attr
	rule  string // the rule that permits or refuses
	ok    bool
}

var lawCases = []lawCase{
	{"the administration registers a source of references", admin, SourceKeep, Attr{}, nil, "source-keep", true},
	{"the unit it returns to does not", clerk, SourceKeep, Attr{"unit": "u1"}, nil, "source-keep-post", false},
	{"a live source returns references of its unit", returning, ReferenceReturn, Attr{"unit": "u1", "live": true}, nil, "reference-return", true},
	{"one that is paused returns nothing", returning, ReferenceReturn, Attr{"unit": "u1", "live": false}, nil, "reference-return-live", false},
	{"a business system with an account is no source", machine, ReferenceReturn, Attr{"unit": "u1", "live": true}, nil, "reference-return-source", false},
	{"nor is a source one of another unit", returning, ReferenceReturn, Attr{"unit": "u2", "live": true}, nil, "reference-return-source", false},
	{"the unit sees its sources", clerk, ReferenceRead, Attr{"unit": "u1"}, nil, "reference-read", true},
	{"the administration sees all", admin, ReferenceRead, Attr{}, nil, "reference-read", true},
	{"another unit does not", stranger, ReferenceRead, Attr{"unit": "u1"}, nil, "reference-read-who", false},
	{"the unit opens the rows that did not stand", reviewer, ReferenceRows, Attr{"unit": "u1"}, nil, "reference-rows", true},
	{"the administration does not", admin, ReferenceRows, Attr{"unit": "u1"}, nil, "reference-rows-unit", false},
	{"the unit has a reference checked", clerk, ReferenceCheck, Attr{"unit": "u1"}, nil, "reference-check", true},
	{"another unit has not", stranger, ReferenceCheck, Attr{"unit": "u1"}, nil, "reference-check-unit", false},
	{"the unit says what it awaits of ministries", clerk, AwaitedKeep, Attr{"unit": "u1"}, nil, "awaited-keep", true},
	{"nobody says it for another", stranger, AwaitedKeep, Attr{"unit": "u1"}, nil, "awaited-keep-unit", false},
	{"the unit sees what it awaits", clerk, AwaitedRead, Attr{"unit": "u1"}, nil, "awaited-read", true},
	{"supervision sees it of all", admin, AwaitedRead, Attr{}, nil, "awaited-read", true},
	{"another unit does not see it", stranger, AwaitedRead, Attr{"unit": "u1"}, nil, "awaited-read-who", false},

	{"a window clerk opens a case of his unit's matter", clerk, CaseOpen, opening(), nil, "case-open", true},
	{"a business system opens one by ticket", &elicense.Actor{Level: 1, Kind: elicense.System, Account: "s2", Unit: "u1", Duties: []elicense.Duty{elicense.DutyWindow}}, CaseOpen, opening(), Attr{"ticket": true}, "case-open", true},
	{"and not without", &elicense.Actor{Level: 1, Kind: elicense.System, Account: "s2", Unit: "u1", Duties: []elicense.Duty{elicense.DutyWindow}}, CaseOpen, opening(), Attr{"ticket": false}, "case-open-ticket", false},
	{"the administration registers a system's key", admin, SystemKeep, Attr{}, nil, "system-keep", true},
	{"a unit does not register one", clerk, SystemKeep, Attr{}, nil, "system-keep-post", false},
	{"nor does who keeps the accounts of one unit", posts, SystemKeep, Attr{}, nil, "system-keep-post", false},

	{"the administration registers a unit of its region", region, UnitKeep, Attr{"within": true}, nil, "unit-keep", true},
	{"not of another region", region, UnitKeep, Attr{"within": false}, nil, "unit-keep-region", false},
	{"a unit registers none", posts, UnitKeep, Attr{"within": true}, nil, "unit-keep-post", false},
	{"the administration sees all accounts", region, AccountRead, Attr{"unit": ""}, nil, "account-read", true},
	{"who audits too", admin, AccountRead, Attr{"unit": "u1"}, nil, "account-read", true},
	{"a unit sees its own", posts, AccountRead, Attr{"unit": "u1"}, nil, "account-read", true},
	{"not those of another", posts, AccountRead, Attr{"unit": "u2"}, nil, "account-read-unit", false},
	{"a clerk sees none", clerk, AccountRead, Attr{"unit": "u1"}, nil, "account-read-post", false},
	{"the administration gives a duty of its own", region, AccountKeep, account("unit", "u2", "within", true, "high", true), nil, "account-keep", true},
	{"a unit gives its clerks their duties", posts, AccountKeep, account(), nil, "account-keep", true},
	{"not those of the administration", posts, AccountKeep, account("high", true), nil, "account-keep-high", false},
	{"not to a clerk of another unit", posts, AccountKeep, account("unit", "u2"), nil, "account-keep-post", false},
	{"the administration of one region not in another", region, AccountKeep, account("unit", "u2"), nil, "account-keep-post", false},
	{"nobody keeps his own account", region, AccountKeep, account("unit", "u8", "within", true, "person", "p14"), nil, "account-keep-self", false},
	{"a clerk keeps none", clerk, AccountKeep, account(), nil, "account-keep-post", false},

	{"a hall opens one by a filed entrustment", stranger, CaseOpen, opening("units", []string{"u1", "u2"}), nil, "case-open", true},
	{"who has no window duty opens no case", reviewer, CaseOpen, opening(), nil, "case-open-post", false},
	{"a third party opens no case", outsider, CaseOpen, opening(), nil, "case-open-outside", false},
	{"another unit's matter", stranger, CaseOpen, opening(), nil, "case-open-unit", false},
	{"a case without parties", clerk, CaseOpen, opening("parties", 0), nil, "case-open-parties", false},
	{"a case with an unproven party", clerk, CaseOpen, opening("parties", 2, "unproven", 1), nil, "case-open-proof", false},
	{"a case of oneself", clerk, CaseOpen, opening("self", true), nil, "case-open-self", false},

	{"the clerk reads his case", clerk, CaseRead, Attr{"units": []string{"u1"}, "clerk": "a1"}, nil, "case-read", true},
	{"the clerk closes his case", clerk, CaseClose, Attr{"units": []string{"u1"}, "clerk": "a1"}, nil, "case-read", true},
	{"the clerk brings his case on", clerk, CaseMove, Attr{"units": []string{"u1"}, "clerk": "a1"}, nil, "case-read", true},
	{"the clerk adds a proven party", clerk, CaseJoin, Attr{"units": []string{"u1"}, "clerk": "a1"}, Attr{"proven": true, "self": false}, "case-read", true},
	{"not an unproven one", clerk, CaseJoin, openCase(), Attr{"proven": false, "self": false}, "case-join-proof", false},
	{"nor himself", clerk, CaseJoin, openCase(), Attr{"proven": true, "self": true}, "case-join-self", false},
	{"a colleague does not read it", neighbor, CaseRead, openCase(), nil, "case-read-own", false},
	{"a clerk who moved to another unit does not", &elicense.Actor{Level: 1, Kind: elicense.Staff, Account: "a1", Unit: "u2", Duties: []elicense.Duty{elicense.DutyWindow}}, CaseMove, openCase(), nil, "case-read-own", false},
	{"a case that does not exist is refused alike", clerk, CaseRead, openCase("units", []string{""}, "clerk", ""), nil, "case-read-own", false},

	{"a clerk takes a case from the queue", neighbor, CaseTake, Attr{"units": []string{"u1"}, "stage": "received"}, Attr{"self": false}, "case-take", true},
	{"another unit's clerk does not", stranger, CaseTake, Attr{"units": []string{"u1"}, "stage": "received"}, Attr{"self": false}, "case-take-post", false},
	{"nobody takes his own", neighbor, CaseTake, Attr{"units": []string{"u1"}, "stage": "received"}, Attr{"self": true}, "case-take-self", false},

	{"a holder applies online", holder, CaseApply, Attr{"online": true, "own": true}, nil, "case-apply", true},
	{"not for another", holder, CaseApply, Attr{"online": true, "own": false}, nil, "case-apply-own", false},
	{"not where presence is law", holder, CaseApply, Attr{"online": false, "own": true}, nil, "case-apply-online", false},
	{"a party looks at the case", holder, CaseOwn, Attr{"parties": []string{"k1"}, "stage": "accepted"}, nil, "case-own", true},
	{"nobody else does", &elicense.Actor{Level: 1, Kind: elicense.Holder, Account: "h3", Holder: "k3"}, CaseOwn, Attr{"parties": []string{"k1"}, "stage": "accepted"}, nil, "case-own-party", false},
	{"a party does not see what another still fills in", &elicense.Actor{Level: 1, Kind: elicense.Holder, Account: "h2", Holder: "k2"}, CaseOwn, Attr{"parties": []string{"k1", "k2"}, "stage": "filling", "applicant": "h1"}, nil, "case-own-party", false},
	{"the applicant sends", holder, CaseOwnMove, Attr{"applicant": "h1"}, nil, "case-own-move", true},
	{"another party does not", &elicense.Actor{Level: 1, Kind: elicense.Holder, Account: "h2", Holder: "k2"}, CaseOwnMove, Attr{"applicant": "h1"}, nil, "case-own-applicant", false},

	{"a unit proposes its matter", matters, MatterPropose, Attr{"unit": "u1"}, nil, "matter-propose", true},
	{"not another unit's", matters, MatterPropose, Attr{"unit": "u2"}, nil, "matter-own-unit", false},
	{"the administration publishes the list", admin, MatterPublish, Attr{"proposer": "p11"}, nil, "matter-publish", true},
	{"the unit does not publish its list", matters, MatterPublish, Attr{"proposer": "p3"}, nil, "matter-administration", false},
	{"nor the proposer", both, MatterPublish, Attr{"proposer": "p1"}, nil, "matter-other-person", false},
	{"the administration keeps the bases", admin, BasisKeep, Attr{}, nil, "basis-keep", true},
	{"a unit does not", matters, BasisKeep, Attr{}, nil, "basis-administration", false},
	{"the administration keeps the calendar", admin, CalendarKeep, Attr{}, nil, "calendar-keep", true},
	{"a unit does not change working days", matters, CalendarKeep, Attr{}, nil, "calendar-administration", false},

	{"the clerk queries a listed license of a party", clerk, CaseUse, openCase(), use(), "case-use", true},
	{"who has no window duty queries nothing", reviewer, CaseUse, openCase(), use(), "use-post", false},
	{"a third party queries nothing", outsider, CaseUse, openCase(), use(), "use-outside", false},
	{"a sign-in too weak for the type", clerk, CaseUse, openCase(), use("level", 3), "use-level", false},
	{"a type that is not shared", clerk, CaseUse, openCase(), use("withheld", true), "use-withheld", false},
	{"a sensitive type before the holder agreed", clerk, CaseUse, openCase(), use("unagreed", true), "use-agreed", false},
	{"a fifth wrong comparison", clerk, CaseUse, openCase(), use("tries", 5), "use-tries", false},
	{"a colleague's case", neighbor, CaseUse, openCase(), use(), "use-own-case", false},
	{"another unit's case", stranger, CaseUse, openCase(), use(), "use-own-case", false},
	{"a closed case", clerk, CaseUse, openCase("state", "closed"), use(), "use-open-case", false},
	{"a type outside the material list", clerk, CaseUse, openCase(), use("type", "t2", "fields", []string{}), "use-material-list", false},
	{"a person who is no party", clerk, CaseUse, openCase(), use("holder", "k3"), "use-party", false},
	{"a holder the platform does not know", clerk, CaseUse, openCase(), use("holder", ""), "use-party", false},
	{"a party whose identity is not proven", clerk, CaseUse, openCase(), use("holder", "k2"), "use-proven", false},
	{"a field the matter does not need", clerk, CaseUse, openCase(), use("fields", []string{"t1/name", "t1/photo"}), "use-fields", false},
	{"the document itself where the matter needs it", clerk, CaseUse, openCase("files", []string{"t1"}), use("file", true), "case-use", true},
	{"and not where fields are enough", clerk, CaseUse, openCase("files", []string{"t2"}), use("file", true), "use-file", false},
	{"no purpose", clerk, CaseUse, openCase(), use("purpose", ""), "use-purpose", false},

	{"a holder opens his license", holder, LicenseOwn, Attr{"holders": []string{"k1"}}, nil, "holder-own", true},
	{"not another's", holder, LicenseOwn, Attr{"holders": []string{"k2"}}, nil, "holder-only-own", false},
	{"staff open no folder", clerk, LicenseOwn, Attr{"holders": []string{""}}, nil, "holder-only-own", false},

	{"a holder says where he is told", holder, ContactOwn, Attr{"holder": "k1"}, nil, "contact-own", true},
	{"not for another", holder, ContactOwn, Attr{"holder": "k2"}, nil, "contact-only-own", false},
	{"staff have no addresses of holders", clerk, ContactOwn, Attr{"holder": ""}, nil, "contact-only-own", false},
	{"a clerk takes the address of a proven party", clerk, ContactTake,
		Attr{"units": []string{"u1", "u7"}, "clerk": "a1", "state": "open", "proven": []string{"k1"}}, Attr{"holder": "k1"}, "contact-take", true},
	{"not of one whose identity is not proven", clerk, ContactTake, openCase(), Attr{"holder": "k2"}, "contact-take-proven", false},
	{"nor of nobody", clerk, ContactTake, openCase("proven", []string{""}), Attr{"holder": ""}, "contact-take-proven", false},
	{"nor in a colleague's case", neighbor, ContactTake, openCase(), Attr{"holder": "k1"}, "contact-take-case", false},
	{"nor in a closed one", clerk, ContactTake, openCase("state", "closed"), Attr{"holder": "k1"}, "contact-take-case", false},
	{"a clerk hands a license of his unit over", clerk, DeliveryHandle, Attr{"issuer": "u1"}, nil, "delivery-handle", true},
	{"another unit's does not", stranger, DeliveryHandle, Attr{"issuer": "u1"}, nil, "delivery-handle-unit", false},
	{"nor does a business system", machine, DeliveryHandle, Attr{"issuer": "u1"}, nil, "delivery-handle-unit", false},

	{"a window of the case finds what waits", clerk, DeliveryFind, Attr{"units": []string{"u9", "u1"}}, nil, "delivery-find", true},
	{"another window does not", stranger, DeliveryFind, Attr{"units": []string{"u9", "u1"}}, nil, "delivery-window-unit", false},
	{"nor does it find what is nowhere", clerk, DeliveryFind, Attr{"units": []string{}}, nil, "delivery-window-unit", false},
	{"nor does a business system", machine, DeliveryFind, Attr{"units": []string{"u1"}}, nil, "delivery-window-unit", false},
	{"a clerk hands over to who has proven himself", clerk, DeliveryWindow, Attr{"units": []string{"u1"}}, Attr{"proven": true, "self": false}, "delivery-window", true},
	{"not at another window", stranger, DeliveryWindow, Attr{"units": []string{"u1"}}, Attr{"proven": true, "self": false}, "delivery-window-unit", false},
	{"not to who has not", clerk, DeliveryWindow, Attr{"units": []string{"u1"}}, Attr{"proven": false, "self": false}, "delivery-window-proven", false},
	{"not to himself", clerk, DeliveryWindow, Attr{"units": []string{"u1"}}, Attr{"proven": true, "self": true}, "delivery-window-self", false},

	{"the issuing unit sees its license", clerk, LicenseIssued, Attr{"issuer": "u1"}, nil, "license-issued", true},
	{"another unit does not", stranger, LicenseIssued, Attr{"issuer": "u1"}, nil, "issued-own-unit", false},

	{"a clerk makes a draft", clerk, DraftMake, Attr{"unit": "u1", "issuers": []string{"u1"}}, nil, "draft-make", true},
	{"a business system makes a draft", machine, DraftMake, Attr{"unit": "u1", "issuers": []string{"u1"}}, nil, "draft-make", true},
	{"who has no duty makes none", idle, DraftMake, Attr{"unit": "u1", "issuers": []string{"u1"}}, nil, "draft-post", false},
	{"a unit not registered as issuer makes none", clerk, DraftMake, Attr{"unit": "u1", "issuers": []string{"u3"}}, nil, "draft-issuer", false},
	{"the unit reads its draft", reviewer, DraftRead, Attr{"unit": "u1"}, nil, "draft-read", true},
	{"another unit does not read it", stranger, DraftRead, Attr{"unit": "u1"}, nil, "draft-read-unit", false},

	{"another person reviews", reviewer, DraftReview, Attr{"unit": "u1", "drafters": []string{"p1"}}, nil, "draft-review", true},
	{"the drafter under another account does not", both, DraftReview, Attr{"unit": "u1", "drafters": []string{"p1"}}, nil, "review-other-person", false},
	{"who only drafts does not review", clerk, DraftReview, Attr{"unit": "u1", "drafters": []string{"p9"}}, nil, "review-post", false},
	{"another person enters it again", reviewer, DraftEnter, Attr{"unit": "u1", "drafters": []string{"p1"}}, nil, "draft-enter", true},
	{"who entered it first does not", clerk, DraftEnter, Attr{"unit": "u1", "drafters": []string{string(clerk.Person)}}, nil, "enter-other-person", false},
	{"another unit does not enter it", stranger, DraftEnter, Attr{"unit": "u1", "drafters": []string{}}, nil, "enter-post", false},
	{"another unit's reviewer does not", stranger, DraftReview, Attr{"unit": "u1", "drafters": []string{"p1"}}, nil, "review-post", false},

	{"a clerk proposes a change", clerk, ChangePropose, Attr{"unit": "u1"}, nil, "change-propose", true},
	{"another unit does not", stranger, ChangePropose, Attr{"unit": "u1"}, nil, "change-issuer", false},
	{"another person reviews the change", reviewer, ChangeReview, Attr{"unit": "u1", "proposer": "p1"}, nil, "change-review", true},
	{"the proposer does not", both, ChangeReview, Attr{"unit": "u1", "proposer": "p1"}, nil, "change-other-person", false},
	{"a window clerk reviews no change", neighbor, ChangeReview, Attr{"unit": "u1", "proposer": "p1"}, nil, "review-post", false},

	{"a clerk proposes to withdraw a license", clerk, WithdrawPropose, Attr{"unit": "u1"}, nil, "withdraw-propose", true},
	{"another unit does not", stranger, WithdrawPropose, Attr{"unit": "u1"}, nil, "withdraw-issuer", false},
	{"nor does a business system", machine, WithdrawPropose, Attr{"unit": "u1"}, nil, "withdraw-issuer", false},
	{"another person reviews the withdrawal", reviewer, WithdrawReview, Attr{"unit": "u1", "proposer": "p1"}, nil, "withdraw-review", true},
	{"who proposed it does not", both, WithdrawReview, Attr{"unit": "u1", "proposer": "p1"}, nil, "withdraw-other-person", false},
	{"a window clerk reviews none", neighbor, WithdrawReview, Attr{"unit": "u1", "proposer": "p1"}, nil, "review-post", false},

	{"a unit proposes its type", clerk, TypePropose, Attr{"unit": "u1"}, nil, "type-propose", true},
	{"not another unit's", clerk, TypePropose, Attr{"unit": "u2"}, nil, "type-own-unit", false},
	{"the administration publishes", admin, TypePublish, Attr{"proposer": "p1"}, nil, "type-publish", true},
	{"the unit itself does not", clerk, TypePublish, Attr{"proposer": "p3"}, nil, "type-administration", false},
	{"nor the proposer as administrator", both, TypePublish, Attr{"proposer": "p1"}, nil, "type-other-person", false},

	{"a unit applies for its seal", reviewer, SealApply, Attr{"unit": "u1"}, nil, "seal-apply", true},
	{"not for another unit's", stranger, SealApply, Attr{"unit": "u1"}, nil, "seal-apply-own", false},
	{"a window clerk applies for none", neighbor, SealApply, Attr{"unit": "u1"}, nil, "seal-apply-own", false},
	{"the administration makes it", keeper, SealManage, Attr{"applicant": "p1"}, nil, "seal-manage", true},
	{"the unit itself does not", reviewer, SealManage, Attr{"unit": "u1", "applicant": "p1"}, nil, "seal-administration", false},
	{"nor the applicant as administrator", keeper, SealManage, Attr{"unit": "u1", "applicant": "p10"}, nil, "seal-other-person", false},
	{"its own unit stops it", reviewer, SealStop, Attr{"unit": "u1"}, nil, "seal-stop", true},
	{"the administration stops it", keeper, SealStop, Attr{}, nil, "seal-stop", true},
	{"another unit does not", stranger, SealStop, Attr{"unit": "u1"}, nil, "seal-stop-who", false},
	{"its own unit reads its log", reviewer, SealRead, Attr{"unit": "u1"}, nil, "seal-read", true},
	{"the auditor reads its log", admin, SealRead, Attr{}, nil, "seal-read", true},
	{"a window clerk does not", neighbor, SealRead, Attr{"unit": "u1"}, nil, "seal-read-who", false},

	{"an officer proposes a disclosure", officer, DisclosePropose, Attr{}, nil, "disclose-propose", true},
	{"a window clerk does not", clerk, DisclosePropose, Attr{}, nil, "disclose-post", false},
	{"an officer looks at an act of his unit", officer, DiscloseLook, Attr{"unit": "u5"}, nil, "disclose-look", true},
	{"and at no other's", officer, DiscloseLook, Attr{"unit": "u6"}, nil, "disclose-look-unit", false},
	{"a second officer approves", officer, DiscloseApprove, Attr{"unit": "u5", "first": "p13"}, nil, "disclose-approve", true},
	{"not the first", officer, DiscloseApprove, Attr{"unit": "u5", "first": "p12"}, nil, "disclose-second", false},
	{"nor another unit's", officer, DiscloseApprove, Attr{"unit": "u6", "first": "p13"}, nil, "disclose-second", false},
	{"one of the two reads", officer, DiscloseRead, Attr{"unit": "u5", "first": "p13", "second": "p12", "fresh": true}, nil, "disclose-read", true},
	{"a third does not", officer, DiscloseRead, Attr{"unit": "u5", "first": "p13", "second": "p14", "fresh": true}, nil, "disclose-two", false},
	{"nor the two before approval or after a day", officer, DiscloseRead, Attr{"unit": "u5", "first": "p13", "second": "p12", "fresh": false}, nil, "disclose-fresh", false},
	{"the administration sees the figures", admin, FiguresRead, Attr{}, nil, "figures-read", true},
	{"a clerk those of his unit", neighbor, FiguresRead, Attr{"unit": "u1"}, nil, "figures-read", true},
	{"and no other's", neighbor, FiguresRead, Attr{"unit": "u2"}, nil, "figures-who", false},
	{"the administration sees how the base registries do", admin, RegistriesRead, Attr{}, nil, "registries-read", true},
	{"a unit does not", reviewer, RegistriesRead, Attr{}, nil, "registries-who", false},
	{"supervision sees the kits of every unit", admin, KitsRead, Attr{}, nil, "kits-read", true},
	{"a unit does not", reviewer, KitsRead, Attr{}, nil, "kits-read-who", false},
	{"a clerk reports the closed cases of his unit", clerk, OnTimeReport, Attr{"unit": "u1"}, nil, "ontime-report", true},
	{"and so does its business system", machine, OnTimeReport, Attr{"unit": "u1"}, nil, "ontime-report", true},
	{"not those of another unit", stranger, OnTimeReport, Attr{"unit": "u1"}, nil, "ontime-report-unit", false},
	{"nor does a window", neighbor, OnTimeReport, Attr{"unit": "u1"}, nil, "ontime-report-unit", false},
	{"a unit sees what it owes", reviewer, OnTimeOwn, Attr{"unit": "u1"}, nil, "ontime-own", true},
	{"no other does", stranger, OnTimeOwn, Attr{"unit": "u1"}, nil, "ontime-own-unit", false},
	{"nor the administration", admin, OnTimeOwn, Attr{"unit": "u1"}, nil, "ontime-own-unit", false},
	{"a unit sees what it made late", reviewer, OnTimeRead, Attr{"unit": "u1"}, nil, "ontime-read", true},
	{"the administration sees what all owe", admin, OnTimeRead, Attr{}, nil, "ontime-read", true},
	{"another unit does not", stranger, OnTimeRead, Attr{"unit": "u1"}, nil, "ontime-read-who", false},
	{"a clerk hands on what is owed", clerk, OnTimeHandle, Attr{"unit": "u1"}, nil, "ontime-handle", true},
	{"a business system does not", machine, OnTimeHandle, Attr{"unit": "u1"}, nil, "ontime-handle-unit", false},
	{"another officer confirms that no license comes of it", reviewer, OnTimeConfirm, Attr{"unit": "u1", "claimer": "p1"}, nil, "ontime-confirm", true},
	{"not who said so", both, OnTimeConfirm, Attr{"unit": "u1", "claimer": "p1"}, nil, "ontime-confirm-other", false},
	{"nor who does not review", clerk, OnTimeConfirm, Attr{"unit": "u1", "claimer": "p9"}, nil, "ontime-confirm-post", false},
	{"a unit says how soon it makes licenses", reviewer, OnTimeSet, Attr{"unit": "u1"}, nil, "ontime-set", true},
	{"and no other says it", stranger, OnTimeSet, Attr{"unit": "u1"}, nil, "ontime-set-unit", false},
	{"the administration excuses a unit", admin, OnTimeExcuse, Attr{"unit": "u1"}, nil, "ontime-excuse", true},
	{"a unit does not", reviewer, OnTimeExcuse, Attr{"unit": "u3"}, nil, "ontime-excuse-duty", false},
	{"nor the administration itself", admin, OnTimeExcuse, Attr{"unit": "u9"}, nil, "ontime-excuse-own", false},

	{"a clerk enters the window", clerk, "desk.enter", Attr{"kind": "staff", "duties": []string{"window"}, "all": false}, nil, "desk-enter", true},
	{"and no desk of other duties", clerk, "desk.enter", Attr{"kind": "staff", "duties": []string{"types", "audit"}, "all": false}, nil, "desk-duty", false},
	{"nor a holder's", clerk, "desk.enter", Attr{"kind": "holder", "duties": []string{}, "all": true}, nil, "desk-duty", false},
	{"the auditor reads the record", admin, RecordRead, Attr{}, nil, "record-read", true},
	{"a clerk does not", clerk, RecordRead, Attr{}, nil, "record-post", false},
	{"an administrator puts a rule forward", admin, RulePropose, Attr{}, nil, "rule-propose", true},
	{"an auditor or a clerk does not", clerk, RulePropose, Attr{}, nil, "rule-administration", false},
	{"nor who keeps the accounts of one unit", posts, RulePropose, Attr{}, nil, "rule-administration", false},
	{"who keeps those of a region does", region, RulePropose, Attr{}, nil, "rule-propose", true},
	{"and approves another's", region, RuleApprove, Attr{"proposer": "p3"}, nil, "rule-approve", true},
	{"not who keeps those of one unit", posts, RuleApprove, Attr{"proposer": "p3"}, nil, "rule-approve-duty", false},
	{"another one approves it", admin, RuleApprove, Attr{"proposer": "p3"}, nil, "rule-approve", true},
	{"not who put it forward", admin, RuleApprove, Attr{"proposer": "p4"}, nil, "rule-other-person", false},
	{"nor a clerk", clerk, RuleApprove, Attr{"proposer": "p3"}, nil, "rule-approve-duty", false},
	{"the officer fetches the receipt of his use", clerk, ReceiptRead, Attr{"actor": "a1"}, nil, "receipt-read", true},
	{"a colleague does not", neighbor, ReceiptRead, Attr{"actor": "a1"}, nil, "receipt-own", false},
	{"a use that does not exist is nobody's", clerk, ReceiptRead, Attr{"actor": ""}, nil, "receipt-own", false},
	{"anyone may check a license", anyone, Check, Attr{}, nil, "check", true},
}

func (c lawCase) thing() Thing { return Thing{Kind: "Thing", ID: "x", Attr: c.on} }

func (c lawCase) holds(l *Law) error {
	v := l.decide(c.actor, c.act, c.thing(), c.when)
	if v.permitted != c.ok || v.rule.ID != c.rule {
		return fmt.Errorf("%s: permitted %v by %s, want %v by %s", c.name, v.permitted, v.rule.ID, c.ok, c.rule)
	}
	return nil
}

func TestLaw(t *testing.T) {
	law, err := TheLaw()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range lawCases {
		t.Run(c.name, func(t *testing.T) {
			if err := c.holds(law); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestEveryRuleIsNeeded deletes each rule in turn: some case of the table must
// then fail, or nobody would notice its loss.
func TestEveryRuleIsNeeded(t *testing.T) {
	law, err := TheLaw()
	if err != nil {
		t.Fatal(err)
	}
	for _, gone := range law.Rules() {
		var text bytes.Buffer
		for _, r := range law.Rules() {
			if r.ID != gone.ID {
				text.WriteString(r.Text + "\n")
			}
		}
		less, err := parseLaw(text.Bytes())
		if err != nil {
			t.Fatalf("without %s: %v", gone.ID, err)
		}
		missed := false
		for _, c := range lawCases {
			missed = missed || c.holds(less) != nil
		}
		if !missed {
			t.Errorf("no case of the table notices that %s is gone", gone.ID)
		}
	}
}

// TestMissingFactsRefuse takes each attribute away in turn: an error of a rule
// must refuse, never permit.
func TestMissingFactsRefuse(t *testing.T) {
	law, err := TheLaw()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range lawCases {
		if !c.ok {
			continue
		}
		for _, facts := range []Attr{c.on, c.when} {
			for k, v := range facts {
				delete(facts, k)
				if d := law.decide(c.actor, c.act, c.thing(), c.when); d.permitted {
					t.Errorf("%s: permitted without %s", c.name, k)
				}
				facts[k] = v
			}
		}
	}
}

// TestForbidsAddNothingButReasons drops every forbid: nothing that was refused
// may then be permitted, since a forbid that fails to evaluate is skipped.
func TestForbidsAddNothingButReasons(t *testing.T) {
	law, err := TheLaw()
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	for _, r := range law.Rules() {
		if r.Permits {
			text.WriteString(r.Text + "\n")
		}
	}
	permits, err := parseLaw(text.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range lawCases {
		if d := permits.decide(c.actor, c.act, c.thing(), c.when); d.permitted != c.ok {
			t.Errorf("%s: permitted %v without the forbids", c.name, d.permitted)
		}
	}
}

func TestReasonsAreSentencesForPeople(t *testing.T) {
	law, err := TheLaw()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range law.Rules() {
		if r.Permits {
			continue
		}
		if !strings.HasPrefix(r.Reason, "不能") || r.Next == "" || strings.ContainsAny(r.Reason, "！!,.;") {
			t.Errorf("%s: %q, next %q", r.ID, r.Reason, r.Next)
		}
	}
}

// TestWhatTheLawSaidIsSaidOfTheVerySame asks one law what differs in one thing at
// a time, twice over: it says what a law says that is asked for the first time.
func TestWhatTheLawSaidIsSaidOfTheVerySame(t *testing.T) {
	law, err := TheLaw()
	if err != nil {
		t.Fatal(err)
	}
	type asked struct {
		actor     elicense.Actor
		act       Act
		on        Thing
		about     Attr
		different string
	}
	base := func() asked {
		return asked{*clerk, CaseUse, Thing{Kind: "Case", ID: "c", Attr: openCase()}, use(), "nothing"}
	}
	list := []asked{base()}
	other := func(different string, change func(*asked)) {
		q := base()
		change(&q)
		q.different = different
		list = append(list, q)
	}
	other("the kind", func(q *asked) { q.actor.Kind = elicense.System })
	other("the account", func(q *asked) { q.actor.Account += "x" })
	other("the person", func(q *asked) { q.actor.Person += "x" })
	other("the unit", func(q *asked) { q.actor.Unit += "x" })
	other("the kind of unit", func(q *asked) { q.actor.UnitKind = "third_party" })
	other("the level", func(q *asked) { q.actor.Level++ })
	other("the holder", func(q *asked) { q.actor.Holder += "x" })
	other("a duty less", func(q *asked) { q.actor.Duties = nil })
	other("the act", func(q *asked) { q.act = CaseRead })
	other("the thing", func(q *asked) { q.on.ID += "x" })
	other("the kind of thing", func(q *asked) { q.on.Kind += "x" })
	for _, which := range []func(*asked) Attr{func(q *asked) Attr { return q.on.Attr }, func(q *asked) Attr { return q.about }} {
		q := base()
		for name, v := range which(&q) {
			other(name, func(q *asked) {
				a := which(q)
				switch v := v.(type) {
				case string:
					a[name] = v + "x"
				case bool:
					a[name] = !v
				case int:
					a[name] = v + 1
				case []string:
					a[name] = append(slices.Clone(v), "x")
				}
			})
			other("no "+name, func(q *asked) { delete(which(q), name) })
			other(name+" of another kind", func(q *asked) { which(q)[name] = 1.5 })
		}
	}
	seen := map[question]string{}
	for range 2 {
		for _, q := range list {
			got, want := law.decide(&q.actor, q.act, q.on, q.about), law.ask(&q.actor, q.act, q.on, q.about)
			if got != want {
				t.Errorf("%s is another: %v %s, want %v %s", q.different, got.permitted, got.rule.ID, want.permitted, want.rule.ID)
			}
			of := questionOf(&q.actor, q.act, q.on, q.about)
			if before, twice := seen[of]; twice && before != q.different {
				t.Errorf("%s and %s are one question", before, q.different)
			}
			seen[of] = q.different
		}
	}
	if len(seen) != len(list) {
		t.Errorf("%d questions of %d", len(seen), len(list))
	}
}

func BenchmarkDecide(b *testing.B) {
	law, err := TheLaw()
	if err != nil {
		b.Fatal(err)
	}
	on := Thing{Kind: "Case", ID: "c", Attr: openCase()}
	for name, decide := range map[string]func(*elicense.Actor, Act, Thing, Attr) verdict{"new": law.ask, "asked before": law.decide} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if v := decide(clerk, CaseUse, on, use()); !v.permitted {
					b.Fatal(v.rule.ID)
				}
			}
		})
	}
}
