package sharing

import (
	"regexp"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
	"golang.org/x/text/width"
)

// Likeness is how what was typed stands to what the license says.
type Likeness string

// The likenesses.
const (
	Same    Likeness = "same"
	Variant Likeness = "variant" // the same but for another form of a character: to be looked at
	Differs Likeness = "differs"
)

// variants are forms of one character that registers and people mix up: rare
// characters of names, their simplified and traditional forms, and those typed
// instead of them. Each line is one class.
var variants = classes("䶮龑", "㛃洁", "堃坤", "喆哲", "淼渺", "犇奔", "昇升陞", "甦苏蘇", "祎禕", "赟贇", "頔迪", "昺炳", "彧郁",
	"峯峰", "羣群", "裏里", "於于", "𬱖頠", "𬴊驎", "𫵷㠇", "𬬭錀", "𣲗湋", "閩闽", "陳陈", "蔭荫", "煕熙", "淸清", "靑青", "眞真", "滙汇匯", "鉄铁鐵")

func classes(lines ...string) map[rune]rune {
	m := map[rune]rune{}
	for _, l := range lines {
		r := []rune(l)
		for _, c := range r {
			m[c] = r[0]
		}
	}
	return m
}

// plain writes a value as it is compared: in the compatible form of Unicode,
// full-width signs narrow, without blanks and without regard to case; dates in
// one form.
func plain(v string) string {
	v = width.Fold.String(norm.NFKC.String(v))
	v = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r) || unicode.Is(unicode.Cf, r):
			return -1
		case r == '〔', r == '［', r == '【':
			return '['
		case r == '〕', r == '］', r == '】':
			return ']'
		case r == '、', r == '，', r == '；', r == ';':
			return ','
		case r == '·', r == '•', r == '．', r == '‧':
			return '·'
		case r == '—', r == '–', r == '－', r == '―':
			return '-'
		}
		return unicode.ToUpper(r)
	}, v)
	if m := dateForm.FindStringSubmatch(v); m != nil {
		return m[1] + "-" + pad(m[2]) + "-" + pad(m[3])
	}
	return strings.TrimRight(v, "。.")
}

var dateForm = regexp.MustCompile(`^([0-9]{4})[-/.年]([0-9]{1,2})[-/.月]([0-9]{1,2})日?$`)

func pad(s string) string {
	if len(s) == 1 {
		return "0" + s
	}
	return s
}

// compare tells how a typed value stands to the license's. An empty one is never
// the same as anything: who types nothing learns nothing.
func compare(typed, stands string) Likeness {
	a, b := plain(typed), plain(stands)
	switch {
	case a == "":
		return Differs
	case a == b:
		return Same
	}
	folded := func(s string) string {
		return strings.Map(func(r rune) rune {
			if c, ok := variants[r]; ok {
				return c
			}
			return r
		}, s)
	}
	if folded(a) == folded(b) {
		return Variant
	}
	return Differs
}
