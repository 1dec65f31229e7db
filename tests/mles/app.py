"""MlesTalk's client over a real Mles relay: the worker's rules are the
model's, frames are CBOR over WebSocket, names and texts percent-encoded as
the app does it."""
import asyncio
import base64
import hashlib
import json
import urllib.parse

import websockets
from nacl.exceptions import CryptoError

import mles_proto
import mles_wire
from mles_cbor import cbor, fields


def b64(raw):
    return base64.b64encode(raw).decode()


class App:
    """One client.  shown: (sender, text, under a conversation's key)."""
    ours = False

    def __init__(self, name, channel, group, rng, clock):
        self.name, self.channel, self.clock = name, channel, clock
        self.rng = rng
        self.uid = mles_wire.quote(name)
        self.m = mles_proto.Proto(self.uid, channel.password[1], group, rng)
        self.shown, self.typed, self.seen = [], [], set()
        self.unread = 0
        self.ws = self.task = None

    async def start(self, url):
        self.ws = await websockets.connect(
            url, subprotocols=["mles-websocket"], ping_interval=None,
            max_size=None, compression=None)
        await self.ws.send('{"uid":"%s","channel":"%s"}' % (
            b64(self.channel.box("Uid", self.uid)), b64(self.channel.rp)))
        self.task = asyncio.create_task(self.read())

    async def read(self):
        try:
            async for frame in self.ws:
                try:
                    self.take(frame)
                except (IndexError, KeyError, ValueError, TypeError,
                        CryptoError):
                    self.unread += 1
        except websockets.ConnectionClosed:
            pass

    def take(self, frame):
        if isinstance(frame, str):
            uid = base64.b64decode(json.loads(frame)["uid"])
            self.m.text_frame(self.channel.unbox(uid))
            return
        got = fields(frame)
        rp, p = (base64.b64decode(got[k]) for k in ("channel", "uid"))
        line = "ml1." + ".".join(
            mles_wire.b64u(x) for x in (rp, p, got["message"]))
        f = self.channel.open(line, [None, self.m.prev, self.m.secret])
        if f is None or not self.m.receive(f):
            self.unread += 1
            return
        number = hashlib.sha256(frame).digest()
        body = urllib.parse.unquote(f.body.decode())
        quiet = mles_proto.PRESENCE | mles_proto.PRESENCE_ACK
        if number in self.seen or f.flags & quiet:
            return
        self.seen.add(number)
        to = self.shown if f.flags & mles_proto.FULL else self.typed
        to.append((urllib.parse.unquote(f.uid), body, f.secret is not None))

    async def frame(self, said, flags):
        # Pieces of files are not percent-encoded.
        body = said if flags & mles_proto.DATA else mles_wire.quote(said)
        f = self.m.send(body.encode(), flags)
        f.date = self.clock()
        await self.ws.send(cbor(
            b64(self.channel.box("Uid", self.uid)), b64(self.channel.rp),
            self.channel.message(f)))

    async def say(self, said, keys=0):
        """A whole text; before it as many frames of it being typed."""
        for i in range(keys):
            await self.frame(said[:i + 1], 0)
        await self.frame(said, mles_proto.FULL)

    def fs(self):
        return self.m.secure()

    def has(self, sender, said):
        return any(x[:2] == (sender, said) for x in self.shown)

    async def stop(self):
        await self.ws.close()
        await self.task
