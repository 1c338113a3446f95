"""The proxy as the resolver of pods: a cluster's DNS server (NSD, Unbound) answers its zones over plain TCP on a route,
the rest of the names goes to a DNS-over-TLS server, and pods (glibc, musl) ask with the search path of Kubernetes over
a link-local address.
"""
import contextlib
import shutil
import subprocess

import dns.edns
import dns.exception
import dns.message
import dns.query
import dns.rcode
import pytest
from dot_servers import nsd_command, unbound_command
from hostile import start_hostile
from namespace import is_possible, namespace
from process import Process, wait_for
from proxy import Proxy

pytestmark = pytest.mark.skipif(not is_possible(), reason="needs root, for a network namespace")

CLUSTER, NODE = "10.96.0.10", "169.254.20.10"  # the cluster's DNS service; the node's address that pods ask
SEARCH = ["default.svc.cluster.local", "svc.cluster.local", "cluster.local"]
ZONES = {
    "cluster.local": """@ SOA ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 1
@ NS ns.dns
ns.dns A 10.96.0.10
web.default.svc A 10.96.0.20
web.default.svc AAAA fd00:96::20
pair.default.svc A 10.96.0.21
pair.default.svc A 10.96.0.22
api.other.svc A 10.96.0.30
_http._tcp.web.default.svc SRV 0 100 80 web.default.svc
outside.default.svc CNAME www.outside.example.
""",
    "96.10.in-addr.arpa": """@ SOA ns.dns.cluster.local. hostmaster.cluster.local. 1 7200 1800 86400 1
@ NS ns.dns.cluster.local.
20.0 PTR web.default.svc.cluster.local.
""",
}
ROUTE = {"zones": list(ZONES), "upstreams": [{"address": CLUSTER, "port": 53, "transport": "tcp"}]}

LOOKUP = r"""
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
static void reverse(const char *ip)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    char name[256] = "";
    inet_pton(AF_INET, ip, &address.sin_addr);
    int status = getnameinfo((void *)&address, sizeof address, name, sizeof name, NULL, 0, NI_NAMEREQD);
    printf("%s %s\n", ip, status ? "-" : name);
}
static void forward(const char *name)
{
    char text[64];
    struct addrinfo *found = NULL;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    int status = getaddrinfo(name, NULL, &hints, &found);
    printf("%s", name);
    if (status) printf(" %s", status == EAI_AGAIN ? "again" : "none");
    for (struct addrinfo *each = found; each; each = each->ai_next) {
        getnameinfo(each->ai_addr, each->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST);
        printf(" %s", text);
    }
    printf("\n");
}
int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        struct in_addr ip;
        if (inet_pton(AF_INET, argv[i], &ip) == 1) reverse(argv[i]); else forward(argv[i]);
    }
    return 0;
}
"""


def write_zones(folder):
    paths = {}
    for zone, records in ZONES.items():
        paths[zone] = folder / f"{zone}.zone"
        paths[zone].write_text(f"$ORIGIN {zone}.\n$TTL 1\n{records}")
    return paths


def cluster_nsd(folder):
    return nsd_command(folder, "nsd", f"  ip-address: {CLUSTER}@53", write_zones(folder))


def cluster_unbound(folder):
    zones = "".join(f'auth-zone:\n  name: "{zone}."\n  zonefile: "{path}"\n  for-upstream: no\n'
                    for zone, path in write_zones(folder).items())
    return unbound_command(folder, "unbound", f"""  interface: {CLUSTER}
  num-threads: 1
  access-control: 0.0.0.0/0 allow
  incoming-num-tcp: 100
  local-zone: "10.in-addr.arpa." nodefault""", zones)


COMMANDS = {"nsd": cluster_nsd, "unbound": cluster_unbound}


class Cluster:
    """A cluster's DNS server, which may be stopped and started again."""

    def __init__(self, kind, folder):
        self.command, self.folder, self.starts, self.process = COMMANDS[kind](folder), folder, 0, None
        self.start()

    def start(self):
        self.starts += 1
        self.process = Process(f"cluster-{self.starts}", self.command, self.folder)
        self.process.wait_listening(53, host=CLUSTER)

    def stop(self):
        self.process.stop()


@pytest.fixture(name="pod", params=list(COMMANDS))
def _pod(request, pki, tmp_path):
    """(the cluster's DNS server, the public upstream, the proxy) in a network of their own."""
    if not shutil.which(request.param):
        pytest.skip(f"{request.param} is not installed")
    with contextlib.ExitStack() as stack:
        stack.enter_context(namespace(f"{CLUSTER}/32", f"{NODE}/32"))
        public = stack.enter_context(start_hostile(pki))
        cluster = Cluster(request.param, tmp_path)
        stack.callback(cluster.stop)
        config = {"listen": ["127.0.0.1:53", f"{NODE}:53"], "routes": [ROUTE], "names": {"special_use": "local"},
                  "prefetch": {"top": 0}}
        yield cluster, public, stack.enter_context(Proxy(tmp_path, pki, [public.port], config))


@pytest.fixture(scope="module", name="lookup")
def _lookup(module_path):
    """compiler -> a program that looks names up with that libc."""
    source = module_path / "lookup.c"
    source.write_text(LOOKUP)
    programs = {}
    for compiler in ("gcc", "musl-gcc"):
        if shutil.which(compiler):
            programs[compiler] = module_path / f"lookup-{compiler}"
            subprocess.run([compiler, "-D_GNU_SOURCE", "-o", programs[compiler], source], check=True)
    return programs


def look_up(folder, program, *names):
    """name -> what a pod's libc finds, with the resolv.conf that Kubernetes writes."""
    resolv, switch = folder / "resolv.conf", folder / "nsswitch.conf"
    resolv.write_text(f"nameserver {NODE}\nsearch {' '.join(SEARCH)}\noptions ndots:5\n")
    switch.write_text("hosts: dns\n")
    script = f'mount --bind {resolv} /etc/resolv.conf && mount --bind {switch} /etc/nsswitch.conf && exec "$0" "$@"'
    command = ["unshare", "-m", "sh", "-c", script, program, *names]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    return {line.split()[0]: sorted(line.split()[1:]) for line in said.splitlines()}


def asked(name, qtype="A", transport="udp"):
    """The response, over UDP as a stub resolver gets it: it asks again where none comes. A question that waited in the
    kernel for over a second, since the machine is busy, is dropped and counted (test_udp_turns.py)."""
    query = dns.message.make_query(name, qtype, use_edns=0)
    if transport == "tcp":
        return dns.query.tcp(query, NODE, timeout=10)
    for _ in range(4):
        with contextlib.suppress(dns.exception.Timeout):
            return dns.query.udp(query, NODE, timeout=2)
    return dns.query.udp(query, NODE, timeout=2)


def data(response):
    return sorted(rdata.to_text() for rrset in response.answer for rdata in rrset)


def errors(response):
    """The info codes of its Extended DNS Errors."""
    return [option.code for option in response.options if option.otype == dns.edns.EDE]


def leaked(public):
    """Names of the cluster that came to the public upstream."""
    return [name for name in public.queries() if name.endswith(tuple(ZONES))]


PODS_FIND = {
    "web": ["10.96.0.20", "fd00:96::20"],
    "pair": ["10.96.0.21", "10.96.0.22"],
    "api.other": ["10.96.0.30"],
    "api.other.svc": ["10.96.0.30"],
    "web.default.svc.cluster.local": ["10.96.0.20", "fd00:96::20"],
    "web.default.svc.cluster.local.": ["10.96.0.20", "fd00:96::20"],
    "10.96.0.20": ["web.default.svc.cluster.local"],
    "10.96.0.99": ["-"],
    "nx-missing": None,
    "nx-www.example.com": None,
}


def test_pods_find_services_and_the_rest_of_the_world(pod, lookup, tmp_path):
    _, public, _ = pod
    for compiler, program in lookup.items():
        found = look_up(tmp_path, program, *PODS_FIND, "www.example.com", "www.example.com.")
        for name, wanted in PODS_FIND.items():
            if wanted:
                assert found[name] == wanted, (compiler, name)
            else:
                assert found[name] == ["none"], (compiler, name)
        for name in ("www.example.com", "www.example.com."):
            assert "192.0.2.1" in found[name], (compiler, name)
    assert len(lookup) >= 1 and not leaked(public)
    wanted = {"www.example.com", "nx-www.example.com", "nx-missing"}
    assert set(public.queries()) - {""} <= wanted, "the search path stays in the cluster"


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_records_of_the_cluster_are_passed_on_as_they_are(pod, transport):
    _, public, _ = pod
    assert data(asked("web.default.svc.cluster.local", "AAAA", transport)) == ["fd00:96::20"]
    assert data(asked("_http._tcp.web.default.svc.cluster.local", "SRV", transport)) == [
        "0 100 80 web.default.svc.cluster.local."]
    assert data(asked("20.0.96.10.in-addr.arpa", "PTR", transport)) == ["web.default.svc.cluster.local."]
    nodata = asked("web.default.svc.cluster.local", "MX", transport)
    assert (nodata.rcode(), data(nodata), len(nodata.authority)) == (0, [], 1)
    for suffix in SEARCH:
        assert asked(f"www.example.com.{suffix}", "A", transport).rcode() == dns.rcode.NXDOMAIN
    for name in ("1.0.0.10.in-addr.arpa", "printer.local"):  # beside the routes they are special-use names
        assert asked(name, "PTR", transport).rcode() == dns.rcode.NXDOMAIN, name
    assert not leaked(public)


def test_alias_that_leads_out_of_the_cluster_is_left_to_its_server(pod):
    _, public, _ = pod
    response = asked("outside.default.svc.cluster.local")
    assert "www.outside.example." in data(response) or response.rcode() == dns.rcode.SERVFAIL
    assert "www.outside.example" not in public.queries(), "a route leads to its own servers alone"


def test_stopped_cluster_dns_costs_its_own_zones_alone(pod, lookup, tmp_path):
    cluster, public, proxy = pod
    known, search = "web.default.svc.cluster.local", "www.example.com.default.svc.cluster.local"
    assert data(asked(known)) == ["10.96.0.20"] and asked(search).rcode() == dns.rcode.NXDOMAIN
    for _ in range(2):
        cluster.stop()
        # What was known is given from the cache, and behind its TTL of a second as stale (RFC 8767; EDE 3 and 19).
        wait_for(lambda: 3 in errors(asked(known)), "the stale answer")
        assert data(asked(known)) == ["10.96.0.20"]
        wait_for(lambda: 19 in errors(asked(search)), "the stale NXDOMAIN")
        assert asked(search).rcode() == dns.rcode.NXDOMAIN
        # What was not fails, with a reason; public names are not touched, also behind the search path.
        new = asked(f"new-{cluster.starts}.default.svc.cluster.local")
        assert new.rcode() == dns.rcode.SERVFAIL and set(errors(new)) & {22, 23}, new
        assert data(asked(f"public-{cluster.starts}.example.com")) == ["192.0.2.1"]
        if "gcc" in lookup:
            found = look_up(tmp_path, lookup["gcc"], f"fresh-{cluster.starts}.example.com", "web")
            assert "192.0.2.1" in found[f"fresh-{cluster.starts}.example.com"] and "10.96.0.20" in found["web"]
        assert not leaked(public), "it never falls back to the public upstream"
        cluster.start()
        name = f"back-{cluster.starts}.default.svc.cluster.local"
        wait_for(lambda: asked(name).rcode() == dns.rcode.NXDOMAIN, "the cluster's DNS server to be used again")
        wait_for(lambda: not errors(asked(known)), "a fresh answer")
    assert not leaked(public)
    assert proxy.child.poll() is None
