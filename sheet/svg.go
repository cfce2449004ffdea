package sheet

import (
	"encoding/base64"
	"hash/crc32"
	"math"
	"slices"
	"strconv"
	"sync"
	"unicode/utf8"
)

// SVG draws the sheet. Text is drawn as outlines, so that the picture is exact
// on a machine without the fonts, and nothing in it needs a style or a script,
// so that it can stand in a page under a strict content security policy. The
// identifiers in it begin with the font's and so can't clash with another
// picture's unless they mean the same shape.
func (s *Sheet) SVG() []byte {
	b := make([]byte, 0, 64<<10)
	b = append(b, `<svg xmlns="http://www.w3.org/2000/svg" role="img" width="`...)
	b = AppendNumber(b, s.W)
	b = append(b, `mm" height="`...)
	b = AppendNumber(b, s.H)
	b = append(b, `mm" viewBox="0 0 `...)
	b = AppendNumber(b, s.W)
	b = append(b, ' ')
	b = AppendNumber(b, s.H)
	b = append(b, `"><title>`...)
	b = AppendEscaped(b, s.Title)
	b = append(b, `</title>`...)
	b = s.appendDefs(b)
	b = append(b, `<rect width="100%" height="100%" fill="#fff"/>`...)
	for _, it := range s.Items {
		clip := ClipOf(it)
		if clip != nil {
			b = clip.appendSVG(b)
		}
		switch it := it.(type) {
		case *Text:
			if it.Font != nil {
				b = it.appendSVG(b)
			} else {
				b = it.appendForeign(b)
			}
		case *Path:
			b = it.appendSVG(b)
		case *Image:
			b = it.appendSVG(b)
		}
		if clip != nil {
			b = append(b, "</g>"...)
		}
	}
	return append(b, "</svg>\n"...)
}

// appendSVG opens a group that is clipped. Its identifier is that of the shape.
func (c Clip) appendSVG(b []byte) []byte {
	d := appendPathData(nil, c)
	id := strconv.AppendUint([]byte{'c'}, uint64(crc32.ChecksumIEEE(d)), 36)
	b = append(b, `<clipPath id="`...)
	b = append(b, id...)
	b = append(b, `"><path d="`...)
	b = append(b, d...)
	b = append(b, `"/></clipPath><g clip-path="url(#`...)
	b = append(b, id...)
	return append(b, `)">`...)
}

// glyphKey is a shape a picture needs.
type glyphKey struct {
	font  *Font
	glyph GlyphID
}

// maxOutlines bounds the steps of all outlines in one picture: many glyphs of a
// damaged font may share one huge outline. A full page of Chinese takes 50,000.
const maxOutlines = 250_000

// appendDefs writes each glyph's outline once, in font units.
func (s *Sheet) appendDefs(b []byte) []byte {
	seen := map[glyphKey]bool{}
	steps := 0
	b = append(b, "<defs>"...)
	for _, it := range s.Items {
		t, ok := it.(*Text)
		if !ok || t.Font == nil {
			continue
		}
		for _, g := range t.Glyphs {
			key := glyphKey{t.Font, g}
			if seen[key] || steps > maxOutlines {
				continue
			}
			seen[key] = true
			d, n := t.Font.pathData(g)
			steps += n
			if n == 0 {
				continue
			}
			b = append(b, `<path id="`...)
			b = key.appendID(b)
			b = append(b, `" d="`...)
			b = append(b, d...)
			b = append(b, `"/>`...)
		}
	}
	return append(b, "</defs>"...)
}

// drawing is the outline of a glyph as SVG writes it.
type drawing struct {
	data  []byte
	steps int
}

// drawings are kept up to a bound: a page of Chinese has a hundred and more, most of
// them on the next too. Safe for concurrent use.
type drawings[K comparable] struct {
	mu    sync.RWMutex
	of    map[K]drawing
	bytes int
}

const maxDrawings = 8 << 20 // bytes

func (d *drawings[K]) put(k K, x drawing, size int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.bytes += size; d.bytes > maxDrawings || d.of == nil {
		d.of, d.bytes = map[K]drawing{}, size
	}
	d.of[k] = x
}

// shapes are drawings by the descriptions of their glyphs: the fonts in license files
// are cut from the same few and hold the same glyphs under other numbers.
var shapes drawings[string]

func shapeOf(description []byte) (drawing, bool) {
	shapes.mu.RLock()
	defer shapes.mu.RUnlock()
	x, known := shapes.of[string(description)]
	return x, known
}

// outlines are for outlines on their way to being drawn.
var outlines = sync.Pool{New: func() any { return new([]Segment) }}

func (f *Font) pathData(g GlyphID) (data []byte, steps int) {
	f.drawings.mu.RLock()
	d, known := f.drawings.of[g]
	f.drawings.mu.RUnlock()
	if known {
		return d.data, d.steps
	}
	description := f.glyphData(g)
	simple := len(description) > 2 && i16(description, 0) >= 0
	if simple {
		if d, known = shapeOf(description); known {
			return d.data, d.steps
		}
	}
	scratch := outlines.Get().(*[]Segment)
	budget := maxComponents
	outline := f.outline((*scratch)[:0], g, Identity, 0, &budget)
	d = drawing{appendPathData(make([]byte, 0, 9*len(outline)), outline), len(outline)}
	if *scratch = outline; cap(outline) <= maxSteps {
		outlines.Put(scratch)
	}
	if simple {
		shapes.put(string(description), d, len(description)+len(d.data)+96)
	} else { // its parts are other glyphs of this font
		f.drawings.put(g, d, len(d.data)+64)
	}
	return d.data, d.steps
}

func (k glyphKey) appendID(b []byte) []byte {
	b = append(b, k.font.id...)
	b = append(b, '-')
	return strconv.AppendUint(b, uint64(k.glyph), 36)
}

func appendColor(b []byte, c Color) []byte {
	const digits = "0123456789abcdef"
	return append(b, '#', digits[c.R>>4], digits[c.R&15], digits[c.G>>4], digits[c.G&15], digits[c.B>>4], digits[c.B&15])
}

// appendScaled writes a number that is multiplied by a font's units, with the
// decimals that takes.
func appendScaled(b []byte, v float64) []byte {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		v = 0
	}
	return strconv.AppendFloat(b, v, 'g', 8, 64)
}

func appendMatrix(b []byte, m Matrix) []byte {
	b = append(b, "matrix("...)
	for i, v := range m {
		if i > 0 {
			b = append(b, ' ')
		}
		b = appendScaled(b, v)
	}
	return append(b, ')')
}

func (t *Text) appendSVG(b []byte) []byte {
	units := float64(t.Font.unitsPerEm)
	scale := t.Size / units
	m := Matrix{scale, 0, 0, -scale, t.X, t.Y}
	if t.Matrix != nil {
		m = m.Then(*t.Matrix)
	}
	b = append(b, `<g fill="`...)
	b = appendColor(b, t.Color)
	b = t.appendBold(b, scale)
	b = appendOpacity(b, t.Opacity)
	b = append(b, `" transform="`...)
	b = appendMatrix(b, m)
	b = append(b, `">`...)
	x := 0.0
	for i, g := range t.Glyphs {
		if t.Font.HasOutline(g) {
			b = append(b, `<use href="#`...)
			b = glyphKey{t.Font, g}.appendID(b)
			if u := math.Round(x / scale); u != 0 && !math.IsInf(u, 0) && !math.IsNaN(u) {
				b = append(b, `" x="`...)
				b = strconv.AppendInt(b, int64(u), 10)
			}
			b = append(b, `"/>`...)
		}
		if i < len(t.Advances) {
			x += t.Advances[i]
		}
	}
	return append(b, "</g>"...)
}

// appendBold makes the strokes of outlines wider, which are drawn scaled.
func (t *Text) appendBold(b []byte, scale float64) []byte {
	if t.Bold <= 0 {
		return b
	}
	b = append(b, `" stroke="`...)
	b = appendColor(b, t.Color)
	b = append(b, `" stroke-linejoin="round" stroke-width="`...)
	return AppendNumber(b, t.Bold/scale)
}

func appendOpacity(b []byte, opacity float64) []byte {
	if opacity == 0 || opacity == 1 {
		return b
	}
	b = append(b, `" opacity="`...)
	return AppendNumber(b, opacity)
}

// appendForeign draws text of which the file holds no font.
func (t *Text) appendForeign(b []byte) []byte {
	b = append(b, `<text fill="`...)
	b = appendColor(b, t.Color)
	b = t.appendBold(b, 1)
	b = appendOpacity(b, t.Opacity)
	b = append(b, `" font-family="`...)
	b = AppendEscaped(b, t.Family)
	b = append(b, `, SimSun, Songti SC, serif" font-size="`...)
	b = AppendNumber(b, t.Size)
	b = append(b, `" y="`...)
	b = AppendNumber(b, t.Y)
	if t.Matrix != nil {
		b = append(b, `" transform="`...)
		b = appendMatrix(b, *t.Matrix)
	}
	b = append(b, `" x="`...)
	x := t.X
	for i := range utf8.RuneCountInString(t.Text) {
		if i > 0 {
			b = append(b, ' ')
		}
		b = AppendNumber(b, x)
		if i < len(t.Advances) {
			x += t.Advances[i]
		}
	}
	b = append(b, `">`...)
	b = AppendEscaped(b, t.Text)
	return append(b, "</text>"...)
}

func (p *Path) appendSVG(b []byte) []byte {
	if !p.Fill && !p.Stroke {
		return b
	}
	b = append(b, `<path fill="`...)
	if p.Fill {
		b = appendColor(b, p.Color)
		if p.EvenOdd {
			b = append(b, `" fill-rule="evenodd`...)
		}
	} else {
		b = append(b, "none"...)
	}
	if p.Stroke {
		b = append(b, `" stroke="`...)
		b = appendColor(b, p.Color)
		b = append(b, `" stroke-width="`...)
		b = AppendNumber(b, p.Width)
	}
	b = appendOpacity(b, p.Opacity)
	if p.Matrix != nil && *p.Matrix != Identity {
		b = append(b, `" transform="`...)
		b = appendMatrix(b, *p.Matrix)
	}
	b = append(b, `" d="`...)
	b = appendPathData(b, p.Segments)
	for _, s := range p.Strokes {
		b = appendInt(append(appendInt(append(b, 'M'), int(s.From)), ' '), int(s.Y))
		b = appendInt(append(appendInt(append(b, 'L'), int(s.To)), ' '), int(s.Y))
	}
	return append(b, `"/>`...)
}

func appendPathData(b []byte, segments []Segment) []byte {
	for _, s := range segments {
		n := 0
		switch s.Op {
		case Move:
			b, n = append(b, 'M'), 1
		case Line:
			b, n = append(b, 'L'), 1
		case Quad:
			b, n = append(b, 'Q'), 2
		case Cubic:
			b, n = append(b, 'C'), 3
		case Close:
			b = append(b, 'Z')
		}
		for i, p := range s.P[:n] {
			if i > 0 {
				b = append(b, ' ')
			}
			b = AppendNumber(b, p.X)
			b = append(b, ' ')
			b = AppendNumber(b, p.Y)
		}
	}
	return b
}

var imageTypes = []string{"image/png", "image/jpeg", "image/bmp"}

func (im *Image) appendSVG(b []byte) []byte {
	if !slices.Contains(imageTypes, im.MIME) {
		return b
	}
	b = append(b, `<image width="1" height="1" preserveAspectRatio="none" transform="`...)
	b = appendMatrix(b, im.Matrix)
	b = appendOpacity(b, im.Opacity)
	b = append(b, `" href="data:`...)
	b = append(b, im.MIME...)
	b = append(b, ";base64,"...)
	b = base64.StdEncoding.AppendEncode(b, im.Data)
	return append(b, `"/>`...)
}

// AppendEscaped writes s as the text of an XML element or attribute. What XML
// can't hold at all (control characters, broken UTF-8) becomes U+FFFD.
func AppendEscaped(b []byte, s string) []byte {
	for _, r := range s {
		switch {
		case r == '&':
			b = append(b, "&amp;"...)
		case r == '<':
			b = append(b, "&lt;"...)
		case r == '>':
			b = append(b, "&gt;"...)
		case r == '"':
			b = append(b, "&#34;"...)
		case r == '\t' || r == '\n' || r == '\r':
			b = append(b, "&#"...)
			b = strconv.AppendInt(b, int64(r), 10)
			b = append(b, ';')
		case r < 0x20 || r == 0xfffe || r == 0xffff:
			b = append(b, "\uFFFD"...)
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return b
}
