#!/usr/bin/python3 -B
"""The state rules of the MlesTalk prototype, faults included.

An independent model to test our machine against: what an unmodified client
does with each frame.  The group is either ristretto255 (libsodium by ctypes)
or the integers modulo its order, which is as good for the rules and far
faster.  Elements and scalars are 32 bytes in both.
"""
import ctypes
import ctypes.util
import hashlib
from dataclasses import dataclass

FULL, DATA, PRESENCE, PRESENCE_ACK = 0x8000, 0x4000, 0x2000, 0x1000
BDONE, BDACK = 0x0100, 0x0080
ZERO = bytes(32)
ORDER = 2**252 + 27742317777372353535851937790883648493


class Integers:
    """Written additively: an element is its logarithm."""

    def generator(self, seal_key, sid):
        h = hashlib.sha512(seal_key + sid).digest()
        return self._enc(int.from_bytes(h, "little"))

    @staticmethod
    def _enc(v):
        return (v % ORDER).to_bytes(32, "little")

    @staticmethod
    def _dec(b):
        return int.from_bytes(b, "little")

    def mul(self, y, p):
        return self._enc(self._dec(y) * self._dec(p))

    def add(self, p, q):
        return self._enc(self._dec(p) + self._dec(q))

    def sub(self, p, q):
        return self._enc(self._dec(p) - self._dec(q))

    def times(self, n, p):
        return self._enc(n * self._dec(p))


class Ristretto:
    """ristretto255 (RFC 9496) as libsodium has it."""

    def __init__(self):
        name = ctypes.util.find_library("sodium") or "libsodium.so.23"
        self.lib = ctypes.CDLL(name)
        self.lib.sodium_init()

    def generator(self, seal_key, sid):
        h = hashlib.blake2b(key=seal_key, salt=sid + bytes(8),
                            person=b"ZpincBdDomain!v1").digest()
        out = ctypes.create_string_buffer(32)
        self.lib.crypto_core_ristretto255_from_hash(out, h)
        return out.raw

    def mul(self, y, p):
        out = ctypes.create_string_buffer(32)
        if self.lib.crypto_scalarmult_ristretto255(out, y, p) != 0:
            return ZERO
        return out.raw

    def _two(self, f, p, q):
        out = ctypes.create_string_buffer(32)
        if f(out, p, q) != 0:
            raise ValueError("no point")
        return out.raw

    def add(self, p, q):
        return self._two(self.lib.crypto_core_ristretto255_add, p, q)

    def sub(self, p, q):
        return self._two(self.lib.crypto_core_ristretto255_sub, p, q)

    def times(self, n, p):
        return self.mul(n.to_bytes(32, "little"), p)


@dataclass
class Frame:
    """What a frame says; `secret` is None under the password's key."""
    uid: str
    sid: bytes
    flags: int
    keys: bytes
    body: bytes
    secret: bytes
    date: int = 0


def is_index(name):
    return (name.isdigit() and name.isascii() and
            (name == "0" or name[0] != "0") and int(name) < 2**32 - 1)


def ring(db):
    """Names in the order that the prototype's sort and object give them."""
    names = sorted(db, key=lambda n: n + "," +
                   ",".join(str(b) for b in db[n]))
    return (sorted((n for n in names if is_index(n)), key=int) +
            [n for n in names if not is_index(n)])


class Proto:
    def __init__(self, uid, seal_key, group, rng):
        self.uid, self.seal_key = uid, seal_key
        self.group, self.rng = group, rng
        self.sid, self.sids, self.z, self.zs = None, {}, None, {}
        self.y = None
        self.joins, self.prev = set(), None
        self.informed = False
        self.drops = 0
        self.init_bd()

    # what resets what

    def init_bd(self):
        self.xs, self.acks, self.x = {}, set(), None
        self.secret, self.acked = None, False
        if self.informed:
            self.informed = False
            self.drops += 1

    def init_dh_bd(self, name):
        self.zs = {} if self.z is None else {name: self.z}
        self.init_bd()

    def init_sid(self):
        self.sid, self.sids, self.y, self.z = None, {}, None, None
        self.init_bd()

    def set_dh_public(self):
        g = self.group.generator(self.seal_key, self.sid)
        self.y = (self.rng.getrandbits(256) % ORDER).to_bytes(32, "little")
        self.z = self.group.mul(self.y, g)
        self.init_bd()

    # events

    def reconnect(self, keep=True):
        if keep and self.secret is not None and self.acked:
            self.prev = self.secret
        self.init_sid()
        self.init_dh_bd(self.uid)

    def text_frame(self, uid):
        self.init_dh_bd(uid)
        self.joins.add(uid)

    def opens(self, f):
        return f.secret is None or (f.secret in (self.prev, self.secret))

    def receive(self, f):
        """True if the frame could be read."""
        if not self.opens(f):
            return False
        if f.uid == self.uid:
            self.init_sid()
            self.init_dh_bd(self.uid)
            return True
        if self.sid != f.sid:
            self.init_sid()
            self.init_dh_bd(self.uid)
            self.sid = f.sid
        if f.uid not in self.sids:
            self.sids[f.uid] = f.sid
            if self.z is not None:
                self.set_dh_public()
        elif self.z is None:
            self.set_dh_public()
        if self.z is not None and len(f.keys) in (32, 64):
            self.handshake(f)
        return True

    def handshake(self, f):
        z, short = f.keys[:32], len(f.keys) == 32
        done = bool(f.flags & BDONE)
        known = self.zs.get(f.uid)
        if (known is not None and known != z) or (
                short and not done and f.uid in self.xs):
            self.init_dh_bd(self.uid)
            self.zs[f.uid] = z
            return
        if known is None:
            self.zs[f.uid] = z
            return
        self.make_x()
        two = len(self.zs) == 2
        if two and not (short and done):
            return
        if not two and short and not done:
            return
        x = ZERO if short else f.keys[32:]
        if f.uid in self.xs and self.xs[f.uid] != x:
            self.init_bd()
            return
        if two and x != ZERO:
            self.init_dh_bd(self.uid)
            self.zs[f.uid] = z
            return
        if f.uid in self.xs and self.secret is not None and self.acked:
            return
        self.xs[f.uid] = x
        if len(self.zs) >= len(self.joins) and \
                len(self.xs) == len(self.zs) and not self.acked:
            self.make_secret()
        if f.flags & BDACK and not self.acked:
            self.acks.add(f.uid)
            if self.secret is not None and \
                    len(self.zs) == len(self.xs) == len(self.acks):
                self.acked = True

    def make_x(self):
        if self.uid not in self.zs or len(self.zs) < 2:
            return
        names = ring(self.zs)
        i, n = names.index(self.uid), len(names)
        diff = self.group.sub(self.zs[names[(i + 1) % n]],
                              self.zs[names[i - 1]])
        self.x = self.group.mul(self.y, diff)
        self.xs[self.uid] = self.x

    def make_secret(self):
        zn, xn, g = ring(self.zs), ring(self.xs), self.group
        if self.uid not in self.zs:
            return
        i, n = zn.index(self.uid), len(zn)
        k = g.times(n, g.mul(self.y, self.zs[zn[i - 1]]))
        for j in range(n):
            k = g.add(k, g.times(n - j, self.xs[xn[(i + j) % n]]))
        self.secret = k

    def send(self, body=b"", flags=FULL):
        if self.sid is None:
            self.sid = self.rng.getrandbits(64).to_bytes(8, "big")
        self.sids[self.uid] = self.sid
        keys = b""
        if self.z is not None:
            self.zs[self.uid] = self.z
            keys = self.z
            if self.x is not None and not flags & PRESENCE_ACK:
                if len(self.sids) == 2:
                    flags |= BDONE
                else:
                    keys += self.x if len(self.sids) > 1 else ZERO
                if self.secret is not None and \
                        len(self.sids) == len(self.zs) == len(self.xs):
                    flags |= BDACK
                    self.acks.add(self.uid)
        secret = None
        if self.secret is not None and self.acked:
            secret = self.secret
            self.informed = True
        return Frame(self.uid, self.sid, flags, keys, body, secret)

    # for tests

    def secure(self):
        return self.informed
