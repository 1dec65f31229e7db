#!/usr/bin/env bats
# zpinc-handshake: who agrees on what, who is kept out, and how it ends.

bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_TMPDIR"
	PATH=$ZP_BUILD:$PATH
	export XDG_STATE_HOME=$PWD/state XDG_CONFIG_HOME=$PWD/config
	export XDG_RUNTIME_DIR=$PWD
	unset ZPINC_UID ZPINC_URL
	zpinc-key new -c ops --random -o ops.key 2> /dev/null
	RELAY=file:$PWD/relay
}

teardown() {
	local pids
	pids=$(jobs -p)
	[ -z "$pids" ] || kill $pids 2> /dev/null || true
	wait
}

# join UID [ARGUMENT...]: a member with its own state, in the background.
# Leaves UID.conv, UID.err and UID.status.
join() {
	local uid=$1
	shift
	{
		rc=0
		XDG_STATE_HOME=$PWD/state.$uid zpinc-handshake -k ./ops.key \
			-u "$uid" -t 10 -o "./$uid.conv" "$@" \
			2> "$uid.err" < /dev/null || rc=$?
		echo "$rc" > "$uid.status"
	} 3>&- &
}

# The second implementation's member; $!.
join_oracle() {
	local uid=$1
	"$ZP_ROOT/tests/cli/member.py" ops.key "$@" -- \
		zpinc-file "$RELAY" > "$uid.out" 2> "$uid.err" 3>&- &
}

await_status() { # UID STATUS
	local i
	for ((i = 0; i < 1000; i++)); do
		[ ! -s "$1.status" ] || break
		sleep 0.02
	done
	if [ "$(cat "$1.status")" != "$2" ]; then
		echo "$1: status $(cat "$1.status")" >&2
		cat "$1.err" >&2
		return 1
	fi
}

await_line() { # FILE PATTERN
	local i
	for ((i = 0; i < 500; i++)); do
		! grep -q -- "$2" "$1" 2> /dev/null || return 0
		sleep 0.02
	done
	echo "no '$2' in $1" >&2
	return 1
}

safety() {
	sed -n 's/^zpinc-handshake: safety number //p' "$1.err"
}

# The members as files and messages name them, in order.
members() {
	sed -n 's/^zpinc-handshake: member \(.*\): .*/\1/p' "$1.err" | sort |
		tr '\n' ' '
}

# agree UID...: all have made one and the same conversation.
agree() {
	local uid
	for uid; do
		await_status "$uid" 0
		[ "$(stat -c %a "$uid.conv")" = 600 ]
		[ "$(members "$uid")" = "$(printf '%s\n' "$@" | sort |
			tr '\n' ' ')" ]
		[ "$(safety "$uid")" = "$(safety "$1")" ]
		# Only who we are, and when it was written, differ.
		diff <(grep -v '^#\|^me \|^time ' "$1.conv") \
			<(grep -v '^#\|^me \|^time ' "$uid.conv")
	done
	[[ "$(safety "$1")" =~ ^([0-9]{5}\ ){5}[0-9]{5}$ ]]
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

agree_with_oracle() {
	await_status "$1" 0
	[ "$(safety "$1")" = "$(cat bob.out)" ]
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
	join bob -m alice,carol -t 1.5 "$RELAY"
	await_status alice 4
	await_status bob 4
	grep -q 'no conversation in time: carol is not here$' alice.err
	[ ! -e alice.conv ]
}

@test "with -m two sessions of one user are one too many" {
	join alice -v -m bob,carol "$RELAY"
	join bob -n 4 "$RELAY"
	XDG_STATE_HOME=$PWD/state.2 zpinc-handshake -k ./ops.key -u bob -n 4 \
		-t 5 -o ./bob2.conv "$RELAY" 2> bob2.err 3>&- &
	# A second session of a user is ignored at first.
	for ((i = 0; i < 500; i++)); do
		[ "$(grep -c 'bob is here' alice.err)" -lt 2 ] || break
		sleep 0.02
	done
	join carol -n 4 "$RELAY"
	await_status alice 4
	grep -q 'two sessions call themselves bob' alice.err
	[ ! -e alice.conv ]
}

@test "with -n too few members are counted" {
	join alice -n 3 -t 1.5 "$RELAY"
	join bob -n 3 -t 1.5 "$RELAY"
	await_status alice 4
	grep -q 'only 2 of at least 3 members are here' alice.err
}

@test "nobody there: exit 4 says so, and leaves no file" {
	join alice -t 0.5 "$RELAY"
	await_status alice 4
	grep -q 'no conversation in time: nobody else is here' alice.err
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
	join mallory -k ./other.key -t 1.5 "$RELAY"
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
	join bob -f "$RELAY"
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
	agree bob carol
}

# An insider, who has the password: whatever he does is told with his name,
# and nobody takes him in.
insider() { # WHAT, then the line that tells it
	join alice -t 1.5 "$RELAY"
	join_oracle mallory 1 --do "$1"
	oracle=$!
	await_status alice 4
	kill $oracle 2> /dev/null || true
	grep -q "$2" alice.err
	[ ! -e alice.conv ]
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

# ---- identities -----------------------------------------------------------

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
	! grep -q hint alice.err
	rm ./*.status
	join alice -f -i ./alice.id --trust-new never "$RELAY"
	join bob -f -i ./bob.id "$RELAY"
	agree alice bob
	! grep -q 'first time' alice.err
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
	join bob -f -i ./eve.id -t 1.5 "$RELAY"
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
	! grep -q bob state.alice/zpinc/known
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

# ---- plumbing -------------------------------------------------------------

@test "in a pipeline with FIFOs over zpinc-file" {
	join bob "$RELAY"
	mkfifo in
	zpinc-file "$RELAY" "$(zpinc-key topic -k ./ops.key)" \
		"$(zpinc-key topic -k ./ops.key --live)" < in 3>&- | {
		rc=0
		zpinc-handshake -k ./ops.key -u alice -t 10 -o ./alice.conv \
			> in 2> alice.err || rc=$?
		echo $rc > alice.status
	} 3>&- &
	agree alice bob
}

@test "a subscriber that starts late holds nobody up for long" {
	join alice -n 3 "$RELAY"
	join bob -n 3 "$RELAY"
	join carol -n 3 --pub "zpinc-file $RELAY" --sub \
		"sleep 1; exec zpinc-file $RELAY \$ZPINC_TOPIC \$ZPINC_LIVE"
	agree alice bob carol
}

@test "the end of standard input is the end, at once" {
	SECONDS=0
	run -5 --separate-stderr zpinc-handshake -k ./ops.key -u alice -t 30 \
		-o ./a.conv < /dev/null
	[ $SECONDS -lt 10 ]
	[[ "$stderr" = *"standard input: has ended"*"no relay is left"* ]]
	[ ! -e a.conv ]
}

@test "a closed standard output is the end, at once" {
	mkfifo in
	sleep 30 > in 3>&- &
	holder=$!
	rc=0
	SECONDS=0
	zpinc-handshake -k ./ops.key -u alice -t 30 -o ./a.conv < in \
		2> err > >(:) || rc=$?
	kill $holder
	[ $rc = 5 ]
	[ $SECONDS -lt 10 ]
	grep -q 'standard output' err
}

# ---- relays ---------------------------------------------------------------

@test "of two relays one that fails does no harm" {
	mkdir bin
	printf '#!/bin/sh\necho "cannot do it" >&2\nexit 5\n' > bin/zpinc-broken
	chmod +x bin/zpinc-broken
	PATH=$PWD/bin:$PATH
	join alice broken:x "$RELAY"
	join bob "$RELAY" "file:$PWD/second"
	agree alice bob
	grep -q 'cannot do it' alice.err
	grep -q 'exit status 5' alice.err
	rm ./*.status
	join alice -f broken:x
	await_status alice 5
	grep -q 'no relay is left' alice.err
}

@test "a transport that does not exist is named" {
	join alice nonsense:x
	await_status alice 5
	grep -q 'there is no transport zpinc-nonsense' alice.err
}

@test "transports and commands are gone when it ends" {
	join alice --sub "echo \$\$ > sub.pid; exec zpinc-file $RELAY \$ZPINC_TOPIC \$ZPINC_LIVE" \
		--pub "echo \$\$ > pub.pid; trap '' TERM; zpinc-file $RELAY; sleep 30"
	join bob "$RELAY"
	agree alice bob
	! kill -0 "$(cat sub.pid)" 2> /dev/null
	! kill -0 "$(cat pub.pid)" 2> /dev/null
}

@test "a transport can open neither keys nor what the handshake writes" {
	mkdir bin config config/zpinc
	cp ops.key config/zpinc/more.key
	zpinc-key identity -o me.id 2> /dev/null
	cat > bin/zpinc-spy <<- EOF
		#!/bin/sh
		for f in ops.key me.id config/zpinc/more.key out.conv \
			state.alice/zpinc/known; do
			if cat "$PWD/\$f" > /dev/null 2>&1; then
				echo "\$f" >> "$PWD/spied/read"
			fi
		done
		cat /etc/hostname > /dev/null && echo ran >> "$PWD/spied/read"
		exec zpinc-file "$RELAY" "\$2" "\$3"
	EOF
	chmod +x bin/zpinc-spy
	mkdir spied relay
	PATH=$PWD/bin:$PATH
	join alice -f -i ./me.id -o ./out.conv -t 0.3 spy:x
	await_status alice 4
	if grep -q 'cannot' alice.err; then
		skip "no Landlock here"
	fi
	[ "$(cat spied/read)" = ran ]
}

@test "signals end it: it leaves, and says what was missing" {
	zpinc-handshake -k ./ops.key -u alice -n 3 -o ./alice.conv "$RELAY" \
		2> alice.err 3>&- &
	alice=$!
	join bob -v -n 3 -t 3 "$RELAY"
	await_line bob.err 'alice is here'
	kill -TERM $alice
	rc=0
	wait $alice || rc=$?
	[ $rc = 4 ]
	grep -q 'interrupted: only 2 of at least 3' alice.err
	await_line bob.err 'alice left'
}

# ---- what is asked for ----------------------------------------------------

@test "an existing key file is kept, and nobody waits to find out" {
	echo mine > a.conv
	run -5 zpinc-handshake -k ./ops.key -o ./a.conv "$RELAY"
	[[ "$output" = *"exists already"*"-f replaces it"* ]]
	[ "$(cat a.conv)" = mine ]
	run -5 zpinc-handshake -k ./ops.key -o ./nowhere/a.conv "$RELAY"
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

@test "a URL comes from a file or the environment when it holds a secret" {
	echo "$RELAY" > url
	join alice @url
	ZPINC_URL=$RELAY join bob -
	agree alice bob
}
