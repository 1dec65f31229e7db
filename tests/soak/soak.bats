#!/usr/bin/env bats
# A small run of what `make soak-kills` does at length.

soak() {
	/usr/bin/python3 "$ZP_ROOT/tests/soak/soak.py" "$@"
}

@test "five members lose nothing while relays and members are killed" {
	soak --lines 200 --rate 40 --kills 1 --outages 2 redis
}

@test "nor while one of two relays is dead, and then lies" {
	soak --lines 200 --rate 40 --outages 1 file liar
}
