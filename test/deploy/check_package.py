#!/usr/bin/python3
"""The Debian package: what is in it, lintian, manual pages; then its life on a machine with systemd: install, upgrade
while clients ask, remove, purge."""
import os
import pathlib
import re
import tempfile

import checks
import clients
import package
import readme
from machine import Machine, make_tree
from world import World

CONFIG = "/etc/dns-tls-proxy/dns-tls-proxy.yaml"
UNITS = ("dns-tls-proxy.service", "dns-tls-proxy.socket")
FILES = (
    CONFIG,
    "/usr/sbin/dns-tls-proxy",
    *(f"/usr/lib/systemd/system/{unit}" for unit in UNITS),
    "/usr/share/man/man8/dns-tls-proxy.8.gz",
    "/usr/share/man/man5/dns-tls-proxy.yaml.5.gz",
    "/usr/share/doc/dns-tls-proxy/copyright",
    "/usr/share/doc/dns-tls-proxy/changelog.gz",
    *(f"/usr/share/doc/dns-tls-proxy/examples/{name}.yaml"
      for name in ("laptop", "home-router", "company", "kubernetes-node", "fleet")),
    "/usr/share/doc/dns-tls-proxy/examples/resolved.conf",
    "/usr/share/bash-completion/completions/dns-tls-proxy",
    "/usr/share/zsh/vendor-completions/_dns-tls-proxy",
    "/usr/share/fish/vendor_completions.d/dns-tls-proxy.fish",
)


def check_contents(check, deb):
    with check("it holds program, units, configuration and manual pages, and the configuration is a conffile"):
        listed = checks.output("dpkg-deb", "-c", deb)
        missing = [file for file in FILES if f" .{file}\n" not in listed + "\n"]
        assert not missing, f"{missing} of\n{listed}"
        assert checks.output("dpkg-deb", "--info", deb, "conffiles") == CONFIG
        check.note(f"{deb.name}, {deb.stat().st_size // 1024} KiB; depends on {package.field(deb, 'Depends')}")
    with check("it depends on the libraries that its program needs"):
        depends = package.field(deb, "Depends")
        missing = [each for each in ("libc6", "libwolfssl", "libldns", "libcivetweb", "libyaml") if each not in depends]
        assert not missing, f"{missing} of {depends}"
    with check("lintian has no errors and no warnings"):
        checks.install("lintian")
        done = checks.run("lintian", "--fail-on", "error,warning", "--tag-display-limit", "0", deb, check=False)
        for line in done.stdout.splitlines():
            check.note(line)
        assert done.returncode == 0, done.stdout + done.stderr


def check_build(check):
    """What an operator's build meets: a folder with a space in its name, and a machine without the packaging tools."""
    with tempfile.TemporaryDirectory(dir=checks.CACHE) as name:
        clone = pathlib.Path(name) / "with a space"
        clone.mkdir()
        readme.make_clone(clone)
        with check("scripts/package works in a folder whose name has a space"):
            made = checks.output(clone / "scripts/package", timeout=900).splitlines()[-1]
            assert "libwolfssl" in package.field(made, "Depends"), package.field(made, "Depends")
            pathlib.Path(made).unlink()
        for tool in ("dpkg-shlibdeps", "file"):
            with check(f"without {tool} cpack fails, says so, and leaves no package"):
                hidden = f"mount --bind /dev/null /usr/bin/{tool} && exec cpack -G DEB"
                done = checks.run("unshare", "-m", "sh", "-c", hidden, check=False, cwd=clone / "build/package")
                assert done.returncode != 0 and f"cpack needs {tool}" in done.stdout + done.stderr, done
                assert not list((clone / "build/package").glob("*.deb"))


def check_files(check, deb, folder):
    checks.run("dpkg-deb", "-x", deb, folder)
    checks.install("man-db")
    program = folder / "usr/sbin/dns-tls-proxy"
    with check("the copyright file has the program under GPL-2+, as wolfSSL is"):
        said = (folder / "usr/share/doc/dns-tls-proxy/copyright").read_text()
        assert re.search(r"(?ms)^Files: usr/sbin/dns-tls-proxy$.*?^License: GPL-2\+$", said), said
    with check("the manual pages have no warnings"):
        for page in sorted((folder / "usr/share/man").rglob("*.gz")):
            done = checks.run(
                "man",
                "--warnings",
                "-E",
                "UTF-8",
                "-l",
                "-Tutf8",
                "-Z",
                page,
                env={**os.environ, "LC_ALL": "C.UTF-8", "MANROFFSEQ": "", "MANWIDTH": "80"},
            )
            assert not done.stderr, f"{page.name}: {done.stderr}"
    with check("dns-tls-proxy(8) names every flag, dns-tls-proxy.yaml(5) every setting"):
        flags = set(re.findall(r"--[a-z-]+", checks.output(program, "--help").partition("\nExamples")[0]))
        page = shown(folder / "usr/share/man/man8/dns-tls-proxy.8.gz")
        assert all(flag in page for flag in flags), sorted(flag for flag in flags if flag not in page)
        settings = re.findall(r"(?m)^ *# ([a-z_0-9]+):", (folder / CONFIG.lstrip("/")).read_text())
        page = shown(folder / "usr/share/man/man5/dns-tls-proxy.yaml.5.gz")
        assert len(settings) > 30 and all(setting in page for setting in settings), sorted(
            each for each in settings if each not in page
        )
    with check("the configuration is accepted as it is, and with every setting uncommented"):
        checks.run(program, "--config", folder / CONFIG.lstrip("/"), "--check-config")
        everything = folder / "everything.yaml"
        everything.write_text(re.sub(r"(?m)^( *)# ", r"\1", (folder / CONFIG.lstrip("/")).read_text()))
        checks.run(program, "--config", everything, "--check-config")
    with check("the program is hardened: PIE, full RELRO, no executable stack, stripped"):
        headers = checks.output("readelf", "-lWd", program)
        assert (
            "DYN (Position-Independent" in headers
            and "BIND_NOW" in headers
            and "GNU_RELRO" in headers
            and "RWE" not in headers
        ), headers
        assert "stripped" in checks.output("file", program).split(", ")


def shown(page):
    """As a reader sees it, with no word broken."""
    text = checks.output(
        "man", "-l", page, env={**os.environ, "LC_ALL": "C.UTF-8", "MANWIDTH": "1000", "MANPAGER": "cat"}
    )
    return text.replace("\N{HYPHEN}", "-")


def check_life(check, machine, old, new):
    for deb in (old, new):
        machine.put(deb, f"/root/{deb.name}")
    with check("it installs; nothing is enabled or started by that"):
        said = machine.out(f"dpkg -i /root/{old.name}")
        assert "systemctl enable --now dns-tls-proxy.socket dns-tls-proxy.service" in said, said  # the next step
        for unit in UNITS:
            assert machine.sh(f"systemctl is-enabled {unit}", check=False).stdout.strip() == "disabled"
            assert machine.sh(f"systemctl is-active {unit}", check=False).stdout.strip() == "inactive"
    with check("it starts with the configuration as installed, and answers"):
        machine.sh("systemctl enable --now dns-tls-proxy.socket dns-tls-proxy.service")
        machine.wait("dns-tls-proxy --health-check", "it is ready")
        assert clients.answers("example.com")
    check_upgrade(check, machine, old, new)
    with check("removed: stopped, units gone, the operator's configuration kept"):
        machine.sh("apt-get remove -y -q dns-tls-proxy")
        assert machine.sh("pgrep -x dns-tls-proxy", check=False).returncode == 1
        assert not (machine.root / "lib/systemd/system/dns-tls-proxy.service").exists()
        assert "drain_timeout: 3s" in machine.out(f"cat {CONFIG}")
    with check("installed again, it is enabled as it was, with the configuration as it was"):
        machine.sh(f"dpkg -i /root/{new.name}")
        assert machine.out("systemctl is-enabled dns-tls-proxy.service dns-tls-proxy.socket").split() == ["enabled"] * 2
        assert "drain_timeout: 3s" in machine.out(f"cat {CONFIG}")
        machine.sh("systemctl start dns-tls-proxy.service")
    with check("purged, nothing is left"):
        machine.sh("apt-get purge -y -q dns-tls-proxy")
        left = machine.out(
            "find / -xdev -name '*dns-tls-proxy*' -not -path '/proc/*' -not -path '/root/*' -not -path '/sys/*'"
            " -not -path '/var/log/*' -not -path '/tmp/*'"
        )
        assert not left, left
        assert machine.sh("dpkg -s dns-tls-proxy", check=False).returncode == 1


def check_upgrade(check, machine, old, new):
    with check("upgraded while clients ask: nobody is refused, nothing is lost, the changed configuration is kept"):
        machine.write(CONFIG, machine.out(f"cat {CONFIG}").replace("# drain_timeout: 5s", "drain_timeout: 3s") + "\n")
        before = machine.property("MainPID")
        load = clients.one_each(53)
        running = load.begin("run", seconds=60, rate=100)
        machine.sh(f"dpkg -i /root/{new.name}")
        machine.wait("dns-tls-proxy --health-check", "it is ready again")
        load.enough()
        result = running.result()
        check.note(f"{package.field(old, 'Version')} to {package.field(new, 'Version')}: {result}")
        assert machine.property("MainPID") not in (before, "0")
        assert result["answered"] == result["asked"] > 50, result
        assert "drain_timeout: 3s" in machine.out(f"cat {CONFIG}")
    with check("rolled back as the runbook says, while clients ask: the same"):
        before = machine.property("MainPID")
        load = clients.one_each(53)
        running = load.begin("run", seconds=60, rate=100)
        machine.sh(f"cd /root && apt-get install -y -q --allow-downgrades ./{old.name}")
        machine.wait("dns-tls-proxy --health-check", "it is ready again")
        load.enough()
        result = running.result()
        check.note(result)
        assert machine.out("dpkg-query -W -f '${Version}' dns-tls-proxy") == package.field(old, "Version")
        assert machine.property("MainPID") not in (before, "0")
        assert result["answered"] == result["asked"] > 50, result
        assert "drain_timeout: 3s" in machine.out(f"cat {CONFIG}")


def main():
    check = checks.Checks()
    old = new = None
    check_build(check)
    with check("scripts/package makes it"):
        old = package.build()
        new = package.build(version="99.0.0")
    if old and new:
        with tempfile.TemporaryDirectory() as name:
            check_contents(check, old)
            check_files(check, old, pathlib.Path(name))
        tree = make_tree()
        with World("package") as world, Machine(world, tree) as machine:
            machine.trust(world.pki.ca_file)
            check_life(check, machine, old, new)
    check.finish()


if __name__ == "__main__":
    main()
