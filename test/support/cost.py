"""cost: what the program takes of the machine (processor time, memory, wake-ups) over a time that a test chooses; and
what docs/CONFIG.md says it takes at most.
"""
import contextlib
import pathlib
import re
import time

KIB, MIB = 1 << 10, 1 << 20

#: What the sums are made of; sizes in bytes.
DEFAULTS = {
    "cache": {"max_size": 64 * MIB},
    "rate_limit": {"max_clients": 65536},
    "prefetch": {"top": 1000},
    "clients": {"max_queries_in_flight": 8192, "max_connections": 10000, "max_buffered": 16 * MIB},
    "upstream": {"max_sessions": 4},
    "log": {"recent": 64},
}


def _setting(proxy, section, name):
    return proxy.config.get(section, {}).get(name, DEFAULTS[section][name])


def _sessions(proxy):
    return proxy.config["workers"] * len(proxy.config["upstreams"]) * _setting(proxy, "upstream", "max_sessions")


def promised_bytes(proxy):
    """The sum of docs/CONFIG.md, for this configuration."""
    workers = proxy.config["workers"]
    cache = _setting(proxy, "cache", "max_size")
    return (15 * MIB + 5 * MIB * workers + cache + (cache // 16 if cache >= 256 * MIB else 0)
            + 72 * _setting(proxy, "rate_limit", "max_clients") + 820 * _setting(proxy, "prefetch", "top")
            + 2 * KIB * workers * _setting(proxy, "clients", "max_queries_in_flight") + 512 * KIB * _sessions(proxy)
            + 512 * _setting(proxy, "clients", "max_connections")
            + _setting(proxy, "clients", "max_buffered") * workers
            + 5 * KIB * workers * _setting(proxy, "log", "recent"))


def promised_descriptors(proxy):
    return 128 + 2 * _sessions(proxy) + _setting(proxy, "clients", "max_connections")


def cpu_seconds(proxy):
    """Processor time of all its threads, from the scheduler's own account."""
    tasks = pathlib.Path(f"/proc/{proxy.pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


class Cost:
    """What was taken between begin and end: `cpu` seconds, most `memory` held (bytes), `grown` (bytes that are held
    still), `switches`, `seconds`.
    """

    def __init__(self, proxy):
        self._proxy = proxy
        self.cpu = self.seconds = 0.0
        self.memory = self.grown = self.switches = 0

    def begin(self):
        pathlib.Path(f"/proc/{self._proxy.pid}/clear_refs").write_text("5")  # the peak begins anew
        self.grown = -self._proxy.resident_bytes()
        self.switches = -self._proxy.voluntary_switches()
        self.cpu = -cpu_seconds(self._proxy)
        self.seconds = -time.monotonic()

    def end(self):
        self.seconds += time.monotonic()
        self.cpu += cpu_seconds(self._proxy)
        self.switches += self._proxy.voluntary_switches()
        self.grown += self._proxy.resident_bytes()
        status = pathlib.Path(f"/proc/{self._proxy.pid}/status").read_text()
        self.memory = int(re.search(r"VmHWM:\s+(\d+)", status).group(1)) * 1024

    def __str__(self):
        return (f"{self.cpu:.2f} s of processor in {self.seconds:.1f} s, {self.memory / 1e6:.1f} MB at most, "
                f"{self.grown / 1e6:+.1f} MB kept, {self.switches} switches")


@contextlib.contextmanager
def cost_of(proxy, what):
    """Of what happens in the `with` block; printed."""
    cost = Cost(proxy)
    cost.begin()
    yield cost
    cost.end()
    print(f"{what}: {cost}")
