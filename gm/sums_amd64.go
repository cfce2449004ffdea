//go:build !purego

package gm

import (
	"math/bits"
	_ "unsafe" // for go:linkname

	"golang.org/x/sys/cpu"
)

// workRoom is what sm3Blocks works in.
type workRoom [3456]byte

// sm3Blocks is the eightfold SM3 of the library, which it uses for deriving keys
// and does not export: it goes over whole blocks of eight messages at once, with
// AVX2. That it is still what it was is asked at the start.
//
//go:linkname sm3Blocks github.com/emmansun/gmsm/internal/sm3.blockMultBy8
//go:noescape
func sm3Blocks(states **[8]uint32, data **byte, room *byte, blocks int)

// sm3Blocks16 goes over whole blocks of sixteen messages at once, with AVX-512. The
// states are words of all lanes, k the constants of the rounds.
//
//go:noescape
func sm3Blocks16(states *uint32, data **byte, k *uint32, blocks int)

// roundConstants are T(j) turned by j (GB/T 32905-2016 4.2, 5.3.3).
var roundConstants = func() (k [64]uint32) {
	for j := range k {
		t := uint32(0x79cc4519)
		if j >= 16 {
			t = 0x7a879d8a
		}
		k[j] = bits.RotateLeft32(t, j)
	}
	return k
}()

var eightfold = kernel{lanes: 8, byLane: 8, byWord: 1, blocks: func(w *work, blocks int) {
	var states [8]*[8]uint32
	for i := range states {
		states[i] = (*[8]uint32)(w.states[8*i:])
	}
	sm3Blocks(&states[0], &w.data[0], &w.room[0], blocks)
}}

var sixteenfold = kernel{lanes: 16, byLane: 1, byWord: 16, blocks: func(w *work, blocks int) {
	sm3Blocks16(&w.states[0], &w.data[0], &roundConstants[0], blocks)
}}

// kernels are those of this processor, the widest first.
var kernels = func() (list []kernel) {
	if cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && sixteenfold.right() {
		list = append(list, sixteenfold)
	}
	if cpu.X86.HasAVX2 && cpu.X86.HasBMI2 && eightfold.right() {
		list = append(list, eightfold)
	}
	return list
}()

// right tells whether a kernel gives the digests it should.
func (k kernel) right() bool {
	list := make([][]byte, k.lanes)
	for i := range list {
		list[i] = make([]byte, 50+i*20)
		list[i][i] = byte(i)
	}
	sums := make([][DigestSize]byte, len(list))
	k.sum(list, sums)
	for i, sum := range sums {
		if sum != Sum(list[i]) {
			return false
		}
	}
	return true
}
