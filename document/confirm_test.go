package document

import (
	"bytes"
	"errors"
	"slices"
	"testing"
	"time"

	"elicense/seal"
)

// TestATimeIsConfirmedAfterwards (Art. 7(2)): the time of a seal made without a time
// authority is proven when there is one, and nothing that was sealed is touched.
func TestATimeIsConfirmedAfterwards(t *testing.T) {
	_, o := stamped(t)
	tsa := stampedFood().tsa
	file := sealed(t)
	if r := Judge(file, o); !r.Signatures[0].Stamped.IsZero() {
		t.Fatal("the file has a time stamp before")
	}
	token, err := Countersign(file, tsa)
	if err != nil {
		t.Fatal(err)
	}
	confirmed, err := Confirm(file, token)
	if err != nil {
		t.Fatal(err)
	}
	r := Judge(confirmed, o)
	if r.Verdict != Genuine || !r.Signatures[0].Stamped.Equal(noon.Add(time.Second)) || !r.Signatures[0].Time.Equal(noon) {
		t.Errorf("verdict %s, signature %+v, failed %+v", r.Verdict, r.Signatures[0], failed(r))
	}
	names, before := entriesOf(t, file)
	after, contents := entriesOf(t, confirmed)
	if !slices.Equal(names, after) {
		t.Errorf("entries %v, want %v", after, names)
	}
	for i, name := range names {
		if same := bytes.Equal(before[i], contents[i]); same == (name == "Doc_0/Signs/Sign_0/SignedValue.dat") {
			t.Errorf("%s is the same: %v", name, same)
		}
	}
	if again, err := Confirm(file, token); err != nil || !bytes.Equal(again, confirmed) {
		t.Errorf("confirming the same file by the same token gives another: %v", err)
	}
	if _, err := Confirm(confirmed, token); !errors.Is(err, seal.ErrConfirmed) {
		t.Errorf("confirmed twice: %v", err)
	}
	if _, err := Countersign(confirmed, tsa); !errors.Is(err, seal.ErrConfirmed) {
		t.Errorf("countersigned after it: %v", err)
	}

	other, err := prepare(t, foodContent()).Seal(theOffice().stamp())
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := Confirm(other, token)
	if err != nil {
		t.Fatal(err)
	}
	if r := Judge(foreign, o); r.Verdict != Altered {
		t.Errorf("with the token of another file: %s", r.Verdict)
	}
	late := theOffice().stamp()
	late.Time = noon.Add(time.Minute)
	if other, err = prepare(t, foodContent()).Seal(late); err != nil {
		t.Fatal(err)
	}
	if _, err := Countersign(other, tsa); !errors.Is(err, seal.ErrStamp) {
		t.Errorf("a seal that claims a later time than the stamp: %v", err)
	}
}

// TestSame: a file says what was prepared, whoever sealed it and whether its time was
// confirmed; one of another number, text or metadata does not.
func TestSame(t *testing.T) {
	file := sealed(t)
	p := prepare(t, foodContent())
	if !p.Same(file) {
		t.Error("the file of the same content is another")
	}
	token, err := Countersign(file, stampedFood().tsa)
	if err != nil {
		t.Fatal(err)
	}
	confirmed, err := Confirm(file, token)
	if err != nil {
		t.Fatal(err)
	}
	if !p.Same(confirmed) {
		t.Error("confirming the time makes it another")
	}
	for name, edit := range map[string]func(*Content){
		"number":   func(c *Content) { c.DocID[3]++ },
		"text":     func(c *Content) { c.Data.Values["legal_rep"] = []string{"黄演示"} },
		"metadata": func(c *Content) { c.Metadata[2].Value = "另一个" },
		"date":     func(c *Content) { c.Date = c.Date.AddDate(0, 0, 1) },
	} {
		c := foodContent()
		edit(&c)
		if prepare(t, c).Same(file) {
			t.Errorf("another %s is the same", name)
		}
	}
	if p.Same([]byte("PK")) {
		t.Error("what is no file is the same")
	}
}
