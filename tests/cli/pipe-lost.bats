#!/usr/bin/env bats
# zpinc-pipe: what becomes of lines when members, readers and transports stop,
# die and come back.

bats_require_minimum_version 1.5.0

load pipe

setup() {
	pipe_setup
}

teardown() {
	pipe_teardown
}

@test "a member that dies is named when lines are not acknowledged" {
	member alice "$RELAY"
	member bob "$RELAY"
	talk 2 alice bob
	die bob
	say alice 'do you read me?'
	hush alice
	ends alice 5
	hears alice '1 line not acknowledged by bob'
}

@test "TERM leaves at once, and says what was not acknowledged" {
	member alice "$RELAY"
	member bob "$RELAY"
	talk 2 alice bob
	kill -TERM "$(parent_of alice)"
	ends alice 0
	hears bob 'alice left'
}

@test "what a leaver has shown is not told as undelivered" {
	member alice --json "$RELAY"
	member bob "$RELAY"
	await matches alice.out '"event":"conversation"'
	talk 2 bob
	say alice 'one' 'two'
	sees bob 'alice: two'
	kill -TERM "$(parent_of bob)"
	ends bob 0
	await matches alice.out '"event":"offline"'
	hush alice
	ends alice 0
	run -0 jq -c 'select(.line) | [.event, .line, .to]' alice.out
	[ "$output" = $'["delivered",1,["bob"]]\n["delivered",2,["bob"]]' ]
}

@test "a transport that is killed is started again, and nothing is lost" {
	member alice "$RELAY"
	member bob "$RELAY"
	talk 2 alice bob
	for i in 1 2 3; do
		say alice "line $i"
		kill -9 $(pgrep -P "$(parent_of alice)" -x zpinc-file)
		say alice "more $i"
		sees bob "alice: more $i"
	done
	hears alice 'down: killed by signal 9'
	hears alice 'up$'
	for i in 1 2 3; do
		[ "$(times bob.out "alice: line $i")" = 1 ]
		[ "$(times bob.out "alice: more $i")" = 1 ]
	done
	hush alice
	ends alice 0
}

# A transport is let write in the folder that was there when it was started.
@test "a relay's folder that is another one goes on, and so does one to come" {
	local later=file:$HOME/mount/relay
	for name in alice bob; do
		member $name "$later"
		hears $name 'No such file'
	done
	mkdir mount
	talk 2 alice bob
	say alice one
	sees bob 'alice: one'
	mv mount/relay gone
	say alice two
	sees bob 'alice: two'
	rm -r mount/relay
	mkdir mount/relay
	say bob three
	sees alice 'bob: three'
	say alice four
	sees bob 'alice: four'
}

@test "a transport of one's own writes to what its URL names" {
	mkdir bin
	# The manual's; that what follows is live it does not say.
	sed -n '/^#!\/bin\/sh/,/^\.Ed/p' "$ZP_ROOT/man/zpinc-transport.7" |
		sed '/^\.Ed/d' > bin/zpinc-log
	chmod +x bin/zpinc-log
	PATH=$PATH:$HOME/bin
	touch log
	member alice "log://$HOME/log"
	member bob "log://$HOME/log"
	talk 2 alice bob
	say alice 'by a log'
	sees bob 'alice: by a log'
	# Nor need one say anything about itself.
	sed -i "/^echo/d" bin/zpinc-log
	member carol "log://$HOME/log"
	talk 3 alice bob carol
	say carol 'without a word'
	sees bob 'carol: without a word'
}

# Two commands for each, which say nothing about themselves.
converse_by_commands() {
	local name
	: > log
	for name in alice bob; do
		member $name --sub "exec tail -n +1 -f '$HOME/log'" \
			--pub "exec cat >> '$HOME/log'"
	done
	talk 2 alice bob
}

@test "commands that say nothing are up again once they were started again" {
	converse_by_commands
	kill "$(pgrep -P "$(parent_of alice)" -x tail)"
	hears alice ': down: killed by signal 15'
	hears alice ': up$'
	say bob 'to whom it may concern'
	sees alice 'bob: to whom it may concern'
	say alice 'all there again'
	sees bob 'alice: all there again'
	# Both at once: up when both are.
	# shellcheck disable=SC2046
	kill $(pgrep -P "$(parent_of bob)" -x 'tail|cat')
	hears bob ': up$'
	say alice 'once more'
	sees bob 'alice: once more'
	say bob 'indeed'
	sees alice 'bob: indeed'
}

@test "a stranger's line on a topic does not take a relay of commands away" {
	converse_by_commands
	echo '#down by order' >> log
	hears alice ': down: by order'
	hears bob ': down: by order'
	hears alice ': up$'
	say alice 'by no order of yours'
	sees bob 'alice: by no order of yours'
	say bob 'of course'
	sees alice 'bob: of course'
}

@test "a relay that is away is told in one line, and the reason stands" {
	quiet zpinc-pipe -k ./ops.key -u alice redis://127.0.0.1:1 < <(sleep 3)
	[ "$(grep -c redis: err)" = 1 ]
	grep -q ': down: Connection refused' err
	mkdir bin
	cat > bin/zpinc-bouncer <<- 'EOF'
		#!/bin/sh
		[ "$ZPINC_STATUS" ] || echo 'not today' >&2
		echo '#down not today'
		echo again >&2
		exit 5
	EOF
	chmod +x bin/zpinc-bouncer
	PATH=$PATH:$HOME/bin quiet zpinc-pipe -k ./ops.key -u alice bouncer:x \
		< <(sleep 3)
	[ "$(grep -c again err)" -ge 2 ]
	[ "$(grep -c bouncer: err)" = 1 ]
	grep -q 'bouncer:x: down: not today' err
}

# Is standard output of that process, a pipe, full?
full() {
	/usr/bin/python3 - "/proc/$1/fd/1" <<- 'EOF'
		import os, select, sys
		fd = os.open(sys.argv[1], os.O_WRONLY | os.O_NONBLOCK)
		poll = select.poll()
		poll.register(fd, select.POLLOUT)
		sys.exit(bool(poll.poll(0)))
	EOF
}

@test "a transport that dies while nobody reads it is up again afterwards" {
	member alice "$RELAY"
	member bob "$RELAY"
	talk 2 alice bob
	local parent keyed
	parent=$(parent_of bob)
	keyed=$(pgrep -P "$parent" -x zpinc-pipe)
	# More than a pipe holds, for the one who does not look.
	kill -STOP "$keyed"
	say alice "$(seq -f "line %03.0f $(printf 'x%.0s' {1..200})" 1 400)"
	await full "$(pgrep -P "$parent" -x zpinc-file)"
	kill -KILL "$(pgrep -P "$parent" -x zpinc-file)"
	# None may begin while the old one's end cannot be told.
	AWAIT=1 await pgrep -P "$parent" -x zpinc-file > begun || true
	kill -CONT "$keyed"
	hears bob ': up$'
	say bob 'I am back'
	sees alice 'bob: I am back'
	sees bob "alice: line 400 $(printf 'x%.0s' {1..200})"
}

# A member bob whose standard output is a pipe that nobody reads: once it is
# full, 400 lines of alice's are on their way, and some are not shown.
stuck_bob() {
	for name in alice bob; do
		zpinc-key identity -o $name.id 2> /dev/null
	done
	member alice --json -i ./alice.id --trust alice.known "$RELAY"
	mkfifo bob.out
	exec {unread}<> bob.out
	member bob -i ./bob.id --trust bob.known "$RELAY"
	talk 2 bob
	await matches alice.out '"event":"conversation"'
	long=$(printf 'x%.0s' {1..200})
	say alice "$(seq -f "line %03.0f $long" 1 400)"
	await full "$(pgrep -P "$(parent_of bob)" -x zpinc-pipe)"
}

# The numbers of alice's lines that were told as delivered.
delivered() {
	jq -r 'select(.event == "delivered").line' alice.out
}

# What bob's pipe holds goes to a file.
read_bob() {
	timeout 10 dd if=bob.out of="$1" bs=65536 iflag=nonblock 2> /dev/null ||
		true
}

@test "a line is delivered once its reader's output has taken it" {
	stuck_bob
	AWAIT=3 await matches alice.out '"line":400,' || true
	die bob
	hush bob
	read_bob got
	shown=$(grep -c "^alice: line ... $long\$" got)
	[ "$shown" -gt 200 ]
	[ "$shown" -lt 400 ]
	[ "$(delivered | tail -n 1)" -le "$shown" ]

	# The rest goes to who comes back.
	exec {unread}>&-
	rm bob.out
	member bob -i ./bob.id --trust bob.known "$RELAY"
	sees bob "alice: line 400 $long"
	await matches alice.out '"event":"delivered".*"line":400,'
	[ "$(grep -ah '^alice: line' got bob.out | cut -c 13-15 | sort -u |
		grep -c .)" = 400 ]
	[ "$(delivered | wc -l)" = 400 ]
}

@test "who leaves with lines that could not be shown has not taken them" {
	stuck_bob
	kill -TERM "$(parent_of bob)"
	ends bob 5
	hears bob 'standard output takes no more: what came last is not shown'
	read_bob got
	hears alice 'lines .* to 400: not delivered to bob'
	shown=$(grep -c "^alice: line ... $long\$" got)
	[ "$shown" -lt 400 ]
	[ "$(delivered | wc -l)" -le "$shown" ]
	hush alice
	ends alice 5
}

@test "who leaves once a slow reader took all has acknowledged all" {
	stuck_bob
	AWAIT=3 await matches alice.out '"line":400,' || true
	kill -TERM "$(parent_of bob)"
	timeout 10 cat < bob.out > got 3>&- &
	ends bob 0
	await matches alice.out '"event":"delivered".*"line":400,'
	[ "$(delivered | wc -l)" = 400 ]
	kill $!
	hush alice
	ends alice 0
}

@test "who waits for receipts at its end tells who left without giving them" {
	stuck_bob
	hush alice
	kill -TERM "$(parent_of bob)"
	ends bob 5
	ends alice 5
	matches alice.err 'lines .* to 400: not delivered to bob'
}

@test "what is told at the very end and nobody reads is no success" {
	mkfifo bob.out
	exec {unread}<> bob.out
	# It holds a page (F_SETPIPE_SZ), in which one event is more than none.
	/usr/bin/python3 -c "import fcntl; fcntl.fcntl($unread, 1031, 4096)"
	member bob --json --listen "$RELAY"
	hears bob 'lines are notes'
	keyed=$(pgrep -P "$(parent_of bob)" -x zpinc-pipe)
	await full "$keyed"
	read_bob before
	printf '%s\n' one two three | zpinc-seal -k ./ops.key -u alice |
		sed 2d | zpinc-file "$RELAY"
	await full "$keyed"
	kill -TERM "$(parent_of bob)"
	ends bob 5
	read_bob got
	grep -q '"body":"three"' got
	run ! grep -q '"event":"gap"' got
	hears bob 'standard output takes no more: what came last is not shown'
}

@test "with --state nothing is shown again, and unsent notes survive kill -9" {
	echo 'one' | zpinc-pipe -k ./ops.key -u alice "$RELAY" 2> err
	member bob --state bob.state "$RELAY"
	sees bob '[note] alice: one'
	hush bob
	ends bob 0
	echo 'two' | zpinc-pipe -k ./ops.key -u alice "$RELAY" 2> err
	member bob --state bob.state "$RELAY"
	sees bob '[note] alice: two'
	[ "$(times bob.out '[note] alice: one')" = 1 ]

	# The relay takes nothing: the note is on disk, sealed.
	member carol --state carol.state --notes --sub 'sleep 600' \
		--pub 'cat > /dev/null'
	say carol 'keep this'
	await matches carol.state/notes '^zp1'
	run ! grep -rq 'keep this' carol.state
	die carol
	ends carol 137
	hush carol
	member carol --state carol.state --notes "$RELAY"
	sees bob '[note] carol: keep this'
	hears carol '1 note of an earlier run to send'
	await has carol.state/notes 'zpinc-notes 1' # and struck out:
	await matches carol.state/notes '^- '
	hush carol
	ends carol 0
}
