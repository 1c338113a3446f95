#!/usr/bin/python3
"""names_cost: what records and routes (10 and 1, 10,000 and 1,000) add to the cost of a query, in instructions of the
worker under callgrind, over TCP and UDP; fails where it is 5 % or more. What a query costs without either is the
measure: with one record, so that it can be asked for. No timing: a busy machine gives the same figures. Other threads
do not count: what they do each second has nothing to do with a query, and takes more of a slow run. $PROXY is the
program.

    names_cost.py [LOAD...]      of LOADS, by its number from 1; all of them by default
"""
import contextlib
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))

# pylint: disable=wrong-import-position
import wire
from dnsclient import Client
from hostile import start_hostile
from pki import SERVER_NAME, Pki
from process import Process, free_port
from proxy import PROGRAM

QUERIES, BATCH, TIMES, SHARE = 4000, 50, 2, 0.05

#: Records and routes of a configuration, beside the record of its own.
SIZES = ((0, 0), (10, 1), (10000, 1000))

#: name -> whose answer it is. Those of the cache have been answered by the upstream before.
LOADS = {
    "warm.home.arpa": "a record",
    "x.local": "a special-use name",
    "www.cached.net": "the cache: no label of it is one of ours",
    "www.cached.com": "the cache: its last label is one of ours",
    "www.example.com": "the cache: two of its labels are",
    "none.corp.example.com": "the cache: in the zone of all our records, and none of them",
    "none.r1.corp.example.com": "the cache: a label deeper",
    "a." * 126 + "a": "the cache: 127 labels",
    "a." * 118 + "corp.example.com": "the cache: 121 labels, in the zone of all our records",
}


def plain_config(port, upstream, ca_file):
    # valgrind's own system calls are not in the program's table
    return (f'listen: ["127.0.0.1:{port}"]\nworkers: 1\nsandbox: off\n'
            f'rate_limit: {{queries_per_second: 0}}\nhttp: {{listen: ""}}\n'
            "udp: {responses_per_second: 0}\n"
            f"upstreams: [{{address: 127.0.0.1, port: {upstream}, name: {SERVER_NAME}}}]\n"
            f"tls: {{ca_file: {ca_file}}}\n")


def config_of_names(size):
    text = ""
    record_count, route_count = size
    records = ["warm.home.arpa A 192.0.2.9"]
    records += [f"h{i}.r{i % 100}.corp.example.com A 10.0.0.1" for i in range(record_count)]
    if route_count:
        text += "routes:\n" + "".join(f"  - {{zones: [z{i}.corp.example.com], upstreams: [{{address: 10.0.0.1, "
                                      "transport: tcp}]}\n" for i in range(route_count))
    return text + "names:\n  records:\n" + "".join(f'    - "{record}"\n' for record in records)


class Datagrams:
    """A client over UDP, with the functions of Client that are used here."""

    def __init__(self, port):
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(120)
        self._socket.connect(("127.0.0.1", port))

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._socket.close()

    def send(self, *messages):
        for message in messages:
            self._socket.send(message)

    def receive(self):
        return self._socket.recv(65535)


def load(process, client, name, total):
    """Asks in batches. The program is stopped while one is sent, so that it takes each in the same turns: how busy the
    machine is must not decide how many queries share the cost of a turn."""
    batch = [wire.query(name, number=i) for i in range(BATCH)]
    for _ in range(total // BATCH):
        os.kill(process.pid, signal.SIGSTOP)
        client.send(*batch)
        os.kill(process.pid, signal.SIGCONT)
        for _ in batch:
            if wire.rcode_of(client.receive()) not in (wire.NOERROR, wire.NXDOMAIN):
                sys.exit(f"names_cost: no answer to {name}")


def count(folder, client_kind, name, upstream, ca_file, config):
    """Instructions of a query, from the kernel and back to it, with `config` behind what is configured always: of the
    busiest thread, which is the worker.
    """
    port, out, path = free_port(), folder / "callgrind", folder / "dns.yaml"
    path.write_text(plain_config(port, upstream, ca_file) + config)
    command = ["valgrind", "-q", "--tool=callgrind", "--instr-atstart=no", "--separate-threads=yes",
               f"--callgrind-out-file={out}"]
    with Process(f"proxy-{port}", [*command, PROGRAM, "--config", path], folder) as process:
        process.wait_log("event=ready", seconds=120)
        with contextlib.closing(Client(port, timeout=120)) if client_kind == "TCP" else Datagrams(port) as client:
            load(process, client, name, 10 * BATCH)
            subprocess.run(["callgrind_control", "--instr=on", str(process.pid)], check=True, capture_output=True)
            load(process, client, name, QUERIES)
            subprocess.run(["callgrind_control", "--instr=off", str(process.pid)], check=True, capture_output=True)
        os.kill(process.pid, signal.SIGTERM)
        process.wait_exit(60)
    totals = [re.search(r"^totals: (\d+)", thread.read_text(), re.MULTILINE) for thread in folder.glob("callgrind-*")]
    return max(int(total.group(1)) for total in totals if total) / QUERIES


def main():
    stayed = True
    with tempfile.TemporaryDirectory(prefix="names-cost-") as name:
        folder = pathlib.Path(name)
        pki = Pki(folder)
        with start_hostile(pki) as upstream:
            loads = list(LOADS.items())
            for asked, answerer in [loads[int(number) - 1] for number in sys.argv[1:]] or loads:
                for kind in ("TCP", "UDP"):
                    costs = [min(count(folder, kind, asked, upstream.port, pki.ca_file, config_of_names(size))
                                 for _ in range(TIMES)) for size in SIZES]
                    rises = [(cost - costs[0]) / costs[0] for cost in costs]
                    print(f"{kind} {asked[-26:]:26} " + " -> ".join(f"{cost:5.0f}" for cost in costs),
                          "instructions,", " ".join(f"{rise:+.1%}" for rise in rises[1:]), f"  ({answerer})",
                          flush=True)
                    stayed &= max(rises) < SHARE
    if not stayed:
        sys.exit("names_cost: records and routes cost too much")


if __name__ == "__main__":
    main()
