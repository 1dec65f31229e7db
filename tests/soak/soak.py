#!/usr/bin/python3
"""Members that converse by zpinc-pipe while what they need is killed.

    soak.py [OPTION...] RELAY...

RELAY is file, redis, mqtt or nchan: a real server, killed without warning and
started again.  (A folder has none: there it is everybody's transport.)  Or
`liar', which is dead at first, and lies from the middle of the run on.

Each member says its lines, numbered; members are killed and go on with the
same state.  What must hold, of each line and each other member:

  - it is shown once, and after the lines that its sender said before;
  - who is told that it was delivered was told the truth;
  - only what a member had not been told to be delivered when it was killed
    may be missing, as it was in memory alone; and what was said, and told so,
    to a conversation that went on without who had been killed.

What a member showed in its last moments may be shown once more by the next
one under its name, zpinc-pipe(1): these are counted apart.

With --flat the lines go on for that many seconds, and the memory of the
processes must not grow.  Prints figures; exits 1 if anything does not hold.
"""

import argparse
import json
import os
import random
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.environ["ZP_ROOT"]
PIPE = os.path.join(os.environ["ZP_BUILD"], "zpinc-pipe")
KEY = os.path.join(os.environ["ZP_BUILD"], "zpinc-key")


def say(text):
    print(f"# {time.monotonic() - START:7.1f} s  {text}", flush=True)


class Failed(Exception):
    pass


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            return [int(p) for p in f.read().split()]
    except OSError:
        return []


def end(pid, sig=signal.SIGKILL):
    try:
        os.kill(pid, sig)
    except ProcessLookupError:
        pass


def rss(pid):
    """KiB of memory that a process has, or 0."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            for line in f:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1])
    except OSError:
        pass
    return 0


# ---- relays ----------------------------------------------------------------

class Folder:
    """file: the transports are what can be killed."""

    def __init__(self, place, number):
        self.dir = os.path.join(place, f"folder{number}")
        os.mkdir(self.dir)

    def url(self, _name):
        return "file:" + self.dir

    def kill(self, members):
        for m in members:
            for pid in m.transports("zpinc-file"):
                end(pid)

    def start(self):
        pass

    def stop(self):
        pass


class Server:
    """A process that listens; kept by this one, killed by its number."""

    def __init__(self, place, number):
        self.dir = os.path.join(place, f"server{number}")
        os.mkdir(self.dir)
        self.port = free_port()
        self.process = None
        self.start()

    def start(self):
        with open(os.path.join(self.dir, "log"), "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log,
                stderr=log, cwd=self.dir, start_new_session=True)
        for _ in range(500):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except OSError:
                time.sleep(0.02)
        raise Failed(f"{self.command()[0]} does not start")

    def kill(self, _members):
        pids = [self.process.pid] + children(self.process.pid)
        for pid in pids:
            end(pid)
        self.process.wait()

    stop = None

    def finish(self):
        self.kill([])


class Redis(Server):
    def command(self):
        return ["redis-server", "--port", str(self.port), "--save", "",
                "--appendonly", "no", "--bind", "127.0.0.1"]

    def url(self, _name):
        return f"redis://127.0.0.1:{self.port}"


class Mqtt(Server):
    def command(self):
        conf = os.path.join(self.dir, "mosquitto.conf")
        with open(conf, "w", encoding="ascii") as f:
            f.write(f"listener {self.port} 127.0.0.1\n"
                    "allow_anonymous true\n"
                    "max_queued_messages 0\n")
        return ["/usr/sbin/mosquitto", "-c", conf]

    def url(self, _name):
        return f"mqtt://127.0.0.1:{self.port}"


class Nchan(Server):
    def command(self):
        temp = "".join(f"{t}_temp_path {self.dir}/{t};\n" for t in
                       ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        conf = os.path.join(self.dir, "nginx.conf")
        with open(conf, "w", encoding="ascii") as f:
            f.write("load_module /usr/lib/nginx/modules/ngx_nchan_module.so;\n"
                    + ("user root root;\n" if os.getuid() == 0 else "")
                    + f"daemon off; pid {self.dir}/pid;\n"
                    f"error_log {self.dir}/error.log;\n"
                    "worker_processes 1;\n"
                    "events { worker_connections 512; }\n"
                    "http { access_log off;\n" + temp +
                    f"server {{ listen 127.0.0.1:{self.port};\n"
                    'location ~ "^/ops/([A-Za-z0-9_-]+)$" {\n'
                    "nchan_channel_id $1; nchan_publisher http;\n"
                    "nchan_subscriber eventsource;\n"
                    "nchan_message_buffer_length 1000;\n"
                    "nchan_message_timeout 7d;\n"
                    "client_max_body_size 2m;\n"
                    "client_body_buffer_size 128k; } } }\n")
        return ["/usr/sbin/nginx", "-e", self.dir + "/error.log",
                "-p", self.dir, "-c", conf]

    def url(self, _name):
        return f"http://127.0.0.1:{self.port}/ops"


class Liar:
    """zpinc-hostile of tests/hostile: dead, then lying in turn."""

    LIES = ("dup", "replay", "swap", "half", "flood", "delay")

    def __init__(self, place, number):
        self.dir = os.path.join(place, f"liar{number}")
        os.mkdir(self.dir)
        self.lie = 0
        self.treat("stall")

    def treat(self, how):
        with open(self.dir + "/new", "w", encoding="ascii") as f:
            f.write(how + "\n")
        os.rename(self.dir + "/new", self.dir + "/mode")

    def url(self, name):
        return f"hostile://{self.dir}?{name}"

    def next(self):
        self.treat(self.LIES[self.lie % len(self.LIES)])
        say(f"the liar: {self.LIES[self.lie % len(self.LIES)]}")
        self.lie += 1


RELAYS = {"file": Folder, "redis": Redis, "mqtt": Mqtt, "nchan": Nchan,
          "liar": Liar}


# ---- members ---------------------------------------------------------------

class Life:
    """One process of a member: from which line on it was given some."""

    def __init__(self, first):
        self.first = first
        self.given = 0          # lines
        self.delivered = {}     # line of its input: to whom
        self.undelivered = {}   # likewise
        self.killed = False
        self.conversation = ()


class Member:
    def __init__(self, world, name):
        self.world = world
        self.name = name
        self.lives = []
        self.shown = {}         # (sender, number): lives in which it was shown
        self.order = {}         # sender: the last number shown
        self.trouble = []
        self.pending = b""
        self.input = b""
        self.memory = []
        self.log = open(self.path(".events"), "a", encoding="utf-8")
        self.start()

    def path(self, what):
        return os.path.join(self.world.place, self.name + what)

    @property
    def life(self):
        return self.lives[-1]

    def next_line(self):
        return self.life.first + self.life.given

    def start(self):
        first = self.next_line() if self.lives else 1
        self.lives.append(Life(first))
        with open(self.path(".err"), "ab") as err:
            self.process = subprocess.Popen(
                [PIPE, "-k", self.world.key, "-u", self.name,
                 "-i", self.path(".id"), "--trust", self.path(".known"),
                 "--require-fs", "--json", "--state", self.path(".state")] +
                [r.url(self.name) for r in self.world.relays],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=err,
                start_new_session=True)
        os.set_blocking(self.process.stdin.fileno(), False)
        os.set_blocking(self.process.stdout.fileno(), False)
        self.pending = self.input = b""
        self.world.sel.register(self.process.stdout, selectors.EVENT_READ,
                                self)

    def keyed(self):
        for pid in children(self.process.pid):
            with open(f"/proc/{pid}/comm", encoding="ascii") as f:
                if f.read().strip() == "zpinc-pipe":
                    return pid
        return 0

    def transports(self, comm):
        found = []
        for pid in children(self.process.pid):
            try:
                with open(f"/proc/{pid}/comm", encoding="ascii") as f:
                    if f.read().strip() == comm:
                        found.append(pid)
            except OSError:
                pass
        return found

    def give(self, text):
        self.input += text.encode()
        self.life.given += 1
        self.push()

    def push(self):
        while self.input:
            try:
                n = os.write(self.process.stdin.fileno(), self.input)
            except BlockingIOError:
                return
            self.input = self.input[n:]

    def read(self):
        """False at the end."""
        try:
            data = os.read(self.process.stdout.fileno(), 1 << 20)
        except BlockingIOError:
            return True
        if not data:
            self.world.sel.unregister(self.process.stdout)
            self.process.stdout.close()
            return False
        lines = (self.pending + data).split(b"\n")
        self.pending = lines.pop()
        for line in lines:
            self.take(json.loads(line))
        return True

    def take(self, o):
        event = o.get("event")
        if event is not None:
            self.log.write(f"{time.monotonic() - START:.1f} {json.dumps(o)}\n")
            self.log.flush()
        if event is None:
            sender, number = o["body"].split()[:2]
            if sender != o["uid"]:
                self.trouble.append(f"{sender}'s line as if by {o['uid']}")
            self.take_line(sender, int(number))
        elif event == "delivered":
            self.life.delivered[o["line"]] = o["to"]
        elif event == "conversation":
            self.life.conversation = tuple(sorted(o["members"]))
        elif event == "undelivered":
            self.life.undelivered[o["line"]] = o["to"]
        elif event == "gap" and self.world.was_killed(o["uid"]):
            pass                # what was in its memory alone
        elif event in ("gap", "refused"):
            self.trouble.append(f"{time.monotonic() - START:.1f} s: "
                                + json.dumps(o))

    def take_line(self, sender, number):
        lives = self.shown.setdefault((sender, number), [])
        lives.append(len(self.lives))
        if len(lives) > 1:
            return
        if number < self.order.get(sender, 0):
            self.trouble.append(
                f"{time.monotonic() - START:.1f} s: {sender}'s line {number} "
                f"after {self.order[sender]}")
        self.order[sender] = number

    def kill(self):
        """All its processes at once, as when a machine loses its power."""
        parent = self.process.pid
        end(parent, signal.SIGSTOP)
        for pid in children(parent):
            end(pid)
        end(parent)
        self.process.stdin.close()
        while self.read():
            time.sleep(0.005)
        self.process.wait()
        self.life.killed = True

    def all_delivered(self):
        return (len(self.life.delivered) + len(self.life.undelivered) ==
                self.life.given)


# ---- the run ---------------------------------------------------------------

class World:
    def __init__(self, args):
        self.args = args
        self.rng = random.Random(args.seed)
        self.place = tempfile.mkdtemp(prefix="soak")
        os.environ["XDG_STATE_HOME"] = self.place
        os.environ["PATH"] += ":" + os.path.join(ROOT, "tests/hostile")
        self.sel = selectors.DefaultSelector()
        self.relays, self.members = [], []
        self.key = os.path.join(self.place, "ops.key")
        subprocess.run([KEY, "new", "--random", "-c", "ops", "-o", self.key],
                       check=True, stderr=subprocess.DEVNULL)
        self.relays = [RELAYS[r](self.place, i)
                       for i, r in enumerate(args.relay)]
        names = [f"m{i}" for i in range(args.members)]
        for name in names:
            subprocess.run([KEY, "identity", "-o",
                            os.path.join(self.place, name + ".id")],
                           check=True, stderr=subprocess.DEVNULL)
        self.members = [Member(self, name) for name in names]
        self.kills = self.outages = 0

    def close(self):
        for m in self.members:
            if m.process.poll() is None:
                m.kill()
        for r in self.relays:
            if isinstance(r, Server):
                r.finish()

    def serve(self, seconds):
        """Reads what there is for so long."""
        until = time.monotonic() + seconds
        while True:
            left = until - time.monotonic()
            for key, _ in self.sel.select(max(left, 0)):
                key.data.read()
            for m in self.members:
                if m.input:
                    m.push()
            if left <= 0:
                return

    def wait(self, what, true, seconds):
        until = time.monotonic() + seconds
        while not true():
            self.serve(0.1)
            for m in self.members:
                if m.process.poll() is not None:
                    raise Failed(f"{m.name} has ended")
            if time.monotonic() > until:
                raise Failed(f"not within {seconds} s: {what}")

    def together(self):
        everybody = tuple(sorted(m.name for m in self.members))
        return all(m.life.conversation == everybody for m in self.members)

    def disturb(self, done):
        """What is due when a part `done` of the lines has been said."""
        a = self.args
        # Two at once would not be in one conversation again.
        if (self.kills < a.kills and done >= (self.kills + 0.5) / (a.kills + 1) and
                self.together()):
            self.kills += 1
            m = self.rng.choice(self.members)
            say(f"kill {m.name} at line {m.next_line()}")
            m.kill()
            m.start()
        real = [r for r in self.relays if not isinstance(r, Liar)]
        if self.outages < a.outages and done >= (self.outages + 1) / (
                a.outages + 1):
            self.outages += 1
            r = self.rng.choice(real)
            say(f"kill the relay, {type(r).__name__}")
            r.kill(self.members)
            self.serve(self.rng.random() * 2)
            r.start()
        for r in self.relays:
            if isinstance(r, Liar) and done >= 0.5 + r.lie / 12:
                r.next()

    def was_killed(self, name):
        return any(m.name == name and len(m.lives) > 1 for m in self.members)

    def said(self):
        return min(m.next_line() - 1 for m in self.members)

    def talk(self):
        """All lines, at a steady rate, each member as fast as it takes."""
        n, kills = self.args.lines, self.args.kills
        began = time.monotonic()
        while self.said() < n:
            due = int((time.monotonic() - began) * self.args.rate) + 1
            # Some are left for after the next kill.
            if self.kills < kills:
                due = min(due, n * (self.kills + 1) // (kills + 1))
            for m in self.members:
                while m.next_line() <= min(due, n) and len(m.input) < 65536:
                    m.give(f"{m.name} {m.next_line()} {'x' * 40}\n")
            self.serve(0.02)
            self.disturb(self.said() / n)

    def sample(self, at):
        for m in self.members:
            m.memory.append((at, rss(m.keyed()), sum(
                rss(p) for p in children(m.process.pid))))

    def go_on(self):
        """Lines for so many seconds, with an eye on memory."""
        began = time.monotonic()
        next_sample = 0.0
        while (at := time.monotonic() - began) < self.args.flat:
            due = int(at * self.args.rate) + 1
            for m in self.members:
                while m.next_line() <= due and len(m.input) < 65536:
                    m.give(f"{m.name} {m.next_line()} {'x' * 40}\n")
            self.serve(0.02)
            self.disturb(at / self.args.flat)
            if at >= next_sample:
                self.sample(at)
                next_sample += max(1.0, self.args.flat / 100)
        self.args.lines = max(m.next_line() - 1 for m in self.members)

    def finish(self):
        say("everything was said")
        self.wait("all lines delivered",
                  lambda: all(m.all_delivered() for m in self.members),
                  self.args.patience)
        say("everything was delivered")
        for m in self.members:
            m.process.stdin.close()
        until = time.monotonic() + 60
        while any(m.process.poll() is None for m in self.members):
            self.serve(0.1)
            if time.monotonic() > until:
                raise Failed("members do not end")
        self.serve(0.1)
        for m in self.members:
            told = 5 if m.life.undelivered else 0
            if m.process.returncode != told:
                m.trouble.append(f"status {m.process.returncode}")

    # ---- the judgement

    def judge(self):
        bad, twice, lost, total, away = [], 0, 0, 0, 0
        for s in self.members:
            others = [m for m in self.members if m is not s]
            for life in s.lives:
                for i in range(1, life.given + 1):
                    number = life.first + i - 1
                    to = life.delivered.get(i, life.undelivered.get(i))
                    counts = [r.shown.get((s.name, number), [])
                              for r in others]
                    lost += to is None and not all(counts)
                    for r, lives in zip(others, counts):
                        total += len(lives) > 0
                        here = to is not None and r.name in to
                        never_away = len(r.lives) == 1
                        if not lives and (here or (never_away and
                                                   not life.killed)):
                            bad.append(f"{s.name} {number} not at {r.name}")
                        away += not lives and to is not None and not here
                        if len(set(lives)) != len(lives):
                            bad.append(f"{s.name} {number} twice at {r.name}")
                        twice += len(lives) > 1
                        if never_away and to is not None and not here:
                            bad.append(f"{s.name} {number} delivered to {to}")
        for m in self.members:
            bad += [f"{m.name}: {t}" for t in m.trouble]
        say(f"{total} showings; {self.kills} kills of members, "
            f"{self.outages} of the relay")
        say(f"{lost} lines were in the memory of the killed alone; "
            f"{twice} showings again by who was killed; {away} lines were "
            "not for who had just come back")
        if twice > 200 * max(self.kills, 1):
            bad.append(f"{twice} showings twice are too many")
        return bad

    def flat(self):
        bad = []
        for m in self.members:
            n = len(m.memory) // 5
            early = [x[1] for x in m.memory[n:2 * n]]
            late = [x[1] for x in m.memory[-n:]]
            early, late = sorted(early)[n // 2], sorted(late)[n // 2]
            all_late = sorted(x[2] for x in m.memory[-n:])[n // 2]
            say(f"{m.name}: {early} KiB after a fifth, {late} KiB at the "
                f"end; {all_late} KiB with its transports")
            say("        " + " ".join(str(x[1]) for x in m.memory[::10]))
            # What a busy moment piled up is given back to the heap alone.
            if late > early * 1.1 + 1024:
                bad.append(f"{m.name} grew from {early} to {late} KiB")
        return bad


def main():
    p = argparse.ArgumentParser()
    p.add_argument("relay", nargs="+", choices=RELAYS)
    p.add_argument("--members", type=int, default=5)
    p.add_argument("--lines", type=int, default=200)
    p.add_argument("--rate", type=float, default=50.0,
                   help="lines a second, of each")
    p.add_argument("--kills", type=int, default=0, help="of members")
    p.add_argument("--outages", type=int, default=0, help="of relays")
    p.add_argument("--flat", type=float, default=0, help="seconds")
    p.add_argument("--patience", type=float, default=180)
    p.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    p.add_argument("--keep", action="store_true", help="the files")
    args = p.parse_args()
    say(f"{' and '.join(args.relay)}: {args.members} members, seed {args.seed}")
    world, bad = None, []
    try:
        world = World(args)
        world.wait("all in one conversation", world.together, 60)
        say("all are in one conversation")
        if args.flat:
            world.go_on()
        else:
            world.talk()
        world.finish()
    except Failed as e:
        bad.append(str(e))
    finally:
        if world is not None:
            world.close()
    if world is not None:
        bad += world.judge()
        if args.flat and len(bad) == 0:
            bad += world.flat()
    for line in bad[:30]:
        print("not ok:", line)
    if bad:
        print(f"not ok: {len(bad)} complaints; files in {world.place}")
        for m in world.members:
            sys.stdout.write(f"--- {m.name}\n")
            sys.stdout.write(open(m.path(".err"), encoding="utf-8",
                                  errors="replace").read()[-3000:])
    elif not args.keep:
        shutil.rmtree(world.place)
    sys.exit(1 if bad else 0)


START = time.monotonic()
main()
