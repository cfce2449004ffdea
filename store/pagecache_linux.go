package store

import (
	"os"

	"golang.org/x/sys/unix"
)

// forgetPages lets the system forget the pages of a file that is on the disk.
func forgetPages(file *os.File) {
	// It is advice: what the system makes of it changes nothing that is stored.
	unix.Fadvise(int(file.Fd()), 0, 0, unix.FADV_DONTNEED)
}
