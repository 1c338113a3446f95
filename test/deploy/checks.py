"""checks: a list of things to show, each said as it is done, with a tally at the end; and the commands they run."""
import contextlib
import os
import pathlib
import subprocess
import sys
import traceback

import sandboxed

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "scripts/deploy"
PROGRAM = pathlib.Path(os.environ.get("PROXY") or ROOT / "build/release/dns-tls-proxy")

#: What is dear to make and may be kept from run to run: a Debian tree, the base image, packages of others.
CACHE = pathlib.Path(os.environ.get("DEPLOY_CACHE") or "/var/tmp/dns-tls-proxy-deploy")

sys.path.insert(0, str(ROOT / "test/support"))


class Skip(Exception):
    """This machine cannot show it; the text says why."""


def run(*command, check=True, timeout=300, **options):
    """A command's whole outcome; a failure raises with what it printed."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=timeout, **options)
    if check and done.returncode != 0:
        raise AssertionError(
            f"{' '.join(map(str, command))}: exit {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        )
    return done


def output(*command, **options):
    return run(*command, **options).stdout.strip()


@contextlib.contextmanager
def no_services():
    """Debian starts a service as soon as its package is installed; nobody who runs checks wants that."""
    policy = pathlib.Path("/usr/sbin/policy-rc.d")
    if policy.exists():
        yield
        return
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink()


def install(*packages):
    """Debian packages this machine may lack."""
    missing = [
        package
        for package in packages
        if run("dpkg-query", "-W", "-f", "${db:Status-Status}", package, check=False).stdout != "installed"
    ]
    if missing:
        with no_services():
            run("apt-get", "update", "-q", timeout=600)
            run(
                "apt-get",
                "install",
                "-y",
                "-q",
                "--no-install-recommends",
                *missing,
                timeout=900,
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
            )


class Checks:
    def __init__(self, serves=True):
        """`serves`: the program is started to serve; else only documents and settings are looked at."""
        self._serves = serves
        self.passed = self.failed = self.skipped = 0

    @contextlib.contextmanager
    def __call__(self, what):
        try:
            yield
            self.passed += 1
            print(f"ok    {what}", flush=True)
        except Skip as why:
            self.skipped += 1
            print(f"skip  {what}: {why}", flush=True)
        except Exception as error:  # whatever it was, the next check goes on
            self.failed += 1
            text = str(error) or repr(error)
            if not isinstance(error, AssertionError) or not str(error):
                text = traceback.format_exc()
            print(f"FAIL  {what}\n        " + text.strip().replace("\n", "\n        "), flush=True)

    def note(self, text):
        print(f"      {text}", flush=True)

    def finish(self):
        sandboxed.finish(self, self._serves)
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped", flush=True)
        sys.exit(1 if self.failed or not self.passed else 0)
