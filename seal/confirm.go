package seal

import (
	"errors"
	"fmt"

	"elicense/gm"
	"elicense/ofd"
)

// ErrConfirmed says that the time of a signature is confirmed already.
var ErrConfirmed = errors.New("the time of this signature is confirmed already")

// signedOnce is the file's one seal signature and its place.
func signedOnce(f *ofd.File) (*value, *ofd.Entry, error) {
	e := f.Find(fileSignedValue)
	if e == nil {
		return nil, nil, fmt.Errorf("confirm: %w", ofd.ErrMissing)
	}
	v, err := parseSealValue(e.Data, nil)
	if err != nil {
		return nil, nil, fmt.Errorf("confirm: %w", err)
	}
	return v, e, nil
}

// Countersign has a time authority confirm the signature of a file that was sealed
// by Sign without one: the token proves that the signature was there at its time.
// Errors are those of the stamper; ErrStamp for a token of an earlier time than
// the signature claims, and ErrConfirmed.
func Countersign(f *ofd.File, stamper gm.TimeStamper) (token []byte, err error) {
	v, _, err := signedOnce(f)
	if err != nil {
		return nil, err
	}
	if v.stamp != nil {
		return nil, ErrConfirmed
	}
	return (&Use{Time: v.time, Stamper: stamper}).stamp(v.signature)
}

// Confirm puts a token Countersign returned into the file's signature, where it
// stands beside what was signed (GB/T 38540-2020 7.1, timeStamp): the signature
// holds as before, and its time no longer rests on the signer's word.
func Confirm(f *ofd.File, token []byte) ([]byte, error) {
	v, e, err := signedOnce(f)
	if err != nil {
		return nil, err
	}
	if v.stamp != nil {
		return nil, ErrConfirmed
	}
	m, err := members(e.Data)
	if err != nil {
		return nil, fmt.Errorf("confirm: %w", err)
	}
	var parts [][]byte
	for _, x := range m {
		parts = append(parts, x.full)
	}
	stamped := sequence(append(parts, encode(tContext0, encodeBits(token)))...)
	p := &ofd.Package{}
	for _, old := range f.Entries {
		if old.Name == fileSignedValue {
			old.Blob = &ofd.Blob{Data: stamped, Dense: true}
		}
		p.Entries = append(p.Entries, old)
	}
	return p.Bytes(), nil
}
