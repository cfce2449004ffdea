package catalog_test

import (
	"encoding/base64"
	"encoding/json"
	"testing"

	"elicense/catalog"
	"elicense/e2e/world"
	"elicense/face"
)

// FuzzFace reads designs of faces as a unit's browser sends them, lints and draws
// those that are accepted.
func FuzzFace(f *testing.F) {
	typ := world.FoodType()
	own, err := json.Marshal(typ.Face)
	if err != nil {
		f.Fatal(err)
	}
	plain, err := json.Marshal(face.Plain("营业执照", []face.Field{{Key: "holder_name", Label: "名称"}}))
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{string(own), string(plain), `{}`, `{"pages":[]}`, `{"pages":[{"w":1e308,"h":-1}]}`, `[[[[[[[[`} {
		f.Add([]byte(seed))
	}
	d := drawer(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		design, err := catalog.ParseFace(data)
		if err != nil {
			return
		}
		one := world.FoodType()
		one.Face = design
		before := allocated()
		if _, err := d.Lint(one, today); err != nil {
			return
		}
		_, _ = d.All(one, today)                                  // an answer or a refusal
		if took := allocated() - before; took > 2*hostileMemory { // a visitor's browser sends it
			t.Errorf("a design of %d bytes took %d to lint and draw", len(data), took)
		}
	})
}

// FuzzPhoto reads the value of a field of the type image.
func FuzzPhoto(f *testing.F) {
	f.Add("data:image/png;base64," + base64.StdEncoding.EncodeToString([]byte("\x89PNG\r\n\x1a\n")))
	f.Add("data:image/jpeg;base64,")
	f.Add("data:text/html;base64,PHNjcmlwdD4=")
	f.Fuzz(func(t *testing.T, value string) {
		mime, data, ok := catalog.Photo(value)
		if ok && (len(data) == 0 || len(data) > 60<<10 || mime != "image/png" && mime != "image/jpeg") {
			t.Errorf("%s of %d bytes is accepted", mime, len(data))
		}
	})
}
