//go:build crash

package store

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

var (
	crashMu   sync.Mutex
	crashSeen = map[string]int{}
)

// CrashPoint kills the process at once if ELICENSE_CRASH_AT names this point, as
// a power failure would; name:3 is its third passing. Only programs built with
// the tag crash, for tests, have it.
func CrashPoint(name string) {
	at, nth, _ := strings.Cut(os.Getenv("ELICENSE_CRASH_AT"), ":")
	if at != name {
		return
	}
	crashMu.Lock()
	defer crashMu.Unlock()
	crashSeen[name]++
	if n, err := strconv.Atoi(nth); err == nil && crashSeen[name] < n {
		return
	}
	syscall.Kill(syscall.Getpid(), syscall.SIGKILL)
	select {} // until the signal arrives
}
