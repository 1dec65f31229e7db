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

# What bash would offer after these words.
offers() {
	bash --norc -c '
		. "$ZP_ROOT/completions/zpinc.bash"
		COMP_WORDS=("$@")
		COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
		_zpinc
		printf "%s\n" "${COMPREPLY[@]}"' offers "$@"
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
