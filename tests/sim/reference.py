#!/usr/bin/python3
"""The handshake of zpinc(7), a second time, to compare the machine with.

usage: reference.py SCHEDULE

SCHEDULE is what `zpsim -o` wrote: every input of every member (time, random
bytes, hellos) and after each what the machine came to: phase, size and id of
the view, next deadline, the current conversation, how many keys it holds and
the hello it sent, byte for byte.  This program takes the inputs, applies the
rules as the man page tells them and stops at the first difference.  It keeps
plain dictionaries and computes everything anew each time; nothing of the
machine's code is here.
"""
import hashlib
import struct
import sys

NEVER = 2**64 - 1
ALONE, SETTLE, SHARE, MIX, CONFIRM, DONE = range(6)
F_Z, F_X, F_TAG, F_DONE, F_FIXED, F_LEAVE = 1, 2, 4, 8, 16, 32
BEAT, GONE, STALE, SETTLING, SETTLING_MOST = 30000, 90000, 180000, 500, 8000
OPEN, REPEAT, RUN, RUN_MOST, HOLD = 5000, 2000, 30000, 120000, 60000
GAP, FLAP, OLD, OLD_MOST, FIXED_END = 500, 60000, 10000, 600000, 10000
TOKEN, TOKENS, SESSIONS, SPARE = 3000, 20, 256, 8
PRIME = 2**61 - 1
ZERO = bytes(32)


def blake(size, person, data, key=b""):
    return hashlib.blake2b(data, digest_size=size, key=key,
                           person=person.encode()).digest()


def element(e):
    return struct.unpack(">Q", e[:8])[0] % PRIME


def valid(e):
    v = struct.unpack(">Q", e[:8])[0]
    return e[8:] == bytes(24) and 0 < v < PRIME


def packed(v):
    return struct.pack(">Q", v) + bytes(24)


class Session:
    def __init__(self, who, uid):
        self.p, self.sid, self.idkey = who[:47], who[47:63], who[63:95]
        self.order = who[:63]
        self.who, self.uid = who[:95], uid
        self.mid = blake(16, "zpinc1-member", self.who)
        self.gen = 0
        self.flags = self.seq = self.at = self.first = 0
        self.view = self.z = self.x = self.tag = ZERO
        self.acks = {}          # mid -> seq
        self.hold = self.mute = 0
        self.proof = 0          # its last hello proves life until
        self.strikes = 0
        self.left = self.proved = False
        self.listed = 0
        self.place = 0

    def shows(self, view, flag=0):
        return (view is not None and self.flags & F_Z and
                self.flags & flag == flag and self.view == view)


def parse(body, most):
    """A hello's fields, or None if it is not one."""
    if len(body) < 24:
        return None
    flags, zero, count, gen, notes, messages = struct.unpack(
        ">BBHIQQ", body[:24])
    if (zero or flags > 63 or count > most
            or (flags & (F_X | F_TAG) and not flags & F_Z)
            or (flags & F_DONE and not flags & F_TAG)):
        return None
    at, got = 24, {}
    for name, flag in (("view", F_Z), ("z", F_Z), ("x", F_X), ("tag", F_TAG)):
        got[name] = ZERO
        if flags & flag:
            got[name] = body[at:at + 32]
            at += 32
    if len(body) != at + 32 * count:
        return None
    entries = [body[i:i + 32] for i in range(at, len(body), 32)]
    mids = [e[:16] for e in entries]
    if any(a >= b for a, b in zip(mids, mids[1:])):
        return None
    got.update(flags=flags, gen=gen,
               acks={e[:16]: struct.unpack(">Q", e[16:24])[0]
                     for e in entries})
    return got


class Run:
    """The exchange, in the simulator's group of known logarithms."""

    def __init__(self, view, members, me, random):
        self.view, self.members, self.me = view, members, me
        self.y = 1 + struct.unpack(">Q", random[:8])[0] % (PRIME - 1)
        g = 1 + struct.unpack(">Q", view[:8])[0] % (PRIME - 1)
        self.z = packed(self.y * g % PRIME)
        self.x = ZERO

    def check(self, shares):
        """None, or who is to blame (maybe nobody)."""
        bad = [i for i, z in enumerate(shares) if not valid(z)]
        if bad:
            return bad
        return [] if len(set(shares)) < len(shares) else None

    def mix(self, shares):
        n = len(shares)
        self.x = packed(self.y * (element(shares[(self.me + 1) % n]) -
                                  element(shares[self.me - 1])) % PRIME)

    def key(self, shares, mixes):
        n = len(shares)
        k = (1 if n == 2 else n) * self.y * element(shares[self.me - 1])
        if n > 2:
            bad = [i for i, x in enumerate(mixes) if not valid(x)]
            if bad:
                return bad
            if sum(map(element, mixes)) % PRIME:
                return []
            k += sum((n - 1 - j) * element(mixes[(self.me + j) % n])
                     for j in range(n))
        if k % PRIME == 0:
            return []
        everything = b"".join(
            s.order + z + x
            for s, z, x in zip(self.members, shares, mixes))
        self.digest = blake(32, "sim transcript", everything)
        self.secret = blake(64, "sim key", self.view + struct.pack(
            ">Q", k % PRIME) + self.digest)
        self.id = self.secret[48:]
        return None

    def tag(self, i):
        return blake(32, "sim tag", self.view + self.members[i].mid +
                     self.digest, self.secret)


class Member:
    def __init__(self, who, uid, most, fixed, least, rekey, allowed):
        self.us = Session(who, uid)
        self.most = most or 64
        self.limit = max(SESSIONS, 2 * self.most)
        self.fixed, self.least, self.rekey = fixed, max(2, least), rekey
        self.allowed = allowed
        self.others = {}        # P || sid -> Session
        self.flaps = []         # [P, k, at]
        self.jitter = 0
        self.seq = self.spoken = 0
        self.sent = {}          # seq -> when
        self.last_sent = None
        self.listed = set()
        self.phase, self.view, self.V = ALONE, None, []
        self.run = None
        self.x = self.tag = None
        self.published = None   # members of the last view, this generation
        self.published_id = None
        self.fails = 0
        self.opened = self.crowded = False
        self.current = None     # key
        self.keys = []          # [view, id, members, until]
        self.all_done = self.settled = False
        self.t = dict.fromkeys(("settle", "run", "rekey", "fixed", "answer",
                                "repeat", "beat", "wait"), NEVER)
        self.spacing = REPEAT // 2
        self.credit = TOKENS * TOKEN
        self.heard, self.near, self.next_change = [], [], NEVER

    # ---- randomness -----------------------------------------------------

    def spread(self, low, high):
        mask = 2**64 - 1
        self.jitter = (self.jitter + 0x9e3779b97f4a7c15) & mask
        z = self.jitter
        z = ((z ^ (z >> 30)) * 0xbf58476d1ce4e5b9) & mask
        z = ((z ^ (z >> 27)) * 0x94d049bb133111eb) & mask
        z ^= z >> 31
        return low + z % (high - low + 1) if high > low else low

    def begin(self, now, random):
        self.now, self.random = now, random
        a, b = struct.unpack(">QQ", random[80:96])
        self.jitter ^= a ^ b
        self.fresh_scalar = True
        self.speak = False
        self.worn = False
        self.out = None

    # ---- who is there ---------------------------------------------------

    def look(self):
        """Heard, near, and when time alone changes them."""
        now, changes = self.now, []
        self.heard, self.near = [], []
        for s in self.others.values():
            if s.left or s.at < s.mute or now >= s.at + GONE:
                continue
            changes.append(s.at + GONE)
            if now < s.hold:
                changes += [s.hold, s.proof]
                continue
            self.heard.append(s)
            if now < s.proof:
                self.near.append(s)
                changes.append(s.proof)
        replaced = set()
        for new in sorted(self.near, key=lambda s: s.order):
            if new.order in replaced:
                continue
            for old in self.others.values():
                if (old.p, old.idkey) == (new.p, new.idkey) and \
                        old.at < new.first:
                    if now < new.first + OPEN:
                        changes.append(new.first + OPEN)
                    else:
                        replaced.add(old.order)
        self.heard = [s for s in self.heard if s.order not in replaced]
        self.near = [s for s in self.near if s.order not in replaced]
        self.next_change = min([c for c in changes if c > now],
                               default=NEVER)

    def in_current(self, s):
        return self.current is not None and s.order in self.current[2]

    def choose(self):
        """V, in order."""
        left = {s.order: s for s in self.near}
        pairs = {a: {b for b in left if b != a and not
                     (left[b].mid in left[a].acks and
                      left[a].mid in left[b].acks)} for a in left}
        self.opened = any(pairs.values())
        while any(pairs.values()):
            out = max((a for a in pairs if pairs[a]), key=lambda a: (
                self.now - left[a].at > BEAT * 3 // 2, len(pairs[a]),
                not self.in_current(left[a]), a))
            del left[out]
            for b in pairs.pop(out):
                pairs[b].discard(out)
        left[self.us.order] = self.us
        self.crowded = len(left) > self.most
        while len(left) > self.most:
            out = max(left, key=lambda a: (not self.in_current(left[a]), a))
            if out == self.us.order:
                left = {out: self.us}
                break
            del left[out]
        return [left[a] for a in sorted(left)]

    def name(self, members):
        return blake(32, "zpinc1-view", bytes(47) + struct.pack(
            ">H", len(members)) + b"".join(
                s.who + struct.pack(">I", s.gen) for s in members))

    # ---- views ----------------------------------------------------------

    def raise_gen(self):
        self.us.gen += 1
        self.published = None
        self.answer()

    def settling(self):
        return min(SETTLING << self.fails, SETTLING_MOST)

    def retire(self, key):
        key[3] = min(key[3], self.now + OLD_MOST)

    def wipe(self):
        if self.phase == CONFIRM:
            for key in self.keys:
                if key[0] == self.view:
                    self.retire(key)
        self.run = self.x = self.tag = None
        for t in ("settle", "run", "repeat", "rekey"):
            self.t[t] = NEVER

    def update(self):
        self.look()
        again = True
        while again:
            if not (self.fixed and self.phase in (CONFIRM, DONE)):
                self.follow()
            again = not self.advance()
            if again:
                self.look()

    def follow(self):
        V = self.choose()
        if self.published is not None and \
                not self.published <= {s.order for s in V}:
            self.raise_gen()
        view = self.name(V)
        if view != self.view and view == self.published_id:
            self.raise_gen()
            view = self.name(V)
        self.V = V
        if len(V) == 1:
            if self.phase != ALONE:
                self.reset()
            if self.current and not any(
                    self.in_current(s) and not s.left and
                    self.now < min(s.hold, s.proof, s.at + GONE)
                    for s in self.others.values()):
                self.retire(self.current)
                self.current = None
        elif view != self.view:
            self.wipe()
            self.view, self.phase = view, SETTLE
            self.t["settle"] = self.now + (
                OPEN if self.opened else self.settling())
        elif self.phase == SETTLE and not self.opened and \
                self.t["settle"] != NEVER:
            self.t["settle"] = min(self.t["settle"],
                                   self.now + self.settling())

    def reset(self):
        self.wipe()
        self.phase, self.view = ALONE, None

    def incomplete(self):
        uids = {s.uid for s in self.V}
        return self.fixed and (
            len(self.V) < self.least or
            any(u not in uids for u in self.allowed or ()
                if u != self.us.uid))

    # ---- runs -----------------------------------------------------------

    def peers(self):
        return [s for s in self.V if s is not self.us]

    def all_show(self, flag):
        return all(s.shows(self.view, flag) for s in self.peers())

    def values(self, what, ours):
        return [ours if s is self.us else getattr(s, what) for s in self.V]

    def arm(self):
        self.t["run"] = self.now + min(RUN << self.fails, RUN_MOST)

    def publish(self):
        if not self.fresh_scalar:
            self.t["settle"] = self.now
            return
        self.fresh_scalar = False
        self.run = Run(self.view, list(self.V), self.V.index(self.us),
                       self.random)
        self.published = {s.order for s in self.V}
        self.published_id = self.view
        self.phase = SHARE
        self.t["settle"] = NEVER
        self.arm()
        self.speak = True

    def blame(self, bad):
        for i in bad:
            s = self.V[i]
            s.hold = max(s.hold, self.now + HOLD)
        return self.abandon()

    def abandon(self):
        self.fails = min(self.fails + 1, 6)
        self.reset()
        self.raise_gen()
        return False

    def confirm(self):
        self.tag = self.run.tag(self.run.me)
        if len(self.keys) == 16:
            old = [k for k in self.keys if k is not self.current]
            self.keys.remove(min(old, key=lambda k: k[3]))
        self.keys.append([self.view, self.run.id,
                          {s.order for s in self.V}, NEVER])
        self.phase = CONFIRM
        self.arm()
        self.speak = True

    def advance(self):
        """False if the run was abandoned."""
        if self.phase == SETTLE and not self.incomplete() and \
                any(s.shows(self.view) for s in self.peers()):
            self.publish()
        if self.phase == SHARE and self.all_show(F_Z):
            shares = self.values("z", self.run.z)
            bad = self.run.check(shares)
            if bad is not None:
                return self.blame(bad)
            if len(self.V) > 2:
                self.run.mix(shares)
                self.x = self.run.x
                self.phase = MIX
                self.arm()
                self.speak = True
            else:
                if self.run.key(shares, [ZERO, ZERO]) is not None:
                    return self.abandon()
                self.confirm()
        if self.phase == MIX and self.all_show(F_X):
            bad = self.run.key(self.values("z", self.run.z),
                               self.values("x", self.x))
            if bad is not None:
                return self.blame(bad)
            self.confirm()
        if self.phase == CONFIRM and self.all_show(F_TAG):
            if any(s is not self.us and s.tag != self.run.tag(i)
                   for i, s in enumerate(self.V)):
                return self.abandon()
            self.done()
        if self.phase == DONE and not self.all_done and self.all_show(F_DONE):
            self.all_done = True
            for key in self.keys:
                if key is not self.current:
                    key[3] = min(key[3], self.now + OLD)
            self.settle_fixed()
        return True

    def done(self):
        self.phase = DONE
        self.t["run"] = self.t["repeat"] = NEVER
        self.fails, self.all_done = 0, False
        for s in self.V:
            s.strikes = 0
        if self.fixed:
            self.t["fixed"] = self.now + FIXED_END
            self.speak = True
        elif self.rekey:
            self.t["rekey"] = self.now + self.spread(
                self.rekey, self.rekey + self.rekey // 10)
        if self.current:
            self.retire(self.current)
        self.current = next(k for k in self.keys if k[0] == self.view)
        self.current[3] = NEVER

    def settle_fixed(self):
        self.t["fixed"] = NEVER
        self.settled = self.fixed

    def time_out(self):
        factor = self.spread(1000, 1200)
        want = {SHARE: F_Z, MIX: F_X, CONFIRM: F_TAG}[self.phase]
        for s in self.peers():
            if s.shows(self.view, want):
                continue
            t = min(RUN << s.strikes, HOLD)
            s.strikes = min(s.strikes + 1, 6)
            s.hold = max(s.hold, self.now + t * factor // 1000)
        self.abandon()

    # ---- hellos coming in -----------------------------------------------

    def hello(self, who, uid, verdict, seq, body):
        if who[:63] == self.us.order:
            if verdict == 0 and who[63:95] == self.us.idkey and \
                    seq >= self.seq:
                self.worn = True
            return
        if self.allowed is not None and uid not in self.allowed:
            return
        h = parse(body, self.most + SPARE)
        if h is None or seq > 2**64 - 3:
            return
        if bool(h["flags"] & F_FIXED) != self.fixed or verdict:
            return
        s = self.others.get(who[:63])
        if s is None:
            s = self.welcome(who, uid)
            if s is None:
                return
        elif (s.idkey != who[63:95] or s.left or seq <= s.seq or
              h["gen"] < s.gen):
            return
        elif s.flags & F_Z and h["flags"] & F_Z and s.view == h["view"] and \
                any(s.flags & f and getattr(s, v) != h[v] for v, f in
                    (("z", F_Z), ("x", F_X), ("tag", F_TAG))):
            s.hold = max(s.hold, self.now + HOLD)
        self.keep(s, seq, h)

    def welcome(self, who, uid):
        s = Session(who, uid)
        if len(self.others) + 1 >= self.limit:
            free = [o for o in self.others.values() if o not in self.V and
                    not self.in_current(o)]
            if not free:
                return None
            out = min(free, key=lambda o: (o.at, o.place))
            del self.others[out.order]
            self.listed.discard(out.order)
        taken = {o.place for o in self.others.values()}
        s.place = next(i for i in range(1, self.limit + 1) if i not in taken)
        s.first = self.now
        self.others[s.order] = s
        return s

    def flap(self, p):
        f = next((f for f in self.flaps if f[0] == p), None)
        if f is None:
            if len(self.flaps) >= self.limit:
                self.flaps.remove(min(self.flaps, key=lambda f: f[2]))
            self.flaps.append([p, 0, self.now])
            return 0
        f[1] = min(f[1] + 1, 16) if self.now - f[2] < FLAP else 0
        f[2] = self.now
        return min(1000 << f[1], HOLD) if f[1] else 0

    def keep(self, s, seq, h):
        s.seq, s.at = seq, self.now
        for k, v in h.items():
            setattr(s, k, v)
        s.left = bool(s.flags & F_LEAVE)
        s.proof = 0
        sent = self.sent.get(s.acks.get(self.us.mid))
        if sent is not None and \
                self.seq - s.acks[self.us.mid] <= TOKENS + STALE // TOKEN + 2:
            s.proof = sent + STALE
            if not s.proved and self.now < s.proof:
                s.proved = True
                s.mute = self.now + self.flap(s.p)
        if s.left or self.now < s.hold or self.now < s.mute:
            return
        if (s.order not in self.listed or
                (self.now >= s.proof and
                 self.now >= (self.last_sent or 0) + GAP) or
                (self.phase == DONE and s.shows(self.view) and
                 not s.flags & F_DONE)):
            self.answer()

    # ---- hellos going out -----------------------------------------------

    def answer(self):
        self.spacing = REPEAT // 2
        if self.t["answer"] == NEVER:
            t = self.now + self.spread(100, 500)
            if self.last_sent is not None:
                t = max(t, self.last_sent + GAP)
            self.t["answer"] = t

    def running(self):
        return self.phase in (SHARE, MIX, CONFIRM)

    def unsettled(self):
        return (self.phase == SETTLE or self.opened or not self.heard or
                len(self.near) < len(self.heard))

    def about(self, t):
        return self.spread(t - t // 5, t + t // 5)

    def pick(self):
        most = self.most + SPARE
        if len(self.heard) <= most:
            return {s.order for s in self.heard}
        chosen = {s.order for s in self.heard if s in self.V}
        if len(chosen) < self.most:
            chosen |= {s.order for s in self.heard if self.in_current(s)}
        for s in sorted(self.near, key=lambda s: s.order):
            if len(chosen) < self.most:
                chosen.add(s.order)
        rest = sorted((s for s in self.heard if s.order not in chosen),
                      key=lambda s: (s.listed, s.place))
        chosen |= {s.order for s in rest[:max(0, most - len(chosen))]}
        spare = sorted((s for s in self.heard if s.order in chosen and
                        s not in self.V), key=lambda s: -s.place)
        for s in spare[:max(0, len(chosen) - most)]:
            chosen.discard(s.order)
        return chosen

    def body(self):
        chosen = self.pick()
        self.spoken += 1
        flags, fields = F_FIXED if self.fixed else 0, b""
        if self.running() or self.phase == DONE:
            flags |= F_Z
            fields = self.view + self.share
            for flag, value in ((F_X, self.x), (F_TAG, self.tag)):
                if value is not None:
                    flags |= flag
                    fields += value
            if self.phase == DONE:
                flags |= F_DONE
        listed = sorted((s for s in self.heard if s.order in chosen),
                        key=lambda s: s.mid)
        for s in listed:
            s.listed = self.spoken
        self.listed = chosen
        return struct.pack(">BBHIQQ", flags, 0, len(listed), self.us.gen, 0,
                           0) + fields + b"".join(
            s.mid + struct.pack(">QQ", s.seq, 0) for s in listed)

    def send(self):
        self.credit = min(self.credit + self.now - self.credit_at,
                          TOKENS * TOKEN)
        self.credit_at = self.now
        if self.credit < TOKEN:
            self.t["wait"] = self.now + TOKEN - self.credit
            self.t["answer"] = self.t["repeat"] = NEVER
            self.t["beat"] = max(self.t["beat"], self.t["wait"])
            return
        self.credit -= TOKEN
        self.out = (self.seq, self.body())
        self.sent[self.seq] = self.now
        self.seq += 1
        self.last_sent = self.now
        self.t["wait"] = self.t["answer"] = NEVER
        self.t["beat"] = self.now + self.about(BEAT)
        self.spacing = REPEAT if self.running() else min(
            2 * self.spacing, BEAT)
        self.t["repeat"] = NEVER
        if self.running() or self.unsettled():
            self.t["repeat"] = self.now + self.about(self.spacing)

    @property
    def share(self):
        if self.run is not None:
            self.last_share = self.run.z
        return self.last_share

    # ---- steps ----------------------------------------------------------

    def timers(self):
        changed = False
        if self.phase == SETTLE and self.t["settle"] <= self.now:
            self.t["settle"] = NEVER
            if not self.incomplete():
                self.publish()
                changed = True
        if self.running() and self.t["run"] <= self.now:
            self.time_out()
            changed = True
        if self.t["rekey"] <= self.now:
            self.t["rekey"] = NEVER
            if self.phase == DONE:
                self.raise_gen()
                changed = True
        if self.t["fixed"] <= self.now:
            self.settle_fixed()
        if changed:
            self.update()

    def step(self, kind, now, random, rest):
        if kind == "start":
            self.credit_at = now
        self.begin(now, random)
        if kind == "hello":
            who, uid, verdict, seq = rest[:4]
            body = bytes.fromhex(rest[4]) if len(rest) > 4 else b""
            self.hello(bytes.fromhex(who), uid, int(verdict), int(seq), body)
        if kind == "rekey" and not self.fixed and self.phase == DONE:
            self.t["rekey"] = now
        self.update()
        if kind == "start":
            self.speak = True
        if kind in ("tick", "rekey"):
            self.timers()
        if kind == "tick":
            if min(self.t["wait"], self.t["answer"], self.t["beat"]) <= now:
                self.speak = True
            if self.t["repeat"] <= now:
                if self.running() or self.unsettled():
                    self.speak = True
                else:
                    self.t["repeat"] = NEVER
        if self.worn and not self.settled:
            self.renew()
        if self.speak:
            self.send()
        self.keys = [k for k in self.keys if k[3] > now]

    def renew(self):
        self.reset()
        if self.current:
            self.retire(self.current)
            self.current = None
        old = self.us
        self.us = Session(old.p + self.random[64:80] + old.idkey, old.uid)
        self.seq, self.sent, self.listed = 0, {}, set()
        self.published = self.published_id = None
        for s in self.others.values():
            s.proof = 0
            s.acks.pop(old.mid, None)
        self.update()
        self.speak = True

    def deadline(self):
        return max(1, min(list(self.t.values()) + [self.next_change] +
                          [k[3] for k in self.keys]))

    def state(self):
        return " ".join((
            str(self.phase), str(len(self.V) if self.view else 1),
            str(self.deadline()), (self.view or ZERO).hex(),
            self.current[1].hex() if self.current else "-",
            str(len(self.keys)),
            "%d:%s" % (self.out[0], self.out[1].hex()) if self.out else "-"))


NAMES = ("phase", "members", "deadline", "view", "conversation", "keys",
         "hello")


def main(path):
    members, steps, last, index = {}, 0, "", 0
    for number, line in enumerate(open(path, encoding="ascii"), 1):
        word = line.split()
        kind, index = word[0], int(word[1])
        if kind == "new":
            who, uid, most, fixed, least, rekey, listed = word[2:9]
            members[index] = Member(
                bytes.fromhex(who), uid, int(most), fixed == "1", int(least),
                int(rekey), None if listed == "999" else word[9:])
        elif kind == "is":
            ours, theirs = members[index].state().split(), word[2:]
            steps += 1
            for name, a, b in zip(NAMES, ours, theirs):
                if a != b:
                    print("%s:%d: after %s of member %d at %d\n%s: machine "
                          "%s\nreference %s" % (
                              path, number, last, index, members[index].now,
                              name, b, a))
                    return 1
        else:
            last = kind
            members[index].step(kind, int(word[2]), bytes.fromhex(word[3]),
                                word[4:])
    print("%d steps agree" % steps)
    return 0 if steps else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
