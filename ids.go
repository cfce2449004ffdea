package elicense

import (
	"crypto/rand"
	"encoding/base32"
	"time"
)

// The identifiers of the platform. Each is a type of its own, so that the key of
// one holder can not be given where the number of a license is asked.
type (
	// LicenseID names one license through all its versions.
	LicenseID string
	// HolderKey names a holder (持证主体). It is random and says nothing of the
	// holder; the codes of a holder are found through a keyed index.
	HolderKey string
	// DraftID names a license in the making.
	DraftID string
	// CaseID names a case (办件) of an application unit.
	CaseID string
	// EventID names one event of a license.
	EventID string
	// PersonID names one real person, the same in every unit and in every role.
	PersonID string
	// AccountID names a way a person or a system signs in for one unit.
	AccountID string
	// SealID names an electronic seal of the register.
	SealID string
	// RecordID names an entry of the record (访问日志).
	RecordID string
	// MatterCode names a service item (事项): the short code of the platform, or
	// 12, 31 or 33 characters by GB/T 39554.1-2020.
	MatterCode string
	// RegionCode is a 6-digit code of GB/T 2260.
	RegionCode string
)

var idEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// NewID returns an identifier of 26 characters: 48 bits of the time in
// milliseconds, then 80 random bits. Identifiers of later milliseconds sort
// later, so that new rows stand together in an index.
func NewID[T ~string](now time.Time) T {
	var b [16]byte
	rand.Read(b[:])
	ms := uint64(now.UnixMilli())
	for i := range 6 {
		b[i] = byte(ms >> (8 * (5 - i)))
	}
	return T(idEncoding.EncodeToString(b[:]))
}

// RandomID returns an identifier of 26 characters of 128 random bits, for keys
// that must spread evenly and betray no time.
func RandomID[T ~string]() T {
	var b [16]byte
	rand.Read(b[:])
	return T(idEncoding.EncodeToString(b[:]))
}

// A Family makes identifiers of 26 characters that stand together in an index and
// betray no time: 48 random bits they share, 16 that count, 64 random ones. Many
// rows that come at once dirty few pages by it. Its zero value is ready to use, by
// one goroutine.
type Family struct {
	shared [6]byte
	count  uint16
}

// FamilyID returns the next identifier of a family.
func FamilyID[T ~string](f *Family) T {
	if f.count == 0 { // also after 65,536 of them
		rand.Read(f.shared[:])
	}
	var b [16]byte
	copy(b[:], f.shared[:])
	b[6], b[7] = byte(f.count>>8), byte(f.count)
	f.count++
	rand.Read(b[8:])
	return T(idEncoding.EncodeToString(b[:]))
}

// ValidID tells whether s has the form of NewID and RandomID.
func ValidID[T ~string](s T) bool {
	if len(s) != 26 {
		return false
	}
	_, err := idEncoding.DecodeString(string(s))
	return err == nil
}

// CheckCode is the 128-bit secret of a license version's QR code: who holds it
// may ask whether that license is genuine and in force, and nothing else.
type CheckCode string

// NewCheckCode draws a code.
func NewCheckCode() CheckCode { return RandomID[CheckCode]() }
