#!/usr/bin/python3 -B
"""A small Mles relay for tests: what MlesTalk's servers do, and no more.

usage: relay.py [--port N] [--history N] [--ping SECONDS] [--tls CERT KEY]
                [--log FILE]

Prints "ready PORT" once it listens on 127.0.0.1.  The subprotocol must be
mles-websocket.  The first frame is a text, a JSON object with uid and
channel, not empty; a bad one makes the connection mute until the next ping.
Then the stored frames of the channel come, the join text is stored, and every
frame after that goes to all others of the channel and into the history.
"""
import argparse
import asyncio
import json
import os
import ssl
import sys
from collections import deque

import websockets
from websockets.exceptions import ConnectionClosed

PROTOCOL = "mles-websocket"


class Channel:
    def __init__(self, history):
        self.members = {}
        self.history = deque(maxlen=history)


class Member:
    """One connection: what it is sent goes through a queue of its own."""

    def __init__(self, ws):
        self.ws = ws
        self.queue = asyncio.Queue(maxsize=128)

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

    def join_of(self, first):
        """(uid, channel) of a good first frame, or None."""
        if not isinstance(first, str):
            return None
        try:
            join = json.loads(first)
            uid, channel = join["uid"], join["channel"]
        except (ValueError, KeyError, TypeError):
            return None
        good = all(isinstance(x, str) and x and x.isascii()
                   for x in (uid, channel))
        return (uid, channel, join.get("auth")) if good else None

    async def mute(self, ws):
        """Nothing is answered; the next ping's time ends it."""
        await asyncio.sleep(self.args.ping)
        ws.transport.abort()

    async def serve(self, ws):
        if ws.subprotocol != PROTOCOL:
            await ws.close()
            return
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
        if join in channel.members:
            await ws.close(code=1000)
            return
        member = Member(ws)
        channel.members[join] = member
        writer = asyncio.create_task(member.write())
        pinger = asyncio.create_task(self.ping(ws))
        try:
            for frame in list(channel.history):
                await member.queue.put(frame)
            channel.history.append(first)
            async for frame in ws:
                channel.history.append(frame)
                self.log(frame)
                for other in list(channel.members.values()):
                    if other is not member:
                        await other.queue.put(frame)
        except ConnectionClosed:
            pass
        finally:
            del channel.members[join]
            writer.cancel()
            pinger.cancel()

    async def ping(self, ws):
        try:
            while True:
                await asyncio.sleep(self.args.ping)
                await ws.ping()
        except ConnectionClosed:
            pass

    def log(self, frame):
        if self.args.log:
            with open(self.args.log, "a", encoding="ascii") as f:
                f.write((frame if isinstance(frame, str)
                         else frame.hex()) + "\n")


async def main():
    p = argparse.ArgumentParser()
    p.add_argument("--port", type=int, default=0)
    p.add_argument("--history", type=int, default=200)
    p.add_argument("--ping", type=float, default=24)
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
        ping_interval=None, max_size=16 << 20, max_queue=128,
        compression=None, ssl=context)
    print("ready", server.sockets[0].getsockname()[1], flush=True)
    await asyncio.Future()


if __name__ == "__main__":
    # A pipe of the test's that stayed open here would never end.
    os.closerange(3, 256)
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit(0)
