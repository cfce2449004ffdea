package web

import (
	"net/http"
	"strconv"
	"strings"

	"elicense"
	"elicense/access"
	"elicense/posts"
)

// rule is the rule of the law with the name, one of the text or a local one; nil if
// there is none. Of a local one it is the newest that was in force, else the newest.
func (s *server) rule(v *visit, id string) (*access.Rule, error) {
	for _, r := range s.Law.Rules() {
		if r.ID == id {
			return &r, nil
		}
	}
	if !strings.HasPrefix(id, "local-") {
		return nil, nil
	}
	list, err := s.Rules.List(v.r.Context())
	if err != nil {
		return nil, err
	}
	var found *access.Rule
	best := -1
	for _, r := range list {
		if r.ID != id {
			continue
		}
		n := r.Version
		if r.Approved() {
			n += len(list) // before all that never were in force
		}
		if n > best {
			best, found = n, &r.Rule
		}
	}
	return found, nil
}

type rulesPage struct {
	Core  []access.Rule
	Local []localRow
	Bound int // how many local rules are in force
	Keeps bool
	Of    string // the rule whose next version is written
	In    typed
	Form  string
	Open  string // the version whose form to end it is open
	Words []actFacts
}

type localRow struct {
	*access.LocalRule
	Mine bool // the visitor did the step that waits
}

// Example is a rule as it is written.
func (rulesPage) Example() string {
	return `@article("第十八条第一款")
@reason("不能查看：系统核查期间暂停查询结婚证")
@next("核查结束后再查；急用的请持证人自己出示")
forbid (principal, action == Action::"case.use", resource)
when { context.type == "证照类别代码" };`
}

// actFacts are what a local rule may say of an act.
type actFacts struct {
	Act   access.Act
	Word  string
	Attrs []string
}

// Key names a version in addresses of the page.
func (r localRow) Key() string { return r.ID + "." + strconv.Itoa(r.Version) }

func (s *server) rules(v *visit) error {
	list, err := s.Rules.List(v.r.Context())
	if err != nil {
		return err
	}
	d := rulesPage{Core: s.Law.Rules(), Keeps: v.who.Has(elicense.DutyTypes) || v.who.Has(elicense.DutyAccounts) && v.who.UnitKind == posts.Administration, Of: v.r.FormValue("of"), Open: v.r.FormValue("end")}
	if v.r.Method == http.MethodPost {
		d.Open = v.r.PathValue("id") + "." + v.r.PathValue("version")
	}
	d.Form = short("local-rule/" + d.Of)
	if d.In, err = v.typedInto(d.Form); err != nil {
		return err
	}
	for _, r := range list {
		if r.State.Binds() {
			d.Bound++
		}
		if r.ID == d.Of && len(d.In.Values) == 0 { // the next version starts from the newest
			d.In.Set("title", r.Title)
			d.In.Set("text", r.Text)
		}
		d.Local = append(d.Local, localRow{r, r.Last().Person == v.who.Person})
	}
	if d.Keeps {
		for _, act := range access.KnownActs() {
			d.Words = append(d.Words, actFacts{act, actWord(string(act)), access.FactsOf(act)})
		}
	}
	return v.render("rules", v.t("访问规则"), d)
}

func (s *server) rulePropose(v *visit) error {
	f := v.r.PostForm
	form := short("local-rule/" + f.Get("of"))
	if _, _, err := s.Rules.Propose(v.r.Context(), v.who, f.Get("of"), f.Get("title"), f.Get("docNo"), f.Get("text")); err != nil {
		return v.refusedForm(err, form, func() error { return s.rules(v) })
	}
	if err := s.Typed.Clear(v.r.Context(), v.who, form); err != nil {
		return err
	}
	return v.goTo("/admin/rules?said=rule-proposed")
}

func (s *server) ruleDo(v *visit) error {
	version, err := strconv.Atoi(v.r.PathValue("version"))
	if err != nil {
		return errNoPage()
	}
	id, said := v.r.PathValue("id"), "rule-decided"
	switch v.r.PostFormValue("do") {
	case "approve", "refuse":
		err = s.Rules.Decide(v.r.Context(), v.who, id, version, v.r.PostFormValue("do") == "approve")
	case "end":
		said = "rule-end"
		err = s.Rules.ProposeEnd(v.r.Context(), v.who, id, version, v.r.PostFormValue("reason"))
	default:
		err = elicense.E(elicense.Invalid, "要选择同意、不同意或停用")
	}
	if err != nil {
		return v.again(err, func() error { return s.rules(v) })
	}
	return v.goTo("/admin/rules?said=" + said)
}
