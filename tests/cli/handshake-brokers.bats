#!/usr/bin/env bats
# The pipelines of zpinc-handshake(1), as they stand there, against real
# servers: Alice does what the manual says, Bob does the same.

bats_require_minimum_version 1.5.0

load handshake

setup() {
	handshake_setup
	mkdir -p "$XDG_CONFIG_HOME/zpinc"
	mv ops.key "$XDG_CONFIG_HOME/zpinc"
	SERVER=
}

teardown() {
	[ -z "$SERVER" ] || kill "$SERVER" || true
	handshake_teardown
}

free_port() {
	/usr/bin/python3 -c 'import socket
s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# example NAME: that example of the manual, with the server and folder here.
example() {
	awk -v name="$1" '
		$2 == "example" { on = $3 == name; next }
		$2 == "end" { on = 0 }
		on && !/^\./' "$ZP_ROOT/man/zpinc-handshake.1" |
		sed -e 's/\\e/\\/g' -e "s/-h relay.example/-h 127.0.0.1 -p $PORT/" \
			-e "s|/srv/relay|$HOME/relay|" > "$1.sh"
	[ -s "$1.sh" ]
}

# follow UID NAME: that member follows the example, in the background.
follow() {
	mkdir -p "run.$1"
	ZPINC_UID=$1 XDG_RUNTIME_DIR=$PWD/run.$1 XDG_STATE_HOME=$PWD/state.$1 \
		timeout 30 sh "$2.sh" > "$1.out" 2> "$1.err" 3>&- &
}

# Both end, with the same conversation.
both_agree() {
	wait "$@"
	[ -s run.alice/ops.conv ]
	[ "$(members alice)" = "alice bob " ]
	[ "$(members bob)" = "alice bob " ]
	[ -n "$(safety alice)" ]
	[ "$(safety alice)" = "$(safety bob)" ]
	# Nothing is left behind.
	[ "$(ls run.alice)" = ops.conv ]
}

both_follow() {
	follow alice "$1"
	alice=$!
	follow bob "$1"
	both_agree $alice $!
}

begin_mosquitto() {
	PORT=$(free_port)
	printf 'listener %s 127.0.0.1\nallow_anonymous true\n' "$PORT" > m.conf
	mosquitto -c m.conf > m.log 2>&1 3>&- &
	SERVER=$!
	await mosquitto_pub -h 127.0.0.1 -p "$PORT" -t test -n
}

begin_redis() {
	PORT=$(free_port)
	redis-server --bind 127.0.0.1 --port "$PORT" --save '' --dir "$PWD" \
		> r.log 2>&1 3>&- &
	SERVER=$!
	await redis-cli -h 127.0.0.1 -p "$PORT" ping
}

@test "the manual's example with a URL, and its messages" {
	PORT=0
	example url
	both_follow url
	example message
	export conv=$PWD/run.alice/ops.conv ZPINC_UID=alice
	run -0 sh message.sh
	[ "$output" = "the door code is 4711" ]
}

@test "the manual's example with two commands, over mosquitto" {
	begin_mosquitto
	example commands
	both_follow commands
}

@test "the manual's pipeline of mosquitto_sub and mosquitto_pub" {
	begin_mosquitto
	example mosquitto
	both_follow mosquitto
}

@test "the manual's pipeline of zpinc-file and two FIFOs" {
	PORT=0
	example file
	both_follow file
}

@test "the manual's pipeline of redis-cli and a stream" {
	begin_redis
	example redis
	both_follow redis
	# What the stream keeps of a former run is not in the way.
	for ((i = 0; i < 3; i++)); do
		first=$(safety alice)
		rm run.*/ops.conv
		both_follow redis
		[ "$first" != "$(safety alice)" ]
	done
}

# A transport may write to that file, and not to what is beside it.
@test "an MQTT session is kept in the file that the URL names" {
	begin_mosquitto
	mv "$XDG_CONFIG_HOME/zpinc/ops.key" .
	mkdir kept
	for round in 1 2; do
		for name in alice bob; do
			join $name -f \
				"mqtt://127.0.0.1:$PORT?state=kept/of%20$name"
		done
		await_status alice 0
		await_status bob 0
		[ "$(head -n 1 'kept/of alice')" = 'zpinc-mqtt 1' ]
		[ "$(stat -c %a 'kept/of alice')" = 600 ]
		[ "$round" = 1 ] || cmp before 'kept/of alice'
		cp 'kept/of alice' before
		rm ./*.status
	done
	[ "$(ls kept)" = $'of alice\nof bob' ]
	join alice -f -t 1 "mqtt://127.0.0.1:$PORT?state=none/s"
	await_status alice 5
	grep -q 'none/s: No such file' alice.err
}
