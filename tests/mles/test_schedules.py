#!/usr/bin/python3 -B
"""Our MlesTalk member among models of the prototype, in many schedules.

TRIALS says how many trials each schedule gets, SEED where they begin.
"""
import os
import random
import sys

import drive

TRIALS = int(os.environ.get("TRIALS", "3"))
SEED = int(os.environ.get("SEED", "1"))
NAMES = ["alice", "9", "Zoë", "10", "alice!"]
SCHEDULES = ("turn", "random", "cross", "all")


class Trial:
    """kinds: a string of P (prototype) and O (ours)."""

    def __init__(self, kinds, seed, presence, policy="eager"):
        self.rng = random.Random(seed)
        self.clock = drive.Clock()
        self.names = NAMES[:len(kinds)]
        self.members = [
            drive.Ours(n, self.rng, self.clock, policy) if k == "O"
            else drive.Proto(n, self.rng, self.clock)
            for k, n in zip(kinds, self.names)]
        for i, m in enumerate(self.members):
            if not m.ours:
                for n in self.names[:i]:
                    m.m.text_frame(drive.mles_wire.quote(n))
        self.presence = presence
        self.frames = self.lost = self.turn = self.texts = 0
        self.spoke = set()

    def close(self):
        for m in self.members:
            m.close()

    def speakers(self, schedule):
        n = len(self.members)
        self.turn += 1
        if schedule == "turn":
            return [(self.turn - 1) % n]
        if schedule == "all":
            return list(range(n))
        if schedule == "one":
            return [0]
        if schedule == "cross" and self.rng.random() < 0.3:
            return self.rng.sample(range(n), 2)
        return [self.rng.randrange(n)]

    def deliver(self, i, line, text):
        self.frames += 1
        for j, m in enumerate(self.members):
            if j == i:
                continue
            got = m.receive(line)
            if text and j in self.spoke:
                self.texts += 1
                if got != text:
                    self.lost += 1
        self.spoke.add(i)

    def say(self, speakers):
        lines = []
        for i in speakers:
            text = "hello%d" % self.frames
            lines.append((i, self.members[i].send(text), text))
        self.rng.shuffle(lines)
        for i, line, text in lines:
            self.deliver(i, line, text)

    def quiet(self):
        """Time passes; who has presence to send sends it."""
        for _ in range(8):
            self.clock.step(250)
            for i, m in enumerate(self.members):
                line = m.presence() if m.ours else None
                if line:
                    self.deliver(i, line, "")

    def converged(self):
        return (len({m.secret() for m in self.members}) == 1 and
                all(m.begun() if m.ours and not self.presence else m.fs()
                    for m in self.members))

    def run(self, schedule, limit):
        typed = 0
        while typed < limit and not self.converged():
            who = self.speakers(schedule)
            typed += len(who)
            self.say(who)
            self.clock.step(1000)
            if self.presence:
                self.quiet()
        return self.converged()

    def after(self):
        """Two rounds more: does everybody read everybody?"""
        lost = self.lost
        for _ in range(2):
            for i in range(len(self.members)):
                self.say([i])
                self.clock.step(1000)
                if self.presence:
                    self.quiet()
        return self.lost == lost and self.converged()


def trials(kinds, schedule, presence, count, policy="eager"):
    good = kept = lost = texts = 0
    frames = []
    for seed in range(SEED, SEED + count):
        t = Trial(kinds, seed, presence, policy)
        if t.run(schedule, 40 * len(kinds)):
            good += 1
            frames.append(t.frames)
            kept += t.after()
        lost += t.lost
        texts += t.texts
        t.close()
    frames.sort()
    return good, kept, lost, texts, frames


class Tap:
    n = failed = 0

    @classmethod
    def ok(cls, good, name):
        cls.n += 1
        cls.failed += not good
        print("%sok %d - %s" % ("" if good else "not ", cls.n, name),
              flush=True)


def figures(kinds, schedule, presence, got, count):
    good, kept, lost, texts, frames = got
    print("# %s %s%s: converged %d/%d, readable after %d, frames %s, "
          "lost %d/%d" % (
              kinds, schedule, " with presence" if presence else "",
              good, count, kept,
              "%d/%d/%d" % (frames[0], frames[len(frames) // 2], frames[-1])
              if frames else "-", lost, texts), flush=True)


def check(kinds, schedule, presence):
    # In turn there is no chance in it, but for scalars.
    count = min(TRIALS, 2) if schedule == "turn" else TRIALS
    got = trials(kinds, schedule, presence, count)
    figures(kinds, schedule, presence, got, count)
    good, kept, lost, _, _ = got
    name = "%s, %s%s: " % (kinds, schedule, ", presence" if presence else "")
    Tap.ok(good == count and kept == count,
           name + "all reach forward secrecy and read one another")
    if schedule == "turn":
        Tap.ok(lost == 0, name + "nothing is lost")


def main():
    # The model itself does what the prototype was seen to do.
    for n, frames in ((2, 11), (3, 16), (4, 21), (5, 26)):
        got = trials("P" * n, "turn", False, 1)
        Tap.ok(got[4] == [frames] and got[2] == 0,
               "the model needs %d frames in turn with %d" % (frames, n))
    for kinds in ("OP", "PO", "OO", "OPP", "PPO", "OOP", "OOO", "OPPP",
                  "OOPP", "OPPPP", "OOOOO"):
        for presence in (False, True):
            for schedule in SCHEDULES:
                if schedule == "all" and len(kinds) > 3 and not presence:
                    continue  # see below
                check(kinds, schedule, presence)
    # One member types, the others only listen: presence does the rest.
    check("PO", "one", True)
    check("OO", "one", True)
    check("OOO", "one", True)
    check("POO", "one", True)
    print("1..%d" % Tap.n)
    return 1 if Tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
