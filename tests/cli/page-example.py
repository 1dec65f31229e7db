#!/usr/bin/python3
"""The worked examples of the manual, checked by the second implementation.

    page-example.py check PAGE...     recomputes every value of all examples
    page-example.py get PAGE EXAMPLE NAME
                                      prints one value (text for records)
    page-example.py update PAGE       writes the examples into the page anew,
                                      from the inputs below

An example stands in a page between `.\\" example NAME` and `.Ed`, as lines
`name = value`; a value goes on in lines that begin with a blank.
"""

import os
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(
    os.path.dirname(os.path.abspath(__file__)), "..", "oracle"))

import ristretto as r255
import zpinc as z

WIDTH = 64


# ---- what is computed ---------------------------------------------------


def channel_values(e):
    """From a password to keys and topics."""
    yield "salt", z.salt(e["channel"])
    key = z.key_from_password(z.password_bytes(e["password"]), e["channel"],
                              e["work"])
    c = z.Channel(key, e["channel"])
    for name in ("key", "root", "amac", "aenc", "msgkey"):
        yield name, getattr(c, name)
    for name, p in (("RP", c.rp), ("live RP", c.live),
                    ("P", c.user(e["uid"]))):
        yield name + " iv", p[:16]
        yield name, p
        yield name + " text", z.topic(p)


def record_values(c, e, key, keyid, kind, live=False):
    """From a body to a record line."""
    rp = c.live if live else c.rp
    p = c.user(e["uid"])
    seed = e.get("identity seed")
    head = z.header(kind, z.LAST | (z.SIGNED if seed else 0), 0, e["sid"],
                    e["seq"], e["time"])
    body = e["body"]
    if kind == z.MESSAGE:
        body = e["first"].to_bytes(8, "big") + body
    data = head + body
    if seed:
        idkey = z.ed25519_public(seed)
        signed = z.signed_bytes(rp, p, keyid, idkey, head, body)
        sig = z.ed25519_sign(seed, signed)
        yield "idkey", idkey
        yield "signed", signed
        yield "sig", sig
        data += idkey + sig
    payload = z.pad(data)
    yield "payload", payload
    ek, com = z.commit(key, rp, p, e["nonce"])
    yield "ek", ek
    yield "com", com
    box = z.secretbox(ek, e["nonce"], payload)
    yield "box", box
    yield "record", z.record(rp, p, e["nonce"] + com + box)


def note_values(e):
    out = dict(channel_values(e))
    yield from out.items()
    c = z.Channel(out["key"], e["channel"])
    yield from record_values(c, e, c.msgkey, bytes(16), z.NOTE)


def signed_values(e):
    c = z.Channel(e["key"], e["channel"])
    yield from record_values(c, e, c.msgkey, bytes(16), z.NOTE)


def message_values(e):
    c = z.Channel(e["key"], e["channel"])
    yield from record_values(c, e, e["record key"], e["conversation id"],
                             z.MESSAGE)


def group_values(e):
    """A key exchange of all the example's members."""
    c = z.Channel(e["key"], e["channel"])
    members, ys = [], []
    for uid in e["uids"].decode().split():
        members.append(z.Member(
            c.user(uid), e[uid + " sid"],
            e.get(uid + " idkey", bytes(32)), e[uid + " gen"]))
        ys.append(r255.scalar(e[uid + " y"]))
        yield uid + " P", members[-1].p
        yield uid + " mid", members[-1].mid
    uids = e["uids"].decode().split()
    by = dict(zip(members, zip(uids, ys)))
    run = z.Run(c.rp, c.msgkey, members)
    order = [by[m][0] for m in run.members]
    y = [by[m][1] for m in run.members]
    yield "order", " ".join(order).encode()
    yield "view id", run.view
    yield "G", r255.encode(run.g)
    zs = [run.share(v) for v in y]
    for uid, value in zip(order, zs):
        yield uid + " Z", value
    xs = [run.mix(i, v, zs) for i, v in enumerate(y)] if run.n > 2 else []
    for uid, value in zip(order, xs):
        yield uid + " X", value
    k = run.key(0, y[0], zs, xs)
    assert all(run.key(i, v, zs, xs) == k for i, v in enumerate(y))
    yield "K", k
    transcript = run.transcript(zs, xs)
    yield "transcript hash", z.sha512(transcript)
    isk = run.isk(k, transcript)
    yield "ISK", isk
    conv = z.Conversation(isk, run.view)
    yield "prk", conv.prk
    yield "record key", conv.record_key
    yield "confirm key", conv.confirm
    yield "conversation id", conv.id
    yield "safety", conv.safety_bytes
    yield "safety number", conv.safety.encode()
    for i, uid in enumerate(order):
        yield uid + " tag", run.tag(i, conv.confirm, transcript)


def hello_values(e):
    """A body, and what its fields say."""
    entries = [dict(mid=e["mid"].hex(), ack=e["ack"], seen=e["seen"])]
    yield "body", z.make_hello(dict(
        flags=e["flags"], gen=e["gen"], notes=e["notes"],
        messages=e["messages"], view=e["view id"].hex(), z=e["Z"].hex(),
        entries=entries))


# ---- the inputs of the examples -----------------------------------------

NUMBERS = re.compile(r"^(work|seq|time|first|flags|gen|notes|messages|ack|"
                     r"seen|\w+ gen)$")
TEXTS = re.compile(r"^(password|channel|uids?|body text|order|safety number|"
                   r"record|.* text)$")
SID = bytes.fromhex("3bc787321289c800f0f0a8b29d4eb26d")
SEED = bytes(range(32))


def sample(n, first):
    """n bytes that count up, easy to type and to recognize"""
    return bytes((first + i) % 256 for i in range(n))


def note_inputs():
    return {"password": b"correct horse battery staple", "channel": b"ops",
            "work": 15, "uid": b"alice", "sid": SID, "seq": 0,
            "time": 1767225600123, "body": b"disk full on db1",
            "nonce": sample(24, 0x40)}


def made(name):
    return {**INPUTS[name](), **dict(COMPUTE[name](INPUTS[name]()))}


def signed_inputs():
    note = made("note")
    return {"key": note["key"], "channel": b"ops", "uid": b"alice",
            "identity seed": SEED, "sid": SID, "seq": 1,
            "time": 1767225660123, "body": b"disk full on db1",
            "nonce": sample(24, 0x60)}


def pair_inputs():
    return {"key": made("note")["key"], "channel": b"ops",
            "uids": b"alice bob",
            "alice sid": SID, "alice gen": 0, "alice y": y_of(0x01),
            "bob sid": sample(16, 0xb0), "bob gen": 2, "bob y": y_of(0x21)}


def three_inputs():
    return {**pair_inputs(), "uids": b"alice bob carol",
            "alice idkey": z.ed25519_public(SEED), "alice gen": 1,
            "carol sid": sample(16, 0xc0), "carol gen": 0,
            "carol y": y_of(0x41)}


def y_of(first):
    """below the group's order: the last byte is the highest"""
    return sample(31, first) + b"\x0f"


def message_inputs():
    pair = made("pair")
    return {"key": pair["key"], "channel": b"ops",
            "record key": pair["record key"],
            "conversation id": pair["conversation id"], "uid": b"bob",
            "sid": pair["bob sid"], "seq": 7, "first": 7,
            "time": 1767225720123, "body": b"on it",
            "nonce": sample(24, 0x80)}


def hello_inputs():
    pair = made("pair")
    return {"flags": 1, "gen": pair["bob gen"], "notes": 4, "messages": 7,
            "view id": pair["view id"], "Z": pair["bob Z"],
            "mid": pair["alice mid"], "ack": 3, "seen": 0}


INPUTS = {"note": note_inputs, "signed": signed_inputs, "pair": pair_inputs,
          "three": three_inputs, "message": message_inputs,
          "hello": hello_inputs}
COMPUTE = {"note": note_values, "signed": signed_values,
           "pair": group_values, "three": group_values,
           "message": message_values, "hello": hello_values}


# ---- pages --------------------------------------------------------------


def shown(name, value):
    if isinstance(value, int):
        return str(value)
    if isinstance(value, bytes):
        return value.decode() if TEXTS.match(name) else value.hex()
    return value


def wrapped(name, value):
    """Lines of an entry; a hyphen is written as roff wants it."""
    text = shown(name, value)
    if len(name) + 3 + len(text) <= WIDTH:
        return [f"{name} = {text}".replace("-", "\\-")]
    return [f"{name} ="] + ["  " + text[i:i + WIDTH].replace("-", "\\-")
                            for i in range(0, len(text), WIDTH)]


def made_lines(name):
    lines = []
    for k, v in made(name).items():
        lines += wrapped(k, v)
    return lines


def update(page):
    out, skipping = [], False
    with open(page, encoding="utf-8") as f:
        for line in f.read().splitlines():
            m = re.match(r'^\.\\" example (\w+)$', line)
            skipping = skipping and line != ".Ed"
            if skipping:
                continue
            out.append(line)
            if m:
                out += [".Bd -literal -offset indent", *made_lines(m[1])]
                skipping = True
    with open(page, "w", encoding="utf-8") as f:
        f.write("\n".join(out) + "\n")


def parsed(name, text):
    if NUMBERS.match(name):
        return int(text)
    return text.encode() if TEXTS.match(name) else bytes.fromhex(text)


def examples(page):
    """The examples of a page, each a dict of text."""
    out, current, last = {}, None, None
    with open(page, encoding="utf-8") as f:
        for line in f:
            line = line.rstrip("\n").replace("\\-", "-")
            m = re.match(r'^\.\\" example (\w+)$', line)
            if m:
                current = out.setdefault(m.group(1), {})
            elif line == ".Ed":
                current = None
            elif current is None or line.startswith((".", "#")):
                continue
            elif line.startswith(" "):
                current[last] += line.strip()
            else:
                last, _, text = line.partition(" =")
                current[last] = text.strip()
    return out


def check(pages):
    bad, values = 0, 0
    left = set(COMPUTE)
    for page in pages:
        for name, texts in examples(page).items():
            left.discard(name)
            e = {k: parsed(k, v) for k, v in texts.items()}
            want = dict(COMPUTE[name](e))
            missing = want.keys() - e.keys()
            for k in sorted(missing):
                print(f"{page}: {name}: {k} is missing", file=sys.stderr)
            inputs = set(INPUTS[name]())
            for k in sorted(e.keys() - want.keys() - inputs):
                print(f"{page}: {name}: {k} is not known", file=sys.stderr)
                bad += 1
            for k, v in want.items():
                values += 1
                if k in e and texts[k] != shown(k, v):
                    print(f"{page}: {name}: {k} is {shown(k, v)}",
                          file=sys.stderr)
                    bad += 1
            bad += len(missing)
    for name in sorted(left):
        print(f"example {name} is missing", file=sys.stderr)
    print(f"{values} values, {bad} wrong")
    return 1 if bad or left else 0


def main(argv):
    if argv[1:2] == ["check"] and len(argv) > 2:
        return check(argv[2:])
    if argv[1:2] == ["get"] and len(argv) == 5:
        print(examples(argv[2])[argv[3]][argv[4]])
        return 0
    if argv[1:2] == ["update"] and len(argv) == 3:
        update(argv[2])
        return 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv))
