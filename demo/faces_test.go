package demo

import (
	"testing"

	"elicense"
	"elicense/catalog"
	"elicense/face"
	"elicense/sheet/sheettest"
)

func made(t testing.TB) []*catalog.Type {
	d, err := Read()
	if err != nil {
		t.Fatal(err)
	}
	var list []*catalog.Type
	for _, x := range d.Types() {
		if x.Mode.Made() {
			list = append(list, x)
		}
	}
	return list
}

const today = elicense.Date("2026-01-14")

func trial(t *catalog.Type, fields map[string]string) face.Data {
	return t.FaceData("福州市鼓楼区市场监督管理局", fields, today, "1.2.156.3005.2.11350000FJDEM0021G001.11350000FJDEM0021G.0f83kd92m1x0.001.K", "https://elicense.example/c/0123456789abcdef0123456789abcdef")
}

// Every face of the demo shows its required fields, hides nothing under the seal
// and bears the longest names, addresses and scopes, rare characters and empty
// optional fields.
func TestFacesBearExtremes(t *testing.T) {
	fonts := sheettest.Fonts(t)
	types := made(t)
	if len(types) != 19 {
		t.Fatalf("%d types are made, want 19", len(types))
	}
	for _, x := range types {
		t.Run(x.Name, func(t *testing.T) {
			for _, p := range x.Lint(fonts, today) {
				t.Errorf("page %d %s %s: %s %s %s", p.Page, p.ID, p.Name, p.Text, p.With, p.Data)
			}
		})
	}
}

// The same face is the same ink on paper and on screen: every object's ink lies
// within 0.2 mm in the PDF and in the SVG, for every form of every type.
func TestFacesAreTheSameInkInPDFAndSVG(t *testing.T) {
	if testing.Short() {
		t.Skip("draws every face twice")
	}
	fonts, ink := sheettest.Fonts(t), sheettest.OpenInk(t)
	for _, x := range made(t) {
		t.Run(x.Name, func(t *testing.T) {
			forms := x.Face.Forms()
			if len(forms) == 0 {
				forms = []string{""}
			}
			for _, form := range forms {
				data := x.SampleData(x.Sample(today), today)
				data.Form = form
				pages, err := face.Layout(x.Face, data, fonts)
				if err != nil {
					t.Fatal(err)
				}
				ink.Same(t, pages.Sheets)
			}
		})
	}
}
