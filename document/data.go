package document

import (
	"encoding/json"
	"strings"

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

func licenseJSON(c *Content, pages []sheet.Sheet) ([]byte, error) {
	d := licenseData{Format: dataFormat, Metadata: map[string]string{}, Fields: map[string]shownData{}}
	for _, p := range c.Metadata {
		d.Metadata[p.Name] = p.Value
	}
	for i := range pages {
		for _, it := range pages[i].Items {
			t, ok := it.(*sheet.Text)
			if !ok || t.Tag == "" {
				continue
			}
			one := d.Fields[t.Tag]
			one.Shown += t.Text
			d.Fields[t.Tag] = one
		}
	}
	for tag, one := range d.Fields {
		key, _, _ := strings.Cut(tag, ".")
		one.Value = valueOf(&c.Data, key)
		d.Fields[tag] = one
	}
	return json.Marshal(d)
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
