package document

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"elicense/face"
	"elicense/gm"
	"elicense/ofd"
	"elicense/seal"
	"elicense/sheet"
	"elicense/sheet/sheettest"
)

var (
	begin = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	noon  = time.Date(2026, 3, 2, 4, 0, 0, 0, time.UTC)
)

// office is an issuing unit with a seal of its own under a root.
type office struct {
	root *gm.Certificate
	key  gm.Signer
	cert *gm.Certificate
	seal *seal.Seal
}

func newOffice(t testing.TB, name string) *office {
	t.Helper()
	must := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	rootKey, err := gm.GenerateKey()
	must(err)
	root, err := gm.NewRoot(rootKey, gm.Name{Unit: "示例机构", CommonName: "示例根证书"}, begin, begin.AddDate(20, 0, 0))
	must(err)
	ca := gm.Authority{Root: root, Key: rootKey}
	makerKey, err := gm.GenerateKey()
	must(err)
	maker, err := ca.Issue(makerKey.Public(), gm.Name{Unit: "示例制章单位", CommonName: "制章人"}, begin, begin.AddDate(5, 0, 0))
	must(err)
	key, err := gm.GenerateKey()
	must(err)
	cert, err := ca.Issue(key.Public(), gm.Name{Unit: name, CommonName: name + "电子证照签章"}, begin, begin.AddDate(5, 0, 0))
	must(err)
	picture, err := seal.Draw(seal.Drawing{Name: name, Line: "电子证照专用章", Diameter: 42}, sheettest.Fonts(t))
	must(err)
	s, err := seal.Make(seal.Spec{
		ID: "35010200000001", Vendor: "elicense", Type: 1, Name: name + "电子证照专用章", Signers: []*gm.Certificate{cert},
		Created: begin, From: begin, To: begin.AddDate(3, 0, 0), Picture: picture, W: 42, H: 42,
	}, makerKey, maker)
	must(err)
	return &office{root, key, cert, s}
}

var theOffice = sync.OnceValue(func() *office { return newOffice(new(testing.T), "福州市鼓楼区市场监督管理局") })

func (o *office) stamp() Stamp { return Stamp{Seal: o.seal, Signer: o.key, Cert: o.cert, Time: noon} }

func (o *office) options() Options {
	return Options{Trust: gm.Trust{Roots: []*gm.Certificate{o.root}}, Now: noon.AddDate(0, 0, 1)}
}

var foodFace = face.Plain("食品经营许可证", []face.Field{
	{Key: "holder_name", Label: "名称", Wide: true, Required: true},
	{Key: "uscc", Label: "统一社会信用代码"},
	{Key: "legal_rep", Label: "法定代表人(负责人)"},
	{Key: "address", Label: "住所", Wide: true},
	{Key: "premises", Label: "经营场所", Wide: true},
	{Key: "business_form", Label: "主体业态"},
	{Key: "items", Label: "经营项目", Wide: true},
	{Key: "license_no", Label: "许可证编号"},
	{Key: "valid_to", Label: "有效期至"},
})

func foodContent() Content {
	id := "1.2.156.3005.2.11100000MB0271699001.11350102003601234A.0f83kd92m1x0.001.K"
	return Content{
		DocID: [16]byte{7}, Title: "食品经营许可证", Date: noon, Face: foodFace,
		Metadata: []Pair{{Name: "ZZMC", Value: "食品经营许可证"}, {Name: "ZZBS", Value: id}, {Name: "CZZT", Value: "福州市鼓楼区榕荫里小吃店"}},
		Data: face.Data{
			Values: map[string][]string{
				"holder_name": {"福州市鼓楼区榕荫里小吃店"}, "uscc": {"92350102MA00000001"}, "legal_rep": {"林示例"},
				"address": {"福建省福州市鼓楼区东街街道示例路12号"}, "premises": {"福建省福州市鼓楼区东街街道示例路12号一层"},
				"business_form": {"餐饮服务经营者"}, "items": {"热食类食品制售", "冷食类食品制售", "自制饮品制售"},
				"license_no": {"JY23501020000001"}, "valid_to": {"2031年01月13日"},
			},
			Issuer: "福州市鼓楼区市场监督管理局", Date: "2026年03月02日", Identifier: id,
			QR: "https://elicense.example/c/0123456789abcdef0123456789abcdef",
		},
	}
}

func prepare(t testing.TB, c Content) *Prepared {
	t.Helper()
	p, err := NewMaker(sheettest.Fonts(t)).Prepare(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

var sealedFood = sync.OnceValues(func() ([]byte, error) {
	p, err := NewMaker(first(sheet.SystemFonts())).Prepare(foodContent())
	if err != nil {
		return nil, err
	}
	return p.Seal(theOffice().stamp())
})

func first(s *sheet.FontSet, err error) *sheet.FontSet {
	if err != nil {
		panic(err)
	}
	return s
}

func sealed(t testing.TB) []byte {
	t.Helper()
	sheettest.Fonts(t)
	file, err := sealedFood()
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func failed(r Report) []Check {
	var list []Check
	for _, c := range r.Checks {
		if !c.OK() {
			list = append(list, c)
		}
	}
	return list
}

func TestSealedLicense(t *testing.T) {
	file, o := sealed(t), theOffice()
	t.Logf("file %d bytes, seal %d bytes, picture of it %d bytes", len(file), len(o.seal.DER), len(o.seal.Picture))
	t.Run("is genuine under its root", func(t *testing.T) {
		r := Judge(file, o.options())
		if r.Verdict != Genuine || len(failed(r)) != 0 || len(r.Altered)+len(r.Uncovered) != 0 {
			t.Fatalf("verdict %s, failed %+v", r.Verdict, failed(r))
		}
		s := r.Signatures[0]
		if s.SealName != "福州市鼓楼区市场监督管理局电子证照专用章" || s.Unit != "福州市鼓楼区市场监督管理局" || !s.Time.Equal(noon) || s.Version != 4 || !s.Whole {
			t.Errorf("signature = %+v", s)
		}
		if !slices.Equal(r.Metadata, foodContent().Metadata) {
			t.Errorf("metadata = %v", r.Metadata)
		}
	})
	t.Run("is not trusted under another root", func(t *testing.T) {
		other := newOffice(t, "另一个单位")
		for _, roots := range [][]*gm.Certificate{nil, {other.root}} {
			if r := Judge(file, Options{Trust: gm.Trust{Roots: roots}, Now: noon}); r.Verdict != GenuineUntrusted {
				t.Errorf("verdict %s", r.Verdict)
			}
		}
	})
	t.Run("shows its values by their keys", func(t *testing.T) {
		pairs, err := Fields(file)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, p := range pairs {
			got[p.Name] = p.Value
		}
		if got["holder_name"] != "福州市鼓楼区榕荫里小吃店" || got["items"] != "热食类食品制售、冷食类食品制售、自制饮品制售" ||
			got[face.KeyIdentifier] != foodContent().Data.Identifier || len(got) != 12 {
			t.Errorf("fields = %v", got)
		}
	})
	t.Run("is small", func(t *testing.T) {
		if len(o.seal.Picture) > 6000 || len(file) > 100_000 {
			t.Errorf("picture %d bytes, file %d bytes", len(o.seal.Picture), len(file))
		}
	})
	t.Run("needs nothing outside the standard of ZIP", func(t *testing.T) {
		z, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range z.File {
			if e.Flags != 0 || strings.HasPrefix(e.Name, "/") {
				t.Errorf("%s has flags %d", e.Name, e.Flags)
			}
		}
	})
}

func TestJudgeJSON(t *testing.T) {
	for _, file := range [][]byte{sealed(t), []byte("junk")} {
		data, err := json.Marshal(Judge(file, Options{}))
		if err != nil || bytes.Contains(data, []byte("null")) {
			t.Errorf("%s, %v", data, err)
		}
	}
}

func TestPrepared(t *testing.T) {
	o := theOffice()
	t.Run("is sealed once", func(t *testing.T) {
		p := prepare(t, foodContent())
		if _, err := p.Seal(o.stamp()); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Seal(o.stamp()); !errors.Is(err, ErrUsed) {
			t.Errorf("second Seal = %v, want %v", err, ErrUsed)
		}
	})
	t.Run("once even when many try", func(t *testing.T) {
		p := prepare(t, foodContent())
		var wg sync.WaitGroup
		results := make([]error, 8)
		for i := range results {
			wg.Go(func() { _, results[i] = p.Seal(o.stamp()) })
		}
		wg.Wait()
		n := 0
		for _, err := range results {
			if err == nil {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d of 8 sealed it", n)
		}
	})
	t.Run("what is found before the key is used leaves it usable", func(t *testing.T) {
		p, other := prepare(t, foodContent()), newOffice(t, "另一个单位")
		for _, tc := range []struct {
			edit func(*Stamp)
			want error
		}{
			{func(s *Stamp) { s.Signer = other.key }, seal.ErrWrongKey},
			{func(s *Stamp) { s.Signer, s.Cert = other.key, other.cert }, seal.ErrNotAuthorized},
			{func(s *Stamp) { s.Time = begin.AddDate(3, 0, 1) }, seal.ErrNotValid},
			{func(s *Stamp) { s.Time = begin.Add(-time.Second) }, seal.ErrNotValid},
		} {
			s := o.stamp()
			tc.edit(&s)
			if _, err := p.Seal(s); !errors.Is(err, tc.want) {
				t.Errorf("Seal = %v, want %v", err, tc.want)
			}
		}
		if _, err := p.Seal(o.stamp()); err != nil {
			t.Error(err)
		}
	})
	t.Run("a key that fails spends it", func(t *testing.T) {
		p := prepare(t, foodContent())
		s := o.stamp()
		s.Signer = brokenSigner{o.key}
		if _, err := p.Seal(s); !errors.Is(err, errDevice) {
			t.Errorf("Seal = %v", err)
		}
		if _, err := p.Seal(o.stamp()); !errors.Is(err, ErrUsed) {
			t.Errorf("Seal = %v, want %v", err, ErrUsed)
		}
	})
	t.Run("digest tells contents apart", func(t *testing.T) {
		a, b := prepare(t, foodContent()), prepare(t, foodContent())
		c := foodContent()
		c.Data.Date = "2026年03月03日"
		if a.Digest() != b.Digest() || a.Digest() == prepare(t, c).Digest() {
			t.Error("digests do not follow the content")
		}
	})
	t.Run("errors come before sealing and name the field", func(t *testing.T) {
		c := foodContent()
		c.Data.Values["items"] = []string{strings.Repeat("很长", 4000)}
		_, err := NewMaker(sheettest.Fonts(t)).Prepare(c)
		var fe *face.FieldError
		if !errors.As(err, &fe) || fe.Key != "items" || !errors.Is(err, face.ErrOverflow) {
			t.Errorf("Prepare = %v", err)
		}
	})
}

var errDevice = errors.New("device is gone")

type brokenSigner struct{ gm.Signer }

func (brokenSigner) SignSM2([]byte) ([]byte, error) { return nil, errDevice }

func TestPictures(t *testing.T) {
	o, p := theOffice(), prepare(t, foodContent())
	preview, err := p.SVGWithSeal(o.seal)
	if err != nil {
		t.Fatal(err)
	}
	bare := p.SVG()
	if n := bytes.Count(preview[0], []byte("#e60012")) - bytes.Count(bare[0], []byte("#e60012")); n != 4 { // ring, star, and the text filled and stroked
		t.Errorf("the seal adds red %d times", n)
	}
	file, err := p.Seal(o.stamp())
	if err != nil {
		t.Fatal(err)
	}
	stored, err := Picture(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("a stored file looks like its preview", func(t *testing.T) {
		// Fonts are others, so names of glyphs are; what is drawn where must agree.
		if a, b := shape(preview[0]), shape(stored[0]); a != b {
			t.Errorf("preview %s\nstored %s", a, b)
		}
	})
	t.Run("an altered file shows no seal", func(t *testing.T) {
		bad := rezip(t, file, func(name string, data []byte) []byte {
			if strings.HasSuffix(name, "Content.xml") {
				return bytes.Replace(data, []byte("2031"), []byte("2061"), 1)
			}
			return data
		})
		pages, err := Picture(bad)
		if err != nil || bytes.Contains(pages[0], []byte("#e60012")) {
			t.Errorf("the seal is still drawn, %v", err)
		}
	})
	t.Run("foreign files are drawn", func(t *testing.T) {
		names, _ := filepath.Glob("testdata/ofd/*.ofd")
		for _, name := range names {
			data, _ := os.ReadFile(name)
			if pages, err := Picture(data); err != nil || len(pages) != 1 {
				t.Errorf("%s: %d pages, %v", name, len(pages), err)
			}
		}
		pages, _ := Picture(sample(t, "sesv4.ofd"))
		if !bytes.Contains(pages[0], []byte("data:image/png;base64,")) {
			t.Error("the seal of sesv4.ofd is not drawn")
		}
	})
}

// shape counts what a picture is made of.
func shape(svg []byte) string {
	var b strings.Builder
	for _, s := range []string{"<use ", "<g ", "<path fill", "#e60012", "opacity", "<image", "<text"} {
		b.WriteString(s + " ")
		b.WriteString(string(rune('0'+bytes.Count(svg, []byte(s))/100)) + string(rune('0'+bytes.Count(svg, []byte(s))/10%10)) + string(rune('0'+bytes.Count(svg, []byte(s))%10)) + " ")
	}
	return b.String()
}

// entriesOf lists a package's entries.
func entriesOf(t testing.TB, file []byte) (names []string, contents [][]byte) {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range z.File {
		r, err := e.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		names, contents = append(names, e.Name), append(contents, data)
	}
	return names, contents
}

// rezip makes the package again with each entry edited; nil drops it.
func rezip(t testing.TB, file []byte, edit func(name string, data []byte) []byte) []byte {
	t.Helper()
	names, contents := entriesOf(t, file)
	p := new(ofd.Package)
	for i, name := range names {
		if data := edit(name, bytes.Clone(contents[i])); data != nil {
			p.Add(name, data)
		}
	}
	return p.Bytes()
}

// names lists the files a report finds at fault.
func atFault(r Report) []string {
	list := slices.Clone(r.Altered)
	for _, c := range failed(r) {
		list = append(list, c.File)
	}
	return list
}

func TestEveryAlteredByteIsFound(t *testing.T) {
	file, o := sealed(t), theOffice()
	names, contents := entriesOf(t, file)
	if len(names) < 10 {
		t.Fatalf("the file has only %v", names)
	}
	for i, name := range names {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			size := len(contents[i])
			step := max(1, size/97) // every region, first and last bytes included
			if size > 8<<10 {
				step = size / 23
			}
			for at := 0; at < size+step; at += step {
				at := min(at, size-1)
				for _, bit := range []byte{0x01, 0x20} {
					bad := rezip(t, file, func(n string, data []byte) []byte {
						if n == name {
							data[at] ^= bit
						}
						return data
					})
					r := Judge(bad, o.options())
					if r.Verdict != Altered && !(r.Verdict == Unreadable && name == "OFD.xml") {
						t.Errorf("byte %d: verdict %s, failed %+v", at, r.Verdict, failed(r))
					} else if !slices.Contains(atFault(r), name) {
						t.Errorf("byte %d: at fault %v", at, atFault(r))
					} else if len(r.Altered) > 2 {
						t.Errorf("byte %d: accuses %v", at, r.Altered)
					}
				}
			}
		})
	}
}

func TestAlteredPackages(t *testing.T) {
	file, o := sealed(t), theOffice()
	const signature, signedValue = "Doc_0/Signs/Sign_0/Signature.xml", "Doc_0/Signs/Sign_0/SignedValue.dat"
	other := newOffice(t, "福州市鼓楼区市场监督管理局") // same names, other keys
	p := prepare(t, foodContent())
	foreign, err := p.Seal(other.stamp())
	if err != nil {
		t.Fatal(err)
	}
	foreignNames, foreignContents := entriesOf(t, foreign)
	take := func(name string) []byte { return foreignContents[slices.Index(foreignNames, name)] }
	replace := func(old, new string) func(string, []byte) []byte {
		return func(n string, data []byte) []byte {
			if n == signature {
				if !bytes.Contains(data, []byte(old)) {
					t.Fatalf("Signature.xml lacks %q", old)
				}
				return bytes.Replace(data, []byte(old), []byte(new), 1)
			}
			return data
		}
	}
	for _, tc := range []struct {
		name    string
		file    []byte
		verdict string
		at      string
	}{
		{"a file added", append2(t, file, "Doc_0/extra.xml", "<x/>"), Altered, "Doc_0/extra.xml"},
		{"an unsigned attachment added", append2(t, file, "Doc_0/Attachs/a.bin", "x"), Altered, "Doc_0/Attachs/a.bin"},
		{"a Reference removed", rezip(t, file, func(n string, data []byte) []byte {
			if n != signature {
				return data
			}
			i := bytes.Index(data, []byte("<ofd:Reference "))
			k := bytes.Index(data, []byte("</ofd:Reference>")) + len("</ofd:Reference>")
			return append(data[:i:i], data[k:]...)
		}), Altered, signature},
		{"the digest method changed", rezip(t, file, replace(`CheckMethod="1.2.156.10197.1.401"`, `CheckMethod="MD5"`)), Altered, signature},
		{"the stamp moved", rezip(t, file, replace(`PageRef="`, `PageRef="9`)), Altered, signature},
		{"another seal's value over the same signature file", rezip(t, file, func(n string, data []byte) []byte {
			if n == signedValue {
				return take(signedValue)
			}
			return data
		}), GenuineUntrusted, signedValue},
		{"the whole signature of another authority", rezip(t, file, func(n string, data []byte) []byte {
			if strings.Contains(n, "/Signs/") {
				return take(n)
			}
			return data
		}), GenuineUntrusted, signedValue},
		{"the list of signatures emptied", rezip(t, file, func(n string, data []byte) []byte {
			if n == ofd.SignaturesFile {
				return []byte(`<ofd:Signatures xmlns:ofd="http://www.ofdspec.org/2016"/>`)
			}
			return data
		}), Altered, ofd.SignaturesFile},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := Judge(tc.file, o.options())
			if r.Verdict != tc.verdict || !slices.Contains(atFault(r), tc.at) {
				t.Errorf("verdict %s, at fault %v, want %s naming %s", r.Verdict, atFault(r), tc.verdict, tc.at)
			}
		})
	}
	names, _ := entriesOf(t, file)
	for _, name := range names {
		t.Run("removed "+name, func(t *testing.T) {
			bad := rezip(t, file, func(n string, data []byte) []byte {
				if n == name {
					return nil
				}
				return data
			})
			r := Judge(bad, o.options())
			if name == "OFD.xml" {
				if r.Verdict != Unreadable {
					t.Errorf("verdict %s", r.Verdict)
				}
			} else if r.Verdict != Altered || !slices.Contains(atFault(r), name) {
				t.Errorf("verdict %s, at fault %v", r.Verdict, atFault(r))
			}
		})
	}
	t.Run("an entry twice", func(t *testing.T) {
		r := Judge(append2(t, file, "Doc_0/Document.xml", "<x/>"), o.options())
		if r.Verdict != Unreadable || failed(r)[0].File != "Doc_0/Document.xml" {
			t.Errorf("verdict %s, failed %+v", r.Verdict, failed(r))
		}
	})
	t.Run("signatures taken away", func(t *testing.T) {
		bad := rezip(t, file, func(n string, data []byte) []byte {
			if strings.Contains(n, "/Signs/") {
				return nil
			}
			if n == "OFD.xml" {
				return bytes.Replace(data, []byte("<ofd:Signatures>/"+ofd.SignaturesFile+"</ofd:Signatures>"), nil, 1)
			}
			return data
		})
		if r := Judge(bad, o.options()); r.Verdict != NotSigned {
			t.Errorf("verdict %s", r.Verdict)
		}
	})
	t.Run("bytes before and cuts", func(t *testing.T) {
		if r := Judge(append([]byte("MZ"), file...), o.options()); r.Verdict != Unreadable {
			t.Errorf("verdict %s", r.Verdict)
		}
		for n := 0; n < len(file); n += 997 {
			if r := Judge(file[:n], o.options()); r.Verdict != Unreadable {
				t.Fatalf("cut at %d: verdict %s", n, r.Verdict)
			}
		}
	})
}

func append2(t testing.TB, file []byte, name, content string) []byte {
	t.Helper()
	names, contents := entriesOf(t, file)
	p := new(ofd.Package)
	for i := range names {
		p.Add(names[i], contents[i])
	}
	p.Add(name, []byte(content))
	return p.Bytes()
}

func TestSigningTime(t *testing.T) {
	o := theOffice()
	file := sealed(t)
	opt := o.options()
	t.Run("a signature from the future is not trusted", func(t *testing.T) {
		opt.Now = noon.Add(-time.Hour)
		if r := Judge(file, opt); r.Verdict != GenuineUntrusted || failed(r)[0].Name != "time" {
			t.Errorf("verdict %s, failed %+v", r.Verdict, failed(r))
		}
	})
	t.Run("a file outlives its certificates", func(t *testing.T) {
		opt.Now = noon.AddDate(15, 0, 0)
		if r := Judge(file, opt); r.Verdict != Genuine {
			t.Errorf("verdict %s, failed %+v", r.Verdict, failed(r))
		}
	})
}

const samples = "testdata/ofd"

func sample(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(samples, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// Files made by another program are judged as the table in the README beside
// them says.
func TestJudgeForeignFiles(t *testing.T) {
	roots, err := gm.ParsePEM(sample(t, "root.pem"))
	if err != nil {
		t.Fatal(err)
	}
	const page, signature, value = "Doc_0/Pages/Page_0/Content.xml", "Doc_0/Signs/Sign_0/Signature.xml", "Doc_0/Signs/Sign_0/SignedValue.dat"
	now := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	unknown := []string{"makerCertificate", "signerCertificate"}
	expired := []string{"makerCertificate", "sealTerm", "signerCertificate"} // the test seals of that program ended in 2022
	for _, tc := range []struct {
		file    string
		roots   []*gm.Certificate
		verdict string
		altered []string
		failed  []string
		version int
	}{
		{"sesv4.ofd", roots, Genuine, nil, nil, 4},
		{"sesv4.ofd", nil, GenuineUntrusted, nil, unknown, 4},
		{"sesv4-two-seals.ofd", nil, GenuineUntrusted, nil, append(unknown, unknown...), 4},
		{"sesv1.ofd", nil, GenuineUntrusted, nil, expired, 1},
		{"gbt35275.ofd", nil, GenuineUntrusted, nil, []string{"time", "signerCertificate"}, 0},
		{"gbt35275-pkcs9.ofd", nil, GenuineUntrusted, nil, []string{"signerCertificate"}, 0},
		{"raw-sm2.ofd", roots, NotSigned, nil, []string{"certificate"}, 0},
		{"bad-sesv1-page-flip.ofd", nil, Altered, []string{page}, append([]string{"references"}, expired...), 1},
		{"bad-sesv1-ref-removed.ofd", nil, Altered, []string{signature}, append([]string{"signedFile"}, expired...), 1},
		{"bad-sesv1-signedvalue-flip.ofd", nil, Altered, []string{value}, []string{"signature"}, 1},
	} {
		name := tc.file
		if tc.roots != nil {
			name += " with its root"
		}
		t.Run(name, func(t *testing.T) {
			r := Judge(sample(t, tc.file), Options{Trust: gm.Trust{Roots: tc.roots}, Now: now})
			var names []string
			for _, c := range failed(r) {
				names = append(names, c.Name)
			}
			if r.Verdict != tc.verdict || !slices.Equal(r.Altered, tc.altered) || !slices.Equal(names, tc.failed) {
				t.Errorf("verdict %s, altered %v, failed %v", r.Verdict, r.Altered, names)
			}
			if r.Signatures[0].Version != tc.version {
				t.Errorf("version %d", r.Signatures[0].Version)
			}
		})
	}
	t.Run("the first of two seals leaves out the list, the second covers all", func(t *testing.T) {
		r := Judge(sample(t, "sesv4-two-seals.ofd"), Options{})
		if len(r.Signatures) != 2 || r.Signatures[0].Whole || !slices.Contains(r.Signatures[0].Uncovered, ofd.SignaturesFile) || !r.Signatures[1].Whole {
			t.Errorf("signatures = %+v", r.Signatures)
		}
	})
}

// The work of issuing is bounded by what it leaves behind, not by a clock.
func TestIssuingIsFrugal(t *testing.T) {
	m, o, c := NewMaker(sheettest.Fonts(t)), theOffice(), foodContent()
	var file []byte
	allocs := testing.AllocsPerRun(20, func() {
		p, err := m.Prepare(c)
		if err == nil {
			file, err = p.Seal(o.stamp())
		}
		if err != nil {
			t.Fatal(err)
		}
	})
	if allocs > 700 {
		t.Errorf("%g allocations a document", allocs)
	}
	fontBytes := 0
	names, contents := entriesOf(t, file)
	for i, name := range names {
		if strings.HasSuffix(name, ".ttf") {
			fontBytes += len(contents[i])
		}
	}
	if len(file) > 60_000 || fontBytes > 60_000 {
		t.Errorf("file of %d bytes with %d bytes of fonts", len(file), fontBytes)
	}
}

func FuzzJudge(f *testing.F) {
	f.Add(sample(f, "gbt35275-pkcs9.ofd"))
	f.Add(sample(f, "raw-sm2.ofd"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if r := Judge(data, Options{}); r.Verdict == Genuine {
			t.Error("genuine without a root")
		}
		Picture(data)
	})
}

func BenchmarkSM2Sign(b *testing.B) {
	k, msg := theOffice().key, make([]byte, 300)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := k.SignSM2(msg); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkIssueDocument(b *testing.B) {
	m, o, c := NewMaker(sheettest.Fonts(b)), theOffice(), foodContent()
	b.ReportAllocs()
	for b.Loop() {
		p, err := m.Prepare(c)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := p.Seal(o.stamp()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSM2Verify(b *testing.B) {
	k, msg := theOffice().key, make([]byte, 300)
	sig, err := k.SignSM2(msg)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if !gm.Verify(k.Public(), msg, sig) {
			b.Fatal("the signature does not hold")
		}
	}
}

func BenchmarkVerifyDocument(b *testing.B) {
	file, opt := sealed(b), theOffice().options()
	b.ReportAllocs()
	for b.Loop() {
		if r := Judge(file, opt); r.Verdict != Genuine {
			b.Fatal(r.Verdict)
		}
	}
}
