//go:build !purego

package gm

import (
	_ "unsafe" // for go:linkname

	"golang.org/x/sys/cpu"
)

// laneScratch is the room sm3Blocks works in, in bytes.
const laneScratch = 3456

// sm3Blocks is the eightfold SM3 of the library, which it uses for deriving keys
// and does not export: it goes over whole blocks of eight messages at once, with
// AVX2. That it is still what it was is asked at the start.
//
//go:linkname sm3Blocks github.com/emmansun/gmsm/internal/sm3.blockMultBy8
//go:noescape
func sm3Blocks(states **[8]uint32, data **byte, scratch *byte, blocks int)

var laneBlocks func(states **[8]uint32, data **byte, scratch *byte, blocks int)

func init() {
	if !cpu.X86.HasAVX2 || !cpu.X86.HasBMI2 {
		return
	}
	laneBlocks = sm3Blocks
	var list [lanes][]byte
	for i := range list {
		list[i] = make([]byte, 50+i*20)
		list[i][i] = byte(i)
	}
	for i, sum := range Sums(list[:]) {
		if sum != Sum(list[i]) {
			laneBlocks = nil
			return
		}
	}
}
