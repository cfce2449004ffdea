//go:build !unix

package main

import "time"

// cpuTime runs f for about d and returns how long one run took, by the clock:
// this system does not tell processor time.
func cpuTime(f func() error, d time.Duration) (time.Duration, error) {
	start := time.Now()
	for n := 1; ; n++ {
		if err := f(); err != nil {
			return 0, err
		}
		if spent := time.Since(start); spent >= d {
			return spent / time.Duration(n), nil
		}
	}
}

var started = time.Now()

// used is the time since the start: this system does not tell processor time.
func used() time.Duration { return time.Since(started) }
