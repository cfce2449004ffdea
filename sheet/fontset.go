package sheet

import (
	"errors"
	"fmt"
	"os"
	"unicode"
)

// Style chooses a face of type.
type Style string

// The styles of a font set.
const (
	Song Style = "song" // 宋体, for documents
	Hei  Style = "hei"  // 黑体, for labels
)

// FontSet is the fonts a document is set in. Each style falls back on the other
// fonts for characters it has no outline for.
type FontSet struct {
	Song, Hei *Font
	Rare      *Font // characters of names and places the others lack; may be nil
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
	chain := [3]*Font{s.Song, s.Rare, s.Hei}
	if style == Hei {
		chain = [3]*Font{s.Hei, s.Song, s.Rare}
	}
	for _, f := range chain {
		if f == nil {
			continue
		}
		if g := f.Glyph(r); g != 0 && (f.HasOutline(g) || unicode.Is(unicode.Zs, r)) {
			return f, g, nil
		}
	}
	return nil, 0, &MissingGlyphError{r}
}

// NewFontSet parses the three fonts; rare may be nil.
func NewFontSet(song, hei, rare []byte) (*FontSet, error) {
	s := new(FontSet)
	for _, f := range []struct {
		name string
		data []byte
		into **Font
	}{{"song", song, &s.Song}, {"hei", hei, &s.Hei}, {"rare", rare, &s.Rare}} {
		if f.data == nil && f.into == &s.Rare {
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
	{"/usr/share/fonts/truetype/babelstone/BabelStoneHan.ttf", "fonts-babelstone-han"},
}

// SystemFonts reads the fonts installed on this machine: AR PL UMing, WenQuanYi
// Zen Hei and BabelStone Han. It is the only function here that touches files.
// A missing one gives an error that wraps ErrNoFonts and names its package.
func SystemFonts() (*FontSet, error) {
	var data [3][]byte
	for i, f := range systemFonts {
		b, err := os.ReadFile(f.path)
		if err != nil {
			return nil, fmt.Errorf("%w: %v (package %s)", ErrNoFonts, err, f.pkg)
		}
		data[i] = b
	}
	s, err := NewFontSet(data[0], data[1], data[2])
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoFonts, err)
	}
	return s, nil
}
