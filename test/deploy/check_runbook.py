#!/usr/bin/python3
"""docs/RUNBOOK.md: every command in it is run as written: on a machine with the package installed (```sh, and what
stands between backquotes), before that (```sh trial), beside a program that asks (```sh dnstap), or in this tree
(```sh tree, and docker's); check_ports has ```sh resolved; of those for a cluster (```sh cluster, kubectl), what can be
had without one. Every alert has its section, every link leads somewhere, and settings are accepted, also those of
MIGRATION.md."""
import os
import pathlib
import re
import tempfile
import threading

import yaml

import check_manifests
import checks
import containers
import package
from fresh import Fresh
from machine import Machine, make_tree
from process import wait_for
from world import World

RUNBOOK = checks.ROOT / "docs/RUNBOOK.md"
MIGRATION = checks.ROOT / "docs/MIGRATION.md"
PAGES = (RUNBOOK, MIGRATION, checks.ROOT / "docs/CAPACITY.md", checks.ROOT / "docs/RESOLVERS.md")
#: What a ```sh block may be for.
PLACES = ("", "trial", "resolved", "dnstap", "tree", "cluster")
CONFIG = "/etc/dns-tls-proxy/dns-tls-proxy.yaml"
#: Where systemd puts the secrets of a unit.
CREDENTIAL = re.compile(r"/run/credentials/dns-tls-proxy\.service/")
RELEASES = ("debian-12", "debian-13")
RULES = checks.ROOT / "metrics/prometheus"
#: The rule whose label `url` is what the links of the alerts begin with.
LINK_BASE = "dns_tls_proxy:runbook:info"
SETTING = re.compile(r"`([a-z_]+: [^`]*)`")
COMMAND = re.compile(r"(dns-tls-proxy|systemctl|journalctl|ss|curl|kdig|apt-get|kubectl|docker|consul|ssh|timedatectl|"
                     r"scripts/\S+) +\S")

#: Commands between backquotes that nothing here runs, and why.
NOT_RUN = {
    "scripts/check-deploy runbook": "it runs this",
    "ssh -L 5000:127.0.0.1:5000 HOST": "there is no other machine",
    "kdig +tcp @ADDRESS NAME": "what the line means; the block behind it has it with an address",
    "consul catalog services": "check_consul asks a real agent the same through its API",
    "ss -tnp 'sport = :PORT'": "for the machine of a client; the port is in the alert",
    "apt-get install --allow-downgrades ./dns-tls-proxy_OLD.deb": "check_package does, with two versions",
    "journalctl -u dns-tls-proxy | grep 'worker=0 question=4711 '": "the numbers are the reader's",
    "docker run --network container:dns-tls-proxy ...": "the dots are the reader's",
}


def blocks(text, where):
    """The shell commands of the page for `where` (one of PLACES), each with the heading it stands under."""
    heading = ""
    for match in re.finditer(r"^#+ ([^\n]+)$|^```sh ?([a-z]*)\n(.*?)^```$", text, re.S | re.M):
        if match.group(1):
            heading = match.group(1)
        elif match.group(2) == where:
            yield heading, match.group(3)


def inline_commands(text):
    """What stands between backquotes and is a whole command, once each."""
    prose = re.sub(r"(?ms)^```.*?^```$", "", text)
    found = [each for each in re.findall(r"`([^`\n]+)`", prose) if COMMAND.match(each)]
    return list(dict.fromkeys(found))


def title(heading, script):
    return f"{heading}: {script.strip().splitlines()[0][:100]} ..."


def anchor(heading):
    """As GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def anchors_of(path):
    return {anchor(heading) for heading in re.findall(r"(?m)^#+ (.+)$", path.read_text())}


def rules():
    for path in sorted(RULES.glob("*.yml")):
        for group in yaml.safe_load(path.read_text()).get("groups", []):
            yield from group["rules"]


def check_text(check, text):
    headings = re.findall(r"(?m)^#+ (.+)$", text)
    anchors = anchors_of(RUNBOOK)
    with check("every alert has a section, and its runbook_url leads there"):
        named = [rule for rule in rules() if "alert" in rule]
        assert named, "no alerts"
        for rule in named:
            assert rule["alert"] in headings, f"no section {rule['alert']}"
            base, _, at = rule["annotations"].get("runbook_url", "").partition("#")
            assert at in anchors and LINK_BASE in base, f"{rule['alert']}: {base}#{at}"
        (base,) = [rule for rule in rules() if rule.get("record") == LINK_BASE]
        assert base["labels"]["url"].endswith("/docs/RUNBOOK.md"), base
        check.note(f"{len(named)} alerts")
    with check("no section for an alert that is none"):
        stale = [
            heading
            for heading in headings
            if heading.startswith("DnsTlsProxy") and heading not in {rule["alert"] for rule in named}
        ]
        assert not stale, stale
    with check("what is not run between backquotes stands there still, and is said here"):
        stale = [each for each in NOT_RUN if each not in inline_commands(text)]
        assert not stale, stale
        for command, why in NOT_RUN.items():
            check.note(f"not run: {command} ({why})")
    with check("links within the project lead somewhere, of its companions, too"):
        for page in PAGES:
            for target, at in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", page.read_text()):
                there = page.parent / target if target else page
                assert there.exists(), target
                assert not at or at in anchors_of(there), f"{page.name}: {target}#{at}"
    with check("each block is for a place where something runs it"):
        found = set(re.findall(r"(?m)^ *```sh ?([a-z]*)$", text))
        assert found <= set(PLACES), found
    with check("every metric it names is one"):
        known = (checks.ROOT / "docs/METRICS.md").read_text()
        for name in set(re.findall(r"dns_tls_proxy_[a-z_]+[a-z]", text)):
            assert name in known, name


def check_settings(check, text, folder):
    with check("the settings of the migration tables, and those shown as a file, are accepted"):
        if not checks.PROGRAM.exists():
            raise checks.Skip(f"{checks.PROGRAM} is not built")
        rows = [line for line in MIGRATION.read_text().splitlines() if line.startswith("| ") and " | " in line]
        settings = [setting for line in rows for setting in SETTING.findall(line.split(" | ")[1])]
        assert len(settings) > 20, settings
        settings += re.findall(r"(?ms)^```yaml\n(.*?)^```$", text)
        for name in ("fleet.secret", "store.password"):
            (folder / name).write_text(f"{'0' * 64}\n")
        for setting in settings:
            path = folder / "setting.yaml"
            path.write_text(CREDENTIAL.sub(f"{folder}/", setting) + "\n")
            checks.run(checks.PROGRAM, "--config", path, "--check-config")
        check.note(f"{len(settings)} settings")
    with check("what is shown for CoreDNS has the form of a Corefile: a block is opened and closed at a line's end"):
        shown = re.findall(r"(?ms)^ *```corefile\n(.*?)^ *```$", text)
        assert shown and not re.search(r"`(forward|force_tcp)", text)
        for line in "".join(shown).splitlines():
            assert line.count("{") == line.rstrip().endswith(" {") and ("}" not in line or line.strip() == "}"), line


def check_inline(check, machine, units, commands):
    """Each of them while these units run."""
    for command in commands:
        if command in NOT_RUN or command.startswith(("kubectl", "docker")):
            continue
        with check(f"between backquotes: {command}"):
            machine.sh(f"systemctl start {units}")  # where the one before stopped them
            before = machine.property("MainPID")
            typed = f"script -qec '{command}' /dev/null" if command.startswith("systemctl edit") else command
            done = machine.sh(f"set -e -o pipefail; cd /root\n{typed}", timeout=90, check=False)
            # Somebody, the socket unit, has the port.
            assert done.returncode == ("--holder-of" in command), done
            if "kill" in command:
                machine.wait(f"! kill -0 {before} 2>/dev/null", "the former process is gone")
            machine.sh(f"systemctl start {units}")
            machine.wait("dns-tls-proxy --health-check", "it is ready after that")


def check_machine(check, text, release):
    """As root on a machine of the release that has the package's file at hand."""
    with Fresh(release, make_tree(release)) as fresh:
        package.put_into(fresh)
        fresh.run("apt-get install -y -q --no-install-recommends dnsperf knot-dnsutils fstrm-bin bind9-dnsutils", 300)
        with World("runbook") as world, Machine(world, fresh.as_tree()) as machine:
            check.note(f"{release}: " + machine.out("systemctl --version | head -n 1"))
            machine.trust(world.pki.ca_file)
            check_commands(check, text, machine)


#: `editor` stands for the operator's own; systemd's files begin empty.
EDITOR = """#!/bin/sh
for file; do :; done
case $file in
  */systemd/*) printf '[Unit]\\nDescription=edited\\n' > "$file" ;;
  *) sed -i 's/# drain_timeout: 5s/drain_timeout: 4s/' "$file" ;;
esac
"""


def check_commands(check, text, machine):
    machine.write("/usr/local/bin/editor", EDITOR)
    machine.sh("chmod +x /usr/local/bin/editor")
    check_trial(check, text, machine)
    # The page's first block is for a machine that runs already.
    for heading, script in sorted(blocks(text, ""), key=lambda block: not block[0].startswith("Install")):
        with check(title(heading, script)):
            machine.sh(f"set -e -o pipefail; cd /root\n{script}", timeout=90)
            machine.wait("dns-tls-proxy --health-check", "it is ready after that")
    check_dnstap(check, text, machine)
    commands = inline_commands(text)
    units = "dns-tls-proxy.socket dns-tls-proxy.service"
    check_inline(check, machine, units, [each for each in commands if "8853" not in each])
    # The trial beside an old server: without the socket unit.
    machine.sh(f"systemctl disable --now {units}")
    check_inline(check, machine, "dns-tls-proxy.service", [each for each in commands if "8853" in each])


def check_trial(check, text, machine):
    """Line by line, with the reader's pause after a start."""
    for heading, script in blocks(text, "trial"):
        with check(title(heading, script)):
            for line in script.splitlines():
                machine.sh(f"set -e -o pipefail; cd /root\n{line}", timeout=90)
                if line.startswith("systemctl start"):
                    machine.wait("dns-tls-proxy --health-check", "it is ready after that")


def check_dnstap(check, text, machine):
    """With the settings above the commands, while others ask."""
    settings = re.search(r"(?m)^dnstap: .*$", text).group()
    for heading, script in blocks(text, "dnstap"):
        with check(title(heading, script)):
            machine.write(CONFIG, f"{settings}\n")
            machine.sh("systemctl restart dns-tls-proxy")
            others = "echo example.com A > /tmp/asked; sleep 3; dnsperf -m tcp -d /tmp/asked -Q 900 -l 3"
            asking = threading.Thread(target=machine.sh, args=(others,))
            asking.start()
            shown = machine.out(f"set -e -o pipefail; cd /root\n{script.replace('timeout 60', 'timeout 10')}")
            asking.join()
            assert len(re.findall(r" example\.com/IN/A", shown)) > 1, shown
            check.note(shown.splitlines()[0])


DOCKER = """#!/bin/sh
# docker as this machine has it. A container's first answer takes a moment, which a reader takes, too.
case $1 in
  build) shift; exec buildah bud -q --layers --network host --pull-never --format docker "$@" ;;
  run)
    podman "$@" || exit
    for _ in $(seq 200); do
      podman exec dns-tls-proxy /usr/sbin/dns-tls-proxy --health-check && exit
      sleep 0.1
    done
    exit 1 ;;
  *) exec podman "$@" ;;
esac
"""


def check_tree(check, text):
    """In this tree, `docker` being buildah and podman; the image is built outside of the world, since it needs
    Debian's packages."""
    containers.prepare()
    containers.build("dns-tls-proxy:test")
    for heading, script in blocks(text, "tree"):
        with World("tree") as world, containers.as_docker(world), check(title(heading, script)):
            run_in_tree(world, script)
    with World("tree") as world, containers.as_docker(world):
        run_in_tree(world, re.search(r"(?m)^docker run .*$", text).group())
        for command in inline_commands(text):
            if command.startswith("docker") and command not in NOT_RUN:
                with check(f"between backquotes: {command}"):
                    run_in_tree(world, command)
                    wait_for(
                        lambda: checks.run(checks.PROGRAM, "--health-check", check=False).returncode == 0,
                        "it is ready after that",
                    )


def run_in_tree(world, script):
    (world.folder / "docker").write_text(DOCKER)
    (world.folder / "docker").chmod(0o755)
    path = f"{world.folder}:{os.environ['PATH']}"
    strict = ("bash", "-e", "-o", "pipefail", "-c", script)
    checks.run(*strict, cwd=checks.ROOT, timeout=600, env={**os.environ, "PATH": path})


def check_cluster(check, text):
    for heading, script in blocks(text, "cluster"):
        with check(title(heading, script) + " (rendered; there is no cluster)"):
            for folder in re.findall(r"apply -k (\S+)", script):
                assert check_manifests.render(checks.ROOT / folder)
    with check("what kubectl is asked for between backquotes is in the manifests (there is no cluster)"):
        documents = check_manifests.render("base")
        for command in inline_commands(text):
            for namespace, kind, name in re.findall(r"^kubectl -n (\S+) .*?(daemonset|deployment)/(\S+)", command):
                assert any(
                    each["kind"].lower() == kind and each["metadata"] | {"namespace": namespace, "name": name}
                    == each["metadata"] for each in documents
                ), command


def main():
    check = checks.Checks()
    checks.install("python3-yaml")
    text = RUNBOOK.read_text()
    check_text(check, text)
    with tempfile.TemporaryDirectory() as name:
        check_settings(check, text, pathlib.Path(name))
    check_cluster(check, text)
    check_tree(check, text)
    for release in RELEASES:
        check_machine(check, text, release)
    check.finish()


if __name__ == "__main__":
    main()
