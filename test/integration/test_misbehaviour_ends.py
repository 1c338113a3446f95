"""Upstreams that end sessions: after few answers, on one name, or because they cannot be reached; that read records in
part, that flood, and what comes of several such at once. No client may notice more than the bound says.
"""
import contextlib
import shutil
import time

import pytest
import wire
from dnsclient import Client, ask
from dot_servers import ZONE, start_nsd
from hostile import start_hostile
from load import Load
from misbehaviour import EXACT, ROOM_MS, asked_evenly, below, burst, each, loaded, part, proxy_before, warm_up
from misbehaving import Unreachable
from pki import SERVER_NAME
from process import wait_for
from proxy import Proxy
from remote import Remote

ENDS = ("close", "reset", "fin", "half", "noise")

# ---- few answers a connection ----


def test_it_ends_after_so_many_answers(tmp_path, pki):
    """None of 500 questions fails: at 125 a second, and in bursts. Where each second question needs a handshake, cases
    that run side by side would ask for more of them than a machine can do, and so ask less.
    """
    def check(folder, pki, answers, end, delay):
        with proxy_before(folder, pki, {"answers_max": answers, "end": end, "delay": delay}) as (proxy, _):
            few = answers <= 2 and not EXACT
            report = loaded(proxy, seconds=4, rate=25 if few else 125)
            for count in (2, 20 if few else 100):
                burst(proxy.port, [f"burst-{count}-{i}.test" for i in range(count)])
            return f"p99 {report['p99_ms']:.1f} ms"

    cases = [{"answers": answers, "end": end, "delay": 0.0} for answers in (1, 2, 3, 20, 100) for end in ENDS]
    cases += [{"answers": answers, "end": "close", "delay": 0.02} for answers in (1, 3, 20)]
    each(tmp_path, pki, cases, check)


def test_the_first_drops_syn_and_the_seconds_connections_end(tmp_path, pki):
    """As quick as the second alone: under load, and at a question a second."""
    def took(folder, pki, answers, first, rate):
        folder.mkdir()
        with proxy_before(folder, pki, {"answers_max": answers}, first=first) as (proxy, _):
            assert wire.rcode_of(ask(proxy.port, "warm.test")) == wire.NOERROR
            names = [f"n{i}.test" for i in range(3 * rate if rate > 1 else 6)]
            return list(asked_evenly(proxy.port, names, 1 / rate).values())

    def check(folder, pki, answers, rate):
        alone = took(folder / "alone", pki, answers, [], rate)
        with Unreachable() as unreachable:
            second = took(folder / "second", pki, answers, [unreachable.port], rate)
        share = 0.99 if rate > 1 else 0.7
        text = f"{part(second, share):.1f} ms, alone {part(alone, share):.1f} ms"
        assert part(second, share) < part(alone, share) + 10 + ROOM_MS / 2, text
        return text

    cases = [{"answers": answers, "rate": 100 if EXACT or answers > 2 else 25} for answers in (1, 2, 5, 20, 50)]
    each(tmp_path, pki, cases + [{"answers": answers, "rate": 1} for answers in (1, 2, 20)], check)


# ---- records read in part ----


def test_it_reads_the_first_message_of_a_record(tmp_path, pki):
    """One delay at most until that is known."""
    def check(folder, pki, count, how):
        with proxy_before(folder, pki, {"first_of_record": True, **how}) as (proxy, _):
            first = burst(proxy.port, [f"first-{i}.test" for i in range(count)])
            text = below(first.values(), most=1200)
            time.sleep(0.2)
            for turn in range(3):
                again = burst(proxy.port, [f"again-{turn}-{i}.test" for i in range(count)])
                text += "; " + below(again.values(), most=100)
            return text

    each(tmp_path, pki, [{"count": count, "how": how} for count in (2, 3, 10, 50)
                         for how in ({}, {"delay": 0.01}, {"serial": True})], check)


def test_it_reads_the_first_message_of_a_record_under_load(tmp_path, pki):
    """Some of each second's questions share a record, and its connection is never silent."""
    def check(folder, pki, rate, how):
        with proxy_before(folder, pki, {"first_of_record": True, **how}) as (proxy, _):
            report = loaded(proxy, seconds=4, rate=rate)
            assert report["max_ms"] < 1200 + ROOM_MS, report
            return f"p99 {report['p99_ms']:.1f} ms, most {report['max_ms']:.1f} ms"

    each(tmp_path, pki, [{"rate": rate, "how": how} for rate in (100, 1000 if EXACT else 300)
                         for how in ({}, {"delay": 0.01})], check)


#: Fifty questions that each of the zone's servers answers NOERROR.
IN_ZONE = [(f"{name}.{ZONE}", qtype) for qtype in ("A", "AAAA", "MX", "TXT", "SRV")
           for name in ("a", "many", "aaaa", "alias", "mail", "text", "long", "sub.a", "ns", "mixed")]


def burst_in_zone(port, questions):
    """Milliseconds until the last of the questions, asked at once, was answered NOERROR."""
    with Client(port, timeout=8.0) as client:
        begin = time.monotonic()
        client.send(*(wire.query(name, qtype, number=i) for i, (name, qtype) in enumerate(questions)))
        left = set(range(len(questions)))
        while left:
            answer = client.receive()
            assert wire.rcode_of(answer) == wire.NOERROR
            left.remove(wire.number_of(answer))
        return (time.monotonic() - begin) * 1000


def messages_read_of_a_record(port, ca_file):
    """How many of three messages in one TLS record the server answers at once."""
    with Client.over_tls(port, ca_file, SERVER_NAME) as client:
        client.send(*(wire.query(f"a.{ZONE}", number=i) for i in range(3)))
        client.socket.settimeout(0.5)
        answers = 0
        with contextlib.suppress(TimeoutError):
            while answers < 3 and client.receive():
                answers += 1
        return answers


@pytest.mark.skipif(not shutil.which("nsd"), reason="nsd is not installed")
def test_nsd_as_packaged(tmp_path, pki):
    """NSD 4.6 reads the first message of a record only. One delay at most for each upstream, until that is known."""
    def check(folder, pki, count, upstreams):
        with contextlib.ExitStack() as stack:
            servers = [stack.enter_context(start_nsd(pki, folder)) for _ in range(upstreams)]
            config = {"workers": 1, "cache": {"max_ttl": "0s", "negative_max_ttl": "0s"}}
            proxy = stack.enter_context(Proxy(folder, pki, [server.port for server in servers], config))
            took = [burst_in_zone(proxy.port, IN_ZONE[:count]) for _ in range(5)]
            delayed = [ms for ms in took if ms > 100 + ROOM_MS]
            read = messages_read_of_a_record(servers[0].port, pki.ca_file)
            text = f"{read} of 3 messages of a record are read; bursts took {', '.join(f'{ms:.1f}' for ms in took)} ms"
            assert len(delayed) <= upstreams and max(took) < 1200 + ROOM_MS, text
            return text

    each(tmp_path, pki, [{"count": count, "upstreams": upstreams} for count in (2, 3, 10, 50) for upstreams in (1, 2)],
         check)


# ---- one name spoils its connection ----

POISON = (*ENDS, "notreply", "echo", "wrongid", "garbage", "short")


def test_a_name_that_ends_connections(tmp_path, pki):
    def check(folder, pki, fault, count):
        config = {"upstream": {"query_timeout": "2s"}}
        with proxy_before(folder, pki, {"delay": 0.02}, config=config) as (proxy, (upstream,)):
            assert wire.rcode_of(ask(proxy.port, "warm.test")) == wire.NOERROR
            with Remote(Load, port=proxy.port) as load:
                upstream.forget()
                pending = load.begin("run", seconds=3, rate=100, connections=5)
                time.sleep(0.5)
                before = upstream.stats()["connections"]
                with Client(proxy.port) as client:
                    client.send(*(wire.query(f"{fault}-poison-{i}.test", number=i) for i in range(count)))
                    for _ in range(count):
                        assert wire.rcode_of(client.receive()) == wire.SERVFAIL
                report = pending.result()
            assert report["lost"] == 0 and report["rcodes"] == {"0": report["sent"]}, report
            assert report["p99_ms"] < 100 + ROOM_MS, report["p99_ms"]
            asked = upstream.queries(containing="poison")
            assert max(asked.values()) <= 6, asked
            made = upstream.stats()["connections"] - before
            assert made <= 7 * count + 8, made
            return f"p99 {report['p99_ms']:.1f} ms, asked {max(asked.values())} times, {made} connections"

    each(tmp_path, pki, [{"fault": fault, "count": 1} for fault in POISON] +
                        [{"fault": fault, "count": 3} for fault in ("close", "garbage", "echo")], check)


def test_a_name_that_ends_the_firsts_connections_waits_for_the_second(tmp_path, pki):
    """The second was not needed so far, and its handshake takes longer than the first needs to end six connections."""
    def check(folder, pki, handshake, warm):
        with proxy_before(folder, pki, {}, {"honest": True, "handshake": handshake}) as (proxy, (first, _)):
            warm_up(proxy.port, warm)
            took = {}
            for fault in POISON:
                begin = time.monotonic()
                assert wire.rcode_of(ask(proxy.port, f"{fault}-poison.test")) == wire.NOERROR, fault
                took[fault] = (time.monotonic() - begin) * 1000
            asked = first.queries(containing="poison")
            assert max(asked.values()) <= 6, asked
            return below(took.values(), most=handshake * 1000 + 500)

    each(tmp_path, pki, [{"handshake": handshake, "warm": warm} for handshake in (0.0, 0.1, 0.3, 0.6, 1.0, 1.5)
                         for warm in (0, 10)], check)


# ---- floods ----

FLOODS = ("frames", "bytes", "length", "records")


def test_it_never_stops_sending(tmp_path, pki):
    """Cached answers within 50 ms, the sessions closed; with a second upstream the questions are answered, too."""
    def check(folder, pki, kind, workers, second):
        config = {"workers": workers}
        with proxy_before(folder, pki, {}, *([{}] if second else []), config=config) as (proxy, (upstream, *_)):
            for i in range(4):
                assert wire.rcode_of(ask(proxy.port, f"cached-{i}.test")) == wire.NOERROR
            upstream.behave(flood=kind)
            upstream.silence_all()
            with Client(proxy.port) as asking:
                for i in range(8):
                    asking.send(wire.query(f"flooded-{i}.test", number=i))
                    time.sleep(0.05)
                took = []
                for i in range(40):
                    begin = time.monotonic()
                    assert wire.rcode_of(ask(proxy.port, f"cached-{i % 4}.test")) == wire.NOERROR
                    took.append((time.monotonic() - begin) * 1000)
                    time.sleep(0.02)
                if second:
                    for _ in range(8):
                        assert wire.rcode_of(asking.receive()) == wire.NOERROR
            text = below(took, p90=50)
            wait_for(lambda: upstream.stats()["open"] <= 2 * workers, "sessions that flood are closed", 10)
            return text

    each(tmp_path, pki, [{"kind": kind, "workers": workers, "second": second} for kind in FLOODS
                         for workers in (1, 2) for second in (False, True)], check)


# ---- answers in other shapes ----


def test_answers_that_come_in_other_shapes_are_answers(tmp_path, pki):
    """A byte in each TLS record, a slow handshake: no reason to fail, nor to wait."""
    def check(folder, pki, how):
        with proxy_before(folder, pki, how) as (proxy, _):
            warm_up(proxy.port)
            took = asked_evenly(proxy.port, [f"shape-{i}.test" for i in range(100)], 0.01)
            burst(proxy.port, [f"burst-{i}.test" for i in range(50)])
            return below(took.values(), p99=100)

    each(tmp_path, pki, [{"how": {"record": size}} for size in (1, 2, 3, 40)] +
                        [{"how": {"handshake": 0.3}}, {"how": {"record": 1, "serial": True}}], check)


def test_answers_that_come_twice_fail_nobody(tmp_path, pki):
    """The second copy is one that nobody asked for: its session is not trusted, and the next one is another."""
    def check(folder, pki, behaviours):
        with proxy_before(folder, pki, *behaviours) as (proxy, _):
            asked_evenly(proxy.port, [f"twice-{i}.test" for i in range(50)], 0.02)

    each(tmp_path, pki, [{"behaviours": [{"copies": 2}]}, {"behaviours": [{"copies": 3, "delay": 0.01}]},
                         {"behaviours": [{"copies": 2}, {}]}], check)


# ---- several at once ----

#: Each before a healthy one, or as the only ones where that can do: all questions are answered.
COMBINED = [
    [{"serial": True, "answers_max": 3}],
    [{"serial": True, "answers_max": 5, "end": "silent"}, {}],
    [{"first_of_record": True, "answers_max": 5}],
    [{"first_of_record": True, "serial": True, "answers_max": 20}],
    [{"first_of_record": True, "record": 1}],
    [{"silent": True}, {"flood": "frames"}, {}],
    [{"flood": "length"}, {"answers_max": 1}],
    [{"handshake": 0.3, "answers_max": 2}, {}],
    [{"handshake": None}, {"answers_max": 3, "end": "reset"}],
    [{"answers_max": 1, "end": "half"}, {"answers_max": 2, "end": "noise"}],
    [{"treat": "wrongid"}, {}],
    [{"treat": "cutoff"}, {"answers_max": 5}],
    [{"treat": "trailing"}, {"serial": True}],
    [{"treat": "noquestion", "answers_max": 2}, {}],
    [{"treat": "garbage"}, {"treat": "shorta"}, {}],
    [{"treat": "needsplain", "answers_max": 3}],
    [{"treat": "needsplain", "serial": True}],
    [{"treat": "needsplain", "first_of_record": True}],
    [{"answers_max": 1, "end": "silent"}, {"answers_max": 1, "end": "silent"}, {"answers_max": 20}],
]


def test_several_misbehave_at_once(tmp_path, pki):
    def check(folder, pki, behaviours):
        with proxy_before(folder, pki, *behaviours) as (proxy, _):
            took = asked_evenly(proxy.port, [f"even-{i}.test" for i in range(100)], 0.03)
            burst(proxy.port, [f"burst-{i}.test" for i in range(20)])
            return below(list(took.values())[20:], p90=100)

    each(tmp_path, pki, [{"behaviours": behaviours} for behaviours in COMBINED], check)


# ---- no upstream is trusted ----


def test_every_certificate_is_refused(tmp_path, pki):
    with contextlib.ExitStack() as stack:
        first, second = (stack.enter_context(start_hostile(pki, kind)) for kind in ("other-name", "expired"))
        proxy = stack.enter_context(Proxy(tmp_path, pki, [first.port, second.port]))
        ask(proxy.port, "finds-out.test")
        for i in range(5):
            begin = time.monotonic()
            assert wire.rcode_of(ask(proxy.port, f"refused-{i}.test")) == wire.SERVFAIL
            assert time.monotonic() - begin < 0.2 + ROOM_MS / 1000
            time.sleep(0.3)
        certificate, key = pki.certificate("right")
        second.set_certificate(certificate=certificate, key=key)
        wait_for(lambda: wire.rcode_of(ask(proxy.port, f"right-{time.monotonic()}.test")) == wire.NOERROR,
                 "it is tried on", 8)
