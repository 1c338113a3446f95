#!/usr/bin/python3
"""The Kubernetes manifests: every overlay as it would be applied, against the API's own schemas, and what schemas
cannot know: that names meet, that the pods keep to the strictest standard, that the settings are accepted, that the
alert rules are today's."""
import copy
import hashlib
import pathlib
import re
import shutil
import tempfile

import yaml

import checks

KUBERNETES = checks.DEPLOY / "kubernetes"
TARGETS = {
    "base": "DaemonSet",
    "overlays/deployment": "Deployment",
    "overlays/prometheus-operator": "DaemonSet",
    "overlays/prometheus-operator-deployment": "Deployment",
    "overlays/shared-cache": "DaemonSet",
}
STORE = "dns-tls-proxy-store"
SECRETS = "/etc/dns-tls-proxy-fleet"  #: where the pods have them
NPM = {
    "kubernetes-models": "4.5.1",
    "@kubernetes-models/prometheus-operator": "4.4.4",
    "js-yaml": "4.1.0",
    "typescript": "5.4.5",
}


def render(target):
    """The documents an operator would apply."""
    for command in (["kubectl", "kustomize"], ["kustomize", "build"]):
        if shutil.which(command[0]):
            return list(yaml.safe_load_all(checks.output(*command, KUBERNETES / target)))
    raise checks.Skip("neither kubectl nor kustomize is installed")


def npm_folder():
    folder = checks.CACHE / "npm"
    if not (folder / "made").exists():
        if not shutil.which("npm"):
            raise checks.Skip("npm is not installed")
        folder.mkdir(parents=True, exist_ok=True)
        checks.run(
            "npm",
            "install",
            "--no-audit",
            "--no-fund",
            *(f"{name}@{version}" for name, version in NPM.items()),
            cwd=folder,
        )
        (folder / "made").touch()
    return folder


def validate(documents):
    """Whether the API would take them; and what it would say."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump_all(documents, file)
        file.flush()
        done = checks.run(
            "node", checks.ROOT / "test/deploy/manifests/validate.js", file.name, check=False, cwd=npm_folder()
        )
    return done.returncode == 0, done.stdout + done.stderr


def one(documents, kind, name="dns-tls-proxy"):
    """The one whose name has the least behind `name`."""
    found = [each for each in documents if each["kind"] == kind and each["metadata"]["name"].startswith(name)]
    assert found, f"no {kind}"
    return min(found, key=lambda each: len(each["metadata"]["name"]))


def without_store(documents):
    """Those of the proxy alone."""
    return [each for each in documents if not each["metadata"]["name"].startswith(STORE)]


def selects(selector, labels):
    return selector.items() <= labels.items()


def names_meet(documents, workload):
    template = one(documents, workload)["spec"]["template"]
    labels, container = template["metadata"]["labels"], template["spec"]["containers"][0]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"dns": 8853, "dns-tcp": 8853, "http": 5000}, ports
    for service in (each for each in documents if each["kind"] == "Service"):
        assert selects(service["spec"]["selector"], labels), f"{service['metadata']['name']} selects no pod"
        assert all(port["targetPort"] in ports for port in service["spec"]["ports"])
    dns = one(documents, "Service")["spec"]["ports"]
    assert [(port["port"], port["protocol"], port["targetPort"]) for port in dns] == [
        (53, "UDP", "dns"), (53, "TCP", "dns-tcp")], dns
    for kind, key in (("PodDisruptionBudget", "selector"), ("NetworkPolicy", "podSelector")):
        assert selects(one(documents, kind)["spec"][key]["matchLabels"], labels), f"{kind} selects no pod"
    config = template["spec"]["volumes"][0]["configMap"]["name"]
    assert config == one(documents, "ConfigMap")["metadata"]["name"] and re.fullmatch(
        r"dns-tls-proxy-\w{10}", config
    ), config
    assert container["image"] == "dns-tls-proxy:" + project_version(), container["image"]


def project_version():
    return re.search(r"project\(dns-tls-proxy VERSION (\S+)", (checks.ROOT / "CMakeLists.txt").read_text()).group(1)


def keeps_to_the_restricted_standard(pod):
    """The rules of Kubernetes' "restricted" pod security standard, and a root that is read-only."""
    outer, inner = pod["securityContext"], pod["containers"][0]["securityContext"]
    assert (
        outer["runAsNonRoot"] is True and outer["runAsUser"] > 0 and outer["seccompProfile"]["type"] == "RuntimeDefault"
    )
    assert inner["allowPrivilegeEscalation"] is False and inner["capabilities"] == {"drop": ["ALL"]}
    assert inner["readOnlyRootFilesystem"] is True and not inner.get("privileged")
    assert (
        not any(pod.get(key) for key in ("hostNetwork", "hostPID", "hostIPC"))
        and pod["automountServiceAccountToken"] is False
    )
    assert all("hostPort" not in port for port in pod["containers"][0]["ports"])


def rolls_without_a_gap(spec):
    """A new pod is ready before an old one goes; the old one accepts until the Service has forgotten it; and
    there is time for all of that."""
    strategy = (spec.get("updateStrategy") or spec.get("strategy"))["rollingUpdate"]
    assert strategy == {"maxSurge": 1, "maxUnavailable": 0}, strategy
    pod = spec["template"]["spec"]
    pause = pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] >= pause + 2 * 5, "preStop, drain_timeout and room"
    assert pod["containers"][0]["readinessProbe"]["httpGet"]["path"] == "/readyz"


def settings_are_accepted(documents, folder):
    """By the program, and they are the ports and upstreams the other documents speak of."""
    path = folder / "dns-tls-proxy.yaml"
    if not checks.PROGRAM.exists():
        raise checks.Skip(f"{checks.PROGRAM} is not built")
    checks.run(checks.DEPLOY / "fleet/make-secrets", folder / "secrets")  # the program looks at them
    path.write_text(one(documents, "ConfigMap")["data"]["dns-tls-proxy.yaml"].replace(SECRETS, f"{folder}/secrets"))
    checks.run(checks.PROGRAM, "--config", path, "--check-config")
    settings = yaml.safe_load(path.read_text())
    assert {address.rpartition(":")[2] for address in settings["listen"]} == {"8853"} and settings["http"][
        "listen"
    ].endswith(":5000")
    allowed = {
        to["ipBlock"]["cidr"].partition("/")[0] for to in one(documents, "NetworkPolicy")["spec"]["egress"][0]["to"]
    }
    reference = checks.output(checks.PROGRAM, "--print-config-doc=markdown")
    asked = set(re.findall(r'\{address: "([^"]+)"', reference))
    assert allowed == asked, f"the policy lets out to {allowed}, the program asks {asked}"


def rules_are_todays(documents):
    groups = []
    for path in sorted((checks.ROOT / "metrics/prometheus").glob("*.yml")):
        groups += yaml.safe_load(path.read_text()).get("groups", [])
    assert groups, "no rules in metrics/prometheus"
    assert one(documents, "PrometheusRule")["spec"]["groups"] == groups, "run scripts/deploy/kubernetes/make-rules"


def links_lead_to_a_copy(folder):
    """make-rules with an address, on a copy of what it reads and writes."""
    for part in ("metrics/prometheus", "scripts/deploy/kubernetes"):
        shutil.copytree(checks.ROOT / part, folder / part)
    address = "https://wiki.example/dns & tls/RUNBOOK.html"
    checks.run(folder / "scripts/deploy/kubernetes/make-rules", address)
    (made,) = folder.glob("scripts/deploy/kubernetes/overlays/prometheus-operator/prometheusrule.yaml")
    shipped = checks.ROOT / made.relative_to(folder)
    assert shipped.read_text().splitlines() != made.read_text().splitlines()
    changed = set(made.read_text().splitlines()) - set(shipped.read_text().splitlines())
    assert [yaml.safe_load(line) for line in changed] == [{"url": address}], changed


def check_overlay(check, target, workload, folder):
    documents = None
    with check(f"{target} renders"):
        documents = render(target)
    if not documents:
        return
    with check(f"{target}: every document fits the API's schema and has no unknown key"):
        fits, said = validate(documents)
        assert fits, said
        check.note(said.strip())
    whole, documents = documents, without_store(documents)
    with check(f"{target}: selectors, ports and names meet"):
        names_meet(documents, workload)
    with check(f"{target}: the pods keep to the restricted standard with a read-only root"):
        keeps_to_the_restricted_standard(one(documents, workload)["spec"]["template"]["spec"])
    with check(f"{target}: a rolling update leaves no gap"):
        rolls_without_a_gap(one(documents, workload)["spec"])
    with check(f"{target}: the program accepts the settings, and the policy lets it to its upstreams"):
        settings_are_accepted(documents, folder)
    if "prometheus-operator" in target:
        with check(f"{target}: the rules are those of metrics/prometheus"):
            rules_are_todays(documents)
        with check(f"{target}: made with the address of a copy of the runbook, the alerts link to that"):
            links_lead_to_a_copy(pathlib.Path(tempfile.mkdtemp(dir=folder)))
    return whole


def store_meets_the_proxy(documents, workload, store):
    """`store`: the name of its documents. Addresses, ports, labels, secrets and limits agree, and nobody else gets to
    it."""
    name = store.removesuffix("-store")
    settings = yaml.safe_load(one(documents, "ConfigMap", name)["data"]["dns-tls-proxy.yaml"])["shared_cache"]
    service, pods = one(documents, "Service", store)["spec"], one(documents, "Deployment", store)["spec"]
    labels = pods["template"]["metadata"]["labels"]
    assert selects(service["selector"], labels) and selects(pods["selector"]["matchLabels"], labels)
    assert settings["address"] == f"{service['clusterIP']}:{service['ports'][0]['port']}", settings
    keeps_to_the_restricted_standard(pods["template"]["spec"])

    proxy = workload["spec"]["template"]
    mount, volume = (next(each for each in where if each["name"] == "fleet") for where in (
        proxy["spec"]["containers"][0]["volumeMounts"], proxy["spec"]["volumes"]))
    there = {f"{mount['mountPath']}/{item['path']}" for item in volume["secret"]["items"]}
    assert there == {settings["secret_file"], settings["password_file"]}, there
    users = next(each for each in pods["template"]["spec"]["volumes"] if each["name"] == "users")
    assert users["secret"]["secretName"] == volume["secret"]["secretName"], "one Secret has all files"

    policies = [each["spec"] for each in documents if each["kind"] == "NetworkPolicy"]
    (own,) = [each for each in policies if selects(each["podSelector"]["matchLabels"], labels)]
    (peer,) = own["ingress"][0]["from"]
    assert own["egress"] == [] and selects(peer["podSelector"]["matchLabels"], proxy["metadata"]["labels"])
    (out,) = [each for each in policies if selects(each["podSelector"]["matchLabels"], proxy["metadata"]["labels"])]
    assert any(selects(to["podSelector"]["matchLabels"], labels) for rule in out["egress"] for to in rule["to"]
               if "podSelector" in to), "the policy lets the pods out to the store"

    configuration = one(documents, "ConfigMap", store)["data"]["store.conf"]
    most = int(re.search(r"(?m)^maxmemory (\d+)mb$", configuration).group(1))
    limit = pods["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"]
    assert 1.5 * most <= int(limit.removesuffix("Mi")), "room for buffers and fragments"
    assert re.search(r"(?m)^maxmemory-policy allkeys-lru$", configuration)


def check_secrets(check, folder):
    """What make-secrets makes is what the settings and the manifests name."""
    with check("make-secrets: the files of a fleet, which a second run leaves as they are"):
        made = folder / "secrets"
        for _ in range(2):
            checks.run(checks.DEPLOY / "fleet/make-secrets", made)
            texts = {path.name: path.read_text() for path in made.iterdir()}
            assert re.fullmatch(r"[0-9a-f]{64}", texts["fleet.secret"]), texts
        password = hashlib.sha256(texts["store.password"].encode()).hexdigest()
        assert f"user fleet on #{password} ~dtp:* -@all +get +set\n" in texts["store.acl"], texts
        checks.run(checks.DEPLOY / "fleet/make-secrets", made)
        assert texts == {path.name: path.read_text() for path in made.iterdir()}
        assert made.stat().st_mode & 0o777 == 0o700


def check_node_local(check, folder):
    """The overlay in which the pods of a node ask its own proxy: it needs the node's network, and no more."""
    target = "overlays/node-local"
    documents = None
    with check(f"{target} renders"):
        documents = render(target)
    if not documents:
        return
    example = list(yaml.safe_load_all((KUBERNETES / target / "dnsconfig-example.yaml").read_text()))
    with check(f"{target}: every document, and the example of a pod, fits the API's schema"):
        fits, said = validate(documents + example)
        assert fits, said
    with check(f"{target}: address, ports and capabilities meet, and the program accepts the settings"):
        pod = one(documents, "DaemonSet")["spec"]["template"]["spec"]
        path = folder / "node-local.yaml"
        path.write_text(one(documents, "ConfigMap")["data"]["dns-tls-proxy.yaml"])
        settings = yaml.safe_load(path.read_text())
        address = settings["listen"][0].rpartition(":")[0]
        assert address == example[0]["spec"]["dnsConfig"]["nameservers"][0] and address in str(pod["initContainers"])
        template = one(documents, "DaemonSet")["spec"]["template"]
        http = settings["http"]["listen"]
        assert http == "[::]:" + template["metadata"]["annotations"]["prometheus.io/port"], "Prometheus reaches it"
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            assert "host" not in pod["containers"][0][probe]["httpGet"], "the kubelet asks at the node's address"
        kinds = {each["kind"] for each in documents}
        assert not kinds & {"Service", "NetworkPolicy"}, "neither holds for a link-local address of the node"
        assert pod["hostNetwork"] is True and pod["dnsPolicy"] == "Default"
        assert pod["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}
        assert {port["hostPort"] for port in pod["containers"][0]["ports"]} == {53, 5000}
        assert settings["routes"][0]["zones"][0] == "cluster.local"
        if checks.PROGRAM.exists():
            checks.run(checks.PROGRAM, "--config", path, "--print-config")


def check_the_checks(check, documents):
    with check("it would have noticed an unknown key, a wrong type and a kind that is none"):
        for kind, spoil, said in (
            ("DaemonSet", lambda each: each["spec"].update(updateStrategi={}), "updateStrategi"),
            ("Service", lambda each: each["spec"]["ports"][0].update(port="domain"), "port must be integer"),
            ("ConfigMap", lambda each: each.update(kind="ConfigMop"), "Cannot find module"),
        ):
            spoiled = copy.deepcopy(one(documents, kind))
            spoil(spoiled)
            fits, why = validate([spoiled])
            assert not fits and said in why, f"of a spoiled {kind} it says {why}"


def main():
    check = checks.Checks(serves=False)
    checks.install("python3-yaml")
    with tempfile.TemporaryDirectory() as name:
        for target, workload in TARGETS.items():
            documents = check_overlay(check, target, workload, pathlib.Path(name))
            if target == "base" and documents:
                check_the_checks(check, documents)
            if target == "overlays/shared-cache" and documents:
                with check(f"{target}: store, settings, secrets and policies meet"):
                    store_meets_the_proxy(documents, one(documents, workload), STORE)
        check_secrets(check, pathlib.Path(name))
        check_node_local(check, pathlib.Path(name))
    check.finish()


if __name__ == "__main__":
    main()
