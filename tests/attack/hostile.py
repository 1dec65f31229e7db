#!/usr/bin/python3
"""zpinc-open against hostile input, and both tools against the oracle.

SEED and COUNT in the environment choose the odd lines (TAP).
"""

import json
import os
import random
import subprocess
import sys
import tempfile

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "oracle"))

import differ
import zpinc
from zpinc import (LAST, MESSAGE, NOTE, SIGNED, Channel, Maker, Reader,
                   seal_body)

SEED = int(os.environ.get("SEED", "1"))
COUNT = int(os.environ.get("COUNT", "1000"))
BUILD = os.environ["ZP_BUILD"]

count = failed = 0


def ok(good, name, *notes):
    global count, failed
    count += 1
    failed += not good
    print(f"{'' if good else 'not '}ok {count} - {name}")
    for note in notes if not good else ():
        print("#", str(note)[:400])
    sys.stdout.flush()


def run(tool, *args, data=b""):
    """(status, stdout, stderr); a signal or a hang ends it all."""
    done = subprocess.run([os.path.join(BUILD, tool), *args], input=data,
                          capture_output=True, timeout=60, check=False)
    if done.returncode < 0 or b"Sanitizer" in done.stderr:
        sys.exit(f"Bail out! {tool} {args}: {done.returncode} "
                 f"{done.stderr[-2000:].decode(errors='replace')}")
    return done.returncode, done.stdout, done.stderr.decode()


def bodies(stdout):
    return [json.loads(line) for line in stdout.splitlines()]


def body_of(shown):
    if "body" in shown:
        return shown["body"].encode()
    return zpinc.unb64(shown["body64"].rstrip("=").replace(
        "+", "-").replace("/", "_"))


class Place:
    """A folder with keys: a channel's, a conversation's, two identities."""

    def __init__(self, rng):
        self.rng = rng
        self.key = rng.randbytes(32)
        self.channel = Channel(self.key, "ops")
        self.conv = rng.randbytes(16), rng.randbytes(32)
        self.seed = rng.randbytes(32)
        self.write("ops.key", "zpinc-key 1", "suite zp1", "channel ops",
                   "work random", "key " + zpinc.b64(self.key))
        self.write("a.id", "zpinc-identity 1", "seed " + zpinc.b64(self.seed))
        self.write("ops.conv", *self.conversation("-"))
        self.write("signed.conv", *self.conversation(
            zpinc.b64(zpinc.ed25519_public(self.seed))))

    def write(self, name, *lines):
        with open(name, "w", opener=lambda n, f: os.open(n, f, 0o600),
                  encoding="utf-8") as f:
            f.write("\n".join(lines) + "\n")

    def conversation(self, idkey):
        c = self.channel
        members = [f"member {zpinc.topic(c.user(u))} "
                   f"{zpinc.b64(self.rng.randbytes(16))} {idkey} {u}"
                   for u in ("alice", "bob")]
        return ["zpinc-conversation 1", "suite zp1", "channel ops",
                "amac " + zpinc.b64(c.amac), "aenc " + zpinc.b64(c.aenc),
                "id " + zpinc.b64(self.conv[0]),
                "key " + zpinc.b64(self.conv[1]), "time 1700000000000",
                "me 1", "members 2", *members]

    def open(self, *args, data, trust="known"):
        return run("zpinc-open", "-k", "./ops.key", "-k", "./ops.conv",
                   "--trust", "./" + trust, *args, data=data)


def changes(line):
    """Every record that differs in one character, base64url and `.`."""
    for i, was in enumerate(line):
        for c in zpinc.ALPHABET + ".":
            if c != was:
                yield line[:i] + c + line[i + 1:]


def test_changed(place):
    good = run("zpinc-seal", "-k", "./ops.key", "-u", "alice",
               data=b"secret\nlast\n")[1].decode().split()
    bad = list(changes(good[0]))
    status, out, _ = place.open(data="\n".join(bad).encode())
    ok(out == b"" and status == 1,
       f"no record of {len(bad)} with one character changed is shown", out)
    status, out, _ = place.open(data="\n".join(
        bad + [good[1]] + bad).encode())
    ok((status, out) == (0, b"last\n"), "and the good one among them is",
       status, out)
    line = good[0]
    cut = [line[:i] for i in range(len(line))] + \
        [line[i:] for i in range(1, len(line))]
    out = place.open(data="\n".join(cut).encode())[1]
    ok(out == b"", "nor is one with its beginning or its end cut off", out)


def test_swapped(place):
    """Each field of each record with those of every other one."""
    other = Channel(place.rng.randbytes(32), "ops")
    records = []
    for channel, kind, live in ((place.channel, NOTE, False),
                                (place.channel, zpinc.HELLO, True),
                                (place.channel, MESSAGE, False),
                                (other, NOTE, False)):
        for uid in ("alice", "bob"):
            conv = kind == MESSAGE
            maker = Maker(channel, place.conv[1] if conv else None,
                          place.conv[0] if conv else bytes(16), uid,
                          draw=place.rng.randbytes, live=live)
            records.append(maker.make(
                "none", kind, LAST, 0, place.rng.randbytes(16), 0, 0,
                bytes(8) + uid.encode()).split("."))
    mixed = {".".join(["zp1", a[1], b[2], c[3]])
             for a in records for b in records for c in records}
    mixed -= {".".join(r) for r in records}
    status, out, _ = place.open(data="\n".join(sorted(mixed)).encode())
    ok(out == b"" and status == 1,
       f"no record of {len(mixed)} with swapped fields is shown", out)


def expected(reader, lines):
    """What of odd lines is to be shown, by what the oracle says."""
    out, pins = [], {}
    for line in lines:
        for got in reader.scan(line.decode("latin-1")):
            if got["verdict"] != "ok" or got["kind"] == zpinc.HELLO:
                continue
            uid, idkey = got["uid"], got["idkey"]
            if idkey:
                pins.setdefault(uid, idkey)
            if pins.get(uid, "") != idkey or got["part"] or \
                    not got["flags"] & LAST or got["seq"] == 2**64 - 1:
                continue
            lead = 8 if got["kind"] == MESSAGE else 0
            out.append((uid, got["sid"], got["seq"], got["time"], idkey,
                        got["body"][lead:]))
    return out


class Odd(differ.Lines):
    """Half of them with more that is whole and right."""

    def record(self):
        rng = self.rng
        if rng.random() < .5:
            return super().record()
        kind = rng.choice([NOTE, MESSAGE])
        return self.maker(kind).make(
            "none", kind, LAST, 0, rng.randbytes(16), rng.getrandbits(40),
            rng.getrandbits(40), bytes(8) + self.body(kind)).encode()


def test_odd(place):
    for signed in (False, True):
        lines = Odd(place.rng)
        lines.channel, lines.conv = place.channel, place.conv
        lines.members = [place.channel.user(u) for u in ("alice", "bob")]
        lines.seed = place.seed if signed else None
        odd = [lines.line() for _ in range(COUNT)]
        want = expected(lines.reader(), odd)
        # What is not opened is looked through again, over a newline too.
        status, out, err = place.open("--all", "--json", trust=f"odd{signed}",
                                      data=b"\n".join(odd))
        got = [(s["uid"], s["sid"], s["seq"], s["ms"], s.get("idkey", ""),
                body_of(s)) for s in bodies(out)]
        ok(got == want, f"of {COUNT} odd lines the {len(want)} bodies are "
           "shown that the oracle finds", f"SEED={SEED}", len(got),
           set(got) ^ set(want))
        ok(status == 3 if signed else status in (1, 3),
           "the gravest of the others makes the status", status)
        ok(len(want) > COUNT // 20, "there was something of each")
        bad = [c for line in err.split("\n") for c in line if ord(c) < 32]
        ok(not bad, "no control character reaches the terminal", bad)


def shuffled(rng, lists):
    """All of them, each in order, else at random."""
    lists = [list(x) for x in lists]
    while any(lists):
        some = rng.choice([x for x in lists if x])
        yield some.pop(0)


def test_from_oracle(place):
    """The oracle's records, as its formats have them, through the tool."""
    rng = place.rng
    for name, keyid, key, kind, seed in (
            ("notes", bytes(16), place.channel.msgkey, NOTE, None),
            ("signed notes", bytes(16), place.channel.msgkey, NOTE,
             place.seed),
            ("messages", *place.conv, MESSAGE, None),
            ("signed messages", *place.conv, MESSAGE, place.seed)):
        want, records = [], []
        sid = rng.randbytes(16)
        p = place.channel.user("bob")
        for seq, (size, most) in enumerate((
                (0, 4095), (1, 1024), (87, 4095), (2767, 4095), (2775, 4095),
                (2776, 4095), (9000, 4095), (5000, 1024), (50000, 65536))):
            body = rng.randbytes(size)
            want.append(body)
            data = bytes(8) + body if kind == MESSAGE else body
            records.append(seal_body(key, place.channel.rp, p, keyid, kind,
                                     sid, seq, 1700000000000 + seq, data,
                                     rng.randbytes, seed, most))
        trust = "known-" + name.replace(" ", "-")
        text = "\n".join(shuffled(rng, records)).encode()
        status, out, err = place.open("--json", data=text, trust=trust)
        got = {s["seq"]: body_of(s) for s in bodies(out)}
        ok(status == 0 and not err and got == dict(enumerate(want)),
           f"the oracle's {name} are opened, also of many parts, mixed",
           status, err, [len(v) for v in got.values()])
        text = "\n".join(x for r in records for x in rng.sample(
            r, len(r))).encode()
        status, out, err = place.open("--raw", data=text, trust=trust)
        ok((status, out) == (0, b"".join(want)),
           f"and byte for byte with --raw ({name})", status, err, len(out))


def test_to_oracle(place):
    """The tool's records through the oracle."""
    for name, args, key in (
            ("notes", ["-u", "bob"], "ops.key"),
            ("signed notes", ["-u", "bob", "-i", "./a.id"], "ops.key"),
            ("messages", [], "ops.conv"),
            ("signed messages", ["-i", "./a.id"], "signed.conv")):
        conv = zpinc.ConversationFile(key) if "conv" in key else None
        channel = conv.channel if conv else zpinc.key_file(key)
        reader = Reader(channel, [(conv.id, conv.key)] if conv else [],
                        not conv, [m[0] for m in conv.members]
                        if conv else None)
        joiner = zpinc.Joiner()
        good, notes = True, []
        for body, more in ((b"", []), (b"x", []),
                           (place.rng.randbytes(100000), []),
                           (place.rng.randbytes(9000),
                            ["--max-record", "1024"])):
            data = body + b"\n" if len(body) < 2 else body
            whole = [] if len(body) < 2 else ["-w"]
            status, out, err = run("zpinc-seal", "-k", "./" + key, *args,
                                   *whole, *more, data=data)
            got = None
            for line in out.decode().splitlines():
                for opened in reader.scan(line):
                    got = joiner.add(opened) or got
            lead = 8 if conv else 0
            good = good and status == 0 and got is not None and body == \
                b"".join(g["body"] for g in got)[lead:] and \
                got[0]["uid"] == ("alice" if conv else "bob") and \
                bool(got[0]["flags"] & SIGNED) == ("signed" in name)
            notes += [status, err, got]
        ok(good, f"the tool's {name} are opened by the oracle", *notes)


def test_garbage(place):
    """Ten megabytes of each, and the record behind it is found."""
    rng = place.rng
    record = run("zpinc-seal", "-k", "./ops.key", data=b"hello\n")[1]
    size = 10_000_000
    head = b"zp1." + record.split(b".")[1] + b"."
    for name, junk in (
            ("random bytes", rng.randbytes(size)),
            ("zp1.", b"zp1." * (size // 4)),
            ("dots", b"." * size),
            ("base64url", b"A" * size),
            ("records' beginnings", head * (size // len(head))),
            ("records without an end", record[:134] + b"A" * size),
            ("NUL bytes", bytes(size)),
            ("empty lines", b"\n" * size),
            ("damaged records", (record[:-10] + b"\n") * (
                size // len(record)))):
        status, out, _ = place.open(data=junk + b"\n" + record)
        ok((status, out) == (0, b"hello\n"),
           f"a record behind 10 MB of {name} is found", status, out[:100])


def test_slow(place):
    """A byte at a time, as from a serial line."""
    record = run("zpinc-seal", "-k", "./ops.key", "-u", "alice", "-w",
                 data=b"x" * 3000)[1]
    for tool, args, data, want in (
            ("zpinc-open", ["--trust", "./slow", "--state", "./slow.state"],
             record + b"x" + record, b"x" * 3000 + b"\n"),
            ("zpinc-seal", ["-u", "bob"], b"one\ntwo", None)):
        with subprocess.Popen(
                [os.path.join(BUILD, tool), "-k", "./ops.key", *args],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE) as p:
            for i in range(len(data)):
                os.write(p.stdin.fileno(), data[i:i + 1])
            p.stdin.close()
            out = p.stdout.read()
        if want is None:
            out, want = place.open(data=out, trust="slow")[1], b"one\ntwo\n"
        ok(out == want, f"{tool} takes its input a byte at a time", out[:99])


def test_many(place):
    """More sessions than are remembered: floor, eviction, dates ahead."""
    p = place.channel.user("cron")
    now = 1700000000000

    def note(i, ms):
        return seal_body(place.channel.msgkey, place.channel.rp, p,
                         bytes(16), NOTE, i.to_bytes(16, "big"), 0, ms,
                         b"%d" % i, place.rng.randbytes)[0]

    notes = [note(i, now + i) for i in range(5000)]
    text = "\n".join(notes).encode()
    args = ["--state", "./many.state"]
    status, out, err = place.open(*args, data=text)
    ok((status, err, out) == (0, "", b"".join(
        b"%d\n" % i for i in range(5000))), "5000 sessions are all shown",
       status, err)
    size = os.path.getsize("many.state")
    status, out, err = place.open(*args, data=text)
    ok(out == b"" and status == 0, "and none of them twice", out[:99])
    ok("too old to tell" in err, "some are too old to tell", err)
    status, out, _ = place.open(*args, "--strict", data=text)
    ok(out == b"" and status == 1, "which --strict makes an error", status)
    status, out, _ = place.open(*args, data="\n".join(
        note(10000 + i, 2**64 - 1 - i) for i in range(4200)).encode())
    ok(os.path.getsize("many.state") < size + 10000,
       "what is remembered does not grow")
    status, out, err = place.open(*args, data=note(
        20000, now + 10000).encode())
    ok(out == b"20000\n",
       "sessions dated far ahead do not silence what comes later", err)


def main():
    rng = random.Random(SEED)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        os.environ["HOME"] = folder
        place = Place(rng)
        for test in (test_changed, test_swapped, test_odd, test_from_oracle,
                     test_to_oracle, test_garbage, test_slow, test_many):
            test(place)
        os.chdir("/")
    print(f"1..{count}")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
