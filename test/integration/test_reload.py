"""Reload: where it listens changes without a client being turned away; what cannot be had leaves everything as it was;
limits count for who is connected already, and close nobody.
"""
import collections
import contextlib
import pathlib
import shutil
import socket
import subprocess
import time

import pytest
import wire
from dnsclient import Client, ask
from namespace import is_possible, namespace
from hostile import start_hostile
from misbehaviour import proxy_before
from process import LAST_FREE_PORT, free_port, wait_for
from proxy import Proxy
from remote import Remote
from visitors import Visitors

KEPT = "former configuration stays in use"


def listeners(proxy):
    """Its listening sockets, as the kernel knows them: some may be on their way out. Not the one of the HTTP server
    behind the front end, whose port is of those the kernel chooses.
    """
    shown = subprocess.run(["ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout
    own = [line.split()[3] for line in shown.splitlines() if f"pid={proxy.pid}," in line]
    return sorted(address for address in own if int(address.rpartition(":")[2]) <= LAST_FREE_PORT)


def is_refused(port, host="127.0.0.1"):
    try:
        socket.create_connection((host, port), timeout=1).close()
        return False
    except ConnectionRefusedError:
        return True


# --- where it listens


SWAPS = [("127.0.0.1", "0.0.0.0", "127.0.0.1"), ("0.0.0.0", "127.0.0.1", "127.0.0.1"),
         ("[::1]", "[::]", "::1"), ("[::]", "[::1]", "::1")]


@pytest.mark.parametrize("before, after, host", SWAPS, ids=lambda text: text)
def test_an_address_and_one_that_covers_it_take_turns(tmp_path, pki, hostile, before, after, host):
    """The client who is there stays; of those who come with every reload, nobody is turned away."""
    other = free_port()
    config = {"listen": [f"127.0.0.1:{other}", f"{before}:{free_port()}"]}
    with Proxy(tmp_path, pki, [hostile.port], config) as proxy:
        port = int(proxy.config["listen"][1].rpartition(":")[2])
        with Client(port, host) as client, Remote(Visitors, port=port, host=host) as visitors:
            assert wire.rcode_of(client.ask(wire.query("before.test"))) == wire.NOERROR
            running = visitors.begin("run", rate=300)
            for turn in range(6):
                proxy.reload({"listen": [f"127.0.0.1:{other}", f"{before if turn % 2 else after}:{port}"]})
                time.sleep(0.2)  # some come in between, some while the former socket is on its way out
            visitors.enough()
            counts = running.result()
            assert wire.rcode_of(client.ask(wire.query("after.test"))) == wire.NOERROR, "it was not closed"
        assert counts["asked"] == counts["answered"] > 100, counts
        wait_for(lambda: listeners(proxy) == sorted(
            [f"127.0.0.1:{other}", f"127.0.0.1:{proxy.http_port}", f"{before}:{port}"]), "the former socket is closed")


def test_a_client_who_has_not_asked_yet_is_answered_at_the_former_address(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port]) as proxy, Client(proxy.port) as early:
        proxy.reload({"listen": [f"127.0.0.2:{proxy.port}"]})
        assert wire.rcode_of(early.ask(wire.query("early.test"))) == wire.NOERROR
        wait_for(lambda: is_refused(proxy.port), "the former address is closed")
        assert wire.rcode_of(early.ask(wire.query("still-there.test"))) == wire.NOERROR


def test_a_process_of_another_kind_cannot_listen_beside_it_afterwards(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port]) as proxy:
        proxy.reload({"listen": [f"0.0.0.0:{proxy.port}"]})
        wait_for(lambda: f"127.0.0.1:{proxy.port}" not in listeners(proxy), "the former socket is closed")
        for host in ("127.0.0.1", "0.0.0.0"):
            with pytest.raises(OSError):
                socket.create_server((host, proxy.port)).close()


@pytest.mark.skipif(not is_possible(), reason="needs a network namespace, which needs root")
def test_without_ipv6_its_addresses_are_left_out_at_a_reload_as_at_the_start(tmp_path, pki):
    with namespace():
        pathlib.Path("/proc/sys/net/ipv6/conf/all/disable_ipv6").write_text("1")
        with start_hostile(pki) as upstream:
            with Proxy(tmp_path, pki, [upstream.port], {"listen": ["127.0.0.1:8853", "[::1]:8853"]}) as proxy:
                assert "address left out" in proxy.reload({"log": {"level": "debug"}})
                assert wire.rcode_of(ask(proxy.port, "ipv4.test")) == wire.NOERROR


# --- what cannot be had


def test_an_address_that_is_taken_leaves_everything_as_it_was(tmp_path, pki, hostile):
    ports = [free_port() for _ in range(3)]  # of the start: the sandbox lets a reload listen at no other port
    own = [f"127.0.0.1:{port}" for port in ports]
    with Proxy(tmp_path, pki, [hostile.port], {"listen": own}) as proxy, \
            socket.create_server(("127.0.0.2", ports[1])):
        ask(proxy.port, "before.test")
        taken_address = f"127.0.0.2:{ports[1]}"
        shutil.copy(pki.ca_file, tmp_path / "other.pem")
        for _ in range(5):
            said = proxy.reload({
                "listen": [f"127.0.0.2:{ports[2]}", f"0.0.0.0:{proxy.port}", taken_address], "access": {"allow": []},
                "tls": {"ca_file": str(tmp_path / "other.pem")}, "rate_limit": {"queries_per_second": 1, "burst": 1},
            }, KEPT)
            assert taken_address in said and "CA bundle loaded" not in said
        assert listeners(proxy) == sorted([*own, f"127.0.0.1:{proxy.http_port}"]), \
            "none of those it opened is left"
        for number in range(10):
            assert wire.rcode_of(ask(proxy.port, f"after{number}.test")) == wire.NOERROR, "the former limits count"


def test_a_bundle_that_is_none_leaves_everything_as_it_was(tmp_path, pki, hostile):
    bad = tmp_path / "bad.pem"
    bad.write_text("this is no certificate\n")
    with Proxy(tmp_path, pki, [hostile.port]) as proxy:
        ca_file = proxy.config["tls"]["ca_file"]
        said = proxy.reload({"listen": [f"127.0.0.2:{proxy.port}"], "tls": {"ca_file": str(bad)}}, KEPT)
        assert "bad.pem" in said
        assert is_refused(proxy.port, "127.0.0.2") and wire.rcode_of(ask(proxy.port, "after.test")) == wire.NOERROR
        proxy.reload({"tls": {"ca_file": ca_file}})
        assert wire.rcode_of(ask(proxy.port, "mended.test", host="127.0.0.2")) == wire.NOERROR


def test_a_bundle_that_has_gone_bad_refuses_a_reload_every_time(tmp_path, pki, hostile):
    """Also when the program has looked at the file by itself meanwhile: it would not start with it."""
    own = tmp_path / "own.pem"
    shutil.copy(pki.ca_file, own)
    with Proxy(tmp_path, pki, [hostile.port], {"tls": {"ca_file": str(own)}}) as proxy:
        own.write_text("this is no certificate\n")
        proxy.wait_log("CA bundle refused", seconds=20)
        for _ in range(2):
            proxy.reload({"log": {"level": "debug"}}, KEPT)
        assert wire.rcode_of(ask(proxy.port, "after.test")) == wire.NOERROR


# --- limits count for who is connected already, and close nobody


NAME = "limits.test"


def rcodes_of(client, count):
    """Of so many questions in a segment."""
    client.send(*(wire.query(NAME, number=number) for number in range(count)))
    return collections.Counter(wire.rcode_of(client.receive()) for _ in range(count))


def test_the_rate_counts_for_who_is_connected(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port]) as proxy, Client(proxy.port) as client:
        assert rcodes_of(client, 100) == {wire.NOERROR: 100}, "no limit"
        proxy.reload({"rate_limit": {"queries_per_second": 1, "burst": 5}})
        limited = rcodes_of(client, 100)
        assert 5 <= limited[wire.NOERROR] <= 10 and limited[wire.SERVFAIL] >= 90
        proxy.reload({"rate_limit": {"queries_per_second": 0}})
        assert rcodes_of(client, 100) == {wire.NOERROR: 100}, "and none again"


def test_the_rate_drops_for_who_is_connected(tmp_path, pki, hostile):
    config = {"rate_limit": {"queries_per_second": 1, "burst": 5}}
    with Proxy(tmp_path, pki, [hostile.port], config) as proxy, Client(proxy.port) as client:
        assert rcodes_of(client, 20)[wire.SERVFAIL] >= 14
        proxy.reload({"rate_limit": {"action": "drop"}})
        client.send(*(wire.query(NAME, number=100 + number) for number in range(20)))
        list(iter(client.receive, None))  # until it is closed


def test_more_may_be_in_flight_for_who_is_connected(tmp_path, pki, hostile):
    config = {"clients": {"max_in_flight": 2}, "upstream": {"hedge": 0}}
    with Proxy(tmp_path, pki, [hostile.port], config) as proxy, Client(proxy.port) as client:
        def asked(word):
            client.send(*(wire.query(f"slow-600ms-{word}{number}.test", number=number) for number in range(12)))
            wait_for(lambda: hostile.queries(containing=word), "the first are upstream")
            time.sleep(0.2)  # the rest has come; none is answered yet
            count = len(hostile.queries(containing=word))
            assert {wire.number_of(client.receive()) for _ in range(12)} == set(range(12))
            return count

        assert asked("few") == 2
        proxy.reload({"clients": {"max_in_flight": 50}})
        assert asked("many") == 12
        proxy.reload({"clients": {"max_in_flight": 3}})
        assert asked("three") == 3


def test_idle_time_counts_for_who_is_connected(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port], {"clients": {"idle_timeout": "300s"}}) as proxy:
        with Client(proxy.port) as client, Client(proxy.port) as busy:
            client.ask(wire.query(NAME))
            proxy.reload({"clients": {"idle_timeout": "1s"}})
            begin = time.monotonic()
            assert wire.rcode_of(busy.ask(wire.query(NAME))) == wire.NOERROR
            assert client.is_closed_by_peer() and time.monotonic() - begin < 5


def test_who_is_connected_stays_where_fewer_connections_are_allowed(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port]) as proxy, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(proxy.port)) for _ in range(5)]
        assert all(rcodes_of(client, 1) == {wire.NOERROR: 1} for client in clients)
        proxy.reload({"clients": {"max_per_address": 3}})
        with Client(proxy.port) as sixth:
            sixth.send(wire.query(NAME))
            assert sixth.is_closed_by_peer(), "the new bound counts for who comes"
        assert all(rcodes_of(client, 1) == {wire.NOERROR: 1} for client in clients)
        proxy.reload({"clients": {"max_per_address": 6}})
        assert wire.rcode_of(ask(proxy.port, NAME)) == wire.NOERROR


def test_the_trusted_certificates_change_while_a_server_shakes_hands(tmp_path, pki):
    """A session that began with the former ones ends with them, or is opened anew; nobody is in between."""
    for name in ("first.pem", "second.pem"):
        shutil.copy(pki.ca_file, tmp_path / name)
    with proxy_before(tmp_path, pki, {"handshake": 0.3}, config={"sandbox": "off"}) as (proxy, _):
        with Client(proxy.port) as client:
            for i in range(6):
                client.send(wire.query(f"during-{i}.test", number=i))
                proxy.reload({"tls": {"ca_file": str(tmp_path / ("first.pem" if i % 2 else "second.pem"))}})
            assert {wire.rcode_of(client.receive()) for _ in range(6)} == {wire.NOERROR}
