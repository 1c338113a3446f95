"""One name that is asked all the time: each worker answers it from a copy of its own, and nobody notices."""
import math
import threading
import time

import pytest

import wire
from dnsclient import Client
from fickle import number_of, start_fickle
from figures import Figures, Since, post, top_names
from process import wait_for
from proxy import Proxy

WORKERS = 2
BATCH = 200
CLIENTS = 4


@pytest.fixture(scope="module", name="upstream")
def _upstream(pki):
    with start_fickle(pki) as upstream:
        yield upstream


@pytest.fixture(name="proxy")
def _proxy(tmp_path, pki, upstream):
    config = {"workers": WORKERS, "min_workers": WORKERS, "upstream": {"hedge": 0}}
    with Proxy(tmp_path, pki, [upstream.port], config) as proxy:
        yield proxy


@pytest.fixture(name="clients")
def _clients(proxy):
    clients = [Client(proxy.port) for _ in range(CLIENTS)]
    yield clients
    for client in clients:
        client.close()


def ttl_of(answer):
    return wire.records(answer)[0][3]


def batch(client, name, **parts):
    """The answers to BATCH questions in flight, all for that name, each with an id of its own."""
    client.send(*(wire.query(name, number=i, **parts) for i in range(BATCH)))
    answers = [client.receive() for _ in range(BATCH)]
    assert sorted(int.from_bytes(answer[:2], "big") for answer in answers) == list(range(BATCH))
    return answers


def heat(clients, name):
    """Enough for a copy in each worker that has one of these clients."""
    for client in clients:
        for _ in range(3):
            batch(client, name)


def the_number(answers):
    """The one that all of them have: on which question upstream gave it, counted from 1. It may be asked twice for one
    of ours, where it takes its time."""
    numbers = {number_of(answer) for answer in answers}
    assert len(numbers) == 1, numbers
    return numbers.pop()


def test_a_purge_is_seen_by_the_next_question(proxy, upstream, clients):
    upstream.tell(name="hot-purged.test", ttls=[300])
    for turn in range(5):
        heat(clients, "hot-purged.test")
        before = the_number(answer for client in clients for answer in batch(client, "hot-purged.test"))
        assert post(proxy, "/cache/flush" + ("?name=hot-purged.test" if turn % 2 else ""))["removed"] >= 1
        assert the_number(batch(clients[turn % CLIENTS], "hot-purged.test")) > before


def test_a_purge_is_seen_while_all_ask(proxy, upstream, clients):
    """Whoever asks after the purge was answered gets nothing of before. Each worker may ask upstream after it, so there
    may be two answers then, and either stays in the cache."""
    upstream.tell(name="hot-busy.test", ttls=[300])
    heat(clients, "hot-busy.test")
    least = [1]
    faults = []

    def ask_all_the_time(client):
        while least[0] > 0 and not faults:
            known = least[0]
            numbers = [number_of(answer) for answer in batch(client, "hot-busy.test")]
            faults.extend(number for number in numbers if number < known)

    threads = [threading.Thread(target=ask_all_the_time, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    try:
        with Client(proxy.port) as own:
            for _ in range(20):
                own.ask(wire.query("hot-busy.test"))
                wait_for(lambda: Figures(proxy).sum("queries_in_flight") == 0, "upstream has answered all")
                before = sum(upstream.queries(containing="hot-busy.test").values())
                post(proxy, "/cache/flush?name=hot-busy.test")
                least[0] = before + 1
    finally:
        least[0] = 0
        for thread in threads:
            thread.join()
    assert not faults


def test_its_ttl_counts_down_to_the_second_and_it_is_refreshed(proxy, upstream, clients):
    upstream.tell(name="hot-ttl.test", ttls=[5])
    before = time.monotonic()
    first = clients[0].ask(wire.query("hot-ttl.test"))
    stored = time.monotonic()
    assert ttl_of(first) == 5
    seen = set()

    def is_refreshed():
        asked = time.monotonic()
        answers = [answer for client in clients for answer in batch(client, "hot-ttl.test")]
        answered = time.monotonic()
        old = {ttl_of(answer) for answer in answers if number_of(answer) == number_of(first)}
        for ttl in old:
            assert math.floor(asked - stored - 0.1) <= 5 - ttl <= math.floor(answered - before + 0.1)
        seen.update(old)
        return any(number_of(answer) > number_of(first) for answer in answers)

    wait_for(is_refreshed, "a newer answer")
    assert len(seen) > 1 and min(seen) >= 1


def test_other_questions_for_the_name_are_others(proxy, upstream, clients):
    upstream.tell(name="hot-others.test", ttls=[300])
    heat(clients, "hot-others.test")
    since = Since(proxy)
    asked = upstream.queries(containing="hot-others.test")
    for client in clients:
        batch(client, "hot-others.test", flags=wire.RD | wire.CD)
        batch(client, "hot-others.test")
        batch(client, "hot-others.test", additional=[wire.opt(flags=wire.DO)])
    assert sum(upstream.queries(containing="hot-others.test").values()) == sum(asked.values()) + 2
    wait_for(lambda: since.sum("cache_hits_total") + since.sum("cache_misses_total") == 3 * CLIENTS * BATCH,
             "all are counted")


def test_every_question_is_counted(proxy, upstream, clients):
    upstream.tell(name="hot-counted.test", ttls=[300])
    clients[0].ask(wire.query("hot-counted.test"))
    since = Since(proxy)
    for _ in range(5):
        for client in clients:
            batch(client, "hot-counted.test")
    wait_for(lambda: since.sum("cache_hits_total") == 5 * CLIENTS * BATCH, "all are hits")
    assert since.answered("cache") == 5 * CLIENTS * BATCH
    wait_for(lambda: top_names(proxy).get("hot-counted.test") == 5 * CLIENTS * BATCH + 1, "all are in the ranking")
