//go:build !unix

package sheet

import "os"

func readFont(path string) ([]byte, error) { return os.ReadFile(path) }

// LetFontsGo does nothing where fonts are not mapped.
func LetFontsGo() {}
