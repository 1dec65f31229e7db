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
a=$($zpseal <"$dir/body" | head -n 1 | wc -c)
b=$("$bench/limit" wseal "$room" <"$dir/body" | head -n 1 | wc -c)
[ "$a" = "$b" ] || {
	echo "limit's records have $b characters, ours $a: mend room"
	exit 1
}
set -- 'limit wseal' "$bench/limit wseal $room" 'zpinc-seal -w' "$zpseal"
if command -v age >/dev/null && command -v age-keygen >/dev/null; then
	age-keygen -o "$dir/age" 2>/dev/null
	set -- "$@" 'age -r' "age -r $(age-keygen -y "$dir/age")"
else
	echo 'skipped: age is not installed'
fi
if command -v gpg >/dev/null; then
	mkdir "$dir/gpg"
	echo pass >"$dir/pass"
	set -- "$@" 'gpg -c -z0' "gpg --homedir $dir/gpg --batch --pinentry-mode loopback --passphrase-file $dir/pass -c -z0"
else
	echo 'skipped: gpg is not installed'
fi
if command -v openssl >/dev/null; then
	echo pass >"$dir/pass"
	set -- "$@" 'openssl enc' "openssl enc -chacha20 -pbkdf2 -pass file:$dir/pass"
else
	echo 'skipped: openssl is not installed'
fi
"$bench/harness" -n "$rounds" -u "MiB=$mib" -i "$dir/body" "a body of $mib MiB" "$@"
gpgconf --homedir "$dir/gpg" --kill all 2>/dev/null || true
$zpseal <"$dir/body" >"$dir/records"
"$bench/harness" -n "$rounds" -u "MiB=$mib" -i "$dir/records" "a body of $mib MiB" \
	'limit wopen' "$bench/limit wopen" 'zpinc-open --raw' "$zpopen --raw"
