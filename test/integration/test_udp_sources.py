"""UDP sources: cookies, limits, and that nothing is gained by forging an address."""
import time

import hostile as upstreams
import pytest
import wire
from dnsclient import Client, ask
from dot_servers import nsd_command
from figures import Figures, Since, fetch
from namespace import is_possible, namespace
from process import Process, free_port, wait_for
from proxy import Proxy
from udpclient import BADCOOKIE, UdpClient, ask_udp, cookie_of, with_cookie

SECRET = "e5e973e5a6b2a43f48e7dc849e37bfcf"
CLIENT_COOKIE = b"\x24\x64\xc4\xab\xcf\x10\xc9\x57"
FOREIGN = "198.51.100.7"

needs_namespace = pytest.mark.skipif(not is_possible(), reason="needs root, for a network namespace")


def learn_cookie(port, **where):
    return cookie_of(ask_udp(port, "cookie.test", additional=with_cookie(CLIENT_COOKIE), **where))


# ---- cookies ----


def test_a_client_learns_a_cookie_and_keeps_it(proxy):
    since = Since(proxy)
    cookie = learn_cookie(proxy.port)
    assert cookie[:8] == CLIENT_COOKIE and len(cookie) == 24 and cookie[8] == 1
    response = ask_udp(proxy.port, "cookie.test", additional=with_cookie(cookie))
    assert cookie_of(response) == cookie and wire.rcode_of(response) == wire.NOERROR
    forged = cookie[:-1] + bytes([cookie[-1] ^ 1])
    response = ask_udp(proxy.port, "cookie.test", additional=with_cookie(forged))
    assert wire.rcode_of(response) == wire.NOERROR, "below the limit a wrong cookie is as good as none"
    assert cookie_of(response) not in (forged, None)
    for result in ("client_only", "valid", "invalid"):
        assert since.sum("cookies_total", result=result) == 1, result
    assert cookie_of(ask_udp(proxy.port, "cookie.test", additional=[wire.opt()])) is None
    assert since.sum("udp_received_bytes_total", source="verified") > 0


@pytest.mark.parametrize("size", [0, 7, 9, 15, 41, 60])
def test_a_malformed_cookie_gets_formerr(proxy, size):
    query = wire.query("cookie.test", additional=with_cookie(bytes(size)))
    with UdpClient(proxy.port) as client, Client(proxy.port) as stream:
        for response in (client.ask(query), stream.ask(query)):
            assert wire.rcode_of(response) == wire.FORMERR and cookie_of(response) is None


@pytest.mark.parametrize("size", [16, 23, 25, 32, 40])
def test_a_cookie_of_another_make_gets_one_of_ours(proxy, size):
    response = ask_udp(proxy.port, "cookie.test", additional=with_cookie(CLIENT_COOKIE + bytes(size - 8)))
    assert wire.rcode_of(response) == wire.NOERROR and len(cookie_of(response)) == 24


def test_a_cookie_learnt_over_tcp_is_valid_over_udp(proxy):
    response = ask(proxy.port, "cookie.test", additional=with_cookie(CLIENT_COOKIE))
    since = Since(proxy)
    again = ask_udp(proxy.port, "cookie.test", additional=with_cookie(cookie_of(response)))
    assert cookie_of(again) == cookie_of(response) and since.sum("cookies_total", result="valid") == 1


def test_a_message_with_a_cookie_alone(proxy):
    """RFC 7873, 5.4"""
    def without_question(cookie):
        return b"\0\7\1\0" + bytes(6) + b"\0\1" + with_cookie(cookie)[0]

    with UdpClient(proxy.port) as client, Client(proxy.port) as stream:
        for transport in (client, stream):
            response = transport.ask(without_question(CLIENT_COOKIE))
            cookie = response[-24:]
            assert wire.flags_of(response) & 15 == 0 and cookie[:8] == CLIENT_COOKIE
            assert wire.flags_of(transport.ask(without_question(cookie))) & 15 == 0
        bad = client.ask(without_question(cookie[:-1] + bytes([cookie[-1] ^ 1])))
        assert wire.flags_of(bad) & 15 == BADCOOKIE & 15 and bad[17] == BADCOOKIE >> 4
        assert wire.flags_of(client.ask(b"\0\7\1\0" + bytes(6) + b"\0\1" + wire.opt())) & 15 == wire.FORMERR


def test_cookies_can_be_switched_off(pki, module_path, hostile):
    with Proxy(module_path, pki, [hostile.port], {"udp": {"cookies": False}}, name="plain") as proxy:
        for cookie in (CLIENT_COOKIE, b"x"):
            response = ask_udp(proxy.port, "cookie.test", additional=with_cookie(cookie))
            assert wire.rcode_of(response) == wire.NOERROR and cookie_of(response) is None


def test_servers_of_a_fleet_accept_each_others_cookies(pki, module_path, hostile):
    """Also while the secret changes, in three steps; and a reload with a broken file changes nothing."""
    new = "445536bcd2513298075a5d379663c962"
    path = module_path / "secrets"
    path.write_text(SECRET + "\n")
    config = {"udp": {"cookie_secret_file": str(path)}}
    with Proxy(module_path, pki, [hostile.port], config, name="one") as one, \
            Proxy(module_path, pki, [hostile.port], config, name="two") as two:
        def is_accepted(proxy, cookie):
            return cookie_of(ask_udp(proxy.port, "cookie.test", additional=with_cookie(cookie))) == cookie

        def reload(proxy, text, outcome="configuration reloaded"):
            path.write_text(text)
            before = len(proxy.log())
            proxy.child.send_signal(1)
            proxy.wait_log(outcome, since=before)

        cookie = learn_cookie(one.port)
        assert is_accepted(two, cookie)
        reload(one, f"{SECRET}\n{new}\n")
        reload(two, f"{new}\n{SECRET}\n")
        wait_for(lambda: is_accepted(one, learn_cookie(two.port)), "the first accepts what the second makes")
        assert is_accepted(two, cookie)
        reload(one, "none\n", "former configuration stays in use")
        assert "32 hexadecimal digits" in one.log() and is_accepted(one, cookie)


def test_cookies_are_those_of_nsd(pki, module_path, hostile):
    """The same secret and address: what one makes, the other accepts."""
    port = free_port()
    path = module_path / "nsd-secret"
    path.write_text(SECRET + "\n")
    (module_path / "nsd.zone").write_text(
        "$ORIGIN cookie.test.\n@ 60 SOA ns a 1 2 3 4 5\n@ 60 NS ns\n@ 60 A 192.0.2.1\n")
    command = nsd_command(module_path, "nsd", f"""  ip-address: 127.0.0.1@{port}
  answer-cookie: yes
  cookie-secret: "{SECRET}\"""", {"cookie.test": "nsd.zone"})
    with Process("nsd", command, module_path) as nsd, \
            Proxy(module_path, pki, [hostile.port], {"udp": {"cookie_secret_file": str(path)}}, name="ours") as proxy:
        nsd.wait_listening(port)
        for first, second in ((proxy.port, port), (port, proxy.port)):
            cookie = learn_cookie(first)
            assert len(cookie) == 24
            response = ask_udp(second, "cookie.test", additional=with_cookie(cookie))
            assert cookie_of(response)[:8] == CLIENT_COOKIE and wire.rcode_of(response) == wire.NOERROR
            if second == proxy.port:
                assert cookie_of(response) == cookie

        def made_at_once():
            """One of each, made in the same second."""
            ours, theirs = learn_cookie(proxy.port), learn_cookie(port)
            return ours[12:16] == theirs[12:16] and (ours, theirs)

        ours, theirs = wait_for(made_at_once, "two cookies of one second")
        assert ours == theirs, "byte by byte"
        assert Figures(proxy).sum("cookies_total", result="valid") == 1
        assert Figures(proxy).sum("cookies_total", result="invalid") == 0


# ---- limits ----


def test_over_the_limit(pki, module_path, hostile):
    """Half of the questions get an empty response that sends to TCP, half none; with COOKIE all get BADCOOKIE; a valid
    cookie, and TCP, are not concerned.
    """
    config = {"udp": {"responses_per_second": 1, "slip": 2}, "rate_limit": {"queries_per_second": 0}}
    with Proxy(module_path, pki, [hostile.port], config, name="limited") as proxy, UdpClient(proxy.port) as client:
        cookie = learn_cookie(proxy.port)
        since = Since(proxy)
        client.send(*(wire.query("limit.test", number=i) for i in range(41)))
        responses = client.received()
        cut = [each for each in responses if wire.flags_of(each) & wire.TC]
        assert len(responses) - len(cut) <= 2 and 18 <= len(cut) <= 20, (len(responses), len(cut))
        assert all(each[6:12] == bytes(6) and wire.flags_of(each) & 15 == 0 for each in cut)
        assert since.sum("dropped_queries_total", reason="rate_limit") == 41 - len(responses)
        bad = client.ask(wire.query("limit.test", additional=with_cookie(CLIENT_COOKIE)))
        assert wire.rcode_of(bad) == BADCOOKIE and len(cookie_of(bad)) == 24
        for _ in range(10):
            response = client.ask(wire.query("limit.test", additional=with_cookie(cookie)))
            assert wire.rcode_of(response) == wire.NOERROR and not wire.flags_of(response) & wire.TC
        assert wire.rcode_of(ask(proxy.port, "limit.test")) == wire.NOERROR


@pytest.mark.parametrize("slip,cut", [(0, 0), (1, 60), (2, 30), (10, 6)])
def test_one_question_in_so_many_over_the_limit_slips(pki, module_path, hostile, slip, cut):
    config = {"workers": 1, "udp": {"responses_per_second": 1, "slip": slip}}
    with Proxy(module_path, pki, [hostile.port], config, name=f"slip-{slip}") as proxy, UdpClient(proxy.port) as client:
        ask_udp(proxy.port, "slip.test")
        client.send(*(wire.query("slip.test", number=i) for i in range(61)))
        responses = client.received()
        slipped = [each for each in responses if wire.flags_of(each) & wire.TC]
        whole = len(responses) - len(slipped)
        assert 1 <= whole <= 5, "what the limit allows in the time that this took"
        assert abs(len(slipped) - cut * (61 - whole) / 60) <= 1, (len(slipped), whole)


def test_a_busy_client_is_listed_where_it_is_verified(pki, module_path, hostile):
    """Whoever forges an address lists nobody."""
    config = {"udp": {"responses_per_second": 100000}}  # counted, and never over it
    with Proxy(module_path, pki, [hostile.port], config, name="busy") as proxy, UdpClient(proxy.port) as client:
        cookie = learn_cookie(proxy.port)

        def listed():
            return fetch(proxy, "/metrics").count('address_queries_per_second{client="127.0.0.1"}')

        def ask_much(query):
            for _ in range(100):
                client.ask(query)
            return listed()

        end = time.monotonic() + 6.5  # two windows of the rates
        while time.monotonic() < end:
            assert not ask_much(wire.query("busy.test")), "not verified"
        wait_for(lambda: ask_much(wire.query("busy.test", additional=with_cookie(cookie))), "it is listed")


def test_udp_takes_nothing_from_the_limit_of_tcp_but_with_a_cookie(pki, module_path, hostile):
    config = {"rate_limit": {"queries_per_second": 1, "burst": 20}, "udp": {"responses_per_second": 0}}
    with Proxy(module_path, pki, [hostile.port], config, name="tcp-limit") as proxy, UdpClient(proxy.port) as client:
        for _ in range(100):
            assert wire.rcode_of(client.ask(wire.query("limit.test"))) == wire.NOERROR
        cookie = learn_cookie(proxy.port)
        assert wire.rcode_of(ask(proxy.port, "limit.test")) == wire.NOERROR
        rcodes = [wire.rcode_of(client.ask(wire.query("limit.test", additional=with_cookie(cookie))))
                  for _ in range(40)]
        assert rcodes[:10] == [wire.NOERROR] * 10 and wire.SERVFAIL in rcodes[15:]


# ---- reflection ----


@needs_namespace
def test_an_unverified_foreign_source_gets_no_more_than_it_sent(pki, module_path):
    """Whatever it asks; over TCP it learns a cookie, and with that it gets whole responses."""
    queries = {
        "plain": wire.query("a.test"),
        "one label": wire.query("x"),
        "EDNS": wire.query("a.test", additional=[wire.opt()]),
        "large": wire.query("big-1024.test", "TXT", additional=[wire.opt(payload=4096)]),
        "client cookie": wire.query("a.test", additional=with_cookie(CLIENT_COOKIE)),
        "forged cookie": wire.query("a.test", additional=with_cookie(CLIENT_COOKIE + bytes(16))),
        "malformed cookie": wire.query("a.test", additional=with_cookie(b"x")),
        "cookie alone": b"\0\7\1\0" + bytes(6) + b"\0\1" + with_cookie(CLIENT_COOKIE)[0],
        "SERVFAIL": wire.query("servfail-1.test", additional=[wire.opt()]),
        "NXDOMAIN": wire.query("nx-1.test"),
        "opcode": wire.query("a.test", flags=0x2000),
        "EDNS version": wire.query("a.test", additional=[wire.opt(version=1)]),
        "AXFR": wire.query("a.test", "AXFR", additional=[wire.opt()]),
        "ANY": wire.query("a.test", "ANY", additional=[wire.opt()]),
        "class": wire.query("a.test", qclass=3, additional=[wire.opt()]),
        "localhost": wire.query("localhost", "SOA"),
        "header": bytes(12),
        "cut": wire.query("a.test")[:-1],
        "trailing": wire.query("a.test") + b"x",
        "padded": wire.query("a.test", additional=[wire.opt(wire.option(wire.OPTION_PADDING, bytes(100)))]),
        "too long": wire.query("a.test") + bytes(3000),
    }
    with namespace(f"{FOREIGN}/32"), upstreams.start_hostile(pki) as upstream:
        config = {"access": {"allow": ["0.0.0.0/0"]}, "udp": {"responses_per_second": 0}}
        with Proxy(module_path, pki, [upstream.port], config, name="foreign") as proxy:
            where = {"source": (FOREIGN, 0)}
            with UdpClient(proxy.port, **where) as client:
                for title, query in queries.items():
                    for _ in range(2):  # from upstream, and from the cache
                        response = client.ask(query)
                        assert len(response) <= len(query), title
                assert not wire.flags_of(client.ask(queries["padded"])) & wire.TC, "where there is room it is whole"
                assert wire.flags_of(client.ask(queries["plain"])) & wire.TC
            figures = Figures(proxy)
            sent = figures.sum("udp_sent_bytes_total", source="foreign")
            assert 0 < sent <= figures.sum("udp_received_bytes_total", source="foreign")
            with Client(proxy.port, source=(FOREIGN, 0)) as stream:
                cookie = cookie_of(stream.ask(wire.query("a.test", additional=with_cookie(CLIENT_COOKIE))))
            whole = ask_udp(proxy.port, "big-1024.test", "TXT", additional=with_cookie(cookie), **where)
            assert len(whole) > 1000 and not wire.flags_of(whole) & wire.TC
