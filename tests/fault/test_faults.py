#!/usr/bin/python3
"""Every call that can fail fails once: memory, files, descriptors.

For each scene of common.py and each call that it makes (fault.c counts
them): the tool ends with a documented status and says why, leaves no half
file behind and loses nothing (TAP).  STEP=1 lets every call fail, more only
every so many.  An argument: only scenes with this in their name.
"""

import mmap
import os
import struct
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from common import (FAULT, SCENES, STEP, Broken, Folders, leftovers, must,
                    report, snapshot, tool)

# Runs of one scene and way to fail, without STEP.
MOST = 3

WAYS = (("a call fails", "FAULT_AT"),
        ("from a call on nothing reaches the disk", "FAULT_FROM"),
        ("a call is interrupted or does little", "FAULT_SHORT"))


class Page:
    """What fault.c counts and says."""

    def __init__(self, path):
        self.path = path
        with open(path, "wb") as f:
            f.write(bytes(4096))

    def read(self):
        with open(self.path, "rb") as f:
            data = f.read(128)
        return struct.unpack("Q", data[:8])[0], \
            data[64:].split(b"\0")[0].decode()


def run(scene, d, env):
    page = Page(d + "/../page")
    got = tool(scene.command[0], *scene.command[1:], cwd=d,
               stdin=scene.stdin, binary=FAULT,
               env=dict(env, FAULT_PAGE=page.path))
    return got, *page.read()


def check_said(scene, got):
    """A failure is one clear line, perhaps with a hint."""
    lines = got.stderr.decode(errors="replace").splitlines()
    must(lines, "failed without a word")
    must(lines[0].startswith(scene.command[0] + ": "),
         f"first line: {lines[0]}")
    must(len(lines) <= 3, f"too many lines: {lines}")
    must("Success" not in got.stderr.decode(errors="replace"),
         f"an error without errno: {lines}")


def one(scene, folders, way, n):
    d = folders.fresh()
    before = snapshot(d)
    env = {way: str(n)} if way != "FAULT_SHORT" else {
        "FAULT_AT": str(n), "FAULT_SHORT": "1"}
    got, _, failed = run(scene, d, env)
    left = leftovers(d, before)
    try:
        must(got.returncode in scene.status,
             f"status {got.returncode}: {got.stderr.decode()[-3000:]}")
        if way == "FAULT_SHORT":
            must(got.returncode == 0, "gave up: " + got.stderr.decode())
        if got.returncode != 0:
            check_said(scene, got)
            scene.failed(d, before, got)
            # Where a temporary file cannot be removed it stays.
            must(failed == "unlink" or not [
                f for f in left if f.split("/")[-1].startswith(".")],
                f"left behind: {left}")
        else:
            scene.done(d, before, got)
        return None
    except Broken as e:
        return f"{way}={n} ({failed}): {e}"
    finally:
        folders.drop(d)


def whole(scene, folders):
    """Without a fault; how many calls it makes."""
    d = folders.fresh()
    got, calls, _ = run(scene, d, {})
    must(got.returncode == 0, got.stderr.decode())
    scene.done(d, {}, got)
    folders.drop(d)
    return calls


def main():
    number = 0
    only = sys.argv[1] if sys.argv[1:] else ""
    for make in SCENES:
        scene = make()
        if only not in scene.name:
            continue
        if not os.path.exists(os.path.join(FAULT, "zpinc-key")):
            continue
        folders = Folders(scene)
        try:
            calls = whole(scene, folders)
            for text, way in WAYS:
                step = STEP or max(1, -(-calls // MOST))
                tried = range(1 + calls % step, calls + 1, step)
                bad = [b for b in (one(scene, folders, way, n)
                                   for n in tried) if b]
                number += 1
                report(number, not bad, f"{scene.name}: {text} "
                       f"({len(tried)} of {calls} calls)", bad[:20])
        except Broken as e:
            number += 1
            report(number, False, scene.name, [str(e)])
        finally:
            folders.close()
    print(f"1..{number}")


main()
