"""UDP: answers, sizes, what gets no answer, and the addresses that replies leave from."""
import signal
import socket
import struct

import pytest
import wire
from dnsclient import Client, ask
from figures import Figures, Since
from namespace import is_possible, namespace
from process import wait_for
from proxy import Proxy
from udpclient import UdpClient, ask_udp, cookie_of, with_cookie


def dropped(since, reason):
    return since.sum("udp_dropped_datagrams_total", reason=reason)


def test_a_question_is_answered_from_upstream_and_from_the_cache(proxy):
    since = Since(proxy)
    for _ in range(2):
        response = ask_udp(proxy.port, "first.test", number=7)
        assert wire.number_of(response) == 7 and wire.rcode_of(response) == wire.NOERROR
        assert response[12:].startswith(wire.name_to_wire("first.test"))
    assert since.sum("queries_total", transport="udp") == since.sum("responses_total", transport="udp") == 2
    assert since.sum("queries_total", transport="tcp") == 0
    assert since.sum("request_duration_seconds_count", transport="udp", source="cache") == 1
    assert since.sum("request_duration_seconds_count", transport="udp", source="upstream") == 1


def test_many_questions_in_flight_are_each_answered_once(proxy):
    with UdpClient(proxy.port) as client:
        client.send(*(wire.query(f"slow-200ms-{i}.test", number=i) for i in range(150)))
        numbers = sorted(wire.number_of(client.receive()) for _ in range(150))
        assert numbers == list(range(150))
        assert client.is_silent()


def test_questions_of_one_socket_at_once_get_their_own_answers(proxy):
    """Of equal and of different sizes, from the cache and from upstream; the kernel is given many in one message."""
    questions = [(f"at-once-{i}.test", qtype) for i in range(12) for qtype in ("A", "AAAA")]
    questions += [(f"big-{size}-at-once-{i}.test", "TXT") for i in range(2) for size in (256, 1024, 256, 1024)]
    queries = [wire.query(name, qtype, number=number, additional=[wire.opt()])
               for number, (name, qtype) in enumerate(questions)]
    for _ in range(3):
        with UdpClient(proxy.port) as client:
            client.send(*queries)
            responses = {wire.number_of(response): response for response in client.received()}
        assert sorted(responses) == list(range(len(queries)))
        for number, (name, qtype) in enumerate(questions):
            alone = ask(proxy.port, name, qtype, number=number, additional=[wire.opt()])
            assert wire.rcode_of(alone) == wire.NOERROR
            assert wire.content(responses[number]) == wire.content(alone), (name, qtype)


def test_a_response_is_as_large_as_the_client_takes(proxy):
    whole = ask(proxy.port, "big-1024.test", "TXT", additional=[wire.opt()])
    assert 1000 < len(whole) < 1232
    for payload, is_whole in ((0, False), (1, False), (511, False), (512, False), (len(whole) - 1, False),
                              (len(whole), True), (len(whole) + 1, True), (65535, True)):
        response = ask_udp(proxy.port, "big-1024.test", "TXT", additional=[wire.opt(payload=payload)])
        assert bool(wire.flags_of(response) & wire.TC) != is_whole, payload
        if is_whole:
            assert wire.without_hop(response)[4:] == wire.without_hop(whole)[4:]
        else:
            assert len(response) == wire.question_end(response) + 11, "the question and OPT alone"
            assert struct.unpack_from("!4H", response, 4) == (1, 0, 0, 1)
    assert wire.flags_of(ask_udp(proxy.port, "big-1024.test", "TXT")) & wire.TC, "512 bytes without EDNS"
    for payload in (0, 1, 511):  # count as 512
        assert len(ask_udp(proxy.port, "big-256.test", "TXT", additional=[wire.opt(payload=payload)])) > 256


def test_a_response_is_never_larger_than_configured(proxy):
    since = Since(proxy)
    response = ask_udp(proxy.port, "big-3328.test", "TXT", additional=[wire.opt(payload=4096)])
    assert wire.flags_of(response) & wire.TC and len(response) < 100
    assert since.sum("truncated_responses_total") == 1
    assert len(ask(proxy.port, "big-3328.test", "TXT")) > 3000


@pytest.mark.parametrize("message", [
    b"", b"x", bytes(11), wire.query("a.test", flags=wire.QR | wire.RD), wire.query("a.test", flags=wire.QR)[:12],
], ids=["empty", "one byte", "11 bytes", "response", "header of a response"])
def test_what_is_no_query_gets_no_answer(proxy, message):
    since = Since(proxy)
    with UdpClient(proxy.port) as client:
        client.send(message)
        assert wire.rcode_of(client.ask(wire.query("after.test", number=9))) == wire.NOERROR
        assert client.is_silent(0.1)
    assert dropped(since, "not_a_query") == 1


@pytest.mark.parametrize("message,rcode", [
    (bytes(12), wire.FORMERR),
    (wire.query("a.test")[:-1], wire.FORMERR),
    (wire.query("a.test") + b"x", wire.FORMERR),
    (wire.query("a.test", flags=0x2000), wire.NOTIMP),
    (wire.query("a.test", additional=[wire.opt(version=1)]), wire.BADVERS),
    (wire.query("a.test", "AXFR"), wire.REFUSED),
    (wire.query("a.test", qclass=3), wire.REFUSED),
], ids=["header", "cut", "trailing", "opcode", "EDNS version", "AXFR", "class"])
def test_a_malformed_query_gets_the_same_error_as_over_tcp(proxy, message, rcode):
    with UdpClient(proxy.port) as client:
        response = client.ask(message)
    assert wire.flags_of(response) & 15 == rcode & 15 and len(response) <= len(message) + 6


NSID, CLIENT_SUBNET, UNKNOWN = 3, 8, 65001
TSIG = b"\3key\0" + struct.pack("!HHIH", 250, 255, 0, 61 - 5) + b"\x0bhmac-sha256\0" + bytes(43)

#: Questions of every odd kind; each gets over UDP what it gets over TCP.
ODD = {
    "no question": b"\0\1\1\0" + bytes(8),
    "two questions": b"\0\1\1\0\0\2" + bytes(6) + 2 * (wire.name_to_wire("a.test") + b"\0\1\0\1"),
    "a question that is counted only": b"\0\1\1\0\0\1" + bytes(6),
    "an answer that is counted only": wire.query("a.test")[:6] + b"\0\1" + wire.query("a.test")[8:],
    "a label of 64": b"\0\1\1\0\0\1" + bytes(6) + b"\x40" + b"a" * 64 + b"\0\0\1\0\1",
    "a name of 256": b"\0\1\1\0\0\1" + bytes(6) + 4 * (b"\x3f" + b"a" * 63) + b"\0\0\1\0\1",
    "a pointer": b"\0\1\1\0\0\1" + bytes(6) + b"\xc0\x0c\0\1\0\1",
    **{f"opcode {opcode}": wire.query("a.test", flags=opcode << 11) for opcode in range(1, 16)},
    "TC, AA, RA, Z and an rcode": wire.query("a.test", flags=wire.RD | wire.TC | 0x0400 | 0x00C0 | 5),
    "two OPT": wire.query("a.test", additional=[wire.opt(), wire.opt()]),
    "OPT with an owner": wire.query("a.test", additional=[b"\1x" + wire.opt()]),
    "OPT that is cut": wire.query("a.test", additional=[wire.opt(wire.option(NSID, b"abc"))])[:-1],
    "an option behind its end": wire.query("a.test", additional=[wire.opt(struct.pack("!HH", NSID, 9) + b"abc")]),
    "DO": wire.query("a.test", additional=[wire.opt(flags=wire.DO)]),
    "CD and AD": wire.query("a.test", flags=wire.RD | wire.CD | wire.AD),
    "NSID": wire.query("a.test", additional=[wire.opt(wire.option(NSID))]),
    "several options": wire.query("a.test", additional=[wire.opt(
        wire.option(NSID) + wire.option(CLIENT_SUBNET, b"\0\1\x18\0\xc0\0\2") + wire.option(UNKNOWN, bytes(20)) +
        wire.option(wire.OPTION_PADDING, bytes(30)))]),
    **{f"EDNS version {version}": wire.query("a.test", additional=[wire.opt(version=version)]) for version in (1, 255)},
    **{f"type {name}": wire.query("a.test", name, additional=[wire.opt()])
       for name in ("ANY", "AXFR", "IXFR", "OPT", 250, 249, 253, 254, 0, 65535)},
    **{f"class {number}": wire.query("a.test", qclass=number) for number in (0, 2, 3, 4, 254, 255)},
    "TSIG": wire.query("a.test", additional=[TSIG]),
    "without RD": wire.query("a.test", flags=0),
    "the root": wire.query("", "NS"),
}


@pytest.mark.parametrize("kind", ODD)
def test_odd_questions_get_the_same_over_udp_and_tcp(proxy, kind):
    with UdpClient(proxy.port) as client, Client(proxy.port) as stream:
        for _ in range(2):
            over_tcp, over_udp = stream.ask(ODD[kind]), client.ask(ODD[kind])
        assert wire.content(over_udp) == wire.content(over_tcp)
        assert wire.rcode_of(client.ask(wire.query("after.test"))) == wire.NOERROR
        assert client.is_silent(0.05), "one answer for each"


def test_a_datagram_of_64_kb_gets_formerr(proxy):
    since = Since(proxy)
    with UdpClient(proxy.port) as client:
        response = client.ask(wire.query("a.test") + bytes(65000))
        assert wire.rcode_of(response) == wire.FORMERR and len(response) < 100
    assert since.sum("invalid_queries_total", reason="too_long") == 1


@pytest.mark.skipif(not is_possible(), reason="needs root, for a network namespace")
def test_addresses_and_ports(pki, module_path, hostile):
    """From the address that was asked; not to ports that answer whatever they get; not to whom it is not allowed."""
    import hostile as upstreams
    with namespace("192.0.2.1/32", "192.0.2.2/32", "203.0.113.9/32", "2001:db8::1/128", "2001:db8::2/128"):
        with upstreams.start_hostile(pki) as upstream:
            config = {"listen": ["0.0.0.0:53", "[::]:53"], "access": {"allow": ["127.0.0.0/8", "192.0.2.0/24",
                      "2001:db8::/32", "::1/128"]}, "workers": 2}
            with Proxy(module_path, pki, [upstream.port], config, name="wildcard") as proxy:
                since = Since(proxy)
                for host in ("127.0.0.1", "192.0.2.1", "192.0.2.2", "::1", "2001:db8::1", "2001:db8::2"):
                    for _ in range(4):  # both workers
                        assert wire.rcode_of(ask_udp(53, "a.test", host=host)) == wire.NOERROR, host
                for port in (7, 13, 19, 37):
                    with UdpClient(53, source=("127.0.0.1", port)) as client:
                        client.send(wire.query("a.test"))
                        assert client.is_silent(0.1), port
                assert wire.rcode_of(ask_udp(53, "a.test", source=("127.0.0.1", 53 + 123))) == wire.NOERROR
                assert dropped(since, "source_port") == 4
                with UdpClient(53, source=("203.0.113.9", 0)) as client:
                    client.send(wire.query("a.test"))
                    assert client.is_silent(0.1)
                assert dropped(since, "access") == since.sum("access_denied_total") == 1


def test_it_can_be_switched_off_and_on_by_a_reload(pki, module_path, hostile):
    with Proxy(module_path, pki, [hostile.port], {"udp": {"enabled": False}}, name="off") as proxy:
        def is_open():
            with UdpClient(proxy.port, timeout=0.2) as client:
                try:
                    return wire.rcode_of(client.ask(wire.query("a.test"))) == wire.NOERROR
                except (ConnectionRefusedError, socket.timeout):
                    return False

        assert not is_open() and wire.rcode_of(ask(proxy.port, "a.test")) == wire.NOERROR
        for enabled in (True, False):
            proxy.write_config({"udp": {"enabled": enabled}})
            proxy.child.send_signal(signal.SIGHUP)
            wait_for(lambda wanted=enabled: is_open() == wanted, f"UDP is {enabled}")


def test_a_reload_changes_sizes_and_cookies(pki, module_path, hostile):
    with Proxy(module_path, pki, [hostile.port], name="sizes") as proxy:
        def reload(**udp):
            before = len(proxy.log())
            proxy.write_config({"udp": udp})
            proxy.child.send_signal(signal.SIGHUP)
            proxy.wait_log("configuration reloaded", since=before)

        def is_cut():
            response = ask_udp(proxy.port, "big-768.test", "TXT", additional=[wire.opt()])
            return bool(wire.flags_of(response) & wire.TC)

        def has_cookie():
            return cookie_of(ask_udp(proxy.port, "a.test", additional=with_cookie(bytes(8)))) is not None

        assert not is_cut() and has_cookie()
        reload(max_size=512, cookies=False)
        wait_for(lambda: is_cut() and not has_cookie(), "smaller, and without")
        reload(max_size=1400, cookies=True)
        wait_for(lambda: not is_cut() and has_cookie(), "larger, and with")


@pytest.mark.skipif(not is_possible(), reason="needs root, for a socket that says each byte")
def test_a_datagram_from_port_0_gets_no_answer(proxy):
    since = Since(proxy)
    query = wire.query("a.test")
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP) as raw:
        raw.sendto(struct.pack("!4H", 0, proxy.port, 8 + len(query), 0) + query, ("127.0.0.1", 0))
    wait_for(lambda: dropped(since, "source_port") == 1, "it is counted")
    assert since.sum("queries_total", transport="udp") == 0


def test_figures_of_udp_add_up(proxy):
    figures = Figures(proxy)
    assert figures.sum("udp_received_bytes_total", source="private") > 0
    assert figures.sum("udp_sent_bytes_total", source="private") > 0
    assert figures.sum("udp_sent_bytes_total", source="foreign") == 0
    assert figures.sum("udp_kernel_drops_total") == 0
