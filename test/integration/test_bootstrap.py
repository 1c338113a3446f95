"""Upstreams that are given by name alone: their addresses are looked up at the servers of `bootstrap`, again when the
TTL is over, and kept while nobody answers."""
import contextlib
import json
import subprocess
import urllib.error
import urllib.request

import pytest
import wire
from address_server import start_address_server
from dnsclient import ask
from hostile import start_hostile
from pki import OTHER_NAME, SERVER_NAME
from process import free_port, wait_for
from proxy import PROGRAM, Proxy, run

HERE, THERE = "127.0.0.1", "127.0.0.2"


def known(*addresses, name=SERVER_NAME):
    """What a server of `bootstrap` knows of the name."""
    return {name: {"A": [each for each in addresses if "." in each],
                   "AAAA": [each for each in addresses if ":" in each]}}


@contextlib.contextmanager
def by_name(folder, pki, port, servers, changes=None, arguments=()):
    """The program with an upstream of that port by name alone, and these servers of `bootstrap`."""
    config = {"upstreams": [{"name": SERVER_NAME, "port": port}], "bootstrap": servers,
              "upstream": {"query_timeout": "1s"}, "workers": 1, **(changes or {})}
    with Proxy(folder, pki, [1], config, arguments) as proxy:
        yield proxy


def metric(proxy, name):
    with urllib.request.urlopen(f"http://127.0.0.1:{proxy.http_port}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return [float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(f"dns_tls_proxy_{name} ")][0]


def readiness(proxy):
    """Status and body of /readyz."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{proxy.http_port}/readyz", timeout=5) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def wait_ready(proxy, seconds=20):
    wait_for(lambda: readiness(proxy)[0] == 200, "it is ready", seconds)


def is_answered(proxy, name):
    return wire.rcode_of(ask(proxy.port, name)) == wire.NOERROR


@pytest.fixture(name="pair", scope="module")
def _pair(pki):
    """Two upstreams of one port, at two addresses."""
    port = free_port()
    with start_hostile(pki, port=port, host=HERE) as here, start_hostile(pki, port=port, host=THERE) as there:
        yield here, there


@pytest.mark.parametrize("over_tls", [False, True], ids=["plain TCP", "TLS"])
def test_a_name_is_looked_up_and_its_address_asked(tmp_path, pki, hostile, over_tls):
    certificate, key = pki.certificate("right") if over_tls else (None, None)
    with start_address_server(known(HERE), certificate=certificate, key=key, ttl=300) as server:
        where = f"127.0.0.1:{server.port}" + (f"#{OTHER_NAME}" if over_tls else "")
        with by_name(tmp_path, pki, hostile.port, [where]) as proxy:
            wait_ready(proxy)
            assert is_answered(proxy, "by-name.test")
            line = proxy.wait_log("upstream name resolved")
            assert f"name={SERVER_NAME}" in line and "addresses=127.0.0.1" in line
            assert metric(proxy, "upstream_names") == 1 and metric(proxy, "upstream_names_failing") == 0
            with urllib.request.urlopen(f"http://127.0.0.1:{proxy.http_port}/metrics", timeout=5) as answer:
                assert f'upstream="127.0.0.1:{hostile.port}#{SERVER_NAME}"' in answer.read().decode()
            assert server.queries() == {f"{SERVER_NAME} A": 1, f"{SERVER_NAME} AAAA": 1}


def test_the_program_does_not_know_the_systems_resolver():
    command = ["nm", "-D", "--undefined-only", PROGRAM]
    imported = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    for function in ("getaddrinfo", "gethostbyname", "res_query", "res_nquery", "res_search"):
        assert function not in imported, function


def test_the_upstream_proves_that_it_is_the_name(tmp_path, pki):
    with start_hostile(pki, "other-name") as upstream, start_address_server(known(HERE), ttl=300) as server:
        with by_name(tmp_path, pki, upstream.port, [f"127.0.0.1:{server.port}"]) as proxy:
            proxy.wait_log("upstream certificate refused")
            assert wire.rcode_of(ask(proxy.port, "nobody.test")) == wire.SERVFAIL
            assert upstream.stats()["queries"] == 0


def test_a_server_of_bootstrap_proves_its_name_too(tmp_path, pki, hostile):
    certificate, key = pki.certificate("other-name")
    with start_address_server(known(HERE), certificate=certificate, key=key) as server:
        with by_name(tmp_path, pki, hostile.port, [f"127.0.0.1:{server.port}#{OTHER_NAME}"]) as proxy:
            line = proxy.wait_log("upstream name not resolved")
            assert "certificate" in line or "name" in line, line
            assert server.queries() == {} and readiness(proxy)[0] == 503


def test_other_addresses_are_used_when_the_ttl_is_over(tmp_path, pki, pair):
    here, there = pair
    with start_address_server(known(HERE), ttl=1) as server:
        with by_name(tmp_path, pki, here.port, [f"127.0.0.1:{server.port}"]) as proxy:
            wait_ready(proxy)
            server.know(records=known(THERE))
            count = 0

            def is_there():
                """None of the questions that are asked all the while fails."""
                nonlocal count
                count += 1
                assert is_answered(proxy, f"change-{count}.test")
                return there.stats()["queries"] > 0 and there.queries(containing="change-")

            wait_for(is_there, "the other address is asked", 30)
            assert f"addresses={THERE}" in proxy.log()
            before = here.stats()["queries"]
            for i in range(20):
                assert is_answered(proxy, f"after-{i}.test")
            assert here.stats()["queries"] == before


def test_addresses_in_another_order_change_nothing(tmp_path, pki, pair):
    here, there = pair
    here.forget()
    there.forget()
    with start_address_server(known(HERE, THERE), ttl=1) as server:
        with by_name(tmp_path, pki, here.port, [f"127.0.0.1:{server.port}"]) as proxy:
            wait_ready(proxy)
            connections = here.stats()["connections"]
            asked = server.queries()[f"{SERVER_NAME} A"]
            server.know(records=known(THERE, HERE))
            wait_for(lambda: server.queries()[f"{SERVER_NAME} A"] > asked, "it is looked up again", 30)
            assert is_answered(proxy, "order.test")
            assert here.stats()["connections"] == connections
            assert proxy.log().count("upstream name resolved") == 1


def test_one_family_alone_is_enough(tmp_path, pki, hostile):
    with start_address_server(known(HERE), ttl=300) as server:
        server.behave(mode="silent AAAA")
        with by_name(tmp_path, pki, hostile.port, [f"127.0.0.1:{server.port}"]) as proxy:
            wait_ready(proxy)
            assert is_answered(proxy, "family.test")


def test_it_starts_without_bootstrap_and_heals(tmp_path, pki, hostile):
    with start_address_server(known(HERE), ttl=300) as server:
        server.go()
        with by_name(tmp_path, pki, hostile.port, [f"127.0.0.1:{server.port}"]) as proxy:
            line = proxy.wait_log("upstream name not resolved")
            assert "Connection refused" in line and 'addresses="none is known"' in line, line
            status, body = readiness(proxy)
            assert status == 503 and "bootstrap" in body["reason"], body
            assert metric(proxy, "upstream_names_failing") == 1
            answer = ask(proxy.port, "unknown.test", additional=[wire.opt()])
            assert wire.rcode_of(answer) == wire.SERVFAIL and b"no address of an upstream is known" in answer, answer
            wait_for(lambda: metric(proxy, "upstream_names_failing") == 1, "it still fails", 5)
            server.come_back()
            wait_ready(proxy, 30)
            assert is_answered(proxy, "healed.test")
            assert proxy.log().count("upstream name not resolved") == 1
            assert metric(proxy, "upstream_names_failing") == 0


@pytest.mark.parametrize("how", ["gone", "servfail", "no such name", "no address"])
def test_the_last_addresses_stay_while_nobody_answers(tmp_path, pki, hostile, how):
    with start_address_server(known(HERE), ttl=1) as server:
        with by_name(tmp_path, pki, hostile.port, [f"127.0.0.1:{server.port}"]) as proxy:
            wait_ready(proxy)
            if how == "gone":
                server.go()
            elif how == "servfail":
                server.behave(mode="servfail")
            else:
                server.know(records={} if how == "no such name" else known())
            line = proxy.wait_log("upstream name not resolved", 30)
            assert 'addresses="the last ones stay in use"' in line, line
            for i in range(5):
                assert is_answered(proxy, f"last-{i}-{how.replace(' ', '-')}.test")
            assert readiness(proxy)[0] == 200 and metric(proxy, "upstream_names_failing") == 1


def test_the_next_server_of_bootstrap_is_asked(tmp_path, pki, hostile):
    with start_address_server(known(HERE), ttl=300) as server:
        nobody = f"127.0.0.1:{free_port()}"
        with by_name(tmp_path, pki, hostile.port, [nobody, f"127.0.0.1:{server.port}"]) as proxy:
            wait_ready(proxy)
            assert is_answered(proxy, "next.test")


def test_a_reload_to_a_name_keeps_the_former_upstreams_until_it_is_known(tmp_path, pki, pair):
    here, there = pair
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(start_address_server({}, ttl=1))
        config = {"workers": 1, "bootstrap": [f"127.0.0.1:{server.port}"]} # whose port the sandbox lets it use
        proxy = stack.enter_context(Proxy(tmp_path, pki, [here.port], config))
        wait_ready(proxy)
        assert server.queries() == {}, "nobody is asked where every upstream has an address"
        proxy.reload({"upstreams": [{"name": SERVER_NAME, "port": here.port}]})
        assert "there is no such name" in proxy.wait_log("upstream name not resolved")
        assert is_answered(proxy, "former.test") and readiness(proxy)[0] == 200
        server.know(records=known(THERE))
        there.forget()
        count = 0

        def is_there():
            nonlocal count
            count += 1
            return is_answered(proxy, f"new-{count}.test") and there.queries(containing="new-")

        wait_for(is_there, "the upstream by name is asked", 30)
        asked = server.queries()[f"{SERVER_NAME} A"]
        proxy.reload({"cache": {"max_size": "1MiB"}})
        assert is_answered(proxy, "known.test"), "what is known outlives a reload"
        proxy.reload({"upstreams": [{"address": HERE, "port": here.port, "name": SERVER_NAME}], "bootstrap": []})
        assert is_answered(proxy, "address.test") and asked > 0
        assert metric(proxy, "upstream_names") == 0


def test_flags_are_enough(tmp_path, pki, hostile):
    with start_address_server(known(HERE, name=OTHER_NAME), ttl=300) as server:
        flags = ["--upstream", f"{OTHER_NAME}:{hostile.port}", "--bootstrap", f"127.0.0.1:{server.port}"]
        with Proxy(tmp_path, pki, [1], {"workers": 1}, flags) as proxy:
            wait_ready(proxy)
            assert is_answered(proxy, "flags.test")


@pytest.mark.parametrize("text,words", [
    ("upstreams: [{name: one.one.one.one}]", 'one.one.one.one has no address, and \'bootstrap\' names no server to ask '
     'for it; write bootstrap: ["1.1.1.1#cloudflare-dns.com"]'),
    ("upstreams: [one.one.one.one]", "write {name: one.one.one.one} for a server by its name alone"),
    ("upstreams: [{address: one.one.one.one, name: x.y}]", "write {name: one.one.one.one}"),
    ('bootstrap: ["dns.google"]', "a name would have to be looked up itself"),
    ('bootstrap: ["127.0.0.1:8853"]', "127.0.0.1:8853 is in 'listen', too: it is this program itself"),
    ('listen: ["0.0.0.0:53"]\nbootstrap: ["127.0.0.1"]', "it is this program itself"),
    ('bootstrap: ["1.1.1.1", "1.1.1.1:53"]', "is in the list already"),
    ('bootstrap: ["0.0.0.0"]', "is not IP or IP:PORT"),
    ('upstreams: [{name: a.b}, {name: a.b}]\nbootstrap: ["1.1.1.1"]', "is in the list already"),
    ("routes: [{zones: [a.b], upstreams: [{name: c.d}]}]", "'routes.upstreams.address': is missing"),
], ids=lambda value: None)
def test_what_cannot_be_looked_up_is_refused(tmp_path, text, words):
    path = tmp_path / "dns.yaml"
    path.write_text(text + "\n")
    ended = run("--check-config", "--config", path)
    assert ended.returncode == 1 and words in ended.stderr, ended.stderr


def test_the_printed_configuration_is_the_same(tmp_path):
    path = tmp_path / "dns.yaml"
    path.write_text('upstreams: [{name: one.one.one.one}, {address: "9.9.9.9", name: dns.quad9.net}]\n'
                    'bootstrap: ["1.1.1.1", "[2620:fe::fe]:853#dns.quad9.net"]\n')
    printed = run("--config", path, "--print-config").stdout
    path.write_text(printed)
    assert run("--config", path, "--print-config").stdout == printed
    assert 'address: "", port: 853, name: one.one.one.one' in printed


def test_a_server_that_never_answers_holds_up_nothing(tmp_path, pki, hostile):
    with start_address_server(known(HERE)) as server:
        server.behave(mode="silent")
        config = {"upstreams": [{"address": HERE, "port": hostile.port, "name": SERVER_NAME},
                                {"name": OTHER_NAME, "port": hostile.port}]}
        with by_name(tmp_path, pki, hostile.port, [f"127.0.0.1:{server.port}"], config) as proxy:
            wait_ready(proxy)
            assert is_answered(proxy, "silent.test")
            proxy.wait_log("upstream name not resolved")
            assert readiness(proxy)[0] == 200 and is_answered(proxy, "silent-2.test")
