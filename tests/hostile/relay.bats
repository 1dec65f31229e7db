#!/usr/bin/env bats
# zpinc-pipe on a relay that does what it likes, but loses nothing for good.

bats_require_minimum_version 1.5.0
load hostile

setup() {
	hostile_setup
}

teardown() {
	pipe_teardown
}

@test "late, repeated, torn, forged, old, flooded: each line shows once" {
	comes alice
	comes bob
	talk 2 alice bob
	says alice 5 early
	exactly bob alice 5 early
	# A session and a conversation that are over, for replaying.
	hush bob
	ends bob 0
	sed 's/^[a-z]* //' net/log > net/old
	comes bob
	comes carol
	talk 3 alice bob carol

	for mode in delay dup replay swap half flood huge; do
		treat "$mode"
		says alice 20 "$mode"
		says carol 20 "$mode"
		exactly bob alice 20 "$mode"
		exactly bob carol 20 "$mode"
		exactly alice carol 20 "$mode"
		treat honest
	done
	[ "$(times bob.out 'alice: early 1')" = 1 ]
	authentic '^(alice|carol): [a-z]+ [0-9]+$'
	no_downgrade
	run ! grep missing alice.err bob.err carol.err
	run ! grep 'not delivered' carol.err
	run ! grep -E 'line ([6-9]|[0-9]{2,}): not delivered' alice.err
	talk 3 alice bob carol
	hush alice
	ends alice 0
}

@test "a transport that goes up and down for ever does not fill the screen" {
	local flood='for i in $(seq 2000); do echo "#down $i"; echo "#up"; done
		touch flooded; sleep 100'
	zpinc-pipe -k ./ops.key -u alice --listen --sub "$flood" \
		--pub 'cat >/dev/null' </dev/null >pipe.out 2>pipe.err 3>&- &
	local pid=$!
	await test -e flooded
	kill -TERM $pid
	wait $pid || true
	grep -q 'down: 1$' pipe.err
	(($(wc -l <pipe.err) < 40))
	rm flooded
	zpinc-handshake -k ./ops.key -u alice -o ./c.key --sub "$flood" \
		--pub 'cat >/dev/null' 2>shake.err 3>&- &
	pid=$!
	await test -e flooded
	kill -TERM $pid
	wait $pid || true
	grep -q 'down: 1$' shake.err
	(($(wc -l <shake.err) < 40))
}

@test "a stalled transport holds nobody up who has another" {
	mkdir ok
	comes alice "file:$HOME/ok"
	comes bob "file:$HOME/ok"
	talk 2 alice bob
	treat alice stall
	treat bob flood
	says alice 50 line
	exactly bob alice 50 line
	treat bob huge
	says bob 50 line
	exactly alice bob 50 line
	treat alice honest
	treat bob honest
	says alice 5 end
	exactly bob alice 5 end
	touch carol.out carol.err
	authentic '^(alice|bob): (line|end) [0-9]+$'
	no_downgrade
}
