"""bench: dns-tls-proxy beside its peers and beside the limit of the machine. Run it by scripts/bench.

CPU a query is the time a server's threads were on a processor over the answers that came back: it holds on a shared
machine, where a rate does not. Servers take turns, each figure is the median over the rounds.
"""
import argparse
import dataclasses
import itertools
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import time

from field import LIMITS, OURS, PEERS, ROOT, TITLES, Field

import faults
import peers
import report
import trees

RTT_MS = 10
SILENT_CLIENTS = 3000
RESTED_S = 1.5  #: after so long ours has as few workers active as its load needs
SETTLED_S = 4  #: after so long a server has given back what its first handshake needed
WORKERS = (1, 2, 4, 8, 16)

SATURATED = "-m pipe -c 16 -q 50 -l {seconds}"
UDP_SATURATED = "-c 16 -q 50 -l {seconds}"
MANY_ADDRESSES = "-m pipe -c 64 -q 50 -n 64 -l {seconds}"  #: so that no two clients meet at the rate limit

#: So many in all, since where a firewall is loaded the kernel's table of connections remembers each for two minutes
#: and, once full, drops the packets of everybody.
ONESHOT = "-m oneshot -c 64 -n 100 -l 20 -t 5000"


@dataclasses.dataclass(frozen=True)
class Scenario:
    title: str
    load: str  #: dnsload's (or udpload's) arguments; {new} becomes a prefix of names that nobody asked before
    limit: str = "echo"
    figure: str = "cpu_us"
    unit: str = "us CPU"
    target: str = ""
    factor: float = 0.0  #: ours may be so many times the limit
    most: float = 0.0  #: ours may be that much
    peer_share: float = 0.0  #: and must be at most that share of the best peer's
    tool: str = "dnsload"
    limit_threads: int = 2


SCENARIOS = {
    "cached": Scenario("cached, pipelined, saturated", SATURATED, most=0.3, target="0.3 us"),
    "cached-20k": Scenario("cached, 200 clients at 20k/s", "-m pipe -c 200 -q 4 -r 20000 -l {seconds}", factor=1.3,
                           limit_threads=1, target="1.3 x limit on one thread"),
    "clients": Scenario("cached, 2,000 clients, 1 in flight", "-m pipe -c 2000 -q 1 -n 50 -l {seconds}", factor=1.05,
                        peer_share=1.0, target="1.05 x limit, below every peer"),
    "oneshot": Scenario("cached, one connection a query", ONESHOT, factor=1.05, peer_share=1.0,
                        target="1.05 x limit, below every peer"),
    "uncached": Scenario("uncached, pipelined, saturated", SATURATED + " -u {new}", limit="tls_swap", factor=1.0,
                         target="the limit"),
    "uncached-5k": Scenario("uncached, 100 clients at 5k/s", "-m pipe -c 100 -q 4 -r 5000 -l {seconds} -u {new}",
                            limit="tls_swap", factor=1.25, target="1.25 x limit"),
    "quiet": Scenario("cached, 200 clients at 1k/s", "-m pipe -c 200 -q 4 -r 1000 -l {seconds}", peer_share=1.0,
                      limit_threads=1, target="below every peer"),
    "jump": Scenario("cached, 64 clients, a second from 1k/s on as fast as they are answered",
                     "-m pipe -c 64 -q 20 -r 1000 -j 3 -l 1", limit_threads=1, figure="p99_us", unit="us, 99 %",
                     most=20000, target="20 ms"),
    "udp": Scenario("UDP, cached, saturated", UDP_SATURATED, tool="udpload", limit="udp_echo", factor=1.25,
                    target="1.25 x limit"),
    "udp-20k": Scenario("UDP, cached, 200 clients at 20k/s", "-c 200 -q 4 -r 20000 -l {seconds}", tool="udpload",
                        limit="udp_echo", factor=1.2, peer_share=1.0, target="1.2 x limit, below every peer"),
    "udp-clients": Scenario("UDP, cached, 2,000 clients, 1 in flight", "-c 2000 -q 1 -n 50 -l {seconds}",
                            tool="udpload", limit="udp_echo", factor=1.25, target="1.25 x limit"),
    "udp-uncached": Scenario("UDP, uncached, saturated", UDP_SATURATED + " -u {new}", tool="udpload",
                             limit="udp_echo", most=6.0, target="6 us"),
    "silent": Scenario("a silent client", f"-m idle -c {SILENT_CLIENTS} -n 50 -l 3", figure="client_bytes",
                       unit="bytes", most=400, target="400 bytes"),
    "rtt": Scenario(f"uncached, upstream {RTT_MS} ms away: median", "-m pipe -c 1 -q 100 -l {seconds} -u {new}",
                    limit="tls_swap", figure="p50_us", unit="us", most=(RTT_MS + 1) * 1000,
                    target="within 1 ms of the RTT"),
    "lone": Scenario("a lone cached query: median", "-m pipe -c 1 -q 1 -l {seconds}", figure="p50_us", unit="us",
                     factor=1.2, target="1.2 x limit"),
}
EXTRA = ("workers", "faults")  #: tables of their own
ALONE = ("cache", "cores", "idle")  #: without peers: the cache alone, many workers simulated, a million idle clients


class Bench:
    def __init__(self, field, seconds, rounds):
        self.field = field
        self.seconds = seconds
        self.rounds = rounds
        self._serial = itertools.count(int(time.time()) % 100000)

    def _load(self, port, arguments, tool="dnsload"):
        arguments = arguments.format(seconds=self.seconds, new=f"x{next(self._serial)}-")
        command = [str(self.field.tools / f"bench_{tool}"), "-p", str(port), *arguments.split()]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    def load(self, port, arguments, tool="dnsload"):
        with self._load(port, arguments, tool) as client:
            return json.loads(client.communicate()[0])

    def warm(self, server, tool="dnsload"):
        """All names are in the cache before the clock runs, and the session upstream stands."""
        self.load(server.port, f"{'-m pipe ' if tool == 'dnsload' else ''}-c 4 -q 20 -l 0.7", tool)
        time.sleep(RESTED_S)

    def measure(self, server, arguments, tool="dnsload"):
        cpu_s, wake_ups = server.cpu_s(), server.wake_ups()
        figures = self.load(server.port, arguments, tool)
        figures["cpu_us"] = (server.cpu_s() - cpu_s) / max(1, figures["answered"]) * 1e6
        figures["wake_ups"] = (server.wake_ups() - wake_ups) / max(1, figures["answered"])
        return figures

    def measure_silent(self, server, arguments):
        time.sleep(SETTLED_S)
        before = server.resident_bytes()
        with self._load(server.port, arguments) as clients:
            time.sleep(2.5)  # what is measured: what they hold after a while of silence
            held = server.resident_bytes() - before
            figures = json.loads(clients.communicate()[0])
        figures["client_bytes"] = held / SILENT_CLIENTS
        return figures

    def start(self, scenario, name, upstream):
        return self.field.start(name, upstream, workers=scenario.limit_threads if name == scenario.limit else 2)

    def run(self, key):
        """The medians of each server: {name: figures}."""
        scenario = SCENARIOS[key]
        upstream = self.field.start_delay(RTT_MS / 2) if key == "rtt" else None
        names = (scenario.limit, OURS, *PEERS)
        servers = {} if key == "silent" else {name: self.start(scenario, name, upstream) for name in names}
        runs = {name: [] for name in names}
        for name in itertools.chain.from_iterable([names] * self.rounds):
            # silent: a server of its own each time, since memory once freed would be used again unseen
            server = servers.get(name) or self.start(scenario, name, upstream)
            self.warm(server, scenario.tool)
            measured = (self.measure_silent(server, scenario.load) if key == "silent" else
                        self.measure(server, scenario.load, scenario.tool))
            runs[name].append(measured)
            if not servers:
                server.process.stop()
        for server in servers.values():
            server.process.stop()
        return {name: medians(figures) for name, figures in runs.items()}

    def run_workers(self):
        """Ours with ever more workers, on the same saturated load: {workers: figures}."""
        runs = {workers: [] for workers in WORKERS}
        for workers in itertools.chain.from_iterable([WORKERS] * self.rounds):
            server = self.field.start(OURS, workers=workers)
            self.warm(server)
            figures = self.measure(server, MANY_ADDRESSES)
            figures["waits"] = self.lock_waits(server) / max(1, figures["per_s"])
            runs[workers].append(figures)
            server.process.stop()
        return {workers: medians(figures) for workers, figures in runs.items()}

    def lock_waits(self, server):
        """How often in a second under that load its threads asked the kernel to wait for a lock, or to wake one who
        does; -1 where perf may not look.
        """
        count = ["perf", "stat", "-x,", "-e", "syscalls:sys_enter_futex", "--timeout", "1000"]
        count += ["-p", str(server.process.pid)]
        with self._load(server.port, MANY_ADDRESSES) as client:
            time.sleep(0.3)  # the load is under way
            counted = subprocess.run(count, capture_output=True, text=True, check=False).stderr
            client.communicate()
        fields = counted.strip().splitlines()[-1].split(",") if counted.strip() else [""]
        return float(fields[0]) if fields[0].isdigit() else -1.0


def medians(runs):
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def print_figures(key, name, figures):
    shown = f"{figures['cpu_us']:8.2f} us CPU" if "cpu_us" in figures else f"{figures['client_bytes']:8.0f} bytes "
    bad = {each: int(figures[each]) for each in ("lost", "wrong", "servfail", "closed") if figures[each]}
    print(f"{key:12} {TITLES.get(name, name):>14} {shown} {figures['per_s']:9.0f}/s   "
          f"p50 {figures['p50_us']:9.1f} us   p99 {figures['p99_us']:9.1f} us   {bad or ''}", flush=True)


def read_arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__.splitlines()[0],
                                     epilog=f"scenarios: {' '.join([*SCENARIOS, *EXTRA, *ALONE])}; default: all but "
                                            f"{', '.join(ALONE)}")
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="what to measure")
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each server (default 3)")
    parser.add_argument("--seconds", type=float, default=3, help="length of each (default 3)")
    parser.add_argument("--peers", choices=trees.RELEASES, metavar="RELEASE",
                        help=f"peers from a tree of {', '.join(trees.RELEASES)} instead of this machine's packages")
    parser.add_argument("--write", action="store_true",
                        help="into docs/PERFORMANCE.md and its picture; scenarios not measured stay as they were")
    parser.add_argument("--tools", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--program", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.tools, arguments.program = arguments.tools.resolve(), arguments.program.resolve()
    unknown = set(arguments.scenarios) - {*SCENARIOS, *EXTRA, *ALONE}
    if unknown:
        parser.error(f"no scenario {', '.join(sorted(unknown))}")
    return arguments


def run_alone(name, arguments):
    """Prints its figures itself; nothing of them is written into docs/PERFORMANCE.md."""
    commands = {"cache": [arguments.tools / "cache_bench"],
                "cores": [sys.executable, ROOT / "test/bench/many_cores.py", "--tools", arguments.tools],
                "idle": [sys.executable, ROOT / "test/bench/idle_clients.py", "--tools", arguments.tools]}
    with subprocess.Popen(commands[name], env={**os.environ, "PROXY": str(arguments.program)}) as child:
        try:
            status = child.wait()
        except BaseException:
            child.terminate()  # it ends by itself what it has started
            raise
    if status != 0:
        sys.exit(f"scripts/bench: {name} failed")


def main():
    arguments = read_arguments()
    chosen = arguments.scenarios or [*SCENARIOS, "workers", "faults"]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what runs is ended
    results, extra = {}, {}
    for name in [name for name in ALONE if name in chosen]:
        run_alone(name, arguments)
    chosen = [name for name in chosen if name not in ALONE]
    if not chosen:
        return
    try:
        others = peers.Peers(arguments.peers)
    except trees.Unavailable as why:
        sys.exit(f"scripts/bench: {why}")
    with peers.own_network() as network:
        print(f"{network}.", flush=True)
        measure_all(arguments, chosen, others, results, extra)
    print()
    print(report.table(SCENARIOS, results))
    for text in report.extra_tables(extra):
        print(text)
    if arguments.write:
        report.write(ROOT, SCENARIOS, results, extra, report.machine(arguments.rounds, others, network))


def measure_all(arguments, chosen, others, results, extra):
    """Into `results` and `extra`, each as it is done."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, \
            Field(pathlib.Path(folder), arguments.tools, arguments.program, others) as field:
        bench = Bench(field, arguments.seconds, arguments.rounds)
        for key in chosen:
            if key == "workers":
                extra[key] = bench.run_workers()
                for count, figures in extra[key].items():
                    print_figures(key, str(count), figures)
            elif key == "faults":
                extra[key] = faults.run(bench)
            else:
                results[key] = bench.run(key)
                for name, figures in results[key].items():
                    print_figures(key, name, figures)


if __name__ == "__main__":
    assert set(LIMITS) == {scenario.limit for scenario in SCENARIOS.values()}
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
