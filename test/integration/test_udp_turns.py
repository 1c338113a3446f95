"""UDP in a process that stood still or has no room: what waited too long, whose turn it is, and what is lost in a
reload.
"""
import signal
import socket
import time

import hostile as upstreams
import wire
from dnsclient import Client, ask
from figures import Figures, Since
from namespace import is_possible, namespace
from process import wait_for
from proxy import Proxy
from udpclient import UdpClient, ask_udp, receive_timed, want_times

import pytest

BATCH = 64  #: datagrams of a socket that are received in one turn

needs_namespace = pytest.mark.skipif(not is_possible(), reason="needs root, for a network namespace")


class Standstill:
    """The program does not run until the end of the `with` block."""

    def __init__(self, proxy):
        self._child = proxy.child

    def __enter__(self):
        self._child.send_signal(signal.SIGSTOP)
        status = f"/proc/{self._child.pid}/status"
        wait_for(lambda: "State:\tT" in open(status, encoding="ascii").read(), "it stands still")

    def __exit__(self, kind, value, trace):
        self._child.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("waiting", [1, 2, 63, 64, 65, 150])
def test_what_waited_for_over_a_second_is_dropped_and_nothing_else(proxy, waiting):
    ask_udp(proxy.port, "cached.test")
    since = Since(proxy)
    with UdpClient(proxy.port) as client:
        with Standstill(proxy):
            client.send(*(wire.query("cached.test", number=i) for i in range(waiting)))
            time.sleep(1.2)  # what is tested
            client.send(*(wire.query("cached.test", number=1000 + i) for i in range(3)))
        assert [wire.number_of(client.receive()) for _ in range(3)] == [1000, 1001, 1002]
        assert client.is_silent(0.1)
    assert since.sum("udp_dropped_datagrams_total", reason="too_old") == waiting
    assert since.sum("queries_total", transport="udp") == 3


def test_a_socket_that_is_overrun_drops_what_waited_for_long(pki, module_path, hostile):
    """Else a full buffer would delay all that comes behind it; and a second later nothing is dropped any more."""
    config = {"workers": 1, "udp": {"receive_buffer": "64KiB", "responses_per_second": 0}}
    with Proxy(module_path, pki, [hostile.port], config, name="overrun") as proxy, UdpClient(proxy.port) as client:
        query = wire.query("cached.test")
        client.ask(query)

        def answered(count, seconds):
            """Of so many that wait for so long."""
            with Standstill(proxy):
                client.send(*[query] * count)
                time.sleep(seconds)  # what is tested
            return len(client.received())

        def is_overrun():
            since = Since(proxy)
            answered(2000, 0)
            assert since.sum("udp_kernel_drops_total") > 0, "the buffer was full"
            return answered(20, 0.1) == 0 and since.sum("udp_dropped_datagrams_total", reason="too_old") >= 20

        assert answered(20, 0.1) == 20
        wait_for(is_overrun, "what waits is dropped", 20)
        wait_for(lambda: answered(20, 0.1) == 20, "what waits is answered", 20)


def test_a_burst_delays_a_tcp_client_by_one_turn_at_most(pki, module_path, hostile):
    """All of it waits when the only worker wakes; the TCP client's response leaves with the first turn's."""
    burst = 20 * BATCH
    config = {"workers": 1, "udp": {"responses_per_second": 0}}
    with Proxy(module_path, pki, [hostile.port], config, name="turn") as proxy:
        with UdpClient(proxy.port) as datagrams, Client(proxy.port) as stream:
            want_times(datagrams.socket)
            want_times(stream.socket)
            datagrams.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            query = wire.query("cached.test")
            stream.ask(query)
            datagrams.ask(query)
            with Standstill(proxy):
                datagrams.send(*[query] * burst)
                stream.send(query)
            _, stream_ns = receive_timed(stream.socket)
            before = sum(receive_timed(datagrams.socket)[1] < stream_ns for _ in range(burst))
            assert before <= 2 * BATCH, f"{before} of {burst} responses came first"


def test_without_room_to_wait_what_is_cached_is_answered(pki, module_path, hostile):
    config = {"workers": 1, "clients": {"max_queries_in_flight": 2}}
    with Proxy(module_path, pki, [hostile.port], config, name="full") as proxy, UdpClient(proxy.port) as client:
        ask_udp(proxy.port, "cached.test")
        client.send(*(wire.query("slow-2000ms-full.test", number=i) for i in range(4)))
        wait_for(lambda: Figures(proxy).sum("queries_total", transport="udp") == 5, "all wait")
        since = Since(proxy)
        assert wire.rcode_of(client.ask(wire.query("slow-2000ms-full.test", number=7))) == wire.SERVFAIL
        assert wire.rcode_of(client.ask(wire.query("cached.test", number=8))) == wire.NOERROR
        assert since.sum("udp_dropped_datagrams_total") == 0
        assert wire.rcode_of(ask(proxy.port, "cached.test")) == wire.NOERROR
        # More room by a reload counts for UDP, too.
        proxy.write_config({"clients": {"max_queries_in_flight": 100}})
        proxy.child.send_signal(signal.SIGHUP)
        proxy.wait_log("configuration reloaded")
        client.send(*(wire.query(f"slow-300ms-room{i}.test", number=100 + i) for i in range(40)))
        numbers = sorted(wire.number_of(client.receive()) for _ in range(44))
        assert numbers == [0, 1, 2, 3, *range(100, 140)]


@needs_namespace
@pytest.mark.parametrize("host,one,every", [("127.0.0.1", "127.0.0.1:5300", "0.0.0.0:5300"),
                                            ("::1", "[::1]:5300", "[::]:5300")], ids=["IPv4", "IPv6"])
def test_a_reload_between_an_address_and_all_of_them_loses_nothing(pki, module_path, host, one, every):
    """Back and forth, while slow questions wait for answers on sockets that were given up."""
    with namespace(), upstreams.start_hostile(pki) as upstream:
        listen = ["127.0.0.1:5301", one]
        with Proxy(module_path, pki, [upstream.port], {"listen": listen}, name="overlap") as proxy, \
                UdpClient(5300, host) as waiting, UdpClient(5300, host, timeout=2) as client:
            ask_udp(5300, "cached.test", host=host)
            slow = 0
            for step in range(8):
                waiting.send(*(wire.query(f"slow-1500ms-{step}-{i}.test", number=slow + i) for i in range(5)))
                slow += 5
                proxy.write_config({"listen": [listen[0], every if step % 2 == 0 else one]})
                before = len(proxy.log())
                proxy.child.send_signal(signal.SIGHUP)
                reloaded = False
                for number in range(1, 400):
                    assert wire.number_of(client.ask(wire.query("cached.test", number=number))) == number, step
                    # From other ports, which the kernel gives to another worker's socket.
                    assert wire.rcode_of(ask_udp(5300, "cached.test", host=host)) == wire.NOERROR, step
                    reloaded = reloaded or "configuration reloaded" in proxy.log()[before:]
                    if reloaded and number % 40 == 0:
                        break
                assert reloaded
            assert sorted(wire.number_of(waiting.receive()) for _ in range(slow)) == list(range(slow))


def test_an_address_that_is_given_up_refuses_at_once(pki, module_path, hostile):
    """Also while a question that came there waits: nobody asks in vain until the answer is there."""
    with Proxy(module_path, pki, [hostile.port], name="given-up") as proxy:
        gone = f"127.0.0.2:{proxy.port}"
        proxy.write_config({"listen": [f"127.0.0.1:{proxy.port}", gone]})
        proxy.child.send_signal(signal.SIGHUP)
        proxy.wait_log("configuration reloaded")
        with UdpClient(proxy.port, host="127.0.0.2") as waiting:
            waiting.send(wire.query("slow-3000ms-gone.test", number=3))
            wait_for(lambda: Figures(proxy).sum("queries_in_flight") == 1, "it waits")
            before = len(proxy.log())
            proxy.write_config({"listen": [f"127.0.0.1:{proxy.port}"]})
            proxy.child.send_signal(signal.SIGHUP)
            proxy.wait_log("configuration reloaded", since=before)

            def is_refused():
                with UdpClient(proxy.port, host="127.0.0.2", timeout=0.1) as client:
                    try:
                        client.ask(wire.query("a.test"))
                    except ConnectionRefusedError:
                        return Figures(proxy).sum("queries_in_flight") == 1
                    except socket.timeout:
                        pass
                    return False

            wait_for(is_refused, "it is refused while the other waits")
            assert wire.number_of(waiting.receive()) == 3
