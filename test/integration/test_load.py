"""Many clients, many questions at once: nothing lost, nothing mixed up, and upstream sees a few connections, not
many.
"""
import subprocess

import pytest
import wire
from dnsclient import ask
from dot_servers import start_fast
from load import Load
from process import wait_for
from processors import waited_s
from proxy import Proxy
from remote import Remote

MAX_SESSIONS = 4  # upstream.max_sessions


@pytest.fixture(scope="module", name="fast")
def _fast(pki, module_path):
    with start_fast(pki, module_path) as upstream:
        yield upstream


@pytest.fixture(scope="module", name="proxy")
def _proxy(pki, module_path, fast):
    with Proxy(module_path, pki, [fast.port]) as proxy:
        yield proxy


def check(report):
    assert report["lost"] == 0, report
    assert report["unexpected"] == 0 and report["mismatched"] == 0 and report["closed"] == 0, report
    assert report["rcodes"] == {"0": report["sent"]}, report


def test_fifty_clients_with_twenty_in_flight_each_name_new(proxy, fast):
    waited = waited_s(proxy.pid)
    with Remote(Load, port=proxy.port, zone="full.test") as load:
        report = load.run(seconds=3, connections=50, in_flight=20)
    check(report)
    assert report["sent"] > 1000
    workers = proxy.config["workers"]
    # A worker may hold a second one while the first is being replaced. On a busy machine a session may seem silent and
    # be replaced again: then there are never more than max_sessions, and as many that end.
    is_busy = waited_s(proxy.pid) - waited > 0.5
    assert 1 <= proxy.connections_to(fast.port) <= 2 * workers * (MAX_SESSIONS if is_busy else 1)
    wait_for(lambda: proxy.connections_to(fast.port) <= workers, "a connection a worker, once it is quiet")


def test_the_same_names_from_all(proxy):
    with Remote(Load, port=proxy.port, zone="same.test", names=100) as load:
        check(load.run(seconds=2, connections=50, in_flight=20))


def test_one_query_a_connection(proxy):
    for i in range(200):
        assert wire.rcode_of(ask(proxy.port, f"single-{i}.test")) == wire.NOERROR


def test_dnsperf_loses_nothing(proxy, tmp_path):
    questions = tmp_path / "questions"
    questions.write_text("".join(f"perf-{i}.test A\n" for i in range(20000)))
    command = ["dnsperf", "-m", "tcp", "-s", "127.0.0.1", "-p", proxy.port, "-d", questions, "-n", 1, "-c", 20]
    command = [*map(str, command), "-q", "400"]
    out = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout
    assert "Queries lost:         0 " in out and "Queries completed:    20000 (100.00%)" in out, out
    assert "NOERROR 20000 (100.00%)" in out, out


def test_its_descriptors_are_given_back(proxy, fast):
    ask(proxy.port, "before.test")
    with Remote(Load, port=proxy.port, zone="fds.test") as load:
        check(load.run(seconds=1, connections=200, in_flight=2))
    ask(proxy.port, "after.test")
    # what it has open besides clients: a listener, its threads' epoll sets and mailboxes, HTTP, sessions
    wait_for(lambda: proxy.descriptors() < 40, "the descriptors of 200 clients that left")
