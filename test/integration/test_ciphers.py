"""Each cipher suite that is offered works, whichever library computes it: small answers and large ones, while the
upstream changes its keys, and a record that was changed on its way ends the session.
"""

import pytest
import wire
from dnsclient import Client
from figures import Figures
from process import wait_for
from proxy import Proxy
from relay import start_relay
from s_server import SServer

SUITES_1_3 = ["TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"]
SUITES_1_2 = ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305"]
CONFIG = {"workers": 1, "upstream": {"keep_warm": False}}


def ask_each(client, names):
    for name in names:
        answer = client.ask(wire.query(name, qtype="TXT"))
        assert wire.rcode_of(answer) == wire.NOERROR, name
        assert len(answer) > 15000 or not name.startswith("huge")


@pytest.mark.parametrize("suite", SUITES_1_3 + SUITES_1_2)
def test_answers_come_through(tmp_path, pki, suite):
    with SServer(pki, suite) as upstream, Proxy(tmp_path, pki, [upstream.port], CONFIG) as proxy:
        with Client(proxy.port) as client:
            ask_each(client, [f"{how}-{i}.test" for i in range(10) for how in ("usual", "big", "huge")])
        assert upstream.sessions() == 1
        assert suite.encode() in upstream.said


@pytest.mark.parametrize("suite", SUITES_1_3)
def test_the_upstream_changes_its_keys(tmp_path, pki, suite):
    with SServer(pki, suite) as upstream, Proxy(tmp_path, pki, [upstream.port], CONFIG) as proxy:
        with Client(proxy.port) as client:
            for i in range(30):
                ask_each(client, [f"usual-{i}.test", f"huge-{i}.test"])
                upstream.change_keys()
            ask_each(client, ["usual-last.test"])
        assert upstream.sessions() == 1
        wait_for(lambda: upstream.key_changes() == 60, "its reply to the last change, after the answer")


@pytest.mark.parametrize("suite", SUITES_1_3 + SUITES_1_2)
def test_a_record_changed_on_its_way_ends_the_session(tmp_path, pki, suite):
    with SServer(pki, suite) as upstream, start_relay(upstream.port) as relay:
        with Proxy(tmp_path, pki, [relay.port], CONFIG) as proxy, Client(proxy.port) as client:
            ask_each(client, ["usual-1.test"])
            relay.change_next()
            ask_each(client, ["usual-2.test"])  # which is asked again
            assert upstream.sessions() == 2
            assert Figures(proxy).sum("upstream_failures_total", reason="tls") == 1
