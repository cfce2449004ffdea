package web

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"elicense/demo"
)

// spoken are the rooms whose sentences reach people through the pages.
var spoken = []string{".", "../", "../access", "../calendar", "../cases", "../catalog", "../delivery", "../issuance", "../lifecycle", "../offline", "../ontime", "../posts", "../references", "../registry", "../sharing", "../stock", "../verification", "../org", "../sealing", "../face", "../store", "../notice"}

var (
	templateText = regexp.MustCompile(`\bt "((?:[^"\\]|\\.)*)"`)
	lawText      = regexp.MustCompile(`(?m)^@(?:reason|next|article)\("([^"]*)"\)`)
)

// TestTextsAreInBothLanguages finds every Chinese sentence of the pages, of the
// refusals of the rooms and of the law text, and asks for its English.
func TestTextsAreInBothLanguages(t *testing.T) {
	want := map[string]string{} // sentence to where it was found
	for _, f := range glob(t, "templates/*.html") {
		for _, m := range templateText.FindAllStringSubmatch(read(t, f), -1) {
			want[m[1]] = f
		}
		for _, line := range strings.Split(bare(read(t, f)), "\n") {
			if han(line) {
				t.Errorf("%s: Chinese outside the catalog: %s", f, strings.TrimSpace(line))
			}
		}
	}
	for _, m := range lawText.FindAllStringSubmatch(read(t, "../access/law.cedar"), -1) {
		want[m[1]] = "law.cedar"
	}
	for _, a := range demo.Accounts() {
		want[a.Desk], want[a.Does] = "demo accounts", "demo accounts"
	}
	for _, dir := range spoken {
		for _, f := range glob(t, filepath.Join(dir, "*.go")) {
			if !strings.HasSuffix(f, "_test.go") {
				collect(t, f, want)
			}
		}
	}
	var missing []string
	for s, where := range want {
		e, ok := englishTexts[s]
		if !ok && (article.MatchString(s) || !strings.HasSuffix(where, ".html") && partOfPattern(s)) {
			continue
		}
		if !ok {
			missing = append(missing, strconv.Quote(s)+" ("+where+")")
			continue
		}
		if strings.Join(verbs(s), "") != strings.Join(verbs(e), "") {
			t.Errorf("%q and %q differ in their verbs", s, e)
		}
		if han(e) && !strings.Contains(s, "〔") {
			t.Errorf("the English of %q holds Chinese: %q", s, e)
		}
	}
	sort.Strings(missing)
	if len(missing) > 0 {
		t.Errorf("%d sentences have no English:\n%s", len(missing), strings.Join(missing, "\n"))
	}
	if file := os.Getenv("ELICENSE_UNUSED_TEXTS"); file != "" {
		for s := range englishTexts {
			if _, ok := want[s]; !ok {
				t.Logf("unused: %s", s)
			}
		}
	}
}

// TestEnglishAgreesWithItsNumber: one of a thing is not many. It also holds every
// counted word to a number that stands before it.
func TestEnglishAgreesWithItsNumber(t *testing.T) {
	for _, x := range []struct {
		text string
		args []any
		want string
	}{
		{"%d行", []any{1}, "1 row"},
		{"%d行", []any{0}, "0 rows"},
		{"%d行", []any{11}, "11 rows"},
		{"敏感的%d项没有全部显示", []any{1}, "1 sensitive field is not shown in full"},
		{"敏感的%d项没有全部显示", []any{2}, "2 sensitive fields are not shown in full"},
		{"改了%d行，和原来一样%d行，没有收下%d行", []any{2, 1, 1}, "2 rows changed, 1 as before, 1 not taken"},
	} {
		if got := translate(english, x.text, x.args...); got != x.want {
			t.Errorf("%v: %q, want %q", x.args, got, x.want)
		}
	}
	number := regexp.MustCompile(`%d [a-z ]*$`)
	for k, e := range englishTexts {
		for _, m := range counted.FindAllStringIndex(e, -1) {
			if !number.MatchString(e[:m[0]]) || strings.Contains(e, "%%") {
				t.Errorf("the English of %q counts without a number: %q", k, e)
			}
		}
	}
}

// partOfPattern tells whether a literal is a piece of a sentence that is put
// together, and the whole is translated by a pattern.
func partOfPattern(s string) bool {
	for _, p := range patterns {
		if strings.Contains(p.head+"*"+p.tail, s) {
			return true
		}
	}
	return false
}

// notSpoken tells whether a Chinese literal is data and not for people: patterns
// of values and dates, the code types of GB/T 36903 that no form offers, the names in the
// demo's certificates, forms of one character, and the digits of the text catalog
// itself.
func notSpoken(file, s string) bool {
	if strings.HasPrefix(file, "../face/") && file != "../face/lint.go" { // what stands on documents
		return true
	}
	return file == "texts.go" || file == "../sharing/compare.go" || strings.HasPrefix(s, "演示") && file == "../sealing/trust.go" || strings.ContainsAny(s, "^$\n") || strings.HasPrefix(s, "2006") || file == "../codes.go" && !strings.Contains(s, "%") && strings.HasSuffix(s, "号码") ||
		file == "../codes.go" && strings.HasSuffix(s, "编号") || file == "../codes.go" && strings.HasSuffix(s, "护照号")
}

// collect takes the Chinese literals of a file that stand for people: all of
// web's, and of the other rooms those given to errors, findings and words.
func collect(t *testing.T, file string, want map[string]string) {
	t.Helper()
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok && concerns(call) {
			return false
		}
		lit, ok := n.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return true
		}
		s, err := strconv.Unquote(lit.Value)
		if err != nil {
			t.Fatal(err)
		}
		if han(s) && !notSpoken(file, s) {
			want[s] = file
		}
		return true
	})
}

// concerns tells whether a call only tells machines: logs and fields of records.
func concerns(call *ast.CallExpr) bool {
	sel, ok := call.Fun.(*ast.SelectorExpr)
	return ok && (strings.HasPrefix(sel.Sel.Name, "Replace") || sel.Sel.Name == "Contains" || sel.Sel.Name == "TrimSuffix" || sel.Sel.Name == "Format")
}

func verbs(s string) []string {
	return regexp.MustCompile(`%[^%a-z]*[a-z]`).FindAllString(s, -1)
}

func han(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return unicode.Is(unicode.Han, r) }) >= 0
}

var (
	actions  = regexp.MustCompile(`{{[^}]*}}`)
	examples = regexp.MustCompile(`placeholder="[^"]*〔[^"]*"`)
	chineseP = regexp.MustCompile(`<[^>]*lang="zh-CN"[^>]*>[^<]*<`)
)

// bare is a template without its actions, examples and parts marked Chinese.
func bare(s string) string {
	return chineseP.ReplaceAllString(examples.ReplaceAllString(actions.ReplaceAllString(s, ""), ""), "")
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	list, err := filepath.Glob(pattern)
	if err != nil || len(list) == 0 {
		t.Fatalf("%s: %v", pattern, err)
	}
	return list
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestEveryActHasItsWords: a record is read by people.
func TestEveryActHasItsWords(t *testing.T) {
	acts := regexp.MustCompile(`Act = "([^"]+)"`).FindAllStringSubmatch(read(t, "../access/law.go"), -1)
	if len(acts) < 50 {
		t.Fatalf("%d acts found", len(acts))
	}
	for _, a := range acts {
		if actWord(a[1]) == a[1] {
			t.Errorf("the act %s has no words", a[1])
		}
	}
}
