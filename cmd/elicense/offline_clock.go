//go:build !crash

package main

import "time"

// machineNow is the clock of the machine a kit is used at.
var machineNow = time.Now
