//go:build unix

package sheet

import (
	"errors"
	"math"
	"os"
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
	return b, nil
}

// letGo gives back the memory a font took while it was parsed, which reads all of
// it; what is drawn comes back page by page, for glyphs lie all over the file.
// Where the advice is refused all of it stays.
func letGo(b []byte) {
	_ = syscall.Madvise(b, syscall.MADV_RANDOM)
	_ = syscall.Madvise(b, syscall.MADV_DONTNEED)
}
