package catalog_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"runtime"
	"strings"
	"testing"

	"elicense"
	"elicense/catalog"
	"elicense/e2e/world"
	"elicense/face"
	"elicense/sheet"
	"elicense/sheet/sheettest"
)

const today = elicense.Date("2026-01-14")

func drawer(t testing.TB) *catalog.Drawer { return catalog.NewDrawer(sheettest.Fonts(t)) }

func TestAFaceIsDrawnWithEachKindOfData(t *testing.T) {
	d, typ := drawer(t), world.FoodType()
	for _, s := range catalog.Samples() {
		proof, err := d.Draw(typ, s, "", today)
		if err != nil || len(proof.Pages) == 0 || len(proof.Problems) > 0 {
			t.Fatalf("%s: %v, %+v", s, err, proof)
		}
		if p := proof.Pages[0]; !bytes.HasPrefix(p.SVG, []byte("<svg")) || p.W == 0 || p.Index != 0 {
			t.Errorf("%s: page %d of %g mm", s, p.Index, p.W)
		}
	}
}

// What does not fit is told, with the object to be chosen, and the rest is drawn.
func TestAProofTellsWhatDoesNotFit(t *testing.T) {
	d, typ := drawer(t), world.FoodType()
	typ.Face.Pages[0].Texts[0].Size = 190
	typ.Face.Pages[0].Texts[0].Min = 190
	proof, err := d.Draw(typ, catalog.Usual, "", today)
	if err != nil || len(proof.Pages) != 1 || len(proof.Problems) != 1 {
		t.Fatalf("%v, %+v", err, proof)
	}
	if p := proof.Problems[0]; p.Ref != "texts/0" || p.Page != 1 || p.Fault != face.Overflows {
		t.Errorf("%+v", p)
	}
	found, err := d.Lint(typ, today)
	if err != nil || len(found) == 0 || found[0].Ref != "texts/0" {
		t.Errorf("lint: %v, %+v", err, found)
	}
	typ = world.FoodType()
	typ.Face.Pages[0].Grid.At[3] = 12
	proof, err = d.Draw(typ, catalog.Extreme, "", today)
	if err != nil || len(proof.Pages) != 0 && len(proof.Problems) == 0 {
		t.Errorf("a grid without room: %v, %+v", err, proof)
	}
}

func TestWithoutFontsNothingIsDrawn(t *testing.T) {
	var d *catalog.Drawer
	if _, err := d.Draw(world.FoodType(), catalog.Usual, "", today); !elicense.IsKind(err, elicense.Unavailable) {
		t.Errorf("%v", err)
	}
	if catalog.NewDrawer(nil) != nil {
		t.Error("a drawer without fonts")
	}
}

// A face that can't be used is refused with the object and the reason.
func TestAFaceThatIsWrongIsToldWhere(t *testing.T) {
	for name, c := range map[string]struct{ json, want string }{
		"cut off":        {`{"title": "证",` + "\n" + `"pages": [`, "第2行"},
		"unknown":        {`{"title": "证", "colour": 1, "pages": []}`, "colour"},
		"no page":        {`{"title": "证", "pages": []}`, "1到12页"},
		"wrong value":    {`{"title": 5}`, "值不对"},
		"trailing":       {`{"title": "证", "pages": []} x`, "有错"},
		"waves":          {`{"title": "证", "pages": [{"w": 600, "h": 600, "borders": [{"at": [0, 0, 600, 600], "kind": "guilloche", "width": 0.1, "color": "#000000"}]}]}`, "边框1"},
		"outside":        {`{"title": "证", "pages": [{"w": 100, "h": 100, "texts": [{"id": "a", "at": [90, 0, 20, 5], "font": "song", "pt": 9, "text": "字"}]}]}`, "第1页文字1“a”有错：在页面外"},
		"unknown font":   {`{"title": "证", "pages": [{"w": 100, "h": 100, "texts": [{"at": [0, 0, 20, 5], "font": "comic", "pt": 9, "text": "字"}]}]}`, "没有这种字体"},
		"braces":         {`{"title": "证", "pages": [{"w": 100, "h": 100, "texts": [{"at": [0, 0, 20, 5], "font": "song", "pt": 9, "text": "{字"}]}]}`, "花括号"},
		"without basis":  {`{"title": "证", "pages": [{"w": 100, "h": 100, "pictures": [{"at": [0, 0, 20, 5], "kind": "emblem", "mime": "image/png", "data": "AAAA"}]}]}`, "没有写明使用依据"},
		"seal off paper": {`{"title": "证", "pages": [{"w": 100, "h": 100, "seal": {"x": 90, "y": 50, "d": 42}}]}`, "盖章位置"},
	} {
		_, err := catalog.ParseFace([]byte(c.json))
		var e *elicense.Error
		if !errors.As(err, &e) || e.Kind != elicense.Invalid || e.Field != "face" || !strings.Contains(e.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := catalog.ParseFace(make([]byte, 5<<20)); !elicense.IsKind(err, elicense.TooLarge) {
		t.Errorf("a huge face: %v", err)
	}
}

// hostile is a template made to be slow: long values many times over on every
// page, and as many waves as there may be.
func hostile() *face.Template {
	t := &face.Template{Title: "慢"}
	for range 12 {
		p := face.Page{W: 600, H: 600}
		for i := range 200 {
			if i < 8 {
				p.Borders = append(p.Borders, face.Border{At: face.Rect{0, 0, 600, 600}, Kind: face.Guilloche, Width: 1, Color: sheet.Ink})
			}
			p.Texts = append(p.Texts, face.Text{
				At: face.Rect{0, 0, 600, 600}, Font: sheet.Song, Size: 4, Wrap: true, Flow: true, Text: strings.Repeat("{items}", 200),
			})
		}
		t.Pages = append(t.Pages, p)
	}
	return t
}

// hostileMemory is what drawing a hostile face, or looking for its faults, may allocate
// in bytes, all told; it is 1.1 and 2.1 GB, whatever else runs. What is bounded there
// is bounded in time too, on whatever machine.
const hostileMemory = 3 << 30

// allocated is how many bytes the process has allocated since it began.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

func TestAHostileFaceCostsBoundedWork(t *testing.T) {
	d, typ := drawer(t), world.FoodType()
	raw, err := json.Marshal(hostile())
	if err != nil {
		t.Fatal(err)
	}
	if typ.Face, err = catalog.ParseFace(raw); err != nil {
		t.Fatalf("what is refused costs nothing: %v", err)
	}
	before := allocated()
	_, err = d.Draw(typ, catalog.Extreme, "", today)
	drawn := allocated()
	found, _ := d.Lint(typ, today)
	linted := allocated()
	t.Logf("%d MB to draw it (%v), %d MB to find %d problems", (drawn-before)>>20, err, (linted-drawn)>>20, len(found))
	if drawn-before > hostileMemory || linted-drawn > hostileMemory {
		t.Errorf("drawn with %d bytes and looked at with %d, at most %d are asked", drawn-before, linted-drawn, int64(hostileMemory))
	}
}

func BenchmarkProof(b *testing.B) {
	d, typ := drawer(b), world.FoodType()
	for b.Loop() {
		if _, err := d.Draw(typ, catalog.Usual, "", today); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkProofLint(b *testing.B) {
	d, typ := drawer(b), world.FoodType()
	for b.Loop() {
		if _, err := d.Lint(typ, today); err != nil {
			b.Fatal(err)
		}
	}
}
