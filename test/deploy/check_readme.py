#!/usr/bin/python3
"""README.md: every command in it is run as written, on fresh Debian 12 and 13 with a clone of this tree and nothing
else installed. A command that no check runs fails the first of them."""
import contextlib
import os
import re
import shutil
import tempfile
import urllib.request

import checks  # first: it says where the modules below are
import readme
import trees
from fresh import Fresh
from machine import Machine, make_tree
from process import Process, wait_for
from world import World

RUNBOOK = checks.ROOT / "docs/RUNBOOK.md"
RELEASES = ("debian-12", "debian-13")
KNOWN = ("git clone ", "dig ", "scripts/run", "scripts/test", "scripts/package", "cmake ", "docker ", "sudo ", "echo ",
         "getent ")
PAGES = {"": "<html", "metrics": "dns_tls_proxy_build_info", "healthz": "main", "readyz": "ready"}


def get(path):
    with urllib.request.urlopen(f"http://127.0.0.1:5000/{path}", timeout=5) as answer:
        return answer.read().decode()


def wait_ready(check_running, seconds):
    def is_ready():
        check_running()
        with contextlib.suppress(OSError):
            return get("readyz")

    wait_for(is_ready, "/readyz is 200", seconds)


def part_of(shown):
    """What is the same every time: status, question and answer."""
    lines = [re.sub(r"\s+", " ", line) for line in shown.splitlines()]
    return [re.sub(r"id: \d+|\b300\b", "", line) for line in lines if re.search(r"HEADER|IN A|SERVER", line)]


def shows_what_it_should(text, found, run):
    """`run` runs a command where the reader would."""
    typed = readme.with_word(found, "dig")
    shown = text.partition(f"$ {typed}\n")[2].partition("```")[0]
    said = run("bash", "-c", typed)
    assert part_of(said) == part_of(shown), said
    for path, word in PAGES.items():
        assert word in get(path).lower(), f"/{path}"


def check_text(check, text, found):
    with check("a check runs each of its commands"):
        assert len(found) == 15 and all(each.startswith(KNOWN) for each in found), found
    with check("the commands of containers are the runbook's, which check_runbook runs"):
        runbook = RUNBOOK.read_text()
        unknown = [each for each in found if each.startswith("docker") and each not in runbook]
        assert not unknown, unknown
    with check("links within the project lead somewhere"):
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
            assert (readme.PATH.parent / target).exists(), target


def check_clone(check, found):
    command = readme.with_word(found, "git clone")
    with check(f"{command}: gives the tree, where that address is this repository"), \
            tempfile.TemporaryDirectory() as folder:
        address = re.search(r"https://\S+", command).group()
        rule = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"url.{checks.ROOT}.insteadOf",
                "GIT_CONFIG_VALUE_0": address}
        checks.run("bash", "-c", f"{command} && test -x scripts/run && test -x scripts/test", cwd=folder,
                   env={**os.environ, **rule})


def check_cloudflare(check, text, found):
    """Here, where the program is built, in a network in which Cloudflare's addresses are ours."""
    command = next(each for each in found if each == "scripts/run")
    with World("readme") as world, check(f"{command}: asks Cloudflare and answers as shown"):
        trusting = f"mount --bind {world.pki.ca_file} /etc/ssl/certs/ca-certificates.crt && exec {command}"
        with Process("run", ["unshare", "-m", "bash", "-c", f"cd {checks.ROOT} && {trusting}"],
                     world.folder) as process:
            def check_running():
                assert process.child.poll() is None, process.log_tail()

            wait_ready(check_running, 300)
            shows_what_it_should(text, found, checks.output)
            process.child.terminate()
            assert process.wait_exit(30) == 0, process.log_tail()


def resolver_section(text):
    return text.partition("## As the system's resolver")[2].partition("\n## ")[0]


def check_laptop(check, text, release):
    """From the clone to the system's resolver: the packages are fetched and built in a tree with the machine's network,
    and a machine of that tree is booted where there is none but the world's."""
    typed = readme.commands(resolver_section(text))
    clone, *building, enable, name_it, look = [each for each in typed if not each.startswith("systemctl")]
    with check(f"{release}: from the clone to the laptop's resolver in fewer than ten commands"):
        assert clone.startswith("git clone ") and len(typed) < 10, typed
    with Fresh(release, make_tree(release)) as fresh:
        fresh.run("printf '#!/bin/sh\\nexec \"$@\"\\n' >/usr/local/bin/sudo && chmod 755 /usr/local/bin/sudo", 60)
        for command in building:
            with check(f"{release}: {command}"):
                fresh.run(command, 900)
        with World("laptop") as world, Machine(world, fresh.as_tree()) as machine:
            machine.trust(world.pki.ca_file)
            for command in (enable, name_it):
                with check(f"{release}: {command}"):
                    machine.sh(command)
            with check(f"{release}: {look}: glibc has the name from the upstream"):
                machine.wait("dns-tls-proxy --health-check", "it is ready")
                assert "192.0.2.1 " in machine.out(look)
                assert world.upstream.queries(containing="example.com"), "the upstream was not asked"
            check_choosers(check, text, world, machine, release)


def check_choosers(check, text, world, machine, release):
    """What the table says of those who choose the resolver."""
    section = resolver_section(text)
    with check(f"{release}: ... /etc/resolv.conf alone"):
        machine.sh("rm -f /etc/resolv.conf && echo 'nameserver 127.0.0.1' > /etc/resolv.conf")
        assert re.search(r"`nameserver 127.0.0.1`", section)
        assert "192.0.2.1 " in machine.out("getent ahosts alone.example.com")
    with check(f"{release}: ... systemd-resolved"):
        command = re.search(r"\| systemd-resolved \| `(.+?)` \|", section)[1]
        # It resolves nothing while no link but loopback is up.
        machine.sh("ip link add up0 type veth peer name up1 && ip address add 198.51.100.1/24 dev up0 &&"
                   " ip link set up0 up && ip link set up1 up")
        machine.sh(command)
        said = wait_for(lambda: machine.sh("resolvectl query resolved.example.com", check=False).stdout,
                        "an answer", 30)
        assert "192.0.2.1" in said, said
        assert world.upstream.queries(containing="resolved.example.com"), "the upstream was not asked"
    with check(f"{release}: ... a router, for its network: the example that it names"):
        example = re.search(r"the example `([^`]+)`", section)[1]
        machine.sh(f"cp /usr/share/doc/dns-tls-proxy/examples/{example} /etc/dns-tls-proxy/dns-tls-proxy.yaml"
                   " && systemctl restart dns-tls-proxy")
        machine.wait("dns-tls-proxy --health-check", "it is ready")
        assert "192.168.1.10" in machine.out("getent ahosts nas.home.arpa")


def check_release(check, text, found, release):
    """The commands in a fresh tree. A build before a command is taken away: each stands by itself."""
    with Fresh(release) as fresh:
        demo = readme.with_word(found, "scripts/run", "--demo")
        with check(f"{release}: {demo} installs, builds, answers as shown, serves its pages, ends with 0"), \
                fresh.start(demo) as running:
            wait_ready(running.check_running, 900)
            shows_what_it_should(text, found, running.run_beside)
            running.end()
        by_hand = readme.with_word(found, "cmake")
        shutil.rmtree(fresh.clone / "build", ignore_errors=True)
        with check(f"{release}: {by_hand} leaves the program where it says"):
            fresh.run(by_hand, 900)
            assert (fresh.clone / "build/release/dns-tls-proxy").exists()
        package = readme.with_word(found, "scripts/package")
        with check(f"{release}: {package} makes a package that can be installed and started"):
            made = fresh.run(package, 900).splitlines()[-1]
            check.note(fresh.run(f"apt-get install -y -q {made} && dns-tls-proxy --version", 300).splitlines()[-1])
        command = readme.with_word(found, "scripts/test")
        with check(f"{release}: {command} installs, builds and passes"):
            if os.environ.get("BUT_TESTS") == "1":
                raise checks.Skip("BUT_TESTS=1; scripts/check-platforms runs it, too")
            check.note(re.findall(r".*tests passed.*", fresh.run(command, 3000))[-1])


def main():
    check = checks.Checks()
    checks.install("knot-dnsutils", "git", "openssl", "mmdebstrap")
    text = readme.PATH.read_text()
    found = readme.commands(text)
    check_text(check, text, found)
    check_clone(check, found)
    check_cloudflare(check, text, found)
    for release in RELEASES:
        try:
            check_laptop(check, text, release)
            check_release(check, text, found, release)
        except trees.Unavailable as why:
            with check(release):
                raise checks.Skip(str(why))
    check.finish()


if __name__ == "__main__":
    main()
