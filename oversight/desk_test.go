package oversight_test

import (
	"slices"
	"testing"
	"time"

	"elicense"
	"elicense/e2e/world"
	"elicense/oversight"
)

// TestALoopOfRefusedDesksDoesNotFillTheRecord: whoever asks for the same page again
// and again is refused each time and recorded once in a while, with how often.
func TestALoopOfRefusedDesksDoesNotFillTheRecord(t *testing.T) {
	w := world.OnSQLite(t)
	desk := oversight.Desk{Name: "admin", Kind: elicense.Staff, Duties: []elicense.Duty{elicense.DutyAudit}}
	open := func(page string) error { return w.Oversight.Enter(t.Context(), w.Window, desk, page, w.Clock.Now()) }
	for range 50 {
		if err := open("GET /admin"); !elicense.IsKind(err, elicense.Forbidden) {
			t.Fatalf("Enter = %v", err)
		}
	}
	if err := open("GET /admin/records"); !elicense.IsKind(err, elicense.Forbidden) {
		t.Fatalf("Enter = %v", err)
	}
	w.Clock.Move(15 * time.Minute)
	if err := open("GET /admin"); !elicense.IsKind(err, elicense.Forbidden) {
		t.Fatalf("Enter = %v", err)
	}
	list, err := w.Oversight.Records(t.Context(), w.Auditor, oversight.By{Actor: w.Window.Account}, 100)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Oversight.Enter(t.Context(), w.Auditor, desk, "GET /admin", w.Clock.Now()); err != nil {
		t.Errorf("who has the duty is refused: %v", err)
	}
	var got []string
	for _, e := range list {
		if e.Rule == "desk-duty" && e.Outcome == "refused" {
			got = append(got, e.Detail["page"]+" "+e.Detail["more"])
		}
	}
	if want := []string{"GET /admin 49", "GET /admin/records ", "GET /admin "}; !slices.Equal(got, want) {
		t.Errorf("recorded %q, want %q", got, want)
	}
}
