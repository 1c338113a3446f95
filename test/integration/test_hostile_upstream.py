"""An upstream that lies, stammers or dies: the client gets SERVFAIL within the total time, and the next question
works.
"""
import time

import pytest
import wire
from dnsclient import Client, ask
from hostile import start_hostile
from proxy import Proxy

TIMEOUT = 2.0  # query_timeout

#: What an upstream may do whenever it is asked for a name. None of these is an answer to the question.
FAULTS = ["wrongid", "wrongq", "wrongtype", "notreply", "broken", "garbage", "short", "cut", "close", "reset", "drop"]


@pytest.fixture(scope="module", name="proxy")
def _proxy(pki, module_path, hostile):
    with Proxy(module_path, pki, [hostile.port], {"upstream": {"query_timeout": f"{TIMEOUT:g}s"}}) as proxy:
        yield proxy


@pytest.mark.parametrize("fault", FAULTS)
def test_servfail_within_the_total_time_and_then_it_works(proxy, fault):
    with Client(proxy.port) as client:
        begin = time.monotonic()
        answer = client.ask(wire.query(f"{fault}-1.test", number=1, additional=[wire.opt()]))
        took = time.monotonic() - begin
        assert wire.rcode_of(answer) == wire.SERVFAIL
        assert took < TIMEOUT + 0.5
        assert wire.error_of(answer)[0] in (22, 23), "the Extended DNS Error says that upstream is the cause"
        assert wire.rcode_of(client.ask(wire.query(f"after-{fault}.test", number=2))) == wire.NOERROR


@pytest.mark.parametrize("fault", FAULTS)
def test_the_others_on_the_session_are_answered(proxy, fault):
    """Asked before, with and behind the one that spoils the session; also one whose answer is still to come when
    that happens.
    """
    with Client(proxy.port) as client:
        good = [f"good-{fault}-{i}.test" for i in range(20)] + [f"slow-200ms-{fault}.test"]
        names = good[:10] + [f"{fault}-2.test"] + good[10:]
        client.send(*(wire.query(name, number=i) for i, name in enumerate(names)))
        rcodes = {}
        for _ in names:
            answer = client.receive()
            rcodes[wire.name_from_wire(answer)] = wire.rcode_of(answer)
    assert rcodes == {**{name: wire.NOERROR for name in good}, f"{fault}-2.test": wire.SERVFAIL}


def test_failures_of_the_upstream_are_servfail_and_nxdomain_comes_through(proxy):
    assert wire.rcode_of(ask(proxy.port, "servfail-1.test")) == wire.SERVFAIL
    assert wire.rcode_of(ask(proxy.port, "refused-1.test")) == wire.SERVFAIL
    assert wire.rcode_of(ask(proxy.port, "nx-1.test")) == wire.NXDOMAIN


def test_without_edns_the_servfail_has_no_opt(proxy):
    answer = ask(proxy.port, "drop-plain.test")
    assert wire.rcode_of(answer) == wire.SERVFAIL and wire.opt_of(answer) is None


def test_a_wrong_answer_is_not_kept(proxy, hostile):
    for _ in range(2):
        assert wire.rcode_of(ask(proxy.port, "wrongq-kept.test")) == wire.SERVFAIL
    assert wire.rcode_of(ask(proxy.port, "other.test")) == wire.NOERROR
    assert hostile.queries(containing="other.test"), "answered by upstream, not by what came unasked"


def test_no_upstream_at_all(tmp_path, pki, hostile):
    config = {"upstream": {"query_timeout": f"{TIMEOUT:g}s"}}
    with start_hostile(pki) as gone:
        with Proxy(tmp_path, pki, [gone.port], config) as proxy:
            gone.go()
            begin = time.monotonic()
            answer = ask(proxy.port, "nobody.test", additional=[wire.opt()])
            assert wire.rcode_of(answer) == wire.SERVFAIL and wire.error_of(answer)[0] in (22, 23)
            assert time.monotonic() - begin < TIMEOUT + 0.5
            gone.come_back()
            end = time.monotonic() + 5
            while wire.rcode_of(ask(proxy.port, f"back-{time.monotonic()}.test")) != wire.NOERROR:
                assert time.monotonic() < end, "does not heal"


def test_the_second_upstream_answers_where_the_first_is_gone(tmp_path, pki, hostile):
    with start_hostile(pki) as gone:
        with Proxy(tmp_path, pki, [gone.port, hostile.port]) as proxy:
            assert wire.rcode_of(ask(proxy.port, "first.test")) == wire.NOERROR
            gone.go()
            for i in range(20):
                assert wire.rcode_of(ask(proxy.port, f"second-{i}.test")) == wire.NOERROR


def test_tls_1_2_and_resumption(tmp_path, pki):
    with start_hostile(pki, tls12=True) as upstream, Proxy(tmp_path, pki, [upstream.port], {"workers": 1}) as proxy:
        for i in range(5):
            assert wire.rcode_of(ask(proxy.port, f"tls12-{i}.test")) == wire.NOERROR
            upstream.end_all(how="close")
        stats = upstream.stats()
        assert stats["resumed"] >= 2 and stats["full"] <= 2, stats


def test_tls_1_3_and_resumption(tmp_path, pki, hostile):
    hostile.forget()
    with Proxy(tmp_path, pki, [hostile.port], {"workers": 1}) as proxy:
        for i in range(5):
            assert wire.rcode_of(ask(proxy.port, f"tls13-{i}.test")) == wire.NOERROR
            hostile.end_all(how="close")
        stats = hostile.stats()
        assert stats["resumed"] >= 2 and stats["full"] <= 2, stats


def test_the_first_answer_of_a_fresh_start_is_quick(tmp_path, pki, hostile):
    """Handshake, tickets and answer come in every order and grouping that a quick server and a scheduler make of
    them."""
    for turn in range(40):
        with Proxy(tmp_path, pki, [hostile.port], name=f"start-{turn}") as proxy:
            begin = time.monotonic()
            assert wire.rcode_of(ask(proxy.port, f"start-{turn}.test")) == wire.NOERROR
            assert time.monotonic() - begin < 1
