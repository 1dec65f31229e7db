# shellcheck shell=bash disable=SC2034
# nginx with Nchan as the server of the conformance suite, set up by the
# example in zpinc-http(1), so that what users are told to write is what is
# tested.  See the head of conformance.suite for what a driver is.
# shellcheck source=nchan.bash
. "$BATS_TEST_DIRNAME/nchan.bash"
load tls.bash

DRIVER_TRANSPORT=zpinc-http
DRIVER_RETAINS=1000
DRIVER_KEEPALIVE=(--keepalive 1)

driver_setup() {
	DRIVER_FORGETS=1
	NCHAN_URL=http://127.0.0.1
	NCHAN_CURL=()
	if [ -z "${ZP_TLS:-}" ]; then
		nchan_setup
		return
	fi
	tls_make tls
	NCHAN_URL=https://127.0.0.1
	NCHAN_CURL=(--cacert "$PWD/tls/ca.pem")
	DRIVER_ARGUMENTS+=("${NCHAN_CURL[@]}")
	nchan_setup "
		s|listen 443 ssl;|listen 127.0.0.1:PORT ssl;|
		s|/etc/ssl/relay.example.pem|$PWD/tls/server.pem|
		s|/etc/ssl/private/relay.example.key|$PWD/tls/server.key|"
	sed -i "s/PORT/$NCHAN_PORT/" "$NCHAN_DIR/nginx.conf"
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
	echo "$NCHAN_URL:$NCHAN_PORT/ops"
}

driver_inject() {
	curl -fsS "${NCHAN_CURL[@]}" --data-binary @- \
		-H 'Content-Type: text/plain' "$NCHAN_URL:$NCHAN_PORT/ops/$1"
}

driver_freeze() {
	nchan_signal STOP
}

driver_thaw() {
	nchan_signal CONT
}
