//go:build unix

package main

import (
	"runtime"
	"syscall"
	"time"
)

// cpuTime runs f for about d of processor time and returns how much one run
// took. The thread is the run's own, and what the garbage collector does for it
// counts too.
func cpuTime(f func() error, d time.Duration) (time.Duration, error) {
	runtime.GC()
	start := used()
	for n := 1; ; n++ {
		if err := f(); err != nil {
			return 0, err
		}
		if spent := used() - start; spent >= d {
			return spent / time.Duration(n), nil
		}
	}
}

// used is the processor time of the process, user and system.
func used() time.Duration {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil { // it has no way to fail with these arguments
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
