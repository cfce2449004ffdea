//go:build !purego

package gm

import (
	"bytes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"math/bits"
	"slices"
	"sync"

	"golang.org/x/sys/cpu"
)

// SM4-GCM of what is as long as a license. The library's goes over eight blocks at a
// time, one round waiting for the other, which takes as long as signing twice; here
// the key stream is made of 64 blocks at a time. The authentication is the library's.

// sm4Stream puts n times 64 blocks of the key stream over src. The words of the
// counter are those of its first block.
//
//go:noescape
func sm4Stream(key *[32]uint32, box *[2]uint64, counter *[4]uint32, dst, src *byte, n int)

const (
	blockSize  = 16
	streamSize = 64 * blockSize // bytes sm4Stream makes at a time
	gcmNonce   = 12
	gcmTag     = 16
)

// sm4Box are the matrices of the S-box (GB/T 32907-2016 6.2) as the library knows it:
// the first takes a byte, 0x69 added, into the field of AES, the second brings its
// inverse back, 0xd3 added.
var sm4Box = [2]uint64{0xa7ac65de3de94796, 0x75f1228d6c1e85c9}

// wide tells whether this processor has what sm4Stream takes, and whether that gives
// what the library gives.
var wide = cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512GFNI && streamIsRight()

// widen returns inner, faster with long texts where it can be.
func widen(block cipher.Block, inner cipher.AEAD, key []byte) cipher.AEAD {
	if !wide {
		return inner
	}
	return newWideGCM(block, inner, key)
}

// wideGCM is inner for texts from streamSize bytes on.
type wideGCM struct {
	cipher.AEAD
	keys [32]uint32
	h    [2]uint64 // what GHASH multiplies by
	room sync.Pool // of *[]byte
}

func newWideGCM(block cipher.Block, inner cipher.AEAD, key []byte) *wideGCM {
	g := &wideGCM{AEAD: inner, keys: expandKey(key), room: sync.Pool{New: func() any { return new([]byte) }}}
	var h [blockSize]byte
	block.Encrypt(h[:], h[:])
	g.h = [2]uint64{binary.BigEndian.Uint64(h[:]), binary.BigEndian.Uint64(h[8:])}
	return g
}

// Seal is that of cipher.AEAD.
func (g *wideGCM) Seal(dst, nonce, plain, bound []byte) []byte {
	if len(plain) < streamSize {
		return g.AEAD.Seal(dst, nonce, plain, bound)
	}
	room := g.room.Get().(*[]byte)
	defer g.room.Put(room)
	text, at := g.authenticated(room, bound, len(plain))
	g.stream(text[at:], plain, nonce)
	dst = append(dst, text[at:]...)
	tag := g.tag(nonce, text, len(bound), len(plain))
	return append(dst, tag[:]...)
}

// Open is that of cipher.AEAD.
func (g *wideGCM) Open(dst, nonce, sealed, bound []byte) ([]byte, error) {
	if len(sealed) < streamSize+gcmTag {
		return g.AEAD.Open(dst, nonce, sealed, bound)
	}
	n := len(sealed) - gcmTag
	room := g.room.Get().(*[]byte)
	defer g.room.Put(room)
	text, at := g.authenticated(room, bound, n)
	copy(text[at:], sealed)
	if tag := g.tag(nonce, text, len(bound), n); subtle.ConstantTimeCompare(tag[:], sealed[n:]) != 1 {
		return nil, ErrDecrypt
	}
	out := slices.Grow(dst, n)[:len(dst)+n]
	g.stream(out[len(dst):], text[at:], nonce)
	return out, nil
}

// authenticated returns room for what GHASH goes over: bound, filled up to whole
// blocks, and n bytes from at on.
func (g *wideGCM) authenticated(room *[]byte, bound []byte, n int) (text []byte, at int) {
	at = (len(bound) + blockSize - 1) / blockSize * blockSize
	text = slices.Grow((*room)[:0], at+n)[:at+n]
	clear(text[copy(text, bound):at])
	*room = text
	return text, at
}

// stream puts the key stream over src, of the same length as dst.
func (g *wideGCM) stream(dst, src, nonce []byte) {
	counter := [4]uint32{binary.BigEndian.Uint32(nonce), binary.BigEndian.Uint32(nonce[4:]), binary.BigEndian.Uint32(nonce[8:]), 2}
	groups := len(src) / streamSize
	sm4Stream(&g.keys, &sm4Box, &counter, &dst[0], &src[0], groups)
	if rest := groups * streamSize; rest < len(src) {
		var last [streamSize]byte
		copy(last[:], src[rest:])
		counter[3] += uint32(groups * streamSize / blockSize)
		sm4Stream(&g.keys, &sm4Box, &counter, &last[0], &last[0], 1)
		copy(dst[rest:], last[:])
	}
}

// tag is the tag of a text of so many bytes, bound to as many. The library is asked
// for the tag of a text that is all bound to; both differ in the lengths alone, and
// GHASH is linear.
func (g *wideGCM) tag(nonce, text []byte, bound, n int) (tag [gcmTag]byte) {
	g.AEAD.Seal(tag[:0], nonce, nil, text)
	hi, lo := g.times(uint64(8*len(text))^uint64(8*bound), uint64(8*n))
	subtle.XORBytes(tag[:8], tag[:8], binary.BigEndian.AppendUint64(nil, hi))
	subtle.XORBytes(tag[8:], tag[8:], binary.BigEndian.AppendUint64(nil, lo))
	return tag
}

// times multiplies by h in the field of GHASH (GB/T 36624-2018, NIST SP 800-38D 6.3).
// What it multiplies are lengths, no secret.
func (g *wideGCM) times(hi, lo uint64) (zhi, zlo uint64) {
	vhi, vlo := g.h[0], g.h[1]
	for _, word := range []uint64{hi, lo} {
		for i := 63; i >= 0; i-- {
			take, carry := -(word >> i & 1), -(vlo & 1)
			zhi, zlo = zhi^vhi&take, zlo^vlo&take
			vhi, vlo = vhi>>1^0xe1<<56&carry, vlo>>1|vhi<<63
		}
	}
	return zhi, zlo
}

// expandKey are the round keys (GB/T 32907-2016 7.3).
func expandKey(key []byte) (keys [32]uint32) {
	k := [4]uint32{0xa3b1bac6, 0x56aa3350, 0x677d9197, 0xb27022dc}
	for i := range k {
		k[i] ^= binary.BigEndian.Uint32(key[4*i:])
	}
	for i := range keys {
		var fixed uint32
		for j := range 4 {
			fixed = fixed<<8 | uint32(byte((4*i+j)*7))
		}
		t := substitute(k[1] ^ k[2] ^ k[3] ^ fixed)
		keys[i] = k[0] ^ t ^ bits.RotateLeft32(t, 13) ^ bits.RotateLeft32(t, 23)
		k = [4]uint32{k[1], k[2], k[3], keys[i]}
	}
	return keys
}

// substitute is the S-box on each byte, in the same time for all.
func substitute(w uint32) (out uint32) {
	for i := 0; i < 32; i += 8 {
		b := inverse(affine(sm4Box[0], byte(w>>i)) ^ 0x69)
		out |= uint32(affine(sm4Box[1], b)^0xd3) << i
	}
	return out
}

// affine multiplies by a matrix as GF2P8AFFINEQB does.
func affine(matrix uint64, x byte) (y byte) {
	for i := range 8 {
		row := byte(matrix >> (56 - 8*i))
		y |= byte(bits.OnesCount8(row&x)&1) << i
	}
	return y
}

// inverse is that of the field of AES; of 0 it is 0.
func inverse(x byte) byte {
	y := byte(1)
	for range 254 {
		y = product(y, x)
	}
	return y
}

func product(a, b byte) (p byte) {
	for range 8 {
		p ^= a & -(b & 1)
		a, b = a<<1^0x1b&-(a>>7), b>>1
	}
	return p
}

// streamIsRight compares with the library.
func streamIsRight() bool {
	key := []byte("0123456789abcdef")
	block, inner, err := newGCM(key)
	if err != nil {
		return false
	}
	g, text, nonce := newWideGCM(block, inner, key), make([]byte, 3*streamSize+100), make([]byte, gcmNonce)
	for i := range text {
		text[i] = byte(i * i)
	}
	return bytes.Equal(g.Seal(nil, nonce, text, key), inner.Seal(nil, nonce, text, key))
}
