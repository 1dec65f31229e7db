# shellcheck shell=bash
# The examples of the manual, taken from its source so that page and test
# cannot differ, and run as somebody would who copied them.

# shellcheck source-path=SCRIPTDIR source=../cli/common.bash
. "$ZP_ROOT/tests/cli/common.bash"

# text PAGE NAME: the display behind `.\" example NAME`, as it is shown.
text() {
	awk -v name="$2" '
		/^\.\\" example / { on = $3 == name; next }
		on && /^\.Ed/ { found = 1; exit }
		on && !/^\.Bd/ { print }
		END { exit !found }' "$ZP_ROOT/man/$1" |
		sed -e 's/\\e/\\/g' -e 's/\\&//g'
}

# example PAGE NAME: the same, with the test's servers and folder in place of
# the page's, and what takes a minute done in a second.
example() {
	text "$@" | sed \
		-e 's/vmstat 60/vmstat 1 2/' \
		-e "s/-h broker/-h 127.0.0.1 -p ${MOSQUITTO_PORT:-0}/" \
		-e "s/-h redis/-h 127.0.0.1 -p ${REDIS_PORT:-0}/" \
		-e "s|mqtt://broker|mqtt://127.0.0.1:${MOSQUITTO_PORT:-0}|" \
		-e "s|redis://redis|redis://127.0.0.1:${REDIS_PORT:-0}|" \
		-e "s|https://relay.example|http://127.0.0.1:${NCHAN_PORT:-0}|" \
		-e "s|/srv/|$HOME/srv/|; s|/var/log/|$HOME/log/|" \
		-e "s|PATH=/usr/local/bin:|PATH=$ZP_BUILD:|"
}

# A home with a key for ops, as the examples have it.
compose_setup() {
	common_setup
	unset XDG_CONFIG_HOME XDG_STATE_HOME
	mkdir -p .config/zpinc srv log/nginx
	make_key .config/zpinc/ops.key ops
	export TOPIC
	TOPIC=$(zpinc-key topic -k ops)
	GROUPS_BEGUN=
}

compose_teardown() {
	local pid
	for pid in $GROUPS_BEGUN; do
		kill -KILL -- "-$pid" 2>/dev/null || :
		{ wait "$pid"; } 2>/dev/null || :
	done
}

# run_example PAGE NAME: to its end, at most 10 seconds.
run_example() {
	timeout 10 bash -euo pipefail -c "$(example "$@")"
}

# in_background FILE COMMAND...: with all that it starts, until the test
# ends; stdout to FILE.
in_background() {
	local out=$1
	shift
	setsid "$@" >"$out" 2>"$out.err" </dev/null 3>&- &
	GROUPS_BEGUN="$GROUPS_BEGUN $!"
}

# begin_example PAGE NAME FILE
begin_example() {
	in_background "$3" bash -c "$(example "$1" "$2")"
}

# wait_until COMMAND...: at most 10 seconds.
wait_until() {
	local end=$((SECONDS + 10))
	while [ "$SECONDS" -lt "$end" ]; do
		if "$@"; then
			return 0
		fi
		sleep 0.02
	done
	echo "never true: $*"
	return 1
}

# The file $1 has $2 lines or more.
has_lines() {
	[ -e "$1" ] && [ "$(wc -l <"$1")" -ge "$2" ]
}

says() {
	grep -q -- "$2" "$1" 2>/dev/null
}

# cron PAGE NAME: runs the job of a crontab as cron does, with its empty
# environment and in /bin/sh.
cron() {
	local tab path job
	tab=$(example "$1" "$2")
	path=$(sed -n 's/^PATH=//p' <<<"$tab")
	# One line, without the five fields of the time.
	job=$(sed '/^PATH=/d' <<<"$tab" | tr -s '\n ' ' ' |
		sed 's/^\([^ ]* \)\{5\}//')
	case $job in
	*%*) echo 'an unescaped % in a crontab is a newline' && return 1 ;;
	esac
	env -i HOME="$HOME" LOGNAME="$(id -un)" SHELL=/bin/sh PATH="$path" \
		timeout 10 /bin/sh -c "$job"
}
