package ofd

import (
	"bytes"
	"compress/flate"
	"io"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// What is packed with fixed codes is what any reader of deflate unpacks.
func TestFixedCodes(t *testing.T) {
	try := func(t interface{ Fatalf(string, ...any) }, data []byte) {
		got, err := io.ReadAll(flate.NewReader(bytes.NewReader(packFixed(data))))
		if err != nil || !bytes.Equal(got, data) {
			t.Fatalf("%d bytes come back as %d, %v", len(data), len(got), err)
		}
	}
	for n := range smallText + 1 {
		try(t, []byte(strings.Repeat("<ofd:CheckValue>", n)[:n]))
	}
	rapid.Check(t, func(t *rapid.T) {
		alphabet := rapid.IntRange(1, 256).Draw(t, "alphabet")
		data := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) byte { return byte(rapid.IntRange(0, alphabet-1).Draw(t, "byte")) }), 0, 600).Draw(t, "data")
		try(t, bytes.Repeat(data, min(smallText/max(len(data), 1), 4)))
	})
}
