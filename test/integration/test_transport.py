"""DNS over TCP as clients really speak it: pipelined, out of order, byte by byte, with long-lived connections (RFC
7766, 7828).
"""
import socket
import struct
import subprocess
import time

import pytest
import wire
from dnsclient import Client, ask
from dot_servers import kdig
from process import free_port
from proxy import Proxy


def test_the_fast_answer_does_not_wait_for_the_slow_one(proxy):
    with Client(proxy.port) as client:
        client.send(wire.query("slow-400ms-t1.test", number=1), wire.query("quick-t1.test", number=2))
        assert wire.number_of(client.receive()) == 2
        assert wire.number_of(client.receive()) == 1


def test_many_slow_ones_take_as_long_as_one(proxy):
    begin = time.monotonic()
    with Client(proxy.port) as client:
        client.send(*(wire.query(f"slow-300ms-t2n{i}.test", number=i) for i in range(50)))
        assert {wire.number_of(client.receive()) for _ in range(50)} == set(range(50))
    assert time.monotonic() - begin < 50 * 0.3 / 2  # one after the other would be 15 s


def test_a_query_that_comes_byte_by_byte_is_answered(proxy):
    with Client(proxy.port) as client:
        for byte in wire.frame(wire.query("bytes-t3.test", number=3)):
            client.send_raw(bytes([byte]))
            time.sleep(0.005)  # so that each is a segment of its own
        assert wire.number_of(client.receive()) == 3


def test_a_frame_split_at_every_place_is_answered(proxy):
    data = wire.frame(wire.query("split-t4.test", number=4))
    with Client(proxy.port) as client:
        for cut in range(1, len(data)):
            client.send_raw(data[:cut])
            time.sleep(0.001)
            client.send_raw(data[cut:] + data)  # a whole one in the segment that ends another
            assert [wire.number_of(client.receive()) for _ in range(2)] == [4, 4]


def test_a_hundred_queries_in_one_segment_are_answered(proxy):
    with Client(proxy.port) as client:
        client.send(*(wire.query(f"hundred-{i}.test", number=i) for i in range(100)))
        answers = [client.receive() for _ in range(100)]
    assert {wire.number_of(answer) for answer in answers} == set(range(100))
    for answer in answers:
        assert wire.name_from_wire(answer) == f"hundred-{wire.number_of(answer)}.test"


def test_more_than_may_be_in_flight_are_answered_too(proxy):
    """The bound (100 by default) stops reading, not answering."""
    with Client(proxy.port) as client:
        client.send(*(wire.query(f"slow-50ms-t5n{i}.test", number=i) for i in range(400)))
        assert {wire.number_of(client.receive()) for _ in range(400)} == set(range(400))


def test_the_same_id_twice_gets_two_answers(proxy):
    with Client(proxy.port) as client:
        client.send(wire.query("slow-100ms-t6.test", number=6), wire.query("other-t6.test", number=6))
        assert {wire.name_from_wire(client.receive()) for _ in range(2)} == {"slow-100ms-t6.test", "other-t6.test"}


def test_identical_questions_in_flight_go_upstream_once_and_all_are_answered(tmp_path, pki, hostile):
    # no hedging: a second ask of a slow question is another subject
    with Proxy(tmp_path, pki, [hostile.port], {"upstream": {"hedge": 0}}) as proxy, Client(proxy.port) as client:
        client.ask(wire.query("before.test"))  # an upstream that was never heard is given less time
        client.send(*(wire.query("slow-200ms-merged.test", number=i) for i in range(50)))
        assert {wire.number_of(client.receive()) for _ in range(50)} == set(range(50))
    assert hostile.queries(containing="merged") == {"slow-200ms-merged.test": 1}


def test_an_answer_of_four_kilobytes_comes_whole(proxy):
    answer = ask(proxy.port, "big-t7.test", "TXT")
    assert len(answer) > 4096 and wire.rcode_of(answer) == wire.NOERROR


def test_a_client_that_has_no_more_to_say_still_gets_its_answers(proxy):
    """shutdown(SHUT_WR) behind the queries, as netcat does."""
    with Client(proxy.port) as client:
        client.send(wire.query("slow-200ms-t8.test", number=1), wire.query("quick-t8.test", number=2))
        client.half_close()
        assert {wire.number_of(client.receive()) for _ in range(2)} == {1, 2}
        assert client.receive() is None, "the connection is closed behind the last answer"


def test_a_client_that_leaves_does_not_hurt_those_who_ask_the_same(proxy):
    with Client(proxy.port) as staying, Client(proxy.port) as leaving:
        leaving.send(wire.query("slow-300ms-t9.test", number=1))
        staying.send(wire.query("slow-300ms-t9.test", number=2))
        leaving.close()
        assert wire.number_of(staying.receive()) == 2


def test_a_client_that_leaves_by_reset_leaves_the_others_alone(proxy):
    with Client(proxy.port) as staying:
        for i in range(20):
            leaving = Client(proxy.port)
            leaving.send(*(wire.query(f"slow-100ms-t10n{i}x{j}.test", number=j) for j in range(10)))
            leaving.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            leaving.close()
        assert wire.rcode_of(staying.ask(wire.query("staying-t10.test"))) == wire.NOERROR


def test_keepalive_is_given_where_it_is_asked_for(proxy):
    asking = ask(proxy.port, "keepalive.test", additional=[wire.opt(wire.option(wire.OPTION_KEEPALIVE))])
    value = wire.opt_of(asking)[2][wire.OPTION_KEEPALIVE]
    assert struct.unpack("!H", value)[0] == 300, "30 s in units of 100 ms"
    silent = ask(proxy.port, "keepalive.test", additional=[wire.opt()])
    assert wire.OPTION_KEEPALIVE not in wire.opt_of(silent)[2]


def test_options_are_for_one_hop(proxy, hostile):
    subnet = wire.option(8, b"\0\1\x18\0\xc6\x33\x64")
    answer = ask(proxy.port, "options.test", additional=[wire.opt(subnet + wire.option(10, b"cookie!!"))])
    options = wire.opt_of(answer)[2]
    assert set(options) <= {10, wire.OPTION_PADDING}
    assert options[10].startswith(b"cookie!!") and len(options[10]) == 24, "the proxy's own server cookie (RFC 9018)"
    sent = bytes.fromhex(hostile.last())
    assert wire.name_from_wire(sent) == "options.test"
    assert set(wire.opt_of(sent)[2]) == {wire.OPTION_PADDING}
    assert len(sent) % 128 == 0


def test_kdig_asks_over_tcp(proxy):
    assert kdig("@127.0.0.1", "-p", proxy.port, "+tcp", "+short", "kdig.test", "A").split() == ["192.0.2.1"]


def test_kdig_keeps_its_connection(proxy):
    names = [f"kdig-{i}.test" for i in range(5)]
    out = kdig("@127.0.0.1", "-p", proxy.port, "+tcp", "+keepopen", *names)
    assert out.count("status: NOERROR") == 5


def test_dig_keeps_its_connection(proxy):
    names = [part for i in range(5) for part in (f"dig-{i}.test", "A")]
    out = subprocess.run(["dig", "@127.0.0.1", "-p", str(proxy.port), "+tcp", "+keepopen", "+tries=1", *names],
                         check=True, capture_output=True, text=True, timeout=30).stdout
    assert out.count("status: NOERROR") == 5


def has_ipv6():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
        return True
    except OSError:
        return False


@pytest.mark.skipif(not has_ipv6(), reason="no IPv6 on loopback")
def test_listens_on_several_addresses_of_both_families(tmp_path, pki, hostile):
    first, second = free_port(), free_port()
    listen = [f"127.0.0.1:{first}", f"[::1]:{second}", f"127.0.0.2:{second}"]
    with Proxy(tmp_path, pki, [hostile.port], {"listen": listen}):
        assert wire.rcode_of(ask(first, "v4.test")) == wire.NOERROR
        assert wire.rcode_of(ask(second, "v6.test", host="::1")) == wire.NOERROR
        assert wire.rcode_of(ask(second, "v4too.test", host="127.0.0.2")) == wire.NOERROR
