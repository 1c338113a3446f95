"""Who is admitted: a prefix is one client for connections as it is for the rate limit; who stops in the middle of a
message gives way to a newcomer; and those who wait for one name that is never answered leave room for others.
"""
import contextlib
import select
import time

import pytest
import wire
from dnsclient import Client, ask
from process import wait_for
from proxy import Proxy

HALF_MESSAGE = b"\x00\x40" + b"x" * 20  # of 64 octets


def opened(proxy, stack, sources):
    return [stack.enter_context(Client(proxy.port, source=(source, 0))) for source in sources]


def is_open(client):
    """The program has not closed it: a question on it is answered."""
    with contextlib.suppress(OSError, EOFError, AssertionError):
        return wire.rcode_of(client.ask(wire.query("open.test"))) == wire.NOERROR
    return False


def is_closed(client):
    """By the program, by now: nothing is to be read but an end."""
    return bool(select.select([client.socket], [], [], 0)[0])


@pytest.mark.parametrize("prefix, sources, stay", [
    (24, [f"127.0.5.{n}" for n in range(1, 8)], 3),
    (24, [f"127.0.{n}.1" for n in range(5, 12)], 7),
    (16, [f"127.0.{n}.1" for n in range(5, 12)], 3),
    (32, [f"127.0.5.{n}" for n in range(1, 8)], 7),
])
def test_connections_are_counted_by_the_prefix_of_the_rate_limit(tmp_path, pki, hostile, prefix, sources, stay):
    config = {"clients": {"max_per_address": 3}, "rate_limit": {"ipv4_prefix": prefix}}
    with Proxy(tmp_path, pki, [hostile.port], config) as proxy, contextlib.ExitStack() as stack:
        clients = opened(proxy, stack, sources)
        assert sum(is_open(client) for client in clients) == stay


def test_who_stops_in_the_middle_of_a_message_gives_way(tmp_path, pki, hostile):
    places = 20
    config = {"workers": 1, "clients": {"max_connections": places, "read_timeout": "1m", "first_timeout": "1m"}}
    with Proxy(tmp_path, pki, [hostile.port], config) as proxy, contextlib.ExitStack() as stack:
        holders = opened(proxy, stack, [f"127.0.6.{n}" for n in range(1, places + 1)])
        for holder in holders:
            holder.socket.sendall(HALF_MESSAGE)
        began = time.monotonic()
        assert wire.rcode_of(ask(proxy.port, "newcomer.test")) == wire.NOERROR
        assert time.monotonic() - began < 20, "long before read_timeout"
        closed = [number for number, holder in enumerate(holders) if is_closed(holder)]
        assert closed and closed == list(range(len(closed))), f"those that came first: {closed}"


def test_those_who_wait_for_one_name_leave_room_for_others(tmp_path, pki, hostile):
    config = {"workers": 1, "clients": {"max_queries_in_flight": 64, "max_connections": 1000},
              "upstream": {"query_timeout": "20s"}}
    with Proxy(tmp_path, pki, [hostile.port], config) as proxy, contextlib.ExitStack() as stack:
        crowd = opened(proxy, stack, [f"127.0.7.{n % 8 + 1}" for n in range(480)])
        for number, client in enumerate(crowd):
            client.send(wire.query("drop-one.test", number=number))
        wait_for(lambda: hostile.queries(containing="drop-one"), "the name is asked")
        with Client(proxy.port, source=("127.0.8.1", 0)) as light:
            for number in range(20):
                answer = light.ask(wire.query(f"slow-20ms-other-{number}.test", number=number))
                assert wire.rcode_of(answer) == wire.NOERROR, number
