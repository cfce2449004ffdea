//go:build !amd64 || purego

package gm

type workRoom struct{}

// kernels are none: one message after the other.
var kernels []kernel
