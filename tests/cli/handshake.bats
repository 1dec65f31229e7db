#!/usr/bin/env bats
# zpinc-handshake: who agrees on what, who is kept out, what is asked for.

bats_require_minimum_version 1.5.0

load handshake

setup() {
	handshake_setup
}

teardown() {
	handshake_teardown
}

@test "two members agree on a conversation, another one every time" {
	join alice "$RELAY"
	join bob "$RELAY"
	agree alice bob
	first=$(safety alice)
	rm ./*.status
	join alice -f "$RELAY"
	join bob -f "$RELAY"
	agree alice bob
	[ "$first" != "$(safety alice)" ]
}

@test "three and five members agree" {
	for uid in alice bob carol; do
		join $uid -n 3 "$RELAY"
	done
	agree alice bob carol
	rm ./*.status
	for uid in alice bob carol dave eve; do
		join $uid -f -n 5 "$RELAY"
	done
	agree alice bob carol dave eve
}

@test "a member of the second implementation agrees with one and with two of ours" {
	join alice "$RELAY"
	join_oracle bob 1
	wait $!
	agree_with_oracle alice
	rm ./*.status
	join alice -f -n 3 "$RELAY"
	join carol -n 3 "$RELAY"
	join_oracle bob 2
	wait $!
	agree_with_oracle alice
	agree_with_oracle carol
}

@test "the key file carries messages, for members alone" {
	join alice "$RELAY"
	join bob "$RELAY"
	agree alice bob
	seq 3 | zpinc-seal -k ./alice.conv > records
	run -0 zpinc-open -k ./bob.conv -F '%k %u %m' < records
	[ "$output" = "$(printf 'message alice %d\n' 1 2 3)" ]
	# Notes and messages together, and each key opens its own only.
	echo note | zpinc-seal -k ./ops.key -u carol >> records
	run -0 zpinc-open -k ./ops.key -k ./bob.conv -F '%k %m' < records
	[ "$output" = "$(printf 'message %d\n' 1 2 3; echo 'note note')" ]
	run -0 zpinc-open -k ./ops.key -F '%k %m' < records
	[ "$output" = "note note" ]
}

@test "with -m exactly these are in; whoever else is there stays out" {
	join mallory -n 2 -t 2 "$RELAY"
	join alice -m bob,carol "$RELAY"
	join bob -m alice,bob,carol "$RELAY"
	join carol -m alice -m bob "$RELAY"
	agree alice bob carol
	await_status mallory 4
	[ ! -e mallory.conv ]
}

@test "with -m a missing member is named" {
	join alice -m bob,carol -t 1.5 "$RELAY"
	join bob -m alice,carol -t 3 "$RELAY"
	await_status alice 4
	await_status bob 4
	grep -q 'no conversation in time: carol is not here$' alice.err
	[ ! -e alice.conv ]
}

@test "with -m two sessions of one user are one too many" {
	join alice -m bob,carol "$RELAY"
	join_oracle bob 3
	first=$!
	join_oracle bob 3
	second=$!
	join_oracle carol 3
	await_status alice 4
	kill $! $first $second 2> /dev/null || true
	grep -q 'two sessions call themselves bob' alice.err
	[ ! -e alice.conv ]
}

@test "with -n too few members are counted" {
	join alice -n 3 -t 1.5 "$RELAY"
	join bob -n 3 -t 3 "$RELAY"
	await_status alice 4
	grep -q 'only 2 of at least 3 members are here' alice.err
}

@test "nobody there: exit 4 says so, and leaves no file" {
	join alice -t 0.5 "$RELAY"
	await_status alice 4
	grep -q 'no conversation in time: nobody else is here' alice.err
	[ ! -e alice.conv ]
}

@test "an existing key file is kept, and nobody waits to find out" {
	echo mine > a.conv
	run -5 zpinc-handshake -k ./ops.key -o ./a.conv "$RELAY"
	[[ "$output" = *"exists already"*"-f replaces it"* ]]
	[ "$(cat a.conv)" = mine ]
	run -5 zpinc-handshake -k ./ops.key -o ./nowhere/a.conv "$RELAY"
	mkdir folder
	run -5 zpinc-handshake -t 1 -f -k ./ops.key -o ./folder "$RELAY"
	[ "$output" = 'zpinc-handshake: ./folder: Is a directory' ]
	run -2 zpinc-handshake -t 1 -k ./ops.key -o - "$RELAY"
	[ ! -e ./- ]
}

@test "what makes no sense is refused with exit 2" {
	h="zpinc-handshake -k ./ops.key -o ./x.conv"
	run -2 zpinc-handshake -k ./ops.key "$RELAY"
	run -2 $h -m bob -n 3 "$RELAY"
	run -2 $h -m , "$RELAY"
	run -2 $h -n 1 "$RELAY"
	run -2 $h -t soon "$RELAY"
	run -2 $h --sub true "$RELAY"
	run -2 $h --sub true --pub true "$RELAY"
	run -2 $h --trust-new maybe "$RELAY"
	run -2 $h redis://user:secret@localhost
	[[ "$output" != *secret* ]]
	run -2 $h -u "$(printf 'a\tb')" "$RELAY"
}

@test "a conversation's key cannot make a conversation" {
	join alice "$RELAY"
	join bob "$RELAY"
	agree alice bob
	run -3 zpinc-handshake -k ./alice.conv -o ./x.conv "$RELAY"
	[[ "$output" = *"a channel's is needed"* ]]
}
