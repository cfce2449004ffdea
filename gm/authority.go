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
	"slices"
	"strings"
	"time"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/smx509"
)

// Name is the subject of a certificate to be made.
type Name struct {
	Unit       string // O, the organization
	CommonName string // CN
	// Device is what the key is bound to, when it is not free: the attribute
	// serialNumber of X.520, at most 64 printable characters.
	Device string
}

func (n Name) pkix() pkix.Name {
	p := pkix.Name{Country: []string{"CN"}, CommonName: n.CommonName, SerialNumber: n.Device}
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

// Authority issues certificates and revocation lists.
type Authority struct {
	// Root is the authority's own certificate: a root's, or an intermediate
	// authority's as IssueCA makes.
	Root *Certificate
	Key  Signer
}

// Issue certifies key for making seals and signing with them: the key usages
// digitalSignature and contentCommitment (GM/T 0015-2012 5.2.4.2.3), valid in
// [from, to].
func (a *Authority) Issue(key *ecdsa.PublicKey, name Name, from, to time.Time) (*Certificate, error) {
	t := certificate(name, from, to)
	t.KeyUsage = smx509.KeyUsageDigitalSignature | smx509.KeyUsageContentCommitment
	return a.create(t, key)
}

// IssueCA certifies key for an authority under this one, with at most below
// further authorities between it and an owner's certificate.
func (a *Authority) IssueCA(key *ecdsa.PublicKey, name Name, below int, from, to time.Time) (*Certificate, error) {
	if below < 0 {
		return nil, fmt.Errorf("create certificate for %q: path length %d", name.CommonName, below)
	}
	t := certificate(name, from, to)
	t.IsCA, t.MaxPathLen, t.MaxPathLenZero = true, below, below == 0
	t.KeyUsage = smx509.KeyUsageCertSign | smx509.KeyUsageCRLSign
	return a.create(t, key)
}

// IssueTimeAuthority certifies key for time stamps and nothing else: the
// extended key usage timeStamping, alone and critical (RFC 3161 2.3).
func (a *Authority) IssueTimeAuthority(key *ecdsa.PublicKey, name Name, from, to time.Time) (*Certificate, error) {
	t := certificate(name, from, to)
	t.KeyUsage = smx509.KeyUsageDigitalSignature | smx509.KeyUsageContentCommitment
	usages, err := asn1.Marshal([]asn1.ObjectIdentifier{oidTimeStamping})
	if err != nil {
		return nil, err
	}
	t.ExtraExtensions = []pkix.Extension{{Id: oidExtendedUsage, Critical: true, Value: usages}}
	return a.create(t, key)
}

var (
	oidExtendedUsage = asn1.ObjectIdentifier{2, 5, 29, 37}
	oidTimeStamping  = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 8}
)

// certificate is the template of an owner's certificate.
func certificate(name Name, from, to time.Time) *smx509.Certificate {
	return &smx509.Certificate{
		SerialNumber: newSerial(), Subject: name.pkix(), NotBefore: from, NotAfter: to, BasicConstraintsValid: true,
	}
}

func (a *Authority) create(t *smx509.Certificate, key *ecdsa.PublicKey) (*Certificate, error) {
	switch {
	case a.Root.x == nil:
		return nil, fmt.Errorf("issue certificate: root: %w", a.Root.Malformed)
	case !a.Root.Key.Equal(a.Key.Public()):
		return nil, fmt.Errorf("issue certificate: %w", ErrWrongKey)
	}
	return createCertificate(t, a.Root.x, key, a.Key)
}

// ErrWrongKey says that a certificate is of another key.
var ErrWrongKey = errors.New("the certificate is of another key")

// Adopt reads the certificate, DER or PEM, that an outside authority issued for
// a key held here. One of another key gives ErrWrongKey, one that is not
// well-formed ErrMalformed.
func Adopt(key *ecdsa.PublicKey, data []byte) (*Certificate, error) {
	c, err := ParseCertificate(unPEM(data, "CERTIFICATE"))
	switch {
	case err != nil:
		return nil, err
	case c.Malformed != nil:
		return nil, fmt.Errorf("%w: %w", ErrMalformed, c.Malformed)
	case !c.Key.Equal(key):
		return nil, ErrWrongKey
	}
	return c, nil
}

// unPEM returns the content of the first PEM block if it is of one of the types,
// and data itself if it is not PEM.
func unPEM(data []byte, types ...string) []byte {
	if b, _ := pem.Decode(data); b != nil && slices.Contains(types, b.Type) {
		return b.Bytes
	}
	return data
}

// Request asks an authority for a certificate (PKCS #10, RFC 2986; GM/T 0092).
type Request struct {
	DER  []byte
	Key  *ecdsa.PublicKey
	Name Name
}

// NewRequest makes the request for a certificate of key, signed with it, as DER.
func NewRequest(key Signer, name Name) ([]byte, error) {
	der, err := smx509.CreateCertificateRequest(rand.Reader, &smx509.CertificateRequest{Subject: name.pkix()}, messageSigner{key})
	if err != nil {
		return nil, fmt.Errorf("certificate request for %q: %w", name.CommonName, err)
	}
	return der, nil
}

// maxRequest bounds a certificate request in bytes.
const maxRequest = 64 << 10

// ParseRequest reads a request, DER or PEM, and checks that its sender holds the
// key.
func ParseRequest(data []byte) (*Request, error) {
	der := unPEM(data, "CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")
	if len(der) > maxRequest {
		return nil, fmt.Errorf("certificate request: %w", errTooLarge)
	}
	x, err := smx509.ParseCertificateRequest(der)
	if err != nil {
		return nil, fmt.Errorf("certificate request: %w", err)
	}
	key, ok := x.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != sm2.P256() || x.SignatureAlgorithm != smx509.SM2WithSM3 {
		return nil, errors.New("certificate request: not SM2")
	}
	if !Verify(key, x.RawTBSCertificateRequest, x.Signature) {
		return nil, errors.New("certificate request: not signed with the key it is for")
	}
	name := Name{Unit: strings.Join(x.Subject.Organization, "，"), CommonName: x.Subject.CommonName}
	return &Request{DER: x.Raw, Key: key, Name: name}, nil
}

// PEM returns the request as a CERTIFICATE REQUEST block.
func (r *Request) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: r.DER})
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
