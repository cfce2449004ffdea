//go:build unix

package sheet

import (
	"errors"
	"math"
	"os"
	"sync"
	"syscall"
)

// readFont maps a font file into memory for as long as the program runs: of the 90
// MB of Chinese fonts a platform draws with a tenth is ever looked at, and what the
// collector counts as living decides how much garbage it lets lie. Packages
// exchange font files whole, so that a mapped one stays as it was.
func readFont(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() == 0 || info.Size() > math.MaxInt32 {
		return nil, errors.New("no font: " + path)
	}
	b, err := syscall.Mmap(int(f.Fd()), 0, int(info.Size()), syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		return nil, &os.PathError{Op: "mmap", Path: path, Err: err}
	}
	mapped.Lock()
	defer mapped.Unlock()
	mapped.files = append(mapped.files, b)
	return b, nil
}

// mapped are the font files that were mapped.
var mapped struct {
	sync.Mutex
	files [][]byte
}

// LetFontsGo gives back the memory the fonts of this machine took while all of them
// was read, to parse them or for their digests; what is drawn comes back page by
// page, for glyphs lie all over a file. Where the advice is refused all of it stays.
func LetFontsGo() {
	mapped.Lock()
	defer mapped.Unlock()
	for _, b := range mapped.files {
		_ = syscall.Madvise(b, syscall.MADV_RANDOM)
		_ = syscall.Madvise(b, syscall.MADV_DONTNEED)
	}
}
