"""A restart where connections cannot be handed over, or not all, or not at once: without a store, with one that fails,
where a process dies, and in the middle of other changes. Clients are closed or go on, and never hang.
"""
import contextlib
import os
import pathlib
import signal
import socket
import time

import wire
from dnsclient import Client
from fdstore import Store, StoredProxy, asked, handover, is_closed
from figures import Figures
from process import free_port, wait_for
from proxy import PROGRAM
from udpclient import UdpClient

DISCARDED = "hand-over discarded"


# ---- without, or in vain ----


def test_without_a_store_it_drains(tmp_path, pki, hostile):
    """systemd tells of no store, and keeps nothing of the attempt (before 254), or none is there at all."""
    for limit, tells in ((0, True), (0, False)):
        folder = tmp_path / str(tells)
        folder.mkdir()
        with Store(folder, limit, tells) as store, \
                StoredProxy(folder, pki, [hostile.port], store) as service, Client(service.port) as client:
            client.send(wire.query("slow-300ms-x.test", number=3))
            wait_for(lambda: Figures(service).sum("queries_in_flight") == 1, "it is in flight")  # noqa: B023
            service.finish()
            assert wire.number_of(client.receive()) == 3 and client.receive() is None
            assert "connections_are=closed" in service.log() and not store.names()


def test_systemd_before_254_has_a_store_and_does_not_tell(tmp_path, pki, hostile):
    with Store(tmp_path, tells=False) as store, StoredProxy(tmp_path, pki, [hostile.port], store) as service, \
            Client(service.port) as client:
        asked(client, "a.test")
        service.restart()
        asked(client, "b.test")
        assert not store.names()


def test_the_store_is_full_and_does_not_say_so(tmp_path, pki, hostile):
    """It told of room; the bag is not kept. Clients are closed, and the next start is a usual one."""
    with Store(tmp_path, limit=1) as store, StoredProxy(tmp_path, pki, [hostile.port], store) as service:
        client = Client(service.port)
        asked(client, "a.test")
        store.put(os.open("/dev/null", os.O_RDONLY), "another")
        service.finish()
        assert "connections not handed over" in service.log() and is_closed(client)
        store.drop()
        service.start()
        with Client(service.port) as again:
            asked(again, "b.test")


def test_systemd_does_not_answer(service, store):
    """It waits for a second, and ends as without a store."""
    with Client(service.port) as client:
        asked(client, "a.test")
        store.is_deaf = True
        assert service.finish() < 10
        assert is_closed(client) and "connections not handed over" in service.log()
        store.is_deaf = False
        service.start()


def test_a_crash_leaves_nothing(service, store):
    with Client(service.port) as client:
        asked(client, "a.test")
        service.restart()
        service.kill()
        assert is_closed(client) and not store.names()
        service.start()
        assert handover(service)["given"] == 0 and DISCARDED not in service.log()


def test_a_start_that_fails_leaves_all_to_the_next(service):
    """The new program cannot start; the one after it can."""
    with Client(service.port) as client, socket.socket() as other:
        asked(client, "a.test")
        other.bind(("127.0.0.1", 0))
        other.listen()
        service.finish()
        service.write_config({"listen": service.config["listen"] + [f"127.0.0.1:{other.getsockname()[1]}"]})
        for _ in range(2):
            service.start(ready=False)
            assert service.wait_exit() == 1
        client.send(wire.query("b.test", number=5))
        service.write_config({"listen": service.config["listen"][:1]})
        service.start()
        assert wire.number_of(client.receive()) == 5


def test_a_process_that_dies_before_it_is_ready_leaves_all_to_the_next(service, store):
    """Killed at some moment of its start."""
    with Client(service.port) as client:
        asked(client, "a.test")
        service.finish()
        for delay in (0.0, 0.005, 0.01):
            if not store.names():
                break  # it was faster, and took all
            service.start(ready=False)
            time.sleep(delay)
            service.kill()
        if store.names():
            service.start()
            asked(client, "b.test")
        else:
            service.start()


def test_it_is_told_to_stop_while_it_starts(service):
    """The signal waits until the start is complete; then all is handed on."""
    with Client(service.port) as client:
        asked(client, "a.test")
        service.finish()
        client.send(wire.query("b.test", number=4))
        for _ in range(5):
            service.start(ready=False)
            wait_for(lambda: has_blocked_signals(service.pid), "it has blocked its signals")
            service.finish()
        service.start()
        assert wire.number_of(client.receive()) == 4
        asked(client, "c.test")


def has_blocked_signals(pid):
    with contextlib.suppress(OSError, IndexError):
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        mask = int(status.split("SigBlk:")[1].split()[0], 16)
        return mask & 1 << (signal.SIGTERM - 1) and os.readlink(f"/proc/{pid}/exe") == PROGRAM
    return False


def test_told_twice_it_hands_over_what_it_can(service):
    """At once: whoever waits for an answer is closed, the others stay."""
    with Client(service.port) as waiting, Client(service.port) as idle:
        asked(idle, "a.test")
        waiting.send(wire.query("slow-4000ms-x.test"))
        wait_for(lambda: Figures(service).sum("queries_in_flight") == 1, "it is in flight")
        service.child.send_signal(signal.SIGTERM)
        service.wait_log("draining")
        assert service.finish() < 3
        assert is_closed(waiting)
        service.start()
        asked(idle, "b.test")
    assert "closed_before=1" in service.log()


def test_the_drain_time_is_over(tmp_path, pki, hostile, store):
    with StoredProxy(tmp_path, pki, [hostile.port], store, {"drain_timeout": "500ms"}) as service, \
            Client(service.port) as waiting, Client(service.port) as idle:
        asked(idle, "a.test")
        waiting.send(wire.query("slow-4000ms-x.test"))
        wait_for(lambda: Figures(service).sum("queries_in_flight") == 1, "it is in flight")
        assert service.finish() < 3
        assert is_closed(waiting)
        service.start()
        asked(idle, "b.test")


def test_a_reload_just_before(service):
    with Client(service.port) as client:
        asked(client, "a.test")
        for i in range(3):
            service.write_config({"cache": {"max_size": f"{32 + i}MiB"}, "listen": [service.config["listen"][0],
                                                                                   f"127.0.0.1:{free_port()}"]})
            service.child.send_signal(signal.SIGHUP)
            service.finish()
            service.start()
            asked(client, f"b{i}.test")


def test_sockets_of_a_socket_unit_are_not_stored(tmp_path, pki, hostile):
    """systemd passes them at each start; the connections go over as otherwise."""
    with socket.socket() as stream, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        stream.bind(("127.0.0.1", 0))
        stream.listen()
        port = stream.getsockname()[1]
        datagrams.bind(("127.0.0.1", port))
        units = [stream.fileno(), datagrams.fileno()]
        with Store(tmp_path, units=units) as store, StoredProxy(
                tmp_path, pki, [hostile.port], store, wait_port=port) as service, \
                Client(port) as client, UdpClient(port) as asks:
            asked(client, "a.test")
            service.finish()
            client.send(wire.query("b.test", number=8))
            asks.send(wire.query("c.test", number=9))
            service.start()
            assert wire.number_of(client.receive()) == 8 and wire.number_of(asks.receive()) == 9
            assert "listeners=0 udp_sockets=0" in service.log()
