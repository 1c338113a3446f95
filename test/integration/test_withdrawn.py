"""What an upstream withdrew with an answer that may not be kept never comes back as a stale answer, in whichever
direction; a verdict of the upstream is passed on where a stale answer could be given; and what is not kept has no
larger TTLs than what is.
"""
import time

import pytest
import wire
from dnsclient import Client, ask
from fickle import start_fickle
from proxy import Proxy

CONFIG = {"prefetch": {"top": 0}, "upstream": {"query_timeout": "2s", "hedge": 0}}

#: What there was: kept for a second, and stale behind that.
OLD = {"address": {"ttls": [1]}, "nxdomain": {"rcode": wire.NXDOMAIN, "soa": [1, 1]}, "nodata": {"soa": [1, 1]}}

#: The news: answers that may not be kept.
NEWS = {"ttl-0": {"ttls": [0]}, "one-ttl-0": {"ttls": [300, 0]},
        "nxdomain-minimum-0": {"rcode": wire.NXDOMAIN, "soa": [300, 0]},
        "nxdomain-ttl-0": {"rcode": wire.NXDOMAIN, "soa": [0, 300]}, "nxdomain-bare": {"rcode": wire.NXDOMAIN},
        "nodata-minimum-0": {"soa": [300, 0]}, "nodata-ttl-0": {"soa": [0, 300]}, "nodata-bare": {"ttls": []}}

FAILURES = {"servfail": {"rcode": wire.SERVFAIL}, "refused": {"rcode": wire.REFUSED}, "silent": {"silent": True}}

VERDICTS = [(2, 6), (2, 9), (5, 15), (5, 16), (5, 17)]


@pytest.fixture(scope="module", name="upstream")
def _upstream(pki):
    with start_fickle(pki) as upstream:
        yield upstream


def ask_all(port, names):
    """name -> its answer; all are asked at once."""
    answers = {}
    with Client(port, timeout=10.0) as client:
        client.send(*(wire.query(name, number=i, additional=[wire.opt()]) for i, name in enumerate(names)))
        while len(answers) < len(names):
            answer = client.receive()
            answers[wire.name_from_wire(answer)] = answer
    return answers


def tell_all(upstream, names, ways):
    for name in names:
        upstream.tell(name=name, **ways(*name.split(".")[:3]))


def test_what_was_withdrawn_never_comes_back(tmp_path, pki, upstream):
    names = [f"{old}.{new}.{failure}.withdrawn.test" for old in OLD for new in NEWS for failure in FAILURES]
    with Proxy(tmp_path, pki, [upstream.port], CONFIG) as proxy:
        tell_all(upstream, names, lambda old, new, failure: OLD[old])
        ask_all(proxy.port, names)
        time.sleep(1.0)  # their TTL
        tell_all(upstream, names, lambda old, new, failure: NEWS[new])
        for name, answer in ask_all(proxy.port, names).items():
            new = NEWS[name.split(".")[1]]
            assert wire.rcode_of(answer) == new.get("rcode", wire.NOERROR), name
            assert not wire.errors_of(answer), name
        tell_all(upstream, names, lambda old, new, failure: FAILURES[failure])
        for _ in range(2):
            for name, answer in ask_all(proxy.port, names).items():
                assert wire.rcode_of(answer) == wire.SERVFAIL, (name, wire.rcode_of(answer), wire.errors_of(answer))
                assert 3 not in dict(wire.errors_of(answer)) and 19 not in dict(wire.errors_of(answer)), name
            time.sleep(1.1)  # longer than a failure is remembered


def test_a_verdict_is_passed_on_where_an_answer_is_stale(tmp_path, pki, upstream):
    names = {f"ede-{rcode}-{code}-stale.test": (rcode, code) for rcode, code in VERDICTS}
    with Proxy(tmp_path, pki, [upstream.port], CONFIG) as proxy:
        for name in names:
            upstream.tell(name=name, ttls=[1])
        ask_all(proxy.port, list(names))
        time.sleep(1.0)
        for name in names:
            upstream.untell(name=name)  # as the name says
        for _ in range(2):
            for name, answer in ask_all(proxy.port, list(names)).items():
                rcode, code = names[name]
                assert wire.rcode_of(answer) == rcode and [each for each, _ in wire.errors_of(answer)] == [code], name


@pytest.mark.parametrize("cache", [{"max_size": 0, "max_ttl": "60s"}, {"max_ttl": "60s"}])
def test_what_is_not_kept_has_no_larger_ttls(tmp_path, pki, upstream, cache):
    """Without a cache, and beside a record that keeps the answer out of it."""
    ways = {"huge.ttls.test": {"ttls": [0xffffffff]}, "negative.ttls.test": {"ttls": [0x80000000]},
            "over.ttls.test": {"ttls": [61]}, "beside-0.ttls.test": {"ttls": [0, 3600, 0xffffffff]},
            "extra.ttls.test": {"ttls": [0], "extra_ttl": 86400}, "soa.ttls.test": {"soa": [86400, 0]}}
    with Proxy(tmp_path, pki, [upstream.port], {**CONFIG, "cache": cache}) as proxy:
        for name, how in ways.items():
            upstream.tell(name=name, **how)
            for _ in range(2):
                answer = ask(proxy.port, name)
                assert wire.rcode_of(answer) == wire.NOERROR
                told = [ttl for _, kind, _, ttl, _, _ in wire.records(answer) if kind != wire.TYPES["OPT"]]
                assert told and max(told) <= 60, (name, told)
