"""Floods, each with an honest client beside it, all of whose questions are answered; afterwards memory is within its
bound and every descriptor is back. The latencies are printed: they are asserted under LONG=1 only, on a machine that
does nothing else.
"""
import contextlib
import os
import time

import pytest
import wire
from cost import MIB, cost_of, promised_bytes, promised_descriptors
from dnsclient import Client, ask
from figures import Figures, Since
from flood import (Flood, flood_churn, flood_holding, flood_pipelined, flood_random, flood_silent, flood_trickle,
                   flood_unread)
from honest import Honest, newcomers
from process import wait_for
from proxy import Proxy, is_sanitized

LONG = os.environ.get("LONG") == "1"
SECONDS = 10 if LONG else 1
BYTES_A_SILENT_CLIENT = 400


@pytest.fixture(scope="module", name="proxy")
def _proxy(pki, module_path, hostile):
    """As it comes, but for a limit on queries: what is looked at is what remains without it."""
    with Proxy(module_path, pki, [hostile.port]) as proxy:
        for name in ("flood.test", "newcomer.test", *(f"n{i}.honest.test" for i in range(Honest.NAMES))):
            assert wire.rcode_of(ask(proxy.port, name)) == wire.NOERROR
        assert wire.rcode_of(ask(proxy.port, "big-cached.test", "TXT")) == wire.NOERROR
        yield proxy


@pytest.fixture(autouse=True)
def _nothing_is_left(proxy):
    """Whatever a flood opened is closed, once it is over."""
    wait_for(lambda: Figures(proxy).sum("client_connections") == 0, "nobody there before")
    before = proxy.descriptors()
    yield
    wait_for(lambda: Figures(proxy).sum("client_connections") == 0, "nobody there afterwards")
    proxy.wait_descriptors(before + 8)  # a session upstream more or less, one being replaced, and HTTP


def check(honest, report):
    print(f"the flood: {report}")
    assert not LONG or honest.report["p99_ms"] < 20, honest.report


def test_two_thousand_that_say_nothing(proxy):
    with Honest(proxy, SECONDS + 1) as honest, cost_of(proxy, "2,000 silent clients") as cost:
        with flood_silent(proxy.port, 2000, spread=20).wait_ready() as flood:
            wait_for(lambda: Figures(proxy).sum("client_connections") >= 2000, "the program has them all", 15)
            bytes_each = (proxy.resident_bytes() + cost.grown) / 2000
            newcomers(proxy, 20)
    check(honest, flood.report)
    print(f"{bytes_each:.0f} bytes a silent client")
    assert flood.report["closed"] == 0 and flood.report["most_open"] == 2000
    assert is_sanitized() or bytes_each < 4 * BYTES_A_SILENT_CLIENT


def test_those_who_speak_a_byte_at_a_time(proxy):
    with Honest(proxy, SECONDS) as honest, cost_of(proxy, "byte by byte") as cost:
        with flood_trickle(proxy.port, 200, interval_ms=20, repeats=1, spread=4) as flood:
            newcomers(proxy, 20, pause=0.05)
    check(honest, flood.report)
    assert flood.report["answered"] > 0 and flood.report["closed"] == 0, flood.report
    assert set(flood.report["rcodes"]) == {wire.NOERROR}
    assert is_sanitized() or cost.memory < promised_bytes(proxy)


def test_those_who_never_read(proxy):
    connections = 100 if LONG else 30
    since = Since(proxy)
    with Honest(proxy, SECONDS) as honest, cost_of(proxy, "100 clients who do not read") as cost:
        with flood_unread(proxy.port, connections, "big-cached.test", reopens=1, spread=4) as flood:
            newcomers(proxy, 20, pause=0.05)
    check(honest, flood.report)
    assert since.sum("queries_total", qtype="TXT") > connections, "they were answered until they had to read"
    assert is_sanitized() or cost.memory < promised_bytes(proxy)


def test_a_connection_for_each_question(proxy):
    rate = 5000 if LONG else 2000
    with Honest(proxy, SECONDS) as honest, cost_of(proxy, f"{rate} connections a second"):
        report = flood_churn(proxy.port, rate, spread=20, seconds=SECONDS).wait_end()
    check(honest, report)
    assert report["closed"] == 0 and set(report["rcodes"]) == {wire.NOERROR}, report
    assert report["answered"] >= report["opened"] - 200, "all but the last, still open when it ended"


def test_clients_that_leave_before_their_answer(proxy, hostile):
    """It comes, and finds nobody."""
    with Honest(proxy, SECONDS) as honest, cost_of(proxy, "clients that leave at once"):
        report = Flood(proxy.port, seconds=SECONDS, rate=1000, connections=100, queries=3, name="slow-100ms-left#.test",
                       leaves=1, reopens=1, spread=20).wait_end()
    check(honest, report)
    assert len(hostile.queries(containing="left")) > SECONDS * 1000


def test_a_thousand_questions_in_a_segment(proxy):
    with Honest(proxy, SECONDS) as honest, cost_of(proxy, "a thousand questions in a segment"):
        with flood_pipelined(proxy.port, connections=4, queries=1000) as flood:
            newcomers(proxy, 20, pause=0.05)
    check(honest, flood.report)
    assert flood.report["answered"] >= flood.report["asked"] - 4000, "all but those on their way when it ended"
    assert flood.report["closed"] == 0 and set(flood.report["rcodes"]) == {wire.NOERROR}, flood.report


def test_a_thousand_large_answers_asked_for_in_a_segment(proxy):
    """Little to read and much to write: a turn is measured by both."""
    with Honest(proxy, SECONDS) as honest, cost_of(proxy, "a thousand large answers asked for in a segment"):
        with flood_pipelined(proxy.port, connections=20, queries=1000, name="big-cached.test", type=16) as flood:
            newcomers(proxy, 10, pause=0.05)
    check(honest, flood.report)
    assert flood.report["closed"] == 0 and set(flood.report["rcodes"]) == {wire.NOERROR}, flood.report


def test_a_thousand_new_names_in_a_segment(proxy):
    """None is in the cache: all go upstream, a hundred of a client at once."""
    with Honest(proxy, SECONDS) as honest, cost_of(proxy, "a thousand new names in a segment"):
        report = Flood(proxy.port, connections=2, most=2, queries=1000, reopens=1, name="new#.test").wait_end()
    check(honest, report)
    assert report["rcodes"] == {wire.NOERROR: 2000}, report


def test_rubbish(proxy):
    with Honest(proxy, SECONDS) as honest, cost_of(proxy, "random bytes") as cost:
        report = flood_random(proxy.port, connections=100, rate=500, spread=4, seconds=SECONDS).wait_end()
    check(honest, report)
    assert report["closed"] > 100, "those that cannot be understood are closed"
    assert is_sanitized() or cost.memory < promised_bytes(proxy)


def test_many_connections_of_one_address(proxy):
    most = 256
    since = Since(proxy)
    with Honest(proxy, SECONDS) as honest:
        with Flood(proxy.port, connections=2000, queries=1, spread=1) as flood:
            wait_for(lambda: since.sum("client_connections_rejected_total", reason="max_per_address") >= 2000 - most,
                     "the rest was turned away")
            assert Figures(proxy).sum("client_connections") <= most + 10, "its share, and the honest client's"
            newcomers(proxy, 20)
    check(honest, flood.report)
    assert flood.report["answered"] <= most, flood.report


def test_more_than_max_connections(tmp_path, pki, hostile):
    """A flood that takes every place again and again: the idlest go, and honest clients, old and new, are served."""
    config = {"clients": {"max_connections": 400}}
    with Proxy(tmp_path, pki, [hostile.port], config) as proxy:
        since = Since(proxy)
        ask(proxy.port, "newcomer.test")
        with Honest(proxy, SECONDS + 1) as honest, cost_of(proxy, "1,000 who want 400 places") as cost:
            with flood_holding(proxy.port, connections=1000, rate=1000, spread=20) as flood:
                wait_for(lambda: since.sum("client_connections_closed_total", cause="pressure") > 100, "it is full")
                assert newcomers(proxy, 20, pause=0.02) < 2, "they hardly wait"
        check(honest, flood.report)
        assert cost.cpu < cost.seconds, "it does not spin"
        assert proxy.descriptors() < 400 + 60


def test_all_of_it_at_once_stays_within_what_is_promised(tmp_path, pki, hostile):
    """The sums of docs/CONFIG.md, made small so that nothing hides in them."""
    # The flood of new names has 500 questions in flight while the upstream is slow, perhaps at one worker: others find
    # room beside them, or they would get SERVFAIL, as they should.
    clients = {"max_connections": 1000, "max_unsent": MIB // 8, "max_queries_in_flight": 1000}
    config = {"clients": clients, "cache": {"max_size": MIB}, "prefetch": {"top": 100},
              "rate_limit": {"max_clients": 1000}}
    with Proxy(tmp_path, pki, [hostile.port], config) as proxy, contextlib.ExitStack() as stack:
        for name, qtype in (("flood.test", "A"), ("newcomer.test", "A"), ("big-cached.test", "TXT")):
            ask(proxy.port, name, qtype)
        before = proxy.descriptors()
        highest = 0
        with Honest(proxy, SECONDS + 1, names=20) as honest, cost_of(proxy, "all of it at once") as cost:
            stack.enter_context(flood_silent(proxy.port, 50, reopens=2, source="127.0.2.1"))
            stack.enter_context(flood_trickle(proxy.port, 50, interval_ms=20, repeats=1, source="127.0.3.1"))
            stack.enter_context(flood_unread(proxy.port, 50, "big-cached.test", reopens=1, source="127.0.4.1"))
            stack.enter_context(flood_churn(proxy.port, 300, connections=50, source="127.0.5.1"))
            stack.enter_context(flood_random(proxy.port, 50, rate=100, source="127.0.6.1"))
            stack.enter_context(Flood(proxy.port, connections=5, queries=1000, name="new#.test", repeats=1))
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                newcomers(proxy, 1)
                highest = max(highest, proxy.descriptors())
                time.sleep(0.1)
            stack.close()
        assert not LONG or honest.report["p99_ms"] < 20, honest.report
        assert is_sanitized() or cost.memory < promised_bytes(proxy)
        assert highest <= promised_descriptors(proxy)
        proxy.wait_descriptors(before + 8)


def test_clients_asking_slowly_beside_them_keep_their_connection(proxy):
    """A flood elsewhere is no reason to lose a client that asks once in a while."""
    with Client(proxy.port) as rare:
        for _ in range(3):
            rare.ask(wire.query("newcomer.test"))
            with flood_churn(proxy.port, rate=1000, spread=20):
                newcomers(proxy, 10, pause=0.02)
        rare.ask(wire.query("newcomer.test"))
