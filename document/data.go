package document

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"elicense/face"
	"elicense/sheet"
)

// dataName is the attachment with the structured data of a license file.
const dataName = "license.json"

// licenseData is what a license file holds for machines. It says nothing the
// face does not show (GB/T 36905-2018): its fields are those that were set, and
// of each what is kept and what is shown.
type licenseData struct {
	Format   string               `json:"format"`
	Metadata map[string]string    `json:"metadata"`
	Fields   map[string]shownData `json:"fields"`
}

// shownData is a field's value and how one place of the face shows it. A field
// shown at several places has an entry for each: key, key.2, key.3 …
type shownData struct {
	Value string `json:"value"`
	Shown string `json:"shown"`
}

const dataFormat = "elicense license 1"

func licenseJSON(c *Content, pages []sheet.Sheet) []byte {
	d := licenseData{Format: dataFormat, Metadata: map[string]string{}, Fields: map[string]shownData{}}
	for _, p := range c.Metadata {
		d.Metadata[p.Name] = p.Value
	}
	for i := range pages {
		for _, it := range pages[i].Items[pages[i].Fixed:] {
			t, ok := it.(*sheet.Text)
			if !ok || t.Tag == "" {
				continue
			}
			one, known := d.Fields[t.Tag]
			if !known {
				key, _, _ := strings.Cut(t.Tag, ".")
				one.Value = valueOf(&c.Data, key)
			}
			one.Shown += t.Text
			d.Fields[t.Tag] = one
		}
	}
	return d.marshal()
}

// marshal writes the data as json.Marshal does, which takes five times as long.
func (d *licenseData) marshal() []byte {
	b := make([]byte, 0, 2048)
	b = append(b, `{"format":`...)
	b = appendJSON(b, d.Format)
	b = append(b, `,"metadata":{`...)
	for i, k := range slices.Sorted(maps.Keys(d.Metadata)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSON(b, k)
		b = append(b, ':')
		b = appendJSON(b, d.Metadata[k])
	}
	b = append(b, `},"fields":{`...)
	for i, k := range slices.Sorted(maps.Keys(d.Fields)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendJSON(b, k)
		b = append(b, `:{"value":`...)
		b = appendJSON(b, d.Fields[k].Value)
		b = append(b, `,"shown":`...)
		b = appendJSON(b, d.Fields[k].Shown)
		b = append(b, '}')
	}
	return append(b, "}}"...)
}

// appendJSON writes a string; what needs care is left to encoding/json.
func appendJSON(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' || c == 0xe2 || c == 0x7f {
			quoted, err := json.Marshal(s)
			if err != nil { // a string has none
				return append(b, `""`...)
			}
			return append(b, quoted...)
		}
	}
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

func valueOf(d *face.Data, key string) string {
	switch key {
	case face.KeyIssuer:
		return d.Issuer
	case face.KeyDate:
		return d.Date
	case face.KeyIdentifier:
		return d.Identifier
	}
	return strings.Join(d.Values[key], "\n")
}
