"""packages: the Debian package for one release and architecture, from the source archive, in a fresh tree of that
release in which nothing but the packages it needs is installed. arm64 is cross-compiled. lintian of the same release
has to find nothing.
"""
import re
import shutil
import subprocess
import tempfile

import trees
from source import Unfit

#: The release's name in the versions of packages: an upgrade of the system goes to a higher one.
SUFFIXES = {"debian-12": "~deb12", "debian-13": "~deb13"}
ARCHITECTURES = ("amd64", "arm64")
LINTIAN = ["lintian", "--fail-on", "error,warning", "--tag-display-limit", "0", "--allow-root"]


def build(source, archive, release, architecture, folder):
    """Returns (path of the package, what an SBOM says of it)."""
    version = source.version + SUFFIXES[release]
    arguments = ["--arm64"] if architecture == "arm64" else []
    with trees.Layer(trees.make(release)) as layer, tempfile.TemporaryDirectory(dir=trees.CACHE) as name:
        here = source.unpack(archive, trees.CACHE / name)
        folders = [f"{here}:/dns-tls-proxy"]

        def run(*command):
            inner = ["env", f"SOURCE_DATE_EPOCH={source.seconds}", "DEBIAN_FRONTEND=noninteractive", *command]
            done = subprocess.run(layer.command(*inner, folders=folders), check=False, capture_output=True, text=True)
            if done.returncode != 0:
                raise Unfit(f"{release} {architecture}: {' '.join(command)}: exit {done.returncode}\n"
                            f"{done.stdout[-6000:]}{done.stderr[-6000:]}")
            return done.stdout

        made = run("/dns-tls-proxy/scripts/package", *arguments, version).splitlines()[-1]
        facts = describe(run, made, architecture)
        run("apt-get", "install", "-q", "-y", "--no-install-recommends", "lintian")
        print(run(*LINTIAN, made), end="", flush=True)
        path = folder / made.rpartition("/")[2]
        shutil.copyfile(here / made.removeprefix("/dns-tls-proxy/"), path)
    return path, facts


def describe(run, made, architecture):
    """What the package needs, as it was in the tree, and what compiled it."""
    depends = run("dpkg-deb", "-f", made, "Depends").strip()
    names = [re.match(r"[^ (:|]+", each.strip())[0] for each in depends.split(",")]
    form = "${Package}\t${Version}\t${Architecture}\t${source:Package}\t${source:Version}\n"
    needed = []
    for name in names:
        wanted = name if name == "ca-certificates" else f"{name}:{architecture}"
        needed.append(dict(zip(("name", "version", "architecture", "source", "source_version"),
                               run("dpkg-query", "-W", "-f", form, wanted).rstrip("\n").split("\t"))))
    for each in needed:
        each["licences"] = licences(run("cat", f"/usr/share/doc/{each['name']}/copyright"))
    compiler = "aarch64-linux-gnu-gcc" if architecture == "arm64" else "gcc"
    return {"needs": needed, "compiler": [compiler, run(compiler, "-dumpfullversion").strip()]}


def licences(copyright_file):
    """The names that Debian's copyright file has for the licences of a package's parts."""
    return sorted({each.strip() for each in re.findall(r"(?m)^License:[ \t]*(\S.*)$", copyright_file)})
