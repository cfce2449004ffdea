// Package tlog is the arithmetic of an append-only Merkle log over SM3: hashes,
// the growing tree, tiles, proofs that a record is in the log and that one state
// of the log continues another, and the signed notes (checkpoints) that state
// what the log was at a time (Art. 17). It stores nothing and knows nothing of
// licenses; package store keeps records and tiles.
//
// Hashes. A record's bytes enter the log as a salted commitment, so that a
// published leaf or tile says nothing about a record to one who guesses at its
// contents:
//
//	commitment = SM3(salt[16] || shard[8] || index[8] || bytes)
//	leaf       = SM3(0x00 || commitment)
//	node       = SM3(0x01 || left || right)
//
// shard and index are big-endian; they bind a record to its place, so that two
// records can not trade places. Leaf and node follow RFC 6962 with SM3 in the
// place of SHA-256. The root of an empty log is SM3 of nothing.
package tlog

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/proof"

	"elicense/gm"
)

// ErrFatal marks a state of the log that can not be trusted: what is stored is
// not what this process wrote. The process stops writing; going on would sign a
// log that has forked.
var ErrFatal = errors.New("log state can not be trusted")

// Hash is an SM3 digest: of a leaf, of a node, or of the whole tree (its root).
type Hash [gm.DigestSize]byte

// SaltSize is the length in bytes of a record's salt.
const SaltSize = 16

// Commit returns the commitment to a record's bytes at its place in the log.
// salt must have SaltSize bytes; it panics otherwise, as a commitment to less could be
// guessed. Salts read from outside are measured where they are read.
func Commit(salt []byte, shard int, index uint64, data []byte) Hash {
	var head [SaltSize + 16]byte
	if copy(head[:SaltSize], salt) != SaltSize || len(salt) != SaltSize {
		panic("tlog: a salt has SaltSize bytes")
	}
	binary.BigEndian.PutUint64(head[SaltSize:], uint64(shard))
	binary.BigEndian.PutUint64(head[SaltSize+8:], index)
	h := gm.NewHash()
	h.Write(head[:])
	h.Write(data)
	return Hash(h.Sum(nil))
}

// LeafHash returns the leaf of the tree for data, which for a record is its
// commitment.
func LeafHash(data []byte) Hash {
	buf := make([]byte, 1, 1+len(data))
	return gm.Sum(append(buf, data...))
}

// RecordLeaf returns the leaf hash of a record at its place.
func RecordLeaf(salt []byte, shard int, index uint64, data []byte) Hash {
	c := Commit(salt, shard, index, data)
	return LeafHash(c[:])
}

// NodeHash returns the hash of the node above left and right.
func NodeHash(left, right Hash) Hash {
	var buf [1 + 2*gm.DigestSize]byte
	buf[0] = 1
	copy(buf[1:], left[:])
	copy(buf[1+gm.DigestSize:], right[:])
	return gm.Sum(buf[:])
}

// EmptyRoot returns the root of a log without records.
func EmptyRoot() Hash { return gm.Sum(nil) }

// hasher is RFC 6962 over SM3, in the form package proof wants.
type hasher struct{}

func (hasher) EmptyRoot() []byte { r := EmptyRoot(); return r[:] }
func (hasher) HashLeaf(leaf []byte) []byte {
	h := LeafHash(leaf)
	return h[:]
}
func (hasher) HashChildren(l, r []byte) []byte {
	h := NodeHash(Hash(l), Hash(r))
	return h[:]
}
func (hasher) Size() int { return gm.DigestSize }

var ranges = compact.RangeFactory{Hash: hasher{}.HashChildren}

// Tree is the right edge of a log: enough to append and to know the root,
// 32 bytes for each bit set in the size. The zero value is an empty log. It is
// a value: Append returns the new tree and leaves the old one as it was, so
// that a failed commit costs nothing.
type Tree struct {
	size   uint64
	hashes [][]byte // never written to after it is set
}

// NewTree restores a tree from what Size and Hashes returned.
func NewTree(size uint64, hashes []byte) (Tree, error) {
	want := compact.RangeSize(0, size)
	if len(hashes) != want*gm.DigestSize {
		return Tree{}, fmt.Errorf("tree of %d records: %d bytes of hashes, want %d", size, len(hashes), want*gm.DigestSize)
	}
	t := Tree{size: size, hashes: make([][]byte, want)}
	for i := range t.hashes {
		t.hashes[i] = append([]byte(nil), hashes[i*gm.DigestSize:(i+1)*gm.DigestSize]...)
	}
	return t, nil
}

// Size returns the number of records.
func (t Tree) Size() uint64 { return t.size }

// Hashes returns the hashes of the perfect subtrees from left to right, for
// storing.
func (t Tree) Hashes() []byte {
	out := make([]byte, 0, len(t.hashes)*gm.DigestSize)
	for _, h := range t.hashes {
		out = append(out, h...)
	}
	return out
}

// Equal tells whether two trees are of the same size with the same root.
func (t Tree) Equal(u Tree) bool { return t.size == u.size && string(t.Hashes()) == string(u.Hashes()) }

// Root returns the hash over all records.
func (t Tree) Root() Hash {
	if t.size == 0 {
		return EmptyRoot()
	}
	root := Hash(t.hashes[len(t.hashes)-1])
	for i := len(t.hashes) - 2; i >= 0; i-- {
		root = NodeHash(Hash(t.hashes[i]), root)
	}
	return root
}

// Append returns the tree with leaves added. node, when it is not nil, is told
// each perfect node that became complete, leaves included, lower before higher.
func (t Tree) Append(leaves []Hash, node func(level uint, index uint64, h Hash)) (Tree, error) {
	r, err := ranges.NewRange(0, t.size, append([][]byte(nil), t.hashes...)) // a Range appends in place
	if err != nil {
		return Tree{}, fmt.Errorf("tree of %d records: %w", t.size, err)
	}
	visit := func(id compact.NodeID, h []byte) {
		if node != nil {
			node(id.Level, id.Index, Hash(h))
		}
	}
	for i := range leaves {
		if err := r.Append(leaves[i][:], visit); err != nil {
			return Tree{}, fmt.Errorf("append record %d: %w", t.size+uint64(i), err)
		}
	}
	return Tree{size: r.End(), hashes: append([][]byte(nil), r.Hashes()...)}, nil
}

// TileWidth is the number of hashes in a full tile. The tile at level L, number
// n, holds the nodes of tree level 8L from n*256 on.
const TileWidth = 256

const tileHeight = 8

// Place says where the node at a level of the tree is found: tile level, tile
// number, and the range [from, to) of the tile's hashes it is the root of.
func Place(level uint, index uint64) (tileLevel uint, tile uint64, from, to int) {
	within := level % tileHeight
	first := index << within
	from = int(first % TileWidth)
	return level / tileHeight, first / TileWidth, from, from + 1<<within
}

// TileNode returns the root of hashes[from:to) of a tile, as Place gave them.
func TileNode(hashes []byte, from, to int) (Hash, error) {
	if to*gm.DigestSize > len(hashes) {
		return Hash{}, fmt.Errorf("tile has %d hashes, %d are wanted", len(hashes)/gm.DigestSize, to)
	}
	if to-from == 1 {
		return Hash(hashes[from*gm.DigestSize : to*gm.DigestSize]), nil
	}
	mid := (from + to) / 2
	l, err := TileNode(hashes, from, mid)
	if err != nil {
		return Hash{}, err
	}
	r, err := TileNode(hashes, mid, to)
	if err != nil {
		return Hash{}, err
	}
	return NodeHash(l, r), nil
}

// NodeReader returns the hash of a complete node of the stored tree.
type NodeReader func(level uint, index uint64) (Hash, error)

// Inclusion returns the proof that record index is in the log of size records.
func Inclusion(index, size uint64, read NodeReader) ([]Hash, error) {
	nodes, err := proof.Inclusion(index, size)
	if err != nil {
		return nil, fmt.Errorf("proof of record %d in %d: %w", index, size, err)
	}
	return build(nodes, read)
}

// Consistency returns the proof that the log of size records continues the log
// of the first older records.
func Consistency(older, size uint64, read NodeReader) ([]Hash, error) {
	nodes, err := proof.Consistency(older, size)
	if err != nil {
		return nil, fmt.Errorf("proof from %d to %d records: %w", older, size, err)
	}
	return build(nodes, read)
}

func build(nodes proof.Nodes, read NodeReader) ([]Hash, error) {
	hashes := make([][]byte, len(nodes.IDs))
	for i, id := range nodes.IDs {
		h, err := read(id.Level, id.Index)
		if err != nil {
			return nil, fmt.Errorf("node %d of level %d: %w", id.Index, id.Level, err)
		}
		hashes[i] = h[:]
	}
	hashes, err := nodes.Rehash(hashes, hasher{}.HashChildren) // hashes is ours: Rehash changes it
	if err != nil {
		return nil, err
	}
	out := make([]Hash, len(hashes))
	for i, h := range hashes {
		out[i] = Hash(h)
	}
	return out, nil
}

// CheckInclusion returns nil when path proves that leaf is record index of the
// log with this size and root.
func CheckInclusion(leaf Hash, index, size uint64, path []Hash, root Hash) error {
	if err := proof.VerifyInclusion(hasher{}, index, size, leaf[:], slices(path), root[:]); err != nil {
		return fmt.Errorf("record %d is not proven to be in the log of %d: %w", index, size, err)
	}
	return nil
}

// CheckConsistency returns nil when path proves that the log of size and root
// continues the one of older and olderRoot.
func CheckConsistency(older, size uint64, path []Hash, olderRoot, root Hash) error {
	// The library accepts any root for an empty log.
	if older == 0 && olderRoot != EmptyRoot() || size == 0 && root != EmptyRoot() {
		return errors.New("the root of an empty log is wrong")
	}
	if err := proof.VerifyConsistency(hasher{}, older, size, slices(path), olderRoot[:], root[:]); err != nil {
		return fmt.Errorf("log of %d does not continue the log of %d: %w", size, older, err)
	}
	return nil
}

func slices(hashes []Hash) [][]byte {
	out := make([][]byte, len(hashes))
	for i := range hashes {
		out[i] = hashes[i][:]
	}
	return out
}
