#!/usr/bin/env bats
# Machines that fail: clocks, disks, descriptors, and processes that are
# killed.

bats_require_minimum_version 1.5.0
# shellcheck source-path=SCRIPTDIR source=../cli/common.bash
load ../cli/common

setup() {
	common_setup
	make_key ./k.key
}

teardown() {
	[ ! -d small ] || umount small 2>/dev/null || :
}

seal() { zpinc-seal -k ./k.key -u alice "$@"; }
open() { zpinc-open -k ./k.key "$@"; }

# at SECONDS COMMAND...: with the clock there.
at() {
	local when=$1
	shift
	CLOCK=$when LD_PRELOAD=$ZP_BUILD/tests/attack/clock.so "$@"
}

export -f at

need_preload() {
	[ "$ZP_MODE" = release ] || skip "no LD_PRELOAD with sanitizers"
	[ "$(at 1 date +%s)" = 1 ] || skip "LD_PRELOAD does nothing here"
}

@test "a clock before 1970 is an error, and the time can be withheld" {
	need_preload
	echo x >in
	quiet at -100 zpinc-seal -k ./k.key --state ./s <in
	[ "$status" = 5 ]
	[ -z "$output" ]
	errors 1 'time: the clock stands before 1970'
	at -100 zpinc-seal -k ./k.key --no-time <in >r
	[ "$(open <r)" = x ]
	quiet at -100 zpinc-open -k ./k.key <r
	[ "$status" = 5 ]
	[ -z "$output" ]
	errors 1 'time: the clock stands before 1970'
}

@test "while it follows, a reader tells of a gap in ten seconds" {
	need_preload
	seq 5 | seal --state ./s | sed 3d >r
	mkfifo in
	for state in '' '--state ./o'; do
		# shellcheck disable=SC2086
		SPEED=20 LD_PRELOAD=$ZP_BUILD/tests/attack/clock.so \
			zpinc-open -k ./k.key $state <in >out 2>err 3>&- &
		exec 8>in
		cat r >&8
		for _ in $(seq 200); do
			[ -s err ] && break
			sleep 0.05
		done
		errors 1 'alice: 1 record missing'
		sleep 0.5
		exec 8>&-
		wait
		# Once, also at the end.
		errors 1
	done
}

@test "a sender whose clock goes back is heard, and not told as restored" {
	need_preload
	for when in 1800000000 1700000000 1600000000; do
		echo "$when" | at "$when" zpinc-seal -k ./k.key -u alice \
			--state ./s >>r
	done
	quiet at 1800000000 zpinc-open -k ./k.key --state ./o <r
	[ "$output" = $'1800000000\n1700000000\n1600000000' ]
	errors 0
	quiet at 1800000000 zpinc-open -k ./k.key --state ./o <r
	[ -z "$output" ]
	errors 0
}

@test "what is dated far ahead is shown once its time has come, or to who forgets" {
	need_preload
	echo late | at 1800000000 zpinc-seal -k ./k.key -u alice >r
	quiet at 1700000000 zpinc-open -k ./k.key --state ./o <r
	[ "$status" = 0 ]
	[ -z "$output" ]
	errors 1 'alice: dated more than a day ahead'
	quiet at 1700000000 zpinc-open -k ./k.key --state ./o --strict <r
	[ "$status" = 1 ]
	quiet at 1700000000 zpinc-open -k ./k.key <r
	[ "$output" = late ]
	for out in late ''; do
		quiet at 1800000000 zpinc-open -k ./k.key --state ./o <r
		[ "$status" = 0 ]
		[ "$output" = "$out" ]
		errors 0
	done
}

@test "times beyond all calendars are shown as none" {
	need_preload
	echo x | at 9000000000000000 zpinc-seal -k ./k.key |
		zpinc-open -k ./k.key -F '%t %m' >out 2>err
	[ "$(cat out)" = '- x' ]
}

# A disk of 64 KiB, full but for $1 bytes; else the limit on a file's size.
fill() {
	head -c 1M /dev/zero >small/fill 2>/dev/null || :
	truncate -s "-$1" small/fill
}

@test "a full disk under a sender's state lets nothing out" {
	mkdir small
	mount -t tmpfs -o size=64k none small 2>/dev/null ||
		skip "needs to be root, with mounts"
	seal --state small/s <<<1 >r
	fill 0
	cp small/s before
	quiet zpinc-seal -k ./k.key -u alice --state small/s <<<2
	[ "$status" = 5 ]
	[ -z "$output" ]
	errors 1 'small/s: No space left on device'
	cmp small/s before
	[ "$(find small -name '*.tmp*' -o -name '.*' -type f | wc -l)" = 0 ]
	rm small/fill
	seal --state small/s <<<3 >>r
	open -F '%n %m' <r >out
	[ "$(cat out)" = $'0 1\n1 3' ]
}

@test "a full disk under a reader's state shows again, and loses nothing" {
	mkdir small
	mount -t tmpfs -o size=64k none small 2>/dev/null ||
		skip "needs to be root, with mounts"
	seal <<<1 | open --state small/o >out
	fill 0
	cp small/o before
	seal <<<2 >r
	quiet zpinc-open -k ./k.key --state small/o <r
	[ "$status" = 5 ]
	[ "$output" = 2 ]
	errors 1 'small/o: No space left on device'
	cmp small/o before
	rm small/fill
	open --state small/o <r >out
	[ "$(cat out)" = 2 ]
	open --state small/o <r >out
	[ ! -s out ]
}

@test "a limit on the size of files is met like a full disk" {
	seal --state ./s <<<1 >r
	cp s before
	# Standard error, too, is a file that may not grow.
	run bash -c '{ ulimit -f 0
		echo 2 | zpinc-seal -k ./k.key -u alice --state ./s
		echo "status $?"; } 2>&1 | cat'
	[[ "$output" == *'File too large'*'status 5' ]]
	cmp s before
	seal --state ./s <<<3 >>r
	[ "$(open <r)" = $'1\n3' ]
}

@test "a non-blocking standard input is waited for" {
	cat >slow.py <<-'END'
		import os, subprocess, sys, time
		r, w = os.pipe()
		os.set_blocking(r, False)
		p = subprocess.Popen(sys.argv[1:], stdin=r)
		os.close(r)
		data = sys.stdin.buffer.read()
		for part in (data[:9], data[9:]):
		    time.sleep(0.05)
		    os.write(w, part)
		os.close(w)
		sys.exit(p.wait())
	END
	seq 3 >in
	/usr/bin/python3 slow.py zpinc-seal -k ./k.key <in >r
	/usr/bin/python3 slow.py zpinc-seal -k ./k.key -w <in >>r
	/usr/bin/python3 slow.py zpinc-open -k ./k.key --raw <r >out
	[ "$(cat out)" = "123$(cat in)" ]
}

@test "killed between batches and runs, a reader shows all, and then nothing" {
	# Batches end every second, and when there is nothing more to read: a
	# pipe that is fed in pieces has many.
	seq 600 | seal --state ./s >r
	: >out
	for i in $(seq 8); do
		{
			for n in 1 101 201 301 401 501; do
				sed -n "$n,$((n + 99))p" r
				sleep 0.01
			done
		} | zpinc-open -k ./k.key --state ./o >>out 2>>err 3>&- &
		pid=$!
		sleep "0.0$((i * 13 % 10))"
		kill -9 "$pid" 2>/dev/null || :
		{ wait "$pid"; } 2>/dev/null || :
	done
	open --state ./o <r >>out
	sort -n out | uniq >once
	[ "$(cat once)" = "$(seq 600)" ]
	open --state ./o <r >again
	[ ! -s again ]
}

@test "options that cannot be meant are refused" {
	for o in '-W 0' '--max-age 0' '--max-age x' '-C 0' '--trust-new maybe'; do
		# shellcheck disable=SC2086
		quiet zpinc-open -k ./k.key $o </dev/null
		[ "$status" = 2 ] || { echo "$o"; return 1; }
		errors 1 "${o%% *}"
	done
	many=()
	for i in $(seq 65); do many+=(--expect "u$i=1"); done
	quiet zpinc-open -k ./k.key "${many[@]}" </dev/null
	[ "$status" = 2 ]
	errors 1 'more than 64'
	many=()
	for i in $(seq 65); do many+=(-k ./k.key); done
	quiet zpinc-open "${many[@]}" </dev/null
	[ "$status" = 2 ]
	errors 1 'more than 64'
}
