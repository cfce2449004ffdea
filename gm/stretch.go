package gm

import (
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/emmansun/gmsm/sm2"
	"golang.org/x/crypto/argon2"
)

// Stretch says how a passphrase becomes an SM4 key, by argon2id: slowly, so that
// who holds what is encrypted under it can't try many.
type Stretch struct {
	Salt    []byte `json:"salt"`
	Time    uint32 `json:"time"`   // argon2id passes
	Memory  uint32 `json:"memory"` // KiB
	Threads uint8  `json:"threads"`
}

// NewStretch returns a stretching with a fresh salt: 64 MiB, three passes.
func NewStretch() Stretch {
	s := Stretch{Salt: make([]byte, 16), Time: 3, Memory: 64 << 10, Threads: 4}
	rand.Read(s.Salt)
	return s
}

// errStretch says that a stretching is not one this program makes.
var errStretch = errors.New("unknown parameters of argon2id")

// AEAD derives the key and returns SM4-GCM under it. The bounds keep a damaged
// file from asking for all memory.
func (s *Stretch) AEAD(passphrase []byte) (cipher.AEAD, error) {
	if len(s.Salt) != 16 || s.Time < 1 || s.Time > 20 || s.Memory < 8<<10 || s.Memory > 1<<20 || s.Threads < 1 {
		return nil, errStretch
	}
	return NewAEAD(argon2.IDKey(passphrase, s.Salt, s.Time, s.Memory, s.Threads, KeySize))
}

// Enclose encrypts the private key under aead for a place named by bound, to be
// taken to another machine.
func (k *SoftKey) Enclose(aead cipher.AEAD, bound []byte) []byte {
	secret := k.key.D.FillBytes(make([]byte, 32))
	defer clear(secret)
	return Encrypt(aead, secret, bound)
}

// OpenKey opens what Enclose made; ErrDecrypt if it was changed, belongs to
// another place, or aead is not the one.
func OpenKey(aead cipher.AEAD, sealed, bound []byte) (*SoftKey, error) {
	secret, err := Decrypt(aead, sealed, bound)
	if err != nil {
		return nil, err
	}
	defer clear(secret)
	key, err := sm2.NewPrivateKey(secret)
	if err != nil {
		return nil, fmt.Errorf("SM2 key: %w", err)
	}
	return &SoftKey{key: key}, nil
}
