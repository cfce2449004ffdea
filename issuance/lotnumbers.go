package issuance

import (
	"encoding/binary"
	"syscall"

	"elicense/gm"
)

// numberTable keeps the license numbers of a table and their lines, of which there
// may be a million: eight bytes of a number's digest and four of its line, in memory
// the collector does not see, for it lets as much garbage lie again and again as
// there is to keep.
type numberTable struct {
	slots []byte
	used  int
}

const numberSlot = 12 // bytes: a digest, and the line, which is 0 where none stands

// digestOf is what a number is known by.
func digestOf(number string) uint64 {
	sum := gm.Sum([]byte(number))
	return binary.LittleEndian.Uint64(sum[:])
}

// slot returns where a digest stands, or the free place for it.
func (t *numberTable) slot(digest uint64) []byte {
	n := uint64(len(t.slots) / numberSlot)
	for at := digest % n; ; at = (at + 1) % n {
		s := t.slots[at*numberSlot : (at+1)*numberSlot]
		if binary.LittleEndian.Uint32(s[8:]) == 0 || binary.LittleEndian.Uint64(s) == digest {
			return s
		}
	}
}

// line returns the line a number was first on, 0 if it is new.
func (t *numberTable) line(digest uint64) int {
	if t.used == 0 {
		return 0
	}
	return int(binary.LittleEndian.Uint32(t.slot(digest)[8:]))
}

// put keeps the line of a new number, from 1.
func (t *numberTable) put(digest uint64, line int) error {
	if size := len(t.slots) / numberSlot; t.used >= size*3/4 {
		if err := t.grow(max(1024, 2*size)); err != nil {
			return err
		}
	}
	s := t.slot(digest)
	binary.LittleEndian.PutUint64(s, digest)
	binary.LittleEndian.PutUint32(s[8:], uint32(line))
	t.used++
	return nil
}

func (t *numberTable) grow(size int) error {
	old := t.slots
	slots, err := reserve(size * numberSlot)
	if err != nil {
		return err
	}
	t.slots = slots
	for at := 0; at < len(old); at += numberSlot {
		if s := old[at : at+numberSlot]; binary.LittleEndian.Uint32(s[8:]) != 0 {
			copy(t.slot(binary.LittleEndian.Uint64(s)), s)
		}
	}
	return release(old)
}

// close gives the memory back.
func (t *numberTable) close() error {
	slots := t.slots
	*t = numberTable{}
	return release(slots)
}

// reserve returns memory the collector does not see.
func reserve(size int) ([]byte, error) {
	return syscall.Mmap(-1, 0, size, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
}

func release(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	return syscall.Munmap(b)
}
