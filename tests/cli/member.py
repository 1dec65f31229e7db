#!/usr/bin/python3
"""One member of a fixed conversation, made with the second implementation
of the formats (tests/oracle), so that zpinc-handshake is not only ever
compared with itself.  It can misbehave, as only who has the password can.

    member.py KEYFILE UID OTHERS [--do WHAT] [--seed HEX] -- COMMAND...

KEYFILE holds a random key.  COMMAND is started with the two topics behind it
and takes and prints records (zpinc-file file:FOLDER, for instance).  Ends
with 0 and prints the safety number when everybody is done.
"""
import argparse
import base64
import os
import queue
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "oracle"))
import zpinc  # noqa: E402
import ristretto as r255  # noqa: E402

WHATS = ("honest", "silent", "neutral", "nopoint", "badtag", "nodone",
         "twoshares", "wrongmix")


class Sender:
    """Seals our hellos."""

    def __init__(self, channel, uid, seed):
        self.channel, self.seed = channel, seed
        self.p = channel.user(uid)
        self.sid = os.urandom(16)
        idkey = zpinc.ed25519_public(seed) if seed else bytes(32)
        self.me = zpinc.Member(self.p, self.sid, idkey)
        self.seq = 0

    def line(self, hello):
        flags = zpinc.LAST | (zpinc.SIGNED if self.seed else 0)
        head = zpinc.header(zpinc.HELLO, flags, 0, self.sid, self.seq,
                            int(time.time() * 1000))
        self.seq += 1
        return zpinc.seal_part(self.channel.msgkey, self.channel.live,
                               self.p, bytes(16), head,
                               zpinc.make_hello(hello), os.urandom(24),
                               self.seed)


class Peer:
    """The last hello of another session."""

    def __init__(self, got):
        self.seq, self.hello, self.uid = got["seq"], got["hello"], got["uid"]
        self.m = zpinc.Member(
            zpinc.unb64(got["p"][1:]),
            bytes.fromhex(got["sid"]),
            bytes.fromhex(got["idkey"]) if got["idkey"] else bytes(32),
            self.hello["gen"])

    def lists(self, mid):
        return any(e["mid"] == mid.hex() for e in self.hello["entries"])

    def shows(self, view, flag):
        f = self.hello["flags"]
        return (f & (zpinc.Z | flag) == zpinc.Z | flag and
                self.hello["view"] == view.hex())


class Member:
    def __init__(self, channel, sender, others, what):
        self.channel, self.sender = channel, sender
        self.others, self.what = others, what
        self.peers = {}
        self.fields = {"flags": zpinc.FIXED}
        self.run = self.conv = self.y = None

    def hear(self, got):
        key = got["p"], got["sid"]
        if got["sid"] == self.sender.sid.hex():
            return
        if not got["hello"]["flags"] & zpinc.FIXED:
            return
        if key not in self.peers or self.peers[key].seq < got["seq"]:
            self.peers[key] = Peer(got)

    def present(self):
        return [p for p in self.peers.values()
                if p.shows(self.run.view if self.run else b"", 0) or
                not p.hello["flags"] & zpinc.LEAVE]

    def complete(self):
        here = self.present()
        return len(here) == self.others and all(
            p.lists(self.sender.me.mid) for p in here) and all(
            p.lists(q.m.mid) for p in here for q in here if p is not q)

    def show(self, bit, **values):
        self.fields["flags"] |= bit
        self.fields.update(values)

    def publish(self):
        members = [self.sender.me] + [p.m for p in self.present()]
        run = zpinc.Run(self.channel.rp, self.channel.msgkey, members)
        if self.what == "silent" or not any(
                p.shows(run.view, 0) for p in self.present()):
            return
        self.run = run
        self.i = run.members.index(self.sender.me)
        self.y = int.from_bytes(os.urandom(64), "little") % r255.ORDER
        z = run.share(self.y)
        if self.what == "neutral":
            z = bytes(32)
        if self.what == "nopoint":
            z = b"\xff" * 32
        self.z = z
        self.show(zpinc.Z, view=run.view.hex(), z=z.hex())

    def values(self, name, own):
        by = {p.m.order(): p for p in self.present()}
        return [own if m is self.sender.me
                else bytes.fromhex(by[m.order()].hello[name])
                for m in self.run.members]

    def mix(self):
        self.zs = self.values("z", self.z)
        x = self.run.mix(self.i, self.y, self.zs)
        if self.what == "wrongmix":
            x = self.z
        self.x = x
        self.show(zpinc.X, x=x.hex())

    def confirm(self):
        zs = self.values("z", self.z)
        xs = self.values("x", self.x) if self.run.n > 2 else None
        transcript = self.run.transcript(zs, xs)
        k = self.run.key(self.i, self.y, zs, xs)
        self.conv = zpinc.Conversation(
            self.run.isk(k, transcript), self.run.view)
        self.tags = [self.run.tag(j, self.conv.confirm, transcript)
                     for j in range(self.run.n)]
        tag = self.tags[self.i]
        if self.what == "badtag":
            tag = zpinc.flip(tag, 7)
        self.show(zpinc.TAG, tag=tag.hex())

    def verify(self):
        got = self.values("tag", self.tags[self.i])
        if got != self.tags:
            sys.exit("member.py: a tag is wrong")
        if self.what != "nodone":
            self.show(zpinc.DONE)

    def advance(self):
        """One step of the run, if it is due; false when nothing is."""
        f = self.fields["flags"]
        if not f & zpinc.Z:
            if not self.complete():
                return False
            self.publish()
            return bool(self.run)
        if self.what in ("neutral", "nopoint") or (
                self.what == "wrongmix" and f & zpinc.X):
            return False

        def all_show(bit):
            return all(p.shows(self.run.view, bit) for p in self.present())
        if self.run.n > 2 and not f & zpinc.X and all_show(zpinc.Z):
            self.mix()
        elif not f & zpinc.TAG and all_show(
                zpinc.Z if self.run.n == 2 else zpinc.X):
            self.confirm()
        elif f & zpinc.TAG and not f & zpinc.DONE and all_show(
                zpinc.TAG) and self.what != "nodone":
            self.verify()
        else:
            return False
        return True

    def others_are_done(self):
        return bool(self.conv) and all(
            p.shows(self.run.view, zpinc.DONE) for p in self.present())

    def finished(self):
        return self.fields["flags"] & zpinc.DONE and self.others_are_done()

    def hello(self, **more):
        entries = sorted(({"mid": p.m.mid.hex(), "ack": p.seq, "seen": 0}
                          for p in self.peers.values()),
                         key=lambda e: e["mid"])
        fields = dict(self.fields, gen=0, notes=0, messages=0,
                      entries=entries)
        fields.update(more)
        if self.what == "twoshares" and self.run and self.sender.seq % 2:
            fields["z"] = self.run.share(self.y + self.sender.seq).hex()
        return self.sender.line(fields)

    def state(self):
        return (self.fields["flags"], frozenset(
            (k, p.hello["flags"], len(p.hello["entries"]))
            for k, p in self.peers.items()))


def load(path):
    fields = dict(line.split(None, 1) for line in open(path)
                  if not line.startswith("#") and " " in line)
    key = fields["key"].strip()
    return zpinc.Channel(base64.urlsafe_b64decode(key + "=" * (-len(key) % 4)),
                         fields["channel"].strip())


def pump(stream, lines):
    for line in stream:
        lines.put(line)


def serve(member, relay):
    reader = zpinc.Reader(member.channel)
    lines = queue.Queue()
    threading.Thread(target=pump, args=(relay.stdout, lines),
                     daemon=True).start()
    said, due, told = None, 0, False
    while not member.finished():
        try:
            line = lines.get(timeout=0.02)
            for got in reader.scan(line):
                if got["verdict"] == "ok" and got.get("kind") == zpinc.HELLO:
                    member.hear(got)
        except queue.Empty:
            pass
        while member.advance():
            pass
        if not told and member.others_are_done():
            told = True
            print("the others are done", file=sys.stderr, flush=True)
        if member.state() != said or time.time() > due:
            said, due = member.state(), time.time() + 1
            print(member.hello(), file=relay.stdin, flush=True)
    print(member.hello(flags=member.fields["flags"] | zpinc.LEAVE),
          file=relay.stdin, flush=True)


def main():
    args = sys.argv[1:]
    at = args.index("--")
    parser = argparse.ArgumentParser()
    parser.add_argument("key")
    parser.add_argument("uid")
    parser.add_argument("others", type=int)
    parser.add_argument("--do", choices=WHATS, default="honest")
    parser.add_argument("--seed", type=bytes.fromhex)
    opts = parser.parse_args(args[:at])
    channel = load(opts.key)
    sender = Sender(channel, opts.uid, opts.seed)
    member = Member(channel, sender, opts.others, opts.do)
    relay = subprocess.Popen(
        args[at + 1:] + [zpinc.topic(channel.rp), zpinc.topic(channel.live)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        serve(member, relay)
    finally:
        relay.terminate()
        relay.wait()
    print(member.conv.safety)


if __name__ == "__main__":
    main()
