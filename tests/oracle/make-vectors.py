#!/usr/bin/python3
"""Writes the vectors of Zpinc's own formats, made by the oracle.

make-vectors.py DIR [NAME...]          write them (all, or these) to DIR
make-vectors.py --check DIR [NAME...]  compare DIR with what would be
                                       written; exit 1 if a file differs

Deterministic: everything random is drawn from a named stream.
"""

import hashlib
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import ristretto as r255
import zpinc
from zpinc import (DONE, FIXED, HELLO, LAST, LEAVE, MESSAGE, NOTE, SIGNED, TAG,
                   X, Z, Channel, Conversation, Maker, Member, Reader,
                   Refused)

FORMAT = """\
# Cases are separated by blank lines.  A case is lines `name = value` and,
# before them, lines with `#` that say why the case is there.  Values are
# hex.{numbers}{text}
# Written by tests/oracle/make-vectors.py, which is not the code under test.
"""


class File:
    def __init__(self, about, numbers="", text=""):
        lines = "\n".join("# " + line for line in about.split("\n"))
        self.out = lines + "\n#\n" + FORMAT.format(
            numbers=numbers and f"\n# Decimal numbers: {numbers}.",
            text=text and f"\n# Plain text: {text}.")

    def case(self, reason, /, **fields):
        self.out += "\n"
        for line in reason.split("\n"):
            self.out += "# " + line + "\n"
        for name, value in fields.items():
            if isinstance(value, bytes):
                value = value.hex()
            self.out += f"{name} = {value}".rstrip() + "\n"


class Stream:
    """Random-looking bytes, the same on every run."""

    def __init__(self, name):
        self.name, self.count = name, 0

    def draw(self, n):
        self.count += 1
        return hashlib.shake_256(
            f"zpinc vectors {self.name} {self.count}".encode()).digest(n)

    def scalar(self):
        n = int.from_bytes(self.draw(64), "little") % r255.ORDER
        return n.to_bytes(32, "little")


# ---- primitives with the parameters we use ------------------------------


def blake2b():
    f = File("BLAKE2b with key and personal, computed by Python's hashlib.",
             "size")
    s = Stream("blake2b")
    for reason, size, key, person, data in (
            ("a salt: personal alone", 32, b"", b"zpinc1-salt", b"ops"),
            ("keyed, personal shorter than 16 bytes", 32, s.draw(32),
             b"zpinc1-root", b"ops"),
            ("the 16 byte size of SIV tags", 16, s.draw(32), b"zpinc1-user",
             b"alice" + bytes(26)),
            ("64 bytes of output, input of 118 bytes", 64, s.draw(32),
             b"zpinc1-record", s.draw(118)),
            ("the longest key, 64 bytes", 32, s.draw(64), b"zpinc1-isk",
             s.draw(32)),
            ("a personal of all 16 bytes", 32, s.draw(32),
             b"0123456789abcdef", b""),
            ("input of exactly one block", 32, b"", b"zpinc1-view",
             s.draw(128)),
            ("input of one byte more than a block, keyed", 32, s.draw(32),
             b"zpinc1-view", s.draw(129))):
        digest = hashlib.blake2b(data, digest_size=size, key=key,
                                 person=person).digest()
        f.case(reason, size=size, key=key, personal=person, data=data,
               digest=digest)
    return f


def kdf():
    f = File("libsodium's crypto_kdf_derive_from_key as BLAKE2b with the\n"
             "number as salt and the context as personal, by Python's "
             "hashlib.", "number, size")
    s = Stream("kdf")
    for number, context, size in ((1, "zpinc1k_", 32), (2, "zpinc1k_", 32),
                                  (3, "zpinc1k_", 32), (3, "zpinc1c_", 16),
                                  (4, "zpinc1c_", 16),
                                  (2**40 + 5, "contexts", 64)):
        key = s.draw(32)
        f.case(f"context {context}", key=key, number=number,
               context=context.encode(), size=size,
               subkey=zpinc.kdf(key, number, context, size))
    return f


# ---- keys and names -----------------------------------------------------


def names():
    f = File("Names of channels and users.", text="verdict")
    for reason, name in (
            ("one byte", b"a"),
            ("31 bytes, the longest", b"a" * 31),
            ("32 bytes", b"a" * 32),
            ("empty", b""),
            ("two bytes a letter", "Zoë".encode()),
            ("31 bytes of which the last four are one character",
             b"a" * 27 + "\U0001f511".encode()),
            ("32 bytes, 16 characters", "é".encode() * 16),
            ("blanks are no controls", b" ops team "),
            ("slashes, dots, percent signs are text", b"../a%00b"),
            ("the last code point", "\U0010ffff".encode()),
            ("the lowest character that is no control", b" "),
            ("zero byte", b"a\0b"),
            ("line feed", b"a\nb"),
            ("tab", b"a\tb"),
            ("escape", b"\x1b[2J"),
            ("the highest C0 control", b"a\x1f"),
            ("delete", b"a\x7f"),
            ("the lowest C1 control, U+0080", b"a\xc2\x80"),
            ("the highest C1 control, U+009F", b"a\xc2\x9f"),
            ("U+00A0 is no control", b"a\xc2\xa0"),
            ("Latin-1, not UTF-8", b"Zo\xeb"),
            ("a stray continuation byte", b"a\x80"),
            ("an overlong slash", b"a\xc0\xaf"),
            ("an overlong slash in three bytes", b"a\xe0\x80\xaf"),
            ("a surrogate", b"a\xed\xa0\x80"),
            ("beyond U+10FFFF", b"a\xf4\x90\x80\x80"),
            ("five byte form", b"a\xf8\x88\x80\x80\x80"),
            ("cut in the middle of a character", b"a\xe2\x82"),
            ("a lead byte without continuation", b"\xc3a")):
        try:
            zpinc.name_bytes(name)
            verdict = "ok"
        except Refused as e:
            verdict = "refused"
        f.case(reason, name=name, verdict=verdict)
    return f


def passwords():
    f = File("What of a file is the password: the bytes before the first\n"
             "line feed, less one carriage return.", text="verdict")
    for reason, data in (
            ("one line", b"secret\n"),
            ("no line feed at the end", b"secret"),
            ("CRLF", b"secret\r\n"),
            ("only one carriage return is cut", b"secret\r\r\n"),
            ("a carriage return at the very end, without line feed",
             b"secret\r"),
            ("a carriage return in the middle stays", b"sec\rret\n"),
            ("further lines are not looked at", b"secret\nmore\n"),
            ("blanks are kept", b"  correct horse  \n"),
            ("no normalization: decomposed", "e\u0301".encode() + b"\n"),
            ("no normalization: composed", "\u00e9".encode() + b"\n"),
            ("not UTF-8, taken as it is", b"\xff\xfe\n"),
            ("zero bytes are bytes", b"se\0cret\n"),
            ("empty file", b""),
            ("empty first line", b"\nsecret\n"),
            ("nothing but CRLF", b"\r\n")):
        try:
            f.case(reason, file=data, verdict="ok",
                   password=zpinc.password_bytes(data))
        except Refused:
            f.case(reason, file=data, verdict="refused")
    return f


def keys():
    f = File("From password to subkeys and topics.  Without password: a\n"
             "random key.  P is that of uid.", "work", "RP_text, live_text")
    s = Stream("keys")
    for reason, password, channel, uid, work in (
            ("the least work", b"correct horse battery staple", "ops", "a",
             15),
            ("another channel, same password: nothing is shared",
             b"correct horse battery staple", "ops2", "a", 15),
            ("another password", b"correct horse battery stapl", "ops",
             "alice", 15),
            ("work 16 changes everything", b"correct horse battery staple",
             "ops", "a", 16),
            ("the default work", b"password", "lobby", "alice", 18),
            ("longest names, bytes that are no text",
             b"\xff\0\x80" + b"p" * 200, "c" * 31, "u" * 31, 15),
            ("names beyond ASCII", "pässword".encode(), "Küche",
             "Zoë", 15),
            ("a random key", None, "ops", "alice", None),
            ("the same random key for another channel", None, "ops2",
             "alice", None)):
        fields = {}
        if password is None:
            key = Stream("random key").draw(32)
        else:
            key = zpinc.key_from_password(password, channel, work)
            fields = dict(password=password, work=work,
                          salt=zpinc.salt(channel))
        c = Channel(key, channel)
        f.case(reason, channel=channel.encode(), **fields, key=key,
               root=c.root, amac=c.amac, aenc=c.aenc, msgkey=c.msgkey,
               RP=c.rp, RP_text=zpinc.topic(c.rp), live=c.live,
               live_text=zpinc.topic(c.live), uid=uid.encode(),
               P=c.user(uid))
    return f


def pseudonyms():
    f = File("P of users under one channel's keys, opened.",
             text="P_text, verdict")
    s = Stream("pseudonyms")
    c = Channel(s.draw(32), "ops")
    common = dict(amac=c.amac, aenc=c.aenc)
    for reason, uid in (("one letter", "a"), ("a common name", "alice"),
                        ("31 bytes", "u" * 31), ("beyond ASCII", "Zoë"),
                        ("user@host", "root@db1.example")):
        p = c.user(uid)
        f.case(reason, **common, P=p, P_text=zpinc.topic(p), verdict="ok",
               uid=uid.encode())
    pad = lambda b: (b + bytes(31))[:31]
    own = lambda b: zpinc.pseudonym(c, "zpinc1-user", b"", pad(b))
    alice = c.user("alice")
    for reason, p in (
            ("no name", own(b"")),
            ("a name, a zero byte, more", own(b"alice\0bob")),
            ("a zero byte first", own(b"\0alice")),
            ("something in the very last byte", own(b"alice" + bytes(25) +
                                                    b"x")),
            ("escape", own(b"\x1b[2J")),
            ("line feed", own(b"alice\n")),
            ("C1 control", own("a\u009bm".encode())),
            ("not UTF-8", own(b"Zo\xeb")),
            ("first bit of the iv flipped", zpinc.flip(alice, 0)),
            ("last bit of the iv flipped", zpinc.flip(alice, 127)),
            ("first bit of the name flipped", zpinc.flip(alice, 128)),
            ("last bit of the padding flipped", zpinc.flip(alice, 375)),
            ("the channel's RP is no user", c.rp),
            ("the channel's live RP is no user", c.live),
            ("iv of one, name of another", alice[:16] + c.user("bob")[16:]),
            ("all zero", bytes(47)),
            ("another key's P", Channel(s.draw(32), "ops").user("alice"))):
        try:
            zpinc.open_user(c, p)
            raise AssertionError(reason)
        except Refused:
            f.case(reason, **common, P=p, P_text=zpinc.topic(p),
                   verdict="refused")
    return f


# ---- records ------------------------------------------------------------


def padme():
    f = File("Length of a payload before and after padding, and the\n"
             "characters of its record.", "all")
    lengths = [40, 41, 126, 127, 128, 135, 136, 143, 144, 255, 256, 263, 264,
               271, 272, 511, 512, 527, 528, 1023, 1024, 2047, 2048, 2814,
               2815, 2816, 2943, 2944, 4095, 4096, 65534, 65535, 65536,
               65537, 770047, 786303, 1048576]
    for n in lengths:
        padded = zpinc.padded_length(n)
        f.case(f"{n} bytes", length=n, padded=padded,
               record=zpinc.record_length(padded))
    return f


def part_sizes():
    f = File("The most bytes of body that a record of max_record characters\n"
             "takes, unsigned and signed, and what its record then has.",
             "all")
    for n in (1024, 1025, 1500, 2048, 4095, 4096, 8192, 16384, 32768, 65535,
              65536, 131072, 262144, 524288, 1048575, 1048576):
        a, b = zpinc.part_size(n, False), zpinc.part_size(n, True)
        f.case(f"at most {n} characters", max_record=n, unsigned=a,
               unsigned_record=zpinc.record_length(
                   zpinc.padded_length(40 + a)),
               signed=b, signed_record=zpinc.record_length(
                   zpinc.padded_length(136 + b)))
    return f


class Records:
    def __init__(self, name):
        self.s = Stream(name)
        self.channel = Channel(self.s.draw(32), "ops")
        self.seed = self.s.draw(32)
        self.conv = (self.s.draw(16), self.s.draw(32))
        self.sid = self.s.draw(16)
        self.members = [self.channel.user(u) for u in ("alice", "bob")]

    def maker(self, signed=False, conv=False, live=False, uid="alice"):
        keyid, key = self.conv if conv else (bytes(16), None)
        return Maker(self.channel, key, keyid, uid,
                     self.seed if signed else None, self.s.draw, live)

    def keys(self, conv=False):
        c = self.channel
        fields = dict(amac=c.amac, aenc=c.aenc, msgkey=c.msgkey,
                      channel=c.channel)
        if conv:
            fields.update(record_key=self.conv[1], id=self.conv[0],
                          members=b"".join(self.members))
        return fields

    def reader(self, conv):
        return Reader(self.channel, [self.conv] if conv else [],
                      members=self.members)


MS = 1767225600123


def first(n, body=b""):
    return n.to_bytes(8, "big") + body


def hello_body(count, flags=0, **more):
    s = Stream(f"hello {count} {flags}")
    fields = {n: s.draw(32).hex() for n in ("view", "z", "x", "tag")}
    mids = sorted(s.draw(16).hex() for _ in range(count))
    h = dict(flags=flags, gen=1, notes=2, messages=3, entries=[
        dict(mid=m, ack=i, seen=2 * i) for i, m in enumerate(mids)])
    return zpinc.make_hello(h | fields | more)


def records():
    f = File("Good records, with all that goes in.  With idseed: signed.\n"
             "With record_key and id: under a conversation's key, members\n"
             "being the P of its members.  live is 1 under the channel's\n"
             "live RP.  body is the part's own.",
             "live, kind, flags, part, seq, time", "record")
    r = Records("records")
    text = b"disk full on db1"
    cases = (
        ("a note", NOTE, LAST, 0, 0, MS, text, {}),
        ("a signed note", NOTE, LAST, 0, 1, MS, text, dict(signed=True)),
        ("an empty body", NOTE, LAST, 0, 2, MS, b"", {}),
        ("an empty body, signed", NOTE, LAST, 0, 3, MS, b"",
         dict(signed=True)),
        ("the time withheld", NOTE, LAST, 0, 4, 0, text, {}),
        ("a body of zero bytes: the padding is found all the same", NOTE,
         LAST, 0, 5, MS, bytes(20), {}),
        ("a body that ends like padding", NOTE, LAST, 0, 6, MS,
         b"\x80\0\0\0", {}),
        ("bytes that are no text", NOTE, LAST, 0, 7, MS, bytes(range(256)),
         {}),
        ("the longest body in the shortest record", NOTE, LAST, 0, 8, MS,
         b"x" * 87, {}),
        ("one byte more takes the next size", NOTE, LAST, 0, 9, MS,
         b"x" * 88, {}),
        ("fills a record of at most 4,095 characters", NOTE, LAST, 0, 10, MS,
         b"x" * 2775, {}),
        ("the same, signed", NOTE, LAST, 0, 11, MS, b"x" * 2679,
         dict(signed=True)),
        ("a part in the middle", NOTE, 0, 1, 12, MS, text, {}),
        ("the last of three parts, signed", NOTE, LAST, 2, 12, MS, text,
         dict(signed=True)),
        ("the highest part number", NOTE, LAST, 2**32 - 1, 13, MS, text, {}),
        ("a seq that no session outlives: one more, and one after it, are\n"
         "numbers still", NOTE, LAST, 0, 2**64 - 3, MS, text, {}),
        ("a time no clock shows", NOTE, LAST, 0, 14, 2**64 - 1, text, {}),
        ("the longest uid", NOTE, LAST, 0, 15, MS, text, dict(uid="u" * 31)),
        ("a uid beyond ASCII", NOTE, LAST, 0, 16, MS, text,
         dict(uid="Zoë")),
        ("a message, the first of its session", MESSAGE, LAST, 0, 0, MS,
         first(0, text), dict(conv=True)),
        ("a message, the session's eighth, third under this key", MESSAGE,
         LAST, 0, 7, MS, first(5, text), dict(conv=True)),
        ("a signed message", MESSAGE, LAST, 0, 8, MS, first(5, text),
         dict(conv=True, signed=True)),
        ("a message of nothing but its first number", MESSAGE, LAST, 0, 9,
         MS, first(5), dict(conv=True)),
        ("a later part of a message has no first number", MESSAGE, LAST, 1,
         10, MS, b"abc", dict(conv=True)),
        ("a hello: join", HELLO, LAST, 0, 0, MS, hello_body(0),
         dict(live=True)),
        ("a hello: confirm, two entries, signed", HELLO, LAST, 0, 9, MS,
         hello_body(2, Z | X | TAG), dict(live=True, signed=True)))
    for reason, kind, flags, part, seq, ms, body, how in cases:
        m = r.maker(**how)
        line = m.make("none", kind, flags, part, r.sid, seq, ms, body)
        fields = r.keys(how.get("conv"))
        if m.seed:
            fields.update(idseed=m.seed, idkey=zpinc.ed25519_public(m.seed))
        got, = r.reader(how.get("conv")).scan(line)
        assert got["verdict"] == "ok" and got["body"] == body, (reason, got)
        f.case(reason, **fields, uid=m.uid.encode(),
               live=int(got["live"]),
               nonce=m.nonce, kind=kind, flags=got["flags"], part=part,
               sid=r.sid, seq=seq, time=ms, body=body, record=line)
    return f


def bodies():
    f = File("Whole bodies and their records in order: record_0, record_1,\n"
             "... under the given nonces, 24 bytes each.  With fill and\n"
             "length in place of body: that many bytes fill.  With digest in\n"
             "place of the records: BLAKE2b-256 of them, each with a line\n"
             "feed.", "kind, seq, time, max_record, records, length",
             "record_0, ...")
    r = Records("bodies")
    counting = bytes(i * 7 & 255 for i in range(9000))
    for reason, how, kind, size, body in (
            ("one record, just", {}, NOTE, 4095, counting[:2775]),
            ("one byte too many: two records", {}, NOTE, 4095,
             counting[:2776]),
            ("signed: every part on its own", dict(signed=True), NOTE, 4095,
             counting[:6000]),
            ("exactly two full parts", {}, NOTE, 1024, counting[:1070]),
            ("the shortest records", {}, NOTE, 1024, counting[:2000]),
            ("a message: only part 0 has the first number", dict(conv=True),
             MESSAGE, 1024, first(3) + counting[:1000]),
            ("a signed message in parts", dict(conv=True, signed=True),
             MESSAGE, 1024, first(3) + counting[:600]),
            ("empty", {}, NOTE, 4095, b""),
            ("one record of the greatest size", {}, NOTE, 1048576,
             b"a" * zpinc.part_size(1048576, False)),
            ("one record of the greatest size, signed", dict(signed=True),
             NOTE, 1048576, b"a" * zpinc.part_size(1048576, True)),
            ("1 MiB in records of 64 KiB", {}, NOTE, 65536, b"a" * 2**20)):
        m = r.maker(**how)
        nonces = []

        def draw(n):
            nonces.append(r.s.draw(n))
            return nonces[-1]

        lines = zpinc.seal_body(m.key, m.rp, m.p, m.keyid, kind, r.sid, 3,
                                MS, body, draw, m.seed, size)
        joiner = zpinc.Joiner()
        whole = None
        for line in lines:
            assert len(line) <= size
            got, = r.reader(how.get("conv")).scan(line)
            whole = joiner.add(got)
        assert b"".join(g["body"] for g in whole) == body
        fields = r.keys(how.get("conv"))
        if m.seed:
            fields.update(idseed=m.seed, idkey=zpinc.ed25519_public(m.seed))
        fields.update(uid=m.uid.encode(), kind=kind, sid=r.sid, seq=3,
                      time=MS, max_record=size)
        if len(body) < 10000:
            fields.update(body=body)
        else:
            fields.update(fill=body[:1], length=len(body))
        fields.update(nonces=b"".join(nonces), records=len(lines))
        if len(body) < 10000:
            fields.update((f"record_{i}", line)
                          for i, line in enumerate(lines))
        else:
            fields.update(digest=hashlib.blake2b("".join(
                line + "\n" for line in lines).encode(),
                digest_size=32).digest())
        f.case(reason, **fields)
    return f


REASONS = {
    "pad-missing": "no 0x80 before the zeros",
    "pad-all-zero": "nothing but zeros",
    "pad-ff": "after the 0x80 not zeros",
    "header-short": "39 bytes before the padding",
    "empty-payload": "nothing before the padding",
    "reserved": "the reserved u16 is 1",
    "reserved-high": "the reserved u16 is 0x8000",
    "flag": "flag 4",
    "flag-high": "flag 128",
    "p-empty": "P of an empty name",
    "p-control": "P of a name with a terminal escape",
    "p-delete": "P of a name with DEL",
    "p-c1": "P of a name with a C1 control",
    "p-not-utf8": "P of a name in Latin-1",
    "p-overlong": "P of a name with an overlong slash",
    "p-surrogate": "P of a name with a surrogate",
    "p-beyond-unicode": "P of a name beyond U+10FFFF",
    "p-after-zero": "P with bytes after the name's zero",
    "p-wrong-iv": "P's iv is not that of its name; sealed for this P",
    "p-wrong-name": "P's last byte differs from what iv says; sealed for it",
    "p-of-topic": "the channel's RP as P",
    "sig-flip": "one bit of the signature's R",
    "sig-flip-s": "one bit of the signature's S",
    "sig-s-plus-l": "S + L: the same signature for who does not check S",
    "sig-other-key": "signed, but with another key than idkey",
    "sig-small-order": "idkey and R neutral, S zero: signs everything for\n"
                       "who takes keys of small order",
    "sig-other-rp": "signed for the other topic",
    "sig-other-p": "signed for another P",
    "sig-other-keyid": "signed for another key",
    "sig-other-seq": "signed for another seq",
    "sig-other-time": "signed for another time",
    "sig-other-body": "signed for a longer body",
    "sig-no-label": "signed without the label",
    "signed-short": "SIGNED, and 95 bytes after the header",
    "signed-flag-alone": "SIGNED, and no signature at all",
    "short-enc": "ENC of 199 bytes, with the right key",
    "other-key": "another key",
    "com-uncommitted": "the box opens, the commitment is another key's",
    "nonce-flip": "first bit of the nonce flipped",
    "com-flip": "first bit of the commitment flipped",
    "com-flip-last": "last bit of the commitment flipped",
    "tag-flip": "first bit of the box's tag flipped",
    "box-flip": "first bit of the box's contents flipped",
    "box-flip-last": "last bit of the box flipped",
    "truncated": "the last byte is missing",
    "extended": "a byte more",
    "swap-p": "a good record under another member's P",
    "swap-rp": "a good note under the live RP",
    "foreign-rp": "an RP that is not this channel's",
    "rp-is-p": "RP and P in each other's place",
    "b64-enc-loose": "ENC's base64url has bits left over",
    "b64-rp-loose": "RP's base64url has bits left over",
    "b64-p-loose": "P's base64url has bits left over",
    "b64-length": "ENC's length is 1 modulo 4",
    "b64-plus": "a + ends the run of base64url",
    "magic-2": "another version",
    "magic-upper": "capital letters",
    "no-z": "RP does not begin with z",
    "rp-short": "RP of 63 characters",
    "rp-long": "RP of 65 characters",
}


def refused():
    f = File(
        "Records that a reader must not take, each by itself on its line.\n"
        "verdict: refused (opens with a key in hand and is wrong), broken\n"
        "(the commitment fits a key, the box does not open), noise (no key\n"
        "fits, or too short), body (the record is good, what it says of its\n"
        "body is not), foreign (another RP), none (not the form of a\n"
        "record), skip (opens, of a kind that is none of ours: no error).\n"
        "All but refused, body and skip could be made by anybody.  With\n"
        "record_key: the reader has a conversation's key too; members are\n"
        "the P of its members.",
        text="record, verdict, mutation")
    r = Records("refused")

    def add(reason, verdict, maker, mutate, kind=NOTE, flags=LAST, part=0,
            seq=1, body=b"disk full " * 11, conv=False):
        line = maker.make(mutate, kind, flags, part, r.sid, seq, MS, body)
        got = r.reader(conv).scan(line)
        have = got[0]["verdict"] if got else "none"
        want = "refused" if verdict == "body" else verdict
        assert len(got) <= 1 and have == want, (reason, got)
        f.case(reason, **r.keys(conv), verdict=verdict, mutation=mutate,
               record=line)

    relay = ("swap-p swap-rp foreign-rp rp-is-p nonce-flip com-flip "
             "com-flip-last tag-flip box-flip box-flip-last truncated "
             "extended").split()
    broken = "tag-flip box-flip box-flip-last truncated extended".split()
    for mutate, reason in REASONS.items():
        if mutate in ("foreign-rp", "rp-is-p"):
            verdict = "foreign"
        elif mutate in broken:
            verdict = "broken"
        elif mutate in relay or mutate in ("short-enc", "other-key",
                                           "com-uncommitted", "b64-plus"):
            verdict = "noise"
        elif mutate.startswith(("b64", "magic", "rp-", "no-z")):
            verdict = "none"
        else:
            verdict = "refused"
        add(reason, verdict, r.maker(signed=mutate.startswith("sig-")),
            mutate)
    add("a signed record's box, one bit flipped", "broken",
        r.maker(signed=True), "box-flip")

    add("kind 0", "skip", r.maker(), "none", kind=0)
    add("kind 4", "skip", r.maker(), "none", kind=4)
    add("kind 255, signed", "skip", r.maker(signed=True), "none", kind=255)
    add("an unknown kind with an unknown flag: the header is every kind's",
        "refused", r.maker(), "flag", kind=4)
    add("an unknown kind with a wrong signature", "refused",
        r.maker(signed=True), "sig-flip", kind=4)
    add("an unknown kind under a conversation's key", "skip",
        r.maker(conv=True), "none", kind=4, conv=True)
    add("a message under the channel's key", "refused", r.maker(), "none",
        MESSAGE, body=first(1))
    add("a note under a conversation's key", "refused", r.maker(conv=True),
        "none", conv=True)
    add("a hello under a conversation's key", "refused",
        r.maker(conv=True, live=True), "none", HELLO, body=hello_body(1),
        conv=True)
    add("a note on the live topic", "refused", r.maker(live=True), "none")
    add("a hello on the topic of notes", "refused", r.maker(), "none", HELLO,
        body=hello_body(1))
    add("a message on the live topic", "refused",
        r.maker(conv=True, live=True), "none", MESSAGE, body=first(1),
        conv=True)
    add("a hello that says there are more parts", "body",
        r.maker(live=True), "none", HELLO, flags=0, body=hello_body(1))
    add("a hello as part 1", "body", r.maker(live=True), "none", HELLO,
        part=1, body=hello_body(1))
    add("a hello without a body", "body", r.maker(live=True), "none",
        HELLO, body=b"")
    add("a message without its first number", "body", r.maker(conv=True),
        "none", MESSAGE, body=bytes(7), conv=True)
    add("a message whose session began after it", "body",
        r.maker(conv=True), "none", MESSAGE, seq=4, body=first(5), conv=True)
    add("a message signed for another conversation", "refused",
        r.maker(conv=True, signed=True), "sig-other-keyid", MESSAGE,
        body=first(1), conv=True)
    add("a message signed as a note would be", "refused",
        r.maker(conv=True, signed=True), "sig-zero-keyid", MESSAGE, body=first(1), conv=True)
    add("a message of somebody who is no member of the conversation",
        "refused", r.maker(conv=True, uid="carol"), "none", MESSAGE,
        body=first(1), conv=True)
    add("a message, read without its key", "noise", r.maker(conv=True),
        "none", MESSAGE, body=first(1))
    return f


def lines():
    f = File("Lines as relays and their clients print them, and the bodies\n"
             "of the records in them, in order: body_0, body_1, ...",
             "bodies")
    r = Records("lines")
    count = 0

    def rec(body):
        nonlocal count
        count += 1
        return r.maker().make("none", NOTE, LAST, 0, r.sid, count, MS,
                              body).encode()

    a, b = b"first", b"second"
    ra, rb = rec(a), rec(b)
    foreign = Records("other channel")
    rf = foreign.maker().make("none", NOTE, LAST, 0, r.sid, 0, MS,
                              b"x").encode()
    topic = zpinc.topic(r.channel.rp).encode()
    enc_at = 134
    for reason, line, want in (
            ("a record alone", ra, [a]),
            ("mosquitto_sub -v", topic + b" " + ra, [a]),
            ("JSON, as mosquitto_sub -F %j has it", b'{"tst":"2026-01-01T00:'
             b'00:00Z","topic":"' + topic + b'","qos":1,"payloadlen":' +
             str(len(ra)).encode() + b',"payload":"' + ra + b'"}', [a]),
            ("Server-Sent Events", b"data: " + ra, [a]),
            ("nats sub's prompt", b"[#1] Received on \"" + topic + b"\"\t" +
             ra, [a]),
            ("two records, a blank between", ra + b" " + rb, [a, b]),
            ("two records, a comma between", ra + b"," + rb, [a, b]),
            ("a carriage return at the end", ra + b"\r", [a]),
            ("equals signs, as other base64 has them", ra + b"==", [a]),
            ("a dot at the end", ra + b".", [a]),
            ("a record, a dot, a record", ra + b"." + rb, [a, b]),
            ("quotes of a shell", b"'" + ra + b"'", [a]),
            ("letters before it", b"xyz" + ra, [a]),
            ("a z before it", b"z" + ra, [a]),
            ("the magic twice", b"zp1." + ra, [a]),
            ("a piece of the magic before it", b"zp" + ra, [a]),
            ("torn in RP, the next record follows", ra[:30] + rb, [b]),
            ("torn in RP right after the magic", ra[:4] + rb, [b]),
            ("torn after RP", ra[:68] + rb, [b]),
            ("torn after RP's dot", ra[:69] + rb, [b]),
            ("torn in P", ra[:100] + rb, [b]),
            ("torn after P's dot", ra[:134] + rb, [b]),
            ("torn in the nonce", ra[:enc_at + 10] + rb, [b]),
            ("torn in the commitment", ra[:enc_at + 60] + rb, [b]),
            ("torn in the box: nonce and commitment are whole and fit, and\n"
             "the next record's first letters were taken for the rest",
             ra[:-30] + rb, [b]),
            ("torn just before the end", ra[:-1] + rb, [b]),
            ("a whole record that runs into the next one's magic", ra + rb,
             [b]),
            ("three torn beginnings", ra[:50] + ra[:120] + ra[:200] + rb,
             [b]),
            ("a foreign record first", rf + b" " + ra, [a]),
            ("a foreign record torn", rf[:-9] + ra, [a]),
            ("zero bytes and bytes that are no text", b"\0\xff" + ra +
             b"\0\x80" + rb, [a, b]),
            ("the same record twice: the reader of lines shows both",
             ra + b" " + ra, [a, a]),
            ("no record", b"hello", []),
            ("the magic alone", b"zp1.", []),
            ("cut in ENC", ra[:-1], []),
            ("no ENC", ra[:134], []),
            ("nothing", b"", [])):
        got = [g["body"] for g in r.reader(False).scan(
            line.decode("latin-1")) if g["verdict"] == "ok"]
        assert got == want, (reason, got)
        f.case(reason, **r.keys(), line=line, bodies=len(want),
               **{f"body_{i}": w for i, w in enumerate(want)})
    return f


# ---- hellos, views, groups ----------------------------------------------


def hellos():
    f = File("Bodies of hellos.  entries: mid, ack, seen of each, 32 bytes.",
             "flags, gen, notes, messages, m", "verdict")

    def good(reason, body, top=72):
        h = zpinc.parse_hello(body, top)
        fields = {n: bytes.fromhex(h[n]) for n in ("view", "z", "x", "tag")
                  if n in h}
        entries = b"".join(bytes.fromhex(e["mid"]) +
                           e["ack"].to_bytes(8, "big") +
                           e["seen"].to_bytes(8, "big")
                           for e in h["entries"])
        f.case(reason, body=body, verdict="ok", flags=h["flags"],
               gen=h["gen"], notes=h["notes"], messages=h["messages"],
               m=len(h["entries"]), **fields, entries=entries)

    def bad(reason, body):
        try:
            zpinc.parse_hello(body)
        except Refused:
            f.case(reason, body=body, verdict="refused")
            return
        raise AssertionError(reason)

    good("join", hello_body(0))
    good("presence, one entry", hello_body(1))
    good("presence, three entries", hello_body(3))
    good("share", hello_body(1, Z))
    good("mix", hello_body(2, Z | X))
    good("confirm of two", hello_body(1, Z | TAG))
    good("confirm of more", hello_body(2, Z | X | TAG))
    good("done, two", hello_body(1, Z | TAG | DONE))
    good("done, more", hello_body(4, Z | X | TAG | DONE))
    good("fixed", hello_body(1, Z | TAG | DONE | FIXED))
    good("leave from presence", hello_body(2, LEAVE))
    good("leave when done and fixed",
         hello_body(2, Z | X | TAG | DONE | FIXED | LEAVE))
    good("numbers at their highest", hello_body(
        0, gen=2**32 - 1, notes=2**64 - 1, messages=2**64 - 1))
    good("72 entries, the most", hello_body(72, Z | X | TAG))
    good("mids that differ in the last bit", hello_body(0, entries=[
        dict(mid="ab" * 15 + "00", ack=1, seen=2),
        dict(mid="ab" * 15 + "01", ack=2**64 - 1, seen=2**64 - 1)]))
    good("the lowest and the highest mid", hello_body(0, entries=[
        dict(mid="00" * 16, ack=0, seen=0),
        dict(mid="ff" * 16, ack=0, seen=0)]))

    for bit in (64, 128):
        bad(f"flag {bit}", hello_body(1, bit))
    bad("X without Z", hello_body(1, X))
    bad("a tag without Z", hello_body(1, TAG))
    bad("X and a tag without Z", hello_body(1, X | TAG))
    bad("done without tag", hello_body(1, Z | DONE))
    bad("done alone", hello_body(0, DONE))
    bad("done with X, without tag", hello_body(1, Z | X | DONE))
    bad("the reserved byte is 1", hello_body(1, zero=1))
    bad("the reserved byte is 255", hello_body(0, zero=255))
    bad("empty", b"")
    bad("one byte short of the fixed part", hello_body(0)[:-1])
    bad("a byte after the end", hello_body(0) + b"\0")
    bad("a byte after the last entry", hello_body(2) + b"\0")
    bad("an entry more than m says", hello_body(2, m=1))
    bad("an entry less than m says", hello_body(2, m=3))
    bad("m says 65,535", hello_body(2, m=65535))
    bad("73 entries", hello_body(73))
    bad("Z is cut", hello_body(0, Z)[:-1])
    bad("Z is announced, only the view id is there", hello_body(0, Z)[:-32])
    bad("the tag is announced and not there",
        hello_body(0, Z | TAG)[:-32])
    two = hello_body(2)
    bad("entries in descending order", two[:24] + two[56:88] + two[24:56])
    bad("a mid twice", two[:24] + two[24:56] * 2)
    bad("a mid twice, other numbers", two[:24] + two[24:56] + two[24:40] +
        two[72:88])
    four = hello_body(4)
    bad("only the last two in the wrong order", four[:88] + four[120:152] +
        four[88:120])
    return f


class Group:
    """n members of one channel with their secrets, in order."""

    def __init__(self, name, n, identities=True, same_user=False):
        s = Stream(name)
        self.channel = Channel(s.draw(32), "ops")
        self.members, self.ys = [], {}
        for i in range(n):
            uid = "alice" if same_user else f"member {i}"
            idkey = zpinc.ed25519_public(s.draw(32)) if identities and \
                i % 3 != 1 else bytes(32)
            m = Member(self.channel.user(uid), s.draw(16), idkey,
                       int.from_bytes(s.draw(1), "big"))
            self.members.append(m)
            self.ys[m] = r255.scalar(s.scalar())

    def run(self):
        return zpinc.run_all(self.channel.rp, self.channel.msgkey,
                             self.members, self.ys)


def flat(members):
    return b"".join(m.p + m.sid + m.idkey + m.gen.to_bytes(4, "big")
                    for m in members)


def views():
    f = File("Views.  members: P, sid, idkey, gen of each (99 bytes) as they\n"
             "come; sorted: the same in order; mids in the order of sorted.",
             "n")
    s = Stream("views")
    rp = Channel(s.draw(32), "ops").rp

    def add(reason, members):
        members = list(members)
        order = sorted(members, key=Member.order)
        f.case(reason, RP=rp, n=len(members), members=flat(members),
               sorted=flat(order), mids=b"".join(m.mid for m in order),
               view=zpinc.view_id(rp, order))

    def member(p=None, sid=None, idkey=bytes(32), gen=0):
        return Member(p or s.draw(47), sid or s.draw(16), idkey, gen)

    a, b, c = member(), member(), member(idkey=s.draw(32), gen=7)
    add("two members", [a, b])
    add("the same the other way round", [b, a])
    add("a generation more: another view", [Member(a.p, a.sid, a.idkey, 1),
                                            b])
    add("the highest generation", [Member(a.p, a.sid, a.idkey, 2**32 - 1),
                                   b])
    add("an identity: another view", [Member(a.p, a.sid, c.idkey, 0), b])
    add("another session of the same user", [Member(a.p, s.draw(16)), b])
    add("three members, one with identity", [c, a, b])
    p = s.draw(46)
    add("bytes decide the order, not base64url: 0xfb is - or _ there,\n"
        "before or after letters", [member(p=b"\xfb" + p),
                                    member(p=b"\x68" + p),
                                    member(p=b"\x00" + p),
                                    member(p=b"\xd0" + p)])
    add("bytes are compared without sign", [member(p=b"\x80" + p),
                                            member(p=b"\x7f" + p)])
    add("one user twice: sids decide", [
        Member(a.p, b"\x02" + bytes(15)), Member(a.p, b"\x01" + bytes(15)),
        Member(a.p, b"\x01" + bytes(14) + b"\x01")])
    add("64 members", [member(gen=i) for i in range(64)])
    return f


def groups():
    f = File("Key exchanges.  members: P, sid, idkey, gen of each (99\n"
             "bytes), in order; y, Z, X, mids (16), tags: one after another\n"
             "in that order, 32 bytes each.  G is the generator.  No X when\n"
             "n is 2.", "n", "safety")

    def add(reason, g):
        run, zs, xs, k, transcript, isk, conv, tags = g.run()
        fields = dict(n=run.n, msgkey=g.channel.msgkey, RP=g.channel.rp,
                      members=flat(run.members),
                      mids=b"".join(m.mid for m in run.members),
                      view=run.view)
        if run.n <= 5:
            fields.update(generator_string=run.gen)
        fields.update(G=r255.encode(run.g), y=b"".join(
            g.ys[m].to_bytes(32, "little") for m in run.members),
            Z=b"".join(zs))
        if xs:
            fields.update(X=b"".join(xs))
        fields.update(K=k, transcript_hash=zpinc.sha512(transcript), ISK=isk,
                      prk=conv.prk, record_key=conv.record_key,
                      confirm_key=conv.confirm, id=conv.id,
                      safety=conv.safety, tags=b"".join(tags))
        f.case(reason, **fields)

    for n in (2, 3, 5, 8, 64):
        add(f"{n} members" + (": CPace, symmetric setting" if n == 2 else ""),
            Group(f"group {n}", n))
    add("two without identities", Group("group anonymous", 2, False))
    # Whether Z_0 or Z_1 is the larger must not matter.
    for i in range(20):
        g = Group(f"group order {i}", 2)
        run, zs = g.run()[:2]
        if zs[0] < zs[1]:
            add("two, the second's share is the larger", g)
            break
    for i in range(20):
        g = Group(f"group order {i}", 2)
        run, zs = g.run()[:2]
        if zs[0] > zs[1]:
            add("two, the first's share is the larger", g)
            break
    add("four sessions of one user",
        Group("group one user", 4, False, same_user=True))
    return f


def group_sizes():
    f = File("Groups of every size from 3 to 64.  All is drawn from the seed:\n"
             "h(i, c) = BLAKE2b-512(seed || u16 i || c).  Channel: msgkey is\n"
             "the first 32 bytes of h(65535, a), RP the first 47 of\n"
             "h(65535, b).  Members: P || sid the first 63 of h(i, a), idkey\n"
             "and gen the first 36 of h(i, b); they are put in order, then\n"
             "member i there has y = h(i, c) modulo the order, little-endian.\n"
             "digest: BLAKE2b-256 of all Z, all X.  tags: of the first and the\n"
             "last member.  Computed from discrete logarithms, so not by any\n"
             "member's formula.", "n")
    for n in range(3, 65):
        seed = Stream(f"sizes {n}").draw(32)

        def h(i, c):
            return hashlib.blake2b(seed + i.to_bytes(2, "big") + c).digest()

        msgkey, rp = h(65535, b"a")[:32], h(65535, b"b")[:47]
        members = []
        for i in range(n):
            a, b = h(i, b"a"), h(i, b"b")
            members.append(Member(a[:47], a[47:63], b[:32],
                                  int.from_bytes(b[32:36], "big")))
        run = zpinc.Run(rp, msgkey, members)
        y = [int.from_bytes(h(i, b"c"), "little") for i in range(n)]
        times = multiples(run.g)
        zs = [r255.encode(times(v)) for v in y]
        xs = [r255.encode(times(y[i] * (y[(i + 1) % n] - y[i - 1])))
              for i in range(n)]
        k = r255.encode(times(sum(y[i] * y[i - 1] for i in range(n))))
        transcript = run.transcript(zs, xs)
        conv = Conversation(run.isk(k, transcript), run.view)
        tags = [run.tag(i, conv.confirm, transcript) for i in (0, n - 1)]
        f.case(f"{n} members", n=n, seed=seed, view=run.view,
               digest=hashlib.blake2b(b"".join(zs + xs),
                                      digest_size=32).digest(),
               tags=b"".join(tags), record_key=conv.record_key, id=conv.id)
    return f


def multiples(base):
    """Scalar multiplication with a table: 16 multiples of each 16^i base."""
    table = []
    for _ in range(64):
        row = [r255.NEUTRAL]
        for _ in range(16):
            row.append(r255.add(row[-1], base))
        table.append(row)
        base = row[16]

    def times(s):
        out, s = r255.NEUTRAL, s % r255.ORDER
        for row in table:
            out, s = r255.add(out, row[s & 15]), s >> 4
        return out
    return times


def groups_refused():
    f = File("Shares and mixes of others that a member must not take.  The\n"
             "member at index self has y; Z and X are what everybody sent,\n"
             "in order, its own among them.  error: point (does not decode,\n"
             "or is neutral: who is the index to blame), equal (two equal\n"
             "Z), sum (the X do not sum to neutral), neutral (K), tag (the\n"
             "tag of index who is wrong; tags as they came).",
             "n, self, who", "error")
    bad_points = dict(
        neutral=bytes(32),
        negative=(1).to_bytes(32, "little"),
        high=(2**255 - 19).to_bytes(32, "little"),
        nonsquare=bytes.fromhex("26948d35ca62e643e26a83177332e6b6"
                                "afeb9d08e4268b650f1f5bbd8d81d371"),
        topbit=zpinc.flip(r255.encode(r255.GENERATOR), 255))

    def add(reason, g, me, error, change, **more):
        run, zs, xs, k, transcript, isk, conv, tags = g.run()
        zs, xs = change(list(zs), list(xs)) or (zs, xs)
        y = g.ys[run.members[me]]
        try:
            if error == "tag":
                raise Refused("tag")
            if run.n > 2 and not xs:
                run.mix(me, y, zs)
            run.key(me, y, zs, xs)
            raise AssertionError(reason)
        except Refused as e:
            words = dict(point=("does not decode", "is neutral"),
                         equal=("two equal",), sum=("do not sum",),
                         neutral=("K is",), tag=("tag",))[error]
            assert any(w in str(e) for w in words), (reason, str(e))
            if error == "point":
                assert f"member {more['who']} " in str(e), str(e)
        fields = {"n": run.n, "self": me, "msgkey": g.channel.msgkey,
                  "RP": g.channel.rp, "members": flat(run.members),
                  "view": run.view, "y": y.to_bytes(32, "little"),
                  "Z": b"".join(zs)}
        if xs:
            fields["X"] = b"".join(xs)
        fields.update(more)
        f.case(reason, **fields, error=error)

    def put(z=None, x=None):
        def change(zs, xs):
            for i, v in (z or {}).items():
                zs[i] = v
            for i, v in (x or {}).items():
                xs[i] = v
            return zs, xs
        return change

    two, three = Group("refused 2", 2), Group("refused 3", 3)
    five = Group("refused 5", 5)
    for name, value in bad_points.items():
        add(f"two members, Z: {name}", two, 0, "point", put({1: value}),
            who=1)
    add("two members, the other copies our Z", two, 1, "equal",
        lambda z, x: ([z[1], z[1]], x))
    for name, value in bad_points.items():
        add(f"three members, Z: {name}", three, 0, "point",
            lambda z, x: ([z[0], z[1], value], []), who=2)
        add(f"three members, X: {name}", three, 0, "point",
            put(x={1: value}), who=1)
    add("five members, two others sent the same Z", five, 0, "equal",
        lambda z, x: (z[:3] + [z[2]] + z[4:], []))
    add("five members, one copies ours", five, 4, "equal",
        lambda z, x: ([z[4]] + z[1:], []))
    add("five members, one X off by the generator", five, 0, "sum",
        lambda z, x: (z, x[:3] + [r255.encode(r255.add(
            r255.decode(x[3]), r255.GENERATOR))] + x[4:]))
    add("five members, one X negated", five, 1, "sum",
        lambda z, x: (z, x[:3] + [r255.encode(r255.negate(
            r255.decode(x[3])))] + x[4:]))

    # Two colluders cancel their errors: the sum is right, K is not.  They
    # are no neighbours: otherwise all honest members' K would be off alike.
    run, zs, xs, k, transcript, isk, conv, tags = five.run()
    g1 = r255.GENERATOR
    xs2 = list(xs)
    xs2[2] = r255.encode(r255.add(r255.decode(xs[2]), g1))
    xs2[4] = r255.encode(r255.sub(r255.decode(xs[4]), g1))
    me = 0
    y = five.ys[run.members[me]]
    wrong = run.key(me, y, zs, xs2)
    assert wrong != k
    t2 = run.transcript(zs, xs2)
    isk2 = run.isk(wrong, t2)
    conv2 = Conversation(isk2, run.view)
    own = run.tag(me, conv2.confirm, t2)
    other = run.key(3, five.ys[run.members[3]], zs, xs2)
    conv3 = Conversation(run.isk(other, t2), run.view)
    got = [own] + [run.tag(i, (conv3 if i == 3 else conv2).confirm, t2)
                   for i in range(1, 5)]
    assert got[3] != run.tag(3, conv2.confirm, t2)
    add("two colluders whose errors cancel: the sum is right, members get\n"
        "different K, and only the tags show it", five, me, "tag",
        lambda z, x: (z, xs2), K=wrong, ISK=isk2, tags=b"".join(got), who=3)

    # A K that is neutral: the last X is made to cancel the rest for us.
    # All X must sum to neutral too, so two of them are chosen.
    run, zs, xs, k, *rest = five.run()
    y = five.ys[run.members[0]]
    # K = 5 y Z_4 + 4 X_0 + 3 X_1 + 2 X_2 + X_3; add D to X_3 and take it
    # from X_4: K grows by D.  D = -K.
    d = r255.negate(r255.decode(k))
    xs3 = list(xs)
    xs3[3] = r255.encode(r255.add(r255.decode(xs[3]), d))
    xs3[4] = r255.encode(r255.sub(r255.decode(xs[4]), d))
    add("two colluders who know K make ours neutral", five, 0, "neutral",
        lambda z, x: (z, xs3))
    return f


def conversations():
    f = File("From ISK and view id to a conversation's keys.",
             text="safety")
    s = Stream("conversations")
    for reason, isk, view in (
            ("any", s.draw(64), s.draw(32)),
            ("another view id, same ISK", Stream("isk").draw(64),
             s.draw(32)),
            ("the same ISK again", Stream("isk").draw(64), s.draw(32)),
            ("zeros", bytes(64), bytes(32))):
        c = Conversation(isk, view)
        f.case(reason, ISK=isk, view=view, prk=c.prk,
               record_key=c.record_key, confirm_key=c.confirm, id=c.id,
               safety_bytes=c.safety_bytes, safety=c.safety)
    return f


def safety():
    f = File("Safety numbers: 16 bytes, big-endian, modulo 10^30.",
             text="safety")
    big = 10**30
    for reason, n in (("zero", 0), ("leading zeros stay", 1),
                      ("the largest that is not reduced", big - 1),
                      ("10^30 is zero again", big),
                      ("all bits set", 2**128 - 1),
                      ("the highest bit alone", 2**127),
                      ("around 2^64", 2**64 + 12345),
                      ("a multiple of 10^30 and something", 340 * big + 7)):
        data = n.to_bytes(16, "big")
        f.case(reason, safety_bytes=data, safety=zpinc.safety_number(data))
    return f


FILES = {
    "blake2b-personal": blake2b, "kdf": kdf, "names": names,
    "passwords": passwords, "keys": keys, "pseudonyms": pseudonyms,
    "padme": padme, "part-sizes": part_sizes, "records": records,
    "bodies": bodies, "records-refused": refused, "lines": lines,
    "hellos": hellos, "views": views, "groups": groups,
    "groups-sizes": group_sizes,
    "groups-refused": groups_refused, "conversations": conversations,
    "safety": safety,
}


def main():
    args = sys.argv[1:]
    check = args[:1] == ["--check"]
    args = args[check:]
    if not args or set(args[1:]) - set(FILES):
        print(__doc__, file=sys.stderr)
        return 2
    status = 0
    for name in args[1:] or FILES:
        path = os.path.join(args[0], name + ".txt")
        text = FILES[name]().out
        if not check:
            with open(path, "w") as f:
                f.write(text)
            continue
        with open(path) as f:
            if f.read() != text:
                print(f"{path} differs from what the oracle makes")
                status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
