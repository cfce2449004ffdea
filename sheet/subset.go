package sheet

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"unicode/utf16"
)

// Subset is a complete TrueType font of its own that holds some characters of
// another font, renumbered: the missing glyph, then the characters in ascending
// order, then what composite glyphs are made of.
type Subset struct {
	Name string
	Data []byte

	runes []rune

	source *Font
	glyphs []GlyphID // numbers in the source, in the order of the subset
	loca   []int     // where their descriptions are in the glyf table
	glyfAt int       // where that is in Data

	pack, packPDF     sync.Once
	packed, packedPDF []byte
}

// Glyph returns the number of a character's glyph in the subset, 0 if the
// subset does not hold it.
func (s *Subset) Glyph(r rune) GlyphID {
	if i, ok := slices.BinarySearch(s.runes, r); ok {
		return GlyphID(i + 1)
	}
	return 0
}

const (
	// maxSubset bounds the glyphs of a subset well below what a glyph number holds.
	maxSubset = 30000
	// maxGlyf bounds the bytes of their outlines: a damaged font may let all its
	// glyphs point at one large description.
	maxGlyf = 4 << 20
)

// Subset cuts out the characters of runes, which must be in ascending order
// without repetition. Instructions for old screens are left out. The name must
// be ASCII; it is the family and the PostScript name.
func (f *Font) Subset(runes []rune, name string) (*Subset, error) {
	if len(runes) > maxSubset {
		return nil, fmt.Errorf("subset font: %d characters", len(runes))
	}
	glyphs := make([]GlyphID, 1, len(runes)+8)
	for _, r := range runes {
		g := f.Glyph(r)
		if g == 0 {
			return nil, fmt.Errorf("subset font: %w", &MissingGlyphError{r})
		}
		glyphs = append(glyphs, g)
	}
	scratch := glyfBuffers.Get().(*[]byte)
	b := subsetter{font: f, glyphs: glyphs, number: map[GlyphID]GlyphID{}, glyf: (*scratch)[:0]}
	defer func() {
		if *scratch = b.glyf; cap(b.glyf) <= 256<<10 {
			glyfBuffers.Put(scratch)
		}
	}()
	if err := b.copyGlyphs(); err != nil {
		return nil, err
	}
	data, glyfAt := b.assemble(runes, name)
	return &Subset{Name: name, Data: data, runes: runes, source: f, glyphs: b.glyphs, loca: b.loca, glyfAt: glyfAt}, nil
}

// glyfBuffers are for the outlines of a subset until they are in its file.
var glyfBuffers = sync.Pool{New: func() any { return new([]byte) }}

type subsetter struct {
	font   *Font
	glyphs []GlyphID           // old numbers in the new order
	number map[GlyphID]GlyphID // new numbers of parts of composites

	glyf []byte
	loca []int
}

// copyGlyphs fills glyf and loca, appending parts of composites to glyphs as
// they are met.
func (b *subsetter) copyGlyphs() error {
	for i := 0; i < len(b.glyphs); i++ {
		if len(b.glyphs) > 2*maxSubset || len(b.glyf) > maxGlyf {
			return fontError("the subset is too large")
		}
		b.loca = append(b.loca, len(b.glyf))
		data := b.font.thinData(b.glyphs[i])
		switch {
		case data == nil:
		case i16(data, 0) < 0:
			b.copyComposite(data)
		default:
			b.glyf = append(b.glyf, data...)
		}
		if len(b.glyf)%2 != 0 { // offsets are even in the short form
			b.glyf = append(b.glyf, 0)
		}
	}
	b.loca = append(b.loca, len(b.glyf))
	return nil
}

func (b *subsetter) copyComposite(data []byte) {
	parts := components(data)
	if len(parts) == 0 || parts[len(parts)-1].endsAt > len(data) {
		return
	}
	start := len(b.glyf)
	b.glyf = append(b.glyf, data[:parts[len(parts)-1].endsAt]...)
	for i, p := range parts {
		at := b.glyf[start+p.idAt:]
		flags := u16(at, 0) &^ haveInstructs
		if i == len(parts)-1 {
			flags &^= moreParts
		}
		n, known := b.number[p.glyph]
		if !known {
			n = GlyphID(len(b.glyphs))
			b.number[p.glyph] = n
			b.glyphs = append(b.glyphs, p.glyph)
		}
		binary.BigEndian.PutUint16(at, flags)
		binary.BigEndian.PutUint16(at[2:], uint16(n))
	}
}

// assemble puts the tables together (ISO/IEC 14496-22 clause 4) and tells where
// the descriptions of glyphs begin.
func (b *subsetter) assemble(runes []rune, name string) ([]byte, int) {
	f, be := b.font, binary.BigEndian
	head := slices.Clone(f.head[:54])
	clear(head[8:12]) // the sum over the file is filled in last
	be.PutUint16(head[18:], uint16(f.unitsPerEm/f.coarser()))
	f.thinTable(head, 36, 38, 40, 42)
	short := len(b.glyf) <= 2*0xffff
	be.PutUint16(head[50:], 1)
	if short {
		be.PutUint16(head[50:], 0)
	}
	hhea := slices.Clone(f.hhea[:36])
	f.thinTable(hhea, 4, 6, 8, 10, 12, 14, 16, 22)
	be.PutUint16(hhea[34:], uint16(len(b.glyphs)))
	maxp := slices.Clone(f.maxp[:min(len(f.maxp), 32)])
	be.PutUint16(maxp[4:], uint16(len(b.glyphs)))

	hmtx := make([]byte, 0, 4*len(b.glyphs))
	for _, g := range b.glyphs {
		advance, bearing := f.thinMetrics(g)
		hmtx = be.AppendUint16(hmtx, advance)
		hmtx = be.AppendUint16(hmtx, uint16(bearing))
	}
	loca := make([]byte, 0, 4*len(b.loca))
	for _, at := range b.loca {
		if short {
			loca = be.AppendUint16(loca, uint16(at/2))
		} else {
			loca = be.AppendUint32(loca, uint32(at))
		}
	}
	return assembleFont([]fontTable{ // in the order of their names
		{"OS/2", b.os2(runes)},
		{"cmap", cmapTable(runes)},
		{"glyf", b.glyf},
		{"head", head},
		{"hhea", hhea},
		{"hmtx", hmtx},
		{"loca", loca},
		{"maxp", maxp},
		{"name", nameTable(name)},
		{"post", postTable()},
	})
}

type fontTable struct {
	tag  string
	data []byte
}

func assembleFont(tables []fontTable) (file []byte, glyfAt int) {
	be := binary.BigEndian
	size := 12 + 16*len(tables)
	for _, t := range tables {
		size += (len(t.data) + 3) &^ 3
	}
	out := make([]byte, 0, size)
	out = append(out, 0, 1, 0, 0)
	out = be.AppendUint16(out, uint16(len(tables)))
	pow, log := 1, 0
	for pow*2 <= len(tables) {
		pow, log = pow*2, log+1
	}
	out = be.AppendUint16(out, uint16(16*pow))
	out = be.AppendUint16(out, uint16(log))
	out = be.AppendUint16(out, uint16(16*(len(tables)-pow)))
	at, headAt := 12+16*len(tables), 0
	sum := uint32(0) // of all tables
	for _, t := range tables {
		n := tableSum(t.data)
		sum += n
		out = append(out, t.tag...)
		out = be.AppendUint32(out, n)
		out = be.AppendUint32(out, uint32(at))
		out = be.AppendUint32(out, uint32(len(t.data)))
		switch t.tag {
		case "head":
			headAt = at
		case "glyf":
			glyfAt = at
		}
		at += (len(t.data) + 3) &^ 3
	}
	for _, t := range tables {
		out = append(out, t.data...)
		for len(out)%4 != 0 {
			out = append(out, 0)
		}
	}
	be.PutUint32(out[headAt+8:], 0xb1b0afba-sum-tableSum(out[:12+16*len(tables)]))
	return out, glyfAt
}

func tableSum(b []byte) uint32 {
	var hi, lo uint32 // two sums at once
	for ; len(b) >= 8; b = b[8:] {
		v := binary.BigEndian.Uint64(b)
		hi, lo = hi+uint32(v>>32), lo+uint32(v)
	}
	sum := hi + lo
	if len(b) >= 4 {
		sum, b = sum+binary.BigEndian.Uint32(b), b[4:]
	}
	var last [4]byte
	copy(last[:], b)
	return sum + binary.BigEndian.Uint32(last[:])
}

// cmapTable maps the runes to glyphs 1, 2, 3 …: format 4 for the basic plane,
// and format 12 too if there are characters beyond it.
func cmapTable(runes []rune) []byte {
	be := binary.BigEndian
	basic := len(runes)
	for basic > 0 && runes[basic-1] > 0xffff {
		basic--
	}
	records := uint16(1)
	if basic < len(runes) {
		records = 2
	}
	out := be.AppendUint16(nil, 0)
	out = be.AppendUint16(out, records)
	four := format4(runes[:basic])
	at := uint32(4 + 8*int(records))
	out = append(out, 0, 3, 0, 1)
	out = be.AppendUint32(out, at)
	if records == 2 {
		out = append(out, 0, 3, 0, 10)
		out = be.AppendUint32(out, at+uint32(len(four)))
	}
	out = append(out, four...)
	if records == 2 {
		out = append(out, format12(runes)...)
	}
	return out
}

// spans calls f for each row of runes without a gap: its first and last rune
// and the first one's glyph.
func spans(runes []rune, f func(first, last rune, glyph int)) {
	for i := 0; i < len(runes); {
		j := i
		for j+1 < len(runes) && runes[j+1] == runes[j]+1 {
			j++
		}
		f(runes[i], runes[j], i+1)
		i = j + 1
	}
}

func format4(runes []rune) []byte {
	be := binary.BigEndian
	var ends, starts, deltas []byte
	n := 0
	spans(runes, func(first, last rune, glyph int) {
		ends = be.AppendUint16(ends, uint16(last))
		starts = be.AppendUint16(starts, uint16(first))
		deltas = be.AppendUint16(deltas, uint16(glyph)-uint16(first))
		n++
	})
	if len(runes) == 0 || runes[len(runes)-1] != 0xffff { // the required last segment
		ends = be.AppendUint16(ends, 0xffff)
		starts = be.AppendUint16(starts, 0xffff)
		deltas = be.AppendUint16(deltas, 1)
		n++
	}
	pow, log := 1, 0
	for pow*2 <= n {
		pow, log = pow*2, log+1
	}
	out := make([]byte, 0, 16+8*n)
	for _, v := range []int{4, 16 + 8*n, 0, 2 * n, 2 * pow, log, 2 * (n - pow)} {
		out = be.AppendUint16(out, uint16(v))
	}
	out = append(out, ends...)
	out = append(out, 0, 0)
	out = append(out, starts...)
	out = append(out, deltas...)
	return append(out, make([]byte, 2*n)...)
}

func format12(runes []rune) []byte {
	be := binary.BigEndian
	var groups []byte
	spans(runes, func(first, last rune, glyph int) {
		groups = be.AppendUint32(groups, uint32(first))
		groups = be.AppendUint32(groups, uint32(last))
		groups = be.AppendUint32(groups, uint32(glyph))
	})
	out := []byte{0, 12, 0, 0}
	out = be.AppendUint32(out, uint32(16+len(groups)))
	out = be.AppendUint32(out, 0)
	out = be.AppendUint32(out, uint32(len(groups)/12))
	return append(out, groups...)
}

func nameTable(name string) []byte {
	be := binary.BigEndian
	strings := []struct {
		id uint16
		s  string
	}{{1, name}, {2, "Regular"}, {4, name}, {6, name}}
	out := be.AppendUint16(nil, 0)
	out = be.AppendUint16(out, uint16(len(strings)))
	out = be.AppendUint16(out, uint16(6+12*len(strings)))
	var storage []byte
	for _, s := range strings {
		text := utf16.Encode([]rune(s.s))
		for _, v := range []int{3, 1, 0x409, int(s.id), 2 * len(text), len(storage)} {
			out = be.AppendUint16(out, uint16(v))
		}
		for _, u := range text {
			storage = be.AppendUint16(storage, u)
		}
	}
	return append(out, storage...)
}

// postTable says that glyphs have no names (version 3).
func postTable() []byte {
	out := make([]byte, 32)
	out[1] = 3
	return out
}

// os2 returns the source's OS/2 table, or a plain one where it has none, with
// the range of characters put right.
func (b *subsetter) os2(runes []rune) []byte {
	out := slices.Clone(b.font.os2)
	if len(out) < 78 {
		out = make([]byte, 78)
		binary.BigEndian.PutUint16(out[2:], uint16(b.font.unitsPerEm)) // average width
		binary.BigEndian.PutUint16(out[4:], 400)                       // regular weight
		binary.BigEndian.PutUint16(out[6:], 5)                         // medium width
		binary.BigEndian.PutUint16(out[68:], uint16(b.font.ascent))
		binary.BigEndian.PutUint16(out[70:], uint16(-b.font.descent))
		binary.BigEndian.PutUint16(out[74:], uint16(b.font.ascent))
		binary.BigEndian.PutUint16(out[76:], uint16(b.font.descent))
	}
	b.font.thinTable(out, 2, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 68, 70, 72, 74, 76, 86, 88)
	if len(runes) > 0 {
		binary.BigEndian.PutUint16(out[64:], uint16(min(runes[0], 0xffff)))
		binary.BigEndian.PutUint16(out[66:], uint16(min(runes[len(runes)-1], 0xffff)))
	}
	return out
}
