package seal

import (
	"encoding/asn1"
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// errDER says that a structure does not have the shape its standard gives it.
var errDER = errors.New("not the structure expected")

func shapeError(what string) error { return fmt.Errorf("%w: %s", errDER, what) }

// element is one value of DER as it was read: re-encoding a structure may change
// its bytes (a Boolean of its default value is the usual case), and what was
// signed are the bytes.
type element struct {
	tag  cbasn1.Tag
	full []byte // with tag and length
	body []byte
}

// maxElements bounds the members of one structure.
const maxElements = 256

// split reads the values that follow each other in der, to its end.
func split(der []byte) ([]element, error) {
	var list []element
	for s := cryptobyte.String(der); !s.Empty(); {
		var full, body cryptobyte.String
		var tag cbasn1.Tag
		if len(list) >= maxElements || !s.ReadAnyASN1Element(&full, &tag) {
			return nil, errDER
		}
		inner := full
		if !inner.ReadAnyASN1(&body, &tag) {
			return nil, errDER
		}
		list = append(list, element{tag, full, body})
	}
	return list, nil
}

// members reads the one SEQUENCE that der is and returns what is in it.
func members(der []byte) ([]element, error) {
	list, err := split(der)
	if err != nil || len(list) != 1 || list[0].tag != cbasn1.SEQUENCE {
		return nil, shapeError("not one SEQUENCE")
	}
	return split(list[0].body)
}

// tags of the members a structure is checked against.
const (
	tInt    = cbasn1.INTEGER
	tOctets = cbasn1.OCTET_STRING
	tBits   = cbasn1.BIT_STRING
	tOID    = cbasn1.OBJECT_IDENTIFIER
	tSeq    = cbasn1.SEQUENCE
	tSet    = cbasn1.SET
	tUTF8   = cbasn1.UTF8String
	tIA5    = cbasn1.IA5String
	tUTC    = cbasn1.UTCTime
	tGen    = cbasn1.GeneralizedTime
	tBool   = cbasn1.BOOLEAN
	tAny    = cbasn1.Tag(0)
)

// Context-specific tags: explicit, and of a primitive type implicit.
var (
	tContext0         = cbasn1.Tag(0).ContextSpecific().Constructed()
	tContext1         = cbasn1.Tag(1).ContextSpecific().Constructed()
	tContext0Implicit = cbasn1.Tag(0).ContextSpecific()
)

// begins tells whether the members begin with these tags; tAny stands for any.
func begins(list []element, tags ...cbasn1.Tag) bool {
	if len(list) < len(tags) {
		return false
	}
	for i, t := range tags {
		if t != tAny && list[i].tag != t {
			return false
		}
	}
	return true
}

func (e element) int() (int, error) {
	var n int
	s := cryptobyte.String(e.full)
	if !s.ReadASN1Integer(&n) {
		return 0, shapeError("INTEGER")
	}
	return n, nil
}

// text returns the content of a string of any type.
func (e element) text() string { return strings.ToValidUTF8(string(e.body), "\uFFFD") }

// bits returns the octets of a BIT STRING without unused bits.
func (e element) bits() ([]byte, error) {
	if e.tag != tBits || len(e.body) < 1 || e.body[0] != 0 {
		return nil, shapeError("BIT STRING of octets")
	}
	return e.body[1:], nil
}

// taggedBits returns the octets of a [0] BIT STRING. The standard leaves open
// whether the tag is explicit.
func (e element) taggedBits() ([]byte, error) {
	switch e.tag {
	case tContext0:
		if list, err := split(e.body); err == nil && len(list) == 1 {
			return list[0].bits()
		}
	case tContext0Implicit:
		return element{tag: tBits, body: e.body}.bits()
	}
	return nil, shapeError("[0] BIT STRING")
}

// Extension is data a seal or a signature carries beyond the standard's (ExtData).
type Extension struct {
	OID      string
	Critical bool // a reader that does not know it must refuse
	Value    []byte
}

// extensions reads ExtensionDatas, which stand untagged in real seals and under
// [0] in real signatures.
func (e element) extensions() ([]Extension, error) {
	list, err := split(e.body)
	if err != nil || e.tag != tSeq && e.tag != tContext0 {
		return nil, shapeError("ExtensionDatas")
	}
	if e.tag == tContext0 && len(list) == 1 && list[0].tag == tSeq {
		inner, err := split(list[0].body)
		if err != nil {
			return nil, shapeError("ExtensionDatas")
		}
		if len(inner) == 0 || inner[0].tag == tSeq { // explicit: the list is inside
			list = inner
		}
	}
	out := make([]Extension, len(list))
	for i, x := range list {
		m, err := split(x.body)
		if err != nil || x.tag != tSeq || len(m) < 2 {
			return nil, shapeError("ExtData")
		}
		out[i].OID = m[0].oid()
		// DER leaves a FALSE out; real ones have it.
		if len(m) == 3 && m[1].tag == tBool && len(m[1].body) == 1 && (m[1].body[0] == 0 || m[1].body[0] == 0xff) {
			out[i].Critical = m[1].body[0] != 0
			m = append(m[:1:1], m[2])
		}
		if len(m) != 2 || m[0].tag != tOID || out[i].OID == "" || m[1].tag != tOctets {
			return nil, shapeError("ExtData")
		}
		out[i].Value = m[1].body
	}
	return out, nil
}

func (e element) oid() string {
	var oid asn1.ObjectIdentifier
	s := cryptobyte.String(e.full)
	if !s.ReadASN1ObjectIdentifier(&oid) {
		return ""
	}
	return oid.String()
}

// time reads a UTCTime or a GeneralizedTime.
func (e element) time() (time.Time, error) {
	var t time.Time
	s := cryptobyte.String(e.full)
	if e.tag == tGen && s.ReadASN1GeneralizedTime(&t) || e.tag == tUTC && s.ReadASN1UTCTime(&t) {
		return t.UTC(), nil
	}
	return t, shapeError("time")
}

// sequence writes a SEQUENCE of values already encoded.
func sequence(parts ...[]byte) []byte {
	size := derHead
	for _, p := range parts {
		size += len(p)
	}
	b := cryptobyte.NewBuilder(make([]byte, 0, size))
	b.AddASN1(tSeq, func(b *cryptobyte.Builder) {
		for _, p := range parts {
			b.AddBytes(p)
		}
	})
	return b.BytesOrPanic() // only a value over 4 GB could fail
}

// derHead is what tag and length take at most, of values below 4 GB.
const derHead = 6

func encode(tag cbasn1.Tag, body []byte) []byte {
	b := cryptobyte.NewBuilder(make([]byte, 0, derHead+len(body)))
	b.AddASN1(tag, func(b *cryptobyte.Builder) { b.AddBytes(body) })
	return b.BytesOrPanic()
}

func encodeInt(n int) []byte {
	var b cryptobyte.Builder
	b.AddASN1Int64(int64(n))
	return b.BytesOrPanic()
}

func encodeBits(octets []byte) []byte {
	var b cryptobyte.Builder
	b.AddASN1BitString(octets)
	return b.BytesOrPanic()
}

// encodeTime writes a GeneralizedTime in UTC, whole seconds.
func encodeTime(t time.Time) []byte {
	return encode(tGen, []byte(t.UTC().Format("20060102150405Z")))
}

// The object identifiers used (GM/T 0006-2012, GB/T 35275-2017).
const (
	oidSM2SM3        = "1.2.156.10197.1.501"
	oidSM2Sign       = "1.2.156.10197.1.301.1"
	oidSM3           = "1.2.156.10197.1.401"
	oidSignedData    = "1.2.156.10197.6.1.4.2.2"
	oidMessageDigest = "1.2.840.113549.1.9.4"
	oidSigningTime   = "1.2.840.113549.1.9.5"
	oidTimeStamp     = "1.2.840.113549.1.9.16.2.14" // of a SignerInfo, RFC 3161 A
)

// sm2sm3OID is oidSM2SM3 encoded.
var sm2sm3OID = []byte{0x06, 0x08, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x83, 0x75}

// derSignature returns an SM2 signature as DER. Some makers write the bare
// numbers r and s, 32 bytes each.
func derSignature(sig []byte) []byte {
	if len(sig) != 64 {
		return sig
	}
	return sequence(unsigned(sig[:32]), unsigned(sig[32:]))
}

func unsigned(n []byte) []byte {
	for len(n) > 1 && n[0] == 0 {
		n = n[1:]
	}
	if n[0] >= 0x80 {
		n = append([]byte{0}, n...)
	}
	return encode(tInt, n)
}
