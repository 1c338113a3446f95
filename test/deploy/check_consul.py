#!/usr/bin/python3
"""The Consul definition and the Prometheus example, with a real agent and a real Prometheus (of the Debian release
that has both with Consul in them), both on loopback: registration, health by /readyz, discovery, deregistration."""
import http.server
import json
import os
import re
import shutil
import tempfile
import threading
import urllib.request
import pathlib

import checks
from process import Process, free_port, wait_for

DEFINITION = checks.DEPLOY / "consul/dns-tls-proxy.json"
PROMETHEUS = checks.DEPLOY / "consul/prometheus.yml"
SUITE = "bullseye"


def other_suite(packages):
    """Packages of another Debian suite, unpacked below the cache; the system's own apt configuration is not touched."""
    folder = checks.CACHE / SUITE
    tree = folder / "tree"
    if (tree / "made").exists():
        return tree
    for part in ("lists/partial", "cache/archives/partial", "tree"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    stanza = pathlib.Path("/etc/apt/sources.list.d/debian.sources").read_text().split("\n\n")[0]
    (folder / "suite.sources").write_text(re.sub(r"(?m)^Suites:.*", f"Suites: {SUITE}", stanza) + "\n")
    options = [
        f"-oDir::Etc::sourcelist={folder}/suite.sources",
        "-oDir::Etc::sourceparts=/dev/null",
        f"-oDir::State::lists={folder}/lists",
        f"-oDir::Cache={folder}/cache",
        "-oAPT::Sandbox::User=root",
    ]
    try:
        checks.run("apt-get", "-qq", *options, "update")
        checks.run("apt-get", "-qq", *options, "download", *(f"{package}/{SUITE}" for package in packages), cwd=folder)
    except AssertionError as gone:
        raise checks.Skip(f"Debian {SUITE} cannot be had: {gone}") from None
    for package in folder.glob("*.deb"):
        checks.run("dpkg", "-x", package, tree)
    (tree / "made").touch()
    return tree


class Instance(http.server.ThreadingHTTPServer):
    """What Consul and Prometheus see of an instance: /readyz as `ready` says, /healthz, /metrics."""

    def __init__(self, port):
        self.ready = True
        super().__init__(("127.0.0.1", port), Answer)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(503 if self.path == "/readyz" and not self.server.ready else 200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        if self.path == "/metrics":
            self.wfile.write(b"# TYPE dns_tls_proxy_client_connections gauge\ndns_tls_proxy_client_connections 7\n")

    def log_message(self, *_):
        pass


def get(url):
    with urllib.request.urlopen(url, timeout=5) as answer:
        return json.load(answer)


def get_or_none(url):
    """None while nobody answers, or not with 200."""
    try:
        return get(url)
    except OSError:
        return None


class Agent(Process):
    def __init__(self, tree, folder):
        self.tree = tree
        self.http, self.dns = free_port(), free_port()
        # The definition as it is but for the ports, which are free ones here, and shorter intervals.
        super().__init__(
            "consul",
            [
                tree / "usr/bin/consul",
                "agent",
                "-dev",
                "-bind=127.0.0.1",
                "-client=127.0.0.1",
                f"-http-port={self.http}",
                f"-dns-port={self.dns}",
                "-grpc-port=-1",
                f"-serf-lan-port={free_port()}",
                "-serf-wan-port=-1",
                f"-server-port={free_port()}",
                f"-config-dir={folder}/consul.d",
            ],
            folder,
        )
        wait_for(
            lambda: get_or_none(f"http://127.0.0.1:{self.http}/v1/status/leader"), "the agent has elected itself", 30
        )

    def passing(self):
        return len(get(f"http://127.0.0.1:{self.http}/v1/health/service/dns-tls-proxy?passing"))

    def command(self, *arguments, **options):
        return checks.run(
            self.tree / "usr/bin/consul",
            *arguments,
            env={**os.environ, "CONSUL_HTTP_ADDR": f"127.0.0.1:{self.http}"},
            **options,
        )


def definition_with(metrics_port):
    definition = json.loads(DEFINITION.read_text().replace("127.0.0.1:5000", f"127.0.0.1:{metrics_port}"))
    definition["service"]["meta"]["metrics_port"] = str(metrics_port)
    for each in definition["service"]["checks"]:
        each["interval"] = "100ms"
    return json.dumps(definition)


def check_definition(check, tree, folder):
    with check("consul validate accepts the definition"):
        shutil.copy(DEFINITION, folder / "validate.d")
        (folder / "validate.d/agent.json").write_text(
            '{"data_dir": "/var/lib/consul"}'
        )  # as every agent's own configuration says
        checks.run(tree / "usr/bin/consul", "validate", folder / "validate.d")
    with check("every check has an interval and a timeout (validate does not ask for them)"):
        for each in json.loads(DEFINITION.read_text())["service"]["checks"]:
            assert each["interval"] and each["timeout"], each
    with check("promtool accepts the Prometheus example"):
        checks.run(tree / "usr/bin/promtool", "check", "config", PROMETHEUS)


def check_health(check, agent, instance):
    with check("the instance passes while /readyz is 200"):
        wait_for(lambda: agent.passing() == 1, "passing")
    with check("Consul's DNS gives its SRV record with port 53"):
        srv = checks.output("kdig", "+short", "@127.0.0.1", "-p", agent.dns, "dns-tls-proxy.service.consul", "SRV")
        assert re.fullmatch(r"1 1 53 \S+", srv), srv
    with check("it is out while /readyz is 503, and back after"):
        instance.ready = False
        wait_for(lambda: agent.passing() == 0, "critical")
        instance.ready = True
        wait_for(lambda: agent.passing() == 1, "passing again")
    with check("maintenance takes it out and gives it back"):
        agent.command("maint", "-enable", "-service=dns-tls-proxy", "-reason=upgrade")
        assert agent.passing() == 0
        agent.command("maint", "-disable", "-service=dns-tls-proxy")
        wait_for(lambda: agent.passing() == 1, "passing again")


def check_discovery(check, tree, folder, agent, port):
    with check("Prometheus finds it through Consul and scrapes the port of its meta"):
        config = folder / "prometheus.yml"
        config.write_text(
            PROMETHEUS.read_text()
            .replace("127.0.0.1:8500", f"127.0.0.1:{agent.http}")
            .replace("scrape_interval: 15s", "scrape_interval: 1s")
            .replace("scrape_timeout: 5s", "scrape_timeout: 1s")
        )
        web = free_port()
        url = f"http://127.0.0.1:{web}/api/v1/query?query=dns_tls_proxy_client_connections"
        with Process(
            "prometheus",
            [
                tree / "usr/bin/prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={folder}/tsdb",
                f"--web.listen-address=127.0.0.1:{web}",
            ],
            folder,
        ) as server:
            server.wait_listening(web)
            result = wait_for(
                lambda: (get_or_none(url) or {"data": {"result": None}})["data"]["result"], "a scraped figure", 30
            )
        labels = result[0]["metric"]
        assert labels["job"] == "dns-tls-proxy" and labels["instance"] == f"127.0.0.1:{port}" and labels["node"], labels
        assert result[0]["value"][1] == "7", result


def check_deregistration(check, agent, folder):
    with check("without its file, and after a reload, it is gone"):
        (folder / "consul.d/dns-tls-proxy.json").unlink()
        agent.command("reload")
        wait_for(lambda: agent.passing() == 0, "gone")
    with check("it registers and deregisters through the API with the same definition"):
        agent.command("services", "register", folder / "api.json")
        wait_for(lambda: agent.passing() == 1, "passing")
        agent.command("services", "deregister", folder / "api.json")
        wait_for(lambda: agent.passing() == 0, "gone")


def main():
    check = checks.Checks(serves=False)
    checks.install("knot-dnsutils")
    tree = None
    with check(f"Consul and Prometheus of Debian {SUITE} are to be had"):
        tree = other_suite(("consul", "prometheus"))
    if tree:
        with tempfile.TemporaryDirectory() as name:
            folder, port = pathlib.Path(name), free_port()
            instance = Instance(port)
            for part in ("consul.d", "validate.d"):
                (folder / part).mkdir()
            for place in ("consul.d/dns-tls-proxy.json", "api.json"):
                (folder / place).write_text(definition_with(port))
            check_definition(check, tree, folder)
            with Agent(tree, folder) as agent:
                check_health(check, agent, instance)
                check_discovery(check, tree, folder, agent, port)
                check_deregistration(check, agent, folder)
    check.finish()


if __name__ == "__main__":
    main()
