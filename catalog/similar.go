package catalog

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"elicense"
)

// Likeness is how alike two types are, and why.
type Likeness struct {
	Score  float64  // 0 to 1
	Exact  bool     // the same name but for brackets, blanks, dots and widths
	Reason string   // a Chinese sentence
	Words  []string // the words that tell them apart, if such do
}

// likely is the score from which two names are taken for one license.
const likely = 0.72

// Likely tells whether the two are taken for one license.
func (l Likeness) Likely() bool { return l.Score >= likely }

// Percent is the score as people read it.
func (l Likeness) Percent() int { return int(l.Score*100 + 0.5) }

// The reasons of a likeness, as they are shown.
const (
	whyExact    = "名称相同"
	whyVariant  = "去掉地区、正副本和“证、证书、许可证”一类字样后相同"
	whyOrder    = "用字相同，只是先后不同"
	whyMinor    = "只差“人员、企业、服务”一类的字"
	whyNear     = "名称大部分相同"
	whyBasis    = "名称相近，法律依据相同"
	whyFields   = "名称相近，照面项目大多相同"
	whyContrast = "有一处用字不同，通常是两种证照"
	whyFar      = "名称不同"
)

// knowledge is what the finder knows of names: of places before them, of forms and
// copies, of things with several names, and of words that tell licenses apart.
type knowledge struct {
	Cities, Districts, Counties, Above, Offices, Copies []string
	Synonyms, Spoken                                    map[string]string
	Tails, Minor                                        []string
	Contrasts                                           [][]string // sets: two licenses with different words of one are different
	Own                                                 []string   // a license with one is another than one without
}

//go:embed names.json
var namesJSON []byte

var known = func() (k knowledge) {
	if err := json.Unmarshal(namesJSON, &k); err != nil {
		panic(err) // the file is part of the program
	}
	return k
}()

var (
	regions = regexp.MustCompile(fmt.Sprintf(`^(%s|(%s)市?|(%s)区|(%s)县)`,
		strings.Join(known.Above, "|"), strings.Join(known.Cities, "|"), strings.Join(known.Districts, "|"), strings.Join(known.Counties, "|")))
	office   = regexp.MustCompile(`^\p{Han}{2,14}?(` + strings.Join(known.Offices, "|") + ")")
	copies   = replacer(known.Copies, nil)
	synonyms = replacer(slices.Collect(maps.Keys(known.Synonyms)), known.Synonyms)
)

// replacer puts the longest word that stands at a place for what it means.
func replacer(words []string, means map[string]string) *strings.Replacer {
	words = slices.Clone(words)
	slices.SortFunc(words, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	var pairs []string
	for _, w := range words {
		pairs = append(pairs, w, means[w])
	}
	return strings.NewReplacer(pairs...)
}

// named is a name taken apart for comparison.
type named struct {
	folded string // without what nobody reads
	whole  string // and without copies, places and units, with one word for a thing
	stem   string // and without its tail
	core   string // and without minor words
}

// fold is a name in one width, without blanks and marks.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsNumber(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, norm.NFKC.String(name))
}

var bracketed = regexp.MustCompile(`\([^()]*\)|\[[^\[\]]*\]|【[^【】]*】|〔[^〔〕]*〕`)

// takeApart prepares a name. What stands in brackets says what kind, and is read
// as standing before: 特种行业许可证（旅馆业） is 旅馆业特种行业许可证.
func takeApart(name string) named {
	n := named{folded: fold(name)}
	flat, before := norm.NFKC.String(name), ""
	flat = bracketed.ReplaceAllStringFunc(flat, func(b string) string {
		before += fold(b)
		return ""
	})
	s := before + fold(flat)
	if fold(flat) == "" {
		s = n.folded
	}
	s = copies.Replace(s)
	for regions.MatchString(s) {
		s = regions.ReplaceAllString(s, "")
	}
	s = office.ReplaceAllString(s, "")
	if full := known.Spoken[s]; full != "" {
		s = full
	}
	n.whole = synonyms.Replace(s)
	n.stem = n.whole
	for _, tail := range known.Tails {
		if rest, cut := strings.CutSuffix(n.stem, tail); cut && utf8.RuneCountInString(rest) > 1 {
			n.stem = rest
			break
		}
	}
	n.core = n.stem
	for _, w := range known.Minor {
		if rest := strings.ReplaceAll(n.core, w, ""); utf8.RuneCountInString(rest) > 1 {
			n.core = rest
		}
	}
	return n
}

// Alike compares two names of licenses.
func Alike(a, b string) Likeness {
	x, y := takeApart(a), takeApart(b)
	if x.folded == y.folded {
		return Likeness{Score: 1, Exact: true, Reason: whyExact}
	}
	apart := contrast(x.whole, y.whole)
	switch {
	case x.whole == y.whole:
		return Likeness{Score: 0.98, Reason: whyVariant}
	case x.stem == y.stem && apart == nil:
		return Likeness{Score: 0.96, Reason: whyVariant}
	case sorted(x.stem) == sorted(y.stem):
		return Likeness{Score: 0.94, Reason: whyOrder}
	}
	score := near(x, y)
	if apart != nil {
		return Likeness{Score: min(score, 0.5), Reason: whyContrast, Words: apart}
	}
	if x.core == y.core || sorted(x.core) == sorted(y.core) {
		return Likeness{Score: min(max(score, 0.88), 0.92), Reason: whyMinor}
	}
	if score >= likely {
		return Likeness{Score: min(score, 0.9), Reason: whyNear}
	}
	return Likeness{Score: score, Reason: whyFar}
}

// contrast returns the words by which two names are of two licenses.
func contrast(a, b string) []string {
	for _, set := range known.Contrasts {
		mineOnly, yoursOnly := "", ""
		for _, w := range set {
			inA, inB := strings.Contains(a, w), strings.Contains(b, w)
			if inA && !inB && mineOnly == "" {
				mineOnly = w
			}
			if inB && !inA && yoursOnly == "" {
				yoursOnly = w
			}
		}
		if mineOnly != "" && yoursOnly != "" {
			return []string{mineOnly, yoursOnly}
		}
	}
	for _, w := range known.Own {
		if strings.Contains(a, w) != strings.Contains(b, w) {
			return []string{w}
		}
	}
	return nil
}

// near is how much of the names' stems is the same: their pairs of characters, the
// changes from one to the other, and how much of the shorter is in the longer.
func near(x, y named) float64 {
	a, b := []rune(x.core), []rune(y.core)
	shared := 0
	rest := slices.Clone(b)
	for _, r := range a {
		if i := slices.Index(rest, r); i >= 0 {
			shared++
			rest = slices.Delete(rest, i, i+1)
		}
	}
	within := float64(shared) / float64(max(1, min(len(a), len(b))))
	edit := 1 - float64(distance(a, b))/float64(max(1, len(a), len(b)))
	return 0.35*bigrams(x.core, y.core) + 0.3*edit + 0.35*within
}

// bigrams is the Dice coefficient of the pairs of neighboring characters.
func bigrams(a, b string) float64 {
	count := map[string]int{}
	pairs := func(s string, each func(string)) (n int) {
		r := []rune(s)
		for i := range len(r) - 1 {
			each(string(r[i : i+2]))
			n++
		}
		return n
	}
	n := pairs(a, func(p string) { count[p]++ })
	both := 0
	m := pairs(b, func(p string) {
		if count[p] > 0 {
			count[p]--
			both++
		}
	})
	if n+m == 0 {
		return 0
	}
	return 2 * float64(both) / float64(n+m)
}

// distance is how many characters to put in, take out or change make b of a.
func distance(a, b []rune) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i, r := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j, s := range b {
			change := diagonal
			if r != s {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(row[j+1]+1, row[j]+1, change)
		}
	}
	return row[len(b)]
}

func sorted(s string) string {
	r := []rune(s)
	slices.Sort(r)
	return string(r)
}

// Like compares two types: their names, and where these leave doubt, the legal
// basis and the fields.
func (t *Type) Like(o *Type) Likeness {
	l := Alike(t.Name, o.Name)
	if l.Score >= likely || l.Score < 0.55 || l.Words != nil {
		return l
	}
	if t.Basis != "" && fold(t.Basis) == fold(o.Basis) {
		l.Score, l.Reason = l.Score+0.12, whyBasis
	}
	labels := map[string]bool{}
	for _, f := range t.Fields {
		labels[fold(f.Label)] = true
	}
	both := 0
	for _, f := range o.Fields {
		if labels[fold(f.Label)] {
			both++
		}
	}
	if all := len(t.Fields) + len(o.Fields) - both; both >= 4 && 10*both >= 7*all {
		l.Score, l.Reason = l.Score+0.08, whyFields
	}
	return l
}

// Duplicate is a type that may be the same license as another.
type Duplicate struct {
	Code elicense.TypeCode
	Name string
	Likeness
}
