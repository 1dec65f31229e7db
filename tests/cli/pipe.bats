#!/usr/bin/env bats
# zpinc-pipe: notes and conversations, delivery, what it says and when.

bats_require_minimum_version 1.5.0

load pipe

setup() {
	pipe_setup
}

teardown() {
	pipe_teardown
}

# What the passphrase alone opens of all that is on the relay.
notes_on_relay() {
	cat relay/*/*.zp | zpinc-open -k ./ops.key -F '%k %u %m' --trust none
}

@test "alone, lines go out as notes, and that is said" {
	echo 'anybody?' | zpinc-pipe -k ./ops.key -u alice "$RELAY" 2> err
	grep -q 'nobody else is here: lines are notes' err
	run -0 notes_on_relay
	[ "$output" = 'note alice anybody?' ]
}

@test "two members converse, and nothing of it is on the relay" {
	member alice "$RELAY"
	member bob "$RELAY"
	talk 2 alice bob
	say alice 'a secret'
	sees bob 'alice: a secret'
	say bob 'another'
	sees alice 'bob: another'
	hush alice
	ends alice 0
	hush bob
	ends bob 0
	[ -z "$(notes_on_relay)" ]
	run ! grep -rq secret relay
	[ "$(times bob.out 'alice: a secret')" = 1 ]
	run ! grep -q alice: alice.out
}

@test "who comes later sees the notes once, and none of the messages" {
	member alice "$RELAY"
	say alice 'a note'
	hears alice 'lines are notes'
	member bob "$RELAY"
	sees bob '[note] alice: a note'
	talk 2 alice bob
	say alice 'a message'
	sees bob 'alice: a message'
	member carol "$RELAY"
	talk 3 alice bob carol
	say carol 'hello'
	sees alice 'carol: hello'
	sees bob 'carol: hello'
	[ "$(cat carol.out)" = '[note] alice: a note' ]
	[ "$(times bob.out '[note] alice: a note')" = 1 ]
}

@test "after a leave the others go on, under a new key" {
	member alice "$RELAY"
	member bob "$RELAY"
	member carol "$RELAY"
	talk 3 alice bob carol
	hush bob
	ends bob 0
	talk 2 alice carol
	say alice 'bob is gone'
	sees carol 'alice: bob is gone'
	hears alice 'bob left'
	[ "$(grep -c 'safety number' alice.err)" -ge 2 ]
}

@test "once there was a conversation, silence makes no notes of lines" {
	member alice "$RELAY"
	member bob "$RELAY"
	talk 2 alice bob
	hush bob
	ends bob 0
	hears alice 'the conversation has ended'
	say alice 'nobody may read this'
	hears alice 'lines wait: nobody else is here any more'
	member carol "$RELAY"
	sees carol 'alice: nobody may read this'
	[ -z "$(notes_on_relay)" ]
}

@test "--fallback sends notes again after a conversation, and says so" {
	member alice --fallback "$RELAY"
	member bob "$RELAY"
	talk 2 alice bob
	hush bob
	ends bob 0
	hears alice 'the conversation has ended'
	say alice 'for whoever comes'
	hears alice 'nobody else is here: lines are notes'
	hush alice
	ends alice 0
	[ "$(notes_on_relay)" = 'note alice for whoever comes' ]
}

@test "--require-fs never sends a note; --notes sends nothing else" {
	member alice --require-fs "$RELAY"
	say alice 'only to members'
	hears alice 'lines wait: nobody else is here'
	member bob --notes "$RELAY"
	sees bob 'alice: only to members'
	say bob 'to all'
	sees alice '[note] bob: to all'
	hears bob 'lines are notes (--notes)'
	hush bob
	ends bob 0
	hush alice
	ends alice 0
	[ "$(notes_on_relay)" = 'note bob to all' ]
}

@test "a conversation among -m keeps others out" {
	member alice -m bob "$RELAY"
	member mallory "$RELAY"
	member bob -m alice "$RELAY"
	talk 2 alice bob
	say alice 'for bob'
	sees bob 'alice: for bob'
	say mallory 'let me in'
	[ ! -s mallory.out ]
	run ! grep -q mallory alice.err
}

@test "--json tells bodies and events, one object a line" {
	member alice --json "$RELAY"
	member bob --json "$RELAY"
	await matches bob.out '"event":"conversation"'
	await matches alice.out '"event":"conversation"'
	say alice 'line "one"'
	await matches bob.out '"kind":"message"'
	await matches alice.out '"event":"delivered"'
	hush bob
	ends bob 0
	await matches alice.out '"event":"leave"'
	hush alice
	ends alice 0
	jq -es . alice.out bob.out > /dev/null
	run -0 jq -r 'select(.kind == "message" and .body) | .uid + .body' bob.out
	[ "$output" = 'aliceline "one"' ]
	run -0 jq -r 'select(.event == "delivered") | "\(.line) \(.to[0])"' alice.out
	echo "$output"
	[ "$output" = '1 bob' ]
	run -0 jq -r 'select(.event) | .event' alice.out
	for e in online join conversation delivered leave offline alone; do
		grep -qx "$e" <<< "$output"
	done
}

@test "-F shapes what is shown, and a note is always told from a message" {
	echo 'one' | zpinc-pipe -k ./ops.key -u alice "$RELAY" 2> err
	member bob -F '%u> %m' "$RELAY"
	member carol -F '%k/%u/%m' --echo "$RELAY"
	talk 2 bob carol
	sees bob '[note] alice> one'
	sees carol 'note/alice/one'
	say carol 'two'
	sees bob 'carol> two'
	sees carol 'message/carol/two'
}

@test "an unread line cannot forge another, nor move the cursor" {
	member alice "$RELAY"
	member bob "$RELAY"
	talk 2 alice bob
	say alice $'x\e[2J\rbob: y'
	sees bob 'alice: x\x1b[2J\x0dbob: y'
}

@test "no name makes two members of one, nor of a message another's note" {
	member alice "$RELAY"
	member dave --json "$RELAY"
	AS='bob, carol' member trudy "$RELAY"
	AS='[note] bob' member mallory "$RELAY"
	# Counted at what stands between names.
	talk 4 alice
	sed -n 's/^zpinc-pipe: conversation: //p' alice.err | tail -n 1 > list
	grep -F 'bob\x2c\x20carol' list
	grep -F '\x5bnote]\x20bob' list
	say mallory 'the meeting is cancelled'
	sees alice '\x5bnote]\x20bob: the meeting is cancelled'
	run ! grep -F '[note] ' alice.out
	# JSON has names as they are.
	await matches dave.out '"uid":"\[note\] bob",.*is cancelled'
	jq -es 'any(.members != null and (.members | sort) ==
		["[note] bob", "alice", "bob, carol", "dave"])' dave.out
	hush trudy
	hears alice '^zpinc-pipe: bob\\x2c\\x20carol left$'
}

@test "nobody speaks as the tool does" {
	AS=zpinc-pipe member mallory "$RELAY"
	member alice "$RELAY"
	talk 2 alice mallory
	say mallory 'conversation: alice and bob'
	sees alice '\x7apinc-pipe: conversation: alice and bob'
}

@test "-m and its like take a name as it is, not as it is shown" {
	AS='Anna Maria' member anna -m alice "$RELAY"
	member alice -m 'Anna Maria' "$RELAY"
	talk 2 alice anna
	say anna 'hi'
	sees alice 'Anna\x20Maria: hi'
	hears alice '^zpinc-pipe: conversation: .*Anna\\x20Maria'
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

@test "hellos of the past bring nobody back" {
	member alice "$RELAY"
	member bob "$RELAY"
	talk 2 alice bob
	cat relay/*/*.zp > spool
	die alice
	die bob
	# A transport that tells of them before it is #live.
	mkdir bin
	cat > bin/zpinc-past <<- EOF
		#!/bin/sh
		echo '#up'
		cat '$HOME/spool'
		echo '#live'
		exec cat > /dev/null
	EOF
	chmod +x bin/zpinc-past
	PATH=$PATH:$HOME/bin
	member carol past://relay/
	say carol 'anybody?'
	hears carol 'nobody else is here: lines are notes'
	run ! grep -E 'alice|bob' carol.err
}

@test "an identity is pinned, and another one under its name is refused" {
	for name in alice bob mallory; do
		zpinc-key identity -o $name.id 2> /dev/null
	done
	member alice -i ./alice.id --trust alice.known "$RELAY"
	member bob -i ./bob.id --trust bob.known "$RELAY"
	talk 2 alice bob
	say alice 'signed'
	sees bob 'alice: signed'
	hears bob 'alice: seen for the first time: identity pinned'
	AS=alice member mallory -i ./mallory.id --trust mallory.known "$RELAY"
	hears bob 'alice is refused: '
	say alice 'it is still me'
	sees bob 'alice: it is still me'
	in_conversation_of bob 2
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
	hush alice
	ends alice 0
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

@test "over two relays each line is shown once, and one relay may be dead" {
	mkdir other
	member alice "$RELAY" file:"$HOME/other"
	member bob file:"$HOME/other" "$RELAY"
	member carol file:"$HOME/other"
	talk 3 alice bob carol
	for i in $(seq 20); do
		say alice "line $i"
	done
	sees bob 'alice: line 20'
	sees carol 'alice: line 20'
	[ "$(cat bob.out)" = "$(seq -f 'alice: line %g' 20)" ]
	[ "$(cat carol.out)" = "$(seq -f 'alice: line %g' 20)" ]
	hush alice
	ends alice 0

	echo 'still' | zpinc-pipe -k ./ops.key -u dave --notes \
		file:/proc/nothing file:"$HOME/other" 2> err
	sees bob '[note] dave: still'
}

@test "--sub and --pub make a relay of any two commands" {
	touch spool
	sub='tail -n +1 -F spool 2> /dev/null' pub='cat >> spool'
	member alice --sub "$sub" --pub "$pub"
	member bob --sub "$sub" --pub "$pub"
	talk 2 alice bob
	say alice 'over a file of lines'
	sees bob 'alice: over a file of lines'
	hush alice
	ends alice 0
	hush bob
	ends bob 0
	run ! pgrep -f "$HOME"
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

@test "one state is for one process" {
	member alice --state s "$RELAY"
	hears alice '.' || true
	await test -e s/notes
	run -5 zpinc-pipe -k ./ops.key -u alice --state s "$RELAY" < /dev/null
	[[ $output == *'another zpinc-pipe uses it'* ]]
}

@test "what makes no sense is refused with exit 2, and a bad key with 3" {
	run -2 zpinc-pipe -k ./ops.key
	run -2 zpinc-pipe -k ./ops.key --sub cat "$RELAY"
	run -2 zpinc-pipe -k ./ops.key --notes --fallback "$RELAY"
	run -2 zpinc-pipe -k ./ops.key -F '%q' "$RELAY"
	run -2 zpinc-pipe -k ./ops.key --json -F '%m' "$RELAY"
	run -2 zpinc-pipe -k ./ops.key --rekey 1 "$RELAY"
	run -2 zpinc-pipe -k ./ops.key --max-record 10 "$RELAY"
	run -2 zpinc-pipe -k ./ops.key -m '' "$RELAY"
	run -2 zpinc-pipe -k ./ops.key redis://user:pass@host
	run -3 zpinc-pipe -k ./none.key "$RELAY"
	chmod 644 ops.key
	run -3 zpinc-pipe -k ./ops.key "$RELAY"
	[[ $output == *'mode 0644'* ]]
}

@test "a long line arrives whole; one beyond all limits is refused and named" {
	member alice "$RELAY"
	member bob -F '%m' "$RELAY"
	talk 2 alice bob
	long=$(head -c 300000 /dev/zero | tr '\0' x)
	say alice "$long" short
	sees bob short
	[ "$(sed -n 1p bob.out)" = "$long" ]
	head -c 1100000 /dev/zero | tr '\0' y >&"${FD[alice]}"
	say alice '' after
	sees bob after
	hears alice 'line 3: longer than 1048576 bytes: not sent'
	hush alice
	ends alice 5
}
