"""Special-use names (RFC 6761, 6303 and their successors) are answered without an upstream: by a table that is written
out here, and as Unbound answers them.
"""
import itertools
import random
import socket

import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest
from dot_servers import unbound_command
from pki import SERVER_NAME
from process import Process, free_port
from proxy import Proxy

#: More is asked over UDP than usual clients may.
LOCAL = {"names": {"special_use": "local"}, "prefetch": {"top": 0}, "udp": {"responses_per_second": 0}}

LOOPBACK_6 = "1." + "0." * 31 + "ip6.arpa"
UNSPECIFIED_6 = "0." * 32 + "ip6.arpa"
RANGES = [*(f"{i}.172.in-addr.arpa" for i in range(16, 32)), *(f"{i}.100.in-addr.arpa" for i in range(64, 128))]
EMPTY_ZONES = [
    "home.arpa", "service.arpa", "127.in-addr.arpa", LOOPBACK_6, UNSPECIFIED_6, "10.in-addr.arpa",
    "168.192.in-addr.arpa", "0.in-addr.arpa", "254.169.in-addr.arpa", "2.0.192.in-addr.arpa",
    "100.51.198.in-addr.arpa", "113.0.203.in-addr.arpa",
    "255.255.255.255.in-addr.arpa", "d.f.ip6.arpa", "8.e.f.ip6.arpa", "9.e.f.ip6.arpa", "a.e.f.ip6.arpa",
    "b.e.f.ip6.arpa", "8.b.d.0.1.0.0.2.ip6.arpa", *RANGES,
]
NO_NAMES = ["test", "invalid", "onion", "local"]
LOOPBACK_NAMES = ["1.0.0.127.in-addr.arpa", "0.0.127.in-addr.arpa", "0.127.in-addr.arpa"]
FORWARDED = ["alt", "x.alt", "example", "www.example.com", "ipv4only.arpa", "170.0.0.192.in-addr.arpa",
             "171.0.0.192.in-addr.arpa", "eap.arpa", "6tisch.arpa", "x.internal", "x.lan", "x.home", "x.corp",
             "15.172.in-addr.arpa", "32.172.in-addr.arpa", "016.172.in-addr.arpa", "63.100.in-addr.arpa",
             "128.100.in-addr.arpa", "64x.100.in-addr.arpa", "172.in-addr.arpa", "100.in-addr.arpa", "c.f.ip6.arpa",
             "c.e.f.ip6.arpa", "e.f.ip6.arpa", "xlocal", "mylocalhost", "localhost.example", "local.example",
             "255.255.255.in-addr.arpa", "arpa", "in-addr.arpa", "xhome.arpa", "1.192.in-addr.arpa"]
TYPES = ["A", "AAAA", "PTR", "NS", "SOA", "TXT", "MX", "SVCB", "HTTPS", "DS", "DNSKEY", "CNAME", "SRV"]
FEW_TYPES = ["A", "PTR", "NS", "SOA", "DS"]


def everything():
    """Every question of the table, as (name, type)."""
    names = ["localhost", "a.b.localhost", "resolver.arpa", "_dns.resolver.arpa", "x.y.resolver.arpa",
             "2.0.0.127.in-addr.arpa", "x.1.0.0.127.in-addr.arpa"] + LOOPBACK_NAMES
    names += [name for zone in EMPTY_ZONES for name in (zone, f"x.{zone}", f"_a.b.C.{zone}")]
    names += [name for zone in NO_NAMES for name in (zone, f"a.B.{zone}")]
    ranges = tuple(RANGES[1:15] + RANGES[17:-1])  # but for the first and the last ones
    return [(name, qtype) for name in names for qtype in (FEW_TYPES if name.endswith(ranges) else TYPES)]


class Asker:
    """One client, over one connection or socket."""

    def __init__(self, transport, port):
        self.is_tcp = transport == "tcp"
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM if self.is_tcp else socket.SOCK_DGRAM)
        self.socket.settimeout(10)
        self.socket.connect(("127.0.0.1", port))
        self.stream = self.socket.makefile("rb")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stream.close()
        self.socket.close()

    def ask(self, name, qtype, flags=dns.flags.RD, **options):
        query = dns.message.make_query(name, qtype, flags=flags, **options)
        wire = query.to_wire()
        self.socket.sendall(len(wire).to_bytes(2, "big") + wire if self.is_tcp else wire)
        if not self.is_tcp:
            return dns.message.from_wire(self.socket.recv(65535))
        return dns.message.from_wire(self.stream.read(int.from_bytes(self.stream.read(2), "big")))


def outline(response):
    """(rcode, number of answers, owners of the authority section): what does not depend on the data."""
    return (dns.rcode.to_text(response.rcode()), sum(len(rrset) for rrset in response.answer),
            [rrset.name.to_text().lower() for rrset in response.authority])


@pytest.fixture(scope="module", name="local")
def _local(pki, module_path, hostile):
    """The program as it is by default, in front of an upstream that counts."""
    with Proxy(module_path, pki, [hostile.port], LOCAL, name="local") as proxy:
        yield proxy


@pytest.fixture(scope="module", name="unbound")
def _unbound(module_path):
    """Unbound as it is by default; what it would ask others for finds nobody."""
    port, folder = free_port(), module_path
    command = unbound_command(folder, "unbound", f"""  interface: 127.0.0.1@{port}
  access-control: 127.0.0.0/8 allow
  do-not-query-localhost: no""", """forward-zone:
  name: "."
  forward-addr: 127.0.0.1@9""")
    with Process("unbound-local", command, folder) as server:
        server.wait_listening(port)
        server.port = port
        yield server


def expected(name, qtype):
    """(rcode, answers, authority) of the table of special-use names, written out; None: it is forwarded."""
    lower = name.lower()
    for zone in ["localhost", "resolver.arpa"] + NO_NAMES + EMPTY_ZONES:
        if lower == zone or lower.endswith("." + zone):
            break
    nodata, nothing, one = ("NOERROR", 0, [zone + "."]), ("NXDOMAIN", 0, [zone + "."]), ("NOERROR", 1, [])
    if lower == zone and qtype == "SOA":
        return one
    if zone == "localhost":
        return one if qtype in ("A", "AAAA") else nodata
    if zone == "resolver.arpa":
        return nodata
    if zone in NO_NAMES:
        return nothing
    if qtype == "PTR" and lower in (LOOPBACK_6, LOOPBACK_NAMES[0]):
        return one
    if lower == zone:
        return {"NS": one, "DS": None}.get(qtype, nodata)
    return nodata if lower in LOOPBACK_NAMES else nothing


#: (name, type) -> the data of an answer.
ANSWERS = {
    ("localhost", "A"): "127.0.0.1", ("localhost", "AAAA"): "::1", ("a.b.localhost", "A"): "127.0.0.1",
    ("a.b.localhost", "AAAA"): "::1", (LOOPBACK_6, "PTR"): "localhost.", (LOOPBACK_NAMES[0], "PTR"): "localhost.",
}


def check(name, qtype, response, wanted):
    """Fails unless the response is the table's, to its records."""
    assert outline(response) == wanted, (name, qtype)
    assert response.flags & (dns.flags.AA | dns.flags.RA) == dns.flags.AA | dns.flags.RA, (name, qtype)
    assert not response.flags & (dns.flags.AD | dns.flags.TC), (name, qtype)
    for rrset in response.authority + [each for each in response.answer if qtype == "SOA"]:
        zone = rrset.name.to_text().lower()
        assert rrset[0].to_text().lower() == f"{zone} nobody.invalid. 1 3600 1200 604800 10800", (name, qtype)
    for rrset in response.answer:
        assert rrset.name == response.question[0].name, (name, qtype)
        if qtype == "NS":
            assert rrset[0].to_text().lower() == name.lower() + ".", (name, qtype)
        elif qtype != "SOA":
            assert rrset[0].to_text() == ANSWERS[name, qtype]
    assert all(rrset.ttl == 10800 for rrset in response.answer + response.authority), (name, qtype)


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_special_names_are_answered_by_the_table_and_never_asked_upstream(local, hostile, transport):
    hostile.forget()
    forwarded, count = set(), 0
    with Asker(transport, local.port) as asker:
        for name, qtype in everything():
            wanted, response = expected(name, qtype), asker.ask(name, qtype)
            if wanted is None:
                forwarded.add(name.lower())
                assert response.rcode() == dns.rcode.NOERROR and not response.flags & dns.flags.AA
            else:
                check(name, qtype, response, wanted)
                count += 1
    assert count > 1500
    assert set(hostile.queries()) - {""} <= forwarded, "nothing else comes to the upstream"


#: What a query may have beside its question; the answer is the same.
KINDS = {
    "no EDNS": {"use_edns": False},
    "EDNS": {"use_edns": 0, "payload": 4096},
    "EDNS, 512": {"use_edns": 0, "payload": 512},
    "DO": {"want_dnssec": True},
    "CD": {"flags": dns.flags.RD | dns.flags.CD},
    "AD": {"flags": dns.flags.RD | dns.flags.AD},
    "no RD": {"flags": 0},
    "all of them": {"flags": dns.flags.RD | dns.flags.CD | dns.flags.AD, "want_dnssec": True},
}
SOME_NAMES = ["localhost", "a.b.localhost", "resolver.arpa", "_dns.resolver.arpa", "home.arpa", "x.home.arpa",
              "10.in-addr.arpa", "1.2.3.10.in-addr.arpa", LOOPBACK_6, LOOPBACK_NAMES[0], UNSPECIFIED_6, "test",
              "a.onion", "x.local", "127.100.in-addr.arpa", "x.64.100.in-addr.arpa", "8.b.d.0.1.0.0.2.ip6.arpa"]


def mixed_case(name, seed):
    letters = random.Random(f"{name} {seed}")
    return "".join(letters.choice([c.lower(), c.upper()]) for c in name)


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_flags_edns_and_spelling_change_nothing_in_the_answer(local, hostile, transport):
    hostile.forget()
    types = ["A", "AAAA", "PTR", "NS", "SOA", "TXT", "HTTPS", "SVCB"]
    with Asker(transport, local.port) as asker:
        for (kind, options), name, qtype in itertools.product(KINDS.items(), SOME_NAMES, types):
            spelt = mixed_case(name, kind)
            response = asker.ask(spelt, qtype, **options)
            check(name, qtype, response, expected(name, qtype))
            assert response.question[0].name.to_text() == spelt + ".", "the spelling of the query"
            has_edns = options.get("use_edns") is not False and ("use_edns" in options or "want_dnssec" in options)
            assert (response.edns == 0) == has_edns, (kind, name, qtype)
            assert bool(response.ednsflags & dns.flags.DO) == ("want_dnssec" in options), (kind, name, qtype)
            flags = options.get("flags", dns.flags.RD)
            echoed = dns.flags.RD | dns.flags.CD
            assert response.flags & echoed == flags & echoed, (kind, name)
        for name in SOME_NAMES:
            assert asker.ask(name, "ANY").rcode() == dns.rcode.NOTIMP, name
            assert asker.ask(name, "A", rdclass="CH").rcode() == dns.rcode.REFUSED, name
    assert not set(hostile.queries()) - {""}


def test_what_is_not_special_is_forwarded(local, hostile):
    with Asker("tcp", local.port) as asker:
        for name in FORWARDED:
            response = asker.ask(name, "A")
            assert response.rcode() == dns.rcode.NOERROR and not response.flags & dns.flags.AA
            assert hostile.queries()[name.lower()] == 1, name


#: (name ends in, types): where Unbound 1.17 differs, and why we do.
DIFFERENCES = [
    ("localhost", {"NS", "DS"}),  # it has an NS record at localhost., and asks others for its DS record
    ("a.b.localhost", {"SOA"}),  # its SOA record stands at every name
    ("local", None),  # it forwards local. (RFC 6762, 22.1: NXDOMAIN)
    ("resolver.arpa", None),  # 1.17 does not know it; RFC 9462, 6.4: NODATA
    ("service.arpa", None),  # 1.17 does not know it
]


def is_different(name, qtype):
    lower = name.lower()
    if lower in NO_NAMES:
        return True  # their own name exists in Unbound, as NODATA
    return any((lower == zone or lower.endswith("." + zone)) and (types is None or qtype in types)
               for zone, types in DIFFERENCES)


def test_special_names_are_answered_as_by_unbound(local, unbound):
    differ, same = [], 0
    with Asker("udp", unbound.port) as theirs, Asker("udp", local.port) as ours:
        for name, qtype in everything():
            if expected(name, qtype) is None or is_different(name, qtype):
                continue
            them, us = theirs.ask(name, qtype), ours.ask(name, qtype)
            same += outline(them) == outline(us)
            if outline(them) != outline(us) or them.flags != us.flags:
                differ.append((name, qtype, outline(them), outline(us)))
    assert not differ, f"{len(differ)} beside {same} that agree, as {differ[:5]}"
    assert same > 1500


def test_special_names_can_be_forwarded(proxy, hostile):
    """`proxy` has special_use: forward."""
    with Asker("tcp", proxy.port) as asker:
        for name in ("localhost", "printer.local", "1.10.in-addr.arpa", "_dns.resolver.arpa"):
            asker.ask(name, "A")
            assert hostile.queries()[name] == 1, name


def test_one_special_name_can_be_given_to_a_route_or_a_record(pki, tmp_path, hostile):
    """Each row can be switched off: a record or a route for it takes precedence, localhost alone excepted."""
    route = {"zones": ["test", "168.192.in-addr.arpa"],
             "upstreams": [{"address": "127.0.0.1", "port": hostile.port, "name": SERVER_NAME}]}
    records = ["x.onion A 192.0.2.77", "* TXT wild"]
    config = {**LOCAL, "routes": [route], "names": {"special_use": "local", "records": records}}
    hostile.forget()
    with Proxy(tmp_path, pki, [hostile.port], config) as proxy, Asker("tcp", proxy.port) as asker:
        assert asker.ask("www.test", "A").answer[0][0].to_text() == "192.0.2.1"
        assert asker.ask("1.168.192.in-addr.arpa", "A").answer[0][0].to_text() == "192.0.2.1"
        assert asker.ask("x.onion", "A").answer[0][0].to_text() == "192.0.2.77"
        assert asker.ask("localhost", "A").answer[0][0].to_text() == "127.0.0.1"
        assert outline(asker.ask("a.localhost", "TXT")) == ("NOERROR", 0, ["localhost."])
        assert set(hostile.queries()) - {""} == {"www.test", "1.168.192.in-addr.arpa"}
