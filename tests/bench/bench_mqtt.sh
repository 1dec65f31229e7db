#!/bin/bash
# zpinc-mqtt against the broker's own clients: the same lines, by the same
# mosquitto with no limit to its queues (CONF='' has its default, 1,000), with a
# reader.  The aim is 0.9 of mosquitto_pub -l -q 1, and no loss.
set -eu
# shellcheck source=tests/compose/servers.bash
. "$ZP_ROOT/tests/compose/servers.bash"
for t in mosquitto mosquitto_pub mosquitto_sub "$ZP_BUILD/zpinc-mqtt"; do
	command -v "$t" > /dev/null || {
		echo "skipped: no $t"
		exit 0
	}
done
dir=$(mktemp -d)
trap 'stop_server "${MOSQUITTO_PID:-}" KILL; rm -rf "$dir"' EXIT
MOSQUITTO_CONF="${CONF-max_queued_messages 0}" start_mosquitto "$dir/server"
topic=z$(printf 'A%.0s' {1..63})
pub="mosquitto_pub -p $MOSQUITTO_PORT -q 1 -t $topic -l"
sub="mosquitto_sub -p $MOSQUITTO_PORT -q 1 -t $topic"
ours="$ZP_BUILD/zpinc-mqtt mqtt://127.0.0.1:$MOSQUITTO_PORT"

for lines in ${LINES_:-60000 200000}; do
	# What mosquitto_pub loses is waited for; once tells it.
	[ "$lines" -le 60000 ] || export ROUNDS=1
	seq -f "zp1.$topic.z$(printf 'D%.0s' {1..63}).%08.0fAAAAAAAAAAAA" \
		1 "$lines" > "$dir/lines"
	echo "# $lines lines, read by mosquitto_sub"
	/usr/bin/python3 "$ZP_ROOT/tests/bench/relay.py" \
		"$lines lines over mosquitto to mosquitto_sub" "$lines" \
		"$dir/lines" '' "exec $sub" -- \
		'mosquitto_pub -l -q 1' "$pub" 'zpinc-mqtt >= 0.9' "$ours"
	echo "# $lines lines, read by zpinc-mqtt"
	/usr/bin/python3 "$ZP_ROOT/tests/bench/relay.py" \
		"$lines lines over mosquitto to zpinc-mqtt" "$lines" \
		"$dir/lines" '^#live' "exec $ours $topic" -- \
		'mosquitto_pub -l -q 1' "$pub" 'zpinc-mqtt >= 0.9' "$ours"
done
