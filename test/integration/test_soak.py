"""Clients that come and go, and a network that misbehaves in every way at once, for as long as SOAK_SECONDS says
(LONG=1: half an hour): every question is answered once and as it should be, and nothing grows.

One of three upstreams can always be reached (weather.py says how), so every name that has an answer gets it, without
exception. Names whose question ends the session, or is answered wrongly or never, get SERVFAIL within query_timeout.
The first upstream has another name than the other two, which is why they are asked about what it says of its failures.
"""
import os
import random
import statistics
import time

import wire
from changing_load import ChangingLoad
from cost import MIB, cpu_seconds, promised_bytes, promised_descriptors
from dnsclient import ask
from figures import Figures
from hostile import start_hostile
from misbehaving import start_misbehaving
from pki import OTHER_NAME, SERVER_NAME
from process import wait_for
from proxy import Proxy, is_sanitized
from relay import start_relay
from remote import Remote
from weather import HABITS, Weather

SECONDS = float(os.environ.get("SOAK_SECONDS") or (1800 if os.environ.get("LONG") == "1" else 10))
SEED = int(os.environ.get("SOAK_SEED") or 1)
RATE = 250 if is_sanitized() else 1000
CONNECTIONS = 20
WORKERS, UPSTREAMS = 2, 3
SAMPLE_S, REPORT_S = (0.5 if SECONDS < 60 else 5.0), 60.0
LONG_ENOUGH_S = 60.0  # before that, what is kept is still being filled
#: Memory is the most that there ever was at once, of sessions and handshakes in spells of bad weather, and so it rises
#: with the worst spell so far: in half an hour 47.1 MB after a minute, 54.5 after 5, 57.3 after 15, 57.5 after 30.
FILLED_S = 900.0
QUERY_TIMEOUT_S, REVALIDATE_S = 4.5, 5.0

CONFIG = {
    "workers": WORKERS,
    "upstream": {"query_timeout": f"{QUERY_TIMEOUT_S:g}s"},
    "tls": {"revalidate_interval": f"{REVALIDATE_S:g}s"},
    "cache": {"max_size": MIB},  # full after some seconds
    "clients": {"max_connections": 3 * CONNECTIONS},
}

#: prefix -> in how many of two thousand questions. Repeated ones: kept resolved by the cache, or merged in flight only.
KILLERS = {"close-": 1, "garbage-": 1, "echo-": 1}
FAILING = {**KILLERS, "wrongid-": 1, "drop-": 1, "refused-": 1, "notimp-": 1, "formerr-": 1, "ede-2-6-": 1}
RARE = {"optfirst1500-": 1, "full-65535-": 1, "errors-": 1, "hugettl-": 1, "costly-": 1, "big-4096-": 1}
SHARES = {**FAILING, **RARE, "ede-5-15-": 1, "withdrawn-": 10, "slow-300ms-": 4, "ttl-2-hot": 300, "ttl-0-same": 100}
REPEATED = {"ttl-2-hot": 100, "ttl-0-same": 2, "withdrawn-": 3}
KINDS = {"full-65535-": "TXT", "big-4096-": "TXT"}
GOOD = ("new-", "slow-300ms-", "ttl-2-hot", "ttl-0-same", *RARE)
#: What each name is answered, and nothing else: failures are SERVFAIL, a policy of the upstream is passed on.
RCODES = {**{prefix: {wire.NOERROR} for prefix in GOOD}, **{prefix: {wire.SERVFAIL} for prefix in FAILING},
          "ede-5-15-": {wire.REFUSED}, "withdrawn-": {wire.NOERROR, wire.NXDOMAIN, wire.SERVFAIL}}


def prefixes():
    names = [prefix for prefix, share in SHARES.items() for _ in range(share)]
    names += ["new-"] * (2000 - len(names))
    random.Random(SEED).shuffle(names)
    return names


class Vitals:
    """What the program takes, looked at every SAMPLE_S."""

    def __init__(self, proxy):
        self._proxy = proxy
        self.descriptors, self.memory, self.threads, self.in_flight = [], [], [], []

    def look(self):
        self.descriptors.append(self._proxy.descriptors())
        self.memory.append(self._proxy.resident_bytes())
        self.threads.append(len(os.listdir(f"/proc/{self._proxy.pid}/task")))
        self.in_flight.append(Figures(self._proxy).sum("queries_in_flight"))

    def __str__(self):
        return (f"{self.descriptors[-1]} descriptors (at most {max(self.descriptors)}), "
                f"{self.memory[-1] / 1e6:.2f} MB (at most "
                f"{max(self.memory) / 1e6:.2f}), {self.threads[-1]} threads, {self.in_flight[-1]:g} in flight (at most "
                f"{max(self.in_flight):g})")

    def check(self):
        assert max(self.descriptors) <= promised_descriptors(self._proxy), max(self.descriptors)
        assert len(set(self.threads)) == 1, set(self.threads)
        if is_sanitized():
            return
        assert max(self.memory) <= promised_bytes(self._proxy), max(self.memory)
        if SECONDS >= LONG_ENOUGH_S:
            median, descriptors = statistics.median, thirds(self.descriptors)
            assert median(descriptors[2]) <= median(descriptors[1]) + 4, self.descriptors
        if SECONDS >= 2 * FILLED_S:
            # the most of it: what handshakes took is given back when none was made for a while, and so comes and goes
            filled = self.memory[int(FILLED_S / SAMPLE_S):]
            half = len(filled) // 2
            assert max(filled[half:]) <= 1.03 * max(filled[:half]), self.memory


def thirds(values):
    third = len(values) // 3
    return values[:third], values[third:2 * third], values[2 * third:]


class Soak:
    """The run: faults, looks and progress, until the load ends."""

    def __init__(self, proxy, upstreams, load, weather, renewals):
        self.proxy, self.upstreams, self.load, self.weather = proxy, upstreams, load, weather
        self.vitals = Vitals(proxy)
        self._renewals = renewals
        self.begin = time.monotonic()

    def run(self, pending):
        due = {self._look: (self.begin, SAMPLE_S), self._tell: (self.begin + REPORT_S, REPORT_S),
               self._renew: (self.begin + 2 * REVALIDATE_S, 2 * REVALIDATE_S)}
        while (now := time.monotonic()) < self.begin + SECONDS:
            self.weather.step(now)
            for what, (at, every) in due.items():
                if now >= at:
                    what()
                    due[what] = (at + every, every)
            time.sleep(0.02)  # faults come in steps of it
        self.weather.clear(time.monotonic())
        return pending.result()

    def _look(self):
        self.vitals.look()
        for upstream in self.upstreams:
            upstream.forget()  # names asked, which are too many to be kept

    def _renew(self):
        """Another right certificate, which nobody is to notice."""
        renewal = next(self._renewals)
        for upstream in self.upstreams:
            upstream.set_certificate(**renewal)

    def _tell(self):
        progress = self.load.progress()
        seconds = time.monotonic() - self.begin
        print(f"{seconds / 60:4.0f} min: {progress}, {sum(self.weather.counts.values())} faults, {self.vitals}, "
              f"{cpu_seconds(self.proxy) / seconds * 100:.0f} % of a processor", flush=True)
        assert progress["lost"] == progress["closed"] == 0, progress


def check_answers(report):
    for fault in ("lost", "unexpected", "mismatched", "closed", "revived"):
        assert report[fault] == 0, (fault, report)
    assert report["answered"] == report["sent"] >= 0.95 * RATE * SECONDS, report
    wrong = {prefix: group["rcodes"] for prefix, group in report["groups"].items()
             if not set(map(int, group["rcodes"])) <= RCODES[prefix]}
    assert not wrong, wrong
    assert report["max_ms"] < (QUERY_TIMEOUT_S + 1) * 1000, report


def certificates(pki):
    while True:
        for kind in ("renewed", "right"):
            certificate, key = pki.certificate(kind)
            yield {"certificate": certificate, "key": key}


def check_handshakes(proxy, report, weather):
    """Each question that ends a session does so six times at the most; each fault ends the sessions to one upstream;
    sessions that end after few answers are replaced; and each worker looks at each certificate anew.
    """
    killers = sum(report["groups"][prefix]["sent"] for prefix in KILLERS)
    figures = Figures(proxy)
    made, begun = figures.sum("upstream_handshakes_total"), figures.sum("upstream_connects_total")
    print(f"{made / SECONDS:.1f} handshakes a second, of {begun / SECONDS:.1f} begun; {killers} killers")
    looks = SECONDS / REVALIDATE_S * 1.2 * WORKERS * UPSTREAMS
    faults = sum(weather.counts.values())
    short = sum(weather.counts[kind] for kind in HABITS) * 4 * RATE  # spells of 4 s, a session for each answer
    assert begun <= 6 * killers + 4 * WORKERS * faults + looks + short + 20, (begun, killers, faults)


def test_every_fault_at_once_and_nothing_grows(tmp_path, pki, capsys):
    with start_hostile(pki) as upstream, start_misbehaving(pki) as odd, capsys.disabled():
        relays = [start_relay(target) for target in (odd.port, *[upstream.port] * (UPSTREAMS - 1))]
        try:
            names = [SERVER_NAME] + [OTHER_NAME] * (UPSTREAMS - 1)
            upstreams = [{"address": "127.0.0.1", "port": relay.port, "name": name}
                         for relay, name in zip(relays, names)]
            with Proxy(tmp_path, pki, [], {**CONFIG, "upstreams": upstreams}) as proxy:
                soak(proxy, upstream, odd, relays, pki)
        finally:
            for relay in relays:
                relay.stop()


def soak(proxy, upstream, odd, relays, pki):
    ask(proxy.port, "before.test")
    before = proxy.descriptors()
    weather = Weather(relays, SEED, time.monotonic(), odd)
    with Remote(ChangingLoad, port=proxy.port, prefixes=prefixes(), repeated=REPEATED, kinds=KINDS,
                seed=SEED) as load:
        pending = load.begin("run", seconds=SECONDS, rate=RATE, connections=CONNECTIONS)
        run = Soak(proxy, (upstream, odd), load, weather, certificates(pki))
        report = run.run(pending)
    print(f"{report}\n{dict(weather.counts)}\n{run.vitals}")
    check_answers(report)
    check_handshakes(proxy, report, weather)
    run.vitals.check()
    for gauge in ("queries_in_flight", "upstream_in_flight", "client_connections"):
        wait_for(lambda gauge=gauge: Figures(proxy).sum(gauge) == 0, f"{gauge} is 0")
    proxy.wait_descriptors(before + WORKERS)
