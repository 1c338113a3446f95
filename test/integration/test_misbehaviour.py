"""Upstreams that work and do not answer in time: silent behind their TLS or before it, one answer and then silence, one
answer at a time. No client may notice more than the bound says.
"""
import time

import wire
from dnsclient import Client, ask
from misbehaviour import EXACT, ROOM_MS, asked_evenly, below, burst, each, proxy_before, warm_up
from process import wait_for

# ---- silent ----

SILENT = {"silent": True}
ONE_ANSWER = {"answers_max": 1, "end": "silent"}

#: servers before the last, which is healthy
NEVER_ANSWER = [
    {"before": [SILENT], "rate": 20, "workers": 2},
    {"before": [SILENT], "rate": 20, "workers": 1},
    {"before": [SILENT], "rate": 1, "workers": 1},
    {"before": [SILENT], "rate": 1, "workers": 2},
    {"before": [{"handshake": None}], "rate": 20, "workers": 1},
    {"before": [{"handshake": None}], "rate": 1, "workers": 1},
    {"before": [{"handshake": 1.0}, SILENT], "rate": 20, "workers": 1},
    {"before": [SILENT, SILENT], "rate": 20, "workers": 1},
    {"before": [SILENT, {"flood": "frames"}], "rate": 20, "workers": 1},
    {"before": [SILENT, {"end": "close", "answers_max": 1, "treat": "garbage"}], "rate": 20, "workers": 1},
    {"before": [ONE_ANSWER, SILENT], "rate": 20, "workers": 1, "count": 300},  # the first one of them finds out
]


def test_the_first_upstreams_never_answer(tmp_path, pki):
    def check(folder, pki, before, rate, workers, count=100):
        with proxy_before(folder, pki, *before, {}, config={"workers": workers}) as (proxy, servers):
            time.sleep(3)  # the bound holds from then on
            for server in servers:
                server.forget()
            took = []
            for i in range(count if rate > 1 else 6):
                begin = time.monotonic()
                assert wire.rcode_of(ask(proxy.port, f"silent-{i}.test")) == wire.NOERROR
                took.append((time.monotonic() - begin) * 1000)
                time.sleep(1 / rate)
            if before == [SILENT]:
                assert not servers[0].queries(containing="silent-"), "no client's question is used to find out"
                assert servers[-1].queries(containing="silent-")
            return below(took, p90=100, p99=100)

    each(tmp_path, pki, NEVER_ANSWER, check)


def test_it_is_used_again_when_it_answers(tmp_path, pki):
    def check(folder, pki, how):
        with proxy_before(folder, pki, how, {}) as (proxy, (first, _)):
            assert wire.rcode_of(ask(proxy.port, "before.test")) == wire.NOERROR
            first.behave()
            turn = iter(range(100000))

            def is_used():
                name = f"after-{next(turn)}.test"
                assert wire.rcode_of(ask(proxy.port, name)) == wire.NOERROR
                time.sleep(0.05)
                return first.queries(containing=name)

            wait_for(is_used, "the first upstream is preferred again", 20)

    each(tmp_path, pki, [{"how": SILENT}, {"how": {"handshake": None}}, {"how": {"flood": "frames"}},
                         {"how": {"treat": "wrongid"}}], check)


def test_after_a_hedge_the_silent_connection_is_avoided(tmp_path, pki):
    """A client alone, whose upstream connection is dropped without a word, also after a long idle time."""
    def check(folder, pki, serial, idle):
        with proxy_before(folder, pki, {"serial": serial}) as (proxy, (upstream,)), Client(proxy.port) as client:
            took = []
            for i in range(8):
                if i == 4:
                    time.sleep(idle)
                    upstream.silence_all()
                begin = time.monotonic()
                assert wire.rcode_of(client.ask(wire.query(f"alone-{i}.test"))) == wire.NOERROR
                took.append((time.monotonic() - begin) * 1000)
            return f"{below(took, most=500)}; then {below(took[5:], most=100)}"

    each(tmp_path, pki, [{"serial": serial, "idle": idle} for serial in (False, True) for idle in (0, 3, 7)], check)


# ---- some answers, then silence ----


def test_some_answers_and_then_silence(tmp_path, pki):
    """With a healthy second one, none, or one of the same kind."""
    def check(folder, pki, answers, count, second):
        how = {"answers_max": answers, "end": "silent"}
        behaviours = {"healthy": [how, {}], "none": [how], "same": [how, how], "serial": [how, {"serial": True}]}
        with proxy_before(folder, pki, *behaviours[second]) as (proxy, _):
            assert wire.rcode_of(ask(proxy.port, "first.test")) == wire.NOERROR
            took = burst(proxy.port, [f"burst-{i}.test" for i in range(count)])
            return below(took.values(), most=500 if second in ("healthy", "serial") else 2000)

    cases = [{"answers": answers, "count": count, "second": second}
             for answers in (1, 2, 5) for count in (2, 10, 50) for second in ("healthy", "none")]
    cases += [{"answers": answers, "count": 50, "second": second}
              for answers in (1, 3, 17) for second in ("same", "serial", "healthy")]
    each(tmp_path, pki, cases, check)


# ---- one after another ----


def serial_case(folder, pki, how, slow_ms, asked, at, pause, second=None):
    """`asked` fast names, one every `pause` seconds, with slow ones at these places. Slow ones are answered, too, and
    asked at most three times of each upstream.
    """
    behaviours = [{"serial": True, **how}] + ([second] if second is not None else [])
    with proxy_before(folder, pki, *behaviours) as (proxy, servers):
        warm_up(proxy.port)
        names = [f"slow-{slow_ms}ms-{i}.test" if i in at else f"fast-{i}.test" for i in range(asked)]
        hopeless = {name for name in names if name.startswith("slow") and slow_ms > 4000}
        took = asked_evenly(proxy.port, names, pause, but=hopeless)
        text = below([ms for name, ms in took.items() if name.startswith("fast")], p90=60, p99=400)
        for server in servers:
            counts = server.queries(containing="slow")
            assert not counts or max(counts.values()) <= 3, counts
        return text


def test_slow_names_before_and_among_fast_ones(tmp_path, pki):
    long = 800 if EXACT else 200
    cases = [
        {"how": {}, "slow_ms": 2000, "asked": 51, "at": [0], "pause": 0.04},
        {"how": {}, "slow_ms": 1000, "asked": 51, "at": [0], "pause": 0.04},
        {"how": {}, "slow_ms": 3000, "asked": 101, "at": [0], "pause": 0.04},
        {"how": {}, "slow_ms": 9000, "asked": 101, "at": [0], "pause": 0.04},
        {"how": {}, "slow_ms": 2000, "asked": long, "at": list(range(50, long, 100)), "pause": 0.04},
        {"how": {}, "slow_ms": 300, "asked": long, "at": list(range(20, long, 40)), "pause": 0.04},
        {"how": {"delay": 0.01}, "slow_ms": 2000, "asked": 101, "at": [10], "pause": 0.04},
        {"how": {"answers_max": 20}, "slow_ms": 1500, "asked": 101, "at": [10], "pause": 0.04},
        {"how": {"record": 1}, "slow_ms": 1500, "asked": 101, "at": [10], "pause": 0.04},
        {"how": {}, "slow_ms": 2000, "asked": 101, "at": [10], "pause": 0.04, "second": {"serial": True}},
        {"how": {}, "slow_ms": 2000, "asked": 101, "at": [10], "pause": 0.04, "second": {}},
        {"how": {}, "slow_ms": 2000, "asked": 101, "at": [10], "pause": 0.04, "second": SILENT},
    ]
    each(tmp_path, pki, cases, serial_case)


def test_slow_names_in_a_burst(tmp_path, pki):
    def check(folder, pki, slow_ms, at):
        with proxy_before(folder, pki, {"serial": True}) as (proxy, (upstream,)):
            warm_up(proxy.port)
            names = [f"slow-{slow_ms}ms-{i}.test" if i in at else f"fast-{i}.test" for i in range(50)]
            took = burst(proxy.port, names)
            assert max(upstream.queries(containing="slow").values()) <= 3
            return below([ms for name, ms in took.items() if name.startswith("fast")], p90=300)

    each(tmp_path, pki, [{"slow_ms": 1000, "at": (10, 30)}, {"slow_ms": 2000, "at": (0,)},
                         {"slow_ms": 500, "at": (5, 15, 25)}], check)


# ---- nothing can be reached ----


def test_no_answer_is_waited_for_where_no_upstream_can_be_reached(tmp_path, pki):
    with proxy_before(tmp_path, pki, {}, {}) as (proxy, servers):
        assert wire.rcode_of(ask(proxy.port, "before.test")) == wire.NOERROR
        for server in servers:
            server.stop()
        time.sleep(3)
        ask(proxy.port, "finds-out.test")
        begin = time.monotonic()
        assert wire.rcode_of(ask(proxy.port, "down.test")) == wire.SERVFAIL
        assert time.monotonic() - begin < 0.2 + ROOM_MS / 1000
