#!/usr/bin/python3 -B
r"""A client of an Mles relay for tests.

client.py raw URL
	sends each line of stdin as one frame, `text ...` or `hex ...`; prints
	what comes in the same way, and `closed` at the end; `\n` and `\e` in
	a text are a newline and an escape
client.py talk URL PASSWORD CHANNEL UID [TEXT...]
	a MlesTalk client after the model of the prototype: joins, says each
	TEXT as a note, prints `UID: TEXT` of each note that it can read, until
	its stdin ends
"""
import asyncio
import base64
import json
import os
import random
import sys
import time

import websockets

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "oracle"))

import mles_proto  # noqa: E402
import mles_wire  # noqa: E402
from mles_cbor import cbor, fields  # noqa: E402
from mles_wire import quote, urllib  # noqa: E402


def connect(url):
    return websockets.connect(url, subprotocols=["mles-websocket"],
                              ping_interval=None, max_size=None,
                              compression=None)


async def lines():
    reader = asyncio.StreamReader(limit=1 << 24)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    async for line in reader:
        yield line.decode().rstrip("\n")


def say(line):
    print(line, flush=True)


async def show(ws, take):
    try:
        async for frame in ws:
            take(frame)
    except websockets.ConnectionClosed:
        pass
    say("closed")


async def raw(url):
    def take(frame):
        say("text " + frame if isinstance(frame, str)
            else "hex " + frame.hex())

    async with connect(url) as ws:
        task = asyncio.create_task(show(ws, take))
        async for line in lines():
            kind, _, rest = line.partition(" ")
            try:
                await ws.send(
                    rest.replace("\\n", "\n").replace("\\e", "\x1b")
                    if kind == "text" else bytes.fromhex(rest))
            except websockets.ConnectionClosed:
                break
        await ws.close()
        await task


def b64(raw):
    return base64.b64encode(raw).decode()


class Talk:
    def __init__(self, password, channel, uid):
        key = mles_wire.stretch(quote(password).encode(),
                                quote(channel).encode())
        self.channel = mles_wire.Channel(key, channel)
        self.member = mles_proto.Proto(
            quote(uid), self.channel.password[1], mles_proto.Ristretto(),
            random.Random(os.urandom(8)))
        self.names = (b64(self.channel.box("Uid", quote(uid))),
                      b64(self.channel.rp))

    def join(self):
        return '{"uid":"%s","channel":"%s"}' % self.names

    def note(self, text):
        f = self.member.send(quote(text).encode(), mles_proto.FULL)
        f.date = int(time.time()) * 1000
        return cbor(*self.names, self.channel.message(f))

    def take(self, frame):
        if isinstance(frame, str):
            name = self.channel.unbox(base64.b64decode(
                json.loads(frame)["uid"]))
            self.member.text_frame(name)
            return
        got = fields(frame)
        line = "ml1." + ".".join(mles_wire.b64u(x) for x in (
            base64.b64decode(got["channel"]), base64.b64decode(got["uid"]),
            got["message"]))
        f = self.channel.open(line, [None, self.member.secret])
        if f is not None and self.member.receive(f):
            say("%s: %s" % (urllib.parse.unquote(f.uid),
                            urllib.parse.unquote(f.body.decode())))


async def talk(url, password, channel, uid, *texts):
    t = Talk(password, channel, uid)
    async with connect(url) as ws:
        await ws.send(t.join())
        task = asyncio.create_task(show(ws, t.take))
        for text in texts:
            await ws.send(t.note(text))
        async for _ in lines():
            pass
        await ws.close()
        await task


asyncio.run({"raw": raw, "talk": talk}[sys.argv[1]](*sys.argv[2:]))
