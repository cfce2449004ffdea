package seal

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"elicense/gm"
)

// value is what SignedValue.dat holds, of whatever kind.
type value struct {
	version   int
	seal      *Seal // nil for a plain signature
	sealDER   []byte
	time      time.Time // claimed time of signing, zero if none
	hash      []byte    // digest of Signature.xml that was signed
	property  string    // propertyInfo
	cert      *gm.Certificate
	certs     []*gm.Certificate // all that came with it
	algorithm string
	signed    []byte
	signature []byte
	stamp     []byte // time stamp token; nil if there is none

	extensions []Extension
}

// errNoCertificate says that a signature comes without a certificate, so that it
// can't be told whose it is.
var errNoCertificate = errors.New("signature without a certificate")

// known tells whether the algorithm is one of SM2 signatures with SM3.
func (v *value) known() bool {
	return v.algorithm == oidSM2SM3 || v.algorithm == oidSM2Sign && v.seal == nil
}

// holds tells whether the signer's signature holds.
func (v *value) holds() bool {
	return v.known() && gm.Verify(v.cert.Key, v.signed, derSignature(v.signature))
}

// parseSealValue reads a SES_Signature (GB/T 38540-2020 7.1, GM/T 0031-2014 6.2.1).
func parseSealValue(der []byte, cache *gm.Cache) (*value, error) {
	m, err := members(der)
	if err != nil {
		return nil, err
	}
	if len(m) < 2 || m[0].tag != tSeq {
		return nil, shapeError("SES_Signature")
	}
	tbs, err := split(m[0].body)
	if err != nil {
		return nil, err
	}
	v := &value{signed: m[0].full}
	var cert, algorithm, signature element
	switch {
	case len(m) >= 4 && len(m) <= 5 && begins(m[1:], tOctets, tOID, tBits) && len(tbs) >= 5 && len(tbs) <= 6 && begins(tbs, tInt, tSeq, tGen, tBits, tIA5):
		cert, algorithm, signature = m[1], m[2], m[3]
		if v.time, err = tbs[2].time(); err != nil {
			return nil, err
		}
		if len(m) == 5 {
			if v.stamp, err = m[4].taggedBits(); err != nil {
				return nil, err
			}
		}
		if len(tbs) == 6 {
			if v.extensions, err = tbs[5].extensions(); err != nil {
				return nil, err
			}
		}
	case len(m) == 2 && m[1].tag == tBits && len(tbs) == 7 && begins(tbs, tInt, tSeq, tBits, tBits, tIA5, tOctets, tOID):
		cert, algorithm, signature = tbs[5], tbs[6], m[1]
		v.time = oldTime(tbs[2])
	default:
		return nil, shapeError("SES_Signature")
	}
	if v.version, err = tbs[0].int(); err != nil {
		return nil, err
	}
	v.sealDER, v.property, v.algorithm = tbs[1].full, tbs[4].text(), algorithm.oid()
	if v.hash, err = tbs[3].bits(); err != nil {
		return nil, err
	}
	if v.signature, err = signature.bits(); err != nil {
		return nil, err
	}
	if v.cert, err = cache.Certificate(cert.body); err != nil {
		return nil, fmt.Errorf("signer: %w", err)
	}
	v.seal, err = parseSeal(v.sealDER, cache)
	return v, err
}

// oldTime reads the time of version 1, which is a UTCTime or a time stamp by the
// standard and text of several forms in fact; zero if it is none of them. What a
// time stamp is of the standard does not say, so that its time is taken as the
// signer's claim.
func oldTime(e element) time.Time {
	body, err := e.bits()
	if err != nil {
		return time.Time{}
	}
	if list, err := split(body); err == nil && len(list) == 1 {
		if t, err := list[0].time(); err == nil {
			return t
		}
		if token, err := gm.ParseToken(body); err == nil {
			return token.Time
		}
	}
	for _, form := range []string{time.RFC3339, "2006-01-02 15:04:05", "20060102150405Z", "20060102150405"} {
		if t, err := time.Parse(form, string(body)); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// parsePlainValue reads a signature without a seal: SignedData of GB/T
// 35275-2017, or a bare SM2 signature, which gives errNoCertificate.
func parsePlainValue(der []byte, cache *gm.Cache) (*value, error) {
	m, err := members(der)
	if err != nil {
		return nil, err
	}
	if len(m) == 2 && begins(m, tInt, tInt) {
		return nil, errNoCertificate
	}
	if len(m) != 2 || !begins(m, tOID, tContext0) || m[0].oid() != oidSignedData {
		return nil, shapeError("ContentInfo")
	}
	d, err := members(m[1].body)
	if err != nil {
		return nil, err
	}
	if len(d) < 4 || !begins(d, tInt, tSet, tSeq) || d[len(d)-1].tag != tSet {
		return nil, shapeError("SignedData")
	}
	var certs []element
	for _, e := range d[3 : len(d)-1] {
		if e.tag == tContext0 {
			if certs, err = split(e.body); err != nil {
				return nil, err
			}
		}
	}
	signers, err := split(d[len(d)-1].body)
	if err != nil || len(signers) != 1 || signers[0].tag != tSeq {
		return nil, shapeError("not one SignerInfo")
	}
	v := &value{}
	if err := v.parseSigner(signers[0].body, content(d[2])); err != nil {
		return nil, err
	}
	return v, v.chooseCert(certs, cache)
}

// content returns the octets a SignedData carries, nil if they are elsewhere.
func content(info element) []byte {
	c, err := split(info.body)
	if err != nil || len(c) != 2 || c[1].tag != tContext0 {
		return nil
	}
	inner, err := split(c[1].body)
	if err != nil || len(inner) != 1 || inner[0].tag != tOctets {
		return nil
	}
	return inner[0].body
}

// parseSigner reads a SignerInfo. Without attributes the content, which is the
// digest of Signature.xml, is what is signed; with them, their DER as a SET.
func (v *value) parseSigner(body, content []byte) error {
	s, err := split(body)
	if err != nil || !begins(s, tInt, tSeq, tSeq) {
		return shapeError("SignerInfo")
	}
	rest := s[3:]
	v.hash, v.signed = content, content
	if len(rest) > 0 && rest[0].tag == tContext0 {
		attrs := rest[0]
		rest = rest[1:]
		v.signed = encode(tSet, attrs.body)
		digest, when, err := attributes(attrs.body)
		if err != nil {
			return err
		}
		v.time = when
		if content != nil {
			if sum := gm.Sum(content); !bytes.Equal(sum[:], digest) {
				return shapeError("the digest of the content")
			}
		} else {
			v.hash = digest
		}
	}
	if len(rest) < 2 || !begins(rest, tSeq, tOctets) || v.hash == nil {
		return shapeError("SignerInfo")
	}
	algorithm, err := split(rest[0].body)
	if err != nil || !begins(algorithm, tOID) {
		return shapeError("signature algorithm")
	}
	v.algorithm, v.signature = algorithm[0].oid(), rest[1].body
	switch {
	case len(rest) == 2:
		return nil
	case len(rest) == 3 && rest[2].tag == tContext1:
		return v.unsigned(rest[2].body)
	}
	return shapeError("SignerInfo")
}

// unsigned looks for a time stamp among the attributes nobody signed.
func (v *value) unsigned(body []byte) error {
	list, err := split(body)
	if err != nil {
		return err
	}
	for _, a := range list {
		m, err := split(a.body)
		if err != nil || len(m) != 2 || !begins(m, tOID, tSet) {
			return shapeError("attribute")
		}
		if m[0].oid() == oidTimeStamp {
			v.stamp = m[1].body
		}
	}
	return nil
}

func attributes(body []byte) (digest []byte, when time.Time, err error) {
	list, err := split(body)
	if err != nil {
		return nil, when, err
	}
	for _, a := range list {
		m, err := split(a.body)
		if err != nil || len(m) != 2 || !begins(m, tOID, tSet) {
			return nil, when, shapeError("attribute")
		}
		values, err := split(m[1].body)
		if err != nil || len(values) != 1 {
			return nil, when, shapeError("attribute")
		}
		switch m[0].oid() {
		case oidMessageDigest:
			digest = values[0].body
		case oidSigningTime:
			if when, err = values[0].time(); err != nil {
				return nil, when, err
			}
		}
	}
	if digest == nil {
		return nil, when, shapeError("no message digest")
	}
	return digest, when, nil
}

// maxCerts bounds the certificates a signature without a seal is tried with.
const maxCerts = 16

// chooseCert takes the certificate whose key made the signature, or the first
// for a signature that no key made.
func (v *value) chooseCert(certs []element, cache *gm.Cache) error {
	if len(certs) > maxCerts {
		return shapeError("too many certificates")
	}
	for i, e := range certs {
		c, err := cache.Certificate(e.full)
		if err != nil {
			if i == 0 {
				return fmt.Errorf("signer: %w", err)
			}
			continue
		}
		v.certs = append(v.certs, c)
		if v.cert == nil {
			v.cert = c
		}
	}
	if v.cert == nil {
		return errNoCertificate
	}
	for _, c := range v.certs {
		if len(v.certs) > 1 && gm.Verify(c.Key, v.signed, derSignature(v.signature)) {
			v.cert = c
			break
		}
	}
	return nil
}
