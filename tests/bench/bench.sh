#!/bin/sh
# Runs benchmarks and prints one table of what they measured.
#
#	bench.sh TSV LOG BENCH...
#
# TSV gets the rows that README here describes, LOG what the benchmarks print.
# One that fails or takes longer than three minutes is named, and the others
# go on; the status is 1 then.
set -u
tsv=$1
log=$2
shift 2
status=0
# Benchmarks may change to folders of their own.
case $tsv in
/*) ;;
*) tsv=$PWD/$tsv ;;
esac

{
	echo '# made by make bench; the columns:'
	printf '# name\twhat\tagainst\tmedian\tlow\thigh\tn\tof\taim\tvalue'
	printf '\tunit\tpeak\n'
	echo "# $(date -u '+%Y-%m-%d %H:%M UTC'), $(uname -sm), $(nproc 2>/dev/null ||
		echo '?') processors, $(awk -F': *' '/^model name/ { print $2; exit }' \
			/proc/cpuinfo 2>/dev/null), load $(cut -d' ' -f1 /proc/loadavg \
			2>/dev/null || echo '?')"
} >"$tsv"
: >"$log"
for bench; do
	name=${bench##*/bench_}
	name=${name%.sh}
	start=$(date +%s)
	printf '  BENCH   %s' "$name" >&2
	echo "# $name" >>"$log"
	size=$(wc -c <"$log")
	ZP_BENCH_TSV=$tsv timeout "${ZP_BENCH_LIMIT:-180}" "$bench" \
		>>"$log" 2>&1 </dev/null
	code=$?
	tail -c "+$((size + 1))" "$log" | awk -v name="$name" '
		/^skipped: / {
			sub(/^skipped: /, "")
			printf "skipped\t%s\t%s\n", name, $0
		}' >>"$tsv"
	if [ "$code" != 0 ]; then
		status=1
		printf ': failed' >&2
		printf 'skipped\t%s\tit failed with status %s: see %s\n' "$name" \
			"$code" "$log" >>"$tsv"
	fi
	printf ' (%s s)\n' "$(($(date +%s) - start))" >&2
done
awk -f "${0%/*}/table.awk" "$tsv"
exit "$status"
