#!/usr/bin/python3
"""The oracle against the published vectors, and against itself (TAP)."""

import functools
import hashlib
import os
import random
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
VECTORS = os.path.join(HERE, "..", "vectors")

import ristretto as r255
import zpinc
from zpinc import Channel, Joiner, Maker, Member, Reader, Refused, Run

SEED = int(os.environ.get("SEED", "1"))


def cases(name):
    """Dicts of a file of vectors; values are text, "#" is the reason."""
    out = []
    with open(os.path.join(VECTORS, name + ".txt")) as f:
        for block in f.read().split("\n\n"):
            case = {"#": ""}
            for line in block.splitlines():
                if line.startswith("#"):
                    case["#"] += line[2:] + " "
                else:
                    key, value = (line + " ").split(" = ", 1)
                    case[key] = value.strip()
            if len(case) > 1:
                out.append(case)
    assert out
    return out


def unhex(case, *names):
    return [bytes.fromhex(case[n]) for n in names]


def equal(got, want, what=""):
    if got != want:
        raise AssertionError(f"{what}: got {got!r}, want {want!r}")


def refused(function, *args):
    try:
        function(*args)
    except Refused:
        return
    raise AssertionError("taken, and should have been refused")


# ---- published ----------------------------------------------------------


def scrypt():
    """scrypt gives RFC 7914's keys"""
    for c in cases("scrypt"):
        password, salt, key = unhex(c, "password", "salt", "key")
        equal(hashlib.scrypt(password, salt=salt, n=int(c["N"]),
                             r=int(c["r"]), p=int(c["p"]), dklen=len(key)),
              key, c["#"])


def secretbox():
    """secretbox seals and opens NaCl's box"""
    for c in cases("secretbox"):
        key, nonce, message, box = unhex(c, "key", "nonce", "message", "box")
        equal(zpinc.secretbox(key, nonce, message), box)
        equal(zpinc.secretbox_open(key, nonce, box), message)
        equal(zpinc.secretbox_open(key, nonce, zpinc.flip(box, 5)), None)


def xsalsa20():
    """XSalsa20's key stream is that of NaCl's box"""
    for c in cases("secretbox"):
        key, nonce, stream, message, box = unhex(
            c, "key", "nonce", "stream", "message", "box")
        equal(zpinc.xsalsa20(key, nonce, 32), stream)
        out = zpinc.xsalsa20(key, nonce, 32 + len(message))
        equal(zpinc.xor(out[32:], message), box[16:])


def blake2b():
    """BLAKE2b gives RFC 7693's digests"""
    def sequence(n, seed):
        a, b = 0xdead4bad * seed & 0xffffffff, 1
        out = bytearray()
        for _ in range(n):
            a, b = b, (a + b) & 0xffffffff
            out.append(b >> 24)
        return bytes(out)

    for c in cases("blake2b"):
        if "digest" in c:
            data, digest = unhex(c, "data", "digest")
            equal(zpinc.blake2b(64, "", data), digest, c["#"])
            continue
        grid = hashlib.blake2b(digest_size=32)
        for size in (20, 32, 48, 64):
            for n in (0, 3, 128, 129, 255, 1024):
                data, key = sequence(n, n), sequence(size, size)
                grid.update(zpinc.blake2b(size, "", data))
                grid.update(zpinc.blake2b(size, "", data, key))
        equal(grid.hexdigest(), c["grid"], c["#"])


def constants():
    """the computed constants are those RFC 9496 prints"""
    equal(r255.D, 37095705934669439343138083508754565189542113879843219016388785533085940283555)
    equal(r255.SQRT_M1, 19681161376707505956807079304988542015446066515923890162744021073123829784752)
    equal(r255.INVSQRT_A_MINUS_D, 54469307008909316920995813868745141605393597292927456921205312896311721017578)
    equal(r255.ONE_MINUS_D_SQ, 1159843021668779879193775521855586647937357759715417654439879720876111806838)
    equal(r255.D_MINUS_ONE_SQ, 40440834346308536858101042469323190826248399146238708352240133220865137265952)


def ristretto():
    """ristretto255 encodes, refuses and derives as RFC 9496 says"""
    count = 0
    total = r255.NEUTRAL
    for c in cases("ristretto255"):
        if "multiple" in c:
            n = int(c["multiple"])
            data, = unhex(c, "encoding")
            equal(r255.encode(total), data, c["#"])
            equal(r255.encode(r255.mul(n, r255.GENERATOR)), data, c["#"])
            equal(r255.encode(r255.decode(data)), data, c["#"])
            total = r255.add(total, r255.GENERATOR)
        elif "invalid" in c:
            equal(r255.decode(bytes.fromhex(c["invalid"])), None, c["#"])
        else:
            equal(r255.encode(r255.from_hash(bytes.fromhex(c["input"]))),
                  bytes.fromhex(c["output"]), c["#"])
        count += 1
    equal(count, 16 + 29 + 11)


def cpace():
    """generator, shares, K, ISK and session ids are the CPace draft's"""
    whole, product, *bad = cases("cpace")
    prs, ci, sid, g, ada, adb, k = unhex(
        whole, "PRS", "CI", "sid", "g", "ADa", "ADb", "K")
    gen = r255.from_hash(zpinc.sha512(zpinc.generator_string(
        zpinc.CPACE_DSI, prs, ci, sid, 128)))
    equal(r255.encode(gen), g)
    shares = []
    for who in "ab":
        y, share = unhex(whole, "y" + who, "Y" + who)
        equal(r255.encode(r255.mul(r255.scalar(y), gen)), share)
        shares.append(share)
    ya, yb = shares
    for mine, theirs in (("ya", yb), ("yb", ya)):
        y, = unhex(whole, mine)
        equal(r255.encode(r255.mul(r255.scalar(y), r255.decode(theirs))), k)
    for name, sid_name, transcript in (
            ("ISK_IR", "sid_output_ir",
             zpinc.transcript_ir(ya, ada, yb, adb)),
            ("ISK_SY", "sid_output_oc",
             zpinc.transcript_oc(ya, ada, yb, adb)),
            ("ISK_SY", "sid_output_oc",
             zpinc.transcript_oc(yb, adb, ya, ada))):
        equal(zpinc.sha512(zpinc.lv_cat(zpinc.CPACE_DSI + b"_ISK", sid, k) +
                           transcript), *unhex(whole, name), name)
        equal(zpinc.sha512(b"CPaceSidOutput" + transcript),
              *unhex(whole, sid_name), sid_name)
    s, x, want = unhex(product, "s", "X", "product")
    equal(r255.encode(r255.mul(r255.scalar(s), r255.decode(x))), want)
    equal(len(bad), 2)
    for c in bad:
        refused(zpinc.point, bytes.fromhex(c["invalid"]), "Y")


def ed25519():
    """Ed25519 signs as RFC 8032 says"""
    for c in cases("ed25519"):
        seed, public, message, sig = unhex(
            c, "seed", "public", "message", "signature")
        equal(zpinc.ed25519_public(seed), public, c["#"])
        equal(zpinc.ed25519_sign(seed, message), sig, c["#"])
        equal(zpinc.ed25519_good(public, message, sig), True, c["#"])
        equal(zpinc.ed25519_good(public, message + b"x", sig), False)


# ---- by itself ----------------------------------------------------------


def leb128():
    """lengths are prefixed as LEB128"""
    equal(zpinc.lv_cat(b"1234", b"5", b"", b"678").hex(),
          "043132333401350003363738")
    equal(zpinc.leb128(127).hex(), "7f")
    equal(zpinc.leb128(128).hex(), "8001")
    equal(zpinc.leb128(300).hex(), "ac02")
    equal(zpinc.leb128(9 * 128 * 128).hex(), "808009")


def figures():
    """the sizes of the specification come out: 2,775 and 2,679 bytes in
    records of 4,095, whose ENC is of 3,851 characters"""
    equal(zpinc.part_size(4095, False), 2775)
    equal(zpinc.part_size(4095, True), 2679)
    equal(zpinc.padded_length(40 + 2775), 2816)
    equal(zpinc.record_length(2816), 3985)
    equal(zpinc.padded_length(40), 128)
    equal(zpinc.record_length(128), 401)
    # Padme: at most 12 % more; no value between two neighbours' images.
    for n in range(128, 70000):
        m = zpinc.padme(n)
        assert n <= m <= n * 1.12 and zpinc.padme(m) == m, n


def base64():
    """base64url goes there and back, and is refused unless canonical"""
    import base64 as b
    rng = random.Random(SEED)
    for n in range(70):
        data = rng.randbytes(n)
        text = zpinc.b64(data)
        equal(text, b.urlsafe_b64encode(data).decode().rstrip("="))
        equal(zpinc.unb64(text), data)
        if n % 3:
            for step in range(1, 4 if n % 3 == 2 else 16):
                last = zpinc.ALPHABET[zpinc.ALPHABET.index(text[-1]) + step]
                refused(zpinc.unb64, text[:-1] + last)
        else:
            refused(zpinc.unb64, text + "A")
    for c in "+/=. \n":
        refused(zpinc.unb64, "AA" + c + "A")


@functools.cache
def channel():
    return Channel(bytes(range(32)), "ops")


def maker(rng, **how):
    return Maker(channel(), draw=rng.randbytes, **how)


def roundtrip():
    """what is sealed opens as it was, signed or not, in any size and order
    of parts"""
    rng = random.Random(SEED)
    sid = rng.randbytes(16)
    for seq in range(60):
        body = rng.randbytes(rng.choice([0, 1, 87, 88, rng.randrange(9000)]))
        seed = rng.choice([None, rng.randbytes(32)])
        m = maker(rng, seed=seed)
        lines = zpinc.seal_body(m.key, m.rp, m.p, m.keyid, zpinc.NOTE, sid,
                                seq, seq * 7, body, rng.randbytes, seed,
                                rng.choice([1024, 2000, 4095]))
        rng.shuffle(lines)
        lines += rng.sample(lines, 1)
        joiner, whole = Joiner(), []
        for line in lines:
            for got in Reader(channel()).scan(line):
                equal(got["verdict"], "ok")
                equal((got["uid"], got["seq"], got["time"]),
                      ("alice", seq, seq * 7))
                whole += [joiner.add(got)]
        whole = [w for w in whole if w]
        equal(len(whole), 1)
        equal(b"".join(g["body"] for g in whole[0]), body)


def flips():
    """no bit of a record can be changed by who has no key"""
    rng = random.Random(SEED)
    line = maker(rng, seed=rng.randbytes(32)).make(
        "none", zpinc.NOTE, zpinc.LAST, 0, rng.randbytes(16), 0, 0, b"hi")
    prefix, rp, p, enc = line.split(".")
    fields = zpinc.unb64(rp[1:]), zpinc.unb64(p[1:]), zpinc.unb64(enc)
    reader = Reader(channel())
    equal(reader.open(*fields)["verdict"], "ok")
    for i, field in enumerate(fields):
        for bit in range(8 * len(field)):
            bad = list(fields)
            bad[i] = zpinc.flip(field, bit)
            verdict = reader.open(*bad)["verdict"]
            assert verdict in ("noise", "broken", "foreign"), (i, bit)


def mutations():
    """every kind of wrong record is made, and none of them is taken"""
    rng = random.Random(SEED)
    harmless = {"none", "b64-padded",
                "sig-stripped",  # a body that ends in 96 odd bytes
                "sig-zero-keyid"}  # wrong under a conversation's key only
    for how in zpinc.MUTATIONS:
        line = maker(rng, seed=rng.randbytes(32)).make(
            how, zpinc.NOTE, zpinc.LAST, 0, rng.randbytes(16), 0, 0,
            b"disk full on db1 again!")
        got = [g["verdict"] for g in Reader(channel()).scan(line)]
        equal("ok" in got, how in harmless, how)


def truncations():
    """no beginning of a record is taken for one"""
    rng = random.Random(SEED)
    line = maker(rng).make("none", zpinc.NOTE, zpinc.LAST, 0,
                           rng.randbytes(16), 0, 0, b"hi")
    reader = Reader(channel())
    equal([g["verdict"] for g in reader.scan(line)], ["ok"])
    for n in range(len(line)):
        assert all(g["verdict"] in ("none", "noise", "broken")
                   for g in reader.scan(line[:n])), n


def torn():
    """a record after any beginning of another is found"""
    rng = random.Random(SEED)
    a, b = (maker(rng).make("none", zpinc.NOTE, zpinc.LAST, 0,
                            rng.randbytes(16), 0, 0, t)
            for t in (b"torn", b"whole"))
    reader = Reader(channel())
    for n in range(len(a) + 1):
        got = [g["body"] for g in reader.scan(a[:n] + b)
               if g["verdict"] == "ok"]
        equal(got, [b"whole"], n)


def tie():
    """the sealing binds RP, P and the nonce, each"""
    rng = random.Random(SEED)
    key, rp, p, nonce = (rng.randbytes(n) for n in (32, 47, 47, 24))
    seen = {zpinc.commit(key, rp, p, nonce)}
    for args in ((zpinc.flip(key, 0), rp, p, nonce),
                 (key, zpinc.flip(rp, 0), p, nonce),
                 (key, rp, zpinc.flip(p, 0), nonce),
                 (key, rp, p, zpinc.flip(nonce, 0))):
        seen.add(zpinc.commit(*args))
    equal(len({ek for ek, com in seen}), 5)
    equal(len({com for ek, com in seen}), 5)


def hello():
    """hellos go there and back; cut or prolonged ones are refused"""
    rng = random.Random(SEED)
    for _ in range(300):
        flags = rng.choice([0, 1, 3, 5, 7, 13, 15]) | rng.choice(
            [0, 16, 32, 48])
        mids = sorted({rng.randbytes(16).hex()
                       for _ in range(rng.randrange(5))})
        h = dict(flags=flags, gen=rng.getrandbits(32),
                 notes=rng.getrandbits(64), messages=rng.getrandbits(64))
        for bit, names in ((1, ("view", "z")), (2, ("x",)), (4, ("tag",))):
            h |= {n: rng.randbytes(32).hex() for n in names if flags & bit}
        h["entries"] = [dict(mid=m, ack=rng.getrandbits(64),
                             seen=rng.getrandbits(64)) for m in mids]
        body = zpinc.make_hello(h)
        equal(zpinc.parse_hello(body), h)
        refused(zpinc.parse_hello, body + b"\0")
        for n in range(len(body)):
            refused(zpinc.parse_hello, body[:n])


def group():
    """K is y_0 y_1 + y_1 y_2 + ... times G for every n, and each member's
    order of indices gives it"""
    rng = random.Random(SEED)
    for n in (2, 3, 4, 5, 7):
        members = [Member(rng.randbytes(47), rng.randbytes(16))
                   for _ in range(n)]
        run = Run(channel().rp, channel().msgkey, members)
        y = [rng.randrange(1, r255.ORDER) for _ in range(n)]
        zs = [run.share(v) for v in y]
        xs = [run.mix(i, v, zs) for i, v in enumerate(y)] if n > 2 else []
        total = y[0] * y[1] if n == 2 else sum(
            y[i] * y[(i + 1) % n] for i in range(n))
        want = r255.encode(r255.mul(total, run.g))
        for i in range(n):
            equal(run.key(i, y[i], zs, xs), want, (n, i))


def vectors():
    """the vectors in the tree are what the oracle makes"""
    import subprocess
    done = subprocess.run(
        ["/usr/bin/python3", os.path.join(HERE, "make-vectors.py"),
         "--check", VECTORS], capture_output=True, text=True)
    equal((done.returncode, done.stdout, done.stderr), (0, "", ""))


TESTS = (scrypt, secretbox, xsalsa20, blake2b, constants, ristretto, cpace,
         ed25519, leb128, figures, base64, roundtrip, flips, mutations,
         truncations, torn, tie, hello, group, vectors)


def main():
    bad = 0
    for i, test in enumerate(TESTS, 1):
        name = " ".join(test.__doc__.split())
        try:
            test()
            print(f"ok {i} - {name}")
        except Exception as e:  # a broken oracle fails in any way
            bad += 1
            print(f"not ok {i} - {name}")
            print(f"# SEED={SEED}: {type(e).__name__}: {str(e)[:500]}")
        sys.stdout.flush()
    print(f"1..{len(TESTS)}")
    return bad > 0


if __name__ == "__main__":
    sys.exit(main())
