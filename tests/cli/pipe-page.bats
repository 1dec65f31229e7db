#!/usr/bin/env bats
# The examples of zpinc-pipe(1), run as they stand in its source, with a
# folder and servers of our own in place of the page's.

bats_require_minimum_version 1.5.0
load pipe
load ../compose/servers

setup() {
	pipe_setup
	mkdir -p "$XDG_CONFIG_HOME/zpinc" srv
	cp ops.key "$XDG_CONFIG_HOME/zpinc/ops.key"
	export XDG_RUNTIME_DIR=$HOME/run
	mkdir -m 700 -p run
	SERVER=
}

teardown() {
	[ -z "$SERVER" ] || stop_server "$SERVER"
	pipe_teardown
}

# page NAME: that example.
page() {
	awk -v name="$1" '
		$2 == "example" { on = $3 == name; next }
		on && /^\.Ed/ { exit }
		on && !/^\./ { print }' "$ZP_ROOT/man/zpinc-pipe.1" |
		sed -e 's/\\e/\\/g' -e "s|/srv/|$HOME/srv/|" \
			-e "s/-h relay.example/-h 127.0.0.1 -p ${MOSQUITTO_PORT:-0}/" \
			-e "s|//relay.example|//127.0.0.1:${REDIS_PORT:-0}|"
}

# follow UID NAME: that member follows the example, with input of its own.
follow() {
	local fd text
	text=$(page "$2")
	[ -n "$text" ]
	mkfifo "$1.in"
	(
		for fd in "${FD[@]}" 3; do
			eval "exec $fd>&-"
		done
		ZPINC_UID=$1 bash -c "$text" < "$1.in" >> "$1.out" \
			2>> "$1.err"
	) &
	PIDS+=($!)
	exec {fd}> "$1.in"
	FD[$1]=$fd
}

end_all() {
	local name
	for name in "${!FD[@]}"; do
		hush "$name"
	done
	wait "${PIDS[@]}"
}

@test "the page's first example is a conversation" {
	follow alice talk
	follow bob talk
	talk 2 alice bob
	say alice hello
	sees bob 'alice: hello'
	end_all
}

@test "over a server and a folder, the server may go" {
	start_redis "$HOME/redis"
	SERVER=$REDIS_PID
	follow alice two
	follow bob two
	talk 2 alice bob
	say alice 'over both'
	sees bob 'alice: over both'
	stop_server "$REDIS_PID" KILL
	say alice 'over one'
	sees bob 'alice: over one'
	[ "$(times bob.out 'alice: over both')" = 1 ]
	end_all
}

@test "with the clients of an MQTT broker" {
	start_mosquitto "$HOME/mosquitto"
	SERVER=$MOSQUITTO_PID
	follow alice commands
	follow bob commands
	talk 2 alice bob
	say bob 'by their own clients'
	sees alice 'bob: by their own clients'
	end_all
}

@test "a script's line is for those who come later; the bot answers" {
	bash -c "$(page once)" 2> once.err
	follow alice talk
	await matches alice.out '^\[note\] web1: .*load average'
	# Its input is its own output, so it ends by a signal.
	bash -c "$(page bot)" 2> bot.err 3>&- &
	PIDS+=($!)
	talk 2 alice
	say alice ping
	sees alice 'bot: pong, alice'
	[ "$(times alice.out 'bot: pong, alice')" = 1 ]
	kill "$(pgrep -P $! -x zpinc-pipe)"
	hears alice 'bot left'
	end_all
}
