#!/bin/sh
# shellcheck disable=SC2154
# One large body, -w and --raw, against limit.c and against what people use
# to encrypt a stream.  Peak memory is to stay below 16 MiB.
# shellcheck source=notes.sh
. "$ZP_ROOT/tests/bench/notes.sh"
mib=${MIB:-256}
rounds=${ROUNDS:-5}
most=65536
# Bytes of a body that a record of so many characters holds.
room=47063

head -c "$((mib * 1048576))" /dev/zero >"$dir/body"
zpseal="$zpseal -w --max-record $most"
a=$($zpseal <"$dir/body" 2>/dev/null | head -n 1 | wc -c)
b=$("$bench/limit" wseal "$room" <"$dir/body" | head -n 1 | wc -c)
[ "$a" = "$b" ] || {
	echo "limit's records have $b characters, ours $a: mend room"
	exit 1
}
set -- "a body of $mib MiB" 'limit wseal' "$bench/limit wseal $room" \
	'zpinc-seal -w >= 0.85' "$zpseal"
# Peers that are not there are named once, by bench_startup.sh.
if command -v age >/dev/null && command -v age-keygen >/dev/null; then
	age-keygen -o "$dir/age" 2>/dev/null
	set -- "$@" 'age -r' "age -r $(age-keygen -y "$dir/age")"
fi
echo pass >"$dir/pass"
if command -v gpg >/dev/null; then
	mkdir -m 700 "$dir/gpg"
	set -- "$@" 'gpg -c -z0' "gpg --homedir $dir/gpg --batch --pinentry-mode loopback --passphrase-file $dir/pass -c -z0"
fi
if command -v openssl >/dev/null; then
	set -- "$@" 'openssl enc' "openssl enc -chacha20 -pbkdf2 -pass file:$dir/pass"
fi
"$bench/harness" -n "$rounds" -u "MiB=$mib" -i "$dir/body" \
	-v 'zpinc-seal -w' "$@" 2>"$dir/err" || {
	cat "$dir/err" >&2
	exit 1
}
if command -v gpg >/dev/null; then
	gpgconf --homedir "$dir/gpg" --kill all 2>/dev/null || true
fi
$zpseal <"$dir/body" >"$dir/records"
set -- "a body of $mib MiB, opened" 'limit wopen' "$bench/limit wopen" \
	'zpinc-open --raw >= 0.85' "$zpopen --raw"
if [ -e "$dir/age" ]; then
	age -r "$(age-keygen -y "$dir/age")" <"$dir/body" >"$dir/sealed"
	printf '#!/bin/sh\nexec age -d -i %s <%s\n' "$dir/age" "$dir/sealed" \
		>"$dir/age-d"
	chmod 700 "$dir/age-d"
	set -- "$@" 'age -d' "$dir/age-d"
fi
"$bench/harness" -n "$rounds" -u "MiB=$mib" -i "$dir/records" \
	-v 'zpinc-open --raw' "$@"
# Whatever the size of a body, the peak column is to stay below 16 MiB.
