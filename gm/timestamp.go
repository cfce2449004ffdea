package gm

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// TimeStamper has a signature's time confirmed by a time authority: TimeAuthority
// in this process, or a client of an outside one.
type TimeStamper interface {
	// Stamp returns the DER TimeStampToken over the content octets of a
	// signature (RFC 3161, GB/T 20520-2006).
	Stamp(signature []byte) (token []byte, err error)
}

// Reasons why a time stamp does not hold, to be told apart with errors.Is.
var (
	ErrStampFormat    = errors.New("time stamp is not well-formed")
	ErrStampImprint   = errors.New("time stamp is of something else")
	ErrStampSignature = errors.New("signature of the time stamp does not hold")
	ErrStampRefused   = errors.New("time authority refused to stamp")
)

// Token is a time stamp as it was read; nothing of it is ever encoded again.
type Token struct {
	DER     []byte
	Time    time.Time // genTime
	Imprint []byte    // SM3 digest of what was stamped
	Policy  string    // object identifier
	Serial  string    // hexadecimal
	Nonce   []byte    // content of the INTEGER; nil if it has none
	// Cert is the authority's certificate, nil if the token does not carry it.
	Cert *Certificate
	// Certificates are all that the token carries.
	Certificates []*Certificate

	signer    signerID
	certHash  []byte // of the authority's certificate, as it signed it; may be nil
	hashOf    func([]byte) []byte
	signed    []byte
	signature []byte
}

// signerID names the certificate of a signer: issuer and serial number, both DER.
type signerID struct{ issuer, serial []byte }

func (id signerID) is(c *Certificate) bool {
	if c.x == nil || !bytes.Equal(id.issuer, c.x.RawIssuer) {
		return false
	}
	var b cryptobyte.Builder
	b.AddASN1BigInt(c.x.SerialNumber)
	der, err := b.Bytes()
	return err == nil && bytes.Equal(der, id.serial)
}

// Bounds on what a token or a request may hold. Real ones have 1 to 5 KB and up
// to three certificates.
const (
	maxToken        = 64 << 10
	maxTokenCerts   = 8
	maxAttributes   = 16
	maxStampRequest = 4 << 10
)

// The object identifiers of a time stamp, as DER.
var (
	derSM3             = []byte{0x06, 0x08, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x83, 0x11}
	derSM3NoKey        = []byte{0x06, 0x09, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x83, 0x11, 0x01} // 1.2.156.10197.1.401.1
	derSHA256          = []byte{0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01}
	derSM2             = []byte{0x06, 0x09, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x01, 0x82, 0x2d, 0x01}             // 1.2.156.10197.1.301.1
	derSignedData      = []byte{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02}             // PKCS #7
	derSignedDataGB    = []byte{0x06, 0x0a, 0x2a, 0x81, 0x1c, 0xcf, 0x55, 0x06, 0x01, 0x04, 0x02, 0x02}       // GB/T 35275
	derTSTInfo         = []byte{0x06, 0x0b, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04} // id-ct-TSTInfo
	derContentType     = []byte{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03}
	derMessageDigest   = []byte{0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04}
	derSigningCertV2   = []byte{0x06, 0x0b, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x2f}
	tag0               = cbasn1.Tag(0).ContextSpecific().Constructed()
	tag1               = cbasn1.Tag(1).ContextSpecific().Constructed()
	sequenceOfTSTBegin = []byte{0x02, 0x01, 0x01} // version 1
)

// ParseToken reads a DER TimeStampToken of at most 64 KB: SignedData of PKCS #7
// or GB/T 35275 over a TSTInfo, with SM3 and SM2 only. That the token is
// consistent in itself is checked here, its signature by Verify. Errors wrap
// ErrStampFormat.
func ParseToken(der []byte) (*Token, error) { return (*Cache)(nil).ParseToken(der) }

// ParseToken is gm.ParseToken that keeps the certificates.
func (c *Cache) ParseToken(der []byte) (*Token, error) {
	if len(der) > maxToken {
		return nil, fmt.Errorf("%w: %w", ErrStampFormat, errTooLarge)
	}
	t := &Token{DER: der}
	if err := t.parse(c); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStampFormat, err)
	}
	return t, nil
}

// errToken says which part of a token is at fault.
type errToken string

func (e errToken) Error() string { return string(e) }

func (t *Token) parse(cache *Cache) error {
	var content, kind, data, info, signers cryptobyte.String
	s := cryptobyte.String(t.DER)
	if !s.ReadASN1(&content, cbasn1.SEQUENCE) || !s.Empty() || !content.ReadASN1Element(&kind, cbasn1.OBJECT_IDENTIFIER) ||
		!bytes.Equal(kind, derSignedData) && !bytes.Equal(kind, derSignedDataGB) ||
		!content.ReadASN1(&data, tag0) || !content.Empty() || !data.ReadASN1(&info, cbasn1.SEQUENCE) || !data.Empty() {
		return errToken("ContentInfo")
	}
	data = info
	var version int
	var digests, encap, certs, lists cryptobyte.String
	var has bool
	if !data.ReadASN1Integer(&version) || version != 1 && version != 3 || !data.ReadASN1(&digests, cbasn1.SET) ||
		!onlySM3(digests) || !data.ReadASN1(&encap, cbasn1.SEQUENCE) || !data.ReadOptionalASN1(&certs, &has, tag0) ||
		!data.ReadOptionalASN1(&lists, &has, tag1) || !onlyLists(lists) || !data.ReadASN1(&signers, cbasn1.SET) || !data.Empty() {
		return errToken("SignedData")
	}
	var kindOfContent, octets, tst cryptobyte.String
	if !encap.ReadASN1Element(&kindOfContent, cbasn1.OBJECT_IDENTIFIER) || !bytes.Equal(kindOfContent, derTSTInfo) ||
		!encap.ReadASN1(&octets, tag0) || !encap.Empty() || !octets.ReadASN1(&tst, cbasn1.OCTET_STRING) || !octets.Empty() {
		return errToken("EncapsulatedContentInfo")
	}
	if !t.parseInfo(tst) {
		return errToken("TSTInfo")
	}
	if !t.parseSigner(signers, Sum(tst)) {
		return errToken("SignerInfo")
	}
	for !certs.Empty() {
		var der cryptobyte.String
		if len(t.Certificates) == maxTokenCerts || !certs.ReadASN1Element(&der, cbasn1.SEQUENCE) {
			return errToken("certificates")
		}
		c, err := cache.Certificate(der)
		if err != nil {
			return err
		}
		t.Certificates = append(t.Certificates, c)
		if t.Cert == nil && t.signer.is(c) {
			t.Cert = c
		}
	}
	// A token that carries certificates carries its authority's, the very one it
	// named when it signed (RFC 5035).
	if len(t.Certificates) > 0 && (t.Cert == nil || !t.named(t.Cert)) {
		return errToken("certificate")
	}
	return nil
}

// named tells whether c is the certificate the authority signed it would use.
func (t *Token) named(c *Certificate) bool {
	return t.certHash == nil || bytes.Equal(t.hashOf(c.DER), t.certHash)
}

// isSM3 tells whether the content of an AlgorithmIdentifier is SM3.
func isSM3(algorithm []byte) bool {
	rest, ok := bytes.CutPrefix(algorithm, derSM3)
	if !ok {
		rest, ok = bytes.CutPrefix(algorithm, derSM3NoKey)
	}
	return ok && (len(rest) == 0 || bytes.Equal(rest, nullParameters))
}

func onlySM3(algorithms cryptobyte.String) bool {
	var one cryptobyte.String
	return algorithms.ReadASN1(&one, cbasn1.SEQUENCE) && algorithms.Empty() && isSM3(one)
}

// onlyLists tells whether s is made of revocation lists. They are not used: who
// checks brings their own.
func onlyLists(s cryptobyte.String) bool {
	for !s.Empty() {
		var der cryptobyte.String
		if !s.ReadASN1Element(&der, cbasn1.SEQUENCE) || !(&RevocationList{DER: der}).parse() {
			return false
		}
	}
	return true
}

// parseInfo reads a TSTInfo (RFC 3161 2.4.2).
func (t *Token) parseInfo(s cryptobyte.String) bool {
	var info, at cryptobyte.String
	var version int
	var policy asn1.ObjectIdentifier
	serial := new(big.Int)
	if !s.ReadASN1(&info, cbasn1.SEQUENCE) || !s.Empty() || !info.ReadASN1Integer(&version) || version != 1 ||
		!info.ReadASN1ObjectIdentifier(&policy) || !readImprint(&info, &t.Imprint) || !info.ReadASN1Integer(serial) ||
		!info.ReadASN1(&at, cbasn1.GeneralizedTime) {
		return false
	}
	var err error
	// Go reads fractions of seconds that the form does not show.
	if t.Time, err = time.Parse("20060102150405Z", string(at)); err != nil {
		return false
	}
	t.Policy, t.Serial = policy.String(), serial.Text(16)
	if !info.SkipOptionalASN1(cbasn1.SEQUENCE) || !info.SkipOptionalASN1(cbasn1.BOOLEAN) || !readNonce(&info, &t.Nonce) || !info.SkipOptionalASN1(tag0) {
		return false
	}
	return noCriticalExtensions(&info, tag1) && info.Empty()
}

func readImprint(s *cryptobyte.String, imprint *[]byte) bool {
	var m, algorithm, digest cryptobyte.String
	ok := s.ReadASN1(&m, cbasn1.SEQUENCE) && m.ReadASN1(&algorithm, cbasn1.SEQUENCE) && isSM3(algorithm) &&
		m.ReadASN1(&digest, cbasn1.OCTET_STRING) && m.Empty() && len(digest) == DigestSize
	*imprint = digest
	return ok
}

func readNonce(s *cryptobyte.String, nonce *[]byte) bool {
	var n cryptobyte.String
	var has bool
	if !s.ReadOptionalASN1(&n, &has, cbasn1.INTEGER) || has && (len(n) == 0 || len(n) > 64) {
		return false
	}
	*nonce = n
	return true
}

// noCriticalExtensions skips extensions of which none has to be understood.
func noCriticalExtensions(s *cryptobyte.String, tag cbasn1.Tag) bool {
	var list cryptobyte.String
	var has bool
	if !s.ReadOptionalASN1(&list, &has, tag) {
		return false
	}
	for n := 0; !list.Empty(); n++ {
		if _, critical, _, ok := readExtension(&list); !ok || critical || n == maxAttributes {
			return false
		}
	}
	return true
}

// parseSigner reads the one SignerInfo; digest is that of the TSTInfo.
func (t *Token) parseSigner(s cryptobyte.String, digest [DigestSize]byte) bool {
	var signer, id, hash, attributes, algorithm, signature cryptobyte.String
	var version int
	if !s.ReadASN1(&signer, cbasn1.SEQUENCE) || !s.Empty() || !signer.ReadASN1Integer(&version) || version != 1 && version != 3 ||
		!signer.ReadASN1(&id, cbasn1.SEQUENCE) || !signer.ReadASN1(&hash, cbasn1.SEQUENCE) || !isSM3(hash) ||
		!signer.ReadASN1Element(&attributes, tag0) || !signer.ReadASN1(&algorithm, cbasn1.SEQUENCE) || !isSM2SM3(algorithm) && !isSM2(algorithm) ||
		!signer.ReadASN1(&signature, cbasn1.OCTET_STRING) || !signer.SkipOptionalASN1(tag1) || !signer.Empty() {
		return false
	}
	var issuer, serial cryptobyte.String
	if !id.ReadASN1Element(&issuer, cbasn1.SEQUENCE) || !id.ReadASN1Element(&serial, cbasn1.INTEGER) || !id.Empty() {
		return false
	}
	t.signer, t.signature = signerID{issuer, serial}, signature
	// What is signed are the attributes as a SET, not as the field they are in.
	t.signed = bytes.Clone(attributes)
	t.signed[0] = byte(cbasn1.SET)
	if !attributes.ReadASN1(&attributes, tag0) {
		return false
	}
	var typed, digested, named bool
	for n := 0; !attributes.Empty(); n++ {
		var a, kind, values cryptobyte.String
		if n == maxAttributes || !attributes.ReadASN1(&a, cbasn1.SEQUENCE) || !a.ReadASN1Element(&kind, cbasn1.OBJECT_IDENTIFIER) ||
			!a.ReadASN1(&values, cbasn1.SET) || !a.Empty() {
			return false
		}
		switch {
		case bytes.Equal(kind, derContentType):
			if typed || !bytes.Equal(values, derTSTInfo) {
				return false
			}
			typed = true
		case bytes.Equal(kind, derMessageDigest):
			var d cryptobyte.String
			if digested || !values.ReadASN1(&d, cbasn1.OCTET_STRING) || !values.Empty() || !bytes.Equal(d, digest[:]) {
				return false
			}
			digested = true
		case bytes.Equal(kind, derSigningCertV2):
			if named || !t.parseSigningCert(values) {
				return false
			}
			named = true
		}
	}
	return typed && digested
}

// isSM2 tells whether the content of an AlgorithmIdentifier is that of SM2
// signatures without a digest, which is SM3 then.
func isSM2(algorithm []byte) bool {
	rest, ok := bytes.CutPrefix(algorithm, derSM2)
	return ok && (len(rest) == 0 || bytes.Equal(rest, nullParameters))
}

// parseSigningCert reads the digest of the authority's certificate out of a
// SigningCertificateV2 (RFC 5035); SHA-256 is its default.
func (t *Token) parseSigningCert(s cryptobyte.String) bool {
	var v, certs, id, algorithm, hash cryptobyte.String
	if !s.ReadASN1(&v, cbasn1.SEQUENCE) || !s.Empty() || !v.ReadASN1(&certs, cbasn1.SEQUENCE) || !certs.ReadASN1(&id, cbasn1.SEQUENCE) {
		return false
	}
	var has bool
	if !id.ReadOptionalASN1(&algorithm, &has, cbasn1.SEQUENCE) || !id.ReadASN1(&hash, cbasn1.OCTET_STRING) {
		return false
	}
	switch {
	case !has || bytes.HasPrefix(algorithm, derSHA256):
		t.hashOf = func(b []byte) []byte { sum := sha256.Sum256(b); return sum[:] }
	case isSM3(algorithm):
		t.hashOf = func(b []byte) []byte { sum := Sum(b); return sum[:] }
	default:
		return false
	}
	t.certHash = hash
	return true
}

// Covers tells whether the token stamps this signature.
func (t *Token) Covers(signature []byte) bool {
	sum := Sum(signature)
	return bytes.Equal(t.Imprint, sum[:])
}

// Verify tells whether the token stamps the signature, was signed by its
// authority, and whether the authority was trusted when it signed. Errors wrap
// ErrStampImprint, ErrStampSignature, or a reason of Trust.Check; a key that was
// lost, even later, makes all its stamps worthless (RFC 3161 4.1).
func (t *Token) Verify(signature []byte, tr *Trust) (Standing, error) {
	if !t.Covers(signature) {
		return Standing{}, ErrStampImprint
	}
	c := t.Cert
	if c == nil {
		for _, known := range tr.Intermediates {
			if t.signer.is(known) && t.named(known) {
				c = known
			}
		}
		if c == nil {
			return Standing{}, fmt.Errorf("time authority: %w", ErrUnknownRoot)
		}
	}
	if !Verify(c.Key, t.signed, t.signature) {
		return Standing{}, ErrStampSignature
	}
	with := *tr
	with.Intermediates = append(with.Intermediates[:len(with.Intermediates):len(with.Intermediates)], t.Certificates...)
	st, err := with.Check(c, t.Time, UsageTimeStamp)
	if err == nil && st.Revocation == RevokedLater && st.Revoked.Reason.Compromised() {
		err = fmt.Errorf("key of the time authority: %w", ErrRevoked)
	}
	if err != nil {
		return st, fmt.Errorf("time authority: %w", err)
	}
	return st, nil
}

// StampRequest asks a time authority for a token (TimeStampReq, RFC 3161 2.4.1).
type StampRequest struct {
	Imprint [DigestSize]byte // SM3
	Policy  string           // asked for; "" for any
	Nonce   []byte           // content of a positive INTEGER; nil for none
	// Certificate asks for the authority's certificate in the token.
	Certificate bool
}

// NewStampRequest asks for a token of a signature, with its certificate and a
// random nonce.
func NewStampRequest(signature []byte) *StampRequest {
	nonce := make([]byte, 16)
	rand.Read(nonce)
	nonce[0] = nonce[0]&0x7f | 0x40
	return &StampRequest{Imprint: Sum(signature), Nonce: nonce, Certificate: true}
}

// DER encodes the request, the body of application/timestamp-query.
func (r *StampRequest) DER() ([]byte, error) {
	var policy asn1.ObjectIdentifier
	if r.Policy != "" {
		var err error
		if policy, err = parseOID(r.Policy); err != nil {
			return nil, err
		}
	}
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1Int64(1)
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
			b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { b.AddBytes(derSM3) })
			b.AddASN1OctetString(r.Imprint[:])
		})
		if policy != nil {
			b.AddASN1ObjectIdentifier(policy)
		}
		if r.Nonce != nil {
			b.AddASN1(cbasn1.INTEGER, func(b *cryptobyte.Builder) { b.AddBytes(r.Nonce) })
		}
		if r.Certificate {
			b.AddASN1Boolean(true)
		}
	})
	return b.Bytes()
}

// parseOID reads the dotted form of an object identifier.
func parseOID(s string) (asn1.ObjectIdentifier, error) {
	var oid asn1.ObjectIdentifier
	for _, part := range strings.Split(s, ".") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 {
			return nil, errors.New("not an object identifier")
		}
		oid = append(oid, n)
	}
	if len(oid) < 2 {
		return nil, errors.New("not an object identifier")
	}
	return oid, nil
}

// Token takes the token out of an authority's answer (TimeStampResp) and checks
// that it answers this request; its signature is not looked at. Errors wrap
// ErrStampRefused, ErrStampFormat or ErrStampImprint.
func (r *StampRequest) Token(answer []byte) (*Token, error) {
	var resp, status cryptobyte.String
	var code int
	s := cryptobyte.String(answer)
	if len(answer) > maxToken || !s.ReadASN1(&resp, cbasn1.SEQUENCE) || !s.Empty() || !resp.ReadASN1(&status, cbasn1.SEQUENCE) || !status.ReadASN1Integer(&code) {
		return nil, fmt.Errorf("%w: answer", ErrStampFormat)
	}
	if code != 0 && code != 1 { // granted, with or without changes
		return nil, fmt.Errorf("%w: status %d", ErrStampRefused, code)
	}
	t, err := ParseToken(resp)
	switch {
	case err != nil:
		return nil, err
	case !bytes.Equal(t.Imprint, r.Imprint[:]):
		return nil, ErrStampImprint
	case !bytes.Equal(t.Nonce, r.Nonce):
		return nil, fmt.Errorf("%w: nonce %s", ErrStampFormat, hex.EncodeToString(t.Nonce))
	case r.Policy != "" && t.Policy != r.Policy:
		return nil, fmt.Errorf("%w: policy", ErrStampFormat)
	}
	return t, nil
}
