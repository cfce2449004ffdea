package access

import (
	_ "embed"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"

	"elicense"
)

//go:embed law.cedar
var lawText []byte

// Rule is one rule of the law text, for people to read.
type Rule struct {
	ID      string
	Permits bool
	Article string // the article of the Measures it carries
	Reason  string // the sentence shown when it refuses
	Next    string // what the person can do
	Text    string // the rule itself, in Cedar
}

// Law is the law text, ready to decide. It does not change, and is safe for
// concurrent use.
type Law struct {
	of    map[Act]*cedar.PolicySet // the rules of each act
	rules []Rule
	place map[string]int // rule id → place in the text

	actors  memo[types.Record]
	sets    memo[types.Set]
	decided decided
}

// TheLaw returns the law text that is part of the program.
func TheLaw() (*Law, error) { return parseLaw(lawText) }

func parseLaw(text []byte) (*Law, error) {
	list, err := cedar.NewPolicyListFromBytes("law.cedar", text)
	if err != nil {
		return nil, fmt.Errorf("law text: %w", err)
	}
	law := &Law{of: map[Act]*cedar.PolicySet{}, place: map[string]int{}}
	for i, p := range list {
		a := p.Annotations()
		r := Rule{
			ID: string(a["id"]), Permits: bool(p.Effect()), Article: string(a["article"]),
			Reason: string(a["reason"]), Next: string(a["next"]), Text: string(p.MarshalCedar()),
		}
		if r.ID == "" || r.Article == "" || (!r.Permits && r.Reason == "") {
			return nil, fmt.Errorf("law text: rule %d lacks its id, article or reason", i+1)
		}
		if _, twice := law.place[r.ID]; twice {
			return nil, fmt.Errorf("law text: rule %s stands twice", r.ID)
		}
		law.place[r.ID] = i
		law.rules = append(law.rules, r)
	}
	law.sorted(list)
	return law, nil
}

// sorted enters the rules under the acts they name, so that a decision asks the
// rules of its act alone; one that names none is asked of every act.
func (l *Law) sorted(list cedar.PolicyList) {
	l.of[anyAct] = cedar.NewPolicySet()
	for _, p := range list {
		for _, act := range actsOf(p) {
			if l.of[act] == nil {
				l.of[act] = cedar.NewPolicySet()
			}
		}
	}
	for i, p := range list {
		acts := actsOf(p)
		if acts == nil {
			acts = slices.Collect(maps.Keys(l.of))
		}
		for _, act := range acts {
			l.of[act].Add(cedar.PolicyID(l.rules[i].ID), p)
		}
	}
}

// anyAct stands for the acts no rule names.
const anyAct Act = ""

// actsOf returns the acts a rule is about, nil if it is about every act.
func actsOf(p *cedar.Policy) []Act {
	var named []types.EntityUID
	switch scope := (*ast.Policy)(p.AST()).Action.(type) {
	case ast.ScopeTypeEq:
		named = []types.EntityUID{scope.Entity}
	case ast.ScopeTypeInSet:
		named = scope.Entities
	default:
		return nil
	}
	acts := make([]Act, len(named))
	for i, a := range named {
		acts[i] = Act(a.ID)
		if a.Type != "Action" { // which nobody ever does
			acts[i] = Act(a.Type) + "::" + acts[i]
		}
	}
	return acts
}

// Rules returns the rules in the order of the text.
func (l *Law) Rules() []Rule { return l.rules }

// Act is what someone wants to do.
type Act string

// The acts the law text decides.
const (
	CaseOpen        Act = "case.open"
	CaseRead        Act = "case.read"
	CaseClose       Act = "case.close"
	CaseMove        Act = "case.move"     // accept, correct, hand over, stop the clock, decide
	CaseTake        Act = "case.take"     // take from the unit's queue
	CaseJoin        Act = "case.join"     // add a party
	CaseApply       Act = "case.apply"    // begin online
	CaseOwn         Act = "case.own"      // an applicant or party looks at it
	CaseOwnMove     Act = "case.own-move" // the applicant sends, supplies, withdraws
	MatterPropose   Act = "matter.propose"
	MatterPublish   Act = "matter.publish"
	BasisKeep       Act = "basis.keep"
	CalendarKeep    Act = "calendar.keep" // enter notices of holidays and special days
	SystemKeep      Act = "system.keep"   // register the keys of business systems
	UnitKeep        Act = "unit.keep"     // register units
	AccountKeep     Act = "account.keep"  // open, change and close accounts
	AccountRead     Act = "account.read"  // units with their accounts
	CaseUse         Act = "case.use"      // query, verify or compare a license in a case
	LicenseOwn      Act = "license.own"
	LicenseIssued   Act = "license.issued"
	DraftMake       Act = "draft.make"
	DraftRead       Act = "draft.read"
	DraftReview     Act = "draft.review"
	DraftEnter      Act = "draft.enter" // the second entry of a license on paper
	ChangePropose   Act = "change.propose"
	ChangeReview    Act = "change.review"
	WithdrawPropose Act = "withdraw.propose" // of a license that holds a secret
	WithdrawReview  Act = "withdraw.review"
	TypePropose     Act = "type.propose"
	TypePublish     Act = "type.publish"
	SealApply       Act = "seal.apply"
	SealManage      Act = "seal.manage" // make, import, file, enable; import what seals are judged by
	SealStop        Act = "seal.stop"   // disable, cancel
	SealRead        Act = "seal.read"
	KitsRead        Act = "kits.read" // kits of all units, and the proof of a failure, without what was made
	DisclosePropose Act = "disclose.propose"
	DiscloseApprove Act = "disclose.approve"
	DiscloseRead    Act = "disclose.read"
	DiscloseLook    Act = "disclose.look" // the act itself, without what is disclosed
	FiguresRead     Act = "figures.read"
	RegistriesRead  Act = "registries.read"
	OnTimeReport    Act = "ontime.report"  // results of closed cases of the unit
	OnTimeOwn       Act = "ontime.own"     // what the unit owes, with whom it is for
	OnTimeRead      Act = "ontime.read"    // figures, and what is late, without contents
	OnTimeHandle    Act = "ontime.handle"  // hand on, say that no license comes of it
	OnTimeConfirm   Act = "ontime.confirm" // that no license comes of it
	OnTimeSet       Act = "ontime.set"     // within how many minutes the unit makes licenses
	OnTimeExcuse    Act = "ontime.excuse"
	ContactOwn      Act = "contact.own"      // a holder's addresses, by himself
	ContactTake     Act = "contact.take"     // a party's address, told to the clerk of his case
	DeliveryHandle  Act = "delivery.handle"  // hand over on paper, send again
	DeliveryFind    Act = "delivery.find"    // what waits at a window, without contents
	DeliveryWindow  Act = "delivery.window"  // print and hand over at a window
	SourceKeep      Act = "source.keep"      // register systems that return licenses
	ReferenceReturn Act = "reference.return" // what such a system says of its licenses
	ReferenceRead   Act = "reference.read"   // sources, deliveries and their counts, without contents
	ReferenceRows   Act = "reference.rows"   // rows that did not stand, references, differences
	ReferenceCheck  Act = "reference.check"  // ask the source
	AwaitedKeep     Act = "awaited.keep"     // what is awaited of ministries
	AwaitedRead     Act = "awaited.read"
	RecordRead      Act = "record.read"
	RulePropose     Act = "rule.propose" // put a local rule, or its end, before a second administrator
	RuleApprove     Act = "rule.approve"
	ReceiptRead     Act = "receipt.read"
	Check           Act = "check"
)

// Attr is an attribute of a thing or of the circumstances: string, int, bool or
// []string (a set). Named string types are converted by the caller.
type Attr map[string]any

// Thing is what is acted on, with the attributes the rules ask for.
type Thing struct {
	Kind string
	ID   string
	Attr Attr
}

// verdict is what the law says.
type verdict struct {
	permitted bool
	rule      *Rule // the rule that permits, or the first that refuses
}

// defaultRefusal is what is said when no rule permits and none names a reason,
// and when a rule could not be evaluated: what can't be judged is refused.
var defaultRefusal = &Rule{
	ID: "default", Article: "第十三条第二款",
	Reason: "不能办理：没有规则允许这样做",
	Next:   "请核对您的岗位和办件；仍有疑问请联系本单位管理员",
}

// decide asks the law, or says again what it said when it was asked the very same:
// a case's check and each query in it ask alike, and the law knows nothing but
// what it is asked.
func (l *Law) decide(actor *elicense.Actor, act Act, on Thing, circumstances Attr) verdict {
	q := questionOf(actor, act, on, circumstances)
	v, known := l.decided.find(q)
	if !known {
		v = l.ask(actor, act, on, circumstances)
		l.decided.put(q, v)
	}
	return v
}

// question is a digest of all the law is asked, under keys of this process: 128
// bits that nobody outside can aim at.
type question [2]uint64

var questionSeeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

// asking writes what is asked so that nothing reads like something else: each
// text after its length, each value after its kind.
type asking []byte

func (b *asking) text(s string) { *b = append(binary.AppendUvarint(*b, uint64(len(s))), s...) }
func (b *asking) number(n int)  { *b = binary.AppendVarint(*b, int64(n)) }

func (b *asking) attr(attr Attr) {
	var names [24]string
	keys := names[:0]
	for k := range attr {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	b.number(len(keys))
	for _, k := range keys {
		b.text(k)
		switch v := attr[k].(type) {
		case string:
			*b = append(*b, 's')
			b.text(v)
		case bool:
			*b = append(*b, 'b', 0)
			if v {
				(*b)[len(*b)-1] = 1
			}
		case int:
			*b = append(*b, 'i')
			b.number(v)
		case []string:
			*b = append(*b, 'l')
			b.number(len(v))
			for _, s := range v {
				b.text(s)
			}
		default:
			*b = append(*b, '?')
			b.text(fmt.Sprintf("%T", v))
		}
	}
}

var questions = sync.Pool{New: func() any { return new(asking) }}

func questionOf(a *elicense.Actor, act Act, on Thing, circumstances Attr) (q question) {
	b := questions.Get().(*asking)
	defer questions.Put(b)
	*b = (*b)[:0]
	for _, s := range [...]string{string(act), on.Kind, on.ID, string(a.Kind), string(a.Account), string(a.Person), string(a.Unit), a.UnitKind, string(a.Holder)} {
		b.text(s)
	}
	b.number(a.Level)
	b.number(len(a.Duties))
	for _, d := range a.Duties {
		b.text(string(d))
	}
	b.attr(on.Attr)
	b.attr(circumstances)
	for i := range q {
		q[i] = maphash.Bytes(questionSeeds[i], *b)
	}
	return q
}

// decided keeps what the law has said, in two generations.
type decided struct {
	mu         sync.RWMutex
	now, older map[question]verdict
}

// maxDecided bounds a generation.
const maxDecided = 1 << 15

func (d *decided) find(q question) (verdict, bool) {
	d.mu.RLock()
	v, ok := d.now[q]
	old, was := d.older[q]
	d.mu.RUnlock()
	if !ok && was {
		d.put(q, old)
		return old, true
	}
	return v, ok
}

func (d *decided) put(q question, v verdict) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.now == nil || len(d.now) >= maxDecided {
		d.now, d.older = map[question]verdict{}, d.now
	}
	d.now[q] = v
}

// ask asks the rules. An error of any of them is a refusal: a rule that forbids
// and fails to evaluate would otherwise be skipped.
func (l *Law) ask(actor *elicense.Actor, act Act, on Thing, circumstances Attr) verdict {
	entities, req := l.request(actor, act, on, circumstances)
	rules := l.of[act]
	if rules == nil {
		rules = l.of[anyAct]
	}
	decision, diag := cedar.Authorize(rules, entities, req)
	if len(diag.Errors) > 0 {
		return verdict{rule: defaultRefusal}
	}
	first := -1
	for _, r := range diag.Reasons {
		if i := l.place[string(r.PolicyID)]; first < 0 || i < first {
			first = i
		}
	}
	switch {
	case bool(decision) && first >= 0:
		return verdict{permitted: true, rule: &l.rules[first]}
	case first >= 0:
		return verdict{rule: &l.rules[first]}
	}
	return verdict{rule: defaultRefusal}
}

func actorID(a *elicense.Actor) string {
	if a.Account != "" {
		return string(a.Account)
	}
	return string(a.Kind)
}

// actor returns the attributes of who acts.
func (l *Law) actor(a *elicense.Actor) types.Record {
	duties := make([]string, len(a.Duties))
	for i, d := range a.Duties {
		duties[i] = string(d)
	}
	parts := append([]string{
		string(a.Kind), string(a.Account), string(a.Person), string(a.Unit), a.UnitKind, strconv.Itoa(a.Level), string(a.Holder),
	}, duties...)
	return l.actors.get(parts, func() types.Record {
		return l.record(Attr{
			"kind": string(a.Kind), "account": string(a.Account), "person": string(a.Person),
			"unit": string(a.Unit), "unitKind": a.UnitKind, "level": a.Level, "holder": string(a.Holder), "duties": duties,
		})
	})
}

// memo keeps the form the policy library wants things in, by what they are: the
// same officers and material lists come again and again, and their hashes take
// longer than a decision.
type memo[T any] struct {
	mu sync.RWMutex
	of map[string]T
}

// maxMemo bounds what is kept; more is forgotten whole.
const maxMemo = 4096

func (m *memo[T]) get(parts []string, make func() T) T {
	var b []byte // each part after its length: some were typed, and must not pass for two
	for _, p := range parts {
		b = append(binary.AppendUvarint(b, uint64(len(p))), p...)
	}
	m.mu.RLock()
	v, ok := m.of[string(b)]
	m.mu.RUnlock()
	if ok {
		return v
	}
	v = make()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.of == nil || len(m.of) >= maxMemo {
		m.of = map[string]T{}
	}
	m.of[string(b)] = v
	return v
}

func (l *Law) record(attr Attr) types.Record {
	m := make(types.RecordMap, len(attr))
	for k, v := range attr {
		m[types.String(k)] = l.value(v)
	}
	return types.NewRecord(m)
}

// manyItems is from how many items on a set is kept: those of material lists, not
// the parties of a case.
const manyItems = 8

func setOf(items []string) types.Set {
	set := make([]types.Value, len(items))
	for i, s := range items {
		set[i] = types.String(s)
	}
	return types.NewSet(set...)
}

// value converts an attribute; one of another type becomes a string no rule
// matches, so that a mistake of ours refuses.
func (l *Law) value(v any) types.Value {
	switch v := v.(type) {
	case string:
		return types.String(v)
	case bool:
		return types.Boolean(v)
	case int:
		return types.Long(v)
	case []string:
		if len(v) >= manyItems {
			return l.sets.get(v, func() types.Set { return setOf(v) })
		}
		return setOf(v)
	}
	return types.String("?" + strings.TrimSpace(fmt.Sprintf("%T", v)))
}
