"""fickle: a hostile upstream that is told while it runs how to treat a name, and whose answers say which they are. Run
it by Remote(Fickle).

A name it was told about is answered A 10.F.N.N: F are the flags it was asked with, N the number of this answer, counted
from 1 for each name; where the answer is negative, N is its SOA record's serial. So a test sees whether two answers are
the same one, and what question the upstream was asked. Names it was not told about are treated as by Hostile.
"""
import asyncio
import ssl
import struct

import wire
from hostile import Hostile, Session, record, response
from process import free_port
from remote import Remote

#: The bits of F.
ASKED_RD, ASKED_AD, ASKED_CD, ASKED_DO = 1, 2, 4, 8

ZONE = wire.name_to_wire("ns.test") + wire.name_to_wire("host.test")


def asked_flags(query):
    flags, opt = wire.flags_of(query), wire.opt_of(query)
    asked = [(ASKED_RD, flags & wire.RD), (ASKED_AD, flags & wire.AD), (ASKED_CD, flags & wire.CD),
             (ASKED_DO, opt and opt[1] & wire.DO)]
    return sum(bit for bit, is_set in asked if is_set)


def flags_of(answer):
    """With which the upstream was asked."""
    _, _, _, _, data, _ = wire.records(answer)[0]
    return answer[data + 1]


def number_of(answer):
    """Of an answer with a record of ours."""
    _, kind, _, _, data, end = wire.records(answer)[0]
    if kind == wire.TYPES["SOA"]:
        return struct.unpack_from("!I", answer, end - 20)[0]
    return struct.unpack_from("!H", answer, data + 2)[0]


def answer_to(query, number, ttls=(300,), extra_ttl=None, soa=None, rcode=wire.NOERROR, truncated=False):
    """`ttls`: one A record each; `extra_ttl`: one more in the additional section; `soa`: no data, but an SOA record
    with that TTL and MINIMUM.
    """
    data = struct.pack("!BBH", 10, asked_flags(query), number)
    flags = wire.QR | 0x80 | (wire.TC if truncated else 0) | wire.flags_of(query) & wire.AD
    if rcode != wire.NOERROR or soa:
        ttls = ()
    authority = []
    if soa:
        data_of_soa = ZONE + struct.pack("!5I", number, 3600, 600, 86400, soa[1])
        authority = [record(wire.TYPES["SOA"], soa[0], data_of_soa)]
    answers = [record(wire.TYPES["A"], ttl, data) for ttl in ttls]
    message = response(query, rcode, answers, authority, flags=flags)
    return message if extra_ttl is None else with_additional(message, record(wire.TYPES["A"], extra_ttl, data))


def with_additional(message, added):
    """In front of the OPT record, if any."""
    found = wire.records(message)
    at = found[-1][0] if found and found[-1][1] == wire.TYPES["OPT"] else len(message)
    count = struct.unpack_from("!H", message, 10)[0] + 1
    return message[:10] + struct.pack("!H", count) + message[12:at] + added + message[at:]


class FickleSession(Session):
    def _asked(self, query):
        name = wire.name_from_wire(query).lower()
        told = self.server.told.get(name)
        if told is None:
            super()._asked(query)
            return
        self.server.names[name] += 1
        self.server.counts["queries"] += 1
        number = self.server.names[name]
        how = {key: value for key, value in told.items() if key not in ("delay", "silent")}
        if not told.get("silent"):
            asyncio.get_running_loop().call_later(told.get("delay", 0), self.send, answer_to(query, number, **how))


class Fickle(Hostile):
    def __init__(self, **arguments):
        super().__init__(**arguments)
        self.told = {}

    async def _handshake(self, raw):
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: FickleSession(self, raw), raw, ssl=self.context, ssl_handshake_timeout=10,
                ssl_shutdown_timeout=1)
        except (OSError, ssl.SSLError):
            self.counts["failed"] += 1

    # commands

    def tell(self, name, **how):
        """From now on: the parts of answer_to; `delay` in seconds; `silent`."""
        self.told[name] = how

    def untell(self, name):
        """Again as by Hostile."""
        del self.told[name]

    def asked(self, name):
        """How often."""
        return self.names[name]


def start_fickle(pki):
    certificate, key = pki.certificate("right")
    remote = Remote(Fickle, port=free_port(), certificate=certificate, key=key)
    remote.start()
    return remote
