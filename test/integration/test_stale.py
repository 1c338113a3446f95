"""Where upstream is slow, silent, failing or gone, an answer behind its end is better than none (RFC 8767)."""
import time

import pytest
import wire
from dnsclient import Client, ask
from fickle import number_of, start_fickle
from figures import Figures, Since
from process import wait_for
from proxy import Proxy

STALE, STALE_NXDOMAIN = 3, 19  # the Extended DNS Errors
STALE_TTL = 30
SLOW = 2.5  # longer than a stale answer may take, shorter than query_timeout
CONFIG = {"prefetch": {"top": 0}, "upstream": {"query_timeout": "3s", "hedge": 0}}

NAMES = ["slow", "silent", "joined", "servfail", "refused", "servfail-often", "nxdomain", "several", "wrongq"]


@pytest.fixture(scope="module", name="upstream")
def _upstream(pki):
    with start_fickle(pki) as upstream:
        yield upstream


@pytest.fixture(scope="module", name="proxy")
def _proxy(pki, module_path, upstream):
    with Proxy(module_path, pki, [upstream.port], CONFIG) as proxy:
        yield proxy


def ask_edns(proxy, name):
    return ask(proxy.port, name, additional=[wire.opt()])


def prime(proxy, upstream, ways):
    """Each name is answered once, treated in its way. When this returns the answers have come to their end; name ->
    which answer it was.
    """
    numbers = {}
    for name, how in ways.items():
        upstream.tell(name=name, **how)
        answer = ask_edns(proxy, name)
        assert not is_stale(answer)
        numbers[name] = number_of(answer)
    time.sleep(1.0)  # their TTL
    return numbers


@pytest.fixture(scope="module", name="expired")
def _expired(proxy, upstream):
    """The names of all tests, whose answers have come to their end together."""
    ways = {f"{name}.stale.test": {"ttls": [1]} for name in NAMES}
    ways["several.stale.test"] = {"ttls": [1, 300]}
    ways["nxdomain.stale.test"] = {"rcode": wire.NXDOMAIN, "soa": [1, 1]}
    return prime(proxy, upstream, ways)


def is_stale(answer):
    error = wire.error_of(answer)
    return error is not None and error[0] in (STALE, STALE_NXDOMAIN)


def ttls_of(answer):
    return [ttl for _, kind, _, ttl, _, _ in wire.records(answer) if kind != wire.TYPES["OPT"]]


def assert_stale(answer, expired, rcode=wire.NOERROR):
    """It is the answer that was kept, and says that it is stale."""
    assert is_stale(answer), f"{wire.error_of(answer)}, rcode {wire.rcode_of(answer)}"
    assert wire.rcode_of(answer) == rcode and number_of(answer) == expired[wire.name_from_wire(answer)]
    assert all(0 < ttl <= STALE_TTL for ttl in ttls_of(answer))


# ---- slow and silent ----


def test_upstream_is_slow_then_the_answer_comes_all_the_same(proxy, upstream, expired):
    upstream.tell(name="slow.stale.test", delay=SLOW)
    since = Since(proxy)
    begin = time.monotonic()
    with Client(proxy.port) as client:
        client.send(wire.query("slow.stale.test", additional=[wire.opt()]), wire.query("slow.stale.test", number=2))
        with_edns, without = sorted([client.receive(), client.receive()], key=wire.number_of)
    assert time.monotonic() - begin < SLOW - 0.2, "before upstream has answered"
    assert_stale(with_edns, expired)
    assert wire.opt_of(without) is None and number_of(without) == expired["slow.stale.test"]
    assert since.sum("cache_stale_answers_total") == 2 and since.answered("stale") == 2
    wait_for(lambda: not is_stale(ask_edns(proxy, "slow.stale.test")), "what was asked in the background is kept")
    assert number_of(ask_edns(proxy, "slow.stale.test")) > expired["slow.stale.test"]
    questions = since.sum("cache_misses_total") - since.sum("merged_queries_total")
    assert questions == 1, "however many asked meanwhile, it is the first one's question that was answered"


def test_upstream_is_silent(proxy, upstream, expired):
    upstream.tell(name="silent.stale.test", silent=True)
    assert_stale(ask_edns(proxy, "silent.stale.test"), expired)
    upstream.tell(name="silent.stale.test")

    def repaired():
        answer = ask_edns(proxy, "silent.stale.test")
        assert wire.rcode_of(answer) == wire.NOERROR
        return not is_stale(answer)

    wait_for(repaired, "it is asked again once the silent question has had its time", 40)


def test_who_asks_while_others_were_given_the_stale_one_does_not_wait(proxy, upstream, expired):
    upstream.tell(name="joined.stale.test", delay=SLOW)
    with Client(proxy.port) as client:
        assert_stale(client.ask(wire.query("joined.stale.test", additional=[wire.opt()])), expired)
        since = Since(proxy)
        client.send(*(wire.query("joined.stale.test", number=number, additional=[wire.opt()]) for number in range(50)))
        for _ in range(50):
            assert_stale(client.receive(), expired)
        assert since.sum("merged_queries_total") == 50, "upstream's answer was still to come"


def test_every_ttl_of_a_stale_answer_is_30(proxy, upstream, expired):
    upstream.tell(name="several.stale.test", rcode=wire.SERVFAIL)
    answer = ask_edns(proxy, "several.stale.test")
    assert_stale(answer, expired)
    assert ttls_of(answer) == [STALE_TTL, STALE_TTL]


def test_that_there_is_no_such_name_may_be_stale_too(proxy, upstream, expired):
    upstream.tell(name="nxdomain.stale.test", rcode=wire.SERVFAIL)
    assert_stale(ask_edns(proxy, "nxdomain.stale.test"), expired, wire.NXDOMAIN)


# ---- failing ----


@pytest.mark.parametrize("failure", ["servfail", "refused"])
def test_upstream_fails_instead_of_answering(proxy, upstream, expired, failure):
    name = f"{failure}.stale.test"
    upstream.tell(name=name, rcode={"servfail": wire.SERVFAIL, "refused": wire.REFUSED}[failure])
    assert_stale(ask_edns(proxy, name), expired)
    upstream.tell(name=name)
    wait_for(lambda: not is_stale(ask_edns(proxy, name)), "the failure's end is seen", 40)


def test_upstream_answers_wrongly(proxy, upstream, expired):
    upstream.untell(name="wrongq.stale.test")  # which says by itself what it gets
    assert_stale(ask_edns(proxy, "wrongq.stale.test"), expired)


def test_a_failing_upstream_is_not_asked_again_within_a_second(proxy, upstream, expired):
    """As where there is no stale answer (RFC 9520, 3.2; RFC 8767, 5: failure recheck)."""
    name = "servfail-often.stale.test"
    upstream.tell(name=name, rcode=wire.SERVFAIL)
    before, begin = upstream.asked(name=name), time.monotonic()
    since = Since(proxy)
    with Client(proxy.port) as client:
        for number in range(100):
            assert_stale(client.ask(wire.query(name, number=number, additional=[wire.opt()])), expired)
    most = 1 + (time.monotonic() - begin) + since.sum("upstream_retries_total")
    assert upstream.asked(name=name) - before <= most


def test_a_refresh_that_fails_spoils_nothing(proxy, upstream):
    """An answer near its end is asked for anew; that failing, it is good to its end, and stale behind it."""
    upstream.tell(name="spoilt.test", ttls=[2])
    kept = {"spoilt.test": number_of(ask_edns(proxy, "spoilt.test"))}
    upstream.tell(name="spoilt.test", rcode=wire.SERVFAIL)
    before = upstream.asked(name="spoilt.test")
    since = Since(proxy)

    def is_at_its_end():
        answer = ask_edns(proxy, "spoilt.test")
        assert wire.rcode_of(answer) == wire.NOERROR and number_of(answer) == kept["spoilt.test"]
        return is_stale(answer)

    wait_for(is_at_its_end, "its end")
    assert upstream.asked(name="spoilt.test") > before
    assert since.sum("cache_hits_total") > 10, "asked again and again, also near its end"
    assert_stale(ask_edns(proxy, "spoilt.test"), kept)


# ---- gone ----


def test_upstream_is_gone_and_comes_back(tmp_path, pki):
    ways = {f"gone-{number}.test": {"ttls": [1]} for number in range(10)}
    config = {**CONFIG, "upstream": {"query_timeout": "2s", "hedge": 0}}
    with start_fickle(pki) as upstream, Proxy(tmp_path, pki, [upstream.port], config) as proxy:
        upstream.tell(name="fresh.test")
        ask(proxy.port, "fresh.test")
        expired = prime(proxy, upstream, ways)
        upstream.go()
        begin = time.monotonic()
        for name in expired:
            assert_stale(ask_edns(proxy, name), expired)
        assert time.monotonic() - begin < 5.0, "known to be down: nobody waits for it, but perhaps the first"
        assert not is_stale(ask_edns(proxy, "fresh.test")), "what is fresh is given as ever"
        new = ask_edns(proxy, "never-asked.test")
        assert wire.rcode_of(new) == wire.SERVFAIL and wire.error_of(new)[0] in (22, 23)
        upstream.come_back()
        for name in expired:
            wait_for(lambda name=name: not is_stale(ask_edns(proxy, name)), f"{name} is fresh again", 40)
            assert number_of(ask_edns(proxy, name)) > expired[name]


def test_serve_stale_0_is_off(tmp_path, pki, upstream):
    config = {**CONFIG, "cache": {"serve_stale": 0}, "upstream": {"query_timeout": "500ms"}}
    with Proxy(tmp_path, pki, [upstream.port], config) as proxy:
        prime(proxy, upstream, {"off.stale.test": {"ttls": [1]}})
        upstream.tell(name="off.stale.test", silent=True)
        answer = ask_edns(proxy, "off.stale.test")
        assert wire.rcode_of(answer) == wire.SERVFAIL and wire.error_of(answer)[0] == 22
        assert Figures(proxy).sum("cache_stale_answers_total") == 0


def test_behind_serve_stale_there_is_nothing(tmp_path, pki, upstream):
    config = {**CONFIG, "cache": {"serve_stale": "1s"}, "upstream": {"query_timeout": "300ms"}}
    with Proxy(tmp_path, pki, [upstream.port], config) as proxy:
        expired = prime(proxy, upstream, {"window.stale.test": {"ttls": [1]}})
        upstream.tell(name="window.stale.test", silent=True)
        assert_stale(ask_edns(proxy, "window.stale.test"), expired)
        wait_for(lambda: wire.rcode_of(ask_edns(proxy, "window.stale.test")) == wire.SERVFAIL, "its time is over", 5)
