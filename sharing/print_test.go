package sharing_test

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"elicense"
	"elicense/e2e/world"
)

// Holder and issuing unit get prints and PDFs of their licenses, which say what
// they are; nobody else does, and every one is on the record.
func TestPrints(t *testing.T) {
	world.Each(t, func(t *testing.T, w *world.World) {
		ctx := t.Context()
		d := w.Publish(t, w.Completion("P1"))
		pdf, name, err := w.Sharing.PDF(ctx, w.Holder, d.License, false)
		if err != nil || !strings.HasSuffix(name, ".pdf") {
			t.Fatal(name, err)
		}
		if got := text(t, pdf); !strings.Contains(got, "非签章件") || !strings.Contains(got, "JYP1") {
			t.Errorf("the PDF says %q", got)
		}
		print, name, err := w.Sharing.Print(ctx, w.Reviewer, d.License, true, "办理公积金提取")
		if err != nil || !strings.HasSuffix(name, "-print.pdf") {
			t.Fatal(name, err)
		}
		got := text(t, print)
		for _, want := range []string{"电子证照打印件", string(d.Identifier), "办理公积金提取", "黄演示", "第1页/共1页"} {
			if !strings.Contains(got, want) {
				t.Errorf("the print lacks %q: %q", want, got)
			}
		}
		for _, who := range []*elicense.Actor{w.Window, w.Auditor} {
			if _, _, err := w.Sharing.Print(ctx, who, d.License, true, ""); !elicense.IsKind(err, elicense.Forbidden) {
				t.Errorf("%s: %v", who.Name, err)
			}
		}
		if _, _, err := w.Sharing.Print(ctx, w.Holder, d.License, false, strings.Repeat("用", 61)); !elicense.IsKind(err, elicense.Invalid) {
			t.Errorf("a long purpose: %v", err)
		}
		w.Sharing.Printing = nil
		if _, _, err := w.Sharing.PDF(ctx, w.Holder, d.License, false); !elicense.IsKind(err, elicense.Unavailable) {
			t.Errorf("without fonts: %v", err)
		}
	})
}

// text is what a PDF says, as pdftotext reads it.
func text(t *testing.T, pdf []byte) string {
	t.Helper()
	cmd := exec.Command("pdftotext", "-raw", "-", "-")
	cmd.Stdin = bytes.NewReader(pdf)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("pdftotext (package poppler-utils): %v", err)
	}
	return strings.Join(strings.Fields(string(out)), "")
}
