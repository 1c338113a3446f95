"""store_entry: what an instance of the fleet keeps in the shared store, read, made and changed byte by byte as
server/store/ has it. With the fleet's secret a test makes entries that are signed and yet wrong.
"""
import dataclasses
import hashlib
import hmac
import struct
import time

import wire
from pki import SERVER_NAME

SECRET = bytes(range(32))
PREFIX = "dtp:"  #: of all keys: the default of shared_cache.prefix

MAGIC = b"DTP\x01"
HEAD = struct.Struct("!4sQQ")
MAC_SIZE = 32
RD, CD, AD, DO = 1, 2, 4, 8  #: of a question's flags


def _mac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def _derived(secret, purpose):
    return _mac(secret, f"dns-tls-proxy shared cache 1 {purpose}".encode())


def digest_of(name, qtype="A", flags=RD, origin=SERVER_NAME, secret=SECRET):
    """Of a question; all of it is part of what is signed."""
    question = wire.name_to_wire(name.lower()) + struct.pack("!HB", wire.TYPES[qtype], flags)
    return _mac(_derived(secret, "name"), origin.encode() + b"\0" + question)


def key_of(name, prefix=PREFIX, **question):
    return (prefix + digest_of(name, **question)[:16].hex()).encode()


def now_ms():
    return time.time_ns() // 1_000_000


@dataclasses.dataclass
class Entry:
    """Times are milliseconds since 1970."""
    stored: int
    expires: int
    message: bytes
    magic: bytes = MAGIC

    @classmethod
    def load(cls, value):
        magic, stored, expires = HEAD.unpack_from(value)
        return cls(stored, expires, value[HEAD.size:-MAC_SIZE], magic)

    def dump(self, digest, secret=SECRET):
        """Signed for the question with that digest."""
        body = HEAD.pack(self.magic, self.stored, self.expires) + self.message
        return body + _mac(_derived(secret, "value"), digest + body)


def is_signed(value, digest, secret=SECRET):
    return hmac.compare_digest(value[-MAC_SIZE:], _mac(_derived(secret, "value"), digest + value[:-MAC_SIZE]))


def address_entry(name, address, ttl=300, age=0.0):
    """An A record's answer as an instance would store it."""
    question = wire.name_to_wire(name) + struct.pack("!HH", 1, 1)
    answer = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, ttl, 4) + address
    message = struct.pack("!6H", 0, wire.QR | wire.RD | 0x80, 1, 1, 0, 1) + question + answer + wire.opt()
    stored = now_ms() - int(age * 1000)
    return Entry(stored, stored + ttl * 1000, message)
