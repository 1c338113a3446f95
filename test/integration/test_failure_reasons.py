"""The log says why an upstream cannot be used: the system's error by its text, a TLS alert by its name."""
import socket
import threading

import pytest
import wire
from dnsclient import ask
from namespace import is_possible, namespace
from process import free_port
from proxy import Proxy

CONFIG = {"upstream": {"query_timeout": "1500ms", "connect_timeout": "1s"}}


class RawPeer:
    """Accepts connections on 127.0.0.1, reads what comes first on each (a ClientHello), sends `reply` and closes."""

    def __init__(self, reply):
        self.reply = reply
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, value, trace):
        self.listening.shutdown(socket.SHUT_RDWR)
        self.listening.close()
        self.thread.join(5)

    def _serve(self):
        try:
            while True:
                connection, _ = self.listening.accept()
                with connection:
                    connection.settimeout(5)
                    connection.recv(4096)
                    connection.sendall(self.reply)
        except OSError:
            pass  # closed: the test is over


def alert(number, level=2):
    return bytes([21, 3, 3, 0, 2, level, number])


def logged_with(tmp_path, pki, port, host="127.0.0.1"):
    """The first line about the upstream, of a program that was asked one question."""
    upstream = {"address": host, "port": port, "name": "cloudflare-dns.com"}
    with Proxy(tmp_path, pki, [], {**CONFIG, "upstreams": [upstream]}) as proxy:
        assert wire.rcode_of(ask(proxy.port, "why.test")) == wire.SERVFAIL
        return proxy.wait_log("upstream unreachable")


def test_a_port_nobody_listens_on(tmp_path, pki):
    line = logged_with(tmp_path, pki, free_port())
    assert "connect_refused" in line and "Connection refused" in line, line


@pytest.mark.skipif(not is_possible(), reason="needs a network namespace, which needs root")
def test_an_address_without_a_route(tmp_path, pki):
    with namespace():  # it has loopback alone
        line = logged_with(tmp_path, pki, 853, "192.0.2.1")
        assert "connect_error" in line and "Network is unreachable" in line, line


@pytest.mark.parametrize("number, name", [(40, "handshake_failure"), (70, "protocol_version"),
                                          (112, "unrecognized_name"),
                                          (80, "internal_error"), (120, "no_application_protocol")])
def test_an_alert_is_called_by_its_name(tmp_path, pki, number, name):
    with RawPeer(alert(number)) as peer:
        line = logged_with(tmp_path, pki, peer.port)
        assert f"{name} ({number})" in line, line


def test_an_alert_that_has_no_name(tmp_path, pki):
    with RawPeer(alert(200)) as peer:
        assert "TLS alert" in logged_with(tmp_path, pki, peer.port)


def test_a_peer_that_closes(tmp_path, pki):
    with RawPeer(b"") as peer:
        assert "closed the connection" in logged_with(tmp_path, pki, peer.port)
