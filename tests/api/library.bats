#!/usr/bin/env bats
# libzpinc as another program's author meets it: installed, by pkg-config.

load ../cli/common

# Only the release build is installed; of the others the example is built with
# the library as it lies there.
setup_file() {
	export API_DIR=$ZP_BUILD/tests/api
	[ "$ZP_MODE" = release ] || return 0
	export API_DIR=$BATS_FILE_TMPDIR
	make -s -C "$ZP_ROOT" install PREFIX="$API_DIR/usr" >/dev/null
	export PKG_CONFIG_PATH=$API_DIR/usr/lib/pkgconfig
	# shellcheck disable=SC2046
	cc -std=c99 -pedantic -Wall -Werror -o "$API_DIR/example" \
		"$ZP_ROOT/tests/api/example.c" \
		$(pkg-config --static --cflags --libs zpinc)
}

setup() {
	common_setup
	make_key ./k.key
	PATH=$API_DIR:$PATH
}

@test "what a program seals, zpinc-open opens" {
	run bash -c 'printf hello | example seal ./k.key prog | zpinc-open -k ./k.key -F "%u %m"'
	[ "$status" = 0 ]
	[ "$output" = 'prog hello' ]
	head -c 300000 /dev/urandom >in
	example seal ./k.key prog <in | zpinc-open -k ./k.key --raw | cmp - in
}

@test "what zpinc-seal seals, a program opens, also in parts and decorated" {
	seq 3 | zpinc-seal -k ./k.key -u alice | sed 's/^/topic /' >r
	head -c 9000 /dev/zero | tr '\0' x | zpinc-seal -k ./k.key -u bob -w >>r
	example open ./k.key <r >out
	[ "$(head -3 out)" = $'alice: 1\nalice: 2\nalice: 3' ]
	[ "$(sed -n 4p out | wc -c)" = 9006 ]
}

@test "a program signs with an identity, and sees that a note is signed" {
	zpinc-key identity -o ./me.id 2>/dev/null
	printf x | example seal ./k.key alice ./me.id >r
	[ "$(zpinc-open -k ./k.key -F %s <r)" = new ]
	[ "$(example open ./k.key <r)" = 'alice (signed): x' ]
}

@test "a program is told what is wrong" {
	run example open ./no.key </dev/null
	[ "$status" = 1 ]
	[[ "$output" == *'key or identity missing'* ]]
	make_key ./other.key
	echo x | zpinc-seal -k ./k.key >r
	run bash -c 'example open ./other.key <r'
	[ "$status" = 1 ]
	[[ "$output" == *'nothing that the key opens'* ]]
	run example seal ./k.key $'a\033b' </dev/null
	[ "$status" = 1 ]
}

@test "the header is C++, too" {
	[ "$ZP_MODE" = release ] || skip 'the release build is what is installed'
	command -v c++ >/dev/null || skip 'no C++ compiler here'
	echo '#include <zpinc.h>' >t.cc
	c++ -Wall -Werror -I"$API_DIR/usr/include" -c -o t.o t.cc
}
