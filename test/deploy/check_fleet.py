#!/usr/bin/python3
"""A fleet with a shared cache, as scripts/deploy/fleet has it: the compose file is brought up with a real Valkey, and
what one instance asked is found by the other; the pods of the Kubernetes overlay, with the secrets that make-secrets
makes; and a machine with systemd, set up as the runbook says, with Redis. The image of the store is made of Debian 13's
package, since no registry can be asked everywhere."""
import itertools
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
import sandboxed
import trees
from clients import answers
from machine import CONFIG, Machine, make_tree
from process import Process, wait_for
from resp import RespClient, RespError
from shared_store import LEAST_RIGHTS, SharedStore
from world import World

RUNBOOK = checks.ROOT / "docs/RUNBOOK.md"

INSTANCES = {53: 5000, 54: 5001}  #: port of DNS -> port of HTTP, of the compose file
STORE = "172.30.53.2"


def make_images(folder):
    """The names that compose.yaml and store.yaml give them."""
    containers.prepare()
    compose = yaml.safe_load((checks.DEPLOY / "fleet/compose.yaml").read_text())["services"]
    containers.build(compose["dns1"]["image"])
    try:
        tree = trees.make("debian-13", "valkey", ("valkey-server",))
    except trees.Unavailable as why:
        raise checks.Skip(str(why)) from None
    checks.run("tar", "-C", tree, "--exclude=./dev/*", "-cf", folder / "store.tar", ".")
    path = f"ENV PATH={trees.PATH}"
    containers.podman("import", "-q", "--change", path, folder / "store.tar", compose["store"]["image"])


def figures(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        return dict(re.findall(r"(?m)^dns_tls_proxy_(shared_cache_\S+) (\d+)$", answer.read().decode()))


def is_in_use(port):
    try:
        return figures(port)["shared_cache_state"] == "4"
    except OSError:
        return False


def wait_written(port, http):
    """Until what is asked gets to the store: a worker that has just started may not be connected yet."""
    numbers = itertools.count()

    def is_written():
        assert answers(f"written-{next(numbers)}.example.com", port=port)
        return written_of(http) > 0

    wait_for(is_written, "an answer is written to the store")


class Compose:
    """docker-compose, podman being the engine that it asks."""

    def __init__(self, world, file):
        self._file, self._socket = file, world.folder / "podman.sock"
        command = ["podman", "system", "service", "-t", 0, f"unix://{self._socket}"]
        self._engine = Process("podman", command, world.folder)
        wait_for(self._socket.exists, "podman's socket")

    def __call__(self, *arguments):
        return checks.run("docker-compose", "-f", self._file, *arguments, cwd=self._file.parent,
                          env={**os.environ, "DOCKER_HOST": f"unix://{self._socket}"})

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        containers.look_at_logs()
        try:
            self("down")
        finally:
            self._engine.stop()


def check_compose(check, folder):
    shutil.copytree(checks.DEPLOY, folder / "deploy")
    fleet = folder / "deploy/fleet"
    file = fleet / "compose.yaml"
    file.write_text(re.sub(r"(?m)^ *ulimits:.*$", "", file.read_text()))  # more than root may give in a container
    settings = fleet / "dns-tls-proxy.yaml"
    settings.write_text(sandboxed.config(settings.read_text()))
    checks.run(fleet / "make-secrets", fleet / "secrets")
    with World("fleet") as world, containers.as_docker(world, low_ports=False, own_config=True), \
            Compose(world, file) as compose:
        with check("compose: two instances and a store come up, and both use it"):
            compose("up", "-d")
            for http in INSTANCES.values():
                wait_for(lambda http=http: is_in_use(http), f"the instance with metrics on {http} uses the store", 30)
        with check("compose: what one instance asked, the other finds, over UDP and TCP"):
            for port, http in INSTANCES.items():
                wait_written(port, http)  # so that its workers are connected
            for transport in ("+tcp", "+notcp"):
                wait_for(lambda transport=transport: is_found(world, transport), "it is found", 20)
        with check("compose: the store lets nobody in without the password, and its user read and write only"):
            user_can_do_little(fleet / "secrets")
        with check("compose: without the store they answer, and they use it when it is back"):
            compose("stop", "store")
            assert answers("without.example.com", port=53) and answers("without.example.com", port=54)
            compose("start", "store")
            # podman gives it another link address with each start. Linux takes a former one of a neighbour for good for
            # up to 45 s, and needs 8 s more to find the new one; then comes the instance's pause between attempts.
            wait_for(lambda: is_in_use(5000), "it is used again", 120)


def is_found(world, transport, numbers=itertools.count()):
    """A name asked at one is a hit at the other, and the upstream hears of it once. Where the worker that was asked is
    not connected yet, it is not, and another one is tried."""
    name = f"shared-{next(numbers)}.example.com"
    written, hits = written_of(5000), hits_of(5001)
    assert answers(name, transport, port=53)
    if written_of(5000) == written:
        return False
    assert answers(name, transport, port=54)
    return hits_of(5001) == hits + 1 and world.upstream.queries(containing=name) == {name: 1}


def written_of(http):
    return int(figures(http)["shared_cache_written_total"])


def hits_of(http):
    return int(figures(http)['shared_cache_results_total{result="hit"}'])


def user_can_do_little(secrets):
    with RespClient(6379, STORE) as client:
        refused(client, "GET", "dtp:x")
        client.call("AUTH", "fleet", (secrets / "store.password").read_text())
        client.call("SET", "dtp:x", "1", "PX", 1000)
        assert client.call("GET", "dtp:x") == b"1"
        for command in (("GET", "x"), ("KEYS", "*"), ("FLUSHALL",), ("CONFIG", "GET", "*"), ("DEL", "dtp:x"),
                        ("ACL", "LIST"), ("SHUTDOWN",)):
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
    """The overlay's documents for `podman kube play`, which knows no DaemonSet. The Secret is a ConfigMap, since podman
    4.3 gives pods the values of a Secret without decoding them; its name is another one each time, since podman keeps
    it as a volume.
    """
    secrets, name = folder / "pod-secrets", f"dns-tls-proxy-fleet-{os.getpid()}"
    checks.run(checks.DEPLOY / "fleet/make-secrets", secrets)
    documents = check_manifests.render("overlays/shared-cache")
    played = [{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name},
               "data": {path.name: path.read_text() for path in secrets.iterdir()}}]
    played += [each for each in documents if each["kind"] == "ConfigMap"]
    for each in played:
        if "dns-tls-proxy.yaml" in each["data"]:
            each["data"]["dns-tls-proxy.yaml"] = sandboxed.config(each["data"]["dns-tls-proxy.yaml"])
    for pod in [check_manifests.one(documents, kind) for kind in ("DaemonSet", "Deployment")]:
        pod["kind"] = "Deployment"
        for container in pod["spec"]["template"]["spec"]["containers"]:
            for key in ("ports", "startupProbe", "livenessProbe", "readinessProbe", "lifecycle"):
                container.pop(key, None)  # probes are other ones with podman
        for volume in pod["spec"]["template"]["spec"]["volumes"]:
            if "secret" in volume:
                volume["configMap"] = {"name": name, "items": volume.pop("secret")["items"]}
        played.append(pod)
    return yaml.safe_dump_all(played).replace("10.96.0.53", "127.0.0.1")


def check_pods(check, folder):
    """In one network, in place of the cluster's: the store's Service is loopback."""
    path = folder / "pods.yaml"
    path.write_text(pods_of(folder))
    with World("pods") as world, containers.as_docker(world, own_config=True):
        with check("the overlay's pods: the proxy reads its secrets and uses the store"):
            containers.podman("kube", "play", "--network", "host", path)  # the host is the world, as seen from here
            try:
                wait_for(lambda: is_in_use(5000), "it uses the store", 30)
                wait_written(8853, 5000)
            finally:
                containers.look_at_logs()
                containers.podman("kube", "down", path, check=False)
                containers.podman("volume", "rm", "-f", f"dns-tls-proxy-fleet-{os.getpid()}", check=False)


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
                wait_written(8853, 5000)
                found_again()
            with check("with no cache of its own it finds in the store what was asked"):
                begin_anew(machine)
                assert found_again() > 0
            with check("the secret is replaced: nothing that the former one signed is found, what is new is written"):
                machine.write("/etc/dns-tls-proxy/fleet.secret", "0123456789abcdef" * 4)
                begin_anew(machine)
                assert found_again() == 0
                wait_written(8853, 5000)


def begin_anew(machine):
    """A restart, without what the program keeps over one."""
    service = "dns-tls-proxy.service"
    machine.sh(f"systemctl stop {service}; systemctl clean --what=state {service}; systemctl start {service}")
    wait_for(lambda: is_in_use(5000), "it uses the store", 30)


def found_again():
    """How many of the same few names are found in the store, by a program that has just started."""
    before = hits_of(5000)
    for number in range(20):
        assert answers(f"again-{number}.example.com", port=8853)
    return hits_of(5000) - before


def main():
    check = checks.Checks()
    checks.install("python3-yaml", "docker-compose", "redis-server")
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
