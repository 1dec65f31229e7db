#!/usr/bin/env bash
# Publishing over nginx with Nchan, as zpinc-http(1) sets it up, while a
# reader takes everything: zpinc-http against one easy handle of libcurl's on
# a kept connection; the aim is a ratio of 1.0 or less.  Nothing may be lost
# and order must be kept.
set -eu
for t in nginx "$ZP_BUILD/zpinc-http" "$ZP_BUILD/tests/bench/easy_handle"; do
	command -v "$t" > /dev/null || PATH=$PATH:/usr/sbin command -v "$t" \
		> /dev/null || {
		echo "skipped: $t is not there"
		exit 0
	}
done
BATS_TEST_TMPDIR=$(mktemp -d)
BATS_TEST_DIRNAME=$ZP_ROOT/tests/transports
. "$BATS_TEST_DIRNAME/lib.bash"
. "$BATS_TEST_DIRNAME/nchan.bash"
cd "$BATS_TEST_TMPDIR"
lines=${LINES_EACH:-20000}
rounds=${ROUNDS:-3}
reader=
trap 'kill $reader 2>/dev/null || :; nchan_kill; cd /; rm -rf "$BATS_TEST_TMPDIR"' EXIT
nchan_setup
sed -i 's/http {/http { keepalive_requests 1000000;/' "$NCHAN_DIR/nginx.conf"
nchan_start
url=http://127.0.0.1:$NCHAN_PORT/ops

# As long as a sealed line of text is.
records 1 "$lines" "$TOPIC" "$(printf 'A%.0s' {1..259})" > input
"$ZP_BUILD/zpinc-http" "$url" "$TOPIC" < /dev/null > read &
reader=$!
wait_until has_line read '^#live$'

"$ZP_BUILD/tests/bench/harness" -n "$rounds" -i input -u "lines=$lines" \
	"$lines lines over nginx and Nchan" \
	'easy handle' "$ZP_BUILD/tests/bench/easy_handle $url/$TOPIC" \
	'zpinc-http >= 1.0' "$ZP_BUILD/zpinc-http $url" \
	'zpinc-http -b 0' "$ZP_BUILD/zpinc-http -b 0 $url"

all=$((3 * (rounds + 1) * lines))
is_all() {
	[ "$(grep -c '^zp1' read)" -ge "$all" ]
}
wait_until is_all || :
numbers read | awk -v n="$lines" -v all="$all" '
	$1 != NR % n && $1 != n { bad++ }
	END {
		printf "read %d of %d, %d out of order\n", NR, all, bad
		exit NR != all || bad
	}'
