"""faults: what becomes of queries while the upstream misbehaves: ours and the peers, each behind a relay of its own."""
import dataclasses

from field import OURS, PEERS, TITLES
from relay import start_relay

RATE, SECONDS, PATIENCE_S = 500, 10, 6
#: 500 a second, each name new; then whoever still waits has until the patience of a stub resolver ends
LOAD = f"-m pipe -c 10 -q 500 -r {RATE} -t {RATE * SECONDS} -l {SECONDS + PATIENCE_S} -u {{new}}"


@dataclasses.dataclass(frozen=True)
class Fault:
    title: str
    arguments: dict  #: of the relay


FAULTS = {
    "none": Fault("nothing", {}),
    "reset": Fault("resets all connections every second", {"kind": "reset", "every": 1.0}),
    "hang": Fault("leaves connections open but silent every 2 s", {"kind": "hang", "every": 2.0}),
    "refuse": Fault("resets every 2 s, then refuses for 0.3 s", {"kind": "reset", "every": 2.0, "refuse_for": 0.3}),
}


def measure(bench, name, fault):
    with start_relay(bench.field.upstream_port) as relay:
        server = bench.field.start(name, relay.port)
        bench.warm(server)
        if fault.arguments:
            relay.repeat_fault(**fault.arguments)
        figures = bench.load(server.port, LOAD)
        server.process.stop()
    return {"failed": 1 - figures["noerror"] / (RATE * SECONDS), "p50_us": figures["p50_us"],
            "p99_us": figures["p99_us"]}


def run(bench):
    """{fault: {server: figures}}"""
    results = {}
    for key, fault in FAULTS.items():
        results[key] = {name: measure(bench, name, fault) for name in (OURS, *PEERS)}
        for name, figures in results[key].items():
            print(f"faults/{key:7} {TITLES[name]:>14} {figures['failed']:8.2%} failed   "
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
