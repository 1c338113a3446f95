#!/usr/bin/python3
"""Real clients: glibc's resolver told to use TCP, and Unbound forwarding over TCP, each through the program to its
upstream over TLS."""
import pathlib
import re
import shutil
import subprocess

import checks
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


def start_proxy(world):
    """On port 53 of the world, with the program's own defaults else; the flags are what an operator would give."""
    world.allow_low_ports()
    proxy = Process("proxy", [checks.PROGRAM, "--listen", "127.0.0.1:53", "--ca-file", world.pki.ca_file], world.folder)
    wait_for(
        lambda: checks.run(checks.PROGRAM, "--health-check", check=False).returncode == 0, "the program is ready", 20
    )
    return proxy


def in_own_etc(world, *command, **options):
    """Runs a command in the world with its own /etc/resolv.conf and /etc/nsswitch.conf, which `ip netns exec`
    lays over the machine's."""
    return checks.run("ip", "netns", "exec", world.name, *command, **options)


def check_glibc(check, world):
    etc = pathlib.Path("/etc/netns") / world.name
    etc.mkdir(parents=True)
    try:
        (etc / "resolv.conf").write_text("nameserver 127.0.0.1\noptions use-vc\n")
        (etc / "nsswitch.conf").write_text("hosts: files dns\n")
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
    finally:
        shutil.rmtree(etc)


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
    checks.install("unbound", "knot-dnsutils", "dnsperf", "curl", "iproute2")
    with World("clients") as world, start_proxy(world) as proxy:
        check_glibc(check, world)
        check_unbound(check, world)
        with check("stopped by TERM it exits with 0"):
            proxy.child.terminate()
            assert proxy.wait_exit() == 0, proxy.log_tail()
    check.finish()


if __name__ == "__main__":
    main()
