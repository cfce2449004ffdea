package gm

import (
	"crypto/rand"
	"fmt"
	mrand "math/rand/v2"
	"testing"
)

// TestSums are the digests of one after the other, of lists of any length of
// messages of any length; above all of lengths about those of blocks. Each kernel of
// this processor is asked by itself.
func TestSums(t *testing.T) {
	sets := [][]kernel{nil, kernels}
	for i := range kernels {
		sets = append(sets, kernels[i:i+1])
	}
	for _, set := range sets {
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
			for i, sum := range sumsWith(set, list) {
				if sum != Sum(list[i]) {
					t.Fatalf("%d kernels: message %d of %d, of %d bytes: another digest", len(set), i, n, len(list[i]))
				}
			}
		}
	}
}

func BenchmarkSums(b *testing.B) {
	list := make([][]byte, 16)
	for i := range list {
		list[i] = make([]byte, 45_000+i*100)
	}
	b.Run("one by one", func(b *testing.B) {
		b.SetBytes(16 * 45_750)
		for b.Loop() {
			sumsWith(nil, list)
		}
	})
	for i, k := range kernels {
		b.Run(fmt.Sprintf("%d together", k.lanes), func(b *testing.B) {
			b.SetBytes(16 * 45_750)
			for b.Loop() {
				sumsWith(kernels[i:i+1], list)
			}
		})
	}
}
