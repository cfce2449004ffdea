package access

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/cedar-policy/cedar-go"
	"github.com/cedar-policy/cedar-go/types"

	"elicense"
)

// local is the rules administrators added, ready to decide. They only forbid: they
// are asked of what the law text permits, and can take away but never give. It does
// not change; other rules make another.
type local struct {
	stamp int64 // rises with every change of the rules
	of    map[Act]*cedar.PolicySet
	rules map[string]*Rule
	text  []string // what it was made of, to know it again

	decided decided // what these rules have said; it goes with them
}

// refuses returns the verdict of the local rules on what the law permits; false if
// none refuses.
func (l *local) refuses(law *Law, actor *elicense.Actor, act Act, on Thing, circumstances Attr) (verdict, bool) {
	if l == nil || l.of[act] == nil {
		return verdict{}, false
	}
	q := questionOf(actor, act, on, circumstances)
	v, known := l.decided.find(q)
	if !known {
		v = l.ask(law, actor, act, on, circumstances)
		l.decided.put(q, v)
	}
	return v, v.rule != nil
}

// ask asks the rules of the act. One that can't be judged refuses.
func (l *local) ask(law *Law, actor *elicense.Actor, act Act, on Thing, circumstances Attr) verdict {
	entities, req := law.request(actor, act, on, circumstances)
	_, diag := cedar.Authorize(l.of[act], entities, req)
	var ids []string
	for _, r := range diag.Reasons {
		ids = append(ids, string(r.PolicyID))
	}
	if len(ids) > 0 {
		slices.Sort(ids)
		return verdict{rule: l.rules[ids[0]]}
	}
	for _, e := range diag.Errors {
		ids = append(ids, string(e.PolicyID))
	}
	if len(ids) > 0 {
		slices.Sort(ids)
		r := *l.rules[ids[0]]
		r.Reason, r.Next = "不能办理：一条本地规则判断不了这件事", "请把记录编号告诉电子政务管理部门，由其修改或停用规则"
		return verdict{rule: &r}
	}
	return verdict{}
}

// newLocal makes rules ready that were parsed when they were proposed. text are the
// rules in Cedar by their names.
func newLocal(stamp int64, text map[string]string) (*local, error) {
	l := &local{stamp: stamp, of: map[Act]*cedar.PolicySet{}, rules: map[string]*Rule{}}
	for _, id := range slices.Sorted(maps.Keys(text)) {
		r, p, err := parseLocal(text[id])
		if err != nil {
			return nil, fmt.Errorf("local rule %s: %w", id, err)
		}
		r.ID = id
		l.rules[id] = r
		l.text = append(l.text, id, text[id])
		for _, act := range actsOf(p) {
			if l.of[act] == nil {
				l.of[act] = cedar.NewPolicySet()
			}
			l.of[act].Add(cedar.PolicyID(id), p)
		}
	}
	return l, nil
}

// The limits of a local rule.
const (
	maxRuleText   = 4000 // bytes
	maxRuleReason = 80   // characters
)

// unbound are the acts no local rule may be about: a rule that kept everybody from
// changing rules could never be ended, and what supervision reads is nobody's to
// close.
var unbound = []Act{RulePropose, RuleApprove, RecordRead}

func badRule(text string, args ...any) *elicense.Error {
	return elicense.E(elicense.Invalid, text, args...).At("text")
}

var articleForm = regexp.MustCompile(`^第[一二三四五六七八九十]{1,4}条(第[一二三四五六七八九十]{1,3}款)?$`)

// parseLocal reads a rule strictly: one statement that forbids, about acts that are
// named, with the attributes the law text reads of them and no other, with an
// article and a reason to show.
//
// Errors: Invalid at text.
func parseLocal(text string) (*Rule, *cedar.Policy, error) {
	if len(text) > maxRuleText || !utf8.ValidString(text) {
		return nil, nil, badRule("规则最多%d个字节", maxRuleText)
	}
	list, err := cedar.NewPolicyListFromBytes("local.cedar", []byte(text))
	if err != nil {
		return nil, nil, badRule("规则看不懂：不合Cedar的写法").Then("请对照核心规则的写法修改").Because(err)
	}
	if len(list) != 1 {
		return nil, nil, badRule("一次只写一条规则")
	}
	p := list[0]
	if p.Effect() != cedar.Forbid {
		return nil, nil, badRule("本地规则只能禁止（forbid），不能允许")
	}
	a := p.Annotations()
	r := &Rule{Article: string(a["article"]), Reason: string(a["reason"]), Next: string(a["next"]), Text: string(p.MarshalCedar())}
	for k := range a {
		if k != "article" && k != "reason" && k != "next" {
			return nil, nil, badRule("规则只写@article、@reason和@next三种注解")
		}
	}
	switch {
	case !articleForm.MatchString(r.Article):
		return nil, nil, badRule("要用@article写明《暂行办法》的条款，如第十八条第一款")
	case !sentence(r.Reason) || !strings.HasPrefix(r.Reason, "不能"):
		return nil, nil, badRule("要用@reason写明拒绝的理由，以“不能”开头，最多%d个字", maxRuleReason)
	case r.Next != "" && !sentence(r.Next):
		return nil, nil, badRule("@next要写给被拒绝的人看，最多%d个字", maxRuleReason)
	}
	acts := actsOf(p)
	if len(acts) == 0 {
		return nil, nil, badRule("要写明管哪些事：action == 或 action in")
	}
	for _, act := range acts {
		if slices.Contains(unbound, act) {
			return nil, nil, badRule("本地规则不能管%s：改规则和查阅记录不受本地规则限制", act)
		}
		if err := knownIn(p, act); err != nil {
			return nil, nil, err
		}
		if err := try(p, act); err != nil {
			return nil, nil, err
		}
	}
	return r, p, nil
}

// sentence tells whether a text is a short one for people to read.
func sentence(s string) bool {
	n := utf8.RuneCountInString(s)
	return n > 0 && n <= maxRuleReason && strings.ContainsFunc(s, func(r rune) bool { return unicode.Is(unicode.Han, r) }) &&
		!strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == '<' || r == '>' })
}

// attrKinds are the kinds of the attributes the law text reads: s a string, i a
// number, b a truth, l a set of strings.
var attrKinds = map[string]byte{
	"account": 's', "actor": 's', "all": 'b', "applicant": 's', "claimer": 's', "clerk": 's', "drafters": 'l', "duties": 'l', "fields": 'l', "file": 'b', "files": 'l',
	"first": 's', "fresh": 'b', "high": 'b', "holder": 's', "holders": 'l', "issuer": 's', "issuers": 'l', "kind": 's', "level": 'i', "live": 'b', "online": 'b', "own": 'b',
	"parties": 'l', "person": 's', "proposer": 's', "proven": 'l', "purpose": 's', "second": 's', "self": 'b', "stage": 's', "state": 's', "ticket": 'b', "tries": 'i',
	"type": 's', "types": 'l', "unagreed": 'b', "unit": 's', "unitKind": 's', "units": 'l', "unproven": 'i', "withheld": 'b', "within": 'b',
}

// ownKinds are the kinds of attributes that are something else for an act.
var ownKinds = map[Act]map[string]byte{
	CaseOpen: {"parties": 'i'}, CaseJoin: {"proven": 'b'}, DeliveryWindow: {"proven": 'b'},
}

// kindOf is the kind of an attribute of what an act is about.
func kindOf(act Act, name string) byte {
	if k := ownKinds[act][name]; k != 0 {
		return k
	}
	return attrKinds[name]
}

// principalAttrs are the attributes of who acts.
var principalAttrs = []string{"account", "duties", "holder", "kind", "level", "person", "unit", "unitKind"}

// facts are the attributes of what an act is about that the law text reads, by
// resource and context; nil for an act it does not know. They are there whenever the
// act is asked for, or the law itself could not be judged.
var facts = sync.OnceValue(func() map[Act]map[string][]string {
	law, err := TheLaw()
	if err != nil {
		return nil // whoever asks for the law is told
	}
	m := map[Act]map[string][]string{}
	for act, set := range law.of {
		if act == anyAct {
			continue
		}
		m[act] = map[string][]string{"principal": principalAttrs}
		for _, p := range set.All() {
			for _, x := range accesses(p) {
				if x.of != "principal" && !slices.Contains(m[act][x.of], x.name) {
					m[act][x.of] = append(m[act][x.of], x.name)
				}
			}
		}
		for _, names := range m[act] {
			slices.Sort(names)
		}
	}
	return m
})

// KnownActs are the acts a local rule can be about, sorted.
func KnownActs() []Act {
	acts := slices.Sorted(maps.Keys(facts()))
	return slices.DeleteFunc(acts, func(a Act) bool { return slices.Contains(unbound, a) })
}

// FactsOf are the attributes a local rule about an act may read, as they are written.
func FactsOf(act Act) (list []string) {
	for _, of := range []string{"principal", "resource", "context"} {
		for _, name := range facts()[act][of] {
			list = append(list, of+"."+name)
		}
	}
	return list
}

type attribute struct{ of, name string }

// accesses lists the attributes a rule reads; of is empty for one of something else
// than the three.
func accesses(p *cedar.Policy) (list []attribute) {
	var tree struct{ Conditions any }
	b, err := p.MarshalJSON()
	if err == nil {
		err = json.Unmarshal(b, &tree)
	}
	if err != nil {
		return []attribute{{"", err.Error()}} // known of nothing: refused
	}
	eachMember(tree.Conditions, func(op string, x any) {
		if args, ok := x.(map[string]any); ok && (op == "." || op == "has") {
			left, _ := args["left"].(map[string]any)
			of, _ := left["Var"].(string)
			name, _ := args["attr"].(string)
			list = append(list, attribute{of, name})
		}
	})
	return list
}

// eachMember calls f with every member of every object within n, which was read from
// JSON.
func eachMember(n any, f func(name string, x any)) {
	switch n := n.(type) {
	case []any:
		for _, x := range n {
			eachMember(x, f)
		}
	case map[string]any:
		for name, x := range n {
			f(name, x)
			eachMember(x, f)
		}
	}
}

// knownIn sees that an act and all a rule reads of it are known.
func knownIn(p *cedar.Policy, act Act) error {
	known, ok := facts()[act]
	if !ok {
		return badRule("没有这样的事：%s", act)
	}
	for _, x := range accesses(p) {
		if !slices.Contains(known[x.of], x.name) {
			return badRule("%s没有这个属性：%s.%s", act, x.of, x.name).Then("请只用规则页面列出的属性")
		}
	}
	return nil
}

// tries is how many requests a rule is tried against for each of its acts.
const tries = 200

// try asks a rule about requests made up of all kinds of actors and of the values it
// names itself, so that each of its conditions comes out both ways; a rule that can't
// be judged for one is refused.
func try(p *cedar.Policy, act Act) error {
	rule := cedar.NewPolicySet()
	rule.Add("try", p)
	law := &Law{} // converts, and is asked nothing
	words := append(literals(p), "", "x")
	rnd := rand.New(rand.NewPCG(13, 2)) // the same for everybody
	word := func() string { return words[rnd.IntN(len(words))] }
	list := func() (l []string) {
		for range rnd.IntN(4) {
			l = append(l, word())
		}
		return l
	}
	made := func(names []string) Attr {
		m := Attr{}
		for _, name := range names {
			switch kindOf(act, name) {
			case 's':
				m[name] = word()
			case 'i':
				m[name] = rnd.IntN(7)
			case 'b':
				m[name] = rnd.IntN(2) == 0
			case 'l':
				m[name] = list()
			}
		}
		return m
	}
	kinds := []elicense.ActorKind{elicense.Public, elicense.Holder, elicense.Staff, elicense.System}
	for range tries {
		a := &elicense.Actor{
			Kind: kinds[rnd.IntN(len(kinds))], Account: elicense.AccountID(word()), Person: elicense.PersonID(word()), Unit: elicense.UnitCode(word()),
			UnitKind: word(), Level: rnd.IntN(4), Holder: elicense.HolderKey(word()),
		}
		for _, d := range list() {
			a.Duties = append(a.Duties, elicense.Duty(d))
		}
		entities, req := law.request(a, act, Thing{Kind: "Thing", ID: word(), Attr: made(facts()[act]["resource"])}, made(facts()[act]["context"]))
		if _, diag := cedar.Authorize(rule, entities, req); len(diag.Errors) > 0 {
			return badRule("规则试算时出错：属性的用法和它的类型不合").Then("文字用==，数字用<和>，集合用contains").Because(fmt.Errorf("%s", diag.Errors[0].Message))
		}
	}
	return nil
}

// literals are the texts a rule names.
func literals(p *cedar.Policy) (list []string) {
	var tree any
	if b, err := p.MarshalJSON(); err != nil || json.Unmarshal(b, &tree) != nil {
		return nil
	}
	eachMember(tree, func(name string, x any) {
		if s, ok := x.(string); ok && (name == "Value" || name == "id") {
			list = append(list, s)
		}
	})
	slices.Sort(list)
	return list
}

// request puts what the law is asked into the form of the policy library.
func (l *Law) request(actor *elicense.Actor, act Act, on Thing, circumstances Attr) (types.EntityMap, cedar.Request) {
	who := cedar.NewEntityUID("Actor", types.String(actorID(actor)))
	what := cedar.NewEntityUID(types.EntityType(on.Kind), types.String(on.ID))
	entities := types.EntityMap{
		who:  {UID: who, Attributes: l.actor(actor)},
		what: {UID: what, Attributes: l.record(on.Attr)},
	}
	return entities, cedar.Request{
		Principal: who, Action: cedar.NewEntityUID("Action", types.String(act)), Resource: what,
		Context: l.record(circumstances),
	}
}
