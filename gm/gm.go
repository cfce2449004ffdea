// Package gm holds the commercial cryptography of China the platform uses: SM2
// keys and certificates, SM3 digests, SM4-GCM, the encrypted key store and time.
// It is thin over github.com/emmansun/gmsm and knows nothing of licenses.
//
// Every SM2 signature here is SM2-with-SM3 with the default user identifier
// 1234567812345678 (GM/T 0009-2012 clause 10) and is encoded as the DER
// SEQUENCE{r, s}.
package gm

import (
	"bytes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding"
	"errors"
	"fmt"
	"hash"
	"slices"
	"sync/atomic"

	"github.com/emmansun/gmsm/sm2"
	"github.com/emmansun/gmsm/sm3"
	"github.com/emmansun/gmsm/sm4"
)

// DigestSize is the length of an SM3 digest in bytes.
const DigestSize = sm3.Size

// Sum returns the SM3 digest of data (GB/T 32905-2016).
func Sum(data []byte) [DigestSize]byte { return sm3.Sum(data) }

// NewHash returns a running SM3 digest.
func NewHash() hash.Hash { return sm3.New() }

// KeySize is the length of an SM4 key in bytes.
const KeySize = 16

// NewAEAD returns SM4 in Galois counter mode (GB/T 36624-2018) under a key of
// KeySize bytes.
func NewAEAD(key []byte) (cipher.AEAD, error) {
	block, aead, err := newGCM(key)
	if err != nil {
		return nil, err
	}
	return widen(block, aead, key), nil
}

// newGCM is the library's.
func newGCM(key []byte) (cipher.Block, cipher.AEAD, error) {
	block, err := sm4.NewCipher(key)
	if err != nil {
		return nil, nil, fmt.Errorf("SM4 key: %w", err)
	}
	aead, err := cipher.NewGCM(block)
	return block, aead, err
}

// Encrypt seals plain under aead with a fresh random nonce put before the cipher
// text; bound is authenticated and must be given again to Decrypt.
func Encrypt(aead cipher.AEAD, plain, bound []byte) []byte {
	return AppendEncrypt(nil, aead, plain, bound)
}

// AppendEncrypt is Encrypt behind what stands in out, which it may extend.
func AppendEncrypt(out []byte, aead cipher.AEAD, plain, bound []byte) []byte {
	n := aead.NonceSize()
	out = slices.Grow(out, n+len(plain)+aead.Overhead())
	nonce := out[len(out) : len(out)+n]
	rand.Read(nonce) // crypto/rand.Read never fails (Go 1.24)
	return aead.Seal(out[:len(out)+n], nonce, plain, bound)
}

// ErrDecrypt says that a cipher text is not what was encrypted: it was changed,
// cut, or stands in another place than the one it was bound to.
var ErrDecrypt = errors.New("cipher text does not authenticate")

// Decrypt opens what Encrypt made.
func Decrypt(aead cipher.AEAD, sealed, bound []byte) ([]byte, error) {
	n := aead.NonceSize()
	if len(sealed) < n+aead.Overhead() {
		return nil, ErrDecrypt
	}
	plain, err := aead.Open(nil, sealed[:n], sealed[n:], bound)
	if err != nil {
		return nil, ErrDecrypt
	}
	return plain, nil
}

// Signer is a private SM2 key that can be used but not taken out: a key of the
// encrypted key store, of a PKCS#11 device, or of a separate signing process.
type Signer interface {
	// Public returns the public key.
	Public() *ecdsa.PublicKey
	// SignSM2 signs message (not its digest) and returns the DER signature. An
	// error means that no signature left the key's keeper, or that it is not
	// known whether one did.
	SignSM2(message []byte) ([]byte, error)
}

// Verify tells whether der is the SM2 signature of message under pub.
func Verify(pub *ecdsa.PublicKey, message, der []byte) bool {
	return pub != nil && sm2.VerifyASN1WithSM2(pub, nil, message, der)
}

// SoftKey is a Signer held in this process's memory.
type SoftKey struct {
	key   *sm2.PrivateKey
	began atomic.Pointer[beginning]
}

// beginning is how the long messages of a key begin: a seal stands, whole, before
// each thing it seals. Its digest is taken once.
type beginning struct {
	text  []byte
	state []byte // of SM3 after Z and text; nil before two messages have shown what they share
}

// sharedLength is from how many bytes on a beginning is kept.
const sharedLength = 1024

// sum is SumFor of the key.
func (k *SoftKey) sum(message []byte) ([]byte, error) {
	if len(message) < sharedLength {
		return SumFor(&k.key.PublicKey, message)
	}
	h := sm3.New().(interface {
		hash.Hash
		encoding.BinaryMarshaler
		encoding.BinaryUnmarshaler
	})
	last := k.began.Load()
	if last != nil && last.state != nil && bytes.HasPrefix(message, last.text) {
		if err := h.UnmarshalBinary(last.state); err != nil {
			return nil, err
		}
		h.Write(message[len(last.text):])
		return h.Sum(nil), nil
	}
	z, err := sm2.CalculateZA(&k.key.PublicKey, nil)
	if err != nil {
		return nil, err
	}
	h.Write(z)
	next, n := &beginning{text: bytes.Clone(message)}, 0
	if last != nil {
		for n < min(len(message), len(last.text)) && message[n] == last.text[n] {
			n++
		}
	}
	if n >= sharedLength {
		h.Write(message[:n])
		next.text = next.text[:n:n]
		if next.state, err = h.MarshalBinary(); err != nil {
			return nil, err
		}
	} else {
		n = 0
	}
	h.Write(message[n:])
	k.began.Store(next)
	return h.Sum(nil), nil
}

// GenerateKey makes a new random SM2 key.
func GenerateKey() (*SoftKey, error) {
	k, err := sm2.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generate SM2 key: %w", err)
	}
	return &SoftKey{key: k}, nil
}

// Public returns the public key.
func (k *SoftKey) Public() *ecdsa.PublicKey { return &k.key.PublicKey }

// SignSM2 signs message with the default user identifier.
func (k *SoftKey) SignSM2(message []byte) ([]byte, error) {
	sum, err := k.sum(message)
	if err != nil {
		return nil, fmt.Errorf("SM2 signature: %w", err)
	}
	der, err := k.key.Sign(rand.Reader, sum, nil) // without options it is the digest that is given
	if err != nil {
		return nil, fmt.Errorf("SM2 signature: %w", err)
	}
	return der, nil
}

// SumFor returns the SM3 digest of data as SM2 signs it: with the digest Z of the
// signer's key and the default identifier before it (GM/T 0009-2012 8.1).
func SumFor(pub *ecdsa.PublicKey, data []byte) ([]byte, error) {
	return sm2.CalculateSM2Hash(pub, data, []byte("1234567812345678"))
}
