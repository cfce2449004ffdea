#!/bin/sh
# A PostgreSQL cluster of the tests' own, in a folder given, reached by a Unix
# socket in that folder only.
#
#   postgres.sh start DIR   make it when missing, start it, print its address
#   postgres.sh url DIR     print its address, for ELICENSE_TEST_POSTGRES
#   postgres.sh stop DIR    stop it and delete it
#
# PostgreSQL refuses to run as root; then its programs run as user postgres.
# Nothing in it outlives the tests, so it does not wait for the disk.
set -eu

usage() { sed -n '2,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
[ $# -eq 2 ] || usage
mkdir -p "$2"
dir=$(cd "$2" && pwd)

find_bin() {
	for b in ${PGBIN:-} $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -rV) $(dirname "$(command -v initdb || echo /)"); do
		[ -x "$b/initdb" ] && { echo "$b"; return; }
	done
	echo "postgres.sh: no PostgreSQL here; install it (apt-get install postgresql-15)" >&2
	exit 1
}
bin=$(find_bin)

as_postgres() {
	if [ "$(id -u)" -eq 0 ]; then
		# The folder of the caller may be closed to user postgres.
		(cd / && exec setpriv --reuid postgres --regid postgres --init-groups "$@")
	else
		"$@"
	fi
}

url() { echo "postgres://postgres@/postgres?host=$dir&sslmode=disable"; }

start() {
	[ "$(id -u)" -ne 0 ] || chown postgres: "$dir"
	if [ ! -f "$dir/data/PG_VERSION" ]; then
		as_postgres "$bin/initdb" -D "$dir/data" -U postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8 --no-sync >"$dir/initdb.log"
	fi
	if ! as_postgres "$bin/pg_ctl" -D "$dir/data" status >/dev/null 2>&1; then
		as_postgres "$bin/pg_ctl" -D "$dir/data" -l "$dir/postgres.log" -w \
			-o "-c listen_addresses='' -c unix_socket_directories='$dir' -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=300 -c deadlock_timeout=100ms" \
			start >/dev/null
	fi
	url
}

stop() {
	as_postgres "$bin/pg_ctl" -D "$dir/data" -m immediate -w stop >/dev/null 2>&1 || true
	rm -rf "$dir/data" "$dir/initdb.log" "$dir/postgres.log"
	rmdir "$dir" 2>/dev/null || true # when something else is in it, it stays
}

case $1 in
start) start ;;
url) url ;;
stop) stop ;;
*) usage ;;
esac
