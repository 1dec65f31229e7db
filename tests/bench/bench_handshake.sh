#!/bin/bash
# A live handshake over zpinc-file, processes and all: from the moment its
# members are started to the moment the last has its key and has ended.  The
# aim with three is the settle delay (500 ms, in which somebody else might
# come) and at most 150 ms.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
PATH=$ZP_BUILD:$PATH
export XDG_STATE_HOME=$dir/state XDG_RUNTIME_DIR=$dir
rounds=${ROUNDS:-11}
settle=500

for t in zpinc-key zpinc-handshake zpinc-file; do
	command -v "$t" > /dev/null || {
		echo "skipped: $t is not built"
		exit 0
	}
done
zpinc-key new --random -c bench -o "$dir/key" 2> /dev/null

# One handshake of $1 members; its time in microseconds.
once() {
	local pids=() i start end
	start=${EPOCHREALTIME/[.,]/}
	for ((i = 0; i < $1; i++)); do
		zpinc-handshake -f -k "$dir/key" -u "m$i" -n "$1" -t 20 \
			-o "$dir/$i.conv" "file:$dir/relay" 2> "$dir/$i.err" &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i" || {
			cat "$dir"/*.err >&2
			exit 1
		}
	done
	end=${EPOCHREALTIME/[.,]/}
	echo $((end - start))
}

for n in 2 3 5 10; do
	for ((r = 0; r < rounds; r++)); do
		once "$n"
	done | sort -n | awk -v n="$n" -v settle="$settle" \
		-v table="${ZP_BENCH_TSV:-/dev/null}" '
		{ t[NR] = $1 / 1000 }
		END {
			m = t[int((NR + 1) / 2)]
			printf "%2d members: median %.0f ms, " \
			    "worst %.0f ms: settle %d ms + %.0f ms\n",
			    n, m, t[NR], settle, m - settle
			printf "%d members\ta live handshake over a folder" \
			    "\t\t\t\t\t%d\ttime\t%s\t%.0f\tms\t\n", n, NR,
			    n == 3 ? "<= " settle + 150 : "", m >> table
		}'
done
