# shellcheck shell=bash
# Members over a relay that is hostile to them, each with a transport of
# zpinc-hostile's; see there for what treat can say.

# shellcheck source-path=SCRIPTDIR source=../cli/pipe.bash
. "$ZP_ROOT/tests/cli/pipe.bash"

hostile_setup() {
	pipe_setup
	PATH=$PATH:$ZP_ROOT/tests/hostile
	mkdir net
}

# comes NAME ARGUMENT...
comes() {
	local name=$1
	shift
	member "$name" "$@" "hostile://$HOME/net?$name"
}

# treat [NAME] MODE...: whole or not at all.
treat() {
	local to=mode
	case $1 in
	alice | bob | carol) to=mode.$1 && shift ;;
	esac
	echo "$*" > "net/$to.new"
	mv "net/$to.new" "net/$to"
}

# exactly NAME UID COUNT WORD: NAME saw UID's lines WORD 1 to COUNT, each
# once, in order, and what it saw of UID with WORD is nothing else.
exactly() {
	sees "$1" "$2: $4 $3"
	diff <(grep -F " $4 " "$1.out" | grep "$2: ") \
		<(seq -f "$2: $4 %g" "$3")
}

# Lines WORD 1 to COUNT of NAME.
says() {
	seq -f "$3 %g" "$2" >&"${FD[$1]}"
}

# What anybody saw was said, by whom it is shown to be said.
authentic() { # PATTERN
	run ! grep -Ehv "$1" alice.out bob.out carol.out
	run ! grep -q $'\e' alice.out alice.err bob.out bob.err
}

# No line became a note.
no_downgrade() {
	run ! grep -q 'lines are notes' alice.err bob.err carol.err
	run ! grep -qF '[note]' alice.out bob.out carol.out
	sed 's/^[a-z]* //' net/log | zpinc-open -k ./ops.key -F '%k %u %m' \
		> notes 2> /dev/null
	[ ! -s notes ]
}
