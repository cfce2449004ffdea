package gm

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/emmansun/gmsm/sm3"
)

// Sums returns the SM3 digest of each of many messages, several at a time where
// the processor can: for sixteen of about one length that takes an eighth of the time
// of one after the other with AVX-512, for eight a third to a fifth with AVX2.
func Sums(list [][]byte) [][DigestSize]byte { return sumsWith(kernels, list) }

// kernel goes over whole blocks of several messages at once.
type kernel struct {
	lanes int
	// places of a lane's word among the states are lane*byLane + word*byWord.
	byLane, byWord int
	blocks         func(w *work, blocks int)
}

const (
	maxLanes = 16
	fewLanes = 3 // below it, one message after the other is as fast
	// mostBlocks is how many blocks a lane goes over before others may have the
	// processor: a tenth of a millisecond.
	mostBlocks = 256
)

// sumsWith digests with the first of the kernels that is not too wide.
func sumsWith(kernels []kernel, list [][]byte) [][DigestSize]byte {
	sums := make([][DigestSize]byte, len(list))
	for i := range kernels {
		if k := &kernels[i]; len(list) > k.lanes/2 || i == len(kernels)-1 && len(list) >= fewLanes {
			k.sum(list, sums)
			return sums
		}
	}
	for i, m := range list {
		sums[i] = Sum(m)
	}
	return sums
}

// lane is a message on its way through one of the lanes.
type lane struct {
	sum  *[DigestSize]byte // where its digest goes; nil for a lane without work
	left []byte            // whole blocks of the message
	tail []byte            // whole blocks of its end, in end
	end  [2 * sm3.BlockSize]byte
}

// begin takes up a message: its whole blocks, and its rest with the padding of
// GB/T 32905-2016 5.2.
func (l *lane) begin(m []byte, sum *[DigestSize]byte) {
	l.sum = sum
	whole := len(m) / sm3.BlockSize * sm3.BlockSize
	l.left = m[:whole]
	clear(l.end[:])
	n := copy(l.end[:], m[whole:])
	l.end[n] = 0x80
	l.tail = l.end[:sm3.BlockSize]
	if n+1+8 > sm3.BlockSize {
		l.tail = l.end[:]
	}
	binary.BigEndian.PutUint64(l.tail[len(l.tail)-8:], uint64(len(m))*8)
	l.turn()
}

// turn goes on from the message to its end.
func (l *lane) turn() {
	if len(l.left) == 0 {
		l.left, l.tail = l.tail, nil
	}
}

// work is what the lanes share.
type work struct {
	lanes  [maxLanes]lane
	states [8 * maxLanes]uint32
	data   [maxLanes]*byte
	room   workRoom // of a kernel
}

// sm3Start is the initial value (GB/T 32905-2016 4.1).
var sm3Start = [8]uint32{0x7380166f, 0x4914b2b9, 0x172442d7, 0xda8a0600, 0xa96f30bc, 0x163138aa, 0xe38dee4d, 0xb0fb0e4e}

// sum digests the longest messages first, so that the lanes end together. A lane
// without work goes over another's data.
func (k *kernel) sum(list [][]byte, sums [][DigestSize]byte) {
	order := make([]int, len(list))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(len(list[b]), len(list[a])) })
	w := &work{}
	lanes := w.lanes[:k.lanes]
	next := func(i int) {
		if lanes[i].sum = nil; len(order) > 0 {
			lanes[i].begin(list[order[0]], &sums[order[0]])
			for word, v := range sm3Start {
				w.states[i*k.byLane+word*k.byWord] = v
			}
			order = order[1:]
		}
	}
	for i := range lanes {
		next(i)
	}
	for {
		blocks := mostBlocks
		var some *byte
		for i := range lanes {
			if l := &lanes[i]; l.sum != nil {
				blocks = min(blocks, len(l.left)/sm3.BlockSize)
				some, w.data[i] = &l.left[0], &l.left[0]
			}
		}
		if some == nil {
			return
		}
		for i := range lanes {
			if lanes[i].sum == nil {
				w.data[i] = some
			}
		}
		k.blocks(w, blocks)
		for i := range lanes {
			l := &lanes[i]
			if l.sum == nil {
				continue
			}
			if l.left = l.left[blocks*sm3.BlockSize:]; len(l.left) > 0 {
				continue
			}
			if l.turn(); len(l.left) > 0 {
				continue
			}
			for word := range 8 {
				binary.BigEndian.PutUint32(l.sum[4*word:], w.states[i*k.byLane+word*k.byWord])
			}
			next(i)
		}
	}
}
