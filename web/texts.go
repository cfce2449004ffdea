package web

import (
	"embed"
	"encoding/json"
	"fmt"
	"slices"
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

// translate returns a sentence in a language, with its arguments. What has no
// translation, such as the name of a unit, stays as it is.
func translate(lang, text string, args ...any) string {
	if lang == english {
		if e, ok := englishTexts[text]; ok {
			text = e
		}
		args = slices.Clone(args)
		for i, a := range args {
			if s, ok := a.(string); ok {
				args[i] = translate(lang, s)
			}
		}
	}
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(text, args...)
}
