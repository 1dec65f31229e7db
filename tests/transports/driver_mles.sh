# shellcheck shell=bash disable=SC2034
# A small Mles relay as the server of the conformance suite; see the head of
# conformance.suite for what a driver is.  Its memory is gone with it.

DRIVER_TRANSPORT=zpinc-mles
DRIVER_RETAINS=1000
DRIVER_KEEPALIVE=(--keepalive 1)
DRIVER_STALLS=yes
PREFIX=ml1
# Messages shorter than any of MlesTalk's only tell who joins.
FILLER=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA

# Everybody says at once who joins, each under a name of its own.
eval "plain_$(declare -f begin)"
begin() {
	plain_begin "$@"
	joins=$((${joins:-0} + 1))
	printf 'ml1.%s.%08dAAAAAAAAAAAAAAAAAAAAAAAA.AAAA\n' "$TOPIC" "$joins" |
		say "$1"
}

# A free port, for the tests that begin without a server.
driver_setup() {
	MLES_PID=
	MLES_PORT=$(/usr/bin/python3 -c 'import socket
s = socket.socket()
s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])')
}

driver_start() {
	rm -f mles.ready
	/usr/bin/python3 -B "$ZP_ROOT/tests/mles/relay.py" --history 8000 \
		--ping 0.1 --misses 1000 --port "$MLES_PORT" \
		--log mles.log > mles.ready 2> mles.err 3>&- &
	MLES_PID=$!
	wait_until has_line mles.ready '^ready '
}

driver_kill() {
	kill -KILL "$MLES_PID"
	wait "$MLES_PID" 2>/dev/null || :
	MLES_PID=
}

# Not before all who are there have heard how often the server pings.
driver_freeze() {
	if grep -q '"uid"' mles.log 2>/dev/null; then
		wait_until pings $(($(grep -c '^ping$' mles.log) + 10))
	fi
	kill -STOP "$MLES_PID"
}

pings() {
	[ "$(grep -c '^ping$' mles.log)" -ge "$1" ]
}

driver_thaw() {
	kill -CONT "$MLES_PID"
}

driver_teardown() {
	[ -z "$MLES_PID" ] || {
		kill -CONT "$MLES_PID" 2>/dev/null || :
		driver_kill 2>/dev/null || :
	}
}

driver_url() {
	echo "mles+ws://127.0.0.1:$MLES_PORT"
}
