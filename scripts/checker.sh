#!/bin/sh
# Builds the checker of the public check page into web/assets/built, where the
# server embeds it: package document as WebAssembly, compressed, and the glue of
# the Go installation it was built with. Without it the page takes uploads.
set -eu
cd "$(dirname "$0")/.."
to=web/assets/built
mkdir -p "$to"
new=$to/new.$$
trap 'rm -f "$new" "$new.gz"' EXIT
CGO_ENABLED=0 GOOS=js GOARCH=wasm go build -trimpath -ldflags='-s -w' -o "$new" ./cmd/checker
gzip -9nf "$new"
# Only what changed is written, so that the server is not built anew for nothing.
put() { # FROM TO
	cmp -s "$1" "$2" || { cp "$1" "$2.new" && chmod 644 "$2.new" && mv "$2.new" "$2"; }
}
put "$new.gz" "$to/checker.wasm.gz"
put "$(go env GOROOT)/lib/wasm/wasm_exec.js" "$to/wasm_exec.js"
