"""Single queries as an operator sees them: /queries.json with its filters. Each notable kind over both
transports; names that want to break the JSON; and names and clients only where the page may show them.
"""
import json
import re
import signal
import socket
import time
import urllib.error
import urllib.request

import pytest
import wire
from dnsclient import Client, ask
from fickle import start_fickle
from figures import Figures, fetch
from labels import HOSTILE, from_shown
from process import free_port, wait_for
from proxy import Proxy
from udpclient import UdpClient, ask_udp

KINDS = {"slow", "servfail", "refused", "limited", "stale", "malformed"}
FIELDS = {"time", "at_ms", "kind", "transport", "client", "port", "name", "type", "rcode", "ede", "ede_text", "reason",
          "source", "route", "upstream", "attempts", "ms", "worker", "question"}
ASKS = {"tcp": ask, "udp": ask_udp}
BOTH = pytest.mark.parametrize("transport", ["tcp", "udp"])


def queries(proxy, **filters):
    parameters = "&".join(f"{key}={value}" for key, value in filters.items())
    return json.loads(fetch(proxy, f"/queries.json?{parameters}"))


def noted(proxy, **filters):
    return queries(proxy, **filters)["queries"]


def the_one(proxy, **filters):
    """The only entry that the filters take, as soon as it is there."""
    found = wait_for(lambda: noted(proxy, **filters), f"a query {filters} is shown")
    assert len(found) == 1, found
    return found[0]


def status_of(proxy, path, host=None):
    url = f"http://127.0.0.1:{proxy.http_port}{path}"
    request = urllib.request.Request(url, headers={"Host": host} if host else {})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


# --- kinds


@pytest.fixture(scope="module", name="proxy")
def _proxy(pki, module_path, hostile):
    config = {"log": {"slow": "50ms", "queries": "off"}, "upstream": {"hedge": 0}}
    with Proxy(module_path, pki, [hostile.port], config) as proxy:
        yield proxy


@BOTH
def test_a_slow_query(proxy, hostile, transport):
    name = f"slow-100ms-{transport}.test"
    ASKS[transport](proxy.port, name, "AAAA")
    entry = the_one(proxy, kind="slow", name=name)
    assert set(entry) == FIELDS
    assert entry["name"] == name + "." and entry["type"] == "AAAA" and entry["rcode"] == "NOERROR"
    assert entry["client"] == "127.0.0.1" and entry["transport"] == transport and entry["port"] > 0
    assert 100 <= entry["ms"] < 4500 and entry["source"] == "upstream"
    wait_for(lambda: sum(hostile.queries(containing=name).values()) == entry["attempts"], "each attempt was counted")
    assert entry["upstream"].startswith(f"127.0.0.1:{hostile.port}#") and entry["route"] is None
    assert entry["ede"] is None and entry["reason"] is None and entry["question"] > 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", entry["time"])


@BOTH
def test_a_usual_query_is_not_notable(tmp_path, pki, hostile, transport):
    with Proxy(tmp_path, pki, [hostile.port], {"log": {"slow": "1m"}}) as proxy:
        for name in ("usual.test", "usual.test", "nx-usual.test"):  # the second from the cache
            ASKS[transport](proxy.port, name)
        ASKS[transport](proxy.port, "notable.test", "ANY")
        the_one(proxy, name="notable")
        assert len(noted(proxy)) == 1


@BOTH
def test_a_failed_query_says_why(proxy, transport):
    name = f"servfail-{transport}.test"
    assert wire.rcode_of(ASKS[transport](proxy.port, name)) == wire.SERVFAIL
    assert the_one(proxy, kind="servfail", name=name)["rcode"] == "SERVFAIL"
    assert wire.rcode_of(ASKS[transport](proxy.port, name)) == wire.SERVFAIL  # remembered
    again, first = wait_for(lambda: (found := noted(proxy, name=name))[1:] and found, "both")
    assert (first["source"], again["source"]) == ("upstream", "cache") and again["question"] == again["attempts"] == 0
    ASKS[transport](proxy.port, f"refused-{transport}.test")
    entry = the_one(proxy, kind="servfail", name=f"refused-{transport}")
    assert entry["ede"] == 22 and entry["ede_text"] == "upstream refuses"


@BOTH
def test_a_refused_question(proxy, transport):
    ASKS[transport](proxy.port, f"any-{transport}.test", "ANY")
    entry = the_one(proxy, kind="refused", name=f"any-{transport}")
    assert entry["rcode"] == "NOTIMP" and entry["reason"] == "any" and entry["ede"] == 21
    ASKS[transport](proxy.port, f"axfr-{transport}.test", "AXFR")
    entry = the_one(proxy, kind="refused", name=f"axfr-{transport}")
    assert entry["rcode"] == "REFUSED" and entry["reason"] == "transfer" and entry["upstream"] is None


@BOTH
def test_a_malformed_query(proxy, transport):
    message = wire.query(f"malformed-{transport}.test") + b"rubbish"
    if transport == "tcp":
        with Client(proxy.port) as client:
            client.ask(message)
    else:
        with UdpClient(proxy.port) as client:
            client.send(message)
            client.receive()
    entry = the_one(proxy, kind="malformed", name=f"malformed-{transport}")
    assert entry["rcode"] == "FORMERR" and entry["reason"] == "malformed" and entry["transport"] == transport


def test_what_gets_no_reply(proxy):
    """A response and a datagram shorter than a header; over TCP the connection is closed."""
    with Client(proxy.port) as client:
        own = client.socket.getsockname()[1]
        client.send(wire.query("answer.test", flags=wire.QR))
        assert client.is_closed_by_peer()
    with UdpClient(proxy.port) as client:
        client.send(b"short")
    found = wait_for(lambda: (all_ := [entry for entry in noted(proxy, kind="malformed")
                                       if entry["reason"] == "not_a_query"])[1:] and all_, "both")
    assert {entry["transport"] for entry in found} == {"tcp", "udp"}
    assert all(entry["rcode"] is entry["source"] is entry["name"] is None for entry in found)
    assert own in [entry["port"] for entry in found if entry["transport"] == "tcp"]


def test_a_client_that_left_before_its_answer(proxy):
    with Client(proxy.port) as client:
        own = client.socket.getsockname()[1]
        client.send(wire.query("slow-300ms-left.test"))
        wait_for(lambda: Figures(proxy).sum("queries_in_flight") > 0, "the question is asked")
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset
    entry = the_one(proxy, name="left")
    assert entry["kind"] == "slow" and entry["reason"] == "client_gone" and entry["rcode"] is None
    assert entry["client"] == "127.0.0.1" and entry["port"] == own


@pytest.mark.parametrize("action, rcode", [("servfail", "SERVFAIL"), ("refuse", "REFUSED"), ("drop", None)])
def test_a_limited_client(tmp_path, pki, hostile, action, rcode):
    config = {"rate_limit": {"queries_per_second": 1, "burst": 1, "action": action}}
    with Proxy(tmp_path, pki, [hostile.port], config) as proxy, Client(proxy.port) as client:
        client.send(*(wire.query(f"limited{i}.test", number=i) for i in range(3)))
        entry = wait_for(lambda: noted(proxy, kind="limited"), "it is shown")[-1]  # the first
        assert entry["rcode"] == rcode and entry["reason"] == "rate_limit" and entry["name"] == "limited1.test."
        assert queries(proxy)["kinds"]["limited"] == {"seen": 1 if action == "drop" else 2, "left_out": 0}


def test_limited_datagrams(tmp_path, pki, hostile):
    config = {"udp": {"responses_per_second": 1, "slip": 2}}
    with Proxy(tmp_path, pki, [hostile.port], config) as proxy, UdpClient(proxy.port) as client:
        client.send(*(wire.query(f"u{i}.test", number=i) for i in range(6)))
        found = wait_for(lambda: (all_ := noted(proxy, kind="limited"))[3:] and all_, "four are limited")
        assert {entry["rcode"] for entry in found} == {None, "NOERROR"}
        assert {entry["transport"] for entry in found} == {"udp"}


def test_who_may_not_ask(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port], {"access": {"allow": ["127.0.0.1/32"]}}) as proxy:
        with UdpClient(proxy.port, source=("127.0.0.9", 0)) as client:
            client.send(wire.query("denied.test"))
            entry = the_one(proxy, client="127.0.0.9")
        assert entry["kind"] == "refused" and entry["reason"] == "access" and entry["rcode"] is None
        assert entry["name"] == "denied.test." and entry["transport"] == "udp"


@BOTH
def test_a_stale_answer(tmp_path, pki, transport):
    with start_fickle(pki) as upstream:
        upstream.tell(name="old.test", ttls=[1])
        config = {"prefetch": {"top": 0}, "upstream": {"query_timeout": "1s", "hedge": 0}}
        with Proxy(tmp_path, pki, [upstream.port], config) as proxy:
            ASKS[transport](proxy.port, "old.test")
            upstream.tell(name="old.test", rcode=wire.SERVFAIL)
            time.sleep(1.1)  # its TTL
            ASKS[transport](proxy.port, "old.test")
            entry = the_one(proxy, kind="stale")
            assert entry["ede"] == 3 and entry["source"] == "stale" and entry["rcode"] == "NOERROR"
            assert entry["attempts"] >= 1 and entry["upstream"], "why the upstream did not answer"
            ASKS[transport](proxy.port, "old.test")  # it is not asked again for a second
            again = wait_for(lambda: (all_ := noted(proxy, kind="stale"))[1:] and all_, "both")[0]
            assert again["source"] == "stale" and again["ms"] < 1000


def test_the_route_is_named(tmp_path, pki, hostile):
    """Nothing listens where the route's questions go."""
    nowhere = {"address": "127.0.0.1", "port": free_port(), "transport": "tcp"}
    with Proxy(tmp_path, pki, [hostile.port], {"routes": [{"zones": ["corp.test"], "upstreams": [nowhere]}]}) as proxy:
        ask(proxy.port, "x.corp.test")
        ask(proxy.port, "servfail-x.other.test")
        assert the_one(proxy, name="corp")["route"].rstrip(".") == "corp.test"
        assert the_one(proxy, name="corp")["ede"] in (22, 23)
        assert the_one(proxy, name="other")["route"] is None


# --- names


@BOTH
def test_names_that_want_to_break_out(proxy, transport):
    for i, label in enumerate(HOSTILE):
        name = f"hostile{i}{transport}"
        question = bytes([len(label)]) + label + wire.name_to_wire(f"{name}.test") + b"\0\xff\0\1"  # type ANY
        message = wire.query("x")[:12] + question
        client_of = Client if transport == "tcp" else UdpClient
        with client_of(proxy.port) as client:
            client.send(message)
            assert client.receive()
        raw = wait_for(lambda name=name: (text := fetch(proxy, f"/queries.json?name={name}")) and
                       json.loads(text)["queries"] and text, f"{label!r} is shown")
        entry = json.loads(raw)["queries"][0]
        assert from_shown(entry["name"]) == [label, name.encode(), b"test"]
        assert "<" not in raw and raw.isascii() and len(raw.splitlines()) == 1


def test_the_longest_name(proxy):
    labels = [b"\xff" * 63, b"\xff" * 63, b"\xff" * 63, b"\xff" * 61]
    name = b"".join(bytes([len(label)]) + label for label in labels) + b"\0"
    assert len(name) == 255
    with Client(proxy.port) as client:
        client.ask(wire.query("x")[:12] + name + b"\0\xff\0\1")
    entry = wait_for(lambda: [e for e in noted(proxy, kind="refused") if len(e["name"]) > 900], "it is shown")[0]
    assert from_shown(entry["name"]) == labels


# --- filters


def test_filters(proxy):
    for source in ("127.0.0.11", "127.0.0.12"):
        with Client(proxy.port, source=(source, 0)) as client:
            client.ask(wire.query(f"slow-120ms-filter{source[-2:]}.test"))
            client.ask(wire.query(f"filter{source[-2:]}.test", "ANY"))
    wait_for(lambda: len(noted(proxy, name="filter")) == 4, "all are there")
    assert len(noted(proxy, name="filter", client="127.0.0.11")) == 2
    assert len(noted(proxy, name="FILTER11")) == 2
    assert len(noted(proxy, name="filter", client="127.0.0.0/28")) == 4
    assert len(noted(proxy, name="filter", client="127.0.0.12", kind="slow")) == 1
    assert len(noted(proxy, name="filter", kind="slow,refused")) == 4
    assert len(noted(proxy, name="filter", min_ms=100)) == 2
    assert not noted(proxy, name="filter", min_ms=60000)
    newest = noted(proxy, name="filter", limit=1)
    assert len(newest) == 1 and newest[0]["at_ms"] == max(entry["at_ms"] for entry in noted(proxy, name="filter"))
    assert not noted(proxy, name="filter", after_ms=newest[0]["at_ms"])
    times = [entry["at_ms"] for entry in noted(proxy)]
    assert times == sorted(times, reverse=True)
    assert set(queries(proxy)["kinds"]) == KINDS


@pytest.mark.parametrize("parameters", ["kind=fast", "min_ms=-1", "client=nobody", "limit=0", "name=" + "x" * 300])
def test_a_malformed_filter_is_named(proxy, parameters):
    status, body = status_of(proxy, "/queries.json?" + parameters)
    assert status == 400 and body["error"].startswith(parameters.partition("=")[0])


def test_no_more_are_kept_than_configured(tmp_path, pki, hostile):
    config = {"workers": 1, "log": {"recent": 3}}
    with Proxy(tmp_path, pki, [hostile.port], config) as proxy, Client(proxy.port) as client:
        client.ask(wire.query("first.test", "AXFR"))
        for i in range(300):
            client.ask(wire.query(f"n{i}.test", "ANY"))
        shown = queries(proxy)
        assert [entry["name"] for entry in shown["queries"]][0].startswith("n") and len(shown["queries"]) == 3
        assert shown["kinds"]["refused"]["seen"] == 301 and shown["kept_of_each_kind"] == 3


def test_none_are_kept_where_that_is_off(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port], {"log": {"recent": 0}}) as proxy:
        ask(proxy.port, "off.test", "ANY")
        shown = queries(proxy)
        assert shown["queries"] == [] and shown["kept_of_each_kind"] == 0


# --- who may see names


def assert_hidden(proxy, host=None):
    status, body = status_of(proxy, "/queries.json", host)
    assert status == 200 and body["names_shown"] is False and body["queries"]
    assert not any({"name", "client", "port"} & set(entry) for entry in body["queries"])
    assert "secret" not in json.dumps(body) and "127.0.0.1\"" not in json.dumps(body)
    for private in ("name=secret", "client=127.0.0.1", "client=127.0.0.0/8"):
        assert status_of(proxy, "/queries.json?" + private, host)[0] == 403, "a filter must not tell them either"


def test_a_foreign_host_sees_no_names(proxy):
    ask(proxy.port, "secret.test", "ANY")
    the_one(proxy, name="secret")
    assert_hidden(proxy, host="rebound.example")


def test_names_are_hidden_where_the_listener_is_not_loopback(tmp_path, pki, hostile):
    port = free_port()
    config = {"http": {"listen": f"0.0.0.0:{port}"}}
    with Proxy(tmp_path, pki, [hostile.port], config, wait_port=port) as proxy:
        proxy.http_port = port
        proxy.wait_listening(proxy.port)
        ask(proxy.port, "secret.test", "ANY")
        wait_for(lambda: noted(proxy), "it is shown")
        assert_hidden(proxy)
        before = len(proxy.log())
        proxy.write_config({"http": {"show_names": True}})
        proxy.child.send_signal(signal.SIGHUP)
        proxy.wait_log("configuration reloaded", since=before)
        assert the_one(proxy, name="secret")["client"] == "127.0.0.1"


def test_without_a_status_page_there_is_none(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port], {"http": {"status_page": False}}) as proxy:
        with pytest.raises(urllib.error.HTTPError) as caught:
            fetch(proxy, "/queries.json")
        assert caught.value.code == 404
