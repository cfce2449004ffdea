package offline

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"elicense/gm"
	"elicense/issuance"
)

// Rewrite makes a package that says something else, signed by the officers as who
// had both keys and both PINs could.
func Rewrite(t testing.TB, pack []byte, officers map[Role]*Officer, edit func(*Entry), replace map[string][]byte) []byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(pack), int64(len(pack)))
	if err != nil {
		t.Fatal(err)
	}
	kit := officers[Drafts].station.kit
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for _, f := range z.File {
		b, err := entry(z, f.Name, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		if f.Name == packJournal && edit != nil {
			lines, _, err := readJournal(kit.Kit, b)
			if err != nil {
				t.Fatal(err)
			}
			before := kit.ID
			var again []*line
			for _, l := range lines {
				e := l.Entry
				edit(&e)
				if e.Act == "" {
					continue
				}
				e.N, e.Before = len(again)+1, before
				made, err := newLine(e, officers[e.By].key)
				if err != nil {
					t.Fatal(err)
				}
				before = made.digest
				again = append(again, made)
			}
			b = joinLines(again)
		}
		if r, ok := replace[f.Name]; ok {
			b = r
		}
		e, err := w.Create(f.Name)
		if err == nil {
			_, err = e.Write(b)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Forge changes what a kit's file says under the signature it has.
func Forge(t testing.TB, file []byte, edit func(*Kit)) []byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	b, err := entry(z, headName, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	var s signedHead
	var k Kit
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(s.Head, &k); err != nil {
		t.Fatal(err)
	}
	edit(&k)
	if s.Head, err = json.Marshal(k); err != nil {
		t.Fatal(err)
	}
	if b, err = json.Marshal(s); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := write(&out, b, nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Force enters a row as a tool would that asks nothing.
func (o *Officer) Force(c issuance.Completion) error {
	s := o.station
	r := &Row{Number: s.used() + 1, Completion: c, Entered: s.now().UTC().Truncate(time.Millisecond)}
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := writeFile(s.path("rows", name(r.Number)), gm.Encrypt(o.data, text, rowBound(s.kit.ID, r.Number))); err != nil {
		return err
	}
	return s.write(o, ActEnter, r.Number, digestOf(text), "")
}

// Enclose encrypts what stands in a package under a name of the kit.
func (o *Officer) Enclose(name string, plain []byte) []byte {
	return gm.Encrypt(o.data, plain, []byte(o.station.kit.ID+"/"+name))
}

// Digest is how a journal names contents.
func Digest(b []byte) string { return digestOf(b) }

// SetBack tells by how much each entry's clock was set back.
func SetBack(list []Entry) []string {
	var c clock
	var out []string
	for i := range list {
		out = append(out, c.past(&list[i]).String())
	}
	return out
}
