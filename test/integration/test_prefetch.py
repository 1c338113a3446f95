"""The names asked most are always ready: fetched anew before they end, in the background, within bounds."""
import os
import time

import pytest
import wire
from dnsclient import Client, ask
from fickle import number_of, start_fickle
from figures import Since, assert_asked, top_names
from hostile import start_hostile
from load import Load
from process import wait_for
from proxy import Proxy, is_sanitized
from relay import start_relay
from remote import Remote

LONG = os.environ.get("LONG") == "1"
ONE_OFF_NAMES = 100000 if LONG else 2000
RATE = 300 if is_sanitized() else 1000  # of one-off names a second
HOT = 10
TTLS = 20 if LONG else 2  # of silence
FAR_S = 0.04  # each way
STEADY_S = 300 if LONG else 8
FLOOR_PER_S = 10  # speculative refreshes that are always allowed
BURST = 50


@pytest.fixture(scope="module", name="upstream")
def _upstream(pki):
    with start_fickle(pki) as upstream:
        yield upstream


@pytest.fixture(name="fresh")
def _fresh(pki):
    """An upstream that has seen nothing yet."""
    with start_hostile(pki) as upstream:
        yield upstream


def ask_often(proxy, names, times):
    """As one client, and all answered."""
    with Client(proxy.port) as client:
        for number in range(times):
            for name in names:
                assert wire.rcode_of(client.ask(wire.query(name, number=number))) == wire.NOERROR


def asked(upstream, name):
    return upstream.queries(containing=name).get(name, 0)


def test_asked_fifty_times_then_silence(tmp_path, pki, upstream):
    """TTL 3. The answers are numbered, so that a client sees that it gets what was fetched meanwhile."""
    upstream.tell(name="fifty.test", ttls=[3])
    with Proxy(tmp_path, pki, [upstream.port]) as proxy:
        ask_often(proxy, ["fifty.test"], 50)
        since = Since(proxy)
        first = upstream.asked(name="fifty.test")
        begin = time.monotonic()
        wait_for(lambda: upstream.asked(name="fifty.test") >= first + TTLS, "fetched anew every TTL", 3 * TTLS + 2)
        assert time.monotonic() - begin > (TTLS - 1) * 3 / 2, "not more often than twice a TTL"
        wait_for(lambda: since.sum("prefetch_total", result="refreshed") >= TTLS, "refreshes are counted")
        assert since.sum("queries_total") == 0, "no client asked"
        assert number_of(ask(proxy.port, "fifty.test")) >= first + TTLS
        assert since.sum("cache_hits_total") == 1 and since.sum("cache_misses_total") == 0


def test_one_off_names_push_nothing_out_and_no_client_of_a_top_name_waits(tmp_path, pki, fresh):
    """While many names are asked for once, through a cache that holds a small part of them."""
    names = [f"ttl-3-hot{number}.test" for number in range(HOT)]
    config = {"cache": {"max_size": "64KiB"}}
    with Proxy(tmp_path, pki, [fresh.port], config) as proxy:
        ask_often(proxy, names, 50)
        since = Since(proxy)
        before = fresh.queries(containing="hot")
        seconds = ONE_OFF_NAMES / RATE + 3
        with Remote(Load, port=proxy.port, prefixes=["ttl-3-hot"], names=HOT) as clients:
            with Remote(Load, port=proxy.port, prefixes=["once-"]) as scan:
                asking = clients.begin("run", seconds=seconds, rate=100, connections=4)
                scanned = scan.run(seconds=ONE_OFF_NAMES / RATE, rate=RATE)
                report = asking.result()
        for each in (report, scanned):
            assert each["lost"] == 0 and each["rcodes"] == {"0": each["sent"]}, each
        assert since.sum("cache_evictions_total") > 1000 and scanned["sent"] > ONE_OFF_NAMES * 0.9
        assert since.sum("cache_misses_total") == scanned["sent"], "each name asked once, and no other"
        assert since.answered("upstream") == scanned["sent"], "no client of a hot name waited"
        assert since.answered("cache") == report["sent"]
        for name in names:
            assert asked(fresh, name) - before[name] >= seconds / 3 - 1, f"{name} was fetched anew all the time"
        assert set(names) <= set(top_names(proxy))


def test_no_client_of_a_top_name_waits_for_an_upstream_far_away(tmp_path, pki, fresh):
    """Fifty names that end every three seconds, asked steadily; each refresh takes 80 ms."""
    names = [f"ttl-3-far{number}.test" for number in range(50)]
    with start_relay(fresh.port) as relay, Proxy(tmp_path, pki, [relay.port]) as proxy:
        relay.set_delay(seconds=FAR_S)
        with Remote(Load, port=proxy.port, prefixes=["ttl-3-far"], names=len(names)) as load:
            load.run(seconds=2, rate=200, connections=4)
        since = Since(proxy)
        before = fresh.queries(containing="far")
        with Remote(Load, port=proxy.port, prefixes=["ttl-3-far"], names=len(names)) as load:
            report = load.run(seconds=STEADY_S, rate=200, connections=4)
        print({key: report[key] for key in ("sent", "p50_ms", "p99_ms", "max_ms")})
        assert report["lost"] == 0 and report["rcodes"] == {"0": report["sent"]}, report
        assert since.answered("cache") == report["sent"] >= 0.95 * 200 * STEADY_S
        assert since.answered("upstream") == since.answered("stale") == since.sum("cache_misses_total") == 0
        for name in names:
            assert asked(fresh, name) - before[name] >= STEADY_S / 3 - 1, f"{name} was fetched anew all the time"
        at_once = since.sum("request_duration_seconds_bucket", source="cache", le="0.05")
        assert at_once == report["sent"] or not LONG or is_sanitized(), "none took what a question to upstream takes"


def test_refreshes_nobody_asked_for_are_bounded(tmp_path, pki, fresh):
    """A hundred names that would want fifty refreshes a second."""
    names = [f"ttl-3-many{number}.test" for number in range(100)]
    with Proxy(tmp_path, pki, [fresh.port]) as proxy:
        ask_often(proxy, names, 3)
        since = Since(proxy)
        begin = time.monotonic()
        wait_for(lambda: since.sum("prefetch_total", result="over_share") > 50, "more are due than may be made", 20)
        made = since.sum("prefetch_total", result="refreshed") + since.sum("prefetch_total", result="failed")
        # the first refresh of each takes the place of a client's question
        assert 0 < made <= len(names) + BURST + FLOOR_PER_S * (time.monotonic() - begin) + 1


def test_a_name_that_is_asked_no_more_falls_out(tmp_path, pki, upstream):
    upstream.tell(name="forgotten.test", ttls=[1])
    with Proxy(tmp_path, pki, [upstream.port], {"prefetch": {"half_life": "1s"}}) as proxy:
        ask_often(proxy, ["forgotten.test"], 6)
        assert list(top_names(proxy)) == ["forgotten.test"]
        wait_for(lambda: not top_names(proxy), "it has sunk below all others", 10)
        count = upstream.asked(name="forgotten.test")
        assert count > 1, "it was kept ready till then"
        time.sleep(1.5)  # longer than its TTL, in which it would have been asked again, twice
        assert upstream.asked(name="forgotten.test") <= count + 1


def test_an_ask_near_the_end_of_any_name_fetches_it_anew(tmp_path, pki, upstream):
    """Also without the top; and whoever asks so gets the old answer, at once."""
    upstream.tell(name="near.test", ttls=[2])
    with Proxy(tmp_path, pki, [upstream.port], {"prefetch": {"top": 0}}) as proxy:
        ask(proxy.port, "near.test")
        since = Since(proxy)
        upstream.tell(name="near.test", ttls=[300], delay=0.2)
        wait_for(lambda: number_of(ask(proxy.port, "near.test")) > 1, "the new answer", 5)
        assert_asked(proxy, upstream, "near.test", 2)
        assert since.sum("cache_misses_total") == 0 and since.answered("upstream") == 0


def test_names_that_are_never_kept_are_not_kept_ready(tmp_path, pki, upstream):
    """An answer that may not be cached helps no client, so nothing is asked for it in the background."""
    upstream.tell(name="zero.test", ttls=[1])
    with Proxy(tmp_path, pki, [upstream.port]) as proxy:
        ask_often(proxy, ["zero.test"], 20)
        upstream.tell(name="zero.test", ttls=[0])
        count = upstream.asked(name="zero.test")
        wait_for(lambda: upstream.asked(name="zero.test") > count, "its next answer has TTL 0")
        count = upstream.asked(name="zero.test")
        time.sleep(2.2)  # it would be due every second
        assert upstream.asked(name="zero.test") <= count + 1


def test_switched_off_or_without_a_cache_nothing_is_kept_ready(tmp_path, pki, upstream):
    switched_off = {"prefetch": {"top": 0}}
    no_cache = {"cache": {"max_size": 0}}
    for name in ("off.top.test", "nowhere.top.test"):
        upstream.tell(name=name, ttls=[1])
    with Proxy(tmp_path, pki, [upstream.port], switched_off, name="off") as off:
        with Proxy(tmp_path, pki, [upstream.port], no_cache, name="nowhere") as nowhere:
            ask_often(off, ["off.top.test"], 20)
            ask_often(nowhere, ["nowhere.top.test"], 20)
            time.sleep(1.5)  # longer than their TTL, within which it would have been asked again, twice
            assert_asked(off, upstream, "off.top.test", 1)
            assert_asked(nowhere, upstream, "nowhere.top.test", 20)
            assert top_names(off) == {}


def test_a_refresh_that_failed_is_tried_again(tmp_path, pki, upstream):
    """Until it is answered, with nobody asking meanwhile."""
    upstream.tell(name="again.test", ttls=[1])
    with Proxy(tmp_path, pki, [upstream.port]) as proxy:
        ask_often(proxy, ["again.test"], 10)
        since = Since(proxy)
        upstream.tell(name="again.test", rcode=wire.SERVFAIL)
        failed = upstream.asked(name="again.test") + 2
        wait_for(lambda: upstream.asked(name="again.test") >= failed, "it is tried again")
        upstream.tell(name="again.test", ttls=[300])
        wait_for(lambda: upstream.asked(name="again.test") > failed, "and again")
        wait_for(lambda: number_of(ask(proxy.port, "again.test")) > failed, "the answer is there")
        assert since.answered("upstream") == 0
