//go:build crash

package main

import (
	"os"
	"time"
)

// machineNow is the clock of the machine a kit is used at; tests set it wrong by
// ELICENSE_CLOCK_SHIFT.
func machineNow() time.Time {
	shift, err := time.ParseDuration(os.Getenv("ELICENSE_CLOCK_SHIFT"))
	if err != nil {
		return time.Now()
	}
	return time.Now().Add(shift)
}
