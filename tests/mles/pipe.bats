#!/usr/bin/env bats
# zpinc-pipe on keys of suite mles, over a folder.
# shellcheck disable=SC2016,SC2154

bats_require_minimum_version 1.5.0

load ../cli/pipe

setup() {
	pipe_setup
	echo 'correct horse battery staple' |
		zpinc-key new --suite mles -c 'test room' -o talk.key 2> made
	export KEY=./talk.key
}

teardown() {
	pipe_teardown
}

# What whoever has the password opens of all that is on the relay.
notes_on_relay() {
	cat relay/*/*.zp | zpinc-open -k ./talk.key -F '%k %u %m'
}

secret() { # NAME...
	local name
	for name; do
		hears "$name" 'forward secrecy is on'
	done
}

@test "two members of suite mles converse, and it is no secret when it ends" {
	member alice "$RELAY"
	say alice 'a note'
	hears alice 'there is no forward secrecy: lines are notes'
	member 'Zoë' "$RELAY"
	sees 'Zoë' '[note] alice: a note'
	secret alice 'Zoë'
	hears alice '^zpinc-pipe: conversation: alice, Zoë$'
	hears alice 'lines are messages now'
	say alice 'äöü 100% geheim'
	sees 'Zoë' 'alice: äöü 100% geheim'
	say 'Zoë' 'auch'
	sees alice 'Zoë: auch'
	hush alice
	ends alice 0
	hears 'Zoë' 'alice left'
	hears 'Zoë' 'forward secrecy is off: nobody else is here'
	hush 'Zoë'
	ends 'Zoë' 0
	[ "$(notes_on_relay)" = 'note alice a note' ]
	run ! grep -rq geheim relay
	[ "$(times 'Zoë.out' 'alice: äöü 100% geheim')" = 1 ]
}

@test "three converse; what one leaves is made anew without it" {
	member 9 "$RELAY"
	member 10 "$RELAY"
	member 'alice!' "$RELAY"
	for name in 9 10 'alice!'; do
		await matches "$name.err" 'conversation: .*, .*, '
	done
	say 10 'to both'
	sees 9 '10: to both'
	sees 'alice!' '10: to both'
	hush 10
	ends 10 0
	await matches 9.err 'forward secrecy is off'
	await matches 9.err '^zpinc-pipe: conversation: 9, alice!$'
	await matches 'alice!.err' '^zpinc-pipe: conversation: alice!, 9$'
	say 9 'of us two'
	sees 'alice!' '9: of us two'
}

@test "--require-fs waits for forward secrecy, --notes has none" {
	member alice --require-fs "$RELAY"
	say alice 'a secret'
	hears alice 'lines wait: nobody else is here'
	member bob --notes "$RELAY"
	sees bob 'alice: a secret'
	say bob 'to all'
	sees alice '[note] bob: to all'
	hears bob 'lines are notes (--notes)'
	hush bob
	ends bob 0
	hush alice
	ends alice 0
	[ "$(notes_on_relay)" = 'note bob to all' ]
}

@test "a body that is too long for the format is refused, the others go out" {
	{
		echo first
		head -c 70000 /dev/zero | tr '\0' x
		echo
		head -c 30000 /dev/zero | tr '\0' ' '
		echo
		printf 'no \xff text\n'
		head -c 65517 /dev/zero | tr '\0' y
	} > lines
	run -5 --separate-stderr zpinc-pipe -k ./talk.key -u alice --notes \
		"$RELAY" < lines
	[ "$(grep -c 'not sent$' <<< "$stderr")" = 3 ]
	[[ "$stderr" == *'line 2: too long for suite mles'* ]]
	[[ "$stderr" == *'line 3: too long for suite mles'* ]]
	[[ "$stderr" == *'line 4: not text (UTF-8) for suite mles: not sent'* ]]
	[ "$(notes_on_relay | head -n 1)" = 'note alice first' ]
	[ "$(notes_on_relay | sed -n 2p | tr -d '\n' | wc -c)" = $((11 + 65517)) ]
	[ "$(notes_on_relay | wc -l)" = 2 ]
}

@test "what this suite cannot promise is told once" {
	grep -q 'not for secrets' made
	echo hi | zpinc-pipe -k ./talk.key -u alice "$RELAY" 2> err
	[ "$(grep -c 'zpinc-mles(7)' err)" = 1 ]
}

@test "options that suite mles has no use for are refused with exit 2" {
	zpinc-key identity -o id.key
	while read -r option; do
		# shellcheck disable=SC2086
		run -2 --separate-stderr zpinc-pipe -k ./talk.key -u alice \
			$option "$RELAY" < /dev/null
		[[ "$stderr" == "zpinc-pipe: ${option%% *}: suite mles has "* ]]
		[ "$(wc -l <<< "$stderr")" = 1 ]
	done <<- 'X'
		-i ./id.key
		-m bob
		--rekey 1m
		--state s
		--max-record 2000
		--max-members 100
		--no-time
		--trust known
		--trust-new never
	X
	run -2 --separate-stderr zpinc-pipe -k ./ops.key --typing "$RELAY" \
		< /dev/null
	[[ "$stderr" == *'--typing: suite zp1 has whole lines alone' ]]
}

@test "a name that would block every conversation is refused" {
	for name in __proto__ toString $'a\tb' ''; do
		run -2 --separate-stderr zpinc-pipe -k ./talk.key \
			-u "${name:-constructor}" "$RELAY" < /dev/null
		[ -z "$output" ]
	done
}

@test "no name makes two members of one, nor of a message another's note" {
	member alice "$RELAY"
	AS='bob, carol' member trudy "$RELAY"
	AS='[note] bob' member mallory "$RELAY"
	await eval "sed -n 's/.* conversation: //p' alice.err | tail -n 1 |
		awk -F', ' '{ exit NF != 3 }'"
	secret mallory
	say mallory 'the meeting is cancelled'
	sees alice '\x5bnote]\x20bob: the meeting is cancelled'
	matches alice.err 'conversation: alice, .*bob\\x2c\\x20carol'
	matches alice.err 'conversation: alice, .*\\x5bnote]\\x20bob'
	run ! grep -F '[note] ' alice.out
}

@test "zpinc-handshake makes no file of a conversation in this suite" {
	run -3 --separate-stderr zpinc-handshake -k ./talk.key -u alice \
		-o conv.key "$RELAY" < /dev/null
	[[ "$stderr" == *'suite mles has no conversations to keep'* ]]
	[[ "$stderr" == *'hint: zpinc-pipe converses'* ]]
	[ ! -e conv.key ]
}

@test "a note of zpinc-seal is shown as one, and forward secrecy comes back" {
	member alice "$RELAY"
	member bob --json "$RELAY"
	secret alice
	echo 'disk full' | zpinc-seal -k ./talk.key -u cron |
		zpinc-file "$RELAY"
	sees alice '[note] cron: disk full'
	hears alice 'forward secrecy is off'
	await eval '[ "$(grep -c "secrecy is on" alice.err)" -gt 1 ]'
	say bob 'seen'
	sees alice 'bob: seen'
	await matches bob.out '"event":"delivered","kind":"message","line":1'
	for event in online conversation alone sending; do
		await matches bob.out "\"event\":\"$event\""
	done
	jq -es 'all(.ms > 0)' bob.out
}

@test "over two relays each line is shown once, one may be dead" {
	member alice "$RELAY" file:/nowhere/at/all
	member bob "$RELAY" "file:$HOME/second"
	member carol --echo "file:$HOME/second" "$RELAY"
	secret alice bob carol
	await matches alice.err 'conversation: .*, .*, '
	await matches carol.err 'conversation: .*, .*, '
	say carol 'once'
	sees bob 'carol: once'
	sees alice 'carol: once'
	sees carol 'carol: once'
	for name in bob alice carol; do
		hush $name
		ends $name 0
		[ "$(times $name.out 'carol: once')" = 1 ]
	done
}

@test "two commands may be the relay" {
	mkdir sub
	member alice --sub 'tail -n +1 -F sub/"$ZPINC_TOPIC"' \
		--pub 'cat >> sub/"$ZPINC_TOPIC"'
	member bob --sub 'tail -n +1 -F sub/"$ZPINC_TOPIC"' \
		--pub 'cat >> sub/"$ZPINC_LIVE"'
	secret alice bob
	say alice 'hello'
	sees bob 'alice: hello'
}
