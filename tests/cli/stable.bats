#!/usr/bin/env bats
# Files and records that version 1.0 wrote, in files-1/: every later 1.x has
# to read them, and to go on from them.  They are never made anew; who
# changes a format adds files, and code that reads both.

load common

setup() {
	common_setup
	cp -R "$ZP_ROOT/tests/cli/files-1/." .
	find . -type f -exec chmod 600 {} +
}

@test "keys of 1.0 are read: random, of a passphrase, of suite mles" {
	[ "$(zpinc-key export -k ./ops.key)" = "$(cat ops.export)" ]
	(umask 077 && echo 'correct horse battery staple' >pw)
	zpinc-key new --passfile pw --work 15 -c ops -o again.key
	cmp again.key pass.key
	zpinc-key new --suite mles --passfile pw -c ops -o again.mles
	cmp again.mles mles.key
}

@test "identities of 1.0 are the same, and pinned" {
	zpinc-key public -i ./alice.id >ids
	zpinc-key public -i ./bob.id >>ids
	cmp ids public.ids
	zpinc-key trust list --trust ./known >pins
	[ "$(cut -d' ' -f1,4 pins)" = "$(paste -d' ' public.ids \
		<(printf 'alice\nbob\n'))" ]
	# A pin holds.
	zpinc-key identity -o other.id
	quiet zpinc-open -k ./ops.key --trust ./known < <(echo no |
		zpinc-seal -k ./ops.key -u bob -i ./other.id)
	[ "$status" = 3 ]
	[ -z "$output" ]
}

@test "notes of 1.0 are opened, and a reader goes on where it was" {
	quiet zpinc-open -k ./ops.key --trust ./known -F '%n %u %m' \
		<notes.records
	[ "$status" = 0 ]
	[ "$output" = "$(for i in 0 1 2 3 4 5; do
		echo "$i alice $i"
	done)" ]
	errors 0
	# It had seen all but two of them.
	quiet zpinc-open -k ./ops.key --trust ./known --state ./seen \
		<notes.records
	[ "$output" = $'3\n4' ]
	# And the sender is at the number behind.
	echo six | zpinc-seal -k ./ops.key -u alice -i ./alice.id \
		--state ./sent >new
	quiet zpinc-open -k ./ops.key --trust ./known --state ./seen \
		-F '%n %m' <new
	[ "$output" = '6 six' ]
	errors 0
}

@test "what a reader of 1.0 misses far behind is shown when it comes" {
	quiet zpinc-open -k ./ops.key --trust ./known --state ./holes.seen \
		<late.records
	[ "$output" = $'10\n11\n12' ]
	quiet zpinc-open -k ./ops.key --trust ./known --state ./holes.seen \
		<late.records
	[ -z "$output" ]
}

@test "a conversation of 1.0 is read, and its messages" {
	quiet zpinc-open -k ./alice.conv -F '%u %m' <conv.records
	[ "$status" = 0 ]
	[ "$output" = 'bob in conversation' ]
	echo on | zpinc-seal -k ./alice.conv -u alice -i ./alice.id >new
	quiet zpinc-open -k ./alice.conv -F '%u %m' <new
	[ "$output" = 'alice on' ]
}

@test "a note that zpinc-pipe of 1.0 kept goes out" {
	mkdir relay
	pipe() {
		zpinc-pipe -k ./ops.key -u alice -i ./alice.id \
			--trust ./known --state ./pipe file:relay
	}
	pipe </dev/null >out 2>err
	grep -q '1 note of an earlier run' err
	find relay -type f -exec cat {} + >records
	quiet zpinc-open -k ./ops.key --trust ./known <records
	[ "$output" = kept ]
	pipe </dev/null >out 2>err
	run grep 'of an earlier run' err
	[ "$status" = 1 ]
}
