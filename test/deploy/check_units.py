#!/usr/bin/python3
"""The systemd units, without a boot: no unknown key, no faulty value, and how much the sandbox leaves open."""
import pathlib
import shutil
import tempfile

import checks

UNITS = sorted((checks.DEPLOY / "systemd").glob("dns-tls-proxy.*"))
EXPOSURE_TENTHS = 15


def make_root(folder, units):
    """A root that has what the units name: the program, a shell, the targets they are ordered by."""
    system = folder / "usr/lib/systemd/system"
    system.mkdir(parents=True)
    for target in pathlib.Path("/usr/lib/systemd/system").glob("*.target"):
        shutil.copy(target, system)
    for program in ("usr/sbin/dns-tls-proxy", "bin/sh"):
        (folder / program).parent.mkdir(parents=True, exist_ok=True)
        (folder / program).write_text("#!/bin/sh\n")
        (folder / program).chmod(0o755)
    for unit in units:
        shutil.copy(unit, system)
    return system


def complaints(root):
    """verify exits with 0 whatever it says, so what it says counts."""
    done = checks.run(
        "systemd-analyze", "verify", "--man=no", f"--root={root}", *(unit.name for unit in UNITS), check=False
    )
    return (done.stdout + done.stderr).strip() or ("exit %d" % done.returncode if done.returncode else "")


def main():
    check = checks.Checks(serves=False)
    checks.install("systemd")
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        system = make_root(root, UNITS)
        with check("systemd-analyze verify has nothing to say of " + " and ".join(unit.name for unit in UNITS)):
            assert not complaints(root), complaints(root)
        with check(f"the service's exposure is at most {EXPOSURE_TENTHS / 10}"):
            done = checks.run(
                "systemd-analyze",
                "security",
                "--offline=true",
                f"--threshold={EXPOSURE_TENTHS}",
                system / "dns-tls-proxy.service",
                check=False,
            )
            check.note(done.stdout.strip().splitlines()[-1])
            assert done.returncode == 0, done.stdout
        with check("it would have noticed an unknown key"):
            service = system / "dns-tls-proxy.service"
            service.write_text(service.read_text().replace("NoNewPrivileges=", "NoNewPrivilege="))
            assert "NoNewPrivilege" in complaints(root), "it did not"
    check.finish()


if __name__ == "__main__":
    main()
