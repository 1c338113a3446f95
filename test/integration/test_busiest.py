"""Who asks most, as /metrics shows it: ten pairs of address and port, ten addresses, right enough to raise an alert,
never more however many clients there are. One crowd, looked at all the while it asks; the tests judge what was seen.
"""
import contextlib
import time

import pytest
import wire
from dnsclient import Client, ask
from figures import Figures
from flood import Flood, flood_churn, flood_pipelined
from process import wait_for
from proxy import Proxy

PAIRS = "dns_tls_proxy_client_queries_per_second"
ADDRESSES = "dns_tls_proxy_client_address_queries_per_second"
SHOWN = 10
SECONDS = 8  # two windows of the addresses' figures, and a rest

STEADY, RATE = "127.0.2.1", 200
CHURNING, CHURN = "127.0.2.2", 500
LOUD = [f"127.0.2.{10 + i}" for i in range(5)]


class Sight:
    """One scrape: series -> {(address, port or None): rate}."""

    def __init__(self, proxy):
        self.of = {PAIRS: {}, ADDRESSES: {}}
        for name, labels, value in Figures(proxy).series:
            if name in self.of:
                self.of[name][labels["client"], labels.get("port")] = value

    def rate(self, series, address, port=None):
        return self.of[series].get((address, port), 0.0)

    def first(self, series, count):
        """Addresses of the busiest."""
        ranked = sorted(self.of[series], key=lambda key: -self.of[series][key])
        return {address for address, _ in ranked[:count]}


@contextlib.contextmanager
def crowd(port):
    """A hundred that ask twenty a second each, five as fast as they are answered, one by a connection for each."""
    quiet = {"connections": 100, "spread": 100, "queries": 1, "chunk": 1000, "interval_ms": 50, "repeats": 1}
    with Flood(port, source="127.0.3.1", **quiet), flood_churn(port, CHURN, source=CHURNING), \
            flood_pipelined(port, connections=5, queries=200, spread=5, source=LOUD[0]):
        yield


@pytest.fixture(scope="module", name="proxy")
def _proxy(pki, module_path, hostile):
    with Proxy(module_path, pki, [hostile.port], {"clients": {"max_per_address": 1000}}) as proxy:
        ask(proxy.port, "flood.test")
        yield proxy


@pytest.fixture(scope="module", name="steady")
def _steady(proxy):
    with Client(proxy.port, source=(STEADY, 0)) as client:
        client.own_port = str(client.socket.getsockname()[1])
        yield client


@pytest.fixture(scope="module", name="sights")
def _sights(proxy, steady):
    """What was seen while the crowd asked; the steady one asks meanwhile, evenly."""
    sights, sent = [], 0
    with crowd(proxy.port):
        begin = time.monotonic()
        while (now := time.monotonic()) < begin + SECONDS:
            due = int((now - begin) * RATE) - sent
            sent += due
            steady.send(*(wire.query("flood.test", number=i) for i in range(due)))
            for _ in range(due):
                steady.receive()
            if now > begin + len(sights) * 0.2:
                sights.append(Sight(proxy))
            time.sleep(0.01)
    return sights


def test_never_more_than_ten_of_each(sights):
    for series in (PAIRS, ADDRESSES):
        assert max(len(sight.of[series]) for sight in sights) == SHOWN


def test_a_steady_client_is_shown_with_its_rate(sights, steady):
    rates = [sight.rate(PAIRS, STEADY, steady.own_port) for sight in sights]
    assert RATE * 0.75 < max(rates) < RATE * 1.3, rates
    assert all(rate > 0 for rate in rates[len(rates) // 2:]), "all the while"
    assert RATE * 0.6 < max(sight.rate(ADDRESSES, STEADY) for sight in sights) < RATE * 1.4


def test_the_loudest_come_first(sights):
    for series in (PAIRS, ADDRESSES):
        assert sights[-1].first(series, 5) == set(LOUD), sights[-1].of[series]


def test_a_connection_for_each_question_shows_by_its_address(sights):
    rates = [sight.rate(ADDRESSES, CHURNING) for sight in sights]
    assert CHURN * 0.6 < max(rates) < CHURN * 1.4, rates


def test_who_went_is_shown_no_more(proxy, sights):
    assert sights
    wait_for(lambda: not Sight(proxy).of[PAIRS], "no pairs", 6)
    wait_for(lambda: not Sight(proxy).of[ADDRESSES], "no addresses", 9)


def test_a_short_burst_is_not_forgotten(proxy):
    """A thousand questions at once and then none: a rate of about a thousand, in the seconds behind it."""
    with Client(proxy.port, source=("127.0.2.4", 0)) as client:
        client.send(*(wire.query("flood.test", number=i) for i in range(1000)))
        for _ in range(1000):
            client.receive()
        port = str(client.socket.getsockname()[1])
        wait_for(lambda: Sight(proxy).rate(PAIRS, "127.0.2.4", port) > 500, "it shows", 3)
