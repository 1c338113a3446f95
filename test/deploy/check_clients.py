#!/usr/bin/python3
"""Real clients: glibc's resolver told to use TCP, Unbound forwarding over TCP, and the resolvers of Go, its own and
libc's, over UDP and TCP; each through the program to its upstream over TLS."""
import contextlib
import os
import pathlib
import re
import shutil
import subprocess
import urllib.request

import checks
import sandboxed
from process import Process, wait_for
from world import World

UNBOUND = """server:
  interface: 127.0.0.1@5353
  port: 5353
  username: ""
  chroot: ""
  directory: "{folder}"
  pidfile: ""
  use-syslog: no
  tcp-upstream: yes
  do-not-query-localhost: no
  module-config: "iterator"
  local-zone: "test." nodefault
remote-control:
  control-enable: no
forward-zone:
  name: "."
  forward-addr: 127.0.0.1@53
"""


GO_PROGRAM = """package main

import (
    "context"
    "fmt"
    "net"
    "os"
    "strings"
)

// What each name resolves to: how many addresses and the first one, or the texts of a TXT record, or the error.
func main() {
    for _, name := range os.Args[1:] {
        if strings.HasPrefix(name, "TXT:") {
            texts, err := net.DefaultResolver.LookupTXT(context.Background(), name[4:])
            fmt.Println(name, len(strings.Join(texts, "")), err)
            continue
        }
        found, err := net.DefaultResolver.LookupIPAddr(context.Background(), name)
        if err != nil {
            fmt.Println(name, err)
            continue
        }
        fmt.Println(name, len(found), found[0])
    }
}
"""

GO_OPTIONS = ("", "use-vc", "edns0", "trust-ad", "rotate", "single-request", "single-request-reopen", "ndots:5",
              "timeout:1 attempts:3")


def start_proxy(world):
    """On port 53 of the world, with the program's own defaults else; the flags are what an operator would give."""
    world.allow_low_ports()
    flags = ["--listen", "127.0.0.1:53", "--ca-file", world.pki.ca_file]
    if sandboxed.IS_LOGGED:
        path = world.folder / "logging.yaml"
        path.write_text(sandboxed.config(""))
        flags += ["--config", path]
    proxy = Process("proxy", [checks.PROGRAM, *flags], world.folder)
    wait_for(
        lambda: checks.run(checks.PROGRAM, "--health-check", check=False).returncode == 0, "the program is ready", 20
    )
    return proxy


def in_own_etc(world, *command, **options):
    """Runs a command in the world with its own /etc/resolv.conf and /etc/nsswitch.conf, which `ip netns exec`
    lays over the machine's."""
    return checks.run("ip", "netns", "exec", world.name, *command, **options)


@contextlib.contextmanager
def resolv_conf(world, options):
    """The world's own files in /etc; `ip netns exec` lays them over the machine's."""
    etc = pathlib.Path("/etc/netns") / world.name
    etc.mkdir(parents=True)
    try:
        (etc / "resolv.conf").write_text("nameserver 127.0.0.1\n" + (f"options {options}\n" if options else ""))
        (etc / "nsswitch.conf").write_text("hosts: files dns\n")
        yield
    finally:
        shutil.rmtree(etc)


def queries_over(transport):
    """So many the program has had by now."""
    with urllib.request.urlopen("http://127.0.0.1:5000/metrics", timeout=5) as answer:
        text = answer.read().decode()
    pattern = rf'^dns_tls_proxy_queries_total{{.*transport="{transport}"}} (\d+)'
    return sum(int(count) for count in re.findall(pattern, text, re.MULTILINE))


def check_glibc(check, world):
    with resolv_conf(world, "use-vc"):
        with check("glibc with `options use-vc` resolves IPv4 and IPv6 addresses over TCP"):
            said = in_own_etc(world, "getent", "ahosts", "www.example.com").stdout
            assert "192.0.2.1" in said and "2001:db8::1" in said, said
        with check("glibc: a name that does not exist is said to be none"):
            assert in_own_etc(world, "getent", "ahosts", "nx-1.example.com", check=False).returncode == 2
        with check("glibc: 20 programs at once"):
            names = [f"host{i}.example.com" for i in range(20)]
            asked = [
                subprocess.Popen(
                    ["ip", "netns", "exec", world.name, "getent", "ahosts", name], stdout=subprocess.DEVNULL
                )
                for name in names
            ]
            assert [each.wait(20) for each in asked] == [0] * 20
        with check("curl finds a server by name"):
            said = in_own_etc(
                world, "curl", "-sS", "--connect-timeout", "2", "http://www.example.com:9/", check=False
            ).stderr
            assert "Could not resolve" not in said, said


def build_go(world, uses_libc):
    program = world.folder / f"lookup-{'libc' if uses_libc else 'go'}"
    (world.folder / "lookup.go").write_text(GO_PROGRAM)
    environment = {"HOME": str(world.folder), "GO111MODULE": "off", "GOFLAGS": "", "GOTOOLCHAIN": "local",
                   "CGO_ENABLED": str(int(uses_libc))}
    checks.run("go", "build", "-o", program, world.folder / "lookup.go", timeout=900,
               env={**os.environ, **environment})
    return program


def check_go(check, world):
    for uses_libc in (False, True):
        program = build_go(world, uses_libc)
        kind = "through libc" if uses_libc else "its own resolver"
        environment = {**os.environ, "GODEBUG": f"netdns={'cgo' if uses_libc else 'go'}"}
        for options in GO_OPTIONS:
            with check(f"Go, {kind}, options {options or 'none'}: UDP, TCP for long answers, names that are none"), \
                    resolv_conf(world, options):
                before = {transport: queries_over(transport) for transport in ("udp", "tcp")}
                label = re.sub(r"\W", "-", f"{kind} {options}").strip("-").lower()
                long, none = f"big-{label}.example.com", f"nx-{label}.example.com"
                said = in_own_etc(world, program, "www.example.com", none, long, f"TXT:{long}", env=environment).stdout
                of = dict(line.split(" ", 1) for line in said.splitlines())
                assert of["www.example.com"].startswith("2 "), said
                assert "no such host" in of[none], said
                assert int(of[long].split()[0]) >= 256, said
                assert of[f"TXT:{long}"] == "4080 <nil>", said
                udp, tcp = (queries_over(transport) - before[transport] for transport in ("udp", "tcp"))
                assert tcp > 0 and (udp == 0) == (options == "use-vc"), (udp, tcp)


def check_unbound(check, world):
    (world.folder / "unbound.conf").write_text(UNBOUND.format(folder=world.folder))
    with Process("unbound", ["unbound", "-d", "-p", "-c", world.folder / "unbound.conf"], world.folder) as unbound:
        unbound.wait_listening(5353)
        with check("Unbound with tcp-upstream resolves through it"):
            said = checks.output("kdig", "@127.0.0.1", "-p", 5353, "www.unbound.example")
            assert "NOERROR" in said and "192.0.2.1" in said, said
            assert world.upstream.queries(containing="unbound.example"), "the question did not come to the upstream"
        with check("Unbound: NXDOMAIN and 4 kB of TXT come through"):
            assert "NXDOMAIN" in checks.output("kdig", "@127.0.0.1", "-p", 5353, "nx-2.unbound.example")
            said = checks.output("kdig", "+tcp", "@127.0.0.1", "-p", 5353, "big-1.unbound.example", "TXT")
            assert len(said) > 4000, said
        with check("Unbound: 2,000 names by dnsperf, none lost, none SERVFAIL"):
            names = world.folder / "names"
            names.write_text("".join(f"n{i}.unbound.example A\n" for i in range(2000)))
            said = checks.output("dnsperf", "-s", "127.0.0.1", "-p", 5353, "-d", names, "-n", 1, "-q", 50)
            check.note(re.search(r"Queries completed:.*", said).group())
            assert re.search(r"Queries lost:\s+0 ", said) and "SERVFAIL" not in said, said


def main():
    check = checks.Checks()
    checks.install("unbound", "knot-dnsutils", "dnsperf", "curl", "iproute2", "golang-go", "gcc", "libc6-dev")
    with World("clients") as world, start_proxy(world) as proxy:
        check_glibc(check, world)
        check_go(check, world)
        check_unbound(check, world)
        with check("stopped by TERM it exits with 0"):
            proxy.child.terminate()
            assert proxy.wait_exit() == 0, proxy.log_tail()
        sandboxed.look(proxy.log())
    check.finish()


if __name__ == "__main__":
    main()
