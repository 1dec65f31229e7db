#!/usr/bin/env bats
# What zpinc-http does beyond the conformance suite: nginx as its manual page
# sets it up, errors, access, ntfy.  What no server of Debian's does is done
# by relay.py.

bats_require_minimum_version 1.5.0
# bats runs each test in a process of its own and stops it at an error.
# shellcheck disable=SC2030,SC2031,SC2034,SC2154,SC2164
load lib.bash
load nchan.bash

DRIVER_TRANSPORT=zpinc-http

setup() {
	PIDS=
	unset ZPINC_URL ZPINC_CURSOR NETRC CURL_CA_BUNDLE SSL_CERT_FILE \
		http_proxy https_proxy all_proxy no_proxy
	HTTP=$ZP_BUILD/zpinc-http
	export HOME=$BATS_TEST_TMPDIR
	cd "$BATS_TEST_TMPDIR"
}

teardown() {
	show_all
	kill_all
	nchan_kill
}

# Starts relay.py and sets RELAY to its address.
relay() {
	/usr/bin/python3 "$BATS_TEST_DIRNAME/relay.py" relay.port relay.log \
		> relay.err 2>&1 3>&- &
	PIDS="$PIDS $!"
	wait_until [ -s relay.port ]
	RELAY=127.0.0.1:$(cat relay.port)
}

nchan() {
	nchan_setup
	nchan_start
	URL=http://127.0.0.1:$NCHAN_PORT/ops
}

# What relay.py was sent, by a filter of jq's.
sent() {
	jq -r "$@" relay.log
}

subscribe() { # NAME ARGUMENT...
	begin "$@"
	wait_until has_line "$(out "$1")" '^#live$'
}

# ---- errors

@test "what a server refuses is told with status and body, on one line" {
	relay
	records 1 3 > three
	run --separate-stderr "$HTTP" "http://$RELAY/status/403" < three
	[ "$status" -eq 5 ]
	[ -z "$output" ]
	[[ "${stderr_lines[0]}" == *"/status/403: HTTP 403 Forbidden: no [2Jentry #live for you" ]]
	[[ "${stderr_lines[1]}" == *"not delivered: records 1 to 3 "* ]]
	[ "${#stderr_lines[@]}" -eq 2 ]
	[ "$(sent -s 'length')" -eq 1 ]
}

@test "a subscription that is refused ends it, and its body forges nothing" {
	relay
	run --separate-stderr "$HTTP" "http://$RELAY/status/401" "$TOPIC" \
		< /dev/null
	[ "$status" -eq 5 ]
	[ "$(grep -v '^$' <<< "$output")" = \
		"#down HTTP 401 Unauthorized: no [2Jentry #live for you" ]
	[[ "$stderr" == *"HTTP 401 Unauthorized: no "* ]]
}

@test "of a page of HTML the text is told" {
	relay
	run --separate-stderr "$HTTP" "http://$RELAY/status/404" "$TOPIC" \
		< /dev/null
	[ "$status" -eq 5 ]
	[[ "$stderr" == *"HTTP 404 Not Found: 404 Not Found not here"* ]]
	[[ "$stderr" == *"hint: zpinc-http(1)"* ]]
}

@test "a page that wants a login has delivered nothing, though its status is 200" {
	relay
	run "$HTTP" "http://$RELAY/portal/x" < <(records 1 2)
	[ "$status" -eq 5 ]
	[[ "$output" == *"HTTP 200 OK: 404 Not Found not here"* ]]
	[[ "$output" == *"not delivered: records 1 to 2 of the input"* ]]
	run -0 "$HTTP" "http://$RELAY/html/x" < <(records 1 2)
	[ -z "$output" ]
}

@test "a redirection is not followed, and where to is told" {
	relay
	run "$HTTP" "http://$RELAY/status/302" < <(records 1 1)
	[ "$status" -eq 5 ]
	[[ "$output" == *"HTTP 302 Found, to https://elsewhere.example/x"* ]]
}

@test "a relay that stays away is told once, however long it takes to see it" {
	status=0
	timeout 20 "$HTTP" -t 1 http://127.0.0.1:1/x 2> err < <(records 1 1) ||
		status=$?
	[ "$status" -eq 5 ]
	[ "$(wc -l < err)" -eq 2 ]
	run ! grep -E ' [0-9]+ (ms|milliseconds)' err
	grep -q '127.0.0.1.*; trying again$' err
}

@test "a page that is no stream of events is no relay" {
	relay
	run "$HTTP" "http://$RELAY/status/200" "$TOPIC" < /dev/null
	[ "$status" -eq 5 ]
	[[ "$output" == *"no stream of events, but text/plain"* ]]
}

@test "a server that is overloaded is tried again, when it says" {
	relay
	begin=$(date +%s%N)
	run -0 "$HTTP" "http://$RELAY/busy/1" < <(records 1 20)
	[[ "$output" == *"HTTP 503 Service Unavailable: later; trying again"* ]]
	[[ "$output" == *"up again"* ]]
	[ $(($(date +%s%N) - begin)) -gt 900000000 ]
	"$HTTP" -1 "http://$RELAY/busy/1" "$TOPIC" > got
	[ "$(numbers got)" = "$(seq 1 20)" ]
}

@test "a batch that is too long is cut until it fits" {
	relay
	records 1 50 > fifty
	"$HTTP" "http://$RELAY/short/700" < fifty 2> err
	[ ! -s err ]
	"$HTTP" -1 "http://$RELAY/short/700" "$TOPIC" > got
	[ "$(numbers got)" = "$(seq 1 50)" ]
	sent -e -s 'map(select(.method == "POST")) | .[0].records == 50' \
		> verdict
	sent -e -s 'map(select(.method == "POST")) | .[-1].records > 1' \
		> verdict
}

@test "the record that is refused is named and left out, no other" {
	relay
	run "$HTTP" "http://$RELAY/picky" < <(records 1 19)
	[ "$status" -eq 5 ]
	[[ "$output" == *"record 7 refused: HTTP 400 Bad Request: no sevens"* ]]
	[[ "$output" == *"record 17 refused: "* ]]
	[ "$(grep -c refused <<< "$output")" -eq 2 ]
	"$HTTP" -1 "http://$RELAY/picky" "$TOPIC" > got
	[ "$(numbers got)" = "$(seq 1 19 | grep -v 7)" ]
}

@test "a subscriber that may not publish goes on listening" {
	relay
	begin reader "http://$RELAY/{status/403|plain}/{topic}" "$TOPIC"
	wait_until has_line reader.out '^#live$'
	records 1 1 | say reader
	wait_until has_line reader.out '^#down HTTP 403 Forbidden'
	"$HTTP" "http://$RELAY/plain" < <(records 2 4)
	wait_until has_all reader.out 2 4
	status=0
	end reader || status=$?
	[ "$status" -eq 5 ]
	has_line reader.err 'not delivered: record 1 '
}

# ---- URLs and options

@test "the URL says where the topic stands, and what publishing differs in" {
	relay
	begin reader "http://$RELAY/plain/{in|out|live}/{topic}?c={topic}" \
		"$TOPIC" "$LIVE"
	wait_until has_line reader.out '^#up$'
	records 1 1 "$OTHER" | say reader
	wait_until has_line relay.log '"method": *"POST"'
	sent 'select(.method == "POST").path' > posted
	[ "$(cat posted)" = "/plain/in/$OTHER?c=$OTHER" ]
	sent 'select(.headers.accept == "text/event-stream").path' | sort > got
	printf '%s\n' "/plain/live/$LIVE?c=$LIVE" "/plain/out/$TOPIC?c=$TOPIC" |
		sort | diff - got
}

@test "a URL whose braces make no sense is refused" {
	for bad in '{' '}' '{topic' '{x}' '{a|b|c|d}' '{{topic}}'; do
		run "$HTTP" "http://relay.example/$bad" < /dev/null
		echo "$bad: $output"
		[ "$status" -eq 2 ]
	done
}

@test "options behind the # are taken and not sent; the command line wins" {
	relay
	printf 'X-Token: one\n' > one
	printf 'X-Token: two\n' > two
	chmod 600 one two
	"$HTTP" "http://$RELAY/plain#header-file=one&batch=0" < <(records 1 3)
	[ "$(sent .records | tr '\n' ' ')" = '1 1 1 ' ]
	[ "$(sent '.headers["x-token"]' | sort -u)" = one ]
	[ "$(sent .path | sort -u)" = "/plain/$TOPIC" ]
	"$HTTP" -H two "http://$RELAY/plain#header-file=one" < <(records 4 4)
	[ "$(sent '.headers["x-token"]' | tail -n 1)" = two ]
	for bad in x x=y window= window=x timeout=3 'batch=1%zz' '&'; do
		run "$HTTP" "http://$RELAY/plain#$bad" < /dev/null
		echo "$bad: $output"
		[ "$status" -eq 2 ]
	done
}

@test "what gathers while a request is under way goes out as one" {
	relay
	"$HTTP" "http://$RELAY/plain" < <(records 1 3000)
	[ "$(sent -s "map(.records) | add")" -eq 3000 ]
	[ "$(sent -s length)" -lt 30 ]
	sent -e -s 'map(.len) | max <= 65536' > verdict
}

# ---- access

@test "a file of headers that others can read is refused" {
	printf 'Authorization: Bearer hush\n' > token
	for mode in 644 640 604 620; do
		chmod "$mode" token
		run "$HTTP" -H token http://127.0.0.1:9/ < /dev/null
		[ "$status" -eq 2 ]
		[[ "$output" == *"token: others may read"* ]]
		[[ "$output" == *"hint: chmod 600 token"* ]]
	done
	run "$HTTP" -H missing http://127.0.0.1:9/ < /dev/null
	[ "$status" -eq 5 ]
}

@test "a line that is no header is refused by number, its text not told" {
	for bad in 'hush' ': hush' 'a b: hush' $'X: a\001hush'; do
		printf '# a comment\n\n%s\n' "$bad" > token
		chmod 600 token
		run "$HTTP" -H token http://127.0.0.1:9/ < /dev/null
		echo "$output"
		[ "$status" -eq 2 ]
		[[ "$output" == *"token: line 3 is not"* ]]
		[[ "$output" != *hush* ]]
	done
}

@test "user and password of the URL, or of netrc, are sent" {
	relay
	echo "http://me:s%2Fcret@$RELAY/plain" > url
	chmod 600 url
	"$HTTP" @url < <(records 1 1)
	[ "$(sent .headers.authorization | tail -n 1)" = \
		"Basic $(printf 'me:s/cret' | base64)" ]
	echo "machine 127.0.0.1 login you password other" > .netrc
	"$HTTP" "http://$RELAY/plain" < <(records 1 1)
	[ "$(sent .headers.authorization | tail -n 1)" = \
		"Basic $(printf 'you:other' | base64)" ]
	echo "machine 127.0.0.1 login third password x" > elsewhere
	NETRC=elsewhere "$HTTP" "http://$RELAY/plain" < <(records 1 1)
	[ "$(sent .headers.authorization | tail -n 1)" = \
		"Basic $(printf 'third:x' | base64)" ]
}

@test "a proxy is used" {
	relay
	http_proxy=http://$RELAY "$HTTP" http://relay.invalid/ops \
		< <(records 1 1) 2> err || :
	[ "$(sent .path)" = "http://relay.invalid/ops/$TOPIC" ]
}

# A CA, and a certificate of its for localhost.
certificates() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout ca.key -out ca.pem -subj /CN=ca -days 2 2> /dev/null
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout key.pem -out csr.pem -subj /CN=localhost 2> /dev/null
	openssl x509 -req -in csr.pem -CA ca.pem -CAkey ca.key -days 2 \
		-extfile <(echo subjectAltName=DNS:localhost) -out cert.pem \
		2> /dev/null
}

@test "the manual's nginx.conf works over TLS, verified, with its token" {
	certificates
	nchan_setup "
		s|listen 443 ssl;|listen 127.0.0.1:PORT ssl;|
		s|/etc/ssl/relay.example.pem|$PWD/cert.pem|
		s|/etc/ssl/private/relay.example.key|$PWD/key.pem|"
	manual_example nginx-map > map
	manual_example nginx-if > if
	grep -q CHANGE-ME map
	grep -q zpinc_may if
	sed -i -e "s/PORT/$NCHAN_PORT/" -e '/nchan_channel_id/r if' \
		-e '/http { /r map' "$NCHAN_DIR/nginx.conf"
	nchan_start
	url=https://localhost:$NCHAN_PORT/ops
	# No authority that is known vouches for it.
	run timeout 20 "$HTTP" "$url" < <(records 1 1)
	[ "$status" -eq 5 ]
	[[ "$output" == *certificate* ]]
	[[ "$output" != *'trying again'* ]]
	run timeout 20 "$HTTP" "$url" "$TOPIC" < /dev/null
	[ "$status" -eq 5 ]
	[[ "$output" == *'#down '*certificate* ]]
	run "$HTTP" -C ca.pem -t 0.2 "https://127.0.0.1:$NCHAN_PORT/ops" \
		< <(records 1 1)
	[ "$status" -eq 5 ]
	[[ "$output" == *127.0.0.1* ]]
	run "$HTTP" -C ca.pem "$url" < <(records 1 1)
	[ "$status" -eq 5 ]
	[[ "$output" == *"HTTP 401 Unauthorized"* ]]
	echo 'Authorization: Bearer CHANGE-ME' > token
	chmod 600 token
	"$HTTP" -C ca.pem -H token "$url" < <(records 1 5)
	SSL_CERT_FILE=ca.pem "$HTTP" -1 "$url#header-file=token" "$TOPIC" > got
	[ "$(numbers got)" = "$(seq 1 5)" ]
}

# ---- Nchan

@test "the manual's example without zpinc-http works" {
	nchan
	records 1 3 | curl -fsS --data-binary @- "$URL/$TOPIC" > info
	curl -fsSN -m 1 -H 'Accept: text/event-stream' "$URL/$TOPIC" > got || :
	[ "$(sed 's/^data: //' got | numbers /dev/stdin)" = "$(seq 1 3)" ]
	"$HTTP" -1 "$URL" "$TOPIC" > got
	[ "$(numbers got)" = "$(seq 1 3)" ]
}

@test "who subscribes leaves no message behind" {
	nchan
	"$HTTP" "$URL" < <(records 1 3)
	subscribe one "$URL" "$TOPIC" "$LIVE"
	end one
	curl -fsS -H 'Accept: text/json' "$URL/$TOPIC" |
		jq -e '.messages == 1' > verdict
	curl -fsS -H 'Accept: text/json' "$URL/$LIVE" |
		jq -e '.messages == 0' > verdict
}

@test "history has ended when its last message is here, however slow" {
	nchan
	"$HTTP" -b 0 "$URL" < <(records 1 1000)
	begin reader --quiet 0 "$URL" "$TOPIC"
	wait_until has_line reader.out '^#live$'
	[ "$(sed -n '/^#live$/q; p' reader.out > before; numbers before)" = \
		"$(seq 1 1000)" ]
	end reader
}

@test "a subscriber goes on when nginx is reloaded and forgets everything" {
	nchan
	subscribe reader "$URL" "$TOPIC" "$LIVE"
	"$HTTP" "$URL" < <(records 1 5)
	wait_until has_all reader.out 1 5
	kill -HUP "$(cat "$NCHAN_DIR/nginx.pid")"
	wait_until lives reader 2
	"$HTTP" "$URL" < <(records 6 10; records 1 3 "$LIVE")
	wait_until has_all reader.out 6 10
	wait_until has_all reader.out 1 3 "$LIVE"
	[ "$(numbers reader.out)" = "$(seq 1 10)" ]
	end reader
}

lives() { # NAME COUNT
	[ "$(grep -c '^#live$' "$1.out")" -ge "$2" ]
}

@test "a server back within the second hides nothing behind old ids" {
	nchan
	subscribe reader "$URL" "$TOPIC"
	for ((i = 1; i < 3; i++)); do
		# At the beginning of a second, so that all fits into it.
		until [[ $(date +%N) == 0[0-2]* ]]; do
			sleep 0.01
		done
		"$HTTP" -b 0 "$URL" < <(records $((i * 10 + 1)) $((i * 10 + 5)))
		wait_until has_all reader.out $((i * 10 + 1)) $((i * 10 + 5))
		nchan_kill
		nchan_start
		"$HTTP" -b 0 "$URL" < <(records $((i * 10 + 6)) $((i * 10 + 8)))
		wait_until has_all reader.out $((i * 10 + 6)) $((i * 10 + 8))
	done
	end reader
}

@test "nor do ids of the next second hide what came before them" {
	nchan
	subscribe reader "$URL" "$TOPIC"
	until [[ $(date +%N) == 0[0-2]* ]]; do
		sleep 0.01
	done
	"$HTTP" -b 0 "$URL" < <(records 1 5)
	wait_until has_all reader.out 1 5
	kill -STOP "$reader_pid"
	nchan_kill
	nchan_start
	"$HTTP" -b 0 "$URL" < <(records 6 8)
	until [[ $(date +%N) == 0* ]]; do
		sleep 0.01
	done
	"$HTTP" -b 0 "$URL" < <(records 9 9)
	kill -CONT "$reader_pid"
	wait_until has_all reader.out 1 9
	[ "$(firsts reader.out)" = "$(seq 1 9)" ]
	end reader
}

# The owner of a topic's messages and the worker that has the subscriber are
# two processes.  The owner answers the subscriber's first question and takes
# what is published; only then the other goes on.  Who is the owner is tried.
passed_by() { # TOPIC OWNER OTHER
	"$HTTP" -b 0 "$URL" < <(records 1 50 "$1")
	kill -STOP "$2"
	curl -sN -H 'Accept: text/event-stream' "$URL/$1" > events 3>&- &
	PIDS="$PIDS $!"
	sleep 0.2 # it has asked, and nothing comes
	kill -STOP "$3"
	kill -CONT "$2"
	run "$HTTP" -t 0.3 -b 0 "$URL" < <(records 51 600 "$1")
	kill -CONT "$3"
	[ "$status" -eq 0 ] || return 1
	next=600
	wait_until goes_on "$1"
	[ "$(numbers got "$1" | wc -l)" -lt 300 ]
}

# Is the subscriber's link alive?
goes_on() {
	next=$((next + 1))
	"$HTTP" "$URL" < <(records $next $next "$1")
	sed 's/^data: //' events > got
	numbers got "$1" | grep -q '^6[0-9][1-9]$'
}

@test "Nchan passes a subscriber by that is catching up, without a word" {
	NCHAN_WORKERS=2
	nchan_setup
	sed -i 's/buffer_length 1000/buffer_length 100/' "$NCHAN_DIR/nginx.conf"
	nchan_start
	URL=http://127.0.0.1:$NCHAN_PORT/ops
	wait_until workers 2
	mapfile -t w < <(pgrep -P "$(cat "$NCHAN_DIR/nginx.pid")")
	for c in A B C D E F; do
		if passed_by "${TOPIC%AA}0$c" "${w[0]}" "${w[1]}" ||
			passed_by "${TOPIC%AA}1$c" "${w[1]}" "${w[0]}"; then
			return 0
		fi
	done
	false
}

@test "a member that publishes while it catches up is not passed by" {
	NCHAN_WORKERS=2
	nchan_setup
	sed -i 's/buffer_length 1000/buffer_length 10/' "$NCHAN_DIR/nginx.conf"
	nchan_start
	URL=http://127.0.0.1:$NCHAN_PORT/ops
	"$HTTP" -b 0 "$URL" < <(records 1 10)
	begin member -b 0 "$URL" "$TOPIC" "$LIVE"
	records 11 1500 | say member
	wait_until has_all member.out 11 1500
	[ "$(numbers member.out)" = "$(seq 1 1500)" ]
	end member
}

workers() {
	[ "$(pgrep -cP "$(cat "$NCHAN_DIR/nginx.pid")")" -eq "$1" ]
}

@test "what has not come back holds up what goes out, so nothing is lost" {
	relay
	begin member -b 0 "http://$RELAY/slow" "$TOPIC"
	wait_until has_line member.out '^#live$'
	records 1 200 | say member
	wait_until has_all member.out 1 200
	[ "$(numbers member.out)" = "$(seq 1 200)" ]
	end member
	# The same without: the relay loses most, and tells nobody.
	begin hasty -b 0 -w 0 "http://$RELAY/slow" "$OTHER"
	wait_until has_line hasty.out '^#live$'
	records 1 200 "$OTHER" | say hasty
	wait_until has_all hasty.out 200 200 "$OTHER"
	[ "$(numbers hasty.out "$OTHER" | wc -l)" -lt 150 ]
	end hasty
}

@test "a relay that gives nothing back is not waited for long" {
	relay
	begin member -b 0 "http://$RELAY/deaf" "$TOPIC"
	wait_until has_line member.out '^#live$'
	records 1 40 | say member
	wait_until posts 40
	end member
}

posts() {
	[ "$(sent -s 'map(select(.method == "POST")) | length')" -eq "$1" ]
}

# ---- ntfy

@test "ntfy: what is published comes, from the history and live" {
	relay
	"$HTTP" "ntfy://$RELAY/ntfy" < <(records 1 30)
	subscribe reader "ntfy://$RELAY/ntfy" "$TOPIC" "$LIVE"
	[ "$(sed '1d; /^#cursor/d; s/^zp1.*/record/' reader.out | uniq |
		tr '\n' ' ')" = '#up record #live ' ]
	"$HTTP" "ntfy://$RELAY/ntfy" < <(records 31 60)
	wait_until has_all reader.out 31 60
	[ "$(numbers reader.out)" = "$(seq 1 60)" ]
	end reader
	# Not the id of anything but a message.
	[ "$(grep '^#cursor' reader.out | grep -cv '^#cursor Kq[0-9]*x$')" -eq 0 ]
}

@test "ntfy: a cursor resumes, and one that has expired costs repetition" {
	relay
	"$HTTP" -b 0 "ntfy://$RELAY/ntfy" < <(records 1 10)
	"$HTTP" -1 -c Kq0000000007x "ntfy://$RELAY/ntfy" "$TOPIC" > got
	[ "$(numbers got)" = "$(seq 8 10)" ]
	"$HTTP" -1 -c "Kq9&poll=1#x" "ntfy://$RELAY/ntfy" "$TOPIC" > got
	[ "$(numbers got)" = "$(seq 1 10)" ]
	[ "$(sent 'select(.path | contains("poll")).path' | tail -n 1)" = \
		"/ntfy/$TOPIC/sse?poll=1&since=Kq9%26poll%3D1%23x" ]
}

# How many times the stream of $1 has ended.
ends() {
	grep -c '^#down the relay ended' "$1.out"
}

@test "ntfy: an id that it forgot brings all it has, shown once" {
	relay
	"$HTTP" "ntfy://$RELAY/ntfy" < <(records 1 5)
	for kind in sse json; do
		subscribe $kind -s $kind "ntfy://$RELAY/ntfy" "$TOPIC"
	done
	# Its id is the last one that they know, and is not kept.
	curl -fsS -H 'X-Cache: no' -d 'hang up' "http://$RELAY/ntfy/$TOPIC" \
		> answer
	for kind in sse json; do
		wait_until lives $kind 2
		[ "$(ends $kind)" -eq 1 ]
	done
	"$HTTP" "ntfy://$RELAY/ntfy" < <(records 6 7)
	for kind in sse json; do
		wait_until has_all $kind.out 6 7
		[ "$(numbers $kind.out)" = "$(seq 1 7)" ]
		end $kind
	done
	sent 'select(.method == "GET").path' > asked
	[ "$(grep -c 'poll=1&since=Kq0000000002x$' asked)" -eq 2 ]
}

@test "ntfy: between two runs zpinc-open --state shows each line once" {
	relay
	unset XDG_CONFIG_HOME
	"$ZP_BUILD/zpinc-key" new --random -c ops -o k > /dev/null
	topic=$("$ZP_BUILD/zpinc-key" topic -k ./k)
	for i in 1 2 3; do
		echo "line $i" | "$ZP_BUILD/zpinc-seal" -k ./k -u alice |
			"$HTTP" "ntfy://$RELAY/ntfy"
		"$HTTP" -1 -c KqExpired "ntfy://$RELAY/ntfy" "$topic" |
			"$ZP_BUILD/zpinc-open" -k ./k --state seen -F %m >> got
	done
	[ "$(cat got)" = $'line 1\nline 2\nline 3' ]
}

@test "ntfy: as lines of JSON the same comes as in events" {
	relay
	"$HTTP" "ntfy://$RELAY/ntfy" < <(records 1 30)
	subscribe reader "ntfy://$RELAY/ntfy#stream=json" "$TOPIC" "$LIVE"
	{
		records 31 60
		records 1 3 "$LIVE"
	} | say reader
	wait_until has_all reader.out 31 60
	wait_until has_all reader.out 1 3 "$LIVE"
	[ "$(numbers reader.out)" = "$(seq 1 60)" ]
	[ "$(numbers reader.out "$LIVE")" = "$(seq 1 3)" ]
	end reader
	sent 'select(.method == "GET").path' | sed 's/Kq.*x/ID/' > got
	printf '%s\n' "/ntfy/$LIVE/json" "/ntfy/$TOPIC/json?poll=1&since=all" \
		"/ntfy/$TOPIC/json?since=ID" | diff - got
	run "$HTTP" --stream json "http://$RELAY/plain" "$TOPIC" < /dev/null
	[ "$status" -eq 2 ]
	run "$HTTP" --stream raw "ntfy://$RELAY/ntfy" "$TOPIC" < /dev/null
	[ "$status" -eq 2 ]
}

@test "ntfy: nothing that would become an attachment is sent" {
	relay
	fill=$(printf 'A%.0s' {1..3953})
	{
		records 1 1
		records 2 2 "$TOPIC" "$fill"
		records 3 3 "$TOPIC" "${fill}A"
		records 4 80
	} > in
	[ "$(sed -n 2p in | tr -d '\n' | wc -c)" -eq 4095 ]
	run "$HTTP" "ntfy://$RELAY/ntfy" < in
	[ "$status" -eq 5 ]
	[[ "$output" == *"record 3 refused: longer than the 4095 bytes"* ]]
	"$HTTP" -1 "ntfy://$RELAY/ntfy" "$TOPIC" > got
	[ "$(numbers got)" = "$(seq 1 80 | grep -vx 3)" ]
	sent -e -s 'map(.len) | max == 4095' > verdict
	[ "$(sent -s 'map(select(.method == "POST")) | length')" -lt 12 ]
}

@test "ntfy: hellos are not kept, and no phone is told" {
	relay
	subscribe reader "ntfy://$RELAY/ntfy" "$TOPIC" "$LIVE"
	{
		records 1 1
		records 2 2 "$LIVE"
	} | say reader
	wait_until has_all reader.out 1 1
	wait_until has_all reader.out 2 2 "$LIVE"
	sent 'select(.method == "POST") | .path + " " +
		(.headers["x-cache"] // "-") + " " + .headers["x-firebase"]' \
		> got
	printf '%s\n' "/ntfy/$TOPIC - no" "/ntfy/$LIVE no no" | diff - got
	end reader
}

@test "ntfy: a lost link is made up for from the last message" {
	relay
	subscribe reader "ntfy://$RELAY/ntfy" "$TOPIC"
	"$HTTP" "ntfy://$RELAY/ntfy" < <(records 1 5)
	wait_until has_all reader.out 1 5
	end reader
	"$HTTP" "ntfy://$RELAY/ntfy" < <(records 6 9)
	begin reader -c "$(sed -n 's/^#cursor //p' reader.out | tail -n 1)" \
		"ntfy://$RELAY/ntfy" "$TOPIC"
	wait_until has_all reader.out 6 9
	[ "$(numbers reader.out)" = "$(seq 1 9)" ]
	end reader
}
