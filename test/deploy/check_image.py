#!/usr/bin/python3
"""The image: really built from the Dockerfile, its tests run in it; run as nobody, with a read-only root and no
capability; and the pod of the Kubernetes manifests run with it."""
import pathlib
import re
import time
import urllib.error
import urllib.request

import yaml

import checks
import check_manifests
import clients
import containers
import sandboxed
from containers import CONFIG, Container
from process import Process, wait_for
from world import World

TAG = "dns-tls-proxy:test"
LARGEST_MB = 25


def get(path):
    with urllib.request.urlopen(f"http://127.0.0.1:5000{path}", timeout=5) as answer:
        return answer.read().decode()


def is_ready():
    try:
        return bool(get("/readyz"))
    except (OSError, urllib.error.URLError):
        return False


def wait_ready(container=None):
    try:
        wait_for(is_ready, "/readyz is 200", 20)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{container.logs() if container else ''}") from None


def process_facts(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return {key: value.split() for key, value in re.findall(r"(?m)^(\w+):\t(.*)$", text)}


def check_build(check):
    with check("docker build: the Dockerfile builds"):
        containers.build(TAG)
    with check("docker build --target test: the unit tests pass in it"):
        said = containers.build("dns-tls-proxy:tests", "test")
        check.note(re.findall(r".*tests passed.*", said.stdout + said.stderr)[-1:])
    with check(
        f"it is at most {LARGEST_MB} MB, runs as nobody, and says what it listens on, how it stops and how it is"
    ):
        image = containers.inspect("image", TAG)
        check.note(f"{image['Size'] / 1e6:.1f} MB")
        assert image["Size"] <= LARGEST_MB * 1e6, image["Size"]
        assert image["Labels"]["org.opencontainers.image.licenses"] == "GPL-2.0-or-later", image["Labels"]
        config = image["Config"]
        assert config["User"] == "65532:65532" and config["StopSignal"] == "SIGTERM", config
        assert set(config["ExposedPorts"]) == {"53/tcp", "53/udp", "5000/tcp"}, config["ExposedPorts"]
        assert image["Healthcheck"]["Test"][-1] == "--health-check", image


def check_run(check):
    with World("image") as world, Container(world, TAG) as container:
        with check("docker run: it answers on port 53, IPv4 and IPv6, and its metrics are on port 5000"):
            wait_ready(container)
            for transport in ("+tcp", "+notcp"):
                assert clients.answers("example.com", transport), transport
                assert clients.answers("example.com", transport, server="::1"), transport
            assert "dns_tls_proxy_build_info" in get("/metrics")
        with check("its health check is green"):
            assert container.is_healthy(), container.logs()
        with check("process 1 is nobody, without capabilities, with a root that nothing can be written to"):
            facts = process_facts(container.pid())
            assert facts["Uid"] == ["65532"] * 4 and facts["NoNewPrivs"] == ["1"] and facts["NSpid"][-1] == "1", facts
            assert all(int(facts[key][0], 16) == 0 for key in ("CapEff", "CapPrm", "CapBnd", "CapAmb")), facts
            root = pathlib.Path(f"/proc/{container.pid()}/mounts").read_text().splitlines()[0].split()
            assert root[1] == "/" and "ro" in root[3].split(","), root
        with check("its own sandbox is in force under the default profile of the engine"):
            (line,) = [each for each in container.logs().splitlines() if "event=sandbox" in each]
            check.note(line[line.index("mode="):])
            assert sandboxed.SAYS in line and ('landlock="ABI ' in line or sandboxed.IS_LOGGED), line
        with check("docker stop: what is in flight is answered, and it exits with 0"):
            load = clients.steady(53, prefixes=("slow-1500ms-",))
            running = load.begin("run", seconds=0.3, rate=100, connections=5)
            time.sleep(0.5)  # all are asked; none is answered before 1.5 s
            status = container.stop()
            result = running.result()
            check.note(result["sent"])
            assert status == 0 and result["answered"] == result["sent"] > 10, (status, result, container.logs())


def documented():
    """The runbook's command, for podman, in the foreground."""
    shown = re.search(r"(?m)^docker run -d (.*)$", (checks.ROOT / "docs/RUNBOOK.md").read_text()).group(1)
    return ["podman", "run", *shown.split()]


def check_documented(check):
    """In a network of the engine's own, from which the world is reached as a machine's containers reach the world."""
    command = documented()
    with World("docker") as world, containers.as_docker(world), Process("docker", command, world.folder) as docker:
        with check(
            f"the documented `{' '.join(command[1:])}` answers on both ports, and ends with 0 by TERM"
        ):
            wait_ready()
            assert clients.answers("example.com") and "dns_tls_proxy_build_info" in get("/metrics")
            docker.child.terminate()
            assert docker.wait_exit() == 0, docker.log_tail()
            sandboxed.look(docker.log())  # the container has gone with its own


def run_detached(command, *flags, at_end=()):
    """The documented command, with `-d`, flags before the image's name and others behind it."""
    containers.podman("rm", "-f", "-t", "0", "dns-tls-proxy", check=False)
    containers.podman("run", "-d", *flags, *command[2:], *at_end)


def check_refused_port(check):
    """podman's own default: ports below 1024 are root's inside, too."""
    command = documented()
    with World("refused") as world, containers.as_docker(world, low_ports=False):
        with check("where port 53 is refused inside, a container started with -d is seen to have ended, with 1"):
            run_detached(command)
            wait_for(lambda: containers.inspect("container", "dns-tls-proxy")["State"]["Status"] == "exited", "its end")
            shown = containers.podman("ps", "-a").stdout.splitlines()[-1]
            check.note(shown)
            assert "Exited (1)" in shown, shown
        with check("its log says why, and names the flags that help"):
            said = containers.podman("logs", "dns-tls-proxy")
            (line,) = [each for each in (said.stdout + said.stderr).splitlines() if "start failed" in each]
            check.note(line.strip())
            named = re.search(r"(--sysctl \S+\d).*?(-p \d+:\d+).*?(--listen [0-9.:]+\d)", line)
            sysctl, published, listen = named.groups()
        with check(f"{sysctl}: it answers"):
            run_detached(command, *sysctl.split())
            wait_ready()
            assert clients.answers("example.com") and clients.answers("example.com", "+notcp")
        with check(f"{published} and {listen}: it answers"):
            moved = [each.replace("53:53", published.split()[1]) for each in command]
            run_detached(moved, at_end=listen.split())
            wait_ready()
            assert clients.answers("example.com") and clients.answers("example.com", "+notcp")


def check_settings(check):
    with World("flags") as world, Container(
        world, TAG, "--listen", "127.0.0.1:8853", "--log-level", "debug"
    ) as container:
        with check("flags behind the image's name win over the file in it"):
            wait_ready(container)
            assert clients.answers("example.com", port=8853)
    with World("file") as world:
        config = world.folder / "mine.yaml"
        config.write_text('listen: ["127.0.0.1:8853"]\nhttp: {listen: "127.0.0.1:5000"}\n')
        mounted = ("-v", f"{config}:{CONFIG}:ro")
        with Container(world, TAG, options=mounted) as container:
            with check("a file mounted over the one in it is used, by the health check too"):
                wait_ready(container)
                assert clients.answers("example.com", port=8853) and container.is_healthy()
            with check("HUP reads it again"):
                config.write_text("no_such_setting: 1\n")
                containers.podman("kill", "-s", "HUP", container.name)
                wait_for(lambda: "no_such_setting" in container.logs(), "the fault in its log")
                assert clients.answers("still-there.example", port=8853)
        with Container(world, TAG, options=mounted) as container:
            with check("with a faulty file it exits with 1 and says what is wrong"):
                wait_for(
                    lambda: containers.inspect("container", container.name)["State"]["Status"] == "exited", "its end"
                )
                assert (
                    containers.inspect("container", container.name)["State"]["ExitCode"] == 1
                    and "no_such_setting" in container.logs()
                )
    with World("ipv4") as world:
        world.switch_ipv6_off()
        with check("where IPv6 is switched off, as it is in Docker's networks by default, it serves IPv4"), Container(
            world, TAG
        ) as container:
            wait_ready(container)
            assert clients.answers("example.com")
        own = world.folder / "own.yaml"
        own.write_text("workers: 1\n")
        with check("and so does the program with its own defaults, which name [::1]"), Container(
            world, TAG, options=("-v", f"{own}:{CONFIG}:ro")
        ) as container:
            wait_ready(container)
            assert clients.answers("example.com", port=8853)
    with World("alone") as world:
        world.upstream.stop()
        with Container(world, TAG) as container:
            with check("with no upstream it runs, is alive and not ready, and its health check is red"):
                wait_for(lambda: get_status("/healthz") == 200, "alive")
                assert get_status("/readyz") == 503 and not container.is_healthy()
                assert "SERVFAIL" in clients.kdig("example.com", "+timeout=8")


def get_status(path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:5000{path}", timeout=5) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return None


def pod_of(documents, ca_file):
    """The DaemonSet's pods as podman can play them: as a Deployment's, without ports of the host's, with this
    image, trusting the world's authority."""
    workload = check_manifests.one(documents, "DaemonSet")
    workload["kind"] = "Deployment"
    pod = workload["spec"]["template"]["spec"]
    container = pod["containers"][0]
    container["image"] = f"localhost/{TAG}"
    for key in ("ports", "startupProbe", "livenessProbe", "readinessProbe", "lifecycle"):
        container.pop(key)  # probes are other ones with podman; they are asked here instead
    pod["volumes"].append({"name": "ca", "hostPath": {"path": ca_file, "type": "File"}})
    container["volumeMounts"].append(
        {"name": "ca", "mountPath": "/etc/ssl/certs/ca-certificates.crt", "readOnly": True}
    )
    settings = check_manifests.one(documents, "ConfigMap")
    settings["data"] = {name: sandboxed.config(text) for name, text in settings["data"].items()}
    return [settings, workload]


def check_pod(check):
    with World("pod") as world, check(
        "the pod of the Kubernetes manifests is ready and answers on 8853, with the ConfigMap's settings"
    ):
        file = world.folder / "pod.yaml"
        file.write_text(yaml.safe_dump_all(pod_of(check_manifests.render("base"), world.pki.ca_file)))
        containers.podman("kube", "play", "--network", "host", file)  # the host is the world, as seen from here
        try:
            wait_ready()
            assert clients.answers("example.com", port=8853) and clients.answers("example.com", server="::1", port=8853)
            assert not listeners_on_port_53(), "it listens on 53, so the ConfigMap was not used"
        finally:
            containers.look_at_logs()
            containers.podman("kube", "down", file, check=False)


def listeners_on_port_53():
    return checks.output("ss", "-Hltn", "sport = :53")


def main():
    check = checks.Checks()
    checks.install("python3-yaml", "knot-dnsutils")
    containers.prepare()
    check_build(check)
    check_run(check)
    check_documented(check)
    check_refused_port(check)
    check_settings(check)
    check_pod(check)
    check.finish()


if __name__ == "__main__":
    main()
