package face

import (
	"slices"
	"strconv"
	"unicode"
	"unicode/utf8"

	"elicense/sheet"
)

const (
	pt      = 25.4 / 72 // mm
	leading = 1.35      // line pitch of wrapped text, in sizes
	ascent  = 0.88      // of the ideographic box above the baseline, in sizes
	hanGap  = 0.1       // opened between a Chinese character and a Latin one, in sizes
)

// char is a character and the glyph that draws it; width in sizes.
type char struct {
	r     rune
	font  *sheet.Font
	glyph sheet.GlyphID
	width float64
	tag   string // of the value it is a part of
	label bool   // it stands in the template
}

// line is a part of a text that is set on one line.
type line struct {
	chars []char
	width float64 // in sizes
	taken int     // characters of the text it stands for, with the blanks at its end
}

// setter sets text onto one sheet.
type setter struct {
	fonts *sheet.FontSet
	out   *sheet.Sheet
	seen  map[string]int // how often each tag was used, for telling places apart
	spent int            // bytes of text measured so far
}

// maxMeasured bounds the text of one license in bytes: a template may show a long
// value many times over. A full license of forty pages takes 240 KB.
const maxMeasured = 1 << 20

// place returns the tag of the next place a field is shown at: the key itself,
// then key.2, key.3 …
func (s *setter) place(key string) string {
	if s.seen == nil {
		s.seen = map[string]int{}
	}
	s.seen[key]++
	if n := s.seen[key]; n > 1 {
		return key + "." + strconv.Itoa(n)
	}
	return key
}

// measure finds the glyphs of s; a line feed stays as a character without one.
// Errors are *sheet.MissingGlyphError.
func (s *setter) measure(text string, style sheet.Style, spacing float64) ([]char, error) {
	return s.append(make([]char, 0, len(text)/2), text, style, spacing, "", false)
}

func (s *setter) append(chars []char, text string, style sheet.Style, spacing float64, tag string, label bool) ([]char, error) {
	if s.spent += len(text); s.spent > maxMeasured {
		return nil, ErrOverflow
	}
	chars = slices.Grow(chars, utf8.RuneCountInString(text))
	for _, r := range text {
		switch r {
		case '\n':
			chars = append(chars, char{r: r, tag: tag, label: label})
			continue
		case '\r':
			continue
		case '\t':
			r = ' '
		}
		f, g, err := s.fonts.Pick(style, r)
		if err != nil {
			return nil, err
		}
		if n := len(chars); n > 0 && latin(r) != latin(chars[n-1].r) && (han(r) || han(chars[n-1].r)) {
			chars[n-1].width += hanGap
		}
		chars = append(chars, char{r, f, g, f.Advance(g) + spacing, tag, label})
	}
	return chars, nil
}

func han(r rune) bool   { return r >= 0x2e80 && unicode.Is(unicode.Han, r) }
func latin(r rune) bool { return r > ' ' && r < 0x250 }

// noStart are characters that may not begin a line, noEnd those that may not end
// one (GB/T 15834-2011 5.1, 避头尾).
const (
	noStart = "，。、；：？！,.;:?!）)》〉」』】〕］]｝}”’…—·～％%‰℃°"
	noEnd   = "（(《〈「『【〔［[｛{“‘￥¥＄$№"
)

var startBan, endBan = banSet(noStart), banSet(noEnd)

func banSet(s string) map[rune]bool {
	m := map[rune]bool{}
	for _, r := range s {
		m[r] = true
	}
	return m
}

// mayBreak tells whether a line may end after a and go on with b.
func mayBreak(a, b rune) bool {
	if a == ' ' {
		return b != ' '
	}
	if b == ' ' || startBan[b] || endBan[a] {
		return false
	}
	return !(latin(a) && latin(b))
}

// breakLines fills lines of the given width, in sizes. A word that is longer
// than a line is broken anywhere, for a long number must not be lost.
func breakLines(chars []char, width float64) []line {
	var lines []line
	start, lastBreak, w := 0, 0, 0.0
	end := func(at, next int) {
		l := newLine(chars[start:at])
		l.taken = next - start
		lines = append(lines, l)
		start, lastBreak, w = next, next, 0
	}
	for i := 0; i < len(chars); i++ {
		c := &chars[i]
		if c.r == '\n' {
			end(i, i+1)
			continue
		}
		if i > start && mayBreak(chars[i-1].r, c.r) {
			lastBreak = i
		}
		if w+c.width > width+1e-9 && i > start && c.r != ' ' {
			at := lastBreak
			if at <= start {
				at = i
			}
			next := at
			for next < len(chars) && chars[next].r == ' ' { // blanks hang at the end of a line
				next++
			}
			end(at, next)
			i = start - 1
			continue
		}
		w += c.width
	}
	end(len(chars), len(chars))
	return lines
}

func newLine(chars []char) line {
	for len(chars) > 0 && chars[len(chars)-1].r == ' ' {
		chars = chars[:len(chars)-1]
	}
	l := line{chars: chars}
	for _, c := range chars {
		l.width += c.width
	}
	return l
}

// boldness is how much wider the strokes of titles are made, in sizes: between
// what Song is and what 小标宋 is cut like.
const boldness = 0.028

// style is how runs are drawn.
type style struct {
	color sheet.Color
	bold  float64 // in sizes
}

// setLine draws one line with its origin at (x, y), y being the baseline, and
// extra mm after each character; a text item for each run of one font and tag.
func (s *setter) setLine(l line, x, y, size, extra float64, st style) {
	for i := 0; i < len(l.chars); {
		j, first := i, &l.chars[i]
		for j < len(l.chars) && l.chars[j].font == first.font && l.chars[j].tag == first.tag && l.chars[j].label == first.label {
			j++
		}
		run := l.chars[i:j]
		t := &sheet.Text{
			Font: first.font, Size: size, X: x, Y: y, Color: st.color, Bold: st.bold * size, Tag: first.tag, Label: first.label,
			Glyphs: make([]sheet.GlyphID, len(run)), Advances: make([]float64, len(run)),
		}
		text := make([]rune, len(run))
		for k, c := range run {
			text[k], t.Glyphs[k] = c.r, c.glyph
			t.Advances[k] = c.width*size + extra
			x += t.Advances[k]
		}
		t.Text = string(text)
		s.out.Items = append(s.out.Items, t)
		i = j
	}
}

// setText sets characters into the box of a text, shrinking half a point at a
// time as far as it may. If not all of them fit and rest is not nil, what is
// left over is stored there after as many lines as fit, with the mark that it
// goes on at the end; without rest the error is ErrOverflow.
func (s *setter) setText(chars []char, t *Text, rest *[]char) error {
	st := style{color: t.Color}
	if t.Font == sheet.Title {
		st.bold = boldness
	}
	lowest := t.Size
	if t.Min > 0 {
		lowest = min(t.Min, t.Size)
	}
	pitch := t.Pitch
	if pitch == 0 {
		pitch = leading
	}
	for p := t.Size; p >= lowest-1e-9; p -= 0.5 {
		size := p * pt
		lines, ok := t.lines(chars, size, pitch)
		if ok {
			s.setLines(lines, t, size, pitch, st)
			return nil
		}
	}
	if rest == nil {
		return ErrOverflow
	}
	size := lowest * pt
	lines := breakLines(chars, t.At[2]/size)
	fit := int((t.At[3]-t.Lead-size)/(pitch*size)+1e-6) + 1
	fit = min(max(fit-1, 1), len(lines)) // one line for the mark
	used := 0
	for _, l := range lines[:fit] {
		used += l.taken
	}
	*rest = chars[used:]
	mark, err := s.append(nil, "（续见附页）", sheet.Hei, 0, "", true)
	if err != nil {
		return err
	}
	s.setLines(append(lines[:fit:fit], newLine(mark)), t, size, pitch, st)
	return nil
}

// lines breaks characters for the box in a size, and tells whether they fit.
func (t *Text) lines(chars []char, size, pitch float64) ([]line, bool) {
	if !t.Wrap {
		if slices.ContainsFunc(chars, func(c char) bool { return c.r == '\n' }) {
			return nil, false
		}
		l := newLine(chars)
		return []line{l}, l.width*size <= t.At[2]+t.Spacing*size+1e-6
	}
	lines := breakLines(chars, t.At[2]/size)
	height := float64(len(lines)-1)*pitch*size + size
	if len(lines) > 1 && height > t.At[3]-t.Lead && pitch > tight {
		// Two lines in a box for one may stand closer.
		height = float64(len(lines)-1)*tight*size + size
	}
	return lines, height <= t.At[3]-t.Lead+1e-6
}

// tight is the least pitch of lines, in sizes.
const tight = 1.15

func (s *setter) setLines(lines []line, t *Text, size, pitch float64, st style) {
	room := t.At[3] - t.Lead
	height := float64(len(lines)-1)*pitch*size + size
	if height > room && len(lines) > 1 {
		pitch = max(tight, (room-size)/(float64(len(lines)-1)*size))
		height = float64(len(lines)-1)*pitch*size + size
	}
	top := t.At[1] + t.Lead
	if !t.Top {
		top += (room - height) / 2
	}
	for i, l := range lines {
		s.align(l, t, top+float64(i)*pitch*size+ascent*size, size, st)
	}
}

func (s *setter) align(l line, t *Text, y, size float64, st style) {
	x, extra, room := t.At[0], 0.0, t.At[2]-l.width*size
	// The space after the last character is not part of what is seen.
	room += t.Spacing * size
	switch t.Align {
	case Center:
		x += room / 2
	case Right:
		x += room
	case Spread:
		if n := len(l.chars); n > 1 {
			extra = room / float64(n-1)
		} else {
			x += room / 2
		}
	}
	s.setLine(l, x, y, size, extra, st)
}
