# shellcheck shell=bash
# What the command-line tests share.  Every test has its own $HOME and no
# state of the user's.

common_setup() {
	PATH=$ZP_BUILD:$PATH
	export HOME=$BATS_TEST_TMPDIR
	export XDG_CONFIG_HOME=$HOME/config XDG_STATE_HOME=$HOME/state
	export XDG_RUNTIME_DIR=$HOME/run
	unset ZPINC_UID ZPINC_URL CREDENTIALS_DIRECTORY
	mkdir -p "$XDG_RUNTIME_DIR"
	cd "$HOME" || return 1
}

# A random key for channel $2 in the file $1.
make_key() {
	zpinc-key new --random -c "${2:-ops}" -o "$1" 2>/dev/null
}

# Runs with stderr in the file `err`, so that stdout can be looked at alone.
# Sets $status and $output.
quiet() {
	run bash -c '"$@" 2>err' quiet "$@"
}

# stderr has exactly $1 lines, and one of them matches $2.
errors() {
	local n
	n=$(grep -vc '^hint: ' err || true)
	if [ "$n" != "$1" ]; then
		echo "want $1 lines on stderr, got:"
		cat err
		return 1
	fi
	[ -z "${2:-}" ] || grep -q -- "$2" err || {
		echo "no '$2' in:"
		cat err
		return 1
	}
}

# await COMMAND...: until it is true, at most 40 seconds, or $AWAIT.
await() {
	local i
	for ((i = 0; i < ${AWAIT:-40} * 50; i++)); do
		if "$@"; then
			return 0
		fi
		sleep 0.02
	done
	echo "never true: $*"
	# Files, not pipes that nobody writes to any more.
	find . -maxdepth 1 -type f \( -name '*.err' -o -name '*.out' \) \
		-exec tail -n 30 {} + | cut -c 1-300
	return 1
}
