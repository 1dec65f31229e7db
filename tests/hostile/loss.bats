#!/usr/bin/env bats
# zpinc-pipe on a relay that loses what it likes.

bats_require_minimum_version 1.5.0
load hostile

setup() {
	hostile_setup
}

teardown() {
	pipe_teardown
}

# Seconds since $BEGAN, of a test that waits for a condition.
took() {
	echo "# $1: $((SECONDS - BEGAN)) s" >&3
}

@test "what is lost once is there after a few seconds, in order, untold" {
	for name in alice bob carol; do
		comes "$name"
	done
	talk 3 alice bob carol
	treat bob eat alice
	says alice 3 line
	exactly carol alice 3 line
	treat bob honest
	BEGAN=$SECONDS
	exactly bob alice 3 line
	took there
	[ $((SECONDS - BEGAN)) -lt 15 ]
	run ! grep -E 'missing' bob.err carol.err
	no_downgrade
}

@test "a relay that loses two of three records loses no line" {
	for name in alice bob carol; do
		comes "$name"
	done
	talk 3 alice bob carol
	AWAIT=120
	treat drop
	says alice 20 drop
	says carol 20 drop
	sleep 5
	treat honest
	BEGAN=$SECONDS
	for to in bob carol; do
		await all_there "$to" alice
	done
	for to in bob alice; do
		await all_there "$to" carol
	done
	took there
	authentic '^(alice|carol): drop [0-9]+$'
	no_downgrade
	talk 3 alice bob carol
	says bob 3 again
	exactly alice bob 3 again
	exactly carol bob 3 again
}

# all_there TO FROM: each once; in order but for what was told as missing.
all_there() {
	[ "$(grep "^$2: drop " "$1.out" | sort -V)" = \
		"$(seq -f "$2: drop %g" 20)" ] && {
		grep -q missing "$1.err" ||
			[ "$(grep "^$2: drop " "$1.out")" = \
				"$(seq -f "$2: drop %g" 20)" ]
	}
}

@test "a relay that keeps members apart for a while takes nothing from them" {
	for name in alice bob carol; do
		echo one > "net/side.$name"
		comes "$name"
	done
	talk 3 alice bob carol
	echo other > net/side.carol
	treat fork
	says carol 3 apart
	says alice 3 apart
	exactly bob alice 3 apart
	treat honest
	rm net/side.*
	exactly alice carol 3 apart
	exactly carol alice 3 apart
	talk 3 alice bob carol
	says carol 3 again
	exactly bob carol 3 again
	authentic '^(alice|carol): [a-z]+ [0-9]+$'
	no_downgrade
}
