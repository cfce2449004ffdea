package sheet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
)

// GlyphID numbers the shapes of one font; 0 is the shape for what is missing.
type GlyphID uint16

// Font is a TrueType font (outlines in a glyf table). It keeps the bytes it was
// parsed from, which must not be changed, and is safe for concurrent use.
//
// The parser reads tables at any alignment: those in the collections of Debian's
// Chinese fonts start at odd offsets, which other parsers refuse.
type Font struct {
	id         string
	family     string
	unitsPerEm int
	ascent     int // above the baseline, in units
	descent    int // below it, positive
	numGlyphs  int
	numHM      int
	longLoca   bool

	head, hhea, maxp, os2, hmtx, loca, glyf []byte

	cmap       []byte
	cmapFormat uint16 // 0 without a usable cmap

	thin     thinner
	packer   packer
	drawings drawings[GlyphID]
}

var errFont = errors.New("not a usable TrueType font")

func fontError(what string) error { return fmt.Errorf("%w: %s", errFont, what) }

// ParseFont reads a TrueType font or the first font of a collection.
func ParseFont(data []byte) (*Font, error) {
	offset := 0
	if len(data) >= 16 && string(data[:4]) == "ttcf" {
		offset = int(binary.BigEndian.Uint32(data[12:]))
	}
	tables, err := tableDirectory(data, offset)
	if err != nil {
		return nil, err
	}
	f := &Font{
		head: tables["head"], hhea: tables["hhea"], maxp: tables["maxp"], os2: tables["OS/2"],
		hmtx: tables["hmtx"], loca: tables["loca"], glyf: tables["glyf"],
	}
	switch {
	case len(f.head) < 54:
		return nil, fontError("no head table")
	case len(f.hhea) < 36:
		return nil, fontError("no hhea table")
	case len(f.maxp) < 6:
		return nil, fontError("no maxp table")
	case f.loca == nil || tables["glyf"] == nil:
		return nil, fontError("no glyf outlines")
	}
	f.unitsPerEm = int(u16(f.head, 18))
	if f.unitsPerEm < 16 || f.unitsPerEm > 16384 {
		return nil, fontError("units per em out of range")
	}
	f.longLoca = u16(f.head, 50) != 0
	f.ascent = int(i16(f.hhea, 4))
	f.descent = -int(i16(f.hhea, 6))
	f.numGlyphs = int(u16(f.maxp, 4))
	f.numHM = int(u16(f.hhea, 34))
	if f.numHM < 1 || len(f.hmtx) < 4*f.numHM {
		return nil, fontError("hmtx table is short")
	}
	f.findCmap(tables["cmap"])
	f.family = familyName(tables["name"])
	f.id = "f" + strconv.FormatUint(uint64(crc32.ChecksumIEEE(data)), 36) + strconv.FormatInt(int64(offset), 36)
	return f, nil
}

func tableDirectory(data []byte, offset int) (map[string][]byte, error) {
	if offset < 0 || offset > len(data)-12 {
		return nil, fontError("file is short")
	}
	switch string(data[offset : offset+4]) {
	case "\x00\x01\x00\x00", "true":
	case "OTTO":
		return nil, fontError("CFF outlines")
	default:
		return nil, fontError("unknown signature")
	}
	n := int(u16(data, offset+4))
	if offset+12+16*n > len(data) {
		return nil, fontError("table directory is cut")
	}
	tables := make(map[string][]byte, n)
	for i := range n {
		rec := data[offset+12+16*i:]
		start, size := uint64(u32(rec, 8)), uint64(u32(rec, 12))
		if start+size > uint64(len(data)) {
			return nil, fontError("a table lies outside the file")
		}
		tables[string(rec[:4])] = data[start : start+size]
	}
	return tables, nil
}

// u16 and its kin read big-endian numbers; outside of b they are 0, so that
// damaged fonts read as empty rather than crash.
func u16(b []byte, i int) uint16 {
	if i < 0 || i+2 > len(b) {
		return 0
	}
	return binary.BigEndian.Uint16(b[i:])
}

func i16(b []byte, i int) int16 { return int16(u16(b, i)) }

func u32(b []byte, i int) uint32 {
	if i < 0 || i+4 > len(b) {
		return 0
	}
	return binary.BigEndian.Uint32(b[i:])
}

// findCmap picks the character map: full Unicode before the basic plane.
func (f *Font) findCmap(cmap []byte) {
	for i := range int(u16(cmap, 2)) {
		rec := 4 + 8*i
		platform, encoding, start := u16(cmap, rec), u16(cmap, rec+2), int(u32(cmap, rec+4))
		unicode := platform == 0 || platform == 3 && (encoding == 1 || encoding == 10)
		if !unicode || start >= len(cmap) {
			continue
		}
		format := u16(cmap, start)
		if (format == 4 || format == 12) && format > f.cmapFormat {
			f.cmap, f.cmapFormat = cmap[start:], format
		}
	}
}

func familyName(name []byte) string {
	storage := int(u16(name, 4))
	for i := range int(u16(name, 2)) {
		rec := 6 + 12*i
		if u16(name, rec) != 3 || u16(name, rec+6) != 1 {
			continue
		}
		start, size := storage+int(u16(name, rec+10)), int(u16(name, rec+8))
		if start+size > len(name) {
			continue
		}
		var s []rune
		for j := 0; j+1 < size; j += 2 {
			s = append(s, rune(u16(name, start+j)))
		}
		return string(s)
	}
	return ""
}

// Family returns the family name, such as "AR PL UMing CN".
func (f *Font) Family() string { return f.family }

// Ascent and Descent return how far the font reaches above and below the
// baseline, as parts of the size.
func (f *Font) Ascent() float64 { return float64(f.ascent) / float64(f.unitsPerEm) }

// Descent is positive for fonts that reach below the baseline.
func (f *Font) Descent() float64 { return float64(f.descent) / float64(f.unitsPerEm) }

// UnitsPerEm returns how many of the units of outlines are one size.
func (f *Font) UnitsPerEm() float64 { return float64(f.unitsPerEm) }

// Glyph returns the glyph of a character, 0 if the font maps it to none. The
// glyph may still be empty: see HasOutline.
func (f *Font) Glyph(r rune) GlyphID {
	var g GlyphID
	switch f.cmapFormat {
	case 4:
		g = f.cmap4(r)
	case 12:
		g = f.cmap12(r)
	}
	if int(g) >= f.numGlyphs {
		return 0
	}
	return g
}

func (f *Font) cmap4(r rune) GlyphID {
	if r < 0 || r > 0xffff {
		return 0
	}
	segX2 := int(u16(f.cmap, 6)) &^ 1
	lo, hi := 0, segX2/2
	for lo < hi { // the first segment that ends at or after r
		if mid := (lo + hi) / 2; rune(u16(f.cmap, 14+2*mid)) < r {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	start := 16 + segX2 + 2*lo
	if lo == segX2/2 || r < rune(u16(f.cmap, start)) {
		return 0
	}
	delta := u16(f.cmap, start+segX2)
	rangeAt := start + 2*segX2
	rangeOffset := int(u16(f.cmap, rangeAt))
	if rangeOffset == 0 {
		return GlyphID(uint16(r) + delta)
	}
	g := u16(f.cmap, rangeAt+rangeOffset+2*int(r-rune(u16(f.cmap, start))))
	if g == 0 {
		return 0
	}
	return GlyphID(g + delta)
}

func (f *Font) cmap12(r rune) GlyphID {
	lo, hi := 0, min(int(u32(f.cmap, 12)), len(f.cmap)/12)
	n := hi
	for lo < hi {
		if mid := (lo + hi) / 2; rune(u32(f.cmap, 16+12*mid+4)) < r {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	first := rune(u32(f.cmap, 16+12*lo))
	if lo == n || r < first {
		return 0
	}
	g := u32(f.cmap, 16+12*lo+8) + uint32(r-first)
	if g > 0xffff {
		return 0
	}
	return GlyphID(g)
}

// Advance returns the width of a glyph as a part of the size.
func (f *Font) Advance(g GlyphID) float64 {
	i := min(int(g), f.numHM-1)
	return float64(u16(f.hmtx, 4*i)) / float64(f.unitsPerEm)
}

// metrics returns a glyph's advance and left side bearing in units.
func (f *Font) metrics(g GlyphID) (advance uint16, bearing int16) {
	i := int(g)
	if i < f.numHM {
		return u16(f.hmtx, 4*i), i16(f.hmtx, 4*i+2)
	}
	return u16(f.hmtx, 4*(f.numHM-1)), i16(f.hmtx, 4*f.numHM+2*(i-f.numHM))
}

// glyphData returns the description of a glyph, nil if it is empty or damaged.
func (f *Font) glyphData(g GlyphID) []byte {
	var start, end uint64
	if i := int(g); i >= f.numGlyphs {
		return nil
	} else if f.longLoca {
		start, end = uint64(u32(f.loca, 4*i)), uint64(u32(f.loca, 4*i+4))
	} else {
		start, end = 2*uint64(u16(f.loca, 2*i)), 2*uint64(u16(f.loca, 2*i+2))
	}
	if end > uint64(len(f.glyf)) || start+10 > end {
		return nil
	}
	return f.glyf[start:end]
}

// HasOutline tells whether a glyph draws anything. Some fonts map characters to
// glyphs without an outline.
func (f *Font) HasOutline(g GlyphID) bool {
	return i16(f.glyphData(g), 0) != 0
}

const (
	maxComponents = 64 // glyphs a composite glyph may be made of, all levels
	maxDepth      = 5
	maxSteps      = 1 << 16 // of one outline; the richest characters take a thirtieth
)

// Outline returns the shape of a glyph in font units, y up. It is empty for
// blanks and for damaged glyphs.
func (f *Font) Outline(g GlyphID) []Segment {
	budget := maxComponents
	return f.outline(nil, g, Identity, 0, &budget)
}

func (f *Font) outline(dst []Segment, g GlyphID, m Matrix, depth int, budget *int) []Segment {
	data := f.glyphData(g)
	*budget--
	if data == nil || *budget < 0 || depth > maxDepth || len(dst) > maxSteps {
		return dst
	}
	if i16(data, 0) >= 0 {
		return simpleOutline(dst, data, m)
	}
	for _, c := range components(data) {
		dst = f.outline(dst, c.glyph, c.matrix.Then(m), depth+1, budget)
	}
	return dst
}

// component is a part of a composite glyph.
type component struct {
	glyph   GlyphID
	matrix  Matrix
	idAt    int // where in the description the flags and the glyph's number stand
	endsAt  int
	hasMore bool
}

// The flags of a composite glyph's parts.
const (
	argsAreWords  = 0x0001
	argsAreXY     = 0x0002
	haveScale     = 0x0008
	moreParts     = 0x0020
	haveXYScale   = 0x0040
	have2x2       = 0x0080
	haveInstructs = 0x0100
)

func components(data []byte) []component {
	var list []component
	for at := 10; at+4 <= len(data) && len(list) < maxComponents; {
		flags := u16(data, at)
		c := component{glyph: GlyphID(u16(data, at+2)), matrix: Identity, idAt: at, hasMore: flags&moreParts != 0}
		at += 4
		var dx, dy float64
		if flags&argsAreWords != 0 {
			dx, dy = float64(i16(data, at)), float64(i16(data, at+2))
			at += 4
		} else {
			v := u16(data, at)
			dx, dy = float64(int8(v>>8)), float64(int8(v))
			at += 2
		}
		if flags&argsAreXY != 0 { // matching points instead of offsets are not used by any font met
			c.matrix[4], c.matrix[5] = dx, dy
		}
		f2 := func(i int) float64 { return float64(i16(data, at+2*i)) / 16384 }
		switch {
		case flags&haveScale != 0:
			c.matrix[0], c.matrix[3] = f2(0), f2(0)
			at += 2
		case flags&haveXYScale != 0:
			c.matrix[0], c.matrix[3] = f2(0), f2(1)
			at += 4
		case flags&have2x2 != 0:
			c.matrix[0], c.matrix[1], c.matrix[2], c.matrix[3] = f2(0), f2(1), f2(2), f2(3)
			at += 8
		}
		c.endsAt = at
		list = append(list, c)
		if !c.hasMore {
			break
		}
	}
	return list
}

// glyphPoint is a point of an outline, on the curve or a control of it.
type glyphPoint struct {
	x, y int
	on   bool
}

func simpleOutline(dst []Segment, data []byte, m Matrix) []Segment {
	contours := int(i16(data, 0))
	points := simplePoints(data, contours)
	first := 0
	for c := range contours {
		last := int(u16(data, 10+2*c))
		if last < first || last >= len(points) {
			return dst
		}
		dst = appendContour(dst, points[first:last+1], m)
		first = last + 1
	}
	return dst
}

// simplePoints decodes the flags and coordinates of a simple glyph; nil if they
// are cut short.
func simplePoints(data []byte, contours int) []glyphPoint {
	if contours == 0 || 12+2*contours > len(data) {
		return nil
	}
	n := int(u16(data, 10+2*(contours-1))) + 1
	at := 12 + 2*contours + int(u16(data, 10+2*contours))
	if n > 8*len(data)*32 { // a repeat flag stands for up to 256 points
		return nil
	}
	flags := make([]byte, 0, n)
	for len(flags) < n {
		if at >= len(data) {
			return nil
		}
		fl := data[at]
		at++
		flags = append(flags, fl)
		if fl&8 != 0 {
			if at >= len(data) {
				return nil
			}
			for range min(int(data[at]), n-len(flags)) {
				flags = append(flags, fl)
			}
			at++
		}
	}
	points := make([]glyphPoint, n)
	at, ok := coordinates(data, at, flags, 2, 16, func(i, v int) { points[i].x = v })
	if ok {
		_, ok = coordinates(data, at, flags, 4, 32, func(i, v int) { points[i].y = v })
	}
	if !ok {
		return nil
	}
	for i, fl := range flags {
		points[i].on = fl&1 != 0
	}
	return points
}

// coordinates decodes one axis: short flags one-byte steps, same flags the sign
// of a short step or a step of none.
func coordinates(data []byte, at int, flags []byte, short, same byte, set func(i, v int)) (int, bool) {
	v := 0
	for i, fl := range flags {
		switch {
		case fl&short != 0:
			if at >= len(data) {
				return at, false
			}
			if d := int(data[at]); fl&same != 0 {
				v += d
			} else {
				v -= d
			}
			at++
		case fl&same == 0:
			if at+2 > len(data) {
				return at, false
			}
			v += int(i16(data, at))
			at += 2
		}
		set(i, v)
	}
	return at, true
}

// appendContour turns points with implied ones between two controls into
// quadratic curves.
func appendContour(dst []Segment, pts []glyphPoint, m Matrix) []Segment {
	at := func(i int) Point {
		p := pts[i%len(pts)]
		return m.Apply(Point{float64(p.x), float64(p.y)})
	}
	middle := func(a, b Point) Point { return Point{(a.X + b.X) / 2, (a.Y + b.Y) / 2} }
	first := 0
	for first < len(pts) && !pts[first].on {
		first++
	}
	var start Point
	if first == len(pts) { // only controls
		first = 0
		start = middle(at(len(pts)-1), at(0))
		first--
	} else {
		start = at(first)
	}
	dst = append(dst, Segment{Op: Move, P: [3]Point{start}})
	var control Point
	open := false
	for k := 1; k <= len(pts); k++ {
		i := (first + k + len(pts)) % len(pts)
		p := at(i)
		switch {
		case pts[i].on && open:
			dst = append(dst, Segment{Op: Quad, P: [3]Point{control, p}})
			open = false
		case pts[i].on:
			dst = append(dst, Segment{Op: Line, P: [3]Point{p}})
		case open:
			dst = append(dst, Segment{Op: Quad, P: [3]Point{control, middle(control, p)}})
			control = p
		default:
			control, open = p, true
		}
	}
	if open {
		dst = append(dst, Segment{Op: Quad, P: [3]Point{control, start}})
	}
	return append(dst, Segment{Op: Close})
}
