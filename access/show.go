package access

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"elicense"
)

// Class says how a field of a license is protected.
type Class string

// The classes of fields.
const (
	Open      Class = "N" // may be shown on a page of verification
	Business  Class = "B" // may hold a business secret
	Personal  Class = "P" // personal information
	Sensitive Class = "S" // sensitive personal information (个人信息保护法 28)
)

// Project keeps the fields a matter needs, in the order it names them; what is
// not named is not shown. Art. 13(2).
func Project(fields map[string]string, needed []string) map[string]string {
	out := make(map[string]string, len(needed))
	for _, k := range needed {
		if v, ok := fields[k]; ok {
			out[k] = v
		}
	}
	return out
}

// MaskName hides all of a name but its first and last character: 陈*例, and
// *例 for names of two characters. Names of organizations are public.
func MaskName(name string) string {
	r := []rune(name)
	switch n := len(r); {
	case n <= 1:
		return strings.Repeat("*", n)
	case n == 2:
		return "*" + string(r[1])
	default:
		return string(r[0]) + strings.Repeat("*", n-2) + string(r[n-1])
	}
}

// MaskHolder is a holder as lists show him: of a person the name and the code are
// masked; those of organizations are public. A reference whose kind of code is not
// known counts as a person.
func MaskHolder(h elicense.HolderRef) elicense.HolderRef {
	if !h.CodeType.Organization() {
		h.Name, h.Code = MaskName(h.Name), MaskCode(h.Code, 6, 4)
	}
	return h
}

// identity finds what reads like a citizen's number, alone or with the digits that
// some licenses add to it.
var identity = regexp.MustCompile(`[1-9]\d{5}(18|19|20)\d{2}(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])\d{3}[\dXx]`)

// MaskNumber is the number of a license as lists show it: some licenses are numbered
// by the identity number of their holder, of which the first six and last four
// characters stay.
func MaskNumber(number string) string {
	return identity.ReplaceAllStringFunc(number, func(s string) string { return MaskCode(s, 6, 4) })
}

// MaskCode keeps the first head and the last tail characters of a code; a code
// too short for both is hidden whole. Desks use 6 and 4, shared screens 1 and 1.
func MaskCode(code string, head, tail int) string {
	n := utf8.RuneCountInString(code)
	if n <= head+tail {
		return strings.Repeat("*", n)
	}
	r := []rune(code)
	return string(r[:head]) + strings.Repeat("*", n-head-tail) + string(r[n-tail:])
}

// MaskField hides most of a sensitive field until it is asked for in full: of a
// code the first six and last four characters stay, of a plate two and two, of
// other texts the first and last; a picture is left out. Lines are masked one by
// one.
func MaskField(typ, value string) string {
	lines := strings.Split(value, "\n")
	for i, l := range lines {
		switch typ {
		case "image":
			lines[i] = ""
		case "idno", "uscc":
			lines[i] = MaskCode(l, 6, 4)
		case "plate":
			lines[i] = MaskCode(l, 2, 2)
		default:
			lines[i] = MaskCode(l, 1, 1)
		}
	}
	return strings.Join(lines, "\n")
}
