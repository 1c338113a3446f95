"""Four workers share the cache while it is full, refreshed, flushed and reloaded, all at once. Built with the thread
sanitizer it shows that none of them steps on another's toes.
"""
import itertools
import time

import wire
from dnsclient import ask
from figures import Since, post
from load import Load
from process import wait_for
from proxy import Proxy, is_sanitized
from remote import Remote

SECONDS = 4
RATE = 200 if is_sanitized() else 1000
CACHES = [{"max_size": "8KiB", "max_ttl": "1s", "serve_stale": 0}, {"max_size": "64KiB", "max_ttl": "1d"},
          {"max_size": 0}, {"max_size": "16KiB", "serve_stale": "1s"}]


def check(report):
    assert report["lost"] == 0 and report["unexpected"] == 0 and report["mismatched"] == 0, report
    assert report["rcodes"] == {"0": report["sent"]}, report


def test_all_at_once(tmp_path, pki, hostile):
    config = {"workers": 4, "cache": CACHES[-1], "prefetch": {"half_life": "1s"}}
    with Proxy(tmp_path, pki, [hostile.port], config) as proxy:
        since = Since(proxy)
        with Remote(Load, port=proxy.port, prefixes=["ttl-1-hot", "ttl-3-hot"], names=30) as hot:
            with Remote(Load, port=proxy.port, prefixes=["once-"]) as scan:
                pending = [load.begin("run", seconds=SECONDS, rate=RATE, connections=16) for load in (hot, scan)]
                wait_for(lambda: since.sum("queries_total") > RATE / 2, "the load flows")
                end = time.monotonic() + SECONDS - 1
                for cache in itertools.cycle(CACHES):
                    proxy.reload({"cache": cache}, "reload")
                    time.sleep(0.2)  # the load goes on with it
                    if time.monotonic() > end:
                        break
                post(proxy, "/cache/flush")
                for load in pending:
                    check(load.result())
        assert since.sum("cache_evictions_total") > 0 and since.sum("prefetch_total", result="refreshed") > 0
        assert since.sum("cache_hits_total") > 0
        assert wire.rcode_of(ask(proxy.port, "afterwards.test")) == wire.NOERROR
