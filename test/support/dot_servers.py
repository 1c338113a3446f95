"""dot_servers: Unbound, NSD and dnsdist as DoT servers on loopback, all with the same zone, signed where ldns's
tools can be had; and the commands that run Unbound and NSD otherwise configured.
"""
import shutil
import subprocess

from pki import SERVER_NAME
from process import Process, free_port

ZONE = "example.test"

LONG_TEXT = " ".join('"' + chr(97 + i % 26) * 250 + '"' for i in range(16))  # 4 kB

RECORDS = f"""$ORIGIN {ZONE}.
$TTL 3600
@      SOA ns.{ZONE}. host.{ZONE}. 1 7200 3600 86400 300
@      NS  ns
ns     A   192.0.2.53
a      A   192.0.2.1
many   A   192.0.2.11
many   A   192.0.2.12
many   A   192.0.2.13
aaaa   AAAA 2001:db8::1
alias  CNAME a
mail   MX  10 a
text   TXT "short" "and \\"quoted\\""
long   TXT {LONG_TEXT}
sub.a  A   192.0.2.2
_dns._tcp SRV 1 2 853 a
Mixed  A   192.0.2.3
"""


def write_zone(folder):
    """The zone's file in `folder`; signed (ECDSA P-256) where ldns-signzone is installed."""
    plain = folder / "zone"
    if plain.exists():
        return folder / "zone.signed" if (folder / "zone.signed").exists() else plain
    plain.write_text(RECORDS)
    if not shutil.which("ldns-signzone"):
        return plain
    options = {"cwd": folder, "check": True, "capture_output": True, "text": True}
    key = subprocess.run(["ldns-keygen", "-k", "-a", "ECDSAP256SHA256", ZONE], **options).stdout.strip()
    subprocess.run(["ldns-signzone", "-f", "zone.signed", "zone", key], **options)
    return folder / "zone.signed"


def is_signed(folder):
    return (folder / "zone.signed").exists()


def _server(name, command, folder, port):
    server = Process(name, command, folder)
    try:
        server.wait_listening(port)
    except Exception:
        server.stop()
        raise
    server.port = port
    return server


def unbound_command(folder, name, server, rest=""):
    """Runs Unbound with `server` in its section of this name and `rest` behind it, as this user, with its files in
    `folder`; its configuration is NAME.conf."""
    path = folder / f"{name}.conf"
    path.write_text(f"""remote-control:
  control-enable: no
server:
  username: ""
  chroot: ""
  directory: "{folder}"
  pidfile: ""
  use-syslog: no
  module-config: "iterator"
{server}
{rest}
""")
    return ["unbound", "-d", "-p", "-c", path]


def nsd_command(folder, name, server, zones):
    """Runs NSD with `server` in its section of this name and `zones`, {name: zone's file}, as this user, with its files
    in `folder`; its configuration is NAME.conf."""
    path = folder / f"{name}.conf"
    sections = "".join(f'zone:\n  name: "{zone}."\n  zonefile: "{file}"\n' for zone, file in zones.items())
    path.write_text(f"""server:
  server-count: 1
  username: ""
  zonesdir: "{folder}"
  database: ""
  pidfile: ""
  zonelistfile: "{folder}/{name}.zones"
  xfrdfile: "{folder}/{name}.xfrd"
  xfrdir: "{folder}"
{server}
remote-control:
  control-enable: no
{sections}""")
    return ["nsd", "-d", "-c", path]


def start_unbound(pki, folder):
    certificate, key = pki.certificate()
    port = free_port()
    command = unbound_command(folder, f"unbound-{port}", f"""  interface: 127.0.0.1@{port}
  tls-port: {port}
  tls-service-pem: "{certificate}"
  tls-service-key: "{key}"
  num-threads: 1
  verbosity: 1
  rrset-roundrobin: no
  incoming-num-tcp: 200
  access-control: 127.0.0.0/8 allow
  local-zone: "test." nodefault""", f"""auth-zone:
  name: "{ZONE}."
  zonefile: "{write_zone(folder)}"
  for-downstream: yes
  for-upstream: no""")
    return _server("unbound", command, folder, port)


def start_nsd(pki, folder):
    certificate, key = pki.certificate()
    port, plain = free_port(), free_port()
    command = nsd_command(folder, f"nsd-{port}", f"""  ip-address: 127.0.0.1@{plain}
  ip-address: 127.0.0.1@{port}
  tls-port: {port}
  tls-service-pem: "{certificate}"
  tls-service-key: "{key}\"""", {ZONE: write_zone(folder)})
    server = _server("nsd", command, folder, port)
    server.plain_port = plain
    return server


def start_dnsdist(pki, folder, backend):
    """In front of the plain DNS server on port `backend`."""
    return _start_dnsdist(pki, folder, f"""
newServer({{address="127.0.0.1:{backend}", healthCheckMode="up"}})
""")


def start_fast(pki, folder):
    """dnsdist that answers A of every name with 192.0.2.1 by itself: quick enough not to be what a load test measures.

    Not for tests that break its connections: 1.7 leaves OpenSSL's error of one for the next one it looks at.
    """
    return _start_dnsdist(pki, folder, """
newServer({address="127.0.0.1:9", healthCheckMode="up"})
addAction(QTypeRule(DNSQType.A), SpoofAction({"192.0.2.1"}, {ttl=300}))
addAction(AllRule(), RCodeAction(DNSRCode.NOERROR))
""")


def _start_dnsdist(pki, folder, rules):
    certificate, key = pki.certificate()
    port, plain = free_port(), free_port()
    path = folder / f"dnsdist-{port}.conf"
    path.write_text(f"""
setLocal("127.0.0.1:{plain}")
addTLSLocal("127.0.0.1:{port}", "{certificate}", "{key}", {{provider="openssl", maxInFlight=1000}})
setMaxTCPClientThreads(1)
setMaxTCPQueriesPerConnection(0)
setMaxTCPConnectionsPerClient(0)
setTCPRecvTimeout(600)
setACL("127.0.0.0/8")
setSecurityPollSuffix("")
{rules}""")
    return _server("dnsdist", ["dnsdist", "-C", path, "--supervised", "--disable-syslog"], folder, port)


def kdig(*arguments):
    """kdig's output; arguments as on its command line."""
    return subprocess.run(["kdig", *map(str, arguments)], check=True, capture_output=True, text=True, timeout=30).stdout


def kdig_tls(port, ca_file, *arguments):
    """The same question asked of a DoT server directly, its certificate checked."""
    return kdig("@127.0.0.1", "-p", port, f"+tls-ca={ca_file}", f"+tls-hostname={SERVER_NAME}", *arguments)
