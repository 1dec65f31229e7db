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

@test "every option of a tool is in its page" {
	for tool in zpinc-seal zpinc-open zpinc-handshake zpinc-pipe \
		zpinc-file zpinc-http zpinc-mqtt zpinc-redis zpinc-mles; do
		[ -x "$ZP_BUILD/$tool" ] || continue
		page=$ZP_ROOT/man/$tool.1
		names=$("$ZP_BUILD/$tool" --help |
			sed -n 's/^ \{1,6\}\(-., \)\{0,1\} *--\([a-z-]*\).*/\2/p')
		for name in $names; do
			grep -Eq "(Fl|,) (Fl )?--?$name( |\$)" "$page" || {
				echo "$tool --$name"
				return 1
			}
		done
	done
}
