//go:build crash

package store

import (
	"os"
	"strings"
	"syscall"
)

// CrashPoint kills the process at once if ELICENSE_CRASH_AT names this point, as
// a power failure would. Only programs built with the tag crash, for tests,
// have it.
func CrashPoint(name string) {
	for _, at := range strings.Split(os.Getenv("ELICENSE_CRASH_AT"), ",") {
		if at == name {
			syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
		}
	}
}
