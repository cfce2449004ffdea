package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"elicense/gm"
	"elicense/ofd"
	"elicense/sheet/sheettest"
)

func issue(t testing.TB, c Content) []byte {
	t.Helper()
	p, err := NewMaker(sheettest.Fonts(t)).Prepare(c)
	if err != nil {
		t.Fatal(err)
	}
	o := theOffice()
	file, err := p.Seal(Stamp{Seal: o.seal, Signer: o.key, Cert: o.cert, Time: noon})
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// The file says to machines what its face shows to people, and nothing else.
func TestDataIsWhatTheFaceShows(t *testing.T) {
	file := issue(t, foodContent())
	f, err := ofd.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	list, err := f.Attachments()
	if err != nil || len(list) != 1 || list[0].Name != dataName {
		t.Fatalf("attachments %+v, %v", list, err)
	}
	var d licenseData
	if err := json.Unmarshal(list[0].Data, &d); err != nil {
		t.Fatal(err)
	}
	shown, err := Fields(file)
	if err != nil {
		t.Fatal(err)
	}
	if len(shown) != len(d.Fields) || len(shown) == 0 {
		t.Errorf("%d fields are shown, %d are in the data", len(shown), len(d.Fields))
	}
	for _, p := range shown {
		if d.Fields[p.Name].Shown != p.Value {
			t.Errorf("%s: the data says %q, the face %q", p.Name, d.Fields[p.Name].Shown, p.Value)
		}
	}
	for _, p := range foodContent().Metadata {
		if d.Metadata[p.Name] != p.Value {
			t.Errorf("metadata %s = %q, want %q", p.Name, d.Metadata[p.Name], p.Value)
		}
	}
}

func note() CopyNote {
	return CopyNote{
		User: "福州住房公积金中心", Purpose: "办理购房提取", Maker: "持证人本人", Made: noon, Until: noon.AddDate(0, 0, 30),
		Fields: []string{"holder_name", "license_no", "valid_to"},
	}
}

func TestCopyForOneUse(t *testing.T) {
	original := foodContent()
	c, err := original.Copy(note())
	if err != nil {
		t.Fatal(err)
	}
	file := issue(t, c)
	r := Judge(file, theOffice().options())
	if r.Verdict != Genuine {
		t.Fatalf("verdict %s: %+v", r.Verdict, failed(r))
	}
	n, ok := CopyOf(r.Metadata)
	if !ok || n.User != "" || n.Purpose != note().Purpose || n.Maker != note().Maker || !n.Made.Equal(noon) || !n.Until.Equal(note().Until) {
		t.Errorf("the metadata says %+v, %v", n, ok)
	}
	fields, err := Fields(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range fields {
		key, _, _ := strings.Cut(p.Name, ".")
		if !slices.Contains(note().Fields, key) && !strings.HasPrefix(key, "certificate") {
			t.Errorf("the copy shows %s", p.Name)
		}
	}
	f, err := ofd.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range f.Entries {
		for _, secret := range []string{original.Data.Values["legal_rep"][0], original.Data.Values["uscc"][0]} {
			if bytes.Contains(e.Data, []byte(secret)) {
				t.Errorf("%s holds what the holder did not choose", e.Name)
			}
		}
	}
	t.Run("the original stays what it is", func(t *testing.T) {
		if _, marked := CopyOf(original.Metadata); marked || len(original.Data.Withheld) != 0 || original.Data.Watermark != "" {
			t.Error("making a copy changed the license")
		}
	})
	for name, edit := range map[string]func(*CopyNote){
		"no user":            func(n *CopyNote) { n.User = " " },
		"no purpose":         func(n *CopyNote) { n.Purpose = "" },
		"no maker":           func(n *CopyNote) { n.Maker = "" },
		"a purpose too long": func(n *CopyNote) { n.Purpose = strings.Repeat("用", 201) },
		"an end before":      func(n *CopyNote) { n.Until = n.Made },
		"no field":           func(n *CopyNote) { n.Fields = nil },
		"a field it has not": func(n *CopyNote) { n.Fields = []string{"none"} },
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			n := note()
			edit(&n)
			if _, err := original.Copy(n); err == nil {
				t.Error("accepted")
			}
		})
	}
}

func TestStatementOfAPrint(t *testing.T) {
	o := theOffice()
	values := []string{"福州市鼓楼区榕荫里小吃店", "92350102MA00000001", "2031年1月13日", "（闽）JZ安许证字〔2026〕000001", ""}
	s := NewStatement("1.2.156.3005.2.11350000FJDEM0021G001.11350000FJDEM0021G.0F83KD92M1X0.001.K", "有效", noon, values, o.cert)
	signed, err := s.Sign(o.key)
	if err != nil {
		t.Fatal(err)
	}
	url := StatementURL("https://elicense.example/check", signed)
	t.Logf("%d bytes, %d characters in the code", len(signed), len(url))
	data, err := FromStatementURL(url)
	if err != nil {
		t.Fatal(err)
	}
	back, err := ParseStatement(data, []*gm.Certificate{o.cert})
	if err != nil {
		t.Fatal(err)
	}
	if back.Identifier != s.Identifier || back.Status != "有效" || !back.Printed.Equal(noon) || back.Values() != 4 {
		t.Errorf("read back as %+v", back)
	}
	for value, want := range map[string]bool{
		values[0]: true, " 福州市鼓楼区 榕荫里小吃店": true, "(闽)jz安许证字〔2026〕000001": true, "92350102MA00000001": true,
		"福州市鼓楼区榕荫里小吃铺": false, "": false, "有效": false,
	} {
		if back.Holds(value) != want {
			t.Errorf("Holds(%q) = %v", value, !want)
		}
	}
	t.Run("nobody can read the values out of it", func(t *testing.T) {
		for _, v := range values[:4] {
			if bytes.Contains(signed, []byte(v)) {
				t.Errorf("it holds %s", v)
			}
		}
	})
	t.Run("two prints of one license have nothing in common", func(t *testing.T) {
		if again := NewStatement("", "", noon, values, o.cert); bytes.Contains(again.marks, s.marks[:markSize]) {
			t.Error("the marks are not salted")
		}
	})
	t.Run("every altered byte is found", func(t *testing.T) {
		for i := range signed {
			bad := bytes.Clone(signed)
			bad[i] ^= 1
			if _, err := ParseStatement(bad, []*gm.Certificate{o.cert}); err == nil {
				t.Fatalf("byte %d was altered and not found", i)
			}
		}
	})
	t.Run("not by another's key", func(t *testing.T) {
		other := newOffice(t, "另一个单位")
		if _, err := ParseStatement(signed, []*gm.Certificate{other.cert}); !errors.Is(err, ErrStatementSign) {
			t.Errorf("ParseStatement = %v", err)
		}
		forged, err := s.Sign(other.key)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseStatement(forged, []*gm.Certificate{o.cert}); !errors.Is(err, ErrStatementSign) {
			t.Errorf("ParseStatement = %v", err)
		}
	})
	t.Run("a face of many values fits the code", func(t *testing.T) {
		many := make([]string, 60)
		for i := range many {
			many[i] = strings.Repeat("值", i+1)
		}
		signed, err := NewStatement(s.Identifier, "有效（已质押）", noon, many, o.cert).Sign(o.key)
		if err != nil || len(signed) > MaxStatement {
			t.Errorf("%d bytes, %v", len(signed), err)
		}
	})
}

func TestPrintAndPDF(t *testing.T) {
	c, err := Draw(issue(t, foodContent()), sheettest.Fonts(t))
	if err != nil {
		t.Fatal(err)
	}
	pdf, err := c.PDF()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"ZZBS", "%PDF-1."} {
		if !bytes.Contains(pdf, []byte(want)) {
			t.Errorf("the PDF lacks %q", want)
		}
	}
	if len(pdf) > 60_000 {
		t.Errorf("the PDF has %d bytes", len(pdf))
	}
	print, err := c.Print(Print{Identifier: "1.2.156.3005.2", Printed: noon, By: "林示例", QR: StatementURL("https://elicense.example/check", make([]byte, MaxStatement))})
	if err != nil || !bytes.HasPrefix(print, []byte("%PDF-1.")) {
		t.Errorf("print of %d bytes, %v", len(print), err)
	}
}

func FuzzStatement(f *testing.F) {
	o := theOffice()
	signed, err := NewStatement("1.2.156.3005.2", "有效", noon, []string{"甲"}, o.cert).Sign(o.key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signed)
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ParseStatement(data, []*gm.Certificate{o.cert})
		if err == nil && !bytes.Equal(data, signed) {
			t.Fatalf("a forged statement was accepted: %+v", s)
		}
	})
}

func TestAnyOfTheFourFieldsMarksACopy(t *testing.T) {
	for name, want := range map[string]bool{"JZJZZSJ": true, "JZJZZZ": true, "JZJZZSY": true, "JZJYXQJZSJ": true, "ZZMC": false} {
		if _, got := CopyOf([]Pair{{Name: name, Value: "20261120000000"}}); got != want {
			t.Errorf("%s: copy %t, want %t", name, got, want)
		}
	}
}
