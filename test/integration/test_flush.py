"""The operator has cached answers forgotten: all of them, or those of one name."""
import urllib.error

import pytest

import wire
from dnsclient import Client, ask
from figures import Since, post
from process import wait_for
from proxy import Proxy


def asked(hostile, name):
    return sum(hostile.queries(containing=name).values())


@pytest.fixture
def proxy(tmp_path, pki, hostile):
    hostile.forget()
    with Proxy(tmp_path, pki, [hostile.port]) as running:
        yield running


def test_one_name_is_forgotten_with_all_its_types(proxy, hostile):
    for _ in range(2):
        for kind in ("A", "AAAA", "TXT"):
            assert wire.rcode_of(ask(proxy.port, "gone.flush.test", kind)) == wire.NOERROR
        assert wire.rcode_of(ask(proxy.port, "kept.flush.test")) == wire.NOERROR
    before, kept = asked(hostile, "gone.flush.test"), asked(hostile, "kept.flush.test")
    assert before >= 3 and kept >= 1  # more where a slow machine made a question worth a hedge
    assert post(proxy, "/cache/flush?name=Gone.Flush.TEST") == {"removed": 3}
    ask(proxy.port, "gone.flush.test")
    ask(proxy.port, "kept.flush.test")
    assert asked(hostile, "gone.flush.test") > before
    assert asked(hostile, "kept.flush.test") == kept


def test_all_is_forgotten(proxy, hostile):
    ask(proxy.port, "one.all.test")
    ask(proxy.port, "two.all.test")
    before = asked(hostile, "one.all.test")
    assert post(proxy, "/cache/flush")["removed"] >= 2
    ask(proxy.port, "one.all.test")
    assert asked(hostile, "one.all.test") > before


@pytest.mark.parametrize("path", ["/cache/flush?name=slow-1500ms-x.test", "/cache/flush"])
def test_what_is_asked_for_at_that_moment_is_not_kept(proxy, hostile, path):
    """The upstream may have read it before the operator changed it."""
    with Client(proxy.port) as client:
        client.send(wire.query("slow-1500ms-x.test", number=1))
        wait_for(lambda: asked(hostile, "slow-1500ms-x.test"), "it is asked for")
        post(proxy, path)
        assert wire.rcode_of(client.receive()) == wire.NOERROR
        since = Since(proxy)
        assert wire.rcode_of(ask(proxy.port, "slow-1500ms-x.test")) == wire.NOERROR
        assert since.answered("upstream") == 1, "not from the cache"
        assert wire.rcode_of(ask(proxy.port, "slow-1500ms-x.test")) == wire.NOERROR
        assert since.answered("cache") == 1


@pytest.mark.parametrize("path", ["/cache/flush?name=slow-1500ms-y.test", "/cache/flush"])
def test_who_asks_after_it_has_the_question_asked_anew(proxy, hostile, path):
    """The answer to a question that upstream is asked already may be what the operator wants to be rid of."""
    with Client(proxy.port) as client:  # one, so that one worker has both questions
        client.send(wire.query("slow-1500ms-y.test", number=1))
        wait_for(lambda: asked(hostile, "slow-1500ms-y.test"), "it is asked for")
        since = Since(proxy)
        post(proxy, path)
        client.send(wire.query("slow-1500ms-y.test", number=2))
        for _ in range(2):
            assert wire.rcode_of(client.receive()) == wire.NOERROR
        assert since.answered("upstream") == 2
        assert since.sum("merged_queries_total") == 0
        assert asked(hostile, "slow-1500ms-y.test") >= 2
        assert wire.rcode_of(ask(proxy.port, "slow-1500ms-y.test")) == wire.NOERROR
        assert since.answered("cache") == 1, "the newer answer is kept"


@pytest.mark.parametrize("path, headers, status", [
    ("/cache/flush?name=a..b", {}, 400),
    ("/cache/flush?other=1", {}, 400),
    ("/cache/flush", {"Origin": "http://elsewhere.example"}, 403),
    ("/cache/flush", {"Host": "rebound.example"}, 403),
    ("/metrics", {}, 405),
])
def test_what_is_refused(proxy, path, headers, status):
    with pytest.raises(urllib.error.HTTPError) as refused:
        post(proxy, path, **headers)
    assert refused.value.code == status
