"""The example configurations of the package, each started as it is: with its own addresses and ports, in a network in
which the public resolvers, the company's servers and the cluster's DNS are servers of ours at the other end of a cable.
Whatever an example says of itself is tried.
"""
import contextlib
import http.client
import json
import pathlib
import secrets
import subprocess

import dns.message
import dns.query
import dns.rcode
import dns.reversename
import pytest
from hostile import Hostile
from namespace import Neighbour, ip, is_possible, namespace
from pki import Pki
from process import Process, wait_for
from proxy import PROGRAM, SANITIZER_OPTIONS
from remote import Remote
from shared_store import LEAST_RIGHTS, SharedStore, Unavailable
from tcp_server import start_tcp_server

pytestmark = pytest.mark.skipif(not is_possible(), reason="needs root, for a network namespace: no example was started")

DEPLOY = pathlib.Path(__file__).parents[2] / "scripts/deploy"
FOLDER = DEPLOY / "examples"
KUBERNETES = DEPLOY / "kubernetes/overlays/node-local/dns-tls-proxy.yaml"

NAMES = "DNS:cloudflare-dns.com,DNS:dns.quad9.net,DNS:dns.branch.corp.example"
PUBLIC, COMPANY = "192.0.2.1", "10.0.0.99"  # what the servers answer with
FIRST, SECOND = ("1.1.1.1", "2606:4700:4700::1111"), ("9.9.9.9", "2620:fe::fe")
HERE = ("192.168.1.1", "10.0.0.2", "169.254.20.10", "fd00::1")  # of the machine on which the program runs
STORE, PASSWORD = "10.0.0.60", "of-the-store"
THERE = (*FIRST, *SECOND, "1.0.0.1", "10.0.0.53", "10.0.1.53", "10.8.0.53", "10.96.0.10", STORE)
HOME, STRANGER = "192.168.1.50", "10.66.0.7"  # the second is allowed by default, but not by the home router


class World:
    """The machine of the examples: this thread's network, and `other`, behind its cable."""

    def __init__(self, other, pki, tls, tcp):
        self.other, self.pki, self.tls, self.tcp = other, pki, tls, tcp

    @contextlib.contextmanager
    def start(self, file, folder, http_host="127.0.0.1", wrapper=()):
        """The program with that file, once it is ready; `wrapper` is a command that runs it in its own place."""
        self.tls.forget()
        self.tcp.forget()
        command = [*wrapper, PROGRAM, "--config", str(file), "--ca-file", self.pki.ca_file, "--no-state"]
        with Process("example", command, folder, SANITIZER_OPTIONS) as process:
            wait_for(lambda: is_ready(process, http_host), "/readyz is 200", 30)
            yield process
            process.stop()


def with_credentials(folder):
    """Runs a command where systemd has given it the files in `folder`."""
    place = "/run/credentials/dns-tls-proxy.service"
    script = f"mount -t tmpfs none /run && mkdir -p {place} && cp {folder}/* {place} && exec \"$@\""
    return ["unshare", "-m", "sh", "-ec", script, "sh"]


def is_ready(process, host):
    assert process.child.poll() is None, process.log_tail()
    with contextlib.suppress(OSError):
        connection = http.client.HTTPConnection(host, 5000, timeout=5)
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    return False


@pytest.fixture(name="world", scope="module")
def fixture_world(tmp_path_factory):
    pki = Pki(tmp_path_factory.mktemp("pki"), {"right": (NAMES, 30, "ca")})
    certificate, key = pki.certificate()
    with contextlib.ExitStack() as stack:
        stack.enter_context(namespace())
        other = stack.enter_context(Neighbour("lan0"))
        for address in HERE:
            ip("address", "add", address + ("/64" if ":" in address else "/24"), "dev", "lan0", "nodad")
        ip("route", "add", "default", "via", "192.168.1.50")
        ip("route", "add", "default", "via", "fd00::2")
        with other.within():
            for address in (f"{HOME}/24", f"{STRANGER}/32", "fd00::2/64"):
                ip("address", "add", address, "dev", "far0", "nodad")
            ip("route", "add", "default", "via", "192.168.1.1")
            for address in THERE:
                ip("address", "add", address, "dev", "lo", *(["nodad"] if ":" in address else []))
            tls = stack.enter_context(Remote(Hostile, port=853, host="::", certificate=certificate, key=key))
            tls.start()
            tcp = stack.enter_context(start_tcp_server(COMPANY, port=53, host="0.0.0.0"))
        yield World(other, pki, tls, tcp)


def ask(name, qtype="A", server="127.0.0.1", transport=dns.query.udp, **options):
    """(its rcode, its data), asked on port 53."""
    response = transport(dns.message.make_query(name, qtype), server, timeout=10, **options)
    return response.rcode(), [data.to_text() for each in response.answer for data in each]


def answered(*data):
    return dns.rcode.NOERROR, list(data)


@pytest.fixture(name="credentials", scope="module")
def fixture_credentials(tmp_path_factory):
    """The secrets of a fleet."""
    folder = tmp_path_factory.mktemp("secrets")
    (folder / "fleet.secret").write_text(f"{secrets.token_hex(32)}\n", encoding="ascii")
    (folder / "store.password").write_text(f"{PASSWORD}\n", encoding="ascii")
    return folder


def test_each_example_is_tried():
    tried = {"laptop.yaml", "home-router.yaml", "company.yaml", "fleet.yaml",
             "resolved.conf"}  # by check_ports of test/deploy, where there is a systemd-resolved
    assert {file.name for file in FOLDER.iterdir()} == tried


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.yaml")) + [KUBERNETES], ids=lambda file: file.stem)
def test_the_configuration_is_good_and_says_what_it_is_for(file, credentials):
    done = subprocess.run([*with_credentials(credentials), PROGRAM, "--config", file, "--check-config"], check=False,
                          capture_output=True, text=True, timeout=20)
    assert done.returncode == 0, done.stderr
    assert file.read_text(encoding="utf-8").startswith("# ")


def test_laptop(world, tmp_path):
    with world.start(FOLDER / "laptop.yaml", tmp_path):
        for number, (server, transport) in enumerate((server, transport) for server in ("127.0.0.1", "::1")
                                                     for transport in (dns.query.udp, dns.query.tcp)):
            assert ask(f"a{number}.example", server=server, transport=transport) == answered(PUBLIC)
        assert ask("localhost") == answered("127.0.0.1")
        with world.other.within(), pytest.raises(OSError):
            ask("b.example", server="192.168.1.1", transport=dns.query.tcp)
        # A network that does not let the first provider through.
        for address in FIRST:
            ip("route", "add", "unreachable", address)
        world.tls.end_all(how="reset")
        try:
            assert ask("c.example", transport=dns.query.tcp) == answered(PUBLIC)
        finally:
            for address in FIRST:
                ip("route", "del", "unreachable", address)


def test_home_router(world, tmp_path):
    with world.start(FOLDER / "home-router.yaml", tmp_path):
        assert ask("a.example") == answered(PUBLIC)
        with world.other.within():
            for transport in (dns.query.udp, dns.query.tcp):
                own = {"server": "192.168.1.1", "source": HOME, "transport": transport}
                assert ask("b.example", **own) == answered(PUBLIC)
                assert ask("nas.home.arpa", **own) == answered("192.168.1.10")
                assert ask("router.home.arpa", **own) == answered("192.168.1.1")
                assert ask(dns.reversename.from_address("192.168.1.10"), "PTR", **own) == answered("nas.home.arpa.")
            assert ask("c.example", server="fd00::1") == answered(PUBLIC)
            with pytest.raises(OSError):
                ask("d.example", server="192.168.1.1", source=STRANGER, transport=dns.query.tcp)
            with pytest.raises(dns.exception.Timeout):
                dns.query.udp(dns.message.make_query("d.example", "A"), "192.168.1.1", source=STRANGER, timeout=1)
        assert not [name for name in world.tls.queries() if "home.arpa" in name or name.startswith("d.")]


def test_company(world, tmp_path):
    with world.start(FOLDER / "company.yaml", tmp_path, "10.0.0.2") as process:
        with world.other.within():
            own = {"server": "10.0.0.2", "source": "10.0.0.53"}
            assert ask("www.example", **own) == answered(PUBLIC)
            assert ask("www.corp.example", **own) == answered(COMPANY)
            assert ask("www.branch.corp.example", **own) == answered(PUBLIC)  # the address that all TLS servers tell
            assert ask(dns.reversename.from_address("10.1.2.3"), "PTR", **own)[0] == dns.rcode.NOERROR
        own_names = {name for name in world.tcp.queries() if name}
        assert own_names >= {"www.corp.example", "3.2.1.10.in-addr.arpa"}
        assert not {name for name in world.tls.queries()} & own_names
        labels = [line for line in metrics("10.0.0.2") if line.startswith("dns_tls_proxy_upstream_queries_total")]
        assert any("branch.corp.example/10.8.0.53" in line for line in labels), labels
        assert all(json.loads(line) for line in process.log().splitlines() if line.startswith("{"))
        assert '"event":"listening"' in process.log().replace('": "', '":"')


def metrics(host):
    connection = http.client.HTTPConnection(host, 5000, timeout=5)
    connection.request("GET", "/metrics")
    return connection.getresponse().read().decode().splitlines()


def test_kubernetes_node(world, tmp_path):
    with world.start(KUBERNETES, tmp_path, "10.0.0.2"):
        own = {"server": "169.254.20.10"}
        assert ask("www.example", **own) == answered(PUBLIC)
        for transport in (dns.query.udp, dns.query.tcp):
            assert ask("web.default.svc.cluster.local", transport=transport, **own) == answered(COMPANY)
        assert "web.default.svc.cluster.local" in world.tcp.queries()
        assert not [name for name in world.tls.queries() if "cluster.local" in name]


def wait_store_in_use():
    wait_for(lambda: "dns_tls_proxy_shared_cache_state 4" in metrics("10.0.0.2"), "the store is in use", 30)


def test_fleet(world, credentials, tmp_path):
    wrapper = with_credentials(credentials)
    with contextlib.ExitStack() as stack:
        with world.other.within():
            try:
                users = {"fleet": (PASSWORD, LEAST_RIGHTS)}
                stack.enter_context(SharedStore(tmp_path, host=STORE, port=6379, users=users))
            except Unavailable as why:
                pytest.skip(str(why))
        with world.start(FOLDER / "fleet.yaml", tmp_path, "10.0.0.2", wrapper):
            wait_store_in_use()
            with world.other.within():
                assert ask("shared.example", server="10.0.0.2", source=STORE) == answered(PUBLIC)
            wait_for(lambda: "dns_tls_proxy_shared_cache_written_total 1" in metrics("10.0.0.2"), "it is in the store")
        with world.start(FOLDER / "fleet.yaml", tmp_path, "10.0.0.2", wrapper):  # another node, which knows nothing
            wait_store_in_use()
            assert ask("shared.example") == answered(PUBLIC)
            assert 'dns_tls_proxy_shared_cache_results_total{result="hit"} 1' in metrics("10.0.0.2")
