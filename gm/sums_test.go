package gm_test

import (
	"crypto/rand"
	mrand "math/rand/v2"
	"testing"

	"elicense/gm"
)

// TestSums are the digests of one after the other, of lists of any length of
// messages of any length; above all of lengths about those of blocks.
func TestSums(t *testing.T) {
	for n := range 40 {
		list := make([][]byte, n)
		for i := range list {
			size := 56 + mrand.IntN(20)
			switch i % 3 {
			case 1:
				size = mrand.IntN(70_000)
			case 2:
				size = 64 * mrand.IntN(4)
			}
			list[i] = make([]byte, size)
			rand.Read(list[i])
		}
		for i, sum := range gm.Sums(list) {
			if sum != gm.Sum(list[i]) {
				t.Fatalf("message %d of %d, of %d bytes: another digest", i, n, len(list[i]))
			}
		}
	}
}

func BenchmarkSums(b *testing.B) {
	list := make([][]byte, 8)
	for i := range list {
		list[i] = make([]byte, 45_000+i*100)
	}
	b.SetBytes(8 * 45_350)
	b.Run("together", func(b *testing.B) {
		b.SetBytes(8 * 45_350)
		for b.Loop() {
			gm.Sums(list)
		}
	})
	b.Run("one by one", func(b *testing.B) {
		b.SetBytes(8 * 45_350)
		for b.Loop() {
			for _, m := range list {
				gm.Sum(m)
			}
		}
	})
}
