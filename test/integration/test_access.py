"""The access list: a client that may not ask is reset when it is accepted, before it counts as a connection; a reload
changes the list for everybody.
"""
import contextlib
import socket

import pytest
import wire
from dnsclient import Client, ask
from figures import Figures, Since
from process import wait_for
from proxy import Proxy

STRANGER = ("127.0.0.2", 0)


@pytest.fixture(scope="module", name="proxy")
def _proxy(pki, module_path, hostile):
    config = {"access": {"allow": ["127.0.0.1/32", "127.0.4.0/30"]}, "clients": {"first_timeout": "1s"}}
    with Proxy(module_path, pki, [hostile.port], config) as proxy:
        yield proxy


def is_reset(client):
    """Whether the connection ends with a reset, and without a byte."""
    try:
        return client.socket.recv(1) == b"" and False
    except ConnectionResetError:
        return True


def is_allowed(proxy, ip, name="access.test"):
    """Asks from there; a client that is not allowed must be reset."""
    with Client(proxy.port, source=(ip, 0)) as client:
        with contextlib.suppress(ConnectionError):
            client.send(wire.query(name, number=7, additional=[wire.opt()]))
            answer = client.receive()
            if answer is not None:
                assert wire.number_of(answer) == 7 and wire.rcode_of(answer) == wire.NOERROR
                return True
        return False


def test_a_stranger_is_reset(proxy, hostile):
    assert is_allowed(proxy, "127.0.0.1")
    with Client(proxy.port, source=STRANGER) as client:
        client.send(wire.query("stranger.test"))
        assert is_reset(client)
    assert not hostile.queries(containing="stranger"), "nothing of it goes upstream"


@pytest.mark.parametrize("ip, allowed", [("127.0.3.255", False), ("127.0.4.0", True), ("127.0.4.3", True),
                                         ("127.0.4.4", False)])
def test_a_prefix_ends_where_it_says(proxy, ip, allowed):
    assert is_allowed(proxy, ip) == allowed


@pytest.mark.parametrize("data", [b"", b"\0", b"\0\x20half", b"GET / HTTP/1.1\r\n\r\n", bytes(8000)],
                         ids=["nothing", "a byte", "half a message", "http", "much"])
def test_a_stranger_is_reset_whatever_it_sends(proxy, data):
    with Client(proxy.port, source=STRANGER, timeout=5) as client:
        with contextlib.suppress(ConnectionError):
            client.send_raw(data)
        assert is_reset(client)


def test_a_stranger_that_has_closed_its_half_is_reset_too(proxy):
    with Client(proxy.port, source=STRANGER, timeout=5) as client:
        with contextlib.suppress(OSError):
            client.send(wire.query("half-closed.test"))
            client.socket.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionError):
            assert client.socket.recv(1) == b"", "no answer"


def test_strangers_are_counted_and_are_no_connections(proxy):
    since = Since(proxy)
    for _ in range(3):
        assert not is_allowed(proxy, "127.0.0.9")
    wait_for(lambda: since.sum("access_denied_total") == 3, "three strangers counted")
    assert since.sum("client_connections_rejected_total", reason="access") == 3
    assert since.sum("client_connections_total") == 0


def test_strangers_take_no_room_of_others(tmp_path, pki, hostile):
    """As many strangers as there may be connections, each with a byte; and no client is closed for their sake."""
    config = {"access": {"allow": ["127.0.0.1/32"]}, "clients": {"max_connections": 20}}
    with Proxy(tmp_path, pki, [hostile.port], config) as proxy, contextlib.ExitStack() as stack:
        idle = [stack.enter_context(Client(proxy.port)) for _ in range(19)]
        for client in idle:
            assert wire.rcode_of(client.ask(wire.query("idle.test"))) == wire.NOERROR
        for number in range(100):
            stranger = stack.enter_context(Client(proxy.port, source=(f"127.0.1.{number + 1}", 0)))
            with contextlib.suppress(ConnectionError):
                stranger.send_raw(b"\0")
        assert wire.rcode_of(ask(proxy.port, "allowed.test")) == wire.NOERROR
        assert all(wire.rcode_of(client.ask(wire.query("idle.test"))) == wire.NOERROR for client in idle)
        assert Figures(proxy).sum("client_connections_closed_total", cause="pressure") == 0


def test_an_empty_list_allows_nobody(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port], {"access": {"allow": []}}) as proxy:
        assert not is_allowed(proxy, "127.0.0.1")


def test_a_list_of_ten_thousand_prefixes(tmp_path, pki, hostile):
    """Every second /30 from 127.1.0.0 on."""
    def network(number):
        return f"127.{1 + (number >> 13)}.{number >> 5 & 255}.{(number & 31) * 8}"

    allow = ["127.0.0.1/32", *(f"{network(i)}/30" for i in range(10000))]
    with Proxy(tmp_path, pki, [hostile.port], {"access": {"allow": allow}}) as proxy:
        for number in (0, 1, 4711, 8191, 8192, 9999):
            first = network(number)
            prefix, _, last = first.rpartition(".")
            assert is_allowed(proxy, f"{prefix}.{int(last) + 3}")
            assert not is_allowed(proxy, f"{prefix}.{int(last) + 4}")


def test_a_reload_changes_the_list_also_for_who_is_connected(tmp_path, pki, hostile):
    """Clients that may go on asking notice nothing; the others are closed, once what they asked before is answered."""
    with Proxy(tmp_path, pki, [hostile.port]) as proxy, Client(proxy.port) as welcome:
        since = Since(proxy)
        with Client(proxy.port, source=STRANGER) as client, Client(proxy.port, source=STRANGER) as silent, \
                Client(proxy.port, source=STRANGER) as halfway:
            for each in (welcome, client, silent):
                assert wire.rcode_of(each.ask(wire.query("before.test"))) == wire.NOERROR
            client.send(wire.query("slow-500ms-asked-before.test", number=5))
            halfway.send_raw(b"\0\x20half")
            wait_for(lambda: hostile.queries(containing="asked-before"), "its question is upstream")
            proxy.reload({"access": {"allow": ["127.0.0.1/32"]}})
            assert silent.is_closed_by_peer() and halfway.is_closed_by_peer(), "nothing is due to them"
            reply = client.receive()
            assert wire.number_of(reply) == 5 and wire.rcode_of(reply) == wire.NOERROR
            assert client.is_closed_by_peer()
            assert not is_allowed(proxy, "127.0.0.2")
            assert since.sum("client_connections_closed_total", cause="access") == 3
            proxy.reload({"access": {"allow": ["127.0.0.0/8"]}})
            assert is_allowed(proxy, "127.0.0.2")
        assert wire.rcode_of(welcome.ask(wire.query("after.test"))) == wire.NOERROR
