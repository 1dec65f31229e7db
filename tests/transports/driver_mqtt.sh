# shellcheck shell=bash disable=SC2034
# mosquitto as the server of the conformance suite; see the head of
# conformance.suite for what a driver is.

load ../compose/servers.bash
load tls.bash

DRIVER_TRANSPORT=zpinc-mqtt
DRIVER_RETAINS=0
DRIVER_KEEPALIVE=(-k 1)

driver_setup() {
	MOSQUITTO_PORT=$(free_port)
	MOSQUITTO_PID=
	[ -n "${ZP_TLS:-}" ] || return 0
	tls_make tls
	TLS_PORT=$(free_port)
	DRIVER_ARGUMENTS+=(--cafile "$PWD/tls/ca.pem")
	export MOSQUITTO_CONF="listener $TLS_PORT 127.0.0.1
certfile $PWD/tls/server.pem
keyfile $PWD/tls/server.key"
}

driver_start() {
	start_mosquitto "$BATS_TEST_TMPDIR/server" "$MOSQUITTO_PORT"
	[ -z "${ZP_TLS:-}" ] || await_port "$TLS_PORT"
}

# By TERM, since it has on disk what it acknowledged only then.
driver_kill() {
	stop_server "$MOSQUITTO_PID" TERM
}

driver_teardown() {
	[ -z "$MOSQUITTO_PID" ] || stop_server "$MOSQUITTO_PID" KILL
}

driver_url() {
	if [ -n "${ZP_TLS:-}" ]; then
		echo "mqtts://127.0.0.1:$TLS_PORT"
	else
		echo "mqtt://127.0.0.1:$MOSQUITTO_PORT"
	fi
}

driver_inject() {
	mosquitto_pub -p "$MOSQUITTO_PORT" -q 1 -t "$1" -s
}

driver_freeze() {
	kill -STOP "$MOSQUITTO_PID"
}

driver_thaw() {
	kill -CONT "$MOSQUITTO_PID"
}
