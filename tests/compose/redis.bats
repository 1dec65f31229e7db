#!/usr/bin/env bats
# redis-cli, as zpinc-seal(1) and zpinc-open(1) use it.

bats_require_minimum_version 1.5.0
load servers
load examples

setup_file() {
	start_redis "$BATS_FILE_TMPDIR/redis"
}

teardown_file() {
	stop_server "$REDIS_PID"
}

setup() {
	compose_setup
}

teardown() {
	compose_teardown
}

cli() {
	redis-cli -h 127.0.0.1 -p "$REDIS_PORT" "$@"
}

# Somebody has subscribed to the topic.
heard() {
	[ "$(cli PUBSUB NUMSUB "$TOPIC" | tail -n 1)" -gt 0 ]
}

@test "lines are published and heard" {
	begin_example zpinc-open.1 redis-subscribe out
	wait_until heard
	run_example zpinc-seal.1 redis-publish
	vm() { [ "$(grep -c ^ out)" -ge 4 ]; }
	wait_until vm
	grep -q '^procs' out
}

@test "a line is published before the next is typed" {
	begin_example zpinc-open.1 redis-subscribe out
	wait_until heard
	mkfifo in
	bash -c "$(example zpinc-seal.1 redis-publish |
		sed 's/^vmstat 1 2 |/cat in |/')" >/dev/null 3>&- &
	exec 8>in
	echo first >&8
	wait_until says out first
	echo second >&8
	exec 8>&-
	wait_until says out second
}

@test "a stream's history is shown once however often it is read" {
	run_example zpinc-seal.1 redis-xadd
	run -0 run_example zpinc-open.1 redis-xrange
	[[ "${lines[0]}" == Filesystem* ]]
	run -0 run_example zpinc-open.1 redis-xrange
	[ -z "$output" ]
	run_example zpinc-seal.1 redis-xadd
	run -0 run_example zpinc-open.1 redis-xrange
	[ "$(grep -c ^Filesystem <<<"$output")" = 1 ]
}

@test "what a stream has lost since the last run is told" {
	for i in 1 2 3; do
		echo "$i" | zpinc-seal -k ops -u db1 --state sent
	done | sed 's/^zp1\.\([^.]*\).*/XADD \1 * r &/' >add
	cli --pipe <<<"$(sed -n 1p add)" >/dev/null
	run -0 run_example zpinc-open.1 redis-xrange
	cli --pipe <add >/dev/null
	ids=$(cli XRANGE "$TOPIC" - + | grep -x '[0-9]*-[0-9]*')
	# The first 2; the first 1 comes again.
	cli XDEL "$TOPIC" "$(sed -n 3p <<<"$ids")" >/dev/null
	run -0 --separate-stderr run_example zpinc-open.1 redis-xrange
	[ "$output" = 3 ]
	[[ "$stderr" == *"db1: 1 record missing before"* ]]
}

@test "a stream is followed without a loss between two reads" {
	begin_example zpinc-open.1 redis-xread out
	for i in 1 2 3 4 5; do
		seq "$i"0 "$i"9 | zpinc-seal -k ops -u db1 |
			sed 's/^zp1\.\([^.]*\).*/XADD \1 * r &/' |
			cli --pipe >/dev/null
	done
	wait_until says out 59
	[ "$(cat out)" = "$(seq 10 59)" ]
}

@test "a server that is not there shows in the exit status" {
	REDIS_PORT=$(free_port)
	run run_example zpinc-seal.1 redis-xadd
	[ "$status" != 0 ]
	run run_example zpinc-open.1 redis-xrange
	[ "$status" != 0 ]
}

@test "a dead man's switch is silent while somebody speaks" {
	run_example zpinc-seal.1 redis-xadd
	run -0 --separate-stderr cron zpinc-open.1 expect
	[ -z "$output$stderr" ]
	cli FLUSHALL >/dev/null
	run -1 --separate-stderr cron zpinc-open.1 expect
	[ -z "$output" ]
	[ "$stderr" = 'zpinc-open: db1: nothing heard' ]
}

@test "what comes out is what went in" {
	run -0 run_example zpinc-open.1 inverse
	[ "$output" = $'1\n2\n3' ]
}
