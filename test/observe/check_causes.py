#!/usr/bin/python3
"""One cause, one notification: three instances of the program, Prometheus and Alertmanager, with the rules and the
example configuration of this tree and their real times, through an outage of all upstreams (six minutes) and a flood.
Prints the list of alerts and of notifications with their times. Takes 20 minutes, nearly all of them waiting.
OUTAGE_SECONDS and FLOOD_SECONDS make it shorter or longer."""
import contextlib
import os
import time

import scene  # first: it says where the modules below are
import checks
from alertmanager import Alertmanager, People
from flood import Flood
from hostile import start_hostile
from load import Load
from pki import Pki
from process import wait_for
from prometheus import Prometheus
from proxy import Proxy
from remote import Remote

OUTAGE_SECONDS = int(os.environ.get("OUTAGE_SECONDS", "360"))
FLOOD_SECONDS = int(os.environ.get("FLOOD_SECONDS", "300"))
SETTLE_SECONDS = 150  # every window of two minutes is clean
END_SECONDS = 120  # what the alerts have to end within
INSTANCES = 3
FLOODER = "127.0.1.1"


class Story:
    """What fires, seen every two seconds, and what people are told."""

    def __init__(self, prometheus, people):
        self._prometheus, self._people = prometheus, people
        self._begin = time.time()
        self.spans = []  # [name, instance, first seen, last seen]

    def look(self):
        now = time.time()
        for alert in self._prometheus.alerts():
            if alert["state"] != "firing":
                continue
            key = (alert["labels"]["alertname"], alert["labels"].get("instance", ""))
            running = [span for span in self.spans if span[:2] == list(key) and now - span[3] < 20]
            if running:
                running[-1][3] = now
            else:
                self.spans.append([*key, now, now])

    def watch(self, seconds, until=lambda: False):
        """Looks for so long, or until then; how long that was."""
        begin = time.time()
        while time.time() - begin < seconds and not until():
            self.look()
            time.sleep(2)
        return time.time() - begin

    def is_quiet(self):
        return not self._prometheus.firing()

    def fired_since(self, moment):
        return {name for name, _, first, _ in self.spans if first >= moment}

    def told_anew_since(self, moment):
        """Notifications that tell of an alert that no notification told of before; (time, names)."""
        known, anew = set(), []
        for at, _, alerts in self._people.told:
            firing = {(name, instance) for name, instance, fires in alerts if fires}
            if firing - known and at >= moment:
                anew.append((at, {name for name, _ in firing}))
            known |= firing
            known -= {(name, instance) for name, instance, fires in alerts if not fires}
        return anew

    def show(self, check, moment, what):
        def clock(at):
            return f"{int(at - moment) // 60}:{int(at - moment) % 60:02d}"

        check.note(f"times are minutes and seconds after the beginning of the {what}")
        for name, instance, first, last in self.spans:
            if first >= moment:
                check.note(f"alert {name} {instance}: fires {clock(first)} to {clock(last)}")
        for at, status, alerts in self._people.told:
            if at >= moment:
                told = (f"{name} {instance} {'fires' if fires else 'ended'}" for name, instance, fires in alerts)
                check.note(f"notification {clock(at)}, {status}: {', '.join(told)}")


def tell(check, story, what, expected, cause):
    """The story of a cause, a context in which it is there for so many seconds."""
    moment = time.time()
    with check(f"{what}: {expected} fires"):
        with cause as seconds:
            story.watch(seconds)
        over = time.time()
        assert expected in story.fired_since(moment), story.fired_since(moment)
    with check(f"{what}: all alerts end within {END_SECONDS} s"):
        took = story.watch(END_SECONDS, story.is_quiet)
        assert story.is_quiet(), "still firing"
        check.note(f"within {took:.0f} s")
    story.watch(SETTLE_SECONDS)
    with check(f"{what}: one notification, and nothing fires behind it"):
        anew = story.told_anew_since(moment)
        assert len(anew) == 1 and anew[0][1] == {expected}, anew
        late = [name for name, _, first, _ in story.spans if first > over]
        assert not late, late
    story.show(check, moment, what)


@contextlib.contextmanager
def outage(upstreams):
    for upstream in upstreams:
        upstream.go()
    yield OUTAGE_SECONDS
    for upstream in upstreams:
        upstream.come_back()


@contextlib.contextmanager
def flood(proxy):
    with Flood(proxy.port, seconds=3600, connections=2, queries=100, chunk=10000, interval_ms=400, repeats=1,
               source=FLOODER):
        yield FLOOD_SECONDS


@contextlib.contextmanager
def clients(proxies):
    """A few clients of each instance, who ask for known and for new names."""
    loads = [Remote(Load, port=proxy.port, zone=f"z{i}.test", prefixes=("n", "n", "o"), names=60)
             for i, proxy in enumerate(proxies)]
    fresh = Remote(Load, port=proxies[0].port, zone="fresh.test", prefixes=("n",))
    try:
        for load in loads:
            load.begin("run", seconds=7200, rate=8)
        fresh.begin("run", seconds=7200, rate=3)
        yield
    finally:
        for load in [*loads, fresh]:
            load.stop()


def run(check, folder, stack):
    pki = Pki(folder)
    upstreams = [stack.enter_context(start_hostile(pki)) for _ in range(2)]
    settings = {"rate_limit": {"queries_per_second": 100, "burst": 200}, "workers": 2}
    proxies = []
    for i in range(INSTANCES):
        proxies.append(stack.enter_context(
            Proxy(folder, pki, [upstream.port for upstream in upstreams], settings, name=f"instance{i}")))
    stack.enter_context(clients(proxies))
    people = stack.enter_context(People())
    manager = stack.enter_context(Alertmanager(folder, people))
    prometheus = stack.enter_context(Prometheus(
        folder, [f"127.0.0.1:{proxy.http_port}" for proxy in proxies], alertmanager=manager.port, hastened=False))
    story = Story(prometheus, people)
    with check("all is well: no alert"):
        wait_for(lambda: len(prometheus.query("dns_tls_proxy_ready == 1")) == INSTANCES, "all are ready", 60)
        story.watch(SETTLE_SECONDS)
        assert not story.spans, story.spans
    tell(check, story, "outage", "DnsTlsProxyAllUpstreamsDown", outage(upstreams))
    tell(check, story, "flood", "DnsTlsProxyClientLimited", flood(proxies[0]))


def main():
    check = checks.Checks()
    checks.install("prometheus", "prometheus-alertmanager")
    with scene.folder() as folder, contextlib.ExitStack() as stack:
        run(check, folder, stack)
    check.finish()


if __name__ == "__main__":
    main()
