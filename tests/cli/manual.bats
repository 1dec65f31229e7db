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
