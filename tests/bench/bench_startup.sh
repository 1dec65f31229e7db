#!/bin/sh
# One message a process, as cron sends it, against a program that only calls
# sodium_init(); the aim is 1.3 times.  Others beside, where installed.
set -eu
bench=$ZP_BUILD/tests/bench
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
PATH=$ZP_BUILD:$PATH
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

set -- sodium_init "$bench/limit init"
"$bench/harness" -n "$rounds" -i "$dir/line" "$@" \
	zpinc-seal "zpinc-seal -k $dir/key -u bench" \
	'zpinc-seal --state' "zpinc-seal -k $dir/key -u bench --state $dir/s"
"$bench/harness" -n "$rounds" -i "$dir/record" "$@" \
	zpinc-open "zpinc-open -k $dir/key"
if command -v age >/dev/null && command -v age-keygen >/dev/null; then
	age-keygen -o "$dir/age" 2>/dev/null
	"$bench/harness" -n 50 -i "$dir/line" "$@" \
		'age -r' "age -r $(age-keygen -y "$dir/age")"
else
	echo 'skipped: age is not installed'
fi
if command -v gpg >/dev/null; then
	mkdir -m 700 "$dir/gpg"
	echo pass >"$dir/pass"
	"$bench/harness" -n 10 -i "$dir/line" "$@" 'gpg -c' \
		"gpg --homedir $dir/gpg --batch --pinentry-mode loopback --passphrase-file $dir/pass -c"
	gpgconf --homedir "$dir/gpg" --kill all 2>/dev/null || true
else
	echo 'skipped: gpg is not installed'
fi
