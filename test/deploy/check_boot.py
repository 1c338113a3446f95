#!/usr/bin/python3
"""The service on a Debian 12 machine with a real systemd as PID 1: sandbox, activation by socket, reload, drain,
watchdog, restart; with clients asking all the while and every question accounted for."""
import pathlib
import re
import subprocess
import sys
import time

import checks
import clients
import package
import sandboxed
from machine import CONFIG, Machine, make_tree
from process import wait_for
from world import World

NET_BIND_SERVICE = 1 << 10
RESOLVED = "[Resolve]\nDNS=127.0.0.1\nDNSSEC=no\n"


def status_of(machine, key, pid=None):
    return machine.out(f"sed -n 's/^{key}:[[:space:]]*//p' /proc/{pid or machine.property('MainPID')}/status")


def wait_ready(machine):
    machine.wait("dns-tls-proxy --health-check", "the program is ready")


def wait_new_process(machine, old, seconds=40):
    wait_for(lambda: machine.property("MainPID") not in (old, "0"), "another process", seconds)
    wait_ready(machine)


def set_config(machine, text):
    """What the operator's file says beside the defaults."""
    machine.write(CONFIG, text)


def journal(machine, words):
    return machine.journal(f"-u dns-tls-proxy -n {words}")


def nothing_lost(result, at_least):
    assert result["sent"] == result["answered"] >= at_least, result
    assert result["lost"] == result["closed"] == result["unexpected"] == result["mismatched"] == 0, result
    assert set(result["rcodes"]) == {"0"}, result


def check_start(check, machine):
    with check("it starts by socket and service, with IPv4 and IPv6 on port 53, and answers"):
        machine.sh("systemctl enable --now dns-tls-proxy.socket dns-tls-proxy.service")
        assert machine.out("systemctl is-active dns-tls-proxy.service dns-tls-proxy.socket").split() == ["active"] * 2
        wait_ready(machine)
        assert clients.answers("example.com") and clients.answers("example.com", "AAAA", server="::1")
    with check("systemd knows what it does"):
        wait_for(lambda: "nswering" in machine.property("StatusText"), "a status that says so", 5)
        check.note(f"Status: {machine.property('StatusText')}")
    with check("it is nobody in particular, with one capability, no new privileges and a filter of system calls"):
        assert 61184 <= int(status_of(machine, "Uid").split()[0]) <= 65519, status_of(machine, "Uid")
        assert {int(status_of(machine, key), 16) for key in ("CapEff", "CapPrm", "CapBnd", "CapAmb")} == {
            NET_BIND_SERVICE
        }
        assert status_of(machine, "NoNewPrivs") == "1" and status_of(machine, "Seccomp") == "2"
    with check("its own sandbox is in force inside of systemd's filter"):
        (line,) = [each for each in journal(machine, 200).splitlines() if "event=sandbox" in each][-1:]
        check.note(line[line.index("mode="):])
        assert sandboxed.SAYS in line and ('landlock="ABI ' in line or sandboxed.IS_LOGGED), line
    with check("the acceptor is scheduled behind the workers"):
        classes = machine.out(f"ps -L -o comm=,cls= -p {machine.property('MainPID')}").splitlines()
        of = {" ".join(line.split()[:-1]): line.split()[-1] for line in classes}
        assert of["acceptor"] == "B" and of["worker 00"] == "TS", of
    with check("it sees its configuration and the CA bundle, writes nowhere, and sees no other process"):
        inside = f"nsenter -t {machine.property('MainPID')} -m --"
        machine.sh(f"{inside} test -r {CONFIG} -a -r /etc/ssl/certs/ca-certificates.crt")
        assert "Read-only file system" in machine.sh(f"{inside} touch /etc/dns-tls-proxy/x /usr/x", check=False).stderr
        assert machine.sh(f"{inside} ls /home /root/x", check=False).returncode != 0
    with check("health, readiness, metrics and the page are served"):
        for path, text in (("healthz", ""), ("readyz", ""), ("metrics", "dns_tls_proxy_build_info"), ("", "<html")):
            assert text in machine.out(f"curl -sSf http://127.0.0.1:5000/{path}").lower()
    with check("systemd-analyze verify and security agree, on the machine itself"):
        assert not machine.sh(
            "systemd-analyze verify dns-tls-proxy.service dns-tls-proxy.socket 2>&1 | grep -v '^$'", check=False
        ).stdout
        exposure = machine.out("systemd-analyze security --no-pager dns-tls-proxy.service | tail -n 1")
        check.note(exposure)
        assert float(re.search(r": ([\d.]+)", exposure).group(1)) <= 1.5


def changed_settings(i):
    """Something of every kind a reload changes."""
    return f"""cache: {{max_size: {32 + i}MiB}}
prefetch: {{share: {10 + i}}}
log: {{level: {'info' if i % 2 else 'warning'}}}
clients: {{idle_timeout: {20 + i}s, max_connections: {5000 + i}}}
access: {{allow: [127.0.0.0/8, 10.{i}.0.0/16]}}
upstreams:
  - {{address: "1.{i % 2}.{i % 2}.1", name: cloudflare-dns.com}}
  - {{address: "1.1.1.1", port: 53, name: nobody{i}.test}}
rate_limit: {{queries_per_second: 0, burst: {2000 + i}}}
"""


def check_reload(check, machine):
    with check("8 reloads in 4 s under 1,000 questions a second: nothing lost, no connection closed"):
        load = clients.steady(53, prefixes=("new", "slow-200ms-"))
        running = load.begin("run", seconds=6, rate=1000, connections=20)
        pid, begin = machine.property("MainPID"), time.monotonic()
        for i in range(8):
            set_config(machine, changed_settings(i))
            machine.sh("systemctl reload dns-tls-proxy")
            # Paces the reloads; nothing is concluded from it.
            time.sleep(max(0.0, begin + (i + 1) / 2 - time.monotonic()))
        result = running.result()
        p99 = result["groups"]["new"]["p99_ms"]
        check.note(f"{result['sent']} asked, {result['answered']} answered, {result['closed']} closed, p99 {p99} ms")
        nothing_lost(result, 5000)
        assert machine.property("MainPID") == pid
    with check("a faulty file: reload fails, names every fault, and the old settings stay"):
        set_config(machine, "cache: {max_size: much}\nno_such_setting: 1\n")
        assert machine.sh("systemctl reload dns-tls-proxy", check=False).returncode != 0
        said = journal(machine, 20)
        assert "max_size" in said and "no_such_setting" in said, said
        assert clients.answers("after-reload.example") and machine.property("ActiveState") == "active"
    with check("the same by signal alone: refused with every fault, and it goes on"):
        pid = machine.property("MainPID")
        machine.sh("journalctl --rotate && kill -HUP " + pid)
        wait_for(lambda: journal(machine, 20).count("no_such_setting") >= 2, "the faults in the journal")
        assert clients.answers("after-signal.example") and machine.property("MainPID") == pid
        check.note(f"Status: {machine.property('StatusText')}")
    set_config(machine, "rate_limit: {queries_per_second: 0}\n")
    with check("reload once more: the faults are mended"):
        machine.sh("systemctl reload dns-tls-proxy")
        assert machine.property("ActiveState") == "active"


def check_bundle(check, machine):
    with check("another CA bundle is seen and read, inside of the sandbox"):
        machine.sh("update-ca-certificates --fresh")
        wait_for(lambda: "CA bundle loaded" in journal(machine, 20), "it was read", 20)
        assert clients.answers("after-bundle.example")


def check_drain(check, machine):
    with check("TERM with slow questions in flight: all are answered, it exits with 0, and the socket starts it again"):
        load = clients.steady(53, prefixes=("slow-1500ms-",))
        running = load.begin("run", seconds=0.5, rate=200, connections=10)
        wait_for(
            lambda: "dns_tls_proxy_queries_in_flight 0\n"
            not in machine.out("curl -sS http://127.0.0.1:5000/metrics") + "\n",
            "questions in flight",
        )
        time.sleep(0.6)  # all are asked; none is answered before 1.5 s
        begin = time.monotonic()
        machine.sh("systemctl stop dns-tls-proxy.service")
        took = time.monotonic() - begin
        result = running.result()
        check.note(f"{result['sent']} asked, {result['answered']} answered, stopped after {took:.1f} s")
        assert result["sent"] == result["answered"] > 80 and set(result["rcodes"]) == {"0"}, result
        assert machine.property("Result") == "success" and machine.property("ExecMainStatus") == "0" and took < 5
        assert clients.answers("example.com")
        wait_ready(machine)


def check_restart(check, machine):
    with check("restarted ten times, each question on a connection of its own: none refused, none lost"):
        load = clients.one_each(53)
        running = load.begin("run", seconds=60, rate=200)
        for _ in range(10):
            machine.sh("systemctl restart dns-tls-proxy.service")
            wait_ready(machine)
        load.enough()
        result = running.result()
        check.note(result)
        assert result["answered"] == result["asked"] > 100, result
    with check("killed: systemd restarts it, and no connection is refused meanwhile"):
        pid = machine.property("MainPID")
        load = clients.one_each(53)
        running = load.begin("run", seconds=60, rate=50)
        machine.sh(f"kill -KILL {pid}")
        wait_new_process(machine, pid)
        time.sleep(1)  # it is back within half a second
        load.enough()
        result = running.result()
        check.note(result)
        # What was being answered died with it, so some may be closed.
        assert result["refused"] == result["late"] == 0 and result["answered"] > 50, result
        assert int(machine.property("NRestarts")) >= 1


def worker_threads(machine, pid):
    """Thread numbers here of the workers of process `pid` in there."""
    tasks = pathlib.Path(f"/proc/{machine.host_pid(pid)}/task")
    return [int(task.name) for task in tasks.iterdir() if (task / "comm").read_text().startswith("worker")]


def check_watchdog(check, machine):
    with check("one worker frozen, the other threads alive: the watchdog restarts it"):
        pid, begin = machine.property("MainPID"), time.monotonic()
        (worker, *_) = worker_threads(machine, pid)
        freezer = subprocess.Popen(
            [sys.executable, str(pathlib.Path(__file__).parent / "freeze.py"), str(worker)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert freezer.stdout.readline() == "frozen\n"
        wait_new_process(machine, pid, 60)
        freezer.wait(10)
        check.note(f"another process answers after {time.monotonic() - begin:.0f} s")
        assert "watchdog" in machine.journal("-u dns-tls-proxy -n 200").lower()
    with check("all of it stopped by SIGSTOP: the watchdog restarts it"):
        pid, begin = machine.property("MainPID"), time.monotonic()
        machine.sh(f"kill -STOP {pid}")
        wait_new_process(machine, pid, 60)
        check.note(f"another process answers after {time.monotonic() - begin:.0f} s")
        assert clients.answers("example.com")


def check_without_socket(check, machine):
    with check("without the socket it takes port 53 itself, by its one capability"):
        machine.sh("systemctl disable --now dns-tls-proxy.socket; systemctl stop dns-tls-proxy.service")
        # The sandbox lets a reload listen at the ports of the start alone: those of all that follows are among them.
        set_config(machine, 'listen: ["0.0.0.0:53", "[::]:53", "127.0.0.1:5353", "127.0.0.1:853"]\n')
        machine.sh("systemctl start dns-tls-proxy.service")
        wait_ready(machine)
        assert clients.answers("example.com") and clients.answers("example.com", server="::1")
    with check("reload changes where it listens, under load, without a loss where it listened before"):
        load = clients.steady(53)
        running = load.begin("run", seconds=3, rate=500, connections=10)
        for listen in ('["0.0.0.0:53"]', '["0.0.0.0:53", "127.0.0.1:5353"]', '["0.0.0.0:53", "[::]:53"]',
                       '["0.0.0.0:53"]'):
            set_config(machine, f"listen: {listen}\n")
            machine.sh("systemctl reload dns-tls-proxy")
            assert clients.answers("example.com", port=5353 if "5353" in listen else 53)
        nothing_lost(running.result(), 1000)
        assert ":5353" not in machine.out("ss -Hltn")
    with check("reload between an address and all of them, back and forth, with a connection for each question"):
        load = clients.one_each(53)
        running = load.begin("run", seconds=60, rate=300)
        for i in range(8):
            set_config(machine, f"listen: [\"{'127.0.0.1' if i % 2 == 0 else '0.0.0.0'}:53\", \"[::1]:53\"]\n")
            machine.sh("systemctl reload dns-tls-proxy")
            wait_for(lambda: "configuration reloaded" in machine.property("StatusText"), "it is reloaded", 5)
        load.enough()
        result = running.result()
        check.note(result)
        assert result["answered"] == result["asked"] > 100, result
    with check("an address somebody else has: the reload is refused, which status and metric say, and it goes on"):
        set_config(machine, 'listen: ["0.0.0.0:53", "1.1.1.1:853"]\n')
        machine.sh("systemctl reload dns-tls-proxy")
        wait_for(lambda: "reload refused" in machine.property("StatusText"), "the status says so", 5)
        assert "1.1.1.1:853" in journal(machine, 20) and clients.answers("example.com")
        said = machine.out("curl -sS http://127.0.0.1:5000/metrics")
        assert "dns_tls_proxy_config_last_reload_successful 0" in said
    with check("a port that is not one of the start: the reload is refused, with the reason"):
        if sandboxed.IS_LOGGED:
            raise checks.Skip("with `sandbox: log` Landlock, which would refuse the port, is not in force")
        set_config(machine, 'listen: ["0.0.0.0:53", "127.0.0.1:5354"]\n')
        machine.sh("systemctl reload dns-tls-proxy")
        wait_for(lambda: "port 5354 only when it is started again" in journal(machine, 20), "the reason", 5)
        assert clients.answers("example.com")
    with check("a port that is taken: the start fails and says which address"):
        machine.sh("systemctl stop dns-tls-proxy.service")
        set_config(machine, 'listen: ["1.1.1.1:853"]\n')
        machine.sh("systemctl start dns-tls-proxy.service", check=False)
        wait_for(lambda: "1.1.1.1:853" in journal(machine, 20), "the address in the journal")
        machine.sh("systemctl stop dns-tls-proxy.service")


def add_lan():
    """An interface that is not loopback, without which resolved believes that it is offline. Its other end is
    here too, so it leads nowhere."""
    checks.run("ip", "link", "add", "lan0", "type", "veth", "peer", "name", "lan1")
    checks.run("ip", "addr", "add", "192.0.2.200/24", "dev", "lan0")
    for name in ("lan0", "lan1"):
        checks.run("ip", "link", "set", name, "up")


def count_of(machine, pattern):
    """The sum of the program's series that match, by now."""
    lines = machine.out("curl -sSf http://127.0.0.1:5000/metrics").splitlines()
    return sum(int(line.rsplit(" ", 1)[1]) for line in lines if re.match(f"dns_tls_proxy_{pattern}", line))


def check_resolved(check, machine):
    with check("systemd-resolved finds its server in it"):
        add_lan()
        set_config(machine, 'listen: ["127.0.0.1:53"]\n')
        machine.sh("systemctl start dns-tls-proxy.service")
        wait_ready(machine)
        machine.sh("mkdir -p /etc/systemd/resolved.conf.d")
        machine.write("/etc/systemd/resolved.conf.d/proxy.conf", RESOLVED)
        machine.sh("systemctl start systemd-resolved")
        # Until it has noticed that it is online.
        machine.wait("resolvectl --legend=no query resolved.example.com | grep -F 192.0.2.1", "resolved resolves")
    udp, tcp = (f'queries_total{{.*transport="{transport}"}}' for transport in ("udp", "tcp"))
    with check("it asks over UDP, 50 names, none in vain"):
        before = count_of(machine, udp), count_of(machine, tcp)
        machine.sh("for i in $(seq 50); do resolvectl --legend=no query r$i.example.com || exit 1; done")
        asked = count_of(machine, udp) - before[0], count_of(machine, tcp) - before[1]
        check.note(f"{asked[0]} questions over UDP, {asked[1]} over TCP")
        assert asked[0] >= 100 and asked[1] == 0, asked
        said = machine.sh("resolvectl query nx-1.example.com 2>&1", check=False)
        assert said.returncode != 0 and "not found" in said.stdout, said.stdout
    with check("it asks over TCP for what is cut"):
        before = count_of(machine, tcp), count_of(machine, "truncated_responses_total")
        said = machine.out("resolvectl --legend=no query --type=TXT big-1.example.com")
        assert said.count("a" * 200) and said.count("p" * 200), said[-500:]
        assert count_of(machine, tcp) > before[0] and count_of(machine, "truncated_responses_total") > before[1]
    with check("glibc and kdig resolve through its stub, short and long"):
        machine.sh("rm -f /etc/resolv.conf && echo nameserver 127.0.0.53 >/etc/resolv.conf")
        assert "192.0.2.1" in machine.out("getent ahosts stub.example.com")
        assert machine.out("getent ahostsv4 big-stub.example.com | grep -c STREAM") == "256"
        said = machine.out("kdig @127.0.0.53 big-2.example.com TXT")
        assert "NOERROR" in said and "a" * 200 in said, said[-500:]
    with check("it finds nothing to complain of"):
        said = machine.journal("-u systemd-resolved")
        assert "degraded" not in said, said


def main():
    check = checks.Checks()
    deb = package.build()
    tree = make_tree()
    with World("boot") as world, Machine(world, tree) as machine:
        machine.trust(world.pki.ca_file)
        machine.put(deb, "/root/package.deb")
        machine.sh("dpkg -i /root/package.deb")
        check_start(check, machine)
        check_reload(check, machine)
        check_bundle(check, machine)
        check_drain(check, machine)
        check_restart(check, machine)
        check_watchdog(check, machine)
        check_without_socket(check, machine)
        check_resolved(check, machine)
    check.finish()


if __name__ == "__main__":
    main()
