"""What /healthz and /readyz say is true: of threads that turn, of an upstream that answers, of a program that
drains."""
import contextlib
import json
import signal
import time
import urllib.error
import urllib.request

import pytest
import wire
from dnsclient import Client, ask
from frozen import frozen, threads
from hostile import start_hostile
from process import wait_for
from proxy import Proxy, run
from relay import start_relay

READY_LOST, READY_BACK = 10.0, 5.0  # seconds: promised
SLACK = 2.0  # for a machine that does other things, too


def look(proxy, path):
    """(status, what the body says)."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{proxy.http_port}{path}", timeout=10) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def status(proxy, path):
    return look(proxy, path)[0]


def wait_status(proxy, path, wanted, seconds):
    """How long it took."""
    begin = time.monotonic()
    wait_for(lambda: status(proxy, path) == wanted, f"{path} says {wanted}", seconds)
    return time.monotonic() - begin


@pytest.fixture(scope="module", name="ready")
def _ready(proxy):
    wait_status(proxy, "/readyz", 200, READY_BACK + SLACK)
    return proxy


def test_ready_without_a_client_ever_asking(ready):
    code, body = look(ready, "/readyz")
    assert code == 200 and body["status"] == "ready"
    assert body["upstream_answered_ms_ago"] <= READY_LOST * 1000
    assert body["since"].endswith("Z") and body["for_seconds"] >= 0


def test_each_part_is_named_with_its_state_and_since_when(ready):
    code, body = look(ready, "/healthz")
    assert code == 200 and body["status"] == "live"
    names = [part["name"] for part in body["parts"]]
    assert len(set(names)) == len(names) and len([name for name in names if "worker" in name]) == 2, names
    assert any("acceptor" in name for name in names), names
    assert all(part["state"] == "ok" and part["since"].endswith("Z") for part in body["parts"])


def test_an_idle_program_stays_ready(ready):
    """The upstream is asked now and then, where no client asks."""
    begin = time.monotonic()
    while time.monotonic() - begin < READY_LOST + 3:
        assert status(ready, "/readyz") == 200
        time.sleep(0.2)


def test_health_check_asks_it(ready):
    assert run("--health-check=127.0.0.1:%d" % ready.http_port).returncode == 0


def test_nobody_answers_at_all(tmp_path, pki):
    """Live and not ready, from the start; ready once the upstream is there."""
    with start_hostile(pki) as upstream:
        upstream.go()
        with Proxy(tmp_path, pki, [upstream.port]) as proxy:
            code, body = look(proxy, "/readyz")
            assert code == 503 and body["upstream_answered_ms_ago"] is None and body["reason"]
            assert status(proxy, "/healthz") == 200
            assert run("--health-check=127.0.0.1:%d" % proxy.http_port).returncode == 1
            upstream.come_back()
            wait_status(proxy, "/readyz", 200, READY_BACK + SLACK)


def refuse(relay):
    relay.refuse()
    relay.close_all(reset=True)


def be_silent(relay):
    relay.set_hang_new(hang=True)
    relay.hang_all()


def accept(relay):
    relay.accept()


def speak(relay):
    relay.set_hang_new(hang=False)


@pytest.mark.parametrize("lose, mend, asked", [(refuse, accept, False), (be_silent, speak, True)],
                         ids=["refuses, nobody asks", "is silent, somebody asks"])
def test_upstream_lost_and_back(tmp_path, pki, lose, mend, asked):
    with start_hostile(pki) as upstream, start_relay(upstream.port) as relay:
        settings = {"upstream": {"query_timeout": "1s"}}
        with Proxy(tmp_path, pki, [relay.port], settings) as proxy, contextlib.ExitStack() as stack:
            ask(proxy.port, "before.test")
            wait_status(proxy, "/readyz", 200, READY_BACK + SLACK)
            lose(relay)
            if asked:
                client = stack.enter_context(Client(proxy.port))
                client.send(*(wire.query(f"lost-{i}.test", number=i) for i in range(50)))
            lost = wait_status(proxy, "/readyz", 503, READY_LOST + SLACK)
            assert status(proxy, "/healthz") == 200, "that nobody answers is no reason to restart the program"
            mend(relay)
            back = wait_status(proxy, "/readyz", 200, READY_BACK + SLACK)
            print(f"not ready after {lost:.1f} s, ready again after {back:.1f} s")


def test_draining_is_not_ready_and_live(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port], {"drain_timeout": "10s"}) as proxy:
        wait_status(proxy, "/readyz", 200, READY_BACK + SLACK)
        with Client(proxy.port) as client:
            client.send(wire.query("slow-1500ms-drain.test"))
            wait_for(lambda: hostile.queries(containing="drain"), "it is being asked")
            proxy.child.send_signal(signal.SIGTERM)
            wait_status(proxy, "/readyz", 503, 1.0)
            code, body = look(proxy, "/readyz")
            assert code == 503 and body["reason"] == "draining"
            assert status(proxy, "/healthz") == 200
            assert wire.rcode_of(client.receive()) == wire.NOERROR


@pytest.mark.parametrize("kind", ["worker", "acceptor"])
def test_a_thread_that_turns_no_more(tmp_path, pki, hostile, kind):
    with Proxy(tmp_path, pki, [hostile.port]) as proxy:
        wait_status(proxy, "/readyz", 200, READY_BACK + SLACK)
        name, thread = next((name, tid) for name, tid in sorted(threads(proxy.pid).items()) if name.startswith(kind))
        with frozen(thread) as is_frozen:
            if not is_frozen:
                pytest.skip("may not trace a process here")
            took = wait_status(proxy, "/healthz", 503, 10 + 2 + SLACK)
            silent = [part for part in look(proxy, "/healthz")[1]["parts"] if part["state"] != "ok"]
            assert len(silent) == 1 and silent[0]["state"] == "silent" and kind in silent[0]["name"], silent
            assert silent[0]["for_seconds"] >= 10
        print(f"{name} stopped: not live after {took:.1f} s")
        wait_status(proxy, "/healthz", 200, 5)
        assert wire.rcode_of(ask(proxy.port, f"after-{kind}.test")) == wire.NOERROR
