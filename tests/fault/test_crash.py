#!/usr/bin/python3
"""kill -9 at every system call, and what is found afterwards (TAP).

For each scene of common.py that writes: the tool is killed as it is about to
make its first, second, ... system call (crash.c); then files are whole, the
state goes on, nothing is lost and no number used twice.  Without STEP a few
of the calls, with STEP=1 all of them.  An argument: only scenes with this in
their name.
"""

import os
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from common import (BUILD, FAULT, STEP, Broken, Forget, Folders, Identity,
                    KeyNew, KeyPassphrase, Open, OpenSigned, Pin, Publish,
                    Seal, SealFirst, SealLong, must, report, snapshot, tool)

MOST = 6
CRASH = os.path.join(FAULT, "crash")
SCENES = (KeyNew, KeyPassphrase, Identity, Pin, Forget, Seal, SealFirst,
          SealLong, Open, OpenSigned, Publish)
# What is the same in every program and long past: the loader's calls.
SKIPPED = 20
# Leaks cannot be looked for in a program that is traced.
TRACED = {"ASAN_OPTIONS": "exitcode=99:detect_leaks=0"}


def run(scene, d, n):
    return tool(scene.command[0], *scene.command[1:], cwd=d,
                stdin=scene.stdin, wrap=(CRASH, str(n)), env=TRACED)


def count(scene, folders):
    """How many system calls it makes."""
    d = folders.fresh()
    path = folders.top + "/count"
    with open(path, "wb") as f:
        command = [CRASH, "0", os.path.join(BUILD, scene.command[0]),
                   *scene.command[1:]]
        code = "import os, sys; os.dup2(int(sys.argv[1]), 9); " \
               "os.execv(sys.argv[2], sys.argv[2:])"
        env = dict(os.environ, HOME=d, XDG_STATE_HOME=d + "/state",
                   XDG_CONFIG_HOME=d + "/config", **TRACED)
        done = subprocess.run(
            [sys.executable, "-c", code, str(f.fileno()), *command],
            input=scene.stdin, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, cwd=d, pass_fds=(f.fileno(),),
            env=env, timeout=120, check=False)
    folders.drop(d)
    if done.returncode == 77:
        return None
    must(done.returncode == 0, done.stderr.decode())
    with open(path, encoding="ascii") as f:
        return int(f.read())


def one(scene, folders, n):
    d = folders.fresh()
    before = snapshot(d)
    got = run(scene, d, n)
    try:
        if got.returncode == 0:  # fewer calls this time
            scene.done(d, before, got)
        else:
            must(got.returncode == 137, f"status {got.returncode}")
            scene.failed(d, before, got)
        return None
    except Broken as e:
        return f"killed at call {n}: {e}"
    finally:
        folders.drop(d)


def main():
    number = 0
    only = sys.argv[1] if sys.argv[1:] else ""
    for make in SCENES:
        scene = make()
        if only not in scene.name:
            continue
        folders = Folders(scene)
        number += 1
        try:
            calls = count(scene, folders)
            if calls is None:
                report(number, True, f"{scene.name} # SKIP nothing may be "
                       "traced here")
                continue
            step = STEP or max(1, (calls - SKIPPED) // MOST)
            tried = range(SKIPPED, calls + 1, step)
            bad = [b for b in (one(scene, folders, n) for n in tried) if b]
            report(number, not bad, f"{scene.name}: killed at {len(tried)} "
                   f"of {calls} system calls", bad[:20])
        except Broken as e:
            report(number, False, scene.name, [str(e)])
        finally:
            folders.close()
    print(f"1..{number}")


main()
