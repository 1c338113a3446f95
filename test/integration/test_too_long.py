"""A message longer than clients may send gets FORMERR and is skipped; the stream stays in step, however it is cut."""
import time

import pytest
import wire
from dnsclient import Client
from figures import Since
from process import wait_for
from proxy import Proxy

MAX = 600


@pytest.fixture(scope="module", name="proxy")
def _proxy(pki, module_path, hostile):
    with Proxy(module_path, pki, [hostile.port], {"clients": {"max_query_size": MAX}}) as proxy:
        yield proxy


def long_one(number, size):
    """Of exactly that size: a good query, and zeros behind it."""
    query = wire.query("long.test", number=number)
    return query + bytes(size - len(query))


def padded(number, size):
    """A good query of exactly that size (RFC 7830)."""
    def of(fill):
        return wire.query("padded.test", number=number, additional=[wire.opt(wire.option(12, bytes(fill)))])

    return of(size - len(of(0)))


def rcodes_of(client, count):
    replies = [client.receive() for _ in range(count)]
    return {wire.number_of(reply): wire.rcode_of(reply) for reply in replies}


def test_as_long_as_allowed_is_fine_and_a_byte_more_is_not(proxy):
    since = Since(proxy)
    with Client(proxy.port) as client:
        client.send(padded(1, MAX), padded(2, MAX + 1), wire.query("behind.test", number=3))
        assert rcodes_of(client, 3) == {1: wire.NOERROR, 2: wire.FORMERR, 3: wire.NOERROR}
    assert since.sum("invalid_queries_total", reason="too_long") == 1


@pytest.mark.parametrize("size", [MAX + 1, MAX + 2, 2 * MAX, 4096, 65534, 65535])
def test_what_comes_behind_is_answered(proxy, size):
    with Client(proxy.port) as client:
        client.send(wire.query("before.test", number=1), long_one(2, size), wire.query("behind.test", number=3))
        assert rcodes_of(client, 3) == {1: wire.NOERROR, 2: wire.FORMERR, 3: wire.NOERROR}


def test_its_error_is_given_before_it_has_come_whole(proxy):
    message = wire.frame(long_one(1, 5000))
    with Client(proxy.port) as client:
        client.send_raw(message[:MAX + 2])
        assert wire.rcode_of(client.receive()) == wire.FORMERR
        client.send_raw(message[MAX + 2:] + wire.frame(wire.query("behind.test", number=2)))
        assert rcodes_of(client, 1) == {2: wire.NOERROR}


def test_many_in_a_row(proxy):
    messages = [long_one(i, MAX + 1 + 37 * i) if i % 3 else wire.query("between.test", number=i) for i in range(60)]
    with Client(proxy.port) as client:
        client.send(*messages)
        assert rcodes_of(client, 60) == {i: wire.FORMERR if i % 3 else wire.NOERROR for i in range(60)}


def test_cut_into_segments_at_every_place_that_matters(proxy):
    size = MAX + 50
    stream = wire.frame(long_one(1, size)) + wire.frame(wire.query("behind.test", number=2))
    cuts = [1, 2, 3, 12, MAX, MAX + 1, MAX + 2, MAX + 3, size, size + 1, size + 2, size + 3, size + 4]
    for cut in cuts:
        with Client(proxy.port) as client:
            client.send_raw(stream[:cut])
            time.sleep(0.005)  # so that the rest is a segment of its own
            client.send_raw(stream[cut:])
            assert rcodes_of(client, 2) == {1: wire.FORMERR, 2: wire.NOERROR}, f"cut at {cut}"


def test_behind_questions_that_fill_the_bound_in_flight(tmp_path, pki, hostile):
    """It waits its turn like any other message."""
    config = {"clients": {"max_query_size": MAX, "max_in_flight": 5}}
    with Proxy(tmp_path, pki, [hostile.port], config) as proxy, Client(proxy.port) as client:
        client.send(*(wire.query(f"slow-300ms-long{i}.test", number=i) for i in range(5)), long_one(100, 30000),
                    wire.query("behind.test", number=101))
        assert rcodes_of(client, 7) == {**{i: wire.NOERROR for i in range(5)}, 100: wire.FORMERR, 101: wire.NOERROR}


def test_a_response_that_is_too_long_closes(proxy):
    since = Since(proxy)
    with Client(proxy.port) as client:
        client.send(wire.query("response.test", flags=wire.QR) + bytes(5000))
        assert client.is_closed_by_peer()
    wait_for(lambda: since.sum("client_connections_closed_total", cause="protocol") == 1, "closed for it")


def test_one_who_leaves_in_the_midst_of_it_leaves_nothing(proxy):
    before = proxy.descriptors()
    for _ in range(20):
        with Client(proxy.port) as client:
            client.send_raw(wire.frame(long_one(1, 20000))[:1000])
            assert wire.rcode_of(client.receive()) == wire.FORMERR
    proxy.wait_descriptors(before)
