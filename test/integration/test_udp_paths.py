"""The paths of datagrams: link-local addresses on several interfaces, wildcards and machines with many addresses,
broadcasts, IPv4 on IPv6 sockets, and interfaces with a small MTU.
"""
import contextlib
import fcntl
import os
import pathlib
import socket
import subprocess

import hostile as upstreams
import pytest
import wire
from dnsclient import Client
from figures import Figures, Since
from namespace import Neighbour, ip, is_possible, namespace
from process import wait_for
from proxy import PROGRAM, Proxy
from udpclient import UdpClient, ask_udp

if not is_possible():
    pytest.skip("needs root, for a network namespace: no path of datagrams was tried", allow_module_level=True)


@contextlib.contextmanager
def started(pki, folder, name, listen, **config):
    """The program in this thread's network, with its upstream."""
    with upstreams.start_hostile(pki) as upstream:
        config = {"listen": ["127.0.0.1:53", *listen], **config}
        with Proxy(folder, pki, [upstream.port], config, name=name) as proxy:
            yield proxy


def is_answered(host, name="a.test", port=53):
    return wire.rcode_of(ask_udp(port, name, host=host)) == wire.NOERROR


def is_answered_over_tcp(host, port=53):
    with Client(port, host) as stream:
        return wire.rcode_of(stream.ask(wire.query("a.test"))) == wire.NOERROR


# ---- link-local addresses ----


def test_a_link_local_address_with_its_interface(pki, module_path):
    with namespace(), Neighbour("dns0") as neighbour:
        neighbour.address("fe80::1/64", "fe80::2/64")
        with started(pki, module_path, "link-local", ["[fe80::1%dns0]:53"]) as proxy:
            with neighbour.within():
                for _ in range(8):  # both workers, from upstream and from the cache
                    assert is_answered("fe80::1%far0")
                assert is_answered_over_tcp("fe80::1%far0")
            assert Figures(proxy).sum("udp_received_bytes_total", source="private") > 0
            printed = subprocess.run([PROGRAM, "--config", proxy.config_path, "--print-config"], capture_output=True,
                                     text=True, check=True).stdout
            assert "[fe80::1%dns0]:53" in printed, "what is printed can be given back"
            # A reload gives it up, and takes it again.
            def is_open():
                with neighbour.within(), UdpClient(53, host="fe80::1%far0", timeout=0.5) as client:
                    try:
                        return wire.rcode_of(client.ask(wire.query("a.test"))) == wire.NOERROR
                    except (ConnectionRefusedError, socket.timeout):
                        return False

            for listen, answers in ((["127.0.0.1:53"], False), (["127.0.0.1:53", "[fe80::1%dns0]:53"], True)):
                proxy.reload({"listen": listen})
                wait_for(lambda wanted=answers: is_open() == wanted, f"it answers: {answers}")


def test_two_interfaces_with_the_same_link_local_address(pki, module_path):
    """The wildcard: each client is answered on its own interface, though both have the same address, too."""
    with namespace(), Neighbour("dns0") as first, Neighbour("dns1") as second:
        for neighbour in (first, second):
            neighbour.address("fe80::1/64", "fe80::2/64")
        with started(pki, module_path, "two-links", ["[::]:53"]) as proxy:
            for neighbour in (first, second):
                with neighbour.within():
                    for i in range(8):
                        assert is_answered("fe80::1%far0", f"two{i}.test")
                    assert is_answered_over_tcp("fe80::1%far0")
            assert Figures(proxy).sum("udp_dropped_datagrams_total") == 0


def test_a_link_local_address_without_its_interface_is_refused(pki, module_path):
    with namespace(), Neighbour("dns0") as neighbour:
        neighbour.address("fe80::1/64", "fe80::2/64")
        for address in ("[fe80::1]:53", "[fe80::1%no-such0]:53"):
            path = module_path / "wrong.yaml"
            path.write_text(f'listen: ["127.0.0.1:53", "{address}"]\nhttp: {{listen: ""}}\n')
            said = subprocess.run([PROGRAM, "--config", path, "--check-config"], capture_output=True, text=True,
                                  check=False)
            assert said.returncode == 1 and "interface" in said.stderr, (address, said.stderr)


# ---- the address that was asked ----


def test_one_interface_with_several_addresses(pki, module_path):
    """Wildcards: a connected client hears only the address that it asked."""
    ours = [f"192.0.2.{i}" for i in range(1, 6)] + [f"2001:db8::{i}" for i in range(1, 6)]
    with namespace(), Neighbour("dns0") as neighbour:
        neighbour.address("192.0.2.1/24", "192.0.2.100/24")
        neighbour.address("2001:db8::1/64", "2001:db8::100/64")
        for address in ours:
            if not address.endswith((".1", "::1")):
                ip("address", "add", f"{address}/{64 if ':' in address else 24}", "dev", "dns0",
                   *(["nodad"] if ":" in address else []))
        config = {"access": {"allow": ["0.0.0.0/0", "::/0"]}, "listen": ["0.0.0.0:53", "[::]:53"]}
        with upstreams.start_hostile(pki) as upstream, Proxy(module_path, pki, [upstream.port], config, name="many"):
            with neighbour.within():
                for address in ours:
                    for _ in range(4):
                        assert len(ask_udp(53, "a.test", host=address)) > 12, address
                    with UdpClient(53, host=address) as client:  # an answer that comes later
                        client.send(wire.query("slow-100ms-many.test", number=9))
                        assert wire.number_of(client.receive()) == 9, address


@pytest.mark.parametrize("host", ["192.0.2.255", "255.255.255.255", "224.0.0.1", "ff02::1%far0"])
def test_a_broadcast_gets_no_answer(pki, module_path, host):
    """It could only come from another address than the one that was asked; and everybody would be made to answer."""
    with namespace(), Neighbour("dns0") as neighbour:
        neighbour.address("192.0.2.1/24", "192.0.2.2/24")
        neighbour.address("fe80::1/64", "fe80::2/64")
        ip("route", "add", "default", "dev", "dns0")
        config = {"access": {"allow": ["0.0.0.0/0", "::/0"]}, "listen": ["0.0.0.0:53", "[::]:53"], "workers": 1}
        with upstreams.start_hostile(pki) as upstream, \
                Proxy(module_path, pki, [upstream.port], config, name="broadcast") as proxy:
            with neighbour.within():
                ip("route", "add", "default", "dev", "far0")
                with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM) as client:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
                    client.settimeout(0.3)
                    address = socket.getaddrinfo(host, 53, type=socket.SOCK_DGRAM)[0][4]
                    client.sendto(wire.query("a.test"), address)
                    with pytest.raises(socket.timeout):
                        client.recvfrom(1000)
                assert len(ask_udp(53, "a.test", host="192.0.2.1")) > 12
            assert Figures(proxy).sum("udp_dropped_datagrams_total", reason="not_sent") == 1


def test_ipv4_on_an_ipv6_socket_of_systemd(pki, module_path):
    """BindIPv6Only=both: the clients of IPv4 are what they are over IPv4, and are answered from the address asked."""
    import test_udp_load
    with namespace("192.0.2.1/32", "192.0.2.2/32", "2001:db8::1/128"), upstreams.start_hostile(pki) as upstream, \
            socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as datagrams:
        datagrams.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        datagrams.bind(("::", 53))
        passed = fcntl.fcntl(datagrams, fcntl.F_DUPFD, 50)
        with test_udp_load.activated(module_path, pki, upstream.port, 53, [passed]) as proxy:
            for host in ("127.0.0.1", "::1"):
                for _ in range(8):
                    assert is_answered(host), host
            since = Since(proxy)
            for host in ("192.0.2.1", "192.0.2.2", "2001:db8::1"):
                with UdpClient(53, host=host, timeout=0.2) as client:
                    client.send(wire.query("a.test"))
                    assert client.is_silent(0.2), "their source is not in access.allow"
            assert since.sum("udp_dropped_datagrams_total", reason="access") == 3
            with UdpClient(53, host="192.0.2.1", source=("127.0.0.1", 0)) as client:
                assert wire.rcode_of(client.ask(wire.query("a.test"))) == wire.NOERROR
        os.close(passed)


# ---- small interfaces ----


def fragments_made():
    """Fragments that this network has sent, and packets that were too large and could not be."""
    ipv4 = [line.split() for line in pathlib.Path("/proc/thread-self/net/snmp").read_text().splitlines()
            if line.startswith("Ip:")]
    ipv6 = dict(line.split() for line in pathlib.Path("/proc/thread-self/net/snmp6").read_text().splitlines())
    return int(dict(zip(*ipv4))["FragCreates"]) + int(ipv6["Ip6FragCreates"])


@pytest.mark.parametrize("mtu,host,overhead", [(576, "10.9.0.1", 28), (1280, "10.9.0.1", 28), (1280, "fd00:9::1", 48),
                                               (1280, "fe80::1%far0", 48), (1500, "fd00:9::1", 48)])
def test_no_reply_is_fragmented(pki, module_path, mtu, host, overhead):
    """What the interface does not take whole is cut with TC, of whatever size; and the client has it over TCP."""
    with namespace(), Neighbour("dns0", mtu=mtu) as neighbour:
        neighbour.address("10.9.0.1/24", "10.9.0.2/24")
        if mtu >= 1280:
            neighbour.address("fd00:9::1/64", "fd00:9::2/64")
            neighbour.address("fe80::1/64", "fe80::2/64")
        config = {"listen": ["0.0.0.0:53", "[::]:53"], "udp": {"max_size": 1400}}
        with upstreams.start_hostile(pki) as upstream, \
                Proxy(module_path, pki, [upstream.port], config, name="mtu") as proxy:
            kinds = {"whole": 0, "cut": 0}
            with neighbour.within():
                for size in range(256, 1537, 256):
                    kinds[ask_for(host, size, mtu - overhead)] += 1
                cut_together = ask_together(host, mtu - overhead)
            assert kinds["whole"] >= 1 and kinds["cut"] >= 1, kinds
            assert Figures(proxy).sum("truncated_responses_total") == 2 * kinds["cut"] + cut_together
        assert fragments_made() == 0


def ask_together(host, room):
    """Four times each of the same questions from one socket, so that replies leave together; returns how many were
    cut. Those of a size that the interface takes are whole, whatever leaves with them.
    """
    sizes = [size for size in range(256, 1537, 256) for _ in range(4)]
    queries = [wire.query(f"big-{size}-mtu.test", "TXT", number=number, additional=[wire.opt(payload=4096)])
               for number, size in enumerate(sizes)]
    with UdpClient(53, host=host) as client:
        client.send(*queries)
        replies = {wire.number_of(reply): reply for reply in client.received()}
    assert sorted(replies) == list(range(len(sizes)))
    cut = [number for number, reply in replies.items() if wire.flags_of(reply) & wire.TC]
    with Client(53, host) as stream:
        for number, query in enumerate(queries):
            expected = stream.ask(query)
            assert (number in cut) == (len(expected) > min(room, 1400)), sizes[number]
            assert number in cut or wire.content(replies[number]) == wire.content(expected)
    return len(cut)


def ask_for(host, size, room):
    """A TXT record of that size, over UDP where it is whole: twice, from upstream and from the cache."""
    query = wire.query(f"big-{size}-mtu.test", "TXT", additional=[wire.opt(payload=4096)])
    with UdpClient(53, host=host) as client:
        replies = [client.ask(query) for _ in range(2)]
    with Client(53, host) as stream:
        expected = stream.ask(query)
    is_cut = len(expected) > min(room, 1400)
    for reply in replies:
        assert len(reply) <= room and bool(wire.flags_of(reply) & wire.TC) == is_cut, (len(expected), len(reply))
        if is_cut:
            assert len(reply) <= wire.question_end(reply) + 11, "the question and OPT at most"
        else:
            assert wire.content(reply) == wire.content(expected)
    return "cut" if is_cut else "whole"
