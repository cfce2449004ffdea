package gm

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

// What is sealed here the library opens, and the other way around, whatever the
// lengths; nothing altered is opened.
func TestStreamIsTheLibrarys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string, min, max int) []byte {
			b := make([]byte, rapid.IntRange(min, max).Draw(t, name+" length"))
			seed := rapid.Uint32().Draw(t, name)
			for i := range b {
				seed = seed*1664525 + 1013904223
				b[i] = byte(seed >> 24)
			}
			return b
		}
		key, nonce, plain, bound := draw("key", KeySize, KeySize), draw("nonce", 12, 12), draw("plain", 0, 9000), draw("bound", 0, 60)
		_, library, err := newGCM(key)
		if err != nil {
			t.Fatal(err)
		}
		ours, err := NewAEAD(key)
		if err != nil {
			t.Fatal(err)
		}
		want := library.Seal([]byte("before"), nonce, plain, bound)
		inPlace := append(make([]byte, 0, len(plain)+16), plain...)
		for name, got := range map[string][]byte{
			"apart":    ours.Seal([]byte("before"), nonce, plain, bound),
			"in place": append([]byte("before"), ours.Seal(inPlace[:0], nonce, inPlace, bound)...),
		} {
			if !bytes.Equal(got, want) {
				t.Fatalf("%s: %d bytes bound to %d are not sealed as by the library", name, len(plain), len(bound))
			}
		}
		sealed := want[len("before"):]
		if got, err := ours.Open([]byte("before"), nonce, sealed, bound); err != nil || !bytes.Equal(got, append([]byte("before"), plain...)) {
			t.Fatalf("%d bytes bound to %d are not opened: %v", len(plain), len(bound), err)
		}
		sealed[rapid.IntRange(0, len(sealed)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		if _, err := ours.Open(nil, nonce, sealed, bound); err == nil {
			t.Fatal("altered, and opened")
		}
	})
}

func BenchmarkEncrypt(b *testing.B) {
	key, plain := make([]byte, KeySize), make([]byte, 45_000)
	_, library, err := newGCM(key)
	if err != nil {
		b.Fatal(err)
	}
	ours, err := NewAEAD(key)
	if err != nil {
		b.Fatal(err)
	}
	out := make([]byte, 0, 46_000)
	b.Run("library", func(b *testing.B) {
		b.SetBytes(int64(len(plain)))
		for b.Loop() {
			AppendEncrypt(out, library, plain, nil)
		}
	})
	b.Run("wide", func(b *testing.B) {
		b.SetBytes(int64(len(plain)))
		for b.Loop() {
			AppendEncrypt(out, ours, plain, nil)
		}
	})
}
