#!/usr/bin/env bats
# zpinc-pipe at a terminal: what comes is never written into what is typed.

bats_require_minimum_version 1.5.0
load pipe

setup() {
	pipe_setup
	TERMINALS=0
	cat > run-alice <<- EOF
		#!/bin/sh
		trap : INT
		cd '$HOME'
		zpinc-pipe -k ./ops.key -u alice "\$@" $RELAY
		echo "status \$?"
		stty -a | grep -ow -e '-*icanon' -e '-*echo'
		exec sleep 600
	EOF
	chmod +x run-alice
}

teardown() {
	tmux -S "$SOCKET" kill-server 2> /dev/null || true
	pipe_teardown
}

tm() {
	tmux -S "$SOCKET" -f /dev/null "$@" 3>&-
}

# terminal WIDTH ARGUMENT...: alice at a terminal.
terminal() {
	local width=$1
	shift
	SOCKET=$BATS_TEST_TMPDIR/tmux.$((++TERMINALS))
	tm new-session -d -x "$width" -y 24 "./run-alice $*"
}

screen() {
	tm capture-pane -p | sed 's/ *$//' > screen
}

# The last two lines that are not empty are STATUS (a pattern) and TYPED.
foot_is() {
	screen
	sed '/^$/d' screen | tail -n 2 > foot
	sed -n 1p foot | grep -q "$1" && [ "$(sed -n 2p foot)" = "$2" ]
}

shows() {
	screen
	grep -qxF -- "$1" screen
}

foot() {
	await foot_is "$@" || {
		cat screen
		return 1
	}
}

@test "the foot says who is here, as what lines go, and that the relay is up" {
	terminal 120
	foot '^notes, for all with the key; relay up' '>'
	member bob "$RELAY"
	foot '^conversation: .*bob.*; relay up$' '>'
	run ! grep -q alice: screen
	tm send-keys 'hello bob' Enter
	sees bob 'alice: hello bob'
	hush bob
	ends bob 0
	foot '^lines wait; relay up$' '>'
	tm send-keys 'is anybody here?' Enter
	await shows 'zpinc-pipe: lines wait: nobody else is here any more (--fallback would send notes)'
}

@test "what comes while somebody types goes above the line, which stays whole" {
	terminal 80
	member bob "$RELAY"
	talk 2 bob
	foot '^conversation' '>'
	tm send-keys 'half a li'
	foot '^conversation' '> half a li'
	say bob 'one' 'two' "$(printf 'x%.0s' {1..200})" 'last'
	await shows 'bob: last'
	foot '^conversation' '> half a li'
	grep -qx 'bob: one' screen
	grep -qx 'bob: two' screen
	member carol "$RELAY"
	talk 3 bob
	foot 'carol' '> half a li'
	tm send-keys 'ne' Enter
	sees bob 'alice: half a line'
	foot '^conversation' '>'
	[ "$(times bob.out 'alice: half a line')" = 1 ]
	# Each line stands there once, ours as well.
	[ "$(grep -cx 'bob: one' screen)" = 1 ]
	[ "$(grep -c '^> ' screen)" = 1 ]
}

@test "what was said stays on the screen among what came, in its order" {
	terminal 40
	member bob "$RELAY"
	talk 2 bob
	foot '^conversation' '>'
	tm send-keys 'shall we?' Enter
	sees bob 'alice: shall we?'
	say bob 'yes'
	await shows 'bob: yes'
	tm send-keys -l "good $(printf 'x%.0s' {1..60})"
	tm send-keys Enter
	sees bob "alice: good $(printf 'x%.0s' {1..60})"
	foot '^conversation' '>'
	grep -A 2 -x '> shall we?' screen | grep -qx 'bob: yes'
	grep -A 1 -x 'bob: yes' screen | grep -qx "> good $(printf 'x%.0s' {1..33})"

	tm kill-server
	terminal 40 --echo
	foot '^conversation' '>'
	tm send-keys 'once' Enter
	await shows 'alice: once'
	run ! grep -q '^> once' screen
}

@test "typing can be taken back, a letter, a word or all of it" {
	terminal 80
	member bob "$RELAY"
	talk 2 bob
	foot '^conversation' '>'
	tm send-keys 'grüße' BSpace BSpace 'n'
	foot '^conversation' '> grün'
	tm send-keys ' und rot' C-w
	foot '^conversation' '> grün und'
	tm send-keys C-u 'blau' Left Right Up M-x F5
	foot '^conversation' '> blau'
	tm send-keys Enter
	sees bob 'alice: blau'
}

@test "a line longer than the terminal is wide shows its end" {
	terminal 40
	member bob "$RELAY"
	talk 2 bob
	foot '^conversation' '>'
	long=$(seq -s ' ' 60)
	tm send-keys -l "$long"
	foot '^conversation' "> ${long: -37}"
	say bob 'meanwhile'
	await shows 'bob: meanwhile'
	tm resize-window -x 30
	foot '^conversation' "> ${long: -27}"
	tm send-keys Enter
	sees bob "alice: $long"
}

@test "however it ends, the terminal is as it was" {
	terminal 80
	member bob "$RELAY"
	talk 2 bob
	foot '^conversation' '>'
	tm send-keys 'not sent' C-c
	await shows 'status 0'
	await shows icanon
	await shows echo
	run ! grep -q 'relay up' screen
	hears bob 'alice left'
	run ! grep -q 'not sent' bob.out

	tm kill-server
	terminal 80
	foot '^conversation' '>'
	tm send-keys 'not' C-d
	foot '^conversation' '> not'
	tm send-keys C-u C-d
	await shows 'status 0'
	await shows echo

	tm kill-server
	terminal 80
	foot '^conversation' '>'
	local pid
	pid=$(tm list-panes -F '#{pane_pid}')
	pid=$(pgrep -P "$pid" -x zpinc-pipe)
	kill -9 "$(pgrep -P "$pid" -x zpinc-pipe)"
	await shows 'status 5'
	grep -q 'the process with the keys was killed by signal 9' screen
	await shows echo
}

converses() {
	shows 'zpinc-pipe: conversation: bob and alice' ||
		shows 'zpinc-pipe: conversation: alice and bob'
}

@test "a terminal that cannot move its cursor gets lines alone" {
	sed -i 's/^cd/TERM=dumb; export TERM; cd/' run-alice
	terminal 80
	member bob "$RELAY"
	talk 2 bob
	await converses
	run ! grep -q 'relay up' screen
}

# shell WIDTH: a shell with job control at a terminal, and its prompt.
shell() {
	SOCKET=$BATS_TEST_TMPDIR/tmux.$((++TERMINALS))
	tm new-session -d -x "$1" -y 40 "cd '$HOME' && PS1='\$ ' \
		exec bash --norc --noprofile"
	SHELL_PID=$(tm list-panes -F '#{pane_pid}')
	await prompt
}

# Its last line is a prompt.
prompt() {
	screen
	[ "$(sed '/^$/d' screen | tail -n 1)" = '$' ]
}

# job PROGRAM: the shell's child of that name.
job() {
	pgrep -P "$SHELL_PID" -x "$1"
}

# The screen has the text in some line.
contains() {
	screen
	grep -qF -- "$1" screen
}

# enters LINE: to the shell.
enters() {
	tm send-keys -l -- "$1"
	tm send-keys Enter
}

gone() {
	! kill -0 "$1" 2> /dev/null
}

modes() {
	stty -a < "$(tm list-panes -F '#{pane_tty}')" > modes
	grep -q -- "$1" modes
}

@test "in the background nothing is read, and all else goes on" {
	local topic
	topic=$(zpinc-key topic -k ./ops.key)
	member bob --notes "$RELAY"
	hears bob 'lines are notes'

	shell 80
	enters "zpinc-pipe -k ./ops.key -u alice --notes $RELAY > log 2> told"
	await matches told 'lines are notes'
	tm send-keys C-z
	await prompt
	enters 'bg'
	await prompt
	enters 'echo typed for the shell'
	await shows 'typed for the shell'
	say bob 'while in the background'
	await has log '[note] bob: while in the background'
	enters 'fg; echo status $?'
	await contains '$ fg'
	enters 'typed for bob'
	sees bob '[note] alice: typed for bob'
	say bob 'in the foreground'
	await has log '[note] bob: in the foreground'
	tm send-keys C-c
	await contains 'status 0'

	enters "zpinc-file $RELAY $topic > log2"
	await matches log2 '#live'
	tm send-keys C-z
	await prompt
	enters 'bg'
	await prompt
	enters 'echo typed for the shell again'
	await shows 'typed for the shell again'
	say bob 'once more'
	await matches log2 "^zp1.$topic.*"
	enters 'fg; echo status $?'
	await contains '$ fg; echo status $?'
	tm send-keys C-c
	await prompt
	run ! grep -rq 'typed for the shell' bob.out
}

@test "what was typed and not entered is not sent when the terminal goes" {
	local how pid
	for how in exit hangup; do
		member bob "$RELAY"
		shell 80
		enters "zpinc-pipe -k ./ops.key -u alice --notes $RELAY"
		talk 2 bob
		foot '^notes' '>'
		tm send-keys 'entered' Enter
		sees bob '[note] alice: entered'
		tm send-keys 'never entered'
		foot '^notes' '> never entered'
		pid=$(job zpinc-pipe)
		if [ $how = exit ]; then
			kill -STOP "$pid"
			await prompt
			enters 'exit'
			await contains 'There are stopped jobs'
			enters 'exit'
		else
			tm kill-server
		fi
		await gone "$pid"
		hears bob 'alice left'
		run ! grep -q 'never entered' bob.out
		hush bob
		ends bob 0
		rm bob.err
	done
}

@test "who was stopped and is continued has the terminal again" {
	local how pid
	member bob "$RELAY"
	for how in STOP TSTP all; do
		shell 80
		enters "zpinc-pipe -k ./ops.key -u alice $RELAY"
		foot '^conversation' '>'
		pid=$(job zpinc-pipe)
		if [ $how = all ]; then
			kill -STOP -- -"$pid"
			await prompt
		else
			# The one that has the keys goes on.
			kill -$how "$pid"
			await prompt
			enters 'jobs'
			say bob "while stopped, $how"
			await contains "bob: while stopped, $how"
			tm send-keys Enter
			await prompt
		fi
		enters 'fg'
		foot '^conversation' '>'
		await modes 'susp = <undef>'
		modes '-icanon'
		modes '-echo '
		say bob "after $how"
		await shows "bob: after $how"
		foot '^conversation' '>'
		# The last foot is where the shell found it, as is its own text.
		[ "$(grep -c 'relay up$' screen)" = 2 ]
		grep -qx '$ fg' screen
		tm send-keys 'here again' Enter
		sees bob 'alice: here again'
		tm send-keys C-d
		await prompt
		enters "echo status \$?; stty -a | grep -ow -e '-*icanon' -e '-*echo'"
		await shows echo
		shows 'status 0'
		shows icanon
		tm kill-server
	done
}

@test "a stopped job can be killed, and leaves the shell its terminal" {
	local sig pid
	for sig in TERM INT; do
		shell 80
		enters "zpinc-pipe -k ./ops.key -u alice $RELAY"
		foot '^notes' '>'
		pid=$(job zpinc-pipe)
		kill -STOP "$pid"
		await prompt
		enters "kill -$sig %1; fg"
		await gone "$pid"
		await prompt
		enters "stty -a | grep -ow -e '-*icanon' -e '-*echo'"
		await shows echo
		shows icanon
		tm kill-server
	done
}
