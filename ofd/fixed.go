package ofd

import (
	"encoding/binary"
	"math/bits"
)

// Small files are packed with the fixed codes of deflate (RFC 1951 3.2.6): codes
// of their own would take longer to make than all the rest, and telling them
// takes a tenth of such a file.

// smallText is the size up to which a file is packed with fixed codes.
const smallText = 3000

const (
	hashBits    = 10
	shortMatch  = 4
	longMatch   = 258
	blockHeader = 1 | 1<<1 // the last block, with fixed codes
)

// fixedLiteral are the codes of literals and lengths, their bits in the order
// they are written.
var fixedLiteral = func() (codes [288]struct {
	bits uint16
	n    uint8
}) {
	put := func(from, to, first, n int) {
		for s := from; s <= to; s++ {
			codes[s].bits, codes[s].n = bits.Reverse16(uint16(first+s-from))>>(16-n), uint8(n)
		}
	}
	put(0, 143, 0x30, 8)
	put(144, 255, 0x190, 9)
	put(256, 279, 0, 7)
	put(280, 287, 0xc0, 8)
	return codes
}()

// packFixed packs data of at most smallText bytes.
func packFixed(data []byte) []byte {
	w := bitWriter{out: make([]byte, 0, len(data)/2+64)}
	w.write(blockHeader, 3)
	var heads [1 << hashBits]int16 // the last place of each hash, plus one
	for i := 0; i < len(data); {
		n := 0
		if i+shortMatch <= len(data) {
			h := binary.LittleEndian.Uint32(data[i:]) * 0x9e3779b1 >> (32 - hashBits)
			at := int(heads[h]) - 1
			heads[h] = int16(i + 1)
			if at >= 0 {
				for i+n < len(data) && n < longMatch && data[at+n] == data[i+n] {
					n++
				}
				if n >= shortMatch {
					w.match(n, i-at)
				}
			}
		}
		if n < shortMatch {
			c := &fixedLiteral[data[i]]
			w.write(uint64(c.bits), int(c.n))
			i++
			continue
		}
		// Every second place inside a repetition is enough to find the next by.
		for k := 2; k < n && i+k+shortMatch <= len(data); k += 2 {
			heads[binary.LittleEndian.Uint32(data[i+k:])*0x9e3779b1>>(32-hashBits)] = int16(i + k + 1)
		}
		i += n
	}
	end := &fixedLiteral[256]
	w.write(uint64(end.bits), int(end.n))
	return w.finish()
}

type bitWriter struct {
	out []byte
	acc uint64
	n   int
}

func (w *bitWriter) write(v uint64, n int) {
	w.acc |= v << w.n
	if w.n += n; w.n >= 32 {
		w.out = binary.LittleEndian.AppendUint32(w.out, uint32(w.acc))
		w.acc >>= 32
		w.n -= 32
	}
}

// match writes a repetition (RFC 1951 3.2.5).
func (w *bitWriter) match(length, distance int) {
	symbol, extra, count := 285, 0, 0
	if n := length - 3; n < 8 {
		symbol = 257 + n
	} else if length < longMatch {
		count = bits.Len(uint(n)) - 3
		symbol, extra = 257+4*count+n>>count, n&(1<<count-1)
	}
	c := &fixedLiteral[symbol]
	w.write(uint64(c.bits), int(c.n))
	w.write(uint64(extra), count)
	d := distance - 1
	symbol, extra, count = d, 0, 0
	if d >= 4 {
		count = bits.Len(uint(d)) - 2
		symbol, extra = 2*count+d>>count, d&(1<<count-1)
	}
	w.write(uint64(bits.Reverse8(uint8(symbol))>>3), 5)
	w.write(uint64(extra), count)
}

func (w *bitWriter) finish() []byte {
	for ; w.n > 0; w.n -= 8 {
		w.out = append(w.out, byte(w.acc))
		w.acc >>= 8
	}
	return w.out
}
