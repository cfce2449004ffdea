package access

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"elicense"
)

const noMarriage = `@article("第十八条第一款")
@reason("不能查看：信访接待期间暂停查询结婚证")
@next("确需使用的，请持证人自己出示")
forbid (principal, action == Action::"case.use", resource)
when { context.type == "t1" && principal.unit == "u1" };`

// TestLocalRulesAreReadStrictly: one statement that forbids, of acts and attributes
// that are known, with its article and reason; what errs at a try is refused.
func TestLocalRulesAreReadStrictly(t *testing.T) {
	if _, _, err := parseLocal(noMarriage); err != nil {
		t.Fatal(err)
	}
	head := `@article("第十八条第一款") @reason("不能查看：暂停") `
	for _, tc := range []struct{ name, text, says string }{
		{"nothing", "", "一次只写一条"},
		{"no Cedar", "forbid everything", "看不懂"},
		{"two", noMarriage + noMarriage, "一次只写一条"},
		{"a permit", strings.Replace(noMarriage, "forbid (", "permit (", 1), "不能允许"},
		{"a name of its own", `@id("use-post") ` + noMarriage, "三种注解"},
		{"no article", strings.Replace(noMarriage, `@article("第十八条第一款")`, "", 1), "@article"},
		{"an article of nothing", strings.Replace(noMarriage, "第十八条第一款", "某条", 1), "@article"},
		{"no reason", strings.Replace(noMarriage, `@reason("不能查看：信访接待期间暂停查询结婚证")`, "", 1), "@reason"},
		{"an English reason", strings.Replace(noMarriage, "不能查看：信访接待期间暂停查询结婚证", "no", 1), "@reason"},
		{"a reason with a mark-up", strings.Replace(noMarriage, "信访接待期间", "<b>", 1), "@reason"},
		{"every act", head + `forbid (principal, action, resource);`, "管哪些事"},
		{"an unknown act", head + `forbid (principal, action == Action::"case.fly", resource);`, "没有这样的事"},
		{"an act of another kind", head + `forbid (principal, action == Deed::"case.use", resource);`, "没有这样的事"},
		{"the change of rules", head + `forbid (principal, action in [Action::"case.use", Action::"rule.approve"], resource);`, "改规则"},
		{"the record", head + `forbid (principal, action == Action::"record.read", resource);`, "查阅记录"},
		{"an unknown attribute", head + `forbid (principal, action == Action::"case.use", resource) when { context.color == "red" };`, "没有这个属性：context.color"},
		{"one of another act", head + `forbid (principal, action in [Action::"case.use", Action::"check"], resource) when { context.type == "t1" };`, "没有这个属性：context.type"},
		{"one of the actor", head + `forbid (principal, action == Action::"case.use", resource) when { principal.salary > 3 };`, "没有这个属性：principal.salary"},
		{"one of an attribute", head + `forbid (principal, action == Action::"case.use", resource) when { context.type.x == "a" };`, "没有这个属性"},
		{"a number as a text", head + `forbid (principal, action == Action::"case.use", resource) when { context.type == "t7" && context.type > 3 };`, "试算时出错"},
		{"a set as a text, behind a condition", head + `forbid (principal, action == Action::"case.use", resource) when { principal.unit == "u1" && context.file && context.fields like "a*" };`, "试算时出错"},
		{"a long one", noMarriage + strings.Repeat(" ", maxRuleText), "最多"},
	} {
		_, _, err := parseLocal(tc.text)
		if !elicense.IsKind(err, elicense.Invalid) || !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}

// TestLocalRulesOnlyForbid asks every case of the law's table under rules that forbid
// nothing of it and under one that forbids it: the first change no answer, the second
// refuses what was permitted with its own reason and leaves the refusals of the law.
func TestLocalRulesOnlyForbid(t *testing.T) {
	law, err := TheLaw()
	if err != nil {
		t.Fatal(err)
	}
	g := NewGuard(nil, law)
	none, err := newLocal(1, map[string]string{"local-1": strings.Replace(noMarriage, `"t1"`, `"nobody's"`, 1)})
	if err != nil {
		t.Fatal(err)
	}
	var acts []string
	for _, act := range KnownActs() {
		acts = append(acts, fmt.Sprintf("Action::%q", act))
	}
	closed, err := newLocal(2, map[string]string{"local-2": `@article("第十三条第二款") @reason("不能办理：停机") forbid (principal, action in [` + strings.Join(acts, ", ") + `], resource);`})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range lawCases {
		if v := g.decide(none, c.actor, c.act, c.thing(), c.when); v.permitted != c.ok || v.rule.ID != c.rule {
			t.Errorf("%s: permitted %v by %s", c.name, v.permitted, v.rule.ID)
		}
		want := c.rule
		if c.ok && !slices.Contains(unbound, c.act) {
			want = "local-2"
		}
		for range 2 { // asked, and said again
			if v := g.decide(closed, c.actor, c.act, c.thing(), c.when); v.rule.ID != want || v.permitted && want == "local-2" {
				t.Errorf("%s, closed: permitted %v by %s, want %s", c.name, v.permitted, v.rule.ID, want)
			}
		}
	}
}

// TestALocalRuleThatErrsRefuses, with its name on record.
func TestALocalRuleThatErrsRefuses(t *testing.T) {
	law, err := TheLaw()
	if err != nil {
		t.Fatal(err)
	}
	l, err := newLocal(1, map[string]string{"local-1": noMarriage})
	if err != nil {
		t.Fatal(err)
	}
	about := use()
	about["type"] = 7
	v, refused := l.refuses(law, clerk, CaseUse, Thing{Kind: "Case", ID: "c", Attr: openCase()}, about)
	if refused {
		t.Errorf("an unlike type is refused by %s", v.rule.ID)
	}
	delete(about, "type")
	v, refused = l.refuses(law, clerk, CaseUse, Thing{Kind: "Case", ID: "c", Attr: openCase()}, about)
	if !refused || v.permitted || v.rule.ID != "local-1" || !strings.Contains(v.rule.Reason, "判断不了") {
		t.Errorf("%v, %+v", refused, v.rule)
	}
}

// TestTheFactsOfLocalRulesAreThoseOfTheLaw: every attribute the law text reads has a
// kind, and it is that of the law's table, so that what is tried is what is asked.
func TestTheFactsOfLocalRulesAreThoseOfTheLaw(t *testing.T) {
	for act, by := range facts() {
		for of, names := range by {
			for _, name := range names {
				if kindOf(act, name) == 0 {
					t.Errorf("%s.%s of %s has no kind", of, name, act)
				}
			}
		}
	}
	for _, c := range lawCases {
		for of, attr := range map[string]Attr{"resource": c.on, "context": c.when} {
			for name, v := range attr {
				if !slices.Contains(facts()[c.act][of], name) {
					continue // of a thing that serves several acts
				}
				want := map[string]byte{"string": 's', "int": 'i', "bool": 'b', "[]string": 'l'}[fmt.Sprintf("%T", v)]
				if got := kindOf(c.act, name); got != want {
					t.Errorf("%s of %s is of the kind %c, want %c", name, c.act, got, want)
				}
			}
		}
	}
}
