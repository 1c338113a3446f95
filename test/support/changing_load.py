"""changing_load: load of clients that come and go, for hours if need be. Run it by Remote(ChangingLoad)."""
import asyncio
import itertools
import random
import socket
import struct
import time

import wire
from hostile import GONE_AFTER, GONE_CYCLE
from load import Group, Load

RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER with no time: close sends RST
PATIENCE = 20.0  # of one who leaves, for the last answers: far above any time-out of the program


class ChangingLoad(Load):
    """As Load; and every `stay` seconds the client that has been there longest asks no more, and leaves when all its
    questions are answered, as another takes its place. As often somebody rude asks one question and is gone, which is
    counted nowhere.

    `repeated`: prefix -> how many names begin with it, taken at random; other names are all new.
    `kinds`: prefix -> the type asked for, where it is not A.
    Names of the prefix withdrawn- are those of hostile that are withdrawn in each cycle. One that still has an
    address long after that, though somebody was told that it is gone, counts as `revived`.
    """

    def __init__(self, stay=0.5, repeated=None, kinds=None, seed=1, **arguments):
        super().__init__(**arguments)
        for prefix, kind in (kinds or {}).items():
            self.groups[prefix] = Group(kind)
        if "withdrawn-" in self.groups:
            self.groups["withdrawn-"].on_answer = self._note_gone
        self.withdrawn = set()
        self.revived = 0
        self.stay = stay
        self.repeated = repeated or {}
        self.random = random.Random(seed)
        self.leaving = set()
        self.visits = self.rude = 0

    def next_name(self):
        prefix = next(self.prefixes)
        names = self.repeated.get(prefix)
        number = self.random.randrange(names) if names else next(self.numbers)
        if prefix == "withdrawn-":
            prefix = f"withdrawn-{int(time.monotonic() / GONE_CYCLE)}-"
            return f"{prefix}{number}.{self.zone}", self.groups["withdrawn-"]
        return f"{prefix}{number}.{self.zone}", self.groups[prefix]

    async def _pace(self, clients, begin, rate):
        changing = asyncio.get_running_loop().create_task(self._change(clients))
        await super()._pace(clients, begin, rate)
        changing.cancel()
        await asyncio.gather(*self.leaving)

    async def _change(self, clients):
        for turn in itertools.count():
            await asyncio.sleep(self.stay)
            place = turn % len(clients)
            oldest, clients[place] = clients[place], await self._connect()
            for task in (self._leave(oldest), self._be_rude(turn)):
                self._keep(asyncio.get_running_loop().create_task(task))
            self.visits += 1

    def _keep(self, task):
        self.leaving.add(task)
        task.add_done_callback(self.leaving.discard)

    async def _leave(self, client):
        give_up = time.monotonic() + PATIENCE
        while client.waiting and time.monotonic() < give_up:
            await asyncio.sleep(0.01)
        client.leave()

    async def _be_rude(self, number):
        _, writer = await asyncio.open_connection(self.host, self.port)
        writer.write(wire.frame(wire.query(f"rude-{number}.{self.zone}")))
        await asyncio.sleep(self.random.choice((0, 0.001, 0.01)))
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
        writer.transport.abort()
        self.rude += 1

    def _note_gone(self, question, sent, message):
        """An address that was kept for its TTL of a second, or was on its way when the name went, is none revived."""
        cycle = int(question[1:1 + question[0]].split(b"-")[1])
        if message[3] & 15 == wire.NXDOMAIN:
            self.withdrawn.add(question)
        elif message[3] & 15 == wire.NOERROR and question in self.withdrawn:
            self.revived += sent > cycle * GONE_CYCLE + GONE_AFTER + 3
        if len(self.withdrawn) > 1000:
            self.withdrawn.clear()

    def _report(self, seconds):
        return {**super()._report(seconds), "revived": self.revived}

    # commands

    def progress(self):
        """Sums so far, of all names alike."""
        groups = self.groups.values()
        return {"sent": sum(group.sent for group in groups), "answered": sum(group.answered() for group in groups),
                "lost": sum(group.lost for group in groups), "closed": self.closed,
                "visits": self.visits, "rude": self.rude}
