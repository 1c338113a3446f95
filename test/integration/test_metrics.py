"""/metrics against what really happened: every name is there, the formats are kept, and after a known load the figures
add up exactly.
"""
import collections
import contextlib
import re
import socket
import urllib.request

import pytest
import wire
from dnsclient import Client, ask
from figures import Figures, LINE, fetch
from hostile import RESET_ON_CLOSE
from process import ProcessError, wait_for
from proxy import Proxy

#: What dashboards and alerts of others rely on: name behind dns_tls_proxy_ -> (type, labels).
PROMISED = {
    "build_info": ("gauge", "version wolfssl ldns civetweb"),
    "start_time_seconds": ("gauge", ""),
    "client_connections": ("gauge", ""),
    "client_connections_total": ("counter", ""),
    "client_connections_rejected_total": ("counter", "reason"),
    "queries_total": ("counter", "qtype transport"),
    "invalid_queries_total": ("counter", "reason"),
    "responses_total": ("counter", "rcode transport"),
    "rate_limited_total": ("counter", ""),
    "access_denied_total": ("counter", ""),
    "request_duration_seconds": ("histogram", "source transport"),
    "cache_hits_total": ("counter", ""),
    "cache_misses_total": ("counter", ""),
    "cache_evictions_total": ("counter", ""),
    "cache_stale_answers_total": ("counter", ""),
    "cache_entries": ("gauge", ""),
    "cache_bytes": ("gauge", ""),
    "prefetch_total": ("counter", "result"),
    "upstream_queries_total": ("counter", "upstream"),
    "upstream_responses_total": ("counter", "upstream rcode"),
    "upstream_failures_total": ("counter", "upstream reason"),
    "upstream_retries_total": ("counter", "upstream reason"),
    "upstream_duration_seconds": ("histogram", "upstream"),
    "upstream_in_flight": ("gauge", "upstream"),
    "upstream_sessions": ("gauge", "upstream"),
    "upstream_handshakes_total": ("counter", "upstream resumed"),
    "upstream_handshake_duration_seconds": ("histogram", ""),
    "upstream_up": ("gauge", "upstream"),
    "upstream_certificate_expiry_timestamp_seconds": ("gauge", "upstream"),
    "upstream_certificate_validated_timestamp_seconds": ("gauge", "upstream"),
    "client_queries_per_second": ("gauge", "client port"),
    "client_address_queries_per_second": ("gauge", "client"),
}
PROCESS = ("cpu_seconds_total", "resident_memory_bytes", "open_fds", "max_fds", "threads", "start_time_seconds")

#: Series there only while somebody asks.
BUSIEST = {"dns_tls_proxy_client_queries_per_second", "dns_tls_proxy_client_address_queries_per_second"}

OPEN_METRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"


class Sent:
    """A load of which every figure is known: what is asked, and what is to become of it."""

    def __init__(self):
        self.messages = []
        self.rcodes, self.qtypes, self.sources, self.invalid = (collections.Counter() for _ in range(4))
        self.hits = self.misses = 0

    def add(self, name, qtype="A", rcode="NOERROR", source="local", invalid=None, **parts):
        self.messages.append(wire.query(name, qtype, number=len(self.messages), **parts))
        self.rcodes[rcode] += 1
        self.qtypes[qtype] += 1
        self.sources[source] += 1
        self.invalid[invalid] += invalid is not None
        self.hits += source == "cache"
        self.misses += source == "upstream"

    def ask(self, client):
        """One after the other, so that what is to be a hit finds the answer."""
        for message in self.messages:
            assert client.ask(message)[:2] == message[:2]


def known_load():
    sent = Sent()
    for i in range(30):
        sent.add(f"new-{i}.sum.test", source="upstream")
    for i in range(70):
        sent.add(f"new-{i % 30}.sum.test", source="cache")
    for i in range(5):
        sent.add(f"new-{i}.sum.test", "AAAA", source="upstream")
        sent.add(f"new-{i}.sum.test", "AAAA", source="cache", flags=0x0100, additional=[wire.opt()])
        sent.add(f"nx-{i}.sum.test", "MX", rcode="NXDOMAIN", source="upstream")
        sent.add(f"nx-{i}.sum.test", "MX", rcode="NXDOMAIN", source="cache")
        sent.add(f"new-{i}.sum.test", "ANY", rcode="NOTIMP", invalid="any")
        sent.add(f"new-{i}.sum.test", "AXFR", rcode="REFUSED", invalid="transfer")
    for i in range(3):
        sent.add("sum.test", "TXT", rcode="REFUSED", invalid="class", qclass=3)
        sent.add("sum.test", "A", rcode="NOTIMP", invalid="opcode", flags=0x2000)
        sent.add("sum.test", "A", rcode="BADVERS", invalid="edns_version", additional=[wire.opt(version=1)])
        sent.add("sum.test", "A", rcode="FORMERR", invalid="malformed", additional=[wire.opt(), wire.opt()])
    return sent


class Account:
    """The figures of a program that nobody else asks, once they stand still."""

    def __init__(self, proxy, queries):
        self._proxy, self._queries = proxy, queries
        try:
            wait_for(self._is_settled, "all is counted", 5)
        except ProcessError:
            pass  # which figure is wrong, a test says
        self.figures = Figures(proxy)

    def _is_settled(self):
        figures = Figures(self._proxy)
        answered = figures.sum("request_duration_seconds_count") + figures.sum("dropped_queries_total")
        return figures.sum("queries_total") == self._queries == answered

    def sum(self, name, **labels):
        return self.figures.sum(name, **labels)

    def by(self, name, label):
        """{label's value: figure}, without those at 0."""
        found = collections.Counter()
        for series, labels, value in self.figures.series:
            if series == f"dns_tls_proxy_{name}":
                found[labels[label]] += value
        return +found


@pytest.fixture(scope="module", name="account")
def _account(proxy, hostile):
    """The load, with three who left before their answer came and two whose messages are no queries."""
    sent = known_load()
    with Client(proxy.port) as client:
        sent.ask(client)
    for i in range(3):
        with Client(proxy.port) as client:
            client.send(wire.query(f"slow-700ms-gone-{i}.test"))
            wait_for(lambda i=i: hostile.queries(containing=f"gone-{i}"), "it is being asked")
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    for _ in range(2):
        with Client(proxy.port) as client:
            client.send(wire.query("sum.test", flags=wire.QR))
            assert client.is_closed_by_peer()
    account = Account(proxy, len(sent.messages) + 5)
    account.sent, account.gone, account.no_queries = sent, 3, 2
    return account


def test_queries_are_responses_and_dropped(account):
    sent = len(account.sent.messages) + account.gone + account.no_queries
    assert account.sum("queries_total") == sent
    assert account.sum("responses_total") == len(account.sent.messages)
    dropped = {"client_gone": account.gone, "not_a_query": account.no_queries}
    assert account.by("dropped_queries_total", "reason") == dropped
    assert account.sum("queries_in_flight") == 0


def test_each_response_code_and_type(account):
    assert account.by("responses_total", "rcode") == account.sent.rcodes
    types = account.by("queries_total", "qtype")
    for qtype in ("AAAA", "MX", "TXT", "ANY"):
        assert types[qtype] == account.sent.qtypes[qtype], qtype
    unread = account.no_queries + account.sent.invalid["opcode"]  # their question is not looked at
    assert types["other"] == account.sent.qtypes["AXFR"] + unread
    wanted = {**account.sent.invalid, "not_a_query": account.no_queries}
    assert account.by("invalid_queries_total", "reason") == {key: count for key, count in wanted.items() if count}


def test_hits_and_misses_are_the_cacheable_questions(account):
    assert account.sum("cache_hits_total") == account.sent.hits
    assert account.sum("cache_misses_total") == account.sent.misses + account.gone
    assert account.sum("cache_stale_answers_total") == 0


def test_histograms_count_the_answers(account):
    for source in ("cache", "upstream", "local", "stale"):
        assert account.figures.answered(source) == account.sent.sources[source], source
    assert account.sum("request_duration_seconds_count") == account.sum("responses_total")


def test_upstream_figures_are_what_the_upstream_saw(account, proxy, hostile):
    """With the questions the program asks of itself, to see whether the upstream is there; those asked again because
    the answer was slow are counted each time.
    """
    def told():
        figures = Figures(proxy)
        return {"queries": figures.sum("upstream_queries_total"), "open": figures.sum("upstream_sessions"),
                "full": figures.sum("upstream_handshakes_total", resumed="false"),
                "resumed": figures.sum("upstream_handshakes_total", resumed="true")}

    def seen():
        return {key: count for key, count in hostile.stats().items() if key in ("queries", "open", "full", "resumed")}

    assert account
    with contextlib.suppress(ProcessError):
        wait_for(lambda: told() == seen(), "the program tells what the upstream saw", 5)
    assert told() == seen()
    figures = Figures(proxy)
    heard = figures.sum("upstream_responses_total")
    assert account.sent.misses <= heard <= figures.sum("upstream_queries_total")
    assert figures.sum("upstream_duration_seconds_count") == heard
    assert figures.sum("upstream_handshake_duration_seconds_count") == figures.sum("upstream_handshakes_total")
    assert figures.sum("upstream_up") == 1 and figures.sum("upstream_in_flight") == 0


def test_connections_are_counted_as_they_come_and_go(account, proxy):
    def balance():
        figures = Figures(proxy)
        ended = figures.sum("client_connections_closed_total")
        return figures.sum("client_connections_total") == ended + figures.sum("client_connections")

    assert account
    wait_for(balance, "accepted = ended + open", 5)
    with Client(proxy.port), Client(proxy.port):
        wait_for(lambda: Figures(proxy).sum("client_connections") == 2, "two are open", 5)
    wait_for(lambda: Figures(proxy).sum("client_connections") == 0, "none is", 5)


def test_refused_for_their_rate(tmp_path, pki, hostile):
    for action, rcode in (("servfail", "SERVFAIL"), ("refuse", "REFUSED")):
        limit = {"rate_limit": {"queries_per_second": 1, "burst": 10, "action": action}}
        with Proxy(tmp_path, pki, [hostile.port], limit, name=action) as proxy, Client(proxy.port) as client:
            client.send(*(wire.query("rate.test", number=i) for i in range(100)))
            account = Account(proxy, 100)
            over = account.sum("rate_limited_total")
            assert 85 <= over <= 90
            assert account.sum("responses_total") == account.sum("queries_total") == 100
            assert account.by("responses_total", "rcode")[rcode] == over
            assert account.sum("cache_hits_total") + account.sum("cache_misses_total") == 100 - over


def test_denied_and_turned_away(tmp_path, pki, hostile):
    config = {"access": {"allow": ["127.0.0.1/32", "127.0.0.2/32"]}, "clients": {"max_per_address": 3}}
    with Proxy(tmp_path, pki, [hostile.port], config) as proxy:
        for _ in range(4):
            with Client(proxy.port, source=("127.0.0.9", 0)) as client:
                client.send(wire.query("denied.test"))
                client.receive()
        held = [Client(proxy.port, source=("127.0.0.2", 0)) for _ in range(5)]
        wait_for(lambda: Figures(proxy).sum("client_connections_rejected_total", reason="max_per_address") == 2,
                 "two of five are turned away", 5)
        for client in held:
            client.close()
        assert Figures(proxy).sum("access_denied_total") == 4
        wait_for(lambda: Figures(proxy).sum("queries_total") == Figures(proxy).sum("responses_total") +
                 Figures(proxy).sum("dropped_queries_total"), "those denied add up, too", 5)


# ---- the formats

def get(proxy, accept=None):
    headers = {"Accept": accept} if accept else {}
    request = urllib.request.Request(f"http://127.0.0.1:{proxy.http_port}/metrics", headers=headers)
    with urllib.request.urlopen(request, timeout=10) as response:
        return response.headers["Content-Type"], response.read().decode()


def types_of(text):
    return dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))


def test_every_promised_name_with_its_type_and_labels(account, proxy):
    assert account
    with Client(proxy.port) as client:
        def busiest_are_there():
            for i in range(20):
                client.ask(wire.query("new-1.sum.test", number=i))
            return {name for name, _, _ in Figures(proxy).series} >= BUSIEST

        wait_for(busiest_are_there, "the busiest client is shown", 10)
        types, series = types_of(fetch(proxy, "/metrics")), Figures(proxy).series
    for name, (kind, labels) in PROMISED.items():
        name = f"dns_tls_proxy_{name}"
        assert types.get(name) == kind, name
        shown = {name, f"{name}_count"} if kind == "histogram" else {name}
        found = [set(of_series) for series_name, of_series, _ in series if series_name in shown]
        assert found and all(each == set(labels.split()) for each in found), (name, found[:3])
    for name in PROCESS:
        assert f"process_{name}" in types


def test_each_series_once_and_described(account, proxy):
    assert account
    content_type, text = get(proxy)
    assert content_type.startswith("text/plain") and "version=0.0.4" in content_type
    types, helps = types_of(text), set(re.findall(r"^# HELP (\S+) \S", text, re.MULTILINE))
    seen = [(name, labels) for name, labels, _ in LINE.findall(text)]
    assert len(set(seen)) == len(seen)
    assert len(seen) == sum(not line.startswith("#") for line in text.splitlines()), "no line is anything else"
    for name, _ in seen:
        base = re.sub(r"_(bucket|sum|count)$", "", name)
        assert (name in types and name in helps) or (types.get(base) == "histogram" and base in helps), name
    assert all((kind == "counter") == name.endswith("_total") for name, kind in types.items())


def test_buckets_rise_to_the_count(account):
    buckets = collections.defaultdict(list)
    for name, labels, value in account.figures.series:
        if name.endswith("_bucket"):
            others = tuple(sorted((key, text) for key, text in labels.items() if key != "le"))
            buckets[name[:-len("_bucket")], others].append((float(labels["le"]), value))
    assert buckets
    for (name, others), edges in buckets.items():
        assert edges == sorted(edges) and [n for _, n in edges] == sorted(n for _, n in edges), name
        assert edges[-1][0] == float("inf")
        assert 0.1 in [edge for edge, _ in edges] or not name.endswith("_seconds")
        assert edges[-1][1] == account.sum(name.removeprefix("dns_tls_proxy_") + "_count", **dict(others))


def test_open_metrics_where_asked_for(account, proxy):
    assert account
    content_type, text = get(proxy, OPEN_METRICS)
    assert content_type.startswith("application/openmetrics-text") and "version=1.0.0" in content_type
    assert text.endswith("# EOF\n") and text.count("# EOF") == 1
    plain = get(proxy)[1]
    assert {name for name, _, _ in LINE.findall(text)} == {name for name, _, _ in LINE.findall(plain)}
    counters = {name for name, kind in types_of(text).items() if kind == "counter"}
    assert counters and not any(name.endswith("_total") for name in counters)


def test_a_label_says_exactly_what_the_configuration_says(account, proxy, hostile):
    assert account
    labels = {of_series["upstream"] for _, of_series, _ in Figures(proxy).series if "upstream" in of_series}
    assert labels == {f"127.0.0.1:{hostile.port}#cloudflare-dns.com"}


def test_names_asked_are_in_no_label(account, proxy):
    assert account
    ask(proxy.port, 'x"}\n evil 1.sum.test')
    for accept in (None, OPEN_METRICS):
        text = get(proxy, accept)[1]
        assert "evil" not in text and "sum.test" not in text
