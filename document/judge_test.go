package document

import (
	"bytes"
	"encoding/json"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"elicense/gm"
	"elicense/ofd"
	"elicense/seal"
	"elicense/sheet/sheettest"
)

// stampedFood is the food license with a time stamp, and its authority's root.
var stampedFood = sync.OnceValue(func() (out struct {
	file []byte
	root *gm.Certificate
	tsa  *gm.TimeAuthority // stamps a second after noon
	err  error
}) {
	key, err := gm.GenerateKey()
	if err != nil {
		out.err = err
		return out
	}
	tsaKey, err := gm.GenerateKey()
	if err != nil {
		out.err = err
		return out
	}
	if out.root, out.err = gm.NewRoot(key, gm.Name{CommonName: "时间戳根证书"}, begin, begin.AddDate(20, 0, 0)); out.err != nil {
		return out
	}
	cert, err := (&gm.Authority{Root: out.root, Key: key}).IssueTimeAuthority(tsaKey.Public(), gm.Name{CommonName: "示例时间戳机构"}, begin, begin.AddDate(5, 0, 0))
	if err != nil {
		out.err = err
		return out
	}
	tsa, err := gm.NewTimeAuthority(tsaKey, cert, "1.2.156.3005.9.1", func() time.Time { return noon.Add(time.Second) })
	if err != nil {
		out.err = err
		return out
	}
	out.tsa = tsa
	p, err := NewMaker(sheettest.Fonts(new(testing.T))).Prepare(foodContent())
	if err != nil {
		out.err = err
		return out
	}
	out.file, out.err = p.sealStamped(theOffice(), tsa)
	return out
})

// sealStamped seals with a time stamp.
func (p *Prepared) sealStamped(o *office, by gm.TimeStamper) ([]byte, error) {
	pkg := &ofd.Package{Entries: slices.Clip(p.pkg.Entries), PageIDs: p.pkg.PageIDs}
	err := seal.Sign(pkg, seal.Use{
		Seal: o.seal, Signer: o.key, Cert: o.cert, Time: noon, Provider: creator, Marks: p.marks(o.seal), Stamper: by,
	})
	return pkg.Bytes(), err
}

func stamped(t testing.TB) ([]byte, Options) {
	t.Helper()
	s := stampedFood()
	if s.err != nil {
		t.Fatal(s.err)
	}
	o := theOffice().options()
	o.Roots = append(slices.Clip(o.Roots), s.root)
	return s.file, o
}

func checkOf(t testing.TB, r Report, name string) Check {
	t.Helper()
	i := slices.IndexFunc(r.Checks, func(c Check) bool { return c.Name == name })
	if i < 0 {
		t.Fatalf("no check %s", name)
	}
	return r.Checks[i]
}

func TestJudgeStamped(t *testing.T) {
	file, o := stamped(t)
	t.Run("genuine at the time that was confirmed", func(t *testing.T) {
		r := Judge(file, o)
		if s := r.Signatures[0]; r.Verdict != Genuine || r.VerdictNow != Genuine || !s.Stamped.Equal(noon.Add(time.Second)) || s.TimeAuthority != "示例时间戳机构" {
			t.Errorf("verdict %s, now %s, signature %+v, failed %+v", r.Verdict, r.VerdictNow, s, failed(r))
		}
	})
	t.Run("by the time claimed under an authority that is not trusted", func(t *testing.T) {
		r := Judge(file, theOffice().options())
		if r.Verdict != Genuine || !r.Signatures[0].Stamped.IsZero() || checkOf(t, r, "timeAuthority").State != seal.Note {
			t.Errorf("verdict %s, signature %+v, failed %+v", r.Verdict, r.Signatures[0], failed(r))
		}
	})
	t.Run("not to be relied on any more when its certificates have run out", func(t *testing.T) {
		o := o
		o.Now = noon.AddDate(15, 0, 0)
		if r := Judge(file, o); r.Verdict != Genuine || r.VerdictNow != GenuineUntrusted || checkOf(t, r, "signerNow").State != seal.Note {
			t.Errorf("verdict %s, now %s", r.Verdict, r.VerdictNow)
		}
		o.Now = time.Time{}
		if r := Judge(file, o); r.Verdict != Genuine || r.VerdictNow != "" {
			t.Errorf("verdict %s, now %q", r.Verdict, r.VerdictNow)
		}
	})
	t.Run("every check has its state and both languages in JSON", func(t *testing.T) {
		data, err := json.Marshal(Judge(file, o))
		if err != nil {
			t.Fatal(err)
		}
		var r struct{ Checks []map[string]string }
		if err := json.Unmarshal(data, &r); err != nil {
			t.Fatal(err)
		}
		if len(r.Checks) < 30 {
			t.Errorf("%d checks", len(r.Checks))
		}
		for _, c := range r.Checks {
			if c["name"] == "" || c["reason"] == "" || c["reasonEn"] == "" || !slices.Contains([]string{"pass", "fail", "na", "note"}, c["state"]) {
				t.Errorf("check %v", c)
			}
		}
	})
	t.Run("reports of files of every kind have reasons in both languages", func(t *testing.T) {
		for _, file := range [][]byte{[]byte("junk"), sample(t, "raw-sm2.ofd"), sample(t, "bad-sesv1-page-flip.ofd"), sample(t, "gbt35275.ofd")} {
			for _, c := range Judge(file, o).Checks {
				if c.Reason == "" || c.ReasonEn == "" || strings.ContainsFunc(c.ReasonEn, func(r rune) bool { return r > 0x2fff }) {
					t.Errorf("%s: %q, %q", c.Name, c.Reason, c.ReasonEn)
				}
			}
		}
	})
	t.Run("altered bytes of the stamped signature are found", func(t *testing.T) {
		const name = "Doc_0/Signs/Sign_0/SignedValue.dat"
		o := o
		o.Cache = gm.NewCache()
		names, contents := entriesOf(t, file)
		data := contents[slices.Index(names, name)]
		for at := len(data) - 1; at >= 0; at -= max(1, len(data)/199) {
			bad := rezip(t, file, func(n string, data []byte) []byte {
				if n == name {
					data[at] ^= 1
				}
				return data
			})
			if r := Judge(bad, o); r.Verdict != Altered || !slices.Equal(r.Altered, []string{name}) {
				t.Errorf("byte %d of %d: verdict %s, altered %v", at, len(data), r.Verdict, r.Altered)
			}
		}
	})
}

// A maker who says one thing to people and another to machines is found, although
// all of it is signed.
func TestDataOfAFileAgree(t *testing.T) {
	o := theOffice()
	sealedWith := func(edit func(*licenseData), raw func([]byte) []byte) Report {
		t.Helper()
		p := prepare(t, foodContent())
		f, err := ofd.Open(sealed(t))
		if err != nil {
			t.Fatal(err)
		}
		list, err := f.Attachments()
		if err != nil {
			t.Fatal(err)
		}
		var d licenseData
		if err := json.Unmarshal(list[0].Data, &d); err != nil {
			t.Fatal(err)
		}
		edit(&d)
		data, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if raw != nil {
			data = raw(data)
		}
		for i, e := range p.pkg.Entries {
			if bytes.Equal(e.Data, list[0].Data) {
				p.pkg.Entries[i].Blob = ofd.NewBlob(data)
			}
		}
		file, err := p.Seal(o.stamp())
		if err != nil {
			t.Fatal(err)
		}
		return Judge(file, o.options())
	}
	for _, tc := range []struct {
		name  string
		edit  func(*licenseData)
		raw   func([]byte) []byte
		state seal.State
		key   string
	}{
		{"as made", func(*licenseData) {}, nil, seal.Pass, ""},
		{"spaces do not matter", func(d *licenseData) { d.Metadata["CZZT"] = " 福州市鼓楼区 榕荫里小吃店\n" }, nil, seal.Pass, ""},
		{"another holder in the metadata", func(d *licenseData) { d.Metadata["CZZT"] = "某某小吃店" }, nil, seal.Fail, "CZZT"},
		{"metadata missing", func(d *licenseData) { delete(d.Metadata, "ZZBS") }, nil, seal.Fail, "ZZBS"},
		{"metadata added", func(d *licenseData) { d.Metadata["YXQX"] = "长期" }, nil, seal.Fail, "YXQX"},
		{"another end on the face", func(d *licenseData) { d.Fields["valid_to"] = shownData{"2031-01-13", "2061年01月13日"} }, nil, seal.Fail, "valid_to"},
		{"a field not on the face", func(d *licenseData) { d.Fields["secret"] = shownData{"x", "x"} }, nil, seal.Fail, "secret"},
		{"a field of the face missing", func(d *licenseData) { delete(d.Fields, "uscc") }, nil, seal.Fail, "uscc"},
		{"too large", func(*licenseData) {}, func([]byte) []byte { return make([]byte, maxData+1) }, seal.Fail, ""},
		{"of another form", func(d *licenseData) { d.Format = "other" }, nil, seal.NotApplicable, ""},
		{"no JSON", func(*licenseData) {}, func([]byte) []byte { return []byte("<x/>") }, seal.NotApplicable, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := sealedWith(tc.edit, tc.raw)
			c := checkOf(t, r, checkData)
			if c.State != tc.state || !strings.Contains(c.Reason, tc.key) || !strings.Contains(c.ReasonEn, tc.key) {
				t.Errorf("check %+v, want %s naming %s", c, tc.state, tc.key)
			}
			want := Genuine
			if tc.state == seal.Fail {
				want = GenuineUntrusted
			}
			if r.Verdict != want || len(r.Altered) > 0 {
				t.Errorf("verdict %s, altered %v", r.Verdict, r.Altered)
			}
		})
	}
}

// Files made to cost a reader much cost little: each has up to 10 MB.
func TestHostileFilesAreCheap(t *testing.T) {
	file := sealed(t)
	const signature, signedValue = "Doc_0/Signs/Sign_0/Signature.xml", "Doc_0/Signs/Sign_0/SignedValue.dat"
	with := func(name string, edit func([]byte) []byte) []byte {
		return rezip(t, file, func(n string, data []byte) []byte {
			if n == name {
				return edit(data)
			}
			return data
		})
	}
	again := func(piece, all string, size int) string { // piece repeated before the end of all
		i := strings.LastIndex(all, "</")
		return all[:i] + strings.Repeat(piece, size/len(piece)) + all[i:]
	}
	for name, file := range map[string][]byte{
		"a list of very many signatures": with(ofd.SignaturesFile, func(data []byte) []byte {
			return []byte(again(`<ofd:Signature ID="1" BaseLoc="/`+signature+`"/>`, string(data), 5<<20))
		}),
		"very many references": with(signature, func(data []byte) []byte {
			return bytes.Replace(data, []byte("<ofd:Reference "), []byte(strings.Repeat(`<ofd:Reference FileRef="/OFD.xml"><ofd:CheckValue>x</ofd:CheckValue></ofd:Reference>`, 60_000)+"<ofd:Reference "), 1)
		}),
		"very many stamps": with(signature, func(data []byte) []byte {
			return bytes.Replace(data, []byte("<ofd:StampAnnot "), []byte(strings.Repeat(`<ofd:StampAnnot PageRef="1" Boundary="0 0 1 1"/>`, 90_000)+"<ofd:StampAnnot "), 1)
		}),
		"a signature value of megabytes": with(signedValue, func([]byte) []byte { return bytes.Repeat([]byte{0x30, 0x82, 0xff, 0xff}, 2<<20) }),
		"a signature value of many values": with(signedValue, func([]byte) []byte {
			return append([]byte{0x30, 0x83, 0x7f, 0xff, 0xfe}, bytes.Repeat([]byte{5, 0}, 0x7fffff/2)...)
		}),
		"data of megabytes": with("Doc_0/Attachs/attachment_1", func([]byte) []byte { return bytes.Repeat([]byte(`{"fields":`), 900_000) }),
		"files that look like signatures": func() []byte {
			p := new(ofd.Package)
			names, contents := entriesOf(t, file)
			for i := range names {
				p.Add(names[i], contents[i])
			}
			for i := range 100 {
				p.Add("x"+string(rune('a'+i/26))+string(rune('a'+i%26)), []byte(strings.Repeat("<!-- SignedInfo ", 6000)))
			}
			return p.Bytes()
		}(),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			r := Judge(file, theOffice().options())
			runtime.ReadMemStats(&after)
			if r.Verdict != Altered && r.Verdict != Unreadable {
				t.Errorf("verdict %s", r.Verdict)
			}
			// All that was ever allocated, so more than was held at a time.
			if mb := (after.TotalAlloc - before.TotalAlloc) >> 20; mb > 64 {
				t.Errorf("%d MB for a file of %d KB", mb, len(file)>>10)
			}
		})
	}
}

// A file judged genuine says what the kept one says, whatever was done to its
// bytes.
func FuzzJudgeSealed(f *testing.F) {
	const kept = "../seal/testdata/"
	file, err := os.ReadFile(kept + "stamped.ofd")
	if err != nil {
		f.Fatal(err)
	}
	pem, err := os.ReadFile(kept + "root.pem")
	if err != nil {
		f.Fatal(err)
	}
	roots, err := gm.ParsePEM(pem)
	if err != nil {
		f.Fatal(err)
	}
	o := Options{Trust: gm.Trust{Roots: roots, Cache: gm.NewCache()}, Now: noon}
	if r := Judge(file, o); r.Verdict != Genuine {
		f.Fatal(r.Verdict)
	}
	names, contents := entriesOf(f, file)
	f.Add(file)
	f.Fuzz(func(t *testing.T, data []byte) {
		if r := Judge(data, o); r.Verdict != Genuine {
			return
		}
		pkg, err := ofd.Open(data)
		if err != nil {
			t.Fatal("genuine and unreadable")
		}
		if len(pkg.Entries) != len(names) {
			t.Error("genuine with other files")
		}
		for i, name := range names {
			e := pkg.Find(name)
			if e == nil || !bytes.Equal(e.Data, contents[i]) && !strings.HasSuffix(name, "SignedValue.dat") {
				t.Errorf("genuine with another %s", name)
			}
		}
	})
}

// With a cache the second document of a seal costs its own two signatures only.
func BenchmarkVerifyCached(b *testing.B) {
	file, o := stamped(b)
	o.Cache = gm.NewCache()
	b.ReportAllocs()
	for b.Loop() {
		if r := Judge(file, o); r.Verdict != Genuine {
			b.Fatal(r.Verdict)
		}
	}
	reportInVerifications(b)
}

// reportInVerifications gives the time of an operation as a multiple of one SM2
// verification in the same run.
func reportInVerifications(b *testing.B) {
	b.Helper()
	each := float64(b.Elapsed()) / float64(b.N)
	k, msg := theOffice().key, make([]byte, 300)
	sig, err := k.SignSM2(msg)
	if err != nil {
		b.Fatal(err)
	}
	const n = 2000
	from := time.Now()
	for range n {
		if !gm.Verify(k.Public(), msg, sig) {
			b.Fatal("the signature does not hold")
		}
	}
	b.ReportMetric(each*n/float64(time.Since(from)), "SM2verify/op")
}
