#!/usr/bin/python3
"""The status page in Chromium while the program is busy: figures move, the console is silent, no request leaves, what
looks like markup in a name is text, and nothing is wider than the window it is seen in."""
import contextlib
import itertools
import json
import re
import sys
import time
import urllib.error
import urllib.request

import scene  # first: it says where the modules below are
import checks
from demo import MARKUP, demo
from dnsclient import ask
from flood import Flood
from hostile import start_hostile
from pki import Pki
from process import free_port, in_background
from proxy import Proxy

#: Where pictures of an outage and of a flood are kept, if anywhere: check_page.py OUTAGE.png FLOOD.png.
PICTURES = sys.argv[1:3]


def check_live(check, seen):
    with check("the figures and the chart move"):
        assert seen["state"] == "ready", seen["state"]
        assert seen["before"]["chart"] != seen["after"]["chart"] and seen["after"]["chart"].startswith("M")
        assert float(seen["after"]["qps"].replace(",", "")) > 50, seen["after"]
        assert seen["before"]["accepted"] != seen["after"]["accepted"]
        check.note(f"{seen['before']['qps']} queries a second, then {seen['after']['qps']}")
    check_use(check, seen["used"], seen["unfolded"])
    check_queries(check, seen["queries"])
    with check("nothing on the console, no error, no failed request"):
        assert not any(window["messages"] for window in seen["windows"]), seen["windows"]
    with check("no request leaves"):
        assert not any(window["strangers"] for window in seen["windows"]), seen["windows"]
        assert all(window["requests"] > 5 for window in seen["windows"])
        check.note(f"{sum(window['requests'] for window in seen['windows'])} requests, all to the program")
    with check(f"a name of {MARKUP} is text"):
        assert seen["markup"] >= 1, seen["names"]
        assert seen["inside"] == {"scripts": 1, "inline": 0}
        assert not any(window["dialogs"] for window in seen["windows"])
    for window in seen["windows"]:
        with check(f"nothing is wider than the window: {window['name']}"):
            assert window["overflow"] <= 0, f"by {window['overflow']} px"
    with check("light and dark differ"):
        light, dark = seen["backgrounds"]
        assert light != dark, light


def check_use(check, used, unfolded):
    with check("a name that is selected stays selected while the page goes on"):
        assert used["selected"] and used["stillSelected"] == used["selected"], used
    with check("the chart is read by keyboard, and shows an hour with the start marked"):
        assert "/s, upstream " in used["note"] and used["hour"] == "1 h ago", used
        assert any(mark.startswith("start") for mark in used["marks"]), used["marks"]
    with check("the configuration in force is shown"):
        config = used["config"]
        assert "query_timeout: 4500ms" in config or "query_timeout: 4.5s" in config, config[:300]
    with check("a purge asks first and then says what it did"):
        assert used["asked"] == "Remove the answers for www.example.com?", used["asked"]
        assert used["purged"].endswith("answers removed"), used["purged"]
    with check("on a phone the details of an upstream are folded"):
        assert unfolded == {"before": False, "after": True}, unfolded


def check_axe(check, what, url):
    """Faults that keep people from using it, by axe-core's rules, in every window and with everything open."""
    seen = json.loads(scene.browse("axe.js", url))
    with check(f"axe has no finding: {what}"):
        assert not seen["found"], json.dumps(seen["found"], indent=1)
        check.note(f"{seen['windows']} windows")


def check_queries(check, seen):
    with check("single queries are shown with why they failed, by whom and for how long"):
        assert seen["all"]["rows"] > 0 and seen["first"]["result"].startswith("SERVFAIL"), seen
        assert seen["first"]["client"].startswith("10.42.0.") and "broken-" in seen["first"]["name"], seen["first"]
        assert seen["seen"].startswith("Since the start: "), seen["seen"]
    with check("they can be filtered by kind, name, client and duration"):
        assert set(seen["kind"]["kinds"]) == {"servfail"} and seen["kind"]["rows"] > 0, seen["kind"]
        assert seen["name"]["rows"] == 1, seen["name"]
        assert seen["client"]["rows"] > 0 and len(set(seen["client"]["clients"])) == 1, seen["client"]
        assert seen["long"]["rows"] == 0 and seen["long"]["none"] == "None.", seen["long"]
        assert seen["bad"].startswith("client: an address or a prefix is wanted"), seen["bad"]
    with check("the list can be paused, and goes on afterwards"):
        assert seen["paused"][0] == seen["paused"][1] and seen["button"] == "Resume", seen
        assert seen["paused"][1] != seen["resumed"], seen


def check_switched_off(check):
    with scene.folder() as folder, start_hostile(pki := Pki(folder)) as upstream:
        with Proxy(folder, pki, [upstream.port], {"http": {"status_page": False}}) as proxy:
            for path in ("/", "/status.json", "/history.json?range=5m", "/config.yaml", "/page.js", "/figures.js",
                         "/charts.js", "/rows.js", "/queries.js", "/queries.json", "/page.css"):
                with check(f"status_page: false: {path} is not to be had"):
                    try:
                        urllib.request.urlopen(f"http://127.0.0.1:{proxy.http_port}{path}", timeout=10).close()
                        raise AssertionError("it is")
                    except urllib.error.HTTPError as error:
                        assert error.code == 404, error.code
            with check("and /metrics is"):
                assert "dns_tls_proxy_queries_total" in scene.fetch(proxy, "/metrics")


def asking(proxy):
    """A client that asks ten names a second, each a new one."""
    numbers = itertools.count()

    def step():
        with contextlib.suppress(OSError):
            ask(proxy.port, f"n{next(numbers)}.outage.test")
        time.sleep(0.1)

    return in_background(step)


def check_outage(check):
    """Its upstream does not exist: the page says so, with the cause."""
    with scene.folder() as folder:
        with Proxy(folder, Pki(folder), [free_port()]) as proxy, asking(proxy):
            url = f"http://127.0.0.1:{proxy.http_port}/"
            seen = json.loads(scene.browse("outage.js", url, *PICTURES[:1]))
            check_axe(check, "in an outage", url)
    with check("an outage is shown with its cause, since when, what still works, and the runbook"):
        assert "no upstream has answered yet" in seen["text"] and "Connection refused" in seen["text"], seen
        assert re.search(r"Since \S+.*, for \d+ s: ", seen["text"]), seen["text"]
        assert re.search(r"from the cache [\d.]+, stale [\d.]+, SERVFAIL [\d.]+", seen["works"]), seen["works"]
        assert seen["link"].endswith("RUNBOOK.md#dnstlsproxyallupstreamsdown"), seen["link"]
        check.note(f"{seen['text']} {seen['works']}")
    with check("SERVFAIL is a red area in the large chart"):
        red, green, blue = map(int, re.findall(r"\d+", seen["colour"])[:3])
        assert red > 150 and red > 2 * max(green, blue), seen["colour"]
        heights = {float(y) for y in re.findall(r"L[\d.]+ ([\d.]+)", seen["failed"])}
        assert heights and min(heights) < 95, "it has a height"
    with check("an upstream's state is shown with its time and the last answer"):
        assert re.search(r"down\s+for \d+ s, no answer yet", " ".join(seen["states"])), seen["states"]


def check_flood(check):
    with scene.folder() as folder, start_hostile(pki := Pki(folder)) as upstream:
        settings = {"rate_limit": {"queries_per_second": 50, "burst": 50}}
        with Proxy(folder, pki, [upstream.port], settings) as proxy:
            ask(proxy.port, "flood.test")
            with Flood(proxy.port, seconds=120, connections=1, queries=100, chunk=10000, interval_ms=250, repeats=1,
                       source="127.0.1.1"):
                url = f"http://127.0.0.1:{proxy.http_port}/"
                seen = json.loads(scene.browse("flood.js", url, *PICTURES[1:]))
                check_axe(check, "in a flood", url)
    with check("a client that floods has its refused queries a second beside it"):
        (refused, asked), = [row[1:] for row in seen["rows"] if row[0] == "127.0.1.1"]
        assert 50 < float(refused.replace(",", "")) < float(asked.replace(",", "")), seen["rows"]
        assert seen["link"].endswith("RUNBOOK.md#dnstlsproxyclientlimited"), seen["link"]
        check.note(f"{asked} queries a second, {refused} refused")


def check_policy(check, proxy):
    with check("the content security policy allows nothing from elsewhere and nothing inline"):
        with urllib.request.urlopen(f"http://127.0.0.1:{proxy.http_port}/", timeout=10) as response:
            policy = response.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "*" not in policy, policy
        check.note(policy)


def main():
    check = checks.Checks()
    scene.browser_driver()
    with demo() as proxy:
        scene.settle(proxy)
        check_policy(check, proxy)
        check_axe(check, "busy", f"http://127.0.0.1:{proxy.http_port}/")
        check_live(check, json.loads(scene.browse("page.js", f"http://127.0.0.1:{proxy.http_port}/", MARKUP)))
    check_outage(check)
    check_flood(check)
    check_switched_off(check)
    check.finish()


if __name__ == "__main__":
    main()
