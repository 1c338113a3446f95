"""containers: images built and run without an engine's daemon: buildah and podman, with a store of their own in the
cache. Needs root.

The base image is made here from Debian's packages, under the name the Dockerfile gives it, since no registry can be
asked everywhere."""
import contextlib
import json
import os
import pathlib

import checks
import sandboxed

STORE = checks.CACHE / "containers"
BASE = "docker.io/library/debian:bookworm-slim"
SOURCES = "/etc/apt/sources.list.d/debian.sources"
CONFIG = "/etc/dns-tls-proxy/dns-tls-proxy.yaml"


def configure(*lines):
    """podman's configuration; `lines` are more of its part on containers."""
    (STORE / "containers.conf").write_text(
        "\n".join(
            [
                "[containers]",
                'default_ulimits=["nofile=4096:4096","nproc=4096:4096"]',
                *lines,
                "[engine]",
                'runtime="runc"',
                'cgroup_manager="cgroupfs"',
                'events_logger="file"',
                "[network]",
                'network_backend="cni"',
                "",
            ]
        )
    )


def prepare():
    """Tools, configuration and the base image."""
    checks.install("buildah", "podman", "runc", "mmdebstrap", "catatonit", "containernetworking-plugins", "iptables")
    STORE.mkdir(parents=True, exist_ok=True)
    (STORE / "storage.conf").write_text(
        f'[storage]\ndriver="overlay"\ngraphroot="{STORE}/store"\nrunroot="{STORE}/run"\n'
    )
    configure()
    os.environ.update(
        CONTAINERS_STORAGE_CONF=str(STORE / "storage.conf"),
        CONTAINERS_CONF=str(STORE / "containers.conf"),
        DISABLE_HC_SYSTEMD="true",
        BUILDAH_ISOLATION="chroot",
    )
    # What builds before left: containers of those that failed, and layers that no named image stands on.
    checks.run("buildah", "rm", "--all", check=False)
    podman("image", "prune", "-f", check=False)
    if podman("image", "exists", BASE, check=False).returncode != 0:
        tar = STORE / "base.tar"
        excluded = [f"--dpkgopt=path-exclude=/usr/share/{part}/*" for part in ("man", "doc", "locale")]
        checks.run(
            "mmdebstrap",
            "--quiet",
            "--variant=minbase",
            *excluded,
            "--dpkgopt=path-include=/usr/share/doc/*/copyright",
            "bookworm",
            tar,
            SOURCES,
            timeout=900,
        )
        podman("import", "-q", "--change", 'CMD ["bash"]', tar, BASE)
        tar.unlink()


@contextlib.contextmanager
def as_docker(world, low_ports=True, own_config=False):
    """podman as Docker is: low ports are everybody's inside, unless they are to be as podman itself has them. All
    containers trust the world's authority; none is left at the end. With `own_config` the caller gives all of them a
    configuration, in which sandboxed.config() has been; else they have the image's."""
    volumes = [f"{world.pki.ca_file}:/etc/ssl/certs/ca-certificates.crt:ro"]
    if not own_config:
        volumes += logging(world, ())
    configure(*['default_sysctls=["net.ipv4.ip_unprivileged_port_start=0"]'] * low_ports,
              f"volumes={json.dumps(volumes)}")
    try:
        yield
    finally:
        look_at_logs()
        podman("rm", "-fa", "-t", "0", check=False)
        configure()


def logging(world, volumes):
    """Volumes of a container whose configuration is the image's or one of `volumes`, so that its calls are logged where
    that is wanted (sandboxed)."""
    own = next((each.split(":")[0] for each in volumes if each.split(":")[1:2] == [CONFIG]), None)
    if not sandboxed.IS_LOGGED or own == os.devnull:
        return []
    source = pathlib.Path(own or checks.DEPLOY / "container/dns-tls-proxy.yaml")
    target = source if own else world.folder / "logging.yaml"
    target.write_text(sandboxed.config(source.read_text(encoding="utf-8")), encoding="utf-8")
    return [] if own else [f"{target}:{CONFIG}:ro"]


def look_at_logs():
    """Of all containers there are, for what sandboxed looks at."""
    for name in podman("ps", "-aq", check=False).stdout.split():
        done = podman("logs", name, check=False)
        sandboxed.look(done.stdout + done.stderr)


def podman(*arguments, **options):
    return checks.run("podman", *arguments, **options)


def build(tag, target=None):
    """From the Dockerfile as it is. `--format docker`, as docker builds it: the other format has no health check."""
    options = ["--target", target] if target else []
    return checks.run(
        "buildah",
        "bud",
        "--layers",
        "--network",
        "host",
        "--pull-never",
        "--format",
        "docker",
        *options,
        "-t",
        tag,
        checks.ROOT,
        timeout=1800,
    )


def inspect(kind, name):
    return json.loads(podman("inspect", "--type", kind, name).stdout)[0]


class Container:
    """`with` removes it. In the network of `world`, with its authority trusted, and with everything taken from it
    that can be."""

    def __init__(self, world, image, *flags, options=()):
        world.allow_low_ports()
        self.name = world.name
        volumes = logging(world, [str(each) for each in options])
        podman(
            "run",
            "-d",
            "--name",
            self.name,
            "--network",
            f"ns:{world.path}",
            "--read-only",
            "--cap-drop",
            "ALL",
            "--security-opt",
            "no-new-privileges",
            "-v",
            f"{world.pki.ca_file}:/etc/ssl/certs/ca-certificates.crt:ro",
            *options,
            *(f"--volume={each}" for each in volumes),
            image,
            *flags,
        )

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        sandboxed.look(self.logs())
        podman("rm", "-f", "-t", "0", self.name, check=False)

    def logs(self):
        done = podman("logs", self.name, check=False)
        return done.stdout + done.stderr

    def is_healthy(self):
        return podman("healthcheck", "run", self.name, check=False).returncode == 0

    def pid(self):
        return inspect("container", self.name)["State"]["Pid"]

    def stop(self):
        """Its exit status."""
        podman("stop", "-t", "20", self.name)
        return inspect("container", self.name)["State"]["ExitCode"]
