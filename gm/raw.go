package gm

import (
	"crypto/ecdsa"
	"errors"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

const rawSize = 32 // bytes of r and of s

// RawSignature turns a DER signature into r and s of 32 bytes each, the shortest
// form, for codes that are printed.
func RawSignature(der []byte) ([]byte, error) {
	in := cryptobyte.String(der)
	var seq cryptobyte.String
	out := make([]byte, 2*rawSize)
	if !in.ReadASN1(&seq, asn1.SEQUENCE) || !in.Empty() {
		return nil, errors.New("not an SM2 signature")
	}
	for i := range 2 {
		var n cryptobyte.String
		if !seq.ReadASN1(&n, asn1.INTEGER) {
			return nil, errors.New("not an SM2 signature")
		}
		for len(n) > 1 && n[0] == 0 {
			n = n[1:]
		}
		if len(n) > rawSize {
			return nil, errors.New("not an SM2 signature")
		}
		copy(out[(i+1)*rawSize-len(n):], n)
	}
	return out, nil
}

// VerifyRaw tells whether r and s of 32 bytes each are the SM2 signature of a
// message under pub.
func VerifyRaw(pub *ecdsa.PublicKey, message, raw []byte) bool {
	if len(raw) != 2*rawSize {
		return false
	}
	var b cryptobyte.Builder
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		for i := range 2 {
			n := raw[i*rawSize : (i+1)*rawSize]
			for len(n) > 1 && n[0] == 0 {
				n = n[1:]
			}
			b.AddASN1(asn1.INTEGER, func(b *cryptobyte.Builder) {
				if n[0] >= 0x80 {
					b.AddUint8(0)
				}
				b.AddBytes(n)
			})
		}
	})
	der, err := b.Bytes()
	return err == nil && Verify(pub, message, der)
}
