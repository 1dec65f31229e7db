#!/bin/sh
# One message a process, as cron sends it, against a program that only calls
# sodium_init(); the aim is 1.3 times its processor time.  Others beside, where
# installed.
set -eu
bench=$ZP_BUILD/tests/bench
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
PATH=$ZP_BUILD:$PATH
export HOME="$dir"
rounds=${ROUNDS:-500}

for t in zpinc-key zpinc-seal zpinc-open; do
	command -v "$t" >/dev/null || {
		echo "skipped: $t is not built"
		exit 0
	}
done
zpinc-key new --random -c bench -o "$dir/key" 2>/dev/null
echo 'disk 91% full' >"$dir/line"
zpinc-seal -k "$dir/key" -u bench <"$dir/line" >"$dir/record"

set -- 'one message a process' sodium_init "$bench/limit init"
"$bench/harness" -t -n "$rounds" -i "$dir/line" "$@" \
	'zpinc-seal <= 1.3' "zpinc-seal -k $dir/key -u bench" \
	'zpinc-seal --state' "zpinc-seal -k $dir/key -u bench --state $dir/s"
"$bench/harness" -t -n "$rounds" -i "$dir/record" "$@" \
	'zpinc-open <= 1.3' "zpinc-open -k $dir/key"
if command -v age >/dev/null && command -v age-keygen >/dev/null; then
	age-keygen -o "$dir/age" 2>/dev/null
	"$bench/harness" -t -n 50 -i "$dir/line" "$@" \
		'age -r' "age -r $(age-keygen -y "$dir/age")"
else
	echo 'skipped: age is not installed'
fi
if command -v openssl >/dev/null; then
	echo pass >"$dir/pass"
	"$bench/harness" -t -n 50 -i "$dir/line" "$@" 'openssl enc' \
		"openssl enc -chacha20 -pbkdf2 -pass file:$dir/pass"
else
	echo 'skipped: openssl is not installed'
fi
if command -v gpg >/dev/null; then
	mkdir -m 700 "$dir/gpg"
	echo pass >"$dir/pass"
	"$bench/harness" -t -n 10 -i "$dir/line" "$@" 'gpg -c' \
		"gpg --homedir $dir/gpg --batch --pinentry-mode loopback --passphrase-file $dir/pass -c" \
		2>"$dir/gpg.err" || {
		cat "$dir/gpg.err" >&2
		exit 1
	}
	gpgconf --homedir "$dir/gpg" --kill all 2>/dev/null || true
else
	echo 'skipped: gpg is not installed'
fi
# What else cron would run; both do next to nothing here.
if command -v curl >/dev/null; then
	"$bench/harness" -t -n 50 "$@" 'curl of a local file' \
		"curl -s file://$dir/line"
else
	echo 'skipped: curl is not installed'
fi
if command -v redis-cli >/dev/null; then
	"$bench/harness" -t -n 50 "$@" 'redis-cli --version' \
		'redis-cli --version'
else
	echo 'skipped: redis-cli is not installed'
fi
