#!/usr/bin/python3
"""Writes inputs for the fuzz targets, made of the vectors and by the oracle.

seeds.py DIR [TARGET...]    DIR/TARGET/NAME; one function here per target
"""

import hashlib
import os
import random
import struct
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "oracle"))

import zpinc
from zpinc import HELLO, LAST, MESSAGE, NOTE, SIGNED, Channel, Maker

# The channel of fuzz_world() in world.c.
SEED = bytes(range(32))
CHANNEL = Channel(SEED, "ops")
KEYID, RECORD_KEY = b"\x09" * 16, b"\x07" * 32
SID = bytes(range(16))


def vectors(name):
    """The cases of a file: dicts of text."""
    case = {}
    path = os.path.join(HERE, "..", "vectors", name + ".txt")
    with open(path, encoding="utf-8") as f:
        for line in f:
            if not line.strip():
                if case:
                    yield case
                case = {}
            elif not line.startswith("#"):
                k, _, v = line.rstrip("\n").partition(" =")
                case[k.strip()] = v.strip()
    if case:
        yield case


def values(name, field):
    for case in vectors(name):
        if field in case:
            yield bytes.fromhex(case[field])


def draws(seed):
    return random.Random(seed).randbytes


def some(items, most):
    """An even choice."""
    items = list(items)
    step = max(1, len(items) // most)
    return items[::step][:most]


def record(kind=NOTE, body=b"hello", mutate="none", uid="alice", seed=None,
           flags=LAST, seq=5, part=0, ms=1767225600000):
    conv = kind == MESSAGE
    maker = Maker(CHANNEL, RECORD_KEY if conv else None,
                  KEYID if conv else bytes(16), uid, seed,
                  draws(f"{mutate}{seq}{part}"), live=kind == HELLO)
    if conv:
        body = bytes(8) + body
    return maker.make(mutate, kind, flags, part, SID, seq, ms, body)


def payload(kind=NOTE, body=b"hello", flags=LAST, seq=5, part=0, more=b""):
    head = zpinc.header(kind, flags, part, SID, seq, 1767225600000)
    return zpinc.pad(head + body + more)


def f_record():
    for mode in (0, 1, 40):
        yield bytes([mode]) + record().encode() + b"\n"
        yield bytes([mode]) + record(MESSAGE).encode()
        yield bytes([mode]) + record(seed=SEED).encode() + b" " + \
            record(HELLO, zpinc.make_hello(dict(
                flags=0, gen=1, notes=0, messages=0, entries=[]))).encode()
    for line in some(values("lines", "line"), 25):
        yield b"\0" + line
    for how in some(zpinc.MUTATIONS, 20):
        try:
            yield b"\0" + record(mutate=how, body=b"some body").encode()
        except zpinc.Refused:
            pass


def f_payload():
    yield payload()
    yield payload(body=b"")
    yield payload(MESSAGE, bytes(8) + b"x", flags=0, part=3)
    yield payload(flags=LAST | SIGNED, more=bytes(96))


def f_open():
    for kind, message, live in ((NOTE, 0, 0), (MESSAGE, 1, 0), (HELLO, 0, 2),
                                (NOTE, 1, 0), (9, 0, 0)):
        for signed in (0, 1):
            body = bytes(8) + b"hello"
            if kind == HELLO:
                body = zpinc.make_hello(dict(flags=0, gen=1, notes=0,
                                             messages=0, entries=[]))
            data = payload(kind, body, LAST | (SIGNED if signed else 0),
                           more=bytes(96 if signed else 0))
            for who in (0, 4, 8, 16):
                yield bytes([message | live | who, signed]) + data


def f_hello():
    return values("hellos", "body")


def key_text(name):
    """The examples of zpinc-key(5)."""
    return {
        "key": "zpinc-key 1\nsuite zp1\nchannel ops\nwork 15\n"
               "key 9c-ZOVrfeNkeBsHVUhB4-AQ1w5PHAQo-PtUwOhPw3M8\n",
        "random": "# mine\nzpinc-key 1\r\nsuite zp1\r\nchannel Zo\\xc3\\xab"
                  "\nwork random\n"
                  "key 9c-ZOVrfeNkeBsHVUhB4-AQ1w5PHAQo-PtUwOhPw3M8",
        "mles": "zpinc-key 1\nsuite mles\nchannel ops\nwork 15\n"
                "key 9c-ZOVrfeNkeBsHVUhB4-AQ1w5PHAQo-PtUwOhPw3M8\n",
        "id": "zpinc-identity 1\n"
              "seed AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n",
    }[name].encode()


def conversation():
    sids = ["AAAAAAAAAAAAAAAAAAAAAA", "AQAAAAAAAAAAAAAAAAAAAA"]
    return "\n".join([
        "zpinc-conversation 1", "suite zp1", "channel ops",
        "amac " + zpinc.b64(CHANNEL.amac), "aenc " + zpinc.b64(CHANNEL.aenc),
        "id " + zpinc.b64(KEYID), "key " + zpinc.b64(RECORD_KEY),
        "time 1700000000000", "me 1", "members 2",
        f"member =a {sids[0]} - alice",
        f"member =b {sids[1]} {zpinc.b64(SEED)} bob", ""]).encode()


def f_keyfile():
    for name in ("key", "random", "mles", "id"):
        yield key_text(name)
    yield conversation().replace(b"=a", zpinc.topic(
        CHANNEL.user("alice")).encode()).replace(b"=b", zpinc.topic(
            CHANNEL.user("bob")).encode())


def f_convfile():
    yield conversation()
    yield conversation().replace(b"me 1", b"me 2").replace(b"zp1", b"mles")


def f_idfile():
    yield key_text("id")
    yield key_text("key")
    yield b"zpid1.A6EHv_POEL4dcN0Y50vAmWfk1jCbpQ1fHdyGZBJVMbg"


def f_import():
    yield b"zpkey1.AQ_1z5k5Wt942R4GwdVSEHj4BDXDk8cBCj4-1TA6E_Dcz29wc-a64Ns"
    yield b"\x01\x00" + SEED + b"ops"
    yield b"\x01\x0f" + SEED + "Zoë".encode()
    yield b"\x02\x0f" + SEED + b"a" * 31


def checked(text):
    data = text.encode()
    check = hashlib.blake2b(data, digest_size=16).digest()
    return data + b"check " + zpinc.b64(check).encode() + b"\n"


def send_state():
    return ("zpinc-send 1\ntopic %s\nsender %s\nconversation %s\nsid %s\n"
            "next 41\n" % (zpinc.topic(CHANNEL.rp), zpinc.topic(
                CHANNEL.user("alice")), zpinc.b64(bytes(16)), zpinc.b64(SID)))


def f_sendstate():
    yield send_state().encode()
    yield checked(send_state())
    yield send_state().replace("41", str(2**64 - 3)).encode()


def f_readstate():
    head = f"zpinc-read 1\nchannel {zpinc.topic(CHANNEL.rp)} 0\n"
    session = (f"session {zpinc.topic(CHANNEL.user('alice'))} "
               f"{zpinc.b64(SID)} 1 0 7 127 0 0 0 0 1700000000000 0\n")
    yield head.encode()
    yield checked(head + session)
    yield (head + session).encode()
    yield (head + session.replace(" 127 ", " 85 ")).encode()
    yield (head + session + head.replace("zpinc-read 1\n", "").replace(
        zpinc.topic(CHANNEL.rp), zpinc.topic(CHANNEL.live)) +
           session).encode()


def f_known():
    pin = "pin %s %s 1700000000000 %s\n"
    rp, key = zpinc.topic(CHANNEL.rp), zpinc.b64(SEED)
    yield b"zpinc-known 1\nend\n"
    yield ("zpinc-known 1\n" + pin % (rp, key, "bob") +
           pin % (rp, key, "alice") + "end\n").encode()
    yield ("zpinc-known 1\n" + pin % (rp, key, "\\x20bob") +
           pin % (zpinc.topic(CHANNEL.live), key, "bob") + "end\n").encode()


def f_status():
    yield b"\x03#up\n#live\nzp1.xyz\n#cursor a:1:b\n#down no route\n"
    yield b"\xff" + b"#down " + b"x" * 600 + b"\n#up"
    yield b"\x00" + b"torn #up\n\n#up \n##\n"


def f_cursor():
    yield b"0123456789abcdef.zp:4096:0123456789abcdef"
    yield b"a.zp:0:0,b-1.zp:18446744073709551615:1,"
    yield b"0123456789abcdef:12:cbf29ce484222325,fedcba:1:0"


def f_url():
    for url in ("redis://10.0.0.5", "rediss://user:pass%40@host:6379/0?x=1",
                "https://relay.example/ops?auth=t#f", "file:/srv/relay",
                "file:///srv/a%20b", "file://localhost/x", "mqtt://[::1]:1883",
                "ntfy://ntfy.sh", "mles://host/a/b?c", "http://a:@b:/",
                "x+y-z.1://h", "redis://:secret@h"):
        yield url.encode()


def f_sse():
    yield b"\x07\xffevent: x\nid: 1\ndata: a\ndata: b\n\ndata\n\n"
    yield b"\x00\x02\xef\xbb\xbfdata: " + b"y" * 40 + b"\r\nretry: 1000\r\r\n"
    yield b"\x10\x10: hi\nid\ndata:x\nid: a\0b\n\nretry: 99999999999\n\n"


def f_ntfy():
    told = ('{"id":"a8wQ2bYp1k","time":1732300001,"event":"open",'
            '"topic":"zT"}',
            '{"id":"hq2YwpKdm3x0","time":1732300002,"expires":1732343202,'
            '"event":"message","topic":"zT","message":"zp1.zT.zP.AAAA"}',
            '{"tags":["\\"id\\":\\"x\\""],"event":"message",'
            '"attachment":{"id":"no"},"id":"w9zzgqK41c"}',
            '{"id":"k3ePdGUDSh","event":"keepalive"}', '{"event":"message"}')
    for json in told:
        yield b"\x87" + json.encode() + b"\n"
        yield b"\x03data: " + json.encode() + b"\n\n"
    yield b"\xff" + "\n".join(told + told).encode()
    yield b"\x7f" + "".join(f"event: x\ndata: {t}\r\n\r\n"
                           for t in told + told).encode()


def f_opt():
    for text in ("0", "1.5", "0.0005s", "90m", "1h", "2.25d", "4294967295w",
                 ".5", "1.", "18446744073709551616", "12"):
        yield text.encode()


def f_b64():
    yield zpinc.b64(SEED).encode()
    yield zpinc.b64(SEED[:17]).encode()
    yield b"-_-_"
    yield b"AB"


ODD = ("plain", "a\nb\n", "tab\tand \\ and \"", "\x1b[2J\r", "Zoë \U0001f511",
       "a\u202eb\u2066c\u2028d\u061c", "\x7f\u0085\u009b", "x" * 300)


def f_text():
    for i in range(3):
        for text in ODD:
            yield bytes([i + 30]) + text.encode()
    yield b"\x00\xff\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80\xe2\x82"
    for name in values("names", "name"):
        yield b"\x01" + name


def f_format():
    for i, form in enumerate((b"%m", b"%t %u: %M", b"[%k %s %c %r %i %n]\\n%%",
                              b"%q", b"")):
        for text in ODD[::2]:
            yield bytes([len(form)]) + struct.pack(
                ">Q", 1700000000000 + i) + form + text.encode()
    yield b"\x02" + b"\xff" * 8 + b"%t" + b"\xff\xfe"


def f_parts():
    one = bytes([0x04, 0, 5])
    two = bytes([0x00, 0, 5]), bytes([0x04, 1, 3])
    for stream in b"\0\1":
        yield bytes([stream]) + one * 3
        yield bytes([stream]) + two[1] + two[0] + one
        yield bytes([stream]) + two[0] + bytes([0x08, 0, 9]) + two[1] + \
            bytes([0x0c, 1, 9])
        yield bytes([stream]) + bytes([0x02, 0, 9, 0x06, 1, 4, 0xc6, 17, 255])
        yield bytes([stream]) + b"".join(
            bytes([0xc0, i, 255]) for i in range(16))


def f_replay():
    def mark(session, seq):
        return bytes([0x90 | session]) + struct.pack(">H", seq)
    yield b"\1" + b"".join(mark(0, i) for i in range(6))
    yield b"\1" + mark(0, 0) + mark(0, 9) + b"\x08\0\0" + mark(0, 4) + \
        b"\x0c\0\0" + mark(0, 4)
    yield b"\0" + mark(1, 5) + mark(1, 200) + b"\x00\0\xff" + mark(2, 3)


def f_machine():
    rounds = bytes([8, 0]) * 3
    meet = b"".join(bytes([3 | i << 4, 0, 8, 0]) for i in range(4)) * 8
    for head in (0, 1, 2, 128):
        yield bytes([head]) + rounds + meet
        yield bytes([head]) + rounds + meet + bytes([5, 0]) + meet
        yield bytes([head]) + meet + bytes([6, 1]) + meet
        yield bytes([head]) + meet + bytes([7, 1]) + meet + bytes([2, 255])
    for how in range(8):
        yield b"\1" + rounds + meet[:24] + bytes([4, how, how, 33, 1]) + meet


def frame(body, keys=b"", flags=0x8000, extra=b"pad"):
    head = struct.pack(">H8sHHHH", 18 + len(body), b"\1" * 8, len(keys), 5,
                       400, flags)
    return head + body + keys + extra


def f_mles_frame():
    for keys in (b"", SEED, SEED * 2, b"x"):
        yield b"\0" + frame(b"hello", keys)
    yield b"\0" + frame(b"", flags=0xff80)
    yield b"\0" + frame(b"x" * 30)[:40]
    yield b"\1" + bytes(80)


def f_mles_text():
    for a, b, c in (("alice", "bob", "alice!"), ("10", "9", "a"),
                    ("0", "4294967295", "4294967294"), ("é", "%62ob", "bob"),
                    ("", "__proto__", "01")):
        yield b"".join(bytes([len(s.encode())]) + s.encode()
                       for s in (a, b, c))


def mles_frames():
    path = os.path.join(HERE, "..", "vectors", "mles.txt")
    with open(path, encoding="utf-8") as f:
        for line in f:
            word, _, rest = line.rstrip("\n").partition(" ")
            if word == "cbor":
                yield bytes.fromhex(rest)


def f_mlesframe():
    for cbor in some((c for c in mles_frames() if len(c) < 300), 3):
        yield b"\0" + cbor
        yield b"\0\xbf" + cbor[1:] + b"\x00\x5f\x41a\x40\xff\xff"
        yield b"\0\xa5" + cbor[1:] + b"\x80\xc1\x9f\x20\xbf\xf4\xf6\xff" \
            b"\xff\xe0\xf8\x20"
    uid, channel = b"/gl+oyovyIWrdd/YdQ==", b"PA5N"
    yield b"\0\xbf\x7f\x61u\x62id\xff\x7f\x78\x08" + uid[:8] + b"\x6c" + \
        uid[8:] + b"\xff\x79\0\x07channel\x7a\0\0\0\x04" + channel + \
        b"\x7b" + bytes(7) + b"\x07message\x5f\x41a\x5b" + bytes(7) + \
        b"\x02bc\xff\xff"
    yield b"\0\xa4\xfa\0\0\0\0\xfb" + bytes(8) + b"\xf9\0\0\xf7\x18\x20" \
        b"\x39\1\0\x3a\1\0\0\0\x3b\1\0\0\0\0\0\0\0"
    yield b"\0" + b"\x81" * 200
    yield b"\0\xa1\x63uid\x5b" + b"\xff" * 8
    yield b"\1" + uid
    yield b"\1AA\t- _ A = ="
    yield b'\1{"uid":"' + uid + b'","channel":"' + channel + b'"}'
    yield b'\1{ "x":[1e9,null,{}], "uid":"A\\u0041-\\/" }'
    yield b'\1{"uid":"A\\u0000"}'


def f_mles_record():
    for a, b, c in ((20, 20, 60), (0, 1, 80), (300, 40, 500)):
        yield "ml1.{}.{}.{}".format(*(zpinc.b64(bytes([n & 255]) * n)
                                      for n in (a, b, c))).encode()
    yield b"ml1.AA.BB.CC"


def f_mles_file():
    head = b"data:image/png;base64,"
    yield bytes([4, 0, len(head) + 1]) + head + b"@" + bytes([8, 1, 1]) + b"@"
    yield bytes([12, 0, 26]) + b"data:text/plain;base64,YWI"
    yield bytes([4, 0, 3]) + b"abc" + bytes([0, 2, 1]) + b"@"


def f_mles_state():
    talk = b""
    for i in range(8):
        talk += bytes([0 | (i % 2) << 3, 0x80 | i]) + bytes([6, 0, 14, 0])
    yield b"\0" + talk
    yield b"\1" + talk + bytes([2, 255]) + talk
    yield b"\0" + talk[:20] + bytes([4, 1, 12, 2]) + talk
    plain = frame(b"hi", SEED)
    yield b"\0" + bytes([3, 1, len(plain)]) + plain + talk


def f_inbox():
    one = bytes([0, 1, 0, 5, 9, 5]) + b"hello"
    msg = bytes([1, 1, 0, 0, 9, 2]) + b"hi"
    parts = bytes([8, 0, 0, 7, 9, 2]) + b"ab" + bytes([8, 1, 1, 7, 9, 2]) + \
        b"cd"
    for how in (0, 1, 2, 32, 36, 41, 112):
        yield bytes([how]) + one + msg + parts + one
        yield bytes([how]) + one + bytes([0, 1, 0, 9, 9, 3]) + b"\x1b[m" + msg


def f_outstore():
    note = "+ %s %d 1700000000000 %d\n%s"
    one = record().encode().decode() + "\n"
    head = "zpinc-notes 1\n"
    a = note % (zpinc.b64(SID), 1, len(one), one)
    b = note % (zpinc.b64(SID), 2, 2 * len(one), 2 * one)
    for text in ("", head, head + a + b, head + a + f"- {zpinc.b64(SID)} 1\n"
                 + b, head + a + b[:90], head + b + a + a):
        yield text.encode()


def f_headers():
    yield b"Authorization: Bearer tk_abc\n# mine\n\nX-A:\tb\r\n"
    yield b"no header\nX: y"
    yield b": empty\n"
    yield b"A b: c\nX: y\0z\n"


def f_httpurl():
    for url in ("https://relay.example/{topic}", "http://h:80/{pub|sub}/x",
                "ntfy://ntfy.sh", "http://[::1]:8080/a/{p|s|l}?id={topic}",
                "https://u:p@h/?auth=x", "http://h/{topic}/{topic}",
                "http://h/{a|b|c|d}", "http://h/{"):
        for how in (0, 1, 2, 15, 28):
            yield bytes([how]) + url.encode()


def f_nchan():
    told = (b'{"messages": 3, "requested": 0, "subscribers": 1, '
            b'"last_message_id": "1732300002:1" }')
    for how in (0, 4, 2, 1):
        for last in (b"1732300002:0", b"1732300002:2", b"", b"x"):
            yield bytes([how]) + last + b"\n" + told
    yield b"\2\n"
    yield b"\4" + b"1732300002:3\n" + told.replace(b": 3", b": 0")


def f_dirread():
    line = record().encode() + b"\n"
    part = line[:200]
    yield bytes([7, 0, 4, 0, 0, len(part)]) + part + bytes([7, 0, 4, 0, 7, 0])
    yield bytes([4, 0, 7, 0, 6, 0, 4, 0, 2, len(part)]) + part + \
        bytes([5, 1, 7, 0, 11, 1, 7, 0, 19, 2, 7, 0, 5, 0])
    yield b"".join(bytes([(i % 5) << 3, 30]) + part[i:i + 30] +
                   bytes([4, 0, 7, 0, 6, 1]) for i in range(12))


def f_resp():
    for step in (0, 3, 63):
        at = bytes([step])
        yield at + b"+OK\r\n-ERR no\r\n:7\r\n$5\r\nhello\r\n$-1\r\n*0\r\n"
        yield at + (b"*3\r\n$7\r\nmessage\r\n$2\r\nzT\r\n$4\r\nzp1.\r\n"
                    b"*-1\r\n*1\r\n-EXECABORT\r\n")
        yield at + (b"*1\r\n*2\r\n$1\r\nk\r\n*1\r\n*2\r\n$3\r\n1-1\r\n"
                    b"*2\r\n$1\r\nr\r\n$3\r\nzp1\r\n")
        yield at + b"*1\r\n" * 6 + b"$1\r\nx\r\n"
        yield at + b"*1\r\n" * 8 + b"$1\r\nx\r\n"


def f_presence():
    go = bytes([7, 8, 1, 0, 0, 40])
    hello = zpinc.make_hello(dict(flags=0, gen=1, notes=0, messages=0,
                                  entries=[]))
    def forged(how):
        return bytes([how, min(len(hello), 255)]) + hello[:255]
    for head in range(0, 16, 3):
        yield bytes([head]) + go * 3
        yield bytes([head]) + go * 2 + bytes([5, 0]) + go + bytes([36, 9]) + go
        yield bytes([head]) + go + forged(2) + forged(10) + forged(18) + \
            forged(82) + go + forged(19) + bytes([4, 0, 7, 100]) + go


def main():
    out, names = sys.argv[1], sys.argv[2:]
    targets = {n[2:]: f for n, f in globals().items() if n.startswith("f_")}
    for name in names or sorted(targets):
        if name not in targets:
            continue
        folder = os.path.join(out, name)
        os.makedirs(folder, exist_ok=True)
        for data in targets[name]():
            path = os.path.join(folder, hashlib.sha1(data).hexdigest()[:16])
            with open(path, "wb") as f:
                f.write(data)


main()
