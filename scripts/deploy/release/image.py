"""image: the container's image, built by buildah from the Dockerfile of the source archive and saved as `docker load`
and `podman load` take it. Its base is made from Debian's packages under the name that the Dockerfile gives it, so that
no registry is asked; nothing of the base but what the Dockerfile copies is in the result.
"""
import hashlib
import io
import json
import os
import pathlib
import re
import shutil
import subprocess
import tarfile
import tempfile

import packages
import trees
from source import Unfit

BASE = "docker.io/library/debian:bookworm-slim"
RELEASE = "debian-12"
TOOLS = ("buildah", "mmdebstrap")


def build(source, archive, folder):
    """Returns (path of the image, what an SBOM says of it)."""
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        raise Unfit(f"the image needs {' and '.join(missing)}: apt-get install {' '.join(TOOLS)}")
    trees.CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=trees.CACHE) as name:
        store = Store(pathlib.Path(name))
        try:
            store.make_base()
            tag = f"dns-tls-proxy:{source.version}"
            store.run("bud", "-q", "--network", "host", "--pull-never", "--format", "docker", "--timestamp",
                      source.seconds, "--identity-label=false", "-t", tag, source.unpack(archive, pathlib.Path(name)))
            path = folder / f"{source.name}-image-amd64.tar"
            tar = pathlib.Path(name) / "image.tar"
            store.run("push", "-q", f"localhost/{tag}", f"docker-archive:{tar}:{tag}")
            write(tar, path, tag, source.seconds)
            return path, {"contains": store.packages_of(f"localhost/{tag}")}
        finally:
            store.run("rm", "--all")
            store.run("rmi", "--all", "--force")


def write(tar, path, tag, seconds):
    """The image in `tar`, as buildah saves it, without what differs from build to build: the names that it made up for
    its containers, and times. Not compressed: podman 4.3, which Debian 12 has, loads nothing else."""
    with tarfile.open(tar) as given, tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as made:
        (manifest,) = json.load(given.extractfile("manifest.json"))
        config = json.load(given.extractfile(manifest["Config"]))
        for key in ("container", "container_config"):
            config.pop(key, None)
        config["config"]["Hostname"] = ""

        def add(name, content):
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.mode = len(content), seconds, 0o644
            made.addfile(member, io.BytesIO(content))

        for layer in manifest["Layers"]:
            add(layer, given.extractfile(layer).read())
        text = json.dumps(config, sort_keys=True).encode()
        name = hashlib.sha256(text).hexdigest() + ".json"
        add(name, text)
        add("manifest.json", json.dumps([{"Config": name, "RepoTags": [tag], "Layers": manifest["Layers"]}]).encode())


class Store:
    """buildah with images of its own, in a folder."""

    def __init__(self, folder):
        self._folder = folder
        (folder / "storage.conf").write_text(
            f'[storage]\ndriver = "overlay"\ngraphroot = "{folder}/store"\nrunroot = "{folder}/run"\n')
        self._environment = {**os.environ, "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
                             "BUILDAH_ISOLATION": "chroot"}

    def run(self, *arguments):
        command = ["buildah", *map(str, arguments)]
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=self._environment)
        if done.returncode != 0:
            raise Unfit(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout[-4000:]}{done.stderr[-4000:]}")
        return done.stdout.strip()

    def make_base(self):
        tar = self._folder / "base.tar"
        subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", trees.RELEASES[RELEASE][1], str(tar),
                        *trees.sources(RELEASE)], check=True)
        container = self.run("from", "scratch")
        self.run("add", "-q", container, tar, "/")
        self.run("commit", "-q", "--rm", container, BASE)
        tar.unlink()

    def packages_of(self, image):
        """The Debian packages of which it has parts."""
        container = self.run("from", "--pull-never", image)
        root = pathlib.Path(self.run("mount", container))
        found = []
        for entry in sorted((root / "var/lib/dpkg/status.d").iterdir()):
            fields = dict(re.findall(r"(?m)^([A-Za-z-]+): (.*)$", entry.read_text(encoding="utf-8")))
            source, _, version = fields.get("Source", fields["Package"]).partition(" ")
            text = (root / f"usr/share/doc/{fields['Package']}/copyright").read_text(encoding="utf-8")
            found.append({"name": fields["Package"], "version": fields["Version"],
                          "architecture": fields["Architecture"], "source": source,
                          "source_version": version.strip("()") or fields["Version"],
                          "licences": packages.licences(text)})
        self.run("rm", container)
        return found
