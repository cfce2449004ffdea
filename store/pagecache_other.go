//go:build !linux

package store

import "os"

func forgetPages(*os.File) {}
