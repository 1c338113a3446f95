#!/usr/bin/python3
"""Scraping ten times a second does not move p99 of the answers: measured in short turns, with and without. What else
the machine does only ever adds to a latency, and to both alike; so the quieter rounds of each are compared."""
import json
import statistics
import subprocess
import threading
import time

import scene  # first: it says where the modules below are
import checks
from dot_servers import start_fast
from pki import Pki
from process import wait_for
from proxy import Proxy

ROUNDS, SECONDS, RATE = 16, 1.5, 5000
SCRAPES_PER_S = 10

#: What two such figures differ by with nothing changed, and more than that.
SLACK_SHARE, SLACK_US = 0.25, 100


def compile_load(folder):
    program = folder / "dnsload"
    checks.run("cc", "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-o", program, checks.ROOT / "test/bench/dnsload.c")
    return program


def load(program, proxy):
    done = subprocess.run([program, "-p", str(proxy.port), "-c", "20", "-q", "20", "-l", str(SECONDS), "-r", str(RATE)],
                          capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


class Scraper:
    """Scrapes in a thread while the `with` block runs."""

    def __init__(self, proxy):
        self._proxy, self._ended = proxy, threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.times = []

    def _run(self):
        while not self._ended.wait(1 / SCRAPES_PER_S):
            begin = time.monotonic()
            assert len(scene.fetch(self._proxy, "/metrics")) > 10000
            self.times.append(time.monotonic() - begin)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, kind, value, trace):
        self._ended.set()
        self._thread.join()


def measure(program, proxy):
    """p50 and p99 of each round, without and with; how long scrapes took."""
    alone, scraped, times = [], [], []
    for _ in range(ROUNDS):
        alone.append(load(program, proxy))
        with Scraper(proxy) as scraper:
            scraped.append(load(program, proxy))
        times += scraper.times
    return alone, scraped, times


def quiet(rounds, key):
    """The lower quartile."""
    return statistics.quantiles((each[key] for each in rounds), n=4)[0]


def main():
    check = checks.Checks()
    checks.install("dnsdist")
    with scene.folder() as folder:
        pki = Pki(folder)
        with start_fast(pki, folder) as upstream, Proxy(folder, pki, [upstream.port]) as proxy:
            wait_for(lambda: scene.is_ready(proxy), "the program is ready", 15)
            program = compile_load(folder)
            load(program, proxy)  # the cache is filled
            with check(f"p99 with {SCRAPES_PER_S} scrapes a second is p99 without"):
                alone, scraped, times = measure(program, proxy)
                for key in ("p50_us", "p99_us"):
                    check.note(f"{key}: {quiet(alone, key):.0f} without ({min(r[key] for r in alone):.0f} to "
                               f"{max(r[key] for r in alone):.0f}), {quiet(scraped, key):.0f} with "
                               f"({min(r[key] for r in scraped):.0f} to {max(r[key] for r in scraped):.0f})")
                check.note(f"{ROUNDS} rounds each of {SECONDS} s, {RATE} queries a second; {len(times)} scrapes, "
                           f"median {statistics.median(times) * 1000:.1f} ms")
                assert len(times) > ROUNDS * SECONDS * SCRAPES_PER_S * 0.6, "scraped as often as said"
                allowed = quiet(alone, "p99_us") * (1 + SLACK_SHARE) + SLACK_US
                assert quiet(scraped, "p99_us") <= allowed, f"over {allowed:.0f} us"
    check.finish()


if __name__ == "__main__":
    main()
