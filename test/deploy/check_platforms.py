#!/usr/bin/python3
"""platforms: both commands of README.md from a clean clone in a fresh tree of each release, and the program
cross-compiled for arm64 under qemu-user. Run it by scripts/check-platforms.

The trees have the machine's network: packages come from it.
"""
import argparse
import contextlib
import datetime
import os
import re
import sys
import time
import urllib.request

import checks  # first: it says where the modules below are
import readme
import trees
from fresh import Failed, Fresh
from hostile import Hostile
from pki import LEAVES, SERVER_NAME, Pki
from process import ProcessError, free_port, wait_for
from remote import Remote

ARM64 = "arm64"
ARM64_RELEASE = "debian-13"
CLIENTS = ("dig", "dig +tcp")
QUESTION = "example.com"
ANSWER = "192.0.2.1"
EM_AARCH64 = 183
BEGIN, END = "<!-- platforms:begin (written by scripts/check-platforms --write) -->", "<!-- platforms:end -->"
COLUMNS = ("first command", "second command", "warnings as errors", "tool chain and libraries")
VERSIONS = """
gcc --version 2>/dev/null | sed -nE '1s/.* ([0-9.]+)$/gcc \\1/p'
for p in libwolfssl-dev libldns-dev libcivetweb-dev libcmocka-dev openssl; do
  dpkg-query -W -f '${Package} ${Version}\\n' $p 2>/dev/null | sed -E 's/^lib//; s/-dev / /; s/[-+~].*//'
done
"""


def get(port, path):
    with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
        return answer.read().decode()
    return ""


def answers(fresh, command, seconds, clients=CLIENTS):
    """The program is started by the command on ports of its own, becomes ready, answers the clients, and stops when
    told to.
    """
    port, http = free_port(), free_port()
    with fresh.start(f"{command} --listen 127.0.0.1:{port} --http 127.0.0.1:{http}") as running:
        def is_ready():
            running.check_running()
            return "ready" in get(http, "/readyz")

        try:
            wait_for(is_ready, f"{command} is ready", seconds)
        except ProcessError as error:
            raise Failed(f"{error}\n{running.log_tail()}") from None
        for client in clients:
            said = running.run_beside(*client.split(), "@127.0.0.1", "-p", port, QUESTION)
            if ANSWER not in said:
                raise Failed(f"{client} said:\n{said}\n{running.log_tail()}")
        if "<html" not in get(http, "/").lower():
            raise Failed("there is no status page")
        running.end()


def tests(fresh, command):
    said = fresh.run(command, 3000)
    total = re.search(r"tests passed.* out of (\d+)", said)
    if not total:
        raise Failed(f"{command} ran no test:\n{said[-3000:]}")
    repeated = sorted(set(re.findall(r"Test +#\d+: (\S+) \.+ *\*\*\*(?:Failed|Timeout|Exception)", said)))
    return f"{total.group(1)} of {total.group(1)}" + (f" (repeated: {', '.join(repeated)})" if repeated else "")


class Timer:
    """What was done, and how long it took: {name: text}."""

    def __init__(self):
        self.cells = {}

    def do(self, name, function, *arguments):
        begin = time.monotonic()
        said = function(*arguments)
        self.cells[name] = f"{said or 'passes'}, {time.monotonic() - begin:.0f} s"


def check_release(release, contributors, attempts):
    commands = readme.commands(readme.PATH.read_text(encoding="utf-8"))
    first = readme.with_word(commands, "scripts/run", "--demo")
    second = readme.with_word(commands, "scripts/test")
    if attempts > 1:
        second += f" test --repeat until-pass:{attempts}"
    timer = Timer()
    with Fresh(release) as fresh:
        timer.do(COLUMNS[0], answers, fresh, first, 900)
        timer.do(COLUMNS[1], tests, fresh, second)
        if contributors:
            fresh.run("scripts/install-packages check", 900)
            timer.do(COLUMNS[2], lambda: " and ".join(
                f"{preset} {tests(fresh, f'scripts/test {preset} -L unit')}" for preset in ("dev", "clang")))
        timer.cells[COLUMNS[3]] = ", ".join(fresh.run(VERSIONS, 60).splitlines())
    return timer.cells


def check_calls(check, release):
    """All integration tests with `sandbox: log`: a system call outside the table fails the test that made it. None is
    run again: it might not make the call then.
    """
    with check(f"{release}: no system call outside the sandbox's table"):
        try:
            with Fresh(release) as fresh:
                check.note(tests(fresh, "SANDBOX=log scripts/test test -L integration"))
        except trees.Unavailable as why:
            raise checks.Skip(str(why)) from None


def build_arm64(fresh):
    fresh.run(f"scripts/install-packages {ARM64}", 900)
    fresh.run(f"cmake --preset {ARM64} && cmake --build --preset {ARM64}", 900)
    header = (fresh.clone / f"build/{ARM64}/dns-tls-proxy").read_bytes()[:20]
    if int.from_bytes(header[18:20], "little") != EM_AARCH64:
        raise Failed("the program is not for arm64")
    return "builds"


def answers_arm64(fresh):
    folder = fresh.clone / "build/demo"
    folder.mkdir()
    pki = Pki(folder, {"right": LEAVES["right"]})
    certificate, key = pki.certificate()
    with Remote(Hostile, port=free_port(), certificate=certificate, key=key) as upstream:
        upstream.start()
        flags = f"--upstream '127.0.0.1:{upstream.port}#{SERVER_NAME}' --ca-file build/demo/ca.pem"
        answers(fresh, f"qemu-aarch64 build/{ARM64}/dns-tls-proxy {flags}", 120, ("kdig +tcp", *CLIENTS))
    return "answers `kdig +tcp`"


def check_arm64(release):
    timer = Timer()
    with Fresh(release) as fresh:
        timer.do(COLUMNS[0], build_arm64, fresh)
        timer.do(COLUMNS[1], answers_arm64, fresh)
    timer.cells[COLUMNS[3]] = f"cross-compiled on {release}, run by qemu-user"
    return timer.cells


HEAD = """| system | `scripts/run --demo`, `dig` | `scripts/test` | units with warnings as errors | with | on |
|---|---|---|---|---|---|
"""


def lines_of(rows):
    """{name: its line of the table}."""
    return {name: "| " + " | ".join([name, *(row.get(column, "") for column in COLUMNS), row["date"]]) + " |\n"
            for name, row in rows.items()}


def write(rows):
    """Into docs/TESTING.md, whose lines of other systems stay."""
    document = checks.ROOT / "docs/TESTING.md"
    before, _, rest = document.read_text(encoding="utf-8").partition(BEGIN)
    former, _, after = rest.partition(END)
    lines = {line.split("|")[1].strip(): line for line in former.splitlines(keepends=True) if line.startswith("|")}
    lines.update(lines_of(rows))
    table = HEAD + "".join(lines[name] for name in (*trees.RELEASES, ARM64) if name in lines)
    document.write_text(f"{before}{BEGIN}\n{table}{END}{after}", encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(prog="scripts/check-platforms", description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help=f"{', '.join(trees.RELEASES)} or {ARM64}; default: all")
    parser.add_argument("--write", action="store_true", help="the results into docs/TESTING.md")
    parser.add_argument("--attempts", type=int, default=1, metavar="N",
                        help="on a busy machine: a test that fails is run again, N times in all; its row names it")
    parser.add_argument("--log-calls", action="store_true",
                        help="in place of all that: the integration tests with `sandbox: log`, in the releases")
    arguments = parser.parse_args()
    everything = trees.RELEASES if arguments.log_calls else (*trees.RELEASES, ARM64)
    if arguments.log_calls and (arguments.write or arguments.attempts > 1):
        parser.error("--log-calls goes with names alone")
    if set(arguments.names) - set(everything):
        parser.error(f"not one of {', '.join(everything)}")
    if os.geteuid() != 0:
        sys.exit("scripts/check-platforms: needs root")
    checks.install("mmdebstrap", "git", "openssl")
    check = checks.Checks()
    if arguments.log_calls:
        for name in arguments.names or everything:
            check_calls(check, name)
        check.finish()
    rows = {}
    for name in arguments.names or everything:
        with check(name):
            try:
                row = check_arm64(ARM64_RELEASE) if name == ARM64 else check_release(
                    name, name != "debian-12", arguments.attempts)
            except trees.Unavailable as why:
                raise checks.Skip(str(why)) from None
            rows[name] = {**row, "date": str(datetime.date.today())}
            for cell in filter(None, row.values()):
                check.note(cell)
            if arguments.write:
                write(rows)
    print(HEAD + "".join(lines_of(rows).values()))
    check.finish()


if __name__ == "__main__":
    main()
