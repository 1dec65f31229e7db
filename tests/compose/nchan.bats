#!/usr/bin/env bats
# curl with nginx and Nchan, and plain files, as zpinc-seal(1) and
# zpinc-open(1) use them.  The server's configuration is the page's, too.

bats_require_minimum_version 1.5.0
load servers
load examples

setup_file() {
	start_nginx_nchan "$BATS_FILE_TMPDIR/nginx"
}

teardown_file() {
	stop_server "$NCHAN_PID"
}

setup() {
	compose_setup
}

teardown() {
	compose_teardown
}

# resume: the cron job's three commands; curl ends by its time limit.
resume() {
	timeout 10 bash -c "$(example zpinc-open.1 nchan-resume |
		sed 's/-m 2/-m 0.5/')" 2>err
}

@test "a body of many records is one request" {
	begin_example zpinc-open.1 nchan-follow out
	run_example zpinc-seal.1 nchan-post
	wait_until says out ^Filesystem
	seq 5000 | bash -c "$(example zpinc-seal.1 nchan-post |
		sed 's/^df -h | //')"
	wait_until says out '^    5000'
}

@test "every line is a request of its own, on its record's own topic" {
	begin_example zpinc-open.1 nchan-follow out
	run_example zpinc-seal.1 nchan-lines
	wait_until has_lines out 4
}

@test "a job that resumes at the last event shows each body once" {
	echo none >ops.id
	run_example zpinc-seal.1 nchan-post
	resume >out
	grep -q ^Filesystem out
	[ "$(cat ops.id)" != none ]
	echo later | zpinc-seal -k ops -u db1 >r
	curl -sSf -o /dev/null --data-binary @r \
		"http://127.0.0.1:$NCHAN_PORT/ops/$TOPIC"
	resume >out
	[ "$(cat out)" = later ]
	# Only what is new was sent.
	[ "$(grep -c ^id: ops.new)" = 1 ]
	resume >out
	[ ! -s out ]
	run -1 grep -v '^curl: (28)' err
}

@test "what fell out of the server's 100 messages is told by its number" {
	echo 0 | zpinc-seal -k ops -u db1 --state sent |
		zpinc-open -k ops --state ops.seen >out
	seq 120 | zpinc-seal -k ops -u db1 --state sent >r
	# One process, 120 requests.
	url=http://127.0.0.1:$NCHAN_PORT/ops/$TOPIC
	sed "s|.*|url=\"$url\"\ndata=\"&\"\noutput=/dev/null|; \$!s|$|\nnext|" r |
		curl -sSf -K -
	echo none >ops.id
	resume >out
	[ "$(cat out)" = "$(seq 21 120)" ]
	grep -q 'db1: 20 records missing' err
}

@test "lines are added to a file, by several writers, and followed" {
	begin_example zpinc-open.1 tail out
	for _ in 1 2 3 4; do
		run_example zpinc-seal.1 file 3>&- &
	done
	wait_until has_lines srv/ops.log 4
	wait_until has_lines out 4
	[ "$(grep -c 'load average' out)" = 4 ]
}

@test "a file comes out as it was sent" {
	head -c 300000 /dev/urandom >in
	zpinc-seal -k ops -w <in >records
	echo another | zpinc-seal -k ops >>records
	run_example zpinc-open.1 raw
	cmp backup.tar in
}

@test "every example of the two pages is run by a test" {
	for page in zpinc-seal.1 zpinc-open.1; do
		sed '1,/^\.Sh EXAMPLES/d; /^\.Sh/,$d' "$ZP_ROOT/man/$page" >examples
		[ "$(grep -c '^\.Bd' examples)" = "$(grep -c '^\.\\" example' examples)" ]
		for name in $(sed -n 's/^\.\\" example //p' examples); do
			# The server's configuration is taken by servers.bash.
			cat "$ZP_ROOT"/tests/compose/*ba* |
				tr '\n' ' ' | grep -q "$page $name\|$name\"" || {
				echo "$page: $name is not run"
				return 1
			}
		done
	done
}
