"""faults: what becomes of queries while the upstream misbehaves: ours and the peers, each behind servers of its own.

The first faults are a network's, made by a relay; the others are those of upstreams, made by misbehaving.py. Of each:
how many queries had no answer, SERVFAIL or worse within the patience of a stub resolver, and the 99th percentile of
those that had one.
"""
import contextlib
import dataclasses

from field import OURS, PEERS, TITLES
from misbehaving import Misbehaving, Unreachable
from load import Load
from process import free_port
from relay import start_relay
from remote import Remote

RATE, SECONDS, PATIENCE_S = 500, 10, 6
#: 500 a second, each name new; then whoever still waits has until the patience of a stub resolver ends
LOAD = f"-m pipe -c 10 -q 500 -r {RATE} -t {RATE * SECONDS} -l {SECONDS + PATIENCE_S} -u {{new}}"
SLOW = "slow-2000ms-"
ZONE = "upstream.faults"  # nobody answers it by itself, as names in .test


@dataclasses.dataclass(frozen=True)
class Fault:
    title: str
    arguments: dict  #: of the relay


@dataclasses.dataclass(frozen=True)
class Habit:
    """Of upstreams, in order; the last one is healthy where there are two."""
    title: str
    upstreams: tuple  #: of misbehaving.py; None does not answer SYN
    rate: int = 100
    seconds: float = 8
    prefixes: tuple = ("n",)
    judged: str = "n"  #: the prefix whose names count; the others have no answer, or a slow one


def _among(others, one):
    """So many names, one of which begins with that."""
    return (*["n"] * (others - 1), one)


FAULTS = {
    "none": Fault("nothing", {}),
    "reset": Fault("resets all connections every second", {"kind": "reset", "every": 1.0}),
    "hang": Fault("leaves connections open but silent every 2 s", {"kind": "hang", "every": 2.0}),
    "refuse": Fault("resets every 2 s, then refuses for 0.3 s", {"kind": "reset", "every": 2.0, "refuse_for": 0.3}),
    "silent": Habit("completes TLS and never answers (first of two)", ({"silent": True}, {})),
    "seldom": Habit("the same, at a query a second", ({"silent": True}, {}), rate=1, seconds=15),
    "one": Habit("answers 1 question of a connection, then is silent (first of two)",
                 ({"answers_max": 1, "end": "silent"}, {})),
    "serial": Habit("answers one after another; a name of 2 s every 4 s", ({"serial": True},), rate=25, seconds=16,
                    prefixes=_among(100, SLOW)),
    "closes": Habit("closes on one name in fifty", ({"delay": 0.02},), prefixes=_among(50, "close-")),
    "garbage": Habit("sends a garbage frame on one name in fifty", ({"delay": 0.02},), prefixes=_among(50, "garbage-")),
    "flood": Habit("never stops sending (first of two)", ({"flood": "frames"}, {})),
    "syn": Habit("does not answer SYN (first of two); the second ends after 20 answers", (None, {"answers_max": 20})),
    "end1": Habit("closes after each answer", ({"answers_max": 1},), rate=25),
    "end3": Habit("closes after 3 answers", ({"answers_max": 3},)),
    "end20": Habit("closes after 20 answers", ({"answers_max": 20},)),
    "record": Habit("reads the first message of a TLS record", ({"first_of_record": True},), rate=1000, seconds=4),
    "wrongq": Habit("answers another question (first of two)", ({"treat": "wrongq"}, {})),
    "trailing": Habit("sends a byte too much (first of two)", ({"treat": "trailing"}, {})),
    "cutoff": Habit("says TC over TLS (first of two)", ({"treat": "cutoff"}, {})),
    "formerr": Habit("says FORMERR (first of two)", ({"treat": "formerr"}, {})),
    "refused": Habit("says REFUSED (first of two)", ({"treat": "refused"}, {})),
    "plain": Habit("does not know EDNS", ({"treat": "needsplain"},)),
}


def _measure_fault(bench, name, fault):
    with start_relay(bench.field.upstream_port) as relay:
        server = bench.field.start(name, relay.port)
        bench.warm(server)
        if fault.arguments:
            relay.repeat_fault(**fault.arguments)
        figures = bench.load(server.port, LOAD)
        server.process.stop()
    return {"failed": 1 - figures["noerror"] / (RATE * SECONDS), "p50_us": figures["p50_us"],
            "p99_us": figures["p99_us"]}


def _start_upstream(stack, field, how):
    if how is None:
        return stack.enter_context(Unreachable()).port
    upstream = stack.enter_context(Remote(Misbehaving, port=free_port(), certificate=str(field.folder / "chain.pem"),
                                          key=str(field.folder / "server.key")))
    upstream.behave(**how)
    upstream.start()
    return upstream.port


def _measure_habit(bench, name, habit):
    with contextlib.ExitStack() as stack:
        ports = [_start_upstream(stack, bench.field, how) for how in habit.upstreams]
        server = bench.field.start(name, ports)
        load = stack.enter_context(Remote(Load, port=server.port, prefixes=list(habit.prefixes), zone=ZONE))
        report = load.run(seconds=habit.seconds, rate=habit.rate, connections=5, patience=PATIENCE_S)
        server.process.stop()
    group = report["groups"][habit.judged]
    p50_ms, p99_ms = group["p50_ms"] or 0, group["p99_ms"] or 0
    return {"failed": 1 - group["rcodes"].get("0", 0) / group["sent"], "p50_us": p50_ms * 1000, "p99_us": p99_ms * 1000}


def measure(bench, name, fault):
    return _measure_fault(bench, name, fault) if isinstance(fault, Fault) else _measure_habit(bench, name, fault)


def run(bench):
    """{fault: {server: figures}}"""
    results = {}
    for key, fault in FAULTS.items():
        results[key] = {name: measure(bench, name, fault) for name in (OURS, *PEERS)}
        for name, figures in results[key].items():
            print(f"faults/{key:8} {TITLES[name]:>14} {figures['failed']:8.2%} failed   "
                  f"p50 {figures['p50_us'] / 1000:9.2f} ms   p99 {figures['p99_us'] / 1000:9.2f} ms", flush=True)
    return results


def _cell(figures):
    failed, p99_ms = figures["failed"], figures["p99_us"] / 1000
    text = "none" if failed <= 0 else f"{failed:.1%}" if failed < 0.1 else f"{failed:.0%}"
    return f"{text}; {p99_ms:,.1f} ms" if failed < 0.5 else text


def table(results):
    names = (OURS, *PEERS)
    lines = ["| the upstream | " + " | ".join(TITLES[name] for name in names) + " |", "|---|" + "---|" * len(names)]
    for key, figures in results.items():
        cells = [_cell(figures[name]) for name in names]
        lines.append(f"| {FAULTS[key].title} | **{cells[0]}** | " + " | ".join(cells[1:]) + " |")
    return "\n".join(lines) + "\n"
