package store

import (
	"encoding/json"

	"github.com/fxamacker/cbor/v2"
)

// What is encrypted whole is kept as CBOR (RFC 8949) with the names JSON gives its
// parts. A lot writes and reads its rows' contents many times over, and JSON took a
// thirtieth of all its work.
var (
	contentEncoding = must(cbor.EncOptions{Time: cbor.TimeRFC3339Nano}.EncMode())
	contentDecoding = must(cbor.DecOptions{UTF8: cbor.UTF8DecodeInvalid}.DecMode()) // what was taken once is given back
)

// EncodeContent returns v as content to be encrypted.
func EncodeContent(v any) ([]byte, error) { return contentEncoding.Marshal(v) }

// DecodeContent reads such content into *v. What was kept before there was CBOR
// is a JSON object.
func DecodeContent(b []byte, v any) error {
	if len(b) > 0 && b[0] == '{' { // which in CBOR begins a text of gigabytes
		return json.Unmarshal(b, v)
	}
	return contentDecoding.Unmarshal(b, v)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err) // options of this program are wrong
	}
	return v
}
