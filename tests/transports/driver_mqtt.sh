# shellcheck shell=bash disable=SC2034
# mosquitto as the server of the conformance suite; see the head of
# conformance.suite for what a driver is.

load ../compose/servers.bash

DRIVER_TRANSPORT=zpinc-mqtt
DRIVER_RETAINS=0
DRIVER_KEEPALIVE=(-k 1)

driver_setup() {
	MOSQUITTO_PORT=$(free_port)
	MOSQUITTO_PID=
}

driver_start() {
	start_mosquitto "$BATS_TEST_TMPDIR/server" "$MOSQUITTO_PORT"
}

# By TERM, since it has on disk what it acknowledged only then.
driver_kill() {
	stop_server "$MOSQUITTO_PID" TERM
}

driver_teardown() {
	[ -z "$MOSQUITTO_PID" ] || stop_server "$MOSQUITTO_PID" KILL
}

driver_url() {
	echo "mqtt://127.0.0.1:$MOSQUITTO_PORT"
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
