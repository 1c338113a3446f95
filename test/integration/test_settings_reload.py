"""Every row of the settings table over a reload: a LIVE setting takes its new value, which is in force and where it can
be seen from outside has its effect; one that needs a restart is named in the log and keeps its value. The rows are
those of the manual, so a new setting without a case here fails.
"""
import collections
import contextlib
import json
import re
import signal
import socket

import pytest
import wire
from dnsclient import Client, ask
from figures import Figures, Since, fetch
from process import free_port, wait_for
from proxy import Proxy, run

#: Another value for each row: as it is written, and as /metrics shows it (None: it shows no number of it).
OTHER = {
    "sandbox": ("off", None), "user": ("daemon", None),
    "workers": (1, 1), "min_workers": (2, 2), "drain_timeout": ("7s", 7),
    "upstream.query_timeout": ("3s", 3), "upstream.connect_timeout": ("1s", 1), "upstream.idle_timeout": ("6s", 6),
    "upstream.max_age": ("2h", 7200), "upstream.keep_warm": (False, 0), "upstream.probe_interval": ("5s", 5),
    "upstream.max_in_flight": (500, 500), "upstream.max_sessions": (3, 3), "upstream.max_handshakes": (3, 3),
    "upstream.padding": (64, 64), "upstream.hedge": (6, 6),
    "tls.ca_file": ("copy.pem", None), "tls.revalidate_interval": ("2h", 7200),
    "cache.max_size": ("32MiB", 32 << 20), "cache.min_ttl": ("1s", 1), "cache.max_ttl": ("2d", 172800),
    "cache.negative_max_ttl": ("2h", 7200), "cache.serve_stale": ("2d", 172800),
    "prefetch.top": (500, 500), "prefetch.share": (11, 11), "prefetch.half_life": ("11m", 660),
    "access.allow": (["127.0.0.0/8"], None),
    "rate_limit.queries_per_second": (5000, 5000), "rate_limit.burst": (3000, 3000), "rate_limit.ipv4_prefix": (24, 24),
    "rate_limit.ipv6_prefix": (56, 56), "rate_limit.max_clients": (1000, 1000), "rate_limit.action": ("refuse", None),
    "clients.max_connections": (500, 500), "clients.max_per_address": (100, 100),
    "clients.new_per_second": (1000, 1000),
    "clients.idle_timeout": ("20s", 20), "clients.read_timeout": ("6s", 6), "clients.first_timeout": ("11s", 11),
    "clients.max_in_flight": (50, 50), "clients.max_query_size": (1000, 1000),
    "clients.max_unsent": ("512KiB", 512 << 10),
    "clients.max_buffered": ("8MiB", 8 << 20), "clients.max_queries_in_flight": (64, 64),
    "udp.enabled": (False, 0), "udp.max_size": (1300, 1300), "udp.max_size_unverified": (600, 600),
    "udp.responses_per_second": (2000, 2000), "udp.slip": (3, 3), "udp.cookies": (False, 0),
    "udp.cookie_secret_file": ("secret", None), "udp.receive_buffer": ("2MiB", 2 << 20),
    "state.directory": ("/nonexistent", None), "state.save_interval": ("11m", 660),
    "shared_cache.timeout": ("6ms", 0.006),
    "shared_cache.prefix": ("other:", None), "shared_cache.user": ("dns", None),
    "shared_cache.password_file": ("password", None), "shared_cache.tls_name": ("cache.example", None),
    "shared_cache.ca_file": ("copy.pem", None), "shared_cache.secret_file": ("shared", None),
    "shared_cache.routes": (True, 1), "shared_cache.max_queued": ("2MiB", 2 << 20),
    "http.status_page": (False, 0), "http.show_names": (True, 1), "http.listen": ("", None),
    "log.level": ("debug", None), "log.format": ("json", None), "log.queries": ("failed", None),
    "log.slow": ("200ms", 0.2), "log.recent": (32, 32),
    "dnstap.socket": ("/run/nobody.sock", None), "dnstap.sample": (7, 7), "dnstap.clients": (False, 0),
    "names.special_use": ("local", None), "names.hosts_file": ("hosts", None),
    "bootstrap": (["192.0.2.53", "192.0.2.54#dns.example"], None),
    "names.records": (["nas.home.arpa 300 IN A 192.0.2.5"], None),
}
#: Seen by their effects in the tests below, in test_reload.py and in test_shared_cache.py alone.
BY_EFFECT = {"listen", "upstreams", "routes", "shared_cache.address"}


def rows():
    """Key and the column "changes by" of every row that is no field of a list's entry."""
    found, section = {}, ""
    for line in run("--print-config-doc=markdown").stdout.splitlines():
        if line.startswith("## "):
            section = "" if line == "## General" else line[3:] + "."
        elif match := re.match(r"\| `(\w+)` \| .* \| (reload|restart) \| [^|]*\|$", line):
            found[section + match.group(1)] = match.group(2)
    return {key: changes for key, changes in found.items() if not key.startswith(("upstreams.", "routes."))}


ROWS = rows()
RESTART = sorted(key for key, changes in ROWS.items() if changes == "restart")
LIVE = sorted(key for key, changes in ROWS.items() if changes == "reload" and key not in BY_EFFECT)


def as_config(key, value):
    section, _, name = key.rpartition(".")
    return {section: {name: value}} if section else {name: value}


def status(proxy):
    return json.loads(fetch(proxy, "/status.json"))


def in_force(proxy, key):
    """As /metrics shows it; None where it is no number."""
    with contextlib.suppress(AssertionError):
        return Figures(proxy).sum("config_setting", key=key)
    return None


def test_every_row_has_a_case():
    assert len(ROWS) > 50
    assert set(ROWS) == set(OTHER) | BY_EFFECT, set(ROWS) ^ (set(OTHER) | BY_EFFECT)


@pytest.fixture(scope="module", name="proxy")
def _proxy(pki, module_path, hostile):
    (module_path / "copy.pem").write_bytes(open(pki.ca_file, "rb").read())
    (module_path / "secret").write_text("000102030405060708090a0b0c0d0e0f\n")
    (module_path / "hosts").write_text("192.0.2.9 printer.home.arpa\n")
    with Proxy(module_path, pki, [hostile.port]) as proxy:
        yield proxy


@pytest.mark.parametrize("key", LIVE)
def test_a_live_setting_takes_its_new_value(proxy, key):
    value, shown = OTHER[key]
    if key in ("tls.ca_file", "udp.cookie_secret_file", "names.hosts_file"):
        value = str(proxy.config_path.parent / value)
    assert shown is None or in_force(proxy, key) != shown, "the case changes nothing"
    said = proxy.reload(as_config(key, value))
    assert "needs a restart" not in said and "setting ignored" not in said
    (changed,) = [line for line in said.splitlines() if "setting changed" in line]
    assert f"setting={key} " in changed and "former=" in changed and "value=" in changed, changed
    assert in_force(proxy, key) == shown
    assert wire.rcode_of(ask(proxy.port, "goes-on.example.com")) == wire.NOERROR


@pytest.mark.parametrize("key", RESTART)
def test_a_setting_that_needs_a_restart_is_named_and_kept(tmp_path, pki, hostile, key):
    with Proxy(tmp_path, pki, [hostile.port]) as proxy:
        before = in_force(proxy, key)
        value, shown = OTHER[key]
        assert shown is None or before != shown, "the case changes nothing"
        said = proxy.reload(as_config(key, value))
        lines = [line for line in said.splitlines() if "needs a restart" in line]
        assert len(lines) == 1 and f"setting={key} " in lines[0] + " ", said
        assert in_force(proxy, key) == before
        assert "needs a restart" in proxy.reload({"drain_timeout": "8s"}), "as long as the file differs"


def test_a_reload_without_a_change_names_nothing(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port]) as proxy:
        said = proxy.reload({})
        assert "needs a restart" not in said and "setting ignored" not in said and "setting changed" not in said
        assert status(proxy)["reload_changes"] == "" == status(proxy)["reload_refusal"]


def test_the_page_says_what_a_reload_changed_or_why_it_was_refused(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port]) as proxy:
        proxy.reload({"cache": {"serve_stale": "2h"}, "clients": {"max_in_flight": 50}})
        shown = status(proxy)
        assert shown["reload_good"] and shown["reload_refusal"] == ""
        changes = ["cache.serve_stale: 1d -> 2h", "clients.max_in_flight: 100 -> 50"]
        assert shown["reload_changes"].splitlines() == changes
        proxy.reload({"clients": {"max_in_flight": -1}, "nonsense": 1}, "former configuration stays in use")
        shown = status(proxy)
        assert not shown["reload_good"], shown
        assert "max_in_flight" in shown["reload_refusal"] and "nonsense" in shown["reload_refusal"], shown
        assert shown["reload_changes"].startswith("cache.serve_stale"), "of the last one that was applied"


def test_a_long_list_is_cut_where_its_change_is_shown(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port]) as proxy:
        prefixes = [f"10.{n // 250}.{n % 250}.0/24" for n in range(5000)] + ["127.0.0.0/8"]
        said = proxy.reload({"access": {"allow": prefixes}})
        (changed,) = [line for line in said.splitlines() if "setting changed" in line]
        assert "10.0.1.0/24" in changed and "..." in changed and len(changed) < 1024, changed
        assert len(status(proxy)["reload_changes"]) < 1024


# --- effects that can be seen from outside; others are in test_reload.py and in the tests of each part


@pytest.fixture(name="fresh")
def _fresh(tmp_path, pki, hostile):
    config = {"clients": {"max_queries_in_flight": 8}, "upstream": {"hedge": 0}, "workers": 1}
    with Proxy(tmp_path, pki, [hostile.port], config) as proxy:
        yield proxy


def rcodes_of_slow(proxy, word, count):
    """Of so many questions at once, each on its way upstream for a while, of clients that have few."""
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(Client(proxy.port, source=(f"127.0.2.{number % 250 + 1}", 0)))
                   for number in range(count)]
        for number, client in enumerate(clients):
            client.send(wire.query(f"slow-700ms-{word}{number}.test", number=number))
        return collections.Counter(wire.rcode_of(client.receive()) for client in clients)


def test_more_questions_of_a_worker_may_be_in_flight(fresh):
    assert rcodes_of_slow(fresh, "few", 60)[wire.SERVFAIL] >= 52
    fresh.reload({"clients": {"max_queries_in_flight": 200}})
    assert rcodes_of_slow(fresh, "many", 60) == {wire.NOERROR: 60}
    fresh.reload({"clients": {"max_queries_in_flight": 8}})
    assert rcodes_of_slow(fresh, "again", 60)[wire.SERVFAIL] >= 52


def test_the_status_page_and_its_names_follow(tmp_path, pki, hostile):
    port = free_port()
    with Proxy(tmp_path, pki, [hostile.port], {"http": {"listen": f"0.0.0.0:{port}"}}) as proxy:
        proxy.http_port = port
        proxy.wait_listening(port)
        wait_for(lambda: '"names_shown":false' in fetch(proxy, "/status.json"), "HTTP answers")
        proxy.reload({"http": {"show_names": True}})
        assert '"names_shown":true' in fetch(proxy, "/status.json")
        proxy.reload({"http": {"status_page": False}})
        with pytest.raises(OSError):
            fetch(proxy, "/status.json")


def test_the_log_level_follows(fresh):
    assert "level=debug" not in fresh.log()
    fresh.reload({"log": {"level": "debug"}})
    ask(fresh.port, "debug.test")
    fresh.wait_log("level=debug")


def test_the_cache_is_switched_off_and_on(fresh, hostile):
    fresh.reload({"cache": {"max_size": 0}})
    for _ in range(3):
        ask(fresh.port, "uncached.test")
    assert hostile.queries(containing="uncached")["uncached.test"] >= 3
    fresh.reload({"cache": {"max_size": "1MiB"}})
    before = hostile.queries(containing="recached")
    for _ in range(3):
        ask(fresh.port, "recached.test")
    assert not before and hostile.queries(containing="recached")["recached.test"] <= 2


def test_the_action_of_the_rate_limit_follows(fresh):
    fresh.reload({"rate_limit": {"queries_per_second": 1, "burst": 1}})
    with Client(fresh.port) as client:
        def limited():
            client.send(*(wire.query("limited.test", number=number) for number in range(20)))
            return collections.Counter(wire.rcode_of(client.receive()) for _ in range(20))

        assert limited()[wire.SERVFAIL] >= 15
        fresh.reload({"rate_limit": {"action": "refuse"}})
        assert limited()[wire.REFUSED] >= 15


def test_prefixes_of_clients_follow(fresh):
    """max_per_address counts by them, also what is connected already."""
    with contextlib.ExitStack() as stack:
        held = [stack.enter_context(Client(fresh.port, source=(f"127.0.3.{number + 1}", 0))) for number in range(4)]
        for client in held:
            client.ask(wire.query("held.test"))
        fresh.reload({"clients": {"max_per_address": 4}, "rate_limit": {"ipv4_prefix": 24}})
        since = Since(fresh)
        wait_for(lambda: is_closed(fresh, "127.0.3.200"), "the four of the network count for it")
        assert since.sum("client_connections_rejected_total", reason="max_per_address") >= 1
        assert wire.rcode_of(ask(fresh.port, "others.test")) == wire.NOERROR
        fresh.reload({"rate_limit": {"ipv4_prefix": 32}})
        wait_for(lambda: not is_closed(fresh, "127.0.3.200"), "each address counts for itself")


def is_closed(proxy, ip):
    with Client(proxy.port, source=(ip, 0)) as client:
        with contextlib.suppress(ConnectionError):
            client.send(wire.query("network.test"))
        return client.is_closed_by_peer()


def test_a_longer_message_is_taken(fresh):
    long = wire.query("padded.test", additional=[wire.opt(options=wire.option(12, bytes(900)))])
    fresh.reload({"clients": {"max_query_size": 512}})
    with Client(fresh.port) as client:
        assert wire.rcode_of(client.ask(long)) == wire.FORMERR
    fresh.reload({"clients": {"max_query_size": 4096}})
    with Client(fresh.port) as client:
        assert wire.rcode_of(client.ask(long)) == wire.NOERROR


def udp_answers(proxy):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(2)
        with contextlib.suppress(OSError):
            client.connect(("127.0.0.1", proxy.port))
            client.send(wire.query("udp.test"))
            return wire.rcode_of(client.recv(4096)) == wire.NOERROR
        return False


def test_udp_is_switched_off_and_on(fresh):
    assert udp_answers(fresh)
    fresh.reload({"udp": {"enabled": False}})
    wait_for(lambda: not udp_answers(fresh), "UDP is closed")
    fresh.reload({"udp": {"enabled": True}})
    wait_for(lambda: udp_answers(fresh), "UDP is open again")


def test_an_empty_file_leaves_everything_as_it_was(fresh):
    for text in ("", "# all gone\n"):
        before = len(fresh.log())
        fresh.config_path.write_text(text)
        fresh.child.send_signal(signal.SIGHUP)
        fresh.wait_log("former configuration stays in use", since=before)
        assert "nothing is set" in fresh.log()[before:]
    assert wire.rcode_of(ask(fresh.port, "still-here.test")) == wire.NOERROR
