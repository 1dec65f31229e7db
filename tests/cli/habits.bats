#!/usr/bin/env bats
# What somebody expects who comes from other tools of Unix.

# bats runs each test in a process of its own and stops it at an error.
# shellcheck disable=SC2030,SC2031,SC2016
bats_require_minimum_version 1.5.0

load common

setup() {
	common_setup
	make_key ./ops.key
	TOPIC=$(zpinc-key topic -k ./ops.key)
	RELAY=file:$HOME/relay
}

TOOLS=(zpinc-key zpinc-seal zpinc-open zpinc-handshake zpinc-pipe zpinc-file
	zpinc-http zpinc-mqtt zpinc-redis zpinc-mles)

@test "a help or version that does not reach its reader is an error, and says so" {
	local tool option
	for tool in "${TOOLS[@]}"; do
		for option in --help --version; do
			run bash -c "$tool $option > /dev/full"
			[ "$status" -eq 5 ]
			[ "$output" = "$tool: standard output: No space left on device" ]
			run bash -c "$tool $option >&-"
			[ "$status" -eq 5 ]
			[[ "$output" == "$tool: standard output"* ]]
		done
	done
}

@test "a transport tells a closed standard input or output, if it needs that" {
	run timeout 20 bash -c "zpinc-file $RELAY <&-"
	[ "$status" -eq 5 ]
	[ "$output" = 'zpinc-file: standard input is closed' ]
	run timeout 20 bash -c "zpinc-file -1 $RELAY $TOPIC >&-"
	[ "$status" -eq 5 ]
	[ "$output" = 'zpinc-file: standard output is closed' ]
	echo note | zpinc-seal -k ./ops.key > rec
	timeout 20 bash -c "zpinc-file $RELAY < rec >&-"
	timeout 20 bash -c "zpinc-file -1 $RELAY $TOPIC <&-" |
		zpinc-open -k ./ops.key > out
	[ "$(cat out)" = note ]
	# No file of the relay was taken for one of the three.
	cmp rec relay/"$TOPIC"/*.zp
}

@test "a transport that is given text in place of records says so" {
	run bash -c "df | zpinc-file $RELAY"
	[ "$status" -eq 0 ]
	[[ "${lines[0]}" == *': no record in the input: nothing was published' ]]
	[ "${lines[1]}" = 'hint: zpinc-seal makes records of text' ]
	# What holds some, nothing, or what another transport says, is fine.
	run bash -c "{ date; date | zpinc-seal -k ./ops.key; } | zpinc-file $RELAY"
	[ "$output" = '' ]
	run bash -c "printf '\n#up\n#live\n' | zpinc-file $RELAY"
	[ "$output" = '' ]
	run bash -c "zpinc-file $RELAY < /dev/null"
	[ "$output" = '' ]
}

@test "a channel's name in place of its topic is wrong usage, not silence" {
	run zpinc-file -1 "$RELAY" ops
	[ "$status" -eq 2 ]
	[ "${lines[0]}" = 'zpinc-file: ops: not a topic' ]
	[ "${lines[1]}" = 'hint: zpinc-key topic -k KEY prints it' ]
	run -0 zpinc-file -1 "$RELAY" "$TOPIC" "$(zpinc-key topic --live -k ./ops.key)"
}

@test "a port that is none is not blamed on the scheme" {
	run zpinc-mqtt mqtt://127.0.0.1:99999 < /dev/null
	[ "$status" -eq 2 ]
	[ "${lines[0]}" = 'zpinc-mqtt: the URL is malformed' ]
	[ "${lines[1]}" = 'hint: what is behind its scheme; man zpinc-mqtt has the form' ]
	run zpinc-mqtt broker < /dev/null
	[ "$status" -eq 2 ]
	[ "${lines[1]}" = 'hint: it begins with one of: mqtt mqtts' ]
	run zpinc-file -1 /srv/ops "$TOPIC"
	[ "$status" -eq 2 ]
	[ "${lines[1]}" = 'hint: it begins with one of: file' ]
	run zpinc-pipe -k ./ops.key /srv/ops < /dev/null
	[ "$status" -eq 2 ]
	[ "${lines[1]}" = 'hint: SCHEME://HOST, or file:DIR' ]
}

@test "a URL that is missing or empty is told as that" {
	local tool
	for tool in 'zpinc-pipe' 'zpinc-handshake -o x.conv'; do
		run -2 bash -c "$tool -k ./ops.key - < /dev/null"
		[ "$output" = "${tool%% *}: no URL: \$ZPINC_URL is not set" ]
		run -2 bash -c "$tool -k ./ops.key '' < /dev/null"
		[ "$output" = "${tool%% *}: the URL is empty" ]
	done
}

@test "an empty name is no name, and not that of the user" {
	run -2 zpinc-seal -k ./ops.key -u '' < /dev/null
	[ "$output" = 'zpinc-seal: -u: the name is empty' ]
	run -2 zpinc-pipe -k ./ops.key -u '' "$RELAY" < /dev/null
	[ "$output" = 'zpinc-pipe: -u: the name is empty' ]
	run -2 zpinc-handshake -k ./ops.key -u '' -o ./x.conv "$RELAY"
	[ "${lines[0]}" = 'zpinc-handshake: -u: the name is empty' ]
	export ZPINC_UID=
	echo x | zpinc-seal -k ./ops.key | zpinc-open -k ./ops.key -F %u > out
	grep -q '@' out
}

@test "a server that accepts and says nothing is why nothing was delivered" {
	perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(Listen => 1,
		LocalAddr => "127.0.0.1") or die; print $s->sockport, "\n";
		close STDOUT; sleep 60' > port 3>&- &
	local mute=$!
	for ((i = 0; i < 500; i++)); do
		[ ! -s port ] || break
		sleep 0.02
	done
	echo note | zpinc-seal -k ./ops.key > rec
	# An input that cannot be read is not blamed on the server.
	run bash -c "zpinc-mqtt -t 1 mqtt://127.0.0.1:$(cat port) < ."
	[ "$status" -eq 5 ]
	[ "$output" = "zpinc-mqtt: mqtt://127.0.0.1:$(cat port): standard input: Is a directory" ]
	run bash -c "zpinc-mqtt -t 1 mqtt://127.0.0.1:$(cat port) < rec"
	kill "$mute"
	[ "$status" -eq 5 ]
	[[ "${lines[0]}" == *': there was no answer in time' ]]
	[[ "${lines[1]}" == *': not delivered: record 1 of the input' ]]
}

@test "a password in a URL's file that others can read is refused" {
	local tool
	echo mqtt://alice:secret@127.0.0.1:1 > url
	chmod 640 url
	for tool in "zpinc-mqtt" "zpinc-pipe -k ./ops.key" \
		"zpinc-handshake -k ./ops.key -o conv"; do
		run bash -c "$tool @url < /dev/null"
		[ "$status" -eq 2 ]
		[ "${lines[0]}" = "${tool%% *}: @url: others may read or write it" ]
		[ "${lines[1]}" = 'hint: chmod 600 url' ]
	done
	chmod 600 url
	run -0 bash -c 'zpinc-mqtt @url < /dev/null'
	# So systemd's credentials look to a service's own user.
	if [ "$(id -u)" -eq 0 ]; then
		chmod 440 url
		CREDENTIALS_DIRECTORY=$PWD run -0 zpinc-mqtt "@$PWD/url" < /dev/null
	fi
	# Without a password it is no secret.
	echo mqtt://alice@127.0.0.1:1 > url
	chmod 644 url
	run -0 bash -c 'zpinc-mqtt @url < /dev/null'
}

@test "a key for TLS without its certificate is wrong usage" {
	local url tool
	for url in mqtt://127.0.0.1 mqtts://127.0.0.1:1 rediss://127.0.0.1:1; do
		tool=${url%%:*}
		run "zpinc-${tool%s}" --key none.pem "$url" < /dev/null
		[ "$status" -eq 2 ]
		[[ "$output" == *': --key goes with --cert' ]]
	done
}

@test "certificates that are not there are named at once" {
	echo note | zpinc-seal -k ./ops.key > rec
	run zpinc-mqtt --cafile none.pem mqtts://127.0.0.1:1 < rec
	[ "$status" -eq 5 ]
	[[ "${lines[0]}" == *': none.pem: No such file or directory' ]]
	run zpinc-redis --cert none.pem rediss://127.0.0.1:1 < rec
	[ "$status" -eq 5 ]
	[[ "${lines[0]}" == *': none.pem: No such file or directory' ]]
	run zpinc-http -C none.pem https://127.0.0.1:1/ops < rec
	[ "$status" -eq 5 ]
	[[ "${lines[0]}" == *': none.pem: No such file or directory' ]]
}

@test "a state file that others may write is not said to be read" {
	seq 3 | zpinc-seal -k ./ops.key --state sent > /dev/null
	chmod 622 sent
	run bash -c 'seq 3 | zpinc-seal -k ./ops.key --state sent'
	[ "$status" -eq 3 ]
	[ "${lines[0]}" = 'zpinc-seal: sent: mode 0622 lets others write it' ]
	chmod 666 ops.key
	run zpinc-key show -k ./ops.key
	[ "$status" -eq 3 ]
	[ "${lines[0]}" = 'zpinc-key: ./ops.key: mode 0666 lets others read and write it' ]
}

@test "zpinc-key import without a line asks for a key, not for a passphrase" {
	run zpinc-key import -o new.key < /dev/null
	[ "$status" -eq 2 ]
	[ "$output" = 'zpinc-key: standard input: no key in its first line' ]
	[ ! -e new.key ]
}

@test "who has no such key is told where it was looked for" {
	unset XDG_CONFIG_HOME CREDENTIALS_DIRECTORY
	HOME=/nowhere run zpinc-seal -k ops < /dev/null
	[ "$status" -eq 3 ]
	[ "${lines[0]}" = 'zpinc-seal: ops: no such key' ]
	[[ "${lines[1]}" == 'hint: '*' looked up in /nowhere/.config/zpinc' ]]
	run env -u HOME zpinc-seal -k ops < /dev/null
	[ "$status" -eq 3 ]
	[[ "${lines[1]}" == 'hint: '*'without $HOME'* ]]
	run env -u HOME zpinc-key new --random -c ops
	[ "$status" -eq 5 ]
	[[ "${lines[0]}" == *'neither XDG_CONFIG_HOME nor HOME is set' ]]
}

@test "without a home it is told why there are no known identities" {
	unset XDG_CONFIG_HOME XDG_STATE_HOME
	while read -r tool rest; do
		# Words are meant to be split.
		# shellcheck disable=SC2086
		run env -u HOME $tool $rest < /dev/null
		[ "$status" -eq 3 ]
		[ "${lines[0]}" = "$tool: known identities: neither XDG_STATE_HOME nor HOME is set" ]
		[[ "${lines[1]}" == 'hint: --trust FILE keeps '*' elsewhere' ]]
	done <<-END
		zpinc-open -k ./ops.key
		zpinc-key trust list
		zpinc-pipe -k ./ops.key $RELAY
		zpinc-handshake -k ./ops.key -o conv $RELAY
	END
}

@test "a home with a slash at its end makes no double slash in a path" {
	unset XDG_CONFIG_HOME CREDENTIALS_DIRECTORY
	HOME=/ run zpinc-seal -k none < /dev/null
	[[ "${lines[1]}" == *' looked up in /.config/zpinc' ]]
	HOME=$HOME/ run zpinc-seal -k none < /dev/null
	[[ "${lines[1]}" == *" looked up in $HOME/.config/zpinc" ]]
	XDG_CONFIG_HOME=$HOME/ run zpinc-seal -k none < /dev/null
	[[ "${lines[1]}" == *" looked up in $HOME/zpinc" ]]
	# And one that is not there is not made.
	HOME=$HOME/none/ run zpinc-key identity
	[ "$status" -eq 5 ]
	[ ! -e none ]
}

@test "a folder of keys that cannot be looked into is told as that" {
	local root=()
	# root looks into all, unless without this privilege.
	[ "$(id -u)" != 0 ] ||
		root=(setpriv --bounding-set '-dac_override,-dac_read_search')
	mkdir -p "$XDG_CONFIG_HOME/zpinc"
	make_key "$XDG_CONFIG_HOME/zpinc/ops.key"
	chmod 000 "$XDG_CONFIG_HOME"
	run "${root[@]}" zpinc-seal -k ops < /dev/null
	chmod 700 "$XDG_CONFIG_HOME"
	[ "$status" -eq 5 ]
	[ "${lines[0]}" = 'zpinc-seal: ops: Permission denied' ]
	[[ "${lines[1]}" == 'hint: '*" looked up in $XDG_CONFIG_HOME/zpinc" ]]
}

@test "a value that makes no sense is told with its option" {
	run -2 zpinc-key new --work 23
	[ "${lines[0]}" = 'zpinc-key: --work: 23 makes no sense here' ]
	run -2 zpinc-key new --suite x
	[ "${lines[0]}" = 'zpinc-key: --suite: x makes no sense here' ]
	run -2 zpinc-key passphrase --words 1
	[ "${lines[0]}" = 'zpinc-key: --words: 1 makes no sense here' ]
	run -2 zpinc-key new --random -o ''
	[ "$output" = 'zpinc-key: -o: the name is empty' ]
	run -2 zpinc-http -k 0
	[ "$output" = 'zpinc-http: --keepalive: 0: not 1 to 3600 seconds' ]
	run -2 zpinc-file -t soon
	[ "$output" = 'zpinc-file: --timeout: soon: not a time' ]
}

@test "an exported key with a damaged end is one with a typing error" {
	local key line
	key=$(zpinc-key export -f -k ./ops.key)
	for line in "${key%?}" "${key}A" "${key%??}!!" zpkey1.; do
		run -3 zpinc-key import -o ./new.key <<< "$line"
		[ "$output" = 'zpinc-key: the line has a typing error in it' ]
	done
	run -3 zpinc-key import -o ./new.key <<< "${key#zpkey1.}"
	[[ "$output" == *'not an exported key'* ]]
	[ ! -e new.key ]
}

@test "a home that is not there is not made" {
	unset XDG_CONFIG_HOME XDG_STATE_HOME
	HOME=$PWD/none run zpinc-key new --random -c ops
	[ "$status" -eq 5 ]
	[ "${lines[0]}" = "zpinc-key: $PWD/none/.config/zpinc: No such file or directory" ]
	echo note | zpinc-seal -k ./ops.key | HOME=$PWD/none zpinc-file "$RELAY" 2> err
	grep -q "$PWD/none/.local/state/zpinc/writer/.* cannot be written: a new" err
	[ ! -e none ]
	mkdir none
	HOME=$PWD/none run -0 zpinc-key new --random -c ops
	[ -e none/.config/zpinc/ops.key ]
}

@test "what df printed ends with its last line" {
	printf 'one\ntwo\n' | zpinc-seal -w -k ./ops.key -u db1 > rec
	zpinc-open -k ./ops.key < rec > out
	printf 'one\n    two\n' | cmp - out
	zpinc-open -k ./ops.key -F '%m (%u)' < rec > out
	printf 'one\n    two (db1)\n' | cmp - out
	# Only one, and only there; what keeps all keeps that, too.
	[ "$(zpinc-open -k ./ops.key -F %M < rec)" = 'one\ntwo\n' ]
	[ "$(zpinc-open -k ./ops.key --json < rec | jq .body)" = '"one\ntwo\n"' ]
	zpinc-open -k ./ops.key --raw < rec | cmp - <(printf 'one\ntwo\n')
	printf 'a\n\n' | zpinc-seal -w -k ./ops.key | zpinc-open -k ./ops.key > out
	printf 'a\n    \n' | cmp - out
	printf '\n' | zpinc-seal -w -k ./ops.key | zpinc-open -k ./ops.key > out
	printf '\n' | cmp - out
}

@test "who may not speak unsigned is told what to do" {
	zpinc-key identity -o ./me.id
	zpinc-key trust pin -k ./ops.key alice "$(zpinc-key public -i ./me.id)"
	run zpinc-pipe -k ./ops.key -u alice "$RELAY" < /dev/null
	[ "$status" -eq 3 ]
	[[ "${lines[0]}" == 'zpinc-pipe: alice: UNSIGNED'* ]]
	[ "${lines[1]}" = 'hint: -i gives the identity; zpinc-key trust forget unpins it' ]
}

# An option's trouble, in words.
says() { # LINE COMMAND...
	local line=$1
	shift
	run timeout 20 "$@" < /dev/null
	echo "$output"
	[ "$status" -eq 2 ]
	[ "${lines[0]}" = "$line" ]
}

@test "an option behind an operand, half of one, or with a value too many" {
	says 'zpinc-pipe: -k: options go before all other arguments' \
		zpinc-pipe "$RELAY" -k ./ops.key
	says 'zpinc-file: --once: options go before all other arguments' \
		zpinc-file "$RELAY" "$TOPIC" --once
	says 'zpinc-key: -k: options go before all other arguments' \
		zpinc-key trust pin alice zpid1.x -k ./ops.key
	says 'zpinc-pipe: --re: short for more than one option' \
		zpinc-pipe --re 10 -k ./ops.key "$RELAY"
	says 'zpinc-pipe: --notes=5: takes no value' \
		zpinc-pipe --notes=5 -k ./ops.key "$RELAY"
	says 'zpinc-seal: --stat: needs a value' zpinc-seal --stat
	says 'zpinc-seal: --stats: no such option' zpinc-seal --stats x
	[ "${lines[1]}" = 'hint: zpinc-seal --help lists the options' ]
	says 'zpinc-key: --json: no such option' zpinc-key show --json
	[ "${lines[1]}" = 'hint: zpinc-key show --help lists the options' ]
	# Short for one is as good as all of it.
	echo note | zpinc-seal --ke ./ops.key --ui bob > rec
	[ "$(zpinc-open --key=./ops.key --form %u < rec)" = bob ]
	# Behind -- nothing is an option; a topic may begin with a dash.
	mkdir -- ./-1
	run -0 zpinc-file -1 -- file:./-1 "$TOPIC"
	run -0 zpinc-file -1 "$RELAY" "-k$TOPIC"
}
