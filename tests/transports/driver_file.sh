# shellcheck shell=bash disable=SC2034
# A folder as the server of the conformance suite; see the head of
# conformance.suite for what a driver is.

DRIVER_TRANSPORT=zpinc-file
DRIVER_RETAINS=1000

# The folder's parent is moved to take it away: zpinc-file makes DIR itself,
# but not what DIR lies in.
driver_setup() {
	FILE_TOP=$BATS_TEST_TMPDIR/server
	mkdir -p "$FILE_TOP"
}

driver_start() {
	if [ -d "$FILE_TOP/away" ]; then
		mv "$FILE_TOP/away" "$FILE_TOP/net"
	else
		mkdir -p "$FILE_TOP/net"
	fi
}

driver_kill() {
	mv "$FILE_TOP/net" "$FILE_TOP/away"
}

driver_teardown() {
	rm -rf "$FILE_TOP"
}

driver_url() {
	echo "file:$FILE_TOP/net/dir"
}

driver_inject() {
	mkdir -p "$FILE_TOP/net/dir/$1"
	cat >> "$FILE_TOP/net/dir/$1/somebody.zp"
}
