package sheet

import (
	"encoding/binary"
	"math/bits"
)

// Codes packs text whose like it was made from as a raw deflate stream (RFC 1951).
// The usual packer counts each text and makes codes for it, which takes longer
// than all the rest for texts of some thousand bytes; these are made once. Safe
// for concurrent use.
type Codes struct{ deflateCodes }

// FixedCodes are the codes every reader knows (RFC 1951 3.2.6): for texts so short
// that telling codes of their own takes more than they save.
var FixedCodes = func() *Codes {
	var c Codes
	lengths := make([]uint8, 288)
	for s := range lengths {
		switch {
		case s < 144:
			lengths[s] = 8
		case s < 256:
			lengths[s] = 9
		case s < 280:
			lengths[s] = 7
		default:
			lengths[s] = 8
		}
	}
	var all [288]code
	assignCodes(all[:], lengths)
	copy(c.literals[:], all[:])
	for s := range c.distances {
		lengths[s] = 5
	}
	assignCodes(c.distances[:], lengths[:numDistances])
	c.header = bitString{words: []uint64{1 | 1<<1}, n: 3} // the last block, with fixed codes
	c.setLengths()
	return &c
}()

// CodesFor makes codes from samples of the texts to be packed.
func CodesFor(samples ...string) *Codes {
	var freq deflateFrequencies
	for _, s := range samples {
		var f finder
		for i := 0; i < len(s); {
			t := f.next([]byte(s), i)
			freq.count(t)
			i += max(t.length, 1)
		}
	}
	return &Codes{freq.codes()}
}

// Pack returns data as a raw deflate stream.
func (c *Codes) Pack(data []byte) []byte {
	w := bitWriter{out: make([]byte, 0, len(data)/2+64)}
	w.put(c.header)
	c.text(&w, data)
	w.symbol(c.literals[endOfBlock])
	return w.finish()
}

// text writes data with the repetitions that are quickly found in it.
func (c *deflateCodes) text(w *bitWriter, data []byte) {
	var f finder
	for i := 0; i < len(data); {
		t := f.next(data, i)
		c.write(w, t)
		i += max(t.length, 1)
	}
}

const (
	textMatch  = 4       // the shortest repetition looked for in text
	textWindow = 1 << 15 // how far back deflate reaches
	textHash   = 11      // bits
)

// finder finds repetitions in text, of which it knows the last place only.
type finder struct {
	heads [1 << textHash]int32 // the last place of each hash, plus one
}

// next returns what stands at i: a repetition, or a literal.
func (f *finder) next(data []byte, i int) token {
	if i+8 > len(data) { // the last bytes are not worth looking for
		return token{literal: data[i]}
	}
	here := binary.LittleEndian.Uint32(data[i:])
	p := &f.heads[here*0x9e3779b1>>(32-textHash)]
	at := int(*p) - 1
	*p = int32(i + 1)
	if at < 0 || i-at > textWindow || binary.LittleEndian.Uint32(data[at:]) != here {
		return token{literal: data[i]}
	}
	n := textMatch + common(data[at+textMatch:], data[i+textMatch:min(i+longestMatch, len(data))])
	// Every fourth place inside a repetition is enough to find the next by.
	for k := i + 2; k < i+n && k+textMatch <= len(data); k += 4 {
		f.heads[binary.LittleEndian.Uint32(data[k:])*0x9e3779b1>>(32-textHash)] = int32(k + 1)
	}
	return token{length: n, distance: i - at}
}

// common is how many bytes a, which is not the shorter, begins with of b.
func common(a, b []byte) (n int) {
	for ; n+8 <= len(b); n += 8 {
		if x := binary.LittleEndian.Uint64(a[n:]) ^ binary.LittleEndian.Uint64(b[n:]); x != 0 {
			return n + bits.TrailingZeros64(x)/8
		}
	}
	for n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}
