"""state_file: the snapshot of a state directory, read, made and changed byte by byte as server/state/snapshot.h has
it; and what tests of it do all the time.
"""
import dataclasses
import struct
import time
import zlib

import wire
from dnsclient import Client

DAY = 24 * 3600
YEAR = 365 * DAY
KEPT = b"\xc0\x00\x02\x63"  # 192.0.2.99, which no upstream of the tests says

MAGIC, VERSION, MARK = b"DTPSTATE", 1, b"\xd5REC"
COOKIE_KEY, NAME, ANSWER, END = 1, 2, 3, 4
RD = 1  # of a key's flags

HEAD = struct.Struct("!8sIIQQ4x")
RECORD = struct.Struct("!4sB?HIQQ")

SECOND = 10 ** 9


@dataclasses.dataclass
class Record:
    """first and second are nanoseconds since 1970: when an answer was stored, and its end."""
    kind: int
    key: bytes = b""
    value: bytes = b""
    first: int = 0
    second: int = 0
    is_used: bool = False

    def dump(self, salt):
        head = RECORD.pack(MARK, self.kind, self.is_used, len(self.key), len(self.value), self.first, self.second)
        head += struct.pack("!I", zlib.crc32(self.key + self.value, salt))
        return head + struct.pack("!I", zlib.crc32(head, salt)) + self.key + self.value


class Snapshot:
    """One that is sound, unless a test changes it."""

    def __init__(self, origin, records=(), saved_ns=None, salt=0x12345678, version=VERSION):
        self.origin, self.salt, self.version = origin, salt, version
        self.saved_ns = time.time_ns() if saved_ns is None else saved_ns
        self.records = list(records)

    @classmethod
    def load(cls, path):
        data = path.read_bytes()
        magic, version, salt, saved_ns, origin = HEAD.unpack_from(data)
        assert magic == MAGIC and struct.unpack_from("!I", data, HEAD.size)[0] == zlib.crc32(data[:HEAD.size])
        snapshot, at, ended = cls(origin, saved_ns=saved_ns, salt=salt, version=version), HEAD.size + 4, False
        while at < len(data):
            mark, kind, used, key_size, value_size, first, second = RECORD.unpack_from(data, at)
            body = at + RECORD.size + 8
            assert mark == MARK and not ended
            record = Record(kind, data[body:body + key_size], data[body + key_size:body + key_size + value_size],
                            first, second, used)
            at = body + key_size + value_size
            assert data[body - RECORD.size - 8:at] == record.dump(salt)
            ended = kind == END
            if not ended:
                snapshot.records.append(record)
        assert ended
        return snapshot

    def dump(self):
        head = HEAD.pack(MAGIC, self.version, self.salt, self.saved_ns, self.origin)
        end = Record(END, first=len(self.records))
        return head + struct.pack("!I", zlib.crc32(head)) + b"".join(
            record.dump(self.salt) for record in [*self.records, end])

    def write(self, path):
        path.write_bytes(self.dump())
        path.chmod(0o600)

    def names(self):
        """Of its answers."""
        return [wire.name_from_wire(record.key, 0) for record in self.records if record.kind == ANSWER]

    def shift(self, seconds):
        """As if it had been made so much earlier."""
        self.saved_ns -= int(seconds * SECOND)
        for record in self.records:
            if record.kind == ANSWER:
                record.first -= int(seconds * SECOND)
                record.second -= int(seconds * SECOND)


def key_of(name, qtype="A", flags=RD):
    return wire.name_to_wire(name) + struct.pack("!HB", wire.TYPES[qtype], flags)


def address_record(name, address, ttl=300, age=0, is_used=False):
    """An A record's answer as the program would keep it."""
    question = wire.name_to_wire(name) + struct.pack("!HH", 1, 1)
    answer = b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, ttl, 4) + address
    message = struct.pack("!6H", 0, wire.QR | wire.RD | 0x80, 1, 1, 0, 1) + question + answer + wire.opt()
    first = time.time_ns() - int(age * SECOND)
    return Record(ANSWER, key_of(name), message, first, first + ttl * SECOND, is_used)


def asked(hostile, name):
    return sum(hostile.queries(containing=name).values())


def addresses_of(response):
    return [response[data:end] for _, kind, _, _, data, end in wire.records(response) if kind == wire.TYPES["A"]]


def ttl_of(response):
    return next(ttl for _, kind, _, ttl, _, _ in wire.records(response) if kind != wire.TYPES["OPT"])


def ask_all(proxy, names, qtype="A"):
    with Client(proxy.port) as client:
        return {name: client.ask(wire.query(name, qtype)) for name in names}
