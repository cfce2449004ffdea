package face

import (
	"slices"
	"unicode"

	"elicense/sheet"
)

const (
	pt      = 25.4 / 72 // mm
	leading = 1.36      // line pitch of wrapped text, in sizes
	ascent  = 0.88      // of the ideographic box above the baseline, in sizes
	hanGap  = 0.1       // opened between a Chinese character and a Latin one, in sizes
)

// char is a character and the glyph that draws it; width in sizes.
type char struct {
	r     rune
	font  *sheet.Font
	glyph sheet.GlyphID
	width float64
}

// line is a part of a text that is set on one line.
type line struct {
	chars []char
	width float64 // in sizes
}

// setter sets text onto one sheet.
type setter struct {
	fonts *sheet.FontSet
	out   *sheet.Sheet
}

// measure finds the glyphs of s; a line feed stays as a character without one.
// Errors are *sheet.MissingGlyphError.
func (s *setter) measure(text string, style sheet.Style, spacing float64) ([]char, error) {
	chars := make([]char, 0, len(text)/2)
	for _, r := range text {
		switch r {
		case '\n':
			chars = append(chars, char{r: r})
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
		chars = append(chars, char{r, f, g, f.Advance(g) + spacing})
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
	end := func(at int) {
		lines = append(lines, newLine(chars[start:at]))
		for at < len(chars) && chars[at].r == ' ' { // blanks hang at the end of a line
			at++
		}
		start, lastBreak, w = at, at, 0
	}
	for i := 0; i < len(chars); i++ {
		c := chars[i]
		if c.r == '\n' {
			lines = append(lines, newLine(chars[start:i]))
			start, lastBreak, w = i+1, i+1, 0
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
			end(at)
			if i = start - 1; i < -1 {
				i = -1
			}
			continue
		}
		w += c.width
	}
	return append(lines, newLine(chars[start:]))
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

// style is how runs are drawn.
type style struct {
	color sheet.Color
	tag   string
	label bool
}

// setLine draws one line with its origin at (x, y), y being the baseline, and
// extra mm after each character; a text item for each run of one font.
func (s *setter) setLine(l line, x, y, size, extra float64, st style) {
	for i := 0; i < len(l.chars); {
		j := i
		for j < len(l.chars) && l.chars[j].font == l.chars[i].font {
			j++
		}
		run := l.chars[i:j]
		t := &sheet.Text{
			Font: run[0].font, Size: size, X: x, Y: y, Color: st.color, Tag: st.tag, Label: st.label,
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

// setArea sets text into its area, shrinking half a point at a time as far as
// it may. Errors are ErrOverflow or *sheet.MissingGlyphError.
func (s *setter) setArea(text string, a *Area, st style) error {
	chars, err := s.measure(text, a.Font, a.Spacing)
	if err != nil {
		return err
	}
	st.color = a.Color
	lowest := a.Size
	if a.Min > 0 {
		lowest = min(a.Min, a.Size)
	}
	for p := a.Size; p >= lowest-1e-9; p -= 0.5 {
		size := p * pt
		if !a.Wrap {
			l := newLine(chars)
			if slices.ContainsFunc(chars, func(c char) bool { return c.r == '\n' }) {
				return ErrOverflow
			}
			if l.width*size <= a.W+1e-6 {
				s.align(l, a, a.Y+a.H/2+(ascent-0.5)*size, size, st)
				return nil
			}
			continue
		}
		lines := breakLines(chars, a.W/size)
		if float64(len(lines)-1)*leading*size+size <= a.H+1e-6 {
			for i, l := range lines {
				s.align(l, a, a.Y+float64(i)*leading*size+ascent*size, size, st)
			}
			return nil
		}
	}
	return ErrOverflow
}

func (s *setter) align(l line, a *Area, y, size float64, st style) {
	x, extra, room := a.X, 0.0, a.W-l.width*size
	// The space after the last character is not part of what is seen.
	room += a.Spacing * size
	switch a.Align {
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
