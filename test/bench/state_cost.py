#!/usr/bin/python3
"""state_cost: what the state over a restart gives and costs; fails where a bound is missed. $PROXY is the program.

    state_cost.py hits       300,000 names: the share of cache hits in the minute before a restart and in the first
                             minute after it, which differ by at most 2 %
    state_cost.py million    10^6 answers: size of the snapshot, seconds to load it, to save it beside the load and at
                             the end; time from the start to the first answer with and without it; the 99th percentile
                             of cached answers while it is saved again and again, at most 10 % above that without,
                             in rounds in which others leave the processors alone
"""
import bisect
import itertools
import json
import os
import pathlib
import random
import resource
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))

# pylint: disable=wrong-import-position
import state_file
import wire
from cost import cpu_seconds
from figures import Figures
from hostile import start_hostile
from pki import Pki
from process import Process, wait_for
from proxy import PROGRAM, Proxy
from state_file import Record, Snapshot

HERE = pathlib.Path(__file__).parent
NAMES, PER_S, MINUTE = 300_000, 2500, 60
MILLION = 1_000_000
SHARE_DIFFERS, P99_RISES = 0.02, 0.10
RATE, SECONDS = 20_000, 3
TURNS, ROUNDS = 4, 6  # of saving and not saving, and rounds of each in a turn
OTHERS = 0.1  # processors

EVERY_ANSWER = {"cache": {"max_size": "1GiB"}, "udp": {"responses_per_second": 0}}


class Records:
    """Many answers quickly: what does not depend on the name is made once."""

    def __init__(self):
        sample = state_file.address_record("x.test", b"\xc0\x00\x02\x01")
        question = wire.name_to_wire("x.test")
        self._head, self._tail = sample.value[:12], sample.value[12 + len(question):]

    def make(self, name, ttl, age, is_used=True):
        first = time.time_ns() - int(age * 1e9)
        return Record(state_file.ANSWER, state_file.key_of(name), self._head + wire.name_to_wire(name) + self._tail,
                      first, first + int(ttl * 1e9), is_used)


def origin_of(folder, pki, upstream):
    """As the program computes it for this upstream."""
    state = folder / "state"
    with Proxy(folder, pki, [upstream], {**EVERY_ANSWER, "state": {"directory": str(state)}}, name="first"):
        pass
    return Snapshot.load(state / "snapshot").origin


# ---- hits

class Zipf:
    def __init__(self, count, seed):
        self._sums = list(itertools.accumulate(1 / (i + 1) for i in range(count)))
        self._random = random.Random(seed)

    def next(self):
        return bisect.bisect(self._sums, self._random.random() * self._sums[-1])


def ask_for(port, zipf, seconds):
    """PER_S a second over UDP; whatever is not answered within a second is left."""
    begin, sent = time.monotonic(), 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", port))
        client.setblocking(False)
        while (now := time.monotonic() - begin) < seconds:
            while sent < now * PER_S:
                client.send(wire.query(f"h{zipf.next()}.state.test", number=sent % 65536))
                sent += 1
            select.select([client], [], [], 0.002)
            try:
                while True:
                    client.recv(4096)
            except BlockingIOError:
                pass


def share_of_hits(proxy, zipf):
    before = Figures(proxy)
    ask_for(proxy.port, zipf, MINUTE)
    after = Figures(proxy)
    hits, misses = (after.sum(f"cache_{what}_total") - before.sum(f"cache_{what}_total") for what in ("hits", "misses"))
    return hits / (hits + misses), hits + misses


def measure_hits(folder, pki, upstream):
    state, make = folder / "state", Records().make
    chance = random.Random(1)
    origin = origin_of(folder, pki, upstream)
    Snapshot(origin, [make(f"h{i}.state.test", ttl := chance.randrange(30, 900), chance.random() * ttl, i < 50_000)
                      for i in range(NAMES)]).write(state / "snapshot")
    config = {**EVERY_ANSWER, "state": {"directory": str(state)}}
    zipf = Zipf(NAMES, 1)
    with Proxy(folder, pki, [upstream], config, name="before") as proxy:
        proxy.wait_log('event="state loaded"', 60)
        ask_for(proxy.port, zipf, 5)
        before, queries = share_of_hits(proxy, zipf)
    with Proxy(folder, pki, [upstream], config, name="after") as proxy:
        after, _ = share_of_hits(proxy, zipf)
    with Proxy(folder, pki, [upstream], EVERY_ANSWER, name="cold", arguments=["--no-state"]) as proxy:
        cold, _ = share_of_hits(proxy, zipf)
    print(f"{NAMES} names, {queries:.0f} queries a minute, hits: before the restart {before:.2%}, in the first minute "
          f"after it {after:.2%}; without a state {cold:.2%}", flush=True)
    return before - after <= SHARE_DIFFERS


# ---- a million

def seconds_to_answer(folder, config_path, port, number):
    """From the start of the process to the first answer, of a record of its own."""
    query = wire.query("own.home.arpa")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", port))
        client.settimeout(0.002)
        begin = time.monotonic()
        with Process(f"start{number}", [PROGRAM, "--config", config_path], folder) as process:
            while True:
                try:
                    client.send(query)
                    client.recv(512)
                    break
                except (ConnectionRefusedError, TimeoutError):
                    continue
            took = time.monotonic() - begin
            process.kill()
    return took


def measure_start(folder, proxy):
    """With the snapshot of a million, and with a directory without one."""
    path, port = proxy.config_path, proxy.port
    kept = json.loads(path.read_text())
    times = {"with": [], "without": []}
    for number in range(14):
        which = "with" if number % 2 else "without"
        directory = kept["state"]["directory"] if number % 2 else str(folder / "nothing")
        path.write_text(json.dumps({**kept, "state": {**kept["state"], "directory": directory}}))
        times[which].append(seconds_to_answer(folder, path, port, number))
    path.write_text(json.dumps(kept))
    of_with, without = (statistics.median(times[which]) for which in ("with", "without"))
    print(f"start to first answer, medians of 7: {of_with * 1000:.0f} ms with a million answers to load, "
          f"{without * 1000:.0f} ms with none", flush=True)


def idle_s():
    """Of all processors, since the machine's start."""
    fields = pathlib.Path("/proc/stat").read_text(encoding="ascii").split()[1:]
    return (int(fields[3]) + int(fields[4])) / os.sysconf("SC_CLK_TCK")


def busy_s(proxy):
    """Of the program, of this process and of its children that have ended."""
    own = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return cpu_seconds(proxy) + sum(each.ru_utime + each.ru_stime for each in own)


def one_round(tool, proxy):
    """Percentiles 50, 99 and 99.9 in us, and how many processors others had meanwhile."""
    idle, busy, begin = idle_s(), busy_s(proxy), time.monotonic()
    done = subprocess.run([tool, "-p", str(proxy.port), "-c", "50", "-q", "4", "-l", str(SECONDS), "-r", str(RATE)],
                          capture_output=True, text=True, check=True)
    seconds = time.monotonic() - begin
    others = os.cpu_count() - (idle_s() - idle + busy_s(proxy) - busy) / seconds
    said = json.loads(done.stdout)
    return (said["p50_us"], said["p99_us"], said["p999_us"]), others


def measure_rounds(folder, proxy):
    """{interval of saves: its rounds}: in turns some rounds with saves one after the other, and some without."""
    unfinished = folder / "state" / "snapshot.new"
    tool = folder / "udpload"
    subprocess.run(["cc", "-O2", "-D_GNU_SOURCE", f"-I{HERE.parents[1]}", "-o", tool, HERE / "udpload.c", "-lm"],
                   check=True)
    found = {"1d": [], "1s": []}
    one_round(tool, proxy)
    for _ in range(TURNS):
        for interval, rounds in found.items():
            proxy.reload({"state": {"save_interval": interval}})
            if interval == "1s":
                wait_for(unfinished.exists, "a save", 30)
            else:
                wait_for(lambda: not unfinished.exists(), "the end of the save", 120)
            rounds += [one_round(tool, proxy) for _ in range(ROUNDS)]
    return found


def measure_p99(folder, proxy):
    found = measure_rounds(folder, proxy)
    saves = Figures(proxy).sum("state_saves_total", result="good")
    quiet = {interval: [figures for figures, others in rounds if others < OTHERS] for interval, rounds in found.items()}
    for interval, what in (("1s", f"while it saves ({saves:.0f} saves)"), ("1d", "else")):
        figures = quiet[interval] or [figures for figures, _ in found[interval]]
        p50, p99, p999 = (statistics.median(values) for values in zip(*figures))
        print(f"cached answers over UDP at {RATE}/s, medians of {len(quiet[interval])} quiet rounds of {SECONDS} s, of "
              f"{len(found[interval])}: p50 {p50:.0f} us, p99 {p99:.0f} us, p99.9 {p999:.0f} us {what}; p99 of each, "
              f"and what others had: {', '.join(f'{each[1]:.0f} ({others:.2f})' for each, others in found[interval])}",
              flush=True)
    if min(map(len, quiet.values())) < TURNS * ROUNDS / 2:
        print("too few quiet rounds to tell")
        return False
    save99, rest99 = (statistics.median(figures[1] for figures in quiet[interval]) for interval in ("1s", "1d"))
    print(f"p99 while it saves: {save99 / rest99 - 1:+.1%}", flush=True)
    return save99 <= rest99 * (1 + P99_RISES)


def measure_million(folder, pki, upstream):
    state, make = folder / "state", Records().make
    origin = origin_of(folder, pki, upstream)
    records = [make(f"h{i:08x}.bench", 3 * 86400, 10) for i in range(1000)]
    records += [make(f"name-{i}.million.example", 3 * 86400, 10, i % 2 == 0) for i in range(MILLION - 1000)]
    Snapshot(origin, records).write(state / "snapshot")
    del records
    config = {**EVERY_ANSWER, "state": {"directory": str(state), "save_interval": "1d"},
              "names": {"records": ["own.home.arpa 300 IN A 192.0.2.5"]}}
    with Proxy(folder, pki, [upstream], config, name="million") as proxy:
        proxy.wait_log('event="state loaded"', 120)
        loaded = Figures(proxy)
        good = measure_p99(folder, proxy)
        saved = Figures(proxy)
        print(f"{loaded.sum('state_loaded_entries_total'):.0f} answers: "
              f"{saved.sum('state_snapshot_bytes') / 1e6:.0f} MB, loaded in "
              f"{loaded.sum('state_load_duration_seconds'):.2f} s, saved in "
              f"{saved.sum('state_save_duration_seconds'):.2f} s, cache {loaded.sum('cache_bytes') / 1e6:.0f} MB",
              flush=True)
        took = proxy.finish(60)
    print(f"stop with the last snapshot: {took:.2f} s", flush=True)
    measure_start(folder, proxy)
    return good


def main():
    parts = {"hits": measure_hits, "million": measure_million}
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if len(sys.argv) != 2 or sys.argv[1] not in parts:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory(prefix="state-cost-") as name:
        folder = pathlib.Path(name)
        pki = Pki(folder)
        with start_hostile(pki) as upstream:
            if not parts[sys.argv[1]](folder, pki, upstream.port):
                sys.exit("state_cost: a bound is missed")


if __name__ == "__main__":
    main()
