"""A cached answer is the upstream's: with what time took off its TTLs, and each client's own id, spelling and EDNS."""
import math
import time

import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest
import wire
from dnsclient import Client, ask
from dot_servers import kdig
from fickle import ASKED_AD, ASKED_CD, ASKED_DO, ASKED_RD, flags_of, number_of, start_fickle
from figures import Figures, Since, assert_asked
from process import wait_for
from proxy import Proxy

CONFIG = {"prefetch": {"top": 0}, "upstream": {"hedge": 0}}  # so that upstream is asked where a client asks


@pytest.fixture(scope="module", name="upstream")
def _upstream(pki):
    with start_fickle(pki) as upstream:
        yield upstream


@pytest.fixture(scope="module", name="proxy")
def _proxy(pki, module_path, upstream):
    with Proxy(module_path, pki, [upstream.port], CONFIG) as proxy:
        yield proxy


def ttls(answer):
    return [ttl for _, kind, _, ttl, _, _ in wire.records(answer) if kind != wire.TYPES["OPT"]]


def timed(port, name, **parts):
    """(answer, before it was asked for, when it was there)"""
    before = time.monotonic()
    answer = ask(port, name, **parts)
    return answer, before, time.monotonic()


# ---- what a hit is ----


def test_a_second_ask_is_answered_from_the_cache(proxy, upstream):
    upstream.tell(name="twice.test")
    since = Since(proxy)
    first, second = ask(proxy.port, "twice.test", number=1), ask(proxy.port, "twice.test", number=1)
    assert wire.without_hop(first) == wire.without_hop(second)
    assert_asked(proxy, upstream, "twice.test", 1)
    wait_for(lambda: since.answered("cache") == 1, "one answer from the cache")
    assert since.answered("upstream") == 1
    assert since.sum("cache_hits_total") == 1 and since.sum("cache_misses_total") == 1


def test_every_ttl_counts_down_second_by_second(proxy, upstream):
    upstream.tell(name="down.test", ttls=[300, 3600], extra_ttl=86400)
    _, asked, kept = timed(proxy.port, "down.test")
    seen = []

    def gone_two_seconds():
        answer, before, after = timed(proxy.port, "down.test")
        told = sorted(ttls(answer))  # the records of a set are given in turn
        passed = 300 - told[0]
        # Between its least and its largest age; the program's clock may be a little behind ours.
        assert math.floor(before - kept - 0.1) <= passed <= math.floor(after - asked + 0.1)
        assert told == [300 - passed, 3600 - passed, 86400 - passed]
        seen.append(passed)
        return passed == 2

    wait_for(gone_two_seconds, "the TTL is 2 s less")
    assert sorted(set(seen)) == [0, 1, 2] and seen == sorted(seen)
    assert_asked(proxy, upstream, "down.test", 1)


def test_id_and_spelling_are_each_clients_own(proxy, upstream):
    upstream.tell(name="spelt.example.test")
    with Client(proxy.port) as client:
        for number, spelling in enumerate(["spelt.example.test", "SPELT.EXAMPLE.TEST", "sPeLt.eXaMpLe.tEsT"] * 2, 7):
            message = wire.query(spelling, number=number)
            answer = client.ask(message)
            assert wire.number_of(answer) == number
            assert answer[12:wire.question_end(answer)] == message[12:]
    assert_asked(proxy, upstream, "spelt.example.test", 1)


def test_opt_only_where_it_was_asked_for(proxy, upstream):
    upstream.tell(name="opt.test")
    for _ in range(2):
        plain, with_opt = ask(proxy.port, "opt.test"), ask(proxy.port, "opt.test", additional=[wire.opt()])
        assert wire.opt_of(plain) is None
        assert wire.opt_of(with_opt) is not None and not wire.opt_of(with_opt)[1] & wire.DO
        assert wire.without_hop(plain) == wire.without_hop(with_opt), "the same entry"
    assert_asked(proxy, upstream, "opt.test", 1)


def test_do_cd_ad_and_rd_are_entries_of_their_own(proxy, upstream):
    upstream.tell(name="flags.test")
    variants = {
        ASKED_RD: {"flags": wire.RD},
        ASKED_RD | ASKED_AD: {"flags": wire.RD | wire.AD},
        ASKED_RD | ASKED_CD: {"flags": wire.RD | wire.CD},
        ASKED_RD | ASKED_DO: {"flags": wire.RD, "additional": [wire.opt(flags=wire.DO)]},
        ASKED_RD | ASKED_CD | ASKED_DO: {"flags": wire.RD | wire.CD, "additional": [wire.opt(flags=wire.DO)]},
        0: {"flags": 0},
    }
    first = {asked: ask(proxy.port, "flags.test", **how) for asked, how in variants.items()}
    again = {asked: ask(proxy.port, "flags.test", **how) for asked, how in variants.items()}
    for asked in variants:
        assert flags_of(first[asked]) == flags_of(again[asked]) == asked
        assert number_of(first[asked]) == number_of(again[asked])
    assert_asked(proxy, upstream, "flags.test", len(variants))


def test_types_are_entries_of_their_own(proxy, upstream):
    for _ in range(2):
        for qtype in ("A", "AAAA", "TXT"):
            kinds = [kind for _, kind, *_ in wire.records(ask(proxy.port, "types-1.test", qtype))]
            assert kinds == [wire.TYPES[qtype]]
    assert_asked(proxy, upstream, "types-1.test", 3)


def test_dnspython_and_kdig_read_it(proxy, upstream):
    upstream.tell(name="tools.test")
    for _ in range(2):
        query = dns.message.make_query("tools.test", "A", want_dnssec=True)
        answer = dns.query.tcp(query, "127.0.0.1", port=proxy.port, timeout=5)
        assert answer.rcode() == dns.rcode.NOERROR and answer.answer[0].ttl <= 300 and answer.flags & dns.flags.RA
        text = kdig("@127.0.0.1", "-p", proxy.port, "+tcp", "+noall", "+answer", "tools.test")
        assert text.split()[2:4] == ["IN", "A"] and text.split()[4].startswith("10.3."), "asked with AD, as kdig does"
    assert_asked(proxy, upstream, "tools.test", 2)


# ---- how long each answer is kept ----

#: name -> (how the upstream treats it, seconds it is kept). What would be kept by another rule would be for far longer.
KEPT_A_SECOND = {
    "ttl-1": {"ttls": [1]},
    "least-of-answers": {"ttls": [300, 1, 600]},
    "least-of-additional": {"ttls": [300], "extra_ttl": 1},
    "nxdomain-by-minimum": {"rcode": wire.NXDOMAIN, "soa": [300, 1]},
    "nxdomain-by-ttl-of-soa": {"rcode": wire.NXDOMAIN, "soa": [1, 300]},
    "no-data-by-minimum": {"soa": [300, 1]},
    "no-data-by-ttl-of-soa": {"soa": [1, 300]},
}
LAST_TENTH = 0.9  # of its lifetime: from then on an ask fetches it anew


def ages_when_fetched_anew(proxy, names):
    """Name -> how old its answer was, at the least, when a new one took its place. All are asked for again and
    again."""
    asked, numbers, ages = {}, {}, {}
    for name in names:
        answer, asked[name], _ = timed(proxy.port, name)
        numbers[name] = number_of(answer)

    def all_were():
        for name in asked.keys() - ages.keys():
            if number_of(ask(proxy.port, name)) != numbers[name]:
                ages[name] = time.monotonic() - asked[name]
        return len(ages) == len(asked)

    wait_for(all_were, f"new answers for all of {names}", 8)
    return ages


def tell_all(upstream, prefix, ways):
    names = {way: f"{prefix}-{way}.test" for way in ways}
    for way, name in names.items():
        upstream.tell(name=name, **ways[way])
    return names


def test_lifetimes_are_those_of_the_messages(proxy, upstream):
    names = tell_all(upstream, "life", KEPT_A_SECOND)
    ages = ages_when_fetched_anew(proxy, names.values())
    for way, name in names.items():
        assert ages[name] >= LAST_TENTH, way


def test_max_ttl_bounds_all(tmp_path, pki, upstream):
    names = tell_all(upstream, "max", {"positive": {}, "negative": {"soa": [300, 300]}})
    config = {"cache": {"max_ttl": "1s"}, **CONFIG}
    with Proxy(tmp_path, pki, [upstream.port], config) as proxy:
        ages = ages_when_fetched_anew(proxy, names.values())
    assert min(ages.values()) >= LAST_TENTH


def test_negative_max_ttl_bounds_the_negative_ones(tmp_path, pki, upstream):
    upstream.tell(name="negative-max-positive.test")
    ways = {"nxdomain": {"rcode": wire.NXDOMAIN, "soa": [300, 300]}, "no-data": {"soa": [300, 300]}}
    names = tell_all(upstream, "negative-max", ways)
    config = {"cache": {"negative_max_ttl": "1s"}, **CONFIG}
    with Proxy(tmp_path, pki, [upstream.port], config) as proxy:
        ask(proxy.port, "negative-max-positive.test")
        ages = ages_when_fetched_anew(proxy, names.values())
        ask(proxy.port, "negative-max-positive.test")
        assert_asked(proxy, upstream, "negative-max-positive.test", 1)
    assert min(ages.values()) >= LAST_TENTH


def test_min_ttl_keeps_what_would_not_be_kept(tmp_path, pki, upstream):
    names = tell_all(upstream, "min", {"zero": {"ttls": [0]}, "negative": {"soa": [300, 0]}})
    config = {"cache": {"min_ttl": "1s"}, **CONFIG}
    with Proxy(tmp_path, pki, [upstream.port], config) as proxy:
        ages = ages_when_fetched_anew(proxy, names.values())
    assert min(ages.values()) >= LAST_TENTH


def assert_told_and_counted_down(proxy, name, expected):
    """Whoever asks first is told these TTLs; who asks later so much less, and never more than the entry has left. The
    records of a set are given in turn, so their TTLs are compared without their order.
    """
    expected = sorted(expected)
    answer, asked, kept = timed(proxy.port, name)
    assert sorted(ttls(answer)) == expected

    def counted_down():
        answer, before, after = timed(proxy.port, name)
        told = sorted(ttls(answer))
        passed = expected[-1] - told[-1]
        assert math.floor(before - kept - 0.1) <= passed <= math.floor(after - asked + 0.1)
        assert told == [max(0, ttl - passed) for ttl in expected]
        return passed == 1

    wait_for(counted_down, "the TTLs are 1 s less")


def test_min_ttl_raises_what_clients_are_told(tmp_path, pki, upstream):
    upstream.tell(name="told-min.test", ttls=[0, 7, 300], extra_ttl=5)
    upstream.tell(name="told-min-negative.test", soa=[300, 0])
    config = {"cache": {"min_ttl": "30s"}, **CONFIG}
    with Proxy(tmp_path, pki, [upstream.port], config) as proxy:
        assert_told_and_counted_down(proxy, "told-min.test", [30, 30, 300, 30])
        assert_told_and_counted_down(proxy, "told-min-negative.test", [30])
        assert_asked(proxy, upstream, "told-min.test", 1)
        assert_asked(proxy, upstream, "told-min-negative.test", 1)


def test_max_ttls_lower_what_clients_are_told(tmp_path, pki, upstream):
    upstream.tell(name="told-max.test", ttls=[86400, 20], extra_ttl=61)
    upstream.tell(name="told-max-nxdomain.test", rcode=wire.NXDOMAIN, soa=[7200, 7200])
    upstream.tell(name="told-max-by-minimum.test", soa=[300, 5])
    config = {"cache": {"max_ttl": "60s", "negative_max_ttl": "10s"}, **CONFIG}
    with Proxy(tmp_path, pki, [upstream.port], config) as proxy:
        assert_told_and_counted_down(proxy, "told-max.test", [60, 20, 60])
        assert_told_and_counted_down(proxy, "told-max-nxdomain.test", [10])
        assert_told_and_counted_down(proxy, "told-max-by-minimum.test", [5])


@pytest.mark.parametrize("rcode", [wire.SERVFAIL, wire.REFUSED, wire.NOTIMP])
def test_a_failure_is_asked_again_after_a_second_and_not_before(proxy, upstream, rcode):
    name = f"fails-{rcode}.test"
    upstream.tell(name=name, rcode=rcode)
    _, asked, _ = timed(proxy.port, name)

    def asked_again():
        assert wire.rcode_of(ask(proxy.port, name)) != wire.NOERROR
        return upstream.asked(name=name) > 1 + Figures(proxy).sum("upstream_retries_total")

    wait_for(asked_again, "upstream is asked again")
    assert time.monotonic() - asked >= 1.0
    upstream.tell(name=name)
    wait_for(lambda: wire.rcode_of(ask(proxy.port, name)) == wire.NOERROR, "its end is seen", 6)


def test_a_ttl_above_all_bounds_is_the_greatest(proxy, upstream):
    """Above 2^31-1 (RFC 8767, 4)."""
    upstream.tell(name="ttl-above-all-bounds.test", ttls=[300, 0x80000000, 0xffffffff])
    assert sorted(ttls(ask(proxy.port, "ttl-above-all-bounds.test"))) == [300, 86400, 86400]


# ---- what is never kept ----

NEVER_KEPT = {
    "ttl-0": {"ttls": [0]},
    "one-ttl-0-of-two": {"ttls": [300, 0]},
    "nxdomain-without-soa": {"rcode": wire.NXDOMAIN},
    "no-data-without-soa": {"ttls": []},
    "no-data-with-minimum-0": {"soa": [300, 0]},
}


@pytest.mark.parametrize("way", NEVER_KEPT)
def test_never_kept(proxy, upstream, way):
    upstream.tell(name=f"never-{way}.test", **NEVER_KEPT[way])
    answers = [ask(proxy.port, f"never-{way}.test") for _ in range(3)]
    assert_asked(proxy, upstream, f"never-{way}.test", 3)
    expected = NEVER_KEPT[way].get("rcode", wire.NOERROR)
    assert [wire.rcode_of(answer) for answer in answers] == [expected] * 3


def test_what_does_not_match_is_never_kept(proxy, upstream):
    names = [f"{fault}-forgotten.test" for fault in ("wrongq", "wrongtype", "notreply", "broken")]
    for name in names:
        assert wire.rcode_of(ask(proxy.port, name)) == wire.SERVFAIL
        upstream.tell(name=name)
    for name in names:
        wait_for(lambda: wire.rcode_of(ask(proxy.port, name)) == wire.NOERROR, f"{name}, once it is answered rightly",
                 5)
    assert [number_of(ask(proxy.port, name)) for name in names]


# ---- memory ----


def test_max_size_0_keeps_nothing(tmp_path, pki, upstream):
    upstream.tell(name="off.test")
    with Proxy(tmp_path, pki, [upstream.port], {"cache": {"max_size": 0}, **CONFIG}) as proxy:
        since = Since(proxy)
        numbers = [number_of(ask(proxy.port, "off.test")) for _ in range(4)]
        assert numbers == sorted(set(numbers)), "a new one each time"
        assert since.sum("cache_hits_total") == 0 and since.sum("cache_misses_total") == 4
        assert since.sum("cache_entries") == 0 and since.sum("cache_bytes") == 0


def test_a_full_cache_gives_way_and_goes_on(tmp_path, pki, upstream):
    with Proxy(tmp_path, pki, [upstream.port], {"cache": {"max_size": "256KiB"}, **CONFIG}) as proxy:
        since = Since(proxy)
        with Client(proxy.port) as client:
            for number in range(500):
                answer = client.ask(wire.query(f"big-4096-{number}.test", "TXT"))
                assert wire.rcode_of(answer) == wire.NOERROR and len(answer) > 4096
            assert len(client.ask(wire.query("big-4096-499.test", "TXT"))) > 4096
        assert_asked(proxy, upstream, "big-4096-499.test", 1)
        assert since.sum("cache_evictions_total") > 400
        assert since.sum("cache_bytes") <= 256 * 1024
