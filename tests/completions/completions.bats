#!/usr/bin/env bats
# Completions of bash, zsh and fish say what the tools' --help says.

load ../cli/common

setup() {
	common_setup
}

@test "completions offer exactly what the tools have" {
	for c in "$ZP_ROOT"/cmd/*.c; do
		[ -x "$ZP_BUILD/$(basename "$c" .c)" ] ||
			skip 'not all tools were built'
	done
	/usr/bin/python3 "$ZP_ROOT/tests/completions/generate.py" \
		"$ZP_BUILD" "$ZP_ROOT" --check
}

# What bash would offer after these words, with what readline does by itself
# if a completion has nothing to say.
offers() {
	bash --norc -c '
		fallback=f
		compopt() {
			case "$*" in *"+o default"*) fallback= ;; esac
			case "$*" in *"-o dirnames"*) fallback=d ;; esac
		}
		. "$ZP_ROOT/completions/zpinc.bash"
		COMP_WORDS=("$@")
		COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
		_zpinc
		if [ ${#COMPREPLY[@]} = 0 ] && [ -n "$fallback" ]; then
			word=${COMP_WORDS[COMP_CWORD]}
			mapfile -t COMPREPLY < <(compgen -$fallback -- "${word#=}")
		fi
		IFS=" "
		printf "%s\n" "${COMPREPLY[*]}"' offers "$@"
}

# The same for fish and a line; what an option is, is left out.
fish_offers() {
	fish -c '
		source $ZP_ROOT/completions/zpinc.fish
		complete -C $argv[1]' -- "$1" </dev/null | cut -f 1 | sort |
		paste -sd ' '
}

# What zsh's _zpinc asks _arguments to complete, or compadd to add, when the
# cursor is in the last of these words.
zsh_asks() {
	zsh -f -c '
		_arguments() { print -rl -- "arguments of: $words" "$@" }
		compadd() { print -r -- "$@" }
		words=("$@") CURRENT=$# service=$1 PREFIX=${@[-1]}
		. $ZP_ROOT/completions/_zpinc' zsh_asks "$@"
}

# A key, an identity, files and a folder.
have_things() {
	mkdir -p "$XDG_CONFIG_HOME/zpinc" here/folder
	make_key "$XDG_CONFIG_HOME/zpinc/ops.key"
	make_key "$XDG_CONFIG_HOME/zpinc/a team.key"
	: >"$XDG_CONFIG_HOME/zpinc/me.id"
	cd here || return 1
	: >cert.pem
}

need() {
	command -v "$1" >/dev/null || skip "no $1 here"
}

@test "bash completes options, commands, choices and the user's keys" {
	mkdir -p "$XDG_CONFIG_HOME/zpinc"
	make_key "$XDG_CONFIG_HOME/zpinc/ops.key"
	[ "$(offers zpinc-seal --max)" = --max-record ]
	[ "$(offers zpinc-key to)" = topic ]
	[ "$(offers zpinc-key topic --li)" = --live ]
	[ "$(offers zpinc-open --trust-new n)" = never ]
	[ "$(offers zpinc-open -k '')" = ops ]
	[ "$(offers zpinc-open -k o)" = ops ]
}

@test "bash: a letter is what it is to its tool" {
	have_things
	for t in mqtt redis http mles; do
		[ "$(offers "zpinc-$t" -k '')" = '' ]
	done
	[ "$(offers zpinc-http -s '')" = 'sse json' ]
	[ "$(offers zpinc-mqtt -s c)" = cert.pem ]
	[ "$(offers zpinc-http -H c)" = cert.pem ]
	[ "$(offers zpinc-http -H '' | wc -w)" = 2 ]
	[ "$(offers zpinc-http -C '' | wc -w)" = 2 ]
	[ "$(offers zpinc-mqtt -s '' | wc -w)" = 2 ]
	[ "$(offers zpinc-handshake -o c)" = cert.pem ]
	[ "$(offers zpinc-seal -i '')" = me ]
	[ "$(offers zpinc-seal -u '')" = '' ]
}

@test "bash: --key of a transport is a file, --state of a pipe a folder" {
	have_things
	for t in mqtt redis mles; do
		[ "$(offers "zpinc-$t" --key '' | wc -w)" = 2 ]
		[ "$(offers "zpinc-$t" --key c)" = cert.pem ]
		[ "$(offers "zpinc-$t" --key o)" = '' ]
	done
	[ "$(offers zpinc-seal --state c)" = cert.pem ]
	[ "$(offers zpinc-pipe --state '')" = folder ]
	[ "$(offers zpinc-pipe --sub zpinc-sea)" = zpinc-seal ]
}

@test "bash: a key is a name, or a path with a slash" {
	have_things
	[ "$(offers zpinc-open -k '')" = 'a\ team ops' ]
	[ "$(offers zpinc-open -k 'a\ t')" = 'a\ team' ]
	[ "$(offers zpinc-open -k ./f)" = ./folder ]
	[ "$(offers zpinc-open -k ./ | wc -w)" = 2 ]
	# Not a key: it is not looked for here.
	[ "$(offers zpinc-open -k c)" = '' ]
	[ "$(offers zpinc-open -k f)" = folder ]
}

@test "bash: --option=value, whether = breaks words or not" {
	have_things
	[ "$(offers zpinc-open --key = o)" = ops ]
	[ "$(offers zpinc-open --key =)" = 'a\ team ops' ]
	[ "$(offers zpinc-open --key=o)" = --key=ops ]
	[ "$(offers zpinc-http --stream = j)" = json ]
	[ "$(offers zpinc-mqtt --key = c)" = cert.pem ]
	[ "$(offers zpinc-mqtt --keepalive =)" = '' ]
	[ "$(offers zpinc-key new --suite = m)" = mles ]
	# No option, so no options.
	[ "$(offers zpinc-open --expect alice = -)" = '' ]
}

@test "bash: what zpinc-key trust can do" {
	have_things
	[ "$(offers zpinc-key trust '')" = 'list pin forget' ]
	[ "$(offers zpinc-key trust p)" = pin ]
	[ "$(offers zpinc-key trust --t)" = --trust ]
	[ "$(offers zpinc-key trust pin --t)" = --trust ]
	[ "$(offers zpinc-key trust forget -k o)" = ops ]
	[ "$(offers zpinc-key trust -k o)" = ops ]
}

@test "fish offers the same" {
	need fish
	have_things
	for t in mqtt redis http mles; do
		[ "$(fish_offers "zpinc-$t -k ")" = '' ]
	done
	for t in mqtt redis mles; do
		[ "$(fish_offers "zpinc-$t --key ")" = 'cert.pem folder/' ]
	done
	[ "$(fish_offers 'zpinc-http -s ')" = 'json sse' ]
	[ "$(fish_offers 'zpinc-http -H ')" = 'cert.pem folder/' ]
	[ "$(fish_offers 'zpinc-pipe --state ')" = folder/ ]
	[ "$(fish_offers 'zpinc-open -k ')" = 'a team folder/ ops' ]
	[ "$(fish_offers 'zpinc-open --key=o')" = --key=ops ]
	[ "$(fish_offers 'zpinc-open -k ./')" = './cert.pem ./folder/' ]
	[ "$(fish_offers 'zpinc-seal -i m')" = me ]
	[ "$(fish_offers 'zpinc-key trust ')" = 'forget list pin' ]
	[ "$(fish_offers 'zpinc-key trust pin --t')" = --trust ]
	[ "$(fish_offers 'zpinc-key trust pin -k o')" = ops ]
	[ "$(fish_offers 'zpinc-key topic -k trust --l')" = --live ]
}

@test "zsh asks for the same" {
	need zsh
	for t in mqtt redis http mles; do
		zsh_asks "zpinc-$t" -k '' >asked
		grep -q -- '--keepalive=.*:SECONDS: $' asked
	done
	for t in mqtt redis mles; do
		zsh_asks "zpinc-$t" --key '' >asked
		grep -q -- '^--key=.*:FILE:_files$' asked
	done
	zsh_asks zpinc-http -s '' >asked
	grep -q -- '-s+.*:KIND:(sse json)$' asked
	grep -q -- '-H+.*:FILE:_files$' asked
	zsh_asks zpinc-pipe -k '' >asked
	grep -q -- '--key=.*:KEY:_zpinc_keys$' asked
	grep -q -- '--state=.*:DIR:_files -/$' asked
	# May be given again.
	zsh_asks zpinc-open -k '' >asked
	grep -qF -- '*-k+[' asked
	[ "$(zsh_asks zpinc-key trust '')" = '-- list pin forget' ]
	zsh_asks zpinc-key trust - >asked
	grep -qx 'arguments of: trust -' asked
	zsh_asks zpinc-key trust pin -k '' >asked
	grep -qx 'arguments of: pin -k ' asked
	grep -q -- '--key=.*:KEY:_zpinc_keys$' asked
}

@test "zsh and fish read their files, where they are installed" {
	ran=
	if command -v zsh >/dev/null; then
		zsh -n "$ZP_ROOT/completions/_zpinc"
		ran=1
	fi
	if command -v fish >/dev/null; then
		fish -n "$ZP_ROOT/completions/zpinc.fish"
		ran=1
	fi
	[ -n "$ran" ] || skip 'neither zsh nor fish is here'
}
