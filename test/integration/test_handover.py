"""Connections over a restart, through a descriptor store as systemd has it (fdstore): clients notice a pause, and lose
nothing.
"""
import contextlib
import signal
import socket
import time

import pytest
import wire
from dnsclient import Client, ask
from fdstore import StoredProxy, asked, handover, is_closed
from figures import Figures
from process import free_port, wait_for
from udpclient import UdpClient, ask_udp

MANY = {"clients": {"max_per_address": 10000}}


@pytest.fixture(name="service")
def _service(tmp_path, pki, hostile, store):
    with StoredProxy(tmp_path, pki, [hostile.port], store, MANY) as proxy:
        yield proxy


# ---- what goes on ----


def test_a_connection_outlives_the_process(service, store):
    with Client(service.port) as client:
        asked(client, "before.test")
        pid = service.pid
        for i in range(3):
            service.restart()
            asked(client, f"after{i}.test")
        assert service.pid != pid
    assert handover(service) == {"given": 1, "taken": 1, "closed": 0, "pause_ms": handover(service)["pause_ms"]}
    assert 0 < handover(service)["pause_ms"] < 20000
    figures = Figures(service)
    assert figures.sum("handover_connections_given") == figures.sum("handover_connections_taken") == 1
    assert figures.sum("handover_connections_closed") == 0 and figures.sum("handover_pause_seconds") > 0
    assert not store.names(), "the store is empty again"


def test_a_first_start_takes_nothing(service):
    assert handover(service) == {"given": 0, "taken": 0, "closed": 0, "pause_ms": 0}


def test_systemd_is_told_that_it_stopped(service, store):
    """Which systemctl shows for as long as the service is not started again."""
    def last():
        return [each["STATUS"] for _, each in list(store.messages) if "STATUS" in each][-1:]

    with Client(service.port) as client:
        asked(client, "a.test")
    assert last() != ["Stopped"]
    service.finish()
    wait_for(lambda: last() == ["Stopped"], "the last status")


def test_what_comes_between_the_two_processes_is_answered(service):
    with Client(service.port) as client, UdpClient(service.port) as datagrams:
        asked(client, "a.test")
        service.finish()
        client.send(wire.query("b.test", number=1), wire.query("c.test", number=2))
        datagrams.send(wire.query("d.test", number=3))
        with Client(service.port) as new:  # the kernel takes the connection for the listener in the store
            new.send(wire.query("e.test", number=4))
            service.start()
            assert {wire.number_of(client.receive()) for _ in range(2)} == {1, 2}
            assert wire.number_of(datagrams.receive()) == 3
            assert wire.number_of(new.receive()) == 4


def test_a_message_cut_at_each_octet(service):
    message = wire.frame(wire.query("whole.test"))
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(service.port)) for _ in range(1, len(message))]
        for cut, client in enumerate(clients, 1):
            client.send_raw(message[:cut])
        asked_twice = stack.enter_context(Client(service.port))
        asked(asked_twice, "x.test")
        service.restart()
        for cut, client in enumerate(clients, 1):
            client.send_raw(message[cut:])
            assert wire.rcode_of(client.receive()) == wire.NOERROR
        asked(asked_twice, "y.test")


def test_what_is_in_flight_is_answered_first(service):
    """A question of 700 ms holds the restart up; nobody else loses anything by it."""
    with Client(service.port) as slow, Client(service.port) as other, UdpClient(service.port) as datagrams:
        asked(other, "a.test")
        slow.send(wire.query("slow-700ms-x.test", number=9))
        datagrams.send(wire.query("slow-700ms-y.test", number=10))
        wait_for(lambda: Figures(service).sum("queries_in_flight") == 2, "they are in flight")
        service.child.send_signal(signal.SIGTERM)
        service.wait_log("draining")
        other.send(wire.query("b.test", number=11))
        assert wire.number_of(slow.receive()) == 9 and wire.number_of(datagrams.receive()) == 10
        assert service.finish() < 5
        service.start()
        assert wire.number_of(other.receive()) == 11
        asked(slow, "c.test")


def test_replies_that_a_client_has_not_taken_come_afterwards(service):
    """More than the sockets hold: the rest goes over in the program's hands."""
    name = "big-1.test"
    with Client(service.port) as client:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.send(wire.query(name, "TXT", number=0))
        first = client.receive()
        for number in range(1, 80):
            client.send(wire.query(name, "TXT", number=number))
        time.sleep(0.3)  # all are answered, as far as it takes answers
        service.restart()
        for number in range(1, 80):
            message = client.receive()
            assert wire.number_of(message) == number and len(message) == len(first)
        asked(client, "a.test")


def test_a_half_closed_connection_is_answered_and_closed(service):
    with Client(service.port) as client:
        asked(client, "a.test")
        service.finish()
        client.send(wire.query("b.test", number=5))
        client.socket.shutdown(socket.SHUT_WR)
        service.start()
        assert wire.number_of(client.receive()) == 5
        assert client.receive() is None


def test_idle_time_goes_on(tmp_path, pki, hostile, store):
    config = {"clients": {"idle_timeout": "3s"}}
    with StoredProxy(tmp_path, pki, [hostile.port], store, config) as service, Client(service.port) as client:
        asked(client, "a.test")
        begin = time.monotonic()
        while time.monotonic() < begin + 2:
            service.restart()
        assert is_closed(client, 2.5), "its three seconds began before the restarts"
        closed = Figures(service).sum("client_connections_closed_total", cause="idle_timeout")
        assert closed == 1


# ---- what has changed meanwhile ----


def test_the_access_list_has_changed(service):
    with Client(service.port) as out, Client(service.port, source=("127.0.0.2", 0)) as kept:
        asked(out, "a.test")
        asked(kept, "a.test")
        service.restart({"access": {"allow": ["127.0.0.2/32"]}})
        assert is_closed(out)
        asked(kept, "b.test")
    assert Figures(service).sum("client_connections_closed_total", cause="access") == 1


def test_the_listen_list_has_changed(service):
    """As by a reload: who is connected stays, who has connected already is accepted, and then nobody listens there."""
    former, new = service.port, free_port()
    with Client(former) as client, UdpClient(former) as datagrams:
        asked(client, "a.test")
        service.finish()
        with Client(former) as waiting:
            waiting.send(wire.query("b.test", number=6))
            datagrams.send(wire.query("c.test", number=7))
            service.write_config({"listen": [f"127.0.0.1:{new}"]})
            service.start()
            assert wire.number_of(waiting.receive()) == 6
        assert wire.number_of(datagrams.receive()) == 7
        asked(client, "d.test")
        asked_new = ask(new, "e.test")
        assert wire.rcode_of(asked_new) == wire.NOERROR and wire.rcode_of(ask_udp(new, "f.test")) == wire.NOERROR

        def is_refused():
            with contextlib.suppress(ConnectionRefusedError, ConnectionResetError):
                socket.create_connection(("127.0.0.1", former)).close()
                return False
            return True

        wait_for(is_refused, "nobody listens there any more")
        service.restart({"listen": [f"127.0.0.1:{new}", f"127.0.0.1:{former}"]})
        asked(client, "g.test")
        assert wire.rcode_of(ask(former, "h.test")) == wire.NOERROR


@pytest.mark.parametrize("workers", [1, 4])
def test_the_number_of_workers_has_changed(service, workers):
    """Sockets for UDP are missing, or left over; nothing that is in those is lost."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(UdpClient(service.port)) for _ in range(40)]
        connected = [stack.enter_context(Client(service.port)) for _ in range(10)]
        for client in connected:
            asked(client, "a.test")
        service.finish()
        for number, client in enumerate(clients):
            client.send(wire.query("a.test", number=number))
        service.write_config({"workers": workers})
        service.start()
        for number, client in enumerate(clients):
            assert wire.number_of(client.receive()) == number
        for client in connected:
            asked(client, "b.test")
        for number, client in enumerate(clients):
            assert wire.number_of(client.ask(wire.query("c.test", number=number))) == number


def test_limits_are_lower_now(service):
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(service.port)) for _ in range(20)]
        for client in clients:
            asked(client, "a.test")
        service.restart({"clients": {"max_per_address": 8}})
        assert handover(service)["taken"] == 8 and handover(service)["closed"] == 12
        closed = [client for client in clients if is_closed(client, 0.5)]
        assert len(closed) == 12
        for client in set(clients) - set(closed):
            asked(client, "b.test")
        assert "over_limit=12" in service.log()


def test_a_lower_limit_of_descriptors(tmp_path, pki, hostile, store):
    """Whoever has no room is closed, not forgotten."""
    with StoredProxy(tmp_path, pki, [hostile.port], store, MANY) as service, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(service.port)) for _ in range(600)]
        for client in clients:
            asked(client, "a.test")
        service.finish()
        service.command = ["bash", "-c", 'ulimit -n 400; exec "$@"', "bash", *service.command]
        service.start()
        figures = handover(service)
        assert figures["given"] == 600 and figures["taken"] + figures["closed"] == 600 and 100 < figures["taken"] < 400
        open_now = sum(not is_closed(client, 0.02) for client in clients)
        assert open_now == figures["taken"]
