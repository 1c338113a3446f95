"""What an upstream says that is no answer to the question is asked of another one, and never passed on; what it
explains for good is.
"""
import pytest
import wire
from dnsclient import Client, ask
from hostile import start_hostile
from pki import OTHER_NAME, SERVER_NAME
from proxy import Proxy

#: Not an answer to the question, or cut: another address of the same name will do.
INVALID = ["wrongq", "wrongtype", "noquestion", "trailing", "shorta", "broken", "cutoff", "bare-0", "bare-3",
           "bareopt-3-22"]

#: A failure of the upstream: another name is asked.
FAILED = ["servfail", "refused", "formerr", "notimp", "badvers", "notauth", "bare-1", "bare-2", "bare-4", "bare-5",
          "bareopt-2-22", "bareopt-5-18", "ede-2-0", "ede-2-22", "ede-5-18", "ede-5-20", "ede-4-21", "ede-2-14",
          "ede-2-13"]

#: rcode, error: validation or a policy says no
VERDICTS = [(2, code) for code in (1, 2, 5, 6, 7, 8, 9, 10, 11, 12, 25, 27)] + [
    (5, code) for code in (4, 15, 16, 17, 35)]


@pytest.fixture(scope="module", name="honest")
def _honest(pki):
    with start_hostile(pki, honest=True) as upstream:
        yield upstream


def start(folder, pki, ports, names, **changes):
    upstreams = [{"address": "127.0.0.1", "port": port, "name": name} for port, name in zip(ports, names)]
    return Proxy(folder, pki, [], {"upstreams": upstreams, "workers": 1, **changes})


@pytest.fixture(scope="module", name="two_names")
def _two_names(pki, tmp_path_factory, hostile, honest):
    with start(tmp_path_factory.mktemp("names"), pki, [hostile.port, honest.port], [SERVER_NAME, OTHER_NAME]) as proxy:
        yield proxy


@pytest.fixture(scope="module", name="one_name")
def _one_name(pki, tmp_path_factory, hostile, honest):
    with start(tmp_path_factory.mktemp("name"), pki, [hostile.port, honest.port], [SERVER_NAME, SERVER_NAME]) as proxy:
        yield proxy


def ask_edns(proxy, name):
    return ask(proxy.port, name, additional=[wire.opt()])


@pytest.mark.parametrize("how", INVALID + FAILED)
def test_the_second_name_answers(two_names, how):
    answer = ask_edns(two_names, f"{how}-names.test")
    assert wire.rcode_of(answer) == wire.NOERROR and not wire.flags_of(answer) & wire.TC
    (_, kind, *_), *_ = wire.records(answer)
    assert kind == wire.TYPES["A"]


@pytest.mark.parametrize("how", INVALID)
def test_another_address_answers_what_is_no_answer(one_name, how):
    answer = ask_edns(one_name, f"{how}-name.test")
    assert wire.rcode_of(answer) == wire.NOERROR and not wire.flags_of(answer) & wire.TC


@pytest.mark.parametrize("how", FAILED)
def test_another_address_is_not_asked_about_a_failure(one_name, honest, how):
    assert wire.rcode_of(ask_edns(one_name, f"{how}-sibling.test")) == wire.SERVFAIL
    assert not honest.queries(containing=f"{how}-sibling")


@pytest.mark.parametrize("how", INVALID + FAILED)
def test_alone_it_is_servfail_and_remembered(proxy, hostile, how):
    name = f"{how}-alone.test"
    with Client(proxy.port) as client:
        for number in range(30):
            answer = client.ask(wire.query(name, number=number, additional=[wire.opt()]))
            assert wire.rcode_of(answer) == wire.SERVFAIL and not wire.flags_of(answer) & wire.TC
    assert hostile.queries(containing=name)[name] <= 6, "not asked for each of thirty within a second"


def test_the_errors_of_all_are_told(tmp_path, pki, hostile):
    names = [SERVER_NAME, OTHER_NAME]
    with start_hostile(pki) as other, start(tmp_path, pki, [hostile.port, other.port], names) as proxy:
        answer = ask_edns(proxy, "ede-2-22-all.test")
        assert wire.rcode_of(answer) == wire.SERVFAIL and wire.errors_of(answer) == [(22, "because")]
        assert other.queries(containing="ede-2-22-all")


@pytest.mark.parametrize("rcode, code", VERDICTS)
def test_a_verdict_is_passed_on_and_nobody_else_asked(two_names, hostile, honest, rcode, code):
    name = f"ede-{rcode}-{code}-verdict.test"
    for _ in range(3):
        answer = ask_edns(two_names, name)
        assert wire.rcode_of(answer) == rcode and wire.errors_of(answer) == [(code, "because")]
    assert not honest.queries(containing=name)
    assert hostile.queries(containing=name) == {name: 1}, "it is remembered"


def test_a_forged_address_is_an_answer(two_names, honest):
    answer = ask_edns(two_names, "forged-1.test")
    assert wire.rcode_of(answer) == wire.NOERROR and wire.errors_of(answer) == [(4, "filtered")]
    assert not honest.queries(containing="forged-1")


def test_without_edns_an_upstream_is_asked_without_opt(tmp_path, pki):
    with start_hostile(pki) as old, start(tmp_path, pki, [old.port], [SERVER_NAME]) as proxy:
        for i in range(5):
            assert wire.rcode_of(ask_edns(proxy, f"needsplain-{i}.test")) == wire.NOERROR
        counts = old.queries(containing="needsplain")
        assert counts == {"needsplain-0.test": 2, **{f"needsplain-{i}.test": 1 for i in range(1, 5)}}
        assert wire.opt_of(bytes.fromhex(old.last())) is None


def test_yxdomain_comes_through(proxy):
    """A DNAME record makes a name that is too long (RFC 6672)."""
    assert wire.rcode_of(ask_edns(proxy, "yxdomain-1.test")) == 6
