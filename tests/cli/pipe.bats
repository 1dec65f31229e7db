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
