package gm

import (
	"bytes"
	"crypto/hmac"
	"encoding/binary"
	"hash"
	"sync"

	"github.com/emmansun/gmsm/sm3"
)

// MAC returns HMAC-SM3 of the parts under key. Each part is preceded by its
// length, so that no two different lists of parts have the same code.
func MAC(key []byte, parts ...[]byte) []byte { return NewMACKey(key).MAC(parts...) }

// MACKey makes codes under one key, which it takes in once. It is safe for
// concurrent use.
type MACKey struct {
	idle         sync.Pool           // of hash.Hash
	inner, outer [sm3.BlockSize]byte // what both digests begin with (RFC 2104)
}

// NewMACKey returns the maker of codes under key.
func NewMACKey(key []byte) *MACKey {
	key = bytes.Clone(key)
	k := &MACKey{idle: sync.Pool{New: func() any { return hmac.New(sm3.New, key) }}}
	if len(key) > sm3.BlockSize {
		sum := Sum(key)
		key = sum[:]
	}
	copy(k.inner[:], key)
	copy(k.outer[:], key)
	for i := range k.inner {
		k.inner[i] ^= 0x36
		k.outer[i] ^= 0x5c
	}
	return k
}

// MACText is what a code is made of.
type MACText []byte // behind room for the key

// TextOf returns the text of parts.
func TextOf(parts ...[]byte) MACText {
	size := sm3.BlockSize
	for _, p := range parts {
		size += 4 + len(p)
	}
	text := make([]byte, sm3.BlockSize, size)
	for _, p := range parts {
		text = append(binary.BigEndian.AppendUint32(text, uint32(len(p))), p...)
	}
	return text
}

// MAC is MAC under the key.
func (k *MACKey) MAC(parts ...[]byte) []byte { return k.Of(TextOf(parts...)) }

// Of returns the code of a text.
func (k *MACKey) Of(text MACText) []byte {
	h := k.idle.Get().(hash.Hash)
	defer k.idle.Put(h)
	h.Reset()
	h.Write(text[sm3.BlockSize:])
	return h.Sum(nil)
}

// Each returns the code of each of many texts, several at a time where the
// processor can. It writes into the room of the texts, which are then of this key.
func (k *MACKey) Each(texts []MACText) [][]byte {
	codes := make([][]byte, len(texts))
	if len(kernels) == 0 || len(texts) < fewLanes {
		for i, text := range texts {
			codes[i] = k.Of(text)
		}
		return codes
	}
	list := make([][]byte, len(texts))
	for i, text := range texts {
		copy(text, k.inner[:])
		list[i] = text
	}
	const size = sm3.BlockSize + DigestSize
	sums, room := Sums(list), make([]byte, size*len(texts))
	for i := range sums {
		list[i] = room[size*i : size*(i+1)]
		copy(list[i], k.outer[:])
		copy(list[i][sm3.BlockSize:], sums[i][:])
	}
	sums = Sums(list)
	for i := range sums {
		codes[i] = sums[i][:]
	}
	return codes
}

// EqualMAC compares two codes in constant time.
func EqualMAC(a, b []byte) bool { return hmac.Equal(a, b) }
