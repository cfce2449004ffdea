package sheet

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"unicode"
)

// Style chooses a face of type.
type Style string

// The styles of a font set.
const (
	Song  Style = "song"  // 宋体, for values
	Hei   Style = "hei"   // 黑体, for labels
	Kai   Style = "kai"   // 楷体, for statements and what was written by hand
	Title Style = "title" // 小标宋, for titles: Song with its strokes made heavier
)

// Known tells whether s is one of the styles.
func (s Style) Known() bool { return s == Song || s == Hei || s == Kai || s == Title }

// FontSet is the fonts a document is set in. Each style falls back on the other
// fonts for characters it has no outline for. The fonts must not be exchanged
// once Pick was called. Safe for concurrent use.
type FontSet struct {
	Song, Hei *Font
	Kai       *Font // may be nil: Song stands for it
	Rare      *Font // characters of names and places the others lack; may be nil

	known [3]picks // of Song, Hei and Kai
}

// ErrNoFonts says that the Chinese fonts the platform needs are not installed.
var ErrNoFonts = errors.New("fonts for Chinese are missing")

// MissingGlyphError says that no font of a set can draw a character.
type MissingGlyphError struct{ Rune rune }

func (e *MissingGlyphError) Error() string {
	return fmt.Sprintf("no font has an outline for the character %q (U+%04X)", e.Rune, e.Rune)
}

// Pick returns the first font that draws r in the given style. A character that
// is only mapped, to an empty glyph, counts as missing unless it is a blank;
// *MissingGlyphError names it.
func (s *FontSet) Pick(style Style, r rune) (*Font, GlyphID, error) {
	chain, known := [4]*Font{s.Song, s.Rare, s.Hei}, &s.known[0]
	switch style {
	case Hei:
		chain, known = [4]*Font{s.Hei, s.Song, s.Rare}, &s.known[1]
	case Kai:
		chain, known = [4]*Font{s.Kai, s.Song, s.Rare, s.Hei}, &s.known[2]
	}
	var seen *atomic.Uint32
	if uint32(r) < 1<<16 {
		seen = known.of(r)
		if v := seen.Load(); v != 0 {
			return chain[v>>16-1], GlyphID(v), nil
		}
	}
	for i, f := range chain {
		if f == nil {
			continue
		}
		if g := f.Glyph(r); g != 0 && (f.HasOutline(g) || unicode.Is(unicode.Zs, r)) {
			if seen != nil {
				seen.Store(uint32(i+1)<<16 | uint32(g))
			}
			return f, g, nil
		}
	}
	return nil, 0, &MissingGlyphError{r}
}

// picks remembers where characters of the basic plane were found: the number of
// the font in its chain, from 1, and the glyph. It is made when it is needed.
type picks struct {
	once  sync.Once
	found *[1 << 16]atomic.Uint32
}

func (p *picks) of(r rune) *atomic.Uint32 {
	p.once.Do(func() { p.found = new([1 << 16]atomic.Uint32) })
	return &p.found[r]
}

// NewFontSet parses the fonts; kai and rare may be nil.
func NewFontSet(song, hei, kai, rare []byte) (*FontSet, error) {
	s := new(FontSet)
	for _, f := range []struct {
		name string
		data []byte
		into **Font
	}{{"song", song, &s.Song}, {"hei", hei, &s.Hei}, {"kai", kai, &s.Kai}, {"rare", rare, &s.Rare}} {
		if f.data == nil && (f.into == &s.Kai || f.into == &s.Rare) {
			continue
		}
		font, err := ParseFont(f.data)
		if err != nil {
			return nil, fmt.Errorf("%s font: %w", f.name, err)
		}
		*f.into = font
	}
	return s, nil
}

// systemFonts are where Debian and its kin install the fonts.
var systemFonts = []struct{ path, pkg string }{
	{"/usr/share/fonts/truetype/arphic/uming.ttc", "fonts-arphic-uming"},
	{"/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc", "fonts-wqy-zenhei"},
	{"/usr/share/fonts/truetype/arphic-gkai00mp/gkai00mp.ttf", "fonts-arphic-gkai00mp"},
	{"/usr/share/fonts/truetype/babelstone/BabelStoneHan.ttf", "fonts-babelstone-han"},
}

// SystemFontFiles reads the font files installed on this machine: AR PL UMing,
// WenQuanYi Zen Hei, AR PL KaitiM and BabelStone Han, in the order NewFontSet takes
// them. It is the only function here that touches files.
// A missing one gives an error that wraps ErrNoFonts and names its package.
func SystemFontFiles() (data [4][]byte, err error) {
	for i, f := range systemFonts {
		if data[i], err = readFont(f.path); err != nil {
			return data, fmt.Errorf("%w: %v (package %s)", ErrNoFonts, err, f.pkg)
		}
	}
	return data, nil
}

// SystemFonts parses the fonts installed on this machine. Errors wrap ErrNoFonts.
func SystemFonts() (*FontSet, error) {
	data, err := SystemFontFiles()
	if err != nil {
		return nil, err
	}
	s, err := NewFontSet(data[0], data[1], data[2], data[3])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoFonts, err)
	}
	LetFontsGo()
	return s, nil
}
