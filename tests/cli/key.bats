#!/usr/bin/env bats
# zpinc-key: keys, passphrases, identities, pins, and what bad input gets.

bats_require_minimum_version 1.5.0
load common

PASS='correct horse battery staple'

setup() {
	common_setup
	umask 022
	KEYS=$XDG_CONFIG_HOME/zpinc
}

# Fast enough for a test; 15 is the least there is.
new() { zpinc-key new --work 15 "$@"; }
terminal() { /usr/bin/python3 "$ZP_ROOT/tests/cli/terminal.py" "$@"; }
oracle() { /usr/bin/python3 "$ZP_ROOT/tests/oracle/zpinc.py" "$@"; }

# The key in a key file, in hexadecimal.
raw() {
	sed -n 's/^key //p' "$1" | tr '_-' '/+' | sed 's/$/=/' | base64 -d |
		od -An -v -tx1 | tr -d ' \n'
}

# Unlike `! grep`, this fails a test wherever it stands.
lacks() {
	if grep -qF -- "$1" "$2"; then
		echo "'$1' is in $2"
		return 1
	fi
}

# No part of a secret may turn up in what went to stderr.
says_nothing_of() {
	lacks "$1" err
}

@test "a key from a passphrase is the one that the second implementation makes" {
	printf '%s\n' "$PASS" >pass
	chmod 600 pass
	new -c ops <pass 2>err
	oracle derive --channel ops --passfile pass --work 15 >want
	[ "$(raw "$KEYS/ops.key")" = "$(jq -r .key want)" ]
	[ "$(zpinc-key topic -k ops)" = "$(jq -r .RP want)" ]
	[ "$(zpinc-key topic -k ops --live)" = "$(jq -r .live want)" ]
	says_nothing_of "$PASS"
	says_nothing_of "$(sed -n 's/^key //p' "$KEYS/ops.key")"
}

@test "only the first line is the passphrase, less a carriage return" {
	printf '%s' "$PASS" | new -c ops -o a 2>err
	printf '%s\r\nmore\n' "$PASS" | new -c ops -o b 2>err
	printf '%s\n\n' "$PASS" >pass
	chmod 600 pass
	new -c ops -o c --passfile pass 2>err </dev/null
	cmp a b
	cmp a c
}

@test "a passphrase of a thousand bytes of any kind works, an empty one does not" {
	head -c 1024 /dev/zero | tr '\0' '\377' | new -c ops -o a 2>err
	quiet bash -c 'head -c 1025 /dev/zero | zpinc-key new -c ops -o b'
	[ "$status" = 2 ]
	errors 1 '1024 bytes'
	for bad in '' '\n' '\r\n' '\nlater\n'; do
		quiet bash -c "printf '$bad' | zpinc-key new -c ops -o b"
		[ "$status" = 2 ]
		[ "$output" = "" ]
		errors 1 'no passphrase'
	done
	[ ! -e b ]
}

@test "a passphrase file that others can read is refused" {
	echo "$PASS" >pass
	quiet zpinc-key new -c ops -o a --passfile pass
	[ "$status" = 3 ]
	errors 1 'pass: mode 0644'
	[ ! -e a ]
	new -c ops -o a --passfile <(echo "$PASS") 2>err
	[ -s a ]
	quiet zpinc-key new -c ops -o b --passfile none
	[ "$status" = 5 ]
	errors 1 'none'
}

@test "a short passphrase is used, with a word of warning" {
	echo hunter2 | new -c ops -o a 2>err
	errors 2 'short'
	says_nothing_of hunter2
	echo "$PASS" | new -c ops -o b 2>err
	errors 1
}

@test "a key's file is private, whatever the umask, and said where it is" {
	umask 0
	zpinc-key new --random -c ops 2>err
	[ "$(stat -c %a "$KEYS/ops.key")" = 600 ]
	[ "$(stat -c %a "$KEYS")" = 700 ]
	errors 1 "$KEYS/ops.key"
	grep -q 'hint: use it as -k ops$' err
	zpinc-key show -k ops
}

@test "an existing file is never written over without -f" {
	zpinc-key new --random -c ops -o a 2>err
	cp a old
	quiet zpinc-key new --random -c ops -o a
	[ "$status" = 5 ]
	errors 1 'a: exists already'
	cmp a old
	quiet bash -c 'echo "$0" | zpinc-key new -c ops -o a' "$PASS"
	[ "$status" = 5 ]
	cmp a old
	zpinc-key new -f --random -c ops -o a 2>err
	run ! cmp -s a old
	[ "$(find . -name '.zp-*')" = "" ]
}

@test "a full disk leaves no key, and an old one as it was" {
	zpinc-key new --random -c ops -o a 2>err
	cp a old
	quiet bash -c 'ulimit -f 0; zpinc-key new --random -c ops -o b'
	[ "$status" = 5 ]
	[ ! -e b ]
	quiet bash -c 'ulimit -f 0; zpinc-key new -f --random -c ops -o a'
	[ "$status" = 5 ]
	cmp a old
	[ "$(find . -name '.zp-*')" = "" ]
	[ "$(id -u)" = 0 ] || skip "a small file system needs root"
	mkdir tiny
	unshare -m true 2>/dev/null || skip "no mount name space here"
	unshare -m bash -c '
		mount -t tmpfs -o size=4k none tiny || exit 99
		head -c 4096 /dev/zero >tiny/fill
		zpinc-key new --random -c ops -o tiny/key 2>err
		[ $? = 5 ] || exit 1
		grep -q "No space left" err || exit 2
		[ "$(ls -A tiny)" = fill ]'
}

@test "stdout that is full or closed is an error" {
	zpinc-key new --random -c ops -o a 2>err
	for args in 'passphrase' 'topic -k ./a' 'show -k ./a' 'export -k ./a' \
		'new --random -c x -o -' '--help' 'new --help'; do
		quiet bash -c "zpinc-key $args >/dev/full"
		[ "$status" = 5 ] || [ "$status" = 2 ]
		quiet bash -c "zpinc-key $args >&-"
		[ "$status" = 5 ]
	done
}

@test "a reader that has gone is an error, not a signal" {
	zpinc-key new --random -c ops -o a 2>err
	for args in 'topic -k ./a' 'export -k ./a' passphrase; do
		run /usr/bin/python3 -c '
import os, subprocess, sys
r, w = os.pipe()
os.close(r)
sys.exit(subprocess.run(["zpinc-key"] + sys.argv[1:], stdout=w).returncode)' \
			$args
		[ "$status" = 5 ]
		[[ "$output" == *"Broken pipe"* ]]
	done
}

@test "without -c a name with a random tail is taken and said" {
	zpinc-key new --random 2>err
	zpinc-key new --random 2>>err
	[ "$(find "$KEYS" -name 'chat-?????-?????.key' | wc -l)" = 2 ]
	errors 2 'the key of channel chat-'
}

@test "a channel's name may be odd, but not too odd" {
	zpinc-key new --random -c ' a/b \ c ' 2>err
	name=$(find "$KEYS" -name '*.key' -printf '%f')
	[ "$name" = _a_b___c_.key ]
	[ "$(zpinc-key show -k "$name" | sed -n 1p)" = \
		'channel      \x20a/b \\ c\x20' ]
	for bad in '' "$(printf 'a\nb')" 12345678901234567890123456789012 \
		"$(printf '\377')" "$(printf 'a\033[2J')"; do
		quiet zpinc-key new --random -c "$bad" -o bad
		[ "$status" = 2 ]
		errors 1 '1 to 31 bytes'
		lacks "$(printf '\033')" err
	done
	[ ! -e bad ]
}

@test "options that make no sense together are refused" {
	quiet zpinc-key new --random --work 15 -c x -o x
	[ "$status" = 2 ]
	quiet zpinc-key new --random --passfile x -c x -o x
	[ "$status" = 2 ]
	for work in 14 23 x -1 '' 018446744073709551616; do
		quiet zpinc-key new --work "$work" -c x -o x
		[ "$status" = 2 ]
	done
	quiet zpinc-key new --suite zp2 -c x -o x
	[ "$status" = 2 ]
	quiet zpinc-key new --random -c x -o x what
	[ "$status" = 2 ]
	quiet zpinc-key nonsense
	[ "$status" = 2 ]
	quiet zpinc-key
	[ "$status" = 2 ]
	quiet zpinc-key topic
	[ "$status" = 2 ]
	errors 1 'which key'
	[ ! -e x ]
}

@test "a key file that is not in order is refused with its line" {
	zpinc-key new --random -c ops -o a 2>err
	chmod 640 a
	quiet zpinc-key topic -k ./a
	[ "$status" = 3 ]
	errors 1 './a: mode 0640 lets others read it'
	grep -q 'hint: chmod 600' err
	chmod 600 a
	sed -i 's/^work.*/work 99/' a
	quiet zpinc-key topic -k ./a
	[ "$status" = 3 ]
	[ "$output" = "" ]
	errors 1 './a: line 5: work'
	head -c 120 a >b
	chmod 600 b
	quiet zpinc-key topic -k ./b
	[ "$status" = 3 ]
	errors 1 './b: line'
	: >c
	chmod 600 c
	quiet zpinc-key topic -k ./c
	[ "$status" = 3 ]
	errors 1 './c: empty'
	quiet zpinc-key topic -k nowhere
	[ "$status" = 3 ]
	errors 1 'nowhere: no such key'
	quiet zpinc-key topic -k ./nowhere
	[ "$status" = 3 ]
	quiet zpinc-key topic -k /
	[ "$status" = 5 ]
}

@test "no line of a damaged key file is repeated on stderr" {
	printf 'zpinc-key 1\nsuite zp1\nchannel ops\nwork 18\nkey %s\n' \
		SECRETsecretSECRETsecret >a
	chmod 600 a
	quiet zpinc-key show -k ./a
	[ "$status" = 3 ]
	says_nothing_of SECRET
	echo 'zpkey1.SECRETsecretSECRETsecret' >line
	quiet bash -c 'zpinc-key import -o b <line'
	[ "$status" = 3 ]
	says_nothing_of SECRET
	[ ! -e b ]
}

@test "systemd's credentials are found first" {
	mkdir cred
	zpinc-key new --random -c ops 2>err
	zpinc-key new --random -c cred -o cred/ops.key 2>err
	CREDENTIALS_DIRECTORY=$PWD/cred run zpinc-key show -k ops
	[ "${lines[0]}" = 'channel      cred' ]
	run zpinc-key show -k ops
	[ "${lines[0]}" = 'channel      ops' ]
}

@test "show tells nothing that is secret" {
	echo "$PASS" | new -c ops -o a 2>err
	zpinc-key show -k ./a >out
	lacks "$(sed -n 's/^key //p' a)" out
	[ "$(sed -n 's/^topic *//p' out)" = "$(zpinc-key topic -k ./a)" ]
	grep -q '^work *15$' out
}

@test "an exported key comes back, and a typing error does not" {
	echo "$PASS" | new -c ops -o a 2>err
	zpinc-key export -k ./a >line
	[ "$(wc -l <line)" = 1 ]
	zpinc-key import -o b <line 2>err
	cmp a b
	sed 's/$/  /; s/^/ /' line | zpinc-key import -o c 2>err
	cmp a c
	zpinc-key import <line 2>err
	cmp a "$KEYS/ops.key"
	sed 's/..$/AA/' line >wrong
	quiet bash -c 'zpinc-key import -o d <wrong'
	[ "$status" = 3 ]
	errors 1 'typing error'
	quiet bash -c 'echo hello | zpinc-key import -o d'
	[ "$status" = 3 ]
	quiet bash -c 'zpinc-key import -o d </dev/null'
	[ "$status" = 2 ]
	[ ! -e d ]
	quiet bash -c 'zpinc-key import -o a <line'
	[ "$status" = 5 ]
}

@test "a key file may be a pipe" {
	zpinc-key new --random -c ops -o a 2>err
	[ "$(zpinc-key topic -k <(cat a))" = "$(zpinc-key topic -k ./a)" ]
	[ "$(zpinc-key new --random -c ops -o - 2>err | grep -c ^key)" = 1 ]
}

@test "a passphrase is made of random words, and says how many bits" {
	quiet zpinc-key passphrase
	[ "$status" = 0 ]
	[[ "$output" =~ ^[a-z]{5}(-[a-z]{5}){4}$ ]]
	errors 1 '80 bits'
	[ "$(zpinc-key passphrase 2>err)" != "$output" ]
	quiet zpinc-key passphrase --words 8
	[[ "$output" =~ ^[a-z]{5}(-[a-z]{5}){7}$ ]]
	errors 1 '128 bits'
	quiet zpinc-key passphrase --words 33
	[ "$status" = 2 ]
	[ "$output" = "" ]
}

@test "a topic is that of hellos or that of a user, not both" {
	zpinc-key new --random -c ops -o a 2>err
	quiet zpinc-key topic -k ./a --live -u alice
	[ "$status" = 2 ]
	[ "$output" = "" ]
	errors 1 '^zpinc-key: either --live or -u$'
}

@test "trust --help tells all three things that trust does" {
	run -0 zpinc-key trust --help
	[ "${lines[0]}" = 'usage: zpinc-key trust [list] [-k KEY] [--trust FILE]' ]
	[[ "${lines[1]}" == *' trust pin -k KEY '*' UID IDENTITY' ]]
	[[ "${lines[2]}" == *' trust forget -k KEY '*' UID' ]]
	run -0 zpinc-key trust pin --help
	[[ "$output" != *forget* ]]
}

@test "an identity is private, its public half can be pinned and forgotten" {
	zpinc-key new --random -c ops -o a 2>err
	zpinc-key identity 2>err
	[ "$(stat -c %a "$KEYS/me.id")" = 600 ]
	quiet zpinc-key identity
	[ "$status" = 5 ]
	me=$(zpinc-key public -i me)
	[[ "$me" =~ ^zpid1\.[A-Za-z0-9_-]{43}$ ]]
	zpinc-key identity -o other.id 2>err
	other=$(zpinc-key public -i ./other.id)
	[ "$me" != "$other" ]
	[ "$(zpinc-key trust list)" = "" ]
	zpinc-key trust pin -k ./a 'alice  x' "$me"
	zpinc-key trust pin -k ./a 'alice  x' "$me"
	quiet zpinc-key trust pin -k ./a 'alice  x' "$other"
	[ "$status" = 3 ]
	errors 1 'another identity'
	run -0 zpinc-key trust list -k ./a
	[[ "$output" == "$me "*" alice\x20\x20x" ]]
	run -0 zpinc-key trust
	[[ "$output" == "$me "*" $(zpinc-key topic -k ./a) alice\x20\x20x" ]]
	zpinc-key trust forget -k ./a 'alice  x'
	quiet zpinc-key trust forget -k ./a 'alice  x'
	[ "$status" = 3 ]
	errors 1 'no identity is pinned'
	[ "$(zpinc-key trust list)" = "" ]
	for bad in zpid1.AAAA "${me#zpid1.}" "zpid1.$(printf '%043d' 0)"; do
		quiet zpinc-key trust pin -k ./a bob "$bad"
		[ "$status" = 2 ]
	done
	quiet zpinc-key public -i ./a
	[ "$status" = 3 ]
}

@test "the first identity of all is pinned, though there was no folder for it" {
	zpinc-key new --random -c ops -o a 2>err
	zpinc-key identity 2>err
	[ "$(zpinc-key trust list)" = "" ]
	[ ! -e "$XDG_STATE_HOME" ]
	echo hi | zpinc-seal -k ./a -u alice -i me >r
	for want in 'new hi' 'known hi'; do
		run -0 zpinc-open -k ./a -F '%s %m' <r
		[ "$output" = "$want" ]
	done
	[ "$(stat -c %a "$XDG_STATE_HOME/zpinc")" = 700 ]
	run -0 zpinc-key trust list -k ./a
	[[ "$output" == "$(zpinc-key public -i me) "*" alice" ]]
	# A home that nobody can write to is no reason not to read.
	export XDG_STATE_HOME=/proc/none
	echo hi | zpinc-seal -k ./a -u alice | zpinc-open -k ./a >out
	[ "$(cat out)" = hi ]
}

@test "a damaged file of pins is told, and left alone" {
	zpinc-key new --random -c ops -o a 2>err
	zpinc-key identity 2>err
	me=$(zpinc-key public -i me)
	zpinc-key trust pin --trust pins -k ./a alice "$me"
	zpinc-key trust pin --trust pins -k ./a bob "$me"
	[ "$(zpinc-key trust list --trust pins | wc -l)" = 2 ]
	[ ! -e "$XDG_STATE_HOME" ]
	sed -i '$d' pins
	cp pins old
	quiet zpinc-key trust list --trust pins
	[ "$status" = 3 ]
	errors 1 'pins: line 5: cut off'
	quiet zpinc-key trust pin --trust pins -k ./a carol "$me"
	[ "$status" = 3 ]
	cmp pins old
}

@test "two processes pin at once and neither loses a pin" {
	zpinc-key new --random -c ops -o a 2>err
	zpinc-key identity 2>err
	me=$(zpinc-key public -i me)
	for i in 1 2 3 4 5 6 7 8; do
		zpinc-key trust pin -k ./a "user $i" "$me" &
	done
	wait
	[ "$(zpinc-key trust list -k ./a | wc -l)" = 8 ]
}

@test "without a home there is a hint, not a key in the wrong place" {
	quiet env -u HOME -u XDG_CONFIG_HOME zpinc-key new --random -c ops
	[ "$status" = 5 ]
	errors 1 HOME
	grep -q 'hint: -o FILE' err
}

# ---- at a terminal ----

@test "a terminal is asked twice, without showing what is typed" {
	run -0 terminal "Passphrase=$PASS\r" "again=$PASS\r" -- \
		zpinc-key new --work 15 -c ops -o a
	[[ "$output" != *"$PASS"* ]]
	[[ "$output" == *"echo off off on" ]]
	echo "$PASS" | new -c ops -o b 2>err
	cmp a b
}

@test "what differs is asked for again, three times" {
	run -0 terminal 'Passphrase=one\r' 'again=two\r' 'Passphrase=three\r' \
		'again=three\r' -- zpinc-key new --work 15 -c ops -o a
	run -2 terminal 'Passphrase=1\r' 'again=2\r' 'Passphrase=1\r' \
		'again=2\r' 'Passphrase=1\r' 'again=2\r' -- \
		zpinc-key new --work 15 -c ops -o b
	[ ! -e b ]
	[[ "$output" == *"echo off off off off off off on" ]]
}

@test "Enter alone makes a passphrase, shows it, and the key is its" {
	run -0 terminal 'Passphrase=\r' -- zpinc-key new --work 15 -c ops -o a
	made=$(grep -oE '[a-z]{5}(-[a-z]{5}){4}' <<<"$output")
	[[ "$output" == *"80 bits"* ]]
	echo "$made" | new -c ops -o b 2>err
	cmp a b
}

@test "an interrupted question leaves the terminal as it was" {
	run -130 terminal 'Passphrase=^C' -- zpinc-key new -c ops -o a
	[[ "$output" == *"echo off on" ]]
	run -143 terminal 'Passphrase=@TERM' -- zpinc-key new -c ops -o a
	[[ "$output" == *"echo off on" ]]
	run -129 terminal 'Passphrase=x\r' 'again=@HUP' -- \
		zpinc-key new -c ops -o a
	[[ "$output" == *"echo off off on" ]]
	run -2 terminal 'Passphrase=^D' -- zpinc-key new -c ops -o a
	[[ "$output" == *"echo off on" ]]
	[ ! -e a ]
}

@test "a stopped question gives the terminal back, and is asked again after it" {
	run -0 terminal 'Passphrase=@TSTP' '=@CONT' "Passphrase=$PASS\r" \
		"again=$PASS\r" -- zpinc-key new --work 15 -c ops -o a
	[[ "$output" == *"echo off on off off on" ]]
	[ -s a ]
}

@test "at a terminal a channel's name is proposed, and can be changed" {
	run -0 terminal 'Channel [chat-=\r' -- zpinc-key new --random
	[ "$(find "$KEYS" -name 'chat-*.key' | wc -l)" = 1 ]
	run -0 terminal 'Channel [chat-=mine\r' -- zpinc-key new --random
	[ -e "$KEYS/mine.key" ]
	[[ "$output" == *"echo on on" ]]
}

@test "a secret goes to a terminal only with -f" {
	zpinc-key new --random -c ops -o a 2>err
	line=$(zpinc-key export -k ./a)
	run -2 terminal -- zpinc-key export -k ./a
	[[ "$output" != *"$line"* ]]
	run -0 terminal -- zpinc-key export -f -k ./a
	[[ "$output" == *"$line"* ]]
	run -2 terminal -- zpinc-key new --random -c ops -o -
	[[ "$output" != *"key "* ]]
	run -2 terminal -- zpinc-key identity -o -
	[[ "$output" != *"seed "* ]]
	run -0 terminal "Exported=$line\r" -- zpinc-key import -o b
	[[ "$output" != *"$line"* ]]
	cmp a b
}

# ---- the manual ----

# The text of an example in a page, as the reader sees it.
example() {
	awk -v tag=".\\\\\" $2" '
		$0 == tag { on = 1; next }
		on && /^\.Bd/ { next }
		on && /^\.Ed/ { exit }
		on { print }' "$1" | sed 's/\\e/\\/g'
}

# The same, lines that begin with blanks joined to the one above.
joined() {
	example "$@" | awk '
		/^  / { printf " %s", $0; next }
		NR > 1 { print "" }
		{ printf "%s", $0 }
		END { print "" }' | sed 's/   */ /'
}

@test "the examples in zpinc-key(1) work" {
	page=$ZP_ROOT/man/zpinc-key.1
	# The other machine is another home, ssh goes there.
	mkdir bin there
	cat >bin/ssh <<-'EOF'
		#!/bin/sh
		shift
		HOME=$PWD/there XDG_CONFIG_HOME=$PWD/there exec "$@"
	EOF
	chmod +x bin/ssh
	PATH=$PWD/bin:$PATH
	for name in passphrase random identity; do
		example "$page" "run $name" >script
		[ -s script ]
		bash -eu -o pipefail script >out 2>err || {
			cat err
			return 1
		}
	done
	[[ "$(cat out)" == "$(cat alice.pub) "*" alice" ]]
	cmp backups.key there/zpinc/backups.key
	example "$page" "run topic" | grep -q 'zpinc-key topic -k ops-7tiv'
	[ "$(zpinc-key topic -k ops-7tiv | wc -c)" = 65 ]
}

@test "the files in zpinc-key(5) are what the tool makes and reads" {
	page=$ZP_ROOT/man/zpinc-key.5
	echo "$PASS" | new -c ops -o made 2>err
	cmp made <(example "$page" 'example key')
	[ "$(zpinc-key export -k ./made)" = \
		"$(example "$page" 'example export')" ]
	umask 077
	example "$page" 'example identity' >i
	[ "$(zpinc-key public -i ./i)" = \
		"$(example "$page" 'example public')" ]
	joined "$page" 'example conversation' >c
	run -0 zpinc-key show -k ./c
	[[ "$output" == *"you are      alice"* ]]
	[[ "$output" == *"member       - bob" ]]
	[ "$(zpinc-key topic -k ./c)" = "$(zpinc-key topic -k ./made)" ]
	quiet zpinc-key export -k ./c
	[ "$status" = 2 ]
	joined "$page" 'example known' >known
	run -0 zpinc-key trust list --trust known -k ./made
	[ "$output" = "$(zpinc-key public -i ./i) 2023-11-14T22:13:20Z alice" ]
}
