#!/usr/bin/python3
"""A fleet with a shared cache, as scripts/deploy/fleet has it: the compose file is brought up with a real Valkey, and
what one instance asked is found by the other; the pods of the Kubernetes overlay, with the Secret that make-secrets
makes; and a machine with systemd, set up as the runbook says, with Redis. The image of the store is made of Debian 13's
package, since no registry can be asked everywhere."""
import base64
import os
import pathlib
import re
import shutil
import tempfile
import urllib.request

import yaml

import checks  # first: it says where the modules below are
import check_manifests
import containers
import package
import trees
from clients import answers
from machine import Machine, make_tree
from process import wait_for
from resp import RespClient, RespError
from shared_store import LEAST_RIGHTS, SharedStore
from world import World

RUNBOOK = checks.ROOT / "docs/RUNBOOK.md"
CONFIG = "/etc/dns-tls-proxy/dns-tls-proxy.yaml"

INSTANCES = {53: 5000, 54: 5001}  #: port of DNS -> port of HTTP, of the compose file
STORE = "172.30.53.2"


def make_images(folder):
    """The names that compose.yaml and store.yaml give them."""
    containers.prepare()
    compose = yaml.safe_load((checks.DEPLOY / "fleet/compose.yaml").read_text())["services"]
    containers.build(compose["dns1"]["image"])
    store = compose["store"]["image"]
    if containers.podman("image", "exists", store, check=False).returncode != 0:
        try:
            tree = trees.make("debian-13", "valkey", ("valkey-server",))
        except trees.Unavailable as why:
            raise checks.Skip(str(why)) from None
        checks.run("tar", "-C", tree, "--exclude=./dev/*", "-cf", folder / "store.tar", ".")
        containers.podman("import", "-q", folder / "store.tar", store)


def figures(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        return dict(re.findall(r"(?m)^dns_tls_proxy_(shared_cache_\S+) (\d+)$", answer.read().decode()))


def is_in_use(port):
    try:
        return figures(port)["shared_cache_state"] == "4"
    except OSError:
        return False


def compose(folder, *arguments):
    return checks.run("podman-compose", "-f", folder / "fleet/compose.yaml", *arguments, cwd=folder)


def check_compose(check, folder):
    shutil.copytree(checks.DEPLOY, folder / "deploy")
    deploy = folder / "deploy"
    checks.run(deploy / "fleet/make-secrets", deploy / "fleet/secrets")
    with World("fleet") as world, containers.as_docker(world):
        with check("compose: two instances and a store come up, and both use it"):
            compose(deploy, "up", "-d")
            for http in INSTANCES.values():
                wait_for(lambda http=http: is_in_use(http), f"the instance with metrics on {http} uses the store", 30)
        with check("compose: what one instance asked, the other finds, over UDP and TCP"):
            for transport in ("+tcp", "+notcp"):
                name = f"shared-{transport[1:]}.example.com"
                before = figures(5001)['shared_cache_results_total{result="hit"}']
                assert answers(name, transport, port=53)
                wait_for(lambda: figures(5000)["shared_cache_written_total"] != "0", "it is written")
                assert answers(name, transport, port=54)
                after = figures(5001)['shared_cache_results_total{result="hit"}']
                assert int(after) == int(before) + 1 and world.upstream.queries(containing=name) == {name: 1}
        with check("compose: the store lets nobody in without the password, and its user read and write only"):
            user_can_do_little(deploy / "fleet/secrets")
        with check("compose: without the store they answer, and they use it when it is back"):
            compose(deploy, "stop", "store")
            assert answers("without.example.com", port=53) and answers("without.example.com", port=54)
            compose(deploy, "start", "store")
            wait_for(lambda: is_in_use(5000), "it is used again", 60)
        compose(deploy, "down")


def user_can_do_little(secrets):
    with RespClient(6379, STORE) as client:
        refused(client, "GET", "dtp:x")
        client.call("AUTH", "fleet", (secrets / "store.password").read_text())
        client.call("SET", "dtp:x", "1", "PX", 1000)
        assert client.call("GET", "dtp:x") == b"1"
        for command in (("GET", "x"), ("KEYS", "*"), ("FLUSHALL",), ("CONFIG", "GET", "*"), ("DEL", "dtp:x"),
                        ("ACL", "LIST"), ("DEBUG", "SLEEP", "1")):
            refused(client, *command)


def refused(client, *command):
    try:
        said = client.call(*command)
    except RespError as error:
        assert str(error).split()[0] in ("NOPERM", "NOAUTH"), error
        return
    raise AssertionError(f"{command}: {said}")


# ---- the pods

def pods_of(folder):
    """The overlay's documents for `podman kube play`, which knows no DaemonSet, and no Secret but given ones."""
    documents = check_manifests.render("overlays/shared-cache")
    secrets = folder / "pod-secrets"
    checks.run(checks.DEPLOY / "fleet/make-secrets", secrets)
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "dns-tls-proxy-fleet"}, "data": {
        path.name: base64.b64encode(path.read_bytes()).decode() for path in secrets.iterdir()}}
    played = [secret, *(each for each in documents if each["kind"] == "ConfigMap")]
    for kind in ("DaemonSet", "Deployment"):
        pod = check_manifests.one(documents, kind)
        pod["kind"] = "Deployment"
        for container in pod["spec"]["template"]["spec"]["containers"]:
            for key in ("ports", "startupProbe", "livenessProbe", "readinessProbe", "lifecycle"):
                container.pop(key, None)  # probes are other ones with podman
        played.append(pod)
    return yaml.safe_dump_all(played).replace("10.96.0.53", "127.0.0.1")


def check_pods(check, folder):
    """In one network, in place of the cluster's: the store's Service is loopback."""
    path = folder / "pods.yaml"
    path.write_text(pods_of(folder))
    with World("pods") as world, containers.as_docker(world):
        with check("the overlay's pods: the proxy reads its secrets and uses the store"):
            containers.podman("kube", "play", "--network", "host", path)  # the host is the world, as seen from here
            try:
                wait_for(lambda: is_in_use(5000), "it uses the store", 30)
                assert answers("pod.example.com", port=8853)
                wait_for(lambda: figures(5000)["shared_cache_written_total"] == "1", "it is written")
            finally:
                containers.podman("kube", "down", path, check=False)


# ---- a machine

def shown(kind):
    """The runbook's block of that kind in its section on the shared cache."""
    section = RUNBOOK.read_text().partition("\n## A fleet's shared cache\n")[2].partition("\n## ")[0]
    return section.partition(f"```{kind}\n")[2].partition("```")[0]


def check_machine(check, folder):
    deb = package.build()
    tree = make_tree()
    secrets = folder / "machine-secrets"
    checks.run(checks.DEPLOY / "fleet/make-secrets", secrets)
    with World("fleet-machine") as world, Machine(world, tree) as machine:
        users = {"fleet": ((secrets / "store.password").read_text(), LEAST_RIGHTS)}
        with SharedStore(world.folder, users=users) as store:
            with check("a machine set up as the runbook says: the service reads its credentials and uses the store"):
                machine.trust(world.pki.ca_file)
                machine.put(deb, f"/root/{deb.name}")
                machine.sh(f"dpkg -i /root/{deb.name}")
                for name in ("fleet.secret", "store.password"):
                    machine.write(f"/etc/dns-tls-proxy/{name}", (secrets / name).read_text())
                    machine.sh(f"chmod 600 /etc/dns-tls-proxy/{name}")
                machine.write("/etc/systemd/system/dns-tls-proxy.service.d/fleet.conf", shown("ini"))
                machine.write(CONFIG, shown("yaml").replace("10.0.0.5:6379", f"127.0.0.1:{store.port}"))
                machine.sh("systemctl daemon-reload; systemctl start dns-tls-proxy")
                machine.wait("dns-tls-proxy --health-check", "the program is ready")
                wait_for(lambda: is_in_use(5000), "it uses the store", 30)
                assert answers("machine.example.com", port=8853)
                wait_for(lambda: figures(5000)["shared_cache_written_total"] == "1", "it is written")
            with check("the secret is replaced, and a restart, which closes no connection, begins with the new one"):
                machine.write("/etc/dns-tls-proxy/fleet.secret", "0123456789abcdef" * 4)
                machine.sh("systemctl restart dns-tls-proxy")
                wait_for(lambda: is_in_use(5000), "it uses the store", 30)
                keys = set(store.keys())
                assert answers("rotated.example.com", port=8853)
                wait_for(lambda: set(store.keys()) - keys, "it is written")


def main():
    check = checks.Checks()
    checks.install("python3-yaml", "podman-compose", "redis-server")
    os.environ["PYTHONUNBUFFERED"] = "1"
    with tempfile.TemporaryDirectory(prefix="fleet-") as name:
        folder = pathlib.Path(name)
        with check("the images are made"):
            make_images(folder)
        check_compose(check, folder)
        check_pods(check, folder)
        check_machine(check, folder)
    check.finish()


if __name__ == "__main__":
    main()
