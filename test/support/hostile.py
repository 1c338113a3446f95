"""hostile: a DoT server of ours that does what the name asked for tells it to, and counts what it sees. Run it by
Remote(Hostile).

The first label says how a question is treated; what follows the last "-" only makes the name new:

    slow-300ms-x      answered after so long           drop-x      never answered
    ttl-7-x           answered with this TTL           nx-x        NXDOMAIN
    servfail-x refused-x                               big-x       TXT or A of 4 kB, or so many bytes
    huge-x            TXT of 15 kB
    close-x           the connection is closed         reset-x     the connection is reset
    cut-x             half a frame, then closed        garbage-x   a frame of noise
    short-x           a frame of 5 bytes               wrongid-x   another id
    wrongq-x          another question                 wrongtype-x another type
    notreply-x        QR is 0                          broken-x    a record that runs over the end
    withdrawn-N-x     withdrawn within 12 s, see below
    together-N-x      answered when N such were asked, those of a session with one write
    any label of crafted.py
    anything else: A 192.0.2.1, AAAA 2001:db8::1, TXT; other types: no data
"""
import asyncio
import collections
import re
import socket
import ssl
import struct
import time

import wire
from crafted import craft
from process import free_port
from remote import Remote

RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER with no time: close sends RST
SOA = wire.name_to_wire("ns.test") + wire.name_to_wire("host.test") + struct.pack("!5I", 1, 3600, 600, 86400, 60)


#: Seconds of the clock that all processes share: names withdrawn-N-x of the N-th cycle are withdrawn so long after its
#: begin.
GONE_CYCLE, GONE_AFTER = 12.0, 4.0


def record(kind, ttl, data):
    return b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data


def response(query, rcode=wire.NOERROR, answers=(), authority=(), number=None, flags=wire.QR | 0x80, question=None):
    """What a server says to `query`: its id, question and RD; an OPT record where it had one."""
    end = wire.question_end(query)
    with_opt = wire.opt_of(query) is not None
    number = wire.number_of(query) if number is None else number
    flags |= wire.flags_of(query) & (wire.RD | wire.CD) | rcode
    header = struct.pack("!6H", number, flags, 1, len(answers), len(authority), int(with_opt))
    records = b"".join(answers) + b"".join(authority) + (wire.opt() if with_opt else b"")
    return header + (question or query[12:end]) + records


def texts(size):
    return b"".join(b"\xff" + bytes([97 + i % 26]) * 255 for i in range(size // 256))


def usual_answer(query, ttl=300):
    kind = struct.unpack_from("!H", query, wire.question_end(query) - 4)[0]
    data = {wire.TYPES["A"]: b"\xc0\x00\x02\x01", wire.TYPES["AAAA"]: b"\x20\x01\x0d\xb8" + b"\0" * 11 + b"\1",
            wire.TYPES["TXT"]: b"\x04text"}.get(kind)
    if data is None:
        return response(query, authority=[record(wire.TYPES["SOA"], 60, SOA)])
    return response(query, answers=[record(kind, ttl, data)])


def withdrawn(query, cycle):
    """There is the name at first, then it is withdrawn by an answer that may not be kept, then the upstream fails."""
    since = time.monotonic() - cycle * GONE_CYCLE
    if since < GONE_AFTER:
        return usual_answer(query, 1)
    return response(query, wire.NXDOMAIN if since < 2 * GONE_AFTER else wire.SERVFAIL)


def treated(query, how, argument):
    """The response's bytes for every treatment that is but another response."""
    kind = struct.unpack_from("!H", query, wire.question_end(query) - 4)[0]
    if how == "ttl":
        return usual_answer(query, int(argument))
    if how == "nx":
        return response(query, wire.NXDOMAIN, authority=[record(wire.TYPES["SOA"], 60, SOA)])
    if how == "servfail":
        return response(query, wire.SERVFAIL)
    if how == "refused":
        return response(query, wire.REFUSED)
    if how == "big":
        size = int(argument) if argument.isdigit() and int(argument) >= 256 else 4096
        return response(query, answers=[record(kind, 300, texts(size))] if kind == wire.TYPES["TXT"] else
                        [record(1, 300, b"\xc0\x00" + struct.pack("!H", i)) for i in range(size // 16)])
    if how == "huge":
        return response(query, answers=[record(kind, 300, texts(15 * 1024))])
    if how == "withdrawn":
        return withdrawn(query, int(argument))
    if how == "garbage":
        return bytes(range(7, 250))
    if how == "short":
        return query[:5]
    if how == "wrongid":
        return response(query, number=wire.number_of(query) ^ 0x5555)
    if how == "wrongq":
        return response(query, question=wire.name_to_wire("other.test") + b"\0\1\0\1")
    if how == "wrongtype":
        return response(query, question=query[12:wire.question_end(query) - 4] + b"\0\x0f\0\1")
    if how == "notreply":
        return response(query, flags=0)
    if how == "broken":
        return response(query, answers=[b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 300, 400) + b"\xc0\x00\x02\x01"])
    return usual_answer(query)


def response_to(query, how, rest):
    """The response's bytes for every label that is but another response."""
    return craft(query, how, rest) or treated(query, how, rest.partition("-")[0])


class Session(asyncio.Protocol):
    """One connection, its handshake done."""

    def __init__(self, server, raw):
        self.server, self.raw = server, raw
        self.transport = None
        self.read = b""
        self.silent = False
        self.used = time.monotonic()

    def connection_made(self, transport):
        self.transport = transport
        resumed = transport.get_extra_info("ssl_object").session_reused
        self.server.counts["resumed" if resumed else "full"] += 1
        self.server.sessions.add(self)
        self.server.counts["most_open"] = max(self.server.counts["most_open"], len(self.server.sessions))

    def connection_lost(self, error):
        self.silent = True
        self.server.sessions.discard(self)

    def data_received(self, data):
        self.used = time.monotonic()
        self.server.counts["bytes"] += len(data)
        self.read += data
        while len(self.read) >= 2 and len(self.read) >= 2 + int.from_bytes(self.read[:2], "big"):
            end = 2 + int.from_bytes(self.read[:2], "big")
            query, self.read = self.read[2:end], self.read[end:]
            if not self.silent:
                self._asked(query)

    def _asked(self, query):
        name = wire.name_from_wire(query).lower()
        self.server.names[name] += 1
        self.server.counts["queries"] += 1
        self.server.last_query = query.hex()
        how, _, rest = name.split(".")[0].partition("-")
        argument = rest.partition("-")[0]
        if self.server.honest:
            self.send(usual_answer(query))
        elif how == "slow":
            delay = int(re.match(r"\d+", argument).group()) / 1000
            asyncio.get_running_loop().call_later(delay, self.send, usual_answer(query))
        elif how == "together":
            self.server.hold(self, usual_answer(query), int(argument))
        elif how in ("close", "reset"):
            self.end(how)
        elif how == "cut":
            self.transport.write(b"\0\x80" + response(query)[:20])
            self.end("close")
        elif how != "drop":
            self.send(response_to(query, how, rest))

    def send(self, *messages):
        if not self.transport.is_closing() and not self.silent:
            self.transport.write(b"".join(wire.frame(message) for message in messages))

    def end(self, how):
        """close: with close_notify; fin: without; reset; silent: stays open and says nothing any more."""
        self.silent = True
        if how == "close":
            self.transport.close()
        elif how != "silent":
            if how == "reset":
                self.raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            self.transport.abort()


class Hostile:
    session_class = Session

    def __init__(self, port, certificate, key, tls12=False, honest=False, host="127.0.0.1"):
        self.port, self.host = port, host  # "::": IPv4, too
        self.honest = honest  # answers every question as usual
        self.counts = collections.Counter()
        self.names = collections.Counter()
        self.last_query = ""
        self.sessions = set()
        self.handshakes = set()
        self.held = []  # (session, answer)
        self.listener = None
        self.idle = None  # (seconds, how)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.set_alpn_protocols(["dot"])
        if tls12:
            self.context.maximum_version = ssl.TLSVersion.TLSv1_2
        self.set_certificate(certificate, key)

    def set_certificate(self, certificate, key):
        """From the next full handshake on; tickets given out before stay good, as with servers that share their
        ticket keys.
        """
        self.context.load_cert_chain(certificate, key)

    async def start(self):
        family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
        listening = socket.create_server((self.host, self.port), family=family, backlog=512,
                                         dualstack_ipv6=self.host == "::")
        listening.setblocking(False)
        self.listener = asyncio.get_running_loop().create_task(self._accept(listening))

    async def _accept(self, listening):
        loop = asyncio.get_running_loop()
        try:
            while True:
                raw, _ = await loop.sock_accept(listening)
                self.counts["connections"] += 1
                task = loop.create_task(self._handshake(raw))
                self.handshakes.add(task)
                task.add_done_callback(self.handshakes.discard)
        finally:
            listening.close()

    async def _handshake(self, raw):
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: self.session_class(self, raw), raw, ssl=self.context, ssl_handshake_timeout=10,
                ssl_shutdown_timeout=1)
        except (OSError, ssl.SSLError):
            self.counts["failed"] += 1

    def hold(self, session, answer, count):
        """Until there are so many."""
        self.held.append((session, answer))
        if len(self.held) == count:
            for each in {session for session, _ in self.held}:
                each.send(*(answer for session, answer in self.held if session is each))
            self.held.clear()

    # commands

    def stats(self):
        return {**{key: 0 for key in ("connections", "full", "resumed", "failed", "queries", "bytes", "most_open")},
                **self.counts, "open": len(self.sessions)}

    def queries(self, containing=""):
        """name -> how often it was asked."""
        return {name: count for name, count in self.names.items() if containing in name}

    def last(self):
        """The last query, in hex."""
        return self.last_query

    def forget(self):
        self.counts.clear()
        self.names.clear()

    def end_all(self, how):
        for session in list(self.sessions):
            session.end(how)

    def end_idle(self, seconds, how):
        """Ends connections that were idle for so long, as public resolvers do."""
        first = self.idle is None
        self.idle = (seconds, how)
        if first:
            asyncio.get_running_loop().call_soon(self._look_for_idle)

    def _look_for_idle(self):
        seconds, how = self.idle
        for session in list(self.sessions):
            if time.monotonic() - session.used >= seconds:
                session.end(how)
        asyncio.get_running_loop().call_later(0.005, self._look_for_idle)

    async def go(self):
        """Gone: refuses connections, and all there were are reset."""
        tasks = [self.listener, *self.handshakes]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.end_all("reset")

    async def come_back(self):
        await self.start()


def start_hostile(pki, kind="right", port=None, **options):
    """A Hostile in a process of its own, listening on `port`, with the certificate of that kind."""
    certificate, key = pki.certificate(kind)
    remote = Remote(Hostile, port=port or free_port(), certificate=certificate, key=key, **options)
    remote.start()
    return remote
