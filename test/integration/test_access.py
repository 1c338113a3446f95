"""The access list: who may not ask gets one REFUSED that says why, and nothing else; a reload changes the list for
everybody.
"""
import signal

import pytest
import wire
from dnsclient import Client
from figures import Since
from process import wait_for
from proxy import Proxy

PROHIBITED = 18  # RFC 8914
STRANGER = ("127.0.0.2", 0)


@pytest.fixture(scope="module", name="proxy")
def _proxy(pki, module_path, hostile):
    config = {"access": {"allow": ["127.0.0.1/32", "127.0.4.0/30"]}, "clients": {"first_timeout": "1s"}}
    with Proxy(module_path, pki, [hostile.port], config) as proxy:
        yield proxy


def is_allowed(proxy, ip, name="access.test"):
    """Asks from there; a refusal must be a whole one."""
    with Client(proxy.port, source=(ip, 0)) as client:
        answer = client.ask(wire.query(name, number=7, additional=[wire.opt()]))
        assert wire.number_of(answer) == 7
        if wire.rcode_of(answer) == wire.NOERROR:
            return True
        assert wire.rcode_of(answer) == wire.REFUSED and wire.error_of(answer)[0] == PROHIBITED
        assert client.is_closed_by_peer(), "closed behind its refusal"
        return False


def test_a_stranger_is_refused_and_closed(proxy, hostile):
    assert is_allowed(proxy, "127.0.0.1")
    assert not is_allowed(proxy, "127.0.0.2", name="stranger.test")
    assert not hostile.queries(containing="stranger"), "nothing of it goes upstream"


def test_a_stranger_without_edns_gets_a_plain_refusal(proxy):
    with Client(proxy.port, source=STRANGER) as client:
        answer = client.ask(wire.query("plain.test", number=9))
        assert wire.rcode_of(answer) == wire.REFUSED and wire.opt_of(answer) is None
        assert wire.name_from_wire(answer) == "plain.test"
        assert client.is_closed_by_peer()


@pytest.mark.parametrize("ip, allowed", [("127.0.3.255", False), ("127.0.4.0", True), ("127.0.4.3", True),
                                         ("127.0.4.4", False)])
def test_a_prefix_ends_where_it_says(proxy, ip, allowed):
    assert is_allowed(proxy, ip) == allowed


def replies_to(client):
    replies = []
    while (reply := client.receive()) is not None:
        replies.append(reply)
    return replies


def test_a_stranger_gets_one_refusal_however_much_it_asks_at_once(proxy):
    with Client(proxy.port, source=STRANGER) as client:
        client.send(*(wire.query("many.test", number=i) for i in range(50)))
        replies = replies_to(client)
    assert [wire.rcode_of(reply) for reply in replies] == [wire.REFUSED]


def test_a_stranger_gets_no_more_by_a_message_that_is_too_long(proxy):
    with Client(proxy.port, source=STRANGER, timeout=5) as client:
        client.send(wire.query("long.test", number=1) + bytes(8000))
        replies = replies_to(client)
    assert [wire.rcode_of(reply) for reply in replies] == [wire.REFUSED]


def test_a_stranger_who_sends_no_query_gets_nothing(proxy):
    with Client(proxy.port, source=STRANGER) as client:
        client.send(wire.query("response.test", flags=wire.QR))
        assert client.is_closed_by_peer()


def test_a_stranger_who_says_nothing_is_closed_too(proxy):
    with Client(proxy.port, source=STRANGER) as client:
        assert client.is_closed_by_peer()


def test_strangers_are_counted(proxy):
    since = Since(proxy)
    for _ in range(3):
        is_allowed(proxy, "127.0.0.9")
    wait_for(lambda: since.sum("access_denied_total") == 3, "three strangers counted")
    assert since.sum("responses_total", rcode="REFUSED") == 3


def test_an_empty_list_allows_nobody(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port], {"access": {"allow": []}}) as proxy:
        assert not is_allowed(proxy, "127.0.0.1")


def test_a_list_of_ten_thousand_prefixes(tmp_path, pki, hostile):
    """Every second /30 from 127.1.0.0 on."""
    def network(number):
        return f"127.{1 + (number >> 13)}.{number >> 5 & 255}.{(number & 31) * 8}"

    allow = ["127.0.0.1/32", *(f"{network(i)}/30" for i in range(10000))]
    with Proxy(tmp_path, pki, [hostile.port], {"access": {"allow": allow}}) as proxy:
        for number in (0, 1, 4711, 8191, 8192, 9999):
            first = network(number)
            prefix, _, last = first.rpartition(".")
            assert is_allowed(proxy, f"{prefix}.{int(last) + 3}")
            assert not is_allowed(proxy, f"{prefix}.{int(last) + 4}")


def reload(proxy, allow):
    before = len(proxy.log())
    proxy.write_config({"access": {"allow": allow}})
    proxy.child.send_signal(signal.SIGHUP)
    proxy.wait_log("configuration reloaded", since=before)


def test_a_reload_changes_the_list_also_for_who_is_connected(tmp_path, pki, hostile):
    """Who may go on asking does not notice; who may not any more is told so at the next question."""
    with Proxy(tmp_path, pki, [hostile.port]) as proxy, Client(proxy.port) as welcome:
        since = Since(proxy)
        with Client(proxy.port, source=STRANGER) as client, Client(proxy.port, source=STRANGER) as silent:
            for each in (welcome, client, silent):
                assert wire.rcode_of(each.ask(wire.query("before.test"))) == wire.NOERROR
            client.send(wire.query("slow-500ms-asked-before.test", number=5))
            wait_for(lambda: hostile.queries(containing="asked-before"), "its question is upstream")
            reload(proxy, ["127.0.0.1/32"])
            wait_for(lambda: not is_allowed(proxy, "127.0.0.2"), "the new list counts")
            client.send(*(wire.query("after.test", number=6, additional=[wire.opt()]) for _ in range(20)))
            replies = {wire.number_of(reply): reply for reply in replies_to(client)}
            assert wire.rcode_of(replies[5]) == wire.NOERROR, "what it asked before is answered"
            assert wire.rcode_of(replies[6]) == wire.REFUSED and wire.error_of(replies[6])[0] == PROHIBITED
            assert len(replies) == 2
            reload(proxy, ["127.0.0.0/8"])
            assert wire.rcode_of(silent.ask(wire.query("again.test"))) == wire.NOERROR, "it did not ask meanwhile"
        assert wire.rcode_of(welcome.ask(wire.query("after.test"))) == wire.NOERROR
        wait_for(lambda: since.sum("access_denied_total") >= 3, "the two and the new one are counted")
