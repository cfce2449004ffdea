package store_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"elicense"
	"elicense/store"
	"elicense/store/storetest"
)

// TestPacks keep many files in one: each is read by its own name, a changed part
// is found, and the others stand.
func TestPacks(t *testing.T) {
	cfg := storetest.Config(t)
	db := storetest.Open(t, cfg)
	files, ctx := db.Files(), t.Context()
	parts := [][]byte{[]byte("first"), {}, bytes.Repeat([]byte("long "), 10000)}
	give := func(from int, into [][]byte) error {
		copy(into, parts[from:])
		return nil
	}
	sums, err := files.PutPack(ctx, "lot-1.pack", len(parts), give)
	if err != nil {
		t.Fatal(err)
	}
	for n, want := range parts {
		got, err := files.Get(ctx, store.Part("lot-1.pack", n), sums[n])
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("part %d: %d bytes, %v", n, len(got), err)
		}
	}
	if _, err := files.Get(ctx, "lot-1.pack#0", sums[2]); err == nil {
		t.Error("another digest is believed")
	}
	for _, name := range []string{"lot-1.pack#3", "lot-1.pack#x", "lot-1.pack#-1", "lot-2.pack#0"} {
		if _, err := files.Get(ctx, name, sums[0]); err == nil {
			t.Errorf("%s is there", name)
		}
	}
	if _, err := files.PutPack(ctx, "lot-1.pack", len(parts), give); !elicense.IsKind(err, elicense.Conflict) {
		t.Errorf("stored twice: %v", err)
	}
	for _, name := range []string{"lot-1", "a#b.pack"} {
		if _, err := files.PutPack(ctx, name, len(parts), give); !elicense.IsKind(err, elicense.Invalid) {
			t.Errorf("a pack named %s: %v", name, err)
		}
	}
	if _, err := files.Put(ctx, "lot-1.pack#0", []byte("x")); !elicense.IsKind(err, elicense.Invalid) {
		t.Errorf("a file by the name of a part: %v", err)
	}
	list, err := files.List(ctx)
	if want := []string{"lot-1.pack#0", "lot-1.pack#1", "lot-1.pack#2"}; err != nil || !slices.Equal(list, want) {
		t.Errorf("List = %v, %v", list, err)
	}

	var path string
	err = filepath.WalkDir(filepath.Dir(cfg.Dir), func(p string, d fs.DirEntry, err error) error {
		if strings.HasSuffix(p, "lot-1.pack.bin") {
			path = p
		}
		return err
	})
	if err != nil || path == "" {
		t.Fatalf("the pack is nowhere: %v", err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(data, []byte("first")) {
		t.Error("a part lies in the clear")
	}
	data[len(data)-1] ^= 1 // in the last part
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := files.Get(ctx, "lot-1.pack#2", sums[2]); !errors.Is(err, store.ErrTampered) {
		t.Errorf("a changed part: %v", err)
	}
	if _, err := files.Get(ctx, "lot-1.pack#0", sums[0]); err != nil {
		t.Errorf("its neighbour: %v", err)
	}
	// Lengths and places that lie are refused, not followed.
	for at, b := range map[int]byte{0: 'X', 4: 0xff, 8: 0xff, 12: 0x7f} {
		bad := bytes.Clone(data)
		bad[at] = b
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := files.Get(ctx, "lot-1.pack#0", sums[0]); err == nil {
			t.Errorf("byte %d: believed", at)
		}
	}
}
