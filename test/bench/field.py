"""field: the servers that are measured, all on free ports of loopback, all in front of the same DoT server.

Each gets two threads where it knows threads, a cache that holds all names, and no limits on clients.
"""
import contextlib
import os
import pathlib
import socket
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test/support"))
sys.dont_write_bytecode = True

from peers import PACKAGES, Peers  # noqa: E402
from pki import openssl  # noqa: E402
from process import Process, free_port, wait_for  # noqa: E402

OURS = "dns-tls-proxy"
SERVER_NAME = "cloudflare-dns.com"
NAMES = (SERVER_NAME, "one.one.one.one")  #: of the first upstream and the second; on one certificate
LIMITS = ("echo", "tls_swap", "udp_echo")
PEERS = tuple(PACKAGES)
TITLES = {"echo": "limit", "tls_swap": "limit", "udp_echo": "limit", OURS: OURS, "dnsdist": "dnsdist",
          "unbound": "Unbound", "kresd": "Knot Resolver", "smartdns": "SmartDNS"}

#: dnsdist gives its connections to its threads in turn. With as many threads as a server has sessions, these shared one
#: thread in half of the runs, and the servers were measured while they waited for it.
UPSTREAM_THREADS = 8

UPSTREAM = """
addTLSLocal("127.0.0.1:{port}", "{chain}", "{key}", {{provider="openssl", maxInFlight=65000, reusePort=true}})
addTLSLocal("127.0.0.1:{port}", "{chain}", "{key}", {{provider="openssl", maxInFlight=65000, reusePort=true}})
setLocal("127.0.0.1:{plain}")
setMaxTCPClientThreads({threads})
setMaxTCPQueriesPerConnection(0)
setMaxTCPConnectionsPerClient(0)
setTCPRecvTimeout(600)
setACL("127.0.0.0/8")
setSecurityPollSuffix("")
newServer({{address="127.0.0.1:9", healthCheckMode="up"}})
addAction(QTypeRule(DNSQType.A), SpoofAction({{"192.0.2.1"}}, {{ttl=3600}}))
addAction(AllRule(), RCodeAction(DNSRCode.NOERROR))
"""

CONFIGURATIONS = {
    OURS: """
listen: ["127.0.0.1:{port}"]
workers: {workers}
sandbox: {sandbox}
upstreams: [{upstreams}]
tls: {{ca_file: "{ca}"}}
cache: {{max_size: 512MiB}}
rate_limit: {{queries_per_second: 0}}
udp: {{responses_per_second: 0}}
clients: {{max_connections: 15000, max_per_address: 15000, max_in_flight: 1000, idle_timeout: 60s}}
http: {{listen: "127.0.0.1:{http}"}}
""",
    "dnsdist": """
setLocal("127.0.0.1:{port}", {{maxInFlight=1000, reusePort=true}})
setACL("127.0.0.0/8")
setSecurityPollSuffix("")
{upstreams}
getPool(""):setCache(newPacketCache(2000000, {{maxTTL=86400, minTTL=0, numberOfShards=64}}))
setMaxTCPClientThreads(2)
setMaxTCPQueriesPerConnection(0)
setMaxTCPConnectionsPerClient(0)
setTCPRecvTimeout(60)
""",
    "unbound": """
server:
  interface: 127.0.0.1@{port}
  num-threads: 2
  so-reuseport: yes
  username: ""
  chroot: ""
  directory: "{folder}"
  pidfile: ""
  use-syslog: no
  verbosity: 0
  module-config: "iterator"
  msg-cache-size: 512m
  rrset-cache-size: 1024m
  outgoing-range: 4096
  num-queries-per-thread: 2048
  outgoing-num-tcp: 100
  incoming-num-tcp: 4000
  tcp-idle-timeout: 60000
  do-not-query-localhost: no
  tls-cert-bundle: "{ca}"
  access-control: 127.0.0.0/8 allow
forward-zone:
  name: "."
  forward-tls-upstream: yes
{upstreams}
""",
    "kresd": """
modules = {{'policy'}}
net.listen('127.0.0.1', {port}, {{ kind = 'dns' }})
cache.open(500*MB, 'lmdb://{folder}')
trust_anchors.remove('.')
policy.add(policy.all(policy.TLS_FORWARD({{{upstreams}}})))
""",
    "smartdns": """
bind 127.0.0.1:{port}
bind-tcp 127.0.0.1:{port}
tcp-idle-time 120
cache-size 2000000
{upstreams}
ca-file {ca}
log-level error
log-file {folder}/own.log
speed-check-mode none
response-mode fastest-response
dualstack-ip-selection no
user root
""",
}

#: How each names one upstream, and what stands between two.
UPSTREAMS = {
    OURS: ("{{address: 127.0.0.1, port: {upstream}, name: {name}}}", ", "),
    "dnsdist": ("""newServer({{address="127.0.0.1:{upstream}", tls="openssl", caStore="{ca}", subjectName="{name}",
           validateCertificates=true, healthCheckMode="up", maxInFlight=1000, sockets=2}})""", "\n"),
    "unbound": ("  forward-addr: 127.0.0.1@{upstream}#{name}", "\n"),
    "kresd": ("{{'127.0.0.1@{upstream}', hostname='{name}', ca_file='{ca}'}}", ", "),
    "smartdns": ("server-tls 127.0.0.1:{upstream} -host-name {name} -tls-host-verify {name}", "\n"),
}


def is_echoed(port):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client, contextlib.suppress(OSError):
        client.settimeout(0.2)
        client.connect(("127.0.0.1", port))
        client.send(bytes(12))
        return client.recv(12)


def make_pki(folder):
    """A throw-away authority and the upstream's certificate. SmartDNS looks for the name in the subject, too."""
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout")
    openssl(folder, "req", "-x509", *key, "ca.key", "-out", "ca.pem", "-days", "30", "-subj", "/CN=Bench Root",
            "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    openssl(folder, "req", *key, "server.key", "-out", "server.csr", "-subj", f"/CN={SERVER_NAME}")
    extensions = f"subjectAltName={','.join(f'DNS:{name}' for name in NAMES)}\nextendedKeyUsage=serverAuth\n"
    (folder / "server.ext").write_text(extensions, encoding="ascii")
    openssl(folder, "x509", "-req", "-in", "server.csr", "-out", "server.pem", "-CA", "ca.pem", "-CAkey", "ca.key",
            "-CAcreateserial", "-days", "30", "-extfile", "server.ext")
    chain = (folder / "server.pem").read_text() + (folder / "ca.pem").read_text()
    (folder / "chain.pem").write_text(chain, encoding="ascii")


class Server:
    """A server that runs, the port it answers on, and what it costs."""

    def __init__(self, name, port, process):
        self.name = name
        self.port = port
        self.process = process

    def family(self):
        """Its pids, parents first."""
        pids = [self.process.pid]
        for pid in pids:
            with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
                pids += map(int, children.read().split())
        return pids

    def cpu_s(self):
        """Time on a processor of all its threads; the kernel's own clock of each, not its ticks."""
        texts = [(thread / "schedstat").read_text(encoding="ascii") for thread in self._threads()]
        return sum(int(text.split()[0]) for text in texts) / 1e9

    def wake_ups(self):
        """How often its threads waited and were woken again."""
        texts = [(thread / "status").read_text(encoding="ascii") for thread in self._threads()]
        return sum(int(text.partition("\nvoluntary_ctxt_switches:")[2].split()[0]) for text in texts)

    def _threads(self):
        return [thread for pid in self.family() for thread in pathlib.Path(f"/proc/{pid}/task").iterdir()]

    def resident_bytes(self):
        fields = [pathlib.Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split() for pid in self.family()]
        return sum(int(field[1]) for field in fields) * os.sysconf("SC_PAGE_SIZE")

    def is_alive(self):
        return self.process.child.poll() is None


class Field:
    """Starts servers and, at the end of its `with` block, ends whatever it started."""

    def __init__(self, folder, tools, program, peers=None):
        """`peers`: where they come from; this machine where it is not said. SANDBOX=off: without the sandbox."""
        self.peers = peers or Peers()
        self.sandbox = os.environ.get("SANDBOX", "on")
        self.folder = folder
        self.tools = tools
        self.program = program
        make_pki(folder)
        self.ca_file = folder / "ca.pem"
        self._all = contextlib.ExitStack()
        self._serial = 0
        self.upstream_port = self._start_upstream()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self._all.close()

    def _run(self, name, command, port):
        self._serial += 1
        process = self._all.enter_context(Process(f"{self._serial}-{name}", command, self.folder))
        if name == "udp_echo":
            wait_for(lambda: is_echoed(port), "it echoes")
        else:
            process.wait_listening(port)
        return process

    def _start_upstream(self):
        chain, key = self.folder / "chain.pem", self.folder / "server.key"
        port = free_port()
        path = self.folder / "upstream.conf"
        path.write_text(UPSTREAM.format(port=port, plain=free_port(), chain=chain, key=key, threads=UPSTREAM_THREADS),
                        encoding="ascii")
        command = ["dnsdist", "-C", path, "--supervised", "--disable-syslog"]
        self._run("upstream", self.peers.command(command, self.folder), port)
        return port

    def start_delay(self, one_way_ms):
        """A relay to the upstream; returns its port."""
        port = free_port()
        self._run("delay", [self.tools / "bench_delay", port, self.upstream_port, one_way_ms], port)
        return port

    def _upstreams(self, name, ports, ca_file):
        each, between = UPSTREAMS[name]
        return between.join(each.format(upstream=port, name=server_name, ca=ca_file)
                            for port, server_name in zip(ports, NAMES))

    def start(self, name, upstream_ports=None, workers=2, wrapper=(), ca_file=None):
        """`upstream_ports`: one or several, in order of preference; None is the usual upstream."""
        ports = upstream_ports or self.upstream_port
        ports = [ports] if isinstance(ports, int) else ports
        upstream = ports[0]
        ca_file = ca_file or self.ca_file
        port = free_port()
        folder = self.folder / f"{name}-{port}"
        folder.mkdir()
        path = folder / "configuration"
        if name in CONFIGURATIONS:
            path.write_text(CONFIGURATIONS[name].format(
                port=port, upstreams=self._upstreams(name, ports, ca_file), workers=workers, name=SERVER_NAME,
                ca=ca_file, folder=folder,
                http=free_port(), sandbox="off" if "valgrind" in wrapper else self.sandbox), encoding="ascii")
        command = {
            "echo": [self.tools / "bench_echo", port, workers],
            "udp_echo": [self.tools / "bench_udp_echo", port, workers],
            "tls_swap": [self.tools / "bench_tls_swap", port, upstream, self.ca_file],
            OURS: [*wrapper, self.program, "--config", path],
            "dnsdist": ["dnsdist", "-C", path, "--supervised", "--disable-syslog"],
            "unbound": ["unbound", "-d", "-c", path],
            "kresd": ["kresd", "-n", "-c", path, folder],
            "smartdns": ["smartdns", "-f", "-c", path, "-p", folder / "pid"],
        }[name]
        if name in PEERS:
            command = self.peers.command(command, self.folder)
        return Server(name, port, self._run(name, command, port))
