"""Clients that leave their answers unread: no more is read from them, what is kept for them is bounded, and in the end
they are closed; others do not notice.
"""
import contextlib
import socket
import time

import pytest
import wire
from cost import MIB, cost_of, promised_bytes
from dnsclient import Client, ask
from figures import Figures, Since
from process import wait_for
from proxy import Proxy, is_sanitized
from relay import start_relay

BIG = "big-unread.test"  # 4 kB


def small_reader(proxy):
    """Whose kernel takes little."""
    client = Client.__new__(Client)
    client.socket = socket.socket()
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.socket.settimeout(10)
    client.socket.connect(("127.0.0.1", proxy.port))
    client._read = b""  # pylint: disable=protected-access
    return client


def send_what_goes(client, data):
    """As much as the kernels take without waiting."""
    client.socket.setblocking(False)
    sent = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            sent += client.socket.send(data)
    client.socket.settimeout(10)
    return sent


def questions(name, count, qtype="TXT"):
    return b"".join(wire.frame(wire.query(name.replace("#", str(i)), qtype, number=i)) for i in range(count))


def test_is_closed_in_the_end(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port], {"clients": {"read_timeout": "700ms"}}) as proxy:
        ask(proxy.port, BIG, "TXT")
        since = Since(proxy)
        with small_reader(proxy) as client:
            client.send_raw(questions(BIG, 3000))  # 12 MB of answers
            wait_for(lambda: since.sum("client_connections_closed_total", cause="slow_reader") == 1, "closed")
            assert wire.rcode_of(ask(proxy.port, BIG, "TXT")) == wire.NOERROR


def test_is_not_read_from_meanwhile(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port], {"clients": {"read_timeout": "1m"}}) as proxy:
        ask(proxy.port, BIG, "TXT")
        with small_reader(proxy) as client:
            send_what_goes(client, questions(BIG, 1000))
            wait_for(lambda: Figures(proxy).sum("queries_total", qtype="TXT") > 1, "the first are answered")
            time.sleep(0.3)
            asked = Figures(proxy).sum("queries_total", qtype="TXT")
            send_what_goes(client, questions(BIG, 1000))
            time.sleep(0.3)
            assert Figures(proxy).sum("queries_total", qtype="TXT") == asked, "no more than the socket takes answers of"


def test_what_the_kernel_holds_for_one_is_bounded_too(tmp_path, pki, hostile):
    """Answers it took of the program count like those the program kept: a container's memory is both."""
    clients = {"read_timeout": "1m", "max_unsent": MIB // 4}
    with Proxy(tmp_path, pki, [hostile.port], {"clients": clients}) as proxy:
        size = len(ask(proxy.port, BIG, "TXT"))
        since = Since(proxy)
        with small_reader(proxy) as client:
            client.send_raw(questions(BIG, 2000))
            wait_for(lambda: since.sum("responses_total", rcode="NOERROR") > 20, "answered until nothing goes any more")
            time.sleep(0.3)
            held = since.sum("responses_total", rcode="NOERROR") * size
        print(f"{held / MIB:.1f} MiB of answers that nobody reads")
        assert held < 1.5 * MIB


def test_who_reads_late_gets_every_answer(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port]) as proxy:
        ask(proxy.port, BIG, "TXT")
        with small_reader(proxy) as client:
            client.send_raw(questions(BIG, 2000))
            time.sleep(0.3)
            assert [wire.number_of(client.receive()) for _ in range(2000)] == list(range(2000))
            assert wire.rcode_of(client.ask(wire.query("afterwards.test"))) == wire.NOERROR


def test_who_reads_at_once_is_no_slow_reader_however_much_comes_in_one_turn(tmp_path, pki, hostile):
    """More than max_unsent comes for it before it can have read any of it: slow is who takes nothing for a time."""
    with Proxy(tmp_path, pki, [hostile.port], {"clients": {"max_unsent": "128KiB"}}) as proxy:
        for name, count in (("huge-each#.test", 100), ("huge-equal.test", 60), ("huge-equal.test", 100)):
            with Client(proxy.port) as client:
                client.send_raw(questions(name, count))
                assert {wire.number_of(client.receive()) for _ in range(count)} == set(range(count)), name
        assert Figures(proxy).sum("client_connections_closed_total", cause="slow_reader") == 0


def test_one_client_holds_no_more_than_half_of_max_buffered(tmp_path, pki, hostile):
    """Its questions are in flight already; what they bring is more than is kept for one client."""
    clients = {"max_in_flight": 3000, "max_buffered": "4MiB", "read_timeout": "1m"}
    with Proxy(tmp_path, pki, [hostile.port], {"clients": clients}) as proxy:
        since = Since(proxy)
        with small_reader(proxy) as client:
            client.send_raw(questions("big-unsent#.test", 3000))
            wait_for(lambda: since.sum("client_connections_closed_total", cause="slow_reader") == 1, "closed")
        assert wire.rcode_of(ask(proxy.port, "afterwards.test")) == wire.NOERROR


@pytest.mark.skipif(is_sanitized(), reason="a sanitizer's own memory")
def test_one_answer_for_many_questions_of_clients_who_do_not_read(tmp_path, pki, hostile):
    """All wait for the same large answer, which comes once, and then is made for each: what is kept of that is what the
    bound of a client says, times their number, not times their questions.
    """
    count, each = 30, 1000
    clients = {"max_in_flight": each, "max_unsent": MIB // 8, "max_queries_in_flight": 10000, "max_connections": 100}
    config = {"workers": 1, "clients": clients, "cache": {"max_size": MIB}, "prefetch": {"top": 0}}
    with start_relay(hostile.port) as relay:
        with Proxy(tmp_path, pki, [relay.port], config) as proxy:
            ask(proxy.port, "warm.test")
            relay.set_delay(seconds=1.0)
            since = Since(proxy)
            with contextlib.ExitStack() as stack, cost_of(proxy, f"{count * each} questions, one answer") as cost:
                for _ in range(count):
                    client = stack.enter_context(small_reader(proxy))
                    client.send_raw(questions("big-merged.test", each))
                wait_for(lambda: since.sum("responses_total", rcode="NOERROR") > 0, "the answer came")
                wait_for(lambda: since.sum("client_connections_closed_total", cause="slow_reader") == count, "closed")
            assert cost.memory < promised_bytes(proxy), f"{cost.memory / MIB:.0f} MiB"


def test_who_reads_a_little_now_and_then_does_not_keep_others_out(tmp_path, pki, hostile):
    """Each takes some of what waits for it before its time is over, so that none is closed for it."""
    config = {"clients": {"max_connections": 30, "read_timeout": "1s"}}
    with Proxy(tmp_path, pki, [hostile.port], config) as proxy, contextlib.ExitStack() as stack:
        ask(proxy.port, BIG, "TXT")
        slow = [stack.enter_context(small_reader(proxy)) for _ in range(30)]
        for client in slow:
            send_what_goes(client, questions(BIG, 1000))
        end = time.monotonic() + 4
        served = False
        newcomer = stack.enter_context(Client(proxy.port))
        newcomer.socket.setblocking(False)
        newcomer.send(wire.query("newcomer.test"))
        while time.monotonic() < end and not served:
            for client in slow:
                with contextlib.suppress(OSError):
                    client.socket.recv(4096)
            time.sleep(0.05)
            with contextlib.suppress(BlockingIOError):
                served = len(newcomer.socket.recv(4096)) > 0
        assert served, "a newcomer is let in, though nobody is idle"
