"""The number of active workers follows the load, and clients move with it: every query is answered exactly once, limits
hold, nothing is left behind. LONG=1: how long clients wait when the load jumps.
"""
import contextlib
import itertools
import json
import os
import pathlib
import subprocess
import threading

import pytest
import wire
from changing_load import ChangingLoad
from dnsclient import Client
from figures import Figures, fetch
from load import Load
from process import wait_for
from proxy import Proxy, is_sanitized
from remote import Remote
from udpclient import ask_udp

LONG = os.environ.get("LONG") == "1"
TOOL = pathlib.Path(__file__).parents[1] / "bench/dnsload.c"
WORKERS = 4
TURNS = itertools.count()


@pytest.fixture(scope="module", name="dnsload")
def _dnsload(module_path):
    program = module_path / "dnsload"
    subprocess.run(["cc", "-O2", "-D_GNU_SOURCE", "-o", program, TOOL], check=True)
    return program


def start_load(dnsload, proxy, arguments):
    return subprocess.Popen([dnsload, "-p", str(proxy.port), *arguments.split()], stdout=subprocess.PIPE, text=True)


def result_of(load):
    return json.loads(load.communicate(timeout=60)[0])


def active(proxy):
    return int(Figures(proxy).sum("workers_active"))


def start(folder, pki, upstream, changes=None, **clients):
    config = {"workers": WORKERS, "rate_limit": {"queries_per_second": 0},
              "clients": {"max_per_address": 1000, **clients}, **(changes or {})}
    return Proxy(folder, pki, [upstream.port], config)


def check(report):
    assert report["lost"] == report["unexpected"] == report["mismatched"] == report["closed"] == 0, report
    assert report["rcodes"] == {"0": report["sent"]}, report


# --- the number


def test_one_is_active_while_it_is_quiet(tmp_path, pki, hostile):
    with start(tmp_path, pki, hostile) as proxy, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(proxy.port)) for _ in range(8)]
        for number, client in enumerate(clients):
            assert wire.rcode_of(client.ask(wire.query(f"quiet-{number}.test"))) == wire.NOERROR
        wait_for(lambda: active(proxy) == 1, "one is active", 10)  # more, if the machine stood still
        status = json.loads(fetch(proxy, "/status.json"))
        assert (status["workers_active"], status["workers"]) == (1, WORKERS)
        wait_for(lambda: proxy.connections_to(hostile.port) == 1, "one worker has a session", 15)


def test_as_many_as_are_set_are_active_at_least(tmp_path, pki, hostile):
    with start(tmp_path, pki, hostile, {"min_workers": 64}) as proxy, contextlib.ExitStack() as stack:
        for number in range(WORKERS):
            client = stack.enter_context(Client(proxy.port))
            assert wire.rcode_of(client.ask(wire.query(f"all-{number}.test"))) == wire.NOERROR
        assert active(proxy) == WORKERS
        wait_for(lambda: proxy.connections_to(hostile.port) == WORKERS, "each worker has its session")
        proxy.reload({"min_workers": 2})
        wait_for(lambda: active(proxy) == 2, "two become inactive, one a second")


def test_a_load_that_one_cannot_bear_gets_more_and_they_rest_afterwards(tmp_path, pki, hostile, dnsload):
    with start(tmp_path, pki, hostile, {"upstream": {"idle_timeout": "1s"}}) as proxy:
        result_of(start_load(dnsload, proxy, "-m pipe -c 4 -q 20 -l 2"))  # the names come into the cache
        wait_for(lambda: active(proxy) == 1, "one is active", 10)
        load = start_load(dnsload, proxy, "-m pipe -c 32 -q 50 -l 3")
        wait_for(lambda: active(proxy) > 1, "another worker becomes active", 3)
        result = result_of(load)
        assert result["lost"] == result["wrong"] == result["closed"] == result["servfail"] == 0, result
        assert Figures(proxy).sum("client_connections_moved_total") > 0
        wait_for(lambda: active(proxy) == 1, "the others become inactive, one a second", 20)
        wait_for(lambda: proxy.connections_to(hostile.port) <= 1, "their sessions end", 20)


def test_questions_that_wait_need_workers_too(tmp_path, pki, hostile):
    """The processor has nothing to do, and yet one worker alone would refuse questions before long."""
    with start(tmp_path, pki, hostile, max_queries_in_flight=64) as proxy, contextlib.ExitStack() as stack:
        for number in range(45):
            client = stack.enter_context(Client(proxy.port))
            client.send(wire.query(f"slow-3000ms-{number}.test"))
        wait_for(lambda: active(proxy) > 1, "another worker becomes active", 2.5)


# --- UDP


def answered_by(proxy, count):
    """The workers that answered sixteen questions over UDP, each from a port of its own, while `count` were active:
    on a busy machine others may be.
    """
    def workers():
        name = f"{count}-{next(TURNS)}"
        for number in range(16):
            assert wire.rcode_of(ask_udp(proxy.port, f"servfail-{name}-{number}.test", number=number)) == wire.SERVFAIL
        shown = wait_for(lambda: (found := shown_failed(proxy, name)) and len(found) == 16 and found, "all are shown")
        return active(proxy) == count and {query["worker"] for query in shown}

    wait_for(lambda: active(proxy) == count, f"{count} are active", 10)
    return wait_for(workers, f"{count} stay active", 30)


def shown_failed(proxy, name):
    """Also those that a busy machine made slow, which are of that kind then."""
    return json.loads(fetch(proxy, f"/queries.json?kind=servfail,slow&name=servfail-{name}-&limit=64"))["queries"]


def test_questions_over_udp_come_to_the_active_workers(tmp_path, pki, hostile):
    with start(tmp_path, pki, hostile) as proxy:
        assert answered_by(proxy, 1) == {0}
        proxy.reload({"min_workers": 2})
        assert answered_by(proxy, 2) == {0, 1}
        proxy.reload({"min_workers": WORKERS})
        assert len(answered_by(proxy, WORKERS)) > 1
        proxy.reload({"min_workers": 1})
        assert answered_by(proxy, 1) == {0}


# --- clients move


def change_number(proxy, done):
    """Workers become active and inactive, all four and one, until `done`."""
    for turn in range(1000):
        proxy.reload({"min_workers": WORKERS if turn % 2 else 1})
        if done.wait(0.3 if turn % 2 else 3.3):  # they become inactive one a second
            return


@contextlib.contextmanager
def changing(proxy):
    done = threading.Event()
    thread = threading.Thread(target=change_number, args=(proxy, done))
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def connect(stack, proxy, count, source):
    clients = [stack.enter_context(Client(proxy.port, source=(source, 0))) for _ in range(count)]
    for client in clients:
        assert wire.rcode_of(client.ask(wire.query("silent.test"))) == wire.NOERROR
    return clients


@pytest.mark.parametrize("prefixes, names", [(("hot-",), {"hot-": 50}), (("new-", "slow-20ms-", "new-"), {})],
                         ids=["cached", "upstream"])
def test_workers_come_and_go_and_every_query_is_answered_once(tmp_path, pki, hostile, prefixes, names):
    limit, idle = 200, 60
    rate = 300 if is_sanitized() else 1500
    with start(tmp_path, pki, hostile, {"min_workers": WORKERS}, max_per_address=limit) as proxy, \
            contextlib.ExitStack() as stack:
        silent = connect(stack, proxy, idle, "127.0.0.2")
        before = proxy.descriptors()
        with changing(proxy), Remote(ChangingLoad, port=proxy.port, zone="move.test", prefixes=prefixes,
                                     repeated=names, stay=0.05) as load:
            report = load.run(seconds=60 if LONG else 12, rate=rate, connections=120)
        check(report)
        assert Figures(proxy).sum("client_connections_moved_total") >= 100
        wait_for(lambda: Figures(proxy).sum("client_connections") == idle, "those who left are counted nowhere")
        for number, client in enumerate(silent):  # wherever they are by now
            assert wire.rcode_of(client.ask(wire.query(f"silent-{number % 5}.test"))) == wire.NOERROR
        proxy.wait_descriptors(before + 2 * WORKERS)  # each may have another session
        for source, held in (("127.0.0.1", 0), ("127.0.0.2", idle)):  # the limit is what it was
            connect(stack, proxy, limit - held, source)
            with Client(proxy.port, source=(source, 0)) as client:
                client.send(wire.query("one-too-many.test"))
                assert client.is_closed_by_peer()


def test_a_stop_while_clients_move(tmp_path, pki, hostile):
    """Each query has one answer, or its connection is closed."""
    with start(tmp_path, pki, hostile, {"min_workers": WORKERS, "drain_timeout": "5s"}) as proxy:
        reports = []
        with Remote(Load, port=proxy.port, zone="stop.test", prefixes=("hot-", "slow-50ms-"), names=50) as load:
            asking = threading.Thread(target=lambda: reports.append(load.run(seconds=6, rate=1000, connections=100)))
            asking.start()
            wait_for(lambda: Figures(proxy).sum("client_connections") == 100, "they are there")
            proxy.reload({"min_workers": 1})
            wait_for(lambda: Figures(proxy).sum("client_connections_moved_total") > 0, "clients move")
            proxy.finish()
            asking.join()
        report = reports[0]
        assert report["unexpected"] == report["mismatched"] == 0, report
        assert report["answered"] + report["lost"] == report["sent"], report
        assert report["rcodes"] == {"0": report["answered"]} and report["closed"] == 100, report


# --- measured


@pytest.mark.skipif(not LONG, reason="LONG=1 measures")
def test_a_jump_of_the_load_makes_nobody_wait(tmp_path, pki, hostile, dnsload):
    """From a thousand queries a second to as many as are answered, by clients that are there already."""
    with start(tmp_path, pki, hostile, {"workers": 2}) as proxy:
        result_of(start_load(dnsload, proxy, "-m pipe -c 4 -q 20 -l 0.7"))
        wait_for(lambda: active(proxy) == 1, "one is active")
        result = result_of(start_load(dnsload, proxy, "-m pipe -c 64 -q 20 -r 1000 -j 3 -l 1"))
        print(result)
        assert result["lost"] == result["wrong"] == result["closed"] == result["servfail"] == 0, result
        assert result["p99_us"] < 20000, result
