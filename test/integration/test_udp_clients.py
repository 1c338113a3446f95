"""Resolvers of others over UDP: command-line tools, libc, Python, and servers that forward to us; truncation sends each
of them to TCP.
"""
import contextlib
import pathlib
import re
import shutil
import subprocess
import sys

import hostile as upstreams
import pytest
import wire
from dnsclient import ask
from dot_servers import unbound_command
from figures import Since
from namespace import is_possible, namespace
from process import Process, free_port
from proxy import Proxy
from udpclient import UdpClient, ask_udp

needs_namespace = pytest.mark.skipif(not is_possible(), reason="needs root, for a network namespace")

TOOLS = {
    "dig": "dig @127.0.0.1 -p {port} {name} {qtype}",
    "dig without cookie and EDNS": "dig +noedns @127.0.0.1 -p {port} {name} {qtype}",
    "kdig": "kdig @127.0.0.1 -p {port} {name} {qtype}",
    "kdig with a cookie": "kdig +cookie @127.0.0.1 -p {port} {name} {qtype}",
    "drill": "drill -p {port} {name} @127.0.0.1 {qtype}",
    "host": "host -t {qtype} -p {port} {name} 127.0.0.1",
    "nslookup": "nslookup -type={qtype} -port={port} {name} 127.0.0.1",
}


def run(command, **options):
    said = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False, **options)
    return said.stdout + said.stderr


@pytest.mark.parametrize("tool", TOOLS)
def test_tools_get_short_answers_over_udp_and_long_ones_over_tcp(proxy, tool):
    since = Since(proxy)
    said = run(TOOLS[tool].format(port=proxy.port, name="a.test", qtype="A").split())
    assert "192.0.2.1" in said, said
    assert since.sum("queries_total", transport="udp") >= 1 and since.sum("queries_total", transport="tcp") == 0
    command = TOOLS[tool].format(port=proxy.port, name="big-1.test", qtype="TXT").split()
    said = run(command)
    if tool == "drill":
        assert "truncated" in said, "it leaves it to its user"
        said = run([*command, "-t"])
    assert "aaaaaaaa" in said and "eeeeeeee" in said, said
    assert since.sum("truncated_responses_total") >= 1 and since.sum("queries_total", transport="tcp") >= 1


@contextlib.contextmanager
def resolver_world(pki, folder, name):
    """The proxy on port 53 of a network of its own, and what this thread starts there asks it."""
    with namespace(), upstreams.start_hostile(pki) as upstream:
        config = {"listen": ["127.0.0.1:53", "[::1]:53"]}
        with Proxy(folder, pki, [upstream.port], config, name=name) as proxy:
            yield proxy


def with_resolv_conf(folder, options, command):
    """The command as run with an /etc/resolv.conf of its own, in a mount namespace."""
    path = folder / "resolv.conf"
    path.write_text(f"nameserver 127.0.0.1\nnameserver ::1\n{f'options {options}' if options else ''}\n")
    hosts = folder / "nsswitch.conf"
    hosts.write_text("hosts: dns\n")
    script = f"mount --bind {path} /etc/resolv.conf && mount --bind {hosts} /etc/nsswitch.conf && exec {command}"
    return run(["unshare", "-m", "sh", "-c", script])


LIBC_PROGRAM = r"""
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <arpa/inet.h>
int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        struct addrinfo *found = NULL;
        int status = getaddrinfo(argv[i], NULL, &(struct addrinfo){.ai_socktype = SOCK_STREAM}, &found);
        int count = 0;
        for (struct addrinfo *each = found; each; each = each->ai_next) count++;
        printf("%s %s %d\n", argv[i], status ? gai_strerror(status) : "found", count);
    }
    return 0;
}
"""

#: Each option of resolv.conf(5) alone, and sets of them that are in use.
OPTIONS = ("", "debug", "ndots:0", "ndots:5", "ndots:15", "timeout:1", "attempts:1", "timeout:30 attempts:5", "rotate",
           "no-check-names", "inet6", "ip6-bytestring", "edns0", "single-request", "single-request-reopen",
           "no-tld-query", "use-vc", "no-reload", "trust-ad", "no-aaaa", "edns0 trust-ad", "edns0 use-vc",
           "edns0 trust-ad single-request timeout:1 attempts:2", "rotate single-request-reopen edns0",
           "rotate timeout:1 attempts:1 ndots:5", "use-vc rotate single-request trust-ad no-aaaa")


def build_lookup(folder, compiler, *flags):
    source, program = folder / "lookup.c", folder / f"lookup-{compiler}"
    source.write_text(LIBC_PROGRAM)
    subprocess.run([compiler, "-D_GNU_SOURCE", *flags, "-o", program, source], check=True)
    return program


def looked_up(folder, options, program, *names):
    """Name -> what getaddrinfo says of it: "found" and how many, or why not."""
    said = with_resolv_conf(folder, options, f"{program} {' '.join(names)}")
    lines = dict(line.split(" ", 1) for line in said.splitlines() if line.split(" ")[0] in names)
    assert set(lines) == set(names), said
    return lines


@needs_namespace
@pytest.mark.skipif(not shutil.which("gcc"), reason="gcc is not installed")
def test_getaddrinfo_of_glibc(pki, module_path):
    """With each of its options: UDP first but with use-vc, TCP for what is cut."""
    program = build_lookup(module_path, "gcc")
    with resolver_world(pki, module_path, "glibc") as proxy:
        for index, options in enumerate(OPTIONS):
            since = Since(proxy)
            long = f"big-{index}.test"
            found = looked_up(module_path, options, program, "a.test", f"nx-{index}.test", long)
            assert found["a.test"].startswith("found"), (options, found)
            assert "not known" in found[f"nx-{index}.test"], (options, found)
            assert found[long].startswith("found 2"), ("256 addresses, over TCP", options, found)
            over = {transport: since.sum("queries_total", transport=transport) for transport in ("udp", "tcp")}
            assert over["tcp"] > 0 and (over["udp"] == 0) == ("use-vc" in options), (options, over)
        assert proxy.log().count("error") == 0


def musl_version():
    """Of the loader, which says it to whoever starts it alone."""
    for loader in pathlib.Path("/lib").glob("ld-musl-*.so.1"):
        found = re.search(r"Version (\d+)\.(\d+)\.(\d+)", run([loader]))
        if found:
            return tuple(map(int, found.groups()))
    return (0, 0, 0)


@needs_namespace
@pytest.mark.skipif(not shutil.which("musl-gcc"), reason="musl-tools is not installed")
def test_getaddrinfo_of_musl(pki, module_path):
    """In a static program. It asks over TCP for what is cut from 1.2.4 on, and takes up to 768 bytes; from 1.2.5 on it
    takes as much as there is. Before, it has no answer then.
    """
    program = build_lookup(module_path, "musl-gcc", "-static")
    with resolver_world(pki, module_path, "musl") as proxy:
        for options in ("", "ndots:5", "timeout:10 attempts:1"):
            since = Since(proxy)
            found = looked_up(module_path, options, program, "a.test", "nx-1.test", "big-640.test", "big-musl.test")
            assert found["a.test"] == "found 2", found
            assert "not resolve" in found["nx-1.test"], found
            assert since.sum("truncated_responses_total") > 0
            version = musl_version()
            has_tcp = version >= (1, 2, 4)
            assert found["big-640.test"].startswith("found") == has_tcp, (version, options, found)
            assert found["big-musl.test"].startswith("found") == (version >= (1, 2, 5)), (version, options, found)
            assert (since.sum("queries_total", transport="tcp") > 0) == has_tcp


@needs_namespace
def test_python_and_busybox(pki, module_path):
    with resolver_world(pki, module_path, "others"):
        said = with_resolv_conf(module_path, "", f"{sys.executable} -c \"import socket; "
                                "print(socket.gethostbyname('a.test'), len(socket.getaddrinfo('big-3.test', 80)))\"")
        assert said.startswith("192.0.2.1 ") and int(said.split()[1]) >= 256, said
        said = run([sys.executable, "-c", "import dns.resolver; r = dns.resolver.Resolver(configure=False); "
                    "r.nameservers = ['127.0.0.1', '::1']; print(len(r.resolve('big-4.test', 'TXT')[0].strings), "
                    "r.resolve('a.test')[0])"])
        assert said == "16 192.0.2.1\n", said
        if shutil.which("busybox"):
            assert "192.0.2.1" in run(["busybox", "nslookup", "a.test", "127.0.0.1"])


@contextlib.contextmanager
def forwarder(name, folder, target, port):
    if name == "unbound":
        command = unbound_command(folder, "unbound-forward", f"""  interface: 127.0.0.1@{port}
  do-not-query-localhost: no
  local-zone: "test." nodefault""", f"""forward-zone:
  name: "."
  forward-addr: 127.0.0.1@{target}""")
    elif name == "dnsdist":
        path = folder / "dnsdist-forward.conf"
        path.write_text(f"""setLocal("127.0.0.1:{port}")
setACL("127.0.0.0/8")
setSecurityPollSuffix("")
newServer({{address="127.0.0.1:{target}", healthCheckMode="up", sockets=1}})
""")
        command = ["dnsdist", "-C", path, "--supervised", "--disable-syslog"]
    else:
        command = ["dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-resolv", "--no-hosts",
                   "--user=root", "--pid-file", f"--port={port}", "--listen-address=127.0.0.1", "--bind-interfaces",
                   f"--server=127.0.0.1#{target}", "--log-facility=-"]
    with Process(name, command, folder) as process:
        process.wait_listening(port)
        yield


@pytest.mark.parametrize("name", ["unbound", "dnsmasq", "dnsdist"])
def test_servers_that_forward_to_us(proxy, module_path, name):
    if not shutil.which(name):
        pytest.skip(f"{name} is not installed")
    since = Since(proxy)
    port = free_port()
    with forwarder(name, module_path, proxy.port, port):
        for i in range(20):
            assert wire.rcode_of(ask_udp(port, f"f{i}-{name}.test")) == wire.NOERROR
        assert wire.rcode_of(ask_udp(port, f"nx-{name}.test")) == wire.NXDOMAIN
        assert since.sum("queries_total", transport="udp") >= 21
        with UdpClient(port) as client:  # dnsdist sends them on from one port of its own
            for qtype in ("A", "AAAA"):
                client.send(*(wire.query(f"f{i}-{name}.test", qtype, number=i) for i in range(20)))
                assert sorted(wire.number_of(client.receive()) for _ in range(20)) == list(range(20))
        long = f"big-{name}.test"
        over_udp = ask_udp(port, long, "TXT", additional=[wire.opt()])
        assert wire.flags_of(over_udp) & wire.TC and len(ask(port, long, "TXT")) > 4000, "cut over UDP, whole over TCP"
        assert since.sum("truncated_responses_total") >= 1 and since.sum("queries_total", transport="tcp") >= 1


def test_two_thousand_mixed_questions_are_equal_over_udp_and_tcp(proxy):
    """Names of all kinds, with every combination of flags; but for the id, and where they fit."""
    kinds = ("a{}", "nx-{}", "ttl-7-{}", "big-512-{}", "big-{}", "servfail-{}")
    types = ("A", "AAAA", "TXT", "MX", "SOA")
    cut = 0
    for i in range(2000):
        name = kinds[i % len(kinds)].format(i // 40) + ".test"
        additional = ([], [wire.opt()], [wire.opt(flags=wire.DO)], [wire.opt(payload=4096)])[i % 4]
        flags = wire.RD | (wire.CD if i % 3 == 0 else 0) | (wire.AD if i % 5 == 0 else 0)
        query = {"qtype": types[i % 5], "number": i, "flags": flags, "additional": additional}
        over_tcp = ask(proxy.port, name, **query)
        over_udp = ask_udp(proxy.port, name, **query)
        if wire.flags_of(over_udp) & wire.TC:
            assert len(over_tcp) > 512
            cut += 1
            continue
        assert wire.rcode_of(over_udp) == wire.rcode_of(over_tcp), (i, name)
        assert wire.content(over_udp) == wire.content(over_tcp), (i, name)
    assert 0 < cut < 1000
