package sheet

import (
	"bytes"
	"compress/flate"
	"io"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// What is packed with codes made before is what any reader of deflate unpacks,
// whether or not the text is like the samples.
func TestTextPackedWithCodesMadeBefore(t *testing.T) {
	sample := strings.Repeat(`<ofd:TextObject ID="25" Boundary="64.942 68.952 55.033 6.35"><ofd:TextCode>福州市鼓楼区</ofd:TextCode></ofd:TextObject>`, 8)
	learnt := CodesFor(sample, "M 0 1 L 14 1 M 18 1 L 22 1 ")
	try := func(t interface{ Fatalf(string, ...any) }, data []byte) {
		for name, c := range map[string]*Codes{"fixed": FixedCodes, "learnt": learnt} {
			got, err := io.ReadAll(flate.NewReader(bytes.NewReader(c.Pack(data))))
			if err != nil || !bytes.Equal(got, data) {
				t.Fatalf("%s: %d bytes come back as %d, %v", name, len(data), len(got), err)
			}
		}
	}
	for n := range 700 {
		try(t, []byte(strings.Repeat("<ofd:CheckValue>", n)[:n]))
	}
	rapid.Check(t, func(t *rapid.T) {
		alphabet := rapid.IntRange(1, 256).Draw(t, "alphabet")
		data := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) byte { return byte(rapid.IntRange(0, alphabet-1).Draw(t, "byte")) }), 0, 600).Draw(t, "data")
		try(t, bytes.Repeat(data, rapid.IntRange(1, 120).Draw(t, "times"))) // past the window, too
	})
	if fixed, own := len(FixedCodes.Pack([]byte(sample))), len(learnt.Pack([]byte(sample))); own > fixed+80 {
		t.Errorf("the sample takes %d bytes with its codes, %d with fixed ones", own, fixed)
	}
}
