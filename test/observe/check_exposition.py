#!/usr/bin/python3
"""/metrics of a busy program, judged by the tools of those who read it: promtool, and the OpenMetrics parser of
Prometheus's own Python client."""
import subprocess
import urllib.request

import scene  # first: it says where the modules below are
import checks
from hostile import start_hostile
from pki import Pki
from proxy import Proxy

ACCEPT = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"


def scrape(proxy, accept="text/plain"):
    request = urllib.request.Request(f"http://127.0.0.1:{proxy.http_port}/metrics", headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=10) as response:
        return response.headers["Content-Type"], response.read().decode()


def judge(text):
    """What promtool prints of it: nothing, where it is clean."""
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def check_text(check, proxy):
    text = scrape(proxy)[1]
    with check("promtool check metrics: clean, as text 0.0.4"):
        assert judge(text) == (0, ""), judge(text)
        check.note(f"{sum(not line.startswith('#') for line in text.splitlines())} series")
    with check("promtool would have said so"):
        assert judge(text.replace("_total", "_sum_of"))[0] != 0


def check_open_metrics(check, proxy):
    from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open
    from prometheus_client.parser import text_string_to_metric_families as parse_text
    kind, text = scrape(proxy, ACCEPT)
    with check("OpenMetrics 1.0 where asked for, by a strict parser"):
        assert kind.startswith("application/openmetrics-text; version=1.0.0"), kind
        families = list(parse_open(text))
        check.note(f"{len(families)} families")
    with check("both formats hold the same series"):
        plain = {(sample.name, *sorted(sample.labels.items()))
                 for family in parse_text(scrape(proxy)[1]) for sample in family.samples}
        opened = {(sample.name, *sorted(sample.labels.items())) for family in families for sample in family.samples}
        busiest = "dns_tls_proxy_client_"  # who is among the ten may change from one scrape to the next
        assert {s for s in plain ^ opened if not s[0].startswith(busiest)} == set(), plain ^ opened


def main():
    check = checks.Checks()
    checks.install("prometheus", "python3-prometheus-client")
    with scene.folder() as folder:
        pki = Pki(folder)
        with start_hostile(pki) as first, start_hostile(pki) as second:
            with Proxy(folder, pki, [first.port, second.port]) as proxy, scene.busy(proxy):
                scene.settle(proxy)
                check_text(check, proxy)
                check_open_metrics(check, proxy)
    check.finish()


if __name__ == "__main__":
    main()
