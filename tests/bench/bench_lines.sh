#!/bin/sh
# shellcheck disable=SC2154
# A line a record: zpinc-seal and zpinc-open against limit.c, which does the
# same primitives and nothing else.  The aim is 1.18 times its time at most
# (0.85 of its lines), also as a pipe.
# shellcheck source=notes.sh
. "$ZP_ROOT/tests/bench/notes.sh"
lines=${LINES:-1000000}
rounds=${ROUNDS:-7}

seq -f '%080.0f' "$lines" >"$dir/lines"
$zpseal <"$dir/lines" >"$dir/records"
"$bench/harness" -n "$rounds" -u "lines=$lines" -i "$dir/lines" \
	'limit seal' "$bench/limit seal" zpinc-seal "$zpseal"
"$bench/harness" -n "$rounds" -u "lines=$lines" -i "$dir/records" \
	'limit open' "$bench/limit open" zpinc-open "$zpopen"
"$bench/harness" -s -n "$rounds" -u "lines=$lines" -i "$dir/lines" \
	'limit seal | limit open' "$bench/limit seal | $bench/limit open" \
	'zpinc-seal | zpinc-open' "$zpseal | $zpopen"
