#!/usr/bin/python3 -B
"""A small Mles relay for tests: what MlesTalk's servers do, and no more.

usage: relay.py [--port N] [--history N] [--ping SECONDS] [--misses N]
                [--key KEY] [--tls CERT KEY] [--log FILE]

--log: joins, pings sent, and frames in hex, a line each.

Prints "ready PORT" once it listens on 127.0.0.1.  The subprotocol must be
mles-websocket.  The first frame is a text, a JSON object with uid and
channel, not empty, and perhaps auth; a bad one makes the connection mute until
the next ping.  A second connection of the same three is closed.  Then the
stored frames of the channel come, the join text is stored, and every frame
after that goes to all others of the channel and into the history.  All of
this is one loop: it waits for who does not read.
"""
import argparse
import asyncio
import http
import json
import os
import ssl
import sys
from collections import deque

import websockets
from websockets.exceptions import ConnectionClosed
from websockets.frames import Close

PROTOCOL = "mles-websocket"


def siphash(data):
    """SipHash-2-4 under a key of zeros."""
    mask = (1 << 64) - 1
    v = [0x736f6d6570736575, 0x646f72616e646f6d,
         0x6c7967656e657261, 0x7465646279746573]

    def rotl(x, n):
        return (x << n | x >> (64 - n)) & mask

    def rounds(n):
        for _ in range(n):
            for a, b, c, d, r, q in ((0, 1, 2, 3, 13, 16),
                                     (2, 1, 0, 3, 17, 21)):
                v[a] = (v[a] + v[b]) & mask
                v[b] = rotl(v[b], r) ^ v[a]
                v[a] = rotl(v[a], 32)
                v[c] = (v[c] + v[d]) & mask
                v[d] = rotl(v[d], q) ^ v[c]

    padded = data + bytes(-(len(data) + 1) % 8) + bytes([len(data) & 0xff])
    for i in range(0, len(padded), 8):
        word = int.from_bytes(padded[i:i + 8], "little")
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xff
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


class Channel:
    def __init__(self, history):
        self.members = {}
        self.history = deque(maxlen=history)


class Member:
    """One connection: what it is sent goes through a queue of its own."""

    def __init__(self, ws):
        self.ws = ws
        self.queue = asyncio.Queue(maxsize=128)
        self.silent = 0  # ticks

    def leave(self):
        """Nobody is to wait for it any more."""
        while not self.queue.empty():
            self.queue.get_nowait()

    async def write(self):
        try:
            while True:
                await self.ws.send(await self.queue.get())
        except ConnectionClosed:
            pass


class Relay:
    def __init__(self, args):
        self.args = args
        self.channels = {}
        self.loop = asyncio.Lock()

    def process(self, _path, headers):
        if headers.get("Sec-WebSocket-Protocol") != PROTOCOL:
            return http.HTTPStatus.NOT_FOUND, [], b"no such file\n"
        return None

    def is_good_auth(self, uid, channel, auth):
        if auth is None:
            return not self.args.key
        right = "%016x" % siphash((uid + channel + self.args.key).encode())
        return auth == right

    def join_of(self, first):
        """(uid, channel) of a good first frame, or None."""
        if not isinstance(first, str):
            return None
        try:
            join = json.loads(first)
            uid, channel = join["uid"], join["channel"]
        except (ValueError, KeyError, TypeError):
            return None
        auth = join.get("auth")
        good = all(isinstance(x, str) and x and x.isascii()
                   for x in (uid, channel)) and \
            self.is_good_auth(uid, channel, auth)
        return (uid, channel, auth) if good else None

    async def mute(self, ws):
        """Nothing is answered; the next ping's time ends it."""
        await asyncio.sleep(self.args.ping)
        ws.transport.abort()

    async def serve(self, ws):
        try:
            first = await ws.recv()
        except ConnectionClosed:
            return
        join = self.join_of(first)
        if join is None:
            await self.mute(ws)
            return
        channel = self.channels.setdefault(
            join[1], Channel(self.args.history))
        member = Member(ws)
        writer = asyncio.create_task(member.write())
        pinger = asyncio.create_task(self.ping(ws, member))
        try:
            async with self.loop:
                if join in channel.members:
                    await ws.write_close_frame(Close(1005, ""), b"")
                    return
                channel.members[join] = member
                for frame in channel.history:
                    await member.queue.put(frame)
                channel.history.append(first)
                self.log(first)
            async for frame in ws:
                member.silent = 0
                await self.spread(channel, member, frame)
        except ConnectionClosed:
            pass
        finally:
            if channel.members.get(join) is member:
                del channel.members[join]
            member.leave()
            writer.cancel()
            pinger.cancel()

    async def spread(self, channel, member, frame):
        async with self.loop:
            channel.history.append(frame)
            self.log(frame)
            for other in list(channel.members.values()):
                if other is not member:
                    await other.queue.put(frame)

    async def ping(self, ws, member):
        def heard(_):
            member.silent = 0

        try:
            while True:
                await asyncio.sleep(self.args.ping)
                member.silent += 1
                if member.silent == self.args.misses:
                    ws.transport.abort()
                    return
                self.log("ping")
                (await ws.ping()).add_done_callback(heard)
        except ConnectionClosed:
            pass

    def log(self, frame):
        if self.args.log:
            with open(self.args.log, "a", encoding="utf-8") as f:
                f.write((frame if isinstance(frame, str)
                         else frame.hex()) + "\n")


async def main():
    p = argparse.ArgumentParser()
    p.add_argument("--port", type=int, default=0)
    p.add_argument("--history", type=int, default=200)
    p.add_argument("--ping", type=float, default=24)
    p.add_argument("--misses", type=int, default=4)
    p.add_argument("--key", default="")
    p.add_argument("--tls", nargs=2, metavar=("CERT", "KEY"))
    p.add_argument("--log")
    args = p.parse_args()
    context = None
    if args.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*args.tls)
    relay = Relay(args)
    server = await websockets.serve(
        relay.serve, "127.0.0.1", args.port, subprotocols=[PROTOCOL],
        process_request=relay.process, ping_interval=None,
        max_size=16 << 20, max_queue=128, compression=None, ssl=context)
    print("ready", server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Future()


if __name__ == "__main__":
    # A pipe of the test's that stayed open here would never end.
    os.closerange(3, 256)
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit(0)
