package web

import (
	"bytes"
	"regexp"
)

// hyphened are dates, license and case numbers: figures or letters tied by hyphens.
var hyphened = regexp.MustCompile(`[0-9A-Za-z]+(?:-[0-9A-Za-z]+)+`)

// dateSize is the length of a date, which fits into any column.
const dateSize = len("2026-11-30")

// untouched are the elements whose text is no text of the page.
var untouched = [][]byte{[]byte("svg"), []byte("textarea"), []byte("select"), []byte("title"), []byte("script")}

// whole marks the dates and numbers of a page, because browsers break a line after
// each hyphen between figures, and 2026-11- is no date. A date is never broken; a
// number goes to a line of its own before it is. It works on the finished page, as
// dates and numbers come in sentences, in typed text and in the fields of licenses.
func whole(page []byte) []byte {
	out := make([]byte, 0, len(page)+len(page)/16)
	for len(page) > 0 {
		text := page
		if i := bytes.IndexByte(page, '<'); i >= 0 {
			text = page[:i]
		}
		out = wholeText(out, text)
		page = page[len(text):]
		tag := page[:tagEnd(page)]
		out = append(out, tag...)
		page = page[len(tag):]
	}
	return out
}

func wholeText(out, text []byte) []byte {
	if bytes.IndexByte(text, '-') < 0 {
		return append(out, text...)
	}
	from := 0
	for _, at := range hyphened.FindAllIndex(text, -1) {
		word := text[at[0]:at[1]]
		if !bytes.ContainsAny(word, "0123456789") {
			continue
		}
		class := "number"
		if len(word) <= dateSize {
			class = "date"
		}
		out = append(out, text[from:at[0]]...)
		out = append(out, `<span class="`+class+`">`...)
		out = append(out, word...)
		out = append(out, "</span>"...)
		from = at[1]
	}
	return append(out, text[from:]...)
}

// tagEnd is where the tag ends that the page begins with, or the element, if its
// text stays as it is. In values of attributes html/template writes > as &gt;.
func tagEnd(page []byte) int {
	for _, name := range untouched {
		if !opens(page, name) {
			continue
		}
		end := append([]byte("</"), name...)
		if i := bytes.Index(page, end); i >= 0 {
			return i
		}
	}
	if i := bytes.IndexByte(page, '>'); i >= 0 {
		return i + 1
	}
	return len(page)
}

func opens(page, name []byte) bool {
	if len(page) < len(name)+2 || !bytes.HasPrefix(page[1:], name) {
		return false
	}
	next := page[1+len(name)]
	return next == ' ' || next == '>'
}
