#!/usr/bin/env bats
# Files of keys and identities: what zpinc-key writes the second
# implementation reads, and the other way round, and either seals what the
# other opens.

bats_require_minimum_version 1.5.0

setup() {
	PATH=$ZP_BUILD:$PATH
	cd "$BATS_TEST_TMPDIR"
	export HOME=$BATS_TEST_TMPDIR
	umask 077
	SEED=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
	# All that a name can hold and a line cannot, or not at its ends.
	NAMES=(ops ' a\b ' $'\xe2\x80\xaeevil' 'ääkköset' 'a # b'
		$'\xc2\xad-\xe2\x80\xa8')
}

oracle() {
	/usr/bin/python3 "$ZP_ROOT/tests/oracle/zpinc.py" "$@"
}

# Either side seals with its file of one key, and the other side opens.
both_ways() { # OURS ITS
	printf 'to you\0' | zpinc-seal -w -k "$1" -u alice |
		oracle open --keyfile "$2" >got
	[ "$(jq -r '"\(.verdict) \(.uid) \(.body64)"' got)" = \
		'ok alice dG8geW91AA' ]
	printf 'to me\0' | oracle seal --keyfile "$2" --uid bob |
		zpinc-open -k "$1" --raw | cmp - <(printf 'to me\0')
	[ "$(zpinc-key topic -k "$1")" = \
		"$(oracle derive --channel "$CHANNEL" --key "$KEY" | jq -r .RP)" ]
}

@test "a random key's file is read by either, whatever the channel's name" {
	for CHANNEL in "${NAMES[@]}"; do
		zpinc-key new -f --random -c "$CHANNEL" -o ./ours 2>/dev/null
		KEY=$(oracle import < <(zpinc-key export -f -k ./ours) |
			jq -r .key)
		oracle keyfile --channel "$CHANNEL" --key "$KEY" >its
		both_ways ./ours its
		both_ways ./its ours
	done
}

@test "a passphrase makes the same file in either" {
	printf 'correct horse\r\nnot this\n' >pass
	for CHANNEL in "${NAMES[@]:0:3}"; do
		zpinc-key new -f -c "$CHANNEL" --passfile pass --work 15 \
			-o ./ours 2>/dev/null
		oracle keyfile --channel "$CHANNEL" --passfile pass \
			--work 15 >its
		cmp <(grep -v '^#' ours) its
	done
}

@test "a line of export says the same to either" {
	for CHANNEL in "${NAMES[@]}"; do
		oracle keyfile --channel "$CHANNEL" --key $SEED --export >line
		zpinc-key import -f -o ./ours <line 2>/dev/null
		[ "$(zpinc-key export -f -k ./ours)" = "$(cat line)" ]
		[ "$(oracle import <line | jq -r .channel)" = "$CHANNEL" ]
		oracle keyfile --channel "$CHANNEL" --key $SEED >its
		cmp <(grep -v '^#' ours) its
	done
}

@test "comments, empty lines and CRLF in a key file mean nothing to either" {
	CHANNEL=ops KEY=$SEED
	oracle keyfile --channel ops --key $SEED |
		sed 's/^/# said in passing\n\n/; s/$/\r/' >its
	both_ways ./its its
}

@test "an identity of either signs what the other verifies" {
	zpinc-key new --random -c ops -o ./key 2>/dev/null
	zpinc-key identity -o ./ours 2>/dev/null
	oracle idfile --idseed $SEED >its
	[ "$(zpinc-key public -i ./its)" = \
		zpid1.A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg ]
	for id in ours its; do
		public=$(zpinc-key public -i "./$id")
		echo hi | zpinc-seal -k ./key -u "$id-1" -i "./$id" |
			oracle open --keyfile key >got
		public=$(printf '%s=' "${public#zpid1.}" |
			basenc --base64url -d | basenc --base16 |
			tr A-F a-f | tr -d '\n')
		run -0 jq -r '"\(.verdict) \(.idkey)"' got
		[ "$output" = "ok $public" ]
		echo hi | oracle seal --keyfile key --idfile "$id" \
			--uid "$id-2" >record
		zpinc-open -k ./key --trust ./known --json <record >got
		run -0 jq -r '"\(.identity) \(.idkey)"' got
		[ "$output" = "new $public" ]
	done
}
