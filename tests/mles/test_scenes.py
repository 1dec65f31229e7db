#!/usr/bin/python3 -B
"""What happens to a MlesTalk conversation: members that leave, come back or
fall silent, notes from outside, and what a hostile relay or member sends."""
import sys

import drive
from mles_proto import BDACK, BDONE, FULL, ZERO, Frame
from test_schedules import Tap, Trial

EVENTS = ["fs", "joined", "gone", "restart", "relabelled", "replay", "stale",
          "impostor", "point", "crowd", "forged", "left"]


def settled(kinds, seed=1, policy="eager"):
    """A group of these members with forward secrecy."""
    t = Trial(kinds, seed, True, policy)
    good = t.run("turn", 40 * len(kinds))
    if good:
        good = t.after()
    if not good:
        print("Bail out! no forward secrecy to begin with")
        sys.exit(1)
    for m in t.members:
        m.reports = []
    return t


def told(m, event):
    """Was this reported since the last question, and of whom?"""
    names = [r.partition(" ")[2] for r in m.reports
             if int(r.split(" ")[0]) == EVENTS.index(event)]
    m.reports = []
    return names


def again(t, limit=60):
    """In turn until all have forward secrecy again."""
    return t.run("turn", limit) and t.after()


def relay(t, i, line):
    """Something that only member i gets."""
    return t.members[i].receive(line)


def comings_and_goings():
    t = settled("PO")
    t.members[0].m.reconnect(keep=False)
    for x in ("prev", "secret"):
        setattr(t.members[0].m, x, None)
    Tap.ok(again(t), "a prototype that lost its keys gets into a "
           "conversation again")
    t.close()

    t = settled("POP")
    t.members[2].m.reconnect(keep=False)
    t.members[2].m.prev = None
    Tap.ok(again(t), "also one of three")
    t.close()

    t = settled("OP")
    t.members.append(drive.Proto("carol", t.rng, t.clock))
    t.names.append("carol")
    Tap.ok(again(t), "a newcomer is taken in")
    t.close()

    # F1: one note, then silence, blocks prototypes among themselves.
    t = Trial("POP", 1, True)
    for i in (2, 0, 1, 0, 1):
        t.say([i])
        t.quiet()
    silent = t.members.pop()
    for _ in range(12):
        for i in (0, 1):
            t.say([i])
            t.clock.step(1000)
            t.quiet()
    Tap.ok(not t.converged(), "a member that fell silent is waited for")
    t.members[1].reports = []
    for _ in range(40):
        t.clock.step(8000)
        t.say([0])
        t.quiet()
        if t.converged():
            break
    Tap.ok(t.converged() and t.after(), "but not for ever")
    Tap.ok(told(t.members[1], "gone") == [drive.mles_wire.quote(
        silent.name)], "and who is not waited for is told")
    t.close()

    # F5: a leaver goes unnoticed; then one of the others comes back.
    t = settled("POP")
    t.members.pop()
    t.members[0].m.reconnect(keep=False)
    t.members[0].m.prev = None
    for _ in range(60):
        t.clock.step(8000)
        t.say([0])
        t.quiet()
        if t.converged():
            break
    Tap.ok(t.converged() and t.after(),
           "after a leaver and a return the rest converse again")
    t.close()

    # One of ours that leaves says so, and is not waited for.
    for kinds in ("OPO", "OOO", "PPOO"):
        t = settled(kinds)
        word, line = t.members[-1].command("bye")
        t.deliver(len(kinds) - 1, line.split(" ")[1], "")
        gone = t.members.pop()
        heard = [told(m, "left") for m in t.members if m.ours]
        Tap.ok(heard == [[drive.mles_wire.quote(gone.name)]] * len(heard),
               kinds + ": a farewell is heard")
        Tap.ok(not any(m.fs() for m in t.members if m.ours),
               kinds + ": what is said next is no more for the one that left")
        t.quiet()
        Tap.ok(again(t), kinds + ": and the others converse without it")
        t.close()
    t = settled("OPP")
    word, line = t.members[0].command("bye")
    t.deliver(0, line.split(" ")[1], "")
    t.members.pop(0)
    t.names.pop(0)
    Tap.ok(all(m.fs() for m in t.members) and t.after(),
           "prototypes go on after the farewell of the only one of ours")
    t.close()

    # Ours are quick to begin anew: who reads on a phone is not left out.
    t = settled("OPOO", policy="careful")
    word, line = t.members[3].command("bye")
    t.deliver(3, line.split(" ")[1], "")
    t.members.pop()
    for _ in range(4):
        t.quiet()
    before = t.lost
    t.say([0])
    t.say([2])
    Tap.ok(t.lost == before and [t.members[i].state_fs for i in (0, 2)] ==
           [1, 1], "a member that only reads misses nothing")
    for _ in range(30):
        t.clock.step(8000)
        t.say([0])
        t.quiet()
    Tap.ok(told(t.members[2], "gone") == ["9"] and
           t.members[0].fs() and t.members[2].fs(),
           "but is not waited for for ever, which is told")
    t.close()

    t = settled("OO")
    Tap.ok(t.members[0].due == -1 and t.members[1].due == -1,
           "who is in a conversation sends no presence")
    t.close()

    t = Trial("OO", 3, True)
    t.members[0].command("hello")
    for _ in range(3):
        t.quiet()
    Tap.ok(t.converged(), "two of ours converse though nobody types")
    Tap.ok(t.frames <= 14, "with %d frames of presence" % t.frames)
    t.close()

    t = Trial("OP", 3, True)
    t.members[0].command("hello")
    for _ in range(30):
        t.quiet()
    Tap.ok(t.frames == 1, "to a silent channel presence goes out once")
    t.close()


def notes_from_outside():
    for kinds in ("OP", "OO", "POP"):
        t = settled(kinds)
        f = Frame("cron", b"\xff" * 8, FULL, b"", b"df", None, t.clock.date())
        line = drive.CHANNEL.line(f)
        Tap.ok(all(m.receive(line) == "df" for m in t.members),
               kinds + ": everybody reads a note from outside")
        t.quiet()
        Tap.ok(again(t), kinds + ": and the conversation comes back")
        t.close()


def relays():
    t = settled("OP")
    o = t.members[0]
    line = o.send("mine")
    t.deliver(0, line, "mine")
    word, rest = o.command("recv " + line)
    Tap.ok(word == "got" and "own=1 again=1" in rest and
           told(o, "replay") == ["alice"] and o.fs(),
           "our own frame reflected is told and changes nothing")
    line = t.members[1].send("theirs")
    o.receive(line)
    word, rest = o.command("recv " + line)
    Tap.ok("again=1" in rest and told(o, "replay") == ["9"] and o.fs(),
           "and so is a frame replayed")
    parts = line.split(".")
    parts[2] = drive.mles_wire.b64u(drive.CHANNEL.box("Uid", "carol"))
    word, rest = o.command("recv " + ".".join(parts))
    Tap.ok("again=2 relabelled=1" in rest and
           told(o, "relabelled") == ["carol"] and o.fs(),
           "a frame under a second name is told to be relabelled")
    fresh = t.members[1].send("swapped").split(".")
    fresh[2] = parts[2]
    word, rest = o.command("recv " + ".".join(fresh))
    Tap.ok("relabelled=1" in rest and o.fs(),
           "also if the first name never came, by the share in it")
    fresh[2] = drive.mles_wire.b64u(drive.CHANNEL.box("Uid", "alice"))
    word, rest = o.command("recv " + ".".join(fresh))
    Tap.ok(o.fs(), "a frame of another under our name changes nothing")
    f = Frame("alice", o_sid(t), FULL, b"", b"me", None, t.clock.date())
    o.reports = []
    o.receive(drive.CHANNEL.line(f))
    Tap.ok(told(o, "impostor") == [""] and o.fs(),
           "who else speaks under our name is told of")
    f = Frame("9", o_sid(t), FULL, b"", b"old", None, 1780000000000)
    o.receive(drive.CHANNEL.line(f))
    Tap.ok(told(o, "stale") == ["9"] and o.fs(),
           "an old note of a member is told and does not end a conversation")
    fresh[2] = drive.mles_wire.b64u(b"x" * 40)
    word, rest = o.command("recv " + ".".join(fresh))
    Tap.ok(word == "refused" and o.fs(), "a garbage name is refused")
    t.close()


def o_sid(t):
    return next(m.m.sid for m in t.members if not m.ours)


def mixes(what):
    t = Trial("OO", 5, True)
    y = (7).to_bytes(32, "little")
    mul, sub = drive.GROUP.mul, drive.GROUP.sub
    secrets = set()
    for _ in range(8):
        shares = {}
        for i in (0, 1):
            line = t.members[i].send("x")
            t.members[1 - i].receive(line)
            f = drive.CHANNEL.open(line, [None])
            if f is not None:
                shares[f.uid] = f.keys[:32]
                sid = f.sid
        if len(shares) == 2:
            z = mul(y, drive.GROUP.generator(
                drive.CHANNEL.password[1], sid))
            x = {"right": mul(y, sub(shares["9"], shares["alice"])),
                 "wrong": z, "neutral": ZERO}[what]
        line = drive.CHANNEL.line(Frame(
            "mallory", sid, FULL | BDACK, z + x, b"hi", None,
            t.clock.date()))
        for m in t.members:
            m.receive(line)
            secrets.add(m.secret())
        t.clock.step(1000)
    made = secrets != {None}
    Tap.ok(made == (what == "right"), "a third member's mix that is %s %s" % (
        what, "makes a secret" if what == "right" else "makes none"))
    t.close()


def insiders():
    """Who has the password, and sends what no honest member does."""
    for what, z in (("neutral", ZERO), ("undecodable", b"\xff" * 32),
                    ("odd", b"\x01" + bytes(31))):
        t = Trial("O", 1, True)
        o = t.members[0]
        o.receive(drive.CHANNEL.line(
            Frame("mallory", bytes(8), FULL, b"", b"hi", None,
                  t.clock.date())))
        for _ in range(6):
            o.send("x")
            o.receive(drive.CHANNEL.line(
                Frame("mallory", bytes(8), FULL | BDONE, z, b"hi", None,
                      t.clock.date())))
            t.clock.step(1000)
        Tap.ok(o.state_fs == 0 and o.secret() is None,
               "a share that is %s makes no secret" % what)
        Tap.ok("mallory" in told(o, "point"), "and is told, saying whose")
        t.close()

    # A third member whose mix is what it must be, or is not.
    for what in ("right", "neutral", "wrong"):
        mixes(what)

    # Nobody can grow our tables without end.
    t = settled("OP")
    o = t.members[0]
    for i in range(80):
        o.receive(drive.CHANNEL.line(Frame(
            "m%d" % i, o_sid(t), FULL, b"", b"hi", None, t.clock.date())))
    Tap.ok(len(told(o, "crowd")) > 0, "too many members are told of")
    t.close()


def bodies():
    t = settled("OP")
    o = t.members[0]
    word, rest = o.command("send eager 8000 " + "x" * 70000)
    Tap.ok(word == "refused" and rest == "too long" and o.fs(),
           "a body of 70,000 bytes is refused, the conversation stays")
    word, rest = o.command("send eager 8000 " + "x" * 65517)
    got = t.members[1].receive(rest.split(" ")[1])
    Tap.ok(got == "x" * 65517, "one of 65,517 bytes arrives")
    t.close()


def times():
    t = settled("OP")
    o = t.members[0]
    secrets = [None, o.secret()]
    dates = [drive.CHANNEL.open(o.send(x), secrets).date
             for x in ("same", "same", "same", "other")]
    Tap.ok(len(set(dates[:3])) == 3 and dates == sorted(dates),
           "equal texts in one second get times of their own, in order")
    Tap.ok(dates[3] - t.clock.date() <= 2000, "not far ahead of the clock")
    # A member whose clock was set back is heard again after a while.
    for i in range(12):
        o.receive(drive.CHANNEL.line(Frame(
            "9", o_sid(t), FULL, b"", b"back", None, 1780000000000 + i)))
    Tap.ok(len(told(o, "stale")) == 8 and not o.fs(),
           "a clock that was set back is believed in the end")
    t.close()


def careful():
    t = settled("POP", policy="careful")
    Tap.ok(t.lost == 0, "with care nothing is lost on the way, 3 in turn")
    line = t.members[1].send("text")
    Tap.ok(drive.CHANNEL.open(line, [None]) is None,
           "and then texts are sealed with the conversation's key")
    t.close()
    lost = 0
    for seed in range(1, 9):
        t = Trial("OPP", seed, True, "careful")
        t.run("cross", 120)
        lost += ours_lost(t)
        t.close()
    Tap.ok(lost == 0, "with care no text of ours is lost when frames cross")


def ours_lost(t):
    """Texts of ours that a prototype could not read, in one round."""
    lost = 0
    for i, m in enumerate(t.members):
        if m.ours:
            line = m.send("now")
            lost += sum(q.receive(line) != "now"
                        for j, q in enumerate(t.members) if j != i)
    return lost


def main():
    comings_and_goings()
    notes_from_outside()
    relays()
    insiders()
    bodies()
    times()
    careful()
    print("1..%d" % Tap.n)
    return 1 if Tap.failed else 0


if __name__ == "__main__":
    sys.exit(main())
