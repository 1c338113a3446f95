#!/usr/bin/python3
"""names_cost: what 10,000 records and 1,000 routes add to the cost of a query, in instructions of forwarder_handle
under callgrind; fails where it is 5 % or more. No timing: a busy machine gives the same figures. $PROXY is the program.
"""
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))

# pylint: disable=wrong-import-position
import wire
from dnsclient import Client
from process import Process, free_port
from proxy import PROGRAM

QUERIES, SHARE = 4000, 0.05
NAMES = ["warm.home.arpa", "x.local"]  # a record, and a special-use name: both are looked up in the tree first


def config(port, is_large):
    records = ["warm.home.arpa A 192.0.2.9"]
    text = (f'listen: ["127.0.0.1:{port}"]\nworkers: 1\nrate_limit: {{queries_per_second: 0}}\nhttp: {{listen: ""}}\n'
            "udp: {enabled: false}\nupstreams: [{address: 127.0.0.1, port: 9, name: a.example}]\n")
    if is_large:
        records += [f"h{i}.r{i % 100}.corp.example.com A 10.0.0.1" for i in range(10000)]
        text += "routes:\n" + "".join(f"  - {{zones: [z{i}.corp.example.com], upstreams: [{{address: 10.0.0.1, "
                                      "transport: tcp}]}\n" for i in range(1000))
    return text + "names:\n  records:\n" + "".join(f'    - "{record}"\n' for record in records)


def load(client, name, total):
    batch = [wire.query(name, number=i) for i in range(50)]
    for _ in range(total // len(batch)):
        client.send(*batch)
        for _ in batch:
            assert client.receive()


def instructions(folder, name, is_large):
    """Of a query, from its message to its reply."""
    port, out, path = free_port(), folder / f"callgrind-{name}-{is_large}", folder / "dns.yaml"
    path.write_text(config(port, is_large))
    command = ["valgrind", "-q", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={out}"]
    with Process(f"proxy-{name}-{is_large}", [*command, PROGRAM, "--config", path], folder) as process:
        process.wait_listening(port)
        with Client(port, timeout=60) as client:
            load(client, name, 500)
            subprocess.run(["callgrind_control", "--instr=on", str(process.pid)], check=True, capture_output=True)
            load(client, name, QUERIES)
        os.kill(process.pid, signal.SIGTERM)
        process.wait_exit(60)
    text = subprocess.run(["callgrind_annotate", "--inclusive=yes", out], check=True, capture_output=True,
                          text=True).stdout
    return int(re.search(r"^ *([\d,]+) .*:forwarder_handle", text, re.MULTILINE).group(1).replace(",", "")) / QUERIES


def main():
    with tempfile.TemporaryDirectory(prefix="names-cost-") as name:
        for asked in NAMES:
            few, many = (instructions(pathlib.Path(name), asked, is_large) for is_large in (False, True))
            print(f"{asked}: {few:.0f} -> {many:.0f} instructions, {(many - few) / few:+.1%}")
            if many - few >= SHARE * few:
                sys.exit("names_cost: records and routes cost too much")


if __name__ == "__main__":
    main()
