package seal

import (
	"bytes"
	"errors"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"elicense/gm"
	"elicense/ofd"
	"elicense/sheet"
	"elicense/sheet/sheettest"
)

var begin = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// parties are a root, a seal maker and a signer.
type parties struct {
	root, maker, signer *gm.Certificate
	makerKey, signerKey gm.Signer
	spec                Spec

	ca  *gm.Authority
	tsa *gm.TimeAuthority
	now time.Time // of tsa
}

func newParties(t testing.TB) *parties {
	t.Helper()
	key := func() *gm.SoftKey {
		k, err := gm.GenerateKey()
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	rootKey, makerKey, signerKey := key(), key(), key()
	root, err := gm.NewRoot(rootKey, gm.Name{CommonName: "示例根证书"}, begin, begin.AddDate(10, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	ca := &gm.Authority{Root: root, Key: rootKey}
	issue := func(k *gm.SoftKey, name string) *gm.Certificate {
		c, err := ca.Issue(k.Public(), gm.Name{Unit: name, CommonName: name}, begin, begin.AddDate(5, 0, 0))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	tsaKey := key()
	tsaCert, err := ca.IssueTimeAuthority(tsaKey.Public(), gm.Name{CommonName: "时间戳机构"}, begin, begin.AddDate(5, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	p := &parties{ca: ca, root: root, makerKey: makerKey, signerKey: signerKey, maker: issue(makerKey, "制章人"), signer: issue(signerKey, "签章人")}
	if p.tsa, err = gm.NewTimeAuthority(tsaKey, tsaCert, "1.2.156.3005.9.1", func() time.Time { return p.now }); err != nil {
		t.Fatal(err)
	}
	picture, err := Draw(Drawing{Name: "示例单位", Diameter: 42}, sheettest.Fonts(t))
	if err != nil {
		t.Fatal(err)
	}
	p.spec = Spec{
		ID: "S-1", Vendor: "elicense", Type: 1, Name: "示例单位章", Signers: []*gm.Certificate{p.signer},
		Created: begin, From: begin, To: begin.AddDate(3, 0, 0), Picture: picture, W: 42, H: 42,
	}
	return p
}

func (p *parties) seal(t testing.TB) *Seal {
	t.Helper()
	s, err := Make(p.spec, p.makerKey, p.maker)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestMake(t *testing.T) {
	p := newParties(t)
	s := p.seal(t)
	t.Run("says what it was told and is its maker's", func(t *testing.T) {
		back, err := Parse(bytes.Clone(s.DER))
		if err != nil {
			t.Fatal(err)
		}
		if back.Version != 4 || back.ID != "S-1" || back.Vendor != "elicense" || back.Name != "示例单位章" || back.Type != 1 ||
			!back.Created.Equal(begin) || !back.To.Equal(p.spec.To) || back.W != 42 || back.PictureType != "ofd" || !bytes.Equal(back.Picture, p.spec.Picture) {
			t.Errorf("seal = %+v", back)
		}
		if !back.Genuine() || !back.Maker.Equal(p.maker) {
			t.Error("the maker's signature does not hold")
		}
	})
	t.Run("names who may use it", func(t *testing.T) {
		if !s.Authorizes(p.signer) || s.Authorizes(p.maker) {
			t.Error("the wrong people may use it")
		}
	})
	t.Run("has a term with both ends in it", func(t *testing.T) {
		for at, want := range map[time.Time]bool{begin: true, begin.Add(-time.Second): false, p.spec.To: true, p.spec.To.Add(time.Second): false} {
			if s.ValidAt(at) != want {
				t.Errorf("ValidAt(%v) = %v", at, !want)
			}
		}
	})
	t.Run("is small", func(t *testing.T) {
		if len(s.Picture) > 3000 || len(s.DER) > 4500 {
			t.Errorf("picture %d bytes, seal %d bytes", len(s.Picture), len(s.DER))
		}
	})
	for name, edit := range map[string]func(*Spec) *gm.Certificate{
		"an identifier that is not ASCII": func(s *Spec) *gm.Certificate { s.ID = "章"; return p.maker },
		"nobody to use it":                func(s *Spec) *gm.Certificate { s.Signers = nil; return p.maker },
		"a certificate of another key":    func(s *Spec) *gm.Certificate { return p.signer },
		"an end before its begin":         func(s *Spec) *gm.Certificate { s.To = begin.Add(-time.Second); return p.maker },
		"a maker whose certificate ended": func(s *Spec) *gm.Certificate { s.Created = begin.AddDate(6, 0, 0); return p.maker },
		"a picture without extent":        func(s *Spec) *gm.Certificate { s.W = 0; return p.maker },
	} {
		spec := p.spec
		cert := edit(&spec)
		if _, err := Make(spec, p.makerKey, cert); err == nil {
			t.Errorf("a seal with %s was made", name)
		}
	}
}

// Every byte of a seal but those of its signature's own encoding is signed by
// the maker, directly or through his certificate.
func TestEveryChangedByteOfASealIsFound(t *testing.T) {
	p := newParties(t)
	s := p.seal(t)
	trust := gm.Trust{Roots: []*gm.Certificate{p.root}}
	for i := range s.DER {
		der := bytes.Clone(s.DER)
		der[i] ^= 0x04
		bad, err := Parse(der)
		if err != nil {
			continue
		}
		if _, err := trust.Check(bad.Maker, bad.Created, gm.UsageSign); err == nil && bad.Genuine() {
			t.Errorf("byte %d of %d can be changed", i, len(der))
		}
	}
}

func TestDigestListAuthorizes(t *testing.T) {
	p := newParties(t)
	sum := gm.Sum(p.signer.DER)
	s := &Seal{Version: 4}
	list := sequence(sequence(encode(tInt, []byte{1}), encode(tOctets, sum[:])))
	body := bytes.Join([][]byte{
		encodeInt(1), encode(tUTF8, []byte("章")), encodeInt(digestsListed), list, encodeTime(begin), encodeTime(begin), encodeTime(begin),
	}, nil)
	if err := s.parseProperty(body); err != nil {
		t.Fatal(err)
	}
	if !s.Authorizes(p.signer) || s.Authorizes(p.maker) {
		t.Error("the wrong people may use it")
	}
}

func TestBareSignatureNumbersAreRead(t *testing.T) {
	p := newParties(t)
	for range 20 { // r and s begin with zeros now and then
		der, err := p.signerKey.SignSM2([]byte("message"))
		if err != nil {
			t.Fatal(err)
		}
		m, err := members(der)
		if err != nil {
			t.Fatal(err)
		}
		raw := make([]byte, 64)
		for i, e := range m {
			n := bytes.TrimLeft(e.body, "\x00")
			copy(raw[32*(i+1)-len(n):], n)
		}
		if !gm.Verify(p.signer.Key, []byte("message"), derSignature(raw)) {
			t.Fatalf("the numbers of %x are not read", der)
		}
	}
}

func TestDraw(t *testing.T) {
	for _, tc := range []struct {
		d    Drawing
		want bool
	}{
		{Drawing{Name: "局", Diameter: 42}, true},
		{Drawing{Name: strings.Repeat("局", 30), Line: "电子证照专用章", Diameter: 42}, true},
		{Drawing{Name: "𰻝𰻝面馆", Diameter: 40}, true},
		{Drawing{Name: "福州市鼓楼区市场监督管理局", Line: "发票专用章", Diameter: 45, Height: 30}, true},
		{Drawing{Name: "局", Line: "章", Diameter: 40, Height: 28}, true},
		{Drawing{Name: "局", Diameter: 42, Height: 50}, false},
		{Drawing{Name: "", Diameter: 42}, false},
		{Drawing{Name: strings.Repeat("局", 31), Diameter: 42}, false},
		{Drawing{Name: "局", Diameter: 5}, false},
		{Drawing{Name: "\U000f1234", Diameter: 42}, false},
	} {
		data, err := Draw(tc.d, sheettest.Fonts(t))
		if (err == nil) != tc.want {
			t.Errorf("Draw(%+v) = %v", tc.d, err)
			continue
		}
		if err != nil {
			continue
		}
		page, err := (&Seal{PictureType: "ofd", Picture: data, W: tc.d.Diameter, H: max(tc.d.Height, tc.d.Diameter)}).Sheet()
		if err != nil {
			t.Errorf("%+v can't be read back: %v", tc.d, err)
			continue
		}
		h := tc.d.Height
		if h == 0 {
			h = tc.d.Diameter
		}
		if !withinRing(page, tc.d.Diameter, h) {
			t.Errorf("%+v: characters leave the ring", tc.d)
		}
	}
}

// withinRing tells whether all points of the text lie inside the edge.
func withinRing(page *sheet.Sheet, w, h float64) bool {
	text := page.Items[len(page.Items)-1].(*sheet.Path)
	for _, s := range text.Segments {
		if s.Op == sheet.Close {
			continue
		}
		p := text.Matrix.Apply(s.P[0])
		if math.Hypot((p.X-w/2)/(w/2-ring), (p.Y-h/2)/(h/2-ring)) > 1 {
			return false
		}
	}
	return true
}

func TestHostilePictures(t *testing.T) {
	huge := &ofd.Package{}
	huge.Add("OFD.xml", []byte(`<OFD><DocBody><DocRoot>D.xml</DocRoot></DocBody></OFD>`))
	huge.Add("D.xml", []byte(`<Document><Pages><Page ID="1" BaseLoc="P.xml"/></Pages></Document>`))
	huge.Add("P.xml", []byte(`<Page><Content><Layer>`+
		strings.Repeat(`<PathObject Boundary="0 0 1 1"><AbbreviatedData>M 0 0 L 1 1</AbbreviatedData></PathObject>`, maxObjects+1)+`</Layer></Content></Page>`))
	for name, s := range map[string]*Seal{
		"an unknown form":        {PictureType: "gif", Picture: []byte("GIF89a")},
		"no package":             {PictureType: "ofd", Picture: []byte("PK")},
		"a picture of megabytes": {PictureType: "png", Picture: append([]byte("\x89PNG\r\n\x1a\n"), make([]byte, maxPicture)...)},
		"very many objects":      {PictureType: "ofd", Picture: huge.Bytes()},
	} {
		s.W, s.H = 42, 42
		page := &sheet.Sheet{W: 210, H: 297}
		if err := s.Stamp(page, Box{0, 0, 42, 42}); err == nil || len(page.Items) != 0 {
			t.Errorf("%s was stamped", name)
		}
	}
}

// sealedPackage is a small package sealed as a whole.
func sealedPackage(t testing.TB, p *parties, at time.Time) ([]byte, error) {
	pkg, err := ofd.Write(&ofd.Document{
		Date: begin, Signed: true, Pages: []sheet.Sheet{{W: 100, H: 100, Items: []sheet.Item{&sheet.Path{Segments: sheet.Rect(1, 1, 2, 2), Fill: true}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	err = Sign(pkg, Use{Seal: p.seal(t), Signer: p.signerKey, Cert: p.signer, Time: at, Provider: "t", Marks: []Mark{{pkg.PageIDs[0], Box{50, 50, 42, 42}}}})
	return pkg.Bytes(), err
}

func TestSignAndVerify(t *testing.T) {
	p := newParties(t)
	file, err := sealedPackage(t, p, begin.AddDate(0, 1, 0))
	if err != nil {
		t.Fatal(err)
	}
	f, err := ofd.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	res, err := Verify(f, Options{Trust: gm.Trust{Roots: []*gm.Certificate{p.root}}, Now: begin.AddDate(1, 0, 0)})
	if err != nil {
		t.Fatal(err)
	}
	s := res.Signatures[0]
	for _, c := range append(s.Checks, res.Checks...) {
		if !c.OK() {
			t.Errorf("check %s: %s", c.Name, c.Reason)
		}
	}
	if !s.Whole() || len(s.Stamps) != 1 || s.Stamps[0].Box != (Box{50, 50, 42, 42}) || !s.Time.Equal(begin.AddDate(0, 1, 0)) || s.Provider != "t" {
		t.Errorf("signature = %+v", s)
	}
	t.Run("a seal out of its term does not sign", func(t *testing.T) {
		if _, err := sealedPackage(t, p, begin.AddDate(4, 0, 0)); !errors.Is(err, ErrNotValid) {
			t.Errorf("Sign = %v, want %v", err, ErrNotValid)
		}
	})
}

// A seal made for one signer and used by another holds arithmetically.
func TestStolenSealIsRefused(t *testing.T) {
	p := newParties(t)
	file, err := sealedPackage(t, p, begin.AddDate(0, 1, 0))
	if err != nil {
		t.Fatal(err)
	}
	f, err := ofd.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	pkg := &ofd.Package{Entries: f.Entries[:len(f.Entries)-1]}
	hash := gm.Sum(f.Find(fileSignature).Data)
	tbs := sequence(encodeInt(4), p.seal(t).DER, encodeTime(begin.AddDate(0, 1, 0)), encodeBits(hash[:]), encode(tIA5, []byte("/"+fileSignature)))
	sig, err := p.makerKey.SignSM2(tbs)
	if err != nil {
		t.Fatal(err)
	}
	pkg.Add(fileSignedValue, sequence(tbs, encode(tOctets, p.maker.DER), sm2sm3OID, encodeBits(sig)))
	if f, err = ofd.Open(pkg.Bytes()); err != nil {
		t.Fatal(err)
	}
	res, err := Verify(f, Options{Trust: gm.Trust{Roots: []*gm.Certificate{p.root}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range res.Signatures[0].Checks {
		if c.Name == "authorized" && !c.OK() && c.Kind == Integrity {
			return
		}
	}
	t.Errorf("checks = %+v", res.Signatures[0].Checks)
}

func sampleValue(f *testing.F, name, entry string) []byte {
	data, err := os.ReadFile("../document/testdata/ofd/" + name)
	if err != nil {
		f.Fatal(err)
	}
	file, err := ofd.Open(data)
	if err != nil {
		f.Fatal(err)
	}
	return file.Find(entry).Data
}

func FuzzParse(f *testing.F) {
	p := newParties(f)
	f.Add(p.seal(f).DER)
	f.Add([]byte{0x30, 0x80, 0, 0})
	f.Fuzz(func(t *testing.T, der []byte) {
		s, err := Parse(der)
		if err != nil {
			return
		}
		s.Genuine()
		s.Authorizes(p.signer)
		s.Stamp(&sheet.Sheet{W: 210, H: 297}, Box{0, 0, 42, 42})
	})
}

func FuzzSignedValue(f *testing.F) {
	const entry = "Doc_0/Signs/Sign_0/SignedValue.dat"
	f.Add(sampleValue(f, "gbt35275.ofd", entry))
	f.Add(sampleValue(f, "gbt35275-pkcs9.ofd", entry))
	f.Add(sampleValue(f, "raw-sm2.ofd", entry))
	f.Add(sampleValue(f, "sesv1.ofd", entry))
	p := newParties(f)
	stamped, err := ofd.Open(p.forge(f, func(g *forgery) {
		g.version, g.seal, g.stamp = 5, p.remake(f, 5, nil, p.stampAt(f, begin)), p.stampAt(f, signedAt)
	}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(stamped.Find(fileSignedValue).Data)
	f.Fuzz(func(t *testing.T, der []byte) {
		for _, parse := range []func([]byte, *gm.Cache) (*value, error){parseSealValue, parsePlainValue} {
			if v, err := parse(der, nil); err == nil {
				v.holds()
				gm.ParseToken(v.stamp)
			}
		}
	})
}

func TestSamplesOfOtherVersionsParse(t *testing.T) {
	for name, version := range map[string]int{"sesv1.ofd": 1, "sesv4.ofd": 4} {
		data, err := os.ReadFile("../document/testdata/ofd/" + name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := ofd.Open(data)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Parse(f.Find("Doc_0/Signs/Sign_0/Seal.esl").Data)
		if err != nil || s.Version != version || !s.Genuine() {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
}
