package sheet

import (
	"bytes"
	"compress/flate"
	"io"
	"slices"
	"sync"
	"testing"

	kflate "github.com/klauspost/compress/flate"
	"pgregory.net/rapid"
)

func TestDeflatedSubset(t *testing.T) {
	set := fonts(t)
	for _, tc := range []struct {
		name string
		font *Font
		from []rune
	}{
		{"Song", set.Song, append(outlined(set.Song, ' ', 0x17f), outlined(set.Song, 0x4e00, 0x9fa5)...)},
		{"Hei, with composites", set.Hei, append(outlined(set.Hei, ' ', 0x17f), outlined(set.Hei, 0x4e00, 0x9fa5)...)},
		{"rare", set.Rare, outlined(set.Rare, 0x20000, 0x20fff)},
	} {
		t.Run(tc.name, rapid.MakeCheck(func(t *rapid.T) {
			runes := rapid.SliceOfNDistinct(rapid.SampledFrom(tc.from), 1, 60, rapid.ID[rune]).Draw(t, "runes")
			slices.Sort(runes)
			sub, err := tc.font.Subset(runes, "ELicense-Test")
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(flate.NewReader(bytes.NewReader(sub.Deflated())))
			if err != nil || !bytes.Equal(got, sub.Data) {
				t.Fatalf("what is unpacked is not the font, %v", err)
			}
		}))
	}
}

func TestDeflatedSubsetIsSmall(t *testing.T) {
	set := fonts(t)
	runes := slices.Compact(slices.Sorted(slices.Values([]rune("福州市鼓楼区东街口小吃店食品经营许可证编号个体工商户主体业态餐饮服务热类制售冷自饮品有效期至年月日二三四五六七八九十0123456789"))))
	sub, err := set.Song.Subset(runes, "T")
	if err != nil {
		t.Fatal(err)
	}
	var usual bytes.Buffer
	w, _ := kflate.NewWriter(&usual, kflate.BestSpeed)
	w.Write(sub.Data)
	w.Close()
	t.Logf("%d bytes packed to %d, by a packer to %d", len(sub.Data), len(sub.Deflated()), usual.Len())
	if n := len(sub.Deflated()); n > usual.Len()*120/100 {
		t.Errorf("%d bytes, a packer makes %d", n, usual.Len())
	}
}

func TestDeflatedSubsetsByMany(t *testing.T) {
	fonts(t)                  // says what to install
	set, err := SystemFonts() // nothing kept yet
	if err != nil {
		t.Fatal(err)
	}
	results := make([][]byte, 8)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() {
			if sub, err := set.Song.Subset([]rune("一三二"), "T"); err == nil {
				results[i] = sub.Deflated()
			}
		})
	}
	wg.Wait()
	for _, r := range results {
		if len(r) == 0 || !bytes.Equal(r, results[0]) {
			t.Fatal("the same characters gave other bytes")
		}
	}
}

func TestDeflateSymbols(t *testing.T) {
	// RFC 1951 3.2.5.
	for n, want := range map[int][3]int{3: {257, 0, 0}, 10: {264, 0, 0}, 11: {265, 0, 1}, 12: {265, 1, 1}, 19: {269, 0, 2}, 257: {284, 30, 5}, 258: {285, 0, 0}} {
		if s, extra, k := lengthSymbol(n); [3]int{s, int(extra), int(k)} != want {
			t.Errorf("length %d is %d with %d of %d bits, want %v", n, s, extra, k, want)
		}
	}
	for n, want := range map[int][3]int{1: {0, 0, 0}, 4: {3, 0, 0}, 5: {4, 0, 1}, 8: {5, 1, 1}, 9: {6, 0, 2}, 32768: {29, 8191, 13}} {
		if s, extra, k := distanceSymbol(n); [3]int{s, int(extra), int(k)} != want {
			t.Errorf("distance %d is %d with %d of %d bits, want %v", n, s, extra, k, want)
		}
	}
}

func TestSkewedCodesFit(t *testing.T) {
	freq := make([]int, 40)
	a, b := 1, 1
	for i := range freq { // the worst for a Huffman code
		freq[i] = a
		a, b = b, a+b
	}
	lengths := codeLengths(freq, 15)
	sum := 0
	for _, n := range lengths {
		if n < 1 || n > 15 {
			t.Fatalf("a code of %d bits", n)
		}
		sum += 1 << (15 - n)
	}
	if sum != 1<<15 {
		t.Errorf("the code is not complete: %d of %d", sum, 1<<15)
	}
}

func BenchmarkDeflatedSubset(b *testing.B) {
	set := fonts(b)
	runes := slices.Compact(slices.Sorted(slices.Values([]rune("福州市鼓楼区东街口小吃店食品经营许可证编号个体工商户主体业态餐饮服务热类制售冷自饮品有效期至年月日二三四五六七八九十"))))
	sub, err := set.Song.Subset(runes, "T")
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(sub.Data)))
	for b.Loop() {
		sub.deflate()
	}
}
