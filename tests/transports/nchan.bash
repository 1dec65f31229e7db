# shellcheck shell=bash
# nginx with Nchan on a free port of the loopback, in a folder of its own,
# with the configuration that zpinc-http(1) tells users to write.
#
#   nchan_setup [SED]   chooses NCHAN_PORT, writes NCHAN_DIR/nginx.conf; SED:
#                       commands for sed that change the example
#   nchan_start         returns when it answers
#   nchan_signal SIG    to all of its processes
#   nchan_kill          at once; returns when they are gone

PATH=$PATH:/usr/sbin:/sbin
NCHAN_DIR=$BATS_TEST_TMPDIR/nginx

# The example of that name in the manual page.
manual_example() {
	awk -v name="$1" '/^\.\\" example / { on = $3 == name; next }
		/^\.Ed/ { on = 0 } on' "$ZP_ROOT/man/zpinc-http.1"
}

nchan_port() {
	while :; do
		NCHAN_PORT=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
		(exec 9<> "/dev/tcp/127.0.0.1/$NCHAN_PORT") 2>/dev/null || return 0
	done
}

# Without certificates, unless the test brings some: plain HTTP.
nchan_setup() {
	local t
	nchan_port
	mkdir -p "$NCHAN_DIR/tmp"
	{
		echo "load_module /usr/lib/nginx/modules/ngx_nchan_module.so;"
		# Its workers must get into our folder.
		[ "$(id -u)" -ne 0 ] || echo "user root root;"
		echo "daemon on; worker_processes ${NCHAN_WORKERS:-1};"
		echo "pid $NCHAN_DIR/nginx.pid; error_log $NCHAN_DIR/error.log;"
		echo "events { worker_connections 512; }"
		echo "http { access_log off;"
		for t in client_body proxy fastcgi uwsgi scgi; do
			echo "${t}_temp_path $NCHAN_DIR/tmp/$t;"
		done
		manual_example "${NCHAN_EXAMPLE:-nginx-conf}" | sed -e "${1:-
			s/listen .*;/listen 127.0.0.1:$NCHAN_PORT;/
			/ssl_certificate/d}"
		echo "}"
	} > "$NCHAN_DIR/nginx.conf"
}

nchan_start() {
	local i
	(
		# A daemon must not hold what the tests close.
		for i in /proc/"$BASHPID"/fd/*; do
			i=${i##*/}
			[ "$i" -le 2 ] || exec {i}>&-
		done
		exec nginx -e "$NCHAN_DIR/error.log" -p "$NCHAN_DIR" \
			-c "$NCHAN_DIR/nginx.conf" > /dev/null 2>&1
	)
	for ((i = 0; i < 500; i++)); do
		if [ -s "$NCHAN_DIR/nginx.pid" ] &&
			(exec 9<> "/dev/tcp/127.0.0.1/$NCHAN_PORT") 2>/dev/null; then
			return 0
		fi
		sleep 0.02
	done
	echo "nginx did not start:" >&2
	tail "$NCHAN_DIR/error.log" >&2
	return 1
}

nchan_pids() {
	local master
	master=$(cat "$NCHAN_DIR/nginx.pid" 2>/dev/null) || return 0
	echo "$master"
	pgrep -P "$master" || :
}

nchan_signal() {
	local pids
	pids=$(nchan_pids)
	# shellcheck disable=SC2086
	[ -z "$pids" ] || kill "-$1" $pids
}

nchan_kill() {
	local pid pids i
	pids=$(nchan_pids)
	for pid in $pids; do
		kill -KILL "$pid" 2>/dev/null || :
	done
	for pid in $pids; do
		for ((i = 0; i < 250; i++)); do
			case $(ps -o stat= -p "$pid") in
			'' | Z*) break ;;
			esac
			sleep 0.02
		done
	done
	rm -f "$NCHAN_DIR/nginx.pid"
}
