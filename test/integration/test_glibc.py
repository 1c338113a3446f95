"""What programs of the system see where an upstream fails: glibc's getaddrinfo, behind the proxy. A name that another
upstream knows is found; a failure is one that may pass (EAI_AGAIN), and never "there is no such name" (EAI_NONAME).
"""
import contextlib

import pytest
from glibc import Glibc
from hostile import start_hostile
from namespace import is_possible, namespace
from pki import OTHER_NAME, SERVER_NAME
from process import free_port
from proxy import Proxy

pytestmark = pytest.mark.skipif(not is_possible(), reason="needs root, for a network namespace")

#: The first labels of names that are answered by no answer to the question, or by a failure: rows of hostile.py.
INVALID = ["wrongq", "wrongtype", "noquestion", "trailing", "shorta", "broken", "cutoff", "bare-0", "bare-3", "garbage",
           "bareopt-3-22", "short", "notreply", "echo", "wrongid", "close", "reset", "cut"]
FAILED = ["servfail", "refused", "formerr", "notimp", "badvers", "notauth", "bare-1", "bare-2", "bare-4", "bare-5",
          "bareopt-2-22", "bareopt-5-18", "ede-2-0", "ede-2-22", "ede-5-18", "ede-5-20", "ede-4-21", "ede-2-14"]

#: The last with a short time: where the first of two questions fails, glibc 2.39 waits all of it for an answer to the
#: second, which it has not sent.
OPTIONS = ["", "edns0", "use-vc", "edns0 trust-ad single-request timeout:1"]


@contextlib.contextmanager
def world(pki, folder, second, **changes):
    """The proxy on port 53 of a network of its own; its first upstream does what names say, the second is honest."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(namespace())
        first = stack.enter_context(start_hostile(pki))
        upstreams = [{"address": "127.0.0.1", "port": first.port, "name": SERVER_NAME}]
        if second:
            honest = stack.enter_context(start_hostile(pki, honest=True))
            upstreams.append({"address": "127.0.0.1", "port": honest.port, "name": OTHER_NAME})
        config = {"listen": ["127.0.0.1:53"], "upstreams": upstreams, **changes}
        yield stack.enter_context(Proxy(folder, pki, [], config))


def outcomes(folder, names, options=""):
    said = Glibc(folder).lookup(names, options)
    assert set(said) == set(names), said
    return {name: text for name, (text, _) in said.items()}


def all_are(text, said):
    others = {name: each for name, each in said.items() if each != text}
    assert not others, others


@pytest.mark.parametrize("options", OPTIONS)
def test_the_second_upstream_finds_it(tmp_path, pki, options):
    with world(pki, tmp_path, second=True):
        all_are("found", outcomes(tmp_path, [f"{how}-x.test" for how in INVALID + FAILED], options))


@pytest.mark.parametrize("options", OPTIONS)
def test_a_failure_may_pass(tmp_path, pki, options):
    with world(pki, tmp_path, second=False):
        names = [f"{how}-x.test" for how in INVALID + FAILED]
        all_are("EAI_AGAIN", outcomes(tmp_path, names, options))
        all_are("EAI_AGAIN", outcomes(tmp_path, names, options))  # remembered


@pytest.mark.parametrize("options", OPTIONS)
def test_what_there_is_and_what_there_is_not(tmp_path, pki, options):
    """Without EDNS on one side or the other, and the names that really do not exist."""
    with world(pki, tmp_path, second=False):
        names = ["a.test", "needsplain-x.test", "needsplain-y.test", "nx-x.test", "big-x.test"]
        said = outcomes(tmp_path, names, options)
        assert said.pop("nx-x.test") == "EAI_NONAME"
        all_are("found", said)


def test_no_upstream_can_be_reached(tmp_path, pki):
    with namespace():
        upstreams = [{"address": "127.0.0.1", "port": free_port(), "name": SERVER_NAME}]
        with Proxy(tmp_path, pki, [], {"listen": ["127.0.0.1:53"], "upstreams": upstreams}):
            all_are("EAI_AGAIN", outcomes(tmp_path, ["a.test", "b.test"]))


def test_a_client_over_its_limit(tmp_path, pki):
    limit = {"queries_per_second": 1, "burst": 1}
    with world(pki, tmp_path, second=False, rate_limit=limit, udp={"responses_per_second": 0}):
        said = outcomes(tmp_path, [f"n{i}.test" for i in range(6)], "use-vc")
        assert "EAI_AGAIN" in said.values() and set(said.values()) <= {"found", "EAI_AGAIN"}, said
