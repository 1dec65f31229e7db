#!/usr/bin/env bats
# The transport in zpinc-transport(7)'s EXAMPLES works as it is printed, by
# itself and below zpinc-pipe.

# bats runs each test in a process of its own and stops it at an error.
# shellcheck disable=SC2030,SC2031,SC2034,SC2154,SC2164
load lib.bash

setup() {
	PIDS=
	cd "$BATS_TEST_TMPDIR"
	sed -n '/^#!\/bin\/sh/,/^\.Ed/p' "$ZP_ROOT/man/zpinc-transport.7" |
		sed -e '/^\.Ed/d' -e 's/\\e/\\/g' > zpinc-log
	chmod +x zpinc-log
	TOOLS=$ZP_BUILD
	ZP_BUILD=$PWD
	DRIVER_TRANSPORT=zpinc-log
	URL=log:$PWD/log
}

teardown() {
	show_all
	kill_all
}

@test "the example is ten lines of shell or a little more" {
	[ "$(wc -l < zpinc-log)" -le 12 ]
	[ "$(wc -l < zpinc-log)" -ge 8 ]
}

@test "it publishes only" {
	records 1 3 | ./zpinc-log "$URL"
	[ "$(numbers log)" = "$(seq 1 3)" ]
	run ./zpinc-log log:/nowhere/at/all < /dev/null
	[ "$status" -eq 5 ]
}

@test "it gives history, then what comes, of its topics alone" {
	records 1 3 | ./zpinc-log "$URL"
	begin alice "$URL" "$TOPIC" "$LIVE"
	ZPINC_URL=$URL begin bob - "$TOPIC" "$LIVE"
	wait_until has_line bob.out '^#live$'
	records 4 6 | say alice
	records 7 9 "$LIVE" | say alice
	records 10 12 "$OTHER" | say alice
	records 13 13 | say alice
	wait_until has_all bob.out 1 6
	wait_until has_all bob.out 13 13
	wait_until has_all alice.out 13 13
	[ "$(numbers bob.out | tr '\n' ' ')" = "1 2 3 4 5 6 13 " ]
	[ "$(numbers bob.out "$LIVE")" = "$(seq 7 9)" ]
	[ -z "$(numbers bob.out "$OTHER")" ]
}

# pipe NAME: zpinc-pipe as NAME, with what comes in NAME.out.
pipe() {
	PATH=$PWD:$PATH HOME=$PWD/home "$TOOLS/zpinc-pipe" -k home/k.key \
		-u "$1" "$URL" < "$1.in" > "$1.out" 2> "$1.err" 3>&- &
	PIDS="$PIDS $!"
}

@test "zpinc-pipe converses over it, by the URL of the page" {
	# What is not there a transport cannot write to.
	mkdir home relay
	touch relay/log
	URL=log:$PWD/relay/log
	"$TOOLS/zpinc-key" new --random -c ops -o home/k.key 2> /dev/null
	mkfifo alice.in bob.in
	pipe alice
	pipe bob
	exec {alice_fd}> alice.in {bob_fd}> bob.in
	echo hello >&"$alice_fd"
	wait_until has_line bob.out 'alice: hello'
	echo you too >&"$bob_fd"
	wait_until has_line alice.out 'bob: you too'
	exec {alice_fd}>&- {bob_fd}>&-
}

@test "it ends when it is told to, and leaves nothing running" {
	begin alice "$URL" "$TOPIC" "$LIVE"
	wait_until has_line alice.out '#up'
	hang_up alice
	kill -TERM "$alice_pid"
	wait "$alice_pid" || :
	wait_until no_tail
}

no_tail() {
	! pgrep -f "$PWD/log" > /dev/null
}
