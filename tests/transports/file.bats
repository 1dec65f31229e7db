#!/usr/bin/env bats
# What zpinc-file does beyond the conformance suite: folders in which anybody
# may do anything.

# bats runs each test in a process of its own and stops it at an error.
# shellcheck disable=SC2030,SC2031,SC2034,SC2154,SC2164
bats_require_minimum_version 1.5.0
load lib.bash

setup() {
	PIDS=
	DRIVER_TRANSPORT=zpinc-file
	export XDG_STATE_HOME=$BATS_TEST_TMPDIR/state
	unset ZPINC_URL ZPINC_CURSOR
	cd "$BATS_TEST_TMPDIR"
	DIR=$BATS_TEST_TMPDIR/dir
	URL=file:$DIR
}

teardown() {
	show_all
	kill_all
}

zpinc_file() {
	"$ZP_BUILD/zpinc-file" "$@"
}

# What is retained now.
retained() { # [DIR]
	zpinc_file --once "file:${1:-$DIR}" "$TOPIC"
}

subscribe() { # NAME [ARGUMENT...]
	local name=$1
	shift
	begin "$name" "$@" "$URL" "$TOPIC" "$LIVE"
	wait_until has_line "$(out "$name")" '^#live$'
}

files() {
	find "$DIR/$TOPIC" -name '*.zp' | wc -l
}

# Peak memory in KiB, where that means something.
small() {
	[ "$ZP_MODE" != release ] ||
		[ "$(awk '/^VmHWM/ { print $2 }' "/proc/$1/status")" -lt "$2" ]
}

@test "a user's runs go on in one file, named at random, kept in the state folder" {
	records 1 3 | zpinc_file "$URL"
	records 4 6 | zpinc_file "$URL"
	[ "$(files)" -eq 1 ]
	name=$(cat "$XDG_STATE_HOME"/zpinc/writer/*)
	[ ${#name} -eq 16 ]
	[ "$(numbers "$DIR/$TOPIC/$name.zp")" = "$(seq 1 6)" ]
	XDG_STATE_HOME=$PWD/other
	records 7 8 | zpinc_file "$URL"
	[ "$(files)" -eq 2 ]
}

@test "without a state folder it works, begins a new file and says so" {
	run --separate-stderr env -u XDG_STATE_HOME -u HOME bash -c \
		"seq -f 'zp1.$TOPIC.$SENDER.%08.0fAA' 2 | '$ZP_BUILD/zpinc-file' '$URL'"
	[ "$status" -eq 0 ]
	[[ "$stderr" == *"neither XDG_STATE_HOME nor HOME"*hint:* ]]
	: > plain
	XDG_STATE_HOME=$PWD/plain
	records 3 3 | zpinc_file "$URL" 2> said
	grep -q 'cannot be written' said
	retained > all.out
	[ "$(numbers all.out | sort -n)" = "$(seq 1 3)" ]
	[ "$(files)" -eq 2 ]
}

@test "a damaged name is not used" {
	mkdir -p "$XDG_STATE_HOME/zpinc/writer"
	for text in '' '../../../tmp/x' '0123456789abcdef0' 'ABCDEF0123456789'; do
		printf '%s\n' "$text" > "$XDG_STATE_HOME/zpinc/writer/$(hostname)"
		records 1 1 | zpinc_file "$URL" 2> said
		grep -q damaged said
	done
	[ "$(find "$DIR" -name '*.zp' | wc -l)" -eq 4 ]
	[ "$(find "$DIR" -name '*.zp' -path "$DIR/$TOPIC/*" | wc -l)" -eq 4 ]
}

@test "a cursor of another transport is told to be of no use, and all is read" {
	records 1 2 | zpinc_file "$URL"
	zpinc_file --once -c 1700000000000-0 "$URL" "$TOPIC" > all.out 2> said
	grep -q 'the cursor is of no use here, all is read' said
	[ "$(numbers all.out)" = "$(seq 1 2)" ]
	cursor=$(sed -n 's/^#cursor //p' all.out | tail -n 1)
	zpinc_file --once -c "$cursor" "$URL" "$TOPIC" > none.out 2> said
	[ ! -s said ]
	[ -z "$(numbers none.out)" ]
}

@test "two processes of one user write to two files, the third takes a free one" {
	subscribe one
	records 1 1 | say one
	wait_until has_all one.out 1 1
	subscribe two
	records 2 2 | say two
	wait_until has_all one.out 2 2
	[ "$(files)" -eq 2 ]
	end one
	subscribe three
	records 3 3 | say three
	wait_until has_all two.out 3 3
	[ "$(files)" -eq 2 ]
	end two
	end three
}

@test "a writer killed at any moment spoils nothing of what others write" {
	records 1000 9000 "$TOPIC" "$(printf 'A%.0s' {1..1000})" > many
	for ((i = 1; i <= 6; i++)); do
		begin writer "$URL"
		say writer < many 2> /dev/null &
		feeder=$!
		wait_until grown
		kill -KILL "$writer_pid"
		hang_up writer
		wait "$writer_pid" "$feeder" || :
		records $i $i | zpinc_file "$URL"
	done
	[ "$(files)" -eq 1 ]
	retained > all.out
	numbers all.out > all
	[ "$(awk '$1 < 1000' all)" = "$(seq 1 6)" ]
	[ "$(grep -c . "$DIR/$TOPIC"/*.zp)" -gt 12 ]
}

# Has the file grown since the last time?
size=0
grown() {
	local now
	now=$(cat "$DIR/$TOPIC"/*.zp 2> /dev/null | wc -c)
	[ "$now" -gt "$size" ] && size=$now
}

@test "a killed writer's half record is a line of its own, the next is whole" {
	records 1 1 | zpinc_file "$URL"
	file=$(echo "$DIR/$TOPIC"/*.zp)
	records 2 2 | head -c 100 >> "$file"
	records 3 3 | zpinc_file "$URL"
	retained > all.out
	[ "$(numbers all.out)" = "$(printf '1\n3')" ]
	[ "$(wc -l < "$file")" -eq 3 ]
}

@test "a file is trimmed to the newest, and no follower misses one or gets one twice" {
	subscribe reader
	records 1 250 | zpinc_file -n 100 "$URL"
	[ "$(cat "$DIR/$TOPIC"/*.zp | wc -l)" -eq 250 ] # too young
	wait_until has_all reader.out 1 250
	touch -d '1 minute ago' "$DIR/$TOPIC"/*.zp
	records 251 251 | zpinc_file -n 100 "$URL"
	[ "$(cat "$DIR/$TOPIC"/*.zp | wc -l)" -eq 100 ]
	records 252 260 | zpinc_file -n 100 "$URL"
	wait_until has_all reader.out 1 260
	[ "$(numbers reader.out)" = "$(seq 1 260)" ]
	retained > all.out
	[ "$(numbers all.out)" = "$(seq 152 260)" ]
	[ -z "$(find "$DIR" -name '.*.tmp')" ]
	end reader
}

@test "a copy kept by rsync while it is written has everything, in order" {
	mkdir -p copy
	begin reader "file:$PWD/copy" "$TOPIC"
	wait_until has_line reader.out '^#live$'
	begin writer -n 100 "$URL"
	for ((i = 0; i < 20; i++)); do
		records $((i * 40 + 1)) $((i * 40 + 40)) "$TOPIC" \
			"$(printf 'A%.0s' {1..1500})" | say writer
		# Some of the time it copies what is just being written.
		rsync -a "$DIR/" copy/ || :
	done
	hang_up writer
	finish writer
	rsync -a "$DIR/" copy/
	wait_until has_all reader.out 1 800
	[ "$(numbers reader.out)" = "$(seq 1 800)" ]
	end reader
}

@test "two folders, each fetched from the other, are one relay" {
	mkdir -p b
	records 1 5 | zpinc_file "$URL"
	records 6 9 | XDG_STATE_HOME=$PWD/s2 zpinc_file "file:$PWD/b"
	me=$(cat "$XDG_STATE_HOME/zpinc/writer/$(hostname)")
	other=$(cat "$PWD/s2/zpinc/writer/$(hostname)")
	rsync -a --exclude="$other*" "$DIR/" b/
	rsync -a --exclude="$me*" b/ "$DIR/"
	records 10 12 | zpinc_file "$URL"
	rsync -a --exclude="$me*" b/ "$DIR/"
	rsync -a --exclude="$other*" "$DIR/" b/
	retained > a.out
	retained b > b.out
	[ "$(numbers a.out | sort -n)" = "$(seq 1 12)" ]
	[ "$(numbers b.out | sort -n)" = "$(seq 1 12)" ]
}

@test "a folder removed under everybody is made again and goes on" {
	subscribe reader
	subscribe writer
	records 1 5 | say writer
	wait_until has_all reader.out 1 5
	rm -rf "$DIR"
	records 6 9 | say writer
	wait_until has_all reader.out 6 9
	rm -rf "${DIR:?}/$TOPIC"
	records 10 12 | say writer
	wait_until has_all reader.out 10 12
	[ "$(firsts reader.out)" = "$(seq 1 12)" ]
	end reader
	end writer
}

@test "after a failed write the relay is up again, and live" {
	mkdir above
	DIR=$BATS_TEST_TMPDIR/above/dir
	URL=file:$DIR
	subscribe writer
	records 1 3 | say writer
	wait_until has_all writer.out 1 3
	mv above away
	records 4 6 | say writer
	# Its writer, or its reader, whichever looks first.
	wait_until has_line writer.out '^#down '
	mkdir above
	wait_until has_all writer.out 4 6
	[ "$(grep -E '^#(up|down|live)' writer.out | cut -d ' ' -f 1 |
		tail -n 3 | tr '\n' ' ')" = '#down #up #live ' ]
	end writer
}

@test "a topic's folder moved away and back is not read twice" {
	subscribe reader
	records 1 5 | zpinc_file "$URL"
	wait_until has_all reader.out 1 5
	mv "$DIR/$TOPIC" away
	wait_until [ -d "$DIR/$TOPIC" ] # the reader makes another
	mv -T away "$DIR/$TOPIC"
	records 6 9 | zpinc_file "$URL"
	wait_until has_all reader.out 6 9
	[ "$(firsts reader.out)" = "$(seq 1 9)" ]
	end reader
}

@test "garbage of every kind in the folder neither stops nor swells a reader" {
	mkdir -p "$DIR/$TOPIC"
	cd "$DIR/$TOPIC"
	mkfifo fifo.zp
	mkdir dir.zp
	ln -s /dev/zero zero.zp
	ln -s /etc/passwd passwd.zp
	ln -s loop.zp loop.zp
	truncate -s 200M sparse.zp
	head -c 4000000 /dev/zero | tr '\0' A > long.zp
	head -c 1000000 /dev/urandom > random.zp
	{
		printf 'zp1.%s.%s.' "$TOPIC" "$SENDER"
		head -c 3000000 /dev/zero | tr '\0' A
	} > endless.zp
	yes 'zp1.zp1.' | head -c 1000000 > marks.zp
	: > empty.zp
	: > "$(printf 'new\nline.zp')"
	: > "$(printf 'n%.0s' {1..200}).zp"
	cd "$BATS_TEST_TMPDIR"
	records 1 5 | zpinc_file "$URL"
	subscribe reader
	wait_until has_all reader.out 1 5
	records 6 9 | zpinc_file "$URL"
	wait_until has_all reader.out 6 9
	[ "$(numbers reader.out)" = "$(seq 1 9)" ]
	small "$reader_pid" 16000
	end reader
}

@test "two thousand files are read, and followed" {
	mkdir -p "$DIR/$TOPIC"
	records 1 2000 | awk -v d="$DIR/$TOPIC" \
		'{ f = d "/w" NR ".zp"; print > f; close(f) }'
	subscribe reader
	[ "$(numbers reader.out | sort -n)" = "$(seq 1 2000)" ]
	records 2001 2001 | zpinc_file "$URL"
	records 2002 2002 >> "$DIR/$TOPIC/w1321.zp"
	wait_until has_all reader.out 2001 2002
	small "$reader_pid" 16000
	end reader
}

@test "files that are made and removed all the time do not stop a reader" {
	subscribe reader
	mkdir -p "$DIR/$TOPIC"
	(
		for ((i = 0; i < 400; i++)); do
			echo garbage > "$DIR/$TOPIC/x$((i % 50)).zp"
			rm "$DIR/$TOPIC/x$((i % 50)).zp"
		done
	) 3>&- &
	records 1 500 | zpinc_file "$URL"
	wait_until has_all reader.out 1 500
	wait $!
	[ "$(numbers reader.out)" = "$(seq 1 500)" ]
	end reader
}

@test "links in place of our file or our folder are not written through" {
	records 1 1 | zpinc_file "$URL"
	file=$(echo "$DIR/$TOPIC"/*.zp)
	echo precious > victim
	rm "$file"
	ln -s "$PWD/victim" "$file"
	records 2 2 | zpinc_file "$URL"
	[ "$(cat victim)" = precious ]
	[ -f "${file%.zp}-1.zp" ]
	rm -r "${DIR:?}/$TOPIC"
	mkdir elsewhere
	ln -s "$PWD/elsewhere" "$DIR/$TOPIC"
	run bash -c "seq -f 'zp1.$TOPIC.$SENDER.%08.0fAA' 1 |
		'$ZP_BUILD/zpinc-file' -t 0.3 '$URL' 2>&1"
	[ "$status" -eq 5 ]
	[[ "$output" == *"Not a directory"* ]]
	[ -z "$(ls elsewhere)" ]
}

@test "a full disk takes no half record, is told, and goes on when there is room" {
	cat > full.sh <<-'END'
		set -e
		mount -t tmpfs -o size=1M tmpfs "$1"
		cd "$1"
		head -c 600000 /dev/zero > ballast
		records() {
			seq -f "zp1.$TOPIC.$SENDER.%08.0f$(printf 'A%.0s' {1..1900})" \
				"$1" "$2"
		}
		status=0
		records 1 1000 | "$ZP_BUILD/zpinc-file" -t 0.5 file:d \
			2> "$2" || status=$?
		echo "status $status"
		cat d/*/*.zp | tail -c 1 | od -An -c
		echo "whole $(grep -cE '^zp1[^ ]{2000}' d/*/*.zp)" \
			"of $(wc -l < d/*/*.zp)"
		rm d/*/*.zp
		records 1 300 | "$ZP_BUILD/zpinc-file" -t 20 file:d \
			2>> "$2" &
		until grep -q 'No space.*trying again' "$2" &&
			[ "$(cat d/*/*.zp 2>/dev/null | wc -l)" -gt 50 ]; do :; done
		rm ballast
		wait $!
		echo "then $(cat d/*/*.zp | wc -l)"
	END
	mkdir mnt
	export TOPIC SENDER
	unshare -rm true 2> /dev/null || skip "no name spaces here"
	run unshare -rm bash full.sh "$PWD/mnt" "$PWD/said"
	echo "$output"
	cat said
	[ "$status" -eq 0 ]
	[ "${lines[0]}" = "status 5" ]
	[[ "${lines[1]}" == *'\n'* ]]
	[[ "${lines[2]}" =~ ^whole\ ([0-9]+)\ of\ ([0-9]+)$ ]]
	[ "${BASH_REMATCH[1]}" -eq "${BASH_REMATCH[2]}" ]
	[ "${BASH_REMATCH[1]}" -gt 50 ]
	[ "${lines[3]}" = "then 300" ]
	grep -q 'not delivered: records [0-9]* to [0-9]* of the input' said
}

# Lines of the file are looked at, not what a reader would make of them.
@test "a file size limit is like a full disk: no half record, told, exit status 5" {
	records 1 1000 "$TOPIC" "$(printf 'A%.0s' {1..300})" > many
	run bash -c "ulimit -f 1
		'$ZP_BUILD/zpinc-file' -t 0.5 file:d < many"
	echo "$output"
	[ "$status" -eq 5 ]
	[[ "$output" == *'File too large; trying again'* ]]
	[[ "$output" == *'not delivered: records '*' of the input'* ]]
	[ "$(cat d/*/*.zp | grep -cvxFf many)" -eq 0 ]
	[ -z "$(cat d/*/*.zp | tail -c 1)" ]
}

@test "a folder that is read-only is read, and publishing into it fails" {
	unshare -rm true 2> /dev/null || skip "no name spaces here"
	records 1 3 | zpinc_file "$URL"
	mkdir ro
	export TOPIC SENDER
	run unshare -rm bash -c "mount --bind '$DIR' ro &&
		mount -o remount,bind,ro ro &&
		'$ZP_BUILD/zpinc-file' -1 file:ro $TOPIC | grep -c ^zp1
		'$ZP_BUILD/zpinc-file' -1 file:ro $OTHER | grep -c live
		echo zp1.$TOPIC.$SENDER.AAAA |
			'$ZP_BUILD/zpinc-file' -t 0.3 file:ro 2>&1"
	echo "$output"
	[ "$status" -eq 5 ]
	[ "${lines[0]}" = 3 ]
	[ "${lines[1]}" = 1 ]
	[[ "$output" == *"Read-only file system"* ]]
}

@test "without inotify it looks for itself" {
	unshare -rm true 2> /dev/null || skip "no name spaces here"
	cat > blind.sh <<-'END'
		echo 0 > /proc/sys/user/max_inotify_instances || exit 99
		"$ZP_BUILD/zpinc-file" "$1" "$TOPIC" < /dev/null > blind.out &
		until grep -q live blind.out; do :; done
		echo "zp1.$TOPIC.$SENDER.00000001AAAA" | "$ZP_BUILD/zpinc-file" "$1"
		until grep -q ^zp1 blind.out; do :; done
		kill $!
		wait $!
	END
	export TOPIC SENDER
	run timeout 20 unshare -rm bash blind.sh "$URL"
	[ "$status" -ne 99 ] || skip "inotify cannot be taken away here"
	[ "$status" -eq 0 ]
	[ "$(numbers blind.out)" = 1 ]
}

@test "the umask holds; a topic's folder is as open as the folder above" {
	umask 077
	mkdir -m 1777 "$DIR"
	records 1 1 | zpinc_file "$URL"
	[ "$(stat -c %a "$DIR/$TOPIC")" = 1777 ]
	[ "$(stat -c %a "$DIR/$TOPIC"/*.zp)" = 600 ]
	umask 022
	records 1 1 | zpinc_file "file:$PWD/new"
	[ "$(stat -c %a new)" = 755 ]
	[ "$(stat -c %a "new/$TOPIC")" = 755 ]
	[ "$(stat -c %a "new/$TOPIC"/*.zp)" = 644 ]
}

@test "what stands still on the way in does not swell the sender" {
	: > file # no folder can be made here
	begin writer -t 1 "file:$PWD/file/dir"
	(records 1 20000 "$TOPIC" "$(printf 'A%.0s' {1..1900})" >&"$writer_fd") \
		2> /dev/null 3>&- &
	PIDS="$PIDS $!"
	wait_until has_line writer.err 'Not a directory'
	# It took what it holds at most when its reads stop growing.
	before=-1
	now=0
	while [ "$now" -ne "$before" ]; do
		before=$now
		sleep 0.1
		now=$(awk '/^rchar/ { print $2 }' "/proc/$writer_pid/io")
	done
	[ "$now" -lt 8000000 ]
	small "$writer_pid" 16000
}

@test "the files can be followed with tail" {
	records 1 3 | zpinc_file "$URL"
	tail -n +1 -qF "$DIR/$TOPIC"/*.zp > tail.out 2> /dev/null 3>&- &
	PIDS="$PIDS $!"
	wait_until has_all tail.out 1 3
	records 4 6 | zpinc_file "$URL"
	wait_until has_all tail.out 4 6
}

@test "a record of the MlesTalk suite has a topic too" {
	local topic=Sar_7wJuERWVjuYxV6S4zek
	echo "ml1.$topic.BBBB.CCCC" | zpinc_file "$URL"
	run zpinc_file -1 "$URL" "$topic"
	[[ " ${lines[*]} " == *" ml1.$topic.BBBB.CCCC "* ]]
	# As zpinc-key prints it.
	run zpinc_file -1 "$URL" "$(tr _- /+ <<< "$topic")="
	[[ " ${lines[*]} " == *" ml1.$topic.BBBB.CCCC "* ]]
	{
		printf 'ml1.%s.BBBB.CCCC\n' "$(printf 'A%.0s' {1..300})"
		records 1 1
	} > long
	run bash -c "'$ZP_BUILD/zpinc-file' '$URL' < long 2>&1"
	[ "$status" -eq 5 ]
	[[ "$output" == *"record 1 refused: its topic is too long"* ]]
	[ "$(numbers "$DIR/$TOPIC"/*.zp)" = 1 ]
}
