package document

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/fxamacker/cbor/v2"

	"elicense/gm"
)

// Statement is what the QR code of a print says (Art. 15): which license was
// printed when and in what state, with a commitment for each value on its face,
// signed by the platform. A checker without network types a value he reads on
// the paper and is told whether the license had it when it was printed; the
// statement itself betrays no value to one who does not know it already.
type Statement struct {
	Identifier string    // 证照标识
	Status     string    // of the license when it was printed, in Chinese
	Printed    time.Time // whole seconds
	KeyID      [8]byte   // of the certificate it was signed with

	salt  [saltSize]byte
	marks []byte // a mark of markSize bytes for each value, in ascending order
}

const (
	saltSize = 12
	// markSize makes finding another value with the mark of one on the face as
	// hard as 2^64 digests.
	markSize = 8
	// MaxStatement bounds an encoded statement in bytes, so that its QR code can
	// be printed and read.
	MaxStatement = 400
	maxMarks     = 22
	signature    = 64
)

// wire is a statement as it is encoded: a CBOR array (RFC 8949, deterministic).
type wire struct {
	_          struct{} `cbor:",toarray"`
	Version    int
	Identifier string
	Status     string
	Printed    int64
	KeyID      []byte
	Salt       []byte
	Marks      []byte
}

// signedWire is what stands in the QR code.
type signedWire struct {
	_         struct{} `cbor:",toarray"`
	Statement []byte
	Signature []byte // r and s, 32 bytes each
}

const statementVersion = 1

// Errors of statements.
var (
	ErrStatement     = errors.New("not a statement of a print")
	ErrStatementSign = errors.New("the statement is not signed by a known key")
)

// KeyIDOf names a certificate in statements: the first bytes of its SM3 digest.
func KeyIDOf(c *gm.Certificate) (id [8]byte) {
	sum := gm.Sum(c.DER)
	copy(id[:], sum[:])
	return id
}

// NewStatement makes a statement about a license whose face shows the values.
// Only as many values as the QR code has room for get a mark, the first ones.
func NewStatement(identifier, status string, printed time.Time, values []string, cert *gm.Certificate) *Statement {
	s := &Statement{Identifier: identifier, Status: status, Printed: printed.Truncate(time.Second), KeyID: KeyIDOf(cert)}
	rand.Read(s.salt[:]) // crypto/rand.Read never fails (Go 1.24)
	seen := map[string]bool{}
	for _, v := range values {
		v = plainValue(v)
		if v == "" || seen[v] || len(seen) >= maxMarks {
			continue
		}
		seen[v] = true
		m := s.mark(v)
		s.marks = append(s.marks, m[:]...)
	}
	sortMarks(s.marks)
	return s
}

// sortMarks hides which mark belongs to which place of the face.
func sortMarks(b []byte) {
	for i := markSize; i < len(b); i += markSize {
		for j := i; j > 0 && bytes.Compare(b[j:j+markSize], b[j-markSize:j]) < 0; j -= markSize {
			for k := range markSize {
				b[j+k], b[j-markSize+k] = b[j-markSize+k], b[j+k]
			}
		}
	}
}

func (s *Statement) mark(value string) (m [markSize]byte) {
	sum := gm.MAC(s.salt[:], []byte("elicense mark 1"), []byte(value))
	copy(m[:], sum)
	return m
}

// plainValue is a value as it is compared: without blanks, and with the full
// width forms of brackets, digits and letters taken for the half width ones,
// which nobody can tell apart on paper.
func plainValue(v string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return -1
		case r >= 0xff01 && r <= 0xff5e:
			return r - 0xfee0
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		}
		return r
	}, v)
}

// Holds tells whether the printed face showed a value.
func (s *Statement) Holds(value string) bool {
	v := plainValue(value)
	if v == "" {
		return false
	}
	m := s.mark(v)
	for i := 0; i+markSize <= len(s.marks); i += markSize {
		if bytes.Equal(s.marks[i:i+markSize], m[:]) {
			return true
		}
	}
	return false
}

// Values tells how many values have a mark.
func (s *Statement) Values() int { return len(s.marks) / markSize }

var encoding = func() cbor.EncMode {
	m, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		panic(err) // the options are the library's own
	}
	return m
}()

var decoding = func() cbor.DecMode {
	m, err := cbor.DecOptions{MaxNestedLevels: 4, MaxArrayElements: 16, IndefLength: cbor.IndefLengthForbidden, ExtraReturnErrors: cbor.ExtraDecErrorUnknownField}.DecMode()
	if err != nil {
		panic(err) // the options are constant
	}
	return m
}()

// Sign encodes the statement and signs it. It has at most MaxStatement bytes.
func (s *Statement) Sign(key gm.Signer) ([]byte, error) {
	body, err := encoding.Marshal(wire{
		Version: statementVersion, Identifier: s.Identifier, Status: s.Status, Printed: s.Printed.Unix(), KeyID: s.KeyID[:], Salt: s.salt[:], Marks: s.marks,
	})
	if err != nil {
		return nil, fmt.Errorf("statement: %w", err)
	}
	der, err := key.SignSM2(body)
	if err != nil {
		return nil, fmt.Errorf("statement: %w", err)
	}
	raw, err := gm.RawSignature(der)
	if err != nil {
		return nil, fmt.Errorf("statement: %w", err)
	}
	out, err := encoding.Marshal(signedWire{Statement: body, Signature: raw})
	if err != nil {
		return nil, fmt.Errorf("statement: %w", err)
	}
	if len(out) > MaxStatement {
		return nil, fmt.Errorf("statement of %d bytes: %w", len(out), ErrStatement)
	}
	return out, nil
}

// ParseStatement reads a signed statement and checks it against the certificates
// prints are signed with. Errors wrap ErrStatement or ErrStatementSign.
func ParseStatement(data []byte, signers []*gm.Certificate) (*Statement, error) {
	var outer signedWire
	var w wire
	if len(data) > MaxStatement {
		return nil, ErrStatement
	}
	if err := decoding.Unmarshal(data, &outer); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStatement, err)
	}
	if err := decoding.Unmarshal(outer.Statement, &w); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStatement, err)
	}
	if w.Version != statementVersion || len(w.KeyID) != 8 || len(w.Salt) != saltSize || len(w.Marks)%markSize != 0 || len(outer.Signature) != signature {
		return nil, ErrStatement
	}
	s := &Statement{Identifier: w.Identifier, Status: w.Status, Printed: time.Unix(w.Printed, 0).UTC(), KeyID: [8]byte(w.KeyID), salt: [saltSize]byte(w.Salt), marks: w.Marks}
	for _, c := range signers {
		if KeyIDOf(c) == s.KeyID && gm.VerifyRaw(c.Key, outer.Statement, outer.Signature) {
			return s, nil
		}
	}
	return nil, ErrStatementSign
}

// statementMark stands before a statement in the fragment of an address, so that
// it never reaches a server.
const statementMark = "#p="

// StatementURL is the text of a print's QR code: the check page's address with
// the statement in its fragment, which browsers do not send.
func StatementURL(page string, signed []byte) string {
	return page + statementMark + base64.RawURLEncoding.EncodeToString(signed)
}

// FromStatementURL takes a statement out of the text of a QR code.
func FromStatementURL(text string) ([]byte, error) {
	_, code, ok := strings.Cut(strings.TrimSpace(text), statementMark)
	if !ok || len(code) > 2*MaxStatement {
		return nil, ErrStatement
	}
	data, err := base64.RawURLEncoding.DecodeString(code)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrStatement, err)
	}
	return data, nil
}
