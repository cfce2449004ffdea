package gm

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
)

// Certificate is an X.509 certificate with an SM2 key (GB/T 20518).
type Certificate struct {
	// DER is the certificate exactly as it was read.
	DER []byte
	// Key is the certified SM2 public key.
	Key *ecdsa.PublicKey
	// Malformed is set for a certificate that the strict parser refuses and from
	// which only the key was taken, as some real ones are. A signature can be
	// checked with its key, but the certificate can't be trusted.
	Malformed error

	x *smx509.Certificate // nil when Malformed
}

// ParseCertificate reads one DER certificate.
func ParseCertificate(der []byte) (*Certificate, error) {
	x, err := smx509.ParseCertificate(der)
	if err == nil {
		key, ok := x.PublicKey.(*ecdsa.PublicKey)
		if !ok || key.Curve != sm2.P256() {
			return nil, errors.New("certificate: the key is not an SM2 key")
		}
		return &Certificate{DER: x.Raw, Key: key, x: x}, nil
	}
	key, keyErr := certifiedKey(der)
	if keyErr != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	return &Certificate{DER: der, Key: key, Malformed: err}, nil
}

// certifiedKey takes the SM2 key out of a certificate of which only the outer
// shape is right.
func certifiedKey(der []byte) (*ecdsa.PublicKey, error) {
	spki, err := spkiOf(der)
	if err != nil {
		return nil, err
	}
	pub, err := smx509.ParsePKIXPublicKey(spki)
	if err != nil {
		return nil, err
	}
	key, ok := pub.(*ecdsa.PublicKey)
	if !ok || key.Curve != sm2.P256() {
		return nil, errors.New("the key is not an SM2 key")
	}
	return key, nil
}

// spkiOf returns the SubjectPublicKeyInfo of a certificate (RFC 5280 4.1): the
// sixth member of the signed part after the optional version.
func spkiOf(der []byte) ([]byte, error) {
	var cert, tbs asn1.RawValue
	if _, err := asn1.Unmarshal(der, &cert); err != nil {
		return nil, err
	}
	if _, err := asn1.Unmarshal(cert.Bytes, &tbs); err != nil {
		return nil, err
	}
	rest := tbs.Bytes
	for left := 6; ; left-- {
		var member asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &member); err != nil {
			return nil, err
		}
		if member.Class == asn1.ClassContextSpecific {
			left++ // the version
		}
		if left == 1 {
			return member.FullBytes, nil
		}
	}
}

// ParsePEM reads every CERTIFICATE block of data. No block is an error.
func ParsePEM(data []byte) ([]*Certificate, error) {
	var list []*Certificate
	for {
		var b *pem.Block
		if b, data = pem.Decode(data); b == nil {
			break
		}
		if b.Type != "CERTIFICATE" {
			continue
		}
		c, err := ParseCertificate(b.Bytes)
		if err != nil {
			return nil, err
		}
		list = append(list, c)
	}
	if len(list) == 0 {
		return nil, errors.New("no CERTIFICATE block")
	}
	return list, nil
}

// PEM returns the certificate as a CERTIFICATE block.
func (c *Certificate) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.DER})
}

// Subject names the owner for people: the common name, or the whole name when
// it has none; empty for a malformed certificate.
func (c *Certificate) Subject() string {
	if c.x == nil {
		return ""
	}
	if cn := c.x.Subject.CommonName; cn != "" {
		return cn
	}
	return c.x.Subject.String()
}

// Organization returns the owner's organization, or "".
func (c *Certificate) Organization() string {
	if c.x == nil {
		return ""
	}
	return strings.Join(c.x.Subject.Organization, "，")
}

// Validity returns the first and last moment the certificate is valid; zero
// times for a malformed one.
func (c *Certificate) Validity() (from, to time.Time) {
	if c.x == nil {
		return
	}
	return c.x.NotBefore, c.x.NotAfter
}

// Serial returns the serial number in hexadecimal, or "".
func (c *Certificate) Serial() string {
	if c.x == nil {
		return ""
	}
	return c.x.SerialNumber.Text(16)
}

// Equal tells whether both are the same certificate, byte for byte.
func (c *Certificate) Equal(o *Certificate) bool {
	return o != nil && string(c.DER) == string(o.DER)
}

// Name is the subject of a certificate to be made.
type Name struct {
	Unit       string // O, the organization
	CommonName string // CN
}

func (n Name) pkix() pkix.Name {
	p := pkix.Name{Country: []string{"CN"}, CommonName: n.CommonName}
	if n.Unit != "" {
		p.Organization = []string{n.Unit}
	}
	return p
}

// NewRoot makes a self-signed root certificate that may sign certificates and
// revocation lists, valid in [from, to].
func NewRoot(key Signer, name Name, from, to time.Time) (*Certificate, error) {
	t := &smx509.Certificate{
		SerialNumber: newSerial(), Subject: name.pkix(), NotBefore: from, NotAfter: to,
		IsCA: true, BasicConstraintsValid: true,
		KeyUsage: smx509.KeyUsageCertSign | smx509.KeyUsageCRLSign,
	}
	return createCertificate(t, t, key.Public(), key)
}

// Authority issues certificates directly under one root.
type Authority struct {
	Root *Certificate
	Key  Signer
}

// Issue certifies key for making seals and signing with them: the key usages
// digitalSignature and contentCommitment (GM/T 0015-2012 5.2.4.2.3), valid in
// [from, to].
func (a *Authority) Issue(key *ecdsa.PublicKey, name Name, from, to time.Time) (*Certificate, error) {
	if a.Root.x == nil {
		return nil, fmt.Errorf("issue certificate: root: %w", a.Root.Malformed)
	}
	t := &smx509.Certificate{
		SerialNumber: newSerial(), Subject: name.pkix(), NotBefore: from, NotAfter: to,
		BasicConstraintsValid: true,
		KeyUsage:              smx509.KeyUsageDigitalSignature | smx509.KeyUsageContentCommitment,
	}
	return createCertificate(t, a.Root.x, key, a.Key)
}

func createCertificate(t, parent *smx509.Certificate, pub *ecdsa.PublicKey, key Signer) (*Certificate, error) {
	der, err := smx509.CreateCertificate(rand.Reader, t, parent, pub, messageSigner{key})
	if err != nil {
		return nil, fmt.Errorf("create certificate for %q: %w", t.Subject.CommonName, err)
	}
	return ParseCertificate(der)
}

// newSerial draws a positive 127-bit serial number.
func newSerial() *big.Int {
	var b [16]byte
	rand.Read(b[:])
	b[0] = b[0]&0x7f | 0x40
	return new(big.Int).SetBytes(b[:])
}

// messageSigner lets smx509 sign with a Signer, which takes messages only.
type messageSigner struct{ Signer }

func (s messageSigner) Public() crypto.PublicKey { return s.Signer.Public() }

func (s messageSigner) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("this SM2 key signs messages, not digests")
}

func (s messageSigner) SignMessage(_ io.Reader, msg []byte, _ crypto.SignerOpts) ([]byte, error) {
	return s.SignSM2(msg)
}

// Usage is what a certificate must be good for.
type Usage int

const (
	// UsageSign asks for digitalSignature or contentCommitment.
	UsageSign Usage = iota
	// UsageCertify asks for a certification authority.
	UsageCertify
)

// Reasons why a certificate is not trusted, to be told apart with errors.Is.
var (
	ErrMalformed   = errors.New("certificate is not well-formed")
	ErrUnknownRoot = errors.New("certificate chain ends at no trusted root")
	ErrNotYetValid = errors.New("certificate was not valid yet")
	ErrExpired     = errors.New("certificate had expired")
	ErrUsage       = errors.New("certificate is not meant for this use")
)

// maxChain bounds the length of a certificate chain.
const maxChain = 4

// CheckChain tells whether c was trusted for use at time t: every certificate
// up to one of roots well-formed, signed by the next, valid at t and allowed to
// do what it did. Other certificates of roots may serve as intermediates only
// by being roots themselves. Errors wrap one of the reasons above.
func CheckChain(c *Certificate, roots []*Certificate, t time.Time, use Usage) error {
	for depth := 0; depth < maxChain; depth++ {
		if err := checkOne(c, t, use); err != nil {
			return err
		}
		for _, r := range roots {
			if c.Equal(r) {
				return nil
			}
		}
		issuer := issuerOf(c, roots)
		if issuer == nil {
			return fmt.Errorf("%q: %w", c.Subject(), ErrUnknownRoot)
		}
		c, use = issuer, UsageCertify
	}
	return ErrUnknownRoot
}

func issuerOf(c *Certificate, roots []*Certificate) *Certificate {
	for _, r := range roots {
		if r.x == nil || string(r.x.RawSubject) != string(c.x.RawIssuer) {
			continue
		}
		if Verify(r.Key, c.x.RawTBSCertificate, c.x.Signature) {
			return r
		}
	}
	return nil
}

func checkOne(c *Certificate, t time.Time, use Usage) error {
	if c.x == nil {
		return ErrMalformed
	}
	switch {
	case len(c.x.UnhandledCriticalExtensions) > 0:
		return fmt.Errorf("%q: unknown critical extension: %w", c.Subject(), ErrMalformed)
	case t.Before(c.x.NotBefore):
		return fmt.Errorf("%q: %w", c.Subject(), ErrNotYetValid)
	case t.After(c.x.NotAfter):
		return fmt.Errorf("%q: %w", c.Subject(), ErrExpired)
	}
	ok := false
	switch use {
	case UsageSign:
		ok = c.x.KeyUsage&(smx509.KeyUsageDigitalSignature|smx509.KeyUsageContentCommitment) != 0 && !c.x.IsCA
	case UsageCertify:
		ok = c.x.IsCA && c.x.BasicConstraintsValid && c.x.KeyUsage&smx509.KeyUsageCertSign != 0
	}
	if !ok {
		return fmt.Errorf("%q: %w", c.Subject(), ErrUsage)
	}
	return nil
}
