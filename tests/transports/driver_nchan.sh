# shellcheck shell=bash disable=SC2034
# nginx with Nchan as the server of the conformance suite, set up by the
# example in zpinc-http(1), so that what users are told to write is what is
# tested.  See the head of conformance.suite for what a driver is.
# shellcheck source=nchan.bash
. "$BATS_TEST_DIRNAME/nchan.bash"

DRIVER_TRANSPORT=zpinc-http
DRIVER_RETAINS=1000
DRIVER_KEEPALIVE=(--keepalive 1)

driver_setup() {
	nchan_setup
}

driver_start() {
	nchan_start
}

driver_kill() {
	nchan_kill
}

driver_teardown() {
	nchan_kill
}

driver_url() {
	echo "http://127.0.0.1:$NCHAN_PORT/ops"
}

driver_inject() {
	curl -fsS --data-binary @- -H 'Content-Type: text/plain' \
		"http://127.0.0.1:$NCHAN_PORT/ops/$1"
}

driver_freeze() {
	nchan_signal STOP
}

driver_thaw() {
	nchan_signal CONT
}
