#!/usr/bin/python3
"""The library and the oracle on the same odd lines: same verdict on each.

SEED and COUNT in the environment choose the lines (TAP).
"""

import hashlib
import os
import random
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import zpinc
from zpinc import (HELLO, LAST, MESSAGE, NOTE, SIGNED, Channel, Maker, Reader,
                   Refused)

SEED = int(os.environ.get("SEED", "1"))
COUNT = int(os.environ.get("COUNT", "1500"))


class Lines:
    """Odd lines of one channel; all comes from `rng`."""

    def __init__(self, rng):
        self.rng = rng
        self.channel = Channel(rng.randbytes(32), "ops")
        self.other = Channel(rng.randbytes(32), "ops")
        self.conv = rng.randbytes(16), rng.randbytes(32)
        self.members = [self.channel.user(u) for u in ("alice", "bob")]
        self.seed = rng.randbytes(32)

    def keys(self):
        c = self.channel
        return c.amac + c.aenc + c.msgkey + self.conv[1] + self.conv[0] + \
            b"".join(self.members)

    def reader(self):
        return Reader(self.channel, [self.conv], members=self.members)

    def rare(self, usual, *odd):
        return self.rng.choice(odd) if self.rng.random() < .15 else usual

    def maker(self, kind):
        conv = (kind == MESSAGE) != (self.rng.random() < .05)
        keyid, key = self.conv if conv else (bytes(16), None)
        return Maker(self.rare(self.channel, self.other), key, keyid,
                     self.rare("alice", "bob", "carol", "é" * 15),
                     self.rng.choice([None, self.seed]), self.rng.randbytes,
                     live=(kind == HELLO) != (self.rng.random() < .05))

    def body(self, kind):
        rng = self.rng
        n = rng.choice([0, 1, 8, 39, 86, 87, 88, rng.randrange(3000)])
        if kind == MESSAGE:
            return rng.choice([bytes(8), rng.randbytes(8)]) + \
                rng.randbytes(n)
        return rng.choice([bytes(n), rng.randbytes(n), b"\x80" * n])

    def record(self):
        """One record, wrong in one way or in none."""
        rng = self.rng
        kind = self.rare(rng.choice([NOTE, NOTE, MESSAGE, HELLO]),
                         0, 4, 255)
        number = lambda bits: rng.choice(
            [0, 1, rng.getrandbits(bits - 8), rng.getrandbits(bits - 8)])
        try:
            return self.maker(kind).make(
                rng.choice(zpinc.MUTATIONS + ["none"] * 40), kind,
                self.rare(LAST, 0, SIGNED, 4, 64, 255), number(32),
                rng.randbytes(16), number(64), number(64),
                self.body(kind)).encode()
        except Refused:
            return self.record()

    def damaged(self, data):
        """What a relay or a torn file makes of a line."""
        rng = self.rng
        how = rng.randrange(10)
        at = rng.randrange(len(data) + 1)
        end = min(len(data), at + rng.choice([1, 2, 4, 64, 300]))
        if how == 0:
            return data[:at]
        if how == 1:
            return data[at:]
        if how == 2:
            return data[:at] + data[end:]
        if how == 3:
            return data[:at] + rng.randbytes(end - at) + data[end:]
        if how == 4:
            letters = zpinc.ALPHABET.encode() + b"=.+/ z"
            return data[:at] + bytes([rng.choice(letters)]) + data[at + 1:]
        if how == 5:
            return data[:at] + data[at:end] * 2 + data[end:]
        if how == 6:
            return data[:at] + rng.choice(
                [b"zp1.", b"zp1", b".", b"z", b"\0", b" "]) + data[at:]
        return data

    def line(self):
        rng = self.rng
        out = self.damaged(self.record())
        while rng.random() < .4:
            out += rng.choice([b"", b"", b" ", b".", b"zp1.", b'","']) + \
                self.damaged(self.record())
        return out


def words(reader, line):
    """The oracle's verdict, in verdict.c's words."""
    out = []
    for got in reader.scan(line.decode("latin-1")):
        if got["verdict"] == "skip":
            out.append("skip")
        elif got["verdict"] == "ok" or got.get("bad_body"):
            out.append(":".join(str(x) for x in (
                got["uid"].encode().hex(), int(got["live"]), got["kind"],
                got["flags"], got["part"], got["sid"], got["seq"],
                got["time"], got["idkey"], hashlib.blake2b(
                    got["body"], digest_size=16).hexdigest())))
        elif got["verdict"] in ("refused", "broken"):
            out.append("bad")
    return out


def main():
    lines = Lines(random.Random(SEED))
    odd = [lines.line() for _ in range(COUNT)]
    done = subprocess.run(
        [os.path.join(os.environ["ZP_BUILD"], "tests/oracle/verdict")],
        input="".join(b.hex() + "\n" for b in [lines.keys()] + odd),
        stdout=subprocess.PIPE, text=True, check=False)
    theirs = [line.split() for line in done.stdout.split("\n")[:-1]]
    bad, seen = [], {"skip": 0, "bad": 0, "opened": 0}
    for i, line in enumerate(odd):
        want = words(lines.reader(), line)
        if i >= len(theirs) or theirs[i] != want:
            bad.append(i)
        for word in want:
            seen[word if word in seen else "opened"] += 1
    good = done.returncode == 0 and not bad and len(theirs) == COUNT
    print(f"{'' if good else 'not '}ok 1 - library and oracle judge odd "
          "lines alike")
    print(f"# SEED={SEED} COUNT={COUNT}: {seen}; exit {done.returncode}")
    for i in bad[:5]:
        print(f"# line {i}: {odd[i][:200]}...")
        print(f"#   oracle  {words(lines.reader(), odd[i])}")
        print(f"#   library {theirs[i] if i < len(theirs) else None}")
    mixed = all(n > COUNT // 100 for n in seen.values())
    print(f"{'' if mixed else 'not '}ok 2 - there was something of each: "
          "opened, refused, of an unknown kind")
    print("1..2")
    return not (good and mixed)


if __name__ == "__main__":
    sys.exit(main())
