"""What every integration test may ask for."""
import pathlib
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))

# pylint: disable=wrong-import-position
from hostile import start_hostile
from pki import Pki
from processors import pressure_s
from proxy import Proxy


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
