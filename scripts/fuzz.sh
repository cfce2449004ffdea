#!/bin/sh
# Runs every fuzz target there is, each for FUZZTIME (30s), one after the other;
# stops at the first failure. What failed is kept by go in testdata/fuzz and is a
# test from then on.
set -eu
cd "$(dirname "$0")/.."
FUZZTIME=${FUZZTIME:-30s}
export CGO_ENABLED=0
# Found in the source, as PACKAGE TARGET.
targets=$(git ls-files -co --exclude-standard '*_test.go' | xargs grep -Eo '^func Fuzz[A-Za-z0-9_]*' /dev/null | sed 's#/[^/:]*:func # #' | sort)
[ -n "$targets" ] || { echo "no fuzz target found" >&2; exit 1; }
n=0
while read -r dir target; do
	echo "== $dir $target"
	go test "./$dir" -run '^$' -fuzz "^$target\$" -fuzztime "$FUZZTIME" -fuzzminimizetime 5x </dev/null
	n=$((n + 1))
done <<END
$targets
END
echo "$n targets clean, $FUZZTIME each"
