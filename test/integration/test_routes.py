"""Zones with upstreams of their own: the longest zone wins, and no route's question or answer is another's."""
import json
import os
import threading
import time

import dns.message
import dns.query
import dns.rcode
import pytest
from dnsclient import Client
from figures import Figures, fetch
from hostile import start_hostile
from pki import SERVER_NAME
from process import free_port, wait_for
from proxy import Proxy
from tcp_server import start_tcp_server
import wire

LONG = os.environ.get("LONG") == "1"


def asked(port, name, qtype="A", timeout=10, **options):
    return dns.query.tcp(dns.message.make_query(name, qtype, **options), "127.0.0.1", port=port, timeout=timeout)


def data(response):
    return sorted(rdata.to_text() for rrset in response.answer for rdata in rrset)


def tls(port):
    return {"address": "127.0.0.1", "port": port, "name": SERVER_NAME}


def tcp(port):
    return {"address": "127.0.0.1", "port": port, "transport": "tcp"}


def route(zones, *upstreams):
    return {"zones": zones, "upstreams": list(upstreams)}


@pytest.fixture(scope="module", name="servers")
def _servers():
    """Two servers in plain text, which answer A of any name with 192.0.2.11 and 192.0.2.12."""
    with start_tcp_server("192.0.2.11") as one, start_tcp_server("192.0.2.12") as two:
        yield one, two


@pytest.fixture(name="routed")
def _routed(pki, tmp_path, hostile, servers):
    one, two = servers
    for server in (hostile, one, two):
        server.forget()
    config = {"routes": [route(["corp.example", "10.in-addr.arpa"], tcp(one.port)),
                         route(["eu.corp.example"], tcp(two.port)), route(["tls.example"], tls(hostile.port))],
              "names": {"special_use": "local"}}
    with Proxy(tmp_path, pki, [hostile.port], config) as proxy:
        yield proxy


def test_longest_zone_wins(routed, hostile, servers):
    one, two = servers
    for name, address in [("corp.example", "192.0.2.11"), ("www.Corp.example", "192.0.2.11"),
                          ("eu.corp.example", "192.0.2.12"), ("a.b.EU.corp.example", "192.0.2.12"),
                          ("xeu.corp.example", "192.0.2.11"), ("1.10.in-addr.arpa", "192.0.2.11"),
                          ("xcorp.example", "192.0.2.1"), ("example", "192.0.2.1"), ("www.tls.example", "192.0.2.1")]:
        assert data(asked(routed.port, name)) == [address], name
    assert set(one.queries()) - {""} == {"corp.example", "www.corp.example", "xeu.corp.example", "1.10.in-addr.arpa"}
    assert set(two.queries()) - {""} == {"eu.corp.example", "a.b.eu.corp.example"}
    assert set(hostile.queries()) - {""} == {"xcorp.example", "example", "www.tls.example"}
    assert asked(routed.port, "1.168.192.in-addr.arpa").rcode() == dns.rcode.NXDOMAIN, "a special name without a route"


def test_answers_are_cached_for_their_route(routed, servers):
    one, _ = servers
    for _ in range(3):
        assert data(asked(routed.port, "kept.corp.example")) == ["192.0.2.11"]
    assert one.queries()["kept.corp.example"] == 1


def test_metrics_and_status_have_the_upstreams_of_routes(routed, servers):
    one, two = servers
    asked(routed.port, "m.corp.example")
    asked(routed.port, "m.eu.corp.example")
    for label in (f"corp.example/127.0.0.1:{one.port}", f"eu.corp.example/127.0.0.1:{two.port}"):
        assert Figures(routed).sum("upstream_queries_total", upstream=label) >= 1
    assert Figures(routed).sum("routes") == 3
    assert Figures(routed).sum("routes_failing") == 0


def test_failing_route_is_told_and_falls_back_to_nobody(pki, tmp_path, hostile):
    port = free_port()
    hostile.forget()
    config = {"routes": [route(["gone.example"], tcp(port))], "upstream": {"query_timeout": "1s"},
              "cache": {"serve_stale": "1h"}}
    with Proxy(tmp_path, pki, [hostile.port], config) as proxy:
        with start_tcp_server("192.0.2.11", port=port, ttl=1) as server:
            assert data(asked(proxy.port, "www.gone.example")) == ["192.0.2.11"]
            wait_for(lambda: "www.gone.example" in server.queries(), "the question")
        time.sleep(1.2)  # the answer's TTL of a second ends
        response = asked(proxy.port, "www.gone.example", use_edns=0)
        assert data(response) == ["192.0.2.11"], "the stale answer"
        assert asked(proxy.port, "new.gone.example").rcode() == dns.rcode.SERVFAIL
        assert asked(proxy.port, "www.example").rcode() == dns.rcode.NOERROR, "other names are not affected"
        assert not [name for name in hostile.queries() if "gone" in name]
        assert Figures(proxy).sum("routes_failing") == 1
        assert Figures(proxy).sum("ready") == 1, "readiness follows the default route"
        assert json.loads(fetch(proxy, "/readyz"))["failing_routes"] == "gone.example"
        with start_tcp_server("192.0.2.11", port=port):
            wait_for(lambda: asked(proxy.port, "again.gone.example").rcode() == dns.rcode.NOERROR, "the server is back")
            assert Figures(proxy).sum("routes_failing") == 0


class Asker(threading.Thread):
    """Asks names of all routes in turn on one connection, and notes what is wrong."""

    def __init__(self, port, total, rate, wanted):
        super().__init__()
        self.port, self.total, self.rate, self.wanted = port, total, rate, wanted
        self.wrong, self.answered = [], 0

    def run(self):
        zones = list(self.wanted)
        with Client(self.port, timeout=15) as client:
            begin, sent = time.monotonic(), 0
            while sent < self.total:
                size = min(50, self.total - sent)
                names = [f"n{(sent + i) % 997}-{self.ident % 7}.{zones[(sent + i) % len(zones)]}" for i in range(size)]
                client.send(*(wire.query(name, number=i) for i, name in enumerate(names)))
                for _ in range(size):
                    answer = client.receive()
                    if answer is None:
                        self.wrong.append("closed")
                        return
                    self._look(answer, names[wire.number_of(answer)])
                sent += size
                time.sleep(max(0.0, begin + sent / self.rate - time.monotonic()))

    def _look(self, answer, name):
        zone = name.partition(".")[2]
        address = [".".join(map(str, answer[start:end])) for _, kind, _, _, start, end in wire.records(answer)
                   if kind == 1]
        self.answered += 1
        if wire.rcode_of(answer) != wire.NOERROR or address != [self.wanted[zone]]:
            self.wrong.append((name, wire.rcode_of(answer), address))


def test_reload_under_load_loses_nothing_and_mixes_nothing(pki, tmp_path, servers):
    one, two = servers
    for server in servers:
        server.forget()
    total, rate = (10000, 5000) if LONG else (3000, 1500)
    zones = {"a.example": (one, "192.0.2.11"), "b.a.example": (two, "192.0.2.12"), "c.example": (one, "192.0.2.11")}
    first = [route([zone], tcp(server.port)) for zone, (server, _) in zones.items()]
    more = [route(["added.example"], tcp(two.port))] + first[::-1]
    with start_hostile(pki) as public, \
            Proxy(tmp_path, pki, [public.port], {"routes": first, "cache": {"max_size": 0}}) as proxy:
        wanted = {zone: address for zone, (_, address) in zones.items()} | {"public.example": "192.0.2.1"}
        askers = [Asker(proxy.port, total // 4, rate / 4, wanted) for _ in range(4)]
        for asker in askers:
            asker.start()
        reloads = 0
        while any(asker.is_alive() for asker in askers):
            proxy.reload({"routes": more if reloads % 2 == 0 else first})
            reloads += 1
            askers[0].join(1.0 if LONG else 0.5)
        for asker in askers:
            asker.join()
        wrong = [each for asker in askers for each in asker.wrong]
        assert not wrong, f"{len(wrong)}, as {wrong[:5]}"
        assert sum(asker.answered for asker in askers) == total // 4 * 4
        assert reloads >= 2
        print(f"{total} queries over {reloads} reloads")
        assert all(name.endswith("public.example") for name in public.queries() if name)
        assert all(name.endswith(("a.example", "c.example")) and not name.endswith("b.a.example")
                   for name in one.queries() if name)
        assert all(name.endswith("b.a.example") for name in two.queries() if name)


def test_route_that_changes_its_upstream_gives_the_new_answer(pki, tmp_path, hostile, servers):
    one, two = servers
    # The sandbox lets a reload connect to the ports alone that the configuration had at the start.
    spare = route(["spare.example"], tcp(two.port))
    with Proxy(tmp_path, pki, [hostile.port], {"routes": [route(["x.example"], tcp(one.port)), spare]}) as proxy:
        assert data(asked(proxy.port, "www.x.example")) == ["192.0.2.11"]
        proxy.reload({"routes": [route(["x.example"], tcp(two.port))]})
        assert data(asked(proxy.port, "www.x.example")) == ["192.0.2.12"], "not what the former route left in the cache"
        proxy.reload({"routes": []})
        assert data(asked(proxy.port, "www.x.example")) == ["192.0.2.1"]


def test_search_path_of_a_pod_is_answered(pki, tmp_path, hostile, servers):
    """With ndots: 5 a pod asks for its search path first; only the last name leaves the cluster."""
    one, _ = servers
    one.forget()
    hostile.forget()
    config = {"routes": [route(["cluster.local"], tcp(one.port))], "names": {"special_use": "local"}}
    with Proxy(tmp_path, pki, [hostile.port], config) as proxy:
        for suffix in ("default.svc.cluster.local", "svc.cluster.local", "cluster.local"):
            assert asked(proxy.port, f"nx-www.example.com.{suffix}").rcode() == dns.rcode.NXDOMAIN
        assert data(asked(proxy.port, "www.example.com")) == ["192.0.2.1"]
        assert not [name for name in hostile.queries() if "cluster" in name]
        assert asked(proxy.port, "x.local").rcode() == dns.rcode.NXDOMAIN, "the rest of local. is answered here"
