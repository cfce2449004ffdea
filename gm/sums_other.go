//go:build !amd64 || purego

package gm

const laneScratch = 1

// laneBlocks is nil: one message after the other.
var laneBlocks func(states **[8]uint32, data **byte, scratch *byte, blocks int)
