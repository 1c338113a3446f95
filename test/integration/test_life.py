"""Start, idleness, stop: exit codes, faults of the configuration, logs, draining."""
import collections
import json
import signal
import socket
import time

import pytest
import wire
from dnsclient import Client, ask
from process import free_port, wait_for
from proxy import Proxy, is_sanitized, run
from remote import Remote
from visitors import Visitors


def test_version_and_help():
    version = run("--version")
    assert version.returncode == 0 and version.stdout.startswith("dns-tls-proxy ")
    usage = run("--help")
    assert usage.returncode == 0
    for flag in ("--config", "--listen", "--upstream", "--ca-file", "--http", "--workers", "--log-level",
                 "--check-config", "--health-check", "--version", "--help"):
        assert flag in usage.stdout


@pytest.mark.parametrize("arguments", [
    ["--no-such-flag"], ["--config"], ["stray"], ["--listen"], ["-x"],
], ids=" ".join)
def test_wrong_usage_is_exit_2(arguments):
    ended = run(*arguments)
    assert ended.returncode == 2
    assert ended.stderr.strip() and not ended.stdout


@pytest.mark.parametrize("arguments", [
    ["--listen", "127.0.0.1"], ["--listen", "127.0.0.1:99999"], ["--listen", "localhost:53"],
    ["--upstream", "1.1.1.1"], ["--upstream", "1.1.1.1:853"], ["--workers", "0"], ["--workers", "65"],
    ["--workers", "many"], ["--log-level", "loud"], ["--http", "5000"], ["--config", "/nonexistent/file.yaml"],
], ids=" ".join)
def test_wrong_values_are_refused_and_named(arguments):
    ended = run("--check-config", *arguments)
    assert ended.returncode in (1, 2)
    assert arguments[1] in ended.stderr


def test_a_good_configuration_checks(tmp_path):
    path = tmp_path / "good.yaml"
    path.write_text("listen: ['127.0.0.1:8853', '[::1]:8853']\nworkers: auto\n"
                    "log: {level: debug, format: json}\ndrain_timeout: 500ms\n")
    assert run("--check-config", "--config", path).returncode == 0
    assert run("--check-config").returncode == 0


#: (text of a file, [(line, words of the fault)])
FAULTY = {
    "empty": ("", [(1, "nothing is set")]),
    "comments alone": ("# workers: 2\n", [(1, "nothing is set")]),
    "several": ("workers: 65\nlisten:\n  - 127.0.0.1\nupstream:\n  padding: many\nnosuch: 1\n",
                [(1, "workers"), (3, "127.0.0.1"), (5, "padding"), (6, "nosuch")]),
    "nested": ("upstreams:\n  - {address: 1.1.1.1, port: 70000, name: cloudflare-dns.com}\n", [(2, "70000")]),
    "nested unknown": ("upstream:\n  query_timeout: 1s\n  quick: true\n", [(3, "quick")]),
    "not YAML": ("listen: [\n", [(2, "")]),
    "not a map": ("- a\n- b\n", [(1, "")]),
    "twice": ("workers: 1\nworkers: 2\n", [(2, "workers")]),
    "no unit": ("drain_timeout: 5\n", [(1, "drain_timeout")]),
    "not a boolean": ("upstream:\n  keep_warm: maybe\n", [(2, "keep_warm")]),
    "a bad prefix": ("access:\n  allow: [10.0.0.0/33]\n", [(2, "10.0.0.0/33")]),
    "upstream without a name": ("upstreams:\n  - address: 1.1.1.1\n", [(2, "name")]),
}


@pytest.mark.parametrize("case", FAULTY)
def test_every_fault_is_named_with_file_and_line(tmp_path, case):
    text, faults = FAULTY[case]
    path = tmp_path / "faulty.yaml"
    path.write_text(text)
    ended = run("--check-config", "--config", path)
    assert ended.returncode == 1
    lines = ended.stderr.splitlines()
    for number, words in faults:
        assert any(line.startswith(f"{path}:{number}:") and words in line for line in lines), (number, words, lines)
    # the same on a real start, which must not happen
    assert run("--config", path).returncode == 1


def test_a_missing_ca_file_is_a_clear_failure(tmp_path):
    ended = run("--ca-file", tmp_path / "none.pem", "--listen", f"127.0.0.1:{free_port()}",
                "--http", f"127.0.0.1:{free_port()}")
    assert ended.returncode == 1 and "none.pem" in ended.stderr


def test_an_address_in_use_is_a_clear_failure(pki):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        ended = run("--listen", address, "--ca-file", pki.ca_file, "--http", f"127.0.0.1:{free_port()}")
    assert ended.returncode == 1 and address in ended.stderr


def test_an_address_that_is_not_ours_is_a_clear_failure(pki):
    ended = run("--listen", "192.0.2.1:8853", "--ca-file", pki.ca_file, "--http", f"127.0.0.1:{free_port()}")
    assert ended.returncode == 1 and "192.0.2.1:8853" in ended.stderr


def test_flags_win_over_the_file(tmp_path, pki, hostile):
    other = free_port()
    with Proxy(tmp_path, pki, [1], arguments=["--upstream", f"127.0.0.1:{hostile.port}#cloudflare-dns.com",
                                              "--listen", f"127.0.0.1:{other}"], wait_port=other) as proxy:
        assert wire.rcode_of(ask(other, "flags.test")) == wire.NOERROR
        with pytest.raises(OSError):
            Client(proxy.port)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_stop_answers_what_is_in_flight(tmp_path, pki, hostile, how):
    with Proxy(tmp_path, pki, [hostile.port]) as proxy, Client(proxy.port) as client, Client(proxy.port) as idle:
        idle.ask(wire.query("idle-drain.test"))
        client.send(*(wire.query(f"slow-800ms-{how}n{i}.test", number=i) for i in range(20)))
        wait_for(lambda: len(hostile.queries(containing=f"slow-800ms-{how}n")) == 20, "the questions are upstream")
        proxy.child.send_signal(how)
        assert {wire.number_of(client.receive()) for _ in range(20)} == set(range(20))
        assert client.is_closed_by_peer()
        assert idle.is_closed_by_peer()
        assert proxy.finish() < 4


def test_while_draining_nobody_new_is_let_in(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port]) as proxy, Client(proxy.port) as client:
        client.send(wire.query("slow-1500ms-draining.test"))
        wait_for(lambda: hostile.queries(containing="slow-1500ms-draining"), "the question is upstream")
        proxy.child.send_signal(signal.SIGTERM)
        wait_for(lambda: refused(proxy.port), "refuses new connections")
        assert wire.rcode_of(client.receive()) == wire.NOERROR


def refused(port):
    try:
        with Client(port, timeout=0.2) as client:
            client.send(wire.query("late.test"))
            return client.receive() is None
    except ConnectionRefusedError:
        return True
    except OSError:
        return False


def test_who_comes_while_it_stops_is_answered_or_refused(tmp_path, pki, hostile):
    """Nobody is let in and then left alone, and what was asked before the stop is answered. Closed is at most who had
    connected and not asked yet.
    """
    whole = collections.Counter()
    with Remote(Visitors, port=free_port()) as visitors:
        for _ in range(5):
            with Proxy(tmp_path, pki, [hostile.port], {"listen": [f"127.0.0.1:{visitors.port}"]}) as proxy:
                running = visitors.begin("run", rate=500, seconds=0.6)
                time.sleep(0.3)  # in the midst of them
                proxy.finish()
                whole.update(running.result())
    assert whole["late"] == 0 and whole["closed"] <= 10, whole
    assert whole["answered"] > 250 and whole["refused"] > 0, whole


def test_draining_ends_with_its_time(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port], {"drain_timeout": "500ms"}) as proxy, Client(proxy.port) as client:
        client.send(wire.query("drop-forever.test"))
        wait_for(lambda: hostile.queries(containing="drop-forever"), "the question is upstream")
        assert proxy.finish() < 3


def test_a_second_signal_stops_at_once(tmp_path, pki, hostile):
    config = {"drain_timeout": "30s", "upstream": {"query_timeout": "20s"}}
    with Proxy(tmp_path, pki, [hostile.port], config) as proxy, Client(proxy.port) as client:
        client.send(wire.query("drop-second.test"))
        wait_for(lambda: hostile.queries(containing="drop-second"), "the question is upstream")
        proxy.child.send_signal(signal.SIGTERM)
        proxy.wait_log("drain")
        assert proxy.finish() < 3


def test_an_idle_one_stops_at_once(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port]) as proxy:
        assert proxy.finish() < 2


def test_log_as_text(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port]) as proxy:
        ask(proxy.port, "never-logged.test")
        proxy.finish()
    for line in proxy.log().splitlines():
        stamp, level, event = line.split(" ", 2)
        assert stamp.endswith("Z") and level.startswith("level=") and event.startswith("event="), line
    assert "never-logged" not in proxy.log()


def test_log_as_json(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port], {"log": {"format": "json"}}) as proxy:
        ask(proxy.port, "never-logged.test")
        proxy.finish()
    events = [json.loads(line) for line in proxy.log().splitlines()]
    assert events and all({"time", "level", "event"} <= event.keys() for event in events)


def test_log_level(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port], {"log": {"level": "error"}}) as proxy:
        proxy.finish()
    assert proxy.log() == ""


def test_health_check_command(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port]) as proxy:
        ask(proxy.port, "ready.test")
        wait_for(lambda: run(f"--health-check=127.0.0.1:{proxy.http_port}").returncode == 0, "ready")
        assert run("--config", proxy.config_path, "--health-check").returncode == 0
    assert run(f"--health-check=127.0.0.1:{proxy.http_port}").returncode == 1


@pytest.mark.skipif(is_sanitized(), reason="a sanitizer's own memory")
def test_idle_it_is_small(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port]) as proxy:
        ask(proxy.port, "small.test")
        wait_for(lambda: proxy.own_bytes() < 5e6, "small once it has been idle for a moment", 15)


@pytest.mark.skipif(is_sanitized(), reason="a sanitizer's own thread")
def test_idle_it_sleeps(tmp_path, pki, hostile):
    """A few wake-ups a second at the most, of all threads together."""
    with Proxy(tmp_path, pki, [hostile.port]) as proxy:
        ask(proxy.port, "sleeps.test")
        time.sleep(1.0)
        before = proxy.voluntary_switches()
        time.sleep(5.0)
        assert proxy.voluntary_switches() - before < 5 * 8
