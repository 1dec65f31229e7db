# shellcheck shell=bash disable=SC2034
# relay.py, which speaks as ntfy does, in place of ntfy, which Debian has not.
# See the head of conformance.suite for what a driver is.
. "$ZP_ROOT/tests/compose/servers.bash"

DRIVER_TRANSPORT=zpinc-http
DRIVER_RETAINS=1000
DRIVER_KEEPALIVE=(--keepalive 1)

driver_setup() {
	DRIVER_LONGEST=4095
	DRIVER_ARGUMENTS+=(--stream "${ZP_STREAM:-sse}")
	NTFY_PORT=$(free_port)
	NTFY_PID=
}

driver_start() {
	(
		close_others
		exec /usr/bin/python3 "$BATS_TEST_DIRNAME/relay.py" relay.port \
			relay.log "$NTFY_PORT" relay.store
	) > /dev/null 2> relay.err < /dev/null 3>&- &
	NTFY_PID=$!
	await_port "$NTFY_PORT" "$NTFY_PID"
}

driver_kill() {
	stop_server "$NTFY_PID" KILL
}

driver_teardown() {
	[ -z "$NTFY_PID" ] || stop_server "$NTFY_PID" KILL
}

driver_url() {
	echo "ntfy://127.0.0.1:$NTFY_PORT/ntfy"
}

driver_inject() {
	curl -fsS --data-binary @- "http://127.0.0.1:$NTFY_PORT/ntfy/$1"
}

driver_freeze() {
	kill -STOP "$NTFY_PID"
}

driver_thaw() {
	kill -CONT "$NTFY_PID"
}
