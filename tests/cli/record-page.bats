#!/usr/bin/env bats
# The worked examples of zpinc-record(5) and zpinc(7).  They are written by
# the second implementation, so the tools are not their own witness.

bats_require_minimum_version 1.5.0

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	umask 077
	RECORD=$ZP_ROOT/man/zpinc-record.5
	PROTOCOL=$ZP_ROOT/man/zpinc.7
	PATH=$ZP_BUILD:$PATH
	export XDG_STATE_HOME=$PWD/state XDG_CONFIG_HOME=$PWD/config
	unset CREDENTIALS_DIRECTORY ZPINC_UID
}

example() {
	/usr/bin/python3 "$ZP_ROOT/tests/cli/page-example.py" "$@"
}

# The value NAME of an example in zpinc-record(5).
value() {
	example get "$RECORD" "$1" "$2"
}

# The body of an example, as bytes.
body() {
	value "$1" body | /usr/bin/python3 -c \
		'import sys; sys.stdout.buffer.write(bytes.fromhex(input()))'
}

# A key file from what the page says of password, channel and work factor.
page_key() {
	[ -e "$ZP_ROOT/cmd/zpinc-open.c" ] || skip "no zpinc-open in this tree"
	value note password >pass
	zpinc-key new -c "$(value note channel)" --passfile pass \
		--work "$(value note work)" -o page.key
}

@test "every value of the worked examples is recomputed" {
	run -0 example check "$RECORD" "$PROTOCOL"
	[[ "$output" == *" values, 0 wrong" ]]
}

@test "a wrong digit in an example is found" {
	sed '/example signed/,/^\.Ed/s/^ek =$/ek = 00/' "$RECORD" >page
	run ! cmp -s page "$RECORD"
	run -1 example check page "$PROTOCOL"
	[[ "$output" == *"signed: ek is "* ]]
}

@test "a value that is missing in an example is found" {
	sed '/example note/,/^\.Ed/{/^com =/,/^  /d}' "$RECORD" >page
	run -1 example check page "$PROTOCOL"
	[[ "$output" == *"note: com is missing"* ]]
}

@test "the second implementation opens the page's records" {
	for e in note signed; do
		value $e record | /usr/bin/python3 \
			"$ZP_ROOT/tests/oracle/zpinc.py" open \
			--key "$(value note key)" --channel ops >out
		[ "$(jq -r '"\(.verdict) \(.uid) \(.seq) \(.time)"' out)" = \
			"ok alice $(value $e seq) $(value $e time)" ]
	done
	value message record | /usr/bin/python3 \
		"$ZP_ROOT/tests/oracle/zpinc.py" conv open \
		--key "$(value note key)" --channel ops \
		--record-key "$(value message 'record key')" \
		--id "$(value message 'conversation id')" >out
	[ "$(jq -r '"\(.verdict) \(.uid) \(.seq) \(.first)"' out)" = \
		"ok bob 7 7" ]
}

@test "the library opens the page's records, each under its own key" {
	{
		value note amac
		value note aenc
		value note msgkey
		example get "$PROTOCOL" pair "record key"
		example get "$PROTOCOL" pair "conversation id"
		example get "$PROTOCOL" pair "alice P"
		example get "$PROTOCOL" pair "bob P"
	} | tr -d '\n' >keys
	{
		cat keys
		echo
		for e in note signed message; do
			value $e record | tr -d '\n' | od -An -v -tx1 | tr -d ' \n'
			echo
		done
	} >lines
	run -0 "$ZP_BUILD/tests/oracle/verdict" <lines
	alice=$(printf alice | od -An -tx1 | tr -d ' ')
	bob=$(printf bob | od -An -tx1 | tr -d ' ')
	sid=$(value note sid)
	[[ "${lines[0]}" == " $alice:0:1:1:0:$sid:0:$(value note time)::"* ]]
	[[ "${lines[1]}" == " $alice:0:1:3:0:$sid:1:$(value signed time):$(
		value signed idkey):"* ]]
	[[ "${lines[2]}" == " $bob:0:2:1:0:$(value message sid):7:"* ]]
}

@test "the page's password gives the page's two topics" {
	page_key
	run -0 zpinc-key topic -k ./page.key
	[ "$output" = "$(value note 'RP text')" ]
	run -0 zpinc-key topic -k ./page.key --live
	[ "$output" = "$(value note 'live RP text')" ]
}

@test "zpinc-open shows the page's note, and only its body with --raw" {
	page_key
	value note record >rec
	run -0 zpinc-open -k ./page.key -F '%u %k %s %m' <rec
	[ "$output" = "alice note anonymous $(body note)" ]
	zpinc-open -k ./page.key --raw <rec >got
	body note | cmp - got
}

@test "zpinc-open pins the page's identity, and then knows it" {
	page_key
	value signed record >rec
	run -0 zpinc-open -k ./page.key -F '%u %s %m' <rec
	[ "$output" = "alice new $(body signed)" ]
	run -0 zpinc-open -k ./page.key -F '%u %s %m' <rec
	[ "$output" = "alice known $(body signed)" ]
}

@test "the page's records open when a client prints text around them" {
	page_key
	{
		printf '%s ' "$(value note 'RP text')"
		value note record
		printf '{"payload":"%s","qos":1}\n' "$(value signed record)"
	} >rec
	run -0 zpinc-open -k ./page.key -F '%m' <rec
	[ "${#lines[@]}" -eq 2 ]
}
