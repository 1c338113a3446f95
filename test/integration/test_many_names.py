"""A configuration with ten thousand records and a thousand routes: started, reloaded, asked, and with faults in it."""
import json
import os
import signal
import time

import pytest
import wire
from dnsclient import Client
from process import wait_for
from proxy import Proxy, run
from tcp_server import start_tcp_server

LONG = os.environ.get("LONG") == "1"
RECORDS, ROUTES = 10000, 1000


def record(i, last="{}"):
    return f"host{i}.dept{i % 97}.corp.example 300 IN A 10.{i >> 16}.{i >> 8 & 255}.{last.format(i & 255)}"


def routes(ports):
    """Each with a zone of its own, at one of the servers in turn."""
    return [{"zones": [f"zone{i}.example"],
             "upstreams": [{"address": "127.0.0.1", "port": ports[i % len(ports)], "transport": "tcp"}]}
            for i in range(ROUTES)]


def addresses(response):
    return [".".join(map(str, response[start:end]))
            for _, kind, _, _, start, end in wire.records(response) if kind == wire.TYPES["A"]]


def check(proxy, begin):
    """A sample of records and routes, and names beside them."""
    with Client(proxy.port, timeout=15) as client:
        for i in range(begin, RECORDS, 997):
            for dept, wanted in ((i % 97, f"10.0.{i >> 8}.{i & 255}"), ((i + 1) % 97, "192.0.2.1")):
                name = f"host{i}.dept{dept}.corp.example"
                assert addresses(client.ask(wire.query(name))) == [wanted], name
        for i in range(begin, ROUTES, 97):
            assert addresses(client.ask(wire.query(f"n{i}.zone{i}.example"))) == [f"192.0.2.{11 + i % 2}"], i


def test_ten_thousand_records_and_a_thousand_routes(pki, tmp_path, hostile):
    with start_tcp_server("192.0.2.11") as one, start_tcp_server("192.0.2.12") as two:
        config = {"names": {"special_use": "local", "records": [record(i) for i in range(RECORDS)]},
                  "routes": routes([one.port, two.port]), "prefetch": {"top": 0}}
        hostile.forget()
        with Proxy(tmp_path, pki, [hostile.port], config) as proxy:
            check(proxy, 0)
            for i in range(3):
                before, begin = proxy.log().count("configuration reloaded"), time.monotonic()
                proxy.write_config({"names": {"records": [record(i) for i in range(RECORDS)][::-1]}})
                proxy.child.send_signal(signal.SIGHUP)
                wait_for(lambda: proxy.log().count("configuration reloaded") > before, "the reload", 60)
                assert not LONG or time.monotonic() - begin < 2
                check(proxy, i + 1)
            assert all(".dept" in name for name in hostile.queries() if name), "no name of a route"
            for command in (["--check-config"], ["--query", "host77.dept77.corp.example"], ["--print-config"]):
                begin = time.monotonic()
                assert run("--config", proxy.config_path, *command, timeout=60).returncode == 0
                assert not LONG or time.monotonic() - begin < 2


@pytest.mark.parametrize("where", ["few", "many"])
def test_faults_among_many_entries_are_named_with_their_places(tmp_path, where):
    path = tmp_path / "dns.yaml"
    bad = {77, 5000, 9999} if where == "few" else set(range(0, RECORDS, 10))
    lines = ["names:", "  records:"]
    lines += [f'    - "{record(i, "{}x" if i in bad else "{}")}"' for i in range(RECORDS)]
    lines += ["routes:"]
    lines += [f"  - {json.dumps(each)}" for each in routes([53])]
    lines[RECORDS + 3 + 500] = lines[RECORDS + 3 + 500].replace("zone500.", "zone499.")
    path.write_text("\n".join(lines) + "\n")
    done = run("--config", path, "--check-config", timeout=60)
    said = done.stderr.splitlines()
    assert done.returncode == 1
    for i, line in zip(sorted(bad)[:100], said):
        assert line.startswith(f"{path}:{i + 3}:7: 'names.records': ") and f"host{i}." in line
    if where == "few":
        assert said[3:] == [f"{path}:{RECORDS + 504}:5: 'routes': zone499.example: a zone is in one route only"]
    else:
        assert len(said) == 101 and "more faults" in said[-1], "a hundred, and that there are more"
