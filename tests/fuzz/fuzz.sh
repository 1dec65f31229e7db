#!/bin/sh
# make fuzz, fuzz-min, fuzz-cov: runs targets by libFuzzer.
#
#	fuzz.sh run|min|cov TARGET...
#
# What is found on the way is kept under build/fuzz/found until `min` takes
# what adds coverage over to the tree; what fails lies in build/fuzz/bad.
set -u
what=$1
shift
bin=$ZP_BUILD/tests/fuzz
tree=$ZP_ROOT/tests/fuzz/corpus
work=$ZP_ROOT/build/fuzz
export LLVM_PROFILE_FILE=/dev/null
export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1
most=${MOST:-4096}
status=0

run() {
	mkdir -p "$work/found/$1" "$work/bad" "$tree/$1"
	seeds=
	[ ! -d "$ZP_ROOT/build/seeds/$1" ] || seeds=$ZP_ROOT/build/seeds/$1
	# -close_fd_mask=2: targets say on stderr what is wrong with an input.
	# shellcheck disable=SC2086
	"$bin/fuzz_$1" -max_total_time="${T:-60}" -max_len="$most" \
		-timeout=20 -rss_limit_mb=2048 -close_fd_mask=2 -verbosity=1 \
		-use_value_profile=1 -print_final_stats=1 \
		-artifact_prefix="$work/bad/$1-" \
		"$work/found/$1" "$tree/$1" $seeds >"$work/$1.log" 2>&1
	rc=$?
	runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/$1.log")
	printf '%-12s %12s runs  %s\n' "$1" "${runs:-?}" \
		"$([ $rc = 0 ] && echo clean || echo "FAILED: $work/$1.log")"
	[ $rc = 0 ] || status=1
}

min() {
	mkdir -p "$work/min/$1" "$work/found/$1"
	rm -f "$work/min/$1"/*
	seeds=
	[ ! -d "$ZP_ROOT/build/seeds/$1" ] || seeds=$ZP_ROOT/build/seeds/$1
	# shellcheck disable=SC2086
	"$bin/fuzz_$1" -set_cover_merge=1 -max_len="$most" -close_fd_mask=2 \
		"$work/min/$1" "$tree/$1" $seeds "$work/found/$1" \
		>"$work/$1.min.log" 2>&1 || { status=1; return; }
	# Regressions have names and stay.
	for f in "$tree/$1"/*; do
		case ${f##*/} in *[!0-9a-f]*) ;; *) rm -f "$f" ;; esac
	done
	for f in "$work/min/$1"/*; do
		[ -e "$f" ] || continue
		name=$(sha1sum <"$f" | cut -c1-16)
		cp "$f" "$tree/$1/$name"
	done
	printf '%-12s %5s inputs %8s bytes\n' "$1" \
		"$(find "$tree/$1" -type f | wc -l)" \
		"$(cat "$tree/$1"/* | wc -c)"
}

# Lines covered by the corpus, of the files that the target is about: those
# of the library of which it covers anything.
cov() {
	prof=$work/$1.profraw
	LLVM_PROFILE_FILE=$prof "$bin/fuzz_$1" -runs=0 -close_fd_mask=2 \
		"$tree/$1" >"$work/$1.cov.log" 2>&1 || status=1
	llvm-profdata merge -sparse "$prof" -o "$work/$1.profdata"
	llvm-cov report "$bin/fuzz_$1" -instr-profile="$work/$1.profdata" \
		"$ZP_ROOT/lib" 2>/dev/null >"$work/$1.cov"
	awk -v t="$1" '
		$1 ~ /\.[ch]$/ && $8 > $9 { lines += $8; missed += $9
			files = files sprintf("  %s %s", $1, $10) }
		END { if (!lines) lines = 1
			printf "%-12s %5.1f %% of %5d lines\n", t,
				100 * (lines - missed) / lines, lines
			if (length(ENVIRON["V"])) print files }
	' "$work/$1.cov"
}

for target; do
	$what "$target"
done
exit $status
