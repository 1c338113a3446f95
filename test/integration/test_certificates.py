"""Whoever cannot prove to be the upstream is told nothing: no byte of a query leaves, and the log says what to do."""
import json

import pytest
import wire
from dnsclient import ask
from figures import Figures, fetch
from hostile import start_hostile
from process import wait_for
from proxy import Proxy

TIMEOUT = 1.5

#: kind of certificate -> a word the log must have for the operator
REFUSED = {"other-name": "name", "other-ca": "ca_file", "self-signed": "ca_file", "expired": "expired"}


@pytest.mark.parametrize("kind", REFUSED)
def test_refused_without_a_byte_of_a_query(tmp_path, pki, kind):
    with start_hostile(pki, kind) as upstream:
        with Proxy(tmp_path, pki, [upstream.port], {"upstream": {"query_timeout": f"{TIMEOUT}s"}}) as proxy:
            answer = ask(proxy.port, "secret.test", additional=[wire.opt()])
            assert wire.rcode_of(answer) == wire.SERVFAIL
            assert wire.error_of(answer)[0] in (22, 23)
            stats = upstream.stats()
            assert stats["connections"] >= 1, "it was tried"
            assert stats["bytes"] == 0 and stats["full"] == 0 and stats["resumed"] == 0, stats
            line = proxy.wait_log("certificate")
            assert REFUSED[kind] in line.lower(), line
            assert f"127.0.0.1:{upstream.port}" in line, line
            assert "secret" not in proxy.log()


def test_the_reason_reaches_all_who_ask(tmp_path, pki):
    """Log, metric, extended error and status page."""
    reason = "the certificate has expired"
    with start_hostile(pki, "expired") as upstream:
        with Proxy(tmp_path, pki, [upstream.port], {"upstream": {"query_timeout": f"{TIMEOUT}s"}}) as proxy:
            answer = ask(proxy.port, "secret.test", additional=[wire.opt()])
            assert wire.error_of(answer) == (23, reason)
            assert reason in proxy.wait_log("upstream certificate refused")
            assert Figures(proxy).sum("upstream_failures_total", reason="certificate") >= 1
            assert json.loads(fetch(proxy, "/status.json"))["upstreams"][0]["error"] == reason
            certificate, key = pki.certificate("right")
            upstream.set_certificate(certificate=certificate, key=key)
            wait_for(lambda: wire.rcode_of(ask(proxy.port, "open.test")) == wire.NOERROR, "it is trusted again")
            assert json.loads(fetch(proxy, "/status.json"))["upstreams"][0]["error"] is None


def test_the_right_one_is_taken(tmp_path, pki):
    with start_hostile(pki) as upstream, Proxy(tmp_path, pki, [upstream.port]) as proxy:
        assert wire.rcode_of(ask(proxy.port, "open.test")) == wire.NOERROR
        assert upstream.stats()["failed"] == 0


def test_the_configured_name_is_what_counts(tmp_path, pki):
    with start_hostile(pki, "other-name") as upstream:
        config = {"upstreams": [{"address": "127.0.0.1", "port": upstream.port, "name": "dns.example.net"}]}
        with Proxy(tmp_path, pki, [], config) as proxy:
            assert wire.rcode_of(ask(proxy.port, "open.test")) == wire.NOERROR


def test_the_address_in_place_of_the_name_is_not_enough(tmp_path, pki):
    """A certificate that was issued for the address by mistake must not open the door: the DNS name is asked for."""
    with start_hostile(pki, "address-only") as upstream:
        with Proxy(tmp_path, pki, [upstream.port], {"upstream": {"query_timeout": f"{TIMEOUT}s"}}) as proxy:
            assert wire.rcode_of(ask(proxy.port, "secret.test")) == wire.SERVFAIL
            assert upstream.stats()["bytes"] == 0


def test_one_that_does_not_speak_tls_is_told_nothing(tmp_path, pki):
    with start_hostile(pki) as upstream, Proxy(tmp_path, pki, [upstream.port]) as proxy:
        # the proxy's own plain DNS port as another's upstream: accepts TCP, never answers a ClientHello with TLS
        config = {"upstream": {"query_timeout": f"{TIMEOUT}s"}}
        with Proxy(tmp_path, pki, [proxy.port], config, name="second") as second:
            assert wire.rcode_of(ask(second.port, "secret.test")) == wire.SERVFAIL
        assert not upstream.queries(containing="secret")


def test_a_good_upstream_behind_a_bad_one_is_used(tmp_path, pki):
    with start_hostile(pki, "expired") as bad, start_hostile(pki) as good:
        with Proxy(tmp_path, pki, [bad.port, good.port]) as proxy:
            for i in range(10):
                assert wire.rcode_of(ask(proxy.port, f"good-{i}.test")) == wire.NOERROR
            assert bad.stats()["bytes"] == 0
