//go:build !linux

package main

import (
	"errors"
	"os"
)

// hideTyping has the terminal not show what is typed until show is called.
func hideTyping(*os.File) (show func(), err error) { return nil, errors.ErrUnsupported }
