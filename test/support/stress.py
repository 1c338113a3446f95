"""stress: peers that send what nobody should send, on every side of the program: upstream, on the way to it, clients,
HTTP. Run them by Remote.
"""
import asyncio
import collections
import random
import socket
import struct
import time

import wire
from hostile import Hostile, Session
from mutation import mutated
from relay import Pair, Relay

RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER with no time: close sends RST
HTTP_PATHS = ("/", "/metrics", "/status.json", "/healthz", "/readyz", "/page.js", "/nothing", "*",
              "http://localhost/metrics")
HTTP_LINES = (b"Host: localhost", b"Content-Length: 0", b"Content-Length: 5", b"Transfer-Encoding: chunked",
              b"Connection: close", b"Connection: keep-alive", b"Accept: application/openmetrics-text;q=0.9, */*;q=0.1",
              b"Accept-Encoding: gzip", b"Origin: http://localhost", b"Expect: 100-continue", b"X: " + b"y" * 5000)


class MutatingSession(Session):
    """Every third response is changed; some come twice, in pieces, or with more behind them."""

    def _asked(self, query):
        try:
            super()._asked(query)
        except (ValueError, AttributeError, IndexError):
            self.send(query)  # a changed name that tells nothing it could do

    def send(self, message):
        chance = self.server.random
        if self.transport.is_closing() or self.silent:
            return
        if not self.server.mutates or chance.random() > 0.35:
            super().send(message)
            return
        self.server.counts["mutated"] += 1
        content = wire.frame(mutated(chance, message))
        if chance.random() < 0.1:
            content += content
        if chance.random() < 0.1:
            content = mutated(chance, content)  # the frame's length, too
        if chance.random() < 0.05:
            content += chance.randbytes(3000)
        middle = chance.randrange(len(content) + 1)
        self.transport.write(content[:middle])
        self.transport.write(content[middle:])
        if chance.random() < 0.02:
            self.end(chance.choice(("close", "reset", "silent")))


class MutatingUpstream(Hostile):
    session_class = MutatingSession

    def __init__(self, seed, **arguments):
        super().__init__(**arguments)
        self.random = random.Random(seed)
        self.mutates = True

    def set_mutates(self, mutates):
        self.mutates = mutates


class CorruptingPair(Pair):
    """Of what passes, one chunk in thirty is changed, dropped, sent twice, or the last."""

    def passed(self, side, data):
        chance = self.relay.random
        if self.relay.corrupts and chance.random() < 1 / 30:
            self.relay.counts["corrupted"] += 1
            kind = chance.randrange(5)
            if kind == 0:
                return
            if kind == 1:
                self.close(reset=chance.random() < 0.5)
                return
            data = data + data if kind == 2 else mutated(chance, data)
        super().passed(side, data)


class CorruptingRelay(Relay):
    pair_class = CorruptingPair

    def __init__(self, seed, **arguments):
        super().__init__(**arguments)
        self.random = random.Random(seed)
        self.corrupts = True

    def set_corrupts(self, corrupts):
        self.corrupts = corrupts


class Mob:
    """Clients of DNS over TCP and UDP and of HTTP, that send valid and changed messages, and leave when they like."""

    def __init__(self, port, http_port, seed):
        self.port, self.http_port = port, http_port
        self.random = random.Random(seed)
        self.counts = collections.Counter()

    async def run(self, seconds, clients=6):
        end = time.monotonic() + seconds
        visits = (self._dns, self._dns, self._http, self._datagrams)
        await asyncio.gather(*(self._repeat(visits[i % len(visits)], end) for i in range(clients)))
        return dict(self.counts)

    async def _repeat(self, visit, end):
        while time.monotonic() < end:
            try:
                await asyncio.wait_for(visit(), 5)
            except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError):
                self.counts["broken"] += 1
            await asyncio.sleep(self.random.choice((0, 0.002, 0.02)))

    def query(self):
        chance = self.random
        name = chance.choice((f"new-{chance.randrange(10 ** 9)}.test", f"ttl-1-hot{chance.randrange(20)}.test",
                              f"big-{chance.randrange(1000)}.test", f"close-{chance.randrange(10 ** 6)}.test",
                              f"drop-{chance.randrange(10 ** 6)}.test", f"nx-{chance.randrange(1000)}.test",
                              "localhost", "."))
        additional = [wire.opt(chance.choice((b"", wire.option(10, bytes(8)), wire.option(11),
                                              wire.option(12, bytes(9)))))]
        message = wire.query(name, chance.choice((*wire.TYPES, 65, 255)), chance.randrange(65536),
                             additional=chance.choice(([], additional)))
        return mutated(chance, message) if chance.random() < 0.5 else message

    async def _dns(self):
        chance = self.random
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            content = b"".join(wire.frame(self.query()) for _ in range(chance.choice((1, 2, 20))))
            if chance.random() < 0.2:
                content = mutated(chance, content)
            middle = chance.randrange(len(content) + 1)
            writer.write(content[:middle])
            await asyncio.sleep(chance.choice((0, 0.001)))
            writer.write(content[middle:])
            if chance.random() < 0.3:
                writer.write_eof()
            if chance.random() < 0.7:
                await asyncio.wait_for(reader.read(4096), 1)
            if chance.random() < 0.3:
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            self.counts["dns"] += 1
        finally:
            writer.transport.abort() if chance.random() < 0.5 else writer.close()

    async def _datagrams(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
            plain.setblocking(False)
            plain.connect(("127.0.0.1", self.port))
            for _ in range(10):
                plain.send(self.query()[:65000])
                self.counts["datagrams"] += 1

    def request(self):
        chance = self.random
        if chance.random() < 0.2:
            name = f"ttl-1-hot{chance.randrange(20)}.test"
            line = chance.choice((f"POST /cache/purge?name={name}", f"POST /cache/flush?name={name}",
                                  "POST /cache/purge", "POST /cache/flush")).encode()
        else:
            line = f"{chance.choice(('GET', 'HEAD', 'POST', 'OPTIONS', 'PUT'))} {chance.choice(HTTP_PATHS)}".encode()
        lines = [line + b" HTTP/1.1", HTTP_LINES[0], *chance.sample(HTTP_LINES, chance.randrange(4))]
        request = b"\r\n".join(lines) + b"\r\n\r\n" + b"hello"[:chance.choice((0, 5))]
        return mutated(chance, request) if chance.random() < 0.4 else request

    async def _http(self):
        chance = self.random
        reader, writer = await asyncio.open_connection("127.0.0.1", self.http_port)
        try:
            writer.write(b"".join(self.request() for _ in range(chance.choice((1, 1, 3)))))
            if chance.random() < 0.8:
                await asyncio.wait_for(reader.read(chance.choice((10, 100000))), 1)
            self.counts["http"] += 1
        finally:
            writer.transport.abort() if chance.random() < 0.5 else writer.close()
