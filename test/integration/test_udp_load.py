"""UDP under load: floods, reloads and a stop, and what honest clients see of them.

The load is bounded in time and in number. LONG=1 makes it as heavy as a machine of its own can bear, and holds the
honest clients to 20 ms.
"""
import contextlib
import fcntl
import itertools
import json
import os
import pathlib
import select
import signal
import socket
import subprocess
import time
import types

import hostile as upstreams
import pytest
import wire
from dnsclient import Client, ask
from figures import Figures, Since, fetch
from namespace import is_possible, namespace
from pki import SERVER_NAME
from process import free_port, is_listening, wait_for
from proxy import PROGRAM, SANITIZER_OPTIONS, Proxy, is_sanitized
from udpclient import UdpClient, ask_udp, receive_timed, want_times
from udpflood import UdpFlood, route_sources

LONG = os.environ.get("LONG") == "1"
SECONDS = 5 if LONG else 1.5
TOOL = pathlib.Path(__file__).parents[1] / "bench/udpload.c"

needs_namespace = pytest.mark.skipif(not is_possible(), reason="needs root, for a network namespace")


@pytest.fixture(scope="module", name="udpload")
def _udpload(module_path):
    program = module_path / "udpload"
    subprocess.run(["cc", "-O2", "-D_GNU_SOURCE", "-o", program, TOOL], check=True)
    return program


def start_load(udpload, port, arguments):
    return subprocess.Popen([udpload, "-p", str(port), *arguments.split()], stdout=subprocess.PIPE, text=True)


def result_of(load):
    return json.loads(load.communicate(timeout=60)[0])


def honest_ms(port, seconds):
    """Latencies over UDP and over TCP of a client that asks over each every 2 ms, and how many were lost over UDP. They
    end when the kernel has the response: how long this process waits for a processor is not the program's.
    """
    taken, sent_ns = {"udp": [], "tcp": []}, {}
    end = time.monotonic() + seconds

    def take(connection, transport, skip):
        while select.select([connection], [], [], 0)[0]:
            response, at_ns = receive_timed(connection)
            assert wire.rcode_of(response[skip:]) == wire.NOERROR
            taken[transport].append((at_ns - sent_ns[transport, wire.number_of(response[skip:])]) / 1e6)

    with Client(port) as stream, UdpClient(port) as datagrams:
        want_times(stream.socket)
        want_times(datagrams.socket)
        size = len(stream.ask(wire.query("honest.test"))) + 2
        stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)  # one whole response
        number = asked = 0
        while time.monotonic() < end:
            number = (number + 1) % 65536
            query = wire.query("honest.test", number=number)
            if asked == len(taken["tcp"]):  # one at a time, as each is to be seen apart
                asked += 1
                sent_ns["tcp", number] = time.time_ns()
                stream.send(query)
            sent_ns["udp", number] = time.time_ns()
            datagrams.send(query)
            time.sleep(0.002)
            take(datagrams.socket, "udp", 0)
            take(stream.socket, "tcp", 2)
        time.sleep(0.3)  # for those on their way
        take(datagrams.socket, "udp", 0)
    return taken, number - len(taken["udp"])


def p99_of(taken):
    return sorted(taken)[len(taken) * 99 // 100]


class Account:
    """Whether the program has counted all that was sent since this was made: what it read, and what was dropped, of
    which a later datagram on the same socket tells.
    """

    def __init__(self, proxy):
        self._proxy, self._since, self._asked = proxy, Since(proxy), 0

    def is_settled(self, sent):
        for _ in range(20):  # from other ports, so that some come to each socket
            self._asked += 1
            with UdpClient(self._proxy.port, timeout=1) as client, contextlib.suppress(socket.timeout):
                client.ask(wire.query("honest.test"))
        seen = (self._since.sum("queries_total", transport="udp") + self._since.sum("udp_dropped_datagrams_total") +
                self._since.sum("udp_kernel_drops_total"))
        assert seen <= sent + self._asked, (seen, sent, self._asked)
        return seen == sent + self._asked


#: From sources of the internet and of private networks.
FOREIGN, PRIVATE = "198.18.0.0", "10.0.0.0"
FLOODS = {
    "forged foreign sources": {"base": FOREIGN, "sources": 100000, "kind": "mixed"},
    "forged private sources": {"base": PRIVATE, "sources": 100000, "kind": "mixed"},
    "10,000 foreign prefixes": {"base": FOREIGN, "sources": 10000, "step": 8, "kind": "hot"},
    "10,000 private prefixes": {"base": PRIVATE, "sources": 10000, "step": 256, "kind": "hot"},
    "random bytes": {"base": PRIVATE, "sources": 250, "kind": "random"},
    "64 kB": {"base": PRIVATE, "sources": 250, "kind": "big"},
    "one million a second": {"base": FOREIGN, "sources": 250, "kind": "hot", "rate": 1000000},
}


@needs_namespace
@pytest.mark.parametrize("kind", FLOODS)
def test_honest_clients_are_answered_in_a_flood(pki, module_path, kind):
    """And a foreign source that is not verified is never sent more than it sent."""
    with namespace(), upstreams.start_hostile(pki) as upstream:
        route_sources("10.0.0.0/8", "198.18.0.0/15")
        config = {"access": {"allow": ["0.0.0.0/0"]}, "cache": {"max_size": "16MiB"}}
        with Proxy(module_path, pki, [upstream.port], config, name=f"flood-{kind.replace(' ', '-')}") as proxy:
            ask_udp(proxy.port, "honest.test")
            ask_udp(proxy.port, "hot.test")
            before, since, account = proxy.own_bytes(), Since(proxy), Account(proxy)
            rate = {} if LONG else {"rate": 2000 if is_sanitized() else 20000}
            with UdpFlood(proxy.port, **{**FLOODS[kind], **rate}) as flood:
                taken, lost = honest_ms(proxy.port, SECONDS)
            p99 = {transport: p99_of(each) for transport, each in taken.items()}
            sent = flood.sent + len(taken["udp"]) + lost
            wait_for(lambda: account.is_settled(sent), "each datagram is counted once", 60)
            told, heard = ({source: since.sum(f"udp_{way}_bytes_total", source=source)
                            for source in ("foreign", "private")} for way in ("sent", "received"))
            median = {transport: sorted(each)[len(each) // 2] for transport, each in taken.items()}
            print(f"{kind}: {flood.per_second:.0f}/s offered, {since.sum('queries_total', transport='udp'):.0f} read, "
                  f"{since.sum('responses_total', transport='udp'):.0f} answered, kernel dropped "
                  f"{since.sum('udp_kernel_drops_total'):.0f} of {flood.sent}; honest p50 {median['udp']:.2f}, p99 "
                  f"{p99['udp']:.2f} ms of {len(taken['udp'])} over UDP, {lost} lost; p50 {median['tcp']:.2f}, p99 "
                  f"{p99['tcp']:.2f} ms of {len(taken['tcp'])} over TCP; "
                  f"bytes sent {told}, received {heard}")
            assert not LONG or max(p99.values()) < 20, p99
            assert told["foreign"] <= heard["foreign"]
            assert is_sanitized() or proxy.own_bytes() - before < 64 * 2 ** 20


def test_reloads_lose_nothing(pki, module_path, hostile, udpload):
    """Ten in five seconds, each with another limit and another address besides; the sockets that stay are the same."""
    rate = 20000 if LONG else 500 if is_sanitized() else 2000
    config = {"udp": {"responses_per_second": 0}}
    with Proxy(module_path, pki, [hostile.port], config, name="reloads") as proxy:
        result_of(start_load(udpload, proxy.port, "-c 4 -q 10 -l 1"))
        load = start_load(udpload, proxy.port, f"-c 50 -q 40 -r {rate} -l 5")
        for i in range(10):
            extra = [f"127.0.0.{2 + i % 3}:{proxy.port}"]
            proxy.write_config({"udp": {"slip": 1 + i % 5}, "listen": [f"127.0.0.1:{proxy.port}", *extra]})
            before = len(proxy.log())
            proxy.child.send_signal(signal.SIGHUP)
            proxy.wait_log("configuration reloaded", since=before)
            time.sleep(0.4)
        result = result_of(load)
        assert result["answered"] > rate * 3 and result["lost"] == result["wrong"] == result["servfail"] == 0, result
        assert wire.rcode_of(ask_udp(proxy.port, "a.test", host="127.0.0.2")) == wire.NOERROR


def test_what_is_in_flight_is_answered_at_a_stop(pki, module_path, hostile):
    with Proxy(module_path, pki, [hostile.port], name="stop") as proxy, UdpClient(proxy.port) as client:
        client.send(*(wire.query(f"slow-500ms-stop{i}.test", number=i) for i in range(100)))
        wait_for(lambda: Figures(proxy).sum("queries_in_flight") == 100, "all are in flight")
        proxy.child.send_signal(signal.SIGTERM)
        assert sorted(wire.number_of(client.receive()) for _ in range(100)) == list(range(100))
        assert proxy.finish() < 5


@contextlib.contextmanager
def activated(folder, pki, upstream, port, passed):
    """The program as systemd starts it: its own process id in LISTEN_PID, and sockets from descriptor 3 on."""
    path, http_port = folder / "activated.json", free_port()
    path.write_text(json.dumps({
        "workers": 4, "names": {"special_use": "forward"}, "tls": {"ca_file": pki.ca_file},
        "http": {"listen": f"127.0.0.1:{http_port}"}, "udp": {"responses_per_second": 0},
        "listen": [f"127.0.0.1:{port}"],
        "upstreams": [{"address": "127.0.0.1", "port": upstream, "name": SERVER_NAME}]}))
    move = " ".join(f"{3 + index}<&{descriptor}" for index, descriptor in enumerate(passed))
    script = f"export LISTEN_PID=$$ LISTEN_FDS={len(passed)}; exec {PROGRAM} --config {path} {move}"
    with subprocess.Popen(["bash", "-c", script], pass_fds=passed, env={**os.environ, **SANITIZER_OPTIONS}) as program:
        try:
            wait_for(lambda: is_listening(http_port), "it answers")
            yield types.SimpleNamespace(child=program, http_port=http_port)
        finally:
            program.send_signal(signal.SIGCONT)
            program.send_signal(signal.SIGTERM)
            assert program.wait(20) == 0


def test_sockets_of_systemd_are_shared_by_all_workers_and_left_open(pki, module_path, hostile, udpload):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as stream, \
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        stream.bind(("127.0.0.1", 0))
        stream.listen()
        port = stream.getsockname()[1]
        datagrams.bind(("127.0.0.1", port))
        # High numbers, so that neither is in the way when it becomes 3 or 4.
        passed = [fcntl.fcntl(each, fcntl.F_DUPFD, 50) for each in (stream, datagrams)]
        with activated(module_path, pki, hostile.port, port, passed) as proxy:
            turns = itertools.count()

            def answered_by():
                """Where one worker was active all the time, which a busy machine may prevent: the workers."""
                turn = next(turns)
                for i in range(50):
                    assert wire.rcode_of(ask_udp(port, f"servfail-{turn}-{i}.test")) == wire.SERVFAIL
                shown = json.loads(fetch(proxy, f"/queries.json?kind=servfail&name=servfail-{turn}-&limit=64"))
                is_one = Figures(proxy).sum("workers_active") == 1
                return is_one and len(shown["queries"]) == 50 and {query["worker"] for query in shown["queries"]}

            wait_for(lambda: Figures(proxy).sum("workers_active") == 1, "one worker is active")
            assert wait_for(answered_by, "one stays active", 30) == {0}, "an inactive one is not woken"
            for i in range(100):
                assert wire.rcode_of(ask_udp(port, f"s{i}.test")) == wire.NOERROR
            assert wire.rcode_of(ask(port, "a.test")) == wire.NOERROR
            result = result_of(start_load(udpload, port, "-c 8 -q 2 -r 500 -l 1"))
            assert result["answered"] > 100 and result["lost"] == 0, result
        with UdpClient(port) as client:
            client.send(wire.query("kept.test"))
            assert datagrams.recv(1000), "the socket is still open, and what comes waits for the next program"
        for each in passed:
            os.close(each)


def overrun(client):
    """More than the socket's buffer holds, while nobody reads; how many."""
    for number in range(3000):
        client.send(wire.query("dropped.test", number=number))
    return 3000


def test_what_the_kernel_drops_of_a_shared_socket_counts_once(pki, module_path, hostile):
    """Of four workers one counts; and only what was dropped since the program started."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams, contextlib.ExitStack() as stack:
        datagrams.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        datagrams.bind(("127.0.0.1", 0))
        port = datagrams.getsockname()[1]
        client = stack.enter_context(UdpClient(port))
        overrun(client)  # before it starts
        passed = fcntl.fcntl(datagrams, fcntl.F_DUPFD, 50)
        stack.callback(os.close, passed)
        with activated(module_path, pki, hostile.port, port, [passed]) as proxy:
            for i in range(100):  # each worker reads some
                assert wire.rcode_of(ask_udp(port, f"s{i}.test")) == wire.NOERROR
            assert Figures(proxy).sum("udp_kernel_drops_total") == 0
            read = Figures(proxy).sum("queries_total", transport="udp")
            # Set again by the program at its start, to hold more.
            datagrams.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
            proxy.child.send_signal(signal.SIGSTOP)
            sent = overrun(client)
            proxy.child.send_signal(signal.SIGCONT)

            def counted():
                """Until one worker has seen them all: each question says how many were dropped before it. It may be
                dropped, too, while those before it are read."""
                client.send(wire.query("after.test"))
                nonlocal sent
                sent += 1
                figures = Figures(proxy)
                return (figures.sum("queries_total", transport="udp") - read + figures.sum("udp_kernel_drops_total") +
                        figures.sum("udp_dropped_datagrams_total") >= sent)

            wait_for(counted, "all that was dropped is counted")
            figures = Figures(proxy)
            assert (figures.sum("queries_total", transport="udp") - read + figures.sum("udp_kernel_drops_total") +
                    figures.sum("udp_dropped_datagrams_total") == sent)
            assert figures.sum("udp_kernel_drops_total") > 1000
