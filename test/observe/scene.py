"""scene: what the checks here have in common: where things are, and clients that keep the program busy."""
import contextlib
import os
import pathlib
import shutil
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "deploy"))

import checks  # noqa: E402  it says where the modules below are
from figures import fetch  # noqa: E402
from load import Load  # noqa: E402
from process import wait_for  # noqa: E402
from remote import Remote  # noqa: E402

#: What is dear to make and may be kept from run to run: the browser's driver.
CACHE = pathlib.Path(os.environ.get("OBSERVE_CACHE") or "/var/tmp/dns-tls-proxy-observe")


@contextlib.contextmanager
def folder():
    with tempfile.TemporaryDirectory(prefix="observe-") as path:
        yield pathlib.Path(path)


@contextlib.contextmanager
def busy(proxy, seconds=3600, rate=100):
    """Hits, misses, names that are not, failures: something of everything, until the `with` block ends."""
    known = Remote(Load, port=proxy.port, zone="known.test", prefixes=("n", "m", "o", "nx-"), names=40)
    fresh = Remote(Load, port=proxy.port, zone="fresh.test",
                   prefixes=("n", "n", "n", "n", "n", "n", "n", "n", "n", "nx-"))
    try:
        known.begin("run", seconds=seconds, rate=rate)
        fresh.begin("run", seconds=seconds, rate=rate / 2)
        yield
    finally:
        known.stop()
        fresh.stop()


def settle(proxy):
    """Until every series is there, those of the busiest clients, too."""
    wait_for(lambda: "client_address_queries_per_second{" in fetch(proxy, "/metrics"), "the busiest are shown", 15)


def is_ready(proxy):
    try:
        return bool(fetch(proxy, "/readyz"))
    except OSError:  # 503 is one
        return False


#: What drives the browser that Debian has, and what looks for faults that keep people from using a page.
NPM = {"playwright-core": "1", "axe-core": "4"}


def browser_driver():
    """The folder of playwright-core, with axe-core beside it; made by npm where they are not there."""
    checks.install("chromium", "fonts-dejavu-core")
    if not shutil.which("npm"):  # it may be another one than Debian's
        checks.install("nodejs", "npm")
    CACHE.mkdir(parents=True, exist_ok=True)
    missing = [f"{name}@{version}" for name, version in NPM.items() if not (CACHE / "node_modules" / name).exists()]
    if missing:
        checks.run("npm", "install", "--prefix", CACHE, "--no-audit", "--no-fund", *missing)
    return CACHE / "node_modules/playwright-core"


def browse(script, *arguments, timeout=200):
    """What a script of ours, run by node with the driver at hand, printed."""
    environment = {**os.environ, "PLAYWRIGHT": str(browser_driver())}
    return checks.output("node", HERE / script, *arguments, timeout=timeout, env=environment)
