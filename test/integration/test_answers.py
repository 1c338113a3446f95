"""Answers of real DoT servers come through unchanged: Unbound, NSD, dnsdist."""
import itertools
import re

import pytest
import wire
from dnsclient import Client, ask
from dot_servers import ZONE, is_signed, kdig, kdig_tls, start_dnsdist, start_nsd, start_unbound
from pki import SERVER_NAME
from proxy import Proxy

AA, RA = 0x0400, 0x0080
SERVERS = ("unbound", "nsd", "dnsdist")

QUESTIONS = {
    "A": ("a", "A"),
    "several A": ("many", "A"),
    "AAAA": ("aaaa", "AAAA"),
    "CNAME with its end": ("alias", "A"),
    "MX": ("mail", "MX"),
    "SRV": ("_dns._tcp", "SRV"),
    "short TXT": ("text", "TXT"),
    "TXT of 4 kB": ("long", "TXT"),
    "NXDOMAIN": ("nothing-here", "A"),
    "no data": ("a", "AAAA"),
    "a name between": ("_tcp", "A"),
    "SOA": ("", "SOA"),
    "NS": ("", "NS"),
    "DNSKEY": ("", "DNSKEY"),
    "a type nobody has heard of": ("a", "TYPE65400"),
}


@pytest.fixture(scope="module", name="folder")
def _folder(module_path):
    return module_path


@pytest.fixture(scope="module", name="servers")
def _servers(pki, folder):
    with start_unbound(pki, folder) as unbound, start_nsd(pki, folder) as nsd:
        with start_dnsdist(pki, folder, nsd.plain_port) as dnsdist:
            yield {"unbound": unbound, "nsd": nsd, "dnsdist": dnsdist}


@pytest.fixture(scope="module", params=SERVERS, name="pair")
def _pair(request, pki, folder, servers):
    """(DoT server, the proxy in front of it)"""
    upstream = servers[request.param]
    with Proxy(folder, pki, [upstream.port], name=f"proxy-{request.param}") as proxy:
        yield upstream, proxy


def question_of(case):
    label, qtype = QUESTIONS[case]
    return f"{label}.{ZONE}".lstrip("."), int(qtype[4:]) if qtype.startswith("TYPE") else qtype


def ask_directly(pki, upstream, message):
    with Client.over_tls(upstream.port, pki.ca_file, SERVER_NAME) as client:
        return client.ask(message)


def as_a_proxy_says_it(direct):
    """The answer of an authoritative server as that of a proxy: AA is clear, RA is set."""
    return direct[:2] + (wire.flags_of(direct) & ~AA | RA).to_bytes(2, "big") + direct[4:]


def in_one_order(message, kind=wire.TYPES["A"]):
    """The address records in the order of their bytes: the proxy gives them in turn (they have one length each)."""
    places = [(start, end) for start, of_kind, _, _, _, end in wire.records(message) if of_kind == kind]
    for (start, end), record in zip(places, sorted(message[start:end] for start, end in places)):
        message = message[:start] + record + message[end:]
    return message


def differences(direct, through):
    """The places where two messages differ, TTLs aside by up to the two seconds that may lie between two questions."""
    direct, through = in_one_order(direct), in_one_order(through)
    if len(direct) != len(through):
        return f"{len(direct)} bytes and {len(through)}"
    ttls = {start: ttl for start, _, _, ttl, _, _ in wire.records(direct)}
    aged = {start: ttl for start, _, _, ttl, _, _ in wire.records(through)}
    late = {start for start in ttls if not 0 <= ttls[start] - aged.get(start, -1) <= 2}
    fields = {data - 6 + i for _, _, _, _, data, _ in wire.records(direct) for i in range(4)}
    return [i for i, (one, other) in enumerate(zip(direct, through)) if one != other and i not in fields] + sorted(late)


@pytest.mark.parametrize("with_do", [False, True], ids=["plain", "DO"])
@pytest.mark.parametrize("case", QUESTIONS)
def test_answer_is_byte_for_byte_what_the_upstream_says(pki, pair, case, with_do):
    upstream, proxy = pair
    name, qtype = question_of(case)
    message = wire.query(name, qtype, number=7, additional=[wire.opt(flags=wire.DO if with_do else 0)])

    direct = ask_directly(pki, upstream, message)
    first = ask(proxy.port, name, qtype, number=7, additional=[wire.opt(flags=wire.DO if with_do else 0)])
    again = ask(proxy.port, name, qtype, number=7, additional=[wire.opt(flags=wire.DO if with_do else 0)])

    for through in (first, again):  # from upstream, then perhaps from a cache
        assert differences(as_a_proxy_says_it(wire.without_hop(direct)), wire.without_hop(through)) == []
        assert wire.number_of(through) == 7
        assert bool(wire.opt_of(through)[1] & wire.DO) == with_do


def test_the_zone_is_signed_so_that_do_means_something(pki, pair, folder):
    upstream, proxy = pair
    if not is_signed(folder):
        pytest.skip("ldns-signzone is not installed")
    signed = ask(proxy.port, f"a.{ZONE}", additional=[wire.opt(flags=wire.DO)])
    plain = ask(proxy.port, f"a.{ZONE}", additional=[wire.opt()])
    kinds = [kind for _, kind, *_ in wire.records(signed)]
    assert wire.TYPES["RRSIG"] in kinds, upstream.name
    assert wire.TYPES["RRSIG"] not in [kind for _, kind, *_ in wire.records(plain)]


@pytest.mark.parametrize("flags", itertools.chain.from_iterable(
    itertools.combinations((wire.RD, wire.CD, wire.AD), count) for count in range(4)), ids=str)
def test_flags_reach_the_upstream_and_come_back(pki, pair, flags):
    upstream, proxy = pair
    message = wire.query(f"a.{ZONE}", number=9, flags=sum(flags))
    direct, through = ask_directly(pki, upstream, message), ask(proxy.port, f"a.{ZONE}", number=9, flags=sum(flags))
    direct = as_a_proxy_says_it(direct)
    # CD is the client's own, whatever the upstream says of it (RFC 4035, 3.2.2)
    assert wire.flags_of(through) == wire.flags_of(direct) & ~wire.CD | sum(flags) & wire.CD
    assert wire.opt_of(through) is None, "an OPT record that nobody asked for"


@pytest.mark.parametrize("spelling", ["A.example.TEST", "a.eXaMpLe.TeSt", "MANY.EXAMPLE.TEST", "mIxEd.eXaMpLe.tEsT"])
def test_the_client_sees_the_name_as_it_spelt_it(pair, spelling):
    _, proxy = pair
    with Client(proxy.port) as client:
        for number in (1, 2):
            message = wire.query(spelling, number=number)
            answer = client.ask(message)
            assert answer[12:wire.question_end(answer)] == message[12:]
            assert wire.rcode_of(answer) == wire.NOERROR and len(wire.records(answer)) > 0


def shown(text):
    """What of kdig's text must be equal: status, flags and sections; ids, sizes, times, OPT and TTLs are not."""
    lines = []
    for line in text.splitlines():
        header = re.match(r";; ->>HEADER<<- opcode: (\w+); status: (\w+);", line)
        if header:
            lines.append(header.groups())
        elif line.startswith(";; Flags:"):
            lines.append(sorted({*line.split(";")[2].split()[1:], "ra"} - {"aa"}))  # as a proxy says it
        elif line and not line.startswith(";"):
            owner, _, rest = line.split(None, 2)
            lines.append((owner.lower(), rest))
    return lines


@pytest.mark.parametrize("case", QUESTIONS)
def test_kdig_shows_the_same_through_the_proxy_and_directly(pki, pair, case):
    upstream, proxy = pair
    name, qtype = question_of(case)
    arguments = [name, f"TYPE{qtype}" if isinstance(qtype, int) else qtype]
    direct = kdig_tls(upstream.port, pki.ca_file, *arguments)
    through = kdig("@127.0.0.1", "-p", proxy.port, "+tcp", *arguments)
    assert len(shown(direct)) >= 2
    assert shown(through) == shown(direct)
