#!/usr/bin/env bats
# The transports, as their pages use them: zpinc-mqtt(1), zpinc-redis(1) and
# zpinc-http(1), with their servers set up as the pages say.

bats_require_minimum_version 1.5.0
load servers
load examples
load ../transports/tls
load ../transports/nchan

setup() {
	compose_setup
	MOSQUITTO_PID="" REDIS_PID=""
}

teardown() {
	compose_teardown
	[ -z "$MOSQUITTO_PID" ] || stop_server "$MOSQUITTO_PID" KILL
	[ -z "$REDIS_PID" ] || stop_server "$REDIS_PID" KILL
	nchan_kill
}

# Begins an example that follows, and waits until its reader is there.
follow_example() { # PAGE NAME FILE
	in_background "$3" bash -c "$(example "$1" "$2" |
		sed 's/ |$/ | tee status |/')"
	wait_until says status '^#live'
}

# posts_and_follows PAGE POST FOLLOW
posts_and_follows() {
	follow_example "$1" "$3" out
	run -0 run_example "$1" "$2"
	[ -z "$output" ]
	wait_until says out Filesystem
}

# ---- MQTT ----

@test "zpinc-mqtt posts, and follows" {
	start_mosquitto "$PWD/mosquitto"
	posts_and_follows zpinc-mqtt.1 mqtt-post mqtt-follow
}

@test "a cron job of zpinc-mqtt's gets what came since, once" {
	start_mosquitto "$PWD/mosquitto"
	run -0 run_example zpinc-mqtt.1 mqtt-cron
	[ -z "$output" ]
	for n in 1 2; do
		echo "news $n" | zpinc-seal -k ops -u db1 |
			zpinc-mqtt "mqtt://127.0.0.1:$MOSQUITTO_PORT"
		run -0 run_example zpinc-mqtt.1 mqtt-cron
		[ "$output" = "news $n" ]
	done
}

@test "the page's broker lets in with a password, over TLS, and nobody else" {
	tls_make tls
	cp tls/ca.pem ca.pem
	text zpinc-mqtt.1 mosquitto-acl > acl
	mosquitto_passwd -b -c passwords alice PASSWORD 2> /dev/null
	chmod 644 acl passwords
	tls_port=$(free_port)
	MOSQUITTO_CONF=$(text zpinc-mqtt.1 mosquitto-conf | sed \
		-e "s|listener 8883|listener $tls_port 127.0.0.1|" \
		-e "s|/etc/mosquitto/certs/broker|$PWD/tls/server|" \
		-e "s|/etc/mosquitto/|$PWD/|") start_mosquitto "$PWD/mosquitto"
	await_port "$tls_port"
	(umask 077 && echo "mqtts://alice:PASSWORD@127.0.0.1:$tls_port" \
		> broker.url)
	in_background out zpinc-mqtt --cafile ca.pem @broker.url "$TOPIC"
	wait_until says out '^#live'
	run -0 run_example zpinc-mqtt.1 mqtt-tls
	[ -z "$output" ]
	wait_until says out '^zp1'
	[[ "$(zpinc-open -k ops < out)" == *Filesystem* ]]
	echo "mqtts://alice:WRONG@127.0.0.1:$tls_port" > broker.url
	run -5 run_example zpinc-mqtt.1 mqtt-tls
	[[ "$output" == *"Not authorized"* ]]
	echo "mqtts://127.0.0.1:$tls_port" > broker.url
	run -5 run_example zpinc-mqtt.1 mqtt-tls
	[[ "$output" == *"Not authorized"* ]]
}

# ---- Redis ----

@test "zpinc-redis posts, and follows" {
	start_redis "$PWD/redis"
	posts_and_follows zpinc-redis.1 redis-post redis-follow
}

@test "a cron job of zpinc-redis's shows each line once" {
	start_redis "$PWD/redis"
	for n in 1 2; do
		echo "news $n" | zpinc-seal -k ops -u db1 |
			zpinc-redis "redis://127.0.0.1:$REDIS_PORT"
		run -0 run_example zpinc-redis.1 redis-cron
		[ "$output" = "news $n" ]
	done
}

@test "a long log is kept, and is read by redis-cli, too" {
	start_redis "$PWD/redis"
	seq 1500 > big.log
	run -0 run_example zpinc-redis.1 redis-keep
	run_example zpinc-redis.1 redis-read > got
	diff big.log got
}

@test "the page's access list lets in with a password, over TLS" {
	tls_make tls
	cp tls/ca.pem ca.pem
	tls_port=$(free_port)
	REDIS_ARGS="--tls-port $tls_port --tls-auth-clients no \
		--tls-ca-cert-file $PWD/tls/ca.pem \
		--tls-cert-file $PWD/tls/server.pem \
		--tls-key-file $PWD/tls/server.key" start_redis "$PWD/redis"
	run -0 run_example zpinc-redis.1 redis-acl
	[ "$output" = OK ]
	redis-cli -p "$REDIS_PORT" ACL SETUSER default off > /dev/null
	(umask 077 && echo "rediss://alice:PASSWORD@127.0.0.1:$tls_port" \
		> redis.url)
	live=$(zpinc-key topic -k ops --live)
	mkfifo in
	in_background out bash -c \
		'zpinc-redis --cafile ca.pem @redis.url "$0" "$1" < in' \
		"$TOPIC" "$live"
	exec 7> in
	wait_until says out '^#live'
	run -0 run_example zpinc-redis.1 redis-tls
	[ -z "$output" ]
	wait_until says out '^zp1'
	echo "zp1.$live.$TOPIC.AAAAAAAA" >&7
	wait_until says out "^zp1.$live"
	exec 7>&-
	echo "rediss://alice:WRONG@127.0.0.1:$tls_port" > redis.url
	run -5 run_example zpinc-redis.1 redis-tls
	[[ "$output" == *WRONGPASS* ]]
}

# ---- HTTP ----

@test "zpinc-http posts, and follows, and so does curl" {
	nchan_setup
	nchan_start
	posts_and_follows zpinc-http.1 http-post http-follow
	in_background curled bash -c "$(example zpinc-http.1 http-curl |
		sed 's/date/echo by curl/')"
	wait_until says out 'by curl'
	wait_until says curled 'by curl'
}

@test "every example of these pages is run by a test" {
	for page in zpinc-mqtt.1 zpinc-redis.1 zpinc-http.1; do
		sed '1,/^\.Sh EXAMPLES/d; /^\.Sh/,$d' "$ZP_ROOT/man/$page" \
			> examples
		[ "$(grep -c '^\.Bd' examples)" = \
			"$(grep -c '^\.\\" example' examples)" ]
		for name in $(sed -n 's/^\.\\" example //p' \
			"$ZP_ROOT/man/$page"); do
			# zpinc-http(1)'s server is set up by nchan.bash.
			cat "$BATS_TEST_FILENAME" \
				"$ZP_ROOT"/tests/transports/{nchan.bash,http.bats} |
				grep -q "[ -]$name\b" || {
				echo "$page: $name is not run"
				return 1
			}
		done
	done
}
