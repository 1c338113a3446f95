"""What every integration test may ask for."""
import pathlib
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))

# pylint: disable=wrong-import-position
from fdstore import Store, StoredProxy
from hostile import start_hostile
from pki import Pki
from processors import pressure_s
from proxy import Proxy
from shared_store import Fleet, SharedStore, Unavailable
from state_file import Snapshot


def pytest_runtest_setup(item):
    item.began = time.monotonic(), pressure_s()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item):
    """A failure says how busy the machine was, which may be why a bound on time was missed."""
    report = (yield).get_result()
    pressure = pressure_s()
    if report.failed and pressure is not None and hasattr(item, "began"):
        seconds = time.monotonic() - item.began[0]
        waited = pressure - item.began[1]
        report.sections.append(("processors", f"In {waited:.1f} s of {seconds:.1f} s some process waited for one."))


@pytest.fixture(scope="session", name="pki")
def _pki(tmp_path_factory):
    return Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module", name="module_path")
def _module_path(tmp_path_factory):
    return tmp_path_factory.mktemp("module")


@pytest.fixture(scope="module", name="hostile")
def _hostile(pki):
    """The programmable upstream, one for the tests of a file."""
    with start_hostile(pki) as upstream:
        yield upstream


@pytest.fixture(scope="module", name="proxy")
def _proxy(pki, module_path, hostile):
    """The program in front of `hostile`, one for the tests of a file."""
    with Proxy(module_path, pki, [hostile.port]) as proxy:
        yield proxy


@pytest.fixture(name="directory")
def _directory(tmp_path):
    """Of the state over a restart."""
    return tmp_path / "state"


class Starts:
    """Starts the program with that directory again and again."""

    def __init__(self, folder, pki, hostile, directory):
        self._folder, self._pki, self._hostile, self._directory = folder, pki, hostile, directory
        self.started = []

    def __call__(self, config=None, arguments=(), upstreams=None):
        state = {"directory": str(self._directory), **(config or {}).get("state", {})}
        proxy = Proxy(self._folder, self._pki, upstreams or [self._hostile.port], {**(config or {}), "state": state},
                      arguments, name=f"proxy{len(self.started)}")
        self.started.append(proxy)
        return proxy

    @staticmethod
    def wait_loaded(proxy):
        """Waits until the snapshot was loaded, or was not; returns the line that says so."""
        return proxy.wait_log('event="state ', 30.0)


@pytest.fixture(name="start")
def _start(tmp_path, pki, hostile, directory):
    starts = Starts(tmp_path, pki, hostile, directory)
    yield starts
    for proxy in starts.started:
        proxy.kill()


@pytest.fixture(name="origin")
def _origin(start, directory):
    """The number that stands for the upstreams of these tests; there is no snapshot afterwards."""
    start().finish()
    origin = Snapshot.load(directory / "snapshot").origin
    (directory / "snapshot").unlink()
    return origin


@pytest.fixture(name="store")
def _store(tmp_path):
    """A descriptor store, as systemd has it."""
    with Store(tmp_path) as store:
        yield store


@pytest.fixture(name="service")
def _service(tmp_path, pki, hostile, store):
    """The program as a service that has the store, in front of `hostile`."""
    with StoredProxy(tmp_path, pki, [hostile.port], store) as proxy:
        yield proxy


@pytest.fixture(scope="module", name="shared_store", params=["redis"])
def _shared_store(request, tmp_path_factory):
    """The second level of a fleet's caches, one for the tests of a file."""
    try:
        store = SharedStore(tmp_path_factory.mktemp("store"), request.param)
    except Unavailable as why:
        pytest.skip(str(why))
    with store:
        yield store


@pytest.fixture(name="fleet")
def _fleet(tmp_path, pki, hostile, shared_store):
    """Nodes in front of `hostile`, with that store, which is empty at first."""
    with shared_store.client() as client:
        client.call("FLUSHALL")
    with Fleet(tmp_path, pki, hostile.port, shared_store.port) as fleet:
        yield fleet
