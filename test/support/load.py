"""load: many clients at once: pipelined questions, answers in any order, every one accounted for. Run it by
Remote(Load).
"""
import asyncio
import collections
import itertools
import math
import struct
import time

import wire

TICK = 0.002  # how often questions due are sent: short beside any latency looked at


class Latencies:
    """Counted in steps of 1 %, so that millions take no more room than a few; the longest is exact."""

    STEPS = 70  # a doubling

    def __init__(self):
        self.counts = collections.Counter()
        self.longest = 0.0

    def add(self, seconds):
        self.counts[round(math.log2(max(seconds, 1e-6)) * self.STEPS)] += 1
        self.longest = max(self.longest, seconds)

    def add_all(self, others):
        self.counts += others.counts
        self.longest = max(self.longest, others.longest)

    def part_ms(self, share):
        """What that share of them stayed under; None of none."""
        rest = self.counts.total() * share
        for step, count in sorted(self.counts.items()):
            rest -= count
            if rest < 0:
                return round(min(2 ** (step / self.STEPS), self.longest) * 1000, 3)
        return round(self.longest * 1000, 3) if self.counts else None


class Group:
    """What became of the questions whose names begin alike."""

    def __init__(self, kind="A"):
        self.kind = struct.pack("!2H", wire.TYPES[kind], 1)  # type and class asked for
        self.sent = 0
        self.lost = 0
        self.rcodes = collections.Counter()
        self.latencies = Latencies()
        self.on_answer = None  # called with (question, when it was sent, answer) where set

    def answered(self):
        return self.rcodes.total()

    def add_all(self, other):
        self.sent += other.sent
        self.lost += other.lost
        self.rcodes += other.rcodes
        self.latencies.add_all(other.latencies)

    def report(self):
        part_ms = self.latencies.part_ms
        return {"sent": self.sent, "answered": self.answered(), "lost": self.lost,
                "rcodes": {str(rcode): count for rcode, count in self.rcodes.items()},
                "p50_ms": part_ms(0.5), "p99_ms": part_ms(0.99), "max_ms": part_ms(1.0)}


class Connection(asyncio.Protocol):
    def __init__(self, load):
        self.load = load
        self.transport = None
        self.read = bytearray()
        self.waiting = {}  # id -> (group, question's bytes, when sent)
        self.numbers = itertools.cycle(range(65536))
        self.left = False

    def connection_made(self, transport):
        self.transport = transport

    def ask(self):
        name, group = self.load.next_name()
        number = next(n for n in self.numbers if n not in self.waiting)
        question = wire.name_to_wire(name) + group.kind
        message = struct.pack("!6H", number, wire.RD, 1, 0, 0, 0) + question
        self.waiting[number] = (group, question, time.monotonic())
        group.sent += 1
        return wire.frame(message)

    def ask_many(self, count):
        if count > 0 and self.transport and not self.transport.is_closing():
            self.transport.write(b"".join(self.ask() for _ in range(count)))

    def data_received(self, data):
        self.read += data
        at, answered = 0, 0
        while len(self.read) - at >= 2:
            end = at + 2 + (self.read[at] << 8 | self.read[at + 1])
            if len(self.read) < end:
                break
            self._answered(bytes(self.read[at + 2:end]))
            at, answered = end, answered + 1
        del self.read[:at]
        self.load.refill(self, answered)

    def _answered(self, message):
        group, question, sent = self.waiting.pop(wire.number_of(message), (None, None, None))
        if group is None:
            self.load.unexpected += 1  # nobody asked, or it was answered before
        elif not message.startswith(question, 12) or not wire.flags_of(message) & wire.QR:
            self.load.mismatched += 1
        else:
            group.latencies.add(time.monotonic() - sent)
            group.rcodes[message[3] & 15] += 1
            if group.on_answer:
                group.on_answer(question, sent, message)

    def leave(self):
        self.left = True
        self.transport.close()

    def connection_lost(self, error):
        if not (self.load.done or self.left):
            self.load.closed += 1
        for group, _, _ in self.waiting.values():
            group.lost += 1
        self.waiting.clear()


class Load:
    """Questions for A of <prefix><number>.<zone>, the prefixes in turn, so that the share of each is exact."""

    def __init__(self, port, host="127.0.0.1", zone="test", prefixes=("n",), names=0):
        self.port, self.host, self.zone = port, host, zone
        self.prefixes = itertools.cycle(prefixes)
        self.groups = {prefix: Group() for prefix in prefixes}
        self.numbers = itertools.cycle(range(names)) if names else itertools.count()
        self.unexpected = self.mismatched = self.closed = 0
        self.done = False
        self.in_flight = 0  # > 0: as fast as answers come, so many on each connection
        self.end = 0.0

    def next_name(self):
        prefix = next(self.prefixes)
        return f"{prefix}{next(self.numbers)}.{self.zone}", self.groups[prefix]

    def refill(self, connection, answered):
        if self.in_flight and time.monotonic() < self.end:
            connection.ask_many(answered)

    async def _connect(self):
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: Connection(self), self.host, self.port)
        return connection

    async def run(self, seconds, rate=0, connections=10, in_flight=0, patience=6.0):
        """`rate` questions a second over all connections, or `in_flight` on each. Waits at most `patience` for the
        last answers.
        """
        clients = [await self._connect() for _ in range(connections)]
        begin = time.monotonic()
        self.end = begin + seconds
        self.in_flight = 0 if rate else in_flight
        for client in clients:
            client.ask_many(self.in_flight)
        await self._pace(clients, begin, rate)
        await self._wait_answers(clients, patience)
        self.done = True
        for client in clients:
            for group, _, _ in client.waiting.values():
                group.lost += 1
            client.waiting.clear()
            client.transport.close()
        return self._report(time.monotonic() - begin)

    async def _pace(self, clients, begin, rate):
        sent = 0
        while (now := time.monotonic()) < self.end:
            due = int(rate * (now - begin))
            for turn in range(sent, due):
                clients[turn % len(clients)].ask_many(1)
            sent = due
            await asyncio.sleep(TICK)

    async def _wait_answers(self, clients, patience):
        give_up = time.monotonic() + patience
        while any(client.waiting for client in clients) and time.monotonic() < give_up:
            await asyncio.sleep(0.01)

    def _report(self, seconds):
        whole = Group()
        for group in self.groups.values():
            whole.add_all(group)
        return {**whole.report(), "unexpected": self.unexpected, "mismatched": self.mismatched, "closed": self.closed,
                "per_second": round(whole.answered() / seconds),
                "groups": {name: group.report() for name, group in self.groups.items()}}
