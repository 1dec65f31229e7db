# shellcheck shell=bash disable=SC2034
# redis-server as the server of the conformance suite; see the head of
# conformance.suite for what a driver is.

load ../compose/servers.bash
load tls.bash

DRIVER_TRANSPORT=zpinc-redis
DRIVER_RETAINS=1000
DRIVER_KEEPALIVE=(-k 1)

driver_setup() {
	REDIS_PORT=$(free_port)
	REDIS_PID=
	[ -n "${ZP_TLS:-}" ] || return 0
	tls_make tls
	TLS_PORT=$(free_port)
	DRIVER_ARGUMENTS+=(--cafile "$PWD/tls/ca.pem")
	export REDIS_ARGS="--tls-port $TLS_PORT --tls-auth-clients no \
		--tls-ca-cert-file $PWD/tls/ca.pem \
		--tls-cert-file $PWD/tls/server.pem \
		--tls-key-file $PWD/tls/server.key"
}

# Its appendonly file has what was acknowledged, so KILL takes nothing.
driver_start() {
	start_redis "$BATS_TEST_TMPDIR/server" "$REDIS_PORT"
	[ -z "${ZP_TLS:-}" ] || await_port "$TLS_PORT"
}

driver_kill() {
	stop_server "$REDIS_PID" KILL
}

driver_teardown() {
	[ -z "$REDIS_PID" ] || stop_server "$REDIS_PID" KILL
}

driver_url() {
	if [ -n "${ZP_TLS:-}" ]; then
		echo "rediss://127.0.0.1:$TLS_PORT"
	else
		echo "redis://127.0.0.1:$REDIS_PORT"
	fi
}

driver_inject() {
	redis-cli -p "$REDIS_PORT" -x xadd "$1" '*' r > /dev/null
}

driver_freeze() {
	kill -STOP "$REDIS_PID"
}

driver_thaw() {
	kill -CONT "$REDIS_PID"
}
