"""Bounds on connections and on what one connection may have going: who is over them is told so or waits; who is within
them does not notice.
"""
import contextlib
import time

import pytest
import wire
from cost import cost_of
from dnsclient import Client, ask
from figures import Since
from process import wait_for
from proxy import Proxy


@contextlib.contextmanager
def used(proxy, count, source="127.0.0.1"):
    """So many clients that asked once and stay."""
    with contextlib.ExitStack() as stack:
        clients = []
        for number in range(count):
            client = stack.enter_context(Client(proxy.port, source=(source, 0)))
            assert wire.rcode_of(client.ask(wire.query("used.test", number=number))) == wire.NOERROR
            clients.append(client)
        yield clients


def is_served(client, name="served.test"):
    client.send(wire.query(name))
    answer = client.receive()
    return answer is not None and wire.rcode_of(answer) == wire.NOERROR


def served_of(clients):
    count = 0
    for client in clients:
        with contextlib.suppress(OSError):
            count += is_served(client)
    return count


# --- an address


def test_an_address_has_so_many_connections_and_no_more(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port], {"clients": {"max_per_address": 5}}) as proxy:
        since = Since(proxy)
        with used(proxy, 5, "127.0.0.2") as clients:
            for _ in range(3):
                with Client(proxy.port, source=("127.0.0.2", 0)) as sixth:
                    sixth.send(wire.query("sixth.test"))  # the kernel holds back who says nothing at all
                    assert sixth.is_closed_by_peer()
            assert since.sum("client_connections_rejected_total", reason="max_per_address") == 3
            assert wire.rcode_of(ask(proxy.port, "other-address.test")) == wire.NOERROR
            assert served_of(clients) == 5
            clients[0].close()

            def fits():
                with Client(proxy.port, source=("127.0.0.2", 0)) as client:
                    with contextlib.suppress(OSError):
                        return is_served(client)

            wait_for(fits, "the place of one who left is free")


def test_an_address_opens_so_many_a_second_and_no_more(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port], {"clients": {"new_per_second": 10}}) as proxy:
        since = Since(proxy)
        served, begin = 0, time.monotonic()
        for _ in range(60):
            with Client(proxy.port, source=("127.0.0.2", 0)) as client, contextlib.suppress(OSError):
                served += is_served(client)
        assert 20 <= served <= 20 + int((time.monotonic() - begin) * 10) + 1
        assert since.sum("client_connections_rejected_total", reason="rate") == 60 - served
        assert wire.rcode_of(ask(proxy.port, "other-address.test")) == wire.NOERROR


# --- all together


def full(changes=None, **others):
    return {"clients": {"max_connections": 200, "max_per_address": 1000, **(changes or {})}, **others}


def test_as_many_as_allowed_all_stay(tmp_path, pki, hostile):
    """The last place may be taken, and costs nobody his."""
    with Proxy(tmp_path, pki, [hostile.port], full()) as proxy, used(proxy, 199) as clients:
        clients.append(Client(proxy.port))
        assert is_served(clients[-1])
        time.sleep(0.2)  # several pauses of the acceptor
        assert served_of(clients) == 200
        clients[-1].close()


def test_where_all_places_are_taken_the_idlest_gives_way(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port], full()) as proxy, used(proxy, 199) as clients:
        since = Since(proxy)
        assert served_of(clients[:50]) == 50  # idle no longer than the last
        with Client(proxy.port, timeout=2) as last, Client(proxy.port, timeout=2) as newcomer:
            assert is_served(last) and is_served(newcomer), "a newcomer is let in"
            shed = since.sum("client_connections_closed_total", cause="pressure")
            assert shed >= 1
            assert served_of(clients[:50]) == 50, "who was not idle keeps his place"
            print(f"{shed:.0f} of 200 closed for one newcomer")


def test_few_are_closed_for_one_newcomer_where_places_are_few(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port], full({"max_connections": 20})) as proxy:
        since = Since(proxy)
        with used(proxy, 19) as clients:
            clients.append(Client(proxy.port))
            clients[-1].send(wire.query("last.test"))
            with Client(proxy.port, timeout=2) as newcomer:
                assert is_served(newcomer)
            clients[-1].close()
            shed = since.sum("client_connections_closed_total", cause="pressure")
            assert 1 <= shed <= 10, "half of the others at the very most"


def test_who_waits_for_an_answer_is_not_closed_for_a_newcomer(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port], full()) as proxy, used(proxy, 150):
        with contextlib.ExitStack() as stack:
            waiting = [stack.enter_context(Client(proxy.port)) for _ in range(50)]
            for number, client in enumerate(waiting):
                client.send(wire.query(f"slow-800ms-kept{number}.test"))
            wait_for(lambda: len(hostile.queries(containing="kept")) == 50, "their questions are upstream")
            for _ in range(20):
                with Client(proxy.port, timeout=2) as newcomer:
                    assert is_served(newcomer)
            assert all(wire.rcode_of(client.receive()) == wire.NOERROR for client in waiting)


def test_where_nobody_can_give_way_newcomers_wait_and_nothing_spins(tmp_path, pki, hostile):
    # What waiting costs is measured: few handshakes with an upstream that seems silent are to be in it.
    config = {**full({"max_connections": 50}), "upstream": {"max_sessions": 1, "hedge": 0}}
    with Proxy(tmp_path, pki, [hostile.port], config) as proxy:
        ask(proxy.port, "served.test")
        with contextlib.ExitStack() as stack:
            busy = [stack.enter_context(Client(proxy.port)) for _ in range(50)]
            for number, client in enumerate(busy):
                client.send(wire.query(f"slow-1000ms-busy{number}.test", additional=[wire.opt()]))
            wait_for(lambda: len(hostile.queries(containing="busy")) == 50, "their questions are upstream")
            with cost_of(proxy, "a newcomer waits") as cost, Client(proxy.port) as newcomer:
                begin = time.monotonic()
                assert is_served(newcomer), "as soon as there is a place"
            assert time.monotonic() - begin < 2.5
            assert cost.switches < cost.seconds * 1000 and cost.cpu < cost.seconds / 10, "it pauses"
            answers = [client.receive() for client in busy]
            assert [wire.error_of(answer) for answer in answers if wire.rcode_of(answer) != wire.NOERROR] == []
        line = proxy.wait_log("accepting pauses")
        assert "max_connections" in line
        assert proxy.log().count("accepting pauses") < 5, "said now and then, not every time"


# --- one connection


def test_more_than_may_be_in_flight_wait_unread(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port], {"clients": {"max_in_flight": 10}, "upstream": {"hedge": 0}}) as proxy:
        with Client(proxy.port) as client:
            client.send(*(wire.query(f"slow-150ms-inflight{i}.test", number=i) for i in range(40)))
            wait_for(lambda: len(hostile.queries(containing="inflight")) == 10, "ten are upstream")
            assert {wire.number_of(client.receive()) for _ in range(5)} <= set(range(10))
            assert {wire.number_of(client.receive()) for _ in range(35)} >= set(range(10, 40))
        assert len(hostile.queries(containing="inflight")) == 40


@pytest.mark.parametrize("connections, addresses", [(1, 1), (5, 1), (5, 5)])
def test_a_worker_has_so_many_questions_and_no_more(tmp_path, pki, hostile, connections, addresses):
    config = {"workers": 1, "clients": {"max_queries_in_flight": 20, "max_in_flight": 100}}
    with Proxy(tmp_path, pki, [hostile.port], config) as proxy, contextlib.ExitStack() as stack:
        ask(proxy.port, "cached.test")
        since = Since(proxy)
        answered = {wire.NOERROR: 0, wire.SERVFAIL: 0}
        clients = [stack.enter_context(Client(proxy.port, source=(f"127.0.2.{1 + number % addresses}", 0)))
                   for number in range(connections)]
        each = 60 // connections
        for number, client in enumerate(clients):
            client.send(*(wire.query(f"slow-500ms-over{connections}a{addresses}n{number}x{i}.test", number=i,
                                     additional=[wire.opt()]) for i in range(each)))
        assert wire.rcode_of(ask(proxy.port, "cached.test")) == wire.NOERROR, "what is in the cache is not refused"
        for client in clients:
            for _ in range(each):
                answer = client.receive()
                answered[wire.rcode_of(answer)] += 1
                if wire.rcode_of(answer) == wire.SERVFAIL:
                    assert wire.error_of(answer) is not None, "it says why"
        asked = 15 if addresses == 1 else 20  # the last quarter is for addresses with few on their way
        assert answered == {wire.NOERROR: asked, wire.SERVFAIL: 60 - asked}
        assert since.sum("overloaded_total") == 60 - asked
        assert wire.rcode_of(ask(proxy.port, f"afterwards{connections}a{addresses}.test")) == wire.NOERROR
