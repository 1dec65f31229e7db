#!/bin/bash
# A live message, from one zpinc-pipe's input to another's output: the median
# of many, one at a time.  The aim is 2 ms, over a folder and over redis.
set -eu
dir=$(mktemp -d)
server=
clean() {
	[ -z "$server" ] || stop_server "$server"
	rm -rf "$dir"
}
trap clean EXIT
PATH=$ZP_BUILD:$PATH
export XDG_STATE_HOME=$dir/state
. "$ZP_ROOT/tests/compose/servers.bash"
zpinc-key new --random -c bench -o "$dir/key" 2>/dev/null

measure() { # NAME URL
	/usr/bin/python3 - "$dir/key" "$2" "$1" "${ROUNDS:-500}" <<'END'
import os
import statistics
import subprocess
import sys
import time

key, url, name, rounds = sys.argv[1:]
pipes = [subprocess.Popen(["zpinc-pipe", "-k", key, "-u", uid, "-F", "%m",
                           "--require-fs", url],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL) for uid in ("a", "b")]
times = []
for i in range(int(rounds) + 20):
    line = b"%d\n" % i
    start = time.perf_counter()
    pipes[0].stdin.write(line)
    pipes[0].stdin.flush()
    if pipes[1].stdout.readline() != line:
        sys.exit(f"bench_pipe: {name}: line {i} did not come")
    if i >= 20:
        times.append((time.perf_counter() - start) * 1000)
    time.sleep(0.005)
times.sort()
low, median, high = statistics.quantiles(times)
with open(os.environ.get("ZP_BENCH_TSV", os.devnull), "a") as out:
    print(f"zpinc-pipe over {name}", "a live message, typed to shown", "", "",
          "", "", len(times), "time", "<= 2", f"{median:.3f}", "ms", "",
          sep="\t", file=out)
print(f"{name}: median {median:.2f} ms, "
      f"99 % below {times[len(times) * 99 // 100]:.2f} ms, {len(times)} lines")
for p in pipes:
    p.stdin.close()
for p in pipes:
    if p.wait() != 0:
        sys.exit(f"bench_pipe: {name}: status {p.returncode}")
END
}

measure 'a folder' "file:$dir/relay"
if command -v redis-server >/dev/null && [ -x "$ZP_BUILD/zpinc-redis" ]; then
	start_redis "$dir/redis"
	server=$REDIS_PID
	measure redis "redis://127.0.0.1:$REDIS_PORT"
else
	echo 'skipped: no redis-server or no zpinc-redis'
fi
