"""clients: those that tests ask with, beside the real ones: a steady load on few connections, and a connection for
every question."""
import asyncio
import collections
import time

import checks  # first: it says where the modules below are
import wire
from load import Load
from remote import Remote


class OneEach:
    """A new connection for each question, so that whoever refuses one is seen. Run it by Remote(OneEach)."""

    def __init__(self, port, host="127.0.0.1", prefix="n"):
        self.port, self.host, self.prefix = port, host, prefix
        self.counts = collections.Counter()
        self.slowest = 0.0
        self.is_enough = False

    async def run(self, seconds, rate, patience=10.0):
        """Until `seconds` are over or enough() was called; then what became of the questions."""
        begin, asking = time.monotonic(), set()
        while time.monotonic() - begin < seconds and not self.is_enough:
            if self.counts["asked"] < rate * (time.monotonic() - begin):
                self.counts["asked"] += 1
                task = asyncio.create_task(self._ask(f"{self.prefix}{self.counts['asked']}.test", patience))
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


def steady(port, host="127.0.0.1", **options):
    return Remote(Load, port=port, host=host, **options)


def one_each(port, host="127.0.0.1", **options):
    return Remote(OneEach, port=port, host=host, **options)


def kdig(*arguments, server="127.0.0.1", port=53):
    """kdig over TCP, as an operator runs it."""
    return checks.output("kdig", "+tcp", f"@{server}", "-p", port, *arguments, timeout=30)


def answers(*arguments, **where):
    return "status: NOERROR" in kdig(*arguments, **where)
