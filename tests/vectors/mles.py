#!/usr/bin/python3 -B
"""Writes mles.txt, which the C tests read, from mles.json.

A case is a line `= KIND NAME`, lines `FIELD VALUE`, and an empty line.
The JSON keeps frames as the wire has them; the keyed half of the suite has
no CBOR reader, so frames are taken apart here: p, rp and message, raw.
"""
import base64
import json
import os
import sys


def cbor_map(b):
    """The text and byte string fields of a map, definite lengths only."""
    def item(o):
        n, o = b[o] & 31, o + 1
        if n > 23:
            size = 1 << (n - 24)
            n, o = int.from_bytes(b[o:o + size], "big"), o + size
        return b[o:o + n], o + n

    fields, o = {}, 1
    for _ in range(b[0] & 31):
        key, o = item(o)
        fields[key.decode()], o = item(o)
    assert o == len(b)
    return fields


def wire(cbor):
    f = cbor_map(bytes.fromhex(cbor))
    return {"p": base64.b64decode(f["uid"]).hex(),
            "rp": base64.b64decode(f["channel"]).hex(),
            "message": f["message"].hex()}


def case(out, kind, name, fields):
    out.append("= %s %s" % (kind, name))
    out += ["%s %s" % (k, v) for k, v in fields.items()]
    out.append("")


def main(here):
    with open(os.path.join(here, "mles.json"), encoding="utf-8") as f:
        data = json.load(f)
    out = ["# Written by mles.py from mles.json."]
    out += ["# " + line for line in data["about"]] + [""]
    for kind in ("kdf", "frame"):
        for c in data[kind]:
            fields = {k: v for k, v in c.items() if not k.endswith("_b64")}
            name = fields.pop("name")
            if kind == "frame":
                fields.update(wire(fields["cbor"]))
            case(out, kind, name, fields)
    for g in data["group"]:
        members, steps = g.pop("members"), g.pop("transcript")
        name = g.pop("name")
        joined = [s["from"] for s in steps if s["kind"] == "join"]
        g["n"] = len(members)
        case(out, "group", name, g)
        for m in members:
            case(out, "member", m["uid"], dict(
                m, joined=joined.index(m["uid"])))
        for s in steps:
            if s["kind"] == "join":
                continue
            fields = {"layer": s["layer"], "date_ms": s["date_ms"],
                      "fs": "".join("01"[x] for x in s["fs_after"])}
            fields.update(wire(s["cbor"]))
            case(out, "step", s["from"], fields)
    sys.stdout.write("\n".join(out))


main(os.path.dirname(os.path.abspath(sys.argv[0])))
