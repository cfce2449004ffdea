// Package sheettest gives tests the machine's fonts, read once, and compares where the
// drawings of a sheet put their ink.
package sheettest

import (
	"sync"
	"testing"

	"elicense/sheet"
)

var load = sync.OnceValues(sheet.SystemFonts)

// Fonts returns the fonts licenses are made with. A machine without them fails
// the test and is told what to install.
func Fonts(t testing.TB) *sheet.FontSet {
	t.Helper()
	set, err := load()
	if err != nil {
		t.Fatalf("%v: apt-get install fonts-arphic-uming fonts-wqy-zenhei fonts-arphic-gkai00mp fonts-babelstone-han", err)
	}
	return set
}
