"""Members of a MlesTalk channel: ours (a process) and the prototype's."""
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "oracle"))

import mles_proto  # noqa: E402
import mles_wire  # noqa: E402

BUILD = os.environ.get("ZP_BUILD", os.path.join(ROOT, "build", "release"))
RAW = bytes(range(32))
CHANNEL = mles_wire.Channel(RAW, "test room")
GROUP = mles_proto.Ristretto()


def keyfile():
    """The channel's key as zpinc-key keeps it."""
    return ("zpinc-key 1\nsuite mles\nchannel test room\nwork 15\nkey %s\n"
            % mles_wire.b64u(RAW))


class Proto:
    """The model, with frames on the wire."""
    ours = False

    def __init__(self, name, rng, clock):
        self.name, self.rng, self.clock = name, rng, clock
        self.m = mles_proto.Proto(mles_wire.quote(name),
                                  CHANNEL.password[1], GROUP, rng)

    def send(self, text, flags=mles_proto.FULL):
        f = self.m.send(text.encode(), flags)
        f.date = self.clock.date()
        return CHANNEL.line(f)

    def receive(self, line):
        f = CHANNEL.open(line, [None, self.m.prev, self.m.secret])
        if f is None or not self.m.receive(f):
            return None
        return f.body.decode()

    def sent_as_conversation(self, line):
        f = CHANNEL.open(line, [None])
        return f is None

    def fs(self):
        return self.m.secure()

    def secret(self):
        return self.m.secret if self.m.secret and self.m.acked else None

    def close(self):
        pass


class Ours:
    ours = True
    idle = []

    def __init__(self, name, rng, clock, policy="eager"):
        self.name, self.clock, self.policy = name, clock, policy
        self.reports, self.off = [], 0
        self.p = Ours.idle.pop() if Ours.idle else subprocess.Popen(
            [os.path.join(BUILD, "tests/mles/mles_member"), RAW.hex(),
             "test room"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, bufsize=1)
        self.now = 0
        self.command("new %s %d" % (name, rng.getrandbits(60)))

    def command(self, line):
        self.p.stdin.write(line + "\n")
        answer = None
        for out in self.p.stdout:
            word, _, rest = out.rstrip("\n").partition(" ")
            if word == "end":
                state = dict(x.split("=") for x in rest.split())
                self.state_fs = int(state["fs"])
                self.due = int(state["due"])
                self.k = None if state["secret"] == "-" else \
                    bytes.fromhex(state["secret"])
                return answer
            if word == "report":
                self.reports.append(rest)
            else:
                answer = (word, rest)
        raise RuntimeError("mles_member died on: " + line[:80])

    def settle(self):
        if self.clock.now > self.now:
            self.command("tick %d" % (self.clock.now - self.now))
            self.now = self.clock.now

    def send(self, text, flags=mles_proto.FULL):
        self.settle()
        word, rest = self.command("send %s %x %s" % (
            self.policy, flags, mles_wire.quote(text)))
        assert word == "sent", rest
        return rest.split(" ")[1]

    def presence(self):
        """The line of a frame that is due, or None."""
        self.settle()
        if self.due != 0:
            return None
        word, rest = self.command("presence")
        assert word == "sent", rest
        return rest.split(" ")[1]

    def receive(self, line):
        self.settle()
        word, rest = self.command("recv " + line)
        if word != "got":
            return None
        return rest.split(" ", 7)[7]

    def fs(self):
        return self.state_fs == 2

    def begun(self):
        return self.state_fs >= 1

    def secret(self):
        return self.k

    def close(self):
        Ours.idle.append(self.p)


class Clock:
    def __init__(self):
        self.now = 0

    def date(self):
        return 1790000001000 + self.now

    def step(self, ms):
        self.now += ms
