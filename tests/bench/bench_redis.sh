#!/bin/bash
# zpinc-redis against pipelined XADD of the server's own client, redis-cli
# --pipe, with the same bound on the stream; the aim is 0.8, though ours
# publishes on a channel too, in transactions.
set -eu
# shellcheck source=tests/compose/servers.bash
. "$ZP_ROOT/tests/compose/servers.bash"
for t in redis-server redis-cli "$ZP_BUILD/zpinc-redis"; do
	command -v "$t" > /dev/null || {
		echo "skipped: no $t"
		exit 0
	}
done
dir=$(mktemp -d)
trap 'stop_server "${REDIS_PID:-}" KILL; rm -rf "$dir"' EXIT
REDIS_ARGS='--appendonly no' start_redis "$dir/server"
topic=z$(printf 'A%.0s' {1..63})
lines=${LINES_:-300000}
seq -f "zp1.$topic.z$(printf 'D%.0s' {1..63}).%08.0fAAAAAAAAAAAA" 1 "$lines" \
	> "$dir/lines"
# xadd KEEP: what redis-cli is to send, made before the clock runs.
xadd() {
	awk -v t="$topic" -v keep="$1" 'function s(x) {
		return sprintf("$%d\r\n%s\r\n", length(x), x)
	}
	{
		printf "*8\r\n%s%s%s%s%s%s%s%s", s("XADD"), s(t),
			s("MAXLEN"), s("~"), s(keep), s("*"), s("r"), s($0)
	}' "$dir/lines" > "$dir/xadd"
}
pipe="redis-cli -p $REDIS_PORT --pipe < $dir/xadd"
url="redis://127.0.0.1:$REDIS_PORT"

xadd 1000
echo "# $lines lines, nobody reads"
/usr/bin/python3 "$ZP_ROOT/tests/bench/relay.py" --publish \
	"$lines lines to redis" "$lines" "$dir/lines" \
	'redis-cli --pipe XADD' "$pipe" 'zpinc-redis >= 0.8' \
	"$ZP_BUILD/zpinc-redis $url"
# Who reads loses what was cut off before he came to it: nothing is.
xadd "$lines"
echo "# $lines lines, read by zpinc-redis"
/usr/bin/python3 "$ZP_ROOT/tests/bench/relay.py" \
	"$lines lines over redis to zpinc-redis" "$lines" "$dir/lines" '^#live' \
	"redis-cli -p $REDIS_PORT del $topic > /dev/null
		exec $ZP_BUILD/zpinc-redis $url $topic" -- \
	'redis-cli --pipe XADD' "$pipe" zpinc-redis \
	"$ZP_BUILD/zpinc-redis --keep $lines $url"
