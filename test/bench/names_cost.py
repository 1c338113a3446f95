#!/usr/bin/python3
"""names_cost: what 10,000 records and 1,000 routes add to the cost of a query, in instructions of the whole program
under callgrind, over TCP and UDP; fails where it is 5 % or more. No timing: a busy machine gives the same figures.
$PROXY is the program.

    names_cost.py [NAME...]      of LOADS; all of them by default
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

#: name -> whose answer it is. Those of the cache have been answered by the upstream before.
LOADS = {
    "warm.home.arpa": "a record",
    "x.local": "a special-use name",
    "www.cached.net": "the cache: no label of it is one of ours",
    "www.cached.com": "the cache: its last label is one of ours",
    "www.example.com": "the cache: two of its labels are",
    "none.corp.example.com": "the cache: in the zone of all our records, and none of them",
    "none.r1.corp.example.com": "the cache: a label deeper",
}


def config(port, upstream, ca_file, is_large):
    records = ["warm.home.arpa A 192.0.2.9"]
    text = (f'listen: ["127.0.0.1:{port}"]\nworkers: 1\nrate_limit: {{queries_per_second: 0}}\nhttp: {{listen: ""}}\n'
            "udp: {responses_per_second: 0}\n"
            f"upstreams: [{{address: 127.0.0.1, port: {upstream}, name: {SERVER_NAME}}}]\n"
            f"tls: {{ca_file: {ca_file}}}\n")
    if is_large:
        records += [f"h{i}.r{i % 100}.corp.example.com A 10.0.0.1" for i in range(10000)]
        text += "routes:\n" + "".join(f"  - {{zones: [z{i}.corp.example.com], upstreams: [{{address: 10.0.0.1, "
                                      "transport: tcp}]}\n" for i in range(1000))
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


def load(client, name, total):
    batch = [wire.query(name, number=i) for i in range(BATCH)]
    for _ in range(total // BATCH):
        client.send(*batch)
        for _ in batch:
            if wire.rcode_of(client.receive()) not in (wire.NOERROR, wire.NXDOMAIN):
                sys.exit(f"names_cost: no answer to {name}")


def count(folder, client_kind, name, upstream, ca_file, is_large):
    """Instructions of a query, from the kernel and back to it."""
    port, out, path = free_port(), folder / "callgrind", folder / "dns.yaml"
    path.write_text(config(port, upstream, ca_file, is_large))
    command = ["valgrind", "-q", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={out}"]
    with Process(f"proxy-{port}", [*command, PROGRAM, "--config", path], folder) as process:
        process.wait_log("event=ready", seconds=120)
        with contextlib.closing(Client(port, timeout=120)) if client_kind == "TCP" else Datagrams(port) as client:
            load(client, name, 10 * BATCH)
            subprocess.run(["callgrind_control", "--instr=on", str(process.pid)], check=True, capture_output=True)
            load(client, name, QUERIES)
            subprocess.run(["callgrind_control", "--instr=off", str(process.pid)], check=True, capture_output=True)
        os.kill(process.pid, signal.SIGTERM)
        process.wait_exit(60)
    return int(re.search(r"^totals: (\d+)", out.read_text(), re.MULTILINE).group(1)) / QUERIES


def main():
    stayed = True
    with tempfile.TemporaryDirectory(prefix="names-cost-") as name:
        folder = pathlib.Path(name)
        pki = Pki(folder)
        with start_hostile(pki) as upstream:
            for asked in sys.argv[1:] or LOADS:
                for kind in ("TCP", "UDP"):
                    few, many = (min(count(folder, kind, asked, upstream.port, pki.ca_file, is_large)
                                     for _ in range(TIMES)) for is_large in (False, True))
                    print(f"{kind} {asked:26} {few:5.0f} -> {many:5.0f} instructions, {(many - few) / few:+.1%}   "
                          f"({LOADS.get(asked, '')})", flush=True)
                    stayed &= many - few < SHARE * few
    if not stayed:
        sys.exit("names_cost: records and routes cost too much")


if __name__ == "__main__":
    main()
