"""cost: what a query costs in instructions (callgrind) and in system calls (strace), beside what it cost before.
Neither is a timing, so a slow or busy machine gives the same figures. Run it by scripts/check-cost.

Both are counted from the moment when the program is warm. System calls are those of queries that come in rounds
(rounds.py), which no schedule changes. What happens now and then, as a handshake, only adds: so each is counted a few
times, and the least counts.
"""
import argparse
import collections
import itertools
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

from field import OURS, ROOT, Field

# pylint: disable=wrong-import-position,wrong-import-order
import wire
from dnsclient import Client
from hostile import start_hostile
from pki import Pki
from rounds import PER_ROUND, Rounds

RECORD = ROOT / "test/bench/cost.txt"
SHARE = 0.10  #: what a figure may move
CALLS = 0.01  #: and a number of system calls, where a tenth of it is less: half a call in a round
SECONDS = 120  #: a load that takes longer hangs

#: name -> program of the load, its arguments, queries
INSTRUCTIONS = {
    "cached": ("dnsload", "-m pipe -c 4 -q 50", 20000),
    "cached-udp": ("udpload", "-c 4 -q 50", 20000),
    "uncached": ("dnsload", "-m pipe -c 4 -q 50 -u {new}", 8000),
    "uncached-udp": ("udpload", "-c 4 -q 50 -u {new}", 8000),
}
#: name -> how a round is sent, whether its names are new, rounds
SYSTEM_CALLS = {
    "cached-pipelined": ("pipelined", False, 40),
    "cached-one-each": ("one_each", False, 20),
    "cached-one-a-connection": ("one_a_connection", False, 4),
    "cached-udp": ("datagrams", False, 40),
    "uncached-pipelined": ("pipelined", True, 40),
    "uncached-udp": ("datagrams", True, 40),
}
WARM_ROUNDS = 2
TIMES = 3

#: Responses of 64 kB that are built to be expensive (test/support/crafted.py), and what one may take at most, TLS and
#: copying included: more than half of it is decryption where the processor has no instructions for AES. 12 million take
#: 1.2 ms.
EXPENSIVE = ("costly", "aliases", "fan")
EXPENSIVE_MOST = 14e6
EXPENSIVE_COUNT = 20


class Cost:
    def __init__(self, field):
        self.field = field
        self._serial = 0
        self._outs = itertools.count()
        self._out = None

    def _load(self, server, program, arguments, total):
        self._serial += 1
        arguments = arguments.format(new=f"x{self._serial}-")
        command = [self.field.tools / f"bench_{program}", "-p", server.port, "-l", SECONDS, "-t", total]
        command = [*map(str, command), *arguments.split()]
        out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        if f'"noerror":{total},' not in out:
            sys.exit(f"check-cost: not every query was answered: {out}")

    def _start(self, wrapper):
        """The program under `wrapper`, warm: the names are in the cache, the session stands."""
        server = self.field.start(OURS, workers=1, wrapper=wrapper)
        self._load(server, "dnsload", "-m pipe -c 1 -q 50", 3000)
        return server

    def _end(self, server):
        os.kill(server.family()[-1], signal.SIGTERM)  # the program itself, so that the wrapper sees it end
        server.process.wait_exit()

    def _callgrind(self):
        self._out = self.field.folder / f"callgrind-{next(self._outs)}"
        return ["valgrind", "-q", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={self._out}"]

    @staticmethod
    def _count_from_now(server):
        subprocess.run(["callgrind_control", "--instr=on", str(server.process.pid)], check=True, capture_output=True)

    def _counted(self, server):
        """Instructions until now; ends the program."""
        self._end(server)
        return int(re.search(r"^(?:summary|totals): (\d+)", self._out.read_text(), re.MULTILINE).group(1))

    def _new_pki(self):
        folder = self.field.folder / f"pki-{next(self._outs)}"
        folder.mkdir()
        return Pki(folder)

    def instructions(self, program, arguments, total):
        """Of a query, where all sessions that the load needs stand, and the names are in the cache."""
        server = self._start(self._callgrind())
        self._load(server, program, arguments, total // 4)
        self._count_from_now(server)
        self._load(server, program, arguments, total)
        return self._counted(server) / total

    def expensive(self, how):
        """Instructions of a response that is built to be expensive, from an upstream that gives such."""
        pki = self._new_pki()
        with start_hostile(pki) as upstream:
            server = self.field.start(OURS, upstream.port, workers=1, wrapper=self._callgrind(), ca_file=pki.ca_file)
            with Client(server.port, timeout=60) as client:
                client.ask(wire.query(f"{how}-warm.org"))
                self._count_from_now(server)
                for i in range(EXPENSIVE_COUNT):
                    if len(client.ask(wire.query(f"{how}-{i}.org", number=i))) < 60000:
                        sys.exit(f"check-cost: no answer to {how}-{i}.org")
            return self._counted(server) / EXPENSIVE_COUNT

    def system_calls(self, kind, new, count):
        """Of a query: {name: calls}; those made once in a hundred queries, or less, left out."""
        pki = self._new_pki()
        out = pki.folder / "strace"
        with start_hostile(pki) as upstream:
            server = self.field.start(OURS, upstream.port, workers=1, ca_file=pki.ca_file,
                                      wrapper=["strace", "-f", "-q", "-s", "0", "-o", out])
            server.process.wait_log("transport=udp")  # its sockets for UDP are there; TCP listens before
            rounds = Rounds(server, out, kind, new)
            rounds.run(WARM_ROUNDS)
            counts = collections.Counter(rounds.run(count))
            rounds.end()
            self._end(server)
        total = count * PER_ROUND
        return {name: calls / total for name, calls in counts.items() if calls > total / 100}


def measure(field):
    """{name of the figure: value}; the parts of a sum stand behind it."""
    cost = Cost(field)
    figures = {}
    for name, load in INSTRUCTIONS.items():
        figures[f"instructions {name}"] = min(cost.instructions(*load) for _ in range(TIMES))
    for how in EXPENSIVE:
        figures[f"instructions {how}"] = min(cost.expensive(how) for _ in range(TIMES))
    for name, load in SYSTEM_CALLS.items():
        calls = min((cost.system_calls(*load) for _ in range(TIMES)), key=lambda each: sum(each.values()))
        figures[f"calls {name}"] = sum(calls.values())
        figures |= {f"calls {name} {part}": value for part, value in sorted(calls.items())}
    return figures


def is_part(name):
    return name.count(" ") > 1


def text_of(name, value):
    return f"{value:.0f}" if name.startswith("instructions") else f"{value:.2f}"


def read_record():
    lines = (line for line in RECORD.read_text(encoding="ascii").splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def write_record(figures):
    lines = ["# What a query costs with one worker: instructions under callgrind, system calls under strace.",
             "# Written by scripts/check-cost --record, which fails where a sum moves by more than a tenth."]
    lines += [f"{name} {text_of(name, value)}" for name, value in figures.items()]
    RECORD.write_text("\n".join(lines) + "\n", encoding="ascii")


def moved(name, before, now):
    allowed = SHARE * before
    return abs(now - before) > (max(allowed, CALLS) if name.startswith("calls") else allowed)


def compare(figures, record):
    """Prints each figure beside the recorded one; whether all sums stayed."""
    stayed = True
    for name in dict.fromkeys([*record, *figures]):
        before, now = record.get(name, 0.0), figures.get(name, 0.0)
        verdict = ""
        if moved(name, before, now):
            percent = f"{(now - before) / before * 100:+.0f} %" if before else "new"
            verdict = f"   moved: {percent}"
            stayed &= is_part(name)
        if name.partition(" ")[2] in EXPENSIVE and now > EXPENSIVE_MOST:
            verdict += f"   above {EXPENSIVE_MOST:.0f}"
            stayed = False
        indented = f"    {name}" if is_part(name) else name
        print(f"{indented:50} {text_of(name, before):>8} -> {text_of(name, now):>8}{verdict}")
    return stayed


def main():
    parser = argparse.ArgumentParser(prog="scripts/check-cost", description=__doc__.splitlines()[0])
    parser.add_argument("--record", action="store_true", help="the figures of this run are those to compare with")
    parser.add_argument("--tools", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--program", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what runs is ended
    with tempfile.TemporaryDirectory(prefix="cost-") as folder, \
            Field(pathlib.Path(folder), arguments.tools.resolve(), arguments.program.resolve()) as field:
        figures = measure(field)
    if arguments.record:
        write_record(figures)
    if compare(figures, read_record()):
        return
    print(f"\nA query's cost moved by more than {SHARE:.0%}. Where that is meant: scripts/check-cost --record, and say "
          "why in the commit.", file=sys.stderr)
    sys.exit(1)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
