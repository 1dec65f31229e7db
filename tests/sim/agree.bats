#!/usr/bin/env bats
# The machine and the reference, driven by the same schedules, agree after
# every step: phase, view, next deadline, conversation, keys, and the hello
# that goes out, byte for byte.  ZP_SIM_RUNS: how many runs of each.

setup() {
	sim=$ZP_BUILD/tests/sim/zpsim
	reference=$ZP_ROOT/tests/sim/reference.py
	schedule=$BATS_TEST_TMPDIR/schedule
	runs=${ZP_SIM_RUNS:-1}
}

# agree SCENE MEMBERS SEED RUNS
agree() {
	"$sim" -x "$1" -n "$2" -s "$3" -r $(($4 * runs)) -o "$schedule"
	/usr/bin/python3 "$reference" "$schedule"
}

@test "machine and reference agree when members come and go" {
	agree storm 5 10 3
	agree join 4 20 3
	agree leave 4 30 3
	agree restart 4 40 3
	agree rekey 3 50 1
}

@test "machine and reference agree in chaos" {
	agree chaos 3 60 5
	agree wild 3 70 6
	agree wild 5 80 1
}

@test "machine and reference agree under a relay that hides and replays" {
	agree heal 4 90 2
	agree cut 3 100 1
	agree replay 3 110 2
	agree retained 3 140 1
}

@test "machine and reference agree among insiders who lie" {
	for kind in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 15 16 17 18 19 20; do
		seed=$((kind * 6 + 2))
		[ "$kind" = 16 ] && continue # a flood is long
		agree rogues 4 $seed 1
	done
}

@test "machine and reference agree on who flaps and on forged joins" {
	agree flapper 3 150 2
	agree thrown-back 3 160 2
}

@test "machine and reference agree on fixed and on crowded conversations" {
	agree fixed 3 120 8
	agree crowd 2 130 1
}

@test "the reference finds a step that went another way" {
	"$sim" -x storm -n 3 -s 1 -o "$schedule"
	sed -i '0,/^is 0 2 /s//is 0 1 /' "$schedule"
	run /usr/bin/python3 "$reference" "$schedule"
	[ "$status" -eq 1 ]
	[[ $output == *"phase: machine 1"* ]]
}
