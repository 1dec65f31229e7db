#!/usr/bin/env bats
# zpinc-seal and zpinc-open with keys of suite mles, against the second
# implementation of MlesTalk's format.

bats_require_minimum_version 1.5.0

# shellcheck source-path=SCRIPTDIR source=../cli/common.bash
load ../cli/common

setup() {
	common_setup
	echo 'correct horse battery staple' |
		zpinc-key new --suite mles -c ops -o ./k 2>err
}

frames() {
	/usr/bin/python3 "$ZP_ROOT/tests/mles/frames.py" ./k "$@"
}

@test "a new key of suite mles says what the suite does not protect" {
	grep -q 'for talking to MlesTalk, not for secrets' err
	grep -q 'each try is cheap' err
	grep -q "^suite mles$" k
	[ "$(zpinc-key show -k ./k | sed -n 's/^suite *//p')" = mles ]
	[[ $(zpinc-key topic -k ./k) =~ ^[A-Za-z0-9+/]+=*$ ]]
	quiet zpinc-key topic -k ./k --live
	[ "$status" -eq 2 ]
	errors 1 'has one topic a channel'
}

@test "what zpinc-seal writes, the second implementation reads" {
	printf '%s\n' one 'größer 🔑' 'a%20b c' | zpinc-seal -k ./k -u alice >r
	frames open <r >read
	[ "$(cut -d' ' -f1,2 read | sort -u)" = 'alice 8000' ]
	[ "$(cut -d' ' -f3- read | sed -n 1p)" = one ]
	# An app decodes what it shows.
	[ "$(cut -d' ' -f3- read | /usr/bin/python3 -c 'import sys
from urllib.parse import unquote
print(unquote(sys.stdin.read()), end="")')" = $'one\ngrößer 🔑\na%20b c' ]
	[ "$(wc -l <r)" = 3 ]
}

@test "what the second implementation writes, zpinc-open shows" {
	printf '%s\n' one 'two%20words' gr%C3%B6%C3%9Fer | frames seal bob >r
	[ "$(zpinc-open -k ./k -F '%t %u %k %s: %m' <r)" = \
"2026-01-01T00:00:00Z bob note anonymous: one
2026-01-01T00:00:00Z bob note anonymous: two words
2026-01-01T00:00:00Z bob note anonymous: größer" ]
}

@test "a text shown once is not shown again, and a changed one never" {
	seq 3 | zpinc-seal -k ./k -u alice >r
	[ "$(cat r r | zpinc-open -k ./k)" = "$(seq 3)" ]
	# The last character of each, within the check of the message.
	sed 's/....$/AAAA/' r >forged
	quiet zpinc-open -k ./k <forged
	[ -z "$output" ]
	[ "$status" -eq 1 ]
	cat forged r | zpinc-open -k ./k >out 2>err
	[ "$(cat out)" = "$(seq 3)" ]
}

@test "another password opens nothing" {
	echo hello | zpinc-seal -k ./k -u alice >r
	echo 'wrong horse battery staple' |
		zpinc-key new --suite mles -c ops -o ./other 2>/dev/null
	quiet zpinc-open -k ./other <r
	[ -z "$output" ]
}

@test "a file of many pieces arrives, and one without its middle is told" {
	head -c 100000 /dev/urandom >f
	zpinc-seal -k ./k -u alice -w --file image/png <f >r
	[ "$(wc -l <r)" -gt 100 ]
	zpinc-open -k ./k --raw <r | cmp - f
	[ "$(zpinc-open -k ./k <r)" = \
		'(a file, image/png, 100000 bytes: --raw writes it)' ]
	zpinc-open -k ./k --json <r >json
	[ "$(jq -r .type json)" = image/png ]
	jq -r .body64 json | base64 -d | cmp - f
	sed 50d r >cut
	quiet zpinc-open -k ./k --raw <cut
	[ -z "$output" ]
	[ "$status" -eq 1 ]
	[ -s err ]
	head -n 20 r >begun
	quiet zpinc-open -k ./k --raw <begun
	[ -z "$output" ]
	[ "$status" -eq 1 ]
	[ -s err ]
}

@test "what the suite has not is refused by name, and nothing is written" {
	local o
	zpinc-key identity -o id 2>/dev/null
	for o in '--state s' '--max-record 2000' '--no-time' '-i ./id'; do
		# shellcheck disable=SC2086
		quiet zpinc-seal -k ./k -u alice $o <<<x
		[ "$status" -eq 2 ]
		[ -z "$output" ]
		errors 1 mles
		[ ! -e s ]
	done
	printf 'a\377b' >odd
	quiet zpinc-seal -k ./k -u alice -w <odd
	[ "$status" -ne 0 ]
	[ -z "$output" ]
	errors 1 'not text'
	head -c 100000 /dev/zero | tr '\0' x >long
	quiet zpinc-seal -k ./k -u alice -w <long
	[ "$status" -ne 0 ]
	[ -z "$output" ]
}

@test "an exported key of suite mles is the same key where it is imported" {
	zpinc-key export -k ./k >text
	zpinc-key import -o ./again <text 2>/dev/null
	[ "$(zpinc-key topic -k ./again)" = "$(zpinc-key topic -k ./k)" ]
	echo hello | zpinc-seal -k ./again -u alice | zpinc-open -k ./k >out
	[ "$(cat out)" = hello ]
}
