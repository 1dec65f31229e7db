# shellcheck shell=sh disable=SC2034
# What the benchmarks of notes share: a folder, the key that limit.c uses,
# lines of 80 bytes.
set -eu
bench=$ZP_BUILD/tests/bench
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
PATH=$ZP_BUILD:$PATH
export HOME="$dir"

for t in zpinc-seal zpinc-open; do
	command -v "$t" >/dev/null || {
		echo "skipped: $t is not built"
		exit 0
	}
done
umask 077
cat >"$dir/key" <<END
zpinc-key 1
suite zp1
channel bench
work random
key AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
END
zpseal="zpinc-seal -k $dir/key -u bench"
zpopen="zpinc-open -k $dir/key"
