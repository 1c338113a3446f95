#!/usr/bin/python3
"""README.md: every command in it is run as written, on a fresh Debian 12 with a clone of this tree and nothing else
installed. A command that no check here runs fails the first of them."""
import contextlib
import os
import pathlib
import re
import shutil
import tempfile
import urllib.request

import checks
import containers
from hostile import Hostile
from pki import Pki
from process import Process, wait_for
from remote import Remote
from world import World

README = checks.ROOT / "README.md"
UPSTREAM_PORT = 8530
PAGES = {"": "<html", "metrics": "dns_tls_proxy_build_info", "healthz": "main", "readyz": "ready"}


def commands(text):
    """All of them: the lines of ```sh blocks without their comments, what is typed behind a $, and what stands between
    backquotes and begins like one."""
    blocks = re.findall(r"(?ms)^```sh\n(.*?)^```$", text)
    lines = [line.partition("  #")[0].strip() for block in blocks for line in block.splitlines()]
    typed = re.findall(r"(?m)^\$ (.+)$", text)
    prose = re.sub(r"(?ms)^```.*?^```$", "", text)
    inline = [each for each in re.findall(r"`([^`\n]+)`", prose) if re.match(r"(scripts/|cmake |\w+ -)", each)]
    return lines + typed + inline


def with_word(found, *words):
    return next(each for each in found if all(word in each for word in words))


def make_clone(folder):
    """What `git clone` would give, with what was not committed yet."""
    files = checks.output("git", "ls-files", "-co", "--exclude-standard", cwd=checks.ROOT).splitlines()
    for file in files:
        if (checks.ROOT / file).is_file():
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(checks.ROOT / file, folder / file)


def in_fresh_debian(clone, command):
    """As an argument list. It has the machine's network, from which packages come."""
    limits = ["--ulimit", "nofile=20000:20000", "--ulimit", "nproc=4096:4096"]
    place = ["--network", "host", "--privileged", "-v", f"{clone}:/clone", "-w", "/clone"]
    name = f"readme-{os.getpid()}"
    return ["podman", "run", "--rm", "--name", name, *place, *limits, containers.BASE, "bash", "-c", f"exec {command}"]


def get(path):
    with urllib.request.urlopen(f"http://127.0.0.1:5000/{path}", timeout=5) as answer:
        return answer.read().decode()


def wait_ready(process, seconds):
    def is_ready():
        assert process.child.poll() is None, process.log_tail()
        with contextlib.suppress(OSError):
            return get("readyz")

    wait_for(is_ready, "/readyz is 200", seconds)


def part_of(shown):
    """What is the same every time: status, question and answer."""
    lines = [re.sub(r"\s+", " ", line) for line in shown.splitlines()]
    return [re.sub(r"id: \d+|\b300\b", "", line) for line in lines if re.search(r"HEADER|IN A|From", line)]


def shows_what_it_should(text, found):
    typed = with_word(found, "kdig")
    shown = text.partition(f"$ {typed}\n")[2].partition("```")[0]
    said = checks.run("bash", "-c", typed).stdout
    assert re.sub(r" in [\d.]+ ms", "", "\n".join(part_of(said))) == re.sub(
        r" in [\d.]+ ms", "", "\n".join(part_of(shown))
    ), said
    for path, word in PAGES.items():
        assert word in get(path).lower(), f"/{path}"


def ends_well(process):
    process.child.terminate()
    assert process.wait_exit(30) == 0, process.log_tail()


def check_run(check, text, found, clone):
    """The command whose answer the page shows; on a Debian that has nothing yet."""
    pki = Pki(clone)  # its authority's file is ca.pem
    certificate, key = pki.certificate()
    command = with_word(found, "scripts/run", "--upstream")
    with Remote(Hostile, port=UPSTREAM_PORT, certificate=certificate, key=key) as upstream:
        upstream.start()
        with check(f"{command}: on a fresh Debian it installs, builds, answers as shown, serves its pages, ends with 0"):
            with Process("readme", in_fresh_debian(clone, command), clone.parent) as process:
                wait_ready(process, 900)
                shows_what_it_should(text, found)
                ends_well(process)


def check_cloudflare(check, text, found):
    """Here, where the program is built, in a network in which Cloudflare's addresses are ours."""
    command = with_word(found, "scripts/run")
    with World("readme") as world, check(f"{command}: asks Cloudflare and answers as shown"):
        trusting = f"mount --bind {world.pki.ca_file} /etc/ssl/certs/ca-certificates.crt && exec {command}"
        with Process("run", ["unshare", "-m", "bash", "-c", f"cd {checks.ROOT} && {trusting}"], world.folder) as process:
            wait_ready(process, 300)
            shows_what_it_should(text, found)
            ends_well(process)


def check_ended(check, name, clone, command, seconds):
    with check(f"{name}: {command}"):
        done = checks.run(*in_fresh_debian(clone, command), check=False, timeout=seconds)
        told = (done.stdout + done.stderr).strip()
        check.note(re.findall(r".*tests passed.*", told)[-1:] or "")
        assert done.returncode == 0, told[-6000:]


def main():
    check = checks.Checks()
    checks.install("knot-dnsutils", "git")
    checks.run("scripts/install-packages", "build", cwd=checks.ROOT, timeout=900)
    containers.prepare()
    text = README.read_text()
    found = commands(text)
    with check("a check runs each of its commands"):
        known = ("kdig ", "scripts/run", "scripts/test", "cmake ")
        assert all(each.startswith(known) for each in found) and len(found) == 5, found
    check_cloudflare(check, text, found)
    with tempfile.TemporaryDirectory(dir=checks.CACHE) as name:
        clone = pathlib.Path(name) / "clone"
        clone.mkdir()
        make_clone(clone)
        try:
            check_run(check, text, found, clone)
            by_hand = with_word(found, "cmake")
            shutil.rmtree(clone / "build", ignore_errors=True)
            check_ended(check, "by hand", clone, f"bash -c 'scripts/install-packages && {by_hand}'", 900)
            with check("... leaves the program where it says"):
                assert (clone / "build/release/dns-tls-proxy").exists()
            check_ended(check, "on a fresh Debian it installs, builds and passes", clone,
                        with_word(found, "scripts/test"), 3000)
        finally:
            containers.podman("rm", "-f", "-t", "0", f"readme-{os.getpid()}", check=False)
    check.finish()


if __name__ == "__main__":
    main()
