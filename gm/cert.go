package gm

import (
	"crypto/ecdsa"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
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

// maxCertificate bounds a certificate in bytes. Real ones have up to 3 KB.
const maxCertificate = 64 << 10

// ParseCertificate reads one DER certificate.
func ParseCertificate(der []byte) (*Certificate, error) {
	if len(der) > maxCertificate {
		return nil, fmt.Errorf("certificate: %w", errTooLarge)
	}
	x, err := smx509.ParseCertificate(der)
	if err == nil {
		key, ok := x.PublicKey.(*ecdsa.PublicKey)
		switch {
		case ok && key.Curve == sm2.P256():
			return &Certificate{DER: x.Raw, Key: key, x: x}, nil
		case x.SignatureAlgorithm == smx509.SM2WithSM3: // not of another world, but wrong in ours
			return nil, errors.New("certificate: of an unknown key")
		}
		return nil, fmt.Errorf("certificate: %w", ErrNotSM2)
	}
	key, keyErr := certifiedKey(der)
	if keyErr != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	return &Certificate{DER: der, Key: key, Malformed: err}, nil
}

// ErrNotSM2 says that a certificate is neither of an SM2 key nor signed with one.
var ErrNotSM2 = errors.New("not an SM2 certificate")

// errTooLarge says that something is larger than anything real.
var errTooLarge = errors.New("too large")

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

// maxPEM bounds the certificates of one PEM file.
const maxPEM = 1000

// ParsePEM reads every CERTIFICATE block of data, at most 1000. No block is an
// error.
func ParsePEM(data []byte) ([]*Certificate, error) {
	var list []*Certificate
	for len(list) < maxPEM {
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

// Device returns what the owner's key is bound to, "" for a key that is bound to
// nothing.
func (c *Certificate) Device() string {
	if c.x == nil {
		return ""
	}
	return c.x.Subject.SerialNumber
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

// ValidAt tells whether t lies in the certificate's validity; no time does for a
// malformed one.
func (c *Certificate) ValidAt(t time.Time) bool {
	return c.x != nil && !t.Before(c.x.NotBefore) && !t.After(c.x.NotAfter)
}

// Equal tells whether both are the same certificate, byte for byte.
func (c *Certificate) Equal(o *Certificate) bool {
	return o != nil && string(c.DER) == string(o.DER)
}
