#!/usr/bin/env bats
# The manual as text.

bats_require_minimum_version 1.5.0

@test "no page of the manual has lint" {
	run -0 mandoc -Tlint -W warning "$ZP_ROOT"/man/*.[157]
	[ -z "$output" ]
}

@test "every page fits into 80 columns" {
	for page in "$ZP_ROOT"/man/*.[157]; do
		[ -r "$page" ]
		mandoc -Tascii "$page" | col -b | expand |
			awk -v p="$page" 'length > 80 { print p ": " $0; bad = 1 }
				END { exit bad }'
	done
}

# in_page PAGE COMMAND...: does the page have all options of its --help?
in_page() {
	local page=$ZP_ROOT/man/$1.1 names name
	shift
	names=$("$@" --help |
		sed -n 's/^ \{1,6\}\(-., \)\{0,1\} *--\([a-z-]*\).*/\2/p')
	[ -n "$names" ]
	for name in $names; do
		grep -Eq "(Fl|,) (Fl )?--?$name( |\$)" "$page" || {
			echo "$* --$name"
			return 1
		}
	done
}

@test "every option of a tool is in its page" {
	for tool in zpinc-seal zpinc-open zpinc-handshake zpinc-pipe \
		zpinc-file zpinc-http zpinc-mqtt zpinc-redis zpinc-mles; do
		[ -x "$ZP_BUILD/$tool" ] || continue
		in_page "$tool" "$ZP_BUILD/$tool"
	done
}

@test "every option of a command of zpinc-key is in its page" {
	commands=$("$ZP_BUILD/zpinc-key" --help | sed -n 's/^  \([a-z]*\) .*/\1/p')
	[ "$(wc -w <<< "$commands")" -ge 9 ]
	for command in $commands; do
		in_page zpinc-key "$ZP_BUILD/zpinc-key" "$command"
	done
}
