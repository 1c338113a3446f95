"""Six questions for which an operator opens the status page or the log, each answered by what these show alone: why a
query failed, why one was slow, who floods, who is refused and why, which upstream is silent and since when, and what
the last reload changed.
"""
import itertools
import json
import re
import signal

import pytest
import wire
from dnsclient import Client, ask
from figures import fetch
from hostile import start_hostile
from misbehaving import start_misbehaving
from process import wait_for
from proxy import Proxy

OUTSIDER = "127.0.9.9"  # a loopback address that the access list leaves out
FLOODER = "127.0.8.8"
NUMBERS = itertools.count()  # of names that are asked once


def status(proxy):
    return json.loads(fetch(proxy, "/status.json"))


def queries(proxy, **filters):
    parameters = "&".join(f"{key}={value}" for key, value in filters.items())
    return json.loads(fetch(proxy, f"/queries.json?{parameters}"))["queries"]


def log_lines(proxy, pattern):
    return [line for line in proxy.log().splitlines() if re.search(pattern, line)]


@pytest.fixture(scope="module", name="proxy")
def _proxy(pki, module_path, hostile):
    config = {"access": {"allow": ["127.0.0.0/21", f"{FLOODER}/32"]}, "log": {"slow": "100ms", "queries": "slow"},
              "rate_limit": {"queries_per_second": 20, "burst": 40}, "upstream": {"hedge": 0}}
    with Proxy(module_path, pki, [hostile.port], config) as proxy:
        yield proxy


def test_why_did_my_query_fail(proxy, hostile):
    assert wire.rcode_of(ask(proxy.port, "refused-accounts.test")) == wire.SERVFAIL
    (shown,) = wait_for(lambda: queries(proxy, kind="servfail", name="refused-accounts"), "the page has it")
    assert shown["ede"] == 22 and shown["ede_text"] == "upstream refuses", shown
    assert shown["upstream"].startswith(f"127.0.0.1:{hostile.port}#") and shown["attempts"] >= 1, shown
    (line,) = wait_for(lambda: log_lines(proxy, r"refused-accounts\.test"), "so has the log")
    assert "SERVFAIL" in line and "upstream refuses" in line, line


def test_why_was_my_query_slow(proxy, hostile):
    ask(proxy.port, "slow-300ms-report.test")
    (shown,) = wait_for(lambda: queries(proxy, kind="slow", name="slow-300ms-report", min_ms=250), "the page has it")
    assert shown["source"] == "upstream" and 300 <= shown["ms"] < 4500, shown
    asked = sum(hostile.queries(containing="slow-300ms-report").values())
    assert 1 <= shown["attempts"] <= asked, (shown, asked)
    assert shown["upstream"].startswith(f"127.0.0.1:{hostile.port}#"), shown
    assert log_lines(proxy, r"slow-300ms-report\.test")


def test_who_floods(proxy):
    def flood():
        with Client(proxy.port, source=(FLOODER, 0)) as client:
            for number in range(90):
                client.send(wire.query(f"flood-{number % 5}.test", number=number))
            for _ in range(90):
                client.receive()
        page = status(proxy)
        busy = [each for each in page["busiest_addresses"] if each["client"] == FLOODER]
        limited = [each for each in page["limited_addresses"] if each["client"] == FLOODER]
        return busy and limited and limited[0]

    found = wait_for(flood, "the page names who floods", 30)
    assert found["refused_per_second"] > 0, found
    line = wait_for(lambda: log_lines(proxy, f'event="client limited" .*{FLOODER}'), "the log names it, too", 30)[0]
    assert re.search(r"=\d+", line), line


def test_who_is_refused_and_why(proxy):
    with Client(proxy.port, source=(OUTSIDER, 0)) as client:
        assert client.is_closed_by_peer()
    shown = wait_for(lambda: queries(proxy, kind="refused", client=OUTSIDER), "the page has it")
    assert shown[0]["reason"] == "access" and shown[0]["transport"] == "tcp", shown
    ask(proxy.port, "everything.test", "ANY")
    (shown,) = wait_for(lambda: queries(proxy, kind="refused", name="everything"), "and an allowed client's question")
    assert shown["reason"] == "any" and shown["rcode"] == "NOTIMP" and shown["client"] == "127.0.0.1", shown


def test_which_upstream_is_silent_and_since_when(tmp_path, pki):
    with start_misbehaving(pki) as upstream, start_hostile(pki) as good:
        with Proxy(tmp_path, pki, [upstream.port, good.port]) as proxy:
            assert wire.rcode_of(ask(proxy.port, "before.test")) == wire.NOERROR
            upstream.behave(silent=True)
            upstream.silence_all()

            def is_found():
                for _ in range(4):
                    ask(proxy.port, f"new-{next(NUMBERS)}.test")
                return log_lines(proxy, f"upstream silent.*:{upstream.port}#")

            wait_for(is_found, "the log names it", 40)
            (silent,) = [each for each in status(proxy)["upstreams"] if f":{upstream.port}#" in each["name"]]
            assert silent["state"] == "silent" and 0 <= silent["state_seconds"] < 60, silent
            assert silent["answered_seconds_ago"] >= silent["state_seconds"], silent
            (other,) = [each for each in status(proxy)["upstreams"] if f":{good.port}#" in each["name"]]
            assert other["state"] == "up", other


def test_what_did_the_last_reload_change(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port]) as proxy:
        proxy.write_config({"cache": {"serve_stale": "2h"}})
        proxy.child.send_signal(signal.SIGHUP)
        proxy.wait_log("configuration reloaded")
        assert status(proxy)["reload_changes"] == "cache.serve_stale: 1d -> 2h\n"
        (line,) = log_lines(proxy, "setting changed")
        assert "setting=cache.serve_stale former=1d value=2h" in line, line
