#!/usr/bin/python3
"""Frames of MlesTalk by the second implementation, as record lines.

frames.py KEYFILE seal UID < TEXTS > RECORDS	a line, a frame
frames.py KEYFILE open < RECORDS		"UID FLAGS BODY", a line each
"""
import base64
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                "..", "oracle"))

from mles_proto import Frame
from mles_wire import Channel

FULL = 0x8000
ALONE = b"\xff" * 8  # the sid of who takes no part in handshakes


def channel(path):
    with open(path, encoding="utf-8") as file:
        words = dict(line.split(None, 1) for line in file
                     if not line.startswith("#") and " " in line)
    raw = words["key"].strip()
    return Channel(base64.urlsafe_b64decode(raw + "=" * (-len(raw) % 4)),
                   words["channel"].strip())


def main():
    ours = channel(sys.argv[1])
    for line in sys.stdin:
        line = line.rstrip("\n")
        if sys.argv[2] == "seal":
            print(ours.line(Frame(sys.argv[3], ALONE, FULL, b"",
                                  line.encode(), None, 1767225600000)))
            continue
        frame = ours.open(line, [None])
        if frame is None:
            sys.exit("frames.py: no frame: " + line)
        print(frame.uid, "%04x" % frame.flags, frame.body.decode())


main()
