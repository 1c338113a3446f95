"""How long a connection may do nothing, take for a message, or leave its answers unread. Short times of the
configuration; what is asserted are orders and wide margins.
"""
import contextlib
import time

import pytest
import wire
from dnsclient import Client, ask
from figures import Since
from flood import flood_trickle
from process import wait_for
from proxy import Proxy

WHOLE = wire.frame(wire.query("whole.test"))


@pytest.fixture(scope="module", name="proxy")
def _proxy(pki, module_path, hostile):
    clients = {"first_timeout": "300ms", "idle_timeout": "600ms", "read_timeout": "400ms", "max_query_size": 512}
    with Proxy(module_path, pki, [hostile.port], {"clients": clients}) as proxy:
        ask(proxy.port, "whole.test")
        yield proxy


def seconds_until_closed(client, at_most=6.0):
    begin = time.monotonic()
    client.socket.settimeout(at_most)
    assert client.is_closed_by_peer()
    return time.monotonic() - begin


def closed(proxy, since, cause):
    wait_for(lambda: since.sum("client_connections_closed_total", cause=cause) == 1, f"one closed for {cause}")


def test_who_never_says_a_byte_is_closed_after_first_timeout(proxy):
    """The kernel keeps such a connection to itself for a second or two before it shows it to the program."""
    since = Since(proxy)
    with Client(proxy.port) as client:
        assert 0.2 < seconds_until_closed(client) < 4.5
    closed(proxy, since, "idle_timeout")


def test_who_asks_no_more_is_closed_after_idle_timeout(proxy):
    since = Since(proxy)
    with Client(proxy.port) as client:
        client.ask(wire.query("whole.test"))
        assert 0.5 < seconds_until_closed(client) < 3
    closed(proxy, since, "idle_timeout")


def test_each_question_begins_the_idle_time_anew(proxy):
    with Client(proxy.port) as client:
        for _ in range(4):
            client.ask(wire.query("whole.test"))
            time.sleep(0.25)  # less than half of the idle time; 1 s in all
        assert 0.2 < seconds_until_closed(client) < 3


def test_who_waits_for_an_answer_is_not_idle(proxy):
    with Client(proxy.port) as client:
        assert wire.rcode_of(client.ask(wire.query("slow-1000ms-idle.test"))) == wire.NOERROR
        assert 0.5 < seconds_until_closed(client) < 3, "and idle from then on"


def test_a_message_begun_is_to_end_in_time(proxy):
    since = Since(proxy)
    with Client(proxy.port) as client:
        client.send_raw(WHOLE[:-1])
        assert 0.3 < seconds_until_closed(client) < 3
    closed(proxy, since, "read_timeout")


def drip(client, data, pause):
    """Byte by byte until the peer closes; the seconds that took."""
    begin = time.monotonic()
    with contextlib.suppress(ConnectionError):
        for byte in data:
            client.send_raw(bytes([byte]))
            time.sleep(pause)
    return time.monotonic() - begin


def test_its_bytes_do_not_prolong_the_time(proxy):
    with Client(proxy.port) as client:
        assert drip(client, WHOLE[:-1], 0.2) < 3, "not the six seconds its bytes take"


def test_nor_do_those_of_a_message_that_is_too_long_and_skipped(proxy):
    with Client(proxy.port) as client:
        message = wire.frame(wire.query("too-long.test") + bytes(3000))
        client.send_raw(message[:600])
        assert wire.rcode_of(client.receive()) == wire.FORMERR
        assert drip(client, message[600:620], 0.2) < 3, "not the four seconds its bytes take"


def test_a_slow_message_that_ends_in_time_is_answered(proxy):
    with Client(proxy.port) as client:
        assert drip(client, WHOLE, 0.005) < 1
        assert wire.rcode_of(client.receive()) == wire.NOERROR


def test_each_message_has_its_own_time(proxy):
    with Client(proxy.port) as client:
        for _ in range(3):
            drip(client, WHOLE, 0.006)  # all three take longer than one may
            time.sleep(0.1)
            assert wire.rcode_of(client.receive()) == wire.NOERROR


def test_a_second_message_begun_behind_a_whole_one_is_timed_too(proxy):
    with Client(proxy.port) as client:
        client.send_raw(WHOLE + WHOLE[:5])
        assert wire.rcode_of(client.receive()) == wire.NOERROR
        assert 0.3 < seconds_until_closed(client) < 3


def test_half_a_length_is_a_message_begun(proxy):
    since = Since(proxy)
    with Client(proxy.port) as client:
        client.send_raw(b"\0")
        assert seconds_until_closed(client) < 3
    closed(proxy, since, "read_timeout")


def test_a_hundred_that_drip_are_all_closed(proxy):
    since = Since(proxy)
    with flood_trickle(proxy.port, connections=100, interval_ms=100) as flood:
        wait_for(lambda: since.sum("client_connections_closed_total", cause="read_timeout") == 100, "all closed")
    assert flood.report["answered"] == 0, flood.report


def test_near_the_bound_of_connections_idle_ones_go_earlier(tmp_path, pki, hostile):
    """Above four fifths of it: after a quarter of the time, until there is room again."""
    config = {"clients": {"max_connections": 50, "idle_timeout": "4s"}}
    with Proxy(tmp_path, pki, [hostile.port], config) as proxy, contextlib.ExitStack() as stack:
        def enter(count):
            for _ in range(count):
                client = stack.enter_context(Client(proxy.port))
                client.ask(wire.query("whole.test"))

        def closed_idle():
            return since.sum("client_connections_closed_total", cause="idle_timeout")

        since = Since(proxy)
        enter(30)
        time.sleep(1.1)
        assert closed_idle() == 0, "there is room enough"
        enter(18)
        wait_for(lambda: closed_idle() > 0, "a quarter of the time is over", 2)
        assert since.sum("client_connections") >= 18, "not those who came just now"
