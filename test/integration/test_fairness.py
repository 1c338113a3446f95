"""A client that has much going does not delay one that has little, be the others' questions slow, many, or both."""
import contextlib
import os
import time

import pytest
import wire
from cost import cost_of
from dnsclient import Client, ask
from flood import Flood, flood_pipelined
from honest import Honest
from process import wait_for
from proxy import Proxy

LONG = os.environ.get("LONG") == "1"
SECONDS = 10 if LONG else 1


def check(honest):
    assert not LONG or honest.report["p99_ms"] < 20, honest.report


@pytest.fixture(scope="module", name="proxy")
def _proxy(pki, module_path, hostile):
    """One worker: all share it."""
    with Proxy(module_path, pki, [hostile.port], {"workers": 1}) as proxy:
        yield proxy


def test_a_hundred_slow_ones_in_flight_do_not_delay_one(proxy, hostile):
    with Flood(proxy.port, connections=1, queries=100, name="slow-700ms-fair#.test", repeats=1) as flood:
        wait_for(lambda: len(hostile.queries(containing="fair")) >= 100, "they are upstream")
        with Honest(proxy, SECONDS, rate=50, names=0, connections=1) as honest:
            pass
    check(honest)
    assert flood.report["closed"] == 0 and set(flood.report["rcodes"]) <= {wire.NOERROR}, flood.report


def test_their_answers_do_not_wait_for_each_other_across_clients(proxy):
    """The one asked last is answered first, while a hundred of somebody else's are still on their way."""
    with Client(proxy.port) as many, Client(proxy.port) as one:
        begin = time.monotonic()
        many.send(*(wire.query(f"slow-1200ms-across{i}.test", number=i) for i in range(100)))
        assert wire.rcode_of(one.ask(wire.query("quick-across.test"))) == wire.NOERROR
        assert time.monotonic() - begin < 1.0
        assert {wire.number_of(many.receive()) for _ in range(100)} == set(range(100))


def test_twenty_clients_with_a_hundred_slow_ones_each(proxy, hostile):
    before = sum(hostile.queries(containing="crowd").values())
    with Flood(proxy.port, connections=20, queries=100, name="slow-900ms-crowd#.test", repeats=1, spread=20) as flood:
        wait_for(lambda: sum(hostile.queries(containing="crowd").values()) - before >= 2000, "they are upstream", 15)
        with Honest(proxy, SECONDS, rate=50, names=0, connections=1) as honest:
            pass
    check(honest)
    assert set(flood.report["rcodes"]) <= {wire.NOERROR}, flood.report


def test_who_asks_from_the_cache_without_pause_does_not_starve_who_asks_once(proxy):
    ask(proxy.port, "flood.test")
    with cost_of(proxy, "as fast as it goes"), flood_pipelined(proxy.port, connections=2, queries=2000) as flood:
        with Honest(proxy, SECONDS, rate=100, names=0, connections=1) as honest:
            pass
    check(honest)
    assert flood.report["closed"] == 0


def test_one_address_does_not_take_all_there_is_upstream(tmp_path, pki, hostile):
    """Its questions are never answered, so they stay as long as a question may. What it asks beyond a bound is its own
    trouble, not that of others.
    """
    config = {"workers": 1, "clients": {"max_queries_in_flight": 1000}, "upstream": {"query_timeout": "4s", "hedge": 0},
              "drain_timeout": "100ms"}
    with Proxy(tmp_path, pki, [hostile.port], config) as proxy, contextlib.ExitStack() as stack:
        ask(proxy.port, "warm.test")
        flood = stack.enter_context(Flood(proxy.port, connections=50, queries=100, name="drop-hog#.test", repeats=1))
        wait_for(lambda: len(hostile.queries(containing="hog")) >= 900, "they are upstream")
        with Client(proxy.port) as client:
            rcodes = [wire.rcode_of(client.ask(wire.query(f"modest-{i}.test"))) for i in range(20)]
        assert rcodes == [wire.NOERROR] * 20, "another address asks one thing at a time"
        print(flood.stop())


@pytest.mark.parametrize("connections, each", [(5, 100), (200, 3)])
def test_who_fills_the_sessions_with_what_is_never_answered_does_not_stop_others(tmp_path, pki, hostile, connections,
                                                                                 each):
    """More questions than all sessions take, of one address, be it with many on a connection or with many connections:
    those of an address with little going do not stand in line behind them.
    """
    upstream = {"max_in_flight": 100, "max_sessions": 2, "query_timeout": "3s", "hedge": 0}
    with Proxy(tmp_path, pki, [hostile.port], {"workers": 1, "upstream": upstream, "drain_timeout": "100ms"}) as proxy:
        ask(proxy.port, "warm.test")
        before = len(hostile.queries(containing="fill"))
        with Flood(proxy.port, connections=connections, queries=each, name=f"drop-fill{each}n#.test", repeats=1):
            wait_for(lambda: len(hostile.queries(containing="fill")) >= before + 150, "they are upstream")
            longest = 0.0
            for number in range(3):
                begin = time.monotonic()
                assert wire.rcode_of(ask(proxy.port, f"in-line-{number}.test")) == wire.NOERROR
                longest = max(longest, time.monotonic() - begin)
        print(f"longest {longest:.3f} s")
        assert longest < 1
