package main

import (
	"os"
	"syscall"
)

// syncData makes a file's content durable.
func syncData(f *os.File) error { return syscall.Fdatasync(int(f.Fd())) }
