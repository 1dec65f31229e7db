"""What the tests of faults and of crashes share: tools, a folder, scenes."""

import json
import os
import shutil
import subprocess
import sys
import tempfile

BUILD = os.environ["ZP_BUILD"]
FAULT = os.path.join(BUILD, "tests/fault")
STEP = int(os.environ.get("STEP", "0"))

ENV = {k: v for k, v in os.environ.items() if not k.startswith("ZPINC")}
ENV["ASAN_OPTIONS"] = "exitcode=99:detect_leaks=1"
ENV["UBSAN_OPTIONS"] = "exitcode=99"


class Broken(Exception):
    """Something that must hold does not."""


def must(good, what):
    if not good:
        raise Broken(what)


def tool(name, *args, stdin=b"", cwd=None, env=None, binary=None, wrap=()):
    """Runs a tool; a CompletedProcess."""
    e = dict(ENV, HOME=cwd, XDG_CONFIG_HOME=cwd + "/config",
             XDG_STATE_HOME=cwd + "/state")
    e.update(env or {})
    return subprocess.run(
        list(wrap) + [os.path.join(binary or BUILD, name), *args],
        input=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=cwd,
        env=e, timeout=120, check=False)


def good(name, *args, **more):
    done = tool(name, *args, **more)
    must(done.returncode == 0, f"{name} {' '.join(args)} without a fault: "
         f"status {done.returncode}, {done.stderr.decode()}")
    return done.stdout


def snapshot(path):
    """All files below a folder, with what they hold."""
    out = {}
    for top, _, names in os.walk(path):
        for name in names:
            full = os.path.join(top, name)
            with open(full, "rb") as f:
                out[os.path.relpath(full, path)] = f.read()
    return out


def bodies(cwd, records, *args):
    """What zpinc-open finds in records: dicts."""
    done = tool("zpinc-open", "-k", "./k.key", "--json", "--trust",
                "./other-trust", *args, stdin=records, cwd=cwd)
    must(done.returncode in (0, 1), done.stderr.decode())
    return [json.loads(line) for line in done.stdout.splitlines()]


class Scene:
    """A command, what is there before it, what must hold after it, however
    it ended."""

    name = ""
    command = ()
    stdin = b""
    status = (0, 3, 5)

    def prepare(self, d):
        good("zpinc-key", "new", "--random", "-c", "ops", "-o", "k.key",
             cwd=d)

    def done(self, d, before, got):
        """After success."""

    def failed(self, d, before, got):
        """After a failure; also if it was killed (got.returncode 137)."""


class Folders:
    """Fresh copies of what a scene prepares."""

    def __init__(self, scene):
        self.top = tempfile.mkdtemp(prefix="zp-fault-")
        self.model = self.top + "/model"
        os.mkdir(self.model)
        scene.prepare(self.model)
        self.count = 0

    def fresh(self):
        self.count += 1
        d = f"{self.top}/{self.count}"
        shutil.copytree(self.model, d)
        return d

    def drop(self, d):
        shutil.rmtree(d, ignore_errors=True)

    def close(self):
        shutil.rmtree(self.top, ignore_errors=True)


# ---- scenes ----------------------------------------------------------------


class KeyNew(Scene):
    """A key appears whole or not at all."""
    name = "zpinc-key new"
    command = ("zpinc-key", "new", "--random", "-c", "ops", "-o", "new.key")

    def prepare(self, d):
        pass

    def whole(self, d):
        shown = tool("zpinc-key", "show", "-k", "./new.key", cwd=d)
        must(shown.returncode == 0, "the key file cannot be read: " +
             shown.stderr.decode())

    def done(self, d, before, got):
        self.whole(d)

    def failed(self, d, before, got):
        if os.path.exists(d + "/new.key"):
            self.whole(d)


class KeyPassphrase(KeyNew):
    name = "zpinc-key new from a passphrase, over another key"
    command = ("zpinc-key", "new", "-f", "--work", "15", "-c", "ops", "-o",
               "new.key", "--passfile", "pass")

    def prepare(self, d):
        good("zpinc-key", "new", "--random", "-c", "old", "-o", "new.key",
             cwd=d)
        with open(d + "/pass", "w", opener=lambda p, f: os.open(
                p, f, 0o600)) as f:
            f.write("correct horse battery staple\n")

    def failed(self, d, before, got):
        self.whole(d)
        with open(d + "/new.key", "rb") as f:
            now = f.read()
        must(now == before["new.key"] or b"channel ops" in now,
             "neither the old key nor the new one is there")


class Identity(Scene):
    name = "zpinc-key identity"
    command = ("zpinc-key", "identity", "-o", "me.id")

    def whole(self, d):
        good("zpinc-key", "public", "-i", "./me.id", cwd=d)

    def done(self, d, before, got):
        self.whole(d)

    def failed(self, d, before, got):
        if os.path.exists(d + "/me.id"):
            self.whole(d)


class Show(Scene):
    """Output is whole when the status says so."""
    name = "zpinc-key show, topic, export"
    command = ("zpinc-key", "export", "-k", "./k.key")

    def done(self, d, before, got):
        good("zpinc-key", "import", "-o", "copy.key", cwd=d,
             stdin=got.stdout)

    def failed(self, d, before, got):
        must(snapshot(d).keys() == before.keys(), "files changed")


PUBLIC = "zpid1.A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg"


class Pin(Scene):
    """The list of pins is the one before or the one after."""
    name = "zpinc-key trust pin"
    command = ("zpinc-key", "trust", "pin", "-k", "./k.key", "bob", PUBLIC)

    def prepare(self, d):
        super().prepare(d)
        good("zpinc-key", "trust", "pin", "-k", "./k.key", "alice", PUBLIC,
             cwd=d)

    def users(self, d):
        return {u for u in ("alice", "bob") if u.encode() in good(
            "zpinc-key", "trust", "list", cwd=d)}

    def done(self, d, before, got):
        must(self.users(d) == {"alice", "bob"}, "the pin is not there")

    def failed(self, d, before, got):
        must("alice" in self.users(d), "another pin was lost")


class Forget(Pin):
    name = "zpinc-key trust forget"
    command = ("zpinc-key", "trust", "forget", "-k", "./k.key", "alice")

    def prepare(self, d):
        super().prepare(d)
        good("zpinc-key", "trust", "pin", "-k", "./k.key", "bob", PUBLIC,
             cwd=d)

    def done(self, d, before, got):
        must(self.users(d) == {"bob"}, "the pin is still there")

    def failed(self, d, before, got):
        must("bob" in self.users(d), "another pin was lost")


class Seal(Scene):
    """No number goes out twice, and after success nothing is missing."""
    name = "zpinc-seal --state"
    command = ("zpinc-seal", "-k", "./k.key", "-u", "alice", "--state",
               "./s.state")
    stdin = b"four\nfive\nsix\n"
    want = ["four", "five", "six"]

    def prepare(self, d):
        super().prepare(d)
        with open(d + "/first", "wb") as f:
            f.write(good(*self.command, cwd=d, stdin=b"one\ntwo\nthree\n"))

    def all(self, d, got):
        with open(d + "/first", "rb") as f:
            records = f.read() + got.stdout + b"\n"
        done = tool(*self.command, cwd=d, stdin=b"last\n")
        must(done.returncode == 0, "the state is of no use any more: " +
             done.stderr.decode())
        return bodies(d, records + done.stdout)

    def check(self, d, got):
        shown = self.all(d, got)
        names = [(b["sid"], b["seq"]) for b in shown]
        must(len(set(names)) == len(names), "a number went out twice")
        must(len({b["sid"] for b in shown}) == 1, "a new session began")
        texts = [b["body"] for b in shown]
        must(texts[:3] == ["one", "two", "three"] and texts[-1] == "last",
             f"shown: {texts}")
        return texts[3:-1]

    def done(self, d, before, got):
        must(self.check(d, got) == self.want, "something is missing")

    def failed(self, d, before, got):
        part = self.check(d, got)
        must(part == self.want[:len(part)], "out of order")


class SealFirst(Seal):
    name = "zpinc-seal with a state that is not there yet"

    def prepare(self, d):
        Scene.prepare(self, d)
        with open(d + "/first", "wb"):
            pass

    def check(self, d, got):
        shown = self.all(d, got)
        names = [(b["sid"], b["seq"]) for b in shown]
        must(len(set(names)) == len(names), "a number went out twice")
        return [b["body"] for b in shown][:-1]


class SealLong(Seal):
    name = "zpinc-seal -w of several parts, signed"
    stdin = bytes(range(32, 127)) * 90
    want = [stdin.decode()]

    def prepare(self, d):
        good("zpinc-key", "identity", "-o", "me.id", cwd=d)
        self.command = Seal.command + ("-w", "-i", "./me.id")
        super().prepare(d)

    def all(self, d, got):
        shown = super().all(d, got)
        # The three lines of the first run are one body here.
        first = shown[0]
        return [dict(first, body=t, seq=f"{first['seq']}.{i}") for i, t in
                enumerate(("one", "two", "three"))] + [
                    dict(b, body=b["body"].removesuffix("\n"))
                    for b in shown[1:]]


class Open(Scene):
    """Nothing is lost: what a failed run did not show, the next one does."""
    name = "zpinc-open --state"
    command = ("zpinc-open", "-k", "./k.key", "--state", "./o.state",
               "--trust", "./trust", "-F", "%n %m")
    want = [b"%d line %d" % (i, i) for i in range(6)]

    def prepare(self, d):
        super().prepare(d)
        lines = b"".join(b"line %d\n" % i for i in range(6))
        sealed = good("zpinc-seal", "-k", "./k.key", "-u", "alice", cwd=d,
                      stdin=lines)
        with open(d + "/records", "wb") as f:
            f.write(sealed)
        self.stdin = sealed
        shown = good(*self.command, cwd=d, stdin=b"".join(
            sealed.splitlines(True)[:2]))
        must(shown.splitlines() == self.want[:2], "the beginning")

    def again(self, d):
        done = tool(*self.command, cwd=d, stdin=self.stdin)
        must(done.returncode == 0, "the state is of no use any more: " +
             done.stderr.decode())
        return done.stdout.splitlines()

    def done(self, d, before, got):
        must(got.stdout.splitlines() == self.want[2:], "not all was shown")
        must(self.again(d) == [], "something is shown twice")

    def failed(self, d, before, got):
        out = got.stdout
        part = out[:out.rfind(b"\n") + 1].splitlines()
        must(part == self.want[2:2 + len(part)], "shown out of order")
        rest = self.again(d)
        must(set(part) | set(rest) == set(self.want[2:]),
             f"lost: shown {part}, then {rest}")
        must(self.again(d) == [], "shown again after all was well")


class OpenSigned(Open):
    name = "zpinc-open --state, signed, pinning who is new"

    def prepare(self, d):
        Scene.prepare(self, d)
        good("zpinc-key", "identity", "-o", "me.id", cwd=d)
        lines = b"".join(b"line %d\n" % i for i in range(6))
        sealed = good("zpinc-seal", "-k", "./k.key", "-u", "alice", "-i",
                      "./me.id", cwd=d, stdin=lines)
        self.stdin = sealed
        good(*self.command, cwd=d, stdin=b"".join(
            sealed.splitlines(True)[:2]))
        os.remove(d + "/trust")


class Publish(Scene):
    """What zpinc-file took over is in the folder, no line runs into
    another."""
    name = "zpinc-file, publishing"
    command = ("zpinc-file", "--timeout", "1", "file:relay")
    long = [c * 2000 for c in "abc"]

    def prepare(self, d):
        super().prepare(d)
        self.stdin = good("zpinc-seal", "-k", "./k.key", "-u", "alice",
                          cwd=d, stdin="\n".join(self.long).encode())
        good("zpinc-file", "file:relay", cwd=d, stdin=good(
            "zpinc-seal", "-k", "./k.key", "-u", "alice", cwd=d,
            stdin=b"zero\n"))

    def texts(self, d):
        return [b["body"] for b in bodies(d, b"".join(
            v for k, v in snapshot(d + "/relay").items()
            if k.endswith(".zp")))]

    def done(self, d, before, got):
        must(sorted(self.texts(d)) == sorted(["zero", *self.long]),
             "not all is there")

    def failed(self, d, before, got):
        must("zero" in self.texts(d), "what was there is lost")
        good("zpinc-file", "file:relay", cwd=d, stdin=self.stdin)
        must(set(self.texts(d)) == {"zero", *self.long},
             "lost when sent again")


class Follow(Scene):
    """The history comes whole, or the status says that it did not."""
    name = "zpinc-file --once"

    def prepare(self, d):
        super().prepare(d)
        self.sealed = good("zpinc-seal", "-k", "./k.key", "-u", "alice",
                           cwd=d, stdin=b"one\ntwo\nthree\n")
        good("zpinc-file", "file:relay", cwd=d, stdin=self.sealed)
        topic = good("zpinc-key", "topic", "-k", "./k.key",
                     cwd=d).decode().strip()
        self.command = ("zpinc-file", "--once", "file:relay", topic)

    def done(self, d, before, got):
        must([b["body"] for b in bodies(d, got.stdout)] ==
             ["one", "two", "three"], "not all came")

    def failed(self, d, before, got):
        must(snapshot(d + "/relay") == {
            k[len("relay/"):]: v for k, v in before.items()
            if k.startswith("relay/")}, "a reader changed the folder")


SCENES = (KeyNew, KeyPassphrase, Identity, Show, Pin, Forget, Seal, SealFirst,
          SealLong, Open, OpenSigned, Publish, Follow)


def leftovers(d, before, allowed=()):
    """Files that nobody asked for."""
    return [n for n in snapshot(d) if n not in before and
            not n.endswith(".lock") and n not in allowed]


def report(number, ok, text, why=()):
    print(f"{'' if ok else 'not '}ok {number} - {text}")
    for line in why:
        print("# " + line.replace("\n", "\n# "))
    sys.stdout.flush()
