# shellcheck shell=bash
# What the tests of zpinc-pipe share: members with their own input, output
# and diagnostics, awaited and never slept for.

# shellcheck source-path=SCRIPTDIR source=common.bash
. "$ZP_ROOT/tests/cli/common.bash"

pipe_setup() {
	common_setup
	make_key ops.key
	RELAY=file:$HOME/relay
	PIDS=()
	declare -gA FD PID
}

# Ends what a test left behind, by number.
pipe_teardown() {
	local pid
	for pid in "${PIDS[@]}"; do
		kill "$pid" 2> /dev/null || true
	done
	wait
}

# member NAME ARGUMENT...: in, out, err and status in files of that name.
# $KEY: another key than ops.key; $AS: another uid than NAME.
member() {
	local name=$1 fd
	shift
	rm -f "$name.in" "$name.status"
	mkfifo "$name.in"
	(
		# No writing end of anybody's input, nor of bats' own output.
		for fd in "${FD[@]}" 3; do
			eval "exec $fd>&-"
		done
		status=0
		zpinc-pipe -k "${KEY:-./ops.key}" -u "${AS:-$name}" "$@" \
			< "$name.in" >> "$name.out" 2>> "$name.err" || status=$?
		echo $status > "$name.status.new"
		mv "$name.status.new" "$name.status"
	) &
	PID[$name]=$!
	PIDS+=($!)
	exec {fd}> "$name.in"
	FD[$name]=$fd
}

# say NAME LINE...: types lines.
say() {
	local name=$1
	shift
	printf '%s\n' "$@" >&"${FD[$name]}"
}

# The end of NAME's input.
hush() {
	local fd=${FD[$1]}
	exec {fd}>&-
	unset "FD[$1]"
}

# The keyed process of NAME, and its parent.
parent_of() {
	pgrep -P "${PID[$1]}" -x zpinc-pipe
}

# NAME and all it runs die at once, as when the machine does.
die() {
	local parent
	parent=$(parent_of "$1")
	# shellcheck disable=SC2046
	kill -9 $(pgrep -P "$parent") "$parent"
}

has() { # FILE LINE
	grep -qxF -- "$2" "$1" 2> /dev/null
}

matches() { # FILE PATTERN
	grep -q -- "$2" "$1" 2> /dev/null
}

# sees NAME LINE, and hears NAME PATTERN (on stderr).
sees() {
	await has "$1.out" "$2"
}

hears() {
	await matches "$1.err" "$2"
}

# The last conversation that NAME told of has COUNT members.
in_conversation_of() {
	sed -n 's/^zpinc-pipe: conversation: //p' "$1.err" | tail -n 1 |
		sed 's/ and /, /' | awk -F', ' -v n="$2" \
		'NF == n { good = 1 } END { exit !good }'
}

# talk COUNT NAME...: all these are in a conversation of COUNT.
talk() {
	local count=$1 name
	shift
	for name in "$@"; do
		await in_conversation_of "$name" "$count"
	done
}

ends() { # NAME STATUS
	await test -e "$1.status"
	if [ "$(cat "$1.status")" != "$2" ]; then
		echo "$1: status $(cat "$1.status"), not $2"
		cat "$1.err"
		return 1
	fi
}

times() { # FILE LINE
	grep -cxF -- "$2" "$1" || true
}
