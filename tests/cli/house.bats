#!/usr/bin/env bats
# The rules of the house: what may know what, what the binaries are linked
# with, what installing leaves behind.

setup() {
	# We run below make, which would pass its own options on.
	unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES
	cd "$ZP_ROOT" || return 1
	MODE=${ZP_MODE:-release}
	KEYED=(zpinc-key zpinc-seal zpinc-open zpinc-handshake zpinc-pipe)
}

# All files of the tree, from its top.
tree() {
	if git rev-parse --git-dir >/dev/null 2>&1; then
		git ls-files --cached --others --exclude-standard
	else
		find . -type f ! -path './build/*' ! -path './.git/*' |
			sed 's|^\./||'
	fi | while read -r f; do
		[ ! -f "$f" ] || echo "$f"
	done
}

c_files() {
	tree | grep -E '^(lib|cmd)/.*\.[ch]$'
}

is_keyed() {
	[[ " ${KEYED[*]} " == *" $1 "* ]]
}

# The tools as built, and a test, so that there is always something.
binaries() {
	local t
	for t in cmd/*.c; do
		t=$ZP_BUILD/$(basename "$t" .c)
		[ ! -x "$t" ] || echo "$t"
	done
	echo "$ZP_BUILD/tests/unit/test_cursor"
}

# The objects in the layers named that have a source in the tree.
objects() {
	local layer c o
	for layer in "$@"; do
		for c in lib/$layer/zp_*.c; do
			o=$ZP_BUILD/${c%.c}.o
			[ ! -e "$o" ] || echo "$o"
		done
	done
}

# Undefined symbols of these, as "layer/file symbol".
wanted() {
	objects "$@" | xargs nm -A --undefined-only |
		sed -E 's|^.*/([a-z]+/zp_[a-z0-9_]+)\.o:.* |\1 |'
}

@test "a file includes its own layer and lower ones only" {
	mapfile -t files < <(c_files)
	[ "${#files[@]}" -gt 20 ]
	run awk -f "$BATS_TEST_DIRNAME/layers.awk" "${files[@]}"
	echo "$output"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
}

@test "the check of layers finds what it looks for" {
	cd "$BATS_TEST_TMPDIR"
	mkdir -p lib/base lib/net lib/proto lib/odd cmd
	echo '#include "wire/zp_record.h"' >lib/base/zp_a.c
	echo '#include <sodium.h>' >lib/base/zp_b.c
	echo '#include "zp_c.h"' >lib/base/zp_c.c
	echo '#include "crypt/zp_key.h"' >lib/net/zp_d.c
	echo '#include "mles/zp_mles.h"' >lib/proto/zp_e.c
	printf '#include "net/zp_sse.h"\n#include "crypt/zp_key.h"\n' \
		>cmd/zpinc-f.c
	printf '#include <curl/curl.h>\n#include "store/zp_x.h"\n' \
		>cmd/zpinc-g.c
	echo 'int x;' >lib/odd/zp_h.c
	printf '#include "base/zp_err.h"\n#include "proc/zp_opt.h"\n' \
		>lib/net/zp_fine.c
	run awk -f "$BATS_TEST_DIRNAME/layers.awk" lib/*/*.c cmd/*.c
	echo "$output"
	[ "${#lines[@]}" -eq 8 ]
	for f in zp_a zp_b zp_c zp_d zp_e zpinc-f zpinc-g zp_h; do
		[[ "$output" == *"$f.c"* ]]
	done
}

@test "below proc nothing prints or exits" {
	run wanted base wire crypt proto mles store
	[ "${#lines[@]}" -gt 20 ]
	bad=$(grep -E ' (__)?(v?f?printf|dprintf|puts|fputs|putchar|fputc|fwrite|perror|v?warnx?|v?errx?|syslog|exit|_exit|_Exit|quick_exit|abort|__assert_fail|stdout|stderr)(_chk|_unlocked)?$' <<<"$output" |
		# A hash that libsodium refuses to compute leaves no way on.
		grep -vE '^(crypt|mles)/[a-z_]+ abort$' || true)
	echo "$bad"
	[ -z "$bad" ]
}

@test "below store nothing opens, reads or writes but base/zp_io" {
	run wanted base wire crypt proto mles
	[ "${#lines[@]}" -gt 20 ]
	bad=$(grep -E ' (open|openat|creat|fopen|fdopen|read|pread|readv|fread|fgets|getline|write|pwrite|writev|close|fsync|rename|unlink|mkdir|stat|fstat|socket|connect|recv|send|poll|ppoll|select|ioctl|fcntl|flock|fork|execv|execve|system|popen|getenv|__read_chk|__fread_chk)(64)?$' <<<"$output" | grep -v '^base/zp_io ' || true)
	echo "$bad"
	[ -z "$bad" ]
}

@test "only crypt and mles draw random bytes, nothing below proc asks the time" {
	run wanted base wire proto store
	[ "${#lines[@]}" -gt 10 ]
	bad=$(grep -E ' (randombytes.*|getrandom|getentropy|arc4random.*|rand|random|drand48)$' <<<"$output" || true)
	echo "$bad"
	[ -z "$bad" ]
	run wanted base wire crypt proto mles
	bad=$(grep -E ' (time|clock_gettime|gettimeofday|clock|nanosleep|sleep|usleep)$' <<<"$output" || true)
	echo "$bad"
	[ -z "$bad" ]
}

# zp_confine_linux.c may implement zp_confine.h: a header's name is the
# beginning of the names of its files.  x_impl.h and x_run.h are x's inside.
@test "a file exports only zp_ names that its own header declares" {
	local h
	run awk '
		/^H/ { declared[$2, $3] = 1 }
		/^S/ {
			n++
			good = 0
			for (k in declared) {
				split(k, part, SUBSEP)
				if (part[2] == $3 && index($2, part[1]) == 1)
					good = 1
			}
			if (!good || $3 !~ /^zp_/)
				print $2 " exports " $3
		}
		END { exit n < 100 }
	' <(
		for h in lib/*/zp_*.h; do
			grep -ohE '\bzp_[a-z0-9_]+ ?[(;[]' "$h" | tr -d ' (;[' | sort -u |
				sed "s|^|H $(sed -E 's/(_impl|_run)?\.h$//' <<<"${h#lib/}") |"
		done
		objects '*' | xargs nm -A --defined-only -g |
			sed -nE 's|^.*/([a-z]+/zp_[a-z0-9_]+)\.o:[0-9a-f]* [TDBRC] |S \1 |p' |
			grep -vE ' (__asan|__odr_asan|__tsan|__gcov|__cov|__llvm|__prof|DW\.)'
	)
	echo "$output"
	[ "$status" -eq 0 ]
	[ -z "$output" ]
}

@test "every header compiles alone" {
	tree | grep -E '^lib/.*\.h$' >"$BATS_TEST_TMPDIR/headers"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/headers")" -gt 10 ]
	xargs -P 2 -I{} "${CC:-cc}" -std=c17 -D_GNU_SOURCE -Ilib -Wall -Wextra \
		-Wpedantic -Werror -fsyntax-only -include {} -x c /dev/null \
		<"$BATS_TEST_TMPDIR/headers"
}

@test "keyed tools are linked with no network library" {
	local t seen=0
	for t in "${KEYED[@]}"; do
		[ -x "$ZP_BUILD/$t" ] || continue
		seen=$((seen + 1))
		run bash -c 'readelf -dW "$1" | sed -n "s/.*NEEDED.*\[\(.*\)\]/\1/p" |
			grep -vE "^(libsodium|libc|libm|libpthread|librt|libgcc_s|ld-linux.*|ld-musl.*|lib[a-z]+san)\.so"' - "$ZP_BUILD/$t"
		echo "$t: $output"
		[ -z "$output" ]
	done
	[ "$seen" -gt 0 ] || skip "no keyed tool is built"
}

@test "transports are linked without libsodium" {
	local c t seen=0
	for c in cmd/*.c; do
		t=$(basename "$c" .c)
		[ -x "$ZP_BUILD/$t" ] || continue
		! is_keyed "$t" || continue
		seen=$((seen + 1))
		run readelf -dW "$ZP_BUILD/$t"
		[[ "$output" == *NEEDED* ]]
		[[ "$output" != *libsodium* ]]
		run nm "$ZP_BUILD/$t"
		[[ "$output" != *crypto_* ]]
		[[ "$output" != *sodium_* ]]
	done
	[ "$seen" -gt 0 ] || skip "no transport is built"
}

@test "binaries are hardened: PIE, RELRO, bound at start, no executable stack" {
	local b
	while read -r b; do
		echo "$b"
		readelf -hW "$b" | grep -q 'Type: *DYN'
		readelf -dW "$b" | grep -Eq 'FLAGS_1.*\bNOW\b.*\bPIE\b'
		readelf -lW "$b" | grep -q GNU_RELRO
		readelf -lW "$b" | grep GNU_STACK | grep -q 'RW  *0x'
		if [ "$MODE" = release ]; then
			nm -D "$b" | grep -q __stack_chk_fail
			nm -D "$b" | grep -q '_chk'
		fi
	done < <(binaries)
}

@test "the top level holds what it should and nothing else" {
	run bash -c "$(declare -f tree); tree | cut -d/ -f1 | sort -u |
		grep -vxE 'Makefile|README\.md|NEWS|LICENSE|\.gitignore|\.clang-format|\.ci|cmd|lib|tests|man|completions|packaging'"
	echo "$output"
	[ -z "$output" ]
}

# The patterns are written so that they do not find themselves.
@test "nothing in the tree names the machine it was made on" {
	run bash -c "$(declare -f tree); tree | xargs grep -nIE \
		'/w[o]rk/|\.\./sh[a]red|(DESI[G]N|STY[L]E|BRI[E]F)\.md|/h[o]me/[a-z]'"
	echo "$output"
	[ "$status" -ne 0 ]
}

@test "make install and uninstall leave nothing behind" {
	local d=$BATS_TEST_TMPDIR/root t
	make -s install MODE="$MODE" DESTDIR="$d" PREFIX=/opt/zp
	for t in $(binaries); do
		t=$(basename "$t")
		[[ $t == zpinc-* ]] || continue
		[ -x "$d/opt/zp/bin/$t" ]
		[ ! -e "man/$t.1" ] || [ -s "$d/opt/zp/share/man/man1/$t.1" ]
	done
	[ -s "$d/opt/zp/lib/libzpinc.a" ]
	if [ -e lib/zpinc.h ]; then
		[ -s "$d/opt/zp/include/zpinc.h" ]
		grep -q '^prefix=/opt/zp' "$d/opt/zp/lib/pkgconfig/zpinc.pc"
		run grep -l '@' "$d/opt/zp/lib/pkgconfig/zpinc.pc"
		[ -z "$output" ]
	fi
	make -s uninstall MODE="$MODE" DESTDIR="$d" PREFIX=/opt/zp
	run find "$d" -type f
	echo "$output"
	[ -z "$output" ]
}

@test "WITHOUT leaves tools out, and their libraries too" {
	local c t out=()
	for c in cmd/*.c; do
		t=$(basename "$c" .c)
		[ ! -e "$c" ] || is_keyed "$t" || out+=("$t")
	done
	[ "${#out[@]}" -gt 0 ] || skip "no transport in the tree"
	run make -n install B="$BATS_TEST_TMPDIR/b" DESTDIR=/nowhere \
		PKG_CONFIG="$BATS_TEST_TMPDIR/missing" WITHOUT="${out[*]}"
	[ "$status" -eq 0 ]
	for t in "${out[@]}"; do
		# Pages of formats stay.
		[[ "${output//$t.[57]/}" != *"$t"* ]]
	done
	run make -n all B="$BATS_TEST_TMPDIR/b" WITHOUT="${out[0]}"
	[[ "$output" != *"${out[0]}"* ]]
	[ "${#out[@]}" -lt 2 ] || [[ "$output" == *"${out[1]}"* ]]
}

@test "the user's flags come last" {
	run make -n all B="$BATS_TEST_TMPDIR/b" CPPFLAGS=-DLAST_P \
		CFLAGS=-DLAST_C LDFLAGS=-Llast V=1
	[[ "$output" == *-DLAST_P*-DLAST_C*" -c -o "* ]]
	run bash -c 'grep -e "-DLAST_C" <<<"$1" | grep -vE -e \
		"-DLAST_C +-c -o"' - "$output"
	[ -z "$output" ]
}
