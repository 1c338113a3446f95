"""Who floods can be read from the log, from /metrics and from /status.json: over TCP and over UDP, where the source may
be forged and has a limit of its own."""
import json

import pytest
import wire
from dnsclient import Client, ask
from figures import Figures, fetch
from process import wait_for
from proxy import Proxy
from udpclient import UdpClient

NAME = "limited.test"
QUERIES = 600
LIMITED = "dns_tls_proxy_client_address_limited_queries_per_second"
SETTINGS = {"rate_limit": {"queries_per_second": 20, "burst": 40},
            "udp": {"responses_per_second": 20, "cookies": False}}


@pytest.fixture(scope="module", name="proxy")
def _proxy(pki, module_path, hostile):
    with Proxy(module_path, pki, [hostile.port], SETTINGS) as proxy:
        ask(proxy.port, NAME)
        yield proxy


def flood_tcp(proxy, source):
    with Client(proxy.port, source=(source, 0)) as client:
        client.send(*(wire.query(NAME, number=i) for i in range(QUERIES)))
        for _ in range(QUERIES):
            client.receive()


def flood_udp(proxy, source):
    with UdpClient(proxy.port, source=(source, 0)) as client:
        for first in range(0, QUERIES, 50):  # no more than a socket's buffer holds
            client.send(*(wire.query(NAME, number=first + i) for i in range(50)))
            client.received(0.02)


def limited(proxy):
    return {labels["client"]: value for name, labels, value in Figures(proxy).series if name == LIMITED}


def in_status(proxy, source):
    status = json.loads(fetch(proxy, "/status.json"))
    for entry in status["limited_addresses"] + status["busiest_addresses"]:
        if entry["client"] == source and entry["refused_per_second"] > 0:
            assert entry["per_second"] >= entry["refused_per_second"]
            return entry
    return None


@pytest.mark.parametrize("flood, source", [(flood_tcp, "127.0.7.1"), (flood_udp, "127.0.7.2")])
def test_a_flood_names_its_address(proxy, flood, source):
    assert source not in limited(proxy)
    flood(proxy, source)
    rate = wait_for(lambda: limited(proxy).get(source), "it is shown in /metrics", 10)
    assert 50 < rate <= QUERIES / 3, "the window is three seconds long, and it may begin within the flood"
    flood(proxy, source)
    wait_for(lambda: in_status(proxy, source), "it is shown in /status.json", 10)
    line = proxy.wait_log(f"client limited\" client={source}")
    refused = int(line.split("refused=")[1].split()[0])
    assert 100 < refused <= 2 * QUERIES and "seconds=3" in line, line
    assert proxy.log().count(f"client={source} refused=") == 1, "once a minute"


def test_who_stops_is_shown_no_more(proxy):
    flood_tcp(proxy, "127.0.7.3")
    wait_for(lambda: "127.0.7.3" in limited(proxy), "it is shown", 10)
    wait_for(lambda: not limited(proxy), "nobody is", 10)


def test_who_stays_below_the_limit_is_not_named(proxy):
    with Client(proxy.port, source=("127.0.7.4", 0)) as client:
        client.send(*(wire.query(NAME, number=i) for i in range(30)))
        for _ in range(30):
            client.receive()
    flood_tcp(proxy, "127.0.7.5")
    wait_for(lambda: "127.0.7.5" in limited(proxy), "the other one is shown", 10)
    assert "127.0.7.4" not in limited(proxy) and "client=127.0.7.4" not in proxy.log()
