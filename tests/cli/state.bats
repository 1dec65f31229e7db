#!/usr/bin/env bats
# --state: what a relay dropped or replayed between two runs is seen.

load common

setup() {
	common_setup
	make_key ./k.key
}

seal() { zpinc-seal -k ./k.key -u alice --state ./s.state "$@"; }
open() { zpinc-open -k ./k.key --state ./o.state "$@"; }

@test "numbers go on from run to run" {
	for i in 1 2 3; do echo "$i" | seal; done >r
	zpinc-open -k ./k.key -F '%n %i' <r >out
	[ "$(cut -d' ' -f1 out)" = $'0\n1\n2' ]
	[ "$(cut -d' ' -f2 out | sort -u | wc -l)" = 1 ]
}

@test "each record is shown once over all runs" {
	seq 3 | seal >r
	open <r >out
	seq 4 5 | seal >>r
	open <r >>out
	open <r >>out
	[ "$(cat out)" = $'1\n2\n3\n4\n5' ]
}

@test "a record dropped between two runs is told by sender" {
	echo 1 | seal | open >out
	echo 2 | seal >/dev/null
	quiet zpinc-open -k ./k.key --state ./o.state < <(echo 3 | seal)
	[ "$status" = 0 ]
	[ "$output" = 3 ]
	errors 1 'alice: 1 record missing before'
	echo 4 | seal >/dev/null
	quiet zpinc-open -k ./k.key --state ./o.state --strict < <(echo 5 | seal)
	[ "$status" = 1 ]
}

@test "a replayed record is refused, also as another line's decoration" {
	echo 1 | seal >r
	open <r >out
	quiet zpinc-open -k ./k.key --state ./o.state --strict < <(sed 's/^/x /' r)
	[ "$status" = 1 ]
	[ -z "$output" ]
	errors 1 'alice: seen before'
}

@test "a restored sender is shown, with a warning" {
	echo 1 | seal >r
	cp s.state backup
	echo 2 | seal >>r
	open <r >out
	cp backup s.state
	sleep 0.01
	quiet zpinc-open -k ./k.key --state ./o.state < <(echo 3 | seal)
	[ "$output" = 3 ]
	errors 1 'restored from a backup'
}

@test "what could not be written is shown again, not lost" {
	seq 3 | seal >r
	run bash -c 'zpinc-open -k ./k.key --state ./o.state <r >/dev/full'
	[ "$status" = 5 ]
	open <r >out
	[ "$(cat out)" = $'1\n2\n3' ]
}

@test "a damaged or foreign state is refused, not begun anew" {
	echo 1 | seal >r
	open <r >out
	for f in s.state o.state; do
		cp "$f" save
		echo rubbish >"$f"
		if [ "$f" = s.state ]; then
			quiet zpinc-seal -k ./k.key -u alice --state ./s.state <<<x
		else
			quiet zpinc-open -k ./k.key --state ./o.state <r
		fi
		[ "$status" != 0 ]
		[ -z "$output" ]
		errors 1 "$f"
		[ "$(cat "$f")" = rubbish ]
		cp save "$f"
	done
	quiet zpinc-seal -k ./k.key -u bob --state ./s.state <<<x
	[ "$status" != 0 ]
	[ -z "$output" ]
	errors 1 's.state'
}

@test "what can be no state is told, not waited for, and left as it is" {
	local tool name
	mkfifo pipe
	mkdir -p folder empty
	for tool in 'zpinc-seal -u alice' zpinc-open; do
		cd empty
		quiet timeout 20 $tool -k ../k.key --state '' <<<x
		cd ..
		[ "$status" = 2 ]
		[ "$(ls -A empty)" = err ]
		grep -q 'the name is empty' empty/err
		for name in pipe /dev/null; do
			quiet timeout 20 $tool -k ./k.key --state "$name" <<<x
			[ "$status" = 3 ]
			errors 1 ": $name: not a plain file"
		done
		quiet timeout 20 $tool -k ./k.key --state folder <<<x
		[ "$status" = 5 ]
		errors 1 'folder: Is a directory'
	done
	[ ! -e /dev/null.lock ]
	[ "$(echo *.lock)" = '*.lock' ]
	quiet zpinc-pipe -k ./k.key --state '' "file:$PWD/relay"
	[ "$status" = 2 ]
	errors 1 'zpinc-pipe: --state: the name is empty'
}

@test "two senders at once never use one number twice" {
	for w in 1 2 3 4; do
		(for i in $(seq 10); do echo "$w-$i" | seal; done >"r$w") 3>&- &
	done
	wait
	cat r1 r2 r3 r4 | zpinc-open -k ./k.key -F '%n' | sort -n >out
	[ "$(cat out)" = "$(seq 0 39)" ]
}

@test "two readers at once show each record once between them" {
	seq 300 | seal >r
	for w in 1 2 3; do
		open <r >"out$w" 3>&- &
	done
	wait
	[ "$(cat out1 out2 out3 | sort -n)" = "$(seq 300)" ]
}

@test "killed at any moment, a reader loses nothing and a sender repeats no number" {
	seq 2000 | seal >r
	: >out
	for i in $(seq 12); do
		open <r >>out 2>/dev/null 3>&- &
		pid=$!
		sleep "0.00$((i % 9))"
		kill -9 "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	open <r >>out
	# A torn last line of a killed run may stand before the next one's
	# first, but every number is there.
	[ "$(grep -aoE '[0-9]+' out | sort -n -u | comm -13 - <(seq 2000 | sort -n) 2>/dev/null | wc -l)" = 0 ]
	: >all
	for i in $(seq 12); do
		(seq 50 | seal >>all) 2>/dev/null 3>&- &
		pid=$!
		sleep "0.00$((i % 9))"
		pkill -9 -P "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	seq 5 | seal >>all
	zpinc-open -k ./k.key --all -F '%n' <all 2>/dev/null >numbers
	[ "$(sort -n numbers | uniq -d | wc -l)" = 0 ]
}

@test "a state that cannot be written stops before anything goes out" {
	mkdir d
	quiet zpinc-seal -k ./k.key -u alice --state ./d <<<x
	[ "$status" != 0 ]
	[ -z "$output" ]
	quiet zpinc-seal -k ./k.key -u alice --state ./no/such/dir/s <<<x
	[ "$status" != 0 ]
	[ -z "$output" ]
}

@test "a reader that holds its state never makes a sender wait" {
	mkfifo p
	open <p >/dev/null 3>&- &
	exec 8>p
	seq 3 | seal >&8
	run timeout 5 bash -c 'echo 4 | zpinc-seal -k ./k.key -u alice --state ./s.state >/dev/null'
	exec 8>&-
	wait
	[ "$status" = 0 ]
}

@test "a body cut in one run is shown when it is whole in the next" {
	head -c 9000 /dev/zero | tr '\0' x | seal -w >r
	[ "$(wc -l <r)" -gt 2 ]
	head -n 1 r >begun
	quiet zpinc-open -k ./k.key --state ./o.state <begun
	[ "$status" = 1 ]
	[ -z "$output" ]
	errors 1 'parts are missing; not shown'
	# It is told once, as long as nothing changes.
	quiet zpinc-open -k ./k.key --state ./o.state <begun
	[ "$status" = 0 ]
	errors 0
	quiet zpinc-open -k ./k.key --state ./o.state <r
	[ "$status" = 0 ]
	[ "${#output}" = 9000 ]
	errors 0
	quiet zpinc-open -k ./k.key --state ./o.state <r
	[ -z "$output" ]
}

@test "what came before a cut body and never came is told" {
	echo 0 | seal | open >out
	echo 1 | seal >/dev/null
	head -c 9000 /dev/zero | seal -w >r
	quiet zpinc-open -k ./k.key --state ./o.state < <(tail -n 1 r)
	[ "$status" = 1 ]
	errors 2 'alice: 1 record missing'
	quiet zpinc-open -k ./k.key --state ./o.state < <(echo 3 | seal)
	[ "$output" = 3 ]
	errors 0
}

@test "of two bodies of a restored sender a relay makes no third" {
	zpinc-key identity -o ./a.id
	echo 0 | seal -i ./a.id >/dev/null
	cp s.state s.saved
	head -c 7000 /dev/zero | tr '\0' a | seal -i ./a.id -w >a
	cp s.saved s.state
	sleep 0.01 # a later millisecond
	head -c 7000 /dev/zero | tr '\0' b | seal -i ./a.id -w >b
	[ "$(wc -l <a)" = 3 ] && [ "$(wc -l <b)" = 3 ]
	{ sed -n 1p a; sed -n 2,3p b; } >spliced
	for raw in "" --raw; do
		quiet zpinc-open -k ./k.key --trust ./known $raw <spliced
		[ "$status" = 1 ]
		[[ "$output" != *b* ]]
		grep -q 'parts are missing' err
	done
	# Mixed, the earlier one first, each is shown as it was said.
	paste -d '\n' a b | zpinc-open -k ./k.key --trust ./known >out
	[ "$(sort out | tr -s ab)" = $'a\nb' ]
	[ "$(wc -c <out)" = 14002 ]
}

@test "a relay that mixes old and damaged records does not fill the screen" {
	seq 2 | seal >r
	open <r >out
	# One of them damaged near its end, the other as it was.
	sed -n 1p r | sed 's/....\(....\)$/AAAA\1/' >bad
	sed -n 2p r >old
	for ((i = 0; i < 300; i++)); do cat bad old; done >flood
	echo 3 | seal >>flood
	quiet zpinc-open -k ./k.key --state ./o.state --strict <flood
	[ "$status" = 1 ]
	[ "$output" = 3 ]
	(($(wc -l <err) < 80))
	grep -q '^zpinc-open: record 1: damaged or torn: not shown$' err
	grep -q 'alice: seen before' err
	grep -q '[0-9]* more complaints were left out' err
}

@test "JSON tells of a restored sender, too" {
	echo 1 | seal >r
	cp s.state backup
	echo 2 | seal >>r
	open <r >out
	cp backup s.state
	sleep 0.01
	echo 3 | seal | zpinc-open -k ./k.key --state ./o.state --json \
		2>err >out
	[[ "$(jq -r .warning out)" == *"restored from a backup"* ]]
	echo 4 | seal | zpinc-open -k ./k.key --state ./o.state --json |
		jq -e '.warning == null'
}
