package tlog

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"elicense/gm"
)

// leavesOf returns n leaves.
func leavesOf(n int) []Hash {
	out := make([]Hash, n)
	for i := range out {
		out[i] = LeafHash(fmt.Appendf(nil, "record %d", i))
	}
	return out
}

// slowRoot is the definition of RFC 6962, section 2.1.
func slowRoot(leaves []Hash) Hash {
	switch len(leaves) {
	case 0:
		return gm.Sum(nil)
	case 1:
		return leaves[0]
	}
	k := 1
	for 2*k < len(leaves) {
		k *= 2
	}
	return NodeHash(slowRoot(leaves[:k]), slowRoot(leaves[k:]))
}

// memory is a whole tree for proofs.
type memory map[[2]uint64]Hash

func (m memory) read(level uint, index uint64) (Hash, error) {
	h, ok := m[[2]uint64{uint64(level), index}]
	if !ok {
		return Hash{}, fmt.Errorf("no node %d of level %d", index, level)
	}
	return h, nil
}

func grow(t *testing.T, tree Tree, leaves []Hash, m memory) Tree {
	t.Helper()
	tree, err := tree.Append(leaves, func(level uint, index uint64, h Hash) { m[[2]uint64{uint64(level), index}] = h })
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func TestHashes(t *testing.T) {
	// SM3 of nothing, and of "abc" (GB/T 32905-2016, A.1) with the leaf's byte before it for contrast.
	empty := EmptyRoot()
	if got := hex.EncodeToString(empty[:]); got != "1ab21d8355cfa17f8e61194831e81a8f22bec8c728fefb747ed035eb5082aa2b" {
		t.Errorf("empty root = %s", got)
	}
	if LeafHash([]byte("abc")) != Hash(gm.Sum([]byte("\x00abc"))) {
		t.Error("a leaf is not SM3(0x00 || data)")
	}
	a, b := LeafHash([]byte("a")), LeafHash([]byte("b"))
	if NodeHash(a, b) != Hash(gm.Sum(append(append([]byte{1}, a[:]...), b[:]...))) {
		t.Error("a node is not SM3(0x01 || left || right)")
	}
	salt := bytes.Repeat([]byte{7}, SaltSize)
	plain := append(append([]byte(nil), salt...), 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 1, 3, 'x')
	if Commit(salt, 2, 259, []byte("x")) != Hash(gm.Sum(plain)) {
		t.Error("a commitment is not SM3(salt || shard || index || bytes)")
	}
}

func TestTree(t *testing.T) {
	leaves := leavesOf(70)
	for n := range leaves {
		m := memory{}
		whole := grow(t, Tree{}, leaves[:n], m)
		if whole.Root() != slowRoot(leaves[:n]) || whole.Size() != uint64(n) {
			t.Fatalf("root of %d records is wrong", n)
		}
		half := grow(t, Tree{}, leaves[:n/2], m)
		before := half.Root()
		if grown := grow(t, half, leaves[n/2:n], m); !grown.Equal(whole) {
			t.Fatalf("tree of %d records grown in two steps is another", n)
		}
		if half.Root() != before {
			t.Fatal("Append changed the tree it was called on")
		}
		again, err := NewTree(whole.Size(), whole.Hashes())
		if err != nil || !again.Equal(whole) {
			t.Fatalf("restored tree of %d: %v", n, err)
		}
	}
	if _, err := NewTree(3, make([]byte, 32)); err == nil {
		t.Error("a tree without its hashes is accepted")
	}
}

func TestProofs(t *testing.T) {
	leaves := leavesOf(40)
	m := memory{}
	roots := []Hash{EmptyRoot()}
	var tree Tree
	for i := range leaves {
		tree = grow(t, tree, leaves[i:i+1], m)
		roots = append(roots, tree.Root())
	}
	for size := 1; size <= len(leaves); size++ {
		for i := range size {
			path, err := Inclusion(uint64(i), uint64(size), m.read)
			if err != nil {
				t.Fatal(err)
			}
			if err := CheckInclusion(leaves[i], uint64(i), uint64(size), path, roots[size]); err != nil {
				t.Error(err)
			}
			if size > 1 && CheckInclusion(leaves[(i+1)%size], uint64(i), uint64(size), path, roots[size]) == nil {
				t.Errorf("record %d of %d is proven by another's path", i, size)
			}
		}
		for older := range size + 1 {
			path, err := Consistency(uint64(older), uint64(size), m.read)
			if err != nil {
				t.Fatal(err)
			}
			if err := CheckConsistency(uint64(older), uint64(size), path, roots[older], roots[size]); err != nil {
				t.Error(err)
			}
			wrong := roots[older]
			wrong[0] ^= 1
			if CheckConsistency(uint64(older), uint64(size), path, wrong, roots[size]) == nil {
				t.Errorf("a log of %d with another root is continued by %d", older, size)
			}
		}
	}
	if _, err := Inclusion(5, 5, m.read); err == nil {
		t.Error("a record that is not there is proven")
	}
	if _, err := Consistency(6, 5, m.read); err == nil {
		t.Error("a shorter log continues a longer one")
	}
	if _, err := Inclusion(0, 64, m.read); err == nil {
		t.Error("a missing node is no error")
	}
}

func TestPlace(t *testing.T) {
	for _, tc := range []struct {
		level       uint
		index       uint64
		tileLevel   uint
		tile        uint64
		first, last int
	}{
		{0, 0, 0, 0, 0, 1},
		{0, 300, 0, 1, 44, 45},
		{3, 33, 0, 1, 8, 16},
		{7, 1, 0, 0, 128, 256},
		{8, 257, 1, 1, 1, 2},
		{17, 3, 2, 0, 6, 8},
	} {
		tileLevel, tile, from, to := Place(tc.level, tc.index)
		if tileLevel != tc.tileLevel || tile != tc.tile || from != tc.first || to != tc.last {
			t.Errorf("Place(%d, %d) = %d %d [%d,%d)", tc.level, tc.index, tileLevel, tile, from, to)
		}
	}
	leaves := leavesOf(8)
	var tile []byte
	for _, l := range leaves {
		tile = append(tile, l[:]...)
	}
	if got, err := TileNode(tile, 4, 8); err != nil || got != slowRoot(leaves[4:8]) {
		t.Errorf("TileNode = %x, %v", got, err)
	}
	if _, err := TileNode(tile, 8, 16); err == nil {
		t.Error("hashes a tile does not have are no error")
	}
}

func TestCheckpoint(t *testing.T) {
	key, err := gm.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	c := Checkpoint{ShardOrigin(3), 1234, slowRoot(leavesOf(5)), time.Date(2026, 3, 10, 9, 30, 0, 123000, time.FixedZone("", 8*3600))}
	s, err := Sign(c, key)
	if err != nil {
		t.Fatal(err)
	}
	const want = "elicense/shard-3\n1234\n"
	if !bytes.HasPrefix(s.Note, []byte(want)) || !bytes.HasSuffix(s.Note, []byte("\n2026-03-10T01:30:00.000123Z\n")) {
		t.Errorf("note = %q", s.Note)
	}
	got, err := ParseCheckpoint(s.Note)
	if err != nil || got.Root != c.Root || got.Size != c.Size || !got.Time.Equal(c.Time) || got.Origin != c.Origin {
		t.Errorf("ParseCheckpoint = %+v, %v", got, err)
	}
	if err := s.Verify(key.Public()); err != nil {
		t.Error(err)
	}
	for i := range s.Note {
		bad := append([]byte(nil), s.Note...)
		bad[i] ^= 1
		if parsed, err := ParseCheckpoint(bad); err == nil {
			if (Signed{parsed, bad, s.Signature}).Verify(key.Public()) == nil {
				t.Errorf("a checkpoint with byte %d changed verifies", i)
			}
		}
	}
	lie := s
	lie.Size++
	if lie.Verify(key.Public()) == nil {
		t.Error("a checkpoint that is not its note verifies")
	}
	if unsigned, err := Sign(c, nil); err != nil || unsigned.Verify(key.Public()) == nil {
		t.Errorf("an unsigned checkpoint: %v", err)
	}
}

func FuzzParseCheckpoint(f *testing.F) {
	f.Add(Checkpoint{TopOrigin, 2, EmptyRoot(), time.Unix(0, 0)}.Text())
	f.Add([]byte("a\n01\n\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if c, err := ParseCheckpoint(text); err == nil && !bytes.Equal(c.Text(), text) {
			t.Errorf("%q is read as %q", text, c.Text())
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	leaves := leavesOf(64)
	var tree Tree
	for b.Loop() {
		tree, _ = tree.Append(leaves, nil)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(leaves)), "ns/record")
}
