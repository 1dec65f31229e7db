#!/usr/bin/env bats
# What zpinc-mqtt does beyond the conformance suite: sessions, passwords,
# TLS, and what a broker may say.

# bats runs each test in a process of its own and stops it at an error.
# shellcheck disable=SC2030,SC2031,SC2034,SC2154,SC2164
bats_require_minimum_version 1.5.0
load lib.bash
load tls.bash
load ../compose/servers.bash

setup() {
	PIDS=
	DRIVER_TRANSPORT=zpinc-mqtt
	MOSQUITTO_PID=
	unset ZPINC_URL ZPINC_CURSOR
	cd "$BATS_TEST_TMPDIR"
}

teardown() {
	show_all
	kill_all
	[ -z "$MOSQUITTO_PID" ] || stop_server "$MOSQUITTO_PID" KILL
}

zpinc_mqtt() {
	"$ZP_BUILD/zpinc-mqtt" "$@"
}

# broker [LINE...]: starts one, with these lines in its configuration.
broker() {
	MOSQUITTO_CONF=$(printf '%s\n' "$@") \
		start_mosquitto "$PWD/server" "$MOSQUITTO_PORT"
	URL=mqtt://127.0.0.1:$MOSQUITTO_PORT
}

follow() {
	local name=$1
	shift
	begin "$name" "$@"
	wait_until has_new_line "$name" '^#live$'
}

# Counted from what was there before: the output of a name is appended to.
has_new_line() {
	[ "$(grep -c -- "$2" "$1.out")" -gt "${BEFORE:-0}" ]
}

# ---- others ----

@test "mosquitto_pub and mosquitto_sub are members, too" {
	broker
	mosquitto_sub -p "$MOSQUITTO_PORT" -q 1 -v -t "$TOPIC" > sub.out 3>&- &
	PIDS="$PIDS $!"
	follow reader "$URL" "$TOPIC"
	wait_until has_line sub.out 'zpinc-mqtt probe'
	records 1 500 | zpinc_mqtt "$URL"
	records 501 700 | mosquitto_pub -p "$MOSQUITTO_PORT" -q 1 -l -t "$TOPIC"
	wait_until has_all reader.out 1 700
	[ "$(numbers reader.out)" = "$(seq 1 700)" ]
	BEFORE=699 wait_until has_new_line sub "^$TOPIC zp1"
	[ "$(sed "s/^$TOPIC //" sub.out | grep '^zp1' | cut -d. -f4 |
		cut -c 1-8)" = "$(seq -f %08.0f 1 700)" ]
	run ! grep -q probe reader.out
	end reader
}

@test "a message that the broker retains is history" {
	broker
	records 1 1 | mosquitto_pub -p "$MOSQUITTO_PORT" -r -q 1 -s -t "$TOPIC"
	records 2 2 "$LIVE" |
		mosquitto_pub -p "$MOSQUITTO_PORT" -r -q 1 -s -t "$LIVE"
	zpinc_mqtt -1 "$URL" "$TOPIC" > once.out
	[ "$(numbers once.out)" = 1 ]
	follow reader "$URL" "$TOPIC" "$LIVE"
	records 3 3 "$LIVE" | zpinc_mqtt "$URL"
	wait_until has_all reader.out 3 3 "$LIVE"
	[ "$(numbers reader.out "$LIVE")" = 3 ]
	end reader
}

@test "many more records than numbers of messages all arrive" {
	broker 'max_queued_messages 0'
	follow reader "$URL" "$TOPIC"
	records 1 70000 | zpinc_mqtt "$URL"
	wait_until has_all reader.out 1 70000
	[ "$(numbers reader.out)" = "$(seq 1 70000)" ]
	end reader
}

@test "members that all publish at once overflow no queue of the broker" {
	broker
	for name in a b c d; do
		follow $name "$URL" "$TOPIC"
	done
	i=0
	for name in a b c d; do
		records $((i + 1)) $((i + 2000)) > in.$name
		i=$((i + 2000))
	done
	for name in a b c d; do
		say $name < in.$name &
	done
	for name in a b c d; do
		wait_until has_all $name.out 1 8000
		[ "$(numbers $name.out | wc -l)" -eq 8000 ]
	done
}

# ---- sessions ----

@test "with --state what came meanwhile is there, of LIVE nothing" {
	broker
	follow reader --state s "$URL" "$TOPIC" "$LIVE"
	records 1 10 | zpinc_mqtt "$URL"
	wait_until has_all reader.out 1 10
	end reader
	{
		records 11 300
		records 1 20 "$LIVE"
	} | zpinc_mqtt "$URL"
	BEFORE=1 follow reader --state s "$URL" "$TOPIC" "$LIVE"
	[ "$(numbers reader.out)" = "$(seq 1 300)" ]
	[ -z "$(numbers reader.out "$LIVE")" ]
	[ "$(grep -n -m 2 '^#live' reader.out | tail -n 1 | cut -d: -f1)" -gt \
		"$(grep -n '^zp1' reader.out | tail -n 1 | cut -d: -f1)" ]
	[ ! -s reader.err ]
	end reader
	zpinc_mqtt -1 --state s "$URL" "$TOPIC" "$LIVE" > none.out
	[ -z "$(numbers none.out)" ]
	[ "$(stat -c %a s)" = 600 ]
}

@test "a cron job with --once and --state gets each record once" {
	broker
	for ((i = 0; i < 4; i++)); do
		zpinc_mqtt -1 "$URL?state=s" "$TOPIC" > run$i.out
		records $((i * 200 + 1)) $((i * 200 + 200)) | zpinc_mqtt "$URL"
	done
	zpinc_mqtt -1 "$URL?state=s" "$TOPIC" > run4.out
	[ -z "$(numbers run0.out)" ]
	[ "$(for i in 1 2 3 4; do numbers run$i.out; done)" = "$(seq 1 800)" ]
}

@test "what was not written when it was killed comes again" {
	broker 'max_queued_messages 0' 'max_inflight_messages 0'
	zpinc_mqtt -1 --state s "$URL" "$TOPIC"
	records 1 400 "$TOPIC" "$(printf 'A%.0s' {1..1900})" | zpinc_mqtt "$URL"
	# A pipe takes 64 KiB, some thirty records; the others cannot be written.
	mkfifo pipe
	exec {pipe}<> pipe
	"$ZP_BUILD/zpinc-mqtt" --state s "$URL" "$TOPIC" < /dev/null > pipe \
		2> killed.err 3>&- &
	pid=$!
	PIDS="$PIDS $pid"
	wait_until stands_still
	kill -KILL "$pid"
	wait "$pid" || :
	timeout 1 cat pipe > one.out || :
	exec {pipe}>&-
	[ "$(numbers one.out | wc -l)" -gt 10 ]
	[ "$(numbers one.out | wc -l)" -lt 100 ]
	zpinc_mqtt -1 --state s "$URL" "$TOPIC" > two.out
	[ "$(cat one.out two.out > all; numbers all | sort -nu)" = \
		"$(seq 1 400)" ]
	[ "$(numbers two.out)" = "$(numbers two.out | sort -nu)" ]
}

# Is the pipe full, and has it been for a while?
stands_still() {
	local before=${HELD:-0}
	HELD=$(/usr/bin/python3 -c 'import array, fcntl, sys, termios
n = array.array("i", [0])
fcntl.ioctl(int(sys.argv[1]), termios.FIONREAD, n)
print(n[0])' "$pipe")
	[ "$HELD" -eq "$before" ] && [ "$HELD" -gt 50000 ]
}

@test "a broker killed loses nothing that it had not acknowledged" {
	broker 'autosave_on_changes true' 'autosave_interval 1'
	follow reader --state s "$URL" "$TOPIC"
	begin writer --timeout 60 "$URL"
	records 1 50 | say writer
	wait_until has_all reader.out 1 50
	stop_server "$MOSQUITTO_PID" KILL
	records 51 100 | say writer
	hang_up writer
	wait_until has_line writer.err 'trying again'
	broker 'autosave_on_changes true' 'autosave_interval 1'
	finish writer
	wait_until has_all reader.out 1 100
	[ "$(firsts reader.out)" = "$(seq 1 100)" ]
	run ! grep -q 'not kept' reader.err
	end reader
}

@test "a session that the broker has not kept is told" {
	broker 'persistence false'
	follow reader --state s "$URL" "$TOPIC"
	stop_server "$MOSQUITTO_PID" TERM
	broker 'persistence false'
	wait_until has_line reader.err 'has not kept the session'
	end reader
}

@test "a run leaves no session behind, but for --state" {
	broker 'sys_interval 1'
	follow reader "$URL" "$TOPIC"
	wait_until sessions 1
	end reader
	wait_until sessions 0
	follow other --state s "$URL" "$TOPIC"
	end other
	wait_until sessions 1
}

# As the broker last said, which it does every second; one that looks on is
# not among them yet.
sessions() {
	[ "$(mosquitto_sub -p "$MOSQUITTO_PORT" -W 3 -C 1 \
		-t '$SYS/broker/clients/total')" = "$1" ]
}

@test "a state file has one user at a time, and is for its topics" {
	broker
	follow reader --state s "$URL" "$TOPIC"
	run zpinc_mqtt -1 --state s "$URL" "$TOPIC"
	[ "$status" -ne 0 ]
	[[ "$output" == *"s: in use by another process"* ]]
	end reader
	records 1 3 | zpinc_mqtt "$URL"
	cp s before
	zpinc_mqtt -1 --state s "$URL" "$OTHER" > other.out
	[ -z "$(numbers other.out)" ]
	run ! cmp -s s before
	echo "precious" > precious
	run zpinc_mqtt -1 --state precious "$URL" "$TOPIC"
	[ "$status" -ne 0 ]
	[ "$(cat precious)" = precious ]
	printf 'zpinc-mqtt 1\nzpinc-\n' > torn
	zpinc_mqtt -1 --state torn "$URL" "$TOPIC"
	run zpinc_mqtt -1 --state /nowhere/s "$URL" "$TOPIC"
	[ "$status" -eq 5 ]
}

@test "a state file that cannot be written is told" {
	run bash -c "ulimit -f 0
		'$ZP_BUILD/zpinc-mqtt' --state s mqtt://127.0.0.1:1 $TOPIC < /dev/null"
	[ "$status" -eq 5 ]
	[[ "$output" == *': s: File too large'* ]]
}

# ---- passwords and permissions ----

with_passwords() {
	mosquitto_passwd -b -c passwords alice 'sec:ret' 2> /dev/null
	chmod 644 passwords
	broker 'allow_anonymous false' "password_file $PWD/passwords" "$@"
}

@test "user and password come from a file or the environment" {
	with_passwords
	echo "mqtt://alice:sec%3Aret@127.0.0.1:$MOSQUITTO_PORT" > url
	chmod 600 url
	follow reader @url "$TOPIC"
	records 1 3 | ZPINC_URL=$(cat url) zpinc_mqtt
	wait_until has_all reader.out 1 3
	run ! grep -aq ret "/proc/$reader_pid/cmdline"
	end reader
}

@test "what a URL has that would be of no effect is refused" {
	for url in mqtt://h/ops mqtt://:pw@h mqtt:// 'mqtt://h?topic=x' \
		'mqtt://h?state' 'mqtt://h?cafile=x'; do
		echo "$url" > url
		chmod 600 url
		run zpinc_mqtt @url < /dev/null
		echo "$url: $status $output"
		[ "$status" -eq 2 ]
		[[ "$output" != *pw* ]]
	done
}

@test "a wrong password ends it at once, with exit 5 and the reason" {
	with_passwords
	records 1 1 > one
	for user in '' 'alice:wrong@' 'nobody:wrong@'; do
		echo "mqtt://${user}127.0.0.1:$MOSQUITTO_PORT" > url
		chmod 600 url
		status=0
		zpinc_mqtt @url "$TOPIC" > no.out 2> no.err < /dev/null ||
			status=$?
		cat no.err
		[ "$status" -eq 5 ]
		grep -q '^#down the broker refuses the connection: Not auth' \
			no.out
		run ! grep -q 'trying again\|wrong' no.err
		run zpinc_mqtt @url < one
		[ "$status" -eq 5 ]
		[[ "$output" == *"not delivered: record 1 of the input"* ]]
	done
}

@test "what one may not publish or read is told" {
	printf 'user alice\ntopic readwrite %s\ntopic read %s\n' "$TOPIC" \
		"$LIVE" > acl
	chmod 644 acl
	with_passwords "acl_file $PWD/acl"
	echo "mqtt://alice:sec%3Aret@127.0.0.1:$MOSQUITTO_PORT" > url
	chmod 600 url
	{
		records 1 2
		records 3 4 "$OTHER"
		records 5 6
	} > mixed
	follow reader @url "$TOPIC"
	run zpinc_mqtt @url < mixed
	[ "$status" -eq 5 ]
	[[ "$output" == *"record 3 refused: Not authorized"* ]]
	[[ "$output" == *"record 4 refused: Not authorized"* ]]
	[[ "$output" != *"record 5"* ]]
	wait_until has_all reader.out 5 6
	[ "$(numbers reader.out | tr '\n' ' ')" = "1 2 5 6 " ]
	end reader
	# May read, not write: no probe comes back, but #live does come.
	follow other @url "$LIVE"
	end other
}

# ---- TLS ----

tls_broker() {
	MOSQUITTO_TLS=$(free_port)
	broker "listener $MOSQUITTO_TLS 127.0.0.1" \
		"cafile $PWD/tls/ca.pem" "certfile $PWD/tls/${1:-server}.pem" \
		"keyfile $PWD/tls/${1:-server}.key" \
		"require_certificate ${2:-false}"
	await_port "$MOSQUITTO_TLS"
	URL=mqtts://127.0.0.1:$MOSQUITTO_TLS
}

@test "over TLS everything works with a certificate that is good" {
	tls_make tls
	tls_broker
	follow reader --cafile tls/ca.pem "$URL" "$TOPIC" "$LIVE"
	records 1 900 "$TOPIC" "$(printf 'A%.0s' {1..3800})" |
		zpinc_mqtt --cafile tls/ca.pem "mqtts://localhost:$MOSQUITTO_TLS"
	records 1 50 "$LIVE" | say reader
	wait_until has_all reader.out 1 900
	wait_until has_all reader.out 1 50 "$LIVE"
	[ "$(numbers reader.out)" = "$(seq 1 900)" ]
	records 901 901 | zpinc_mqtt "$URL?cafile=tls/ca.pem"
	wait_until has_all reader.out 901 901
	end reader
}

@test "of a port without TLS it is told what is wrong" {
	python3 -u -m http.server 0 --bind 127.0.0.1 > port 2> log 3>&- &
	PIDS="$PIDS $!"
	wait_until has_line port 'port [0-9]'
	run zpinc_mqtt -1 -t 1 "mqtts://127.0.0.1:$(
		sed 's/.* port \([0-9]*\).*/\1/' port)" "$TOPIC"
	[ "$status" -eq 5 ]
	[[ "$output" == *'TLS: wrong version number; trying again'* ]]
}

@test "of a server that hangs up it is told so, in one sentence" {
	python3 -u -c 'import socket
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1])
while True:
    s.accept()[0].close()' > port 3>&- &
	PIDS="$PIDS $!"
	wait_until has_line port '[0-9]'
	run zpinc_mqtt -1 -t 1 "mqtt://127.0.0.1:$(cat port)" "$TOPIC"
	[ "$status" -eq 5 ]
	[[ "$output" == *'; trying again'* ]]
	[[ "$output" != *'.; '* ]]
}

@test "a certificate of nobody we know, or of another name, is refused" {
	tls_make tls
	tls_broker
	records 1 1 > one
	run zpinc_mqtt "$URL" < one
	[ "$status" -eq 5 ]
	[[ "$output" == *"certificate is refused"* ]]
	status=0
	zpinc_mqtt --cafile tls/other.pem "$URL" "$TOPIC" > no.out \
		2> no.err < /dev/null || status=$?
	[ "$status" -eq 5 ]
	grep -q '^#down the server.s certificate is refused' no.out
	stop_server "$MOSQUITTO_PID"
	tls_broker wrong
	run zpinc_mqtt --cafile tls/ca.pem "$URL" < one
	[ "$status" -eq 5 ]
	[[ "$output" == *"certificate is refused: IP address mismatch"* ]]
	run zpinc_mqtt --cafile tls/ca.pem "mqtts://localhost:$MOSQUITTO_TLS" \
		< one
	[ "$status" -eq 5 ]
	[[ "$output" == *"certificate is refused: hostname mismatch"* ]]
}

@test "a client's certificate lets in where one is asked for" {
	tls_make tls
	tls_broker server true
	records 1 2 > two
	run zpinc_mqtt -t 0.5 --cafile tls/ca.pem "$URL" < two
	[ "$status" -eq 5 ]
	zpinc_mqtt --cafile tls/ca.pem --cert tls/client.pem \
		--key tls/client.key "$URL" < two
	run zpinc_mqtt --cafile tls/ca.pem "mqtt://127.0.0.1" < two
	[ "$status" -eq 2 ]
}

# ---- older brokers, and no brokers ----

@test "a broker that knows only MQTT 3.1.1 is spoken to in that" {
	broker
	# Refuses version 5 as brokers of that time do, passes on the rest.
	/usr/bin/python3 - "$MOSQUITTO_PORT" > port <<-'END' 3>&- &
		import socket, sys, threading
		def pump(a, b):
		    try:
		        while data := a.recv(65536):
		            b.sendall(data)
		    except OSError:
		        pass
		    for s in (a, b):
		        try:
		            s.shutdown(socket.SHUT_RDWR)
		        except OSError:
		            pass
		def serve(c):
		    hello = c.recv(65536)
		    if hello[8] == 5:
		        c.sendall(b"\x20\x02\x00\x01")
		        c.close()
		        return
		    s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
		    s.sendall(hello)
		    threading.Thread(target=pump, args=(s, c)).start()
		    pump(c, s)
		l = socket.create_server(("127.0.0.1", 0))
		print(l.getsockname()[1], flush=True)
		while True:
		    threading.Thread(target=serve, args=(l.accept()[0],)).start()
	END
	PIDS="$PIDS $!"
	wait_until [ -s port ]
	OLD=mqtt://127.0.0.1:$(cat port)
	follow reader --state s "$OLD" "$TOPIC" "$LIVE"
	records 1 500 | zpinc_mqtt "$OLD"
	wait_until has_all reader.out 1 500
	end reader
	records 501 510 | zpinc_mqtt "$OLD"
	BEFORE=1 follow reader --state s "$OLD" "$TOPIC" "$LIVE"
	[ "$(numbers reader.out)" = "$(seq 1 510)" ]
	end reader
	grep -q 'as zpinc-[0-9a-f]* (p2, c0' server/mosquitto.log
}

@test "who is no broker is told so" {
	/usr/bin/python3 - > port <<-'END' 3>&- &
		import socket
		s = socket.create_server(("127.0.0.1", 0))
		print(s.getsockname()[1], flush=True)
		while True:
		    c, _ = s.accept()
		    c.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
		    c.close()
	END
	PIDS="$PIDS $!"
	wait_until [ -s port ]
	records 1 1 > one
	run zpinc_mqtt -t 0.5 "mqtt://127.0.0.1:$(cat port)" < one
	[ "$status" -eq 5 ]
	[[ "$output" == *"trying again"* ]]
	run zpinc_mqtt -t 0.5 "mqtts://127.0.0.1:$(cat port)" < one
	[ "$status" -eq 5 ]
	[[ "$output" == *"TLS"* ]]
}
