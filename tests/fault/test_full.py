#!/usr/bin/python3
"""A disk that is really full: a tiny tmpfs in a mount namespace (TAP).

Each scene of common.py runs with 0, 1, 2, ... free pages; it succeeds or says
why not, and when there is room again nothing is lost.  Where nobody may
mount anything all of it is skipped.
"""

import os
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from common import (SCENES, Broken, Follow, Folders, Show, must, report,
                    snapshot, tool)

PAGE = os.sysconf("SC_PAGESIZE")
SIZE = 64 * PAGE


def enter():
    """In a namespace of our own, where we may mount; else never returns."""
    if os.environ.get("ZP_FULL") == "inside":
        return
    here = [sys.executable, os.path.abspath(__file__), *sys.argv[1:]]
    env = dict(os.environ, ZP_FULL="inside")
    for how in (["unshare", "-m"], ["unshare", "-rm"]):
        probe = "d=$(mktemp -d) && mount -t tmpfs none $d && umount $d; " \
            "r=$?; rmdir $d; exit $r"
        if shutil.which("unshare") and subprocess.run(
                [*how, "sh", "-c", probe], capture_output=True,
                check=False).returncode == 0:
            os.execvpe(how[0], [*how, *here], env)
    print("1..0 # SKIP nobody may mount a tmpfs here")
    sys.exit(0)


def fill(d, pages):
    """Takes all space but so many pages."""
    path = d + "/filler"
    with open(path, "wb", buffering=0) as f:
        try:
            while True:
                f.write(bytes(PAGE))
        except OSError:
            pass
        f.truncate(max(0, f.tell() - pages * PAGE))
    return path


def one(scene, folders, top, pages):
    d = top + "/disk"
    os.mkdir(d)
    must(subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}",
                         "none", d], check=False).returncode == 0, "mount")
    try:
        shutil.copytree(folders.model, d + "/home")
        before = snapshot(d + "/home")
        filler = fill(d, pages)
        got = tool(scene.command[0], *scene.command[1:], cwd=d + "/home",
                   stdin=scene.stdin)
        os.remove(filler)
        must(got.returncode in (0, 5), f"status {got.returncode}: "
             f"{got.stderr.decode()}")
        if got.returncode == 0:
            scene.done(d + "/home", before, got)
        else:
            must(b"space" in got.stderr, got.stderr.decode())
            scene.failed(d + "/home", before, got)
        return got.returncode, None
    except Broken as e:
        return 5, f"{pages} pages free: {e}"
    finally:
        subprocess.run(["umount", d], check=False)
        os.rmdir(d)


def main():
    enter()
    number = 0
    for make in SCENES:
        if make in (Show, Follow):
            continue # they write nothing
        scene = make()
        number += 1
        folders = Folders(scene)
        try:
            bad, failed = [], 0
            for pages in range(6):
                status, why = one(scene, folders, folders.top, pages)
                failed += status != 0
                if why:
                    bad.append(why)
            if not failed:
                bad.append("it never failed")
            report(number, not bad, f"{scene.name}: on a full disk "
                   f"({failed} of 6 failed)", bad)
        except Broken as e:
            report(number, False, scene.name, [str(e)])
        finally:
            folders.close()
    print(f"1..{number}")


main()
