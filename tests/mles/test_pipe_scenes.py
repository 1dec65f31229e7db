#!/usr/bin/python3 -B
"""zpinc-pipe and a MlesTalk client over a relay: what comes, what goes, who
joins as whom, and what a hostile member or relay does to it."""
import asyncio
import base64
import os
import sys

import websockets

import drive
import mles_proto
import mles_wire
from app import App, b64
from mles_cbor import cbor
from mles_proto import DATA, FULL, Frame
from test_pipe import Pipe, Room, clock, main, until
from test_schedules import Tap

MULTIPART, FIRST, LAST = 0x0800, 0x0400, 0x0200
NONE = b"\xff" * 8


class Raw:
    """A connection that sends whatever it is told to."""

    async def start(self, url):
        self.ws = await websockets.connect(
            url, subprotocols=["mles-websocket"], ping_interval=None,
            max_size=None, compression=None)
        self.got = []
        await self.ws.send('{"uid":"%s","channel":"%s"}' % (
            b64(drive.CHANNEL.box("Uid", "mallory")), b64(drive.CHANNEL.rp)))
        self.task = asyncio.create_task(self.read())
        return self

    async def read(self):
        try:
            async for frame in self.ws:
                if not isinstance(frame, str):
                    self.got.append(frame)
        except websockets.ConnectionClosed:
            pass

    async def send(self, raw):
        await self.ws.send(raw)

    async def frame(self, uid, body=b"", flags=FULL, keys=b"", sid=NONE,
                    when=0):
        f = Frame(mles_wire.quote(uid), sid, flags, keys, body, None,
                  clock() + when)
        raw = cbor(b64(drive.CHANNEL.box("Uid", f.uid)),
                   b64(drive.CHANNEL.rp), drive.CHANNEL.message(f))
        await self.send(raw)
        return raw

    async def stop(self):
        await self.ws.close()
        await self.task


def url_of(room):
    return "ws://127.0.0.1:%s" % room.port


def events(pipe, name):
    return [e for e in pipe.events if e["event"] == name]


async def notes_and_history():
    room = await Room("O").start()
    pipe = room.members[0]
    await pipe.say("Grüße: 100% 'ok'?")
    await until(lambda: events(pipe, "delivered"))
    app = App("Zoë", drive.CHANNEL, drive.GROUP, room.rng, clock)
    await app.start(url_of(room))
    Tap.ok(await until(lambda: app.has("alice", "Grüße: 100% 'ok'?")),
           "who joins later reads a note of ours in the history")
    Tap.ok(app.m.joins == {"alice", mles_wire.quote("Zoë")} or
           app.m.joins == {"alice"},
           "and learns that we joined, under our own name")
    await app.say("hällo\nwelt", keys=4)
    Tap.ok(await until(lambda: pipe.has("Zoë", "hällo\nwelt")),
           "a note of a client is shown as it was typed")
    Tap.ok(not any(x[1] != "hällo\nwelt" for x in pipe.shown),
           "and nothing of its typing")
    url = "data:text/plain;base64," + base64.b64encode(b"z" * 3000).decode()
    pieces = [url[i:i + 1024] for i in range(0, len(url), 1024)]
    for i, piece in enumerate(pieces):
        last = LAST if i + 1 == len(pieces) else 0
        await app.frame("%08x%s" % (7 + i, piece),
                        FULL | DATA | MULTIPART | FIRST | last)
    Tap.ok(await until(lambda: pipe.has("Zoë", "z" * 3000)),
           "a file in pieces arrives whole")
    late = Pipe("bob", "--typing")
    room.members.append(late)
    await room.enter(late)
    Tap.ok(late.has("Zoë", "hällo\nwelt") and late.has("alice",
           "Grüße: 100% 'ok'?"), "a pipe shows the history, too")
    await app.frame("half", 0)
    Tap.ok(await until(lambda: late.has("Zoë", "half")) and
           not pipe.has("Zoë", "half"),
           "--typing shows what is typed, without it nobody sees it")
    await app.stop()
    Tap.ok(await room.stop() == [0, 0], "both end well")


async def names():
    """Names that order, quote or look like something else."""
    room = await Room("POP", names=["10", "9", "alice!"]).start()
    Tap.ok(await room.converse("turn", 40) and await room.after(1),
           "10, 9 and alice! converse")
    shown = {x[0] for m in room.members for x in m.shown}
    Tap.ok(shown == {"10", "9", "alice!"}, "each under its name")
    await room.stop()


async def outages():
    room = await Room("OP").start()
    pipe, app = room.members
    kids = await (await asyncio.create_subprocess_exec(
        "pgrep", "-P", str(pipe.p.pid), "-x", "zpinc-mles",
        stdout=asyncio.subprocess.PIPE)).communicate()
    os.kill(int(kids[0]), 9)
    Tap.ok(await until(lambda: any(
        e["state"] == "down" for e in events(pipe, "relay"))),
           "a transport that dies is told")
    await pipe.say("after that")
    Tap.ok(await until(lambda: app.has("alice", "after that")),
           "another is started, and lines go on")
    late = App("late", drive.CHANNEL, drive.GROUP, room.rng, clock)
    await late.start(url_of(room))
    await until(lambda: late.has("alice", "after that"))
    Tap.ok(late.m.joins <= {"alice", "9", "late"},
           "it joins as ourselves again")
    await late.stop()
    await room.say([1])
    Tap.ok([x[1] for x in app.shown].count("after that") == 1 and
           room.lost == 0, "nothing is said twice, nothing is lost")
    await room.stop()


async def strict():
    room = await Room("OO", options=("--require-fs",)).start()
    a, b = room.members
    await a.say("only with forward secrecy")
    Tap.ok(await until(lambda: b.has("alice", "only with forward secrecy"))
           and b.shown[0][2],
           "--require-fs: two of ours converse though nobody types")
    raw = await Raw().start(url_of(room))
    await raw.frame("cron", b"a%20note")
    Tap.ok(await until(lambda: events(a, "alone") and
                       b.has("cron", "a note")),
           "a note from outside is shown, and ends forward secrecy, as told")
    Tap.ok(await until(lambda: len(events(a, "conversation")) > 1),
           "which comes back")
    await a.say("still")
    await until(lambda: b.has("alice", "still"))
    Tap.ok(all(x[2] for x in b.shown if x[0] == "alice"),
           "and no line of ours was a note")
    await b.stop()
    room.members.pop()
    Tap.ok(await until(lambda: a.told("9 left")), "who leaves is told")
    await a.say("nobody")
    Tap.ok(await until(lambda: a.told("lines wait: nobody else is here")),
           "then lines wait, and it is said why")
    await raw.stop()
    a.p.terminate()
    Tap.ok(await room.stop() == [5], "what was not sent makes status 5")


async def lost():
    room = await Room("OP").start()
    pipe, app = room.members
    Tap.ok(await room.converse("turn", 40) and await room.after(1),
           "forward secrecy with a client")
    raw = await Raw().start(url_of(room))
    await raw.frame("cron", b"a%20note")
    Tap.ok(await until(lambda: events(pipe, "alone") and
                       pipe.told("forward secrecy is off")),
           "is lost when somebody posts a note, which is told")
    await pipe.say("can you read me?")
    Tap.ok(await until(lambda: app.has("alice", "can you read me?") and
                       events(pipe, "sending")[-1]["as"] == "notes") and
           ("alice", "can you read me?", False) in app.shown,
           "then lines are notes, which is told, too: nobody types there")
    Tap.ok(await room.converse("turn", 40) and await room.after(1),
           "when they talk it comes back")
    await raw.stop()
    await room.stop()


async def hostile():
    room = await Room("OP").start()
    pipe, app = room.members
    raw = await Raw().start(url_of(room))
    await app.say("the real one")
    await until(lambda: raw.got and pipe.has("9", "the real one"))
    real = raw.got[-1]
    mine = b64(drive.CHANNEL.box("Uid", "9"))
    other = b64(drive.CHANNEL.box("Uid", "alice!"))
    await raw.send(real)  # played again
    Tap.ok(await until(lambda: pipe.told("played an old message again")),
           "a message played again is told")
    await raw.send(real.replace(b"\x78" + bytes([len(mine)]) + mine.encode(),
                                b"\x78" + bytes([len(other)]) +
                                other.encode()))
    Tap.ok(await until(lambda: pipe.told("alice!: a relay put this name")),
           "and one under another name, too")
    # a resent queue: another frame with the same time and text
    before = clock()
    for _ in range(2):
        await raw.frame("bob", b"twice", when=before - clock())
    await raw.frame("bob", b"mark")
    await until(lambda: pipe.has("bob", "mark"))
    Tap.ok(sum(x[1] == "twice" for x in pipe.shown) == 1 and
           sum(x[1] == "the real one" for x in pipe.shown) == 1 and
           not any(x[0] == "alice!" for x in pipe.shown),
           "each text is shown once, none under a false name")
    zero, point = bytes(32), os.urandom(31) + b"\xff"
    for keys in (zero, point, zero + zero, point + zero):
        await raw.frame("mallory", b"", 0xa000, keys, app.m.sid or NONE)
    for uid in ("\n[note] bob", "\x1b[2J", "\0", "__proto__", "x" * 900):
        await raw.frame(uid, b"%1b%5b2J%0afake")
    for junk in (b"", b"\xa3", b"\xbf\xff", b"\xff" * 100, os.urandom(999),
                 b"\xbb" + b"\xff" * 8, b"\x5b" + b"\xff" * 8,
                 cbor(mine, b64(drive.CHANNEL.rp), os.urandom(40)),
                 cbor(mine, b64(drive.CHANNEL.rp), b""),
                 cbor("?", "?", b"x"), b"\x9f" * 5000):
        await raw.send(junk)
    await raw.send('{"uid":"AAAA","channel":"AAAA"}')
    await raw.send("no json")
    for i in range(300):  # a flood of what is told
        await raw.send(real)
    await app.say("still there?")
    Tap.ok(await until(lambda: pipe.has("9", "still there?")),
           "after all that a client is heard")
    await pipe.say("yes")
    Tap.ok(await until(lambda: app.has("alice", "yes")), "and answered")
    Tap.ok(len(pipe.err) < 40, "what comes without end is not told without "
           "end (%d lines)" % len(pipe.err))
    Tap.ok(not any("\x1b" in e or "\0" in e for e in pipe.err),
           "no name moves a cursor")
    await raw.stop()
    Tap.ok(pipe.p.returncode is None and await room.stop() == [1, None],
           "a false name makes status 1")


async def scenes():
    await asyncio.gather(notes_and_history(), names(), outages(), strict(),
                         lost(), hostile())


if __name__ == "__main__":
    sys.exit(main(scenes))
