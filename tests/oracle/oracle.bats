#!/usr/bin/env bats
# The oracle as a program, as other tests use it.

bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_TMPDIR"
	KEY=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
	SID=000102030405060708090a0b0c0d0e0f
	RK=f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff000102030405060708090a0b0c0d0e0f
}

oracle() {
	/usr/bin/python3 "$ZP_ROOT/tests/oracle/zpinc.py" "$@"
}

seal() {
	oracle seal --key "$KEY" --channel ops --uid alice "$@"
}

read_() {
	oracle open --key "$KEY" --channel ops "$@"
}

@test "derive prints the keys of a password file and of a random key" {
	printf 'correct horse battery staple\r\nmore\n' >pass
	oracle derive --channel ops --passfile pass --work 15 >a
	run -0 jq -r .key a
	grep -q "^key = $output\$" "$ZP_ROOT/tests/vectors/keys.txt"
	oracle derive --channel ops --key "$output" --uid alice >b
	[ "$(jq -r .RP a)" = "$(jq -r .RP b)" ]
	run -0 jq -r '.P | length' b
	[ "$output" = 64 ]
}

@test "what is sealed opens with all its fields" {
	printf 'disk full' | seal --idseed "$KEY" --sid $SID --seq 7 \
		--time 1767225600123 >rec
	run -0 jq -r '"\(.verdict) \(.uid) \(.kind) \(.flags) \(.part) \(.sid) \(.seq) \(.time) \(.body64) \(.idkey | length)"' <(read_ <rec)
	[ "$output" = "ok alice 1 3 0 $SID 7 1767225600123 ZGlzayBmdWxs 64" ]
}

@test "a long body comes in parts and is put together in any order" {
	head -c 10000 /dev/urandom >body
	seal --max-record 2000 <body | shuf >rec
	[ "$(wc -l <rec)" -gt 6 ]
	[ "$(awk '{ if (length($0) > m) m = length($0) } END { print m }' rec)" -le 2000 ]
	read_ --bodies <rec >out
	[ "$(jq -r .parts out)" = "$(wc -l <rec)" ]
	# 10,000 bytes are 13,334 characters: two short of a multiple of 4
	printf '%s==' "$(jq -r .body64 out)" | basenc --base64url -d >got
	cmp got body
}

@test "each line is a body with --lines, an empty one too" {
	printf 'one\n\nthree\n' | seal --lines --seq 5 | read_ >out
	run -0 jq -r '"\(.seq) \(.body64)"' out
	[ "$output" = "$(printf '5 b25l\n6 \n7 dGhyZWU')" ]
}

@test "the same numbers and nonce make the same record, others another" {
	N=$(printf '%048d' 0)
	seal --sid $SID --time 0 --nonce $N </dev/null >a
	seal --sid $SID --time 0 --nonce $N </dev/null >b
	seal --sid $SID --time 0 </dev/null >c
	cmp a b
	run cmp -s a c
	[ "$status" -ne 0 ]
}

@test "a message opens with its conversation's key and with no other" {
	printf hi | oracle conv seal --key "$KEY" --channel ops --uid bob \
		--record-key $RK --id $SID --seq 4 --first 3 >rec
	run -0 jq -r '"\(.verdict) \(.kind) \(.first) \(.keyid)"' <(oracle \
		conv open --key "$KEY" --channel ops --record-key $RK \
		--id $SID <rec)
	[ "$output" = "ok 2 3 $SID" ]
	run -0 jq -r .verdict <(read_ <rec)
	[ "$output" = noise ]
}

@test "subkeys serve in place of the key" {
	oracle derive --channel ops --key "$KEY" >k
	SUB=$(jq -r '.amac + .aenc + .msgkey' k)
	printf hi | seal >rec
	run -0 jq -r .verdict <(oracle open --subkeys "$SUB" --channel ops <rec)
	[ "$output" = ok ]
}

@test "a wrong record is made on demand and is refused" {
	for how in reserved:refused com-flip:noise box-flip:broken \
		foreign-rp:foreign b64-rp-loose:none; do
		printf hi | seal --mutate "${how%:*}" >rec
		run -0 jq -r .verdict <(read_ --all <rec)
		[ "$output" = "${how#*:}" ]
	done
	run -2 seal --mutate nothing </dev/null
}

@test "hellos are written and read" {
	printf '{"flags":1,"gen":2,"notes":3,"messages":4,"view":"%s","z":"%s","entries":[]}' \
		"$KEY" $RK >h
	oracle hello <h >hex
	run -0 jq -S . <(oracle hello <hex)
	[ "$output" = "$(jq -S . h)" ]
	tr a-f A-F <hex | tr -d '\n' | basenc --base16 -d | seal --kind 3 | read_ >out
	[ "$(jq -r '"\(.verdict) \(.live) \(.hello.gen)"' out)" = "ok true 2" ]
	printf '%sff' "$(cat hex)" >long
	run -1 oracle hello <long
}

@test "a group's keys come out the same whatever order members are given in" {
	Y=${KEY:0:62}0
	m() { printf '{"uid":"%s","sid":"%s","y":"%s%s"}' "$1" $SID "$Y" "$2"; }
	printf '{"members":[%s,%s,%s]}' "$(m alice 1)" "$(m bob 2)" \
		"$(m carol 3)" >abc
	printf '{"members":[%s,%s,%s]}' "$(m carol 3)" "$(m alice 1)" \
		"$(m bob 2)" >cab
	oracle group --key "$KEY" --channel ops <abc >one
	oracle group --key "$KEY" --channel ops <cab >two
	cmp one two
	ISK=$(jq -r .ISK one) VIEW=$(jq -r .view one)
	run -0 jq -r .safety <(oracle conv derive --isk "$ISK" --view "$VIEW")
	[ "$output" = "$(jq -r .safety one)" ]
	[[ $output =~ ^([0-9]{5}\ ){5}[0-9]{5}$ ]]
}

@test "vectors that were changed by hand are noticed" {
	cp -r "$ZP_ROOT/tests/vectors" v
	make_vectors() {
		/usr/bin/python3 "$ZP_ROOT/tests/oracle/make-vectors.py" "$@"
	}
	run -0 make_vectors --check v names safety
	sed -i '0,/verdict = refused/s//verdict = ok/' v/names.txt
	run -1 make_vectors --check v names safety
	[ "$output" = "v/names.txt differs from what the oracle makes" ]
}
