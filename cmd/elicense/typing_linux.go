package main

import (
	"os"
	"syscall"
	"unsafe"
)

// hideTyping has the terminal not show what is typed until show is called.
func hideTyping(f *os.File) (show func(), err error) {
	var mode syscall.Termios
	set := func(request uintptr, m *syscall.Termios) error {
		if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, f.Fd(), request, uintptr(unsafe.Pointer(m))); e != 0 {
			return e
		}
		return nil
	}
	if err := set(syscall.TCGETS, &mode); err != nil {
		return nil, err
	}
	hidden := mode
	hidden.Lflag &^= syscall.ECHO
	if err := set(syscall.TCSETS, &hidden); err != nil {
		return nil, err
	}
	return func() { set(syscall.TCSETS, &mode) }, nil
}
