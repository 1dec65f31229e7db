#!/bin/sh
# Installs the Debian packages where nothing else is, and shows a conversation
# and the library's example there: clean.sh DEBS [DIRECTORY], or make
# check-deb.  Root alone can; DIRECTORY is for a system that stays, to be
# used again.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
debs=$(cd "$1" && pwd)
suite=${SUITE:-bookworm}
mirror=${MIRROR:-http://deb.debian.org/debian}
[ "$(id -u)" = 0 ] || { echo 'clean.sh: only root may' >&2; exit 1; }

made=
if [ -n "${2:-}" ]; then
	system=$2
else
	system=$(mktemp -d "${TMPDIR:-/tmp}/zpinc-clean.XXXXXX")
	made=$system
fi
clean() {
	umount "$system/proc" "$system/dev" 2>/dev/null || :
	# Never through a mount.
	if [ -n "$made" ] && ! grep -q " $system/" /proc/mounts; then
		rm -rf --one-file-system "$made"
	fi
}
trap clean EXIT
trap 'exit 1' INT TERM HUP

[ -e "$system/etc/debian_version" ] ||
	debootstrap --variant=minbase "$suite" "$system" "$mirror" >/dev/null
mount -t proc proc "$system/proc"
mount --bind /dev "$system/dev"
rm -rf "$system/zpinc"
mkdir -p "$system/zpinc/tests"
cp "$debs"/*.deb "$system/zpinc/"
cp -r "$root/tests/demo.sh" "$root/tests/compose" "$root/tests/api" \
	"$system/zpinc/tests/"
cp -r "$root/man" "$system/zpinc/"

inside() {
	chroot "$system" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root \
		DEBIAN_FRONTEND=noninteractive ZP_BUILD=/usr/bin \
		ZP_ROOT=/zpinc sh -euc "cd /zpinc; $1"
}
# Of a local file dpkg tells what it lacks, apt gets it.
inside 'apt-get update -qq; apt-get install -qy --no-install-recommends \
	./zpinc_*.deb ./zpinc-transports_*.deb >/dev/null'
inside 'sh tests/demo.sh'
inside 'apt-get install -qy --no-install-recommends redis-server procps \
	>/dev/null; sh tests/demo.sh redis | tail -n 3'
inside 'apt-get install -qy --no-install-recommends gcc libc6-dev pkg-config \
	./libzpinc-dev_*.deb >/dev/null
	cc -Wall -Werror -o example tests/api/example.c \
		$(pkg-config --static --cflags --libs zpinc)
	zpinc-key new --random -c ops -o ops.key
	printf hello | ./example seal ./ops.key prog | zpinc-open -k ./ops.key'
