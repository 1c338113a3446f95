"""Names that are answered without an upstream: records, the hosts file, and what --query says of them."""
import os
import signal

import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest
from process import wait_for
from proxy import Proxy, run

LOCAL = {"names": {"special_use": "local"}, "prefetch": {"top": 0}}
TRANSPORTS = {"tcp": dns.query.tcp, "udp": dns.query.udp}


def asked(port, name, qtype, transport="tcp", **options):
    """The response, whole."""
    return TRANSPORTS[transport](dns.message.make_query(name, qtype, **options), "127.0.0.1", port=port, timeout=10)


def outline(response):
    """(rcode, number of answers, owners of the authority section): what does not depend on the data."""
    return (dns.rcode.to_text(response.rcode()), sum(len(rrset) for rrset in response.answer),
            [rrset.name.to_text().lower() for rrset in response.authority])


# ---- records ----

RECORDS = ["nas.home.arpa 300 IN A 192.0.2.5", "nas.home.arpa 300 IN A 192.0.2.6", "NAS6.home.arpa AAAA 2001:db8::5",
           "txt.corp.example TXT \"a b\" c", "*.apps.corp.example 60 A 192.0.2.7",
           "corp.example 900 MX 10 mail.corp.example",
           "inner.home.arpa CNAME nas.home.arpa", "outer.home.arpa 77 CNAME www.example.net",
           "loop.home.arpa CNAME loop.home.arpa", "printer.local A 192.0.2.8",
           "8.2.0.192.in-addr.arpa PTR printer.local"]


@pytest.fixture(scope="module", name="with_records")
def _with_records(pki, module_path, hostile):
    config = {**LOCAL, "names": {"special_use": "local", "records": RECORDS}}
    with Proxy(module_path, pki, [hostile.port], config, name="records") as proxy:
        yield proxy


def texts(response):
    return sorted(rdata.to_text() for rrset in response.answer for rdata in rrset)


def test_records_are_answered_from_the_configuration_alone(with_records, hostile):
    hostile.forget()
    port = with_records.port
    assert texts(asked(port, "nas.home.arpa", "A")) == ["192.0.2.5", "192.0.2.6"]
    assert texts(asked(port, "nas6.HOME.arpa", "AAAA")) == ["2001:db8::5"]
    assert outline(asked(port, "nas6.home.arpa", "A")) == ("NOERROR", 0, ["nas6.home.arpa."])
    assert texts(asked(port, "txt.corp.example", "TXT")) == ['"a b" "c"']
    assert texts(asked(port, "corp.example", "MX")) == ["10 mail.corp.example."]
    assert texts(asked(port, "x.y.apps.corp.example", "A")) == ["192.0.2.7"]
    assert texts(asked(port, "printer.local", "A")) == ["192.0.2.8"]
    assert texts(asked(port, "8.2.0.192.in-addr.arpa", "PTR")) == ["printer.local."]
    assert texts(asked(port, "inner.home.arpa", "A")) == ["192.0.2.5", "192.0.2.6", "nas.home.arpa."]
    assert asked(port, "loop.home.arpa", "A").rcode() == dns.rcode.SERVFAIL
    assert asked(port, "other.home.arpa", "A").rcode() == dns.rcode.NXDOMAIN
    assert set(hostile.queries()) <= {""}, "nothing came to the upstream but the probe"
    asked(port, "other.corp.example", "A")
    assert hostile.queries()["other.corp.example"] == 1, "a name without records is resolved as ever"


@pytest.mark.parametrize("edns", [False, True])
def test_alias_is_completed_by_the_upstream(with_records, hostile, edns):
    hostile.forget()
    for _ in range(2):
        response = asked(with_records.port, "Outer.home.arpa", "A", use_edns=0 if edns else False)
        names = [rrset.name.to_text() for rrset in response.answer]
        assert names == ["Outer.home.arpa.", "www.example.net."], "the question's spelling, then the target's"
        assert texts(response) == ["192.0.2.1", "www.example.net."]
        assert response.answer[0].ttl == 77 and response.rcode() == dns.rcode.NOERROR
        assert (response.edns == 0) == edns
    assert hostile.queries().get("www.example.net", 0) <= 1, "its answer is kept"
    assert "outer.home.arpa" not in hostile.queries()


def test_reload_changes_records(pki, tmp_path, hostile):
    config = {"names": {"special_use": "local", "records": ["a.home.arpa A 192.0.2.1"]}}
    with Proxy(tmp_path, pki, [hostile.port], config) as proxy:
        assert texts(asked(proxy.port, "a.home.arpa", "A")) == ["192.0.2.1"]
        proxy.write_config({"names": {"records": ["a.home.arpa A 192.0.2.2"]}})
        proxy.child.send_signal(signal.SIGHUP)
        wait_for(lambda: texts(asked(proxy.port, "a.home.arpa", "A")) == ["192.0.2.2"], "the new record")
        proxy.write_config({"names": {"special_use": "forward", "records": []}})
        proxy.child.send_signal(signal.SIGHUP)
        wait_for(lambda: texts(asked(proxy.port, "a.home.arpa", "A")) == ["192.0.2.1"], "the upstream's answer")
        assert hostile.queries()["a.home.arpa"] >= 1


#: (a record, the type to ask for, its data as a client shows it)
EVERY_TYPE = [
    ("t.example 60 IN A 192.0.2.1", "A", "192.0.2.1"),
    ("t.example AAAA 2001:DB8::1", "AAAA", "2001:db8::1"),
    ("t.example SOA ns.t.example host.t.example 1 2 3 4 5", "SOA", "ns.t.example. host.t.example. 1 2 3 4 5"),
    ("t.example NS ns.t.example", "NS", "ns.t.example."),
    ("t.example 1h30m MX 10 mail.t.example", "MX", "10 mail.t.example."),
    ('t.example TXT "a;b" "c\\"d" e\\032f ""', "TXT", '"a;b" "c\\"d" "e f" ""'),
    ("t.example SRV 0 5 5060 sip.t.example", "SRV", "0 5 5060 sip.t.example."),
    ('t.example CAA 0 issue "ca.example"', "CAA", '0 issue "ca.example"'),
    ("t.example SVCB 1 . alpn=h2,h3 port=8443", "SVCB", '1 . alpn="h2,h3" port="8443"'),
    ("t.example HTTPS 1 svc.t.example alpn=h2 ipv4hint=192.0.2.1", "HTTPS",
     '1 svc.t.example. alpn="h2" ipv4hint="192.0.2.1"'),
    ("t.example PTR nas.example", "PTR", "nas.example."),
    ('t.example NAPTR 100 10 "u" "E2U+sip" "!^.*$!sip:info@example.com!" .', "NAPTR",
     '100 10 "u" "E2U+sip" "!^.*$!sip:info@example.com!" .'),
    ("t.example DS 12345 13 2 " + "0a" * 32, "DS", "12345 13 2 " + "0a" * 32),
    ("t.example TLSA 3 1 1 " + "0b" * 32, "TLSA", "3 1 1 " + "0b" * 32),
    ("t.example SSHFP 4 2 " + "0c" * 32, "SSHFP", "4 2 " + "0c" * 32),
    ('t.example HINFO "a" "b"', "HINFO", '"a" "b"'),
    ("t.example TYPE65280 \\# 4 c0000201", "TYPE65280", "\\# 4 c0000201"),
    ("t.example URI 10 1 \"https://example.com/\"", "URI", '10 1 "https://example.com/"'),
]


def test_records_of_every_type_are_answered(pki, tmp_path, hostile):
    records = [record for record, _, _ in EVERY_TYPE] + [f"big.example TXT {i:03d}{'x' * 200}" for i in range(100)] + [
        f"\\{ord(c):03d}.octets.example A 192.0.2.1" for c in "A.\\\0\xff"]
    hostile.forget()
    with Proxy(tmp_path, pki, [hostile.port], {**LOCAL, "names": {**LOCAL["names"], "records": records}}) as proxy:
        for transport in TRANSPORTS:
            for record, qtype, wanted in EVERY_TYPE:
                response = asked(proxy.port, "T.example", qtype, transport, use_edns=0, payload=1232)
                assert texts(response) == [wanted], (record, transport)
                assert response.flags & dns.flags.AA and response.answer[0].name.to_text() == "T.example."
            for qtype in ("LOC", "DNSKEY", "CNAME", "TYPE65281"):
                response = asked(proxy.port, "t.example", qtype, transport)
                assert outline(response) == ("NOERROR", 0, ["t.example."]), (qtype, transport)
                assert response.authority[0].ttl == 5, "the lesser of TTL and MINIMUM"
            for label in ("a", "\\.", "\\\\", "\\000", "\\255"):
                assert texts(asked(proxy.port, f"{label}.octets.example", "A", transport)) == ["192.0.2.1"], label
        assert len(texts(asked(proxy.port, "big.example", "TXT"))) == 100
        cut = asked(proxy.port, "big.example", "TXT", "udp", use_edns=0)
        assert cut.flags & dns.flags.TC and not cut.answer, "and the client asks over TCP"
        assert not set(hostile.queries()) - {""}


def test_alias_chains_of_every_kind(pki, tmp_path, hostile):
    records = ["a.example CNAME b.example", "b.example CNAME c.example", "c.example CNAME www.public.org",
               "*.w.example CNAME v.example", "v.example A 192.0.2.9", "s.example CNAME a.localhost",
               "n.example CNAME x.onion", "d.example CNAME e.example", "l.example CNAME L.example",
               *(f"deep{i}.example CNAME deep{i + 1}.example" for i in range(20)), "deep20.example A 192.0.2.20"]
    hostile.forget()
    with Proxy(tmp_path, pki, [hostile.port], {**LOCAL, "names": {**LOCAL["names"], "records": records}}) as proxy:
        for transport in TRANSPORTS:
            def chain(name, qtype="A"):
                response = asked(proxy.port, name, qtype, transport)
                return (dns.rcode.to_text(response.rcode()), [each.name.to_text() for each in response.answer],
                        texts(response)[0] if response.answer else None)

            assert chain("a.example")[:2] == ("NOERROR", ["a.example.", "b.example.", "c.example.", "www.public.org."])
            assert chain("a.example", "CNAME")[:2] == ("NOERROR", ["a.example."])
            assert chain("x.y.w.example") == ("NOERROR", ["x.y.w.example.", "v.example."], "192.0.2.9")
            assert chain("s.example", "AAAA")[:2] == ("NOERROR", ["s.example.", "a.localhost."])
            assert chain("n.example")[:2] == ("NXDOMAIN", ["n.example."])
            assert chain("d.example")[:2] == ("NOERROR", ["d.example.", "e.example."]), "a name without records"
            assert chain("l.example")[0] == chain("deep0.example")[0] == "SERVFAIL", "a circle; too many"
            assert chain("deep10.example")[2] == "192.0.2.20"
        assert set(hostile.queries()) - {""} == {"www.public.org", "e.example"}, "never a name of ours"


# ---- the hosts file ----


def test_hosts_file_is_answered_from_and_read_again(pki, tmp_path, hostile):
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.0.1 localhost\n192.0.2.5 nas.home.arpa nas # the disk\nnonsense\n\n"
                     "2001:db8::5 nas.home.arpa\n192.0.2.9 record.home.arpa\n")
    config = {"names": {"special_use": "local", "hosts_file": str(hosts), "records": ["record.home.arpa A 192.0.2.1"]}}
    with Proxy(tmp_path, pki, [hostile.port], config) as proxy:
        assert texts(asked(proxy.port, "nas", "A")) == ["192.0.2.5"]
        assert texts(asked(proxy.port, "nas.home.arpa", "AAAA")) == ["2001:db8::5"]
        assert texts(asked(proxy.port, "5.2.0.192.in-addr.arpa", "PTR")) == ["nas.home.arpa."]
        assert texts(asked(proxy.port, "5." + "0." * 23 + "8.b.d.0.1.0.0.2.ip6.arpa", "PTR")) == ["nas.home.arpa."]
        assert texts(asked(proxy.port, "record.home.arpa", "A")) == ["192.0.2.1"], "the configuration goes first"
        assert 'line of the hosts file skipped' in proxy.log() and "line=3" in proxy.log()
        hosts.with_name("new").write_text("192.0.2.6 nas.home.arpa\n")
        hosts.with_name("new").rename(hosts)
        wait_for(lambda: texts(asked(proxy.port, "nas.home.arpa", "A")) == ["192.0.2.6"], "the file to be read again")
        assert asked(proxy.port, "nas.home.arpa", "AAAA").answer == []
        hosts.unlink()
        asked(proxy.port, "nas.home.arpa", "A")
        hosts.write_text("192.0.2.7 nas.home.arpa\n")
        wait_for(lambda: texts(asked(proxy.port, "nas.home.arpa", "A")) == ["192.0.2.7"], "the file that came back")


def test_missing_hosts_file_is_told_and_no_fault(pki, tmp_path, hostile):
    config = {"names": {"hosts_file": str(tmp_path / "none")}}
    with Proxy(tmp_path, pki, [hostile.port], config) as proxy:
        assert asked(proxy.port, "www.example", "A").rcode() == dns.rcode.NOERROR
        assert "hosts file not read" in proxy.log()


HOSTS = (b"# a comment\r\n192.0.2.10 Upper.Home.ARPA alias1 alias2 # behind\r\n\r\n"
         b"\t192.0.2.11\tindented.home.arpa\r\n192.0.2.12 two.home.arpa\n192.0.2.12 twice.home.arpa\n"
         b"2001:DB8::A v6.home.arpa\n::1 localhost ip6-localhost\n"
         b"0.0.0.0 blocked.example\n127.0.0.1 localhost nas.localhost\n192.0.2.13 a\0b\n192.0.2.300 bad.home.arpa\n"
         b"fe80::1%eth0 link.home.arpa\n192.0.2.14 *.home.arpa\n192.0.2.15 good.home.arpa bad..home.arpa\n"
         b"192.0.2.16 " + b"x" * 64 + b".home.arpa\n192.0.2.17 last.home.arpa")


def test_hosts_file_of_every_kind_of_line(pki, tmp_path, hostile):
    hosts = tmp_path / "hosts"
    hosts.write_bytes(HOSTS)
    hostile.forget()
    with Proxy(tmp_path, pki, [hostile.port], {"names": {"special_use": "local", "hosts_file": str(hosts)}}) as proxy:
        for name, qtype, wanted in [
                ("upper.home.arpa", "A", ["192.0.2.10"]), ("ALIAS1", "A", ["192.0.2.10"]),
                ("alias2", "A", ["192.0.2.10"]),
                ("indented.home.arpa", "A", ["192.0.2.11"]), ("v6.home.arpa", "AAAA", ["2001:db8::a"]),
                ("v6.home.arpa", "A", []), ("upper.home.arpa", "MX", []), ("blocked.example", "A", ["0.0.0.0"]),
                ("last.home.arpa", "A", ["192.0.2.17"]), ("ip6-localhost", "AAAA", ["::1"]),
                ("localhost", "A", ["127.0.0.1"]), ("nas.localhost", "AAAA", ["::1"]),
                ("10.2.0.192.in-addr.arpa", "PTR", ["upper.home.arpa."]),
                ("12.2.0.192.in-addr.arpa", "PTR", ["twice.home.arpa.", "two.home.arpa."]),
                ("1.0.0.127.in-addr.arpa", "PTR", ["localhost."])]:
            for transport in TRANSPORTS:
                response = asked(proxy.port, name, qtype, transport)
                assert (texts(response), response.rcode()) == (wanted, 0), (name, qtype, transport)
        for name in ("bad.home.arpa", "good.home.arpa", "link.home.arpa", "x.home.arpa", "sub.upper.home.arpa"):
            assert asked(proxy.port, name, "A").rcode() == dns.rcode.NXDOMAIN, name
        assert proxy.log().count("line of the hosts file skipped") == 6
        assert set(hostile.queries()) <= {""}


def broken_hosts(hosts, how):
    """Makes the file one that cannot be read, by one rename."""
    other = hosts.with_name("other")
    if how == "a directory":
        hosts.unlink()
        hosts.mkdir()
    elif how == "missing":
        hosts.unlink()
    else:
        if how == "a FIFO":
            os.mkfifo(other)
        elif how == "too large":
            with open(other, "wb") as file:
                file.truncate(64 * 1024 * 1024 + 1)
        other.rename(hosts)


@pytest.mark.parametrize("how", ["a directory", "missing", "a FIFO", "too large"])
def test_hosts_file_that_cannot_be_read_keeps_what_was_read(pki, tmp_path, hostile, how):
    hosts = tmp_path / "hosts"
    hosts.write_text("192.0.2.5 nas.home.arpa\n")
    config = {"names": {"special_use": "local", "hosts_file": str(hosts)}}
    with Proxy(tmp_path, pki, [hostile.port], config) as proxy:
        assert texts(asked(proxy.port, "nas.home.arpa", "A")) == ["192.0.2.5"]
        broken_hosts(hosts, how)
        if how != "missing":  # a file that is being replaced is waited for in silence
            wait_for(lambda: "hosts file not read" in proxy.log(), "the file to be looked at")
        assert texts(asked(proxy.port, "nas.home.arpa", "A")) == ["192.0.2.5"]
        before = proxy.log().count("configuration reloaded")
        proxy.child.send_signal(signal.SIGHUP)
        wait_for(lambda: proxy.log().count("configuration reloaded") > before, "the reload")
        assert texts(asked(proxy.port, "nas.home.arpa", "A")) == ["192.0.2.5"], "nor does a reload lose them"
        assert 'records="those read before"' in proxy.log()
        if how == "a directory":
            hosts.rmdir()
        hosts.with_name("new").write_text("192.0.2.6 nas.home.arpa\n")
        hosts.with_name("new").rename(hosts)
        wait_for(lambda: texts(asked(proxy.port, "nas.home.arpa", "A")) == ["192.0.2.6"], "the new file")
        hosts.write_text("")
        wait_for(lambda: asked(proxy.port, "nas.home.arpa", "A").rcode() == dns.rcode.NXDOMAIN, "the empty file")


@pytest.mark.parametrize("how", ["a directory", "missing", "a FIFO", "too large"])
def test_start_does_not_wait_for_a_hosts_file_that_cannot_be_read(pki, tmp_path, hostile, how):
    hosts = tmp_path / "hosts"
    hosts.write_text("192.0.2.5 nas.home.arpa\n")
    broken_hosts(hosts, how)
    config = {"names": {"special_use": "local", "hosts_file": str(hosts)}}
    with Proxy(tmp_path, pki, [hostile.port], config) as proxy:
        assert asked(proxy.port, "nas.home.arpa", "A").rcode() == dns.rcode.NXDOMAIN
        assert "hosts file not read" in proxy.log() and "records=none" in proxy.log()


def test_one_name_with_very_many_addresses_does_not_hold_the_program(pki, tmp_path, hostile):
    hosts = tmp_path / "hosts"
    hosts.write_text("".join(f"10.{i >> 16}.{i >> 8 & 255}.{i & 255} same.home.arpa\n" for i in range(200000)))
    config = {"names": {"special_use": "local", "hosts_file": str(hosts)}}
    with Proxy(tmp_path, pki, [hostile.port], config) as proxy:
        assert len(texts(asked(proxy.port, "same.home.arpa", "A"))) == 512
        assert "records of the hosts file left out" in proxy.log()
        assert asked(proxy.port, "same.home.arpa", "A", "udp").flags & dns.flags.TC, "cut over UDP"


# ---- --query ----


#: (NAME [TYPE], what --query prints)
EXPLAINED = [
    (["nas.home.arpa"], "nas.home.arpa. A: answered from names.records\n  nas.home.arpa.\t3600\tIN\tA\t192.0.2.1\n"),
    (["NAS.home.arpa", "mx"], "nas.home.arpa. MX: answered from names.records\n  NODATA\n"),
    (["x.apps.example"], "x.apps.example. A: answered from names.records, by a wildcard\n"
                         "  x.apps.example.\t3600\tIN\tA\t192.0.2.2\n"),
    (["x.apps.example", "aaaa"], "x.apps.example. AAAA: answered from names.records, by a wildcard\n  NODATA\n"),
    (["host.home.arpa"], "host.home.arpa. A: answered from names.hosts_file\n"
                         "  host.home.arpa.\t60\tIN\tA\t192.0.2.9\n"),
    (["9.2.0.192.in-addr.arpa", "PTR"], "9.2.0.192.in-addr.arpa. PTR: answered from names.hosts_file\n"
                                        "  9.2.0.192.in-addr.arpa.\t60\tIN\tPTR\thost.home.arpa.\n"),
    (["gone.home.arpa"], "gone.home.arpa. A: answered from names.records\n"
                         "  gone.home.arpa.\t3600\tIN\tCNAME\tx.local.\n  NXDOMAIN\n"),
    (["loop.home.arpa"], "loop.home.arpa. A: answered from names.records\n"
                         "  its records cannot be followed, or are too many for a message: SERVFAIL\n"),
    (["in.home.arpa"], "in.home.arpa. A: answered from names.records\n"
                       "  in.home.arpa.\t3600\tIN\tCNAME\twww.corp.example.\n"
                       "  leads to www.corp.example.: forwarded by the route of corp.example. to 10.0.0.1:53 "
                       "(plain TCP)\n"),
    (["x.nas.home.arpa"], "x.nas.home.arpa. A: special-use name (RFC 8375, 4): NXDOMAIN\n"),
    (["localhost"], "localhost. A: special-use name (RFC 6761, 6.3): the loopback address\n"),
    (["_dns.resolver.arpa", "SVCB"], "_dns.resolver.arpa. SVCB: special-use name (RFC 9462, 6.4): NODATA\n"),
    (["nas.home.arpa", "any"], "nas.home.arpa. ANY: refused with NOTIMP (RFC 8482)\n"),
    (["corp.example", "AXFR"], "corp.example. AXFR: refused with REFUSED: zones are not transferred\n"),
    (["corp.example", "TYPE249"], "corp.example. TYPE249: refused with FORMERR: no name has data of this type\n"),
    (["."], ". A: forwarded to the upstreams 192.0.2.53:853#dns.example\n"),
]


def test_query_prints_what_is_done_with_a_name(tmp_path):
    path, hosts = tmp_path / "dns.yaml", tmp_path / "hosts"
    hosts.write_text("192.0.2.9 host.home.arpa\n")
    path.write_text(f"""names:
  hosts_file: "{hosts}"
  records: ["nas.home.arpa A 192.0.2.1", "*.apps.example A 192.0.2.2", "out.home.arpa CNAME www.example.com",
    "gone.home.arpa CNAME x.local", "loop.home.arpa CNAME loop.home.arpa", "in.home.arpa CNAME www.corp.example"]
routes:
  - {{zones: [corp.example], upstreams: [{{address: 10.0.0.1, transport: tcp}}]}}
upstreams: [{{address: 192.0.2.53, name: dns.example}}]
""")

    def explain(*arguments):
        done = run("--config", path, "--query", *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    for arguments, wanted in EXPLAINED:
        assert explain(*arguments) == wanted, arguments
    assert explain("x.local", "MX") == "x.local. MX: special-use name (RFC 6762, 22.1): NXDOMAIN\n"
    assert explain("www.corp.example") == ("www.corp.example. A: forwarded by the route of corp.example. to "
                                           "10.0.0.1:53 (plain TCP)\n")
    assert explain("example.com") == "example.com. A: forwarded to the upstreams 192.0.2.53:853#dns.example\n"
    assert "leads to www.example.com.: forwarded to the upstreams" in explain("out.home.arpa")
    assert explain("home.arpa", "DS").startswith("home.arpa. DS: special-use name (RFC 8375, 4): forwarded to")
    for wrong in ("a..b", "", "bücher.example", "a b"):
        assert run("--config", path, "--query", wrong).returncode == 1, wrong
    assert run("--config", path, "--query", "a", "NOTYPE").returncode == 1
