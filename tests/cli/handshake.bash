# shellcheck shell=bash
# Members of handshakes, in the background.

load common

handshake_setup() {
	common_setup
	make_key ops.key
	RELAY=file:$PWD/relay
}

handshake_teardown() {
	local pids
	mapfile -t pids < <(jobs -p)
	[ "${#pids[@]}" -eq 0 ] || kill "${pids[@]}" 2> /dev/null || true
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

agree_with_oracle() {
	await_status "$1" 0
	[ "$(safety "$1")" = "$(cat bob.out)" ]
}
