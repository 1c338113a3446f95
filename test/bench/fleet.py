#!/usr/bin/python3
"""fleet: what a shared cache saves a fleet: the share of queries for which an upstream is asked, with a cache for each
instance alone and with a store behind all of them. $PROXY is the program.

    fleet.py model       the table of docs/PERFORMANCE.md, by formula: 300,000 names, Zipf 1.0, TTL 300 s, 20,000
                         queries a second over the whole fleet; every answer is kept for its whole TTL
    fleet.py simulate    the formula beside a simulation, query by query, of the small fleet that `measure` runs
    fleet.py measure     that fleet as processes (8 of them, one Redis), beside the simulation of the very queries that
                         were sent; fails where they differ by more than a tenth. Three minutes, of one processor about
                         a half
    fleet.py restart     50 instances as processes, all started at once, with a store that is filled as that of a fleet
                         that has run for long, and without one: what their upstream is asked in the first minute;
                         fails where it is not below a tenth. Three minutes
    fleet.py cost        instructions of a cached query (callgrind) with a store and without one; fails where they
                         differ by one in a hundred
"""
import argparse
import bisect
import collections
import contextlib
import dataclasses
import itertools
import json
import math
import pathlib
import random
import select
import socket
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))

# pylint: disable=wrong-import-position
import names_cost
import wire
from figures import Figures
from hostile import start_hostile
from pki import Pki
from proxy import Proxy
from shared_store import SharedStore, shared_cache, wait_in_use
from store_entry import address_entry, digest_of, key_of, now_ms


@dataclasses.dataclass(frozen=True)
class Fleet:
    """`rate` is of all instances together, each of which gets the same share; TTLs are in seconds."""
    instances: int
    names: int = 300_000
    ttl: float = 300.0
    rate: float = 20_000.0

    def parts(self):
        """The share of queries for each name; name i is asked 1/i as often as the first one."""
        whole = sum(1 / i for i in range(1, self.names + 1))
        return [1 / i / whole for i in range(1, self.names + 1)]

    def name(self, number):
        """For which the upstream of the tests gives that TTL."""
        return f"ttl-{self.ttl:.0f}-{number}.fleet.test"


#: Small enough for two processors, which the load and the upstream share: as many queries for each name within a TTL
#: as in the fleet of the model.
SMALL = Fleet(instances=8, names=1500, ttl=20.0, rate=1500.0)

#: For a restart of all instances.
LARGE = Fleet(instances=50, names=22_500, ttl=300.0, rate=1500.0)
MINUTE, TENTH, HUNDREDTH = 60.0, 0.1, 0.01


# ---- the formula

#: The program asks for an answer again at the first query in the last tenth of its time, for which nobody waits.
LIFE = 0.9


@dataclasses.dataclass
class Shares:
    """Of all queries: those that asked an upstream, and those that asked the store and found the answer there. `kept`
    is the number of answers in the store."""
    upstream: float
    store_hits: float = 0.0
    kept: float = 0.0


def separate(fleet, life=1.0):
    """An answer is asked for, kept for the TTL, and asked for again at the next query after that: one question in
    TTL + 1/rate seconds, for each name at each instance, where queries come independently of each other. `life`: the
    part of the TTL after which it is asked for again.
    """
    asked = 0.0
    for part in fleet.parts():
        rate = part * fleet.rate / fleet.instances
        asked += fleet.instances * rate / (1 + rate * fleet.ttl * life)
    return Shares(asked / fleet.rate)


def shared(fleet, life=1.0):
    """With the store the whole fleet is one such cache. In each of its cycles every other instance that is asked within
    the TTL takes the answer from the store, once: it keeps it for the rest of the TTL.
    """
    asked = hits = kept = 0.0
    for part in fleet.parts():
        rate = part * fleet.rate
        cycles = rate / (1 + rate * fleet.ttl * life)
        asked += cycles
        hits += cycles * (fleet.instances - 1) * -math.expm1(-rate / fleet.instances * fleet.ttl * life)
        kept += cycles * fleet.ttl
    return Shares(asked / fleet.rate, hits / fleet.rate, kept)


# ---- the simulation

class Zipf:
    """Numbers of names, the first asked most; the same ones for the same seed."""

    def __init__(self, count, seed):
        self._sums = list(itertools.accumulate(1 / (i + 1) for i in range(count)))
        self._random = random.Random(seed)

    def next(self):
        return bisect.bisect(self._sums, self._random.random() * self._sums[-1])


def simulate(fleet, queries, since, with_store, stored=()):
    """`queries`: (second, instance, name) in order of time; what became of those from second `since` on. `stored`: name
    -> the second when the answer in the store came from an upstream.
    """
    caches, store = [{} for _ in range(fleet.instances)], dict(stored)
    counted = upstream = hits = 0
    for second, instance, name in queries:
        counts = second >= since
        counted += counts
        began = caches[instance].get(name, -fleet.ttl)
        if second < began + LIFE * fleet.ttl:
            continue
        of_store = store.get(name, -fleet.ttl) if with_store else -fleet.ttl
        if second < of_store + fleet.ttl and of_store > began:
            caches[instance][name] = of_store
            hits += counts
        else:
            caches[instance][name] = store[name] = second
            upstream += counts
    return Shares(upstream / counted, hits / counted)


def some_queries(fleet, seconds, seed=1):
    """As a fleet is asked: each at a chance time, at a chance instance."""
    chance, zipf, second = random.Random(seed), Zipf(fleet.names, seed), 0.0
    while (second := second + chance.expovariate(fleet.rate)) < seconds:
        yield second, chance.randrange(fleet.instances), zipf.next()


# ---- the processes

#: What would change the number of questions in another way than the caches; and one client asks all of it.
ONE_INSTANCE = {"workers": 1, "prefetch": {"top": 0}, "udp": {"responses_per_second": 0}}

WARM, MEASURED, DIFFERS = 1, 3, 0.1  # TTLs, TTLs, share


class Clients:
    """Asks the instances as some_queries says, over UDP, and keeps what it really sent and when."""

    def __init__(self, fleet, ports):
        self._fleet = fleet
        self._sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in ports]
        for each, port in zip(self._sockets, ports):
            each.connect(("127.0.0.1", port))
            each.setblocking(False)
        self.sent = []
        self.rcodes = collections.Counter()

    def ask(self, queries, begin):
        for second, instance, name in queries:
            while (now := time.monotonic() - begin) < second:
                self._receive(min(second - now, 0.002))
            self.sent.append((now, instance, name))
            self._sockets[instance].send(wire.query(self._fleet.name(name), number=len(self.sent) % 65536))
        patience = time.monotonic() + 5
        while self.rcodes.total() < len(self.sent) and time.monotonic() < patience:
            self._receive(0.1)

    def check(self):
        """All were answered."""
        if self.rcodes != {wire.NOERROR: len(self.sent)}:
            sys.exit(f"fleet: of {len(self.sent)} queries were answered: {dict(self.rcodes)}")

    def _receive(self, patience):
        for each in select.select(self._sockets, [], [], patience)[0]:
            with contextlib.suppress(BlockingIOError):
                while True:
                    self.rcodes[wire.flags_of(each.recv(4096)) & 15] += 1


def run_fleet(folder, pki, store):
    """The fleet with that store, or with none, from empty caches on: (simulated, measured)."""
    since, seconds = WARM * SMALL.ttl, (WARM + MEASURED) * SMALL.ttl
    config = {**ONE_INSTANCE, **(shared_cache(store.port, folder) if store else {})}
    with contextlib.ExitStack() as stack:
        upstream = stack.enter_context(start_hostile(pki))
        instances = [stack.enter_context(Proxy(folder, pki, [upstream.port], config, name=f"instance{i}-{bool(store)}"))
                 for i in range(SMALL.instances)]
        clients = Clients(SMALL, [instance.port for instance in instances])
        queries, begin = list(some_queries(SMALL, seconds)), time.monotonic()
        clients.ask(itertools.takewhile(lambda query: query[0] < since, queries), begin)
        upstream.forget()
        hits = store_hits(instances) if store else 0
        clients.ask(itertools.dropwhile(lambda query: query[0] < since, queries), begin)
        counted = sum(second >= since for second, _, _ in clients.sent)
        asked = upstream.stats()["queries"]
        hits = store_hits(instances) - hits if store else 0
    clients.check()
    return simulate(SMALL, clients.sent, since, bool(store)), Shares(asked / counted, hits / counted)


def store_hits(instances):
    return sum(Figures(instance).sum("shared_cache_results_total", result="hit") for instance in instances)


# ---- the commands

def print_model():
    print("| instances | upstream, separate caches | upstream, with a store | found in the store | answers there |")
    print("|---|---|---|---|---|")
    for instances in (1, 3, 8, 20, 50, 200):
        fleet = Fleet(instances)
        alone, together = separate(fleet), shared(fleet)
        print(f"| {instances} | {alone.upstream:.1%} | {together.upstream:.1%} | {together.store_hits:.1%} |"
              f" {together.kept:,.0f} |")


def print_simulation():
    """From the second TTL on, since the caches are empty in the first, and over whole TTLs: the first one's waves."""
    queries = list(some_queries(SMALL, 6 * SMALL.ttl))
    print("| | upstream, separate caches | upstream, with a store | found in the store |")
    print("|---|---|---|---|")
    alone, together = separate(SMALL, LIFE), shared(SMALL, LIFE)
    print(f"| formula | {alone.upstream:.1%} | {together.upstream:.1%} | {together.store_hits:.1%} |")
    alone, together = (simulate(SMALL, queries, SMALL.ttl, with_store) for with_store in (False, True))
    print(f"| simulation | {alone.upstream:.1%} | {together.upstream:.1%} | {together.store_hits:.1%} |")


def fill(store, chance):
    """As a fleet that has run for long leaves it: name i is there with the probability that it was asked within a TTL,
    and as old as any age. Returns name -> its age.
    """
    ages = {}
    with store.client() as client:
        for name, part in enumerate(LARGE.parts()):
            in_ttl = part * LARGE.rate * LARGE.ttl
            if chance.random() < in_ttl / (1 + in_ttl):
                age = chance.random() * LARGE.ttl
                question = LARGE.name(name)
                entry = address_entry(question, b"\xc0\x00\x02\x01", int(LARGE.ttl), age)
                client.call("SET", key_of(question), entry.dump(digest_of(question)), "PX", entry.expires - now_ms())
                ages[name] = age
    return ages


def first_minute(folder, pki, store):
    """Of the large fleet, just started: (simulated, measured) shares."""
    begin = time.monotonic()
    ages = fill(store, random.Random(1)) if store else {}
    config = {**ONE_INSTANCE, **(shared_cache(store.port, folder) if store else {})}
    with contextlib.ExitStack() as stack:
        upstream = stack.enter_context(start_hostile(pki))
        instances = [stack.enter_context(Proxy(folder, pki, [upstream.port], config, name=f"instance{i}-{bool(store)}"))
                 for i in range(LARGE.instances)]
        if store:
            for instance in instances:
                wait_in_use(instance)
        late = time.monotonic() - begin
        clients = Clients(LARGE, [instance.port for instance in instances])
        upstream.forget()
        queries = list(some_queries(LARGE, MINUTE))
        clients.ask(queries, time.monotonic())
        asked = upstream.stats()["queries"]
        hits = store_hits(instances) if store else 0
    clients.check()
    simulated = simulate(LARGE, clients.sent, 0, bool(store), {name: -age - late for name, age in ages.items()})
    return simulated, Shares(asked / len(queries), hits / len(queries))


def print_restart():
    with tempfile.TemporaryDirectory(prefix="fleet-") as name:
        folder = pathlib.Path(name)
        pki = Pki(folder)
        alone = first_minute(folder, pki, None)
        with SharedStore(folder) as store:
            together = first_minute(folder, pki, store)
    print(f"| first minute of {LARGE.instances} instances, {MINUTE * LARGE.rate:,.0f} queries | upstream, separate "
          "caches | upstream, with a filled store | found in the store |")
    print("|---|---|---|---|")
    for what, first, second in (("simulation of the queries sent", alone[0], together[0]),
                                ("measured", alone[1], together[1])):
        print(f"| {what} | {first.upstream:.1%} | {second.upstream:.1%} | {second.store_hits:.1%} |")
    share = together[1].upstream / alone[1].upstream
    print(f"with the store {share:.1%} of the questions without it", flush=True)
    if share >= TENTH:
        sys.exit("fleet: a restart with a filled store asks a tenth or more")


def print_measurement():
    """Fails where what was measured and what was simulated of the same queries differ."""
    with tempfile.TemporaryDirectory(prefix="fleet-") as name:
        folder = pathlib.Path(name)
        pki = Pki(folder)
        alone = run_fleet(folder, pki, None)
        with SharedStore(folder) as store:
            together = run_fleet(folder, pki, store)
            kept = len(store.keys())
    print("| | upstream, separate caches | upstream, with a store | found in the store |")
    print("|---|---|---|---|")
    for what, first, second in (("formula", separate(SMALL, LIFE), shared(SMALL, LIFE)),
                                ("simulation of the queries sent", alone[0], together[0]),
                                (f"measured, {SMALL.instances} processes", alone[1], together[1])):
        print(f"| {what} | {first.upstream:.2%} | {second.upstream:.2%} | {second.store_hits:.2%} |")
    print(f"answers in the store at the end: {kept}", flush=True)
    for simulated, measured in (alone, together):
        if abs(measured.upstream - simulated.upstream) > DIFFERS * simulated.upstream:
            sys.exit("fleet: the measurement differs from the simulation")


def print_cost():
    """Of the worker's thread; no timing, so a busy machine gives the same figures."""
    stayed = True
    with tempfile.TemporaryDirectory(prefix="fleet-") as name:
        folder = pathlib.Path(name)
        pki = Pki(folder)
        with start_hostile(pki) as upstream, SharedStore(folder) as store:
            for kind in ("TCP", "UDP"):
                costs = [min(names_cost.count(folder, kind, "www.cached.net", upstream.port, pki.ca_file, config)
                             for _ in range(names_cost.TIMES))
                         for config in ("", yaml_of(shared_cache(store.port, folder)))]
                print(f"a cached query over {kind}: {costs[0]:.0f} instructions without a store, {costs[1]:.0f} with",
                      flush=True)
                stayed &= abs(costs[1] - costs[0]) < HUNDREDTH * costs[0]
    if not stayed:
        sys.exit("fleet: a cached query costs more with a store")


def yaml_of(config):
    """JSON is YAML, but for the braces around all of it."""
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in config.items())


def main():
    commands = {"model": print_model, "simulate": print_simulation, "measure": print_measurement,
                "restart": print_restart, "cost": print_cost}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=commands)
    commands[parser.parse_args().command]()


if __name__ == "__main__":
    main()
