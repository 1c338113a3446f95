"""A client gets its burst and then its rate; others do not notice. Whose address shares a prefix shares a limit."""
import collections
import os
import signal
import time

import pytest
import wire
from cost import MIB, cost_of, promised_bytes
from dnsclient import Client, ask
from figures import Since
from flood import flood_churn
from hostile import start_hostile
from namespace import is_possible, namespace
from proxy import Proxy, is_sanitized

LONG = os.environ.get("LONG") == "1"
RATE, BURST = 20, 40
NAME = "limited.test"


def limited(changes=None, **others):
    return {"rate_limit": {"queries_per_second": RATE, "burst": BURST, **(changes or {})}, **others}


@pytest.fixture(scope="module", name="proxy")
def _proxy(pki, module_path, hostile):
    with Proxy(module_path, pki, [hostile.port], limited()) as proxy:
        yield proxy


def burst(proxy, source, count, host="127.0.0.1", ids_from=0):
    """So many questions in a segment; how many answers of which rcode came back."""
    with Client(proxy.port, host, source=(source, 0)) as client:
        client.send(*(wire.query(NAME, number=ids_from + i, additional=[wire.opt()]) for i in range(count)))
        return collections.Counter(wire.rcode_of(client.receive()) for _ in range(count))


def test_burst_then_rate_and_nobody_else_notices(proxy):
    ask(proxy.port, NAME)  # from 127.0.0.1: in the cache now
    begin = time.monotonic()
    first = burst(proxy, "127.0.0.2", 100)
    gained = int((time.monotonic() - begin) * RATE) + 1
    assert BURST <= first[wire.NOERROR] <= BURST + gained and sum(first.values()) == 100
    assert set(first) == {wire.NOERROR, wire.SERVFAIL}
    assert burst(proxy, "127.0.0.3", BURST) == {wire.NOERROR: BURST}, "another address has its own"
    time.sleep(1.0)  # a second's tokens
    second = burst(proxy, "127.0.0.2", 100)
    gained = int((time.monotonic() - begin) * RATE) + 1
    assert RATE <= second[wire.NOERROR] <= gained
    print(f"{first[wire.NOERROR]} of 100 at once, {second[wire.NOERROR]} of 100 a second later")


def test_whose_connections_are_many_has_one_limit(proxy):
    begin = time.monotonic()
    total = sum((burst(proxy, "127.0.0.4", 20) for _ in range(5)), collections.Counter())
    assert BURST <= total[wire.NOERROR] <= BURST + int((time.monotonic() - begin) * RATE) + 1


def exhaust(proxy, source):
    assert burst(proxy, source, BURST * 4)[wire.SERVFAIL] > 0


def test_the_refusal_says_why(proxy):
    exhaust(proxy, "127.0.0.5")
    with Client(proxy.port, source=("127.0.0.5", 0)) as client:
        client.send(*(wire.query(NAME, number=500 + i, additional=[wire.opt()]) for i in range(40)))
        refused = next(reply for reply in iter(client.receive, None) if wire.rcode_of(reply) == wire.SERVFAIL)
        assert wire.error_of(refused) == (0, "rate limit")
        assert wire.name_from_wire(refused) == NAME and wire.number_of(refused) >= 500


def test_the_refusal_is_plain_where_the_question_was(proxy):
    with Client(proxy.port, source=("127.0.0.6", 0)) as client:
        client.send(*(wire.query(NAME, number=i) for i in range(BURST * 4)))
        replies = [client.receive() for _ in range(BURST * 4)]
    refused = [reply for reply in replies if wire.rcode_of(reply) == wire.SERVFAIL]
    assert refused and all(wire.opt_of(reply) is None for reply in refused)


def test_what_is_over_the_limit_is_counted_and_does_not_go_upstream(proxy, hostile):
    since = Since(proxy)
    with Client(proxy.port, source=("127.0.0.7", 0)) as client:
        client.send(*(wire.query(f"never-cached-{i}.test", number=i) for i in range(90)))
        rcodes = collections.Counter(wire.rcode_of(client.receive()) for _ in range(90))
    assert since.sum("rate_limited_total") == rcodes[wire.SERVFAIL] > 0
    assert sum(hostile.queries(containing="never-cached").values()) == rcodes[wire.NOERROR]


def test_what_is_no_query_takes_tokens_too(proxy):
    """Nonsense is not a way round the limit."""
    with Client(proxy.port, source=("127.0.0.8", 0)) as client:
        client.send(*(wire.query("nonsense.test", number=i) + b"rubbish" for i in range(BURST * 2)))
        rcodes = collections.Counter(wire.rcode_of(client.receive()) for _ in range(BURST * 2))
    assert rcodes[wire.SERVFAIL] >= BURST - RATE, rcodes


def test_what_is_too_long_takes_tokens_too(proxy):
    with Client(proxy.port, source=("127.0.0.9", 0)) as client:
        client.send(*(wire.query("too-long.test", number=i) + bytes(5000) for i in range(BURST * 2)))
        rcodes = collections.Counter(wire.rcode_of(client.receive()) for _ in range(BURST * 2))
    assert rcodes[wire.SERVFAIL] >= BURST - RATE, rcodes


def test_action_refuse_answers_refused(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port], limited({"action": "refuse"})) as proxy:
        rcodes = burst(proxy, "127.0.0.2", BURST * 4)
        assert set(rcodes) == {wire.NOERROR, wire.REFUSED} and rcodes[wire.NOERROR] >= BURST


def test_action_drop_closes_the_connection_after_the_answers_before(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port], limited({"action": "drop"})) as proxy:
        ask(proxy.port, NAME)
        since = Since(proxy)
        with Client(proxy.port, source=("127.0.0.2", 0)) as client:
            client.send(*(wire.query(NAME, number=i) for i in range(100)))
            numbers = [wire.number_of(reply) for reply in iter(client.receive, None)]
            assert numbers == list(range(len(numbers))) and BURST <= len(numbers) < 100
        assert since.sum("dropped_queries_total", reason="rate_limit") == since.sum("rate_limited_total") == 1
        time.sleep(2 / RATE)  # a token or two
        with Client(proxy.port, source=("127.0.0.2", 0)) as client:
            assert wire.rcode_of(client.ask(wire.query(NAME, number=1000))) == wire.NOERROR


def test_addresses_of_a_prefix_share_a_limit(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port], limited({"ipv4_prefix": 24})) as proxy:
        ask(proxy.port, NAME)
        exhaust(proxy, "127.0.5.1")
        assert burst(proxy, "127.0.5.200", BURST)[wire.SERVFAIL] >= BURST - RATE
        assert burst(proxy, "127.0.6.1", BURST) == {wire.NOERROR: BURST}


@pytest.mark.skipif(not is_possible(), reason="needs a network namespace, which needs root")
@pytest.mark.parametrize("bits, shared, other", [(64, "2001:db8::2", "2001:db8:0:1::1"),
                                                 (48, "2001:db8:0:1::1", "2001:db8:1::1"),
                                                 (128, "2001:db8::1", "2001:db8::2")])
def test_ipv6_prefixes(tmp_path, pki, bits, shared, other):
    own = ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "2001:db8:1::1")
    with namespace(*(f"{address}/128" for address in own)), start_hostile(pki) as upstream:
        config = limited({"ipv6_prefix": bits}, listen=["127.0.0.1:8853", "[::1]:8853"],
                         access={"allow": ["127.0.0.0/8", "2001:db8::/32"]})
        with Proxy(tmp_path, pki, [upstream.port], config) as proxy:
            ask(proxy.port, NAME)
            assert burst(proxy, "2001:db8::1", BURST * 4, host="::1")[wire.SERVFAIL] > 0
            assert burst(proxy, shared, BURST, host="::1")[wire.SERVFAIL] >= BURST - RATE
            assert burst(proxy, other, BURST, host="::1") == {wire.NOERROR: BURST}


def test_a_reload_changes_the_limit_and_closes_nobody(tmp_path, pki, hostile):
    with Proxy(tmp_path, pki, [hostile.port], limited()) as proxy, Client(proxy.port) as client:
        client.ask(wire.query(NAME))
        exhaust(proxy, "127.0.0.2")
        proxy.write_config({"rate_limit": {"queries_per_second": 0}})
        proxy.child.send_signal(signal.SIGHUP)
        proxy.wait_log("configuration reloaded")
        assert burst(proxy, "127.0.0.2", 200) == {wire.NOERROR: 200}
        proxy.write_config({"rate_limit": {"queries_per_second": 1, "burst": 2}})
        offset = len(proxy.log())
        proxy.child.send_signal(signal.SIGHUP)
        proxy.wait_log("configuration reloaded", since=offset)
        assert burst(proxy, "127.0.0.2", 20)[wire.NOERROR] <= 4
        assert wire.rcode_of(client.ask(wire.query(NAME))) == wire.NOERROR, "it was not closed"


def test_many_addresses_in_turn_cost_what_few_do(tmp_path, pki, hostile):
    """More than max_clients of them: memory stays within its bound, and the last cost what the first did."""
    addresses = 100000 if LONG else 6000
    config = limited({"max_clients": 4096, "queries_per_second": 1000}, cache={"max_size": MIB})
    with Proxy(tmp_path, pki, [hostile.port], config) as proxy:
        ask(proxy.port, "flood.test")
        costs = []
        for source in ("127.1.0.1", "127.16.0.1"):
            with cost_of(proxy, f"{addresses // 2} addresses") as cost:
                report = flood_churn(proxy.port, rate=20000, source=source, spread=addresses // 2,
                                     most=addresses // 2).wait_end()
            assert report["answered"] == addresses // 2 and report["rcodes"] == {wire.NOERROR: addresses // 2}, report
            costs.append(cost)
        print(f"{[round(cost.cpu / (addresses // 2) * 1e6, 1) for cost in costs]} us a query and connection")
        assert is_sanitized() or costs[1].grown < 4e6
        assert is_sanitized() or max(cost.memory for cost in costs) < promised_bytes(proxy)
        if LONG:
            assert costs[1].cpu < 1.5 * costs[0].cpu
        assert burst(proxy, "127.0.0.1", BURST) == {wire.NOERROR: BURST}
