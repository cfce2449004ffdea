package gm

import (
	"bytes"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/emmansun/gmsm/smx509"
)

// Usage is what a certificate must be good for.
type Usage int

const (
	// UsageSign asks for digitalSignature or contentCommitment of one that is
	// neither an authority's nor only for time stamps.
	UsageSign Usage = iota
	// UsageCertify asks for a certification authority.
	UsageCertify
	// UsageTimeStamp asks for the extended key usage timeStamping, alone and
	// critical (RFC 3161 2.3).
	UsageTimeStamp
)

// Reasons why a certificate is not trusted, to be told apart with errors.Is.
var (
	ErrMalformed   = errors.New("certificate is not well-formed")
	ErrUnknownRoot = errors.New("certificate chain ends at no trusted root")
	ErrNotYetValid = errors.New("certificate was not valid yet")
	ErrExpired     = errors.New("certificate had expired")
	ErrUsage       = errors.New("certificate is not meant for this use")
	ErrPathLength  = errors.New("certificate chain is longer than one of its authorities allows")
	ErrRevoked     = errors.New("certificate had been revoked")
)

// Trust is what certificates are judged by. It is safe for concurrent use and
// must not be changed while it is used.
type Trust struct {
	// Roots are trusted as they are. Without any no certificate is trusted.
	Roots []*Certificate
	// Intermediates are authorities' certificates that chains may lead through;
	// they are not trusted for being here.
	Intermediates []*Certificate
	// Lists are revocation lists. One that no authority of a chain signed does
	// not count.
	Lists []*RevocationList
	// Cache keeps what was found out about signatures, so that a later check of
	// the same certificate costs no arithmetic. Nil keeps nothing.
	Cache *Cache
}

// Revocation is what the revocation lists say about a chain.
type Revocation int

const (
	// RevocationUnknown: for at least one certificate there is no list, or none
	// that speaks of the time asked about.
	RevocationUnknown Revocation = iota
	// NotRevoked: there is a list for every certificate, and none is in it.
	NotRevoked
	// RevokedLater: a certificate was revoked, but after the time asked about.
	RevokedLater
)

// Standing is how a trusted certificate stood.
type Standing struct {
	// Chain leads from the certificate to its root, both included.
	Chain      []*Certificate
	Revocation Revocation
	// Revoked is the entry of the certificate revoked first, if Revocation is
	// RevokedLater or the error ErrRevoked.
	Revoked Revoked
}

// Bounds on the work one check can ask for: authorities above a certificate, and
// candidates for them tried.
const (
	maxChain = 5
	maxLinks = 32
)

// Check tells whether c was trusted for use at time t: every certificate up to a
// root well-formed, signed by the next, valid at t and allowed to do what it
// did (RFC 5280 clause 6, GB/T 20518), and none of them revoked by then. Errors
// wrap one of the reasons above.
func (tr *Trust) Check(c *Certificate, t time.Time, use Usage) (Standing, error) {
	s := &search{tr: tr, t: t, left: maxLinks}
	if err := c.check(t, use, 0); err != nil {
		return Standing{}, err
	}
	chain, err := s.climb([]*Certificate{c})
	if err != nil {
		return Standing{}, err
	}
	return tr.revocation(chain, t)
}

// search looks for a chain.
type search struct {
	tr   *Trust
	t    time.Time
	left int // candidates that may still be tried
}

// climb completes a chain whose last certificate is good. When several ways fail,
// it tells why one failed that went further than to an unknown root.
func (s *search) climb(chain []*Certificate) ([]*Certificate, error) {
	last := chain[len(chain)-1]
	for _, r := range s.tr.Roots {
		if last.Equal(r) {
			return chain, nil
		}
	}
	failure := fmt.Errorf("%q: %w", last.Subject(), ErrUnknownRoot)
	if len(chain) > maxChain {
		return nil, failure
	}
	for _, list := range [][]*Certificate{s.tr.Roots, s.tr.Intermediates} {
		for _, issuer := range list {
			if issuer.x == nil || !bytes.Equal(issuer.x.RawSubject, last.x.RawIssuer) || contains(chain, issuer) || s.left == 0 {
				continue
			}
			s.left--
			if !s.tr.Cache.Verify(issuer, last.x.RawTBSCertificate, last.x.Signature) {
				continue
			}
			err := issuer.check(s.t, UsageCertify, len(chain)-1)
			if err == nil {
				var found []*Certificate
				if found, err = s.climb(append(chain[:len(chain):len(chain)], issuer)); err == nil {
					return found, nil
				}
			}
			if errors.Is(failure, ErrUnknownRoot) {
				failure = err
			}
		}
	}
	return nil, failure
}

func contains(list []*Certificate, c *Certificate) bool {
	for _, o := range list {
		if c.Equal(o) {
			return true
		}
	}
	return false
}

// check looks at one certificate by itself. For an authority, below is how many
// others stand between it and the owner's certificate.
func (c *Certificate) check(t time.Time, use Usage, below int) error {
	switch {
	case c.x == nil:
		return ErrMalformed
	case len(c.x.UnhandledCriticalExtensions) > 0:
		return fmt.Errorf("%q: unknown critical extension: %w", c.Subject(), ErrMalformed)
	case c.x.SignatureAlgorithm != smx509.SM2WithSM3:
		return fmt.Errorf("%q: signed with another algorithm: %w", c.Subject(), ErrMalformed)
	case t.Before(c.x.NotBefore):
		return fmt.Errorf("%q: %w", c.Subject(), ErrNotYetValid)
	case t.After(c.x.NotAfter):
		return fmt.Errorf("%q: %w", c.Subject(), ErrExpired)
	case !c.allows(use):
		return fmt.Errorf("%q: %w", c.Subject(), ErrUsage)
	case use == UsageCertify && (c.x.MaxPathLen > 0 || c.x.MaxPathLenZero) && below > c.x.MaxPathLen:
		return fmt.Errorf("%q: %w", c.Subject(), ErrPathLength)
	}
	return nil
}

// CheckUse tells whether the certificate by itself is good for use at time t.
// Who issued it and whether it was revoked is not looked at. Errors wrap
// ErrMalformed, ErrNotYetValid, ErrExpired or ErrUsage.
func (c *Certificate) CheckUse(t time.Time, use Usage) error { return c.check(t, use, 0) }

// allows tells whether the certificate's extensions allow the use.
func (c *Certificate) allows(use Usage) bool {
	signs := c.x.KeyUsage&(smx509.KeyUsageDigitalSignature|smx509.KeyUsageContentCommitment) != 0 && !c.x.IsCA
	switch use {
	case UsageSign:
		return signs && !c.onlyStampsTime()
	case UsageTimeStamp:
		return signs && c.onlyStampsTime()
	case UsageCertify:
		return c.x.IsCA && c.x.BasicConstraintsValid && c.x.KeyUsage&smx509.KeyUsageCertSign != 0
	}
	return false
}

// onlyStampsTime tells whether the extended key usage is timeStamping, alone and
// critical.
func (c *Certificate) onlyStampsTime() bool {
	if len(c.x.ExtKeyUsage) != 1 || c.x.ExtKeyUsage[0] != smx509.ExtKeyUsageTimeStamping || len(c.x.UnknownExtKeyUsage) > 0 {
		return false
	}
	for _, e := range c.x.Extensions {
		if e.Id.Equal(oidExtendedUsage) {
			return e.Critical
		}
	}
	return false
}

// revocation asks the lists about every certificate of a chain but the root.
func (tr *Trust) revocation(chain []*Certificate, t time.Time) (Standing, error) {
	s := Standing{Chain: chain, Revocation: NotRevoked}
	for i, c := range chain[:len(chain)-1] {
		known := false
		for _, l := range tr.Lists {
			if !l.SignedBy(chain[i+1]) {
				continue
			}
			entry, revoked := l.find(c)
			switch {
			case revoked && (s.Revoked.Serial == nil || entry.Time.Before(s.Revoked.Time)):
				s.Revoked = entry
			case l.speaksOf(c, t):
				known = true
			}
		}
		if !known && s.Revocation == NotRevoked {
			s.Revocation = RevocationUnknown
		}
	}
	switch {
	case s.Revoked.Serial == nil:
	case s.Revoked.Time.After(t):
		s.Revocation = RevokedLater
	default:
		return s, fmt.Errorf("%w at %s", ErrRevoked, s.Revoked.Time.Format(time.RFC3339))
	}
	return s, nil
}

// Cache keeps which signatures were found to hold and the certificates read, by
// the digest of all that went in. It is bounded, and safe for concurrent use.
// A nil Cache keeps nothing.
type Cache struct {
	mu    sync.RWMutex
	holds map[[DigestSize]byte]struct{}
	certs map[[DigestSize]byte]*Certificate
}

// maxCached bounds each part of a cache. A whole province has some thousand
// units with a certificate and a seal each.
const maxCached = 4096

// NewCache returns an empty cache.
func NewCache() *Cache {
	return &Cache{holds: map[[DigestSize]byte]struct{}{}, certs: map[[DigestSize]byte]*Certificate{}}
}

// Verify tells whether by's key made the signature der of message. It is for
// signatures that will be met again, such as those of seals. Only ones that hold
// are kept.
func (c *Cache) Verify(by *Certificate, message, der []byte) bool {
	if c == nil {
		return Verify(by.Key, message, der)
	}
	h := NewHash()
	for _, part := range [][]byte{by.DER, der, message} {
		n := len(part)
		h.Write([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
		h.Write(part)
	}
	key := [DigestSize]byte(h.Sum(nil))
	c.mu.RLock()
	_, known := c.holds[key]
	c.mu.RUnlock()
	if known {
		return true
	}
	if !Verify(by.Key, message, der) {
		return false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.holds) >= maxCached {
		clear(c.holds)
	}
	c.holds[key] = struct{}{}
	return true
}

// Certificate is ParseCertificate for certificates that will be met again.
func (c *Cache) Certificate(der []byte) (*Certificate, error) {
	if c == nil {
		return ParseCertificate(der)
	}
	key := Sum(der)
	c.mu.RLock()
	known := c.certs[key]
	c.mu.RUnlock()
	if known != nil {
		return known, nil
	}
	cert, err := ParseCertificate(bytes.Clone(der)) // not to hold the file it came in
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.certs) >= maxCached {
		clear(c.certs)
	}
	c.certs[key] = cert
	return cert, nil
}
