#!/bin/sh
# Installs what the platform or its tests need beyond Go, on Debian.
#
#   need.sh fonts   Chinese TrueType fonts, for making licenses
#   need.sh tests   the fonts, PostgreSQL 15, Chromium, openssl and gcc for race
#                   tests
#
# Says in one line what it does. Without root or sudo it says what is missing and
# fails; the platform then still serves, queries and verifies.
set -eu

missing=""
need() { # FILE PACKAGE
	[ -e "$1" ] || missing="$missing $2"
}
need /usr/share/fonts/truetype/arphic/uming.ttc fonts-arphic-uming
need /usr/share/fonts/truetype/wqy/wqy-zenhei.ttc fonts-wqy-zenhei
need /usr/share/fonts/truetype/arphic-gkai00mp/gkai00mp.ttf fonts-arphic-gkai00mp
need /usr/share/fonts/truetype/babelstone/BabelStoneHan.ttf fonts-babelstone-han
if [ "${1:-}" = tests ]; then
	need /usr/lib/postgresql/15/bin/initdb postgresql-15
	need /usr/bin/chromium chromium
	need /usr/bin/pdftoppm poppler-utils
	need /usr/bin/openssl openssl
	command -v gcc >/dev/null || missing="$missing gcc libc6-dev"
fi
[ -n "$missing" ] || exit 0

root=""
if [ "$(id -u)" -ne 0 ]; then
	if ! command -v sudo >/dev/null || ! sudo -n true 2>/dev/null; then
		echo "missing:$missing (install them with apt-get; 字体缺失 only stops the making of licenses)" >&2
		exit 1
	fi
	root=sudo
fi
echo "installing:$missing"
export DEBIAN_FRONTEND=noninteractive
$root apt-get update -qq >/dev/null
# A cluster of Debian's own is not wanted: tests make theirs.
if [ "${1:-}" = tests ] && [ ! -e /etc/postgresql-common/createcluster.conf ]; then
	$root mkdir -p /etc/postgresql-common
	echo "create_main_cluster = false" | $root tee /etc/postgresql-common/createcluster.conf >/dev/null
fi
# shellcheck disable=SC2086
$root apt-get install -y -qq --no-install-recommends -o Dpkg::Options::=--force-confold $missing >/dev/null
