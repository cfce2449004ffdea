package gm

import (
	"bytes"
	"crypto/rand"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"sync/atomic"
	"time"

	"github.com/emmansun/gmsm/smx509"
	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Reason is why a certificate was revoked (RFC 5280 5.3.1).
type Reason int

// The reasons that are told apart here.
const (
	ReasonUnspecified    Reason = 0
	ReasonKeyCompromise  Reason = 1
	ReasonCACompromise   Reason = 2
	ReasonAffiliation    Reason = 3
	ReasonSuperseded     Reason = 4
	ReasonCessation      Reason = 5
	ReasonHold           Reason = 6
	reasonRemoveFromList Reason = 8
)

// Compromised tells whether someone else may have had the key, so that a time
// only the signer claims proves nothing.
func (r Reason) Compromised() bool { return r == ReasonKeyCompromise || r == ReasonCACompromise }

// Revoked is a certificate's entry in a revocation list.
type Revoked struct {
	Serial *big.Int
	Time   time.Time // from when on it is not to be relied on
	Reason Reason
}

// Revoke returns the entry that revokes c.
func (c *Certificate) Revoke(at time.Time, why Reason) (Revoked, error) {
	if c.x == nil {
		return Revoked{}, ErrMalformed
	}
	return Revoked{c.x.SerialNumber, at, why}, nil
}

// RevocationList is a certificate revocation list, complete for its authority
// (RFC 5280 clause 5, GB/T 20518).
type RevocationList struct {
	DER []byte
	// From and To are when it was made and when the next one is due; To is zero if
	// it does not say.
	From, To time.Time

	issuer    []byte // name, DER
	signed    []byte
	signature []byte
	entries   []listEntry // by serial number

	signer atomic.Pointer[Certificate] // whose signature was found to hold
}

// listEntry is kept small: a list may have hundreds of thousands.
type listEntry struct {
	serial []byte // as encoded; not a copy
	unix   int64
	reason int8
}

// maxList bounds a revocation list in bytes.
const maxList = 10 << 20

// ErrList says that a revocation list is not well-formed, or of a kind that is
// not complete by itself.
var ErrList = errors.New("not a complete SM2 revocation list")

// ParseRevocationList reads a list, DER or PEM. Its signature is checked when it
// is used. Errors wrap ErrList.
func ParseRevocationList(data []byte) (*RevocationList, error) {
	if len(data) > maxList {
		return nil, fmt.Errorf("%w: %w", ErrList, errTooLarge)
	}
	l := &RevocationList{DER: unPEM(data, "X509 CRL")}
	if !l.parse() {
		return nil, ErrList
	}
	return l, nil
}

var (
	oidReason      = asn1.ObjectIdentifier{2, 5, 29, 21}
	oidInvalidity  = asn1.ObjectIdentifier{2, 5, 29, 24}
	algorithmSM2   = []byte{0x06, 0x08, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x83, 0x75} // SM2-with-SM3
	nullParameters = []byte{0x05, 0x00}
)

// isSM2SM3 tells whether the content of an AlgorithmIdentifier is SM2-with-SM3,
// without parameters or with NULL.
func isSM2SM3(algorithm []byte) bool {
	rest, ok := bytes.CutPrefix(algorithm, algorithmSM2)
	return ok && (len(rest) == 0 || bytes.Equal(rest, nullParameters))
}

func (l *RevocationList) parse() bool {
	var list, signed, inner, outer, issuer cryptobyte.String
	var signature []byte
	var version int
	s := cryptobyte.String(l.DER)
	if !s.ReadASN1(&list, cbasn1.SEQUENCE) || !s.Empty() ||
		!list.ReadASN1Element(&signed, cbasn1.SEQUENCE) || !list.ReadASN1(&outer, cbasn1.SEQUENCE) ||
		!list.ReadASN1BitStringAsBytes(&signature) || !list.Empty() {
		return false
	}
	l.signed, l.signature = signed, signature
	if !signed.ReadASN1(&signed, cbasn1.SEQUENCE) || !signed.ReadASN1Integer(&version) || version != 1 ||
		!signed.ReadASN1(&inner, cbasn1.SEQUENCE) || !isSM2SM3(inner) || !bytes.Equal(inner, outer) ||
		!signed.ReadASN1Element(&issuer, cbasn1.SEQUENCE) || !readTime(&signed, &l.From) {
		return false
	}
	l.issuer = issuer
	if isTime(signed) && !readTime(&signed, &l.To) {
		return false
	}
	var entries, extensions cryptobyte.String
	var has bool
	if !signed.ReadOptionalASN1(&entries, &has, cbasn1.SEQUENCE) || has && !l.parseEntries(entries) {
		return false
	}
	if !signed.ReadOptionalASN1(&extensions, &has, cbasn1.Tag(0).ContextSpecific().Constructed()) || !signed.Empty() {
		return false
	}
	if !has {
		return true
	}
	if !extensions.ReadASN1(&extensions, cbasn1.SEQUENCE) {
		return false
	}
	for !extensions.Empty() {
		_, critical, _, ok := readExtension(&extensions)
		// The critical ones make a list a part of one (RFC 5280 5.2.4, 5.2.5).
		if !ok || critical {
			return false
		}
	}
	return true
}

func (l *RevocationList) parseEntries(s cryptobyte.String) bool {
	n := 0
	for rest := s; !rest.Empty(); n++ {
		if !rest.SkipASN1(cbasn1.SEQUENCE) {
			return false
		}
	}
	l.entries = make([]listEntry, 0, n)
	for !s.Empty() {
		var entry, serial, extensions cryptobyte.String
		var at time.Time
		var has bool
		if !s.ReadASN1(&entry, cbasn1.SEQUENCE) || !entry.ReadASN1(&serial, cbasn1.INTEGER) || len(serial) == 0 ||
			!readTime(&entry, &at) || !entry.ReadOptionalASN1(&extensions, &has, cbasn1.SEQUENCE) || !entry.Empty() {
			return false
		}
		e := listEntry{serial: serial, unix: at.Unix()}
		for !extensions.Empty() {
			id, critical, value, ok := readExtension(&extensions)
			if !ok || critical && !id.Equal(oidReason) { // an indirect list has a critical one
				return false
			}
			if !e.extend(id, value) {
				return false
			}
		}
		l.entries = append(l.entries, e)
	}
	slices.SortFunc(l.entries, func(a, b listEntry) int { return bytes.Compare(a.serial, b.serial) })
	return true
}

// extend adds what an extension of an entry says.
func (e *listEntry) extend(id asn1.ObjectIdentifier, value cryptobyte.String) bool {
	switch {
	case id.Equal(oidReason):
		var reason int
		if !value.ReadASN1Enum(&reason) || reason < 0 || reason > 10 || Reason(reason) == reasonRemoveFromList {
			return false
		}
		e.reason = int8(reason)
	case id.Equal(oidInvalidity):
		// The key is not to be relied on from when it was lost, not from when its
		// loss was told (RFC 5280 5.3.2).
		var at time.Time
		if !readTime(&value, &at) {
			return false
		}
		e.unix = min(e.unix, at.Unix())
	}
	return true
}

func readExtension(s *cryptobyte.String) (id asn1.ObjectIdentifier, critical bool, value cryptobyte.String, ok bool) {
	var ext cryptobyte.String
	ok = s.ReadASN1(&ext, cbasn1.SEQUENCE) && ext.ReadASN1ObjectIdentifier(&id) &&
		(!ext.PeekASN1Tag(cbasn1.BOOLEAN) || ext.ReadASN1Boolean(&critical)) &&
		ext.ReadASN1(&value, cbasn1.OCTET_STRING) && ext.Empty()
	return id, critical, value, ok
}

func isTime(s cryptobyte.String) bool {
	return s.PeekASN1Tag(cbasn1.UTCTime) || s.PeekASN1Tag(cbasn1.GeneralizedTime)
}

// readTime reads a UTCTime or a GeneralizedTime.
func readTime(s *cryptobyte.String, t *time.Time) bool {
	ok := s.PeekASN1Tag(cbasn1.UTCTime) && s.ReadASN1UTCTime(t) || s.ReadASN1GeneralizedTime(t)
	*t = t.UTC()
	return ok
}

// PEM returns the list as an X509 CRL block.
func (l *RevocationList) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: l.DER})
}

// Len returns how many certificates the list has.
func (l *RevocationList) Len() int { return len(l.entries) }

// SignedBy tells whether the list is of the authority with this certificate,
// which must be allowed to sign lists.
func (l *RevocationList) SignedBy(authority *Certificate) bool {
	a := authority
	if a.x == nil || !bytes.Equal(l.issuer, a.x.RawSubject) || !a.x.IsCA || a.x.KeyUsage&smx509.KeyUsageCRLSign == 0 {
		return false
	}
	if known := l.signer.Load(); known != nil && known.Equal(a) {
		return true
	}
	if !Verify(a.Key, l.signed, l.signature) {
		return false
	}
	l.signer.Store(a)
	return true
}

// find returns a certificate's entry.
func (l *RevocationList) find(c *Certificate) (Revoked, bool) {
	var b cryptobyte.Builder
	b.AddASN1BigInt(c.x.SerialNumber)
	der, err := b.Bytes()
	if err != nil {
		return Revoked{}, false
	}
	serial := der[2:] // up to 126 octets; a certificate's has 20 at most
	i, found := slices.BinarySearchFunc(l.entries, serial, func(e listEntry, s []byte) int { return bytes.Compare(e.serial, s) })
	if !found {
		return Revoked{}, false
	}
	first := l.entries[i]
	for _, e := range l.entries[i:] { // the earliest, should it be there twice
		if !bytes.Equal(e.serial, serial) {
			break
		}
		if e.unix < first.unix {
			first = e
		}
	}
	return Revoked{c.x.SerialNumber, time.Unix(first.unix, 0).UTC(), Reason(first.reason)}, true
}

// speaksOf tells whether the absence of c in the list says that c was not revoked
// by t: the list must not be out of date then, nor from after the end of c, when
// authorities drop entries.
func (l *RevocationList) speaksOf(c *Certificate, t time.Time) bool {
	return (l.To.IsZero() || !t.After(l.To)) && !l.From.After(c.x.NotAfter)
}

// RevocationList signs a complete list of what the authority has revoked. Each
// list has a higher number than the one before; the next is due at to.
func (a *Authority) RevocationList(revoked []Revoked, number int64, from, to time.Time) (*RevocationList, error) {
	if a.Root.x == nil {
		return nil, fmt.Errorf("revocation list: %w", a.Root.Malformed)
	}
	t := &smx509.RevocationList{Number: big.NewInt(number), ThisUpdate: from, NextUpdate: to}
	for _, r := range revoked {
		t.RevokedCertificateEntries = append(t.RevokedCertificateEntries, smx509.RevocationListEntry{
			SerialNumber: r.Serial, RevocationTime: r.Time, ReasonCode: int(r.Reason),
		})
	}
	der, err := smx509.CreateRevocationList(rand.Reader, t, a.Root.x, messageSigner{a.Key})
	if err != nil {
		return nil, fmt.Errorf("revocation list: %w", err)
	}
	return ParseRevocationList(der)
}
