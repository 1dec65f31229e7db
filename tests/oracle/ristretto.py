"""ristretto255 as RFC 9496 section 4 has it, with Python's integers.

Slow, not constant time, for tests only.  Points are tuples (x, y, z, t) in
extended Edwards coordinates.
"""

P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
SQRT_M1 = pow(2, (P - 1) // 4, P)

NEUTRAL = (0, 1, 1, 0)


def negative(e):
    return e % P & 1


def absolute(e):
    return -e % P if negative(e) else e % P


def sqrt_ratio(u, v):
    """(was_square, nonnegative root of u/v or of SQRT_M1 * u/v)"""
    u, v = u % P, v % P
    r = u * v**3 * pow(u * v**7 % P, (P - 5) // 8, P) % P
    check = v * r * r % P
    flipped = check == -u % P
    if flipped or check == -u * SQRT_M1 % P:
        r = r * SQRT_M1 % P
    return check == u or flipped, absolute(r)


# The constants of section 4.1, computed; the self-test compares the values.
INVSQRT_A_MINUS_D = sqrt_ratio(1, -1 - D)[1]
SQRT_AD_MINUS_ONE = int("250630689533846234741114141587021527012445315024"
                        "92656460079210482610430750235")
ONE_MINUS_D_SQ = (1 - D * D) % P
D_MINUS_ONE_SQ = (D - 1) ** 2 % P
assert SQRT_AD_MINUS_ONE**2 % P == (-D - 1) % P


def decode(data):
    """A point, or None if `data` is no canonical encoding."""
    if len(data) != 32:
        return None
    s = int.from_bytes(data, "little")
    if s >= P or negative(s):
        return None
    ss = s * s % P
    u1, u2 = 1 - ss, 1 + ss
    v = (-D * u1 * u1 - u2 * u2) % P
    square, inv = sqrt_ratio(1, v * u2 * u2)
    den_x = inv * u2 % P
    den_y = inv * den_x * v % P
    x = absolute(2 * s * den_x)
    y = u1 * den_y % P
    t = x * y % P
    if not square or negative(t) or y == 0:
        return None
    return (x, y, 1, t)


def encode(point):
    x0, y0, z0, t0 = point
    u1 = (z0 + y0) * (z0 - y0) % P
    u2 = x0 * y0 % P
    inv = sqrt_ratio(1, u1 * u2 * u2)[1]
    den1, den2 = inv * u1 % P, inv * u2 % P
    z_inv = den1 * den2 * t0 % P
    if negative(t0 * z_inv):
        x, y = y0 * SQRT_M1 % P, x0 * SQRT_M1 % P
        den_inv = den1 * INVSQRT_A_MINUS_D % P
    else:
        x, y, den_inv = x0, y0, den2
    if negative(x * z_inv):
        y = -y
    return absolute(den_inv * (z0 - y)).to_bytes(32, "little")


def same(a, b):
    return (a[0] * b[1] - a[1] * b[0]) % P == 0 or \
        (a[1] * b[1] - a[0] * b[0]) % P == 0


def neutral(a):
    return same(a, NEUTRAL)


def add(a, b):
    """Hisil and others, 'Twisted Edwards Curves Revisited', a = -1."""
    x1, y1, z1, t1 = a
    x2, y2, z2, t2 = b
    m = (y1 - x1) * (y2 - x2) % P
    n = (y1 + x1) * (y2 + x2) % P
    c = 2 * D * t1 * t2 % P
    d = 2 * z1 * z2 % P
    e, f, g, h = n - m, d - c, d + c, n + m
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def negate(a):
    return (-a[0] % P, a[1], a[2], -a[3] % P)


def sub(a, b):
    return add(a, negate(b))


def mul(scalar, point):
    out = NEUTRAL
    for bit in bin(scalar % ORDER)[2:]:
        out = add(out, out)
        if bit == "1":
            out = add(out, point)
    return out


def _map(data):
    t = (int.from_bytes(data, "little") & (2**255 - 1)) % P
    r = SQRT_M1 * t * t % P
    u = (r + 1) * ONE_MINUS_D_SQ % P
    v = (-1 - r * D) * (r + D) % P
    square, s = sqrt_ratio(u, v)
    if square:
        c = -1
    else:
        s, c = -absolute(s * t) % P, r
    n = (c * (r - 1) * D_MINUS_ONE_SQ - v) % P
    w0 = 2 * s * v % P
    w1 = n * SQRT_AD_MINUS_ONE % P
    w2 = (1 - s * s) % P
    w3 = (1 + s * s) % P
    return (w0 * w3 % P, w2 * w1 % P, w1 * w3 % P, w0 * w2 % P)


def from_hash(data):
    """The element derivation function of section 4.3.4, of 64 bytes."""
    assert len(data) == 64
    return add(_map(data[:32]), _map(data[32:]))


GENERATOR = decode(bytes.fromhex(
    "e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76"))


def scalar(data):
    """32 bytes, little-endian, below the order; None if not."""
    n = int.from_bytes(data, "little")
    return n if len(data) == 32 and n < ORDER else None
