"""Where upstream is slow, silent, failing or gone, an answer behind its end is better than none (RFC 8767)."""
import time

import pytest
import wire
from dnsclient import Client, ask
from fickle import number_of, start_fickle
from figures import Since
from process import wait_for
from proxy import Proxy

STALE = 3  # the Extended DNS Error
STALE_TTL = 30
SLOW = 2.5  # longer than a stale answer may take, shorter than query_timeout
CONFIG = {"prefetch": {"top": 0}, "upstream": {"query_timeout": "3s"}}

NAMES = ["slow", "slow-plain", "silent", "joined", "servfail", "refused", "servfail-often", "nxdomain", "several",
         "garbage"]


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


def prime(proxy, upstream, names, **how):
    """Each is answered once, and when this returns the answers have come to their end."""
    for name in names:
        upstream.tell(name=name, **{"ttls": [1], **how})
        assert wire.error_of(ask_edns(proxy, name)) is None
    time.sleep(1.0)  # their TTL


@pytest.fixture(scope="module", name="expired")
def _expired(proxy, upstream):
    """The names of all tests, whose answers have come to their end together."""
    for name in NAMES:
        how = {"nxdomain": {"rcode": wire.NXDOMAIN, "soa": [1, 1]}, "several": {"ttls": [1, 300]}}.get(name, {"ttls": [1]})
        upstream.tell(name=f"{name}.stale.test", **how)
        ask_edns(proxy, f"{name}.stale.test")
    time.sleep(1.0)


def is_stale(answer):
    error = wire.error_of(answer)
    return error is not None and error[0] == STALE


def ttls_of(answer):
    return [ttl for _, kind, _, ttl, _, _ in wire.records(answer) if kind != wire.TYPES["OPT"]]


def assert_stale(answer, number=1):
    assert is_stale(answer), wire.error_of(answer)
    assert wire.rcode_of(answer) == wire.NOERROR and number_of(answer) == number
    assert all(0 < ttl <= STALE_TTL for ttl in ttls_of(answer))


# ---- slow and silent ----


@pytest.mark.usefixtures("expired")
def test_upstream_is_slow_then_the_answer_comes_all_the_same(proxy, upstream):
    upstream.tell(name="slow.stale.test", delay=SLOW)
    since = Since(proxy)
    begin = time.monotonic()
    answer = ask_edns(proxy, "slow.stale.test")
    assert time.monotonic() - begin < SLOW - 0.2, "before upstream has answered"
    assert_stale(answer)
    assert since.sum("cache_stale_answers_total") == 1 and since.answered("stale") == 1
    wait_for(lambda: number_of(ask_edns(proxy, "slow.stale.test")) > 1, "what was asked in the background is kept")
    assert not is_stale(ask_edns(proxy, "slow.stale.test"))
    # on a session with nothing else in flight it looks as if the session hung, so it may be asked again elsewhere
    assert upstream.asked(name="slow.stale.test") <= 4, "one question, however many asked meanwhile"


@pytest.mark.usefixtures("expired")
def test_without_edns_it_is_stale_all_the_same(proxy, upstream):
    upstream.tell(name="slow-plain.stale.test", delay=SLOW)
    answer = ask(proxy.port, "slow-plain.stale.test")
    assert number_of(answer) == 1 and wire.opt_of(answer) is None


@pytest.mark.usefixtures("expired")
def test_upstream_is_silent(proxy, upstream):
    upstream.tell(name="silent.stale.test", silent=True)
    assert_stale(ask_edns(proxy, "silent.stale.test"))
    upstream.tell(name="silent.stale.test")

    def repaired():
        answer = ask_edns(proxy, "silent.stale.test")
        assert is_stale(answer) or number_of(answer) > 1
        return not is_stale(answer)

    wait_for(repaired, "it is asked again once the silent question has had its time", 15)


@pytest.mark.usefixtures("expired")
def test_who_asks_while_others_were_given_the_stale_one_does_not_wait(proxy, upstream):
    upstream.tell(name="joined.stale.test", delay=SLOW)
    with Client(proxy.port) as client:
        assert_stale(client.ask(wire.query("joined.stale.test", additional=[wire.opt()])))
        before = time.monotonic()
        for number in range(50):
            assert_stale(client.ask(wire.query("joined.stale.test", number=number, additional=[wire.opt()])))
        assert time.monotonic() - before < 1.5, "not one of them waited"


@pytest.mark.usefixtures("expired")
def test_every_ttl_of_a_stale_answer_is_30(proxy, upstream):
    upstream.tell(name="several.stale.test", rcode=wire.SERVFAIL)
    answer = ask_edns(proxy, "several.stale.test")
    assert is_stale(answer) and ttls_of(answer) == [STALE_TTL, STALE_TTL]


@pytest.mark.usefixtures("expired")
def test_that_there_is_no_such_name_may_be_stale_too(proxy, upstream):
    upstream.tell(name="nxdomain.stale.test", rcode=wire.SERVFAIL)
    answer = ask_edns(proxy, "nxdomain.stale.test")
    assert wire.rcode_of(answer) == wire.NXDOMAIN and is_stale(answer)


# ---- failing ----


@pytest.mark.usefixtures("expired")
@pytest.mark.parametrize("failure", ["servfail", "refused"])
def test_upstream_fails_instead_of_answering(proxy, upstream, failure):
    name = f"{failure}.stale.test"
    upstream.tell(name=name, rcode={"servfail": wire.SERVFAIL, "refused": wire.REFUSED}[failure])
    assert_stale(ask_edns(proxy, name))
    upstream.tell(name=name)
    wait_for(lambda: not is_stale(ask_edns(proxy, name)), "its end is seen", 40)


@pytest.mark.usefixtures("expired")
def test_upstream_answers_wrongly(proxy, upstream):
    upstream.untell(name="garbage.stale.test")  # which says garbage by itself
    assert_stale(ask_edns(proxy, "garbage.stale.test"))


@pytest.mark.usefixtures("expired")
def test_a_failing_upstream_is_not_asked_again_within_a_second(proxy, upstream):
    """As where there is no stale answer (RFC 9520, 3.2; RFC 8767, 5: failure recheck)."""
    upstream.tell(name="servfail-often.stale.test", rcode=wire.SERVFAIL)
    begin = time.monotonic()
    with Client(proxy.port) as client:
        for number in range(100):
            assert_stale(client.ask(wire.query("servfail-often.stale.test", number=number, additional=[wire.opt()])))
    seconds = time.monotonic() - begin
    assert upstream.asked(name="servfail-often.stale.test") - 1 <= 1 + seconds


def test_a_refresh_that_fails_spoils_nothing(proxy, upstream):
    """An answer near its end is asked for anew; that failing, it is good to its end, and stale behind it."""
    upstream.tell(name="spoilt.test", ttls=[2])
    ask_edns(proxy, "spoilt.test")
    asked = time.monotonic()
    upstream.tell(name="spoilt.test", rcode=wire.SERVFAIL)

    def refreshed():
        answer = ask_edns(proxy, "spoilt.test")
        assert wire.rcode_of(answer) == wire.NOERROR and number_of(answer) == 1
        return upstream.asked(name="spoilt.test") > 1

    wait_for(refreshed, "it is asked for anew")
    assert time.monotonic() - asked < 2.0 or is_stale(ask_edns(proxy, "spoilt.test"))
    wait_for(lambda: is_stale(ask_edns(proxy, "spoilt.test")), "its end")
    assert_stale(ask_edns(proxy, "spoilt.test"))


# ---- gone ----


def test_upstream_is_gone_and_comes_back(tmp_path, pki):
    names = [f"gone-{number}.test" for number in range(10)]
    with start_fickle(pki) as upstream, Proxy(tmp_path, pki, [upstream.port], CONFIG) as proxy:
        upstream.tell(name="fresh.test")
        ask(proxy.port, "fresh.test")
        prime(proxy, upstream, names)
        upstream.go()
        begin = time.monotonic()
        for name in names:
            assert_stale(ask_edns(proxy, name))
        assert time.monotonic() - begin < 5.0, "known to be down: nobody waits for it, but perhaps the first"
        fresh = ask_edns(proxy, "fresh.test")
        assert number_of(fresh) == 1 and not is_stale(fresh), "what is fresh is given as ever"
        new = ask_edns(proxy, "never-asked.test")
        assert wire.rcode_of(new) == wire.SERVFAIL and wire.error_of(new)[0] in (22, 23)
        upstream.come_back()
        for name in names:
            wait_for(lambda name=name: number_of(ask_edns(proxy, name)) > 1, f"{name} is fresh again", 15)
            assert not is_stale(ask_edns(proxy, name))


def test_serve_stale_0_is_off(tmp_path, pki, upstream):
    config = {**CONFIG, "cache": {"serve_stale": 0}, "upstream": {"query_timeout": "500ms"}}
    with Proxy(tmp_path, pki, [upstream.port], config) as proxy:
        prime(proxy, upstream, ["off.stale.test"])
        upstream.tell(name="off.stale.test", silent=True)
        answer = ask_edns(proxy, "off.stale.test")
        assert wire.rcode_of(answer) == wire.SERVFAIL and wire.error_of(answer)[0] == 22
        assert Since(proxy).sum("cache_stale_answers_total") == 0


def test_behind_serve_stale_there_is_nothing(tmp_path, pki, upstream):
    config = {**CONFIG, "cache": {"serve_stale": "1s"}, "upstream": {"query_timeout": "500ms"}}
    with Proxy(tmp_path, pki, [upstream.port], config) as proxy:
        prime(proxy, upstream, ["window.stale.test"])
        upstream.tell(name="window.stale.test", silent=True)
        assert is_stale(ask_edns(proxy, "window.stale.test"))
        wait_for(lambda: wire.rcode_of(ask_edns(proxy, "window.stale.test")) == wire.SERVFAIL, "its time is over", 5)
