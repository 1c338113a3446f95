#!/usr/bin/python3
"""many_cores: what the locks of the shared tables would do to 64 workers: measured on this machine with one worker, and
simulated for more (lock_sim.c). $PROXY is the program, of the release preset, on x86-64.

    many_cores.py [--tools FOLDER]      the tools of test/bench, built; default: build/bench-tools

Measured: how long a worker holds each lock (lock_times.c) and what a query costs it, for each case, where clients have
50 queries in flight and where they have one; what two processors cost each other (core_costs.c). Counted, with 1, 2, 8
and 16 workers: locks and instructions of a query.
"""
import argparse
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))

# pylint: disable=wrong-import-position
from cost import cpu_seconds
from hostile import start_hostile
from pki import Pki
from proxy import PROGRAM, Proxy

WORKERS = (1, 2, 8, 16, 32, 64)
COUNTED_WORKERS = (1, 2, 8, 16)
#: name -> the functions that take it for queries, each alone or several together
LOCKS = {"rate limit": ("take", "ratelimit_give_back"), "cache": ("cache_find", "cache_copy_valid"),
         "top names": ("topnames_count", "topnames_count_times")}
LOCK_OF = {function: name for name, functions in LOCKS.items() for function in functions}
COSTS = ("line", "wait", "wake", "woken")
FAR_LINE_NS = 100  #: between processors that are further from each other than this machine's
ROUNDS, SECONDS = 5, 2  #: of each measurement the least counts: what else the machine does only adds
LOCK_RUNS = 2
WARM_SECONDS = 60  #: at most, until all names are in the cache
COUNTED = 60000  #: queries under callgrind
COUNTED_LOAD = (1000, 16, 50)  #: names, addresses, in flight
ONE_NAME_LOAD = (1, 16, 50)
SIMULATED = 200000  #: queries

#: Queries that a client has in flight, which come in one batch -> clients
LOADS = {50: 16, 1: 500}

#: name -> names and addresses of the load, lock_sim's arguments, and those with which its locks are taken less often
MANY = 20000
ONE_NAME = "one name, many addresses"
CASES = {
    "many names, many addresses": (MANY, 16, (), {
        "tokens taken once for a batch": ("-t",), "a table of hot answers in each worker": ("-u",),
        "both": ("-t", "-u")}),
    ONE_NAME: (1, 16, ("-n", "1"), {
        "a table of hot answers in each worker": ("-u",), "both": ("-t", "-u")}),
    "one address, many names": (MANY, 1, ("-a", "1"), {"tokens taken once for a batch": ("-t",), "both": ("-t", "-u")}),
}


def tool(tools, name, *arguments):
    done = subprocess.run([tools / f"bench_{name}", *map(str, arguments)], check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


def load(tools, proxy, names, addresses, in_flight, *more, seconds=SECONDS):
    said = tool(tools, "dnsload", "-p", proxy.port, "-m", "pipe", "-c", LOADS[in_flight], "-q", in_flight, "-n",
                addresses, "-k", names, "-l", seconds, *more)
    assert said["answered"] > 0 == said["lost"] + said["closed"] + said["wrong"] + said["servfail"], said
    return said["answered"]


def warm(tools, proxy, names):
    """Until names at random, eight for each there is, are answered: then nearly all are in the cache."""
    load(tools, proxy, names, 1, 50, "-t", 8 * names + 1000, seconds=WARM_SECONDS)


def start(folder, pki, upstream, wrapper=(), workers=1):
    clients = {"max_per_address": 10000, "max_in_flight": 1000}
    return Proxy(folder, pki, [upstream], {"workers": workers, "min_workers": workers, "sandbox": "off",
                                           "clients": clients}, name="proxy", wrapper=wrapper)


# ---- what is measured and counted

def both(one, other):
    """The figures of two functions that take one lock; those of the one that takes it more often, where they are no
    sums or means.
    """
    if not one:
        return other
    more = max(one, other, key=lambda figures: figures["count"])
    summed = {key: one[key] + other[key] for key in ("count", "held", "lost")}
    mean = (one["count"] * one["mean"] + other["count"] * other["mean"]) / max(summed["count"], 1)
    return {**more, **summed, "mean": mean}


class Locks:
    """Of a run: {lock: figures of lock_times}, `answered` queries."""

    def __init__(self, path, answered):
        self.of, self.answered = {}, answered
        for line in path.read_text(encoding="utf-8").splitlines():
            address, *figures, file = line.split(" ", 7)
            # One less: the place of the call and not the one behind it.
            named = subprocess.run(["addr2line", "-f", "-e", file, hex(int(address, 16) - 1)], check=True,
                                   capture_output=True, text=True).stdout.split()[0].split(".")[0]
            if named in LOCK_OF:
                keys = ("count", "held", "mean", "median", "p99", "lost")
                lock = LOCK_OF[named]
                self.of[lock] = both(self.of.get(lock), dict(zip(keys, map(float, figures))))
        if set(self.of) != set(LOCKS):
            sys.exit(f"many_cores: only {sorted(self.of)} of {list(LOCKS)}: is it the release preset's program?")

    def holds(self):
        return [self.of[name]["mean"] for name in LOCKS]

    def text(self):
        return ", ".join(f"{name} {self.of[name]['mean']:.0f} ({self.of[name]['p99']:.0f})" for name in LOCKS)

    def per_query(self):
        return sum(each["count"] for each in self.of.values()) / self.answered

    def held_per_1000(self):
        return sum(each["held"] for each in self.of.values()) / self.answered * 1000


def measure_locks(bench, names, addresses, in_flight, workers=1):
    folder, tools, pki, upstream = bench
    path = folder / "locks"
    wrapper = ("env", f"LD_PRELOAD={tools / 'liblock_times.so'}", f"LOCK_TIMES={path}")
    with start(folder, pki, upstream, wrapper, workers) as proxy:
        warm(tools, proxy, names)
        answered = 8 * names + 1000 + load(tools, proxy, names, addresses, in_flight, seconds=2 * SECONDS)
    return Locks(path, answered)


def query_ns(bench, names, addresses):
    """{in flight: processor time of a query, the kernel's included}."""
    folder, tools, pki, upstream = bench
    with start(folder, pki, upstream) as proxy:
        warm(tools, proxy, names)
        costs = {in_flight: [] for in_flight in LOADS}
        for in_flight in list(LOADS) * ROUNDS:
            before = cpu_seconds(proxy)
            answered = load(tools, proxy, names, addresses, in_flight)
            costs[in_flight].append((cpu_seconds(proxy) - before) / answered * 1e9)
    return {in_flight: min(each) for in_flight, each in costs.items()}


def instructions(bench, workers, counted_load):
    """Of a query, cached, with 50 in flight."""
    folder, tools, pki, upstream = bench
    out = folder / f"callgrind{workers}"
    wrapper = ("valgrind", "-q", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={out}")
    with start(folder, pki, upstream, wrapper, workers) as proxy:
        load(tools, proxy, *counted_load, "-t", COUNTED, seconds=WARM_SECONDS)
        subprocess.run(["callgrind_control", "--instr=on", str(proxy.pid)], check=True, capture_output=True)
        load(tools, proxy, *counted_load, "-t", COUNTED, seconds=WARM_SECONDS)
        os.kill(proxy.pid, signal.SIGTERM)
        proxy.wait_exit()
    return int(re.search(r"^(?:summary|totals): (\d+)", out.read_text(), re.MULTILINE)[1]) / COUNTED


def core_costs(tools):
    runs = [tool(tools, "core_costs") for _ in range(ROUNDS)]
    return {name: min(run[name] for run in runs) for name in runs[0]}


# ---- the simulation

def simulate(tools, own, holds, costs, batch, workers, case):
    """`holds`: those of the case; of the hottest names, measured with one name."""
    all_names, hot = (",".join(map(str, each)) for each in holds)
    return tool(tools, "lock_sim", "-w", workers, "-o", own, "-b", batch, "-h", all_names, "-H", hot,
                "-c", ",".join(str(costs[each]) for each in COSTS), "-q", SIMULATED, *case)


def row(tools, title, own, holds, costs, batch, case):
    runs = [simulate(tools, own, holds, costs, batch, workers, case) for workers in WORKERS]
    one = runs[0]["per_s"]
    cells = [f"{run['per_s'] / one:.1f} ({run['waiting']:.0%})" for run in runs[1:]]
    print(f"| {title} | {one / 1e6:.2f} | " + " | ".join(cells) + " |", flush=True)


def cut(measured, own):
    """To be measured a lock must wait for memory that would come beside other work else: so all three are held at most
    for what a query costs more than its own work with one name.
    """
    cpu, locks = measured
    share = min(1, (cpu - own) / sum(locks.holds()))
    return [hold * share for hold in locks.holds()]


def report(tools, in_flight, measured, costs):
    print(f"\n{in_flight} in flight, a line comes in {costs['line']:.0f} ns: throughput as a multiple of one worker's, "
          "and the share of time that waits for locks\n\n| case | one worker, million/s | " +
          " | ".join(map(str, WORKERS[1:])) + " |\n|" + "---|" * (len(WORKERS) + 1))
    one_cpu, one = measured[ONE_NAME, in_flight]
    own = one_cpu - sum(one.holds())
    for name, (_, _, arguments, variants) in CASES.items():
        holds = cut(measured[name, in_flight], own), one.holds()[1:]
        row(tools, f"**{name}**", own, holds, costs, in_flight, arguments)
        for variant, more in variants.items():
            row(tools, variant, own, holds, costs, in_flight, (*arguments, *more))


def count(bench, measured, costs):
    cpu, locks = measured
    alike = ("-n", COUNTED_LOAD[0], "-a", COUNTED_LOAD[1], "-z", 0)
    holds = locks.holds(), locks.holds()[1:]
    said = simulate(bench[1], cpu - sum(locks.holds()), holds, costs, COUNTED_LOAD[2], 2, alike)
    print("\n| names | workers | locks a query | instructions a query | found held, of 1,000 queries |\n"
          "|---|---|---|---|---|")
    for counted_load in COUNTED_LOAD, ONE_NAME_LOAD:
        for workers in COUNTED_WORKERS:
            locks = measure_locks(bench, *counted_load, workers)
            print(f"| {counted_load[0]} | {workers} | {locks.per_query():.3f} | "
                  f"{instructions(bench, workers, counted_load):.0f} | {locks.held_per_1000():.2f} |", flush=True)
    print(f"simulated with two workers: {said['held_per_1000']:.2f} found held, of 1,000 queries", flush=True)


def run(bench):
    tools = bench[1]
    costs = core_costs(tools)
    print("between two processors, ns: " + ", ".join(f"{name} {value:.0f}" for name, value in costs.items()) +
          f"; program {PROGRAM}, {os.cpu_count()} processors", flush=True)
    measured = {}
    for name, (names, addresses, _, _) in CASES.items():
        cpu = query_ns(bench, names, addresses)
        for in_flight in LOADS:
            runs = [measure_locks(bench, names, addresses, in_flight) for _ in range(LOCK_RUNS)]
            locks = min(runs, key=lambda run: sum(run.holds()))
            measured[name, in_flight] = cpu[in_flight], locks
            print(f"{name}, {in_flight} in flight: {cpu[in_flight]:.0f} ns a query; locks held, ns, mean (99 %): "
                  f"{locks.text()}", flush=True)
    count(bench, measured[ONE_NAME, 50], costs)  # 1,000 names are in the caches of the processor, too
    for in_flight in LOADS:
        report(tools, in_flight, measured, costs)
        report(tools, in_flight, measured, {**costs, "line": FAR_LINE_NS})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tools", type=pathlib.Path, default=pathlib.Path("build/bench-tools"), metavar="FOLDER")
    tools = parser.parse_args().tools.resolve()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what runs is ended
    with tempfile.TemporaryDirectory(prefix="many-cores-") as name:
        folder = pathlib.Path(name)
        pki = Pki(folder)
        with start_hostile(pki) as upstream:
            run((folder, tools, pki, upstream.port))


if __name__ == "__main__":
    main()
