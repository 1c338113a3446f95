"""Memory stays within the sum of docs/CONFIG.md with every term of it filled at once, by the kernel's own figure."""
import contextlib
import socket
import struct

import pytest
import wire
from cost import KIB, MIB, cost_of, promised_bytes
from dnsclient import Client, ask
from figures import Figures
from process import wait_for
from proxy import Proxy, is_sanitized

pytestmark = pytest.mark.skipif(is_sanitized(), reason="a sanitizer's own memory")

EACH = 400  # connections of each kind


def connect(proxy, number):
    """From an address of its own, so that each is a client; its kernel takes little."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 256 * KIB)
    client.bind((f"127.{1 + (number >> 16)}.{number >> 8 & 255}.{1 + (number & 127)}", 0))
    client.settimeout(10)
    client.connect(("127.0.0.1", proxy.port))
    client.setblocking(False)
    return client


def send(client, data):
    with contextlib.suppress(OSError):
        client.send(data)


def frames(name, count, qtype="TXT"):
    return b"".join(wire.frame(wire.query(name.replace("#", str(i)), qtype, number=i & 0xffff)) for i in range(count))


def fill(proxy, stack):
    """Half messages, questions behind one that is not answered, answers that nobody takes: each as much as goes."""
    half = struct.pack("!H", 65535) + bytes(60 * KIB)
    behind = frames("drop-first.test", 1) + frames("behind#.test", 1500)
    unread = frames("big-unread.test", 1000)
    number = 0
    for data in (half, behind, unread):
        for _ in range(EACH):
            number += 1
            client = connect(proxy, number)
            stack.callback(client.close)
            send(client, data)


SHAPES = {
    "one question in flight": {"max_in_flight": 1, "max_query_size": 65535},
    "as many as usual in flight": {"max_in_flight": 100, "max_query_size": 65535},
    "many in flight, usual messages": {"max_in_flight": 2000},
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_term_at_once(tmp_path, pki, hostile, shape):
    clients = {"max_connections": 3 * EACH + 20, "max_buffered": 4 * MIB, "read_timeout": "1m", "idle_timeout": "1m",
               "max_queries_in_flight": 2000, **SHAPES[shape]}
    config = {"workers": 1, "clients": clients, "cache": {"max_size": MIB}, "prefetch": {"top": 200},
              "rate_limit": {"max_clients": 4096}, "access": {"allow": ["127.0.0.0/8"]}}
    with Proxy(tmp_path, pki, [hostile.port], config) as proxy, contextlib.ExitStack() as stack:
        with cost_of(proxy, shape) as cost:
            with Client(proxy.port) as client:  # the cache
                for number in range(400):
                    client.ask(wire.query(f"big-cached{number}.test", "TXT"))
            ask(proxy.port, "big-unread.test", "TXT")
            fill(proxy, stack)
            wait_for(lambda: Figures(proxy).sum("client_connections_total") >= 3 * EACH, "all were accepted")
            assert wire.rcode_of(ask(proxy.port, "others.test")) == wire.NOERROR, "others are answered meanwhile"
        promised = promised_bytes(proxy)
        print(f"{cost.memory / MIB:.1f} MiB of {promised / MIB:.1f} promised")
        assert cost.memory <= promised, f"{cost.memory / MIB:.1f} MiB of {promised / MIB:.1f}"


def test_half_messages_on_every_connection(tmp_path, pki, hostile):
    """4 kB of a message from each of as many connections as there may be."""
    count = 6000
    clients = {"max_connections": count, "max_buffered": MIB, "max_queries_in_flight": 100}
    config = {"workers": 1, "cache": {"max_size": MIB}, "clients": clients, "access": {"allow": ["127.0.0.0/8"]},
              "prefetch": {"top": 0}, "rate_limit": {"max_clients": 100}, "upstream": {"max_sessions": 1}}
    half = struct.pack("!H", 4096) + bytes(4000)
    with Proxy(tmp_path, pki, [hostile.port], config) as proxy, contextlib.ExitStack() as stack:
        with cost_of(proxy, "half messages") as cost:
            for number in range(count):
                client = connect(proxy, number)
                stack.callback(client.close)
                send(client, half)
            wait_for(lambda: Figures(proxy).sum("client_connections_total") >= count, "all were accepted")
            assert wire.rcode_of(ask(proxy.port, "others.test")) == wire.NOERROR
        promised = promised_bytes(proxy)
        print(f"{cost.memory / MIB:.1f} MiB of {promised / MIB:.1f} promised")
        assert cost.memory <= promised, f"{cost.memory / MIB:.1f} MiB of {promised / MIB:.1f}"
