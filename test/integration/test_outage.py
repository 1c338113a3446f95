"""The upstream is gone for a while under load, then back: no storm of handshakes meanwhile, answers at once after."""
import os
import time

import wire
from dnsclient import ask
from figures import Since
from hostile import start_hostile
from load import Load
from process import wait_for
from proxy import Proxy, is_sanitized
from relay import start_relay
from remote import Remote

LONG = os.environ.get("LONG") == "1"
GONE = 60 if LONG else 4
RATE = 100 if is_sanitized() else 300
WORKERS = 2
# Follow each other closely at first, so that a restart is over at once; in a minute they make no difference.
QUICK_TRIES = 8


def first_answer_within(port, seconds):
    end = time.monotonic() + seconds
    turn = 0
    while time.monotonic() < end:
        turn += 1
        if wire.rcode_of(ask(port, f"back-{turn}.test")) == wire.NOERROR:
            return True
    return False


def outage(tmp_path, pki, cause, mend):
    """Load all the while; `cause` and `mend` act on the relay between."""
    with start_hostile(pki) as upstream, start_relay(upstream.port) as relay:
        config = {"workers": WORKERS, "upstream": {"query_timeout": "1s"}}
        with Proxy(tmp_path, pki, [relay.port], config) as proxy, Remote(Load, port=proxy.port) as load:
            pending = load.begin("run", seconds=GONE + 6, rate=RATE)
            wait_for(lambda: upstream.stats()["queries"] > RATE / 2, "the load flows")
            before, memory = proxy.descriptors(), proxy.resident_bytes()
            since = Since(proxy)
            cause(relay)
            time.sleep(GONE)  # the outage's length is what is tested
            tries = since.sum("upstream_connects_total")
            open_then = proxy.descriptors()
            mend(relay)
            begin = time.monotonic()
            assert first_answer_within(proxy.port, 2.0), "answers flow within 2 s of its return"
            back = time.monotonic() - begin
            report = pending.result()
            print(f"tried {tries:g} times in {GONE} s, back after {back:.2f} s; {report}")
            assert 2 <= tries <= WORKERS * (2 * GONE + (0 if LONG else QUICK_TRIES)), "under two a second and worker"
            assert report["lost"] == 0 and report["closed"] == 0 and report["unexpected"] == 0, report
            assert set(report["rcodes"]) <= {"0", "2"}, report
            assert report["rcodes"]["0"] > RATE * 3, report
            assert open_then <= before + 2 * WORKERS
            assert is_sanitized() or proxy.resident_bytes() - memory < 20e6


def test_it_refuses(tmp_path, pki):
    def cause(relay):
        relay.refuse()
        relay.close_all(reset=True)

    outage(tmp_path, pki, cause, lambda relay: relay.accept())


def test_it_accepts_and_says_nothing(tmp_path, pki):
    def cause(relay):
        relay.set_hang_new(hang=True)
        relay.hang_all()

    outage(tmp_path, pki, cause, lambda relay: relay.set_hang_new(hang=False))


def test_two_upstreams_gone_one_after_the_other(tmp_path, pki):
    with start_hostile(pki) as first, start_hostile(pki) as second:
        with Proxy(tmp_path, pki, [first.port, second.port]) as proxy, Remote(Load, port=proxy.port) as load:
            pending = load.begin("run", seconds=6, rate=RATE)
            wait_for(lambda: first.stats()["queries"] > 50, "the load flows")
            for upstream in (first, second, first):
                upstream.go()
                time.sleep(0.8)
                upstream.come_back()
                time.sleep(0.8)
            report = pending.result()
            assert report["lost"] == 0 and report["rcodes"] == {"0": report["sent"]}, report


def test_the_preferred_one_gets_its_place_back(tmp_path, pki):
    with start_hostile(pki) as first, start_hostile(pki) as second:
        with Proxy(tmp_path, pki, [first.port, second.port]) as proxy:
            assert wire.rcode_of(ask(proxy.port, "one.test")) == wire.NOERROR
            assert first.queries(containing="one.test")
            first.go()
            assert wire.rcode_of(ask(proxy.port, "two.test")) == wire.NOERROR
            assert second.queries(containing="two.test")
            first.come_back()
            turn = iter(range(1000000))

            def back():
                name = f"three-{next(turn)}.test"
                assert wire.rcode_of(ask(proxy.port, name)) == wire.NOERROR
                time.sleep(0.05)
                return first.queries(containing=name)

            wait_for(back, "the first upstream is preferred again", 15)
