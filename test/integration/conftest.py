"""What every integration test may ask for."""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))

# pylint: disable=wrong-import-position
from hostile import start_hostile
from pki import Pki
from proxy import Proxy


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
