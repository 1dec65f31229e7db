#!/usr/bin/env bats
# What zpinc-redis does beyond the conformance suite: passwords, TLS,
# clusters, and what a server may say.

# bats runs each test in a process of its own and stops it at an error.
# shellcheck disable=SC2030,SC2031,SC2034,SC2154,SC2164
bats_require_minimum_version 1.5.0
load lib.bash
load tls.bash
load ../compose/servers.bash

setup() {
	PIDS=
	DRIVER_TRANSPORT=zpinc-redis
	REDIS_PID=
	unset ZPINC_URL ZPINC_CURSOR
	cd "$BATS_TEST_TMPDIR"
}

teardown() {
	show_all
	kill_all
	[ -z "$REDIS_PID" ] || stop_server "$REDIS_PID" KILL
}

zpinc_redis() {
	"$ZP_BUILD/zpinc-redis" "$@"
}

# server [WORD...]: starts one with these arguments.
server() {
	REDIS_ARGS="$*" start_redis "$PWD/server"
	URL=redis://127.0.0.1:$REDIS_PORT
}

cli() {
	redis-cli -p "$REDIS_PORT" "$@"
}

follow() {
	begin "$@"
	wait_until has_line "$1.out" '^#live$'
}

retained() {
	zpinc_redis -1 "${1:-$URL}" "$TOPIC" > retained.out
	numbers retained.out
}

# ---- the server ----

@test "both who subscribes with redis-cli and who reads the stream see all" {
	server
	redis-cli --raw -p "$REDIS_PORT" subscribe "$TOPIC" > sub.out 3>&- &
	PIDS="$PIDS $!"
	wait_until has_line sub.out '^subscribe'
	records 1 500 | zpinc_redis "$URL"
	wait_until has_all sub.out 1 500
	[ "$(numbers sub.out)" = "$(seq 1 500)" ]
	cli --raw xrange "$TOPIC" - + > stream.out
	[ "$(numbers stream.out)" = "$(seq 1 500)" ]
	[ "$(grep -c '^r$' stream.out)" -eq 500 ]
}

@test "a single record is one message, and one entry" {
	server
	redis-cli --raw -p "$REDIS_PORT" subscribe "$TOPIC" > sub.out 3>&- &
	PIDS="$PIDS $!"
	wait_until has_line sub.out '^subscribe'
	records 7 7 | zpinc_redis "$URL"
	wait_until has_all sub.out 7 7
	[ "$(tail -n 1 sub.out)" = "$(records 7 7)" ]
	[ "$(cli xlen "$TOPIC")" -eq 1 ]
}

@test "of LIVE the server keeps nothing" {
	server
	follow alice "$URL" "$TOPIC" "$LIVE"
	records 1 5 "$LIVE" | say alice
	wait_until has_all alice.out 1 5 "$LIVE"
	[ "$(cli exists "$LIVE")" -eq 0 ]
	end alice
}

@test "about as many records are kept as --keep says" {
	server
	records 1 3000 | zpinc_redis --keep 500 "$URL"
	kept=$(cli xlen "$TOPIC")
	[ "$kept" -ge 500 ]
	[ "$kept" -le 700 ]
	[ "$(retained | tail -n 500)" = "$(seq 2501 3000)" ]
}

@test "options may be in the query of the URL, and must be some" {
	server
	records 1 1000 | zpinc_redis "$URL?keep=100"
	[ "$(cli xlen "$TOPIC")" -le 300 ]
	for bad in 'keep=x' 'keep' 'kept=3' 'keep=%zz'; do
		run zpinc_redis "$URL?$bad"
		echo "$bad: $status $output"
		[ "$status" -eq 2 ]
	done
}

@test "the path of the URL is the number of a database" {
	server
	records 1 3 | zpinc_redis "$URL/5"
	[ "$(cli -n 5 xlen "$TOPIC")" -eq 3 ]
	[ "$(cli xlen "$TOPIC")" -eq 0 ]
	[ "$(retained "$URL/5")" = "$(seq 1 3)" ]
	run zpinc_redis "$URL/five" < /dev/null
	[ "$status" -eq 2 ]
	run zpinc_redis -1 "$URL/999" "$TOPIC"
	[ "$status" -eq 5 ]
	[[ "$output" == *"DB index is out of range"* ]]
}

# ---- passwords ----

@test "the password is that of the URL, from a file or the environment" {
	server --requirepass secret%1
	echo "redis://:secret%251@127.0.0.1:$REDIS_PORT" > url
	chmod 600 url
	records 1 3 | zpinc_redis @url
	export ZPINC_URL
	ZPINC_URL=$(cat url)
	zpinc_redis -1 "$TOPIC" > env.out
	[ "$(numbers env.out)" = "$(seq 1 3)" ]
	follow alice - "$TOPIC" "$LIVE"
	records 4 6 "$LIVE" | say alice
	wait_until has_all alice.out 4 6 "$LIVE"
	run ! grep -aq secret% "/proc/$alice_pid/environ"
	run ! grep -aq secret% "/proc/$alice_pid/cmdline"
	end alice
}

@test "a user of an access list publishes and reads where he may" {
	server
	cli acl setuser alice on '>pw' '~z*' '&z*' -@all +@connection \
		+multi +exec +xadd +xread +xinfo +publish +subscribe
	echo "redis://alice:pw@127.0.0.1:$REDIS_PORT" > url
	chmod 600 url
	follow reader @url "$TOPIC" "$LIVE"
	records 1 3 | zpinc_redis @url
	wait_until has_all reader.out 1 3
	end reader
	cli acl setuser bob on '>pw' '~other*' '&*' +@all
	echo "redis://bob:pw@127.0.0.1:$REDIS_PORT" > url
	chmod 600 url
	records 1 3 > three
	run zpinc_redis @url < three
	[ "$status" -eq 5 ]
	[[ "$output" == *"record 1 refused: NOPERM"* ]]
	[[ "$output" == *"record 3 refused: NOPERM"* ]]
	[[ "$output" != *pw* ]]
}

@test "a wrong password ends it at once, with exit 5 and the reason" {
	server --requirepass secret
	for url in "redis://127.0.0.1:$REDIS_PORT" \
		"redis://:wrong@127.0.0.1:$REDIS_PORT" \
		"redis://nobody:wrong@127.0.0.1:$REDIS_PORT"; do
		echo "$url" > url
		chmod 600 url
		status=0
		zpinc_redis @url "$TOPIC" > no.out 2> no.err < /dev/null ||
			status=$?
		cat no.err
		[ "$status" -eq 5 ]
		grep -q '^#down \(NOAUTH\|WRONGPASS\)' no.out
		grep -q 'NOAUTH\|WRONGPASS' no.err
		run ! grep -q 'trying again\|wrong' no.err
		records 1 1 > one
		run zpinc_redis @url < one
		[ "$status" -eq 5 ]
		[[ "$output" == *"not delivered: record 1 of the input"* ]]
	done
}

@test "a password that is changed meanwhile is waited for" {
	server --requirepass secret
	echo "redis://:secret@127.0.0.1:$REDIS_PORT" > url
	chmod 600 url
	follow reader @url "$TOPIC"
	cli -a secret config set requirepass other
	cli -a other client kill type normal || :
	wait_until has_line reader.out '^#down WRONGPASS'
	cli -a other config set requirepass secret
	records 1 2 | zpinc_redis @url
	wait_until has_all reader.out 1 2
	end reader
}

# ---- TLS ----

tls_server() {
	REDIS_TLS=$(free_port)
	server --tls-port "$REDIS_TLS" --tls-ca-cert-file "$PWD/tls/ca.pem" \
		--tls-cert-file "$PWD/tls/${1:-server}.pem" \
		--tls-key-file "$PWD/tls/${1:-server}.key" \
		--tls-auth-clients "${2:-no}"
	URL=rediss://127.0.0.1:$REDIS_TLS
}

@test "over TLS everything works with a certificate that is good" {
	tls_make tls
	tls_server
	follow reader --cafile tls/ca.pem "$URL" "$TOPIC" "$LIVE"
	records 1 900 "$TOPIC" "$(printf 'A%.0s' {1..3800})" |
		zpinc_redis --cafile tls/ca.pem "rediss://localhost:$REDIS_TLS"
	records 1 50 "$LIVE" | say reader
	wait_until has_all reader.out 1 900
	wait_until has_all reader.out 1 50 "$LIVE"
	[ "$(numbers reader.out)" = "$(seq 1 900)" ]
	records 901 901 | SSL_CERT_FILE=tls/ca.pem zpinc_redis "$URL"
	wait_until has_all reader.out 901 901
	end reader
}

@test "a certificate of nobody we know, or of another name, is refused" {
	tls_make tls
	tls_server
	records 1 1 > one
	run zpinc_redis "$URL" < one
	[ "$status" -eq 5 ]
	[[ "$output" == *"certificate is refused"* ]]
	run zpinc_redis --cafile tls/other.pem "$URL" < one
	[ "$status" -eq 5 ]
	[[ "$output" == *"certificate is refused"* ]]
	status=0
	zpinc_redis --cafile tls/other.pem "$URL" "$TOPIC" > no.out \
		2> no.err < /dev/null || status=$?
	[ "$status" -eq 5 ]
	grep -q '^#down the server.s certificate is refused' no.out
	stop_server "$REDIS_PID"
	tls_server wrong
	run zpinc_redis --cafile tls/ca.pem "$URL" < one
	[ "$status" -eq 5 ]
	[[ "$output" == *"certificate is refused: IP address mismatch"* ]]
	run zpinc_redis --cafile tls/ca.pem \
		"rediss://localhost:$REDIS_TLS" < one
	[ "$status" -eq 5 ]
	[[ "$output" == *"certificate is refused: hostname mismatch"* ]]
	[ "$(cli exists "$TOPIC")" -eq 0 ]
}

@test "a client's certificate lets in where one is asked for" {
	tls_make tls
	tls_server server yes
	records 1 2 > two
	run zpinc_redis -t 0.5 --cafile tls/ca.pem "$URL" < two
	[ "$status" -eq 5 ]
	zpinc_redis --cafile tls/ca.pem --cert tls/client.pem \
		--key tls/client.key "$URL" < two
	[ "$(cli xlen "$TOPIC")" -eq 2 ]
	run zpinc_redis --cafile nowhere.pem "$URL" < two
	[ "$status" -eq 5 ]
	[[ "$output" == *"nowhere.pem"* ]]
	run zpinc_redis --cafile tls/ca.pem "redis://127.0.0.1:$REDIS_PORT" \
		< two
	[ "$status" -eq 2 ]
}

# ---- what a server may say ----

@test "a server that is full is waited for, and told" {
	server --maxmemory-policy noeviction --maxmemory 1
	follow reader "$URL" "$TOPIC"
	begin writer --timeout 20 "$URL"
	records 1 500 | say writer
	hang_up writer
	wait_until has_line writer.err 'OOM.*trying again'
	cli config set maxmemory 0
	finish writer
	wait_until has_all reader.out 1 500
	[ "$(firsts reader.out)" = "$(seq 1 500)" ]
	end reader
}

@test "a key of another type is told, and the record refused" {
	server
	cli set "$TOPIC" text
	records 1 2 > two
	run zpinc_redis "$URL" < two
	[ "$status" -eq 5 ]
	[[ "$output" == *"record 1 refused: WRONGTYPE"* ]]
	[ "$(cli get "$TOPIC")" = text ]
}

@test "a stream that was begun anew is read from its beginning" {
	server
	cli xadd "$TOPIC" 5-1 r "$(records 1 1)"
	zpinc_redis -1 -c 99999999999999-0 "$URL" "$TOPIC" > anew.out 2> anew.err
	[ "$(numbers anew.out)" = 1 ]
	grep -q 'begun anew' anew.err
	cli del "$TOPIC"
	cli xadd "$TOPIC" 3-1 r "$(records 2 2)"
	zpinc_redis -1 -c 5-1 "$URL" "$TOPIC" > anew.out
	[ "$(numbers anew.out)" = 2 ]
	zpinc_redis -1 -c 3-1 "$URL" "$TOPIC" > none.out
	[ -z "$(numbers none.out)" ]
}

@test "an entry of monstrous length is passed over" {
	server
	records 1 1 | zpinc_redis "$URL"
	head -c 20000000 /dev/zero | tr '\0' z | cli -x xadd "$TOPIC" '*' r
	records 2 2 | zpinc_redis "$URL"
	follow reader "$URL" "$TOPIC"
	[ "$(firsts reader.out)" = "$(seq 1 2)" ]
	head -c 20000000 /dev/zero | tr '\0' z | cli -x xadd "$TOPIC" '*' r
	records 3 3 | zpinc_redis "$URL"
	wait_until has_all reader.out 1 3
	[ "$ZP_MODE" != release ] || [ "$(awk '/^VmHWM/ { print $2 }' \
		"/proc/$reader_pid/status")" -lt 40000 ]
	end reader
}

@test "who is no Redis is told so" {
	/usr/bin/python3 - > port <<-'END' 3>&- &
		import socket
		s = socket.create_server(("127.0.0.1", 0))
		print(s.getsockname()[1], flush=True)
		while True:
		    c, _ = s.accept()
		    c.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
	END
	PIDS="$PIDS $!"
	wait_until [ -s port ]
	records 1 1 > one
	run zpinc_redis -t 0.3 "redis://127.0.0.1:$(cat port)" < one
	[ "$status" -eq 5 ]
	[[ "$output" == *"does not speak Redis's protocol"* ]]
	run zpinc_redis -t 0.3 "rediss://127.0.0.1:$(cat port)" < one
	[ "$status" -eq 5 ]
	[[ "$output" == *"TLS: wrong version number"* ]]
}

# ---- a cluster ----

# Three nodes on loopback, a third of the slots each, with these arguments
# besides; @ stands for a port.
cluster() {
	local i
	NODES=() NODE_PIDS=()
	for ((i = 0; i < 3; i++)); do
		REDIS_ARGS="--cluster-enabled yes --cluster-node-timeout 2000 \
			--cluster-port $(free_port) ${*//@/$(free_port)}" \
			start_redis "$PWD/node$i"
		NODES+=("$REDIS_PORT")
		NODE_PIDS+=("$REDIS_PID")
		PIDS="$PIDS $REDIS_PID"
	done
	node 0 cluster addslotsrange 0 5460
	node 1 cluster addslotsrange 5461 10922
	node 2 cluster addslotsrange 10923 16383
	for i in 1 2; do
		node 0 cluster meet 127.0.0.1 "${NODES[$i]}" \
			"$(node $i config get cluster-port | tail -n 1)"
	done
	wait_until cluster_ok
	SLOT=$(node 0 cluster keyslot "$TOPIC")
	OWNER=$((SLOT / 5461)) # of the topic's slot
	AWAY=$(((OWNER + 1) % 3))
	THIRD=$(((OWNER + 2) % 3))
}

node() {
	local port=${NODES[$1]}
	shift
	redis-cli -p "$port" "$@"
}

cluster_ok() {
	local i
	for i in 0 1 2; do
		node $i cluster info | grep -q '^cluster_state:ok' || return 1
		[ "$(node $i cluster nodes | grep -c connected)" -eq 3 ] ||
			return 1
	done
}

url_of() {
	echo "redis://127.0.0.1:${NODES[$1]}"
}

# The slot with all that is in it, from one node to another.
begin_move() { # FROM TO
	local from to
	from=$(node "$1" cluster myid)
	to=$(node "$2" cluster myid)
	node "$2" cluster setslot "$SLOT" importing "$from"
	node "$1" cluster setslot "$SLOT" migrating "$to"
}

move_key() { # FROM TO
	node "$1" migrate 127.0.0.1 "${NODES[$2]}" "$TOPIC" 0 5000
}

end_move() { # FROM TO
	local to i
	to=$(node "$2" cluster myid)
	for i in "$2" "$1" 0 1 2; do
		node $i cluster setslot "$SLOT" node "$to"
	done
}

@test "a cluster is one relay, whichever node is asked" {
	cluster
	follow reader "$(url_of "$AWAY")" "$TOPIC" "$LIVE"
	# Fewer than are kept, for a reader on a busy machine.
	records 1 800 | zpinc_redis "$(url_of "$THIRD")"
	records 801 900 | zpinc_redis "$(url_of "$OWNER")"
	{
		records 1 50 "$OTHER"
		records 901 950
		records 51 100 "$OTHER"
	} | zpinc_redis "$(url_of "$AWAY")"
	follow other "$(url_of "$THIRD")" "$TOPIC" "$LIVE"
	records 1 20 "$LIVE" | say other
	wait_until has_all reader.out 1 950
	wait_until has_all reader.out 1 20 "$LIVE"
	[ "$(numbers reader.out)" = "$(seq 1 950)" ]
	zpinc_redis -1 "$(url_of "$OWNER")" "$OTHER" > third.out
	[ "$(numbers third.out "$OTHER")" = "$(seq 1 100)" ]
	[ "$(node "$OWNER" xlen "$TOPIC")" -eq 950 ]
	end reader
	end other
}

@test "a cluster with a password, over TLS, is one relay, too" {
	tls_make tls
	export REDISCLI_AUTH=secret
	cluster --requirepass secret --tls-port @ --tls-cluster yes \
		--tls-auth-clients no --tls-ca-cert-file "$PWD/tls/ca.pem" \
		--tls-cert-file "$PWD/tls/server.pem" \
		--tls-key-file "$PWD/tls/server.key"
	for i in 0 1 2; do
		port=$(node $i config get tls-port | tail -n 1)
		await_port "$port"
		echo "rediss://:secret@127.0.0.1:$port?cafile=tls/ca.pem" > url$i
		chmod 600 "url$i"
	done
	follow reader -k 1 "@url$AWAY" "$TOPIC" "$LIVE"
	records 1 500 | zpinc_redis "@url$THIRD"
	records 1 20 "$LIVE" | zpinc_redis "@url$OWNER"
	wait_until has_all reader.out 1 500
	wait_until has_all reader.out 1 20 "$LIVE"
	begin_move "$OWNER" "$AWAY"
	node "$OWNER" migrate 127.0.0.1 "$(node "$AWAY" config get tls-port |
		tail -n 1)" "$TOPIC" 0 5000 auth secret
	begin writer --timeout 30 "@url$OWNER"
	records 501 600 | say writer
	wait_until has_all reader.out 501 600
	end_move "$OWNER" "$AWAY"
	records 601 700 | say writer
	hang_up writer
	finish writer
	wait_until has_all reader.out 1 700
	[ "$(firsts reader.out)" = "$(seq 1 700)" ]
	end reader
	echo "rediss://:wrong@127.0.0.1:$port?cafile=tls/ca.pem" > url
	chmod 600 url
	run zpinc_redis -1 @url "$TOPIC"
	[ "$status" -eq 5 ]
	[[ "$output" == *WRONGPASS* ]]
}

@test "a topic moved to another node in mid-stream loses nothing" {
	cluster
	follow reader -k 1 "$(url_of "$OWNER")" "$TOPIC"
	begin writer --timeout 30 "$(url_of "$OWNER")"
	records 1 100 | say writer
	wait_until has_all reader.out 1 100
	begin_move "$OWNER" "$AWAY" # its key is here: nothing changes
	records 101 200 | say writer
	wait_until has_all reader.out 101 200
	move_key "$OWNER" "$AWAY" # now the old node says ASK
	records 201 300 | say writer
	wait_until has_all reader.out 201 300
	end_move "$OWNER" "$AWAY" # and now, MOVED
	records 301 400 | say writer
	hang_up writer
	finish writer
	wait_until has_all reader.out 1 400
	[ "$(firsts reader.out)" = "$(seq 1 400)" ]
	[ "$(node "$AWAY" xlen "$TOPIC")" -ge 400 ]
	[ ! -s writer.err ]
	[ ! -s reader.err ]
	end reader
}

@test "a node killed and restarted loses nothing" {
	cluster
	follow reader "$(url_of "$AWAY")" "$TOPIC"
	begin writer --timeout 60 "$(url_of "$THIRD")"
	records 1 100 | say writer
	wait_until has_all reader.out 1 100
	stop_server "${NODE_PIDS[$OWNER]}" KILL
	records 101 200 | say writer
	hang_up writer
	wait_until has_line writer.err 'trying again'
	REDIS_ARGS="--cluster-enabled yes --cluster-node-timeout 2000 \
		--cluster-port $(free_port)" \
		start_redis "$PWD/node$OWNER" "${NODES[$OWNER]}"
	PIDS="$PIDS $REDIS_PID"
	finish writer
	wait_until has_all reader.out 1 200
	[ "$(firsts reader.out)" = "$(seq 1 200)" ]
	end reader
}

@test "when the node of the URL goes, another one is asked" {
	cluster
	follow reader "$(url_of "$AWAY")" "$TOPIC"
	records 1 1 | zpinc_redis "$(url_of "$AWAY")"
	wait_until has_all reader.out 1 1
	for i in 0 1 2; do
		[ $i -eq "$AWAY" ] ||
			node $i config set cluster-require-full-coverage no
	done
	stop_server "${NODE_PIDS[$AWAY]}" KILL
	wait_until has_line reader.out '^#down'
	wait_until has_line reader.err 'up again'
	records 2 2 | zpinc_redis "$(url_of "$OWNER")"
	wait_until has_all reader.out 1 2
	end reader
}
