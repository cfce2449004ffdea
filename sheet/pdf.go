package sheet

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"
	"unicode/utf16"

	"github.com/klauspost/compress/zlib"
)

// PDFInfo is what a PDF says besides its pages.
type PDFInfo struct {
	Title   string
	Creator string    // the program that makes it
	Created time.Time // zero: not told

	// Custom are named values for the XMP packet, in the namespace PDFNamespace.
	// The names must be names of XML elements; one that occurs several times
	// becomes a list.
	Custom [][2]string

	// Labels returns the subset for the fixed texts of the pages and those marked
	// as labels; usually one made before. It may hold more than the runes, which
	// are in ascending order. nil cuts one font for labels and values together.
	Labels func(f *Font, runes []rune) (*Subset, error)
}

// PDFNamespace is the namespace of PDFInfo.Custom.
const PDFNamespace = "urn:elicense:metadata:1"

// What a PDF can't hold.
var (
	ErrPDFText  = errors.New("text without a font can't be put into a PDF")
	ErrPDFImage = errors.New("image can't be put into a PDF")
	ErrPDFLarge = errors.New("the PDF would be too large")
)

// maxPDF bounds the bytes of a file: pages of other makers may hold any number
// of fonts and images.
const maxPDF = 48 << 20

// PDF writes pages as a file of PDF 1.7 whose text can be searched and copied.
// The same pages and information give the same bytes. Errors wrap ErrPDFText,
// ErrPDFImage, ErrPDFLarge or *MissingGlyphError.
func PDF(pages []Sheet, info PDFInfo) ([]byte, error) {
	if len(pages) == 0 {
		return nil, errors.New("write PDF: no pages")
	}
	w := &pdfWriter{info: &info, out: make([]byte, 0, 64<<10), content: make([]byte, 0, 16<<10)}
	if err := w.write(pages); err != nil {
		return nil, fmt.Errorf("write PDF: %w", err)
	}
	return w.out, nil
}

// The first objects of every file.
const (
	objCatalog = 1 + iota
	objPages
	objInfo
	objMetadata
	objResources
	objFirstFree
)

type pdfWriter struct {
	info    *PDFInfo
	out     []byte
	offsets []int // of object i+1
	content []byte
	sources []*pdfSource
	images  []pdfImage
	alphas  []int // thousandths that have a graphics state
	steps   int   // of outlines drawn as paths
	state   pdfState
}

// pdfState is what the content stream has set last.
type pdfState struct {
	fill, stroke Color
	width        float64
}

// pdfSource is a font of the pages and the subsets its characters are taken
// from, the label's first.
type pdfSource struct {
	font           *Font
	labels, values []rune
	subsets        []pdfFont
}

type pdfFont struct {
	sub    *Subset
	object int // the composite font; four more objects follow it
	name   int // its number as a resource
}

type pdfImage struct {
	data   []byte
	object int
}

func (w *pdfWriter) newObject() int {
	w.offsets = append(w.offsets, 0)
	return len(w.offsets)
}

func (w *pdfWriter) begin(object int) {
	w.offsets[object-1] = len(w.out)
	w.int(object)
	w.str(" 0 obj\n")
}

func (w *pdfWriter) str(s string) { w.out = append(w.out, s...) }
func (w *pdfWriter) int(n int)    { w.out = strconv.AppendInt(w.out, int64(n), 10) }

func (w *pdfWriter) ref(object int) {
	w.int(object)
	w.str(" 0 R")
}

// stream ends an object whose dictionary is open.
func (w *pdfWriter) stream(data []byte) {
	w.str("/Length ")
	w.int(len(data))
	w.str(">>stream\n")
	w.out = append(w.out, data...)
	w.str("\nendstream endobj\n")
}

func (w *pdfWriter) write(pages []Sheet) error {
	// Bytes above 127 tell programs that move files that this is no text.
	w.str("%PDF-1.7\n%\xe6\x98\x8e\xe7\n")
	for range objFirstFree - 1 {
		w.newObject()
	}
	if err := w.gather(pages); err != nil {
		return err
	}
	var list []int
	for i := range pages {
		page, err := w.page(&pages[i])
		if err != nil {
			return err
		}
		list = append(list, page)
	}
	for _, s := range w.sources {
		for i := range s.subsets {
			w.font(s, &s.subsets[i])
		}
	}
	w.resources()
	w.begin(objPages)
	w.str("<</Type/Pages/Count ")
	w.int(len(list))
	w.str("/Kids[")
	for i, p := range list {
		if i > 0 {
			w.str(" ")
		}
		w.ref(p)
	}
	w.str("]>>endobj\n")
	if err := w.metadata(); err != nil {
		return err
	}
	w.begin(objCatalog)
	w.str("<</Type/Catalog/Pages 2 0 R/Metadata 4 0 R/Lang(zh-CN)/ViewerPreferences<</DisplayDocTitle true>>>>endobj\n")
	w.trailer()
	if len(w.out) > maxPDF {
		return ErrPDFLarge
	}
	return nil
}

func (w *pdfWriter) trailer() {
	// The identifier follows the content, so that the same content has the same.
	sum := sha256.Sum256(w.out)
	start := len(w.out)
	w.str("xref\n0 ")
	w.int(len(w.offsets) + 1)
	w.str("\n0000000000 65535 f \n")
	for _, at := range w.offsets {
		const zeros = "0000000000"
		digits := strconv.Itoa(at)
		w.str(zeros[len(digits):])
		w.str(digits)
		w.str(" 00000 n \n")
	}
	w.str("trailer\n<</Size ")
	w.int(len(w.offsets) + 1)
	w.str("/Root 1 0 R/Info 3 0 R/ID[")
	for range 2 {
		w.out = append(w.out, '<')
		w.out = appendHex(w.out, sum[:16])
		w.out = append(w.out, '>')
	}
	w.str("]>>\nstartxref\n")
	w.int(start)
	w.str("\n%%EOF\n")
}

func appendHex(b, data []byte) []byte {
	const digits = "0123456789abcdef"
	for _, c := range data {
		b = append(b, digits[c>>4], digits[c&15])
	}
	return b
}

// appendUTF16 writes a string of text.
func appendUTF16(b []byte, s string) []byte {
	b = append(b, "<feff"...)
	for _, r := range s {
		b = appendUnits(b, r)
	}
	return append(b, '>')
}

// appendUnits writes a character in hexadecimal UTF-16.
func appendUnits(b []byte, r rune) []byte {
	if r > 0xffff {
		hi, lo := utf16.EncodeRune(r)
		b = appendHex(b, []byte{byte(hi >> 8), byte(hi)})
		r = lo
	}
	return appendHex(b, []byte{byte(r >> 8), byte(r)})
}

// appendReal writes a number of a matrix, without the exponent PDF lacks.
func appendReal(b []byte, v float64) []byte {
	if math.IsNaN(v) || math.Abs(v) > 1e9 {
		return append(b, '0')
	}
	return strconv.AppendFloat(b, math.Round(v*1e7)/1e7, 'f', -1, 64)
}

// gather collects the characters set in each font, cuts the fonts and gives them
// their objects.
func (w *pdfWriter) gather(pages []Sheet) error {
	for i := range pages {
		fixed := pages[i].Fixed
		for k, it := range pages[i].Items {
			t, ok := it.(*Text)
			if !ok {
				continue
			}
			if t.Font == nil {
				return fmt.Errorf("%w: %.20q", ErrPDFText, t.Text)
			}
			if !t.mapped() {
				continue
			}
			s := w.source(t.Font)
			if s == nil {
				s = &pdfSource{font: t.Font}
				w.sources = append(w.sources, s)
			}
			into := &s.values
			if (k < fixed || t.Label) && w.info.Labels != nil {
				into = &s.labels
			}
			for _, r := range t.Text {
				*into = append(*into, r)
			}
		}
	}
	name := 0
	for _, s := range w.sources {
		if err := s.cut(w.info.Labels); err != nil {
			return err
		}
		for i := range s.subsets {
			name++
			s.subsets[i].name, s.subsets[i].object = name, w.newObject()
			for range 4 {
				w.newObject()
			}
		}
	}
	return nil
}

func (w *pdfWriter) source(f *Font) *pdfSource {
	for _, s := range w.sources {
		if s.font == f {
			return s
		}
	}
	return nil
}

func (s *pdfSource) cut(labels func(*Font, []rune) (*Subset, error)) error {
	if len(s.labels) > 0 {
		slices.Sort(s.labels)
		sub, err := labels(s.font, slices.Compact(s.labels))
		if err != nil {
			return err
		}
		s.subsets = append(s.subsets, pdfFont{sub: sub})
		s.values = slices.DeleteFunc(s.values, func(r rune) bool { return sub.Glyph(r) != 0 })
	}
	if len(s.values) > 0 {
		slices.Sort(s.values)
		sub, err := s.font.Subset(slices.Compact(s.values), "ELicenseText")
		if err != nil {
			return err
		}
		s.subsets = append(s.subsets, pdfFont{sub: sub})
	}
	return nil
}

// mapped tells whether the glyphs of a run are those its font maps the
// characters to. Runs of other makers may not be; they are drawn as paths.
func (t *Text) mapped() bool {
	i := 0
	for _, r := range t.Text {
		if i >= len(t.Glyphs) {
			return i == 0
		}
		if g := t.Glyphs[i]; g == 0 || g != t.Font.Glyph(r) {
			return false
		}
		i++
	}
	return true
}

const pointsPerMM = 72 / 25.4

// page writes a page with its content and returns its object.
func (w *pdfWriter) page(s *Sheet) (int, error) {
	w.state = pdfState{width: 1}
	b := append(w.content[:0], "4 M "...) // mitres as long as SVG's
	b = appendCM(b, Matrix{pointsPerMM, 0, 0, -pointsPerMM, 0, s.H * pointsPerMM})
	for _, it := range s.Items {
		var err error
		before, clip := w.state, ClipOf(it)
		if clip != nil {
			b = append(b, "q "...)
			b = appendPDFPath(b, clip)
			b = append(b, "W n\n"...)
		}
		switch it := it.(type) {
		case *Text:
			b, err = w.text(b, it)
		case *Path:
			b = w.path(b, it)
		case *Image:
			b, err = w.image(b, it)
		}
		if clip != nil {
			b = append(b, "Q\n"...)
			w.state = before
		}
		if err != nil {
			return 0, err
		}
		if len(b)+len(w.out) > maxPDF {
			return 0, ErrPDFLarge
		}
	}
	w.content = b
	page, content := w.newObject(), w.newObject()
	w.begin(content)
	w.str("<</Filter/FlateDecode")
	d := zip(b)
	w.stream(d.buf.Bytes())
	d.free()
	w.begin(page)
	w.str("<</Type/Page/Parent 2 0 R/Resources 5 0 R/MediaBox[0 0 ")
	w.out = AppendNumber(w.out, s.W*pointsPerMM)
	w.str(" ")
	w.out = AppendNumber(w.out, s.H*pointsPerMM)
	w.str("]/Contents ")
	w.ref(content)
	w.str(">>endobj\n")
	return page, nil
}

// zipper is a zlib writer with its buffer, pooled.
type zipper struct {
	buf bytes.Buffer
	w   *zlib.Writer
}

var zippers = sync.Pool{New: func() any {
	d := new(zipper)
	d.w, _ = zlib.NewWriterLevel(&d.buf, 5) // the level is valid
	return d
}}

// free gives a zipper back when what is in its buffer was used.
func (d *zipper) free() {
	if d.buf.Cap() <= 1<<20 { // images are seldom
		zippers.Put(d)
	}
}

// zip packs data; the caller frees the zipper.
func zip(data []byte) *zipper {
	d := zippers.Get().(*zipper)
	d.buf.Reset()
	d.w.Reset(&d.buf)
	d.w.Write(data) // a bytes.Buffer takes everything
	d.w.Close()
	return d
}

func appendCM(b []byte, m Matrix) []byte {
	for _, v := range m {
		b = appendReal(b, v)
		b = append(b, ' ')
	}
	return append(b, "cm\n"...)
}

// enter opens a state of its own for an object that is turned, see-through or
// told to; the function returned closes it.
func (w *pdfWriter) enter(b []byte, m *Matrix, opacity float64, always bool) ([]byte, bool) {
	turned := m != nil && *m != Identity
	clear := opacity > 0 && opacity < 1
	if !turned && !clear && !always {
		return b, false
	}
	b = append(b, "q "...)
	if clear {
		n := int(math.Round(opacity * 1000))
		if !slices.Contains(w.alphas, n) {
			w.alphas = append(w.alphas, n)
		}
		b = append(b, "/G"...)
		b = strconv.AppendInt(b, int64(n), 10)
		b = append(b, " gs "...)
	}
	if turned {
		b = appendCM(b, *m)
	}
	return b, true
}

func (w *pdfWriter) fill(b []byte, c Color) []byte {
	if w.state.fill == c {
		return b
	}
	w.state.fill = c
	b = appendRGB(b, c)
	return append(b, "rg\n"...)
}

func (w *pdfWriter) stroke(b []byte, c Color, width float64) []byte {
	if w.state.stroke != c {
		w.state.stroke = c
		b = appendRGB(b, c)
		b = append(b, "RG\n"...)
	}
	if w.state.width != width {
		w.state.width = width
		b = AppendNumber(b, width)
		b = append(b, " w\n"...)
	}
	return b
}

func appendRGB(b []byte, c Color) []byte {
	for _, v := range []uint8{c.R, c.G, c.B} {
		b = AppendNumber(b, float64(v)/255)
		b = append(b, ' ')
	}
	return b
}

func (w *pdfWriter) path(b []byte, p *Path) []byte {
	stroke := p.Stroke && p.Width > 0
	if !p.Fill && !stroke {
		return b
	}
	before := w.state
	b, inside := w.enter(b, p.Matrix, p.Opacity, false)
	if p.Fill {
		b = w.fill(b, p.Color)
	}
	if stroke {
		b = w.stroke(b, p.Color, p.Width)
	}
	b = appendPDFPath(b, p.Segments)
	for _, s := range p.Strokes {
		b = append(appendInt(append(appendInt(b, int(s.From)), ' '), int(s.Y)), " m\n"...)
		b = append(appendInt(append(appendInt(b, int(s.To)), ' '), int(s.Y)), " l\n"...)
	}
	switch {
	case p.Fill && stroke:
		b = append(b, 'B')
	case p.Fill:
		b = append(b, 'f')
	default:
		b = append(b, 'S')
	}
	if p.Fill && p.EvenOdd {
		b = append(b, '*')
	}
	b = append(b, '\n')
	if inside {
		b = append(b, "Q\n"...)
		w.state = before
	}
	return b
}

// appendPDFPath writes steps; PDF has no quadratic curves and wants a beginning.
func appendPDFPath(b []byte, segments []Segment) []byte {
	var at, start Point
	open := false
	point := func(p Point) {
		b = AppendNumber(b, p.X)
		b = append(b, ' ')
		b = AppendNumber(b, p.Y)
		b = append(b, ' ')
	}
	for i := range segments {
		s := &segments[i]
		if s.Op != Move && !open {
			if s.Op == Close {
				continue
			}
			point(at)
			b = append(b, "m\n"...)
			start, open = at, true
		}
		switch s.Op {
		case Move:
			point(s.P[0])
			b = append(b, "m\n"...)
			at, start, open = s.P[0], s.P[0], true
		case Line:
			point(s.P[0])
			b = append(b, "l\n"...)
			at = s.P[0]
		case Quad:
			c, p := s.P[0], s.P[1]
			point(Point{at.X + (c.X-at.X)*2/3, at.Y + (c.Y-at.Y)*2/3})
			point(Point{p.X + (c.X-p.X)*2/3, p.Y + (c.Y-p.Y)*2/3})
			point(p)
			b = append(b, "c\n"...)
			at = p
		case Cubic:
			point(s.P[0])
			point(s.P[1])
			point(s.P[2])
			b = append(b, "c\n"...)
			at = s.P[2]
		case Close:
			b = append(b, "h\n"...)
			at, open = start, false
		}
	}
	return b
}

func (w *pdfWriter) text(b []byte, t *Text) ([]byte, error) {
	if t.Font == nil {
		return b, fmt.Errorf("%w: %.20q", ErrPDFText, t.Text)
	}
	before := w.state
	b, inside := w.enter(b, t.Matrix, t.Opacity, t.Bold > 0)
	b = w.fill(b, t.Color)
	var err error
	if t.mapped() {
		if t.Bold > 0 {
			b = w.stroke(b, t.Color, t.Bold)
			b = append(b, "1 j 2 Tr\n"...)
		}
		b, err = w.run(b, t)
	} else {
		b, err = w.outlines(b, t)
	}
	if inside {
		b = append(b, "Q\n"...)
		w.state = before
	}
	return b, err
}

// run shows a run's characters, each at its place to a ten-thousandth of the
// size.
func (w *pdfWriter) run(b []byte, t *Text) ([]byte, error) {
	source := w.source(t.Font)
	b = append(b, "BT 1 0 0 -1 "...)
	b = AppendNumber(b, t.X)
	b = append(b, ' ')
	b = AppendNumber(b, t.Y)
	b = append(b, " Tm"...)
	var in *pdfFont
	var off float64 // how far the pen is beyond its place, in thousandths of the size
	i := 0
	for _, r := range t.Text {
		f, g := source.find(r)
		if f == nil {
			return b, &MissingGlyphError{r}
		}
		if f != in {
			if in != nil {
				b = append(b, ">]TJ"...)
			}
			b = append(b, "/F"...)
			b = strconv.AppendInt(b, int64(f.name), 10)
			b = append(b, ' ')
			b = AppendNumber(b, t.Size)
			b = append(b, " Tf[<"...)
			in = f
		}
		if math.Abs(off) >= 0.1 && math.Abs(off) < 1e6 {
			b = append(b, '>')
			b = AppendNumber(b, off)
			b = append(b, '<')
			off = 0
		}
		b = appendHex(b, []byte{byte(g >> 8), byte(g)})
		off += pdfWidth(t.Font, r)
		if i < len(t.Advances) && t.Size > 0 {
			off -= 1000 * t.Advances[i] / t.Size
		}
		i++
	}
	if in != nil {
		b = append(b, ">]TJ"...)
	}
	return append(b, " ET\n"...), nil
}

func (s *pdfSource) find(r rune) (*pdfFont, GlyphID) {
	for i := range s.subsets {
		if g := s.subsets[i].sub.Glyph(r); g != 0 {
			return &s.subsets[i], g
		}
	}
	return nil, 0
}

// pdfWidth is a character's width in thousandths of the size, as it is written.
func pdfWidth(f *Font, r rune) float64 {
	return math.Round(1e6*f.Advance(f.Glyph(r))) / 1000
}

// outlines draws the glyphs of a run as paths.
func (w *pdfWriter) outlines(b []byte, t *Text) ([]byte, error) {
	scale := t.Size / float64(t.Font.unitsPerEm)
	x := t.X
	for i, g := range t.Glyphs {
		outline := t.Font.Outline(g)
		if w.steps += len(outline); w.steps > maxOutlines/2 { // with curves of three points
			return b, ErrPDFLarge
		}
		if len(outline) > 0 {
			b = append(b, "q "...)
			b = appendCM(b, Matrix{scale, 0, 0, -scale, x, t.Y})
			if t.Bold > 0 && scale > 0 {
				b = appendRGB(b, t.Color)
				b = append(b, "RG 1 j "...)
				b = AppendNumber(b, t.Bold/scale)
				b = append(b, " w\n"...)
				b = appendPDFPath(b, outline)
				b = append(b, "B Q\n"...)
			} else {
				b = appendPDFPath(b, outline)
				b = append(b, "f Q\n"...)
			}
		}
		if i < len(t.Advances) {
			x += t.Advances[i]
		}
	}
	return b, nil
}

// font writes the five objects of a subset (ISO 32000-1 9.7).
func (w *pdfWriter) font(s *pdfSource, f *pdfFont) {
	sub := f.sub
	w.begin(f.object)
	w.str("<</Type/Font/Subtype/Type0/Encoding/Identity-H/BaseFont")
	w.fontName(sub)
	w.str("/DescendantFonts[")
	w.ref(f.object + 1)
	w.str("]/ToUnicode ")
	w.ref(f.object + 4)
	w.str(">>endobj\n")

	w.begin(f.object + 1)
	w.str("<</Type/Font/Subtype/CIDFontType2/CIDToGIDMap/Identity/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>/BaseFont")
	w.fontName(sub)
	w.str("/DW 1000/W[")
	inside := false
	for i, r := range sub.runes {
		width := pdfWidth(s.font, r)
		if width == 1000 {
			if inside {
				w.str("]")
			}
			inside = false
			continue
		}
		if !inside {
			w.int(i + 1)
			w.str("[")
		} else {
			w.str(" ")
		}
		inside = true
		w.out = AppendNumber(w.out, width)
	}
	if inside {
		w.str("]")
	}
	w.str("]/FontDescriptor ")
	w.ref(f.object + 2)
	w.str(">>endobj\n")

	w.begin(f.object + 2)
	w.str("<</Type/FontDescriptor/FontName")
	w.fontName(sub)
	w.str("/Flags 4/ItalicAngle 0/StemV 80/FontBBox[")
	for i := range 4 {
		w.int(1000 * int(i16(s.font.head, 36+2*i)) / s.font.unitsPerEm)
		w.str(" ")
	}
	w.str("]/Ascent ")
	w.int(1000 * s.font.ascent / s.font.unitsPerEm)
	w.str("/Descent ")
	w.int(-1000 * s.font.descent / s.font.unitsPerEm)
	w.str("/CapHeight ")
	w.int(1000 * s.font.ascent / s.font.unitsPerEm)
	w.str("/FontFile2 ")
	w.ref(f.object + 3)
	w.str(">>endobj\n")

	w.begin(f.object + 3)
	w.str("<</Filter/FlateDecode/Length1 ")
	w.int(len(sub.Data))
	w.stream(sub.zlib())

	w.begin(f.object + 4)
	w.str("<</Filter/FlateDecode")
	d := zip(toUnicode(sub.runes))
	w.stream(d.buf.Bytes())
	d.free()
}

// zlib returns the font packed for a PDF, which is done once for each subset. PDF
// files are seldom and may take their time to be small.
func (s *Subset) zlib() []byte {
	s.packPDF.Do(func() {
		d := zip(s.Data)
		s.packedPDF = bytes.Clone(d.buf.Bytes())
		d.free()
	})
	return s.packedPDF
}

// fontName writes a subset's name after the six letters PDF wants before it.
func (w *pdfWriter) fontName(s *Subset) {
	w.str("/")
	sum := crc32.ChecksumIEEE(s.Data)
	for range 6 {
		w.out = append(w.out, 'A'+byte(sum%26))
		sum /= 26
	}
	w.str("+")
	for _, c := range []byte(s.Name) {
		if c <= ' ' || c > '~' || bytes.IndexByte([]byte("()<>[]{}/%#"), c) >= 0 {
			c = '-'
		}
		w.out = append(w.out, c)
	}
}

// toUnicode maps the glyphs back to characters, for searching and copying.
func toUnicode(runes []rune) []byte {
	b := make([]byte, 0, 512+14*len(runes))
	b = append(b, "/CIDInit/ProcSet findresource begin 12 dict begin begincmap\n"+
		"/CIDSystemInfo<</Registry(Adobe)/Ordering(UCS)/Supplement 0>>def\n"+
		"/CMapName/Adobe-Identity-UCS def/CMapType 2 def\n1 begincodespacerange<0000><ffff>endcodespacerange\n"...)
	for i := 0; i < len(runes); i += 100 { // no more in one list (ISO 32000-1 9.10.3)
		end := min(i+100, len(runes))
		b = strconv.AppendInt(b, int64(end-i), 10)
		b = append(b, " beginbfchar\n"...)
		for j := i; j < end; j++ {
			b = append(b, '<')
			b = appendHex(b, []byte{byte((j + 1) >> 8), byte(j + 1)})
			b = append(b, "><"...)
			b = appendUnits(b, runes[j])
			b = append(b, ">\n"...)
		}
		b = append(b, "endbfchar\n"...)
	}
	return append(b, "endcmap CMapName currentdict/CMap defineresource pop end end\n"...)
}

func (w *pdfWriter) resources() {
	w.begin(objResources)
	w.str("<</Font<<")
	for _, s := range w.sources {
		for _, f := range s.subsets {
			w.str("/F")
			w.int(f.name)
			w.str(" ")
			w.ref(f.object)
		}
	}
	w.str(">>/XObject<<")
	for i, im := range w.images {
		w.str("/I")
		w.int(i + 1)
		w.str(" ")
		w.ref(im.object)
	}
	w.str(">>/ExtGState<<")
	for _, n := range w.alphas {
		w.str("/G")
		w.int(n)
		w.str("<</ca ")
		w.out = AppendNumber(w.out, float64(n)/1000)
		w.str("/CA ")
		w.out = AppendNumber(w.out, float64(n)/1000)
		w.str(">>")
	}
	w.str(">>>>endobj\n")
}

// metadata writes the document information and the XMP packet.
func (w *pdfWriter) metadata() error {
	w.begin(objInfo)
	w.str("<</Title")
	w.out = appendUTF16(w.out, w.info.Title)
	w.str("/Creator")
	w.out = appendUTF16(w.out, w.info.Creator)
	w.str("/Producer")
	w.out = appendUTF16(w.out, w.info.Creator)
	if !w.info.Created.IsZero() {
		w.str("/CreationDate(")
		w.out = w.info.Created.UTC().AppendFormat(w.out, "D:20060102150405Z")
		w.str(")")
	}
	w.str(">>endobj\n")

	b := make([]byte, 0, 4096)
	b = append(b, "<?xpacket begin=\"\ufeff\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n"+
		`<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">`+
		`<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:pdf="http://ns.adobe.com/pdf/1.3/" xmlns:lic="`+PDFNamespace+`">`+
		"\n<dc:format>application/pdf</dc:format>\n<dc:language><rdf:Bag><rdf:li>zh-CN</rdf:li></rdf:Bag></dc:language>\n"+
		`<dc:title><rdf:Alt><rdf:li xml:lang="x-default">`...)
	b = AppendEscaped(b, w.info.Title)
	b = append(b, "</rdf:li></rdf:Alt></dc:title>\n<xmp:CreatorTool>"...)
	b = AppendEscaped(b, w.info.Creator)
	b = append(b, "</xmp:CreatorTool>\n<pdf:Producer>"...)
	b = AppendEscaped(b, w.info.Creator)
	b = append(b, "</pdf:Producer>\n"...)
	if !w.info.Created.IsZero() {
		b = append(b, "<xmp:CreateDate>"...)
		b = w.info.Created.UTC().AppendFormat(b, time.RFC3339)
		b = append(b, "</xmp:CreateDate>\n"...)
	}
	b, err := appendCustom(b, w.info.Custom)
	if err != nil {
		return err
	}
	b = append(b, "</rdf:Description></rdf:RDF></x:xmpmeta>\n<?xpacket end=\"r\"?>"...)
	w.begin(objMetadata)
	w.str("<</Type/Metadata/Subtype/XML")
	w.stream(b)
	return nil
}

func appendCustom(b []byte, pairs [][2]string) ([]byte, error) {
	// The values of one name stand together, for XMP knows a name only once.
	sorted := slices.Clone(pairs)
	slices.SortStableFunc(sorted, func(x, y [2]string) int { return cmp.Compare(x[0], y[0]) })
	for i := 0; i < len(sorted); {
		name := sorted[i][0]
		if !ElementName(name) {
			return b, fmt.Errorf("metadata %.20q can't name an element", name)
		}
		end := i + 1
		for end < len(sorted) && sorted[end][0] == name {
			end++
		}
		b = append(b, "<lic:"...)
		b = append(b, name...)
		b = append(b, '>')
		if end-i == 1 {
			b = AppendEscaped(b, sorted[i][1])
		} else {
			b = append(b, "<rdf:Seq>"...)
			for ; i < end; i++ {
				b = append(b, "<rdf:li>"...)
				b = AppendEscaped(b, sorted[i][1])
				b = append(b, "</rdf:li>"...)
			}
			b = append(b, "</rdf:Seq>"...)
		}
		i = end
		b = append(b, "</lic:"...)
		b = append(b, name...)
		b = append(b, ">\n"...)
	}
	return b, nil
}

// ElementName tells whether s can be the name of an XML element as it is, in
// letters of ASCII.
func ElementName(s string) bool {
	for i, r := range s {
		letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || r != '-' && r != '.' && (r < '0' || r > '9')) {
			return false
		}
	}
	return s != ""
}
