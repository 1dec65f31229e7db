#!/bin/sh
# Debian packages of what is built: build.sh DIRECTORY, from make deb.
# zpinc has the tools with keys and zpinc-file, which needs no library;
# zpinc-transports those that a library of their own brings to a server.
set -eu
mkdir -p "$1"
out=$(cd "$1" && pwd)
: "${B:?}" "${VERSION:?}" "${KEYED:?}" "${TOOLS:?}"
here=$(dirname "$0")
: "${DEBFULLNAME:=The Zpinc shell tools authors}" "${DEBEMAIL:=zpinc@localhost}"
arch=$(dpkg --print-architecture)
libdir=usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)
# Equal sources make equal packages.
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct 2>/dev/null ||
	stat -c %Y Makefile)}"
export SOURCE_DATE_EPOCH
umask 022

work=$out/work
rm -rf "$work" "$out"/*.deb
mkdir -p "$work/debian" # dpkg-shlibdeps insists on a debian/control
printf 'Source: zpinc\n\nPackage: zpinc\nArchitecture: any\n' \
	>"$work/debian/control"
MAKEFLAGS='' "${MAKE:-make}" -s install DESTDIR="$work/all" PREFIX=/usr \
	LIBDIR="/$libdir" ZSHCOMPDIR=/usr/share/zsh/vendor-completions \
	MODE="${B##*/}" >/dev/null
gzip -9n "$work"/all/usr/share/man/man*/*.[157]

# give PACKAGE FILE...: those of them that there are, by their paths.
give() {
	package=$1
	shift
	for f in "$@"; do
		[ -e "$work/all/$f" ] || continue
		mkdir -p "$work/$package/$(dirname "$f")"
		mv "$work/all/$f" "$work/$package/$f"
	done
}

for tool in $TOOLS; do
	case " $KEYED zpinc-file " in
	*" $tool "*) package=zpinc ;;
	*) package=zpinc-transports ;;
	esac
	strip --strip-unneeded "$work/all/usr/bin/$tool"
	give $package "usr/bin/$tool" "usr/share/man/man1/$tool.1.gz" \
		"usr/share/bash-completion/completions/$tool" \
		"usr/share/fish/vendor_completions.d/$tool.fish"
done
give zpinc usr/share/man/man5 usr/share/man/man7 \
	usr/share/zsh/vendor-completions
strip -g "$work/all/$libdir/libzpinc.a"
give libzpinc-dev usr/include/zpinc.h "$libdir/libzpinc.a" \
	"$libdir/pkgconfig/zpinc.pc"
left=$(find "$work/all" ! -type d)
[ -z "$left" ] || {
	printf 'deb: in no package: %s\n' "$left" >&2
	exit 1
}

mkdir -p "$work/zpinc/usr/lib/systemd/user" \
	"$work/zpinc/usr/share/doc/zpinc/examples"
cp "$here"/../systemd/*.service "$here"/../systemd/*.timer \
	"$work/zpinc/usr/lib/systemd/user/"
cp "$here"/../systemd/*.env "$here"/../cron/* \
	"$work/zpinc/usr/share/doc/zpinc/examples/"
cp README.md "$work/zpinc/usr/share/doc/zpinc/"

# The libraries that a package's binaries are linked with, as Depends.
needs() {
	(cd "$work" && dpkg-shlibdeps -O "$1"/usr/bin/* 2>/dev/null) |
		sed -n 's/^shlibs:Depends=//p'
}

# README's news, newest first, in Debian's form.
changelog() {
	awk -v by="$DEBFULLNAME <$DEBEMAIL>" \
		-v now="$(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")" '
		function end() {
			if (version) printf "\n -- %s  %s\n\n", by, now
			version = ""
		}
		/^## / { end(); on = $0 == "## News"; next }
		on && /^### / { end(); version = $2; n = 0
			printf "zpinc (%s) unstable; urgency=medium\n", version
			next }
		version && /^- / { printf "\n  * %s\n", substr($0, 3); next }
		version && /^  / { printf "  %s\n", $0 }
		END { end() }' README.md
}

# package NAME DEPENDS SHORT [FIELD...]: the long text comes from stdin.
package() {
	name=$1 depends=$2 short=$3
	shift 3
	root=$work/$name
	mkdir -p "$root/DEBIAN" "$root/usr/share/doc/$name"
	cp LICENSE "$root/usr/share/doc/$name/copyright"
	changelog | gzip -9n >"$root/usr/share/doc/$name/changelog.gz"
	(cd "$root" && find usr -type f -print0 | LC_ALL=C sort -z |
		xargs -0 md5sum) >"$root/DEBIAN/md5sums"
	size=$(du -sk --apparent-size "$root/usr" | cut -f1)
	{
		printf '%s: %s\n' Package "$name" Source zpinc \
			Version "$VERSION" Architecture "$arch" \
			Maintainer "$DEBFULLNAME <$DEBEMAIL>" \
			Installed-Size "$size" Depends "$depends" "$@" \
			Priority optional Description "$short"
		sed 's/^/ /'
	} >"$root/DEBIAN/control"
	chmod -R u=rwX,go=rX "$root"
	dpkg-deb --root-owner-group -Zxz --build "$root" \
		"$out/${name}_${VERSION}_$arch.deb" >/dev/null
	echo "$out/${name}_${VERSION}_$arch.deb"
}

package zpinc "$(needs zpinc)" 'encrypted group messages for the shell' \
	Section net Recommends zpinc-transports <<END
Small filters that give a group end-to-end encrypted notes and conversations
over any publish-subscribe server: lines in, records out, and back.
This package has the tools that hold keys, and a transport that needs no
server but a shared folder.
END
if [ -d "$work/zpinc-transports" ]; then
	package zpinc-transports "$(needs zpinc-transports)" \
		'transports of zpinc to servers' Section net \
		Recommends zpinc <<END
What moves the records of zpinc over servers of a kind: Server-Sent Events,
ntfy, MQTT, Redis.  These tools hold no keys.
END
fi
package libzpinc-dev libsodium-dev 'library of zpinc, for programs' \
	Section libdevel <<END
Header and static library to load keys, and to seal and open notes as the
tools of zpinc do.
END
rm -rf "$work"
