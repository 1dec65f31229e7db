#!/usr/bin/env bats
# Sealing and opening notes, and what bad input gets.

bats_require_minimum_version 1.5.0

load common

setup() {
	common_setup
	make_key ./k.key
}

seal() { zpinc-seal -k ./k.key -u alice "$@"; }
open() { zpinc-open -k ./k.key "$@"; }

@test "a name that looks like another, or like a line, is shown as what it is" {
	local uid
	for uid in $'alice\xe2\x80\x8b' $'al\xc2\xadice' 'alice ' $'alice\xc2\xa0' \
		'alice: yes' 'alice:' '    yes, I said' $'\xef\xbb\xbfalice' \
		'alice, bob' 'alice;bob' 'alice and bob' $'alice\xef\xbc\x8cbob' \
		'[note] alice' 'x\x2cy' 'Anna Maria'; do
		echo no | zpinc-seal -k ./k.key -u "$uid"
	done >r
	zpinc-open -k ./k.key -F '%u: %m' <r >out
	cat <<- 'EOF' | diff - out
		alice\xe2\x80\x8b: no
		al\xc2\xadice: no
		alice\x20: no
		alice\xc2\xa0: no
		alice:\x20yes: no
		alice\x3a: no
		\x20\x20\x20\x20yes\x2c\x20I\x20said: no
		\xef\xbb\xbfalice: no
		alice\x2c\x20bob: no
		alice\x3bbob: no
		alice\x20and\x20bob: no
		alice\xef\xbc\x8cbob: no
		\x5bnote]\x20alice: no
		x\\x2cy: no
		Anna\x20Maria: no
	EOF
	for uid in alice user@host a:b 'Bär' $'\xf0\x9f\x98\x80' "O'Brien" 'me[1]'; do
		echo yes | zpinc-seal -k ./k.key -u "$uid"
		echo "$uid" >>names
	done | zpinc-open -k ./k.key -F '%u' >out
	diff names out
}

@test "a name is one word in text, and itself in JSON and where it is asked for" {
	zpinc-key identity -o ./a.id 2> err
	local uid='A, \x20 [b]' shown='A\x2c\x20\\x20\x20[b]'
	echo hi | zpinc-seal -k ./k.key -u "$uid" -i ./a.id >r
	zpinc-open -k ./k.key --trust ./known -F '%s %u %m' <r >out 2> err
	[ "$(cat out)" = "new $shown hi" ]
	[ "$(zpinc-open -k ./k.key --trust ./known --json <r | jq -r .uid)" = \
		"$uid" ]
	# What is shown, undone by printf, is the name.
	local id time name
	read -r id time name < <(zpinc-key trust list -k ./k.key \
		--trust ./known)
	[ "$name" = "$shown" ]
	[ "$(printf %b "$name")" = "$uid" ]
	[ -n "$id$time" ]
	zpinc-open -k ./k.key --trust ./known --expect "$uid=1h" <r >out
	quiet zpinc-open -k ./k.key --trust ./known --expect "$shown=1h" <r
	[ "$status" = 1 ]
	errors 1 'A\\\\x2c\\\\x20.*: nothing heard'
	zpinc-key trust forget -k ./k.key --trust ./known "$uid"
	[ -z "$(zpinc-key trust list -k ./k.key --trust ./known)" ]
}

@test "a full list of identities refuses who is new, and nobody else" {
	zpinc-key identity -o ./a.id
	local id topic
	id=$(zpinc-key public -i ./a.id)
	topic=$(zpinc-key topic -k ./k.key)
	{
		echo 'zpinc-known 1'
		for ((i = 0; i < 16384; i++)); do
			echo "pin $topic ${id#zpid1.} 1 user$i"
		done
		echo end
	} >known
	chmod 600 known
	{
		echo new | zpinc-seal -k ./k.key -u eve -i ./a.id
		echo known | zpinc-seal -k ./k.key -u user7 -i ./a.id
		echo plain | zpinc-seal -k ./k.key -u bob
	} >r
	quiet zpinc-open -k ./k.key --trust ./known <r
	[ "$status" = 3 ]
	[ "$output" = $'known\nplain' ]
	errors 1 'eve: the list of known identities is full'
}

@test "who cannot be pinned is not shown, the others are, and why is told" {
	unshare -rm true 2>/dev/null || skip "no name spaces here"
	zpinc-key identity -o ./a.id
	{
		echo one | zpinc-seal -k ./k.key -u bob
		echo new | zpinc-seal -k ./k.key -u eve -i ./a.id
		echo two | zpinc-seal -k ./k.key -u bob
	} >r
	mkdir ro
	cat >ro.sh <<- 'EOF'
		mount -t tmpfs none ro && mkdir ro/home &&
			mount -o remount,ro ro || exit 99
		unset XDG_STATE_HOME
		HOME=$PWD/ro/home "$@" <r
	EOF
	quiet unshare -rm bash ro.sh zpinc-open -k ./k.key
	[ "$status" = 5 ]
	[ "$output" = $'one\ntwo' ]
	errors 1 'eve: not shown, since not pinned: .*/known: Read-only file'
	grep -q 'hint: --trust FILE' err
	quiet unshare -rm bash ro.sh zpinc-pipe -k ./k.key -u eve -i ./a.id \
		file:relay
	[ "$status" = 5 ]
	errors 1 'zpinc-pipe: .*/state/zpinc/known: Read-only file system'
	quiet unshare -rm bash ro.sh zpinc-key trust pin -k ./k.key eve \
		"$(zpinc-key public -i ./a.id)"
	[ "$status" = 5 ]
	errors 1 'zpinc-key: .*/state/zpinc/known: Read-only file system'
}

@test "lines go in and come out" {
	run bash -c 'seq 3 | zpinc-seal -k ./k.key | zpinc-open -k ./k.key'
	[ "$status" = 0 ]
	[ "$output" = $'1\n2\n3' ]
}

@test "a record is one line of at most 4095 characters and one shell word" {
	head -c 20000 /dev/urandom | base64 -w0 | seal >r
	[ "$(wc -L <r)" -le 4095 ]
	run grep -v '^zp1\.z[A-Za-z0-9_-]\{63\}\.z[A-Za-z0-9_-]\{63\}\.[A-Za-z0-9_-]*$' r
	[ -z "$output" ]
}

@test "a record names its own topic" {
	echo x | seal >r
	[ "$(cut -d. -f2 r)" = "$(zpinc-key topic -k ./k.key)" ]
}

@test "no final newline, empty lines, NUL bytes and CRLF are kept" {
	printf 'a\n\nb\0c\r\nlast' >in
	seal <in | open -F '%M' >out
	[ "$(sed -n 1p out)" = a ]
	[ "$(sed -n 2p out)" = "" ]
	[ "$(sed -n 3p out)" = 'b\x00c\x0d' ]
	[ "$(sed -n 4p out)" = last ]
	seal <in | open --raw | cmp - <(printf 'ab\0c\rlast')
}

@test "-w sends any bytes of any size as one body" {
	head -c 3000000 /dev/urandom >in
	seal -w <in >r
	open --raw <r | cmp - in
	seal -w --max-record 65536 <in | open --raw | cmp - in
}

@test "-w sends many parts at once as well as one by one" {
	head -c 1000000 /dev/urandom >in
	for most in 1024 4095 65536 1048576; do
		seal -w --max-record "$most" <in >file
		{ head -c 300000 in; sleep 0.05; tail -c +300001 in; } |
			seal -w --max-record "$most" >pipe
		for r in file pipe; do
			open --raw <"$r" | cmp - in
			[ "$(wc -L <"$r")" -le "$most" ]
		done
		[ "$(wc -l <file)" = "$(wc -l <pipe)" ]
	done
	# Around the ends of parts and of what is sealed at once.
	for n in 2774 2775 2776 13874 13875 13876 521699 521700 521701 \
		524475 1040624 1040625; do
		head -c "$n" in >some
		seal -w <some | open --raw | cmp - some
	done
}

@test "-w of several batches keeps its order, signed and numbered, too" {
	zpinc-key identity -o ./alice.id 2>/dev/null
	head -c 6000000 /dev/urandom >in
	for most in 4095 65536; do
		seal -w --max-record "$most" -i ./alice.id <in >r
		open --raw --strict <r | cmp - in
		seal -w --max-record "$most" --state st -i ./alice.id <in |
			open --raw --strict | cmp - in
	done
}

@test "-w ends when its reader has gone, even while it waits for input" {
	head -c 6000000 /dev/zero >in
	mkfifo more
	({ zpinc-seal -k ./k.key -w <more 2>err || echo $? >status; } |
		head -c 1000 >/dev/null) 3>&- &
	# Its input stays open until it has ended.
	exec 9>more
	(trap '' PIPE; cat in >&9 2>/dev/null) || :
	# A shell waits for all of a pipe: this hangs if it does not end.
	wait "$!"
	exec 9>&-
	[ "$(cat status)" = 5 ]
	grep -q '^zpinc-seal: standard output: ' err
}

@test "-w and --raw of 64 MiB take less than 16 MiB of memory" {
	[ "$ZP_MODE" = release ] || skip "sanitizers take more"
	cat >peak.py <<-'END'
		import resource, subprocess, sys
		subprocess.run(sys.argv[1:], check=True)
		most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
		sys.exit(f"{sys.argv[1]}: {most} KiB" if most > 16384 else 0)
	END
	for most in 4095 1048576; do
		head -c 64M /dev/zero | /usr/bin/python3 peak.py zpinc-seal \
			-k ./k.key -w --max-record "$most" >r
		/usr/bin/python3 peak.py zpinc-open -k ./k.key --raw \
			<r >/dev/null
	done
}

@test "-w of nothing sends nothing" {
	run bash -c ': | zpinc-seal -k ./k.key -w'
	[ "$status" = 0 ]
	[ -z "$output" ]
}

@test "a body of parts is shown once, whole, whatever their order" {
	head -c 20000 /dev/urandom | base64 -w0 >in
	seal -w <in >r
	[ "$(wc -l <r)" -gt 5 ]
	tac r | open >out
	[ "$(cat out)" = "$(cat in)" ]
	cat r r | shuf | open >out
	[ "$(cat out)" = "$(cat in)" ]
}

@test "a body without one of its parts is reported as cut, never shown" {
	head -c 20000 /dev/zero | seal -w >r
	for n in 1 3 '$'; do
		sed "${n}d" r >cut
		quiet zpinc-open -k ./k.key <cut
		[ "$status" = 1 ]
		[ -z "$output" ]
		errors 1 'alice: the body of .*: parts are missing; not shown'
	done
}

@test "bodies whose parts are interleaved are all shown" {
	for i in 1 2 3; do
		yes "$i" | head -c 6000 | tr -d '\n' | zpinc-seal -k ./k.key \
			-u "u$i" -w >"r$i"
	done
	paste -d '\n' r1 r2 r3 | open -F '%u' | sort >out
	[ "$(cat out)" = $'u1\nu2\nu3' ]
	paste -d '\n' r1 r2 r3 | open --raw >raw
	[ "$(tr -d 123 <raw | wc -c)" = 0 ]
	[ "$(tr -s 123 <raw | wc -c)" = 3 ]
}

@test "decoration around records does not matter" {
	echo 'hello' | seal >r
	topic=$(cut -d. -f2 r)
	r=$(cat r)
	{
		printf '%s %s\n' "$topic" "$r"
		printf '{"payload":"%s","qos":1}\n' "$r"
		printf 'data: %s\r\n' "$r"
		printf '%s' "$r"
	} | open --all >out
	[ "$(grep -c '^hello$' out)" = 4 ]
}

@test "a record torn anywhere does not hide the next one" {
	printf 'one\ntwo\n' | seal >r
	one=$(sed -n 1p r) two=$(sed -n 2p r)
	for at in 1 3 4 5 40 68 69 70 133 134 135 200 260; do
		printf '%s%s\n' "${one:0:$at}" "$two" | open 2>/dev/null >out
		[ "$(cat out)" = two ] || { echo "torn at $at"; return 1; }
	done
}

@test "a wrong key opens nothing and says so" {
	make_key ./other.key
	echo secret | seal >r
	quiet zpinc-open -k ./other.key <r
	[ "$status" = 0 ]
	[ -z "$output" ]
	quiet zpinc-open -k ./other.key --strict <r
	[ "$status" = 1 ]
	errors 1 '1 record that no key in hand opens'
}

@test "records of this channel that do not open are an error" {
	echo secret | seal >r
	sed 's/.$/A/; s/....$/AAAA/' r >bad
	quiet zpinc-open -k ./k.key <bad
	[ "$status" = 1 ]
	[ -z "$output" ]
	errors 2 'none could be opened'
}

@test "a truncated or changed record is not shown and the rest is" {
	seq 5 | seal >r
	sed -e '2s/.\{30\}$//' -e '4s/\(.*\)\(...\)$/\1AAA/' r >bad
	run bash -c 'zpinc-open -k ./k.key <bad 2>/dev/null'
	[ "$output" = $'1\n3\n5' ]
}

@test "a record given to another sender is not shown" {
	echo x | seal >r
	echo x | zpinc-seal -k ./k.key -u bob >b
	p=$(cut -d. -f3 b)
	awk -F. -v p="$p" '{print $1"."$2"."p"."$4}' r >bad
	quiet zpinc-open -k ./k.key <bad
	[ "$status" = 1 ]
	[ -z "$output" ]
}

@test "the same record is shown once" {
	seq 3 | seal >r
	cat r r | open >out
	[ "$(cat out)" = $'1\n2\n3' ]
}

@test "terminal escapes in a body are shown, not obeyed" {
	printf '\033[31mred\a\xc2\x9b\xe2\x80\xae\n' | seal | open >out
	[ "$(cat out)" = '\x1b[31mred\x07\xc2\x9b\xe2\x80\xae' ]
}

@test "nobody forges a line: further lines of a body are indented" {
	printf 'a\nbob: pay now\n' | seal -w | open -F '%u: %m' >out
	[ "$(cat out)" = $'alice: a\n    bob: pay now' ]
}

@test "formats show sender, time, kind, identity and more" {
	echo m | seal | open -F '%u|%k|%s|%c|%r|%n|%%|\t|%t' >out
	grep -Eq $'^alice\|note\|anonymous\|-\|ops\|0\|%\|\t\|20[0-9-]+T[0-9:]+Z$' out
	run zpinc-open -k ./k.key -F '%y' </dev/null
	[ "$status" = 2 ]
}

@test "JSON has everything, body64 for what is no text" {
	printf 'a"\n\xff\n' | seal | open --json >out
	[ "$(sed -n 1p out | jq -r .body)" = 'a"' ]
	[ "$(sed -n 2p out | jq -r .body64 | base64 -d)" = $'\xff' ]
	[ "$(sed -n 1p out | jq -r .uid)" = alice ]
	[ "$(sed -n 1p out | jq -r .seq)" = 0 ]
}

@test "--no-time withholds the time" {
	echo m | seal --no-time | open -F '%t' >out
	[ "$(cat out)" = - ]
}

@test "a name too long or with controls is refused" {
	for u in "$(printf 'x%.0s' {1..32})" $'a\033b' $'a\nb' ''; do
		[ -n "$u" ] || continue
		run zpinc-seal -k ./k.key -u "$u" </dev/null
		[ "$status" = 2 ]
		[[ "$output" != *$'\033'* ]]
	done
	echo x | zpinc-seal -k ./k.key -u "Zoë" | open -F '%u' >out
	[ "$(cat out)" = "Zoë" ]
}

@test "a line over a mebibyte is refused by number and the rest goes out" {
	{
		echo before
		head -c 2097152 /dev/zero | tr '\0' x
		echo
		echo after
	} >in
	quiet zpinc-seal -k ./k.key -u alice <in
	[ "$status" = 5 ]
	errors 1 'line 2: longer than'
	[ "$(zpinc-open -k ./k.key <<<"$output")" = $'before\nafter' ]
}

@test "a body too long to be shown is told, and how to have it" {
	local i
	for i in 1 2; do
		head -c 1100000 /dev/zero | zpinc-seal -w -k ./k.key -u alice
	done >r
	quiet zpinc-open -k ./k.key <r
	[ "$status" = 1 ]
	[ "$output" = "" ]
	errors 2 '^zpinc-open: alice: the body of .*: too long; not shown$'
	[ "$(grep -c '^hint: .*--raw' err)" = 1 ]
	[ "$(zpinc-open -k ./k.key --raw <r | wc -c)" = 2200000 ]
}

@test "a 2 MiB line of rubbish is passed over" {
	{
		head -c 2097152 /dev/zero | tr '\0' A
		echo
		printf 'zp1.'
		head -c 2097152 /dev/zero | tr '\0' z
		echo
		echo hello | seal
	} | open >out
	[ "$(cat out)" = hello ]
}

@test "a closed standard input or output is an error, not silence" {
	run bash -c 'zpinc-seal -k ./k.key <&-'
	[ "$status" = 5 ]
	[[ "$output" == *"standard input is closed"* ]]
	run bash -c 'echo x | zpinc-seal -k ./k.key >&-'
	[ "$status" = 5 ]
	[[ "$output" == *"standard output is closed"* ]]
}

@test "a full disk behind standard output is an error" {
	run bash -c 'echo x | zpinc-seal -k ./k.key >/dev/full'
	[ "$status" = 5 ]
	[[ "$output" == *"standard output: No space left"* ]]
	echo x | seal >r
	run bash -c 'zpinc-open -k ./k.key <r >/dev/full'
	[ "$status" = 5 ]
	[ "$output" = 'zpinc-open: standard output: No space left on device' ]
}

@test "a reader that goes away is an error, not a signal" {
	mkfifo p
	yes | head -100000 >in
	{ zpinc-seal -k ./k.key <in >p 2>err || echo $? >st; } 3>&- &
	head -1 p >/dev/null
	wait
	[ "$(cat st)" = 5 ]
	errors 1 'Broken pipe'
}

@test "a key file that others can read is refused" {
	chmod 644 k.key
	quiet zpinc-seal -k ./k.key </dev/null
	[ "$status" = 3 ]
	errors 1 'k.key: mode 0644 lets others read it'
}

@test "a key that is not there, or none, is said" {
	quiet zpinc-seal -k ./nokey </dev/null
	[ "$status" = 3 ]
	quiet zpinc-open </dev/null
	[ "$status" = 2 ]
	errors 1 'which key'
}

@test "options that make no sense are refused with status 2" {
	for o in '--max-record 1023' '--max-record 1048577' '--max-record x' \
		'--nonsense' 'operand'; do
		# shellcheck disable=SC2086
		quiet zpinc-seal -k ./k.key $o </dev/null
		[ "$status" = 2 ] || { echo "$o"; return 1; }
	done
	quiet zpinc-open -k ./k.key --json --raw </dev/null
	[ "$status" = 2 ]
	quiet zpinc-open -k ./k.key --expect alice </dev/null
	[ "$status" = 2 ]
}

@test "-C ends after so many bodies, -W after so many seconds" {
	seq 5 | seal >r
	mkfifo p
	# A writer that stays, so that neither ends by the end of its input.
	{ cat r; exec sleep 20; } >p 3>&- &
	hold=$!
	zpinc-open -k ./k.key -C 2 <p >out
	[ "$(cat out)" = $'1\n2' ]
	kill "$hold"
	{ cat r; exec sleep 20; } >p 3>&- &
	hold=$!
	run timeout 15 zpinc-open -k ./k.key -W 1.5 <p
	kill "$hold"
	[ "$status" = 0 ]
	[ "$output" = $'1\n2\n3\n4\n5' ]
}

@test "a line is out before the next is read" {
	mkfifo in
	seal <in 3>&- | open >out 3>&- &
	exec 8>in
	echo one >&8
	for _ in $(seq 100); do
		[ "$(cat out)" = one ] && break
		sleep 0.05
	done
	[ "$(cat out)" = one ]
	echo two >&8
	exec 8>&-
	wait
	[ "$(cat out)" = $'one\ntwo' ]
}

@test "--max-age shows nothing older, --expect tells of silence" {
	echo old | seal >r
	run bash -c 'zpinc-open -k ./k.key --expect alice=1h <r'
	[ "$status" = 0 ]
	quiet zpinc-open -k ./k.key --expect bob=1h <r
	[ "$status" = 1 ]
	errors 1 'bob: nothing heard'
	sleep 1.1
	quiet zpinc-open -k ./k.key --max-age 1 --expect alice=0.5 <r
	[ "$status" = 1 ]
	[ -z "$output" ]
	errors 1 'alice: nothing since'
}

@test "gaps inside one run are told, and an error under --strict" {
	seq 10 | seal | sed '4,6d' >r
	quiet zpinc-open -k ./k.key <r
	[ "$status" = 0 ]
	errors 1 'alice: 3 records missing before'
	quiet zpinc-open -k ./k.key --strict <r
	[ "$status" = 1 ]
}

@test "several keys open several channels at once" {
	make_key ./b.key other
	{ echo a | seal; echo b | zpinc-seal -k ./b.key -u bob; } >r
	zpinc-open -k ./k.key -k ./b.key -F '%r %u %m' <r >out
	[ "$(cat out)" = $'ops alice a\nother bob b' ]
}

@test "more keys or users than there is room for are a usage error" {
	run -2 zpinc-open $(printf -- '-k ./k.key %.0s' $(seq 65))
	[[ "$output" == *'more than 64 keys'* ]]
	run -2 zpinc-open -k ./k.key $(printf -- '--expect u%s=1h ' $(seq 65))
	[[ "$output" == *'more than 64 users'* ]]
}

@test "help and version exit 0 and name the tool" {
	for t in seal open; do
		run "zpinc-$t" --help
		[ "$status" = 0 ]
		[[ "$output" == usage:* ]]
		run "zpinc-$t" -V
		[ "$status" = 0 ]
		[[ "$output" == "zpinc-$t "* ]]
	done
}

@test "no secret shows in the process's arguments or environment" {
	mkfifo in
	zpinc-seal -k ./k.key <in >/dev/null 3>&- &
	pid=$!
	exec 8>in
	key=$(sed -n 's/^key //p' k.key)
	[ "$(tr '\0' '\n' <"/proc/$pid/cmdline" | grep -cF -e "$key")" = 0 ]
	[ "$(tr '\0' '\n' <"/proc/$pid/environ" | grep -cF -e "$key")" = 0 ]
	exec 8>&-
	wait
}
