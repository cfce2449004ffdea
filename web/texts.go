package web

import (
	"embed"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

//go:embed texts/en.json
var textFiles embed.FS

// The languages of the pages. The Chinese sentence is the key of its translation.
const (
	chinese = "zh-CN"
	english = "en"
)

var englishTexts = func() map[string]string {
	b, err := textFiles.ReadFile("texts/en.json")
	if err != nil {
		panic(err) // it is embedded
	}
	m := map[string]string{}
	if err := json.Unmarshal(b, &m); err != nil {
		panic(fmt.Errorf("texts/en.json: %w", err)) // a test reads it
	}
	return m
}()

// pattern translates a sentence that a room puts together: the star of its key
// stands for what comes between head and tail.
type pattern struct{ head, tail, english string }

var patterns = func() (list []pattern) {
	for k, e := range englishTexts {
		if head, tail, ok := strings.Cut(k, "*"); ok {
			list = append(list, pattern{head, tail, e})
		}
	}
	// The longest first, so that the closest is taken.
	slices.SortFunc(list, func(a, b pattern) int { return len(b.head+b.tail) - len(a.head+a.tail) })
	return list
}()

// article is a reference to the Measures, such as 第十三条第二款.
var article = regexp.MustCompile(`^第([一二三四五六七八九十]+)条(?:第([一二三四五六七八九十]+)款)?$`)

// number reads a Chinese number below a hundred.
func number(s string) int {
	const digits = "一二三四五六七八九"
	n, last := 0, 0
	for _, r := range s {
		if r == '十' {
			n, last = 10*max(last, 1), 0
			continue
		}
		last = strings.IndexRune(digits, r)/len("一") + 1
	}
	return n + last
}

// inEnglish finds the English of a text: as it stands, as a reference to an
// article, or by a pattern.
func inEnglish(text string) string {
	if e, ok := englishTexts[text]; ok {
		return e
	}
	if m := article.FindStringSubmatch(text); m != nil {
		e := fmt.Sprintf("Article %d", number(m[1]))
		if m[2] != "" {
			e += fmt.Sprintf("(%d)", number(m[2]))
		}
		return e
	}
	for _, p := range patterns {
		rest, head := strings.CutPrefix(text, p.head)
		rest, tail := strings.CutSuffix(rest, p.tail)
		if head && tail && rest != "" {
			return strings.Replace(p.english, "*", inEnglish(rest), 1)
		}
	}
	return text
}

// clause names the provision a refusal rests on: an article of the Measures, or of
// another law that is named with it.
func clause(lang, c string) string {
	switch {
	case c == "":
		return ""
	case article.MatchString(c):
		return translate(lang, "依据《暂行办法》%s", c)
	}
	return translate(lang, "依据%s", c)
}

// English returns the English of a sentence of the rooms, or the sentence where
// it has none, such as the name of a unit.
func English(text string) string { return inEnglish(text) }

// counted is a word of an English sentence in its two forms, for one and for any
// other number: "%d {row is|rows are} wrong". The number before it decides.
var counted = regexp.MustCompile(`\{([^{}|]+)\|([^{}|]+)\}`)

// agree takes the form of each counted word that goes with its number.
func agree(text string, args []any) string {
	var b strings.Builder
	at := 0
	for _, m := range counted.FindAllStringSubmatchIndex(text, -1) {
		form := text[m[4]:m[5]]
		if n := strings.Count(text[:m[0]], "%"); 0 < n && n <= len(args) && fmt.Sprint(args[n-1]) == "1" {
			form = text[m[2]:m[3]]
		}
		b.WriteString(text[at:m[0]] + form)
		at = m[1]
	}
	return b.String() + text[at:]
}

// translate returns a sentence in a language, with its arguments. What has no
// translation, such as the name of a unit, stays as it is.
func translate(lang, text string, args ...any) string {
	if lang == english {
		text = inEnglish(text)
		args = slices.Clone(args)
		for i, a := range args {
			if s, ok := a.(string); ok {
				args[i] = translate(lang, s)
			}
		}
		text = agree(text, args)
	}
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(text, args...)
}
