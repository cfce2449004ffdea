//go:build !js

package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "checker runs in a browser: build it with GOOS=js GOARCH=wasm (scripts/checker.sh)")
	os.Exit(2)
}
