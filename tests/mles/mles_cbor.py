"""A frame of Mles in CBOR, in the one form that clients write."""


def head(major, n):
    if n < 24:
        return bytes([major | n])
    for code, size in ((24, 1), (25, 2), (26, 4)):
        if n < 1 << 8 * size:
            return bytes([major | code]) + n.to_bytes(size, "big")
    raise ValueError(n)


def cbor(uid, channel, message):
    text = (b"uid", uid.encode(), b"channel", channel.encode(), b"message")
    return (b"\xa3" + b"".join(head(0x60, len(t)) + t for t in text) +
            head(0x40, len(message)) + message)


def fields(b):
    """The text and byte string fields of a frame's map."""
    def item(at):
        n, at = b[at] & 31, at + 1
        if n >= 24:
            size = 1 << (n - 24)
            n, at = int.from_bytes(b[at:at + size], "big"), at + size
        return b[at:at + n], at + n

    got, at = {}, 1
    for _ in range(b[0] & 31):
        key, at = item(at)
        got[key.decode()], at = item(at)
    if at != len(b):
        raise ValueError(at)
    return got
