package gm

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"math/big"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

func newKey(t testing.TB) *SoftKey {
	t.Helper()
	k, err := GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// must returns the certificate or stops the test.
func must(t testing.TB) func(*Certificate, error) *Certificate {
	return func(c *Certificate, err error) *Certificate {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
}

// under makes an authority under another.
func under(t testing.TB, a *Authority, name string, below int) *Authority {
	k := newKey(t)
	return &Authority{must(t)(a.IssueCA(k.Public(), Name{Unit: "示例机构", CommonName: name}, below, day, day.AddDate(8, 0, 0))), k}
}

func owner(t testing.TB, a *Authority) *Certificate {
	return must(t)(a.Issue(newKey(t).Public(), Name{Unit: "福州市鼓楼区市场监督管理局", CommonName: "印章"}, day, day.AddDate(1, 0, 0)))
}

func TestTrust(t *testing.T) {
	root, other := newAuthority(t), newAuthority(t)
	ca := under(t, root, "中级机构", 1)
	sub := under(t, ca, "下级机构", 0)
	tooDeep := under(t, sub, "越级机构", 0)
	direct, indirect, deep := owner(t, root), owner(t, ca), owner(t, sub)
	tsa := must(t)(ca.IssueTimeAuthority(newKey(t).Public(), Name{Unit: "示例机构", CommonName: "时间戳"}, day, day.AddDate(1, 0, 0)))
	ownerKey := newKey(t)
	ownerCert := must(t)(root.Issue(ownerKey.Public(), Name{Unit: "", CommonName: "所有者"}, day, day.AddDate(1, 0, 0)))
	byOwner := owner(t, &Authority{ownerCert, ownerKey})

	roots := []*Certificate{root.Root}
	all := []*Certificate{ca.Root, sub.Root, tooDeep.Root, ownerCert}
	for _, tc := range []struct {
		name         string
		c            *Certificate
		roots, among []*Certificate
		t            time.Time
		use          Usage
		want         error
		chain        int
	}{
		{"issued under the root", direct, roots, nil, day, UsageSign, nil, 2},
		{"through one authority", indirect, roots, all, day, UsageSign, nil, 3},
		{"through two", deep, roots, all, day, UsageSign, nil, 4},
		{"last moment", direct, roots, nil, day.AddDate(1, 0, 0), UsageSign, nil, 2},
		{"before it begins", direct, roots, nil, day.Add(-time.Second), UsageSign, ErrNotYetValid, 0},
		{"after it ends", direct, roots, nil, day.AddDate(1, 0, 1), UsageSign, ErrExpired, 0},
		{"no roots", direct, nil, []*Certificate{root.Root}, day, UsageSign, ErrUnknownRoot, 0},
		{"another root of the same name", direct, []*Certificate{other.Root}, nil, day, UsageSign, ErrUnknownRoot, 0},
		{"root among several", direct, []*Certificate{other.Root, root.Root}, nil, day, UsageSign, nil, 2},
		{"an authority is missing", deep, roots, []*Certificate{sub.Root}, day, UsageSign, ErrUnknownRoot, 0},
		{"an authority that is not at the root's end", deep, []*Certificate{ca.Root}, all, day, UsageSign, nil, 3},
		{"longer than an authority allows", owner(t, tooDeep), roots, all, day, UsageSign, ErrPathLength, 0},
		{"root used to sign documents", root.Root, roots, nil, day, UsageSign, ErrUsage, 0},
		{"signer used as authority", direct, roots, nil, day, UsageCertify, ErrUsage, 0},
		{"issued by an owner", byOwner, roots, all, day, UsageSign, ErrUsage, 0},
		{"issued by an owner who is a root", byOwner, []*Certificate{root.Root, ownerCert}, nil, day, UsageSign, ErrUsage, 0},
		{"time authority stamps", tsa, roots, all, day, UsageTimeStamp, nil, 3},
		{"time authority signs documents", tsa, roots, all, day, UsageSign, ErrUsage, 0},
		{"owner stamps", direct, roots, nil, day, UsageTimeStamp, ErrUsage, 0},
		{"root stamps", root.Root, roots, nil, day, UsageTimeStamp, ErrUsage, 0},
	} {
		for _, cache := range []*Cache{nil, NewCache()} {
			tr := &Trust{Roots: tc.roots, Intermediates: tc.among, Cache: cache}
			for range 2 { // the second time from the cache
				got, err := tr.Check(tc.c, tc.t, tc.use)
				if !errors.Is(err, tc.want) || len(got.Chain) != tc.chain || got.Revocation != RevocationUnknown {
					t.Errorf("%s: Check = %d certificates, revocation %d, %v; want %v", tc.name, len(got.Chain), got.Revocation, err, tc.want)
				}
			}
		}
	}
	if direct.Organization() != "福州市鼓楼区市场监督管理局" || direct.Subject() != "印章" {
		t.Errorf("subject = %q of %q", direct.Subject(), direct.Organization())
	}
	t.Run("authorities of an authority that ended", func(t *testing.T) {
		short := newKey(t)
		c := must(t)(root.IssueCA(short.Public(), Name{Unit: "", CommonName: "短期"}, 0, day, day.AddDate(0, 1, 0)))
		leaf := owner(t, &Authority{c, short})
		tr := &Trust{Roots: roots, Intermediates: []*Certificate{c}}
		if _, err := tr.Check(leaf, day.AddDate(0, 2, 0), UsageSign); !errors.Is(err, ErrExpired) {
			t.Errorf("Check = %v, want %v", err, ErrExpired)
		}
	})
	t.Run("circles end", func(t *testing.T) {
		k := newKey(t)
		name := Name{Unit: "", CommonName: "甲"}
		a := must(t)(NewRoot(k, name, day, day.AddDate(1, 0, 0)))
		b := must(t)((&Authority{a, k}).IssueCA(k.Public(), name, 3, day, day.AddDate(1, 0, 0)))
		c := must(t)((&Authority{b, k}).IssueCA(k.Public(), name, 3, day, day.AddDate(1, 0, 0)))
		tr := &Trust{Intermediates: []*Certificate{a, b, c}}
		if _, err := tr.Check(owner(t, &Authority{a, k}), day, UsageSign); !errors.Is(err, ErrUnknownRoot) {
			t.Errorf("Check = %v, want %v", err, ErrUnknownRoot)
		}
	})
	t.Run("an authority with another's key issues nothing", func(t *testing.T) {
		if _, err := (&Authority{root.Root, ownerKey}).Issue(ownerKey.Public(), Name{Unit: "", CommonName: "x"}, day, day); !errors.Is(err, ErrWrongKey) {
			t.Errorf("Issue = %v, want %v", err, ErrWrongKey)
		}
	})
}

func listOf(t testing.TB, a *Authority, from time.Time, entries ...Revoked) *RevocationList {
	t.Helper()
	l, err := a.RevocationList(entries, 1, from, from.AddDate(0, 1, 0))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func revoke(t testing.TB, c *Certificate, at time.Time, why Reason) Revoked {
	t.Helper()
	r, err := c.Revoke(at, why)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRevocation(t *testing.T) {
	root := newAuthority(t)
	ca := under(t, root, "中级机构", 0)
	stranger := newAuthority(t) // of the root's name
	c, good := owner(t, ca), owner(t, ca)
	at := day.AddDate(0, 3, 0)
	later := at.AddDate(0, 1, 0)
	empty := listOf(t, root, at)
	forged, err := (&Authority{stranger.Root, stranger.Key}).RevocationList([]Revoked{revoke(t, ca.Root, day, 0)}, 1, at, later)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name  string
		lists []*RevocationList
		c     *Certificate
		t     time.Time
		state Revocation
		want  error
	}{
		{"no list", nil, c, at, RevocationUnknown, nil},
		{"only the authority's own list", []*RevocationList{listOf(t, ca, at)}, c, at, RevocationUnknown, nil},
		{"in neither list", []*RevocationList{empty, listOf(t, ca, at)}, c, at, NotRevoked, nil},
		{"lists from later tell of before", []*RevocationList{empty, listOf(t, ca, at)}, c, day, NotRevoked, nil},
		{"lists that have run out", []*RevocationList{empty, listOf(t, ca, at)}, c, later.AddDate(0, 1, 0), RevocationUnknown, nil},
		{"lists from after its end", []*RevocationList{listOf(t, root, day.AddDate(2, 0, 0)), listOf(t, ca, day.AddDate(2, 0, 0))}, c, at, RevocationUnknown, nil},
		{"another is revoked", []*RevocationList{empty, listOf(t, ca, at, revoke(t, good, day, 0))}, c, at, NotRevoked, nil},
		{"revoked before", []*RevocationList{empty, listOf(t, ca, at, revoke(t, c, at.Add(-time.Second), ReasonSuperseded))}, c, at, 0, ErrRevoked},
		{"revoked at that moment", []*RevocationList{listOf(t, ca, at, revoke(t, c, at, 0))}, c, at, 0, ErrRevoked},
		{"revoked after", []*RevocationList{empty, listOf(t, ca, later, revoke(t, c, later, ReasonKeyCompromise))}, c, at, RevokedLater, nil},
		{"the earliest entry counts", []*RevocationList{listOf(t, ca, later, revoke(t, c, later, 0), revoke(t, c, day, 0))}, c, at, 0, ErrRevoked},
		{"its authority is revoked", []*RevocationList{listOf(t, root, at, revoke(t, ca.Root, at, ReasonCACompromise))}, c, at, 0, ErrRevoked},
		{"a list of someone else under the same name", []*RevocationList{forged}, c, at, RevocationUnknown, nil},
	} {
		tr := &Trust{Roots: []*Certificate{root.Root}, Intermediates: []*Certificate{ca.Root}, Lists: tc.lists}
		for range 2 {
			got, err := tr.Check(tc.c, tc.t, UsageSign)
			if !errors.Is(err, tc.want) || err == nil && got.Revocation != tc.state {
				t.Errorf("%s: state %d, %v; want %d, %v", tc.name, got.Revocation, err, tc.state, tc.want)
			}
			if tc.state == RevokedLater && (!got.Revoked.Time.Equal(later) || !got.Revoked.Reason.Compromised()) {
				t.Errorf("%s: entry %+v", tc.name, got.Revoked)
			}
		}
	}
}

func TestRevocationListIsReadStrictly(t *testing.T) {
	root := newAuthority(t)
	c := owner(t, root)
	l := listOf(t, root, day, revoke(t, c, day, ReasonKeyCompromise))
	t.Run("PEM round trip", func(t *testing.T) {
		back, err := ParseRevocationList(l.PEM())
		if err != nil || !bytes.Equal(back.DER, l.DER) || back.Len() != 1 || !back.From.Equal(day) || !back.To.Equal(day.AddDate(0, 1, 0)) || !back.SignedBy(root.Root) {
			t.Errorf("ParseRevocationList = %+v, %v", back, err)
		}
	})
	t.Run("no changed byte goes unseen", func(t *testing.T) {
		for i := range l.DER {
			for _, bit := range []byte{1, 0x20} {
				der := bytes.Clone(l.DER)
				der[i] ^= bit
				if bad, err := ParseRevocationList(der); err == nil && bad.SignedBy(root.Root) {
					t.Errorf("byte %d of %d can be changed", i, len(der))
				}
			}
		}
	})
	t.Run("cuts and additions", func(t *testing.T) {
		for n := range l.DER {
			if _, err := ParseRevocationList(l.DER[:n]); !errors.Is(err, ErrList) {
				t.Fatalf("cut at %d: %v", n, err)
			}
		}
		if _, err := ParseRevocationList(append(bytes.Clone(l.DER), 0)); !errors.Is(err, ErrList) {
			t.Errorf("with a byte after its end: %v", err)
		}
	})
	for name, ext := range map[string][]byte{
		"a list of changes only":       {0x30, 0x0d, 0x06, 0x03, 0x55, 0x1d, 0x1b, 0x01, 0x01, 0xff, 0x04, 0x03, 0x02, 0x01, 0x01},
		"a list of a part of a domain": {0x30, 0x0e, 0x06, 0x03, 0x55, 0x1d, 0x1c, 0x01, 0x01, 0xff, 0x04, 0x04, 0x30, 0x02, 0x81, 0x00},
	} {
		der, err := signList(root, func(b *cryptobyte.Builder) {}, ext)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseRevocationList(der); !errors.Is(err, ErrList) {
			t.Errorf("%s: %v", name, err)
		}
	}
	t.Run("the key was lost before it was told", func(t *testing.T) {
		lost := day.AddDate(0, 0, -3)
		der, err := signList(root, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
				b.AddASN1BigInt(c.x.SerialNumber)
				b.AddASN1GeneralizedTime(day)
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
						b.AddASN1ObjectIdentifier(oidInvalidity)
						b.AddASN1(cbasn1.OCTET_STRING, func(b *cryptobyte.Builder) { b.AddASN1GeneralizedTime(lost) })
					})
				})
			})
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		l, err := ParseRevocationList(der)
		if err != nil {
			t.Fatal(err)
		}
		if r, ok := l.find(c); !ok || !r.Time.Equal(lost) {
			t.Errorf("entry %+v, %v", r, ok)
		}
	})
	t.Run("ten megabytes of entries take little memory", func(t *testing.T) {
		der, err := signList(root, func(b *cryptobyte.Builder) {
			for i := range 400_000 {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
					b.AddASN1BigInt(big.NewInt(int64(i) << 20))
					b.AddASN1UTCTime(day)
				})
			}
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if len(der) > maxList {
			t.Fatalf("%d bytes", len(der))
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		l, err := ParseRevocationList(der)
		runtime.ReadMemStats(&after)
		if err != nil || l.Len() != 400_000 {
			t.Fatal(err)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 64<<20 {
			t.Errorf("%d MB for %d MB", got>>20, len(der)>>20)
		}
		if _, err := ParseRevocationList(make([]byte, maxList+1)); !errors.Is(err, ErrList) {
			t.Errorf("a list that is too large: %v", err)
		}
	})
}

// signList signs a list of which the test writes the entries and one extension.
func signList(a *Authority, entries func(*cryptobyte.Builder), ext []byte) ([]byte, error) {
	algorithm := func(b *cryptobyte.Builder) { b.AddBytes(algorithmSM2) }
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		b.AddASN1(cbasn1.SEQUENCE, algorithm)
		b.AddBytes(a.Root.x.RawSubject)
		b.AddASN1UTCTime(day)
		b.AddASN1(cbasn1.SEQUENCE, entries)
		if ext != nil {
			b.AddASN1(cbasn1.Tag(0).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
				b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(ext) })
			})
		}
	})
	signed, err := b.Bytes()
	if err != nil {
		return nil, err
	}
	sig, err := a.Key.SignSM2(signed)
	if err != nil {
		return nil, err
	}
	var out cryptobyte.Builder
	out.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(signed)
		b.AddASN1(cbasn1.SEQUENCE, algorithm)
		b.AddASN1BitString(sig)
	})
	return out.Bytes()
}

func TestRequest(t *testing.T) {
	root, key := newAuthority(t), newKey(t)
	name := Name{Unit: "福州市鼓楼区市场监督管理局", CommonName: "电子印章"}
	der, err := NewRequest(key, name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := ParseRequest(der)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := ParseRequest(r.PEM()); err != nil || !again.Key.Equal(key.Public()) || again.Name != name {
		t.Errorf("ParseRequest = %+v, %v", again, err)
	}
	c := must(t)(root.Issue(r.Key, r.Name, day, day.AddDate(1, 0, 0)))
	t.Run("the certificate is adopted by its key only", func(t *testing.T) {
		for _, data := range [][]byte{c.DER, c.PEM()} {
			if got, err := Adopt(key.Public(), data); err != nil || !got.Equal(c) {
				t.Errorf("Adopt = %v, %v", got, err)
			}
		}
		if _, err := Adopt(newKey(t).Public(), c.DER); !errors.Is(err, ErrWrongKey) {
			t.Errorf("Adopt = %v, want %v", err, ErrWrongKey)
		}
		if _, err := Adopt(key.Public(), []byte("hello")); err == nil {
			t.Error("text was adopted")
		}
	})
	t.Run("a request nobody signed is refused", func(t *testing.T) {
		for i := range der {
			bad := bytes.Clone(der)
			bad[i] ^= 1
			if _, err := ParseRequest(bad); err == nil {
				t.Errorf("byte %d of %d can be changed", i, len(der))
			}
		}
	})
	t.Run("a request for a key its sender does not hold is refused", func(t *testing.T) {
		bad, err := NewRequest(impostor{key, newKey(t).Public()}, name)
		if err == nil {
			_, err = ParseRequest(bad)
		}
		if err == nil {
			t.Error("accepted")
		}
	})
}

// impostor says that its key is another's.
type impostor struct {
	Signer
	public *ecdsa.PublicKey
}

func (i impostor) Public() *ecdsa.PublicKey { return i.public }

func TestCertificatesOfOtherKeys(t *testing.T) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	x := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: day, NotAfter: day}
	der, err := x509.CreateCertificate(rand.Reader, x, x, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseCertificate(der); !errors.Is(err, ErrNotSM2) {
		t.Errorf("ParseCertificate = %v, want %v", err, ErrNotSM2)
	}
}

func TestCacheIsBounded(t *testing.T) {
	c, k := NewCache(), newKey(t)
	by := must(t)(NewRoot(k, Name{Unit: "", CommonName: "甲"}, day, day))
	other := newAuthority(t).Root
	sig, err := k.SignSM2([]byte("message"))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 50 {
				if !c.Verify(by, []byte("message"), sig) || c.Verify(by, []byte("other"), sig) || c.Verify(other, []byte("message"), sig) {
					t.Error("the cache answers wrongly")
				}
			}
		})
	}
	wg.Wait()
	if len(c.holds) != 1 {
		t.Errorf("%d kept, only signatures that hold should be", len(c.holds))
	}
	for i := range maxCached {
		c.holds[[DigestSize]byte{1, byte(i), byte(i >> 8)}] = struct{}{}
	}
	sig, err = k.SignSM2([]byte("other"))
	if err != nil || !c.Verify(by, []byte("other"), sig) {
		t.Error("another signature does not hold")
	}
	if len(c.holds) > maxCached {
		t.Errorf("%d kept", len(c.holds))
	}
}

var update = flag.Bool("update", false, "make testdata anew")

// keptFiles are what fuzz targets begin with. They are kept in testdata, because a
// target runs in several processes that must have the same keys.
type keptFiles struct {
	root, owner *Certificate
	list        *RevocationList
	token       []byte // of "a signature"
}

func kept(t testing.TB) *keptFiles {
	t.Helper()
	names := []string{"testdata/root.pem", "testdata/owner.pem", "testdata/list.pem", "testdata/token.der"}
	if *update {
		root := newAuthority(t)
		c := owner(t, root)
		token, err := newTimeAuthority(t, root, day).Stamp([]byte("a signature"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		for i, data := range [][]byte{root.Root.PEM(), c.PEM(), listOf(t, root, day, revoke(t, c, day.AddDate(0, 1, 0), ReasonKeyCompromise)).PEM(), token} {
			if err := os.WriteFile(names[i], data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	var data [4][]byte
	for i, name := range names {
		var err error
		if data[i], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	k := &keptFiles{token: data[3]}
	for i, into := range []**Certificate{&k.root, &k.owner} {
		list, err := ParsePEM(data[i])
		if err != nil {
			t.Fatal(err)
		}
		*into = list[0]
	}
	var err error
	if k.list, err = ParseRevocationList(data[2]); err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKeptFilesHold(t *testing.T) {
	k := kept(t)
	tr := &Trust{Roots: []*Certificate{k.root}, Lists: []*RevocationList{k.list}}
	if st, err := tr.Check(k.owner, day, UsageSign); err != nil || st.Revocation != RevokedLater {
		t.Errorf("Check = %+v, %v", st, err)
	}
	tok, err := ParseToken(k.token)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tok.Verify([]byte("a signature"), tr); err != nil {
		t.Error(err)
	}
}

func FuzzCertificate(f *testing.F) {
	k := kept(f)
	f.Add(k.owner.DER)
	f.Add(k.owner.PEM())
	f.Fuzz(func(t *testing.T, data []byte) {
		ParsePEM(data)
		got, err := ParseCertificate(data)
		if err != nil {
			return
		}
		got.Subject()
		tr := &Trust{Roots: []*Certificate{k.root}, Intermediates: []*Certificate{got}}
		if _, err := tr.Check(got, day, UsageSign); err == nil && !got.Equal(k.owner) {
			t.Error("a changed certificate is trusted")
		}
	})
}

func FuzzRevocationList(f *testing.F) {
	k := kept(f)
	f.Add(k.list.DER)
	f.Add(k.list.PEM())
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := ParseRevocationList(data)
		if err != nil {
			return
		}
		got.find(k.owner)
		if got.SignedBy(k.root) && !bytes.Equal(got.DER, k.list.DER) {
			t.Error("a changed list is the authority's")
		}
	})
}

func FuzzRequest(f *testing.F) {
	der, err := NewRequest(newKey(f), Name{Unit: "单位", CommonName: "印章"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(der)
	f.Add(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}))
	f.Fuzz(func(t *testing.T, data []byte) { ParseRequest(data) })
}
