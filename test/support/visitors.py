"""visitors: clients who each come for one question: connect, ask, hear, leave. Whoever is turned away is counted. Run
it by Remote(Visitors).
"""
import asyncio
import collections
import time

import wire


class Visitors:
    def __init__(self, port, host="127.0.0.1", prefix="n"):
        self.port, self.host, self.prefix = port, host, prefix
        self.begun = 0  # names are new ones in every run
        self.counts = collections.Counter()
        self.slowest = 0.0
        self.is_enough = False

    async def run(self, rate, seconds=60.0, patience=10.0):
        """Until `seconds` are over or enough() was called; then what became of the questions."""
        begin, asking = time.monotonic(), set()
        self.counts, self.slowest, self.is_enough = collections.Counter(), 0.0, False
        while time.monotonic() - begin < seconds and not self.is_enough:
            if self.counts["asked"] < rate * (time.monotonic() - begin):
                self.counts["asked"] += 1
                self.begun += 1
                task = asyncio.create_task(self._ask(f"{self.prefix}{self.begun}.test", patience))
                asking.add(task)
                task.add_done_callback(asking.discard)
            await asyncio.sleep(0.001)
        await asyncio.gather(*asking)
        return {
            **{key: 0 for key in ("answered", "refused", "closed", "late")},
            **self.counts,
            "slowest_ms": round(self.slowest * 1000),
        }

    def enough(self):
        self.is_enough = True

    async def _ask(self, name, patience):
        begin = time.monotonic()
        try:
            await asyncio.wait_for(self._exchange(name), patience)
            self.counts["answered"] += 1
        except ConnectionRefusedError:
            self.counts["refused"] += 1
        except (ConnectionError, asyncio.IncompleteReadError):
            self.counts["closed"] += 1
        except asyncio.TimeoutError:
            self.counts["late"] += 1
        self.slowest = max(self.slowest, time.monotonic() - begin)

    async def _exchange(self, name):
        reader, writer = await asyncio.open_connection(self.host, self.port)
        try:
            writer.write(wire.frame(wire.query(name)))
            await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
        finally:
            writer.close()
