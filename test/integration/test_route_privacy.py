"""What belongs to a route goes to its servers and to nobody else, whatever fails, is refreshed, expires, is purged, or
moves from one route to another.
"""
import contextlib

import dns.edns
import dns.message
import dns.query
import dns.rcode
import pytest
from figures import Figures, post
from pki import SERVER_NAME
from process import free_port, wait_for
from proxy import Proxy
from tcp_server import start_tcp_server

TYPES = ["A", "AAAA", "NS", "SOA", "MX", "TXT", "DS", "DNSKEY", "SVCB", "HTTPS", "SRV", "PTR", "CAA", "NSEC",
         "TYPE65280"]
NAMES = ["corp.example", "a.b.corp.example", "home.arpa", "10.in-addr.arpa", "x.cluster.local", "example"]
TRANSPORTS = {"tcp": dns.query.tcp, "udp": dns.query.udp}


def asked(port, name, qtype="A", transport="tcp", **options):
    return TRANSPORTS[transport](dns.message.make_query(name, qtype, **options), "127.0.0.1", port=port, timeout=10)


def data(response):
    return sorted(rdata.to_text() for rrset in response.answer for rdata in rrset)


def errors(response):
    return {option.code for option in response.options if option.otype == dns.edns.EDE}


def tcp(port):
    return {"address": "127.0.0.1", "port": port, "transport": "tcp"}


def tls(port):
    return {"address": "127.0.0.1", "port": port, "name": SERVER_NAME}


def route(zones, *upstreams):
    return {"zones": zones, "upstreams": list(upstreams)}


def names_at(server):
    return set(server.queries()) - {""}


@pytest.fixture(name="public")
def _public(hostile):
    hostile.forget()
    return hostile


ZONES = ["corp.example", "home.arpa", "10.in-addr.arpa", "test", "local", "onion", "cluster.local", "example"]


@pytest.mark.parametrize("transport", list(TRANSPORTS))
def test_no_question_of_a_failing_route_reaches_the_public_upstreams(pki, tmp_path, public, transport):
    """Of any type, at the zone's own name (whose DS is the parent's) and below, and by a CNAME of ours."""
    config = {"routes": [route(ZONES, tcp(free_port()))], "upstream": {"query_timeout": "1s"},
              "names": {"special_use": "local", "records": ["alias.corp.example CNAME www.corp.example",
                                                            "outer.home CNAME x.cluster.local"]}}
    with Proxy(tmp_path, pki, [public.port], config) as proxy:
        for qtype in TYPES:
            for name in NAMES:
                options = {"want_dnssec": True} if qtype in ("DS", "DNSKEY") else {"use_edns": 0}
                response = asked(proxy.port, name, qtype, transport, **options)
                assert response.rcode() == dns.rcode.SERVFAIL and errors(response) & {22, 23}, (name, qtype)
        for name, chain in (("alias.corp.example", ["www.corp.example."]), ("outer.home", ["x.cluster.local."])):
            response = asked(proxy.port, name, "A", transport, use_edns=0)
            assert (response.rcode(), data(response)) == (dns.rcode.SERVFAIL, chain), name
        assert asked(proxy.port, "www.public.org", "A", transport).rcode() == dns.rcode.NOERROR
        assert names_at(public) == {"www.public.org"}
        assert Figures(proxy).sum("routes_failing") == 1


def test_names_of_a_route_are_kept_resolved_by_its_servers(pki, tmp_path, public):
    """Refreshes of top names take the route, and when its servers are gone what they said is given as stale."""
    port = free_port()
    config = {"routes": [route(["corp.example"], tcp(port))], "prefetch": {"top": 10, "share": 100},
              "upstream": {"query_timeout": "1s"}}
    with Proxy(tmp_path, pki, [public.port], config) as proxy:
        with start_tcp_server("192.0.2.11", port=port, ttl=2) as server:
            def count():
                asked(proxy.port, "top.corp.example")
                return server.queries()["top.corp.example"]
            wait_for(lambda: count() >= 3, "it to be asked anew before it ends", 20)
        wait_for(lambda: 3 in errors(asked(proxy.port, "top.corp.example", use_edns=0)), "the stale answer")
        assert data(asked(proxy.port, "top.corp.example")) == ["192.0.2.11"]
        assert not names_at(public)


@contextlib.contextmanager
def two_servers():
    with start_tcp_server("192.0.2.11") as one, start_tcp_server("192.0.2.12") as two:
        yield one, two


def test_zone_that_moves_between_routes_takes_no_answer_with_it(pki, tmp_path, public):
    with two_servers() as (one, two), Proxy(tmp_path, pki, [public.port], {"routes": [
            route(["spare.example"], tcp(one.port), tcp(two.port))]}) as proxy:  # the sandbox wants their ports early
        steps = [
            ([route(["corp.example"], tcp(one.port))], "192.0.2.11", "192.0.2.11"),
            # a part of the zone goes elsewhere
            ([route(["corp.example"], tcp(one.port)), route(["eu.corp.example"], tcp(two.port))],
             "192.0.2.11", "192.0.2.12"),
            # the routes swap their servers, and their places
            ([route(["eu.corp.example"], tcp(one.port)), route(["corp.example"], tcp(two.port))],
             "192.0.2.12", "192.0.2.11"),
            # two zones of one route
            ([route(["eu.corp.example", "corp.example"], tcp(two.port))], "192.0.2.12", "192.0.2.12"),
            # one more zone before it, so that the route is another one
            ([route(["a.example", "corp.example"], tcp(one.port))], "192.0.2.11", "192.0.2.11"),
            ([], "192.0.2.1", "192.0.2.1"),
            ([route(["corp.example"], tcp(two.port), tcp(one.port))], "192.0.2.12", "192.0.2.12"),
            ([route(["corp.example"], tls(public.port))], "192.0.2.1", "192.0.2.1"),
        ]
        for routes, of_zone, of_part in steps + steps[::-1]:
            proxy.reload({"routes": routes})
            for _ in range(2):
                assert data(asked(proxy.port, "www.corp.example")) == [of_zone], routes
                assert data(asked(proxy.port, "www.eu.corp.example")) == [of_part], routes


def test_purge_of_one_name_takes_its_route(pki, tmp_path, public):
    with two_servers() as (one, _), \
            Proxy(tmp_path, pki, [public.port], {"routes": [route(["corp.example"], tcp(one.port))]}) as proxy:
        for qtype in ("A", "AAAA"):
            asked(proxy.port, "www.corp.example", qtype)
        asked(proxy.port, "kept.corp.example")
        assert post(proxy, "/cache/purge?name=WWW.corp.example") == {"removed": 2}
        before = one.queries()
        asked(proxy.port, "www.corp.example")
        asked(proxy.port, "kept.corp.example")
        assert one.queries()["www.corp.example"] == before["www.corp.example"] + 1
        assert one.queries()["kept.corp.example"] == before["kept.corp.example"]
        assert not names_at(public)


@pytest.mark.parametrize("order", ["tls, tcp", "tcp, tls"])
def test_route_may_have_upstreams_of_both_transports(pki, tmp_path, public, order):
    """The first one by preference is used, and the other one where that is gone."""
    port = free_port()
    with contextlib.ExitStack() as stack:
        plain = stack.enter_context(start_tcp_server("192.0.2.11", port=port))
        both = {"tls": tls(public.port), "tcp": tcp(plain.port)}
        upstreams = [both[each] for each in order.split(", ")]
        config = {"routes": [route(["corp.example"], *upstreams)], "cache": {"max_size": 0}}
        first, second = ("192.0.2.1", "192.0.2.11") if order.startswith("tls") else ("192.0.2.11", "192.0.2.1")
        with Proxy(tmp_path, pki, [public.port], config) as proxy:
            wait_for(lambda: data(asked(proxy.port, "www.corp.example")) == [first], "the preferred one")
            if order == "tcp, tls":
                stack.pop_all().close()
                wait_for(lambda: data(asked(proxy.port, "www.corp.example")) == [second], "the other one")
            assert Figures(proxy).sum("routes_failing") == 0


def test_failed_answer_of_a_route_is_remembered_for_its_route_alone(pki, tmp_path, public):
    """RFC 9520: a failure is not asked again for a moment; a reload that changes the route does not wait for that."""
    with start_tcp_server("192.0.2.11") as server, \
            Proxy(tmp_path, pki, [public.port], {"routes": [route(["corp.example"], tcp(free_port())),
                                                            route(["spare.example"], tcp(server.port))],
                                                 "upstream": {"query_timeout": "1s"}}) as proxy:
        assert asked(proxy.port, "www.corp.example").rcode() == dns.rcode.SERVFAIL
        proxy.reload({"routes": [route(["corp.example"], tcp(server.port))]})
        assert data(asked(proxy.port, "www.corp.example")) == ["192.0.2.11"]
        assert not names_at(public)
