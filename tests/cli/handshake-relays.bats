#!/usr/bin/env bats
# zpinc-handshake in pipelines, over relays that fail, and confined.

bats_require_minimum_version 1.5.0

load handshake

setup() {
	handshake_setup
}

teardown() {
	handshake_teardown
}

@test "in a pipeline with FIFOs over zpinc-file" {
	join bob "$RELAY"
	mkfifo in
	zpinc-file "$RELAY" "$(zpinc-key topic -k ./ops.key)" \
		"$(zpinc-key topic -k ./ops.key --live)" < in 3>&- | {
		rc=0
		zpinc-handshake -k ./ops.key -u alice -t 10 -o ./alice.conv \
			> in 2> alice.err || rc=$?
		echo $rc > alice.status
	} 3>&- &
	agree alice bob
}

@test "a subscriber that starts late holds nobody up for long" {
	join alice -n 3 "$RELAY"
	join bob -n 3 "$RELAY"
	join carol -n 3 --pub "zpinc-file $RELAY" --sub \
		"sleep 1; exec zpinc-file $RELAY \$ZPINC_TOPIC \$ZPINC_LIVE"
	agree alice bob carol
}

@test "the end of standard input is the end, at once" {
	SECONDS=0
	quiet zpinc-handshake -k ./ops.key -u alice -t 30 -o ./a.conv < /dev/null
	[ "$status" = 5 ]
	[ $SECONDS -lt 10 ]
	errors 2 'standard input: has ended'
	errors 2 'no relay is left'
	[ ! -e a.conv ]
}

@test "a closed standard output is the end, at once" {
	mkfifo in
	sleep 30 > in 3>&- &
	holder=$!
	rc=0
	SECONDS=0
	zpinc-handshake -k ./ops.key -u alice -t 30 -o ./a.conv < in \
		2> err > >(:) || rc=$?
	kill $holder
	[ $rc = 5 ]
	[ $SECONDS -lt 10 ]
	grep -q 'standard output' err
}

@test "of two relays one that fails does no harm" {
	mkdir bin
	printf '#!/bin/sh\necho "cannot do it" >&2\nexit 5\n' > bin/zpinc-broken
	chmod +x bin/zpinc-broken
	PATH=$PWD/bin:$PATH
	join alice broken://x "$RELAY"
	join bob "$RELAY" "file:$PWD/second"
	agree alice bob
	grep -q 'cannot do it' alice.err
	grep -q 'exit status 5' alice.err
	rm ./*.status
	join alice -f broken://x
	await_status alice 5
	grep -q 'no relay is left' alice.err
}

@test "no relay that can be reached: exit 5, and nobody is said to be missing" {
	join alice -t 1 redis://127.0.0.1:1 file:/nowhere/at/all
	await_status alice 5
	grep -q ': no relay could be reached in time$' alice.err
	[[ "$(cat alice.err)" != *'nobody else'* ]]
	# One of two is enough to know.
	join bob -t 1 redis://127.0.0.1:1 "$RELAY"
	await_status bob 4
	grep -q 'nobody else is here' bob.err
	# Commands need not tell that they are up.
	join carol -t 1 --sub 'exec sleep 60' --pub 'exec cat'
	await_status carol 4
}

@test "a transport that does not exist is named" {
	join alice nonsense://x
	await_status alice 5
	[ "$(cat alice.err)" = 'zpinc-handshake: nonsense://x: there is no transport zpinc-nonsense' ]
	run -5 zpinc-pipe -k ./ops.key "$RELAY" nonsense:x <<< hello
	[ "$output" = 'zpinc-pipe: nonsense:x: there is no transport zpinc-nonsense' ]
}

@test "transports and commands are gone when it ends" {
	join alice --sub "echo \$\$ > sub.pid; exec zpinc-file $RELAY \$ZPINC_TOPIC \$ZPINC_LIVE" \
		--pub "echo \$\$ > pub.pid; trap '' TERM; zpinc-file $RELAY; sleep 30"
	join bob "$RELAY"
	agree alice bob
	run -1 kill -0 "$(cat sub.pid)"
	run -1 kill -0 "$(cat pub.pid)"
}

@test "a transport can open neither keys nor what the handshake writes" {
	mkdir bin config config/zpinc
	cp ops.key config/zpinc/more.key
	zpinc-key identity -o me.id 2> /dev/null
	cat > bin/zpinc-spy <<- EOF
		#!/bin/sh
		for f in ops.key me.id config/zpinc/more.key out.conv \
			state.alice/zpinc/known; do
			if cat "$PWD/\$f" > /dev/null 2>&1; then
				echo "\$f" >> "$PWD/relay/read"
			fi
		done
		ls /dev/pts > /dev/null 2>&1 && echo pts >> "$PWD/relay/read"
		# The consoles that its user could read from.
		for f in $(echo /dev/console /dev/tty[0-9]*); do
			true 2> /dev/null < \$f && echo \$f >> "$PWD/relay/read"
		done
		cat /etc/hostname > /dev/null && echo ran >> "$PWD/relay/read"
		exec zpinc-file "$RELAY" "\$2" "\$3"
	EOF
	chmod +x bin/zpinc-spy
	mkdir relay
	PATH=$PWD/bin:$PATH
	join alice -f -i ./me.id -o ./out.conv -t 0.3 "spy://$PWD/relay"
	await_status alice 4
	if grep -q 'cannot' alice.err || [ "$ZP_MODE" != release ]; then
		skip "no Landlock here"
	fi
	[ "$(cat relay/read)" = ran ]
}

@test "keys are hidden from transports wherever they are looked for" {
	[ "$ZP_MODE" = release ] || skip "only releases are confined"
	local x odd=$PWD/'odd [a] *'
	mkdir -p bin relay .config/zpinc "$odd/zpinc"
	cp ops.key .config/zpinc/more.key
	cp ops.key "$odd/zpinc/more.key"
	cat > bin/zpinc-spy <<- EOF
		#!/bin/sh
		cat "$odd/zpinc/more.key" > /dev/null 2>&1 && echo odd >> relay/read
		cat .config/zpinc/more.key > /dev/null 2>&1 &&
			echo usual >> relay/read
		echo ran >> relay/read
		exec zpinc-file "$RELAY" "\$2" "\$3"
	EOF
	chmod +x bin/zpinc-spy
	# What is no absolute path counts as if it were not set.
	for x in config "$odd"; do
		PATH=$PWD/bin:$PATH XDG_CONFIG_HOME=$x run zpinc-handshake \
			-k ./ops.key -u alice -o ./out.conv -t 0.3 \
			"spy://$PWD/relay"
		[ "$status" = 4 ]
		if [[ "$output" == *cannot* ]]; then
			skip "no Landlock here"
		fi
		run ! grep usual relay/read
		grep -q ran relay/read
	done
	[ "$(sort -u relay/read)" = $'odd\nran' ]
	[ "$(grep -c odd relay/read)" = 1 ]
}

# Else it would have the keys at the next login.
@test "a transport writes where its relay is, and nowhere else" {
	[ "$ZP_MODE" = release ] || skip "only releases are confined"
	local autostart=.config/systemd/user/x.service
	mkdir -p bin relay config "${autostart%/*}"
	for f in .bashrc .profile bin/zpinc-pipe; do
		echo mine > "$f"
	done
	ln -s ../.bashrc relay/link
	cat > bin/zpinc-spy <<- EOF
		#!/bin/sh
		exec 2> /dev/null
		cd "$PWD"
		for f in .bashrc .profile bin/zpinc-pipe bin/x $autostart \
			config/x .config/x relay/link relay/../x \
			"\$XDG_STATE_HOME/zpinc/x" "\$XDG_STATE_HOME/x" /tmp/x.\$\$ \
			relay/new "\$XDG_STATE_HOME/zpinc/writer/new"; do
			(echo evil >> "\$f") && echo "\${f##*/}" >> relay/wrote
		done
		mkdir bin/y && echo made >> relay/wrote
		mv -f relay/new .profile && echo moved >> relay/wrote
		rm -f .profile
		ln .bashrc relay/hard && echo linked >> relay/wrote
		mkdir -p relay/sub/sub && mv relay/new relay/sub/sub &&
			rm -r relay/sub && echo ran >> relay/wrote
		exec zpinc-file "$RELAY" "\$2" "\$3"
	EOF
	chmod +x bin/zpinc-spy
	PATH=$PATH:$PWD/bin
	join alice -f -t 0.3 "spy://$PWD/relay"
	await_status alice 4
	if grep -q 'cannot\|lacks' alice.err; then
		skip "no Landlock here"
	fi
	[ "$(tr '\n' ' ' < relay/wrote)" = 'new new ran ' ]
	for f in .bashrc .profile bin/zpinc-pipe; do
		[ "$(cat "$f")" = mine ]
	done
	# Of another host's URL it is not a path here.
	rm relay/wrote
	join alice -f -t 0.3 "spy://host$PWD/relay"
	await_status alice 4
	[ ! -e relay/wrote ]
}

@test "the process with the keys can make no socket and start no program" {
	[ "$ZP_MODE" = release ] || skip "only releases are confined"
	mkfifo in
	zpinc-handshake -k ./ops.key -u alice -t 10 -o ./alice.conv < in \
		> /dev/null 2> alice.err 3>&- &
	alice=$!
	exec 4> in
	for ((i = 0; i < 500; i++)); do
		! grep -q '^Seccomp:.*2' "/proc/$alice/status" || break
		sleep 0.02
	done
	if grep -q cannot alice.err; then
		skip "this kernel does not confine"
	fi
	grep -q '^Seccomp:.*2' "/proc/$alice/status"
	exec 4>&-
	rc=0
	wait $alice || rc=$?
	[ $rc = 5 ]
}

@test "signals end it: it leaves, and says what was missing" {
	zpinc-handshake -v -k ./ops.key -u alice -n 3 -o ./alice.conv \
		"$RELAY" 2> alice.err 3>&- &
	alice=$!
	join bob -v -n 3 -t 5 "$RELAY"
	await_line bob.err 'alice is here'
	await_line alice.err 'bob is here'
	kill -TERM $alice
	rc=0
	wait $alice || rc=$?
	[ $rc = 4 ]
	grep -q 'interrupted: only 2 of at least 3' alice.err
	await_line bob.err 'alice left'
}

@test "a URL comes from a file or the environment when it holds a secret" {
	echo "$RELAY" > url
	join alice @url
	ZPINC_URL=$RELAY join bob -
	agree alice bob
}
