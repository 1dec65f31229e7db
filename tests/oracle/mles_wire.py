"""MlesTalk frames by Python: keys, sealing and opening, the line form.

Written from the format's description, with hashlib and PyNaCl, apart from
the C library.
"""
import base64
import hashlib
import os
import urllib.parse

from nacl.exceptions import CryptoError
from nacl.secret import SecretBox

from mles_proto import Frame

SALT, PERSON = b"ZpincSaltDomain1", b"ZpincAppDomainv1"
EPOCH = 1514764800


def quote(text):
    """As ECMAScript's encodeURIComponent."""
    return urllib.parse.quote(text, safe="-_.!~*'()")


def b(n, key, data=b""):
    return hashlib.blake2b(data, digest_size=n, key=key, salt=SALT,
                           person=PERSON).digest()


def kdf(key, info):
    prk = b(32, key)
    return hashlib.blake2b(info + b"\x01", digest_size=32, key=prk).digest()


def stretch(password, channel):
    salt = b(32, password[:32], password + channel)
    return hashlib.scrypt(password, salt=salt, n=32768, r=8, p=1, dklen=32,
                          maxmem=64 << 20)


def layer(root):
    """(mac key, seal key)"""
    return (kdf(b(32, b"", root), b"Zpinc-WebWorkerChannelDom!v1"),
            kdf(root, b"Zpinc-WebWorkerEncryptDom!v1"))


def padded(n):
    e = n.bit_length() - 1
    s = e.bit_length()
    m = (1 << (e - s)) - 1
    return (n + m) & ~m


def b64u(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64u(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Channel:
    def __init__(self, raw, name):
        self.raw = raw
        self.password = layer(raw)
        self.name = quote(name)
        self.rp = self.box("Channel", self.name)
        self.layers = {None: self.password}

    def box(self, kind, name):
        mac = self.password[0]
        k = kdf(mac, b"Zpinc-%sDerivation-v1" % kind.encode())
        n = kdf(mac, b"Zpinc-%sNonceDerivation-v1" % kind.encode())[:24]
        return SecretBox(k).encrypt(name.encode(), n).ciphertext

    def unbox(self, raw):
        mac = self.password[0]
        k = kdf(mac, b"Zpinc-UidDerivation-v1")
        n = kdf(mac, b"Zpinc-UidNonceDerivation-v1")[:24]
        return SecretBox(k).decrypt(raw, n).decode("latin-1")

    def layer_of(self, secret):
        if secret not in self.layers:
            self.layers[secret] = layer(b(32, self.password[0], secret))
        return self.layers[secret]

    @staticmethod
    def mac(key, nonce, box):
        return b(12, key, b"Zpinc-WebWorkerAuthDom!v1" + nonce[24:] + nonce +
                 box)

    def message(self, f):
        second = f.date // 1000 - EPOCH
        minute = second // 60
        text = ((18 + len(f.body)).to_bytes(2, "big") + f.sid +
                len(f.keys).to_bytes(2, "big") +
                (minute % 10080).to_bytes(2, "big") +
                (minute // 10080).to_bytes(2, "big") +
                (f.flags | second % 60).to_bytes(2, "big") + f.body + f.keys)
        text += os.urandom(padded(len(text)) - len(text))
        mac_key, seal_key = self.layer_of(f.secret)
        nonce = os.urandom(32)
        box = SecretBox(seal_key).encrypt(text, nonce[:24]).ciphertext
        return nonce + box + self.mac(mac_key, nonce, box)

    def line(self, f):
        return "ml1.%s.%s.%s" % (b64u(self.rp), b64u(self.box("Uid", f.uid)),
                                 b64u(self.message(f)))

    def open(self, line, secrets):
        """A frame, with the first of the secrets that fits, or None."""
        kind, rp, p, enc = line.split(".")
        message = unb64u(enc)
        nonce, box, mac = message[:32], message[32:-12], message[-12:]
        if kind != "ml1" or unb64u(rp) != self.rp:
            return None
        for secret in secrets:
            mac_key, seal_key = self.layer_of(secret)
            if self.mac(mac_key, nonce, box) != mac:
                continue
            try:
                t = SecretBox(seal_key).decrypt(box, nonce[:24])
            except CryptoError:
                return None
            size = int.from_bytes(t[0:2], "big")
            keys = int.from_bytes(t[10:12], "big")
            minute = (int.from_bytes(t[12:14], "big") +
                      10080 * int.from_bytes(t[14:16], "big"))
            last = int.from_bytes(t[16:18], "big")
            return Frame(self.unbox(unb64u(p)), t[2:10], last & 0xff80,
                         t[size:size + keys], t[18:size], secret,
                         (EPOCH + minute * 60 + (last & 0x7f)) * 1000)
        return None
