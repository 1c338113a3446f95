#!/usr/bin/python3
"""The alerts of this tree in a real Prometheus, their times made short: they fire when what they are about really
happens to the program, and resolve when it is over. Nothing fires before."""
import contextlib
import time

import scene  # first: it says where the modules below are
import checks
from flood import Flood
from frozen import frozen, threads
from hostile import start_hostile
from load import Load
from misbehaving import start_misbehaving
from pki import SERVER_NAME, Pki
from process import free_port
from prometheus import RANGE, Prometheus
from proxy import Proxy
from relay import start_relay
from remote import Remote
from shared_store import SharedStore, shared_cache
from state_file import ask_all
from store_entry import SECRET, address_entry, digest_of, key_of

FIRE, RESOLVE = 40, 60  # seconds, at most; ranges are 15 s and holds 2 s


def show(check, prometheus, name):
    annotations = prometheus.alert(name)["annotations"]
    check.note(f"{name}: {annotations['summary']}")
    assert "{{" not in annotations["summary"] + annotations["description"]


class Story:
    """`with`: the cause is there, and the alerts fire; behind it, it is over, and they resolve."""

    def __init__(self, check, prometheus):
        self._check, self._prometheus = check, prometheus

    @contextlib.contextmanager
    def __call__(self, what, *alerts):
        fired = False
        with contextlib.ExitStack() as cause:
            with self._check(f"{what}: {', '.join(alerts)}"):
                yield cause
                took = self._prometheus.wait_firing(alerts, FIRE)
                fired = True
                for alert in alerts:
                    with contextlib.suppress(StopIteration):  # one may have ended again
                        show(self._check, self._prometheus, alert)
                self._check.note(f"fired within {took:.0f} s")
        with self._check(f"{what}, and over again"):
            if not fired:
                raise checks.Skip("it did not fire")
            took = self._prometheus.wait_resolved(alerts, RESOLVE)
            self._check.note(f"resolved within {took:.0f} s")


def tell_stories(check, prometheus, proxy, upstream, relay):
    story = Story(check, prometheus)
    with story("the upstream is gone", "DnsTlsProxyAllUpstreamsDown") as cause:
        upstream.go()
        cause.callback(upstream.come_back)
    with story("one client floods", "DnsTlsProxyClientLimited", "DnsTlsProxyClientQueryRateHigh",
               "DnsTlsProxyAddressQueryRateHigh") as cause:
        cause.enter_context(Flood(proxy.port, seconds=300, connections=1, queries=100, chunk=10000, interval_ms=40,
                                  repeats=1, source="127.0.1.1"))
    with story("one client opens connections without end", "DnsTlsProxyConnectionsRefused") as cause:
        cause.enter_context(Flood(proxy.port, seconds=300, connections=150, rate=20, queries=1, reopens=2,
                                  source="127.0.1.2"))
    with story("the way upstream is slow", "DnsTlsProxyLatencyHigh", "DnsTlsProxyUpstreamSlow") as cause:
        relay.set_delay(seconds=0.4)
        cause.callback(relay.set_delay, seconds=0.0)
    with story("a new configuration is refused", "DnsTlsProxyReloadFailed") as cause:
        good = proxy.config_path.read_text()
        proxy.config_path.write_text("nonsense: 1\n")
        proxy.child.send_signal(1)
        cause.callback(proxy.child.send_signal, 1)
        cause.callback(proxy.config_path.write_text, good)


def servers(*ports):
    return [{"address": "127.0.0.1", "port": port, "name": SERVER_NAME} for port in ports]


def behave(upstream, relay, silent):
    """From the next connection on, which comes at once."""
    upstream.behave(silent=silent)
    relay.close_all()


def tell_of_upstreams(check, folder, pki):
    """With two upstreams, of which one always answers: nothing is said of it, though it stands by."""
    with contextlib.ExitStack() as stack:
        first, second = stack.enter_context(start_misbehaving(pki)), stack.enter_context(start_hostile(pki))
        expired = stack.enter_context(start_hostile(pki, "expired"))
        relay = stack.enter_context(start_relay(first.port))
        proxy = stack.enter_context(Proxy(folder, pki, [relay.port, second.port], name="two"))
        stack.enter_context(scene.busy(proxy, rate=60))
        prometheus = stack.enter_context(Prometheus(folder, [f"127.0.0.1:{proxy.http_port}"]))
        time.sleep(int(RANGE[:-1]) + 5)
        story = Story(check, prometheus)
        with story("one of two upstreams refuses connections", "DnsTlsProxyUpstreamDown") as cause:
            relay.refuse()
            relay.close_all()
            cause.callback(relay.accept)
        with story("one of two upstreams does not answer", "DnsTlsProxyUpstreamSilent") as cause:
            behave(first, relay, silent=True)
            cause.callback(behave, first, relay, silent=False)
        with story("a thread hangs", "DnsTlsProxyNotLive") as cause:
            if not cause.enter_context(frozen(threads(proxy.pid)["worker 01"])):
                raise checks.Skip("no thread of another process can be stopped here")
        with story("zones fail", "DnsTlsProxyServfail") as cause:
            failing = Remote(Load, port=proxy.port, zone="failing.test", prefixes=("servfail-",))
            cause.callback(failing.stop)
            failing.begin("run", seconds=300, rate=60)
        with story("the certificate of one is refused", "DnsTlsProxyCertificateInvalid") as cause:
            former = servers(relay.port, second.port)
            proxy.write_config({"upstreams": servers(expired.port, second.port)})
            proxy.child.send_signal(1)
            cause.callback(proxy.child.send_signal, 1)
            cause.callback(proxy.write_config, {"upstreams": former})


def write_entries(proxy, store, seconds, ahead=0.0, secret=SECRET):
    """Entries that are not to be used, for names that are asked then: so many seconds long."""
    begin = time.monotonic()
    while time.monotonic() - begin < seconds:
        names = [f"entry-{time.monotonic_ns()}-{i}.shared.test" for i in range(10)]
        with store.client() as client:
            client.call_all([("SET", key_of(name), address_entry(name, b"\xc0\x00\x02\x63", age=-ahead).dump(
                digest_of(name), secret)) for name in names])
        ask_all(proxy, names)
        time.sleep(0.5)


def tell_of_the_shared_cache(check, folder, pki, upstream):
    with contextlib.ExitStack() as stack:
        store = stack.enter_context(SharedStore(folder))
        proxy = stack.enter_context(Proxy(folder, pki, [upstream.port], shared_cache(store.port, folder), name="fleet"))
        stack.enter_context(scene.busy(proxy, rate=60))
        prometheus = stack.enter_context(Prometheus(folder, [f"127.0.0.1:{proxy.http_port}"]))
        time.sleep(int(RANGE[:-1]) + 5)
        with check("the store is used: no alert"):
            assert prometheus.firing() == set(), prometheus.firing()
        story = Story(check, prometheus)
        with story("somebody else writes to the store", "DnsTlsProxySharedCacheForged"):
            write_entries(proxy, store, 8, secret=b"somebody else's secret, 32 bytes")
        with story("a clock is ahead", "DnsTlsProxySharedCacheClocks"):
            write_entries(proxy, store, 8, ahead=3600)
        with story("the store is full", "DnsTlsProxySharedCacheNotWritten") as cause, store.client() as client:
            client.call("CONFIG", "SET", "maxmemory", 1)
            cause.callback(lambda: store.client().call("CONFIG", "SET", "maxmemory", 0))
        with story("the store is gone", "DnsTlsProxySharedCacheDown") as cause:
            store.kill()
            cause.callback(store.come_back)


def tell_of_restarts(check, folder, pki, upstream):
    """With `running` the program that runs at the moment."""
    ports = {"listen": [f"127.0.0.1:{free_port()}"], "http": {"listen": f"127.0.0.1:{free_port()}"}}
    running = contextlib.ExitStack()

    def restart():
        running.close()
        running.enter_context(Proxy(folder, pki, [upstream.port], ports, name="again"))

    with Prometheus(folder, [ports["http"]["listen"]]) as prometheus, running:
        restart()
        time.sleep(5)
        story = Story(check, prometheus)
        with story("the program is gone", "DnsTlsProxyDown") as cause:
            running.close()
            cause.callback(restart)
        with story("it starts again and again", "DnsTlsProxyRestarts"):
            for _ in range(3):
                restart()
                time.sleep(3)


def main():
    check = checks.Checks()
    checks.install("prometheus", "redis-server")
    with scene.folder() as folder:
        pki = Pki(folder)
        config = {"rate_limit": {"queries_per_second": 700, "burst": 700}, "clients": {"max_per_address": 100}}
        with start_hostile(pki) as upstream, start_relay(upstream.port) as relay:
            with Proxy(folder, pki, [relay.port], config) as proxy, scene.busy(proxy, rate=60):
                with Prometheus(folder, [f"127.0.0.1:{proxy.http_port}"]) as prometheus:
                    time.sleep(int(RANGE[:-1]) + 5)
                    with check("all is well: no alert"):
                        assert prometheus.firing() == set(), prometheus.firing()
                    tell_stories(check, prometheus, proxy, upstream, relay)
            tell_of_restarts(check, folder, pki, upstream)
            tell_of_the_shared_cache(check, folder, pki, upstream)
        tell_of_upstreams(check, folder, pki)
    check.finish()


if __name__ == "__main__":
    main()
