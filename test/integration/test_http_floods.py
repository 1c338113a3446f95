"""Clients of the HTTP port that are silent, slow, or do not read, far more of them than it has places: a probe that is
not answered in time restarts a program that is well, so each is answered promptly all the while.
"""
import contextlib
import os
import socket
import time

import pytest
import wire
from cost import cost_of, promised_bytes, promised_descriptors
from dnsclient import ask
from process import in_background, wait_for
from processors import waited_s
from proxy import is_sanitized

CLIENTS = 100  # of a kind
SECONDS = 2.0  # silent clients are noticed after one
PROMPTLY = 1.0  # seconds: a probe of Kubernetes waits no longer
REQUEST = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Crowd:
    """Clients, each of which comes again as soon as it is closed, and says `first` and then, where it is asked to, a
    part of `more`.
    """

    def __init__(self, port, first=b"", more=b"", receives=True):
        self._port, self._first, self._more, self._receives = port, first, more, receives
        self._clients = [self._come() for _ in range(CLIENTS)]
        self.came_again = 0

    def _come(self):
        client = socket.socket()
        if not self._receives:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", self._port))
        client.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            client.send(self._first)
        return client

    def _is_closed(self, client):
        try:
            return self._receives and client.recv(1 << 16) == b""
        except BlockingIOError:
            return False
        except ConnectionError:
            return True

    def step(self):
        """A byte more of each, and those that were closed come again."""
        time.sleep(0.02)  # the pace of a trickle
        for place, client in enumerate(self._clients):
            try:
                client.send(self._more)
                closed = self._is_closed(client)
            except BlockingIOError:
                closed = False
            except OSError:
                closed = True
            if closed:
                client.close()
                self._clients[place] = self._come()
                self.came_again += 1

    def close(self):
        for client in self._clients:
            client.close()


CROWDS = {
    "say nothing": {},
    "say half of a request": {"first": REQUEST[:20]},
    "speak a byte at a time": {"first": b"GET /metrics HTTP/1.1\r\nX: ", "more": b"x"},
    "do not read": {"first": REQUEST * 20, "more": REQUEST, "receives": False},
    "were answered and stay": {"first": REQUEST},
    "promise a body": {"first": b"GET /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n", "more": b"x"},
    "ask without end": {"first": REQUEST, "more": REQUEST},
}


def get(proxy, path):
    """(status, seconds) of a request on a connection of its own."""
    begin = time.monotonic()
    with socket.create_connection(("127.0.0.1", proxy.http_port), timeout=10) as client:
        client.sendall(b"GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" % path.encode())
        answer = b""
        while data := client.recv(1 << 16):
            answer += data
    assert answer.startswith(b"HTTP/1.1 "), f"{path}: {answer[:100]}"
    return int(answer.split()[1]), time.monotonic() - begin


def check_probes(proxy):
    """The longest that one took, while those who hold places have time to take them all, and to lose them."""
    longest = 0.0
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        for path in ("/readyz", "/healthz", "/metrics"):
            waited = -waited_s(proxy.pid, os.getpid())
            status, seconds = get(proxy, path)
            waited += waited_s(proxy.pid, os.getpid())
            assert status == 200, path
            assert seconds < PROMPTLY + waited, f"{path} took {seconds:.2f} s, with {waited:.2f} s of waiting to run"
            longest = max(longest, seconds)
        time.sleep(0.02)  # probes are rare
    return longest


@pytest.fixture(name="ready")
def _ready(proxy):
    proxy.wait_listening(proxy.http_port)
    wait_for(lambda: get(proxy, "/readyz")[0] == 200, "ready", 10)
    before = proxy.descriptors()
    yield proxy
    proxy.wait_descriptors(before + 8)  # nothing is left: a session upstream more or less, and one being replaced


@pytest.mark.parametrize("kind", CROWDS)
def test_probes_are_answered_beside_clients_that(ready, kind):
    with contextlib.closing(Crowd(ready.http_port, **CROWDS[kind])) as crowd, in_background(crowd.step):
        longest = check_probes(ready)
    print(f"clients that {kind}: {longest * 1000:.0f} ms at most, {crowd.came_again} came again")


def test_all_of_them_at_once_cost_what_is_promised(ready):
    with contextlib.ExitStack() as stack, cost_of(ready, "all of them at once") as cost:
        for kind in CROWDS.values():
            crowd = stack.enter_context(contextlib.closing(Crowd(ready.http_port, **kind)))
            stack.enter_context(in_background(crowd.step))
        longest = check_probes(ready)
        assert ready.descriptors() <= promised_descriptors(ready)
        assert wire.rcode_of(ask(ready.port, "beside-them.test")) == wire.NOERROR
    print(f"all of them: {longest * 1000:.0f} ms at most")
    assert is_sanitized() or cost.memory < promised_bytes(ready)


def test_silent_clients_are_closed_though_nobody_needs_their_places(ready):
    """A head that does not end is answered with 408; silence is not answered."""
    with contextlib.ExitStack() as stack:
        half, silent = (stack.enter_context(socket.create_connection(("127.0.0.1", ready.http_port), timeout=15))
                        for _ in range(2))
        half.sendall(REQUEST[:20])
        assert half.recv(12) == b"HTTP/1.1 408"
        assert silent.recv(1) == b""


def test_a_request_in_pieces_is_answered(ready):
    """And the next one on the same connection, and the two after that at once."""
    with socket.create_connection(("127.0.0.1", ready.http_port), timeout=10) as client:
        for number in range(len(REQUEST)):
            client.sendall(REQUEST[number:number + 1])
        client.sendall(b"HEAD /readyz HTTP/1.1\r\nHost: x\r\n\r\n" * 2 + b"GET /none HTTP/1.0\r\n\r\n")
        answer = b""
        while data := client.recv(1 << 16):
            answer += data
    heads = [line for line in answer.split(b"\r\n") if line.startswith(b"HTTP/1.1 ") or b"HTTP/1.1 " in line[-40:]]
    assert [head[head.index(b"HTTP/1.1 ") + 9:][:3] for head in heads] == [b"200", b"200", b"200", b"404"], heads
