"""misbehaving: a DoT server that sees and makes each TLS record, with the faults of servers that cannot be had from an
ordinary one. Its names are those of hostile (slow-300ms-x, close-x, ...). Run it by Remote(Misbehaving).

How it behaves is set by `behave`, for connections from then on:

    silent          completes handshakes and never answers
    handshake       seconds before it begins to shake hands; None: it never does
    honest          every name is answered as usual, whatever it asks for
    treat           every name that is asked nothing special of is answered like that one (wrongq, cutoff, ...)
    copies          of each answer
    record          bytes of plain text in each TLS record of an answer
    delay           seconds before each answer; several are answered beside each other
    serial          answers the questions of a connection strictly one after another
    answers_max     answers of a connection, after which it ends: `end` is close, reset, fin (no close_notify), half
                    (a close_notify, and it goes on reading), noise (no TLS) or silent (stays open)
    first_of_record reads the first message of each TLS record only
    flood           never stops sending from the first question on: "frames" nobody asked for, "bytes" (the same with
                    one byte in each TLS record), "length" (a message that never ends), "records" (KeyUpdate is left to
                    the library: TLS records of one byte that never make a message)
"""
import asyncio
import collections
import re
import socket
import ssl
import struct

import wire
from hostile import RESET_ON_CLOSE, response_to, usual_answer
from process import free_port
from remote import Remote

FLOOD_TURN = 32 * 1024  # bytes of plain text written at once


class Connection(asyncio.Protocol):
    def __init__(self, server):
        self.server, self.how = server, dict(server.how)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = server.context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        self.transport = None
        self.ready = self.ended = self.flooding = self.waits = False
        self.read = b""
        self.answers = 0
        self.queue = collections.deque()  # serial: what waits for the one being answered
        self.busy = False

    def connection_made(self, transport):
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.server.counts["connections"] += 1
        wait = self.how.get("handshake", 0.0)
        self.waits = wait != 0.0
        if wait:
            asyncio.get_running_loop().call_later(wait, self._begin)

    def _begin(self):
        self.waits = False
        self.data_received(b"")

    def connection_lost(self, error):
        self.ended = True
        self.server.open.discard(self)

    def data_received(self, data):
        self.incoming.write(data)
        if self.waits or self.transport.is_closing():
            return
        try:
            self._advance()
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            self.transport.abort()
        self.flush()

    def _advance(self):
        if not self.ready:
            self.tls.do_handshake()
            self.ready = True
            self.server.open.add(self)
            self.server.counts["sessions"] += 1
        while not self.ended:
            record = self.tls.read(65536)  # never more than a record
            if not record:
                self.transport.close()
                return
            self._record(record)

    def _record(self, record):
        first = not self.read
        self.read += record
        while len(self.read) >= 2 and len(self.read) >= 2 + int.from_bytes(self.read[:2], "big"):
            end = 2 + int.from_bytes(self.read[:2], "big")
            query, self.read = self.read[2:end], self.read[end:]
            if first or not self.how.get("first_of_record"):
                self._asked(query)
            first = False

    def _asked(self, query):
        self.server.counts["queries"] += 1
        self.server.names[wire.name_from_wire(query).lower()] += 1
        if self.ended or self.how.get("silent"):
            return
        if self.how.get("flood") and not self.flooding:
            self.flooding = True
            asyncio.get_running_loop().call_soon(self._flood, query)
        if self.how.get("serial"):
            self.queue.append(query)
            self._next()
        else:
            self._answer_after(query, self.answer)

    def _next(self):
        if self.queue and not self.busy:
            self.busy = True
            self._answer_after(self.queue.popleft(), self._answer_and_next)

    def _answer_and_next(self, query):
        self.answer(query)
        self.busy = False
        self._next()

    def _answer_after(self, query, then):
        how, _, rest = wire.name_from_wire(query).lower().split(".")[0].partition("-")
        delay = self.how.get("delay", 0.0)
        if how == "slow":
            delay += int(re.match(r"\d+", rest).group()) / 1000
        if delay:
            asyncio.get_running_loop().call_later(delay, then, query)
        else:
            then(query)

    def answer(self, query):
        how, _, rest = wire.name_from_wire(query).lower().split(".")[0].partition("-")
        if self.ended:
            return
        if self.how.get("honest"):
            how = "usual"
        if how in ("close", "reset", "fin", "half", "noise"):
            self.end(how)
        elif how == "echo":
            self.send(query)
        elif how == "slow":
            self.answered(self._usual(query) or usual_answer(query))
        elif how != "drop":
            self.answered(self._special(query, how, rest))

    def _special(self, query, how, rest):
        message = response_to(query, how, rest)
        return self._usual(query) or message if how == "ttl" or message == usual_answer(query) else message

    def _usual(self, query):
        """What names of which nothing special is asked are answered; None: as usual."""
        treat = self.how.get("treat")
        return response_to(query, treat, "") if treat else None

    def answered(self, message):
        self.send(message)
        self.answers += 1
        if self.answers == self.how.get("answers_max"):
            self.end(self.how.get("end", "close"))

    def send(self, message):
        data = wire.frame(message) * self.how.get("copies", 1)
        size = self.how.get("record") or len(data)
        for at in range(0, len(data), size):
            self.tls.write(data[at:at + size])
        self.flush()

    def flush(self):
        data = self.outgoing.read()
        if data and not self.transport.is_closing():
            self.transport.write(data)

    def end(self, how):
        self.ended = True
        if how in ("close", "half"):
            try:
                self.tls.unwrap()
            except ssl.SSLError:
                pass
            self.flush()
        if how == "noise":
            self.transport.write(b"HTTP/1.0 400 Bad Request\r\n\r\n")
        if how in ("close", "fin"):
            self.transport.close()
        elif how == "reset":
            self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            self.transport.abort()

    def _flood(self, query):
        if self.transport.is_closing():
            return
        if self.transport.get_write_buffer_size() < 4 * FLOOD_TURN:
            kind = self.how["flood"]
            stray = wire.frame(struct.pack("!H", wire.number_of(query) ^ 0x5555) + usual_answer(query)[2:])
            if kind == "frames":
                self.tls.write(stray * (FLOOD_TURN // len(stray)))
            elif kind == "length":
                self.tls.write(b"\xff" * FLOOD_TURN)
            else:
                for byte in (stray if kind == "bytes" else b"\xff" * 60) * 8:
                    self.tls.write(bytes([byte]))
            self.server.counts["floods"] += 1
            self.flush()
        asyncio.get_running_loop().call_later(0.0005, self._flood, query)


class Misbehaving:
    def __init__(self, port, certificate, key):
        self.port = port
        self.how = {}
        self.counts = collections.Counter()
        self.names = collections.Counter()
        self.open = set()
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.set_alpn_protocols(["dot"])
        self.set_certificate(certificate, key)

    def set_certificate(self, certificate, key):
        """From the next full handshake on."""
        self.context.load_cert_chain(certificate, key)

    async def start(self):
        await asyncio.get_running_loop().create_server(lambda: Connection(self), "127.0.0.1", self.port, backlog=512)

    # commands

    def behave(self, **how):
        self.how = how

    def stats(self):
        return {**{key: 0 for key in ("connections", "sessions", "queries", "floods")}, **self.counts,
                "open": len(self.open)}

    def queries(self, containing=""):
        return {name: count for name, count in self.names.items() if containing in name}

    def forget(self):
        self.counts.clear()
        self.names.clear()

    def silence_all(self):
        """Connections that are open stay so and say nothing any more."""
        for connection in self.open:
            connection.how["silent"] = connection.ended = True


def start_misbehaving(pki, **how):
    """A Misbehaving in a process of its own, listening on `port`."""
    certificate, key = pki.certificate("right")
    remote = Remote(Misbehaving, port=free_port(), certificate=certificate, key=key)
    remote.behave(**how)
    remote.start()
    return remote


class Unreachable:
    """A port on 127.0.0.1 where SYN is not answered: its listener's queue is full and nobody accepts."""

    def __enter__(self):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(0)
        self.port = self.listener.getsockname()[1]
        self.fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", self.port))
            self.fillers.append(filler)
        return self

    def __exit__(self, kind, value, trace):
        for filler in (*self.fillers, self.listener):
            filler.close()
