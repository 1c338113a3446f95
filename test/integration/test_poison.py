"""One name in a hundred makes the upstream close, one brings garbage, one another id, one nothing: all other names
are answered as ever.
"""
import os

import pytest
from hostile import start_hostile
from load import Load
from proxy import Proxy, is_sanitized
from remote import Remote

LONG = os.environ.get("LONG") == "1"
SECONDS = 30 if LONG else 6
RATE = 400 if LONG and not is_sanitized() else 150  #: more would test how many handshakes the machine can make
BAD = ("close-", "garbage-", "wrongid-", "drop-")
NAMES = [BAD[i // 25] if i % 25 == 12 else "good-" for i in range(100)]


@pytest.mark.parametrize("upstreams", [1, 2])
def test_every_other_name_is_answered(tmp_path, pki, upstreams):
    servers = [start_hostile(pki) for _ in range(upstreams)]
    try:
        config = {"upstream": {"query_timeout": "4s"}}
        with Proxy(tmp_path, pki, [server.port for server in servers], config) as proxy:
            with Remote(Load, port=proxy.port, prefixes=NAMES) as load:
                report = load.run(seconds=SECONDS, rate=RATE)
            print(report)
            check(report)
            asked = [count for server in servers for name, count in server.queries(containing="close-").items()]
            assert max(asked) <= 6, "a question that ends the session is asked at most six times"
    finally:
        for server in servers:
            server.stop()


def check(report):
    assert report["unexpected"] == 0 and report["mismatched"] == 0 and report["closed"] == 0, report
    good = report["groups"]["good-"]
    assert good["lost"] == 0 and good["rcodes"] == {"0": good["sent"]}, good
    for prefix in BAD:
        bad = report["groups"][prefix]
        assert bad["lost"] == 0 and bad["rcodes"] == {"2": bad["sent"]}, (prefix, bad)
        assert not LONG or bad["max_ms"] < 4500, (prefix, bad)
    if LONG and not is_sanitized():
        assert good["p99_ms"] < 50, good


def test_a_slow_name_is_not_a_slow_session(tmp_path, pki):
    """One in ten takes 300 ms: its session is not given up for it, and few questions are asked twice."""
    with start_hostile(pki) as upstream, Proxy(tmp_path, pki, [upstream.port]) as proxy:
        with Remote(Load, port=proxy.port, prefixes=["slow-300ms-"] + ["good-"] * 9) as load:
            report = load.run(seconds=4, rate=RATE)
        assert report["lost"] == 0 and report["rcodes"] == {"0": report["sent"]}, report
        stats = upstream.stats()
        assert stats["connections"] <= 6, stats
        assert stats["queries"] < 1.1 * report["sent"] + 20, (stats["queries"], report["sent"])
