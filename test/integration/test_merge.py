"""Identical questions in flight are one question upstream, and everybody who waits gets the answer."""
import selectors
import socket
import struct
import time

import pytest
import wire
from dnsclient import Client, ask
from fickle import number_of, start_fickle
from figures import Since, assert_asked
from process import wait_for
from proxy import Proxy, is_sanitized

WORKERS = 4
CLIENTS = 1000
CONFIG = {"workers": WORKERS, "clients": {"max_per_address": CLIENTS + 100}, "prefetch": {"top": 0},
          "upstream": {"hedge": 0}}


@pytest.fixture(scope="module", name="upstream")
def _upstream(pki):
    with start_fickle(pki) as upstream:
        yield upstream


@pytest.fixture(scope="module", name="proxy")
def _proxy(pki, module_path, upstream):
    with Proxy(module_path, pki, [upstream.port], CONFIG) as proxy:
        yield proxy


@pytest.fixture(name="alone")
def _alone(pki, tmp_path, upstream):
    """One worker, so that all clients are of the same."""
    with Proxy(tmp_path, pki, [upstream.port], {**CONFIG, "workers": 1}) as proxy:
        yield proxy


def answers_of(clients, seconds=15.0):
    """The first answer of each, in the order of `clients`; asked for by readiness, so that none waits for another."""
    answers = {}
    with selectors.DefaultSelector() as ready:
        for client in clients:
            ready.register(client.socket, selectors.EVENT_READ, client)
        end = time.monotonic() + seconds
        while len(answers) < len(clients) and time.monotonic() < end:
            for key, _ in ready.select(0.1):
                answers[key.data] = key.data.receive()
                ready.unregister(key.data.socket)
    return [answers.get(client) for client in clients]


def leave(client):
    """With a reset, which says that nobody reads an answer any more."""
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def spelt(name, number):
    """In a spelling of its own for each number."""
    return "".join(c.upper() if number >> i & 1 else c for i, c in enumerate(name))


def test_a_thousand_clients_ask_the_same_new_name_at_once(proxy, upstream):
    upstream.tell(name="hot-news.test", delay=3 if is_sanitized() else 1)
    since = Since(proxy)
    clients = [Client(proxy.port) for _ in range(CLIENTS)]
    queries = [wire.query(spelt("hot-news.test", number), number=number) for number in range(CLIENTS)]
    for client, query in zip(clients, queries):
        client.send(query)
    answers = answers_of(clients)
    for client in clients:
        client.close()
    assert all(answers)
    retries = since.sum("upstream_retries_total")
    for number, (query, answer) in enumerate(zip(queries, answers)):
        assert wire.number_of(answer) == number and answer[12:wire.question_end(answer)] == query[12:]
        assert wire.rcode_of(answer) == wire.NOERROR and number_of(answer) <= WORKERS + retries
    assert 1 <= upstream.asked(name="hot-news.test") <= WORKERS + retries
    assert CLIENTS - WORKERS <= since.sum("merged_queries_total") + since.sum("cache_hits_total") < CLIENTS


def test_a_client_that_leaves_takes_nothing_from_the_others(alone, upstream):
    upstream.tell(name="left.test", delay=0.5)
    since = Since(alone)
    clients = [Client(alone.port) for _ in range(5)]
    for number, client in enumerate(clients):
        client.send(wire.query("left.test", number=number))
    wait_for(lambda: since.sum("merged_queries_total") == 4, "all of them wait")
    leave(clients[0])  # whose question it was
    leave(clients[3])
    assert [wire.number_of(answer) for answer in answers_of([clients[1], clients[2], clients[4]])] == [1, 2, 4]
    assert_asked(alone, upstream, "left.test", 1)
    assert since.sum("dropped_queries_total", reason="client_gone") == 2
    for client in clients:
        client.close()


def test_when_all_have_left_the_answer_is_kept_for_the_next(alone, upstream):
    upstream.tell(name="nobody.test", delay=0.3)
    since = Since(alone)
    client = Client(alone.port)
    client.send(wire.query("nobody.test"))
    wait_for(lambda: upstream.asked(name="nobody.test") > 0, "it is asked")
    leave(client)
    wait_for(lambda: since.sum("cache_entries") == 1, "it is kept")
    assert number_of(ask(alone.port, "nobody.test")) == 1
    assert since.sum("dropped_queries_total", reason="client_gone") == 1


def test_one_client_asks_the_same_twice(alone, upstream):
    upstream.tell(name="same.test", delay=0.2)
    with Client(alone.port) as client:
        client.send(wire.query("same.test", number=1), wire.query("SAME.test", number=2, additional=[wire.opt()]))
        first, second = sorted([client.receive(), client.receive()], key=wire.number_of)
    assert_asked(alone, upstream, "same.test", 1)
    assert wire.name_from_wire(first) == "same.test" and wire.name_from_wire(second) == "SAME.test"
    assert wire.opt_of(first) is None and wire.opt_of(second) is not None


def test_what_makes_another_answer_is_not_merged(alone, upstream):
    upstream.tell(name="other.test", delay=0.2)
    with Client(alone.port) as client:
        client.send(wire.query("other.test", number=1), wire.query("other.test", number=2, flags=wire.RD | wire.CD),
                    wire.query("other.test", number=3, additional=[wire.opt(flags=wire.DO)]),
                    wire.query("other.test", number=4, flags=wire.RD | wire.AD))
        assert sorted(wire.number_of(client.receive()) for _ in range(4)) == [1, 2, 3, 4]
    assert_asked(alone, upstream, "other.test", 4)


def test_all_get_the_failure_and_it_was_asked_once(alone, upstream):
    upstream.tell(name="failing.test", delay=0.3, rcode=wire.SERVFAIL)
    clients = [Client(alone.port) for _ in range(20)]
    for number, client in enumerate(clients):
        client.send(wire.query("failing.test", number=number))
    assert [wire.rcode_of(answer) for answer in answers_of(clients)] == [wire.SERVFAIL] * 20
    assert_asked(alone, upstream, "failing.test", 1)
    for client in clients:
        client.close()


def test_those_who_wait_are_bounded(pki, tmp_path, upstream):
    """Four for each question that may be in flight, of which the last quarter is kept for light clients."""
    upstream.tell(name="bound.test", delay=0.5)
    config = {**CONFIG, "workers": 1, "clients": {"max_queries_in_flight": 5}}
    with Proxy(tmp_path, pki, [upstream.port], config) as proxy, Client(proxy.port) as client:
        since = Since(proxy)
        client.send(*(wire.query("bound.test", number=number) for number in range(21)))
        rcodes = [wire.rcode_of(client.receive()) for _ in range(21)]
        assert rcodes == [wire.SERVFAIL] * 6 + [wire.NOERROR] * 15, "those too many are told at once"
        assert since.sum("overloaded_total") == 6
        assert wire.rcode_of(client.ask(wire.query("bound.test"))) == wire.NOERROR
        assert_asked(proxy, upstream, "bound.test", 1)
