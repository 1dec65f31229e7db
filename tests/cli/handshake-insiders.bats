#!/usr/bin/env bats
# zpinc-handshake among liars, noise, latecomers and the uninvited.

bats_require_minimum_version 1.5.0

load handshake

setup() {
	handshake_setup
}

teardown() {
	handshake_teardown
}

# An insider, who has the password: whatever he does is told with his name,
# and nobody takes him in.
insider() { # WHAT, then the line that tells it
	# Long enough for a busy machine to start the oracle.
	join alice -t 4 "$RELAY"
	join_oracle mallory 1 --do "$1"
	oracle=$!
	await_status alice 4
	kill $oracle 2> /dev/null || true
	grep -q "$2" alice.err
	[ ! -e alice.conv ]
}

@test "who comes late is told so and exits 4; who is done may be stopped" {
	# Bob never says that he is done, so Alice stays on for a while.
	zpinc-handshake -k ./ops.key -u alice -o ./alice.conv "$RELAY" \
		2> alice.err 3>&- &
	alice=$!
	join_oracle bob 1 --do nodone
	await_line bob.err 'others are done'
	join carol "$RELAY"
	await_status carol 4
	grep -q 'has the conversation already: too late' carol.err
	[ ! -e carol.conv ]
	kill -TERM $alice
	wait $alice
	[ "$(members alice)" = "alice bob " ]
	[ -s alice.conv ]
}

@test "a member with another passphrase never meets the group" {
	zpinc-key new -c ops --random -o other.key 2> /dev/null
	join alice "$RELAY"
	join bob "$RELAY"
	join mallory -k ./other.key -t 3 "$RELAY"
	agree alice bob
	await_status mallory 4
	grep -q 'nobody else is here' mallory.err
}

@test "records of an earlier handshake, torn and changed ones do no harm" {
	join alice "$RELAY"
	join bob "$RELAY"
	agree alice bob
	live=$(zpinc-key topic -k ./ops.key --live)
	cat relay/"$live"/*.zp > old
	{
		cat old
		cut -c 1-200 old | tr -d '\n'
		cat old
		sed 's/\(.\{400\}\)./\1-/' old
		head -c 3000000 /dev/zero | tr '\0' A
		cat old
		printf '#down everything\n#live\n\377\376zp1.zp1.zp1.\n'
	} > junk
	mkfifo in out
	rm ./*.status
	join dave "$RELAY"
	cat junk - < in 3>&- | {
		rc=0
		zpinc-handshake -k ./ops.key -u carol -t 10 \
			-o ./carol.conv > out 2> carol.err || rc=$?
		echo $rc > carol.status
	} 3>&- &
	zpinc-file "$RELAY" "$(zpinc-key topic -k ./ops.key)" "$live" \
		< out > in 3>&- &
	file=$!
	await_status carol 0
	kill $file
	agree carol dave
}

@test "an insider who falls silent is named" {
	insider silent 'in time: mallory has not answered yet'
}

@test "an insider's neutral share is named" {
	insider neutral "in time: .*earlier: mallory's point is invalid"
}

@test "an insider's share that is no point is named" {
	insider nopoint "^zpinc-handshake: mallory's point is invalid"
}

@test "an insider's wrong tag is named" {
	insider badtag "earlier: mallory's tag is wrong"
}

@test "an insider's wrong mix makes no conversation" {
	join alice -n 3 -t 2 "$RELAY"
	join bob -n 3 -t 2 "$RELAY"
	join_oracle mallory 2 --do wrongmix
	oracle=$!
	await_status alice 4
	await_status bob 4
	kill $oracle 2> /dev/null || true
	grep -q 'given up: the mixes do not cancel' alice.err
	[ ! -e alice.conv ]
	[ ! -e bob.conv ]
}

@test "without an insider the others find together" {
	join alice -n 2 "$RELAY"
	join bob -n 2 "$RELAY"
	join_oracle mallory 2 --do nopoint
	oracle=$!
	agree alice bob
	kill $oracle 2> /dev/null || true
}
