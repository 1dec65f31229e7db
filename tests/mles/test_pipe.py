#!/usr/bin/python3 -B
"""zpinc-pipe among MlesTalk's clients, over a real Mles relay.

TRIALS: how many trials each schedule gets; without it, a few schedules are
tried once.  SEED says where they begin.
"""
import asyncio
import json
import os
import random
import sys
import tempfile
import time

import drive
import mles_wire
from app import App
from test_schedules import Tap

TRIALS = int(os.environ.get("TRIALS", "0"))
SEED = int(os.environ.get("SEED", "1"))
NAMES = ["alice", "9", "Zoë", "10", "alice!"]
LIMIT = 30  # seconds for anything
RELAY = os.path.join(drive.ROOT, "tests", "mles", "relay.py")


def clock():
    return int(time.time() * 1000)


async def until(what, limit=LIMIT):
    end = time.monotonic() + limit
    while not what():
        if time.monotonic() > end:
            return False
        await asyncio.sleep(0.01)
    return True


class Pipe:
    """A zpinc-pipe with its lines, events and diagnostics."""
    ours = True

    def __init__(self, name, *options):
        self.name, self.options = name, options
        self.shown, self.events, self.err = [], [], []
        self.p, self.tasks = None, []

    async def start(self, url):
        self.p = await asyncio.create_subprocess_exec(
            os.path.join(drive.BUILD, "zpinc-pipe"), "-k", "./talk.key",
            "-u", self.name, "--json", *self.options, url,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE, limit=1 << 22)
        self.tasks = [asyncio.create_task(self.read_out()),
                      asyncio.create_task(self.read_err())]

    async def read_out(self):
        async for line in self.p.stdout:
            x = json.loads(line)
            if "event" in x:
                self.events.append(x)
            else:
                self.shown.append((x["uid"], x.get("body"),
                                   x["kind"] == "message"))

    async def read_err(self):
        async for line in self.p.stderr:
            self.err.append(line.decode())

    async def say(self, said, keys=0):
        self.p.stdin.write(said.encode() + b"\n")
        await self.p.stdin.drain()

    def has(self, sender, said):
        return any(x[:2] == (sender, said) for x in self.shown)

    def fs(self):
        last = [e["event"] for e in self.events
                if e["event"] in ("conversation", "alone")]
        return bool(last) and last[-1] == "conversation"

    def told(self, text):
        return any(text in line for line in self.err)

    async def stop(self):
        if self.p.stdin:
            self.p.stdin.close()
        status = await asyncio.wait_for(self.p.wait(), LIMIT)
        for t in self.tasks:
            await t
        return status


class Room:
    """A relay of its own, and members; kinds as in test_schedules."""
    numbers = 0

    def __init__(self, kinds, seed=1, names=None, options=()):
        self.rng = random.Random(seed)
        self.names = names or NAMES
        self.channel = drive.CHANNEL
        self.members = [self.make(k, n, options)
                        for k, n in zip(kinds, self.names)]
        self.turn = self.lost = self.among = 0
        self.spoke = set()
        self.relay = self.url = None

    def make(self, kind, name, options=()):
        if kind == "O":
            return Pipe(name, *options)
        return App(name, self.channel, drive.GROUP, self.rng, clock)

    async def start(self):
        self.relay = await asyncio.create_subprocess_exec(
            sys.executable, "-B", RELAY, stdout=asyncio.subprocess.PIPE)
        port = (await self.relay.stdout.readline()).split()[1].decode()
        self.port = port
        for m in self.members:
            await self.enter(m)
        return self

    async def enter(self, m):
        scheme = "mles+ws" if m.ours else "ws"
        await m.start("%s://127.0.0.1:%s" % (scheme, self.port))
        if m.ours:  # heard, when it says what lines become, or why not
            await until(lambda: m.p.returncode is not None or any(
                "lines are notes" in e for e in m.err) or
                "--require-fs" in m.options)

    def speakers(self, schedule):
        n = len(self.members)
        self.turn += 1
        if schedule in ("turn", "keys"):
            return [(self.turn - 1) % n]
        if schedule == "cross" and self.rng.random() < 0.3:
            return self.rng.sample(range(n), 2)
        if schedule == "all":
            return list(range(n))
        if schedule == "one":
            return [0]
        return [self.rng.randrange(n)]

    async def say(self, who, keys=0):
        said = []
        for i in who:
            Room.numbers += 1
            text = "hello %d" % Room.numbers
            await self.members[i].say(text, keys)
            said.append((i, text))
        known = set(self.spoke)
        self.spoke.update(who)
        for i, text in said:
            # Whom nobody has heard yet is in no conversation.
            for j, m in enumerate(self.members):
                if j == i or j not in known:
                    continue
                sender = self.members[i].name
                ours = m.ours or self.members[i].ours
                if await until(lambda: m.has(sender, text),
                               LIMIT if ours else 5):
                    continue
                # Prototypes split among themselves when they cross.
                self.lost += ours
                self.among += not ours
                print("# %s has not: %s: %s" % (m.name, sender, text))

    def all_fs(self):
        return all(m.fs() for m in self.members)

    async def converse(self, schedule, limit):
        """Speaks until all have forward secrecy."""
        for _ in range(limit):
            await self.say(self.speakers(schedule),
                           7 if schedule == "keys" else 0)
            if self.all_fs():
                break
            # as slow as people: presence goes out between
            await until(self.all_fs, 0.5)
            if self.all_fs() or self.lost > 3:
                break
        return self.all_fs()

    async def after(self, rounds=2):
        """Does everybody read everybody, and under the key?"""
        for m in self.members:
            m.shown.clear()
        for _ in range(rounds):
            for i in range(len(self.members)):
                await self.say([i])
        return self.lost == 0 and self.all_fs() and all(
            x[2] for m in self.members for x in m.shown)

    async def stop(self):
        statuses = await asyncio.gather(*(m.stop() for m in self.members))
        self.relay.terminate()
        await self.relay.wait()
        return list(statuses)


async def schedule(kinds, how, seed):
    room = await Room(kinds, seed).start()
    good = await room.converse(how, 14 * len(kinds))
    turns = room.turn
    read = good and await room.after()
    statuses = await room.stop()
    if room.lost:
        for m in room.members:
            print("# %s: %s" % (m.name, json.dumps(getattr(
                m, "err", m.shown))))
    print("# %s %s, seed %d: %d turns, %d lost, %d among prototypes" % (
        kinds, how, seed, turns, room.lost, room.among), flush=True)
    Tap.ok(good and read and room.lost == 0,
           "%s, %s: all reach forward secrecy and read one another" % (
               kinds, how))
    Tap.ok(all(s in (0, None) for s in statuses),
           "%s, %s: every line was shown by the relay" % (kinds, how))


def chosen():
    some = [("OP", "turn"), ("POP", "turn"), ("OOP", "random"),
            ("PPO", "keys"), ("PO", "one")]
    if len(sys.argv) > 2:
        some = [(sys.argv[1], sys.argv[2])]
    elif TRIALS > 0:
        some = [(kinds, how)
                for kinds in ("OP", "PO", "OO", "OPP", "POP", "PPO", "OOP",
                              "OOO", "OPPP")
                for how in ("turn", "random", "cross", "keys", "all")]
    return [(kinds, how, seed) for kinds, how in some
            for seed in range(SEED, SEED + max(TRIALS, 1))]


async def schedules():
    # Most of it is waiting, so some go on at the same time.
    room = asyncio.Semaphore(6)

    async def one(trial):
        async with room:
            await schedule(*trial)

    await asyncio.gather(*map(one, chosen()))


def main(run):
    with tempfile.TemporaryDirectory() as home:
        os.chdir(home)
        os.environ["HOME"] = home
        with open("talk.key", "w", encoding="ascii",
                  opener=lambda p, f: os.open(p, f, 0o600)) as f:
            f.write(drive.keyfile())
        asyncio.run(run())
    print("1..%d" % Tap.n)
    return 1 if Tap.failed else 0


if __name__ == "__main__":
    sys.exit(main(schedules))
