#!/usr/bin/python3 -B
"""The model of the prototype against transcripts of the prototype."""
import base64
import json
import os
import random
import subprocess
import sys

import drive
import mles_proto
import mles_wire
from mles_cbor import fields
from test_schedules import Tap

VECTORS = os.path.join(drive.ROOT, "tests", "vectors")


def frames_of(group):
    """What each frame of a transcript looks like: who, keys, flags, layer."""
    raw = mles_wire.stretch(group["password"].encode(),
                            group["channel"].encode())
    channel = mles_wire.Channel(raw, "x")
    channel.rp = channel.box("Channel", group["channel"])
    secret = bytes.fromhex(group["secret"])
    looks = []
    for step in group["transcript"]:
        if step["kind"] != "frame":
            continue
        cbor = bytes.fromhex(step["cbor"])
        got = fields(cbor)
        line = "ml1." + ".".join(mles_wire.b64u(x) for x in (
            base64.b64decode(got["channel"]),
            base64.b64decode(got["uid"]), got["message"]))
        f = channel.open(line, [None, secret])
        looks.append((f.uid, len(f.keys), f.flags, f.secret is not None))
    return looks


def model_of(group, count):
    """The same from the model, in turn."""
    rng = random.Random(1)
    names = [s["from"] for s in group["transcript"] if s["kind"] == "join"]
    members = [mles_proto.Proto(n, bytes(32), mles_proto.Ristretto(), rng)
               for n in names]
    for i, m in enumerate(members):
        for n in names[:i]:
            m.text_frame(n)
    looks = []
    for i in range(count):
        # The transcripts end with one frame more of the first member.
        last = i == count - 1
        who = 0 if last else i % len(members)
        f = members[who].send()
        looks.append((f.uid, len(f.keys), f.flags, f.secret is not None))
        for j, m in enumerate(members):
            if j != who:
                m.receive(f)
    return looks


def main():
    with open(os.path.join(VECTORS, "mles.json"), encoding="utf-8") as f:
        data = json.load(f)
    for group in data["group"]:
        seen = frames_of(group)
        Tap.ok(seen == model_of(group, len(seen)),
               "%s: the model sends what the prototype sent, %d frames" % (
                   group["name"], len(seen)))
    for k in data["kdf"]:
        raw = mles_wire.stretch(bytes.fromhex(k["password_bytes"]),
                                bytes.fromhex(k["channel_bytes"]))
        mac, seal = mles_wire.layer(raw)
        Tap.ok((raw.hex(), mac.hex(), seal.hex()) ==
               (k["raw"], k["mac_key"], k["seal_key"]),
               "%s: the second implementation derives the same keys" %
               k["name"])
    text = subprocess.run([os.path.join(VECTORS, "mles.py")], check=True,
                          stdout=subprocess.PIPE).stdout
    with open(os.path.join(VECTORS, "mles.txt"), "rb") as f:
        Tap.ok(text == f.read(), "mles.txt is what mles.py makes of mles.json")
    print("1..%d" % Tap.n)
    return 1 if Tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
