#!/usr/bin/python3
"""Port 53 on machines with a real systemd as PID 1, Debian 12 (systemd 252) and Debian 13 (257): taken by
systemd-resolved, as on every Ubuntu, and by others; the remedy of the runbook; and the trial on port 8853 before it.
Arguments: releases; both by default."""
import contextlib
import re
import sys

import checks
import clients
import package
from check_boot import CONFIG, wait_ready
from check_runbook import RUNBOOK, blocks
from machine import Machine, make_tree
from world import World

RELEASES = ("debian-12", "debian-13")
BOTH = "dns-tls-proxy.socket dns-tls-proxy.service"
EXAMPLE = "/usr/share/doc/dns-tls-proxy/examples/resolved.conf"
DROP_IN = "/etc/systemd/system/dns-tls-proxy.socket.d"
#: For the units of BOTH, which wait to be tried again otherwise.
RESET = f"systemctl disable --now {BOTH}; systemctl reset-failed"


def socket_journal(machine, command, works=False):
    """What the journal has of the socket unit since the command, which has to fail, or to work."""
    machine.sh("journalctl --sync")
    cursor = machine.out("journalctl -q -n 0 --show-cursor").removeprefix("-- cursor: ")
    done = machine.sh(command, check=False)
    assert (done.returncode == 0) == works, done
    return machine.journal(f"-u dns-tls-proxy.socket --after-cursor='{cursor}'")


def holder_in(said):
    return next(each for each in said.splitlines() if "held by" in each)


#: Perl's sockets are not shared, as those of systemd's own tools are over UDP.
HOLDER = """use IO::Socket::INET;
my ($protocol, $address) = @ARGV;
my $held = IO::Socket::INET->new(LocalAddr => $address, Proto => $protocol, $protocol eq "tcp" ? (Listen => 1) : ());
$held or die;
sleep;
"""


@contextlib.contextmanager
def held(machine, address, transport="TCP"):
    """By another program."""
    machine.write("/root/holder.pl", HOLDER)
    machine.sh(f"systemd-run --collect --unit=holder perl /root/holder.pl {transport.lower()} {address}")
    try:
        machine.wait(f"ss -Hln{transport[0].lower()} | grep -q '{address} '", "it has the port")
        yield
    finally:
        machine.sh(f"systemctl stop holder; {RESET}")


def assert_nothing_runs(machine):
    assert machine.property("ActiveState", "dns-tls-proxy.socket") == "failed"
    assert machine.property("ActiveState") == "inactive" and machine.property("MainPID") == "0"
    status = machine.sh("systemctl status dns-tls-proxy.service", check=False).stdout
    assert not re.search(r"Status:.*nswering", status), status
    assert not machine.sh("ss -Hltnup | grep -E ':8853|dns-tls-proxy'", check=False).stdout
    assert machine.sh("dns-tls-proxy --health-check", check=False).returncode != 0


def check_resolved(check, machine):
    machine.sh("systemctl start systemd-resolved")
    machine.wait("ss -Hltn | grep -q '127.0.0.53%lo:53'", "resolved has its port")
    with check("enable --now of both units while systemd-resolved has port 53: it fails, and nothing runs elsewhere"):
        started = machine.sh(f"systemctl enable --now {BOTH}", check=False)
        assert started.returncode != 0, started
        check.note(started.stderr.strip().splitlines()[-1])
        assert_nothing_runs(machine)
    with check("so do later starts of the service alone"):
        assert machine.sh("systemctl start dns-tls-proxy.service", check=False).returncode != 0
        assert_nothing_runs(machine)
    with check("the journal of the socket unit, and its status, name the holder and the remedy"):
        journal = socket_journal(machine, f"systemctl start {BOTH}")
        for said in (journal, machine.sh("systemctl status dns-tls-proxy.socket", check=False).stdout):
            line = holder_in(said)
            assert "systemd-resolve" in line and "DNSStubListener=no" in line and EXAMPLE in line, line
        check.note(holder_in(journal))
        assert "Address already in use" in journal
    with check("the runbook's remedy: both units start, without a complaint, and the machine resolves through them"):
        ((_, remedy),) = blocks(RUNBOOK.read_text(), "resolved")
        assert EXAMPLE in remedy
        machine.sh(f"set -e\n{remedy}")
        said = socket_journal(machine, f"systemctl enable --now {BOTH}", works=True)
        assert "held by" not in said and "in use" not in said, said
        wait_ready(machine)
        assert clients.answers("example.com") and clients.answers("example.com", "AAAA", server="::1")
        machine.sh("rm -f /etc/resolv.conf; ln -s /run/systemd/resolve/stub-resolv.conf /etc/resolv.conf")
        machine.wait("grep -q '^nameserver 127.0.0.1$' /etc/resolv.conf", "resolv.conf names the proxy")
        assert "192.0.2.1" in machine.out("getent ahosts machine.example.com")
    machine.sh(f"{RESET}; systemctl disable --now systemd-resolved; rm -r /etc/systemd/resolved.conf.d")


def check_others(check, machine):
    for transport in ("TCP", "UDP"):
        with check(f"another program has port 53 over {transport}: it is named"), \
                held(machine, "127.0.0.1:53", transport):
            line = holder_in(socket_journal(machine, f"systemctl enable --now {BOTH}"))
            check.note(line)
            assert_nothing_runs(machine)
            assert f"0.0.0.0:53 {transport}: taken; held by perl (process " in line, line
    with check("a port of the operator's own is the one that is looked at"), held(machine, "127.0.0.1:5353"):
        machine.sh(f"mkdir -p {DROP_IN}")
        machine.write(f"{DROP_IN}/port.conf", "[Socket]\nListenStream=\nListenDatagram=\nListenStream=127.0.0.1:5353\n")
        line = holder_in(socket_journal(machine, f"systemctl daemon-reload; systemctl enable --now {BOTH}"))
        assert "127.0.0.1:5353 TCP: taken; held by perl (process " in line, line
    machine.sh(f"rm -rf {DROP_IN}; systemctl daemon-reload")


def check_order(check, machine):
    with check("the runbook's order: a trial on 127.0.0.1:8853, then port 53"):
        machine.sh("systemctl start dns-tls-proxy.service")
        wait_ready(machine)
        assert clients.answers("example.com", port=8853)
        machine.sh(f"systemctl stop dns-tls-proxy.service && systemctl enable --now {BOTH}")
        wait_ready(machine)
        assert clients.answers("example.com") and not machine.sh("ss -Hltn | grep ':8853'", check=False).stdout
    with check("without the stop in between systemd refuses, says so, and the trial goes on as it was"):
        machine.sh(f"{RESET}; systemctl start dns-tls-proxy.service")
        wait_ready(machine)
        said = socket_journal(machine, f"systemctl enable --now {BOTH}")
        assert "already active, refusing" in said, said
        assert clients.answers("example.com", port=8853)
        machine.sh(f"systemctl stop dns-tls-proxy.service && systemctl start {BOTH}")
        wait_ready(machine)
        assert clients.answers("example.com")
    with check("`listen` has no say then, and the start says so"):
        machine.write(CONFIG, 'listen: ["127.0.0.1:5353"]\n')
        machine.sh("systemctl restart dns-tls-proxy.service")
        wait_ready(machine)
        said = machine.journal("-u dns-tls-proxy.service -n 60")
        assert 'event="setting ignored" setting=listen' in said and "systemctl edit dns-tls-proxy.socket" in said, said


def run(check, release, deb):
    tree = make_tree(release)
    with World("ports") as world, Machine(world, tree) as machine:
        check.note(f"{release}: " + machine.out("systemctl --version | head -n 1"))
        machine.trust(world.pki.ca_file)
        machine.add_libraries(checks.ROOT / "build/package/dns-tls-proxy")
        machine.put(deb, "/root/package.deb")
        machine.sh("dpkg --force-depends -i /root/package.deb")
        for part in (check_resolved, check_others, check_order):
            part(check, machine)


def main():
    check = checks.Checks()
    deb = package.build()
    for release in sys.argv[1:] or RELEASES:
        run(check, release, deb)
    check.finish()


if __name__ == "__main__":
    main()
