"""honest: a client that does nothing wrong, beside whatever a test does to the program: all its questions are to be
answered, and how long that took is shown.
"""
import time

import wire
from dnsclient import Client
from load import Load
from remote import Remote


class Honest:
    """Ten connections, some questions from the cache and some not, at a modest rate, from 127.0.0.1; `with` begins and
    ends it. Its figures are in `report` afterwards.
    """

    NAMES = 50

    def __init__(self, proxy, seconds, rate=200, names=NAMES, connections=10):
        self._seconds, self._rate, self._connections = seconds, rate, connections
        self._load = Remote(Load, port=proxy.port, zone="honest.test", names=names)
        self._pending = None
        self.report = None

    def __enter__(self):
        self._pending = self._load.begin("run", seconds=self._seconds, rate=self._rate, connections=self._connections)
        return self

    def __exit__(self, kind, value, trace):
        try:
            if kind is None:
                self.report = self._pending.result()
                self.check()
        finally:
            self._load.stop()

    def check(self):
        print(f"honest client beside it: {self}")
        assert self.report["lost"] == self.report["closed"] == self.report["unexpected"] == 0, self.report
        assert self.report["rcodes"] == {str(wire.NOERROR): self.report["sent"]}, self.report

    def __str__(self):
        return ", ".join(f"{key} {self.report[key]}" for key in ("sent", "answered", "p50_ms", "p99_ms", "max_ms"))


def newcomers(proxy, count, name="newcomer.test", pause=0.0):
    """So many clients, one after the other, each with a connection of its own; the longest wait for an answer, in
    seconds, connecting included.
    """
    longest = 0.0
    for number in range(count):
        begin = time.monotonic()
        with Client(proxy.port) as client:
            assert wire.rcode_of(client.ask(wire.query(name, number=number))) == wire.NOERROR
        longest = max(longest, time.monotonic() - begin)
        time.sleep(pause)
    print(f"{count} newcomers beside it: longest {longest * 1000:.1f} ms")
    return longest
