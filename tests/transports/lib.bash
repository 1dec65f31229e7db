# shellcheck shell=bash disable=SC2034
# What the tests of transports share: records, processes, waiting.

: "${ZP_ROOT:=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)}"
: "${ZP_MODE:=release}"
: "${ZP_BUILD:=$ZP_ROOT/build/$ZP_MODE}"
export ZP_ROOT ZP_MODE ZP_BUILD

TOPIC=zAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
LIVE=zBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB
OTHER=zCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCCC
SENDER=zDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDDD

# What records begin with, and how long they are at least; a driver may set
# both.
PREFIX=zp1
FILLER=AAAAAAAAAAAA

# records FROM TO [TOPIC [FILLER]]: syntactically records, and numbered.
# Transports hold no keys, so nothing needs to be sealed.
records() {
	seq -f "$PREFIX.${3:-$TOPIC}.$SENDER.%08.0f${4:-$FILLER}" "$1" "$2"
}

# numbers FILE [TOPIC]: which records a transport printed, in order.
numbers() {
	sed -n "s/^$PREFIX\.${2:-$TOPIC}\.$SENDER\.\([0-9]\{8\}\).*/\1/p" "$1" |
		sed 's/^0*\([0-9]\)/\1/'
}

# firsts FILE [TOPIC]: the same without what came again: a transport may
# repeat after a break, but the first appearances are in order.
firsts() {
	numbers "$@" | awk '!seen[$0]++'
}

# wait_until COMMAND...: at most a minute.
wait_until() {
	local end=$((SECONDS + 60))
	while [ "$SECONDS" -lt "$end" ]; do
		if "$@"; then
			return 0
		fi
		sleep 0.05
	done
	echo "never true: $*" >&2
	return 1
}

# Of a file that may not be there yet.
has_line() {
	grep -q -- "$2" "$1" 2>/dev/null
}

has_all() { # FILE FROM TO [TOPIC]
	[ "$(numbers "$1" "${4:-$TOPIC}" | sort -nu | sed -n "/^$2\$/,/^$3\$/p" |
		wc -l)" -eq $(($3 - $2 + 1)) ]
}

# begin NAME ARGUMENT...: runs the transport with stdin from us (say NAME
# sends there), stdout and stderr in NAME.out and NAME.err.
begin() {
	local name=$1 fifo
	shift
	fifo=$BATS_TEST_TMPDIR/$name.in
	rm -f "$fifo"
	mkfifo "$fifo"
	"$ZP_BUILD/$DRIVER_TRANSPORT" "$@" < "$fifo" \
		>> "$BATS_TEST_TMPDIR/$name.out" \
		2>> "$BATS_TEST_TMPDIR/$name.err" 3>&- &
	eval "${name}_pid=\$!"
	PIDS="$PIDS $!"
	eval "exec {${name}_fd}> \"\$fifo\""
}

# say NAME: our stdin becomes some of the transport's.
say() {
	local fd
	eval "fd=\$${1}_fd"
	cat >&"$fd"
}

# hang_up NAME: its stdin ends.
hang_up() {
	eval "exec {${1}_fd}>&-"
}

# finish NAME: waits for its end; the exit status.
finish() {
	local pid
	eval "pid=\$${1}_pid"
	wait "$pid"
}

# end NAME: TERM, then its exit status.
end() {
	local pid
	eval "pid=\$${1}_pid"
	kill -TERM "$pid"
	wait "$pid"
}

out() {
	echo "$BATS_TEST_TMPDIR/$1.out"
}

err() {
	echo "$BATS_TEST_TMPDIR/$1.err"
}

show_all() {
	local f
	for f in "$BATS_TEST_TMPDIR"/*.out "$BATS_TEST_TMPDIR"/*.err; do
		[ -s "$f" ] || continue
		echo "--- ${f##*/}"
		tail -n 15 "$f" | cut -c 1-200
	done
}

kill_all() {
	local pid
	for pid in $PIDS; do
		kill -KILL "$pid" 2>/dev/null || :
		wait "$pid" 2>/dev/null || :
	done
}
