#!/usr/bin/env bats
# zpinc-handshake with identities.

bats_require_minimum_version 1.5.0

load handshake

setup() {
	handshake_setup
}

teardown() {
	handshake_teardown
}

identities() {
	for uid; do
		zpinc-key identity -o "$uid.id" 2> /dev/null
	done
}

@test "identities are pinned at first sight and known later" {
	identities alice bob
	join alice -i ./alice.id "$RELAY"
	join bob -i ./bob.id "$RELAY"
	agree alice bob
	grep -q 'bob: seen for the first time: identity pinned' alice.err
	grep -q 'member bob: known' alice.err
	run -1 grep -q 'compare safety' alice.err
	rm ./*.status
	join alice -f -i ./alice.id --trust-new never "$RELAY"
	join bob -f -i ./bob.id "$RELAY"
	agree alice bob
	run -1 grep -q 'first time' alice.err
	# Signed messages of it are known, too.
	echo hello | zpinc-seal -k ./bob.conv -i ./bob.id |
		XDG_STATE_HOME=$PWD/state.alice zpinc-open -k ./alice.conv \
			-F '%s %u %m' > opened
	[ "$(cat opened)" = "known bob hello" ]
}

@test "a changed identity never enters a conversation" {
	identities alice bob eve
	join alice -i ./alice.id "$RELAY"
	join bob -i ./bob.id "$RELAY"
	agree alice bob
	rm ./*.status
	# Eve calls herself Bob, and knows nothing of a pin.
	rm -r state.bob
	join alice -f -i ./alice.id -t 1.5 "$RELAY"
	join bob -f -i ./eve.id -t 2 "$RELAY"
	await_status alice 4
	await_status bob 4
	grep -q 'bob is refused: the identity has CHANGED' alice.err
}

@test "a pinned user without signature never enters a conversation" {
	identities alice bob
	join alice -i ./alice.id "$RELAY"
	join bob -i ./bob.id "$RELAY"
	agree alice bob
	rm ./*.status
	rm -r state.bob
	join alice -f -i ./alice.id -t 1.5 "$RELAY"
	join bob -f -t 1.5 "$RELAY"
	await_status alice 4
	grep -q 'bob is refused: UNSIGNED' alice.err
}

@test "with --trust-new never an unknown identity stays out" {
	identities alice bob
	join alice -i ./alice.id --trust-new never -t 1.5 "$RELAY"
	join bob -i ./bob.id -t 1.5 "$RELAY"
	await_status alice 4
	grep -q 'bob is refused: no identity is pinned' alice.err
	run -1 grep -q bob state.alice/zpinc/known
}

@test "who forgets -i is told before anybody waits" {
	identities alice
	join alice -i ./alice.id -t 0.2 "$RELAY"
	await_status alice 4
	rm ./*.status
	join alice "$RELAY"
	await_status alice 3
	grep -q '^hint: alice is pinned' alice.err
}
