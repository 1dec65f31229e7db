#!/usr/bin/env bats
# What README and zpinc(7) promise, sentence by sentence: claims.txt tells
# which test defends which; those that no other file has are here.

bats_require_minimum_version 1.5.0

# shellcheck source-path=SCRIPTDIR source=../cli/common.bash
load ../cli/common
load ../compose/servers

setup() {
	common_setup
	README=$ZP_ROOT/README.md
	MOSQUITTO_PID=
	PIDS=()
}

teardown() {
	local pid
	[ -z "$MOSQUITTO_PID" ] || stop_server "$MOSQUITTO_PID"
	for pid in "${PIDS[@]}"; do
		kill "$pid" 2>/dev/null || :
	done
	wait
}

# block WORDS: the shell commands of README that contain WORDS, as they are.
block() {
	awk -v words="$1" '
		/^```sh$/ { text = ""; on = 1; next }
		/^```$/ { if (on && index(text, words)) printf "%s", text
			on = 0; next }
		on { text = text $0 "\n" }' "$README"
}

@test "every promise has a test, and every test named is there" {
	/usr/bin/python3 "$ZP_ROOT/tests/claims/check.py"
}

@test "a promise without a test is found, and so is a test that is not there" {
	local claims=$ZP_ROOT/tests/claims/claims.txt
	sed '/^README: Notes have no forward secrecy/,/^	/d' "$claims" >less
	run -1 /usr/bin/python3 "$ZP_ROOT/tests/claims/check.py" less
	[[ $output == 'README promises without a test: Notes have no'* ]]
	sed 's/bats: lines go in and come out/bats: lines go in/' "$claims" >odd
	run -1 /usr/bin/python3 "$ZP_ROOT/tests/claims/check.py" odd
	[[ $output == *'no such test: tests/cli/notes.bats: lines go in' ]]
	sed 's/^README: `make install` takes/README: make install makes/' \
		"$claims" >moved
	run -1 /usr/bin/python3 "$ZP_ROOT/tests/claims/check.py" moved
	[[ $output == *'README does not say: make install makes'* ]]
}

@test "README's three lines do what they say" {
	local lines
	mapfile -t lines < <(block 'cron posts' | sed 's/ *#.*//')
	[ "${#lines[@]}" = 3 ]
	# The first asks at a terminal; from a pipe it takes a passphrase.
	bash -c "echo correct horse battery staple | ${lines[0]} --work 15" \
		2>err
	[ -s config/zpinc/ops.key ]
	MOSQUITTO_CONF='' start_mosquitto "$HOME/mosquitto"
	local at="-h 127.0.0.1 -p $MOSQUITTO_PORT"
	bash -c "${lines[2]/mosquitto_sub/mosquitto_sub $at}" \
		>r.out 2>r.err 3>&- &
	PIDS+=($!)
	post() {
		bash -c "${lines[1]/mosquitto_pub/mosquitto_pub $at}"
		grep -q ': Filesystem' r.out
	}
	await post
	# What reads ends with its broker.
	stop_server "$MOSQUITTO_PID"
	pkill -P "${PIDS[0]}" -x mosquitto_sub || :
}

@test "two pipes over a folder show each other's lines, as README has it" {
	local lines name i=0 fd
	make_key ops.key
	mkdir -p config/zpinc
	mv ops.key config/zpinc/
	mapfile -t lines < <(block 'alice file:' | sed "s|/srv/ops|$HOME/srv|")
	[ "${#lines[@]}" = 2 ]
	for name in alice bob; do
		[[ ${lines[i]} == *" -u $name "* ]]
		mkfifo $name.in
		bash -c "exec ${lines[i]}" <$name.in >$name.out \
			2>$name.err 3>&- 7>&- 8>&- &
		PIDS+=($!)
		i=$((i + 1))
		[ $name = bob ] || exec 7>alice.in
	done
	exec 8>bob.in
	await grep -q '^zpinc-pipe: conversation: ' alice.err
	await grep -q '^zpinc-pipe: conversation: ' bob.err
	echo hello >&7
	await grep -qx 'alice: hello' bob.out
	echo 'good day' >&8
	await grep -qx 'bob: good day' alice.out
	exec 7>&- 8>&-
	for fd in "${PIDS[@]}"; do
		wait "$fd"
	done
}

@test "where packages cannot be installed without asking, the command to type is printed" {
	mkdir stub
	printf '#!/bin/sh\necho 1000\n' >stub/id
	printf '#!/bin/sh\nexit 1\n' >stub/sudo
	printf '#!/bin/sh\ntouch installed\n' >stub/apt-get
	printf '#!/bin/sh\n[ "$4" != there ] || echo installed\n' \
		>stub/dpkg-query
	chmod +x stub/*
	PATH=$PWD/stub:$PATH run -1 sh "$ZP_ROOT/tests/deps.sh" there libnot-dev
	[[ $output == *"sudo apt-get install --no-install-recommends libnot-dev" ]]
	[ ! -e installed ]
}

@test "with the password alone nobody speaks as a user whose identity is pinned" {
	make_key ops.key
	zpinc-key identity -o alice.id 2>/dev/null
	zpinc-key identity -o mallory.id 2>/dev/null
	echo mine | zpinc-seal -k ./ops.key -u alice -i ./alice.id >own
	echo forged | zpinc-seal -k ./ops.key -u alice >unsigned
	echo forged | zpinc-seal -k ./ops.key -u alice -i ./mallory.id >changed
	[ "$(zpinc-open -k ./ops.key --trust t <own 2>/dev/null)" != '' ]
	for f in unsigned changed; do
		status=0
		zpinc-open -k ./ops.key --trust t <$f >$f.out 2>$f.err || status=$?
		[ "$status" = 3 ]
		[ ! -s $f.out ]
	done
	grep -q UNSIGNED unsigned.err
	grep -q CHANGED changed.err
}

@test "with the password alone one speaks as anybody else, unsigned or as new" {
	make_key ops.key
	zpinc-key identity -o mallory.id 2>/dev/null
	echo forged | zpinc-seal -k ./ops.key -u bob >unsigned
	echo forged | zpinc-seal -k ./ops.key -u carol -i ./mallory.id >new
	zpinc-open -k ./ops.key --trust t --json <unsigned | jq -e \
		'.uid == "bob" and .identity == "anonymous"'
	zpinc-open -k ./ops.key --trust t --json <new 2>/dev/null | jq -e \
		'.uid == "carol" and .identity == "new"'
}

@test "a guess at the password costs 256 MiB by default" {
	[ "${ZP_MODE:-release}" = release ] || skip "sanitizers need more"
	echo correct horse battery staple >pass
	/usr/bin/python3 - <<-'END'
		import resource, subprocess
		subprocess.run(["zpinc-key", "new", "-c", "ops", "-o", "ops.key"],
		               stdin=open("pass"), check=True)
		most = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
		print(most, "KiB")
		assert 256 * 1024 <= most < 300 * 1024
	END
}

@test "the server sees constant pseudonyms and padded lengths, and no names" {
	make_key ops.key
	echo a | zpinc-seal -k ./ops.key -u alice >r1
	echo another | zpinc-seal -k ./ops.key -u alice >r2
	echo a | zpinc-seal -k ./ops.key -u bob >r3
	[ "$(cut -d. -f2,3 r1)" = "$(cut -d. -f2,3 r2)" ]
	[ "$(cut -d. -f2 r1)" = "$(cut -d. -f2 r3)" ]
	[ "$(cut -d. -f3 r1)" != "$(cut -d. -f3 r3)" ]
	[ "$(wc -c <r1)" = "$(wc -c <r2)" ]
	run -1 grep -i alice r1 r2
}

@test "who stands between two members makes their safety numbers differ" {
	local name other
	make_key ops.key
	# Mallory is bob where alice is, and alice where bob is.
	for name in alice-a bob-a alice-b bob-b; do
		mkfifo $name.in
		zpinc-pipe -k ./ops.key -u "${name%-*}" "file:$PWD/${name#*-}" \
			<$name.in >$name.out 2>$name.err 3>&- &
		PIDS+=($!)
		exec {other}>$name.in
	done
	safety() {
		sed -n 's/^zpinc-pipe: safety number: //p' "$1.err" | tail -n 1
	}
	for name in alice-a bob-a alice-b bob-b; do
		await grep -q '^zpinc-pipe: conversation: .*alice' $name.err
		await grep -q '^zpinc-pipe: safety number: ' $name.err
	done
	[[ $(safety alice-a) =~ ^([0-9]{5}\ ){5}[0-9]{5}$ ]]
	# On the screens of alice and of bob, and of those who agree.
	[ "$(safety alice-a)" != "$(safety bob-b)" ]
	[ "$(safety alice-a)" = "$(safety bob-a)" ]
	[ "$(safety alice-b)" = "$(safety bob-b)" ]
}

@test "a new key shuts out who has the old one" {
	make_key old.key
	make_key new.key
	echo hello | zpinc-seal -k ./new.key -u alice >r
	[ "$(zpinc-open -k ./new.key -F %m <r)" = hello ]
	quiet zpinc-open -k ./old.key <r
	[ -z "$output" ]
}

@test "README and zpinc(7) both say that nobody has audited it" {
	grep -q '^- \*\*Nobody has audited it\*\*' "$README"
	grep -q '^.Em Nobody has audited$' "$ZP_ROOT/man/zpinc.7"
}

@test "the tools that README names are the tools there are" {
	sed -n 's/^| `\(zpinc-[a-z]*\)` | [a-z].*/\1/p' "$README" | sort -u >named
	(cd "$ZP_ROOT/cmd" && printf '%s\n' zpinc-*.c) | sed 's/\.c$//' |
		sort >there
	diff named there
	# Each has its page, or README says that it has none.
	sed -n '/^- Pages of the manual/,/^$/p' "$README" >pageless
	while read -r tool; do
		[ -e "$ZP_ROOT/man/$tool.1" ] || grep -q "\`$tool\`" pageless
	done <there
	for page in $(grep -o '`man [^`]*`' "$README" | grep -o '\./man/[^ `]*'); do
		[ -s "$ZP_ROOT/$page" ]
	done
	run -0 make -C "$ZP_ROOT" -n demo-run check-run bench
}

@test "exit statuses mean what README says" {
	make_key ops.key
	zpinc-key identity -o me.id 2>/dev/null
	echo hello | zpinc-seal -k ./ops.key -u alice >r
	zpinc-open -k ./ops.key <r >out
	sed 's/....$/AAAA/' r >forged
	run -1 zpinc-open -k ./ops.key <forged
	run -2 zpinc-open --no-such-option
	run -3 zpinc-open -k ./missing.key <r
	run -4 zpinc-handshake -k ./ops.key -u alice -t 1 -o conv "file:$PWD/f"
	run -5 sh -c 'zpinc-open -k ./ops.key <r >/dev/full'
}
