#!/usr/bin/python3
"""A release: each part made twice and compared, lintian, the SBOM, the signed checksums; then docs/RELEASE.md: its
commands run as written, a private apt repository on Debian 12 from which Debian 12 and 13 install; and what the package
brings for shells, tried in the shells of both. RELEASE=FOLDER takes the parts that are there instead of making them."""
import contextlib
import functools
import http.server
import json
import os
import pathlib
import re
import shutil
import tempfile
import threading

import checks  # first: it says where the modules below are
import containers
import trees
from shells import SHELLS, TAB

PAGE = checks.ROOT / "docs/RELEASE.md"
RELEASES = {"debian-12": "deb12", "debian-13": "deb13"}
DEBS = [f"{suffix}_{architecture}" for suffix in RELEASES.values() for architecture in ("amd64", "arm64")]
ADDRESS = "https://apt.example.org"


def block(text, tag):
    """The commands of a block of the page."""
    (found,) = re.findall(rf"(?ms)^( *)```sh {tag}\n(.*?)^ *```$", text)
    return re.sub(rf"(?m)^{found[0]}", "", found[1])


def bash(script, **options):
    return checks.run("bash", "-e", "-o", "pipefail", "-c", script, timeout=7200, **options)


def flip_last_bit(path):
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))


class Keyring:
    """gpg's, with a key of its own, in `folder`."""

    def __init__(self, folder):
        self.folder, self.key = folder, "release@dns-tls-proxy.example.org"
        folder.mkdir(mode=0o700)
        self.environment = {**os.environ, "GNUPGHOME": str(folder), "KEY": self.key}
        checks.run("gpg", "--batch", "--passphrase", "", "--quick-generate-key", self.key, "ed25519", "sign", "never",
                   env=self.environment)


def make(check, text, keyring):
    """The folder of the release."""
    made = os.environ.get("RELEASE")
    folder = pathlib.Path(made) if made else checks.ROOT / "build/published"
    command = block(text, "release").strip()
    if made:
        command = command.replace("--again", "sums") + f" --output {folder}"
    twice = "" if made else " twice, with the same bytes; lintian has no error and no warning"
    with check(f"{command}: every part is made{twice}"):
        for line in bash(command, cwd=checks.ROOT, env=keyring.environment).stdout.splitlines():
            check.note(line)
    return folder


def check_files(check, text, folder, keyring):
    version = re.search(r"project\(\S+ VERSION ([\d.]+)", (checks.ROOT / "CMakeLists.txt").read_text())[1]
    names = {f"dns-tls-proxy-{version}.tar.gz", f"dns-tls-proxy-{version}-image-amd64.tar",
             f"dns-tls-proxy-{version}.spdx.json", *(f"dns-tls-proxy_{version}~{each}.deb" for each in DEBS)}
    with check("the checksums are of all files, and hold, and their signature is good"):
        sums = dict(reversed(line.split("  ")) for line in (folder / "SHA256SUMS").read_text().splitlines())
        assert set(sums) == names, sums
        said = bash(block(text, "files"), cwd=folder, env=keyring.environment)
        assert said.stdout.count(": OK") == len(names), said.stdout
    with check("a file with another byte is found"), tempfile.TemporaryDirectory() as name:
        for each in (*names, "SHA256SUMS", "SHA256SUMS.asc"):
            shutil.copy(folder / each, name)
        changed = pathlib.Path(name, f"dns-tls-proxy-{version}.tar.gz")
        flip_last_bit(changed)
        said = checks.run("bash", "-e", "-c", block(text, "files"), cwd=name, env=keyring.environment, check=False)
        assert said.returncode != 0 and f"{changed.name}: FAILED" in said.stdout, said
    with check("each package is for its architecture and release"):
        for each in DEBS:
            deb = folder / f"dns-tls-proxy_{version}~{each}.deb"
            fields = {key: checks.output("dpkg-deb", "-f", deb, key) for key in ("Version", "Architecture", "Depends")}
            assert fields["Version"] == f"{version}~{each.split('_')[0]}" and fields["Architecture"] == each[6:], fields
            assert "libwolfssl" in fields["Depends"] and "libc6" in fields["Depends"], fields
            check.note(f"{deb.name}: {deb.stat().st_size // 1024} KiB; {fields['Depends']}")
            check_program(deb, each[6:])
    return version


def check_program(deb, architecture):
    with tempfile.TemporaryDirectory() as name:
        checks.run("dpkg-deb", "-x", deb, name)
        machine = (pathlib.Path(name) / "usr/sbin/dns-tls-proxy").read_bytes()[18:20]
        assert int.from_bytes(machine, "little") == {"amd64": 62, "arm64": 183}[architecture], machine


def check_sbom(check, folder, version):
    path = folder / f"dns-tls-proxy-{version}.spdx.json"
    with check("the SBOM names every file, what it is linked with, and nothing that it does not describe"):
        document = json.loads(path.read_text())
        known = {each["SPDXID"]: each for each in document["packages"]}
        files = {each["packageFileName"]: each["checksums"][0]["checksumValue"] for each in known.values()
                 if "packageFileName" in each}
        sums = dict(reversed(line.split("  ")) for line in (folder / "SHA256SUMS").read_text().splitlines())
        assert files == {name: value for name, value in sums.items() if name != path.name}
        for each in document["relationships"]:
            assert {each["spdxElementId"], each["relatedSpdxElement"]} - {"SPDXRef-DOCUMENT"} <= set(known), each
        for each in DEBS:
            deb = folder / f"dns-tls-proxy_{version}~{each}.deb"
            needs = {re.match(r"[^ (]+", part.strip())[0]
                     for part in checks.output("dpkg-deb", "-f", deb, "Depends").split(",")}
            (own,) = [name for name, package in known.items() if package.get("packageFileName") == deb.name]
            linked = {known[relation["relatedSpdxElement"]]["name"] for relation in document["relationships"]
                      if relation["spdxElementId"] == own
                      and relation["relationshipType"] in ("DYNAMIC_LINK", "DEPENDS_ON")}
            assert linked == needs, (linked, needs)
        check.note(f"{len(known)} packages, {len(document['relationships'])} relationships")
    with check("it is valid SPDX 2.3 (spdx-tools)"):
        tools = checks.CACHE / "spdx"
        if not (tools / "bin/pyspdxtools").exists():
            checks.install("python3-venv")
            checks.run("/usr/bin/python3", "-m", "venv", tools)
            done = checks.run(tools / "bin/pip", "install", "-q", "spdx-tools==0.8.3", check=False, timeout=600)
            if done.returncode != 0:
                shutil.rmtree(tools)
                raise checks.Skip(f"spdx-tools cannot be installed: {done.stderr.strip().splitlines()[-1]}")
        checks.run(tools / "bin/pyspdxtools", "-i", path)


def check_image(check, folder, version):
    with check("the image is loaded, has the version, its health check and its user"):
        containers.prepare()
        file = folder / f"dns-tls-proxy-{version}-image-amd64.tar"
        tag = containers.podman("load", "-q", "-i", file).stdout.strip().partition("Loaded image: ")[2]
        assert tag.endswith(f"/dns-tls-proxy:{version}"), tag
        said = containers.podman("run", "--rm", "--network", "none", tag, "--version").stdout
        assert said.startswith(f"dns-tls-proxy {version} "), said
        image = containers.inspect("image", tag)
        assert image["Config"]["User"] == "65532:65532" and image["Healthcheck"]["Test"][-1] == "--health-check", image
        containers.podman("rmi", "-f", tag)


@contextlib.contextmanager
def served(folder):
    """The folder by HTTP on loopback; yields its address."""
    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            """Nothing is logged."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def make_repository(check, text, folder, keyring, into):
    with check("the private apt repository is made by the page's commands, on Debian 12"), \
            trees.Layer(trees.make("debian-12")) as layer:
        script = f"export GNUPGHOME={keyring.folder} KEY={keyring.key}; cd {folder}; {block(text, 'repository')}"
        folders = [f"{folder}", f"{keyring.folder}", f"{into}:/srv/apt"]
        checks.run(*layer.command("bash", "-e", "-o", "pipefail", "-c", f"apt-get update -q; {script}",
                                  folders=folders), timeout=900)


def check_machine(check, text, release, repository, version):
    """A machine of the release installs from the repository; then its shells complete."""
    with tempfile.TemporaryDirectory(dir=trees.CACHE) as name, trees.Layer(trees.make(release)) as layer, \
            served(repository) as address:
        work = pathlib.Path(name)

        def run(script):
            command = layer.command("bash", "-e", "-o", "pipefail", "-c", script, folders=[work])
            return checks.run(*command, timeout=900).stdout

        shutil.copy(repository / "dns-tls-proxy.gpg", work)
        with check(f"{release}: apt-get installs the release's own package from it"):
            run(f"cp {work}/dns-tls-proxy.gpg /usr/share/keyrings/")
            said = run(block(text, "machine").replace(ADDRESS, address) + "\ndpkg-query -W dns-tls-proxy\n"
                       "dns-tls-proxy --version")
            assert said.splitlines()[-2:] == [f"dns-tls-proxy\t{version}~{RELEASES[release]}",
                                              said.splitlines()[-1]], said[-500:]
            assert said.splitlines()[-1].startswith(f"dns-tls-proxy {version} "), said[-500:]
            check.note(said.splitlines()[-1])
        with check(f"{release}: a package that was changed in the repository is refused"):
            (deb,) = repository.rglob(f"*{RELEASES[release]}_amd64.deb")
            flip_last_bit(deb)
            try:
                command = layer.command("bash", "-c", "apt-get clean; apt-get install -y --reinstall dns-tls-proxy",
                                        folders=[work])
                done = checks.run(*command, check=False)
            finally:
                flip_last_bit(deb)
            assert done.returncode != 0 and "Hash Sum mismatch" in done.stdout + done.stderr, done
        run("DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends bash-completion zsh fish")
        for shell in SHELLS:
            check_shell(check, release, shell, layer, work)


def check_shell(check, release, shell, layer, work):
    folder = work / shell
    folder.mkdir()
    (folder / "a name.yaml").touch()

    def within(command):
        return layer.command(*command, folders=[work])

    with check(f"{release}: {shell} completes flags, values and files by what the package installed"), \
            SHELLS[shell](folder, None, within) as running:
        assert running.typed(f"--log-l{TAB}de{TAB}") == ["--log-level", "debug"]
        assert running.typed(f"--config a{TAB}") == ["--config", "a name.yaml"]
        assert running.typed(f"--print-com{TAB}fi{TAB}") == ["--print-completion", "fish"]


def main():
    check = checks.Checks(serves=False)
    checks.install("git", "gnupg", "buildah", "mmdebstrap")
    text = PAGE.read_text()
    with tempfile.TemporaryDirectory(dir=checks.CACHE) as name:
        keyring = Keyring(pathlib.Path(name) / "gnupg")
        folder = make(check, text, keyring)
        if not check.failed:
            version = check_files(check, text, folder, keyring)
            check_sbom(check, folder, version)
            check_image(check, folder, version)
            repository = pathlib.Path(name) / "apt"
            repository.mkdir()
            make_repository(check, text, folder, keyring, repository)
            for release in RELEASES:
                check_machine(check, text, release, repository, version)
    check.finish()


if __name__ == "__main__":
    main()
