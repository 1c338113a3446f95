#!/usr/bin/python3
"""Connections over a restart, on machines with a real systemd as PID 1: Debian 12 (systemd 252) and Debian 13 (257).
Restart, upgrade and downgrade of the package, with the socket unit and without, with a program that cannot start, and
what ends connections. Arguments: releases; both by default."""
import socket
import sys
import time

import checks
import clients
import package
import wire
from check_boot import CONFIG, journal, nothing_lost, set_config, wait_new_process, wait_ready
from dnsclient import Client
from machine import Machine, make_tree
from process import wait_for
from udpclient import UdpClient
from world import World

RELEASES = ("debian-12", "debian-13")
IDLE = 300
SERVICE = "dns-tls-proxy.service"
PROGRAM = "/usr/sbin/dns-tls-proxy"
UNIT = "/lib/systemd/system/dns-tls-proxy.service"
BASE = """rate_limit: {queries_per_second: 0}
udp: {responses_per_second: 0}
clients: {max_per_address: 5000, idle_timeout: 10m}
"""
OPEN = BASE + 'listen: ["0.0.0.0:53", "[::]:53"]\n'


def figures(machine):
    """What this start took over."""
    lines = machine.out("curl -sSf http://127.0.0.1:5000/metrics").splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if line.startswith("dns_tls_proxy_handover_"))
    return {name.removeprefix("dns_tls_proxy_handover_"): float(value) for name, value in values.items()}


class Crowd:
    """Clients that are connected: many idle ones, and some that ask all the while."""

    def __init__(self, seconds, rate=500, connections=20, idle=IDLE):
        self.idle = [Client(53) for _ in range(idle)]
        for client in self.idle:
            ask(client)
        self.load = clients.steady(53, prefixes=("hit-",), names=50)
        self.running = self.load.begin("run", seconds=seconds, rate=rate, connections=connections, patience=20.0)

    def finish(self, at_least):
        """All are still there, and everything was answered once. Returns the longest that one waited, in ms."""
        result = self.running.result()
        self.load.stop()
        nothing_lost(result, at_least)
        for client in self.idle:
            ask(client)
            client.socket.close()
        return result["max_ms"]


def ask(client, name="crowd.example"):
    client.send(wire.query(name))
    answer = client.receive()
    assert answer and wire.rcode_of(answer) == wire.NOERROR, answer


def is_closed(client):
    client.socket.settimeout(5)
    try:
        return client.receive() is None
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


def restart(machine, command=f"systemctl restart {SERVICE}"):
    """Another process answers afterwards, which took all over; returns its pause in ms."""
    pid = machine.property("MainPID")
    machine.sh(command)
    assert machine.property("MainPID") not in (pid, "0")
    taken = figures(machine)
    assert taken["connections_given"] == taken["connections_taken"] > 0, taken
    return taken["pause_seconds"] * 1000


def check_restart(check, machine):
    with check(f"restarted five times, {IDLE} idle and 20 busy connections: none closed, nothing lost"):
        crowd, pauses = Crowd(seconds=8), []
        for _ in range(5):
            pauses.append(restart(machine))
            time.sleep(1)  # paces the restarts; nothing is concluded from it
        longest = crowd.finish(3500)
        check.note(f"longest wait of a client {longest:.0f} ms; pauses {min(pauses):.0f} to {max(pauses):.0f} ms")
    with check("what is stored is forgotten once it is taken, and the watchdog goes on"):
        stored = machine.property("NFileDescriptorStore")
        assert stored == "0", stored
        assert machine.property("WatchdogUSec") == "10s" and machine.property("ActiveState") == "active"
    with check("a question of a second in flight is answered first; others wait and lose nothing"):
        slow, other = Client(53), Client(53)
        ask(other)
        slow.send(wire.query("slow-1000ms-1.example", number=9))
        wait_for(lambda: "queries_in_flight 1" in machine.out("curl -sS http://127.0.0.1:5000/metrics"), "in flight")
        pause = restart(machine)
        assert wire.number_of(slow.receive()) == 9
        ask(slow)
        ask(other)
        check.note(f"paused for {pause:.0f} ms")
        assert pause > 500
    with check("half a question before, the other half after"):
        client, message = Client(53), wire.frame(wire.query("half.example"))
        client.send_raw(message[:9])
        restart(machine)
        client.send_raw(message[9:])
        assert wire.rcode_of(client.receive()) == wire.NOERROR
    with check("systemctl daemon-reexec between two restarts changes nothing"):
        client = Client(53)
        ask(client)
        machine.sh("systemctl daemon-reexec")
        restart(machine)
        ask(client)
    with check("the same while UDP is asked: nothing is lost"):
        asks = [UdpClient(53) for _ in range(20)]
        client = Client(53)
        ask(client)
        machine.sh(f"systemctl restart --no-block {SERVICE}")
        for number in range(2000):
            asks[number % 20].send(wire.query("udp.example", number=number))
            if number % 20 == 19:
                for each in range(number - 19, number + 1):
                    assert wire.number_of(asks[each % 20].receive()) == each
        wait_ready(machine)


def check_upgrade(check, machine):
    with check("upgraded and downgraded by dpkg with connected clients: none closed, nothing lost"):
        crowd = Crowd(seconds=25, rate=200)
        pid = machine.property("MainPID")
        for deb, version in (("new", "99.0.0"), ("old", "0"), ("new", "99.0.0")):
            machine.sh(f"dpkg --force-depends --force-confold -i /root/{deb}.deb")
            now = machine.property("MainPID")
            assert now not in (pid, "0"), "the package restarts what runs"
            assert machine.out("dpkg-query -W -f '${Version}' dns-tls-proxy").startswith(version)
            taken = figures(machine)
            assert taken["connections_closed"] == 0 and taken["connections_taken"] >= IDLE, taken
            pid = now
        check.note(f"longest wait of a client {crowd.finish(3000):.0f} ms")


def check_settings(check, machine):
    with check("another `listen`: who is connected stays; the new address answers, the former one does not"):
        client = Client(53)
        ask(client)
        set_config(machine, BASE + 'listen: ["127.0.0.1:5353"]\n')
        restart(machine)
        ask(client)
        assert clients.answers("example.com", port=5353)
        wait_for(lambda: not machine.sh("ss -Hltn | grep ':53 '", check=False).stdout, "nobody listens on port 53")
        set_config(machine, OPEN)
        restart(machine)
        ask(client)
        assert clients.answers("example.com") and clients.answers("example.com", server="::1")
    with check("another access list: who may not ask any more is closed"):
        client = Client(53)
        ask(client)
        set_config(machine, OPEN + "access: {allow: [10.0.0.0/8]}\n")
        machine.sh(f"systemctl restart {SERVICE}")
        assert is_closed(client)
        set_config(machine, OPEN)
        machine.sh(f"systemctl restart {SERVICE}")


def check_broken(check, machine):
    for what, broken in (
        ("exits at once", f"printf '#!/bin/sh\\nexit 1\\n' >{PROGRAM}.new && chmod 755 {PROGRAM}.new"),
        ("is no program", f"echo nothing >{PROGRAM}.new && chmod 755 {PROGRAM}.new"),
        ("crashes", f"printf '#!/bin/sh\\nkill -SEGV $$\\n' >{PROGRAM}.new && chmod 755 {PROGRAM}.new"),
    ):
        with check(f"the new program {what}: systemd tries again, and the one put in its place takes all connections"):
            client, busy = Client(53), Client(53)
            ask(client)
            ask(busy)
            tries = int(machine.property("NRestarts"))
            machine.sh(f"{broken} && cp -a {PROGRAM} {PROGRAM}.good && mv {PROGRAM}.new {PROGRAM}")
            machine.sh(f"systemctl restart --no-block {SERVICE}")
            busy.send(wire.query("waits.example", number=3))
            wait_for(lambda: int(machine.property("NRestarts")) > tries + 3, "it was tried again and again", 30)
            machine.sh(f"mv {PROGRAM}.good {PROGRAM}")
            wait_ready(machine)
            assert wire.number_of(busy.receive()) == 3
            ask(client)
            assert figures(machine)["connections_closed"] == 0
    with check("a faulty configuration: the same, until it is mended"):
        client = Client(53)
        ask(client)
        tries = int(machine.property("NRestarts"))
        set_config(machine, "no_such_setting: 1\n")
        machine.sh(f"systemctl restart --no-block {SERVICE}")
        wait_for(lambda: int(machine.property("NRestarts")) > tries + 3, "it was tried again and again", 30)
        set_config(machine, OPEN)
        wait_ready(machine)
        ask(client)
    with check("told to stop while it cannot start: the connections are closed, and a start is a usual one"):
        client = Client(53)
        ask(client)
        set_config(machine, "no_such_setting: 1\n")
        machine.sh(f"systemctl restart --no-block {SERVICE}")
        wait_for(lambda: "no_such_setting" in journal(machine, 5), "it does not start")
        machine.sh(f"systemctl stop {SERVICE}")
        assert is_closed(client)
        set_config(machine, OPEN)
        machine.sh(f"systemctl start {SERVICE}")
        wait_ready(machine)
        assert figures(machine)["connections_given"] == 0


def check_ends(check, machine):
    with check("stopped and started: connections are closed, and nothing is left"):
        client = Client(53)
        ask(client)
        machine.sh(f"systemctl stop {SERVICE}")
        assert is_closed(client)
        machine.sh(f"systemctl start {SERVICE}")
        wait_ready(machine)
        assert figures(machine)["connections_given"] == 0 and "discarded" not in journal(machine, 20)
    with check("all of it stopped by SIGSTOP: the watchdog restarts it, connections are closed, and nothing is left"):
        client, pid = Client(53), machine.property("MainPID")
        ask(client)
        machine.sh(f"kill -STOP {pid}")
        wait_new_process(machine, pid, 60)
        assert is_closed(client) and figures(machine)["connections_given"] == 0
        assert "watchdog" in machine.journal(f"-u {SERVICE} -n 100").lower()
    with check("killed: the same"):
        client, pid = Client(53), machine.property("MainPID")
        ask(client)
        machine.sh(f"kill -KILL {pid}")
        wait_new_process(machine, pid, 60)
        assert is_closed(client) and figures(machine)["connections_given"] == 0
    with check("a signal without systemctl: systemd starts it again, and connections stay"):
        client, pid = Client(53), machine.property("MainPID")
        ask(client)
        machine.sh(f"kill -TERM {pid}")
        wait_new_process(machine, pid, 60)
        ask(client)
    with check("back to a unit without a store, as of an older version: what is in flight is answered, all is closed"):
        client, slow = Client(53), Client(53)
        ask(client)
        slow.send(wire.query("slow-500ms-2.example", number=4))
        wait_for(lambda: "queries_in_flight 1" in machine.out("curl -sS http://127.0.0.1:5000/metrics"), "in flight")
        machine.sh(f"cp {UNIT} /root/unit && sed -i /^FileDescriptorStore/d {UNIT} && systemctl daemon-reload")
        machine.sh(f"systemctl restart {SERVICE}")
        assert wire.number_of(slow.receive()) == 4 and is_closed(client)
        wait_ready(machine)
        assert figures(machine)["connections_given"] == 0
        client = Client(53)
        ask(client)
        machine.sh(f"systemctl restart {SERVICE}")
        assert is_closed(client)
        machine.sh(f"cp /root/unit {UNIT} && systemctl daemon-reload && systemctl restart {SERVICE}")


def check_socket(check, machine):
    machine.sh(f"systemctl stop {SERVICE}")
    set_config(machine, BASE)
    machine.sh(f"systemctl enable --now dns-tls-proxy.socket {SERVICE}")
    wait_ready(machine)
    with check("with the socket unit: five restarts, none closed, nothing lost, no socket of the unit is stored"):
        crowd, pauses = Crowd(seconds=8), []
        for _ in range(5):
            pauses.append(restart(machine))
            assert "listeners=0 udp_sockets=0" in machine.journal(f"-u {SERVICE} -n 40")
            time.sleep(1)
        check.note(f"longest wait of a client {crowd.finish(3500):.0f} ms; pauses up to {max(pauses):.0f} ms")
    with check("the socket unit is left: the addresses of the configuration, and connections stay"):
        client = Client(53)
        ask(client)
        machine.sh("systemctl disable dns-tls-proxy.socket")
        set_config(machine, BASE + 'listen: ["127.0.0.1:5353"]\n')
        restart(machine)
        ask(client)
    machine.sh(f"systemctl stop dns-tls-proxy.socket {SERVICE}")
    with check("no listener or connection is left behind"):
        wait_for(lambda: not machine.sh("ss -Hltn | grep -E ':(53|5353) '", check=False).stdout, "nobody listens")
        with socket.socket() as late:
            assert late.connect_ex(("127.0.0.1", 53)) != 0


def run(check, release, old, new):
    tree = make_tree(release)
    with World("handover") as world, Machine(world, tree) as machine:
        check.note(f"{release}: " + machine.out("systemctl --version | head -n 1"))
        machine.trust(world.pki.ca_file)
        machine.add_libraries(checks.ROOT / "build/package/dns-tls-proxy")
        machine.put(old, "/root/old.deb")
        machine.put(new, "/root/new.deb")
        machine.sh("dpkg --force-depends -i /root/old.deb")
        machine.write(CONFIG, OPEN)
        machine.sh(f"systemctl start {SERVICE}")
        wait_ready(machine)
        for part in (check_restart, check_upgrade, check_settings, check_broken, check_ends, check_socket):
            part(check, machine)


def main():
    check = checks.Checks()
    old, new = package.build(), package.build(version="99.0.0")
    for release in sys.argv[1:] or RELEASES:
        run(check, release, old, new)
    check.finish()


if __name__ == "__main__":
    main()
