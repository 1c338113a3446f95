"""A query never fails because a connection did: load while the network between proxy and upstream misbehaves.

Correctness is asserted; latencies are printed (pytest -rP shows them). LONG=1 makes the runs long and asserts the
latencies too, for a machine that has nothing else to do.
"""
import os
import time

import pytest
import wire
from dnsclient import ask
from load import Load
from proxy import Proxy, is_sanitized
from relay import start_relay
from remote import Remote

LONG = os.environ.get("LONG") == "1"
SECONDS = 30 if LONG else 5
RATE = 250 if is_sanitized() else 500

#: name -> (relay's fault, p99 in ms with one upstream)
FAULTS = {
    "resets everything every second": ({"kind": "reset", "every": 1.0}, 10),
    "closes everything every second": ({"kind": "close", "every": 1.0}, 10),
    "leaves connections open but silent every 2 s": ({"kind": "hang", "every": 2.0}, 100),
    "resets every 2 s and refuses for 300 ms": ({"kind": "reset", "every": 2.0, "refuse_for": 0.3}, 500),
}


def check(report, fault, p99_ms):
    print(f"{fault}: p50 {report['p50_ms']} ms, p99 {report['p99_ms']} ms, at most {report['max_ms']} ms")
    assert report["lost"] == 0, report
    assert report["rcodes"] == {"0": report["sent"]}, report
    assert report["unexpected"] == 0 and report["mismatched"] == 0 and report["closed"] == 0, report
    if LONG and not is_sanitized():
        assert report["p99_ms"] < p99_ms, report


@pytest.mark.parametrize("fault", FAULTS)
def test_one_upstream(tmp_path, pki, hostile, fault):
    arguments, p99_ms = FAULTS[fault]
    with start_relay(hostile.port) as relay, Proxy(tmp_path, pki, [relay.port]) as proxy:
        relay.repeat_fault(**arguments)
        with Remote(Load, port=proxy.port) as load:
            check(load.run(seconds=SECONDS, rate=RATE), fault, p99_ms)
        assert sum(relay.stats().get(kind, 0) for kind in ("resets", "closes", "hangs")) >= 2, "the fault did happen"
        relay.stop_fault()


@pytest.mark.parametrize("fault", FAULTS)
def test_two_upstreams_one_of_them_misbehaves(tmp_path, pki, hostile, fault):
    arguments, _ = FAULTS[fault]
    with start_relay(hostile.port) as bad, start_relay(hostile.port) as good:
        with Proxy(tmp_path, pki, [bad.port, good.port]) as proxy, Remote(Load, port=proxy.port) as load:
            bad.repeat_fault(**arguments)
            check(load.run(seconds=SECONDS if LONG else 4, rate=RATE), f"the first of two {fault}", 50)


def test_an_upstream_that_accepts_and_is_silent(tmp_path, pki, hostile):
    """TCP connects, TLS never answers: the second upstream is tried before the first has failed for good."""
    with start_relay(hostile.port) as silent, start_relay(hostile.port) as good:
        silent.set_hang_new(hang=True)
        with Proxy(tmp_path, pki, [silent.port, good.port]) as proxy, Remote(Load, port=proxy.port) as load:
            begin = time.monotonic()
            assert wire.rcode_of(ask(proxy.port, "first.test")) == wire.NOERROR
            assert time.monotonic() - begin < 1.5, "a quarter of a second, and not the time a connection may take"
            check(load.run(seconds=3, rate=RATE), "the first of two accepts and says nothing", 50)


def test_upstream_with_a_round_trip_of_10_ms(tmp_path, pki, hostile):
    """In flight at once, so that the rate is not bound by round trips."""
    with start_relay(hostile.port) as relay, Proxy(tmp_path, pki, [relay.port]) as proxy:
        relay.set_delay(seconds=0.005)
        with Remote(Load, port=proxy.port) as load:
            report = load.run(seconds=3, rate=RATE, connections=1)
        check(report, "10 ms away", 50)


def test_faults_at_a_distance(tmp_path, pki, hostile):
    with start_relay(hostile.port) as relay, Proxy(tmp_path, pki, [relay.port]) as proxy:
        relay.set_delay(seconds=0.01)
        relay.repeat_fault(kind="reset", every=1.0)
        with Remote(Load, port=proxy.port) as load:
            check(load.run(seconds=4, rate=RATE), "20 ms away, resets every second", 150)
