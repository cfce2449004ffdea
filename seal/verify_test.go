package seal

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"flag"
	"fmt"
	"math/big"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"elicense/gm"
	"elicense/ofd"
	"elicense/sheet"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

var signedAt = begin.AddDate(0, 1, 0)

// forgery is a signature of a small package of which the test decides every part,
// rightful or not.
type forgery struct {
	seal     []byte
	version  int
	at       time.Time
	property string
	ext      []byte // member after propertyInfo
	cert     *gm.Certificate
	key      gm.Signer
	alg      []byte
	stamp    func(sig []byte) []byte // last member
	leave    string                  // file that is not signed
	box      Box
}

// forge makes a package with a signature.
func (p *parties) forge(t testing.TB, edit func(*forgery)) []byte {
	t.Helper()
	pkg, err := ofd.Write(&ofd.Document{
		Date: begin, Signed: true, Pages: []sheet.Sheet{{W: 100, H: 100, Items: []sheet.Item{&sheet.Path{Segments: sheet.Rect(1, 1, 2, 2), Fill: true}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	f := &forgery{
		seal: p.seal(t).DER, version: 4, at: signedAt, property: "/" + fileSignature, cert: p.signer, key: p.signerKey, alg: sm2sm3OID,
		box: Box{50, 50, 42, 42},
	}
	edit(f)
	pkg.Add(fileSeal, f.seal)
	pkg.Entries = append(pkg.Entries, ofd.Entry{Name: ofd.SignaturesFile, Blob: lists[1]})
	u := Use{Time: f.at, Provider: "t", Marks: []Mark{{pkg.PageIDs[0], f.box}}}
	signature := u.signatureXML(slices.DeleteFunc(slices.Clone(pkg.Entries), func(e ofd.Entry) bool { return e.Name == f.leave }))
	// Other makers give the seal a file of its own.
	signature = bytes.Replace(signature, []byte("</ofd:SignedInfo>"), []byte("<ofd:Seal><ofd:BaseLoc>/"+fileSeal+"</ofd:BaseLoc></ofd:Seal></ofd:SignedInfo>"), 1)
	pkg.Add(fileSignature, signature)
	hash := gm.Sum(signature)
	parts := [][]byte{encodeInt(f.version), f.seal, encodeTime(f.at), encodeBits(hash[:]), encode(tIA5, []byte(f.property))}
	if f.ext != nil {
		parts = append(parts, f.ext)
	}
	tbs := sequence(parts...)
	sig, err := f.key.SignSM2(tbs)
	if err != nil {
		t.Fatal(err)
	}
	value := [][]byte{tbs, encode(tOctets, f.cert.DER), f.alg, encodeBits(sig)}
	if f.stamp != nil {
		value = append(value, f.stamp(sig))
	}
	pkg.Add(fileSignedValue, sequence(value...))
	return pkg.Bytes()
}

// stampAt stamps with a time of the test's.
func (p *parties) stampAt(t testing.TB, at time.Time) func([]byte) []byte {
	return func(sig []byte) []byte {
		p.now = at
		token, err := p.tsa.Stamp(sig)
		if err != nil {
			t.Fatal(err)
		}
		return encode(tContext0, encodeBits(token))
	}
}

func (p *parties) options() Options {
	return Options{Trust: gm.Trust{Roots: []*gm.Certificate{p.root}}, Now: begin.AddDate(1, 0, 0)}
}

func verify(t testing.TB, file []byte, o Options) *Result {
	t.Helper()
	f, err := ofd.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	res, err := Verify(f, o)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

// all lists the checks of a package and its signatures.
func (r *Result) all() Checks {
	var list Checks
	for i := range r.Signatures {
		list = append(list, r.Signatures[i].Checks...)
	}
	return append(list, r.Checks...)
}

// inState lists the names of checks that came out so.
func inState(list []Check, state State) []string {
	var names []string
	for _, c := range list {
		if c.State == state && !slices.Contains(names, c.Name) {
			names = append(names, c.Name)
		}
	}
	return names
}

// list returns a revocation list of p's authority.
func (p *parties) list(t testing.TB, c *gm.Certificate, at time.Time, why gm.Reason) *gm.RevocationList {
	t.Helper()
	entry, err := c.Revoke(at, why)
	if err != nil {
		t.Fatal(err)
	}
	l, err := p.ca.RevocationList([]gm.Revoked{entry}, 1, at, at.AddDate(3, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestEveryCheckIsTold(t *testing.T) {
	p := newParties(t)
	empty, err := p.ca.RevocationList(nil, 1, begin, begin.AddDate(3, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	o := p.options()
	o.Lists = []*gm.RevocationList{empty}
	res := verify(t, p.forge(t, func(f *forgery) { f.stamp = p.stampAt(t, signedAt) }), o)
	s := res.Signatures[0]
	var names []string
	for _, c := range s.Checks {
		names = append(names, c.Name)
		if c.Reason == "" || c.ReasonEn == "" || strings.ContainsFunc(c.ReasonEn, func(r rune) bool { return r > 0x2fff }) {
			t.Errorf("reason of %s: %q, %q", c.Name, c.Reason, c.ReasonEn)
		}
	}
	if !slices.Equal(names, order) {
		t.Errorf("checks = %v", names)
	}
	if got := inState(res.all(), Pass); len(got) != len(order)-2+2 {
		t.Errorf("pass: %v", got)
	}
	if got := inState(res.all(), NotApplicable); !slices.Equal(got, []string{cExtensions, cSealTimeStamp}) {
		t.Errorf("not applicable: %v", got)
	}
	if got := append(inState(res.all(), Fail), inState(res.all(), Note)...); len(got) != 0 {
		t.Errorf("neither: %v", got)
	}
	if !s.Stamped.Equal(signedAt) || s.TimeAuthority.Subject() != "时间戳机构" {
		t.Errorf("stamped at %v by %v", s.Stamped, s.TimeAuthority)
	}
	t.Run("also those that were not reached", func(t *testing.T) {
		file := p.forge(t, func(f *forgery) { f.key = p.makerKey })
		s := verify(t, file, o).Signatures[0]
		if len(inState(s.Checks, NotApplicable)) < 12 || !slices.Equal(inState(s.Checks, Fail), []string{cSignature}) {
			t.Errorf("checks = %+v", s.Checks)
		}
	})
}

// Each forgery is refused by the check that is about it, and each variation the
// standards allow is accepted.
func TestForgedAndUnusual(t *testing.T) {
	p := newParties(t)
	stranger := newParties(t)
	otherKey, err := gm.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	var notNamed *gm.Certificate
	for notNamed == nil || len(notNamed.DER) != len(p.signer.DER) { // to be put in its place
		if notNamed, err = p.ca.Issue(otherKey.Public(), gm.Name{Unit: "签章人", CommonName: "签章人"}, begin, begin.AddDate(5, 0, 0)); err != nil {
			t.Fatal(err)
		}
	}
	late, err := p.ca.Issue(otherKey.Public(), gm.Name{CommonName: "签章人"}, signedAt.AddDate(0, 0, 1), begin.AddDate(5, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	tsaAsSigner, err := p.ca.IssueTimeAuthority(otherKey.Public(), gm.Name{CommonName: "签章人"}, begin, begin.AddDate(5, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	made := func(edit func(*Spec)) []byte {
		spec := p.spec
		edit(&spec)
		s, err := Make(spec, p.makerKey, p.maker)
		if err != nil {
			t.Fatal(err)
		}
		return s.DER
	}
	naming := func(c *gm.Certificate) func(*forgery) {
		return func(f *forgery) {
			f.seal, f.cert, f.key = made(func(s *Spec) { s.Signers = []*gm.Certificate{c} }), c, otherKey
		}
	}
	withLists := func(l ...*gm.RevocationList) func(*Options) { return func(o *Options) { o.Lists = l } }
	after, before := signedAt.AddDate(0, 1, 0), signedAt.Add(-time.Hour)
	var elsewhere []byte // a time stamp of another signature
	p.forge(t, func(f *forgery) {
		f.stamp = func(sig []byte) []byte { elsewhere = p.stampAt(t, signedAt)(sig); return elsewhere }
	})
	boolean := func(b byte) []byte {
		return sequence(sequence([]byte{0x06, 0x03, 0x2a, 0x03, 0x04}, []byte{0x01, 0x01, b}, encode(tOctets, []byte("x"))))
	}
	for _, tc := range []struct {
		name  string
		edit  func(*forgery)
		with  func(*Options)
		fails []string // checks
		kind  Kind
		notes []string
	}{
		{name: "rightful", edit: func(*forgery) {}, notes: []string{cTimeStamp}},
		{name: "rightful with time stamp", edit: func(f *forgery) { f.stamp = p.stampAt(t, signedAt) }},
		{name: "time stamp tagged implicitly", edit: func(f *forgery) {
			f.stamp = func(sig []byte) []byte {
				der := p.stampAt(t, signedAt)(sig)
				inner, _ := split(der)
				bits, _ := split(inner[0].body)
				return encode(tContext0Implicit, bits[0].body)
			}
		}},
		{name: "explicit FALSE in an extension", edit: func(f *forgery) { f.ext = encode(tContext0, boolean(0)) }, notes: []string{cTimeStamp}},
		{name: "extensions tagged implicitly", edit: func(f *forgery) {
			list, _ := split(boolean(0))
			f.ext = encode(tContext0, list[0].body)
		}, notes: []string{cTimeStamp}},
		{name: "untagged extensions of the seal", edit: func(f *forgery) { f.seal = p.remake(t, 4, boolean(0), nil) }, notes: []string{cTimeStamp}},
		{name: "tagged extensions of the seal", edit: func(f *forgery) { f.seal = p.remake(t, 4, encode(tContext0, boolean(0)), nil) }, notes: []string{cTimeStamp}},
		{name: "version 5", edit: func(f *forgery) { f.version, f.seal = 5, p.remake(t, 5, nil, nil) }, notes: []string{cTimeStamp}},
		{name: "version 5 with time stamp of the seal", edit: func(f *forgery) { f.version, f.seal = 5, p.remake(t, 5, nil, p.stampAt(t, begin)) }, notes: []string{cTimeStamp}},

		{name: "unknown critical extension", edit: func(f *forgery) { f.ext = encode(tContext0, boolean(0xff)) }, fails: []string{cExtensions}, kind: Trust},
		{name: "unknown critical extension of the seal", edit: func(f *forgery) { f.seal = p.remake(t, 4, boolean(0xff), nil) }, fails: []string{cExtensions}, kind: Trust},
		{name: "time stamp of the seal from elsewhere", edit: func(f *forgery) {
			f.version, f.seal = 5, p.remake(t, 5, nil, func([]byte) []byte { return elsewhere })
		}, fails: []string{cSealTimeStamp}},
		{name: "seal made later than its time stamp", edit: func(f *forgery) {
			p.spec.Created = begin.Add(time.Hour)
			f.version, f.seal = 5, p.remake(t, 5, nil, p.stampAt(t, begin))
			p.spec.Created = begin
		}, fails: []string{cSealTimeStamp}, kind: Trust},
		{name: "time stamp on a seal of version 4", edit: func(f *forgery) { f.seal = p.remake(t, 4, nil, p.stampAt(t, begin)) }, fails: []string{cSignedValue}},
		{name: "more than a seal has", edit: func(f *forgery) {
			m, _ := members(p.remake(t, 5, nil, p.stampAt(t, begin)))
			f.version, f.seal = 5, sequence(m[0].full, m[1].full, m[2].full, m[3].full, m[4].full, m[4].full)
		}, fails: []string{cSignedValue}},
		{name: "another key", edit: func(f *forgery) { f.key = otherKey }, fails: []string{cSignature}},
		{name: "a signer the seal does not name", edit: func(f *forgery) { f.cert, f.key = notNamed, otherKey }, fails: []string{cAuthorized}},
		{name: "another root", edit: func(f *forgery) { f.cert, f.key, f.seal = stranger.signer, stranger.signerKey, stranger.seal(t).DER },
			fails: []string{cMakerCertificate, cSignerCertificate}, kind: Trust},
		{name: "a rightful signer with a seal of another root", edit: func(f *forgery) {
			stranger.spec.Signers = []*gm.Certificate{p.signer}
			f.seal = stranger.seal(t).DER
		}, fails: []string{cMakerCertificate}, kind: Trust},
		{name: "seal not made by its maker", edit: func(f *forgery) {
			f.seal = bytes.Clone(f.seal)
			f.seal[len(f.seal)-1] ^= 1
		}, fails: []string{cSealSignature}},
		{name: "seal changed", edit: func(f *forgery) {
			f.seal = bytes.Replace(f.seal, []byte("示例单位章"), []byte("某某单位章"), 1)
		}, fails: []string{cSealSignature}},
		{name: "signer added to the seal", edit: func(f *forgery) {
			f.seal = bytes.Replace(f.seal, p.signer.DER, notNamed.DER, 1)
			f.cert, f.key = notNamed, otherKey
		}, fails: []string{cSealSignature}},
		{name: "before the seal's term", edit: func(f *forgery) {
			f.seal = made(func(s *Spec) { s.From = after })
		}, fails: []string{cSealTerm}, kind: Trust},
		{name: "after the seal's term", edit: func(f *forgery) {
			f.seal = made(func(s *Spec) { s.To = before })
		}, fails: []string{cSealTerm}, kind: Trust},
		{name: "after the seal's term by the time stamp", edit: func(f *forgery) {
			f.seal, f.stamp = made(func(s *Spec) { s.To = signedAt }), p.stampAt(t, after)
		}, fails: []string{cSealTerm}, kind: Trust},
		{name: "before the certificate", edit: naming(late), fails: []string{cSignerCertificate}, kind: Trust},
		{name: "a time authority signs", edit: naming(tsaAsSigner), fails: []string{cSignerCertificate}, kind: Trust},
		{name: "a root signs", edit: func(f *forgery) {
			naming(p.root)(f)
			f.key = p.ca.Key
		}, fails: []string{cSignerCertificate}, kind: Trust},
		{name: "in the future", edit: func(f *forgery) { f.at = begin.AddDate(2, 0, 0) }, fails: []string{cTime}, kind: Trust},
		{name: "claimed later than the time stamp", edit: func(f *forgery) { f.stamp = p.stampAt(t, signedAt.Add(-time.Second)) }, fails: []string{cTimeOrder}, kind: Trust},
		{name: "time stamp of another file", edit: func(f *forgery) { f.stamp = func([]byte) []byte { return elsewhere } }, fails: []string{cTimeStamp}},
		{name: "junk for a time stamp", edit: func(f *forgery) { f.stamp = func([]byte) []byte { return encode(tContext0, encodeBits([]byte("x"))) } }, fails: []string{cTimeStamp}},
		{name: "not even bits for a time stamp", edit: func(f *forgery) { f.stamp = func([]byte) []byte { return encode(tContext0, nil) } }, fails: []string{cSignedValue}},
		{name: "time authority of another root", edit: func(f *forgery) { f.stamp = stranger.stampAt(t, signedAt) }, notes: []string{cTimeAuthority}},
		{name: "path of another signature", edit: func(f *forgery) { f.property = "/Doc_0/Signs/Sign_1/Signature.xml" }, fails: []string{cSignedPath}},
		{name: "version of another standard", edit: func(f *forgery) { f.version = 5 }, fails: []string{cVersion}},
		{name: "algorithm of another kind", edit: func(f *forgery) { f.alg = []byte{0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02} }, fails: []string{cAlgorithm}},
		{name: "certificate of another kind", edit: func(f *forgery) { f.cert = &gm.Certificate{DER: ecdsaCertificate(t)} }, fails: []string{cAlgorithm}, kind: Unverifiable},
		{name: "a page left out", edit: func(f *forgery) { f.leave = "Doc_0/Pages/Page_0/Content.xml" }, fails: []string{"coverage"}},
		{name: "OFD.xml left out", edit: func(f *forgery) { f.leave = "OFD.xml" }, fails: []string{"coverage"}},
		{name: "the seal's file left out", edit: func(f *forgery) { f.leave = fileSeal }, fails: []string{"coverage"}},
		{name: "picture off the page", edit: func(f *forgery) { f.box.X = -20 }, fails: []string{cStamp}, kind: Trust},

		{name: "picture partly off the page", edit: func(f *forgery) { f.box.X, f.stamp = 70, p.stampAt(t, signedAt) }, notes: []string{cStamp}},

		{name: "revoked before", edit: func(f *forgery) { f.stamp = p.stampAt(t, signedAt) }, with: withLists(p.list(t, p.signer, before, gm.ReasonSuperseded)),
			fails: []string{cSignerRevocation}, kind: Trust},
		{name: "revoked after", edit: func(f *forgery) { f.stamp = p.stampAt(t, signedAt) }, with: withLists(p.list(t, p.signer, after, gm.ReasonSuperseded)),
			notes: []string{cSignerRevocation, cSignerNow}},
		{name: "key lost after, time stamped", edit: func(f *forgery) { f.stamp = p.stampAt(t, signedAt) }, with: withLists(p.list(t, p.signer, after, gm.ReasonKeyCompromise)),
			notes: []string{cSignerRevocation, cSignerNow}},
		{name: "key lost after the time claimed", edit: func(*forgery) {}, with: withLists(p.list(t, p.signer, after, gm.ReasonKeyCompromise)),
			fails: []string{cSignerRevocation}, kind: Trust},
		{name: "claimed before and stamped after the revocation", edit: func(f *forgery) { f.stamp = p.stampAt(t, after) }, with: withLists(p.list(t, p.signer, before.AddDate(0, 0, 1), gm.ReasonSuperseded)),
			fails: []string{cSignerRevocation}, kind: Trust},
		{name: "maker revoked before it made the seal", edit: func(*forgery) {}, with: withLists(p.list(t, p.maker, begin, gm.ReasonSuperseded)),
			fails: []string{cMakerRevocation}, kind: Trust},
		{name: "maker revoked after", edit: func(*forgery) {}, with: withLists(p.list(t, p.maker, after, gm.ReasonSuperseded)), notes: []string{cMakerRevocation, cTimeStamp}},
		{name: "maker's key lost after", edit: func(*forgery) {}, with: withLists(p.list(t, p.maker, after, gm.ReasonKeyCompromise)),
			fails: []string{cMakerRevocation}, kind: Trust},
		{name: "maker's key lost after the document was stamped", edit: func(f *forgery) { f.stamp = p.stampAt(t, signedAt) }, with: withLists(p.list(t, p.maker, after, gm.ReasonKeyCompromise)),
			notes: []string{cMakerRevocation}},
		{name: "expired since", edit: func(f *forgery) { f.stamp = p.stampAt(t, signedAt) }, with: func(o *Options) { o.Now = begin.AddDate(6, 0, 0) }, notes: []string{cSignerNow, cSealNow}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			file := p.forge(t, tc.edit)
			o := p.options()
			if tc.with != nil {
				tc.with(&o)
			}
			for _, o.Cache = range []*gm.Cache{nil, gm.NewCache()} {
				res := verify(t, file, o)
				fails := inState(res.all(), Fail)
				if !slices.Equal(fails, tc.fails) {
					t.Errorf("fails %v, want %v", fails, tc.fails)
				}
				for _, c := range res.all() {
					if c.State == Fail && c.Kind != tc.kind {
						t.Errorf("%s is of kind %d, want %d", c.Name, c.Kind, tc.kind)
					}
				}
				if notes := inState(res.all(), Note); len(tc.fails) == 0 && !slices.Equal(notes, tc.notes) {
					t.Errorf("notes %v, want %v", notes, tc.notes)
				}
			}
		})
	}
}

// ecdsaCertificate is a certificate of the world outside.
func ecdsaCertificate(t testing.TB) []byte {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	x := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: begin, NotAfter: begin}
	der, err := x509.CreateCertificate(rand.Reader, x, x, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// plainly makes a package with a signature of GB/T 35275 without a seal: with or
// without attributes, with certificates and attributes nobody signs.
func (p *parties) plainly(t testing.TB, key gm.Signer, attrs bool, unsigned func(sig []byte) []byte, certs ...*gm.Certificate) []byte {
	t.Helper()
	oid := func(s string) []byte {
		var oid asn1.ObjectIdentifier
		for _, n := range strings.Split(s, ".") {
			i, err := strconv.Atoi(n)
			if err != nil {
				t.Fatal(err)
			}
			oid = append(oid, i)
		}
		var b cryptobyte.Builder
		b.AddASN1ObjectIdentifier(oid)
		return b.BytesOrPanic()
	}
	file := edited(t, p.forge(t, func(*forgery) {}), func(name string, data []byte) []byte { return data })
	// The entry of the list says Seal; it is covered, so the whole is signed anew.
	pkg := new(ofd.Package)
	f, err := ofd.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range f.Entries {
		switch e.Name {
		case ofd.SignaturesFile:
			pkg.Add(e.Name, bytes.Replace(e.Data, []byte(`Type="Seal"`), []byte(`Type="Sign"`), 1))
		case fileSeal, fileSignature, fileSignedValue:
		default:
			pkg.Add(e.Name, e.Data)
		}
	}
	u := Use{Time: signedAt, Provider: "t", Marks: []Mark{{1, Box{50, 50, 42, 42}}}}
	signature := u.signatureXML(pkg.Entries)
	hash := gm.Sum(signature)
	content, signed := sequence(oid("1.2.156.10197.6.1.4.2.1"), encode(tContext0, encode(tOctets, hash[:]))), hash[:]
	var attributes []byte
	if attrs {
		content = sequence(oid("1.2.840.113549.1.7.1"))
		set := concat(
			sequence(oid("1.2.840.113549.1.9.3"), encode(tSet, oid("1.2.840.113549.1.7.1"))),
			sequence(oid(oidSigningTime), encode(tSet, encode(tUTC, []byte(signedAt.Format("060102150405Z"))))),
			sequence(oid(oidMessageDigest), encode(tSet, encode(tOctets, hash[:]))))
		signed, attributes = encode(tSet, set), encode(tContext0, set)
	}
	sig, err := key.SignSM2(signed)
	if err != nil {
		t.Fatal(err)
	}
	var list [][]byte
	for _, c := range certs {
		list = append(list, c.DER)
	}
	signer := [][]byte{encodeInt(1), sequence(sequence(), encodeInt(1)), sequence(oid(oidSM3)), attributes, sequence(oid(oidSM2Sign)), encode(tOctets, sig)}
	if unsigned != nil {
		signer = append(signer, encode(tContext1, unsigned(sig)))
	}
	pkg.Add(fileSignature, signature)
	pkg.Add(fileSignedValue, sequence(oid(oidSignedData), encode(tContext0, sequence(
		encodeInt(1), encode(tSet, sequence(oid(oidSM3))), content, encode(tContext0, concat(list...)), encode(tSet, sequence(signer...))))))
	return pkg.Bytes()
}

func concat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

func TestPlainSignatures(t *testing.T) {
	p := newParties(t)
	caKey, err := gm.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	ca, err := p.ca.IssueCA(caKey.Public(), gm.Name{CommonName: "中级机构"}, 0, begin, begin.AddDate(4, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	key, err := gm.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	under, err := (&gm.Authority{Root: ca, Key: caKey}).Issue(key.Public(), gm.Name{CommonName: "下级"}, begin, begin.AddDate(4, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	stampOID := []byte{0x06, 0x0b, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x0e}
	stamp := func(sig []byte) []byte {
		bits, _ := split(p.stampAt(t, signedAt)(sig))
		token, _ := split(bits[0].body)
		return sequence(stampOID, encode(tSet, token[0].body[1:]))
	}
	var elsewhere []byte
	for _, tc := range []struct {
		name         string
		file         []byte
		fails, notes []string
	}{
		{"the digest signed", p.plainly(t, p.signerKey, false, nil, p.signer), []string{cTime}, []string{cTimeStamp}},
		{"attributes signed", p.plainly(t, p.signerKey, true, nil, p.signer), nil, []string{cTimeStamp}},
		{"through an authority it carries", p.plainly(t, key, true, nil, ca, under), nil, []string{cTimeStamp}},
		{"without that authority", p.plainly(t, key, true, nil, under), []string{cSignerCertificate}, []string{cTimeStamp}},
		{"time stamped", p.plainly(t, p.signerKey, false, func(sig []byte) []byte { elsewhere = stamp(sig); return elsewhere }, p.signer), nil, nil},
		{"time stamp of another", p.plainly(t, p.signerKey, false, func([]byte) []byte { return elsewhere }, p.signer), []string{cTimeStamp, cTime}, nil},
		{"another key", p.plainly(t, key, true, nil, p.signer), []string{cSignature}, nil},
	} {
		res := verify(t, tc.file, p.options())
		if fails, notes := inState(res.all(), Fail), inState(res.all(), Note); !slices.Equal(fails, tc.fails) || !slices.Equal(notes, tc.notes) {
			t.Errorf("%s: fails %v, notes %v; want %v, %v", tc.name, fails, notes, tc.fails, tc.notes)
		}
		if got := inState(res.Signatures[0].Checks, NotApplicable); !slices.Contains(got, cSealSignature) {
			t.Errorf("%s: a seal's checks apply", tc.name)
		}
	}
}

// remake makes p's seal in a version, with extensions and a time stamp.
func (p *parties) remake(t testing.TB, version int, ext []byte, stamp func([]byte) []byte) []byte {
	t.Helper()
	m, err := members(p.seal(t).DER)
	if err != nil {
		t.Fatal(err)
	}
	info, err := split(m[0].body)
	if err != nil {
		t.Fatal(err)
	}
	parts := [][]byte{sequence(encode(tIA5, []byte("ES")), encodeInt(version), encode(tIA5, []byte("elicense")))}
	for _, e := range info[1:] {
		parts = append(parts, e.full)
	}
	if ext != nil {
		parts = append(parts, ext)
	}
	signed := sequence(parts...)
	sig, err := p.makerKey.SignSM2(signed)
	if err != nil {
		t.Fatal(err)
	}
	out := [][]byte{signed, encode(tOctets, p.maker.DER), sm2sm3OID, encodeBits(sig)}
	if stamp != nil {
		out = append(out, stamp(sig))
	}
	return sequence(out...)
}

// edited makes a package again with entries changed, dropped or added.
func edited(t testing.TB, file []byte, edit func(name string, data []byte) []byte, add ...string) []byte {
	t.Helper()
	f, err := ofd.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	p := new(ofd.Package)
	for _, e := range f.Entries {
		if data := edit(e.Name, bytes.Clone(e.Data)); data != nil {
			p.Add(e.Name, data)
		}
	}
	for i := 0; i+1 < len(add); i += 2 {
		p.Add(add[i], []byte(add[i+1]))
	}
	return p.Bytes()
}

func TestForgedPackages(t *testing.T) {
	p := newParties(t)
	whole := p.forge(t, func(*forgery) {})
	open := p.forge(t, func(f *forgery) { f.leave = "OFD.xml" }) // as some vendors sign
	two, err := os.ReadFile("../document/testdata/ofd/sesv4-two-seals.ofd")
	if err != nil {
		t.Fatal(err)
	}
	const body = `<ofd:DocBody><ofd:DocInfo/><ofd:DocRoot>Old/Document.xml</ofd:DocRoot></ofd:DocBody>`
	keep := func(_ string, data []byte) []byte { return data }
	in := func(file, old, new string) func(string, []byte) []byte {
		return func(name string, data []byte) []byte {
			if name == file {
				if !bytes.Contains(data, []byte(old)) {
					t.Fatalf("%s has no %s:\n%s", name, old, data)
				}
				return bytes.Replace(data, []byte(old), []byte(new), 1)
			}
			return data
		}
	}
	list := string(entry(t, two, ofd.SignaturesFile))
	entries := between(list, "<ofd:Signature ", "/>")
	if len(entries) != 2 {
		t.Fatalf("the list is %s", list)
	}
	old := []string{"Old/Document.xml", `<ofd:Document xmlns:ofd="http://www.ofdspec.org/2016"/>`}
	for _, tc := range []struct {
		name, check, file string
		data              []byte
	}{
		{"an old document beside", "coverage", "Old/Document.xml", edited(t, whole, keep, old...)},
		{"an old document pointed to", "references", "OFD.xml", edited(t, whole, in("OFD.xml", ">Doc_0/Document.xml<", ">Old/Document.xml<"), old...)},
		{"a second document", "references", "OFD.xml", edited(t, whole, in("OFD.xml", "</ofd:OFD>", body+"</ofd:OFD>"), old...)},
		{"a second document where OFD.xml is not signed", "coverage", "OFD.xml", edited(t, open, in("OFD.xml", "</ofd:OFD>", body+"</ofd:OFD>"), old...)},
		{"an old document pointed to where OFD.xml is not signed", "coverage", "OFD.xml", edited(t, open, in("OFD.xml", ">Doc_0/Document.xml<", ">Old/Document.xml<"), old...)},
		{"the signed files in another order", "signedFile", fileSignature, edited(t, whole, func(name string, data []byte) []byte {
			if name != fileSignature {
				return data
			}
			refs := between(string(data), "<ofd:Reference ", "</ofd:Reference>")
			return []byte(strings.Replace(string(data), refs[0]+refs[1], refs[1]+refs[0], 1))
		})},
		{"the second of two signatures dropped", "signatureList", ofd.SignaturesFile, edited(t, two, in(ofd.SignaturesFile, entries[1], ""))},
		{"the first of two signatures dropped", "signatureList", ofd.SignaturesFile, edited(t, two, in(ofd.SignaturesFile, entries[0], ""))},
		{"two signatures in another order", "signatureList", ofd.SignaturesFile, edited(t, two, func(name string, data []byte) []byte {
			if name == ofd.SignaturesFile {
				data = bytes.Replace(data, []byte(entries[0]), []byte("@@"), 1)
				data = bytes.Replace(data, []byte(entries[1]), []byte(entries[0]), 1)
				data = bytes.Replace(data, []byte("@@"), []byte(entries[1]), 1)
			}
			return data
		})},
		{"a signature listed twice", "signatureList", ofd.SignaturesFile, edited(t, two, in(ofd.SignaturesFile, entries[1], entries[1]+entries[1]))},
		{"the second signature and its files dropped, a page put in", "coverage", "Doc_0/Pages/Page_1/Content.xml", edited(t, edited(t, two, in(ofd.SignaturesFile, entries[1], "")), func(name string, data []byte) []byte {
			if strings.Contains(name, "Sign_1/") {
				return nil
			}
			return data
		}, "Doc_0/Pages/Page_1/Content.xml", "<x/>")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res := verify(t, tc.data, p.options())
			if !slices.ContainsFunc(res.all(), func(c Check) bool {
				return c.Name == tc.check && c.State == Fail && c.Kind == Integrity && (c.File == tc.file || slices.Contains(res.Uncovered, tc.file))
			}) {
				for _, c := range res.all() {
					if !c.OK() {
						t.Logf("%+v", c)
					}
				}
				t.Errorf("%s does not accuse %s", tc.check, tc.file)
			}
		})
	}
	t.Run("a signature that allows others says so", func(t *testing.T) {
		res := verify(t, two, p.options())
		if got := inState(res.Signatures[0].Checks, Note); !slices.Contains(got, cCovers) {
			t.Errorf("notes %v", got)
		}
		if c := res.Signatures[1].Checks[slices.Index(order, cCovers)]; c.State != Pass {
			t.Errorf("the second: %+v", c)
		}
		if got := inState(res.Checks, Pass); !slices.Equal(got, []string{"signatureList", "coverage"}) {
			t.Errorf("the package passes %v", got)
		}
	})
}

// Files that only several signatures together protect are not a whole anybody
// signed.
func TestCoverageIsOneSignaturesMatter(t *testing.T) {
	f := &ofd.File{Entries: []ofd.Entry{{Name: "OFD.xml"}, {Name: "A.xml"}, {Name: "list"}, {Name: "1"}, {Name: "2"}}}
	for _, tc := range []struct {
		first, second []string
		want          State
	}{
		{[]string{"OFD.xml", "A.xml"}, []string{"OFD.xml", "A.xml", "1"}, Pass},
		{[]string{"OFD.xml", "A.xml"}, []string{"1"}, Pass},
		{[]string{"OFD.xml"}, []string{"A.xml", "1"}, Fail},
		{[]string{"OFD.xml"}, []string{"OFD.xml", "1"}, Fail},
	} {
		r := &Result{Signatures: []Signature{{own: []string{"1"}, covered: map[string]bool{}}, {own: []string{"2"}, covered: map[string]bool{}}}}
		for i, names := range [][]string{tc.first, tc.second} {
			for _, n := range names {
				r.Signatures[i].covered[n] = true
			}
		}
		r.coverage(f, map[string]bool{"list": true})
		if c := r.Checks[len(r.Checks)-1]; c.Name != "coverage" || c.State != tc.want {
			t.Errorf("%v and %v: %+v", tc.first, tc.second, c)
		}
	}
}

func entry(t testing.TB, file []byte, name string) []byte {
	t.Helper()
	f, err := ofd.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	e := f.Find(name)
	if e == nil {
		t.Fatalf("no entry %s", name)
	}
	return e.Data
}

// between returns the pieces of s from begin to the end after it.
func between(s, begin, end string) []string {
	var list []string
	for {
		i := strings.Index(s, begin)
		if i < 0 {
			return list
		}
		n := strings.Index(s[i:], end)
		if n < 0 {
			return list
		}
		list = append(list, s[i:i+n+len(end)])
		s = s[i+n+len(end):]
	}
}

// node is a value of a DER tree.
type node struct {
	path             string
	at, length, body int // offsets of tag, length and content
	end              int
	leaf             bool
}

// walk lists the values of DER, with those inside octet and bit strings that
// hold DER themselves.
func walk(der []byte, base int, path string) []node {
	var list []node
	for at, i := 0, 0; at < len(der); i++ {
		s := cryptobyte.String(der[at:])
		var full, body cryptobyte.String
		var tag cbasn1.Tag
		if !s.ReadAnyASN1Element(&full, &tag) {
			return nil
		}
		inner := full
		inner.ReadAnyASN1(&body, &tag)
		head := len(full) - len(body)
		n := node{path: fmt.Sprintf("%s.%d", path, i), at: base + at, length: base + at + 1, body: base + at + head, end: base + at + len(full), leaf: true}
		sub, skip := []byte(body), 0
		switch {
		case tag == tBits && len(body) > 1:
			sub, skip = body[1:], 1
		case tag&0x20 == 0 && tag != tOctets:
			sub = nil
		}
		var children []node
		if len(sub) > 0 && (tag&0x20 != 0 || sub[0] == byte(tSeq)) {
			children = walk(sub, n.body+skip, n.path)
		}
		if children != nil {
			n.leaf = false
		}
		list = append(append(list, n), children...)
		at += len(full)
	}
	return list
}

// places lists the bytes of DER to be changed: every tag, every octet of a length,
// and of every value without parts the first, middle and last octet.
func places(der []byte, path string) map[int]string {
	list := map[int]string{}
	for _, n := range walk(der, 0, path) {
		list[n.at] = n.path + " tag"
		for i := n.length; i < n.body; i++ {
			list[i] = n.path + " length"
		}
		if n.leaf && n.end > n.body {
			for _, i := range []int{n.body, (n.body + n.end) / 2, n.end - 1} {
				list[i] = n.path + " value"
			}
		}
	}
	return list
}

// Every field of a signature is found when it is changed, by a check that is
// about the field.
func TestEveryFieldOfASignature(t *testing.T) {
	p := newParties(t)
	file := p.forge(t, func(f *forgery) { f.stamp = p.stampAt(t, signedAt) })
	o := p.options()
	o.Cache = gm.NewCache()
	der := entry(t, file, fileSignedValue)
	about := map[string][]string{ // path of SES_Signature to checks
		"v.0":   {cSignedValue},                          // itself
		"v.0.0": {cSignature, cSignedValue},              // toSign: what the signer signed
		"v.0.1": {cAuthorized, cSignature, cSignedValue}, // cert
		"v.0.2": {cAlgorithm, cSignedValue},              // signatureAlgID
		"v.0.3": {cSignature, cSignedValue},              // signature
		"v.0.4": {cTimeStamp, cSignedValue},              // timeStamp
	}
	n := 0
	for at, path := range places(der, "v") {
		for _, bit := range []byte{1, 0x20, 0x80} {
			bad := bytes.Clone(der)
			bad[at] ^= bit
			n++
			res := verify(t, edited(t, file, func(name string, data []byte) []byte {
				if name == fileSignedValue {
					return bad
				}
				return data
			}), o)
			wantFail(t, res, about, path, bit)
		}
	}
	if n < 1000 {
		t.Errorf("only %d changes", n)
	}
}

// wantFail asks that the first check that fails is about the path.
func wantFail(t *testing.T, res *Result, about map[string][]string, path string, bit byte) {
	t.Helper()
	place, _, _ := strings.Cut(path, " ")
	for about[place] == nil {
		i := strings.LastIndexByte(place, '.')
		if i < 0 {
			t.Fatalf("no check is about %s", path)
		}
		place = place[:i]
	}
	for _, c := range res.all() {
		if c.State == Fail && c.Kind == Integrity {
			if !slices.Contains(about[place], c.Name) {
				t.Errorf("%s changed by %#x: found by %s (%s), want %v", path, bit, c.Name, c.Reason, about[place])
			}
			return
		}
	}
	t.Errorf("%s changed by %#x is not found", path, bit)
}

// A signer who changes the seal and signs that is found too: by the maker's
// signature, or because nobody trusted is the maker.
func TestEveryFieldOfASeal(t *testing.T) {
	p := newParties(t)
	der := p.remake(t, 5, nil, p.stampAt(t, begin))
	if _, err := Parse(der); err != nil {
		t.Fatal(err)
	}
	o := p.options()
	o.Cache = gm.NewCache()
	about := map[string][]string{ // path of SESeal to checks
		"s.0":     {cSignedValue, cSealSignature},
		"s.0.0":   {cSignedValue, cSealSignature, cVersion},          // eSealInfo
		"s.0.0.2": {cSignedValue, cSealSignature, cAuthorized},       // property
		"s.0.1":   {cSignedValue, cSealSignature, cMakerCertificate}, // cert
		"s.0.2":   {cSignedValue, cSealSignature},                    // signAlgID
		"s.0.3":   {cSignedValue, cSealSignature},                    // signedValue
		"s.0.4":   {cSignedValue, cSealTimeStamp},                    // timeStamp
	}
	for at, path := range places(der, "s") {
		bad := bytes.Clone(der)
		bad[at] ^= 1
		file := p.forge(t, func(f *forgery) { f.version, f.seal = 5, bad })
		f, err := ofd.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		res, err := Verify(f, o)
		if err != nil {
			t.Fatal(err)
		}
		place, _, _ := strings.Cut(path, " ")
		for about[place] == nil {
			place = place[:strings.LastIndexByte(place, '.')]
		}
		found := inState(res.all(), Fail)
		if len(found) == 0 || !slices.Contains(about[place], found[0]) {
			t.Errorf("%s: found by %v, want %v", path, found, about[place])
		}
	}
}

func TestUseCheck(t *testing.T) {
	p := newParties(t)
	other, err := gm.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	short, err := p.ca.Issue(p.signerKey.Public(), gm.Name{CommonName: "签章人"}, begin, begin.AddDate(0, 0, 10))
	if err != nil {
		t.Fatal(err)
	}
	old, err := Parse(sampleSeal(t, "sesv1.ofd"))
	if err != nil {
		t.Fatal(err)
	}
	p.spec.Signers = append(p.spec.Signers, short)
	rightful := Use{Seal: p.seal(t), Signer: p.signerKey, Cert: p.signer, Time: signedAt, Marks: []Mark{{1, Box{50, 50, 42, 42}}}}
	for _, tc := range []struct {
		name string
		edit func(*Use)
		want error
	}{
		{"rightful", func(*Use) {}, nil},
		{"another key", func(u *Use) { u.Signer = other }, ErrWrongKey},
		{"a signer the seal does not name", func(u *Use) { u.Signer, u.Cert = p.makerKey, p.maker }, ErrNotAuthorized},
		{"before the seal's term", func(u *Use) { u.Time = begin.Add(-time.Second) }, ErrNotValid},
		{"after the seal's term", func(u *Use) { u.Time = p.spec.To.Add(time.Second) }, ErrNotValid},
		{"an expired certificate", func(u *Use) { u.Cert = short }, gm.ErrExpired},
		{"a seal of the old standard", func(u *Use) { u.Seal = old }, ErrVersion},
		{"no place for its picture", func(u *Use) { u.Marks = nil }, ErrMarks},
	} {
		u := rightful
		tc.edit(&u)
		if err := u.Check(); !errors.Is(err, tc.want) {
			t.Errorf("%s: Check = %v, want %v", tc.name, err, tc.want)
		}
	}
	t.Run("a time stamp no reader would accept is not put in", func(t *testing.T) {
		for name, st := range map[string]gm.TimeStamper{
			"of another signature": stamperFunc(func([]byte) ([]byte, error) { p.now = signedAt; return p.tsa.Stamp([]byte("x")) }),
			"of an earlier time":   stamperFunc(func(sig []byte) ([]byte, error) { p.now = signedAt.Add(-time.Second); return p.tsa.Stamp(sig) }),
			"junk":                 stamperFunc(func([]byte) ([]byte, error) { return []byte("junk"), nil }),
			"none":                 stamperFunc(func([]byte) ([]byte, error) { return nil, errors.New("offline") }),
		} {
			u := rightful
			u.Stamper = st
			if err := Sign(&ofd.Package{}, u); err == nil {
				t.Errorf("a stamp %s was put in", name)
			}
		}
		u := rightful
		u.Stamper = p.tsa
		p.now = signedAt.Add(time.Second)
		if err := Sign(&ofd.Package{}, u); err != nil {
			t.Error(err)
		}
	})
}

type stamperFunc func([]byte) ([]byte, error)

func (f stamperFunc) Stamp(sig []byte) ([]byte, error) { return f(sig) }

const fileSeal = dirSign + "Seal.esl"

func sampleSeal(t testing.TB, name string) []byte {
	data, err := os.ReadFile("../document/testdata/ofd/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return entry(t, data, "Doc_0/Signs/Sign_0/Seal.esl")
}

func TestInspect(t *testing.T) {
	p := newParties(t)
	parse := func(der []byte) *Seal {
		s, err := Parse(der)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	made := func(edit func(*Spec)) *Seal {
		spec := p.spec
		edit(&spec)
		s, err := Make(spec, p.makerKey, p.maker)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	sum := gm.Sum(p.signer.DER)
	for _, tc := range []struct {
		name  string
		s     *Seal
		o     func(*Options)
		fails []string
	}{
		{"rightful", p.seal(t), nil, nil},
		{"version 5 with time stamp", parse(p.remake(t, 5, nil, p.stampAt(t, begin))), nil, nil},
		{"of the old standard", parse(sampleSeal(t, "sesv1.ofd")), nil, []string{cVersion, cMakerCertificate, cSealTerm, "signers"}},
		{"of another root", p.seal(t), func(o *Options) { o.Roots = nil }, []string{cMakerCertificate, "signers"}},
		{"changed", parse(bytes.Replace(p.seal(t).DER, []byte("示例单位章"), []byte("某某单位章"), 1)), nil, []string{cSealSignature}},
		{"run out", made(func(s *Spec) { s.To = begin.AddDate(0, 6, 0) }), nil, []string{cSealTerm}},
		{"not begun", made(func(s *Spec) { s.From = begin.AddDate(2, 0, 0) }), nil, []string{cSealTerm}},
		{"naming a signer whose certificate ran out", p.seal(t), func(o *Options) {
			o.Now = begin.AddDate(2, 11, 0)
			o.Lists = []*gm.RevocationList{p.list(t, p.signer, begin, 0)}
		}, []string{"signers"}},
		{"with a picture that is none", made(func(s *Spec) { s.Picture = []byte("PK") }), nil, []string{"picture"}},
	} {
		o := p.options()
		if tc.o != nil {
			tc.o(&o)
		}
		got := Inspect(tc.s, o)
		if fails := inState(got, Fail); !slices.Equal(fails, tc.fails) || got.Sound() != (tc.fails == nil) {
			t.Errorf("%s: fails %v, want %v", tc.name, fails, tc.fails)
		}
	}
	t.Run("digests with and without Z name the signer", func(t *testing.T) {
		forKey, err := gm.SumFor(p.signer.Key, p.signer.DER)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range [][]byte{sum[:], forKey} {
			if s := (&Seal{Digests: [][]byte{d}}); !s.Authorizes(p.signer) || s.Authorizes(p.maker) {
				t.Errorf("digest %x names the wrong people", d)
			}
		}
	})
}

var update = flag.Bool("update", false, "make testdata anew")

// kept is a stamped and sealed package with its root, kept because a fuzz target
// runs in several processes that must try the same one.
func kept(t testing.TB) (file []byte, o Options) {
	t.Helper()
	const name, root = "testdata/stamped.ofd", "testdata/root.pem"
	if *update {
		p := newParties(t)
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, p.forge(t, func(g *forgery) { g.stamp = p.stampAt(t, signedAt) }), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(root, p.root.PEM(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(root)
	if err != nil {
		t.Fatal(err)
	}
	if o.Roots, err = gm.ParsePEM(pem); err != nil {
		t.Fatal(err)
	}
	o.Now = begin.AddDate(1, 0, 0)
	return file, o
}

func TestKeptPackageIsSound(t *testing.T) {
	file, o := kept(t)
	if res := verify(t, file, o); !res.all().Sound() || !res.Signatures[0].Stamped.Equal(signedAt) {
		t.Errorf("checks = %+v", res.all())
	}
}

// Whatever becomes of the two files of a signature, it is sound only as it was
// made.
func FuzzVerify(f *testing.F) {
	file, o := kept(f)
	o.Cache = gm.NewCache()
	xml, value := entry(f, file, fileSignature), entry(f, file, fileSignedValue)
	f.Add(xml, value)
	f.Add(xml, sampleValue(f, "sesv4.ofd", "Doc_0/Signs/Sign_0/SignedValue.dat"))
	f.Add(xml, sampleValue(f, "sesv1.ofd", "Doc_0/Signs/Sign_0/SignedValue.dat"))
	f.Fuzz(func(t *testing.T, newXML, newValue []byte) {
		bad := edited(t, file, func(name string, data []byte) []byte {
			switch name {
			case fileSignature:
				return append([]byte{}, newXML...)
			case fileSignedValue:
				return append([]byte{}, newValue...)
			}
			return data
		})
		pkg, err := ofd.Open(bad)
		if err != nil {
			return
		}
		res, err := Verify(pkg, o)
		if err != nil {
			return
		}
		if res.all().Sound() && (!bytes.Equal(newXML, xml) || !bytes.Equal(newValue, value)) {
			// Without its time stamp the value is another, and claims its time.
			if !res.Signatures[0].Stamped.IsZero() || !bytes.Equal(newXML, xml) {
				t.Error("a changed signature is sound")
			}
		}
	})
}

// Hostile structures ask for no more work than their size.
func TestHostileStructures(t *testing.T) {
	deep := []byte{}
	for range 100_000 {
		deep = append(deep, 0x30, 0x83, 0x0f, 0xff, 0xff)
	}
	nested := []byte{0x30, 0}
	for len(nested) < 60_000 {
		nested = sequence(nested)
	}
	many := sequence(bytes.Repeat([]byte{0x05, 0x00}, 1<<20))
	certs := bytes.Repeat(newParties(t).signer.DER, 40)
	for name, der := range map[string][]byte{
		"deep": deep, "nested": nested, "many": many, "many in a tag": encode(tContext0, many), "a length of gigabytes": {0x30, 0x84, 0x7f, 0xff, 0xff, 0xff},
	} {
		for _, parse := range []func([]byte, *gm.Cache) (*value, error){parseSealValue, parsePlainValue} {
			if _, err := parse(der, nil); err == nil {
				t.Errorf("%s was read", name)
			}
		}
		if _, err := Parse(der); err == nil {
			t.Errorf("%s was read as a seal", name)
		}
		if _, err := gm.ParseToken(der); !errors.Is(err, gm.ErrStampFormat) {
			t.Errorf("%s as a token: %v", name, err)
		}
		if _, err := gm.ParseRevocationList(der); !errors.Is(err, gm.ErrList) {
			t.Errorf("%s as a list: %v", name, err)
		}
		if _, err := gm.ParseRequest(der); err == nil {
			t.Errorf("%s was read as a request", name)
		}
	}
	list, err := split(certs)
	if err != nil {
		t.Fatal(err)
	}
	if err := new(value).chooseCert(list, nil); err == nil {
		t.Error("forty certificates were tried")
	}
}
