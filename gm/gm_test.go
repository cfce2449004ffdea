package gm

import (
	"bytes"
	"crypto/hmac"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
	"pgregory.net/rapid"
)

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSM3PublishedExample(t *testing.T) { // GB/T 32905-2016 A.1
	got := Sum([]byte("abc"))
	if want := "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"; hex.EncodeToString(got[:]) != want {
		t.Errorf("Sum(abc) = %x, want %s", got, want)
	}
}

// The signature of a real GB/T 38540 seal: Z of the sealer's key, and r, s over
// the digest e = SM3(Z || SES_SealInfo).
func TestSM2SignatureOfARealSeal(t *testing.T) {
	num := func(s string) *big.Int { return new(big.Int).SetBytes(unhex(t, s)) }
	pub, err := sm2.NewPublicKey(unhex(t, "04"+
		"7e580cf8c4b5d80623e49a392cf4730ba2cc463bbe19e4c9e38f412d55fcd11e"+
		"29f4b9a9dd31db5fbb059ad2ceed53554255daaed939b7e4e8ac08a20f659cc3"))
	if err != nil {
		t.Fatal(err)
	}
	z, err := sm2.CalculateZA(pub, []byte("1234567812345678"))
	if err != nil {
		t.Fatal(err)
	}
	if want := "5c92fdaead7c45e6eea2194573113a34568c9c28e300581e566048a7313d6468"; hex.EncodeToString(z) != want {
		t.Errorf("Z = %x, want %s", z, want)
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1BigInt(num("096d09d5ae1d24a2d719e2bab1062cfe7d956be588ce9599fa2eb9c0fa22bd35"))
		b.AddASN1BigInt(num("f9215f8f3caf793a976ebc303b69e1db27605dd4e325a38e51c1374b034406b3"))
	})
	e := unhex(t, "93788669d714f0dbf04b1830ecd63a90b2146953fa1936e9454bafef360c6ded")
	if !sm2.VerifyASN1(pub, e, b.BytesOrPanic()) {
		t.Error("the seal maker's signature does not hold")
	}
	e[0] ^= 1
	if sm2.VerifyASN1(pub, e, b.BytesOrPanic()) {
		t.Error("the signature holds for another digest")
	}
}

var day = time.Date(2026, 3, 2, 4, 0, 0, 0, time.UTC)

func newAuthority(t testing.TB) *Authority {
	t.Helper()
	key, err := GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	root, err := NewRoot(key, Name{Unit: "示例机构", CommonName: "示例根证书"}, day, day.AddDate(10, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	return &Authority{root, key}
}

func TestParseCertificate(t *testing.T) {
	a := newAuthority(t)
	t.Run("PEM round trip", func(t *testing.T) {
		list, err := ParsePEM(append(a.Root.PEM(), a.Root.PEM()...))
		if err != nil || len(list) != 2 || !list[1].Equal(a.Root) {
			t.Errorf("ParsePEM = %v, %v", list, err)
		}
	})
	t.Run("no block", func(t *testing.T) {
		if _, err := ParsePEM([]byte("hello")); err == nil {
			t.Error("ParsePEM accepted text without a certificate")
		}
	})
	t.Run("a malformed name leaves the key usable and the certificate untrusted", func(t *testing.T) {
		der := append([]byte(nil), a.Root.DER...)
		// Turn the country's PrintableString "CN" into an IA5String with a high bit.
		i := indexOf(der, []byte{0x13, 0x02, 'C', 'N'})
		der[i], der[i+2] = 0x16, 0xc3
		c, err := ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		if c.Malformed == nil || !c.Key.Equal(a.Root.Key) {
			t.Errorf("Malformed = %v, key equal = %v", c.Malformed, c.Key.Equal(a.Root.Key))
		}
		if _, err := (&Trust{Roots: []*Certificate{a.Root}}).Check(c, day, UsageSign); !errors.Is(err, ErrMalformed) {
			t.Errorf("Check = %v, want %v", err, ErrMalformed)
		}
	})
	t.Run("garbage", func(t *testing.T) {
		for n := range a.Root.DER {
			ParseCertificate(a.Root.DER[:n]) // must not panic
		}
		if _, err := ParseCertificate([]byte{0x30, 0x80}); err == nil {
			t.Error("garbage was accepted")
		}
	})
}

func indexOf(b, sub []byte) int {
	for i := range b {
		if string(b[i:min(len(b), i+len(sub))]) == string(sub) {
			return i
		}
	}
	return -1
}

func TestKeyStore(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	s, err := OpenKeyStore(dir, []byte("correct horse"))
	if err != nil {
		t.Fatal(err)
	}
	first, err := s.Create("root")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create("unit-1"); err != nil {
		t.Fatal(err)
	}
	t.Run("a name in use is refused", func(t *testing.T) {
		if _, err := s.Create("root"); !errors.Is(err, ErrKeyExists) {
			t.Errorf("Create = %v, want %v", err, ErrKeyExists)
		}
	})
	t.Run("a name that is a path is refused", func(t *testing.T) {
		for _, name := range []string{"", "../x", "a/b", ".hidden", "中文"} {
			if _, err := s.Create(name); !errors.Is(err, ErrKeyName) {
				t.Errorf("Create(%q) = %v, want %v", name, err, ErrKeyName)
			}
		}
	})
	t.Run("files are private and hold no clear key", func(t *testing.T) {
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) != 3 {
			t.Fatalf("folder holds %v, %v", entries, err)
		}
		secret := first.(*SoftKey).key.D.Bytes()
		for _, e := range entries {
			info, _ := e.Info()
			if info.Mode().Perm() != 0o600 {
				t.Errorf("%s has mode %v", e.Name(), info.Mode())
			}
			data, _ := os.ReadFile(filepath.Join(dir, e.Name()))
			if indexOf(data, secret) >= 0 {
				t.Errorf("%s holds the private key in clear", e.Name())
			}
		}
	})
	t.Run("wrong passphrase", func(t *testing.T) {
		if _, err := OpenKeyStore(dir, []byte("wrong")); !errors.Is(err, ErrPassphrase) {
			t.Errorf("OpenKeyStore = %v, want %v", err, ErrPassphrase)
		}
	})
	again, err := OpenKeyStore(dir, []byte("correct horse"))
	if err != nil {
		t.Fatal(err)
	}
	t.Run("reopened keys sign for the same public key", func(t *testing.T) {
		k, err := again.Open("root")
		if err != nil {
			t.Fatal(err)
		}
		sig, err := k.SignSM2([]byte("message"))
		if err != nil || !Verify(first.Public(), []byte("message"), sig) {
			t.Errorf("signature does not hold: %v", err)
		}
		if names, _ := again.Names(); len(names) != 2 || names[0] != "root" || names[1] != "unit-1" {
			t.Errorf("Names = %v", names)
		}
	})
	t.Run("unknown name", func(t *testing.T) {
		if _, err := again.Open("unit-2"); !errors.Is(err, ErrNoKey) {
			t.Errorf("Open = %v, want %v", err, ErrNoKey)
		}
	})
	t.Run("exchanged key files are found", func(t *testing.T) {
		data, _ := os.ReadFile(filepath.Join(dir, "root.key"))
		if err := os.WriteFile(filepath.Join(dir, "unit-1.key"), data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := again.Open("unit-1"); !errors.Is(err, ErrDecrypt) {
			t.Errorf("Open = %v, want %v", err, ErrDecrypt)
		}
	})
	t.Run("keys without the head file are not silently given a new one", func(t *testing.T) {
		os.Remove(filepath.Join(dir, headFile))
		if _, err := OpenKeyStore(dir, []byte("correct horse")); err == nil {
			t.Error("OpenKeyStore made a new head for old keys")
		}
	})
}

func BenchmarkSM2Sign(b *testing.B) {
	k, _ := GenerateKey()
	msg := make([]byte, 300)
	for b.Loop() {
		k.SignSM2(msg)
	}
}

// got is a result that comes without an error.
func got[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// TestAKeyIsTakenElsewhere: a key enclosed under a passphrase opens under it, in its
// place, and nowhere else; its certificate says what it is bound to.
func TestAKeyIsTakenElsewhere(t *testing.T) {
	k := got(GenerateKey())
	stretch := NewStretch()
	stretch.Time, stretch.Memory = 1, 8<<10
	right := got(stretch.AEAD([]byte("right")))
	sealed := k.Enclose(right, []byte("kit 1"))
	again := got(OpenKey(got(stretch.AEAD([]byte("right"))), sealed, []byte("kit 1")))
	if !again.Public().Equal(k.Public()) {
		t.Error("another key came out")
	}
	for name, open := range map[string]func() (*SoftKey, error){
		"wrong": func() (*SoftKey, error) { return OpenKey(got(stretch.AEAD([]byte("wrong"))), sealed, []byte("kit 1")) },
		"place": func() (*SoftKey, error) { return OpenKey(right, sealed, []byte("kit 2")) },
		"altered": func() (*SoftKey, error) {
			return OpenKey(right, append(sealed[:20:20], sealed[21:]...), []byte("kit 1"))
		},
	} {
		if _, err := open(); !errors.Is(err, ErrDecrypt) {
			t.Errorf("%s: %v", name, err)
		}
	}
	stretch.Memory = 4 << 20
	if _, err := stretch.AEAD([]byte("right")); err == nil {
		t.Error("4 GB of memory are taken")
	}
	day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	root := must(t)(NewRoot(k, Name{CommonName: "示例根证书"}, day, day.AddDate(10, 0, 0)))
	c := must(t)((&Authority{root, k}).Issue(again.Public(), Name{CommonName: "示例", Device: "kit 1"}, day, day.AddDate(0, 0, 1)))
	if c.Device() != "kit 1" || root.Device() != "" {
		t.Errorf("bound to %q and %q", c.Device(), root.Device())
	}
}

// Long messages of a key begin alike; what is kept of the beginning of one must not
// be taken for that of another.
func TestMessagesThatBeginAlike(t *testing.T) {
	key, err := GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		heads := [][]byte{bytes.Repeat([]byte("seal"), 600), bytes.Repeat([]byte("seal"), 700), bytes.Repeat([]byte("other"), 500), nil}
		for range 8 {
			head := bytes.Clone(rapid.SampledFrom(heads).Draw(t, "head"))
			if len(head) > 0 && rapid.Bool().Draw(t, "altered") {
				head[rapid.IntRange(0, len(head)-1).Draw(t, "at")]++
			}
			message := append(head, rapid.SliceOfN(rapid.Byte(), 0, 3000).Draw(t, "rest")...)
			want, err := SumFor(key.Public(), message)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := key.sum(message); err != nil || !bytes.Equal(got, want) {
				t.Fatalf("digest of %d bytes is %x, want %x, %v", len(message), got, want, err)
			}
		}
	})
	var wait sync.WaitGroup
	for n := range 4 {
		wait.Go(func() {
			for m := range 50 {
				message := append(bytes.Repeat([]byte("seal"), 500+m%3), byte(n), byte(m))
				if der, err := key.SignSM2(message); err != nil || !Verify(key.Public(), message, der) {
					t.Errorf("message %d of %d: %v", m, n, err)
				}
			}
		})
	}
	wait.Wait()
}

// Codes made together are those made one after the other.
func TestCodesTogether(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "key")
		key := NewMACKey(raw)
		parts := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 0, 300), 0, 40).Draw(t, "parts")
		texts := make([]MACText, len(parts))
		for i, p := range parts {
			texts[i] = TextOf([]byte("table"), p)
		}
		for range 2 { // a text may be taken again
			for i, code := range key.Each(texts) {
				mac := hmac.New(sm3.New, raw)
				fmt.Fprintf(mac, "\x00\x00\x00\x05table%s%s", binary.BigEndian.AppendUint32(nil, uint32(len(parts[i]))), parts[i])
				if want := mac.Sum(nil); !bytes.Equal(code, want) || !bytes.Equal(key.MAC([]byte("table"), parts[i]), want) {
					t.Fatalf("code %d of %d is %x, want %x", i, len(parts), code, want)
				}
			}
		}
	})
}
