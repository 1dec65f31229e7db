#!/bin/bash
# Many zpinc-pipe on one channel in one machine: when all are in one
# conversation, one line of each to all others, and what that costs each
# member.  ZP_MEMBERS=100 for more, ZP_RELAY=redis for another relay.
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
url=file:$dir/relay
if [ "${ZP_RELAY:-file}" = redis ]; then
	start_redis "$dir/redis"
	server=$REDIS_PID
	url=redis://127.0.0.1:$REDIS_PORT
fi

/usr/bin/python3 - "$dir/key" "$url" "${ZP_MEMBERS:-20}" <<'END'
import json
import os
import selectors
import subprocess
import sys
import time

key, url, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
began = time.monotonic()
sel = selectors.DefaultSelector()


class Member:
    def __init__(self, i):
        self.name = f"m{i}"
        self.size = 0           # of its conversation
        self.heard = set()
        self.rest = b""
        # The keyed process and its transport are those that count.
        self.pipe = subprocess.Popen(
            ["zpinc-pipe", "-k", key, "-u", self.name, "--json",
             "--require-fs", "--max-members", str(max(n + 8, 64)), url],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL)
        os.set_blocking(self.pipe.stdout.fileno(), False)
        sel.register(self.pipe.stdout, selectors.EVENT_READ, self)

    def read(self):
        data = self.pipe.stdout.read() or b""
        lines = (self.rest + data).split(b"\n")
        self.rest = lines.pop()
        for line in lines:
            o = json.loads(line)
            if o.get("event") == "conversation":
                self.size = len(o["members"])
            elif "event" not in o:
                self.heard.add(o["body"])

    def cost(self):
        """CPU seconds and KiB: of the keyed process, of its transport."""
        found = {}
        with open(f"/proc/{self.pipe.pid}/task/{self.pipe.pid}/children",
                  encoding="ascii") as f:
            pids = f.read().split()
        for pid in pids:
            with open(f"/proc/{pid}/comm", encoding="ascii") as f:
                name = f.read().strip()
            with open(f"/proc/{pid}/schedstat", encoding="ascii") as f:
                busy = int(f.read().split()[0]) / 1e9
            with open(f"/proc/{pid}/statm", encoding="ascii") as f:
                kib = int(f.read().split()[1]) * 4
            kind = "keyed" if name == "zpinc-pipe" else "transport"
            found[kind] = (busy, kib)
        return found


def until(true, seconds, what):
    end = time.monotonic() + seconds
    while not true():
        for k, _ in sel.select(0.2):
            k.data.read()
        if time.monotonic() > end:
            sys.exit(f"bench_many: not within {seconds} s: {what}")


def say(text):
    print(f"{n} members: {text}", flush=True)


def costs():
    all_ = [m.cost() for m in members]
    return {k: (sum(c[k][0] for c in all_) / n,
                sum(c[k][1] for c in all_) / n) for k in all_[0]}


def tell(what, before, after, seconds):
    say(f"{what} {seconds:.1f} s; " + ", ".join(
        f"{k} {after[k][0] - before[k][0]:.3f} s CPU, "
        f"{after[k][1] / 1024:.1f} MiB" for k in after) + " each")


NOTHING = {"keyed": (0, 0), "transport": (0, 0)}
members = [Member(i) for i in range(n)]
until(lambda: all(m.size == n for m in members), 900, "one conversation")
joined = costs()
tell("all in one conversation after", NOTHING, joined,
     time.monotonic() - began)

at = time.monotonic()
for m in members:
    m.pipe.stdin.write(f"hello from {m.name}\n".encode())
    m.pipe.stdin.flush()
until(lambda: all(len(m.heard) == n - 1 for m in members), 300, "all lines")
said = costs()
tell(f"{n} lines to {n - 1} others in", joined, said, time.monotonic() - at)

at = time.monotonic()
until(lambda: time.monotonic() > at + 30, 60, "nothing")
idle = costs()
tell("receipts and then nothing for", said, idle, 30)

at = time.monotonic()
extra = Member(n)
members.append(extra)
n += 1
until(lambda: all(m.size == n for m in members), 900, "one more")
tell("one more joins within", idle, costs(), time.monotonic() - at)
for m in members:
    m.pipe.terminate()
for m in members:
    m.pipe.wait()
END
