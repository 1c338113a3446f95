"""wire: DNS messages as bytes, where a test must not trust a library's reading of them."""
import struct

TYPES = {"A": 1, "NS": 2, "SOA": 6, "HINFO": 13, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33, "OPT": 41, "RRSIG": 46,
         "DNSKEY": 48, "IXFR": 251, "AXFR": 252, "ANY": 255}
NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED = range(6)
BADVERS = 16

QR, RD, AD, CD, TC = 0x8000, 0x0100, 0x0020, 0x0010, 0x0200
DO = 0x8000  # of the OPT record's flags
OPTION_KEEPALIVE, OPTION_PADDING, OPTION_ERROR = 11, 12, 15


def name_to_wire(name):
    labels = [label for label in name.rstrip(".").split(".") if label]
    return b"".join(bytes([len(label)]) + label.encode("latin-1") for label in labels) + b"\0"


def name_from_wire(message, at=12):
    labels = []
    while message[at]:
        labels.append(message[at + 1:at + 1 + message[at]].decode("latin-1"))
        at += 1 + message[at]
    return ".".join(labels)


def option(code, value=b""):
    return struct.pack("!HH", code, len(value)) + value


def opt(options=b"", payload=1232, rcode_high=0, version=0, flags=0):
    return b"\0" + struct.pack("!HHBBHH", TYPES["OPT"], payload, rcode_high, version, flags, len(options)) + options


def query(name, qtype="A", number=1, flags=RD, additional=(), qclass=1):
    """A query; `additional` holds whole records, such as opt()."""
    header = struct.pack("!6H", number, flags, 1, 0, 0, len(additional))
    question = name_to_wire(name) + struct.pack("!HH", TYPES.get(qtype, qtype), qclass)
    return header + question + b"".join(additional)


def frame(message):
    return struct.pack("!H", len(message)) + message


def number_of(message):
    return struct.unpack_from("!H", message)[0]


def flags_of(message):
    return struct.unpack_from("!H", message, 2)[0]


def question_end(message):
    at = 12
    while message[at]:
        at += 1 + message[at]
    return at + 5


def _skip_name(message, at):
    while message[at] and message[at] < 0xC0:
        at += 1 + message[at]
    return at + (2 if message[at] >= 0xC0 else 1)


def records(message):
    """(start, type, class, ttl, data's start, end) of each record behind the question."""
    counts = struct.unpack_from("!4H", message, 4)
    at = question_end(message) if counts[0] else 12
    found = []
    for _ in range(sum(counts[1:])):
        fixed = _skip_name(message, at)
        kind, of_class, ttl, size = struct.unpack_from("!HHIH", message, fixed)
        found.append((at, kind, of_class, ttl, fixed + 10, fixed + 10 + size))
        at = fixed + 10 + size
    return found


def opt_of(message):
    """(class, ttl, {option code: value}) of the OPT record, or None."""
    for _, kind, payload, ttl, data, end in records(message):
        if kind == TYPES["OPT"]:
            options = {}
            while data < end:
                code, size = struct.unpack_from("!HH", message, data)
                options[code] = message[data + 4:data + 4 + size]
                data += 4 + size
            return payload, ttl, options
    return None


def rcode_of(message):
    """All twelve bits."""
    found = opt_of(message) if message[4:6] == b"\0\1" else None
    return (flags_of(message) & 15) | ((found[1] >> 24) << 4 if found else 0)


def error_of(message):
    """(code, text) of the Extended DNS Error, or None."""
    found = opt_of(message)
    value = found[2].get(OPTION_ERROR) if found else None
    return None if value is None else (struct.unpack("!H", value[:2])[0], value[2:].decode())


def errors_of(message):
    """[(code, text)] of all Extended DNS Errors."""
    found = []
    for _, kind, _, _, data, end in records(message):
        while kind == TYPES["OPT"] and data < end:
            code, size = struct.unpack_from("!HH", message, data)
            if code == OPTION_ERROR:
                found.append((struct.unpack_from("!H", message, data + 4)[0],
                              message[data + 6:data + 4 + size].decode()))
            data += 4 + size
    return found


def content(message):
    """All of a response but for its TTLs, of which one may be a second older, and the order of its records."""
    end = question_end(message) if message[4:6] == b"\0\1" else 12
    found = sorted((message[start:data - 6] + message[data - 2:stop], ttl if kind == TYPES["OPT"] else None)
                   for start, kind, _, ttl, data, stop in records(message))
    return message[:end], found


def without_hop(message):
    """The message without what belongs to one hop: id, OPT record. For comparing an answer with what upstream said."""
    body, dropped = bytearray(message), 0
    for start, kind, _, _, _, end in reversed(records(message)):
        if kind == TYPES["OPT"]:
            del body[start:end]
            dropped += 1
    struct.pack_into("!H", body, 10, struct.unpack_from("!H", body, 10)[0] - dropped)
    body[0:2] = b"\0\0"
    return bytes(body)
