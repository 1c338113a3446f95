"""relay: TCP between the proxy and a DoT server, with the faults of real networks on command. Run it by
Remote(Relay).
"""
import asyncio
import collections
import contextlib
import socket
import struct
import time

from process import free_port
from remote import Remote

RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER with no time: close sends RST


class Side(asyncio.Protocol):
    """One of a connection's two ends; hands what it reads to the other one."""

    def __init__(self, pair):
        self.pair = pair
        self.other = None
        self.transport = None
        self.late = collections.deque()  # chunks under way, where there is a delay

    def connection_made(self, transport):
        self.transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def data_received(self, data):
        self.pair.passed(self, data)

    def eof_received(self):
        self.pair.ended(self)
        return True

    def connection_lost(self, error):
        self.pair.ended(self)

    def send_late(self):
        data = self.late.popleft()
        if not self.transport.is_closing():
            self.transport.write(data)


class Pair:
    """A client's connection and ours to the server."""

    def __init__(self, relay):
        self.relay = relay
        self.client, self.server = Side(self), Side(self)
        self.client.other, self.server.other = self.server, self.client
        self.hung = False
        self.used = time.monotonic()

    def passed(self, side, data):
        now = time.monotonic()
        if self.relay.swallow_after and now - self.used > self.relay.swallow_after:
            self.hung = True
        self.used = now
        if self.relay.changes_next and side is self.server:
            self.relay.changes_next = False
            data = data[:-1] + bytes([data[-1] ^ 1])
        if self.hung or self.relay.hang_new:
            self.hung = True
            self.relay.counts["swallowed_bytes"] += len(data)
        elif self.relay.delay:
            side.other.late.append(data)
            asyncio.get_running_loop().call_later(self.relay.delay, side.other.send_late)
        elif side.other.transport and not side.other.transport.is_closing():
            side.other.transport.write(data)

    def ended(self, side):
        if not self.hung or side is self.client:
            self.close()

    def close(self, reset=False):
        self.relay.pairs.discard(self)
        for side in (self.client, self.server):
            if side.transport and not side.transport.is_closing():
                if reset:
                    raw = side.transport.get_extra_info("socket")
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
                    side.transport.abort()
                else:
                    side.transport.close()


class Relay:
    """Listens on `port`, connects to `target`."""

    pair_class = Pair

    def __init__(self, port, target):
        self.port, self.target = port, target
        self.pairs = set()
        self.counts = collections.Counter()
        self.delay = 0.0
        self.swallow_after = 0.0
        self.hang_new = False
        self.changes_next = False
        self.listening = None  # the socket
        self.listener = None  # the task that accepts
        self.fillers = []
        self.fault = None

    async def start(self):
        self.listening = socket.create_server(("127.0.0.1", self.port), backlog=512)
        self.listening.setblocking(False)
        self.listener = asyncio.get_running_loop().create_task(self._accept())

    async def _accept(self):
        loop = asyncio.get_running_loop()
        while True:
            client, _ = await loop.sock_accept(self.listening)
            self.counts["connections"] += 1
            await self._join(client)

    async def _join(self, client):
        loop = asyncio.get_running_loop()
        pair = self.pair_class(self)
        try:
            await loop.create_connection(lambda: pair.server, "127.0.0.1", self.target)
        except OSError:
            client.close()
            return
        self.pairs.add(pair)
        await loop.connect_accepted_socket(lambda: pair.client, client)

    # commands

    def stats(self):
        return {**self.counts, "open": len(self.pairs)}

    def set_delay(self, seconds):
        """Each way."""
        self.delay = seconds

    def set_swallow_after(self, seconds):
        """A connection that was idle for so long passes nothing any more, as behind a NAT that forgot it."""
        self.swallow_after = seconds

    def change_next(self):
        """One bit of what the server sends next is changed on its way."""
        self.changes_next = True

    def set_hang_new(self, hang):
        """Connections are accepted and stay silent."""
        self.hang_new = hang

    def close_all(self, reset=False):
        self.counts["resets" if reset else "closes"] += 1
        for pair in list(self.pairs):
            pair.close(reset)

    def hang_all(self):
        self.counts["hangs"] += 1
        for pair in self.pairs:
            pair.hung = True

    async def _stop_accepting(self):
        if self.listener:
            self.listener.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.listener
            self.listener = None

    async def refuse(self):
        """No more connections from now on; those there are stay."""
        await self._stop_accepting()
        self.listening.close()

    async def accept(self):
        if not self.listener:
            await self.start()

    async def drop_syn(self):
        """SYN is not answered from now on: the queue of the listener is full. Connections there are stay."""
        await self._stop_accepting()
        self.listening.listen(0)
        self.fillers = [socket.socket() for _ in range(4)]
        for filler in self.fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", self.port))

    async def answer_syn(self):
        for filler in self.fillers:
            filler.close()
        self.fillers = []
        if not self.listener:
            self.listening.listen(512)
            self.listener = asyncio.get_running_loop().create_task(self._accept())

    def repeat_fault(self, kind, every, refuse_for=0.0):
        """`kind` is reset, close, or hang; again and again until stop_fault."""
        self.stop_fault()
        self.fault = asyncio.get_running_loop().create_task(self._repeat(kind, every, refuse_for))

    def stop_fault(self):
        if self.fault:
            self.fault.cancel()
        self.fault = None

    async def _repeat(self, kind, every, refuse_for):
        while True:
            await asyncio.sleep(every)
            if refuse_for:
                await self.refuse()
            if kind == "hang":
                self.hang_all()
            else:
                self.close_all(reset=kind == "reset")
            if refuse_for:
                await asyncio.sleep(refuse_for)
                await self.accept()


def start_relay(target):
    """A Relay in a process of its own, listening on `port`, to the server on port `target`."""
    remote = Remote(Relay, port=free_port(), target=target)
    remote.start()
    return remote
