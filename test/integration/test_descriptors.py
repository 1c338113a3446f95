"""Where descriptors are few: the program says so, takes fewer connections, keeps some for upstream, and waits rather
than spins.
"""
import contextlib
import os
import re
import resource
import time

import proxy as proxy_module
import pytest
import wire
from cost import cost_of
from dnsclient import Client, ask
from figures import Figures, Since
from flood import flood_holding, flood_silent
from honest import Honest, newcomers
from process import wait_for
from proxy import Proxy


def limited_program(folder, descriptors):
    path = folder / f"with-{descriptors}-descriptors"
    path.write_text(f'#!/bin/sh\nexec prlimit --nofile={descriptors}:{descriptors} "{proxy_module.PROGRAM}" "$@"\n')
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("limit", [64, 128, 256, 1024])
def test_fewer_descriptors_than_connections(tmp_path, pki, hostile, monkeypatch, limit):
    monkeypatch.setattr(proxy_module, "PROGRAM", limited_program(tmp_path, limit))
    with Proxy(tmp_path, pki, [hostile.port]) as proxy:
        line = proxy.wait_log("fewer connections than configured")
        assert "configured=10000" in line and f"descriptors={limit}" in line and "LimitNOFILE" in line
        bound = int(re.search(r"max_connections=(\d+)", line).group(1))
        assert limit / 3 <= bound < limit
        since = Since(proxy)
        with flood_holding(proxy.port, connections=limit * 2, rate=limit * 2, spread=20):
            wait_for(lambda: since.sum("client_connections_closed_total", cause="pressure") > 0, "places are short")
            for number in range(30):  # not in the cache: the way upstream must be open too
                assert wire.rcode_of(ask(proxy.port, f"few{limit}n{number}.test")) == wire.NOERROR
                assert proxy.descriptors() <= limit
            assert Figures(proxy).sum("client_connections") <= bound
        assert since.sum("client_connections_rejected_total", reason="descriptors") == 0, "the sum works out"


def test_a_limit_high_enough_is_not_mentioned(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port], {"clients": {"max_connections": 500}}) as proxy:
        ask(proxy.port, "enough.test")
        assert "fewer connections" not in proxy.log()


def test_a_soft_limit_is_raised(tmp_path, pki, hostile, monkeypatch):
    path = tmp_path / "soft"
    path.write_text(f'#!/bin/sh\nexec prlimit --nofile=40: "{proxy_module.PROGRAM}" "$@"\n')
    path.chmod(0o755)
    monkeypatch.setattr(proxy_module, "PROGRAM", str(path))
    with Proxy(tmp_path, pki, [hostile.port], {"clients": {"max_connections": 500}}) as proxy:
        with flood_silent(proxy.port, 200, spread=4).wait_ready():
            wait_for(lambda: Figures(proxy).sum("client_connections") == 200, "all were taken", 15)


@contextlib.contextmanager
def few_descriptors_left(proxy, left):
    """Of a running program, as when something else in it used them up."""
    soft, hard = resource.prlimit(proxy.pid, resource.RLIMIT_NOFILE)
    highest = max(int(number) for number in os.listdir(f"/proc/{proxy.pid}/fd"))
    resource.prlimit(proxy.pid, resource.RLIMIT_NOFILE, (highest + 1 + left, hard))
    try:
        yield
    finally:
        resource.prlimit(proxy.pid, resource.RLIMIT_NOFILE, (soft, hard))


def test_out_of_descriptors_it_waits_and_goes_on(tmp_path, pki, hostile):
    """What the sum at the start could not foresee."""
    with Proxy(tmp_path, pki, [hostile.port]) as proxy, Client(proxy.port) as old:
        old.ask(wire.query("out-of-them.test"))
        since = Since(proxy)
        with few_descriptors_left(proxy, 5), flood_silent(proxy.port, 100, spread=4):
            proxy.wait_log("accepting pauses", 15)
            with cost_of(proxy, "out of descriptors") as cost:
                for _ in range(10):
                    assert wire.rcode_of(old.ask(wire.query("out-of-them.test"))) == wire.NOERROR
                    time.sleep(0.1)
            assert cost.cpu < cost.seconds / 10, "it does not spin"
            assert cost.switches < cost.seconds * 1000, "it looks again some hundred times a second"
        assert 0 < since.sum("client_connections_rejected_total", reason="descriptors") < 5000
        assert proxy.log().count("accepting pauses") < 5, "said now and then, not every time"
        newcomers(proxy, 5, name="out-of-them.test")


def test_idle_clients_give_way_where_descriptors_are_out(tmp_path, pki, hostile):
    """Whoever is idle has had his turn: a newcomer need not wait until they leave by themselves."""
    with Proxy(tmp_path, pki, [hostile.port]) as proxy, contextlib.ExitStack() as stack:
        ask(proxy.port, "idle-one.test")
        for _ in range(50):
            client = stack.enter_context(Client(proxy.port))
            client.ask(wire.query("idle-one.test"))
        with few_descriptors_left(proxy, 0):
            with Client(proxy.port, timeout=5) as newcomer:
                assert wire.rcode_of(newcomer.ask(wire.query("idle-one.test"))) == wire.NOERROR


def test_after_a_thousand_connections_none_is_left(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port]) as proxy:
        ask(proxy.port, "before.test")
        before = proxy.descriptors()
        with Honest(proxy, 1), flood_silent(proxy.port, 1000, spread=10):
            wait_for(lambda: proxy.descriptors() > 1000, "they are here", 15)
        proxy.wait_descriptors(before + 8)
