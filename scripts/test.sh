#!/bin/sh
# Every check there is. CI calls it through `make test`; no check exists only
# there.
#
#   test.sh quick   the checker, format, go.mod, vet, unit tests on SQLite
#   test.sh all     installs what it needs, then the checker, format, vet,
#                   staticcheck, unit tests and the store suite on SQLite and
#                   PostgreSQL, race tests, stories and browser tests against
#                   the built binary, the program for loong64
set -eu
cd "$(dirname "$0")/.."

began=$(date +%s)
part() { # NAME COMMAND…
	name=$1
	shift
	from=$(date +%s)
	echo "== $name"
	if ! "$@"; then
		echo "== $name: FAILED" >&2
		exit 1
	fi
	took="$took$(printf '%-12s %4d s\n' "$name" $(($(date +%s) - from)))
"
}
took=""

format() {
	bad=$(gofmt -l $(git ls-files '*.go'))
	[ -z "$bad" ] || { echo "not formatted: $bad" >&2; return 1; }
}
vet() {
	go vet ./... &&
		GOOS=js GOARCH=wasm go vet ./cmd/checker
}
tidy() { go mod tidy -diff; }
count() { # FILE of go test -json: how many tests passed
	passed() { # FILE PATTERN
		grep '"Action":"pass".*"Test":' "$1" | grep -ciE "$2" || true
	}
	printf '%s tests passed (%s on SQLite and %s on PostgreSQL by name)\n' "$(passed "$1" .)" "$(passed "$1" /sqlite)" "$(passed "$1" '/postgres|OnPostgreSQL')"
}
# printed FILE of go test -json: what the tests printed.
printed() {
	sed -n 's/.*"Action":"[a-z-]*output".*"Output":"\(.*\)"}$/\1/p' "$1" | sed 's/\\n$//; s/\\t/\t/g; s/\\"/"/g'
}
# run NAME ARG…: go test with a count of what ran; on failure shows the output. What
# go test would vet, go vet has: more checks of the same files.
run() {
	name=$1
	shift
	if ! go test -vet=off -json "$@" >"$out/$name.json"; then
		# What matters most stands last: CI keeps the end. Tests run side by side, so
		# each that failed is shown by itself, then in one line.
		printed "$out/$name.json" | tail -n 30
		printed "$out/$name.json" | grep -A 40 -e 'DATA RACE' -e '^panic:' | head -n 120
		sed -n 's/.*"Action":"fail".*"Test":"\([^"]*\)".*/\1/p' "$out/$name.json" | sort -u | head -n 10 >"$out/$name.failed"
		while read -r test; do
			grep -F "\"Test\":\"$test\"" "$out/$name.json" >"$out/$name.one"
			echo "-- $test"
			printed "$out/$name.one" | grep -v '^=== ' | tail -n 30 | cut -c 1-600
		done <"$out/$name.failed"
		while read -r test; do
			grep -F "\"Test\":\"$test\"" "$out/$name.json" >"$out/$name.one"
			echo "FAILED $test: $(printed "$out/$name.one" | grep -E '_test\.go:[0-9]+:' | tail -n 3 | cut -c 1-400)"
		done <"$out/$name.failed"
		return 1
	fi
	printf '%s: ' "$name"
	count "$out/$name.json"
	slowest "$out/$name.json"
}
# slowest FILE of go test -json: what to look at when the whole takes too long.
slowest() {
	sed -n 's/.*"Action":"pass".*"Package":"\([^"]*\)".*"Test":"\([^"/]*\)".*"Elapsed":\([0-9.]*\).*/\3 s \1 \2/p' "$1" | sort -rn | head -n 8 | sed 's/^/   /'
}
# Memory for time, as the program itself does it: the walk of the pages then takes 12 s
# of processor instead of 18. The platforms of the stories decide for themselves.
collect_rarely() { export GOGC=250; }
units() { (collect_rarely && run units "$@" $(go list ./... | grep -v '/e2e$')); }
# What does one thing after the other has no races to find, and takes ten times as long to look for them.
alone='TestRecordsAreFoundInRuns|TestTamperingWithAKey|TestLongRunsAreMergedAside|TestEachStepFails|TestEveryRuleIsNeeded|TestLocalRulesOnlyForbid|TestNobodyReachesWhatIsNotHis|TestTokens|TestKindsAndStatuses'
races() { (collect_rarely && CGO_ENABLED=1 run races -race -short -skip "^($alone)\$" ./store ./jobs ./access ./httpapi); }
# Three beside each other on two processors: each waits for its browser half of the time.
stories() { run stories -timeout 14m -parallel $(($(getconf _NPROCESSORS_ONLN) * 3 / 2)) ./e2e; }
arrived() { wait "$abroad" || { cat "$out/loong64.txt"; return 1; }; }
# The machine of halls that differs most from this one; `make dist` builds them all.
abroad() { GOOS=linux GOARCH=loong64 go build -ldflags=-s -o "$out/elicense" ./cmd/elicense; }

# The same flags everywhere, so that everything is compiled once.
export CGO_ENABLED=0 GOFLAGS=-trimpath
out=$(mktemp -d)
finish() {
	if [ -d "$out/postgres" ]; then sh scripts/postgres.sh stop "$out/postgres"; fi
	rm -rf "$out"
}
trap finish EXIT

if [ "${1:-all}" = quick ]; then
	part checker sh scripts/checker.sh
	part format format
	part tidy tidy
	part vet vet
	part units units -short
else
	part install sh scripts/need.sh tests
	chmod 755 "$out"
	ELICENSE_TEST_POSTGRES=$(sh scripts/postgres.sh start "$out/postgres")
	export ELICENSE_TEST_POSTGRES
	part checker sh scripts/checker.sh
	part format format
	part tidy tidy
	part vet vet
	part staticcheck go tool staticcheck -tags crash ./...
	part units units
	part races races
	# Browsers are waited for: there is time to build in.
	abroad >"$out/loong64.txt" 2>&1 &
	abroad=$!
	part stories stories
	part loong64 arrived
fi
echo
printf '%s' "$took"
echo "all green in $(($(date +%s) - began)) s"
