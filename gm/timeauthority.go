package gm

import (
	"crypto/rand"
	"encoding/asn1"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// TimeAuthority stamps times with a key of its own. Of a token only the digests,
// the time, the serial number and the signature differ from the one before, so
// all else is encoded once. Safe for concurrent use.
type TimeAuthority struct {
	key  Signer
	cert *Certificate
	now  func() time.Time

	policy    string
	infoHead  []byte // of a TSTInfo, up to the octets of the imprint
	attrsHead []byte // of the signed attributes, up to the octets of the digest
	attrsTail []byte
	dataHead  []byte // of a SignedData, up to its content
	certs     []byte // the field certificates
	signerID  []byte // of a SignerInfo, up to its attributes
}

// NewTimeAuthority returns an authority that stamps under a policy (a dotted
// object identifier) at the times now tells. Tokens carry its certificate, which
// must be one as IssueTimeAuthority makes, and those of chain.
func NewTimeAuthority(key Signer, cert *Certificate, policy string, now func() time.Time, chain ...*Certificate) (*TimeAuthority, error) {
	oid, err := parseOID(policy)
	switch {
	case err != nil:
		return nil, fmt.Errorf("time authority: policy: %w", err)
	case cert.x == nil:
		return nil, fmt.Errorf("time authority: %w", ErrMalformed)
	case !cert.Key.Equal(key.Public()):
		return nil, fmt.Errorf("time authority: %w", ErrWrongKey)
	case !cert.allows(UsageTimeStamp):
		return nil, fmt.Errorf("time authority: %w", ErrUsage)
	}
	a := &TimeAuthority{key: key, cert: cert, now: now, policy: policy}
	policyDER, err := asn1.Marshal(oid)
	if err != nil {
		return nil, fmt.Errorf("time authority: policy: %w", err)
	}
	sm3 := appendTLV(nil, 0x30, derSM3)
	a.infoHead = concat(sequenceOfTSTBegin, policyDER, []byte{0x30, byte(len(sm3) + 2 + DigestSize)}, sm3, []byte{0x04, DigestSize})

	// Of the three attributes each is longer than the one before, which is the
	// order of a SET in DER.
	sum := Sum(cert.DER)
	contentType := appendTLV(nil, 0x30, derContentType, appendTLV(nil, 0x31, derTSTInfo))
	certID := appendTLV(nil, 0x30, sm3, appendTLV(nil, 0x04, sum[:]))
	a.attrsTail = appendTLV(nil, 0x30, derSigningCertV2, appendTLV(nil, 0x31, appendTLV(nil, 0x30, appendTLV(nil, 0x30, certID))))
	digest := appendTLV(nil, 0x30, derMessageDigest, appendTLV(nil, 0x31, appendTLV(nil, 0x04, make([]byte, DigestSize))))
	a.attrsHead = concat(contentType, digest[:len(digest)-DigestSize])

	a.dataHead = concat([]byte{0x02, 0x01, 0x03}, appendTLV(nil, 0x31, sm3))
	var certs []byte
	for _, c := range append([]*Certificate{cert}, chain...) {
		certs = append(certs, c.DER...)
	}
	a.certs = appendTLV(nil, 0xa0, certs)
	var serial cryptobyte.Builder
	serial.AddASN1BigInt(cert.x.SerialNumber)
	number, err := serial.Bytes()
	if err != nil {
		return nil, fmt.Errorf("time authority: %w", err)
	}
	a.signerID = concat([]byte{0x02, 0x01, 0x01}, appendTLV(nil, 0x30, cert.x.RawIssuer, number), sm3)
	return a, nil
}

// Stamp stamps a signature now, which costs one signature with the authority's
// key. Errors are those of the key, or say that its certificate is not valid.
func (a *TimeAuthority) Stamp(signature []byte) ([]byte, error) {
	return a.token(Sum(signature), nil, true)
}

// timeForm is a GeneralizedTime in whole seconds.
const timeForm = "20060102150405Z"

func (a *TimeAuthority) token(imprint [DigestSize]byte, nonce []byte, withCert bool) ([]byte, error) {
	now := a.now().UTC()
	if !a.cert.ValidAt(now) {
		return nil, fmt.Errorf("stamp time: certificate of %q is not valid now", a.cert.Subject())
	}
	var buf [256]byte
	tail := append(buf[:0], 0x02, 16) // serial number, time, nonce
	tail = append(tail, make([]byte, 16)...)
	rand.Read(tail[2:18])
	tail[2] = tail[2]&0x7f | 0x40 // positive and of full length
	tail = append(tail, 0x18, byte(len(timeForm)))
	tail = now.AppendFormat(tail, timeForm)
	if nonce != nil {
		tail = appendTLV(tail, 0x02, nonce)
	}
	var infoBuf [384]byte
	info := appendTLV(infoBuf[:0], 0x30, a.infoHead, imprint[:], tail)
	digest := Sum(info)
	var attrsBuf [384]byte
	attrs := appendTLV(attrsBuf[:0], 0x31, a.attrsHead, digest[:], a.attrsTail)
	sig, err := a.key.SignSM2(attrs)
	if err != nil {
		return nil, fmt.Errorf("stamp time: %w", err)
	}
	attrs[0] = 0xa0 // signed as a SET, written as the field it is in

	certs := a.certs
	if !withCert {
		certs = nil
	}
	// From the inside out, every length is known before what it is the length of.
	algorithm := algorithmSM2
	signer := len(a.signerID) + len(attrs) + sizeTLV(len(algorithm)) + sizeTLV(len(sig))
	octets := sizeTLV(len(info))
	encap := len(derTSTInfo) + sizeTLV(octets)
	data := len(a.dataHead) + sizeTLV(encap) + len(certs) + sizeTLV(sizeTLV(signer))
	content := len(derSignedData) + sizeTLV(sizeTLV(data))

	b := make([]byte, 0, sizeTLV(content))
	b = appendHead(b, 0x30, content)
	b = append(b, derSignedData...)
	b = appendHead(b, 0xa0, sizeTLV(data))
	b = appendHead(b, 0x30, data)
	b = append(b, a.dataHead...)
	b = appendHead(b, 0x30, encap)
	b = append(b, derTSTInfo...)
	b = appendHead(b, 0xa0, octets)
	b = appendTLV(b, 0x04, info)
	b = append(b, certs...)
	b = appendHead(b, 0x31, sizeTLV(signer))
	b = appendHead(b, 0x30, signer)
	b = append(b, a.signerID...)
	b = append(b, attrs...)
	b = appendTLV(b, 0x30, algorithm)
	return appendTLV(b, 0x04, sig), nil
}

// Why a request is refused (PKIFailureInfo, RFC 3161 2.4.2).
type failure int

const (
	failAlgorithm failure = 0
	failRequest   failure = 2
	failFormat    failure = 5
	failPolicy    failure = 15
	failExtension failure = 16
	failSystem    failure = 25
)

func (f failure) Error() string { return "time stamp request refused" }

// Answer answers a TimeStampReq with a TimeStampResp, both DER: the bodies of
// application/timestamp-query and application/timestamp-reply. A refusal is an
// answer too; the error then tells why, for the log.
func (a *TimeAuthority) Answer(request []byte) (answer []byte, err error) {
	r, err := ParseStampRequest(request)
	if err == nil && r.Policy != "" && r.Policy != a.policy {
		err = failPolicy
	}
	var token []byte
	if err == nil {
		token, err = a.token(r.Imprint, r.Nonce, r.Certificate)
	}
	if err == nil {
		return appendTLV(nil, 0x30, []byte{0x30, 0x03, 0x02, 0x01, 0x00}, token), nil
	}
	why := failSystem
	errors.As(err, &why)
	bits := make([]byte, 1+why/8+1)
	bits[0] = byte(7 - why%8) // unused bits
	bits[1+why/8] = 0x80 >> (why % 8)
	return appendTLV(nil, 0x30, appendTLV(nil, 0x30, []byte{0x02, 0x01, 0x02}, appendTLV(nil, 0x03, bits))), err // rejection
}

// ParseStampRequest reads a DER TimeStampReq of at most 4 KB. Digests other than
// SM3 are refused.
func ParseStampRequest(der []byte) (*StampRequest, error) {
	var req, m, algorithm, digest cryptobyte.String
	var version int
	s := cryptobyte.String(der)
	if len(der) > maxStampRequest || !s.ReadASN1(&req, cbasn1.SEQUENCE) || !s.Empty() || !req.ReadASN1Integer(&version) {
		return nil, failFormat
	}
	if version != 1 || !req.ReadASN1(&m, cbasn1.SEQUENCE) || !m.ReadASN1(&algorithm, cbasn1.SEQUENCE) ||
		!m.ReadASN1(&digest, cbasn1.OCTET_STRING) || !m.Empty() {
		return nil, failRequest
	}
	if !isSM3(algorithm) || len(digest) != DigestSize {
		return nil, failAlgorithm
	}
	r := &StampRequest{Imprint: [DigestSize]byte(digest)}
	if req.PeekASN1Tag(cbasn1.OBJECT_IDENTIFIER) {
		var policy asn1.ObjectIdentifier
		if !req.ReadASN1ObjectIdentifier(&policy) {
			return nil, failFormat
		}
		r.Policy = policy.String()
	}
	if !readNonce(&req, &r.Nonce) || req.PeekASN1Tag(cbasn1.BOOLEAN) && !req.ReadASN1Boolean(&r.Certificate) {
		return nil, failFormat
	}
	if !noCriticalExtensions(&req, tag0) {
		return nil, failExtension
	}
	if !req.Empty() {
		return nil, failFormat
	}
	return r, nil
}

// appendHead appends a tag and a length.
func appendHead(b []byte, tag byte, n int) []byte {
	switch {
	case n < 0x80:
		return append(b, tag, byte(n))
	case n < 0x100:
		return append(b, tag, 0x81, byte(n))
	case n < 0x10000:
		return append(b, tag, 0x82, byte(n>>8), byte(n))
	}
	return append(b, tag, 0x83, byte(n>>16), byte(n>>8), byte(n)) // up to 16 MB; nothing here is larger
}

// sizeTLV is the length of a value of n octets with its tag and length.
func sizeTLV(n int) int {
	switch {
	case n < 0x80:
		return n + 2
	case n < 0x100:
		return n + 3
	case n < 0x10000:
		return n + 4
	}
	return n + 5
}

// appendTLV appends a value made of parts.
func appendTLV(b []byte, tag byte, parts ...[]byte) []byte {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	b = appendHead(b, tag, n)
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}

func concat(parts ...[]byte) []byte {
	var b []byte
	for _, p := range parts {
		b = append(b, p...)
	}
	return b
}
