#!/usr/bin/env bats
# zpinc-mles against a relay that does what MlesTalk's servers do: notes to and
# from clients of MlesTalk, who joins, TLS, and what a server may send.

# bats runs each test in a process of its own and stops it at an error.
# shellcheck disable=SC2030,SC2031,SC2034,SC2154,SC2164
load ../transports/lib.bash
load ../transports/tls.bash

setup() {
	PIDS=
	DRIVER_TRANSPORT=zpinc-mles
	PREFIX=ml1
	FILLER=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
	unset ZPINC_URL ZPINC_CURSOR ZPINC_UID
	PATH=$ZP_BUILD:$PATH
	cd "$BATS_TEST_TMPDIR"
}

teardown() {
	show_all
	kill_all
}

# relay [WORD...]: starts one; its port in PORT, its URL in URL.
relay() {
	rm -f relay.ready
	/usr/bin/python3 -B "$ZP_ROOT/tests/mles/relay.py" --log relay.log \
		--ping 0.1 --misses 1000 "$@" > relay.ready 2> relay.err 3>&- &
	RELAY_PID=$!
	PIDS="$PIDS $!"
	wait_until has_line relay.ready '^ready '
	PORT=$(cut -d' ' -f2 relay.ready)
	URL=mles+ws://127.0.0.1:$PORT
	WS=ws://127.0.0.1:$PORT/
}

# client NAME raw|talk ARGUMENT...: one of the relay's, stdin from us.
client() {
	local name=$1 kind=$2 fifo=$BATS_TEST_TMPDIR/$1.in
	shift 2
	mkfifo "$fifo"
	"$ZP_ROOT/tests/mles/client.py" "$kind" "$WS" "$@" < "$fifo" \
		> "$name.out" 2> "$name.err" 3>&- &
	eval "${name}_pid=\$!"
	PIDS="$PIDS $!"
	eval "exec {${name}_fd}> \"\$fifo\""
}

# has_lines FILE PATTERN N: at least so many.
has_lines() {
	[ "$(grep -c -- "$2" "$1")" -ge "$3" ]
}

lacks() {
	if grep -q -- "$2" "$1"; then return 1; fi
}

follow() {
	begin "$@"
	wait_until has_line "$1.out" '^#live$'
}

hex() {
	od -An -v -tx1 | tr -d ' \n'
}

# frame UID CHANNEL HEX: as clients write it, in hex.
frame() {
	printf a363756964
	string 60 "$(printf %s "$1" | hex)"
	printf 676368616e6e656c
	string 60 "$(printf %s "$2" | hex)"
	printf 676d657373616765
	string 40 "$3"
	echo
}

# string MAJOR HEX: CBOR of less than 256 bytes.
string() {
	local n=$((${#2} / 2))
	if [ "$n" -lt 24 ]; then
		printf %02x "$((0x$1 + n))"
	else
		printf %02x%02x "$((0x$1 + 24))" "$n"
	fi
	printf %s "$2"
}

key() {
	zpinc-key new --suite mles -c talk -o talk.key <<< 'Geheim & ü' 2> key.err
	TALK=$(zpinc-key topic -k ./talk.key)
}

# ---- MlesTalk ----

@test "a note goes from zpinc-seal to zpinc-open, and to a client of MlesTalk" {
	relay
	key
	client bob talk 'Geheim & ü' talk bob
	follow reader -u "$(zpinc-key topic -k ./talk.key -u carol)" "$URL" "$TALK"
	echo 'hi, Zoë' | zpinc-seal -k ./talk.key -u 'alice!' |
		zpinc-mles "$URL" > publish.out 2> publish.err
	[ ! -s publish.out ]
	[ ! -s publish.err ]
	wait_until has_line bob.out '^alice!: hi, Zoë$'
	wait_until has_line reader.out '^ml1'
	[ "$(zpinc-open -k ./talk.key -F '%u: %m' < reader.out)" = \
		'alice!: hi, Zoë' ]
	end reader
}

@test "what a client of MlesTalk says is read, from the history and live" {
	relay
	key
	client alice talk 'Geheim & ü' talk alice one 'two ü'
	wait_until frames 2
	zpinc-mles --once "$URL" "$TALK" 2> once.err | zpinc-open -k ./talk.key \
		-F '%u: %m' > once
	[ "$(cat once)" = "$(printf 'alice: one\nalice: two ü')" ]
	follow reader -u "$(zpinc-key topic -k ./talk.key -u bob)" "$URL" "$TALK"
	client carol talk 'Geheim & ü' talk 9 three
	wait_until has_lines reader.out '^ml1' 3
	[ "$(zpinc-open -k ./talk.key -F '%u: %m' < reader.out | tail -n 1)" = \
		'9: three' ]
	end reader
}

# So many frames have reached the relay.
frames() {
	[ "$(grep -c '^a3' relay.log)" -eq "$1" ]
}

UID1=/glroyovyIWrdd/YdQ+9vdfeE65thnHg CHANNEL1=PA5NJDKlHkZ5VdptzGS8AYDHH4J2kg==
ROOM=PA5NJDKlHkZ5VdptzGS8AYDHH4J2kg NAME=_glroyovyIWrdd_YdQ-9vdfeE65thnHg

# join UID: a first frame.
join() {
	printf 'text {"uid":"%s","channel":"%s"}\n' "$1" "$CHANNEL1"
}

@test "frames and joins are on the wire as the prototype writes them" {
	relay
	client wire raw
	join QQ== | say wire
	echo "ml1.$ROOM.$NAME.$FILLER" | zpinc-mles "$URL"
	wait_until has_line wire.out ^hex
	[ "$(grep ^hex wire.out)" = \
		"hex $(frame "$UID1" "$CHANNEL1" "$(printf %066d 0)")" ]
	# Joins are only seen in the history.
	client late raw
	join Qg== | say late
	wait_until has_line late.out ^hex
	grep -qxF "$(join "$UID1")" late.out
}

# ---- who joins ----

@test "who joins is told by an option, the first record, or one that is no more" {
	relay
	records 1 2 | zpinc-mles -u Zm9v "$URL"
	grep -q '^{"uid":"Zm9v","channel":"z' relay.log
	records 3 3 | zpinc-mles "$URL"
	grep -q "^{\"uid\":\"$SENDER\",\"channel\":\"$TOPIC\"}" relay.log
	# Without standard input's end it waits for a first record.
	begin reader "$URL" "$TOPIC"
	echo "ml1.$TOPIC.YmFy.AAAA" | say reader
	wait_until has_line reader.out '^#live$'
	grep -q '^{"uid":"YmFy","channel":"z' relay.log
	[ ! -s reader.err ]
	frames 3
	echo "ml1.$TOPIC.YmFy.${FILLER/AAAA/BBBB}" | say reader
	wait_until frames 4
	wait_until has_line reader.out BBBB
	end reader
}

@test "who does not say it joins under a random name, and is told so" {
	relay
	records 1 1 | zpinc-mles -u Zm9v "$URL"
	zpinc-mles --once "$URL" "$TOPIC" > once.out 2> once.err
	grep -q 'random name.*--uid' once.err
	[ "$(wc -l < once.err)" -eq 1 ]
	begin reader "$URL" "$TOPIC"
	wait_until has_line reader.out '^#live$'
	[ "$(cut -d'"' -f4 relay.log | grep -E '^[A-Za-z0-9+/]{32}$' | sort -u |
		wc -l)" -eq 2 ]
	end reader
}

@test "a name that is none is refused" {
	for bad in '' a.b "$(printf %05000d 0)" '#up'; do
		run zpinc-mles -u "$bad" mles+ws://127.0.0.1:1
		[ "$status" -eq 2 ]
		[[ "$output" == *"--uid: not what zpinc-key"* ]]
	done
}

@test "a second session of a user is refused and told, and the first one stays" {
	relay
	follow first -u Zm9v "$URL" "$TOPIC"
	begin second -u Zm9v "$URL" "$TOPIC"
	wait_until has_line second.out '^#down .*is this user there already'
	wait_until has_line second.err 'is this user there already'
	records 1 1 > one
	run zpinc-mles -u Zm9v -t 0.5 "$URL" < one
	[ "$status" -eq 5 ]
	[[ "$output" == *"is this user there already"* ]]
	[[ "$output" == *"not delivered: record 1"* ]]
	records 2 2 | zpinc-mles "$URL"
	wait_until has_all first.out 2 2
	lacks first.out '^#down'
	# And as soon as it leaves, the second one is let in.
	end first
	wait_until has_all second.out 2 2
	end second
}

# ---- what a relay may send ----

@test "text frames become status lines, and never anything else" {
	relay
	client evil raw
	join QQ== | say evil
	follow reader -u Zm9v "$URL" "$ROOM"
	{
		# shellcheck disable=SC2028
		echo 'text #live
text #down\n#cursor x\n\e[2J
text {"uid":"QQ=="}
text {"uid":"a\n#live","channel":"x"}'
		echo "text ml1.$ROOM.$NAME.$FILLER"
		join '../..+/+/'
		echo 'text {"uid":'
		echo 'text Zoë'
		frame "$UID1" "$CHANNEL1" "$(printf %066d 0)" | sed 's/^/hex /'
	} | say evil
	wait_until has_line reader.out '^ml1'
	sed '1,/^#live$/d; /^#cursor/d' reader.out > seen
	grep '^#' seen > statuses
	diff -u <(printf '#%s\n' text text 'join QQ' text text text text text) \
		statuses
	[ "$(grep -c '^ml1' seen)" -eq 1 ]
	[ "$(wc -l < seen)" -eq 9 ]
	end reader
}

@test "frames that are none are passed over, told once, and what follows is read" {
	relay
	client evil raw
	join QQ== | say evil
	follow reader -u Zm9v "$URL" "$ROOM"
	{
		echo 'hex '
		echo 'text '
		echo 'hex ff'
		echo 'hex a3'
		echo "hex bb7fffffffffffffff"
		echo "hex $(printf '81%.0s' {1..5000})"
		echo 'hex a363756964'
		frame 'a
#live' "$CHANNEL1" 00 | sed 's/^/hex /'
		frame "$UID1" "" "$(printf %066d 0)" | sed 's/^/hex /'
		frame "$UID1" "$CHANNEL1" "" | sed 's/^/hex /'
		echo "hex $(frame "$UID1" "$CHANNEL1" "$(printf %066d 0)")00"
		frame "$UID1" "$CHANNEL1" "$(printf %066d 1)" | sed 's/^/hex /'
	} | say evil
	wait_until has_line reader.out '^ml1'
	[ "$(grep -c '^ml1' reader.out)" -eq 1 ]
	[ "$(grep -v '^#cursor' reader.out | sed '1,/^#live$/d' | wc -l)" -eq 2 ]
	[ "$(grep -c 'none was passed over' reader.err)" -eq 1 ]
	[ "$(wc -l < reader.err)" -eq 1 ]
	end reader
}

@test "a frame longer than a record may be costs no memory, and is told" {
	relay
	client evil raw
	join QQ== | say evil
	follow reader -u Zm9v "$URL" "$ROOM"
	{
		printf 'hex a3'
		head -c 3000000 /dev/zero | hex
		echo
		frame "$UID1" "$CHANNEL1" "$(printf %066d 1)" | sed 's/^/hex /'
	} | say evil
	wait_until has_line reader.out '^ml1'
	grep -q 'passed over (told once): ' reader.err
	[ "$(wc -l < reader.err)" -eq 1 ]
	[ "$ZP_MODE" != release ] || [ "$(awk '/^VmHWM/ { print $2 }' \
		"/proc/$reader_pid/status")" -lt 24000 ]
	end reader
}

@test "pings are answered, so the server does not end the link" {
	relay --ping 0.3 --misses 4
	follow reader -u Zm9v "$URL" "$TOPIC"
	: > relay.log
	wait_until has_lines relay.log ping 8
	records 1 1 | zpinc-mles "$URL"
	wait_until has_all reader.out 1 1
	lacks reader.out '^#down'
	end reader
}

# http NAME RESPONSE: a server that says this to everybody.
http() {
	/usr/bin/python3 -c '
import socket, sys
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1], flush=True)
while True:
    c = s.accept()[0]
    got = c.recv(99999)
    c.sendall(sys.argv[1].encode().decode("unicode_escape").encode())
    c.close()' "$2" > "$1" 3>&- &
	PIDS="$PIDS $!"
	wait_until [ -s "$1" ]
}

@test "who is no Mles server is told so, and nobody sends us elsewhere" {
	relay
	records 1 1 > one
	http nothing 'HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n'
	http noise 'SSH-2.0-OpenSSH\r\n'
	http elsewhere "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:$PORT/\
\r\nContent-Length: 0\r\n\r\n"
	for server in nothing elsewhere; do
		run zpinc-mles -t 0.3 "mles+ws://127.0.0.1:$(cat "$server")" < one
		[ "$status" -eq 5 ]
		[[ "$output" == *"no Mles server answers there"* ]]
	done
	run zpinc-mles -t 0.3 "mles+ws://127.0.0.1:$(cat noise)" < one
	[ "$status" -eq 5 ]
	[ ! -s relay.log ]
}

# ---- URLs and TLS ----

@test "proxies of the environment are not used, and users there are none" {
	relay
	records 1 1 | http_proxy=http://127.0.0.1:1 zpinc-mles "$URL"
	frames 1
	run zpinc-mles "mles+ws://me@127.0.0.1:$PORT" < /dev/null
	[ "$status" -eq 2 ]
	[[ "$output" == *"knows no users"* ]]
	run zpinc-mles "mles+ws://a%20b/" < /dev/null
	[ "$status" -eq 2 ]
	run zpinc-mles --cafile x "$URL" < /dev/null
	[ "$status" -eq 2 ]
	[[ "$output" == *"no TLS with mles+ws:"* ]]
}

@test "over TLS everything works with a certificate that is good" {
	tls_make tls
	relay --tls tls/server.pem tls/server.key
	follow reader -u Zm9v --cafile tls/ca.pem "mles://127.0.0.1:$PORT" "$TOPIC"
	records 1 300 "$TOPIC" "$(printf 'A%.0s' {1..3800})" |
		zpinc-mles "mles://localhost:$PORT/any/path?cafile=tls/ca.pem"
	wait_until has_all reader.out 1 300
	[ "$(numbers reader.out)" = "$(seq 1 300)" ]
	records 301 301 | SSL_CERT_FILE=tls/ca.pem \
		zpinc-mles "mles://127.0.0.1:$PORT"
	wait_until has_all reader.out 301 301
	end reader
}

@test "of a port without TLS, or without Mles, it is told what is wrong" {
	relay
	records 1 1 > one
	run zpinc-mles -t 1 "mles://127.0.0.1:$PORT" < one
	[ "$status" -eq 5 ]
	[[ "${lines[0]}" == *': TLS: wrong version number; trying again' ]]
	/usr/bin/python3 -u -c 'import socket, struct
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1])
while True:
    c, _ = s.accept()
    c.recv(1)
    c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    c.close()' > port 3>&- &
	PIDS="$PIDS $!"
	wait_until has_line port '[0-9]'
	run zpinc-mles -t 1 "mles://127.0.0.1:$(cat port)" < one
	[[ "${lines[0]}" == *': Connection reset by peer; trying again' ]]
	run zpinc-mles -t 1 "mles+ws://127.0.0.1:$(cat port)" < one
	[[ "${lines[0]}" == *': the server closed the link; trying again' ]]
}

@test "a certificate of nobody we know, or of another name, is refused" {
	tls_make tls
	relay --tls tls/server.pem tls/server.key
	records 1 1 > one
	for trust in "--timeout 9" "--cafile tls/other.pem"; do
		# Words are meant to be split.
		# shellcheck disable=SC2086
		run zpinc-mles $trust "mles://127.0.0.1:$PORT" < one
		[ "$status" -eq 5 ]
		[[ "$output" == *"certificate is refused"* ]]
	done
	status=0
	zpinc-mles -u Zm9v --cafile tls/other.pem "mles://127.0.0.1:$PORT" \
		"$TOPIC" > no.out 2> no.err < /dev/null || status=$?
	[ "$status" -eq 5 ]
	grep -q '^#down the server.s certificate is refused' no.out
	relay --tls tls/wrong.pem tls/wrong.key
	run zpinc-mles --cafile tls/ca.pem "mles://127.0.0.1:$PORT" < one
	[ "$status" -eq 5 ]
	[[ "$output" == *"certificate is refused: IP address mismatch"* ]]
	run zpinc-mles --cafile tls/ca.pem "mles://localhost:$PORT" < one
	[ "$status" -eq 5 ]
	[[ "$output" == *"certificate is refused: hostname mismatch"* ]]
	lacks relay.log uid
}
