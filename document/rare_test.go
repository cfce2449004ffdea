package document

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"elicense/ofd"
	"elicense/sheet"
	"elicense/sheet/sheettest"
)

// Names with rare characters, also from beyond the basic plane, stand on the
// license, in its file as text and as outlines, in the PDF as text that can be
// searched for, and in the picture.
func TestRareNames(t *testing.T) {
	fonts := sheettest.Fonts(t)
	for _, r := range "㛃㳚䶮𬱖𬴊𠅤𣲗𫵷𬬭𰻝" {
		t.Run(string(r), func(t *testing.T) {
			name := "福州市" + string(r) + "记食品店"
			c := foodContent()
			c.Data.Values["holder_name"] = []string{name}
			file := issue(t, c)
			fields, err := Fields(file)
			if err != nil {
				t.Fatal(err)
			}
			shown := ""
			for _, p := range fields {
				if p.Name == "holder_name" {
					shown = p.Value
				}
			}
			if shown != name {
				t.Errorf("the file shows %q", shown)
			}
			f, err := ofd.Open(file)
			if err != nil {
				t.Fatal(err)
			}
			pages, err := f.Pages()
			if err != nil {
				t.Fatal(err)
			}
			drawn := false
			for _, it := range pages[0].Sheet.Items {
				x, ok := it.(*sheet.Text)
				if !ok || !strings.ContainsRune(x.Text, r) {
					continue
				}
				at := len([]rune(x.Text[:strings.IndexRune(x.Text, r)]))
				g := x.Glyphs[at]
				if !x.Font.HasOutline(g) || x.Font.Glyph(r) != g {
					t.Errorf("the font in the file has no outline for it, or glyph numbers and character map disagree")
				}
				drawn = true
			}
			if !drawn {
				t.Error("no text of the page has it")
			}
			copies, err := Draw(file, fonts)
			if err != nil {
				t.Fatal(err)
			}
			pdf, err := copies.PDF()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("pdftotext", "-raw", "-", "-")
			cmd.Stdin = bytes.NewReader(pdf)
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("pdftotext (package poppler-utils): %v", err)
			}
			if !strings.Contains(string(out), name) {
				t.Errorf("the PDF says %q", out)
			}
		})
	}
}
