"""crafted: responses that an upstream may give and should not, or that are legal and rare. Each is made from the query
alone; `hostile` gives them by the first label of the name asked (its docstring has the rest).

    notimp formerr badvers yxdomain notauth   an rcode, with the question
    bare-5-x            a header with this rcode and nothing else     bareopt-5-6-x   the same with OPT and this error
    noquestion-x        an answer without a question                  echo-x          the query as it came
    cutoff-x            TC is set                                     trailing-x      a byte behind the end
    shorta-x            an A record of three bytes                    needsplain-x    FORMERR where there is OPT
    ede-2-6-x           this rcode, with this error and a text        forged-x        an address, and error 4
    errors-x            an address, and five errors with texts        dirty-x         one whose text is not clean
    optfirst-x          OPT, then an address                          optfirst33-x    the same behind 33 strings
    optfirst1500-x      the same behind 1,500 addresses               full-65535-x    so many bytes, no OPT
    hugettl-x           a TTL of 2^32-1                               overttl-x       a referral with TTLs above max_ttl
    lone-x              a CNAME record alone                          rotate-x        four addresses
    rare-23-x           a record of this type                         costly-x        64 kB of names of 120 pointers
    aliases-x           64 kB of CNAME records of such names      fan-x           the same, each name another one
"""
import struct

import wire

POINTER = b"\xc0\x0c"  # to the question's name
HEADER = struct.Struct("!6H")
RCODES = {"notimp": 4, "formerr": 1, "badvers": 16, "yxdomain": 6, "notauth": 9}


def record(kind, ttl, data, owner=POINTER):
    return owner + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data


def error(code, text=b""):
    return wire.option(15, struct.pack("!H", code) + text)


def question_of(query):
    return query[12:wire.question_end(query)]


def response(query, rcode=0, answers=(), authority=(), additional=(), flags=0, question=None):
    """With those records and no others."""
    question = question_of(query) if question is None else question
    flags |= wire.QR | 0x80 | wire.flags_of(query) & (wire.RD | wire.CD) | rcode & 15
    counts = (int(bool(question)), len(answers), len(authority), len(additional))
    return HEADER.pack(wire.number_of(query), flags, *counts) + question + b"".join((*answers, *authority, *additional))


def with_opt(query, rcode=0, options=b"", **parts):
    return response(query, rcode, additional=[wire.opt(options, rcode_high=rcode >> 4)], **parts)


def address(last=1, ttl=300):
    return record(1, ttl, bytes((192, 0, 2, last)))


def full(query, size):
    """One record of octets that fills the message."""
    front = response(query, answers=[record(16, 300, b"")])
    strings, left = b"", size - len(front)
    while left > 0:
        length = min(255, left - 1)
        strings += bytes((length,)) + b"x" * length
        left -= 1 + length
    return response(query, answers=[record(16, 300, strings)])


def _chain(at, pointers):
    """Octets that lie at `at`: a name that leads through so many pointers to the question's. With where it begins."""
    chain, previous = b"", 12
    for _ in range(pointers):
        begin = at + len(chain)
        chain += b"\1a" + struct.pack("!H", 0xC000 | previous)
        previous = begin
    return chain, previous


def fan(query):
    """64 kB of records, the owner of each another name, which leads through 120 pointers."""
    end = len(response(query))
    chain, deepest = _chain(end + 12, 118)
    owners = []
    while (at := end + 12 + len(chain)) < 0x4000 - 4:
        owners.append(struct.pack("!H", 0xC000 | at))
        chain += b"\1b" + struct.pack("!H", 0xC000 | deepest)
    answers = [record(65280, 300, chain)]
    count = (65535 - end - len(answers[0])) // 16
    answers += [record(1, 300, b"\xc0\x00\x02\x01", owners[i % len(owners)]) for i in range(count)]
    return response(query, answers=answers)


def costly(query, kind):
    """64 kB of records whose owner, and data where they are a name, lead through 120 pointers."""
    end = len(response(query))
    pointers = min(119, (255 - (len(question_of(query)) - 4)) // 2)  # no name is longer than 255 octets
    chain, previous = _chain(end + 12, pointers)
    deepest = struct.pack("!H", 0xC000 | previous)
    data = b"\xc0\x00\x02\x01" if kind == 1 else deepest
    answers = [record(65280, 300, chain)]
    each = record(kind, 300, data, deepest)
    answers += [each] * ((65535 - end - len(answers[0])) // len(each))
    return response(query, answers=answers)


def errors(query):
    texts = ((22, b"no authority"), (23, b"192.0.2.53:53 rcode=REFUSED"), (0, "\u00fcberlastet".encode()), (3, b""),
             (49152, b"own"))
    return with_opt(query, options=b"".join(error(*each) for each in texts), answers=[address()])


def _opt_first(query, answers):
    return response(query, answers=answers, additional=[wire.opt(), address(53)])


def _bare(query, rcode, code=None):
    additional = [] if code is None else [wire.opt(error(code, b"bare"))]
    return response(query, rcode, additional=additional, question=b"")


SIMPLE = {
    "noquestion": lambda query: response(query, answers=[record(1, 300, b"\xc0\x00\x02\x01", question_of(query)[:-4])],
                                         question=b""),
    "echo": lambda query: query,
    "cutoff": lambda query: response(query, answers=[address()], flags=wire.TC),
    "trailing": lambda query: response(query, answers=[address()]) + b"\0",
    "shorta": lambda query: response(query, answers=[record(1, 300, b"\1\2\3")]),
    "needsplain": lambda query: response(query, 1) if wire.opt_of(query) else response(query, answers=[address(7)]),
    "forged": lambda query: with_opt(query, options=error(4, b"filtered"), answers=[address(0)]),
    "errors": errors,
    "dirty": lambda query: with_opt(query, options=error(22, b"a\r\nb\x1b[0m\xff\0"), answers=[address()]),
    "optfirst": lambda query: _opt_first(query, [address()]),
    "optfirst33": lambda query: _opt_first(query, [record(16, 300, (b"\xff" + b"x" * 255) * 33)]),
    "optfirst1500": lambda query: _opt_first(query, [address(i % 256) for i in range(1500)]),
    "hugettl": lambda query: response(query, answers=[address(1, 0xFFFFFFFF)]),
    "overttl": lambda query: response(query, authority=[record(2, 0x7FFFFFFF, b"\2ns\0")]),
    "lone": lambda query: response(query, answers=[record(5, 300, b"\5alias\4test\0")]),
    "rotate": lambda query: response(query, answers=[address(i) for i in range(4)]),
    "costly": lambda query: costly(query, 1),
    "aliases": lambda query: costly(query, 5),
    "fan": fan,
}


def craft(query, how, argument):
    """The response, or None where `how` is no name of this list. `argument`: what follows it in the label."""
    parts = argument.split("-")
    if how in RCODES:
        return with_opt(query, RCODES[how])
    if how == "bare":
        return _bare(query, int(parts[0]))
    if how == "bareopt":
        return _bare(query, int(parts[0]), int(parts[1]))
    if how == "ede":
        return with_opt(query, int(parts[0]), error(int(parts[1]), b"because"))
    if how == "full":
        return full(query, int(parts[0]))
    if how == "rare":
        return response(query, answers=[record(int(parts[0]), 300, b"\4nsap\4test\0")])
    return SIMPLE[how](query) if how in SIMPLE else None
