#!/bin/sh
# Installs the Debian packages named, if any is missing: by apt-get when we
# are root or sudo asks nothing, else by telling what to type.
set -u
command -v dpkg-query >/dev/null 2>&1 || exit 0 # not Debian: the build tells

missing=
for p in "$@"; do
	s=$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)
	[ "$s" = installed ] || missing="$missing $p"
done
[ -n "$missing" ] || exit 0

sudo=
if [ "$(id -u)" != 0 ]; then
	if sudo -n true 2>/dev/null; then
		sudo='sudo -n'
	else
		echo "missing packages; type this, then try again:" >&2
		echo "    sudo apt-get install --no-install-recommends$missing" >&2
		exit 1
	fi
fi
echo "installing:$missing"
DEBIAN_FRONTEND=noninteractive
export DEBIAN_FRONTEND
# The package lists may be missing or old: try with them as they are first.
# shellcheck disable=SC2086
$sudo apt-get install -qy --no-install-recommends $missing \
	>/dev/null 2>&1 && exit 0
$sudo apt-get update -q >/dev/null || exit 1
# shellcheck disable=SC2086
$sudo apt-get install -qy --no-install-recommends $missing >/dev/null
