package gm

import (
	"bytes"
	"errors"
	"testing"
	"time"
)

const testPolicy = "1.2.156.3005.9.1"

// newTimeAuthority is one under root, with its time at t.
func newTimeAuthority(t testing.TB, root *Authority, at time.Time) *TimeAuthority {
	t.Helper()
	k := newKey(t)
	c := must(t)(root.IssueTimeAuthority(k.Public(), Name{Unit: "示例机构", CommonName: "时间戳"}, day, day.AddDate(5, 0, 0)))
	a, err := NewTimeAuthority(k, c, testPolicy, func() time.Time { return at })
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestTimeStamp(t *testing.T) {
	root := newAuthority(t)
	at := day.Add(90*time.Second + 123456789)
	a := newTimeAuthority(t, root, at)
	tr := &Trust{Roots: []*Certificate{root.Root}}
	sig := []byte("a signature")
	token, err := a.Stamp(sig)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := ParseToken(token)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("token of %d bytes, certificate of %d", len(token), len(a.cert.DER))
	if !tok.Time.Equal(at.Truncate(time.Second)) || tok.Policy != testPolicy || tok.Serial == "" || !tok.Cert.Equal(a.cert) || tok.Nonce != nil {
		t.Errorf("token = %+v", tok)
	}
	if st, err := tok.Verify(sig, tr); err != nil || len(st.Chain) != 2 {
		t.Errorf("Verify = %+v, %v", st, err)
	}
	if _, err := tok.Verify([]byte("another"), tr); !errors.Is(err, ErrStampImprint) {
		t.Errorf("Verify of another signature = %v", err)
	}
	if _, err := tok.Verify(sig, &Trust{}); !errors.Is(err, ErrUnknownRoot) {
		t.Errorf("Verify without roots = %v", err)
	}
	t.Run("two are told apart", func(t *testing.T) {
		again, _ := a.Stamp(sig)
		other, err := ParseToken(again)
		if err != nil || other.Serial == tok.Serial {
			t.Errorf("serial numbers %s and %s, %v", other.Serial, tok.Serial, err)
		}
	})
	t.Run("no changed byte makes another token of the authority", func(t *testing.T) {
		harmless := 0
		for i := range token {
			for _, bit := range []byte{1, 0x20, 0x80} {
				der := bytes.Clone(token)
				der[i] ^= bit
				bad, err := ParseToken(der)
				if err != nil {
					continue
				}
				if _, err := bad.Verify(sig, tr); err != nil {
					continue
				}
				harmless++
				if !bad.Time.Equal(tok.Time) || bad.Serial != tok.Serial || bad.Policy != tok.Policy {
					t.Errorf("byte %d of %d: another token holds", i, len(token))
				}
			}
		}
		if harmless != 0 {
			t.Errorf("%d changes do no harm", harmless)
		}
	})
	t.Run("cuts and additions", func(t *testing.T) {
		for n := range token {
			if _, err := ParseToken(token[:n]); !errors.Is(err, ErrStampFormat) {
				t.Fatalf("cut at %d: %v", n, err)
			}
		}
		for _, bad := range [][]byte{append(bytes.Clone(token), 0), make([]byte, maxToken+1)} {
			if _, err := ParseToken(bad); !errors.Is(err, ErrStampFormat) {
				t.Errorf("%d bytes: %v", len(bad), err)
			}
		}
	})
	t.Run("through an authority in between, carried or known", func(t *testing.T) {
		ca := under(t, root, "中级机构", 0)
		sub := newTimeAuthority(t, ca, at)
		carried, err := NewTimeAuthority(sub.key, sub.cert, testPolicy, sub.now, ca.Root)
		if err != nil {
			t.Fatal(err)
		}
		for _, tc := range []struct {
			a    *TimeAuthority
			tr   *Trust
			want error
		}{
			{sub, tr, ErrUnknownRoot},
			{carried, tr, nil},
			{sub, &Trust{Roots: tr.Roots, Intermediates: []*Certificate{ca.Root}}, nil},
			{sub, &Trust{Roots: tr.Roots, Intermediates: []*Certificate{ca.Root}, Lists: []*RevocationList{listOf(t, ca, at, revoke(t, sub.cert, at.AddDate(0, 0, 1), ReasonSuperseded))}}, nil},
			{sub, &Trust{Roots: tr.Roots, Intermediates: []*Certificate{ca.Root}, Lists: []*RevocationList{listOf(t, ca, at, revoke(t, sub.cert, at.AddDate(0, 0, 1), ReasonKeyCompromise))}}, ErrRevoked},
		} {
			token, err := tc.a.Stamp(sig)
			if err != nil {
				t.Fatal(err)
			}
			tok, err := ParseToken(token)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := tok.Verify(sig, tc.tr); !errors.Is(err, tc.want) {
				t.Errorf("Verify = %v, want %v", err, tc.want)
			}
		}
	})
	t.Run("an owner can't stamp", func(t *testing.T) {
		k := newKey(t)
		c := must(t)(root.Issue(k.Public(), Name{Unit: "", CommonName: "x"}, day, day.AddDate(1, 0, 0)))
		if _, err := NewTimeAuthority(k, c, testPolicy, time.Now); !errors.Is(err, ErrUsage) {
			t.Errorf("NewTimeAuthority = %v", err)
		}
		if _, err := NewTimeAuthority(newKey(t), a.cert, testPolicy, time.Now); !errors.Is(err, ErrWrongKey) {
			t.Errorf("NewTimeAuthority = %v", err)
		}
	})
	t.Run("an authority whose certificate ran out does not", func(t *testing.T) {
		if _, err := newTimeAuthority(t, root, day.AddDate(6, 0, 0)).Stamp(sig); err == nil {
			t.Error("stamped")
		}
	})
}

// Authorities elsewhere write what ours leaves out.
func TestTokensOfOtherForms(t *testing.T) {
	root := newAuthority(t)
	a := newTimeAuthority(t, root, day)
	sig := []byte("a signature")
	token, err := a.Stamp(sig)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("SignedData of GB/T 35275", func(t *testing.T) {
		i := indexOf(token, derSignedData)
		tok, err := ParseToken(appendTLV(nil, 0x30, derSignedDataGB, token[i+len(derSignedData):]))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tok.Verify(sig, &Trust{Roots: []*Certificate{root.Root}}); err != nil {
			t.Error(err)
		}
	})
	t.Run("signed attributes that do not say what they must", func(t *testing.T) {
		head := bytes.Clone(a.attrsHead)
		contentType := 2 + int(head[1])
		other := bytes.Clone(head)
		other[contentType-1] ^= 1 // last number of the content type
		for name, attrs := range map[string][]byte{
			"no content type":      head[contentType:],
			"another content type": other,
			"the same twice":       concat(head[:contentType], head),
		} {
			b := *a
			b.attrsHead = attrs
			token, err := b.Stamp(sig)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := ParseToken(token); !errors.Is(err, ErrStampFormat) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	sum := Sum(sig)
	imprint := appendTLV(nil, 0x30, appendTLV(nil, 0x30, derSM3, nullParameters), appendTLV(nil, 0x04, sum[:]))
	begin := concat(sequenceOfTSTBegin, []byte{0x06, 0x03, 0x2a, 0x03, 0x04}, imprint, []byte{0x02, 0x01, 0x07})
	at := func(s string) []byte { return appendTLV(nil, 0x18, []byte(s)) }
	for _, tc := range []struct {
		name string
		rest [][]byte
		ok   bool
	}{
		{"nothing more", [][]byte{at("20260302040000Z")}, true},
		{"fractions of a second", [][]byte{at("20260302040000.25Z")}, true},
		{"accuracy, order, nonce and name", [][]byte{at("20260302040000Z"), {0x30, 0x03, 0x02, 0x01, 0x01}, {0x01, 0x01, 0xff}, {0x02, 0x01, 0x05}, {0xa0, 0x02, 0x82, 0x00}}, true},
		{"an extension nobody has to know", [][]byte{at("20260302040000Z"), {0xa1, 0x09, 0x30, 0x07, 0x06, 0x03, 0x2a, 0x03, 0x04, 0x04, 0x00}}, true},
		{"a critical extension", [][]byte{at("20260302040000Z"), {0xa1, 0x0c, 0x30, 0x0a, 0x06, 0x03, 0x2a, 0x03, 0x04, 0x01, 0x01, 0xff, 0x04, 0x00}}, false},
		{"local time", [][]byte{at("20260302120000+0800")}, false},
		{"no time", nil, false},
		{"a date that is none", [][]byte{at("20260230040000Z")}, false},
		{"something after", [][]byte{at("20260302040000Z"), {0x05, 0x00}}, false},
	} {
		var tok Token
		ok := tok.parseInfo(appendTLV(nil, 0x30, concat(begin, concat(tc.rest...))))
		if ok != tc.ok || ok && (!tok.Time.Truncate(time.Second).Equal(day) || !tok.Covers(sig) || tok.Serial != "7" || tok.Policy != "1.2.3.4") {
			t.Errorf("%s: %v, %+v", tc.name, ok, tok)
		}
	}
}

func TestStampRequest(t *testing.T) {
	root := newAuthority(t)
	a := newTimeAuthority(t, root, day)
	tr := &Trust{Roots: []*Certificate{root.Root}, Intermediates: []*Certificate{a.cert}}
	sig := []byte("a signature")
	ask := func(edit func(*StampRequest)) (*StampRequest, []byte) {
		r := NewStampRequest(sig)
		edit(r)
		der, err := r.DER()
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := a.Answer(der)
		return r, answer
	}
	for name, edit := range map[string]func(*StampRequest){
		"plain":               func(*StampRequest) {},
		"without certificate": func(r *StampRequest) { r.Certificate = false },
		"without nonce":       func(r *StampRequest) { r.Nonce = nil },
		"with the policy":     func(r *StampRequest) { r.Policy = testPolicy },
	} {
		r, answer := ask(edit)
		tok, err := r.Token(answer)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := tok.Verify(sig, tr); err != nil || (tok.Cert != nil) != r.Certificate {
			t.Errorf("%s: %v, certificate %v", name, err, tok.Cert != nil)
		}
	}
	t.Run("an answer to another request", func(t *testing.T) {
		r, _ := ask(func(*StampRequest) {})
		_, answer := ask(func(*StampRequest) {})
		if _, err := r.Token(answer); !errors.Is(err, ErrStampFormat) {
			t.Errorf("Token = %v", err)
		}
		_, answer = ask(func(r *StampRequest) { r.Imprint[0] ^= 1 })
		if _, err := r.Token(answer); !errors.Is(err, ErrStampImprint) {
			t.Errorf("Token = %v", err)
		}
	})
	t.Run("another policy is refused", func(t *testing.T) {
		r, answer := ask(func(r *StampRequest) { r.Policy = "1.2.3" })
		if _, err := r.Token(answer); !errors.Is(err, ErrStampRefused) {
			t.Errorf("Token = %v", err)
		}
	})
	for name, tc := range map[string]struct {
		request []byte
		want    []byte
	}{
		"junk":           {[]byte("junk"), []byte{0x30, 9, 0x30, 7, 2, 1, 2, 3, 2, 2, 4}},
		"SHA-256":        {appendTLV(nil, 0x30, []byte{2, 1, 1}, appendTLV(nil, 0x30, appendTLV(nil, 0x30, derSHA256), appendTLV(nil, 4, make([]byte, 32)))), []byte{0x30, 9, 0x30, 7, 2, 1, 2, 3, 2, 7, 0x80}},
		"another policy": {appendTLV(nil, 0x30, []byte{2, 1, 1}, appendTLV(nil, 0x30, appendTLV(nil, 0x30, derSM3), appendTLV(nil, 4, make([]byte, 32))), derSHA256), []byte{0x30, 10, 0x30, 8, 2, 1, 2, 3, 3, 0, 0, 1}},
	} {
		answer, err := a.Answer(tc.request)
		if name == "SHA-256" && !bytes.Equal(answer, tc.want) || name == "junk" && !bytes.Equal(answer, tc.want) || err == nil {
			t.Errorf("%s: answer % x, %v; want % x", name, answer, err, tc.want)
		}
		if _, err := NewStampRequest(sig).Token(answer); !errors.Is(err, ErrStampRefused) {
			t.Errorf("%s: Token = %v", name, err)
		}
	}
}

// A time stamp costs its signature and little more.
func TestStampIsFrugal(t *testing.T) {
	a := newTimeAuthority(t, newAuthority(t), day)
	sig := make([]byte, 71)
	sign := testing.AllocsPerRun(200, func() { a.key.SignSM2(sig) })
	stamp := testing.AllocsPerRun(200, func() { a.Stamp(sig) })
	if stamp-sign > 6 {
		t.Errorf("%g allocations, %g without the signature", stamp, stamp-sign)
	}
}

func FuzzToken(f *testing.F) {
	k := kept(f)
	tr := &Trust{Roots: []*Certificate{k.root}}
	f.Add(k.token)
	f.Fuzz(func(t *testing.T, der []byte) {
		tok, err := ParseToken(der)
		if err != nil {
			return
		}
		if _, err := tok.Verify([]byte("a signature"), tr); err == nil && (!tok.Time.Equal(day) || tok.Policy != testPolicy) {
			t.Error("another token holds")
		}
	})
}

func FuzzStampRequest(f *testing.F) {
	a := newTimeAuthority(f, newAuthority(f), day)
	r := NewStampRequest([]byte("a signature"))
	r.Policy = testPolicy
	der, err := r.DER()
	if err != nil {
		f.Fatal(err)
	}
	answer, err := a.Answer(der)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(der)
	f.Add(answer)
	f.Fuzz(func(t *testing.T, data []byte) {
		r.Token(data)
		req, bad := ParseStampRequest(data)
		answer, err := a.Answer(data)
		if err != nil {
			return
		}
		if bad != nil {
			t.Fatal("a request that is not well-formed was granted")
		}
		if tok, err := req.Token(answer); err != nil || tok.Imprint == nil {
			t.Errorf("the answer does not answer: %v", err)
		}
	})
}

func BenchmarkStamp(b *testing.B) {
	a := newTimeAuthority(b, newAuthority(b), day)
	sig := make([]byte, 71)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := a.Stamp(sig); err != nil {
			b.Fatal(err)
		}
	}
}
