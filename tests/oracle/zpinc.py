#!/usr/bin/python3
"""A second implementation of Zpinc's formats, the oracle of the tests.

Written from the specification, in another language than the tools, so that
the tools are not their own witness.  Clear rather than fast; nothing here
is constant time, and keys come as arguments: for tests only.

As a program: `zpinc.py --help`.
"""

import sys

sys.dont_write_bytecode = True

import argparse
import hashlib
import json
import os
import secrets
import struct
import time
import unicodedata

import nacl.bindings
import nacl.exceptions

import ristretto as r255

ALPHABET = ("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
            "0123456789-_")
MAGIC = "zp1."
RECORD_MAX = 1048576
NAME_MAX = 31
PSEUDONYM = 47
ENC_MIN = 200
HEADER = 40
NOTE, MESSAGE, HELLO = 1, 2, 3
LAST, SIGNED = 1, 2


class Refused(Exception):
    """Something read is not what the formats allow; str() says why."""


class BadBody(Refused):
    """The record is good, and what it says of its body is not."""


# ---- primitives ---------------------------------------------------------


def blake2b(size, person, data, key=b""):
    """BLAKE2b without salt; hashlib fills the personal with zero bytes."""
    return hashlib.blake2b(data, digest_size=size, key=key,
                           person=person.encode()).digest()


def kdf(key, number, context, size):
    """libsodium's crypto_kdf_derive_from_key."""
    return hashlib.blake2b(b"", digest_size=size, key=key,
                           salt=struct.pack("<Q", number),
                           person=context.encode()).digest()


def rotl(v, n):
    v &= 0xffffffff
    return v << n & 0xffffffff | v >> 32 - n


def _salsa20_rounds(x):
    quarter = ((0, 4, 8, 12), (5, 9, 13, 1), (10, 14, 2, 6), (15, 3, 7, 11),
               (0, 1, 2, 3), (5, 6, 7, 4), (10, 11, 8, 9), (15, 12, 13, 14))
    x = list(x)
    for _ in range(10):
        for a, b, c, d in quarter:
            x[b] ^= rotl(x[a] + x[d], 7)
            x[c] ^= rotl(x[b] + x[a], 9)
            x[d] ^= rotl(x[c] + x[b], 13)
            x[a] ^= rotl(x[d] + x[c], 18)
    return x


def _salsa20_state(key, block):
    k = struct.unpack("<8I", key)
    c = struct.unpack("<4I", b"expand 32-byte k")
    n = struct.unpack("<4I", block)
    return (c[0], *k[:4], c[1], *n, c[2], *k[4:], c[3])


def xsalsa20(key, nonce, length):
    """The key stream (Bernstein, 'Extending the Salsa20 nonce')."""
    x = _salsa20_rounds(_salsa20_state(key, nonce[:16]))
    sub = struct.pack("<8I", *(x[i] for i in (0, 5, 10, 15, 6, 7, 8, 9)))
    out = b""
    for i in range((length + 63) // 64):
        start = _salsa20_state(sub, nonce[16:] + struct.pack("<Q", i))
        x = _salsa20_rounds(start)
        out += struct.pack("<16I", *((a + b) & 0xffffffff
                                     for a, b in zip(x, start)))
    return out[:length]


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b, strict=True))


def secretbox(key, nonce, data):
    return nacl.bindings.crypto_secretbox(data, nonce, key)


def secretbox_open(key, nonce, box):
    """The contents, or None."""
    try:
        return nacl.bindings.crypto_secretbox_open(box, nonce, key)
    except nacl.exceptions.CryptoError:
        return None


def ed25519_public(seed):
    return nacl.bindings.crypto_sign_seed_keypair(seed)[0]


def ed25519_sign(seed, data):
    secret = nacl.bindings.crypto_sign_seed_keypair(seed)[1]
    return nacl.bindings.crypto_sign(data, secret)[:64]


def ed25519_good(public, data, sig):
    try:
        nacl.bindings.crypto_sign_open(sig + data, public)
        return True
    except nacl.exceptions.CryptoError:
        return False


def b64(data):
    """Base64url without padding."""
    out = ""
    for i in range(0, len(data), 3):
        group = data[i:i + 3]
        n = int.from_bytes(group + bytes(3 - len(group)), "big")
        chars = "".join(ALPHABET[n >> s & 63] for s in (18, 12, 6, 0))
        out += chars[:len(group) + 1]
    return out


def unb64(text):
    """Canonical base64url only."""
    if len(text) % 4 == 1:
        raise Refused("base64url of an impossible length")
    n = 0
    out = bytearray()
    bits = 0
    for c in text:
        at = ALPHABET.find(c)
        if at < 0:
            raise Refused("a character outside base64url")
        n, bits = n << 6 | at, bits + 6
        if bits >= 8:
            bits -= 8
            out.append(n >> bits)
            n &= (1 << bits) - 1
    if n:
        raise Refused("base64url with bits left over")
    return bytes(out)


# ---- keys ---------------------------------------------------------------


def name_bytes(name):
    """A channel's or a user's name, checked."""
    data = name.encode() if isinstance(name, str) else name
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("a name that is not UTF-8") from None
    if not 1 <= len(data) <= NAME_MAX:
        raise Refused("a name that has not 1 to 31 bytes")
    if any(unicodedata.category(c) == "Cc" for c in text):
        raise Refused("a name with a control character")
    return data


def password_bytes(data):
    """What of a file or a typed line is the password."""
    data = data.split(b"\n")[0]
    if data.endswith(b"\r"):
        data = data[:-1]
    if not data:
        raise Refused("an empty password")
    return data


def salt(channel):
    return blake2b(32, "zpinc1-salt", name_bytes(channel))


def key_from_password(password, channel, work=18):
    if not 15 <= work <= 22:
        raise Refused("a work factor outside 15 to 22")
    return hashlib.scrypt(password, salt=salt(channel), n=1 << work, r=8, p=1,
                          dklen=32, maxmem=(1 << work) * 1024 + (1 << 24))


class Channel:
    """A channel's keys and topics."""

    def __init__(self, key, channel):
        self.channel = name_bytes(channel)
        self.key = key
        self.root = blake2b(32, "zpinc1-root", self.channel, key)
        self.amac, self.aenc, self.msgkey = (
            kdf(self.root, i, "zpinc1k_", 32) for i in (1, 2, 3))
        self.topics()

    def topics(self):
        self.rp = pseudonym(self, "zpinc1-chan", self.channel)
        self.live = pseudonym(self, "zpinc1-live", self.channel)

    @classmethod
    def of_subkeys(cls, amac, aenc, msgkey, channel):
        self = cls.__new__(cls)
        self.channel = name_bytes(channel)
        self.key = self.root = None
        self.amac, self.aenc, self.msgkey = amac, aenc, msgkey
        self.topics()
        return self

    def user(self, uid):
        return pseudonym(self, "zpinc1-user", name_bytes(uid))


def pseudonym(keys, person, name, pad=None):
    """`name` is not checked here, so that tests can make wrong ones."""
    padded = (name + bytes(NAME_MAX))[:NAME_MAX] if pad is None else pad
    iv = blake2b(16, person, padded, keys.amac)
    return iv + xor(padded, xsalsa20(keys.aenc, iv + bytes(8), NAME_MAX))


def open_user(keys, p):
    """The uid of P."""
    iv = p[:16]
    padded = xor(p[16:], xsalsa20(keys.aenc, iv + bytes(8), NAME_MAX))
    if blake2b(16, "zpinc1-user", padded, keys.amac) != iv:
        raise Refused("P was not made with this channel's keys")
    name = padded.split(b"\0")[0]
    if any(padded[len(name):]):
        raise Refused("P holds bytes after the name's end")
    return name_bytes(name).decode()


def topic(p):
    """A pseudonym as text."""
    return "z" + b64(p)


# ---- payloads -----------------------------------------------------------


def padme(length):
    """Padmé (Nikitin and others, 'Reducing Metadata Leakage from Encrypted
    Files and Communication with PURBs')."""
    e = length.bit_length() - 1
    s = e.bit_length()
    mask = (1 << (e - s)) - 1
    return (length + mask) & ~mask


def padded_length(length):
    """Of a payload with `length` bytes before the padding."""
    return max(128, padme(length + 1))


def pad(data):
    data += b"\x80"
    return data + bytes(padded_length(len(data) - 1) - len(data))


def unpad(data):
    data = data.rstrip(b"\0")
    if not data.endswith(b"\x80"):
        raise Refused("the padding has no 0x80")
    return data[:-1]


def header(kind, flags, part, sid, seq, ms, zero=0):
    return struct.pack(">BBHI16sQQ", kind, flags, zero, part, sid, seq, ms)


def signed_bytes(rp, p, keyid, idkey, head, body):
    return b"zpinc1 signature" + rp + p + keyid + idkey + head + body


def commit(key, rp, p, nonce):
    """(ek, com)"""
    out = blake2b(64, "zpinc1-record", rp + p + nonce, key)
    return out[:32], out[32:]


def seal_payload(key, rp, p, nonce, payload):
    ek, com = commit(key, rp, p, nonce)
    return nonce + com + secretbox(ek, nonce, payload)


def record(rp, p, enc):
    return MAGIC + topic(rp) + "." + topic(p) + "." + b64(enc)


def record_length(payload_length):
    enc = 24 + 32 + 16 + payload_length
    return 134 + (enc * 8 + 5) // 6


def part_size(max_record, signed):
    """The most bytes of body a record of max_record characters takes."""
    used = HEADER + (96 if signed else 0)
    low, high = 0, max_record
    while low < high:
        mid = (low + high + 1) // 2
        if record_length(padded_length(used + mid)) <= max_record:
            low = mid
        else:
            high = mid - 1
    return low


def seal_part(key, rp, p, keyid, head, body, nonce, seed=None):
    """One record; `head` says whether it is signed."""
    data = head + body
    if head[1] & SIGNED:
        idkey = ed25519_public(seed)
        data += idkey + ed25519_sign(
            seed, signed_bytes(rp, p, keyid, idkey, head, body))
    return record(rp, p, seal_payload(key, rp, p, nonce, pad(data)))


def seal_body(key, rp, p, keyid, kind, sid, seq, ms, body, draw, seed=None,
              max_record=4095):
    """All records of one body; draw(24) gives each nonce."""
    size = part_size(max_record, seed is not None)
    count = max(1, (len(body) + size - 1) // size)
    out = []
    for i in range(count):
        flags = (LAST if i == count - 1 else 0) | (SIGNED if seed else 0)
        head = header(kind, flags, i, sid, seq, ms)
        out.append(seal_part(key, rp, p, keyid, head,
                             body[i * size:(i + 1) * size], draw(24), seed))
    return out


# ---- reading records ----------------------------------------------------


def run_length(text, at):
    end = at
    while end < len(text) and text[end] in ALPHABET:
        end += 1
    return end - at


def candidate(line, at):
    """The record-like text at `line[at:]`: (RP, P, ENC, end) as text, or
    None."""
    i = at + len(MAGIC)
    fields = []
    for _ in range(2):
        field = line[i:i + 64]
        if len(field) != 64 or field[0] != "z" or \
                run_length(field, 0) != 64 or line[i + 64:i + 65] != ".":
            return None
        fields.append(field[1:])
        i += 65
    n = run_length(line, i)
    return fields[0], fields[1], line[i:i + n], i + n


class Reader:
    """Opens records of one channel with its key and conversation keys.

    `convs` is a list of (conversation id, record key); `members`, if given,
    are the P that conversations take messages of."""

    def __init__(self, channel, convs=(), notes=True, members=None):
        self.channel, self.members = channel, members
        self.keys = [(bytes(16), channel.msgkey, False)] if notes else []
        self.keys += [(keyid, key, True) for keyid, key in convs]

    def scan(self, line):
        """The outcome of every record-like text of a line, as dicts.

        Only what opened is passed over as a whole: a record whose end was
        torn off can swallow the beginning of the next."""
        out = []
        at = line.find(MAGIC)
        while at >= 0:
            got, end = self.try_at(line, at)
            if got is not None:
                out.append(got)
            opened = got is not None and got["verdict"] in (
                "ok", "skip", "refused")
            at = line.find(MAGIC, end if opened else at + 1)
        return out

    def try_at(self, line, at):
        found = candidate(line, at)
        if found is None:
            return None, at
        rp, p, enc, end = found
        try:
            if end - at > RECORD_MAX:
                raise Refused("longer than a record may be")
            fields = unb64(rp), unb64(p), unb64(enc)
        except Refused as e:
            return {"verdict": "none", "reason": str(e)}, end
        return self.open(*fields), end

    def open(self, rp, p, enc):
        """verdict: ok; refused (it opened, but is wrong); skip (a kind we
        do not know); broken (a key's commitment, and a box that does not
        open); noise (no key fits); foreign (another channel)"""
        if rp not in (self.channel.rp, self.channel.live):
            return {"verdict": "foreign", "reason": "another channel"}
        if len(enc) < ENC_MIN:
            return {"verdict": "noise", "reason": "too short"}
        nonce, com, box = enc[:24], enc[24:56], enc[56:]
        for keyid, key, conv in self.keys:
            ek, want = commit(key, rp, p, nonce)
            if com != want:
                continue
            data = secretbox_open(ek, nonce, box)
            if data is None:
                return {"verdict": "broken", "reason": "the box is broken"}
            got = {"verdict": "ok"}
            try:
                self.payload(got, rp, p, keyid, conv, data)
            except Refused as e:
                got["verdict"], got["reason"] = "refused", str(e)
                got["bad_body"] = isinstance(e, BadBody)
            return got
        return {"verdict": "noise", "reason": "no key fits"}

    def payload(self, got, rp, p, keyid, conv, data):
        got["p"] = topic(p)
        got["live"] = rp == self.channel.live
        got["keyid"] = keyid.hex()
        got["uid"] = open_user(self.channel, p)
        if conv and self.members is not None and p not in self.members:
            raise Refused("P is no member of the conversation")
        data = unpad(data)
        if len(data) < HEADER:
            raise Refused("shorter than a header")
        head = data[:HEADER]
        kind, flags, zero, part, sid, seq, ms = struct.unpack(
            ">BBHI16sQQ", head)
        got.update(kind=kind, flags=flags, part=part, sid=sid.hex(),
                   seq=seq, time=ms)
        if flags & ~(LAST | SIGNED):
            raise Refused("an unknown flag")
        if zero:
            raise Refused("reserved bytes that are not zero")
        known = kind in (NOTE, MESSAGE, HELLO)
        if known and (kind == HELLO) != got["live"]:
            raise Refused("a kind that does not belong on this topic")
        if known and (kind == MESSAGE) != conv:
            raise Refused("a kind that does not belong under this key")
        body = data[HEADER:]
        got["idkey"] = ""
        if flags & SIGNED:
            if len(body) < 96:
                raise Refused("too short for its signature")
            body, idkey, sig = body[:-96], body[-96:-64], body[-64:]
            got["idkey"] = idkey.hex()
            if not ed25519_good(idkey, signed_bytes(
                    rp, p, keyid, idkey, head, body), sig):
                raise Refused("the signature is wrong")
        got["body"] = body
        if not known:
            got["verdict"], got["reason"] = "skip", "an unknown kind"
        if kind == HELLO:
            if part or not flags & LAST:
                raise BadBody("a hello in parts")
            try:
                got["hello"] = parse_hello(body)
            except Refused as e:
                raise BadBody(str(e)) from None
        if kind == MESSAGE and part == 0:
            if len(body) < 8:
                raise BadBody("a message without its first number")
            got["first"] = int.from_bytes(body[:8], "big")
            if got["first"] > seq:
                raise BadBody("a message before its session's first")


class Joiner:
    """Puts bodies together from opened records."""

    BODY_MAX = 1 << 20  # of what is shown: without a message's first number
    OPEN_MAX = 16

    def __init__(self):
        self.parts = {}
        self.done = set()

    def add(self, got):
        """The record list of a whole body, or None; raises Refused when a
        body is given up."""
        if got["verdict"] != "ok":
            return None
        name = (got["p"], got["sid"], got["kind"], got["seq"], got["time"])
        if name in self.done:
            return None
        have = self.parts.setdefault(name, {})
        have.setdefault(got["part"], got)
        lead = 8 if got["kind"] == MESSAGE else 0
        if sum(len(g["body"]) for g in have.values()) > self.BODY_MAX + lead:
            del self.parts[name]
            self.done.add(name)
            raise Refused("a body of more than 1 MiB")
        ends = [n for n, g in have.items() if g["flags"] & LAST]
        if ends and len(have) == ends[0] + 1 and max(have) == ends[0]:
            del self.parts[name]
            self.done.add(name)
            whole = [have[i] for i in range(len(have))]
            if len({g["idkey"] for g in whole}) > 1:
                raise Refused("a body signed by two keys")
            return whole
        if len(self.parts) > self.OPEN_MAX:
            del self.parts[next(iter(self.parts))]
            raise Refused("more than 16 bodies at a time")
        return None


# ---- hellos -------------------------------------------------------------

Z, X, TAG, DONE, FIXED, LEAVE = 1, 2, 4, 8, 16, 32


def make_hello(h):
    """The body from a dict as parse_hello gives it; checks nothing."""
    out = struct.pack(">BBHIQQ", h["flags"], h.get("zero", 0),
                      h.get("m", len(h["entries"])), h["gen"], h["notes"],
                      h["messages"])
    for bit, names in ((Z, ("view", "z")), (X, ("x",)), (TAG, ("tag",))):
        if h["flags"] & bit:
            out += b"".join(bytes.fromhex(h[name]) for name in names)
    for e in h["entries"]:
        out += bytes.fromhex(e["mid"]) + struct.pack(
            ">QQ", e["ack"], e["seen"])
    return out


def parse_hello(body, max_members=72):
    if len(body) < 24:
        raise Refused("a hello shorter than its fixed part")
    flags, zero, m, gen, notes, messages = struct.unpack(
        ">BBHIQQ", body[:24])
    if flags & ~63:
        raise Refused("a hello with an unknown flag")
    if flags & (X | TAG) and not flags & Z:
        raise Refused("a hello with X or a tag but no Z")
    if flags & DONE and not flags & TAG:
        raise Refused("a hello that is done without a tag")
    if zero:
        raise Refused("a hello's reserved byte is not zero")
    if m > max_members:
        raise Refused("a hello with too many entries")
    h = dict(flags=flags, gen=gen, notes=notes, messages=messages)
    at = 24
    for bit, names in ((Z, ("view", "z")), (X, ("x",)), (TAG, ("tag",))):
        for name in names if flags & bit else ():
            h[name] = body[at:at + 32].hex()
            at += 32
    if len(body) != at + 32 * m:
        raise Refused("a hello whose length does not fit its entries")
    h["entries"] = []
    last = b""
    for i in range(at, len(body), 32):
        mid = body[i:i + 16]
        if mid <= last and last:
            raise Refused("a hello's entries are not in ascending order")
        last = mid
        ack, seen = struct.unpack(">QQ", body[i + 16:i + 32])
        h["entries"].append(dict(mid=mid.hex(), ack=ack, seen=seen))
    return h


# ---- views and groups ---------------------------------------------------


class Member:
    """One session: P, sid, identity key (32 zero bytes if none), gen."""

    def __init__(self, p, sid, idkey=bytes(32), gen=0):
        self.p, self.sid, self.idkey, self.gen = p, sid, idkey, gen
        self.mid = blake2b(16, "zpinc1-member", p + sid + idkey)

    def order(self):
        return self.p + self.sid


def view_id(rp, members):
    data = rp + struct.pack(">H", len(members))
    for m in members:
        data += m.p + m.sid + m.idkey + struct.pack(">I", m.gen)
    return blake2b(32, "zpinc1-view", data)


def leb128(n):
    out = b""
    while n >= 128:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def lv_cat(*parts):
    return b"".join(leb128(len(p)) + p for p in parts)


def generator_string(dsi, prs, ci, sid, block):
    """draft-irtf-cfrg-cpace, generator_string."""
    zeros = max(0, block - len(lv_cat(prs)) - len(lv_cat(dsi)) - 1)
    return lv_cat(dsi, prs, bytes(zeros), ci, sid)


def o_cat(a, b):
    """Ordered concatenation: the lexicographically larger one first."""
    return b"oc" + (a + b if a > b else b + a)


def transcript_oc(ya, ada, yb, adb):
    return o_cat(lv_cat(ya, ada), lv_cat(yb, adb))


def transcript_ir(ya, ada, yb, adb):
    return lv_cat(ya, ada) + lv_cat(yb, adb)


def sha512(data):
    return hashlib.sha512(data).digest()


CPACE_DSI = b"CPaceRistretto255"
GROUP_DSI = b"ZpincBDRistretto255"


def point(data, what):
    out = r255.decode(data)
    if out is None:
        raise Refused(what + " does not decode")
    if r255.neutral(out):
        raise Refused(what + " is neutral")
    return out


class Run:
    """One view's key exchange, from the outside or as one member."""

    def __init__(self, rp, msgkey, members):
        self.members = sorted(members, key=Member.order)
        self.n = len(self.members)
        self.view = view_id(rp, self.members)
        self.ci = lv_cat(rp, *(f for m in self.members
                               for f in (m.p, m.sid)))
        self.gen = generator_string(CPACE_DSI, msgkey, self.ci, self.view,
                                    128)
        self.g = r255.from_hash(sha512(self.gen))

    def share(self, y):
        return r255.encode(r255.mul(y, self.g))

    def shares(self, zs):
        """All Z as points, checked."""
        out = [point(z, f"Z of member {i}") for i, z in enumerate(zs)]
        if len(set(zs)) != len(zs):
            raise Refused("two equal Z")
        return out

    def mix(self, i, y, zs):
        z = self.shares(zs)
        n = self.n
        return r255.encode(r255.mul(y, r255.sub(z[(i + 1) % n],
                                                z[(i - 1) % n])))

    def key(self, i, y, zs, xs):
        """K as member i computes it."""
        n = self.n
        z = self.shares(zs)
        if n == 2:
            k = r255.mul(y, z[1 - i])
        else:
            x = [point(v, f"X of member {j}") for j, v in enumerate(xs)]
            total = r255.NEUTRAL
            for v in x:
                total = r255.add(total, v)
            if not r255.neutral(total):
                raise Refused("the X do not sum to neutral")
            k = r255.mul(n * y, z[(i - 1) % n])
            for j in range(n - 1):
                k = r255.add(k, r255.mul(n - 1 - j, x[(i + j) % n]))
        if r255.neutral(k):
            raise Refused("K is neutral")
        return r255.encode(k)

    def transcript(self, zs, xs):
        if self.n == 2:
            (a, b), (za, zb) = self.members, zs
            return transcript_oc(za, a.order(), zb, b.order())
        return lv_cat(*(f for m, z, x in zip(self.members, zs, xs)
                        for f in (m.p, m.sid, z, x)))

    def isk(self, k, transcript):
        dsi = CPACE_DSI if self.n == 2 else GROUP_DSI
        return sha512(lv_cat(dsi + b"_ISK", self.view, k) + transcript)

    def tag(self, i, confirm, transcript):
        return blake2b(32, "zpinc1-confirm", self.view +
                       self.members[i].mid + sha512(transcript), confirm)


class Conversation:
    def __init__(self, isk, view):
        self.prk = blake2b(32, "zpinc1-isk", view, isk)
        sizes = (32, 32, 16, 16)
        self.record_key, self.confirm, self.id, self.safety_bytes = (
            kdf(self.prk, i + 1, "zpinc1c_", s) for i, s in enumerate(sizes))
        self.safety = safety_number(self.safety_bytes)


def safety_number(data):
    digits = f"{int.from_bytes(data, 'big') % 10**30:030d}"
    return " ".join(digits[i:i + 5] for i in range(0, 30, 5))


# ---- deliberately wrong records -----------------------------------------


def flip(data, bit):
    out = bytearray(data)
    out[bit // 8] ^= 1 << bit % 8
    return bytes(out)


class Maker:
    """Makes one record, wrong in the way that `mutate` names.

    A key holder can make all of these but the ones after ANYBODY, which
    change a good record as a relay could."""

    IDENTITY_POINT = bytes([1]) + bytes(31)

    def __init__(self, channel, key=None, keyid=bytes(16), uid="alice",
                 seed=None, draw=secrets.token_bytes, live=False):
        self.channel, self.keyid, self.seed = channel, keyid, seed
        self.key = channel.msgkey if key is None else key
        self.uid, self.draw = uid, draw
        self.rp = channel.live if live else channel.rp
        self.p = channel.user(uid)

    def make(self, mutate, kind, flags, part, sid, seq, ms, body):
        self.nonce = self.draw(24)
        self.mutated = False
        head = header(kind, flags | (SIGNED if self.seed else 0), part, sid,
                      seq, ms)
        method = getattr(self, "m_" + mutate.replace("-", "_"), None)
        if method is None:
            raise Refused(f"no such mutation: {mutate}")
        return method(head, body)

    def data(self, head, body):
        """What comes before the padding."""
        if head[1] & SIGNED and self.seed:
            idkey = ed25519_public(self.seed)
            body += idkey + ed25519_sign(self.seed, signed_bytes(
                self.rp, self.p, self.keyid, idkey, head, body))
        return head + body

    def seal(self, payload, rp=None, p=None):
        return seal_payload(self.key, rp or self.rp, p or self.p,
                            self.nonce, payload)

    def good(self, head, body):
        return self.seal(pad(self.data(head, body)))

    def line(self, enc, rp=None, p=None):
        return record(rp or self.rp, p or self.p, enc)

    def m_none(self, head, body):
        return self.line(self.good(head, body))

    # payload

    def m_pad_missing(self, head, body):
        data = self.data(head, body)
        if data[-1] == 0x80 or not any(data[HEADER:]):
            raise Refused("this body would look padded")
        return self.line(self.seal(data + bytes(
            padded_length(len(data)) - len(data))))

    def m_pad_all_zero(self, head, body):
        return self.line(self.seal(bytes(len(pad(self.data(head, body))))))

    def m_pad_ff(self, head, body):
        data = self.data(head, body) + b"\x80"
        return self.line(self.seal(data + b"\xff" * (
            padded_length(len(data)) - len(data))))

    def m_header_short(self, head, body):
        return self.line(self.seal(pad(head[:HEADER - 1])))

    def m_empty_payload(self, head, body):
        return self.line(self.seal(pad(b"")))

    def m_reserved(self, head, body):
        return self.line(self.good(head[:3] + b"\1" + head[4:], body))

    def m_reserved_high(self, head, body):
        return self.line(self.good(head[:2] + b"\x80" + head[3:], body))

    def m_flag(self, head, body, bit=4):
        return self.line(self.good(
            head[:1] + bytes([head[1] | bit]) + head[2:], body))

    def m_flag_high(self, head, body):
        return self.m_flag(head, body, 128)

    # the sender's name

    def padded_p(self, padded):
        self.p = pseudonym(self.channel, "zpinc1-user", b"", padded)

    def named(self, head, body, name):
        self.padded_p((name + bytes(NAME_MAX))[:NAME_MAX])
        return self.m_none(head, body)

    def m_p_empty(self, head, body):
        return self.named(head, body, b"")

    def m_p_control(self, head, body):
        return self.named(head, body, b"al\x1b[31mice")

    def m_p_delete(self, head, body):
        return self.named(head, body, b"alice\x7f")

    def m_p_c1(self, head, body):
        return self.named(head, body, "ali\u0085ce".encode())

    def m_p_not_utf8(self, head, body):
        return self.named(head, body, b"alic\xe9")

    def m_p_overlong(self, head, body):
        return self.named(head, body, b"alice\xc0\xaf")

    def m_p_surrogate(self, head, body):
        return self.named(head, body, b"alice\xed\xa0\x80")

    def m_p_beyond_unicode(self, head, body):
        return self.named(head, body, b"alice\xf4\x90\x80\x80")

    def m_p_after_zero(self, head, body):
        return self.named(head, body, b"alice\0bob")

    def m_p_wrong_iv(self, head, body):
        self.p = flip(self.p, 0)
        return self.m_none(head, body)

    def m_p_wrong_name(self, head, body):
        self.p = flip(self.p, 8 * 46)
        return self.m_none(head, body)

    def m_p_of_topic(self, head, body):
        self.p = self.channel.rp
        return self.m_none(head, body)

    # signatures

    def signed(self, head, body, change):
        """A record whose last 96 bytes are what change() makes of idkey
        and signature."""
        if not self.seed:
            raise Refused("this mutation needs an identity")
        head = head[:1] + bytes([head[1] | SIGNED]) + head[2:]
        data = self.data(head, body)
        idkey, sig = change(data[-96:-64], data[-64:])
        return self.line(self.seal(pad(data[:-96] + idkey + sig)))

    def m_sig_flip(self, head, body):
        return self.signed(head, body, lambda k, s: (k, flip(s, 77)))

    def m_sig_flip_s(self, head, body):
        return self.signed(head, body, lambda k, s: (k, flip(s, 300)))

    def m_sig_s_plus_l(self, head, body):
        return self.signed(head, body, lambda k, s: (k, s[:32] + (
            int.from_bytes(s[32:], "little") + r255.ORDER
        ).to_bytes(32, "little")))

    def m_sig_other_key(self, head, body):
        return self.signed(head, body, lambda k, s: (ed25519_public(
            blake2b(32, "other", self.seed)), s))

    def m_sig_small_order(self, head, body):
        """idkey and R neutral, S = 0: right for every text wherever the
        verifier does not refuse keys of small order"""
        return self.signed(head, body, lambda k, s: (
            self.IDENTITY_POINT, self.IDENTITY_POINT + bytes(32)))

    def resigned(self, head, body, changes):
        about = dict(rp=self.rp, p=self.p, keyid=self.keyid, head=head,
                     body=body) | changes
        return self.signed(head, body, lambda k, s: (k, ed25519_sign(
            self.seed, signed_bytes(about["rp"], about["p"], about["keyid"],
                                    k, about["head"], about["body"]))))

    def m_sig_other_rp(self, head, body):
        rp = self.channel.live if self.rp != self.channel.live else \
            self.channel.rp
        return self.resigned(head, body, dict(rp=rp))

    def m_sig_other_p(self, head, body):
        return self.resigned(head, body, dict(
            p=self.channel.user("mallory")))

    def m_sig_other_keyid(self, head, body):
        return self.resigned(head, body, dict(
            keyid=flip(self.keyid, 0)))

    def m_sig_zero_keyid(self, head, body):
        return self.resigned(head, body, dict(keyid=bytes(16)))

    def m_sig_other_seq(self, head, body):
        return self.resigned(head, body, dict(
            head=flip(head, 8 * 31)))

    def m_sig_other_time(self, head, body):
        return self.resigned(head, body, dict(
            head=flip(head, 8 * 39)))

    def m_sig_other_body(self, head, body):
        return self.resigned(head, body, dict(body=body + b"!"))

    def m_sig_no_label(self, head, body):
        return self.signed(head, body, lambda k, s: (k, ed25519_sign(
            self.seed, signed_bytes(self.rp, self.p, self.keyid, k, head,
                                    body)[16:])))

    def m_signed_short(self, head, body):
        head = head[:1] + bytes([head[1] | SIGNED]) + head[2:]
        return self.line(self.seal(pad(head + bytes(94) + b"x")))

    def m_signed_flag_alone(self, head, body):
        head = head[:1] + bytes([head[1] | SIGNED]) + head[2:]
        return self.line(self.seal(pad(head + body)))

    def m_sig_stripped(self, head, body):
        """the signature is there, the flag is not: body of a note that was
        never signed"""
        data = self.data(head, body)
        head = head[:1] + bytes([head[1] & ~SIGNED]) + head[2:]
        return self.line(self.seal(pad(head + data[HEADER:])))

    # sealing

    def m_short_enc(self, head, body):
        """authentic, and one byte shorter than the least record"""
        data = head + b"\x80"
        return self.line(self.seal(data + bytes(127 - len(data))))

    def m_other_key(self, head, body):
        self.key = flip(self.key, 0)
        return self.m_none(head, body)

    def m_com_uncommitted(self, head, body):
        """the right box key under a commitment of another key"""
        enc = self.good(head, body)
        com = commit(flip(self.key, 0), self.rp, self.p, self.nonce)[1]
        return self.line(enc[:24] + com + enc[56:])

    # ANYBODY: what a relay can do to a good record

    def changed(self, head, body, bit):
        enc = self.good(head, body)
        return self.line(flip(enc, bit % (8 * len(enc))))

    def m_nonce_flip(self, head, body):
        return self.changed(head, body, 0)

    def m_com_flip(self, head, body):
        return self.changed(head, body, 8 * 24)

    def m_com_flip_last(self, head, body):
        return self.changed(head, body, 8 * 56 - 1)

    def m_tag_flip(self, head, body):
        return self.changed(head, body, 8 * 56)

    def m_box_flip(self, head, body):
        return self.changed(head, body, 8 * 72)

    def m_box_flip_last(self, head, body):
        return self.changed(head, body, -1)

    def m_truncated(self, head, body):
        return self.line(self.good(head, body)[:-1])

    def m_extended(self, head, body):
        return self.line(self.good(head, body) + b"\0")

    def m_swap_p(self, head, body):
        return self.line(self.good(head, body), p=self.channel.user("bob"))

    def m_swap_rp(self, head, body):
        return self.line(self.good(head, body), rp=self.channel.live)

    def m_foreign_rp(self, head, body):
        return self.line(self.good(head, body), rp=flip(self.channel.rp, 9))

    def m_rp_is_p(self, head, body):
        return self.line(self.good(head, body), rp=self.p, p=self.rp)

    def loosened(self, text):
        """The same bytes in base64url that is not canonical."""
        return text[:-1] + ALPHABET[ALPHABET.index(text[-1]) + 1]

    def fields(self, head, body):
        return self.m_none(head, body).split(".")

    def m_b64_enc_loose(self, head, body):
        enc = self.good(head, body)
        if len(enc) % 3 == 0:
            raise Refused("no bits are left over at this length")
        return self.loosened(self.line(enc))

    def m_b64_rp_loose(self, head, body):
        f = self.fields(head, body)
        return ".".join([f[0], self.loosened(f[1]), f[2], f[3]])

    def m_b64_p_loose(self, head, body):
        f = self.fields(head, body)
        return ".".join([f[0], f[1], self.loosened(f[2]), f[3]])

    def m_b64_length(self, head, body):
        """one character more than a whole number of bytes"""
        text = self.m_none(head, body)
        return text + "A" * ((1 - len(text.split(".")[3])) % 4)

    def m_b64_plus(self, head, body):
        f = self.fields(head, body)
        return ".".join(f[:3] + [f[3][:88] + "+" + f[3][89:]])

    def m_b64_padded(self, head, body):
        """harmless: the run of base64url ends before the equals signs"""
        return self.m_none(head, body) + "=="

    def m_magic_2(self, head, body):
        return "zp2" + self.m_none(head, body)[3:]

    def m_magic_upper(self, head, body):
        return "ZP1" + self.m_none(head, body)[3:]

    def m_no_z(self, head, body):
        f = self.fields(head, body)
        return ".".join([f[0], "y" + f[1][1:], f[2], f[3]])

    def m_rp_short(self, head, body):
        f = self.fields(head, body)
        return ".".join([f[0], f[1][:-1], f[2], f[3]])

    def m_rp_long(self, head, body):
        f = self.fields(head, body)
        return ".".join([f[0], f[1] + "A", f[2], f[3]])


MUTATIONS = [n[2:].replace("_", "-") for n in vars(Maker)
             if n.startswith("m_")]


# ---- files --------------------------------------------------------------


def file_lines(path, magic):
    """The lines of one of our text files, as (word, rest)."""
    with open(path, encoding="utf-8") as f:
        lines = [line.rstrip("\r\n").partition(" ")[::2] for line in f
                 if line.strip() and not line.startswith("#")]
    if not lines or lines[0] != (magic, "1"):
        raise Refused(f"{path}: no {magic}")
    return lines[1:]


def unescape(name):
    """A name as files have it: `\\\\' and `\\xNN' stand for bytes."""
    data, out = name.encode(), b""
    while data:
        if data[:2] == b"\\x":
            out, data = out + bytes.fromhex(data[2:4].decode()), data[4:]
        elif data[:1] == b"\\":
            out, data = out + b"\\", data[2:]
        else:
            out, data = out + data[:1], data[1:]
    return out.decode()


# Unicode's marks of direction, and what separates lines.
DISORDER = "\u061c\u200e\u200f" + "".join(map(chr, (
    *range(0x2028, 0x202f), *range(0x2066, 0x206a))))


def escape(name):
    """The inverse, as zpinc-key(5) says what must not stand in a file."""
    out = ""
    for i, c in enumerate(name):
        if c == "\\":
            out += "\\\\"
        elif unicodedata.category(c) == "Cc" or c in DISORDER or \
                (c == " " and i in (0, len(name) - 1)):
            out += "".join(f"\\x{b:02x}" for b in c.encode())
        else:
            out += c
    return out


def write_key_file(key, channel, work):
    """The text of a channel's key file; work None: a random key's."""
    name = name_bytes(channel).decode()
    return (f"zpinc-key 1\nsuite zp1\nchannel {escape(name)}\n"
            f"work {work or 'random'}\nkey {b64(key)}\n")


def write_identity_file(seed):
    return f"zpinc-identity 1\nseed {b64(seed)}\n"


def write_export(key, channel, work):
    data = bytes([1, work or 0]) + key + name_bytes(channel)
    return "zpkey1." + b64(data + hashlib.sha256(data).digest()[:4])


def read_export(line):
    """Key, channel and work of an exported line."""
    data = unb64(line.strip().removeprefix("zpkey1."))
    body, check = data[:-4], data[-4:]
    if body[0] != 1 or hashlib.sha256(body).digest()[:4] != check:
        raise Refused("no exported key")
    return body[2:34], body[34:].decode(), body[1] or None


def key_file(path):
    """A channel's key."""
    got = dict(file_lines(path, "zpinc-key"))
    return Channel(unb64(got["key"]), unescape(got["channel"]))


class ConversationFile:
    """The key of a conversation."""

    def __init__(self, path):
        lines = file_lines(path, "zpinc-conversation")
        got = dict(lines)
        self.id, self.key = unb64(got["id"]), unb64(got["key"])
        # There is no msgkey in it.
        self.channel = Channel.of_subkeys(
            unb64(got["amac"]), unb64(got["aenc"]), None,
            unescape(got["channel"]))
        self.members = []
        for word, rest in lines:
            if word == "member":
                p, sid, idkey, uid = rest.split(" ", 3)
                self.members.append((unb64(p[1:]), unb64(sid), idkey,
                                     unescape(uid)))
        if len(self.members) != int(got["members"]):
            raise Refused(f"{path}: not all members are there")
        self.uid = self.members[int(got["me"]) - 1][3]


def identity_file(path):
    """An identity's seed."""
    return unb64(dict(file_lines(path, "zpinc-identity"))["seed"])


# ---- the program --------------------------------------------------------


def jsonable(got):
    out = dict(got)
    body = out.pop("body", None)
    if body is not None:
        out["body64"] = b64(body)
    return out


def say(value):
    print(json.dumps(value, ensure_ascii=True), flush=True)


def hexa(size):
    def parse(text):
        data = bytes.fromhex(text)
        if size is not None and len(data) != size:
            raise argparse.ArgumentTypeError(f"not {size} bytes of hex")
        return data
    return parse


def use_files(a):
    """Takes from key files what options would have said."""
    if getattr(a, "idfile", None):
        a.idseed = identity_file(a.idfile)
    if not getattr(a, "keyfile", None):
        return
    try:
        a.channel = key_file(a.keyfile)
    except Refused:
        conv = ConversationFile(a.keyfile)
        a.channel, a.record_key, a.id = conv.channel, conv.key, conv.id
        a.no_notes, a.member = True, [m[0] for m in conv.members]
        if getattr(a, "uid", None) is None:
            a.uid = conv.uid


def channel_of(a):
    if isinstance(a.channel, Channel):
        return a.channel
    if a.channel is None:
        raise Refused("--channel or --keyfile is needed")
    if a.subkeys:
        return Channel.of_subkeys(a.subkeys[:32], a.subkeys[32:64],
                                  a.subkeys[64:], a.channel)
    if a.key is None:
        raise Refused("--key or --subkeys is needed")
    return Channel(a.key, a.channel)


def cmd_derive(a):
    if a.passfile:
        with open(a.passfile, "rb") as f:
            key = key_from_password(password_bytes(f.read()), a.channel,
                                    a.work)
    else:
        key = a.key
    c = Channel(key, a.channel)
    out = {n: getattr(c, n).hex() for n in
           ("key", "root", "amac", "aenc", "msgkey")}
    out["RP"], out["live"] = topic(c.rp), topic(c.live)
    if a.uid:
        out["P"] = topic(c.user(a.uid))
    say(out)


def cmd_keyfile(a):
    """A key file, or with --export its line, of a password or a key."""
    if a.passfile:
        with open(a.passfile, "rb") as f:
            key = key_from_password(password_bytes(f.read()), a.channel,
                                    a.work)
    else:
        key, a.work = a.key, None
    write = write_export if a.export else write_key_file
    print(write(key, a.channel, a.work).rstrip("\n"))


def cmd_idfile(a):
    print(write_identity_file(a.idseed), end="")


def cmd_import(a):
    key, channel, work = read_export(sys.stdin.readline())
    say({"key": key.hex(), "channel": channel, "work": work})


def cmd_seal(a):
    channel = channel_of(a)
    if a.uid is None:
        raise Refused("--uid is needed")
    conv = a.record_key is not None
    keyid = a.id if conv else bytes(16)
    key = a.record_key if conv else channel.msgkey
    kind = a.kind or (MESSAGE if conv else NOTE)
    live = kind == HELLO if a.topic is None else a.topic == "live"
    sid = a.sid or secrets.token_bytes(16)
    ms = int(time.time() * 1000) if a.time is None else a.time
    nonces = iter([a.nonce] if a.nonce else [])

    def draw(n):
        return next(nonces, None) or secrets.token_bytes(n)

    data = sys.stdin.buffer.read()
    bodies = data.removesuffix(b"\n").split(b"\n") if a.lines else [data]
    for i, body in enumerate(bodies):
        seq = a.seq + i
        if kind == MESSAGE and not a.no_first:
            body = struct.pack(
                ">Q", a.seq if a.first is None else a.first) + body
        maker = Maker(channel, key, keyid, a.uid, a.idseed, draw, live)
        if a.mutate or a.part is not None:
            flags = LAST if a.part is None or not a.not_last else 0
            print(maker.make(a.mutate or "none", kind, flags, a.part or 0,
                             sid, seq, ms, body))
            continue
        for line in seal_body(key, maker.rp, maker.p, keyid, kind, sid, seq,
                              ms, body, draw, a.idseed, a.max_record):
            print(line)


def cmd_open(a):
    convs = [(a.id, a.record_key)] if a.record_key else []
    reader = Reader(channel_of(a), convs, not a.no_notes, a.member)
    joiner = Joiner()
    for line in sys.stdin.buffer:
        text = line.decode("latin-1")
        for got in reader.scan(text):
            if not a.bodies:
                if got["verdict"] != "none" or a.all:
                    say(jsonable(got))
                continue
            try:
                whole = joiner.add(got)
            except Refused as e:
                say({"verdict": "refused", "reason": str(e)})
                continue
            if whole:
                out = dict(whole[0])
                out["parts"] = len(whole)
                out["body"] = b"".join(g["body"] for g in whole)
                say(jsonable(out))


def cmd_conv_derive(a):
    c = Conversation(a.isk, a.view)
    say(dict(prk=c.prk.hex(), record_key=c.record_key.hex(),
             confirm_key=c.confirm.hex(), id=c.id.hex(),
             safety_bytes=c.safety_bytes.hex(), safety=c.safety))


def cmd_hello(a):
    """hex of a body to JSON, or JSON to hex"""
    text = sys.stdin.read().strip()
    if text.startswith("{"):
        print(make_hello(json.loads(text)).hex())
    else:
        say(parse_hello(bytes.fromhex(text), a.max_members))


def run_all(rp, msgkey, members, ys):
    """Everything of one view from all its members' secrets; `ys` by
    Member."""
    run = Run(rp, msgkey, members)
    y = [ys[m] for m in run.members]
    zs = [run.share(v) for v in y]
    xs = [run.mix(i, v, zs) for i, v in enumerate(y)] if run.n > 2 else []
    ks = {run.key(i, v, zs, xs) for i, v in enumerate(y)}
    assert len(ks) == 1, "members got different keys"
    transcript = run.transcript(zs, xs)
    isk = run.isk(ks.copy().pop(), transcript)
    conv = Conversation(isk, run.view)
    tags = [run.tag(i, conv.confirm, transcript) for i in range(run.n)]
    return run, zs, xs, ks.pop(), transcript, isk, conv, tags


def cmd_group(a):
    """JSON in: {"members": [{"uid" or "p", "sid", "idkey", "gen", "y"}]}"""
    channel = channel_of(a)
    ys, members = {}, []
    for m in json.load(sys.stdin)["members"]:
        p = bytes.fromhex(m["p"]) if "p" in m else channel.user(m["uid"])
        member = Member(p, bytes.fromhex(m["sid"]), bytes.fromhex(
            m.get("idkey", "00" * 32)), m.get("gen", 0))
        y = r255.scalar(bytes.fromhex(m["y"]))
        if not y:
            raise Refused("y is zero or not below the order")
        members.append(member)
        ys[member] = y
    run, zs, xs, k, transcript, isk, conv, tags = run_all(
        channel.rp, channel.msgkey, members, ys)
    say(dict(order=[m.p.hex() + m.sid.hex() for m in run.members],
             mids=[m.mid.hex() for m in run.members], view=run.view.hex(),
             generator=r255.encode(run.g).hex(), Z=[z.hex() for z in zs],
             X=[x.hex() for x in xs], K=k.hex(),
             transcript_hash=sha512(transcript).hex(), ISK=isk.hex(),
             tags=[t.hex() for t in tags], record_key=conv.record_key.hex(),
             confirm_key=conv.confirm.hex(), id=conv.id.hex(),
             safety=conv.safety))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    sub = parser.add_subparsers(required=True, metavar="COMMAND")

    def keyed(p):
        p.add_argument("--key", type=hexa(32), help="the channel key")
        p.add_argument("--subkeys", type=hexa(96),
                       help="amac, aenc, msgkey instead of --key")
        p.add_argument("--channel")
        p.add_argument("--keyfile", help="of a channel or a conversation, "
                       "instead of all other keys")
        return p

    def sealing(p):
        keyed(p)
        p.add_argument("--uid")
        p.add_argument("--idseed", type=hexa(32), help="signs")
        p.add_argument("--idfile", help="the same from a file")
        p.add_argument("--max-record", type=int, default=4095)
        p.add_argument("--sid", type=hexa(16))
        p.add_argument("--seq", type=int, default=0)
        p.add_argument("--time", type=int, metavar="MS")
        p.add_argument("--kind", type=int)
        p.add_argument("--topic", choices=("chan", "live"))
        p.add_argument("--nonce", type=hexa(24), help="of the first record")
        p.add_argument("--lines", action="store_true",
                       help="each line of stdin is a body")
        p.add_argument("--part", type=int, help="makes this part alone")
        p.add_argument("--not-last", action="store_true",
                       help="with --part: without LAST")
        p.add_argument("--first", type=int, help="a message's first u64")
        p.add_argument("--no-first", action="store_true")
        p.add_argument("--mutate", choices=MUTATIONS, metavar="HOW",
                       help="one of: " + " ".join(MUTATIONS))
        p.set_defaults(run=cmd_seal, record_key=None, id=None)
        return p

    def opening(p):
        keyed(p)
        p.add_argument("--bodies", action="store_true",
                       help="whole bodies instead of records")
        p.add_argument("--all", action="store_true",
                       help="also what only looks like a record")
        p.set_defaults(run=cmd_open, record_key=None, id=None,
                       no_notes=False, member=None)
        return p

    def conversing(p, required=True):
        p.add_argument("--record-key", type=hexa(32), required=required)
        p.add_argument("--id", type=hexa(16), required=required)
        return p

    p = sub.add_parser("derive", help="keys and topics as JSON")
    p.add_argument("--channel", required=True)
    p.add_argument("--uid")
    g = p.add_mutually_exclusive_group(required=True)
    g.add_argument("--passfile")
    g.add_argument("--key", type=hexa(32))
    p.add_argument("--work", type=int, default=18)
    p.set_defaults(run=cmd_derive)

    p = sub.add_parser("keyfile", help="a key file, zpinc-key(5)")
    p.add_argument("--channel", required=True)
    g = p.add_mutually_exclusive_group(required=True)
    g.add_argument("--passfile")
    g.add_argument("--key", type=hexa(32), help="a random one")
    p.add_argument("--work", type=int, default=18)
    p.add_argument("--export", action="store_true", help="as one line")
    p.set_defaults(run=cmd_keyfile)
    p = sub.add_parser("idfile", help="an identity's file")
    p.add_argument("--idseed", type=hexa(32), required=True)
    p.set_defaults(run=cmd_idfile)
    p = sub.add_parser("import", help="what is in an exported line")
    p.set_defaults(run=cmd_import)

    sealing(sub.add_parser("seal", help="stdin to records"))
    opening(sub.add_parser("open", help="records to JSON lines"))
    conv = sub.add_parser("conv", help="conversations")
    conv = conv.add_subparsers(required=True, metavar="COMMAND")
    p = conv.add_parser("derive", help="keys from ISK and view id")
    p.add_argument("--isk", type=hexa(64), required=True)
    p.add_argument("--view", type=hexa(32), required=True)
    p.set_defaults(run=cmd_conv_derive)
    conversing(sealing(conv.add_parser("seal")))
    p = conversing(opening(conv.add_parser("open")))
    p.add_argument("--member", type=hexa(47), action="append",
                   help="P of a member; without: anybody")
    p.add_argument("--no-notes", action="store_true",
                   help="without the channel's own key")

    p = sub.add_parser("hello", help="a hello's body, hex to JSON and back")
    p.add_argument("--max-members", type=int, default=72)
    p.set_defaults(run=cmd_hello)
    p = keyed(sub.add_parser("group", help="a whole key exchange"))
    p.set_defaults(run=cmd_group)
    return parser


def main():
    a = arguments().parse_args()
    try:
        use_files(a)
        a.run(a)
    except Refused as e:
        print(f"zpinc.py: {e}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 5
    return 0


if __name__ == "__main__":
    sys.exit(main())
