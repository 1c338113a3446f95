"""prometheus: Debian's Prometheus, watching the program with the rules of this tree, made quicker, so that minutes pass
in seconds."""
import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request

import checks  # first: it says where the modules below are
from process import Process, free_port, is_ready, wait_for

RULES = checks.ROOT / "metrics/prometheus"
DASHBOARD = checks.ROOT / "metrics/grafana/dashboard.json"
JOB = "dns-tls-proxy"

#: What the rules look back on and wait for, made short; a scrape a second.
RANGE, HOLD = "15s", "2s"


def hasten(text):
    """The rules as they are, but for their times."""
    text = re.sub(r"\[\d+m\]", f"[{RANGE}]", text)
    return re.sub(r"(?m)^(\s*for: )\S+$", rf"\g<1>{HOLD}", text)


class Prometheus(Process):
    """Scrapes `targets` ("IP:PORT") every second; or, not hastened, as often as the example does, with the rules as
    they are. Tells the Alertmanager on that port of what fires."""

    def __init__(self, folder, targets, alertmanager=None, hastened=True):
        for name in ("recording.yml", "alerts.yml"):
            text = (RULES / name).read_text()
            (folder / name).write_text(hasten(text) if hastened else text)
        every = "1s" if hastened else "15s"
        managers = [{"static_configs": [{"targets": [f"127.0.0.1:{alertmanager}"]}]}] if alertmanager else []
        (folder / "prometheus.json").write_text(json.dumps({
            "global": {"scrape_interval": every, "scrape_timeout": "1s", "evaluation_interval": every},
            "rule_files": ["recording.yml", "alerts.yml"],
            "alerting": {"alertmanagers": managers},
            "scrape_configs": [{"job_name": JOB, "static_configs": [{"targets": targets}]}],
        }))
        self.port = free_port()
        super().__init__("prometheus", [
            "prometheus", f"--config.file={folder}/prometheus.json", f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn",
        ], folder)
        wait_for(lambda: is_ready(f"http://127.0.0.1:{self.port}/-/ready"), "Prometheus is ready", 30)

    def _get(self, path, **parameters):
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as response:
                return json.load(response)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {json.load(error)['error']}") from None

    def query(self, expression):
        """The values of an instant query, NaN left out."""
        values = [float(series["value"][1]) for series in self._get("query", query=expression)["result"]]
        return [value for value in values if value == value]

    def names(self):
        return set(self._get("label/__name__/values"))

    def targets(self):
        return self._get("targets")["activeTargets"]

    def alerts(self):
        return self._get("alerts")["alerts"]

    def firing(self):
        return {alert["labels"]["alertname"] for alert in self.alerts() if alert["state"] == "firing"}

    def alert(self, name):
        """The alert as people see it: its labels and annotations."""
        return next(each for each in self._get("alerts")["alerts"] if each["labels"]["alertname"] == name)

    def wait_firing(self, wanted, seconds):
        """All of `wanted` at some moment each; how long the last took."""
        return self._wait_each(set(wanted), lambda name, firing: name in firing, "fire", seconds)

    def wait_resolved(self, wanted, seconds):
        return self._wait_each(set(wanted), lambda name, firing: name not in firing, "resolve", seconds)

    def _wait_each(self, left, is_so, what, seconds):
        begin = time.monotonic()

        def none_left():
            firing = self.firing()
            left.difference_update([name for name in left if is_so(name, firing)])
            time.sleep(0.2)
            return not left

        try:
            wait_for(none_left, "", seconds)
        except AssertionError:
            firing = sorted(self.firing())
            raise AssertionError(f"{sorted(left)} did not {what} within {seconds} s; firing: {firing}") from None
        return time.monotonic() - begin
