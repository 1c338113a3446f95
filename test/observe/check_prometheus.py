#!/usr/bin/python3
"""A real Prometheus scrapes the busy program: every expression of the rules and of the dashboard returns data."""
import contextlib
import itertools
import json
import re
import threading
import time

import yaml

import scene  # first: it says where the modules below are
import checks
import wire
from alertmanager import EXAMPLE
from hostile import start_hostile
from pki import SERVER_NAME, Pki
from process import wait_for
from prometheus import DASHBOARD, JOB, RANGE, RULES, Prometheus, hasten
from proxy import Proxy
from shared_store import SharedStore, shared_cache
from udpclient import UdpClient

#: What Grafana puts in their places.
VARIABLES = {"$__rate_interval": RANGE, "$__interval": "1s", "$__range": "1m", "$cluster": ".*", "$job": ".+",
             "$instance": ".+"}

#: Queries a second that a client may ask over UDP.
UDP_RATE = 20

#: A comparison with a number, at the end of what is compared.
THRESHOLD = re.compile(r"\s*(?:==|!=|>=|<=|>|<)\s*[\d.]+(?:\s*\*\s*\d+)?")


def rules():
    for path in (RULES / "recording.yml", RULES / "alerts.yml"):
        for group in yaml.safe_load(hasten(path.read_text()))["groups"]:
            yield from group["rules"]


def without_threshold(expression):
    """What an alert compares: data always, where the alert would be silence."""
    absent = re.fullmatch(r"absent\((.*)\)", expression.strip())
    if absent:
        return absent.group(1)
    return THRESHOLD.sub("", expression).replace("> ignoring", "> bool ignoring")


def panels(of):
    for panel in of.get("panels", []):
        yield panel
        yield from panels(panel)


def filled(expression):
    for name, value in sorted(VARIABLES.items(), key=lambda item: -len(item[0])):
        expression = expression.replace(name, value)
    return expression


def dashboard_expressions():
    for panel in panels(json.loads(DASHBOARD.read_text())):
        for target in panel.get("targets", []):
            yield panel["title"], without_threshold(filled(target["expr"]))
    for note in json.loads(DASHBOARD.read_text())["annotations"]["list"]:
        yield note["name"], without_threshold(filled(note["expr"]))


def shown_of_alerts():
    """Of each alert: (not firing before it fires, firing, ended behind it), as one of its tests shows."""
    shown = {}
    for test in yaml.safe_load((RULES / "alerts_test.yml").read_text())["tests"]:
        looks = {}
        for look in test["alert_rule_test"]:
            looks.setdefault(look["alertname"], []).append((seconds(look["eval_time"]), bool(look["exp_alerts"])))
        for name, times in looks.items():
            fires = [at for at, fires in times if fires]
            before = bool(fires) and any(not on and at < min(fires) for at, on in times)
            behind = bool(fires) and any(not on and at > max(fires) for at, on in times)
            shown[name] = tuple(a or b for a, b in zip(shown.get(name, (False,) * 3), (before, bool(fires), behind)))
    return shown


def seconds(duration):
    units = {"s": 1, "m": 60, "h": 3600}
    return sum(int(number) * units[unit] for number, unit in re.findall(r"(\d+)([smh])", duration))


def names_of(matcher):
    """alertname = "A", or alertname =~ "A(B|C)"."""
    start, _, ends = re.fullmatch(r'alertname =~? "(.+)"', matcher).group(1).partition("(")
    return [start + end for end in ends.rstrip(")").split("|")]


def check_tests(check):
    """promtool runs what is there; it does not say what is missing."""
    alerts = [rule for rule in rules() if "alert" in rule]
    with check("every alert has a test of not firing, of firing, and of its end"):
        shown = shown_of_alerts()
        short = {rule["alert"]: shown.get(rule["alert"]) for rule in alerts if shown.get(rule["alert"]) != (True,) * 3}
        assert alerts and not short, short
        check.note(f"{len(alerts)} alerts")
    with check("every alert of Alertmanager's example exists"):
        inhibit = yaml.safe_load(EXAMPLE.read_text())["inhibit_rules"]
        names = {rule["alert"] for rule in alerts}
        wanted = {name for rule in inhibit for key in ("source_matchers", "target_matchers")
                  for matcher in rule[key] for name in names_of(matcher)}
        assert wanted and wanted <= names, wanted - names


def check_files(check):
    with check("promtool and amtool: rules, the examples, and the alerts' own tests"):
        checks.run("amtool", "check-config", EXAMPLE)
        checks.run("promtool", "check", "rules", RULES / "recording.yml", RULES / "alerts.yml")
        checks.run("promtool", "check", "config", RULES / "prometheus.example.yml")
        checks.run("promtool", "test", "rules", "alerts_test.yml", "recording_test.yml", cwd=RULES)


def check_scrape(check, prometheus):
    with check("the program is scraped"):
        def scraped():
            return all(target["health"] == "up" for target in prometheus.targets()) and prometheus.query("up")

        wait_for(scraped, "the target is up", 15)
        (target,) = prometheus.targets()
        check.note(f"a scrape takes {target['lastScrapeDuration'] * 1000:.1f} ms, "
                   f"{int(prometheus.query('scrape_samples_scraped')[0])} samples")


def check_has_data(check, prometheus, what, expressions):
    with check(f"{what} return data"):
        empty = [f"{title}: {expression}" for title, expression in expressions if not prometheus.query(expression)]
        assert expressions and not empty, "nothing from " + "\n".join(empty)
        check.note(f"{len(expressions)} expressions")


def check_rules(check, prometheus):
    recorded = [(rule["record"], rule["record"]) for rule in rules() if "record" in rule
                and not rule["record"].endswith(":recent")]  # these are there while an alert fires
    alerts = [(rule["alert"], without_threshold(rule["expr"])) for rule in rules() if "alert" in rule]
    check_has_data(check, prometheus, "recorded series", recorded)
    check_has_data(check, prometheus, "what the alerts compare", alerts)
    with check("no name in a rule or panel is unknown"):
        names = prometheus.names()
        text = " ".join(rule["expr"] for rule in rules()) + " ".join(expr for _, expr in dashboard_expressions())
        used = set(re.findall(r"\b(?:dns_tls_proxy|process)_[a-z0-9_]+|\binstance:[\w:]+", text))
        used -= {rule["record"] for rule in rules() if rule.get("record", "").endswith(":recent")}
        assert used and used <= names, used - names
    with check("no alert fires while all is well"):
        assert prometheus.firing() == set(), prometheus.firing()


def check_dashboard(check, prometheus):
    check_has_data(check, prometheus, "the dashboard's panels", list(dashboard_expressions()))
    with check("the dashboard's variables find what they look for"):
        variables = json.loads(DASHBOARD.read_text())["templating"]["list"]
        asked = [variable["query"]["query"] for variable in variables if variable["type"] == "query"]
        for query in asked:
            metric, label = re.fullmatch(r"label_values\((.+), (\w+)\)", query).groups()
            assert prometheus.query(f"count by ({label}) ({filled(metric)})"), query
        assert asked and prometheus.query(f'up{{job="{JOB}"}}') == [1]


def settings(upstream, store, folder):
    """With a route, records, a limit over UDP, and a shared cache."""
    server = {"address": "127.0.0.1", "port": upstream.port, "name": SERVER_NAME}
    return {"routes": [{"zones": ["corp.test"], "upstreams": [server]}],
            "names": {"records": ["nas.home.test 300 IN A 192.0.2.5"]},
            "udp": {"responses_per_second": UDP_RATE}, **shared_cache(store.port, folder)}


@contextlib.contextmanager
def over_udp(proxy):
    """A client that asks names of the route, of the records and others, and a little more than it may: so little that
    it is no flood."""
    ended = threading.Event()

    def ask():
        with UdpClient(proxy.port, source=("127.0.8.1", 0)) as client:
            client.send(*(wire.query("nas.home.test", number=i) for i in range(3 * UDP_RATE)))  # the burst is used
            begin = time.monotonic()
            for number in itertools.count():  # by the clock: a late one is followed by the next at once
                if ended.wait(max(0.0, begin + number / (UDP_RATE + 0.5) - time.monotonic())):
                    return
                names = (f"n{number}.corp.test", "nas.home.test", f"n{number}.other.test")
                client.send(wire.query(names[number % 3], number=number % 65536))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def main():
    check = checks.Checks()
    checks.install("prometheus", "prometheus-alertmanager", "redis-server")
    check_files(check)
    check_tests(check)
    with scene.folder() as folder:
        pki = Pki(folder)
        with (start_hostile(pki) as first, start_hostile(pki) as second, SharedStore(folder) as store,
              Proxy(folder, pki, [first.port, second.port], settings(second, store, folder)) as proxy):
            with (scene.busy(proxy), over_udp(proxy),
                  Prometheus(folder, [f"127.0.0.1:{proxy.http_port}"]) as prometheus):
                check_scrape(check, prometheus)
                time.sleep(int(RANGE[:-1]) - 5)  # a whole range of samples; handshakes among them
                first.end_all(how="close")
                time.sleep(5)
                check_rules(check, prometheus)
                check_dashboard(check, prometheus)
    check.finish()


if __name__ == "__main__":
    main()
