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
"$bench/harness" -t -n "$rounds" -u "lines=$lines" -i "$dir/lines" \
	'a line a record' 'limit seal' "$bench/limit seal" \
	'zpinc-seal >= 0.85' "$zpseal"
"$bench/harness" -t -n "$rounds" -u "lines=$lines" -i "$dir/records" \
	'a line a record' 'limit open' "$bench/limit open" \
	'zpinc-open >= 0.85' "$zpopen"
"$bench/harness" -s -n "$rounds" -u "lines=$lines" -i "$dir/lines" \
	'a line a record, both at once' \
	'limit seal | limit open' "$bench/limit seal | $bench/limit open" \
	'zpinc-seal | zpinc-open >= 0.85' "$zpseal | $zpopen"
