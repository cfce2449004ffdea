package registry

import (
	"crypto/ecdsa"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"elicense/gm"
)

// The wire: POST {URL}{Path} with a question as JSON; 200 with an answer as JSON.
// Both are signed with SM2 over lines of text, the digests being SM3 in
// hexadecimal, the signatures DER in base64:
//
//	question  elicense-{Name}-1, time, nonce, digest of the question
//	answer    elicense-answer-1, time, nonce of the question, digest of the question, digest of the answer
//
// The headers carry what is not in the bodies. Any status but 200 is a failure
// and need not be signed.
const (
	headerKey       = "Elicense-Key" // who asks: SM3 of his public key, the first 16 bytes
	headerTime      = "Elicense-Time"
	headerNonce     = "Elicense-Nonce"
	headerSignature = "Elicense-Signature"

	maxSkew = 5 * time.Minute // between the clocks of platform and registry
)

// Protocol is what two systems speak about: a signature made for one is none for
// another.
type Protocol struct {
	Name        string // in what is signed
	Path        string // after the address of who answers
	MaxQuestion int    // bytes
	MaxAnswer   int
}

// Comparing is what the base registries are asked: a Question, a Reply.
var Comparing = Protocol{Name: "compare", Path: "/compare", MaxQuestion: 64 << 10, MaxAnswer: 16 << 10}

// The ways an answer can not be believed.
var (
	ErrStatus    = errors.New("the registry failed")
	ErrAnswer    = errors.New("the answer is none")
	ErrSignature = errors.New("the answer's signature does not hold")
	ErrNonce     = errors.New("the answer is not to this question")
	ErrStale     = errors.New("the answer's time is not now")
)

func digest(b []byte) string { d := gm.Sum(b); return hex.EncodeToString(d[:]) }

func questionText(about, at, nonce string, question []byte) []byte {
	return []byte(strings.Join([]string{"elicense-" + about + "-1", at, nonce, digest(question)}, "\n"))
}

func answerText(at, nonce string, question, answer []byte) []byte {
	return []byte(strings.Join([]string{"elicense-answer-1", at, nonce, digest(question), digest(answer)}, "\n"))
}

func sign(h http.Header, key gm.Signer, text []byte) error {
	der, err := key.SignSM2(text)
	if err != nil {
		return fmt.Errorf("sign: %w", err)
	}
	h.Set(headerSignature, base64.StdEncoding.EncodeToString(der))
	return nil
}

func signed(h http.Header, key *ecdsa.PublicKey, text []byte) bool {
	der, err := base64.StdEncoding.DecodeString(h.Get(headerSignature))
	return err == nil && gm.Verify(key, text, der)
}

// near tells whether a time of the wire is about now.
func near(text string, now time.Time) bool {
	at, err := time.Parse(time.RFC3339, text)
	return err == nil && at.Sub(now).Abs() <= maxSkew
}

// KeyName is how a public key is named on the wire: SM3 of its PEM, the first 16
// bytes in hexadecimal.
func KeyName(key *ecdsa.PublicKey) (string, error) { return keyName(key) }

// keyName is how a public key is named on the wire.
func keyName(key *ecdsa.PublicKey) (string, error) {
	pem, err := gm.MarshalPublicKey(key)
	if err != nil {
		return "", err
	}
	return digest(pem)[:32], nil
}
