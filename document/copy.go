package document

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// CopyNote is what makes a copy for one use (加注件, GB/T 36903-2018) of a
// published license: for whom, for what, by whom, until when, and which fields.
// The license itself stays as it is.
type CopyNote struct {
	User    string    // who may use the copy
	Purpose string    // 加注件制作事由
	Maker   string    // 加注件制作者: who had it made
	Made    time.Time // 加注件制作时间
	Until   time.Time // 加注件有效期截止时间
	Fields  []string  // keys that are shown; the holder's choice
}

// Errors of copies.
var (
	ErrCopyNote = errors.New("a copy for one use needs a user, a purpose, a maker and a term after the time it is made")
	ErrNoField  = errors.New("a copy for one use must show at least one field")
)

// maxNote bounds each text of a note, in characters (the purpose has 200 in the
// interfaces of GB/T 36906).
const maxNote = 200

// Copy returns the content of a copy for one use: the chosen fields alone, a
// watermark that says what it is for, and the four members of the metadata that
// mark it as a copy. What the metadata says of fields that were not chosen is
// left out. It is prepared and sealed like any license.
func (c Content) Copy(n CopyNote) (Content, error) {
	for _, s := range []string{n.User, n.Purpose, n.Maker} {
		if l := utf8.RuneCountInString(strings.TrimSpace(s)); l == 0 || l > maxNote {
			return Content{}, ErrCopyNote
		}
	}
	if n.Made.IsZero() || !n.Until.After(n.Made) {
		return Content{}, ErrCopyNote
	}
	held := map[string]bool{}
	shown := 0
	hidden := map[string]bool{} // values that must not stand in the metadata
	for _, k := range c.Face.Keys() {
		if slices.Contains(n.Fields, k) {
			shown++
			continue
		}
		held[k] = true
		hidden[strings.Join(c.Data.Values[k], "\n")] = true
	}
	if shown == 0 {
		return Content{}, ErrNoField
	}
	for _, k := range n.Fields {
		delete(hidden, strings.Join(c.Data.Values[k], "\n"))
	}
	delete(hidden, "")
	out := c
	out.Title += "（加注件）"
	out.Data.Withheld = held
	out.Data.Watermark = fmt.Sprintf("仅供%s用于%s　有效期至%s", n.User, n.Purpose, n.Until.In(shanghai).Format("2006-01-02 15:04"))
	out.Metadata = nil
	for _, p := range c.Metadata {
		if !hidden[p.Value] {
			out.Metadata = append(out.Metadata, p)
		}
	}
	const layout = "20060102150405"
	out.Metadata = append(out.Metadata,
		Pair{Name: "JZJZZSJ", Value: n.Made.In(shanghai).Format(layout)}, Pair{Name: "JZJZZZ", Value: n.Maker},
		Pair{Name: "JZJZZSY", Value: n.Purpose}, Pair{Name: "JZJYXQJZSJ", Value: n.Until.In(shanghai).Format(layout)})
	return out, nil
}

// shanghai is the time zone of what is printed.
var shanghai = time.FixedZone("UTC+8", 8*60*60)

// CopyOf reads the note of a copy for one use from a file's metadata; ok is
// false for a license itself.
func CopyOf(metadata []Pair) (n CopyNote, ok bool) {
	for _, p := range metadata {
		switch p.Name {
		case "JZJZZSJ":
			n.Made, _ = time.ParseInLocation("20060102150405", p.Value, shanghai)
		case "JZJZZZ":
			n.Maker = p.Value
		case "JZJZZSY":
			n.Purpose = p.Value
		case "JZJYXQJZSJ":
			n.Until, _ = time.ParseInLocation("20060102150405", p.Value, shanghai)
		default:
			continue
		}
		ok = true // any of the four: others may not write all
	}
	return n, ok
}
