"""figures: what the program says of itself over HTTP."""
import json
import re
import urllib.request

from process import wait_for

LINE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$", re.MULTILINE)
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def fetch(proxy, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{proxy.http_port}{path}", timeout=10) as response:
        return response.read().decode()


def post(proxy, path, **headers):
    """What it answers, which is JSON."""
    request = urllib.request.Request(f"http://127.0.0.1:{proxy.http_port}{path}", data=b"", headers=headers,
                                     method="POST")
    with urllib.request.urlopen(request, timeout=10) as response:
        return json.load(response)


class Figures:
    """One scrape of /metrics."""

    def __init__(self, proxy):
        self.series = [(name, dict(LABEL.findall(labels)), float(value))
                       for name, labels, value in LINE.findall(fetch(proxy, "/metrics"))]

    def sum(self, name, **labels):
        """Of all series of that name that bear these labels."""
        values = [value for series, of_series, value in self.series
                  if series == f"dns_tls_proxy_{name}" and labels.items() <= of_series.items()]
        assert values, f"no series {name} {labels}"
        return sum(values)

    def answered(self, source):
        """Queries answered from there: cache, upstream, stale or local."""
        return self.sum("request_duration_seconds_count", source=source)


def settled(proxy):
    """Figures in which every answer counts with its time, which it does at the end of the turn that gave it."""
    def figures():
        now = Figures(proxy)
        return now if now.sum("request_duration_seconds_count") == now.sum("responses_total") else None

    return wait_for(figures, "the figures add up")


class Since:
    """What was counted since it was made."""

    def __init__(self, proxy):
        self._proxy = proxy
        self._before = settled(proxy)

    def sum(self, name, **labels):
        return Figures(self._proxy).sum(name, **labels) - self._before.sum(name, **labels)

    def answered(self, source):
        return settled(self._proxy).answered(source) - self._before.answered(source)


def assert_asked(proxy, upstream, name, times):
    """Upstream was asked so often for it: but for what the program asked again because the machine stood still."""
    asked, retries = upstream.asked(name=name), Figures(proxy).sum("upstream_retries_total")
    assert times <= asked <= times + retries, f"{name}: {asked} times, not {times} (and {retries:g} retries in all)"


def top_names(proxy):
    """Name -> how often it was asked, of the names kept resolved."""
    return {entry["name"].rstrip("."): entry["asks"] for entry in json.loads(fetch(proxy, "/status.json"))["names"]}
